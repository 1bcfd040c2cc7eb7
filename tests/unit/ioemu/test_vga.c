/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_vga.c - registers, planes and what the monitor shows in each family of modes.
 */
#include "machine_fixture.h"

#include "dev/vga.h"
#include "dev/vga_internal.h"

#include <png.h>

#define VGA_FN PCI_DEVFN(2, 0)
#define LFB    0xe0000000u
#define REGS   0xf0000000u

static void indexed(struct fixture *f, uint16_t port, uint8_t index, uint8_t value)
{
	out(f, port, 2, (uint32_t)value << 8 | index);
}

static void attribute(struct fixture *f, uint8_t index, uint8_t value)
{
	inb(f, 0x3da);
	outb(f, 0x3c0, index);
	outb(f, 0x3c0, value);
	outb(f, 0x3c0, 0x20);
}

static void dac(struct fixture *f, uint8_t index, uint8_t r, uint8_t g, uint8_t b)
{
	outb(f, 0x3c8, index);
	outb(f, 0x3c9, r);
	outb(f, 0x3c9, g);
	outb(f, 0x3c9, b);
}

static void dispi(struct fixture *f, uint16_t index, uint16_t value)
{
	out(f, 0x1ce, 2, index);
	out(f, 0x1cf, 2, value);
}

static uint16_t dispi_get(struct fixture *f, uint16_t index)
{
	out(f, 0x1ce, 2, index);
	return (uint16_t)in(f, 0x1cf, 2);
}

/* Geometry of the CRTC, and a palette where entry i is (i, 2i, 3i) mod 64. */
static void screen(struct fixture *f, unsigned int columns, unsigned int lines, uint8_t max_scan,
		   uint8_t offset, uint8_t mode, uint8_t underline)
{
	unsigned int i, end = lines - 1;

	outb(f, 0x3c2, 0x03);
	indexed(f, 0x3d4, 0x11, 0);
	indexed(f, 0x3d4, 0x01, (uint8_t)(columns - 1));
	indexed(f, 0x3d4, 0x07, (uint8_t)((end >> 8 & 1) << 1 | (end >> 9 & 1) << 6 | 0x10));
	indexed(f, 0x3d4, 0x09, (uint8_t)(max_scan | 0x40));
	indexed(f, 0x3d4, 0x12, (uint8_t)end);
	indexed(f, 0x3d4, 0x13, offset);
	indexed(f, 0x3d4, 0x14, underline);
	indexed(f, 0x3d4, 0x17, mode);
	indexed(f, 0x3d4, 0x18, 0xff);
	for (i = 0; i < 16; i++)
		attribute(f, (uint8_t)i, (uint8_t)i);
	attribute(f, 0x12, 0x0f);
	for (i = 0; i < 256; i++)
		dac(f, (uint8_t)i, (uint8_t)i, (uint8_t)(2 * i), (uint8_t)(3 * i));
}

static void text_mode(struct fixture *f)
{
	screen(f, 80, 400, 15, 40, 0xa3, 0x1f);
	indexed(f, 0x3c4, 1, 0x00);
	indexed(f, 0x3d4, 0x0a, 0x20); /* no cursor */
	attribute(f, 0x10, 0x0c);
	indexed(f, 0x3c4, 2, 0x03);
	indexed(f, 0x3c4, 4, 0x02);
	indexed(f, 0x3ce, 5, 0x10);
	indexed(f, 0x3ce, 6, 0x0e);
	indexed(f, 0x3ce, 8, 0xff);
}

/* Put a glyph into font A the way firmware does: plane 2, flat addressing. */
static void glyph(struct fixture *f, uint8_t code, uint8_t row, uint8_t bits)
{
	indexed(f, 0x3c4, 2, 0x04);
	indexed(f, 0x3c4, 4, 0x07);
	indexed(f, 0x3ce, 5, 0x00);
	indexed(f, 0x3ce, 6, 0x04);
	mmio_out(f, 0xa0000u + code * 32u + row, 1, bits);
	indexed(f, 0x3c4, 2, 0x03);
	indexed(f, 0x3c4, 4, 0x02);
	indexed(f, 0x3ce, 5, 0x10);
	indexed(f, 0x3ce, 6, 0x0e);
}

static void assert_pixel(const struct vga_image *img, unsigned int x, unsigned int y, uint8_t entry)
{
	const uint8_t *p = img->rgb + 3 * ((size_t)y * img->width + x);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		uint8_t six = (uint8_t)((i + 1) * entry & 0x3f);

		assert_int_equal(p[i], (uint8_t)(six << 2 | six >> 4));
	}
}

static void text_shows_glyphs_colours_and_the_ninth_dot(void **state)
{
	struct fixture *f = *state;
	struct vga_image img;

	text_mode(f);
	glyph(f, 'A', 3, 0x81);
	glyph(f, 0xc4, 3, 0xff);
	mmio_out(f, 0xb8000, 2, 0x1e00 | 'A');	      /* yellow on blue */
	mmio_out(f, 0xb8000 + 160, 2, 0x0700 | 0xc4); /* second row */
	assert_int_equal(vga_render(f->m->vga, &img), 0);
	assert_int_equal(img.width, 720);
	assert_int_equal(img.height, 400);
	assert_pixel(&img, 0, 3, 14);
	assert_pixel(&img, 1, 3, 1);
	assert_pixel(&img, 7, 3, 14);
	assert_pixel(&img, 8, 3, 1);
	assert_pixel(&img, 0, 4, 1);
	assert_pixel(&img, 8, 19, 7); /* box drawing reaches into the ninth dot */
	free(img.rgb);
}

static void text_memory_reads_back_as_written(void **state)
{
	struct fixture *f = *state;

	text_mode(f);
	mmio_out(f, 0xb8000, 8, 0x0741074207430744ull);
	assert_true(mmio_in(f, 0xb8000, 8) == 0x0741074207430744ull);
	/* The window is closed elsewhere. */
	assert_int_equal(mmio_in(f, 0xa0000, 1), 0xff);
}

static void text_cursor_is_drawn_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct vga_image img;

	text_mode(f);
	mmio_out(f, 0xb8002, 2, 0x0700);
	indexed(f, 0x3d4, 0x0a, 14);
	indexed(f, 0x3d4, 0x0b, 15);
	indexed(f, 0x3d4, 0x0f, 1);
	assert_int_equal(vga_render(f->m->vga, &img), 0);
	assert_pixel(&img, 9, 13, 0);
	assert_pixel(&img, 9, 14, 7);
	assert_pixel(&img, 9, 15, 7);
	free(img.rgb);
}

static void planar_write_modes_make_pixels(void **state)
{
	struct fixture *f = *state;
	struct vga_image img;

	screen(f, 80, 480, 0, 40, 0xe3, 0);
	attribute(f, 0x10, 0x01);
	indexed(f, 0x3c4, 4, 0x06);
	indexed(f, 0x3c4, 2, 0x0f);
	indexed(f, 0x3ce, 6, 0x05);
	indexed(f, 0x3ce, 8, 0xff);
	/* Write mode 0, planes 0 and 2. */
	indexed(f, 0x3c4, 2, 0x05);
	mmio_out(f, 0xa0000, 1, 0x80);
	/* Write mode 2: colour 9 in the leftmost bit only. */
	indexed(f, 0x3c4, 2, 0x0f);
	indexed(f, 0x3ce, 5, 0x02);
	indexed(f, 0x3ce, 8, 0x80);
	mmio_in(f, 0xa0000 + 80, 1);
	mmio_out(f, 0xa0000 + 80, 1, 9);
	/* Set/reset with write mode 0: colour 6 everywhere. */
	indexed(f, 0x3ce, 5, 0x00);
	indexed(f, 0x3ce, 8, 0xff);
	indexed(f, 0x3ce, 0, 6);
	indexed(f, 0x3ce, 1, 0x0f);
	mmio_out(f, 0xa0000 + 160, 1, 0);
	/* Write mode 1 copies latches: line 3 becomes line 2. */
	indexed(f, 0x3ce, 5, 0x01);
	mmio_in(f, 0xa0000 + 160, 1);
	mmio_out(f, 0xa0000 + 240, 1, 0);
	/* Write mode 3: data masks, set/reset colours. */
	indexed(f, 0x3ce, 5, 0x03);
	indexed(f, 0x3ce, 0, 3);
	mmio_in(f, 0xa0000 + 320, 1);
	mmio_out(f, 0xa0000 + 320, 1, 0x01);
	assert_int_equal(vga_render(f->m->vga, &img), 0);
	assert_int_equal(img.width, 640);
	assert_int_equal(img.height, 480);
	assert_pixel(&img, 0, 0, 5);
	assert_pixel(&img, 1, 0, 0);
	assert_pixel(&img, 0, 1, 9);
	assert_pixel(&img, 1, 1, 0);
	assert_pixel(&img, 7, 2, 6);
	assert_pixel(&img, 7, 3, 6);
	assert_pixel(&img, 6, 4, 0);
	assert_pixel(&img, 7, 4, 3);
	/* Read mode 1 finds the colour. */
	indexed(f, 0x3ce, 5, 0x08);
	indexed(f, 0x3ce, 2, 5);
	indexed(f, 0x3ce, 7, 0x0f);
	assert_int_equal(mmio_in(f, 0xa0000, 1), 0x80);
	free(img.rgb);
}

static void mode_13h_is_a_byte_a_pixel(void **state)
{
	struct fixture *f = *state;
	struct vga_image img;

	screen(f, 80, 400, 1, 40, 0xa3, 0x40);
	attribute(f, 0x10, 0x41);
	indexed(f, 0x3c4, 2, 0x0f);
	indexed(f, 0x3c4, 4, 0x0e);
	indexed(f, 0x3ce, 5, 0x40);
	indexed(f, 0x3ce, 6, 0x05);
	indexed(f, 0x3ce, 8, 0xff);
	mmio_out(f, 0xa0000, 4, 0x04030201);
	mmio_out(f, 0xa0000 + 320 * 199 + 319, 1, 200);
	assert_int_equal(mmio_in(f, 0xa0000, 4), 0x04030201);
	assert_int_equal(vga_render(f->m->vga, &img), 0);
	assert_int_equal(img.width, 640);
	assert_pixel(&img, 0, 0, 1);
	assert_pixel(&img, 1, 1, 1);
	assert_pixel(&img, 7, 0, 4);
	assert_pixel(&img, 639, 399, 200);
	free(img.rgb);
}

static void vbe_modes_show_the_frame_buffer_at_every_depth(void **state)
{
	static const struct {
		uint16_t bpp;
		uint32_t pixel;
		uint8_t r, g, b;
	} rows[] = {
		{ 15, 0x7c00, 255, 0, 0 },
		{ 16, 0x07e0, 0, 255, 0 },
		{ 24, 0x123456, 0x12, 0x34, 0x56 },
		{ 32, 0x123456, 0x12, 0x34, 0x56 },
	};
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		unsigned int bytes = (rows[i].bpp + 1u) / 8;
		struct vga_image img;

		dispi(f, DISPI_ENABLE, 0);
		dispi(f, DISPI_XRES, 1920);
		dispi(f, DISPI_YRES, 1080);
		dispi(f, DISPI_BPP, rows[i].bpp);
		dispi(f, DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
		assert_int_equal(dispi_get(f, DISPI_VIRT_WIDTH), 1920);
		memcpy(f->m->vga->vram + (size_t)1920 * bytes + bytes, &rows[i].pixel, bytes);
		assert_int_equal(vga_render(f->m->vga, &img), 0);
		assert_int_equal(img.width * 10000u + img.height, 19201080);
		assert_int_equal(img.rgb[3 * 1921], rows[i].r);
		assert_int_equal(img.rgb[3 * 1921 + 1], rows[i].g);
		assert_int_equal(img.rgb[3 * 1921 + 2], rows[i].b);
		free(img.rgb);
	}
}

static void vbe_banks_open_the_window_on_the_frame_buffer(void **state)
{
	struct fixture *f = *state;
	struct vga_image img;

	screen(f, 80, 400, 1, 40, 0xa3, 0x40);
	indexed(f, 0x3ce, 6, 0x05);
	dispi(f, DISPI_XRES, 1024);
	dispi(f, DISPI_YRES, 768);
	dispi(f, DISPI_BPP, 8);
	dispi(f, DISPI_ENABLE, DISPI_ENABLED);
	dispi(f, DISPI_BANK, 3);
	mmio_out(f, 0xa0000, 4, 0x11223344);
	assert_int_equal(f->m->vga->vram[3 << 16], 0x44);
	assert_int_equal(mmio_in(f, 0xa0000, 4), 0x11223344);
	assert_int_equal(vga_render(f->m->vga, &img), 0);
	assert_pixel(&img, 0, 192, 0x44);
	free(img.rgb);
}

static void vbe_refuses_what_does_not_fit(void **state)
{
	static const uint16_t rows[][3] = {
		{ 0, 768, 32 },	  { 1024, 0, 32 },	{ 4096, 16, 8 },
		{ 1024, 768, 7 }, { 65535, 65535, 32 },
	};
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		dispi(f, DISPI_XRES, rows[i][0]);
		dispi(f, DISPI_YRES, rows[i][1]);
		dispi(f, DISPI_BPP, rows[i][2]);
		dispi(f, DISPI_ENABLE, DISPI_ENABLED);
		assert_int_equal(dispi_get(f, DISPI_ENABLE) & DISPI_ENABLED, 0);
	}
	assert_int_equal(dispi_get(f, DISPI_ID), 0xb0c5);
	dispi(f, DISPI_ENABLE, DISPI_GETCAPS);
	assert_int_equal(dispi_get(f, DISPI_XRES), 1920);
}

static void vbe_offsets_never_leave_the_memory(void **state)
{
	static const uint16_t depths[] = { 4, 8, 24, 32 };
	struct fixture *f = *state;
	struct vga_image img;
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(depths); i++) {
		dispi(f, DISPI_ENABLE, 0);
		dispi(f, DISPI_XRES, 1600);
		dispi(f, DISPI_YRES, 1200);
		dispi(f, DISPI_BPP, depths[i]);
		dispi(f, DISPI_ENABLE, DISPI_ENABLED);
		dispi(f, DISPI_VIRT_WIDTH, 0xffff);
		dispi(f, DISPI_X_OFFSET, 0xffff);
		dispi(f, DISPI_Y_OFFSET, 0xffff);
		dispi(f, DISPI_BANK, 0xffff);
		mmio_out(f, 0xaffff, 8, ~0ull);
		assert_int_equal(vga_render(f->m->vga, &img), 0);
		free(img.rgb);
	}
}

static void bar2_shows_the_registers_too(void **state)
{
	struct fixture *f = *state;

	pci_out(f, VGA_FN, 0x18, 4, REGS);
	pci_out(f, VGA_FN, 4, 2, PCI_COMMAND_MEM);
	assert_int_equal(mmio_in(f, REGS + 0x500, 2), 0xb0c5);
	mmio_out(f, REGS + 0x502, 2, 800);
	assert_int_equal(dispi_get(f, DISPI_XRES), 800);
	mmio_out(f, REGS + 0x402, 1, 0x63);
	assert_int_equal(inb(f, 0x3cc), 0x63);
	mmio_out(f, REGS + 0x404, 2, 0x0f02);
	indexed(f, 0x3c4, 2, 0x05);
	assert_int_equal(mmio_in(f, REGS + 0x405, 1), 0x05);
	assert_int_equal(mmio_in(f, REGS, 4), 0); /* no EDID */
}

static void crtc_follows_the_colour_bit_and_its_lock(void **state)
{
	struct fixture *f = *state;

	outb(f, 0x3c2, 0x00);
	indexed(f, 0x3b4, 0x0c, 0x12);
	assert_int_equal(inb(f, 0x3b5), 0x12);
	assert_int_equal(inb(f, 0x3d5), 0xff);
	outb(f, 0x3c2, 0x01);
	assert_int_equal(inb(f, 0x3d5), 0x12);
	indexed(f, 0x3d4, 0x11, 0x80);
	indexed(f, 0x3d4, 0x01, 0x55);
	assert_int_equal(inb(f, 0x3d5), 0);
}

static void hostile_registers_render_without_harm(void **state)
{
	struct fixture *f = *state;
	struct vga_image img;
	unsigned int i, round;

	for (round = 0; round < 8; round++) {
		outb(f, 0x3c2, 0x03);
		indexed(f, 0x3d4, 0x11, 0);
		for (i = 0; i < 25; i++)
			indexed(f, 0x3d4, (uint8_t)i, i == 0x11 ? 0 : (uint8_t)(0xff - round * 29));
		for (i = 0; i < 21; i++)
			attribute(f, (uint8_t)i, (uint8_t)(0xff - round));
		indexed(f, 0x3ce, 5, (uint8_t)(round << 5));
		indexed(f, 0x3c4, 1, 0);
		indexed(f, 0x3c4, 3, 0x3f);
		assert_int_equal(vga_render(f->m->vga, &img), 0);
		free(img.rgb);
	}
}

static void screenshot_is_a_png_of_the_screen(void **state)
{
	char path[] = "/tmp/hvm-test-vga-XXXXXX";
	png_image png = { .version = PNG_IMAGE_VERSION };
	struct fixture *f = *state;
	unsigned int width, height;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	text_mode(f);
	assert_int_equal(vga_screenshot(f->m->vga, path, &width, &height), 0);
	assert_int_equal(png_image_begin_read_from_file(&png, path), 1);
	assert_int_equal(png.width, 720);
	assert_int_equal(png.height, 400);
	assert_int_equal(width, 720);
	png_image_free(&png);
	close(fd);
	unlink(path);
	assert_true(vga_screenshot(f->m->vga, "/nonexistent/x.png", &width, &height) < 0);
}

#define T(fact) cmocka_unit_test_setup_teardown(fact, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(text_shows_glyphs_colours_and_the_ninth_dot),
		T(text_memory_reads_back_as_written),
		T(text_cursor_is_drawn_where_it_is),
		T(planar_write_modes_make_pixels),
		T(mode_13h_is_a_byte_a_pixel),
		T(vbe_modes_show_the_frame_buffer_at_every_depth),
		T(vbe_banks_open_the_window_on_the_frame_buffer),
		T(vbe_refuses_what_does_not_fit),
		T(vbe_offsets_never_leave_the_memory),
		T(bar2_shows_the_registers_too),
		T(crtc_follows_the_colour_bit_and_its_lock),
		T(hostile_registers_render_without_harm),
		T(screenshot_is_a_png_of_the_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
