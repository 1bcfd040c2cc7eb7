// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory.c - guest memory: pages of the calling process, pinned, counted towards its
 * RLIMIT_MEMLOCK, and mapped in one piece into the kernel, so that the core can reach them.
 * Locking: the domain's semaphore, written.
 *
 * A region stays while the core's map leads to it, and after that until memory_reclaim(): the same
 * memory mapped again (a frame buffer whose BAR moves) is found again. Memory that was replaced
 * behind its address (a hole punched into a memfd, munmap and mmap) is seen, because its pages are
 * others, and is pinned anew.
 */
#include "os/linux/hvm_module.h"

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define MEMORY_REGIONS	    256u
#define MEMORY_CHUNK_PAGES  512
/* A pointer array of more pages than this would not fit one kvmalloc() call. */
#define MEMORY_REGION_PAGES (1ul << 27)

struct memory_region {
	struct list_head list;
	u64 hva; /* in the caller */
	unsigned long pages;
	bool writable;
	struct page **page;
	void *kva;
};

void memory_init(struct pinned_memory *m)
{
	INIT_LIST_HEAD(&m->regions);
	mmgrab(current->mm);
	m->mm = current->mm;
}

/* -- pages --------------------------------------------------------------------------------- */

static void memory_unpin(struct page **page, unsigned long pages, bool dirty)
{
	/* In pieces: a large guest must not hold up the CPU. */
	while (pages) {
		unsigned long n = min_t(unsigned long, pages, MEMORY_CHUNK_PAGES);

		unpin_user_pages_dirty_lock(page, n, dirty);
		page += n;
		pages -= n;
		cond_resched();
	}
}

static int memory_pin(u64 hva, unsigned long pages, unsigned int flags, struct page **page)
{
	unsigned long done = 0;

	while (done < pages) {
		int n = min_t(unsigned long, pages - done, MEMORY_CHUNK_PAGES);

		n = fatal_signal_pending(current) ? -EINTR
						  : pin_user_pages_fast(hva + (done << PAGE_SHIFT),
									n, flags, page + done);
		if (n <= 0) {
			memory_unpin(page, done, false);
			return n ? n : -EFAULT;
		}
		done += n;
		cond_resched();
	}
	return 0;
}

/* -- regions ------------------------------------------------------------------------------- */

/* @r's pages are pinned and accounted. */
static void region_destroy(struct pinned_memory *m, struct memory_region *r)
{
	if (r->kva)
		vunmap(r->kva);
	memory_unpin(r->page, r->pages, r->writable);
	account_locked_vm(m->mm, r->pages, false);
	kvfree(r->page);
	kfree(r);
}

/* Memory of the caller that cannot be written may be ROM. */
static int region_pin(struct memory_region *r, enum hvm_mem_type type)
{
	int rc = memory_pin(r->hva, r->pages, FOLL_WRITE | FOLL_LONGTERM, r->page);

	r->writable = !rc;
	if (rc == -EFAULT && type == HVM_MEM_ROM)
		rc = memory_pin(r->hva, r->pages, FOLL_LONGTERM, r->page);
	return rc;
}

/* Pinned and accounted, not yet mapped. */
static struct memory_region *region_create(struct pinned_memory *m, u64 hva, unsigned long pages,
					   enum hvm_mem_type type)
{
	struct memory_region *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	int rc = -ENOMEM;

	if (!r)
		return ERR_PTR(rc);
	r->hva = hva;
	r->pages = pages;
	r->page = kvmalloc_array(pages, sizeof(*r->page), GFP_KERNEL_ACCOUNT);
	if (!r->page)
		goto err_free;
	rc = account_locked_vm(m->mm, pages, true);
	if (rc)
		goto err_free;
	rc = region_pin(r, type);
	if (rc)
		goto err_unaccount;
	return r;
err_unaccount:
	account_locked_vm(m->mm, pages, false);
err_free:
	kvfree(r->page);
	kfree(r);
	return ERR_PTR(rc);
}

static struct memory_region *memory_find(struct pinned_memory *m, const struct memory_region *like)
{
	struct memory_region *r;

	list_for_each_entry(r, &m->regions, list)
	{
		if (r->hva == like->hva && r->pages == like->pages &&
		    r->writable == like->writable &&
		    !memcmp(r->page, like->page, r->pages * sizeof(*r->page)))
			return r;
	}
	return NULL;
}

/* The region of this memory as it is now: one that is there already, or a new one. */
static struct memory_region *memory_region(struct pinned_memory *m, u64 hva, unsigned long pages,
					   enum hvm_mem_type type)
{
	struct memory_region *r = region_create(m, hva, pages, type), *old;

	if (IS_ERR(r))
		return r;
	old = memory_find(m, r);
	if (old) {
		region_destroy(m, r);
		return old;
	}
	if (m->region_count == MEMORY_REGIONS) {
		region_destroy(m, r);
		return ERR_PTR(-ENOSPC);
	}
	r->kva = vmap(r->page, pages, VM_MAP, PAGE_KERNEL);
	if (!r->kva) {
		region_destroy(m, r);
		return ERR_PTR(-ENOMEM);
	}
	list_add(&r->list, &m->regions);
	m->region_count++;
	return r;
}

/* -- the domain's map ---------------------------------------------------------------------- */

static bool region_is_mapped(const struct memory_region *r, const struct domain *core)
{
	const u8 *start = r->kva, *end = start + (r->pages << PAGE_SHIFT);
	const struct p2m_map *map = core->p2m.map;
	unsigned int i;

	for (i = 0; i < map->count; i++) {
		if (map->range[i].hva >= start && map->range[i].hva < end)
			return true;
	}
	return false;
}

void memory_reclaim(struct pinned_memory *m, struct domain *core)
{
	struct memory_region *r, *next;

	p2m_reclaim(&core->p2m);
	list_for_each_entry_safe(r, next, &m->regions, list)
	{
		if (region_is_mapped(r, core))
			continue;
		list_del(&r->list);
		m->region_count--;
		region_destroy(m, r);
	}
}

int memory_get(struct pinned_memory *m, const struct hvm_ioctl_memory *a, void **ret)
{
	struct memory_region *r;

	if (a->bytes >> PAGE_SHIFT > MEMORY_REGION_PAGES)
		return -EINVAL;
	r = memory_region(m, a->hva, a->bytes >> PAGE_SHIFT, a->type);
	if (IS_ERR(r))
		return PTR_ERR(r);
	*ret = r->kva;
	return 0;
}

void memory_fini(struct pinned_memory *m)
{
	struct memory_region *r, *next;

	list_for_each_entry_safe(r, next, &m->regions, list) region_destroy(m, r);
	mmdrop(m->mm);
}
