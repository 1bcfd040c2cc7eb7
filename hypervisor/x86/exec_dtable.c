/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_dtable.c - descriptor tables: LGDT, LIDT, LLDT, LTR and their stores; LAR, LSL, VERR, VERW.
 * Owns nothing. Locking: the vcpu's thread; LTR sets the busy bit atomically. Saved: nothing.
 * Source: Intel SDM Vol 2 of each instruction; Vol 3A 2.4 "Memory-Management Registers", 5.10.
 */
#include "x86/exec_desc.h"

/* -- GDTR and IDTR ----------------------------------------------------------------------------- */

static bool dtable_operand_is_16bit(const struct x86_cpu *c, const struct x86_insn *i)
{
	bool prefix = i->flags & X86_F_66;

	return x86_code_size(c) == X86_CODE16 ? !prefix : x86_code_size(c) == X86_CODE32 && prefix;
}

static int dtable_load(struct x86_cpu *c, const struct x86_insn *i, struct hvm_dtable *t)
{
	unsigned int base_bytes = x86_is_code64(c) ? 8 : 4;
	uint8_t buf[10];
	uint64_t base = 0;

	if (c->cpl != 0)
		return x86_raise_err(c, X86_GP, 0);
	if (!x86_sys_get_mem(c, i, buf, 2 + base_bytes))
		return X86_ABORT;
	memcpy(&base, buf + 2, base_bytes);
	if (dtable_operand_is_16bit(c, i))
		base &= 0xffffff;
	if (!x86_is_canonical(base))
		return x86_raise_err(c, X86_GP, 0);
	memcpy(&t->limit, buf, 2);
	t->base = base;
	return X86_NEXT;
}

static int dtable_store(struct x86_cpu *c, const struct x86_insn *i, const struct hvm_dtable *t)
{
	unsigned int bytes = x86_is_code64(c) ? 10 : 6;
	uint8_t buf[10];
	void *p;
	gva_t la;

	if (x86_umip_denies(c))
		return x86_raise_err(c, X86_GP, 0);
	memcpy(buf, &t->limit, 2);
	memcpy(buf + 2, &t->base, 8);
	if (!x86_ea(c, i, bytes, true, &la))
		return X86_ABORT;
	p = x86_ptr_w_fast(c, la, bytes);
	if (p) {
		memcpy(p, buf, bytes);
		return X86_NEXT;
	}
	return x86_store_slow(c, la, buf, bytes) ? X86_NEXT : x86_mem_fault(c, i);
}

int x86_exec_lgdt(struct x86_cpu *c, const struct x86_insn *i)
{
	return dtable_load(c, i, &c->gdtr);
}

int x86_exec_lidt(struct x86_cpu *c, const struct x86_insn *i)
{
	return dtable_load(c, i, &c->idtr);
}

int x86_exec_sgdt(struct x86_cpu *c, const struct x86_insn *i)
{
	return dtable_store(c, i, &c->gdtr);
}

int x86_exec_sidt(struct x86_cpu *c, const struct x86_insn *i)
{
	return dtable_store(c, i, &c->idtr);
}

/* -- LDTR and TR ------------------------------------------------------------------------------- */

/* Fetch a system descriptor of the GDT, with its upper half in long mode. */
static int dtable_fetch_system(struct x86_cpu *c, uint16_t sel, enum x86_vector vector,
			       uint32_t types, struct x86_desc *d, uint64_t *ret_base)
{
	uint32_t high = 0;
	int r;

	if (sel & 4)
		return x86_raise_err(c, vector, sel & 0xfffcu);
	r = x86_desc_fetch(c, sel, vector, 0, d);
	if (r)
		return r;
	if (!(types >> x86_ar_sys_type(d->ar) & 1))
		return x86_raise_err(c, vector, sel & 0xfffcu);
	if (!(d->ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, sel & 0xfffcu);
	if (x86_is_long(c)) {
		r = x86_desc_fetch_high(c, d, vector, 0, &high);
		if (r)
			return r;
	}
	*ret_base = x86_desc_base(d->raw) | (uint64_t)high << 32;
	return x86_is_canonical(*ret_base) ? X86_NEXT : x86_raise_err(c, vector, sel & 0xfffcu);
}

int x86_load_ldtr(struct x86_cpu *c, uint16_t sel, enum x86_vector vector)
{
	struct x86_desc d;
	uint64_t base;
	int r;

	if (x86_sel_is_null(sel)) {
		x86_seg_set_null(&c->seg[HVM_SEG_LDTR], sel, 0);
		return X86_NEXT;
	}
	r = dtable_fetch_system(c, sel, vector, 1u << X86_SYS_LDT, &d, &base);
	if (r)
		return r;
	x86_seg_set(&c->seg[HVM_SEG_LDTR], sel, &d);
	c->seg[HVM_SEG_LDTR].base = base;
	return X86_NEXT;
}

int x86_exec_lldt(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t sel;

	if (!x86_uses_descriptors(c))
		return x86_raise(c, X86_UD);
	if (c->cpl != 0)
		return x86_raise_err(c, X86_GP, 0);
	if (!x86_sys_get16(c, i, &sel))
		return X86_ABORT;
	return x86_load_ldtr(c, sel, X86_GP);
}

int x86_exec_ltr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t types = 1u << X86_SYS_TSS32 | (x86_is_long(c) ? 0 : 1u << X86_SYS_TSS16);
	struct x86_desc d;
	uint64_t base;
	uint16_t sel;
	int r;

	if (!x86_uses_descriptors(c))
		return x86_raise(c, X86_UD);
	if (c->cpl != 0)
		return x86_raise_err(c, X86_GP, 0);
	if (!x86_sys_get16(c, i, &sel))
		return X86_ABORT;
	if (x86_sel_is_null(sel))
		return x86_raise_err(c, X86_GP, 0);
	r = dtable_fetch_system(c, sel, X86_GP, types, &d, &base);
	if (r)
		return r;
	if (!x86_sys_or8(c, d.gva + 5, X86_TSS_BUSY))
		return X86_ABORT;
	x86_seg_set(&c->seg[HVM_SEG_TR], sel, &d);
	c->seg[HVM_SEG_TR].base = base;
	c->seg[HVM_SEG_TR].ar |= X86_TSS_BUSY;
	return X86_NEXT;
}

static int dtable_store_sel(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg)
{
	if (!x86_uses_descriptors(c))
		return x86_raise(c, X86_UD);
	if (x86_umip_denies(c))
		return x86_raise_err(c, X86_GP, 0);
	return x86_sys_put16(c, i, c->seg[seg].sel);
}

int x86_exec_sldt(struct x86_cpu *c, const struct x86_insn *i)
{
	return dtable_store_sel(c, i, HVM_SEG_LDTR);
}

int x86_exec_str(struct x86_cpu *c, const struct x86_insn *i)
{
	return dtable_store_sel(c, i, HVM_SEG_TR);
}

/* -- questions about a selector ---------------------------------------------------------------- */

static void dtable_set_zf(struct x86_cpu *c, bool zf)
{
	c->arith = (uint16_t)((c->arith & ~X86_ARITH_ZF) | (zf ? X86_ARITH_ZF : 0));
}

/*
 * The operand's descriptor, if it has one. Never raises for a bad selector: *ret_found is false
 * then. X86_ABORT: the operand or the table could not be read.
 */
static int dtable_look_up(struct x86_cpu *c, const struct x86_insn *i, struct x86_desc *d,
			  bool *ret_found)
{
	const struct hvm_seg *ldt = &c->seg[HVM_SEG_LDTR];
	uint16_t sel;

	if (!x86_uses_descriptors(c))
		return x86_raise(c, X86_UD);
	if (!x86_sys_get16(c, i, &sel))
		return X86_ABORT;
	*ret_found = false;
	if (x86_sel_is_null(sel))
		return X86_NEXT;
	if (sel & 4 ? (ldt->ar & HVM_AR_UNUSABLE) || (sel | 7u) > ldt->limit
		    : (sel | 7u) > c->gdtr.limit)
		return X86_NEXT;
	*ret_found = true;
	return x86_desc_fetch(c, sel, X86_GP, 0, d);
}

/* Does the privilege of code and selector reach the segment? Conforming code is for all. */
static bool dtable_reachable(const struct x86_cpu *c, const struct x86_desc *d)
{
	unsigned int dpl = x86_ar_dpl(d->ar);

	if (x86_ar_is_code(d->ar) && x86_ar_is_conforming(d->ar))
		return true;
	return dpl >= c->cpl && dpl >= (d->sel & 3u);
}

/* LAR and LSL answer for these system types. */
static int dtable_answer(struct x86_cpu *c, const struct x86_insn *i, uint32_t legacy_types,
			 uint32_t long_types, bool want_limit)
{
	uint32_t types = x86_is_long(c) ? long_types : legacy_types;
	struct x86_desc d;
	bool found;
	int r = dtable_look_up(c, i, &d, &found);

	if (r)
		return r;
	if (found && !(d.ar & HVM_AR_S))
		found = types >> x86_ar_sys_type(d.ar) & 1;
	found = found && dtable_reachable(c, &d);
	if (found)
		x86_set_n(c, i->osize, i->dst,
			  want_limit ? x86_desc_limit(d.raw) : d.raw >> 32 & 0x00f0ff00);
	dtable_set_zf(c, found);
	return X86_NEXT;
}

int x86_exec_lar(struct x86_cpu *c, const struct x86_insn *i)
{
	const uint32_t both = 1u << X86_SYS_LDT | 1u << X86_SYS_TSS32 | 1u << X86_SYS_TSS32_BUSY |
			      1u << X86_SYS_CALL32;

	return dtable_answer(c, i,
			     both | 1u << X86_SYS_TSS16 | 1u << X86_SYS_TSS16_BUSY |
				     1u << X86_SYS_CALL16 | 1u << X86_SYS_TASK_GATE,
			     both, false);
}

int x86_exec_lsl(struct x86_cpu *c, const struct x86_insn *i)
{
	const uint32_t both = 1u << X86_SYS_LDT | 1u << X86_SYS_TSS32 | 1u << X86_SYS_TSS32_BUSY;

	return dtable_answer(c, i, both | 1u << X86_SYS_TSS16 | 1u << X86_SYS_TSS16_BUSY, both,
			     true);
}

int x86_exec_verr(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_desc d;
	bool found;
	int r = dtable_look_up(c, i, &d, &found);

	if (r)
		return r;
	dtable_set_zf(c, found && (d.ar & HVM_AR_S) &&
				 (!x86_ar_is_code(d.ar) || (d.ar & HVM_AR_RW)) &&
				 dtable_reachable(c, &d));
	return X86_NEXT;
}

int x86_exec_verw(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_desc d;
	bool found;
	int r = dtable_look_up(c, i, &d, &found);

	if (r)
		return r;
	dtable_set_zf(c, found && x86_ar_is_writable_data(d.ar) && dtable_reachable(c, &d));
	return X86_NEXT;
}
