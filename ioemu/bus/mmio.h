/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mmio.h - the memory bus, for what is not RAM: ranges claimed by devices and BARs.
 * Locking: as pio.h.
 */
#ifndef IOEMU_MMIO_H
#define IOEMU_MMIO_H

#include "bus/io.h"

#define MMIO_RANGES_MAX 32

struct mmio_bus {
	pthread_rwlock_t lock;
	struct io_range range[MMIO_RANGES_MAX]; /* length 0: free */
};

int mmio_init(struct mmio_bus *bus);
void mmio_fini(struct mmio_bus *bus);
/* As pio_claim(); where ranges overlap, the one claimed into the lower slot answers. */
int mmio_claim(struct mmio_bus *bus, const struct io_range *r);
void mmio_release(struct mmio_bus *bus, uint64_t base, const void *opaque);
/* Unclaimed addresses read all-ones and swallow writes. bytes: 1, 2, 4 or 8. */
uint64_t mmio_read(struct mmio_bus *bus, gpa_t gpa, unsigned int bytes);
void mmio_write(struct mmio_bus *bus, gpa_t gpa, unsigned int bytes, uint64_t value);

#endif
