/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_seg.c - segment registers: loading, storing, far pointers, FS and GS bases.
 * Owns nothing. Locking: the vcpu's thread. Saved: nothing.
 * Source: Intel SDM Vol 2 "MOV", "PUSH", "POP", "LDS/LES/LFS/LGS/LSS", "RDFSBASE", Vol 3A 5.6
 * "Privilege Level Checking when Accessing Data Segments".
 */
#include "x86/exec_desc.h"

/* -- loading -------------------------------------------------------------------------------------
 */

static int seg_load_null(struct x86_cpu *c, unsigned int seg, uint16_t sel)
{
	/* SS may be null only in 64-bit mode, below ring 3. */
	if (seg == HVM_SEG_SS && (!x86_is_code64(c) || c->cpl == 3 || (sel & 3u) != c->cpl))
		return x86_raise_err(c, X86_GP, 0);
	x86_seg_set_null(&c->seg[seg], sel, seg == HVM_SEG_SS ? c->cpl : 0);
	x86_update_mode(c);
	return X86_NEXT;
}

static int seg_check_data(struct x86_cpu *c, uint16_t sel, const struct x86_desc *d)
{
	bool code = x86_ar_is_code(d->ar);
	unsigned int rpl = sel & 3, dpl = x86_ar_dpl(d->ar);

	if (!(d->ar & HVM_AR_S) || (code && !(d->ar & HVM_AR_RW)))
		return x86_raise_err(c, X86_GP, sel & 0xfffcu);
	if (!(code && x86_ar_is_conforming(d->ar)) && (rpl > dpl || c->cpl > dpl))
		return x86_raise_err(c, X86_GP, sel & 0xfffcu);
	if (!(d->ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, sel & 0xfffcu);
	return X86_NEXT;
}

static int seg_load_descriptor(struct x86_cpu *c, unsigned int seg, uint16_t sel)
{
	struct x86_desc d;
	int r;

	if (seg == HVM_SEG_SS) {
		r = x86_desc_check_stack(c, sel, c->cpl, X86_GP, 0, &d);
	} else {
		r = x86_desc_fetch(c, sel, X86_GP, 0, &d);
		if (!r)
			r = seg_check_data(c, sel, &d);
	}
	if (!r)
		r = x86_desc_set_accessed(c, &d);
	if (r)
		return r;
	x86_seg_set(&c->seg[seg], sel, &d);
	x86_update_mode(c);
	return X86_NEXT;
}

int x86_load_seg(struct x86_cpu *c, unsigned int seg, uint16_t sel)
{
	if (!x86_uses_descriptors(c)) {
		if (x86_is_vm86(c))
			x86_seg_set_vm86(&c->seg[seg], sel);
		else
			x86_seg_set_real(c, seg, sel);
		x86_update_mode(c);
		return X86_NEXT;
	}
	if (x86_sel_is_null(sel))
		return seg_load_null(c, seg, sel);
	return seg_load_descriptor(c, seg, sel);
}

/* -- MOV, PUSH, POP ---------------------------------------------------------------------------- */

/* After a load by MOV or POP: SS holds interrupts off until the next instruction is done. */
static int seg_loaded(struct x86_cpu *c, unsigned int seg, uint32_t old_mode)
{
	if (seg != HVM_SEG_SS)
		return x86_end_if_mode_changed(c, old_mode);
	c->intr_shadow |= HVM_INTR_SHADOW_MOV_SS;
	return X86_END;
}

static int seg_mov_to(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t mode = c->mode;
	uint16_t sel;

	if (!x86_sys_get16(c, i, &sel) || x86_load_seg(c, i->dst, sel))
		return X86_ABORT;
	return seg_loaded(c, i->dst, mode);
}

static int seg_mov_from(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_sys_put16(c, i, c->seg[i->src].sel);
}

static int seg_push(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_push(c, i->osize, c->seg[i->src].sel) ? X86_NEXT : X86_ABORT;
}

static int seg_pop(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t old_rsp = c->gpr[X86_RSP], sp = x86_get_sp(c), value;
	uint32_t mode = c->mode;

	if (!x86_stack_load(c, sp, i->osize, &value))
		return X86_ABORT;
	/* The stack pointer moves as the old stack segment has it. */
	x86_set_sp(c, sp + (1u << i->osize));
	if (x86_load_seg(c, i->dst, (uint16_t)value)) {
		c->gpr[X86_RSP] = old_rsp;
		return X86_ABORT;
	}
	return seg_loaded(c, i->dst, mode);
}

/* -- far pointers ------------------------------------------------------------------------------ */

static int seg_load_far(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t mode = c->mode;
	uint64_t value;
	uint16_t sel;

	if (!x86_sys_get_far(c, i, &value, &sel))
		return X86_ABORT;
	if (x86_load_seg(c, i->dst, sel))
		return X86_ABORT;
	x86_set_n(c, i->osize, i->src, value);
	return x86_end_if_mode_changed(c, mode);
}

/* -- FS and GS bases --------------------------------------------------------------------------- */

static bool seg_base_allowed(const struct x86_cpu *c)
{
	return x86_is_code64(c) && (c->cr4 & X86_CR4_FSGSBASE);
}

static int seg_read_base(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int seg = i->op == X86_OP_RDFSBASE ? HVM_SEG_FS : HVM_SEG_GS;

	if (!seg_base_allowed(c))
		return x86_raise(c, X86_UD);
	x86_set_n(c, i->osize, i->dst, c->seg[seg].base);
	return X86_NEXT;
}

static int seg_write_base(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int seg = i->op == X86_OP_WRFSBASE ? HVM_SEG_FS : HVM_SEG_GS;
	uint64_t base = x86_get_n(c, i->osize, i->dst);

	if (!seg_base_allowed(c))
		return x86_raise(c, X86_UD);
	if (!x86_is_canonical(base))
		return x86_raise_err(c, X86_GP, 0);
	c->seg[seg].base = base;
	return X86_NEXT;
}

/* -- table
 * ---------------------------------------------------------------------------------------------------
 */

#define SEG_ROW(name, fn) \
	{ \
		X86_OP_##name, X86_ANY, X86_ANY, fn \
	}

static const struct x86_exec_row seg_rows[] = {
	SEG_ROW(MOV_TO_SEG, seg_mov_to),   SEG_ROW(MOV_FROM_SEG, seg_mov_from),
	SEG_ROW(PUSH_SEG, seg_push),	   SEG_ROW(POP_SEG, seg_pop),
	SEG_ROW(LDS, seg_load_far),	   SEG_ROW(LES, seg_load_far),
	SEG_ROW(LFS, seg_load_far),	   SEG_ROW(LGS, seg_load_far),
	SEG_ROW(LSS, seg_load_far),	   SEG_ROW(RDFSBASE, seg_read_base),
	SEG_ROW(RDGSBASE, seg_read_base),  SEG_ROW(WRFSBASE, seg_write_base),
	SEG_ROW(WRGSBASE, seg_write_base), SEG_ROW(LGDT, x86_exec_lgdt),
	SEG_ROW(LIDT, x86_exec_lidt),	   SEG_ROW(SGDT, x86_exec_sgdt),
	SEG_ROW(SIDT, x86_exec_sidt),	   SEG_ROW(LLDT, x86_exec_lldt),
	SEG_ROW(SLDT, x86_exec_sldt),	   SEG_ROW(LTR, x86_exec_ltr),
	SEG_ROW(STR, x86_exec_str),	   SEG_ROW(LAR, x86_exec_lar),
	SEG_ROW(LSL, x86_exec_lsl),	   SEG_ROW(VERR, x86_exec_verr),
	SEG_ROW(VERW, x86_exec_verw),
};

const struct x86_exec_table x86_exec_seg = { seg_rows, HVM_ARRAY_SIZE(seg_rows) };
