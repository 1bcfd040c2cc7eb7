/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vrtc.c - MC146818 real-time clock and 128 bytes of CMOS memory.
 * Owns struct vrtc. Locking: vrtc->lock; IRQ 8 is driven with it held (the order is a clock chip's
 * lock, then the interrupt controllers'). Saved as RTC.
 * The clock is a function of guest time; a host timer runs only while an interrupt is enabled that
 * is not pending already. The clock stands still while the domain is paused or saved.
 * Source: Motorola MC146818A data sheet; Intel 82371AB (PIIX4) data sheet 7.2 "RTC"; the century
 * byte at 0x32 follows ACPI FADT.CENTURY as every PC firmware places it.
 */
#include "devices/chip_time.h"

#define RTC_IRQ	    8u
#define RTC_BYTES   128u
#define RTC_SECONDS 0x00u
#define RTC_MINUTES 0x02u
#define RTC_HOURS   0x04u
#define RTC_WDAY    0x06u
#define RTC_MDAY    0x07u
#define RTC_MONTH   0x08u
#define RTC_YEAR    0x09u
#define RTC_A	    0x0au
#define RTC_B	    0x0bu
#define RTC_C	    0x0cu
#define RTC_D	    0x0du
#define RTC_RAM	    0x0eu
#define RTC_CENTURY 0x32u

#define RTC_A_UIP     0x80u
#define RTC_A_RATE    0x0fu
#define RTC_A_DIVIDER 0x70u
#define RTC_A_32KHZ   0x20u /* divider: the 32.768 kHz time base runs */
#define RTC_B_SET     0x80u
#define RTC_B_UIE     0x10u
#define RTC_B_BINARY  0x04u
#define RTC_B_24H     0x02u
#define RTC_C_IRQF    0x80u
#define RTC_C_PF      0x40u
#define RTC_C_AF      0x20u
#define RTC_C_UF      0x10u
#define RTC_C_FLAGS   0x70u /* the enable bits in B have the same places */
#define RTC_D_VALID   0x80u
#define RTC_HOUR_PM   0x80u
#define RTC_ALARM_ANY 0xc0u

#define RTC_UIP_NS  244000ull /* UIP rises this long before the registers change */
#define RTC_HALF_NS 500000000ull
#define S_PER_DAY   86400

struct vrtc {
	struct domain *d;
	struct hvm_os_spinlock lock;
	struct hvm_os_timer *timer;
	uint64_t due_ns;  /* guest time the timer is armed for; UINT64_MAX: not armed */
	int64_t base_s;	  /* seconds since 1970 shown at base_ns */
	uint64_t base_ns; /* guest time, start of a second; counts modulo 2^64 */
	uint64_t seen_s;  /* seconds after base_ns that update and alarm have been looked at */
	uint64_t div_ns;  /* guest time at which the divider chain started */
	uint64_t seen_p;  /* periods since div_ns that have been looked at */
	uint8_t cmos[RTC_BYTES]; /* time registers only while B.SET holds them */
	uint8_t index;
	uint8_t wday_shift; /* the day of week is whatever the guest says it is */
	bool line;
};

struct rtc_time {
	int64_t year;
	unsigned int month, mday, hour, minute, second, wday;
};

/* -- calendar -------------------------------------------------------------------------------- */

static bool rtc_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned int rtc_month_days(int64_t year, unsigned int month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && rtc_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to January 1st of @year (0 to 9999 and a little beyond). */
static int64_t rtc_year_days(int64_t year)
{
	int64_t y = year + 400 - 1; /* positive, so that the divisions round down */

	return (year - 1970) * 365 + (y / 4 - 592) - (y / 100 - 23) + (y / 400 - 5);
}

static int64_t rtc_to_seconds(const struct rtc_time *t)
{
	int64_t days = rtc_year_days(t->year) + t->mday - 1;

	for (unsigned int m = 1; m < t->month; m++)
		days += rtc_month_days(t->year, m);
	return days * S_PER_DAY + t->hour * 3600 + t->minute * 60 + t->second;
}

static void rtc_from_seconds(int64_t seconds, struct rtc_time *t)
{
	int64_t days = seconds / S_PER_DAY, of_day = seconds % S_PER_DAY;

	if (of_day < 0) {
		of_day += S_PER_DAY;
		days--;
	}
	t->hour = (unsigned int)(of_day / 3600);
	t->minute = (unsigned int)(of_day / 60 % 60);
	t->second = (unsigned int)(of_day % 60);
	t->wday = (unsigned int)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
	t->year = 1970 + days / 366;
	while (rtc_year_days(t->year + 1) <= days)
		t->year++;
	while (rtc_year_days(t->year) > days)
		t->year--;
	days -= rtc_year_days(t->year);
	t->month = 1;
	while (days >= rtc_month_days(t->year, t->month))
		days -= rtc_month_days(t->year, t->month++);
	t->mday = (unsigned int)days + 1;
}

/* -- register formats ------------------------------------------------------------------------ */

static uint8_t rtc_encode(const struct vrtc *r, unsigned int value)
{
	if (r->cmos[RTC_B] & RTC_B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static unsigned int rtc_decode(const struct vrtc *r, uint8_t raw)
{
	if (r->cmos[RTC_B] & RTC_B_BINARY)
		return raw;
	return (raw >> 4) * 10u + (raw & 15u);
}

static uint8_t rtc_encode_hour(const struct vrtc *r, unsigned int hour)
{
	if (r->cmos[RTC_B] & RTC_B_24H)
		return rtc_encode(r, hour);
	return rtc_encode(r, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? RTC_HOUR_PM : 0);
}

static unsigned int rtc_decode_hour(const struct vrtc *r, uint8_t raw)
{
	if (r->cmos[RTC_B] & RTC_B_24H)
		return rtc_decode(r, raw);
	return rtc_decode(r, (uint8_t)(raw & ~RTC_HOUR_PM)) % 12 + (raw & RTC_HOUR_PM ? 12 : 0);
}

static bool rtc_is_time(unsigned int index)
{
	return index == RTC_CENTURY ||
	       (index <= RTC_YEAR && index != 1 && index != 3 && index != 5);
}

/* The time registers of @t into cmos[]. */
static void rtc_fill(struct vrtc *r, const struct rtc_time *t)
{
	r->cmos[RTC_SECONDS] = rtc_encode(r, t->second);
	r->cmos[RTC_MINUTES] = rtc_encode(r, t->minute);
	r->cmos[RTC_HOURS] = rtc_encode_hour(r, t->hour);
	r->cmos[RTC_WDAY] = rtc_encode(r, (t->wday + r->wday_shift) % 7 + 1);
	r->cmos[RTC_MDAY] = rtc_encode(r, t->mday);
	r->cmos[RTC_MONTH] = rtc_encode(r, t->month);
	r->cmos[RTC_YEAR] = rtc_encode(r, (unsigned int)(t->year % 100));
	r->cmos[RTC_CENTURY] = rtc_encode(r, (unsigned int)(t->year / 100 % 100));
}

static unsigned int rtc_clamp(unsigned int value, unsigned int low, unsigned int high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

/* Seconds since 1970 of what cmos[] shows; what is no date becomes the nearest that is. */
static int64_t rtc_collect(struct vrtc *r)
{
	unsigned int wday = rtc_clamp(rtc_decode(r, r->cmos[RTC_WDAY]), 1, 7) - 1;
	struct rtc_time t = {
		.second = rtc_clamp(rtc_decode(r, r->cmos[RTC_SECONDS]), 0, 59),
		.minute = rtc_clamp(rtc_decode(r, r->cmos[RTC_MINUTES]), 0, 59),
		.hour = rtc_clamp(rtc_decode_hour(r, r->cmos[RTC_HOURS]), 0, 23),
		.month = rtc_clamp(rtc_decode(r, r->cmos[RTC_MONTH]), 1, 12),
		.year = rtc_clamp(rtc_decode(r, r->cmos[RTC_CENTURY]), 0, 99) * 100 +
			rtc_clamp(rtc_decode(r, r->cmos[RTC_YEAR]), 0, 99),
	};
	struct rtc_time real;
	int64_t seconds;

	t.mday = rtc_clamp(rtc_decode(r, r->cmos[RTC_MDAY]), 1, rtc_month_days(t.year, t.month));
	seconds = rtc_to_seconds(&t);
	rtc_from_seconds(seconds, &real);
	r->wday_shift = (uint8_t)((wday + 7 - real.wday) % 7);
	return seconds;
}

/* -- time ------------------------------------------------------------------------------------ */

static bool rtc_divider_runs(const struct vrtc *r)
{
	return (r->cmos[RTC_A] & RTC_A_DIVIDER) == RTC_A_32KHZ;
}

/* The registers change every second: not while the guest sets them or the divider is stopped. */
static bool rtc_runs(const struct vrtc *r)
{
	return rtc_divider_runs(r) && !(r->cmos[RTC_B] & RTC_B_SET);
}

static void rtc_show_now(struct vrtc *r, uint64_t now)
{
	struct rtc_time t;

	if (!rtc_runs(r))
		return;
	rtc_from_seconds(r->base_s + (int64_t)((now - r->base_ns) / NS_PER_S), &t);
	rtc_fill(r, &t);
}

/* From @now on the clock goes on from what cmos[] shows, the phase of the second unchanged. */
static void rtc_take_time(struct vrtc *r, uint64_t now)
{
	r->base_s = rtc_collect(r);
	r->base_ns = now - (now - r->base_ns) % NS_PER_S;
	r->seen_s = 0;
}

/* An alarm register as a number, -1: every value, -2: none ever. */
static int rtc_alarm_part(const struct vrtc *r, unsigned int index, unsigned int limit)
{
	uint8_t raw = r->cmos[index];
	unsigned int value;

	if (raw >= RTC_ALARM_ANY)
		return -1;
	value = index == RTC_HOURS + 1 ? rtc_decode_hour(r, raw) : rtc_decode(r, raw);
	return value < limit ? (int)value : -2;
}

/* Did the alarm go off in the seconds after @from up to @to (since base_ns)? */
static bool rtc_alarm_hit(const struct vrtc *r, uint64_t from, uint64_t to)
{
	int second = rtc_alarm_part(r, RTC_SECONDS + 1, 60);
	int minute = rtc_alarm_part(r, RTC_MINUTES + 1, 60);
	int hour = rtc_alarm_part(r, RTC_HOURS + 1, 24);
	int64_t start = r->base_s % S_PER_DAY;

	if (second == -2 || minute == -2 || hour == -2)
		return false;
	if (to - from >= S_PER_DAY)
		return true;
	for (uint64_t s = from + 1; s <= to; s++) {
		int of_day = (int)((start + S_PER_DAY + (int64_t)(s % S_PER_DAY)) % S_PER_DAY);

		if ((second < 0 || of_day % 60 == second) &&
		    (minute < 0 || of_day / 60 % 60 == minute) &&
		    (hour < 0 || of_day / 3600 == hour))
			return true;
	}
	return false;
}

/* log2 of the period in 32.768 kHz ticks; 0: off. */
static unsigned int rtc_period_shift(const struct vrtc *r)
{
	unsigned int rate = r->cmos[RTC_A] & RTC_A_RATE;

	if (rate == 0 || !rtc_divider_runs(r))
		return 0;
	/* 1 and 2 are 256 and 128 Hz, as 8 and 9. */
	return rate <= 2 ? rate + 6 : rate - 1;
}

static uint64_t rtc_period_index(const struct vrtc *r, uint64_t now)
{
	return chip_muldiv(now - r->div_ns, 32768, NS_PER_S) >> rtc_period_shift(r);
}

/* Set the flags of all that happened up to @now. */
static void rtc_sync(struct vrtc *r, uint64_t now)
{
	if (rtc_runs(r)) {
		uint64_t s = (now - r->base_ns) / NS_PER_S;

		if (s > r->seen_s) {
			r->cmos[RTC_C] |= RTC_C_UF;
			if (rtc_alarm_hit(r, r->seen_s, s))
				r->cmos[RTC_C] |= RTC_C_AF;
			r->seen_s = s;
		}
	}
	if (rtc_period_shift(r) != 0) {
		uint64_t p = rtc_period_index(r, now);

		if (p != r->seen_p)
			r->cmos[RTC_C] |= RTC_C_PF;
		r->seen_p = p;
	}
}

/* The interrupt line follows flags and enables. Lock held. */
static void rtc_update_line(struct vrtc *r)
{
	bool line = r->cmos[RTC_C] & r->cmos[RTC_B] & RTC_C_FLAGS;

	r->cmos[RTC_C] = (uint8_t)((r->cmos[RTC_C] & RTC_C_FLAGS) | (line ? RTC_C_IRQF : 0));
	if (line == r->line)
		return;
	r->line = line;
	hvm_gsi_set_legacy_timer(r->d, RTC_IRQ, line);
}

/* Arm the timer for the next thing that would raise the line. Lock held. */
static void rtc_arm(struct vrtc *r, uint64_t now)
{
	uint8_t wanted = r->cmos[RTC_B] & (uint8_t)~r->cmos[RTC_C] & RTC_C_FLAGS;
	unsigned int shift = rtc_period_shift(r);
	uint64_t left = UINT64_MAX, ns;

	/* The next second is early enough for an alarm too. */
	if ((wanted & (RTC_C_UF | RTC_C_AF)) && rtc_runs(r))
		left = NS_PER_S - (now - r->base_ns) % NS_PER_S;
	if ((wanted & RTC_C_PF) && shift != 0) {
		ns = chip_muldiv_up((rtc_period_index(r, now) + 1) << shift, NS_PER_S, 32768) -
		     (now - r->div_ns);
		if (ns < left)
			left = ns;
	}
	r->due_ns = left == UINT64_MAX ? UINT64_MAX : now + left;
	if (r->due_ns == UINT64_MAX)
		hvm_os_timer_cancel(r->timer);
	else
		chip_timer_arm(r->d, r->timer, r->due_ns);
}

static void rtc_update(struct vrtc *r, uint64_t now)
{
	rtc_sync(r, now);
	rtc_update_line(r);
	rtc_arm(r, now);
}

static void rtc_callback(void *arg)
{
	struct vrtc *r = arg;

	hvm_os_spin_lock(&r->lock);
	if (r->due_ns != UINT64_MAX && !chip_timer_early(r->d, r->timer, r->due_ns))
		rtc_update(r, hvm_domain_now_ns(r->d));
	hvm_os_spin_unlock(&r->lock);
}

void vrtc_time_changed(struct domain *d)
{
	struct vrtc *r = d->vrtc;

	hvm_os_spin_lock(&r->lock);
	if (r->due_ns != UINT64_MAX)
		chip_timer_arm(d, r->timer, r->due_ns);
	hvm_os_spin_unlock(&r->lock);
}

/* -- registers ------------------------------------------------------------------------------- */

static void rtc_write_a(struct vrtc *r, uint8_t value, uint64_t now)
{
	bool ran = rtc_divider_runs(r);

	/* What is shown when the divider stops stays. */
	rtc_show_now(r, now);
	r->cmos[RTC_A] = (uint8_t)(value & ~RTC_A_UIP);
	if (!ran && rtc_divider_runs(r)) {
		/* The first update comes half a second after the divider was let go. */
		r->div_ns = now;
		r->base_ns = now - RTC_HALF_NS;
		rtc_take_time(r, now);
	}
	if (rtc_period_shift(r) != 0)
		r->seen_p = rtc_period_index(r, now);
}

static void rtc_write_b(struct vrtc *r, uint8_t value, uint64_t now)
{
	bool ran = rtc_runs(r);

	rtc_show_now(r, now);
	if (value & RTC_B_SET)
		value &= (uint8_t)~RTC_B_UIE;
	r->cmos[RTC_B] = value;
	if (!ran && rtc_runs(r))
		rtc_take_time(r, now);
}

static void rtc_write(struct vrtc *r, uint8_t value, uint64_t now)
{
	unsigned int index = r->index;

	rtc_sync(r, now);
	if (index == RTC_C || index == RTC_D)
		return;
	if (index == RTC_A) {
		rtc_write_a(r, value, now);
	} else if (index == RTC_B) {
		rtc_write_b(r, value, now);
	} else if (rtc_is_time(index)) {
		rtc_show_now(r, now);
		r->cmos[index] = value;
		if (rtc_runs(r))
			rtc_take_time(r, now);
	} else {
		r->cmos[index] = value;
	}
	rtc_update(r, now);
}

static uint8_t rtc_read(struct vrtc *r, uint64_t now)
{
	unsigned int index = r->index;
	uint8_t value;

	if (index == RTC_A) {
		value = r->cmos[RTC_A];
		if (rtc_runs(r) && (now - r->base_ns) % NS_PER_S >= NS_PER_S - RTC_UIP_NS)
			value |= RTC_A_UIP;
		return value;
	}
	if (index == RTC_C) {
		rtc_sync(r, now);
		rtc_update_line(r);
		value = r->cmos[RTC_C];
		r->cmos[RTC_C] = 0;
		rtc_update(r, now);
		return value;
	}
	if (index == RTC_D)
		return RTC_D_VALID;
	if (rtc_is_time(index))
		rtc_show_now(r, now);
	return r->cmos[index];
}

static int vrtc_pio_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			 uint64_t *ret)
{
	struct vrtc *r = dev;
	uint64_t value = 0;

	(void)v;
	hvm_os_spin_lock(&r->lock);
	for (unsigned int i = 0; i < size && offset + i < 2; i++) {
		uint64_t byte = 0xff; /* the index cannot be read */

		if (offset + i == 1)
			byte = rtc_read(r, hvm_domain_now_ns(r->d));
		value |= byte << (8 * i);
	}
	hvm_os_spin_unlock(&r->lock);
	*ret = value;
	return 0;
}

static int vrtc_pio_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			  uint64_t value)
{
	struct vrtc *r = dev;

	(void)v;
	hvm_os_spin_lock(&r->lock);
	for (unsigned int i = 0; i < size && offset + i < 2; i++) {
		uint8_t byte = (uint8_t)(value >> (8 * i));

		if (offset + i == 0)
			r->index = byte & (RTC_BYTES - 1); /* bit 7 would mask NMI */
		else
			rtc_write(r, byte, hvm_domain_now_ns(r->d));
	}
	hvm_os_spin_unlock(&r->lock);
	return 0;
}

int vrtc_cmos_write(struct domain *d, unsigned int index, uint8_t value)
{
	struct vrtc *r = d->vrtc;

	if (index < RTC_RAM || index >= RTC_BYTES || index == RTC_CENTURY)
		return -HVM_EINVAL;
	hvm_os_spin_lock(&r->lock);
	r->cmos[index] = value;
	hvm_os_spin_unlock(&r->lock);
	return 0;
}

/* -- life ------------------------------------------------------------------------------------ */

/* The battery keeps time and memory; RESET# clears the enables and flags. */
void vrtc_reset(struct domain *d)
{
	struct vrtc *r = d->vrtc;

	hvm_os_spin_lock(&r->lock);
	r->cmos[RTC_B] &= (uint8_t)~RTC_C_FLAGS;
	r->cmos[RTC_C] = 0;
	r->index = 0;
	rtc_update_line(r);
	rtc_arm(r, hvm_domain_now_ns(d));
	hvm_os_spin_unlock(&r->lock);
}

int vrtc_create(struct domain *d)
{
	struct vrtc *r = hvm_os_alloc(sizeof(struct vrtc));
	const struct hvm_intercept ports = {
		.base = 0x70, .bytes = 2, .read = vrtc_pio_read, .write = vrtc_pio_write, .dev = r
	};
	uint64_t base = d->config.rtc_base_s != 0 ? d->config.rtc_base_s : hvm_os_wall_s();
	int rc = -HVM_ENOMEM;

	if (r == NULL)
		return rc;
	r->d = d;
	/* To the end of the year 9999, the last that the registers can show. */
	r->base_s = base > 253402300799ull ? 253402300799ll : (int64_t)base;
	r->base_ns = r->div_ns = hvm_domain_now_ns(d);
	r->due_ns = UINT64_MAX;
	r->cmos[RTC_A] = RTC_A_32KHZ | 6;
	r->cmos[RTC_B] = RTC_B_24H;
	hvm_os_spin_init(&r->lock);
	r->timer = hvm_os_timer_create(rtc_callback, r);
	if (r->timer != NULL)
		rc = hvm_pio_register(d, &ports);
	d->vrtc = r;
	if (rc != 0)
		vrtc_destroy(d);
	return rc;
}

void vrtc_destroy(struct domain *d)
{
	if (d->vrtc == NULL)
		return;
	hvm_os_timer_destroy(d->vrtc->timer);
	hvm_os_spin_fini(&d->vrtc->lock);
	hvm_os_free(d->vrtc);
	d->vrtc = NULL;
}

/* -- save record ----------------------------------------------------------------------------- */

int vrtc_save(struct domain *d, struct hvm_save_writer *w)
{
	struct vrtc *r = d->vrtc;
	uint64_t now;

	hvm_os_spin_lock(&r->lock);
	now = hvm_domain_now_ns(d);
	rtc_sync(r, now);
	rtc_show_now(r, now);
	hvm_save_bytes(w, r->cmos, RTC_BYTES);
	hvm_save_u8(w, r->index);
	hvm_save_u8(w, r->wday_shift);
	hvm_save_u8(w, r->line);
	hvm_save_u64(w, (uint64_t)r->base_s + (now - r->base_ns) / NS_PER_S);
	hvm_save_u32(w, (uint32_t)((now - r->base_ns) % NS_PER_S));
	hvm_save_u64(w, now - r->div_ns);
	hvm_os_spin_unlock(&r->lock);
	return w->error;
}

int vrtc_load(struct domain *d, struct hvm_save_reader *rd, bool check)
{
	struct vrtc *r = d->vrtc;
	uint8_t cmos[RTC_BYTES], index, wday_shift, line;
	uint64_t base_s, div_age, now;
	uint32_t phase_ns;

	hvm_load_bytes(rd, cmos, RTC_BYTES);
	index = hvm_load_u8(rd);
	wday_shift = hvm_load_u8(rd);
	line = hvm_load_u8(rd);
	base_s = hvm_load_u64(rd);
	phase_ns = hvm_load_u32(rd);
	div_age = hvm_load_u64(rd);
	if (rd->error != 0)
		return rd->error;
	/* The years 0 to 9999. */
	if (index >= RTC_BYTES || wday_shift > 6 || line > 1 || phase_ns >= NS_PER_S ||
	    (int64_t)base_s < -62167219200ll || (int64_t)base_s > 253402300799ll ||
	    (cmos[RTC_A] & RTC_A_UIP))
		return -HVM_EINVAL;
	if (check)
		return 0;
	hvm_os_spin_lock(&r->lock);
	now = hvm_domain_now_ns(d);
	memcpy(r->cmos, cmos, RTC_BYTES);
	r->index = index;
	r->wday_shift = wday_shift;
	r->line = line;
	r->base_s = (int64_t)base_s;
	r->base_ns = now - phase_ns;
	r->seen_s = 0;
	r->div_ns = now - div_age;
	r->seen_p = rtc_period_shift(r) != 0 ? rtc_period_index(r, now) : 0;
	rtc_update(r, now);
	hvm_os_spin_unlock(&r->lock);
	return 0;
}
