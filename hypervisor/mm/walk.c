/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk.c - guest page-table walk: every paging mode, exact faults, accessed and dirty bits.
 * Owns nothing. Locking: none; other vcpus may change the tables at any time, so each entry is read
 * once, and accessed/dirty bits are set by compare-and-exchange: if an entry has changed meanwhile,
 * the walk starts again. Saved: nothing.
 * Source: Intel SDM Vol 3A ch. 4 "Paging"; AMD APM Vol 2 ch. 5 "Page Translation and Protection".
 */
#include "mm/walk.h"

#define PTE_P  0x001ull
#define PTE_W  0x002ull
#define PTE_U  0x004ull
#define PTE_A  0x020ull
#define PTE_D  0x040ull
#define PTE_PS 0x080ull
#define PTE_G  0x100ull
#define PTE_NX (1ull << 63)

#define CR0_WP	 0x00010000u
#define CR0_PG	 0x80000000u
#define CR4_PSE	 0x000010u
#define CR4_PAE	 0x000020u
#define CR4_PGE	 0x000080u
#define CR4_SMEP 0x100000u
#define CR4_SMAP 0x200000u
#define EFER_LMA 0x0400u
#define EFER_NXE 0x0800u

#define PFEC_P	  0x01u
#define PFEC_W	  0x02u
#define PFEC_U	  0x04u
#define PFEC_RSVD 0x08u
#define PFEC_I	  0x10u

#define WALK_MAX_LEVELS 4

/* One entry that the translation used. */
struct walk_entry {
	void *hva;
	gpa_t gpa;
	uint64_t value;
};

struct walk {
	const struct walk_regs *r;
	gva_t gva;
	unsigned int access;
	bool wide; /* 8-byte entries */
	unsigned int count;
	struct walk_entry e[WALK_MAX_LEVELS];
	unsigned int leaf_shift;
	uint64_t rights; /* PTE_W and PTE_U: of all levels; PTE_NX: of any */
	uint32_t pfec;
};

static bool walk_nxe(const struct walk_regs *r)
{
	return (r->efer & EFER_NXE) && (r->cr4 & CR4_PAE);
}

static int walk_fault(struct walk *w, uint32_t why)
{
	uint32_t pfec = why;

	if (w->access & WALK_WRITE)
		pfec |= PFEC_W;
	if (w->access & WALK_USER)
		pfec |= PFEC_U;
	if ((w->access & WALK_FETCH) && (walk_nxe(w->r) || (w->r->cr4 & CR4_SMEP)))
		pfec |= PFEC_I;
	w->pfec = pfec;
	return -HVM_EFAULT;
}

/* Bits [lo, hi) of an entry. */
static uint64_t walk_bits(unsigned int lo, unsigned int hi)
{
	return hi > lo ? (HVM_BIT(hi) - 1) & ~(HVM_BIT(lo) - 1) : 0;
}

/* Bits that must be zero in a present entry at @shift (39, 30, 21, 12; 22, 12 for 4-byte tables).
 */
static uint64_t walk_reserved(const struct walk *w, unsigned int shift, uint64_t entry)
{
	const struct walk_regs *r = w->r;
	bool long_mode = r->efer & EFER_LMA;
	uint64_t mask;

	if (!w->wide) {
		/* PSE-36: bits 13-20 are address bits 32-39 as far as MAXPHYADDR goes. */
		unsigned int high = r->maxphyaddr < 40 ? r->maxphyaddr : 40;

		return shift == 22 && (entry & PTE_PS) && (r->cr4 & CR4_PSE)
			       ? walk_bits(high > 32 ? high - 32 + 13 : 13, 22)
			       : 0;
	}
	mask = walk_bits(r->maxphyaddr, long_mode ? 52 : 63);
	if (!walk_nxe(r))
		mask |= PTE_NX;
	if (shift == 39)
		mask |= PTE_PS;
	else if (shift > 12 && (entry & PTE_PS))
		mask |= walk_bits(13, shift);
	return mask;
}

static bool walk_is_leaf(const struct walk *w, unsigned int shift, uint64_t entry)
{
	if (shift == 12)
		return true;
	return (entry & PTE_PS) && (w->wide || (w->r->cr4 & CR4_PSE));
}

static uint64_t walk_table_mask(const struct walk *w)
{
	return w->wide ? walk_bits(12, w->r->maxphyaddr) : 0xfffff000ull;
}

/* Descend from the table at @table, whose entries cover 1 << shift bytes each, to the leaf. */
static int walk_levels(struct walk *w, gpa_t table, unsigned int shift)
{
	unsigned int index_bits = w->wide ? 9 : 10, bytes = w->wide ? 8 : 4;

	for (;; shift -= index_bits) {
		uint64_t index = (w->gva >> shift) & (HVM_BIT(index_bits) - 1);
		gpa_t gpa = table + index * bytes;
		void *p = w->r->gpa_to_hva(w->r->arg, gpa);
		uint64_t entry;

		if (!p)
			return walk_fault(w, 0);
		entry = w->wide ? __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED)
				: __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
		if (!(entry & PTE_P))
			return walk_fault(w, 0);
		if (entry & walk_reserved(w, shift, entry))
			return walk_fault(w, PFEC_P | PFEC_RSVD);
		w->e[w->count++] = (struct walk_entry){ .hva = p, .gpa = gpa, .value = entry };
		w->rights &= entry | PTE_NX;
		w->rights |= w->wide ? entry & PTE_NX : 0;
		if (walk_is_leaf(w, shift, entry)) {
			w->leaf_shift = shift;
			return 0;
		}
		table = entry & walk_table_mask(w);
	}
}

/* Find the top table of the paging mode and descend. */
static int walk_tables(struct walk *w)
{
	const struct walk_regs *r = w->r;

	w->count = 0;
	w->rights = PTE_W | PTE_U;
	w->wide = r->cr4 & CR4_PAE;
	if (r->efer & EFER_LMA)
		return walk_levels(w, r->cr3 & walk_bits(12, r->maxphyaddr), 39);
	if (w->wide) {
		/* The four PDPTEs were checked when CR3 was loaded; they give no rights. */
		uint64_t pdpte = r->pdpte[(w->gva >> 30) & 3];

		if (!(pdpte & PTE_P))
			return walk_fault(w, 0);
		return walk_levels(w, pdpte & walk_table_mask(w), 21);
	}
	return walk_levels(w, r->cr3 & 0xfffff000u, 22);
}

static bool walk_write_allowed(const struct walk *w)
{
	if (w->rights & PTE_W)
		return true;
	return !(w->access & WALK_USER) && !(w->r->cr0 & CR0_WP);
}

/* Do the rights of the translation allow the access? */
static int walk_check_rights(struct walk *w)
{
	bool user_page = w->rights & PTE_U;
	bool fetch = w->access & WALK_FETCH;
	bool denied = false;

	if (w->access & WALK_USER)
		denied = !user_page;
	else if (user_page && fetch)
		denied = w->r->cr4 & CR4_SMEP;
	else if (user_page && (w->r->cr4 & CR4_SMAP))
		denied = !(w->access & WALK_AC) || (w->access & WALK_IMPLICIT);
	if ((w->access & WALK_WRITE) && !walk_write_allowed(w))
		denied = true;
	if (fetch && (w->rights & PTE_NX) && walk_nxe(w->r))
		denied = true;
	return denied ? walk_fault(w, PFEC_P) : 0;
}

static bool walk_entry_set(const struct walk *w, struct walk_entry *e, uint64_t bits)
{
	bool done;

	if ((e->value & bits) == bits)
		return true;
	if (w->wide) {
		uint64_t old = e->value;

		done = __atomic_compare_exchange_n((uint64_t *)e->hva, &old, old | bits, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	} else {
		uint32_t old = (uint32_t)e->value;

		done = __atomic_compare_exchange_n((uint32_t *)e->hva, &old, old | (uint32_t)bits,
						   false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
	if (!done)
		return false;
	e->value |= bits;
	if (w->r->pte_written)
		w->r->pte_written(w->r->arg, e->gpa);
	return true;
}

/* false: an entry changed under us. */
static bool walk_set_accessed_dirty(struct walk *w)
{
	for (unsigned int n = 0; n < w->count; n++) {
		bool leaf = n == w->count - 1;

		if (!walk_entry_set(w, &w->e[n],
				    leaf && (w->access & WALK_WRITE) ? PTE_A | PTE_D : PTE_A))
			return false;
	}
	return true;
}

static gpa_t walk_leaf_gpa(const struct walk *w)
{
	uint64_t leaf = w->e[w->count - 1].value, bytes = HVM_BIT(w->leaf_shift);
	gpa_t base = leaf & walk_table_mask(w) & ~(bytes - 1);

	if (!w->wide && w->leaf_shift == 22)
		base |= (leaf & walk_bits(13, 21)) << 19;
	return base | (w->gva & (bytes - 1));
}

int walk_gva(const struct walk_regs *r, gva_t gva, unsigned int access, struct walk_result *ret)
{
	struct walk w = { .r = r, .gva = gva, .access = access };
	uint64_t leaf;
	int err;

	if (!(r->cr0 & CR0_PG)) {
		*ret = (struct walk_result){
			.gpa = gva, .page_bytes = ~0ull, .writable = true, .user = true
		};
		return 0;
	}
	do {
		err = walk_tables(&w);
		if (!err)
			err = walk_check_rights(&w);
		if (err) {
			ret->pfec = w.pfec;
			return err;
		}
	} while (!(access & WALK_PROBE) && !walk_set_accessed_dirty(&w));

	leaf = w.e[w.count - 1].value;
	*ret = (struct walk_result){
		.gpa = walk_leaf_gpa(&w),
		.page_bytes = HVM_BIT(w.leaf_shift),
		.writable = walk_write_allowed(&w) && (leaf & PTE_D),
		.user = w.rights & PTE_U,
		.global = (leaf & PTE_G) && (r->cr4 & CR4_PGE),
	};
	return 0;
}
