/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_iret.c - IRET, IRETD, IRETQ: real mode, virtual-8086, same and outer ring, return to
 * virtual-8086 mode, return to a task, 64-bit mode.
 * Owns nothing. Locking: the vcpu's thread. Saved: nothing.
 * Source: Intel SDM Vol 2A "IRET/IRETD/IRETQ", Vol 3A 6.7.1 "Handling Multiple NMIs".
 */
#include "x86/exec_desc.h"

#define IRET_FLAGS16 (X86_EFL_ARITH | X86_EFL_TF | X86_EFL_DF | X86_EFL_NT)
#define IRET_FLAGS32 (IRET_FLAGS16 | X86_EFL_RF | X86_EFL_AC | X86_EFL_ID)

/* RFLAGS after the return, as the rights of the code before it allow. Never changes VM. */
static uint64_t iret_flags(const struct x86_cpu *c, unsigned int osize, uint64_t popped)
{
	uint64_t mask = osize == 1 ? IRET_FLAGS16 : IRET_FLAGS32;

	if (c->cpl <= x86_iopl(c))
		mask |= X86_EFL_IF;
	if (c->cpl == 0) {
		mask |= X86_EFL_IOPL;
		if (osize > 1)
			mask |= X86_EFL_VIF | X86_EFL_VIP;
	}
	return (popped & mask) | (x86_get_rflags(c) & ~mask);
}

static bool iret_pop(struct x86_cpu *c, const struct x86_insn *i, unsigned int n, uint64_t *ret)
{
	return x86_stack_load(c, x86_cut_sp(c, x86_get_sp(c) + (n << i->osize)), i->osize, ret);
}

/* -- real and virtual-8086 mode -------------------------------------------------------------------
 */

static int iret_real(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t ip, cs, rflags;

	if (x86_is_vm86(c) && x86_iopl(c) < 3)
		return x86_raise_err(c, X86_GP, 0);
	if (!iret_pop(c, i, 0, &ip) || !iret_pop(c, i, 1, &cs) || !iret_pop(c, i, 2, &rflags))
		return X86_ABORT;
	if (ip > c->seg[HVM_SEG_CS].limit)
		return x86_raise_err(c, X86_GP, 0);
	x86_set_sp(c, x86_get_sp(c) + (3u << i->osize));
	if (x86_is_vm86(c))
		x86_seg_set_vm86(&c->seg[HVM_SEG_CS], (uint16_t)cs);
	else
		x86_seg_set_real(c, HVM_SEG_CS, (uint16_t)cs);
	x86_put_rflags(c, iret_flags(c, i->osize, rflags));
	x86_update_mode(c);
	return x86_branch_to(c, ip);
}

/* -- protected mode ---------------------------------------------------------------------------- */

static int iret_to_vm86(struct x86_cpu *c, const struct x86_insn *i, const struct x86_return *r,
			uint64_t rflags)
{
	static const uint8_t segs[] = { HVM_SEG_SS, HVM_SEG_ES, HVM_SEG_DS, HVM_SEG_FS,
					HVM_SEG_GS };
	uint64_t esp, sel[HVM_ARRAY_SIZE(segs)];

	if (!iret_pop(c, i, 3, &esp))
		return X86_ABORT;
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(segs); n++)
		if (!iret_pop(c, i, 4 + n, &sel[n]))
			return X86_ABORT;
	if (r->ip > 0xffff)
		return x86_raise_err(c, X86_GP, 0);
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(segs); n++)
		x86_seg_set_vm86(&c->seg[segs[n]], (uint16_t)sel[n]);
	x86_seg_set_vm86(&c->seg[HVM_SEG_CS], r->cs_sel);
	c->gpr[X86_RSP] = esp;
	x86_put_rflags(c, iret_flags(c, 2, rflags) | X86_EFL_VM);
	x86_update_mode(c);
	return x86_branch_to(c, r->ip);
}

static int iret_task(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_task_switch t = { .reason = X86_TASK_IRET,
				     .next_ip = x86_next_ip(c, i),
				     .saved_rflags = x86_get_rflags(c) & ~(uint64_t)X86_EFL_NT };
	uint16_t link;
	int r;

	if (!x86_sys_get(c, c->seg[HVM_SEG_TR].base, &link, 2))
		return X86_ABORT;
	r = x86_task_fetch(c, link, X86_TS, 0, true, &t.tss);
	if (!r)
		r = x86_task_switch(c, &t);
	return x86_task_result(c, r);
}

int x86_return_check_code(struct x86_cpu *c, struct x86_return *r)
{
	uint32_t error = r->cs_sel & 0xfffcu;
	unsigned int rpl = r->cs_sel & 3, dpl;
	int err;

	if (x86_sel_is_null(r->cs_sel))
		return x86_raise_err(c, X86_GP, 0);
	err = x86_desc_fetch(c, r->cs_sel, X86_GP, 0, &r->cs);
	if (err)
		return err;
	dpl = x86_ar_dpl(r->cs.ar);
	if (!x86_ar_is_code(r->cs.ar) || rpl < c->cpl)
		return x86_raise_err(c, X86_GP, error);
	if (x86_ar_is_conforming(r->cs.ar) ? dpl > rpl : dpl != rpl)
		return x86_raise_err(c, X86_GP, error);
	if (x86_is_long(c) && (r->cs.ar & HVM_AR_L) && (r->cs.ar & HVM_AR_DB))
		return x86_raise_err(c, X86_GP, error);
	if (!(r->cs.ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, error);
	r->new_cpl = rpl;
	return X86_NEXT;
}

static bool return_to_64(const struct x86_cpu *c, const struct x86_return *r)
{
	return x86_is_long(c) && (r->cs.ar & HVM_AR_L);
}

/* A null SS is good for 64-bit code of rings 0 to 2. */
static int return_check_stack(struct x86_cpu *c, struct x86_return *r)
{
	if (!x86_sel_is_null(r->ss_sel))
		return x86_desc_check_stack(c, r->ss_sel, r->new_cpl, X86_GP, 0, &r->ss);
	if (!return_to_64(c, r) || r->new_cpl == 3 || (r->ss_sel & 3u) != r->new_cpl)
		return x86_raise_err(c, X86_GP, 0);
	return X86_NEXT;
}

static void return_load_stack(struct x86_cpu *c, const struct x86_return *r, bool target64)
{
	if (x86_sel_is_null(r->ss_sel))
		x86_seg_set_null(&c->seg[HVM_SEG_SS], r->ss_sel, r->new_cpl);
	else
		x86_seg_set(&c->seg[HVM_SEG_SS], r->ss_sel, &r->ss);
	if (target64)
		c->gpr[X86_RSP] = r->rsp;
	else if (c->seg[HVM_SEG_SS].ar & HVM_AR_DB)
		c->gpr[X86_RSP] = (uint32_t)r->rsp;
	else
		c->gpr[X86_RSP] = (c->gpr[X86_RSP] & ~0xffffull) | (uint16_t)r->rsp;
}

int x86_return_check(struct x86_cpu *c, struct x86_return *r)
{
	int err = X86_NEXT;

	if (r->loads_ss)
		err = return_check_stack(c, r);
	if (err)
		return err;
	if (return_to_64(c, r) ? !x86_is_canonical(r->ip) : r->ip > x86_desc_limit(r->cs.raw))
		return x86_raise_err(c, X86_GP, 0);
	if (r->loads_ss && !x86_sel_is_null(r->ss_sel))
		err = x86_desc_set_accessed(c, &r->ss);
	return err ? err : x86_desc_set_accessed(c, &r->cs);
}

int x86_return_commit(struct x86_cpu *c, const struct x86_return *r, uint64_t same_sp)
{
	bool outer = r->new_cpl != c->cpl;

	if (r->loads_ss)
		return_load_stack(c, r, return_to_64(c, r));
	else
		x86_set_sp(c, same_sp);
	x86_set_cs(c, r->cs_sel, &r->cs, r->new_cpl);
	x86_update_mode(c);
	if (outer) {
		x86_drop_inner_segments(c);
		x86_update_mode(c);
	}
	return x86_branch_to(c, r->ip);
}

/* Everything was popped and the code segment is good. */
static int iret_protected(struct x86_cpu *c, const struct x86_insn *i, struct x86_return *r,
			  uint64_t popped_rflags)
{
	uint64_t same_sp = x86_get_sp(c) + (3u << i->osize);
	int err = x86_return_check(c, r);

	if (err)
		return err;
	x86_put_rflags(c, iret_flags(c, i->osize, popped_rflags));
	return x86_return_commit(c, r, same_sp);
}

static int iret_legacy(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_return r = { 0 };
	uint64_t cs, ss, rflags;
	int err;

	if (c->rflags_rest & X86_EFL_NT)
		return x86_is_long(c) ? x86_raise_err(c, X86_GP, 0) : iret_task(c, i);
	if (!iret_pop(c, i, 0, &r.ip) || !iret_pop(c, i, 1, &cs) || !iret_pop(c, i, 2, &rflags))
		return X86_ABORT;
	r.cs_sel = (uint16_t)cs;
	if (i->osize == 2 && (rflags & X86_EFL_VM) && c->cpl == 0 && !x86_is_long(c))
		return iret_to_vm86(c, i, &r, rflags);
	err = x86_return_check_code(c, &r);
	if (err)
		return err;
	r.loads_ss = x86_is_code64(c) || r.new_cpl != c->cpl;
	if (r.loads_ss) {
		if (!iret_pop(c, i, 3, &r.rsp) || !iret_pop(c, i, 4, &ss))
			return X86_ABORT;
		r.ss_sel = (uint16_t)ss;
	}
	return iret_protected(c, i, &r, rflags);
}

/* IRETQ: the way out of a 64-bit kernel, one read of the frame. */
static int iret_long(struct x86_cpu *c, const struct x86_insn *i)
{
	gva_t sp = c->gpr[X86_RSP];
	const void *p = x86_ptr_r_fast(c, sp, 40);
	struct x86_return r;
	uint64_t frame[5];
	int err;

	if (c->rflags_rest & X86_EFL_NT)
		return x86_raise_err(c, X86_GP, 0);
	if (hvm_likely(p))
		memcpy(frame, p, sizeof(frame));
	else if (!x86_load_slow(c, sp, frame, sizeof(frame)))
		return x86_stack_fault(c);
	r.ip = frame[0];
	r.cs_sel = (uint16_t)frame[1];
	r.rsp = frame[3];
	r.ss_sel = (uint16_t)frame[4];
	r.loads_ss = true;
	err = x86_return_check_code(c, &r);
	return err ? err : iret_protected(c, i, &r, frame[2]);
}

int x86_exec_iret(struct x86_cpu *c, const struct x86_insn *i)
{
	/* NMIs are let in again even when the IRET itself faults. */
	c->intr_shadow &= ~HVM_INTR_SHADOW_NMI;
	if (!x86_uses_descriptors(c))
		return iret_real(c, i);
	if (i->osize == 3)
		return iret_long(c, i);
	return iret_legacy(c, i);
}
