/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_sse_fp.c - SSE to SSE4.1 floating-point arithmetic, compares and conversions.
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 *
 * Each operation runs the same host instruction under the thread's own MXCSR (round to nearest, all
 * masked). When that was not exact for the guest (x86_fp_settled()) it is run again under the
 * guest's control bits by x86_fp_rerun(), which also raises the guest's #XM. Kernels are volatile
 * asm, so that the compiler keeps them between the reads and writes of MXCSR.
 * Source: Intel SDM Vol 1 ch. 10 to 12, 11.5 "SSE, SSE2, and SSE3 Exceptions"; Vol 2.
 */
#include "x86/exec_sse.h"

/* -- the guest's MXCSR -------------------------------------------------------------------- */

bool x86_fp_lanes_tiny(x86_vec v, enum x86_tiny tiny)
{
	struct x86_xmm x;
	unsigned int n;

	*(x86_vec *)&x = v;
	switch (tiny) {
	case X86_TINY_NONE: break;
	case X86_TINY_SS:
	case X86_TINY_PS:
		for (n = 0; n < (tiny == X86_TINY_PS ? 4 : 1); n++)
			if (!(x.u32[n] & 0x7f800000) && (x.u32[n] & 0x007fffff))
				return true;
		break;
	case X86_TINY_SD:
	case X86_TINY_PD:
		for (n = 0; n < (tiny == X86_TINY_PD ? 2 : 1); n++)
			if (!(x.u64[n] & 0x7ff0000000000000) && (x.u64[n] & 0x000fffffffffffff))
				return true;
		break;
	}
	return false;
}

bool x86_fp_account(struct x86_cpu *c, uint32_t flags, bool tiny, uint32_t *ret_mxcsr)
{
	uint32_t unmasked = ~(c->fpu.mxcsr >> X86_MXCSR_MASK_SHIFT) & X86_MXCSR_FLAGS;

	/* A tiny but exact result underflows only when unmasked, which the host was not. */
	if ((unmasked & X86_FP_UE) && tiny)
		flags |= X86_FP_UE;
	/*
	 * PE next to an unmasked overflow or underflow is the masked response's: whether the result
	 * of unbounded exponent was inexact cannot be seen here.
	 */
	/* An unmasked fault on an operand comes before anything of the result is looked at. */
	if (flags & unmasked & (X86_FP_IE | X86_FP_DE | X86_FP_ZE))
		flags &= X86_FP_IE | X86_FP_DE | X86_FP_ZE;
	*ret_mxcsr = c->fpu.mxcsr | flags;
	if (hvm_likely(!(flags & unmasked)))
		return true;
	c->fpu.mxcsr |= flags;
	x86_raise(c, c->cr4 & X86_CR4_OSXMMEXCPT ? X86_XM : X86_UD);
	return false;
}

bool x86_fp_rerun(struct x86_cpu *c, x86_vec_fn kernel, x86_vec a, x86_vec b, enum x86_tiny tiny,
		  x86_vec *ret)
{
	uint32_t host, run;

	__asm__ volatile("stmxcsr %0" : "=m"(host));
	run = (c->fpu.mxcsr & X86_MXCSR_CONTROL) | X86_MXCSR_MASKS;
	host &= X86_MXCSR_CONTROL;
	__asm__ volatile("ldmxcsr %0" : : "m"(run));
	*ret = kernel(a, b);
	__asm__ volatile("stmxcsr %0" : "=m"(run));
	__asm__ volatile("ldmxcsr %0" : : "m"(host));
	return x86_fp_account(c, run & X86_MXCSR_FLAGS, x86_fp_lanes_tiny(*ret, tiny),
			      &c->fpu.mxcsr);
}

/* result = kernel(a, b) under the guest's MXCSR, or return X86_ABORT. */
#define FP_RUN(c, result, kernel, a, b, tiny) \
	do { \
		(result) = kernel(a, b); \
		if (hvm_unlikely(!x86_fp_settled(c))) { \
			x86_vec exact; \
			if (!x86_fp_rerun(c, kernel, a, b, tiny, &exact)) \
				return X86_ABORT; \
			(result) = exact; \
		} \
	} while (0)

#define FP_KERNEL(op, ins) \
	static x86_vec k_##op(x86_vec a, x86_vec b) \
	{ \
		__asm__ volatile(ins " %1, %0" : "+x"(a) : "x"(b)); \
		return a; \
	}

/* -- dst = dst op src, and dst = op src --------------------------------------------------- */

#define FP_DEFINE(op, ins, load, tiny) \
	FP_KERNEL(op, ins) \
	static int x_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		a = x86_get_xmm(c, i->dst); \
		b = x86_get_xmm(c, i->src); \
		FP_RUN(c, r, k_##op, a, b, tiny); \
		x86_put_xmm(c, i->dst, r); \
		return X86_NEXT; \
	} \
	static int x_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		a = x86_get_xmm(c, i->dst); \
		FP_RUN(c, r, k_##op, a, b, tiny); \
		x86_put_xmm(c, i->dst, r); \
		return X86_NEXT; \
	}

/* X(operation, host instruction, memory loader, which lanes can underflow) */
/* clang-format off */
#define FP_ARITH(X, op, ins) \
	X(op##PS, ins "ps", x86_load_a16, X86_TINY_PS) \
	X(op##PD, ins "pd", x86_load_a16, X86_TINY_PD) \
	X(op##SS, ins "ss", x86_load_lo4, X86_TINY_SS) \
	X(op##SD, ins "sd", x86_load_lo8, X86_TINY_SD)
#define FP_COMPARE(X, op, ins) \
	X(op##PS, ins "ps", x86_load_a16, X86_TINY_NONE) \
	X(op##PD, ins "pd", x86_load_a16, X86_TINY_NONE) \
	X(op##SS, ins "ss", x86_load_lo4, X86_TINY_NONE) \
	X(op##SD, ins "sd", x86_load_lo8, X86_TINY_NONE)
#define FP_OPS(X) \
	FP_ARITH(X, ADD, "add") \
	FP_ARITH(X, SUB, "sub") \
	FP_ARITH(X, MUL, "mul") \
	FP_ARITH(X, DIV, "div") \
	FP_COMPARE(X, MIN, "min") \
	FP_COMPARE(X, MAX, "max") \
	FP_COMPARE(X, SQRT, "sqrt") \
	X(HADDPS, "haddps", x86_load_a16, X86_TINY_PS) \
	X(HADDPD, "haddpd", x86_load_a16, X86_TINY_PD) \
	X(HSUBPS, "hsubps", x86_load_a16, X86_TINY_PS) \
	X(HSUBPD, "hsubpd", x86_load_a16, X86_TINY_PD) \
	X(ADDSUBPS, "addsubps", x86_load_a16, X86_TINY_PS) \
	X(ADDSUBPD, "addsubpd", x86_load_a16, X86_TINY_PD) \
	X(CVTPS2PD, "cvtps2pd", x86_load_lo8, X86_TINY_NONE) \
	X(CVTPD2PS, "cvtpd2ps", x86_load_a16, X86_TINY_PS) \
	X(CVTSS2SD, "cvtss2sd", x86_load_lo4, X86_TINY_NONE) \
	X(CVTSD2SS, "cvtsd2ss", x86_load_lo8, X86_TINY_SS) \
	X(CVTDQ2PS, "cvtdq2ps", x86_load_a16, X86_TINY_NONE) \
	X(CVTPS2DQ, "cvtps2dq", x86_load_a16, X86_TINY_NONE) \
	X(CVTTPS2DQ, "cvttps2dq", x86_load_a16, X86_TINY_NONE) \
	X(CVTDQ2PD, "cvtdq2pd", x86_load_lo8, X86_TINY_NONE) \
	X(CVTPD2DQ, "cvtpd2dq", x86_load_a16, X86_TINY_NONE) \
	X(CVTTPD2DQ, "cvttpd2dq", x86_load_a16, X86_TINY_NONE)
FP_OPS(FP_DEFINE)

/* No flags, no exceptions: bitwise, and the 12-bit approximations. */
#define PLAIN_OPS(X) \
	X(ANDPS, "andps", x86_load_a16) \
	X(ANDPD, "andpd", x86_load_a16) \
	X(ANDNPS, "andnps", x86_load_a16) \
	X(ANDNPD, "andnpd", x86_load_a16) \
	X(ORPS, "orps", x86_load_a16) \
	X(ORPD, "orpd", x86_load_a16) \
	X(XORPS, "xorps", x86_load_a16) \
	X(XORPD, "xorpd", x86_load_a16) \
	X(RSQRTPS, "rsqrtps", x86_load_a16) \
	X(RSQRTSS, "rsqrtss", x86_load_lo4) \
	X(RCPPS, "rcpps", x86_load_a16) \
	X(RCPSS, "rcpss", x86_load_lo4)
/* clang-format on */
#define PLAIN_DEFINE(op, ins, load) \
	X86_VEC_KERNEL(op, ins) \
	X86_VEC_XMM(op, load)
PLAIN_OPS(PLAIN_DEFINE)

/* -- with an immediate -------------------------------------------------------------------- */

/*
 * A dot product is several operations to the processor: with unmasked exceptions it stops after the
 * step that raises one, which is not seen here (the flags are those of all steps).
 */
/* CMPxx looks at 3 bits, ROUNDxx at 4; the others are reserved and ignored by the processor. */
#define FP_IMM_DEFINE(op, ins, load, mask, tiny) \
	X86_IMM_STUBS(op, (mask) + 1, 8, ins " $x86_imm, %xmm1, %xmm0") \
	static int x_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec_fn kernel = stub_##op((uint8_t)i->imm & (mask)); \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		a = x86_get_xmm(c, i->dst); \
		b = x86_get_xmm(c, i->src); \
		FP_RUN(c, r, kernel, a, b, tiny); \
		x86_put_xmm(c, i->dst, r); \
		return X86_NEXT; \
	} \
	static int x_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec_fn kernel = stub_##op((uint8_t)i->imm & (mask)); \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		a = x86_get_xmm(c, i->dst); \
		FP_RUN(c, r, kernel, a, b, tiny); \
		x86_put_xmm(c, i->dst, r); \
		return X86_NEXT; \
	}
/* clang-format off */
#define FP_IMM_OPS(X) \
	X(CMPPS, "cmpps", x86_load_a16, 7, X86_TINY_NONE) \
	X(CMPPD, "cmppd", x86_load_a16, 7, X86_TINY_NONE) \
	X(CMPSS, "cmpss", x86_load_lo4, 7, X86_TINY_NONE) \
	X(CMPSD_X, "cmpsd", x86_load_lo8, 7, X86_TINY_NONE) \
	X(ROUNDPS, "roundps", x86_load_a16, 15, X86_TINY_NONE) \
	X(ROUNDPD, "roundpd", x86_load_a16, 15, X86_TINY_NONE) \
	X(ROUNDSS, "roundss", x86_load_lo4, 15, X86_TINY_NONE) \
	X(ROUNDSD, "roundsd", x86_load_lo8, 15, X86_TINY_NONE) \
	X(DPPS, "dpps", x86_load_a16, 0xff, X86_TINY_PS) \
	X(DPPD, "dppd", x86_load_a16, 0xff, X86_TINY_PD)
/* clang-format on */
FP_IMM_OPS(FP_IMM_DEFINE)

/* -- compares into EFLAGS ----------------------------------------------------------------- */

/* LAHF's byte is c->arith's high byte; OF, SF and AF are cleared by the instruction. */
#define FP_COMI_DEFINE(op, ins, load) \
	static x86_vec k_##op(x86_vec a, x86_vec b) \
	{ \
		uint64_t ax = 0; \
		__asm__ volatile(ins " %2, %1\n\tlahf" : "+a"(ax) : "x"(a), "x"(b) : "cc"); \
		return x86_vec_lo(ax); \
	} \
	static int x_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		a = x86_get_xmm(c, i->dst); \
		b = x86_get_xmm(c, i->src); \
		FP_RUN(c, r, k_##op, a, b, X86_TINY_NONE); \
		c->arith = (uint16_t)r[0]; \
		return X86_NEXT; \
	} \
	static int x_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		a = x86_get_xmm(c, i->dst); \
		FP_RUN(c, r, k_##op, a, b, X86_TINY_NONE); \
		c->arith = (uint16_t)r[0]; \
		return X86_NEXT; \
	}
/* clang-format off */
#define FP_COMI_OPS(X) \
	X(COMISS, "comiss", x86_load_lo4) \
	X(COMISD, "comisd", x86_load_lo8) \
	X(UCOMISS, "ucomiss", x86_load_lo4) \
	X(UCOMISD, "ucomisd", x86_load_lo8)
/* clang-format on */
FP_COMI_OPS(FP_COMI_DEFINE)

/* -- general register to scalar ----------------------------------------------------------- */

/* Kernels take the integer in the low quadword of b. */
#define FP_FROM_GPR_DEFINE(op, ins) \
	static x86_vec k_##op##_l(x86_vec a, x86_vec b) \
	{ \
		__asm__ volatile(ins "l %1, %0" : "+x"(a) : "r"((int32_t)b[0])); \
		return a; \
	} \
	static x86_vec k_##op##_q(x86_vec a, x86_vec b) \
	{ \
		__asm__ volatile(ins "q %1, %0" : "+x"(a) : "r"((int64_t)b[0])); \
		return a; \
	} \
	FP_FROM_GPR_SIZE(op, l, x86_load_lo4) \
	FP_FROM_GPR_SIZE(op, q, x86_load_lo8)
#define FP_FROM_GPR_SIZE(op, size, load) \
	static int x_##op##_##size##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		a = x86_get_xmm(c, i->dst); \
		b = x86_vec_lo(c->gpr[i->src & 15]); \
		FP_RUN(c, r, k_##op##_##size, a, b, X86_TINY_NONE); \
		x86_put_xmm(c, i->dst, r); \
		return X86_NEXT; \
	} \
	static int x_##op##_##size##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		a = x86_get_xmm(c, i->dst); \
		FP_RUN(c, r, k_##op##_##size, a, b, X86_TINY_NONE); \
		x86_put_xmm(c, i->dst, r); \
		return X86_NEXT; \
	}
FP_FROM_GPR_DEFINE(CVTSI2SS, "cvtsi2ss")
FP_FROM_GPR_DEFINE(CVTSI2SD, "cvtsi2sd")

/* -- scalar to general register ----------------------------------------------------------- */

#define FP_TO_GPR_DEFINE(op, ins, load) \
	static x86_vec k_##op##_l(x86_vec a, x86_vec b) \
	{ \
		uint32_t r; \
		(void)a; \
		__asm__ volatile(ins "l %1, %k0" : "=r"(r) : "x"(b)); \
		return x86_vec_lo(r); \
	} \
	static x86_vec k_##op##_q(x86_vec a, x86_vec b) \
	{ \
		uint64_t r; \
		(void)a; \
		__asm__ volatile(ins "q %1, %q0" : "=r"(r) : "x"(b)); \
		return x86_vec_lo(r); \
	} \
	FP_TO_GPR_SIZE(op, l, load) \
	FP_TO_GPR_SIZE(op, q, load)
#define FP_TO_GPR_SIZE(op, size, load) \
	static int x_##op##_##size##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec b, r; \
		X86_SSE_CHECK(c); \
		b = x86_get_xmm(c, i->src); \
		FP_RUN(c, r, k_##op##_##size, b, b, X86_TINY_NONE); \
		c->gpr[i->dst & 15] = (uint64_t)r[0]; \
		return X86_NEXT; \
	} \
	static int x_##op##_##size##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec b, r; \
		X86_SSE_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		FP_RUN(c, r, k_##op##_##size, b, b, X86_TINY_NONE); \
		c->gpr[i->dst & 15] = (uint64_t)r[0]; \
		return X86_NEXT; \
	}
FP_TO_GPR_DEFINE(CVTTSS2SI, "cvttss2si", x86_load_lo4)
FP_TO_GPR_DEFINE(CVTTSD2SI, "cvttsd2si", x86_load_lo8)
FP_TO_GPR_DEFINE(CVTSS2SI, "cvtss2si", x86_load_lo4)
FP_TO_GPR_DEFINE(CVTSD2SI, "cvtsd2si", x86_load_lo8)

/* -- between MMX and XMM ------------------------------------------------------------------ */

/* CVTPI2PS replaces the low half; the zero upper source lanes raise nothing. */
static x86_vec k_CVTPI2PS(x86_vec a, x86_vec b)
{
	x86_vec r = k_CVTDQ2PS(b, b);

	return (x86_vec){ r[0], a[1] };
}

/*
 * From memory there is no MMX operand, and the x87 state stays as it is (so processors do, also for
 * CVTPI2PS, where the manual does not say it).
 */
#define FP_FROM_MMX_DEFINE(op, kernel) \
	static int x_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		X86_MMX_CHECK(c); \
		a = x86_get_xmm(c, i->dst); \
		b = x86_get_mmx(c, i->src); \
		FP_RUN(c, r, kernel, a, b, X86_TINY_NONE); \
		x86_mmx_enter(c); \
		x86_put_xmm(c, i->dst, r); \
		return X86_NEXT; \
	} \
	static int x_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec a, b, r; \
		X86_SSE_CHECK(c); \
		if (!x86_load_lo8(c, i, &b)) \
			return X86_ABORT; \
		a = x86_get_xmm(c, i->dst); \
		FP_RUN(c, r, kernel, a, b, X86_TINY_NONE); \
		x86_put_xmm(c, i->dst, r); \
		return X86_NEXT; \
	}
FP_FROM_MMX_DEFINE(CVTPI2PS, k_CVTPI2PS)
FP_FROM_MMX_DEFINE(CVTPI2PD, k_CVTDQ2PD)

#define FP_TO_MMX_DEFINE(op, kernel, load, lanes) \
	static int x_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec b, r; \
		X86_SSE_CHECK(c); \
		X86_MMX_CHECK(c); \
		b = x86_get_xmm(c, i->src); \
		if ((lanes) == 2) /* the upper floats are not an operand */ \
			b[1] = 0; \
		FP_RUN(c, r, kernel, b, b, X86_TINY_NONE); \
		x86_put_mmx(c, i->dst, (uint64_t)r[0]); \
		return X86_NEXT; \
	} \
	static int x_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec b, r; \
		X86_SSE_CHECK(c); \
		X86_MMX_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		FP_RUN(c, r, kernel, b, b, X86_TINY_NONE); \
		x86_put_mmx(c, i->dst, (uint64_t)r[0]); \
		return X86_NEXT; \
	}
FP_TO_MMX_DEFINE(CVTPS2PI, k_CVTPS2DQ, x86_load_lo8, 2)
FP_TO_MMX_DEFINE(CVTTPS2PI, k_CVTTPS2DQ, x86_load_lo8, 2)
FP_TO_MMX_DEFINE(CVTPD2PI, k_CVTPD2DQ, x86_load_a16, 4)
FP_TO_MMX_DEFINE(CVTTPD2PI, k_CVTTPD2DQ, x86_load_a16, 4)

/* -- the table ---------------------------------------------------------------------------- */

/* clang-format off */
#define FP_ROW(op, ins, load, tiny) X86_VEC_XMM_ROWS(op, X86_ANY)
#define PLAIN_ROW(op, ins, load) X86_VEC_XMM_ROWS(op, X86_ANY)
#define IMM_ROW(op, ins, load, mask, tiny) X86_IMM_XMM_ROWS(op, X86_ANY)
#define GPR_ROWS(op) \
	{ X86_OP_##op, X86_FORM_RR, 2, x_##op##_l_rr }, { X86_OP_##op, X86_FORM_RM, 2, x_##op##_l_rm }, \
	{ X86_OP_##op, X86_FORM_RR, 3, x_##op##_q_rr }, { X86_OP_##op, X86_FORM_RM, 3, x_##op##_q_rm },

static const struct x86_exec_row rows[] = {
	FP_OPS(FP_ROW)
	PLAIN_OPS(PLAIN_ROW)
	FP_IMM_OPS(IMM_ROW)
	FP_COMI_OPS(PLAIN_ROW)
	GPR_ROWS(CVTSI2SS)
	GPR_ROWS(CVTSI2SD)
	GPR_ROWS(CVTTSS2SI)
	GPR_ROWS(CVTTSD2SI)
	GPR_ROWS(CVTSS2SI)
	GPR_ROWS(CVTSD2SI)
	X86_VEC_XMM_ROWS(CVTPI2PS, X86_ANY)
	X86_VEC_XMM_ROWS(CVTPI2PD, X86_ANY)
	X86_VEC_XMM_ROWS(CVTPS2PI, X86_ANY)
	X86_VEC_XMM_ROWS(CVTTPS2PI, X86_ANY)
	X86_VEC_XMM_ROWS(CVTPD2PI, X86_ANY)
	X86_VEC_XMM_ROWS(CVTTPD2PI, X86_ANY)
};
/* clang-format on */

const struct x86_exec_table x86_exec_sse_fp = { rows, HVM_ARRAY_SIZE(rows) };
