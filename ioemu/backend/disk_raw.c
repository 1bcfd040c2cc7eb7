/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk_raw.c - raw image files and block devices, one worker thread an image.
 * Two domains must not share a writable image: an open-file-description lock on the whole file,
 * exclusive for writers and shared for readers, guards it; the kernel drops it however we end.
 * Owns the file and the thread. Locking: an own mutex over queue and statistics. Not saved: the
 * image is the state; requests are drained first.
 * Source: fcntl(2) "Open file description locks".
 */
#include "backend/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_STACK_BYTES (128u * 1024)
#define DISK_IOV_MAX	 64

struct disk {
	struct disk_params p;
	char *id;
	int fd;
	uint64_t bytes;
	pthread_t worker;
	bool worker_runs;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work, idle;
	struct disk_request *head, **tail;
	bool busy, quit;
	struct disk_stats stats;
};

const char *disk_operation_name(enum disk_operation op)
{
	static const char *const names[] = { "read", "write", "flush" };

	return names[op];
}

/* Transfer up to DISK_IOV_MAX pieces, going on after short transfers. */
static int disk_transfer(struct disk *d, bool write, struct iovec *iov, unsigned int count,
			 uint64_t *offset)
{
	while (count) {
		ssize_t n = write ? pwritev(d->fd, iov, (int)count, (off_t)*offset)
				  : preadv(d->fd, iov, (int)count, (off_t)*offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* the image shrank under us */
		*offset += (uint64_t)n;
		while (count && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count) {
			iov->iov_base = (uint8_t *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int disk_run(struct disk *d, const struct disk_request *req, uint64_t *ret_bytes)
{
	uint64_t offset = req->offset;
	unsigned int i = 0;
	int err = 0;

	if (req->op == DISK_FLUSH)
		return fdatasync(d->fd) < 0 ? -errno : 0;
	while (i < req->iov_count && !err) {
		struct iovec iov[DISK_IOV_MAX];
		unsigned int n = req->iov_count - i;

		n = n < DISK_IOV_MAX ? n : DISK_IOV_MAX;
		memcpy(iov, req->iov + i, n * sizeof(iov[0]));
		err = disk_transfer(d, req->op == DISK_WRITE, iov, n, &offset);
		i += n;
	}
	*ret_bytes = offset - req->offset;
	return err;
}

static void disk_count(struct disk *d, enum disk_operation op, uint64_t bytes, int err)
{
	if (err) {
		d->stats.errors++;
		return;
	}
	switch (op) {
	case DISK_READ:
		d->stats.reads++;
		d->stats.read_bytes += bytes;
		break;
	case DISK_WRITE:
		d->stats.writes++;
		d->stats.write_bytes += bytes;
		break;
	case DISK_FLUSH: d->stats.flushes++; break;
	}
}

static void *disk_worker(void *arg)
{
	struct disk *d = arg;

	pthread_setname_np(pthread_self(), "disk");
	pthread_mutex_lock(&d->lock);
	for (;;) {
		struct disk_request *req = d->head;
		enum disk_operation op;
		uint64_t bytes = 0;
		int err;

		if (!req) {
			pthread_cond_broadcast(&d->idle);
			if (d->quit)
				break;
			pthread_cond_wait(&d->work, &d->lock);
			continue;
		}
		d->head = req->next;
		if (!d->head)
			d->tail = &d->head;
		d->busy = true;
		pthread_mutex_unlock(&d->lock);
		op = req->op;
		err = disk_run(d, req, &bytes);
		if (err && d->p.failed)
			d->p.failed(d->p.opaque, d->id, op, err);
		/* Counted before the guest can know, so that statistics never lag behind it. */
		pthread_mutex_lock(&d->lock);
		disk_count(d, op, bytes, err);
		pthread_mutex_unlock(&d->lock);
		req->done(req, err);
		pthread_mutex_lock(&d->lock);
		d->busy = false;
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static int disk_lock_image(int fd, bool read_only)
{
	struct flock lock = {
		.l_type = read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

static int disk_size(int fd, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret) < 0 ? -errno : 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* Open, lock and measure the file. */
static int disk_open_image(struct disk *d, const struct disk_params *p, struct ioemu_error *err)
{
	int result;

	/* O_NONBLOCK: a FIFO in place of the image must not hang us; it is refused below. */
	d->fd = open(p->path, (p->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return ioemu_error_set(err,
				       errno == ENOENT ? "image-not-found" : "image-unreadable",
				       "%s: %s: %s", p->field, p->path, strerror(errno));
	if (disk_size(d->fd, &d->bytes) < 0)
		return ioemu_error_set(err, "image-invalid",
				       "%s: %s: neither a file nor a block device", p->field,
				       p->path);
	result = disk_lock_image(d->fd, p->read_only);
	if (result == -EAGAIN || result == -EACCES)
		return ioemu_error_set(err, "image-in-use", "%s: %s: another domain has it open",
				       p->field, p->path);
	if (result < 0)
		return ioemu_error_set(err, "image-unreadable", "%s: %s: cannot be locked: %s",
				       p->field, p->path, strerror(-result));
	/* A CD-ROM image may end in padding; a disk of half a sector is no disk. */
	if (p->block_bytes == 512 && d->bytes % 512)
		return ioemu_error_set(err, "image-invalid",
				       "%s: %s: size %llu is not a multiple of 512 bytes", p->field,
				       p->path, (unsigned long long)d->bytes);
	d->bytes -= d->bytes % p->block_bytes;
	if (!d->bytes)
		return ioemu_error_set(err, "image-invalid", "%s: %s: is empty", p->field, p->path);
	return 0;
}

static int disk_start_worker(struct disk *d)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, DISK_STACK_BYTES);
	err = pthread_create(&d->worker, &attr, disk_worker, d);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	d->worker_runs = !err;
	return err;
}

int disk_open(const struct disk_params *p, struct disk **ret, struct ioemu_error *err)
{
	struct disk *d = calloc(1, sizeof(*d));
	int result;

	if (!d)
		return ioemu_error_set(err, "no-memory", "%s: out of memory", p->field);
	d->p = *p;
	d->fd = -1;
	d->tail = &d->head;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->work, NULL);
	pthread_cond_init(&d->idle, NULL);
	d->id = strdup(p->id);
	result = disk_open_image(d, p, err);
	if (!result && (!d->id || disk_start_worker(d) != 0))
		result = ioemu_error_set(err, "no-memory", "%s: no thread", p->field);
	if (result) {
		disk_close(d);
		return result;
	}
	*ret = d;
	return 0;
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	if (d->worker_runs) {
		pthread_mutex_lock(&d->lock);
		d->quit = true;
		pthread_cond_signal(&d->work);
		pthread_mutex_unlock(&d->lock);
		pthread_join(d->worker, NULL);
	}
	if (d->fd >= 0)
		close(d->fd);
	pthread_cond_destroy(&d->work);
	pthread_cond_destroy(&d->idle);
	pthread_mutex_destroy(&d->lock);
	free(d->id);
	free(d);
}

void disk_submit(struct disk *d, struct disk_request *req)
{
	req->next = NULL;
	pthread_mutex_lock(&d->lock);
	*d->tail = req;
	d->tail = &req->next;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

void disk_drain(struct disk *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->head || d->busy)
		pthread_cond_wait(&d->idle, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

uint64_t disk_bytes(const struct disk *d)
{
	return d->bytes;
}

bool disk_is_read_only(const struct disk *d)
{
	return d->p.read_only;
}

const char *disk_id(const struct disk *d)
{
	return d->id;
}

void disk_stats_get(struct disk *d, struct disk_stats *ret)
{
	pthread_mutex_lock(&d->lock);
	*ret = d->stats;
	pthread_mutex_unlock(&d->lock);
}
