/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of devices/vhpet.c. */
#include "fake_domain.h"

#define CAP	0x000u
#define CONFIG	0x010u
#define STATUS	0x020u
#define COUNTER 0x0f0u
#define CFG(n)	(0x100u + 0x20u * (n))
#define CMP(n)	(0x108u + 0x20u * (n))

#define LEVEL	 0x002u
#define ENABLE	 0x004u
#define PERIODIC 0x008u
#define VAL_SET	 0x040u
#define MODE32	 0x100u
#define ROUTE(p) ((uint64_t)(p) << 9)

static int setup(void **state)
{
	struct domain *d = fake_domain_create(1);

	fake_pic_init(d);
	fake_lapic_enable(d->vcpu[0]);
	for (unsigned int pin = 20; pin < 24; pin++)
		fake_ioapic_write(d, 0x10 + 2 * pin, 0x50 + pin);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	fake_domain_destroy(*state);
	return 0;
}

static uint64_t get(struct domain *d, unsigned int reg)
{
	return fake_read(d->vcpu[0], HVM_HPET_BASE + reg, 8);
}

static void set(struct domain *d, unsigned int reg, uint64_t value)
{
	fake_write(d->vcpu[0], HVM_HPET_BASE + reg, 8, value);
}

/* The next vector taken and ended, -1: none. */
static int take(struct domain *d)
{
	int vector = fake_take(d->vcpu[0]);

	if (vector >= 0x40)
		fake_lapic_write(d->vcpu[0], 0xb0, 0);
	if (vector >= 0x28 && vector < 0x30)
		fake_outb(d, 0xa0, 0x20);
	if (vector >= 0x20 && vector < 0x30)
		fake_outb(d, 0x20, 0x20);
	return vector;
}

static void identifies_itself(void **state)
{
	struct domain *d = *state;

	assert_int_equal(get(d, CAP), 0x009896808086a201ull);
	assert_int_equal(fake_read(d->vcpu[0], HVM_HPET_BASE + 4, 4), 10000000);
	/* Pins 2, 8, 20 to 23; periodic; 64 bits; no FSB. */
	assert_int_equal(get(d, CFG(0)), 0x00f0010400000030ull);
	assert_int_equal(get(d, CFG(2)), 0x00f0010400000030ull);
	assert_int_equal(get(d, CFG(3)), 0);
}

static void counter_runs_while_enabled(void **state)
{
	struct domain *d = *state;

	fake_run_to(1000);
	assert_int_equal(get(d, COUNTER), 0);
	set(d, COUNTER, 0x100000000ull);
	set(d, CONFIG, 1);
	fake_run_to(2000);
	assert_int_equal(get(d, COUNTER), 0x100000064ull);
	assert_int_equal(fake_read(d->vcpu[0], HVM_HPET_BASE + COUNTER + 4, 4), 1);
	set(d, CONFIG, 0);
	fake_run_to(9000);
	assert_int_equal(get(d, COUNTER), 0x100000064ull);
	set(d, CONFIG, 1);
	fake_run_to(9100);
	assert_int_equal(get(d, COUNTER), 0x10000006eull);
}

static void one_shot_fires_once_at_its_match(void **state)
{
	struct domain *d = *state;

	set(d, CFG(0), ENABLE | ROUTE(20));
	set(d, CMP(0), 1000);
	set(d, CONFIG, 1);
	fake_run_to(9999);
	assert_int_equal(take(d), -1);
	fake_run_to(10000);
	assert_int_equal(take(d), 0x64);
	fake_run_to(100000000000ull);
	assert_int_equal(take(d), -1);
	/* A match that lies behind does not fire in 64-bit mode. */
	set(d, CMP(0), 500);
	fake_run_to(200000000000ull);
	assert_int_equal(take(d), -1);
}

static void one_shot_of_32_bits_fires_again_when_the_counter_wraps(void **state)
{
	struct domain *d = *state;

	set(d, CFG(0), ENABLE | MODE32 | ROUTE(20));
	fake_write(d->vcpu[0], HVM_HPET_BASE + CMP(0), 4, 1000);
	set(d, CONFIG, 1);
	fake_run_to(10000);
	assert_int_equal(take(d), 0x64);
	fake_run_to(10000 + 42949672960ull - 1);
	assert_int_equal(take(d), -1);
	fake_run_to(10000 + 42949672960ull);
	assert_int_equal(take(d), 0x64);
}

static void periodic_keeps_its_phase(void **state)
{
	struct domain *d = *state;

	set(d, CFG(1), ENABLE | PERIODIC | VAL_SET | ROUTE(21));
	set(d, CMP(1), 5000);	/* first match */
	set(d, CMP(1), 100000); /* period: 1 ms */
	set(d, CONFIG, 1);
	fake_run_to(50000);
	assert_int_equal(take(d), 0x65);
	for (uint64_t n = 1; n <= 200; n++) {
		fake_jump_to(50000 + n * 1000000 + n % 11 * 20000);
		assert_int_equal(take(d), 0x65);
		assert_int_equal(take(d), -1);
		assert_int_equal(get(d, CMP(1)), 5000 + (n + 1) * 100000);
	}
	/* Late by many periods: one interrupt, then the old phase. */
	fake_jump_to(500700000);
	assert_int_equal(take(d), 0x65);
	fake_jump_to(501049999);
	assert_int_equal(take(d), -1);
	fake_jump_to(501050000);
	assert_int_equal(take(d), 0x65);
}

/* As Linux programs its tick: 32-bit comparator, VAL_SET, match, then period. */
static void periodic_of_32_bits_crosses_the_wrap(void **state)
{
	struct domain *d = *state;

	set(d, COUNTER, 0xffffff00u);
	set(d, CFG(0), ENABLE | PERIODIC | VAL_SET | MODE32 | ROUTE(20));
	fake_write(d->vcpu[0], HVM_HPET_BASE + CMP(0), 4, 0xffffff80u);
	assert_int_equal(get(d, CFG(0)) & VAL_SET, 0);
	fake_write(d->vcpu[0], HVM_HPET_BASE + CMP(0), 4, 100000);
	set(d, CONFIG, 1);
	fake_run_to(0x80 * 10);
	assert_int_equal(take(d), 0x64);
	assert_int_equal(get(d, CMP(0)), (uint32_t)(0xffffff80u + 100000));
	fake_run_to(0x80 * 10 + 999999);
	assert_int_equal(take(d), -1);
	fake_run_to(0x80 * 10 + 1000000);
	assert_int_equal(take(d), 0x64);
}

static void shortest_period_does_not_hang_the_host(void **state)
{
	struct domain *d = *state;
	unsigned int ticks = 0;

	set(d, CFG(0), ENABLE | PERIODIC | VAL_SET | ROUTE(20));
	set(d, CMP(0), 1);
	set(d, CONFIG, 1);
	for (uint64_t ns = 0; ns < 1000000; ns += 5000) {
		fake_run_to(ns);
		ticks += take(d) == 0x64;
	}
	assert_in_range(ticks, 15, 25);
}

static void level_interrupt_lasts_until_status_is_cleared(void **state)
{
	struct domain *d = *state;

	fake_ioapic_write(d, 0x10 + 2 * 22, 0x8066);
	set(d, CFG(2), ENABLE | LEVEL | ROUTE(22));
	set(d, CMP(2), 100);
	set(d, CONFIG, 1);
	fake_run_to(1000);
	assert_int_equal(get(d, STATUS), 4);
	assert_int_equal(take(d), 0x66);
	assert_int_equal(take(d), 0x66); /* still asserted at EOI */
	set(d, STATUS, 3);
	assert_int_equal(get(d, STATUS), 4);
	set(d, STATUS, 4);
	assert_int_equal(get(d, STATUS), 0);
	assert_int_equal(take(d), 0x66); /* sent before the line fell */
	assert_int_equal(take(d), -1);
}

/* ioemu's PCI line and the HPET on one pin: the pin falls when both have let go. */
static void pin_is_shared_with_other_lines(void **state)
{
	struct domain *d = *state;

	fake_ioapic_write(d, 0x10 + 2 * 22, 0x8066);
	set(d, CFG(2), ENABLE | LEVEL | ROUTE(22));
	set(d, CMP(2), 100);
	set(d, CONFIG, 1);
	vioapic_set_pin(d, 22, true);
	fake_run_to(1000);
	assert_int_equal(take(d), 0x66);
	set(d, STATUS, 4);
	assert_int_equal(take(d), 0x66);
	vioapic_set_pin(d, 22, false);
	assert_int_equal(take(d), 0x66);
	assert_int_equal(take(d), -1);
}

static void legacy_replacement_uses_the_pit_and_rtc_lines(void **state)
{
	struct domain *d = *state;

	fake_outb(d, 0x43, 0x34);
	fake_outb(d, 0x40, 100);
	fake_outb(d, 0x40, 0);
	set(d, CFG(0), ENABLE);
	set(d, CMP(0), 100000);
	set(d, CFG(1), ENABLE);
	set(d, CMP(1), 200000);
	set(d, CONFIG, 3);
	fake_run_to(999999);
	assert_int_equal(take(d), -1); /* no PIT ticks */
	fake_run_to(1000000);
	assert_int_equal(take(d), 0x20);
	fake_run_to(2000000);
	assert_int_equal(take(d), 0x28);
	set(d, CONFIG, 0);
	fake_run_to(2100000);
	assert_int_equal(take(d), 0x20); /* PIT again */
}

static void pins_it_has_no_wire_to_are_not_driven(void **state)
{
	struct domain *d = *state;

	fake_ioapic_write(d, 0x10 + 2 * 5, 0x77);
	set(d, CFG(0), ENABLE | ROUTE(5));
	set(d, CMP(0), 100);
	set(d, CFG(1), ENABLE | LEVEL | ROUTE(31));
	set(d, CMP(1), 100);
	set(d, CONFIG, 1);
	fake_run_to(10000);
	assert_int_equal(take(d), -1);
}

static void odd_accesses_do_nothing(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_write(v, HVM_HPET_BASE + CONFIG, 1, 1);
	fake_write(v, HVM_HPET_BASE + CONFIG + 2, 4, 0xffff);
	fake_write(v, HVM_HPET_BASE + CONFIG + 4, 8, UINT64_MAX);
	assert_int_equal(get(d, CONFIG), 0);
	set(d, CAP, 0);
	assert_int_equal(get(d, CAP) & 0xff, 1);
	set(d, 0x3f8, UINT64_MAX);
	assert_int_equal(get(d, 0x3f8), 0);
	assert_int_equal(fake_read(v, HVM_HPET_BASE + 2, 2), 0x8086);
}

static void random_writes_do_no_harm(void **state)
{
	struct domain *d = *state;
	uint32_t seed = 3;
	uint64_t ns = 0;

	for (int i = 0; i < 20000; i++) {
		unsigned int reg;

		seed = seed * 1664525 + 1013904223;
		reg = (seed >> 24 & 1) ? CFG(0) + (seed >> 16 & 0x7c) : (seed >> 16 & 0xfc);
		if (seed >> 31)
			fake_write(d->vcpu[0], HVM_HPET_BASE + reg, 4, seed * 2654435761u);
		else
			fake_read(d->vcpu[0], HVM_HPET_BASE + reg, 4);
		ns += seed >> 8 & 0x3ffff;
		fake_jump_to(ns);
	}
}

static void saved_and_loaded_goes_on(void **state)
{
	struct domain *d = *state, *other;
	struct hvm_save_writer w = { 0 };
	struct hvm_save_reader r = { 0 };

	set(d, CFG(0), ENABLE | PERIODIC | VAL_SET | ROUTE(20));
	set(d, CMP(0), 100000);
	set(d, CFG(2), ENABLE | LEVEL | ROUTE(22));
	set(d, CMP(2), 100);
	set(d, CONFIG, 1);
	fake_run_to(1300000);
	assert_int_equal(vhpet_save(d, &w), 0);
	other = fake_domain_create(1);
	fake_lapic_enable(other->vcpu[0]);
	fake_ioapic_write(other, 0x10 + 2 * 20, 0x64);
	fake_ioapic_write(other, 0x10 + 2 * 22, 0x8066);
	r.buf = w.buf;
	r.size = w.used;
	assert_int_equal(vhpet_load(other, &r, true), 0);
	assert_int_equal(get(other, CONFIG), 0);
	r.used = 0;
	assert_int_equal(vhpet_load(other, &r, false), 0);
	assert_int_equal(r.used, r.size);
	assert_int_equal(get(other, COUNTER), 130000);
	assert_int_equal(take(other), 0x66);
	set(other, STATUS, 4);
	assert_int_equal(take(other), 0x66);
	fake_run_to(699999);
	assert_int_equal(take(other), -1);
	fake_run_to(700000);
	assert_int_equal(take(other), 0x64);
	w.buf[8] = 8; /* status of a fourth timer */
	r.used = 0;
	assert_int_equal(vhpet_load(other, &r, true), -HVM_EINVAL);
	domain_destroy(other);
	hvm_os_free(w.buf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identifies_itself),
		TEST(counter_runs_while_enabled),
		TEST(one_shot_fires_once_at_its_match),
		TEST(one_shot_of_32_bits_fires_again_when_the_counter_wraps),
		TEST(periodic_keeps_its_phase),
		TEST(periodic_of_32_bits_crosses_the_wrap),
		TEST(shortest_period_does_not_hang_the_host),
		TEST(level_interrupt_lasts_until_status_is_cleared),
		TEST(pin_is_shared_with_other_lines),
		TEST(legacy_replacement_uses_the_pit_and_rtc_lines),
		TEST(pins_it_has_no_wire_to_are_not_driven),
		TEST(odd_accesses_do_nothing),
		TEST(random_writes_do_no_harm),
		TEST(saved_and_loaded_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
