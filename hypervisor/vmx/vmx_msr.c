/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_msr.c - the MSR bitmap, RDMSR and WRMSR of what it does not let through, and the areas of
 * MSRs that the processor loads at entry and exit.
 * The bitmap is made once and the same for all domains; it is read-only from then on. The areas
 * are the vcpu's. Source: Intel SDM Vol 3C 24.6.9 "MSR-Bitmap Address", 24.7.2 "VM-Exit Controls
 * for MSRs", 26.4 "Loading MSRs".
 */
#include "vmx/vmx.h"

#include "x86/ctlreg.h"
#include "x86/host.h"

const uint32_t vmx_switched_msr[VMX_MSR_SWITCHED] = {
	[VMX_MSR_STAR] = 0xc0000081,
	[VMX_MSR_LSTAR] = 0xc0000082,
	[VMX_MSR_CSTAR] = 0xc0000083,
	[VMX_MSR_SFMASK] = 0xc0000084,
};

/* What the VMCS switches is the guest's own; so is the base that SWAPGS brings. */
static const uint32_t vmx_free_msrs[] = {
	0x174,	    0x175,	0x176,	    /* SYSENTER */
	0xc0000100, 0xc0000101, 0xc0000102, /* FS, GS, kernel GS base */
};

#define MSR_APIC_BASE 0x1bu

#define BITMAP_HIGH  0x400u /* MSRs from 0xc0000000 on */
#define BITMAP_WRITE 0x800u

static void vmx_bitmap_free(uint8_t *map, uint32_t index, bool write)
{
	unsigned int bit = index & 0x1fff;

	map += (index >= 0xc0000000u ? BITMAP_HIGH : 0) + (write ? BITMAP_WRITE : 0);
	map[bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

/* Writes of the registers for system calls are rare; then they need not be read back. */
int vmx_msr_bitmap_create(void)
{
	uint8_t *map = hvm_os_alloc_pages(HVM_PAGE_SIZE);

	if (!map)
		return -HVM_ENOMEM;
	memset(map, 0xff, HVM_PAGE_SIZE);
	for (size_t n = 0; n < HVM_ARRAY_SIZE(vmx_free_msrs); n++) {
		vmx_bitmap_free(map, vmx_free_msrs[n], false);
		vmx_bitmap_free(map, vmx_free_msrs[n], true);
	}
	for (size_t n = 0; n < HVM_ARRAY_SIZE(vmx_switched_msr); n++)
		vmx_bitmap_free(map, vmx_switched_msr[n], false);
	vmx_host.msr_bitmap = map;
	vmx_host.msr_bitmap_hpa = hvm_os_hva_to_hpa(map);
	return 0;
}

void vmx_msr_bitmap_destroy(void)
{
	hvm_os_free_pages(vmx_host.msr_bitmap, HVM_PAGE_SIZE);
	vmx_host.msr_bitmap = NULL;
}

/* -- areas ------------------------------------------------------------------------------------- */

static unsigned int vmx_area_find(const struct vmx_vcpu *vv, uint32_t index)
{
	unsigned int n = 0;

	while (n < vv->msr_count && vv->msr_areas->entry[n].index != index)
		n++;
	return n;
}

void vmx_switch_msr(struct vmx_vcpu *vv, uint32_t index, uint64_t guest, uint64_t host)
{
	struct vmx_msr_areas *a = vv->msr_areas;
	unsigned int n = vmx_area_find(vv, index);
	bool is_there = n < vv->msr_count;

	if (hvm_likely(guest == host && !is_there))
		return;
	if (guest == host) {
		vv->msr_count--;
		a->entry[n] = a->entry[vv->msr_count];
		a->exit[n] = a->exit[vv->msr_count];
	} else {
		if (n >= VMX_MSR_ENTRIES)
			return;
		a->entry[n] = (struct vmx_msr_entry){ .index = index, .value = guest };
		a->exit[n] = (struct vmx_msr_entry){ .index = index, .value = host };
		vv->msr_count += !is_there;
	}
	vmx_write(vv, VMX_ENTRY_MSR_LOADS, vv->msr_count);
	vmx_write(vv, VMX_EXIT_MSR_LOADS, vv->msr_count);
}

/* -- RDMSR, WRMSR ------------------------------------------------------------------------------ */

static int vmx_read_msr(struct vmx_vcpu *vv, uint32_t index, uint64_t *ret)
{
	switch (index) {
	case HOST_MSR_EFER: *ret = vmx_read(vv, VMX_GUEST_EFER); return 0;
	case HOST_MSR_TSC_AUX: *ret = vv->tsc_aux; return 0;
	}
	return hvm_msr_read(vv->vcpu, index, ret);
}

static int vmx_write_efer(struct vmx_vcpu *vv, uint64_t value)
{
	uint64_t old = vmx_read(vv, VMX_GUEST_EFER);
	const struct x86_ctlregs r = { .cr0 = vmx_cr0(vv),
				       .cr3 = vmx_read(vv, VMX_GUEST_CR3),
				       .cr4 = vmx_cr4(vv),
				       .efer = old };

	if (!x86_efer_write_ok(&r, value))
		return -HVM_EINVAL;
	value = (value & ~(uint64_t)X86_EFER_LMA) | (old & X86_EFER_LMA);
	if ((value ^ old) & X86_EFER_NXE)
		__atomic_store_n(&vv->flush_linear, 1, __ATOMIC_SEQ_CST);
	vmx_set_efer(vv, value);
	return 0;
}

static int vmx_write_tsc_aux(struct vmx_vcpu *vv, uint64_t value)
{
	if (value >> 32)
		return -HVM_EINVAL;
	vv->tsc_aux = value;
	if (vmx_host.features.has_tsc_aux)
		host_wrmsr(HOST_MSR_TSC_AUX, value);
	return 0;
}

/* Would the processor take @value? If not, writing it would fault here. */
bool vmx_switched_ok(enum vmx_switched_msr n, uint64_t value)
{
	switch (n) {
	case VMX_MSR_LSTAR:
	case VMX_MSR_CSTAR: return vmx_is_canonical(value);
	case VMX_MSR_SFMASK: return !(value >> 32);
	case VMX_MSR_STAR:
	case VMX_MSR_SWITCHED: break;
	}
	return true;
}

/* Loaded already, for the thread is pinned. */
static int vmx_write_switched(struct vmx_vcpu *vv, enum vmx_switched_msr n, uint64_t value)
{
	if (!vmx_switched_ok(n, value))
		return -HVM_EINVAL;
	vv->msr[n] = value;
	host_wrmsr(vmx_switched_msr[n], value);
	return 0;
}

static int vmx_write_msr(struct vmx_vcpu *vv, uint32_t index, uint64_t value)
{
	int rc;

	if (index == HOST_MSR_EFER)
		return vmx_write_efer(vv, value);
	if (index == HOST_MSR_TSC_AUX)
		return vmx_write_tsc_aux(vv, value);
	for (unsigned int n = 0; n < VMX_MSR_SWITCHED; n++) {
		if (vmx_switched_msr[n] == index)
			return vmx_write_switched(vv, n, value);
	}
	if (index == MSR_APIC_BASE)
		vv->apic_filled = false;
	rc = hvm_msr_write(vv->vcpu, index, value);
	if (!rc && index == HOST_MSR_PRED_CMD && (value & 1) && vmx_host.features.has_ibpb)
		host_wrmsr(HOST_MSR_PRED_CMD, 1);
	return rc;
}

/* The processor has checked CPL. */
int vmx_exit_rdmsr(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	uint64_t value = 0;

	(void)ret;
	if (vmx_read_msr(vv, (uint32_t)vv->gpr[X86_RCX], &value)) {
		vmx_inject_exception(vv, X86_GP, 0);
		return HW_RESUME;
	}
	vv->gpr[X86_RAX] = (uint32_t)value;
	vv->gpr[X86_RDX] = value >> 32;
	return vmx_skip(vv);
}

int vmx_exit_wrmsr(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	uint64_t value = (uint32_t)vv->gpr[X86_RAX] | vv->gpr[X86_RDX] << 32;

	(void)ret;
	if (vmx_write_msr(vv, (uint32_t)vv->gpr[X86_RCX], value)) {
		vmx_inject_exception(vv, X86_GP, 0);
		return HW_RESUME;
	}
	return vmx_skip(vv);
}
