/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_state.c - a vcpu's state between struct hvm_vcpu_state and the VMCS.
 * Locking: the vcpu's thread, or the vcpu does not run. Source: Intel SDM Vol 3C 24.4 "Guest-State
 * Area", 26.3.1 "Checks on the Guest State Area".
 */
#include "vmx/vmx.h"

#include "devices/chips.h"
#include "x86/ctlreg.h"

/* -- control registers ------------------------------------------------------------------------- */

/*
 * CR0 bits that the guest reads and writes without us. NE must be set in VMX operation, CD and NW
 * are kept clear, for memory is coherent; PG changes more than itself.
 */
#define VMX_CR0_FREE \
	((uint64_t)(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_WP | X86_CR0_AM))

/* Always set: a machine check in a guest without it would shut the processor down. */
#define VMX_CR4_HELD ((uint64_t)X86_CR4_MCE)

/* Bits of the mask are read from the shadow, the others from the register. */
uint64_t vmx_cr0(struct vmx_vcpu *vv)
{
	uint64_t mask = vmx_read(vv, VMX_CR0_MASK);

	return (vmx_read(vv, VMX_CR0_SHADOW) & mask) | (vmx_read(vv, VMX_GUEST_CR0) & ~mask);
}

uint64_t vmx_cr4(struct vmx_vcpu *vv)
{
	uint64_t mask = vmx_read(vv, VMX_CR4_MASK);

	return (vmx_read(vv, VMX_CR4_SHADOW) & mask) | (vmx_read(vv, VMX_GUEST_CR4) & ~mask);
}

static void vmx_set_cr0(struct vmx_vcpu *vv, uint64_t cr0)
{
	const struct vmx_features *f = &vmx_host.features;
	/* An unrestricted guest may run without these. */
	const uint64_t need = f->cr0_fixed0 & ~(uint64_t)(X86_CR0_PE | X86_CR0_PG);
	uint64_t real = (cr0 & ~(uint64_t)(X86_CR0_CD | X86_CR0_NW)) | need;

	vmx_write(vv, VMX_CR0_SHADOW, cr0);
	vmx_write(vv, VMX_GUEST_CR0, real & f->cr0_fixed1);
}

static void vmx_set_cr4(struct vmx_vcpu *vv, uint64_t cr4)
{
	const struct vmx_features *f = &vmx_host.features;

	vmx_write(vv, VMX_CR4_SHADOW, cr4);
	vmx_write(vv, VMX_GUEST_CR4, (cr4 | f->cr4_fixed0 | VMX_CR4_HELD) & f->cr4_fixed1);
}

void vmx_set_efer(struct vmx_vcpu *vv, uint64_t efer)
{
	vmx_write(vv, VMX_GUEST_EFER, efer);
	vmx_control(vv, VMX_ENTRY_CONTROLS, VMX_ENTRY_IA32E, efer & X86_EFER_LMA);
	if (!vmx_has(VMX_WORD_ENTRY, VMX_ENTRY_LOAD_EFER))
		vmx_switch_msr(vv, 0xc0000080u, efer, vmx_read(vv, VMX_HOST_EFER));
}

/* Before the first entry, when there is a LAPIC for CPUID to ask. */
void vmx_get_ready(struct vmx_vcpu *vv)
{
	const struct hvm_cpuid_state s = { .paging = true };
	uint32_t leaf1[4], leaf7[4];

	if (vv->ready)
		return;
	vv->ready = true;
	hvm_cpuid(vv->vcpu, &s, 1, 0, leaf1);
	hvm_cpuid(vv->vcpu, &s, 7, 0, leaf7);
	vv->cr4_allowed = x86_cr4_allowed(leaf1, leaf7);
	/* What the masks newly leave to the guest is the same in the shadow and the register. */
	vmx_write(vv, VMX_CR0_MASK, ~VMX_CR0_FREE);
	vmx_write(vv, VMX_CR4_MASK,
		  ~(vv->cr4_allowed & vmx_host.features.cr4_fixed1 & ~VMX_CR4_HELD));
}

unsigned int vmx_cpl(struct vmx_vcpu *vv)
{
	return (unsigned int)(vmx_read(vv, VMX_GUEST_SS_AR) & HVM_AR_DPL_MASK) >> HVM_AR_DPL_SHIFT;
}

struct guest_paging vmx_paging(struct vmx_vcpu *vv)
{
	return (struct guest_paging){ .cr0 = vmx_cr0(vv),
				      .cr3 = vmx_read(vv, VMX_GUEST_CR3),
				      .cr4 = vmx_cr4(vv),
				      .efer = vmx_read(vv, VMX_GUEST_EFER),
				      .cpl = vmx_cpl(vv) };
}

enum x86_code_size vmx_code_size(struct vmx_vcpu *vv)
{
	uint64_t ar = vmx_read(vv, VMX_GUEST_CS_AR);

	if ((ar & HVM_AR_L) && (vmx_read(vv, VMX_GUEST_EFER) & X86_EFER_LMA))
		return X86_CODE64;
	return ar & HVM_AR_DB ? X86_CODE32 : X86_CODE16;
}

int vmx_translate(struct vcpu *v, gva_t gva, gpa_t *ret)
{
	struct guest_paging g = vmx_paging(vmx_vcpu(v));

	/* For others' eyes: whatever is mapped. */
	g.cpl = 0;
	return guest_translate(v, &g, gva, WALK_AC, ret);
}

/* -- segments ---------------------------------------------------------------------------------- */

static void vmx_store_segments(struct vmx_vcpu *vv, struct hvm_vcpu_state *ret)
{
	for (unsigned int n = 0; n < HVM_SEG_COUNT; n++) {
		struct hvm_seg *s = &ret->seg[n];

		s->sel = (uint16_t)vmx_read(vv, VMX_GUEST_ES_SELECTOR + n);
		s->limit = (uint32_t)vmx_read(vv, VMX_GUEST_ES_LIMIT + n);
		s->base = vmx_read(vv, VMX_GUEST_ES_BASE + n);
		s->ar = (uint32_t)vmx_read(vv, VMX_GUEST_ES_AR + n);
		/* CPL is SS.DPL, also of an SS that is not usable. */
		if (s->ar & HVM_AR_UNUSABLE)
			s->ar = HVM_AR_UNUSABLE | (n == HVM_SEG_SS ? s->ar & HVM_AR_DPL_MASK : 0);
	}
	ret->gdtr.base = vmx_read(vv, VMX_GUEST_GDTR_BASE);
	ret->gdtr.limit = (uint16_t)vmx_read(vv, VMX_GUEST_GDTR_LIMIT);
	ret->idtr.base = vmx_read(vv, VMX_GUEST_IDTR_BASE);
	ret->idtr.limit = (uint16_t)vmx_read(vv, VMX_GUEST_IDTR_LIMIT);
}

#define VMX_AR_BITS 0x1f0ffu
#define VMX_AR_BUSY 2u

/*
 * VM entry is strict where the processor itself is not: a data or code segment has been accessed,
 * the granularity bit is one that the limit can have, the task register's segment is busy.
 */
static uint32_t vmx_ar_from(const struct hvm_seg *s, unsigned int n)
{
	uint32_t ar = s->ar & VMX_AR_BITS;

	if (ar & HVM_AR_UNUSABLE)
		return n == HVM_SEG_SS ? ar : HVM_AR_UNUSABLE;
	if (n < HVM_SEG_LDTR)
		ar |= HVM_AR_ACCESSED;
	if (n == HVM_SEG_TR)
		ar |= VMX_AR_BUSY;
	if ((s->limit & 0xfff) != 0xfff)
		ar &= ~HVM_AR_G;
	else if (s->limit >> 20)
		ar |= HVM_AR_G;
	return ar;
}

static void vmx_load_segments(struct vmx_vcpu *vv, const struct hvm_vcpu_state *s)
{
	for (unsigned int n = 0; n < HVM_SEG_COUNT; n++) {
		const struct hvm_seg *seg = &s->seg[n];

		vmx_write(vv, VMX_GUEST_ES_SELECTOR + n, seg->sel);
		vmx_write(vv, VMX_GUEST_ES_LIMIT + n, seg->limit);
		vmx_write(vv, VMX_GUEST_ES_BASE + n, seg->base);
		vmx_write(vv, VMX_GUEST_ES_AR + n, vmx_ar_from(seg, n));
	}
	vmx_write(vv, VMX_GUEST_GDTR_BASE, s->gdtr.base);
	vmx_write(vv, VMX_GUEST_GDTR_LIMIT, s->gdtr.limit);
	vmx_write(vv, VMX_GUEST_IDTR_BASE, s->idtr.base);
	vmx_write(vv, VMX_GUEST_IDTR_LIMIT, s->idtr.limit);
}

/* -- store ------------------------------------------------------------------------------------- */

static bool vmx_is_pae(const struct hvm_vcpu_state *s)
{
	return (s->cr0 & X86_CR0_PG) && (s->cr4 & X86_CR4_PAE) && !(s->efer & X86_EFER_LMA);
}

static void vmx_store_shadow(struct vmx_vcpu *vv, struct hvm_vcpu_state *ret)
{
	uint64_t blocked = vmx_read(vv, VMX_GUEST_INTERRUPTIBILITY);

	ret->intr_shadow = 0;
	if (blocked & VMX_BLOCKED_STI)
		ret->intr_shadow |= HVM_INTR_SHADOW_STI;
	if (blocked & VMX_BLOCKED_MOV_SS)
		ret->intr_shadow |= HVM_INTR_SHADOW_MOV_SS;
	if (blocked & VMX_BLOCKED_NMI)
		ret->intr_shadow |= HVM_INTR_SHADOW_NMI;
}

/* Fields of the VMCS and of struct hvm_vcpu_state that mean the same. */
/* clang-format off */
#define VMX_SAME_FIELDS(M) \
	M(rip, GUEST_RIP) M(rflags, GUEST_RFLAGS) M(cr3, GUEST_CR3) M(dr7, GUEST_DR7) \
	M(sysenter_cs, GUEST_SYSENTER_CS) M(sysenter_esp, GUEST_SYSENTER_ESP) \
	M(sysenter_eip, GUEST_SYSENTER_EIP)
#define VMX_SAME_MSRS(M) M(star, STAR) M(lstar, LSTAR) M(cstar, CSTAR) M(sfmask, SFMASK)
/* clang-format on */

void vmx_store_state(struct vcpu *v, struct hvm_vcpu_state *ret)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);

	vmx_fields_sync(vv);
	memcpy(ret->gpr, vv->gpr, sizeof(ret->gpr));
	ret->gpr[X86_RSP] = vmx_read(vv, VMX_GUEST_RSP);
#define VMX_STORE(field, vmcs) ret->field = vmx_read(vv, VMX_##vmcs);
	VMX_SAME_FIELDS(VMX_STORE)
#undef VMX_STORE
#define VMX_STORE(field, n) ret->field = vv->msr[VMX_MSR_##n];
	VMX_SAME_MSRS(VMX_STORE)
#undef VMX_STORE
	ret->kernel_gs_base = vv->kernel_gs_base;
	ret->cr0 = vmx_cr0(vv);
	ret->cr2 = vv->cr2;
	ret->cr4 = vmx_cr4(vv);
	ret->efer = vmx_read(vv, VMX_GUEST_EFER);
	vmx_store_segments(vv, ret);
	memcpy(ret->dr, vv->dr, sizeof(ret->dr));
	ret->dr6 = vv->dr6;
	ret->tsc_aux = vv->tsc_aux;
	ret->xcr0 = vv->xcr0;
	ret->xss = 0;
	ret->pat = v->msr_pat;
	ret->cr8 = vlapic_cr8_read(v);
	memset(ret->pdpte, 0, sizeof(ret->pdpte));
	for (unsigned int n = 0; vmx_is_pae(ret) && n < 4; n++)
		ret->pdpte[n] = vmx_read(vv, VMX_GUEST_PDPTE0 + n);
	vmx_store_shadow(vv, ret);
	ret->activity = __atomic_load_n(&v->activity, __ATOMIC_SEQ_CST);
	memcpy(ret->xsave, vv->fpu, sizeof(ret->xsave));
	/* An event on its way is the core's from here on. */
	if (v->reinject.type == HVM_EVENT_NONE)
		v->reinject = vmx_take_pending(vv);
}

/* -- load -------------------------------------------------------------------------------------- */

/* What is written to the host's registers before a guest runs must not fault there. */
static bool vmx_state_ok(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	bool ok = x86_xcr0_write_ok(s->xcr0, hvm_xcr0_allowed(v)) &&
		  vmx_is_canonical(s->kernel_gs_base) && !(s->tsc_aux >> 32);

#define VMX_OK(field, n) ok = ok && vmx_switched_ok(VMX_MSR_##n, s->field);
	VMX_SAME_MSRS(VMX_OK)
#undef VMX_OK
	return ok;
}

static void vmx_load_shadow(struct vmx_vcpu *vv, const struct hvm_vcpu_state *s)
{
	uint64_t blocked = 0;

	/* Both at once, and STI with interrupts off, are states that VM entry does not know. */
	if (s->intr_shadow & HVM_INTR_SHADOW_MOV_SS)
		blocked |= VMX_BLOCKED_MOV_SS;
	else if ((s->intr_shadow & HVM_INTR_SHADOW_STI) && (s->rflags & X86_EFL_IF))
		blocked |= VMX_BLOCKED_STI;
	/* A single step that came due in the shadow is still to come. */
	vmx_write(vv, VMX_GUEST_PENDING_DEBUG,
		  blocked && (s->rflags & X86_EFL_TF) ? VMX_PENDING_BS : 0);
	if (s->intr_shadow & HVM_INTR_SHADOW_NMI)
		blocked |= VMX_BLOCKED_NMI;
	vmx_write(vv, VMX_GUEST_INTERRUPTIBILITY, blocked);
}

int vmx_load_state(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);

	if (!vmx_state_ok(v, s))
		return -HVM_EINVAL;
	memcpy(vv->gpr, s->gpr, sizeof(vv->gpr));
	vmx_write(vv, VMX_GUEST_RSP, s->gpr[X86_RSP]);
#define VMX_LOAD(field, vmcs) vmx_write(vv, VMX_##vmcs, s->field);
	VMX_SAME_FIELDS(VMX_LOAD)
#undef VMX_LOAD
#define VMX_LOAD(field, n) vv->msr[VMX_MSR_##n] = s->field;
	VMX_SAME_MSRS(VMX_LOAD)
#undef VMX_LOAD
	vv->kernel_gs_base = s->kernel_gs_base;
	vmx_set_cr0(vv, s->cr0);
	vmx_set_cr4(vv, s->cr4);
	vmx_set_efer(vv, s->efer);
	vv->cr2 = s->cr2;
	vmx_load_segments(vv, s);
	for (unsigned int n = 0; n < 4; n++)
		vmx_write(vv, VMX_GUEST_PDPTE0 + n, vmx_is_pae(s) ? s->pdpte[n] : 0);
	memcpy(vv->dr, s->dr, sizeof(vv->dr));
	vv->dr6 = (uint32_t)s->dr6;
	vmx_write(vv, VMX_GUEST_DR7, (uint32_t)s->dr7);
	vmx_write(vv, VMX_GUEST_DEBUGCTL, 0);
	vmx_write(vv, VMX_GUEST_ACTIVITY, 0);
	vv->tsc_aux = s->tsc_aux;
	vv->xcr0 = s->xcr0;
	hw_load_fpu(vv->fpu, s);
	vmx_forget_events(vv);
	vmx_load_shadow(vv, s);
	vv->hw.io_retry = false;
	vv->apic_filled = false;
	__atomic_store_n(&vv->flush_linear, 1, __ATOMIC_SEQ_CST);
	if (v->vlapic)
		vlapic_cr8_write(v, s->cr8);
	__atomic_store_n(&v->activity, s->activity, __ATOMIC_SEQ_CST);
	return 0;
}

void vmx_vcpu_start(struct vcpu *v, uint8_t vector)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);

	vmx_write(vv, VMX_GUEST_CS_SELECTOR, (uint64_t)vector << 8);
	vmx_write(vv, VMX_GUEST_CS_BASE, (uint64_t)vector << 12);
	vmx_write(vv, VMX_GUEST_RIP, 0);
}
