/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pwalk.c - page walks of the software CPU: mm/walk.c with the vcpu's registers, and before it a
 * cache of where the last-level page tables are, which spares three of four levels in long mode.
 * Owns soft_vcpu.walk_cache; only the vcpu's thread touches it. An entry is void after any flush,
 * INVLPG included, as with the processor's paging-structure caches. What the cache cannot settle by
 * itself (faults, accessed and dirty bits to set, large pages) goes the full way. Not saved.
 * Source: Intel SDM Vol 3A 4.10.3 "Paging-Structure Caches".
 */
#include "soft/soft.h"

#define SOFT_DEFAULT_MAXPHYADDR 36u

#define PTE_P  HVM_BIT(0)
#define PTE_W  HVM_BIT(1)
#define PTE_U  HVM_BIT(2)
#define PTE_A  HVM_BIT(5)
#define PTE_D  HVM_BIT(6)
#define PTE_PS HVM_BIT(7)
#define PTE_G  HVM_BIT(8)
#define PTE_NX HVM_BIT(63)

const struct p2m_range *soft_range(struct soft_vcpu *sv, gpa_t gpa)
{
	const struct p2m_range *r = sv->last_range;

	if (hvm_likely(r && gpa - r->gpa < r->bytes))
		return r;
	r = p2m_lookup(&sv->vcpu->domain->p2m, gpa);
	sv->last_range = r;
	return r;
}

/* Where the walk reads a page table. ROM may be mapped read-only here: the walk gets a copy. */
void *soft_walk_hva(void *arg, gpa_t gpa)
{
	struct soft_vcpu *sv = arg;
	const struct p2m_range *r = soft_range(sv, gpa);

	if (!r)
		return NULL;
	if (hvm_likely(r->type == HVM_MEM_RAM))
		return p2m_range_hva(r, gpa);
	memcpy(sv->rom_table, p2m_range_hva(r, gpa & HVM_PAGE_MASK), HVM_PAGE_SIZE);
	return sv->rom_table + (gpa & ~HVM_PAGE_MASK);
}

static void soft_pte_written(void *arg, gpa_t gpa)
{
	struct soft_vcpu *sv = arg;
	const struct p2m_range *r = soft_range(sv, gpa);

	if (!r)
		return;
	p2m_mark_dirty(&sv->vcpu->domain->p2m, gpa, sizeof(uint64_t));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	soft_code_written(sv->domain, sv, r, gpa & ~7ull, sizeof(uint64_t));
}

static unsigned int soft_maxphyaddr(struct soft_vcpu *sv)
{
	const struct hvm_cpuid_state s = { .paging = true };
	uint32_t out[4] = { 0 };

	if (!sv->maxphyaddr) {
		hvm_cpuid(sv->vcpu, &s, 0x80000008, 0, out);
		sv->maxphyaddr = out[0] & 0xff ? out[0] & 0xff : SOFT_DEFAULT_MAXPHYADDR;
	}
	return sv->maxphyaddr;
}

static struct walk_regs soft_walk_regs(struct soft_vcpu *sv)
{
	struct x86_cpu *c = &sv->cpu;

	return (struct walk_regs){
		.cr0 = c->cr0,
		.cr3 = c->cr3,
		.cr4 = c->cr4,
		.efer = c->efer,
		.pdpte = c->pdpte,
		.gpa_to_hva = soft_walk_hva,
		.pte_written = soft_pte_written,
		.arg = sv,
		.maxphyaddr = soft_maxphyaddr(sv),
	};
}

static int soft_walk_full(struct soft_vcpu *sv, gva_t gva, unsigned int access,
			  struct walk_result *ret)
{
	const struct walk_regs regs = soft_walk_regs(sv);

	return walk_gva(&regs, gva, access, ret);
}

/* Address bits of a table entry. */
static uint64_t soft_table_mask(struct soft_vcpu *sv)
{
	return (HVM_BIT(soft_maxphyaddr(sv)) - 1) & HVM_PAGE_MASK;
}

static struct soft_walk_entry *soft_walk_slot(struct soft_vcpu *sv, gva_t gva)
{
	return &sv->walk_cache[(gva >> 21) % SOFT_WALK_ENTRIES];
}

/* A full walk of @gva has just succeeded through four levels: remember its last table. */
static void soft_walk_remember(struct soft_vcpu *sv, gva_t gva)
{
	uint64_t rights = PTE_W | PTE_U, nx = 0;
	gpa_t table = sv->cpu.cr3 & soft_table_mask(sv);
	const struct p2m_range *r;

	for (unsigned int shift = 39; shift > 12; shift -= 9) {
		gpa_t gpa = table + ((gva >> shift) & 511) * 8;
		uint64_t entry;

		r = soft_range(sv, gpa);
		if (!r || r->type != HVM_MEM_RAM)
			return;
		entry = __atomic_load_n((const uint64_t *)(const void *)p2m_range_hva(r, gpa),
					__ATOMIC_RELAXED);
		/* Another vcpu may be changing it. */
		if ((entry & (PTE_P | PTE_A | PTE_PS)) != (PTE_P | PTE_A))
			return;
		rights &= entry;
		nx |= entry & PTE_NX;
		table = entry & soft_table_mask(sv);
	}
	r = soft_range(sv, table);
	if (!r || r->type != HVM_MEM_RAM)
		return;
	*soft_walk_slot(sv, gva) = (struct soft_walk_entry){
		.region = gva >> 21,
		.stamp = sv->walk_epoch,
		.table = (const uint64_t *)(const void *)p2m_range_hva(r, table),
		.rights = rights | nx,
	};
}

/* May the access be made by these rights? Doubtful cases are for the full walk. */
static bool soft_walk_allowed(const struct x86_cpu *c, uint64_t rights, uint64_t pte,
			      unsigned int access)
{
	if (access & WALK_USER) {
		if (!(rights & PTE_U))
			return false;
	} else if ((rights & PTE_U) && (c->cr4 & (X86_CR4_SMEP | X86_CR4_SMAP))) {
		return false;
	}
	if (access & WALK_WRITE)
		return (pte & PTE_D) && (rights & PTE_W);
	return !(access & WALK_FETCH) || !(rights & PTE_NX);
}

static bool soft_walk_cached(struct soft_vcpu *sv, gva_t gva, unsigned int access,
			     struct walk_result *ret)
{
	const struct x86_cpu *c = &sv->cpu;
	const struct soft_walk_entry *e = soft_walk_slot(sv, gva);
	uint64_t known = soft_table_mask(sv) | ~HVM_PAGE_MASK | 0x7ff0000000000000ull;
	uint64_t pte, rights;

	if (e->region != gva >> 21 || e->stamp != sv->walk_epoch)
		return false;
	pte = __atomic_load_n(&e->table[(gva >> HVM_PAGE_SHIFT) & 511], __ATOMIC_RELAXED);
	if (c->efer & X86_EFER_NXE)
		known |= PTE_NX;
	if ((pte & (PTE_P | PTE_A)) != (PTE_P | PTE_A) || (pte & ~known))
		return false;
	rights = (e->rights & pte & (PTE_W | PTE_U)) | ((e->rights | pte) & PTE_NX);
	if (!soft_walk_allowed(c, rights, pte, access))
		return false;
	*ret = (struct walk_result){
		.gpa = (pte & soft_table_mask(sv)) | (gva & ~HVM_PAGE_MASK),
		.page_bytes = HVM_PAGE_SIZE,
		.writable = (rights & PTE_W) && (pte & PTE_D),
		.user = rights & PTE_U,
		.global = (pte & PTE_G) && (c->cr4 & X86_CR4_PGE),
	};
	return true;
}

/* soft_walk - translate @gva; WALK_* in @access. 0, or -HVM_EFAULT with ret->pfec. */
int soft_walk(struct soft_vcpu *sv, gva_t gva, unsigned int access, struct walk_result *ret)
{
	bool four_levels = (sv->cpu.efer & X86_EFER_LMA) && (sv->cpu.cr0 & X86_CR0_PG);
	int rc;

	if (hvm_likely(four_levels) && soft_walk_cached(sv, gva, access, ret))
		return 0;
	rc = soft_walk_full(sv, gva, access, ret);
	if (!rc && four_levels && ret->page_bytes == HVM_PAGE_SIZE)
		soft_walk_remember(sv, gva);
	return rc;
}

/* A page table for a walk that only looks, from the memory map of this moment. */
static void *soft_probe_hva(void *arg, gpa_t gpa)
{
	const struct soft_vcpu *sv = arg;
	const struct p2m_range *r = p2m_lookup(&sv->vcpu->domain->p2m, gpa);

	return r ? p2m_range_hva(r, gpa) : NULL;
}

/*
 * soft_translate - for others' eyes: no rights are checked, nothing is changed. The vcpu does not
 * run, so it has not yet heard of what was unmapped since: its guesses are not used.
 */
int soft_translate(struct soft_vcpu *sv, gva_t gva, gpa_t *ret)
{
	struct walk_regs regs = soft_walk_regs(sv);
	struct walk_result w;

	regs.gpa_to_hva = soft_probe_hva;
	if (walk_gva(&regs, gva, WALK_PROBE | WALK_AC, &w))
		return -HVM_EFAULT;
	*ret = w.gpa;
	return 0;
}
