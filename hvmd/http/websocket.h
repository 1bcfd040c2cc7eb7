/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The websocket protocol (RFC 6455) without any input or output: frames are parsed from and written
 * to memory. hvmd is the server, hvmctl the client; both use this. No extension, no subprotocol.
 */
#ifndef HVMD_WEBSOCKET_H
#define HVMD_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_HEADER_MAX  14
#define WS_CONTROL_MAX 125	    /* payload of a ping, pong or close */
#define WS_FRAME_MAX   (64u * 1024) /* payload of a data frame; messages may have any length */
#define WS_KEY_LEN     25	    /* with the NUL */
#define WS_ACCEPT_LEN  29

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10
};

/* RFC 6455 section 7.4.1 "Defined Status Codes" */
enum ws_status {
	WS_NORMAL = 1000,
	WS_GOING_AWAY = 1001,
	WS_PROTOCOL_ERROR = 1002,
	WS_NO_STATUS = 1005, /* a close frame without one; never sent */
	WS_INVALID_DATA = 1007,
	WS_TOO_BIG = 1009,
	WS_INTERNAL_ERROR = 1011
};

struct ws_events {
	/* Payload of a text or binary message, as it comes in. */
	void (*data)(void *arg, const uint8_t *bytes, size_t len);
	/* A whole ping or pong. */
	void (*control)(void *arg, enum ws_opcode opcode, const uint8_t *bytes, size_t len);
	/* The peer closes: nothing after this is looked at. */
	void (*close)(void *arg, unsigned status);
};

/* Where in a UTF-8 sequence the text is: how many bytes are to come, and the range of the next. */
struct ws_utf8 {
	unsigned need;
	uint8_t low, high;
};

struct ws_parser {
	const struct ws_events *events;
	void *arg;
	bool from_client; /* frames must be masked; from a server they must not be */
	uint8_t header[WS_HEADER_MAX];
	size_t header_len;
	bool in_payload, in_message, text, closed;
	uint64_t left; /* of the payload */
	uint8_t mask[4];
	unsigned mask_at;
	uint8_t control[WS_CONTROL_MAX];
	size_t control_len;
	struct ws_utf8 utf8;
};

void ws_parser_init(struct ws_parser *p, const struct ws_events *events, void *arg,
		    bool from_client);
unsigned ws_parse(struct ws_parser *p, uint8_t *bytes, size_t len);
size_t ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, size_t len,
		 const uint8_t mask[4]);
void ws_mask(uint8_t *bytes, size_t len, const uint8_t mask[4]);
size_t ws_close_payload(uint8_t out[WS_CONTROL_MAX], unsigned status, const char *reason);
int ws_key(char out[WS_KEY_LEN]);
bool ws_key_valid(const char *key);
int ws_accept(const char *key, char out[WS_ACCEPT_LEN]);
bool ws_has_token(const char *list, const char *token);

#endif
