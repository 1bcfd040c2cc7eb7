/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_desc.c - descriptors, segment caches, system structures in memory, stack frames.
 * Owns nothing. Locking: the vcpu's thread; bits in descriptors that other vcpus share are changed
 * by atomic operations. Saved: nothing.
 * Source: Intel SDM Vol 3A ch. 3 "Protected-Mode Memory Management", ch. 5 "Protection",
 * 7.2 "Task Management Data Structures".
 */
#include "x86/exec_desc.h"

/* -- system memory --------------------------------------------------------------------------------
 */

static gva_t sys_gva(const struct x86_cpu *c, gva_t gva)
{
	return x86_is_long(c) ? gva : (uint32_t)gva;
}

/* The strictest supervisor context: what it allows, every access of the processor itself may do. */
static void *sys_fast_ptr(const struct x86_cpu *c, gva_t gva, unsigned int size, bool write)
{
	const struct x86_tlb_entry *e;

	if (!c->tlb)
		return NULL;
	e = x86_tlb_slot(write ? c->tlb->w[X86_TLB_KERNEL] : c->tlb->r[X86_TLB_KERNEL], gva);
	if (hvm_likely((gva ^ e->tag) <= HVM_PAGE_SIZE - size))
		return (void *)(uintptr_t)(gva + e->addend);
	return NULL;
}

bool x86_sys_load64(struct x86_cpu *c, gva_t gva, uint64_t *ret)
{
	const void *p;

	gva = sys_gva(c, gva);
	p = sys_fast_ptr(c, gva, 8, false);
	if (hvm_unlikely(!p))
		return x86_sys_load(c, gva, ret, 8);
	*ret = X86_MEM_GET(64, p);
	return true;
}

bool x86_sys_get(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size)
{
	const void *p;

	gva = sys_gva(c, gva);
	p = sys_fast_ptr(c, gva, size, false);
	if (!p)
		return x86_sys_load(c, gva, buf, size);
	memcpy(buf, p, size);
	return true;
}

bool x86_sys_put(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size)
{
	void *p;

	gva = sys_gva(c, gva);
	p = sys_fast_ptr(c, gva, size, true);
	if (!p)
		return x86_sys_store(c, gva, buf, size);
	memcpy(p, buf, size);
	return true;
}

bool x86_sys_probe(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	gva = sys_gva(c, gva);
	return sys_fast_ptr(c, gva, size, true) || x86_probe_w_as(c, 0, gva, size);
}

bool x86_sys_or8(struct x86_cpu *c, gva_t gva, uint8_t bits)
{
	uint8_t *p, v;
	bool ok;

	gva = sys_gva(c, gva);
	if (!x86_sys_probe(c, gva, 1))
		return false;
	p = sys_fast_ptr(c, gva, 1, true);
	if (p) {
		__atomic_fetch_or(p, bits, __ATOMIC_SEQ_CST);
		return true;
	}
	x86_bus_lock(c);
	ok = x86_sys_load(c, gva, &v, 1);
	if (ok) {
		v |= bits;
		ok = x86_sys_store(c, gva, &v, 1);
	}
	x86_bus_unlock(c);
	return ok;
}

bool x86_sys_and8(struct x86_cpu *c, gva_t gva, uint8_t mask)
{
	uint8_t *p, v;
	bool ok;

	gva = sys_gva(c, gva);
	if (!x86_sys_probe(c, gva, 1))
		return false;
	p = sys_fast_ptr(c, gva, 1, true);
	if (p) {
		__atomic_fetch_and(p, mask, __ATOMIC_SEQ_CST);
		return true;
	}
	x86_bus_lock(c);
	ok = x86_sys_load(c, gva, &v, 1);
	if (ok) {
		v &= mask;
		ok = x86_sys_store(c, gva, &v, 1);
	}
	x86_bus_unlock(c);
	return ok;
}

/* -- descriptors ----------------------------------------------------------------------------------
 */

int x86_desc_fetch(struct x86_cpu *c, uint16_t sel, enum x86_vector vector, unsigned int ext,
		   struct x86_desc *ret)
{
	const struct hvm_seg *ldt = &c->seg[HVM_SEG_LDTR];
	bool in_ldt = sel & 4;
	uint64_t base = in_ldt ? ldt->base : c->gdtr.base;
	uint32_t limit = in_ldt ? ldt->limit : c->gdtr.limit;
	uint32_t offset = sel & 0xfff8u;

	if ((in_ldt && (ldt->ar & HVM_AR_UNUSABLE)) || offset + 7 > limit)
		return x86_raise_err(c, vector, (sel & 0xfffcu) | ext);
	if (!x86_sys_load64(c, base + offset, &ret->raw))
		return X86_ABORT;
	ret->gva = base + offset;
	ret->ar = x86_desc_ar(ret->raw);
	ret->sel = sel;
	return X86_NEXT;
}

int x86_fetch_descriptor(struct x86_cpu *c, uint16_t sel, enum x86_vector vector, uint64_t *ret)
{
	struct x86_desc d;
	int r = x86_desc_fetch(c, sel, vector, 0, &d);

	if (r == X86_NEXT)
		*ret = d.raw;
	return r;
}

int x86_desc_fetch_high(struct x86_cpu *c, const struct x86_desc *d, enum x86_vector vector,
			unsigned int ext, uint32_t *ret_base_high)
{
	uint32_t limit = d->sel & 4 ? c->seg[HVM_SEG_LDTR].limit : c->gdtr.limit;
	uint64_t high;

	if ((d->sel & 0xfff8u) + 15 > limit)
		return x86_raise_err(c, vector, (d->sel & 0xfffcu) | ext);
	if (!x86_sys_load64(c, d->gva + 8, &high))
		return X86_ABORT;
	if ((high >> 40) & 0x1f)
		return x86_raise_err(c, vector, (d->sel & 0xfffcu) | ext);
	*ret_base_high = (uint32_t)high;
	return X86_NEXT;
}

int x86_desc_set_accessed(struct x86_cpu *c, struct x86_desc *d)
{
	if (d->ar & HVM_AR_ACCESSED)
		return X86_NEXT;
	if (!x86_sys_or8(c, d->gva + 5, HVM_AR_ACCESSED))
		return X86_ABORT;
	d->raw |= (uint64_t)HVM_AR_ACCESSED << 40;
	d->ar |= HVM_AR_ACCESSED;
	return X86_NEXT;
}

int x86_desc_check_stack(struct x86_cpu *c, uint16_t sel, unsigned int cpl, enum x86_vector vector,
			 unsigned int ext, struct x86_desc *ret)
{
	uint32_t error = (sel & 0xfffcu) | ext;
	int r;

	if (x86_sel_is_null(sel))
		return x86_raise_err(c, vector, ext);
	r = x86_desc_fetch(c, sel, vector, ext, ret);
	if (r)
		return r;
	if ((sel & 3u) != cpl || x86_ar_dpl(ret->ar) != cpl || !x86_ar_is_writable_data(ret->ar))
		return x86_raise_err(c, vector, error);
	if (!(ret->ar & HVM_AR_P))
		return x86_raise_err(c, X86_SS, error);
	return X86_NEXT;
}

/* -- segment caches -------------------------------------------------------------------------------
 */

void x86_seg_set(struct hvm_seg *s, uint16_t sel, const struct x86_desc *d)
{
	*s = (struct hvm_seg){
		.base = x86_desc_base(d->raw),
		.limit = x86_desc_limit(d->raw),
		.ar = d->ar,
		.sel = sel,
	};
}

void x86_seg_set_null(struct hvm_seg *s, uint16_t sel, unsigned int cpl)
{
	*s = (struct hvm_seg){ .sel = sel, .ar = HVM_AR_UNUSABLE | cpl << HVM_AR_DPL_SHIFT };
}

void x86_seg_set_real(struct x86_cpu *c, unsigned int seg, uint16_t sel)
{
	struct hvm_seg *s = &c->seg[seg];

	s->sel = sel;
	s->base = (uint64_t)sel << 4;
	/* A segment that was null or a system's before becomes an ordinary one. */
	if ((s->ar & HVM_AR_UNUSABLE) || (s->ar & (HVM_AR_P | HVM_AR_S)) != (HVM_AR_P | HVM_AR_S)) {
		s->ar = X86_AR_REAL_DATA | (seg == HVM_SEG_CS ? HVM_AR_CODE : 0);
		s->limit = 0xffff;
	}
}

void x86_seg_set_vm86(struct hvm_seg *s, uint16_t sel)
{
	*s = (struct hvm_seg){
		.base = (uint64_t)sel << 4, .limit = 0xffff, .ar = X86_AR_VM86, .sel = sel
	};
}

void x86_set_cs(struct x86_cpu *c, uint16_t sel, const struct x86_desc *d, unsigned int cpl)
{
	x86_seg_set(&c->seg[HVM_SEG_CS], (uint16_t)((sel & 0xfffcu) | cpl), d);
}

void x86_drop_inner_segments(struct x86_cpu *c)
{
	static const uint8_t segs[] = { HVM_SEG_ES, HVM_SEG_DS, HVM_SEG_FS, HVM_SEG_GS };

	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(segs); n++) {
		struct hvm_seg *s = &c->seg[segs[n]];

		if ((s->ar & HVM_AR_UNUSABLE) || x86_ar_dpl(s->ar) >= c->cpl)
			continue;
		if (!x86_ar_is_code(s->ar) || !x86_ar_is_conforming(s->ar))
			x86_seg_set_null(s, 0, 0);
	}
}

bool x86_seg_range_ok(const struct hvm_seg *s, uint64_t off, unsigned int size)
{
	uint64_t last = off + size - 1;

	if ((s->ar & HVM_AR_UNUSABLE) || !(s->ar & HVM_AR_P))
		return false;
	if ((s->ar & (HVM_AR_CODE | HVM_AR_EC)) == HVM_AR_EC) /* expand-down */
		return off > s->limit && last <= (s->ar & HVM_AR_DB ? 0xffffffffu : 0xffffu);
	return last <= s->limit;
}

/* -- frames ------------------------------------------------------------------------------------ */

void x86_stack_current(const struct x86_cpu *c, uint32_t error, struct x86_stack *ret)
{
	*ret = (struct x86_stack){
		.seg = c->seg[HVM_SEG_SS],
		.sp = c->gpr[X86_RSP],
		.asize = (c->mode & X86_MODE_SS_MASK) >> X86_MODE_SS_SHIFT,
		.cpl = c->cpl,
		.error = error,
	};
}

static int stack_tss_fault(struct x86_cpu *c, unsigned int ext)
{
	return x86_raise_err(c, X86_TS, (c->seg[HVM_SEG_TR].sel & 0xfffcu) | ext);
}

int x86_stack_from_tss(struct x86_cpu *c, unsigned int cpl, unsigned int ext, struct x86_stack *ret,
		       struct x86_desc *ret_desc)
{
	const struct hvm_seg *tr = &c->seg[HVM_SEG_TR];
	bool wide = tr->ar & 8;
	unsigned int at = wide ? 4 + cpl * 8 : 2 + cpl * 4;
	uint32_t sp = 0;
	uint16_t ss;
	int r;

	if ((tr->ar & HVM_AR_UNUSABLE) || at + (wide ? 5 : 3) > tr->limit)
		return stack_tss_fault(c, ext);
	if (!x86_sys_get(c, tr->base + at, &sp, wide ? 4 : 2) ||
	    !x86_sys_get(c, tr->base + at + (wide ? 4 : 2), &ss, 2))
		return X86_ABORT;
	r = x86_desc_check_stack(c, ss, cpl, X86_TS, ext, ret_desc);
	if (r)
		return r;
	*ret = (struct x86_stack){ .sp = sp, .cpl = cpl, .error = (ss & 0xfffcu) | ext };
	x86_seg_set(&ret->seg, ss, ret_desc);
	ret->seg.ar |= HVM_AR_ACCESSED;
	ret->asize = ret->seg.ar & HVM_AR_DB ? 2 : 1;
	return X86_NEXT;
}

int x86_tss_rsp(struct x86_cpu *c, unsigned int offset, unsigned int ext, uint64_t *ret)
{
	const struct hvm_seg *tr = &c->seg[HVM_SEG_TR];
	uint64_t rsp;

	if ((tr->ar & HVM_AR_UNUSABLE) || offset + 7 > tr->limit)
		return stack_tss_fault(c, ext);
	if (!x86_sys_load64(c, tr->base + offset, &rsp))
		return X86_ABORT;
	if (!x86_is_canonical(rsp))
		return x86_raise_err(c, X86_SS, ext);
	*ret = rsp;
	return X86_NEXT;
}

static uint64_t stack_mask(const struct x86_stack *st)
{
	return st->asize == 3 ? ~0ull : st->asize == 2 ? 0xffffffffull : 0xffffull;
}

static gva_t stack_linear(const struct x86_stack *st, uint64_t off)
{
	return st->asize == 3 ? off : (uint32_t)(st->seg.base + off);
}

static bool stack_probe(struct x86_cpu *c, const struct x86_stack *st, gva_t gva, unsigned int size)
{
	if (st->cpl < 3 && sys_fast_ptr(c, gva, size, true))
		return true;
	return x86_probe_w_as(c, st->cpl, gva, size);
}

static bool stack_store(struct x86_cpu *c, const struct x86_stack *st, gva_t gva, const void *buf,
			unsigned int size)
{
	void *p = st->cpl < 3 ? sys_fast_ptr(c, gva, size, true) : NULL;

	if (hvm_unlikely(!p))
		return x86_store_as(c, st->cpl, gva, buf, size);
	memcpy(p, buf, size);
	return true;
}

/* Is every element inside the segment? *ret_wraps: the frame goes round the end of a 64 KiB stack.
 */
static int stack_check_frame(struct x86_cpu *c, const struct x86_stack *st,
			     const struct x86_frame *f, bool *ret_wraps)
{
	unsigned int bytes = 1u << f->osize, total = f->count << f->osize;
	uint64_t mask = stack_mask(st), sp = st->sp & mask;

	*ret_wraps = false;
	if (st->asize == 3)
		return x86_is_canonical(sp - total) && x86_is_canonical(sp - 1)
			       ? X86_NEXT
			       : x86_raise_err(c, X86_SS, st->error);
	*ret_wraps = sp < total;
	for (unsigned int n = 0; n < f->count; n++) {
		sp = (sp - bytes) & mask;
		if (!x86_seg_range_ok(&st->seg, sp, bytes))
			return x86_raise_err(c, X86_SS, st->error);
	}
	return X86_NEXT;
}

/* Rare: the stack pointer goes through zero, so the frame is not one piece of memory. */
static int stack_push_wrapped(struct x86_cpu *c, const struct x86_stack *st,
			      const struct x86_frame *f)
{
	unsigned int bytes = 1u << f->osize;

	for (unsigned int pass = 0; pass < 2; pass++) {
		uint64_t sp = st->sp;

		for (unsigned int n = 0; n < f->count; n++) {
			gva_t gva = stack_linear(st, (sp -= bytes) & stack_mask(st));

			if (pass == 0 ? !stack_probe(c, st, gva, bytes)
				      : !stack_store(c, st, gva, &f->value[n], bytes))
				return X86_ABORT;
		}
	}
	return X86_NEXT;
}

static int stack_push_piece(struct x86_cpu *c, const struct x86_stack *st,
			    const struct x86_frame *f)
{
	_Alignas(8) uint8_t buf[X86_FRAME_MAX * 8];
	unsigned int bytes = 1u << f->osize, total = f->count << f->osize;
	gva_t gva = stack_linear(st, (st->sp - total) & stack_mask(st));

	for (unsigned int n = 0; n < f->count; n++)
		memcpy(buf + total - (n + 1) * bytes, &f->value[n], bytes);
	/* One store is all or nothing; a longer frame is probed first. */
	if (total > 64 && !stack_probe(c, st, gva, total))
		return X86_ABORT;
	for (unsigned int at = 0; at < total; at += 64)
		if (!stack_store(c, st, gva + at, buf + at, total - at < 64 ? total - at : 64))
			return X86_ABORT;
	return X86_NEXT;
}

int x86_stack_push_frame(struct x86_cpu *c, struct x86_stack *st, const struct x86_frame *f)
{
	unsigned int total = f->count << f->osize;
	uint64_t mask = stack_mask(st);
	bool wraps;
	int r = stack_check_frame(c, st, f, &wraps);

	if (!r)
		r = wraps ? stack_push_wrapped(c, st, f) : stack_push_piece(c, st, f);
	if (r)
		return r;
	st->sp = st->asize == 1 ? (st->sp & ~mask) | ((st->sp - total) & mask)
				: (st->sp - total) & mask;
	return X86_NEXT;
}

/* -- operands of system instructions ----------------------------------------------------------- */

bool x86_sys_get_mem(struct x86_cpu *c, const struct x86_insn *i, void *buf, unsigned int size)
{
	const void *p;
	gva_t la;

	if (!x86_ea(c, i, size, false, &la))
		return false;
	p = x86_ptr_r_fast(c, la, size);
	if (p) {
		memcpy(buf, p, size);
		return true;
	}
	if (x86_load_slow(c, la, buf, size))
		return true;
	x86_mem_fault(c, i);
	return false;
}

bool x86_sys_get16(struct x86_cpu *c, const struct x86_insn *i, uint16_t *ret)
{
	if (i->form == X86_FORM_R) {
		*ret = (uint16_t)c->gpr[i->dst];
		return true;
	}
	if (i->form == X86_FORM_RR) {
		*ret = (uint16_t)c->gpr[i->src];
		return true;
	}
	return x86_sys_get_mem(c, i, ret, 2);
}

int x86_sys_put16(struct x86_cpu *c, const struct x86_insn *i, uint64_t value)
{
	gva_t la;

	if (i->form == X86_FORM_R || i->form == X86_FORM_RR) {
		x86_set_n(c, i->osize, i->dst, value);
		return X86_NEXT;
	}
	if (!x86_ea(c, i, 2, true, &la))
		return X86_ABORT;
	return x86_store16(c, la, (uint16_t)value) ? X86_NEXT : x86_mem_fault(c, i);
}

/* The selector stands behind the offset; each is checked against the segment by itself. */
bool x86_sys_get_far(struct x86_cpu *c, const struct x86_insn *i, uint64_t *ret_off,
		     uint16_t *ret_sel)
{
	uint64_t off = x86_ea_offset(c, i), value = 0;
	unsigned int bytes = 1u << i->osize;
	gva_t la, la_sel;
	const void *p;

	if (!x86_linear(c, i->seg, off, bytes, false, &la) ||
	    !x86_linear(c, i->seg, x86_cut(i->asize, off + bytes), 2, false, &la_sel))
		return false;
	p = x86_ptr_r_fast(c, la, bytes);
	if (p)
		memcpy(&value, p, bytes);
	if ((p || x86_load_slow(c, la, &value, bytes)) && x86_load16(c, la_sel, ret_sel)) {
		*ret_off = value;
		return true;
	}
	x86_mem_fault(c, i);
	return false;
}
