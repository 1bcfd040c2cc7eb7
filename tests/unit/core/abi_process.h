/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi_process.h - /dev/hvm inside a process, for tests and the fuzzer of the ioctls: struct abi_os
 * with files, memory and locks of its own, on the software CPU. One caller with a window of memory
 * for structures, and RAM that domains map. One thread makes the calls.
 *
 * Memory that a domain maps is seen through a mapping of its own, which goes when the core's map
 * does not lead to it any more: whoever uses it after that faults. Locks are counted: taking one
 * that is held, and releasing one that is not, ends the program.
 */
#ifndef HVM_TEST_ABI_PROCESS_H
#define HVM_TEST_ABI_PROCESS_H

#include "core/abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROCESS_DOMAINS	  2u
#define PROCESS_REGIONS	  64u
#define PROCESS_EVENTFDS  4u
#define PROCESS_DATA	  (64u << 10)
#define PROCESS_RAM	  (1u << 20)
#define PROCESS_DOMAIN_FD 100
#define PROCESS_VCPU_FD	  200 /* and 100 more for the second domain */

#define PROCESS_CHECK(fact) \
	do { \
		if (!(fact)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #fact); \
			abort(); \
		} \
	} while (0)

struct process_domain {
	struct abi_domain abi;
	bool used;
	unsigned int files, writers, readers, running;
	bool busy[HVM_MAX_VCPUS]; /* a call, or the test, has this vcpu */
	struct {
		void *kva;
		uint64_t hva, bytes;
	} region[PROCESS_REGIONS];
};

static struct {
	uint8_t *data, *ram;
	int ram_fd;
	int eventfd[PROCESS_EVENTFDS];
	unsigned int eventfd_users;
	struct process_domain domain[PROCESS_DOMAINS];
} process;

/* -- copies ------------------------------------------------------------------------------------ */

static void *process_hva(uint64_t at, size_t bytes)
{
	uint64_t data = at - (uintptr_t)process.data, ram = at - (uintptr_t)process.ram;

	if (data <= PROCESS_DATA && bytes <= PROCESS_DATA - data)
		return process.data + data;
	return ram <= PROCESS_RAM && bytes <= PROCESS_RAM - ram ? process.ram + ram : NULL;
}

static int process_copy_in(void *to, uint64_t from, size_t bytes)
{
	const void *p = process_hva(from, bytes);

	if (!p)
		return -HVM_EFAULT;
	memcpy(to, p, bytes);
	return 0;
}

static int process_copy_out(uint64_t to, const void *from, size_t bytes)
{
	void *p = process_hva(to, bytes);

	if (!p)
		return -HVM_EFAULT;
	memcpy(p, from, bytes);
	return 0;
}

/* -- locks ------------------------------------------------------------------------------------- */

static struct process_domain *process_domain(struct abi_domain *d)
{
	return (struct process_domain *)d; /* its first member */
}

static int process_lock_vcpu(struct process_domain *d, const struct vcpu *v)
{
	if (d->busy[v->id])
		return -HVM_EBUSY;
	d->busy[v->id] = true;
	return 0;
}

static int process_lock_quiet(struct process_domain *d)
{
	for (unsigned int i = 0; i < d->abi.core->vcpu_count; i++) {
		if (d->busy[i])
			return -HVM_EBUSY;
	}
	memset(d->busy, true, sizeof(d->busy));
	d->writers++;
	return 0;
}

static int process_lock(struct abi_domain *abi, enum abi_lock lock, const struct vcpu *v)
{
	struct process_domain *d = process_domain(abi);
	int rc = 0;

	PROCESS_CHECK(!d->writers && !d->readers && !d->running);
	switch (lock) {
	case ABI_LOCK_NONE: break;
	case ABI_LOCK_READ: d->readers++; break;
	case ABI_LOCK_WRITE: d->writers++; break;
	case ABI_LOCK_QUIET: rc = process_lock_quiet(d); break;
	case ABI_LOCK_VCPU:
		rc = process_lock_vcpu(d, v);
		d->readers += !rc;
		break;
	case ABI_LOCK_RUN:
		rc = process_lock_vcpu(d, v);
		d->running += !rc;
		break;
	}
	return rc;
}

static void process_unlock(struct abi_domain *abi, enum abi_lock lock, const struct vcpu *v)
{
	struct process_domain *d = process_domain(abi);

	switch (lock) {
	case ABI_LOCK_NONE: break;
	case ABI_LOCK_READ: d->readers--; break;
	case ABI_LOCK_WRITE: d->writers--; break;
	case ABI_LOCK_QUIET:
		memset(d->busy, false, sizeof(d->busy));
		d->writers--;
		break;
	case ABI_LOCK_VCPU:
		d->busy[v->id] = false;
		d->readers--;
		break;
	case ABI_LOCK_RUN:
		d->busy[v->id] = false;
		d->running--;
		break;
	}
	PROCESS_CHECK(!d->writers && !d->readers && !d->running);
}

/* -- memory ------------------------------------------------------------------------------------ */

static int process_memory_get(struct abi_domain *abi, const struct hvm_ioctl_memory *a, void **ret)
{
	struct process_domain *d = process_domain(abi);
	uint64_t offset = a->hva - (uintptr_t)process.ram;
	void *kva;

	PROCESS_CHECK(d->writers == 1);
	if (offset >= PROCESS_RAM || a->bytes > PROCESS_RAM - offset)
		return -HVM_EFAULT;
	for (unsigned int i = 0; i < PROCESS_REGIONS; i++) {
		if (d->region[i].kva && d->region[i].hva == a->hva &&
		    d->region[i].bytes == a->bytes) {
			*ret = d->region[i].kva;
			return 0;
		}
	}
	for (unsigned int i = 0; i < PROCESS_REGIONS; i++) {
		if (d->region[i].kva)
			continue;
		kva = mmap(NULL, (size_t)a->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			   process.ram_fd, (off_t)offset);
		PROCESS_CHECK(kva != MAP_FAILED);
		d->region[i].kva = *ret = kva;
		d->region[i].hva = a->hva;
		d->region[i].bytes = a->bytes;
		return 0;
	}
	return -HVM_ENOSPC;
}

static bool process_is_mapped(const struct process_domain *d, const uint8_t *kva, uint64_t bytes)
{
	const struct p2m_map *m = d->abi.core->p2m.map;

	for (unsigned int i = 0; i < m->count; i++) {
		if (m->range[i].hva >= kva && m->range[i].hva < kva + bytes)
			return true;
	}
	return false;
}

static void process_region_put(struct process_domain *d, unsigned int i)
{
	munmap(d->region[i].kva, (size_t)d->region[i].bytes);
	d->region[i].kva = NULL;
}

static void process_memory_changed(struct abi_domain *abi)
{
	struct process_domain *d = process_domain(abi);

	PROCESS_CHECK(d->writers == 1);
	/* As os/linux: not while one runs, nor while the test holds one as if it ran. */
	for (unsigned int i = 0; i < abi->core->vcpu_count; i++) {
		if (d->busy[i])
			return;
	}
	p2m_reclaim(&abi->core->p2m);
	for (unsigned int i = 0; i < PROCESS_REGIONS; i++) {
		if (d->region[i].kva && !process_is_mapped(d, d->region[i].kva, d->region[i].bytes))
			process_region_put(d, i);
	}
}

/* -- eventfds and files ------------------------------------------------------------------------ */

static int process_eventfd_get(int fd)
{
	if (fd < 0 || (unsigned int)fd >= PROCESS_EVENTFDS)
		return -HVM_EINVAL;
	process.eventfd_users++;
	return process.eventfd[fd];
}

static void process_eventfd_put(int id)
{
	(void)id;
	PROCESS_CHECK(process.eventfd_users);
	process.eventfd_users--;
}

static bool process_eventfd_is(int id, int fd)
{
	return fd >= 0 && (unsigned int)fd < PROCESS_EVENTFDS && process.eventfd[fd] == id;
}

extern const struct abi_os process_os;

static int process_domain_file(const struct hvm_domain_config *cfg)
{
	struct process_domain *d = process.domain;
	int rc;

	if (cfg->engine != HVM_ENGINE_AUTO)
		return -HVM_ENODEV;
	while (d < process.domain + PROCESS_DOMAINS && d->used)
		d++;
	if (d == process.domain + PROCESS_DOMAINS)
		return -HVM_ENOMEM;
	memset(d, 0, sizeof(*d));
	rc = abi_domain_create(cfg, &soft_function_table, &process_os, &d->abi);
	if (rc)
		return rc;
	d->used = true;
	d->files = 1;
	return PROCESS_DOMAIN_FD + (int)(d - process.domain);
}

static int process_vcpu_file(struct abi_domain *abi, unsigned int index)
{
	struct process_domain *d = process_domain(abi);

	PROCESS_CHECK(index < abi->core->vcpu_count);
	d->files++;
	return PROCESS_VCPU_FD + (int)(d - process.domain) * 100 + (int)index;
}

static void process_vendors(struct hvm_ioctl_vendor ret[ABI_VENDORS])
{
	for (unsigned int i = 0; i < ABI_VENDORS; i++)
		ret[i].error = -HVM_ENODEV;
}

const struct abi_os process_os = {
	.copy_in = process_copy_in,
	.copy_out = process_copy_out,
	.lock = process_lock,
	.unlock = process_unlock,
	.memory_get = process_memory_get,
	.memory_changed = process_memory_changed,
	.eventfd_get = process_eventfd_get,
	.eventfd_put = process_eventfd_put,
	.eventfd_is = process_eventfd_is,
	.domain_file = process_domain_file,
	.vcpu_file = process_vcpu_file,
	.vendors = process_vendors,
};

/* A file of @d was closed; with the last one it goes. */
static void process_close(struct process_domain *d)
{
	if (--d->files)
		return;
	abi_domain_destroy(&d->abi);
	for (unsigned int i = 0; i < PROCESS_REGIONS; i++) {
		if (d->region[i].kva)
			process_region_put(d, i);
	}
	d->used = false;
}

/* The domain behind a file, or NULL. */
static struct process_domain *process_domain_of(int fd)
{
	struct process_domain *d;
	unsigned int n;

	n = fd >= PROCESS_VCPU_FD ? (unsigned int)(fd - PROCESS_VCPU_FD) / 100
				  : (unsigned int)(fd - PROCESS_DOMAIN_FD);
	if (fd < PROCESS_DOMAIN_FD || n >= PROCESS_DOMAINS)
		return NULL;
	d = &process.domain[n];
	return d->used ? d : NULL;
}

/* ioctl() on a descriptor of a file above, 0 for the device. -HVM_ENXIO: there is no such file. */
static int process_ioctl(int fd, uint32_t call, uint64_t arg)
{
	struct process_domain *d = process_domain_of(fd);
	unsigned int index = (unsigned int)(fd - PROCESS_VCPU_FD) % 100;
	struct abi_target t = { .os = &process_os, .kind = ABI_DEVICE };

	if (fd && !d)
		return -HVM_ENXIO;
	if (fd) {
		t.kind = ABI_DOMAIN;
		t.domain = &d->abi;
	}
	if (fd >= PROCESS_VCPU_FD) {
		if (index >= d->abi.core->vcpu_count)
			return -HVM_ENXIO;
		t.kind = ABI_VCPU;
		t.vcpu = d->abi.core->vcpu[index];
	}
	return abi_call(&t, call, arg);
}

static void process_start(void)
{
	process.ram_fd = memfd_create("ram", MFD_CLOEXEC);
	PROCESS_CHECK(process.ram_fd >= 0 && ftruncate(process.ram_fd, PROCESS_RAM) == 0);
	process.ram =
		mmap(NULL, PROCESS_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, process.ram_fd, 0);
	process.data = mmap(NULL, PROCESS_DATA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	PROCESS_CHECK(process.ram != MAP_FAILED && process.data != MAP_FAILED);
	for (unsigned int i = 0; i < PROCESS_EVENTFDS; i++)
		process.eventfd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

#endif
