/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx.c - Intel VT-x as a vendor: VMX operation on and off on each CPU, and the function table.
 * Locking: probing is serialised by the caller; on() and off() run on their CPU. Not saved.
 * Source: Intel SDM Vol 3C 23.6 "Discovering Support for VMX", 23.7 "Enabling and Entering VMX
 * Operation".
 */
#include "vmx/vmx.h"

#include "vmx/vmx_insn.h"
#include "x86/host.h"
#include "x86/host_cpuid.h"

#define CR4_VMXE HVM_BIT(13)

struct vmx_host vmx_host;

struct vmx_options vmx_options = {
	.vpid = true,
	.apicv = true,
	.pml = true,
	.timer = true,
	.pause_loop = true,
};

/* -- one CPU ----------------------------------------------------------------------------------- */

static struct vmx_cpu *vmx_cpu_create(void)
{
	struct vmx_cpu *c = hvm_os_alloc(sizeof(*c));

	if (!c)
		return NULL;
	c->vmxon = hvm_os_alloc_pages(HVM_PAGE_SIZE);
	if (!c->vmxon) {
		hvm_os_free(c);
		return NULL;
	}
	c->vmxon_hpa = hvm_os_hva_to_hpa(c->vmxon);
	return c;
}

/* After suspend the CPU's memory is there already. */
static int vmx_cpu_on(void)
{
	unsigned int cpu = hvm_os_cpu();
	struct vmx_features f;
	struct vmx_cpu *c;
	uint32_t revision;
	int error;

	if (cpu >= VMX_MAX_CPUS || vmx_read_features(&f, &error) ||
	    memcmp(&f, &vmx_host.features, sizeof(f)) != 0)
		return -HVM_ENODEV;
	c = vmx_host.cpu[cpu];
	if (!c)
		c = vmx_cpu_create();
	if (!c)
		return -HVM_ENOMEM;
	vmx_host.cpu[cpu] = c;
	revision = (uint32_t)f.basic & 0x7fffffff;
	memcpy(c->vmxon, &revision, sizeof(revision));
	if (vmx_on(c->vmxon_hpa))
		return -HVM_EBUSY;
	/* Whoever was here before may have left translations. */
	vmx_do_invept(VMX_INV_ALL, 0);
	c->next_vpid = 0x10000;
	c->vpid_generation++;
	c->last_domain = 0;
	for (unsigned int i = 0; i < VMX_MSR_SWITCHED; i++)
		c->host_msr[i] = host_rdmsr(vmx_switched_msr[i]);
	__atomic_store_n(&c->on, true, __ATOMIC_SEQ_CST);
	return 0;
}

/* Interrupts off. A vcpu's thread may be in the middle of its run here; it finds the CPU off. */
static void vmx_cpu_off(void)
{
	struct vmx_cpu *c = vmx_host.cpu[hvm_os_cpu()];

	__atomic_store_n(&c->on, false, __ATOMIC_SEQ_CST);
	vmx_deactivate_all(c);
	vmx_off();
}

void vmx_unload(void)
{
	for (unsigned int i = 0; i < VMX_MAX_CPUS; i++) {
		struct vmx_cpu *c = vmx_host.cpu[i];

		if (!c)
			continue;
		hvm_os_free_pages(c->vmxon, HVM_PAGE_SIZE);
		hvm_os_free(c);
		vmx_host.cpu[i] = NULL;
	}
	if (vmx_host.l1d_fill)
		hvm_os_free_pages(vmx_host.l1d_fill, VMX_L1D_BYTES);
	vmx_host.l1d_fill = NULL;
	vmx_msr_bitmap_destroy();
}

/* -- construct --------------------------------------------------------------------------------- */

#define EPTP_WRITE_BACK 6ull
#define EPTP_WALK_4	(3ull << 3)
#define EPTP_DIRTY	(1ull << 6)
#define EPT_CAP_2M	HVM_BIT(16)
#define EPT_CAP_1G	HVM_BIT(17)

static unsigned int vmx_ept_leaf_level(void)
{
	uint64_t caps = vmx_host.features.ept_vpid;

	if (!(caps & EPT_CAP_2M))
		return 1;
	return caps & EPT_CAP_1G ? 3 : 2;
}

static void vmx_domain_free(struct vmx_domain *vd)
{
	npt_fini(&vd->ept);
	hvm_os_free_pages(vd->apic_page, HVM_PAGE_SIZE);
	hvm_os_free(vd);
}

static int vmx_domain_init(struct domain *d)
{
	bool pml = vmx_has(VMX_WORD_PROC2, VMX_PROC2_PML);
	struct vmx_domain *vd;
	int rc = hw_check_model(d, "vmx");

	if (rc)
		return rc;
	vd = hvm_os_alloc(sizeof(*vd));
	if (!vd)
		return -HVM_ENOMEM;
	rc = npt_init(&vd->ept, pml ? &vmx_ept_format_dirty : &vmx_ept_format, 4,
		      vmx_ept_leaf_level());
	if (rc) {
		hvm_os_free(vd);
		return rc;
	}
	vd->id = __atomic_add_fetch(&vmx_host.last_domain_id, 1, __ATOMIC_RELAXED);
	if (vmx_apic_offered()) {
		vd->apic_page = hvm_os_alloc_pages(HVM_PAGE_SIZE);
		if (!vd->apic_page) {
			vmx_domain_free(vd);
			return -HVM_ENOMEM;
		}
		vd->apic_hpa = hvm_os_hva_to_hpa(vd->apic_page);
	}
	vd->ept_pointer = vd->ept.root_hpa | EPTP_WALK_4 | EPTP_WRITE_BACK;
	if (pml)
		vd->ept_pointer |= EPTP_DIRTY;
	d->vendor = vd;
	return 0;
}

static void vmx_domain_fini(struct domain *d)
{
	struct vmx_domain *vd = d->vendor;

	if (!vd)
		return;
	vmx_domain_free(vd);
	d->vendor = NULL;
}

static void vmx_vcpu_fini(struct vcpu *v)
{
	struct vmx_vcpu *vv = vmx_vcpu(v);

	if (!vv)
		return;
	v->vendor = NULL;
	hvm_os_pin();
	vmx_deactivate(vv);
	hvm_os_unpin();
	hw_vcpu_fini(v);
	vmx_vmcs_destroy(vv);
	hvm_os_free(vv);
}

static int vmx_vcpu_init(struct vcpu *v)
{
	struct vmx_vcpu *vv = hvm_os_alloc(sizeof(*vv));
	int rc;

	if (!vv)
		return -HVM_ENOMEM;
	vv->vcpu = v;
	vv->domain = v->domain->vendor;
	vv->cpu = HW_NO_CPU;
	vv->last_cpu = HW_NO_CPU;
	rc = vmx_vmcs_create(vv);
	if (rc) {
		hvm_os_free(vv);
		return rc;
	}
	hw_vcpu_init(v, &vv->hw);
	v->vendor = vv;
	return 0;
}

static uint64_t vmx_guest_rip(struct vcpu *v)
{
	return vmx_read(vmx_vcpu(v), VMX_GUEST_RIP);
}

static unsigned int vmx_tsc_ratio_bits(void)
{
	return vmx_has(VMX_WORD_PROC2, VMX_PROC2_TSC_SCALING) ? VMX_TSC_RATIO_BITS : 0;
}

/* Instructions that only run in a guest if VMX lets them. */
static void vmx_cpuid_filter(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	(void)v;
	host_cpuid_filter(leaf, subleaf, out);
	if (leaf == 7 && !subleaf && !vmx_has(VMX_WORD_PROC2, VMX_PROC2_INVPCID))
		out[1] &= ~(1u << 10);
	if (leaf == 0x80000001 && !vmx_has(VMX_WORD_PROC2, VMX_PROC2_RDTSCP))
		out[3] &= ~(1u << 27);
}

static const struct hvm_function_table vmx_function_table = {
	.name = "vmx",
	.domain_init = vmx_domain_init,
	.domain_fini = vmx_domain_fini,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_fini = vmx_vcpu_fini,
	.vcpu_reset = hw_vcpu_reset,
	.vcpu_start = vmx_vcpu_start,
	.store_state = vmx_store_state,
	.load_state = vmx_load_state,
	.can_inject = vmx_can_inject,
	.translate = vmx_translate,
	.guest_rip = vmx_guest_rip,
	.tsc_ratio_bits = vmx_tsc_ratio_bits,
	.run = vmx_run,
	.inject_event = vmx_inject_event,
	.intr_window = vmx_intr_window,
	.kick = hw_kick,
	.p2m_changed = vmx_p2m_changed,
	.dirty_log_changed = vmx_dirty_log_changed,
	.cpuid_filter = vmx_cpuid_filter,
};

/* The reasons of vmx_caps.c say what the processor lacks. */
static const char *vmx_this_processor(const char *lacks)
{
	static char text[100];

	hvm_os_format(text, sizeof(text), "this processor %s", lacks);
	return text;
}

static int vmx_l1d_fill_create(void)
{
	const struct vmx_features *f = &vmx_host.features;

	if (!f->must_flush_l1d || f->has_flush_l1d || vmx_host.l1d_fill)
		return 0;
	vmx_host.l1d_fill = hvm_os_alloc_pages(VMX_L1D_BYTES);
	return vmx_host.l1d_fill ? 0 : -HVM_ENOMEM;
}

const struct hvm_function_table *vmx_probe(const char **why, int *error)
{
	int rc = 0;

	*why = vmx_read_features(&vmx_host.features, error);
	if (*why) {
		*why = vmx_this_processor(*why);
		return NULL;
	}
	host_cpuid_look();
	if (!vmx_host.msr_bitmap)
		rc = vmx_msr_bitmap_create();
	if (!rc)
		rc = vmx_l1d_fill_create();
	if (!rc)
		rc = hvm_os_on_each_cpu(vmx_cpu_on, vmx_cpu_off, CR4_VMXE);
	switch (rc) {
	case 0: return &vmx_function_table;
	case -HVM_EBUSY: *why = "another hypervisor uses VT-x (kvm_intel?)"; break;
	case -HVM_ENODEV: *why = "some processors of this host do not serve vmx"; break;
	default: *why = "no memory"; break;
	}
	*error = rc;
	return NULL;
}
