/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_mem.c - nested page faults and port I/O: memory that is not mapped yet, and devices.
 * Locking: the vcpu's thread, pinned; the changes of the p2m from any thread. Not saved.
 * Source: AMD APM Vol 2 15.25.6 "Nested versus Guest Page Faults", 15.10.2 "IN and OUT Behavior".
 */
#include "svm/svm.h"

#include "x86/emulate_mmio.h"

#define NPTE_P	0x001ull
#define NPTE_W	0x002ull
#define NPTE_U	0x004ull /* guest accesses count as user's */
#define NPTE_A	0x020ull
#define NPTE_D	0x040ull
#define NPTE_PS 0x080ull

/* Accessed and dirty are set from the start: nobody reads them, so the processor need not write. */
const struct npt_format svm_npt_format = {
	.present = NPTE_P,
	.table = NPTE_P | NPTE_W | NPTE_U | NPTE_A,
	.leaf = NPTE_P | NPTE_U | NPTE_A | NPTE_D,
	.write = NPTE_W,
	.large = NPTE_PS,
};

void svm_p2m_changed(struct domain *d, gfn_t gfn, uint64_t pages)
{
	struct svm_domain *sd = d->vendor;

	hw_p2m_changed(d, &sd->npt, gfn, pages);
}

void svm_dirty_log_changed(struct domain *d)
{
	struct svm_domain *sd = d->vendor;

	if (!p2m_dirty_logging(&d->p2m)) {
		/* Large pages come back where they can. */
		svm_p2m_changed(d, 0, HVM_BIT(40));
		return;
	}
	npt_write_protect(&sd->npt);
	hw_flush_all(d);
}

/* -- devices ----------------------------------------------------------------------------------- */

/* ioemu serves the access; the instruction is tried again when it has. */
static int svm_io_wait(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	sv->hw.io_retry = true;
	return svm_leave(sv, ret, HVM_EXIT_IOREQ);
}

/* For user space: libhvm executes the instruction, or delivers the event that was cut short. */
static int svm_emulate(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	sv->hw.io_retry = false;
	return svm_leave(sv, ret, HVM_EXIT_EMULATE);
}

static void svm_emulate_regs(const struct svm_vcpu *sv, struct emulate_regs *r)
{
	const struct svm_vmcb *b = sv->vmcb;

	r->rip = b->rip;
	r->rflags = b->rflags;
	r->code_size = (uint8_t)svm_code_size(sv);
	r->seg_base[HVM_SEG_FS] = b->fs.base;
	r->seg_base[HVM_SEG_GS] = b->gs.base;
	if (r->code_size == X86_CODE64)
		return;
	r->seg_base[HVM_SEG_ES] = b->es.base;
	r->seg_base[HVM_SEG_CS] = b->cs.base;
	r->seg_base[HVM_SEG_SS] = b->ss.base;
	r->seg_base[HVM_SEG_DS] = b->ds.base;
}

static int svm_device_memory(struct svm_vcpu *sv, gpa_t gpa, struct hvm_exit *ret)
{
	struct emulate_regs r = { .gpr = sv->gpr };
	int rc;

	/* What waited for ioemu is the same instruction: it was fetched once. */
	if (!sv->hw.io_retry &&
	    ((sv->vmcb->exitinfo1 & SVM_NPF_GUEST_TABLE) ||
	     (sv->vmcb->eventinj & SVM_EVENT_VALID) || svm_decode(sv, &sv->io_insn)))
		return svm_emulate(sv, ret);
	svm_emulate_regs(sv, &r);
	rc = emulate_mmio(sv->vcpu, &r, &sv->io_insn, gpa);
	if (rc == -HVM_EAGAIN)
		return svm_io_wait(sv, ret);
	if (rc)
		return svm_emulate(sv, ret);
	hw_io_retire(sv->vcpu);
	sv->vmcb->rflags = r.rflags;
	return svm_skip_to(sv, sv->vmcb->rip + sv->io_insn.len);
}

int svm_exit_npf(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	gpa_t gpa = sv->vmcb->exitinfo2;
	int rc = npt_fault(&sv->domain->npt, &sv->vcpu->domain->p2m, &sv->hw.npt_cache, gpa,
			   sv->vmcb->exitinfo1 & SVM_NPF_WRITE);

	if (hvm_likely(!rc)) {
		/* A device was there when the instruction began to wait. */
		if (hvm_unlikely(sv->hw.io_retry))
			hw_io_retire(sv->vcpu);
		return HW_RESUME;
	}
	if (rc == -HVM_EAGAIN)
		return HW_REFILL;
	return svm_device_memory(sv, gpa, ret);
}

/* exitinfo2: rip of the next instruction. */
int svm_exit_ioio(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	uint64_t info = sv->vmcb->exitinfo1;

	if (info & SVM_IOIO_STRING)
		return svm_emulate(sv, ret);
	if (hw_port_io(sv->vcpu, SVM_IOIO_PORT(info), SVM_IOIO_SIZE(info), info & SVM_IOIO_IN,
		       &sv->gpr[X86_RAX]))
		return svm_io_wait(sv, ret);
	return svm_skip_to(sv, sv->vmcb->exitinfo2);
}
