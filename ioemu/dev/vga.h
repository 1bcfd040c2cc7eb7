/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga.h - the display adapter as the machine and the control socket see it.
 */
#ifndef IOEMU_VGA_H
#define IOEMU_VGA_H

#include "machine.h"

struct vga_image {
	unsigned int width, height;
	uint8_t *rgb; /* width * height * 3 bytes, from malloc() */
};

int vga_create(struct machine *m);
void vga_destroy(struct machine *m);
void vga_reset(struct machine *m);
/*
 * vga_rom_load - the VGABIOS image for the ROM BAR, before the vcpus run. NULL: none. 0, -errno of
 * the file, -EINVAL not a regular file or over 64 KiB, -ENOMEM.
 */
int vga_rom_load(struct machine *m, const char *path);
/* vga_render - what a monitor shows now. The caller frees ret->rgb. 0 or -ENOMEM. Any thread. */
int vga_render(struct vga *v, struct vga_image *ret);
/* vga_screenshot - the same as a PNG file at @path. 0 or -errno. */
int vga_screenshot(struct vga *v, const char *path, unsigned int *ret_width,
		   unsigned int *ret_height);

#endif
