/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_disk_raw.c - images: opening, locking, transfers, errors.
 */
#include "machine_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

struct images {
	char path[64];
	int fd;
	int last_result;
	unsigned int done;
	unsigned int failures;
};

static int images_setup(void **state)
{
	struct images *s = calloc(1, sizeof(*s));

	snprintf(s->path, sizeof(s->path), "/tmp/hvm-test-disk-XXXXXX");
	s->fd = mkstemp(s->path);
	assert_true(s->fd >= 0);
	assert_int_equal(ftruncate(s->fd, 1 << 20), 0);
	*state = s;
	return 0;
}

static int images_teardown(void **state)
{
	struct images *s = *state;

	close(s->fd);
	unlink(s->path);
	free(s);
	return 0;
}

static void images_failed(void *opaque, const char *id, enum disk_operation op, int err)
{
	struct images *s = opaque;

	assert_string_equal(id, "root");
	assert_int_equal(op, DISK_WRITE);
	assert_int_equal(err, -EFBIG);
	s->failures++;
}

static int images_open(struct images *s, bool read_only, unsigned int block, struct disk **ret,
		       struct ioemu_error *err)
{
	const struct disk_params p = {
		.id = "root",
		.path = s->path,
		.field = "disks[0].path",
		.read_only = read_only,
		.block_bytes = block,
		.failed = images_failed,
		.opaque = s,
	};

	return disk_open(&p, ret, err);
}

static void images_done(struct disk_request *req, int result)
{
	struct images *s = req->opaque;

	s->last_result = result;
	s->done++;
}

static int transfer(struct images *s, struct disk *d, enum disk_operation op, uint64_t offset,
		    const struct iovec *iov, unsigned int count)
{
	struct disk_request req = {
		.op = op,
		.offset = offset,
		.iov = iov,
		.iov_count = count,
		.done = images_done,
		.opaque = s,
	};

	disk_submit(d, &req);
	disk_drain(d);
	return s->last_result;
}

static void image_is_written_and_read_in_many_pieces(void **state)
{
	struct images *s = *state;
	struct ioemu_error err;
	struct disk *d;
	struct disk_stats stats;
	struct iovec iov[200];
	uint8_t out_buf[200 * 32], in_buf[200 * 32];
	unsigned int i;

	for (i = 0; i < sizeof(out_buf); i++)
		out_buf[i] = (uint8_t)(i * 7);
	assert_int_equal(images_open(s, false, 512, &d, &err), 0);
	for (i = 0; i < 200; i++)
		iov[i] = (struct iovec){ .iov_base = out_buf + 32 * i, .iov_len = 32 };
	assert_int_equal(transfer(s, d, DISK_WRITE, 4096, iov, 200), 0);
	for (i = 0; i < 200; i++)
		iov[i].iov_base = in_buf + 32 * i;
	assert_int_equal(transfer(s, d, DISK_READ, 4096, iov, 200), 0);
	assert_memory_equal(in_buf, out_buf, sizeof(in_buf));
	assert_int_equal(transfer(s, d, DISK_FLUSH, 0, NULL, 0), 0);
	disk_stats_get(d, &stats);
	assert_int_equal(stats.read_bytes, sizeof(in_buf));
	assert_int_equal(stats.write_bytes, sizeof(in_buf));
	assert_int_equal(stats.flushes, 1);
	disk_close(d);
}

static void image_is_locked_against_a_second_writer(void **state)
{
	struct images *s = *state;
	struct ioemu_error err;
	struct disk *a, *b, *c;

	assert_int_equal(images_open(s, false, 512, &a, &err), 0);
	assert_int_equal(images_open(s, false, 512, &b, &err), -1);
	assert_string_equal(err.code, "image-in-use");
	assert_int_equal(images_open(s, true, 512, &b, &err), -1);
	assert_string_equal(err.code, "image-in-use");
	disk_close(a);
	/* Readers share. */
	assert_int_equal(images_open(s, true, 512, &b, &err), 0);
	assert_int_equal(images_open(s, true, 512, &c, &err), 0);
	assert_int_equal(images_open(s, false, 512, &a, &err), -1);
	assert_string_equal(err.code, "image-in-use");
	disk_close(b);
	disk_close(c);
}

static void image_that_cannot_serve_is_refused(void **state)
{
	struct images *s = *state;
	struct ioemu_error err;
	struct disk *d;
	char good[64];

	assert_int_equal(ftruncate(s->fd, 1000), 0);
	assert_int_equal(images_open(s, false, 512, &d, &err), -1);
	assert_string_equal(err.code, "image-invalid");
	/* A CD-ROM image is rounded down. */
	assert_int_equal(ftruncate(s->fd, 5000), 0);
	assert_int_equal(images_open(s, true, 2048, &d, &err), 0);
	assert_int_equal(disk_bytes(d), 4096);
	disk_close(d);
	assert_int_equal(ftruncate(s->fd, 0), 0);
	assert_int_equal(images_open(s, false, 512, &d, &err), -1);
	assert_string_equal(err.code, "image-invalid");
	memcpy(good, s->path, sizeof(good));
	snprintf(s->path, sizeof(s->path), "/nonexistent/disk.img");
	assert_int_equal(images_open(s, false, 512, &d, &err), -1);
	assert_string_equal(err.code, "image-not-found");
	assert_string_equal(err.detail,
			    "disks[0].path: /nonexistent/disk.img: No such file or directory");
	snprintf(s->path, sizeof(s->path), "/dev/null");
	assert_int_equal(images_open(s, true, 512, &d, &err), -1);
	assert_string_equal(err.code, "image-invalid");
	snprintf(s->path, sizeof(s->path), "/tmp");
	assert_int_equal(images_open(s, false, 512, &d, &err), -1);
	memcpy(s->path, good, sizeof(good));
}

/* A write that the host's file system refuses comes back as an error and is reported. */
static void write_error_is_reported_and_the_image_goes_on(void **state)
{
	struct images *s = *state;
	const struct rlimit small = { 4096, RLIM_INFINITY };
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	uint8_t buf[512] = { 1 };
	const struct iovec iov = { .iov_base = buf, .iov_len = 512 };
	struct ioemu_error err;
	struct disk_stats stats;
	struct disk *d;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(images_open(s, false, 512, &d, &err), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(transfer(s, d, DISK_WRITE, 8192, &iov, 1), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &any), 0);
	assert_int_equal(s->failures, 1);
	assert_int_equal(transfer(s, d, DISK_WRITE, 8192, &iov, 1), 0);
	disk_stats_get(d, &stats);
	assert_int_equal(stats.errors, 1);
	assert_int_equal(stats.writes, 1);
	disk_close(d);
}

#define T(fact) cmocka_unit_test_setup_teardown(fact, images_setup, images_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(image_is_written_and_read_in_many_pieces),
		T(image_is_locked_against_a_second_writer),
		T(image_that_cannot_serve_is_refused),
		T(write_error_is_reported_and_the_image_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
