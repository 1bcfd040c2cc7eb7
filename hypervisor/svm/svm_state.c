/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_state.c - a vcpu's state between struct hvm_vcpu_state and the VMCB.
 * Locking: the vcpu's thread, or the vcpu does not run. Source: AMD APM Vol 2 15.5.1 "Basic
 * Operation", App. B "VMCB Layout".
 */
#include "svm/svm.h"

#include "devices/chips.h"
#include "x86/ctlreg.h"

/* EFER.SVME must be set when a guest runs; the guest does not see it. */
#define SVM_EFER_SVME 0x1000u

/* Same meaning in both, but for the null segments: here they are not present. */
static struct svm_seg svm_seg_from(const struct hvm_seg *s)
{
	struct svm_seg r = { .selector = s->sel, .limit = s->limit, .base = s->base };

	if (!(s->ar & HVM_AR_UNUSABLE))
		r.attrib = (uint16_t)((s->ar & 0xff) | ((s->ar >> 4) & 0xf00));
	return r;
}

static struct hvm_seg svm_seg_to(const struct svm_seg *s)
{
	struct hvm_seg r = { .sel = s->selector, .limit = s->limit, .base = s->base };

	r.ar = (s->attrib & 0xffu) | (uint32_t)(s->attrib & 0xf00) << 4;
	return r;
}

/* What the processor leaves in a segment that is not used differs from model to model. */
static struct hvm_seg svm_data_seg_to(const struct svm_seg *s)
{
	struct hvm_seg r = svm_seg_to(s);

	if (r.ar & HVM_AR_P)
		r.ar |= HVM_AR_ACCESSED;
	else
		r.ar = HVM_AR_UNUSABLE;
	return r;
}

static void svm_store_segments(const struct svm_vmcb *b, struct hvm_vcpu_state *ret)
{
	ret->seg[HVM_SEG_ES] = svm_data_seg_to(&b->es);
	ret->seg[HVM_SEG_SS] = svm_data_seg_to(&b->ss);
	ret->seg[HVM_SEG_DS] = svm_data_seg_to(&b->ds);
	ret->seg[HVM_SEG_FS] = svm_data_seg_to(&b->fs);
	ret->seg[HVM_SEG_GS] = svm_data_seg_to(&b->gs);
	ret->seg[HVM_SEG_CS] = svm_seg_to(&b->cs);
	ret->seg[HVM_SEG_LDTR] = svm_seg_to(&b->ldtr);
	if (!(ret->seg[HVM_SEG_LDTR].ar & HVM_AR_P))
		ret->seg[HVM_SEG_LDTR].ar = HVM_AR_UNUSABLE;
	ret->seg[HVM_SEG_TR] = svm_seg_to(&b->tr);
	ret->seg[HVM_SEG_TR].ar |= 2; /* busy: see svm_load_segments() */
	/* CPL is the VMCB's own; in struct hvm_vcpu_state it is SS.DPL. */
	ret->seg[HVM_SEG_SS].ar = (ret->seg[HVM_SEG_SS].ar & ~HVM_AR_DPL_MASK) |
				  (uint32_t)b->cpl << HVM_AR_DPL_SHIFT;
	ret->gdtr = (struct hvm_dtable){ .base = b->gdtr.base, .limit = (uint16_t)b->gdtr.limit };
	ret->idtr = (struct hvm_dtable){ .base = b->idtr.base, .limit = (uint16_t)b->idtr.limit };
}

static unsigned int svm_cpl_of(const struct hvm_vcpu_state *s)
{
	if (!(s->cr0 & X86_CR0_PE))
		return 0;
	if (s->rflags & X86_EFL_VM)
		return 3;
	return (s->seg[HVM_SEG_SS].ar & HVM_AR_DPL_MASK) >> HVM_AR_DPL_SHIFT;
}

static void svm_load_segments(struct svm_vmcb *b, const struct hvm_vcpu_state *s)
{
	b->es = svm_seg_from(&s->seg[HVM_SEG_ES]);
	b->cs = svm_seg_from(&s->seg[HVM_SEG_CS]);
	b->ss = svm_seg_from(&s->seg[HVM_SEG_SS]);
	b->ds = svm_seg_from(&s->seg[HVM_SEG_DS]);
	b->fs = svm_seg_from(&s->seg[HVM_SEG_FS]);
	b->gs = svm_seg_from(&s->seg[HVM_SEG_GS]);
	b->ldtr = svm_seg_from(&s->seg[HVM_SEG_LDTR]);
	/*
	 * Processors keep no busy bit here: LTR leaves "available" in what VMSAVE stores. QEMU's
	 * software CPU goes down over one that was given to it.
	 */
	b->tr = svm_seg_from(&s->seg[HVM_SEG_TR]);
	b->tr.attrib &= ~2u;
	b->gdtr = (struct svm_seg){ .base = s->gdtr.base, .limit = s->gdtr.limit };
	b->idtr = (struct svm_seg){ .base = s->idtr.base, .limit = s->idtr.limit };
	b->cpl = (uint8_t)svm_cpl_of(s);
}

/* Fields that both structures have under one name. */
/* clang-format off */
#define SVM_SAME_FIELDS(M) \
	M(rip) M(rflags) M(cr0) M(cr2) M(cr3) M(cr4) M(dr6) M(dr7) M(star) M(lstar) M(cstar) \
	M(sfmask) M(kernel_gs_base) M(sysenter_cs) M(sysenter_esp) M(sysenter_eip)
/* clang-format on */

void svm_store_state(struct vcpu *v, struct hvm_vcpu_state *ret)
{
	struct svm_vcpu *sv = svm_vcpu(v);
	const struct svm_vmcb *b = sv->vmcb;

	memcpy(ret->gpr, sv->gpr, sizeof(ret->gpr));
#define SVM_STORE(field) ret->field = b->field;
	SVM_SAME_FIELDS(SVM_STORE)
#undef SVM_STORE
	if (sv->stepping)
		ret->rflags = (ret->rflags & ~(uint64_t)X86_EFL_TF) |
			      (sv->step_rflags & X86_EFL_TF);
	if (b->cr0 == (sv->cr0_asked & ~(uint64_t)(X86_CR0_CD | X86_CR0_NW)))
		ret->cr0 = sv->cr0_asked;
	ret->efer = b->efer & ~(uint64_t)SVM_EFER_SVME;
	svm_store_segments(b, ret);
	memcpy(ret->dr, sv->dr, sizeof(ret->dr));
	ret->tsc_aux = sv->tsc_aux;
	ret->xcr0 = sv->xcr0;
	ret->xss = 0;
	ret->pat = v->msr_pat;
	ret->cr8 = vlapic_cr8_read(v);
	memset(ret->pdpte, 0, sizeof(ret->pdpte));
	if ((b->cr0 & X86_CR0_PG) && (b->cr4 & X86_CR4_PAE) && !(b->efer & X86_EFER_LMA))
		guest_pdptes(v, b->cr3, ret->pdpte);
	ret->intr_shadow = b->int_state & SVM_INTERRUPT_SHADOW ? HVM_INTR_SHADOW_STI : 0;
	if (sv->nmi_masked)
		ret->intr_shadow |= HVM_INTR_SHADOW_NMI;
	ret->activity = __atomic_load_n(&v->activity, __ATOMIC_SEQ_CST);
	memcpy(ret->xsave, sv->fpu, sizeof(ret->xsave));
	/* An event on its way is the core's from here on. */
	if (v->reinject.type == HVM_EVENT_NONE)
		v->reinject = svm_take_pending(sv);
}

int svm_load_state(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	struct svm_vcpu *sv = svm_vcpu(v);
	struct svm_vmcb *b = sv->vmcb;

	if (!x86_xcr0_write_ok(s->xcr0, hvm_xcr0_allowed(v)))
		return -HVM_EINVAL;
	memcpy(sv->gpr, s->gpr, sizeof(sv->gpr));
#define SVM_LOAD(field) b->field = s->field;
	SVM_SAME_FIELDS(SVM_LOAD)
#undef SVM_LOAD
	b->efer = s->efer | SVM_EFER_SVME;
	/* Firmware seldom ends the state after reset, in which the processor would not cache. */
	b->cr0 &= ~(uint64_t)(X86_CR0_CD | X86_CR0_NW);
	sv->cr0_asked = s->cr0;
	svm_load_segments(b, s);
	memcpy(sv->dr, s->dr, sizeof(sv->dr));
	sv->tsc_aux = s->tsc_aux;
	sv->xcr0 = s->xcr0;
	hw_load_fpu(sv->fpu, s);
	svm_forget_events(sv);
	b->int_state = s->intr_shadow & (HVM_INTR_SHADOW_STI | HVM_INTR_SHADOW_MOV_SS)
			       ? SVM_INTERRUPT_SHADOW
			       : 0;
	sv->nmi_masked = s->intr_shadow & HVM_INTR_SHADOW_NMI;
	svm_intercept(sv, SVM_IW_MISC1, SVM_I_IRET, sv->nmi_masked);
	sv->hw.io_retry = false;
	svm_touch(sv, SVM_CLEAN_ALL);
	hw_flush(&sv->hw);
	if (v->vlapic)
		vlapic_cr8_write(v, s->cr8);
	__atomic_store_n(&v->activity, s->activity, __ATOMIC_SEQ_CST);
	return 0;
}

void svm_vcpu_start(struct vcpu *v, uint8_t vector)
{
	struct svm_vcpu *sv = svm_vcpu(v);

	sv->vmcb->cs.selector = (uint16_t)(vector << 8);
	sv->vmcb->cs.base = (uint64_t)vector << 12;
	sv->vmcb->rip = 0;
	svm_touch(sv, SVM_CLEAN_SEG);
}

/* -- auxiliary state --------------------------------------------------------------------------- */

struct guest_paging svm_paging(const struct svm_vcpu *sv)
{
	const struct svm_vmcb *b = sv->vmcb;

	return (struct guest_paging){
		.cr0 = b->cr0, .cr3 = b->cr3, .cr4 = b->cr4, .efer = b->efer, .cpl = b->cpl
	};
}

enum x86_code_size svm_code_size(const struct svm_vcpu *sv)
{
	const struct hvm_seg cs = svm_seg_to(&sv->vmcb->cs);

	if ((sv->vmcb->efer & X86_EFER_LMA) && (cs.ar & HVM_AR_L))
		return X86_CODE64;
	return cs.ar & HVM_AR_DB ? X86_CODE32 : X86_CODE16;
}

int svm_translate(struct vcpu *v, gva_t gva, gpa_t *ret)
{
	struct guest_paging g = svm_paging(svm_vcpu(v));

	/* For others' eyes: whatever is mapped. */
	g.cpl = 0;
	return guest_translate(v, &g, gva, WALK_AC, ret);
}
