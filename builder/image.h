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

/* build_fail - fill @err (may be NULL) and give @ret back, for "return build_fail(...)". */
#define build_fail(err, ret, ...) (build_fail_set((err), __VA_ARGS__), (ret))
void build_fail_set(struct hvm_build_error *err, const char *code, const char *field,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

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
