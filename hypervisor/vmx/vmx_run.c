/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_run.c - the loop around VM entry, and how others get a vcpu out of the guest.
 *
 * No kick is lost: who kicks sets kicked and then looks where the vcpu runs; the vcpu says where it
 * runs, with interrupts off, and then looks at kicked. An interrupt that comes in between ends the
 * guest's run at once. Locking: vmx.h. Source: Intel SDM Vol 3C ch. 26 "VM Entries", ch. 27 "VM
 * Exits".
 */
#include "vmx/vmx.h"

#include "x86/host.h"

/* -- one entry --------------------------------------------------------------------------------- */

/* What the processor remembers of translations; linear ones are made of guest physical ones. */
static void vmx_prepare_tlb(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	bool flush = __atomic_load_n(&vv->flush, __ATOMIC_SEQ_CST);
	bool linear = __atomic_load_n(&vv->flush_linear, __ATOMIC_SEQ_CST);

	if (hvm_unlikely(flush)) {
		__atomic_store_n(&vv->flush, 0, __ATOMIC_SEQ_CST);
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

static void vmx_prepare(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	vmx_prepare_tlb(vv, c);
	vmx_prepare_apic(vv);
	vmx_prepare_pml(vv);
	vmx_prepare_event(vv);
	vmx_write(vv, VMX_TSC_OFFSET, __atomic_load_n(&vv->vcpu->tsc_offset, __ATOMIC_RELAXED));
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
	return failed ? VMX_REFUSED : VMX_RESUME;
}

static int vmx_run_once(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	int rc;

	hvm_os_irq_disable();
	__atomic_store_n(&vv->in_guest_on, vv->last_cpu, __ATOMIC_SEQ_CST);
	if (hvm_unlikely(!c->on)) {
		/* The host is going down. */
		rc = -HVM_EIO;
	} else if (__atomic_load_n(&vv->kicked, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&vv->kicked, 0, __ATOMIC_SEQ_CST);
		rc = VMX_CORE;
	} else if (hvm_os_must_leave()) {
		rc = VMX_YIELD;
	} else {
		rc = vmx_enter_guest(vv, c);
	}
	__atomic_store_n(&vv->in_guest_on, VMX_NO_CPU, __ATOMIC_RELEASE);
	hvm_os_irq_enable();
	return rc;
}

static int vmx_run_on(struct vmx_vcpu *vv, unsigned int cpu, struct hvm_exit *ret)
{
	int rc = vmx_activate(vv);

	if (!rc)
		rc = vmx_load(vv, vmx_host.cpu[cpu], cpu);
	if (rc)
		return rc;
	rc = VMX_RESUME;
	vv->is_loaded = true;
	if (vv->io_retry)
		rc = vmx_handle_exit(vv, ret);
	while (rc == VMX_RESUME) {
		rc = vmx_run_once(vv, vmx_host.cpu[cpu]);
		if (rc != VMX_RESUME)
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

static int vmx_run_pinned(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	int rc;

	hvm_os_pin();
	__atomic_fetch_add(&vv->pinned_seq, 1, __ATOMIC_SEQ_CST);
	rc = vmx_run_on(vv, hvm_os_cpu(), ret);
	__atomic_fetch_add(&vv->pinned_seq, 1, __ATOMIC_SEQ_CST);
	hvm_os_unpin();
	return rc;
}

int vmx_run(struct vcpu *v, struct hvm_exit *ret)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);
	int rc;

	vmx_get_ready(vv);
	do {
		rc = npt_cache_fill(&vv->ept_cache);
		if (rc)
			return rc;
		rc = vmx_run_pinned(vv, ret);
	} while (rc == VMX_REFILL);
	if (rc == VMX_YIELD)
		hvm_os_yield();
	return rc == VMX_CORE || rc == VMX_YIELD ? 1 : rc;
}

/* -- others ------------------------------------------------------------------------------------ */

void vmx_kick(struct vcpu *v)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);
	uint32_t cpu;

	__atomic_store_n(&vv->kicked, 1, __ATOMIC_SEQ_CST);
	cpu = __atomic_load_n(&vv->in_guest_on, __ATOMIC_SEQ_CST);
	if (cpu != VMX_NO_CPU)
		hvm_os_cpu_kick(cpu);
}

/* Wait until @vv has left the stretch in which it may use what it looked up before. */
static void vmx_wait_unpinned(struct vmx_vcpu *vv)
{
	uint32_t seq = __atomic_load_n(&vv->pinned_seq, __ATOMIC_SEQ_CST);

	while ((seq & 1) && __atomic_load_n(&vv->pinned_seq, __ATOMIC_SEQ_CST) == seq)
		hvm_os_yield();
}

void vmx_flush_all(struct domain *d)
{
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		struct vmx_vcpu *vv = vmx_vcpu(d->vcpu[i]);

		if (!vv)
			continue;
		__atomic_store_n(&vv->flush, 1, __ATOMIC_SEQ_CST);
		vmx_kick(d->vcpu[i]);
	}
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (vmx_vcpu(d->vcpu[i]))
			vmx_wait_unpinned(vmx_vcpu(d->vcpu[i]));
	}
}
