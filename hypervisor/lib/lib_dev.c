/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib_dev.c - libhvm over a core behind /dev/hvm: each call is an ioctl. Runs the vcpus, and hands
 * to lib_emulate.c the instructions that the kernel does not execute.
 * Locking: hvm.h; ring_lock for the consumer's side of the buffered ring, crash_lock for the text.
 */
#include "hvm/hvm_ioctl.h"
#include "lib/lib_ops.h"
#include "os/posix/dev_posix.h"

/* -- the domain -------------------------------------------------------------------------------- */

static void dev_destroy(struct hvm_domain *d)
{
	lib_emulate_destroy(d);
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		dev_unmap_page(d->vcpu[i].ioreq_page);
		dev_close(d->vcpu[i].fd);
	}
	dev_unmap_page(d->ring);
	dev_close(d->fd);
	hvm_os_mutex_fini(&d->crash_lock);
	hvm_os_mutex_fini(&d->ring_lock);
}

static const char *dev_crash_reason(const struct hvm_domain *d)
{
	struct hvm_domain *w = (struct hvm_domain *)(uintptr_t)d;
	struct hvm_ioctl_crash a = { 0 };

	if (dev_call(d->fd, HVM_IOCTL_CRASH_REASON, &a))
		return "";
	/* The first reason is kept, so the text changes only when there is another crash. */
	hvm_os_mutex_lock(&w->crash_lock);
	if (memcmp(w->crash_text, a.reason, sizeof(w->crash_text)) != 0)
		memcpy(w->crash_text, a.reason, sizeof(w->crash_text) - 1);
	hvm_os_mutex_unlock(&w->crash_lock);
	return w->crash_text;
}

static void dev_drop_all(struct hvm_domain *d)
{
	for (unsigned int i = 0; i < d->vcpu_count; i++)
		lib_emulate_drop(&d->vcpu[i]);
}

static int dev_reset(struct hvm_domain *d)
{
	int rc = dev_call(d->fd, HVM_IOCTL_RESET, NULL);

	if (rc)
		return rc;
	dev_drop_all(d);
	/* A crash that is over. */
	hvm_os_mutex_lock(&d->crash_lock);
	memset(d->crash_text, 0, sizeof(d->crash_text));
	hvm_os_mutex_unlock(&d->crash_lock);
	return domain_reset(d->core);
}

/* -- memory ------------------------------------------------------------------------------------ */

/* The kernel's map is the one that counts; ours follows it. */
static int dev_map(struct hvm_domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type,
		   void *hva)
{
	struct hvm_ioctl_memory a = {
		.gpa = gpa, .bytes = bytes, .hva = (uintptr_t)hva, .type = (uint32_t)type
	};
	int rc = dev_call(d->fd, HVM_IOCTL_MEMORY, &a);

	return rc ? rc : domain_map(d->core, gpa, bytes, type, hva);
}

static void dev_memory_written(struct hvm_domain *d, gpa_t gpa, uint64_t bytes)
{
	const uint64_t end = HVM_BIT(52);
	struct hvm_ioctl_range a = { .gpa = gpa, .bytes = bytes };

	if (gpa >= end)
		return;
	if (bytes > end - gpa)
		a.bytes = end - gpa;
	(void)dev_call(d->fd, HVM_IOCTL_MEMORY_WRITTEN, &a);
}

static int dev_dirty_start(struct hvm_domain *d)
{
	struct hvm_ioctl_dirty a = { .op = HVM_IOCTL_DIRTY_START };
	int rc = dev_call(d->fd, HVM_IOCTL_DIRTY, &a);

	if (!rc)
		domain_dirty_start(d->core);
	return rc;
}

static void dev_dirty_stop(struct hvm_domain *d)
{
	struct hvm_ioctl_dirty a = { .op = HVM_IOCTL_DIRTY_STOP };

	(void)dev_call(d->fd, HVM_IOCTL_DIRTY, &a);
	domain_dirty_stop(d->core);
}

/* What the guest wrote, then what we wrote for it. */
static int dev_dirty_sync(struct hvm_domain *d, gpa_t gpa, uint64_t pages, uint64_t *bitmap)
{
	const uint64_t chunk = HVM_IOCTL_DIRTY_PAGES;
	uint64_t *part;
	int rc = 0;

	if (gpa & ~HVM_PAGE_MASK)
		return -HVM_EINVAL;
	part = hvm_os_alloc(HVM_IOCTL_DIRTY_PAGES / 8);
	if (!part)
		return -HVM_ENOMEM;
	for (uint64_t done = 0; done < pages && !rc; done += chunk) {
		struct hvm_ioctl_dirty a = { .op = HVM_IOCTL_DIRTY_SYNC,
					     .gpa = gpa + (done << HVM_PAGE_SHIFT),
					     .pages = pages - done < chunk ? pages - done : chunk,
					     .bitmap = (uintptr_t)part };

		rc = dev_call(d->fd, HVM_IOCTL_DIRTY, &a);
		for (uint64_t i = 0; i < (a.pages + 63) / 64 && !rc; i++)
			bitmap[done / 64 + i] |= part[i];
	}
	hvm_os_free(part);
	return rc ? rc : domain_dirty_sync(d->core, gpa, pages, bitmap);
}

/* -- interrupts and devices -------------------------------------------------------------------- */

static int dev_irq_set(struct hvm_domain *d, unsigned int gsi, bool level)
{
	struct hvm_ioctl_irq a = { .gsi = gsi, .level = level };

	return dev_call(d->fd, HVM_IOCTL_IRQ, &a);
}

static int dev_msi_send(struct hvm_domain *d, uint64_t address, uint32_t data)
{
	struct hvm_ioctl_msi a = { .address = address, .data = data };

	return dev_call(d->fd, HVM_IOCTL_MSI, &a);
}

static int dev_nmi_send(struct hvm_domain *d)
{
	return dev_call(d->fd, HVM_IOCTL_NMI, NULL);
}

static int dev_cmos_write(struct hvm_domain *d, unsigned int index, uint8_t value)
{
	struct hvm_ioctl_cmos a = { .index = index, .value = value };

	return dev_call(d->fd, HVM_IOCTL_CMOS, &a);
}

static int dev_bufioreq_add(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
			    uint64_t bytes)
{
	struct hvm_ioctl_bufioreq a = { .address = address,
					.bytes = bytes,
					.type = (uint32_t)type };

	return dev_call(d->fd, HVM_IOCTL_BUFIOREQ, &a);
}

static int dev_doorbell(struct hvm_domain *d, const struct hvm_doorbell *b, bool remove)
{
	struct hvm_ioctl_doorbell a = { .address = b->address,
					.match = b->match,
					.eventfd = b->eventfd,
					.type = b->type,
					.size = b->size,
					.has_match = b->has_match,
					.remove = remove };

	return dev_call(d->fd, HVM_IOCTL_DOORBELL, &a);
}

static int dev_doorbell_add(struct hvm_domain *d, const struct hvm_doorbell *b)
{
	return dev_doorbell(d, b, false);
}

static int dev_doorbell_remove(struct hvm_domain *d, const struct hvm_doorbell *b)
{
	return dev_doorbell(d, b, true);
}

static bool dev_bufioreq_pop(struct hvm_domain *d, struct hvm_bufioreq *ret)
{
	bool any;

	hvm_os_mutex_lock(&d->ring_lock);
	any = bufioreq_take(d->ring, ret);
	hvm_os_mutex_unlock(&d->ring_lock);
	return any;
}

/* -- vcpus ------------------------------------------------------------------------------------- */

/* 1: run again, 0: *ret is for the caller. */
static int dev_vcpu_turn(struct hvm_vcpu *v, struct hvm_exit *ret)
{
	int rc;

	if (v->emulating)
		return lib_emulate_step(v, ret);
	rc = dev_call(v->fd, HVM_IOCTL_RUN, ret);
	if (rc)
		return rc;
	if (ret->reason != HVM_EXIT_EMULATE)
		return 0;
	rc = lib_emulate_begin(v);
	return rc ? rc : 1;
}

static int dev_vcpu_run(struct hvm_vcpu *v, struct hvm_exit *ret)
{
	int rc;

	do {
		rc = dev_vcpu_turn(v, ret);
	} while (rc == 1);
	return rc;
}

static void dev_vcpu_kick(struct hvm_vcpu *v)
{
	(void)dev_call(v->fd, HVM_IOCTL_KICK, NULL);
}

static int dev_vcpu_get_state(struct hvm_vcpu *v, struct hvm_vcpu_state *ret)
{
	struct hvm_ioctl_state a = { .state = (uintptr_t)ret, .bytes = sizeof(*ret) };

	return dev_call(v->fd, HVM_IOCTL_GET_STATE, &a);
}

static int dev_vcpu_set_state(struct hvm_vcpu *v, const struct hvm_vcpu_state *s)
{
	struct hvm_ioctl_state a = { .state = (uintptr_t)s, .bytes = sizeof(*s) };
	int rc = dev_call(v->fd, HVM_IOCTL_SET_STATE, &a);

	if (!rc)
		lib_emulate_drop(v);
	return rc;
}

static int dev_vcpu_translate(struct hvm_vcpu *v, gva_t gva, gpa_t *ret)
{
	struct hvm_ioctl_translate a = { .gva = gva };
	int rc = dev_call(v->fd, HVM_IOCTL_TRANSLATE, &a);

	if (!rc)
		*ret = a.gpa;
	return rc;
}

static size_t dev_vcpu_stats(struct hvm_vcpu *v, uint64_t *ret, size_t max)
{
	struct hvm_ioctl_stats a = { .values = (uintptr_t)ret,
				     .count = max > UINT32_MAX ? UINT32_MAX : (uint32_t)max };

	return dev_call(v->fd, HVM_IOCTL_STATS, &a) ? 0 : a.count;
}

/* -- time and state ---------------------------------------------------------------------------- */

static void dev_time(struct hvm_domain *d, bool paused)
{
	struct hvm_ioctl_time a = { .paused = paused };

	(void)dev_call(d->fd, HVM_IOCTL_TIME, &a);
}

static void dev_pause_time(struct hvm_domain *d)
{
	dev_time(d, true);
}

static void dev_resume_time(struct hvm_domain *d)
{
	dev_time(d, false);
}

static int dev_save(struct hvm_domain *d, uint8_t **ret_buf, size_t *ret_bytes)
{
	struct hvm_ioctl_stream a = { .bytes = 1u << 16 };
	int rc = -HVM_ENOSPC;

	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (d->vcpu[i].emulating)
			return -HVM_EBUSY;
	}
	for (unsigned int i = 0; i < 2 && rc == -HVM_ENOSPC; i++) {
		uint8_t *buf = hvm_os_alloc((size_t)a.bytes);

		if (!buf)
			return -HVM_ENOMEM;
		a.buf = (uintptr_t)buf;
		rc = dev_call(d->fd, HVM_IOCTL_SAVE, &a);
		if (!rc) {
			*ret_buf = buf;
			*ret_bytes = (size_t)a.bytes;
		} else {
			hvm_os_free(buf);
		}
	}
	return rc;
}

static int dev_load(struct hvm_domain *d, const uint8_t *buf, size_t bytes)
{
	struct hvm_ioctl_stream a = { .buf = (uintptr_t)buf, .bytes = bytes };
	int rc = dev_call(d->fd, HVM_IOCTL_LOAD, &a);

	if (!rc)
		dev_drop_all(d);
	return rc;
}

static const struct hvm_lib_ops lib_dev_ops = {
	.destroy = dev_destroy,
	.crash_reason = dev_crash_reason,
	.reset = dev_reset,
	.map = dev_map,
	.memory_written = dev_memory_written,
	.dirty_start = dev_dirty_start,
	.dirty_sync = dev_dirty_sync,
	.dirty_stop = dev_dirty_stop,
	.irq_set = dev_irq_set,
	.msi_send = dev_msi_send,
	.nmi_send = dev_nmi_send,
	.cmos_write = dev_cmos_write,
	.bufioreq_add = dev_bufioreq_add,
	.doorbell_add = dev_doorbell_add,
	.doorbell_remove = dev_doorbell_remove,
	.bufioreq_pop = dev_bufioreq_pop,
	.vcpu_run = dev_vcpu_run,
	.vcpu_kick = dev_vcpu_kick,
	.vcpu_get_state = dev_vcpu_get_state,
	.vcpu_set_state = dev_vcpu_set_state,
	.vcpu_translate = dev_vcpu_translate,
	.vcpu_stats = dev_vcpu_stats,
	.pause_time = dev_pause_time,
	.resume_time = dev_resume_time,
	.save = dev_save,
	.load = dev_load,
};

/* -- construction ------------------------------------------------------------------------------ */

/* The vendor that serves @engine here, or its error. */
static int dev_choose(const struct hvm_ioctl_info *info, uint32_t engine, uint32_t *ret)
{
	int rc = -HVM_ENODEV;

	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(info->vendor); i++) {
		const struct hvm_ioctl_vendor *vendor = &info->vendor[i];

		if (engine != HVM_ENGINE_AUTO && engine != vendor->engine)
			continue;
		if (!vendor->error) {
			*ret = vendor->engine;
			return 0;
		}
		if (vendor->error != -HVM_ENODEV)
			rc = vendor->error;
	}
	return rc;
}

static int dev_make_vcpu(struct hvm_vcpu *v)
{
	struct hvm_ioctl_vcpu a = { .index = v->index };

	v->fd = dev_call(v->domain->fd, HVM_IOCTL_VCPU, &a);
	if (v->fd < 0)
		return v->fd;
	v->ioreq_page = dev_map_page(v->fd);
	return v->ioreq_page ? 0 : -HVM_ENOMEM;
}

static int dev_make(const struct hvm_domain_config *cfg, struct hvm_domain *d)
{
	int rc = 0;

	d->ring = dev_map_page(d->fd);
	if (!d->ring)
		return -HVM_ENOMEM;
	for (unsigned int i = 0; i < d->vcpu_count && !rc; i++)
		rc = dev_make_vcpu(&d->vcpu[i]);
	return rc ? rc : lib_emulate_create(cfg, d);
}

int lib_dev_create(const struct hvm_domain_config *cfg, struct hvm_domain *d)
{
	struct hvm_ioctl_create a = { .version = HVM_IOCTL_VERSION,
				      .cpu_model = cfg->cpu_model,
				      .vcpus = cfg->vcpus,
				      .rtc_base_s = cfg->rtc_base_s };
	struct hvm_ioctl_info info;
	int fd = lib_open_info(&info), rc;

	if (fd < 0)
		return -HVM_ENODEV;
	rc = dev_choose(&info, cfg->engine, &a.engine);
	memcpy(a.name, cfg->name, sizeof(a.name) - 1);
	d->fd = rc ? rc : dev_call(fd, HVM_IOCTL_CREATE, &a);
	dev_close(fd);
	/* The vendor serves, as it said above: what it has not got is the model. */
	if (!rc && d->fd == -HVM_ENODEV)
		return LIB_NO_MODEL;
	if (d->fd < 0)
		return d->fd;
	d->ops = &lib_dev_ops;
	d->engine = a.engine == HVM_ENGINE_SVM ? "svm" : "vmx";
	hvm_os_mutex_init(&d->ring_lock);
	hvm_os_mutex_init(&d->crash_lock);
	rc = dev_make(cfg, d);
	if (rc)
		dev_destroy(d);
	return rc;
}
