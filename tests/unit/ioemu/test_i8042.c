/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_i8042.c - keyboard controller, keyboard and mouse.
 */
#include "machine_fixture.h"

#include "dev/i8042.h"

#include <errno.h>

static uint8_t answer(struct fixture *f)
{
	assert_int_equal(inb(f, 0x64) & 1, 1);
	return inb(f, 0x60);
}

static void expect(struct fixture *f, const uint8_t *bytes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		assert_int_equal(answer(f), bytes[i]);
	assert_int_equal(inb(f, 0x64) & 1, 0);
}

#define EXPECT(f, ...) \
	expect(f, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void mouse_byte(struct fixture *f, uint8_t value)
{
	outb(f, 0x64, 0xd4);
	outb(f, 0x60, value);
}

static void controller_tests_itself(void **state)
{
	struct fixture *f = *state;

	outb(f, 0x64, 0xaa);
	EXPECT(f, 0x55);
	outb(f, 0x64, 0xab);
	EXPECT(f, 0x00);
	outb(f, 0x64, 0xa9);
	EXPECT(f, 0x00);
	assert_int_equal(inb(f, 0x64) & 4, 4);
}

static void configuration_byte_is_written_and_read(void **state)
{
	struct fixture *f = *state;

	outb(f, 0x64, 0x60);
	outb(f, 0x60, 0x74);
	outb(f, 0x64, 0x20);
	EXPECT(f, 0x74);
	outb(f, 0x64, 0xae);
	outb(f, 0x64, 0x20);
	EXPECT(f, 0x64);
}

static void keyboard_resets_and_identifies(void **state)
{
	struct fixture *f = *state;

	outb(f, 0x60, 0xff);
	EXPECT(f, 0xfa, 0xaa);
	outb(f, 0x60, 0xf2);
	EXPECT(f, 0xfa, 0xab, 0x41); /* 0x83 through the translator */
	outb(f, 0x60, 0xee);
	EXPECT(f, 0xee);
	outb(f, 0x60, 0xed);
	outb(f, 0x60, 0x02);
	EXPECT(f, 0xfa, 0xfa);
	outb(f, 0x60, 0x01);
	EXPECT(f, 0xfe);
}

static void keys_arrive_translated_to_set_1(void **state)
{
	static const char *const keys[] = { "ctrl", "alt", "delete" };
	struct fixture *f = *state;

	assert_int_equal(i8042_type_keys(f->m->i8042, keys, 3, NULL), 0);
	assert_true(f->irq[1]);
	EXPECT(f, 0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d);
	assert_int_equal(f->irq_edges[1], 8);
}

static void keys_arrive_untranslated_when_asked(void **state)
{
	static const char *const keys[] = { "a" };
	struct fixture *f = *state;

	outb(f, 0x64, 0x60);
	outb(f, 0x60, 0x05);
	assert_int_equal(i8042_type_keys(f->m->i8042, keys, 1, NULL), 0);
	EXPECT(f, 0x1c, 0xf0, 0x1c);
}

static void keyboard_that_is_off_says_nothing(void **state)
{
	static const char *const keys[] = { "a" };
	struct fixture *f = *state;

	outb(f, 0x64, 0xad);
	i8042_type_keys(f->m->i8042, keys, 1, NULL);
	assert_int_equal(inb(f, 0x64) & 1, 0);
	outb(f, 0x64, 0xae);
	EXPECT(f, 0x1e, 0x9e);
	outb(f, 0x60, 0xf5);
	EXPECT(f, 0xfa);
	i8042_type_keys(f->m->i8042, keys, 1, NULL);
	assert_int_equal(inb(f, 0x64) & 1, 0);
}

static void unknown_keys_and_a_full_queue_are_refused(void **state)
{
	static const char *const bad[] = { "a", "hyper" };
	static const char *const good[] = { "up", "down", "left", "right", "home", "end" };
	struct fixture *f = *state;
	const char *unknown = NULL;
	unsigned int i;
	int err = 0;

	assert_int_equal(i8042_type_keys(f->m->i8042, bad, 2, &unknown), -EINVAL);
	assert_string_equal(unknown, "hyper");
	for (i = 0; i < 100 && !err; i++)
		err = i8042_type_keys(f->m->i8042, good, 6, NULL);
	assert_int_equal(err, -EBUSY);
}

static void mouse_resets_reports_and_has_its_own_interrupt(void **state)
{
	struct fixture *f = *state;

	mouse_byte(f, 0xff);
	assert_true(f->irq[12]);
	assert_int_equal(inb(f, 0x64) & 0x21, 0x21);
	EXPECT(f, 0xfa, 0xaa, 0x00);
	mouse_byte(f, 0xf4);
	EXPECT(f, 0xfa);
	i8042_mouse_move(f->m->i8042, 5, -3, 0, 1);
	EXPECT(f, 0x29, 5, 0xfd);
	assert_false(f->irq[1]);
}

static void mouse_becomes_an_intellimouse_after_its_knock(void **state)
{
	static const uint8_t rates[] = { 200, 100, 80 };
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		mouse_byte(f, 0xf3);
		mouse_byte(f, rates[i]);
		EXPECT(f, 0xfa, 0xfa);
	}
	mouse_byte(f, 0xf2);
	EXPECT(f, 0xfa, 3);
	mouse_byte(f, 0xf4);
	EXPECT(f, 0xfa);
	i8042_mouse_move(f->m->i8042, 0, 0, -1, 0);
	EXPECT(f, 0x08, 0, 0, 0xff);
}

static void mouse_status_and_wrap_mode(void **state)
{
	struct fixture *f = *state;

	mouse_byte(f, 0xe9);
	EXPECT(f, 0xfa, 0x00, 0x02, 0x64);
	mouse_byte(f, 0xee);
	EXPECT(f, 0xfa);
	mouse_byte(f, 0x42);
	EXPECT(f, 0x42);
	mouse_byte(f, 0xec);
	EXPECT(f, 0xfa);
}

static void output_port_resets_and_holds_a20(void **state)
{
	struct fixture *f = *state;

	outb(f, 0x64, 0xd1);
	outb(f, 0x60, 0x03);
	assert_int_equal(f->power, 0);
	outb(f, 0x64, 0xd0);
	EXPECT(f, 0x03);
	outb(f, 0x64, 0xd1);
	outb(f, 0x60, 0x02);
	assert_int_equal(f->power, 1 + MACHINE_RESET);
}

static void loopback_commands_fill_either_side(void **state)
{
	struct fixture *f = *state;

	outb(f, 0x64, 0xd2);
	outb(f, 0x60, 0x11);
	assert_int_equal(inb(f, 0x64) & 0x21, 0x01);
	EXPECT(f, 0x11);
	outb(f, 0x64, 0xd3);
	outb(f, 0x60, 0x22);
	assert_int_equal(inb(f, 0x64) & 0x21, 0x21);
	EXPECT(f, 0x22);
}

static void debug_ports_answer(void **state)
{
	struct fixture *f = *state;

	outb(f, 0x80, 0x3c);
	assert_int_equal(inb(f, 0x80), 0x3c);
	assert_int_equal(inb(f, 0xe9), 0xe9);
}

#define T(fact) cmocka_unit_test_setup_teardown(fact, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(controller_tests_itself),
		T(configuration_byte_is_written_and_read),
		T(keyboard_resets_and_identifies),
		T(keys_arrive_translated_to_set_1),
		T(keys_arrive_untranslated_when_asked),
		T(keyboard_that_is_off_says_nothing),
		T(unknown_keys_and_a_full_queue_are_refused),
		T(mouse_resets_reports_and_has_its_own_interrupt),
		T(mouse_becomes_an_intellimouse_after_its_knock),
		T(mouse_status_and_wrap_mode),
		T(output_port_resets_and_holds_a20),
		T(loopback_commands_fill_either_side),
		T(debug_ports_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
