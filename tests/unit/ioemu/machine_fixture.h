/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine_fixture.h - a whole machine without a core: what devices tell the world is written down
 * here, and tests look at it. Port and memory helpers stand in for a vcpu.
 */
#ifndef TEST_MACHINE_FIXTURE_H
#define TEST_MACHINE_FIXTURE_H

/* cmocka wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/disk.h"
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIXTURE_RAM	(16ull << 20)
#define FIXTURE_CONSOLE 4096

struct fixture {
	struct machine *m;
	struct disk *disk[MACHINE_DRIVES];
	int image[MACHINE_DRIVES]; /* memfds behind the disks */
	bool irq[IRQ_LINES];
	unsigned int irq_edges[IRQ_LINES];
	gpa_t mapped;	  /* base of the last RAM mapping, 0 after it was taken back */
	uint64_t written; /* bytes announced as written by DMA */
	int power;	  /* 0 nothing, 1 + enum machine_power */
	char console[FIXTURE_CONSOLE];
	size_t console_used, console_room_bytes;
	unsigned int rooms;
	unsigned int disk_failures;
};

static void fixture_irq_set(void *opaque, unsigned int gsi, bool level)
{
	struct fixture *f = opaque;

	if (level && !f->irq[gsi])
		f->irq_edges[gsi]++;
	f->irq[gsi] = level;
}

static int fixture_map(void *opaque, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva)
{
	struct fixture *f = opaque;

	(void)bytes;
	f->mapped = type == HVM_MEM_RAM ? gpa : 0;
	assert_true((type == HVM_MEM_RAM) == (hva != NULL));
	return 0;
}

static void fixture_memory_written(void *opaque, gpa_t gpa, uint64_t bytes)
{
	struct fixture *f = opaque;

	(void)gpa;
	f->written += bytes;
}

static void fixture_power(void *opaque, enum machine_power what, const char *detail)
{
	struct fixture *f = opaque;

	(void)detail;
	f->power = 1 + (int)what;
}

static size_t fixture_console_write(void *opaque, const uint8_t *buf, size_t bytes)
{
	struct fixture *f = opaque;

	if (bytes > f->console_room_bytes - f->console_used)
		bytes = f->console_room_bytes - f->console_used;
	memcpy(f->console + f->console_used, buf, bytes);
	f->console_used += bytes;
	return bytes;
}

static void fixture_console_room(void *opaque)
{
	struct fixture *f = opaque;

	f->rooms++;
}

static const struct machine_ops fixture_ops = {
	.irq_set = fixture_irq_set,
	.map = fixture_map,
	.memory_written = fixture_memory_written,
	.power = fixture_power,
	.console_write = fixture_console_write,
	.console_room = fixture_console_room,
};

static inline void fixture_disk_failed(void *opaque, const char *id, enum disk_operation op,
				       int err)
{
	struct fixture *f = opaque;

	(void)id;
	(void)op;
	(void)err;
	__atomic_fetch_add(&f->disk_failures, 1, __ATOMIC_RELAXED);
}

/* A drive on a memfd of @sectors; each sector begins with its number. */
static inline void fixture_add_drive(struct fixture *f, struct machine_config *cfg,
				     unsigned int place, bool cdrom, bool read_only,
				     uint64_t sectors)
{
	unsigned int bytes = cdrom ? 2048 : 512;
	struct disk_params p = {
		.id = cdrom ? "cd" : "root",
		.field = "disks[0].path",
		.read_only = read_only,
		.block_bytes = bytes,
		.failed = fixture_disk_failed,
		.opaque = f,
	};
	struct ioemu_error err;
	char path[64];
	uint64_t i;

	f->image[place] = memfd_create("image", MFD_CLOEXEC);
	assert_true(f->image[place] >= 0);
	assert_int_equal(ftruncate(f->image[place], (off_t)(sectors * bytes)), 0);
	for (i = 0; i < sectors; i++)
		assert_int_equal(pwrite(f->image[place], &i, sizeof(i), (off_t)(i * bytes)), 8);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->image[place]);
	p.path = path;
	assert_int_equal(disk_open(&p, &f->disk[place], &err), 0);
	cfg->drive[place] = (struct machine_drive){
		.disk = f->disk[place],
		.cdrom = cdrom,
		.present = true,
	};
}

static inline struct fixture *fixture_create(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	unsigned int i;

	assert_non_null(f);
	for (i = 0; i < MACHINE_DRIVES; i++)
		f->image[i] = -1;
	f->console_room_bytes = FIXTURE_CONSOLE;
	return f;
}

static inline void fixture_start(struct fixture *f, struct machine_config *cfg)
{
	cfg->memory_bytes = FIXTURE_RAM;
	assert_int_equal(machine_create(cfg, &fixture_ops, f, &f->m), 0);
}

static inline int fixture_setup(void **state)
{
	struct machine_config cfg = { 0 };
	struct fixture *f = fixture_create();

	fixture_start(f, &cfg);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	machine_destroy(f->m);
	for (i = 0; i < MACHINE_DRIVES; i++) {
		disk_close(f->disk[i]);
		if (f->image[i] >= 0)
			close(f->image[i]);
	}
	free(f);
	return 0;
}

static inline uint32_t in(struct fixture *f, uint16_t port, unsigned int bytes)
{
	struct hvm_ioreq req = {
		.type = HVM_IOREQ_PIO,
		.size = (uint8_t)bytes,
		.address = port,
		.count = 1,
	};

	machine_ioreq(f->m, &req);
	return (uint32_t)req.data;
}

static inline void out(struct fixture *f, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct hvm_ioreq req = {
		.type = HVM_IOREQ_PIO,
		.is_write = 1,
		.size = (uint8_t)bytes,
		.address = port,
		.data = value,
		.count = 1,
	};

	machine_ioreq(f->m, &req);
}

static inline uint8_t inb(struct fixture *f, uint16_t port)
{
	return (uint8_t)in(f, port, 1);
}

static inline void outb(struct fixture *f, uint16_t port, uint8_t value)
{
	out(f, port, 1, value);
}

/* REP INSW / OUTSW of @words, in requests as large as a vcpu makes them. */
static inline void ins16(struct fixture *f, uint16_t port, void *buf, unsigned int words)
{
	uint8_t *to = buf;

	while (words) {
		unsigned int n = words < HVM_IOREQ_DATA_BYTES / 2 ? words
								  : HVM_IOREQ_DATA_BYTES / 2;
		struct hvm_ioreq req = {
			.type = HVM_IOREQ_PIO,
			.size = 2,
			.address = port,
			.count = n,
		};

		machine_ioreq(f->m, &req);
		if (n == 1)
			memcpy(to, &req.data, 2);
		else
			memcpy(to, req.bulk, n * 2);
		to += n * 2;
		words -= n;
	}
}

static inline void outs16(struct fixture *f, uint16_t port, const void *buf, unsigned int words)
{
	const uint8_t *from = buf;

	while (words) {
		unsigned int n = words < HVM_IOREQ_DATA_BYTES / 2 ? words
								  : HVM_IOREQ_DATA_BYTES / 2;
		struct hvm_ioreq req = {
			.type = HVM_IOREQ_PIO,
			.is_write = 1,
			.size = 2,
			.address = port,
			.count = n,
		};

		if (n == 1)
			memcpy(&req.data, from, 2);
		else
			memcpy(req.bulk, from, n * 2);
		machine_ioreq(f->m, &req);
		from += n * 2;
		words -= n;
	}
}

static inline uint64_t mmio_in(struct fixture *f, gpa_t gpa, unsigned int bytes)
{
	struct hvm_ioreq req = {
		.type = HVM_IOREQ_MMIO,
		.size = (uint8_t)bytes,
		.address = gpa,
		.count = 1,
	};

	machine_ioreq(f->m, &req);
	return req.data;
}

static inline void mmio_out(struct fixture *f, gpa_t gpa, unsigned int bytes, uint64_t value)
{
	struct hvm_ioreq req = {
		.type = HVM_IOREQ_MMIO,
		.is_write = 1,
		.size = (uint8_t)bytes,
		.address = gpa,
		.data = value,
		.count = 1,
	};

	machine_ioreq(f->m, &req);
}

static inline uint32_t pci_in(struct fixture *f, uint8_t devfn, uint8_t reg, unsigned int bytes)
{
	out(f, 0xcf8, 4, 0x80000000u | (uint32_t)devfn << 8 | (reg & 0xfc));
	return in(f, (uint16_t)(0xcfc + (reg & 3)), bytes);
}

static inline void pci_out(struct fixture *f, uint8_t devfn, uint8_t reg, unsigned int bytes,
			   uint32_t value)
{
	out(f, 0xcf8, 4, 0x80000000u | (uint32_t)devfn << 8 | (reg & 0xfc));
	out(f, (uint16_t)(0xcfc + (reg & 3)), bytes, value);
}

#endif
