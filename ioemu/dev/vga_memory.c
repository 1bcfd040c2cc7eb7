/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_memory.c - the window at 0xa0000-0xbffff: planes, latches, read and write modes, chain 4,
 * odd/even, and the banked view of VBE modes.
 * Owns nothing. Locking: the adapter's mutex. Saved with the adapter.
 * Source: IBM VGA/XGA Technical Reference, "Video Graphics Array", "Graphics Controller Registers";
 * FreeVGA Project, "Accessing the VGA Display Memory".
 */
#include "dev/vga_internal.h"

#define SEQ_MAP_MASK  2
#define SEQ_MEMORY    4
#define SEQ_ODD_EVEN  0x04u /* 0: odd/even */
#define SEQ_CHAIN4    0x08u
#define GC_SET_RESET  0
#define GC_ENABLE_SR  1
#define GC_COMPARE    2
#define GC_ROTATE     3
#define GC_READ_MAP   4
#define GC_MODE	      5
#define GC_MISC	      6
#define GC_DONT_CARE  7
#define GC_BIT_MASK   8
#define GC_MODE_ODD   0x10u
#define GC_MODE_READ1 0x08u

/* Where the window is open: offset and length by the memory map field. */
static bool vga_window_offset(const struct vga *v, uint64_t offset, uint32_t *ret)
{
	static const struct {
		uint32_t start, bytes;
	} map[4] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };
	unsigned int field = v->gc[GC_MISC] >> 2 & 3;

	if (!(v->misc & 2) || offset < map[field].start ||
	    offset - map[field].start >= map[field].bytes)
		return false;
	*ret = (uint32_t)offset - map[field].start;
	return true;
}

/* Byte of the linear frame buffer behind the window, in VBE modes of 8 bits and more. */
static uint8_t *vga_banked(struct vga *v, uint32_t offset)
{
	uint32_t at = ((uint32_t)v->dispi[DISPI_BANK] << 16) + (offset & 0xffff);

	return at < VGA_VRAM_BYTES ? v->vram + at : NULL;
}

static bool vga_is_banked(const struct vga *v)
{
	return vga_dispi_on(v) && vga_dispi_depth(v) >= 8;
}

/* The four planes' bytes at a planar address; 4 bpp VBE modes have banks of 64 KiB a plane. */
static uint8_t *vga_planes(struct vga *v, uint32_t offset)
{
	uint32_t at = offset & 0xffff;

	if (vga_dispi_on(v))
		at += (uint32_t)v->dispi[DISPI_BANK] << 16;
	return v->vram + (uint64_t)at * 4 % VGA_VRAM_BYTES;
}

static uint8_t vga_read_planar(struct vga *v, uint32_t offset)
{
	unsigned int plane = v->gc[GC_READ_MAP] & 3, p;
	const uint8_t *planes;
	uint8_t value = 0xff;

	if (v->seq[SEQ_MEMORY] & SEQ_CHAIN4) {
		plane = offset & 3;
		offset &= ~3u;
	} else if (v->gc[GC_MODE] & GC_MODE_ODD) {
		plane = (plane & 2) | (offset & 1);
		offset &= ~1u;
	}
	planes = vga_planes(v, offset);
	for (p = 0; p < 4; p++)
		v->latch[p] = planes[p];
	if (!(v->gc[GC_MODE] & GC_MODE_READ1))
		return v->latch[plane];
	/* Read mode 1: a bit is set where all planes that are cared for match the colour. */
	for (p = 0; p < 4; p++) {
		uint8_t wanted = v->gc[GC_COMPARE] >> p & 1 ? 0xff : 0;

		if (v->gc[GC_DONT_CARE] >> p & 1)
			value &= (uint8_t) ~(v->latch[p] ^ wanted);
	}
	return value;
}

static uint8_t vga_rotate(const struct vga *v, uint8_t value)
{
	unsigned int n = v->gc[GC_ROTATE] & 7;

	return (uint8_t)(value >> n | value << (8 - n));
}

static uint8_t vga_logic(const struct vga *v, uint8_t value, uint8_t latch)
{
	switch (v->gc[GC_ROTATE] >> 3 & 3) {
	case 1: return value & latch;
	case 2: return value | latch;
	case 3: return value ^ latch;
	default: return value;
	}
}

/* What a write of @value makes of plane @p. */
static uint8_t vga_write_plane(const struct vga *v, unsigned int p, uint8_t value)
{
	uint8_t mask = v->gc[GC_BIT_MASK], set = v->gc[GC_SET_RESET] >> p & 1 ? 0xff : 0;
	uint8_t data;

	switch (v->gc[GC_MODE] & 3) {
	case 0: data = v->gc[GC_ENABLE_SR] >> p & 1 ? set : vga_rotate(v, value); break;
	case 1: return v->latch[p];
	case 2: data = value >> p & 1 ? 0xff : 0; break;
	default:
		mask &= vga_rotate(v, value);
		data = set;
		break;
	}
	data = vga_logic(v, data, v->latch[p]);
	return (uint8_t)((data & mask) | (v->latch[p] & ~mask));
}

static void vga_write_planar(struct vga *v, uint32_t offset, uint8_t value)
{
	uint8_t mask = v->seq[SEQ_MAP_MASK] & 0xf, *planes;
	unsigned int p;

	if (v->seq[SEQ_MEMORY] & SEQ_CHAIN4) {
		mask &= (uint8_t)(1u << (offset & 3));
		offset &= ~3u;
	} else if (!(v->seq[SEQ_MEMORY] & SEQ_ODD_EVEN)) {
		mask &= offset & 1 ? 0xa : 0x5;
		offset &= ~1u;
	}
	planes = vga_planes(v, offset);
	for (p = 0; p < 4; p++)
		if (mask >> p & 1)
			planes[p] = vga_write_plane(v, p, value);
}

static uint64_t vga_window_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct vga *v = opaque;
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < bytes; i++) {
		const uint8_t *banked;
		uint8_t byte = 0xff;
		uint32_t at;

		if (vga_window_offset(v, offset + i, &at)) {
			banked = vga_is_banked(v) ? vga_banked(v, at) : NULL;
			if (banked)
				byte = *banked;
			else if (!vga_is_banked(v))
				byte = vga_read_planar(v, at);
		}
		value |= (uint64_t)byte << (8 * i);
	}
	return value;
}

static void vga_window_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct vga *v = opaque;
	unsigned int i;

	for (i = 0; i < bytes; i++) {
		uint8_t byte = (uint8_t)(value >> (8 * i)), *banked;
		uint32_t at;

		if (!vga_window_offset(v, offset + i, &at))
			continue;
		banked = vga_is_banked(v) ? vga_banked(v, at) : NULL;
		if (banked)
			*banked = byte;
		else if (!vga_is_banked(v))
			vga_write_planar(v, at, byte);
	}
}

const struct io_ops vga_window_ops = {
	.name = "vga-window",
	.max_bytes = 8,
	.read = vga_window_read,
	.write = vga_window_write,
};
