/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * p2m.c - guest physical memory map.
 * Owns struct p2m. Writers hold the domain's lock; readers take no lock: they load the map pointer
 * once (acquire) and see one consistent map, which stays allocated until p2m_fini(). So a range
 * pointer never dangles; whether the caller's memory behind it is still there is settled by the
 * vendor's p2m_changed, which returns when no vcpu uses the old map any more.
 * Not saved: the builder maps the same memory again before a load.
 */
#include "mm/p2m.h"

/* Guest physical addresses end here, far above MAXPHYADDR; keeps sums of gpa and length from
 * wrapping. */
#define P2M_GPA_END HVM_BIT(52)

int p2m_init(struct p2m *p)
{
	memset(p, 0, sizeof(*p));
	p->map = hvm_os_alloc(sizeof(*p->map));
	return p->map ? 0 : -HVM_ENOMEM;
}

void p2m_fini(struct p2m *p)
{
	for (unsigned int i = 0; i < p->retired_count; i++)
		hvm_os_free(p->retired[i]);
	hvm_os_free(p->map);
	while (p->backings) {
		struct p2m_backing *b = p->backings;

		p->backings = b->next;
		hvm_os_free_pages(b->flags, b->pages);
		hvm_os_free(b);
	}
	memset(p, 0, sizeof(*p));
}

/*
 * Page flags belong to the caller's memory, not to its place in the guest: the same memory mapped
 * again (a moved BAR) finds its flags again, and repeated moves cost nothing.
 */
static uint8_t *p2m_backing_flags(struct p2m *p, uint8_t *hva, uint64_t pages)
{
	struct p2m_backing *b;

	for (b = p->backings; b; b = b->next) {
		if (b->hva == hva && b->pages == pages)
			return b->flags;
	}
	b = hvm_os_alloc(sizeof(*b));
	if (!b)
		return NULL;
	b->flags = hvm_os_alloc_pages(pages);
	if (!b->flags) {
		hvm_os_free(b);
		return NULL;
	}
	b->hva = hva;
	b->pages = pages;
	b->next = p->backings;
	p->backings = b;
	return b->flags;
}

/* Append the part [gpa, end) of @r, if there is any. */
static int p2m_append_part(struct p2m_map *m, const struct p2m_range *r, gpa_t gpa, gpa_t end)
{
	struct p2m_range *to;

	if (gpa >= end)
		return 0;
	if (m->count == P2M_MAX_RANGES)
		return -HVM_ENOSPC;
	to = &m->range[m->count++];
	*to = (struct p2m_range){
		.gpa = gpa,
		.bytes = end - gpa,
		.hva = p2m_range_hva(r, gpa),
		.type = r->type,
		.page_flags = p2m_range_flags(r, gpa),
	};
	return 0;
}

/* The map @old with [gpa, end) cut out and @add, if not NULL, put there; sorted. */
static int p2m_build(struct p2m_map *m, const struct p2m_map *old, gpa_t gpa, gpa_t end,
		     const struct p2m_range *add)
{
	int rc = 0;
	bool added = add == NULL;

	memset(m, 0, sizeof(*m));
	for (unsigned int i = 0; i < old->count && !rc; i++) {
		const struct p2m_range *r = &old->range[i];
		gpa_t r_end = r->gpa + r->bytes;

		rc = p2m_append_part(m, r, r->gpa, r_end < gpa ? r_end : gpa);
		if (!rc && !added && r_end > gpa) {
			rc = p2m_append_part(m, add, add->gpa, add->gpa + add->bytes);
			added = true;
		}
		if (!rc)
			rc = p2m_append_part(m, r, r->gpa > end ? r->gpa : end, r_end);
	}
	if (!rc && !added)
		rc = p2m_append_part(m, add, add->gpa, add->gpa + add->bytes);
	return rc;
}

/* Put @m in force: an equal retired map takes its place, so that toggling layouts need no memory.
 */
static int p2m_publish(struct p2m *p, struct p2m_map *m)
{
	struct p2m_map *old = p->map;

	if (!memcmp(old, m, sizeof(*m))) {
		hvm_os_free(m);
		return 0;
	}
	for (unsigned int i = 0; i < p->retired_count; i++) {
		struct p2m_map *same = p->retired[i];

		if (memcmp(same, m, sizeof(*m)))
			continue;
		hvm_os_free(m);
		p->retired[i] = old;
		__atomic_store_n(&p->map, same, __ATOMIC_RELEASE);
		return 0;
	}
	if (p->retired_count == P2M_MAX_RETIRED) {
		hvm_os_free(m);
		return -HVM_ENOSPC;
	}
	p->retired[p->retired_count++] = old;
	__atomic_store_n(&p->map, m, __ATOMIC_RELEASE);
	return 0;
}

static int p2m_replace(struct p2m *p, gpa_t gpa, uint64_t bytes, const struct p2m_range *add)
{
	struct p2m_map *m = hvm_os_alloc(sizeof(*m));
	int rc;

	if (!m)
		return -HVM_ENOMEM;
	rc = p2m_build(m, p->map, gpa, gpa + bytes, add);
	if (rc) {
		hvm_os_free(m);
		return rc;
	}
	return p2m_publish(p, m);
}

static bool p2m_range_ok(gpa_t gpa, uint64_t bytes)
{
	return bytes && !((gpa | bytes) & ~HVM_PAGE_MASK) && gpa < P2M_GPA_END &&
	       bytes <= P2M_GPA_END - gpa;
}

/*
 * p2m_map - [gpa, gpa + bytes) becomes @type, RAM or ROM at @hva, MMIO with no memory.
 * -HVM_EINVAL alignment, size, type or hva; -HVM_ENOSPC too many ranges; -HVM_ENOMEM.
 */
int p2m_map(struct p2m *p, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva)
{
	struct p2m_range add = { .gpa = gpa, .bytes = bytes, .hva = hva, .type = (uint32_t)type };

	if (type == HVM_MEM_MMIO)
		return hva ? -HVM_EINVAL : p2m_unmap(p, gpa, bytes);
	if ((type != HVM_MEM_RAM && type != HVM_MEM_ROM) || !p2m_range_ok(gpa, bytes) || !hva ||
	    ((uintptr_t)hva & ~HVM_PAGE_MASK))
		return -HVM_EINVAL;
	add.page_flags = p2m_backing_flags(p, hva, bytes >> HVM_PAGE_SHIFT);
	if (!add.page_flags)
		return -HVM_ENOMEM;
	return p2m_replace(p, gpa, bytes, &add);
}

/* p2m_unmap - [gpa, gpa + bytes) becomes MMIO. Errors as p2m_map(); cutting a range may need one
 * more. */
int p2m_unmap(struct p2m *p, gpa_t gpa, uint64_t bytes)
{
	if (!p2m_range_ok(gpa, bytes))
		return -HVM_EINVAL;
	return p2m_replace(p, gpa, bytes, NULL);
}

static bool p2m_backing_used(const struct p2m *p, const struct p2m_backing *b)
{
	for (unsigned int i = 0; i < p->map->count; i++) {
		const uint8_t *flags = p->map->range[i].page_flags;

		if (flags >= b->flags && flags < b->flags + b->pages)
			return true;
	}
	return false;
}

void p2m_reclaim(struct p2m *p)
{
	struct p2m_backing **link = &p->backings;

	while (p->retired_count)
		hvm_os_free(p->retired[--p->retired_count]);
	while (*link) {
		struct p2m_backing *b = *link;

		if (p2m_backing_used(p, b)) {
			link = &b->next;
			continue;
		}
		*link = b->next;
		hvm_os_free_pages(b->flags, b->pages);
		hvm_os_free(b);
	}
}

const struct p2m_range *p2m_lookup(const struct p2m *p, gpa_t gpa)
{
	const struct p2m_map *m = __atomic_load_n(&p->map, __ATOMIC_ACQUIRE);
	unsigned int low = 0, high = m->count;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct p2m_range *r = &m->range[mid];

		if (gpa < r->gpa)
			high = mid;
		else if (gpa - r->gpa >= r->bytes)
			low = mid + 1;
		else
			return r;
	}
	return NULL;
}

/* Bytes of [gpa, gpa + bytes) that lie in @r from @gpa on. */
static size_t p2m_chunk(const struct p2m_range *r, gpa_t gpa, size_t bytes)
{
	uint64_t room = r->bytes - (gpa - r->gpa);

	return bytes < room ? bytes : (size_t)room;
}

int p2m_copy_from(const struct p2m *p, gpa_t gpa, void *buf, size_t bytes)
{
	uint8_t *to = buf;

	while (bytes) {
		const struct p2m_range *r = p2m_lookup(p, gpa);
		size_t n;

		if (!r)
			return -HVM_EFAULT;
		n = p2m_chunk(r, gpa, bytes);
		memcpy(to, p2m_range_hva(r, gpa), n);
		to += n;
		gpa += n;
		bytes -= n;
	}
	return 0;
}

int p2m_copy_to(const struct p2m *p, gpa_t gpa, const void *buf, size_t bytes)
{
	const uint8_t *from = buf;

	while (bytes) {
		const struct p2m_range *r = p2m_lookup(p, gpa);
		size_t n;

		if (!r || r->type != HVM_MEM_RAM)
			return -HVM_EFAULT;
		n = p2m_chunk(r, gpa, bytes);
		memcpy(p2m_range_hva(r, gpa), from, n);
		from += n;
		gpa += n;
		bytes -= n;
	}
	return 0;
}
