/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.h - the serial port's other end: console.log and the clients of console.sock.
 * Runs on the main loop; console_write() and console_room() may be called by any thread.
 */
#ifndef IOEMU_CONSOLE_H
#define IOEMU_CONSOLE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "hvm/hvm_types.h"

struct console;

struct console_params {
	uv_loop_t *loop;
	const char *log_path;
	const char *socket_path;
	unsigned int log_kib;
	/* Give bytes to the guest; returns how many it took. Main loop. */
	size_t (*input)(void *opaque, const uint8_t *buf, size_t bytes);
	/* Output has room again. Main loop. */
	void (*output_room)(void *opaque);
	void *opaque;
};

/* console_create - truncates the log, listens. 0 or -errno. */
int console_create(const struct console_params *p, struct console **ret);
/* console_close - write out what waits, close clients; the loop must still run to finish. */
void console_close(struct console *c);
/* console_free - after the loop ran empty. */
void console_free(struct console *c);
/* console_write - guest output. Returns how much fitted into the buffer. Any thread; no wait. */
size_t console_write(struct console *c, const uint8_t *buf, size_t bytes);
/* console_room - the guest can take input again. Any thread. */
void console_room(struct console *c);

#endif
