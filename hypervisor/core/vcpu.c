/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu.c - a vcpu: requests from others, sleeping, and the loop around the vendor's run().
 * Locking: requests, user_kick and activity are atomic, all else belongs to the vcpu's thread.
 * Saved as CPU (save.c). Source: Intel SDM Vol 3A 8.4 "Multiple-Processor Initialization".
 */
#include "core/domain.h"
#include "devices/chips.h"

#define PAT_POWER_ON	    0x0007040600070406ull
#define MISC_ENABLE_DEFAULT 0x1ull /* fast strings */

int vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v = hvm_os_alloc(sizeof(*v));
	int rc;

	if (!v)
		return -HVM_ENOMEM;
	v->domain = d;
	v->id = id;
	v->activity = id ? HVM_ACTIVITY_WAIT_SIPI : HVM_ACTIVITY_RUN;
	hvm_os_waiter_init(&v->waiter);
	v->tsc_offset = 0 - hvm_os_rdtsc();
	if (id)
		v->tsc_offset = d->vcpu[0]->tsc_offset;
	/* From here on domain_destroy() finds it. */
	d->vcpu[id] = v;
	d->vcpu_count = id + 1;
	v->ioreq_page = hvm_os_alloc_pages(sizeof(*v->ioreq_page));
	if (!v->ioreq_page)
		return -HVM_ENOMEM;
	rc = d->ops->vcpu_init(v);
	if (!rc)
		rc = vlapic_create(v);
	if (!rc)
		vcpu_reset(v);
	return rc;
}

void vcpu_destroy(struct vcpu *v)
{
	v->domain->ops->vcpu_fini(v);
	if (v->ioreq_page)
		hvm_os_free_pages(v->ioreq_page, sizeof(*v->ioreq_page));
	hvm_os_waiter_fini(&v->waiter);
	hvm_os_free(v);
}

void vcpu_reset(struct vcpu *v)
{
	v->msr_pat = PAT_POWER_ON;
	v->msr_misc_enable = MISC_ENABLE_DEFAULT;
	v->msr_spec_ctrl = 0;
	v->mtrr = (struct hvm_mtrr){ 0 };
	v->reinject = (struct hvm_event){ 0 };
	v->ioreq_page->req.state = HVM_IOREQ_STATE_FREE;
	hvm_io_retire(v);
	__atomic_store_n(&v->requests, 0, __ATOMIC_SEQ_CST);
	vlapic_reset(v, false);
	v->domain->ops->vcpu_reset(v, false);
	__atomic_store_n(&v->activity, v->id ? HVM_ACTIVITY_WAIT_SIPI : HVM_ACTIVITY_RUN,
			 __ATOMIC_SEQ_CST);
}

/* @request on top of what is not served yet, in the order in which they came. */
static uint32_t vcpu_add_request(uint32_t pending, uint32_t request)
{
	/* What was asked before INIT would have been done, and undone by it. */
	if (request & HVM_REQ_INIT)
		return request | (pending & HVM_REQ_EVENT);
	/* The first SIPI starts the vcpu, and to a running one the next says nothing. */
	if ((request & HVM_REQ_SIPI) && (pending & HVM_REQ_SIPI))
		return pending;
	return pending | request;
}

void hvm_vcpu_request(struct vcpu *v, uint32_t request)
{
	uint32_t pending = __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);

	while (!__atomic_compare_exchange_n(&v->requests, &pending,
					    vcpu_add_request(pending, request), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	if (v->vendor)
		v->domain->ops->kick(v);
	__atomic_fetch_add(&v->stats.kicks, 1, __ATOMIC_RELAXED);
	hvm_os_waiter_wake(&v->waiter);
}

/* INIT, SIPI: what other processors may do to this one. */
static void vcpu_serve(struct vcpu *v)
{
	const struct hvm_function_table *ops = v->domain->ops;
	uint32_t r = __atomic_fetch_and(&v->requests, HVM_REQ_NMI, __ATOMIC_SEQ_CST);

	if (r & HVM_REQ_INIT) {
		vlapic_reset(v, true);
		ops->vcpu_reset(v, true);
		v->reinject = (struct hvm_event){ 0 };
		hvm_io_retire(v);
		__atomic_store_n(&v->activity, v->id ? HVM_ACTIVITY_WAIT_SIPI : HVM_ACTIVITY_RUN,
				 __ATOMIC_SEQ_CST);
	}
	if ((r & HVM_REQ_SIPI) &&
	    __atomic_load_n(&v->activity, __ATOMIC_SEQ_CST) == HVM_ACTIVITY_WAIT_SIPI) {
		ops->vcpu_start(v, (uint8_t)(r >> 8));
		__atomic_store_n(&v->activity, HVM_ACTIVITY_RUN, __ATOMIC_SEQ_CST);
	}
}

static bool vcpu_may_run(struct vcpu *v)
{
	switch ((enum hvm_activity)__atomic_load_n(&v->activity, __ATOMIC_SEQ_CST)) {
	case HVM_ACTIVITY_RUN: return true;
	case HVM_ACTIVITY_HLT: return hvm_event_pending(v);
	case HVM_ACTIVITY_WAIT_SIPI:
	case HVM_ACTIVITY_SHUTDOWN: break;
	}
	return false;
}

static int vcpu_exit(struct vcpu *v, struct hvm_exit *ret, enum hvm_exit_reason reason)
{
	*ret = (struct hvm_exit){ .reason = (uint32_t)reason, .rip = v->domain->ops->guest_rip(v) };
	return 0;
}

/* Nothing to execute. 1: there may be now, 0: *ret is filled. */
static int vcpu_sleep(struct vcpu *v, struct hvm_exit *ret)
{
	/* Batched writes do not wait for as long as the guest likes to sleep. */
	if (__atomic_load_n(&v->activity, __ATOMIC_SEQ_CST) == HVM_ACTIVITY_HLT &&
	    bufioreq_pending(v->domain))
		return vcpu_exit(v, ret, HVM_EXIT_BUFIOREQ);
	hvm_os_waiter_wait(&v->waiter);
	return 1;
}

/* Something asked ioemu for an access, or the domain crashed over it. */
static int vcpu_exit_ioreq(struct vcpu *v, struct hvm_exit *ret)
{
	return ioreq_waits(v) ? vcpu_exit(v, ret, HVM_EXIT_IOREQ) : 1;
}

static int vcpu_failed(struct vcpu *v, const char *what, int rc)
{
	hvm_domain_crash(v->domain, "vcpu %u: %s (%d) at rip %llx", v->id, what, rc,
			 (unsigned long long)v->domain->ops->guest_rip(v));
	return 1;
}

/* One turn of the loop: 1 go on, 0 *ret is filled. */
static int vcpu_turn(struct vcpu *v, struct hvm_exit *ret)
{
	struct domain *d = v->domain;
	int rc;

	if (hvm_domain_is_crashed(d))
		return vcpu_exit(v, ret, HVM_EXIT_CRASH);
	if (hvm_os_interrupted() || __atomic_exchange_n(&v->user_kick, 0, __ATOMIC_SEQ_CST))
		return vcpu_exit(v, ret, HVM_EXIT_INTR);
	if (__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & ~HVM_REQ_NMI)
		vcpu_serve(v);
	if (__atomic_load_n(&v->activity, __ATOMIC_SEQ_CST) == HVM_ACTIVITY_SHUTDOWN)
		return vcpu_exit(v, ret, HVM_EXIT_SHUTDOWN);
	if (!vcpu_may_run(v))
		return vcpu_sleep(v, ret);
	rc = hvm_event_assist(v);
	if (rc == -HVM_EAGAIN)
		return vcpu_exit_ioreq(v, ret);
	if (rc < 0)
		return vcpu_failed(v, "an event could not be delivered", rc);
	if (__atomic_load_n(&v->activity, __ATOMIC_SEQ_CST) != HVM_ACTIVITY_RUN)
		return 1;
	rc = d->ops->run(v, ret);
	if (rc < 0)
		return vcpu_failed(v, "the engine failed", rc);
	if (rc == 0 && ret->reason == HVM_EXIT_IOREQ)
		return vcpu_exit_ioreq(v, ret);
	if (rc == 0 && ret->reason == HVM_EXIT_SHUTDOWN)
		__atomic_store_n(&v->activity, HVM_ACTIVITY_SHUTDOWN, __ATOMIC_SEQ_CST);
	return rc;
}

int vcpu_run(struct vcpu *v, struct hvm_exit *ret)
{
	int rc;

	if (!ioreq_complete(v))
		return vcpu_exit(v, ret, HVM_EXIT_IOREQ);
	do {
		rc = vcpu_turn(v, ret);
	} while (rc == 1);
	return rc;
}
