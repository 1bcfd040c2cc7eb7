/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.c - interrupt lines: ISA lines reach the PICs and the IOAPIC, the rest the IOAPIC alone.
 * Called from timer callbacks with a chip's lock held: takes no mutex. Saved by the chips.
 */
#include "devices/chips.h"

#define PIC_CASCADE    2u
#define PIT_IOAPIC_PIN 2u

void hvm_gsi_set(struct domain *d, unsigned int gsi, bool level)
{
	/* The second PIC is on line 2, and the IOAPIC's pin 2 is the timer's. */
	if (gsi >= HVM_GSI_COUNT || gsi == PIC_CASCADE)
		return;
	if (gsi < HVM_ISA_IRQS)
		vpic_set_irq(d, gsi, level);
	vioapic_set_pin(d, gsi == 0 ? PIT_IOAPIC_PIN : gsi, level);
}

void hvm_legacy_replacement(struct domain *d, bool on)
{
	__atomic_store_n(&d->legacy_replacement, on, __ATOMIC_SEQ_CST);
}

void hvm_gsi_set_legacy_timer(struct domain *d, unsigned int gsi, bool level)
{
	if (!__atomic_load_n(&d->legacy_replacement, __ATOMIC_SEQ_CST))
		hvm_gsi_set(d, gsi, level);
}

/* Source: Intel SDM Vol 3A 10.11 "Message Signalled Interrupts". */
int hvm_msi_deliver(struct domain *d, uint64_t address, uint32_t data)
{
	if ((address & ~0xfffffull) != HVM_LAPIC_BASE)
		return -HVM_EINVAL;
	return vlapic_send(d, NULL, (uint32_t)(address >> 12) & 0xff, address & 4,
			   (enum hvm_delivery_mode)((data >> 8) & 7), (uint8_t)data,
			   data & 0x8000) > 0
		       ? 0
		       : -HVM_ENOENT;
}
