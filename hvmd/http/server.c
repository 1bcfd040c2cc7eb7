/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libmicrohttpd inside the libuv loop: its epoll descriptor is one uv_poll, its next timeout one
 * uv_timer. One MHD daemon serves the Unix socket, a second loopback TCP (with a bearer token).
 * A request that must wait is suspended; request_resume() lets MHD call the handler again. After an
 * upgrade to a websocket the connection is a bridge's (console_bridge.c).
 */
#include "http/http.h"
#include "hvmd.h"
#include "store/store.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define END_TRIES  50
#define END_TRY_MS 2

struct listener {
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
	uv_timer_t timer;
	bool tcp;
};

static struct request *waiters; /* for an operation */
static struct listener listeners[2] = { { .tcp = false }, { .tcp = true } };
static uv_timer_t waiter_tick;

/** A header of the request, or NULL. */
const char *request_header(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

/** A query argument, or NULL. */
const char *request_query(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_GET_ARGUMENT_KIND, name);
}

/** Answer with text or bytes (copied). */
void reply_text(struct request *rq, unsigned status, const char *type, const char *text, size_t len)
{
	if (rq->response)
		return;
	rq->response = MHD_create_response_from_buffer(len, (void *)(uintptr_t)text,
						       MHD_RESPMEM_MUST_COPY);
	rq->status = status;
	reply_header(rq, "Content-Type", type);
	reply_header(rq, "X-Content-Type-Options", "nosniff");
	reply_header(rq, "Cache-Control", "no-store");
}

/** Add a header to the answer given before. */
void reply_header(struct request *rq, const char *name, const char *value)
{
	if (rq->response)
		MHD_add_response_header(rq->response, name, value);
}

/** Answer with a JSON body (reference taken over). */
void reply_json(struct request *rq, unsigned status, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (text)
		reply_text(rq, status, "application/json", text, strlen(text));
	free(text);
}

/** Answer with a problem document; the problem is used up. */
void reply_problem(struct request *rq, struct problem *p)
{
	json_t *j = problem_json(p);
	char *text = json_dumps(j, JSON_COMPACT);

	reply_text(rq, p->status, "application/problem+json", text ? text : "{}",
		   text ? strlen(text) : 2);
	if (p->status == 503)
		reply_header(rq, "Retry-After", "1");
	free(text);
	json_decref(j);
	problem_clear(p);
}

static void reply_op_now(struct request *rq, const struct operation *op)
{
	char where[80];

	snprintf(where, sizeof(where), "/v1/operations/%s", op->id);
	reply_json(rq, strcmp(op->state, "running") ? 200 : 202, op_json(op));
	reply_header(rq, "Location", where);
}

static uint64_t wait_ms(const struct request *rq)
{
	const char *prefer = request_header(rq, "Prefer"), *q = request_query(rq, "timeout_s"), *s;
	long n = 0;

	if (q)
		n = strtol(q, NULL, 10);
	else if (prefer && (s = strstr(prefer, "wait=")))
		n = strtol(s + 5, NULL, 10);
	return n < 0 ? 0 : n > 3600 ? 3600000 : (uint64_t)n * 1000;
}

/** Answer with an operation: at once, or when it is done if the client prefers to wait. */
void reply_operation(struct request *rq, const char *id)
{
	struct problem p = { 0 };
	struct operation op;
	uint64_t ms = wait_ms(rq);

	if (store_op_get(hvmd.db, id, &op)) {
		problem_set(&p, 404, "operation-not-found", "there is no operation \"%.64s\"", id);
		reply_problem(rq, &p);
	} else if (!ms || strcmp(op.state, "running") || rq->suspended) {
		reply_op_now(rq, &op);
	} else {
		snprintf(rq->op, sizeof(rq->op), "%s", op.id);
		rq->deadline_ms = uv_now(&hvmd.loop) + ms;
		rq->next_waiter = waiters;
		waiters = rq;
	}
}

static void wake(const char *op, bool all)
{
	struct request **pp = &waiters, *rq;
	struct operation o;

	while ((rq = *pp)) {
		bool hit = all ||
			   (op ? !strcmp(rq->op, op) : uv_now(&hvmd.loop) >= rq->deadline_ms);

		if (!hit) {
			pp = &rq->next_waiter;
			continue;
		}
		*pp = rq->next_waiter;
		if (!store_op_get(hvmd.db, rq->op, &o))
			reply_op_now(rq, &o);
		request_resume(rq);
	}
}

/* The operation is done: answer those who wait for it. */
static void waiters_wake(const char *op)
{
	wake(op, false);
}

static void on_tick(uv_timer_t *t)
{
	(void)t;
	wake(NULL, false);
	events_tick();
	api_metrics_tick();
}

static void run(struct listener *l);

static void on_timer(uv_timer_t *t)
{
	run(t->data);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	(void)status;
	(void)events;
	run(h->data);
}

static void run(struct listener *l)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(l->mhd);
	if (MHD_get_timeout(l->mhd, &ms) == MHD_YES)
		uv_timer_start(&l->timer, on_timer, ms, 0);
	else
		uv_timer_stop(&l->timer);
}

/** Let MHD look at its connections soon: one of them was changed from outside. */
void http_kick(bool tcp)
{
	uv_timer_start(&listeners[tcp].timer, on_timer, 0, 0);
}

/** The answer of a suspended request is there. */
void request_resume(struct request *rq)
{
	if (!rq->suspended)
		return;
	MHD_resume_connection(rq->conn);
	http_kick(rq->tcp);
}

/* Compare in a time that does not tell how much matched. */
static bool token_ok(const struct request *rq)
{
	const char *h = request_header(rq, "Authorization");
	size_t n = strlen(hvmd.token);
	unsigned diff = 0;

	if (!h || strncmp(h, "Bearer ", 7) || strlen(h + 7) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		diff |= (unsigned char)h[7 + i] ^ (unsigned char)hvmd.token[i];
	return diff == 0;
}

static void run_request(struct request *rq)
{
	struct problem p = { 0 };

	rq->ran = true;
	hvmd.requests++;
	if (rq->too_large)
		problem_set(&p, 413, "body-too-large", "the body is over %u bytes", BODY_MAX);
	else if (rq->tcp && !token_ok(rq))
		problem_set(&p, 401, "token-required", "Authorization: Bearer TOKEN is needed");
	if (p.status)
		reply_problem(rq, &p);
	else
		route(rq);
}

static enum MHD_Result take_body(struct request *rq, const char *data, size_t *len)
{
	char *body;

	if (rq->too_large || *len > BODY_MAX - rq->body_len) {
		rq->too_large = true; /* read on and forget: the client gets its answer */
	} else {
		body = realloc(rq->body, rq->body_len + *len + 1);
		if (!body)
			return MHD_NO;
		memcpy(body + rq->body_len, data, *len);
		rq->body = body;
		rq->body_len += *len;
		body[rq->body_len] = 0;
	}
	*len = 0;
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **con_cls)
{
	struct listener *l = cls;
	struct request *rq = *con_cls;
	enum MHD_Result rc;

	if (!rq) {
		rq = calloc(1, sizeof(*rq));
		if (!rq)
			return MHD_NO;
		*con_cls = rq;
		rq->conn = conn;
		rq->method = method;
		rq->tcp = l->tcp;
		rq->http11 = !strcmp(version, "HTTP/1.1");
		rq->url = strdup(url);
		return rq->url ? MHD_YES : MHD_NO;
	}
	if (*len)
		return take_body(rq, data, len);
	if (!rq->ran) {
		/* Whoever comes this late would not hear the answer: nothing is begun for him. */
		if (hvmd.quitting)
			return MHD_NO;
		run_request(rq);
	}
	if (!rq->response) {
		if (hvmd.quitting)
			return MHD_NO;
		rq->suspended = true;
		MHD_suspend_connection(conn);
		return MHD_YES;
	}
	rq->suspended = false;
	if (rq->replayed)
		reply_header(rq, "Idempotent-Replayed", "true");
	rc = MHD_queue_response(conn, rq->status, rq->response);
	MHD_destroy_response(rq->response);
	rq->response = NULL;
	return rc;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
			 enum MHD_RequestTerminationCode why)
{
	struct request *rq = *con_cls;

	(void)cls;
	(void)conn;
	(void)why;
	*con_cls = NULL;
	if (!rq)
		return;
	for (struct request **pp = &waiters; *pp; pp = &(*pp)->next_waiter) {
		if (*pp == rq) {
			*pp = rq->next_waiter;
			break;
		}
	}
	if (rq->bridge)
		bridge_abandon(rq->bridge);
	if (rq->response)
		MHD_destroy_response(rq->response);
	free(rq->url);
	free(rq->body);
	free(rq);
}

static int listener_start(struct listener *l, int fd)
{
	const union MHD_DaemonInfo *info;

	l->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, 256u,
		MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)32768, MHD_OPTION_END);
	if (!l->mhd)
		return -1;
	info = MHD_get_daemon_info(l->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(&hvmd.loop, &l->poll, info->epoll_fd))
		return -1;
	uv_timer_init(&hvmd.loop, &l->timer);
	l->poll.data = l->timer.data = l;
	uv_poll_start(&l->poll, UV_READABLE, on_poll);
	uv_timer_start(&l->timer, on_timer, 0, 0);
	return 0;
}

static int listen_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(hvmd.socket_path) >= sizeof(a.sun_path))
		return -1;
	memcpy(a.sun_path, hvmd.socket_path, strlen(hvmd.socket_path) + 1);
	domain_listen(NULL);
	unlink(hvmd.socket_path); /* the lock on the state folder says nobody serves it */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || chmod(hvmd.socket_path, 0660) ||
	    listen(fd, 128)) {
		fprintf(stderr, "hvmd: %s: %s\n", hvmd.socket_path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static int listen_tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)hvmd.listen_port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 128)) {
		fprintf(stderr, "hvmd: 127.0.0.1:%d: %s\n", hvmd.listen_port, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static const struct domain_listener on_domains = { .changed = events_wake,
						   .op_finished = waiters_wake };

/** Open the sockets and serve; -1 with a message on stderr. */
int http_start(void)
{
	int fd = listen_unix();

	if (fd < 0 || listener_start(&listeners[0], fd))
		return -1;
	if (hvmd.listen_port) {
		fd = listen_tcp();
		if (fd < 0 || listener_start(&listeners[1], fd))
			return -1;
	}
	uv_timer_init(&hvmd.loop, &waiter_tick);
	domain_listen(&on_domains);
	return uv_timer_start(&waiter_tick, on_tick, 250, 250);
}

/* Streams end with a last chunk: give each the time to take it, if it takes it at all. */
static void end_streams(void)
{
	events_wake();
	for (int n = 0; n < END_TRIES && events_open(); n++) {
		for (int i = 0; i < 2; i++) {
			if (listeners[i].mhd)
				MHD_run(listeners[i].mhd);
		}
		uv_sleep(END_TRY_MS);
	}
}

/** Answer who waits with what is known and close the sockets. */
void http_stop(void)
{
	hvmd.quitting = true;
	wake(NULL, true);
	api_screenshots_abandon();
	api_metrics_abandon();
	bridges_close();
	end_streams();
	for (int i = 0; i < 2; i++) {
		if (!listeners[i].mhd)
			continue;
		MHD_run(listeners[i].mhd);
		uv_poll_stop(&listeners[i].poll);
		uv_timer_stop(&listeners[i].timer);
		MHD_stop_daemon(listeners[i].mhd);
	}
	domain_listen(NULL);
	unlink(hvmd.socket_path);
}
