/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console_bridge.c - a websocket on one side, the console.sock of an ioemu on the other. The
 * payload of text and binary messages goes to the guest as it is; what the guest prints comes as
 * binary.
 *
 * Memory is bounded both ways: a side that does not take its bytes stops the reading of the other
 * one. A client that never reads is then dropped by ioemu, which cannot make the guest wait for it.
 *
 * A bridge belongs to its libuv handles and is freed when the last is closed; MHD keeps the socket,
 * of which libuv has a duplicate, until MHD_upgrade_action(). It keeps no pointer to the domain.
 */
#include "http/http.h"
#include "http/websocket.h"
#include "hvmd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BRIDGES_PER_DOMAIN 16 /* what ioemu takes */
#define BRIDGES_MAX	   128
#define QUEUE_BYTES	   (64u << 10) /* a queue over this stops the reading of the other side */
#define READ_BYTES	   (16u << 10)
#define CLOSE_MS	   3000 /* how long the peer may take to answer a close frame */
#define WATCH_MS	   1000

struct bridge {
	struct bridge *next;
	char uuid[UUID_LEN];
	bool tcp;
	int guest_fd; /* until the upgrade */
	char *tail;   /* console text to begin with */
	size_t tail_len;
	struct MHD_UpgradeResponseHandle *urh;
	union {
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	} client;
	uv_pipe_t guest;
	uv_timer_t linger, watch;
	unsigned handles;
	bool client_reads, guest_reads;
	bool close_sent, close_heard, dropped;
	struct ws_parser parser;
	uint8_t from_client[READ_BYTES], from_guest[READ_BYTES];
};

struct send {
	uv_write_t req;
	struct bridge *bridge;
	uint8_t bytes[];
};

static struct bridge *bridges;

static void bridge_flow(struct bridge *b);
static void bridge_close(struct bridge *b, unsigned status, const char *reason);

static void bridge_free(struct bridge *b)
{
	if (b->guest_fd >= 0)
		close(b->guest_fd);
	free(b->tail);
	free(b);
}

static void on_closed(uv_handle_t *h)
{
	struct bridge *b = h->data;

	if (--b->handles == 0)
		bridge_free(b);
}

static void own(struct bridge *b, void *h)
{
	((uv_handle_t *)h)->data = b;
	b->handles++;
}

static void unlist(struct bridge *b)
{
	struct bridge **pp = &bridges;

	while (*pp && *pp != b)
		pp = &(*pp)->next;
	if (*pp)
		*pp = b->next;
}

/* End it without further words. The memory stays until the handles are closed. */
static void bridge_drop(struct bridge *b)
{
	uv_handle_t *const handles[] = { (uv_handle_t *)&b->client, (uv_handle_t *)&b->guest,
					 (uv_handle_t *)&b->linger, (uv_handle_t *)&b->watch };

	if (b->dropped)
		return;
	b->dropped = true;
	unlist(b);
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		if (handles[i]->data) /* was initialised */
			uv_close(handles[i], on_closed);
	}
	MHD_upgrade_action(b->urh, MHD_UPGRADE_ACTION_CLOSE);
	http_kick(b->tcp);
	if (!b->handles)
		bridge_free(b);
}

static void on_sent(uv_write_t *w, int status)
{
	struct send *s = w->data;
	struct bridge *b = s->bridge;
	bool to_client = w->handle == &b->client.stream;

	free(s);
	if (b->dropped)
		return;
	if (status && to_client)
		bridge_drop(b);
	else if (status)
		bridge_close(b, WS_GOING_AWAY, "the console was closed");
	else if (b->close_sent && b->close_heard && !b->client.stream.write_queue_size)
		bridge_drop(b);
	else
		bridge_flow(b);
}

/* Queue head and bytes as one write. */
static void bridge_write(struct bridge *b, uv_stream_t *to, const uint8_t *head, size_t head_len,
			 const uint8_t *bytes, size_t len)
{
	struct send *s = malloc(sizeof(*s) + head_len + len);
	uv_buf_t buf;

	if (!s) {
		bridge_drop(b);
		return;
	}
	s->bridge = b;
	s->req.data = s;
	if (head_len)
		memcpy(s->bytes, head, head_len);
	if (len)
		memcpy(s->bytes + head_len, bytes, len);
	buf = uv_buf_init((char *)s->bytes, (unsigned)(head_len + len));
	if (uv_write(&s->req, to, &buf, 1, on_sent)) {
		free(s);
		bridge_drop(b);
	}
}

static void send_frame(struct bridge *b, enum ws_opcode opcode, const uint8_t *bytes, size_t len)
{
	uint8_t head[WS_HEADER_MAX];

	if (!b->dropped && !b->close_sent)
		bridge_write(b, &b->client.stream, head, ws_header(head, opcode, len, NULL), bytes,
			     len);
}

static void send_data(struct bridge *b, const uint8_t *bytes, size_t len)
{
	while (len) {
		size_t part = len < WS_FRAME_MAX ? len : WS_FRAME_MAX;

		send_frame(b, WS_BINARY, bytes, part);
		bytes += part;
		len -= part;
	}
}

static void on_linger(uv_timer_t *t)
{
	bridge_drop(t->data);
}

/* The closing handshake: our frame, and the peer's within CLOSE_MS. */
static void bridge_close(struct bridge *b, unsigned status, const char *reason)
{
	uint8_t payload[WS_CONTROL_MAX];

	if (b->dropped || b->close_sent)
		return;
	send_frame(b, WS_CLOSE, payload, ws_close_payload(payload, status, reason));
	if (b->dropped)
		return;
	b->close_sent = true;
	uv_timer_start(&b->linger, on_linger, CLOSE_MS, 0);
	bridge_flow(b);
}

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct bridge *b = arg;

	if (!b->dropped && !b->close_sent)
		bridge_write(b, (uv_stream_t *)&b->guest, NULL, 0, bytes, len);
}

static void on_control(void *arg, enum ws_opcode opcode, const uint8_t *bytes, size_t len)
{
	if (opcode == WS_PING)
		send_frame(arg, WS_PONG, bytes, len);
}

static void on_close(void *arg, unsigned status)
{
	struct bridge *b = arg;

	b->close_heard = true;
	if (b->close_sent && !b->dropped && !b->client.stream.write_queue_size)
		bridge_drop(b);
	else
		bridge_close(b, status, ""); /* dropped once it is written */
}

static const struct ws_events events = { on_data, on_control, on_close };

/* Bytes of the client, in a buffer that may be written to. */
static void take_client(struct bridge *b, uint8_t *bytes, size_t len)
{
	unsigned status = ws_parse(&b->parser, bytes, len);

	if (status) {
		b->close_heard = true; /* what else it sends has no meaning */
		bridge_close(b, status, status == WS_TOO_BIG ? "a frame is over 64 KiB" : "");
	}
	if (!b->dropped)
		bridge_flow(b);
}

static void alloc_client(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct bridge *b = h->data;

	(void)hint;
	*buf = uv_buf_init((char *)b->from_client, sizeof(b->from_client));
}

static void read_client(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	(void)buf;
	if (n > 0)
		take_client(s->data, ((struct bridge *)s->data)->from_client, (size_t)n);
	else if (n < 0)
		bridge_drop(s->data);
}

static void alloc_guest(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct bridge *b = h->data;

	(void)hint;
	*buf = uv_buf_init((char *)b->from_guest, sizeof(b->from_guest));
}

static void read_guest(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct bridge *b = s->data;

	(void)buf;
	if (n > 0)
		send_data(b, b->from_guest, (size_t)n);
	else if (n < 0)
		bridge_close(b, WS_GOING_AWAY,
			     "the domain ended, or this client did not read its console");
	if (!b->dropped)
		bridge_flow(b);
}

/* While the client is not read, its end does not show as such: ask the kernel for it. */
static void on_watch(uv_timer_t *t)
{
	struct bridge *b = t->data;
	struct pollfd p = { .events = POLLRDHUP };

	if (!uv_fileno((uv_handle_t *)&b->client, &p.fd) && poll(&p, 1, 0) > 0)
		bridge_drop(b);
}

/* Read from each side while the other one takes it. */
static void bridge_flow(struct bridge *b)
{
	bool client_full = b->client.stream.write_queue_size >= QUEUE_BYTES;
	bool guest_full = b->guest.write_queue_size >= QUEUE_BYTES;
	bool client_reads = !b->close_heard && !client_full && (!guest_full || b->close_sent);
	bool guest_reads = !b->close_sent && !client_full;

	if (client_reads && !b->client_reads) {
		uv_read_start(&b->client.stream, alloc_client, read_client);
		uv_timer_stop(&b->watch);
	} else if (!client_reads && b->client_reads) {
		uv_read_stop(&b->client.stream);
		uv_timer_start(&b->watch, on_watch, WATCH_MS, WATCH_MS);
	}
	if (guest_reads && !b->guest_reads)
		uv_read_start((uv_stream_t *)&b->guest, alloc_guest, read_guest);
	else if (!guest_reads && b->guest_reads)
		uv_read_stop((uv_stream_t *)&b->guest);
	b->client_reads = client_reads;
	b->guest_reads = guest_reads;
}

/* Connect to the console; it does not wait, a Unix socket answers at once. */
static int connect_console(const struct domain *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char path[HVMD_PATH_MAX + 64];
	int fd;

	rundir_path(d, "console.sock", path, sizeof(path));
	if (strlen(path) >= sizeof(a.sun_path))
		return -1;
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/**
 * Connect to the console of a domain for a client that asked for an upgrade; NULL with the problem.
 */
struct bridge *bridge_create(const struct domain *d, bool tcp, struct problem *p)
{
	struct bridge *b;
	unsigned here = 0, all = 0;

	for (b = bridges; b; b = b->next) {
		all++;
		here += !strcmp(b->uuid, d->uuid);
	}
	if (here >= BRIDGES_PER_DOMAIN || all >= BRIDGES_MAX) {
		problem_set(
			p, 503, "too-many-consoles",
			"%u interactive consoles of \"%s\" are open, %u in all; %u and %u may be",
			here, d->name, all, BRIDGES_PER_DOMAIN, BRIDGES_MAX);
		return NULL;
	}
	b = calloc(1, sizeof(*b));
	if (!b) {
		problem_set(p, 503, "out-of-memory", "hvmd has no memory for a console");
		return NULL;
	}
	b->guest_fd = connect_console(d);
	if (b->guest_fd < 0) {
		problem_set(p, 503, "ioemu-unreachable", "the console of \"%s\" does not answer",
			    d->name);
		free(b);
		return NULL;
	}
	memcpy(b->uuid, d->uuid, sizeof(b->uuid));
	b->tcp = tcp;
	b->next = bridges;
	bridges = b;
	return b;
}

/** Text to begin with (taken over). */
void bridge_set_tail(struct bridge *b, char *tail, size_t len)
{
	b->tail = tail;
	b->tail_len = len;
}

/* The handles around both sockets; 0 or -1. */
static int bridge_open(struct bridge *b, int client_fd)
{
	int fd = fcntl(client_fd, F_DUPFD_CLOEXEC, 0), rc;

	uv_timer_init(&hvmd.loop, &b->linger);
	own(b, &b->linger);
	uv_timer_init(&hvmd.loop, &b->watch);
	own(b, &b->watch);
	if (b->tcp)
		uv_tcp_init(&hvmd.loop, &b->client.tcp);
	else
		uv_pipe_init(&hvmd.loop, &b->client.pipe, 0);
	own(b, &b->client);
	uv_pipe_init(&hvmd.loop, &b->guest, 0);
	own(b, &b->guest);
	if (fd < 0)
		return -1;
	rc = b->tcp ? uv_tcp_open(&b->client.tcp, fd) : uv_pipe_open(&b->client.pipe, fd);
	if (rc) {
		close(fd);
		return -1;
	}
	if (uv_pipe_open(&b->guest, b->guest_fd))
		return -1;
	b->guest_fd = -1; /* the handle's from here on */
	return 0;
}

/** MHD has sent the 101 and gives us the socket. */
void bridge_upgraded(void *cls, struct MHD_Connection *conn, void *con_cls, const char *extra,
		     size_t extra_len, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
	struct bridge *b = cls;
	struct request *rq = con_cls;

	(void)conn;
	rq->bridge = NULL; /* no longer the request's */
	b->urh = urh;
	ws_parser_init(&b->parser, &events, b, true);
	if (hvmd.quitting || bridge_open(b, sock)) {
		bridge_drop(b);
		return;
	}
	send_data(b, (const uint8_t *)b->tail, b->tail_len);
	while (extra_len && !b->dropped) {
		size_t part = extra_len < READ_BYTES ? extra_len : READ_BYTES;

		memcpy(b->from_client, extra, part);
		extra += part;
		extra_len -= part;
		take_client(b, b->from_client, part);
	}
	if (!b->dropped)
		bridge_flow(b);
}

/** The upgrade did not come about. */
void bridge_abandon(struct bridge *b)
{
	unlist(b);
	bridge_free(b);
}

/** hvmd ends: say so to every client. */
void bridges_close(void)
{
	uint8_t frame[WS_HEADER_MAX + WS_CONTROL_MAX], payload[WS_CONTROL_MAX];
	size_t n = ws_close_payload(payload, WS_GOING_AWAY, "hvmd ends"), head;
	struct bridge *b, *next;
	uv_buf_t buf;

	head = ws_header(frame, WS_CLOSE, n, NULL);
	memcpy(frame + head, payload, n);
	buf = uv_buf_init((char *)frame, (unsigned)(head + n));
	for (b = bridges; b; b = next) {
		next = b->next;
		if (!b->urh)
			continue; /* its request is still with MHD, which ends it */
		if (!b->close_sent && !b->client.stream.write_queue_size)
			uv_try_write(&b->client.stream, &buf, 1);
		bridge_drop(b);
	}
}
