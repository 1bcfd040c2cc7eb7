/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * platform.h - processors and chips that hvmloader touches itself.
 */
#ifndef HVMLOADER_PLATFORM_H
#define HVMLOADER_PLATFORM_H

#include "pci.h"
#include "tables.h"

/* platform_find_vendor - log which hypervisor this is, by CPUID leaf 0x40000000. */
void platform_find_vendor(void);
/* platform_setup - PICs' trigger modes, LAPIC of this vcpu, IOAPIC id, MTRRs of every vcpu. */
void platform_setup(const struct machine *m);
/* platform_describe - fill what only the running machine can tell: CPUID, HPET. */
void platform_describe(struct machine *m);
/* realmode_install - copy the real-mode code to its place. Before everything below. */
void realmode_install(void);
/* realmode_run - far call of @segment:@offset in real mode with ax and bx = dx. */
void realmode_run(uint16_t segment, uint16_t offset, uint16_t ax, uint16_t bx);
/* vga_run_rom - copy the VGABIOS from its device's ROM BAR to 0xc0000 and run it. */
void vga_run_rom(const struct pci_bus *bus);

#endif
