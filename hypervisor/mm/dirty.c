/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty.c - which pages were written since the last sync: P2M_PAGE_DIRTY of the page flags.
 * Who writes guest memory sets the flag before it writes, or (devices) calls p2m_mark_dirty()
 * after. The flag bytes are atomic; dirty_logging is switched under the domain's lock. Not saved:
 * logging is off after a load.
 */
#include "mm/p2m.h"

/* Clear all dirty flags of the current map. */
static void p2m_dirty_clear(struct p2m *p)
{
	const struct p2m_map *m = __atomic_load_n(&p->map, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < m->count; i++) {
		const struct p2m_range *r = &m->range[i];

		for (uint64_t page = 0; page < r->bytes >> HVM_PAGE_SHIFT; page++) {
			uint8_t *flags = &r->page_flags[page];

			if (__atomic_load_n(flags, __ATOMIC_RELAXED) & P2M_PAGE_DIRTY)
				__atomic_fetch_and(flags, (uint8_t)~P2M_PAGE_DIRTY,
						   __ATOMIC_RELAXED);
		}
	}
}

void p2m_dirty_start(struct p2m *p)
{
	p2m_dirty_clear(p);
	__atomic_store_n(&p->dirty_logging, 1, __ATOMIC_SEQ_CST);
}

void p2m_dirty_stop(struct p2m *p)
{
	__atomic_store_n(&p->dirty_logging, 0, __ATOMIC_SEQ_CST);
}

int64_t p2m_dirty_sync(struct p2m *p, gpa_t gpa, uint64_t pages, uint64_t *bitmap)
{
	gfn_t gfn = gpa >> HVM_PAGE_SHIFT;
	int64_t dirty = 0;

	if ((gpa & ~HVM_PAGE_MASK) || pages > HVM_BIT(40) || gfn + pages > HVM_BIT(40))
		return -HVM_EINVAL;
	for (uint64_t n = 0; n < pages;) {
		gpa_t at = gpa + (n << HVM_PAGE_SHIFT);
		const struct p2m_range *r = p2m_lookup(p, at);
		uint64_t end;

		if (!r) {
			n++;
			continue;
		}
		end = n + ((r->bytes - (at - r->gpa)) >> HVM_PAGE_SHIFT);
		for (; n < pages && n < end; n++, at += HVM_PAGE_SIZE) {
			uint8_t *flags = p2m_range_flags(r, at);

			if (!(__atomic_load_n(flags, __ATOMIC_RELAXED) & P2M_PAGE_DIRTY))
				continue;
			__atomic_fetch_and(flags, (uint8_t)~P2M_PAGE_DIRTY, __ATOMIC_SEQ_CST);
			bitmap[n / 64] |= HVM_BIT(n % 64);
			dirty++;
		}
	}
	return dirty;
}

void p2m_mark_dirty(struct p2m *p, gpa_t gpa, uint64_t bytes)
{
	const struct p2m_map *m = __atomic_load_n(&p->map, __ATOMIC_ACQUIRE);
	gpa_t end = gpa + bytes < gpa ? UINT64_MAX : gpa + bytes;

	if (!bytes || !p2m_dirty_logging(p))
		return;
	/* The work is bounded by what is mapped, not by what the caller says. */
	for (unsigned int i = 0; i < m->count; i++) {
		const struct p2m_range *r = &m->range[i];
		gpa_t at = r->gpa > gpa ? r->gpa : gpa & HVM_PAGE_MASK;
		gpa_t to = r->gpa + r->bytes < end ? r->gpa + r->bytes : end;

		for (; at < to; at += HVM_PAGE_SIZE)
			__atomic_fetch_or(p2m_range_flags(r, at), P2M_PAGE_DIRTY, __ATOMIC_SEQ_CST);
	}
}
