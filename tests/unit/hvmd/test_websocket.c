/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame parser and writer, and the handshake's key; the examples are those of RFC 6455. */
#include "http/websocket.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a parser said, as text: data as it is, "<ping:...>", "<pong:...>", "<close:1000>". */
struct heard {
	char text[512];
	size_t bytes; /* of data */
};

static void hear(struct heard *h, const void *bytes, size_t len)
{
	size_t n = strlen(h->text);

	if (n + len < sizeof(h->text)) {
		memcpy(h->text + n, bytes, len);
		h->text[n + len] = 0;
	}
}

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct heard *h = arg;

	h->bytes += len;
	hear(h, bytes, len);
}

static void on_control(void *arg, enum ws_opcode opcode, const uint8_t *bytes, size_t len)
{
	hear(arg, opcode == WS_PING ? "<ping:" : "<pong:", 6);
	hear(arg, bytes, len);
	hear(arg, ">", 1);
}

static void on_close(void *arg, unsigned status)
{
	char text[32];

	snprintf(text, sizeof(text), "<close:%u>", status);
	hear(arg, text, strlen(text));
}

static const struct ws_events events = { on_data, on_control, on_close };

#define M "\x37\xfa\x21\x3d" /* the mask of the examples */
#define N "\0\0\0\0"	     /* a mask that changes nothing */

/* clang-format off */
static const struct {
	const char *what;
	bool from_client;
	const char *bytes;
	size_t len;
	unsigned status;
	const char *heard;
} rows[] = {
#define ROW(what, client, bytes, status, heard) \
	{ what, client, bytes, sizeof(bytes) - 1, status, heard }
	ROW("a text frame", false, "\x81\x05Hello", 0, "Hello"),
	ROW("a masked text frame", true, "\x81\x85" M "\x7f\x9f\x4d\x51\x58", 0, "Hello"),
	ROW("a fragmented text", false, "\x01\x03Hel\x80\x02lo", 0, "Hello"),
	ROW("a ping inside a fragmented text", false, "\x01\x03Hel\x89\x02" "ab\x80\x02lo", 0,
	    "Hel<ping:ab>lo"),
	ROW("a ping", false, "\x89\x05Hello", 0, "<ping:Hello>"),
	ROW("a masked pong", true, "\x8a\x85" M "\x7f\x9f\x4d\x51\x58", 0, "<pong:Hello>"),
	ROW("an empty ping", true, "\x89\x80" N, 0, "<ping:>"),
	ROW("an empty text", true, "\x81\x80" N "\x82\x81" N "x", 0, "x"),
	ROW("binary takes any bytes", true, "\x82\x82" N "\xff\xfe", 0, "\xff\xfe"),
	ROW("a close without status", true, "\x88\x80" N, 0, "<close:1005>"),
	ROW("a close with status", true, "\x88\x82" N "\x03\xe8", 0, "<close:1000>"),
	ROW("a close with status and reason", true, "\x88\x85" N "\x03\xe9" "bye", 0, "<close:1001>"),
	ROW("nothing after a close", true, "\x88\x80" N "\x82\x81" N "x", 0, "<close:1005>"),
	ROW("an unmasked frame of a client", true, "\x81\x05Hello", WS_PROTOCOL_ERROR, ""),
	ROW("a masked frame of a server", false, "\x81\x81" N "x", WS_PROTOCOL_ERROR, ""),
	ROW("reserved bit 1", true, "\xc1\x81" N "x", WS_PROTOCOL_ERROR, ""),
	ROW("reserved bit 3", true, "\x91\x81" N "x", WS_PROTOCOL_ERROR, ""),
	ROW("reserved opcode 3", true, "\x83\x81" N "x", WS_PROTOCOL_ERROR, ""),
	ROW("reserved opcode 11", true, "\x8b\x81" N "x", WS_PROTOCOL_ERROR, ""),
	ROW("a fragmented ping", true, "\x09\x81" N "x", WS_PROTOCOL_ERROR, ""),
	ROW("a ping of 126 bytes", true, "\x89\xfe", WS_PROTOCOL_ERROR, ""),
	ROW("a continuation of nothing", true, "\x80\x81" N "x", WS_PROTOCOL_ERROR, ""),
	ROW("a text inside a text", true, "\x01\x81" N "x\x81\x81" N "y", WS_PROTOCOL_ERROR, "x"),
	ROW("a close of one byte", true, "\x88\x81" N "\x03", WS_PROTOCOL_ERROR, ""),
	ROW("a close with a status that is never sent", true, "\x88\x82" N "\x03\xed",
	    WS_PROTOCOL_ERROR, ""),
	ROW("a close with status 999", true, "\x88\x82" N "\x03\xe7", WS_PROTOCOL_ERROR, ""),
	ROW("a close whose reason is no UTF-8", true, "\x88\x83" N "\x03\xe8\xff", WS_INVALID_DATA, ""),
	ROW("five bytes with a 16-bit length", true, "\x82\xfe\x00\x05" N "Hello", WS_PROTOCOL_ERROR, ""),
	ROW("a small 64-bit length", true, "\x82\xff\0\0\0\0\0\0\xff\xff" N, WS_PROTOCOL_ERROR, ""),
	ROW("a 64-bit length with the top bit", true, "\x82\xff\x80\0\0\0\0\1\0\0" N,
	    WS_PROTOCOL_ERROR, ""),
	ROW("a frame over the bound", true, "\x82\xff\0\0\0\0\0\1\0\1" N, WS_TOO_BIG, ""),
	ROW("the largest length there is", true, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" N,
	    WS_TOO_BIG, ""),
	ROW("UTF-8 of two, three and four bytes", true,
	    "\x81\x89" N "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 0,
	    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
	ROW("UTF-8 cut by a fragment", true, "\x01\x81" N "\xc3\x80\x81" N "\xa4", 0, "\xc3\xa4"),
	ROW("UTF-8 cut by the end", true, "\x81\x81" N "\xc3", WS_INVALID_DATA, NULL),
	ROW("overlong UTF-8 of two bytes", true, "\x81\x82" N "\xc0\x80", WS_INVALID_DATA, NULL),
	ROW("overlong UTF-8 of three bytes", true, "\x81\x83" N "\xe0\x9f\xbf", WS_INVALID_DATA, NULL),
	ROW("a surrogate", true, "\x81\x83" N "\xed\xa0\x80", WS_INVALID_DATA, NULL),
	ROW("over U+10FFFF", true, "\x81\x84" N "\xf4\x90\x80\x80", WS_INVALID_DATA, NULL),
};
/* clang-format on */

/* Parse a row in pieces of @piece bytes. */
static unsigned parse_row(size_t row, size_t piece, struct heard *h)
{
	struct ws_parser p;
	unsigned status = 0;
	uint8_t buf[64];

	*h = (struct heard){ 0 };
	ws_parser_init(&p, &events, h, rows[row].from_client);
	for (size_t at = 0; at < rows[row].len && !status; at += piece) {
		size_t n = rows[row].len - at < piece ? rows[row].len - at : piece;

		memcpy(buf, rows[row].bytes + at, n);
		status = ws_parse(&p, buf, n);
	}
	return status;
}

static void frames_mean_the_same_in_pieces_of_any_size(void **state)
{
	struct heard h;

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		for (size_t piece = 1; piece <= 64; piece += piece < 8 ? 1 : 56) {
			unsigned status = parse_row(row, piece, &h);

			if (status != rows[row].status ||
			    (rows[row].heard && strcmp(h.text, rows[row].heard)))
				fail_msg("%s, in pieces of %zu: status %u, heard \"%s\"",
					 rows[row].what, piece, status, h.text);
		}
	}
}

static void a_parser_that_failed_takes_nothing_more(void **state)
{
	uint8_t bad[] = { 0x81, 0x01, 'x' }, good[] = { 0x82, 0x81, 0, 0, 0, 0, 'x' };
	struct heard h = { 0 };
	struct ws_parser p;

	(void)state;
	ws_parser_init(&p, &events, &h, true);
	assert_int_equal(ws_parse(&p, bad, sizeof(bad)), WS_PROTOCOL_ERROR);
	assert_int_equal(ws_parse(&p, good, sizeof(good)), 0);
	assert_int_equal(h.bytes, 0);
}

static void what_is_written_is_read_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, WS_FRAME_MAX };
	static const uint8_t mask[4] = { 0x5a, 0, 0xff, 0x13 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int client = 0; client < 2; client++) {
			uint8_t *frame = calloc(1, WS_HEADER_MAX + sizes[i]);
			struct heard h = { 0 };
			struct ws_parser p;
			size_t head;

			assert_non_null(frame);
			head = ws_header(frame, WS_BINARY, sizes[i], client ? mask : NULL);
			memset(frame + head, 'q', sizes[i]);
			if (client)
				ws_mask(frame + head, sizes[i], mask);
			ws_parser_init(&p, &events, &h, client);
			assert_int_equal(ws_parse(&p, frame, head + sizes[i]), 0);
			assert_int_equal(h.bytes, sizes[i]);
			assert_int_equal(h.text[0], sizes[i] && sizes[i] < 512 ? 'q' : 0);
			assert_false(p.in_payload || p.in_message || p.header_len);
			free(frame);
		}
	}
}

static void a_close_is_written_with_status_and_a_reason_that_fits(void **state)
{
	uint8_t out[WS_CONTROL_MAX];
	char reason[200];

	(void)state;
	assert_int_equal(ws_close_payload(out, WS_GOING_AWAY, "bye"), 5);
	assert_memory_equal(out,
			    "\x03\xe9"
			    "bye",
			    5);
	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = 0;
	assert_int_equal(ws_close_payload(out, WS_NORMAL, reason), WS_CONTROL_MAX);
	assert_int_equal(ws_close_payload(out, WS_NO_STATUS, "never"), 0);
}

static void the_answer_to_a_key_is_that_of_the_rfc(void **state)
{
	char accept[WS_ACCEPT_LEN], key[WS_KEY_LEN];

	(void)state;
	assert_int_equal(ws_accept("dGhlIHNhbXBsZSBub25jZQ==", accept), 0);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_int_equal(ws_key(key), 0);
	assert_true(ws_key_valid(key));
}

static void only_sixteen_bytes_in_base64_are_a_key(void **state)
{
	static const char *const bad[] = { "",
					   "x",
					   "dGhlIHNhbXBsZSBub25jZQ=",
					   "dGhlIHNhbXBsZSBub25jZQ===",
					   "dGhlIHNhbXBsZSBub25jZTEy",
					   "dGhlIHNhbXBsZSBub25jZR==",
					   "dGhlIHNhbXBs\nSBub25jZQ==",
					   "!GhlIHNhbXBsZSBub25jZQ==" };

	(void)state;
	assert_false(ws_key_valid(NULL));
	assert_true(ws_key_valid("dGhlIHNhbXBsZSBub25jZQ=="));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (ws_key_valid(bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void a_token_is_found_in_a_list(void **state)
{
	(void)state;
	assert_true(ws_has_token("keep-alive, Upgrade", "upgrade"));
	assert_true(ws_has_token("upgrade", "upgrade"));
	assert_false(ws_has_token("upgraded, x", "upgrade"));
	assert_false(ws_has_token("", "upgrade"));
	assert_false(ws_has_token(NULL, "upgrade"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_mean_the_same_in_pieces_of_any_size),
		cmocka_unit_test(a_parser_that_failed_takes_nothing_more),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_close_is_written_with_status_and_a_reason_that_fits),
		cmocka_unit_test(the_answer_to_a_key_is_that_of_the_rfc),
		cmocka_unit_test(only_sixteen_bytes_in_base64_are_a_key),
		cmocka_unit_test(a_token_is_found_in_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
