/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.c - opening and reading the builder's input files.
 * Owns nothing but the descriptor inside struct image. No locking, nothing saved.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void build_fail_set(struct hvm_build_error *err, const char *code, const char *field,
		    const char *format, ...)
{
	va_list args;

	if (!err)
		return;
	err->code = code;
	err->field = field;
	va_start(args, format);
	vsnprintf(err->detail, sizeof(err->detail), format, args);
	va_end(args);
}

int image_open(struct image *im, struct hvm_build_error *err)
{
	struct stat st;
	int error;

	/* O_NONBLOCK: a FIFO in place of the file must not hang us before fstat() tells. */
	im->fd = open(im->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	error = errno;
	if (im->fd < 0 && (error == ENOENT || error == ENOTDIR))
		return build_fail(err, -ENOENT, im->not_found, im->field, "%s: %s", im->path,
				  strerror(error));
	if (im->fd < 0)
		return build_fail(err, -EACCES, im->unreadable, im->field, "%s: %s", im->path,
				  strerror(error));
	if (fstat(im->fd, &st) < 0)
		return build_fail(err, -EACCES, im->unreadable, im->field, "%s: %s", im->path,
				  strerror(errno));
	if (!S_ISREG(st.st_mode))
		return build_fail(err, -EACCES, im->unreadable, im->field, "%s: not a regular file",
				  im->path);
	im->bytes = (uint64_t)st.st_size;
	return 0;
}

void image_close(struct image *im)
{
	if (im->fd >= 0)
		close(im->fd);
	im->fd = -1;
}

int image_read(const struct image *im, uint64_t offset, void *buf, size_t bytes,
	       struct hvm_build_error *err)
{
	char *to = buf;
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(im->fd, to + done, bytes - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return build_fail(err, -EIO, "image-read-failed", im->field, "%s: %s",
					  im->path, n < 0 ? strerror(errno) : "file got shorter");
		done += (size_t)n;
	}
	return 0;
}
