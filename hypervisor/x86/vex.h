/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vex.h - rows of vex.def: what the decoder found out about a VEX-encoded instruction
 * (X86_OP_VEX), for those who execute or translate it.
 */
#ifndef X86_VEX_H
#define X86_VEX_H

#include "x86/insn.h"

/* An operand. */
#define X86_VEX_VECTOR	0x01u
#define X86_VEX_GENERAL 0x02u
#define X86_VEX_WRITTEN 0x04u
#define X86_VEX_MEMORY	0x08u /* may be memory */
#define X86_VEX_REG	0x10u /* may be a register */

enum x86_vex_size {
	X86_VEX_S_BYTES = 0x40, /* below: bytes */
	X86_VEX_S_X,
	X86_VEX_S_H,
	X86_VEX_S_Q,
	X86_VEX_S_O,
	X86_VEX_S_Y,
	X86_VEX_S_DUP,
};

enum x86_vex_l {
	X86_VEX_L0,
	X86_VEX_L1,
	X86_VEX_LX,
	X86_VEX_LIG,
};

enum x86_vex_w {
	X86_VEX_W0,
	X86_VEX_W1,
	X86_VEX_WX,
	X86_VEX_WG,
};

enum x86_vex_kind {
	X86_VEX_NATIVE,
	X86_VEX_MOVE,	   /* between memory and a register's low bytes */
	X86_VEX_HALF,	   /* VMOVLPS, VMOVHPS and kin with memory */
	X86_VEX_BROADCAST, /* of 16 bytes of memory */
	X86_VEX_ZERO,
	X86_VEX_MXCSR,
	X86_VEX_MASKMOV,
	X86_VEX_GATHER,
	X86_VEX_STRING,
	X86_VEX_MASKDQU,
	X86_VEX_KINDS
};

enum x86_vex_fp {
	X86_VEX_FP_NO,
	X86_VEX_FP_FP, /* no result of it underflows */
	X86_VEX_FP_SS,
	X86_VEX_FP_SD,
	X86_VEX_FP_PS,
	X86_VEX_FP_PD,
	X86_VEX_FP_PH,
};

#define X86_VEX_EFLAGS	0x01u /* writes arithmetic flags */
#define X86_VEX_GPR	0x02u /* BMI: no vectors, so XCR0 does not matter */
#define X86_VEX_ALIGN	0x04u /* memory must be aligned */
#define X86_VEX_CLAMP	0x08u
#define X86_VEX_ELEMENT 0x10u /* memory has one element: bits 7:6 of the immediate do not count */
#define X86_VEX_IMM_IS4 0xffffu
#define X86_VEX_NO_EXT	0xffu

struct x86_vex_row {
	const char *name;
	uint16_t key; /* X86_VEX_KEY() */
	uint16_t imm; /* values, X86_VEX_IMM_IS4, or 0: none */
	uint8_t ext, l, w;
	uint8_t reg, vvvv, rm;
	uint8_t msize;
	uint8_t kind, fp, flags;
};

#define X86_VEX_KEY(map, opcode, pp) ((map) << 10 | (opcode) << 2 | (pp))

extern const struct x86_vex_row x86_vex_rows[];
extern const size_t x86_vex_row_count;

/* Of an instruction whose op is X86_OP_VEX. */
static inline const struct x86_vex_row *x86_vex_row(const struct x86_insn *i)
{
	return &x86_vex_rows[i->row];
}

static inline unsigned int x86_vex_map(const struct x86_vex_row *r)
{
	return r->key >> 10;
}

static inline unsigned int x86_vex_prefix(const struct x86_vex_row *r)
{
	return r->key & 3u;
}

static inline bool x86_vex_has_mem(const struct x86_insn *i)
{
	return i->form == X86_FORM_RM || i->form == X86_FORM_MR || i->form == X86_FORM_RMI ||
	       i->form == X86_FORM_MRI;
}

#endif
