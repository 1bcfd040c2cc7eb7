/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_flags.c - instructions whose operand is EFLAGS.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 * CR4.VME and CR4.PVI are not offered to guests, so their rules do not appear.
 * Source: Intel SDM Vol 2A, 2B "CLI", "STI", "PUSHF/PUSHFD/PUSHFQ", "POPF/POPFD/POPFQ", "LAHF",
 * "SAHF".
 */
#include "x86/exec_int.h"

static int flags_clc(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	c->arith &= (uint16_t)~X86_ARITH_CF;
	return X86_NEXT;
}

static int flags_stc(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	c->arith |= X86_ARITH_CF;
	return X86_NEXT;
}

static int flags_cmc(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	c->arith ^= X86_ARITH_CF;
	return X86_NEXT;
}

static int flags_cld(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	c->rflags_rest &= ~(uint64_t)X86_EFL_DF;
	return X86_NEXT;
}

static int flags_std(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	c->rflags_rest |= X86_EFL_DF;
	return X86_NEXT;
}

static int flags_lahf(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	x86_set8(c, X86_RAX | X86_REG_HIGH, (uint8_t)(c->arith >> 8));
	return X86_NEXT;
}

static int flags_sahf(struct x86_cpu *c, const struct x86_insn *i)
{
	uint8_t ah = x86_get8(c, X86_RAX | X86_REG_HIGH);

	(void)i;
	c->arith = (uint16_t)(((ah & 0xd5u) | 2) << 8 | (c->arith & X86_ARITH_OF));
	return X86_NEXT;
}

/* May this code change IF? Real mode: yes. Protected mode, CPL 3 of V8086 mode included: by IOPL.
 */
static bool flags_may_change_if(const struct x86_cpu *c)
{
	return !(c->mode & X86_MODE_PE) || c->cpl <= x86_iopl(c);
}

static int flags_cli(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	if (!flags_may_change_if(c))
		return x86_raise_err(c, X86_GP, 0);
	c->rflags_rest &= ~(uint64_t)X86_EFL_IF;
	return X86_NEXT;
}

/* Interrupts stay blocked for one more instruction, if they were blocked before. */
static int flags_sti(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	if (!flags_may_change_if(c))
		return x86_raise_err(c, X86_GP, 0);
	if (c->rflags_rest & X86_EFL_IF)
		return X86_NEXT;
	c->rflags_rest |= X86_EFL_IF;
	c->intr_shadow |= HVM_INTR_SHADOW_STI;
	return X86_END;
}

static bool flags_vm86_refuses(const struct x86_cpu *c)
{
	return (c->mode & X86_MODE_VM) && x86_iopl(c) < 3;
}

static int flags_pushf(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t image = x86_get_rflags(c) & ~(uint64_t)(X86_EFL_VM | X86_EFL_RF);

	if (flags_vm86_refuses(c))
		return x86_raise_err(c, X86_GP, 0);
	return x86_push(c, i->osize, image) ? X86_NEXT : X86_ABORT;
}

static int flags_popf(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t mask = X86_EFL_ARITH | X86_EFL_TF | X86_EFL_DF | X86_EFL_NT | X86_EFL_AC |
			X86_EFL_ID;
	uint64_t sp = x86_get_sp(c), old = x86_get_rflags(c), image, changed;

	if (flags_vm86_refuses(c))
		return x86_raise_err(c, X86_GP, 0);
	if (!x86_stack_load(c, sp, i->osize, &image))
		return X86_ABORT;
	if (flags_may_change_if(c))
		mask |= X86_EFL_IF;
	if (!(c->mode & X86_MODE_PE) || c->cpl == 0)
		mask |= X86_EFL_IOPL;
	if (i->osize == 1)
		mask &= 0xffff;
	image = (old & ~mask) | (image & mask);
	if (i->osize != 1)
		image &= ~(uint64_t)X86_EFL_RF;
	x86_set_sp(c, x86_cut_sp(c, sp + (1u << i->osize)));
	x86_put_rflags(c, image);
	changed = old ^ image;
	if (changed & X86_EFL_AC)
		x86_update_mode(c);
	return changed & (X86_EFL_TF | X86_EFL_IF | X86_EFL_AC | X86_EFL_IOPL) ? X86_END : X86_NEXT;
}

/* clang-format off */
static const struct x86_exec_row rows[] = {
	{ X86_OP_CLC, X86_ANY, X86_ANY, flags_clc },
	{ X86_OP_STC, X86_ANY, X86_ANY, flags_stc },
	{ X86_OP_CMC, X86_ANY, X86_ANY, flags_cmc },
	{ X86_OP_CLD, X86_ANY, X86_ANY, flags_cld },
	{ X86_OP_STD, X86_ANY, X86_ANY, flags_std },
	{ X86_OP_LAHF, X86_ANY, X86_ANY, flags_lahf },
	{ X86_OP_SAHF, X86_ANY, X86_ANY, flags_sahf },
	{ X86_OP_CLI, X86_ANY, X86_ANY, flags_cli },
	{ X86_OP_STI, X86_ANY, X86_ANY, flags_sti },
	{ X86_OP_PUSHF, X86_ANY, X86_ANY, flags_pushf },
	{ X86_OP_POPF, X86_ANY, X86_ANY, flags_popf },
};
/* clang-format on */

const struct x86_exec_table x86_exec_flags = { rows, HVM_ARRAY_SIZE(rows) };
