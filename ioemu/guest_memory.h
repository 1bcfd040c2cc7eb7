/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_memory.h - guest RAM as ioemu sees it: one memfd mapping, and the one bounds-checked way
 * from a guest-physical address to it. Every device's DMA goes through here.
 *
 * Layout (builder/builder.h): the first min(bytes, 3.5 GiB) are gpa 0.., the rest starts at 4 GiB;
 * 0xa0000-0xbffff belongs to the VGA and is no RAM.
 * Locking: none needed; the layout is fixed from init to fini, the bytes are the guest's.
 */
#ifndef IOEMU_GUEST_MEMORY_H
#define IOEMU_GUEST_MEMORY_H

#include "hvm/hvm_types.h"

struct guest_memory {
	int fd;
	uint8_t *base;
	uint64_t bytes;
	uint64_t low_bytes; /* of them below the PCI hole */
	/* Told after every DMA write, so that the core drops decoded code. May be NULL. */
	void (*written)(void *opaque, gpa_t gpa, uint64_t bytes);
	void *opaque;
};

/* guest_memory_init - map @bytes of zeroed memory. 0, or -errno of memfd, ftruncate or mmap. */
int guest_memory_init(struct guest_memory *m, uint64_t bytes);
void guest_memory_fini(struct guest_memory *m);
/* guest_memory_zero - every byte to zero, pages given back to the host. No vcpu or DMA runs. */
int guest_memory_zero(struct guest_memory *m);
/*
 * guest_memory_piece - the host bytes of [gpa, gpa + len) as far as they are contiguous.
 * @ret_len: length of the piece, at most @len. NULL where there is no RAM or @len is 0.
 */
void *guest_memory_piece(struct guest_memory *m, gpa_t gpa, uint64_t len, uint64_t *ret_len);
/* Copies; 0 or -EFAULT when any part is no RAM (then nothing was copied). */
int guest_memory_read(struct guest_memory *m, gpa_t gpa, void *buf, size_t len);
int guest_memory_write(struct guest_memory *m, gpa_t gpa, const void *buf, size_t len);
/* guest_memory_written - after a write through a piece. */
void guest_memory_written(struct guest_memory *m, gpa_t gpa, uint64_t len);

#endif
