/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_render.c - what a monitor on the adapter shows, as RGB and as PNG. Scan line by scan line
 * from the CRTC's address counter, so every VGA mode comes out, standard or not; VBE modes are read
 * straight. Neither blinking nor pixel panning is shown.
 * Owns nothing. Locking: the adapter's mutex while it reads registers and memory. Not saved.
 * Source: FreeVGA Project, "VGA Display Generation", "VGA Text Mode Operation"; IBM VGA/XGA
 * Technical Reference, "CRT Controller Registers".
 */
#include "dev/vga_internal.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRTC_HDISP_END	  0x01
#define CRTC_OVERFLOW	  0x07
#define CRTC_MAX_SCAN	  0x09
#define CRTC_CURSOR_START 0x0a
#define CRTC_CURSOR_END	  0x0b
#define CRTC_START_HIGH	  0x0c
#define CRTC_START_LOW	  0x0d
#define CRTC_CURSOR_HIGH  0x0e
#define CRTC_CURSOR_LOW	  0x0f
#define CRTC_VDISP_END	  0x12
#define CRTC_OFFSET	  0x13
#define CRTC_UNDERLINE	  0x14
#define CRTC_MODE	  0x17
#define CRTC_LINE_COMPARE 0x18

#define ATTR_MODE	0x10
#define ATTR_PLANES	0x12
#define ATTR_COLOUR_SEL 0x14
#define ATTR_GRAPHICS	0x01u
#define ATTR_LINE_GFX	0x04u
#define ATTR_BLINK	0x08u
#define ATTR_P54S	0x80u

#define GC_MODE_SHIFT256   0x40u
#define GC_MODE_INTERLEAVE 0x20u

/* A scan line as it is put together. */
struct vga_line {
	struct vga *v;
	uint8_t *rgb;
	unsigned int chars;   /* character clocks */
	uint32_t counter;     /* address counter at its left end */
	unsigned int rowscan; /* line within the character row */
};

/* DAC entry to RGB; six bits a colour unless the guest asked for eight. */
static void vga_put_dac(const struct vga *v, uint8_t *rgb, uint8_t index)
{
	const uint8_t *c = v->palette[index & v->dac_mask];
	unsigned int i;

	for (i = 0; i < 3; i++)
		rgb[i] = v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC
				 ? c[i]
				 : (uint8_t)(c[i] << 2 | (c[i] >> 4 & 3));
}

/* Four-bit colour through the attribute controller's palette. */
static void vga_put_attr(const struct vga *v, uint8_t *rgb, uint8_t colour)
{
	uint8_t entry = v->attr[colour & v->attr[ATTR_PLANES] & 0xf];
	uint8_t select = v->attr[ATTR_COLOUR_SEL];

	if (v->attr[ATTR_MODE] & ATTR_P54S)
		entry = (uint8_t)((entry & 0x0f) | (select & 0x0f) << 4);
	else
		entry = (uint8_t)((entry & 0x3f) | (select & 0x0c) << 4);
	vga_put_dac(v, rgb, entry);
}

/* The address counter to the address in the planes. */
static const uint8_t *vga_line_planes(const struct vga_line *l, uint32_t counter)
{
	const uint8_t *crtc = l->v->crtc;
	uint32_t a = counter;

	if (crtc[CRTC_UNDERLINE] & 0x40)
		a = counter << 2;
	else if (!(crtc[CRTC_MODE] & 0x40))
		a = counter << 1 | (counter >> (crtc[CRTC_MODE] & 0x20 ? 15 : 13) & 1);
	if (!(crtc[CRTC_MODE] & 0x01))
		a = (a & ~(1u << 13)) | (l->rowscan & 1) << 13;
	if (!(crtc[CRTC_MODE] & 0x02))
		a = (a & ~(1u << 14)) | (l->rowscan >> 1 & 1) << 14;
	return l->v->vram + 4 * (a & (VGA_PLANE_BYTES - 1));
}

static void vga_line_text(const struct vga_line *l, unsigned int dots)
{
	struct vga *v = l->v;
	uint32_t cursor = (uint32_t)v->crtc[CRTC_CURSOR_HIGH] << 8 | v->crtc[CRTC_CURSOR_LOW];
	uint8_t start = v->crtc[CRTC_CURSOR_START], end = v->crtc[CRTC_CURSOR_END] & 0x1f;
	uint8_t map = v->seq[3];
	/* Fonts B and A, chosen by bit 3 of the attribute. */
	const uint32_t font[2] = {
		((uint32_t)(map & 3) << 14) | (uint32_t)(map >> 4 & 1) << 13,
		((uint32_t)(map >> 2 & 3) << 14) | (uint32_t)(map >> 5 & 1) << 13,
	};
	unsigned int c, x;

	for (c = 0; c < l->chars; c++) {
		uint32_t counter = (l->counter + c) & 0xffff;
		const uint8_t *cell = vga_line_planes(l, counter);
		uint8_t code = cell[0], attr = cell[1], fg = attr & 0xf, bg = attr >> 4;
		uint32_t glyph = font[attr >> 3 & 1] + code * 32u + l->rowscan;
		unsigned int bits = v->vram[4 * (glyph & (VGA_PLANE_BYTES - 1)) + 2];
		bool line_gfx = v->attr[ATTR_MODE] & ATTR_LINE_GFX && code >= 0xc0 && code <= 0xdf;

		if (v->attr[ATTR_MODE] & ATTR_BLINK)
			bg &= 7;
		if (counter == cursor && !(start & 0x20) && l->rowscan >= (start & 0x1f) &&
		    l->rowscan <= end)
			bits = 0xff;
		/* The ninth dot is background, or the eighth again for box drawing. */
		bits = bits << 1 | (line_gfx ? bits & 1 : 0);
		for (x = 0; x < dots; x++)
			vga_put_attr(v, l->rgb + 3 * (c * dots + x), bits >> (8 - x) & 1 ? fg : bg);
	}
}

static void vga_line_planar(const struct vga_line *l)
{
	unsigned int c, x, p;

	for (c = 0; c < l->chars; c++) {
		const uint8_t *b = vga_line_planes(l, (l->counter + c) & 0xffff);

		for (x = 0; x < 8; x++) {
			uint8_t colour = 0;

			for (p = 0; p < 4; p++)
				colour |= (uint8_t)((b[p] >> (7 - x) & 1) << p);
			vga_put_attr(l->v, l->rgb + 3 * (c * 8 + x), colour);
		}
	}
}

/* CGA's packed pixels: two bits each, even bytes in planes 0 and 2, odd ones in 1 and 3. */
static void vga_line_interleaved(const struct vga_line *l)
{
	unsigned int c, x;

	for (c = 0; c < l->chars; c++) {
		const uint8_t *b = vga_line_planes(l, (l->counter + c) & 0xffff);

		for (x = 0; x < 8; x++) {
			unsigned int shift = 6 - 2 * (x & 3), odd = x >> 2;
			uint8_t colour =
				(uint8_t)((b[odd] >> shift & 3) | (b[2 + odd] >> shift & 3) << 2);

			vga_put_attr(l->v, l->rgb + 3 * (c * 8 + x), colour);
		}
	}
}

static void vga_line_256(const struct vga_line *l)
{
	unsigned int c, x;

	for (c = 0; c < l->chars; c++) {
		const uint8_t *b = vga_line_planes(l, (l->counter + c) & 0xffff);

		for (x = 0; x < 8; x++)
			vga_put_dac(l->v, l->rgb + 3 * (c * 8 + x), b[x >> 1]);
	}
}

/* CGA's two-bit modes clock half as many characters of twice the width: same dots either way. */
static void vga_line_render(const struct vga_line *l, unsigned int dots)
{
	uint8_t mode = l->v->gc[5];

	if (!(l->v->attr[ATTR_MODE] & ATTR_GRAPHICS))
		vga_line_text(l, dots);
	else if (mode & GC_MODE_SHIFT256)
		vga_line_256(l);
	else if (mode & GC_MODE_INTERLEAVE)
		vga_line_interleaved(l);
	else
		vga_line_planar(l);
}

static bool vga_screen_off(const struct vga *v)
{
	return !(v->attr_index & 0x20) || v->seq[1] & 0x20 || !(v->crtc[CRTC_MODE] & 0x80);
}

static int vga_image_alloc(struct vga_image *img, unsigned int width, unsigned int height)
{
	img->width = width;
	img->height = height;
	img->rgb = calloc((size_t)width * height, 3);
	return img->rgb ? 0 : -ENOMEM;
}

static int vga_render_crtc(struct vga *v, struct vga_image *img)
{
	const uint8_t *crtc = v->crtc;
	uint8_t over = crtc[CRTC_OVERFLOW], max = crtc[CRTC_MAX_SCAN];
	unsigned int dots = v->attr[ATTR_MODE] & ATTR_GRAPHICS || v->seq[1] & 1 ? 8 : 9;
	unsigned int height = (crtc[CRTC_VDISP_END] | (over & 2u) << 7 | (over & 0x40u) << 3) + 1;
	unsigned int compare = crtc[CRTC_LINE_COMPARE] | (over & 0x10u) << 4 | (max & 0x40u) << 3;
	unsigned int repeat = max & 0x80 ? 2 : 1, y;
	struct vga_line line = {
		.v = v,
		.chars = crtc[CRTC_HDISP_END] + 1u,
		.counter = (uint32_t)crtc[CRTC_START_HIGH] << 8 | crtc[CRTC_START_LOW],
	};

	if (vga_screen_off(v))
		return vga_image_alloc(img, 640, 480);
	if (vga_image_alloc(img, line.chars * dots, height) < 0)
		return -ENOMEM;
	for (y = 0; y < height; y++) {
		line.rgb = img->rgb + 3 * (size_t)y * img->width;
		vga_line_render(&line, dots);
		if (y % repeat == repeat - 1 && ++line.rowscan > (max & 0x1fu)) {
			line.rowscan = 0;
			line.counter += crtc[CRTC_OFFSET] * 2u;
		}
		if (y == compare) {
			line.counter = 0;
			line.rowscan = 0;
		}
	}
	return 0;
}

static uint8_t vga_expand(uint32_t value, unsigned int bits)
{
	value &= (1u << bits) - 1;
	return (uint8_t)(value << (8 - bits) | value >> (2 * bits - 8));
}

/* One pixel of a VBE mode at @p, of which @depth bits can be read. */
static void vga_put_pixel(const struct vga *v, uint8_t *rgb, const uint8_t *p)
{
	uint32_t word;

	switch (v->dispi[DISPI_BPP]) {
	case 8: vga_put_dac(v, rgb, p[0]); break;
	case 15:
		word = (uint32_t)p[1] << 8 | p[0];
		rgb[0] = vga_expand(word >> 10, 5);
		rgb[1] = vga_expand(word >> 5, 5);
		rgb[2] = vga_expand(word, 5);
		break;
	case 16:
		word = (uint32_t)p[1] << 8 | p[0];
		rgb[0] = vga_expand(word >> 11, 5);
		rgb[1] = vga_expand(word >> 5, 6);
		rgb[2] = vga_expand(word, 5);
		break;
	default:
		rgb[0] = p[2];
		rgb[1] = p[1];
		rgb[2] = p[0];
		break;
	}
}

static void vga_put_4bpp(const struct vga *v, uint8_t *rgb, uint64_t pixel)
{
	uint64_t at = pixel / 8 * 4;
	unsigned int shift = 7 - (unsigned int)(pixel & 7), p;
	uint8_t colour = 0;

	if (at + 4 > VGA_VRAM_BYTES)
		return;
	for (p = 0; p < 4; p++)
		colour |= (uint8_t)((v->vram[at + p] >> shift & 1) << p);
	vga_put_attr(v, rgb, colour);
}

static int vga_render_dispi(struct vga *v, struct vga_image *img)
{
	unsigned int depth = vga_dispi_depth(v), bytes = depth / 8, x, y;
	uint64_t pitch = vga_dispi_pitch(v);

	if (vga_image_alloc(img, v->dispi[DISPI_XRES], v->dispi[DISPI_YRES]) < 0)
		return -ENOMEM;
	for (y = 0; y < img->height; y++) {
		uint64_t row = (uint64_t)y + v->dispi[DISPI_Y_OFFSET];

		for (x = 0; x < img->width; x++) {
			uint8_t *rgb = img->rgb + 3 * ((size_t)y * img->width + x);
			uint64_t column = (uint64_t)x + v->dispi[DISPI_X_OFFSET];
			uint64_t at = row * pitch + column * bytes;

			if (depth == 4)
				vga_put_4bpp(v, rgb, row * v->dispi[DISPI_VIRT_WIDTH] + column);
			else if (at + bytes <= VGA_VRAM_BYTES)
				vga_put_pixel(v, rgb, v->vram + at);
		}
	}
	return 0;
}

int vga_render(struct vga *v, struct vga_image *ret)
{
	int err;

	pthread_mutex_lock(&v->lock);
	err = vga_dispi_on(v) ? vga_render_dispi(v, ret) : vga_render_crtc(v, ret);
	pthread_mutex_unlock(&v->lock);
	return err;
}

int vga_screenshot(struct vga *v, const char *path, unsigned int *ret_width,
		   unsigned int *ret_height)
{
	struct vga_image img;
	png_image png = { .version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGB };
	int err = vga_render(v, &img);
	FILE *f;

	if (err)
		return err;
	f = fopen(path, "we");
	if (!f) {
		err = -errno;
		goto out;
	}
	png.width = img.width;
	png.height = img.height;
	png.flags = PNG_IMAGE_FLAG_FAST;
	if (!png_image_write_to_stdio(&png, f, 0, img.rgb, 0, NULL))
		err = -EIO;
	if (fclose(f) != 0 && !err)
		err = -errno;
	png_image_free(&png);
	*ret_width = img.width;
	*ret_height = img.height;
out:
	free(img.rgb);
	return err;
}
