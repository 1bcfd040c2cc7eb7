/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * p2m.h - guest physical memory: which gpa is RAM, ROM or MMIO, and where it lives in the caller.
 * A sorted array of ranges, replaced whole on change (readers see the old or the new one), and a
 * per-page byte of flags for decoded code and dirty logging.
 */
#ifndef HVM_P2M_H
#define HVM_P2M_H

#include "hvm/hvm.h"
#include "os/hvm_os.h"

#define P2M_MAX_RANGES 64

struct p2m_range {
	gpa_t gpa;
	uint64_t bytes;
	uint8_t *hva;
	uint32_t type; /* enum hvm_mem_type, RAM or ROM; MMIO is what no range covers */
	uint32_t pad;
	/* One byte a page, P2M_PAGE_*; atomic. */
	uint8_t *page_flags;
};

#define P2M_PAGE_CODE  0x01u /* holds decoded code: writes must be seen (soft) */
#define P2M_PAGE_DIRTY 0x02u /* written since the last sync; meaningful while logging is on */

struct p2m_map {
	uint32_t count;
	uint32_t pad; /* no gaps: maps are compared as memory */
	struct p2m_range range[P2M_MAX_RANGES];
};

/* The page flags of one stretch of caller memory; found again when it is mapped again. */
struct p2m_backing {
	struct p2m_backing *next;
	uint8_t *hva;
	uint64_t pages;
	uint8_t *flags;
};

#define P2M_MAX_RETIRED 256

struct p2m {
	struct p2m_map *map; /* atomic pointer; old maps are freed with the domain */
	/* Maps no longer in force; a layout that comes back (a BAR turned off and on) is reused. */
	struct p2m_map *retired[P2M_MAX_RETIRED];
	unsigned int retired_count;
	uint32_t dirty_logging; /* atomic */
	struct p2m_backing *backings;
};

struct domain;

int p2m_init(struct p2m *p);
void p2m_fini(struct p2m *p);
/* p2m_map/unmap - as hvm_domain_map(); caller holds the domain's lock and then calls p2m_changed.
 */
int p2m_map(struct p2m *p, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva);
int p2m_unmap(struct p2m *p, gpa_t gpa, uint64_t bytes);
/*
 * p2m_reclaim - free what only former maps lead to. The caller holds the domain's lock or has the
 * domain to itself, and nothing looks at the p2m meanwhile: no vcpu runs, no call is under way.
 */
void p2m_reclaim(struct p2m *p);
/* p2m_lookup - the range that holds @gpa, or NULL (MMIO). Lock-free; binary search. */
const struct p2m_range *p2m_lookup(const struct p2m *p, gpa_t gpa);

/* Host address of @gpa within its range. */
static inline uint8_t *p2m_range_hva(const struct p2m_range *r, gpa_t gpa)
{
	return r->hva + (gpa - r->gpa);
}

static inline uint8_t *p2m_range_flags(const struct p2m_range *r, gpa_t gpa)
{
	return r->page_flags + ((gpa - r->gpa) >> HVM_PAGE_SHIFT);
}

/* p2m_copy_from/to - guest memory in and out by gpa, across pages. -HVM_EFAULT: not RAM (ROM:
 * read). */
int p2m_copy_from(const struct p2m *p, gpa_t gpa, void *buf, size_t bytes);
int p2m_copy_to(const struct p2m *p, gpa_t gpa, const void *buf, size_t bytes);

/*
 * -- dirty.c: the pieces of hvm_dirty_log_*. After start and after each sync the caller invokes the
 * vendor's dirty_log_changed, which returns once no vcpu can write unseen; only then may it read
 * the pages that the bitmap names.
 */
void p2m_dirty_start(struct p2m *p);
void p2m_dirty_stop(struct p2m *p);
/*
 * p2m_dirty_sync - move the dirty flags of @pages pages from @gpa (page aligned) into @bitmap: bits
 * are set, never cleared. Returns how many pages were dirty; -HVM_EINVAL: not aligned or it wraps.
 */
int64_t p2m_dirty_sync(struct p2m *p, gpa_t gpa, uint64_t pages, uint64_t *bitmap);
/* p2m_mark_dirty - [gpa, gpa + bytes) was written. Cheap while logging is off. Any thread. */
void p2m_mark_dirty(struct p2m *p, gpa_t gpa, uint64_t bytes);

static inline bool p2m_dirty_logging(const struct p2m *p)
{
	return __atomic_load_n(&p->dirty_logging, __ATOMIC_ACQUIRE) != 0;
}

#endif
