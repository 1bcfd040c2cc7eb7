/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libhvm.c - hvm/hvm.h over a core in this process. Locking: hvm.h; d->lock for the p2m.
 */
#include "core/domain.h"
#include "core/save.h"
#include "devices/chips.h"

struct hvm_vcpu {
	struct vcpu *core;
};

struct hvm_domain {
	struct domain *core;
	struct hvm_vcpu vcpu[HVM_MAX_VCPUS];
};

static const struct hvm_engine_info lib_engines[] = {
	{ HVM_ENGINE_SOFT, true, "soft", "the software CPU: serves on every x86-64 host" },
	{ HVM_ENGINE_VMX, false, "vmx", "this build has no hvm.ko: /dev/hvm is not there" },
	{ HVM_ENGINE_SVM, false, "svm", "this build has no hvm.ko: /dev/hvm is not there" },
};

size_t hvm_engines(struct hvm_engine_info *ret, size_t max)
{
	for (size_t i = 0; i < HVM_ARRAY_SIZE(lib_engines) && i < max; i++)
		ret[i] = lib_engines[i];
	return HVM_ARRAY_SIZE(lib_engines);
}

int hvm_domain_create(const struct hvm_domain_config *cfg, struct hvm_domain **ret)
{
	struct hvm_domain *d;
	int rc;

	if (cfg->engine > HVM_ENGINE_SVM || cfg->cpu_model > HVM_CPU_V2)
		return -HVM_EINVAL;
	if (cfg->engine != HVM_ENGINE_AUTO && cfg->engine != HVM_ENGINE_SOFT)
		return -HVM_ENODEV;
	d = hvm_os_alloc(sizeof(*d));
	if (!d)
		return -HVM_ENOMEM;
	rc = domain_create(cfg, &soft_function_table, &d->core);
	if (rc) {
		hvm_os_free(d);
		return rc;
	}
	for (unsigned int i = 0; i < cfg->vcpus; i++)
		d->vcpu[i].core = d->core->vcpu[i];
	*ret = d;
	return 0;
}

void hvm_domain_destroy(struct hvm_domain *d)
{
	if (!d)
		return;
	domain_destroy(d->core);
	hvm_os_free(d);
}

const char *hvm_domain_engine_name(const struct hvm_domain *d)
{
	return d->core->ops->name;
}

const char *hvm_domain_crash_reason(const struct hvm_domain *d)
{
	return hvm_domain_is_crashed(d->core) ? d->core->crash_reason : "";
}

int hvm_domain_reset(struct hvm_domain *d)
{
	return domain_reset(d->core);
}

/* -- memory ------------------------------------------------------------------------------------ */

/* Vcpus may run: when this returns none of them uses what was there before. */
int hvm_domain_map(struct hvm_domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type,
		   void *hva)
{
	struct domain *c = d->core;
	int rc;

	hvm_os_mutex_lock(&c->lock);
	rc = type == HVM_MEM_MMIO ? p2m_unmap(&c->p2m, gpa, bytes)
				  : p2m_map(&c->p2m, gpa, bytes, type, hva);
	if (!rc)
		c->ops->p2m_changed(c, gpa >> HVM_PAGE_SHIFT, bytes >> HVM_PAGE_SHIFT);
	hvm_os_mutex_unlock(&c->lock);
	return rc;
}

int hvm_domain_unmap(struct hvm_domain *d, gpa_t gpa, uint64_t bytes)
{
	return hvm_domain_map(d, gpa, bytes, HVM_MEM_MMIO, NULL);
}

void hvm_domain_memory_written(struct hvm_domain *d, gpa_t gpa, uint64_t bytes)
{
	struct domain *c = d->core;
	gfn_t first = gpa >> HVM_PAGE_SHIFT;

	if (!bytes)
		return;
	if (gpa + bytes < gpa)
		bytes = 0 - gpa;
	p2m_mark_dirty(&c->p2m, gpa, bytes);
	if (c->ops->memory_written)
		c->ops->memory_written(c, first, ((gpa + bytes - 1) >> HVM_PAGE_SHIFT) - first + 1);
}

static void lib_dirty_log_changed(struct domain *c)
{
	if (c->ops->dirty_log_changed)
		c->ops->dirty_log_changed(c);
}

int hvm_dirty_log_start(struct hvm_domain *d)
{
	p2m_dirty_start(&d->core->p2m);
	lib_dirty_log_changed(d->core);
	return 0;
}

int hvm_dirty_log_sync(struct hvm_domain *d, gpa_t gpa, uint64_t pages, uint64_t *bitmap)
{
	int64_t n = p2m_dirty_sync(&d->core->p2m, gpa, pages, bitmap);

	if (n < 0)
		return (int)n;
	lib_dirty_log_changed(d->core);
	return 0;
}

void hvm_dirty_log_stop(struct hvm_domain *d)
{
	p2m_dirty_stop(&d->core->p2m);
	lib_dirty_log_changed(d->core);
}

/* -- interrupts and devices -------------------------------------------------------------------- */

int hvm_irq_set(struct hvm_domain *d, unsigned int gsi, bool level)
{
	if (gsi >= HVM_GSI_COUNT)
		return -HVM_EINVAL;
	hvm_gsi_set(d->core, gsi, level);
	return 0;
}

int hvm_msi_send(struct hvm_domain *d, uint64_t address, uint32_t data)
{
	return hvm_msi_deliver(d->core, address, data);
}

int hvm_nmi_send(struct hvm_domain *d)
{
	for (unsigned int i = 0; i < d->core->vcpu_count; i++)
		hvm_vcpu_request(d->core->vcpu[i], HVM_REQ_NMI);
	return 0;
}

int hvm_cmos_write(struct hvm_domain *d, unsigned int index, uint8_t value)
{
	return vrtc_cmos_write(d->core, index, value);
}

static bool lib_ioreq_type_ok(enum hvm_ioreq_type type)
{
	return type == HVM_IOREQ_PIO || type == HVM_IOREQ_MMIO;
}

int hvm_bufioreq_add(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
		     uint64_t bytes)
{
	if (!lib_ioreq_type_ok(type) || !bytes || bytes - 1 > UINT64_MAX - address)
		return -HVM_EINVAL;
	return intercept_add_buffered(d->core, (uint8_t)type, address, bytes);
}

int hvm_doorbell_add(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
		     unsigned int size, const uint64_t *match, int eventfd)
{
	const struct hvm_doorbell b = { .address = address,
					.match = match ? *match : 0,
					.eventfd = eventfd,
					.type = (uint8_t)type,
					.size = (uint8_t)size,
					.has_match = match != NULL };

	if (!lib_ioreq_type_ok(type) || eventfd < 0 || size > 8 || (size & (size - 1)))
		return -HVM_EINVAL;
	return intercept_add_doorbell(d->core, &b);
}

int hvm_doorbell_remove(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
			int eventfd)
{
	return intercept_remove_doorbell(d->core, (uint8_t)type, address, eventfd);
}

bool hvm_bufioreq_pop(struct hvm_domain *d, struct hvm_bufioreq *ret)
{
	return bufioreq_pop(d->core, ret);
}

/* -- vcpus ------------------------------------------------------------------------------------- */

struct hvm_vcpu *hvm_domain_vcpu(struct hvm_domain *d, unsigned int index)
{
	return index < d->core->vcpu_count ? &d->vcpu[index] : NULL;
}

int hvm_vcpu_run(struct hvm_vcpu *v, struct hvm_exit *ret)
{
	return vcpu_run(v->core, ret);
}

void hvm_vcpu_kick(struct hvm_vcpu *v)
{
	__atomic_store_n(&v->core->user_kick, 1, __ATOMIC_SEQ_CST);
	hvm_vcpu_request(v->core, HVM_REQ_EVENT);
}

struct hvm_ioreq *hvm_vcpu_ioreq(struct hvm_vcpu *v)
{
	return &v->core->ioreq_page->req;
}

int hvm_vcpu_get_state(struct hvm_vcpu *v, struct hvm_vcpu_state *ret)
{
	memset(ret, 0, sizeof(*ret));
	v->core->domain->ops->store_state(v->core, ret);
	ret->tsc_offset = v->core->tsc_offset;
	ret->pat = v->core->msr_pat;
	ret->pending = v->core->reinject;
	return 0;
}

int hvm_vcpu_set_state(struct hvm_vcpu *v, const struct hvm_vcpu_state *s)
{
	struct vcpu *c = v->core;
	int rc = c->domain->ops->load_state(c, s);

	if (rc)
		return rc;
	c->ioreq_page->req.state = HVM_IOREQ_STATE_FREE;
	hvm_io_retire(c);
	c->reinject = s->pending;
	return 0;
}

int hvm_vcpu_translate(struct hvm_vcpu *v, gva_t gva, gpa_t *ret)
{
	return v->core->domain->ops->translate(v->core, gva, ret);
}

size_t hvm_vcpu_stats(struct hvm_vcpu *v, uint64_t *ret, size_t max)
{
	const uint64_t *s = (const uint64_t *)&v->core->stats;
	size_t count = sizeof(v->core->stats) / sizeof(*s);

	for (size_t i = 0; i < count && i < max; i++)
		ret[i] = __atomic_load_n(&s[i], __ATOMIC_RELAXED);
	return count;
}

/* -- time and state ---------------------------------------------------------------------------- */

void hvm_domain_pause_time(struct hvm_domain *d)
{
	domain_pause_time(d->core);
}

void hvm_domain_resume_time(struct hvm_domain *d)
{
	domain_resume_time(d->core);
}

int hvm_domain_save(struct hvm_domain *d, uint8_t **ret_buf, size_t *ret_bytes)
{
	struct hvm_save_writer w = { 0 };
	int rc = hvm_core_save(d->core, &w);

	if (rc) {
		hvm_os_free(w.buf);
		return rc;
	}
	*ret_buf = w.buf;
	*ret_bytes = w.used;
	return 0;
}

int hvm_domain_load(struct hvm_domain *d, const uint8_t *buf, size_t bytes)
{
	return hvm_core_load(d->core, buf, bytes);
}
