/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_vmcs.c - a vcpu's VMCS: its memory, what makes a guest exit, and its identifier for
 * translations.
 * Locking: the vcpu's thread; VPIDs of a CPU: whoever is on it with interrupts off. Not saved.
 * Source: Intel SDM Vol 3C 24.6 "VM-Execution Control Fields", 28.4 "Caching Translation
 * Information".
 */
#include "vmx/vmx.h"

#include "vmx/vmx_insn.h"

#define VMX_SPIN_GAP	128u  /* cycles between two PAUSEs of one loop, at most */
#define VMX_SPIN_WINDOW 4096u /* cycles of such a loop until it exits */
#define VMX_VPIDS	0x10000u
#define VMX_STRETCH_MS	10u /* of guest time, at most, until the host has a look */

/* It counts TSC ticks, 2^rate of them at a time, from this value down, from every entry on. */
static uint64_t vmx_stretch(void)
{
	uint64_t ticks = VMX_STRETCH_MS * hvm_os_tsc_khz() >> (vmx_host.features.misc & 31);

	return ticks > 0xffffffffu ? 0xffffffffu : ticks;
}

/*
 * Exceptions: a guest could make the delivery of #DB and #AC never end; #MC is the host's.
 */
static void vmx_vmcs_controls(struct vmx_vcpu *vv)
{
	const struct vmx_control *c = vmx_host.features.control;

	vmx_write(vv, VMX_PIN_CONTROLS, c[VMX_WORD_PIN].chosen);
	vmx_write(vv, VMX_PROC_CONTROLS, c[VMX_WORD_PROC].chosen);
	vmx_write(vv, VMX_PROC2_CONTROLS,
		  c[VMX_WORD_PROC2].chosen & ~(VMX_PROC2_APICV | VMX_PROC2_PML));
	vmx_write(vv, VMX_EXIT_CONTROLS, c[VMX_WORD_EXIT].chosen);
	vmx_write(vv, VMX_ENTRY_CONTROLS, c[VMX_WORD_ENTRY].chosen);
	vmx_write(vv, VMX_EXCEPTION_BITMAP, 1u << X86_DB | 1u << X86_AC | 1u << X86_MC);
	vmx_write(vv, VMX_PAGE_FAULT_MASK, 0);
	vmx_write(vv, VMX_PAGE_FAULT_MATCH, 0);
	vmx_write(vv, VMX_CR3_TARGETS, 0);
	vmx_write(vv, VMX_ENTRY_EVENT, 0);
	vmx_write(vv, VMX_LINK_POINTER, ~0ull);
	vmx_write(vv, VMX_MSR_BITMAP, vmx_host.msr_bitmap_hpa);
	vmx_write(vv, VMX_EPT_POINTER, vv->domain->ept_pointer);
	vmx_write(vv, VMX_VIRTUAL_APIC, hvm_os_hva_to_hpa(vv->virtual_apic));
	vmx_write(vv, VMX_TPR_THRESHOLD, 0);
	vmx_write(vv, VMX_PML_PAGE, hvm_os_hva_to_hpa(vv->pml));
	if (vmx_apic_offered())
		vmx_write(vv, VMX_APIC_ACCESS, vv->domain->apic_hpa);
	/* Until it is known which bits the guest may have, it has none. */
	vmx_write(vv, VMX_CR0_MASK, ~0ull);
	vmx_write(vv, VMX_CR4_MASK, ~0ull);
	if (vmx_has(VMX_WORD_PIN, VMX_PIN_TIMER))
		vmx_write(vv, VMX_PREEMPTION_TIMER, vmx_stretch());
	if (vmx_has(VMX_WORD_PROC2, VMX_PROC2_PAUSE_LOOP)) {
		vmx_write(vv, VMX_PAUSE_GAP, VMX_SPIN_GAP);
		vmx_write(vv, VMX_PAUSE_WINDOW, VMX_SPIN_WINDOW);
	}
}

static void vmx_vmcs_msr_areas(struct vmx_vcpu *vv)
{
	hpa_t areas = hvm_os_hva_to_hpa(vv->msr_areas);

	vmx_write(vv, VMX_ENTRY_MSR_LOAD, areas + offsetof(struct vmx_msr_areas, entry));
	vmx_write(vv, VMX_EXIT_MSR_LOAD, areas + offsetof(struct vmx_msr_areas, exit));
	vmx_write(vv, VMX_EXIT_MSR_STORE, areas);
	vmx_write(vv, VMX_EXIT_MSR_STORES, 0);
	vmx_write(vv, VMX_ENTRY_MSR_LOADS, 0);
	vmx_write(vv, VMX_EXIT_MSR_LOADS, 0);
}

int vmx_vmcs_create(struct vmx_vcpu *vv)
{
	uint32_t revision = (uint32_t)vmx_host.features.basic & 0x7fffffff;

	vv->vmcs = hvm_os_alloc_pages(HVM_PAGE_SIZE);
	vv->virtual_apic = hvm_os_alloc_pages(HVM_PAGE_SIZE);
	vv->msr_areas = hvm_os_alloc_pages(HVM_PAGE_SIZE);
	vv->pml = hvm_os_alloc_pages(VMX_PML_ENTRIES * sizeof(*vv->pml));
	if (!vv->vmcs || !vv->virtual_apic || !vv->msr_areas || !vv->pml) {
		vmx_vmcs_destroy(vv);
		return -HVM_ENOMEM;
	}
	memcpy(vv->vmcs, &revision, sizeof(revision));
	vv->vmcs_hpa = hvm_os_hva_to_hpa(vv->vmcs);
	vmx_host_constant(vv);
	vmx_vmcs_controls(vv);
	vmx_vmcs_msr_areas(vv);
	return 0;
}

/* Active nowhere. */
void vmx_vmcs_destroy(struct vmx_vcpu *vv)
{
	hvm_os_free_pages(vv->vmcs, HVM_PAGE_SIZE);
	hvm_os_free_pages(vv->virtual_apic, HVM_PAGE_SIZE);
	hvm_os_free_pages(vv->msr_areas, HVM_PAGE_SIZE);
	hvm_os_free_pages(vv->pml, VMX_PML_ENTRIES * sizeof(*vv->pml));
	vv->vmcs = NULL;
}

void vmx_control(struct vmx_vcpu *vv, enum vmx_field word, uint32_t bits, bool on)
{
	uint64_t old = vmx_read(vv, word);

	vmx_write(vv, word, on ? old | bits : old & ~(uint64_t)bits);
}

/* -- translations ------------------------------------------------------------------------------ */

/* When all are used up, those given out are void: a new generation starts with an empty TLB. */
void vmx_next_vpid(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	if (!vmx_has(VMX_WORD_PROC2, VMX_PROC2_VPID))
		return;
	if (c->next_vpid >= VMX_VPIDS) {
		c->vpid_generation++;
		c->next_vpid = 1;
		vmx_do_invvpid(VMX_INV_ALL, 0);
	}
	vv->vpid = c->next_vpid++;
	vv->vpid_generation = c->vpid_generation;
	vmx_write(vv, VMX_VPID, vv->vpid);
}

void vmx_invept(uint64_t ept_pointer)
{
	vmx_do_invept(VMX_INV_SINGLE, ept_pointer);
}

void vmx_invvpid(uint32_t vpid)
{
	vmx_do_invvpid(VMX_INV_SINGLE, vpid);
}
