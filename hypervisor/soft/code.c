/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * code.c - which guest memory holds decoded code, for all vcpus of a domain: a flag per page
 * (P2M_PAGE_CODE, which keeps write entries away) and a mask of 64-byte granules per page.
 *
 * Locking: struct soft_domain.code_lock orders changes of mask and flag; both are read without it.
 * Two orders make it safe: who decodes marks first and then reads the bytes; who writes, writes
 * first and then looks for marks. A vcpu with a write entry (or a pointer, held_gfn) does not look,
 * so whoever marks a page has those taken away first, and whoever decodes there waits until that is
 * done. Not saved. Source: Intel SDM Vol 3A 8.1.3 "Handling Self- and Cross-Modifying Code".
 */
#include "soft/soft.h"

/* After so many stores that only pass by code, decoding anew is cheaper than the slow stores. */
#define SOFT_MISS_LIMIT 128

/* The mask of page @gfn; NULL: none (yet). */
static uint64_t *soft_granule_mask(struct soft_domain *sd, gfn_t gfn, bool create)
{
	struct soft_granules **slot, *leaf, *other = NULL;

	if (gfn >= (gfn_t)SOFT_ROOT_ENTRIES * SOFT_LEAF_PAGES)
		return NULL;
	slot = &sd->granules[gfn / SOFT_LEAF_PAGES];
	leaf = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	if (!leaf && create) {
		leaf = hvm_os_alloc_pages(sizeof(*leaf));
		if (leaf && !__atomic_compare_exchange_n(slot, &other, leaf, false,
							 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			hvm_os_free_pages(leaf, sizeof(*leaf));
			leaf = other;
		}
	}
	return leaf ? &leaf->mask[gfn % SOFT_LEAF_PAGES] : NULL;
}

/* Granules of the page that [gpa, gpa + bytes), which does not leave it, touches. */
static uint64_t soft_granules_of(gpa_t gpa, uint64_t bytes)
{
	unsigned int first = (unsigned int)(gpa & ~HVM_PAGE_MASK) >> SOFT_GRANULE_SHIFT;
	unsigned int last = (unsigned int)((gpa + bytes - 1) & ~HVM_PAGE_MASK) >>
			    SOFT_GRANULE_SHIFT;

	return (~0ull << first) & (~0ull >> (63 - last));
}

/* Have every other vcpu give up its write entries of the page at @hva. */
static void soft_ask_purge(struct soft_vcpu *sv, const uint8_t *hva)
{
	const struct soft_request purge = { .hva = hva };
	struct domain *d = sv->vcpu->domain;

	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		struct soft_vcpu *other = d->vcpu[i]->vendor;

		if (other && other != sv)
			soft_post(other, 0, &purge);
	}
}

/*
 * Wait until nobody writes to the page without looking: whoever holds a pointer and, while write
 * entries of any page are being taken away, whoever has not done yet what he was asked for. That
 * may be this vcpu itself.
 */
static void soft_await_writers(struct soft_vcpu *sv, gfn_t gfn)
{
	bool purging = __atomic_load_n(&sv->domain->purging, __ATOMIC_SEQ_CST) != 0;
	struct domain *d = sv->vcpu->domain;
	uint64_t ticket[HVM_MAX_VCPUS] = { 0 };

	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		struct soft_vcpu *other = d->vcpu[i]->vendor;

		if (other == sv || !other)
			continue;
		if (purging)
			ticket[i] = __atomic_load_n(&other->requests.posted, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&other->held_gfn, __ATOMIC_SEQ_CST) == gfn)
			ticket[i] = soft_post(other, 0, NULL);
	}
	sv->at_boundary = true;
	if (purging)
		soft_serve(sv);
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (ticket[i])
			soft_wait(d->vcpu[i]->vendor, ticket[i]);
	}
	sv->at_boundary = false;
}

bool soft_code_add(struct soft_vcpu *sv, const struct p2m_range *r, gpa_t gpa, unsigned int bytes)
{
	struct soft_domain *sd = sv->domain;
	const uint8_t *hva = p2m_range_hva(r, gpa & HVM_PAGE_MASK);
	uint64_t *mask = soft_granule_mask(sd, gpa >> HVM_PAGE_SHIFT, true);
	uint64_t served = sv->serve_count;
	bool first; /* code in this page */

	hvm_os_spin_lock(&sd->code_lock);
	first = !(__atomic_fetch_or(p2m_range_flags(r, gpa), P2M_PAGE_CODE, __ATOMIC_SEQ_CST) &
		  P2M_PAGE_CODE);
	if (mask)
		__atomic_fetch_or(mask, soft_granules_of(gpa, bytes), __ATOMIC_SEQ_CST);
	/* Under the lock: who finds the page marked must find these requests, to wait for them too.
	 */
	if (first) {
		__atomic_fetch_add(&sd->purging, 1, __ATOMIC_SEQ_CST);
		soft_ask_purge(sv, hva);
	}
	hvm_os_spin_unlock(&sd->code_lock);
	if (first)
		soft_tlb_purge_writes(sv, hva);
	soft_await_writers(sv, gpa >> HVM_PAGE_SHIFT);
	if (first)
		__atomic_fetch_sub(&sd->purging, 1, __ATOMIC_SEQ_CST);
	return sv->serve_count == served;
}

/* The code in @bits of the page is void. */
static void soft_code_drop(struct soft_domain *sd, struct soft_vcpu *self,
			   const struct p2m_range *r, gpa_t gpa, uint64_t bits)
{
	struct domain *d = sd->domain;
	struct soft_request drop = { .gfn = gpa >> HVM_PAGE_SHIFT };
	uint64_t *mask = soft_granule_mask(sd, drop.gfn, false);

	hvm_os_spin_lock(&sd->code_lock);
	drop.granules = bits;
	/*
	 * First: whoever finds the marks gone and writes without a word knows of this request by
	 * then, so that it drops its block before it runs it again.
	 */
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		struct soft_vcpu *sv = d->vcpu[i]->vendor;

		if (sv && sv != self)
			soft_post(sv, 0, &drop);
	}
	if (mask && !(__atomic_and_fetch(mask, ~bits, __ATOMIC_SEQ_CST)))
		__atomic_fetch_and(p2m_range_flags(r, gpa), (uint8_t)~P2M_PAGE_CODE,
				   __ATOMIC_SEQ_CST);
	hvm_os_spin_unlock(&sd->code_lock);
	if (self)
		soft_blocks_drop(self, drop.gfn, bits);
}

void soft_code_written(struct soft_domain *sd, struct soft_vcpu *self, const struct p2m_range *r,
		       gpa_t gpa, uint64_t bytes)
{
	uint64_t bits = soft_granules_of(gpa, bytes);
	gfn_t gfn = gpa >> HVM_PAGE_SHIFT;
	uint64_t *mask;
	uint8_t *misses;

	if (!(__atomic_load_n(p2m_range_flags(r, gpa), __ATOMIC_SEQ_CST) & P2M_PAGE_CODE))
		return;
	mask = soft_granule_mask(sd, gfn, false);
	if (mask)
		bits &= __atomic_load_n(mask, __ATOMIC_SEQ_CST);
	if (bits) {
		soft_code_drop(sd, self, r, gpa, bits);
		return;
	}
	/* A hint only: lost counts do not matter. */
	misses = &sd->slow_stores[gfn % SOFT_SLOW_STORES];
	if (__atomic_add_fetch(misses, 1, __ATOMIC_RELAXED) >= SOFT_MISS_LIMIT) {
		__atomic_store_n(misses, 0, __ATOMIC_RELAXED);
		soft_code_drop(sd, self, r, gpa, ~0ull);
	}
}
