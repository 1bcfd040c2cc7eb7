/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.h - the control socket: JSON lines in, JSON lines out, events to everybody.
 * control.c knows the protocol and no socket; control_server.c the sockets and no method.
 * Locking: everything here runs on the main loop.
 * Source: docs/ioemu-protocol.md "Control socket".
 */
#ifndef IOEMU_CONTROL_H
#define IOEMU_CONTROL_H

#include "config.h"

#include <jansson.h>
#include <uv.h>

#define CONTROL_LINE_MAX (64u * 1024)

/*
 * What the methods do. Each: 0 with *ret_result set to a new object (or left NULL for {}), or -1
 * with @err filled. @params is an object.
 */
struct control_method {
	const char *name;
	int (*call)(void *opaque, json_t *params, json_t **ret_result, struct ioemu_error *err);
};

/*
 * control_answer - one request line (without the newline) to one answer line (with it); from
 * malloc(), the caller frees; NULL out of memory. @methods ends with a NULL name.
 */
char *control_answer(const struct control_method *methods, void *opaque, const char *line,
		     size_t bytes);

/* control_dump - @doc as a line with its newline, from malloc(), or NULL; takes the reference. */
char *control_dump(json_t *doc);

struct control_server;

/* control_server_create - listen on @path. 0 or -errno; free even then when @ret was set. */
int control_server_create(uv_loop_t *loop, const char *path, const struct control_method *methods,
			  void *opaque, struct control_server **ret);
/* control_server_event - send @event to every client; takes the reference. */
void control_server_event(struct control_server *s, json_t *event);
/* control_server_close - no more clients; what was written still goes out while the loop runs. */
void control_server_close(struct control_server *s);
void control_server_free(struct control_server *s);

#endif
