/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug_ports.c - ports that firmware talks to people through: POST code at 0x80, log bytes at
 * 0xe9 and 0x402.
 * Owns struct debug_ports. Locking: an own mutex. Not saved: nothing a guest reads back but 0x80.
 * Source: Bochs documentation, "port 0xe9 hack"; SeaBIOS docs/Debugging.md "Debug port".
 */
#include "dev/devices.h"
#include "log.h"

#include <stdlib.h>

#define DEBUG_LINE_BYTES    256
/* A guest that floods the port must not fill the host's disk with our log. */
#define DEBUG_LOG_LINES_MAX 5000

struct debug_ports {
	pthread_mutex_t lock;
	uint8_t post;
	unsigned int used;
	unsigned int lines;
	char line[DEBUG_LINE_BYTES];
};

static void debug_ports_flush(struct debug_ports *s)
{
	s->line[s->used] = 0;
	s->used = 0;
	if (s->lines < DEBUG_LOG_LINES_MAX)
		log_info("firmware: %s", s->line);
	else if (s->lines == DEBUG_LOG_LINES_MAX)
		log_warn("firmware: more than %u lines, the rest is dropped", DEBUG_LOG_LINES_MAX);
	else
		return;
	s->lines++;
}

static void debug_ports_byte(struct debug_ports *s, uint8_t byte)
{
	if (byte == '\n') {
		debug_ports_flush(s);
		return;
	}
	if (byte == '\r')
		return;
	s->line[s->used++] = byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
	if (s->used == DEBUG_LINE_BYTES - 1)
		debug_ports_flush(s);
}

static uint64_t debug_log_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	(void)opaque;
	(void)offset;
	(void)bytes;
	return 0xe9; /* "there is one here" */
}

static void debug_log_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	(void)offset;
	(void)bytes;
	debug_ports_byte(opaque, (uint8_t)value);
}

static size_t debug_log_write_bulk(void *opaque, uint64_t offset, unsigned int bytes,
				   const uint8_t *buf, size_t count)
{
	size_t i;

	(void)offset;
	if (bytes != 1)
		return 0;
	for (i = 0; i < count; i++)
		debug_ports_byte(opaque, buf[i]);
	return count;
}

static const struct io_ops debug_log_ops = {
	.name = "debug-log",
	.max_bytes = 1,
	.read = debug_log_read,
	.write = debug_log_write,
	.write_bulk = debug_log_write_bulk,
};

static uint64_t post_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct debug_ports *s = opaque;

	(void)offset;
	(void)bytes;
	return s->post;
}

static void post_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct debug_ports *s = opaque;

	(void)offset;
	(void)bytes;
	s->post = (uint8_t)value;
}

static const struct io_ops post_ops = {
	.name = "post",
	.max_bytes = 1,
	.read = post_read,
	.write = post_write,
};

void debug_ports_reset(struct machine *m)
{
	if (m->debug->used)
		debug_ports_flush(m->debug);
	m->debug->post = 0;
}

int debug_ports_create(struct machine *m)
{
	struct debug_ports *s = calloc(1, sizeof(*s));
	/* clang-format off */
	const struct io_range range[] = {
		{ .base = 0x80, .length = 1, .ops = &post_ops, .opaque = s, .lock = s ? &s->lock : NULL },
		{ .base = 0xe9, .length = 1, .ops = &debug_log_ops, .opaque = s, .lock = s ? &s->lock : NULL },
		{ .base = 0x402, .length = 1, .ops = &debug_log_ops, .opaque = s, .lock = s ? &s->lock : NULL },
	};
	/* clang-format on */
	unsigned int i;
	int err = 0;

	if (!s)
		return -HVM_ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	m->debug = s;
	for (i = 0; i < HVM_ARRAY_SIZE(range) && !err; i++)
		err = pio_claim(&m->pio, &range[i]);
	return err;
}

void debug_ports_destroy(struct machine *m)
{
	if (!m->debug)
		return;
	if (m->debug->used)
		debug_ports_flush(m->debug);
	pthread_mutex_destroy(&m->debug->lock);
	free(m->debug);
	m->debug = NULL;
}
