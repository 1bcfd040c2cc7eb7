/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2.h - the two devices behind the keyboard controller. Locking: the controller's mutex.
 */
#ifndef IOEMU_PS2_H
#define IOEMU_PS2_H

#include "hvm/hvm_types.h"

#define PS2_QUEUE_BYTES 256u

struct ps2_queue {
	uint8_t byte[PS2_QUEUE_BYTES];
	unsigned int head, count;
};

static inline unsigned int ps2_queue_room(const struct ps2_queue *q)
{
	return PS2_QUEUE_BYTES - q->count;
}

static inline void ps2_queue_push(struct ps2_queue *q, uint8_t byte)
{
	if (!ps2_queue_room(q))
		return;
	q->byte[(q->head + q->count++) % PS2_QUEUE_BYTES] = byte;
}

/* Not when empty. */
static inline uint8_t ps2_queue_pop(struct ps2_queue *q)
{
	uint8_t byte = q->byte[q->head];

	q->head = (q->head + 1) % PS2_QUEUE_BYTES;
	q->count--;
	return byte;
}

struct ps2_keyboard {
	struct ps2_queue out;
	uint8_t command; /* waits for its argument; 0: none */
	uint8_t leds, typematic, scan_set, last;
	bool scanning;
};

struct ps2_mouse {
	struct ps2_queue out;
	uint8_t command;
	uint8_t id; /* 0: three buttons; 3: IntelliMouse */
	uint8_t sample_rate, resolution, last;
	uint8_t rates[3]; /* the last three, newest last: the knock that makes an IntelliMouse */
	bool reporting, remote, wrap, scaling_2_1;
	int dx, dy, dz;
	unsigned int buttons;
};

/* A key of the US layout. Codes above 0xff carry the prefix 0xe0. */
struct ps2_key {
	const char *name;
	uint16_t set2;
	uint16_t set1;
};

void ps2_keyboard_reset(struct ps2_keyboard *k);
/* A byte from the host to the keyboard; answers go to k->out. */
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t value);
/* Bytes that one press or release puts into the queue, at most. */
#define PS2_KEY_BYTES_MAX 3
void ps2_keyboard_key(struct ps2_keyboard *k, const struct ps2_key *key, bool pressed);
/* ps2_key_find - by name; NULL: there is none. */
const struct ps2_key *ps2_key_find(const char *name);

void ps2_mouse_reset(struct ps2_mouse *m);
void ps2_mouse_write(struct ps2_mouse *m, uint8_t value);
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned int buttons);

#endif
