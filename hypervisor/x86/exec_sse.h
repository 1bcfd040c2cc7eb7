/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_sse.h - what the SSE and MMX handlers share: operand access, availability checks, and the
 * macros that define the register and the memory handler of an operation.
 *
 * The host has the guest's instruction set, so an operation is a "kernel": a function of two
 * vectors around the very same host instruction. MMX forms run the XMM instruction on the low
 * quadword, so that the host's x87 state is never touched. Private to exec_sse_*.c and
 * exec_fpstate.c.
 */
#ifndef X86_EXEC_SSE_H
#define X86_EXEC_SSE_H

#include "exec.h"
#include "exec_fp.h"

typedef long long x86_vec __attribute__((vector_size(16), may_alias));
typedef long long x86_vec_u __attribute__((vector_size(16), may_alias, aligned(1)));

typedef x86_vec (*x86_vec_fn)(x86_vec dst, x86_vec src);

/* #UD, #NM or #MF for an SSE or MMX instruction that may not run now. Always X86_ABORT. */
int x86_sse_refuse(struct x86_cpu *c);

/* May an SSE instruction not run? */
static inline bool x86_sse_blocked(const struct x86_cpu *c)
{
	return hvm_unlikely((c->mode & X86_MODE_NO_FPU) || !(c->cr4 & X86_CR4_OSFXSR));
}

/* -- registers ----------------------------------------------------------------------------------
 */

static inline x86_vec x86_get_xmm(const struct x86_cpu *c, unsigned int n)
{
	return *(const x86_vec *)&c->fpu.xmm[n & 15];
}

static inline void x86_put_xmm(struct x86_cpu *c, unsigned int n, x86_vec v)
{
	*(x86_vec *)&c->fpu.xmm[n & 15] = v;
}

static inline x86_vec x86_vec_lo(uint64_t lo)
{
	return (x86_vec){ (long long)lo, 0 };
}

/* General register of 4 or 8 bytes, as all vector instructions write them. */
static inline void x86_put_gpr(struct x86_cpu *c, const struct x86_insn *i, uint64_t v)
{
	c->gpr[i->dst & 15] = i->osize == 3 ? v : (uint32_t)v;
}

/* -- memory -------------------------------------------------------------------------------------
 */

/* 16 bytes; @align: #GP(0) unless aligned, as legacy SSE instructions ask. */
static inline bool x86_load_vec(struct x86_cpu *c, const struct x86_insn *i, bool align,
				x86_vec *ret)
{
	const void *p;
	gva_t gva;

	if (!x86_ea(c, i, 16, false, &gva))
		return false;
	if (align && hvm_unlikely(gva & 15)) {
		x86_raise_err(c, X86_GP, 0);
		return false;
	}
	p = x86_ptr_r_fast(c, gva, 16);
	if (hvm_likely(p)) {
		*ret = *(const volatile x86_vec_u *)p;
		return true;
	}
	return x86_load_slow(c, gva, ret, 16);
}

static inline bool x86_store_vec(struct x86_cpu *c, const struct x86_insn *i, bool align, x86_vec v)
{
	void *p;
	gva_t gva;

	if (!x86_ea(c, i, 16, true, &gva))
		return false;
	if (align && hvm_unlikely(gva & 15)) {
		x86_raise_err(c, X86_GP, 0);
		return false;
	}
	p = x86_ptr_w_fast(c, gva, 16);
	if (hvm_likely(p)) {
		*(volatile x86_vec_u *)p = v;
		return true;
	}
	return x86_store_slow(c, gva, &v, 16);
}

/* The memory operand's 16, 8, 4 or 2 bytes, zero-extended. */
static inline bool x86_load_a16(struct x86_cpu *c, const struct x86_insn *i, x86_vec *ret)
{
	return x86_load_vec(c, i, true, ret);
}

static inline bool x86_load_u16(struct x86_cpu *c, const struct x86_insn *i, x86_vec *ret)
{
	return x86_load_vec(c, i, false, ret);
}

#define X86_DEFINE_LOAD_LO(bytes, bits) \
	static inline bool x86_load_lo##bytes(struct x86_cpu *c, const struct x86_insn *i, \
					      x86_vec *ret) \
	{ \
		uint##bits##_t v; \
		gva_t gva; \
		if (!x86_ea(c, i, bytes, false, &gva) || !x86_load##bits(c, gva, &v)) \
			return false; \
		*ret = x86_vec_lo(v); \
		return true; \
	} \
	static inline bool x86_store_lo##bytes(struct x86_cpu *c, const struct x86_insn *i, \
					       uint64_t v) \
	{ \
		gva_t gva; \
		return x86_ea(c, i, bytes, true, &gva) && \
		       x86_store##bits(c, gva, (uint##bits##_t)v); \
	}
X86_DEFINE_LOAD_LO(8, 64)
X86_DEFINE_LOAD_LO(4, 32)
X86_DEFINE_LOAD_LO(2, 16)
X86_DEFINE_LOAD_LO(1, 8)

/* -- MMX ------------------------------------------------------------------------------------------
 */

/* May an MMX instruction not run? A pending x87 exception is delivered first. */
static inline bool x86_mmx_blocked(const struct x86_cpu *c)
{
	return hvm_unlikely((c->mode & X86_MODE_NO_FPU) || (c->fpu.fsw & X86_FSW_ES));
}

/*
 * #UD, #NM or #MF for an MMX instruction, or X86_NEXT: go on (the exception was reported through
 * FERR).
 */
int x86_mmx_refuse(struct x86_cpu *c);

static inline x86_vec x86_get_mmx(const struct x86_cpu *c, unsigned int n)
{
	return x86_vec_lo(c->fpu.r[n & 7].mant);
}

/* What every MMX instruction does to the x87 state, once it cannot fault any more. */
static inline void x86_mmx_enter(struct x86_cpu *c)
{
	c->fpu.fsw &= (uint16_t)~X86_FSW_TOP;
	c->fpu.valid = 0xff;
}

static inline void x86_put_mmx(struct x86_cpu *c, unsigned int n, uint64_t v)
{
	x86_mmx_enter(c);
	c->fpu.r[n & 7].mant = v;
	c->fpu.r[n & 7].sign_exp = 0xffff;
}

#define X86_MMX_CHECK(c) \
	do { \
		if (x86_mmx_blocked(c) && x86_mmx_refuse(c) != X86_NEXT) \
			return X86_ABORT; \
	} while (0)
#define X86_SSE_CHECK(c) \
	do { \
		if (x86_sse_blocked(c)) \
			return x86_sse_refuse(c); \
	} while (0)

/* -- integer handlers: dst = kernel(dst, src), no flags, no exceptions ---------------------------
 */

#define X86_VEC_KERNEL(op, ins) \
	static inline x86_vec k_##op(x86_vec a, x86_vec b) \
	{ \
		__asm__(ins " %1, %0" : "+x"(a) : "x"(b)); \
		return a; \
	}

/* XMM handlers of kernel k_<op>; @load is the memory operand's loader. */
#define X86_VEC_XMM(op, load) \
	static int x_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		X86_SSE_CHECK(c); \
		x86_put_xmm(c, i->dst, k_##op(x86_get_xmm(c, i->dst), x86_get_xmm(c, i->src))); \
		return X86_NEXT; \
	} \
	static int x_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec b; \
		X86_SSE_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		x86_put_xmm(c, i->dst, k_##op(x86_get_xmm(c, i->dst), b)); \
		return X86_NEXT; \
	}

/* MMX handlers of @kernel, a function of two vectors of which the low quadwords count. */
#define X86_VEC_MMX(op, kernel, load) \
	static int m_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec r; \
		X86_MMX_CHECK(c); \
		r = kernel(x86_get_mmx(c, i->dst), x86_get_mmx(c, i->src)); \
		x86_put_mmx(c, i->dst, (uint64_t)r[0]); \
		return X86_NEXT; \
	} \
	static int m_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec b, r; \
		X86_MMX_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		r = kernel(x86_get_mmx(c, i->dst), b); \
		x86_put_mmx(c, i->dst, (uint64_t)r[0]); \
		return X86_NEXT; \
	}

/* clang-format off */
#define X86_VEC_XMM_ROWS(op, size) \
	{ X86_OP_##op, X86_FORM_RR, size, x_##op##_rr }, \
	{ X86_OP_##op, X86_FORM_RM, size, x_##op##_rm },
#define X86_VEC_MMX_ROWS(op) \
	{ X86_OP_##op, X86_FORM_RR, 3, m_##op##_rr }, \
	{ X86_OP_##op, X86_FORM_RM, 3, m_##op##_rm },
/* clang-format on */

/* -- instructions with an 8-bit immediate ---------------------------------------------------------
 */

/*
 * The immediate is part of the host's encoding, so each such instruction has @count stubs of
 * @stride bytes, callable as x86_vec_fn.
 */
#define X86_IMM_STUBS(op, count, stride, ins) \
	__asm__(".pushsection .text\n" \
		".balign 64\n" \
		".globl x86_stubs_" #op "\n" \
		".hidden x86_stubs_" #op "\n" \
		"x86_stubs_" #op ":\n" \
		".set x86_imm, 0\n" \
		".rept " #count "\n" \
		".balign " #stride "\n" ins "\n" \
		"ret\n" \
		".set x86_imm, x86_imm + 1\n" \
		".endr\n" \
		".popsection"); \
	extern const uint8_t x86_stubs_##op[] __attribute__((visibility("hidden"))); \
	static inline x86_vec_fn stub_##op(uint8_t imm) \
	{ \
		return (x86_vec_fn)(uintptr_t)(x86_stubs_##op + imm * stride); \
	}

/* XMM handlers RRI and RMI of stubs without exceptions. */
#define X86_IMM_XMM(op, load) \
	static int x_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		X86_SSE_CHECK(c); \
		x86_put_xmm(c, i->dst, \
			    stub_##op((uint8_t)i->imm)(x86_get_xmm(c, i->dst), \
						       x86_get_xmm(c, i->src))); \
		return X86_NEXT; \
	} \
	static int x_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec b; \
		X86_SSE_CHECK(c); \
		if (!load(c, i, &b)) \
			return X86_ABORT; \
		x86_put_xmm(c, i->dst, stub_##op((uint8_t)i->imm)(x86_get_xmm(c, i->dst), b)); \
		return X86_NEXT; \
	}

/* clang-format off */
#define X86_IMM_XMM_ROWS(op, size) \
	{ X86_OP_##op, X86_FORM_RRI, size, x_##op##_rr }, \
	{ X86_OP_##op, X86_FORM_RMI, size, x_##op##_rm },
/* clang-format on */

/* -- shared with the VEX forms -------------------------------------------------------------- */

/* PCMPxSTRx: dst, imm and opcode of @i, second operand @b. (exec_sse4.c) */
void x86_string_compare(struct x86_cpu *c, const struct x86_insn *i, x86_vec b);
/*
 * Store the bytes of @data whose byte of @mask has its top bit, at DS:rDI. X86_NEXT or X86_ABORT.
 * (exec_sse_move.c)
 */
int x86_masked_store(struct x86_cpu *c, const struct x86_insn *i, const uint8_t *data,
		     const uint8_t *mask, unsigned int bytes);

/* -- floating point ----------------------------------------------------------------------- */

/* Which lanes of a result can be tiny, for an unmasked underflow. */
enum x86_tiny {
	X86_TINY_NONE,
	X86_TINY_SS,
	X86_TINY_PS,
	X86_TINY_SD,
	X86_TINY_PD,
};

/*
 * x86_fp_rerun - run @kernel again under the guest's MXCSR control bits, with all exceptions masked
 * on the host, and account for its flags.
 * Returns true and *@ret when the result may be written; false when #XM (or #UD) is raised.
 * Source: Intel SDM Vol 1 11.5.2 "SIMD Floating-Point Exception Conditions".
 */
bool x86_fp_rerun(struct x86_cpu *c, x86_vec_fn kernel, x86_vec a, x86_vec b, enum x86_tiny tiny,
		  x86_vec *ret);

/* Is a lane of @v denormal, of those that @tiny names? */
bool x86_fp_lanes_tiny(x86_vec v, enum x86_tiny tiny);
/*
 * x86_fp_account - what flags @flags of a run with all exceptions masked are to the guest.
 * @tiny: a lane of the result is. *ret_mxcsr: the guest's MXCSR with them, for when the instruction
 * has ended. false: an unmasked exception is raised (and MXCSR written).
 */
bool x86_fp_account(struct x86_cpu *c, uint32_t flags, bool tiny, uint32_t *ret_mxcsr);

/*
 * Was the instruction that just ran natively exact for the guest? It was when the host's MXCSR
 * control bits are the guest's, and no flag is set that the guest has not got already. Host flags
 * left by other code only cost a rerun, which clears them.
 */
static inline bool x86_fp_settled(const struct x86_cpu *c)
{
	uint32_t host;

	__asm__ volatile("stmxcsr %0" : "=m"(host));
	return !((host ^ c->fpu.mxcsr) & (X86_MXCSR_CONTROL | (host & X86_MXCSR_FLAGS)));
}

#endif
