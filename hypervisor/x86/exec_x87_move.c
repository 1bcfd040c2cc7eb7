/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_x87_move.c - fast x87 loads, stores, conversions to and from integers, and moves between
 * registers (see exec_x87.h).
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 * Source: Intel SDM Vol 1 8.3.2 "Data Transfer Instructions", 8.3.4 "Load Constant Instructions".
 */
#include "x86/exec_x87.h"

struct m80 {
	uint8_t byte[10];
};
#define IN80(r) "m"(*(const struct m80 *)(r))

/* -- loads -------------------------------------------------------------------------------- */

#define LOAD(name, bits, ins) \
	int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		long double r; \
		uint##bits##_t v; \
		uint16_t sw; \
		gva_t gva; \
		X86_FPU_CHECK(c); \
		if (!x86_ea(c, i, bits / 8, false, &gva) || !x86_load##bits(c, gva, &v)) \
			return X86_ABORT; \
		if (hvm_unlikely(x87_has(c, 7) || !x87_all_masked(c))) \
			return x87_native_operand(c, i, &v); \
		__asm__ volatile(ins " %2\n\tfnstsw %1" : "=&t"(r), "=a"(sw) : "m"(v)); \
		if (hvm_unlikely(!x87_settled(c, sw))) \
			return x87_native_operand(c, i, &v); \
		x87_put(x87_push(c), r); \
		x87_put_cc(c, 0, X86_FSW_C1); \
		x87_note_mem(c, i, x86_ea_offset(c, i)); \
		return X86_NEXT; \
	}
LOAD(x87_fld_m32, 32, "flds")
LOAD(x87_fld_m64, 64, "fldl")
LOAD(x87_fild_m16, 16, "filds")
LOAD(x87_fild_m32, 32, "fildl")
LOAD(x87_fild_m64, 64, "fildll")

int x87_fld_m80(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_fpreg r;
	gva_t gva;

	X86_FPU_CHECK(c);
	if (!x86_ea(c, i, 10, false, &gva) || !x86_get_bytes(c, gva, &r, 10))
		return X86_ABORT;
	if (hvm_unlikely(x87_has(c, 7)))
		return x87_native_operand(c, i, &r);
	x87_put(x87_push(c), x87_get(&r));
	x87_put_cc(c, 0, X86_FSW_C1);
	x87_note_mem(c, i, x86_ea_offset(c, i));
	return X86_NEXT;
}

int x87_fld_st(struct x86_cpu *c, const struct x86_insn *i)
{
	long double r;

	X86_FPU_CHECK(c);
	if (hvm_unlikely(x87_has(c, 7) || !x87_has(c, i->src)))
		return x87_native_reg(c, i);
	r = x87_get(x87_st(c, i->src));
	x87_put(x87_push(c), r);
	x87_put_cc(c, 0, X86_FSW_C1);
	x87_note_insn(c, i);
	return X86_NEXT;
}

#define LOAD_CONSTANT(name, m, se) \
	int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		static const struct x86_fpreg r = { .mant = (m), .sign_exp = (se) }; \
		X86_FPU_CHECK(c); \
		if (hvm_unlikely(x87_has(c, 7))) \
			return x87_native_reg(c, i); \
		x87_put(x87_push(c), x87_get(&r)); \
		x87_put_cc(c, 0, X86_FSW_C1); \
		x87_note_insn(c, i); \
		return X86_NEXT; \
	}
LOAD_CONSTANT(x87_fld1, 0x8000000000000000, 0x3fff)
LOAD_CONSTANT(x87_fldz, 0, 0)

/* -- stores ------------------------------------------------------------------------------- */

/* @ins pops the host's stack too. */
#define STORE(name, bits, ins, popping) \
	int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t v; \
		uint16_t sw; \
		gva_t gva; \
		X86_FPU_CHECK(c); \
		if (hvm_unlikely(!x87_has(c, 0) || !x87_all_masked(c))) \
			return x87_native_store(c, i); \
		x87_enter(c); \
		__asm__ volatile("fldt %2\n\t" ins " %1\n\tfnstsw %0" \
				 : "=a"(sw), "=m"(v) \
				 : IN80(x87_st(c, 0))); \
		x87_leave(c); \
		if (hvm_unlikely(!x87_settled(c, sw))) \
			return x87_native_store(c, i); \
		if (!x86_ea(c, i, bits / 8, true, &gva) || !x86_store##bits(c, gva, v)) \
			return X86_ABORT; \
		x87_put_cc(c, sw, X86_FSW_C1); \
		if (popping) \
			x87_pop(c); \
		x87_note_mem(c, i, x86_ea_offset(c, i)); \
		return X86_NEXT; \
	}
STORE(x87_fst_m32, 32, "fstps", 0)
STORE(x87_fst_m64, 64, "fstpl", 0)
STORE(x87_fstp_m32, 32, "fstps", 1)
STORE(x87_fstp_m64, 64, "fstpl", 1)
STORE(x87_fist_m16, 16, "fistps", 0)
STORE(x87_fist_m32, 32, "fistpl", 0)
STORE(x87_fistp_m16, 16, "fistps", 1)
STORE(x87_fistp_m32, 32, "fistpl", 1)
STORE(x87_fistp_m64, 64, "fistpll", 1)
STORE(x87_fisttp_m16, 16, "fisttps", 1)
STORE(x87_fisttp_m32, 32, "fisttpl", 1)
STORE(x87_fisttp_m64, 64, "fisttpll", 1)

int x87_fstp_m80(struct x86_cpu *c, const struct x86_insn *i)
{
	const struct x86_fpreg *r = x87_st(c, 0);
	gva_t gva;

	X86_FPU_CHECK(c);
	if (hvm_unlikely(!x87_has(c, 0)))
		return x87_native_store(c, i);
	if (!x86_ea(c, i, 10, true, &gva) || !x86_put_bytes(c, gva, r, 10))
		return X86_ABORT;
	x87_put_cc(c, 0, X86_FSW_C1);
	x87_pop(c);
	x87_note_mem(c, i, x86_ea_offset(c, i));
	return X86_NEXT;
}

/* -- between registers -------------------------------------------------------------------- */

/* The destination need not be valid: it becomes so. */
static int store_st(struct x86_cpu *c, const struct x86_insn *i, bool popping)
{
	X86_FPU_CHECK(c);
	if (hvm_unlikely(!x87_has(c, 0)))
		return x87_native_reg(c, i);
	x87_put(x87_st(c, i->dst), x87_get(x87_st(c, 0)));
	c->fpu.valid |= (uint16_t)(1u << x87_phys(c, i->dst));
	x87_put_cc(c, 0, X86_FSW_C1);
	if (popping)
		x87_pop(c);
	x87_note_insn(c, i);
	return X86_NEXT;
}

int x87_fst_st(struct x86_cpu *c, const struct x86_insn *i)
{
	return store_st(c, i, false);
}

int x87_fstp_st(struct x86_cpu *c, const struct x86_insn *i)
{
	return store_st(c, i, true);
}

int x87_fxch(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_fpreg *a = x87_st(c, 0), *b = x87_st(c, i->src);
	long double t;

	X86_FPU_CHECK(c);
	if (hvm_unlikely(!x87_has(c, 0) || !x87_has(c, i->src)))
		return x87_native_reg(c, i);
	t = x87_get(a);
	x87_put(a, x87_get(b));
	x87_put(b, t);
	x87_put_cc(c, 0, X86_FSW_C1);
	x87_note_insn(c, i);
	return X86_NEXT;
}

int x87_fcmov(struct x86_cpu *c, const struct x86_insn *i)
{
	if (hvm_unlikely(!x87_has(c, 0) || !x87_has(c, i->src)))
		return x87_native_reg(c, i);
	X86_FPU_CHECK(c);
	if (x86_cond(c, i->cc))
		x87_put(x87_st(c, 0), x87_get(x87_st(c, i->src)));
	x87_note_insn(c, i);
	return X86_NEXT;
}

int x87_fchs(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_FPU_CHECK(c);
	if (hvm_unlikely(!x87_has(c, 0)))
		return x87_native_reg(c, i);
	x87_put(x87_st(c, 0), -x87_get(x87_st(c, 0)));
	x87_put_cc(c, 0, X86_FSW_C1);
	x87_note_insn(c, i);
	return X86_NEXT;
}

int x87_fabs(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_FPU_CHECK(c);
	if (hvm_unlikely(!x87_has(c, 0)))
		return x87_native_reg(c, i);
	x87_put(x87_st(c, 0), __builtin_fabsl(x87_get(x87_st(c, 0))));
	x87_put_cc(c, 0, X86_FSW_C1);
	x87_note_insn(c, i);
	return X86_NEXT;
}
