/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_vmcb.c - a vcpu's VMCB: what is intercepted, and its address space identifier.
 * Locking: the vcpu's thread; ASIDs of a CPU: whoever is pinned to it. Not saved.
 * Source: AMD APM Vol 2 15.5 "VMRUN Instruction", 15.15.3 "VMCB Clean Field", 15.16 "TLB Control".
 */
#include "svm/svm.h"

#define SVM_PAUSE_COUNT	    3000u
#define SVM_PAUSE_THRESHOLD 128u

/*
 * CR4: its value must be one that the guest's CPUID allows. DR: until the first access. #DB and
 * #AC: a guest could make their delivery never end. #MC: the host's.
 */
static void svm_vmcb_intercepts(struct svm_vmcb *b)
{
	b->intercept[SVM_IW_CR] = SVM_I_CR_WRITE(4);
	b->intercept[SVM_IW_DR] = ~0u;
	b->intercept[SVM_IW_EXCEPTION] = 1u << X86_DB | 1u << X86_AC | 1u << X86_MC;
	b->intercept[SVM_IW_MISC1] = SVM_I_INTR | SVM_I_NMI | SVM_I_SMI | SVM_I_INIT | SVM_I_RDPMC |
				     SVM_I_CPUID | SVM_I_RSM | SVM_I_INVD | SVM_I_HLT |
				     SVM_I_INVLPGA | SVM_I_IOIO | SVM_I_MSR | SVM_I_FERR_FREEZE |
				     SVM_I_SHUTDOWN;
	b->intercept[SVM_IW_MISC2] = SVM_I2_VMRUN | SVM_I2_VMMCALL | SVM_I2_VMLOAD | SVM_I2_VMSAVE |
				     SVM_I2_STGI | SVM_I2_CLGI | SVM_I2_SKINIT | SVM_I2_WBINVD |
				     SVM_I2_MONITOR | SVM_I2_MWAIT | SVM_I2_MWAIT_COND |
				     SVM_I2_XSETBV | SVM_I2_RDPRU;
}

int svm_vmcb_create(struct svm_vcpu *sv)
{
	const struct svm_features *f = &svm_host.features;
	struct svm_vmcb *b = hvm_os_alloc_pages(sizeof(*b));

	if (!b)
		return -HVM_ENOMEM;
	sv->vmcb = b;
	sv->vmcb_hpa = hvm_os_hva_to_hpa(b);
	svm_vmcb_intercepts(b);
	if (f->has_pause_filter) {
		b->intercept[SVM_IW_MISC1] |= SVM_I_PAUSE;
		b->pause_filter_count = SVM_PAUSE_COUNT;
		b->pause_filter_threshold = f->has_pause_threshold ? SVM_PAUSE_THRESHOLD : 0;
	}
	b->iopm_base = svm_host.iopm_hpa;
	b->msrpm_base = svm_host.msrpm_hpa;
	b->int_ctl = SVM_V_INTR_MASKING;
	if (f->has_vgif)
		b->int_ctl |= SVM_V_GIF_ENABLE | SVM_V_GIF;
	b->np_control = SVM_NP_ENABLE;
	b->nested_cr3 = sv->domain->npt.root_hpa;
	svm_touch(sv, SVM_CLEAN_ALL);
	return 0;
}

void svm_vmcb_destroy(struct svm_vcpu *sv)
{
	hvm_os_free_pages(sv->vmcb, sizeof(*sv->vmcb));
	sv->vmcb = NULL;
}

void svm_intercept(struct svm_vcpu *sv, enum svm_intercept_word word, uint32_t bits, bool on)
{
	uint32_t old = sv->vmcb->intercept[word];
	uint32_t new = on ? old | bits : old & ~bits;

	if (new == old)
		return;
	sv->vmcb->intercept[word] = new;
	svm_touch(sv, SVM_CLEAN_INTERCEPTS);
}

/* When all are used up, those given out are void: a new generation starts with an empty TLB. */
void svm_next_asid(struct svm_vcpu *sv, struct svm_cpu *c)
{
	sv->vmcb->tlb_control = SVM_TLB_KEEP;
	if (c->next_asid >= svm_host.features.asids) {
		c->asid_generation++;
		c->next_asid = 1;
		sv->vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
	}
	sv->asid = c->next_asid++;
	sv->asid_generation = c->asid_generation;
	sv->vmcb->asid = sv->asid;
	svm_touch(sv, SVM_CLEAN_ASID);
}
