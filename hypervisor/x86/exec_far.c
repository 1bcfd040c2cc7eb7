/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_far.c - far JMP, CALL and RET: through code segments, call gates, task gates and TSSs; and
 * the table of all far transfers.
 * Owns nothing. Locking: the vcpu's thread. Saved: nothing.
 * Source: Intel SDM Vol 2A "JMP", "CALL", Vol 2B "RET"; Vol 3A 5.8 "Privilege Level Checking When
 * Transferring Program Control Between Code Segments".
 */
#include "x86/exec_desc.h"

/* A far JMP or CALL on its way. */
struct far_run {
	const struct x86_insn *i;
	bool call;
	uint16_t sel;
	uint64_t off;
	struct x86_desc d; /* of sel */
};

struct far_gate {
	uint16_t sel;
	uint64_t off;
	unsigned int params;
	unsigned int osize; /* log2 of what is pushed */
	struct x86_desc cs;
};

static bool far_operand(struct x86_cpu *c, const struct x86_insn *i, struct far_run *r)
{
	r->i = i;
	if (i->form != X86_FORM_I)
		return x86_sys_get_far(c, i, &r->off, &r->sel);
	r->off = (uint32_t)i->imm;
	r->sel = (uint16_t)((uint64_t)i->imm >> 32);
	return true;
}

/* Push CS and the return address on the current stack. */
static int far_push_return(struct x86_cpu *c, const struct x86_insn *i, unsigned int osize,
			   struct x86_stack *st)
{
	struct x86_frame f;

	x86_stack_current(c, 0, st);
	x86_frame_init(&f, osize);
	x86_frame_push(&f, c->seg[HVM_SEG_CS].sel);
	x86_frame_push(&f, x86_next_ip(c, i));
	return x86_stack_push_frame(c, st, &f);
}

/* -- real and virtual-8086 mode ---------------------------------------------------------------- */

static int far_real(struct x86_cpu *c, const struct far_run *r)
{
	struct x86_stack st;

	if (r->off > c->seg[HVM_SEG_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	if (r->call) {
		if (far_push_return(c, r->i, r->i->osize, &st))
			return X86_ABORT;
		c->gpr[X86_RSP] = st.sp;
	}
	if (x86_is_vm86(c))
		x86_seg_set_vm86(&c->seg[HVM_SEG_CS], r->sel);
	else
		x86_seg_set_real(c, HVM_SEG_CS, r->sel);
	x86_update_mode(c);
	return x86_branch_to(c, r->off);
}

/* -- code segments ----------------------------------------------------------------------------- */

static bool far_is_64(const struct x86_cpu *c, const struct x86_desc *cs)
{
	return x86_is_long(c) && (cs->ar & HVM_AR_L);
}

static int far_check_ip(struct x86_cpu *c, const struct x86_desc *cs, uint64_t ip)
{
	if (far_is_64(c, cs) ? x86_is_canonical(ip) : ip <= x86_desc_limit(cs->raw))
		return X86_NEXT;
	return x86_raise_err(c, X86_GP, 0);
}

static int far_code(struct x86_cpu *c, struct far_run *r)
{
	unsigned int dpl = x86_ar_dpl(r->d.ar), rpl = r->sel & 3;
	uint32_t error = r->sel & 0xfffcu;
	struct x86_stack st = { .sp = 0 };
	int err;

	if (x86_ar_is_conforming(r->d.ar) ? dpl > c->cpl : dpl != c->cpl || rpl > c->cpl)
		return x86_raise_err(c, X86_GP, error);
	if (far_is_64(c, &r->d) && (r->d.ar & HVM_AR_DB))
		return x86_raise_err(c, X86_GP, error);
	if (!(r->d.ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, error);
	if (r->call && far_push_return(c, r->i, r->i->osize, &st))
		return X86_ABORT;
	err = far_check_ip(c, &r->d, r->off);
	if (!err)
		err = x86_desc_set_accessed(c, &r->d);
	if (err)
		return err;
	if (r->call)
		c->gpr[X86_RSP] = st.sp;
	x86_set_cs(c, r->sel, &r->d, c->cpl);
	x86_update_mode(c);
	return x86_branch_to(c, r->off);
}

/* -- call gates -------------------------------------------------------------------------------- */

/* May the gate or TSS be used? Then it must be present, too. */
static int far_check_system(struct x86_cpu *c, const struct far_run *r)
{
	unsigned int dpl = x86_ar_dpl(r->d.ar);

	if (dpl < c->cpl || dpl < (r->sel & 3u))
		return x86_raise_err(c, X86_GP, r->sel & 0xfffcu);
	if (!(r->d.ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, r->sel & 0xfffcu);
	return X86_NEXT;
}

static int far_read_gate(struct x86_cpu *c, const struct far_run *r, struct far_gate *g)
{
	uint64_t raw = r->d.raw;
	bool wide = x86_ar_sys_type(r->d.ar) == X86_SYS_CALL32;
	uint32_t high = 0;
	int err = far_check_system(c, r);

	if (!err && x86_is_long(c))
		err = x86_desc_fetch_high(c, &r->d, X86_GP, 0, &high);
	if (err)
		return err;
	*g = (struct far_gate){
		.sel = (uint16_t)(raw >> 16),
		.off = (raw & 0xffff) | (wide ? raw >> 32 & 0xffff0000 : 0) | (uint64_t)high << 32,
		.params = x86_is_long(c) ? 0 : raw >> 32 & 31,
		.osize = x86_is_long(c) ? 3
			 : wide		? 2
					: 1,
	};
	return X86_NEXT;
}

static int far_check_gate_code(struct x86_cpu *c, const struct far_run *r, struct far_gate *g)
{
	uint32_t error = g->sel & 0xfffcu;
	unsigned int dpl;
	int err;

	if (x86_sel_is_null(g->sel))
		return x86_raise_err(c, X86_GP, 0);
	err = x86_desc_fetch(c, g->sel, X86_GP, 0, &g->cs);
	if (err)
		return err;
	dpl = x86_ar_dpl(g->cs.ar);
	if (!x86_ar_is_code(g->cs.ar) || dpl > c->cpl)
		return x86_raise_err(c, X86_GP, error);
	if (!r->call && !x86_ar_is_conforming(g->cs.ar) && dpl != c->cpl)
		return x86_raise_err(c, X86_GP, error);
	if (x86_is_long(c) && (g->cs.ar & (HVM_AR_L | HVM_AR_DB)) != HVM_AR_L)
		return x86_raise_err(c, X86_GP, error);
	if (!(g->cs.ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, error);
	return X86_NEXT;
}

/* The frame on the inner stack: the outer stack pointer, the parameters, the return address. */
static int far_build_inner(struct x86_cpu *c, const struct far_run *r, const struct far_gate *g,
			   struct x86_frame *f)
{
	uint64_t sp = x86_get_sp(c), value;

	x86_frame_init(f, g->osize);
	x86_frame_push(f, c->seg[HVM_SEG_SS].sel);
	x86_frame_push(f, c->gpr[X86_RSP]);
	for (unsigned int n = g->params; n-- > 0;) {
		if (!x86_stack_load(c, x86_cut_sp(c, sp + (n << g->osize)), g->osize, &value))
			return X86_ABORT;
		x86_frame_push(f, value);
	}
	x86_frame_push(f, c->seg[HVM_SEG_CS].sel);
	x86_frame_push(f, x86_next_ip(c, r->i));
	return X86_NEXT;
}

static int far_gate_inner(struct x86_cpu *c, const struct far_run *r, struct far_gate *g)
{
	unsigned int cpl = x86_ar_dpl(g->cs.ar);
	struct x86_stack st = { .asize = 3, .cpl = cpl };
	struct x86_desc ss = { 0 };
	bool is_long = x86_is_long(c);
	struct x86_frame f;
	int err;

	err = is_long ? x86_tss_rsp(c, 4 + cpl * 8, 0, &st.sp)
		      : x86_stack_from_tss(c, cpl, 0, &st, &ss);
	if (!err)
		err = far_build_inner(c, r, g, &f);
	if (!err)
		err = x86_stack_push_frame(c, &st, &f);
	if (!err)
		err = far_check_ip(c, &g->cs, g->off);
	if (!err && !is_long)
		err = x86_desc_set_accessed(c, &ss);
	if (!err)
		err = x86_desc_set_accessed(c, &g->cs);
	if (err)
		return err;
	if (is_long)
		x86_seg_set_null(&c->seg[HVM_SEG_SS], (uint16_t)cpl, cpl);
	else
		c->seg[HVM_SEG_SS] = st.seg;
	c->gpr[X86_RSP] = st.sp;
	x86_set_cs(c, g->sel, &g->cs, cpl);
	x86_update_mode(c);
	return x86_branch_to(c, g->off);
}

static int far_call_gate(struct x86_cpu *c, struct far_run *r)
{
	struct x86_stack st;
	struct far_gate g;
	int err = far_read_gate(c, r, &g);

	if (!err)
		err = far_check_gate_code(c, r, &g);
	if (err)
		return err;
	if (r->call && !x86_ar_is_conforming(g.cs.ar) && x86_ar_dpl(g.cs.ar) < c->cpl)
		return far_gate_inner(c, r, &g);
	if (r->call && far_push_return(c, r->i, g.osize, &st))
		return X86_ABORT;
	err = far_check_ip(c, &g.cs, g.off);
	if (!err)
		err = x86_desc_set_accessed(c, &g.cs);
	if (err)
		return err;
	if (r->call)
		c->gpr[X86_RSP] = st.sp;
	x86_set_cs(c, g.sel, &g.cs, c->cpl);
	x86_update_mode(c);
	return x86_branch_to(c, g.off);
}

/* -- tasks
 * ----------------------------------------------------------------------------------------------------
 */

static int far_task(struct x86_cpu *c, struct far_run *r)
{
	struct x86_task_switch t = {
		.reason = r->call ? X86_TASK_CALL : X86_TASK_JMP,
		.next_ip = x86_next_ip(c, r->i),
		.saved_rflags = x86_get_rflags(c),
	};
	uint16_t tss = r->sel;
	int err = far_check_system(c, r);

	if (!err) {
		if (x86_ar_sys_type(r->d.ar) == X86_SYS_TASK_GATE)
			tss = (uint16_t)(r->d.raw >> 16);
		err = x86_task_fetch(c, tss, X86_GP, 0, false, &t.tss);
	}
	if (!err)
		err = x86_task_switch(c, &t);
	return x86_task_result(c, err);
}

/* -- JMP and CALL
 * ------------------------------------------------------------------------------------------------
 */

static int far_protected(struct x86_cpu *c, struct far_run *r)
{
	int err;

	if (x86_sel_is_null(r->sel))
		return x86_raise_err(c, X86_GP, 0);
	err = x86_desc_fetch(c, r->sel, X86_GP, 0, &r->d);
	if (err)
		return err;
	if (x86_ar_is_code(r->d.ar))
		return far_code(c, r);
	switch (x86_ar_sys_type(r->d.ar)) {
	case X86_SYS_CALL32: return far_call_gate(c, r);
	case X86_SYS_CALL16:
		if (!x86_is_long(c))
			return far_call_gate(c, r);
		break;
	case X86_SYS_TASK_GATE:
	case X86_SYS_TSS16:
	case X86_SYS_TSS32:
		if (!x86_is_long(c))
			return far_task(c, r);
		break;
	}
	return x86_raise_err(c, X86_GP, r->sel & 0xfffcu);
}

static int far_transfer(struct x86_cpu *c, const struct x86_insn *i, bool call)
{
	struct far_run r = { .call = call };

	if (!far_operand(c, i, &r))
		return X86_ABORT;
	return x86_uses_descriptors(c) ? far_protected(c, &r) : far_real(c, &r);
}

static int far_jmp(struct x86_cpu *c, const struct x86_insn *i)
{
	return far_transfer(c, i, false);
}

static int far_call(struct x86_cpu *c, const struct x86_insn *i)
{
	return far_transfer(c, i, true);
}

/* -- RET
 * ------------------------------------------------------------------------------------------------------------
 */

static bool far_pop(struct x86_cpu *c, const struct x86_insn *i, uint64_t at, uint64_t *ret)
{
	return x86_stack_load(c, x86_cut_sp(c, x86_get_sp(c) + at), i->osize, ret);
}

static int far_ret_real(struct x86_cpu *c, const struct x86_insn *i, uint64_t ip, uint16_t cs,
			uint16_t extra)
{
	if (ip > c->seg[HVM_SEG_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	x86_set_sp(c, x86_get_sp(c) + (2u << i->osize) + extra);
	if (x86_is_vm86(c))
		x86_seg_set_vm86(&c->seg[HVM_SEG_CS], cs);
	else
		x86_seg_set_real(c, HVM_SEG_CS, cs);
	x86_update_mode(c);
	return x86_branch_to(c, ip);
}

static int far_ret(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int bytes = 1u << i->osize;
	uint16_t extra = i->op == X86_OP_RETF_IMM ? (uint16_t)i->imm : 0;
	struct x86_return r = { 0 };
	uint64_t cs, ss;
	int err;

	if (!far_pop(c, i, 0, &r.ip) || !far_pop(c, i, bytes, &cs))
		return X86_ABORT;
	r.cs_sel = (uint16_t)cs;
	if (!x86_uses_descriptors(c))
		return far_ret_real(c, i, r.ip, r.cs_sel, extra);
	err = x86_return_check_code(c, &r);
	if (err)
		return err;
	r.loads_ss = r.new_cpl != c->cpl;
	if (r.loads_ss) {
		if (!far_pop(c, i, 2 * bytes + extra, &r.rsp) ||
		    !far_pop(c, i, 3 * bytes + extra, &ss))
			return X86_ABORT;
		r.rsp += extra; /* the parameters are on the outer stack, too */
		r.ss_sel = (uint16_t)ss;
	}
	err = x86_return_check(c, &r);
	return err ? err : x86_return_commit(c, &r, x86_get_sp(c) + 2 * bytes + extra);
}

/* -- table
 * ------------------------------------------------------------------------------------------------------------
 */

#define FAR_ROW(name, fn) \
	{ \
		X86_OP_##name, X86_ANY, X86_ANY, fn \
	}

static const struct x86_exec_row far_rows[] = {
	FAR_ROW(JMP_FAR, far_jmp),    FAR_ROW(CALL_FAR, far_call),  FAR_ROW(RETF, far_ret),
	FAR_ROW(RETF_IMM, far_ret),   FAR_ROW(IRET, x86_exec_iret), FAR_ROW(INT, x86_exec_int_n),
	FAR_ROW(INT3, x86_exec_int3), FAR_ROW(INTO, x86_exec_into), FAR_ROW(INT1, x86_exec_int1),
};

const struct x86_exec_table x86_exec_far = { far_rows, HVM_ARRAY_SIZE(far_rows) };
