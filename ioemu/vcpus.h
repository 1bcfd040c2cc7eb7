/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpus.h - one thread a vcpu: runs it, serves its requests, parks when it is told to stand still.
 *
 * Standing still has reasons, one bit each; the vcpus run while there is none. Locking: an own
 * mutex and condition; callers wait on the condition, nobody polls.
 */
#ifndef IOEMU_VCPUS_H
#define IOEMU_VCPUS_H

#include "hvm/hvm.h"

struct machine;

enum vcpus_hold {
	VCPUS_HOLD_START = 1,
	VCPUS_HOLD_PAUSE = 2, /* the control socket asked */
	VCPUS_HOLD_POWER = 4, /* the guest asked for a reset or switched itself off, or crashed */
	VCPUS_HOLD_WORK = 8,  /* ioemu rebuilds the machine */
};

struct vcpus_ops {
	/* A vcpu ended in a triple fault or a crash; it is held by VCPUS_HOLD_POWER. Its thread. */
	void (*ended)(void *opaque, unsigned int index, const struct hvm_exit *exit);
	/* hvm_vcpu_run() itself failed. Its thread. */
	void (*failed)(void *opaque, unsigned int index, int err);
};

struct vcpus;

/*
 * vcpus_create - threads for the domain's first @count vcpus, held by VCPUS_HOLD_START.
 * 0 or -errno. @d, @m, @ops and @opaque must outlive it.
 */
int vcpus_create(struct hvm_domain *d, unsigned int count, struct machine *m,
		 const struct vcpus_ops *ops, void *opaque, struct vcpus **ret);
/* vcpus_destroy - stop and join the threads. Not from a vcpu thread. */
void vcpus_destroy(struct vcpus *s);
/* vcpus_hold - ask to stand still; returns at once. Any thread. */
void vcpus_hold(struct vcpus *s, enum vcpus_hold why);
/* vcpus_wait_parked - until every vcpu stands still. Held by the caller before; not a vcpu thread.
 */
void vcpus_wait_parked(struct vcpus *s);
/* vcpus_release - this reason is gone; the vcpus run if it was the last. */
void vcpus_release(struct vcpus *s, enum vcpus_hold why);
/* vcpus_drop_requests - forget requests that were being served: the machine was reset. Parked. */
void vcpus_drop_requests(struct vcpus *s);
/* vcpus_drain_buffered - serve what waits on the buffered ring now. Any thread. */
void vcpus_drain_buffered(struct vcpus *s);

#endif
