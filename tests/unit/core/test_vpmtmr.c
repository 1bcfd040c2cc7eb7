/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of devices/vpmtmr.c. */
#include "fake_domain.h"

static int setup(void **state)
{
	*state = fake_domain_create(1);
	return 0;
}

static int teardown(void **state)
{
	fake_domain_destroy(*state);
	return 0;
}

static void counts_at_its_frequency_in_24_bits(void **state)
{
	static const struct {
		uint64_t ns;
		uint32_t count;
	} rows[] = {
		{ 0, 0 },
		{ 1000000000, 3579545 },
		{ 1000000, 3579 },
		/* 16777216 ticks are 4.6869 s. */
		{ 4686999999, 16777326 & 0xffffff },
		{ 86400000000000, (uint32_t)(86400ull * 3579545 & 0xffffff) },
	};
	struct domain *d = *state;

	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		fake_jump_to(rows[i].ns);
		if (i == 3)
			assert_true(fake_inl(d, HVM_PMTMR_PORT) < 1000);
		else
			assert_int_equal(fake_inl(d, HVM_PMTMR_PORT), rows[i].count);
	}
}

static void bytes_can_be_read_and_writes_change_nothing(void **state)
{
	struct domain *d = *state;

	fake_jump_to(1000000000);
	assert_int_equal(fake_inb(d, HVM_PMTMR_PORT), 3579545 & 0xff);
	assert_int_equal(fake_inb(d, HVM_PMTMR_PORT + 2), 3579545 >> 16);
	assert_int_equal(fake_inb(d, HVM_PMTMR_PORT + 3), 0);
	fake_outb(d, HVM_PMTMR_PORT, 0x55);
	assert_int_equal(fake_inl(d, HVM_PMTMR_PORT), 3579545);
}

static void saved_and_loaded_goes_on(void **state)
{
	struct domain *d = *state;
	struct hvm_save_writer w = { 0 };
	struct hvm_save_reader r = { 0 };
	struct domain *other;

	fake_jump_to(1000000000);
	assert_int_equal(vpmtmr_save(d, &w), 0);
	other = fake_domain_create(1);
	r.buf = w.buf;
	r.size = w.used;
	fake_jump_to(77777);
	assert_int_equal(vpmtmr_load(other, &r, true), 0);
	r.used = 0;
	assert_int_equal(vpmtmr_load(other, &r, false), 0);
	assert_int_equal(fake_inl(other, HVM_PMTMR_PORT), 3579545);
	w.buf[3] = 1;
	r.used = 0;
	assert_int_equal(vpmtmr_load(other, &r, true), -HVM_EINVAL);
	domain_destroy(other);
	hvm_os_free(w.buf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_at_its_frequency_in_24_bits),
		TEST(bytes_can_be_read_and_writes_change_nothing),
		TEST(saved_and_loaded_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
