/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of devices/vpic.c. */
#include "fake_domain.h"

static int setup(void **state)
{
	struct domain *d = fake_domain_create(2);

	fake_pic_init(d);
	fake_requests(d->vcpu[0]);
	fake_requests(d->vcpu[1]);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	fake_domain_destroy(*state);
	return 0;
}

static void edge_is_latched_and_taken_once(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 3, true);
	vpic_set_irq(d, 3, false);
	assert_true(vpic_has_intr(d));
	assert_int_equal(fake_take(d->vcpu[0]), 0x23);
	assert_false(vpic_has_intr(d));
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	fake_outb(d, 0x20, 0x20);
	assert_false(vpic_has_intr(d));
}

static void request_wakes_only_the_vcpu_that_takes_pic_interrupts(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 3, true);
	assert_true(fake_requests(d->vcpu[0]) & HVM_REQ_EVENT);
	assert_int_equal(fake_requests(d->vcpu[1]), 0);
}

static void held_edge_line_is_one_interrupt(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x24);
	fake_outb(d, 0x20, 0x20);
	vpic_set_irq(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	vpic_set_irq(d, 4, false);
	vpic_set_irq(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x24);
}

static void level_line_asks_until_it_falls(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x4d1, 0x08); /* IRQ 11 */
	assert_int_equal(fake_inb(d, 0x4d1), 0x08);
	vpic_set_irq(d, 11, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x2b);
	assert_false(vpic_has_intr(d));
	fake_outb(d, 0xa0, 0x20);
	fake_outb(d, 0x20, 0x20);
	assert_int_equal(fake_take(d->vcpu[0]), 0x2b);
	vpic_set_irq(d, 11, false);
	fake_outb(d, 0xa0, 0x20);
	fake_outb(d, 0x20, 0x20);
	assert_false(vpic_has_intr(d));
}

static void elcr_keeps_the_fixed_lines_edge_triggered(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x4d0, 0xff);
	fake_outb(d, 0x4d1, 0xff);
	assert_int_equal(fake_inb(d, 0x4d0), 0xf8);
	assert_int_equal(fake_inb(d, 0x4d1), 0xde);
}

static void lower_number_interrupts_higher_but_not_the_reverse(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 5, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x25);
	vpic_set_irq(d, 6, true);
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	vpic_set_irq(d, 1, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x21);
	/* Non-specific EOI ends the highest in service. */
	fake_outb(d, 0x20, 0x20);
	fake_outb(d, 0x20, 0x0b);
	assert_int_equal(fake_inb(d, 0x20), 0x20);
	fake_outb(d, 0x20, 0x20);
	assert_int_equal(fake_take(d->vcpu[0]), 0x26);
}

static void slave_comes_through_input_2(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 12, true);
	vpic_set_irq(d, 3, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x2c);
	/* IRQ 3 is below the cascade. */
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	fake_outb(d, 0x20, 0x0b);
	assert_int_equal(fake_inb(d, 0x20), 0x04);
	fake_outb(d, 0xa0, 0x20);
	fake_outb(d, 0x20, 0x20);
	assert_int_equal(fake_take(d->vcpu[0]), 0x23);
}

static void masked_line_waits_for_its_unmasking(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x21, 0x08);
	vpic_set_irq(d, 3, true);
	assert_false(vpic_has_intr(d));
	assert_int_equal(fake_inb(d, 0x21), 0x08);
	fake_outb(d, 0x21, 0x00);
	assert_int_equal(fake_take(d->vcpu[0]), 0x23);
}

static void vanished_level_request_gives_the_spurious_vector(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x4d0, 0x20);
	vpic_set_irq(d, 5, true);
	vpic_set_irq(d, 5, false);
	assert_int_equal(vpic_ack(d), 0x27);
	fake_outb(d, 0x20, 0x0b);
	assert_int_equal(fake_inb(d, 0x20), 0); /* nothing in service */
}

static void specific_eoi_ends_the_named_level(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 5, true);
	fake_take(d->vcpu[0]);
	vpic_set_irq(d, 1, true);
	fake_take(d->vcpu[0]);
	fake_outb(d, 0x20, 0x65);
	fake_outb(d, 0x20, 0x0b);
	assert_int_equal(fake_inb(d, 0x20), 0x02);
}

static void rotation_makes_the_served_one_last(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 3, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x23);
	fake_outb(d, 0x20, 0xa0); /* rotate on non-specific EOI */
	vpic_set_irq(d, 3, false);
	vpic_set_irq(d, 3, true);
	vpic_set_irq(d, 6, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x26);
	fake_outb(d, 0x20, 0x20);
	assert_int_equal(fake_take(d->vcpu[0]), 0x23);
}

static void set_priority_names_the_lowest(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x20, 0xc4); /* 4 is lowest, 5 highest */
	vpic_set_irq(d, 0, true);
	vpic_set_irq(d, 5, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x25);
}

static void special_mask_lets_lower_levels_through(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 1, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x21);
	vpic_set_irq(d, 6, true);
	assert_false(vpic_has_intr(d));
	fake_outb(d, 0x20, 0x68);
	fake_outb(d, 0x21, 0x02);
	assert_int_equal(fake_take(d->vcpu[0]), 0x26);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x20, 0x11);
	fake_outb(d, 0x21, 0x20);
	fake_outb(d, 0x21, 0x04);
	fake_outb(d, 0x21, 0x03);
	vpic_set_irq(d, 5, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x25);
	fake_outb(d, 0x20, 0x0b);
	assert_int_equal(fake_inb(d, 0x20), 0);
	vpic_set_irq(d, 6, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x26);
}

static void poll_acknowledges(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x20, 0x0c);
	assert_int_equal(fake_inb(d, 0x20), 0);
	vpic_set_irq(d, 5, true);
	fake_outb(d, 0x20, 0x0c);
	assert_int_equal(fake_inb(d, 0x20), 0x85);
	assert_false(vpic_has_intr(d));
	fake_outb(d, 0x20, 0x0b);
	assert_int_equal(fake_inb(d, 0x20), 0x20);
}

static void irr_is_read_by_default(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 4, true);
	fake_outb(d, 0x20, 0x0a);
	assert_int_equal(fake_inb(d, 0x20), 0x10);
}

static void lint0_as_fixed_gets_the_output_as_an_edge(void **state)
{
	struct domain *d = *state;

	fake_lapic_enable(d->vcpu[1]);
	fake_lapic_write(d->vcpu[1], 0x350, 0x55);
	vpic_set_irq(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[1]), 0x55);
}

static void hostile_interrupt_numbers_are_ignored(void **state)
{
	struct domain *d = *state;

	vpic_set_irq(d, 2, true);
	vpic_set_irq(d, 16, true);
	vpic_set_irq(d, 4000000000u, true);
	assert_false(vpic_has_intr(d));
}

static void saved_and_loaded_goes_on(void **state)
{
	struct domain *d = *state, *other;
	struct hvm_save_writer w = { 0 };
	struct hvm_save_reader r = { 0 };

	vpic_set_irq(d, 5, true);
	fake_take(d->vcpu[0]);
	vpic_set_irq(d, 9, true);
	vpic_set_irq(d, 6, true);
	assert_int_equal(vpic_save(d, &w), 0);
	other = fake_domain_create(2);
	r.buf = w.buf;
	r.size = w.used;
	assert_int_equal(vpic_load(other, &r, true), 0);
	assert_false(vpic_has_intr(other));
	r.used = 0;
	assert_int_equal(vpic_load(other, &r, false), 0);
	assert_int_equal(r.used, r.size);
	assert_int_equal(fake_take(other->vcpu[0]), 0x29);
	r.used = 0;
	r.size--;
	assert_int_equal(vpic_load(other, &r, true), -HVM_EINVAL);
	domain_destroy(other);
	hvm_os_free(w.buf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(edge_is_latched_and_taken_once),
		TEST(request_wakes_only_the_vcpu_that_takes_pic_interrupts),
		TEST(held_edge_line_is_one_interrupt),
		TEST(level_line_asks_until_it_falls),
		TEST(elcr_keeps_the_fixed_lines_edge_triggered),
		TEST(lower_number_interrupts_higher_but_not_the_reverse),
		TEST(slave_comes_through_input_2),
		TEST(masked_line_waits_for_its_unmasking),
		TEST(vanished_level_request_gives_the_spurious_vector),
		TEST(specific_eoi_ends_the_named_level),
		TEST(rotation_makes_the_served_one_last),
		TEST(set_priority_names_the_lowest),
		TEST(special_mask_lets_lower_levels_through),
		TEST(automatic_eoi_leaves_nothing_in_service),
		TEST(poll_acknowledges),
		TEST(irr_is_read_by_default),
		TEST(lint0_as_fixed_gets_the_output_as_an_edge),
		TEST(hostile_interrupt_numbers_are_ignored),
		TEST(saved_and_loaded_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
