/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi.c - the calls of hvm/hvm_ioctl.h whose work is the core's. The operating system's part
 * (os/linux/hvm_dev.c) copies the structure in and out and takes the lock that a call's row names;
 * tests and the fuzzer call the same rows in a process.
 * What a structure holds is hostile; it is a private copy, so it does not change any more.
 */
#include "core/calls.h"
#include "core/save.h"
#include "devices/chips.h"
#include "hvm/hvm_ioctl.h"

/* -- a domain ---------------------------------------------------------------------------------- */

#define ABI_GPA_END HVM_BIT(52)

static int abi_memory_written(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_range *a = arg;

	if (a->gpa >= ABI_GPA_END || a->bytes > ABI_GPA_END - a->gpa)
		return -HVM_EINVAL;
	domain_memory_written(t->domain, a->gpa, a->bytes);
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
	rc = domain_dirty_sync(t->domain, a->gpa, a->pages, bitmap);
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
	case HVM_IOCTL_DIRTY_START: domain_dirty_start(t->domain); return 0;
	case HVM_IOCTL_DIRTY_SYNC: return abi_dirty_sync(t, a);
	case HVM_IOCTL_DIRTY_STOP: domain_dirty_stop(t->domain); return 0;
	}
	return -HVM_EINVAL;
}

static int abi_irq(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_irq *a = arg;

	return a->level > 1 ? -HVM_EINVAL : domain_irq(t->domain, a->gsi, a->level);
}

static int abi_msi(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_msi *a = arg;

	return a->pad ? -HVM_EINVAL : hvm_msi_deliver(t->domain, a->address, a->data);
}

static int abi_nmi(const struct abi_target *t, void *arg)
{
	(void)arg;
	return domain_nmi(t->domain);
}

static int abi_cmos(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_cmos *a = arg;

	return a->value > 255 ? -HVM_EINVAL
			      : vrtc_cmos_write(t->domain, a->index, (uint8_t)a->value);
}

static int abi_bufioreq(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_bufioreq *a = arg;

	return a->pad ? -HVM_EINVAL : domain_bufioreq_add(t->domain, a->type, a->address, a->bytes);
}

static int abi_reset(const struct abi_target *t, void *arg)
{
	(void)arg;
	return domain_reset(t->domain);
}

static int abi_time(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_time *a = arg;

	if (a->paused > 1 || a->pad)
		return -HVM_EINVAL;
	if (a->paused)
		domain_pause_time(t->domain);
	else
		domain_resume_time(t->domain);
	return 0;
}

static int abi_save(const struct abi_target *t, void *arg)
{
	struct hvm_save_writer w = { 0 };
	struct hvm_ioctl_stream *a = arg;
	int rc = hvm_core_save(t->domain, &w);

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
		rc = hvm_core_load(t->domain, buf, (size_t)a->bytes);
	hvm_os_free(buf);
	return rc;
}

_Static_assert(sizeof(struct hvm_ioctl_crash) == sizeof(((struct domain *)NULL)->crash_reason),
	       "a reason fits");

static int abi_crash_reason(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_crash *a = arg;

	memset(a, 0, sizeof(*a));
	if (hvm_domain_is_crashed(t->domain))
		memcpy(a->reason, t->domain->crash_reason, sizeof(a->reason) - 1);
	return 0;
}

static int abi_crash(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_crash *a = arg;

	a->reason[sizeof(a->reason) - 1] = 0;
	hvm_domain_crash(t->domain, "%s", a->reason);
	return 0;
}

/* -- a vcpu ------------------------------------------------------------------------------------ */

static int abi_kick(const struct abi_target *t, void *arg)
{
	(void)arg;
	vcpu_kick(t->vcpu);
	return 0;
}

static int abi_get_state(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_state *a = arg;
	struct hvm_vcpu_state *s;
	int rc;

	if (a->flags || a->bytes != sizeof(*s))
		return -HVM_EINVAL;
	s = hvm_os_alloc(sizeof(*s));
	if (!s)
		return -HVM_ENOMEM;
	vcpu_get_state(t->vcpu, s);
	rc = t->os->copy_out(a->state, s, sizeof(*s));
	hvm_os_free(s);
	return rc;
}

static int abi_set_state(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_state *a = arg;
	struct hvm_vcpu_state *s;
	int rc;

	if ((a->flags & ~HVM_IOCTL_STATE_EMULATED) || a->bytes != sizeof(*s))
		return -HVM_EINVAL;
	s = hvm_os_alloc(sizeof(*s));
	if (!s)
		return -HVM_ENOMEM;
	rc = t->os->copy_in(s, a->state, sizeof(*s));
	if (!rc)
		rc = a->flags ? vcpu_put_emulated(t->vcpu, s) : vcpu_set_state(t->vcpu, s);
	hvm_os_free(s);
	return rc;
}

static int abi_translate(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_translate *a = arg;

	return vcpu_translate(t->vcpu, a->gva, &a->gpa);
}

static int abi_stats(const struct abi_target *t, void *arg)
{
	uint64_t values[sizeof(struct hvm_stats) / sizeof(uint64_t)];
	struct hvm_ioctl_stats *a = arg;
	size_t count = HVM_ARRAY_SIZE(values), fit = a->count < count ? a->count : count;

	if (a->pad)
		return -HVM_EINVAL;
	vcpu_stats(t->vcpu, values, count);
	a->count = (uint32_t)count;
	return fit ? t->os->copy_out(a->values, values, fit * sizeof(values[0])) : 0;
}

/* -- what an instruction emulated in user space asks for --------------------------------------- */

static int abi_io_device(struct vcpu *v, struct hvm_ioctl_io *a)
{
	const struct hvm_io_access access = { .type = a->type,
					      .is_write = a->is_write,
					      .size = a->size,
					      .address = a->address,
					      .data = a->data };

	if (a->size != 1 && a->size != 2 && a->size != 4 && a->size != 8)
		return -HVM_EINVAL;
	if (a->type == HVM_IOCTL_IO_PIO && (a->size == 8 || a->address > 0xffff))
		return -HVM_EINVAL;
	return hvm_core_access(v, &access, a->flags & HVM_IOCTL_IO_AGAIN, &a->data);
}

static int abi_io_msr(struct vcpu *v, struct hvm_ioctl_io *a)
{
	uint32_t index = (uint32_t)a->address;

	return (a->is_write ? hvm_msr_write(v, index, a->data) : hvm_msr_read(v, index, &a->data))
		       ? -HVM_EINVAL
		       : 0;
}

static int abi_io_cr8(struct vcpu *v, struct hvm_ioctl_io *a)
{
	if (!a->is_write)
		a->data = vlapic_cr8_read(v);
	else if (a->data > 15)
		return -HVM_EINVAL;
	else
		vlapic_cr8_write(v, a->data);
	return 0;
}

static int abi_io_cpuid(struct vcpu *v, struct hvm_ioctl_io *a)
{
	const struct hvm_cpuid_state s = { .paging = a->flags & HVM_IOCTL_IO_PAGING,
					   .osxsave = a->flags & HVM_IOCTL_IO_OSXSAVE };

	hvm_cpuid(v, &s, (uint32_t)a->address, (uint32_t)a->data, a->out);
	return 0;
}

static int abi_io_ferr(struct vcpu *v, struct hvm_ioctl_io *a)
{
	(void)a;
	hvm_gsi_set(v->domain, 13, false);
	hvm_gsi_set(v->domain, 13, true);
	return 0;
}

static int (*const abi_io_types[])(struct vcpu *v, struct hvm_ioctl_io *a) = {
	[HVM_IOCTL_IO_PIO] = abi_io_device,  [HVM_IOCTL_IO_MMIO] = abi_io_device,
	[HVM_IOCTL_IO_MSR] = abi_io_msr,     [HVM_IOCTL_IO_CR8] = abi_io_cr8,
	[HVM_IOCTL_IO_CPUID] = abi_io_cpuid, [HVM_IOCTL_IO_FERR] = abi_io_ferr,
};

static int abi_io(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_io *a = arg;

	if (a->type >= HVM_ARRAY_SIZE(abi_io_types) || !abi_io_types[a->type] || a->is_write > 1 ||
	    a->pad)
		return -HVM_EINVAL;
	return abi_io_types[a->type](t->vcpu, a);
}

/* -- tables ------------------------------------------------------------------------------------ */

static const struct abi_call abi_domain_calls[] = {
	{ HVM_IOCTL_MEMORY_WRITTEN, ABI_LOCK_READ, abi_memory_written },
	{ HVM_IOCTL_DIRTY, ABI_LOCK_READ, abi_dirty },
	{ HVM_IOCTL_IRQ, ABI_LOCK_NONE, abi_irq },
	{ HVM_IOCTL_MSI, ABI_LOCK_NONE, abi_msi },
	{ HVM_IOCTL_NMI, ABI_LOCK_NONE, abi_nmi },
	{ HVM_IOCTL_CMOS, ABI_LOCK_NONE, abi_cmos },
	{ HVM_IOCTL_BUFIOREQ, ABI_LOCK_NONE, abi_bufioreq },
	{ HVM_IOCTL_RESET, ABI_LOCK_QUIET, abi_reset },
	{ HVM_IOCTL_TIME, ABI_LOCK_NONE, abi_time },
	{ HVM_IOCTL_SAVE, ABI_LOCK_QUIET, abi_save },
	{ HVM_IOCTL_LOAD, ABI_LOCK_QUIET, abi_load },
	{ HVM_IOCTL_CRASH_REASON, ABI_LOCK_NONE, abi_crash_reason },
	{ HVM_IOCTL_CRASH, ABI_LOCK_NONE, abi_crash },
};

static const struct abi_call abi_vcpu_calls[] = {
	{ HVM_IOCTL_KICK, ABI_LOCK_NONE, abi_kick },
	{ HVM_IOCTL_GET_STATE, ABI_LOCK_VCPU, abi_get_state },
	{ HVM_IOCTL_SET_STATE, ABI_LOCK_VCPU, abi_set_state },
	{ HVM_IOCTL_TRANSLATE, ABI_LOCK_VCPU, abi_translate },
	{ HVM_IOCTL_STATS, ABI_LOCK_NONE, abi_stats },
	{ HVM_IOCTL_IO, ABI_LOCK_VCPU, abi_io },
};

static const struct abi_call *abi_find(const struct abi_call *calls, size_t count, uint32_t call)
{
	for (size_t i = 0; i < count; i++) {
		if (calls[i].call == call)
			return &calls[i];
	}
	return NULL;
}

const struct abi_call *abi_find_domain(uint32_t call)
{
	return abi_find(abi_domain_calls, HVM_ARRAY_SIZE(abi_domain_calls), call);
}

const struct abi_call *abi_find_vcpu(uint32_t call)
{
	return abi_find(abi_vcpu_calls, HVM_ARRAY_SIZE(abi_vcpu_calls), call);
}
