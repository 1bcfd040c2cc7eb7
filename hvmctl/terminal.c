/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The serial port of a domain on this terminal: a websocket (RFC 6455) over a connection that
 * libcurl makes, so that Unix sockets and URLs work as for every other command. One thread, poll().
 * What cannot be sent yet stops the reading of stdin; what stdout does not take stops the socket.
 */
#include "client.h"
#include "http/websocket.h"
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#define DETACH	      0x1d /* Ctrl-] */
#define HEAD_MAX      (16u << 10)
#define PROBLEM_MAX   (64u << 10)
#define INPUT_BYTES   4096
#define PENDING_BYTES (INPUT_BYTES + 4 * (WS_HEADER_MAX + WS_CONTROL_MAX))

struct terminal {
	CURL *curl;
	curl_socket_t sock;
	struct ws_parser parser;
	uint8_t pending[PENDING_BYTES]; /* frames to be sent */
	size_t pending_len;
	bool stdin_open, detached, close_sent, closed, broken;
	unsigned status; /* with which the server closed */
};

static struct termios cooked;
static volatile sig_atomic_t raw, signalled;

static void terminal_restore(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &cooked);
	raw = 0;
}

static void terminal_raw(void)
{
	struct termios t;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &cooked))
		return;
	t = cooked;
	cfmakeraw(&t);
	raw = 1;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &t);
}

static void on_signal(int num)
{
	signalled = num;
}

/* Wait for the socket. */
static void wait_socket(curl_socket_t sock, short events)
{
	struct pollfd p = { .fd = sock, .events = events };

	poll(&p, 1, 1000);
}

static int send_all(struct terminal *t, const char *bytes, size_t len)
{
	CURLcode rc;
	size_t n;

	while (len) {
		rc = curl_easy_send(t->curl, bytes, len, &n);
		if (rc == CURLE_AGAIN)
			wait_socket(t->sock, POLLOUT);
		else if (rc)
			return -1;
		else
			bytes += n, len -= n;
	}
	return 0;
}

/* Read until the buffer is full, or up to and with @end; -1 when the connection ends before. */
static int read_until(struct terminal *t, char *buf, size_t size, const char *end, size_t *len)
{
	CURLcode rc;
	size_t n;

	while (*len < size - 1) {
		/* byte by byte: what follows the head belongs to the frames */
		rc = curl_easy_recv(t->curl, buf + *len, 1, &n);
		if (rc == CURLE_AGAIN) {
			wait_socket(t->sock, POLLIN);
			continue;
		}
		if (rc || !n)
			return -1;
		buf[++*len] = 0;
		if (end && *len >= strlen(end) && !strcmp(buf + *len - strlen(end), end))
			return 0;
	}
	return end ? -1 : 0;
}

/* A header of the head, its value copied; "" when it is not there. */
static void head_value(const char *head, const char *name, char *out, size_t len)
{
	size_t n = strlen(name), value;
	const char *line;

	out[0] = 0;
	for (line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, n) || line[2 + n] != ':')
			continue;
		line += 3 + n;
		line += strspn(line, " \t");
		value = strcspn(line, "\r");
		snprintf(out, len, "%.*s", (int)value, line);
		return;
	}
}

/* hvmd refused: its problem document follows the head. */
static int refused(struct terminal *t, const char *head, long status)
{
	struct answer a = { .status = status };
	char value[128];
	size_t size;

	head_value(head, "Content-Length", value, sizeof(value));
	size = strtoul(value, NULL, 10);
	if (size > 0 && size < PROBLEM_MAX && (a.body = calloc(1, size + 1)))
		read_until(t, a.body, size + 1, NULL, &a.len);
	client_problem(&a);
	answer_free(&a);
	return EXIT_REFUSED;
}

/* The handshake: RFC 6455 section 4.1 "Client Requirements". */
static int handshake(struct terminal *t, const char *path)
{
	char key[WS_KEY_LEN], accept[WS_ACCEPT_LEN], value[128], *request = NULL;
	char *head = calloc(1, HEAD_MAX);
	long status = 0;
	size_t len = 0;
	int rc = EXIT_UNREACHABLE;

	if (!head || ws_key(key) || ws_accept(key, accept) ||
	    asprintf(&request,
		     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
		     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		     "Sec-WebSocket-Key: %s\r\n%s%s%s\r\n",
		     path, key, opt_url && opt_token ? "Authorization: Bearer " : "",
		     opt_url && opt_token ? opt_token : "",
		     opt_url && opt_token ? "\r\n" : "") < 0) {
		complain("out of memory");
		free(head);
		return rc;
	}
	if (send_all(t, request, strlen(request)) ||
	    read_until(t, head, HEAD_MAX, "\r\n\r\n", &len) ||
	    sscanf(head, "HTTP/1.1 %ld", &status) != 1) {
		complain("%s: no answer", opt_url ? opt_url : opt_socket);
	} else if (status != 101) {
		rc = refused(t, head, status);
	} else {
		head_value(head, "Sec-WebSocket-Accept", value, sizeof(value));
		rc = strcmp(value, accept) ? EXIT_UNREACHABLE : EXIT_DONE;
		if (rc != EXIT_DONE)
			complain("what answers is no websocket");
	}
	free(request);
	free(head);
	return rc;
}

static int connect_hvmd(struct terminal *t, const char *path)
{
	CURLcode rc;

	t->curl = curl_easy_init();
	if (!t->curl) {
		complain("out of memory");
		return EXIT_UNREACHABLE;
	}
	curl_easy_setopt(t->curl, CURLOPT_URL, opt_url ? opt_url : "http://localhost");
	if (!opt_url)
		curl_easy_setopt(t->curl, CURLOPT_UNIX_SOCKET_PATH, opt_socket);
	curl_easy_setopt(t->curl, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->curl, CURLOPT_NOPROXY, "*");
	rc = curl_easy_perform(t->curl);
	if (rc == CURLE_OK)
		rc = curl_easy_getinfo(t->curl, CURLINFO_ACTIVESOCKET, &t->sock);
	if (rc != CURLE_OK) {
		complain("%s: %s", opt_url ? opt_url : opt_socket, curl_easy_strerror(rc));
		return EXIT_UNREACHABLE;
	}
	return handshake(t, path);
}

/* Put a frame into the buffer; there is always room, since stdin is read only when it is empty. */
static void queue_frame(struct terminal *t, enum ws_opcode opcode, const uint8_t *bytes, size_t len)
{
	uint8_t mask[4], *at = t->pending + t->pending_len;
	size_t head;

	if (t->close_sent || t->pending_len + WS_HEADER_MAX + len > sizeof(t->pending))
		return; /* a flood of pings is answered as far as there is room */
	if (getrandom(mask, sizeof(mask), 0) != sizeof(mask)) {
		t->broken = true;
		return;
	}
	head = ws_header(at, opcode, len, mask);
	if (len)
		memcpy(at + head, bytes, len);
	ws_mask(at + head, len, mask);
	t->pending_len += head + len;
	t->close_sent = opcode == WS_CLOSE;
}

static void queue_close(struct terminal *t, unsigned status)
{
	uint8_t payload[WS_CONTROL_MAX];

	queue_frame(t, WS_CLOSE, payload, ws_close_payload(payload, status, ""));
}

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct terminal *t = arg;
	ssize_t n;

	while (len && !t->broken) {
		n = write(STDOUT_FILENO, bytes, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			t->broken = true; /* nobody reads any more */
		} else if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
}

static void on_control(void *arg, enum ws_opcode opcode, const uint8_t *bytes, size_t len)
{
	if (opcode == WS_PING)
		queue_frame(arg, WS_PONG, bytes, len);
}

static void on_close(void *arg, unsigned status)
{
	struct terminal *t = arg;

	t->closed = true;
	t->status = status;
	queue_close(t, status);
}

static const struct ws_events events = { on_data, on_control, on_close };

static void flush_pending(struct terminal *t)
{
	CURLcode rc;
	size_t n;

	while (t->pending_len) {
		rc = curl_easy_send(t->curl, t->pending, t->pending_len, &n);
		if (rc == CURLE_AGAIN)
			return;
		if (rc) {
			t->broken = true;
			return;
		}
		t->pending_len -= n;
		memmove(t->pending, t->pending + n, t->pending_len);
	}
}

static void read_socket(struct terminal *t)
{
	uint8_t buf[INPUT_BYTES];
	unsigned status;
	CURLcode rc;
	size_t n;

	rc = curl_easy_recv(t->curl, buf, sizeof(buf), &n);
	if (rc == CURLE_AGAIN)
		return;
	if (rc || !n) {
		t->broken = true;
		return;
	}
	status = ws_parse(&t->parser, buf, n);
	if (status) {
		queue_close(t, status);
		t->closed = true;
		t->status = status;
	}
}

static void read_stdin(struct terminal *t)
{
	uint8_t buf[INPUT_BYTES], *end;
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		t->stdin_open = false; /* go on printing */
		return;
	}
	end = memchr(buf, DETACH, (size_t)n);
	if (end) {
		t->detached = true;
		n = end - buf;
	}
	if (n)
		queue_frame(t, WS_BINARY, buf, (size_t)n);
	if (end)
		queue_close(t, WS_NORMAL);
}

static void terminal_run(struct terminal *t)
{
	struct pollfd p[2] = { { .fd = t->sock }, { .fd = STDIN_FILENO } };

	ws_parser_init(&t->parser, &events, t, false);
	t->stdin_open = true;
	while (!t->broken && !signalled && (!t->closed || t->pending_len)) {
		p[0].events = POLLIN | (t->pending_len ? POLLOUT : 0);
		p[1].fd = t->stdin_open && !t->pending_len && !t->detached ? STDIN_FILENO : -1;
		p[1].events = POLLIN;
		/* once detached, the server has 3 s to answer */
		if (poll(p, 2, t->detached ? 3000 : -1) == 0)
			break;
		if (p[1].fd >= 0 && p[1].revents)
			read_stdin(t);
		if (p[0].revents)
			read_socket(t);
		flush_pending(t);
		p[0].revents = p[1].revents = 0;
	}
}

/** Attach to the console until Ctrl-] or its end. The exit status. */
int terminal_attach(const char *name)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct terminal *t = calloc(1, sizeof(*t));
	char path[512];
	int rc = domain_url(name, "/console?tail_kib=1", path, sizeof(path));

	if (rc == EXIT_DONE)
		rc = t ? connect_hvmd(t, path) : EXIT_UNREACHABLE;
	if (rc == EXIT_DONE) {
		sigaction(SIGTERM, &sa, NULL);
		sigaction(SIGHUP, &sa, NULL);
		sigaction(SIGINT, &sa, NULL);
		signal(SIGPIPE, SIG_IGN);
		if (isatty(STDIN_FILENO))
			fprintf(stderr, "hvmctl: the console of %s; Ctrl-] leaves it\n", name);
		terminal_raw();
		terminal_run(t);
		terminal_restore();
		if (!t->detached && !signalled && !t->closed) {
			complain("%s: the connection is lost", name);
			rc = EXIT_UNREACHABLE;
		} else if (!t->detached && t->closed && t->status != WS_NORMAL) {
			complain("%s: the console was closed (%u)", name, t->status);
			rc = t->status == WS_GOING_AWAY ? EXIT_DONE : EXIT_UNREACHABLE;
		}
	}
	if (t)
		curl_easy_cleanup(t->curl);
	free(t);
	return rc;
}
