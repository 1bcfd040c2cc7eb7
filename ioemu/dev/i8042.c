/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8042.c - keyboard controller at ports 0x60 and 0x64, interrupts 1 and 12, with the keyboard and
 * the mouse of ps2.c behind it. Pulsing the reset line resets the machine; A20 is never masked.
 * Owns struct i8042. Locking: an own mutex. Saved as I8042 (not yet written).
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller".
 */
#include "dev/i8042.h"
#include "dev/ps2.h"

#include <errno.h>
#include <stdlib.h>

#define KBD_IRQ 1
#define AUX_IRQ 12

#define STATUS_OBF     0x01u
#define STATUS_SYS     0x04u
#define STATUS_COMMAND 0x08u
#define STATUS_UNLOCK  0x10u
#define STATUS_AUX     0x20u

#define CONFIG_KBD_INT	   0x01u
#define CONFIG_AUX_INT	   0x02u
#define CONFIG_SYS	   0x04u
#define CONFIG_KBD_DISABLE 0x10u
#define CONFIG_AUX_DISABLE 0x20u
#define CONFIG_TRANSLATE   0x40u
#define CONFIG_AT_RESET	   (CONFIG_KBD_INT | CONFIG_AUX_INT | CONFIG_SYS | CONFIG_TRANSLATE)

#define OUTPUT_RESET 0x01u /* low: the processor is held in reset */
#define OUTPUT_A20   0x02u
#define OUTPUT_OBF   0x10u
#define OUTPUT_AUX   0x20u

#define CMD_READ_RAM	  0x20u
#define CMD_WRITE_RAM	  0x60u
#define CMD_AUX_DISABLE	  0xa7u
#define CMD_AUX_ENABLE	  0xa8u
#define CMD_AUX_TEST	  0xa9u
#define CMD_SELF_TEST	  0xaau
#define CMD_KBD_TEST	  0xabu
#define CMD_KBD_DISABLE	  0xadu
#define CMD_KBD_ENABLE	  0xaeu
#define CMD_READ_INPUT	  0xc0u
#define CMD_READ_OUTPUT	  0xd0u
#define CMD_WRITE_OUTPUT  0xd1u
#define CMD_WRITE_KBD_OUT 0xd2u
#define CMD_WRITE_AUX_OUT 0xd3u
#define CMD_WRITE_AUX	  0xd4u
#define CMD_A20_OFF	  0xddu
#define CMD_A20_ON	  0xdfu
#define CMD_READ_TEST	  0xe0u
#define CMD_PULSE	  0xf0u
#define RAM_BYTES	  32u

enum i8042_source {
	I8042_NOTHING,
	I8042_CONTROLLER,
	I8042_KEYBOARD,
	I8042_MOUSE,
};

struct i8042 {
	struct machine *m;
	pthread_mutex_t lock;
	struct ps2_keyboard keyboard;
	struct ps2_mouse mouse;
	struct ps2_queue answers;     /* the controller's own, as from the keyboard */
	struct ps2_queue aux_answers; /* put there by command 0xd3 */
	uint8_t ram[RAM_BYTES];	      /* byte 0 is the configuration */
	uint8_t output_port;
	uint8_t command; /* waits for its data byte; 0: none */
	uint8_t data;	 /* output buffer */
	bool last_was_command;
	bool obf, obf_aux;
	bool break_seen; /* the translator saw 0xf0 */
};

/* Scan set 2 to set 1, as the controller translates. */
/* clang-format off */
static const uint8_t i8042_translation[128] = {
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
	0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
	0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
	0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
	0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
	0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
	0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
	0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};
/* clang-format on */

static uint8_t i8042_config(const struct i8042 *s)
{
	return s->ram[0];
}

/* One keyboard byte through the translator. False: swallowed (the break prefix). */
static bool i8042_translate(struct i8042 *s, uint8_t byte, uint8_t *ret)
{
	*ret = byte;
	if (!(i8042_config(s) & CONFIG_TRANSLATE) || s->keyboard.scan_set == 1)
		return true;
	if (byte == 0xf0) {
		s->break_seen = true;
		return false;
	}
	if (byte < 0x80)
		*ret = i8042_translation[byte];
	else if (byte == 0x83)
		*ret = 0x41;
	else if (byte == 0x84)
		*ret = 0x54;
	else
		return true; /* answers and prefixes pass, and leave the break prefix pending */
	if (s->break_seen)
		*ret |= 0x80;
	s->break_seen = false;
	return true;
}

static enum i8042_source i8042_next_source(const struct i8042 *s)
{
	if (s->answers.count || s->aux_answers.count)
		return I8042_CONTROLLER;
	if (s->keyboard.out.count && !(i8042_config(s) & CONFIG_KBD_DISABLE))
		return I8042_KEYBOARD;
	if (s->mouse.out.count && !(i8042_config(s) & CONFIG_AUX_DISABLE))
		return I8042_MOUSE;
	return I8042_NOTHING;
}

/* Fill the output buffer if it is empty and there is something. */
static void i8042_fill(struct i8042 *s)
{
	while (!s->obf) {
		switch (i8042_next_source(s)) {
		case I8042_NOTHING: return;
		case I8042_CONTROLLER:
			s->obf = true;
			s->obf_aux = !s->answers.count;
			s->data = ps2_queue_pop(s->obf_aux ? &s->aux_answers : &s->answers);
			break;
		case I8042_KEYBOARD:
			s->obf = i8042_translate(s, ps2_queue_pop(&s->keyboard.out), &s->data);
			s->obf_aux = false;
			break;
		case I8042_MOUSE:
			s->obf = true;
			s->obf_aux = true;
			s->data = ps2_queue_pop(&s->mouse.out);
			break;
		}
	}
}

static void i8042_update(struct i8042 *s)
{
	uint8_t config;

	i8042_fill(s);
	config = i8042_config(s);
	irq_line_set(&s->m->irq, KBD_IRQ, IRQ_SOURCE_DEVICE,
		     s->obf && !s->obf_aux && config & CONFIG_KBD_INT);
	irq_line_set(&s->m->irq, AUX_IRQ, IRQ_SOURCE_DEVICE,
		     s->obf && s->obf_aux && config & CONFIG_AUX_INT);
}

static uint8_t i8042_read_data(struct i8042 *s)
{
	/* The lines drop before the next byte raises them: the guest sees an edge a byte. */
	s->obf = false;
	irq_line_set(&s->m->irq, KBD_IRQ, IRQ_SOURCE_DEVICE, false);
	irq_line_set(&s->m->irq, AUX_IRQ, IRQ_SOURCE_DEVICE, false);
	return s->data;
}

static uint8_t i8042_status(const struct i8042 *s)
{
	return (uint8_t)(STATUS_UNLOCK | (s->obf ? STATUS_OBF : 0) |
			 (s->obf && s->obf_aux ? STATUS_AUX : 0) |
			 (i8042_config(s) & CONFIG_SYS ? STATUS_SYS : 0) |
			 (s->last_was_command ? STATUS_COMMAND : 0));
}

static void i8042_write_output_port(struct i8042 *s, uint8_t value)
{
	s->output_port = value;
	if (!(value & OUTPUT_RESET))
		s->m->ops->power(s->m->opaque, MACHINE_RESET, "keyboard controller");
}

/* Commands with an answer that is a constant. */
static const struct {
	uint8_t command, answer;
} i8042_constant[] = {
	{ CMD_AUX_TEST, 0x00 },
	{ CMD_KBD_TEST, 0x00 },
	{ CMD_READ_INPUT, 0x80 }, /* not locked */
	{ CMD_READ_TEST, 0x00 },
};

static void i8042_command_other(struct i8042 *s, uint8_t value)
{
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(i8042_constant); i++)
		if (i8042_constant[i].command == value)
			ps2_queue_push(&s->answers, i8042_constant[i].answer);
	if (value >= CMD_READ_RAM && value < CMD_READ_RAM + RAM_BYTES)
		ps2_queue_push(&s->answers, s->ram[value - CMD_READ_RAM]);
	else if (value >= CMD_WRITE_RAM && value < CMD_WRITE_RAM + RAM_BYTES)
		s->command = value;
	else if (value >= CMD_PULSE && !(value & OUTPUT_RESET))
		s->m->ops->power(s->m->opaque, MACHINE_RESET, "keyboard controller");
}

static void i8042_write_command(struct i8042 *s, uint8_t value)
{
	s->last_was_command = true;
	s->command = 0;
	switch (value) {
	case CMD_AUX_DISABLE: s->ram[0] |= CONFIG_AUX_DISABLE; break;
	case CMD_AUX_ENABLE: s->ram[0] &= (uint8_t)~CONFIG_AUX_DISABLE; break;
	case CMD_KBD_DISABLE: s->ram[0] |= CONFIG_KBD_DISABLE; break;
	case CMD_KBD_ENABLE: s->ram[0] &= (uint8_t)~CONFIG_KBD_DISABLE; break;
	case CMD_SELF_TEST:
		s->ram[0] |= CONFIG_SYS;
		ps2_queue_push(&s->answers, 0x55);
		break;
	case CMD_READ_OUTPUT:
		ps2_queue_push(&s->answers, (uint8_t)(s->output_port | (s->obf ? OUTPUT_OBF : 0) |
						      (s->obf && s->obf_aux ? OUTPUT_AUX : 0)));
		break;
	case CMD_WRITE_OUTPUT:
	case CMD_WRITE_KBD_OUT:
	case CMD_WRITE_AUX_OUT:
	case CMD_WRITE_AUX: s->command = value; break;
	case CMD_A20_OFF: s->output_port &= (uint8_t)~OUTPUT_A20; break;
	case CMD_A20_ON: s->output_port |= OUTPUT_A20; break;
	default: i8042_command_other(s, value); break;
	}
}

static void i8042_write_data(struct i8042 *s, uint8_t value)
{
	uint8_t command = s->command;

	s->last_was_command = false;
	s->command = 0;
	switch (command) {
	case 0:
		/* A byte for the keyboard switches its interface on. */
		s->ram[0] &= (uint8_t)~CONFIG_KBD_DISABLE;
		s->break_seen = false;
		ps2_keyboard_write(&s->keyboard, value);
		break;
	case CMD_WRITE_OUTPUT: i8042_write_output_port(s, value); break;
	case CMD_WRITE_KBD_OUT: ps2_queue_push(&s->answers, value); break;
	case CMD_WRITE_AUX_OUT: ps2_queue_push(&s->aux_answers, value); break;
	case CMD_WRITE_AUX:
		s->ram[0] &= (uint8_t)~CONFIG_AUX_DISABLE;
		ps2_mouse_write(&s->mouse, value);
		break;
	default: s->ram[(command - CMD_WRITE_RAM) % RAM_BYTES] = value; break;
	}
}

/* Two ranges of one port each. */
static uint64_t i8042_data_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct i8042 *s = opaque;
	uint8_t value = i8042_read_data(s);

	(void)offset;
	(void)bytes;
	i8042_update(s);
	return value;
}

static void i8042_data_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	(void)offset;
	(void)bytes;
	i8042_write_data(opaque, (uint8_t)value);
	i8042_update(opaque);
}

static uint64_t i8042_status_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	(void)offset;
	(void)bytes;
	return i8042_status(opaque);
}

static void i8042_command_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	(void)offset;
	(void)bytes;
	i8042_write_command(opaque, (uint8_t)value);
	i8042_update(opaque);
}

static const struct io_ops i8042_data_ops = {
	.name = "i8042-data",
	.max_bytes = 1,
	.read = i8042_data_read,
	.write = i8042_data_write,
};

static const struct io_ops i8042_command_ops = {
	.name = "i8042-command",
	.max_bytes = 1,
	.read = i8042_status_read,
	.write = i8042_command_write,
};

int i8042_type_keys(struct i8042 *s, const char *const *names, size_t count,
		    const char **ret_unknown)
{
	size_t i;
	int err = 0;

	for (i = 0; i < count; i++) {
		if (ps2_key_find(names[i]))
			continue;
		if (ret_unknown)
			*ret_unknown = names[i];
		return -EINVAL;
	}
	pthread_mutex_lock(&s->lock);
	if (ps2_queue_room(&s->keyboard.out) < 2 * count * PS2_KEY_BYTES_MAX) {
		err = -EBUSY;
	} else {
		for (i = 0; i < count; i++)
			ps2_keyboard_key(&s->keyboard, ps2_key_find(names[i]), true);
		while (i-- > 0)
			ps2_keyboard_key(&s->keyboard, ps2_key_find(names[i]), false);
		i8042_update(s);
	}
	pthread_mutex_unlock(&s->lock);
	return err;
}

void i8042_mouse_move(struct i8042 *s, int dx, int dy, int dz, unsigned int buttons)
{
	pthread_mutex_lock(&s->lock);
	ps2_mouse_move(&s->mouse, dx, dy, dz, buttons);
	i8042_update(s);
	pthread_mutex_unlock(&s->lock);
}

static void i8042_power_on(struct i8042 *s)
{
	unsigned int i;

	ps2_keyboard_reset(&s->keyboard);
	ps2_mouse_reset(&s->mouse);
	s->answers.count = s->aux_answers.count = 0;
	for (i = 0; i < RAM_BYTES; i++)
		s->ram[i] = 0;
	s->ram[0] = CONFIG_AT_RESET;
	s->output_port = OUTPUT_RESET | OUTPUT_A20;
	s->command = 0;
	s->last_was_command = s->obf = s->obf_aux = s->break_seen = false;
}

void i8042_reset(struct machine *m)
{
	pthread_mutex_lock(&m->i8042->lock);
	i8042_power_on(m->i8042);
	i8042_update(m->i8042);
	pthread_mutex_unlock(&m->i8042->lock);
}

int i8042_create(struct machine *m)
{
	struct i8042 *s = calloc(1, sizeof(*s));
	struct io_range data = { .base = 0x60, .length = 1, .ops = &i8042_data_ops, .opaque = s };
	struct io_range command = {
		.base = 0x64,
		.length = 1,
		.ops = &i8042_command_ops,
		.opaque = s,
	};
	int err;

	if (!s)
		return -ENOMEM;
	s->m = m;
	m->i8042 = s;
	pthread_mutex_init(&s->lock, NULL);
	data.lock = command.lock = &s->lock;
	i8042_power_on(s);
	err = pio_claim(&m->pio, &data);
	return err ? err : pio_claim(&m->pio, &command);
}

void i8042_destroy(struct machine *m)
{
	if (!m->i8042)
		return;
	pthread_mutex_destroy(&m->i8042->lock);
	free(m->i8042);
	m->i8042 = NULL;
}
