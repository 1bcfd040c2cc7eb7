/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_irq.c - lines and messages: which GSI reaches which chip's pin, what legacy replacement cuts
 * off, and what an MSI's address and data mean. Source: Intel SDM Vol 3A 10.11 "Message Signalled
 * Interrupts"; ACPI 5.2.12.5 "Interrupt Source Override".
 */
#include "fake_domain.h"

static struct domain *d;

static int setup(void **state)
{
	(void)state;
	d = fake_domain_create(4);
	fake_pic_init(d);
	for (unsigned int i = 0; i < 4; i++)
		fake_lapic_enable(d->vcpu[i]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_domain_destroy(d);
	return 0;
}

/* Pin @pin of the IOAPIC: edge, fixed, vector 0x40 + pin, to vcpu 1. */
static void route_pins(void)
{
	for (unsigned int pin = 0; pin < HVM_IOAPIC_PINS; pin++) {
		fake_ioapic_write(d, 0x11 + pin * 2, 1u << 24);
		fake_ioapic_write(d, 0x10 + pin * 2, 0x40 + pin);
	}
}

/* The vector that vcpu @n takes from its LAPIC, with EOI; -1: none. */
static int take(unsigned int n)
{
	int vector = vlapic_pending_vector(d->vcpu[n]);

	if (vector >= 0) {
		vlapic_ack(d->vcpu[n], (uint8_t)vector);
		fake_lapic_write(d->vcpu[n], 0xb0, 0);
	}
	return vector;
}

/* The vector that the PICs deliver, with EOI; -1: none. */
static int take_pic(void)
{
	int vector;

	if (!vpic_has_intr(d))
		return -1;
	vector = vpic_ack(d);
	fake_outb(d, 0xa0, 0x20);
	fake_outb(d, 0x20, 0x20);
	return vector;
}

static void each_gsi_reaches_its_pins_and_no_others(void **state)
{
	(void)state;
	route_pins();
	for (unsigned int gsi = 0; gsi < HVM_GSI_COUNT; gsi++) {
		int pin = gsi == 0 ? 2 : gsi == 2 ? -1 : (int)gsi;
		int pic = gsi >= 16 || gsi == 2 ? -1 : (int)gsi + 0x20;

		hvm_gsi_set(d, gsi, true);
		assert_int_equal(take(1), pin < 0 ? -1 : 0x40 + pin);
		assert_int_equal(take(1), -1);
		assert_int_equal(take_pic(), pic);
		assert_int_equal(take_pic(), -1);
		hvm_gsi_set(d, gsi, false);
	}
}

/* A bug that was: a device on the cascade's line drove the timer's pin of the IOAPIC. */
static void the_cascades_line_is_nobodys(void **state)
{
	(void)state;
	route_pins();
	hvm_gsi_set(d, 0, true);
	assert_int_equal(take(1), 0x42);
	hvm_gsi_set(d, 2, true);
	hvm_gsi_set(d, 2, false);
	/* The pin is still high: no new edge. */
	hvm_gsi_set(d, 0, true);
	assert_int_equal(take(1), -1);
}

static void lines_beyond_the_last_are_ignored(void **state)
{
	(void)state;
	route_pins();
	hvm_gsi_set(d, HVM_GSI_COUNT, true);
	hvm_gsi_set(d, UINT32_MAX, true);
	assert_int_equal(take(1), -1);
	assert_int_equal(take_pic(), -1);
}

static void legacy_replacement_cuts_off_pit_and_rtc_only(void **state)
{
	(void)state;
	route_pins();
	hvm_legacy_replacement(d, true);
	hvm_gsi_set_legacy_timer(d, 0, true);
	hvm_gsi_set_legacy_timer(d, 8, true);
	assert_int_equal(take(1), -1);
	assert_int_equal(take_pic(), -1);
	/* What the HPET itself drives, and everyone else. */
	hvm_gsi_set(d, 0, true);
	assert_int_equal(take(1), 0x42);
	hvm_gsi_set(d, 4, true);
	assert_int_equal(take(1), 0x44);
	hvm_gsi_set(d, 0, false);
	hvm_legacy_replacement(d, false);
	hvm_gsi_set_legacy_timer(d, 0, true);
	assert_int_equal(take(1), 0x42);
}

static void reset_ends_legacy_replacement(void **state)
{
	(void)state;
	hvm_legacy_replacement(d, true);
	assert_int_equal(domain_reset(d), 0);
	assert_int_equal(d->legacy_replacement, 0);
}

static void an_msi_goes_where_its_address_says(void **state)
{
	static const struct {
		uint64_t address;
		uint32_t data;
		int rc;
		int vcpu; /* who takes it, -1 nobody */
	} row[] = {
		{ 0xfee00000, 0x0051, 0, 0 },
		{ 0xfee02000, 0x0051, 0, 2 },
		{ 0xfee03000, 0x4051, 0, 3 },
		{ 0xfee04000, 0x0051, -HVM_ENOENT, -1 }, /* there is no such vcpu */
		{ 0xfee10000, 0x0051, -HVM_ENOENT, -1 },
		{ 0xfee01000, 0x0151, 0, 1 },		 /* lowest priority of one */
		{ 0xfee01000, 0x000f, -HVM_ENOENT, -1 }, /* vectors below 16 do not exist */
		{ 0xfee01000, 0x0251, -HVM_ENOENT, -1 }, /* SMI */
		{ 0xfec00000, 0x0051, -HVM_EINVAL, -1 },
		{ 0xfef00000, 0x0051, -HVM_EINVAL, -1 },
		{ 0x00000000, 0x0051, -HVM_EINVAL, -1 },
		{ 0x1fee00000, 0x0051, -HVM_EINVAL, -1 },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		assert_int_equal(hvm_msi_deliver(d, row[i].address, row[i].data), row[i].rc);
		for (int n = 0; n < 4; n++)
			assert_int_equal(take((unsigned int)n), n == row[i].vcpu ? 0x51 : -1);
	}
}

static void an_msi_in_logical_mode(void **state)
{
	(void)state;
	/* Flat model: vcpu n has bit n. */
	for (unsigned int i = 0; i < 4; i++)
		fake_lapic_write(d->vcpu[i], 0xd0, 0x01000000u << i);
	assert_int_equal(hvm_msi_deliver(d, 0xfee0a004, 0x0061), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(take(i), i == 1 || i == 3 ? 0x61 : -1);
	/* Broadcast. */
	assert_int_equal(hvm_msi_deliver(d, 0xfeeff000, 0x0062), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(take(i), 0x62);
}

static void an_msi_may_be_an_nmi(void **state)
{
	(void)state;
	fake_requests(d->vcpu[2]);
	assert_int_equal(hvm_msi_deliver(d, 0xfee02000, 0x0400), 0);
	assert_true(fake_requests(d->vcpu[2]) & HVM_REQ_NMI);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(each_gsi_reaches_its_pins_and_no_others),
		TEST(the_cascades_line_is_nobodys),
		TEST(lines_beyond_the_last_are_ignored),
		TEST(legacy_replacement_cuts_off_pit_and_rtc_only),
		TEST(reset_ends_legacy_replacement),
		TEST(an_msi_goes_where_its_address_says),
		TEST(an_msi_in_logical_mode),
		TEST(an_msi_may_be_an_nmi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
