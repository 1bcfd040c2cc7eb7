/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_move.c - MOV and its relatives: extensions, LEA, CMOVcc, SETcc, XLAT, no-operations.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 * Source: Intel SDM Vol 2A, 2B "Instruction Set Reference"; Vol 1 3.4.1.1 "General-Purpose
 * Registers in 64-Bit Mode" (32-bit results are zero-extended).
 */
#include "x86/exec_int.h"

/* -- MOV ---------------------------------------------------------------------------------- */

#define MOVE_PLAIN(bits) \
	static int move_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_set##bits(c, i->dst, x86_get##bits(c, i->src)); \
		return X86_NEXT; \
	} \
	static int move_ri##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_set##bits(c, i->dst, (uint##bits##_t)i->imm); \
		return X86_NEXT; \
	} \
	X86_INLINE int move_krm##bits(struct x86_cpu *c, const struct x86_insn *i, const void *p) \
	{ \
		x86_set##bits(c, i->dst, X86_MEM_GET(bits, p)); \
		return X86_NEXT; \
	} \
	X86_READ(move_rm##bits, bits, move_krm##bits) \
	X86_STORE(move_mr##bits, bits, x86_get##bits(c, i->src)) \
	X86_STORE(move_mi##bits, bits, i->imm)
MOVE_PLAIN(8)
MOVE_PLAIN(16)
MOVE_PLAIN(32)
MOVE_PLAIN(64)

/* -- MOVZX, MOVSX, MOVSXD: @from bits as @type into @to bits ------------------------------ */

#define MOVE_EXTEND(name, from, type, to) \
	static int name##_rr##to(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_set##to(c, i->dst, (uint##to##_t)(type)x86_get##from(c, i->src)); \
		return X86_NEXT; \
	} \
	X86_INLINE int name##_krm##to(struct x86_cpu *c, const struct x86_insn *i, const void *p) \
	{ \
		x86_set##to(c, i->dst, (uint##to##_t)(type)X86_MEM_GET(from, p)); \
		return X86_NEXT; \
	} \
	X86_READ(name##_rm##to, from, name##_krm##to)
#define MOVE_EXTEND3(name, from, type) \
	MOVE_EXTEND(name, from, type, 16) \
	MOVE_EXTEND(name, from, type, 32) \
	MOVE_EXTEND(name, from, type, 64)
MOVE_EXTEND3(move_zx8, 8, uint8_t)
MOVE_EXTEND3(move_zx16, 16, uint16_t)
MOVE_EXTEND3(move_sx8, 8, int8_t)
MOVE_EXTEND3(move_sx16, 16, int16_t)
MOVE_EXTEND3(move_sxd, 32, int32_t)

/* -- LEA ---------------------------------------------------------------------------------- */

#define MOVE_LEA(bits) \
	static int move_lea##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_set##bits(c, i->dst, (uint##bits##_t)x86_ea_offset(c, i)); \
		return X86_NEXT; \
	} \
	static int move_lea##bits##_f(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_set##bits(c, i->dst, (uint##bits##_t)x86_ea_flat64(c, i)); \
		return X86_NEXT; \
	} \
	static int move_lea##bits##_b(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_set##bits(c, i->dst, (uint##bits##_t)x86_ea_base64(c, i)); \
		return X86_NEXT; \
	}
MOVE_LEA(16)
MOVE_LEA(32)
MOVE_LEA(64)

/* -- CMOVcc, SETcc ------------------------------------------------------------------------ */

/* The source is read, and a 32-bit destination zero-extended, when the condition is false too. */
#define MOVE_CMOV(bits) \
	static int move_cmov_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t d = x86_get##bits(c, i->dst), s = x86_get##bits(c, i->src); \
		x86_set##bits(c, i->dst, x86_cond_var(c, i->cc) ? s : d); \
		return X86_NEXT; \
	} \
	X86_INLINE int move_cmov_krm##bits(struct x86_cpu *c, const struct x86_insn *i, \
					   const void *p) \
	{ \
		uint##bits##_t d = x86_get##bits(c, i->dst), s = X86_MEM_GET(bits, p); \
		x86_set##bits(c, i->dst, x86_cond_var(c, i->cc) ? s : d); \
		return X86_NEXT; \
	} \
	X86_READ(move_cmov_rm##bits, bits, move_cmov_krm##bits)
MOVE_CMOV(16)
MOVE_CMOV(32)
MOVE_CMOV(64)

static int move_setcc_r(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_set8(c, i->dst, x86_cond_var(c, i->cc));
	return X86_NEXT;
}

X86_STORE(move_setcc_m, 8, x86_cond_var(c, i->cc))

/* One handler a condition code for the register forms that compilers use. */
#define MOVE_CC(cc) \
	static int move_setcc_r_##cc(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_set8(c, i->dst, x86_cond(c, cc)); \
		return X86_NEXT; \
	} \
	static int move_cmov_rr32_##cc(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint32_t d = x86_get32(c, i->dst), s = x86_get32(c, i->src); \
		x86_set32(c, i->dst, x86_cond(c, cc) ? s : d); \
		return X86_NEXT; \
	} \
	static int move_cmov_rr64_##cc(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint64_t d = x86_get64(c, i->dst), s = x86_get64(c, i->src); \
		x86_set64(c, i->dst, x86_cond(c, cc) ? s : d); \
		return X86_NEXT; \
	}
/* clang-format off */
#define MOVE_CCS(F) \
	F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)
MOVE_CCS(MOVE_CC)

#define MOVE_SETCC_ENTRY(cc)  move_setcc_r_##cc,
#define MOVE_CMOV32_ENTRY(cc) move_cmov_rr32_##cc,
#define MOVE_CMOV64_ENTRY(cc) move_cmov_rr64_##cc,
static const x86_exec_fn move_setcc_fns[16] = { MOVE_CCS(MOVE_SETCC_ENTRY) };
static const x86_exec_fn move_cmov32_fns[16] = { MOVE_CCS(MOVE_CMOV32_ENTRY) };
static const x86_exec_fn move_cmov64_fns[16] = { MOVE_CCS(MOVE_CMOV64_ENTRY) };
/* clang-format on */

x86_exec_fn x86_bind_cc(const struct x86_insn *i)
{
	if (i->op == X86_OP_SETCC && i->form == X86_FORM_R)
		return move_setcc_fns[i->cc & 15];
	if (i->op == X86_OP_CMOVCC && i->form == X86_FORM_RR && i->osize == 2)
		return move_cmov32_fns[i->cc & 15];
	if (i->op == X86_OP_CMOVCC && i->form == X86_FORM_RR && i->osize == 3)
		return move_cmov64_fns[i->cc & 15];
	return NULL;
}

/* -- rest --------------------------------------------------------------------------------- */

static int move_xlat(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t off = x86_cut(i->asize, c->gpr[X86_RBX] + (uint8_t)c->gpr[X86_RAX]);
	uint8_t v;
	gva_t la;

	if (!x86_linear(c, i->seg, off, 1, false, &la))
		return X86_ABORT;
	if (!x86_load8(c, la, &v))
		return x86_mem_fault(c, i);
	x86_set8(c, X86_RAX, v);
	return X86_NEXT;
}

#define MOVE_BE(bits, swap) \
	static int move_be_rm##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t v; \
		gva_t la; \
		if (!x86_ea(c, i, bits / 8, false, &la)) \
			return X86_ABORT; \
		if (!x86_load##bits(c, la, &v)) \
			return x86_mem_fault(c, i); \
		x86_set##bits(c, i->dst, swap(v)); \
		return X86_NEXT; \
	} \
	static int move_be_mr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		gva_t la; \
		if (!x86_ea(c, i, bits / 8, true, &la)) \
			return X86_ABORT; \
		if (!x86_store##bits(c, la, swap(x86_get##bits(c, i->src)))) \
			return x86_mem_fault(c, i); \
		return X86_NEXT; \
	}
MOVE_BE(16, __builtin_bswap16)
MOVE_BE(32, __builtin_bswap32)
MOVE_BE(64, __builtin_bswap64)

static int move_nop(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)c;
	(void)i;
	return X86_NEXT;
}

/* clang-format off */
#define MOVE_EXTEND_ROWS(OP, name) \
	X86_ROWS3_R(OP, RR, name##_rr), X86_ROWS3_M(OP, RM, name##_rm)

static const struct x86_exec_row rows[] = {
	X86_ROWS4_R(MOV, RR, move_rr), X86_ROWS4_R(MOV, RI, move_ri),
	X86_ROWS4_M(MOV, RM, move_rm), X86_ROWS4_M(MOV, MR, move_mr),
	X86_ROWS4_M(MOV, MI, move_mi),
	MOVE_EXTEND_ROWS(MOVZX8, move_zx8),
	MOVE_EXTEND_ROWS(MOVZX16, move_zx16),
	MOVE_EXTEND_ROWS(MOVSX8, move_sx8),
	MOVE_EXTEND_ROWS(MOVSX16, move_sx16),
	MOVE_EXTEND_ROWS(MOVSXD, move_sxd),
	X86_ROWS3_M(LEA, RM, move_lea),
	X86_ROWS3_R(CMOVCC, RR, move_cmov_rr), X86_ROWS3_M(CMOVCC, RM, move_cmov_rm),
	X86_ROW_R(SETCC, R, X86_ANY, move_setcc_r), X86_ROW_M(SETCC, M, X86_ANY, move_setcc_m),
	X86_ROWS3_R(MOVBE, RM, move_be_rm), X86_ROWS3_R(MOVBE, MR, move_be_mr),
	{ X86_OP_XLAT, X86_ANY, X86_ANY, move_xlat },
	{ X86_OP_NOP, X86_ANY, X86_ANY, move_nop },
	{ X86_OP_PAUSE, X86_ANY, X86_ANY, move_nop },
	{ X86_OP_PREFETCH, X86_ANY, X86_ANY, move_nop },
	{ X86_OP_UD, X86_ANY, X86_ANY, x86_exec_ud },
};
/* clang-format on */

const struct x86_exec_table x86_exec_move = { rows, HVM_ARRAY_SIZE(rows) };
