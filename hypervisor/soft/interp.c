/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interp.c - the interpreter: runs decoded blocks one after the other, and between blocks looks at
 * what others want, at interrupt windows and at debug traps.
 *
 * The fast path goes from block to block along links that were verified since translations last
 * changed; one flag, exit_req, is tested at each block. Everything that is rare (the instruction
 * after STI, single-stepping, breakpoints, an instruction that waits for ioemu) runs one
 * instruction at a time, so the fast path need not know of it. Source: Intel SDM Vol 3A ch. 6
 * "Interrupt and Exception Handling", Vol 3B ch. 17 "Debug".
 */
#include "soft/soft.h"

#define SOFT_SHADOW_ONE (HVM_INTR_SHADOW_STI | HVM_INTR_SHADOW_MOV_SS)

/* soft_loop's own verdicts, next to what run() returns. */
#define SOFT_STEPPED 3 /* inside soft_step(): the instruction is taken care of */

#ifndef X86_DR6_BS
#define X86_DR6_BS 0x4000u
#endif

bool soft_can_inject(struct vcpu *v, bool nmi)
{
	const struct soft_vcpu *sv = v->vendor;
	const struct x86_cpu *c = &sv->cpu;

	/* An instruction that ioemu is serving must be finished first. */
	if (sv->io_retry || (c->intr_shadow & SOFT_SHADOW_ONE))
		return false;
	return nmi ? !(c->intr_shadow & HVM_INTR_SHADOW_NMI) : (c->rflags_rest & X86_EFL_IF) != 0;
}

static int soft_exit(struct soft_vcpu *sv, struct hvm_exit *ret, enum hvm_exit_reason reason)
{
	*ret = (struct hvm_exit){ .reason = (uint32_t)reason, .rip = sv->cpu.x86_ip };
	return 0;
}

/* -- exceptions ---------------------------------------------------------------------------- */

static bool soft_has_memory(const struct x86_insn *i)
{
	return i->form == X86_FORM_M || i->form == X86_FORM_RM || i->form == X86_FORM_MR ||
	       i->form == X86_FORM_MI || i->form == X86_FORM_RMI || i->form == X86_FORM_MRI;
}

/* The slow paths see an address only; that a non-canonical one was the stack's is found out here.
 */
static void soft_fix_stack_fault(struct soft_vcpu *sv, const struct x86_insn *i)
{
	struct x86_cpu *c = &sv->cpu;
	uint64_t from_sp = sv->non_canonical_gva - c->gpr[X86_RSP] + 16;
	bool memory = i && soft_has_memory(i) && i->seg == HVM_SEG_SS;

	sv->non_canonical = false;
	if (c->exc.vector == X86_GP && !c->exc.error && (memory || from_sp <= 32))
		c->exc.vector = X86_SS;
}

static int soft_deliver(struct soft_vcpu *sv, struct hvm_exit *ret)
{
	struct x86_cpu *c = &sv->cpu;
	struct hvm_event e = c->exc;
	int rc;

	sv->vcpu->stats.exceptions++;
	rc = x86_deliver(c, &e);
	if (hvm_likely(!rc))
		return SOFT_GO_ON;
	if (c->stop == X86_STOP_CRASH)
		return -HVM_EIO;
	c->stop = X86_STOP_NONE;
	if (rc == -HVM_EAGAIN) {
		sv->vcpu->reinject = e;
		return soft_exit(sv, ret, HVM_EXIT_IOREQ);
	}
	return soft_exit(sv, ret, HVM_EXIT_SHUTDOWN);
}

/* After X86_ABORT; ip is at the instruction again. @i: the instruction, or NULL if it was the
 * fetch. */
static int soft_abort(struct soft_vcpu *sv, const struct x86_insn *i, struct hvm_exit *ret)
{
	struct x86_cpu *c = &sv->cpu;
	uint32_t stop = c->stop;

	c->stop = X86_STOP_NONE;
	switch ((enum x86_stop)stop) {
	case X86_STOP_IO: sv->io_retry = true; return soft_exit(sv, ret, HVM_EXIT_IOREQ);
	case X86_STOP_SHUTDOWN: return soft_exit(sv, ret, HVM_EXIT_SHUTDOWN);
	case X86_STOP_CRASH: return -HVM_EIO;
	case X86_STOP_RETRY:
		/*
		 * Elements of a repeated string operation are done and will not be asked for again.
		 * An instruction that could not be fetched has still to use what was served.
		 */
		if (sv->io_retry && i) {
			sv->io_retry = false;
			hvm_io_retire(sv->vcpu);
		}
		sv->unfinished = true;
		return SOFT_GO_ON;
	case X86_STOP_NONE: break;
	}
	if (hvm_unlikely(sv->io_retry)) {
		sv->io_retry = false;
		hvm_io_retire(sv->vcpu);
	}
	if (hvm_unlikely(sv->non_canonical))
		soft_fix_stack_fault(sv, i);
	c->intr_shadow &= ~SOFT_SHADOW_ONE;
	return soft_deliver(sv, ret);
}

static int soft_halt(struct soft_vcpu *sv)
{
	__atomic_store_n(&sv->vcpu->activity, sv->cpu.activity, __ATOMIC_SEQ_CST);
	sv->vcpu->stats.hlt++;
	return 1;
}

/* -- one instruction at a time ------------------------------------------------------------- */

static bool soft_wants_step(const struct soft_vcpu *sv)
{
	const struct x86_cpu *c = &sv->cpu;

	return (c->intr_shadow & SOFT_SHADOW_ONE) || sv->io_retry || x86_wants_single_step(c) ||
	       (c->rflags_rest & X86_EFL_RF);
}

static bool soft_is_soft_interrupt(const struct x86_insn *i)
{
	switch (i->op) {
	case X86_OP_INT:
	case X86_OP_INT1:
	case X86_OP_INT3:
	case X86_OP_INTO:
	case X86_OP_SYSCALL:
	case X86_OP_SYSENTER: return true;
	}
	return false;
}

/* Debug trap after an instruction: single step, data breakpoints. */
static int soft_step_trap(struct soft_vcpu *sv, const struct x86_insn *i, bool stepping,
			  struct hvm_exit *ret)
{
	struct x86_cpu *c = &sv->cpu;
	uint64_t dr6 = sv->watch_dr6;

	/* What enters a handler clears TF on the way: no trap in front of the handler. */
	if (stepping && (!soft_is_soft_interrupt(i) || (c->rflags_rest & X86_EFL_TF)))
		dr6 |= X86_DR6_BS;
	/* MOV SS and POP SS hold traps back too. */
	if (!dr6 || (c->intr_shadow & HVM_INTR_SHADOW_MOV_SS))
		return SOFT_GO_ON;
	x86_raise(c, X86_DB);
	c->exc_dr6 = dr6;
	return soft_deliver(sv, ret);
}

/* Everything before the instruction at ip; SOFT_GO_ON: execute it. */
static int soft_step_begin(struct soft_vcpu *sv, struct hvm_exit *ret)
{
	struct x86_cpu *c = &sv->cpu;
	gva_t la = c->x86_ip;
	uint64_t dr6;

	sv->watch_dr6 = 0;
	if (!(c->dr7 & 0xff))
		return SOFT_GO_ON;
	if (!x86_is_code64(c))
		la = (uint32_t)(la + c->seg[HVM_SEG_CS].base);
	dr6 = x86_code_breakpoint(c, la);
	if (dr6 && !(c->intr_shadow & HVM_INTR_SHADOW_MOV_SS)) {
		x86_raise(c, X86_DB);
		c->exc_dr6 = dr6;
		return soft_deliver(sv, ret) == 0 ? 0 : SOFT_STEPPED;
	}
	sv->watching = true;
	c->tlb_r = soft_tlb_none;
	c->tlb_w = soft_tlb_none;
	return SOFT_GO_ON;
}

static int soft_step(struct soft_vcpu *sv, struct hvm_exit *ret)
{
	struct x86_cpu *c = &sv->cpu;
	uint32_t shadow = c->intr_shadow & SOFT_SHADOW_ONE;
	bool stepping = c->rflags_rest & X86_EFL_TF;
	uint64_t rf = c->rflags_rest & X86_EFL_RF;
	const struct x86_insn *i;
	struct soft_block *b;
	int rc = soft_step_begin(sv, ret);
	int r;

	if (rc != SOFT_GO_ON)
		return rc == SOFT_STEPPED ? SOFT_GO_ON : rc;
	b = sv->once ? soft_block_once(sv) : soft_block_find(sv);
	if (!b)
		return soft_abort(sv, NULL, ret);
	i = &b->slot[0].insn;
	c->intr_shadow &= ~shadow;
	r = i->exec(c, i);
	if (sv->watching) {
		sv->watching = false;
		x86_update_mode(c);
	}
	if (r == X86_ABORT) {
		/* For an instruction that comes back the shadow is still to last. */
		c->intr_shadow |= shadow;
		c->x86_ip = x86_insn_ip(c, i);
		return soft_abort(sv, i, ret);
	}
	if (r != X86_BRANCH)
		c->x86_ip = x86_next_ip(c, i);
	if (i->op != X86_OP_IRET)
		c->rflags_rest &= ~rf;
	if (sv->io_retry) {
		sv->io_retry = false;
		hvm_io_retire(sv->vcpu);
	}
	rc = soft_step_trap(sv, i, stepping, ret);
	return r == X86_HALT && rc == SOFT_GO_ON ? soft_halt(sv) : rc;
}

/* -- blocks -------------------------------------------------------------------------------- */

/* Branches that keep the mode and the code segment: their target may be remembered. */
static bool soft_linkable(const struct soft_slot *s)
{
	switch (s->insn.op) {
	case X86_OP_INVALID: return s->insn.len == 0; /* the end of a block */
	case X86_OP_JMP:
	case X86_OP_JMP_IND:
	case X86_OP_JCC:
	case X86_OP_CALL:
	case X86_OP_CALL_IND:
	case X86_OP_RET:
	case X86_OP_RET_IMM:
	case X86_OP_JCXZ:
	case X86_OP_LOOP:
	case X86_OP_LOOPE:
	case X86_OP_LOOPNE: return true;
	}
	return false;
}

/*
 * Run from @b on until something other than a remembered transition comes. *ret_slot: the last
 * instruction executed, or where it fell off a block. ip: next instruction after X86_BRANCH and
 * SOFT_FALL, else still the start of the block.
 */
static int soft_run_blocks(struct soft_vcpu *sv, struct soft_block *b, struct soft_slot **ret_slot)
{
	struct x86_cpu *c = &sv->cpu;
	struct soft_slot *s;
	int r;

	for (;;) {
		s = b->slot;
		do {
			r = s->insn.exec(c, &s->insn);
			s++;
		} while (hvm_likely(r == X86_NEXT));
		s--;
		if (r == SOFT_FALL)
			c->x86_ip = b->fall_ip;
		else if (hvm_unlikely(r != X86_BRANCH))
			break;
		b = s->next;
		if (hvm_likely(b->ip == c->x86_ip && b->stamp == sv->epoch[b->global])) {
			if (hvm_unlikely(__atomic_load_n(&c->exit_req, __ATOMIC_RELAXED)))
				break;
			continue;
		}
		if (b == &soft_no_block)
			break;
		/* It was linked: the same key holds, only the target is another. */
		b = sv->blocks.jump[soft_jump_index(c->x86_ip)];
		if (b->ip != c->x86_ip || b->key != sv->key || b->stamp != sv->epoch[b->global] ||
		    __atomic_load_n(&c->exit_req, __ATOMIC_RELAXED))
			break;
		s->next = b;
	}
	*ret_slot = s;
	return r;
}

/* What others and the core want between two blocks. SOFT_GO_ON, or 1: back to the core. */
static int soft_attend(struct soft_vcpu *sv)
{
	struct x86_cpu *c = &sv->cpu;

	if (__atomic_load_n(&c->exit_req, __ATOMIC_RELAXED)) {
		__atomic_store_n(&c->exit_req, 0, __ATOMIC_SEQ_CST);
		soft_serve(sv);
		__atomic_store_n(&sv->held_gfn, SOFT_NO_GFN, __ATOMIC_SEQ_CST);
		if (__atomic_exchange_n(&sv->kicked, 0, __ATOMIC_SEQ_CST))
			return 1;
	}
	if (hvm_unlikely(sv->window_nmi) && soft_can_inject(sv->vcpu, true)) {
		sv->window_nmi = false;
		return 1;
	}
	if (hvm_unlikely(sv->window_intr) && soft_can_inject(sv->vcpu, false)) {
		sv->window_intr = false;
		return 1;
	}
	return SOFT_GO_ON;
}

/* Bring what depends on the mode up to date. */
static void soft_mode_changed(struct soft_vcpu *sv)
{
	struct x86_cpu *c = &sv->cpu;

	if (c->mode != sv->key_mode ||
	    (!x86_is_code64(c) && (c->seg[HVM_SEG_CS].base != sv->key_base ||
				   c->seg[HVM_SEG_CS].limit != sv->key_limit)))
		soft_key_update(sv);
	if (hvm_unlikely(c->mode & X86_MODE_AC)) {
		c->tlb_r = soft_tlb_none;
		c->tlb_w = soft_tlb_none;
	}
}

/* Handler of @i has ended the block with @r; @i is NULL if the block could not be fetched. */
int soft_digest(struct soft_vcpu *sv, const struct x86_insn *i, int r, struct hvm_exit *ret)
{
	struct x86_cpu *c = &sv->cpu;

	switch (r) {
	case X86_BRANCH:
	case SOFT_FALL: return SOFT_GO_ON;
	case X86_NEXT:
	case X86_END: c->x86_ip = x86_next_ip(c, i); return SOFT_GO_ON;
	case X86_HALT: c->x86_ip = x86_next_ip(c, i); return soft_halt(sv);
	}
	if (hvm_likely(i))
		c->x86_ip = x86_insn_ip(c, i);
	return soft_abort(sv, i, ret);
}

int soft_interpret(struct soft_vcpu *sv, struct soft_block *b, struct hvm_exit *ret)
{
	struct soft_slot *s = b->slot;
	int r;

	do {
		r = s->insn.exec(&sv->cpu, &s->insn);
		s++;
	} while (hvm_likely(r == X86_NEXT));
	s--;
	if (r == SOFT_FALL)
		sv->cpu.x86_ip = b->fall_ip;
	return soft_digest(sv, &s->insn, r, ret);
}

/* Find the next block, remember it at @from (of arena generation @generation), run, digest the end.
 */
static int soft_run_once(struct soft_vcpu *sv, struct soft_slot **from, uint64_t *generation,
			 struct hvm_exit *ret)
{
	struct soft_block *b = soft_block_find(sv);
	struct soft_slot *s = *from;
	int r;

	*from = NULL;
	if (hvm_unlikely(!b))
		return soft_abort(sv, NULL, ret);
	if (s && *generation == sv->blocks.generation && soft_linkable(s))
		s->next = b;
	r = soft_run_blocks(sv, b, &s);
	if (r == X86_BRANCH || r == SOFT_FALL) {
		*from = s;
		*generation = sv->blocks.generation;
	}
	return soft_digest(sv, &s->insn, r, ret);
}

static int soft_loop(struct soft_vcpu *sv, struct hvm_exit *ret)
{
	struct soft_slot *from = NULL;
	uint64_t generation = 0;
	int rc;

	do {
		rc = soft_attend(sv);
		if (rc != SOFT_GO_ON)
			break;
		soft_mode_changed(sv);
		if (hvm_unlikely(soft_wants_step(sv))) {
			from = NULL;
			sv->tr.site = 0;
			rc = soft_step(sv, ret);
		} else if (soft_tr_wanted(sv)) {
			from = NULL;
			rc = soft_tr_run(sv, ret);
		} else {
			sv->tr.site = 0;
			rc = soft_run_once(sv, &from, &generation, ret);
		}
	} while (rc == SOFT_GO_ON);
	return rc;
}

int soft_run(struct vcpu *v, struct hvm_exit *ret)
{
	struct soft_vcpu *sv = v->vendor;
	uint64_t from;
	int rc;

	if (__atomic_load_n(&v->activity, __ATOMIC_SEQ_CST) != HVM_ACTIVITY_RUN)
		return 1;
	sv->cpu.activity = HVM_ACTIVITY_RUN;
	from = hvm_os_rdtsc();
	soft_enter(sv);
	rc = soft_loop(sv, ret);
	soft_leave(sv);
	v->stats.exits++;
	if (hvm_unlikely(soft_trim_note(&sv->trim, from, hvm_os_rdtsc(), hvm_os_tsc_khz() * 1000)))
		soft_trim(sv);
	return rc;
}

/* Parts of one REP that are executed before others get their turn. */
#define SOFT_EMULATE_PARTS 1024u

int soft_emulate(struct vcpu *v, struct hvm_exit *ret)
{
	struct soft_vcpu *sv = v->vendor;
	unsigned int parts = 0;
	int rc;

	soft_enter(sv);
	sv->once = true;
	do {
		sv->unfinished = false;
		__atomic_store_n(&sv->cpu.exit_req, 0, __ATOMIC_SEQ_CST);
		soft_serve(sv);
		soft_mode_changed(sv);
		rc = soft_step(sv, ret);
	} while (rc == SOFT_GO_ON && sv->unfinished && ++parts < SOFT_EMULATE_PARTS);
	sv->once = false;
	soft_leave(sv);
	return rc == SOFT_GO_ON ? 1 : rc;
}
