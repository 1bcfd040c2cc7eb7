/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_intr.c - events into the guest: injection, what was cut short, and the windows that tell when
 * the guest can take an interrupt or an NMI.
 *
 * An interrupt window is a virtual interrupt that nobody wants: it exits instead of being
 * delivered. For NMIs the processor keeps no mask that we could see end: IRET is intercepted, and
 * if an NMI waits, the guest makes one step from there. Locking: the vcpu's thread. Saved: through
 * struct hvm_vcpu_state. Source: AMD APM Vol 2 15.20 "Event Injection", 15.21 "Interrupt and Local
 * APIC Support", 15.7.2 "Determining the Cause of an Intercept during event delivery".
 */
#include "svm/svm.h"

#include "devices/chips.h"

#define SVM_DR6_BS HVM_BIT(14)

/* -- windows --------------------------------------------------------------------------------- */

static void svm_set_intr_window(struct svm_vcpu *sv, bool on)
{
	uint64_t ctl = sv->vmcb->int_ctl & ~(SVM_V_IRQ | SVM_V_PRIO_HIGHEST | SVM_V_IGN_TPR);

	if (on)
		ctl |= SVM_V_IRQ | SVM_V_PRIO_HIGHEST | SVM_V_IGN_TPR;
	if (ctl == sv->vmcb->int_ctl)
		return;
	sv->vmcb->int_ctl = ctl;
	svm_touch(sv, SVM_CLEAN_TPR);
	svm_intercept(sv, SVM_IW_MISC1, SVM_I_VINTR, on);
}

static void svm_start_stepping(struct svm_vcpu *sv)
{
	if (sv->stepping)
		return;
	sv->stepping = true;
	sv->step_rflags = sv->vmcb->rflags;
	sv->vmcb->rflags |= X86_EFL_TF | X86_EFL_RF;
}

static void svm_stop_stepping(struct svm_vcpu *sv)
{
	sv->stepping = false;
	if (!(sv->step_rflags & X86_EFL_TF))
		sv->vmcb->rflags &= ~(uint64_t)X86_EFL_TF;
	if (!(sv->step_rflags & X86_EFL_RF))
		sv->vmcb->rflags &= ~(uint64_t)X86_EFL_RF;
}

/* An instruction that ioemu serves must be finished first. */
bool svm_can_inject(struct vcpu *v, bool nmi)
{
	const struct svm_vcpu *sv = svm_vcpu(v);
	const struct svm_vmcb *b = sv->vmcb;

	if (sv->hw.io_retry || (b->eventinj & SVM_EVENT_VALID) ||
	    (b->int_state & SVM_INTERRUPT_SHADOW))
		return false;
	return nmi ? !sv->nmi_masked : (b->rflags & X86_EFL_IF) != 0;
}

void svm_intr_window(struct vcpu *v, bool nmi)
{
	struct svm_vcpu *sv = svm_vcpu(v);

	if (!nmi)
		svm_set_intr_window(sv, true);
	else if (sv->hw.io_retry)
		return; /* run() comes back when the instruction is done */
	else if (sv->vmcb->eventinj & SVM_EVENT_VALID)
		sv->exit_at_once = true;
	else if (!sv->nmi_masked || sv->iret_seen)
		svm_start_stepping(sv);
	/* Else the IRET is intercepted already. */
}

int svm_exit_vintr(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	svm_set_intr_window(sv, false);
	return HW_CORE;
}

/* Before the IRET: NMIs stay masked until it is through. */
int svm_exit_iret(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	svm_intercept(sv, SVM_IW_MISC1, SVM_I_IRET, false);
	sv->iret_seen = true;
	sv->iret_rip = sv->vmcb->rip;
	return HW_CORE;
}

static void svm_end_nmi(struct svm_vcpu *sv)
{
	sv->iret_seen = false;
	sv->nmi_masked = false;
}

/* #DB: the end of our own step, or the guest's. DR6 has been written already. */
int svm_exit_debug(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	if (sv->stepping) {
		svm_stop_stepping(sv);
		if (sv->iret_seen)
			svm_end_nmi(sv);
		if (!(sv->step_rflags & X86_EFL_TF)) {
			sv->vmcb->dr6 &= ~SVM_DR6_BS;
			svm_touch(sv, SVM_CLEAN_DR);
			if (!(sv->vmcb->dr6 & 15))
				return HW_CORE;
		}
	}
	svm_inject_exception(sv, X86_DB, -1);
	return HW_RESUME;
}

/* -- injection --------------------------------------------------------------------------------- */

/* Is an exception while this one is delivered a double fault? */
static bool svm_is_contributory(uint8_t vector)
{
	return vector == X86_DE || (vector >= X86_TS && vector <= X86_GP);
}

void svm_inject_exception(struct svm_vcpu *sv, uint8_t vector, int64_t error)
{
	uint64_t first = sv->vmcb->eventinj, e = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXC << 8;

	sv->vcpu->stats.exceptions++;
	if ((first & SVM_EVENT_VALID) && SVM_EVENT_TYPE(first) == SVM_EVENT_TYPE_EXC &&
	    (svm_is_contributory(SVM_EVENT_VECTOR(first)) || SVM_EVENT_VECTOR(first) == X86_PF) &&
	    (svm_is_contributory(vector) || vector == X86_PF)) {
		vector = X86_DF;
		error = 0;
	}
	e |= vector;
	if (error >= 0)
		e |= SVM_EVENT_HAS_ERROR | (uint64_t)error << SVM_EVENT_ERROR_SHIFT;
	sv->vmcb->eventinj = e;
}

/* Where the event came from an instruction, the return address is behind it. */
static void svm_inject_software(struct svm_vcpu *sv, const struct hvm_event *e)
{
	unsigned int type = e->type == HVM_EVENT_SW_INTR ? SVM_EVENT_TYPE_SOFT : SVM_EVENT_TYPE_EXC;

	sv->soft_event = *e;
	sv->vmcb->rip += e->insn_len;
	sv->vmcb->next_rip = sv->vmcb->rip;
	sv->vmcb->eventinj = SVM_EVENT_VALID | type << 8 | e->vector;
}

int svm_inject_event(struct vcpu *v, const struct hvm_event *e)
{
	struct svm_vcpu *sv = svm_vcpu(v);
	struct svm_vmcb *b = sv->vmcb;

	switch ((enum hvm_event_type)e->type) {
	case HVM_EVENT_NONE: return 0;
	case HVM_EVENT_EXT_INTR:
		svm_set_intr_window(sv, false);
		b->eventinj = SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR << 8 | e->vector;
		break;
	case HVM_EVENT_NMI:
		if (sv->stepping)
			svm_stop_stepping(sv);
		sv->nmi_masked = true;
		sv->iret_seen = false;
		svm_intercept(sv, SVM_IW_MISC1, SVM_I_IRET, true);
		b->eventinj = SVM_EVENT_VALID | SVM_EVENT_TYPE_NMI << 8 | X86_NMI;
		break;
	case HVM_EVENT_HW_EXCEPTION:
		svm_inject_exception(sv, e->vector, e->has_error ? (int64_t)e->error : -1);
		break;
	case HVM_EVENT_SW_INTR:
	case HVM_EVENT_SW_EXCEPTION:
	case HVM_EVENT_PRIV_SW_EXCEPTION: svm_inject_software(sv, e); break;
	}
	__atomic_store_n(&v->activity, HVM_ACTIVITY_RUN, __ATOMIC_SEQ_CST);
	return 0;
}

/* -- what was cut short --------------------------------------------------------------------------
 */

static bool svm_is_software(uint64_t e)
{
	uint8_t vector = SVM_EVENT_VECTOR(e);

	return SVM_EVENT_TYPE(e) == SVM_EVENT_TYPE_SOFT ||
	       (SVM_EVENT_TYPE(e) == SVM_EVENT_TYPE_EXC && (vector == X86_BP || vector == X86_OF));
}

/*
 * A guest's own INT n is executed again, for rip is still at it. One that we injected, with rip
 * behind it, is injected again; so is all that did not come from an instruction.
 */
void svm_complete_events(struct svm_vcpu *sv)
{
	struct svm_vmcb *b = sv->vmcb;
	uint64_t e = b->exitintinfo;

	b->eventinj = 0;
	if (sv->iret_seen && (!sv->nmi_masked || b->rip != sv->iret_rip))
		svm_end_nmi(sv);
	if (hvm_likely(!(e & SVM_EVENT_VALID))) {
		sv->soft_event.type = HVM_EVENT_NONE;
		return;
	}
	if (!svm_is_software(e) || sv->soft_event.type != HVM_EVENT_NONE) {
		b->eventinj = e;
		b->next_rip = b->rip;
	}
}

static uint8_t svm_event_type(uint64_t e)
{
	switch (SVM_EVENT_TYPE(e)) {
	case SVM_EVENT_TYPE_INTR: return HVM_EVENT_EXT_INTR;
	case SVM_EVENT_TYPE_NMI: return HVM_EVENT_NMI;
	case SVM_EVENT_TYPE_EXC: return HVM_EVENT_HW_EXCEPTION;
	}
	return HVM_EVENT_NONE;
}

struct hvm_event svm_take_pending(struct svm_vcpu *sv)
{
	uint64_t e = sv->vmcb->eventinj;
	struct hvm_event ret = { 0 };

	if (!(e & SVM_EVENT_VALID))
		return ret;
	sv->vmcb->eventinj = 0;
	if (sv->soft_event.type != HVM_EVENT_NONE) {
		ret = sv->soft_event;
		sv->soft_event.type = HVM_EVENT_NONE;
		sv->vmcb->rip -= ret.insn_len;
		return ret;
	}
	ret.type = svm_event_type(e);
	ret.vector = SVM_EVENT_VECTOR(e);
	if (e & SVM_EVENT_HAS_ERROR) {
		ret.has_error = 1;
		ret.error = (uint32_t)(e >> SVM_EVENT_ERROR_SHIFT);
	}
	return ret;
}

void svm_forget_events(struct svm_vcpu *sv)
{
	sv->vmcb->eventinj = 0;
	sv->soft_event.type = HVM_EVENT_NONE;
	sv->stepping = false;
	sv->iret_seen = false;
	sv->exit_at_once = false;
	svm_set_intr_window(sv, false);
}

/* -- task priority -------------------------------------------------------------------------------
 */

/* CR8 is the guest's own, without exits, unless an interrupt waits for it to be lowered. */
void svm_sync_tpr(struct svm_vcpu *sv)
{
	uint64_t tpr = vlapic_cr8_read(sv->vcpu);

	if ((sv->vmcb->int_ctl & SVM_V_TPR_MASK) != tpr) {
		sv->vmcb->int_ctl = (sv->vmcb->int_ctl & ~SVM_V_TPR_MASK) | tpr;
		svm_touch(sv, SVM_CLEAN_TPR);
	}
	svm_intercept(sv, SVM_IW_CR, SVM_I_CR_WRITE(8), tpr && vlapic_waits_for_tpr(sv->vcpu));
}
