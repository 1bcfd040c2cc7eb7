/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mmio.c - the memory bus. Owns the table of ranges. Locking: mmio.h. Not saved.
 */
#include "bus/mmio.h"

#include <errno.h>
#include <string.h>

int mmio_init(struct mmio_bus *bus)
{
	memset(bus, 0, sizeof(*bus));
	return -pthread_rwlock_init(&bus->lock, NULL);
}

void mmio_fini(struct mmio_bus *bus)
{
	pthread_rwlock_destroy(&bus->lock);
}

int mmio_claim(struct mmio_bus *bus, const struct io_range *r)
{
	int err = -ENOSPC;
	unsigned int i;

	if (!r->length || r->base + r->length < r->base)
		return -EINVAL;
	pthread_rwlock_wrlock(&bus->lock);
	for (i = 0; i < MMIO_RANGES_MAX; i++) {
		if (bus->range[i].length)
			continue;
		bus->range[i] = *r;
		err = 0;
		break;
	}
	pthread_rwlock_unlock(&bus->lock);
	return err;
}

void mmio_release(struct mmio_bus *bus, uint64_t base, const void *opaque)
{
	unsigned int i;

	pthread_rwlock_wrlock(&bus->lock);
	for (i = 0; i < MMIO_RANGES_MAX; i++)
		if (bus->range[i].base == base && bus->range[i].opaque == opaque)
			memset(&bus->range[i], 0, sizeof(bus->range[i]));
	pthread_rwlock_unlock(&bus->lock);
}

static bool mmio_find(struct mmio_bus *bus, gpa_t gpa, struct io_range *ret)
{
	bool found = false;
	unsigned int i;

	pthread_rwlock_rdlock(&bus->lock);
	for (i = 0; i < MMIO_RANGES_MAX && !found; i++) {
		if (gpa - bus->range[i].base < bus->range[i].length) {
			*ret = bus->range[i];
			found = true;
		}
	}
	pthread_rwlock_unlock(&bus->lock);
	return found;
}

uint64_t mmio_read(struct mmio_bus *bus, gpa_t gpa, unsigned int bytes)
{
	struct io_range r;
	uint64_t value = 0;
	unsigned int i;

	if (mmio_find(bus, gpa, &r) && bytes <= r.length - (gpa - r.base))
		return io_range_read(&r, gpa - r.base, bytes);
	for (i = 0; i < bytes; i++) {
		uint64_t byte = 0xff;

		if (mmio_find(bus, gpa + i, &r))
			byte = io_range_read(&r, gpa + i - r.base, 1) & 0xff;
		value |= byte << (8 * i);
	}
	return value;
}

void mmio_write(struct mmio_bus *bus, gpa_t gpa, unsigned int bytes, uint64_t value)
{
	struct io_range r;
	unsigned int i;

	if (mmio_find(bus, gpa, &r) && bytes <= r.length - (gpa - r.base)) {
		io_range_write(&r, gpa - r.base, bytes, value);
		return;
	}
	for (i = 0; i < bytes; i++)
		if (mmio_find(bus, gpa + i, &r))
			io_range_write(&r, gpa + i - r.base, 1, (value >> (8 * i)) & 0xff);
}
