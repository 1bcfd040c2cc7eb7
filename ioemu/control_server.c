/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_server.c - the sockets of control.sock: several clients, lines in, lines out. A client
 * that sends an over-long line or does not read its answers is dropped.
 * Owns the listener and the clients. Locking: main loop only. Not saved.
 */
#include "control.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_CLIENTS_MAX  32
#define CONTROL_CLIENT_QUEUE (1024u * 1024)
#define CONTROL_READ_MIN     1024u

struct control_client {
	struct control_server *server;
	struct control_client *next;
	uv_pipe_t pipe;
	uv_shutdown_t shutdown;
	char *line; /* what came and is no whole line yet */
	size_t used, size;
};

struct control_send {
	uv_write_t req;
	char *line;
};

struct control_server {
	uv_loop_t *loop;
	const struct control_method *methods;
	void *opaque;
	uv_pipe_t listener;
	struct control_client *clients;
	unsigned int client_count;
	bool closing;
};

static void control_client_closed(uv_handle_t *handle)
{
	struct control_client *client = handle->data;

	free(client->line);
	free(client);
}

static void control_client_unlink(struct control_client *client)
{
	struct control_server *s = client->server;
	struct control_client **at;

	for (at = &s->clients; *at; at = &(*at)->next) {
		if (*at == client) {
			*at = client->next;
			s->client_count--;
			return;
		}
	}
}

static void control_client_close(struct control_client *client)
{
	if (uv_is_closing((uv_handle_t *)&client->pipe))
		return;
	control_client_unlink(client);
	uv_close((uv_handle_t *)&client->pipe, control_client_closed);
}

static void control_sent(uv_write_t *req, int status)
{
	struct control_client *client = req->data;
	struct control_send *send = hvm_container_of(req, struct control_send, req);

	free(send->line);
	free(send);
	if (status < 0 && status != UV_ECANCELED)
		control_client_close(client);
}

/* Takes @line. */
static void control_client_send(struct control_client *client, char *line)
{
	struct control_send *send;
	uv_buf_t buf;

	if (!line)
		return;
	send = malloc(sizeof(*send));
	if (!send || client->pipe.write_queue_size > CONTROL_CLIENT_QUEUE) {
		free(send);
		free(line);
		control_client_close(client);
		return;
	}
	send->line = line;
	send->req.data = client;
	buf = uv_buf_init(line, (unsigned int)strlen(line));
	if (uv_write(&send->req, (uv_stream_t *)&client->pipe, &buf, 1, control_sent) < 0) {
		free(line);
		free(send);
		control_client_close(client);
	}
}

static void control_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct control_client *client = handle->data;

	(void)suggested;
	if (client->size - client->used < CONTROL_READ_MIN) {
		size_t size = client->size ? client->size * 2 : 4 * CONTROL_READ_MIN;
		char *line = realloc(client->line, size);

		if (!line) {
			*buf = uv_buf_init(NULL, 0);
			return;
		}
		client->line = line;
		client->size = size;
	}
	*buf = uv_buf_init(client->line + client->used,
			   (unsigned int)(client->size - client->used));
}

/* Answer the whole lines that have come, keep the rest. */
static void control_client_lines(struct control_client *client)
{
	struct control_server *s = client->server;
	size_t start = 0;
	char *end;

	while (!uv_is_closing((uv_handle_t *)&client->pipe) && !s->closing &&
	       (end = memchr(client->line + start, '\n', client->used - start)) != NULL) {
		size_t bytes = (size_t)(end - (client->line + start));

		if (bytes > CONTROL_LINE_MAX) {
			control_client_close(client);
			return;
		}
		if (bytes)
			control_client_send(client, control_answer(s->methods, s->opaque,
								   client->line + start, bytes));
		start += bytes + 1;
	}
	client->used -= start;
	memmove(client->line, client->line + start, client->used);
	if (client->used > CONTROL_LINE_MAX) {
		log_warn("control: a line over %u bytes, client dropped", CONTROL_LINE_MAX);
		control_client_close(client);
	}
}

static void control_received(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct control_client *client = stream->data;

	(void)buf;
	if (got < 0) {
		control_client_close(client);
		return;
	}
	client->used += (size_t)got;
	if (got)
		control_client_lines(client);
}

static void control_connected(uv_stream_t *listener, int status)
{
	struct control_server *s = listener->data;
	struct control_client *client;

	if (status < 0)
		return;
	client = calloc(1, sizeof(*client));
	if (!client)
		return;
	client->server = s;
	uv_pipe_init(s->loop, &client->pipe, 0);
	client->pipe.data = client;
	if (uv_accept(listener, (uv_stream_t *)&client->pipe) < 0 ||
	    s->client_count >= CONTROL_CLIENTS_MAX) {
		uv_close((uv_handle_t *)&client->pipe, control_client_closed);
		return;
	}
	client->next = s->clients;
	s->clients = client;
	s->client_count++;
	uv_read_start((uv_stream_t *)&client->pipe, control_alloc, control_received);
}

int control_server_create(uv_loop_t *loop, const char *path, const struct control_method *methods,
			  void *opaque, struct control_server **ret)
{
	struct control_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->methods = methods;
	s->opaque = opaque;
	uv_pipe_init(loop, &s->listener, 0);
	s->listener.data = s;
	*ret = s;
	unlink(path);
	err = uv_pipe_bind(&s->listener, path);
	if (!err)
		err = uv_listen((uv_stream_t *)&s->listener, 8, control_connected);
	return err;
}

void control_server_event(struct control_server *s, json_t *event)
{
	char *line = control_dump(event);
	struct control_client *client, *next;

	for (client = s->clients; line && client; client = next) {
		next = client->next;
		control_client_send(client, strdup(line));
	}
	free(line);
}

static void control_shut_down(uv_shutdown_t *req, int status)
{
	struct control_client *client = req->data;

	(void)status;
	if (!uv_is_closing((uv_handle_t *)&client->pipe))
		uv_close((uv_handle_t *)&client->pipe, control_client_closed);
}

void control_server_close(struct control_server *s)
{
	struct control_client *client;

	if (!s || s->closing)
		return;
	s->closing = true;
	uv_close((uv_handle_t *)&s->listener, NULL);
	while ((client = s->clients) != NULL) {
		control_client_unlink(client);
		uv_read_stop((uv_stream_t *)&client->pipe);
		client->shutdown.data = client;
		/* After the writes still queued: answers and the exit event. */
		if (uv_shutdown(&client->shutdown, (uv_stream_t *)&client->pipe,
				control_shut_down) < 0)
			uv_close((uv_handle_t *)&client->pipe, control_client_closed);
	}
}

void control_server_free(struct control_server *s)
{
	free(s);
}
