/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlapic.h - struct vlapic, shared by vlapic.c (delivery, IPIs), vlapic_reg.c and vlapic_timer.c;
 * and what the PIC and IOAPIC ask of it.
 */
#ifndef HVM_VLAPIC_H
#define HVM_VLAPIC_H

#include "devices/chips.h"

/* LVT entries in the order of their registers 0x32-0x37. */
enum vlapic_lvt {
	VLAPIC_LVT_TIMER,
	VLAPIC_LVT_THERMAL,
	VLAPIC_LVT_PERF,
	VLAPIC_LVT_LINT0,
	VLAPIC_LVT_LINT1,
	VLAPIC_LVT_ERROR,
	VLAPIC_LVT_COUNT,
};

#define LVT_VECTOR     0x000000ffu
#define LVT_DM_SHIFT   8
#define LVT_DM	       0x00000700u
#define LVT_REMOTE_IRR 0x00004000u
#define LVT_LEVEL      0x00008000u
#define LVT_MASKED     0x00010000u
#define LVT_TIMER_MODE 0x00060000u

enum vlapic_timer_mode {
	VLAPIC_TIMER_ONESHOT,
	VLAPIC_TIMER_PERIODIC,
	VLAPIC_TIMER_TSC_DEADLINE,
	VLAPIC_TIMER_RESERVED,
};

/* Covered by vlapic->timer_lock. */
struct vlapic_timer {
	struct hvm_os_timer *os;
	uint32_t initial;      /* TMICT */
	uint32_t divide;       /* TDCR as written */
	bool armed;	       /* deadline_ns holds */
	uint64_t deadline_ns;  /* guest time of the next expiry */
	uint64_t tsc_deadline; /* IA32_TSC_DEADLINE, 0: disarmed */
};

/*
 * Fields are written by their vcpu's thread and read by others, so all of them are accessed with
 * relaxed atomics; irr, tmr and esr are also written by others.
 */
struct vlapic {
	uint32_t irr[8];
	uint32_t tmr[8];
	uint32_t isr[8];
	uint32_t tpr;
	uint32_t svr;
	uint32_t ldr; /* xAPIC form; in x2APIC mode it follows from the id */
	uint32_t dfr;
	uint32_t lvt[VLAPIC_LVT_COUNT];
	uint32_t esr;	      /* as the guest reads it */
	uint32_t esr_pending; /* collected since the last write to ESR */
	uint64_t icr;
	uint64_t apic_base;   /* IA32_APIC_BASE */
	uint32_t lowest_next; /* vcpu 0's: where the next lowest-priority search starts */
	uint32_t id;
	struct vcpu *v;
	struct hvm_os_spinlock timer_lock;
	struct vlapic_timer timer;
};

#define vlapic_get(p)	 __atomic_load_n((p), __ATOMIC_RELAXED)
#define vlapic_set(p, x) __atomic_store_n((p), (x), __ATOMIC_RELAXED)

#define SVR_ENABLED	 0x0100u
#define SVR_NO_BROADCAST 0x1000u /* suppress EOI broadcasts */
#define SVR_VALID	 0x13ffu

#define ESR_SEND_ILLEGAL     0x20u
#define ESR_RECEIVE_ILLEGAL  0x40u
#define ESR_ILLEGAL_REGISTER 0x80u

#define ICR_LOGICAL	    0x0800u
#define ICR_STATUS	    0x1000u
#define ICR_ASSERT	    0x4000u
#define ICR_LEVEL	    0x8000u
#define ICR_SHORTHAND_SHIFT 18
#define ICR_VALID	    0x000ccfffu

#define APIC_BASE_BSP	0x100ull
#define APIC_BASE_EXTD	0x400ull
#define APIC_BASE_EN	0x800ull
#define APIC_BASE_FLAGS (APIC_BASE_BSP | APIC_BASE_EXTD | APIC_BASE_EN)

/* Which bits of each LVT entry the guest may write. */
extern const uint32_t vlapic_lvt_valid[VLAPIC_LVT_COUNT];

/* -- bitmaps of 256 vectors, state ----------------------------------------------------------- */

static inline int vlapic_bitmap_highest(const uint32_t *map)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t word = vlapic_get(&map[i]);

		if (word != 0)
			return i * 32 + 31 - __builtin_clz(word);
	}
	return -1;
}

static inline void vlapic_bitmap_set(uint32_t *map, uint8_t vector)
{
	__atomic_fetch_or(&map[vector >> 5], 1u << (vector & 31), __ATOMIC_RELAXED);
}

static inline void vlapic_bitmap_clear(uint32_t *map, uint8_t vector)
{
	__atomic_fetch_and(&map[vector >> 5], ~(1u << (vector & 31)), __ATOMIC_ACQ_REL);
}

/* ISR has one writer, its vcpu: no locked instruction on the way of every interrupt. */
static inline void vlapic_isr_set(uint32_t *isr, uint8_t vector)
{
	vlapic_set(&isr[vector >> 5], vlapic_get(&isr[vector >> 5]) | 1u << (vector & 31));
}

static inline void vlapic_isr_clear(uint32_t *isr, uint8_t vector)
{
	vlapic_set(&isr[vector >> 5], vlapic_get(&isr[vector >> 5]) & ~(1u << (vector & 31)));
}

static inline bool vlapic_bitmap_test(const uint32_t *map, uint8_t vector)
{
	return vlapic_get(&map[vector >> 5]) >> (vector & 31) & 1;
}

static inline bool vlapic_hw_enabled(const struct vlapic *a)
{
	return vlapic_get(&a->apic_base) & APIC_BASE_EN;
}

static inline bool vlapic_x2(const struct vlapic *a)
{
	return vlapic_get(&a->apic_base) & APIC_BASE_EXTD;
}

static inline bool vlapic_sw_enabled(const struct vlapic *a)
{
	return vlapic_get(&a->svr) & SVR_ENABLED;
}

static inline uint32_t vlapic_ldr(const struct vlapic *a)
{
	if (vlapic_x2(a))
		return a->id >> 4 << 16 | 1u << (a->id & 15);
	return vlapic_get(&a->ldr);
}

static inline uint32_t vlapic_ppr(const struct vlapic *a)
{
	uint32_t tpr = vlapic_get(&a->tpr);
	int isr = vlapic_bitmap_highest(a->isr);

	if (isr < 0 || (tpr & 0xf0) >= ((uint32_t)isr & 0xf0))
		return tpr;
	return (uint32_t)isr & 0xf0;
}

/* -- vlapic_reg.c ---------------------------------------------------------------------------- */
void vlapic_eoi_broadcast(struct vlapic *a, uint8_t vector);

/* -- vlapic.c -------------------------------------------------------------------------------- */
/* Set bits of the error status, and raise the error interrupt for new ones. Any thread. */
void vlapic_error(struct vlapic *a, uint32_t bits);
/* The priority fell: is there something to deliver? */
void vlapic_look_again(struct vlapic *a);
/* Carry out what was written to ICR. @dest: 32 bits in x2APIC mode, else 8. */
void vlapic_ipi(struct vlapic *a, uint32_t icr, uint32_t dest);
/* Registers as at power-on and after INIT; IA32_APIC_BASE stays. */
void vlapic_reset_regs(struct vlapic *a);
/* The interrupt of LVT entry @n, unless masked. Any thread. */
void vlapic_lvt_fire(struct vlapic *a, enum vlapic_lvt n);
/* The PICs' output rose: LINT0 of a vcpu that has it programmed as other than ExtINT. */
void vlapic_lint0_rise(struct vcpu *v);
/* Which vcpus would take a message to @dest? One bit a vcpu id. */
uint32_t vlapic_match(struct domain *d, const struct vcpu *source, uint32_t dest, bool logical);

/* -- vlapic_reg.c: handlers of the memory range ---------------------------------------------- */
int vlapic_mmio_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret);
int vlapic_mmio_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
		      uint64_t value);

/* -- vioapic.c ------------------------------------------------------------------------------- */
/* Pins have two drivers, wired-OR: the lines of core/irq.c, and the HPET's own routing. */
enum vioapic_driver {
	VIOAPIC_DRIVER_LINE,
	VIOAPIC_DRIVER_HPET,
};
void vioapic_drive_pin(struct domain *d, unsigned int pin, enum vioapic_driver who, bool level);
/* Is a pin routed as ExtINT to this vcpu? Lock-free. */
bool vioapic_extint(const struct domain *d, unsigned int vcpu_id);

/* -- vlapic_timer.c -------------------------------------------------------------------------- */
int vlapic_timer_create(struct vlapic *a);
void vlapic_timer_destroy(struct vlapic *a);
void vlapic_timer_reset(struct vlapic *a);
/* TMICT, TMCCT, TDCR, IA32_TSC_DEADLINE. */
void vlapic_timer_write_initial(struct vlapic *a, uint32_t value);
uint32_t vlapic_timer_read_initial(struct vlapic *a);
uint32_t vlapic_timer_read_current(struct vlapic *a);
void vlapic_timer_write_divide(struct vlapic *a, uint32_t value);
uint32_t vlapic_timer_read_divide(struct vlapic *a);
void vlapic_timer_write_tsc_deadline(struct vlapic *a, uint64_t value);
uint64_t vlapic_timer_read_tsc_deadline(struct vlapic *a);
/* The LVT timer entry was written; @old is what it held. */
void vlapic_timer_mode_changed(struct vlapic *a, uint32_t old);
int vlapic_timer_save(struct vlapic *a, struct hvm_save_writer *w);
int vlapic_timer_load(struct vlapic *a, struct hvm_save_reader *r, bool check);

static inline enum vlapic_timer_mode vlapic_timer_mode(uint32_t lvt)
{
	return (enum vlapic_timer_mode)((lvt & LVT_TIMER_MODE) >> 17);
}

#endif
