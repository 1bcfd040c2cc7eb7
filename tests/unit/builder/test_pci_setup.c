/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_pci_setup.c - hvmloader's PCI set-up against a bus made of memory: BARs sized and placed,
 * interrupts routed, chips of the PIIX3 set up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hvmloader/lib.h"
#include "hvmloader/pci.h"

/* One function: 256 bytes, and which bits of its BARs can be written. */
struct fake_function {
	uint8_t config[256];
	uint32_t bar_mask[PCI_BARS];
};
static struct fake_function *bus_slot[256];

void log_printf(const char *format, ...)
{
	(void)format;
}

static int bar_index(uint8_t reg)
{
	if (reg >= 0x10 && reg < 0x28)
		return (reg - 0x10) / 4;
	return reg >= 0x30 && reg < 0x34 ? PCI_BAR_ROM : -1;
}

uint32_t pci_config_read(uint8_t devfn, uint8_t reg, unsigned int bytes)
{
	uint32_t value = 0xffffffff;

	assert_true(reg % bytes == 0);
	if (bus_slot[devfn])
		memcpy(&value, bus_slot[devfn]->config + (reg & 0xfc), 4);
	value >>= (reg & 3) * 8;
	return bytes == 4 ? value : value & ((1u << bytes * 8) - 1);
}

void pci_config_write(uint8_t devfn, uint8_t reg, unsigned int bytes, uint32_t value)
{
	struct fake_function *f = bus_slot[devfn];
	int bar = bar_index(reg);

	assert_non_null(f);
	assert_true(reg % bytes == 0);
	if (bar >= 0) {
		uint32_t old;

		assert_int_equal(bytes, 4);
		memcpy(&old, f->config + reg, 4);
		value = (value & f->bar_mask[bar]) | (old & ~f->bar_mask[bar]);
	}
	memcpy(f->config + reg, &value, bytes);
}

static void fake_add(struct fake_function *f, uint8_t devfn, uint32_t id, uint16_t class_code,
		     uint8_t pin)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->config, &id, 4);
	memcpy(f->config + 0x0a, &class_code, 2);
	f->config[0x3d] = pin;
	bus_slot[devfn] = f;
}

static void fake_bar(struct fake_function *f, unsigned int i, uint32_t bytes, uint32_t type)
{
	uint8_t reg = (uint8_t)(i == PCI_BAR_ROM ? 0x30 : 0x10 + i * 4);

	f->bar_mask[i] = ~(bytes - 1);
	if (i == PCI_BAR_ROM)
		f->bar_mask[i] |= 1;
	memcpy(f->config + reg, &type, 4);
}

static struct fake_function host, isa, ide, pm, vga, nic, extra;
static struct pci_bus bus;

static int setup(void **state)
{
	(void)state;
	memset(bus_slot, 0, sizeof(bus_slot));
	fake_add(&host, 0x00, 0x12378086, 0x0600, 0);
	fake_add(&isa, 0x08, 0x70008086, 0x0601, 0);
	isa.config[0x0e] = 0x80;
	fake_add(&ide, 0x09, 0x70108086, 0x0101, 0);
	fake_bar(&ide, 4, 16, 1);
	fake_add(&pm, 0x0b, 0x71138086, 0x0680, 1);
	fake_add(&vga, 0x10, 0x11111234, 0x0300, 0);
	fake_bar(&vga, 0, 16 << 20, 8);
	fake_bar(&vga, 2, 4096, 0);
	fake_bar(&vga, PCI_BAR_ROM, 65536, 0);
	fake_add(&nic, 0x18, 0x10001af4, 0x0200, 1);
	fake_bar(&nic, 0, 32, 1);
	fake_bar(&nic, 4, 16384, 0xc); /* 64 bits, prefetchable */
	fake_bar(&nic, 5, 0, 0);
	nic.bar_mask[5] = 0xffffffff;
	return 0;
}

static uint32_t reg32(const struct fake_function *f, uint8_t reg)
{
	uint32_t value;

	memcpy(&value, f->config + reg, 4);
	return value;
}

static void bars_are_placed_aligned_and_apart(void **state)
{
	(void)state;
	pci_setup(&bus);
	assert_int_equal(bus.count, 6);
	assert_int_equal(reg32(&vga, 0x10), 0xe0000008);
	assert_int_equal(reg32(&vga, 0x30), 0xe1000000);
	assert_int_equal(reg32(&nic, 0x20), 0xe101000c);
	assert_int_equal(reg32(&nic, 0x24), 0);
	assert_int_equal(reg32(&vga, 0x18), 0xe1014000);
	assert_int_equal(reg32(&nic, 0x10), 0xc001);
	assert_int_equal(reg32(&ide, 0x20), 0xc021);
}

static void decoding_is_enabled_for_what_was_placed(void **state)
{
	(void)state;
	pci_setup(&bus);
	assert_int_equal(vga.config[4] & 3, 3);
	assert_int_equal(nic.config[4] & 3, 3);
	assert_int_equal(ide.config[4] & 3, 1);
	assert_int_equal(host.config[4] & 3, 0);
	assert_int_equal(reg32(&vga, 0x30) & 1, 0);
}

static void interrupts_follow_device_and_pin(void **state)
{
	(void)state;
	pci_setup(&bus);
	assert_int_equal(isa.config[0x60], 10);
	assert_int_equal(isa.config[0x61], 11);
	/* Device 3 INTA is PIRQ D. */
	assert_int_equal(nic.config[0x3c], isa.config[0x63]);
	assert_int_equal(pm.config[0x3c], 9);
	assert_int_equal(pci_isa_irq(5 << 3, 3), isa.config[0x60]);
}

static void piix_chips_get_their_legacy_resources(void **state)
{
	(void)state;
	pci_setup(&bus);
	assert_int_equal(reg32(&pm, 0x40), 0xb001);
	assert_int_equal(pm.config[0x80], 1);
	assert_int_equal(reg32(&ide, 0x40), 0x80008000);
}

static void a_bar_without_room_stays_off(void **state)
{
	(void)state;
	fake_add(&extra, 0x20, 0x56781234, 0x0580, 0);
	fake_bar(&extra, 0, 0x80000000, 0);
	pci_setup(&bus);
	assert_int_equal(reg32(&extra, 0x10), 0);
	assert_int_equal(extra.config[4] & 3, 0);
	assert_int_equal(reg32(&vga, 0x10), 0xe0000008);
}

static void a_full_bus_is_cut_at_the_table(void **state)
{
	static struct fake_function many[256];

	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		fake_add(&many[i], (uint8_t)i, 0x56781234, 0x0580, 1);
		many[i].config[0x0e] = 0x80;
		fake_bar(&many[i], 0, 256, 1);
	}
	pci_setup(&bus);
	assert_int_equal(bus.count, PCI_MAX_FUNCTIONS);
	assert_true(bus.io_next <= 0x10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(bars_are_placed_aligned_and_apart, setup),
		cmocka_unit_test_setup(decoding_is_enabled_for_what_was_placed, setup),
		cmocka_unit_test_setup(interrupts_follow_device_and_pin, setup),
		cmocka_unit_test_setup(piix_chips_get_their_legacy_resources, setup),
		cmocka_unit_test_setup(a_bar_without_room_stays_off, setup),
		cmocka_unit_test_setup(a_full_bus_is_cut_at_the_table, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
