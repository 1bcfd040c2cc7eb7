/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_apic.c - the guest's LAPIC in the processor's hands: task priority always; registers,
 * requests and ends of interrupts where it offers to (APIC-register virtualization,
 * virtual-interrupt delivery) and the guest reaches its LAPIC in memory. Then neither reading a
 * register, nor ending an interrupt, nor waiting for the guest to take one needs an exit.
 *
 * The page at the LAPIC's address is a page of the domain: its address tells the processor which
 * accesses to virtualize, what it holds does not matter. Locking: the vcpu's thread. Saved: with
 * the LAPIC (devices/vlapic_hw.c). Source: Intel SDM Vol 3C ch. 29 "APIC Virtualization and Virtual
 * Interrupts".
 */
#include "vmx/vmx.h"

#include "devices/chips.h"

#define ACCESS_OFFSET(q) ((q)&0xfff)
#define ACCESS_TYPE(q)	 ((unsigned int)((q) >> 12) & 15)
#define ACCESS_READ	 0u /* by an instruction, through a linear address */
#define ACCESS_WRITE	 1u

bool vmx_apic_offered(void)
{
	return vmx_has(VMX_WORD_PROC2, VMX_PROC2_APICV);
}

/* -- around an entry. Interrupts off ------------------------------------------------------------
 */

static void vmx_apic_switch(struct vmx_vcpu *vv, bool on)
{
	vv->apic_on = on;
	vv->apic_filled = false;
	vmx_control(vv, VMX_PROC2_CONTROLS, VMX_PROC2_APICV, on);
	if (on)
		vmx_control(vv, VMX_PROC_CONTROLS, VMX_PROC_INTR_WINDOW, false);
}

static void vmx_apic_lend(struct vmx_vcpu *vv)
{
	struct vlapic_hw hw;

	if (!vv->apic_filled)
		vlapic_hw_fill(vv->vcpu, vv->virtual_apic);
	vv->apic_filled = true;
	vmx_write(vv, VMX_TPR_THRESHOLD, 0);
	if (hvm_likely(vv->apic_idle && vlapic_hw_is_idle(vv->vcpu))) {
		vlapic_hw_lend_idle(vv->vcpu, vv->virtual_apic);
		return;
	}
	vlapic_hw_lend(vv->vcpu, vv->virtual_apic, &hw);
	vmx_write(vv, VMX_GUEST_INTR_STATUS, (uint64_t)hw.in_service << 8 | hw.requested);
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(hw.eoi_exit); n++)
		vmx_write(vv, VMX_EOI_EXIT0 + n, hw.eoi_exit[n]);
}

/* CR8 is the guest's own, without exits, unless an interrupt waits for it to be lowered. */
static void vmx_sync_tpr(struct vmx_vcpu *vv)
{
	uint64_t tpr = vlapic_cr8_read(vv->vcpu);

	vv->virtual_apic[VMX_TPR_OFFSET] = (uint8_t)(tpr << 4);
	vmx_write(vv, VMX_TPR_THRESHOLD, tpr && vlapic_waits_for_tpr(vv->vcpu) ? tpr : 0);
}

void vmx_prepare_apic(struct vmx_vcpu *vv)
{
	bool on = vmx_apic_offered() && vlapic_hw_usable(vv->vcpu);

	if (hvm_unlikely(on != vv->apic_on))
		vmx_apic_switch(vv, on);
	if (on)
		vmx_apic_lend(vv);
	else
		vmx_sync_tpr(vv);
}

void vmx_collect_apic(struct vmx_vcpu *vv)
{
	uint64_t tpr = vv->virtual_apic[VMX_TPR_OFFSET] >> 4;

	/* The highest vectors of the page: none requested, none in service. */
	vv->apic_idle = vv->apic_on && !(uint16_t)vmx_read(vv, VMX_GUEST_INTR_STATUS);
	if (hvm_likely(vv->apic_idle))
		vlapic_hw_take_back_idle(vv->vcpu, vv->virtual_apic);
	else if (vv->apic_on)
		vlapic_hw_take_back(vv->vcpu, vv->virtual_apic);
	else if (tpr != vlapic_cr8_read(vv->vcpu))
		vlapic_cr8_write(vv->vcpu, tpr);
}

/* The PIC's interrupts are still ours to deliver. */
bool vmx_apic_needs_window(struct vmx_vcpu *vv)
{
	return !vv->apic_on || (vlapic_accepts_pic(vv->vcpu) && vpic_has_intr(vv->vcpu->domain));
}

/* -- exits ---------------------------------------------------------------------------------------
 */

/* An interrupt that waited for CR8 may be taken now. */
int vmx_exit_tpr(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)vv;
	(void)ret;
	return HW_CORE;
}

/* A register that the processor does not know to read: the timer's count. */
int vmx_exit_apic_access(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	uint64_t q = vmx_read(vv, VMX_EXIT_QUALIFICATION);

	vv->apic_filled = false;
	if (ACCESS_TYPE(q) != ACCESS_READ && ACCESS_TYPE(q) != ACCESS_WRITE)
		return vmx_emulate(vv, ret);
	return vmx_device_memory(vv, HVM_LAPIC_BASE + ACCESS_OFFSET(q), ret);
}

/* The instruction is done; what it wrote is in the page. */
int vmx_exit_apic_write(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vlapic_hw_written(vv->vcpu, vv->virtual_apic,
			  (unsigned int)ACCESS_OFFSET(vmx_read(vv, VMX_EXIT_QUALIFICATION)));
	return HW_RESUME;
}

int vmx_exit_eoi(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vlapic_hw_eoi(vv->vcpu, (uint8_t)vmx_read(vv, VMX_EXIT_QUALIFICATION));
	return HW_RESUME;
}

int vmx_map_apic(struct vmx_vcpu *vv, gpa_t gpa)
{
	if (!vv->apic_on || (gpa & HVM_PAGE_MASK) != HVM_LAPIC_BASE)
		return -HVM_EFAULT;
	return npt_map_device(&vv->domain->ept, &vv->vcpu->domain->p2m, &vv->hw.npt_cache, gpa,
			      vv->domain->apic_hpa);
}
