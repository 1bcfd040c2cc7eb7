/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib_core.c - libhvm over a core in this process, on the software CPU. Locking: hvm.h.
 */
#include "core/save.h"
#include "devices/chips.h"
#include "lib/lib_ops.h"

static void core_destroy(struct hvm_domain *d)
{
	domain_destroy(d->core);
}

static const char *core_crash_reason(const struct hvm_domain *d)
{
	return hvm_domain_is_crashed(d->core) ? d->core->crash_reason : "";
}

static int core_reset(struct hvm_domain *d)
{
	return domain_reset(d->core);
}

static int core_map(struct hvm_domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type,
		    void *hva)
{
	return domain_map(d->core, gpa, bytes, type, hva);
}

static void core_memory_written(struct hvm_domain *d, gpa_t gpa, uint64_t bytes)
{
	domain_memory_written(d->core, gpa, bytes);
}

static int core_dirty_start(struct hvm_domain *d)
{
	domain_dirty_start(d->core);
	return 0;
}

static int core_dirty_sync(struct hvm_domain *d, gpa_t gpa, uint64_t pages, uint64_t *bitmap)
{
	return domain_dirty_sync(d->core, gpa, pages, bitmap);
}

static void core_dirty_stop(struct hvm_domain *d)
{
	domain_dirty_stop(d->core);
}

static int core_irq_set(struct hvm_domain *d, unsigned int gsi, bool level)
{
	return domain_irq(d->core, gsi, level);
}

static int core_msi_send(struct hvm_domain *d, uint64_t address, uint32_t data)
{
	return hvm_msi_deliver(d->core, address, data);
}

static int core_nmi_send(struct hvm_domain *d)
{
	return domain_nmi(d->core);
}

static int core_cmos_write(struct hvm_domain *d, unsigned int index, uint8_t value)
{
	return vrtc_cmos_write(d->core, index, value);
}

static int core_bufioreq_add(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
			     uint64_t bytes)
{
	return domain_bufioreq_add(d->core, (uint32_t)type, address, bytes);
}

static int core_doorbell_add(struct hvm_domain *d, const struct hvm_doorbell *b)
{
	return domain_doorbell_add(d->core, b);
}

static int core_doorbell_remove(struct hvm_domain *d, const struct hvm_doorbell *b)
{
	return domain_doorbell_remove(d->core, b);
}

static bool core_bufioreq_pop(struct hvm_domain *d, struct hvm_bufioreq *ret)
{
	return bufioreq_pop(d->core, ret);
}

static int core_vcpu_run(struct hvm_vcpu *v, struct hvm_exit *ret)
{
	return vcpu_run(lib_core_vcpu(v), ret);
}

static void core_vcpu_kick(struct hvm_vcpu *v)
{
	vcpu_kick(lib_core_vcpu(v));
}

static int core_vcpu_get_state(struct hvm_vcpu *v, struct hvm_vcpu_state *ret)
{
	vcpu_get_state(lib_core_vcpu(v), ret);
	return 0;
}

static int core_vcpu_set_state(struct hvm_vcpu *v, const struct hvm_vcpu_state *s)
{
	return vcpu_set_state(lib_core_vcpu(v), s);
}

static int core_vcpu_translate(struct hvm_vcpu *v, gva_t gva, gpa_t *ret)
{
	return vcpu_translate(lib_core_vcpu(v), gva, ret);
}

static size_t core_vcpu_stats(struct hvm_vcpu *v, uint64_t *ret, size_t max)
{
	return vcpu_stats(lib_core_vcpu(v), ret, max);
}

static void core_pause_time(struct hvm_domain *d)
{
	domain_pause_time(d->core);
}

static void core_resume_time(struct hvm_domain *d)
{
	domain_resume_time(d->core);
}

static int core_save(struct hvm_domain *d, uint8_t **ret_buf, size_t *ret_bytes)
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

static int core_load(struct hvm_domain *d, const uint8_t *buf, size_t bytes)
{
	return hvm_core_load(d->core, buf, bytes);
}

static const struct hvm_lib_ops lib_core_ops = {
	.destroy = core_destroy,
	.crash_reason = core_crash_reason,
	.reset = core_reset,
	.map = core_map,
	.memory_written = core_memory_written,
	.dirty_start = core_dirty_start,
	.dirty_sync = core_dirty_sync,
	.dirty_stop = core_dirty_stop,
	.irq_set = core_irq_set,
	.msi_send = core_msi_send,
	.nmi_send = core_nmi_send,
	.cmos_write = core_cmos_write,
	.bufioreq_add = core_bufioreq_add,
	.doorbell_add = core_doorbell_add,
	.doorbell_remove = core_doorbell_remove,
	.bufioreq_pop = core_bufioreq_pop,
	.vcpu_run = core_vcpu_run,
	.vcpu_kick = core_vcpu_kick,
	.vcpu_get_state = core_vcpu_get_state,
	.vcpu_set_state = core_vcpu_set_state,
	.vcpu_translate = core_vcpu_translate,
	.vcpu_stats = core_vcpu_stats,
	.pause_time = core_pause_time,
	.resume_time = core_resume_time,
	.save = core_save,
	.load = core_load,
};

int lib_core_create(const struct hvm_domain_config *cfg, struct hvm_domain *d)
{
	int rc = domain_create(cfg, &soft_function_table, &d->core);

	if (rc)
		return rc;
	d->ops = &lib_core_ops;
	d->engine = soft_function_table.name;
	return 0;
}
