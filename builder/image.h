/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - files that the builder reads, and the one way to report that a build failed.
 */
#ifndef HVM_BUILDER_IMAGE_H
#define HVM_BUILDER_IMAGE_H

#include "builder.h"

/* One file of the build and the words for what can go wrong with it. */
struct image {
	const char *path;
	const char *field;     /* of the definition: "boot.kernel" */
	const char *not_found; /* error codes */
	const char *unreadable;
	int fd;
	uint64_t bytes;
};

/* build_fail - fill @err (may be NULL) and return @ret, for "return build_fail(...)". */
int build_fail(struct hvm_build_error *err, int ret, const char *code, const char *field,
	       const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * image_open - open a regular file that is not empty. image_close() also after a failure.
 * -ENOENT, -EACCES with the image's codes.
 */
int image_open(struct image *im, struct hvm_build_error *err);
void image_close(struct image *im);
/* image_read - exactly @bytes from @offset, else -EIO. */
int image_read(const struct image *im, uint64_t offset, void *buf, size_t bytes,
	       struct hvm_build_error *err);

#endif
