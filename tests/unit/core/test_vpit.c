/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of devices/vpit.c. */
#include "fake_domain.h"

#define HZ 1193182ull

static int setup(void **state)
{
	struct domain *d = fake_domain_create(1);

	fake_pic_init(d);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	fake_domain_destroy(*state);
	return 0;
}

/* The first nanosecond of a tick. */
static uint64_t tick_ns(uint64_t tick)
{
	return tick / HZ * 1000000000 + (tick % HZ * 1000000000 + HZ - 1) / HZ;
}

static void program(struct domain *d, unsigned int channel, uint8_t mode, uint16_t count)
{
	fake_outb(d, 0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	fake_outb(d, (uint16_t)(0x40 + channel), (uint8_t)count);
	fake_outb(d, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static uint16_t latched(struct domain *d, unsigned int channel)
{
	uint16_t port = (uint16_t)(0x40 + channel), low;

	fake_outb(d, 0x43, (uint8_t)(channel << 6));
	low = fake_inb(d, port);
	return (uint16_t)(low | fake_inb(d, port) << 8);
}

/* Was there an IRQ 0 since the last call? */
static bool tick(struct domain *d)
{
	int vector = fake_take(d->vcpu[0]);

	if (vector == 0x20)
		fake_outb(d, 0x20, 0x20);
	return vector == 0x20;
}

static bool out2(struct domain *d)
{
	return fake_inb(d, 0x61) & 0x20;
}

static void rate_generator_interrupts_every_period_without_drift(void **state)
{
	struct domain *d = *state;

	program(d, 0, 2, 11932); /* 100 Hz */
	for (uint64_t n = 1; n <= 500; n++) {
		fake_run_to(tick_ns(n * 11932) - 1);
		assert_false(tick(d));
		fake_run_to(tick_ns(n * 11932));
		assert_true(tick(d));
	}
}

/*
 * A loaded host gave the process no time for 28 ms of the 40 in which Linux counts ticks ("IO-APIC
 * + timer doesn't work!"): ticks that went by must not be lost.
 */
static void late_ticks_follow_and_keep_the_phase(void **state)
{
	struct domain *d = *state;
	uint64_t late = 11932 * 7 + 100;

	program(d, 0, 3, 11932);
	fake_jump_to(tick_ns(late));
	assert_true(tick(d));
	assert_false(tick(d));
	for (unsigned int owed = 1; owed <= 6; owed++) {
		fake_run_to(tick_ns(late + owed * (11932 / 8)) - 1);
		assert_false(tick(d));
		fake_run_to(tick_ns(late + owed * (11932 / 8)));
		assert_true(tick(d));
	}
	fake_run_to(tick_ns(11932 * 8) - 1);
	assert_false(tick(d));
	fake_run_to(tick_ns(11932 * 8));
	assert_true(tick(d));
	fake_run_to(tick_ns(11932 * 9) - 1);
	assert_false(tick(d));
}

static void a_new_count_cancels_what_is_owed(void **state)
{
	struct domain *d = *state;

	program(d, 0, 3, 11932);
	fake_jump_to(tick_ns(11932 * 7 + 100));
	assert_true(tick(d));
	program(d, 0, 3, 11932);
	fake_run_to(tick_ns(11932 * 7 + 100 + 11900));
	assert_false(tick(d));
}

static void count_zero_is_65536(void **state)
{
	struct domain *d = *state;

	program(d, 0, 3, 0);
	fake_run_to(tick_ns(65536) - 1);
	assert_false(tick(d));
	fake_run_to(tick_ns(65536));
	assert_true(tick(d));
}

static void mode_0_interrupts_once_and_counts_on(void **state)
{
	struct domain *d = *state;

	program(d, 0, 0, 1000);
	fake_run_to(tick_ns(400));
	assert_int_equal(latched(d, 0), 600);
	fake_run_to(tick_ns(1000) - 1);
	assert_false(tick(d));
	fake_run_to(tick_ns(1000));
	assert_true(tick(d));
	fake_run_to(tick_ns(1001));
	assert_int_equal(latched(d, 0), 0xffff);
	fake_run_to(tick_ns(200000));
	assert_false(tick(d));
	/* A new count starts it again. */
	fake_outb(d, 0x40, 100);
	fake_outb(d, 0x40, 0);
	fake_run_to(tick_ns(200100));
	assert_true(tick(d));
}

static void mode_4_strobes_once(void **state)
{
	struct domain *d = *state;

	program(d, 0, 4, 100);
	fake_run_to(tick_ns(101));
	assert_true(tick(d));
	fake_run_to(tick_ns(100000));
	assert_false(tick(d));
}

struct shape_row {
	uint8_t mode;
	uint16_t count;
	uint32_t at;
	bool out;
};

/* Channel 2 with its gate raised at tick 0, after the count was written. */
static void outputs_have_the_shape_of_their_mode(void **state)
{
	static const struct shape_row rows[] = {
		{ 0, 50, 49, false }, { 0, 50, 50, true },  { 0, 50, 9999, true },
		{ 1, 50, 0, false },  { 1, 50, 49, false }, { 1, 50, 50, true },
		{ 2, 50, 0, true },   { 2, 50, 48, true },  { 2, 50, 49, false },
		{ 2, 50, 50, true },  { 2, 50, 99, false }, { 3, 50, 24, true },
		{ 3, 50, 25, false }, { 3, 50, 49, false }, { 3, 50, 50, true },
		{ 3, 51, 25, true },  { 3, 51, 26, false }, { 3, 51, 51, true },
		{ 4, 50, 49, true },  { 4, 50, 50, false }, { 4, 50, 51, true },
		{ 5, 50, 49, true },  { 5, 50, 50, false }, { 5, 50, 51, true },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		struct domain *d = fake_domain_create(1);

		fake_outb(d, 0x61, 0);
		program(d, 2, rows[i].mode, rows[i].count);
		fake_outb(d, 0x61, 1);
		fake_run_to(tick_ns(rows[i].at));
		assert_int_equal(out2(d), rows[i].out);
		domain_destroy(d);
	}
}

static void gate_low_holds_mode_0(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x61, 1);
	program(d, 2, 0, 1000);
	fake_run_to(tick_ns(300));
	fake_outb(d, 0x61, 0);
	fake_run_to(tick_ns(5000));
	assert_int_equal(latched(d, 2), 700);
	assert_false(out2(d));
	fake_outb(d, 0x61, 1);
	fake_run_to(tick_ns(5699));
	assert_false(out2(d));
	fake_run_to(tick_ns(5700));
	assert_true(out2(d));
}

static void rising_gate_restarts_mode_2(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x61, 1);
	program(d, 2, 2, 1000);
	fake_run_to(tick_ns(300));
	assert_int_equal(latched(d, 2), 700);
	fake_outb(d, 0x61, 0);
	assert_true(out2(d));
	fake_run_to(tick_ns(400));
	fake_outb(d, 0x61, 1);
	assert_int_equal(latched(d, 2), 1000);
}

static void new_count_of_mode_2_waits_for_the_period_to_end(void **state)
{
	struct domain *d = *state;

	program(d, 0, 2, 1000);
	fake_run_to(tick_ns(300));
	fake_outb(d, 0x40, 0xd0);
	fake_outb(d, 0x40, 0x07); /* 2000 */
	fake_run_to(tick_ns(400));
	assert_int_equal(latched(d, 0), 600);
	fake_run_to(tick_ns(1000));
	assert_true(tick(d));
	fake_run_to(tick_ns(1100));
	assert_int_equal(latched(d, 0), 1900);
	fake_run_to(tick_ns(3000) - 1);
	assert_false(tick(d));
	fake_run_to(tick_ns(3000));
	assert_true(tick(d));
}

static void latch_holds_while_the_counter_goes_on(void **state)
{
	struct domain *d = *state;

	program(d, 0, 2, 0x1234);
	fake_outb(d, 0x43, 0x00);
	fake_run_to(tick_ns(0x34));
	fake_outb(d, 0x43, 0x00); /* a second latch is ignored */
	assert_int_equal(fake_inb(d, 0x40), 0x34);
	assert_int_equal(fake_inb(d, 0x40), 0x12);
	assert_int_equal(fake_inb(d, 0x40), 0x00);
	assert_int_equal(fake_inb(d, 0x40), 0x12);
}

static void read_back_gives_status_then_count(void **state)
{
	struct domain *d = *state;

	program(d, 0, 2, 0x1234);
	fake_outb(d, 0x43, 0xc2); /* both, channel 0 */
	assert_int_equal(fake_inb(d, 0x40), 0x80 | 0x34);
	assert_int_equal(fake_inb(d, 0x40), 0x34);
	assert_int_equal(fake_inb(d, 0x40), 0x12);
	fake_outb(d, 0x43, 0x34); /* control word: the count is null */
	fake_outb(d, 0x43, 0xe2); /* status only */
	assert_int_equal(fake_inb(d, 0x40), 0x80 | 0x40 | 0x34);
}

static void bytes_follow_the_access_mode(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x43, 0x14); /* low byte only, mode 2 */
	fake_outb(d, 0x40, 0x50);
	assert_int_equal(fake_inb(d, 0x40), 0x50);
	assert_int_equal(fake_inb(d, 0x40), 0x50);
	fake_outb(d, 0x43, 0x24); /* high byte only */
	fake_outb(d, 0x40, 0x12);
	assert_int_equal(fake_inb(d, 0x40), 0x12);
}

static void bcd_counts_in_decimal(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x43, 0x35);
	fake_outb(d, 0x40, 0x00);
	fake_outb(d, 0x40, 0x10); /* 1000 */
	fake_run_to(tick_ns(1));
	assert_int_equal(latched(d, 0), 0x0999);
	fake_run_to(tick_ns(1000));
	assert_true(tick(d));
}

static void port_61_toggles_refresh_and_keeps_its_bits(void **state)
{
	struct domain *d = *state;
	unsigned int toggles = 0;
	uint8_t last = fake_inb(d, 0x61) & 0x10;

	fake_outb(d, 0x61, 0xff);
	assert_int_equal(fake_inb(d, 0x61) & 0x0f, 0x0f);
	for (uint64_t ns = 0; ns < 1000000; ns += 1000) {
		fake_run_to(ns);
		if ((fake_inb(d, 0x61) & 0x10) != last)
			toggles++;
		last = fake_inb(d, 0x61) & 0x10;
	}
	assert_in_range(toggles, 65, 67);
}

static void shortest_period_does_not_hang_the_host(void **state)
{
	struct domain *d = *state;
	unsigned int ticks = 0;

	program(d, 0, 2, 1);
	for (uint64_t ns = 0; ns < 1000000; ns += 5000) {
		fake_run_to(ns);
		ticks += tick(d);
	}
	assert_in_range(ticks, 15, 25);
}

static void legacy_replacement_cuts_it_off(void **state)
{
	struct domain *d = *state;

	program(d, 0, 2, 1000);
	hvm_legacy_replacement(d, true);
	fake_run_to(tick_ns(5500));
	assert_false(tick(d));
	hvm_legacy_replacement(d, false);
	fake_run_to(tick_ns(6000));
	assert_true(tick(d));
}

static void reset_stops_it(void **state)
{
	struct domain *d = *state;

	program(d, 0, 2, 1000);
	vpit_reset(d);
	fake_run_to(1000000000);
	assert_false(tick(d));
}

static void random_writes_do_no_harm(void **state)
{
	struct domain *d = *state;
	uint32_t seed = 1;
	uint64_t ns = 0;

	for (int i = 0; i < 20000; i++) {
		uint16_t port;

		seed = seed * 1664525 + 1013904223;
		port = (seed >> 28 & 7) == 7 ? 0x61 : (uint16_t)(0x40 + (seed >> 28 & 3));
		if (seed >> 27 & 1)
			fake_outb(d, port, (uint8_t)(seed >> 16));
		else
			fake_inb(d, port);
		ns += seed >> 12 & 0xfff;
		fake_run_to(ns);
	}
}

static void saved_and_loaded_goes_on(void **state)
{
	struct domain *d = *state, *other;
	struct hvm_save_writer w = { 0 };
	struct hvm_save_reader r = { 0 };

	program(d, 0, 2, 11932);
	fake_outb(d, 0x61, 1);
	program(d, 2, 0, 1000);
	fake_run_to(tick_ns(11932 * 3 + 400));
	while (tick(d))
		;
	assert_int_equal(vpit_save(d, &w), 0);
	other = fake_domain_create(1);
	fake_pic_init(other);
	r.buf = w.buf;
	r.size = w.used;
	assert_int_equal(vpit_load(other, &r, true), 0);
	r.used = 0;
	assert_int_equal(vpit_load(other, &r, false), 0);
	assert_int_equal(r.used, r.size);
	assert_int_equal(latched(other, 0), 11932 - 400);
	assert_true(out2(other));
	fake_run_to(tick_ns(11932 - 400) - 1);
	assert_false(tick(other));
	fake_run_to(tick_ns(11932 - 400));
	assert_true(tick(other));
	domain_destroy(other);
	hvm_os_free(w.buf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rate_generator_interrupts_every_period_without_drift),
		TEST(late_ticks_follow_and_keep_the_phase),
		TEST(a_new_count_cancels_what_is_owed),
		TEST(count_zero_is_65536),
		TEST(mode_0_interrupts_once_and_counts_on),
		TEST(mode_4_strobes_once),
		TEST(outputs_have_the_shape_of_their_mode),
		TEST(gate_low_holds_mode_0),
		TEST(rising_gate_restarts_mode_2),
		TEST(new_count_of_mode_2_waits_for_the_period_to_end),
		TEST(latch_holds_while_the_counter_goes_on),
		TEST(read_back_gives_status_then_count),
		TEST(bytes_follow_the_access_mode),
		TEST(bcd_counts_in_decimal),
		TEST(port_61_toggles_refresh_and_keeps_its_bits),
		TEST(shortest_period_does_not_hang_the_host),
		TEST(legacy_replacement_cuts_it_off),
		TEST(reset_stops_it),
		TEST(random_writes_do_no_harm),
		TEST(saved_and_loaded_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
