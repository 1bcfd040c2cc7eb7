/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_sse_move.c - MMX and SSE data movement: loads, stores, unpack and shuffle of floating-point
 * lanes, masks. Non-temporal moves are plain ones.
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 * Source: Intel SDM Vol 2 "MOVAPS" ... "UNPCKHPS"; Vol 1 ch. 9 to 12.
 */
#include "x86/exec_sse.h"

/* -- whole vectors --------------------------------------------------------------------------------
 */

static int mov_vec_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	x86_put_xmm(c, i->dst, x86_get_xmm(c, i->src));
	return X86_NEXT;
}

static int mova_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!x86_load_a16(c, i, &v))
		return X86_ABORT;
	x86_put_xmm(c, i->dst, v);
	return X86_NEXT;
}

static int mova_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_vec(c, i, true, x86_get_xmm(c, i->src)) ? X86_NEXT : X86_ABORT;
}

static int movu_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!x86_load_u16(c, i, &v))
		return X86_ABORT;
	x86_put_xmm(c, i->dst, v);
	return X86_NEXT;
}

static int movu_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_vec(c, i, false, x86_get_xmm(c, i->src)) ? X86_NEXT : X86_ABORT;
}

/* -- scalars and halves ---------------------------------------------------------------------------
 */

/* Load of the low 4 or 8 bytes that clears the rest: MOVSS, MOVSD, MOVQ, MOVD. */
static int mov_lo4_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!x86_load_lo4(c, i, &v))
		return X86_ABORT;
	x86_put_xmm(c, i->dst, v);
	return X86_NEXT;
}

static int mov_lo8_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!x86_load_lo8(c, i, &v))
		return X86_ABORT;
	x86_put_xmm(c, i->dst, v);
	return X86_NEXT;
}

static int mov_lo4_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_lo4(c, i, c->fpu.xmm[i->src & 15].u32[0]) ? X86_NEXT : X86_ABORT;
}

static int mov_lo8_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_lo8(c, i, c->fpu.xmm[i->src & 15].u64[0]) ? X86_NEXT : X86_ABORT;
}

static int mov_hi8_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_lo8(c, i, c->fpu.xmm[i->src & 15].u64[1]) ? X86_NEXT : X86_ABORT;
}

/* MOVLPS, MOVHPS from memory leave the other half alone. */
static int mov_half_lo_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!x86_load_lo8(c, i, &v))
		return X86_ABORT;
	c->fpu.xmm[i->dst & 15].u64[0] = (uint64_t)v[0];
	return X86_NEXT;
}

static int mov_half_hi_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!x86_load_lo8(c, i, &v))
		return X86_ABORT;
	c->fpu.xmm[i->dst & 15].u64[1] = (uint64_t)v[0];
	return X86_NEXT;
}

static int movss_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	c->fpu.xmm[i->dst & 15].u32[0] = c->fpu.xmm[i->src & 15].u32[0];
	return X86_NEXT;
}

static int movsd_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	c->fpu.xmm[i->dst & 15].u64[0] = c->fpu.xmm[i->src & 15].u64[0];
	return X86_NEXT;
}

static int movhlps_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	c->fpu.xmm[i->dst & 15].u64[0] = c->fpu.xmm[i->src & 15].u64[1];
	return X86_NEXT;
}

static int movlhps_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	c->fpu.xmm[i->dst & 15].u64[1] = c->fpu.xmm[i->src & 15].u64[0];
	return X86_NEXT;
}

/* MOVQ between XMM registers clears the high half. */
static int movq_x_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	x86_put_xmm(c, i->dst, x86_vec_lo(c->fpu.xmm[i->src & 15].u64[0]));
	return X86_NEXT;
}

/* -- MMX and general registers ------------------------------------------------------------ */

static int movq_m_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_MMX_CHECK(c);
	x86_put_mmx(c, i->dst, c->fpu.r[i->src & 7].mant);
	return X86_NEXT;
}

static int movq_m_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_MMX_CHECK(c);
	if (!x86_load_lo8(c, i, &v))
		return X86_ABORT;
	x86_put_mmx(c, i->dst, (uint64_t)v[0]);
	return X86_NEXT;
}

static int movq_m_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_MMX_CHECK(c);
	if (!x86_store_lo8(c, i, c->fpu.r[i->src & 7].mant))
		return X86_ABORT;
	x86_mmx_enter(c);
	return X86_NEXT;
}

/*
 * MOVD and its REX.W form MOVQ: osize is the general register's, the 66 prefix tells XMM from MMX,
 * the opcode's bit 4 the direction of a register form (6E loads, 7E stores).
 */
static int movd_x_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t v;

	X86_SSE_CHECK(c);
	if (i->opcode & 0x10) {
		x86_put_gpr(c, i, c->fpu.xmm[i->src & 15].u64[0]);
		return X86_NEXT;
	}
	v = c->gpr[i->src & 15];
	x86_put_xmm(c, i->dst, x86_vec_lo(i->osize == 3 ? v : (uint32_t)v));
	return X86_NEXT;
}

static int movd_m_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t v;

	X86_MMX_CHECK(c);
	if (i->opcode & 0x10) {
		x86_put_gpr(c, i, c->fpu.r[i->src & 7].mant);
		x86_mmx_enter(c);
		return X86_NEXT;
	}
	v = c->gpr[i->src & 15];
	x86_put_mmx(c, i->dst, i->osize == 3 ? v : (uint32_t)v);
	return X86_NEXT;
}

static int movd_m_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_MMX_CHECK(c);
	if (!(i->osize == 3 ? x86_load_lo8(c, i, &v) : x86_load_lo4(c, i, &v)))
		return X86_ABORT;
	x86_put_mmx(c, i->dst, (uint64_t)v[0]);
	return X86_NEXT;
}

static int movd_m_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t v = c->fpu.r[i->src & 7].mant;

	X86_MMX_CHECK(c);
	if (!(i->osize == 3 ? x86_store_lo8(c, i, v) : x86_store_lo4(c, i, v)))
		return X86_ABORT;
	x86_mmx_enter(c);
	return X86_NEXT;
}

static int movd_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	return i->flags & X86_F_66 ? movd_x_rr(c, i) : movd_m_rr(c, i);
}

static int movd_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	if (!(i->flags & X86_F_66))
		return movd_m_rm(c, i);
	return i->osize == 3 ? mov_lo8_rm(c, i) : mov_lo4_rm(c, i);
}

static int movd_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	if (!(i->flags & X86_F_66))
		return movd_m_mr(c, i);
	return i->osize == 3 ? mov_lo8_mr(c, i) : mov_lo4_mr(c, i);
}

static int movq2dq_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	X86_MMX_CHECK(c);
	x86_put_xmm(c, i->dst, x86_get_mmx(c, i->src));
	x86_mmx_enter(c);
	return X86_NEXT;
}

static int movdq2q_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	X86_MMX_CHECK(c);
	x86_put_mmx(c, i->dst, c->fpu.xmm[i->src & 15].u64[0]);
	return X86_NEXT;
}

/* MOVNTI stores a general register and is not subject to CR0.EM and CR0.TS. */
static int movnti_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t v = c->gpr[i->src & 15];
	bool ok = i->osize == 3 ? x86_store_lo8(c, i, v) : x86_store_lo4(c, i, v);

	return ok ? X86_NEXT : X86_ABORT;
}

/* -- byte-masked stores ------------------------------------------------------------------- */

/*
 * Bytes that are masked out are not even rewritten: another vcpu may be writing them.
 */
int x86_masked_store(struct x86_cpu *c, const struct x86_insn *i, const uint8_t *data,
		     const uint8_t *mask, unsigned int bytes)
{
	uint64_t off = c->gpr[X86_RDI];
	unsigned int at = 0, run;
	gva_t gva;

	if (i->asize < 3)
		off = i->asize == 2 ? (uint32_t)off : (uint16_t)off;
	if (!x86_linear(c, i->seg, off, bytes, true, &gva) || !x86_probe_area(c, gva, bytes))
		return X86_ABORT;
	while (at < bytes) {
		for (run = 0; at + run < bytes && (mask[at + run] & 0x80); run++)
			;
		if (run && !x86_put_bytes(c, gva + at, data + at, run))
			return X86_ABORT;
		at += run + 1;
	}
	return X86_NEXT;
}

static int maskmovdqu(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_masked_store(c, i, c->fpu.xmm[i->dst & 15].u8, c->fpu.xmm[i->src & 15].u8, 16);
}

static int maskmovq(struct x86_cpu *c, const struct x86_insn *i)
{
	int ret;

	X86_MMX_CHECK(c);
	ret = x86_masked_store(c, i, (const uint8_t *)&c->fpu.r[i->dst & 7].mant,
			       (const uint8_t *)&c->fpu.r[i->src & 7].mant, 8);
	if (ret == X86_NEXT)
		x86_mmx_enter(c);
	return ret;
}

/* -- masks of sign bits ------------------------------------------------------------------- */

#define MOVMSK(op, ins) \
	static int x_##op(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint32_t r; \
		X86_SSE_CHECK(c); \
		__asm__(ins " %1, %0" : "=r"(r) : "x"(x86_get_xmm(c, i->src))); \
		c->gpr[i->dst & 15] = r; \
		return X86_NEXT; \
	}
MOVMSK(MOVMSKPS, "movmskps")
MOVMSK(MOVMSKPD, "movmskpd")
MOVMSK(PMOVMSKB, "pmovmskb")

static int pmovmskb(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t r;

	if (i->flags & X86_F_66)
		return x_PMOVMSKB(c, i);
	X86_MMX_CHECK(c);
	__asm__("pmovmskb %1, %0" : "=r"(r) : "x"(x86_get_mmx(c, i->src)));
	c->gpr[i->dst & 15] = r;
	x86_mmx_enter(c);
	return X86_NEXT;
}

/* -- duplicate, unpack, shuffle ----------------------------------------------------------- */

/* X(operation, host instruction, memory loader) */
/* clang-format off */
#define MOVE_BINARY(X) \
	X(MOVSLDUP, "movsldup", x86_load_a16) \
	X(MOVSHDUP, "movshdup", x86_load_a16) \
	X(MOVDDUP, "movddup", x86_load_lo8) \
	X(UNPCKLPS, "unpcklps", x86_load_a16) \
	X(UNPCKHPS, "unpckhps", x86_load_a16) \
	X(UNPCKLPD, "unpcklpd", x86_load_a16) \
	X(UNPCKHPD, "unpckhpd", x86_load_a16)
/* clang-format on */
#define DEFINE(op, ins, load) \
	X86_VEC_KERNEL(op, ins) \
	X86_VEC_XMM(op, load)
MOVE_BINARY(DEFINE)
#undef DEFINE

X86_IMM_STUBS(SHUFPS, 256, 8, "shufps $x86_imm, %xmm1, %xmm0")
X86_IMM_STUBS(SHUFPD, 256, 8, "shufpd $x86_imm, %xmm1, %xmm0")
X86_IMM_XMM(SHUFPS, x86_load_a16)
X86_IMM_XMM(SHUFPD, x86_load_a16)

/* clang-format off */
#define ROW(op, form, osize, fn) { X86_OP_##op, X86_FORM_##form, osize, fn }
#define MOVE_ALIGNED(op) \
	ROW(op, RR, X86_ANY, mov_vec_rr), ROW(op, RM, X86_ANY, mova_rm), ROW(op, MR, X86_ANY, mova_mr)
#define MOVE_UNALIGNED(op) \
	ROW(op, RR, X86_ANY, mov_vec_rr), ROW(op, RM, X86_ANY, movu_rm), ROW(op, MR, X86_ANY, movu_mr)
#define BINARY_ROW(op, ins, load) X86_VEC_XMM_ROWS(op, X86_ANY)

static const struct x86_exec_row rows[] = {
	MOVE_ALIGNED(MOVAPS), MOVE_ALIGNED(MOVAPD), MOVE_ALIGNED(MOVDQA),
	MOVE_UNALIGNED(MOVUPS), MOVE_UNALIGNED(MOVUPD), MOVE_UNALIGNED(MOVDQU),
	ROW(LDDQU, RM, X86_ANY, movu_rm),
	ROW(MOVNTPS, MR, X86_ANY, mova_mr), ROW(MOVNTPD, MR, X86_ANY, mova_mr),
	ROW(MOVNTDQ, MR, X86_ANY, mova_mr), ROW(MOVNTDQA, RM, X86_ANY, mova_rm),
	ROW(MOVNTQ, MR, X86_ANY, movq_m_mr), ROW(MOVNTI, MR, X86_ANY, movnti_mr),
	ROW(MOVSS, RR, X86_ANY, movss_rr), ROW(MOVSS, RM, X86_ANY, mov_lo4_rm),
	ROW(MOVSS, MR, X86_ANY, mov_lo4_mr),
	ROW(MOVSD_X, RR, X86_ANY, movsd_rr), ROW(MOVSD_X, RM, X86_ANY, mov_lo8_rm),
	ROW(MOVSD_X, MR, X86_ANY, mov_lo8_mr),
	ROW(MOVLPS, RM, X86_ANY, mov_half_lo_rm), ROW(MOVLPS, MR, X86_ANY, mov_lo8_mr),
	ROW(MOVLPD, RM, X86_ANY, mov_half_lo_rm), ROW(MOVLPD, MR, X86_ANY, mov_lo8_mr),
	ROW(MOVHPS, RM, X86_ANY, mov_half_hi_rm), ROW(MOVHPS, MR, X86_ANY, mov_hi8_mr),
	ROW(MOVHPD, RM, X86_ANY, mov_half_hi_rm), ROW(MOVHPD, MR, X86_ANY, mov_hi8_mr),
	ROW(MOVHLPS, RR, X86_ANY, movhlps_rr), ROW(MOVLHPS, RR, X86_ANY, movlhps_rr),
	ROW(MOVD, RR, X86_ANY, movd_rr), ROW(MOVD, RM, X86_ANY, movd_rm), ROW(MOVD, MR, X86_ANY, movd_mr),
	ROW(MOVQ, RR, X86_ANY, movd_rr), ROW(MOVQ, RM, X86_ANY, movd_rm), ROW(MOVQ, MR, X86_ANY, movd_mr),
	ROW(MOVQ_LOAD, RR, 4, movq_x_rr), ROW(MOVQ_LOAD, RM, 4, mov_lo8_rm),
	ROW(MOVQ_LOAD, RR, 3, movq_m_rr), ROW(MOVQ_LOAD, RM, 3, movq_m_rm),
	ROW(MOVQ_STORE, RR, 4, movq_x_rr), ROW(MOVQ_STORE, MR, 4, mov_lo8_mr),
	ROW(MOVQ_STORE, RR, 3, movq_m_rr), ROW(MOVQ_STORE, MR, 3, movq_m_mr),
	ROW(MOVQ2DQ, RR, X86_ANY, movq2dq_rr), ROW(MOVDQ2Q, RR, X86_ANY, movdq2q_rr),
	ROW(MASKMOVDQU, RR, X86_ANY, maskmovdqu), ROW(MASKMOVQ, RR, X86_ANY, maskmovq),
	ROW(MOVMSKPS, RR, X86_ANY, x_MOVMSKPS), ROW(MOVMSKPD, RR, X86_ANY, x_MOVMSKPD),
	ROW(PMOVMSKB, RR, X86_ANY, pmovmskb),
	MOVE_BINARY(BINARY_ROW)
	X86_IMM_XMM_ROWS(SHUFPS, X86_ANY)
	X86_IMM_XMM_ROWS(SHUFPD, X86_ANY)
};
/* clang-format on */

const struct x86_exec_table x86_exec_sse_move = { rows, HVM_ARRAY_SIZE(rows) };
