/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * os_code.c - memory for generated code: a memfd mapped twice. Write xor execute holds for every
 * mapping, and no mprotect() is needed later, so a process may forbid itself executable mappings
 * once its domains exist. Locking: none; the caller owns what it got. Not saved.
 * Source: memfd_create(2), mmap(2).
 */
#include "os/posix/os_code.h"
#include "os/posix/os_posix.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

/* Kernels that know MFD_EXEC may ask for it, older ones refuse it. */
static int os_code_memfd(size_t bytes)
{
	int fd = memfd_create("hvm-code", MFD_CLOEXEC | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("hvm-code", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int os_code_alloc(struct os_code *ret, size_t bytes)
{
	int fd = os_alloc_must_fail() ? -1 : os_code_memfd(bytes), err = HVM_ENOMEM;
	void *rw, *rx;

	*ret = (struct os_code){ 0 };
	if (fd < 0)
		return -HVM_ENOMEM;
	rw = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	rx = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (rx == MAP_FAILED && (errno == EPERM || errno == EACCES))
		err = HVM_EPERM;
	close(fd);
	if (rw != MAP_FAILED && rx != MAP_FAILED) {
		*ret = (struct os_code){ .rw = rw, .rx = rx, .bytes = bytes };
		return 0;
	}
	if (rw != MAP_FAILED)
		munmap(rw, bytes);
	if (rx != MAP_FAILED)
		munmap(rx, bytes);
	return -err;
}

/* Advice: what the kernel does not take stays as it is. */
void os_code_discard(struct os_code *c, size_t keep)
{
	size_t from = (keep + HVM_PAGE_SIZE - 1) & HVM_PAGE_MASK;

	(void)madvise(c->rw + from, c->bytes - from, MADV_REMOVE);
}

void os_pages_discard(void *p, size_t bytes)
{
	(void)madvise(p, bytes, MADV_DONTNEED);
}

void os_code_name(int fd, const uint8_t *start, size_t bytes, uint64_t ip)
{
	char line[96];
	int n = snprintf(line, sizeof(line), "%" PRIxPTR " %zx guest_%" PRIx64 "\n",
			 (uintptr_t)start, bytes, ip);

	if (write(fd, line, (size_t)n) != n)
		return;
}

void os_code_free(struct os_code *c)
{
	if (c->rw) {
		munmap(c->rw, c->bytes);
		munmap((void *)(uintptr_t)c->rx, c->bytes);
	}
	*c = (struct os_code){ 0 };
}
