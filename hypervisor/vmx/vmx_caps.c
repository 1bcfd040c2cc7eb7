/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_caps.c - what the processor says that VMX can do here, and what vmx makes of it: one table of
 * controls, each wanted or needed, checked against the capability MSRs.
 * Owns nothing; runs on the CPU that it describes. Not saved.
 * Source: Intel SDM Vol 3D App. A "VMX Capability Reporting Facility".
 */
#include "vmx/vmx.h"

#include "x86/host.h"

#define MSR_FEATURE_CONTROL 0x03au
#define MSR_ARCH_CAP	    0x10au
#define MSR_VMX_BASIC	    0x480u
#define MSR_VMX_PIN	    0x481u
#define MSR_VMX_PROC	    0x482u
#define MSR_VMX_EXIT	    0x483u
#define MSR_VMX_ENTRY	    0x484u
#define MSR_VMX_MISC	    0x485u
#define MSR_VMX_CR0_FIXED0  0x486u
#define MSR_VMX_CR0_FIXED1  0x487u
#define MSR_VMX_CR4_FIXED0  0x488u
#define MSR_VMX_CR4_FIXED1  0x489u
#define MSR_VMX_PROC2	    0x48bu
#define MSR_VMX_EPT_VPID    0x48cu
#define MSR_VMX_TRUE_PIN    0x48du
#define MSR_VMX_TRUE_PROC   0x48eu
#define MSR_VMX_TRUE_EXIT   0x48fu
#define MSR_VMX_TRUE_ENTRY  0x490u

#define FEATURE_LOCKED HVM_BIT(0)
#define FEATURE_VMXON  HVM_BIT(2) /* outside SMX operation */

#define BASIC_BYTES(b)	    ((uint32_t)((b) >> 32) & 0x1fff)
#define BASIC_32BIT	    HVM_BIT(48)
#define BASIC_MEMORY(b)	    ((unsigned int)((b) >> 50) & 15)
#define BASIC_WRITE_BACK    6u
#define BASIC_TRUE_CONTROLS HVM_BIT(55)

#define EPT_WALK_4	 HVM_BIT(6)
#define EPT_WRITE_BACK	 HVM_BIT(14)
#define EPT_INVEPT	 HVM_BIT(20)
#define EPT_DIRTY	 HVM_BIT(21)
#define EPT_INVEPT_ONE	 HVM_BIT(25)
#define VPID_INVVPID	 HVM_BIT(32)
#define VPID_INVVPID_1	 HVM_BIT(41)
#define VPID_INVVPID_ALL HVM_BIT(42)

#define CR4_OSXSAVE HVM_BIT(18)

/* -- controls ---------------------------------------------------------------------------------- */

enum vmx_need {
	VMX_ON,	 /* must be possible */
	VMX_OFF, /* must be possible to do without */
	VMX_MAY, /* where offered and not switched off */
};

struct vmx_want {
	uint8_t word; /* enum vmx_control_word */
	uint8_t need; /* enum vmx_need */
	uint32_t bit;
	const char *refusal;
	const bool *option;
};

/* clang-format off */
static const struct vmx_want vmx_wants[] = {
	{ VMX_WORD_PIN, VMX_ON, VMX_PIN_INTR, "cannot leave a guest for interrupts", NULL },
	{ VMX_WORD_PIN, VMX_ON, VMX_PIN_NMI, "cannot leave a guest for NMIs", NULL },
	{ VMX_WORD_PIN, VMX_ON, VMX_PIN_VIRTUAL_NMIS, "has no virtual NMIs", NULL },
	{ VMX_WORD_PIN, VMX_MAY, VMX_PIN_TIMER, NULL, &vmx_options.timer },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_SECONDARY, "has no EPT", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_TSC_OFFSET, "has no TSC offset", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_HLT, "does not intercept HLT", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_MWAIT, "does not intercept MWAIT", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_MONITOR, "does not intercept MONITOR", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_RDPMC, "does not intercept RDPMC", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_MOV_DR, "does not intercept debug registers", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_ALL_IO, "does not intercept ports", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_MSR_BITMAP, "has no MSR bitmap", NULL },
	{ VMX_WORD_PROC, VMX_ON, VMX_PROC_TPR_SHADOW, "has no TPR shadow", NULL },
	{ VMX_WORD_PROC, VMX_OFF, VMX_PROC_CR3_LOAD | VMX_PROC_CR3_STORE,
		"cannot leave CR3 to the guest", NULL },
	{ VMX_WORD_PROC, VMX_OFF, VMX_PROC_CR8_LOAD | VMX_PROC_CR8_STORE,
		"cannot leave CR8 to the guest", NULL },
	{ VMX_WORD_PROC, VMX_OFF, VMX_PROC_INVLPG, "cannot leave INVLPG to the guest", NULL },
	{ VMX_WORD_PROC2, VMX_ON, VMX_PROC2_EPT, "has no EPT", NULL },
	{ VMX_WORD_PROC2, VMX_ON, VMX_PROC2_UNRESTRICTED, "has no unrestricted guest", NULL },
	{ VMX_WORD_PROC2, VMX_MAY, VMX_PROC2_VPID, NULL, &vmx_options.vpid },
	{ VMX_WORD_PROC2, VMX_MAY, VMX_PROC2_RDTSCP, NULL, NULL },
	{ VMX_WORD_PROC2, VMX_MAY, VMX_PROC2_INVPCID, NULL, NULL },
	{ VMX_WORD_PROC2, VMX_MAY, VMX_PROC2_WBINVD, NULL, NULL },
	{ VMX_WORD_PROC2, VMX_MAY, VMX_PROC2_APICV, NULL, &vmx_options.apicv },
	{ VMX_WORD_PROC2, VMX_MAY, VMX_PROC2_PML, NULL, &vmx_options.pml },
	{ VMX_WORD_PROC2, VMX_MAY, VMX_PROC2_TSC_SCALING, NULL, NULL },
	{ VMX_WORD_PROC2, VMX_MAY, VMX_PROC2_PAUSE_LOOP, NULL, &vmx_options.pause_loop },
	{ VMX_WORD_EXIT, VMX_ON, VMX_EXIT_SAVE_DEBUG, "does not save debug registers", NULL },
	{ VMX_WORD_EXIT, VMX_ON, VMX_EXIT_HOST_64, "cannot return to 64-bit mode", NULL },
	{ VMX_WORD_EXIT, VMX_OFF, VMX_EXIT_ACK_INTR, "cannot leave interrupts to the host", NULL },
	{ VMX_WORD_EXIT, VMX_MAY, VMX_EXIT_LOAD_EFER, NULL, NULL },
	{ VMX_WORD_ENTRY, VMX_ON, VMX_ENTRY_LOAD_DEBUG, "does not load debug registers", NULL },
	{ VMX_WORD_ENTRY, VMX_ON, VMX_ENTRY_IA32E, "cannot run 64-bit guests", NULL },
	{ VMX_WORD_ENTRY, VMX_MAY, VMX_ENTRY_LOAD_EFER, NULL, NULL },
};

static const struct {
	uint16_t msr, true_msr;
} vmx_capability[VMX_WORD_COUNT] = {
	[VMX_WORD_PIN] = { MSR_VMX_PIN, MSR_VMX_TRUE_PIN },
	[VMX_WORD_PROC] = { MSR_VMX_PROC, MSR_VMX_TRUE_PROC },
	[VMX_WORD_PROC2] = { MSR_VMX_PROC2, MSR_VMX_PROC2 },
	[VMX_WORD_EXIT] = { MSR_VMX_EXIT, MSR_VMX_TRUE_EXIT },
	[VMX_WORD_ENTRY] = { MSR_VMX_ENTRY, MSR_VMX_TRUE_ENTRY },
};
/* clang-format on */

/* The low half of a capability MSR: bits that must be 1; the high half: those that may. */
static void vmx_read_controls(struct vmx_features *f)
{
	bool is_true = f->basic & BASIC_TRUE_CONTROLS;

	for (unsigned int w = 0; w < VMX_WORD_COUNT; w++) {
		struct vmx_control *c = &f->control[w];
		uint64_t value;

		if (w == VMX_WORD_PROC2 && !(f->control[VMX_WORD_PROC].may & VMX_PROC_SECONDARY))
			continue;
		value = host_rdmsr(is_true ? vmx_capability[w].true_msr : vmx_capability[w].msr);
		c->must = (uint32_t)value;
		c->may = (uint32_t)(value >> 32);
		c->chosen = c->must;
	}
}

static const char *vmx_choose_controls(struct vmx_features *f)
{
	for (size_t i = 0; i < HVM_ARRAY_SIZE(vmx_wants); i++) {
		const struct vmx_want *w = &vmx_wants[i];
		struct vmx_control *c = &f->control[w->word];

		switch ((enum vmx_need)w->need) {
		case VMX_ON:
			if (~c->may & w->bit)
				return w->refusal;
			c->chosen |= w->bit;
			break;
		case VMX_OFF:
			if (c->must & w->bit)
				return w->refusal;
			break;
		case VMX_MAY:
			if (!w->option || *w->option)
				c->chosen |= c->may & w->bit;
			break;
		}
	}
	return NULL;
}

/* What one control needs of another, or of what is beside the controls. */
static void vmx_drop_controls(struct vmx_features *f)
{
	const uint64_t invvpid = VPID_INVVPID | VPID_INVVPID_1 | VPID_INVVPID_ALL;
	uint32_t *proc2 = &f->control[VMX_WORD_PROC2].chosen;
	uint32_t *exit = &f->control[VMX_WORD_EXIT].chosen;
	uint32_t *entry = &f->control[VMX_WORD_ENTRY].chosen;

	if ((f->ept_vpid & invvpid) != invvpid)
		*proc2 &= ~VMX_PROC2_VPID;
	if (!(f->ept_vpid & EPT_DIRTY))
		*proc2 &= ~VMX_PROC2_PML;
	if ((*proc2 & VMX_PROC2_APICV) != VMX_PROC2_APICV)
		*proc2 &= ~VMX_PROC2_APICV;
	/* EFER: both ways, or through the MSR areas. */
	if (!(*exit & VMX_EXIT_LOAD_EFER) || !(*entry & VMX_ENTRY_LOAD_EFER)) {
		*exit &= ~VMX_EXIT_LOAD_EFER;
		*entry &= ~VMX_ENTRY_LOAD_EFER;
	}
	/* Set and cleared as the guest goes. */
	*entry &= ~VMX_ENTRY_IA32E;
}

/* -- the rest ---------------------------------------------------------------------------------- */

static bool vmx_bit(uint32_t reg, unsigned int bit)
{
	return reg >> bit & 1;
}

static void vmx_read_host(struct vmx_features *f)
{
	const struct host_cpuid leaf7 = host_cpuid_leaf(7, 0);
	uint64_t arch = vmx_bit(leaf7.edx, 29) ? host_rdmsr(MSR_ARCH_CAP) : 0;
	const uint64_t no_l1tf = HVM_BIT(0) | HVM_BIT(3); /* RDCL_NO; no flush at VM entry */
	const uint64_t no_mds = HVM_BIT(5) | HVM_BIT(8);  /* MDS_NO, TAA_NO */

	f->phys_bits = host_cpuid_leaf(0x80000008, 0).eax & 0xff;
	f->has_xsave = host_cr4() & CR4_OSXSAVE;
	f->has_xss = f->has_xsave && vmx_bit(host_cpuid_leaf(0xd, 1).eax, 3);
	f->has_tsc_aux = vmx_bit(host_cpuid_leaf(0x80000001, 0).edx, 27);
	f->has_ibpb = f->has_spec_ctrl = vmx_bit(leaf7.edx, 26);
	/* A processor that does not say that it is safe is not. */
	f->must_flush_l1d = !(arch & no_l1tf);
	f->has_flush_l1d = vmx_bit(leaf7.edx, 28);
	f->must_clear_buffers = vmx_bit(leaf7.edx, 10) && (arch & no_mds) != no_mds;
}

static const char *vmx_check_basic(const struct vmx_features *f)
{
	const uint64_t ept = EPT_WALK_4 | EPT_WRITE_BACK | EPT_INVEPT | EPT_INVEPT_ONE;

	if (BASIC_BYTES(f->basic) > HVM_PAGE_SIZE || (f->basic & BASIC_32BIT) ||
	    BASIC_MEMORY(f->basic) != BASIC_WRITE_BACK)
		return "wants its VMCS in other memory than ours";
	if ((f->ept_vpid & ept) != ept)
		return "has no EPT of four levels in cached memory";
	return NULL;
}

static const char *vmx_read_vmx(struct vmx_features *f)
{
	const char *why;

	f->basic = host_rdmsr(MSR_VMX_BASIC);
	f->misc = host_rdmsr(MSR_VMX_MISC);
	f->cr0_fixed0 = host_rdmsr(MSR_VMX_CR0_FIXED0);
	f->cr0_fixed1 = host_rdmsr(MSR_VMX_CR0_FIXED1);
	f->cr4_fixed0 = host_rdmsr(MSR_VMX_CR4_FIXED0);
	f->cr4_fixed1 = host_rdmsr(MSR_VMX_CR4_FIXED1);
	vmx_read_controls(f);
	why = vmx_choose_controls(f);
	if (why)
		return why;
	f->ept_vpid = host_rdmsr(MSR_VMX_EPT_VPID);
	vmx_drop_controls(f);
	vmx_read_host(f);
	return vmx_check_basic(f);
}

const char *vmx_read_features(struct vmx_features *f, int *error)
{
	uint64_t control;

	memset(f, 0, sizeof(*f));
	*error = -HVM_ENODEV;
	if (!vmx_bit(host_cpuid_leaf(1, 0).ecx, 5))
		return "has no VT-x";
	control = host_rdmsr(MSR_FEATURE_CONTROL);
	if ((control & FEATURE_LOCKED) && !(control & FEATURE_VMXON)) {
		*error = -HVM_EPERM;
		return "has VT-x, but firmware has switched it off";
	}
	/* Firmware left it open: whoever comes first closes it. */
	if (!(control & FEATURE_LOCKED))
		host_wrmsr(MSR_FEATURE_CONTROL, control | FEATURE_LOCKED | FEATURE_VMXON);
	return vmx_read_vmx(f);
}
