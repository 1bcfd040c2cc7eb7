/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_uart16550.c - COM1 as a driver sees it.
 */
#include "machine_fixture.h"

#include "dev/uart16550.h"

#define COM1 0x3f8
#define IER  (COM1 + 1)
#define IIR  (COM1 + 2)
#define FCR  (COM1 + 2)
#define LCR  (COM1 + 3)
#define MCR  (COM1 + 4)
#define LSR  (COM1 + 5)
#define MSR  (COM1 + 6)
#define SCR  (COM1 + 7)
#define OUT2 0x08

static void uart_prints_what_is_written(void **state)
{
	struct fixture *f = *state;

	outb(f, COM1, 'h');
	outb(f, COM1, 'i');
	assert_int_equal(f->console_used, 2);
	assert_memory_equal(f->console, "hi", 2);
	assert_int_equal(inb(f, LSR) & 0x60, 0x60);
}

static void uart_divisor_latch_hides_data_and_ier(void **state)
{
	struct fixture *f = *state;

	outb(f, IER, 0x0f);
	outb(f, LCR, 0x83);
	outb(f, COM1, 0x0c);
	outb(f, IER, 0x01);
	assert_int_equal(inb(f, COM1), 0x0c);
	assert_int_equal(inb(f, IER), 0x01);
	outb(f, LCR, 0x03);
	assert_int_equal(inb(f, IER), 0x0f);
	assert_int_equal(f->console_used, 0);
}

static void uart_scratch_and_fifo_bits_identify_a_16550a(void **state)
{
	struct fixture *f = *state;

	outb(f, SCR, 0x5a);
	assert_int_equal(inb(f, SCR), 0x5a);
	assert_int_equal(inb(f, IIR) & 0xc0, 0);
	outb(f, FCR, 0x01);
	assert_int_equal(inb(f, IIR) & 0xc0, 0xc0);
}

static void uart_thre_interrupt_comes_once_and_iir_clears_it(void **state)
{
	struct fixture *f = *state;

	outb(f, MCR, OUT2);
	outb(f, IER, 0x02);
	assert_true(f->irq[4]);
	assert_int_equal(inb(f, IIR) & 0x0f, 0x02);
	assert_false(f->irq[4]);
	assert_int_equal(inb(f, IIR) & 0x0f, 0x01);
	outb(f, COM1, 'x');
	assert_true(f->irq[4]);
	assert_int_equal(f->irq_edges[4], 2);
}

static void uart_out2_gates_the_interrupt(void **state)
{
	struct fixture *f = *state;

	outb(f, IER, 0x02);
	assert_false(f->irq[4]);
	outb(f, MCR, OUT2);
	assert_true(f->irq[4]);
}

static void uart_receives_up_to_its_fifo_and_asks_for_more(void **state)
{
	struct fixture *f = *state;
	const uint8_t text[] = "0123456789abcdefghij";
	unsigned int i;

	outb(f, FCR, 0x01);
	assert_int_equal(uart_input(f->m->uart, text, 20), 16);
	for (i = 0; i < 16; i++) {
		assert_int_equal(f->rooms, 0);
		assert_int_equal(inb(f, LSR) & 1, 1);
		assert_int_equal(inb(f, COM1), text[i]);
	}
	assert_int_equal(f->rooms, 1);
	assert_int_equal(inb(f, LSR) & 1, 0);
}

static void uart_without_fifo_holds_one_byte(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(uart_input(f->m->uart, (const uint8_t *)"ab", 2), 1);
	assert_int_equal(inb(f, COM1), 'a');
	assert_int_equal(f->rooms, 1);
}

static void uart_trigger_level_and_timeout_interrupt(void **state)
{
	struct fixture *f = *state;

	outb(f, MCR, OUT2);
	outb(f, FCR, 0xc1); /* 14 */
	outb(f, IER, 0x01);
	uart_input(f->m->uart, (const uint8_t *)"abc", 3);
	assert_int_equal(inb(f, IIR) & 0x0f, 0x0c);
	assert_true(f->irq[4]);
	uart_input(f->m->uart, (const uint8_t *)"0123456789abcdef", 11);
	assert_int_equal(inb(f, IIR) & 0x0f, 0x04);
	while (inb(f, LSR) & 1)
		inb(f, COM1);
	assert_false(f->irq[4]);
}

static void uart_loopback_turns_output_and_lines_around(void **state)
{
	struct fixture *f = *state;

	outb(f, MCR, 0x10 | 0x0a);
	assert_int_equal(inb(f, MSR) & 0xf0, 0x90);
	outb(f, COM1, 0x77);
	assert_int_equal(f->console_used, 0);
	assert_int_equal(inb(f, COM1), 0x77);
	/* What comes from outside waits until loopback is left. */
	assert_int_equal(uart_input(f->m->uart, (const uint8_t *)"z", 1), 0);
	outb(f, MCR, 0);
	assert_int_equal(f->rooms, 1);
}

static void uart_modem_lines_are_ready_and_deltas_clear(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(inb(f, MSR), 0xb0);
	outb(f, MCR, 0x10);
	assert_int_equal(inb(f, MSR), 0x0b);
	assert_int_equal(inb(f, MSR), 0x00);
}

static void uart_is_busy_while_the_console_is_full(void **state)
{
	struct fixture *f = *state;

	f->console_room_bytes = 1;
	outb(f, MCR, OUT2);
	outb(f, COM1, 'a');
	outb(f, COM1, 'b');
	assert_int_equal(inb(f, LSR) & 0x60, 0);
	f->console_room_bytes = 4;
	outb(f, IER, 0x02);
	assert_false(f->irq[4]);
	uart_output_room(f->m->uart);
	assert_true(f->irq[4]);
	assert_int_equal(inb(f, LSR) & 0x60, 0x60);
	assert_memory_equal(f->console, "ab", 2);
}

static void uart_loopback_overrun_sets_the_error_once(void **state)
{
	struct fixture *f = *state;

	outb(f, MCR, 0x10);
	outb(f, COM1, 1);
	outb(f, COM1, 2);
	assert_int_equal(inb(f, LSR) & 2, 2);
	assert_int_equal(inb(f, LSR) & 2, 0);
	assert_int_equal(inb(f, COM1), 2);
}

static void com2_is_absent(void **state)
{
	struct fixture *f = *state;

	outb(f, 0x2f8 + 7, 0x5a);
	assert_int_equal(inb(f, 0x2f8 + 7), 0xff);
}

#define T(fact) cmocka_unit_test_setup_teardown(fact, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(uart_prints_what_is_written),
		T(uart_divisor_latch_hides_data_and_ier),
		T(uart_scratch_and_fifo_bits_identify_a_16550a),
		T(uart_thre_interrupt_comes_once_and_iir_clears_it),
		T(uart_out2_gates_the_interrupt),
		T(uart_receives_up_to_its_fifo_and_asks_for_more),
		T(uart_without_fifo_holds_one_byte),
		T(uart_trigger_level_and_timeout_interrupt),
		T(uart_loopback_turns_output_and_lines_around),
		T(uart_modem_lines_are_ready_and_deltas_clear),
		T(uart_is_busy_while_the_console_is_full),
		T(uart_loopback_overrun_sets_the_error_once),
		T(com2_is_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
