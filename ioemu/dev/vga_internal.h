/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_internal.h - state of the display adapter, shared by vga.c (registers), vga_memory.c (the
 * window at 0xa0000), vga_dispi.c (Bochs VBE registers) and vga_render.c.
 *
 * Memory: a planar address a of plane p is vram[4 * a + p]; VBE modes see vram[] as it lies.
 * Locking: the adapter's mutex over everything but the bytes that the guest maps.
 */
#ifndef IOEMU_VGA_INTERNAL_H
#define IOEMU_VGA_INTERNAL_H

#include "dev/vga.h"

#define VGA_VRAM_BYTES	 (16u * 1024 * 1024)
#define VGA_PLANE_BYTES	 0x10000u
#define VGA_ROM_BYTES	 0x10000u
#define VGA_WINDOW	 0xa0000u
#define VGA_WINDOW_BYTES 0x20000u

#define VGA_SEQ_REGS  5
#define VGA_CRTC_REGS 25
#define VGA_GC_REGS   9
#define VGA_ATTR_REGS 21

enum vga_dispi_register {
	DISPI_ID,
	DISPI_XRES,
	DISPI_YRES,
	DISPI_BPP,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRT_WIDTH,
	DISPI_VIRT_HEIGHT,
	DISPI_X_OFFSET,
	DISPI_Y_OFFSET,
	DISPI_MEMORY_64K,
	DISPI_COUNT,
};

#define DISPI_ENABLED  0x01u
#define DISPI_GETCAPS  0x02u
#define DISPI_8BIT_DAC 0x20u
#define DISPI_LFB      0x40u
#define DISPI_NOCLEAR  0x80u

struct vga {
	struct machine *m;
	struct pci_device pci;
	pthread_mutex_t lock;
	uint8_t *vram;
	uint64_t vram_base; /* where BAR 0 is mapped; 0: nowhere. pci->lock */
	uint8_t *rom;	    /* VGA_ROM_BYTES; NULL: no VGABIOS */
	uint64_t rom_base;  /* where the ROM is mapped; 0: nowhere. pci->lock */
	uint8_t misc, feature;
	uint8_t seq_index, seq[VGA_SEQ_REGS];
	uint8_t crtc_index, crtc[VGA_CRTC_REGS];
	uint8_t gc_index, gc[VGA_GC_REGS];
	uint8_t attr_index, attr[VGA_ATTR_REGS];
	bool attr_data; /* the next write to 0x3c0 is data */
	uint8_t dac_mask, dac_read, dac_write, dac_step;
	bool dac_reading;
	uint8_t dac_latch[3];
	uint8_t palette[256][3];
	uint8_t latch[4];
	uint16_t dispi_index;
	uint16_t dispi[DISPI_COUNT];
};

/* vga_rom.c */
void vga_rom_config_written(void *owner, unsigned int offset, unsigned int bytes);
void vga_rom_free(struct vga *v);
/* vga_memory.c */
extern const struct io_ops vga_window_ops;
/* vga_dispi.c */
extern const struct io_ops vga_dispi_ops; /* ports 0x1ce-0x1d1 */
uint16_t vga_dispi_read(struct vga *v, unsigned int index);
void vga_dispi_write(struct vga *v, unsigned int index, uint16_t value);
void vga_dispi_reset(struct vga *v);
/* Bits a pixel as it lies in memory: 4, 8, 16, 24, 32. */
unsigned int vga_dispi_depth(const struct vga *v);
/* Bytes a line of a VBE mode. */
uint32_t vga_dispi_pitch(const struct vga *v);

static inline bool vga_dispi_on(const struct vga *v)
{
	return v->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}

#endif
