/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_intr.c - events into the guest: injection, what was cut short, and the windows that tell when
 * the guest can take an interrupt or an NMI.
 * Locking: the vcpu's thread. Saved: through struct hvm_vcpu_state. Source: Intel SDM Vol 3C 24.8.3
 * "VM-Entry Controls for Event Injection", 24.9.3 "Information for VM Exits That Occur During Event
 * Delivery", 26.6 "Event Injection".
 */
#include "vmx/vmx.h"

#include "x86/host.h"

#define DR6_FIXED 0xffff0ff0u
#define DR6_TRAPS 0x600fu /* B0 to B3, BD, BS */
#define DR7_GD	  HVM_BIT(13)

/* -- windows ----------------------------------------------------------------------------------- */

/* An instruction that ioemu serves must be finished first. */
bool vmx_can_inject(struct vcpu *v, bool nmi)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);
	uint64_t blocked;

	if (vv->hw.io_retry || (vv->event & VMX_EVENT_VALID))
		return false;
	blocked = vmx_read(vv, VMX_GUEST_INTERRUPTIBILITY);
	if (blocked & (VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS))
		return false;
	return nmi ? !(blocked & VMX_BLOCKED_NMI) : vmx_read(vv, VMX_GUEST_RFLAGS) & X86_EFL_IF;
}

/* run() comes back at once when an instruction that waits for ioemu is done. */
void vmx_intr_window(struct vcpu *v, bool nmi)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);

	if (!vv->hw.io_retry && (nmi || vmx_apic_needs_window(vv)))
		vmx_control(vv, VMX_PROC_CONTROLS, nmi ? VMX_PROC_NMI_WINDOW : VMX_PROC_INTR_WINDOW,
			    true);
}

int vmx_exit_intr_window(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vmx_control(vv, VMX_PROC_CONTROLS, VMX_PROC_INTR_WINDOW, false);
	return HW_CORE;
}

int vmx_exit_nmi_window(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vmx_control(vv, VMX_PROC_CONTROLS, VMX_PROC_NMI_WINDOW, false);
	return HW_CORE;
}

/* -- injection --------------------------------------------------------------------------------- */

static void vmx_set_event(struct vmx_vcpu *vv, enum vmx_event_type type, uint8_t vector)
{
	vv->event = VMX_EVENT_VALID | (uint64_t)type << 8 | vector;
	vv->event_error = 0;
	vv->event_insn_len = 0;
}

/* Is an exception while this one is delivered a double fault? */
static bool vmx_is_contributory(uint8_t vector)
{
	return vector == X86_DE || (vector >= X86_TS && vector <= X86_GP);
}

static bool vmx_becomes_double_fault(uint64_t first, uint8_t vector)
{
	if (!(first & VMX_EVENT_VALID) || VMX_EVENT_TYPE(first) != VMX_EVENT_EXCEPTION)
		return false;
	if (VMX_EVENT_VECTOR(first) == X86_PF)
		return vmx_is_contributory(vector) || vector == X86_PF;
	return vmx_is_contributory(VMX_EVENT_VECTOR(first)) && vmx_is_contributory(vector);
}

void vmx_inject_exception(struct vmx_vcpu *vv, uint8_t vector, int64_t error)
{
	vv->vcpu->stats.exceptions++;
	if (vmx_becomes_double_fault(vv->event, vector)) {
		vector = X86_DF;
		error = 0;
	}
	vmx_set_event(vv, VMX_EVENT_EXCEPTION, vector);
	if (error < 0)
		return;
	vv->event |= VMX_EVENT_HAS_ERROR;
	vv->event_error = (uint32_t)error;
}

/* rip is at the instruction that the event came from; the return address is behind it. */
static void vmx_inject_software(struct vmx_vcpu *vv, enum vmx_event_type type,
				const struct hvm_event *e)
{
	vmx_set_event(vv, type, e->vector);
	vv->event_insn_len = e->insn_len;
}

int vmx_inject_event(struct vcpu *v, const struct hvm_event *e)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);

	switch ((enum hvm_event_type)e->type) {
	case HVM_EVENT_NONE: return 0;
	case HVM_EVENT_EXT_INTR:
		vmx_control(vv, VMX_PROC_CONTROLS, VMX_PROC_INTR_WINDOW, false);
		vmx_set_event(vv, VMX_EVENT_EXT_INTR, e->vector);
		break;
	case HVM_EVENT_NMI: vmx_set_event(vv, VMX_EVENT_NMI, X86_NMI); break;
	case HVM_EVENT_HW_EXCEPTION:
		vmx_inject_exception(vv, e->vector, e->has_error ? (int64_t)e->error : -1);
		break;
	case HVM_EVENT_SW_INTR: vmx_inject_software(vv, VMX_EVENT_SOFT_INTR, e); break;
	case HVM_EVENT_SW_EXCEPTION: vmx_inject_software(vv, VMX_EVENT_SOFT_EXC, e); break;
	case HVM_EVENT_PRIV_SW_EXCEPTION: vmx_inject_software(vv, VMX_EVENT_PRIV_SOFT, e); break;
	}
	__atomic_store_n(&v->activity, HVM_ACTIVITY_RUN, __ATOMIC_SEQ_CST);
	return 0;
}

/* Interrupts off. Real mode knows no error codes, and VM entry refuses one there. */
void vmx_prepare_event(struct vmx_vcpu *vv)
{
	uint64_t event = vv->event;

	if (hvm_likely(!(event & VMX_EVENT_VALID)))
		return;
	if (!(vmx_read(vv, VMX_GUEST_CR0) & X86_CR0_PE))
		event &= ~VMX_EVENT_HAS_ERROR;
	vmx_write(vv, VMX_ENTRY_EVENT, event);
	vmx_write(vv, VMX_ENTRY_EVENT_ERROR, vv->event_error);
	vmx_write(vv, VMX_ENTRY_INSN_LEN, vv->event_insn_len);
}

/* -- what was cut short ------------------------------------------------------------------------ */

/*
 * Interrupts off. The entry has taken the event, and the processor cleared its valid bit; what did
 * not get through is in the IDT-vectoring fields, and is delivered again as it is.
 */
void vmx_complete_events(struct vmx_vcpu *vv)
{
	uint64_t e = vmx_read(vv, VMX_IDT_VECTORING);

	vv->event = 0;
	vv->value[VMX_ENTRY_EVENT] &= ~VMX_EVENT_VALID;
	if (hvm_likely(!(e & VMX_EVENT_VALID)))
		return;
	vv->event = e & VMX_EVENT_KEEP;
	vv->event_error = 0;
	vv->event_insn_len = 0;
	if (e & VMX_EVENT_HAS_ERROR)
		vv->event_error = (uint32_t)vmx_read(vv, VMX_IDT_VECTORING_ERROR);
	switch ((enum vmx_event_type)VMX_EVENT_TYPE(e)) {
	case VMX_EVENT_NMI:
		/* Its delivery sets this again, and wants it clear. */
		vmx_write(vv, VMX_GUEST_INTERRUPTIBILITY,
			  vmx_read(vv, VMX_GUEST_INTERRUPTIBILITY) & ~(uint64_t)VMX_BLOCKED_NMI);
		break;
	case VMX_EVENT_SOFT_INTR:
	case VMX_EVENT_PRIV_SOFT:
	case VMX_EVENT_SOFT_EXC:
		vv->event_insn_len = (uint32_t)vmx_read(vv, VMX_EXIT_INSN_LEN);
		break;
	case VMX_EVENT_EXT_INTR:
	case VMX_EVENT_EXCEPTION: break;
	}
}

struct hvm_event vmx_take_pending(struct vmx_vcpu *vv)
{
	static const uint8_t type[8] = {
		[VMX_EVENT_EXT_INTR] = HVM_EVENT_EXT_INTR,
		[VMX_EVENT_NMI] = HVM_EVENT_NMI,
		[VMX_EVENT_EXCEPTION] = HVM_EVENT_HW_EXCEPTION,
		[VMX_EVENT_SOFT_INTR] = HVM_EVENT_SW_INTR,
		[VMX_EVENT_PRIV_SOFT] = HVM_EVENT_PRIV_SW_EXCEPTION,
		[VMX_EVENT_SOFT_EXC] = HVM_EVENT_SW_EXCEPTION,
	};
	uint64_t e = vv->event;
	struct hvm_event ret = { 0 };

	if (!(e & VMX_EVENT_VALID))
		return ret;
	vv->event = 0;
	ret.type = type[VMX_EVENT_TYPE(e)];
	ret.vector = VMX_EVENT_VECTOR(e);
	ret.insn_len = (uint8_t)vv->event_insn_len;
	if (e & VMX_EVENT_HAS_ERROR) {
		ret.has_error = 1;
		ret.error = vv->event_error;
	}
	return ret;
}

void vmx_forget_events(struct vmx_vcpu *vv)
{
	vv->event = 0;
	vmx_write(vv, VMX_ENTRY_EVENT, 0);
	vmx_control(vv, VMX_PROC_CONTROLS, VMX_PROC_INTR_WINDOW | VMX_PROC_NMI_WINDOW, false);
}

void vmx_reblock_nmi(struct vmx_vcpu *vv)
{
	if (!(vv->event & VMX_EVENT_VALID))
		vmx_write(vv, VMX_GUEST_INTERRUPTIBILITY,
			  vmx_read(vv, VMX_GUEST_INTERRUPTIBILITY) | VMX_BLOCKED_NMI);
}

/* -- exceptions that exit ---------------------------------------------------------------------- */

/* Neither the exit nor the injection touches DR6 and DR7: what delivery does to them is done here.
 */
static void vmx_debug_exception(struct vmx_vcpu *vv)
{
	uint64_t traps = vmx_read(vv, VMX_EXIT_QUALIFICATION) & DR6_TRAPS;
	bool in_register = vv->dr_loaded && !(vv->host.dr7 & 0xff);
	uint64_t dr6 = in_register ? host_dr6() : vv->dr6;

	vv->dr6 = (uint32_t)((dr6 & ~15ull) | traps | DR6_FIXED);
	if (in_register)
		host_set_dr6(vv->dr6);
	vmx_write(vv, VMX_GUEST_DR7, vmx_read(vv, VMX_GUEST_DR7) & ~DR7_GD);
	vmx_inject_exception(vv, X86_DB, -1);
}

/* NMIs and machine checks are the host's, and it has had them. */
int vmx_exit_exception(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	uint64_t e = vmx_read(vv, VMX_EXIT_EVENT);

	(void)ret;
	if (VMX_EVENT_TYPE(e) == VMX_EVENT_NMI || VMX_EVENT_VECTOR(e) == X86_MC)
		return HW_RESUME;
	if (e & VMX_EVENT_UNBLOCK_NMI)
		vmx_reblock_nmi(vv);
	if (VMX_EVENT_TYPE(e) == VMX_EVENT_PRIV_SOFT) {
		/* INT1: a trap that leaves DR6 alone; its return address is behind it. */
		vmx_set_event(vv, VMX_EVENT_PRIV_SOFT, X86_DB);
		vv->event_insn_len = (uint32_t)vmx_read(vv, VMX_EXIT_INSN_LEN);
	} else if (VMX_EVENT_VECTOR(e) == X86_DB)
		vmx_debug_exception(vv);
	else
		vmx_inject_exception(vv, VMX_EVENT_VECTOR(e), 0);
	return HW_RESUME;
}
