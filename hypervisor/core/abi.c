/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi.c - the calls of hvm/hvm_ioctl.h: the table, the way of a call through it, and what the calls
 * of the device and of a domain do.
 * Owns struct abi_domain. Locking: what a row names, by the operating system's hands.
 * What a structure holds is hostile; it is a private copy, so it does not change any more.
 */
#include "core/abi.h"
#include "core/save.h"
#include "devices/chips.h"

/* -- the device -------------------------------------------------------------------------------- */

static int abi_info(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_info *a = arg;

	_Static_assert(HVM_ARRAY_SIZE(a->vendor) == ABI_VENDORS, "each vendor has its place");
	a->version = HVM_IOCTL_VERSION;
	a->max_vcpus = HVM_MAX_VCPUS;
	a->stats = sizeof(struct hvm_stats) / sizeof(uint64_t);
	t->os->vendors(a->vendor);
	return 0;
}

static int abi_create(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_create *a = arg;
	struct hvm_domain_config cfg = {
		.engine = a->engine,
		.cpu_model = a->cpu_model,
		.vcpus = a->vcpus,
		.rtc_base_s = a->rtc_base_s,
	};

	if (a->version != HVM_IOCTL_VERSION || a->cpu_model > HVM_CPU_V3 || !a->vcpus ||
	    a->vcpus > HVM_MAX_VCPUS)
		return -HVM_EINVAL;
	memcpy(cfg.name, a->name, sizeof(cfg.name) - 1);
	return t->os->domain_file(&cfg);
}

/* -- a domain ---------------------------------------------------------------------------------- */

#define ABI_GPA_END HVM_BIT(52)

static bool abi_memory_ok(const struct hvm_ioctl_memory *a)
{
	const uint64_t in_page = HVM_PAGE_SIZE - 1;

	if (a->pad || a->type > HVM_MEM_MMIO)
		return false;
	if (a->type == HVM_MEM_MMIO)
		return !a->hva;
	return a->bytes && a->hva && !((a->gpa | a->bytes | a->hva) & in_page) &&
	       a->hva + a->bytes > a->hva;
}

static int abi_memory(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_memory *a = arg;
	void *hva = NULL;
	int rc = 0;

	if (!abi_memory_ok(a))
		return -HVM_EINVAL;
	if (a->type != HVM_MEM_MMIO)
		rc = t->os->memory_get(t->domain, a, &hva);
	if (!rc)
		rc = domain_map(t->domain->core, a->gpa, a->bytes, (enum hvm_mem_type)a->type, hva);
	t->os->memory_changed(t->domain);
	return rc;
}

static int abi_vcpu(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_vcpu *a = arg;

	if (a->pad || a->index >= t->domain->core->vcpu_count)
		return -HVM_EINVAL;
	return t->os->vcpu_file(t->domain, a->index);
}

static int abi_memory_written(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_range *a = arg;

	if (a->gpa >= ABI_GPA_END || a->bytes > ABI_GPA_END - a->gpa)
		return -HVM_EINVAL;
	domain_memory_written(t->domain->core, a->gpa, a->bytes);
	return 0;
}

static int abi_dirty_sync(const struct abi_target *t, const struct hvm_ioctl_dirty *a)
{
	size_t bytes = (size_t)(a->pages + 63) / 64 * 8;
	uint64_t *bitmap;
	int rc;

	if (!a->pages || a->pages > HVM_IOCTL_DIRTY_PAGES)
		return -HVM_EINVAL;
	bitmap = hvm_os_alloc(bytes);
	if (!bitmap)
		return -HVM_ENOMEM;
	rc = domain_dirty_sync(t->domain->core, a->gpa, a->pages, bitmap);
	if (!rc)
		rc = t->os->copy_out(a->bitmap, bitmap, bytes);
	hvm_os_free(bitmap);
	return rc;
}

static int abi_dirty(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_dirty *a = arg;

	if (a->pad)
		return -HVM_EINVAL;
	switch (a->op) {
	case HVM_IOCTL_DIRTY_START: domain_dirty_start(t->domain->core); return 0;
	case HVM_IOCTL_DIRTY_SYNC: return abi_dirty_sync(t, a);
	case HVM_IOCTL_DIRTY_STOP: domain_dirty_stop(t->domain->core); return 0;
	}
	return -HVM_EINVAL;
}

static int abi_irq(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_irq *a = arg;

	return a->level > 1 ? -HVM_EINVAL : domain_irq(t->domain->core, a->gsi, a->level);
}

static int abi_msi(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_msi *a = arg;

	return a->pad ? -HVM_EINVAL : hvm_msi_deliver(t->domain->core, a->address, a->data);
}

static int abi_nmi(const struct abi_target *t, void *arg)
{
	(void)arg;
	return domain_nmi(t->domain->core);
}

static int abi_cmos(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_cmos *a = arg;

	return a->value > 255 ? -HVM_EINVAL
			      : vrtc_cmos_write(t->domain->core, a->index, (uint8_t)a->value);
}

static int abi_bufioreq(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_bufioreq *a = arg;

	return a->pad ? -HVM_EINVAL
		      : domain_bufioreq_add(t->domain->core, a->type, a->address, a->bytes);
}

static int abi_reset(const struct abi_target *t, void *arg)
{
	(void)arg;
	return domain_reset(t->domain->core);
}

static int abi_time(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_time *a = arg;

	if (a->paused > 1 || a->pad)
		return -HVM_EINVAL;
	if (a->paused)
		domain_pause_time(t->domain->core);
	else
		domain_resume_time(t->domain->core);
	return 0;
}

static int abi_save(const struct abi_target *t, void *arg)
{
	struct hvm_save_writer w = { 0 };
	struct hvm_ioctl_stream *a = arg;
	int rc = hvm_core_save(t->domain->core, &w);

	if (!rc && w.used > a->bytes)
		rc = -HVM_ENOSPC;
	else if (!rc)
		rc = t->os->copy_out(a->buf, w.buf, w.used);
	a->bytes = w.used;
	hvm_os_free(w.buf);
	return rc;
}

static int abi_load(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_stream *a = arg;
	uint8_t *buf;
	int rc;

	if (!a->bytes || a->bytes > HVM_IOCTL_LOAD_BYTES)
		return -HVM_EINVAL;
	buf = hvm_os_alloc((size_t)a->bytes);
	if (!buf)
		return -HVM_ENOMEM;
	rc = t->os->copy_in(buf, a->buf, (size_t)a->bytes);
	if (!rc)
		rc = hvm_core_load(t->domain->core, buf, (size_t)a->bytes);
	hvm_os_free(buf);
	return rc;
}

_Static_assert(sizeof(struct hvm_ioctl_crash) == sizeof(((struct domain *)NULL)->crash_reason),
	       "a reason fits");

static int abi_crash_reason(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_crash *a = arg;

	memset(a, 0, sizeof(*a));
	if (hvm_domain_is_crashed(t->domain->core))
		memcpy(a->reason, t->domain->core->crash_reason, sizeof(a->reason) - 1);
	return 0;
}

static int abi_crash(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_crash *a = arg;

	a->reason[sizeof(a->reason) - 1] = 0;
	hvm_domain_crash(t->domain->core, "%s", a->reason);
	return 0;
}

int abi_domain_create(const struct hvm_domain_config *cfg, const struct hvm_function_table *ops,
		      const struct abi_os *os, struct abi_domain *ret)
{
	int rc = domain_create(cfg, ops, &ret->core);

	if (rc)
		return rc;
	ret->os = os;
	hvm_os_mutex_init(&ret->doorbell_mutex);
	return 0;
}

void abi_domain_destroy(struct abi_domain *d)
{
	/* The core first: until it is gone it may signal an eventfd. */
	domain_destroy(d->core);
	for (unsigned int i = 0; i < ABI_DOORBELLS; i++) {
		if (d->doorbell[i].used)
			d->os->eventfd_put(d->doorbell[i].bell.eventfd);
	}
	hvm_os_mutex_fini(&d->doorbell_mutex);
}

/* -- the table --------------------------------------------------------------------------------- */

struct abi_row {
	uint32_t call;
	uint8_t kind; /* enum abi_kind */
	uint8_t lock; /* enum abi_lock */
	int (*fn)(const struct abi_target *t, void *arg);
};

/* The place is the call's number; a power of two of them, so that no index reads beyond. */
#define ABI_CALLS			 64u
#define ABI_ROW(name)			 [HVM_IOCTL_NR(HVM_IOCTL_##name)]
#define ABI_ROW_OF(name, kind, lock, fn) ABI_ROW(name) = { HVM_IOCTL_##name, kind, lock, fn }

/* clang-format off */
static const struct abi_row abi_rows[ABI_CALLS] = {
	ABI_ROW_OF(INFO, ABI_DEVICE, ABI_LOCK_NONE, abi_info),
	ABI_ROW_OF(CREATE, ABI_DEVICE, ABI_LOCK_NONE, abi_create),

	ABI_ROW_OF(MEMORY, ABI_DOMAIN, ABI_LOCK_WRITE, abi_memory),
	ABI_ROW_OF(MEMORY_WRITTEN, ABI_DOMAIN, ABI_LOCK_READ, abi_memory_written),
	ABI_ROW_OF(DIRTY, ABI_DOMAIN, ABI_LOCK_READ, abi_dirty),
	ABI_ROW_OF(IRQ, ABI_DOMAIN, ABI_LOCK_NONE, abi_irq),
	ABI_ROW_OF(MSI, ABI_DOMAIN, ABI_LOCK_NONE, abi_msi),
	ABI_ROW_OF(NMI, ABI_DOMAIN, ABI_LOCK_NONE, abi_nmi),
	ABI_ROW_OF(CMOS, ABI_DOMAIN, ABI_LOCK_NONE, abi_cmos),
	ABI_ROW_OF(BUFIOREQ, ABI_DOMAIN, ABI_LOCK_NONE, abi_bufioreq),
	ABI_ROW_OF(DOORBELL, ABI_DOMAIN, ABI_LOCK_NONE, abi_doorbell),
	ABI_ROW_OF(RESET, ABI_DOMAIN, ABI_LOCK_QUIET, abi_reset),
	ABI_ROW_OF(TIME, ABI_DOMAIN, ABI_LOCK_NONE, abi_time),
	ABI_ROW_OF(SAVE, ABI_DOMAIN, ABI_LOCK_QUIET, abi_save),
	ABI_ROW_OF(LOAD, ABI_DOMAIN, ABI_LOCK_QUIET, abi_load),
	ABI_ROW_OF(CRASH_REASON, ABI_DOMAIN, ABI_LOCK_NONE, abi_crash_reason),
	ABI_ROW_OF(CRASH, ABI_DOMAIN, ABI_LOCK_NONE, abi_crash),
	ABI_ROW_OF(VCPU, ABI_DOMAIN, ABI_LOCK_NONE, abi_vcpu),

	ABI_ROW_OF(RUN, ABI_VCPU, ABI_LOCK_RUN, abi_run),
	ABI_ROW_OF(KICK, ABI_VCPU, ABI_LOCK_NONE, abi_kick),
	ABI_ROW_OF(GET_STATE, ABI_VCPU, ABI_LOCK_VCPU, abi_get_state),
	ABI_ROW_OF(SET_STATE, ABI_VCPU, ABI_LOCK_VCPU, abi_set_state),
	ABI_ROW_OF(TRANSLATE, ABI_VCPU, ABI_LOCK_VCPU, abi_translate),
	ABI_ROW_OF(STATS, ABI_VCPU, ABI_LOCK_NONE, abi_stats),
	ABI_ROW_OF(IO, ABI_VCPU, ABI_LOCK_VCPU, abi_io),
};
/* clang-format on */

static const struct abi_row *abi_find(enum abi_kind kind, uint32_t call)
{
	const struct abi_row *r = &abi_rows[HVM_IOCTL_NR(call) % ABI_CALLS];

	return r->fn && r->call == call && r->kind == (uint8_t)kind ? r : NULL;
}

/* -- a call ------------------------------------------------------------------------------------ */

/* Most structures are small; kernels clear what a function has on its stack. */
#define ABI_SMALL_BYTES 40u
#define ABI_ARG_BYTES	272u
_Static_assert(sizeof(struct hvm_ioctl_info) == ABI_ARG_BYTES, "the largest structure");

static int abi_locked(const struct abi_target *t, const struct abi_row *r, void *arg)
{
	int rc;

	if (t->kind == ABI_DEVICE)
		return r->fn(t, arg);
	rc = t->os->lock(t->domain, (enum abi_lock)r->lock, t->vcpu);
	if (rc)
		return rc;
	rc = r->fn(t, arg);
	t->os->unlock(t->domain, (enum abi_lock)r->lock, t->vcpu);
	return rc;
}

/* @buf: zeroes, room for the structure. */
static int abi_copied(const struct abi_target *t, const struct abi_row *r, uint64_t arg, void *buf)
{
	size_t bytes = HVM_IOCTL_BYTES(r->call);
	int rc;

	if (HVM_IOCTL_IS_WRITE(r->call) && t->os->copy_in(buf, arg, bytes))
		return -HVM_EFAULT;
	rc = abi_locked(t, r, buf);
	/* What a failed call wrote there says how much was missing. */
	if (HVM_IOCTL_IS_READ(r->call) && (rc >= 0 || rc == -HVM_ENOSPC) &&
	    t->os->copy_out(arg, buf, bytes))
		return -HVM_EFAULT;
	return rc;
}

static __attribute__((__noinline__)) int abi_call_large(const struct abi_target *t,
							const struct abi_row *r, uint64_t arg)
{
	uint64_t buf[ABI_ARG_BYTES / sizeof(uint64_t)] = { 0 };

	return abi_copied(t, r, arg, buf);
}

int abi_call(const struct abi_target *t, uint32_t call, uint64_t arg)
{
	const struct abi_row *r = abi_find(t->kind, call);
	uint64_t buf[ABI_SMALL_BYTES / sizeof(uint64_t)] = { 0 };

	if (!r)
		return -HVM_ENOTTY;
	return HVM_IOCTL_BYTES(call) > sizeof(buf) ? abi_call_large(t, r, arg)
						   : abi_copied(t, r, arg, buf);
}
