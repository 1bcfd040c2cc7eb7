/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kicker.h - a thread that kicks the vcpu that runs once a millisecond: none runs away for long.
 */
#ifndef FUZZ_KICKER_H
#define FUZZ_KICKER_H

#include <pthread.h>
#include <time.h>

#include "fuzz.h"

static struct {
	pthread_mutex_t lock; /* of vcpu */
	void (*kick)(void *vcpu);
	void *vcpu; /* NULL: none runs */
} kicker = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *kicker_main(void *arg)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	(void)arg;
	for (;;) {
		nanosleep(&ms, NULL);
		pthread_mutex_lock(&kicker.lock);
		if (kicker.vcpu)
			kicker.kick(kicker.vcpu);
		pthread_mutex_unlock(&kicker.lock);
	}
	return NULL;
}

static inline void kicker_start(void (*kick)(void *vcpu))
{
	pthread_t thread;

	kicker.kick = kick;
	CHECK(pthread_create(&thread, NULL, kicker_main, NULL) == 0);
	CHECK(pthread_detach(thread) == 0);
}

/* From here on it is @vcpu; NULL: none, and the one before is not touched any more. */
static inline void kicker_watch(void *vcpu)
{
	pthread_mutex_lock(&kicker.lock);
	kicker.vcpu = vcpu;
	pthread_mutex_unlock(&kicker.lock);
}

#endif
