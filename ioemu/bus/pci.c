/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.c - PCI bus 0. Owns the configuration space of every device and the state of the pins.
 * Locking: pci.h.
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2 "Software Generation of Configuration
 * Transactions", 6.1 "Configuration Space Organization", 6.2.5 "Base Addresses".
 */
#include "bus/pci.h"

#include <errno.h>
#include <string.h>

#define CONFIG_ADDRESS	      0xcf8u
#define CONFIG_ADDRESS_ENABLE 0x80000000u
#define CONFIG_ADDRESS_MASK   0x80fffffcu

uint32_t pci_config_get(const struct pci_device *dev, unsigned int offset, unsigned int bytes)
{
	uint32_t value = 0;
	unsigned int i;

	for (i = 0; i < bytes && offset + i < PCI_CONFIG_BYTES; i++)
		value |= (uint32_t)dev->config[offset + i] << (8 * i);
	return value;
}

void pci_config_set(struct pci_device *dev, unsigned int offset, unsigned int bytes, uint32_t value)
{
	unsigned int i;

	for (i = 0; i < bytes && offset + i < PCI_CONFIG_BYTES; i++)
		dev->config[offset + i] = (uint8_t)(value >> (8 * i));
}

static void pci_mask_set(struct pci_device *dev, unsigned int offset, unsigned int bytes,
			 uint32_t mask)
{
	unsigned int i;

	for (i = 0; i < bytes && offset + i < PCI_CONFIG_BYTES; i++)
		dev->write_mask[offset + i] = (uint8_t)(mask >> (8 * i));
}

/* Fixed low bits of a BAR. */
static uint32_t pci_bar_type_bits(enum pci_bar_kind kind)
{
	static const uint32_t bits[] = {
		[PCI_BAR_IO] = 0x1,
		[PCI_BAR_MEM] = 0x0,
		[PCI_BAR_MEM_PREFETCH] = 0x8,
	};

	return bits[kind];
}

/* Configuration space as it is after reset. */
static void pci_config_reset(struct pci_device *dev)
{
	const struct pci_device_desc *desc = dev->desc;
	unsigned int i;

	memset(dev->config, 0, sizeof(dev->config));
	memset(dev->write_mask, 0, sizeof(dev->write_mask));
	pci_config_set(dev, PCI_VENDOR_ID, 2, desc->vendor);
	pci_config_set(dev, PCI_DEVICE_ID, 2, desc->device);
	pci_config_set(dev, PCI_COMMAND, 2, desc->command_reset);
	pci_mask_set(dev, PCI_COMMAND, 2, desc->command_mask);
	pci_config_set(dev, PCI_STATUS, 2, desc->status);
	pci_config_set(dev, PCI_REVISION, 4, desc->class_revision);
	pci_mask_set(dev, PCI_CACHE_LINE, 1, 0xff);
	pci_mask_set(dev, PCI_LATENCY, 1, 0xff);
	pci_config_set(dev, PCI_HEADER_TYPE, 1, desc->multifunction ? 0x80 : 0);
	pci_config_set(dev, PCI_SUBSYSTEM_VENDOR, 2, desc->subsystem_vendor);
	pci_config_set(dev, PCI_SUBSYSTEM_ID, 2, desc->subsystem);
	pci_config_set(dev, PCI_INTERRUPT_PIN, 1, desc->interrupt_pin);
	if (desc->interrupt_pin)
		pci_mask_set(dev, PCI_INTERRUPT_LINE, 1, 0xff);
	for (i = 0; i < PCI_BARS; i++) {
		if (desc->bar[i].kind == PCI_BAR_NONE)
			continue;
		pci_config_set(dev, PCI_BAR0 + 4 * i, 4, pci_bar_type_bits(desc->bar[i].kind));
		pci_mask_set(dev, PCI_BAR0 + 4 * i, 4, ~(desc->bar[i].bytes - 1));
	}
	for (i = 0; i < desc->reg_count; i++) {
		const struct pci_config_reg *reg = &desc->regs[i];

		pci_config_set(dev, reg->offset, reg->bytes, reg->reset);
		pci_mask_set(dev, reg->offset, reg->bytes, reg->write_mask);
	}
}

/* Where the registers say that a BAR is decoded; 0 for nowhere. */
static uint64_t pci_bar_wanted(const struct pci_device *dev, unsigned int i)
{
	const struct pci_bar_desc *bar = &dev->desc->bar[i];
	uint32_t command = pci_config_get(dev, PCI_COMMAND, 2);
	uint64_t base = pci_config_get(dev, PCI_BAR0 + 4 * i, 4) & ~(uint64_t)(bar->bytes - 1);

	switch (bar->kind) {
	case PCI_BAR_NONE: return 0;
	case PCI_BAR_IO:
		if (!(command & PCI_COMMAND_IO) || base + bar->bytes > PIO_PORTS)
			return 0;
		return base;
	case PCI_BAR_MEM:
	case PCI_BAR_MEM_PREFETCH:
		/* Also what a guest's sizing pass (all ones) or a base over RAM leaves unmapped. */
		if (!(command & PCI_COMMAND_MEM) || base < PCI_MEM_START ||
		    base + bar->bytes > PCI_MEM_END)
			return 0;
		return base;
	}
	return 0;
}

static void pci_bar_move(struct pci_device *dev, unsigned int i, uint64_t base)
{
	const struct pci_bar_desc *bar = &dev->desc->bar[i];
	uint64_t old = dev->bar_base[i];
	struct io_range range = {
		.base = base,
		.length = bar->bytes,
		.ops = bar->ops,
		.opaque = dev->owner,
		.lock = dev->lock,
	};

	dev->bar_base[i] = base;
	if (!bar->ops) {
		if (dev->desc->bar_moved)
			dev->desc->bar_moved(dev->owner, i, base);
		return;
	}
	if (bar->kind == PCI_BAR_IO) {
		if (old)
			pio_release(dev->bus->pio, old, dev->owner);
		if (base && pio_claim(dev->bus->pio, &range) < 0)
			dev->bar_base[i] = 0;
		return;
	}
	if (old)
		mmio_release(dev->bus->mmio, old, dev->owner);
	if (base && mmio_claim(dev->bus->mmio, &range) < 0)
		dev->bar_base[i] = 0;
}

static void pci_bars_update(struct pci_device *dev)
{
	unsigned int i;

	for (i = 0; i < PCI_BARS; i++) {
		uint64_t base;

		if (dev->desc->bar[i].kind == PCI_BAR_NONE)
			continue;
		base = pci_bar_wanted(dev, i);
		if (base != dev->bar_base[i])
			pci_bar_move(dev, i, base);
	}
}

/* Recompute what the device's pin does to its PIRQ. intx_lock held. */
static void pci_intx_update(struct pci_device *dev)
{
	struct pci_bus *bus = dev->bus;
	unsigned int number = dev->desc->devfn >> 3;
	unsigned int pirq = (number + dev->desc->interrupt_pin - 1u) % PCI_PIRQS;
	uint32_t before = bus->pirq_high[pirq], after;

	if (dev->intx_level && !dev->intx_disabled)
		after = before | (1u << number);
	else
		after = before & ~(1u << number);
	bus->pirq_high[pirq] = after;
	if (!before == !after)
		return;
	irq_line_set(bus->irq, 16 + pirq, IRQ_SOURCE_DEVICE, after != 0);
	if (bus->pirq_changed)
		bus->pirq_changed(bus->pirq_opaque, pirq, after != 0);
}

void pci_intx_set(struct pci_device *dev, bool level)
{
	if (!dev->desc->interrupt_pin)
		return;
	pthread_mutex_lock(&dev->bus->intx_lock);
	dev->intx_level = level;
	pci_intx_update(dev);
	pthread_mutex_unlock(&dev->bus->intx_lock);
}

bool pci_may_dma(const struct pci_device *dev)
{
	return __atomic_load_n(&dev->config[PCI_COMMAND], __ATOMIC_RELAXED) & PCI_COMMAND_MASTER;
}

static void pci_config_write(struct pci_device *dev, unsigned int offset, unsigned int bytes,
			     uint32_t value)
{
	unsigned int i;

	for (i = 0; i < bytes && offset + i < PCI_CONFIG_BYTES; i++) {
		uint8_t mask = dev->write_mask[offset + i];
		uint8_t byte = (uint8_t)(value >> (8 * i));
		uint8_t old = dev->config[offset + i];

		__atomic_store_n(&dev->config[offset + i], (uint8_t)((old & ~mask) | (byte & mask)),
				 __ATOMIC_RELAXED);
	}
	if (offset < PCI_BAR0 + 4 * PCI_BARS)
		pci_bars_update(dev);
	if (offset < PCI_STATUS && dev->desc->interrupt_pin) {
		pthread_mutex_lock(&dev->bus->intx_lock);
		dev->intx_disabled = pci_config_get(dev, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE;
		pci_intx_update(dev);
		pthread_mutex_unlock(&dev->bus->intx_lock);
	}
	if (dev->desc->config_written)
		dev->desc->config_written(dev->owner, offset, bytes);
}

static uint32_t pci_config_read(struct pci_device *dev, unsigned int offset, unsigned int bytes)
{
	uint32_t value = pci_config_get(dev, offset, bytes);

	if (offset <= PCI_STATUS && offset + bytes > PCI_STATUS) {
		pthread_mutex_lock(&dev->bus->intx_lock);
		if (dev->intx_level)
			value |= PCI_STATUS_INTX << (8 * (PCI_STATUS - offset));
		pthread_mutex_unlock(&dev->bus->intx_lock);
	}
	return value;
}

/* The device and register that the address register selects; NULL: nobody answers. */
static struct pci_device *pci_selected(struct pci_bus *bus)
{
	uint32_t address = bus->config_address;

	if (!(address & CONFIG_ADDRESS_ENABLE) || (address >> 16 & 0xff) != 0)
		return NULL;
	return bus->device[address >> 8 & 0xff];
}

/* Ports 0xcf8-0xcff. The address register takes only whole dwords; bytes there are other ports. */
static uint64_t pci_port_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct pci_bus *bus = opaque;
	struct pci_device *dev;

	if (offset >= 4) {
		unsigned int reg = (bus->config_address & 0xfc) + (unsigned int)(offset & 3);

		dev = pci_selected(bus);
		return dev ? pci_config_read(dev, reg, bytes) : ~0ull;
	}
	if (offset == 0 && bytes == 4)
		return bus->config_address;
	if (offset == 1 && bytes == 1 && bus->cf9)
		return bus->cf9->read(bus->cf9_opaque, 0, 1);
	return ~0ull;
}

static void pci_port_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct pci_bus *bus = opaque;
	struct pci_device *dev;

	if (offset >= 4) {
		unsigned int reg = (bus->config_address & 0xfc) + (unsigned int)(offset & 3);

		dev = pci_selected(bus);
		if (dev)
			pci_config_write(dev, reg, bytes, (uint32_t)value);
	} else if (offset == 0 && bytes == 4) {
		bus->config_address = (uint32_t)value & CONFIG_ADDRESS_MASK;
	} else if (offset == 1 && bytes == 1 && bus->cf9) {
		bus->cf9->write(bus->cf9_opaque, 0, 1, value);
	}
}

static const struct io_ops pci_port_ops = {
	.name = "pci-config",
	.max_bytes = 4,
	.read = pci_port_read,
	.write = pci_port_write,
};

int pci_init(struct pci_bus *bus, struct pio_bus *pio, struct mmio_bus *mmio, struct irq_lines *irq)
{
	const struct io_range range = {
		.base = CONFIG_ADDRESS,
		.length = 8,
		.ops = &pci_port_ops,
		.opaque = bus,
		.lock = &bus->lock,
	};

	memset(bus, 0, sizeof(*bus));
	bus->pio = pio;
	bus->mmio = mmio;
	bus->irq = irq;
	pthread_mutex_init(&bus->lock, NULL);
	pthread_mutex_init(&bus->intx_lock, NULL);
	return pio_claim(pio, &range);
}

void pci_fini(struct pci_bus *bus)
{
	pthread_mutex_destroy(&bus->lock);
	pthread_mutex_destroy(&bus->intx_lock);
}

int pci_attach(struct pci_bus *bus, struct pci_device *dev, const struct pci_device_desc *desc,
	       void *owner, pthread_mutex_t *lock)
{
	if (bus->device[desc->devfn])
		return -EEXIST;
	memset(dev, 0, sizeof(*dev));
	dev->desc = desc;
	dev->bus = bus;
	dev->owner = owner;
	dev->lock = lock;
	pci_config_reset(dev);
	bus->device[desc->devfn] = dev;
	return 0;
}

void pci_reset(struct pci_bus *bus)
{
	unsigned int devfn;

	pthread_mutex_lock(&bus->lock);
	bus->config_address = 0;
	for (devfn = 0; devfn < 256; devfn++) {
		struct pci_device *dev = bus->device[devfn];

		if (!dev)
			continue;
		pci_config_reset(dev);
		pci_bars_update(dev);
		if (dev->desc->config_written)
			dev->desc->config_written(dev->owner, 0, PCI_CONFIG_BYTES);
		pthread_mutex_lock(&bus->intx_lock);
		dev->intx_level = false;
		dev->intx_disabled = false;
		if (dev->desc->interrupt_pin)
			pci_intx_update(dev);
		pthread_mutex_unlock(&bus->intx_lock);
	}
	pthread_mutex_unlock(&bus->lock);
}
