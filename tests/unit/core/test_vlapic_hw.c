/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of devices/vlapic_hw.c: what a processor that keeps a LAPIC finds in its page, and leaves.
 */
#include "fake_domain.h"

static _Alignas(4096) uint8_t page[4096];

static uint32_t *reg(unsigned int offset)
{
	return (uint32_t *)(void *)(page + offset);
}

static int setup(void **state)
{
	struct domain *d = fake_domain_create(2);

	memset(page, 0, sizeof(page));
	for (unsigned int i = 0; i < 2; i++) {
		fake_lapic_enable(d->vcpu[i]);
		fake_requests(d->vcpu[i]);
	}
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	fake_domain_destroy(*state);
	return 0;
}

static void the_page_shows_the_registers(void **state)
{
	struct domain *d = *state;
	static const unsigned int offsets[] = { 0x20, 0x30, 0xd0, 0xe0, 0xf0, 0x320, 0x350, 0x380 };

	fake_lapic_write(d->vcpu[1], 0xd0, 0x02000000);
	fake_lapic_write(d->vcpu[1], 0x320, 0x300ec);
	fake_lapic_write(d->vcpu[1], 0x380, 1000);
	vlapic_hw_fill(d->vcpu[1], page);
	for (size_t n = 0; n < HVM_ARRAY_SIZE(offsets); n++)
		assert_int_equal(*reg(offsets[n]), fake_lapic_read(d->vcpu[1], offsets[n]));
	assert_int_equal(*reg(0x20), 1u << 24);
}

static void requests_go_to_the_page_and_come_back(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];
	struct vlapic_hw hw;

	vlapic_accept(v, 0x41, false);
	vlapic_accept(v, 0xd2, false);
	assert_int_equal(fake_take(v), 0xd2); /* in service */
	vlapic_accept(v, 0xe3, true);
	vlapic_cr8_write(v, 3);
	vlapic_hw_lend(v, page, &hw);
	assert_int_equal(hw.requested, 0xe3);
	assert_int_equal(hw.in_service, 0xd2);
	assert_int_equal(*reg(0x80), 0x30);
	assert_int_equal(*reg(0x220), 1u << 1);	 /* 0x41 */
	assert_int_equal(*reg(0x270), 1u << 3);	 /* 0xe3 */
	assert_int_equal(*reg(0x160), 1u << 18); /* 0xd2 */
	assert_int_equal(vlapic_pending_vector(v), -1);
	/* While it runs: one more request, and the processor delivers the highest. */
	vlapic_accept(v, 0x42, false);
	*reg(0x270) = 0;
	*reg(0x170) = 1u << 3;
	*reg(0x80) = 0x20;
	vlapic_hw_take_back(v, page);
	assert_int_equal(*reg(0x220), 0);
	assert_int_equal(vlapic_cr8_read(v), 2);
	assert_int_equal(fake_lapic_read(v, 0x170), 1u << 3);
	assert_int_equal(fake_lapic_read(v, 0x220), 3u << 1);
	assert_int_equal(vlapic_pending_vector(v), -1);
	fake_lapic_write(v, 0xb0, 0);
	fake_lapic_write(v, 0xb0, 0);
	assert_int_equal(fake_take(v), 0x42);
}

static void ends_of_level_interrupts_are_asked_for(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];
	struct vlapic_hw hw;

	vlapic_accept(v, 0x31, true);
	vlapic_accept(v, 0x7f, true);
	vlapic_accept(v, 0x80, false);
	vlapic_hw_lend(v, page, &hw);
	assert_int_equal(hw.eoi_exit[0], 1ull << 0x31);
	assert_int_equal(hw.eoi_exit[1], 1ull << 0x3f);
	assert_int_equal(hw.eoi_exit[2], 0);
	assert_int_equal(hw.eoi_exit[3], 0);
}

static void an_ipi_goes_where_the_page_says(void **state)
{
	struct domain *d = *state;

	vlapic_hw_fill(d->vcpu[0], page);
	*reg(0x310) = 1u << 24; /* written without our knowing */
	*reg(0x300) = 0x4055;
	vlapic_hw_written(d->vcpu[0], page, 0x300);
	assert_int_equal(vlapic_pending_vector(d->vcpu[1]), 0x55);
	assert_int_equal(vlapic_pending_vector(d->vcpu[0]), -1);
	assert_int_equal(fake_lapic_read(d->vcpu[0], 0x310), 1u << 24);
}

static void what_is_written_is_what_the_register_takes(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	vlapic_hw_fill(v, page);
	*reg(0x320) = 0xffffffff;
	vlapic_hw_written(v, page, 0x320);
	assert_int_equal(*reg(0x320), fake_lapic_read(v, 0x320));
	assert_int_not_equal(*reg(0x320), 0xffffffff);
	/* Switched off by software, all entries are masked. */
	*reg(0xf0) = 0xff;
	vlapic_hw_written(v, page, 0xf0);
	assert_true(*reg(0x350) & 0x10000);
}

static void an_x2apic_is_not_for_the_page(void **state)
{
	struct domain *d = *state;
	uint64_t base;

	assert_true(vlapic_hw_usable(d->vcpu[0]));
	assert_int_equal(vlapic_msr_read(d->vcpu[0], 0x1b, &base), 0);
	assert_int_equal(vlapic_msr_write(d->vcpu[0], 0x1b, base | 0x400), 0);
	assert_false(vlapic_hw_usable(d->vcpu[0]));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_page_shows_the_registers),
		TEST(requests_go_to_the_page_and_come_back),
		TEST(ends_of_level_interrupts_are_asked_for),
		TEST(an_ipi_goes_where_the_page_says),
		TEST(what_is_written_is_what_the_register_takes),
		TEST(an_x2apic_is_not_for_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
