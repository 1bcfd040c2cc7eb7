/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msr.c - the model-specific registers that belong to the core, and the hypercall page through
 * which SeaBIOS knows its host. Saved with the CPU record. Source: Intel SDM Vol 4; Vol 3A 11.11
 * "Memory Type Range Registers".
 */
#include "core/domain.h"
#include "devices/chips.h"

#define MSR_TSC		    0x10u
#define MSR_PLATFORM_ID	    0x17u
#define MSR_APIC_BASE	    0x1bu
#define MSR_FEATURE_CONTROL 0x3au
#define MSR_SPEC_CTRL	    0x48u
#define MSR_PRED_CMD	    0x49u
#define MSR_UCODE_WRITE	    0x79u
#define MSR_UCODE_REV	    0x8bu
#define MSR_PLATFORM_INFO   0xceu
#define MSR_MTRR_CAP	    0xfeu
#define MSR_ARCH_CAP	    0x10au
#define MSR_MCG_CAP	    0x179u
#define MSR_MCG_STATUS	    0x17au
#define MSR_MISC_ENABLE	    0x1a0u
#define MSR_DEBUGCTL	    0x1d9u
#define MSR_MTRR_VARIABLE   0x200u
#define MSR_PAT		    0x277u
#define MSR_MTRR_DEF_TYPE   0x2ffu
#define MSR_TSC_DEADLINE    0x6e0u
#define MSR_X2APIC	    0x800u
#define MSR_XEN_PAGE	    0x40000000u

#define MTRR_CAP	 (HVM_MTRR_VARIABLE | 1u << 8 | 1u << 10) /* fixed ranges, write combining */
/* RDCL, IBRS_ALL, RSBA off, L1TF, SSB, MDS, PSCHANGE, TAA, SBDR, FBSDP, PSDP, BHI: not affected. */
#define ARCH_CAP	 (1u | 2u | 8u | 16u | 32u | 64u | 256u | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 20)
#define SPEC_CTRL_MASK	 0x3ull /* IBRS; STIBP is ignored where CPUID offers IBRS alone. No SSBD. */
#define MISC_ENABLE_MASK 0x400c51889ull

static const uint16_t mtrr_fixed_msr[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
					   0x26b, 0x26c, 0x26d, 0x26e, 0x26f };

static bool memory_type_valid(uint8_t type, bool pat)
{
	return type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

static bool memory_types_valid(uint64_t types, bool pat)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		if (!memory_type_valid((uint8_t)(types >> i), pat))
			return false;
	}
	return true;
}

/* -- MTRRs ------------------------------------------------------------------------------------- */

static uint64_t *mtrr_slot(struct vcpu *v, uint32_t index)
{
	if (index >= MSR_MTRR_VARIABLE && index < MSR_MTRR_VARIABLE + 2 * HVM_MTRR_VARIABLE)
		return &v->mtrr.variable[index - MSR_MTRR_VARIABLE];
	if (index == MSR_MTRR_DEF_TYPE)
		return &v->mtrr.def_type;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(mtrr_fixed_msr); i++) {
		if (mtrr_fixed_msr[i] == index)
			return &v->mtrr.fixed[i];
	}
	return NULL;
}

static bool mtrr_valid(uint32_t index, uint64_t value)
{
	if (index == MSR_MTRR_DEF_TYPE)
		return !(value & ~0xcffull) && memory_type_valid((uint8_t)value, false);
	if (index < MSR_MTRR_VARIABLE + 2 * HVM_MTRR_VARIABLE) {
		if (value >> 40)
			return false;
		return (index & 1) ? !(value & 0x7ff)
				   : !(value & 0xf00) && memory_type_valid((uint8_t)value, false);
	}
	return memory_types_valid(value, false);
}

/* -- what only holds a value ------------------------------------------------------------------- */

uint64_t *hvm_msr_slot(struct vcpu *v, uint32_t index)
{
	switch (index) {
	case MSR_SPEC_CTRL: return &v->msr_spec_ctrl;
	case MSR_MISC_ENABLE: return &v->msr_misc_enable;
	case MSR_PAT: return &v->msr_pat;
	}
	return mtrr_slot(v, index);
}

bool hvm_msr_slot_valid(uint32_t index, uint64_t value)
{
	switch (index) {
	case MSR_SPEC_CTRL: return !(value & ~SPEC_CTRL_MASK);
	case MSR_MISC_ENABLE: return !(value & ~MISC_ENABLE_MASK);
	case MSR_PAT: return memory_types_valid(value, true);
	}
	return mtrr_valid(index, value);
}

uint32_t hvm_saved_msr(unsigned int n)
{
	static const uint32_t first[] = { MSR_MISC_ENABLE, MSR_SPEC_CTRL, MSR_MTRR_DEF_TYPE };
	const unsigned int fixed = HVM_ARRAY_SIZE(first);
	const unsigned int variable = fixed + HVM_ARRAY_SIZE(mtrr_fixed_msr);

	if (n < fixed)
		return first[n];
	return n < variable ? mtrr_fixed_msr[n - fixed] : MSR_MTRR_VARIABLE + n - variable;
}

/* -- the hypercall page ------------------------------------------------------------------------ */

#define XEN_HYPERCALLS	    64u
#define XEN_HYPERCALL_BYTES 32u
#define XEN_VERSION	    ((4 << 16) | 17)
#define XEN_VERSION_CALL    17u
#define XENVER_VERSION	    0u
#define XENVER_EXTRAVERSION 1u
#define XEN_ENOSYS	    38

/* What the core wrote for the guest is seen by dirty logging and by decoded code. */
static void msr_guest_written(struct domain *d, gpa_t gpa, size_t bytes)
{
	gfn_t first = gpa >> HVM_PAGE_SHIFT, last = (gpa + bytes - 1) >> HVM_PAGE_SHIFT;

	p2m_mark_dirty(&d->p2m, gpa, bytes);
	if (d->ops->memory_written)
		d->ops->memory_written(d, first, last - first + 1);
}

/* Stub n: mov $n,%eax; vmcall or vmmcall; ret. */
static int msr_hypercall_page(struct vcpu *v, uint64_t value)
{
	struct domain *d = v->domain;
	gpa_t gpa = value & HVM_PAGE_MASK;
	const uint8_t call = d->ops->cpu_is_amd ? 0xd9 : 0xc1;

	for (uint32_t n = 0; n < XEN_HYPERCALLS; n++) {
		const uint8_t stub[] = { 0xb8, (uint8_t)n, 0, 0, 0, 0x0f, 0x01, call, 0xc3 };

		if (p2m_copy_to(&d->p2m, gpa + n * XEN_HYPERCALL_BYTES, stub, sizeof(stub)))
			return -HVM_EINVAL;
	}
	msr_guest_written(d, gpa, HVM_PAGE_SIZE);
	return 0;
}

static int64_t xen_extraversion(struct domain *d, gpa_t gpa)
{
	static const char extra[16] = "";
	int rc = p2m_copy_to(&d->p2m, gpa, extra, sizeof(extra));

	if (!rc)
		msr_guest_written(d, gpa, sizeof(extra));
	return rc;
}

bool hvm_hypercall(struct vcpu *v, unsigned int cpl, bool paging, uint64_t gpr[16])
{
	int64_t result = -XEN_ENOSYS;

	if (cpl != 0 || paging)
		return false;
	if ((uint32_t)gpr[0] == XEN_VERSION_CALL && (uint32_t)gpr[3] == XENVER_VERSION)
		result = XEN_VERSION;
	else if ((uint32_t)gpr[0] == XEN_VERSION_CALL && (uint32_t)gpr[3] == XENVER_EXTRAVERSION)
		result = xen_extraversion(v->domain, (uint32_t)gpr[1]);
	gpr[0] = (uint32_t)result;
	return true;
}

/* -- the registers ----------------------------------------------------------------------------- */

static bool msr_is_vlapic(uint32_t index)
{
	return index == MSR_APIC_BASE || index == MSR_TSC_DEADLINE ||
	       (index >= MSR_X2APIC && index < MSR_X2APIC + 0x100);
}

/* What operating systems read, and set bits of, where CPUID names AMD: nothing comes of it. */
static bool msr_is_amd(const struct vcpu *v, uint32_t index)
{
	static const uint32_t amd[] = {
		0xc0010010, /* SYSCFG */
		0xc0010015, /* HWCR */
		0xc001001f, /* northbridge configuration */
		0xc0010055, /* interrupt pending and C1E */
		0xc0011020, /* load-store configuration */
		0xc0011023, /* bus unit configuration */
		0xc0011029, /* decode configuration */
	};

	for (size_t i = 0; v->domain->ops->cpu_is_amd && i < HVM_ARRAY_SIZE(amd); i++) {
		if (amd[i] == index)
			return true;
	}
	return false;
}

int hvm_msr_read(struct vcpu *v, uint32_t index, uint64_t *ret)
{
	const uint64_t *slot = hvm_msr_slot(v, index);

	v->stats.rdmsr++;
	if (msr_is_vlapic(index))
		return vlapic_msr_read(v, index, ret);
	if (slot) {
		*ret = *slot;
		return 0;
	}
	switch (index) {
	case MSR_TSC: *ret = hvm_vcpu_rdtsc(v); return 0;
	case MSR_FEATURE_CONTROL: *ret = 1; return 0; /* locked, nothing enabled */
	case MSR_UCODE_REV: *ret = 1ull << 32; return 0;
	case MSR_MTRR_CAP: *ret = MTRR_CAP; return 0;
	case MSR_ARCH_CAP: *ret = ARCH_CAP; return 0;
	case MSR_PLATFORM_ID:
	case MSR_PLATFORM_INFO:
	case MSR_MCG_CAP:
	case MSR_MCG_STATUS:
	case MSR_DEBUGCTL: *ret = 0; return 0;
	}
	if (!msr_is_amd(v, index))
		return -HVM_ENOENT;
	*ret = 0;
	return 0;
}

int hvm_msr_write(struct vcpu *v, uint32_t index, uint64_t value)
{
	uint64_t *slot = hvm_msr_slot(v, index);

	v->stats.wrmsr++;
	if (msr_is_vlapic(index))
		return vlapic_msr_write(v, index, value);
	if (slot) {
		if (!hvm_msr_slot_valid(index, value))
			return -HVM_EINVAL;
		*slot = value;
		return 0;
	}
	switch (index) {
	case MSR_TSC:
		/* Not a store: a resume may be moving it meanwhile. */
		__atomic_fetch_add(&v->tsc_offset, value - hvm_vcpu_rdtsc(v), __ATOMIC_SEQ_CST);
		vlapic_time_changed(v);
		return 0;
	case MSR_PRED_CMD: return value & ~1ull ? -HVM_EINVAL : 0;
	case MSR_UCODE_WRITE:
	case MSR_UCODE_REV: return 0;
	case MSR_MCG_STATUS:
	case MSR_DEBUGCTL: return value ? -HVM_EINVAL : 0;
	case MSR_XEN_PAGE: return msr_hypercall_page(v, value);
	}
	return msr_is_amd(v, index) ? 0 : -HVM_ENOENT;
}
