/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_ioreq.c - requests to ioemu: an instruction that runs again gets the answers it has had,
 * string I/O in bulk, what a page says that ioemu (or a bug of it) scribbled on, and the ring.
 */
#include "fake_domain.h"

static struct domain *d;
static struct vcpu *v;
static struct hvm_ioreq *r;

static int setup(void **state)
{
	(void)state;
	d = fake_domain_create(1);
	v = d->vcpu[0];
	r = &v->ioreq_page->req;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_domain_destroy(d);
	return 0;
}

static struct hvm_io_access access_of(uint8_t type, uint64_t address, bool is_write, uint8_t size,
				      uint64_t data)
{
	return (struct hvm_io_access){
		.type = type, .address = address, .is_write = is_write, .size = size, .data = data
	};
}

/* The access of an instruction; @ret only when it is answered. */
static int ask(uint8_t type, uint64_t address, bool is_write, uint8_t size, uint64_t *ret)
{
	const struct hvm_io_access a =
		access_of(type, address, is_write, size, is_write ? *ret : 0);

	return ioreq_access(v, &a, ret);
}

/* ioemu serves what is out, then the vcpu is run again. */
static void serve(uint64_t data)
{
	assert_int_equal(r->state, HVM_IOREQ_STATE_READY);
	assert_false(ioreq_complete(v));
	if (!r->is_write)
		r->data = data;
	r->state = HVM_IOREQ_STATE_DONE;
	assert_true(ioreq_complete(v));
	assert_int_equal(r->state, HVM_IOREQ_STATE_FREE);
}

/* -- single accesses ----------------------------------------------------------------------------
 */

static void a_request_says_what_the_instruction_wants(void **state)
{
	uint64_t data = 0x1234;

	(void)state;
	assert_int_equal(ask(HVM_IOREQ_PIO, 0x3f8, true, 2, &data), -HVM_EAGAIN);
	assert_int_equal(r->state, HVM_IOREQ_STATE_READY);
	assert_int_equal(r->type, HVM_IOREQ_PIO);
	assert_int_equal(r->is_write, 1);
	assert_int_equal(r->size, 2);
	assert_int_equal(r->address, 0x3f8);
	assert_int_equal(r->data, 0x1234);
	assert_int_equal(r->count, 1);
	assert_true(ioreq_waits(v));
	serve(0);
	assert_false(ioreq_waits(v));
	assert_int_equal(ask(HVM_IOREQ_PIO, 0x3f8, true, 2, &data), 0);
}

static void an_instruction_of_three_accesses_makes_each_once(void **state)
{
	static const struct {
		uint64_t address;
		bool is_write;
	} insn[] = { { 0xfe000000, false }, { 0xfe000008, false }, { 0xfe000010, true } };

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i <= round; i++) {
			uint64_t data = 0x77;
			int rc = ask(HVM_IOREQ_MMIO, insn[i].address, insn[i].is_write, 8, &data);

			assert_int_equal(rc, i < round ? 0 : -HVM_EAGAIN);
			if (i < round && !insn[i].is_write)
				assert_int_equal(data, 100 + i);
		}
		assert_int_equal(r->address, insn[round].address);
		serve(100 + round);
	}
	assert_int_equal(v->stats.ioreq, 3);
	assert_int_equal(v->replay.done, 3);
	hvm_io_retire(v);
	assert_int_equal(v->replay.done, 0);
}

static void an_answer_is_for_the_same_access_only(void **state)
{
	static const struct hvm_io_access other[] = {
		{ .type = HVM_IOREQ_MMIO, .address = 0x60, .size = 1 },
		{ .type = HVM_IOREQ_PIO, .address = 0x61, .size = 1 },
		{ .type = HVM_IOREQ_PIO, .address = 0x60, .size = 2 },
		{ .type = HVM_IOREQ_PIO, .address = 0x60, .size = 1, .is_write = 1 },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(other); i++) {
		uint64_t data = 0;

		assert_int_equal(ask(HVM_IOREQ_PIO, 0x60, false, 1, &data), -HVM_EAGAIN);
		serve(0x55);
		/* The code changed under it: what was served is void. */
		assert_int_equal(ioreq_access(v, &other[i], &data), -HVM_EAGAIN);
		assert_int_equal(r->address, other[i].address);
		assert_int_equal(v->replay.done, 0);
		serve(0x66);
		data = 0;
		assert_int_equal(ioreq_access(v, &other[i], &data), 0);
		if (!other[i].is_write)
			assert_int_equal(data, 0x66);
		hvm_io_retire(v);
	}
}

static void a_mismatch_in_the_middle_keeps_what_came_before(void **state)
{
	uint64_t data = 0;

	(void)state;
	for (unsigned int n = 0; n < 3; n++) {
		for (unsigned int i = 0; i <= n; i++)
			(void)ask(HVM_IOREQ_MMIO, 0xfe000000 + i * 8, false, 8, &data);
		serve(n);
	}
	assert_int_equal(ask(HVM_IOREQ_MMIO, 0xfe000000, false, 8, &data), 0);
	assert_int_equal(data, 0);
	assert_int_equal(ask(HVM_IOREQ_MMIO, 0xfe001000, false, 8, &data), -HVM_EAGAIN);
	assert_int_equal(v->replay.done, 1);
	serve(9);
	assert_int_equal(v->replay.done, 2);
}

static void an_instruction_without_end_crashes_its_domain(void **state)
{
	uint64_t data = 0;

	(void)state;
	for (unsigned int n = 0; n <= HVM_IO_REPLAY_MAX; n++) {
		for (unsigned int i = 0; i <= n; i++)
			(void)ask(HVM_IOREQ_MMIO, 0xfe000000 + i * 8, false, 8, &data);
		if (n < HVM_IO_REPLAY_MAX)
			serve(n);
	}
	assert_true(hvm_domain_is_crashed(d));
	assert_false(ioreq_waits(v));
	assert_int_equal(r->state, HVM_IOREQ_STATE_FREE);
}

static void a_request_that_is_withdrawn_is_made_again(void **state)
{
	uint64_t data = 0;

	(void)state;
	assert_int_equal(ask(HVM_IOREQ_PIO, 0x60, false, 1, &data), -HVM_EAGAIN);
	r->state = HVM_IOREQ_STATE_FREE;
	assert_true(ioreq_complete(v));
	assert_false(ioreq_waits(v));
	assert_int_equal(ask(HVM_IOREQ_PIO, 0x60, false, 1, &data), -HVM_EAGAIN);
	assert_int_equal(v->stats.ioreq, 2);
}

/* -- a page that is not to be trusted -----------------------------------------------------------
 */

static void a_page_scribbled_on_changes_the_answer_only(void **state)
{
	uint64_t data = 0;

	(void)state;
	assert_int_equal(ask(HVM_IOREQ_PIO, 0x60, false, 1, &data), -HVM_EAGAIN);
	memset(r, 0xff, sizeof(*r));
	r->data = 0x42;
	r->state = HVM_IOREQ_STATE_DONE;
	assert_true(ioreq_complete(v));
	assert_int_equal(v->replay.bulk_count, 0);
	assert_int_equal(ask(HVM_IOREQ_PIO, 0x60, false, 1, &data), 0);
	assert_int_equal(data, 0x42);
}

static void an_answer_that_nobody_asked_for_is_ignored(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2 * HVM_IO_REPLAY_MAX; i++) {
		r->state = HVM_IOREQ_STATE_DONE;
		r->count = i % 2 ? 1 : 4096;
		assert_true(ioreq_complete(v));
	}
	assert_int_equal(v->replay.done, 0);
	assert_int_equal(v->replay.bulk_count, 0);
	/* A state that does not exist counts as withdrawn. */
	r->state = 0x12345678;
	assert_true(ioreq_complete(v));
}

/* A bug that was: the count in the page told how many elements there were to copy. */
static void more_elements_than_asked_for_are_not_taken(void **state)
{
	uint8_t buf[16] = { 0 };

	(void)state;
	assert_int_equal(ioreq_bulk(v, false, 0x1f0, 2, 4, buf), -HVM_EAGAIN);
	r->count = 0xffffffff;
	r->state = HVM_IOREQ_STATE_DONE;
	assert_true(ioreq_complete(v));
	memset(buf, 0x5a, sizeof(buf));
	assert_int_equal(ioreq_bulk(v, false, 0x1f0, 2, 8, buf), 4);
	assert_int_equal(buf[7], 0);
	assert_int_equal(buf[8], 0x5a);
}

/* -- bulk ----------------------------------------------------------------------------------------
 */

static void string_input_comes_in_one_request(void **state)
{
	uint16_t buf[256], want[256];

	(void)state;
	assert_int_equal(ioreq_bulk(v, false, 0x1f0, 2, 256, buf), -HVM_EAGAIN);
	assert_int_equal(r->count, 256);
	assert_int_equal(r->size, 2);
	assert_int_equal(r->address, 0x1f0);
	assert_int_equal(r->is_write, 0);
	for (unsigned int i = 0; i < 256; i++)
		want[i] = (uint16_t)(i * 257);
	memcpy(r->bulk, want, sizeof(want));
	serve(0);
	assert_int_equal(ioreq_bulk(v, false, 0x1f0, 2, 256, buf), 256);
	assert_memory_equal(buf, want, sizeof(want));
	/* And is over. */
	assert_int_equal(ioreq_bulk(v, false, 0x1f0, 2, 256, buf), -HVM_EAGAIN);
}

static void string_output_goes_out_once(void **state)
{
	static const uint32_t words[3] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(hvm_pio_write_rep(v, 0x1f0, 4, 3, words), -HVM_EAGAIN);
	assert_memory_equal(r->bulk, words, sizeof(words));
	serve(0);
	assert_int_equal(hvm_pio_write_rep(v, 0x1f0, 4, 3, words), 3);
	assert_int_equal(v->stats.ioreq, 1);
}

static void a_request_carries_what_fits_and_the_rest_follows(void **state)
{
	static uint8_t buf[5000];
	unsigned int done = 0, requests = 0;

	(void)state;
	while (done < sizeof(buf)) {
		int n = ioreq_bulk(v, false, 0x170, 1, (unsigned int)sizeof(buf) - done,
				   buf + done);

		if (n == -HVM_EAGAIN) {
			assert_in_range(r->count, 1, HVM_IOREQ_DATA_BYTES);
			memset(r->bulk, (int)++requests, r->count);
			r->state = HVM_IOREQ_STATE_DONE;
			assert_true(ioreq_complete(v));
			continue;
		}
		assert_in_range(n, 1, HVM_IOREQ_DATA_BYTES);
		done += (unsigned int)n;
	}
	assert_int_equal(requests, 3);
	assert_int_equal(buf[2047], 1);
	assert_int_equal(buf[2048], 2);
	assert_int_equal(buf[4999], 3);
}

static void ioemu_may_serve_fewer_elements(void **state)
{
	uint8_t buf[8] = { 0 };

	(void)state;
	assert_int_equal(ioreq_bulk(v, false, 0x1f0, 1, 8, buf), -HVM_EAGAIN);
	r->count = 3;
	memset(r->bulk, 7, 8);
	serve(0);
	assert_int_equal(ioreq_bulk(v, false, 0x1f0, 1, 8, buf), 3);
	assert_int_equal(buf[2], 7);
	assert_int_equal(buf[3], 0);
}

static void a_bulk_answer_is_for_the_same_port_only(void **state)
{
	uint8_t buf[8] = { 0 };

	(void)state;
	assert_int_equal(ioreq_bulk(v, false, 0x1f0, 1, 8, buf), -HVM_EAGAIN);
	memset(r->bulk, 7, 8);
	serve(0);
	assert_int_equal(ioreq_bulk(v, false, 0x170, 1, 8, buf), -HVM_EAGAIN);
	assert_int_equal(buf[0], 0);
	assert_int_equal(r->address, 0x170);
	hvm_io_retire(v);
	assert_int_equal(v->replay.bulk_count, 0);
}

/* -- the ring ------------------------------------------------------------------------------------
 */

static void the_ring_takes_its_slots_and_no_more(void **state)
{
	struct hvm_io_access a = access_of(HVM_IOREQ_MMIO, 0xa0000, true, 4, 0);
	struct hvm_bufioreq b;

	(void)state;
	assert_false(bufioreq_pending(d));
	for (a.data = 0; a.data < HVM_BUFIOREQ_SLOTS; a.data++)
		assert_true(bufioreq_push(d, &a));
	assert_false(bufioreq_push(d, &a));
	assert_true(bufioreq_pending(d));
	for (uint64_t i = 0; i < HVM_BUFIOREQ_SLOTS; i++) {
		assert_true(bufioreq_pop(d, &b));
		assert_int_equal(b.data, i);
		assert_int_equal(b.size, 4);
		assert_int_equal(b.address, 0xa0000);
	}
	assert_false(bufioreq_pop(d, &b));
}

/* A bug that was: 168 slots do not divide 2^32, so entries were lost when the index wrapped. */
static void the_ring_goes_on_when_its_index_wraps(void **state)
{
	struct hvm_io_access a = access_of(HVM_IOREQ_PIO, 0xe9, true, 1, 0);
	struct hvm_bufioreq b;

	(void)state;
	d->bufioreq->read_index = d->bufioreq->write_index = UINT32_MAX - 50;
	for (a.data = 0; bufioreq_push(d, &a); a.data++)
		;
	assert_int_equal(a.data, HVM_BUFIOREQ_SLOTS);
	for (uint64_t i = 0; i < HVM_BUFIOREQ_SLOTS; i++) {
		assert_true(bufioreq_pop(d, &b));
		assert_int_equal(b.data, i);
	}
	assert_false(bufioreq_pop(d, &b));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_request_says_what_the_instruction_wants),
		TEST(an_instruction_of_three_accesses_makes_each_once),
		TEST(an_answer_is_for_the_same_access_only),
		TEST(a_mismatch_in_the_middle_keeps_what_came_before),
		TEST(an_instruction_without_end_crashes_its_domain),
		TEST(a_request_that_is_withdrawn_is_made_again),
		TEST(a_page_scribbled_on_changes_the_answer_only),
		TEST(an_answer_that_nobody_asked_for_is_ignored),
		TEST(more_elements_than_asked_for_are_not_taken),
		TEST(string_input_comes_in_one_request),
		TEST(string_output_goes_out_once),
		TEST(a_request_carries_what_fits_and_the_rest_follows),
		TEST(ioemu_may_serve_fewer_elements),
		TEST(a_bulk_answer_is_for_the_same_port_only),
		TEST(the_ring_takes_its_slots_and_no_more),
		TEST(the_ring_goes_on_when_its_index_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
