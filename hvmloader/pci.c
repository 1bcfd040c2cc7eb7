/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.c - PCI set-up of bus 0, as firmware does it before any operating system runs. State: struct
 * pci_bus, the caller's. Everything else is in the devices.
 * Source: PCI Local Bus Specification 3.0 ch. 6 "Configuration Space"; Intel 82371SB (PIIX3) and
 * 82371AB (PIIX4) datasheets.
 */
#include "pci.h"

#include "lib.h"
#include "tables.h"

#define PCI_VENDOR	0x00
#define PCI_DEVICE	0x02
#define PCI_COMMAND	0x04
#define PCI_CLASS	0x0a
#define PCI_HEADER	0x0e
#define PCI_BAR0	0x10
#define PCI_INT_LINE	0x3c
#define PCI_INT_PIN	0x3d
#define PCI_COMMAND_IO	0x1
#define PCI_COMMAND_MEM 0x2
#define PCI_MULTI	0x80

#define PCI_IO_FIRST   0xc000u
#define PCI_IO_END     0x10000u
#define PCI_MMIO_FIRST PCI_HOLE
#define PCI_MMIO_END   IOAPIC_GPA

#define VENDOR_INTEL	 0x8086
#define DEVICE_PIIX3	 0x7000
#define DEVICE_PIIX3_IDE 0x7010
#define DEVICE_PIIX4_PM	 0x7113
#define PIIX3_PIRQRC	 0x60
#define PIIX_IDETIM	 0x40
#define IDETIM_DECODE	 0x8000
#define PIIX4_PMBASE	 0x40
#define PIIX4_PMREGMISC	 0x80

/* PIRQ A-D while the PICs are in use. */
static const uint8_t pirq_isa_irq[4] = { 10, 11, 10, 11 };

/* One BAR waiting for a place. */
struct pci_request {
	uint64_t bytes;
	uint8_t function;
	uint8_t bar;
};

uint8_t pci_isa_irq(uint8_t devfn, uint8_t pin)
{
	return pirq_isa_irq[((devfn >> 3) + pin) & 3];
}

static uint8_t bar_reg(unsigned int bar)
{
	return (uint8_t)(bar == PCI_BAR_ROM ? PCI_REG_ROM : PCI_BAR0 + bar * 4);
}

/* Write ones, read the size back, restore. */
static void pci_size_bar(const struct pci_function *f, unsigned int i, struct pci_bar *ret)
{
	uint8_t reg = bar_reg(i);
	uint32_t old = pci_config_read(f->devfn, reg, 4);
	uint32_t ones = i == PCI_BAR_ROM ? 0xfffffffeu : 0xffffffffu;
	uint32_t probe;

	pci_config_write(f->devfn, reg, 4, ones);
	probe = pci_config_read(f->devfn, reg, 4);
	pci_config_write(f->devfn, reg, 4, old);
	memset(ret, 0, sizeof(*ret));
	if (!probe || probe == 0xffffffffu)
		return;
	if (i == PCI_BAR_ROM) {
		probe &= 0xfffff800u;
	} else if (probe & 1) {
		ret->io = true;
		probe = (probe & 0xfffcu) | 0xffff0000u; /* devices may decode 16 bits only */
	} else {
		ret->is_64 = (probe & 6) == 4 && i < 5;
		probe &= 0xfffffff0u;
	}
	ret->bytes = probe ? (uint32_t)(~probe + 1) : 0;
	if (!ret->is_64)
		return;
	/* Sizes of 4 GiB and more have nothing in the low half: they never fit below 4 GiB. */
	pci_config_write(f->devfn, (uint8_t)(reg + 4), 4, 0xffffffffu);
	if (!ret->bytes && pci_config_read(f->devfn, (uint8_t)(reg + 4), 4))
		ret->bytes = 0x100000000ull;
	pci_config_write(f->devfn, (uint8_t)(reg + 4), 4, 0);
}

static void pci_probe_function(struct pci_bus *bus, uint8_t devfn)
{
	struct pci_function *f = &bus->function[bus->count];
	uint32_t id = pci_config_read(devfn, PCI_VENDOR, 4);

	if ((id & 0xffff) == 0xffff || !(id & 0xffff) || bus->count == PCI_MAX_FUNCTIONS)
		return;
	memset(f, 0, sizeof(*f));
	f->devfn = devfn;
	f->vendor = (uint16_t)id;
	f->device = (uint16_t)(id >> 16);
	f->class_code = (uint16_t)pci_config_read(devfn, PCI_CLASS, 2);
	f->header = (uint8_t)pci_config_read(devfn, PCI_HEADER, 1) & 0x7f;
	f->pin = (uint8_t)pci_config_read(devfn, PCI_INT_PIN, 1);
	if (f->pin > 4)
		f->pin = 0;
	bus->count++;
	if (f->header)
		return;
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		pci_size_bar(f, i, &f->bar[i]);
		if (f->bar[i].is_64)
			i++; /* the next register is the upper half */
	}
}

static void pci_enumerate(struct pci_bus *bus)
{
	for (unsigned int device = 0; device < 32; device++) {
		uint8_t devfn = (uint8_t)(device << 3);
		unsigned int functions = 1;

		if (pci_config_read(devfn, PCI_VENDOR, 2) == 0xffff)
			continue;
		if (pci_config_read(devfn, PCI_HEADER, 1) & PCI_MULTI)
			functions = 8;
		for (unsigned int i = 0; i < functions; i++)
			pci_probe_function(bus, (uint8_t)(devfn | i));
	}
}

/* Place one BAR; a BAR that finds no room stays unset and is not decoded. */
static bool pci_place(struct pci_bus *bus, const struct pci_function *f, unsigned int i)
{
	const struct pci_bar *bar = &f->bar[i];
	uint32_t *next = bar->io ? &bus->io_next : &bus->mmio_next;
	uint32_t end = bar->io ? PCI_IO_END : PCI_MMIO_END;
	uint64_t at = (*next + bar->bytes - 1) & ~(bar->bytes - 1);

	if (at > end || bar->bytes > end - at) {
		log_printf("hvmloader: pci %x.%u: no room for BAR %u\n", f->devfn >> 3,
			   f->devfn & 7, i);
		return false;
	}
	pci_config_write(f->devfn, bar_reg(i), 4, (uint32_t)at);
	if (bar->is_64)
		pci_config_write(f->devfn, (uint8_t)(bar_reg(i) + 4), 4, 0);
	*next = (uint32_t)(at + bar->bytes);
	return true;
}

/* Every BAR into one list, largest first, so that natural alignment wastes nothing. */
static unsigned int pci_collect(const struct pci_bus *bus, struct pci_request *list)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < bus->count; i++) {
		for (unsigned int b = 0; b < PCI_BARS; b++) {
			struct pci_request r = { bus->function[i].bar[b].bytes, (uint8_t)i,
						 (uint8_t)b };
			unsigned int at = n;

			if (!r.bytes)
				continue;
			for (; at && list[at - 1].bytes < r.bytes; at--)
				list[at] = list[at - 1];
			list[at] = r;
			n++;
		}
	}
	return n;
}

static void pci_assign(struct pci_bus *bus)
{
	static struct pci_request list[PCI_MAX_FUNCTIONS * PCI_BARS];
	unsigned int n = pci_collect(bus, list);

	bus->io_next = PCI_IO_FIRST;
	bus->mmio_next = PCI_MMIO_FIRST;
	for (unsigned int i = 0; i < n; i++) {
		const struct pci_function *f = &bus->function[list[i].function];
		uint32_t command = pci_config_read(f->devfn, PCI_COMMAND, 2);

		if (!pci_place(bus, f, list[i].bar) || list[i].bar == PCI_BAR_ROM)
			continue;
		command |= f->bar[list[i].bar].io ? PCI_COMMAND_IO : PCI_COMMAND_MEM;
		pci_config_write(f->devfn, PCI_COMMAND, 2, command);
	}
}

static void pci_command_set(const struct pci_function *f, uint32_t bits)
{
	pci_config_write(f->devfn, PCI_COMMAND, 2,
			 pci_config_read(f->devfn, PCI_COMMAND, 2) | bits);
}

/* What only this chip needs. */
static void pci_quirks(const struct pci_function *f)
{
	if (f->class_code == PCI_CLASS_VGA)
		pci_command_set(f, PCI_COMMAND_IO | PCI_COMMAND_MEM);
	if (f->vendor != VENDOR_INTEL)
		return;
	if (f->device == DEVICE_PIIX3) {
		for (unsigned int i = 0; i < 4; i++)
			pci_config_write(f->devfn, (uint8_t)(PIIX3_PIRQRC + i), 1, pirq_isa_irq[i]);
	}
	if (f->device == DEVICE_PIIX3_IDE) {
		/* Both channels decode their legacy ports; drivers look at these bits. */
		pci_config_write(f->devfn, PIIX_IDETIM, 2, IDETIM_DECODE);
		pci_config_write(f->devfn, PIIX_IDETIM + 2, 2, IDETIM_DECODE);
		pci_command_set(f, PCI_COMMAND_IO);
	}
	if (f->device == DEVICE_PIIX4_PM) {
		pci_config_write(f->devfn, PIIX4_PMBASE, 4, PM_PORT | 1);
		pci_config_write(f->devfn, PIIX4_PMREGMISC, 1, 1);
		pci_config_write(f->devfn, PCI_INT_LINE, 1, SCI_IRQ);
	}
}

void pci_setup(struct pci_bus *bus)
{
	bus->count = 0;
	pci_enumerate(bus);
	pci_assign(bus);
	for (unsigned int i = 0; i < bus->count; i++) {
		const struct pci_function *f = &bus->function[i];

		if (f->pin)
			pci_config_write(f->devfn, PCI_INT_LINE, 1,
					 pci_isa_irq(f->devfn, (uint8_t)(f->pin - 1)));
		pci_quirks(f);
	}
	log_printf("hvmloader: pci: %u functions, io to %x, mmio to %x\n", bus->count, bus->io_next,
		   bus->mmio_next);
}

const struct pci_function *pci_find_class(const struct pci_bus *bus, uint16_t class_code)
{
	for (unsigned int i = 0; i < bus->count; i++) {
		if (bus->function[i].class_code == class_code)
			return &bus->function[i];
	}
	return NULL;
}
