/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_control.c - request lines and their answers, and the sockets around them.
 */
#include "machine_fixture.h"

#include "control.h"

#include <sys/socket.h>
#include <sys/un.h>

static int method_echo(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	(void)opaque;
	(void)err;
	*ret = json_incref(params);
	return 0;
}

static int method_nothing(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	(void)params;
	(void)ret;
	(void)err;
	++*(int *)opaque;
	return 0;
}

static int method_fail(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	(void)opaque;
	(void)params;
	(void)ret;
	return ioemu_error_set(err, "wrong-state", "no \"way\"");
}

static const struct control_method methods[] = {
	{ "echo", method_echo },
	{ "nothing", method_nothing },
	{ "fail", method_fail },
	{ NULL, NULL },
};

static void lines_are_answered(void **state)
{
	static const struct {
		const char *request, *answer;
	} rows[] = {
		{ "{\"id\": 1, \"method\": \"nothing\"}", "{\"id\":1,\"result\":{}}\n" },
		{ "{\"id\": \"x\", \"method\": \"nothing\", \"params\": {}}",
		  "{\"id\":\"x\",\"result\":{}}\n" },
		{ "{\"id\": 2, \"method\": \"echo\", \"params\": {\"a\": [1]}}",
		  "{\"id\":2,\"result\":{\"a\":[1]}}\n" },
		{ "{\"id\": 3, \"method\": \"fail\"}",
		  "{\"id\":3,\"error\":{\"code\":\"wrong-state\",\"detail\":\"no \\\"way\\\"\"}}\n" },
		{ "{\"id\": 4, \"method\": \"what\"}",
		  "{\"id\":4,\"error\":{\"code\":\"unknown-method\",\"detail\":\"what\"}}\n" },
	};
	unsigned int i;
	int calls = 0;

	(void)state;
	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		char *answer =
			control_answer(methods, &calls, rows[i].request, strlen(rows[i].request));

		assert_string_equal(answer, rows[i].answer);
		free(answer);
	}
	assert_int_equal(calls, 2);
}

static void bad_lines_get_an_error(void **state)
{
	static const struct {
		const char *request, *code;
	} rows[] = {
		{ "{", "malformed-json" },
		{ "nonsense", "malformed-json" },
		{ "[]", "malformed-request" },
		{ "\"x\"", "malformed-json" },
		{ "{}", "malformed-request" },
		{ "{\"id\":1,\"method\":7}", "malformed-request" },
		{ "{\"id\":1,\"method\":\"echo\",\"params\":[]}", "malformed-request" },
		{ "{\"id\":1,\"id\":2,\"method\":\"echo\"}", "malformed-json" },
	};
	unsigned int i;
	int calls = 0;

	(void)state;
	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		char *answer =
			control_answer(methods, &calls, rows[i].request, strlen(rows[i].request));
		json_t *doc = json_loads(answer, 0, NULL);
		const char *code =
			json_string_value(json_object_get(json_object_get(doc, "error"), "code"));

		assert_string_equal(code, rows[i].code);
		json_decref(doc);
		free(answer);
	}
	assert_int_equal(calls, 0);
}

/* A server on a socket of its own, and clients of it. */
struct served {
	uv_loop_t loop;
	struct control_server *server;
	char path[108];
	int calls;
};

static int server_setup(void **state)
{
	struct served *s = calloc(1, sizeof(*s));

	snprintf(s->path, sizeof(s->path), "/tmp/hvm-test-control-%d.sock", (int)getpid());
	uv_loop_init(&s->loop);
	assert_int_equal(control_server_create(&s->loop, s->path, methods, &s->calls, &s->server),
			 0);
	*state = s;
	return 0;
}

static int server_teardown(void **state)
{
	struct served *s = *state;

	control_server_close(s->server);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	control_server_free(s->server);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	free(s);
	return 0;
}

static int dial(struct served *s)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, s->path, sizeof(to.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Let the loop do all that it can do at once. */
static void spin(struct served *s)
{
	unsigned int i;

	for (i = 0; i < 50; i++)
		uv_run(&s->loop, UV_RUN_NOWAIT);
}

static size_t take(int fd, char *buf, size_t bytes)
{
	ssize_t n = recv(fd, buf, bytes - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static void server_serves_split_and_joined_lines(void **state)
{
	static const char half[] = "{\"id\":1,\"meth";
	static const char rest[] = "od\":\"nothing\"}\n\n{\"id\":2,\"method\":\"nothing\"}\n";
	struct served *s = *state;
	char buf[256];
	int fd = dial(s);

	assert_int_equal(write(fd, half, sizeof(half) - 1), sizeof(half) - 1);
	spin(s);
	assert_int_equal(take(fd, buf, sizeof(buf)), 0);
	assert_int_equal(write(fd, rest, sizeof(rest) - 1), sizeof(rest) - 1);
	spin(s);
	take(fd, buf, sizeof(buf));
	assert_string_equal(buf, "{\"id\":1,\"result\":{}}\n{\"id\":2,\"result\":{}}\n");
	close(fd);
}

static void server_tells_every_client_of_events(void **state)
{
	struct served *s = *state;
	int a = dial(s), b = dial(s);
	char buf[256];

	spin(s);
	control_server_event(s->server, json_pack("{s:s}", "event", "state"));
	spin(s);
	take(a, buf, sizeof(buf));
	assert_string_equal(buf, "{\"event\":\"state\"}\n");
	take(b, buf, sizeof(buf));
	assert_string_equal(buf, "{\"event\":\"state\"}\n");
	close(a);
	close(b);
}

static void server_drops_a_client_with_an_endless_line(void **state)
{
	struct served *s = *state;
	int fd = dial(s), ok = dial(s);
	char *junk = malloc(CONTROL_LINE_MAX), buf[64];
	unsigned int i;
	ssize_t n = 1;

	memset(junk, 'x', CONTROL_LINE_MAX);
	for (i = 0; i < 8; i++) {
		if (send(fd, junk, CONTROL_LINE_MAX, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		spin(s);
	}
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	assert_true(n <= 0);
	/* The others go on. */
	assert_true(write(ok, "{\"id\":1,\"method\":\"nothing\"}\n", 29) > 0);
	spin(s);
	assert_true(take(ok, buf, sizeof(buf)) > 0);
	free(junk);
	close(fd);
	close(ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_answered),
		cmocka_unit_test(bad_lines_get_an_error),
		cmocka_unit_test_setup_teardown(server_serves_split_and_joined_lines, server_setup,
						server_teardown),
		cmocka_unit_test_setup_teardown(server_tells_every_client_of_events, server_setup,
						server_teardown),
		cmocka_unit_test_setup_teardown(server_drops_a_client_with_an_endless_line,
						server_setup, server_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
