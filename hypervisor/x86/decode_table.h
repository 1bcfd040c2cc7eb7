/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode_table.h - the decoder's tables, which the compiler builds from ops.def: operand codes,
 * rows, and the index from opcode to row. Private to decode.c, which alone includes it: every table
 * is static. Constant data; no locking, nothing saved.
 *
 * Source: Intel SDM Vol 2 App. A "Opcode Map" (by way of ops.def).
 */
#ifndef X86_DECODE_TABLE_H
#define X86_DECODE_TABLE_H

#include "hvm/hvm_state.h"
#include "x86/decode_state.h"

/* -- operands ---------------------------------------------------------------------------------- */

enum dec_kind {
	KIND_NONE,
	KIND_RM,  /* ModRM.rm, register or memory */
	KIND_MEM, /* ModRM.rm, memory only */
	KIND_RMR, /* ModRM.rm, register only */
	KIND_REG, /* ModRM.reg */
	KIND_INH, /* the operands of the row that led to the group */
	KIND_OPC, /* low bits of the opcode */
	KIND_FIX, /* a fixed register: arg */
	KIND_OFF, /* memory at an address in the instruction */
	KIND_SCL, /* CL as third operand */
	KIND_IMM, /* immediate: arg is enum dec_imm */
};

enum dec_class {
	CLASS_GPR,
	CLASS_GPR8,
	CLASS_VEC, /* XMM */
	CLASS_MMX,
	CLASS_MV, /* MMX, or XMM with 66 */
	CLASS_SEG,
	CLASS_CR,
	CLASS_DR,
	CLASS_ST,
};

enum dec_imm {
	IMM_U8,
	IMM_S8,
	IMM_U16,
	IMM_Z,	   /* 16 or 32 bits, sign-extended */
	IMM_V,	   /* 16, 32 or 64 bits */
	IMM_FAR,   /* offset, then selector */
	IMM_ENTER, /* 16 bits, then 8 bits */
	IMM_ONE,
};

/* Sizes of memory operands that follow from something else; below MS_RULES: bytes. */
enum dec_msize {
	MS_RULES = 0xf0,
	MS_V,	/* the operation's size */
	MS_PTR, /* far pointer */
	MS_TWO, /* two of the operation's size */
	MS_TAB, /* pseudo-descriptor */
	MS_MX,	/* 8 or, with 66, 16 */
	MS_MXD, /* 4 or, with 66, 16 */
	MS_ENV, /* x87 environment */
	MS_SAV, /* x87 state */
};

/* Each operand code of ops.def: name, kind, class, msize or argument. Those with ModRM first. */
/* clang-format off */
#define DEC_MODRM_OPERANDS(X)                                                                         \
	X(Eb, RM, GPR8, 1)     X(Ew, RM, GPR, 2)      X(Ed, RM, GPR, 4)      X(Ev, RM, GPR, MS_V)     \
	X(Edb, RM, GPR, 1)     X(Edw, RM, GPR, 2)     X(Gb, REG, GPR8, 0)    X(Gv, REG, GPR, 0)       \
	X(Gw, REG, GPR, 0)     X(Rv, RMR, GPR, 0)     X(Sw, REG, SEG, 0)     X(Cd, REG, CR, 0)        \
	X(Dd, REG, DR, 0)      X(M, MEM, GPR, 0)      X(Mw, MEM, GPR, 2)     X(Md, MEM, GPR, 4)       \
	X(Mq, MEM, GPR, 8)     X(Mx, MEM, GPR, 16)    X(Mt, MEM, GPR, 10)    X(Mv, MEM, GPR, MS_V)    \
	X(Mp, MEM, GPR, MS_PTR) X(Ma, MEM, GPR, MS_TWO) X(Mcx, MEM, GPR, MS_TWO)                      \
	X(Ms, MEM, GPR, MS_TAB) X(Menv, MEM, GPR, MS_ENV) X(Msav, MEM, GPR, MS_SAV)                   \
	X(P, REG, MV, 0)       X(Q, RM, MV, MS_MX)    X(Qd, RM, MV, MS_MXD)  X(N, RMR, MV, 0)         \
	X(Pq, REG, MMX, 0)     X(Qq, RM, MMX, 8)      X(Nq, RMR, MMX, 0)     X(V, REG, VEC, 0)        \
	X(W, RM, VEC, 16)      X(Wq, RM, VEC, 8)      X(Wd, RM, VEC, 4)      X(Ww, RM, VEC, 2)        \
	X(U, RMR, VEC, 0)      X(STi, RMR, ST, 0)     X(INH, INH, GPR, 0)
#define DEC_OTHER_OPERANDS(X)                                                                         \
	X(Zb, OPC, GPR8, 0)    X(Zv, OPC, GPR, 0)     X(A0, FIX, GPR, 0)     X(CL, FIX, GPR, 1)       \
	X(DX, FIX, GPR, 2)     X(ES, FIX, SEG, HVM_SEG_ES) X(CS, FIX, SEG, HVM_SEG_CS)                \
	X(SS, FIX, SEG, HVM_SEG_SS) X(DS, FIX, SEG, HVM_SEG_DS) X(FS, FIX, SEG, HVM_SEG_FS)           \
	X(GS, FIX, SEG, HVM_SEG_GS) X(ST0, FIX, ST, 0) X(ST1, FIX, ST, 1)    X(SCL, SCL, GPR, 0)      \
	X(Ob, OFF, GPR, 1)     X(Ov, OFF, GPR, MS_V)  X(Ib, IMM, GPR, IMM_U8) X(Ibs, IMM, GPR, IMM_S8) \
	X(Jb, IMM, GPR, IMM_S8) X(Iw, IMM, GPR, IMM_U16) X(Iz, IMM, GPR, IMM_Z) X(Jz, IMM, GPR, IMM_Z) \
	X(Iv, IMM, GPR, IMM_V) X(Ap, IMM, GPR, IMM_FAR) X(Iwb, IMM, GPR, IMM_ENTER)                   \
	X(One, IMM, GPR, IMM_ONE)
/* clang-format on */

enum dec_operand {
	O_NO,
#define X(name, kind, class, arg) O_##name,
	DEC_MODRM_OPERANDS(X) O_MODRM_END,
	O_MODRM_LAST = O_MODRM_END - 1,
	DEC_OTHER_OPERANDS(X)
#undef X
};

struct dec_operand_info {
	uint8_t kind;
	uint8_t class;
	uint8_t arg; /* msize, fixed register or enum dec_imm */
};

static const struct dec_operand_info dec_operands[] = {
#define X(name, kind, class, arg) [O_##name] = { KIND_##kind, CLASS_##class, arg },
	DEC_MODRM_OPERANDS(X) DEC_OTHER_OPERANDS(X)
#undef X
};

/* -- rows -------------------------------------------------------------------------------------- */

enum dec_size {
	SZ_B,
	SZ_W,
	SZ_D,
	SZ_Q,
	SZ_X,
	SZ_MX,
	SZ_V,
	SZ_Z,
	SZ_Y,
	SZ_D64,
	SZ_F64,
	SZ_NAT,
	SZ_ENV
};

#define RF_LOCK	 0x0001 /* LOCK is legal with a memory destination */
#define RF_I64	 0x0002 /* invalid in 64-bit code */
#define RF_O64	 0x0004 /* invalid outside 64-bit code */
#define RF_ENDS	 0x0008
#define RF_GROUP 0x0010 /* op is a group */
#define RF_BYRM	 0x0020 /* the group is picked by ModRM.rm */
#define RF_SRC	 0x0040 /* the only operand is a source */
#define RF_CC	 0x0080 /* low bits of the opcode are a condition */
#define RF_FCC	 0x0100 /* the condition of FCMOVcc */
#define RF_WNEXT 0x0200 /* REX.W makes it the next operation of op_names.def */
#define RF_MOD3	 0x0400 /* ModRM.mod is ignored: always a register */
#define RF_MW	 0x0800 /* 16 bits in the memory form */
#define RF_NOCS	 0x1000 /* CS is no legal destination */
#define RF_ALT	 0x2000 /* 63 (ARPL or MOVSXD), 90 (NOP or XCHG) */
#define RF_VEX	 0x4000 /* may be the first byte of VEX, EVEX or XOP */
#define RF_MODRM 0x8000 /* has ModRM; computed */

struct dec_row {
	uint16_t op; /* enum x86_op or enum dec_group */
	uint16_t flags;
	uint8_t a, b, c;       /* enum dec_operand */
	uint8_t size : 5;      /* enum dec_size */
	uint8_t mandatory : 1; /* F2 or F3 is part of the opcode */
};

enum dec_map {
	MAP_1B,
	MAP_0F,
	MAP_38,
	MAP_3A,
	MAP_COUNT
};

enum dec_group {
#define GROUP(name) GROUP_##name,
#include "x86/ops.def"
	GROUP_COUNT
};

/* Mandatory prefixes: columns of the index tables. */
enum dec_prefix {
	PFX_NP,
	PFX_66,
	PFX_F3,
	PFX_F2,
	PFX_COUNT
};
#define COLUMNS_ANY   PFX_NP... PFX_F2
#define COLUMNS_N6    PFX_NP... PFX_66
#define COLUMNS_NP    PFX_NP
#define COLUMNS_66    PFX_66
#define COLUMNS_F3    PFX_F3
#define COLUMNS_F2    PFX_F2
#define MANDATORY_ANY 0
#define MANDATORY_N6  0
#define MANDATORY_NP  0
#define MANDATORY_66  0
#define MANDATORY_F3  1
#define MANDATORY_F2  1

/* Memory and register forms: rows of the group index. */
#define FORMS_M 0
#define FORMS_R 1
#define FORMS_B 0 ... 1

enum dec_row_id {
	ROW_NONE,    /* no such opcode */
	ROW_NONE_38, /* the same in maps where every opcode has ModRM ... */
	ROW_NONE_3A, /* ... and an immediate byte */
	ROW_MOVSXD,
#define OPC(map, lo, hi, pfx, op, a, b, c, size, flags)	      ROW_##map##_##lo##_##pfx,
#define OPG(map, lo, hi, pfx, group, a, b, c, size, flags)    ROW_##map##_##lo##_##pfx,
#define GRP(group, mr, lo, hi, pfx, op, a, b, c, size, flags) ROW_##group##_##mr##_##lo##_##pfx,
#define GRG(group, mr, lo, hi, pfx, to, a, b, c, size, flags) ROW_##group##_##mr##_##lo##_##pfx,
#include "x86/ops.def"
	ROW_COUNT
};

#define HAS_MODRM(a, b) \
	((O_##a > O_NO && O_##a <= O_MODRM_LAST) || (O_##b > O_NO && O_##b <= O_MODRM_LAST))
#define ROW(operation, a, b, c, size, f, pfx) \
	{ \
		operation, (f) | (HAS_MODRM(a, b) ? RF_MODRM : 0), O_##a, O_##b, O_##c, SZ_##size, \
			MANDATORY_##pfx \
	}

static const struct dec_row dec_rows[ROW_COUNT] = {
	[ROW_NONE] = ROW(X86_OP_INVALID, NO, NO, NO, B, 0, ANY),
	[ROW_NONE_38] = ROW(X86_OP_INVALID, Ev, NO, NO, B, 0, ANY),
	[ROW_NONE_3A] = ROW(X86_OP_INVALID, Ev, Ib, NO, B, 0, ANY),
	[ROW_MOVSXD] = ROW(X86_OP_MOVSXD, Gv, Ed, NO, V, 0, ANY),
#define OPC(map, lo, hi, pfx, op, a, b, c, size, flags) \
	[ROW_##map##_##lo##_##pfx] = ROW(X86_OP_##op, a, b, c, size, flags, pfx),
#define OPG(map, lo, hi, pfx, group, a, b, c, size, flags) \
	[ROW_##map##_##lo##_##pfx] = \
		ROW(GROUP_##group, a, b, c, size, (flags) | RF_GROUP | RF_MODRM, pfx),
#define GRP(group, mr, lo, hi, pfx, op, a, b, c, size, flags) \
	[ROW_##group##_##mr##_##lo##_##pfx] = ROW(X86_OP_##op, a, b, c, size, flags, pfx),
#define GRG(group, mr, lo, hi, pfx, to, a, b, c, size, flags) \
	[ROW_##group##_##mr##_##lo##_##pfx] = \
		ROW(GROUP_##to, a, b, c, size, (flags) | RF_GROUP, pfx),
#include "x86/ops.def"
};

static const uint16_t dec_index[MAP_COUNT][256][PFX_COUNT] = {
#define OPC(map, lo, hi, pfx, op, a, b, c, size, flags) \
	[MAP_##map][0x##lo... 0x##hi][COLUMNS_##pfx] = ROW_##map##_##lo##_##pfx,
#define OPG(map, lo, hi, pfx, group, a, b, c, size, flags) \
	[MAP_##map][0x##lo... 0x##hi][COLUMNS_##pfx] = ROW_##map##_##lo##_##pfx,
#include "x86/ops.def"
};

static const uint16_t dec_group_index[GROUP_COUNT][2][8][PFX_COUNT] = {
#define GRP(group, mr, lo, hi, pfx, op, a, b, c, size, flags) \
	[GROUP_##group][FORMS_##mr][lo... hi][COLUMNS_##pfx] = ROW_##group##_##mr##_##lo##_##pfx,
#define GRG(group, mr, lo, hi, pfx, to, a, b, c, size, flags) \
	[GROUP_##group][FORMS_##mr][lo... hi][COLUMNS_##pfx] = ROW_##group##_##mr##_##lo##_##pfx,
#include "x86/ops.def"
};

#endif
