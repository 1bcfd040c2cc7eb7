/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * os_posix.c - hvm_os.h on Linux user space: memory, locks, clocks, waiters, log. Timers are in
 * os_timer.c.
 * Locking: none of its own; the few process-wide words are atomic. Nothing here is saved.
 * Source: POSIX.1-2017; futex(2), clock_gettime(2); Intel SDM Vol 3B 18.7.3 "Determining the
 * Processor Base Frequency".
 */
#include "os/posix/os_posix.h"
#include "os/posix/os_test.h"

#include <cpuid.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

/* -- memory ---------------------------------------------------------------------------------- */

static long os_alloc_budget = -1; /* atomic; -1: no fault injection */

void hvm_os_test_fail_alloc_after(long n)
{
	__atomic_store_n(&os_alloc_budget, n, __ATOMIC_SEQ_CST);
}

bool os_alloc_must_fail(void)
{
	long left = __atomic_load_n(&os_alloc_budget, __ATOMIC_RELAXED);

	while (left > 0) {
		if (__atomic_compare_exchange_n(&os_alloc_budget, &left, left - 1, false,
						__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return false;
	}
	return left == 0;
}

/* From malloc's family, so that what libhvm hands to its caller can be freed with free(). */
void *hvm_os_alloc(size_t bytes)
{
	void *p;

	if (bytes > SIZE_MAX - 64 || os_alloc_must_fail())
		return NULL;
	bytes = (bytes + 63) & ~(size_t)63;
	if (bytes == 0)
		bytes = 64;
	p = aligned_alloc(64, bytes);
	if (p != NULL)
		memset(p, 0, bytes);
	return p;
}

void hvm_os_free(void *p)
{
	free(p);
}

void *hvm_os_alloc_pages(size_t bytes)
{
	void *p;

	if (bytes == 0 || os_alloc_must_fail())
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void hvm_os_free_pages(void *p, size_t bytes)
{
	if (p != NULL && munmap(p, bytes) != 0)
		hvm_bug("munmap of pages that were not ours");
}

/* -- locks ----------------------------------------------------------------------------------- */

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct hvm_os_mutex), "a mutex fits");
_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct hvm_os_spinlock), "a spin lock fits");

static pthread_mutex_t *os_mutex(struct hvm_os_mutex *m)
{
	return (pthread_mutex_t *)(void *)m->opaque;
}

/*
 * A spin lock is an adaptive mutex: it spins for a moment, then sleeps. With more vcpu threads
 * than CPUs the holder may not be running, and to spin on would burn the time it needs.
 */
static pthread_mutex_t *os_spin(struct hvm_os_spinlock *l)
{
	return (pthread_mutex_t *)(void *)l->opaque;
}

static void os_lock_init(pthread_mutex_t *m, int type)
{
	pthread_mutexattr_t attr;

	if (pthread_mutexattr_init(&attr) != 0 || pthread_mutexattr_settype(&attr, type) != 0 ||
	    pthread_mutex_init(m, &attr) != 0)
		hvm_bug("mutex init");
	pthread_mutexattr_destroy(&attr);
}

void hvm_os_mutex_init(struct hvm_os_mutex *m)
{
	os_lock_init(os_mutex(m), PTHREAD_MUTEX_NORMAL);
}

void hvm_os_mutex_fini(struct hvm_os_mutex *m)
{
	pthread_mutex_destroy(os_mutex(m));
}

void hvm_os_mutex_lock(struct hvm_os_mutex *m)
{
	if (pthread_mutex_lock(os_mutex(m)) != 0)
		hvm_bug("mutex lock");
}

void hvm_os_mutex_unlock(struct hvm_os_mutex *m)
{
	if (pthread_mutex_unlock(os_mutex(m)) != 0)
		hvm_bug("mutex unlock");
}

void hvm_os_spin_init(struct hvm_os_spinlock *l)
{
	os_lock_init(os_spin(l), PTHREAD_MUTEX_ADAPTIVE_NP);
}

void hvm_os_spin_fini(struct hvm_os_spinlock *l)
{
	pthread_mutex_destroy(os_spin(l));
}

void hvm_os_spin_lock(struct hvm_os_spinlock *l)
{
	if (pthread_mutex_lock(os_spin(l)) != 0)
		hvm_bug("spin lock");
}

void hvm_os_spin_unlock(struct hvm_os_spinlock *l)
{
	if (pthread_mutex_unlock(os_spin(l)) != 0)
		hvm_bug("spin unlock");
}

/* -- clocks ---------------------------------------------------------------------------------- */

static uint32_t os_fake_on; /* atomic */
static uint64_t os_fake_ns; /* atomic */

bool os_clock_is_fake(uint64_t *ret_ns)
{
	if (hvm_likely(__atomic_load_n(&os_fake_on, __ATOMIC_ACQUIRE) == 0))
		return false;
	*ret_ns = __atomic_load_n(&os_fake_ns, __ATOMIC_ACQUIRE);
	return true;
}

void os_clock_set_fake(uint64_t ns)
{
	__atomic_store_n(&os_fake_ns, ns, __ATOMIC_RELEASE);
	__atomic_store_n(&os_fake_on, 1, __ATOMIC_RELEASE);
}

void os_clock_set_real(void)
{
	__atomic_store_n(&os_fake_on, 0, __ATOMIC_RELEASE);
}

uint64_t os_real_now_ns(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		hvm_bug("no monotonic clock");
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t hvm_os_now_ns(void)
{
	uint64_t ns;

	return os_clock_is_fake(&ns) ? ns : os_real_now_ns();
}

uint64_t hvm_os_wall_s(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) != 0 || ts.tv_sec < 0)
		return 0;
	return (uint64_t)ts.tv_sec;
}

uint64_t hvm_os_rdtsc(void)
{
	uint64_t ns;

	if (os_clock_is_fake(&ns)) {
		uint64_t khz = hvm_os_tsc_khz();

		return ns / 1000000 * khz + ns % 1000000 * khz / 1000000;
	}
	return __builtin_ia32_rdtsc();
}

/* The crystal's frequency, where the processor tells it. 0: it does not. */
static uint64_t os_tsc_khz_cpuid(void)
{
	unsigned int denominator, numerator, hz, edx;

	if (__get_cpuid_max(0, NULL) < 0x15)
		return 0;
	__cpuid(0x15, denominator, numerator, hz, edx);
	if (denominator == 0 || numerator == 0 || hz == 0)
		return 0;
	return (uint64_t)hz * numerator / denominator / 1000;
}

struct os_clock_pair {
	uint64_t ns;
	uint64_t tsc;
};

/* Both clocks at one moment: of several tries the one in which the least time went by. */
static struct os_clock_pair os_clock_pair_read(void)
{
	struct os_clock_pair best = { 0, 0 };
	uint64_t best_width = UINT64_MAX;

	for (unsigned int i = 0; i < 16; i++) {
		uint64_t before = __builtin_ia32_rdtsc();
		uint64_t ns = os_real_now_ns();
		uint64_t width = __builtin_ia32_rdtsc() - before;

		if (width < best_width) {
			best_width = width;
			best.ns = ns;
			best.tsc = before + width / 2;
		}
	}
	return best;
}

static uint64_t os_tsc_khz_measure(void)
{
	const struct timespec wait = { .tv_nsec = 10 * 1000 * 1000 };
	struct os_clock_pair from = os_clock_pair_read(), to;

	nanosleep(&wait, NULL);
	to = os_clock_pair_read();
	if (to.ns <= from.ns)
		hvm_bug("the monotonic clock stands still");
	/* Cycles of some 10 ms, or of a second if we slept badly: the product fits. */
	return (to.tsc - from.tsc) * 1000000 / (to.ns - from.ns);
}

static uint64_t os_tsc_khz_value;

static void os_tsc_khz_init(void)
{
	os_tsc_khz_value = os_tsc_khz_cpuid();
	if (os_tsc_khz_value == 0)
		os_tsc_khz_value = os_tsc_khz_measure();
	if (os_tsc_khz_value == 0)
		hvm_bug("the TSC stands still");
}

uint64_t hvm_os_tsc_khz(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, os_tsc_khz_init);
	return os_tsc_khz_value;
}

/* -- sleeping vcpus: one futex word, one sleeper --------------------------------------------- */

#define OS_WAITER_EMPTY	   0u
#define OS_WAITER_TOKEN	   1u
#define OS_WAITER_SLEEPING 2u

static uint32_t *os_waiter_word(struct hvm_os_waiter *w)
{
	return (uint32_t *)(void *)w->opaque;
}

static void os_futex(uint32_t *word, int op, uint32_t value)
{
	/* EAGAIN (the word changed) and EINTR are answered by the caller's loop. */
	(void)syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void hvm_os_waiter_init(struct hvm_os_waiter *w)
{
	__atomic_store_n(os_waiter_word(w), OS_WAITER_EMPTY, __ATOMIC_RELEASE);
}

void hvm_os_waiter_fini(struct hvm_os_waiter *w)
{
	(void)w;
}

void hvm_os_waiter_wait(struct hvm_os_waiter *w)
{
	uint32_t *word = os_waiter_word(w);

	for (;;) {
		uint32_t seen = OS_WAITER_TOKEN;

		if (__atomic_compare_exchange_n(word, &seen, OS_WAITER_EMPTY, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		if (seen == OS_WAITER_EMPTY &&
		    !__atomic_compare_exchange_n(word, &seen, OS_WAITER_SLEEPING, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		os_futex(word, FUTEX_WAIT, OS_WAITER_SLEEPING);
	}
}

void hvm_os_waiter_wake(struct hvm_os_waiter *w)
{
	uint32_t *word = os_waiter_word(w);

	if (__atomic_exchange_n(word, OS_WAITER_TOKEN, __ATOMIC_RELEASE) == OS_WAITER_SLEEPING)
		os_futex(word, FUTEX_WAKE, 1);
}

/* A thread of a process is preempted by the kernel, and its signals are its own affair. */
bool hvm_os_interrupted(void)
{
	return false;
}

void hvm_os_yield(void)
{
	sched_yield();
}

/* -- to the caller --------------------------------------------------------------------------- */

void hvm_os_eventfd_signal(int fd)
{
	const uint64_t one = 1;
	ssize_t n;

	do {
		n = write(fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
	/* EAGAIN: the counter is full, so the reader has a wake-up waiting already. */
}

static void (*os_log_sink)(enum hvm_log_level level, const char *line);

void hvm_os_test_log_sink(void (*sink)(enum hvm_log_level level, const char *line))
{
	__atomic_store_n(&os_log_sink, sink, __ATOMIC_RELEASE);
}

void hvm_os_log(enum hvm_log_level level, const char *fmt, ...)
{
	static const char *const names[] = { "debug", "info", "warning", "error" };
	void (*sink)(enum hvm_log_level, const char *) =
		__atomic_load_n(&os_log_sink, __ATOMIC_ACQUIRE);
	char line[512];
	va_list ap;

	if ((unsigned int)level >= HVM_ARRAY_SIZE(names))
		level = HVM_LOG_ERROR;
	if (level == HVM_LOG_DEBUG && sink == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (sink != NULL)
		sink(level, line);
	else
		fprintf(stderr, "hvm: %s: %s\n", names[level], line);
}

int hvm_os_vformat(char *buf, size_t bytes, const char *fmt, __builtin_va_list ap)
{
	return vsnprintf(buf, bytes, fmt, ap);
}

int hvm_os_format(char *buf, size_t bytes, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, bytes, fmt, ap);
	va_end(ap);
	return n;
}

void hvm_os_bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "hvm: bug: %s:%d: %s\n", file, line, what);
	abort();
}
