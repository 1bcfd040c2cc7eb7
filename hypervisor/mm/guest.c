/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.c - guest linear memory by walk.c and the p2m. Owns nothing; the vcpu's thread. Not saved.
 * All walks here are probes: the processor has made the access itself, and has set what bits it
 * sets. Source: Intel SDM Vol 3A ch. 4 "Paging".
 */
#include "mm/guest.h"

#include "x86/cpu.h"

#define GUEST_PHYS_BITS 40u /* what CPUID shows */

static void *guest_hva(void *arg, gpa_t gpa)
{
	const struct vcpu *v = arg;
	const struct p2m_range *r = p2m_lookup(&v->domain->p2m, gpa);

	return r ? p2m_range_hva(r, gpa) : NULL;
}

void guest_pdptes(struct vcpu *v, uint64_t cr3, uint64_t ret[4])
{
	if (p2m_copy_from(&v->domain->p2m, cr3 & 0xffffffe0u, ret, 4 * sizeof(ret[0])))
		memset(ret, 0, 4 * sizeof(ret[0]));
}

int guest_translate(struct vcpu *v, const struct guest_paging *g, gva_t gva, unsigned int access,
		    gpa_t *ret)
{
	uint64_t pdpte[4] = { 0 };
	const struct walk_regs regs = {
		.cr0 = g->cr0,
		.cr3 = g->cr3,
		.cr4 = g->cr4,
		.efer = g->efer,
		.pdpte = pdpte,
		.gpa_to_hva = guest_hva,
		.arg = v,
		.maxphyaddr = GUEST_PHYS_BITS,
	};
	struct walk_result w;

	if ((g->cr0 & X86_CR0_PG) && (g->cr4 & X86_CR4_PAE) && !(g->efer & X86_EFER_LMA))
		guest_pdptes(v, g->cr3, pdpte);
	if (walk_gva(&regs, gva, access | WALK_PROBE, &w))
		return -HVM_EFAULT;
	*ret = w.gpa;
	return 0;
}

size_t guest_fetch(struct vcpu *v, const struct guest_paging *g, gva_t gva, uint8_t *buf,
		   size_t bytes)
{
	unsigned int access = WALK_FETCH | (g->cpl == 3 ? WALK_USER : 0);
	size_t done = 0;

	while (done < bytes) {
		size_t n = HVM_PAGE_SIZE - (size_t)((gva + done) & ~HVM_PAGE_MASK);
		gpa_t gpa;

		if (n > bytes - done)
			n = bytes - done;
		if (guest_translate(v, g, gva + done, access, &gpa) ||
		    p2m_copy_from(&v->domain->p2m, gpa, buf + done, n))
			break;
		done += n;
	}
	return done;
}
