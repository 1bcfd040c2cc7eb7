/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_event.c - delivery of interrupts and exceptions through the IDT or IVT; INT n and its kin;
 * breakpoint matching.
 * Owns nothing. Locking: the vcpu's thread. Saved: nothing.
 *
 * Every check, every read and the store of the frame come before the first change of a register.
 * Source: Intel SDM Vol 3A ch. 6 "Interrupt and Exception Handling", Vol 2A "INT n/INTO/INT3/INT1",
 * Vol 3B 17.2 "Debug Registers"; AMD APM Vol 2 ch. 8.
 */
#include "x86/exec_desc.h"

struct event_gate {
	uint64_t offset;
	uint16_t sel;
	uint8_t type; /* enum x86_sys_type */
	uint8_t ist;
};

/* An event on its way. */
struct event_run {
	const struct hvm_event *e;
	uint64_t ret_ip;
	unsigned int ext;
	struct event_gate gate;
	struct x86_desc cs;
	unsigned int new_cpl;
};

/* INT n, INT3 and INTO obey the gate's DPL and are not external to the program. */
static bool event_is_soft(const struct hvm_event *e)
{
	return e->type == HVM_EVENT_SW_INTR || e->type == HVM_EVENT_SW_EXCEPTION;
}

/* RF in the saved flags keeps a restarted instruction from meeting its breakpoint again. */
static uint64_t event_saved_rflags(const struct x86_cpu *c, const struct hvm_event *e)
{
	uint64_t rflags = x86_get_rflags(c);
	bool fault = e->type == HVM_EVENT_HW_EXCEPTION && e->vector != X86_MC &&
		     (e->vector != X86_DB || (c->exc_dr6 & HVM_BIT(13)));

	return fault ? rflags | X86_EFL_RF : rflags;
}

/* What every delivery ends with. */
static int event_done(struct x86_cpu *c, const struct event_run *r)
{
	c->intr_shadow &= HVM_INTR_SHADOW_NMI;
	if (r->e->type == HVM_EVENT_NMI)
		c->intr_shadow |= HVM_INTR_SHADOW_NMI;
	c->activity = HVM_ACTIVITY_RUN;
	x86_update_mode(c);
	return X86_BRANCH;
}

/* -- real mode --------------------------------------------------------------------------------- */

static int event_real(struct x86_cpu *c, struct event_run *r)
{
	struct x86_frame f;
	unsigned int at = r->e->vector * 4u;
	struct x86_stack st;
	uint32_t entry;
	int err;

	if (at + 3 > c->idtr.limit)
		return x86_raise_err(c, X86_GP, 0);
	if (!x86_sys_get(c, c->idtr.base + at, &entry, 4))
		return X86_ABORT;
	x86_frame_init(&f, 1);
	x86_frame_push(&f, event_saved_rflags(c, r->e));
	x86_frame_push(&f, c->seg[HVM_SEG_CS].sel);
	x86_frame_push(&f, r->ret_ip);
	x86_stack_current(c, 0, &st);
	err = x86_stack_push_frame(c, &st, &f);
	if (err)
		return err;
	c->gpr[X86_RSP] = st.sp;
	x86_seg_set_real(c, HVM_SEG_CS, (uint16_t)(entry >> 16));
	c->x86_ip = (uint16_t)entry;
	c->rflags_rest &= ~(uint64_t)(X86_EFL_IF | X86_EFL_TF | X86_EFL_AC | X86_EFL_RF);
	return event_done(c, r);
}

/* -- gates ------------------------------------------------------------------------------------- */

static int event_fetch_gate(struct x86_cpu *c, struct event_run *r)
{
	const uint32_t long_types = 1u << X86_SYS_INTR32 | 1u << X86_SYS_TRAP32;
	const uint32_t types = long_types | 1u << X86_SYS_TASK_GATE | 1u << X86_SYS_INTR16 |
			       1u << X86_SYS_TRAP16;
	bool is_long = x86_is_long(c);
	unsigned int bytes = is_long ? 16 : 8, at = r->e->vector * bytes;
	uint32_t error = r->e->vector * 8u + 2 + r->ext, ar;
	uint64_t raw, high = 0;

	if (at + bytes - 1 > c->idtr.limit)
		return x86_raise_err(c, X86_GP, error);
	if (!x86_sys_load64(c, c->idtr.base + at, &raw))
		return X86_ABORT;
	if (is_long && !x86_sys_load64(c, c->idtr.base + at + 8, &high))
		return X86_ABORT;
	ar = x86_desc_ar(raw);
	if (!((is_long ? long_types : types) >> x86_ar_sys_type(ar) & 1))
		return x86_raise_err(c, X86_GP, error);
	if (event_is_soft(r->e) && x86_ar_dpl(ar) < c->cpl)
		return x86_raise_err(c, X86_GP, error);
	if (!(ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, error);
	r->gate = (struct event_gate){
		.offset = (raw & 0xffff) | (raw >> 32 & 0xffff0000) | high << 32,
		.sel = (uint16_t)(raw >> 16),
		.type = (uint8_t)x86_ar_sys_type(ar),
		.ist = raw >> 32 & 7,
	};
	if (!(r->gate.type & 8))
		r->gate.offset &= 0xffff;
	return X86_NEXT;
}

/* The gate's code segment, and the privilege level that the handler will run at. */
static int event_fetch_code(struct x86_cpu *c, struct event_run *r)
{
	uint32_t error = (r->gate.sel & 0xfffcu) | r->ext;
	unsigned int dpl;
	int err;

	if (x86_sel_is_null(r->gate.sel))
		return x86_raise_err(c, X86_GP, r->ext);
	err = x86_desc_fetch(c, r->gate.sel, X86_GP, r->ext, &r->cs);
	if (err)
		return err;
	dpl = x86_ar_dpl(r->cs.ar);
	if (!x86_ar_is_code(r->cs.ar) || dpl > c->cpl)
		return x86_raise_err(c, X86_GP, error);
	if (x86_is_long(c) && (r->cs.ar & (HVM_AR_L | HVM_AR_DB)) != HVM_AR_L)
		return x86_raise_err(c, X86_GP, error);
	if (!(r->cs.ar & HVM_AR_P))
		return x86_raise_err(c, X86_NP, error);
	r->new_cpl = x86_ar_is_conforming(r->cs.ar) ? c->cpl : dpl;
	/* Out of virtual-8086 mode the way leads to ring 0 only. */
	if (x86_is_vm86(c) && r->new_cpl != 0)
		return x86_raise_err(c, X86_GP, error);
	return X86_NEXT;
}

static void event_enter_flags(struct x86_cpu *c, const struct event_run *r)
{
	uint64_t clear = X86_EFL_TF | X86_EFL_VM | X86_EFL_RF | X86_EFL_NT;

	if (r->gate.type == X86_SYS_INTR16 || r->gate.type == X86_SYS_INTR32)
		clear |= X86_EFL_IF;
	c->rflags_rest &= ~clear;
}

/* -- long mode --------------------------------------------------------------------------------- */

static int event_long(struct x86_cpu *c, struct event_run *r)
{
	struct x86_stack st = { .asize = 3, .cpl = r->new_cpl, .error = r->ext };
	struct x86_frame f;
	int err = X86_NEXT;

	if (r->gate.ist)
		err = x86_tss_rsp(c, 28 + r->gate.ist * 8u, r->ext, &st.sp);
	else if (r->new_cpl != c->cpl)
		err = x86_tss_rsp(c, 4 + r->new_cpl * 8, r->ext, &st.sp);
	else
		st.sp = c->gpr[X86_RSP];
	if (err)
		return err;
	st.sp &= ~15ull;
	x86_frame_init(&f, 3);
	x86_frame_push(&f, c->seg[HVM_SEG_SS].sel);
	x86_frame_push(&f, c->gpr[X86_RSP]);
	x86_frame_push(&f, event_saved_rflags(c, r->e));
	x86_frame_push(&f, c->seg[HVM_SEG_CS].sel);
	x86_frame_push(&f, r->ret_ip);
	if (r->e->has_error)
		x86_frame_push(&f, r->e->error);
	err = x86_stack_push_frame(c, &st, &f);
	if (err)
		return err;
	if (!x86_is_canonical(r->gate.offset))
		return x86_raise_err(c, X86_GP, r->ext);
	err = x86_desc_set_accessed(c, &r->cs);
	if (err)
		return err;

	if (r->new_cpl != c->cpl)
		x86_seg_set_null(&c->seg[HVM_SEG_SS], (uint16_t)r->new_cpl, r->new_cpl);
	x86_set_cs(c, r->gate.sel, &r->cs, r->new_cpl);
	c->gpr[X86_RSP] = st.sp;
	c->x86_ip = r->gate.offset;
	event_enter_flags(c, r);
	return event_done(c, r);
}

/* -- protected mode ---------------------------------------------------------------------------- */

static void event_build_frame(const struct x86_cpu *c, const struct event_run *r, bool inner,
			      struct x86_frame *f)
{
	static const uint8_t vm86_segs[] = { HVM_SEG_GS, HVM_SEG_FS, HVM_SEG_DS, HVM_SEG_ES };

	x86_frame_init(f, r->gate.type & 8 ? 2 : 1);
	for (unsigned int n = 0; x86_is_vm86(c) && n < HVM_ARRAY_SIZE(vm86_segs); n++)
		x86_frame_push(f, c->seg[vm86_segs[n]].sel);
	if (inner) {
		x86_frame_push(f, c->seg[HVM_SEG_SS].sel);
		x86_frame_push(f, c->gpr[X86_RSP]);
	}
	x86_frame_push(f, event_saved_rflags(c, r->e));
	x86_frame_push(f, c->seg[HVM_SEG_CS].sel);
	x86_frame_push(f, r->ret_ip);
	if (r->e->has_error)
		x86_frame_push(f, r->e->error);
}

static int event_protected(struct x86_cpu *c, struct event_run *r)
{
	static const uint8_t vm86_segs[] = { HVM_SEG_GS, HVM_SEG_FS, HVM_SEG_DS, HVM_SEG_ES };
	bool inner = r->new_cpl != c->cpl, from_vm86 = x86_is_vm86(c);
	struct x86_desc ss = { 0 };
	struct x86_stack st;
	struct x86_frame f;
	int err = X86_NEXT;

	if (inner)
		err = x86_stack_from_tss(c, r->new_cpl, r->ext, &st, &ss);
	else
		x86_stack_current(c, r->ext, &st);
	if (err)
		return err;
	event_build_frame(c, r, inner, &f);
	err = x86_stack_push_frame(c, &st, &f);
	if (err)
		return err;
	if (r->gate.offset > x86_desc_limit(r->cs.raw))
		return x86_raise_err(c, X86_GP, r->ext);
	if (inner)
		err = x86_desc_set_accessed(c, &ss);
	if (!err)
		err = x86_desc_set_accessed(c, &r->cs);
	if (err)
		return err;

	if (inner)
		c->seg[HVM_SEG_SS] = st.seg;
	for (unsigned int n = 0; from_vm86 && n < HVM_ARRAY_SIZE(vm86_segs); n++)
		x86_seg_set_null(&c->seg[vm86_segs[n]], 0, 0);
	x86_set_cs(c, r->gate.sel, &r->cs, r->new_cpl);
	c->gpr[X86_RSP] = st.sp;
	c->x86_ip = r->gate.offset;
	event_enter_flags(c, r);
	return event_done(c, r);
}

static int event_task_gate(struct x86_cpu *c, struct event_run *r)
{
	struct x86_task_switch t = {
		.reason = X86_TASK_CALL,
		.next_ip = r->ret_ip,
		.ext = r->ext,
		.has_error = r->e->has_error,
		.error = r->e->error,
		.saved_rflags = event_saved_rflags(c, r->e),
	};
	int err = x86_task_fetch(c, r->gate.sel, X86_GP, r->ext, false, &t.tss);

	if (!err)
		err = x86_task_switch(c, &t);
	return err == X86_BRANCH ? event_done(c, r) : err;
}

int x86_event_try(struct x86_cpu *c, const struct hvm_event *e, uint64_t ret_ip)
{
	struct event_run r = { .e = e, .ret_ip = ret_ip, .ext = !event_is_soft(e) };
	int err;

	if (!x86_is_protected(c))
		return event_real(c, &r);
	err = event_fetch_gate(c, &r);
	if (err)
		return err;
	if (r.gate.type == X86_SYS_TASK_GATE)
		return event_task_gate(c, &r);
	err = event_fetch_code(c, &r);
	if (err)
		return err;
	return x86_is_long(c) ? event_long(c, &r) : event_protected(c, &r);
}

/* -- exceptions of exceptions ------------------------------------------------------------------ */

enum event_class {
	EVENT_BENIGN,
	EVENT_CONTRIBUTORY,
	EVENT_PAGE_FAULT,
	EVENT_DOUBLE_FAULT
};

static enum event_class event_classify(const struct hvm_event *e)
{
	const uint32_t contributory = 1u << X86_DE | 1u << X86_TS | 1u << X86_NP | 1u << X86_SS |
				      1u << X86_GP;

	if (e->type != HVM_EVENT_HW_EXCEPTION || e->vector > 31)
		return EVENT_BENIGN;
	if (e->vector == X86_PF)
		return EVENT_PAGE_FAULT;
	if (e->vector == X86_DF)
		return EVENT_DOUBLE_FAULT;
	return contributory >> e->vector & 1 ? EVENT_CONTRIBUTORY : EVENT_BENIGN;
}

/*
 * @second was raised while @first was delivered: what is to be delivered now goes to @first.
 * false: shutdown. Source: Intel SDM Vol 3A 6.15 "Interrupt 8 - Double Fault Exception".
 */
static bool event_combine(struct hvm_event *first, const struct hvm_event *second)
{
	enum event_class a = event_classify(first), b = event_classify(second);

	if (a == EVENT_DOUBLE_FAULT && b != EVENT_BENIGN)
		return false;
	if ((a == EVENT_CONTRIBUTORY && b == EVENT_CONTRIBUTORY) ||
	    (a == EVENT_PAGE_FAULT && (b == EVENT_CONTRIBUTORY || b == EVENT_PAGE_FAULT)))
		*first = (struct hvm_event){ .type = HVM_EVENT_HW_EXCEPTION,
					     .vector = X86_DF,
					     .has_error = 1 };
	else
		*first = *second;
	return true;
}

/* Registers that say more about the exception change before it is delivered. */
static void event_note(struct x86_cpu *c, const struct hvm_event *e)
{
	if (e->type != HVM_EVENT_HW_EXCEPTION)
		return;
	if (e->vector == X86_PF)
		c->cr2 = c->exc_cr2;
	if (e->vector == X86_DB) {
		c->dr6 = (c->dr6 & ~0xfull) | c->exc_dr6;
		c->dr7 &= ~HVM_BIT(13); /* GD: the handler may use the debug registers */
	}
}

int x86_deliver(struct x86_cpu *c, const struct hvm_event *e)
{
	struct hvm_event cur = *e;
	uint64_t ret_ip = c->x86_ip;

	if (event_is_soft(e) || e->type == HVM_EVENT_PRIV_SW_EXCEPTION)
		ret_ip += e->insn_len;
	for (;;) {
		if (!x86_is_code64(c))
			ret_ip = (uint32_t)ret_ip;
		event_note(c, &cur);
		if (x86_event_try(c, &cur, ret_ip) == X86_BRANCH)
			return 0;
		if (c->stop == X86_STOP_SHUTDOWN)
			return -HVM_EIO;
		if (c->stop != X86_STOP_NONE)
			return -HVM_EAGAIN;
		if (!event_combine(&cur, &c->exc)) {
			c->stop = X86_STOP_SHUTDOWN;
			c->activity = HVM_ACTIVITY_SHUTDOWN;
			return -HVM_EIO;
		}
		ret_ip = c->x86_ip;
	}
}

/* -- software interrupts ----------------------------------------------------------------------- */

static int event_software(struct x86_cpu *c, const struct x86_insn *i, enum hvm_event_type type,
			  uint8_t vector)
{
	struct hvm_event e = { .type = (uint8_t)type, .vector = vector, .insn_len = i->len };

	return x86_task_result(c, x86_event_try(c, &e, x86_next_ip(c, i)));
}

int x86_exec_int_n(struct x86_cpu *c, const struct x86_insn *i)
{
	if (x86_is_vm86(c) && x86_iopl(c) < 3)
		return x86_raise_err(c, X86_GP, 0);
	return event_software(c, i, HVM_EVENT_SW_INTR, (uint8_t)i->imm);
}

int x86_exec_int3(struct x86_cpu *c, const struct x86_insn *i)
{
	return event_software(c, i, HVM_EVENT_SW_EXCEPTION, X86_BP);
}

int x86_exec_into(struct x86_cpu *c, const struct x86_insn *i)
{
	if (!x86_cond(c, 0))
		return X86_NEXT;
	return event_software(c, i, HVM_EVENT_SW_EXCEPTION, X86_OF);
}

int x86_exec_int1(struct x86_cpu *c, const struct x86_insn *i)
{
	return event_software(c, i, HVM_EVENT_PRIV_SW_EXCEPTION, X86_DB);
}

/* -- breakpoints ------------------------------------------------------------------------------- */

enum {
	BREAK_EXEC,
	BREAK_WRITE,
	BREAK_IO,
	BREAK_ACCESS
};

static unsigned int break_kind(uint64_t dr7, unsigned int n)
{
	return (unsigned int)(dr7 >> (16 + n * 4)) & 3;
}

static bool break_enabled(uint64_t dr7, unsigned int n)
{
	return dr7 >> (n * 2) & 3;
}

uint64_t x86_code_breakpoint(const struct x86_cpu *c, gva_t la)
{
	uint64_t hit = 0;

	if (c->rflags_rest & X86_EFL_RF)
		return 0;
	for (unsigned int n = 0; n < 4; n++)
		if (break_enabled(c->dr7, n) && break_kind(c->dr7, n) == BREAK_EXEC &&
		    c->dr[n] == la)
			hit |= HVM_BIT(n);
	return hit;
}

uint64_t x86_data_breakpoint(const struct x86_cpu *c, gva_t la, unsigned int size, bool write)
{
	static const uint8_t lengths[4] = { 1, 2, 8, 4 };
	uint64_t hit = 0;

	for (unsigned int n = 0; n < 4; n++) {
		unsigned int kind = break_kind(c->dr7, n);
		unsigned int len = lengths[(c->dr7 >> (18 + n * 4)) & 3];
		gva_t at = c->dr[n] & ~(gva_t)(len - 1);

		if (!break_enabled(c->dr7, n) ||
		    (kind != BREAK_ACCESS && (kind != BREAK_WRITE || !write)))
			continue;
		if (la - at < len || at - la < size)
			hit |= HVM_BIT(n);
	}
	return hit;
}
