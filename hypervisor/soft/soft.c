/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soft.c - the software CPU as a vendor: its function table, what it gives the executor (struct
 * x86_cpu_env), and requests between vcpus.
 * Locking: soft.h. Saved: nothing of its own; the core saves struct hvm_vcpu_state.
 */
#include "soft/soft.h"

#include "devices/chips.h"
#include "x86/host.h"

_Thread_local struct soft_vcpu *soft_current;

/* -- requests ------------------------------------------------------------------------------ */

uint64_t soft_post(struct soft_vcpu *sv, uint32_t flags, const struct soft_request *item)
{
	struct soft_requests *q = &sv->requests;
	uint64_t ticket;

	hvm_os_spin_lock(&q->lock);
	q->flags |= flags;
	if (item) {
		if (q->count < SOFT_REQ_ITEMS)
			q->item[q->count++] = *item;
		else
			q->flags |= item->hva ? SOFT_REQ_TLB_W : SOFT_REQ_BLOCKS;
	}
	ticket = q->posted + 1;
	__atomic_store_n(&q->posted, ticket, __ATOMIC_SEQ_CST);
	hvm_os_spin_unlock(&q->lock);
	__atomic_store_n(&sv->cpu.exit_req, 1, __ATOMIC_SEQ_CST);
	return ticket;
}

/*
 * soft_wait - until @sv has served @ticket, or is out of the guest and will serve it before it
 * enters. A vcpu that waits between two instructions serves its own requests meanwhile, so that two
 * may wait for one another; one in the middle of an instruction does not wait (nothing that it can
 * call asks for it).
 */
void soft_wait(struct soft_vcpu *sv, uint64_t ticket)
{
	struct soft_vcpu *self = soft_current;

	if (sv == self || (self && !self->at_boundary))
		return;
	while (__atomic_load_n(&sv->requests.served, __ATOMIC_SEQ_CST) < ticket &&
	       __atomic_load_n(&sv->in_guest, __ATOMIC_SEQ_CST)) {
		if (self)
			soft_serve(self);
		hvm_os_yield();
	}
}

static void soft_serve_items(struct soft_vcpu *sv, const struct soft_request *item, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (item[i].hva)
			soft_tlb_purge_writes(sv, item[i].hva);
		else
			soft_blocks_drop(sv, item[i].gfn, item[i].granules);
	}
}

/* soft_serve - do what others asked for. Only between two instructions. */
void soft_serve(struct soft_vcpu *sv)
{
	struct soft_requests *q = &sv->requests;
	struct soft_request item[SOFT_REQ_ITEMS];
	uint32_t flags, count;
	uint64_t posted;

	if (__atomic_load_n(&q->posted, __ATOMIC_SEQ_CST) == q->served)
		return;
	hvm_os_spin_lock(&q->lock);
	flags = q->flags;
	count = q->count;
	memcpy(item, q->item, count * sizeof(item[0]));
	posted = q->posted;
	q->flags = 0;
	q->count = 0;
	hvm_os_spin_unlock(&q->lock);

	if (flags & SOFT_REQ_TLB)
		soft_tlb_flush(sv, true);
	else if (flags & SOFT_REQ_TLB_W)
		soft_tlb_flush_writes(sv);
	if (flags & SOFT_REQ_BLOCKS)
		soft_blocks_drop_all(sv);
	soft_serve_items(sv, item, count);
	sv->serve_count++;
	__atomic_store_n(&sv->held_gfn, SOFT_NO_GFN, __ATOMIC_SEQ_CST);
	__atomic_store_n(&q->served, posted, __ATOMIC_SEQ_CST);
}

void soft_enter(struct soft_vcpu *sv)
{
	soft_current = sv;
	soft_x87_enter(&sv->tr);
	__atomic_store_n(&sv->in_guest, 1, __ATOMIC_SEQ_CST);
	soft_serve(sv);
}

void soft_leave(struct soft_vcpu *sv)
{
	__atomic_store_n(&sv->held_gfn, SOFT_NO_GFN, __ATOMIC_RELAXED);
	__atomic_store_n(&sv->in_guest, 0, __ATOMIC_SEQ_CST);
	soft_x87_leave(&sv->tr);
	soft_current = NULL;
}

/* Post to every vcpu of @d, then wait for all. */
static void soft_post_all(struct domain *d, uint32_t flags, const struct soft_request *item,
			  unsigned int items)
{
	uint64_t ticket[HVM_MAX_VCPUS] = { 0 };

	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		struct soft_vcpu *sv = d->vcpu[i] ? d->vcpu[i]->vendor : NULL;

		if (!sv)
			continue;
		for (unsigned int n = 0; n < items; n++)
			soft_post(sv, 0, &item[n]);
		ticket[i] = soft_post(sv, flags, NULL);
	}
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (ticket[i])
			soft_wait(d->vcpu[i]->vendor, ticket[i]);
	}
}

/* -- what the executor asks for ------------------------------------------------------------ */

static struct vcpu *soft_env_vcpu(void *arg)
{
	return ((struct soft_vcpu *)arg)->vcpu;
}

static int soft_env_pio_read(void *arg, uint16_t port, unsigned int size, uint32_t *ret)
{
	return hvm_pio_read(soft_env_vcpu(arg), port, size, ret);
}

static int soft_env_pio_write(void *arg, uint16_t port, unsigned int size, uint32_t value)
{
	return hvm_pio_write(soft_env_vcpu(arg), port, size, value);
}

static int soft_env_mmio_read(void *arg, gpa_t gpa, unsigned int size, uint64_t *ret)
{
	return hvm_mmio_read(soft_env_vcpu(arg), gpa, size, ret);
}

static int soft_env_mmio_write(void *arg, gpa_t gpa, unsigned int size, uint64_t value)
{
	return hvm_mmio_write(soft_env_vcpu(arg), gpa, size, value);
}

static int soft_env_pio_read_rep(void *arg, uint16_t port, unsigned int size, unsigned int count,
				 void *buf)
{
	return hvm_pio_read_rep(soft_env_vcpu(arg), port, size, count, buf);
}

static int soft_env_pio_write_rep(void *arg, uint16_t port, unsigned int size, unsigned int count,
				  const void *buf)
{
	return hvm_pio_write_rep(soft_env_vcpu(arg), port, size, count, buf);
}

static void soft_env_cpuid(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	const struct x86_cpu *c = &((struct soft_vcpu *)arg)->cpu;
	const struct hvm_cpuid_state s = {
		.paging = c->cr0 & X86_CR0_PG,
		.osxsave = c->cr4 & X86_CR4_OSXSAVE,
		.xcr0 = c->xcr0,
	};

	hvm_cpuid(soft_env_vcpu(arg), &s, leaf, subleaf, out);
}

static int soft_env_rdmsr(void *arg, uint32_t index, uint64_t *ret)
{
	return hvm_msr_read(soft_env_vcpu(arg), index, ret) ? -HVM_EINVAL : 0;
}

static int soft_env_wrmsr(void *arg, uint32_t index, uint64_t value)
{
	return hvm_msr_write(soft_env_vcpu(arg), index, value) ? -HVM_EINVAL : 0;
}

static uint64_t soft_env_rdtsc(void *arg)
{
	return hvm_vcpu_rdtsc(soft_env_vcpu(arg));
}

static uint64_t soft_env_cr8_read(void *arg)
{
	return vlapic_cr8_read(soft_env_vcpu(arg));
}

static void soft_env_cr8_write(void *arg, uint64_t value)
{
	vlapic_cr8_write(soft_env_vcpu(arg), value);
}

static bool soft_env_hypercall(void *arg)
{
	struct x86_cpu *c = &((struct soft_vcpu *)arg)->cpu;

	return hvm_hypercall(soft_env_vcpu(arg), c->cpl, c->cr0 & X86_CR0_PG, c->gpr);
}

static void soft_env_tlb_flush(void *arg, bool global)
{
	soft_tlb_flush(arg, global);
}

static void soft_env_tlb_flush_page(void *arg, gva_t gva)
{
	soft_tlb_flush_page(arg, gva);
}

/* FERR# drives IRQ 13; an edge each time. */
static void soft_env_ferr(void *arg)
{
	struct domain *d = soft_env_vcpu(arg)->domain;

	hvm_gsi_set(d, 13, false);
	hvm_gsi_set(d, 13, true);
}

static const struct x86_cpu_env soft_env = {
	.pio_read = soft_env_pio_read,
	.pio_write = soft_env_pio_write,
	.mmio_read = soft_env_mmio_read,
	.mmio_write = soft_env_mmio_write,
	.pio_read_rep = soft_env_pio_read_rep,
	.pio_write_rep = soft_env_pio_write_rep,
	.gpa_to_hva = soft_walk_hva,
	.cpuid = soft_env_cpuid,
	.rdmsr = soft_env_rdmsr,
	.wrmsr = soft_env_wrmsr,
	.rdtsc = soft_env_rdtsc,
	.cr8_read = soft_env_cr8_read,
	.cr8_write = soft_env_cr8_write,
	.hypercall = soft_env_hypercall,
	.tlb_flush = soft_env_tlb_flush,
	.tlb_flush_page = soft_env_tlb_flush_page,
	.ferr = soft_env_ferr,
};

/* -- construct ----------------------------------------------------------------------------- */

/* Would the host execute what the executor hands to it for this domain's model? */
static int soft_check_host(const struct domain *d)
{
	const struct host_features f = host_features_read();

	return domain_check_host(d, "soft", &f);
}

static int soft_domain_init(struct domain *d)
{
	struct soft_domain *sd;
	int rc = soft_check_host(d);

	if (!rc)
		rc = x86_exec_init();
	if (rc)
		return rc;
	sd = hvm_os_alloc(sizeof(*sd));
	if (!sd)
		return -HVM_ENOMEM;
	sd->granules = hvm_os_alloc_pages(SOFT_ROOT_ENTRIES * sizeof(*sd->granules));
	if (!sd->granules) {
		hvm_os_free(sd);
		return -HVM_ENOMEM;
	}
	soft_tlb_init_tables();
	hvm_os_mutex_init(&sd->bus_lock);
	hvm_os_mutex_init(&sd->verify_lock);
	hvm_os_spin_init(&sd->code_lock);
	sd->domain = d;
	sd->env = soft_env;
	d->vendor = sd;
	return 0;
}

void soft_override_env(struct domain *d, const struct x86_cpu_env *env)
{
	struct soft_domain *sd = d->vendor;

#define SOFT_OVERRIDE(member) \
	if (env->member) \
		sd->env.member = env->member;
	SOFT_OVERRIDE(cpuid)
	SOFT_OVERRIDE(rdmsr)
	SOFT_OVERRIDE(wrmsr)
	SOFT_OVERRIDE(rdtsc)
	SOFT_OVERRIDE(cr8_read)
	SOFT_OVERRIDE(cr8_write)
	SOFT_OVERRIDE(ferr)
#undef SOFT_OVERRIDE
}

static void soft_domain_fini(struct domain *d)
{
	struct soft_domain *sd = d->vendor;

	if (!sd)
		return;
	for (unsigned int i = 0; i < SOFT_ROOT_ENTRIES; i++) {
		if (sd->granules[i])
			hvm_os_free_pages(sd->granules[i], sizeof(*sd->granules[i]));
	}
	hvm_os_free_pages(sd->granules, SOFT_ROOT_ENTRIES * sizeof(*sd->granules));
	hvm_os_spin_fini(&sd->code_lock);
	hvm_os_mutex_fini(&sd->verify_lock);
	hvm_os_mutex_fini(&sd->bus_lock);
	hvm_os_free(sd);
	d->vendor = NULL;
}

static void soft_vcpu_fini(struct vcpu *v)
{
	struct soft_vcpu *sv = v->vendor;

	if (!sv)
		return;
	v->vendor = NULL;
	soft_tr_fini(sv);
	soft_blocks_fini(sv);
	hvm_os_spin_fini(&sv->requests.lock);
	hvm_os_free_pages((uint8_t *)sv - SOFT_STACK_BYTES, SOFT_STACK_BYTES + sizeof(*sv));
}

static int soft_vcpu_init(struct vcpu *v)
{
	uint8_t *area = hvm_os_alloc_pages(SOFT_STACK_BYTES + sizeof(struct soft_vcpu));
	struct soft_vcpu *sv;
	int rc;

	if (!area)
		return -HVM_ENOMEM;
	sv = (struct soft_vcpu *)(void *)(area + SOFT_STACK_BYTES);
	sv->vcpu = v;
	sv->domain = v->domain->vendor;
	sv->held_gfn = SOFT_NO_GFN;
	hvm_os_spin_init(&sv->requests.lock);
	v->vendor = sv;
	soft_tlb_init(sv);
	rc = soft_blocks_init(sv);
	if (!rc)
		rc = soft_tr_init(sv, soft_tr_default(v->domain), v->domain->config.vcpus);
	if (rc) {
		soft_vcpu_fini(v);
		return rc;
	}
	sv->cpu.env = &sv->domain->env;
	sv->cpu.env_arg = sv;
	sv->cpu.tlb = sv->tlb;
	sv->cpu.tlb_r = sv->tlb->r[X86_TLB_KERNEL];
	sv->cpu.tlb_w = sv->tlb->w[X86_TLB_KERNEL];
	return 0;
}

/* The processor's state was replaced: nothing derived from it holds. */
static void soft_state_changed(struct soft_vcpu *sv)
{
	struct x86_cpu *c = &sv->cpu;

	c->env = &sv->domain->env;
	c->env_arg = sv;
	c->tlb = sv->tlb;
	c->stop = X86_STOP_NONE;
	c->gpr[X86_REG_NONE] = 0;
	x86_update_mode(c);
	soft_tlb_flush(sv, true);
	sv->key_mode = ~0u;
	/* An instruction that waited for ioemu will not come back. */
	if (sv->io_retry)
		hvm_io_retire(sv->vcpu);
	sv->io_retry = false;
	sv->window_intr = false;
	sv->window_nmi = false;
	__atomic_store_n(&sv->vcpu->activity, c->activity, __ATOMIC_SEQ_CST);
}

static void soft_vcpu_reset(struct vcpu *v, bool init)
{
	struct soft_vcpu *sv = v->vendor;

	x86_cpu_reset(&sv->cpu, init);
	sv->cpu.activity = v->id ? HVM_ACTIVITY_WAIT_SIPI : HVM_ACTIVITY_RUN;
	soft_state_changed(sv);
}

static void soft_vcpu_start(struct vcpu *v, uint8_t vector)
{
	struct soft_vcpu *sv = v->vendor;
	struct hvm_seg *cs = &sv->cpu.seg[HVM_SEG_CS];

	cs->sel = (uint16_t)(vector << 8);
	cs->base = (uint64_t)vector << 12;
	sv->cpu.x86_ip = 0;
	sv->cpu.activity = HVM_ACTIVITY_RUN;
	soft_state_changed(sv);
}

/* -- state --------------------------------------------------------------------------------- */

static void soft_store_state(struct vcpu *v, struct hvm_vcpu_state *ret)
{
	struct soft_vcpu *sv = v->vendor;

	x86_cpu_get_state(&sv->cpu, ret);
	ret->activity = __atomic_load_n(&v->activity, __ATOMIC_SEQ_CST);
	ret->cr8 = vlapic_cr8_read(v);
}

static int soft_load_state(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	struct soft_vcpu *sv = v->vendor;

	x86_cpu_put_state(&sv->cpu, s);
	sv->cpu.activity = s->activity;
	soft_state_changed(sv);
	vlapic_cr8_write(v, s->cr8);
	return 0;
}

static int soft_op_translate(struct vcpu *v, gva_t gva, gpa_t *ret)
{
	return soft_translate(v->vendor, gva, ret);
}

static uint64_t soft_guest_rip(struct vcpu *v)
{
	return ((struct soft_vcpu *)v->vendor)->cpu.x86_ip;
}

/* -- events and run ------------------------------------------------------------------------ */

static int soft_inject_event(struct vcpu *v, const struct hvm_event *e)
{
	struct soft_vcpu *sv = v->vendor;
	int rc;

	soft_enter(sv);
	rc = x86_deliver(&sv->cpu, e);
	soft_leave(sv);
	if (sv->cpu.stop == X86_STOP_CRASH)
		return -HVM_EIO;
	sv->cpu.stop = X86_STOP_NONE;
	/* An event ends a halt; one that ends in a triple fault ends more than that. */
	if (!rc)
		__atomic_store_n(&v->activity, HVM_ACTIVITY_RUN, __ATOMIC_SEQ_CST);
	else if (rc == -HVM_EIO)
		__atomic_store_n(&v->activity, HVM_ACTIVITY_SHUTDOWN, __ATOMIC_SEQ_CST);
	return rc == -HVM_EAGAIN ? rc : 0;
}

static void soft_intr_window(struct vcpu *v, bool nmi)
{
	struct soft_vcpu *sv = v->vendor;

	if (nmi)
		sv->window_nmi = true;
	else
		sv->window_intr = true;
}

static void soft_kick(struct vcpu *v)
{
	struct soft_vcpu *sv = v->vendor;

	__atomic_store_n(&sv->kicked, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&sv->cpu.exit_req, 1, __ATOMIC_SEQ_CST);
}

/* -- memory -------------------------------------------------------------------------------- */

/* More pages than this at once: drop all blocks instead of looking at each. */
#define SOFT_P2M_PAGES 32

static void soft_p2m_changed(struct domain *d, gfn_t gfn, uint64_t pages)
{
	struct soft_request item[SOFT_P2M_PAGES] = { 0 };

	if (pages > SOFT_P2M_PAGES) {
		soft_post_all(d, SOFT_REQ_TLB | SOFT_REQ_BLOCKS, NULL, 0);
		return;
	}
	for (unsigned int i = 0; i < pages; i++) {
		item[i].gfn = gfn + i;
		item[i].granules = ~0ull;
	}
	soft_post_all(d, SOFT_REQ_TLB, item, (unsigned int)pages);
}

static void soft_memory_written(struct domain *d, gfn_t gfn, uint64_t pages)
{
	const struct p2m_map *m = __atomic_load_n(&d->p2m.map, __ATOMIC_ACQUIRE);
	struct soft_vcpu *self = soft_current && soft_current->vcpu->domain == d ? soft_current
										 : NULL;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < m->count; i++) {
		const struct p2m_range *r = &m->range[i];
		gfn_t first = r->gpa >> HVM_PAGE_SHIFT, at = first > gfn ? first : gfn;
		gfn_t end = first + (r->bytes >> HVM_PAGE_SHIFT);

		for (; at < end && at - gfn < pages; at++)
			soft_code_written(d->vendor, self, r, at << HVM_PAGE_SHIFT, HVM_PAGE_SIZE);
	}
}

static void soft_dirty_log_changed(struct domain *d)
{
	soft_post_all(d, SOFT_REQ_TLB_W, NULL, 0);
}

/* RDTSC asks the core, which multiplies. */
static unsigned int soft_tsc_ratio_bits(void)
{
	return 48;
}

const struct hvm_function_table soft_function_table = {
	.name = "soft",
	.domain_init = soft_domain_init,
	.domain_fini = soft_domain_fini,
	.vcpu_init = soft_vcpu_init,
	.vcpu_fini = soft_vcpu_fini,
	.vcpu_reset = soft_vcpu_reset,
	.vcpu_start = soft_vcpu_start,
	.store_state = soft_store_state,
	.load_state = soft_load_state,
	.can_inject = soft_can_inject,
	.translate = soft_op_translate,
	.guest_rip = soft_guest_rip,
	.tsc_ratio_bits = soft_tsc_ratio_bits,
	.run = soft_run,
	.inject_event = soft_inject_event,
	.intr_window = soft_intr_window,
	.kick = soft_kick,
	.p2m_changed = soft_p2m_changed,
	.memory_written = soft_memory_written,
	.dirty_log_changed = soft_dirty_log_changed,
};
