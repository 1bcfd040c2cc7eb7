/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of os/posix: memory, timers, clocks, waiters. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/posix/os_test.h"

struct probe {
	struct hvm_os_timer *t;
	uint64_t fired_at[8];
	uint32_t count;
	uint64_t again_ns; /* re-arm this long after each expiry */
	uint32_t slow_us;
};

static void probe_fire(void *arg)
{
	struct probe *p = arg;
	uint32_t n = __atomic_load_n(&p->count, __ATOMIC_ACQUIRE);

	if (n < 8)
		p->fired_at[n] = hvm_os_now_ns();
	if (p->slow_us != 0)
		usleep(p->slow_us);
	if (p->again_ns != 0)
		hvm_os_timer_arm(p->t, hvm_os_now_ns() + p->again_ns);
	__atomic_store_n(&p->count, n + 1, __ATOMIC_RELEASE);
}

static uint32_t probe_count(struct probe *p)
{
	return __atomic_load_n(&p->count, __ATOMIC_ACQUIRE);
}

static void probe_wait(struct probe *p, uint32_t count)
{
	for (int i = 0; i < 2000 && probe_count(p) < count; i++)
		usleep(1000);
	assert_true(probe_count(p) >= count);
}

static void alloc_is_zeroed_and_aligned(void **state)
{
	uint8_t *p = hvm_os_alloc(100);

	(void)state;
	assert_non_null(p);
	assert_int_equal((uintptr_t)p & 63, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	hvm_os_free(p);
	p = hvm_os_alloc_pages(5 * HVM_PAGE_SIZE);
	assert_non_null(p);
	assert_int_equal((uintptr_t)p & (HVM_PAGE_SIZE - 1), 0);
	assert_int_equal(p[5 * HVM_PAGE_SIZE - 1], 0);
	hvm_os_free_pages(p, 5 * HVM_PAGE_SIZE);
}

static void alloc_of_impossible_size_fails(void **state)
{
	(void)state;
	assert_null(hvm_os_alloc(SIZE_MAX));
	assert_null(hvm_os_alloc_pages(0));
}

static void alloc_fails_when_told_to(void **state)
{
	void *a, *b;

	(void)state;
	hvm_os_test_fail_alloc_after(1);
	a = hvm_os_alloc(8);
	b = hvm_os_alloc(8);
	assert_null(hvm_os_alloc_pages(4096));
	assert_null(hvm_os_timer_create(probe_fire, NULL));
	hvm_os_test_fail_alloc_after(-1);
	assert_non_null(a);
	assert_null(b);
	hvm_os_free(a);
}

static void timer_fires_once_and_not_early(void **state)
{
	struct probe p = { 0 };
	uint64_t deadline;

	(void)state;
	p.t = hvm_os_timer_create(probe_fire, &p);
	deadline = hvm_os_now_ns() + 5000000;
	hvm_os_timer_arm(p.t, deadline);
	probe_wait(&p, 1);
	usleep(5000);
	assert_int_equal(probe_count(&p), 1);
	assert_true(p.fired_at[0] >= deadline);
	hvm_os_timer_destroy(p.t);
}

static void timer_armed_from_its_callback_fires_again(void **state)
{
	struct probe p = { .again_ns = 1000000 };

	(void)state;
	p.t = hvm_os_timer_create(probe_fire, &p);
	hvm_os_timer_arm(p.t, 0);
	probe_wait(&p, 5);
	hvm_os_timer_destroy(p.t);
}

static void timer_can_be_moved_and_cancelled(void **state)
{
	struct probe p = { 0 };

	(void)state;
	p.t = hvm_os_timer_create(probe_fire, &p);
	hvm_os_timer_arm(p.t, hvm_os_now_ns() + 3600000000000ull);
	hvm_os_timer_arm(p.t, hvm_os_now_ns() + 1000000);
	probe_wait(&p, 1);
	hvm_os_timer_arm(p.t, hvm_os_now_ns() + 5000000);
	hvm_os_timer_cancel(p.t);
	usleep(10000);
	assert_int_equal(probe_count(&p), 1);
	hvm_os_timer_destroy(p.t);
}

static void timer_destroy_waits_for_its_callback(void **state)
{
	struct probe *p = calloc(1, sizeof(*p));

	(void)state;
	assert_non_null(p);
	p->slow_us = 20000;
	p->again_ns = 1;
	p->t = hvm_os_timer_create(probe_fire, p);
	hvm_os_timer_arm(p->t, 0);
	usleep(5000);
	hvm_os_timer_destroy(p->t);
	assert_true(probe_count(p) >= 1);
	/* A callback that is still running would be a use after free. */
	free(p);
	usleep(30000);
}

static void driven_clock_fires_many_timers_in_order(void **state)
{
	enum {
		N = 100
	};
	static struct probe p[N];
	uint32_t order = 12345;

	(void)state;
	hvm_os_test_set_clock(1000);
	for (int i = 0; i < N; i++) {
		memset(&p[i], 0, sizeof(p[i]));
		p[i].t = hvm_os_timer_create(probe_fire, &p[i]);
		order = order * 1103515245 + 12345;
		hvm_os_timer_arm(p[i].t, 2000 + (order >> 8) % 10000);
		p[i].fired_at[7] = 2000 + (order >> 8) % 10000;
	}
	for (int i = 0; i < N; i += 3)
		hvm_os_timer_cancel(p[i].t);
	hvm_os_test_run_clock(20000);
	assert_int_equal(hvm_os_now_ns(), 20000);
	for (int i = 0; i < N; i++) {
		assert_int_equal(p[i].count, i % 3 != 0);
		if (i % 3 != 0)
			assert_int_equal(p[i].fired_at[0], p[i].fired_at[7]);
		hvm_os_timer_destroy(p[i].t);
	}
	hvm_os_test_real_clock();
}

static void set_clock_makes_timers_late(void **state)
{
	struct probe p = { 0 };

	(void)state;
	hvm_os_test_set_clock(1000);
	p.t = hvm_os_timer_create(probe_fire, &p);
	hvm_os_timer_arm(p.t, 2000);
	hvm_os_test_set_clock(1999);
	assert_int_equal(p.count, 0);
	hvm_os_test_set_clock(9000);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.fired_at[0], 9000);
	hvm_os_timer_destroy(p.t);
	hvm_os_test_real_clock();
}

/* The median of a few: other load on the machine may delay single ones. */
static void timer_is_typically_less_than_a_millisecond_late(void **state)
{
	uint64_t late[9];

	(void)state;
	for (int i = 0; i < 9; i++) {
		struct probe p = { 0 };
		uint64_t deadline = hvm_os_now_ns() + 2000000;

		p.t = hvm_os_timer_create(probe_fire, &p);
		hvm_os_timer_arm(p.t, deadline);
		probe_wait(&p, 1);
		hvm_os_timer_destroy(p.t);
		late[i] = p.fired_at[0] - deadline;
		for (int j = i; j > 0 && late[j] < late[j - 1]; j--) {
			uint64_t t = late[j];

			late[j] = late[j - 1];
			late[j - 1] = t;
		}
	}
	print_message("timer late by %llu ns (median of 9)\n", (unsigned long long)late[4]);
	assert_true(late[4] < 1000000);
}

static void tsc_frequency_agrees_with_the_clock(void **state)
{
	uint64_t khz = hvm_os_tsc_khz(), ns, tsc, expect, apart;

	(void)state;
	assert_int_equal(hvm_os_tsc_khz(), khz);
	ns = hvm_os_now_ns();
	tsc = hvm_os_rdtsc();
	usleep(50000);
	ns = hvm_os_now_ns() - ns;
	tsc = hvm_os_rdtsc() - tsc;
	expect = ns * khz / 1000000;
	apart = tsc > expect ? tsc - expect : expect - tsc;
	/* 1 in 100: the two reads of each pair may be torn apart by the scheduler. */
	assert_true(apart < expect / 100);
}

static void waiter_keeps_one_token(void **state)
{
	struct hvm_os_waiter w;

	(void)state;
	hvm_os_waiter_init(&w);
	hvm_os_waiter_wake(&w);
	hvm_os_waiter_wake(&w);
	hvm_os_waiter_wait(&w);
	hvm_os_waiter_fini(&w);
}

struct ping {
	struct hvm_os_waiter a, b;
	uint32_t value; /* plain: the waiters order it */
};

static void *ping_thread(void *arg)
{
	struct ping *p = arg;

	for (int i = 0; i < 2000; i++) {
		hvm_os_waiter_wait(&p->a);
		p->value++;
		hvm_os_waiter_wake(&p->b);
	}
	return NULL;
}

static void waiters_hand_over_without_loss(void **state)
{
	struct ping p = { .value = 0 };
	pthread_t t;

	(void)state;
	hvm_os_waiter_init(&p.a);
	hvm_os_waiter_init(&p.b);
	assert_int_equal(pthread_create(&t, NULL, ping_thread, &p), 0);
	for (uint32_t i = 1; i <= 2000; i++) {
		hvm_os_waiter_wake(&p.a);
		hvm_os_waiter_wait(&p.b);
		assert_int_equal(p.value, i);
	}
	pthread_join(t, NULL);
}

static struct hvm_os_spinlock test_spin;
static struct hvm_os_mutex test_mutex;
static uint64_t test_counter;

static void *lock_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		hvm_os_mutex_lock(&test_mutex);
		hvm_os_spin_lock(&test_spin);
		test_counter++;
		hvm_os_spin_unlock(&test_spin);
		hvm_os_mutex_unlock(&test_mutex);
		if (i % 1000 == 0)
			hvm_os_yield();
	}
	return NULL;
}

static void locks_exclude(void **state)
{
	pthread_t t[3];

	(void)state;
	hvm_os_spin_init(&test_spin);
	hvm_os_mutex_init(&test_mutex);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, lock_thread, NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(test_counter, 60000);
	hvm_os_spin_fini(&test_spin);
	hvm_os_mutex_fini(&test_mutex);
}

static void eventfd_signal_adds_one(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n = 0;

	(void)state;
	hvm_os_eventfd_signal(fd);
	hvm_os_eventfd_signal(fd);
	assert_int_equal(read(fd, &n, sizeof(n)), 8);
	assert_int_equal(n, 2);
	close(fd);
}

static char last_line[512];
static enum hvm_log_level last_level;

static void sink(enum hvm_log_level level, const char *line)
{
	last_level = level;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void log_goes_to_the_sink_formatted(void **state)
{
	char buf[8];

	(void)state;
	hvm_os_test_log_sink(sink);
	hvm_os_log(HVM_LOG_WARN, "domain %s: %d", "x", 7);
	hvm_os_test_log_sink(NULL);
	assert_string_equal(last_line, "domain x: 7");
	assert_int_equal(last_level, HVM_LOG_WARN);
	assert_int_equal(hvm_os_format(buf, sizeof(buf), "%s", "longer than that"), 16);
	assert_string_equal(buf, "longer ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alloc_is_zeroed_and_aligned),
		cmocka_unit_test(alloc_of_impossible_size_fails),
		cmocka_unit_test(alloc_fails_when_told_to),
		cmocka_unit_test(timer_fires_once_and_not_early),
		cmocka_unit_test(timer_armed_from_its_callback_fires_again),
		cmocka_unit_test(timer_can_be_moved_and_cancelled),
		cmocka_unit_test(timer_destroy_waits_for_its_callback),
		cmocka_unit_test(driven_clock_fires_many_timers_in_order),
		cmocka_unit_test(set_clock_makes_timers_late),
		cmocka_unit_test(timer_is_typically_less_than_a_millisecond_late),
		cmocka_unit_test(tsc_frequency_agrees_with_the_clock),
		cmocka_unit_test(waiter_keeps_one_token),
		cmocka_unit_test(waiters_hand_over_without_loss),
		cmocka_unit_test(locks_exclude),
		cmocka_unit_test(eventfd_signal_adds_one),
		cmocka_unit_test(log_goes_to_the_sink_formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
