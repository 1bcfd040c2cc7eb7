/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ioemu_ports.c - libFuzzer target: a guest's accesses to every device of the board. The input
 * is a program of ports and memory accesses, with memory for descriptor tables, typed keys, console
 * input, screenshots and resets between them; two disks and a CD-ROM lie in memory.
 * The disks are drained after each step, so that a run is the same every time. Nothing is saved.
 */
#include "backend/disk.h"
#include "dev/devices.h"
#include "dev/i8042.h"
#include "dev/uart16550.h"
#include "dev/vga.h"
#include "log.h"
#include "machine.h"

#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_RAM   (16ull << 20)
#define STEPS_MAX  400
#define RENDER_MAX 2

/* Where devices answer; other ports are reached by number. */
static const uint16_t ports[] = {
	0x1f0,	0x1f1,	0x1f2, 0x1f3,  0x1f4,  0x1f5,  0x1f6,  0x1f7,  0x3f6,  0x170,  0x171,
	0x172,	0x173,	0x174, 0x175,  0x176,  0x177,  0x376,  0xc000, 0xc002, 0xc004, 0xc008,
	0xc00a, 0xc00c, 0xcf8, 0xcfc,  0xcfd,  0xcfe,  0xcff,  0xcf9,  0x60,   0x64,   0x92,
	0x3f8,	0x3f9,	0x3fa, 0x3fb,  0x3fc,  0x3fd,  0x3fe,  0x3ff,  0x3c0,  0x3c1,  0x3c2,
	0x3c4,	0x3c5,	0x3c6, 0x3c7,  0x3c8,  0x3c9,  0x3cc,  0x3ce,  0x3cf,  0x3d4,  0x3d5,
	0x3da,	0x1ce,	0x1cf, 0xb000, 0xb002, 0xb004, 0xafe0, 0xafe2, 0xb2,   0x80,   0xe9,
};

static const char *const keys[] = {
	"a", "ctrl", "delete", "f7", "up", "sysrq", "kp_enter", "nope"
};

struct fuzz {
	struct machine *m;
	struct disk *disk[3];
};

struct input {
	const uint8_t *data;
	size_t left;
};

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint64_t)*in->data++ << (8 * i);
	return value;
}

static void fuzz_irq_set(void *opaque, unsigned int gsi, bool level)
{
	(void)opaque;
	(void)level;
	if (gsi >= IRQ_LINES)
		abort();
}

static int fuzz_map(void *opaque, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva)
{
	(void)opaque;
	/* Never over RAM or the chips of the core. */
	if (gpa < PCI_MEM_START || gpa + bytes > PCI_MEM_END || gpa & 0xfff ||
	    (type == HVM_MEM_RAM) != (hva != NULL))
		abort();
	return 0;
}

static void fuzz_memory_written(void *opaque, gpa_t gpa, uint64_t bytes)
{
	(void)opaque;
	if (gpa >= FUZZ_RAM || bytes > FUZZ_RAM - gpa)
		abort();
}

static void fuzz_power(void *opaque, enum machine_power what, const char *detail)
{
	(void)opaque;
	(void)what;
	(void)detail;
}

static size_t fuzz_console_write(void *opaque, const uint8_t *buf, size_t bytes)
{
	(void)opaque;
	(void)bytes;
	return buf[0] & 1; /* full at times */
}

static void fuzz_console_room(void *opaque)
{
	(void)opaque;
}

static const struct machine_ops fuzz_ops = {
	.irq_set = fuzz_irq_set,
	.map = fuzz_map,
	.memory_written = fuzz_memory_written,
	.power = fuzz_power,
	.console_write = fuzz_console_write,
	.console_room = fuzz_console_room,
};

static struct disk *fuzz_disk(const char *id, uint64_t size, bool cdrom)
{
	char path[64];
	struct disk_params p = {
		.id = id,
		.path = path,
		.field = "disk",
		.read_only = cdrom,
		.block_bytes = cdrom ? 2048 : 512,
	};
	struct ioemu_error err;
	struct disk *d = NULL;
	int fd = memfd_create(id, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (disk_open(&p, &d, &err) < 0)
		abort();
	close(fd);
	return d;
}

static void fuzz_start(struct fuzz *f)
{
	struct machine_config cfg = { .memory_bytes = FUZZ_RAM };

	log_set_level(LOG_LEVEL_ERROR);
	f->disk[0] = fuzz_disk("a", 4 << 20, false);
	f->disk[1] = fuzz_disk("b", 64 << 10, false);
	f->disk[2] = fuzz_disk("c", 256 << 10, true);
	cfg.drive[0] = (struct machine_drive){ .disk = f->disk[0], .present = true };
	cfg.drive[1] = (struct machine_drive){ .disk = f->disk[1], .present = true };
	cfg.drive[2] = (struct machine_drive){ .disk = f->disk[2], .cdrom = true, .present = true };
	cfg.drive[3] = (struct machine_drive){ .cdrom = true, .present = true };
	if (machine_create(&cfg, &fuzz_ops, NULL, &f->m) < 0)
		abort();
}

static void fuzz_access(struct fuzz *f, struct input *in, uint8_t op, uint64_t address)
{
	struct hvm_ioreq req = {
		.type = op & 1 ? HVM_IOREQ_MMIO : HVM_IOREQ_PIO,
		.is_write = op >> 1 & 1,
		.size = (uint8_t)(1u << (op >> 2 & 3)),
		.address = address,
		.count = 1,
	};
	uint64_t seed = take(in, req.size);
	unsigned int i;

	req.data = seed;
	if (req.type == HVM_IOREQ_PIO && req.size <= 4 && op & 0x80) {
		req.count = (uint32_t)take(in, 2) % (HVM_IOREQ_DATA_BYTES / req.size) + 1;
		for (i = 0; i < HVM_IOREQ_DATA_BYTES; i++)
			req.bulk[i] = (uint8_t)(seed >> (8 * (i & 7)));
	}
	machine_ioreq(f->m, &req);
	if (req.state != HVM_IOREQ_STATE_DONE)
		abort();
}

/* Put a few words into RAM where descriptor tables are likely to be looked for. */
static void fuzz_poke(struct fuzz *f, struct input *in)
{
	uint32_t word = (uint32_t)take(in, 4);

	(void)guest_memory_write(&f->m->memory, take(in, 1) * 4, &word, sizeof(word));
}

/* Bus mastering on, registers at 0xc000, so that DMA is within reach of short inputs. */
static void fuzz_set_up_ide(struct fuzz *f)
{
	pio_write(&f->m->pio, 0xcf8, 4, 0x80000920);
	pio_write(&f->m->pio, 0xcfc, 4, 0xc000);
	pio_write(&f->m->pio, 0xcf8, 4, 0x80000904);
	pio_write(&f->m->pio, 0xcfc, 2, 0x0005);
}

static void fuzz_step(struct fuzz *f, struct input *in, unsigned int *renders)
{
	uint8_t what = (uint8_t)take(in, 1), op = (uint8_t)take(in, 1);
	const char *names[2] = { keys[op & 7], keys[op >> 3 & 7] };
	uint8_t text[4] = { op, what, 0x0d, 0 };
	unsigned int w, h;

	switch (what & 0xf) {
	case 0: fuzz_access(f, in, op & 0xfe, take(in, 2)); break;
	case 1: fuzz_access(f, in, op | 1, 0xa0000 + take(in, 3) % 0x20000); break;
	case 2: fuzz_access(f, in, op | 1, PCI_MEM_START + take(in, 4)); break;
	case 3: fuzz_poke(f, in); break;
	case 4: fuzz_set_up_ide(f); break;
	case 5: i8042_type_keys(f->m->i8042, names, 2, NULL); break;
	case 6: i8042_mouse_move(f->m->i8042, (int8_t)op, (int8_t)what, 1, op); break;
	case 7: uart_input(f->m->uart, text, sizeof(text)); break;
	case 8:
		if ((*renders)++ < RENDER_MAX)
			vga_screenshot(f->m->vga, "/dev/null", &w, &h);
		break;
	case 9: machine_reset(f->m); break;
	case 10:
		piix4_pm_power_button(f->m);
		uart_output_room(f->m->uart);
		break;
	default: fuzz_access(f, in, op & 0xfe, ports[take(in, 1) % HVM_ARRAY_SIZE(ports)]); break;
	}
	for (w = 0; w < 3; w++)
		disk_drain(f->disk[w]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct fuzz f;
	struct input in = { .data = data, .left = bytes };
	unsigned int steps, renders = 0;

	if (!f.m)
		fuzz_start(&f);
	fuzz_set_up_ide(&f);
	for (steps = 0; steps < STEPS_MAX && in.left; steps++)
		fuzz_step(&f, &in, &renders);
	machine_reset(f.m);
	guest_memory_zero(&f.m->memory);
	return 0;
}
