/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of devices/vioapic.c. */
#include "fake_domain.h"

#define LOGICAL 0x0800u
#define LEVEL	0x8000u
#define MASKED	0x10000u

static int setup(void **state)
{
	struct domain *d = fake_domain_create(3);

	for (unsigned int i = 0; i < 3; i++) {
		fake_lapic_enable(d->vcpu[i]);
		fake_lapic_write(d->vcpu[i], 0x350, MASKED);
		fake_lapic_write(d->vcpu[i], 0xd0, 1u << (24 + i));
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

static void route(struct domain *d, unsigned int pin, uint32_t dest, uint32_t low)
{
	fake_ioapic_write(d, 0x11 + 2 * pin, dest << 24);
	fake_ioapic_write(d, 0x10 + 2 * pin, low);
}

static uint32_t rte(struct domain *d, unsigned int pin)
{
	return fake_ioapic_read(d, 0x10 + 2 * pin);
}

static void eoi(struct vcpu *v)
{
	fake_lapic_write(v, 0xb0, 0);
}

static void identifies_itself(void **state)
{
	struct domain *d = *state;

	assert_int_equal(fake_ioapic_read(d, 1), 0x00170020);
	fake_ioapic_write(d, 0, 0xffffffff);
	assert_int_equal(fake_ioapic_read(d, 0), 0x0f000000);
	assert_int_equal(fake_ioapic_read(d, 2), 0x0f000000);
	assert_int_equal(rte(d, 23), MASKED);
	assert_int_equal(fake_ioapic_read(d, 0x40), 0xffffffff);
}

static void edge_is_sent_once_per_rise(void **state)
{
	struct domain *d = *state;

	route(d, 4, 1, 0x41);
	vioapic_set_pin(d, 4, true);
	vioapic_set_pin(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[1]), 0x41);
	assert_int_equal(fake_take(d->vcpu[1]), -1);
	eoi(d->vcpu[1]);
	assert_int_equal(fake_take(d->vcpu[1]), -1);
	vioapic_set_pin(d, 4, false);
	vioapic_set_pin(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[1]), 0x41);
}

static void level_is_sent_again_at_eoi_while_asserted(void **state)
{
	struct domain *d = *state;

	route(d, 16, 0, LEVEL | 0x60);
	vioapic_set_pin(d, 16, true);
	assert_int_equal(rte(d, 16), LEVEL | 0x4060);
	assert_int_equal(fake_take(d->vcpu[0]), 0x60);
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	eoi(d->vcpu[0]);
	assert_int_equal(fake_take(d->vcpu[0]), 0x60);
	vioapic_set_pin(d, 16, false);
	eoi(d->vcpu[0]);
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	assert_int_equal(rte(d, 16), LEVEL | 0x60);
}

static void masked_level_is_sent_at_unmask_and_masked_edge_is_lost(void **state)
{
	struct domain *d = *state;

	route(d, 16, 0, MASKED | LEVEL | 0x60);
	route(d, 4, 0, MASKED | 0x61);
	vioapic_set_pin(d, 16, true);
	vioapic_set_pin(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	route(d, 4, 0, 0x61);
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	route(d, 16, 0, LEVEL | 0x60);
	assert_int_equal(fake_take(d->vcpu[0]), 0x60);
}

static void eoi_register_ends_a_vector_without_a_broadcast(void **state)
{
	struct domain *d = *state;

	fake_lapic_write(d->vcpu[0], 0xf0, 0x11ff); /* suppress broadcasts */
	route(d, 16, 0, LEVEL | 0x60);
	vioapic_set_pin(d, 16, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x60);
	eoi(d->vcpu[0]);
	assert_int_equal(rte(d, 16), LEVEL | 0x4060);
	assert_int_equal(fake_take(d->vcpu[0]), -1);
	fake_write(d->vcpu[0], HVM_IOAPIC_BASE + 0x40, 4, 0x60);
	assert_int_equal(fake_take(d->vcpu[0]), 0x60);
}

static void going_to_edge_clears_remote_irr(void **state)
{
	struct domain *d = *state;

	route(d, 16, 0, LEVEL | 0x60);
	vioapic_set_pin(d, 16, true);
	fake_ioapic_write(d, 0x30, MASKED | 0x60);
	assert_int_equal(rte(d, 16), MASKED | 0x60);
}

static void read_only_bits_stay(void **state)
{
	struct domain *d = *state;

	fake_ioapic_write(d, 0x10, MASKED | 0x5000 | LEVEL | 0x30);
	assert_int_equal(rte(d, 0), MASKED | LEVEL | 0x30);
	fake_ioapic_write(d, 0x11, 0xffffffff);
	assert_int_equal(fake_ioapic_read(d, 0x11), 0xff000000);
}

static void level_without_a_taker_leaves_remote_irr_clear(void **state)
{
	struct domain *d = *state;

	route(d, 16, 9, LEVEL | 0x60);
	vioapic_set_pin(d, 16, true);
	assert_int_equal(rte(d, 16), LEVEL | 0x60);
	route(d, 16, 2, LEVEL | 0x60);
	assert_int_equal(fake_take(d->vcpu[2]), 0x60);
}

static void logical_destination_reaches_all_its_members(void **state)
{
	struct domain *d = *state;

	route(d, 4, 0x5, LOGICAL | 0x44);
	vioapic_set_pin(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[0]), 0x44);
	assert_int_equal(fake_take(d->vcpu[1]), -1);
	assert_int_equal(fake_take(d->vcpu[2]), 0x44);
}

static void lowest_priority_reaches_one_and_goes_round(void **state)
{
	struct domain *d = *state;
	int taken[3] = { 0 };

	route(d, 4, 0xff, LOGICAL | 0x100 | 0x44);
	for (int i = 0; i < 6; i++) {
		vioapic_set_pin(d, 4, true);
		vioapic_set_pin(d, 4, false);
		for (int n = 0; n < 3; n++) {
			if (fake_take(d->vcpu[n]) == 0x44) {
				taken[n]++;
				eoi(d->vcpu[n]);
			}
		}
	}
	for (int n = 0; n < 3; n++)
		assert_int_equal(taken[n], 2);
	/* A busy one is passed over. */
	fake_lapic_write(d->vcpu[0], 0x80, 0x50);
	fake_lapic_write(d->vcpu[2], 0x80, 0x50);
	vioapic_set_pin(d, 4, true);
	assert_int_equal(fake_take(d->vcpu[1]), 0x44);
}

static void nmi_entry_sends_nmi(void **state)
{
	struct domain *d = *state;

	route(d, 4, 1, 0x400);
	vioapic_set_pin(d, 4, true);
	assert_true(fake_requests(d->vcpu[1]) & HVM_REQ_NMI);
	assert_int_equal(fake_requests(d->vcpu[0]), 0);
}

static void extint_entry_lets_pic_interrupts_in(void **state)
{
	struct domain *d = *state;

	fake_pic_init(d);
	vpic_set_irq(d, 3, true);
	assert_int_equal(fake_take(d->vcpu[1]), -1);
	route(d, 0, 1, 0x700);
	assert_true(fake_requests(d->vcpu[1]) & HVM_REQ_EVENT);
	assert_false(vlapic_accepts_pic(d->vcpu[0]));
	assert_int_equal(fake_take(d->vcpu[1]), 0x23);
	route(d, 0, 1, MASKED | 0x700);
	assert_false(vlapic_accepts_pic(d->vcpu[1]));
}

static void hostile_accesses_do_nothing(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	vioapic_set_pin(d, 24, true);
	vioapic_set_pin(d, UINT32_MAX, true);
	fake_ioapic_write(d, 0xff, 0xffffffff);
	fake_write(v, HVM_IOAPIC_BASE, 4, 0x10);
	fake_write(v, HVM_IOAPIC_BASE + 0x10, 1, 0x30);
	assert_int_equal(rte(d, 0), MASKED);
	assert_int_equal(fake_read(v, HVM_IOAPIC_BASE + 0xffc, 4), 0);
	assert_int_equal(fake_read(v, HVM_IOAPIC_BASE, 1), 0x10);
	fake_write(v, HVM_IOAPIC_BASE + 0x800, 8, UINT64_MAX);
}

static void saved_and_loaded_goes_on(void **state)
{
	struct domain *d = *state, *other;
	struct hvm_save_writer w = { 0 };
	struct hvm_save_reader r = { 0 };

	route(d, 16, 0, LEVEL | 0x60);
	vioapic_set_pin(d, 16, true);
	assert_int_equal(vioapic_save(d, &w), 0);
	other = fake_domain_create(3);
	fake_lapic_enable(other->vcpu[0]);
	r.buf = w.buf;
	r.size = w.used;
	assert_int_equal(vioapic_load(other, &r, true), 0);
	assert_int_equal(rte(other, 16), MASKED);
	r.used = 0;
	assert_int_equal(vioapic_load(other, &r, false), 0);
	assert_int_equal(rte(other, 16), LEVEL | 0x4060);
	vioapic_eoi(other, 0x60);
	assert_int_equal(fake_take(other->vcpu[0]), 0x60);
	w.buf[6] ^= 0xff; /* bits of entry 0 that do not exist */
	w.buf[7] ^= 0xff;
	w.buf[8] ^= 0xff;
	r.used = 0;
	assert_int_equal(vioapic_load(other, &r, true), -HVM_EINVAL);
	domain_destroy(other);
	hvm_os_free(w.buf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identifies_itself),
		TEST(edge_is_sent_once_per_rise),
		TEST(level_is_sent_again_at_eoi_while_asserted),
		TEST(masked_level_is_sent_at_unmask_and_masked_edge_is_lost),
		TEST(eoi_register_ends_a_vector_without_a_broadcast),
		TEST(going_to_edge_clears_remote_irr),
		TEST(read_only_bits_stay),
		TEST(level_without_a_taker_leaves_remote_irr_clear),
		TEST(logical_destination_reaches_all_its_members),
		TEST(lowest_priority_reaches_one_and_goes_round),
		TEST(nmi_entry_sends_nmi),
		TEST(extint_entry_lets_pic_interrupts_in),
		TEST(hostile_accesses_do_nothing),
		TEST(saved_and_loaded_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
