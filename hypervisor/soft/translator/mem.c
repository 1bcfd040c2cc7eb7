/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem.c - memory operands: address, TLB probe, and the cold stubs behind the probes that fail. Owns
 * nothing.
 *
 *	lea  t0, [operand]
 *	rorx t1, t0, 8			; the entry's offset, 16 bytes each
 *	and  t1d, (entries - 1) << 4
 *	xor  t0, [rsp + t1 + tags]
 *	cmp  t0, 4096 - size		; other page, or over the page's end (aligned: test)
 *	ja   cold
 *	mov  t1, [rsp + t1 + addends]
 *	op   reg, [base + t1 + disp]
 *
 * Below CPL 3 with CR4.SMAP, STAC and CLAC pick the table: then its address is added to t1.
 */
#include "soft/translator/tr.h"

#define MASK_ENTRIES ((X86_TLB_ENTRIES - 1) << 4)

_Static_assert(sizeof(struct x86_tlb_entry) == 16, "the index is shifted by four");

void tr_swap(struct tr *t)
{
	uint8_t *p = t->p;

	t->p = t->other;
	t->other = p;
}

void tr_to_cold(struct tr *t, unsigned int cc)
{
	t->pending[t->pending_count++] = tr_jump(t, cc, NULL);
}

static bool tr_uses_mxcsr(const struct x86_insn *i)
{
	return (i->op >= X86_OP_FXSAVE && i->op <= X86_OP_EMMS) || i->op >= X86_OP_MOVD;
}

void tr_exec(struct tr *t, unsigned int n)
{
	bool mxcsr = tr_uses_mxcsr(tr_insn(t, n));

	tr_mov_imm(t, TR_T0, (uint64_t)(uintptr_t)tr_insn(t, n));
	tr_mov_imm(t, TR_T1, t->page_off);
	if (tr_x87_uses(tr_insn(t, n))) {
		tr_call(t, t->g->code.rw + t->g->exec_x87);
		t->x87.live = false;
		return;
	}
	tr_call(t, t->g->code.rw + (mxcsr ? t->g->exec_sse : t->g->exec));
}

void tr_finish_cold(struct tr *t)
{
	unsigned int last = t->cold_last > t->n ? t->cold_last : t->n;
	bool x87_live = t->x87.live;

	t->cold_last = 0;
	if (!t->pending_count)
		return;
	tr_swap(t);
	for (unsigned int k = 0; k < t->pending_count; k++)
		tr_patch(t->pending[k], t->p);
	tr_x87_emit_notes(t, &t->x87_before);
	for (unsigned int n = t->n; n <= last; n++)
		tr_exec(t, n);
	if (tr_leaves_behind(tr_insn(t, last)))
		tr_leave(t, tr_insn(t, last)->end);
	tr_x87_cold_end(t, tr_insn(t, last), x87_live);
	if (t->flags != TR_IN_MEM && t->live_after)
		tr_emit_load_flags(t, TR_T0);
	tr_jump(t, TR_ALWAYS, t->other);
	tr_swap(t);
	t->pending_count = 0;
}

/* -- the probe ----------------------------------------------------------------------------- */

bool tr_dynamic_context(const struct tr *t)
{
	uint32_t mode = t->b->key;

	return (mode & X86_MODE_SMAP) && (mode & X86_MODE_CPL_MASK) >> X86_MODE_CPL_SHIFT != 3;
}

/* T0 holds the address. Leaves the entry's addend in T1. */
static void tr_probe_t0(struct tr *t, unsigned int size, bool write, unsigned int align)
{
	bool user = (t->b->key & X86_MODE_CPL_MASK) >> X86_MODE_CPL_SHIFT == 3;
	struct tr_mem entry = tr_state(0);
	const struct tr_rm t1 = tr_reg(TR_T1), t0 = tr_reg(TR_T0);

	tr_rorx8(t, TR_T1, TR_T0);
	tr_op_rm(t, 0x81, 4, &t1, 4); /* and */
	tr_word32(t, MASK_ENTRIES);
	if (tr_dynamic_context(t)) {
		tr_op_mem(t, TR_W | 0x03, TR_T1, TR_FIELD(cpu.tlb_r));
		entry = tr_based(TR_T1, write ? (int32_t)offsetof(struct x86_tlb, w) : 0);
	} else {
		unsigned int ctx = user ? X86_TLB_USER : X86_TLB_KERNEL;

		entry.index = TR_T1;
		entry.disp = (int32_t)(offsetof(struct soft_vcpu, own_tlb) +
				       (write ? offsetof(struct x86_tlb, w)
					      : offsetof(struct x86_tlb, r)) +
				       ctx * sizeof(((struct x86_tlb *)0)->r[0]));
	}
	tr_op_mem(t, TR_W | 0x33, TR_T0, entry); /* xor */
	if (align) {
		/* No difference but in the bits that an aligned address has in its page. */
		tr_op_rm(t, TR_W | 0xf7, 0, &t0, 4); /* test */
		tr_word32(t, (uint32_t)-HVM_PAGE_SIZE | (align - 1));
		tr_to_cold(t, 5);
	} else {
		tr_op_rm(t, TR_W | 0x81, 7, &t0, 4); /* cmp */
		tr_word32(t, HVM_PAGE_SIZE - size);
		tr_to_cold(t, 7);
	}
	entry.disp += (int32_t)offsetof(struct x86_tlb_entry, addend);
	tr_load(t, TR_T1, entry);
}

uint8_t *tr_probe_group(struct tr *t, struct tr_mem m, unsigned int size, bool write)
{
	tr_clobber(t);
	tr_lea(t, TR_T0, m);
	tr_probe_t0(t, size, write, 0);
	tr_mov(t, TR_T2, TR_T1);
	return t->pending[--t->pending_count];
}

void tr_probe(struct tr *t, unsigned int base, int32_t disp, unsigned int size, bool write)
{
	tr_clobber(t);
	tr_lea(t, TR_T0, tr_based(base, disp));
	tr_probe_t0(t, size, write, 0);
}

/* -- addresses ----------------------------------------------------------------------------- */

/* Anything but host registers for base and index: the address, as far as it goes, to T2. */
static bool tr_address_t2(struct tr *t, const struct x86_insn *i, struct tr_mem *m)
{
	unsigned int base = i->base < 16 ? tr_host(i->base) : TR_NO_REG;
	unsigned int index = i->index < 16 ? tr_host(i->index) : TR_NO_REG;
	int64_t disp = i->disp;

	if (i->base == X86_REG_IP)
		disp += t->page_off;
	if (disp != (int32_t)disp && (i->base != X86_REG_NONE || i->index != X86_REG_NONE))
		return false;
	tr_clobber(t);
	if (i->base == X86_REG_IP || (i->base < 16 && base == TR_NO_REG)) {
		tr_load(t, TR_T2, i->base == X86_REG_IP ? TR_FIELD(tr.page_ip) : tr_slot(i->base));
		base = TR_T2;
	}
	if (i->index < 16 && index == TR_NO_REG) {
		tr_load(t, TR_T0, tr_slot(i->index));
		index = TR_T0;
	}
	if (base == TR_NO_REG && index == TR_NO_REG) {
		tr_mov_imm(t, TR_T2, (uint64_t)disp);
		disp = 0;
	} else if (base != TR_T2 || index != TR_NO_REG || i->seg >= HVM_SEG_FS) {
		struct tr_mem ea = { (uint8_t)base, (uint8_t)index, i->scale, (int32_t)disp };

		tr_lea(t, TR_T2, ea);
		disp = 0;
	}
	if (i->seg >= HVM_SEG_FS)
		tr_op_mem(t, TR_W | 0x03, TR_T2,
			  tr_state(offsetof(struct soft_vcpu, cpu.seg) +
				   i->seg * sizeof(struct hvm_seg) +
				   offsetof(struct hvm_seg, base)));
	*m = tr_based(TR_T2, (int32_t)disp);
	return true;
}

bool tr_address(struct tr *t, const struct x86_insn *i, unsigned int size, bool write,
		unsigned int align, struct tr_mem *m)
{
	bool plain = i->seg < HVM_SEG_FS && i->base < 16 && tr_host(i->base) != TR_NO_REG &&
		     i->disp == (int32_t)i->disp &&
		     (i->index == X86_REG_NONE || tr_host(i->index) != TR_NO_REG);

	if (i->asize != 3 || size > 64)
		return false;
	if (tr_group_address(t, i, m))
		return true;
	if (plain) {
		*m = (struct tr_mem){ (uint8_t)tr_host(i->base),
				      (uint8_t)(i->index == X86_REG_NONE ? TR_NO_REG
									 : tr_host(i->index)),
				      i->scale, (int32_t)i->disp };
		tr_clobber(t);
	} else if (!tr_address_t2(t, i, m)) {
		return false;
	}
	/* With an index, the address itself stays if T2 is free: one step less to the access. */
	if (m->index != TR_NO_REG && !t->in_group) {
		tr_lea(t, TR_T2, *m);
		*m = tr_based(TR_T2, 0);
		tr_mov(t, TR_T0, TR_T2);
	} else {
		tr_lea(t, TR_T0, *m);
	}
	tr_probe_t0(t, size, write, align);
	if (m->index != TR_NO_REG) {
		tr_op_rr(t, TR_W | 0x01, m->base, TR_T1); /* add t1, base */
		m->base = TR_T1;
	} else {
		m->index = TR_T1;
		m->scale = 0;
	}
	return true;
}
