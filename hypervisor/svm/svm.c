/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm.c - AMD SVM as a vendor: what the processor offers, SVM on and off on each CPU, and the
 * function table.
 * Locking: probing is serialised by the caller; on() and off() run on their CPU. Not saved.
 * Source: AMD APM Vol 2 15.4 "Enabling SVM", Vol 3 App. E "CPUID Fn8000_000A".
 */
#include "svm/svm.h"

#include "x86/host.h"
#include "x86/host_cpuid.h"

#define MSR_VM_CR	   0xc0010114u
#define MSR_VM_HSAVE_PA	   0xc0010117u
#define MSR_SYSCFG	   0xc0010010u
#define VM_CR_SVMDIS	   HVM_BIT(4)
#define SYSCFG_MEM_ENCRYPT HVM_BIT(23)
#define EFER_SVME	   HVM_BIT(12)
#define CR4_LA57	   HVM_BIT(12)
#define CR4_OSXSAVE	   HVM_BIT(18)

struct svm_host svm_host;

/* -- what the processor offers ----------------------------------------------------------------- */

static bool svm_bit(uint32_t reg, unsigned int bit)
{
	return reg >> bit & 1;
}

static void svm_read_features(struct svm_features *f)
{
	const struct host_cpuid svm = host_cpuid_leaf(0x8000000a, 0);
	const struct host_cpuid ext1 = host_cpuid_leaf(0x80000001, 0);
	const struct host_cpuid ext8 = host_cpuid_leaf(0x80000008, 0);
	const struct host_cpuid leaf7 = host_cpuid_leaf(7, 0);
	const struct host_cpuid xsave = host_cpuid_leaf(0xd, 1);

	*f = (struct svm_features){
		.asids = svm.ebx,
		.has_next_rip = svm_bit(svm.edx, 3),
		.has_tsc_ratio = svm_bit(svm.edx, 4),
		.has_clean_bits = svm_bit(svm.edx, 5),
		.has_flush_by_asid = svm_bit(svm.edx, 6),
		.has_decode_assists = svm_bit(svm.edx, 7),
		.has_pause_filter = svm_bit(svm.edx, 10),
		.has_pause_threshold = svm_bit(svm.edx, 12),
		.has_vgif = svm_bit(svm.edx, 16),
		.has_xsave = host_cr4() & CR4_OSXSAVE,
		.has_tsc_aux = svm_bit(ext1.edx, 27),
		.has_ibpb = svm_bit(ext8.ebx, 12) || svm_bit(leaf7.edx, 26),
		.has_spec_ctrl = svm_bit(ext8.ebx, 14) || svm_bit(ext8.ebx, 15) ||
				 svm_bit(ext8.ebx, 24) || svm_bit(leaf7.edx, 26),
		/* Nested tables have the paging mode of the host. */
		.npt_levels = host_cr4() & CR4_LA57 ? 5 : 4,
		.npt_leaf_level = svm_bit(ext1.edx, 26) ? 3 : 2,
	};
	f->has_xss = f->has_xsave && svm_bit(xsave.eax, 3);
}

/* NULL: this CPU has what it takes. Else why not, and *error says which kind of reason it is. */
static const char *svm_refusal(int *error)
{
	const struct host_cpuid ext1 = host_cpuid_leaf(0x80000001, 0);
	const struct host_cpuid svm = host_cpuid_leaf(0x8000000a, 0);

	*error = -HVM_ENODEV;
	if (!svm_bit(ext1.ecx, 2))
		return "this processor has no SVM";
	if (!svm_bit(svm.edx, 0))
		return "this processor's SVM has no nested paging";
	if (svm.ebx < 2)
		return "this processor has no address space identifiers";
	if (host_rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
		*error = -HVM_EPERM;
		return "firmware has switched SVM off";
	}
	if (svm_bit(host_cpuid_leaf(0x8000001f, 0).eax, 0) &&
	    (host_rdmsr(MSR_SYSCFG) & SYSCFG_MEM_ENCRYPT))
		return "the host's memory is encrypted (SME), which svm does not serve yet";
	return NULL;
}

/* -- one CPU ------------------------------------------------------------------------------------
 */

static struct svm_cpu *svm_cpu_create(void)
{
	struct svm_cpu *c = hvm_os_alloc(sizeof(*c));

	if (!c)
		return NULL;
	c->hsave = hvm_os_alloc_pages(HVM_PAGE_SIZE);
	c->host = hvm_os_alloc_pages(HVM_PAGE_SIZE);
	if (!c->hsave || !c->host) {
		hvm_os_free_pages(c->hsave, HVM_PAGE_SIZE);
		hvm_os_free_pages(c->host, HVM_PAGE_SIZE);
		hvm_os_free(c);
		return NULL;
	}
	c->hsave_hpa = hvm_os_hva_to_hpa(c->hsave);
	c->host_hpa = hvm_os_hva_to_hpa(c->host);
	return c;
}

/* After suspend the CPU's memory is there already. */
static int svm_cpu_on(void)
{
	unsigned int cpu = hvm_os_cpu();
	struct svm_cpu *c;
	int error;

	if (cpu >= SVM_MAX_CPUS)
		return -HVM_ENODEV;
	if (svm_refusal(&error))
		return error;
	if (host_rdmsr(HOST_MSR_EFER) & EFER_SVME)
		return -HVM_EBUSY;
	c = svm_host.cpu[cpu];
	if (!c)
		c = svm_cpu_create();
	if (!c)
		return -HVM_ENOMEM;
	svm_host.cpu[cpu] = c;
	/* Whoever was here before may have left translations: the first ASID starts with none. */
	c->next_asid = svm_host.features.asids;
	c->asid_generation++;
	c->last_domain = 0;
	c->tsc_ratio = 0;
	host_wrmsr(HOST_MSR_EFER, host_rdmsr(HOST_MSR_EFER) | EFER_SVME);
	host_wrmsr(MSR_VM_HSAVE_PA, c->hsave_hpa);
	__atomic_store_n(&c->on, true, __ATOMIC_SEQ_CST);
	return 0;
}

static void svm_cpu_off(void)
{
	struct svm_cpu *c = svm_host.cpu[hvm_os_cpu()];

	__atomic_store_n(&c->on, false, __ATOMIC_SEQ_CST);
	if (svm_host.features.has_tsc_ratio)
		host_wrmsr(SVM_MSR_TSC_RATIO, SVM_TSC_RATIO_ONE);
	host_wrmsr(MSR_VM_HSAVE_PA, 0);
	host_wrmsr(HOST_MSR_EFER, host_rdmsr(HOST_MSR_EFER) & ~EFER_SVME);
}

void svm_unload(void)
{
	for (unsigned int i = 0; i < SVM_MAX_CPUS; i++) {
		struct svm_cpu *c = svm_host.cpu[i];

		if (!c)
			continue;
		hvm_os_free_pages(c->hsave, HVM_PAGE_SIZE);
		hvm_os_free_pages(c->host, HVM_PAGE_SIZE);
		hvm_os_free(c);
		svm_host.cpu[i] = NULL;
	}
	svm_maps_destroy();
}

/* -- construct ----------------------------------------------------------------------------------
 */

static int svm_domain_init(struct domain *d)
{
	const struct svm_features *f = &svm_host.features;
	struct svm_domain *sd;
	int rc = hw_check_model(d, "svm");

	if (rc)
		return rc;
	sd = hvm_os_alloc(sizeof(*sd));
	if (!sd)
		return -HVM_ENOMEM;
	rc = npt_init(&sd->npt, &svm_npt_format, f->npt_levels, f->npt_leaf_level);
	if (rc) {
		hvm_os_free(sd);
		return rc;
	}
	sd->id = __atomic_add_fetch(&svm_host.last_domain_id, 1, __ATOMIC_RELAXED);
	d->vendor = sd;
	return 0;
}

static void svm_domain_fini(struct domain *d)
{
	struct svm_domain *sd = d->vendor;

	if (!sd)
		return;
	npt_fini(&sd->npt);
	hvm_os_free(sd);
	d->vendor = NULL;
}

static void svm_vcpu_fini(struct vcpu *v)
{
	struct svm_vcpu *sv = svm_vcpu(v);

	if (!sv)
		return;
	v->vendor = NULL;
	hw_vcpu_fini(v);
	svm_vmcb_destroy(sv);
	hvm_os_free(sv);
}

static int svm_vcpu_init(struct vcpu *v)
{
	struct svm_vcpu *sv = hvm_os_alloc(sizeof(*sv));
	int rc;

	if (!sv)
		return -HVM_ENOMEM;
	sv->vcpu = v;
	sv->domain = v->domain->vendor;
	sv->cpu = HW_NO_CPU;
	rc = svm_vmcb_create(sv);
	if (rc) {
		hvm_os_free(sv);
		return rc;
	}
	hw_vcpu_init(v, &sv->hw);
	v->vendor = sv;
	return 0;
}

static uint64_t svm_guest_rip(struct vcpu *v)
{
	return svm_vcpu(v)->vmcb->rip;
}

static unsigned int svm_tsc_ratio_bits(void)
{
	return svm_host.features.has_tsc_ratio ? SVM_TSC_RATIO_BITS : 0;
}

static void svm_cpuid_filter(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	(void)v;
	host_cpuid_filter(leaf, subleaf, out);
}

static const struct hvm_function_table svm_function_table = {
	.name = "svm",
	.cpu_is_amd = true,
	.domain_init = svm_domain_init,
	.domain_fini = svm_domain_fini,
	.vcpu_init = svm_vcpu_init,
	.vcpu_fini = svm_vcpu_fini,
	.vcpu_reset = hw_vcpu_reset,
	.vcpu_start = svm_vcpu_start,
	.store_state = svm_store_state,
	.load_state = svm_load_state,
	.can_inject = svm_can_inject,
	.translate = svm_translate,
	.guest_rip = svm_guest_rip,
	.tsc_ratio_bits = svm_tsc_ratio_bits,
	.run = svm_run,
	.inject_event = svm_inject_event,
	.intr_window = svm_intr_window,
	.kick = hw_kick,
	.p2m_changed = svm_p2m_changed,
	.dirty_log_changed = svm_dirty_log_changed,
	.cpuid_filter = svm_cpuid_filter,
};

const struct hvm_function_table *svm_probe(const char **why, int *error)
{
	int rc = 0;

	*why = svm_refusal(error);
	if (*why)
		return NULL;
	svm_read_features(&svm_host.features);
	host_cpuid_look();
	if (!svm_host.msrpm)
		rc = svm_maps_create();
	if (!rc)
		rc = hvm_os_on_each_cpu(svm_cpu_on, svm_cpu_off, 0);
	switch (rc) {
	case 0: return &svm_function_table;
	case -HVM_EBUSY: *why = "another hypervisor uses SVM (kvm_amd?)"; break;
	case -HVM_EPERM: *why = "firmware has switched SVM off on some processors"; break;
	case -HVM_ENODEV: *why = "some processors of this host do not serve svm"; break;
	default: *why = "no memory"; break;
	}
	*error = rc;
	return NULL;
}
