/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * group.c - several memory operands under one TLB probe. Fields of one structure, slots of one
 * stack frame: operands of base and displacement whose base register is the same and does not
 * change in between. The first of them probes for the whole range, and the addend stays in T2 for
 * the others, which then are one instruction each (with an index two) and leave the host's flags
 * alone.
 *
 * When the probe fails (another page, or the range crosses one), nothing has happened yet:
 * execution goes to a clone of the group's instructions with a probe each, behind the block, and
 * back. That a translation holds until the block's end is no more than what the interpreter does,
 * which serves others' requests between blocks. Owns nothing.
 */
#include "soft/translator/int.h"

#define GROUP_INSNS 14u	 /* looked ahead */
#define GROUP_SPAN  1024 /* bytes from the lowest to the highest operand */

/* A memory operand that is accessed at its own address. */
static bool group_accesses(const struct x86_insn *i)
{
	return tr_mem_form(i) && i->op != X86_OP_LEA && i->op != X86_OP_NOP &&
	       i->op != X86_OP_PREFETCH;
}

static bool group_plain(const struct x86_insn *i)
{
	return i->asize == 3 && i->seg < HVM_SEG_FS && i->base < 16 &&
	       tr_host(i->base) != TR_NO_REG && i->disp == (int32_t)i->disp &&
	       (i->index == X86_REG_NONE || tr_host(i->index) != TR_NO_REG);
}

static unsigned int group_size(const struct tr *t, const struct x86_insn *i)
{
	if (tr_has_int_template(i))
		return i->msize ? i->msize : 1u << i->osize;
	return tr_is_sse(t, i) || tr_is_x87(t, i) || tr_is_vex(t, i) ? i->msize : 0;
}

static bool group_writes(const struct tr *t, const struct x86_insn *i)
{
	if (tr_is_x87(t, i))
		return tr_x87_writes(i);
	if (i->op == X86_OP_CMP || i->op == X86_OP_TEST || i->op == X86_OP_BT ||
	    i->op == X86_OP_MUL || i->op == X86_OP_IMUL)
		return false;
	return i->form == X86_FORM_M || i->form == X86_FORM_MR || i->form == X86_FORM_MI ||
	       i->form == X86_FORM_MRI;
}

/* Must the operand be aligned? That is for a probe of its own. */
static bool group_aligned(const struct tr *t, const struct x86_insn *i)
{
	if (i->op == X86_OP_VEX)
		return tr_vex_alignment(i);
	return tr_is_sse(t, i) && tr_sse_alignment(i);
}

/* May its operand be in a group? */
static bool group_candidate(const struct tr *t, const struct x86_insn *i)
{
	unsigned int size = group_size(t, i);

	return group_accesses(i) && group_plain(i) && size && !group_aligned(t, i) &&
	       i->op != X86_OP_DIV && i->op != X86_OP_IDIV && i->exec != x86_exec_ud;
}

static bool group_member(const struct tr *t, const struct x86_insn *i, const struct tr_group *g)
{
	return i->base == g->base && i->index == g->index &&
	       (i->index == X86_REG_NONE || i->scale == g->scale) && group_candidate(t, i);
}

/* Does @i leave T2 alone and is it known what it writes? */
static bool group_goes_on(const struct tr *t, const struct x86_insn *i)
{
	if (i->exec == x86_exec_ud || i->op == X86_OP_DIV || i->op == X86_OP_IDIV)
		return false;
	if (i->op == X86_OP_JCC)
		return true;
	if (!tr_has_int_template(i) && !tr_is_sse(t, i) && !tr_is_x87(t, i) && !tr_is_vex(t, i))
		return false;
	return !group_accesses(i) || group_plain(i);
}

static bool group_changes_reg(const struct x86_insn *i, unsigned int r)
{
	/* Their dst is a place in the stack. */
	if (tr_x87_is(i))
		return i->op == X86_OP_FNSTSW_AX && r == X86_RAX;
	switch (i->op) {
	case X86_OP_VEX: return tr_vex_changes_reg(i, r);
	case X86_OP_MUL:
	case X86_OP_IMUL:
	case X86_OP_CBW:
	case X86_OP_CWD:
	case X86_OP_CMPXCHG:
		if (r == X86_RAX || r == X86_RDX)
			return true;
		break;
	case X86_OP_XCHG:
	case X86_OP_XADD:
		if ((i->src & 15) == r)
			return true;
		break;
	case X86_OP_JCC: return false;
	}
	if (i->form == X86_FORM_R || i->form == X86_FORM_RR || i->form == X86_FORM_RM ||
	    i->form == X86_FORM_RI || i->form == X86_FORM_RRI || i->form == X86_FORM_RMI) {
		/* A byte in AH, CH, DH, BH is in the register of number - 4. */
		return (i->dst & 15) == r;
	}
	return false;
}

static bool group_changes(const struct x86_insn *i, const struct tr_group *g)
{
	return group_changes_reg(i, g->base) ||
	       (g->index != X86_REG_NONE && group_changes_reg(i, g->index));
}

static bool group_add(struct tr_group *g, const struct tr *t, const struct x86_insn *i)
{
	int64_t low = i->disp, high = i->disp + group_size(t, i);

	low = low < g->low ? low : g->low;
	high = high > g->high ? high : g->high;
	if (high - low > GROUP_SPAN || high > INT32_MAX)
		return false;
	g->low = (int32_t)low;
	g->high = (int32_t)high;
	g->write = g->write || group_writes(t, i);
	return true;
}

void tr_group_begin(struct tr *t)
{
	const struct x86_insn *i = tr_insn(t, t->n);
	struct tr_group *g = &t->group[t->group_count];
	unsigned int members = 1;

	if (t->in_group || t->no_groups || t->group_count == TR_GROUPS || !group_candidate(t, i))
		return;
	*g = (struct tr_group){
		.first = (uint8_t)t->n,
		.last = (uint8_t)t->n,
		.base = i->base,
		.index = i->index,
		.scale = i->scale,
		.low = (int32_t)i->disp,
		.high = (int32_t)i->disp,
	};
	if (group_changes(i, g) || !group_add(g, t, i))
		return;
	for (unsigned int n = t->n + 1; n < t->count && n < t->n + GROUP_INSNS; n++) {
		i = tr_insn(t, n);
		if (!group_goes_on(t, i))
			break;
		if (group_member(t, i, g)) {
			if (!group_add(g, t, i))
				break;
			g->last = (uint8_t)n;
			members++;
		}
		if (group_changes(i, g))
			break;
	}
	if (members < 2)
		return;
	t->in_group = true;
	t->group_count++;
}

bool tr_group_address(struct tr *t, const struct x86_insn *i, struct tr_mem *m)
{
	struct tr_group *g = &t->group[t->group_count - (t->group_count > 0)];
	unsigned int index;

	if (!t->in_group || !group_member(t, i, g))
		return false;
	index = g->index == X86_REG_NONE ? TR_NO_REG : tr_host(g->index);
	*m = (struct tr_mem){ (uint8_t)tr_host(g->base), (uint8_t)index, g->scale, g->low };
	if (!g->probed) {
		g->failed = tr_probe_group(t, *m, (unsigned int)(g->high - g->low), g->write);
		g->probed = true;
	}
	m->disp = (int32_t)i->disp;
	if (index == TR_NO_REG) {
		m->index = TR_T2;
		m->scale = 0;
	} else {
		tr_lea(t, TR_T1, (struct tr_mem){ m->base, TR_T2, 0, 0 });
		m->base = TR_T1;
	}
	return true;
}

void tr_group_end(struct tr *t)
{
	struct tr_group *g;

	if (!t->in_group)
		return;
	g = &t->group[t->group_count - 1];
	if (!g->probed) {
		/* Its first instruction was not translated after all. */
		t->in_group = false;
		t->group_count--;
	} else if (t->n > g->last) {
		t->in_group = false;
		g->end = t->p;
		g->flags = t->flags;
	}
}

/* Flags where the code behind the group takes them to be. */
static void group_join(struct tr *t, enum tr_flags want, uint8_t live)
{
	if (!live)
		return;
	if (want != TR_IN_HOST && t->flags == TR_IN_HOST)
		tr_emit_save_flags(t, TR_T0);
	if (want != TR_IN_MEM && t->flags == TR_IN_MEM)
		tr_emit_load_flags(t, TR_T0);
}

void tr_group_clones(struct tr *t, void (*insns)(struct tr *t, unsigned int last))
{
	t->no_groups = true;
	for (unsigned int k = 0; k < t->group_count; k++) {
		struct tr_group *g = &t->group[k];

		tr_patch(g->failed, t->p);
		t->n = g->first;
		t->flags = TR_IN_MEM;
		t->x87 = g->x87;
		insns(t, g->last);
		group_join(t, g->flags, t->live[g->last + 1u]);
		tr_jump(t, TR_ALWAYS, g->end);
	}
}
