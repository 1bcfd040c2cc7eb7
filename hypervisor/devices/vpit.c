/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vpit.c - the 8254 interval timer, and port 0x61, which gates its channel 2.
 * Owns struct vpit. Locking: vpit->lock; channel 0's interrupt is raised with it held (the order is
 * a clock chip's lock, then the interrupt controllers'). Saved as PIT.
 * A channel is a function of time: the tick of its last load or trigger and a count; nothing runs
 * between accesses but one host timer for the next rising edge of channel 0.
 * Source: Intel 8254 data sheet (231164); IBM PC AT Technical Reference for port 0x61.
 */
#include "devices/chip_time.h"

#define PIT_HZ	     1193182u
#define PIT_CHANNELS 3u

/* Port 0x61. */
#define P61_GATE2      0x01u
#define P61_WRITABLE   0x0fu
#define P61_REFRESH    0x10u
#define P61_OUT2       0x20u
#define P61_REFRESH_NS 15085u

/* How bytes reach the count register: bits 5:4 of the control word. */
enum pit_access {
	PIT_ACCESS_LATCH, /* in a control word: the counter latch command */
	PIT_ACCESS_LOW,
	PIT_ACCESS_HIGH,
	PIT_ACCESS_BOTH,
};

/*
 * Ticks are PIT_HZ ticks of guest time. A running channel has counted now - start ticks since it
 * was loaded or triggered; a held one (gate low, modes 0 and 4) stays at held.
 */
struct pit_channel {
	uint64_t start;
	uint64_t held;
	uint32_t count;	 /* 1 to 0x10000; the count in use */
	uint32_t reload; /* modes 2, 3: count from the next period on; modes 1, 5: from the next
			    trigger on. 0: none written */
	uint16_t latch;
	uint8_t mode;	/* 0 to 5 */
	uint8_t access; /* enum pit_access */
	uint8_t write_low;
	uint8_t status;
	bool bcd, gate;
	bool loaded;	   /* a count was written since the control word */
	bool running;	   /* start holds: loaded, and where a trigger is needed, triggered */
	bool holding;	   /* gate low in mode 0 or 4 */
	bool write_second; /* the high byte is next */
	bool read_second;
	bool count_latched, status_latched;
	bool null_count; /* written, not yet in the counter */
};

/* Owed edges are this many times as fast, and at most so many: a stopped host is no time machine.
 */
#define PIT_OWED_PART 8
#define PIT_OWED_MAX  256u

struct vpit {
	struct domain *d;
	struct hvm_os_spinlock lock;
	struct hvm_os_timer *timer;
	uint64_t edge; /* tick of channel 0's next rising edge; 0: none is coming */
	/*
	 * Periodic edges that passed while the host gave this process no time. A guest counts them
	 * (Linux even refuses to boot when its first forty milliseconds hold too few), so they
	 * follow at PIT_OWED_PART of the period. Not saved: a restored guest starts without the
	 * debt.
	 */
	uint32_t owed;
	uint64_t owed_tick; /* when the next of them goes out; 0: none is owed */
	struct pit_channel ch[PIT_CHANNELS];
	uint8_t p61;
};

static uint64_t pit_now(const struct vpit *p)
{
	return chip_muldiv(hvm_domain_now_ns(p->d), PIT_HZ, NS_PER_S);
}

static uint64_t pit_tick_ns(uint64_t tick)
{
	return chip_muldiv_up(tick, NS_PER_S, PIT_HZ);
}

/* -- a channel as a function of time --------------------------------------------------------- */

static bool pit_periodic(const struct pit_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Modes 1 and 5 start at a rising gate. */
static bool pit_triggered(const struct pit_channel *c)
{
	return c->mode == 1 || c->mode == 5;
}

static uint64_t pit_elapsed(const struct pit_channel *c, uint64_t now)
{
	/* Unsigned: in a domain that was loaded a channel may be older than guest time. */
	return c->holding ? c->held : now - c->start;
}

/* A new count of modes 2 and 3 takes over at the end of the period in which it was written. */
static void pit_sync(struct pit_channel *c, uint64_t now)
{
	if (!pit_periodic(c) || !c->running || c->reload == 0 || now - c->start < c->count)
		return;
	c->start += c->count;
	c->count = c->reload;
	c->reload = 0;
	c->null_count = false;
}

static bool pit_out(const struct pit_channel *c, uint64_t now)
{
	uint64_t elapsed = pit_elapsed(c, now);

	if (!c->running)
		return c->mode != 0;
	switch (c->mode) {
	case 0:
	case 1: return elapsed >= c->count;
	case 2: return !c->gate || elapsed % c->count != c->count - 1;
	case 3: return !c->gate || elapsed % c->count < (c->count + 1) / 2;
	default: return elapsed != c->count;
	}
}

/* Value of the counting element, in binary. */
static uint32_t pit_value(const struct pit_channel *c, uint64_t now)
{
	uint32_t modulus = c->bcd ? 10000 : 0x10000, high, even, at;
	uint64_t elapsed = pit_elapsed(c, now);

	if (!c->running)
		return c->count % modulus;
	if (c->mode == 2 || (c->mode == 3 && !c->gate))
		return (uint32_t)(c->count - elapsed % c->count) % modulus;
	if (c->mode == 3) {
		/* Two by two from the even count, once while out is high and once while low. */
		high = (c->count + 1) / 2;
		even = c->count & ~1u;
		at = (uint32_t)(elapsed % c->count);
		if (at >= high)
			at -= high;
		return (at * 2 >= even ? 2 : even - at * 2) % modulus;
	}
	/* The others go on below zero. */
	return (uint32_t)((c->count + modulus - elapsed % modulus) % modulus);
}

static uint16_t pit_to_bcd(uint32_t value)
{
	return (uint16_t)(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 |
			  value / 1000 % 10 << 12);
}

/* Digits above 9 count for what they weigh. Zero is the largest count. */
static uint32_t pit_count(const struct pit_channel *c, uint16_t raw)
{
	uint32_t value = raw;

	if (c->bcd)
		value = (raw & 15u) + (raw >> 4 & 15u) * 10 + (raw >> 8 & 15u) * 100 +
			(raw >> 12) * 1000u;
	if (value == 0)
		return c->bcd ? 10000 : 0x10000;
	return value > 0x10000 ? 0x10000 : value;
}

/* -- channel 0's interrupt ------------------------------------------------------------------- */

/* First rising edge of the output after tick @now, 0: none. */
static uint64_t pit_next_edge(const struct pit_channel *c, uint64_t now)
{
	uint64_t elapsed = now - c->start, length = c->count;

	if (!c->running || c->holding || (pit_periodic(c) && !c->gate))
		return 0;
	if (pit_periodic(c)) {
		/* After one period another count may take over. */
		uint64_t periods = c->reload != 0 ? 1 : elapsed / length + 1;

		return c->start + periods * length;
	}
	/* A strobe is low for one tick. */
	if (c->mode >= 4)
		length++;
	return elapsed < length ? c->start + length : 0;
}

/* When the host's timer is wanted next; 0: never. Lock held. */
static uint64_t pit_due(const struct vpit *p)
{
	return p->owed_tick != 0 && p->owed_tick < p->edge ? p->owed_tick : p->edge;
}

/* Lock held. */
static void pit_arm(struct vpit *p, uint64_t after)
{
	p->edge = pit_next_edge(&p->ch[0], after);
	if (p->edge == 0)
		hvm_os_timer_cancel(p->timer);
	else
		chip_timer_arm(p->d, p->timer, pit_tick_ns(pit_due(p)));
}

/* Lock held. The edge at p->edge goes out now: note those that should have since then. */
static void pit_note_owed(struct vpit *p, uint64_t now)
{
	const struct pit_channel *c = &p->ch[0];
	uint64_t step = c->count / PIT_OWED_PART, missed;

	if (!pit_periodic(c) || c->count == 0)
		return;
	if (now < p->edge) {
		p->owed--;
	} else {
		missed = (now - p->edge) / c->count;
		p->owed = missed < PIT_OWED_MAX - p->owed ? p->owed + (uint32_t)missed
							  : PIT_OWED_MAX;
	}
	if (step < CHIP_MIN_PERIOD_NS * PIT_HZ / NS_PER_S)
		p->owed = 0; /* faster than we ever tick */
	p->owed_tick = p->owed != 0 ? now + step : 0;
}

/*
 * An edge is due. The next one is computed from the tick of the load, so there is no drift; edges
 * that went by while we were late follow one by one, for the PIC would hold only one of them.
 */
static void pit_callback(void *arg)
{
	struct vpit *p = arg;
	uint64_t now, after;

	hvm_os_spin_lock(&p->lock);
	if (p->edge != 0 && !chip_timer_early(p->d, p->timer, pit_tick_ns(pit_due(p)))) {
		now = pit_now(p);
		after = now;
		pit_note_owed(p, now);
		pit_sync(&p->ch[0], now);
		if (pit_periodic(&p->ch[0]) &&
		    p->ch[0].count < CHIP_MIN_PERIOD_NS * PIT_HZ / NS_PER_S)
			after += CHIP_MIN_PERIOD_NS * PIT_HZ / NS_PER_S;
		pit_arm(p, after);
		hvm_gsi_set_legacy_timer(p->d, 0, true);
		hvm_gsi_set_legacy_timer(p->d, 0, false);
	}
	hvm_os_spin_unlock(&p->lock);
}

void vpit_time_changed(struct domain *d)
{
	struct vpit *p = d->vpit;

	hvm_os_spin_lock(&p->lock);
	if (p->edge != 0)
		chip_timer_arm(d, p->timer, pit_tick_ns(pit_due(p)));
	hvm_os_spin_unlock(&p->lock);
}

/* -- registers ------------------------------------------------------------------------------- */

static void pit_changed(struct vpit *p, unsigned int n)
{
	if (n != 0)
		return;
	p->owed = 0;
	p->owed_tick = 0;
	pit_arm(p, pit_now(p));
}

static void pit_start(struct pit_channel *c, uint64_t now)
{
	if (c->reload != 0)
		c->count = c->reload;
	c->reload = 0;
	c->null_count = false;
	c->start = now;
	c->held = 0;
	c->running = true;
	c->holding = !c->gate && (c->mode == 0 || c->mode == 4);
}

/* A whole count has been written. */
static void pit_load(struct pit_channel *c, uint16_t raw, uint64_t now)
{
	c->reload = pit_count(c, raw);
	c->null_count = true;
	c->loaded = true;
	if (pit_triggered(c)) {
		/* Shown as the count until the trigger, as the counter holds nothing else. */
		if (!c->running)
			c->count = c->reload;
		return;
	}
	if (pit_periodic(c) && c->running)
		return;
	pit_start(c, now);
}

static void pit_write_count(struct pit_channel *c, uint8_t value, uint64_t now)
{
	switch (c->access) {
	case PIT_ACCESS_LOW: pit_load(c, value, now); return;
	case PIT_ACCESS_HIGH: pit_load(c, (uint16_t)(value << 8), now); return;
	}
	if (c->write_second) {
		c->write_second = false;
		pit_load(c, (uint16_t)(value << 8 | c->write_low), now);
		return;
	}
	c->write_low = value;
	c->write_second = true;
	/* Mode 0 stops between the two bytes. */
	if (c->mode == 0)
		c->running = false;
}

static void pit_latch_count(struct pit_channel *c, uint64_t now)
{
	uint32_t value;

	if (c->count_latched)
		return;
	value = pit_value(c, now);
	c->latch = c->bcd ? pit_to_bcd(value) : (uint16_t)value;
	c->count_latched = true;
}

static void pit_latch_status(struct pit_channel *c, uint64_t now)
{
	if (c->status_latched)
		return;
	c->status = (uint8_t)((pit_out(c, now) ? 0x80 : 0) | (c->null_count ? 0x40 : 0) |
			      c->access << 4 | c->mode << 1 | (c->bcd ? 1 : 0));
	c->status_latched = true;
}

static uint8_t pit_read_count(struct pit_channel *c, uint64_t now)
{
	bool latched = c->count_latched, high;
	uint16_t value;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	pit_sync(c, now);
	if (!latched)
		pit_latch_count(c, now);
	value = c->latch;
	high = c->access == PIT_ACCESS_HIGH || (c->access == PIT_ACCESS_BOTH && c->read_second);
	if (c->access == PIT_ACCESS_BOTH)
		c->read_second = !c->read_second;
	/* A latch of two bytes stays until its second byte was read. */
	c->count_latched = latched && c->access == PIT_ACCESS_BOTH && c->read_second;
	return (uint8_t)(high ? value >> 8 : value);
}

static void pit_read_back(struct vpit *p, uint8_t value, uint64_t now)
{
	for (unsigned int n = 0; n < PIT_CHANNELS; n++) {
		if (!(value & 2u << n))
			continue;
		pit_sync(&p->ch[n], now);
		if (!(value & 0x20))
			pit_latch_count(&p->ch[n], now);
		if (!(value & 0x10))
			pit_latch_status(&p->ch[n], now);
	}
}

static void pit_write_control(struct vpit *p, uint8_t value, uint64_t now)
{
	unsigned int n = value >> 6;
	struct pit_channel *c;
	uint8_t mode = value >> 1 & 7;

	if (n == PIT_CHANNELS) {
		pit_read_back(p, value, now);
		return;
	}
	c = &p->ch[n];
	pit_sync(c, now);
	if ((value >> 4 & 3) == PIT_ACCESS_LATCH) {
		pit_latch_count(c, now);
		return;
	}
	*c = (struct pit_channel){
		.access = value >> 4 & 3,
		.mode = mode > 5 ? mode & 3 : mode, /* bit 2 is ignored with modes 2 and 3 */
		.bcd = value & 1,
		.gate = c->gate,
		.count = c->count,
		.null_count = true,
	};
	pit_changed(p, n);
}

static void pit_set_gate(struct pit_channel *c, bool gate, uint64_t now)
{
	bool rose = gate && !c->gate;

	if (gate == c->gate)
		return;
	pit_sync(c, now);
	if (c->mode == 0 || c->mode == 4) {
		/* Low holds the count, high lets it go on. */
		if (c->running && gate)
			c->start = now - c->held;
		else if (c->running)
			c->held = pit_elapsed(c, now);
		c->holding = c->running && !gate;
	}
	c->gate = gate;
	if (rose && c->loaded && (pit_periodic(c) || pit_triggered(c)))
		pit_start(c, now);
}

static int vpit_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
{
	struct vpit *p = dev;
	uint64_t value = 0, now;

	(void)v;
	hvm_os_spin_lock(&p->lock);
	now = pit_now(p);
	for (unsigned int i = 0; i < size && offset + i < 4; i++) {
		uint64_t byte = 0xff; /* the control word cannot be read */

		if (offset + i < PIT_CHANNELS)
			byte = pit_read_count(&p->ch[offset + i], now);
		value |= byte << (8 * i);
	}
	hvm_os_spin_unlock(&p->lock);
	*ret = value;
	return 0;
}

static int vpit_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct vpit *p = dev;
	uint64_t now;

	(void)v;
	hvm_os_spin_lock(&p->lock);
	now = pit_now(p);
	for (unsigned int i = 0; i < size && offset + i < 4; i++) {
		unsigned int n = (unsigned int)offset + i;
		uint8_t byte = (uint8_t)(value >> (8 * i));

		if (n == PIT_CHANNELS) {
			pit_write_control(p, byte, now);
			continue;
		}
		pit_sync(&p->ch[n], now);
		pit_write_count(&p->ch[n], byte, now);
		pit_changed(p, n);
	}
	hvm_os_spin_unlock(&p->lock);
	return 0;
}

static int vp61_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
{
	struct vpit *p = dev;
	uint64_t now;
	uint8_t value;

	(void)v;
	(void)offset;
	(void)size;
	hvm_os_spin_lock(&p->lock);
	now = pit_now(p);
	pit_sync(&p->ch[2], now);
	value = p->p61;
	if (pit_out(&p->ch[2], now))
		value |= P61_OUT2;
	hvm_os_spin_unlock(&p->lock);
	if (hvm_domain_now_ns(p->d) / P61_REFRESH_NS & 1)
		value |= P61_REFRESH;
	*ret = value;
	return 0;
}

static int vp61_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct vpit *p = dev;

	(void)v;
	(void)offset;
	(void)size;
	hvm_os_spin_lock(&p->lock);
	p->p61 = value & P61_WRITABLE;
	pit_set_gate(&p->ch[2], value & P61_GATE2, pit_now(p));
	hvm_os_spin_unlock(&p->lock);
	return 0;
}

/* -- life ------------------------------------------------------------------------------------ */

void vpit_reset(struct domain *d)
{
	struct vpit *p = d->vpit;

	hvm_os_spin_lock(&p->lock);
	for (unsigned int n = 0; n < PIT_CHANNELS; n++)
		p->ch[n] = (struct pit_channel){
			.count = 0x10000,
			.mode = 3,
			.access = PIT_ACCESS_BOTH,
			.gate = n != 2,
			.null_count = true,
		};
	p->p61 = 0;
	p->owed = 0;
	p->owed_tick = 0;
	pit_arm(p, 0);
	hvm_os_spin_unlock(&p->lock);
}

int vpit_create(struct domain *d)
{
	struct vpit *p = hvm_os_alloc(sizeof(struct vpit));
	const struct hvm_intercept ports = {
		.base = 0x40, .bytes = 4, .read = vpit_read, .write = vpit_write, .dev = p
	};
	const struct hvm_intercept port61 = {
		.base = 0x61, .bytes = 1, .read = vp61_read, .write = vp61_write, .dev = p
	};
	int rc = -HVM_ENOMEM;

	if (p == NULL)
		return rc;
	p->d = d;
	hvm_os_spin_init(&p->lock);
	p->timer = hvm_os_timer_create(pit_callback, p);
	if (p->timer != NULL)
		rc = hvm_pio_register(d, &ports);
	if (rc == 0)
		rc = hvm_pio_register(d, &port61);
	d->vpit = p;
	if (rc != 0)
		vpit_destroy(d);
	else
		vpit_reset(d);
	return rc;
}

void vpit_destroy(struct domain *d)
{
	if (d->vpit == NULL)
		return;
	hvm_os_timer_destroy(d->vpit->timer);
	hvm_os_spin_fini(&d->vpit->lock);
	hvm_os_free(d->vpit);
	d->vpit = NULL;
}

/* -- save record: ticks as counted since the load -------------------------------------------- */

#define PIT_FLAG_BCD	 0x001u
#define PIT_FLAG_GATE	 0x002u
#define PIT_FLAG_LOADED	 0x004u
#define PIT_FLAG_RUNNING 0x008u
#define PIT_FLAG_HOLDING 0x010u
#define PIT_FLAG_WRITE2	 0x020u
#define PIT_FLAG_READ2	 0x040u
#define PIT_FLAG_COUNT	 0x080u
#define PIT_FLAG_STATUS	 0x100u
#define PIT_FLAG_NULL	 0x200u
#define PIT_FLAGS_ALL	 0x3ffu

static uint16_t pit_flags(const struct pit_channel *c)
{
	return (uint16_t)((c->bcd ? PIT_FLAG_BCD : 0) | (c->gate ? PIT_FLAG_GATE : 0) |
			  (c->loaded ? PIT_FLAG_LOADED : 0) | (c->running ? PIT_FLAG_RUNNING : 0) |
			  (c->holding ? PIT_FLAG_HOLDING : 0) |
			  (c->write_second ? PIT_FLAG_WRITE2 : 0) |
			  (c->read_second ? PIT_FLAG_READ2 : 0) |
			  (c->count_latched ? PIT_FLAG_COUNT : 0) |
			  (c->status_latched ? PIT_FLAG_STATUS : 0) |
			  (c->null_count ? PIT_FLAG_NULL : 0));
}

static void pit_set_flags(struct pit_channel *c, uint16_t flags)
{
	c->bcd = flags & PIT_FLAG_BCD;
	c->gate = flags & PIT_FLAG_GATE;
	c->loaded = flags & PIT_FLAG_LOADED;
	c->running = flags & PIT_FLAG_RUNNING;
	c->holding = flags & PIT_FLAG_HOLDING;
	c->write_second = flags & PIT_FLAG_WRITE2;
	c->read_second = flags & PIT_FLAG_READ2;
	c->count_latched = flags & PIT_FLAG_COUNT;
	c->status_latched = flags & PIT_FLAG_STATUS;
	c->null_count = flags & PIT_FLAG_NULL;
}

int vpit_save(struct domain *d, struct hvm_save_writer *w)
{
	struct vpit *p = d->vpit;
	uint64_t now;

	hvm_os_spin_lock(&p->lock);
	now = pit_now(p);
	for (unsigned int n = 0; n < PIT_CHANNELS; n++) {
		struct pit_channel *c = &p->ch[n];

		pit_sync(c, now);
		hvm_save_u64(w, c->running ? pit_elapsed(c, now) : 0);
		hvm_save_u32(w, c->count);
		hvm_save_u32(w, c->reload);
		hvm_save_u16(w, c->latch);
		hvm_save_u16(w, pit_flags(c));
		hvm_save_u8(w, c->mode);
		hvm_save_u8(w, c->access);
		hvm_save_u8(w, c->write_low);
		hvm_save_u8(w, c->status);
	}
	hvm_save_u8(w, p->p61);
	/* An edge that the host's timer has not yet acted upon. */
	hvm_save_u8(w, p->edge != 0 && pit_tick_ns(p->edge) <= hvm_domain_now_ns(d));
	hvm_os_spin_unlock(&p->lock);
	return w->error;
}

/* @c->held: the elapsed ticks, for the caller to place in time. */
static int pit_channel_load(struct pit_channel *c, struct hvm_save_reader *r)
{
	uint16_t flags;

	*c = (struct pit_channel){ 0 };
	c->held = hvm_load_u64(r);
	c->count = hvm_load_u32(r);
	c->reload = hvm_load_u32(r);
	c->latch = hvm_load_u16(r);
	flags = hvm_load_u16(r);
	c->mode = hvm_load_u8(r);
	c->access = hvm_load_u8(r);
	c->write_low = hvm_load_u8(r);
	c->status = hvm_load_u8(r);
	if (r->error != 0)
		return r->error;
	if (c->count == 0 || c->count > 0x10000 || c->reload > 0x10000 ||
	    (flags & ~PIT_FLAGS_ALL) || c->mode > 5 || c->access < PIT_ACCESS_LOW ||
	    c->access > PIT_ACCESS_BOTH)
		return -HVM_EINVAL;
	pit_set_flags(c, flags);
	if (c->holding && (!c->running || (c->mode != 0 && c->mode != 4)))
		return -HVM_EINVAL;
	return 0;
}

int vpit_load(struct domain *d, struct hvm_save_reader *r, bool check)
{
	struct vpit *p = d->vpit;
	struct pit_channel ch[PIT_CHANNELS];
	uint8_t p61, edge_due;
	uint64_t now;

	for (unsigned int n = 0; n < PIT_CHANNELS; n++) {
		int rc = pit_channel_load(&ch[n], r);

		if (rc != 0)
			return rc;
	}
	p61 = hvm_load_u8(r);
	edge_due = hvm_load_u8(r);
	if (r->error != 0)
		return r->error;
	if ((p61 & ~P61_WRITABLE) || edge_due > 1)
		return -HVM_EINVAL;
	if (check)
		return 0;
	hvm_os_spin_lock(&p->lock);
	now = pit_now(p);
	for (unsigned int n = 0; n < PIT_CHANNELS; n++) {
		ch[n].start = now - ch[n].held;
		p->ch[n] = ch[n];
	}
	p->p61 = p61;
	p->owed = 0;
	p->owed_tick = 0;
	pit_arm(p, now);
	if (edge_due) {
		p->edge = now != 0 ? now : 1;
		chip_timer_arm(d, p->timer, pit_tick_ns(p->edge));
	}
	hvm_os_spin_unlock(&p->lock);
	return 0;
}
