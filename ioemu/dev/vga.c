/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga.c - display adapter 00:02.0 (1234:1111): the VGA registers, PCI function, frame buffer in
 * BAR 0, registers again in BAR 2.
 * Owns struct vga and its memory, which takes host memory only where the guest touched it.
 * Locking: an own mutex; the mapping of BAR 0 under pci->lock. Saved as VGA (not yet written).
 * Source: IBM VGA/XGA Technical Reference, "Video Graphics Array"; FreeVGA Project, "VGA Register
 * Reference"; QEMU docs/specs/standard-vga.txt for the layout of BAR 2.
 */
#include "dev/vga_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define VGA_PORTS	0x3b0u
#define VGA_PORTS_BYTES 0x30u
#define VGA_DISPI_PORTS 0x1ceu

#define VGA_MMIO_BYTES	   0x1000u
#define VGA_MMIO_VGA	   0x400u /* ports 0x3c0-0x3df */
#define VGA_MMIO_VGA_END   0x420u
#define VGA_MMIO_DISPI	   0x500u
#define VGA_MMIO_DISPI_END (VGA_MMIO_DISPI + 2 * DISPI_COUNT)

#define MISC_COLOUR	 0x01u
#define CRTC_PROTECT_REG 0x11
#define CRTC_PROTECT	 0x80u
#define ATTR_SOURCE	 0x20u /* palette address source: the screen is on */

static uint8_t vga_read_attr_index(struct vga *v)
{
	return v->attr_index;
}

static uint8_t vga_read_attr(struct vga *v)
{
	unsigned int index = v->attr_index & 0x1f;

	return index < VGA_ATTR_REGS ? v->attr[index] : 0;
}

static void vga_write_attr(struct vga *v, uint8_t value)
{
	static const uint8_t mask[VGA_ATTR_REGS] = {
		0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
		0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
	};
	unsigned int index = v->attr_index & 0x1f;

	v->attr_data = !v->attr_data;
	if (v->attr_data)
		v->attr_index = value & 0x3f;
	else if (index < VGA_ATTR_REGS)
		v->attr[index] = value & mask[index];
}

static uint8_t vga_read_status0(struct vga *v)
{
	(void)v;
	return 0x10; /* a monitor is there */
}

static void vga_write_misc(struct vga *v, uint8_t value)
{
	v->misc = value & 0xef;
}

static uint8_t vga_read_misc(struct vga *v)
{
	return v->misc;
}

static uint8_t vga_read_seq_index(struct vga *v)
{
	return v->seq_index;
}

static void vga_write_seq_index(struct vga *v, uint8_t value)
{
	v->seq_index = value & 7;
}

static uint8_t vga_read_seq(struct vga *v)
{
	return v->seq_index < VGA_SEQ_REGS ? v->seq[v->seq_index] : 0xff;
}

static void vga_write_seq(struct vga *v, uint8_t value)
{
	static const uint8_t mask[VGA_SEQ_REGS] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };

	if (v->seq_index < VGA_SEQ_REGS)
		v->seq[v->seq_index] = value & mask[v->seq_index];
}

static uint8_t vga_read_dac_mask(struct vga *v)
{
	return v->dac_mask;
}

static void vga_write_dac_mask(struct vga *v, uint8_t value)
{
	v->dac_mask = value;
}

static uint8_t vga_read_dac_state(struct vga *v)
{
	return v->dac_reading ? 3 : 0;
}

static void vga_write_dac_read(struct vga *v, uint8_t value)
{
	v->dac_read = value;
	v->dac_step = 0;
	v->dac_reading = true;
}

static uint8_t vga_read_dac_write(struct vga *v)
{
	return v->dac_write;
}

static void vga_write_dac_write(struct vga *v, uint8_t value)
{
	v->dac_write = value;
	v->dac_step = 0;
	v->dac_reading = false;
}

static uint8_t vga_read_dac(struct vga *v)
{
	uint8_t value = v->palette[v->dac_read][v->dac_step];

	if (++v->dac_step == 3) {
		v->dac_step = 0;
		v->dac_read++;
	}
	return value;
}

static void vga_write_dac(struct vga *v, uint8_t value)
{
	v->dac_latch[v->dac_step] = v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? value : value & 0x3f;
	if (++v->dac_step == 3) {
		memcpy(v->palette[v->dac_write], v->dac_latch, 3);
		v->dac_step = 0;
		v->dac_write++;
	}
}

static uint8_t vga_read_feature(struct vga *v)
{
	return v->feature;
}

static uint8_t vga_read_gc_index(struct vga *v)
{
	return v->gc_index;
}

static void vga_write_gc_index(struct vga *v, uint8_t value)
{
	v->gc_index = value & 0xf;
}

static uint8_t vga_read_gc(struct vga *v)
{
	return v->gc_index < VGA_GC_REGS ? v->gc[v->gc_index] : 0;
}

static void vga_write_gc(struct vga *v, uint8_t value)
{
	static const uint8_t mask[VGA_GC_REGS] = {
		0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff,
	};

	if (v->gc_index < VGA_GC_REGS)
		v->gc[v->gc_index] = value & mask[v->gc_index];
}

static uint8_t vga_read_crtc_index(struct vga *v)
{
	return v->crtc_index;
}

static void vga_write_crtc_index(struct vga *v, uint8_t value)
{
	v->crtc_index = value & 0x1f;
}

static uint8_t vga_read_crtc(struct vga *v)
{
	return v->crtc_index < VGA_CRTC_REGS ? v->crtc[v->crtc_index] : 0;
}

static void vga_write_crtc(struct vga *v, uint8_t value)
{
	if (v->crtc_index >= VGA_CRTC_REGS)
		return;
	if (v->crtc_index < 8 && v->crtc[CRTC_PROTECT_REG] & CRTC_PROTECT) {
		/* Of the protected ones only the line compare bit of the overflow register is open.
		 */
		if (v->crtc_index == 7)
			v->crtc[7] = (uint8_t)((v->crtc[7] & ~0x10) | (value & 0x10));
		return;
	}
	v->crtc[v->crtc_index] = value;
}

/* Beam position from the clock: 60 frames a second, the last twentieth of each is retrace. */
static uint8_t vga_read_status1(struct vga *v)
{
	const uint64_t frame_ns = 16666667, line_ns = 31746;
	struct timespec now;
	uint64_t ns;

	v->attr_data = false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = ((uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec) % frame_ns;
	if (ns > frame_ns / 20 * 19)
		return 0x09; /* vertical retrace, display off */
	return ns % line_ns > line_ns / 5 * 4 ? 0x01 : 0x00;
}

static void vga_write_feature(struct vga *v, uint8_t value)
{
	v->feature = value & 3;
}

/* Ports 0x3c0-0x3cf, then the CRTC's, which move between 0x3b4 and 0x3d4. */
static const struct vga_register {
	uint16_t port;
	uint8_t (*read)(struct vga *v);
	void (*write)(struct vga *v, uint8_t value);
} vga_registers[] = {
	{ 0x3c0, vga_read_attr_index, vga_write_attr },
	{ 0x3c1, vga_read_attr, NULL },
	{ 0x3c2, vga_read_status0, vga_write_misc },
	{ 0x3c4, vga_read_seq_index, vga_write_seq_index },
	{ 0x3c5, vga_read_seq, vga_write_seq },
	{ 0x3c6, vga_read_dac_mask, vga_write_dac_mask },
	{ 0x3c7, vga_read_dac_state, vga_write_dac_read },
	{ 0x3c8, vga_read_dac_write, vga_write_dac_write },
	{ 0x3c9, vga_read_dac, vga_write_dac },
	{ 0x3ca, vga_read_feature, NULL },
	{ 0x3cc, vga_read_misc, NULL },
	{ 0x3ce, vga_read_gc_index, vga_write_gc_index },
	{ 0x3cf, vga_read_gc, vga_write_gc },
	{ 0x3d4, vga_read_crtc_index, vga_write_crtc_index },
	{ 0x3d5, vga_read_crtc, vga_write_crtc },
	{ 0x3da, vga_read_status1, vga_write_feature },
};

/* Monochrome decodes the CRTC at 0x3b0-0x3bf, colour at 0x3d0-0x3df; the other one is silent. */
static const struct vga_register *vga_find(const struct vga *v, uint16_t port)
{
	unsigned int i;

	if (port < 0x3c0 || port >= 0x3d0) {
		if ((port >= 0x3d0) != !!(v->misc & MISC_COLOUR))
			return NULL;
		port = (uint16_t)(0x3d0 | (port & 0xf));
	}
	for (i = 0; i < HVM_ARRAY_SIZE(vga_registers); i++)
		if (vga_registers[i].port == port)
			return &vga_registers[i];
	return NULL;
}

static uint8_t vga_port_read_byte(struct vga *v, uint16_t port)
{
	const struct vga_register *r = vga_find(v, port);

	return r ? r->read(v) : 0xff;
}

static void vga_port_write_byte(struct vga *v, uint16_t port, uint8_t value)
{
	const struct vga_register *r = vga_find(v, port);

	if (r && r->write)
		r->write(v, value);
}

static uint64_t vga_port_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	(void)bytes;
	return vga_port_read_byte(opaque, (uint16_t)(VGA_PORTS + offset));
}

static void vga_port_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	(void)bytes;
	vga_port_write_byte(opaque, (uint16_t)(VGA_PORTS + offset), (uint8_t)value);
}

/* Words are an index and its data: two bytes, as the bus splits them. */
static const struct io_ops vga_port_ops = {
	.name = "vga",
	.max_bytes = 1,
	.read = vga_port_read,
	.write = vga_port_write,
};

static uint64_t vga_mmio_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct vga *v = opaque;

	if (offset >= VGA_MMIO_DISPI && offset < VGA_MMIO_DISPI_END) {
		uint16_t value = vga_dispi_read(v, (unsigned int)(offset - VGA_MMIO_DISPI) / 2);

		return bytes == 1 ? value >> (8 * (offset & 1)) & 0xff : value;
	}
	if (offset >= VGA_MMIO_VGA && offset + bytes <= VGA_MMIO_VGA_END) {
		uint16_t port = (uint16_t)(0x3c0 + offset - VGA_MMIO_VGA);
		uint64_t value = vga_port_read_byte(v, port);

		if (bytes == 2)
			value |= (uint64_t)vga_port_read_byte(v, (uint16_t)(port + 1)) << 8;
		return value;
	}
	return 0;
}

static void vga_mmio_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct vga *v = opaque;

	if (offset >= VGA_MMIO_DISPI && offset < VGA_MMIO_DISPI_END && bytes == 2) {
		vga_dispi_write(v, (unsigned int)(offset - VGA_MMIO_DISPI) / 2, (uint16_t)value);
	} else if (offset >= VGA_MMIO_VGA && offset + bytes <= VGA_MMIO_VGA_END) {
		uint16_t port = (uint16_t)(0x3c0 + offset - VGA_MMIO_VGA);

		vga_port_write_byte(v, port, (uint8_t)value);
		if (bytes == 2)
			vga_port_write_byte(v, (uint16_t)(port + 1), (uint8_t)(value >> 8));
	}
}

static const struct io_ops vga_mmio_ops = {
	.name = "vga-mmio",
	.max_bytes = 2,
	.read = vga_mmio_read,
	.write = vga_mmio_write,
};

/* The frame buffer is plain memory to the guest wherever BAR 0 puts it. */
static void vga_bar_moved(void *owner, unsigned int bar, uint64_t base)
{
	struct vga *v = owner;
	struct machine *m = v->m;

	(void)bar;
	if (v->vram_base)
		m->ops->map(m->opaque, v->vram_base, VGA_VRAM_BYTES, HVM_MEM_MMIO, NULL);
	v->vram_base = 0;
	if (base && m->ops->map(m->opaque, base, VGA_VRAM_BYTES, HVM_MEM_RAM, v->vram) == 0)
		v->vram_base = base;
}

/* The ROM BAR is no BAR to the bus: vga_rom.c follows its register. */
static const struct pci_config_reg vga_regs[] = {
	{ .offset = PCI_ROM_BAR, .bytes = 4, .write_mask = ~(VGA_ROM_BYTES - 1) | 1 },
};

static const struct pci_device_desc vga_desc = {
	.name = "vga",
	.devfn = PCI_DEVFN(2, 0),
	.vendor = 0x1234,
	.device = 0x1111,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_revision = 0x03000002,
	.command_mask = PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER,
	.bar[0] = { .kind = PCI_BAR_MEM_PREFETCH, .bytes = VGA_VRAM_BYTES },
	.bar[2] = { .kind = PCI_BAR_MEM, .bytes = VGA_MMIO_BYTES, .ops = &vga_mmio_ops },
	.bar_moved = vga_bar_moved,
	.regs = vga_regs,
	.reg_count = HVM_ARRAY_SIZE(vga_regs),
	.config_written = vga_rom_config_written,
};

static void vga_power_on(struct vga *v)
{
	v->misc = v->feature = 0;
	v->seq_index = v->crtc_index = v->gc_index = v->attr_index = 0;
	memset(v->seq, 0, sizeof(v->seq));
	memset(v->crtc, 0, sizeof(v->crtc));
	memset(v->gc, 0, sizeof(v->gc));
	memset(v->attr, 0, sizeof(v->attr));
	memset(v->palette, 0, sizeof(v->palette));
	memset(v->latch, 0, sizeof(v->latch));
	v->attr_data = v->dac_reading = false;
	v->dac_mask = 0xff;
	v->dac_read = v->dac_write = v->dac_step = 0;
	vga_dispi_reset(v);
}

void vga_reset(struct machine *m)
{
	struct vga *v = m->vga;

	pthread_mutex_lock(&v->lock);
	vga_power_on(v);
	/* Give the memory back: zero again, and not ours until touched. */
	if (madvise(v->vram, VGA_VRAM_BYTES, MADV_DONTNEED) < 0)
		memset(v->vram, 0, VGA_VRAM_BYTES);
	pthread_mutex_unlock(&v->lock);
}

int vga_create(struct machine *m)
{
	struct vga *v = calloc(1, sizeof(*v));
	struct io_range port[] = {
		{ .base = VGA_PORTS, .length = VGA_PORTS_BYTES, .ops = &vga_port_ops },
		{ .base = VGA_DISPI_PORTS, .length = 4, .ops = &vga_dispi_ops },
	};
	struct io_range window = {
		.base = VGA_WINDOW,
		.length = VGA_WINDOW_BYTES,
		.ops = &vga_window_ops,
	};
	unsigned int i;
	int err;

	if (!v)
		return -ENOMEM;
	v->vram = mmap(NULL, VGA_VRAM_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (v->vram == MAP_FAILED) {
		free(v);
		return -ENOMEM;
	}
	v->m = m;
	m->vga = v;
	pthread_mutex_init(&v->lock, NULL);
	vga_power_on(v);
	err = pci_attach(&m->pci, &v->pci, &vga_desc, v, &v->lock);
	for (i = 0; i < HVM_ARRAY_SIZE(port) && !err; i++) {
		port[i].opaque = v;
		port[i].lock = &v->lock;
		err = pio_claim(&m->pio, &port[i]);
	}
	window.opaque = v;
	window.lock = &v->lock;
	return err ? err : mmio_claim(&m->mmio, &window);
}

void vga_destroy(struct machine *m)
{
	struct vga *v = m->vga;

	if (!v)
		return;
	pthread_mutex_destroy(&v->lock);
	munmap(v->vram, VGA_VRAM_BYTES);
	vga_rom_free(v);
	free(v);
	m->vga = NULL;
}
