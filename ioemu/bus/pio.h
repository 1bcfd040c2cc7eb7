/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pio.h - the port bus: 65536 ports, ranges of them claimed by devices.
 * Locking: a reader-writer lock over the table, so BARs may move while vcpus run; never held while
 * a device's handler runs. Ranges' operations and opaque pointers live as long as the bus.
 */
#ifndef IOEMU_PIO_H
#define IOEMU_PIO_H

#include "bus/io.h"

#define PIO_PORTS      65536u
#define PIO_RANGES_MAX 64

struct pio_bus {
	pthread_rwlock_t lock;
	struct io_range range[PIO_RANGES_MAX]; /* length 0: free */
	uint8_t slot[PIO_PORTS];	       /* index into range[] + 1; 0: nobody */
};

int pio_init(struct pio_bus *bus);
void pio_fini(struct pio_bus *bus);
/*
 * pio_claim - the ports of @r are the device's. Where ranges overlap, the one in the higher slot
 * has the port until it is released. 0, -EINVAL bad range, -ENOSPC too many ranges.
 */
int pio_claim(struct pio_bus *bus, const struct io_range *r);
/* pio_release - undo the claim of @base by @opaque; unknown ones are ignored. */
void pio_release(struct pio_bus *bus, uint64_t base, const void *opaque);
/* Unclaimed ports read all-ones and swallow writes. bytes: 1, 2 or 4. */
uint32_t pio_read(struct pio_bus *bus, uint16_t port, unsigned int bytes);
void pio_write(struct pio_bus *bus, uint16_t port, unsigned int bytes, uint32_t value);
/* String I/O: @count elements of @bytes packed in @buf, all to or from one port. */
void pio_read_string(struct pio_bus *bus, uint16_t port, unsigned int bytes, uint8_t *buf,
		     size_t count);
void pio_write_string(struct pio_bus *bus, uint16_t port, unsigned int bytes, const uint8_t *buf,
		      size_t count);

#endif
