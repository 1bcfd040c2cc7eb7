/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlapic_timer.c - the timer of the local APIC: one-shot and periodic on a fixed bus clock of
 * 1 GHz (so that a count is a nanosecond at divide by 1), and TSC-deadline.
 * Owns vlapic->timer. Locking: timer_lock; the host timer's callback takes it too, and raises the
 * interrupt after dropping it. Saved at the end of the LAPIC record.
 * Source: Intel SDM Vol 3A 10.5.4 "APIC Timer".
 */
#include "devices/chip_time.h"
#include "devices/vlapic.h"

#define VLAPIC_DIVIDE_MASK 0xbu

/* TDCR bits 3, 1, 0: 000 divides by 2 up to 110 by 128, and 111 by 1. */
static uint64_t timer_divisor(uint32_t tdcr)
{
	uint32_t code = (tdcr & 3) | (tdcr >> 1 & 4);

	return 1ull << ((code + 1) & 7);
}

static uint64_t timer_period_ns(const struct vlapic_timer *t)
{
	return t->initial * timer_divisor(t->divide);
}

/* Lock held. */
static void timer_start(struct vlapic *a, uint64_t deadline_ns)
{
	a->timer.deadline_ns = deadline_ns;
	a->timer.armed = true;
	chip_timer_arm(a->v->domain, a->timer.os, deadline_ns);
}

/* Lock held. */
static void timer_stop(struct vlapic *a)
{
	if (!a->timer.armed)
		return;
	a->timer.armed = false;
	hvm_os_timer_cancel(a->timer.os);
}

/*
 * The timer ran out at its deadline; set the next one. A periodic timer goes on from its last
 * deadline, so it does not drift; periods that went by altogether are dropped, for the guest could
 * only see them as a burst. Lock held.
 */
static void timer_expired(struct vlapic *a, uint64_t now)
{
	struct vlapic_timer *t = &a->timer;
	enum vlapic_timer_mode mode = vlapic_timer_mode(vlapic_get(&a->lvt[VLAPIC_LVT_TIMER]));
	uint64_t period = timer_period_ns(t), earliest = now + 1;

	t->armed = false;
	t->tsc_deadline = 0;
	if (mode != VLAPIC_TIMER_PERIODIC || period == 0)
		return;
	if (period < CHIP_MIN_PERIOD_NS)
		earliest = now + CHIP_MIN_PERIOD_NS;
	if (t->deadline_ns + period >= earliest)
		timer_start(a, t->deadline_ns + period);
	else
		timer_start(a, t->deadline_ns +
				       (earliest - t->deadline_ns + period - 1) / period * period);
}

static void timer_callback(void *arg)
{
	struct vlapic *a = arg;
	struct vlapic_timer *t = &a->timer;
	struct domain *d = a->v->domain;
	bool fire = false;

	hvm_os_spin_lock(&a->timer_lock);
	if (t->armed && !chip_timer_early(d, t->os, t->deadline_ns)) {
		timer_expired(a, hvm_domain_now_ns(d));
		fire = true;
	}
	hvm_os_spin_unlock(&a->timer_lock);
	if (fire)
		vlapic_lvt_fire(a, VLAPIC_LVT_TIMER);
}

/* -- registers ------------------------------------------------------------------------------- */

void vlapic_timer_write_initial(struct vlapic *a, uint32_t value)
{
	struct vlapic_timer *t = &a->timer;

	/* In TSC-deadline mode writes to the initial count are ignored. */
	if (vlapic_timer_mode(vlapic_get(&a->lvt[VLAPIC_LVT_TIMER])) == VLAPIC_TIMER_TSC_DEADLINE)
		return;
	hvm_os_spin_lock(&a->timer_lock);
	t->initial = value;
	if (value == 0)
		timer_stop(a);
	else
		timer_start(a, hvm_domain_now_ns(a->v->domain) + timer_period_ns(t));
	hvm_os_spin_unlock(&a->timer_lock);
}

uint32_t vlapic_timer_read_initial(struct vlapic *a)
{
	uint32_t value;

	hvm_os_spin_lock(&a->timer_lock);
	value = a->timer.initial;
	hvm_os_spin_unlock(&a->timer_lock);
	return value;
}

/* Nanoseconds until the count reaches zero. Lock held. */
static uint64_t timer_left_ns(const struct vlapic *a)
{
	const struct vlapic_timer *t = &a->timer;
	uint64_t now = hvm_domain_now_ns(a->v->domain), period = timer_period_ns(t);

	if (!t->armed || period == 0)
		return 0;
	/* The callback skips short periods: count from the one we are in. */
	if (vlapic_timer_mode(vlapic_get(&a->lvt[VLAPIC_LVT_TIMER])) == VLAPIC_TIMER_PERIODIC) {
		if (now < t->deadline_ns)
			return (t->deadline_ns - now - 1) % period + 1;
		return period - (now - t->deadline_ns) % period;
	}
	return now < t->deadline_ns ? t->deadline_ns - now : 0;
}

uint32_t vlapic_timer_read_current(struct vlapic *a)
{
	uint64_t divisor, left = 0;

	hvm_os_spin_lock(&a->timer_lock);
	divisor = timer_divisor(a->timer.divide);
	if (vlapic_timer_mode(vlapic_get(&a->lvt[VLAPIC_LVT_TIMER])) != VLAPIC_TIMER_TSC_DEADLINE)
		left = timer_left_ns(a);
	hvm_os_spin_unlock(&a->timer_lock);
	return (uint32_t)((left + divisor - 1) / divisor);
}

/* The count stays, its speed changes. */
void vlapic_timer_write_divide(struct vlapic *a, uint32_t value)
{
	struct vlapic_timer *t = &a->timer;
	enum vlapic_timer_mode mode = vlapic_timer_mode(vlapic_get(&a->lvt[VLAPIC_LVT_TIMER]));
	uint64_t old, left;

	hvm_os_spin_lock(&a->timer_lock);
	old = timer_divisor(t->divide);
	left = timer_left_ns(a);
	t->divide = value & VLAPIC_DIVIDE_MASK;
	if (t->armed && mode != VLAPIC_TIMER_TSC_DEADLINE)
		timer_start(a, hvm_domain_now_ns(a->v->domain) +
				       (left + old - 1) / old * timer_divisor(t->divide));
	hvm_os_spin_unlock(&a->timer_lock);
}

uint32_t vlapic_timer_read_divide(struct vlapic *a)
{
	uint32_t value;

	hvm_os_spin_lock(&a->timer_lock);
	value = a->timer.divide;
	hvm_os_spin_unlock(&a->timer_lock);
	return value;
}

/* Guest time at which the guest's TSC reaches @tsc. Called on the vcpu's own thread. */
static uint64_t timer_tsc_to_ns(struct vlapic *a, uint64_t tsc)
{
	uint64_t now = hvm_domain_now_ns(a->v->domain);
	uint64_t khz = hvm_tsc_khz(a->v->domain), tsc_now = hvm_vcpu_rdtsc(a->v), delta;

	if (tsc <= tsc_now)
		return now;
	delta = tsc - tsc_now;
	/* More than a century away: never. */
	if (delta / khz > 100ull * 366 * 86400 * 1000)
		return UINT64_MAX;
	return chip_add_sat(now, chip_muldiv_up(delta, 1000000, khz));
}

void vlapic_timer_write_tsc_deadline(struct vlapic *a, uint64_t value)
{
	/* In the other modes writes are ignored and reads give zero. */
	if (vlapic_timer_mode(vlapic_get(&a->lvt[VLAPIC_LVT_TIMER])) != VLAPIC_TIMER_TSC_DEADLINE)
		return;
	hvm_os_spin_lock(&a->timer_lock);
	a->timer.tsc_deadline = value;
	if (value == 0)
		timer_stop(a);
	else
		timer_start(a, timer_tsc_to_ns(a, value));
	hvm_os_spin_unlock(&a->timer_lock);
}

uint64_t vlapic_timer_read_tsc_deadline(struct vlapic *a)
{
	uint64_t value;

	hvm_os_spin_lock(&a->timer_lock);
	value = a->timer.tsc_deadline;
	hvm_os_spin_unlock(&a->timer_lock);
	return value;
}

void vlapic_timer_mode_changed(struct vlapic *a, uint32_t old)
{
	bool was = vlapic_timer_mode(old) == VLAPIC_TIMER_TSC_DEADLINE;
	bool is = vlapic_timer_mode(vlapic_get(&a->lvt[VLAPIC_LVT_TIMER])) ==
		  VLAPIC_TIMER_TSC_DEADLINE;

	/* Between one-shot and periodic the count goes on; to or from TSC-deadline it is disarmed.
	 */
	if (was == is)
		return;
	hvm_os_spin_lock(&a->timer_lock);
	timer_stop(a);
	a->timer.initial = 0;
	a->timer.tsc_deadline = 0;
	hvm_os_spin_unlock(&a->timer_lock);
}

void vlapic_time_changed(struct vcpu *v)
{
	struct vlapic *a = v->vlapic;
	struct vlapic_timer *t = &a->timer;

	hvm_os_spin_lock(&a->timer_lock);
	if (t->armed && t->tsc_deadline != 0)
		timer_start(a, timer_tsc_to_ns(a, t->tsc_deadline));
	else if (t->armed)
		timer_start(a, t->deadline_ns);
	hvm_os_spin_unlock(&a->timer_lock);
}

/* -- life ------------------------------------------------------------------------------------ */

void vlapic_timer_reset(struct vlapic *a)
{
	hvm_os_spin_lock(&a->timer_lock);
	timer_stop(a);
	a->timer.initial = 0;
	a->timer.divide = 0;
	a->timer.tsc_deadline = 0;
	hvm_os_spin_unlock(&a->timer_lock);
}

int vlapic_timer_create(struct vlapic *a)
{
	hvm_os_spin_init(&a->timer_lock);
	a->timer.os = hvm_os_timer_create(timer_callback, a);
	if (a->timer.os != NULL)
		return 0;
	hvm_os_spin_fini(&a->timer_lock);
	return -HVM_ENOMEM;
}

void vlapic_timer_destroy(struct vlapic *a)
{
	hvm_os_timer_destroy(a->timer.os);
	hvm_os_spin_fini(&a->timer_lock);
}

/* -- save record: times as nanoseconds from the moment of saving ----------------------------- */

int vlapic_timer_save(struct vlapic *a, struct hvm_save_writer *w)
{
	struct vlapic_timer *t = &a->timer;
	uint64_t now = hvm_domain_now_ns(a->v->domain);

	hvm_os_spin_lock(&a->timer_lock);
	hvm_save_u32(w, t->initial);
	hvm_save_u32(w, t->divide);
	hvm_save_u8(w, t->armed);
	hvm_save_u64(w, t->armed && t->deadline_ns > now ? t->deadline_ns - now : 0);
	hvm_save_u64(w, t->tsc_deadline);
	hvm_os_spin_unlock(&a->timer_lock);
	return w->error;
}

int vlapic_timer_load(struct vlapic *a, struct hvm_save_reader *r, bool check)
{
	struct vlapic_timer *t = &a->timer;
	uint32_t initial = hvm_load_u32(r), divide = hvm_load_u32(r);
	uint8_t armed = hvm_load_u8(r);
	uint64_t left_ns = hvm_load_u64(r), tsc_deadline = hvm_load_u64(r);

	if (r->error != 0)
		return r->error;
	if ((divide & ~VLAPIC_DIVIDE_MASK) || armed > 1)
		return -HVM_EINVAL;
	if (check)
		return 0;
	hvm_os_spin_lock(&a->timer_lock);
	timer_stop(a);
	t->initial = initial;
	t->divide = divide;
	t->tsc_deadline = tsc_deadline;
	if (armed)
		timer_start(a, chip_add_sat(hvm_domain_now_ns(a->v->domain), left_ns));
	hvm_os_spin_unlock(&a->timer_lock);
	return 0;
}
