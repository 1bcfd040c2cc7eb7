/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * png_colours.c - what a screenshot shows, in words that a script can test: one line
 * "WIDTH HEIGHT", then "RRGGBB PERCENT" for each colour that covers a hundredth of it or more.
 */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLOURS (1u << 24)

static int report(const unsigned char *rgb, unsigned int width, unsigned int height)
{
	size_t pixels = (size_t)width * height;
	unsigned int *count = calloc(COLOURS, sizeof(*count));

	if (!count)
		return 1;
	for (size_t i = 0; i < pixels; i++)
		count[(unsigned int)rgb[3 * i] << 16 | rgb[3 * i + 1] << 8 | rgb[3 * i + 2]]++;
	printf("%u %u\n", width, height);
	for (unsigned int c = 0; c < COLOURS; c++) {
		if (count[c] * 100ull >= pixels && count[c])
			printf("%06x %u\n", c, (unsigned int)(count[c] * 100ull / pixels));
	}
	free(count);
	return 0;
}

int main(int argc, char **argv)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	unsigned char *rgb;
	int rc = 1;

	if (argc != 2 || !png_image_begin_read_from_file(&image, argv[1])) {
		fprintf(stderr, "usage: png_colours FILE.png %s\n", image.message);
		return 1;
	}
	image.format = PNG_FORMAT_RGB;
	rgb = malloc(PNG_IMAGE_SIZE(image));
	if (rgb && png_image_finish_read(&image, NULL, rgb, 0, NULL))
		rc = report(rgb, image.width, image.height);
	free(rgb);
	png_image_free(&image);
	return rc;
}
