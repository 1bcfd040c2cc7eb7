/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h - a disk image as a device sees it: requests go in, completions come out on the image's
 * own worker thread, so that no vcpu ever waits for the host's disk.
 * Locking: any thread may submit. done() runs on the worker with no lock held.
 */
#ifndef IOEMU_DISK_H
#define IOEMU_DISK_H

#include "config.h"

#include <sys/uio.h>

enum disk_operation {
	DISK_READ,
	DISK_WRITE,
	DISK_FLUSH,
};

struct disk_request {
	enum disk_operation op;
	uint64_t offset;	 /* bytes */
	const struct iovec *iov; /* stays as it is until done() */
	unsigned int iov_count;
	/* result: 0 or -errno. The request may be used again from here on. */
	void (*done)(struct disk_request *req, int result);
	void *opaque;
	struct disk_request *next; /* the queue's */
};

struct disk_stats {
	uint64_t read_bytes, write_bytes, reads, writes, flushes, errors;
};

struct disk_params {
	const char *id;
	const char *path;
	const char *field; /* named in errors: "disks[0].path" */
	bool read_only;
	unsigned int block_bytes; /* 512 for disks, 2048 for CD-ROMs */
	/* An operation failed; the guest is told as well. Worker thread. May be NULL. */
	void (*failed)(void *opaque, const char *id, enum disk_operation op, int err);
	void *opaque;
};

struct disk;

/*
 * disk_open - open and lock a raw image or block device. Writable: nobody else may have it open;
 * read only: no writer may. 0, or -1 with @err: image-not-found, image-unreadable, image-in-use,
 * image-invalid.
 */
int disk_open(const struct disk_params *p, struct disk **ret, struct ioemu_error *err);
/* disk_close - waits for what is in flight. NULL is ignored. */
void disk_close(struct disk *d);
void disk_submit(struct disk *d, struct disk_request *req);
/* disk_drain - wait until nothing is queued or in flight and every done() has returned. */
void disk_drain(struct disk *d);
uint64_t disk_bytes(const struct disk *d); /* a multiple of block_bytes */
bool disk_is_read_only(const struct disk *d);
const char *disk_id(const struct disk *d);
void disk_stats_get(struct disk *d, struct disk_stats *ret);
const char *disk_operation_name(enum disk_operation op);

#endif
