/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Websocket frames: bytes 0 and 1 choose the side and how the rest is cut. However it is cut, the
 * parser must say the same; never more data than came in, and no control payload over the bound.
 */
#include "http/websocket.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096

struct heard {
	uint64_t hash;
	size_t bytes, controls, closes;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mix(struct heard *h, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h->hash = (h->hash ^ bytes[i]) * 0x100000001b3u;
}

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct heard *h = arg;

	h->bytes += len;
	mix(h, bytes, len);
}

static void on_control(void *arg, enum ws_opcode opcode, const uint8_t *bytes, size_t len)
{
	struct heard *h = arg;

	if ((opcode != WS_PING && opcode != WS_PONG) || len > WS_CONTROL_MAX)
		abort();
	h->controls++;
	mix(h, bytes, len);
}

static void on_close(void *arg, unsigned status)
{
	struct heard *h = arg;

	if (status < WS_NORMAL || status > 4999)
		abort();
	h->closes++;
}

static const struct ws_events events = { on_data, on_control, on_close };

static unsigned parse(const uint8_t *data, size_t size, bool from_client, size_t piece,
		      struct heard *h)
{
	struct ws_parser p;
	unsigned status = 0;
	uint8_t buf[INPUT_MAX];

	ws_parser_init(&p, &events, h, from_client);
	for (size_t at = 0; at < size && !status; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		memcpy(buf, data + at, n);
		status = ws_parse(&p, buf, n);
	}
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard whole = { 0 }, cut = { 0 };
	unsigned a, b;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	a = parse(data + 2, size - 2, data[0] & 1, INPUT_MAX, &whole);
	b = parse(data + 2, size - 2, data[0] & 1, 1 + data[1] % 32u, &cut);
	if (a != b || whole.controls != cut.controls || whole.closes != cut.closes ||
	    whole.closes > 1 || whole.bytes > size)
		abort();
	/* text that is no UTF-8 is passed on as far as it came, which depends on the cut */
	if (a != WS_INVALID_DATA && whole.hash != cut.hash)
		abort();
	return 0;
}
