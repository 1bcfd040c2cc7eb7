/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chips.h - the interrupt controllers and clocks inside the core, as the core and each other see
 * them. One chip a file; each registers its ports or memory with core/intercept.c.
 */
#ifndef HVM_CHIPS_H
#define HVM_CHIPS_H

#include "core/domain.h"

#define HVM_ISA_IRQS	16
#define HVM_IOAPIC_PINS 24
#define HVM_GSI_COUNT	24

#define HVM_IOAPIC_BASE 0xfec00000ull
#define HVM_HPET_BASE	0xfed00000ull
#define HVM_LAPIC_BASE	0xfee00000ull
#define HVM_PM_BASE	0xb000u /* PIIX4 power management I/O base; its timer is at +8 */
#define HVM_PMTMR_PORT	(HVM_PM_BASE + 8)

enum hvm_delivery_mode {
	HVM_DM_FIXED,
	HVM_DM_LOWEST,
	HVM_DM_SMI,
	HVM_DM_REMOTE_READ,
	HVM_DM_NMI,
	HVM_DM_INIT,
	HVM_DM_SIPI,
	HVM_DM_EXTINT,
};

/*
 * -- vlapic_hw.c: the LAPIC in hardware, for a vendor whose processor keeps its registers in a page
 * while the vcpu runs (page aligned, zeroed at first, the vcpu's own).
 */
struct vlapic_hw {
	uint8_t requested, in_service; /* highest vectors, 0: none */
	uint64_t eoi_exit[4];	       /* vectors whose end the I/O APICs must learn of */
};
/* vlapic_hw_usable - the guest reaches its LAPIC in memory. */
bool vlapic_hw_usable(struct vcpu *v);
/* vlapic_hw_fill - all registers that the guest may read there; after the LAPIC was changed here.
 */
void vlapic_hw_fill(struct vcpu *v, uint8_t *page);
/* vlapic_hw_lend, vlapic_hw_take_back - before each entry, after each exit. */
void vlapic_hw_lend(struct vcpu *v, uint8_t *page, struct vlapic_hw *ret);
void vlapic_hw_take_back(struct vcpu *v, uint8_t *page);
/*
 * The same for most entries and exits: vlapic_hw_is_idle: nothing is requested or in service. Lend
 * so if the page says the same, take back so if it does after the exit.
 */
bool vlapic_hw_is_idle(const struct vcpu *v);
void vlapic_hw_lend_idle(const struct vcpu *v, uint8_t *page);
void vlapic_hw_take_back_idle(struct vcpu *v, uint8_t *page);
/* vlapic_hw_written - the guest has written the register at @offset of the page. Taken back. */
void vlapic_hw_written(struct vcpu *v, uint8_t *page, unsigned int offset);
/* vlapic_hw_eoi - it has ended @vector, one of eoi_exit. */
void vlapic_hw_eoi(struct vcpu *v, uint8_t vector);

/* -- vlapic.c: one per vcpu. irr is atomic: any thread may deliver. */
int vlapic_create(struct vcpu *v);
void vlapic_destroy(struct vcpu *v);
void vlapic_reset(struct vcpu *v, bool init); /* INIT keeps the APIC id and base */
/* Fixed interrupt @vector into IRR (level: into TMR), then wakes the vcpu. Any thread. */
void vlapic_accept(struct vcpu *v, uint8_t vector, bool level);
/* A message to @dest (as in ICR/redirection entry/MSI). Returns how many vcpus took it. */
int vlapic_send(struct domain *d, struct vcpu *source, uint32_t dest, bool logical,
		enum hvm_delivery_mode mode, uint8_t vector, bool level);
/* Highest vector that may be injected now (above PPR), or -1. */
int vlapic_pending_vector(struct vcpu *v);
/* Would an interrupt be delivered if only the task priority were lower? */
bool vlapic_waits_for_tpr(struct vcpu *v);
/* Move @vector from IRR to ISR: it is being delivered. */
void vlapic_ack(struct vcpu *v, uint8_t vector);
/* Does this vcpu take PIC interrupts (LINT0 as ExtINT, or APIC off on the boot processor)? */
bool vlapic_accepts_pic(struct vcpu *v);
bool vlapic_lint1_nmi(struct vcpu *v);
uint64_t vlapic_cr8_read(struct vcpu *v);
void vlapic_cr8_write(struct vcpu *v, uint64_t value);
/* IA32_APIC_BASE, IA32_TSC_DEADLINE and 0x800-0x8ff. -HVM_EINVAL: #GP. */
int vlapic_msr_read(struct vcpu *v, uint32_t index, uint64_t *ret);
int vlapic_msr_write(struct vcpu *v, uint32_t index, uint64_t value);
/* CPUID.1:EDX.APIC follows this. */
bool vlapic_is_enabled(struct vcpu *v);
uint32_t vlapic_id(struct vcpu *v);

/* -- vioapic.c --------------------------------------------------------------------------------- */
int vioapic_create(struct domain *d);
void vioapic_destroy(struct domain *d);
void vioapic_reset(struct domain *d);
void vioapic_set_pin(struct domain *d, unsigned int pin, bool level);
/* A LAPIC finished a level-triggered vector: clear remote IRR, send again if still asserted. */
void vioapic_eoi(struct domain *d, uint8_t vector);

/* -- vpic.c: both 8259s ------------------------------------------------------------------------ */
int vpic_create(struct domain *d);
void vpic_destroy(struct domain *d);
void vpic_reset(struct domain *d);
void vpic_set_irq(struct domain *d, unsigned int irq, bool level);
bool vpic_has_intr(struct domain *d);
/* INTA: vector of the highest request (spurious 7/15 if it went away). */
int vpic_ack(struct domain *d);

/* -- vpit.c, vrtc.c, vhpet.c, vpmtmr.c --------------------------------------------------------- */
int vpit_create(struct domain *d);
void vpit_destroy(struct domain *d);
void vpit_reset(struct domain *d);
int vrtc_create(struct domain *d);
void vrtc_destroy(struct domain *d);
void vrtc_reset(struct domain *d);
int vrtc_cmos_write(struct domain *d, unsigned int index, uint8_t value);
int vhpet_create(struct domain *d);
void vhpet_destroy(struct domain *d);
void vhpet_reset(struct domain *d);
int vpmtmr_create(struct domain *d);
void vpmtmr_destroy(struct domain *d);
/* Guest time was paused, resumed or jumped: re-arm what is armed. */
void vpit_time_changed(struct domain *d);
void vrtc_time_changed(struct domain *d);
void vhpet_time_changed(struct domain *d);
void vlapic_time_changed(struct vcpu *v);

/* -- core/irq.c: lines ------------------------------------------------------------------------- */
/* As hvm_irq_set(); for chips (PIT: 0, RTC: 8, HPET) and ioemu. Any thread. */
void hvm_gsi_set(struct domain *d, unsigned int gsi, bool level);
/* HPET legacy replacement: PIT and RTC interrupts are cut off while on. */
void hvm_legacy_replacement(struct domain *d, bool on);
/* hvm_gsi_set() for the PIT and RTC: dropped while HPET legacy replacement is on. */
void hvm_gsi_set_legacy_timer(struct domain *d, unsigned int gsi, bool level);
/* MSI from a core chip or from ioemu. */
int hvm_msi_deliver(struct domain *d, uint64_t address, uint32_t data);

/* -- save records of the chips (core/save.c calls them; format in docs) ------------------------ */
#include "core/save.h"
int vlapic_save(struct vcpu *v, struct hvm_save_writer *w);
int vlapic_load(struct vcpu *v, struct hvm_save_reader *r, bool check);
#define HVM_CHIP_SAVE(chip) \
	int chip##_save(struct domain *d, struct hvm_save_writer *w); \
	int chip##_load(struct domain *d, struct hvm_save_reader *r, bool check);
HVM_CHIP_SAVE(vioapic)
HVM_CHIP_SAVE(vpic)
HVM_CHIP_SAVE(vpit)
HVM_CHIP_SAVE(vrtc)
HVM_CHIP_SAVE(vhpet)
HVM_CHIP_SAVE(vpmtmr)

#endif
