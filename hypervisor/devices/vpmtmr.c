/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vpmtmr.c - the ACPI power management timer: 24 bits at 3.579545 MHz. Its overflow status and
 * SCI belong to ioemu's power management device.
 * Owns struct vpmtmr. Locking: none, the offset changes only while the domain is being loaded.
 * Saved as PMTMR. Source: ACPI Specification 6.4, 4.8.2.1 "Power Management Timer".
 */
#include "devices/chip_time.h"

#define PMTMR_HZ   3579545u
#define PMTMR_MASK 0xffffffu

struct vpmtmr {
	struct domain *d;
	uint32_t offset; /* atomic; counter = guest time in ticks + offset */
};

static uint32_t vpmtmr_count(const struct vpmtmr *t)
{
	uint64_t ticks = chip_muldiv(hvm_domain_now_ns(t->d), PMTMR_HZ, NS_PER_S);

	return ((uint32_t)ticks + __atomic_load_n(&t->offset, __ATOMIC_RELAXED)) & PMTMR_MASK;
}

static int vpmtmr_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
{
	(void)v;
	(void)size;
	*ret = vpmtmr_count(dev) >> (8 * (offset & 3));
	return 0;
}

static int vpmtmr_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			uint64_t value)
{
	(void)v;
	(void)dev;
	(void)offset;
	(void)size;
	(void)value;
	return 0;
}

int vpmtmr_create(struct domain *d)
{
	struct vpmtmr *t = hvm_os_alloc(sizeof(struct vpmtmr));
	const struct hvm_intercept r = {
		.base = HVM_PMTMR_PORT,
		.bytes = 4,
		.read = vpmtmr_read,
		.write = vpmtmr_write,
		.dev = t,
	};
	int rc;

	if (t == NULL)
		return -HVM_ENOMEM;
	t->d = d;
	rc = hvm_pio_register(d, &r);
	if (rc != 0) {
		hvm_os_free(t);
		return rc;
	}
	d->vpmtmr = t;
	return 0;
}

void vpmtmr_destroy(struct domain *d)
{
	hvm_os_free(d->vpmtmr);
	d->vpmtmr = NULL;
}

int vpmtmr_save(struct domain *d, struct hvm_save_writer *w)
{
	hvm_save_u32(w, vpmtmr_count(d->vpmtmr));
	return w->error;
}

int vpmtmr_load(struct domain *d, struct hvm_save_reader *r, bool check)
{
	uint32_t count = hvm_load_u32(r), offset;

	if (r->error != 0)
		return r->error;
	if (count > PMTMR_MASK)
		return -HVM_EINVAL;
	if (check)
		return 0;
	offset = __atomic_load_n(&d->vpmtmr->offset, __ATOMIC_RELAXED);
	offset += count - vpmtmr_count(d->vpmtmr);
	__atomic_store_n(&d->vpmtmr->offset, offset, __ATOMIC_RELAXED);
	return 0;
}
