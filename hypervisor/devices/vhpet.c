/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhpet.c - high precision event timer: a 64-bit counter at 100 MHz and three comparators, each
 * one-shot or periodic; legacy replacement; no FSB delivery.
 * Owns struct vhpet. Locking: vhpet->lock; interrupts are driven with it held (the order is a clock
 * chip's lock, then the interrupt controllers'). Saved as HPET.
 * Source: IA-PC HPET Specification 1.0a, 2.3 "Register Overview and Memory Map".
 */
#include "devices/chip_time.h"
#include "devices/vlapic.h"

#define HPET_TIMERS    3u
#define HPET_BYTES     0x400u
#define HPET_TICK_NS   10u
#define HPET_PERIOD_FS (HPET_TICK_NS * 1000000ull)

#define HPET_CAP      0x000u
#define HPET_CONFIG   0x010u
#define HPET_STATUS   0x020u
#define HPET_COUNTER  0x0f0u
#define HPET_TIMER0   0x100u
#define HPET_TN_BYTES 0x20u
#define HPET_TN_CFG   0x00u
#define HPET_TN_CMP   0x08u

#define CFG_ENABLE 0x1u
#define CFG_LEGACY 0x2u

#define TN_LEVEL       0x0002ull
#define TN_ENABLE      0x0004ull
#define TN_PERIODIC    0x0008ull
#define TN_PERIODIC_OK 0x0010ull /* capability */
#define TN_64BIT       0x0020ull /* capability */
#define TN_VAL_SET     0x0040ull
#define TN_32MODE      0x0100ull
#define TN_ROUTE_SHIFT 9
#define TN_ROUTE       0x3e00ull
#define TN_WRITABLE    (TN_LEVEL | TN_ENABLE | TN_PERIODIC | TN_VAL_SET | TN_32MODE | TN_ROUTE)
#define TN_ROUTES      0x00f00104ull /* IOAPIC pins 2, 8 and 20 to 23 */
#define TN_CAPS	       (TN_PERIODIC_OK | TN_64BIT | TN_ROUTES << 32)

/* id: revision 1, three timers, 64 bits, legacy replacement, vendor 8086h; period above. */
#define HPET_CAP_VALUE \
	(HPET_PERIOD_FS << 32 | 0x8086ull << 16 | 0x8000u | 0x2000u | (HPET_TIMERS - 1u) << 8 | \
	 0x01u)

#define HPET_MIN_TICKS (CHIP_MIN_PERIOD_NS / HPET_TICK_NS)
#define HPET_NEVER     (UINT64_MAX / HPET_TICK_NS / 2)

struct hpet_timer {
	struct vhpet *h;
	struct hvm_os_timer *os;
	uint64_t cfg; /* the writable bits */
	uint64_t cmp; /* a periodic timer's next match */
	uint64_t period;
	uint64_t due_ns; /* guest time of the next match; UINT64_MAX: none */
	uint8_t pin;	 /* what is driven while asserted */
	bool legacy;	 /* pin is a GSI */
	bool asserted;
};

struct vhpet {
	struct domain *d;
	struct hvm_os_spinlock lock;
	uint64_t config;
	uint64_t status;
	uint64_t base_count; /* the counter at base_ns, or where it was halted */
	uint64_t base_ns;
	struct hpet_timer timer[HPET_TIMERS];
};

/* -- time ------------------------------------------------------------------------------------ */

static bool hpet_enabled(const struct vhpet *h)
{
	return h->config & CFG_ENABLE;
}

static uint64_t hpet_counter(const struct vhpet *h)
{
	if (!hpet_enabled(h))
		return h->base_count;
	return h->base_count + (hvm_domain_now_ns(h->d) - h->base_ns) / HPET_TICK_NS;
}

static uint64_t timer_mask(const struct hpet_timer *t)
{
	return t->cfg & TN_32MODE ? 0xffffffffull : UINT64_MAX;
}

/* A match half the counter's range away or less lies behind, else ahead. */
static bool timer_passed(const struct hpet_timer *t, uint64_t counter)
{
	uint64_t mask = timer_mask(t);

	return ((counter - t->cmp) & mask) <= mask >> 1;
}

/* Move a periodic comparator past @counter, keeping its phase. */
static void timer_catch_up(struct hpet_timer *t, uint64_t counter)
{
	uint64_t mask = timer_mask(t), behind;

	if (!(t->cfg & TN_PERIODIC) || (t->period & mask) == 0 || !timer_passed(t, counter))
		return;
	behind = (counter - t->cmp) & mask;
	t->cmp = (t->cmp + (behind / (t->period & mask) + 1) * (t->period & mask)) & mask;
}

/* Ticks until the counter equals the comparator; HPET_NEVER and more: not in this life. */
static uint64_t timer_distance(const struct hpet_timer *t, uint64_t counter)
{
	return (t->cmp - counter) & timer_mask(t);
}

/* Arm @t for its next match. @fired: it has matched just now. Lock held. */
static void timer_arm(struct hpet_timer *t, bool fired)
{
	struct vhpet *h = t->h;
	uint64_t counter = hpet_counter(h), distance, tick_ns;

	t->due_ns = UINT64_MAX;
	if (hpet_enabled(h) && (t->cfg & TN_ENABLE)) {
		distance = timer_distance(t, counter);
		if (distance == 0 && fired)
			distance = timer_mask(t) == UINT64_MAX ? HPET_NEVER : 1ull << 32;
		tick_ns = h->base_ns + (counter - h->base_count) * HPET_TICK_NS;
		if (distance < HPET_NEVER)
			t->due_ns = chip_add_sat(tick_ns, distance * HPET_TICK_NS);
	}
	if (t->due_ns == UINT64_MAX)
		hvm_os_timer_cancel(t->os);
	else
		chip_timer_arm(h->d, t->os, t->due_ns);
}

/* -- interrupts ------------------------------------------------------------------------------ */

static unsigned int timer_index(const struct hpet_timer *t)
{
	return (unsigned int)(t - t->h->timer);
}

static void timer_drive(const struct hpet_timer *t, unsigned int pin, bool legacy, bool level)
{
	if (legacy)
		hvm_gsi_set(t->h->d, pin, level);
	else
		vioapic_drive_pin(t->h->d, pin, VIOAPIC_DRIVER_HPET, level);
}

/* Where the timer's interrupt goes now. */
static unsigned int timer_route(const struct hpet_timer *t, bool *ret_legacy)
{
	unsigned int n = timer_index(t);

	*ret_legacy = (t->h->config & CFG_LEGACY) && n < 2;
	if (*ret_legacy)
		return n == 0 ? 0 : 8;
	return (unsigned int)((t->cfg & TN_ROUTE) >> TN_ROUTE_SHIFT);
}

/* Does another timer hold the same line up? */
static bool timer_shared(const struct hpet_timer *t)
{
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		const struct hpet_timer *o = &t->h->timer[n];

		if (o != t && o->asserted && o->pin == t->pin && o->legacy == t->legacy)
			return true;
	}
	return false;
}

/* A level-triggered line follows the status bit. Lock held. */
static void timer_update_line(struct hpet_timer *t)
{
	bool legacy, want = (t->h->status >> timer_index(t) & 1) && (t->cfg & TN_ENABLE) &&
			    (t->cfg & TN_LEVEL);
	unsigned int pin = timer_route(t, &legacy);

	if (!legacy && !(TN_ROUTES >> pin & 1))
		want = false;
	if (t->asserted && (!want || pin != t->pin || legacy != t->legacy)) {
		t->asserted = false;
		if (!timer_shared(t))
			timer_drive(t, t->pin, t->legacy, false);
	}
	if (want && !t->asserted) {
		t->asserted = true;
		t->pin = (uint8_t)pin;
		t->legacy = legacy;
		timer_drive(t, pin, legacy, true);
	}
}

static void timer_fire(struct hpet_timer *t)
{
	unsigned int pin;
	bool legacy;

	if (t->cfg & TN_LEVEL) {
		t->h->status |= 1ull << timer_index(t);
		timer_update_line(t);
		return;
	}
	pin = timer_route(t, &legacy);
	if (!legacy && !(TN_ROUTES >> pin & 1))
		return;
	timer_drive(t, pin, legacy, true);
	timer_drive(t, pin, legacy, false);
}

/*
 * A match. A periodic timer goes on from its own comparator, so it does not drift; matches that
 * went by while we were late are dropped.
 */
static void hpet_callback(void *arg)
{
	struct hpet_timer *t = arg;
	struct vhpet *h = t->h;
	uint64_t counter;

	hvm_os_spin_lock(&h->lock);
	if (t->due_ns != UINT64_MAX && !chip_timer_early(h->d, t->os, t->due_ns)) {
		counter = hpet_counter(h);
		if ((t->period & timer_mask(t)) < HPET_MIN_TICKS)
			counter += HPET_MIN_TICKS;
		timer_catch_up(t, counter);
		timer_arm(t, true);
		timer_fire(t);
	}
	hvm_os_spin_unlock(&h->lock);
}

void vhpet_time_changed(struct domain *d)
{
	struct vhpet *h = d->vhpet;

	hvm_os_spin_lock(&h->lock);
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		struct hpet_timer *t = &h->timer[n];

		if (t->due_ns != UINT64_MAX)
			chip_timer_arm(d, t->os, t->due_ns);
	}
	hvm_os_spin_unlock(&h->lock);
}

/* -- registers ------------------------------------------------------------------------------- */

static uint64_t hpet_read_reg(struct vhpet *h, uint64_t reg)
{
	struct hpet_timer *t;

	switch (reg) {
	case HPET_CAP: return HPET_CAP_VALUE;
	case HPET_CONFIG: return h->config;
	case HPET_STATUS: return h->status;
	case HPET_COUNTER: return hpet_counter(h);
	}
	if (reg < HPET_TIMER0 || reg >= HPET_TIMER0 + HPET_TIMERS * HPET_TN_BYTES)
		return 0;
	t = &h->timer[(reg - HPET_TIMER0) / HPET_TN_BYTES];
	switch ((reg - HPET_TIMER0) % HPET_TN_BYTES) {
	case HPET_TN_CFG: return t->cfg | TN_CAPS;
	case HPET_TN_CMP:
		/* With its interrupt off a periodic comparator moves only when looked at. */
		if (hpet_enabled(h) && !(t->cfg & TN_ENABLE))
			timer_catch_up(t, hpet_counter(h));
		return t->cmp & timer_mask(t);
	}
	return 0; /* no FSB delivery */
}

static void hpet_write_config(struct vhpet *h, uint64_t value)
{
	uint64_t old = h->config, counter = hpet_counter(h);

	value &= CFG_ENABLE | CFG_LEGACY;
	h->base_count = counter;
	h->base_ns = hvm_domain_now_ns(h->d);
	h->config = value;
	if ((old ^ value) & CFG_LEGACY)
		hvm_legacy_replacement(h->d, value & CFG_LEGACY);
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		timer_update_line(&h->timer[n]);
		timer_arm(&h->timer[n], false);
	}
}

static void timer_write_cfg(struct hpet_timer *t, uint64_t value)
{
	uint64_t counter = hpet_counter(t->h);

	if (hpet_enabled(t->h))
		timer_catch_up(t, counter);
	t->cfg = value & TN_WRITABLE;
	if (t->cfg & TN_32MODE) {
		t->cmp &= 0xffffffff;
		t->period &= 0xffffffff;
	}
	/* Leaving level mode takes the status bit along. */
	if (!(t->cfg & TN_LEVEL))
		t->h->status &= ~(1ull << timer_index(t));
	timer_update_line(t);
	timer_arm(t, false);
}

/*
 * Written whole or in halves (@mask). A periodic timer takes the value as its period, and as its
 * next match only after VAL_SET was written.
 */
static void timer_write_cmp(struct hpet_timer *t, uint64_t value, uint64_t mask)
{
	if (!(t->cfg & TN_PERIODIC) || (t->cfg & TN_VAL_SET))
		t->cmp = ((t->cmp & ~mask) | (value & mask)) & timer_mask(t);
	if (t->cfg & TN_PERIODIC)
		t->period = ((t->period & ~mask) | (value & mask)) & timer_mask(t);
	/* It clears itself; who writes a 64-bit match in two halves sets it before each. */
	t->cfg &= ~TN_VAL_SET;
	timer_arm(t, false);
}

/* @mask: the bits of the 64-bit register that are written. */
static void hpet_write_reg(struct vhpet *h, uint64_t reg, uint64_t value, uint64_t mask)
{
	struct hpet_timer *t;

	switch (reg) {
	case HPET_CONFIG: hpet_write_config(h, (h->config & ~mask) | (value & mask)); return;
	case HPET_STATUS:
		h->status &= ~(value & mask);
		for (unsigned int n = 0; n < HPET_TIMERS; n++)
			timer_update_line(&h->timer[n]);
		return;
	case HPET_COUNTER:
		h->base_count = (hpet_counter(h) & ~mask) | (value & mask);
		h->base_ns = hvm_domain_now_ns(h->d);
		for (unsigned int n = 0; n < HPET_TIMERS; n++)
			timer_arm(&h->timer[n], false);
		return;
	}
	if (reg < HPET_TIMER0 || reg >= HPET_TIMER0 + HPET_TIMERS * HPET_TN_BYTES)
		return;
	t = &h->timer[(reg - HPET_TIMER0) / HPET_TN_BYTES];
	switch ((reg - HPET_TIMER0) % HPET_TN_BYTES) {
	case HPET_TN_CFG: timer_write_cfg(t, (t->cfg & ~mask) | (value & mask)); break;
	case HPET_TN_CMP: timer_write_cmp(t, value, mask); break;
	}
}

static int vhpet_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
{
	struct vhpet *h = dev;

	(void)v;
	(void)size;
	hvm_os_spin_lock(&h->lock);
	*ret = hpet_read_reg(h, offset & ~7ull) >> (8 * (offset & 7));
	hvm_os_spin_unlock(&h->lock);
	return 0;
}

static int vhpet_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vhpet *h = dev;
	uint64_t mask = size == 8 ? UINT64_MAX : 0xffffffffull;

	(void)v;
	/* Only aligned 32- and 64-bit accesses are defined; other writes are dropped. */
	if ((size != 4 && size != 8) || (offset & (size - 1)))
		return 0;
	if (offset & 4) {
		mask <<= 32;
		value <<= 32;
	}
	hvm_os_spin_lock(&h->lock);
	hpet_write_reg(h, offset & ~7ull, value, mask);
	hvm_os_spin_unlock(&h->lock);
	return 0;
}

/* -- life ------------------------------------------------------------------------------------ */

void vhpet_reset(struct domain *d)
{
	struct vhpet *h = d->vhpet;

	hvm_os_spin_lock(&h->lock);
	h->status = 0;
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		struct hpet_timer *t = &h->timer[n];

		t->cfg = 0;
		t->cmp = UINT64_MAX;
		t->period = 0;
	}
	hpet_write_config(h, 0);
	h->base_count = 0;
	hvm_os_spin_unlock(&h->lock);
}

int vhpet_create(struct domain *d)
{
	struct vhpet *h = hvm_os_alloc(sizeof(struct vhpet));
	const struct hvm_intercept range = { .base = HVM_HPET_BASE,
					     .bytes = HPET_BYTES,
					     .read = vhpet_read,
					     .write = vhpet_write,
					     .dev = h };
	int rc = 0;

	if (h == NULL)
		return -HVM_ENOMEM;
	h->d = d;
	hvm_os_spin_init(&h->lock);
	d->vhpet = h;
	for (unsigned int n = 0; n < HPET_TIMERS && rc == 0; n++) {
		h->timer[n].h = h;
		h->timer[n].os = hvm_os_timer_create(hpet_callback, &h->timer[n]);
		rc = h->timer[n].os == NULL ? -HVM_ENOMEM : 0;
	}
	if (rc == 0)
		rc = hvm_mmio_register(d, &range);
	if (rc != 0)
		vhpet_destroy(d);
	else
		vhpet_reset(d);
	return rc;
}

void vhpet_destroy(struct domain *d)
{
	if (d->vhpet == NULL)
		return;
	for (unsigned int n = 0; n < HPET_TIMERS; n++)
		hvm_os_timer_destroy(d->vhpet->timer[n].os);
	hvm_os_spin_fini(&d->vhpet->lock);
	hvm_os_free(d->vhpet);
	d->vhpet = NULL;
}

/* -- save record ----------------------------------------------------------------------------- */

int vhpet_save(struct domain *d, struct hvm_save_writer *w)
{
	struct vhpet *h = d->vhpet;

	hvm_os_spin_lock(&h->lock);
	hvm_save_u64(w, h->config);
	hvm_save_u64(w, h->status);
	hvm_save_u64(w, hpet_counter(h));
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		hvm_save_u64(w, h->timer[n].cfg);
		hvm_save_u64(w, h->timer[n].cmp);
		hvm_save_u64(w, h->timer[n].period);
		/* A match that the host's timer has not yet acted upon. */
		hvm_save_u8(w, h->timer[n].due_ns <= hvm_domain_now_ns(d));
	}
	hvm_os_spin_unlock(&h->lock);
	return w->error;
}

int vhpet_load(struct domain *d, struct hvm_save_reader *r, bool check)
{
	struct vhpet *h = d->vhpet;
	uint64_t config = hvm_load_u64(r), status = hvm_load_u64(r), counter = hvm_load_u64(r);
	uint64_t cfg[HPET_TIMERS], cmp[HPET_TIMERS], period[HPET_TIMERS];
	uint8_t due[HPET_TIMERS];

	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		cfg[n] = hvm_load_u64(r);
		cmp[n] = hvm_load_u64(r);
		period[n] = hvm_load_u64(r);
		due[n] = hvm_load_u8(r);
		if ((cfg[n] & ~TN_WRITABLE) || due[n] > 1)
			return -HVM_EINVAL;
		if ((cfg[n] & TN_32MODE) && (cmp[n] | period[n]) >> 32)
			return -HVM_EINVAL;
	}
	if (r->error != 0)
		return r->error;
	if ((config & ~(uint64_t)(CFG_ENABLE | CFG_LEGACY)) || status >> HPET_TIMERS)
		return -HVM_EINVAL;
	if (check)
		return 0;
	hvm_os_spin_lock(&h->lock);
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		h->timer[n].cfg = cfg[n];
		h->timer[n].cmp = cmp[n];
		h->timer[n].period = period[n];
	}
	h->status = status;
	hpet_write_config(h, config);
	h->base_count = counter;
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		timer_arm(&h->timer[n], false);
		if (due[n]) {
			h->timer[n].due_ns = h->base_ns;
			chip_timer_arm(d, h->timer[n].os, h->base_ns);
		}
	}
	hvm_os_spin_unlock(&h->lock);
	return 0;
}
