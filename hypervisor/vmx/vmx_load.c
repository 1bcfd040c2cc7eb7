/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_load.c - the registers that VM entry and exit leave alone, or leave changed: what is switched
 * once while the thread is pinned, and what at each entry.
 * Locking: the vcpu's thread, pinned. Not saved.
 * Source: Intel SDM Vol 3C 27.5 "Loading Host State", 26.3.2 "Loading Guest State".
 */
#include "vmx/vmx.h"

#include "x86/host.h"

#define DR7_ACTIVE 0xffu

#define MSR_FLUSH_CMD	   0x10bu
#define MSR_SYSENTER_CS	   0x174u
#define MSR_SYSENTER_ESP   0x175u
#define MSR_SYSENTER_EIP   0x176u
#define MSR_DEBUGCTL	   0x1d9u
#define MSR_FS_BASE	   0xc0000100u
#define MSR_GS_BASE	   0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define SELECTOR_LDT 4u

/* -- debug registers --------------------------------------------------------------------------- */

static void vmx_set_debug(const uint64_t dr[4])
{
	host_set_dr0(dr[0]);
	host_set_dr1(dr[1]);
	host_set_dr2(dr[2]);
	host_set_dr3(dr[3]);
}

static void vmx_get_debug(uint64_t dr[4])
{
	dr[0] = host_dr0();
	dr[1] = host_dr1();
	dr[2] = host_dr2();
	dr[3] = host_dr3();
}

static bool vmx_host_debugs(const struct vmx_vcpu *vv)
{
	return vv->host.dr7 & DR7_ACTIVE;
}

void vmx_load_debug(struct vmx_vcpu *vv)
{
	if (vv->dr_loaded)
		return;
	vv->dr_loaded = true;
	vmx_control(vv, VMX_PROC_CONTROLS, VMX_PROC_MOV_DR, false);
	if (vmx_host_debugs(vv))
		return;
	vmx_set_debug(vv->dr);
	host_set_dr6(vv->dr6);
}

static void vmx_unload_debug(struct vmx_vcpu *vv)
{
	if (!vv->dr_loaded)
		return;
	vv->dr_loaded = false;
	vmx_control(vv, VMX_PROC_CONTROLS, VMX_PROC_MOV_DR, true);
	if (vmx_host_debugs(vv))
		return;
	vmx_get_debug(vv->dr);
	vv->dr6 = host_dr6();
	host_set_dr6(vv->host.dr6);
}

/* The host has breakpoints: its registers hold them whenever the guest does not run. */
static void vmx_enter_debug(struct vmx_vcpu *vv)
{
	host_set_dr7(0);
	if (!vv->dr_loaded)
		return;
	vmx_set_debug(vv->dr);
	host_set_dr6(vv->dr6);
}

static void vmx_leave_debug(struct vmx_vcpu *vv)
{
	if (vv->dr_loaded) {
		vmx_get_debug(vv->dr);
		vv->dr6 = host_dr6();
		vmx_set_debug(vv->host.dr);
	}
	host_set_dr6(vv->host.dr6);
	host_set_dr7(vv->host.dr7);
}

/* -- segments ---------------------------------------------------------------------------------- */

#define VMX_SELECTOR(name) \
	static uint16_t vmx_get_##name(void) \
	{ \
		uint16_t s; \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(s)); \
		return s; \
	}
VMX_SELECTOR(cs)
VMX_SELECTOR(ss)
VMX_SELECTOR(ds)
VMX_SELECTOR(es)
VMX_SELECTOR(fs)
VMX_SELECTOR(gs)
#undef VMX_SELECTOR

static uint16_t vmx_get_tr(void)
{
	uint16_t s;

	__asm__("str %0" : "=r"(s));
	return s;
}

/* What is the same on every CPU and at every entry. */
void vmx_host_constant(struct vmx_vcpu *vv)
{
	vmx_write(vv, VMX_HOST_CS_SELECTOR, vmx_get_cs());
	vmx_write(vv, VMX_HOST_SS_SELECTOR, vmx_get_ss());
	vmx_write(vv, VMX_HOST_TR_SELECTOR, vmx_get_tr());
	vmx_write(vv, VMX_HOST_DS_SELECTOR, 0);
	vmx_write(vv, VMX_HOST_ES_SELECTOR, 0);
	vmx_write(vv, VMX_HOST_FS_SELECTOR, 0);
	vmx_write(vv, VMX_HOST_GS_SELECTOR, 0);
	vmx_write(vv, VMX_HOST_EFER, host_rdmsr(HOST_MSR_EFER));
	vmx_write(vv, VMX_HOST_SYSENTER_CS, (uint32_t)host_rdmsr(MSR_SYSENTER_CS));
	vmx_write(vv, VMX_HOST_SYSENTER_EIP, host_rdmsr(MSR_SYSENTER_EIP));
	vmx_write(vv, VMX_HOST_RIP, (uintptr_t)vmx_exit_point);
}

/* A descriptor of 64-bit mode: the base is scattered over two entries. */
static uint64_t vmx_tr_base(uint64_t gdt, uint16_t selector)
{
	uint64_t low, high;

	memcpy(&low, (const void *)(uintptr_t)(gdt + (selector & ~7u)), sizeof(low));
	memcpy(&high, (const void *)(uintptr_t)(gdt + (selector & ~7u) + 8), sizeof(high));
	return (low >> 16 & 0xffffff) | (low >> 32 & 0xff000000) | high << 32;
}

/* What differs from CPU to CPU. */
static void vmx_host_cpu(struct vmx_vcpu *vv)
{
	uint16_t tr = (uint16_t)vv->value[VMX_HOST_TR_SELECTOR];

	vmx_write(vv, VMX_HOST_GS_BASE, host_rdmsr(MSR_GS_BASE));
	vmx_write(vv, VMX_HOST_TR_BASE, vmx_tr_base(vv->host.gdt.base, tr));
	vmx_write(vv, VMX_HOST_GDTR_BASE, vv->host.gdt.base);
	vmx_write(vv, VMX_HOST_IDTR_BASE, vv->host.idt.base);
	vmx_write(vv, VMX_HOST_SYSENTER_ESP, host_rdmsr(MSR_SYSENTER_ESP));
}

/*
 * A VM exit leaves null selectors here. Those of the calling thread are loaded again later; a
 * selector of its LDT could have become invalid until then, and fault in the kernel.
 */
static int vmx_load_segments(struct vmx_vcpu *vv)
{
	__asm__ volatile("sgdt %0" : "=m"(vv->host.gdt));
	__asm__ volatile("sidt %0" : "=m"(vv->host.idt));
	vv->host.ds = vmx_get_ds();
	vv->host.es = vmx_get_es();
	vv->host.fs = vmx_get_fs();
	vv->host.gs = vmx_get_gs();
	if ((vv->host.ds | vv->host.es | vv->host.fs | vv->host.gs) & SELECTOR_LDT)
		return -HVM_EPERM;
	vv->host.fs_base = host_rdmsr(MSR_FS_BASE);
	vmx_write(vv, VMX_HOST_FS_BASE, vv->host.fs_base);
	return 0;
}

/* The kernel's own base of GS must be put aside meanwhile; the thread's comes from an MSR again. */
static void vmx_set_gs(const struct vmx_vcpu *vv)
{
	uint32_t selector = vv->host.gs;

	hvm_os_irq_disable();
	__asm__ volatile("swapgs\n\tmov %0, %%gs\n\tswapgs" : : "r"(selector) : "memory");
	hvm_os_irq_enable();
	host_wrmsr(MSR_KERNEL_GS_BASE, vv->host.kernel_gs_base);
}

/* And the limits of the descriptor tables are as large as can be. */
static void vmx_unload_segments(struct vmx_vcpu *vv)
{
	__asm__ volatile("lgdt %0" : : "m"(vv->host.gdt));
	__asm__ volatile("lidt %0" : : "m"(vv->host.idt));
	if (vv->host.ds)
		__asm__ volatile("mov %0, %%ds" : : "r"((uint32_t)vv->host.ds) : "memory");
	if (vv->host.es)
		__asm__ volatile("mov %0, %%es" : : "r"((uint32_t)vv->host.es) : "memory");
	if (vv->host.fs) {
		__asm__ volatile("mov %0, %%fs" : : "r"((uint32_t)vv->host.fs) : "memory");
		host_wrmsr(MSR_FS_BASE, vv->host.fs_base);
	}
	if (vv->host.gs)
		vmx_set_gs(vv);
}

/* -- pinned ------------------------------------------------------------------------------------ */

static void vmx_load_msrs(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	const struct vmx_features *f = &vmx_host.features;

	for (unsigned int i = 0; i < VMX_MSR_SWITCHED; i++) {
		if (vv->msr[i] != c->host_msr[i])
			host_wrmsr(vmx_switched_msr[i], vv->msr[i]);
	}
	vv->host.kernel_gs_base = host_rdmsr(MSR_KERNEL_GS_BASE);
	host_wrmsr(MSR_KERNEL_GS_BASE, vv->kernel_gs_base);
	if (f->has_tsc_aux) {
		vv->host.tsc_aux = host_rdmsr(HOST_MSR_TSC_AUX);
		if (vv->host.tsc_aux != vv->tsc_aux)
			host_wrmsr(HOST_MSR_TSC_AUX, vv->tsc_aux);
	}
	if (f->has_xss) {
		vv->host.xss = host_rdmsr(HOST_MSR_XSS);
		if (vv->host.xss)
			host_wrmsr(HOST_MSR_XSS, 0);
	}
	if (f->has_spec_ctrl)
		vv->host.spec_ctrl = host_rdmsr(HOST_MSR_SPEC_CTRL);
	vv->host.debugctl = host_rdmsr(MSR_DEBUGCTL);
}

static void vmx_unload_msrs(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	const struct vmx_features *f = &vmx_host.features;

	for (unsigned int i = 0; i < VMX_MSR_SWITCHED; i++) {
		if (vv->msr[i] != c->host_msr[i])
			host_wrmsr(vmx_switched_msr[i], c->host_msr[i]);
	}
	vv->kernel_gs_base = host_rdmsr(MSR_KERNEL_GS_BASE);
	host_wrmsr(MSR_KERNEL_GS_BASE, vv->host.kernel_gs_base);
	if (f->has_tsc_aux && vv->host.tsc_aux != vv->tsc_aux)
		host_wrmsr(HOST_MSR_TSC_AUX, vv->host.tsc_aux);
	if (f->has_xss && vv->host.xss)
		host_wrmsr(HOST_MSR_XSS, vv->host.xss);
}

static void vmx_load_fpu(struct vmx_vcpu *vv)
{
	hvm_os_fpu_begin();
	hw_put_fpu(vv->vcpu, vv->fpu);
	if (!vmx_host.features.has_xsave)
		return;
	vv->host.xcr0 = host_xgetbv();
	if (vv->host.xcr0 != vv->xcr0)
		host_xsetbv(vv->xcr0);
}

static void vmx_unload_fpu(struct vmx_vcpu *vv)
{
	if (vmx_host.features.has_xsave && vv->host.xcr0 != vv->xcr0)
		host_xsetbv(vv->host.xcr0);
	hw_take_fpu(vv->vcpu, vv->fpu);
	hvm_os_fpu_end();
}

/*
 * The first data cache holds nothing of the host's any more: by command, or by reading so much else
 * that it must have gone. The translations of that come first, for walking tables fills the cache,
 * too. Source: Intel "L1 Terminal Fault", "Mitigating L1TF in virtual machine monitors".
 */
static void vmx_flush_l1d(void)
{
	const volatile uint8_t *fill = vmx_host.l1d_fill;

	if (vmx_host.features.has_flush_l1d) {
		host_wrmsr(MSR_FLUSH_CMD, 1);
		return;
	}
	for (unsigned int at = 0; at < VMX_L1D_BYTES; at += HVM_PAGE_SIZE)
		(void)fill[at];
	__asm__ volatile("lfence" : : : "memory");
	for (unsigned int at = 0; at < VMX_L1D_BYTES; at += 64)
		(void)fill[at];
	__asm__ volatile("lfence" : : : "memory");
}

/* What other guests, and the host since the last run, have left behind in the processor. */
static void vmx_load_barriers(struct vmx_vcpu *vv, struct vmx_cpu *c)
{
	if (c->last_domain != vv->domain->id) {
		if (vmx_host.features.has_ibpb)
			host_wrmsr(HOST_MSR_PRED_CMD, 1);
		c->last_domain = vv->domain->id;
	}
	if (vmx_host.features.must_flush_l1d)
		vmx_flush_l1d();
}

int vmx_load(struct vmx_vcpu *vv, struct vmx_cpu *c, unsigned int cpu)
{
	int rc = vmx_load_segments(vv);

	if (rc)
		return rc;
	vmx_host_cpu(vv);
	/* Guest physical translations of this domain may be old here, whatever the VPID. */
	if (vv->last_cpu != cpu) {
		vv->last_cpu = cpu;
		vv->vpid_generation = 0;
		hw_flush(&vv->hw);
	}
	vmx_load_barriers(vv, c);
	vmx_load_msrs(vv, c);
	vmx_load_fpu(vv);
	vv->host.dr7 = host_dr7();
	vv->host.dr6 = host_dr6();
	if (vmx_host_debugs(vv))
		vmx_get_debug(vv->host.dr);
	if (vmx_read(vv, VMX_GUEST_DR7) & DR7_ACTIVE)
		vmx_load_debug(vv);
	return 0;
}

void vmx_put(struct vmx_vcpu *vv)
{
	/* The core asks for these first; here they come cheap. */
	(void)vmx_read(vv, VMX_GUEST_RIP);
	(void)vmx_read(vv, VMX_GUEST_RFLAGS);
	(void)vmx_read(vv, VMX_GUEST_INTERRUPTIBILITY);
	vmx_unload_debug(vv);
	vmx_unload_fpu(vv);
	vmx_unload_msrs(vv, vmx_host.cpu[vv->last_cpu]);
	vmx_unload_segments(vv);
}

/* -- one entry --------------------------------------------------------------------------------- */

static uint64_t vmx_host_cr3(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static uint64_t vmx_host_cr0(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static uint64_t vmx_get_cr2(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

/* Any operand does; what it clears is not architectural. */
static void vmx_clear_buffers(struct vmx_vcpu *vv)
{
	const uint16_t selector = (uint16_t)vv->value[VMX_HOST_SS_SELECTOR];

	__asm__ volatile("verw %0" : : "m"(selector) : "cc");
}

void vmx_enter_host(struct vmx_vcpu *vv)
{
	uint64_t spec_ctrl = vv->vcpu->msr_spec_ctrl;

	vmx_write(vv, VMX_HOST_CR0, vmx_host_cr0());
	vmx_write(vv, VMX_HOST_CR3, vmx_host_cr3());
	vmx_write(vv, VMX_HOST_CR4, host_cr4());
	if (vmx_host.features.has_spec_ctrl)
		vmx_switch_msr(vv, HOST_MSR_SPEC_CTRL, spec_ctrl, vv->host.spec_ctrl);
	if (hvm_unlikely(vmx_host_debugs(vv)))
		vmx_enter_debug(vv);
	if (vmx_get_cr2() != vv->cr2)
		__asm__ volatile("mov %0, %%cr2" : : "r"(vv->cr2));
	if (vmx_host.features.must_clear_buffers)
		vmx_clear_buffers(vv);
}

void vmx_leave_host(struct vmx_vcpu *vv)
{
	vv->cr2 = vmx_get_cr2();
	if (hvm_unlikely(vmx_host_debugs(vv)))
		vmx_leave_debug(vv);
	if (hvm_unlikely(vv->host.debugctl))
		host_wrmsr(MSR_DEBUGCTL, vv->host.debugctl);
}
