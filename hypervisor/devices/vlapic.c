/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlapic.c - local APIC: registers as xAPIC (memory) and x2APIC (MSRs), IRR/ISR/PPR, IPIs.
 * Owns struct vlapic (one per vcpu), but for its timer (vlapic_timer.c). Locking: none; registers
 * are written by the vcpu's own thread, irr, tmr and esr_pending by anyone, all with atomics, so
 * that a guest's EOI, TPR and ICR writes and every delivery are lock-free. Saved as LAPIC.
 * Source: Intel SDM Vol 3A ch. 10 "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "devices/vlapic.h"

#define LAPIC_BYTES   0x1000u
#define LAPIC_VERSION 0x14u

#define SVR_ENABLED	 0x0100u
#define SVR_NO_BROADCAST 0x1000u /* suppress EOI broadcasts */
#define SVR_VALID	 0x13ffu

#define VERSION_EOI_SUPPRESSION 0x01000000u

#define ESR_SEND_ILLEGAL     0x20u
#define ESR_RECEIVE_ILLEGAL  0x40u
#define ESR_ILLEGAL_REGISTER 0x80u

#define ICR_LOGICAL	    0x0800u
#define ICR_STATUS	    0x1000u
#define ICR_ASSERT	    0x4000u
#define ICR_LEVEL	    0x8000u
#define ICR_SHORTHAND_SHIFT 18
#define ICR_VALID	    0x000ccfffu

enum icr_shorthand {
	ICR_DEST,
	ICR_SELF,
	ICR_ALL,
	ICR_OTHERS,
};

#define APIC_BASE_BSP	0x100ull
#define APIC_BASE_EXTD	0x400ull
#define APIC_BASE_EN	0x800ull
#define APIC_BASE_FLAGS (APIC_BASE_BSP | APIC_BASE_EXTD | APIC_BASE_EN)

#define MSR_APIC_BASE	 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC	 0x800u
#define MSR_X2APIC_ICR	 0x830u
#define MSR_X2APIC_LAST	 0x8ffu

/* Register numbers: offset >> 4, and MSR - 0x800. */
#define REG_ID	    0x02u
#define REG_ISR	    0x10u
#define REG_TMR	    0x18u
#define REG_IRR	    0x20u
#define REG_ICR_LOW 0x30u
#define REG_LVT	    0x32u
#define REG_COUNT   0x40u

/* Which bits of each LVT entry the guest may write. */
static const uint32_t lvt_valid[VLAPIC_LVT_COUNT] = {
	[VLAPIC_LVT_TIMER] = LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE,
	[VLAPIC_LVT_THERMAL] = LVT_VECTOR | LVT_DM | LVT_MASKED,
	[VLAPIC_LVT_PERF] = LVT_VECTOR | LVT_DM | LVT_MASKED,
	[VLAPIC_LVT_LINT0] = LVT_VECTOR | LVT_DM | 0x2000u | LVT_LEVEL | LVT_MASKED,
	[VLAPIC_LVT_LINT1] = LVT_VECTOR | LVT_DM | 0x2000u | LVT_LEVEL | LVT_MASKED,
	[VLAPIC_LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
};

/* -- bitmaps of 256 vectors ---------------------------------------------------------------------
 */

static int bitmap_highest(const uint32_t *map)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t word = vlapic_get(&map[i]);

		if (word != 0)
			return i * 32 + 31 - __builtin_clz(word);
	}
	return -1;
}

static void bitmap_set(uint32_t *map, uint8_t vector)
{
	__atomic_fetch_or(&map[vector >> 5], 1u << (vector & 31), __ATOMIC_RELAXED);
}

static void bitmap_clear(uint32_t *map, uint8_t vector)
{
	__atomic_fetch_and(&map[vector >> 5], ~(1u << (vector & 31)), __ATOMIC_RELAXED);
}

static bool bitmap_test(const uint32_t *map, uint8_t vector)
{
	return vlapic_get(&map[vector >> 5]) >> (vector & 31) & 1;
}

/* -- state --------------------------------------------------------------------------------------
 */

static bool vlapic_hw_enabled(const struct vlapic *a)
{
	return vlapic_get(&a->apic_base) & APIC_BASE_EN;
}

static bool vlapic_x2(const struct vlapic *a)
{
	return vlapic_get(&a->apic_base) & APIC_BASE_EXTD;
}

static bool vlapic_sw_enabled(const struct vlapic *a)
{
	return vlapic_get(&a->svr) & SVR_ENABLED;
}

bool vlapic_is_enabled(struct vcpu *v)
{
	return vlapic_hw_enabled(v->vlapic);
}

uint32_t vlapic_id(struct vcpu *v)
{
	return v->vlapic->id;
}

static uint32_t vlapic_ldr(const struct vlapic *a)
{
	if (vlapic_x2(a))
		return a->id >> 4 << 16 | 1u << (a->id & 15);
	return vlapic_get(&a->ldr);
}

static uint32_t vlapic_ppr(const struct vlapic *a)
{
	uint32_t tpr = vlapic_get(&a->tpr);
	int isr = bitmap_highest(a->isr);

	if (isr < 0 || (tpr & 0xf0) >= ((uint32_t)isr & 0xf0))
		return tpr;
	return (uint32_t)isr & 0xf0;
}

int vlapic_pending_vector(struct vcpu *v)
{
	const struct vlapic *a = v->vlapic;
	int vector;

	vector = bitmap_highest(a->irr);
	if (hvm_likely(vector < 0) || !vlapic_hw_enabled(a))
		return -1;
	return ((uint32_t)vector & 0xf0) > (vlapic_ppr(a) & 0xf0) ? vector : -1;
}

/* The priority fell, or a lasting source may have become visible. */
static void vlapic_look_again(struct vlapic *a)
{
	if (vlapic_pending_vector(a->v) >= 0)
		hvm_vcpu_request(a->v, HVM_REQ_EVENT);
}

void vlapic_ack(struct vcpu *v, uint8_t vector)
{
	bitmap_clear(v->vlapic->irr, vector);
	bitmap_set(v->vlapic->isr, vector);
}

static void vlapic_error(struct vlapic *a, uint32_t bits)
{
	uint32_t old = __atomic_fetch_or(&a->esr_pending, bits, __ATOMIC_RELAXED);

	if ((old & bits) != bits)
		vlapic_lvt_fire(a, VLAPIC_LVT_ERROR);
}

void vlapic_accept(struct vcpu *v, uint8_t vector, bool level)
{
	struct vlapic *a = v->vlapic;
	uint32_t bit = 1u << (vector & 31);

	if (!vlapic_hw_enabled(a) || !vlapic_sw_enabled(a))
		return;
	if (vector < 16) {
		/* An error entry with an illegal vector of its own must not come back here. */
		if ((vlapic_get(&a->lvt[VLAPIC_LVT_ERROR]) & LVT_VECTOR) >= 16)
			vlapic_error(a, ESR_RECEIVE_ILLEGAL);
		else
			__atomic_fetch_or(&a->esr_pending, ESR_RECEIVE_ILLEGAL, __ATOMIC_RELAXED);
		return;
	}
	/* The trigger mode first: whoever sees the request must see how it is to be ended. */
	if (level)
		bitmap_set(a->tmr, vector);
	else if (bitmap_test(a->tmr, vector))
		bitmap_clear(a->tmr, vector);
	if (!(__atomic_fetch_or(&a->irr[vector >> 5], bit, __ATOMIC_SEQ_CST) & bit))
		hvm_vcpu_request(v, HVM_REQ_EVENT);
}

void vlapic_lvt_fire(struct vlapic *a, enum vlapic_lvt n)
{
	uint32_t lvt = vlapic_get(&a->lvt[n]);

	if ((lvt & LVT_MASKED) || !vlapic_hw_enabled(a))
		return;
	switch (lvt >> LVT_DM_SHIFT & 7) {
	case HVM_DM_FIXED: vlapic_accept(a->v, (uint8_t)(lvt & LVT_VECTOR), false); break;
	case HVM_DM_NMI: hvm_vcpu_request(a->v, HVM_REQ_NMI); break;
	case HVM_DM_EXTINT: hvm_vcpu_request(a->v, HVM_REQ_EVENT); break;
	}
}

void vlapic_lint0_rise(struct vcpu *v)
{
	vlapic_lvt_fire(v->vlapic, VLAPIC_LVT_LINT0);
}

static bool vlapic_lvt_is(const struct vlapic *a, enum vlapic_lvt n, enum hvm_delivery_mode mode)
{
	return (vlapic_get(&a->lvt[n]) & (LVT_MASKED | LVT_DM)) == (uint32_t)mode << LVT_DM_SHIFT;
}

bool vlapic_accepts_pic(struct vcpu *v)
{
	const struct vlapic *a = v->vlapic;

	/* Without a LAPIC the pin is INTR, and only the boot processor's is connected. */
	if (!vlapic_hw_enabled(a))
		return v->id == 0;
	return vlapic_lvt_is(a, VLAPIC_LVT_LINT0, HVM_DM_EXTINT) ||
	       vioapic_extint(v->domain, v->id);
}

bool vlapic_lint1_nmi(struct vcpu *v)
{
	if (!vlapic_hw_enabled(v->vlapic))
		return v->id == 0;
	return vlapic_lvt_is(v->vlapic, VLAPIC_LVT_LINT1, HVM_DM_NMI);
}

/* -- messages -----------------------------------------------------------------------------------
 */

static bool vlapic_match_logical(const struct vlapic *a, uint32_t dest)
{
	uint32_t ldr = vlapic_ldr(a);

	if (vlapic_x2(a))
		return (dest >> 16) == (ldr >> 16) && (dest & ldr & 0xffff) != 0;
	if (dest > 0xff)
		return false;
	ldr >>= 24;
	if (vlapic_get(&a->dfr) >> 28 == 0xf)
		return (dest & ldr) != 0;
	/* Cluster model: four bits of cluster, four of members; cluster 15 is all of them. */
	return ((dest >> 4) == 0xf || (dest >> 4) == (ldr >> 4)) && (dest & ldr & 0xf) != 0;
}

uint32_t vlapic_match(struct domain *d, const struct vcpu *source, uint32_t dest, bool logical)
{
	/* A message from a device or an xAPIC has 8 bits of destination. */
	bool narrow = source == NULL || !vlapic_x2(source->vlapic);
	bool all = dest == 0xffffffff || (narrow && !logical && dest == 0xff);
	uint32_t match = 0;

	if (!all && !logical) {
		if (dest < d->vcpu_count && vlapic_hw_enabled(d->vcpu[dest]->vlapic))
			match = 1u << dest;
		return match;
	}
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		const struct vlapic *a = d->vcpu[i]->vlapic;

		if (vlapic_hw_enabled(a) && (all || vlapic_match_logical(a, dest)))
			match |= 1u << i;
	}
	return match;
}

/* Of the vcpus in @match the one of lowest priority; ties go round. -1: none is enabled. */
static int vlapic_lowest(struct domain *d, uint32_t match)
{
	unsigned int count = d->vcpu_count;
	unsigned int first = vlapic_get(&d->vcpu[0]->vlapic->lowest_next) % count;
	uint32_t best_ppr = UINT32_MAX;
	int best = -1;

	for (unsigned int n = 0; n < count; n++) {
		unsigned int i = (first + n) % count;
		const struct vlapic *a = d->vcpu[i]->vlapic;
		uint32_t ppr;

		if (!(match >> i & 1) || !vlapic_sw_enabled(a))
			continue;
		ppr = vlapic_ppr(a) >> 4;
		if (ppr < best_ppr) {
			best_ppr = ppr;
			best = (int)i;
		}
	}
	if (best >= 0)
		vlapic_set(&d->vcpu[0]->vlapic->lowest_next, (uint32_t)best + 1);
	return best;
}

/* One message to one vcpu. False: it does not take it. */
static bool vlapic_deliver(struct vcpu *v, enum hvm_delivery_mode mode, uint8_t vector, bool level)
{
	switch (mode) {
	case HVM_DM_FIXED:
	case HVM_DM_LOWEST:
		if (!vlapic_sw_enabled(v->vlapic))
			return false;
		vlapic_accept(v, vector, level);
		return vector >= 16;
	case HVM_DM_NMI: hvm_vcpu_request(v, HVM_REQ_NMI); return true;
	case HVM_DM_INIT: hvm_vcpu_request(v, HVM_REQ_INIT); return true;
	case HVM_DM_SIPI: hvm_vcpu_request(v, HVM_REQ_SIPI | (uint32_t)vector << 8); return true;
	/* The PIC says what it is; vlapic_accepts_pic() knows that it may come this way. */
	case HVM_DM_EXTINT: hvm_vcpu_request(v, HVM_REQ_EVENT); return true;
	case HVM_DM_SMI: /* there is no SMM */
	case HVM_DM_REMOTE_READ: return false;
	}
	return false;
}

static int vlapic_send_to(struct domain *d, uint32_t match, enum hvm_delivery_mode mode,
			  uint8_t vector, bool level)
{
	int taken = 0;

	if (mode == HVM_DM_LOWEST) {
		int best = match == 0 ? -1 : vlapic_lowest(d, match);

		return best < 0 ? 0 : vlapic_deliver(d->vcpu[best], mode, vector, level);
	}
	for (; match != 0; match &= match - 1)
		taken += vlapic_deliver(d->vcpu[__builtin_ctz(match)], mode, vector, level);
	return taken;
}

int vlapic_send(struct domain *d, struct vcpu *source, uint32_t dest, bool logical,
		enum hvm_delivery_mode mode, uint8_t vector, bool level)
{
	return vlapic_send_to(d, vlapic_match(d, source, dest, logical), mode, vector, level);
}

/* Carry out what was written to ICR. @dest: 32 bits in x2APIC mode, else 8. */
static void vlapic_ipi(struct vlapic *a, uint32_t icr, uint32_t dest)
{
	struct domain *d = a->v->domain;
	enum hvm_delivery_mode mode = (enum hvm_delivery_mode)(icr >> LVT_DM_SHIFT & 7);
	uint32_t all = (1u << d->vcpu_count) - 1, self = 1u << a->v->id, match = 0;
	uint8_t vector = (uint8_t)icr;

	/* INIT level de-assert only synchronises arbitration ids of long gone processors. */
	if (mode == HVM_DM_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
		return;
	/* A guest cannot send ExtINT; and the other IPIs are edges whatever bit 15 says. */
	if (mode == HVM_DM_EXTINT)
		return;
	if ((mode == HVM_DM_FIXED || mode == HVM_DM_LOWEST) && vector < 16) {
		vlapic_error(a, ESR_SEND_ILLEGAL);
		return;
	}
	switch ((enum icr_shorthand)(icr >> ICR_SHORTHAND_SHIFT & 3)) {
	case ICR_DEST: match = vlapic_match(d, a->v, dest, icr & ICR_LOGICAL); break;
	case ICR_SELF: match = self; break;
	case ICR_ALL: match = all; break;
	case ICR_OTHERS: match = all & ~self; break;
	}
	vlapic_send_to(d, match, mode, vector, false);
}

/* -- registers ----------------------------------------------------------------------------------
 */

static uint32_t reg_read_id(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_x2(a) ? a->id : a->id << 24;
}

static uint32_t reg_read_version(struct vlapic *a, unsigned int reg)
{
	(void)a;
	(void)reg;
	return LAPIC_VERSION | (VLAPIC_LVT_COUNT - 1u) << 16 | VERSION_EOI_SUPPRESSION;
}

static uint32_t reg_read_tpr(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_get(&a->tpr);
}

static void reg_write_tpr(struct vlapic *a, unsigned int reg, uint32_t value)
{
	uint32_t old = vlapic_get(&a->tpr);

	(void)reg;
	vlapic_set(&a->tpr, value & 0xff);
	if ((value & 0xff) < old)
		vlapic_look_again(a);
}

/* Arbitration priority: as the processor priority, but a pending request counts too. */
static uint32_t reg_read_apr(struct vlapic *a, unsigned int reg)
{
	uint32_t ppr = vlapic_ppr(a);
	int irr = bitmap_highest(a->irr);

	(void)reg;
	if (irr < 0 || (ppr & 0xf0) >= ((uint32_t)irr & 0xf0))
		return ppr;
	return (uint32_t)irr & 0xf0;
}

static uint32_t reg_read_ppr(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_ppr(a);
}

static void reg_write_eoi(struct vlapic *a, unsigned int reg, uint32_t value)
{
	int top = bitmap_highest(a->isr);

	(void)reg;
	(void)value;
	if (top < 0)
		return;
	bitmap_clear(a->isr, (uint8_t)top);
	if (bitmap_test(a->tmr, (uint8_t)top) && !(vlapic_get(&a->svr) & SVR_NO_BROADCAST))
		vioapic_eoi(a->v->domain, (uint8_t)top);
	vlapic_look_again(a);
}

static uint32_t reg_read_zero(struct vlapic *a, unsigned int reg)
{
	(void)a;
	(void)reg;
	return 0;
}

static uint32_t reg_read_ldr(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_ldr(a);
}

static void reg_write_ldr(struct vlapic *a, unsigned int reg, uint32_t value)
{
	(void)reg;
	vlapic_set(&a->ldr, value & 0xff000000u);
}

static uint32_t reg_read_dfr(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_get(&a->dfr);
}

static void reg_write_dfr(struct vlapic *a, unsigned int reg, uint32_t value)
{
	(void)reg;
	vlapic_set(&a->dfr, value | 0x0fffffffu);
}

static uint32_t reg_read_svr(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_get(&a->svr);
}

static void reg_write_svr(struct vlapic *a, unsigned int reg, uint32_t value)
{
	(void)reg;
	vlapic_set(&a->svr, value & SVR_VALID);
	if (value & SVR_ENABLED)
		return;
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		vlapic_set(&a->lvt[n], vlapic_get(&a->lvt[n]) | LVT_MASKED);
}

static uint32_t reg_read_isr(struct vlapic *a, unsigned int reg)
{
	return vlapic_get(&a->isr[reg - REG_ISR]);
}

static uint32_t reg_read_tmr(struct vlapic *a, unsigned int reg)
{
	return vlapic_get(&a->tmr[reg - REG_TMR]);
}

static uint32_t reg_read_irr(struct vlapic *a, unsigned int reg)
{
	return vlapic_get(&a->irr[reg - REG_IRR]);
}

static uint32_t reg_read_esr(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_get(&a->esr);
}

/* A write, of anything, shows what was collected since the write before. */
static void reg_write_esr(struct vlapic *a, unsigned int reg, uint32_t value)
{
	(void)reg;
	(void)value;
	vlapic_set(&a->esr, __atomic_exchange_n(&a->esr_pending, 0, __ATOMIC_RELAXED));
}

static uint32_t reg_read_icr(struct vlapic *a, unsigned int reg)
{
	return (uint32_t)(vlapic_get(&a->icr) >> (reg == REG_ICR_LOW ? 0 : 32));
}

static void reg_write_icr_low(struct vlapic *a, unsigned int reg, uint32_t value)
{
	uint64_t icr = vlapic_get(&a->icr);

	(void)reg;
	value &= ICR_VALID & ~ICR_STATUS;
	vlapic_set(&a->icr, (icr & 0xffffffff00000000ull) | value);
	vlapic_ipi(a, value, (uint32_t)(icr >> 56));
}

static void reg_write_icr_high(struct vlapic *a, unsigned int reg, uint32_t value)
{
	uint64_t icr = vlapic_get(&a->icr);

	(void)reg;
	vlapic_set(&a->icr, (icr & 0xffffffffull) | (uint64_t)(value & 0xff000000u) << 32);
}

static uint32_t reg_read_lvt(struct vlapic *a, unsigned int reg)
{
	return vlapic_get(&a->lvt[reg - REG_LVT]);
}

static void reg_write_lvt(struct vlapic *a, unsigned int reg, uint32_t value)
{
	unsigned int n = reg - REG_LVT;
	uint32_t old = vlapic_get(&a->lvt[n]);

	value &= lvt_valid[n];
	if (!vlapic_sw_enabled(a))
		value |= LVT_MASKED;
	vlapic_set(&a->lvt[n], value);
	if (n == VLAPIC_LVT_TIMER)
		vlapic_timer_mode_changed(a, old);
	/* The PIC may have been waiting behind the mask. */
	if (n == VLAPIC_LVT_LINT0 && vlapic_accepts_pic(a->v))
		hvm_vcpu_request(a->v, HVM_REQ_EVENT);
}

static uint32_t reg_read_tmict(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_timer_read_initial(a);
}

static void reg_write_tmict(struct vlapic *a, unsigned int reg, uint32_t value)
{
	(void)reg;
	vlapic_timer_write_initial(a, value);
}

static uint32_t reg_read_tmcct(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_timer_read_current(a);
}

static uint32_t reg_read_tdcr(struct vlapic *a, unsigned int reg)
{
	(void)reg;
	return vlapic_timer_read_divide(a);
}

static void reg_write_tdcr(struct vlapic *a, unsigned int reg, uint32_t value)
{
	(void)reg;
	vlapic_timer_write_divide(a, value);
}

static void reg_write_self_ipi(struct vlapic *a, unsigned int reg, uint32_t value)
{
	(void)reg;
	if (value < 16)
		vlapic_error(a, ESR_SEND_ILLEGAL);
	else
		vlapic_accept(a->v, (uint8_t)value, false);
}

#define REG_XAPIC 0x1u /* exists in memory */
#define REG_X2_R  0x2u /* RDMSR */
#define REG_X2_W  0x4u /* WRMSR */
#define REG_X2	  (REG_X2_R | REG_X2_W)

/* One row a register: how it is read and written, where it exists, what WRMSR may set. */
struct vlapic_reg {
	uint32_t (*read)(struct vlapic *a, unsigned int reg);
	void (*write)(struct vlapic *a, unsigned int reg, uint32_t value);
	uint32_t flags;
	uint32_t x2_valid;
};

/* clang-format off */
static const struct vlapic_reg vlapic_regs[REG_COUNT] = {
	[0x02] = { reg_read_id,      NULL,                REG_XAPIC | REG_X2_R, 0 },
	[0x03] = { reg_read_version, NULL,                REG_XAPIC | REG_X2_R, 0 },
	[0x08] = { reg_read_tpr,     reg_write_tpr,       REG_XAPIC | REG_X2,   0xff },
	[0x09] = { reg_read_apr,     NULL,                REG_XAPIC,            0 },
	[0x0a] = { reg_read_ppr,     NULL,                REG_XAPIC | REG_X2_R, 0 },
	[0x0b] = { reg_read_zero,    reg_write_eoi,       REG_XAPIC | REG_X2_W, 0 },
	[0x0c] = { reg_read_zero,    NULL,                REG_XAPIC,            0 },
	[0x0d] = { reg_read_ldr,     reg_write_ldr,       REG_XAPIC | REG_X2_R, 0 },
	[0x0e] = { reg_read_dfr,     reg_write_dfr,       REG_XAPIC,            0 },
	[0x0f] = { reg_read_svr,     reg_write_svr,       REG_XAPIC | REG_X2,   SVR_VALID },
	[0x10 ... 0x17] = { reg_read_isr, NULL,           REG_XAPIC | REG_X2_R, 0 },
	[0x18 ... 0x1f] = { reg_read_tmr, NULL,           REG_XAPIC | REG_X2_R, 0 },
	[0x20 ... 0x27] = { reg_read_irr, NULL,           REG_XAPIC | REG_X2_R, 0 },
	[0x28] = { reg_read_esr,     reg_write_esr,       REG_XAPIC | REG_X2,   0 },
	[0x30] = { reg_read_icr,     reg_write_icr_low,   REG_XAPIC,            0 },
	[0x31] = { reg_read_icr,     reg_write_icr_high,  REG_XAPIC,            0 },
	[0x32] = { reg_read_lvt,     reg_write_lvt,       REG_XAPIC | REG_X2,   0x000710ffu },
	[0x33] = { reg_read_lvt,     reg_write_lvt,       REG_XAPIC | REG_X2,   0x000117ffu },
	[0x34] = { reg_read_lvt,     reg_write_lvt,       REG_XAPIC | REG_X2,   0x000117ffu },
	[0x35] = { reg_read_lvt,     reg_write_lvt,       REG_XAPIC | REG_X2,   0x0001f7ffu },
	[0x36] = { reg_read_lvt,     reg_write_lvt,       REG_XAPIC | REG_X2,   0x0001f7ffu },
	[0x37] = { reg_read_lvt,     reg_write_lvt,       REG_XAPIC | REG_X2,   0x000110ffu },
	[0x38] = { reg_read_tmict,   reg_write_tmict,     REG_XAPIC | REG_X2,   0xffffffffu },
	[0x39] = { reg_read_tmcct,   NULL,                REG_XAPIC | REG_X2_R, 0 },
	[0x3e] = { reg_read_tdcr,    reg_write_tdcr,      REG_XAPIC | REG_X2,   0xbu },
	[0x3f] = { NULL,             reg_write_self_ipi,  REG_X2_W,             0xff },
};
/* clang-format on */

uint64_t vlapic_cr8_read(struct vcpu *v)
{
	return vlapic_get(&v->vlapic->tpr) >> 4;
}

void vlapic_cr8_write(struct vcpu *v, uint64_t value)
{
	reg_write_tpr(v->vlapic, 0, (uint32_t)(value & 15) << 4);
}

/* -- xAPIC: memory ------------------------------------------------------------------------------
 */

/* Registers are 32 bits wide at the start of 16 bytes; what lies between reads as zero. */
static int vlapic_mmio_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			    uint64_t *ret)
{
	struct vlapic *a = v->vlapic;
	unsigned int reg = (unsigned int)(offset >> 4);

	(void)dev;
	(void)size;
	if (!vlapic_hw_enabled(a) || vlapic_x2(a))
		return -HVM_EOPNOTSUPP;
	*ret = 0;
	if (reg >= REG_COUNT || !(vlapic_regs[reg].flags & REG_XAPIC)) {
		vlapic_error(a, ESR_ILLEGAL_REGISTER);
		return 0;
	}
	if ((offset & 0xc) == 0)
		*ret = vlapic_regs[reg].read(a, reg) >> (8 * (offset & 3));
	return 0;
}

static int vlapic_mmio_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			     uint64_t value)
{
	struct vlapic *a = v->vlapic;
	unsigned int reg = (unsigned int)(offset >> 4);

	(void)dev;
	if (!vlapic_hw_enabled(a) || vlapic_x2(a))
		return -HVM_EOPNOTSUPP;
	if (reg >= REG_COUNT || !(vlapic_regs[reg].flags & REG_XAPIC)) {
		vlapic_error(a, ESR_ILLEGAL_REGISTER);
		return 0;
	}
	/* Anything but an aligned 32-bit write is undefined; it is dropped. */
	if ((offset & 0xf) == 0 && size >= 4 && vlapic_regs[reg].write != NULL)
		vlapic_regs[reg].write(a, reg, (uint32_t)value);
	return 0;
}

/* -- MSRs ---------------------------------------------------------------------------------------
 */

static int vlapic_x2_read(struct vlapic *a, uint32_t index, uint64_t *ret)
{
	uint32_t reg = index - MSR_X2APIC;

	if (!vlapic_x2(a))
		return -HVM_EINVAL;
	if (index == MSR_X2APIC_ICR) {
		*ret = vlapic_get(&a->icr);
		return 0;
	}
	if (reg >= REG_COUNT || !(vlapic_regs[reg].flags & REG_X2_R))
		return -HVM_EINVAL;
	*ret = vlapic_regs[reg].read(a, reg);
	return 0;
}

static int vlapic_x2_write(struct vlapic *a, uint32_t index, uint64_t value)
{
	uint32_t reg = index - MSR_X2APIC;

	if (!vlapic_x2(a))
		return -HVM_EINVAL;
	if (index == MSR_X2APIC_ICR) {
		uint32_t low = (uint32_t)value;

		/* There is no delivery status to be written here; processors ignore the bit. */
		if (low & ~ICR_VALID)
			return -HVM_EINVAL;
		low &= ~ICR_STATUS;
		vlapic_set(&a->icr, (value & 0xffffffff00000000ull) | low);
		vlapic_ipi(a, low, (uint32_t)(value >> 32));
		return 0;
	}
	if (reg >= REG_COUNT || !(vlapic_regs[reg].flags & REG_X2_W) ||
	    (value & ~(uint64_t)vlapic_regs[reg].x2_valid) != 0)
		return -HVM_EINVAL;
	vlapic_regs[reg].write(a, reg, (uint32_t)value);
	return 0;
}

/* Registers at power-on and after INIT. */
static void vlapic_reset_regs(struct vlapic *a)
{
	for (unsigned int i = 0; i < 8; i++) {
		vlapic_set(&a->irr[i], 0);
		vlapic_set(&a->isr[i], 0);
		vlapic_set(&a->tmr[i], 0);
	}
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		vlapic_set(&a->lvt[n], LVT_MASKED);
	/*
	 * The boot processor starts in virtual wire mode, as firmware would have left it: with
	 * direct kernel boot no firmware runs, and a kernel may rely on PIC interrupts arriving.
	 */
	if (a->id == 0)
		vlapic_set(&a->lvt[VLAPIC_LVT_LINT0], (uint32_t)HVM_DM_EXTINT << LVT_DM_SHIFT);
	vlapic_set(&a->tpr, 0);
	vlapic_set(&a->svr, 0xff);
	vlapic_set(&a->ldr, 0);
	vlapic_set(&a->dfr, 0xffffffff);
	vlapic_set(&a->esr, 0);
	vlapic_set(&a->esr_pending, 0);
	vlapic_set(&a->icr, 0);
	vlapic_timer_reset(a);
}

void vlapic_reset(struct vcpu *v, bool init)
{
	struct vlapic *a = v->vlapic;

	if (!init)
		vlapic_set(&a->apic_base,
			   HVM_LAPIC_BASE | APIC_BASE_EN | (v->id == 0 ? APIC_BASE_BSP : 0));
	vlapic_reset_regs(a);
}

/*
 * Legal: off to xAPIC, xAPIC to x2APIC, either to off. The base stays where it is, and who is the
 * boot processor is not the guest's to say.
 */
static int vlapic_write_base(struct vlapic *a, uint64_t value)
{
	uint64_t old = vlapic_get(&a->apic_base);
	bool en = value & APIC_BASE_EN, extd = value & APIC_BASE_EXTD;

	if ((value & ~APIC_BASE_FLAGS) != HVM_LAPIC_BASE)
		return -HVM_EINVAL;
	if (extd && !en)
		return -HVM_EINVAL;
	if (extd && !(old & APIC_BASE_EN))
		return -HVM_EINVAL;
	if ((old & APIC_BASE_EXTD) && en && !extd)
		return -HVM_EINVAL;
	value = (value & ~APIC_BASE_BSP) | (old & APIC_BASE_BSP);
	/* Registers do not survive being off. */
	if ((old & APIC_BASE_EN) && !en)
		vlapic_reset_regs(a);
	/* ICR's destination has another form in x2APIC mode. */
	if (extd && !(old & APIC_BASE_EXTD))
		vlapic_set(&a->icr, vlapic_get(&a->icr) & 0xffffffffull);
	vlapic_set(&a->apic_base, value);
	if (vlapic_accepts_pic(a->v))
		hvm_vcpu_request(a->v, HVM_REQ_EVENT);
	return 0;
}

int vlapic_msr_read(struct vcpu *v, uint32_t index, uint64_t *ret)
{
	struct vlapic *a = v->vlapic;

	if (index >= MSR_X2APIC && index <= MSR_X2APIC_LAST)
		return vlapic_x2_read(a, index, ret);
	if (index == MSR_APIC_BASE)
		*ret = vlapic_get(&a->apic_base);
	else if (index == MSR_TSC_DEADLINE)
		*ret = vlapic_timer_read_tsc_deadline(a);
	else
		return -HVM_EINVAL;
	return 0;
}

int vlapic_msr_write(struct vcpu *v, uint32_t index, uint64_t value)
{
	struct vlapic *a = v->vlapic;

	if (index >= MSR_X2APIC && index <= MSR_X2APIC_LAST)
		return vlapic_x2_write(a, index, value);
	if (index == MSR_APIC_BASE)
		return vlapic_write_base(a, value);
	if (index != MSR_TSC_DEADLINE)
		return -HVM_EINVAL;
	vlapic_timer_write_tsc_deadline(a, value);
	return 0;
}

/* -- life ---------------------------------------------------------------------------------------
 */

int vlapic_create(struct vcpu *v)
{
	/* One range for all: a vcpu's access reaches its own LAPIC. */
	const struct hvm_intercept r = {
		.base = HVM_LAPIC_BASE,
		.bytes = LAPIC_BYTES,
		.read = vlapic_mmio_read,
		.write = vlapic_mmio_write,
	};
	struct vlapic *a = hvm_os_alloc(sizeof(struct vlapic));
	int rc;

	if (a == NULL)
		return -HVM_ENOMEM;
	a->v = v;
	a->id = v->id;
	rc = vlapic_timer_create(a);
	if (rc != 0)
		goto err_free;
	if (v->id == 0) {
		rc = hvm_mmio_register(v->domain, &r);
		if (rc != 0)
			goto err_timer;
	}
	v->vlapic = a;
	vlapic_reset(v, false);
	return 0;

err_timer:
	vlapic_timer_destroy(a);
err_free:
	hvm_os_free(a);
	return rc;
}

void vlapic_destroy(struct vcpu *v)
{
	if (v->vlapic == NULL)
		return;
	vlapic_timer_destroy(v->vlapic);
	hvm_os_free(v->vlapic);
	v->vlapic = NULL;
}

/* -- save record --------------------------------------------------------------------------------
 */

int vlapic_save(struct vcpu *v, struct hvm_save_writer *w)
{
	struct vlapic *a = v->vlapic;

	hvm_save_u64(w, vlapic_get(&a->apic_base));
	hvm_save_u32(w, a->id);
	hvm_save_u32(w, vlapic_get(&a->tpr));
	hvm_save_u32(w, vlapic_get(&a->svr));
	hvm_save_u32(w, vlapic_get(&a->ldr));
	hvm_save_u32(w, vlapic_get(&a->dfr));
	hvm_save_u32(w, vlapic_get(&a->esr));
	hvm_save_u32(w, vlapic_get(&a->esr_pending));
	hvm_save_u64(w, vlapic_get(&a->icr));
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		hvm_save_u32(w, vlapic_get(&a->lvt[n]));
	for (unsigned int i = 0; i < 8; i++) {
		hvm_save_u32(w, vlapic_get(&a->irr[i]));
		hvm_save_u32(w, vlapic_get(&a->isr[i]));
		hvm_save_u32(w, vlapic_get(&a->tmr[i]));
	}
	return vlapic_timer_save(a, w);
}

/* What a LAPIC record holds, before it is believed. */
struct vlapic_record {
	uint64_t apic_base, icr;
	uint32_t id, tpr, svr, ldr, dfr, esr, esr_pending;
	uint32_t lvt[VLAPIC_LVT_COUNT];
	uint32_t irr[8], isr[8], tmr[8];
};

static void vlapic_record_read(struct vlapic_record *s, struct hvm_save_reader *r)
{
	s->apic_base = hvm_load_u64(r);
	s->id = hvm_load_u32(r);
	s->tpr = hvm_load_u32(r);
	s->svr = hvm_load_u32(r);
	s->ldr = hvm_load_u32(r);
	s->dfr = hvm_load_u32(r);
	s->esr = hvm_load_u32(r);
	s->esr_pending = hvm_load_u32(r);
	s->icr = hvm_load_u64(r);
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		s->lvt[n] = hvm_load_u32(r);
	for (unsigned int i = 0; i < 8; i++) {
		s->irr[i] = hvm_load_u32(r);
		s->isr[i] = hvm_load_u32(r);
		s->tmr[i] = hvm_load_u32(r);
	}
}

static bool vlapic_record_ok(const struct vlapic_record *s, const struct vlapic *a)
{
	uint64_t mode = s->apic_base & (APIC_BASE_EN | APIC_BASE_EXTD);

	if ((s->apic_base & ~APIC_BASE_FLAGS) != HVM_LAPIC_BASE || mode == APIC_BASE_EXTD ||
	    !(s->apic_base & APIC_BASE_BSP) != (a->id != 0))
		return false;
	if (s->id != a->id || s->tpr > 0xff || (s->svr & ~SVR_VALID) || (s->ldr & 0xffffff) ||
	    (s->dfr & 0x0fffffffu) != 0x0fffffffu || (s->esr & ~0xffu) ||
	    (s->esr_pending & ~0xffu) || (s->icr & 0xffffffff & ~(uint64_t)ICR_VALID))
		return false;
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++) {
		if (s->lvt[n] & ~lvt_valid[n])
			return false;
	}
	/* Vectors below 16 do not exist. */
	return ((s->irr[0] | s->isr[0] | s->tmr[0]) & 0xffff) == 0;
}

int vlapic_load(struct vcpu *v, struct hvm_save_reader *r, bool check)
{
	struct vlapic *a = v->vlapic;
	struct vlapic_record s;

	vlapic_record_read(&s, r);
	if (r->error != 0)
		return r->error;
	if (!vlapic_record_ok(&s, a))
		return -HVM_EINVAL;
	if (check)
		return vlapic_timer_load(a, r, true);
	vlapic_set(&a->apic_base, s.apic_base);
	vlapic_set(&a->tpr, s.tpr);
	vlapic_set(&a->svr, s.svr);
	vlapic_set(&a->ldr, s.ldr);
	vlapic_set(&a->dfr, s.dfr);
	vlapic_set(&a->esr, s.esr);
	vlapic_set(&a->esr_pending, s.esr_pending);
	vlapic_set(&a->icr, s.icr);
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		vlapic_set(&a->lvt[n], s.lvt[n]);
	for (unsigned int i = 0; i < 8; i++) {
		vlapic_set(&a->tmr[i], s.tmr[i]);
		vlapic_set(&a->isr[i], s.isr[i]);
		vlapic_set(&a->irr[i], s.irr[i]);
	}
	hvm_vcpu_request(v, HVM_REQ_EVENT);
	return vlapic_timer_load(a, r, false);
}
