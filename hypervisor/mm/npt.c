/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * npt.c - second-level page tables, filled as the guest touches memory.
 * Owns struct npt and its tables. Locking: n->lock for every change; the processor reads at any
 * time, so an entry is written once, whole. A fill looks the page up in the p2m with the lock held,
 * and whoever changes the p2m publishes the new map before it takes the lock to zap: no entry can
 * stay that was made from the old map. Not saved: rebuilt from the p2m.
 * Source: AMD APM Vol 2 15.25 "Nested Paging"; Intel SDM Vol 3C 28.3 "The Extended Page Table
 * Mechanism (EPT)".
 */
#include "mm/npt.h"

#define NPT_ENTRIES   512u
#define NPT_HPA_MASK  0x000ffffffffff000ull
#define NPT_FAULT_MAX (NPT_MAX_LEVELS - 1) /* tables that one fault can need */

static unsigned int npt_shift(unsigned int level)
{
	return HVM_PAGE_SHIFT + 9 * (level - 1);
}

static uint64_t npt_bytes(unsigned int level)
{
	return HVM_BIT(npt_shift(level));
}

/* What the tables can translate. */
static gpa_t npt_end(const struct npt *n)
{
	return HVM_BIT(npt_shift(n->levels + 1) < 52 ? npt_shift(n->levels + 1) : 52);
}

static uint64_t *npt_entry(uint64_t *table, gpa_t gpa, unsigned int level)
{
	return &table[(gpa >> npt_shift(level)) % NPT_ENTRIES];
}

static bool npt_is_present(const struct npt *n, uint64_t entry)
{
	return entry & n->format->present;
}

static bool npt_is_table(const struct npt *n, uint64_t entry, unsigned int level)
{
	return level > 1 && npt_is_present(n, entry) && !(entry & n->format->large);
}

static uint64_t *npt_table(uint64_t entry)
{
	return hvm_os_hpa_to_hva(entry & NPT_HPA_MASK);
}

static void npt_set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* Descend towards @gpa until an entry is no table, or to @to_level. */
static uint64_t *npt_walk(struct npt *n, gpa_t gpa, unsigned int to_level, unsigned int *ret_level)
{
	unsigned int level = n->levels;
	uint64_t *entry = npt_entry(n->root, gpa, level);

	while (level > to_level && npt_is_table(n, *entry, level)) {
		uint64_t *table = npt_table(*entry);

		level--;
		entry = npt_entry(table, gpa, level);
	}
	*ret_level = level;
	return entry;
}

/* -- construct --------------------------------------------------------------------------------- */

int npt_init(struct npt *n, const struct npt_format *format, unsigned int levels,
	     unsigned int max_leaf_level)
{
	n->root = hvm_os_alloc_pages(HVM_PAGE_SIZE);
	if (!n->root)
		return -HVM_ENOMEM;
	n->format = format;
	n->root_hpa = hvm_os_hva_to_hpa(n->root);
	n->levels = levels;
	n->max_leaf_level = max_leaf_level;
	hvm_os_spin_init(&n->lock);
	return 0;
}

/* Depth first: the position on each level is the one piece of state. */
void npt_fini(struct npt *n)
{
	uint64_t *table[NPT_MAX_LEVELS + 1] = { NULL };
	unsigned int index[NPT_MAX_LEVELS + 1] = { 0 };
	unsigned int level = n->levels;

	if (!n->root)
		return;
	table[level] = n->root;
	while (level <= n->levels) {
		uint64_t entry;

		if (index[level] == NPT_ENTRIES || level == 1) {
			hvm_os_free_pages(table[level], HVM_PAGE_SIZE);
			level++;
			continue;
		}
		entry = table[level][index[level]++];
		if (!npt_is_table(n, entry, level))
			continue;
		level--;
		table[level] = npt_table(entry);
		index[level] = 0;
	}
	n->root = NULL;
	hvm_os_spin_fini(&n->lock);
}

int npt_cache_fill(struct npt_cache *c)
{
	if (c->count >= NPT_FAULT_MAX)
		return 0;
	while (c->count < NPT_CACHE_PAGES) {
		void *page = hvm_os_alloc_pages(HVM_PAGE_SIZE);

		if (!page)
			return c->count >= NPT_FAULT_MAX ? 0 : -HVM_ENOMEM;
		c->page[c->count++] = page;
	}
	return 0;
}

void npt_cache_fini(struct npt_cache *c)
{
	while (c->count)
		hvm_os_free_pages(c->page[--c->count], HVM_PAGE_SIZE);
}

/* -- fill -------------------------------------------------------------------------------------- */

/* Are the @bytes at @hva one stretch of physical memory from @hpa on? */
static bool npt_is_contiguous(const uint8_t *hva, hpa_t hpa, uint64_t bytes)
{
	uint64_t last = bytes - HVM_PAGE_SIZE;

	/* The last page first: what is scattered mostly shows there. */
	if (hvm_os_hva_to_hpa(hva + last) != hpa + last)
		return false;
	for (uint64_t at = HVM_PAGE_SIZE; at < last; at += HVM_PAGE_SIZE) {
		if (hvm_os_hva_to_hpa(hva + at) != hpa + at)
			return false;
	}
	return true;
}

/* The largest page that maps @gpa: all of it in the range, aligned in both spaces, contiguous. */
static unsigned int npt_leaf_level(const struct npt *n, const struct p2m_range *r, gpa_t gpa)
{
	for (unsigned int level = n->max_leaf_level; level > 1; level--) {
		uint64_t bytes = npt_bytes(level);
		gpa_t base = gpa & ~(bytes - 1);
		hpa_t hpa;

		if (base < r->gpa || bytes > r->bytes - (base - r->gpa))
			continue;
		hpa = hvm_os_hva_to_hpa(p2m_range_hva(r, base));
		if (!(hpa & (bytes - 1)) && npt_is_contiguous(p2m_range_hva(r, base), hpa, bytes))
			return level;
	}
	return 1;
}

/*
 * The entry of @gpa on @level, or above it if a page is mapped there; tables on the way are made.
 * A table that is there already is kept: then the page is a small one. NULL: no page in the cache.
 */
static uint64_t *npt_make(struct npt *n, struct npt_cache *c, gpa_t gpa, unsigned int *level)
{
	unsigned int want = *level;
	uint64_t *entry;

	for (;;) {
		uint64_t *table;

		entry = npt_walk(n, gpa, want, level);
		if (npt_is_table(n, *entry, *level)) {
			want = 1;
			continue;
		}
		if (*level == want || npt_is_present(n, *entry))
			return entry;
		if (!c->count)
			return NULL;
		table = c->page[--c->count];
		npt_set(entry, hvm_os_hva_to_hpa(table) | n->format->table);
	}
}

/* A write is seen before it happens; a read of a page that is known to be dirty maps it whole. */
static bool npt_may_write(const struct npt *n, struct p2m *p, const struct p2m_range *r, gpa_t gpa,
			  bool write)
{
	uint8_t *flags = p2m_range_flags(r, gpa);

	if (r->type != HVM_MEM_RAM)
		return false;
	if (!p2m_dirty_logging(p) || n->format->dirty)
		return true;
	if (write)
		__atomic_fetch_or(flags, P2M_PAGE_DIRTY, __ATOMIC_SEQ_CST);
	return __atomic_load_n(flags, __ATOMIC_SEQ_CST) & P2M_PAGE_DIRTY;
}

static int npt_map(struct npt *n, struct p2m *p, struct npt_cache *c, const struct p2m_range *r,
		   gpa_t gpa, unsigned int level, bool write)
{
	const struct npt_format *f = n->format;
	uint64_t *entry = npt_make(n, c, gpa, &level);
	uint64_t value;

	if (!entry)
		return -HVM_EAGAIN;
	/* Another vcpu was faster, and its page allows what is wanted. */
	if (npt_is_present(n, *entry) && (!write || (*entry & f->write)))
		return 0;
	/* A large page of what the p2m held before: whoever changed it is about to zap it. */
	if (level > 1 && npt_is_present(n, *entry))
		return 0;
	gpa &= ~(npt_bytes(level) - 1);
	value = hvm_os_hva_to_hpa(p2m_range_hva(r, gpa)) | f->leaf;
	if (npt_may_write(n, p, r, gpa, write))
		value |= f->write;
	if (level > 1)
		value |= f->large;
	npt_set(entry, value);
	return 0;
}

int npt_fault(struct npt *n, struct p2m *p, struct npt_cache *c, gpa_t gpa, bool write)
{
	const struct p2m_range *guess = p2m_lookup(p, gpa), *r;
	unsigned int level = 1;
	int rc = -HVM_EFAULT;

	if (gpa >= npt_end(n))
		return rc;
	/* Looking for a large page takes long: without the lock, and checked with it. */
	if (guess && !p2m_dirty_logging(p))
		level = npt_leaf_level(n, guess, gpa);
	hvm_os_spin_lock(&n->lock);
	r = p2m_lookup(p, gpa);
	if (r != guess || p2m_dirty_logging(p))
		level = 1;
	if (r && (!write || r->type == HVM_MEM_RAM))
		rc = npt_map(n, p, c, r, gpa, level, write);
	hvm_os_spin_unlock(&n->lock);
	return rc;
}

int npt_map_device(struct npt *n, struct p2m *p, struct npt_cache *c, gpa_t gpa, hpa_t hpa)
{
	unsigned int level = 1;
	uint64_t *entry;
	int rc = -HVM_EFAULT;

	if (gpa >= npt_end(n))
		return rc;
	hvm_os_spin_lock(&n->lock);
	if (!p2m_lookup(p, gpa)) {
		entry = npt_make(n, c, gpa, &level);
		rc = entry ? 0 : -HVM_EAGAIN;
		if (entry && !npt_is_present(n, *entry))
			npt_set(entry, (hpa & NPT_HPA_MASK) | n->format->leaf | n->format->write);
	}
	hvm_os_spin_unlock(&n->lock);
	return rc;
}

/* -- forget ------------------------------------------------------------------------------------ */

/*
 * Cut off the table that @entry names. Its first entry then names the next dead table: page
 * addresses have none of the low bits that make an entry present.
 */
static void npt_kill(uint64_t *entry, struct npt_dead *dead)
{
	uint64_t *table = npt_table(*entry);

	npt_set(entry, 0);
	npt_set(&table[0], (uint64_t)(uintptr_t)dead->table);
	dead->table = table;
}

void npt_bury(struct npt_dead *dead)
{
	while (dead->table) {
		uint64_t *table = dead->table;

		dead->table = (uint64_t *)(uintptr_t)table[0];
		hvm_os_free_pages(table, HVM_PAGE_SIZE);
	}
}

/* The part of [gpa, end) that lies in the table of 4K pages at @entry. */
static void npt_zap_small(uint64_t *entry, gpa_t gpa, gpa_t end, struct npt_dead *dead)
{
	gpa_t base = gpa & ~(npt_bytes(2) - 1), stop = base + npt_bytes(2);
	uint64_t *table = npt_table(*entry);

	if (gpa == base && end >= stop) {
		npt_kill(entry, dead);
		return;
	}
	for (; gpa < end && gpa < stop; gpa += HVM_PAGE_SIZE)
		npt_set(npt_entry(table, gpa, 1), 0);
}

/*
 * Tables above level 2 stay until the end: there are at most a few thousand for all guest physical
 * addresses that a guest can reach.
 */
void npt_zap(struct npt *n, gpa_t gpa, uint64_t bytes, struct npt_dead *dead)
{
	gpa_t end = npt_end(n);

	if (gpa < end && bytes < end - gpa)
		end = gpa + bytes;
	hvm_os_spin_lock(&n->lock);
	while (gpa < end) {
		unsigned int level;
		uint64_t *entry = npt_walk(n, gpa, 2, &level);

		if (npt_is_table(n, *entry, level))
			npt_zap_small(entry, gpa, end, dead);
		else if (npt_is_present(n, *entry))
			npt_set(entry, 0);
		gpa = (gpa & ~(npt_bytes(level) - 1)) + npt_bytes(level);
	}
	hvm_os_spin_unlock(&n->lock);
}

/* The processor may set bits of an entry meanwhile. */
static void npt_protect_small(struct npt *n, uint64_t *table)
{
	uint64_t clear = n->format->dirty ? n->format->dirty : n->format->write;

	for (unsigned int i = 0; i < NPT_ENTRIES; i++) {
		if (table[i] & clear)
			__atomic_fetch_and(&table[i], ~clear, __ATOMIC_SEQ_CST);
	}
}

void npt_write_protect(struct npt *n)
{
	gpa_t end = npt_end(n);

	hvm_os_spin_lock(&n->lock);
	for (gpa_t gpa = 0; gpa < end;) {
		unsigned int level;
		uint64_t *entry = npt_walk(n, gpa, 2, &level);

		if (npt_is_table(n, *entry, level))
			npt_protect_small(n, npt_table(*entry));
		else if (npt_is_present(n, *entry))
			npt_set(entry, 0);
		gpa += npt_bytes(level);
	}
	hvm_os_spin_unlock(&n->lock);
}

uint64_t npt_query(struct npt *n, gpa_t gpa, unsigned int *ret_level)
{
	uint64_t value;

	hvm_os_spin_lock(&n->lock);
	value = *npt_walk(n, gpa, 1, ret_level);
	hvm_os_spin_unlock(&n->lock);
	return npt_is_present(n, value) ? value : 0;
}
