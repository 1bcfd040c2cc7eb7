/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_event.c - which event a vcpu takes next, windows for what has to wait, deliveries that are
 * tried again. Source: Intel SDM Vol 3A 6.9 "Priority Among Simultaneous Exceptions and
 * Interrupts".
 */
#include "fake_domain.h"

static struct domain *d;
static struct vcpu *v;
static struct fake_vcpu *f;

static int setup(void **state)
{
	(void)state;
	d = fake_domain_create(1);
	v = d->vcpu[0];
	f = fake_vcpu(v);
	fake_lapic_enable(v);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_domain_destroy(d);
	return 0;
}

/* A PIC interrupt, vector 0x25; the LAPIC passes it on. */
static void pic_irq(void)
{
	fake_pic_init(d);
	fake_lapic_write(v, 0x350, 0x700);
	vpic_set_irq(d, 5, true);
}

static void expect_event(unsigned int n, enum hvm_event_type type, uint8_t vector)
{
	assert_true(f->events > n);
	assert_int_equal(f->event[n].type, type);
	assert_int_equal(f->event[n].vector, vector);
}

static void nothing_pending_injects_nothing_and_wants_no_window(void **state)
{
	(void)state;
	assert_false(hvm_event_pending(v));
	assert_int_equal(hvm_event_assist(v), 0);
	assert_int_equal(f->events + f->windows + f->nmi_windows, 0);
}

static void order_is_reinject_nmi_pic_lapic(void **state)
{
	(void)state;
	vlapic_accept(v, 0x81, false);
	pic_irq();
	hvm_vcpu_request(v, HVM_REQ_NMI);
	v->reinject = (struct hvm_event){
		.type = HVM_EVENT_HW_EXCEPTION, .vector = 14, .has_error = 1, .error = 6
	};
	assert_true(hvm_event_pending(v));
	/* The reinjected one is delivered; the NMI comes before its handler's first instruction. */
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(0, HVM_EVENT_HW_EXCEPTION, 14);
	assert_int_equal(f->event[0].error, 6);
	expect_event(1, HVM_EVENT_NMI, 2);
	assert_int_equal(f->events, 2);
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(2, HVM_EVENT_EXT_INTR, 0x25);
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(3, HVM_EVENT_EXT_INTR, 0x81);
	assert_int_equal(f->events, 4);
	assert_false(hvm_event_pending(v));
	assert_int_equal(v->stats.nmi, 1);
	assert_int_equal(v->stats.interrupts, 2);
}

/* A bug that was: no window was asked for, and the interrupt waited for the next kick. */
static void an_interrupt_behind_an_nmi_gets_a_window(void **state)
{
	(void)state;
	vlapic_accept(v, 0x81, false);
	hvm_vcpu_request(v, HVM_REQ_NMI);
	assert_int_equal(hvm_event_assist(v), 0);
	assert_int_equal(f->events, 1);
	assert_int_equal(f->windows, 1);
	assert_int_equal(f->nmi_windows, 0);
}

static void a_second_interrupt_gets_a_window(void **state)
{
	(void)state;
	vlapic_accept(v, 0x81, false);
	assert_int_equal(hvm_event_assist(v), 0);
	assert_int_equal(f->windows, 0);
	/* Of higher priority than the one in service. */
	vlapic_accept(v, 0x91, false);
	vlapic_accept(v, 0xa1, false);
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(1, HVM_EVENT_EXT_INTR, 0xa1);
	/* 0x91 is below what is now in service: its time comes with the EOI. */
	assert_int_equal(f->windows, 0);
	fake_lapic_write(v, 0xb0, 0);
	assert_true(hvm_event_pending(v));
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(2, HVM_EVENT_EXT_INTR, 0x91);
}

static void what_cannot_be_injected_waits_in_a_window(void **state)
{
	(void)state;
	f->blocked = true;
	vlapic_accept(v, 0x81, false);
	hvm_vcpu_request(v, HVM_REQ_NMI);
	assert_false(hvm_event_pending(v));
	assert_int_equal(hvm_event_assist(v), 0);
	assert_int_equal(f->events, 0);
	assert_int_equal(f->windows, 1);
	assert_int_equal(f->nmi_windows, 1);
	/* Nothing was taken from the LAPIC for it. */
	assert_int_equal(vlapic_pending_vector(v), 0x81);
	f->blocked = false;
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(0, HVM_EVENT_NMI, 2);
}

static void a_blocked_nmi_does_not_hold_up_interrupts(void **state)
{
	(void)state;
	f->nmi_blocked = true;
	vlapic_accept(v, 0x81, false);
	hvm_vcpu_request(v, HVM_REQ_NMI);
	assert_true(hvm_event_pending(v));
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(0, HVM_EVENT_EXT_INTR, 0x81);
	assert_int_equal(f->nmi_windows, 1);
	f->nmi_blocked = false;
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(1, HVM_EVENT_NMI, 2);
	assert_int_equal(f->events, 2);
}

static void two_nmis_before_one_is_taken_are_one(void **state)
{
	(void)state;
	hvm_vcpu_request(v, HVM_REQ_NMI);
	hvm_vcpu_request(v, HVM_REQ_NMI);
	assert_int_equal(hvm_event_assist(v), 0);
	assert_int_equal(hvm_event_assist(v), 0);
	assert_int_equal(f->events, 1);
}

static void a_delivery_that_waits_for_a_device_is_tried_again(void **state)
{
	(void)state;
	vlapic_accept(v, 0x81, false);
	f->inject_rc = -HVM_EAGAIN;
	assert_int_equal(hvm_event_assist(v), -HVM_EAGAIN);
	assert_int_equal(v->reinject.type, HVM_EVENT_EXT_INTR);
	/* It is in service already and is not taken a second time; what came later is behind it. */
	assert_int_equal(vlapic_pending_vector(v), -1);
	hvm_vcpu_request(v, HVM_REQ_NMI);
	f->inject_rc = -HVM_EAGAIN;
	assert_int_equal(hvm_event_assist(v), -HVM_EAGAIN);
	assert_int_equal(f->events, 0);
	v->replay.done = 1;
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(0, HVM_EVENT_EXT_INTR, 0x81);
	expect_event(1, HVM_EVENT_NMI, 2);
	assert_int_equal(v->reinject.type, HVM_EVENT_NONE);
	/* What ioemu served for the delivery is not for the handler's first instruction. */
	assert_int_equal(v->replay.done, 0);
}

static void an_nmi_that_waits_for_a_device_is_tried_again(void **state)
{
	(void)state;
	hvm_vcpu_request(v, HVM_REQ_NMI);
	f->inject_rc = -HVM_EAGAIN;
	assert_int_equal(hvm_event_assist(v), -HVM_EAGAIN);
	/* A further NMI meanwhile is one of its own. */
	hvm_vcpu_request(v, HVM_REQ_NMI);
	assert_int_equal(hvm_event_assist(v), 0);
	assert_int_equal(f->events, 2);
}

static void a_pic_interrupt_that_went_away_is_spurious(void **state)
{
	(void)state;
	pic_irq();
	vpic_set_irq(d, 5, false);
	(void)hvm_event_assist(v);
	/* Edge-triggered: the request stays latched, and is delivered as what it was or as IR7. */
	if (f->events)
		assert_in_range(f->event[0].vector, 0x25, 0x27);
}

static void the_pic_reaches_a_vcpu_without_lapic(void **state)
{
	(void)state;
	fake_pic_init(d);
	assert_int_equal(hvm_msr_write(v, 0x1b, HVM_LAPIC_BASE | 0x100), 0);
	vpic_set_irq(d, 5, true);
	assert_true(hvm_event_pending(v));
	assert_int_equal(hvm_event_assist(v), 0);
	expect_event(0, HVM_EVENT_EXT_INTR, 0x25);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(nothing_pending_injects_nothing_and_wants_no_window),
		TEST(order_is_reinject_nmi_pic_lapic),
		TEST(an_interrupt_behind_an_nmi_gets_a_window),
		TEST(a_second_interrupt_gets_a_window),
		TEST(what_cannot_be_injected_waits_in_a_window),
		TEST(a_blocked_nmi_does_not_hold_up_interrupts),
		TEST(two_nmis_before_one_is_taken_are_one),
		TEST(a_delivery_that_waits_for_a_device_is_tried_again),
		TEST(an_nmi_that_waits_for_a_device_is_tried_again),
		TEST(a_pic_interrupt_that_went_away_is_spurious),
		TEST(the_pic_reaches_a_vcpu_without_lapic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
