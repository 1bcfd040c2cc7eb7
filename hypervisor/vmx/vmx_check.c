/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_check.c - which field of the VMCS made VM entry fail. The processor only says that one did;
 * here its rules are gone through in the manual's order, and the first that is broken is named.
 * Owns nothing; runs only when an entry has failed. Locking: the vcpu's thread. Not saved.
 * Source: Intel SDM Vol 3C 26.2 "Checks on VMX Controls and Host-State Area", 26.3.1 "Checks on the
 * Guest State Area".
 */
#include "vmx/vmx.h"

#define V(f) vmx_read(vv, VMX_##f)

struct vmx_rule {
	uint16_t field;
	const char *rule;
	bool (*broken)(struct vmx_vcpu *vv, enum vmx_field f);
};

/* -- controls and host ------------------------------------------------------------------------- */

static bool vmx_bad_control(struct vmx_vcpu *vv, enum vmx_field f)
{
	static const uint16_t field[VMX_WORD_COUNT] = {
		[VMX_WORD_PIN] = VMX_PIN_CONTROLS,     [VMX_WORD_PROC] = VMX_PROC_CONTROLS,
		[VMX_WORD_PROC2] = VMX_PROC2_CONTROLS, [VMX_WORD_EXIT] = VMX_EXIT_CONTROLS,
		[VMX_WORD_ENTRY] = VMX_ENTRY_CONTROLS,
	};

	for (unsigned int w = 0; w < VMX_WORD_COUNT; w++) {
		const struct vmx_control *c = &vmx_host.features.control[w];
		uint64_t value = vmx_read(vv, f);

		if (field[w] == f)
			return (value & c->must) != c->must || (value & ~(uint64_t)c->may);
	}
	return false;
}

static bool vmx_bad_page(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_read(vv, f) & (~HVM_PAGE_MASK | ~(HVM_BIT(vmx_host.features.phys_bits) - 1));
}

static bool vmx_bad_area(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vv->msr_count && (vmx_read(vv, f) & 15);
}

static bool vmx_bad_ept(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t value = vmx_read(vv, f);

	return (value & 0x3f) != 0x1e || (value & 0xf80) || /* bit 6: dirty bits */
	       (value & ~(HVM_BIT(vmx_host.features.phys_bits) - 1));
}

static bool vmx_bad_vpid(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_has(VMX_WORD_PROC2, VMX_PROC2_VPID) && !vmx_read(vv, f);
}

static bool vmx_bad_threshold(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_read(vv, f) > 15u || vmx_read(vv, f) > vv->virtual_apic[VMX_TPR_OFFSET] >> 4;
}

static bool vmx_bad_event(struct vmx_vcpu *vv, enum vmx_field f)
{
	const uint32_t with_error = 1u << X86_DF | 1u << X86_TS | 1u << X86_NP | 1u << X86_SS |
				    1u << X86_GP | 1u << X86_PF | 1u << X86_AC;
	uint64_t e = vmx_read(vv, f);
	bool wants_error;

	if (!(e & VMX_EVENT_VALID))
		return false;
	if (VMX_EVENT_TYPE(e) == 1 || VMX_EVENT_TYPE(e) == 7 || (e & 0x7ffff000))
		return true;
	if (VMX_EVENT_TYPE(e) == VMX_EVENT_NMI && VMX_EVENT_VECTOR(e) != X86_NMI)
		return true;
	wants_error = VMX_EVENT_TYPE(e) == VMX_EVENT_EXCEPTION && (V(GUEST_CR0) & X86_CR0_PE) &&
		      VMX_EVENT_VECTOR(e) < 32 && (with_error >> VMX_EVENT_VECTOR(e) & 1);
	return wants_error != !!(e & VMX_EVENT_HAS_ERROR) ||
	       (VMX_EVENT_TYPE(e) == VMX_EVENT_EXCEPTION && VMX_EVENT_VECTOR(e) > 31);
}

static bool vmx_bad_insn_len(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t e = V(ENTRY_EVENT), len = vmx_read(vv, f);

	return (e & VMX_EVENT_VALID) && VMX_EVENT_TYPE(e) >= VMX_EVENT_SOFT_INTR &&
	       (!len || len > X86_INSN_MAX_LEN);
}

static bool vmx_not_canonical(struct vmx_vcpu *vv, enum vmx_field f)
{
	return !vmx_is_canonical(vmx_read(vv, f));
}

static bool vmx_bad_host_cr0(struct vmx_vcpu *vv, enum vmx_field f)
{
	const struct vmx_features *h = &vmx_host.features;
	uint64_t value = vmx_read(vv, f);

	return (value & h->cr0_fixed0) != h->cr0_fixed0 || (value & ~h->cr0_fixed1);
}

static bool vmx_bad_cr4(struct vmx_vcpu *vv, enum vmx_field f)
{
	const struct vmx_features *h = &vmx_host.features;
	uint64_t value = vmx_read(vv, f);

	return (value & h->cr4_fixed0) != h->cr4_fixed0 || (value & ~h->cr4_fixed1);
}

static bool vmx_bad_host_selector(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_read(vv, f) & 7;
}

static bool vmx_is_zero(struct vmx_vcpu *vv, enum vmx_field f)
{
	return !vmx_read(vv, f);
}

/* -- guest: control registers ------------------------------------------------------------------ */

static bool vmx_is_ia32e(struct vmx_vcpu *vv)
{
	return V(ENTRY_CONTROLS) & VMX_ENTRY_IA32E;
}

static bool vmx_is_v86(struct vmx_vcpu *vv)
{
	return V(GUEST_RFLAGS) & X86_EFL_VM;
}

static bool vmx_bad_cr0(struct vmx_vcpu *vv, enum vmx_field f)
{
	const struct vmx_features *h = &vmx_host.features;
	uint64_t value = vmx_read(vv, f);
	uint64_t need = h->cr0_fixed0 & ~(uint64_t)(X86_CR0_PE | X86_CR0_PG);

	return (value & need) != need || (value & ~h->cr0_fixed1) ||
	       ((value & X86_CR0_PG) && !(value & X86_CR0_PE));
}

static bool vmx_bad_cr0_ia32e(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_is_ia32e(vv) && !(vmx_read(vv, f) & X86_CR0_PG);
}

static bool vmx_bad_cr4_ia32e(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t value = vmx_read(vv, f);

	return vmx_is_ia32e(vv) ? !(value & X86_CR4_PAE) : !!(value & X86_CR4_PCIDE);
}

static bool vmx_bad_cr3(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_read(vv, f) >> vmx_host.features.phys_bits;
}

static bool vmx_is_wide(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_read(vv, f) >> 32;
}

static bool vmx_bad_efer(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t efer = vmx_read(vv, f);
	const uint64_t known = X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;

	if ((efer & ~known) || !!(efer & X86_EFER_LMA) != vmx_is_ia32e(vv))
		return true;
	return (V(GUEST_CR0) & X86_CR0_PG) && !(efer & X86_EFER_LMA) != !(efer & X86_EFER_LME);
}

static bool vmx_bad_pdpte(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t value = vmx_read(vv, f);

	if (vmx_is_ia32e(vv) || !(V(GUEST_CR0) & X86_CR0_PG) || !(V(GUEST_CR4) & X86_CR4_PAE))
		return false;
	return (value & 1) && ((value & 0x1e6) || value >> vmx_host.features.phys_bits);
}

/* -- guest: segments --------------------------------------------------------------------------- */

#define AR(f)	   ((uint32_t)vmx_read(vv, (f)))
#define AR_TYPE(a) ((a)&HVM_AR_TYPE_MASK)
#define AR_DPL(a)  (((a)&HVM_AR_DPL_MASK) >> HVM_AR_DPL_SHIFT)

static bool vmx_bad_granularity(uint32_t ar, uint64_t limit)
{
	return ar & HVM_AR_G ? (limit & 0xfff) != 0xfff : limit >> 20 != 0;
}

static uint64_t vmx_limit_of(struct vmx_vcpu *vv, enum vmx_field ar)
{
	return vmx_read(vv, ar - VMX_GUEST_ES_AR + VMX_GUEST_ES_LIMIT);
}

static bool vmx_bad_common(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint32_t ar = AR(f);

	return !(ar & HVM_AR_S) || !(ar & HVM_AR_P) || (ar & 0xfffe0f00) ||
	       vmx_bad_granularity(ar, vmx_limit_of(vv, f));
}

static bool vmx_bad_cs(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint32_t ar = AR(f), ss = AR(VMX_GUEST_SS_AR);

	if (vmx_is_v86(vv))
		return ar != 0xf3;
	if (vmx_bad_common(vv, f) || (vmx_is_ia32e(vv) && (ar & HVM_AR_L) && (ar & HVM_AR_DB)))
		return true;
	switch (AR_TYPE(ar)) {
	case 3: return AR_DPL(ar) != 0;
	case 9:
	case 11: return AR_DPL(ar) != AR_DPL(ss);
	case 13:
	case 15: return AR_DPL(ar) > AR_DPL(ss);
	}
	return true;
}

static bool vmx_bad_ss(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint32_t ar = AR(f);

	if (vmx_is_v86(vv))
		return ar != 0xf3;
	if ((AR_TYPE(AR(VMX_GUEST_CS_AR)) == 3 || !(V(GUEST_CR0) & X86_CR0_PE)) && AR_DPL(ar))
		return true;
	if (ar & HVM_AR_UNUSABLE)
		return false;
	return vmx_bad_common(vv, f) || (AR_TYPE(ar) != 3 && AR_TYPE(ar) != 7);
}

static bool vmx_bad_data(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint32_t ar = AR(f);

	if (vmx_is_v86(vv))
		return ar != 0xf3;
	if (ar & HVM_AR_UNUSABLE)
		return false;
	return vmx_bad_common(vv, f) || !(ar & HVM_AR_ACCESSED) ||
	       ((ar & HVM_AR_CODE) && !(ar & HVM_AR_RW));
}

static bool vmx_bad_system(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint32_t ar = AR(f);

	return (ar & HVM_AR_S) || !(ar & HVM_AR_P) || (ar & 0xfffe0f00) ||
	       vmx_bad_granularity(ar, vmx_limit_of(vv, f));
}

static bool vmx_bad_tr(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint32_t ar = AR(f);

	return (ar & HVM_AR_UNUSABLE) || vmx_bad_system(vv, f) ||
	       (AR_TYPE(ar) != 11 && (vmx_is_ia32e(vv) || AR_TYPE(ar) != 3));
}

static bool vmx_bad_ldtr(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint32_t ar = AR(f);

	return !(ar & HVM_AR_UNUSABLE) && (vmx_bad_system(vv, f) || AR_TYPE(ar) != 2);
}

static bool vmx_bad_tr_selector(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_read(vv, f) & 4;
}

static bool vmx_bad_ldtr_selector(struct vmx_vcpu *vv, enum vmx_field f)
{
	return !(AR(VMX_GUEST_LDTR_AR) & HVM_AR_UNUSABLE) && (vmx_read(vv, f) & 4);
}

static bool vmx_bad_v86_base(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t selector = vmx_read(vv, f - VMX_GUEST_ES_BASE + VMX_GUEST_ES_SELECTOR);

	return vmx_is_v86(vv) && vmx_read(vv, f) != selector << 4;
}

static bool vmx_bad_v86_limit(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_is_v86(vv) && vmx_read(vv, f) != 0xffff;
}

static bool vmx_bad_data_base(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint32_t ar = AR(f - VMX_GUEST_ES_BASE + VMX_GUEST_ES_AR);

	return !(ar & HVM_AR_UNUSABLE) && vmx_read(vv, f) >> 32;
}

static bool vmx_bad_ldtr_base(struct vmx_vcpu *vv, enum vmx_field f)
{
	return !(AR(VMX_GUEST_LDTR_AR) & HVM_AR_UNUSABLE) && vmx_not_canonical(vv, f);
}

static bool vmx_bad_table_limit(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_read(vv, f) > 0xffff;
}

/* -- guest: the rest --------------------------------------------------------------------------- */

static bool vmx_bad_rip(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t rip = vmx_read(vv, f);
	bool is_64 = vmx_is_ia32e(vv) && (AR(VMX_GUEST_CS_AR) & HVM_AR_L);

	return is_64 ? !vmx_is_canonical(rip) : rip >> 32 != 0;
}

static bool vmx_bad_rflags(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t value = vmx_read(vv, f), e = V(ENTRY_EVENT);

	if (!(value & 2) || (value & ~0x3f7fd7ull))
		return true;
	if ((value & X86_EFL_VM) && (vmx_is_ia32e(vv) || !(V(GUEST_CR0) & X86_CR0_PE)))
		return true;
	return (e & VMX_EVENT_VALID) && VMX_EVENT_TYPE(e) == VMX_EVENT_EXT_INTR &&
	       !(value & X86_EFL_IF);
}

static bool vmx_bad_interruptibility(struct vmx_vcpu *vv, enum vmx_field f)
{
	const uint64_t both = VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS;
	uint64_t value = vmx_read(vv, f), e = V(ENTRY_EVENT);

	if ((value & ~0x1full) || (value & both) == both || (value & VMX_BLOCKED_SMI))
		return true;
	if ((value & VMX_BLOCKED_STI) && !(V(GUEST_RFLAGS) & X86_EFL_IF))
		return true;
	if (!(e & VMX_EVENT_VALID))
		return false;
	if (VMX_EVENT_TYPE(e) == VMX_EVENT_EXT_INTR)
		return value & both;
	return VMX_EVENT_TYPE(e) == VMX_EVENT_NMI && (value & (both | VMX_BLOCKED_NMI));
}

static bool vmx_bad_pending(struct vmx_vcpu *vv, enum vmx_field f)
{
	uint64_t value = vmx_read(vv, f);
	bool blocked = V(GUEST_INTERRUPTIBILITY) & (VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS);

	if (value & ~0x1500full)
		return true;
	return blocked && !(value & VMX_PENDING_BS) != !(V(GUEST_RFLAGS) & X86_EFL_TF);
}

static bool vmx_bad_link(struct vmx_vcpu *vv, enum vmx_field f)
{
	return vmx_read(vv, f) != ~0ull;
}

/* clang-format off */
static const struct vmx_rule vmx_rules[] = {
	{ VMX_PIN_CONTROLS, "not what the processor offers", vmx_bad_control },
	{ VMX_PROC_CONTROLS, "not what the processor offers", vmx_bad_control },
	{ VMX_PROC2_CONTROLS, "not what the processor offers", vmx_bad_control },
	{ VMX_EXIT_CONTROLS, "not what the processor offers", vmx_bad_control },
	{ VMX_ENTRY_CONTROLS, "not what the processor offers", vmx_bad_control },
	{ VMX_MSR_BITMAP, "not a page", vmx_bad_page },
	{ VMX_VIRTUAL_APIC, "not a page", vmx_bad_page },
	{ VMX_EPT_POINTER, "not four levels in cached memory", vmx_bad_ept },
	{ VMX_VPID, "is the host's", vmx_bad_vpid },
	{ VMX_TPR_THRESHOLD, "above the task priority", vmx_bad_threshold },
	{ VMX_ENTRY_MSR_LOAD, "not aligned", vmx_bad_area },
	{ VMX_EXIT_MSR_LOAD, "not aligned", vmx_bad_area },
	{ VMX_ENTRY_EVENT, "no such event", vmx_bad_event },
	{ VMX_ENTRY_INSN_LEN, "no instruction's length", vmx_bad_insn_len },

	{ VMX_HOST_CR0, "not what VMX wants", vmx_bad_host_cr0 },
	{ VMX_HOST_CR3, "beyond physical memory", vmx_bad_cr3 },
	{ VMX_HOST_CR4, "not what VMX wants", vmx_bad_cr4 },
	{ VMX_HOST_CS_SELECTOR, "not a kernel's", vmx_bad_host_selector },
	{ VMX_HOST_CS_SELECTOR, "null", vmx_is_zero },
	{ VMX_HOST_SS_SELECTOR, "not a kernel's", vmx_bad_host_selector },
	{ VMX_HOST_TR_SELECTOR, "not a kernel's", vmx_bad_host_selector },
	{ VMX_HOST_TR_SELECTOR, "null", vmx_is_zero },
	{ VMX_HOST_FS_BASE, "not canonical", vmx_not_canonical },
	{ VMX_HOST_GS_BASE, "not canonical", vmx_not_canonical },
	{ VMX_HOST_TR_BASE, "not canonical", vmx_not_canonical },
	{ VMX_HOST_GDTR_BASE, "not canonical", vmx_not_canonical },
	{ VMX_HOST_IDTR_BASE, "not canonical", vmx_not_canonical },
	{ VMX_HOST_SYSENTER_ESP, "not canonical", vmx_not_canonical },
	{ VMX_HOST_SYSENTER_EIP, "not canonical", vmx_not_canonical },
	{ VMX_HOST_RIP, "not canonical", vmx_not_canonical },

	{ VMX_GUEST_CR0, "no such state", vmx_bad_cr0 },
	{ VMX_GUEST_CR0, "long mode without paging", vmx_bad_cr0_ia32e },
	{ VMX_GUEST_CR4, "not what VMX wants", vmx_bad_cr4 },
	{ VMX_GUEST_CR4, "PAE or PCIDE against long mode", vmx_bad_cr4_ia32e },
	{ VMX_GUEST_CR3, "beyond physical memory", vmx_bad_cr3 },
	{ VMX_GUEST_DR7, "wider than 32 bits", vmx_is_wide },
	{ VMX_GUEST_SYSENTER_ESP, "not canonical", vmx_not_canonical },
	{ VMX_GUEST_SYSENTER_EIP, "not canonical", vmx_not_canonical },
	{ VMX_GUEST_EFER, "against long mode", vmx_bad_efer },
	{ VMX_GUEST_TR_SELECTOR, "in the LDT", vmx_bad_tr_selector },
	{ VMX_GUEST_LDTR_SELECTOR, "in the LDT", vmx_bad_ldtr_selector },
	{ VMX_GUEST_CS_BASE, "not the selector's (virtual 8086)", vmx_bad_v86_base },
	{ VMX_GUEST_SS_BASE, "not the selector's (virtual 8086)", vmx_bad_v86_base },
	{ VMX_GUEST_DS_BASE, "not the selector's (virtual 8086)", vmx_bad_v86_base },
	{ VMX_GUEST_ES_BASE, "not the selector's (virtual 8086)", vmx_bad_v86_base },
	{ VMX_GUEST_FS_BASE, "not the selector's (virtual 8086)", vmx_bad_v86_base },
	{ VMX_GUEST_GS_BASE, "not the selector's (virtual 8086)", vmx_bad_v86_base },
	{ VMX_GUEST_TR_BASE, "not canonical", vmx_not_canonical },
	{ VMX_GUEST_FS_BASE, "not canonical", vmx_not_canonical },
	{ VMX_GUEST_GS_BASE, "not canonical", vmx_not_canonical },
	{ VMX_GUEST_LDTR_BASE, "not canonical", vmx_bad_ldtr_base },
	{ VMX_GUEST_CS_BASE, "wider than 32 bits", vmx_is_wide },
	{ VMX_GUEST_SS_BASE, "wider than 32 bits", vmx_bad_data_base },
	{ VMX_GUEST_DS_BASE, "wider than 32 bits", vmx_bad_data_base },
	{ VMX_GUEST_ES_BASE, "wider than 32 bits", vmx_bad_data_base },
	{ VMX_GUEST_CS_LIMIT, "not 64K (virtual 8086)", vmx_bad_v86_limit },
	{ VMX_GUEST_SS_LIMIT, "not 64K (virtual 8086)", vmx_bad_v86_limit },
	{ VMX_GUEST_DS_LIMIT, "not 64K (virtual 8086)", vmx_bad_v86_limit },
	{ VMX_GUEST_ES_LIMIT, "not 64K (virtual 8086)", vmx_bad_v86_limit },
	{ VMX_GUEST_FS_LIMIT, "not 64K (virtual 8086)", vmx_bad_v86_limit },
	{ VMX_GUEST_GS_LIMIT, "not 64K (virtual 8086)", vmx_bad_v86_limit },
	{ VMX_GUEST_CS_AR, "no code segment", vmx_bad_cs },
	{ VMX_GUEST_SS_AR, "no stack segment", vmx_bad_ss },
	{ VMX_GUEST_DS_AR, "no data segment", vmx_bad_data },
	{ VMX_GUEST_ES_AR, "no data segment", vmx_bad_data },
	{ VMX_GUEST_FS_AR, "no data segment", vmx_bad_data },
	{ VMX_GUEST_GS_AR, "no data segment", vmx_bad_data },
	{ VMX_GUEST_TR_AR, "no busy task state segment", vmx_bad_tr },
	{ VMX_GUEST_LDTR_AR, "no LDT", vmx_bad_ldtr },
	{ VMX_GUEST_GDTR_BASE, "not canonical", vmx_not_canonical },
	{ VMX_GUEST_IDTR_BASE, "not canonical", vmx_not_canonical },
	{ VMX_GUEST_GDTR_LIMIT, "above 64K", vmx_bad_table_limit },
	{ VMX_GUEST_IDTR_LIMIT, "above 64K", vmx_bad_table_limit },
	{ VMX_GUEST_RIP, "not in the code segment's reach", vmx_bad_rip },
	{ VMX_GUEST_RFLAGS, "no such flags here", vmx_bad_rflags },
	{ VMX_GUEST_ACTIVITY, "not active", vmx_is_wide },
	{ VMX_GUEST_INTERRUPTIBILITY, "against flags or event", vmx_bad_interruptibility },
	{ VMX_GUEST_PENDING_DEBUG, "against the single step flag", vmx_bad_pending },
	{ VMX_LINK_POINTER, "not all ones", vmx_bad_link },
	{ VMX_GUEST_PDPTE0, "reserved bits", vmx_bad_pdpte },
	{ VMX_GUEST_PDPTE1, "reserved bits", vmx_bad_pdpte },
	{ VMX_GUEST_PDPTE2, "reserved bits", vmx_bad_pdpte },
	{ VMX_GUEST_PDPTE3, "reserved bits", vmx_bad_pdpte },
};
/* clang-format on */

bool vmx_check_entry(struct vmx_vcpu *vv, char *buf, size_t bytes)
{
	vmx_fields_sync(vv);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(vmx_rules); i++) {
		const struct vmx_rule *r = &vmx_rules[i];

		if (!r->broken(vv, r->field))
			continue;
		hvm_os_format(buf, bytes, "%s %llx: %s", vmx_field_name(r->field),
			      (unsigned long long)vmx_read(vv, r->field), r->rule);
		return true;
	}
	return false;
}
