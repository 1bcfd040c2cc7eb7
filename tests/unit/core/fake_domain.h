/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_domain.h - a real domain of the core, with a vendor that runs nothing and records what it is
 * asked to do, and a clock that the test drives.
 */
#ifndef FAKE_DOMAIN_H
#define FAKE_DOMAIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/domain.h"
#include "devices/chips.h"
#include "os/posix/os_test.h"

#define FAKE_EVENTS 64

/* The vendor's part of a vcpu. */
struct fake_vcpu {
	struct hvm_vcpu_state state;
	struct hvm_event event[FAKE_EVENTS];
	unsigned int events;
	bool blocked;	  /* can_inject() says no */
	bool nmi_blocked; /* the same for NMIs */
	int inject_rc;	  /* what inject_event() returns next; an error is returned once */
	unsigned int windows, nmi_windows, kicks, resets, inits, starts, runs;
	uint8_t start_vector;
	/* What run() does; NULL: HVM_EXIT_INTR. */
	int (*run)(struct vcpu *v, struct hvm_exit *ret);
	/* The last memory_written() and p2m_changed(); vcpu 0's. */
	gfn_t written_gfn, changed_gfn;
	uint64_t written_pages, changed_pages, written_calls;
};

static inline struct fake_vcpu *fake_vcpu(struct vcpu *v)
{
	return v->vendor;
}

static inline int fake_domain_init(struct domain *d)
{
	(void)d;
	return 0;
}

static inline void fake_domain_fini(struct domain *d)
{
	(void)d;
}

static inline int fake_vcpu_init(struct vcpu *v)
{
	v->vendor = hvm_os_alloc(sizeof(struct fake_vcpu));
	return v->vendor == NULL ? -HVM_ENOMEM : 0;
}

static inline void fake_vcpu_fini(struct vcpu *v)
{
	hvm_os_free(v->vendor);
	v->vendor = NULL;
}

static inline void fake_vcpu_reset(struct vcpu *v, bool init)
{
	struct fake_vcpu *f = fake_vcpu(v);

	f->resets++;
	f->inits += init;
	memset(&f->state, 0, sizeof(f->state));
	f->state.rflags = 2;
	f->state.rip = 0xfff0;
}

static inline void fake_vcpu_start(struct vcpu *v, uint8_t vector)
{
	fake_vcpu(v)->starts++;
	fake_vcpu(v)->start_vector = vector;
}

static inline void fake_store_state(struct vcpu *v, struct hvm_vcpu_state *ret)
{
	*ret = fake_vcpu(v)->state;
}

static inline int fake_load_state(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	fake_vcpu(v)->state = *s;
	return 0;
}

static inline bool fake_can_inject(struct vcpu *v, bool nmi)
{
	const struct fake_vcpu *f = fake_vcpu(v);

	return !f->blocked && !(nmi && f->nmi_blocked);
}

static inline int fake_translate(struct vcpu *v, gva_t gva, gpa_t *ret)
{
	(void)v;
	*ret = gva;
	return 0;
}

static inline uint64_t fake_guest_rip(struct vcpu *v)
{
	return fake_vcpu(v)->state.rip;
}

static inline int fake_run(struct vcpu *v, struct hvm_exit *ret)
{
	struct fake_vcpu *f = fake_vcpu(v);

	f->runs++;
	ret->reason = HVM_EXIT_INTR;
	return f->run ? f->run(v, ret) : 0;
}

static inline int fake_inject_event(struct vcpu *v, const struct hvm_event *e)
{
	struct fake_vcpu *f = fake_vcpu(v);

	int rc = f->inject_rc;

	f->inject_rc = 0;
	if (rc)
		return rc;
	assert_true(f->events < FAKE_EVENTS);
	f->event[f->events++] = *e;
	/* An event ends a halt. */
	__atomic_store_n(&v->activity, HVM_ACTIVITY_RUN, __ATOMIC_SEQ_CST);
	return 0;
}

static inline void fake_intr_window(struct vcpu *v, bool nmi)
{
	if (nmi)
		fake_vcpu(v)->nmi_windows++;
	else
		fake_vcpu(v)->windows++;
}

static inline void fake_kick(struct vcpu *v)
{
	__atomic_fetch_add(&fake_vcpu(v)->kicks, 1, __ATOMIC_RELAXED);
}

static inline void fake_p2m_changed(struct domain *d, gfn_t gfn, uint64_t pages)
{
	struct fake_vcpu *f = fake_vcpu(d->vcpu[0]);

	f->changed_gfn = gfn;
	f->changed_pages = pages;
}

static inline void fake_memory_written(struct domain *d, gfn_t gfn, uint64_t pages)
{
	struct fake_vcpu *f = fake_vcpu(d->vcpu[0]);

	f->written_gfn = gfn;
	f->written_pages = pages;
	f->written_calls++;
}

static unsigned int fake_ratio_bits; /* 0: this processor cannot multiply the TSC */

static unsigned int fake_tsc_ratio_bits(void)
{
	return fake_ratio_bits;
}

static const struct hvm_function_table fake_function_table = {
	.name = "fake",
	.domain_init = fake_domain_init,
	.domain_fini = fake_domain_fini,
	.vcpu_init = fake_vcpu_init,
	.vcpu_fini = fake_vcpu_fini,
	.vcpu_reset = fake_vcpu_reset,
	.vcpu_start = fake_vcpu_start,
	.store_state = fake_store_state,
	.load_state = fake_load_state,
	.can_inject = fake_can_inject,
	.translate = fake_translate,
	.guest_rip = fake_guest_rip,
	.tsc_ratio_bits = fake_tsc_ratio_bits,
	.run = fake_run,
	.inject_event = fake_inject_event,
	.intr_window = fake_intr_window,
	.kick = fake_kick,
	.p2m_changed = fake_p2m_changed,
	.memory_written = fake_memory_written,
};

/* -- life ------------------------------------------------------------------------------------ */

#define FAKE_EPOCH_NS 1000000000000ull /* the host's clock when a test's domain starts */
#define FAKE_RTC_S    1000000000ull    /* 2001-09-09 01:46:40 UTC, a Sunday */

static inline struct domain *fake_domain_create(unsigned int vcpus)
{
	struct hvm_domain_config cfg = { .name = "test", .vcpus = vcpus, .rtc_base_s = FAKE_RTC_S };
	struct domain *d = NULL;

	hvm_os_test_set_clock(FAKE_EPOCH_NS);
	assert_int_equal(domain_create(&cfg, &fake_function_table, &d), 0);
	assert_non_null(d);
	return d;
}

static inline void fake_domain_destroy(struct domain *d)
{
	domain_destroy(d);
	hvm_os_test_real_clock();
}

/* Guest time becomes @ns, with every timer firing in time on the way. */
static inline void fake_run_to(uint64_t ns)
{
	hvm_os_test_run_clock(FAKE_EPOCH_NS + ns);
}

/* Guest time becomes @ns at once: timers on the way are late. */
static inline void fake_jump_to(uint64_t ns)
{
	hvm_os_test_set_clock(FAKE_EPOCH_NS + ns);
}

/* -- the guest's side ------------------------------------------------------------------------ */

static inline uint8_t fake_inb(struct domain *d, uint16_t port)
{
	uint32_t value = 0;

	assert_int_equal(hvm_pio_read(d->vcpu[0], port, 1, &value), 0);
	return (uint8_t)value;
}

static inline void fake_outb(struct domain *d, uint16_t port, uint8_t value)
{
	assert_int_equal(hvm_pio_write(d->vcpu[0], port, 1, value), 0);
}

static inline uint32_t fake_inl(struct domain *d, uint16_t port)
{
	uint32_t value = 0;

	assert_int_equal(hvm_pio_read(d->vcpu[0], port, 4, &value), 0);
	return value;
}

static inline uint64_t fake_read(struct vcpu *v, gpa_t gpa, unsigned int size)
{
	uint64_t value = 0;

	assert_int_equal(hvm_mmio_read(v, gpa, size, &value), 0);
	return value;
}

static inline void fake_write(struct vcpu *v, gpa_t gpa, unsigned int size, uint64_t value)
{
	assert_int_equal(hvm_mmio_write(v, gpa, size, value), 0);
}

static inline uint32_t fake_lapic_read(struct vcpu *v, unsigned int offset)
{
	return (uint32_t)fake_read(v, HVM_LAPIC_BASE + offset, 4);
}

static inline void fake_lapic_write(struct vcpu *v, unsigned int offset, uint32_t value)
{
	fake_write(v, HVM_LAPIC_BASE + offset, 4, value);
}

/* Software enable, all of @v's LAPIC ready for fixed interrupts. */
static inline void fake_lapic_enable(struct vcpu *v)
{
	fake_lapic_write(v, 0xf0, 0x1ff);
}

static inline uint32_t fake_ioapic_read(struct domain *d, unsigned int reg)
{
	fake_write(d->vcpu[0], HVM_IOAPIC_BASE, 4, reg);
	return (uint32_t)fake_read(d->vcpu[0], HVM_IOAPIC_BASE + 0x10, 4);
}

static inline void fake_ioapic_write(struct domain *d, unsigned int reg, uint32_t value)
{
	fake_write(d->vcpu[0], HVM_IOAPIC_BASE, 4, reg);
	fake_write(d->vcpu[0], HVM_IOAPIC_BASE + 0x10, 4, value);
}

/* Both 8259s as a PC's firmware sets them up, but on vectors 0x20 and 0x28, nothing masked. */
static inline void fake_pic_init(struct domain *d)
{
	static const struct {
		uint16_t port;
		uint8_t value;
	} seq[] = {
		{ 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0x21, 0x00 },
		{ 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 0x02 }, { 0xa1, 0x01 }, { 0xa1, 0x00 },
	};

	for (size_t i = 0; i < sizeof(seq) / sizeof(seq[0]); i++)
		fake_outb(d, seq[i].port, seq[i].value);
}

/* The vector that @v takes now, as core/event.c would choose it; -1: none. */
static inline int fake_take(struct vcpu *v)
{
	int vector = vlapic_pending_vector(v);

	if (vector >= 0) {
		vlapic_ack(v, (uint8_t)vector);
		return vector;
	}
	if (vlapic_accepts_pic(v) && vpic_has_intr(v->domain))
		return vpic_ack(v->domain);
	return -1;
}

static inline uint32_t fake_requests(struct vcpu *v)
{
	return __atomic_exchange_n(&v->requests, 0, __ATOMIC_SEQ_CST);
}

/* -- save records of a chip ------------------------------------------------------------------ */

/* Save with @save; the caller frees w->buf. */
#define FAKE_SAVE(w, call) \
	do { \
		memset((w), 0, sizeof(*(w))); \
		assert_int_equal((call), 0); \
	} while (0)

#endif
