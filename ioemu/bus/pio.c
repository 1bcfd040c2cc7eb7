/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pio.c - the port bus. Owns the table of ranges. Locking: pio.h. Not saved: devices claim their
 * ports again when they are built or their BARs are loaded.
 */
#include "bus/pio.h"

#include <errno.h>
#include <string.h>

int pio_init(struct pio_bus *bus)
{
	memset(bus, 0, sizeof(*bus));
	return -pthread_rwlock_init(&bus->lock, NULL);
}

void pio_fini(struct pio_bus *bus)
{
	pthread_rwlock_destroy(&bus->lock);
}

/* Rebuild the port map: ranges in the order of their slots, later ones win. Lock held. */
static void pio_rebuild(struct pio_bus *bus)
{
	unsigned int i;

	memset(bus->slot, 0, sizeof(bus->slot));
	for (i = 0; i < PIO_RANGES_MAX; i++)
		if (bus->range[i].length)
			memset(bus->slot + bus->range[i].base, (int)i + 1, bus->range[i].length);
}

int pio_claim(struct pio_bus *bus, const struct io_range *r)
{
	int err = -ENOSPC;
	unsigned int i;

	if (!r->length || r->base >= PIO_PORTS || r->length > PIO_PORTS - r->base)
		return -EINVAL;
	pthread_rwlock_wrlock(&bus->lock);
	for (i = 0; i < PIO_RANGES_MAX; i++) {
		if (bus->range[i].length)
			continue;
		bus->range[i] = *r;
		pio_rebuild(bus);
		err = 0;
		break;
	}
	pthread_rwlock_unlock(&bus->lock);
	return err;
}

void pio_release(struct pio_bus *bus, uint64_t base, const void *opaque)
{
	unsigned int i;

	pthread_rwlock_wrlock(&bus->lock);
	for (i = 0; i < PIO_RANGES_MAX; i++)
		if (bus->range[i].base == base && bus->range[i].opaque == opaque)
			memset(&bus->range[i], 0, sizeof(bus->range[i]));
	pio_rebuild(bus);
	pthread_rwlock_unlock(&bus->lock);
}

/* The range of @port, copied so that it may go while the handler runs. */
static bool pio_find(struct pio_bus *bus, uint16_t port, struct io_range *ret)
{
	uint8_t slot;

	pthread_rwlock_rdlock(&bus->lock);
	slot = bus->slot[port];
	if (slot)
		*ret = bus->range[slot - 1];
	pthread_rwlock_unlock(&bus->lock);
	return slot != 0;
}

uint32_t pio_read(struct pio_bus *bus, uint16_t port, unsigned int bytes)
{
	struct io_range r;
	uint32_t value = 0;
	unsigned int i;

	if (pio_find(bus, port, &r) && port - r.base + bytes <= r.length)
		return (uint32_t)io_range_read(&r, port - r.base, bytes);
	for (i = 0; i < bytes; i++) {
		uint16_t at = (uint16_t)(port + i);
		uint32_t byte = 0xff;

		if (pio_find(bus, at, &r))
			byte = (uint32_t)io_range_read(&r, at - r.base, 1) & 0xff;
		value |= byte << (8 * i);
	}
	return value;
}

void pio_write(struct pio_bus *bus, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct io_range r;
	unsigned int i;

	if (pio_find(bus, port, &r) && port - r.base + bytes <= r.length) {
		io_range_write(&r, port - r.base, bytes, value);
		return;
	}
	for (i = 0; i < bytes; i++) {
		uint16_t at = (uint16_t)(port + i);

		if (pio_find(bus, at, &r))
			io_range_write(&r, at - r.base, 1, (value >> (8 * i)) & 0xff);
	}
}

void pio_read_string(struct pio_bus *bus, uint16_t port, unsigned int bytes, uint8_t *buf,
		     size_t count)
{
	struct io_range r;
	uint32_t value;
	size_t done = 0;

	if (pio_find(bus, port, &r) && r.ops->read_bulk && port - r.base + bytes <= r.length) {
		if (r.lock)
			pthread_mutex_lock(r.lock);
		done = r.ops->read_bulk(r.opaque, port - r.base, bytes, buf, count);
		if (r.lock)
			pthread_mutex_unlock(r.lock);
	}
	for (; done < count; done++) {
		value = pio_read(bus, port, bytes);
		memcpy(buf + done * bytes, &value, bytes);
	}
}

void pio_write_string(struct pio_bus *bus, uint16_t port, unsigned int bytes, const uint8_t *buf,
		      size_t count)
{
	struct io_range r;
	size_t done = 0;

	if (pio_find(bus, port, &r) && r.ops->write_bulk && port - r.base + bytes <= r.length) {
		if (r.lock)
			pthread_mutex_lock(r.lock);
		done = r.ops->write_bulk(r.opaque, port - r.base, bytes, buf, count);
		if (r.lock)
			pthread_mutex_unlock(r.lock);
	}
	for (; done < count; done++) {
		uint32_t value = 0;

		memcpy(&value, buf + done * bytes, bytes);
		pio_write(bus, port, bytes, value);
	}
}
