/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_intercept.c - where an access goes: a chip of the core, a doorbell, the ring, or ioemu; and
 * what happens to each of them when the instruction runs again.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_domain.h"

static struct domain *d;
static struct vcpu *v;
static struct hvm_ioreq *r;
static int fd;

/* A chip of the test: 16 bytes at PORT and at GPA; offset 8 goes to ioemu. */
#define CHIP_PORT 0x5000u
#define CHIP_GPA  0xfd000000ull

static struct {
	unsigned int reads, writes;
	uint64_t offset, value;
	unsigned int size;
} chip;

static int chip_read(struct vcpu *on, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
{
	assert_ptr_equal(on, v);
	assert_ptr_equal(dev, &chip);
	if (offset == 8)
		return -HVM_EOPNOTSUPP;
	chip.reads++;
	chip.offset = offset;
	chip.size = size;
	*ret = 0x1122334455667788;
	return 0;
}

static int chip_write(struct vcpu *on, void *dev, uint64_t offset, unsigned int size,
		      uint64_t value)
{
	assert_ptr_equal(on, v);
	assert_ptr_equal(dev, &chip);
	if (offset == 8)
		return -HVM_EOPNOTSUPP;
	chip.writes++;
	chip.offset = offset;
	chip.size = size;
	chip.value = value;
	return 0;
}

static int setup(void **state)
{
	struct hvm_intercept i = { CHIP_PORT, 16, chip_read, chip_write, &chip };

	(void)state;
	d = fake_domain_create(1);
	v = d->vcpu[0];
	r = &v->ioreq_page->req;
	memset(&chip, 0, sizeof(chip));
	assert_int_equal(hvm_pio_register(d, &i), 0);
	i.base = CHIP_GPA;
	assert_int_equal(hvm_mmio_register(d, &i), 0);
	fd = eventfd(0, EFD_NONBLOCK);
	assert_true(fd >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(fd);
	fake_domain_destroy(d);
	return 0;
}

static void serve(uint64_t data)
{
	assert_int_equal(r->state, HVM_IOREQ_STATE_READY);
	if (!r->is_write)
		r->data = data;
	r->state = HVM_IOREQ_STATE_DONE;
	assert_true(ioreq_complete(v));
}

static uint64_t rings(void)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static unsigned int ring_used(void)
{
	return d->bufioreq->write_index - d->bufioreq->read_index;
}

/* -- chips ---------------------------------------------------------------------------------------
 */

static void a_chip_sees_offsets_and_gives_no_more_than_the_size(void **state)
{
	uint32_t pio = 0;
	uint64_t mmio = 0;

	(void)state;
	assert_int_equal(hvm_pio_read(v, CHIP_PORT + 3, 1, &pio), 0);
	assert_int_equal(pio, 0x88);
	assert_int_equal(chip.offset, 3);
	assert_int_equal(hvm_pio_read(v, CHIP_PORT + 12, 4, &pio), 0);
	assert_int_equal(pio, 0x55667788);
	assert_int_equal(hvm_mmio_read(v, CHIP_GPA, 8, &mmio), 0);
	assert_int_equal(mmio, 0x1122334455667788);
	assert_int_equal(hvm_mmio_read(v, CHIP_GPA + 14, 2, &mmio), 0);
	assert_int_equal(mmio, 0x7788);
	assert_int_equal(hvm_mmio_write(v, CHIP_GPA + 4, 4, 0xcafe), 0);
	assert_int_equal(chip.value, 0xcafe);
	assert_int_equal(chip.reads, 4);
	assert_int_equal(chip.writes, 1);
	assert_int_equal(v->stats.ioreq, 0);
}

static void ports_and_memory_are_two_spaces(void **state)
{
	uint64_t mmio = 0;

	(void)state;
	assert_int_equal(hvm_mmio_read(v, CHIP_PORT, 4, &mmio), -HVM_EAGAIN);
	assert_int_equal(r->type, HVM_IOREQ_MMIO);
	assert_int_equal(chip.reads, 0);
}

static void what_does_not_lie_inside_a_chip_is_ioemus(void **state)
{
	static const struct {
		uint64_t gpa;
		unsigned int size;
	} row[] = {
		{ CHIP_GPA - 1, 1 },   { CHIP_GPA - 2, 4 },
		{ CHIP_GPA + 16, 1 },  { CHIP_GPA + 13, 4 },
		{ CHIP_GPA + 9, 8 },   { UINT64_MAX, 1 },
		{ UINT64_MAX - 3, 8 }, { 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		uint64_t value = 0;

		assert_int_equal(hvm_mmio_read(v, row[i].gpa, row[i].size, &value), -HVM_EAGAIN);
		assert_int_equal(r->address, row[i].gpa);
		serve(1);
		hvm_io_retire(v);
	}
	assert_int_equal(chip.reads, 0);
}

static void a_chip_may_leave_an_access_to_ioemu(void **state)
{
	uint32_t value = 0;

	(void)state;
	assert_int_equal(hvm_pio_read(v, CHIP_PORT + 8, 2, &value), -HVM_EAGAIN);
	serve(0x99);
	assert_int_equal(hvm_pio_read(v, CHIP_PORT + 8, 2, &value), 0);
	assert_int_equal(value, 0x99);
	assert_int_equal(hvm_pio_write(v, CHIP_PORT + 8, 2, 7), -HVM_EAGAIN);
	assert_int_equal(r->data, 7);
}

static void tables_are_bounded(void **state)
{
	struct hvm_intercept i = { 0x6400, 2, chip_read, chip_write, &chip };
	unsigned int n = 0;
	int rc;

	(void)state;
	/* From above to below: they are sorted. */
	while (!(rc = hvm_pio_register(d, &i))) {
		assert_true(++n < 200);
		i.base -= 4;
	}
	assert_int_equal(rc, -HVM_ENOSPC);
}

static void ranges_that_overlap_are_refused(void **state)
{
	static const struct {
		uint64_t base, bytes;
		int rc;
	} rows[] = { { 0x6500, 8, 0 },
		     { 0x6500, 8, -HVM_EEXIST },
		     { 0x64ff, 2, -HVM_EEXIST },
		     { 0x6507, 1, -HVM_EEXIST },
		     { 0x64f0, 64, -HVM_EEXIST },
		     { 0x6508, 1, 0 },
		     { 0x64ff, 1, 0 } };

	(void)state;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		const struct hvm_intercept i = { rows[n].base, rows[n].bytes, chip_read, chip_write,
						 &chip };

		assert_int_equal(hvm_pio_register(d, &i), rows[n].rc);
	}
}

/* -- the ring ------------------------------------------------------------------------------------
 */

static void writes_to_a_batching_range_do_not_stop_the_vcpu(void **state)
{
	struct hvm_bufioreq b;
	uint64_t value = 0;

	(void)state;
	assert_int_equal(intercept_add_buffered(d, HVM_IOREQ_MMIO, 0xa0000, 0x20000), 0);
	assert_int_equal(hvm_mmio_write(v, 0xbffff, 1, 0x41), 0);
	assert_int_equal(hvm_mmio_write(v, 0xa0000, 8, 0x4242424242424242), 0);
	assert_true(bufioreq_pop(d, &b));
	assert_int_equal(b.address, 0xbffff);
	assert_int_equal(b.data, 0x41);
	assert_int_equal(b.type, HVM_IOREQ_MMIO);
	assert_true(bufioreq_pop(d, &b));
	assert_int_equal(b.size, 8);
	/* Its neighbours, the same numbers as ports, and reads are not batched. */
	assert_int_equal(hvm_mmio_write(v, 0xc0000, 1, 1), -HVM_EAGAIN);
	serve(0);
	hvm_io_retire(v);
	assert_int_equal(hvm_mmio_read(v, 0xa0000, 1, &value), -HVM_EAGAIN);
	assert_int_equal(v->stats.bufioreq, 2);
}

static void a_write_that_finds_the_ring_full_is_synchronous_and_made_once(void **state)
{
	(void)state;
	assert_int_equal(intercept_add_buffered(d, HVM_IOREQ_PIO, 0xe9, 1), 0);
	for (unsigned int i = 0; i < HVM_BUFIOREQ_SLOTS; i++)
		assert_int_equal(hvm_pio_write(v, 0xe9, 1, i), 0);
	assert_int_equal(hvm_pio_write(v, 0xe9, 1, 0xff), -HVM_EAGAIN);
	assert_int_equal(r->data, 0xff);
	/* ioemu drains, serves, and the instruction runs again: now there is room. */
	d->bufioreq->read_index = d->bufioreq->write_index;
	serve(0);
	assert_int_equal(hvm_pio_write(v, 0xe9, 1, 0xff), 0);
	assert_int_equal(ring_used(), 0);
	hvm_io_retire(v);
	assert_int_equal(hvm_pio_write(v, 0xe9, 1, 0xff), 0);
	assert_int_equal(ring_used(), 1);
}

/* A bug that was: batched again and again, and the access behind it was made twice. */
static void a_batched_write_before_a_request_is_sent_once(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(intercept_add_buffered(d, HVM_IOREQ_MMIO, 0xa0000, 0x20000), 0);
	assert_int_equal(hvm_mmio_write(v, 0xbfffc, 4, 1), 0);
	assert_int_equal(hvm_mmio_read(v, 0xfe000000, 4, &value), -HVM_EAGAIN);
	serve(5);
	assert_int_equal(hvm_mmio_write(v, 0xbfffc, 4, 1), 0);
	assert_int_equal(hvm_mmio_read(v, 0xfe000000, 4, &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(ring_used(), 1);
	assert_int_equal(v->stats.ioreq, 1);
	/* A batched write behind it is new. */
	assert_int_equal(hvm_mmio_write(v, 0xb0000, 4, 2), 0);
	assert_int_equal(ring_used(), 2);
}

static void batching_ranges_are_bounded(void **state)
{
	unsigned int n = 0;
	int rc;

	(void)state;
	while (!(rc = intercept_add_buffered(d, HVM_IOREQ_PIO, n, 1)))
		assert_true(++n < 1000);
	assert_int_equal(rc, -HVM_ENOSPC);
}

/* -- doorbells -----------------------------------------------------------------------------------
 */

static void a_doorbell_rings_for_its_write_only(void **state)
{
	const struct hvm_doorbell bell = { .address = 0xfe003000,
					   .match = 2,
					   .eventfd = fd,
					   .type = HVM_IOREQ_MMIO,
					   .size = 2,
					   .has_match = true };
	static const struct {
		uint64_t gpa, value;
		unsigned int size;
		bool rings;
	} row[] = {
		{ 0xfe003000, 2, 2, true },  { 0xfe003000, 3, 2, false },
		{ 0xfe003000, 2, 4, false }, { 0xfe003000, 2, 1, false },
		{ 0xfe003002, 2, 2, false }, { 0xfe003000, 2, 2, true },
	};

	(void)state;
	assert_int_equal(intercept_add_doorbell(d, &bell), 0);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		int rc = hvm_mmio_write(v, row[i].gpa, row[i].size, row[i].value);

		assert_int_equal(rc, row[i].rings ? 0 : -HVM_EAGAIN);
		assert_int_equal(rings(), row[i].rings);
		if (!row[i].rings) {
			serve(0);
			hvm_io_retire(v);
		}
	}
	assert_int_equal(v->stats.doorbell, 2);
}

static void a_doorbell_of_any_size_and_value(void **state)
{
	const struct hvm_doorbell bell = { .address = 0xc050,
					   .eventfd = fd,
					   .type = HVM_IOREQ_PIO };

	(void)state;
	assert_int_equal(intercept_add_doorbell(d, &bell), 0);
	assert_int_equal(hvm_pio_write(v, 0xc050, 1, 1), 0);
	assert_int_equal(hvm_pio_write(v, 0xc050, 2, 77), 0);
	assert_int_equal(hvm_pio_write(v, 0xc050, 4, 0xffffffff), 0);
	assert_int_equal(rings(), 3);
	assert_int_equal(intercept_remove_doorbell(d, HVM_IOREQ_MMIO, 0xc050, fd), -HVM_ENOENT);
	assert_int_equal(intercept_remove_doorbell(d, HVM_IOREQ_PIO, 0xc050, fd + 1), -HVM_ENOENT);
	assert_int_equal(intercept_remove_doorbell(d, HVM_IOREQ_PIO, 0xc050, fd), 0);
	assert_int_equal(intercept_remove_doorbell(d, HVM_IOREQ_PIO, 0xc050, fd), -HVM_ENOENT);
	assert_int_equal(hvm_pio_write(v, 0xc050, 1, 1), -HVM_EAGAIN);
}

static void a_doorbell_goes_before_the_ring(void **state)
{
	const struct hvm_doorbell bell = { .address = 0xa0000,
					   .eventfd = fd,
					   .type = HVM_IOREQ_MMIO };

	(void)state;
	assert_int_equal(intercept_add_buffered(d, HVM_IOREQ_MMIO, 0xa0000, 0x1000), 0);
	assert_int_equal(intercept_add_doorbell(d, &bell), 0);
	assert_int_equal(hvm_mmio_write(v, 0xa0000, 4, 1), 0);
	assert_int_equal(rings(), 1);
	assert_int_equal(ring_used(), 0);
}

static void a_doorbell_before_a_request_rings_once(void **state)
{
	const struct hvm_doorbell bell = { .address = 0xfe003000,
					   .eventfd = fd,
					   .type = HVM_IOREQ_MMIO };
	uint64_t value = 0;

	(void)state;
	assert_int_equal(intercept_add_doorbell(d, &bell), 0);
	assert_int_equal(hvm_mmio_write(v, 0xfe003000, 4, 1), 0);
	assert_int_equal(hvm_mmio_read(v, 0xfe000000, 4, &value), -HVM_EAGAIN);
	serve(5);
	assert_int_equal(hvm_mmio_write(v, 0xfe003000, 4, 1), 0);
	assert_int_equal(hvm_mmio_read(v, 0xfe000000, 4, &value), 0);
	assert_int_equal(rings(), 1);
}

static void doorbells_are_bounded(void **state)
{
	struct hvm_doorbell bell = { .eventfd = fd, .type = HVM_IOREQ_PIO };
	int rc;

	(void)state;
	while (!(rc = intercept_add_doorbell(d, &bell)))
		assert_true(++bell.address < 1000);
	assert_int_equal(rc, -HVM_ENOSPC);
	assert_int_equal(intercept_remove_doorbell(d, HVM_IOREQ_PIO, 5, fd), 0);
	assert_int_equal(intercept_add_doorbell(d, &bell), 0);
}

/* -- string I/O ----------------------------------------------------------------------------------
 */

static void string_io_to_a_chip_goes_element_by_element(void **state)
{
	uint16_t buf[4] = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(hvm_pio_read_rep(v, CHIP_PORT, 2, 4 - i, buf + i), 1);
	assert_int_equal(chip.reads, 4);
	assert_int_equal(buf[3], 0x7788);
	assert_int_equal(hvm_pio_write_rep(v, CHIP_PORT + 2, 2, 4, buf), 1);
	assert_int_equal(chip.value, 0x7788);
	assert_int_equal(v->stats.ioreq, 0);
}

static void one_element_is_an_ordinary_request(void **state)
{
	uint8_t buf = 0;

	(void)state;
	assert_int_equal(hvm_pio_read_rep(v, 0x1f0, 1, 1, &buf), -HVM_EAGAIN);
	assert_int_equal(r->count, 1);
	serve(0x3c);
	assert_int_equal(hvm_pio_read_rep(v, 0x1f0, 1, 1, &buf), 1);
	assert_int_equal(buf, 0x3c);
	/* The next element of the same instruction is another access. */
	assert_int_equal(hvm_pio_read_rep(v, 0x1f0, 1, 1, &buf), -HVM_EAGAIN);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_chip_sees_offsets_and_gives_no_more_than_the_size),
		TEST(ports_and_memory_are_two_spaces),
		TEST(what_does_not_lie_inside_a_chip_is_ioemus),
		TEST(a_chip_may_leave_an_access_to_ioemu),
		TEST(tables_are_bounded),
		TEST(ranges_that_overlap_are_refused),
		TEST(writes_to_a_batching_range_do_not_stop_the_vcpu),
		TEST(a_write_that_finds_the_ring_full_is_synchronous_and_made_once),
		TEST(a_batched_write_before_a_request_is_sent_once),
		TEST(batching_ranges_are_bounded),
		TEST(a_doorbell_rings_for_its_write_only),
		TEST(a_doorbell_of_any_size_and_value),
		TEST(a_doorbell_goes_before_the_ring),
		TEST(a_doorbell_before_a_request_rings_once),
		TEST(doorbells_are_bounded),
		TEST(string_io_to_a_chip_goes_element_by_element),
		TEST(one_element_is_an_ordinary_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
