/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_task.c - task switching through 16- and 32-bit task state segments.
 * Owns nothing. Locking: the vcpu's thread; busy bits are changed atomically. Saved: nothing.
 *
 * A switch has two halves. Up to task_commit() everything is checked and probed, and a fault
 * belongs to the old task. From then on the new task's registers are in place, and a fault (of its
 * LDT, segments, stack) is one of the new task before its first instruction: X86_TASK_FAULT.
 * Source: Intel SDM Vol 3A ch. 7 "Task Management", table 7-1.
 */
#include "x86/exec_desc.h"

/* Where the fields of a TSS stand. */
struct task_layout {
	uint8_t min_limit;
	uint8_t osize;	 /* log2 of a register's field */
	uint8_t save_at; /* first dynamic field: ip; flags, 8 registers and the segments follow */
	uint8_t save_bytes; /* of all dynamic fields */
	uint8_t segs;	    /* how many segment registers */
	uint8_t ldt_at;
};

static const struct task_layout task_layouts[2] = {
	{ .min_limit = 0x2b,
	  .osize = 1,
	  .save_at = 0x0e,
	  .save_bytes = 28,
	  .segs = 4,
	  .ldt_at = 0x2a },
	{ .min_limit = 0x67,
	  .osize = 2,
	  .save_at = 0x20,
	  .save_bytes = 64,
	  .segs = 6,
	  .ldt_at = 0x60 },
};
#define TASK_CR3_AT  0x1c
#define TASK_TRAP_AT 0x64
#define TASK_IMAGE   104

#define DR6_BT HVM_BIT(15)

static const struct task_layout *task_layout(uint32_t ar)
{
	return &task_layouts[ar & 8 ? 1 : 0];
}

/* The new task as its TSS has it. */
struct task_image {
	const struct task_layout *layout;
	uint64_t ip, rflags, gpr[8];
	uint16_t seg[6], ldt;
	uint32_t cr3;
	bool trap;
};

int x86_task_fetch(struct x86_cpu *c, uint16_t sel, enum x86_vector vector, unsigned int ext,
		   bool want_busy, struct x86_desc *ret)
{
	uint32_t error = (sel & 0xfffcu) | ext;
	unsigned int type;
	int r;

	if (sel & 4)
		return x86_raise_err(c, vector, error);
	r = x86_desc_fetch(c, sel, vector, ext, ret);
	if (r)
		return r;
	type = x86_ar_sys_type(ret->ar) & ~8u;
	if (type != (want_busy ? X86_SYS_TSS16_BUSY : X86_SYS_TSS16))
		return x86_raise_err(c, vector, error);
	if (!(ret->ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, error);
	if (x86_desc_limit(ret->raw) < task_layout(ret->ar)->min_limit)
		return x86_raise_err(c, X86_TS, error);
	return X86_NEXT;
}

/* -- the first half: checks, old task ---------------------------------------------------------- */

static uint64_t task_field(const uint8_t *image, unsigned int at, unsigned int osize)
{
	uint32_t v = 0;

	memcpy(&v, image + at, 1u << osize);
	return v;
}

static int task_read(struct x86_cpu *c, const struct x86_task_switch *t, struct task_image *m)
{
	const struct task_layout *l = task_layout(t->tss.ar);
	unsigned int bytes = l->min_limit + 1u, field = 1u << l->osize;
	unsigned int at = l->save_at;
	uint64_t base = x86_desc_base(t->tss.raw);
	uint8_t image[TASK_IMAGE];

	memset(image, 0, sizeof(image));
	for (unsigned int n = 0; n < bytes; n += 52)
		if (!x86_sys_get(c, base + n, image + n, bytes - n < 52 ? bytes - n : 52))
			return X86_ABORT;
	memset(m, 0, sizeof(*m));
	m->layout = l;
	m->ip = task_field(image, at, l->osize);
	m->rflags = task_field(image, at + field, l->osize);
	at += 2 * field;
	for (unsigned int n = 0; n < 8; n++, at += field)
		m->gpr[n] = task_field(image, at, l->osize);
	for (unsigned int n = 0; n < l->segs; n++, at += field)
		m->seg[n] = (uint16_t)task_field(image, at, 1);
	m->ldt = (uint16_t)task_field(image, l->ldt_at, 1);
	if (l->osize == 2) {
		m->cr3 = (uint32_t)task_field(image, TASK_CR3_AT, 2);
		m->trap = image[TASK_TRAP_AT] & 1;
	}
	return X86_NEXT;
}

static int task_save(struct x86_cpu *c, const struct x86_task_switch *t)
{
	const struct hvm_seg *tr = &c->seg[HVM_SEG_TR];
	const struct task_layout *l = task_layout(tr->ar);
	unsigned int field = 1u << l->osize, at = 0;
	uint8_t buf[64];

	memset(buf, 0, sizeof(buf));
	memcpy(buf, &t->next_ip, field);
	memcpy(buf + field, &t->saved_rflags, field);
	at = 2 * field;
	for (unsigned int n = 0; n < 8; n++, at += field)
		memcpy(buf + at, &c->gpr[n], field);
	for (unsigned int n = 0; n < l->segs; n++, at += field)
		memcpy(buf + at, &c->seg[n].sel, 2);
	if (!x86_sys_put(c, tr->base + l->save_at, buf, l->save_bytes))
		return X86_ABORT;
	return X86_NEXT;
}

static gva_t task_old_desc(const struct x86_cpu *c)
{
	return c->gdtr.base + (c->seg[HVM_SEG_TR].sel & 0xfff8u);
}

/* Everything that the switch will write can be written. */
static int task_probe(struct x86_cpu *c, const struct x86_task_switch *t)
{
	const struct hvm_seg *tr = &c->seg[HVM_SEG_TR];
	const struct task_layout *l = task_layout(tr->ar);

	if ((tr->ar & HVM_AR_UNUSABLE) || tr->limit < l->save_at + l->save_bytes - 1u)
		return x86_raise_err(c, X86_TS, (tr->sel & 0xfffcu) | t->ext);
	if (!x86_sys_probe(c, tr->base + l->save_at, l->save_bytes))
		return X86_ABORT;
	if (t->reason == X86_TASK_CALL && !x86_sys_probe(c, x86_desc_base(t->tss.raw), 2))
		return X86_ABORT;
	if (t->reason != X86_TASK_IRET && !x86_sys_probe(c, t->tss.gva + 5, 1))
		return X86_ABORT;
	if (t->reason != X86_TASK_CALL && !x86_sys_probe(c, task_old_desc(c) + 5, 1))
		return X86_ABORT;
	return X86_NEXT;
}

/* Link and busy bits. */
static int task_link(struct x86_cpu *c, const struct x86_task_switch *t)
{
	uint16_t link = c->seg[HVM_SEG_TR].sel;

	if (t->reason == X86_TASK_CALL && !x86_sys_put(c, x86_desc_base(t->tss.raw), &link, 2))
		return X86_ABORT;
	if (t->reason != X86_TASK_CALL &&
	    !x86_sys_and8(c, task_old_desc(c) + 5, (uint8_t)~X86_TSS_BUSY))
		return X86_ABORT;
	if (t->reason != X86_TASK_IRET && !x86_sys_or8(c, t->tss.gva + 5, X86_TSS_BUSY))
		return X86_ABORT;
	return X86_NEXT;
}

/* -- the second half: new task ----------------------------------------------------------------- */

static int task_load_cr3(struct x86_cpu *c, const struct task_image *m)
{
	if (m->layout->osize != 2 || !(c->cr0 & X86_CR0_PG))
		return X86_NEXT;
	if ((c->cr4 & X86_CR4_PAE) && x86_load_pdptes(c, m->cr3))
		return X86_ABORT;
	c->cr3 = m->cr3;
	c->env->tlb_flush(c->env_arg, false);
	return X86_NEXT;
}

/*
 * Registers of the new task. Its segments have selectors but no descriptors yet; the privilege
 * level is that of the CS selector from here on.
 */
static void task_commit(struct x86_cpu *c, const struct x86_task_switch *t,
			const struct task_image *m)
{
	uint64_t rflags = (m->rflags & 0x003f7fd5u) | 2;
	unsigned int cpl = m->seg[HVM_SEG_CS] & 3;

	x86_seg_set(&c->seg[HVM_SEG_TR], t->tss.sel, &t->tss);
	c->seg[HVM_SEG_TR].ar |= X86_TSS_BUSY;
	memcpy(c->gpr, m->gpr, sizeof(m->gpr));
	c->x86_ip = m->ip;
	x86_put_rflags(c, t->reason == X86_TASK_CALL ? rflags | X86_EFL_NT : rflags);
	c->cr0 |= X86_CR0_TS;
	c->dr7 &= ~0x155ull; /* local breakpoints are the old task's */
	x86_seg_set_null(&c->seg[HVM_SEG_LDTR], m->ldt, 0);
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(m->seg); n++) {
		if (rflags & X86_EFL_VM)
			x86_seg_set_vm86(&c->seg[n], m->seg[n]);
		else
			x86_seg_set_null(&c->seg[n], m->seg[n], cpl);
	}
	c->intr_shadow &= HVM_INTR_SHADOW_NMI;
	x86_update_mode(c);
}

static int task_load_ldt(struct x86_cpu *c, uint16_t sel, unsigned int ext)
{
	uint32_t error = (sel & 0xfffcu) | ext;
	struct x86_desc d;
	int r;

	if (x86_sel_is_null(sel))
		return X86_NEXT;
	if (sel & 4)
		return x86_raise_err(c, X86_TS, error);
	r = x86_desc_fetch(c, sel, X86_TS, ext, &d);
	if (r)
		return r;
	if (x86_ar_sys_type(d.ar) != X86_SYS_LDT || !(d.ar & HVM_AR_P))
		return x86_raise_err(c, X86_TS, error);
	x86_seg_set(&c->seg[HVM_SEG_LDTR], sel, &d);
	return X86_NEXT;
}

static int task_load_cs(struct x86_cpu *c, uint16_t sel, unsigned int ext)
{
	uint32_t error = (sel & 0xfffcu) | ext;
	unsigned int rpl = sel & 3;
	struct x86_desc d;
	int r;

	if (x86_sel_is_null(sel))
		return x86_raise_err(c, X86_TS, ext);
	r = x86_desc_fetch(c, sel, X86_TS, ext, &d);
	if (r)
		return r;
	if (!x86_ar_is_code(d.ar) ||
	    (x86_ar_is_conforming(d.ar) ? x86_ar_dpl(d.ar) > rpl : x86_ar_dpl(d.ar) != rpl))
		return x86_raise_err(c, X86_TS, error);
	if (!(d.ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, error);
	r = x86_desc_set_accessed(c, &d);
	if (!r)
		x86_set_cs(c, sel, &d, rpl);
	return r;
}

static int task_load_ss(struct x86_cpu *c, uint16_t sel, unsigned int cpl, unsigned int ext)
{
	struct x86_desc d;
	int r = x86_desc_check_stack(c, sel, cpl, X86_TS, ext, &d);

	if (!r)
		r = x86_desc_set_accessed(c, &d);
	if (!r)
		x86_seg_set(&c->seg[HVM_SEG_SS], sel, &d);
	return r;
}

static int task_load_data(struct x86_cpu *c, unsigned int seg, uint16_t sel, unsigned int ext)
{
	uint32_t error = (sel & 0xfffcu) | ext;
	struct x86_desc d;
	bool code;
	int r;

	if (x86_sel_is_null(sel))
		return X86_NEXT;
	r = x86_desc_fetch(c, sel, X86_TS, ext, &d);
	if (r)
		return r;
	code = x86_ar_is_code(d.ar);
	if (!(d.ar & HVM_AR_S) || (code && !(d.ar & HVM_AR_RW)))
		return x86_raise_err(c, X86_TS, error);
	if (!(code && x86_ar_is_conforming(d.ar)) &&
	    (x86_ar_dpl(d.ar) < (sel & 3u) || x86_ar_dpl(d.ar) < c->cpl))
		return x86_raise_err(c, X86_TS, error);
	if (!(d.ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, error);
	r = x86_desc_set_accessed(c, &d);
	if (!r)
		x86_seg_set(&c->seg[seg], sel, &d);
	return r;
}

static int task_load_segments(struct x86_cpu *c, const struct task_image *m, unsigned int ext)
{
	static const uint8_t data[] = { HVM_SEG_ES, HVM_SEG_DS, HVM_SEG_FS, HVM_SEG_GS };
	int r = task_load_ldt(c, m->ldt, ext);

	if (r || x86_is_vm86(c))
		return r;
	r = task_load_ss(c, m->seg[HVM_SEG_SS], m->seg[HVM_SEG_CS] & 3, ext);
	if (!r)
		r = task_load_cs(c, m->seg[HVM_SEG_CS], ext);
	x86_update_mode(c);
	for (unsigned int n = 0; !r && n < HVM_ARRAY_SIZE(data); n++)
		r = task_load_data(c, data[n], m->seg[data[n]], ext);
	x86_update_mode(c);
	return r;
}

static int task_push_error(struct x86_cpu *c, const struct x86_task_switch *t,
			   const struct task_image *m)
{
	struct x86_frame f;
	struct x86_stack st;
	int r;

	if (!t->has_error)
		return X86_NEXT;
	x86_frame_init(&f, m->layout->osize);
	x86_frame_push(&f, t->error);
	x86_stack_current(c, t->ext, &st);
	r = x86_stack_push_frame(c, &st, &f);
	if (!r)
		c->gpr[X86_RSP] = st.sp;
	return r;
}

static int task_start(struct x86_cpu *c, const struct x86_task_switch *t,
		      const struct task_image *m)
{
	int r = task_load_segments(c, m, t->ext);

	if (!r)
		r = task_push_error(c, t, m);
	if (r)
		return r;
	if (c->x86_ip > c->seg[HVM_SEG_CS].limit)
		return x86_raise_err(c, X86_GP, t->ext);
	if (m->trap) {
		c->exc_dr6 = DR6_BT;
		return x86_raise(c, X86_DB);
	}
	return X86_NEXT;
}

int x86_task_switch(struct x86_cpu *c, const struct x86_task_switch *t)
{
	struct task_image m;
	int r = task_probe(c, t);

	if (!r)
		r = task_read(c, t, &m);
	if (!r)
		r = task_save(c, t);
	if (!r)
		r = task_link(c, t);
	if (r)
		return r;
	r = task_load_cr3(c, &m);
	task_commit(c, t, &m);
	if (!r)
		r = task_start(c, t, &m);
	return r ? X86_TASK_FAULT : X86_BRANCH;
}

int x86_task_result(struct x86_cpu *c, int r)
{
	struct hvm_event e;

	if (r != X86_TASK_FAULT)
		return r;
	e = c->exc;
	if (c->stop == X86_STOP_NONE && x86_deliver(c, &e) == 0)
		return X86_BRANCH;
	/*
	 * The instruction is done and cannot run again, so a device access in here (descriptor
	 * tables or stacks in device memory) cannot be completed later either.
	 */
	c->stop = X86_STOP_SHUTDOWN;
	c->activity = HVM_ACTIVITY_SHUTDOWN;
	return X86_ABORT;
}
