/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * npt.h - second-level page tables (AMD nested page tables, Intel EPT): gpa to hpa as the processor
 * walks it. What differs between the two is in struct npt_format.
 */
#ifndef HVM_NPT_H
#define HVM_NPT_H

#include "mm/p2m.h"

/* Levels are numbered from the leaves: 1 holds 4K pages, 2 holds 2M, 3 holds 1G. */
#define NPT_MAX_LEVELS 5

/* The bits of an entry. */
struct npt_format {
	uint64_t present; /* in use if any of these is set */
	uint64_t table;	  /* of an entry that names a table */
	uint64_t leaf;	  /* of a page that may be read and executed */
	uint64_t write;	  /* and of one that may be written */
	uint64_t large;	  /* of a leaf above level 1 */
	/*
	 * The processor sets this at the first write, and the vendor learns of it: dirty logging
	 * then clears it instead of write. 0: it does not.
	 */
	uint64_t dirty;
};

struct npt {
	const struct npt_format *format;
	uint64_t *root;
	hpa_t root_hpa;
	unsigned int levels;	     /* 4 or 5 */
	unsigned int max_leaf_level; /* 1, 2 or 3: the largest page that the processor knows */
	struct hvm_os_spinlock lock;
};

/* Pages for tables, taken while sleeping is not allowed. One per vcpu. */
#define NPT_CACHE_PAGES 16
struct npt_cache {
	unsigned int count;
	void *page[NPT_CACHE_PAGES];
};

/* Tables that were cut off; the processor may still walk them until it was flushed. */
struct npt_dead {
	uint64_t *table;
};

/* npt_init - empty tables. -HVM_ENOMEM. */
int npt_init(struct npt *n, const struct npt_format *format, unsigned int levels,
	     unsigned int max_leaf_level);
/* npt_fini - frees all tables. No vcpu runs on them any more. */
void npt_fini(struct npt *n);

/* npt_cache_fill - room for at least one npt_fault(). May sleep. -HVM_ENOMEM. */
int npt_cache_fill(struct npt_cache *c);
void npt_cache_fini(struct npt_cache *c);

/*
 * npt_fault - map what @p has at @gpa, for reading or for writing too; with dirty logging on a
 * write marks the page first. Pages that were not mapped need no flush. 0: run again. -HVM_EFAULT:
 * no memory there (MMIO), or a write to ROM. -HVM_EAGAIN: the cache is empty, fill it. Does not
 * sleep.
 */
int npt_fault(struct npt *n, struct p2m *p, struct npt_cache *c, gpa_t gpa, bool write);

/*
 * npt_map_device - the page at @gpa, where @p has nothing, leads to @hpa until it is zapped. As
 * npt_fault(); -HVM_EFAULT: there is memory.
 */
int npt_map_device(struct npt *n, struct p2m *p, struct npt_cache *c, gpa_t gpa, hpa_t hpa);

/*
 * npt_zap - forget [gpa, gpa + bytes), and whatever large page touches it. The caller then flushes
 * every vcpu's translations and calls npt_bury() to free the tables that were cut off. @dead:
 * starts as zeroes. npt_write_protect - the next write to any page faults (or sets dirty), and
 * finds 4K pages; flush too.
 */
void npt_zap(struct npt *n, gpa_t gpa, uint64_t bytes, struct npt_dead *dead);
void npt_write_protect(struct npt *n);
void npt_bury(struct npt_dead *dead);

/* npt_query - for tests and dumps: the leaf entry that maps @gpa and its level, or 0. */
uint64_t npt_query(struct npt *n, gpa_t gpa, unsigned int *ret_level);

#endif
