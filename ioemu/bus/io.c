/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.c - an access to one device range: lock, split to the device's width, call.
 * Owns nothing. Locking: takes the range's lock. Not saved.
 */
#include "bus/io.h"

uint64_t io_range_read(const struct io_range *r, uint64_t offset, unsigned int bytes)
{
	uint64_t value = 0;
	unsigned int i;

	if (r->lock)
		pthread_mutex_lock(r->lock);
	if (bytes <= r->ops->max_bytes)
		value = r->ops->read(r->opaque, offset, bytes);
	else
		for (i = 0; i < bytes; i++)
			value |= (r->ops->read(r->opaque, offset + i, 1) & 0xff) << (8 * i);
	if (r->lock)
		pthread_mutex_unlock(r->lock);
	return value;
}

void io_range_write(const struct io_range *r, uint64_t offset, unsigned int bytes, uint64_t value)
{
	unsigned int i;

	if (r->lock)
		pthread_mutex_lock(r->lock);
	if (bytes <= r->ops->max_bytes)
		r->ops->write(r->opaque, offset, bytes, value);
	else
		for (i = 0; i < bytes; i++)
			r->ops->write(r->opaque, offset + i, 1, (value >> (8 * i)) & 0xff);
	if (r->lock)
		pthread_mutex_unlock(r->lock);
}
