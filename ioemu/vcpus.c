/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpus.c - the vcpu threads. Owns them and the state of standing still. Locking: vcpus.h; the
 * drain mutex keeps the buffered ring's order while several vcpus serve it. Not saved.
 */
#include "vcpus.h"
#include "log.h"
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* The soft engine's interpreter and our handlers need little; 16 vcpus must stay cheap. */
#define VCPU_STACK_BYTES (512u * 1024)

struct vcpu_thread {
	struct vcpus *pool;
	struct hvm_vcpu *vcpu;
	unsigned int index;
	pthread_t thread;
};

struct vcpus {
	struct hvm_domain *domain;
	struct machine *machine;
	const struct vcpus_ops *ops;
	void *opaque;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_mutex_t drain_lock;
	unsigned int hold; /* bits of enum vcpus_hold */
	bool quit;
	unsigned int parked;
	unsigned int count; /* threads that exist */
	struct vcpu_thread thread[HVM_MAX_VCPUS];
};

/* Stand still while there is a reason to. Returns false when the thread is to end. */
static bool vcpu_may_run(struct vcpus *s)
{
	bool run;

	pthread_mutex_lock(&s->lock);
	if (s->hold && !s->quit) {
		s->parked++;
		pthread_cond_broadcast(&s->changed);
		while (s->hold && !s->quit)
			pthread_cond_wait(&s->changed, &s->lock);
		s->parked--;
	}
	run = !s->quit;
	pthread_mutex_unlock(&s->lock);
	return run;
}

void vcpus_drain_buffered(struct vcpus *s)
{
	struct hvm_bufioreq entry;

	pthread_mutex_lock(&s->drain_lock);
	while (hvm_bufioreq_pop(s->domain, &entry))
		machine_buffered_write(s->machine, &entry);
	pthread_mutex_unlock(&s->drain_lock);
}

/* Serve one exit. */
static void vcpu_serve(struct vcpu_thread *t, const struct hvm_exit *exit)
{
	struct vcpus *s = t->pool;

	switch (exit->reason) {
	case HVM_EXIT_IOREQ:
		/* Writes that were batched came before this request in program order. */
		vcpus_drain_buffered(s);
		machine_ioreq(s->machine, hvm_vcpu_ioreq(t->vcpu));
		break;
	case HVM_EXIT_BUFIOREQ: vcpus_drain_buffered(s); break;
	case HVM_EXIT_SHUTDOWN:
	case HVM_EXIT_CRASH:
		vcpus_hold(s, VCPUS_HOLD_POWER);
		s->ops->ended(s->opaque, t->index, exit);
		break;
	default: break;
	}
}

static void *vcpu_main(void *arg)
{
	struct vcpu_thread *t = arg;
	struct vcpus *s = t->pool;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", t->index);
	pthread_setname_np(pthread_self(), name);
	while (vcpu_may_run(s)) {
		struct hvm_exit exit = { .reason = HVM_EXIT_NONE };
		int err = hvm_vcpu_run(t->vcpu, &exit);

		if (err == 0) {
			vcpu_serve(t, &exit);
		} else if (err != -EINTR && err != -EAGAIN) {
			vcpus_hold(s, VCPUS_HOLD_POWER);
			s->ops->failed(s->opaque, t->index, err);
		}
	}
	return NULL;
}

static int vcpus_start_thread(struct vcpus *s, unsigned int index)
{
	struct vcpu_thread *t = &s->thread[index];
	pthread_attr_t attr;
	int err;

	t->pool = s;
	t->index = index;
	t->vcpu = hvm_domain_vcpu(s->domain, index);
	if (!t->vcpu)
		return -EINVAL;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, VCPU_STACK_BYTES);
	err = pthread_create(&t->thread, &attr, vcpu_main, t);
	pthread_attr_destroy(&attr);
	return -err;
}

int vcpus_create(struct hvm_domain *d, unsigned int count, struct machine *m,
		 const struct vcpus_ops *ops, void *opaque, struct vcpus **ret)
{
	struct vcpus *s = calloc(1, sizeof(*s));
	sigset_t all, before;
	unsigned int i;
	int err = 0;

	if (!s)
		return -ENOMEM;
	s->domain = d;
	s->machine = m;
	s->ops = ops;
	s->opaque = opaque;
	s->hold = VCPUS_HOLD_START;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->drain_lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	/* Signals are the main loop's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	for (i = 0; i < count && !err; i++) {
		err = vcpus_start_thread(s, i);
		if (!err)
			s->count++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		vcpus_destroy(s);
		return err;
	}
	*ret = s;
	return 0;
}

static void vcpus_kick_all(struct vcpus *s)
{
	unsigned int i;

	for (i = 0; i < s->count; i++)
		hvm_vcpu_kick(s->thread[i].vcpu);
}

void vcpus_destroy(struct vcpus *s)
{
	unsigned int i;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->quit = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	vcpus_kick_all(s);
	for (i = 0; i < s->count; i++)
		pthread_join(s->thread[i].thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->drain_lock);
	pthread_cond_destroy(&s->changed);
	free(s);
}

void vcpus_hold(struct vcpus *s, enum vcpus_hold why)
{
	pthread_mutex_lock(&s->lock);
	s->hold |= why;
	pthread_mutex_unlock(&s->lock);
	vcpus_kick_all(s);
}

void vcpus_wait_parked(struct vcpus *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->parked < s->count)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void vcpus_release(struct vcpus *s, enum vcpus_hold why)
{
	pthread_mutex_lock(&s->lock);
	s->hold &= ~(unsigned int)why;
	if (!s->hold)
		pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void vcpus_drop_requests(struct vcpus *s)
{
	unsigned int i;

	for (i = 0; i < s->count; i++)
		hvm_vcpu_ioreq(s->thread[i].vcpu)->state = HVM_IOREQ_STATE_FREE;
}
