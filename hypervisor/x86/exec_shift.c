/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_shift.c - shifts and rotates.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * The host's instruction of the same name and width runs with the guest's flags loaded: rotates
 * keep most flags, and which undefined flags a shift changes is the host's affair. A count that
 * masks to zero changes no flag; a register destination is still written (a 32-bit one loses its
 * upper half) and memory is still checked for writing. Source: Intel SDM Vol 2B "RCL/RCR/ROL/ROR",
 * "SAL/SAR/SHL/SHR", "SHLD", "SHRD".
 */
#include "x86/exec_int.h"

#define SHIFT_MASK(bits) (bits == 64 ? 63 : 31)
#define SHIFT_BY_CL	 ((uint8_t)c->gpr[X86_RCX])
#define SHIFT_BY_IMM	 ((uint8_t)i->imm)

/* @d shifted by @n, which is not zero; returns the flags. */
#define SHIFT_CORE(name, insn, bits, sfx) \
	X86_INLINE uint32_t name##_core##bits(uint##bits##_t *d, unsigned int n, uint32_t f) \
	{ \
		__asm__(X86_ASM_LOAD_FLAGS insn sfx " %%cl, %[d]" X86_ASM_SAVE_FLAGS \
			: [d] "+r"(*d), [f] "+&a"(f) \
			: "c"(n) \
			: "cc"); \
		return f; \
	}
#define SHIFT_HANDLERS(name, bits, form_r, form_m, count) \
	static int name##_##form_r##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		unsigned int n = count & SHIFT_MASK(bits), r = i->dst; \
		uint##bits##_t d = x86_get##bits(c, r); \
		if (hvm_likely(n)) \
			c->arith = (uint16_t)name##_core##bits(&d, n, c->arith); \
		x86_set##bits(c, r, d); \
		return X86_NEXT; \
	} \
	X86_INLINE uint32_t name##_k##form_m##bits(struct x86_cpu *c, const struct x86_insn *i, \
						   void *p) \
	{ \
		unsigned int n = count & SHIFT_MASK(bits); \
		uint##bits##_t d = X86_MEM_GET(bits, p); \
		uint32_t f = c->arith; \
		(void)i; \
		if (!n) \
			return f; \
		f = name##_core##bits(&d, n, f); \
		X86_MEM_SET(bits, p, d); \
		return f; \
	} \
	X86_RMW(name##_##form_m##bits, bits, name##_k##form_m##bits)
#define SHIFT(name, insn, bits, sfx) \
	SHIFT_CORE(name, insn, bits, sfx) \
	SHIFT_HANDLERS(name, bits, ri, mi, SHIFT_BY_IMM) \
	SHIFT_HANDLERS(name, bits, rr, mr, SHIFT_BY_CL)
#define SHIFT4(name, insn) \
	SHIFT(name, insn, 8, "b") \
	SHIFT(name, insn, 16, "w") \
	SHIFT(name, insn, 32, "l") \
	SHIFT(name, insn, 64, "q")

SHIFT4(shift_rol, "rol")
SHIFT4(shift_ror, "ror")
SHIFT4(shift_rcl, "rcl")
SHIFT4(shift_rcr, "rcr")
SHIFT4(shift_shl, "shl")
SHIFT4(shift_shr, "shr")
SHIFT4(shift_sar, "sar")

/* -- double shifts: @s supplies the bits that come in ------------------------------------- */

#define SHIFT2_CORE(name, insn, bits, sfx) \
	X86_INLINE uint32_t name##_core##bits(uint##bits##_t *d, uint##bits##_t s, unsigned int n, \
					      uint32_t f) \
	{ \
		__asm__(X86_ASM_LOAD_FLAGS insn sfx " %%cl, %[s], %[d]" X86_ASM_SAVE_FLAGS \
			: [d] "+r"(*d), [f] "+&a"(f) \
			: [s] "r"(s), "c"(n) \
			: "cc"); \
		return f; \
	}
#define SHIFT2_HANDLERS(name, bits, form_r, form_m, count) \
	static int name##_##form_r##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		unsigned int n = count & SHIFT_MASK(bits), r = i->dst; \
		uint##bits##_t d = x86_get##bits(c, r); \
		if (hvm_likely(n)) \
			c->arith = (uint16_t)name##_core##bits(&d, x86_get##bits(c, i->src), n, \
							       c->arith); \
		x86_set##bits(c, r, d); \
		return X86_NEXT; \
	} \
	X86_INLINE uint32_t name##_k##form_m##bits(struct x86_cpu *c, const struct x86_insn *i, \
						   void *p) \
	{ \
		unsigned int n = count & SHIFT_MASK(bits); \
		uint##bits##_t d = X86_MEM_GET(bits, p); \
		uint32_t f = c->arith; \
		if (!n) \
			return f; \
		f = name##_core##bits(&d, x86_get##bits(c, i->src), n, f); \
		X86_MEM_SET(bits, p, d); \
		return f; \
	} \
	X86_RMW(name##_##form_m##bits, bits, name##_k##form_m##bits)
#define SHIFT2(name, insn, bits, sfx) \
	SHIFT2_CORE(name, insn, bits, sfx) \
	SHIFT2_HANDLERS(name, bits, rri, mri, SHIFT_BY_IMM) \
	SHIFT2_HANDLERS(name, bits, rr, mr, SHIFT_BY_CL)
#define SHIFT2_3(name, insn) \
	SHIFT2(name, insn, 16, "w") \
	SHIFT2(name, insn, 32, "l") \
	SHIFT2(name, insn, 64, "q")

SHIFT2_3(shift_shld, "shld")
SHIFT2_3(shift_shrd, "shrd")

/* clang-format off */
#define SHIFT_ROWS(OP, name) \
	X86_ROWS4_R(OP, RI, name##_ri), X86_ROWS4_R(OP, RR, name##_rr), \
	X86_ROWS4_M(OP, MI, name##_mi), X86_ROWS4_M(OP, MR, name##_mr)
#define SHIFT2_ROWS(OP, name) \
	X86_ROWS3_R(OP, RRI, name##_rri), X86_ROWS3_R(OP, RR, name##_rr), \
	X86_ROWS3_M(OP, MRI, name##_mri), X86_ROWS3_M(OP, MR, name##_mr)

static const struct x86_exec_row rows[] = {
	SHIFT_ROWS(ROL, shift_rol),
	SHIFT_ROWS(ROR, shift_ror),
	SHIFT_ROWS(RCL, shift_rcl),
	SHIFT_ROWS(RCR, shift_rcr),
	SHIFT_ROWS(SHL, shift_shl),
	SHIFT_ROWS(SHR, shift_shr),
	SHIFT_ROWS(SAR, shift_sar),
	SHIFT2_ROWS(SHLD, shift_shld),
	SHIFT2_ROWS(SHRD, shift_shrd),
};
/* clang-format on */

const struct x86_exec_table x86_exec_shift = { rows, HVM_ARRAY_SIZE(rows) };
