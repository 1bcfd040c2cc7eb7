/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci_config.c - PCI configuration space of bus 0 through its two ports.
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2 "Software Generation of Configuration
 * Transactions".
 */
#include "io.h"
#include "pci.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc

uint32_t pci_config_read(uint8_t devfn, uint8_t reg, unsigned int bytes)
{
	uint32_t value;

	outl(PCI_ADDRESS, 0x80000000u | (uint32_t)devfn << 8 | (reg & 0xfcu));
	value = inl(PCI_DATA) >> (reg & 3) * 8;
	return bytes == 4 ? value : value & ((1u << bytes * 8) - 1);
}

void pci_config_write(uint8_t devfn, uint8_t reg, unsigned int bytes, uint32_t value)
{
	outl(PCI_ADDRESS, 0x80000000u | (uint32_t)devfn << 8 | (reg & 0xfcu));
	if (bytes == 4)
		outl(PCI_DATA, value);
	else if (bytes == 2)
		outw((uint16_t)(PCI_DATA + (reg & 2)), (uint16_t)value);
	else
		outb((uint16_t)(PCI_DATA + (reg & 3)), (uint8_t)value);
}
