/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_piix4_pm.c - power button, SCI, S5.
 */
#include "machine_fixture.h"

#include "dev/devices.h"

#define STS  0xb000
#define EN   0xb002
#define CNT  0xb004
#define GPE0 0xafe0

static void power_button_raises_the_sci_until_cleared(void **state)
{
	struct fixture *f = *state;

	piix4_pm_power_button(f->m);
	assert_false(f->irq[9]);
	out(f, EN, 2, 0x0100);
	assert_true(f->irq[9]);
	assert_int_equal(in(f, STS, 2), 0x0100);
	out(f, STS, 2, 0x0100);
	assert_false(f->irq[9]);
	assert_int_equal(in(f, STS, 4), 0x01000000);
}

static void status_clears_bit_by_bit_also_by_bytes(void **state)
{
	struct fixture *f = *state;

	piix4_pm_power_button(f->m);
	outb(f, STS, 0xff);
	assert_int_equal(in(f, STS, 2), 0x0100);
	outb(f, STS + 1, 0x01);
	assert_int_equal(in(f, STS, 2), 0);
}

static void acpi_mode_is_always_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, CNT, 2) & 1, 1);
	out(f, CNT, 2, 0);
	assert_int_equal(in(f, CNT, 2) & 1, 1);
	outb(f, 0xb2, 0xf1);
	assert_int_equal(inb(f, 0xb2), 0xf1);
}

static void sleep_enable_with_type_0_powers_off_and_nothing_else_does(void **state)
{
	static const struct {
		uint16_t value;
		bool off;
	} rows[] = {
		{ 0x0000, false }, { 0x2400, false }, { 0x3c00, false },
		{ 0x1c00, false }, { 0x2000, true },
	};
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		f->power = 0;
		out(f, CNT, 2, rows[i].value);
		assert_int_equal(f->power, rows[i].off ? 1 + MACHINE_POWEROFF : 0);
	}
}

static void sleep_by_byte_accesses_powers_off_too(void **state)
{
	struct fixture *f = *state;

	outb(f, CNT + 1, 0x00);
	outb(f, CNT + 1, 0x20);
	assert_int_equal(f->power, 1 + MACHINE_POWEROFF);
}

static void gpe_enables_store_and_status_clears(void **state)
{
	struct fixture *f = *state;

	out(f, GPE0 + 2, 2, 0xa55a);
	assert_int_equal(in(f, GPE0, 4), 0xa55a0000);
	out(f, GPE0, 2, 0xffff);
	assert_int_equal(in(f, GPE0, 2), 0);
}

static void reset_lowers_the_sci(void **state)
{
	struct fixture *f = *state;

	out(f, EN, 2, 0x0100);
	piix4_pm_power_button(f->m);
	machine_reset(f->m);
	assert_false(f->irq[9]);
	assert_int_equal(in(f, STS, 4), 0);
}

static void dma_helper_knows_ram_from_the_rest(void **state)
{
	struct fixture *f = *state;
	struct guest_memory *g = &f->m->memory;
	uint8_t buf[4096] = { 0 };
	uint64_t len;

	assert_non_null(guest_memory_piece(g, 0x9f000, 0x10000, &len));
	assert_int_equal(len, 0x1000);
	assert_null(guest_memory_piece(g, 0xa0000, 1, &len));
	assert_null(guest_memory_piece(g, FIXTURE_RAM, 1, &len));
	assert_null(guest_memory_piece(g, 0x100000000ull, 1, &len));
	assert_null(guest_memory_piece(g, ~0ull, 1, &len));
	assert_null(guest_memory_piece(g, 0, 0, &len));
	assert_true(guest_memory_write(g, FIXTURE_RAM - 4096, buf, 4096) == 0);
	assert_true(guest_memory_write(g, FIXTURE_RAM - 4095, buf, 4096) < 0);
	assert_true(guest_memory_read(g, ~0ull - 100, buf, 4096) < 0);
	assert_true(guest_memory_read(g, 0x9f800, buf, 4096) < 0);
}

static void dma_helper_splits_memory_at_the_pci_hole(void **state)
{
	struct guest_memory g;
	uint64_t len;
	uint8_t *low, *high;

	(void)state;
	assert_int_equal(guest_memory_init(&g, 5ull << 30), 0);
	low = guest_memory_piece(&g, 0xdffff000, 0x2000, &len);
	assert_non_null(low);
	assert_int_equal(len, 0x1000);
	assert_null(guest_memory_piece(&g, 0xe0000000, 1, &len));
	assert_null(guest_memory_piece(&g, 0xffffffff, 1, &len));
	high = guest_memory_piece(&g, 0x100000000ull, 0x2000, &len);
	assert_ptr_equal(high, low + 0x1000);
	assert_null(guest_memory_piece(&g, (5ull << 30) + (512ull << 20), 1, &len));
	assert_non_null(guest_memory_piece(&g, (5ull << 30) + (512ull << 20) - 1, 9, &len));
	assert_int_equal(len, 1);
	*high = 1;
	assert_int_equal(guest_memory_zero(&g), 0);
	assert_int_equal(*high, 0);
	guest_memory_fini(&g);
}

#define T(fact) cmocka_unit_test_setup_teardown(fact, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(power_button_raises_the_sci_until_cleared),
		T(status_clears_bit_by_bit_also_by_bytes),
		T(acpi_mode_is_always_on),
		T(sleep_enable_with_type_0_powers_off_and_nothing_else_does),
		T(sleep_by_byte_accesses_powers_off_too),
		T(gpe_enables_store_and_status_clears),
		T(reset_lowers_the_sci),
		T(dma_helper_knows_ram_from_the_rest),
		cmocka_unit_test(dma_helper_splits_memory_at_the_pci_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
