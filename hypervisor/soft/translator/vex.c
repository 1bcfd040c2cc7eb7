/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vex.c - templates of VEX-encoded instructions: AVX, AVX2, FMA, F16C, BMI. The host has what the
 * guest sees (soft/model.c), vector registers are the host's of the same number, and MXCSR is the
 * guest's as for SSE (sse.c), so an instruction is emitted as it was found, with its general
 * registers and its memory operand replaced. Gathers, string compares, and what changes MXCSR are
 * executed by their handlers. Owns nothing.
 * Source: Intel SDM Vol 2A 2.3.5 "The VEX Prefix".
 */
#include "x86/vex.h"
#include "soft/translator/int.h"

static const bool vex_by_handler[X86_VEX_KINDS] = {
	[X86_VEX_MXCSR] = true,
	[X86_VEX_GATHER] = true,
	[X86_VEX_STRING] = true,
	[X86_VEX_MASKDQU] = true,
};

bool tr_is_vex(const struct tr *t, const struct x86_insn *i)
{
	const uint32_t mode = t->b->key & (X86_MODE_AVX | X86_MODE_NO_FPU);
	const struct x86_vex_row *r;

	if (i->op != X86_OP_VEX || i->exec == x86_exec_ud)
		return false;
	r = x86_vex_row(i);
	if (vex_by_handler[r->kind])
		return false;
	return (r->flags & X86_VEX_GPR) || mode == X86_MODE_AVX;
}

bool tr_vex_vectors(const struct x86_insn *i)
{
	return !(x86_vex_row(i)->flags & X86_VEX_GPR);
}

unsigned int tr_vex_alignment(const struct x86_insn *i)
{
	return x86_vex_row(i)->flags & X86_VEX_ALIGN ? i->msize : 0;
}

struct tr_flag_use tr_vex_flag_use(const struct x86_insn *i)
{
	const struct x86_vex_row *r = x86_vex_row(i);
	struct tr_flag_use u = { 0 };

	if (!(r->flags & X86_VEX_EFLAGS))
		return u;
	/* BMI leaves some undefined. */
	u.writes = r->flags & X86_VEX_GPR ? TR_CF | TR_ZF | TR_OF : TR_ALL;
	u.changes = true;
	return u;
}

bool tr_vex_changes_reg(const struct x86_insn *i, unsigned int reg)
{
	const unsigned int written = X86_VEX_GENERAL | X86_VEX_WRITTEN;
	const struct x86_vex_row *r = x86_vex_row(i);

	return ((r->reg & written) == written && i->dst == reg) ||
	       ((r->vvvv & written) == written && i->vreg == reg) ||
	       ((r->rm & written) == written && !x86_vex_has_mem(i) && i->src == reg);
}

/* Host register for general register @g of operand @operand: its own, or @tmp, loaded if read. */
static unsigned int vex_general(struct tr *t, unsigned int operand, unsigned int g,
				unsigned int tmp)
{
	unsigned int h = tr_host(g);

	if (h != TR_NO_REG)
		return h;
	if (!(operand & X86_VEX_WRITTEN))
		tr_load(t, tmp, tr_slot(g));
	return tmp;
}

static void vex_put(struct tr *t, unsigned int operand, unsigned int g, unsigned int h)
{
	const unsigned int written = X86_VEX_GENERAL | X86_VEX_WRITTEN;

	if ((operand & written) == written)
		tr_put(t, g, h);
}

/* The r/m operand. A general register that is only read may stay where it is. */
static bool vex_rm(struct tr *t, const struct x86_insn *i, const struct x86_vex_row *r,
		   struct tr_rm *m)
{
	bool write = r->rm & X86_VEX_WRITTEN;

	if (x86_vex_has_mem(i)) {
		m->mem = true;
		return tr_address(t, i, i->msize, write, tr_vex_alignment(i), &m->m);
	}
	if (r->rm & X86_VEX_VECTOR)
		*m = tr_reg(i->src);
	else if (write)
		*m = tr_reg(vex_general(t, r->rm, i->src, TR_T0));
	else
		*m = tr_guest(i->src);
	return true;
}

bool tr_vex_insn(struct tr *t, const struct x86_insn *i)
{
	const struct x86_vex_row *r;
	unsigned int reg, vvvv;
	struct tr_vex v;
	struct tr_rm m;

	if (!tr_is_vex(t, i))
		return false;
	r = x86_vex_row(i);
	v = (struct tr_vex){
		.map = (uint8_t)x86_vex_map(r),
		.pp = (uint8_t)x86_vex_prefix(r),
		.opcode = i->opcode,
		/* What is ignored is clear, in case some processor looks at it. */
		.l = r->l != X86_VEX_LIG && (i->vex & X86_VEX_PREFIX_L),
		.w = r->w != X86_VEX_WX && (i->vex & X86_VEX_PREFIX_W),
	};
	if (!r->rm) {
		tr_op_vex(t, &v, 0, NULL, 0);
		return true;
	}
	if (!vex_rm(t, i, r, &m))
		return false;
	tr_need_flags(t);
	/* MULX has two results; it has used the address in T1, if there is one, by then. */
	vvvv = i->vreg;
	if (r->vvvv & X86_VEX_GENERAL)
		vvvv = vex_general(t, r->vvvv, i->vreg,
				   (r->vvvv & X86_VEX_WRITTEN) && r->reg ? TR_T1 : TR_T0);
	reg = r->ext != X86_VEX_NO_EXT	 ? r->ext
	      : r->reg & X86_VEX_GENERAL ? vex_general(t, r->reg, i->dst, TR_T0)
					 : i->dst;
	v.vvvv = (uint8_t)vvvv;
	tr_op_vex(t, &v, reg, &m, r->imm != 0);
	if (r->imm)
		tr_byte(t, (uint8_t)i->imm);
	vex_put(t, r->vvvv, i->vreg, vvvv);
	vex_put(t, r->reg, i->dst, reg);
	if (!m.mem)
		vex_put(t, r->rm, i->src, m.reg);
	tr_flags_done(t);
	return true;
}
