/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_pci.c - configuration space, BARs and interrupt routing, seen from the ports.
 */
#include "machine_fixture.h"

#define HOST PCI_DEVFN(0, 0)
#define ISA  PCI_DEVFN(1, 0)
#define IDE  PCI_DEVFN(1, 1)
#define PM   PCI_DEVFN(1, 3)
#define VGA  PCI_DEVFN(2, 0)

static void pci_shows_the_board_and_nothing_else(void **state)
{
	static const struct {
		uint8_t devfn;
		uint32_t id, class_revision;
	} present[] = {
		{ HOST, 0x12378086, 0x06000002 }, { ISA, 0x70008086, 0x06010000 },
		{ IDE, 0x70108086, 0x01018000 },  { PM, 0x71138086, 0x06800003 },
		{ VGA, 0x11111234, 0x03000002 },
	};
	struct fixture *f = *state;
	unsigned int devfn, i, found = 0;

	for (devfn = 0; devfn < 256; devfn++)
		if (pci_in(f, (uint8_t)devfn, 0, 4) != 0xffffffff)
			found++;
	assert_int_equal(found, HVM_ARRAY_SIZE(present));
	for (i = 0; i < HVM_ARRAY_SIZE(present); i++) {
		assert_int_equal(pci_in(f, present[i].devfn, 0, 4), present[i].id);
		assert_int_equal(pci_in(f, present[i].devfn, 8, 4), present[i].class_revision);
	}
	assert_int_equal(pci_in(f, ISA, PCI_HEADER_TYPE, 1), 0x80);
}

static void pci_other_buses_and_disabled_address_read_ones(void **state)
{
	struct fixture *f = *state;

	out(f, 0xcf8, 4, 0x80010000);
	assert_int_equal(in(f, 0xcfc, 4), 0xffffffff);
	out(f, 0xcf8, 4, 0);
	assert_int_equal(in(f, 0xcfc, 4), 0xffffffff);
}

static void pci_bytes_and_words_reach_the_right_register(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pci_in(f, HOST, 0, 2), 0x8086);
	assert_int_equal(pci_in(f, HOST, 2, 2), 0x1237);
	assert_int_equal(pci_in(f, HOST, 3, 1), 0x12);
	pci_out(f, HOST, 0x5a, 1, 0xff);
	assert_int_equal(pci_in(f, HOST, 0x58, 4), 0x00330010);
}

static void pci_address_register_takes_only_dwords(void **state)
{
	struct fixture *f = *state;

	out(f, 0xcf8, 4, 0x80000800);
	out(f, 0xcf8, 2, 0x1234);
	assert_int_equal(in(f, 0xcf8, 4), 0x80000800);
}

static void pci_read_only_registers_stay(void **state)
{
	struct fixture *f = *state;

	pci_out(f, VGA, 0, 4, 0);
	pci_out(f, VGA, 8, 4, 0);
	pci_out(f, PM, 0x40, 4, 0xffffffff);
	assert_int_equal(pci_in(f, VGA, 0, 4), 0x11111234);
	assert_int_equal(pci_in(f, VGA, 8, 4), 0x03000002);
	assert_int_equal(pci_in(f, PM, 0x40, 4), 0xb001);
}

static void pci_bar_tells_its_size(void **state)
{
	struct fixture *f = *state;

	pci_out(f, VGA, 0x10, 4, 0xffffffff);
	assert_int_equal(pci_in(f, VGA, 0x10, 4), 0xff000008);
	pci_out(f, VGA, 0x18, 4, 0xffffffff);
	assert_int_equal(pci_in(f, VGA, 0x18, 4), 0xfffff000);
	pci_out(f, IDE, 0x20, 4, 0xffffffff);
	assert_int_equal(pci_in(f, IDE, 0x20, 4), 0xfffffff1);
	pci_out(f, VGA, 0x14, 4, 0xffffffff);
	assert_int_equal(pci_in(f, VGA, 0x14, 4), 0);
}

static void pci_ram_bar_is_mapped_moved_and_unmapped(void **state)
{
	struct fixture *f = *state;

	pci_out(f, VGA, 0x10, 4, 0xe0000000);
	assert_int_equal(f->mapped, 0);
	pci_out(f, VGA, 4, 2, PCI_COMMAND_MEM);
	assert_int_equal(f->mapped, 0xe0000000);
	pci_out(f, VGA, 0x10, 4, 0xf1000000);
	assert_int_equal(f->mapped, 0xf1000000);
	pci_out(f, VGA, 4, 2, 0);
	assert_int_equal(f->mapped, 0);
}

static void pci_memory_bar_never_covers_ram_or_the_apics(void **state)
{
	static const uint32_t bad[] = { 0, 0x01000000, 0xdf000000, 0xfe000000, 0xff000000 };
	struct fixture *f = *state;
	unsigned int i;

	pci_out(f, VGA, 4, 2, PCI_COMMAND_MEM);
	for (i = 0; i < HVM_ARRAY_SIZE(bad); i++) {
		pci_out(f, VGA, 0x10, 4, bad[i]);
		assert_int_equal(f->mapped, 0);
	}
}

static void pci_io_bar_answers_where_it_was_put(void **state)
{
	struct fixture *f = *state;

	pci_out(f, IDE, 4, 2, PCI_COMMAND_IO);
	pci_out(f, IDE, 0x20, 4, 0xc000);
	assert_int_equal(inb(f, 0xc002), 0x60);
	pci_out(f, IDE, 0x20, 4, 0xc100);
	assert_int_equal(inb(f, 0xc002), 0xff);
	assert_int_equal(inb(f, 0xc102), 0x60);
	pci_out(f, IDE, 4, 2, 0);
	assert_int_equal(inb(f, 0xc102), 0xff);
}

/* A device of the test's own, with a pin, in slot 3 (INTA is PIRQ D there). */
static const struct pci_device_desc pin_desc = {
	.name = "pin",
	.devfn = PCI_DEVFN(3, 0),
	.vendor = 0x1af4,
	.device = 0x10f0,
	.interrupt_pin = 1,
	.command_mask = 0x0407,
};

static const struct pci_device_desc pin7_desc = {
	.name = "pin7",
	.devfn = PCI_DEVFN(7, 0),
	.vendor = 0x1af4,
	.device = 0x10f0,
	.interrupt_pin = 1,
	.command_mask = 0x0407,
};

static void pci_pins_are_wired_or_and_routed(void **state)
{
	struct fixture *f = *state;
	struct pci_device a, b;

	assert_int_equal(pci_attach(&f->m->pci, &a, &pin_desc, NULL, NULL), 0);
	assert_int_equal(pci_attach(&f->m->pci, &b, &pin7_desc, NULL, NULL), 0);
	pci_out(f, ISA, 0x63, 1, 11);
	pci_intx_set(&a, true);
	assert_true(f->irq[19] && f->irq[11]);
	pci_intx_set(&b, true);
	pci_intx_set(&a, false);
	assert_true(f->irq[19] && f->irq[11]);
	/* Routing elsewhere takes the level along. */
	pci_out(f, ISA, 0x63, 1, 10);
	assert_true(f->irq[10] && !f->irq[11]);
	pci_out(f, ISA, 0x63, 1, 0x80);
	assert_true(!f->irq[10] && f->irq[19]);
	pci_intx_set(&b, false);
	assert_false(f->irq[19]);
}

static void pci_intx_disable_masks_the_pin_and_status_still_tells(void **state)
{
	struct fixture *f = *state;
	struct pci_device a;

	assert_int_equal(pci_attach(&f->m->pci, &a, &pin_desc, NULL, NULL), 0);
	pci_intx_set(&a, true);
	assert_true(f->irq[19]);
	pci_out(f, PCI_DEVFN(3, 0), 4, 2, PCI_COMMAND_INTX_DISABLE);
	assert_false(f->irq[19]);
	assert_int_equal(pci_in(f, PCI_DEVFN(3, 0), 4, 4) >> 16 & PCI_STATUS_INTX, PCI_STATUS_INTX);
	pci_out(f, PCI_DEVFN(3, 0), 4, 2, 0);
	assert_true(f->irq[19]);
}

static void reset_ports_ask_for_a_reset(void **state)
{
	static const struct {
		uint16_t port;
		uint8_t value;
		bool resets;
	} rows[] = {
		{ 0xcf9, 0x02, false }, { 0xcf9, 0x06, true }, { 0x92, 0x02, false },
		{ 0x92, 0x03, true },	{ 0x64, 0xfe, true },  { 0x64, 0xff, false },
	};
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		f->power = 0;
		outb(f, rows[i].port, rows[i].value);
		assert_int_equal(f->power, rows[i].resets ? 1 + MACHINE_RESET : 0);
	}
	assert_int_equal(inb(f, 0x92) & 2, 2);
}

static void reset_puts_bars_and_routing_back(void **state)
{
	struct fixture *f = *state;

	pci_out(f, VGA, 0x10, 4, 0xe0000000);
	pci_out(f, VGA, 4, 2, PCI_COMMAND_MEM);
	pci_out(f, ISA, 0x60, 1, 5);
	machine_reset(f->m);
	assert_int_equal(f->mapped, 0);
	assert_int_equal(pci_in(f, VGA, 0x10, 4), 8);
	assert_int_equal(pci_in(f, ISA, 0x60, 4), 0x80808080);
}

static void unclaimed_ports_and_memory_read_ones(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, 0x2f8, 1), 0xff);
	assert_int_equal(in(f, 0x510, 2), 0xffff);
	assert_int_equal(in(f, 0xffff, 4), 0xffffffff);
	assert_true(mmio_in(f, 0xe8000000, 8) == ~0ull);
	mmio_out(f, 0xe8000000, 8, 0);
	/* An access over the end of a range: COM1's last register, then nothing. */
	assert_int_equal(in(f, 0x3ff, 2), 0xff00);
}

#define T(fact) cmocka_unit_test_setup_teardown(fact, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pci_shows_the_board_and_nothing_else),
		T(pci_other_buses_and_disabled_address_read_ones),
		T(pci_bytes_and_words_reach_the_right_register),
		T(pci_address_register_takes_only_dwords),
		T(pci_read_only_registers_stay),
		T(pci_bar_tells_its_size),
		T(pci_ram_bar_is_mapped_moved_and_unmapped),
		T(pci_memory_bar_never_covers_ram_or_the_apics),
		T(pci_io_bar_answers_where_it_was_put),
		T(pci_pins_are_wired_or_and_routed),
		T(pci_intx_disable_masks_the_pin_and_status_still_tells),
		T(reset_ports_ask_for_a_reset),
		T(reset_puts_bars_and_routing_back),
		T(unclaimed_ports_and_memory_read_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
