/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_run.c - the loop around VM entry, and how others get a vcpu out of the guest.
 *
 * Locking: vmx.h. Source: Intel SDM Vol 3C ch. 26 "VM Entries", ch. 27 "VM
 * Exits".
 */
#include "vmx/vmx.h"

#include "x86/host.h"

/* -- one entry --------------------------------------------------------------------------------- */

/* What the processor remembers of translations; linear ones are made of guest physical ones. */
static void vmx_prepare_tlb(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	bool flush = __atomic_load_n(&vv->hw.flush, __ATOMIC_SEQ_CST);
	bool linear = __atomic_load_n(&vv->flush_linear, __ATOMIC_SEQ_CST);

	if (hvm_unlikely(flush)) {
		__atomic_store_n(&vv->hw.flush, 0, __ATOMIC_SEQ_CST);
		vmx_invept(vv->domain->ept_pointer);
		vv->vcpu->stats.tlb_flush++;
	}
	if (hvm_unlikely(linear))
		__atomic_store_n(&vv->flush_linear, 0, __ATOMIC_SEQ_CST);
	if (vv->vpid_generation != c->vpid_generation)
		vmx_next_vpid(vv, c);
	else if (hvm_unlikely(linear) && vv->vpid)
		vmx_invvpid(vv->vpid);
}

static void vmx_prepare_tsc(struct vmx_vcpu *vv)
{
	uint64_t ratio = __atomic_load_n(&vv->vcpu->domain->tsc_ratio, __ATOMIC_RELAXED);

	if (vmx_has(VMX_WORD_PROC2, VMX_PROC2_TSC_SCALING))
		vmx_write(vv, VMX_TSC_MULTIPLIER, ratio ? ratio : HVM_BIT(VMX_TSC_RATIO_BITS));
	vmx_write(vv, VMX_TSC_OFFSET, __atomic_load_n(&vv->vcpu->tsc_offset, __ATOMIC_RELAXED));
}

static void vmx_prepare(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	vmx_prepare_tlb(vv, c);
	vmx_prepare_apic(vv);
	vmx_prepare_pml(vv);
	vmx_prepare_event(vv);
	vmx_prepare_tsc(vv);
}

/* NMIs and machine checks that ended the guest's run are the host's, before anything else. */
static void vmx_host_exceptions(struct vmx_vcpu *vv)
{
	uint64_t e = vmx_read(vv, VMX_EXIT_EVENT);

	if (VMX_EVENT_TYPE(e) == VMX_EVENT_NMI)
		host_nmi();
	else if (VMX_EVENT_TYPE(e) == VMX_EVENT_EXCEPTION && VMX_EVENT_VECTOR(e) == X86_MC)
		host_machine_check();
}

/* Take in what the guest left. Interrupts are off. */
static void vmx_collect(struct vmx_vcpu *vv)
{
	uint64_t reason;

	vmx_fields_collect(vv);
	reason = vmx_read(vv, VMX_EXIT_REASON);
	if (hvm_unlikely(reason & VMX_REASON_ENTRY_FAILED))
		return;
	vv->launched = true;
	if (hvm_unlikely(reason == VMX_REASON_EXCEPTION))
		vmx_host_exceptions(vv);
	vmx_complete_events(vv);
	vmx_collect_apic(vv);
}

/* Interrupts are off. */
static int vmx_enter_guest(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	int failed;

	vv->irqs_off = true;
	vmx_prepare(vv, c);
	vmx_enter_host(vv);
	vmx_fields_flush(vv);
	failed = vmx_enter(vv, vv->launched);
	vmx_leave_host(vv);
	vv->vcpu->stats.exits++;
	if (hvm_likely(!failed))
		vmx_collect(vv);
	vv->irqs_off = false;
	return failed ? VMX_REFUSED : HW_RESUME;
}

static int vmx_run_once(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	int rc = hw_enter_begin(&vv->hw, vv->last_cpu, c->on);

	if (rc == HW_RESUME)
		rc = vmx_enter_guest(vv, c);
	hw_enter_end(&vv->hw);
	return rc;
}

static int vmx_run_on(struct vcpu *v, unsigned int cpu, struct hvm_exit *ret)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);
	int rc = vmx_activate(vv);

	if (!rc)
		rc = vmx_load(vv, vmx_host.cpu[cpu], cpu);
	if (rc)
		return rc;
	rc = HW_RESUME;
	vv->is_loaded = true;
	if (vv->hw.io_retry)
		rc = vmx_handle_exit(vv, ret);
	while (rc == HW_RESUME) {
		rc = vmx_run_once(vv, vmx_host.cpu[cpu]);
		if (rc != HW_RESUME)
			break;
		rc = vmx_handle_exit(vv, ret);
	}
	if (rc == VMX_REFUSED)
		rc = vmx_entry_refused(vv);
	vmx_collect_pml(vv);
	vmx_put(vv);
	vv->is_loaded = false;
	return rc;
}

int vmx_run(struct vcpu *v, struct hvm_exit *ret)
{
	vmx_get_ready(vmx_vcpu(v));
	return hw_run(v, ret, vmx_run_on);
}
