/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlapic_reg.c - the registers of the local APIC as the guest sees them: xAPIC (memory), x2APIC and
 * IA32_APIC_BASE (MSRs).
 * Owns the table of registers; the state is struct vlapic's. Locking: none, see vlapic.c; only the
 * timer's registers take a lock. Saved by vlapic.c.
 * Source: Intel SDM Vol 3A 10.4.1 "The Local APIC Block Diagram", 10.12 "Extended XAPIC (x2APIC)".
 */
#include "devices/vlapic.h"

#define LAPIC_VERSION		0x14u
#define VERSION_EOI_SUPPRESSION 0x01000000u

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

const uint32_t vlapic_lvt_valid[VLAPIC_LVT_COUNT] = {
	[VLAPIC_LVT_TIMER] = LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE,
	[VLAPIC_LVT_THERMAL] = LVT_VECTOR | LVT_DM | LVT_MASKED,
	[VLAPIC_LVT_PERF] = LVT_VECTOR | LVT_DM | LVT_MASKED,
	[VLAPIC_LVT_LINT0] = LVT_VECTOR | LVT_DM | 0x2000u | LVT_LEVEL | LVT_MASKED,
	[VLAPIC_LVT_LINT1] = LVT_VECTOR | LVT_DM | 0x2000u | LVT_LEVEL | LVT_MASKED,
	[VLAPIC_LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
};

/* -- registers ------------------------------------------------------------------------------- */

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
	int irr = vlapic_bitmap_highest(a->irr);

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

/* The I/O APICs learn of the end of an interrupt that they hold by level. */
void vlapic_eoi_broadcast(struct vlapic *a, uint8_t vector)
{
	if (vlapic_bitmap_test(a->tmr, vector) && !(vlapic_get(&a->svr) & SVR_NO_BROADCAST))
		vioapic_eoi(a->v->domain, vector);
}

static void reg_write_eoi(struct vlapic *a, unsigned int reg, uint32_t value)
{
	int top = vlapic_bitmap_highest(a->isr);

	(void)reg;
	(void)value;
	if (top < 0)
		return;
	vlapic_isr_clear(a->isr, (uint8_t)top);
	vlapic_eoi_broadcast(a, (uint8_t)top);
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

	value &= vlapic_lvt_valid[n];
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

/* -- xAPIC: memory --------------------------------------------------------------------------- */

/* Registers are 32 bits wide at the start of 16 bytes; what lies between reads as zero. */
int vlapic_mmio_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
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

int vlapic_mmio_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t value)
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

/* -- MSRs ------------------------------------------------------------------------------------ */

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
