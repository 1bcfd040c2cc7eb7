/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of devices/vrtc.c. The clock starts at 2001-09-09 01:46:40, a Sunday. */
#include "fake_domain.h"

#define S 1000000000ull

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

static uint8_t get(struct domain *d, uint8_t index)
{
	fake_outb(d, 0x70, index);
	return fake_inb(d, 0x71);
}

static void set(struct domain *d, uint8_t index, uint8_t value)
{
	fake_outb(d, 0x70, index);
	fake_outb(d, 0x71, value);
}

/* IRQ 8 since the last call? */
static bool irq8(struct domain *d)
{
	int vector = fake_take(d->vcpu[0]);

	if (vector != 0x28)
		return false;
	fake_outb(d, 0xa0, 0x20);
	fake_outb(d, 0x20, 0x20);
	return true;
}

/* century year month mday wday hour minute second, as BCD in 24-hour form */
struct stamp {
	uint8_t v[8];
};

static const uint8_t stamp_reg[8] = { 0x32, 9, 8, 7, 6, 4, 2, 0 };

static void assert_stamp(struct domain *d, const struct stamp *s)
{
	for (int i = 0; i < 8; i++)
		assert_int_equal(get(d, stamp_reg[i]), s->v[i]);
}

static void set_stamp(struct domain *d, const struct stamp *s)
{
	set(d, 0x0b, 0x82);
	for (int i = 0; i < 8; i++)
		set(d, stamp_reg[i], s->v[i]);
	set(d, 0x0b, 0x02);
}

static void shows_the_configured_time_and_goes_on(void **state)
{
	struct domain *d = *state;

	assert_stamp(d, &(struct stamp){ { 0x20, 0x01, 0x09, 0x09, 1, 0x01, 0x46, 0x40 } });
	fake_run_to(19 * S + S / 2);
	assert_int_equal(get(d, 0), 0x59);
	fake_run_to(20 * S);
	assert_stamp(d, &(struct stamp){ { 0x20, 0x01, 0x09, 0x09, 1, 0x01, 0x47, 0x00 } });
}

static void dates_roll_over_as_the_calendar_says(void **state)
{
	static const struct {
		struct stamp before, after;
	} rows[] = {
		{ { { 0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59 } },
		  { { 0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00 } } },
		{ { { 0x20, 0x00, 0x02, 0x28, 2, 0x23, 0x59, 0x59 } },
		  { { 0x20, 0x00, 0x02, 0x29, 3, 0x00, 0x00, 0x00 } } },
		{ { { 0x21, 0x00, 0x02, 0x28, 1, 0x23, 0x59, 0x59 } },
		  { { 0x21, 0x00, 0x03, 0x01, 2, 0x00, 0x00, 0x00 } } },
		{ { { 0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x59 } },
		  { { 0x20, 0x24, 0x03, 0x01, 6, 0x00, 0x00, 0x00 } } },
		{ { { 0x19, 0x00, 0x01, 0x01, 2, 0x00, 0x00, 0x00 } },
		  { { 0x19, 0x00, 0x01, 0x01, 2, 0x00, 0x00, 0x01 } } },
		/* The day of week is the guest's affair: here it is wrong and stays so. */
		{ { { 0x20, 0x26, 0x11, 0x23, 7, 0x23, 0x59, 0x59 } },
		  { { 0x20, 0x26, 0x11, 0x24, 1, 0x00, 0x00, 0x00 } } },
	};
	struct domain *d = *state;

	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		set_stamp(d, &rows[i].before);
		assert_stamp(d, &rows[i].before);
		fake_run_to((i + 1) * S);
		assert_stamp(d, &rows[i].after);
	}
}

static void every_day_of_four_centuries_follows_the_one_before(void **state)
{
	struct domain *d = *state;
	uint8_t last_wday = 0;
	unsigned int days = 0;

	set_stamp(d, &(struct stamp){ { 0x18, 0x01, 0x01, 0x01, 5, 0x12, 0x00, 0x00 } });
	/* From 1801-01-01 noon on; one step a day, wday must go round and the count be right. */
	for (uint64_t t = 0;; t += 86400 * S) {
		uint8_t wday;

		fake_jump_to(t);
		wday = get(d, 6);
		if (days != 0)
			assert_int_equal(wday, last_wday % 7 + 1);
		last_wday = wday;
		if (get(d, 0x32) == 0x22 && get(d, 9) == 0x01)
			break;
		days++;
	}
	assert_int_equal(days, 146097);
	assert_int_equal(get(d, 8), 1);
	assert_int_equal(get(d, 7), 1);
}

static void hours_have_two_forms_and_numbers_two(void **state)
{
	static const struct {
		uint8_t b, hour24, reg;
	} rows[] = {
		{ 0x02, 0x00, 0x00 }, { 0x02, 0x23, 0x23 },	 { 0x00, 0x00, 0x12 },
		{ 0x00, 0x01, 0x01 }, { 0x00, 0x12, 0x92 },	 { 0x00, 0x13, 0x81 },
		{ 0x00, 0x23, 0x91 }, { 0x06, 0x23, 23 },	 { 0x04, 0x23, 0x80 | 11 },
		{ 0x04, 0x00, 12 },   { 0x04, 0x12, 0x80 | 12 },
	};
	struct domain *d = *state;

	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		set(d, 0x0b, 0x02);
		set(d, 4, rows[i].hour24);
		set(d, 0x0b, rows[i].b);
		assert_int_equal(get(d, 4), rows[i].reg);
		/* And back. */
		set(d, 0x0b, 0x02);
		set(d, 4, 0x05);
		set(d, 0x0b, rows[i].b);
		set(d, 4, rows[i].reg);
		set(d, 0x0b, 0x02);
		assert_int_equal(get(d, 4), rows[i].hour24);
	}
	set(d, 0x0b, 0x06);
	assert_int_equal(get(d, 2), 46);
	assert_int_equal(get(d, 0x32), 20);
}

static void set_bit_freezes_the_registers(void **state)
{
	struct domain *d = *state;

	set(d, 0x0b, 0x82);
	fake_run_to(5 * S);
	assert_int_equal(get(d, 0), 0x40);
	assert_int_equal(get(d, 0x0a) & 0x80, 0);
	set(d, 0x0b, 0x02);
	fake_run_to(6 * S);
	assert_int_equal(get(d, 0), 0x41);
}

static void update_in_progress_comes_before_each_second(void **state)
{
	struct domain *d = *state;

	fake_run_to(S - 245000);
	assert_int_equal(get(d, 0x0a), 0x26);
	fake_run_to(S - 243000);
	assert_int_equal(get(d, 0x0a), 0xa6);
	fake_run_to(S);
	assert_int_equal(get(d, 0x0a), 0x26);
}

static void divider_reset_starts_a_second_half_way(void **state)
{
	struct domain *d = *state;

	fake_run_to(S / 4);
	set(d, 0x0a, 0x76);
	fake_run_to(10 * S);
	assert_int_equal(get(d, 0), 0x40);
	set(d, 0x0a, 0x26);
	fake_run_to(10 * S + S / 2 - 1);
	assert_int_equal(get(d, 0), 0x40);
	fake_run_to(10 * S + S / 2);
	assert_int_equal(get(d, 0), 0x41);
}

static void update_interrupt_comes_each_second_once_c_was_read(void **state)
{
	struct domain *d = *state;

	get(d, 0x0c);
	set(d, 0x0b, 0x12);
	fake_run_to(S - 1);
	assert_false(irq8(d));
	fake_run_to(S);
	assert_true(irq8(d));
	/* Not read: the line stays up, so no new edge. */
	fake_run_to(3 * S);
	assert_false(irq8(d));
	assert_int_equal(get(d, 0x0c) & ~0x40, 0x90); /* PF runs by itself */
	assert_int_equal(get(d, 0x0c), 0x00);
	fake_run_to(4 * S);
	assert_true(irq8(d));
}

static void alarm_goes_off_at_its_time_of_day(void **state)
{
	struct domain *d = *state;

	set(d, 1, 0x10);
	set(d, 3, 0x47);
	set(d, 5, 0x01);
	get(d, 0x0c);
	set(d, 0x0b, 0x22);
	fake_run_to(29 * S);
	assert_false(irq8(d));
	fake_run_to(30 * S);
	assert_true(irq8(d));
	assert_int_equal(get(d, 0x0c) & ~0x40, 0xb0);
	fake_run_to(100 * S);
	assert_false(irq8(d));
	/* Don't care: hours and minutes, so every minute at 10 seconds. */
	set(d, 3, 0xc0);
	set(d, 5, 0xff);
	get(d, 0x0c);
	fake_run_to(150 * S);
	assert_true(irq8(d));
}

static void alarm_flag_is_seen_by_polling_too(void **state)
{
	struct domain *d = *state;

	set(d, 1, 0x00);
	set(d, 3, 0x00);
	set(d, 5, 0x12);
	get(d, 0x0c);
	fake_run_to(3600 * S);
	assert_int_equal(get(d, 0x0c) & 0x30, 0x10);
	fake_run_to(20 * 3600 * S);
	assert_int_equal(get(d, 0x0c) & 0x30, 0x30);
	set(d, 5, 0x99); /* there is no such hour */
	get(d, 0x0c);
	fake_run_to(200 * 3600 * S);
	assert_int_equal(get(d, 0x0c) & 0x30, 0x10);
}

static void periodic_interrupt_has_the_rate_of_register_a(void **state)
{
	static const struct {
		uint8_t rate;
		unsigned int hz;
	} rows[] = { { 1, 256 }, { 2, 128 }, { 3, 8192 }, { 6, 1024 }, { 15, 2 }, { 0, 0 } };
	struct domain *d = *state;
	uint64_t t = 0;

	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		unsigned int ticks = 0;
		uint64_t end;

		t = (t / S + 1) * S;
		end = t + S;
		fake_run_to(t);
		set(d, 0x0a, (uint8_t)(0x20 | rows[i].rate));
		set(d, 0x0b, 0x42);
		get(d, 0x0c);
		irq8(d);
		for (; t < end; t += 50000) {
			fake_run_to(t);
			if (irq8(d)) {
				assert_int_equal(get(d, 0x0c) & 0xc0, 0xc0);
				ticks++;
			}
		}
		assert_in_range(ticks, rows[i].hz - (rows[i].hz != 0), rows[i].hz);
		set(d, 0x0b, 0x02);
		get(d, 0x0c);
	}
}

static void cmos_bytes_are_memory(void **state)
{
	struct domain *d = *state;

	assert_int_equal(vrtc_cmos_write(d, 0x34, 0x55), 0);
	assert_int_equal(get(d, 0x34), 0x55);
	set(d, 0x7f, 0xaa);
	assert_int_equal(get(d, 0x7f), 0xaa);
	assert_int_equal(get(d, 0xff), 0xaa); /* bit 7 of the index masks NMI */
	assert_int_equal(vrtc_cmos_write(d, 13, 0), -HVM_EINVAL);
	assert_int_equal(vrtc_cmos_write(d, 0x32, 0), -HVM_EINVAL);
	assert_int_equal(vrtc_cmos_write(d, 128, 0), -HVM_EINVAL);
	assert_int_equal(vrtc_cmos_write(d, UINT32_MAX, 0), -HVM_EINVAL);
	set(d, 0x0d, 0);
	assert_int_equal(get(d, 0x0d), 0x80);
	vrtc_reset(d);
	assert_int_equal(get(d, 0x34), 0x55);
}

static void random_accesses_do_no_harm(void **state)
{
	struct domain *d = *state;
	uint32_t seed = 7;
	uint64_t ns = 0;

	for (int i = 0; i < 20000; i++) {
		seed = seed * 1664525 + 1013904223;
		if (seed >> 31)
			set(d, seed >> 20 & 0x3f, (uint8_t)(seed >> 8));
		else
			get(d, seed >> 20 & 0x3f);
		ns += (uint64_t)(seed & 0xffff) << (seed >> 28);
		fake_jump_to(ns);
	}
}

static void saved_and_loaded_goes_on(void **state)
{
	struct domain *d = *state, *other;
	struct hvm_save_writer w = { 0 };
	struct hvm_save_reader r = { 0 };

	set(d, 0x40, 0x12);
	get(d, 0x0c);
	set(d, 0x0b, 0x12);
	fake_run_to(7 * S / 2);
	irq8(d);
	get(d, 0x0c);
	assert_int_equal(vrtc_save(d, &w), 0);
	other = fake_domain_create(1);
	fake_pic_init(other);
	r.buf = w.buf;
	r.size = w.used;
	assert_int_equal(vrtc_load(other, &r, true), 0);
	r.used = 0;
	assert_int_equal(vrtc_load(other, &r, false), 0);
	assert_int_equal(r.used, r.size);
	assert_stamp(other, &(struct stamp){ { 0x20, 0x01, 0x09, 0x09, 1, 0x01, 0x46, 0x43 } });
	assert_int_equal(get(other, 0x40), 0x12);
	fake_run_to(S / 2 - 1);
	assert_false(irq8(other));
	fake_run_to(S / 2);
	assert_true(irq8(other));
	assert_int_equal(get(other, 0), 0x44);
	domain_destroy(other);
	hvm_os_free(w.buf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(shows_the_configured_time_and_goes_on),
		TEST(dates_roll_over_as_the_calendar_says),
		TEST(every_day_of_four_centuries_follows_the_one_before),
		TEST(hours_have_two_forms_and_numbers_two),
		TEST(set_bit_freezes_the_registers),
		TEST(update_in_progress_comes_before_each_second),
		TEST(divider_reset_starts_a_second_half_way),
		TEST(update_interrupt_comes_each_second_once_c_was_read),
		TEST(alarm_goes_off_at_its_time_of_day),
		TEST(alarm_flag_is_seen_by_polling_too),
		TEST(periodic_interrupt_has_the_rate_of_register_a),
		TEST(cmos_bytes_are_memory),
		TEST(random_accesses_do_no_harm),
		TEST(saved_and_loaded_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
