/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.c - serial output to console.log and console.sock, input from the socket's clients.
 * Output gathers in a ring and goes out in batches a few milliseconds apart, so that a guest which
 * prints byte by byte does not cost a system call each. When the ring is full the UART holds the
 * guest up; a client that does not read is dropped instead.
 * Owns the log file, the socket and the ring. Locking: the ring under a mutex, the rest belongs to
 * the main loop. Not saved.
 */
#include "backend/console.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONSOLE_RING_BYTES   (64u * 1024)
#define CONSOLE_BATCH_MS     3
#define CONSOLE_CLIENTS_MAX  16
#define CONSOLE_CLIENT_QUEUE (1024u * 1024)
#define CONSOLE_INPUT_BYTES  4096u

struct console_client {
	struct console *console;
	uv_pipe_t pipe;
	struct console_client *next;
	uint8_t input[CONSOLE_INPUT_BYTES];
	size_t input_used, input_done;
	bool reading, eof;
};

struct console_send {
	uv_write_t req;
	uint8_t bytes[];
};

struct console {
	struct console_params p;
	char *log_path;
	int log_fd;
	uint64_t log_bytes;
	bool log_failed;
	uv_pipe_t listener;
	uv_async_t wake;
	uv_timer_t batch;
	struct console_client *clients;
	unsigned int client_count;
	bool closing;
	pthread_mutex_t lock; /* of what follows */
	uint8_t *ring;
	size_t ring_head, ring_used;
	bool ring_was_full;
	bool input_room;
	bool batch_armed;
};

/* Keep the last log_kib of the log: written beside it and renamed, so readers see one or the other.
 */
static void console_log_trim(struct console *c)
{
	size_t keep = (size_t)c->p.log_kib * 1024;
	char *tmp = NULL;
	uint8_t *buf = malloc(keep);
	ssize_t got;
	int fd = -1;

	if (!buf || asprintf(&tmp, "%s.tmp", c->log_path) < 0)
		goto out;
	got = pread(c->log_fd, buf, keep, (off_t)(c->log_bytes - keep));
	if (got < 0)
		goto out;
	fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, buf, (size_t)got) != got || rename(tmp, c->log_path) < 0)
		goto out;
	close(c->log_fd);
	c->log_fd = fd;
	c->log_bytes = (uint64_t)got;
	fd = -1;
out:
	if (fd >= 0)
		close(fd);
	free(tmp);
	free(buf);
}

static void console_log(struct console *c, const uint8_t *buf, size_t bytes)
{
	uint64_t limit = (uint64_t)c->p.log_kib * 2048;

	while (bytes) {
		size_t room, part;
		ssize_t n;

		if (c->log_bytes >= limit)
			console_log_trim(c);
		if (c->log_bytes >= limit)
			return;
		room = limit - c->log_bytes;
		part = bytes < room ? bytes : room;
		n = pwrite(c->log_fd, buf, part, (off_t)c->log_bytes);
		if (n <= 0) {
			if (!c->log_failed)
				log_warn("console.log: %s", strerror(errno));
			c->log_failed = true;
			return;
		}
		c->log_failed = false;
		c->log_bytes += (uint64_t)n;
		buf += n;
		bytes -= (size_t)n;
	}
}

static void console_client_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void console_client_close(struct console_client *client)
{
	struct console *c = client->console;
	struct console_client **at;

	if (uv_is_closing((uv_handle_t *)&client->pipe))
		return;
	for (at = &c->clients; *at; at = &(*at)->next) {
		if (*at == client) {
			*at = client->next;
			c->client_count--;
			break;
		}
	}
	uv_close((uv_handle_t *)&client->pipe, console_client_closed);
}

static void console_sent(uv_write_t *req, int status)
{
	struct console_client *client = req->data;

	free(hvm_container_of(req, struct console_send, req));
	if (status < 0 && status != UV_ECANCELED)
		console_client_close(client);
}

static void console_send(struct console_client *client, const uint8_t *buf, size_t bytes)
{
	struct console_send *send;
	uv_buf_t out;

	if (client->pipe.write_queue_size > CONSOLE_CLIENT_QUEUE) {
		console_client_close(client);
		return;
	}
	send = malloc(sizeof(*send) + bytes);
	if (!send)
		return;
	memcpy(send->bytes, buf, bytes);
	send->req.data = client;
	out = uv_buf_init((char *)send->bytes, (unsigned int)bytes);
	if (uv_write(&send->req, (uv_stream_t *)&client->pipe, &out, 1, console_sent) < 0) {
		free(send);
		console_client_close(client);
	}
}

/* Take everything out of the ring and pass it on. */
static void console_flush(struct console *c)
{
	uint8_t *buf = malloc(CONSOLE_RING_BYTES);
	struct console_client *client, *next;
	bool was_full;
	size_t used, first;

	if (!buf)
		return;
	pthread_mutex_lock(&c->lock);
	used = c->ring_used;
	first = used < CONSOLE_RING_BYTES - c->ring_head ? used : CONSOLE_RING_BYTES - c->ring_head;
	memcpy(buf, c->ring + c->ring_head, first);
	memcpy(buf + first, c->ring, used - first);
	c->ring_head = (c->ring_head + used) % CONSOLE_RING_BYTES;
	c->ring_used = 0;
	was_full = c->ring_was_full;
	c->ring_was_full = false;
	c->batch_armed = false;
	pthread_mutex_unlock(&c->lock);
	if (used) {
		console_log(c, buf, used);
		for (client = c->clients; client; client = next) {
			next = client->next;
			console_send(client, buf, used);
		}
	}
	free(buf);
	if (was_full && !c->closing)
		c->p.output_room(c->p.opaque);
}

static void console_batch_due(uv_timer_t *timer)
{
	console_flush(timer->data);
}

static void console_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct console_client *client = handle->data;

	(void)suggested;
	*buf = uv_buf_init((char *)client->input, CONSOLE_INPUT_BYTES);
}

static void console_received(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);

/* Offer a client's bytes to the guest; read on only when all of them were taken. */
static void console_feed(struct console_client *client)
{
	struct console *c = client->console;

	if (client->input_done < client->input_used)
		client->input_done += c->p.input(c->p.opaque, client->input + client->input_done,
						 client->input_used - client->input_done);
	if (client->input_done < client->input_used)
		return;
	client->input_used = client->input_done = 0;
	if (client->eof) {
		console_client_close(client);
	} else if (!client->reading) {
		client->reading = true;
		uv_read_start((uv_stream_t *)&client->pipe, console_alloc, console_received);
	}
}

static void console_received(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct console_client *client = stream->data;

	(void)buf;
	if (got == 0)
		return;
	uv_read_stop(stream);
	client->reading = false;
	if (got < 0)
		client->eof = true;
	else
		client->input_used = (size_t)got;
	console_feed(client);
}

static void console_woken(uv_async_t *async)
{
	struct console *c = async->data;
	struct console_client *client, *next;
	bool output, input, full;

	pthread_mutex_lock(&c->lock);
	output = c->ring_used != 0;
	full = c->ring_used > CONSOLE_RING_BYTES / 2;
	input = c->input_room;
	c->input_room = false;
	pthread_mutex_unlock(&c->lock);
	if (c->closing)
		return;
	if (full)
		console_flush(c);
	else if (output && !uv_is_active((uv_handle_t *)&c->batch))
		uv_timer_start(&c->batch, console_batch_due, CONSOLE_BATCH_MS, 0);
	for (client = c->clients; input && client; client = next) {
		next = client->next;
		if (client->input_used)
			console_feed(client);
	}
}

static void console_connected(uv_stream_t *listener, int status)
{
	struct console *c = listener->data;
	struct console_client *client;

	if (status < 0)
		return;
	client = calloc(1, sizeof(*client));
	if (!client)
		return;
	client->console = c;
	client->pipe.data = client;
	uv_pipe_init(c->p.loop, &client->pipe, 0);
	client->pipe.data = client;
	if (uv_accept(listener, (uv_stream_t *)&client->pipe) < 0 ||
	    c->client_count >= CONSOLE_CLIENTS_MAX) {
		uv_close((uv_handle_t *)&client->pipe, console_client_closed);
		return;
	}
	client->next = c->clients;
	c->clients = client;
	c->client_count++;
	client->reading = true;
	uv_read_start((uv_stream_t *)&client->pipe, console_alloc, console_received);
}

static int console_listen(struct console *c)
{
	int err;

	uv_pipe_init(c->p.loop, &c->listener, 0);
	uv_async_init(c->p.loop, &c->wake, console_woken);
	uv_timer_init(c->p.loop, &c->batch);
	c->listener.data = c->wake.data = c->batch.data = c;
	unlink(c->p.socket_path);
	err = uv_pipe_bind(&c->listener, c->p.socket_path);
	if (!err)
		err = uv_listen((uv_stream_t *)&c->listener, 8, console_connected);
	return err;
}

int console_create(const struct console_params *p, struct console **ret)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->p = *p;
	c->log_path = strdup(p->log_path);
	c->ring = malloc(CONSOLE_RING_BYTES);
	c->log_fd = open(p->log_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!c->log_path || !c->ring || c->log_fd < 0) {
		int err = c->log_fd < 0 ? -errno : -ENOMEM;

		console_free(c);
		return err;
	}
	pthread_mutex_init(&c->lock, NULL);
	*ret = c; /* handles exist from here on: the caller closes them whatever happens */
	return console_listen(c);
}

void console_close(struct console *c)
{
	if (!c || c->closing)
		return;
	console_flush(c);
	c->closing = true;
	while (c->clients)
		console_client_close(c->clients);
	uv_close((uv_handle_t *)&c->listener, NULL);
	uv_close((uv_handle_t *)&c->wake, NULL);
	uv_close((uv_handle_t *)&c->batch, NULL);
}

void console_free(struct console *c)
{
	if (!c)
		return;
	if (c->log_fd >= 0)
		close(c->log_fd);
	free(c->log_path);
	free(c->ring);
	free(c);
}

size_t console_write(struct console *c, const uint8_t *buf, size_t bytes)
{
	size_t room, i, tail;
	bool wake;

	pthread_mutex_lock(&c->lock);
	room = CONSOLE_RING_BYTES - c->ring_used;
	if (bytes > room) {
		bytes = room;
		c->ring_was_full = true;
	}
	tail = (c->ring_head + c->ring_used) % CONSOLE_RING_BYTES;
	for (i = 0; i < bytes; i++)
		c->ring[(tail + i) % CONSOLE_RING_BYTES] = buf[i];
	c->ring_used += bytes;
	/* Wake once a batch, and again when the ring fills faster than the batch comes due. */
	wake = !c->batch_armed || c->ring_used > CONSOLE_RING_BYTES / 2;
	c->batch_armed = true;
	pthread_mutex_unlock(&c->lock);
	if (wake)
		uv_async_send(&c->wake);
	return bytes;
}

void console_room(struct console *c)
{
	pthread_mutex_lock(&c->lock);
	c->input_room = true;
	pthread_mutex_unlock(&c->lock);
	uv_async_send(&c->wake);
}
