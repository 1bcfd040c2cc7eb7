/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_dispi.c - the Bochs VBE registers: index at port 0x1ce, data at 0x1cf and 0x1d0.
 * Owns nothing. Locking: the adapter's mutex. Saved with the adapter.
 * Source: Bochs, "VBE Display API" (vbe_display_api.txt).
 */
#include "dev/vga_internal.h"

#include <string.h>

#define DISPI_ID_FIRST	0xb0c0u
#define DISPI_ID_LAST	0xb0c5u
#define DISPI_MAX_XRES	1920u
#define DISPI_MAX_YRES	1200u
#define DISPI_MAX_BPP	32u
#define DISPI_MAX_PITCH 65532u

unsigned int vga_dispi_depth(const struct vga *v)
{
	unsigned int bpp = v->dispi[DISPI_BPP];

	return bpp == 15 ? 16 : bpp;
}

uint32_t vga_dispi_pitch(const struct vga *v)
{
	uint32_t width = v->dispi[DISPI_VIRT_WIDTH];

	/* Four bits: eight pixels an address of four plane bytes. */
	return width * vga_dispi_depth(v) / 8;
}

static bool dispi_mode_fits(const struct vga *v)
{
	static const uint8_t depths[] = { 4, 8, 15, 16, 24, 32 };
	uint32_t x = v->dispi[DISPI_XRES], y = v->dispi[DISPI_YRES];

	if (!x || !y || x > DISPI_MAX_XRES || y > DISPI_MAX_YRES ||
	    !memchr(depths, v->dispi[DISPI_BPP], sizeof(depths)))
		return false;
	return (uint64_t)x * y * vga_dispi_depth(v) / 8 <= VGA_VRAM_BYTES;
}

/* Lines that fit into memory at the present pitch. */
static uint16_t dispi_virt_height(const struct vga *v)
{
	uint32_t pitch = vga_dispi_pitch(v);
	uint32_t lines = pitch ? VGA_VRAM_BYTES / pitch : 0;

	return lines > 0xffff ? 0xffff : (uint16_t)lines;
}

static void dispi_set_width(struct vga *v, uint16_t width)
{
	if (width < v->dispi[DISPI_XRES])
		width = v->dispi[DISPI_XRES];
	v->dispi[DISPI_VIRT_WIDTH] = width;
	if (vga_dispi_pitch(v) > DISPI_MAX_PITCH)
		v->dispi[DISPI_VIRT_WIDTH] = v->dispi[DISPI_XRES];
	v->dispi[DISPI_VIRT_HEIGHT] = dispi_virt_height(v);
}

static void dispi_enable(struct vga *v, uint16_t value)
{
	bool was = vga_dispi_on(v);

	value &= DISPI_ENABLED | DISPI_GETCAPS | DISPI_8BIT_DAC | DISPI_LFB | DISPI_NOCLEAR;
	if (value & DISPI_ENABLED && !was) {
		if (!dispi_mode_fits(v)) {
			v->dispi[DISPI_ENABLE] = value & (DISPI_GETCAPS | DISPI_8BIT_DAC);
			return;
		}
		v->dispi[DISPI_X_OFFSET] = v->dispi[DISPI_Y_OFFSET] = 0;
		v->dispi[DISPI_BANK] = 0;
		dispi_set_width(v, v->dispi[DISPI_XRES]);
		if (!(value & DISPI_NOCLEAR))
			memset(v->vram, 0, (size_t)vga_dispi_pitch(v) * v->dispi[DISPI_YRES]);
	}
	v->dispi[DISPI_ENABLE] = value;
}

uint16_t vga_dispi_read(struct vga *v, unsigned int index)
{
	if (index >= DISPI_COUNT)
		return 0;
	if (v->dispi[DISPI_ENABLE] & DISPI_GETCAPS) {
		switch (index) {
		case DISPI_XRES: return DISPI_MAX_XRES;
		case DISPI_YRES: return DISPI_MAX_YRES;
		case DISPI_BPP: return DISPI_MAX_BPP;
		default: break;
		}
	}
	return v->dispi[index];
}

void vga_dispi_write(struct vga *v, unsigned int index, uint16_t value)
{
	switch (index) {
	case DISPI_ID:
		if (value >= DISPI_ID_FIRST && value <= DISPI_ID_LAST)
			v->dispi[DISPI_ID] = value;
		break;
	case DISPI_XRES:
	case DISPI_YRES:
	case DISPI_BPP:
		/* The mode is set while off; what is on screen does not change under the renderer.
		 */
		if (!vga_dispi_on(v))
			v->dispi[index] = index == DISPI_BPP && !value ? 8 : value;
		break;
	case DISPI_ENABLE: dispi_enable(v, value); break;
	case DISPI_BANK: v->dispi[DISPI_BANK] = value % (VGA_VRAM_BYTES >> 16); break;
	case DISPI_VIRT_WIDTH:
		if (vga_dispi_on(v))
			dispi_set_width(v, value);
		break;
	case DISPI_X_OFFSET:
	case DISPI_Y_OFFSET: v->dispi[index] = value; break;
	default: break; /* read only */
	}
}

void vga_dispi_reset(struct vga *v)
{
	memset(v->dispi, 0, sizeof(v->dispi));
	v->dispi_index = 0;
	v->dispi[DISPI_ID] = DISPI_ID_LAST;
	v->dispi[DISPI_BPP] = 8;
	v->dispi[DISPI_MEMORY_64K] = VGA_VRAM_BYTES >> 16;
}

/* Ports 0x1ce (offset 0): index; 0x1cf and 0x1d0 (1, 2): data. Words, whatever the alignment. */
static uint64_t dispi_port_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct vga *v = opaque;
	uint16_t value = offset == 0 ? v->dispi_index : vga_dispi_read(v, v->dispi_index);

	return bytes == 1 ? value & 0xff : value;
}

static void dispi_port_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct vga *v = opaque;

	(void)bytes;
	if (offset == 0)
		v->dispi_index = (uint16_t)value;
	else
		vga_dispi_write(v, v->dispi_index, (uint16_t)value);
}

const struct io_ops vga_dispi_ops = {
	.name = "vga-dispi",
	.max_bytes = 2,
	.read = dispi_port_read,
	.write = dispi_port_write,
};
