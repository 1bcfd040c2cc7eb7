/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * branch.c - stack instructions, near control transfers, and the ways out of a block. Owns nothing.
 *
 * A direct exit is one jump with a displacement (its site). Until it is linked it leads to a stub
 * that leaves generated code with T0 = where the guest goes on and T1 = the site; then it leads
 * into the other block. Within a page (of the guest's addresses, hence of physical memory) the
 * other block needs no check; its far entry, for all others, checks that the address still leads
 * there. Exits backwards go to an entry that looks at exit_req; far entries do as well, so no loop
 * is without. An indirect branch looks up soft_tr.jump and goes to a far entry. Source: Intel SDM
 * Vol 1 6.4 "Calling Procedures Using CALL and RET".
 */
#include "soft/translator/tr.h"

/* -- exits --------------------------------------------------------------------------------- */

static uint32_t exit_site(const struct tr *t, const uint8_t *end, uint32_t bits)
{
	return (uint32_t)(end - t->g->code.rw) | TR_SITE_DIRECT | bits;
}

/* T0 = guest address at @off in the page. */
static void exit_ip(struct tr *t, int32_t off)
{
	tr_load(t, TR_T0, TR_FIELD(tr.page_ip));
	if (off)
		tr_lea(t, TR_T0, tr_based(TR_T0, off));
}

/* Stub of an unlinked exit within the page, in the cold region; @site: its jump's end. */
static void exit_stub_near(struct tr *t, uint8_t *site, int32_t off, uint32_t bits)
{
	tr_patch(site, t->p);
	if (bits & TR_SITE_HOST)
		tr_emit_save_flags(t, TR_T2);
	exit_ip(t, off);
	tr_mov_imm(t, TR_T1, exit_site(t, site, bits));
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->g->exit);
}

/* Jump to another page; emitted where t->p is, its stub into the other region if @inline_hot. */
static void exit_far(struct tr *t, int32_t off, uint32_t bits, bool hot)
{
	uint8_t *site, *patch_imm;

	exit_ip(t, off);
	tr_byte(t, 0x41); /* mov t1d, imm32: the site, known below */
	tr_byte(t, 0xb8 | (TR_T1 & 7));
	patch_imm = t->p;
	tr_word32(t, 0);
	site = tr_jump(t, TR_ALWAYS, NULL);
	bits = exit_site(t, site, bits);
	memcpy(patch_imm, &bits, 4);
	if (hot)
		tr_swap(t);
	tr_patch(site, t->p);
	if (bits & TR_SITE_HOST)
		tr_emit_save_flags(t, TR_T2);
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->g->exit);
	if (hot)
		tr_swap(t);
}

void tr_exit_direct(struct tr *t, int64_t off, unsigned int cc)
{
	int64_t at = t->page_off + off;
	uint32_t bits = t->flags == TR_IN_HOST ? TR_SITE_HOST : 0;
	uint8_t *site;

	if (off >= 0 && (uint64_t)off > t->reach_up)
		t->reach_up = (uint64_t)off;
	if (off < 0 && (uint64_t)-off > t->reach_down)
		t->reach_down = (uint64_t)-off;
	if (at >= 0 && at < HVM_PAGE_SIZE) {
		bits |= TR_SITE_NEAR;
		/* Backwards of this instruction's end is enough: a loop has one such jump. */
		if (off < tr_insn(t, t->n < t->count ? t->n : t->count - 1u)->end)
			bits |= TR_SITE_POLL;
		site = tr_jump(t, cc, NULL);
		tr_swap(t);
		exit_stub_near(t, site, (int32_t)at, bits);
		tr_swap(t);
	} else if (cc == TR_ALWAYS) {
		exit_far(t, (int32_t)at, bits, true);
	} else {
		site = tr_jump(t, cc, NULL);
		tr_swap(t);
		tr_patch(site, t->p);
		exit_far(t, (int32_t)at, bits, false);
		tr_swap(t);
	}
}

/* To the guest address in T0; flags are in c->arith. */
static void exit_indirect(struct tr *t)
{
	bool user = (t->b->key & X86_MODE_CPL_MASK) >> X86_MODE_CPL_SHIFT == 3;
	struct tr_mem m = TR_FIELD(tr.jump);

	tr_store_imm32(t, TR_FIELD(tr.from_block),
		       (uint32_t)((uint8_t *)t->b - t->sv->blocks.arena));
	tr_op_rr(t, TR_0F | 0xb7, TR_T1, TR_T0); /* movzx t1d, t0w */
	m.index = TR_T1;
	m.scale = 3;
	m.disp += user ? (int32_t)sizeof(((struct soft_tr *)0)->jump[0]) : 0;
	tr_op_mem(t, 0xff, 4, m); /* jmp */
}

/* -- stack --------------------------------------------------------------------------------- */

/* Operand of the stack at guest rsp + @off after a probe of guest rsp + ... */
static struct tr_mem stack_at(int32_t off)
{
	return (struct tr_mem){ TR_SP, TR_T1, 0, off };
}

static bool stack_can_push(const struct x86_insn *i)
{
	return i->op == X86_OP_PUSH && i->osize == 3 && i->exec != x86_exec_ud &&
	       (i->form == X86_FORM_I || (i->form == X86_FORM_R && i->dst != X86_RSP));
}

static bool stack_can_pop(const struct x86_insn *i)
{
	return i->op == X86_OP_POP && i->osize == 3 && i->exec != x86_exec_ud &&
	       i->form == X86_FORM_R && i->dst != X86_RSP;
}

static void stack_push_one(struct tr *t, const struct x86_insn *i, int32_t off)
{
	struct tr_rm m = { .mem = true, .m = stack_at(off) };
	unsigned int h = i->form == X86_FORM_R ? tr_host(i->dst) : TR_NO_REG;

	if (i->form == X86_FORM_I) {
		tr_op_rm(t, TR_W | 0xc7, 0, &m, 4);
		tr_word32(t, (uint32_t)i->imm);
		return;
	}
	if (h == TR_NO_REG) {
		tr_load(t, TR_T0, tr_slot(i->dst));
		h = TR_T0;
	}
	tr_store(t, m.m, h);
}

static void stack_pop_one(struct tr *t, const struct x86_insn *i, int32_t off)
{
	unsigned int h = tr_host(i->dst);

	tr_load(t, h == TR_NO_REG ? TR_T0 : h, stack_at(off));
	if (h == TR_NO_REG)
		tr_store(t, tr_slot(i->dst), TR_T0);
}

static void stack_move(struct tr *t, int32_t by)
{
	tr_lea(t, TR_SP, tr_based(TR_SP, by));
}

#define STACK_GROUP 12

static unsigned int stack_pushes(struct tr *t, unsigned int count)
{
	tr_probe(t, TR_SP, -8 * (int32_t)count, 8 * count, true);
	for (unsigned int k = 0; k < count; k++)
		stack_push_one(t, tr_insn(t, t->n + k), -8 * (int32_t)(k + 1));
	stack_move(t, -8 * (int32_t)count);
	return count;
}

/* Pops, and RET if it follows. */
static unsigned int stack_pops(struct tr *t, unsigned int count)
{
	const struct x86_insn *last = tr_insn(t, t->n + count);
	bool ret = last->op == X86_OP_RET && last->osize == 3 && last->exec != x86_exec_ud &&
		   t->n + count < t->count;

	tr_probe(t, TR_SP, 0, 8 * (count + ret), false);
	for (unsigned int k = 0; k < count; k++)
		stack_pop_one(t, tr_insn(t, t->n + k), 8 * (int32_t)k);
	if (ret)
		tr_load(t, TR_T0, stack_at(8 * (int32_t)count));
	stack_move(t, 8 * (int32_t)(count + ret));
	if (ret)
		exit_indirect(t);
	return count + ret;
}

unsigned int tr_stack_group(struct tr *t)
{
	unsigned int count = 0, done;
	bool push = stack_can_push(tr_insn(t, t->n));

	while (count < STACK_GROUP && t->n + count < t->count &&
	       (push ? stack_can_push(tr_insn(t, t->n + count))
		     : stack_can_pop(tr_insn(t, t->n + count))))
		count++;
	if (!count)
		return 0;
	done = push ? stack_pushes(t, count) : stack_pops(t, count);
	t->cold_last = t->n + done - 1;
	t->live_after = t->live[t->n + done];
	return done;
}

/* A pushed memory operand, and PUSH RSP, POP RSP. */
static bool stack_insn(struct tr *t, const struct x86_insn *i)
{
	if (i->osize != 3)
		return false;
	if (i->op == X86_OP_LEAVE) {
		tr_probe(t, X86_RBP, 0, 8, false);
		tr_load(t, TR_T0, (struct tr_mem){ X86_RBP, TR_T1, 0, 0 });
		tr_lea(t, TR_SP, tr_based(X86_RBP, 8));
		tr_mov(t, X86_RBP, TR_T0);
		return true;
	}
	if (i->op == X86_OP_POP && i->form == X86_FORM_R) {
		tr_probe(t, TR_SP, 0, 8, false);
		tr_load(t, TR_SP, stack_at(0));
		return true;
	}
	if (i->op == X86_OP_PUSH && i->form == X86_FORM_R) {
		tr_probe(t, TR_SP, -8, 8, true);
		tr_store(t, stack_at(-8), TR_SP);
		stack_move(t, -8);
		return true;
	}
	if (i->op == X86_OP_PUSH && i->form == X86_FORM_M) {
		struct tr_mem m;

		if (!tr_address(t, i, 8, false, false, &m))
			return false;
		tr_load(t, TR_T2, m);
		tr_probe(t, TR_SP, -8, 8, true);
		tr_store(t, stack_at(-8), TR_T2);
		stack_move(t, -8);
		return true;
	}
	return false;
}

/* -- calls, returns ------------------------------------------------------------------------ */

/* Push the address of the next instruction. T2 is kept. */
static void branch_push_next(struct tr *t, const struct x86_insn *i)
{
	tr_probe(t, TR_SP, -8, 8, true);
	exit_ip(t, (int32_t)(t->page_off + i->end));
	tr_store(t, stack_at(-8), TR_T0);
	stack_move(t, -8);
}

/* Target of an indirect branch to T2. */
static bool branch_target(struct tr *t, const struct x86_insn *i)
{
	struct tr_mem m;

	if (i->form == X86_FORM_M) {
		if (!tr_address(t, i, 8, false, false, &m))
			return false;
		tr_load(t, TR_T2, m);
	} else {
		const struct tr_rm r = tr_guest(i->dst);

		tr_clobber(t);
		tr_op_rm(t, TR_W | 0x8b, TR_T2, &r, 0);
	}
	return true;
}

static bool branch_call_ind(struct tr *t, const struct x86_insn *i)
{
	const struct tr_rm t0 = tr_reg(TR_T0);

	if (!branch_target(t, i))
		return false;
	/* Not canonical: nothing may be pushed. */
	tr_mov(t, TR_T0, TR_T2);
	tr_op_rm(t, TR_W | 0xc1, 7, &t0, 1); /* sar t0, 47; add t0, 1; cmp t0, 1 */
	tr_byte(t, 47);
	tr_op_rm(t, TR_W | 0x83, 0, &t0, 1);
	tr_byte(t, 1);
	tr_op_rm(t, TR_W | 0x83, 7, &t0, 1);
	tr_byte(t, 1);
	tr_to_cold(t, 7);
	branch_push_next(t, i);
	tr_mov(t, TR_T0, TR_T2);
	exit_indirect(t);
	return true;
}

static bool branch_ret(struct tr *t, const struct x86_insn *i)
{
	int32_t extra = i->op == X86_OP_RET_IMM ? (uint16_t)i->imm : 0;

	tr_probe(t, TR_SP, 0, 8, false);
	tr_load(t, TR_T0, stack_at(0));
	stack_move(t, 8 + extra);
	exit_indirect(t);
	return true;
}

static bool branch_is_cpl0(const struct tr *t)
{
	return !(t->b->key & X86_MODE_CPL_MASK);
}

/*
 * STI: nothing waits for IF to be set, and interrupts that come from now on make themselves known
 * by exit_req, at which nobody looks before the next instruction is over. So it must be in this
 * block.
 */
static bool branch_sti(struct tr *t)
{
	const struct tr_rm rest = { .mem = true, .m = TR_FIELD(cpu.rflags_rest) };
	const struct tr_rm window = { .mem = true, .m = TR_FIELD(window_intr) };

	if (!branch_is_cpl0(t) || t->n + 1u >= t->count)
		return false;
	tr_clobber(t);
	tr_op_rm(t, TR_RM8 | 0x80, 7, &window, 1); /* cmp */
	tr_byte(t, 0);
	tr_to_cold(t, 5);
	tr_op_rm(t, 0x81, 1, &rest, 4); /* or */
	tr_word32(t, X86_EFL_IF);
	return true;
}

static bool branch_cli(struct tr *t)
{
	const struct tr_rm rest = { .mem = true, .m = TR_FIELD(cpu.rflags_rest) };

	if (!branch_is_cpl0(t))
		return false;
	tr_clobber(t);
	tr_op_rm(t, 0x81, 4, &rest, 4); /* and */
	tr_word32(t, ~X86_EFL_IF);
	return true;
}

static bool branch_direction(struct tr *t, bool down)
{
	const struct tr_rm rest = { .mem = true, .m = TR_FIELD(cpu.rflags_rest) };

	tr_clobber(t);
	tr_op_rm(t, 0x81, down ? 1 : 4, &rest, 4); /* or, and */
	tr_word32(t, down ? X86_EFL_DF : ~X86_EFL_DF);
	return true;
}

/* The image is put together from c->arith and the rest. */
static bool branch_pushf(struct tr *t, const struct x86_insn *i)
{
	const struct tr_rm t0 = tr_reg(TR_T0), t2 = tr_reg(TR_T2);
	struct tr_mem arith = TR_FIELD(cpu.arith);

	if (i->osize != 3)
		return false;
	tr_probe(t, TR_SP, -8, 8, true);
	tr_op_mem(t, TR_0F | 0xb6, TR_T2, arith); /* movzx: OF */
	arith.disp++;
	tr_op_mem(t, TR_0F | 0xb6, TR_T0, arith); /* movzx: the others */
	tr_op_rm(t, 0xc1, 4, &t2, 1);		  /* shl */
	tr_byte(t, 11);
	tr_op_rm(t, 0x81, 4, &t0, 4); /* and */
	tr_word32(t, X86_EFL_ARITH);
	tr_op_rr(t, 0x09, TR_T2, TR_T0); /* or */
	tr_op_mem(t, 0x8b, TR_T2, TR_FIELD(cpu.rflags_rest));
	tr_op_rm(t, 0x81, 4, &t2, 4); /* and */
	tr_word32(t, ~(X86_EFL_VM | X86_EFL_RF));
	tr_op_rm(t, 0x83, 1, &t2, 1); /* or */
	tr_byte(t, 2);
	tr_op_rr(t, 0x09, TR_T2, TR_T0);
	tr_store(t, stack_at(-8), TR_T0);
	stack_move(t, -8);
	return true;
}

/* STAC, CLAC: the other TLB context. That CPUID has SMAP follows from CR4.SMAP. */
static bool branch_set_ac(struct tr *t, const struct x86_insn *i)
{
	bool set = i->op == X86_OP_STAC;
	size_t tlb = offsetof(struct soft_vcpu, own_tlb);
	size_t table = sizeof(((struct x86_tlb *)0)->r[0]);
	size_t at = set ? X86_TLB_KERNEL_AC * table : X86_TLB_KERNEL * table;
	const struct tr_rm rest = { .mem = true, .m = TR_FIELD(cpu.rflags_rest) };

	if (!tr_dynamic_context(t) || !branch_is_cpl0(t))
		return false;
	tr_clobber(t);
	tr_op_rm(t, 0x81, set ? 1 : 4, &rest, 4);
	tr_word32(t, set ? X86_EFL_AC : ~X86_EFL_AC);
	tr_lea(t, TR_T0, tr_state(tlb + offsetof(struct x86_tlb, r) + at));
	tr_store(t, TR_FIELD(cpu.tlb_r), TR_T0);
	tr_lea(t, TR_T0, tr_state(tlb + offsetof(struct x86_tlb, w) + at));
	tr_store(t, TR_FIELD(cpu.tlb_w), TR_T0);
	return true;
}

bool tr_branch_insn(struct tr *t, const struct x86_insn *i)
{
	switch (i->op) {
	case X86_OP_PUSH:
	case X86_OP_POP:
	case X86_OP_LEAVE: return stack_insn(t, i);
	case X86_OP_STAC:
	case X86_OP_CLAC: return branch_set_ac(t, i);
	case X86_OP_STI: return branch_sti(t);
	case X86_OP_CLI: return branch_cli(t);
	case X86_OP_PUSHF: return branch_pushf(t, i);
	case X86_OP_CLD:
	case X86_OP_STD: return branch_direction(t, i->op == X86_OP_STD);
	}
	if (i->osize != 3)
		return false;
	switch (i->op) {
	case X86_OP_JMP: tr_exit_direct(t, i->end + i->imm, TR_ALWAYS); return true;
	case X86_OP_JCC:
		if (t->flags == TR_IN_MEM) {
			tr_emit_load_flags(t, TR_T0);
			t->flags = TR_IN_BOTH;
		}
		tr_exit_direct(t, i->end + i->imm, i->cc);
		return true;
	case X86_OP_CALL:
		branch_push_next(t, i);
		tr_exit_direct(t, i->end + i->imm, TR_ALWAYS);
		return true;
	case X86_OP_JMP_IND:
		if (!branch_target(t, i))
			return false;
		tr_mov(t, TR_T0, TR_T2);
		exit_indirect(t);
		return true;
	case X86_OP_CALL_IND: return branch_call_ind(t, i);
	case X86_OP_RET:
	case X86_OP_RET_IMM: return branch_ret(t, i);
	}
	return false;
}
