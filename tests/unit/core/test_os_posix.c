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
	uint32_t entered, count; /* callbacks that began, and ended */
	uint64_t again_ns;	 /* re-arm this long after each expiry */
	uint32_t slow_us;
};

static void probe_fire(void *arg)
{
	struct probe *p = arg;
	uint32_t n = __atomic_load_n(&p->count, __ATOMIC_ACQUIRE);

	__atomic_store_n(&p->entered, n + 1, __ATOMIC_RELEASE);
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
	while (probe_count(p) < count)
		usleep(1000);
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
	/* Cancelled in time, which a busy machine may not allow at once. */
	for (uint32_t fired = 1;; fired = probe_count(&p)) {
		uint64_t deadline = hvm_os_now_ns() + 5000000;

		hvm_os_timer_arm(p.t, deadline);
		hvm_os_timer_cancel(p.t);
		if (hvm_os_now_ns() >= deadline)
			continue;
		while (hvm_os_now_ns() < deadline + 5000000)
			usleep(1000);
		assert_int_equal(probe_count(&p), fired);
		break;
	}
	hvm_os_timer_destroy(p.t);
}

static void timer_destroy_waits_for_its_callback(void **state)
{
	struct probe p = { .slow_us = 20000, .again_ns = 1 };

	(void)state;
	p.t = hvm_os_timer_create(probe_fire, &p);
	hvm_os_timer_arm(p.t, 0);
	while (!__atomic_load_n(&p.entered, __ATOMIC_ACQUIRE))
		usleep(100);
	hvm_os_timer_destroy(p.t);
	assert_int_equal(probe_count(&p), __atomic_load_n(&p.entered, __ATOMIC_ACQUIRE));
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
/* Both at one moment, as far as the scheduler lets us. */
static void read_clocks(uint64_t *ns, uint64_t *tsc)
{
	uint64_t before;

	do {
		before = hvm_os_now_ns();
		*tsc = hvm_os_rdtsc();
		*ns = hvm_os_now_ns();
	} while (*ns - before > 20000);
}

static void tsc_frequency_agrees_with_the_clock(void **state)
{
	uint64_t khz = hvm_os_tsc_khz(), ns[2], tsc[2], expect, apart;

	(void)state;
	assert_int_equal(hvm_os_tsc_khz(), khz);
	read_clocks(&ns[0], &tsc[0]);
	usleep(50000);
	read_clocks(&ns[1], &tsc[1]);
	expect = (ns[1] - ns[0]) * khz / 1000000;
	apart = tsc[1] - tsc[0] > expect ? tsc[1] - tsc[0] - expect : expect - (tsc[1] - tsc[0]);
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
		cmocka_unit_test(tsc_frequency_agrees_with_the_clock),
		cmocka_unit_test(waiter_keeps_one_token),
		cmocka_unit_test(waiters_hand_over_without_loss),
		cmocka_unit_test(locks_exclude),
		cmocka_unit_test(eventfd_signal_adds_one),
		cmocka_unit_test(log_goes_to_the_sink_formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
