/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chip_time.h - arithmetic on guest time that the chips share. All chips count from
 * hvm_domain_now_ns(); host time appears only where a host timer is armed.
 */
#ifndef HVM_CHIP_TIME_H
#define HVM_CHIP_TIME_H

#include "devices/chips.h"

#define NS_PER_S 1000000000ull

/* No chip makes the host's timer fire more often than this, whatever the guest programs. */
#define CHIP_MIN_PERIOD_NS 50000ull

/* value * mul / div without overflow, for mul and div below 2^32. */
static inline uint64_t chip_muldiv(uint64_t value, uint64_t mul, uint64_t div)
{
	return value / div * mul + value % div * mul / div;
}

/* The same, rounded up. */
static inline uint64_t chip_muldiv_up(uint64_t value, uint64_t mul, uint64_t div)
{
	return value / div * mul + (value % div * mul + div - 1) / div;
}

/* a + b, or the largest value: a deadline that far away never comes. */
static inline uint64_t chip_add_sat(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* Arm @t for guest time @guest_ns. */
static inline void chip_timer_arm(struct domain *d, struct hvm_os_timer *t, uint64_t guest_ns)
{
	hvm_os_timer_arm(t, hvm_domain_deadline_ns(d, guest_ns));
}

/*
 * chip_timer_early - a callback came before guest time reached @guest_ns: guest time was paused
 * after the timer was armed, or the deadline was moved while the callback was on its way. Arms the
 * timer again, except where that would make it fire at once (time stands still: resuming arms it).
 */
static inline bool chip_timer_early(struct domain *d, struct hvm_os_timer *t, uint64_t guest_ns)
{
	uint64_t deadline_ns;

	if (hvm_domain_now_ns(d) >= guest_ns)
		return false;
	deadline_ns = hvm_domain_deadline_ns(d, guest_ns);
	if (deadline_ns > hvm_os_now_ns())
		hvm_os_timer_arm(t, deadline_ns);
	return true;
}

#endif
