/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_stack.c - PUSH, POP, PUSHA, POPA, ENTER, LEAVE.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * Operand size 3 exists only in 64-bit mode, where the stack is 64 bits wide and flat: those
 * handlers are the short ones. All others go through x86_push() and friends.
 * Source: Intel SDM Vol 1 ch. 6 "Procedure Calls, Interrupts, and Exceptions"; Vol 2A, 2B.
 */
#include "x86/exec_int.h"

/* -- PUSH --------------------------------------------------------------------------------- */

static int __attribute__((noinline))
stack_push_slow64(struct x86_cpu *c, uint64_t sp, uint64_t value)
{
	if (!x86_store_slow(c, sp, &value, 8))
		return x86_stack_fault(c);
	c->gpr[X86_RSP] = sp;
	return X86_NEXT;
}

X86_INLINE int stack_push64(struct x86_cpu *c, uint64_t value)
{
	uint64_t sp = c->gpr[X86_RSP] - 8;
	void *p = x86_ptr_w_fast(c, sp, 8);

	if (hvm_unlikely(!p))
		return stack_push_slow64(c, sp, value);
	X86_MEM_SET(64, p, value);
	c->gpr[X86_RSP] = sp;
	return X86_NEXT;
}

static int stack_push_r64(struct x86_cpu *c, const struct x86_insn *i)
{
	return stack_push64(c, c->gpr[i->dst]);
}

static int stack_push_i64(struct x86_cpu *c, const struct x86_insn *i)
{
	return stack_push64(c, (uint64_t)i->imm);
}

static int stack_push_r(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_push(c, i->osize, c->gpr[i->dst]) ? X86_NEXT : X86_ABORT;
}

static int stack_push_i(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_push(c, i->osize, (uint64_t)i->imm) ? X86_NEXT : X86_ABORT;
}

/* Operand of i->osize in memory. */
static bool stack_load_operand(struct x86_cpu *c, const struct x86_insn *i, uint64_t *ret)
{
	unsigned int size = 1u << i->osize;
	uint64_t value = 0;
	const void *p;
	gva_t la;

	if (!x86_ea(c, i, size, false, &la))
		return false;
	p = x86_ptr_r_fast(c, la, size);
	if (p) {
		*ret = i->osize == 3   ? X86_MEM_GET(64, p)
		       : i->osize == 2 ? X86_MEM_GET(32, p)
				       : X86_MEM_GET(16, p);
		return true;
	}
	if (!x86_load_slow(c, la, &value, size)) {
		x86_mem_fault(c, i);
		return false;
	}
	*ret = value;
	return true;
}

static int stack_push_m(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t value;

	if (!stack_load_operand(c, i, &value) || !x86_push(c, i->osize, value))
		return X86_ABORT;
	return X86_NEXT;
}

/* -- POP ---------------------------------------------------------------------------------- */

static int __attribute__((noinline)) stack_pop_slow64(struct x86_cpu *c, unsigned int r)
{
	uint64_t value;

	if (!x86_load_slow(c, c->gpr[X86_RSP], &value, 8))
		return x86_stack_fault(c);
	c->gpr[X86_RSP] += 8;
	c->gpr[r] = value;
	return X86_NEXT;
}

/* POP RSP: the popped value wins over the increment. */
static int stack_pop_r64(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t sp = c->gpr[X86_RSP], value;
	const void *p = x86_ptr_r_fast(c, sp, 8);

	if (hvm_unlikely(!p))
		return stack_pop_slow64(c, i->dst);
	value = X86_MEM_GET(64, p);
	c->gpr[X86_RSP] = sp + 8;
	c->gpr[i->dst] = value;
	return X86_NEXT;
}

static int stack_pop_r(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t sp = x86_get_sp(c), value;

	if (!x86_stack_load(c, sp, i->osize, &value))
		return X86_ABORT;
	x86_set_sp(c, x86_cut_sp(c, sp + (1u << i->osize)));
	x86_set_n(c, i->osize, i->dst, value);
	return X86_NEXT;
}

/* Store into the operand of i->osize in memory. */
static bool stack_store_operand(struct x86_cpu *c, const struct x86_insn *i, uint64_t value)
{
	unsigned int size = 1u << i->osize;
	gva_t la;
	void *p;

	if (!x86_ea(c, i, size, true, &la))
		return false;
	p = x86_ptr_w_fast(c, la, size);
	if (!p) {
		if (x86_store_slow(c, la, &value, size))
			return true;
		x86_mem_fault(c, i);
		return false;
	}
	if (i->osize == 3)
		X86_MEM_SET(64, p, value);
	else if (i->osize == 2)
		X86_MEM_SET(32, p, (uint32_t)value);
	else
		X86_MEM_SET(16, p, (uint16_t)value);
	return true;
}

/* The address of the destination is computed with the stack pointer already incremented. */
static int stack_pop_m(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t rsp = c->gpr[X86_RSP], sp = x86_get_sp(c), value;

	if (!x86_stack_load(c, sp, i->osize, &value))
		return X86_ABORT;
	x86_set_sp(c, x86_cut_sp(c, sp + (1u << i->osize)));
	if (stack_store_operand(c, i, value))
		return X86_NEXT;
	c->gpr[X86_RSP] = rsp;
	return X86_ABORT;
}

/* -- PUSHA, POPA -------------------------------------------------------------------------- */

static int stack_pusha(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t sp = x86_get_sp(c);
	unsigned int n, size = 1u << i->osize;

	for (n = 0; n < 8; n++)
		if (!x86_stack_probe(c, x86_cut_sp(c, sp - (n + 1) * size), i->osize))
			return X86_ABORT;
	for (n = 0; n < 8; n++) {
		sp = x86_cut_sp(c, sp - size);
		if (!x86_stack_store(c, sp, i->osize, c->gpr[n]))
			return X86_ABORT;
	}
	x86_set_sp(c, sp);
	return X86_NEXT;
}

static int stack_popa(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t sp = x86_get_sp(c), v[8];
	int n;

	for (n = 7; n >= 0; n--) {
		if (!x86_stack_load(c, sp, i->osize, &v[n]))
			return X86_ABORT;
		sp = x86_cut_sp(c, sp + (1u << i->osize));
	}
	for (n = 0; n < 8; n++)
		if (n != X86_RSP)
			x86_set_n(c, i->osize, (unsigned int)n, v[n]);
	x86_set_sp(c, sp);
	return X86_NEXT;
}

/* -- ENTER, LEAVE ------------------------------------------------------------------------- */

/*
 * All slots, and the top of the new frame, are probed before the first is written; the copied frame
 * pointers may fault in between, but then nothing but free stack has been written, and the same
 * values will be written again.
 */
static int stack_enter(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int level = (unsigned int)(i->imm >> 16) & 31, size = 1u << i->osize, n;
	uint64_t bytes = (uint16_t)i->imm, sp = x86_get_sp(c), frame, bp = c->gpr[X86_RBP], v;

	for (n = 0; n <= level; n++)
		if (!x86_stack_probe(c, x86_cut_sp(c, sp - (n + 1) * size), i->osize))
			return X86_ABORT;
	if (!x86_stack_probe(c, x86_cut_sp(c, sp - (level + 1) * size - bytes), i->osize))
		return X86_ABORT;
	sp = x86_cut_sp(c, sp - size);
	if (!x86_stack_store(c, sp, i->osize, bp))
		return X86_ABORT;
	frame = sp;
	for (n = 1; n < level; n++) {
		bp -= size;
		sp = x86_cut_sp(c, sp - size);
		if (!x86_stack_load(c, x86_cut_sp(c, bp), i->osize, &v) ||
		    !x86_stack_store(c, sp, i->osize, v))
			return X86_ABORT;
	}
	if (level) {
		sp = x86_cut_sp(c, sp - size);
		if (!x86_stack_store(c, sp, i->osize, frame))
			return X86_ABORT;
	}
	x86_set_n(c, i->osize, X86_RBP, frame);
	x86_set_sp(c, x86_cut_sp(c, sp - bytes));
	return X86_NEXT;
}

static int stack_leave(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t sp = x86_cut_sp(c, c->gpr[X86_RBP]), bp;

	if (!x86_stack_load(c, sp, i->osize, &bp))
		return X86_ABORT;
	x86_set_sp(c, x86_cut_sp(c, sp + (1u << i->osize)));
	x86_set_n(c, i->osize, X86_RBP, bp);
	return X86_NEXT;
}

/* clang-format off */
static const struct x86_exec_row rows[] = {
	{ X86_OP_PUSH, X86_FORM_R, X86_ANY, stack_push_r },
	{ X86_OP_PUSH, X86_FORM_R, 3, stack_push_r64 },
	{ X86_OP_PUSH, X86_FORM_I, X86_ANY, stack_push_i },
	{ X86_OP_PUSH, X86_FORM_I, 3, stack_push_i64 },
	{ X86_OP_PUSH, X86_FORM_M, X86_ANY, stack_push_m },
	{ X86_OP_POP, X86_FORM_R, X86_ANY, stack_pop_r },
	{ X86_OP_POP, X86_FORM_R, 3, stack_pop_r64 },
	{ X86_OP_POP, X86_FORM_M, X86_ANY, stack_pop_m },
	{ X86_OP_PUSHA, X86_ANY, X86_ANY, stack_pusha },
	{ X86_OP_POPA, X86_ANY, X86_ANY, stack_popa },
	{ X86_OP_ENTER, X86_ANY, X86_ANY, stack_enter },
	{ X86_OP_LEAVE, X86_ANY, X86_ANY, stack_leave },
};
/* clang-format on */

const struct x86_exec_table x86_exec_stack = { rows, HVM_ARRAY_SIZE(rows) };
