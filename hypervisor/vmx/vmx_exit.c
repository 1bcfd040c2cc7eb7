/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_exit.c - why the guest came back: one handler a reason.
 * Locking: the vcpu's thread, pinned, interrupts on. Handlers return VMX_*; 0: *ret is for ioemu;
 * negative: this domain is crashed. Source: Intel SDM Vol 3C ch. 25 "VMX Non-Root Operation",
 * Vol 3D App. C "VMX Basic Exit Reasons".
 */
#include "vmx/vmx.h"

#include "devices/chips.h"
#include "x86/ctlreg.h"
#include "x86/host.h"

int vmx_leave(struct vmx_vcpu *vv, struct hvm_exit *ret, enum hvm_exit_reason reason)
{
	*ret = (struct hvm_exit){ .reason = (uint32_t)reason, .rip = vmx_read(vv, VMX_GUEST_RIP) };
	return 0;
}

/* -- the current instruction ------------------------------------------------------------------- */

static void vmx_end_shadow(struct vmx_vcpu *vv)
{
	const uint64_t shadow = VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS;
	uint64_t blocked = vmx_read(vv, VMX_GUEST_INTERRUPTIBILITY);

	if (hvm_unlikely(blocked & shadow))
		vmx_write(vv, VMX_GUEST_INTERRUPTIBILITY, blocked & ~shadow);
}

int vmx_skip_bytes(struct vmx_vcpu *vv, unsigned int bytes)
{
	uint64_t rflags = vmx_read(vv, VMX_GUEST_RFLAGS);
	uint64_t rip = vmx_read(vv, VMX_GUEST_RIP) + bytes;

	if (hvm_unlikely(rip >> 32) && vmx_code_size(vv) != X86_CODE64)
		rip = (uint32_t)rip;
	vmx_write(vv, VMX_GUEST_RIP, rip);
	vmx_end_shadow(vv);
	if (hvm_likely(!(rflags & (X86_EFL_TF | X86_EFL_RF))))
		return HW_RESUME;
	vmx_write(vv, VMX_GUEST_RFLAGS, rflags & ~(uint64_t)X86_EFL_RF);
	/* The entry delivers it, and it exits again. */
	if (rflags & X86_EFL_TF)
		vmx_write(vv, VMX_GUEST_PENDING_DEBUG,
			  vmx_read(vv, VMX_GUEST_PENDING_DEBUG) | VMX_PENDING_BS);
	return HW_RESUME;
}

int vmx_skip(struct vmx_vcpu *vv)
{
	return vmx_skip_bytes(vv, (unsigned int)vmx_read(vv, VMX_EXIT_INSN_LEN));
}

static int vmx_exit_ud(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vmx_inject_exception(vv, X86_UD, -1);
	return HW_RESUME;
}

static int vmx_exit_gp(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vmx_inject_exception(vv, X86_GP, 0);
	return HW_RESUME;
}

/* The host has dealt with what it was when interrupts came back on. */
static int vmx_exit_host(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)vv;
	(void)ret;
	return HW_RESUME;
}

/* -- registers --------------------------------------------------------------------------------- */

/* From here to unpin the guest has its debug registers in hardware. */
static int vmx_exit_dr(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vmx_load_debug(vv);
	return HW_RESUME;
}

static int vmx_exit_xsetbv(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	uint64_t value = (uint32_t)vv->gpr[X86_RAX] | vv->gpr[X86_RDX] << 32;

	if (!(vmx_cr4(vv) & X86_CR4_OSXSAVE) || !vmx_host.features.has_xsave)
		return vmx_exit_ud(vv, ret);
	if (vmx_cpl(vv) || (uint32_t)vv->gpr[X86_RCX] ||
	    !x86_xcr0_write_ok(value, hvm_xcr0_allowed(vv->vcpu)))
		return vmx_exit_gp(vv, ret);
	vv->xcr0 = value;
	host_xsetbv(value);
	return vmx_skip(vv);
}

/* -- instructions ------------------------------------------------------------------------------ */

static int vmx_exit_cpuid(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	const struct hvm_cpuid_state s = {
		.paging = vmx_cr0(vv) & X86_CR0_PG,
		.osxsave = vmx_cr4(vv) & X86_CR4_OSXSAVE,
		.xcr0 = vv->xcr0,
	};
	uint32_t out[4];

	(void)ret;
	hvm_cpuid(vv->vcpu, &s, (uint32_t)vv->gpr[X86_RAX], (uint32_t)vv->gpr[X86_RCX], out);
	vv->gpr[X86_RAX] = out[0];
	vv->gpr[X86_RBX] = out[1];
	vv->gpr[X86_RCX] = out[2];
	vv->gpr[X86_RDX] = out[3];
	return vmx_skip(vv);
}

static int vmx_exit_hlt(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vv->vcpu->stats.hlt++;
	vmx_skip(vv);
	if (!(vmx_read(vv, VMX_GUEST_PENDING_DEBUG) & VMX_PENDING_BS))
		__atomic_store_n(&vv->vcpu->activity, HVM_ACTIVITY_HLT, __ATOMIC_SEQ_CST);
	return HW_CORE;
}

/* INVD, WBINVD: memory is coherent. */
static int vmx_exit_cache(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	return vmx_skip(vv);
}

/* The guest spins for something that another vcpu must do. */
static int vmx_exit_pause(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	vmx_skip(vv);
	return HW_YIELD;
}

static int vmx_exit_vmcall(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	if (!hvm_hypercall(vv->vcpu, vmx_cpl(vv), vmx_cr0(vv) & X86_CR0_PG, vv->gpr))
		return vmx_exit_ud(vv, ret);
	return vmx_skip(vv);
}

/* -- the rest ---------------------------------------------------------------------------------- */

static int vmx_exit_triple_fault(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	return vmx_leave(vv, ret, HVM_EXIT_SHUTDOWN);
}

/* -- dispatch ---------------------------------------------------------------------------------- */

typedef int (*vmx_exit_fn)(struct vmx_vcpu *vv, struct hvm_exit *ret);

/*
 * Control registers: bits that the guest may not change by itself, once in a while as it boots;
 * task switches: the same. One emulator knows all about either.
 */
static const vmx_exit_fn vmx_exits[VMX_REASON_COUNT] = {
	[VMX_REASON_EXCEPTION] = vmx_exit_exception,
	[VMX_REASON_INTR] = vmx_exit_host,
	[VMX_REASON_TRIPLE_FAULT] = vmx_exit_triple_fault,
	[VMX_REASON_INIT] = vmx_exit_host,
	[VMX_REASON_SIPI] = vmx_exit_host,
	[VMX_REASON_IO_SMI] = vmx_exit_host,
	[VMX_REASON_SMI] = vmx_exit_host,
	[VMX_REASON_INTR_WINDOW] = vmx_exit_intr_window,
	[VMX_REASON_NMI_WINDOW] = vmx_exit_nmi_window,
	[VMX_REASON_TASK_SWITCH] = vmx_emulate,
	[VMX_REASON_CPUID] = vmx_exit_cpuid,
	[VMX_REASON_GETSEC] = vmx_exit_ud,
	[VMX_REASON_HLT] = vmx_exit_hlt,
	[VMX_REASON_INVD] = vmx_exit_cache,
	[VMX_REASON_RDPMC] = vmx_exit_gp,
	[VMX_REASON_VMCALL] = vmx_exit_vmcall,
	[VMX_REASON_VMCLEAR... VMX_REASON_VMXON] = vmx_exit_ud,
	[VMX_REASON_CR] = vmx_emulate,
	[VMX_REASON_DR] = vmx_exit_dr,
	[VMX_REASON_IO] = vmx_exit_io,
	[VMX_REASON_RDMSR] = vmx_exit_rdmsr,
	[VMX_REASON_WRMSR] = vmx_exit_wrmsr,
	[VMX_REASON_MWAIT] = vmx_exit_ud,
	[VMX_REASON_MONITOR] = vmx_exit_ud,
	[VMX_REASON_PAUSE] = vmx_exit_pause,
	[VMX_REASON_TPR] = vmx_exit_tpr,
	[VMX_REASON_APIC_ACCESS] = vmx_exit_apic_access,
	[VMX_REASON_EOI] = vmx_exit_eoi,
	[VMX_REASON_EPT_VIOLATION] = vmx_exit_ept,
	[VMX_REASON_INVEPT] = vmx_exit_ud,
	[VMX_REASON_TIMER] = vmx_exit_host,
	[VMX_REASON_INVVPID] = vmx_exit_ud,
	[VMX_REASON_WBINVD] = vmx_exit_cache,
	[VMX_REASON_XSETBV] = vmx_exit_xsetbv,
	[VMX_REASON_APIC_WRITE] = vmx_exit_apic_write,
	[VMX_REASON_VMFUNC] = vmx_exit_ud,
	[VMX_REASON_PML_FULL] = vmx_exit_pml_full,
};

/* -- what ends the domain ---------------------------------------------------------------------- */

static void vmx_crash(struct vmx_vcpu *vv, const char *what)
{
	vmx_fields_sync(vv);
	hvm_domain_crash(
		vv->vcpu->domain,
		"vcpu %u: %s; rip %llx rflags %llx cr0 %llx cr3 %llx cr4 %llx efer %llx "
		"cs %llx/%llx",
		vv->vcpu->id, what, (unsigned long long)vmx_read(vv, VMX_GUEST_RIP),
		(unsigned long long)vmx_read(vv, VMX_GUEST_RFLAGS), (unsigned long long)vmx_cr0(vv),
		(unsigned long long)vmx_read(vv, VMX_GUEST_CR3), (unsigned long long)vmx_cr4(vv),
		(unsigned long long)vmx_read(vv, VMX_GUEST_EFER),
		(unsigned long long)vmx_read(vv, VMX_GUEST_CS_SELECTOR),
		(unsigned long long)vmx_read(vv, VMX_GUEST_CS_AR));
}

static int vmx_entry_failed(struct vmx_vcpu *vv, const char *what, uint64_t code)
{
	char rule[100], text[140];

	if (!vmx_check_entry(vv, rule, sizeof(rule)))
		hvm_os_format(rule, sizeof(rule), "qualification %llu",
			      (unsigned long long)vmx_read(vv, VMX_EXIT_QUALIFICATION));
	hvm_os_format(text, sizeof(text), "%s %llu: %s", what, (unsigned long long)code, rule);
	vmx_crash(vv, text);
	return HW_CORE;
}

int vmx_entry_refused(struct vmx_vcpu *vv)
{
	vv->valid[VMX_INSN_ERROR / 64] = 0;
	return vmx_entry_failed(vv, "VM entry refused, error", vmx_read(vv, VMX_INSN_ERROR));
}

static int vmx_exit_unknown(struct vmx_vcpu *vv, uint64_t reason)
{
	char text[80];

	hvm_os_format(text, sizeof(text), "unexpected exit %llu, qualification %llx",
		      (unsigned long long)reason,
		      (unsigned long long)vmx_read(vv, VMX_EXIT_QUALIFICATION));
	vmx_crash(vv, text);
	return HW_CORE;
}

int vmx_handle_exit(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	uint64_t reason = vmx_read(vv, VMX_EXIT_REASON);

	if (hvm_unlikely(reason & VMX_REASON_ENTRY_FAILED))
		return vmx_entry_failed(vv, "VM entry failed, reason", reason & 0xffff);
	reason &= 0xffff;
	if (reason >= VMX_REASON_COUNT || !vmx_exits[reason])
		return vmx_exit_unknown(vv, reason);
	return vmx_exits[reason](vv, ret);
}
