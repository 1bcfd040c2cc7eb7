/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.h - what a device hangs on the port and memory buses: one table of operations, the same for
 * both. The bus takes the range's lock around each call, so a device's handlers run alone.
 */
#ifndef IOEMU_IO_H
#define IOEMU_IO_H

#include "hvm/hvm_types.h"

#include <pthread.h>

/*
 * Offsets are relative to the range and below its length, also offset + bytes - 1. Accesses wider
 * than max_bytes, or reaching over the end of the range, arrive as single bytes, lowest first.
 */
struct io_ops {
	const char *name;
	unsigned int max_bytes;
	uint64_t (*read)(void *opaque, uint64_t offset, unsigned int bytes);
	void (*write)(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value);
	/*
	 * String I/O, optional: @count elements of @bytes each. Returns how many were handled in
	 * bulk (may be 0); the bus does the rest one by one.
	 */
	size_t (*read_bulk)(void *opaque, uint64_t offset, unsigned int bytes, uint8_t *buf,
			    size_t count);
	size_t (*write_bulk)(void *opaque, uint64_t offset, unsigned int bytes, const uint8_t *buf,
			     size_t count);
};

struct io_range {
	uint64_t base;
	uint64_t length;
	const struct io_ops *ops;
	void *opaque;
	pthread_mutex_t *lock; /* NULL: the handlers lock for themselves */
};

/* Read or write within one range, split as the device wants it. offset + bytes <= length. */
uint64_t io_range_read(const struct io_range *r, uint64_t offset, unsigned int bytes);
void io_range_write(const struct io_range *r, uint64_t offset, unsigned int bytes, uint64_t value);

#endif
