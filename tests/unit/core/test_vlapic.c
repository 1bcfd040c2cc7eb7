/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of devices/vlapic.c and vlapic_timer.c. */
#include <pthread.h>

#include "fake_domain.h"

#define MASKED	 0x10000u
#define PERIODIC 0x20000u
#define DEADLINE 0x40000u

#define MSR_BASE	 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u

static int setup(void **state)
{
	struct domain *d = fake_domain_create(4);

	for (unsigned int i = 0; i < 4; i++) {
		fake_lapic_enable(d->vcpu[i]);
		fake_requests(d->vcpu[i]);
	}
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	fake_domain_destroy(*state);
	return 0;
}

static void eoi(struct vcpu *v)
{
	fake_lapic_write(v, 0xb0, 0);
}

static void x2apic(struct vcpu *v)
{
	uint64_t base;

	assert_int_equal(vlapic_msr_read(v, MSR_BASE, &base), 0);
	assert_int_equal(vlapic_msr_write(v, MSR_BASE, base | 0x400), 0);
}

static uint64_t rdmsr(struct vcpu *v, uint32_t index)
{
	uint64_t value = 0;

	assert_int_equal(vlapic_msr_read(v, index, &value), 0);
	return value;
}

static void identifies_itself(void **state)
{
	struct domain *d = *state;

	assert_int_equal(fake_lapic_read(d->vcpu[3], 0x20), 3u << 24);
	assert_int_equal(fake_lapic_read(d->vcpu[0], 0x30), 0x01050014);
	assert_int_equal(vlapic_id(d->vcpu[2]), 2);
	assert_int_equal(rdmsr(d->vcpu[0], MSR_BASE), 0xfee00900);
	assert_int_equal(rdmsr(d->vcpu[1], MSR_BASE), 0xfee00800);
}

static void priority_decides_what_is_delivered(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	vlapic_accept(v, 0x41, false);
	vlapic_accept(v, 0x52, false);
	assert_int_equal(fake_take(v), 0x52);
	assert_int_equal(fake_lapic_read(v, 0xa0), 0x50);
	assert_int_equal(fake_take(v), -1);
	vlapic_accept(v, 0x58, false); /* the same class waits */
	assert_int_equal(fake_take(v), -1);
	vlapic_accept(v, 0x61, false);
	assert_int_equal(fake_take(v), 0x61);
	eoi(v);
	assert_int_equal(fake_take(v), -1);
	eoi(v);
	assert_int_equal(fake_take(v), 0x58);
	eoi(v);
	assert_int_equal(fake_take(v), 0x41);
	eoi(v);
	assert_int_equal(fake_lapic_read(v, 0xa0), 0);
}

static void tpr_holds_back_and_lowering_it_lets_go(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	vlapic_cr8_write(v, 5);
	assert_int_equal(fake_lapic_read(v, 0x80), 0x50);
	vlapic_accept(v, 0x58, false);
	fake_requests(v);
	assert_int_equal(vlapic_pending_vector(v), -1);
	fake_lapic_write(v, 0x80, 0x4f);
	assert_int_equal(vlapic_cr8_read(v), 4);
	assert_true(fake_requests(v) & HVM_REQ_EVENT);
	assert_int_equal(vlapic_pending_vector(v), 0x58);
	assert_int_equal(fake_lapic_read(v, 0x90), 0x50); /* APR sees the request */
}

static void same_vector_is_pending_once(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	vlapic_accept(v, 0x41, false);
	vlapic_accept(v, 0x41, false);
	assert_int_equal(fake_lapic_read(v, 0x220), 1u << 1);
	assert_int_equal(fake_take(v), 0x41);
	assert_int_equal(fake_lapic_read(v, 0x120), 1u << 1);
	eoi(v);
	assert_int_equal(fake_take(v), -1);
}

static void software_disabled_takes_no_fixed_interrupt_and_masks_its_lvt(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x320, 0x40);
	fake_lapic_write(v, 0xf0, 0xff);
	assert_int_equal(fake_lapic_read(v, 0x320), MASKED | 0x40);
	fake_lapic_write(v, 0x320, 0x40);
	assert_int_equal(fake_lapic_read(v, 0x320), MASKED | 0x40);
	vlapic_accept(v, 0x41, false);
	assert_int_equal(vlapic_pending_vector(v), -1);
	assert_int_equal(vlapic_send(d, NULL, 0, false, HVM_DM_FIXED, 0x41, false), 0);
	assert_int_equal(vlapic_send(d, NULL, 0, false, HVM_DM_NMI, 0, false), 1);
	assert_true(fake_requests(v) & HVM_REQ_NMI);
}

static void illegal_vectors_and_registers_show_in_esr(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x370, 0x44);
	fake_lapic_write(v, 0x300, 0x4000f);  /* to itself, vector 15 */
	assert_int_equal(fake_take(v), 0x44); /* the error interrupt */
	eoi(v);
	assert_int_equal(fake_lapic_read(v, 0x280), 0);
	fake_lapic_write(v, 0x280, 0);
	assert_int_equal(fake_lapic_read(v, 0x280), 0x20);
	vlapic_accept(v, 3, false);
	fake_lapic_read(v, 0x40);
	fake_lapic_write(v, 0x280, 0);
	assert_int_equal(fake_lapic_read(v, 0x280), 0xc0);
	fake_lapic_write(v, 0x280, 0);
	assert_int_equal(fake_lapic_read(v, 0x280), 0);
}

static void error_entry_with_an_illegal_vector_does_not_recurse(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x370, 0x05);
	vlapic_accept(v, 3, false);
	fake_lapic_write(v, 0x300, 0x40001);
	fake_lapic_write(v, 0x280, 0);
	assert_int_equal(fake_lapic_read(v, 0x280), 0x60);
}

static void lvt_modes_are_obeyed(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x350, 0x700);
	assert_true(vlapic_accepts_pic(v));
	assert_false(vlapic_accepts_pic(d->vcpu[1]));
	fake_lapic_write(v, 0x350, MASKED | 0x700);
	assert_false(vlapic_accepts_pic(v));
	fake_lapic_write(v, 0x360, 0x400);
	assert_true(vlapic_lint1_nmi(v));
	fake_lapic_write(v, 0x360, MASKED | 0x400);
	assert_false(vlapic_lint1_nmi(v));
	fake_lapic_write(v, 0x330, 0xffffffff);
	assert_int_equal(fake_lapic_read(v, 0x330), MASKED | 0x7ff);
}

struct ipi_row {
	uint32_t high, low;
	uint32_t to; /* bit mask of vcpus */
};

/* xAPIC, vcpu 1 sends vector 0x55; flat logical ids 1, 2, 4, 8. */
static void xapic_ipis_reach_whom_they_name(void **state)
{
	static const struct ipi_row rows[] = {
		{ 2u << 24, 0x55, 0x4 },     { 0xffu << 24, 0x55, 0xf },
		{ 9u << 24, 0x55, 0x0 },     { 0x9u << 24, 0x855, 0x9 },
		{ 0xffu << 24, 0x855, 0xf }, { 0, 0x40055, 0x2 },
		{ 0, 0x80055, 0xf },	     { 0, 0xc0055, 0xd },
		{ 0xf0u << 24, 0x855, 0x0 },
	};
	struct domain *d = *state;

	for (unsigned int i = 0; i < 4; i++)
		fake_lapic_write(d->vcpu[i], 0xd0, 1u << (24 + i));
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		uint32_t to = 0;

		fake_lapic_write(d->vcpu[1], 0x310, rows[i].high);
		fake_lapic_write(d->vcpu[1], 0x300, rows[i].low);
		assert_int_equal(fake_lapic_read(d->vcpu[1], 0x300), rows[i].low);
		for (unsigned int n = 0; n < 4; n++) {
			if (fake_take(d->vcpu[n]) == 0x55) {
				to |= 1u << n;
				eoi(d->vcpu[n]);
			}
		}
		assert_int_equal(to, rows[i].to);
	}
}

static void cluster_model_matches_cluster_and_member(void **state)
{
	static const struct ipi_row rows[] = {
		{ 0, 0x11, 0x1 }, { 0, 0x13, 0x3 }, { 0, 0x21, 0x4 },
		{ 0, 0x23, 0xc }, { 0, 0xf1, 0x5 }, { 0, 0x31, 0x0 },
	};
	static const uint8_t ldr[4] = { 0x11, 0x12, 0x21, 0x22 };
	struct domain *d = *state;

	for (unsigned int i = 0; i < 4; i++) {
		fake_lapic_write(d->vcpu[i], 0xe0, 0x0fffffff);
		fake_lapic_write(d->vcpu[i], 0xd0, (uint32_t)ldr[i] << 24);
	}
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		uint32_t to = 0;

		vlapic_send(d, d->vcpu[0], rows[i].low, true, HVM_DM_FIXED, 0x55, false);
		for (unsigned int n = 0; n < 4; n++) {
			if (fake_take(d->vcpu[n]) == 0x55) {
				to |= 1u << n;
				eoi(d->vcpu[n]);
			}
		}
		assert_int_equal(to, rows[i].to);
	}
}

static void init_sipi_nmi_are_requests(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x310, 2u << 24);
	fake_lapic_write(v, 0x300, 0xc500); /* INIT, level assert */
	assert_true(fake_requests(d->vcpu[2]) & HVM_REQ_INIT);
	fake_lapic_write(v, 0x300, 0x8500); /* de-assert */
	assert_int_equal(fake_requests(d->vcpu[2]), 0);
	fake_lapic_write(v, 0x300, 0x69a);
	assert_int_equal(fake_requests(d->vcpu[2]), HVM_REQ_SIPI | 0x9a00);
	fake_lapic_write(v, 0x300, 0x400);
	assert_int_equal(fake_requests(d->vcpu[2]), HVM_REQ_NMI);
	fake_lapic_write(v, 0x300, 0x200); /* SMI: there is no SMM */
	fake_lapic_write(v, 0x300, 0x700);
	assert_int_equal(fake_requests(d->vcpu[2]), 0);
}

static void mode_changes_follow_the_manual(void **state)
{
	static const struct {
		uint64_t from[2];
		uint64_t to;
		int rc;
	} rows[] = {
		{ { 0xfee00c00, 0 }, 0xfee00c00, 0 },		/* xAPIC to x2APIC */
		{ { 0 }, 0xfee00400, -HVM_EINVAL },		/* EXTD without EN */
		{ { 0xfee00c00, 0 }, 0xfee00800, -HVM_EINVAL }, /* x2APIC to xAPIC */
		{ { 0xfee00c00, 0 }, 0xfee00000, 0 },		/* x2APIC to off */
		{ { 0xfee00000, 0 }, 0xfee00c00, -HVM_EINVAL }, /* off to x2APIC */
		{ { 0xfee00000, 0 }, 0xfee00800, 0 },		/* off to xAPIC */
		{ { 0 }, 0xfed00800, -HVM_EINVAL },		/* another base */
		{ { 0 }, 0xfee00801, -HVM_EINVAL },		/* a reserved bit */
		{ { 0 }, 0x10000fee00800ull, -HVM_EINVAL },
	};

	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		struct domain *d = fake_domain_create(2);

		if (rows[i].from[0] != 0)
			assert_int_equal(vlapic_msr_write(d->vcpu[1], MSR_BASE, rows[i].from[0]),
					 0);
		assert_int_equal(vlapic_msr_write(d->vcpu[1], MSR_BASE, rows[i].to), rows[i].rc);
		domain_destroy(d);
	}
	(void)state;
}

static void disabled_apic_takes_pic_interrupts_on_the_boot_processor(void **state)
{
	struct domain *d = *state;
	uint64_t value;

	assert_int_equal(vlapic_msr_write(d->vcpu[0], MSR_BASE, 0xfee00000), 0);
	assert_int_equal(vlapic_msr_write(d->vcpu[1], MSR_BASE, 0xfee00000), 0);
	assert_true(vlapic_accepts_pic(d->vcpu[0]));
	assert_false(vlapic_accepts_pic(d->vcpu[1]));
	assert_false(vlapic_is_enabled(d->vcpu[1]));
	assert_int_equal(rdmsr(d->vcpu[0], MSR_BASE), 0xfee00100);
	assert_int_equal(vlapic_msr_read(d->vcpu[0], 0x802, &value), -HVM_EINVAL);
	assert_int_equal(vlapic_send(d, NULL, 0, false, HVM_DM_FIXED, 0x41, false), 0);
}

static void x2apic_registers_have_their_own_rules(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t value;
		int rd, wr;
	} rows[] = {
		{ 0x802, 0, 0, -HVM_EINVAL },
		{ 0x803, 0, 0, -HVM_EINVAL },
		{ 0x808, 0x20, 0, 0 },
		{ 0x808, 0x100, 0, -HVM_EINVAL },
		{ 0x809, 0, -HVM_EINVAL, -HVM_EINVAL },
		{ 0x80a, 0, 0, -HVM_EINVAL },
		{ 0x80b, 0, -HVM_EINVAL, 0 },
		{ 0x80b, 1, -HVM_EINVAL, -HVM_EINVAL },
		{ 0x80c, 0, -HVM_EINVAL, -HVM_EINVAL },
		{ 0x80d, 0, 0, -HVM_EINVAL },
		{ 0x80e, 0, -HVM_EINVAL, -HVM_EINVAL },
		{ 0x80f, 0x1ff, 0, 0 },
		{ 0x80f, 0x2000, 0, -HVM_EINVAL },
		{ 0x810, 0, 0, -HVM_EINVAL },
		{ 0x828, 0, 0, 0 },
		{ 0x828, 1, 0, -HVM_EINVAL },
		{ 0x82f, 0, -HVM_EINVAL, -HVM_EINVAL },
		{ 0x830, 0x40041, 0, 0 },
		{ 0x830, 0x100000, 0, -HVM_EINVAL },
		{ 0x831, 0, -HVM_EINVAL, -HVM_EINVAL },
		{ 0x832, 0x10041, 0, 0 },
		{ 0x832, 0x100000041ull, 0, -HVM_EINVAL },
		{ 0x838, 0, 0, 0 },
		{ 0x839, 0, 0, -HVM_EINVAL },
		{ 0x83e, 0xb, 0, 0 },
		{ 0x83e, 0x4, 0, -HVM_EINVAL },
		{ 0x83f, 0x41, -HVM_EINVAL, 0 },
		{ 0x83f, 0x141, -HVM_EINVAL, -HVM_EINVAL },
		{ 0x840, 0, -HVM_EINVAL, -HVM_EINVAL },
		{ 0x8ff, 0, -HVM_EINVAL, -HVM_EINVAL },
	};
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[1];
	uint64_t value;

	assert_int_equal(vlapic_msr_read(v, 0x802, &value), -HVM_EINVAL);
	x2apic(v);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		assert_int_equal(vlapic_msr_read(v, rows[i].index, &value), rows[i].rd);
		assert_int_equal(vlapic_msr_write(v, rows[i].index, rows[i].value), rows[i].wr);
	}
	assert_int_equal(rdmsr(v, 0x802), 1);
	assert_int_equal(rdmsr(v, 0x80d), 0x2);
	/* Memory is not the LAPIC's any more. */
	assert_int_not_equal(hvm_mmio_read(v, HVM_LAPIC_BASE + 0x20, 4, &value), 0);
}

static void x2apic_ipis_have_32_bit_destinations(void **state)
{
	static const struct {
		uint64_t icr;
		uint32_t to;
	} rows[] = {
		{ 2ull << 32 | 0x55, 0x4 },	   { 0xffffffffull << 32 | 0x55, 0xf },
		{ 0xffull << 32 | 0x55, 0x0 },	   { 0x5ull << 32 | 0x855, 0x5 },
		{ 0x10005ull << 32 | 0x855, 0x0 }, { 0xc0055, 0xe },
	};
	struct domain *d = *state;

	for (unsigned int n = 0; n < 4; n++)
		x2apic(d->vcpu[n]);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		uint32_t to = 0;

		assert_int_equal(vlapic_msr_write(d->vcpu[0], 0x830, rows[i].icr), 0);
		assert_int_equal(rdmsr(d->vcpu[0], 0x830), rows[i].icr);
		for (unsigned int n = 0; n < 4; n++) {
			if (fake_take(d->vcpu[n]) == 0x55) {
				to |= 1u << n;
				assert_int_equal(vlapic_msr_write(d->vcpu[n], 0x80b, 0), 0);
			}
		}
		assert_int_equal(to, rows[i].to);
	}
	assert_int_equal(vlapic_msr_write(d->vcpu[2], 0x83f, 0x66), 0);
	assert_int_equal(fake_take(d->vcpu[2]), 0x66);
}

static void only_aligned_words_are_written(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x80, 0x20);
	fake_write(v, HVM_LAPIC_BASE + 0x80, 1, 0x30);
	fake_write(v, HVM_LAPIC_BASE + 0x84, 4, 0x30);
	assert_int_equal(fake_lapic_read(v, 0x80), 0x20);
	assert_int_equal(fake_read(v, HVM_LAPIC_BASE + 0x84, 4), 0);
	assert_int_equal(fake_read(v, HVM_LAPIC_BASE + 0x32, 2), 0x0105);
	fake_write(v, HVM_LAPIC_BASE + 0xff0, 4, 0xffffffff);
	assert_int_equal(fake_read(v, HVM_LAPIC_BASE + 0xff0, 4), 0);
}

/* -- timer ----------------------------------------------------------------------------------- */

static void one_shot_counts_down_and_fires_once(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[1];

	fake_lapic_write(v, 0x320, 0x40);
	fake_lapic_write(v, 0x3e0, 0xb); /* divide by 1 */
	fake_lapic_write(v, 0x380, 1000000);
	assert_int_equal(fake_lapic_read(v, 0x390), 1000000);
	fake_run_to(400000);
	assert_int_equal(fake_lapic_read(v, 0x390), 600000);
	fake_run_to(999999);
	assert_int_equal(fake_take(v), -1);
	fake_run_to(1000000);
	assert_int_equal(fake_take(v), 0x40);
	eoi(v);
	assert_int_equal(fake_lapic_read(v, 0x390), 0);
	fake_run_to(5000000);
	assert_int_equal(fake_take(v), -1);
}

static void divider_scales_and_can_change_while_running(void **state)
{
	static const struct {
		uint32_t tdcr, divisor;
	} rows[] = { { 0, 2 },	{ 1, 4 },  { 2, 8 },	 { 3, 16 },
		     { 8, 32 }, { 9, 64 }, { 0xa, 128 }, { 0xb, 1 } };
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];
	uint64_t t = 0;

	fake_lapic_write(v, 0x320, 0x40);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		fake_lapic_write(v, 0x3e0, rows[i].tdcr);
		fake_lapic_write(v, 0x380, 1000);
		t += 1000 * rows[i].divisor;
		fake_run_to(t - 1);
		assert_int_equal(fake_take(v), -1);
		fake_run_to(t);
		assert_int_equal(fake_take(v), 0x40);
		eoi(v);
	}
	fake_lapic_write(v, 0x3e0, 0xb);
	fake_lapic_write(v, 0x380, 100000);
	t += 50000;
	fake_run_to(t);
	fake_lapic_write(v, 0x3e0, 0);
	assert_int_equal(fake_lapic_read(v, 0x390), 50000);
	fake_run_to(t + 99999);
	assert_int_equal(fake_take(v), -1);
	fake_run_to(t + 100000);
	assert_int_equal(fake_take(v), 0x40);
}

static void periodic_timer_loses_no_tick_and_does_not_drift(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x320, PERIODIC | 0x40);
	fake_lapic_write(v, 0x3e0, 0xb);
	fake_lapic_write(v, 0x380, 1000000);
	for (uint64_t n = 1; n <= 1000; n++) {
		/* Always some 300 us late. */
		fake_jump_to(n * 1000000 + 300000 + n % 7 * 1000);
		assert_int_equal(fake_take(v), 0x40);
		eoi(v);
		assert_int_equal(fake_take(v), -1);
		assert_int_equal(fake_lapic_read(v, 0x390), 1000000 - 300000 - n % 7 * 1000);
	}
}

static void late_periodic_timer_does_not_burst(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x320, PERIODIC | 0x40);
	fake_lapic_write(v, 0x3e0, 0xb);
	fake_lapic_write(v, 0x380, 1000000);
	fake_jump_to(50400000);
	assert_int_equal(fake_take(v), 0x40);
	eoi(v);
	fake_jump_to(50999999);
	assert_int_equal(fake_take(v), -1);
	/* The phase is kept. */
	fake_jump_to(51000000);
	assert_int_equal(fake_take(v), 0x40);
}

static void shortest_period_does_not_hang_the_host(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];
	int ticks = 0;

	fake_lapic_write(v, 0x320, PERIODIC | 0x40);
	fake_lapic_write(v, 0x3e0, 0xb);
	fake_lapic_write(v, 0x380, 1);
	for (uint64_t t = 0; t <= 1000000; t += 10000) {
		fake_run_to(t);
		if (fake_take(v) == 0x40) {
			ticks++;
			eoi(v);
		}
	}
	assert_in_range(ticks, 15, 25);
}

static void writing_zero_stops_the_timer(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x320, PERIODIC | 0x40);
	fake_lapic_write(v, 0x380, 1000000);
	fake_lapic_write(v, 0x380, 0);
	fake_run_to(100000000);
	assert_int_equal(fake_take(v), -1);
	assert_int_equal(fake_lapic_read(v, 0x390), 0);
}

static void masked_timer_counts_but_does_not_interrupt(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x320, MASKED | 0x40);
	fake_lapic_write(v, 0x3e0, 0xb);
	fake_lapic_write(v, 0x380, 1000);
	fake_run_to(500);
	assert_int_equal(fake_lapic_read(v, 0x390), 500);
	fake_run_to(2000);
	assert_int_equal(fake_take(v), -1);
}

static void tsc_deadline_fires_and_reads_zero_afterwards(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];
	uint64_t tsc, khz = hvm_tsc_khz(d);

	/* Not in this mode: ignored. */
	assert_int_equal(vlapic_msr_write(v, MSR_TSC_DEADLINE, 5), 0);
	assert_int_equal(rdmsr(v, MSR_TSC_DEADLINE), 0);
	fake_lapic_write(v, 0x320, DEADLINE | 0x40);
	tsc = hvm_vcpu_rdtsc(v);
	assert_int_equal(vlapic_msr_write(v, MSR_TSC_DEADLINE, tsc + khz * 10), 0);
	assert_int_equal(rdmsr(v, MSR_TSC_DEADLINE), tsc + khz * 10);
	fake_lapic_write(v, 0x380, 1000); /* ignored in this mode */
	fake_run_to(9990000);
	assert_int_equal(fake_take(v), -1);
	fake_run_to(10000010);
	assert_int_equal(fake_take(v), 0x40);
	eoi(v);
	assert_int_equal(rdmsr(v, MSR_TSC_DEADLINE), 0);
	/* One in the past fires at once. */
	assert_int_equal(vlapic_msr_write(v, MSR_TSC_DEADLINE, 1), 0);
	fake_run_to(10000010);
	assert_int_equal(fake_take(v), 0x40);
	eoi(v);
	/* Zero disarms; a far one never comes. */
	assert_int_equal(vlapic_msr_write(v, MSR_TSC_DEADLINE, hvm_vcpu_rdtsc(v) + khz), 0);
	assert_int_equal(vlapic_msr_write(v, MSR_TSC_DEADLINE, 0), 0);
	assert_int_equal(vlapic_msr_write(v, MSR_TSC_DEADLINE, UINT64_MAX), 0);
	fake_run_to(100000000000);
	assert_int_equal(fake_take(v), -1);
}

static void leaving_tsc_deadline_mode_disarms(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[0];

	fake_lapic_write(v, 0x320, DEADLINE | 0x40);
	vlapic_msr_write(v, MSR_TSC_DEADLINE, hvm_vcpu_rdtsc(v) + 1000);
	fake_lapic_write(v, 0x320, 0x40);
	fake_run_to(1000000000);
	assert_int_equal(fake_take(v), -1);
	assert_int_equal(rdmsr(v, MSR_TSC_DEADLINE), 0);
}

static void reset_and_init_differ_in_the_base_only(void **state)
{
	struct domain *d = *state;
	struct vcpu *v = d->vcpu[1];

	x2apic(v);
	vlapic_accept(v, 0x41, true);
	vlapic_reset(v, true);
	assert_int_equal(rdmsr(v, MSR_BASE), 0xfee00c00);
	assert_int_equal(vlapic_pending_vector(v), -1);
	assert_int_equal(rdmsr(v, 0x80f), 0xff);
	assert_int_equal(rdmsr(v, 0x835), MASKED);
	vlapic_reset(v, false);
	assert_int_equal(rdmsr(v, MSR_BASE), 0xfee00800);
}

static void saved_and_loaded_goes_on(void **state)
{
	struct domain *d = *state, *other;
	struct hvm_save_writer w = { 0 };
	struct hvm_save_reader r = { 0 };
	struct vcpu *v = d->vcpu[2], *to;

	fake_lapic_write(v, 0x320, PERIODIC | 0x40);
	fake_lapic_write(v, 0x3e0, 0xb);
	fake_lapic_write(v, 0x380, 1000000);
	vlapic_accept(v, 0x71, true);
	fake_take(v);
	vlapic_accept(v, 0x91, false);
	fake_run_to(300000);
	assert_int_equal(vlapic_save(v, &w), 0);
	other = fake_domain_create(4);
	to = other->vcpu[2];
	r.buf = w.buf;
	r.size = w.used;
	assert_int_equal(vlapic_load(other->vcpu[1], &r, true), -HVM_EINVAL);
	r.used = 0;
	assert_int_equal(vlapic_load(to, &r, true), 0);
	assert_int_equal(vlapic_pending_vector(to), -1);
	r.used = 0;
	assert_int_equal(vlapic_load(to, &r, false), 0);
	assert_int_equal(r.used, r.size);
	assert_int_equal(fake_take(to), 0x91);
	eoi(to);
	eoi(to);
	assert_int_equal(fake_lapic_read(to, 0x390), 700000);
	fake_run_to(699999);
	assert_int_equal(fake_take(to), -1);
	fake_run_to(700000);
	assert_int_equal(fake_take(to), 0x40);
	domain_destroy(other);
	hvm_os_free(w.buf);
}

/* -- threads --------------------------------------------------------------------------------- */

#define ROUNDS 20000

static void *ipi_thread(void *arg)
{
	struct domain *d = arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		vlapic_send(d, d->vcpu[1], 0, false, HVM_DM_FIXED, (uint8_t)(0x40 + i % 64), i & 1);
		vioapic_set_pin(d, 20, i & 1);
	}
	return NULL;
}

static void *eoi_thread(void *arg)
{
	struct domain *d = arg;
	struct vcpu *v = d->vcpu[0];
	unsigned int taken = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (fake_take(v) >= 0) {
			eoi(v);
			taken++;
		}
		fake_lapic_write(v, 0x380, 100000 + i);
		vlapic_cr8_write(v, i & 3);
	}
	return (void *)(uintptr_t)taken;
}

static void delivery_and_eoi_run_side_by_side(void **state)
{
	struct domain *d = *state;
	pthread_t t[2];

	hvm_os_test_real_clock();
	fake_lapic_write(d->vcpu[0], 0x320, PERIODIC | 0xe0);
	fake_ioapic_write(d, 0x10 + 2 * 20, 0x8000 | 0xa0);
	assert_int_equal(pthread_create(&t[0], NULL, ipi_thread, d), 0);
	assert_int_equal(pthread_create(&t[1], NULL, eoi_thread, d), 0);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	/* All can be drained: nothing is stuck in service. */
	vioapic_set_pin(d, 20, false);
	fake_lapic_write(d->vcpu[0], 0x380, 0);
	vlapic_cr8_write(d->vcpu[0], 0);
	while (fake_take(d->vcpu[0]) >= 0)
		eoi(d->vcpu[0]);
	assert_int_equal(fake_lapic_read(d->vcpu[0], 0xa0), 0);
	assert_int_equal(fake_ioapic_read(d, 0x10 + 2 * 20), 0x80a0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identifies_itself),
		TEST(priority_decides_what_is_delivered),
		TEST(tpr_holds_back_and_lowering_it_lets_go),
		TEST(same_vector_is_pending_once),
		TEST(software_disabled_takes_no_fixed_interrupt_and_masks_its_lvt),
		TEST(illegal_vectors_and_registers_show_in_esr),
		TEST(error_entry_with_an_illegal_vector_does_not_recurse),
		TEST(lvt_modes_are_obeyed),
		TEST(xapic_ipis_reach_whom_they_name),
		TEST(cluster_model_matches_cluster_and_member),
		TEST(init_sipi_nmi_are_requests),
		TEST(mode_changes_follow_the_manual),
		TEST(disabled_apic_takes_pic_interrupts_on_the_boot_processor),
		TEST(x2apic_registers_have_their_own_rules),
		TEST(x2apic_ipis_have_32_bit_destinations),
		TEST(only_aligned_words_are_written),
		TEST(one_shot_counts_down_and_fires_once),
		TEST(divider_scales_and_can_change_while_running),
		TEST(periodic_timer_loses_no_tick_and_does_not_drift),
		TEST(late_periodic_timer_does_not_burst),
		TEST(shortest_period_does_not_hang_the_host),
		TEST(writing_zero_stops_the_timer),
		TEST(masked_timer_counts_but_does_not_interrupt),
		TEST(tsc_deadline_fires_and_reads_zero_afterwards),
		TEST(leaving_tsc_deadline_mode_disarms),
		TEST(reset_and_init_differ_in_the_base_only),
		TEST(saved_and_loaded_goes_on),
		TEST(delivery_and_eoi_run_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
