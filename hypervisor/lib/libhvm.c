/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libhvm.c - hvm/hvm.h: picks the engine, and passes each call to the domain's own side of the
 * process boundary. Locking: hvm.h.
 */
#include "lib/lib_ops.h"

/* "Not here", of whatever kind: the software CPU can stand in. */
static bool lib_is_absent(int rc)
{
	return rc == -HVM_ENODEV || rc == -HVM_EPERM || rc == -HVM_EBUSY;
}

static int lib_create(const struct hvm_domain_config *cfg, struct hvm_domain *d)
{
	int rc = -HVM_ENODEV;

	if (cfg->engine != HVM_ENGINE_SOFT)
		rc = lib_dev_create(cfg, d);
	if (cfg->engine == HVM_ENGINE_SOFT || (cfg->engine == HVM_ENGINE_AUTO && lib_is_absent(rc)))
		rc = lib_core_create(cfg, d);
	else if (lib_is_absent(rc) || rc == LIB_NO_MODEL)
		rc = -HVM_ENODEV;
	return rc;
}

int hvm_domain_create(const struct hvm_domain_config *cfg, struct hvm_domain **ret)
{
	struct hvm_domain *d;
	int rc;

	if (cfg->engine > HVM_ENGINE_SVM || cfg->cpu_model > HVM_CPU_V3 || !cfg->vcpus ||
	    cfg->vcpus > HVM_MAX_VCPUS)
		return -HVM_EINVAL;
	d = hvm_os_alloc(sizeof(*d));
	if (!d)
		return -HVM_ENOMEM;
	d->vcpu_count = cfg->vcpus;
	d->fd = -1;
	for (unsigned int i = 0; i < cfg->vcpus; i++)
		d->vcpu[i] = (struct hvm_vcpu){ .domain = d, .index = i, .fd = -1 };
	rc = lib_create(cfg, d);
	if (rc) {
		hvm_os_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

void hvm_domain_destroy(struct hvm_domain *d)
{
	if (!d)
		return;
	d->ops->destroy(d);
	hvm_os_free(d);
}

const char *hvm_domain_engine_name(const struct hvm_domain *d)
{
	return d->engine;
}

const char *hvm_domain_crash_reason(const struct hvm_domain *d)
{
	return d->ops->crash_reason(d);
}

int hvm_domain_reset(struct hvm_domain *d)
{
	return d->ops->reset(d);
}

/* -- memory ------------------------------------------------------------------------------------ */

int hvm_domain_map(struct hvm_domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type,
		   void *hva)
{
	return d->ops->map(d, gpa, bytes, type, hva);
}

int hvm_domain_unmap(struct hvm_domain *d, gpa_t gpa, uint64_t bytes)
{
	return d->ops->map(d, gpa, bytes, HVM_MEM_MMIO, NULL);
}

void hvm_domain_memory_written(struct hvm_domain *d, gpa_t gpa, uint64_t bytes)
{
	d->ops->memory_written(d, gpa, bytes);
}

int hvm_dirty_log_start(struct hvm_domain *d)
{
	return d->ops->dirty_start(d);
}

int hvm_dirty_log_sync(struct hvm_domain *d, gpa_t gpa, uint64_t pages, uint64_t *bitmap)
{
	return d->ops->dirty_sync(d, gpa, pages, bitmap);
}

void hvm_dirty_log_stop(struct hvm_domain *d)
{
	d->ops->dirty_stop(d);
}

/* -- interrupts and devices -------------------------------------------------------------------- */

int hvm_irq_set(struct hvm_domain *d, unsigned int gsi, bool level)
{
	return d->ops->irq_set(d, gsi, level);
}

int hvm_msi_send(struct hvm_domain *d, uint64_t address, uint32_t data)
{
	return d->ops->msi_send(d, address, data);
}

int hvm_nmi_send(struct hvm_domain *d)
{
	return d->ops->nmi_send(d);
}

int hvm_cmos_write(struct hvm_domain *d, unsigned int index, uint8_t value)
{
	return d->ops->cmos_write(d, index, value);
}

int hvm_bufioreq_add(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
		     uint64_t bytes)
{
	return d->ops->bufioreq_add(d, type, address, bytes);
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

	return size > 8 ? -HVM_EINVAL : d->ops->doorbell_add(d, &b);
}

int hvm_doorbell_remove(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
			int eventfd)
{
	const struct hvm_doorbell b = { .address = address,
					.eventfd = eventfd,
					.type = (uint8_t)type };

	return d->ops->doorbell_remove(d, &b);
}

bool hvm_bufioreq_pop(struct hvm_domain *d, struct hvm_bufioreq *ret)
{
	return d->ops->bufioreq_pop(d, ret);
}

/* -- vcpus ------------------------------------------------------------------------------------- */

struct hvm_vcpu *hvm_domain_vcpu(struct hvm_domain *d, unsigned int index)
{
	return index < d->vcpu_count ? &d->vcpu[index] : NULL;
}

int hvm_vcpu_run(struct hvm_vcpu *v, struct hvm_exit *ret)
{
	return v->domain->ops->vcpu_run(v, ret);
}

void hvm_vcpu_kick(struct hvm_vcpu *v)
{
	v->domain->ops->vcpu_kick(v);
}

/* One page either way: the core's own, or the kernel's, mapped. */
struct hvm_ioreq *hvm_vcpu_ioreq(struct hvm_vcpu *v)
{
	return &lib_core_vcpu(v)->ioreq_page->req;
}

int hvm_vcpu_get_state(struct hvm_vcpu *v, struct hvm_vcpu_state *ret)
{
	return v->domain->ops->vcpu_get_state(v, ret);
}

int hvm_vcpu_set_state(struct hvm_vcpu *v, const struct hvm_vcpu_state *s)
{
	return v->domain->ops->vcpu_set_state(v, s);
}

int hvm_vcpu_translate(struct hvm_vcpu *v, gva_t gva, gpa_t *ret)
{
	return v->domain->ops->vcpu_translate(v, gva, ret);
}

size_t hvm_vcpu_stats(struct hvm_vcpu *v, uint64_t *ret, size_t max)
{
	return v->domain->ops->vcpu_stats(v, ret, max);
}

/* -- time and state ---------------------------------------------------------------------------- */

void hvm_domain_pause_time(struct hvm_domain *d)
{
	d->ops->pause_time(d);
}

void hvm_domain_resume_time(struct hvm_domain *d)
{
	d->ops->resume_time(d);
}

int hvm_domain_save(struct hvm_domain *d, uint8_t **ret_buf, size_t *ret_bytes)
{
	return d->ops->save(d, ret_buf, ret_bytes);
}

int hvm_domain_load(struct hvm_domain *d, const uint8_t *buf, size_t bytes)
{
	return d->ops->load(d, buf, bytes);
}
