/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * intercept.c - where a port or device-memory access goes: to a chip in the core, to a doorbell, to
 * the buffered ring, or as a synchronous request to ioemu.
 * Locking: chips register before vcpus run; buffered ranges and doorbells change under a spin lock
 * and are read under it.
 */
#include "core/domain.h"
#include "devices/chips.h"

#define INTERCEPT_RANGES    48
#define INTERCEPT_BUFFERED  16
#define INTERCEPT_DOORBELLS 64

/* Sorted by base; ranges do not overlap. */
struct intercept_table {
	unsigned int count;
	struct hvm_intercept range[INTERCEPT_RANGES];
};

struct intercept_buffered {
	uint64_t address, bytes;
	uint8_t type;
};

struct hvm_intercepts {
	struct intercept_table pio, mmio;
	struct hvm_os_spinlock lock;
	uint32_t fast_paths; /* atomic: buffered ranges and doorbells there are */
	unsigned int buffered_count, doorbell_count;
	struct intercept_buffered buffered[INTERCEPT_BUFFERED];
	struct hvm_doorbell doorbell[INTERCEPT_DOORBELLS];
};

int intercept_create(struct domain *d)
{
	d->intercepts = hvm_os_alloc(sizeof(*d->intercepts));
	if (!d->intercepts)
		return -HVM_ENOMEM;
	hvm_os_spin_init(&d->intercepts->lock);
	return 0;
}

void intercept_destroy(struct domain *d)
{
	if (!d->intercepts)
		return;
	hvm_os_spin_fini(&d->intercepts->lock);
	hvm_os_free(d->intercepts);
}

static int intercept_register(struct intercept_table *t, const struct hvm_intercept *r)
{
	unsigned int at = t->count;

	if (t->count == INTERCEPT_RANGES)
		return -HVM_ENOSPC;
	while (at > 0 && t->range[at - 1].base > r->base)
		at--;
	if ((at > 0 && r->base - t->range[at - 1].base < t->range[at - 1].bytes) ||
	    (at < t->count && t->range[at].base - r->base < r->bytes))
		return -HVM_EEXIST;
	memmove(&t->range[at + 1], &t->range[at], (t->count - at) * sizeof(t->range[0]));
	t->range[at] = *r;
	t->count++;
	return 0;
}

int hvm_pio_register(struct domain *d, const struct hvm_intercept *r)
{
	return intercept_register(&d->intercepts->pio, r);
}

int hvm_mmio_register(struct domain *d, const struct hvm_intercept *r)
{
	return intercept_register(&d->intercepts->mmio, r);
}

/* NULL also for an access that begins in a range and goes beyond it. */
static const struct hvm_intercept *intercept_find(const struct intercept_table *t, uint64_t address,
						  unsigned int size)
{
	unsigned int low = 0, high = t->count;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct hvm_intercept *r = &t->range[mid];
		uint64_t offset = address - r->base;

		if (address < r->base)
			high = mid;
		else if (offset >= r->bytes)
			low = mid + 1;
		else
			return size <= r->bytes - offset ? r : NULL;
	}
	return NULL;
}

/* -- doorbells and buffered writes ------------------------------------------------------------- */

int intercept_add_buffered(struct domain *d, uint8_t type, uint64_t address, uint64_t bytes)
{
	struct hvm_intercepts *t = d->intercepts;
	int rc = -HVM_ENOSPC;

	hvm_os_spin_lock(&t->lock);
	if (t->buffered_count < INTERCEPT_BUFFERED) {
		t->buffered[t->buffered_count++] =
			(struct intercept_buffered){ address, bytes, type };
		__atomic_fetch_add(&t->fast_paths, 1, __ATOMIC_SEQ_CST);
		rc = 0;
	}
	hvm_os_spin_unlock(&t->lock);
	return rc;
}

int intercept_add_doorbell(struct domain *d, const struct hvm_doorbell *b)
{
	struct hvm_intercepts *t = d->intercepts;
	int rc = -HVM_ENOSPC;

	hvm_os_spin_lock(&t->lock);
	if (t->doorbell_count < INTERCEPT_DOORBELLS) {
		t->doorbell[t->doorbell_count++] = *b;
		__atomic_fetch_add(&t->fast_paths, 1, __ATOMIC_SEQ_CST);
		rc = 0;
	}
	hvm_os_spin_unlock(&t->lock);
	return rc;
}

int intercept_remove_doorbell(struct domain *d, uint8_t type, uint64_t address, int eventfd)
{
	struct hvm_intercepts *t = d->intercepts;
	int rc = -HVM_ENOENT;

	hvm_os_spin_lock(&t->lock);
	for (unsigned int i = 0; i < t->doorbell_count; i++) {
		const struct hvm_doorbell *b = &t->doorbell[i];

		if (b->type != type || b->address != address || b->eventfd != eventfd)
			continue;
		t->doorbell[i] = t->doorbell[--t->doorbell_count];
		__atomic_fetch_sub(&t->fast_paths, 1, __ATOMIC_SEQ_CST);
		rc = 0;
		break;
	}
	hvm_os_spin_unlock(&t->lock);
	return rc;
}

static bool doorbell_matches(const struct hvm_doorbell *b, const struct hvm_io_access *a)
{
	return b->type == a->type && b->address == a->address && (!b->size || b->size == a->size) &&
	       (!b->has_match || b->match == a->data);
}

/*
 * A write that needs no answer. True: it is on its way. In an instruction that runs again and has
 * requests served that come after this write, the write went out the first time.
 */
static bool intercept_post(struct vcpu *v, const struct hvm_io_access *a, bool again)
{
	struct hvm_intercepts *t = v->domain->intercepts;
	bool buffered = false;
	int eventfd = -1;

	if (!__atomic_load_n(&t->fast_paths, __ATOMIC_SEQ_CST))
		return false;
	hvm_os_spin_lock(&t->lock);
	for (unsigned int i = 0; i < t->doorbell_count && eventfd < 0; i++) {
		if (doorbell_matches(&t->doorbell[i], a))
			eventfd = t->doorbell[i].eventfd;
	}
	for (unsigned int i = 0; i < t->buffered_count && !buffered; i++)
		buffered = t->buffered[i].type == a->type &&
			   a->address - t->buffered[i].address < t->buffered[i].bytes;
	if (eventfd >= 0 && !again)
		hvm_os_eventfd_signal(eventfd);
	hvm_os_spin_unlock(&t->lock);
	if (again)
		return eventfd >= 0 || buffered;
	if (eventfd >= 0) {
		v->stats.doorbell++;
		return true;
	}
	if (!buffered || !bufioreq_push(v->domain, a))
		return false;
	v->stats.bufioreq++;
	return true;
}

/* -- one access -------------------------------------------------------------------------------- */

static const struct intercept_table *intercept_table(const struct domain *d, uint8_t type)
{
	return type == HVM_IOREQ_PIO ? &d->intercepts->pio : &d->intercepts->mmio;
}

/* A chip of the core, if there is one: 0, or -HVM_EOPNOTSUPP. */
static int intercept_chip(struct vcpu *v, const struct hvm_io_access *a, uint64_t *data)
{
	const struct hvm_intercept *r =
		intercept_find(intercept_table(v->domain, a->type), a->address, a->size);
	int rc;

	if (!r)
		return -HVM_EOPNOTSUPP;
	rc = a->is_write ? r->write(v, r->dev, a->address - r->base, a->size, a->data)
			 : r->read(v, r->dev, a->address - r->base, a->size, data);
	if (rc != -HVM_EOPNOTSUPP && a->size < 8)
		*data &= HVM_BIT(a->size * 8) - 1;
	return rc;
}

int hvm_core_access(struct vcpu *v, const struct hvm_io_access *a, bool again, uint64_t *data)
{
	int rc = intercept_chip(v, a, data);

	if (rc == -HVM_EOPNOTSUPP && a->is_write && intercept_post(v, a, again))
		return 0;
	return rc;
}

/* The same for a domain that executes for another one: ask only where there can be something. */
static int intercept_remote(struct vcpu *v, const struct hvm_io_access *a, bool again,
			    uint64_t *data)
{
	const struct intercept_table *t = intercept_table(v->domain, a->type);

	if (intercept_find(t, a->address, a->size) || a->is_write)
		return v->domain->remote_access(v, a, again, data);
	return -HVM_EOPNOTSUPP;
}

static int intercept_access(struct vcpu *v, const struct hvm_io_access *a, uint64_t *data)
{
	const bool again = v->replay.next < v->replay.done;
	int rc;

	/* What ioemu has served is answered first: the core had nothing there, nor shall the ring
	 * get it now. */
	if (again && ioreq_is_next(v, a))
		return ioreq_access(v, a, data);
	if (hvm_unlikely(v->domain->remote_access))
		rc = intercept_remote(v, a, again, data);
	else
		rc = hvm_core_access(v, a, again, data);
	return rc == -HVM_EOPNOTSUPP ? ioreq_access(v, a, data) : rc;
}

int hvm_pio_read(struct vcpu *v, uint16_t port, unsigned int size, uint32_t *ret)
{
	const struct hvm_io_access a = { .type = HVM_IOREQ_PIO,
					 .address = port,
					 .size = (uint8_t)size };
	uint64_t data = 0;
	int rc;

	v->stats.pio++;
	rc = intercept_access(v, &a, &data);
	if (!rc)
		*ret = (uint32_t)data;
	return rc;
}

int hvm_pio_write(struct vcpu *v, uint16_t port, unsigned int size, uint32_t value)
{
	const struct hvm_io_access a = { .type = HVM_IOREQ_PIO,
					 .is_write = 1,
					 .address = port,
					 .size = (uint8_t)size,
					 .data = value };
	uint64_t data = value;

	v->stats.pio++;
	return intercept_access(v, &a, &data);
}

int hvm_mmio_read(struct vcpu *v, gpa_t gpa, unsigned int size, uint64_t *ret)
{
	const struct hvm_io_access a = { .type = HVM_IOREQ_MMIO,
					 .address = gpa,
					 .size = (uint8_t)size };
	uint64_t data = 0;
	int rc;

	v->stats.mmio++;
	rc = intercept_access(v, &a, &data);
	if (!rc)
		*ret = data;
	return rc;
}

int hvm_mmio_write(struct vcpu *v, gpa_t gpa, unsigned int size, uint64_t value)
{
	const struct hvm_io_access a = { .type = HVM_IOREQ_MMIO,
					 .is_write = 1,
					 .address = gpa,
					 .size = (uint8_t)size,
					 .data = value };
	uint64_t data = value;

	v->stats.mmio++;
	return intercept_access(v, &a, &data);
}

/* -- string port I/O --------------------------------------------------------------------------- */

/*
 * One element through the ordinary path, then the list is dropped: the next element of the same
 * instruction is another access.
 */
static int intercept_rep_one(struct vcpu *v, bool is_write, uint16_t port, unsigned int size,
			     void *buf)
{
	uint32_t data = 0;
	int rc;

	if (is_write) {
		memcpy(&data, buf, size);
		rc = hvm_pio_write(v, port, size, data);
	} else {
		rc = hvm_pio_read(v, port, size, &data);
		if (!rc)
			memcpy(buf, &data, size);
	}
	if (rc)
		return rc;
	hvm_io_retire(v);
	return 1;
}

static int intercept_rep(struct vcpu *v, bool is_write, uint16_t port, unsigned int size,
			 unsigned int count, void *buf)
{
	if (count == 1 || v->replay.done || intercept_find(&v->domain->intercepts->pio, port, size))
		return intercept_rep_one(v, is_write, port, size, buf);
	v->stats.pio++;
	return ioreq_bulk(v, is_write, port, size, count, buf);
}

int hvm_pio_read_rep(struct vcpu *v, uint16_t port, unsigned int size, unsigned int count,
		     void *buf)
{
	return intercept_rep(v, false, port, size, count, buf);
}

int hvm_pio_write_rep(struct vcpu *v, uint16_t port, unsigned int size, unsigned int count,
		      const void *buf)
{
	return intercept_rep(v, true, port, size, count, (void *)(uintptr_t)buf);
}
