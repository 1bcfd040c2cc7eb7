/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlb.c - translations of the software CPU: fills, flushes and the slow paths of x86/mem.h.
 * Owns the TLB tables and the ITLB of a struct soft_vcpu; only the vcpu's thread touches them
 * (others post requests). A write entry exists only for RAM that holds no decoded code, whose
 * page-table entry is dirty, and that dirty logging has already seen; everything else comes here at
 * each access. Not saved. Source: Intel SDM Vol 3A ch. 4.10 "Caching Translation Information".
 */
#include "soft/soft.h"

struct x86_tlb_entry soft_tlb_none[X86_TLB_ENTRIES];

/* Why a translation is wanted. */
struct soft_rights {
	uint8_t context; /* enum x86_tlb_context */
	uint8_t walk;	 /* WALK_* */
};

/* One translated page. */
struct soft_page {
	uint8_t *hva; /* of the byte asked for; NULL: device memory */
	gpa_t gpa;    /* of the byte asked for */
	const struct p2m_range *range;
	bool direct_w; /* a write entry exists now */
};

/* -- tables -------------------------------------------------------------------------------- */

/* No address that selects entry @index matches it: also its page number within the table differs.
 */
static inline struct x86_tlb_entry soft_tlb_invalid(unsigned int index)
{
	return (struct x86_tlb_entry){
		.tag = X86_TLB_INVALID | (uint64_t)(~index & (X86_TLB_ENTRIES - 1))
						 << HVM_PAGE_SHIFT,
	};
}

void soft_tlb_init_tables(void)
{
	for (unsigned int i = 0; i < X86_TLB_ENTRIES; i++)
		soft_tlb_none[i] = soft_tlb_invalid(i);
}

static struct x86_tlb_entry *soft_tlb_table(struct soft_vcpu *sv, unsigned int t, unsigned int ctx)
{
	return t == SOFT_TABLE_W ? sv->tlb->w[ctx] : sv->tlb->r[ctx];
}

static void soft_set_add(struct soft_page_set *s, uint64_t n)
{
	s->bit[(n / 64) % HVM_ARRAY_SIZE(s->bit)] |= HVM_BIT(n % 64);
}

static bool soft_set_has(const struct soft_page_set *s, uint64_t n)
{
	return s->bit[(n / 64) % HVM_ARRAY_SIZE(s->bit)] & HVM_BIT(n % 64);
}

static void soft_tlb_clear(struct soft_vcpu *sv, unsigned int t, unsigned int ctx)
{
	struct x86_tlb_entry *table = soft_tlb_table(sv, t, ctx);
	struct soft_tlb_log *log = &sv->log[t][ctx];

	if (!log->used)
		return;
	for (unsigned int i = 0; i < X86_TLB_ENTRIES; i++)
		table[i] = soft_tlb_invalid(i);
	memset(log->global, 0, sizeof(log->global));
	log->count = 0;
	log->used = false;
}

/* Entries that are not global go; the log makes this cost what was filled, not the table's size. */
static void soft_tlb_clear_local(struct soft_vcpu *sv, unsigned int t, unsigned int ctx)
{
	struct x86_tlb_entry *table = soft_tlb_table(sv, t, ctx);
	struct soft_tlb_log *log = &sv->log[t][ctx];
	bool all = log->count == X86_TLB_ENTRIES;

	for (unsigned int n = 0; n < log->count; n++) {
		unsigned int i = all ? n : log->index[n];

		if (!(log->global[i / 64] & HVM_BIT(i % 64)))
			table[i] = soft_tlb_invalid(i);
	}
	log->count = 0;
}

static void soft_tlb_set(struct soft_vcpu *sv, unsigned int t, unsigned int ctx, gva_t gva,
			 const uint8_t *hva, bool global)
{
	gva_t page = gva & HVM_PAGE_MASK;
	unsigned int i = (unsigned int)(gva >> HVM_PAGE_SHIFT) & (X86_TLB_ENTRIES - 1);
	struct soft_tlb_log *log = &sv->log[t][ctx];
	struct x86_tlb_entry *e = &soft_tlb_table(sv, t, ctx)[i];

	e->tag = page;
	e->addend = ((uint64_t)(uintptr_t)hva & HVM_PAGE_MASK) - page;
	log->used = true;
	if (global) {
		log->global[i / 64] |= HVM_BIT(i % 64);
		return;
	}
	log->global[i / 64] &= ~HVM_BIT(i % 64);
	if (log->count < X86_TLB_ENTRIES)
		log->index[log->count++] = (uint16_t)i;
}

void soft_tlb_init(struct soft_vcpu *sv)
{
	sv->tlb = &sv->own_tlb;
	for (unsigned int t = 0; t < 2; t++) {
		for (unsigned int ctx = 0; ctx < X86_TLB_CONTEXTS; ctx++) {
			sv->log[t][ctx].used = true;
			soft_tlb_clear(sv, t, ctx);
		}
	}
	sv->epoch[0] = sv->epoch[1] = sv->walk_epoch = 1;
}

/* -- flushes ------------------------------------------------------------------------------- */

/* Fetch translations of pages that are (not) global end: blocks are verified again before use. */
static void soft_epoch_next(struct soft_vcpu *sv, unsigned int global)
{
	sv->epoch[global]++;
	memset(&sv->code_pages[global], 0, sizeof(sv->code_pages[global]));
}

void soft_tlb_flush(struct soft_vcpu *sv, bool global)
{
	sv->vcpu->stats.tlb_flush++;
	sv->walk_epoch++;
	soft_epoch_next(sv, 0);
	if (global)
		soft_epoch_next(sv, 1);
	for (unsigned int t = 0; t < 2; t++) {
		for (unsigned int ctx = 0; ctx < X86_TLB_CONTEXTS; ctx++) {
			if (global)
				soft_tlb_clear(sv, t, ctx);
			else
				soft_tlb_clear_local(sv, t, ctx);
		}
	}
	if (global) {
		memset(&sv->large_pages, 0, sizeof(sv->large_pages));
		memset(&sv->huge_pages, 0, sizeof(sv->huge_pages));
		sv->last_range = NULL;
	}
}

void soft_tlb_flush_page(struct soft_vcpu *sv, gva_t gva)
{
	unsigned int i = (unsigned int)(gva >> HVM_PAGE_SHIFT) & (X86_TLB_ENTRIES - 1);

	sv->walk_epoch++;
	/* Entries are 4 KiB each: those of one large page are all over the tables. */
	if (soft_set_has(&sv->large_pages, gva >> 21) || soft_set_has(&sv->huge_pages, gva >> 30)) {
		soft_tlb_flush(sv, true);
		return;
	}
	for (unsigned int t = 0; t < 2; t++) {
		for (unsigned int ctx = 0; ctx < X86_TLB_CONTEXTS; ctx++) {
			struct x86_tlb_entry *e = &soft_tlb_table(sv, t, ctx)[i];

			if (e->tag == (gva & HVM_PAGE_MASK))
				*e = soft_tlb_invalid(i);
		}
	}
	/* A block of two pages, one of them global, counts as not global. */
	if (soft_set_has(&sv->code_pages[1], gva >> HVM_PAGE_SHIFT)) {
		soft_epoch_next(sv, 1);
		soft_epoch_next(sv, 0);
	} else if (soft_set_has(&sv->code_pages[0], gva >> HVM_PAGE_SHIFT)) {
		soft_epoch_next(sv, 0);
	}
}

void soft_tlb_flush_writes(struct soft_vcpu *sv)
{
	for (unsigned int ctx = 0; ctx < X86_TLB_CONTEXTS; ctx++)
		soft_tlb_clear(sv, SOFT_TABLE_W, ctx);
}

void soft_tlb_purge_writes(struct soft_vcpu *sv, const uint8_t *hva)
{
	for (unsigned int ctx = 0; ctx < X86_TLB_CONTEXTS; ctx++) {
		struct x86_tlb_entry *table = sv->tlb->w[ctx];

		if (!sv->log[SOFT_TABLE_W][ctx].used)
			continue;
		for (unsigned int i = 0; i < X86_TLB_ENTRIES; i++) {
			if (table[i].tag + table[i].addend == (uint64_t)(uintptr_t)hva)
				table[i] = soft_tlb_invalid(i);
		}
	}
}

/* -- translating --------------------------------------------------------------------------- */

static void soft_note_page_size(struct soft_vcpu *sv, gva_t gva, const struct walk_result *w)
{
	if (hvm_likely(w->page_bytes <= HVM_PAGE_SIZE) || w->page_bytes == ~0ull)
		return;
	if (w->page_bytes <= 4u << 20) {
		/* A 4 MiB page is two neighbours here. */
		soft_set_add(&sv->large_pages, gva >> 21);
		if (w->page_bytes == 4u << 20)
			soft_set_add(&sv->large_pages, (gva >> 21) ^ 1);
	} else {
		soft_set_add(&sv->huge_pages, gva >> 30);
	}
}

/* 48-bit linear addresses in long mode; 32 bits are all there is elsewhere. */
static bool soft_canonical(const struct x86_cpu *c, gva_t gva)
{
	return !(c->efer & X86_EFER_LMA) || (uint64_t)((int64_t)(gva << 16) >> 16) == gva;
}

static struct soft_rights soft_rights(const struct x86_cpu *c, unsigned int cpl, bool implicit)
{
	if (cpl == 3)
		return (struct soft_rights){ X86_TLB_USER, WALK_USER };
	if (implicit)
		return (struct soft_rights){ X86_TLB_KERNEL, WALK_IMPLICIT };
	if ((c->cr4 & X86_CR4_SMAP) && (c->rflags_rest & X86_EFL_AC))
		return (struct soft_rights){ X86_TLB_KERNEL_AC, WALK_AC };
	return (struct soft_rights){ X86_TLB_KERNEL, 0 };
}

static bool soft_may_write_direct(struct soft_vcpu *sv, const struct p2m_range *r, gpa_t gpa,
				  bool write)
{
	uint8_t *flags = p2m_range_flags(r, gpa);
	uint8_t now = __atomic_load_n(flags, __ATOMIC_SEQ_CST);

	if (p2m_dirty_logging(&sv->vcpu->domain->p2m) && !(now & P2M_PAGE_DIRTY)) {
		if (!write)
			return false;
		__atomic_fetch_or(flags, P2M_PAGE_DIRTY, __ATOMIC_SEQ_CST);
	}
	return !(now & P2M_PAGE_CODE);
}

/*
 * Translate one page for data, fill the tables as far as allowed. false: exception raised.
 */
static bool soft_page(struct soft_vcpu *sv, struct soft_rights rights, gva_t gva, bool write,
		      struct soft_page *ret)
{
	struct x86_cpu *c = &sv->cpu;
	struct walk_result w;
	const struct p2m_range *r;

	sv->vcpu->stats.tlb_miss++;
	if (hvm_unlikely(!soft_canonical(c, gva))) {
		sv->non_canonical = true;
		sv->non_canonical_gva = gva;
		x86_raise_err(c, X86_GP, 0);
		return false;
	}
	if (hvm_unlikely(soft_walk(sv, gva, rights.walk | (write ? WALK_WRITE : 0u), &w))) {
		x86_raise_pf(c, gva, w.pfec);
		return false;
	}
	r = soft_range(sv, w.gpa);
	*ret = (struct soft_page){ .gpa = w.gpa, .range = r };
	if (!r)
		return true;
	ret->hva = p2m_range_hva(r, w.gpa);
	soft_note_page_size(sv, gva, &w);
	soft_tlb_set(sv, SOFT_TABLE_R, rights.context, gva, ret->hva, w.global);
	if (r->type != HVM_MEM_RAM || !(write || w.writable))
		return true;
	if (soft_may_write_direct(sv, r, w.gpa, write)) {
		soft_tlb_set(sv, SOFT_TABLE_W, rights.context, gva, ret->hva, w.global);
		ret->direct_w = true;
	}
	return true;
}

/* Like soft_page(), but a table entry spares the walk. */
static bool soft_page_cached(struct soft_vcpu *sv, struct soft_rights rights, gva_t gva, bool write,
			     struct soft_page *ret)
{
	unsigned int t = write ? SOFT_TABLE_W : SOFT_TABLE_R;
	const struct x86_tlb_entry *e = x86_tlb_slot(soft_tlb_table(sv, t, rights.context), gva);

	if ((gva ^ e->tag) < HVM_PAGE_SIZE) {
		*ret = (struct soft_page){ .hva = (uint8_t *)(uintptr_t)(gva + e->addend),
					   .direct_w = write };
		return true;
	}
	return soft_page(sv, rights, gva, write, ret);
}

/* -- accesses ------------------------------------------------------------------------------ */

/* Natural sizes in one host access, as the processor does them. */
static void soft_read_ram(void *buf, const uint8_t *hva, unsigned int size)
{
	switch (size) {
	case 1: *(x86_u8a *)buf = *(const volatile x86_u8a *)hva; break;
	case 2: *(x86_u16a *)buf = *(const volatile x86_u16a *)hva; break;
	case 4: *(x86_u32a *)buf = *(const volatile x86_u32a *)hva; break;
	case 8: *(x86_u64a *)buf = *(const volatile x86_u64a *)hva; break;
	default: memcpy(buf, hva, size); break;
	}
}

static void soft_write_ram(uint8_t *hva, const void *buf, unsigned int size)
{
	switch (size) {
	case 1: *(volatile x86_u8a *)hva = *(const x86_u8a *)buf; break;
	case 2: *(volatile x86_u16a *)hva = *(const x86_u16a *)buf; break;
	case 4: *(volatile x86_u32a *)hva = *(const x86_u32a *)buf; break;
	case 8: *(volatile x86_u64a *)hva = *(const x86_u64a *)buf; break;
	default: memcpy(hva, buf, size); break;
	}
}

static bool soft_io_failed(struct x86_cpu *c, int rc)
{
	if (!rc)
		return false;
	c->stop = rc == -HVM_EAGAIN ? X86_STOP_IO : X86_STOP_CRASH;
	return true;
}

/* Device memory: naturally aligned pieces of at most 8 bytes. */
static bool soft_mmio(struct soft_vcpu *sv, gpa_t gpa, void *buf, unsigned int size, bool write)
{
	struct x86_cpu *c = &sv->cpu;
	uint8_t *p = buf;

	soft_tr_verify_device(sv);
	while (size) {
		unsigned int n = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
		uint64_t value = 0;
		int rc;

		while (gpa & (n - 1))
			n /= 2;
		if (write) {
			memcpy(&value, p, n);
			rc = c->env->mmio_write(c->env_arg, gpa, n, value);
		} else {
			rc = c->env->mmio_read(c->env_arg, gpa, n, &value);
			memcpy(p, &value, n);
		}
		if (soft_io_failed(c, rc))
			return false;
		p += n;
		gpa += n;
		size -= n;
	}
	return true;
}

static bool soft_read(struct soft_vcpu *sv, const struct soft_page *p, void *buf, unsigned int size)
{
	if (hvm_unlikely(!p->hva))
		return soft_mmio(sv, p->gpa, buf, size, false);
	soft_read_ram(buf, p->hva, size);
	return true;
}

static bool soft_write(struct soft_vcpu *sv, const struct soft_page *p, const void *buf,
		       unsigned int size)
{
	if (hvm_unlikely(!p->hva)) {
		uint8_t copy[64];

		memcpy(copy, buf, size);
		return soft_mmio(sv, p->gpa, copy, size, true);
	}
	if (p->range && p->range->type != HVM_MEM_RAM)
		return true;
	soft_tr_verify_write(sv, p->hva, size);
	soft_write_ram(p->hva, buf, size);
	if (hvm_likely(p->direct_w))
		return true;
	/* Write, then look for code; soft_code_add() marks, then reads the bytes. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	soft_code_written(sv->domain, sv, p->range, p->gpa, size);
	return true;
}

/* #AC of an access by the program itself. A non-canonical address is #GP or #SS before that. */
static bool soft_misaligned(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	if (hvm_likely(!(c->mode & X86_MODE_AC)) || (size != 2 && size != 4 && size != 8) ||
	    !(gva & (size - 1)) || !soft_canonical(c, gva))
		return false;
	x86_raise_err(c, X86_AC, 0);
	return true;
}

static gva_t soft_wrap(const struct x86_cpu *c, gva_t gva)
{
	return c->efer & X86_EFER_LMA ? gva : (uint32_t)gva;
}

/* All of an access of up to 64 bytes: one page or two. Nothing is written unless both can be. */
static bool soft_access(struct soft_vcpu *sv, struct soft_rights rights, gva_t gva, void *buf,
			unsigned int size, bool write)
{
	unsigned int first = HVM_PAGE_SIZE - (unsigned int)(gva & ~HVM_PAGE_MASK);
	struct soft_page page[2];

	gva = soft_wrap(&sv->cpu, gva);
	if (!soft_page_cached(sv, rights, gva, write, &page[0]))
		return false;
	if (hvm_likely(size <= first))
		return write ? soft_write(sv, &page[0], buf, size)
			     : soft_read(sv, &page[0], buf, size);
	if (!soft_page_cached(sv, rights, soft_wrap(&sv->cpu, gva + first), write, &page[1]))
		return false;
	if (write)
		return soft_write(sv, &page[0], buf, first) &&
		       soft_write(sv, &page[1], (uint8_t *)buf + first, size - first);
	return soft_read(sv, &page[0], buf, first) &&
	       soft_read(sv, &page[1], (uint8_t *)buf + first, size - first);
}

static bool soft_probe(struct soft_vcpu *sv, struct soft_rights rights, gva_t gva,
		       unsigned int size, bool write)
{
	unsigned int first = HVM_PAGE_SIZE - (unsigned int)(gva & ~HVM_PAGE_MASK);
	struct soft_page page;

	gva = soft_wrap(&sv->cpu, gva);
	if (!soft_page_cached(sv, rights, gva, write, &page))
		return false;
	while (hvm_unlikely(size > first)) {
		size -= first;
		gva = soft_wrap(&sv->cpu, gva + first);
		if (!soft_page_cached(sv, rights, gva, write, &page))
			return false;
		first = HVM_PAGE_SIZE;
	}
	return true;
}

static void soft_watch(struct soft_vcpu *sv, gva_t gva, unsigned int size, bool write)
{
	if (hvm_unlikely(sv->watching))
		sv->watch_dr6 |= x86_data_breakpoint(&sv->cpu, gva, size, write);
}

bool x86_load_slow(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size)
{
	struct soft_vcpu *sv = soft_of_cpu(c);

	if (soft_misaligned(c, gva, size) ||
	    !soft_access(sv, soft_rights(c, c->cpl, false), gva, buf, size, false))
		return false;
	soft_watch(sv, gva, size, false);
	return true;
}

bool x86_store_slow(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size)
{
	struct soft_vcpu *sv = soft_of_cpu(c);

	/* soft_access() does not write to buf when it writes to the guest. */
	if (soft_misaligned(c, gva, size) || !soft_access(sv, soft_rights(c, c->cpl, false), gva,
							  (void *)(uintptr_t)buf, size, true))
		return false;
	soft_watch(sv, gva, size, true);
	return true;
}

bool x86_probe_w(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	return !soft_misaligned(c, gva, size) &&
	       soft_probe(soft_of_cpu(c), soft_rights(c, c->cpl, false), gva, size, true);
}

bool x86_probe_r(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	return !soft_misaligned(c, gva, size) &&
	       soft_probe(soft_of_cpu(c), soft_rights(c, c->cpl, false), gva, size, false);
}

/*
 * A pointer for writing into a page with code: its code in that place is dropped before, and until
 * the instruction is over nobody decodes there without asking this vcpu (held_gfn).
 */
static void soft_hold(struct soft_vcpu *sv, const struct soft_page *p, unsigned int size)
{
	__atomic_store_n(&sv->held_gfn, p->gpa >> HVM_PAGE_SHIFT, __ATOMIC_SEQ_CST);
	__atomic_store_n(&sv->cpu.exit_req, 1, __ATOMIC_SEQ_CST);
	soft_code_written(sv->domain, sv, p->range, p->gpa, size);
}

static void *soft_ptr(struct x86_cpu *c, gva_t gva, unsigned int size, bool write, bool *ret_fault)
{
	struct soft_vcpu *sv = soft_of_cpu(c);
	struct soft_page page;

	*ret_fault = false;
	gva = soft_wrap(c, gva);
	if (hvm_unlikely(soft_misaligned(c, gva, size))) {
		*ret_fault = true;
		return NULL;
	}
	if (hvm_unlikely((gva & ~HVM_PAGE_MASK) + size > HVM_PAGE_SIZE))
		return NULL;
	if (!soft_page_cached(sv, soft_rights(c, c->cpl, false), gva, write, &page)) {
		*ret_fault = true;
		return NULL;
	}
	if (hvm_unlikely(!page.hva))
		return NULL;
	if (write && !page.direct_w) {
		if (page.range->type != HVM_MEM_RAM)
			return NULL;
		soft_hold(sv, &page, size);
	}
	if (write)
		soft_tr_verify_write(sv, page.hva, size);
	soft_watch(sv, gva, size, write);
	return page.hva;
}

void *x86_ptr_w_slow(struct x86_cpu *c, gva_t gva, unsigned int size, bool *ret_fault)
{
	return soft_ptr(c, gva, size, true, ret_fault);
}

const void *x86_ptr_r_slow(struct x86_cpu *c, gva_t gva, unsigned int size, bool *ret_fault)
{
	return soft_ptr(c, gva, size, false, ret_fault);
}

bool x86_sys_load(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size)
{
	return soft_access(soft_of_cpu(c), soft_rights(c, 0, true), gva, buf, size, false);
}

bool x86_sys_store(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size)
{
	return soft_access(soft_of_cpu(c), soft_rights(c, 0, true), gva, (void *)(uintptr_t)buf,
			   size, true);
}

bool x86_load_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, void *buf, unsigned int size)
{
	return soft_access(soft_of_cpu(c), soft_rights(c, cpl, true), gva, buf, size, false);
}

bool x86_store_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, const void *buf,
		  unsigned int size)
{
	return soft_access(soft_of_cpu(c), soft_rights(c, cpl, true), gva, (void *)(uintptr_t)buf,
			   size, true);
}

bool x86_probe_w_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, unsigned int size)
{
	return soft_probe(soft_of_cpu(c), soft_rights(c, cpl, true), gva, size, true);
}

/* Excludes other locked slow paths of the domain; never held across instructions. */
void x86_bus_lock(struct x86_cpu *c)
{
	hvm_os_mutex_lock(&soft_of_cpu(c)->domain->bus_lock);
}

void x86_bus_unlock(struct x86_cpu *c)
{
	hvm_os_mutex_unlock(&soft_of_cpu(c)->domain->bus_lock);
}

/* -- instruction fetch --------------------------------------------------------------------- */

/* Where nothing is mapped, the bus reads as ones. */
static const uint8_t soft_float_page[HVM_PAGE_SIZE] = { [0 ... HVM_PAGE_SIZE - 1] = 0xff };

static const struct soft_itlb_entry *soft_fetch_fill(struct soft_vcpu *sv, gva_t gva,
						     struct soft_itlb_entry *e)
{
	struct x86_cpu *c = &sv->cpu;
	gva_t page = gva & HVM_PAGE_MASK;
	struct walk_result w;

	sv->vcpu->stats.tlb_miss++;
	if (!soft_canonical(c, gva)) {
		x86_raise_err(c, X86_GP, 0);
		return NULL;
	}
	if (soft_walk(sv, gva, WALK_FETCH | (c->cpl == 3 ? WALK_USER : 0u), &w)) {
		x86_raise_pf(c, gva, w.pfec);
		return NULL;
	}
	soft_note_page_size(sv, gva, &w);
	soft_set_add(&sv->code_pages[w.global], gva >> HVM_PAGE_SHIFT);
	e->page = page;
	e->global = w.global;
	e->stamp = sv->epoch[w.global];
	e->gpa = w.gpa & HVM_PAGE_MASK;
	e->range = soft_range(sv, w.gpa);
	e->hva = e->range ? p2m_range_hva(e->range, e->gpa) : soft_float_page;
	return e;
}

const struct soft_itlb_entry *soft_fetch_page(struct soft_vcpu *sv, gva_t gva)
{
	struct soft_itlb_entry *e =
		&sv->itlb[sv->cpu.cpl == 3][(gva >> HVM_PAGE_SHIFT) & (SOFT_ITLB_ENTRIES - 1)];

	if (hvm_likely(e->page == (gva & HVM_PAGE_MASK) && e->stamp == sv->epoch[e->global]))
		return e;
	return soft_fetch_fill(sv, gva, e);
}
