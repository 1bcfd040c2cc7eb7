/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * websocket.c - frames and the handshake's key. A parser takes bytes in pieces of any size, unmasks
 * them in place and buffers nothing but a header and the payload of a control frame, so what a peer
 * sends costs no memory. It is strict: what RFC 6455 forbids ends the connection with the status
 * that it names. No state outside struct ws_parser.
 * Source: RFC 6455 "The WebSocket Protocol", sections 4.2, 5 and 7.4; RFC 3629 for UTF-8.
 */
#include "http/websocket.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIN	       0x80
#define RESERVED       0x70
#define OPCODE	       0x0f
#define MASKED	       0x80
#define LENGTH	       0x7f
#define LENGTH_16      126
#define LENGTH_64      127
#define KEY_BYTES      16
#define SHA1_BYTES     20
#define ACCEPT_UUID    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define CLOSE_CODE_LEN 2

/** A parser for what a client (from_client) or a server sends. */
void ws_parser_init(struct ws_parser *p, const struct ws_events *events, void *arg,
		    bool from_client)
{
	*p = (struct ws_parser){ .events = events, .arg = arg, .from_client = from_client };
}

/* The first byte of a sequence: RFC 3629 section 4 "Syntax of UTF-8 Byte Sequences". */
static bool utf8_first(struct ws_utf8 *u, uint8_t c)
{
	u->low = 0x80;
	u->high = 0xbf;
	if (c < 0x80)
		return true;
	if (c < 0xc2 || c > 0xf4)
		return false;
	u->need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	if (c == 0xe0)
		u->low = 0xa0; /* else it would fit two bytes */
	else if (c == 0xed)
		u->high = 0x9f; /* surrogates */
	else if (c == 0xf0)
		u->low = 0x90;
	else if (c == 0xf4)
		u->high = 0x8f; /* over U+10FFFF */
	return true;
}

static bool utf8_take(struct ws_utf8 *u, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!u->need) {
			if (!utf8_first(u, bytes[i]))
				return false;
			continue;
		}
		if (bytes[i] < u->low || bytes[i] > u->high)
			return false;
		u->low = 0x80;
		u->high = 0xbf;
		u->need--;
	}
	return true;
}

/* How long the header is, as far as it is there: two bytes tell. */
static size_t header_size(const struct ws_parser *p)
{
	unsigned n = p->header[1] & LENGTH;

	if (p->header_len < 2)
		return 2;
	return 2 +
	       (n == LENGTH_16	 ? 2u
		: n == LENGTH_64 ? 8u
				 : 0u) +
	       (p->header[1] & MASKED ? 4u : 0u);
}

/* The first two bytes: 0, or the status to end with. */
static unsigned header_check(const struct ws_parser *p)
{
	unsigned opcode = p->header[0] & OPCODE;
	bool fin = p->header[0] & FIN;

	if (p->header[0] & RESERVED || p->from_client != !!(p->header[1] & MASKED))
		return WS_PROTOCOL_ERROR;
	if (opcode >= WS_CLOSE && opcode <= WS_PONG)
		return fin && (p->header[1] & LENGTH) <= WS_CONTROL_MAX ? 0 : WS_PROTOCOL_ERROR;
	if (opcode > WS_BINARY)
		return WS_PROTOCOL_ERROR;
	/* a continuation needs a message to continue, and a new message the end of the former */
	return (opcode == WS_CONTINUATION) == p->in_message ? 0 : WS_PROTOCOL_ERROR;
}

/* The whole header is there: what it says about the payload. */
static unsigned header_done(struct ws_parser *p)
{
	unsigned opcode = p->header[0] & OPCODE, n = p->header[1] & LENGTH;
	size_t bytes = n == LENGTH_16 ? 2 : n == LENGTH_64 ? 8 : 0;
	uint64_t len = bytes ? 0 : n;

	for (size_t i = 0; i < bytes; i++)
		len = len << 8 | p->header[2 + i];
	if ((bytes == 2 && len < LENGTH_16) || (bytes == 8 && (len < 0x10000 || len >> 63)))
		return WS_PROTOCOL_ERROR; /* not the shortest form, or the top bit is set */
	if (len > WS_FRAME_MAX)
		return WS_TOO_BIG;
	if (p->header[1] & MASKED)
		memcpy(p->mask, p->header + 2 + bytes, sizeof(p->mask));
	p->mask_at = 0;
	p->left = len;
	p->in_payload = true;
	p->control_len = 0;
	if (opcode == WS_TEXT || opcode == WS_BINARY) {
		p->in_message = true;
		p->text = opcode == WS_TEXT;
		p->utf8 = (struct ws_utf8){ 0 };
	}
	return 0;
}

static bool status_valid(unsigned status)
{
	return (status >= WS_NORMAL && status <= 1003) || (status >= 1007 && status <= 1014) ||
	       (status >= 3000 && status <= 4999);
}

static unsigned close_done(struct ws_parser *p)
{
	struct ws_utf8 u = { 0 };
	unsigned status = WS_NO_STATUS;

	if (p->control_len == 1)
		return WS_PROTOCOL_ERROR;
	if (p->control_len) {
		status = (unsigned)p->control[0] << 8 | p->control[1];
		if (!status_valid(status))
			return WS_PROTOCOL_ERROR;
		if (!utf8_take(&u, p->control + CLOSE_CODE_LEN, p->control_len - CLOSE_CODE_LEN) ||
		    u.need)
			return WS_INVALID_DATA;
	}
	p->closed = true;
	p->events->close(p->arg, status);
	return 0;
}

/* The payload is complete. */
static unsigned frame_done(struct ws_parser *p)
{
	unsigned opcode = p->header[0] & OPCODE;

	p->in_payload = false;
	p->header_len = 0;
	if (opcode == WS_CLOSE)
		return close_done(p);
	if (opcode >= WS_CLOSE) {
		p->events->control(p->arg, (enum ws_opcode)opcode, p->control, p->control_len);
	} else if (p->header[0] & FIN) {
		p->in_message = false;
		if (p->text && p->utf8.need)
			return WS_INVALID_DATA;
	}
	return 0;
}

static unsigned take_payload(struct ws_parser *p, uint8_t *bytes, size_t len)
{
	if (p->from_client) {
		for (size_t i = 0; i < len; i++)
			bytes[i] ^= p->mask[p->mask_at++ & 3];
	}
	p->left -= len;
	if ((p->header[0] & OPCODE) >= WS_CLOSE) {
		memcpy(p->control + p->control_len, bytes, len); /* header_check() bounded it */
		p->control_len += len;
	} else {
		if (p->text && !utf8_take(&p->utf8, bytes, len))
			return WS_INVALID_DATA;
		if (len)
			p->events->data(p->arg, bytes, len);
	}
	return p->left ? 0 : frame_done(p);
}

/**
 * Take what came from the peer; it is unmasked in place. 0, or the status with which the connection
 * must be closed: then the parser takes nothing more.
 */
unsigned ws_parse(struct ws_parser *p, uint8_t *bytes, size_t len)
{
	unsigned status = 0;
	size_t part;

	while (len && !p->closed && !status) {
		if (p->in_payload) {
			part = len < p->left ? len : (size_t)p->left;
			status = take_payload(p, bytes, part);
		} else {
			part = 1;
			p->header[p->header_len++] = *bytes;
			if (p->header_len == 2)
				status = header_check(p);
			if (!status && p->header_len == header_size(p) && p->header_len >= 2)
				status = header_done(p);
			if (!status && p->in_payload && !p->left)
				status = take_payload(p, bytes, 0);
		}
		bytes += part;
		len -= part;
	}
	if (status)
		p->closed = true;
	return status;
}

/** The header of an unfragmented frame, masked if mask is not NULL; returns its length. */
size_t ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, size_t len,
		 const uint8_t mask[4])
{
	size_t bytes = len < LENGTH_16 ? 0 : len < 0x10000 ? 2 : 8;

	out[0] = FIN | (uint8_t)opcode;
	out[1] = bytes == 0 ? (uint8_t)len : bytes == 2 ? LENGTH_16 : LENGTH_64;
	for (size_t i = 0; i < bytes; i++)
		out[2 + i] = (uint8_t)((uint64_t)len >> 8 * (bytes - 1 - i));
	if (mask) {
		out[1] |= MASKED;
		memcpy(out + 2 + bytes, mask, 4);
	}
	return 2 + bytes + (mask ? 4 : 0);
}

/** Mask (or unmask) a whole payload. */
void ws_mask(uint8_t *bytes, size_t len, const uint8_t mask[4])
{
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= mask[i & 3];
}

/** The payload of a close frame; the reason is ASCII and is cut to what fits. Returns its length.
 */
size_t ws_close_payload(uint8_t out[WS_CONTROL_MAX], unsigned status, const char *reason)
{
	size_t len = strnlen(reason, WS_CONTROL_MAX - CLOSE_CODE_LEN);

	if (status == WS_NO_STATUS)
		return 0;
	out[0] = (uint8_t)(status >> 8);
	out[1] = (uint8_t)status;
	memcpy(out + CLOSE_CODE_LEN, reason, len);
	return CLOSE_CODE_LEN + len;
}

/* Base64 with a NUL into exactly out_len bytes; 0 or -1. */
static int base64(const void *bytes, size_t len, char *out, size_t out_len)
{
	gnutls_datum_t in = { (void *)(uintptr_t)bytes, (unsigned)len }, text = { 0 };
	int rc = -1;

	if (gnutls_base64_encode2(&in, &text))
		return -1;
	if (text.size == out_len - 1) {
		memcpy(out, text.data, text.size);
		out[text.size] = 0;
		rc = 0;
	}
	gnutls_free(text.data);
	return rc;
}

/** A new random Sec-WebSocket-Key; 0 or -1. */
int ws_key(char out[WS_KEY_LEN])
{
	uint8_t raw[KEY_BYTES];

	return gnutls_rnd(GNUTLS_RND_NONCE, raw, sizeof(raw))
		       ? -1
		       : base64(raw, sizeof(raw), out, WS_KEY_LEN);
}

/** Is it the base64 form of 16 bytes? */
bool ws_key_valid(const char *key)
{
	gnutls_datum_t text = { (void *)(uintptr_t)key, WS_KEY_LEN - 1 }, raw = { 0 };
	char again[WS_KEY_LEN];
	bool ok;

	if (!key || strlen(key) != WS_KEY_LEN - 1 || gnutls_base64_decode2(&text, &raw))
		return false;
	/* the decoder skips blanks and stray bits; only what encodes back is a key */
	ok = raw.size == KEY_BYTES && !base64(raw.data, raw.size, again, sizeof(again)) &&
	     !strcmp(again, key);
	gnutls_free(raw.data);
	return ok;
}

/** Sec-WebSocket-Accept for a key (RFC 6455 section 4.2.2, step 5.4); 0 or -1. */
int ws_accept(const char *key, char out[WS_ACCEPT_LEN])
{
	char text[WS_KEY_LEN + sizeof(ACCEPT_UUID)];
	uint8_t hash[SHA1_BYTES];

	if (strlen(key) >= WS_KEY_LEN)
		return -1;
	snprintf(text, sizeof(text), "%s%s", key, ACCEPT_UUID);
	if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), hash))
		return -1;
	return base64(hash, sizeof(hash), out, WS_ACCEPT_LEN);
}

/** Is the token in a list parted by commas, whatever its case? (RFC 9110, 5.6.1) */
bool ws_has_token(const char *list, const char *token)
{
	size_t n, want = strlen(token);

	for (; list && *list; list += n) {
		list += strspn(list, ", \t");
		n = strcspn(list, ", \t");
		if (n == want && !strncasecmp(list, token, n))
			return true;
	}
	return false;
}
