/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_sse_int.c - packed integer operations of MMX, SSE and SSE2 (what has only an XMM form and
 * came later is in exec_sse4.c).
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 * Source: Intel SDM Vol 2 "PACKSSWB" ... "PXOR"; Vol 1 9.2 "The MMX Technology Programming
 * Environment".
 */
#include "os/hvm_os.h"
#include "x86/exec_sse.h"

/* -- availability ------------------------------------------------------------------------- */

int x86_sse_refuse(struct x86_cpu *c)
{
	if ((c->cr0 & X86_CR0_EM) || !(c->cr4 & X86_CR4_OSFXSR))
		return x86_raise(c, X86_UD);
	return x86_raise(c, X86_NM);
}

int x86_mmx_refuse(struct x86_cpu *c)
{
	if (c->cr0 & X86_CR0_EM)
		return x86_raise(c, X86_UD);
	return x86_fpu_refuse(c, true);
}

/* -- the same in each lane: the MMX form is the low half of the XMM form ------------------ */

/* X(operation, host instruction) */
/* clang-format off */
#define LANE_OPS(X) \
	X(PADDB, "paddb") X(PADDW, "paddw") X(PADDD, "paddd") X(PADDQ, "paddq") \
	X(PADDSB, "paddsb") X(PADDSW, "paddsw") X(PADDUSB, "paddusb") X(PADDUSW, "paddusw") \
	X(PSUBB, "psubb") X(PSUBW, "psubw") X(PSUBD, "psubd") X(PSUBQ, "psubq") \
	X(PSUBSB, "psubsb") X(PSUBSW, "psubsw") X(PSUBUSB, "psubusb") X(PSUBUSW, "psubusw") \
	X(PMULLW, "pmullw") X(PMULHW, "pmulhw") X(PMULHUW, "pmulhuw") X(PMULUDQ, "pmuludq") \
	X(PMADDWD, "pmaddwd") X(PSADBW, "psadbw") X(PAVGB, "pavgb") X(PAVGW, "pavgw") \
	X(PMINUB, "pminub") X(PMINSW, "pminsw") X(PMAXUB, "pmaxub") X(PMAXSW, "pmaxsw") \
	X(PCMPGTB, "pcmpgtb") X(PCMPGTW, "pcmpgtw") X(PCMPGTD, "pcmpgtd") \
	X(PCMPEQB, "pcmpeqb") X(PCMPEQW, "pcmpeqw") X(PCMPEQD, "pcmpeqd") \
	X(PAND, "pand") X(PANDN, "pandn") X(POR, "por") X(PXOR, "pxor") \
	X(PMADDUBSW, "pmaddubsw") X(PMULHRSW, "pmulhrsw") \
	X(PSIGNB, "psignb") X(PSIGNW, "psignw") X(PSIGND, "psignd") \
	X(PABSB, "pabsb") X(PABSW, "pabsw") X(PABSD, "pabsd")
/* clang-format on */
#define LANE_DEFINE(op, ins) \
	X86_VEC_KERNEL(op, ins) \
	X86_VEC_XMM(op, x86_load_a16) \
	X86_VEC_MMX(op, k_##op, x86_load_lo8)
LANE_OPS(LANE_DEFINE)

/* -- interleave --------------------------------------------------------------------------- */

/* clang-format off */
#define UNPACK_OPS(X) \
	X(PUNPCKLBW, "punpcklbw") X(PUNPCKLWD, "punpcklwd") X(PUNPCKLDQ, "punpckldq") \
	X(PUNPCKLQDQ, "punpcklqdq") X(PUNPCKHBW, "punpckhbw") X(PUNPCKHWD, "punpckhwd") \
	X(PUNPCKHDQ, "punpckhdq") X(PUNPCKHQDQ, "punpckhqdq")
/* clang-format on */
#define UNPACK_DEFINE(op, ins) \
	X86_VEC_KERNEL(op, ins) \
	X86_VEC_XMM(op, x86_load_a16)
UNPACK_OPS(UNPACK_DEFINE)

/* The MMX high forms are the high half of what the XMM low form makes of two quadwords. */
#define UNPACK_HIGH(name, low) \
	static inline x86_vec name(x86_vec a, x86_vec b) \
	{ \
		return x86_vec_lo((uint64_t)low(a, b)[1]); \
	}
UNPACK_HIGH(k_mmx_hbw, k_PUNPCKLBW)
UNPACK_HIGH(k_mmx_hwd, k_PUNPCKLWD)
UNPACK_HIGH(k_mmx_hdq, k_PUNPCKLDQ)
/* The low forms read only 4 bytes of memory. */
X86_VEC_MMX(PUNPCKLBW, k_PUNPCKLBW, x86_load_lo4)
X86_VEC_MMX(PUNPCKLWD, k_PUNPCKLWD, x86_load_lo4)
X86_VEC_MMX(PUNPCKLDQ, k_PUNPCKLDQ, x86_load_lo4)
X86_VEC_MMX(PUNPCKHBW, k_mmx_hbw, x86_load_lo8)
X86_VEC_MMX(PUNPCKHWD, k_mmx_hwd, x86_load_lo8)
X86_VEC_MMX(PUNPCKHDQ, k_mmx_hdq, x86_load_lo8)

/* -- two sources side by side: packs and horizontal sums ---------------------------------- */

/*
 * The XMM form makes the low half of its result of the first operand: with dst:src as the first
 * operand, that half is the MMX result.
 */
/* clang-format off */
#define JOIN_OPS(X) \
	X(PACKSSWB, "packsswb") X(PACKSSDW, "packssdw") X(PACKUSWB, "packuswb") \
	X(PHADDW, "phaddw") X(PHADDD, "phaddd") X(PHADDSW, "phaddsw") \
	X(PHSUBW, "phsubw") X(PHSUBD, "phsubd") X(PHSUBSW, "phsubsw")
/* clang-format on */
#define JOIN_DEFINE(op, ins) \
	X86_VEC_KERNEL(op, ins) \
	X86_VEC_XMM(op, x86_load_a16) \
	static inline x86_vec k_mmx_##op(x86_vec a, x86_vec b) \
	{ \
		x86_vec both = { a[0], b[0] }; \
		return k_##op(both, both); \
	} \
	X86_VEC_MMX(op, k_mmx_##op, x86_load_lo8)
JOIN_OPS(JOIN_DEFINE)

/* -- shifts ------------------------------------------------------------------------------- */

/* The count is the low quadword of the source, or an immediate. */
/* clang-format off */
#define SHIFT_OPS(X) \
	X(PSLLW, "psllw") X(PSLLD, "pslld") X(PSLLQ, "psllq") \
	X(PSRLW, "psrlw") X(PSRLD, "psrld") X(PSRLQ, "psrlq") X(PSRAW, "psraw") X(PSRAD, "psrad")
/* clang-format on */
#define SHIFT_DEFINE(op, ins) \
	X86_VEC_KERNEL(op, ins) \
	X86_VEC_XMM(op, x86_load_a16) \
	X86_VEC_MMX(op, k_##op, x86_load_lo8) \
	static int x_##op##_ri(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec n = x86_vec_lo((uint8_t)i->imm); \
		X86_SSE_CHECK(c); \
		x86_put_xmm(c, i->dst, k_##op(x86_get_xmm(c, i->dst), n)); \
		return X86_NEXT; \
	} \
	static int m_##op##_ri(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec n = x86_vec_lo((uint8_t)i->imm), r; \
		X86_MMX_CHECK(c); \
		r = k_##op(x86_get_mmx(c, i->dst), n); \
		x86_put_mmx(c, i->dst, (uint64_t)r[0]); \
		return X86_NEXT; \
	}
SHIFT_OPS(SHIFT_DEFINE)

static int pslldq_ri(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_xmm *x = &c->fpu.xmm[i->dst & 15];
	unsigned int n = (uint8_t)i->imm;
	unsigned __int128 v;

	X86_SSE_CHECK(c);
	memcpy(&v, x, 16);
	v = n < 16 ? v << (8 * n) : 0;
	memcpy(x, &v, 16);
	return X86_NEXT;
}

static int psrldq_ri(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_xmm *x = &c->fpu.xmm[i->dst & 15];
	unsigned int n = (uint8_t)i->imm;
	unsigned __int128 v;

	X86_SSE_CHECK(c);
	memcpy(&v, x, 16);
	v = n < 16 ? v >> (8 * n) : 0;
	memcpy(x, &v, 16);
	return X86_NEXT;
}

/* -- shuffles by immediate ---------------------------------------------------------------- */

X86_IMM_STUBS(PSHUFD, 256, 8, "pshufd $x86_imm, %xmm1, %xmm0")
X86_IMM_STUBS(PSHUFLW, 256, 8, "pshuflw $x86_imm, %xmm1, %xmm0")
X86_IMM_STUBS(PSHUFHW, 256, 8, "pshufhw $x86_imm, %xmm1, %xmm0")
X86_IMM_XMM(PSHUFD, x86_load_a16)
X86_IMM_XMM(PSHUFLW, x86_load_a16)
X86_IMM_XMM(PSHUFHW, x86_load_a16)

static int pshufw_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_MMX_CHECK(c);
	v = x86_get_mmx(c, i->src);
	x86_put_mmx(c, i->dst, (uint64_t)stub_PSHUFLW((uint8_t)i->imm)(v, v)[0]);
	return X86_NEXT;
}

static int pshufw_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_MMX_CHECK(c);
	if (!x86_load_lo8(c, i, &v))
		return X86_ABORT;
	x86_put_mmx(c, i->dst, (uint64_t)stub_PSHUFLW((uint8_t)i->imm)(v, v)[0]);
	return X86_NEXT;
}

/* -- words in and out --------------------------------------------------------------------- */

/* PINSRW and PEXTRW to a register: the 66 prefix tells XMM from MMX. */
static int pinsrw_put(struct x86_cpu *c, const struct x86_insn *i, uint16_t v)
{
	unsigned int shift = ((unsigned int)i->imm & 3) * 16;
	uint64_t mm;

	if (i->flags & X86_F_66) {
		c->fpu.xmm[i->dst & 15].u16[i->imm & 7] = v;
		return X86_NEXT;
	}
	mm = c->fpu.r[i->dst & 7].mant & ~(0xffffull << shift);
	x86_put_mmx(c, i->dst, mm | (uint64_t)v << shift);
	return X86_NEXT;
}

static int pinsrw_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	if (i->flags & X86_F_66)
		X86_SSE_CHECK(c);
	else
		X86_MMX_CHECK(c);
	return pinsrw_put(c, i, (uint16_t)c->gpr[i->src & 15]);
}

static int pinsrw_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	if (i->flags & X86_F_66)
		X86_SSE_CHECK(c);
	else
		X86_MMX_CHECK(c);
	if (!x86_load_lo2(c, i, &v))
		return X86_ABORT;
	return pinsrw_put(c, i, (uint16_t)v[0]);
}

static int pextrw_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	if (i->flags & X86_F_66) {
		X86_SSE_CHECK(c);
		c->gpr[i->dst & 15] = c->fpu.xmm[i->src & 15].u16[i->imm & 7];
		return X86_NEXT;
	}
	X86_MMX_CHECK(c);
	c->gpr[i->dst & 15] = (uint16_t)(c->fpu.r[i->src & 7].mant >> ((i->imm & 3) * 16));
	x86_mmx_enter(c);
	return X86_NEXT;
}

static int pextrw_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_lo2(c, i, c->fpu.xmm[i->src & 15].u16[i->imm & 7]) ? X86_NEXT : X86_ABORT;
}

/* -- the table ---------------------------------------------------------------------------- */

/* clang-format off */
#define BOTH_ROWS(op, ins) X86_VEC_XMM_ROWS(op, 4) X86_VEC_MMX_ROWS(op)
#define XMM_ROWS(op, ins) X86_VEC_XMM_ROWS(op, 4)
#define SHIFT_ROWS(op, ins) \
	BOTH_ROWS(op, ins) \
	{ X86_OP_##op, X86_FORM_RI, 4, x_##op##_ri }, { X86_OP_##op, X86_FORM_RI, 3, m_##op##_ri },

static const struct x86_exec_row rows[] = {
	LANE_OPS(BOTH_ROWS)
	UNPACK_OPS(XMM_ROWS)
	X86_VEC_MMX_ROWS(PUNPCKLBW)
	X86_VEC_MMX_ROWS(PUNPCKLWD)
	X86_VEC_MMX_ROWS(PUNPCKLDQ)
	X86_VEC_MMX_ROWS(PUNPCKHBW)
	X86_VEC_MMX_ROWS(PUNPCKHWD)
	X86_VEC_MMX_ROWS(PUNPCKHDQ)
	JOIN_OPS(BOTH_ROWS)
	SHIFT_OPS(SHIFT_ROWS)
	{ X86_OP_PSLLDQ, X86_FORM_RI, X86_ANY, pslldq_ri },
	{ X86_OP_PSRLDQ, X86_FORM_RI, X86_ANY, psrldq_ri },
	X86_IMM_XMM_ROWS(PSHUFD, X86_ANY)
	X86_IMM_XMM_ROWS(PSHUFLW, X86_ANY)
	X86_IMM_XMM_ROWS(PSHUFHW, X86_ANY)
	{ X86_OP_PSHUFW, X86_FORM_RRI, X86_ANY, pshufw_rr },
	{ X86_OP_PSHUFW, X86_FORM_RMI, X86_ANY, pshufw_rm },
	{ X86_OP_PINSRW, X86_FORM_RRI, X86_ANY, pinsrw_rr },
	{ X86_OP_PINSRW, X86_FORM_RMI, X86_ANY, pinsrw_rm },
	{ X86_OP_PEXTRW, X86_FORM_RRI, X86_ANY, pextrw_rr },
	{ X86_OP_PEXTRW, X86_FORM_MRI, X86_ANY, pextrw_mr },
};
/* clang-format on */

const struct x86_exec_table x86_exec_sse_int = { rows, HVM_ARRAY_SIZE(rows) };
