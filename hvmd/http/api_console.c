/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/domains/{id}/console: what the serial port printed as text, or, when the client asks for a
 * websocket, the serial port itself. Source: RFC 6455 section 4.2 "Server-Side Requirements".
 */
#include "http/http.h"
#include "http/websocket.h"
#include "hvmd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONSOLE_KIB_DEFAULT 64
#define CONSOLE_KIB_MAX	    1024

/** The last bytes of a file, at most max of them; NULL when there is none. To be freed. */
char *file_tail(const char *path, size_t max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *buf = NULL;
	struct stat sb;
	ssize_t n;

	*len = 0;
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &sb) && S_ISREG(sb.st_mode)) {
		size_t size = (size_t)sb.st_size < max ? (size_t)sb.st_size : max;

		buf = malloc(size + 1);
		n = buf ? pread(fd, buf, size, sb.st_size - (off_t)size) : -1;
		*len = n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return buf;
}

/* tail_kib of the query, @fallback when there is none. */
static long tail_kib(struct request *rq, long fallback, struct problem *p)
{
	const char *q = request_query(rq, "tail_kib");
	char *end = NULL;
	long kib;

	if (!q)
		return fallback;
	kib = strtol(q, &end, 10);
	if (end == q || *end || kib < 1 || kib > CONSOLE_KIB_MAX)
		problem_set(p, 422, "out-of-range", "tail_kib is \"%.32s\"; it must be 1 to %d", q,
			    CONSOLE_KIB_MAX);
	return kib;
}

/* Is it a request for a websocket? Else Upgrade is to be ignored (RFC 9110, 7.8). */
static bool wants_websocket(const struct request *rq)
{
	return rq->http11 && !strcmp(rq->method, "GET") &&
	       ws_has_token(request_header(rq, "Connection"), "upgrade") &&
	       ws_has_token(request_header(rq, "Upgrade"), "websocket");
}

static void check_handshake(struct request *rq, const struct domain *d, struct problem *p)
{
	const char *version = request_header(rq, "Sec-WebSocket-Version");

	if (!version || strcmp(version, "13"))
		problem_set(p, 426, "websocket-version",
			    "Sec-WebSocket-Version is \"%.16s\"; 13 is needed",
			    version ? version : "");
	else if (!ws_key_valid(request_header(rq, "Sec-WebSocket-Key")))
		problem_set(p, 400, "websocket-key",
			    "Sec-WebSocket-Key must be 16 bytes in base64");
	else if (d->state != DOM_RUNNING && d->state != DOM_PAUSED)
		problem_set(p, 409, "wrong-state", "\"%s\" is %s; nobody listens to its console",
			    d->name, dom_state_names[d->state]);
}

static void upgrade(struct request *rq, const struct domain *d, size_t tail, struct problem *p)
{
	char path[HVMD_PATH_MAX + 64], accept[WS_ACCEPT_LEN], *text;
	size_t len;

	/* connected first: what is printed from here on comes through the socket */
	rq->bridge = bridge_create(d, rq->tcp, p);
	if (!rq->bridge)
		return;
	if (tail) {
		rundir_path(d, "console.log", path, sizeof(path));
		text = file_tail(path, tail, &len);
		bridge_set_tail(rq->bridge, text, len);
	}
	if (!ws_accept(request_header(rq, "Sec-WebSocket-Key"), accept))
		rq->response = MHD_create_response_for_upgrade(bridge_upgraded, rq->bridge);
	if (!rq->response) {
		problem_set(p, 503, "out-of-memory", "hvmd has no memory for a console");
		return;
	}
	rq->status = MHD_HTTP_SWITCHING_PROTOCOLS;
	reply_header(rq, "Upgrade", "websocket");
	reply_header(rq, "Sec-WebSocket-Accept", accept);
}

/** GET /v1/domains/{id}/console?tail_kib= */
void api_domain_console(struct request *rq, const char *id)
{
	struct domain *d = request_domain(rq, id);
	bool websocket = wants_websocket(rq);
	struct problem p = { 0 };
	char path[HVMD_PATH_MAX + 64], *text;
	size_t len;
	long kib;

	if (!d)
		return;
	kib = tail_kib(rq, websocket ? 0 : CONSOLE_KIB_DEFAULT, &p);
	if (websocket && !p.status)
		check_handshake(rq, d, &p);
	if (websocket && !p.status)
		upgrade(rq, d, (size_t)kib << 10, &p);
	if (p.status) {
		bool old = p.status == 426;

		reply_problem(rq, &p);
		if (old)
			reply_header(rq, "Sec-WebSocket-Version", "13");
		return;
	}
	if (websocket)
		return;
	rundir_path(d, "console.log", path, sizeof(path));
	text = file_tail(path, (size_t)kib << 10, &len);
	reply_text(rq, 200, "text/plain; charset=utf-8", text ? text : "", len);
	free(text);
}
