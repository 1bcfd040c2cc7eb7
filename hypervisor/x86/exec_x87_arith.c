/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_x87_arith.c - fast x87 arithmetic and compares (see exec_x87.h).
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 * Source: Intel SDM Vol 1 8.3.3 "Basic Instructions", 8.3.5 "Comparison and Classification".
 */
#include "x86/exec_x87.h"

/* Operands of the kernels are 80-bit registers in memory; "m" of an array keeps all 10 bytes. */
struct m80 {
	uint8_t byte[10];
};
#define IN80(r) "m"(*(const struct m80 *)(r))

/* Load the memory operand into @buf, or leave the handler. */
#define X87_OPERAND(c, i, bits, var, gva) \
	do { \
		if (!x86_ea(c, i, bits / 8, false, &(gva)) || !x86_load##bits(c, gva, &(var))) \
			return X86_ABORT; \
	} while (0)

/* -- dst = dst op src --------------------------------------------------------------------- */

/* a op b, b an x87 register, a float or a double; @sw: the host's status word. */
#define ARITH_KERNELS(op, ins) \
	static inline long double k_##op(const struct x86_fpreg *a, const struct x86_fpreg *b, \
					 uint16_t *sw) \
	{ \
		long double r; \
		__asm__ volatile("fldt %3\n\tfldt %2\n\t" ins " %%st(1), %%st\n\t" \
				 "fnstsw %1\n\tfstp %%st(1)" \
				 : "=&t"(r), "=a"(*sw) \
				 : IN80(a), IN80(b)); \
		return r; \
	} \
	static inline long double k_##op##_m32(const struct x86_fpreg *a, const uint32_t *b, \
					       uint16_t *sw) \
	{ \
		long double r; \
		__asm__ volatile("fldt %2\n\t" ins "s %3\n\tfnstsw %1" \
				 : "=&t"(r), "=a"(*sw) \
				 : IN80(a), "m"(*b)); \
		return r; \
	} \
	static inline long double k_##op##_m64(const struct x86_fpreg *a, const uint64_t *b, \
					       uint16_t *sw) \
	{ \
		long double r; \
		__asm__ volatile("fldt %2\n\t" ins "l %3\n\tfnstsw %1" \
				 : "=&t"(r), "=a"(*sw) \
				 : IN80(a), "m"(*b)); \
		return r; \
	}

#define ARITH_REG(name, op, popping) \
	int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		struct x86_fpreg *dst = x87_st(c, i->dst); \
		long double r; \
		uint16_t sw; \
		X86_FPU_CHECK(c); \
		if (hvm_unlikely(!x87_has(c, i->dst) || !x87_has(c, i->src) || \
				 !x87_all_masked(c))) \
			return x87_native_reg(c, i); \
		x87_enter(c); \
		r = k_##op(dst, x87_st(c, i->src), &sw); \
		x87_leave(c); \
		if (hvm_unlikely(!x87_settled(c, sw))) \
			return x87_native_reg(c, i); \
		x87_put(dst, r); \
		x87_put_cc(c, sw, X86_FSW_C1); \
		if (popping) \
			x87_pop(c); \
		x87_note_insn(c, i); \
		return X86_NEXT; \
	}

#define ARITH_MEM(op, bits) \
	int x87_##op##_m##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		struct x86_fpreg *dst = x87_st(c, 0); \
		long double r; \
		uint##bits##_t b; \
		uint16_t sw; \
		gva_t gva; \
		X86_FPU_CHECK(c); \
		X87_OPERAND(c, i, bits, b, gva); \
		if (hvm_unlikely(!x87_has(c, 0) || !x87_all_masked(c))) \
			return x87_native_operand(c, i, &b); \
		x87_enter(c); \
		r = k_##op##_m##bits(dst, &b, &sw); \
		x87_leave(c); \
		if (hvm_unlikely(!x87_settled(c, sw))) \
			return x87_native_operand(c, i, &b); \
		x87_put(dst, r); \
		x87_put_cc(c, sw, X86_FSW_C1); \
		x87_note_mem(c, i, x86_ea_offset(c, i)); \
		return X86_NEXT; \
	}

#define ARITH_DEFINE(op, ins) \
	ARITH_KERNELS(op, ins) \
	ARITH_REG(x87_##op##_rr, op, false) \
	ARITH_REG(x87_##op##P_rr, op, true) \
	ARITH_MEM(op, 32) \
	ARITH_MEM(op, 64)
X87_ARITH_OPS(ARITH_DEFINE)

/* -- ST(0) = op ST(0) --------------------------------------------------------------------- */

#define UNARY(name, ins) \
	int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		struct x86_fpreg *dst = x87_st(c, 0); \
		long double r; \
		uint16_t sw; \
		X86_FPU_CHECK(c); \
		if (hvm_unlikely(!x87_has(c, 0) || !x87_all_masked(c))) \
			return x87_native_reg(c, i); \
		x87_enter(c); \
		__asm__ volatile("fldt %2\n\t" ins "\n\tfnstsw %1" \
				 : "=&t"(r), "=a"(sw) \
				 : IN80(dst)); \
		x87_leave(c); \
		if (hvm_unlikely(!x87_settled(c, sw))) \
			return x87_native_reg(c, i); \
		x87_put(dst, r); \
		x87_put_cc(c, sw, X86_FSW_C1); \
		x87_note_insn(c, i); \
		return X86_NEXT; \
	}
UNARY(x87_fsqrt, "fsqrt")
UNARY(x87_frndint, "frndint")

/* -- compares into C0, C2, C3 ------------------------------------------------------------- */

#define COMPARE_REG(name, ins, pops) \
	int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint16_t sw; \
		X86_FPU_CHECK(c); \
		if (hvm_unlikely(!x87_has(c, 0) || !x87_has(c, i->src) || !x87_all_masked(c))) \
			return x87_native_reg(c, i); \
		__asm__ volatile("fldt %2\n\tfldt %1\n\t" ins " %%st(1)\n\t" \
				 "fnstsw %0\n\tfstp %%st(0)\n\tfstp %%st(0)" \
				 : "=a"(sw) \
				 : IN80(x87_st(c, 0)), IN80(x87_st(c, i->src))); \
		if (hvm_unlikely(!x87_settled(c, sw))) \
			return x87_native_reg(c, i); \
		x87_put_cc(c, sw, X86_FSW_CC); \
		if ((pops) > 0) \
			x87_pop(c); \
		if ((pops) > 1) \
			x87_pop(c); \
		x87_note_insn(c, i); \
		return X86_NEXT; \
	}
COMPARE_REG(x87_fcom_rr, "fcom", 0)
COMPARE_REG(x87_fcomp_rr, "fcom", 1)
COMPARE_REG(x87_fcompp, "fcom", 2)
COMPARE_REG(x87_fucom_rr, "fucom", 0)
COMPARE_REG(x87_fucomp_rr, "fucom", 1)
COMPARE_REG(x87_fucompp, "fucom", 2)

#define COMPARE_MEM(name, bits, suffix, pops) \
	int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t b; \
		uint16_t sw; \
		gva_t gva; \
		X86_FPU_CHECK(c); \
		X87_OPERAND(c, i, bits, b, gva); \
		if (hvm_unlikely(!x87_has(c, 0) || !x87_all_masked(c))) \
			return x87_native_operand(c, i, &b); \
		__asm__ volatile("fldt %1\n\tfcom" suffix " %2\n\tfnstsw %0\n\tfstp %%st(0)" \
				 : "=a"(sw) \
				 : IN80(x87_st(c, 0)), "m"(b)); \
		if (hvm_unlikely(!x87_settled(c, sw))) \
			return x87_native_operand(c, i, &b); \
		x87_put_cc(c, sw, X86_FSW_CC); \
		if (pops) \
			x87_pop(c); \
		x87_note_mem(c, i, x86_ea_offset(c, i)); \
		return X86_NEXT; \
	}
COMPARE_MEM(x87_fcom_m32, 32, "s", 0)
COMPARE_MEM(x87_fcom_m64, 64, "l", 0)
COMPARE_MEM(x87_fcomp_m32, 32, "s", 1)
COMPARE_MEM(x87_fcomp_m64, 64, "l", 1)

/* -- compares into EFLAGS ----------------------------------------------------------------- */

#define COMPARE_FLAGS(name, ins, pops) \
	int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint32_t ax; \
		uint16_t sw; \
		X86_FPU_CHECK(c); \
		if (hvm_unlikely(!x87_has(c, 0) || !x87_has(c, i->src) || !x87_all_masked(c))) \
			return x87_native_reg(c, i); \
		__asm__ volatile("fldt %3\n\tfldt %2\n\t" ins " %%st(1), %%st\n\tlahf\n\t" \
				 "fnstsw %1\n\tfstp %%st(0)\n\tfstp %%st(0)" \
				 : "=&a"(ax), "=m"(sw) \
				 : IN80(x87_st(c, 0)), IN80(x87_st(c, i->src)) \
				 : "cc"); \
		if (hvm_unlikely(!x87_settled(c, sw))) \
			return x87_native_reg(c, i); \
		c->arith = ax & 0xff00; \
		x87_put_cc(c, 0, X86_FSW_C1); \
		if (pops) \
			x87_pop(c); \
		x87_note_insn(c, i); \
		return X86_NEXT; \
	}
COMPARE_FLAGS(x87_fcomi, "fcomi", 0)
COMPARE_FLAGS(x87_fcomip, "fcomi", 1)
COMPARE_FLAGS(x87_fucomi, "fucomi", 0)
COMPARE_FLAGS(x87_fucomip, "fucomi", 1)
