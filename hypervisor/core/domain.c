/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain.c - a domain: its construction in order, its clock, its crash.
 * Locking: domain.h. Saved as DOMAIN (save.c).
 */
#include <stdarg.h>

#include "core/domain.h"
#include "devices/chips.h"
#include "x86/host_model.h"

/* -- time -------------------------------------------------------------------------------------- */

/*
 * Timer callbacks and vcpus read the clock without a lock while it is stopped or started: they see
 * all of the change or none of it, or time would jump back by the length of a pause.
 */
static uint32_t time_read_begin(const struct domain *d)
{
	uint32_t seq;

	while ((seq = __atomic_load_n(&d->time_seq, __ATOMIC_SEQ_CST)) & 1)
		__builtin_ia32_pause();
	return seq;
}

static bool time_changed_since(const struct domain *d, uint32_t seq)
{
	return __atomic_load_n(&d->time_seq, __ATOMIC_SEQ_CST) != seq;
}

static void time_write_begin(struct domain *d)
{
	__atomic_fetch_add(&d->time_seq, 1, __ATOMIC_SEQ_CST);
}

static void time_write_end(struct domain *d)
{
	__atomic_fetch_add(&d->time_seq, 1, __ATOMIC_SEQ_CST);
}

uint64_t hvm_domain_now_ns(const struct domain *d)
{
	uint64_t now;
	uint32_t seq;

	do {
		seq = time_read_begin(d);
		now = __atomic_load_n(&d->paused_at_ns, __ATOMIC_SEQ_CST);
		if (!now)
			now = hvm_os_now_ns();
		now -= __atomic_load_n(&d->time_offset_ns, __ATOMIC_SEQ_CST);
	} while (time_changed_since(d, seq));
	return now;
}

uint64_t hvm_domain_deadline_ns(const struct domain *d, uint64_t guest_ns)
{
	uint64_t at;
	uint32_t seq;

	do {
		seq = time_read_begin(d);
		at = guest_ns + __atomic_load_n(&d->time_offset_ns, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&d->paused_at_ns, __ATOMIC_SEQ_CST) || at < guest_ns)
			at = UINT64_MAX;
	} while (time_changed_since(d, seq));
	return at;
}

/* The host's TSC as this domain sees it: it stands still while time does. */
static uint64_t domain_host_tsc(const struct domain *d)
{
	return __atomic_load_n(&d->paused_at_ns, __ATOMIC_SEQ_CST)
		       ? __atomic_load_n(&d->paused_tsc, __ATOMIC_SEQ_CST)
		       : hvm_os_rdtsc();
}

/* Ticks of the host as ticks of the guest; exactly as the processor computes them. */
static uint64_t domain_scale_tsc(const struct domain *d, uint64_t host)
{
	uint64_t ratio = __atomic_load_n(&d->tsc_ratio, __ATOMIC_RELAXED);

	if (hvm_likely(!ratio))
		return host;
	return (uint64_t)((unsigned __int128)host * ratio >> d->ops->tsc_ratio_bits());
}

uint64_t hvm_vcpu_rdtsc(struct vcpu *v)
{
	const struct domain *d = v->domain;
	uint64_t tsc;
	uint32_t seq;

	do {
		seq = time_read_begin(d);
		tsc = domain_scale_tsc(d, domain_host_tsc(d)) +
		      __atomic_load_n(&v->tsc_offset, __ATOMIC_SEQ_CST);
	} while (time_changed_since(d, seq));
	return tsc;
}

/* Armed timers follow the clock. */
static void domain_time_changed(struct domain *d)
{
	vpit_time_changed(d);
	vrtc_time_changed(d);
	vhpet_time_changed(d);
	for (unsigned int i = 0; i < d->vcpu_count; i++)
		vlapic_time_changed(d->vcpu[i]);
}

void domain_pause_time(struct domain *d)
{
	hvm_os_mutex_lock(&d->lock);
	if (!d->paused_at_ns) {
		time_write_begin(d);
		__atomic_store_n(&d->paused_tsc, hvm_os_rdtsc(), __ATOMIC_SEQ_CST);
		__atomic_store_n(&d->paused_at_ns, hvm_os_now_ns(), __ATOMIC_SEQ_CST);
		time_write_end(d);
		domain_time_changed(d);
	}
	hvm_os_mutex_unlock(&d->lock);
}

void domain_resume_time(struct domain *d)
{
	hvm_os_mutex_lock(&d->lock);
	if (d->paused_at_ns) {
		uint64_t tsc;

		time_write_begin(d);
		tsc = domain_scale_tsc(d, hvm_os_rdtsc()) - domain_scale_tsc(d, d->paused_tsc);
		for (unsigned int i = 0; i < d->vcpu_count; i++)
			__atomic_fetch_sub(&d->vcpu[i]->tsc_offset, tsc, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&d->time_offset_ns, hvm_os_now_ns() - d->paused_at_ns,
				   __ATOMIC_SEQ_CST);
		__atomic_store_n(&d->paused_at_ns, 0, __ATOMIC_SEQ_CST);
		time_write_end(d);
		domain_time_changed(d);
	}
	hvm_os_mutex_unlock(&d->lock);
}

uint64_t hvm_tsc_khz(const struct domain *d)
{
	return d->tsc_khz ? d->tsc_khz : hvm_os_tsc_khz();
}

/* @khz to @here, as a fixed-point number of @bits fractional bits. */
static uint64_t domain_tsc_ratio(uint64_t khz, uint64_t here, unsigned int bits)
{
	uint64_t ratio = khz / here, rest = khz % here;

	for (unsigned int i = 0; i < bits; i++) {
		rest *= 2;
		ratio = ratio * 2 + (rest >= here);
		if (rest >= here)
			rest -= here;
	}
	return ratio;
}

int domain_set_tsc_khz(struct domain *d, uint64_t khz, bool check)
{
	uint64_t here = hvm_os_tsc_khz(), apart = khz > here ? khz - here : here - khz;
	bool same = apart <= here / 1000;
	unsigned int bits = d->ops->tsc_ratio_bits ? d->ops->tsc_ratio_bits() : 0;

	if (!same && (!bits || khz / 16 > here || khz < here / 16))
		return -HVM_EINVAL;
	if (check)
		return 0;
	hvm_os_mutex_lock(&d->lock);
	time_write_begin(d);
	d->tsc_khz = same ? 0 : khz;
	__atomic_store_n(&d->tsc_ratio, same ? 0 : domain_tsc_ratio(khz, here, bits),
			 __ATOMIC_RELAXED);
	time_write_end(d);
	hvm_os_mutex_unlock(&d->lock);
	return 0;
}

/* The TSCs of all vcpus start at zero, together. */
static void domain_reset_tsc(struct domain *d)
{
	uint64_t host;

	hvm_os_mutex_lock(&d->lock);
	host = domain_scale_tsc(d, domain_host_tsc(d));
	for (unsigned int i = 0; i < d->vcpu_count; i++)
		__atomic_store_n(&d->vcpu[i]->tsc_offset, 0 - host, __ATOMIC_SEQ_CST);
	hvm_os_mutex_unlock(&d->lock);
}

/* -- crash ------------------------------------------------------------------------------------- */

void hvm_domain_crash(struct domain *d, const char *fmt, ...)
{
	uint32_t none = HVM_CRASH_NONE;
	va_list ap;

	if (!__atomic_compare_exchange_n(&d->crashed, &none, HVM_CRASH_CLAIMED, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	hvm_os_vformat(d->crash_reason, sizeof(d->crash_reason), fmt, ap);
	va_end(ap);
	__atomic_store_n(&d->crashed, HVM_CRASH_TOLD, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < d->vcpu_count; i++)
		hvm_vcpu_request(d->vcpu[i], HVM_REQ_EVENT);
}

bool hvm_domain_is_crashed(const struct domain *d)
{
	return __atomic_load_n(&d->crashed, __ATOMIC_SEQ_CST) == HVM_CRASH_TOLD;
}

/* -- construction ------------------------------------------------------------------------------ */

static int (*const domain_chips[])(struct domain *d) = {
	vioapic_create, vpic_create, vpit_create, vrtc_create, vhpet_create, vpmtmr_create,
};

/*
 * Clock chips first: their destroy waits for a callback that may raise a line or wake a vcpu.
 * Every step takes what was never made.
 */
void domain_destroy(struct domain *d)
{
	if (!d)
		return;
	vpmtmr_destroy(d);
	vhpet_destroy(d);
	vrtc_destroy(d);
	vpit_destroy(d);
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (d->vcpu[i]->vlapic)
			vlapic_destroy(d->vcpu[i]);
	}
	while (d->vcpu_count > 0)
		vcpu_destroy(d->vcpu[--d->vcpu_count]);
	vpic_destroy(d);
	vioapic_destroy(d);
	if (d->ops)
		d->ops->domain_fini(d);
	p2m_fini(&d->p2m);
	intercept_destroy(d);
	hvm_os_free_pages(d->bufioreq, HVM_PAGE_SIZE);
	hvm_os_spin_fini(&d->bufioreq_lock);
	hvm_os_mutex_fini(&d->lock);
	hvm_os_free(d);
}

static int domain_build(struct domain *d, const struct hvm_function_table *ops)
{
	int rc = p2m_init(&d->p2m);

	if (!rc)
		rc = intercept_create(d);
	/* Pages of its own: it is mapped into the caller. */
	d->bufioreq = hvm_os_alloc_pages(HVM_PAGE_SIZE);
	if (!rc && !d->bufioreq)
		rc = -HVM_ENOMEM;
	if (!rc)
		rc = ops->domain_init(d);
	if (rc)
		return rc;
	d->ops = ops;
	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(domain_chips) && !rc; i++)
		rc = domain_chips[i](d);
	for (unsigned int i = 0; i < d->config.vcpus && !rc; i++)
		rc = vcpu_create(d, i);
	return rc;
}

int domain_check_host(const struct domain *d, const char *engine, const struct host_features *f)
{
	const char *lacks = host_lacks_model(d->config.cpu_model, f);

	if (!lacks)
		return 0;
	hvm_os_log(HVM_LOG_ERROR,
		   "%s: CPU model hvm-v%u on the %s engine: this host's processor has no %s",
		   d->name, d->config.cpu_model - HVM_CPU_V1 + 1, engine, lacks);
	return -HVM_ENODEV;
}

int domain_create(const struct hvm_domain_config *cfg, const struct hvm_function_table *ops,
		  struct domain **ret)
{
	struct domain *d;
	int rc;

	if (cfg->vcpus < 1 || cfg->vcpus > HVM_MAX_VCPUS || hvm_table_check(ops))
		return -HVM_EINVAL;
	d = hvm_os_alloc(sizeof(*d));
	if (!d)
		return -HVM_ENOMEM;
	d->config = *cfg;
	memcpy(d->name, cfg->name, sizeof(d->name) - 1);
	hvm_os_mutex_init(&d->lock);
	hvm_os_spin_init(&d->bufioreq_lock);
	d->time_offset_ns = hvm_os_now_ns();
	rc = domain_build(d, ops);
	if (rc) {
		domain_destroy(d);
		return rc;
	}
	*ret = d;
	return 0;
}

int domain_reset(struct domain *d)
{
	vpic_reset(d);
	vioapic_reset(d);
	vpit_reset(d);
	vrtc_reset(d);
	vhpet_reset(d);
	__atomic_store_n(&d->legacy_replacement, 0, __ATOMIC_SEQ_CST);
	domain_reset_tsc(d);
	for (unsigned int i = 0; i < d->vcpu_count; i++)
		vcpu_reset(d->vcpu[i]);
	hvm_os_spin_lock(&d->bufioreq_lock);
	d->bufioreq->read_index = d->bufioreq->write_index;
	hvm_os_spin_unlock(&d->bufioreq_lock);
	__atomic_store_n(&d->crashed, HVM_CRASH_NONE, __ATOMIC_SEQ_CST);
	return 0;
}
