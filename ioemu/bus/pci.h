/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.h - PCI bus 0: configuration mechanism #1, type 0 headers, BARs, INTx.
 *
 * A device is one literal struct pci_device_desc and an embedded struct pci_device.
 * Locking: pci->lock around every configuration access and the hooks called from it; intx_lock
 * around the levels of the pins. Order: device lock or pci->lock, then intx_lock, then irq lines.
 */
#ifndef IOEMU_PCI_H
#define IOEMU_PCI_H

#include "bus/irq.h"
#include "bus/mmio.h"
#include "bus/pio.h"

#define PCI_BARS	 6
#define PCI_CONFIG_BYTES 256
#define PCI_DEVFN(d, f)	 ((uint8_t)((d) << 3 | (f)))
#define PCI_PIRQS	 4
/* Where memory BARs may lie: the hole, below IOAPIC, HPET and LAPIC. */
#define PCI_MEM_START	 0xe0000000ull
#define PCI_MEM_END	 0xfec00000ull

enum pci_register {
	PCI_VENDOR_ID = 0x00,
	PCI_DEVICE_ID = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CACHE_LINE = 0x0c,
	PCI_LATENCY = 0x0d,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM_ID = 0x2e,
	PCI_ROM_BAR = 0x30,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
};

#define PCI_COMMAND_IO		 0x0001u
#define PCI_COMMAND_MEM		 0x0002u
#define PCI_COMMAND_MASTER	 0x0004u
#define PCI_COMMAND_INTX_DISABLE 0x0400u
#define PCI_STATUS_INTX		 0x0008u

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_IO,
	PCI_BAR_MEM,
	PCI_BAR_MEM_PREFETCH,
};

struct pci_bar_desc {
	enum pci_bar_kind kind;
	uint32_t bytes;		  /* a power of two */
	const struct io_ops *ops; /* NULL: the device maps it itself in bar_moved() */
};

/* Registers beyond the standard header: what they hold at reset and which bits may be written. */
struct pci_config_reg {
	uint8_t offset;
	uint8_t bytes; /* 1, 2 or 4 */
	uint32_t reset;
	uint32_t write_mask;
};

struct pci_device;

struct pci_device_desc {
	const char *name;
	uint8_t devfn;
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class_revision; /* class << 8 | revision, as the dword at 0x08 */
	uint16_t status;
	uint8_t multifunction;
	uint8_t interrupt_pin;	/* 0 none, 1 INTA ... */
	uint16_t command_reset; /* bits set after reset */
	uint16_t command_mask;	/* bits that may be written */
	struct pci_bar_desc bar[PCI_BARS];
	const struct pci_config_reg *regs;
	unsigned int reg_count;
	/* After a write to [offset, offset + bytes); may be NULL. pci->lock held. */
	void (*config_written)(void *owner, unsigned int offset, unsigned int bytes);
	/* A BAR without ops is now decoded at @base, or nowhere (0). pci->lock held. */
	void (*bar_moved)(void *owner, unsigned int bar, uint64_t base);
};

struct pci_device {
	const struct pci_device_desc *desc;
	struct pci_bus *bus;
	void *owner;
	pthread_mutex_t *lock; /* the owner's, for its BAR ranges */
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t write_mask[PCI_CONFIG_BYTES];
	uint64_t bar_base[PCI_BARS]; /* where decoded now; 0: nowhere */
	bool intx_level;	     /* intx_lock */
	bool intx_disabled;	     /* intx_lock */
};

struct pci_bus {
	pthread_mutex_t lock;
	pthread_mutex_t intx_lock;
	struct pio_bus *pio;
	struct mmio_bus *mmio;
	struct irq_lines *irq;
	struct pci_device *device[256]; /* by devfn */
	uint32_t config_address;
	uint32_t pirq_high[PCI_PIRQS]; /* bit per device number; intx_lock */
	/* Port 0xcf9 lies inside the address register; a byte access there goes here. */
	const struct io_ops *cf9;
	void *cf9_opaque;
	/* Level of a PIRQ changed: the ISA bridge routes it. intx_lock held. */
	void (*pirq_changed)(void *opaque, unsigned int pirq, bool level);
	void *pirq_opaque;
};

/* pci_init - an empty bus on ports 0xcf8-0xcff. 0 or -errno. */
int pci_init(struct pci_bus *bus, struct pio_bus *pio, struct mmio_bus *mmio,
	     struct irq_lines *irq);
void pci_fini(struct pci_bus *bus);
/*
 * pci_attach - put a device on the bus, in its reset state. @owner is what hooks and BAR handlers
 * get; @lock (may be NULL) is taken around BAR handlers. -EEXIST the devfn is taken.
 */
int pci_attach(struct pci_bus *bus, struct pci_device *dev, const struct pci_device_desc *desc,
	       void *owner, pthread_mutex_t *lock);
/* pci_reset - every device's configuration to its reset state, BARs off, pins low. */
void pci_reset(struct pci_bus *bus);
/* pci_intx_set - drive the device's interrupt pin. */
void pci_intx_set(struct pci_device *dev, bool level);
/* May the device master the bus now? Read by DMA engines; no lock needed. */
bool pci_may_dma(const struct pci_device *dev);

uint32_t pci_config_get(const struct pci_device *dev, unsigned int offset, unsigned int bytes);
/* Sets bytes regardless of the write mask; pci->lock held, or before the vcpus run. */
void pci_config_set(struct pci_device *dev, unsigned int offset, unsigned int bytes,
		    uint32_t value);

#endif
