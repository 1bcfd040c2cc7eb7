/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_memory.c - guest RAM: one memfd, and the bounds-checked helper for DMA.
 * Owns the memfd and its mapping. Locking and layout: guest_memory.h. Saved by whoever streams
 * guest memory, not here.
 */
#include "guest_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PCI_HOLE  0xe0000000ull
#define HIGH_RAM  0x100000000ull
#define VGA_START 0xa0000ull
#define VGA_END	  0xc0000ull

int guest_memory_init(struct guest_memory *m, uint64_t bytes)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->fd = memfd_create("guest-ram", MFD_CLOEXEC);
	if (m->fd < 0)
		return -errno;
	if (ftruncate(m->fd, (off_t)bytes) < 0)
		goto err_close;
	m->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, 0);
	if (m->base == MAP_FAILED)
		goto err_close;
	/* A core dump of ioemu must not carry the guest's memory. */
	(void)madvise(m->base, bytes, MADV_DONTDUMP);
	m->bytes = bytes;
	m->low_bytes = bytes < PCI_HOLE ? bytes : PCI_HOLE;
	return 0;
err_close:
	err = -errno;
	close(m->fd);
	memset(m, 0, sizeof(*m));
	m->fd = -1;
	return err;
}

void guest_memory_fini(struct guest_memory *m)
{
	if (!m->base)
		return;
	munmap(m->base, m->bytes);
	close(m->fd);
	memset(m, 0, sizeof(*m));
	m->fd = -1;
}

int guest_memory_zero(struct guest_memory *m)
{
	if (fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)m->bytes) < 0)
		return -errno;
	return 0;
}

void *guest_memory_piece(struct guest_memory *m, gpa_t gpa, uint64_t len, uint64_t *ret_len)
{
	uint64_t offset, end;

	if (gpa < VGA_START) {
		offset = gpa;
		end = m->low_bytes < VGA_START ? m->low_bytes : VGA_START;
	} else if (gpa < VGA_END) {
		return NULL;
	} else if (gpa < m->low_bytes) {
		offset = gpa;
		end = m->low_bytes;
	} else if (gpa >= HIGH_RAM && gpa - HIGH_RAM < m->bytes - m->low_bytes) {
		offset = gpa - HIGH_RAM + m->low_bytes;
		end = m->bytes;
	} else {
		return NULL;
	}
	if (offset >= end || !len)
		return NULL;
	*ret_len = len < end - offset ? len : end - offset;
	return m->base + offset;
}

/* Is all of the range RAM? Ranges cross a hole only where pieces do not join, so walk them. */
static bool guest_memory_is_ram(struct guest_memory *m, gpa_t gpa, uint64_t len)
{
	uint64_t piece;

	while (len) {
		if (!guest_memory_piece(m, gpa, len, &piece))
			return false;
		gpa += piece;
		len -= piece;
	}
	return true;
}

int guest_memory_read(struct guest_memory *m, gpa_t gpa, void *buf, size_t len)
{
	uint8_t *to = buf;
	uint64_t piece = 0;

	if (!guest_memory_is_ram(m, gpa, len))
		return -EFAULT;
	for (; len; to += piece, gpa += piece, len -= piece) {
		const uint8_t *from = guest_memory_piece(m, gpa, len, &piece);

		memcpy(to, from, piece);
	}
	return 0;
}

int guest_memory_write(struct guest_memory *m, gpa_t gpa, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	size_t left = len;
	gpa_t at = gpa;
	uint64_t piece = 0;

	if (!guest_memory_is_ram(m, gpa, len))
		return -EFAULT;
	for (; left; from += piece, at += piece, left -= piece) {
		uint8_t *to = guest_memory_piece(m, at, left, &piece);

		memcpy(to, from, piece);
	}
	guest_memory_written(m, gpa, len);
	return 0;
}

void guest_memory_written(struct guest_memory *m, gpa_t gpa, uint64_t len)
{
	if (m->written && len)
		m->written(m->opaque, gpa, len);
}
