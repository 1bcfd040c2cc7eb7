/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode_state.h - the state of one decode, shared by decode.c and decode_vex.c alone.
 */
#ifndef X86_DECODE_STATE_H
#define X86_DECODE_STATE_H

#include "x86/insn.h"

#define REX_B 1
#define REX_X 2
#define REX_R 4
#define REX_W 8

struct dec {
	const uint8_t *p;
	const uint8_t *end;
	struct x86_insn *i;
	bool code64;
	bool overrun;
	bool illegal;
	bool lock;
	bool is_mem;	/* ModRM names memory */
	uint8_t opsize; /* log2 operand size by mode and 66, without REX.W */
	uint8_t rex;	/* low four bits */
	uint8_t pfx;	/* enum dec_prefix */
	uint8_t seg;	/* override, or HVM_SEG_COUNT */
	uint8_t map;
};

/* Little-endian number of @bytes bytes (at most 8), zero-extended. */
static inline uint64_t dec_take(struct dec *d, unsigned int bytes)
{
	uint64_t v = 0;
	unsigned int n;

	if (hvm_unlikely((size_t)(d->end - d->p) < bytes)) {
		d->overrun = true;
		d->p = d->end;
		return 0;
	}
	for (n = 0; n < bytes; n++)
		v |= (uint64_t)d->p[n] << (8 * n);
	d->p += bytes;
	return v;
}

static inline uint8_t dec_byte(struct dec *d)
{
	if (hvm_unlikely(d->p == d->end)) {
		d->overrun = true;
		return 0;
	}
	return *d->p++;
}

static inline uint8_t dec_peek(struct dec *d)
{
	if (hvm_unlikely(d->p == d->end)) {
		d->overrun = true;
		return 0;
	}
	return *d->p;
}

static inline int64_t dec_take_signed(struct dec *d, unsigned int bytes)
{
	switch (bytes) {
	case 1: return (int8_t)dec_byte(d);
	case 2: return (int16_t)dec_take(d, 2);
	case 4: return (int32_t)dec_take(d, 4);
	default: return (int64_t)dec_take(d, 8);
	}
}

/* Take ModRM, SIB and displacement. @mod3: the mod field does not count. (decode.c) */
void dec_modrm(struct dec *d, bool mod3);

/* -- decode_vex.c -------------------------------------------------------------------------- */

/* Is @byte, the first byte of the opcode, the start of a VEX, EVEX or XOP instruction? */
bool dec_is_vex(struct dec *d, uint8_t byte);
/* Decode it. */
void dec_vex(struct dec *d, uint8_t byte);

#endif
