/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_domain.c - a domain's construction and end, its clock while it is stopped and started, its
 * crash and its reset.
 */
#include <pthread.h>

#include "fake_domain.h"

static struct domain *d;

static int setup(void **state)
{
	(void)state;
	d = fake_domain_create(2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_domain_destroy(d);
	return 0;
}

/* -- construction ------------------------------------------------------------------------------ */

static void running_out_of_memory_at_any_point_leaves_nothing(void **state)
{
	const struct hvm_domain_config cfg = { .name = "t", .vcpus = 3 };
	struct domain *made = NULL;
	int rc = -HVM_ENOMEM;
	long n;

	(void)state;
	for (n = 0; rc; n++) {
		assert_in_range(n, 0, 200);
		hvm_os_test_fail_alloc_after(n);
		rc = domain_create(&cfg, &fake_function_table, &made);
		if (rc) {
			assert_int_equal(rc, -HVM_ENOMEM);
			assert_null(made);
		}
	}
	hvm_os_test_fail_alloc_after(-1);
	assert_true(n > 10);
	domain_destroy(made);
	domain_destroy(NULL);
}

static int init_fails(struct domain *of)
{
	(void)of;
	return -HVM_ENODEV;
}

static unsigned int finished;

static void init_failed_fini(struct domain *of)
{
	(void)of;
	finished++;
}

static void a_vendor_that_refuses_is_not_ended(void **state)
{
	const struct hvm_domain_config cfg = { .vcpus = 1 };
	struct hvm_function_table t = fake_function_table;
	struct domain *made = NULL;

	(void)state;
	t.domain_init = init_fails;
	t.domain_fini = init_failed_fini;
	assert_int_equal(domain_create(&cfg, &t, &made), -HVM_ENODEV);
	assert_null(made);
	assert_int_equal(finished, 0);
}

static void vcpus_are_numbered_and_bounded(void **state)
{
	const struct hvm_domain_config none = { .vcpus = 0 };
	const struct hvm_domain_config many = { .vcpus = HVM_MAX_VCPUS + 1 };
	struct domain *made = NULL;

	(void)state;
	assert_int_equal(domain_create(&none, &fake_function_table, &made), -HVM_EINVAL);
	assert_int_equal(domain_create(&many, &fake_function_table, &made), -HVM_EINVAL);
	assert_int_equal(d->vcpu_count, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(d->vcpu[i]->id, i);
		assert_int_equal(vlapic_id(d->vcpu[i]), i);
	}
}

/* -- time -------------------------------------------------------------------------------------- */

static void guest_time_starts_at_zero_and_follows_the_hosts(void **state)
{
	(void)state;
	assert_int_equal(hvm_domain_now_ns(d), 0);
	fake_run_to(123456789);
	assert_int_equal(hvm_domain_now_ns(d), 123456789);
	assert_int_equal(hvm_domain_deadline_ns(d, 5), FAKE_EPOCH_NS + 5);
	assert_int_equal(hvm_domain_deadline_ns(d, UINT64_MAX), UINT64_MAX);
	assert_int_equal(hvm_domain_deadline_ns(d, UINT64_MAX - FAKE_EPOCH_NS + 1), UINT64_MAX);
}

static void time_and_tsc_stand_still_while_paused(void **state)
{
	uint64_t tsc[2];

	(void)state;
	fake_run_to(1000);
	domain_pause_time(d);
	domain_pause_time(d);
	for (unsigned int i = 0; i < 2; i++)
		tsc[i] = hvm_vcpu_rdtsc(d->vcpu[i]);
	fake_run_to(5000000000ull);
	assert_int_equal(hvm_domain_now_ns(d), 1000);
	assert_int_equal(hvm_domain_deadline_ns(d, 2000), UINT64_MAX);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[i]), tsc[i]);
	domain_resume_time(d);
	domain_resume_time(d);
	assert_int_equal(hvm_domain_now_ns(d), 1000);
	assert_int_equal(hvm_domain_deadline_ns(d, 2000), FAKE_EPOCH_NS + 5000001000ull);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[i]), tsc[i]);
	fake_run_to(5000000500ull);
	assert_int_equal(hvm_domain_now_ns(d), 1500);
}

static void a_tsc_set_while_paused_goes_on_from_there(void **state)
{
	(void)state;
	fake_run_to(1000000);
	domain_pause_time(d);
	fake_run_to(9000000);
	assert_int_equal(hvm_msr_write(d->vcpu[1], 0x10, 777), 0);
	assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[1]), 777);
	fake_run_to(99000000);
	domain_resume_time(d);
	assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[1]), 777);
}

static void armed_timers_wait_for_the_resume(void **state)
{
	struct vcpu *v = d->vcpu[0];

	(void)state;
	fake_lapic_enable(v);
	fake_lapic_write(v, 0x3e0, 0xb);  /* divide by 1: nanoseconds */
	fake_lapic_write(v, 0x320, 0x61); /* one-shot */
	fake_lapic_write(v, 0x380, 1000000);
	fake_run_to(400000);
	domain_pause_time(d);
	fake_run_to(80000000);
	assert_int_equal(vlapic_pending_vector(v), -1);
	domain_resume_time(d);
	fake_run_to(80000000 + 599999);
	assert_int_equal(vlapic_pending_vector(v), -1);
	fake_run_to(80000000 + 600001);
	assert_int_equal(vlapic_pending_vector(v), 0x61);
}

struct watcher {
	pthread_t thread;
	uint32_t stop;
	uint64_t backwards;
};

static void *watch_time(void *arg)
{
	struct watcher *w = arg;
	uint64_t ns = 0, tsc = 0;

	do {
		uint64_t now = hvm_domain_now_ns(d), count = hvm_vcpu_rdtsc(d->vcpu[1]);

		/* Both are read on whatever CPU this runs on; the TSCs may be a little apart. */
		w->backwards += now < ns || count + 100000 < tsc;
		ns = now;
		tsc = count;
	} while (!__atomic_load_n(&w->stop, __ATOMIC_SEQ_CST));
	return NULL;
}

/* A bug that was: who looked during the resume saw time jump back by the length of the pause. */
static void time_never_goes_back_while_it_is_stopped_and_started(void **state)
{
	const struct hvm_domain_config cfg = { .vcpus = 2 };
	struct watcher w = { 0 };

	(void)state;
	hvm_os_test_real_clock();
	domain_destroy(d);
	assert_int_equal(domain_create(&cfg, &fake_function_table, &d), 0);
	assert_int_equal(pthread_create(&w.thread, NULL, watch_time, &w), 0);
	for (unsigned int i = 0; i < 3000; i++) {
		domain_pause_time(d);
		for (volatile unsigned int n = 0; n < 500; n++)
			;
		domain_resume_time(d);
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(w.thread, NULL);
	assert_int_equal(w.backwards, 0);
}

/* -- crash ------------------------------------------------------------------------------------- */

static void the_first_crash_is_told(void **state)
{
	(void)state;
	assert_false(hvm_domain_is_crashed(d));
	hvm_domain_crash(d, "port %x: %s", 0x64, "first");
	hvm_domain_crash(d, "second");
	assert_true(hvm_domain_is_crashed(d));
	assert_string_equal(d->crash_reason, "port 64: first");
	for (unsigned int i = 0; i < 2; i++)
		assert_true(fake_requests(d->vcpu[i]) & HVM_REQ_EVENT);
}

static void a_long_reason_is_cut(void **state)
{
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	hvm_domain_crash(d, "%s", text);
	assert_int_equal(strlen(d->crash_reason), sizeof(d->crash_reason) - 1);
}

static void a_claimed_crash_is_not_yet_one(void **state)
{
	struct hvm_exit e;

	(void)state;
	/* Another thread is writing the reason. */
	d->crashed = HVM_CRASH_CLAIMED;
	assert_int_equal(vcpu_run(d->vcpu[0], &e), 0);
	assert_int_equal(e.reason, HVM_EXIT_INTR);
	d->crashed = HVM_CRASH_TOLD;
	assert_int_equal(vcpu_run(d->vcpu[0], &e), 0);
	assert_int_equal(e.reason, HVM_EXIT_CRASH);
}

/* -- reset ------------------------------------------------------------------------------------- */

static void reset_is_power_on_for_everything(void **state)
{
	const struct hvm_io_access a = {
		.type = HVM_IOREQ_PIO, .is_write = 1, .address = 0xe9, .size = 1
	};
	struct hvm_exit e;

	(void)state;
	fake_pic_init(d);
	fake_lapic_enable(d->vcpu[0]);
	fake_ioapic_write(d, 0x10 + 2 * 4, 0x34);
	hvm_gsi_set(d, 4, true);
	vlapic_accept(d->vcpu[0], 0x51, false);
	assert_true(bufioreq_push(d, &a));
	hvm_domain_crash(d, "for a test");
	fake_run_to(7000000);
	assert_int_equal(domain_reset(d), 0);
	assert_false(hvm_domain_is_crashed(d));
	assert_false(bufioreq_pending(d));
	assert_int_equal(vlapic_pending_vector(d->vcpu[0]), -1);
	assert_false(vpic_has_intr(d));
	assert_int_equal(fake_lapic_read(d->vcpu[0], 0xf0), 0xff);
	assert_int_equal(fake_ioapic_read(d, 0x10 + 2 * 4) & 0x10000, 0x10000);
	/* The TSCs of both start again, together; RESET clears the counter. */
	assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[0]), 0);
	assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[1]), 0);
	assert_int_equal(vcpu_run(d->vcpu[0], &e), 0);
	assert_int_equal(e.reason, HVM_EXIT_INTR);
	assert_int_equal(fake_vcpu(d->vcpu[0])->events, 0);
}

static void reset_while_paused_starts_with_the_resume(void **state)
{
	(void)state;
	fake_run_to(1000000);
	domain_pause_time(d);
	fake_run_to(2000000);
	assert_int_equal(domain_reset(d), 0);
	assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[0]), 0);
	fake_run_to(9000000);
	domain_resume_time(d);
	assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[0]), 0);
	fake_run_to(10000000);
	assert_in_range(hvm_vcpu_rdtsc(d->vcpu[0]), hvm_tsc_khz(d) - 1, hvm_tsc_khz(d) + 1);
}

/* Twice as fast as this host, and two thirds as fast. */
static void a_guest_from_elsewhere_counts_at_its_own_rate(void **state)
{
	const uint64_t rates[] = { hvm_os_tsc_khz() * 2, hvm_os_tsc_khz() / 3 * 2 };
	uint64_t tsc;

	(void)state;
	fake_ratio_bits = 32;
	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(rates); i++) {
		const uint64_t start = i * 100000000ull;

		assert_int_equal(domain_set_tsc_khz(d, rates[i], true), 0);
		assert_int_not_equal(hvm_tsc_khz(d), rates[i]);
		assert_int_equal(domain_set_tsc_khz(d, rates[i], false), 0);
		assert_int_equal(hvm_tsc_khz(d), rates[i]);
		fake_run_to(start + 1000000);
		assert_int_equal(domain_reset(d), 0);
		assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[0]), 0);
		fake_run_to(start + 2000000);
		tsc = hvm_vcpu_rdtsc(d->vcpu[0]);
		assert_in_range(tsc, rates[i] - 2, rates[i] + 2);
		domain_pause_time(d);
		fake_run_to(start + 50000000);
		assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[0]), tsc);
		domain_resume_time(d);
		assert_int_equal(hvm_vcpu_rdtsc(d->vcpu[0]), tsc);
		fake_run_to(start + 51000000);
		assert_in_range(hvm_vcpu_rdtsc(d->vcpu[1]), 2 * rates[i] - 4, 2 * rates[i] + 4);
	}
	fake_ratio_bits = 0;
	assert_int_equal(domain_set_tsc_khz(d, rates[0], true), -HVM_EINVAL);
	assert_int_equal(hvm_tsc_khz(d), rates[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(running_out_of_memory_at_any_point_leaves_nothing),
		TEST(a_vendor_that_refuses_is_not_ended),
		TEST(vcpus_are_numbered_and_bounded),
		TEST(guest_time_starts_at_zero_and_follows_the_hosts),
		TEST(time_and_tsc_stand_still_while_paused),
		TEST(a_tsc_set_while_paused_goes_on_from_there),
		TEST(armed_timers_wait_for_the_resume),
		TEST(time_never_goes_back_while_it_is_stopped_and_started),
		TEST(the_first_crash_is_told),
		TEST(a_long_reason_is_cut),
		TEST(a_claimed_crash_is_not_yet_one),
		TEST(reset_is_power_on_for_everything),
		TEST(reset_while_paused_starts_with_the_resume),
		TEST(a_guest_from_elsewhere_counts_at_its_own_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
