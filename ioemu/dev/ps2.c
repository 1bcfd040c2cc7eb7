/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2.c - a 101-key keyboard and a mouse (IntelliMouse after its knock).
 * Owns nothing; struct ps2_keyboard and ps2_mouse live in the controller. Locking: its mutex.
 * Saved with it.
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)", "Mouse";
 * Microsoft "IntelliMouse" protocol notes: sample rates 200, 100, 80 switch to identifier 3.
 */
#include "dev/ps2.h"

#include <string.h>

#define PS2_ACK	   0xfau
#define PS2_RESEND 0xfeu
#define PS2_BAT_OK 0xaau

#define KBD_SET_LEDS	  0xedu
#define KBD_ECHO	  0xeeu
#define KBD_SCAN_SET	  0xf0u
#define KBD_IDENTIFY	  0xf2u
#define KBD_TYPEMATIC	  0xf3u
#define KBD_ENABLE	  0xf4u
#define KBD_DISABLE	  0xf5u
#define KBD_DEFAULTS	  0xf6u
#define KBD_SET3_FIRST	  0xf7u
#define KBD_SET3_LAST	  0xfdu
#define KBD_RESEND	  0xfeu
#define KBD_RESET	  0xffu
#define KBD_TYPEMATIC_DEF 0x2bu

#define MOUSE_SCALING_1_1  0xe6u
#define MOUSE_SCALING_2_1  0xe7u
#define MOUSE_RESOLUTION   0xe8u
#define MOUSE_STATUS	   0xe9u
#define MOUSE_STREAM	   0xeau
#define MOUSE_READ_DATA	   0xebu
#define MOUSE_RESET_WRAP   0xecu
#define MOUSE_WRAP	   0xeeu
#define MOUSE_REMOTE	   0xf0u
#define MOUSE_IDENTIFY	   0xf2u
#define MOUSE_SAMPLE_RATE  0xf3u
#define MOUSE_ENABLE	   0xf4u
#define MOUSE_DISABLE	   0xf5u
#define MOUSE_DEFAULTS	   0xf6u
#define MOUSE_RESEND	   0xfeu
#define MOUSE_RESET	   0xffu
#define MOUSE_ID_WHEEL	   3
#define MOUSE_QUEUE_ENOUGH 16u

static void keyboard_defaults(struct ps2_keyboard *k)
{
	k->typematic = KBD_TYPEMATIC_DEF;
	k->scan_set = 2;
	k->command = 0;
	memset(&k->out, 0, sizeof(k->out));
}

void ps2_keyboard_reset(struct ps2_keyboard *k)
{
	memset(k, 0, sizeof(*k));
	keyboard_defaults(k);
	k->scanning = true;
}

static void keyboard_answer(struct ps2_keyboard *k, uint8_t byte)
{
	k->last = byte;
	ps2_queue_push(&k->out, byte);
}

/* The argument of a command that took two bytes. */
static void keyboard_argument(struct ps2_keyboard *k, uint8_t command, uint8_t value)
{
	keyboard_answer(k, PS2_ACK);
	switch (command) {
	case KBD_SET_LEDS: k->leds = value & 7; break;
	case KBD_TYPEMATIC: k->typematic = value & 0x7f; break;
	case KBD_SCAN_SET:
		if (value == 0)
			keyboard_answer(k, k->scan_set);
		else if (value <= 2)
			k->scan_set = value;
		break;
	default: break; /* set 3 make/break of single keys: there is no set 3 */
	}
}

static void keyboard_command(struct ps2_keyboard *k, uint8_t value)
{
	switch (value) {
	case KBD_ECHO: keyboard_answer(k, KBD_ECHO); return;
	case KBD_RESEND: ps2_queue_push(&k->out, k->last); return;
	case KBD_RESET:
		ps2_keyboard_reset(k);
		keyboard_answer(k, PS2_ACK);
		keyboard_answer(k, PS2_BAT_OK);
		return;
	case KBD_SET_LEDS:
	case KBD_SCAN_SET:
	case KBD_TYPEMATIC: k->command = value; break;
	case KBD_ENABLE: k->scanning = true; break;
	case KBD_DISABLE:
		keyboard_defaults(k);
		k->scanning = false;
		break;
	case KBD_DEFAULTS: keyboard_defaults(k); break;
	case KBD_IDENTIFY:
		keyboard_answer(k, PS2_ACK);
		keyboard_answer(k, 0xab);
		keyboard_answer(k, 0x83);
		return;
	default:
		if (value < KBD_SET3_FIRST || value > KBD_SET3_LAST) {
			keyboard_answer(k, PS2_RESEND);
			return;
		}
		if (value > 0xfa)
			k->command = value;
		break;
	}
	keyboard_answer(k, PS2_ACK);
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t value)
{
	uint8_t command = k->command;

	k->command = 0;
	/* A command where an argument was due replaces the earlier command. */
	if (command && value < 0xe0)
		keyboard_argument(k, command, value);
	else
		keyboard_command(k, value);
}

void ps2_keyboard_key(struct ps2_keyboard *k, const struct ps2_key *key, bool pressed)
{
	uint16_t code = k->scan_set == 1 ? key->set1 : key->set2;

	if (!k->scanning || ps2_queue_room(&k->out) < PS2_KEY_BYTES_MAX)
		return;
	if (code > 0xff)
		ps2_queue_push(&k->out, (uint8_t)(code >> 8));
	if (k->scan_set == 1) {
		ps2_queue_push(&k->out, (uint8_t)(code | (pressed ? 0 : 0x80)));
		return;
	}
	if (!pressed)
		ps2_queue_push(&k->out, 0xf0);
	ps2_queue_push(&k->out, (uint8_t)code);
}

static void mouse_defaults(struct ps2_mouse *m)
{
	m->sample_rate = 100;
	m->resolution = 2;
	m->scaling_2_1 = m->remote = m->reporting = m->wrap = false;
	m->command = 0;
	m->dx = m->dy = m->dz = 0;
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
	memset(m, 0, sizeof(*m));
	mouse_defaults(m);
}

static void mouse_answer(struct ps2_mouse *m, uint8_t byte)
{
	m->last = byte;
	ps2_queue_push(&m->out, byte);
}

/* What one packet can carry of an accumulated distance; the rest stays for the next. */
static int mouse_take(int *distance, int limit)
{
	int part = *distance;

	if (part > limit)
		part = limit;
	if (part < -limit)
		part = -limit;
	*distance -= part;
	return part;
}

static void mouse_packet(struct ps2_mouse *m)
{
	int dx = mouse_take(&m->dx, 255), dy = mouse_take(&m->dy, 255);
	int dz = mouse_take(&m->dz, 7);

	ps2_queue_push(&m->out, (uint8_t)(0x08 | (m->buttons & 7) | (dx < 0 ? 0x10 : 0) |
					  (dy < 0 ? 0x20 : 0)));
	ps2_queue_push(&m->out, (uint8_t)dx);
	ps2_queue_push(&m->out, (uint8_t)dy);
	if (m->id == MOUSE_ID_WHEEL)
		ps2_queue_push(&m->out, (uint8_t)dz);
}

static void mouse_set_rate(struct ps2_mouse *m, uint8_t value)
{
	static const uint8_t knock[3] = { 200, 100, 80 };

	m->sample_rate = value;
	m->rates[0] = m->rates[1];
	m->rates[1] = m->rates[2];
	m->rates[2] = value;
	if (memcmp(m->rates, knock, sizeof(knock)) == 0)
		m->id = MOUSE_ID_WHEEL;
}

static void mouse_status(struct ps2_mouse *m)
{
	mouse_answer(m, (uint8_t)((m->remote ? 0x40 : 0) | (m->reporting ? 0x20 : 0) |
				  (m->scaling_2_1 ? 0x10 : 0) | (m->buttons & 1 ? 4 : 0) |
				  (m->buttons & 4 ? 2 : 0) | (m->buttons & 2 ? 1 : 0)));
	mouse_answer(m, m->resolution);
	mouse_answer(m, m->sample_rate);
}

static void mouse_command(struct ps2_mouse *m, uint8_t value)
{
	if (value == MOUSE_RESEND) {
		ps2_queue_push(&m->out, m->last);
		return;
	}
	if (value == MOUSE_RESET)
		ps2_mouse_reset(m);
	mouse_answer(m, PS2_ACK);
	switch (value) {
	case MOUSE_RESET:
		mouse_answer(m, PS2_BAT_OK);
		mouse_answer(m, m->id);
		break;
	case MOUSE_SCALING_1_1: m->scaling_2_1 = false; break;
	case MOUSE_SCALING_2_1: m->scaling_2_1 = true; break;
	case MOUSE_RESOLUTION:
	case MOUSE_SAMPLE_RATE: m->command = value; break;
	case MOUSE_STATUS: mouse_status(m); break;
	case MOUSE_STREAM: m->remote = false; break;
	case MOUSE_READ_DATA: mouse_packet(m); break;
	case MOUSE_RESET_WRAP: m->wrap = false; break;
	case MOUSE_WRAP: m->wrap = true; break;
	case MOUSE_REMOTE: m->remote = true; break;
	case MOUSE_IDENTIFY: mouse_answer(m, m->id); break;
	case MOUSE_ENABLE: m->reporting = true; break;
	case MOUSE_DISABLE: m->reporting = false; break;
	case MOUSE_DEFAULTS: mouse_defaults(m); break;
	default: break; /* unknown ones are acknowledged and do nothing */
	}
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t value)
{
	uint8_t command = m->command;

	m->command = 0;
	if (m->wrap && value != MOUSE_RESET && value != MOUSE_RESET_WRAP) {
		mouse_answer(m, value);
		return;
	}
	if (command == MOUSE_SAMPLE_RATE) {
		mouse_set_rate(m, value);
		mouse_answer(m, PS2_ACK);
	} else if (command == MOUSE_RESOLUTION) {
		m->resolution = value & 3;
		mouse_answer(m, PS2_ACK);
	} else {
		mouse_command(m, value);
	}
}

void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned int buttons)
{
	const int far = 4096;

	/* Distances saturate: nobody needs more than a screen of backlog. */
	m->dx = m->dx + dx > far ? far : m->dx + dx < -far ? -far : m->dx + dx;
	m->dy = m->dy + dy > far ? far : m->dy + dy < -far ? -far : m->dy + dy;
	m->dz = m->dz + dz > far ? far : m->dz + dz < -far ? -far : m->dz + dz;
	m->buttons = buttons & 7;
	if (m->reporting && !m->remote && m->out.count < MOUSE_QUEUE_ENOUGH)
		mouse_packet(m);
}
