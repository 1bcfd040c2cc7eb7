/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * os_timer.c - the timers of hvm_os.h: one thread for the process, a binary heap of deadlines.
 * Locking: os_timers.lock covers the heap and every field of a timer; callbacks run without it.
 * The thread starts with the first timer and stays; it sleeps without a limit while nothing is
 * armed. The heap has a slot for every timer that exists, so arming never allocates.
 * Nothing here is saved. Source: POSIX.1-2017 pthread_cond_timedwait; prctl(2) PR_SET_TIMERSLACK.
 */
#include "os/posix/os_posix.h"
#include "os/posix/os_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define OS_TIMER_IDLE SIZE_MAX

struct hvm_os_timer {
	hvm_os_timer_fn fn;
	void *arg;
	uint64_t deadline_ns;
	size_t slot; /* in the heap; OS_TIMER_IDLE: not armed */
	bool running;
	bool dying; /* being destroyed: a callback that re-arms itself must not go on for ever */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* the thread sleeps on it: an earlier deadline, real clock back */
	pthread_cond_t done;	/* a callback came back */
	struct hvm_os_timer **heap;
	size_t armed;	 /* entries in the heap */
	size_t room;	 /* slots of the heap */
	size_t existing; /* timers created and not destroyed */
	bool started;
	uint64_t sleeping_until_ns; /* 0: the thread is awake and will look at the heap itself */
	pthread_t runner;	    /* the thread that runs callbacks, while one runs */
} os_timers = { .lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER };

/* -- heap ------------------------------------------------------------------------------------ */

static void heap_put(size_t slot, struct hvm_os_timer *t)
{
	os_timers.heap[slot] = t;
	t->slot = slot;
}

static void heap_up(size_t slot, struct hvm_os_timer *t)
{
	while (slot > 0) {
		struct hvm_os_timer *parent = os_timers.heap[(slot - 1) / 2];

		if (parent->deadline_ns <= t->deadline_ns)
			break;
		heap_put(slot, parent);
		slot = (slot - 1) / 2;
	}
	heap_put(slot, t);
}

static void heap_down(size_t slot, struct hvm_os_timer *t)
{
	for (;;) {
		size_t child = 2 * slot + 1;

		if (child >= os_timers.armed)
			break;
		if (child + 1 < os_timers.armed &&
		    os_timers.heap[child + 1]->deadline_ns < os_timers.heap[child]->deadline_ns)
			child++;
		if (os_timers.heap[child]->deadline_ns >= t->deadline_ns)
			break;
		heap_put(slot, os_timers.heap[child]);
		slot = child;
	}
	heap_put(slot, t);
}

static void heap_remove(struct hvm_os_timer *t)
{
	size_t slot = t->slot;
	struct hvm_os_timer *last;

	if (slot == OS_TIMER_IDLE)
		return;
	t->slot = OS_TIMER_IDLE;
	last = os_timers.heap[--os_timers.armed];
	if (last == t)
		return;
	heap_down(slot, last);
	if (last->slot == slot)
		heap_up(slot, last);
}

static void heap_add(struct hvm_os_timer *t)
{
	heap_up(os_timers.armed++, t);
}

/* -- running --------------------------------------------------------------------------------- */

/* Take the first timer off the heap and run it. Lock held; dropped around the callback. */
static void timer_run_first(void)
{
	struct hvm_os_timer *t = os_timers.heap[0];

	heap_remove(t);
	t->running = true;
	os_timers.runner = pthread_self();
	pthread_mutex_unlock(&os_timers.lock);
	t->fn(t->arg);
	pthread_mutex_lock(&os_timers.lock);
	t->running = false;
	pthread_cond_broadcast(&os_timers.done);
}

static void timer_sleep_until(uint64_t deadline_ns)
{
	struct timespec ts;

	os_timers.sleeping_until_ns = deadline_ns;
	if (deadline_ns == UINT64_MAX) {
		pthread_cond_wait(&os_timers.changed, &os_timers.lock);
	} else {
		ts.tv_sec = (time_t)(deadline_ns / 1000000000);
		ts.tv_nsec = (long)(deadline_ns % 1000000000);
		pthread_cond_timedwait(&os_timers.changed, &os_timers.lock, &ts);
	}
	os_timers.sleeping_until_ns = 0;
}

static void *timer_thread(void *arg)
{
	uint64_t fake_ns;

	(void)arg;
	pthread_setname_np(pthread_self(), "hvm-timer");
	/* The default slack of 50 us would make every tick of a guest late by as much. */
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	pthread_mutex_lock(&os_timers.lock);
	for (;;) {
		if (os_clock_is_fake(&fake_ns) || os_timers.armed == 0)
			timer_sleep_until(UINT64_MAX);
		else if (os_timers.heap[0]->deadline_ns > os_real_now_ns())
			timer_sleep_until(os_timers.heap[0]->deadline_ns);
		else
			timer_run_first();
	}
	return NULL;
}

/* Lock held. False: no thread to be had. */
static bool timer_thread_start(void)
{
	pthread_condattr_t cond_attr;
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	bool ok;

	if (os_timers.started)
		return true;
	pthread_condattr_init(&cond_attr);
	pthread_condattr_setclock(&cond_attr, CLOCK_MONOTONIC);
	pthread_cond_init(&os_timers.changed, &cond_attr);
	pthread_condattr_destroy(&cond_attr);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* Signals belong to the process's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ok = pthread_create(&thread, &attr, timer_thread, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	os_timers.started = ok;
	return ok;
}

/* Room in the heap for one timer more. Lock held. */
static bool timer_reserve(void)
{
	size_t room = os_timers.room == 0 ? 32 : os_timers.room * 2;
	struct hvm_os_timer **heap;

	if (os_timers.existing < os_timers.room)
		return true;
	heap = realloc(os_timers.heap, room * sizeof(struct hvm_os_timer *));
	if (heap == NULL)
		return false;
	os_timers.heap = heap;
	os_timers.room = room;
	return true;
}

struct hvm_os_timer *hvm_os_timer_create(hvm_os_timer_fn fn, void *arg)
{
	struct hvm_os_timer *t = hvm_os_alloc(sizeof(struct hvm_os_timer));
	bool ok;

	if (t == NULL)
		return NULL;
	t->fn = fn;
	t->arg = arg;
	t->slot = OS_TIMER_IDLE;
	pthread_mutex_lock(&os_timers.lock);
	ok = timer_reserve() && timer_thread_start();
	if (ok)
		os_timers.existing++;
	pthread_mutex_unlock(&os_timers.lock);
	if (!ok) {
		hvm_os_free(t);
		return NULL;
	}
	return t;
}

void hvm_os_timer_destroy(struct hvm_os_timer *t)
{
	if (t == NULL)
		return;
	pthread_mutex_lock(&os_timers.lock);
	t->dying = true;
	heap_remove(t);
	while (t->running) {
		if (pthread_equal(os_timers.runner, pthread_self()))
			hvm_bug("a timer destroyed from its own callback");
		pthread_cond_wait(&os_timers.done, &os_timers.lock);
	}
	os_timers.existing--;
	if (os_timers.existing == 0) {
		free(os_timers.heap);
		os_timers.heap = NULL;
		os_timers.room = 0;
	}
	pthread_mutex_unlock(&os_timers.lock);
	hvm_os_free(t);
}

void hvm_os_timer_arm(struct hvm_os_timer *t, uint64_t deadline_ns)
{
	pthread_mutex_lock(&os_timers.lock);
	heap_remove(t);
	t->deadline_ns = deadline_ns;
	if (t->dying) {
		pthread_mutex_unlock(&os_timers.lock);
		return;
	}
	heap_add(t);
	/* A later deadline needs no wake-up: the thread wakes early once and looks again. */
	if (deadline_ns < os_timers.sleeping_until_ns) {
		os_timers.sleeping_until_ns = deadline_ns;
		pthread_cond_signal(&os_timers.changed);
	}
	pthread_mutex_unlock(&os_timers.lock);
}

void hvm_os_timer_cancel(struct hvm_os_timer *t)
{
	pthread_mutex_lock(&os_timers.lock);
	heap_remove(t);
	pthread_mutex_unlock(&os_timers.lock);
}

/* -- tests drive the clock ------------------------------------------------------------------- */

static void clock_drive(uint64_t ns, bool step)
{
	pthread_mutex_lock(&os_timers.lock);
	if (!step)
		os_clock_set_fake(ns);
	while (os_timers.armed != 0 && os_timers.heap[0]->deadline_ns <= ns) {
		uint64_t now = 0, deadline = os_timers.heap[0]->deadline_ns;

		if (step && (!os_clock_is_fake(&now) || now < deadline))
			os_clock_set_fake(deadline);
		timer_run_first();
	}
	os_clock_set_fake(ns);
	pthread_mutex_unlock(&os_timers.lock);
}

void hvm_os_test_set_clock(uint64_t ns)
{
	clock_drive(ns, false);
}

void hvm_os_test_run_clock(uint64_t ns)
{
	clock_drive(ns, true);
}

void hvm_os_test_real_clock(void)
{
	pthread_mutex_lock(&os_timers.lock);
	os_clock_set_real();
	if (os_timers.started)
		pthread_cond_signal(&os_timers.changed);
	pthread_mutex_unlock(&os_timers.lock);
}
