/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.h - PCI bus 0: what is there, and its resources.
 */
#ifndef HVMLOADER_PCI_H
#define HVMLOADER_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_MAX_FUNCTIONS 64
#define PCI_BARS	  7 /* six, and the expansion ROM */
#define PCI_BAR_ROM	  6

struct pci_bar {
	uint64_t bytes; /* 0: none */
	bool io;
	bool is_64;
};

struct pci_function {
	uint8_t devfn;
	uint8_t pin; /* 0: none, 1: INTA */
	uint16_t vendor, device;
	uint16_t class_code; /* base class and subclass */
	uint8_t header;
	struct pci_bar bar[PCI_BARS];
};

struct pci_bus {
	unsigned int count;
	struct pci_function function[PCI_MAX_FUNCTIONS];
	uint32_t io_next, mmio_next; /* first free */
};

/* Configuration space of bus 0; platform.c in the guest, a fake in tests. */
uint32_t pci_config_read(uint8_t devfn, uint8_t reg, unsigned int bytes);
void pci_config_write(uint8_t devfn, uint8_t reg, unsigned int bytes, uint32_t value);

/* pci_setup - enumerate bus 0, assign BARs and interrupts, set the PIIX3 and PIIX4 up. */
void pci_setup(struct pci_bus *bus);
/* ISA interrupt of INTx (0: INTA) of @devfn while the PICs are in use. */
uint8_t pci_isa_irq(uint8_t devfn, uint8_t pin);
const struct pci_function *pci_find_class(const struct pci_bus *bus, uint16_t class_code);

#define PCI_CLASS_VGA 0x0300
#define PCI_CLASS_IDE 0x0101
#define PCI_REG_ROM   0x30

#endif
