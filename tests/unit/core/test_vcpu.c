/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_vcpu.c - the run loop: requests of others, sleeping and waking, what ends it; reset. Source:
 * Intel SDM Vol 3A 8.4 "Multiple-Processor (MP) Initialization", 9.1 "Initialization Overview".
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "fake_domain.h"

static struct domain *d;
static struct vcpu *bsp, *ap;

static int setup(void **state)
{
	(void)state;
	d = fake_domain_create(2);
	bsp = d->vcpu[0];
	ap = d->vcpu[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_domain_destroy(d);
	return 0;
}

static uint32_t activity(struct vcpu *v)
{
	return __atomic_load_n(&v->activity, __ATOMIC_SEQ_CST);
}

static void set_activity(struct vcpu *v, enum hvm_activity a)
{
	__atomic_store_n(&v->activity, a, __ATOMIC_SEQ_CST);
}

static enum hvm_exit_reason run(struct vcpu *v)
{
	struct hvm_exit e = { 0 };

	assert_int_equal(vcpu_run(v, &e), 0);
	return (enum hvm_exit_reason)e.reason;
}

static void kick(struct vcpu *v)
{
	__atomic_store_n(&v->user_kick, 1, __ATOMIC_SEQ_CST);
	hvm_vcpu_request(v, HVM_REQ_EVENT);
}

/* -- kicks ------------------------------------------------------------------------------------- */

static void a_kick_leaves_run_at_once_and_only_once(void **state)
{
	(void)state;
	kick(bsp);
	kick(bsp);
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->runs, 0);
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->runs, 1);
	assert_int_equal(fake_vcpu(bsp)->kicks, 2);
}

struct sleeper {
	struct vcpu *v;
	enum hvm_exit_reason reason;
	pid_t tid;
};

/* Does the kernel say that thread @tid sleeps? */
static bool sleeps(pid_t tid)
{
	char path[64], line[256], *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	state = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return state && state[2] == 'S';
}

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	struct hvm_exit e = { 0 };

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_SEQ_CST);
	if (!vcpu_run(s->v, &e))
		s->reason = (enum hvm_exit_reason)e.reason;
	return NULL;
}

/* Comes back when it has done what it was asked for, and sleeps. */
static pthread_t sleeper_start(struct sleeper *s, struct vcpu *v)
{
	pthread_t t;

	*s = (struct sleeper){ .v = v, .reason = HVM_EXIT_NONE };
	assert_int_equal(pthread_create(&t, NULL, sleeper_main, s), 0);
	while ((__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & ~HVM_REQ_NMI) ||
	       !__atomic_load_n(&s->tid, __ATOMIC_SEQ_CST) || !sleeps(s->tid))
		sched_yield();
	return t;
}

/* @v does what it was asked for and sleeps again. */
static void serve_and_sleep(struct vcpu *v)
{
	struct sleeper s;
	pthread_t t = sleeper_start(&s, v);

	kick(v);
	pthread_join(t, NULL);
	assert_int_equal(s.reason, HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(v)->runs, 0);
}

static void a_halted_vcpu_sleeps_until_a_kick(void **state)
{
	struct sleeper s;
	pthread_t t;

	(void)state;
	set_activity(bsp, HVM_ACTIVITY_HLT);
	t = sleeper_start(&s, bsp);
	kick(bsp);
	pthread_join(t, NULL);
	assert_int_equal(s.reason, HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->runs, 0);
	assert_int_equal(activity(bsp), HVM_ACTIVITY_HLT);
}

static void a_halted_vcpu_wakes_up_for_an_interrupt(void **state)
{
	struct sleeper s;
	pthread_t t;

	(void)state;
	fake_lapic_enable(bsp);
	set_activity(bsp, HVM_ACTIVITY_HLT);
	t = sleeper_start(&s, bsp);
	vlapic_accept(bsp, 0x41, false);
	pthread_join(t, NULL);
	assert_int_equal(s.reason, HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->events, 1);
	assert_int_equal(fake_vcpu(bsp)->event[0].vector, 0x41);
	assert_int_equal(fake_vcpu(bsp)->runs, 1);
}

static void a_halted_vcpu_wakes_up_for_an_nmi(void **state)
{
	struct sleeper s;
	pthread_t t;

	(void)state;
	set_activity(bsp, HVM_ACTIVITY_HLT);
	t = sleeper_start(&s, bsp);
	hvm_vcpu_request(bsp, HVM_REQ_NMI);
	pthread_join(t, NULL);
	assert_int_equal(fake_vcpu(bsp)->event[0].type, HVM_EVENT_NMI);
	assert_int_equal(fake_vcpu(bsp)->runs, 1);
}

/* What cannot be delivered does not end the halt; the kick does. */
static void a_halted_vcpu_with_interrupts_off_sleeps_on(void **state)
{
	struct sleeper s;
	pthread_t t;

	(void)state;
	fake_lapic_enable(bsp);
	fake_vcpu(bsp)->blocked = true;
	set_activity(bsp, HVM_ACTIVITY_HLT);
	t = sleeper_start(&s, bsp);
	vlapic_accept(bsp, 0x41, false);
	kick(bsp);
	pthread_join(t, NULL);
	assert_int_equal(s.reason, HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->events, 0);
	assert_int_equal(fake_vcpu(bsp)->runs, 0);
}

/* A bug that was: firmware's log, or what was drawn last, stayed in the ring while a guest slept.
 */
static void batched_writes_are_handed_out_before_a_halt(void **state)
{
	const struct hvm_io_access a = {
		.type = HVM_IOREQ_PIO, .is_write = 1, .address = 0xe9, .size = 1, .data = 'x'
	};
	struct hvm_bufioreq b;

	(void)state;
	assert_true(bufioreq_push(d, &a));
	set_activity(bsp, HVM_ACTIVITY_HLT);
	assert_int_equal(run(bsp), HVM_EXIT_BUFIOREQ);
	assert_true(bufioreq_pop(d, &b));
	kick(bsp);
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->runs, 0);
}

/* -- INIT, SIPI -------------------------------------------------------------------------------- */

static void a_secondary_vcpu_waits_for_sipi(void **state)
{
	(void)state;
	assert_int_equal(activity(bsp), HVM_ACTIVITY_RUN);
	assert_int_equal(activity(ap), HVM_ACTIVITY_WAIT_SIPI);
	/* Interrupts and NMIs do not start it. */
	fake_lapic_enable(ap);
	vlapic_accept(ap, 0x51, false);
	hvm_vcpu_request(ap, HVM_REQ_NMI);
	kick(ap);
	assert_int_equal(run(ap), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(ap)->runs, 0);
	hvm_vcpu_request(ap, HVM_REQ_SIPI | 0x9a00);
	assert_int_equal(run(ap), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(ap)->runs, 1);
	assert_int_equal(fake_vcpu(ap)->starts, 1);
	assert_int_equal(fake_vcpu(ap)->start_vector, 0x9a);
}

static void sipi_to_a_running_vcpu_is_ignored(void **state)
{
	(void)state;
	hvm_vcpu_request(bsp, HVM_REQ_SIPI | 0x1000);
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->starts, 0);
	/* It is not kept for later, either. */
	set_activity(ap, HVM_ACTIVITY_RUN);
	hvm_vcpu_request(ap, HVM_REQ_SIPI | 0x1000);
	assert_int_equal(run(ap), HVM_EXIT_INTR);
	fake_vcpu(ap)->runs = 0;
	hvm_vcpu_request(ap, HVM_REQ_INIT);
	serve_and_sleep(ap);
	assert_int_equal(activity(ap), HVM_ACTIVITY_WAIT_SIPI);
	assert_int_equal(fake_vcpu(ap)->starts, 0);
}

/* A bug that was: the vectors of two SIPIs were ORed, and the vcpu started somewhere else. */
static void of_two_sipis_the_first_counts(void **state)
{
	(void)state;
	hvm_vcpu_request(ap, HVM_REQ_SIPI | 0x1200);
	hvm_vcpu_request(ap, HVM_REQ_SIPI | 0x2100);
	assert_int_equal(run(ap), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(ap)->starts, 1);
	assert_int_equal(fake_vcpu(ap)->start_vector, 0x12);
}

static void init_and_sipi_at_once_start_the_vcpu(void **state)
{
	(void)state;
	set_activity(ap, HVM_ACTIVITY_RUN);
	hvm_vcpu_request(ap, HVM_REQ_INIT);
	hvm_vcpu_request(ap, HVM_REQ_SIPI | 0x3400);
	assert_int_equal(run(ap), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(ap)->inits, 1);
	assert_int_equal(fake_vcpu(ap)->starts, 1);
	assert_int_equal(fake_vcpu(ap)->start_vector, 0x34);
	assert_int_equal(activity(ap), HVM_ACTIVITY_RUN);
}

/* A bug that was: a SIPI that came before an INIT started the vcpu after it. */
static void init_undoes_the_sipi_and_the_nmi_before_it(void **state)
{
	(void)state;
	hvm_vcpu_request(ap, HVM_REQ_SIPI | 0x3400);
	hvm_vcpu_request(ap, HVM_REQ_NMI);
	hvm_vcpu_request(ap, HVM_REQ_INIT);
	serve_and_sleep(ap);
	hvm_vcpu_request(ap, HVM_REQ_SIPI | 0x5600);
	assert_int_equal(run(ap), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(ap)->starts, 1);
	assert_int_equal(fake_vcpu(ap)->start_vector, 0x56);
	assert_int_equal(fake_vcpu(ap)->events, 0);
}

static int run_init_then_stop(struct vcpu *v, struct hvm_exit *ret)
{
	struct fake_vcpu *f = fake_vcpu(v);

	(void)ret;
	/* Another vcpu's INIT arrives while this one is in the guest. */
	f->run = NULL;
	hvm_vcpu_request(v, HVM_REQ_INIT);
	__atomic_store_n(&v->user_kick, 1, __ATOMIC_SEQ_CST);
	return 1;
}

static void init_reaches_a_running_vcpu(void **state)
{
	struct vcpu *v = ap;
	uint64_t pat = 0;

	(void)state;
	set_activity(v, HVM_ACTIVITY_RUN);
	fake_lapic_enable(v);
	assert_int_equal(hvm_msr_write(v, 0x277, 0x0606060606060606), 0);
	vlapic_accept(v, 0x51, false);
	v->reinject = (struct hvm_event){ .type = HVM_EVENT_HW_EXCEPTION, .vector = 14 };
	fake_vcpu(v)->run = run_init_then_stop;
	fake_vcpu(v)->blocked = true;
	assert_int_equal(run(v), HVM_EXIT_INTR); /* the kick comes before the INIT */
	fake_vcpu(v)->runs = 0;
	serve_and_sleep(v);
	assert_int_equal(activity(v), HVM_ACTIVITY_WAIT_SIPI);
	hvm_vcpu_request(v, HVM_REQ_SIPI | 0x1000);
	fake_vcpu(v)->blocked = false;
	fake_vcpu(v)->events = 0;
	assert_int_equal(run(v), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(v)->inits, 1);
	assert_int_equal(fake_vcpu(v)->starts, 1);
	/* The LAPIC and the event under way were reset, MTRRs and PAT were not. */
	assert_int_equal(fake_vcpu(v)->events, 0);
	assert_int_equal(vlapic_pending_vector(v), -1);
	assert_int_equal(hvm_msr_read(v, 0x277, &pat), 0);
	assert_int_equal(pat, 0x0606060606060606);
}

/* A bug that was: after INIT, the first instruction could be given an old one's device data. */
static void init_drops_what_ioemu_served_for_the_old_life(void **state)
{
	uint32_t value = 0;

	(void)state;
	assert_int_equal(hvm_pio_read(ap, 0x60, 1, &value), -HVM_EAGAIN);
	ap->ioreq_page->req.data = 0x77;
	ap->ioreq_page->req.state = HVM_IOREQ_STATE_DONE;
	hvm_vcpu_request(ap, HVM_REQ_INIT);
	hvm_vcpu_request(ap, HVM_REQ_SIPI | 0x1000);
	assert_int_equal(run(ap), HVM_EXIT_INTR);
	assert_int_equal(hvm_pio_read(ap, 0x60, 1, &value), -HVM_EAGAIN);
}

static void init_ends_a_shutdown(void **state)
{
	(void)state;
	set_activity(bsp, HVM_ACTIVITY_SHUTDOWN);
	assert_int_equal(run(bsp), HVM_EXIT_SHUTDOWN);
	assert_int_equal(run(bsp), HVM_EXIT_SHUTDOWN);
	hvm_vcpu_request(bsp, HVM_REQ_INIT);
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->runs, 1);
	assert_int_equal(activity(bsp), HVM_ACTIVITY_RUN);
}

/* -- ends -------------------------------------------------------------------------------------- */

static int run_shutdown(struct vcpu *v, struct hvm_exit *ret)
{
	*ret = (struct hvm_exit){ .reason = HVM_EXIT_SHUTDOWN, .rip = fake_vcpu(v)->state.rip };
	return 0;
}

static int run_fails(struct vcpu *v, struct hvm_exit *ret)
{
	(void)v;
	(void)ret;
	return -HVM_EIO;
}

static int run_crashes_and_asks(struct vcpu *v, struct hvm_exit *ret)
{
	hvm_domain_crash(v->domain, "vcpu %u: on purpose", v->id);
	ret->reason = HVM_EXIT_IOREQ;
	return 0;
}

static int run_asks(struct vcpu *v, struct hvm_exit *ret)
{
	uint32_t value = 0;

	ret->reason = HVM_EXIT_IOREQ;
	assert_int_equal(hvm_pio_read(v, 0x60, 1, &value), -HVM_EAGAIN);
	return 0;
}

static void a_triple_fault_is_a_shutdown_until_reset(void **state)
{
	(void)state;
	fake_vcpu(bsp)->run = run_shutdown;
	assert_int_equal(run(bsp), HVM_EXIT_SHUTDOWN);
	assert_int_equal(activity(bsp), HVM_ACTIVITY_SHUTDOWN);
	assert_int_equal(run(bsp), HVM_EXIT_SHUTDOWN);
	assert_int_equal(fake_vcpu(bsp)->runs, 1);
	fake_vcpu(bsp)->run = NULL;
	assert_int_equal(domain_reset(d), 0);
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
}

static void an_engine_that_fails_crashes_the_domain(void **state)
{
	(void)state;
	fake_vcpu(bsp)->run = run_fails;
	assert_int_equal(run(bsp), HVM_EXIT_CRASH);
	assert_string_equal(d->crash_reason, "vcpu 0: the engine failed (-5) at rip fff0");
	/* It is the end for every vcpu, the sleeping ones too. */
	assert_int_equal(run(ap), HVM_EXIT_CRASH);
	assert_int_equal(run(bsp), HVM_EXIT_CRASH);
}

static void an_event_that_cannot_be_delivered_crashes_the_domain(void **state)
{
	(void)state;
	hvm_vcpu_request(bsp, HVM_REQ_NMI);
	fake_vcpu(bsp)->inject_rc = -HVM_EIO;
	assert_int_equal(run(bsp), HVM_EXIT_CRASH);
	assert_int_equal(fake_vcpu(bsp)->runs, 0);
}

static void a_crash_wakes_sleepers(void **state)
{
	struct sleeper s;
	pthread_t t;

	(void)state;
	t = sleeper_start(&s, ap);
	hvm_domain_crash(d, "for a test");
	pthread_join(t, NULL);
	assert_int_equal(s.reason, HVM_EXIT_CRASH);
}

/* A bug that was: ioemu was sent a request that nobody had made. */
static void a_crash_amid_an_access_is_a_crash_and_no_request(void **state)
{
	(void)state;
	fake_vcpu(bsp)->run = run_crashes_and_asks;
	assert_int_equal(run(bsp), HVM_EXIT_CRASH);
	assert_int_equal(bsp->ioreq_page->req.state, HVM_IOREQ_STATE_FREE);
}

static void an_unserved_request_comes_back_each_time(void **state)
{
	(void)state;
	fake_vcpu(bsp)->run = run_asks;
	assert_int_equal(run(bsp), HVM_EXIT_IOREQ);
	assert_int_equal(run(bsp), HVM_EXIT_IOREQ);
	assert_int_equal(fake_vcpu(bsp)->runs, 1);
	bsp->ioreq_page->req.state = HVM_IOREQ_STATE_DONE;
	fake_vcpu(bsp)->run = NULL;
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
}

/* -- reset ------------------------------------------------------------------------------------- */

static void reset_brings_the_power_on_state(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t set, power_on;
	} row[] = {
		{ 0x277, 0x0606060606060606, 0x0007040600070406 },
		{ 0x1a0, 0x0, 0x1 },
		{ 0x48, 0x1, 0x0 }, /* was kept over a reset once */
		{ 0x2ff, 0xc06, 0x0 },
		{ 0x200, 0x6, 0x0 },
		{ 0x26f, 0x0606060606060606, 0x0 },
	};
	uint64_t value = 0;

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++)
		assert_int_equal(hvm_msr_write(bsp, row[i].msr, row[i].set), 0);
	set_activity(bsp, HVM_ACTIVITY_HLT);
	set_activity(ap, HVM_ACTIVITY_RUN);
	bsp->reinject = (struct hvm_event){ .type = HVM_EVENT_NMI, .vector = 2 };
	hvm_vcpu_request(bsp, HVM_REQ_NMI | HVM_REQ_INIT);
	assert_int_equal(hvm_mmio_read(bsp, 0xa0000, 4, &value), -HVM_EAGAIN);
	fake_run_to(5000000);
	vcpu_reset(bsp);
	vcpu_reset(ap);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		assert_int_equal(hvm_msr_read(bsp, row[i].msr, &value), 0);
		assert_int_equal(value, row[i].power_on);
	}
	assert_int_equal(activity(bsp), HVM_ACTIVITY_RUN);
	assert_int_equal(activity(ap), HVM_ACTIVITY_WAIT_SIPI);
	assert_int_equal(bsp->requests, 0);
	assert_int_equal(bsp->ioreq_page->req.state, HVM_IOREQ_STATE_FREE);
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->events, 0);
}

static void requests_that_come_during_a_reset_lose_no_wake_up(void **state)
{
	(void)state;
	/* The reset forgets the request; the vcpu looks at what is pending all the same. */
	fake_lapic_enable(bsp);
	set_activity(bsp, HVM_ACTIVITY_HLT);
	hvm_vcpu_request(bsp, HVM_REQ_EVENT);
	vcpu_reset(bsp);
	fake_lapic_enable(bsp);
	vlapic_accept(bsp, 0x61, false);
	__atomic_store_n(&bsp->requests, 0, __ATOMIC_SEQ_CST);
	set_activity(bsp, HVM_ACTIVITY_HLT);
	assert_int_equal(run(bsp), HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(bsp)->event[0].vector, 0x61);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_kick_leaves_run_at_once_and_only_once),
		TEST(a_halted_vcpu_sleeps_until_a_kick),
		TEST(a_halted_vcpu_wakes_up_for_an_interrupt),
		TEST(a_halted_vcpu_wakes_up_for_an_nmi),
		TEST(a_halted_vcpu_with_interrupts_off_sleeps_on),
		TEST(batched_writes_are_handed_out_before_a_halt),
		TEST(a_secondary_vcpu_waits_for_sipi),
		TEST(sipi_to_a_running_vcpu_is_ignored),
		TEST(of_two_sipis_the_first_counts),
		TEST(init_and_sipi_at_once_start_the_vcpu),
		TEST(init_undoes_the_sipi_and_the_nmi_before_it),
		TEST(init_reaches_a_running_vcpu),
		TEST(init_drops_what_ioemu_served_for_the_old_life),
		TEST(init_ends_a_shutdown),
		TEST(a_triple_fault_is_a_shutdown_until_reset),
		TEST(an_engine_that_fails_crashes_the_domain),
		TEST(an_event_that_cannot_be_delivered_crashes_the_domain),
		TEST(a_crash_wakes_sleepers),
		TEST(a_crash_amid_an_access_is_a_crash_and_no_request),
		TEST(an_unserved_request_comes_back_each_time),
		TEST(reset_brings_the_power_on_state),
		TEST(requests_that_come_during_a_reset_lose_no_wake_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
