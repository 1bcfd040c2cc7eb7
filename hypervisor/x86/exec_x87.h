/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_x87.h - the two ways in which x87 instructions run.
 *
 * Native (exec_x87.c): the guest's whole x87 state is loaded into the host's x87, the very same
 * instruction runs there, and the state is stored back. This does everything: stack faults,
 * unmasked responses, condition codes; it costs an FRSTOR and an FNSAVE. Fast (exec_x87_arith.c,
 * exec_x87_move.c): operations that compilers emit, for the common case that all exceptions are
 * masked, the registers are there and no new flag appears. Whatever is unusual is left to the
 * native way, so a fast handler may give up at any point before it writes. Private to exec_x87*.c.
 */
#ifndef X86_EXEC_X87_H
#define X86_EXEC_X87_H

#include "exec.h"
#include "exec_fp.h"

/* Whole instruction natively: register form, or memory operand (read, or written). */
int x87_native_reg(struct x86_cpu *c, const struct x86_insn *i);
int x87_native_load(struct x86_cpu *c, const struct x86_insn *i);
int x87_native_store(struct x86_cpu *c, const struct x86_insn *i);
/* The same with the memory operand (@op, read) already at hand. */
int x87_native_operand(struct x86_cpu *c, const struct x86_insn *i, void *op);

/* -- registers ---------------------------------------------------------------------------- */

static inline unsigned int x87_phys(const struct x86_cpu *c, unsigned int n)
{
	return (x86_fpu_top(c) + n) & 7;
}

static inline struct x86_fpreg *x87_st(struct x86_cpu *c, unsigned int n)
{
	return &c->fpu.r[x87_phys(c, n)];
}

/* Is ST(n) not empty? */
static inline bool x87_has(const struct x86_cpu *c, unsigned int n)
{
	return (c->fpu.valid >> x87_phys(c, n)) & 1;
}

static inline void x87_pop(struct x86_cpu *c)
{
	unsigned int top = x86_fpu_top(c);

	c->fpu.valid &= (uint16_t) ~(1u << top);
	c->fpu.fsw = (uint16_t)((c->fpu.fsw & ~X86_FSW_TOP) | ((top + 1) & 7) << X86_FSW_TOP_SHIFT);
}

/*
 * Registers as values. The compiler moves all 80 bits, of any pattern, with one load and one store:
 * the next instruction that loads the register gets them forwarded, which it would not from the two
 * stores of mant and sign_exp.
 */
static inline long double x87_get(const struct x86_fpreg *r)
{
	return *(const long double *)r;
}

static inline void x87_put(struct x86_fpreg *r, long double v)
{
	*(long double *)r = v;
}

/* Make room for a new ST(0); the caller has seen that it is free (x87_has(c, 7) is false). */
static inline struct x86_fpreg *x87_push(struct x86_cpu *c)
{
	unsigned int top = (x86_fpu_top(c) - 1) & 7;

	c->fpu.valid |= (uint16_t)(1u << top);
	c->fpu.fsw = (uint16_t)((c->fpu.fsw & ~X86_FSW_TOP) | top << X86_FSW_TOP_SHIFT);
	return &c->fpu.r[top];
}

/* Take the bits of @mask (condition codes) from the host's status word. */
static inline void x87_put_cc(struct x86_cpu *c, uint16_t sw, uint16_t mask)
{
	c->fpu.fsw = (uint16_t)((c->fpu.fsw & ~mask) | (sw & mask));
}

/* -- pointers of the last instruction ----------------------------------------------------- */

static inline void x87_note_insn(struct x86_cpu *c, const struct x86_insn *i)
{
	c->fpu.fop = (uint16_t)((i->opcode & 7) << 8 | i->modrm);
	c->fpu.fip = x86_insn_ip(c, i);
	c->fpu.fcs = c->seg[HVM_SEG_CS].sel;
}

static inline void x87_note_mem(struct x86_cpu *c, const struct x86_insn *i, uint64_t offset)
{
	c->fpu.fdp = offset;
	c->fpu.fds = c->seg[i->seg].sel;
	x87_note_insn(c, i);
}

/* -- the fast way ------------------------------------------------------------------------- */

/* All exceptions masked: no response but the default one can be asked for. */
static inline bool x87_all_masked(const struct x86_cpu *c)
{
	return hvm_likely((c->fpu.fcw & X86_FSW_EXC) == X86_FSW_EXC);
}

/*
 * Was an instruction that just ran on the host exact for the guest? Host flags are not cleared
 * ahead of it: if none is set that the guest has not got, there is nothing to add. Otherwise the
 * native way runs it again, and leaves the host's flags clear.
 */
static inline bool x87_settled(const struct x86_cpu *c, uint16_t sw)
{
	return hvm_likely(!(sw & ~c->fpu.fsw & X86_FSW_EXC));
}

/*
 * The host thread runs with the control word of the ABI, FCW_INIT. Precision and rounding of a
 * guest that has set others are loaded around the instruction.
 */
static inline void x87_enter(const struct x86_cpu *c)
{
	if (hvm_unlikely(c->fpu.fcw != X86_FCW_INIT))
		__asm__ volatile("fldcw %0" : : "m"(c->fpu.fcw));
}

static inline void x87_leave(const struct x86_cpu *c)
{
	static const uint16_t fcw_host = X86_FCW_INIT;

	if (hvm_unlikely(c->fpu.fcw != X86_FCW_INIT))
		__asm__ volatile("fldcw %0" : : "m"(fcw_host));
}

/* Handlers that exec_x87.c's table names. */
#define X87_HANDLER(name) int name(struct x86_cpu *c, const struct x86_insn *i)

/* exec_x87_arith.c */
#define X87_ARITH_OPS(X) \
	X(FADD, "fadd") \
	X(FMUL, "fmul") X(FSUB, "fsub") X(FSUBR, "fsubr") X(FDIV, "fdiv") X(FDIVR, "fdivr")
#define X87_DECLARE_ARITH(op, ins) \
	X87_HANDLER(x87_##op##_rr); \
	X87_HANDLER(x87_##op##P_rr); \
	X87_HANDLER(x87_##op##_m32); \
	X87_HANDLER(x87_##op##_m64);
X87_ARITH_OPS(X87_DECLARE_ARITH)
X87_HANDLER(x87_fcom_rr);
X87_HANDLER(x87_fcomp_rr);
X87_HANDLER(x87_fcompp);
X87_HANDLER(x87_fucom_rr);
X87_HANDLER(x87_fucomp_rr);
X87_HANDLER(x87_fucompp);
X87_HANDLER(x87_fcomi);
X87_HANDLER(x87_fcomip);
X87_HANDLER(x87_fucomi);
X87_HANDLER(x87_fucomip);
X87_HANDLER(x87_fcom_m32);
X87_HANDLER(x87_fcom_m64);
X87_HANDLER(x87_fcomp_m32);
X87_HANDLER(x87_fcomp_m64);
X87_HANDLER(x87_fsqrt);
X87_HANDLER(x87_frndint);

/* exec_x87_move.c */
X87_HANDLER(x87_fld_st);
X87_HANDLER(x87_fld_m32);
X87_HANDLER(x87_fld_m64);
X87_HANDLER(x87_fld_m80);
X87_HANDLER(x87_fild_m16);
X87_HANDLER(x87_fild_m32);
X87_HANDLER(x87_fild_m64);
X87_HANDLER(x87_fst_st);
X87_HANDLER(x87_fstp_st);
X87_HANDLER(x87_fst_m32);
X87_HANDLER(x87_fst_m64);
X87_HANDLER(x87_fstp_m32);
X87_HANDLER(x87_fstp_m64);
X87_HANDLER(x87_fstp_m80);
X87_HANDLER(x87_fist_m16);
X87_HANDLER(x87_fist_m32);
X87_HANDLER(x87_fistp_m16);
X87_HANDLER(x87_fistp_m32);
X87_HANDLER(x87_fistp_m64);
X87_HANDLER(x87_fisttp_m16);
X87_HANDLER(x87_fisttp_m32);
X87_HANDLER(x87_fisttp_m64);
X87_HANDLER(x87_fxch);
X87_HANDLER(x87_fchs);
X87_HANDLER(x87_fabs);
X87_HANDLER(x87_fld1);
X87_HANDLER(x87_fldz);
X87_HANDLER(x87_fcmov);

/* exec_x87_control.c */
X87_HANDLER(x87_fldcw);
X87_HANDLER(x87_fnstcw);
X87_HANDLER(x87_fnstsw);
X87_HANDLER(x87_fnstsw_ax);
X87_HANDLER(x87_fnclex);
X87_HANDLER(x87_fninit);
X87_HANDLER(x87_fwait);
X87_HANDLER(x87_fnop);
X87_HANDLER(x87_fnop_legacy);
X87_HANDLER(x87_ffree);
X87_HANDLER(x87_fincstp);
X87_HANDLER(x87_fdecstp);
X87_HANDLER(x87_fldenv);
X87_HANDLER(x87_fnstenv);
X87_HANDLER(x87_frstor);
X87_HANDLER(x87_fnsave);

#endif
