/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_vga_rom.c - the VGABIOS in the expansion ROM BAR: sized, mapped while enabled, gone after.
 */
#include "machine_fixture.h"

#include "dev/vga.h"
#include "dev/vga_internal.h"

#include <errno.h>

#define VGA_FN PCI_DEVFN(2, 0)

static struct {
	gpa_t gpa;
	const uint8_t *rom; /* what is mapped as ROM now */
	unsigned int calls;
} seen;

static int rom_map(void *opaque, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva)
{
	(void)opaque;
	assert_int_equal(bytes, VGA_ROM_BYTES);
	seen.calls++;
	if (type == HVM_MEM_ROM) {
		assert_non_null(hva);
		seen.gpa = gpa;
		seen.rom = hva;
	} else {
		assert_int_equal(type, HVM_MEM_MMIO);
		assert_int_equal(gpa, seen.gpa);
		seen.rom = NULL;
	}
	return 0;
}

static int setup(void **state)
{
	static struct machine_ops ops;
	struct fixture *f;
	char path[32];
	int fd;

	fixture_setup(state);
	f = *state;
	ops = fixture_ops;
	ops.map = rom_map;
	f->m->ops = &ops;
	memset(&seen, 0, sizeof(seen));
	fd = memfd_create("rom", MFD_CLOEXEC);
	assert_int_equal(pwrite(fd, "\x55\xaa\x02", 3, 0), 3);
	assert_int_equal(ftruncate(fd, 1024), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(vga_rom_load(f->m, path), 0);
	close(fd);
	return 0;
}

static void rom_bar_sizes_to_64_kib(void **state)
{
	struct fixture *f = *state;

	pci_out(f, VGA_FN, PCI_ROM_BAR, 4, 0xfffffffe);
	assert_int_equal(pci_in(f, VGA_FN, PCI_ROM_BAR, 4), 0xffff0000);
	assert_int_equal(seen.calls, 0);
}

static void rom_is_mapped_while_enabled(void **state)
{
	struct fixture *f = *state;

	pci_out(f, VGA_FN, PCI_COMMAND, 2, PCI_COMMAND_MEM);
	pci_out(f, VGA_FN, PCI_ROM_BAR, 4, 0xe1000000);
	assert_int_equal(seen.calls, 0);
	pci_out(f, VGA_FN, PCI_ROM_BAR, 4, 0xe1000001);
	assert_int_equal(seen.gpa, 0xe1000000);
	assert_memory_equal(seen.rom, "\x55\xaa\x02", 3);
	pci_out(f, VGA_FN, PCI_ROM_BAR, 4, 0xe1000000);
	assert_null(seen.rom);
	pci_out(f, VGA_FN, PCI_ROM_BAR, 4, 0xe1000001);
	pci_out(f, VGA_FN, PCI_COMMAND, 2, 0);
	assert_null(seen.rom);
}

static void rom_is_gone_after_a_reset(void **state)
{
	struct fixture *f = *state;

	pci_out(f, VGA_FN, PCI_COMMAND, 2, PCI_COMMAND_MEM);
	pci_out(f, VGA_FN, PCI_ROM_BAR, 4, 0xe1000001);
	assert_non_null(seen.rom);
	machine_reset(f->m);
	assert_null(seen.rom);
	assert_int_equal(pci_in(f, VGA_FN, PCI_ROM_BAR, 4), 0);
}

static void rom_never_covers_ram_or_the_apics(void **state)
{
	static const uint32_t bases[] = { 0x1,	      0x100001,	  0xdfff0001,
					  0xfec00001, 0xfee00001, 0xffff0001 };
	struct fixture *f = *state;

	pci_out(f, VGA_FN, PCI_COMMAND, 2, PCI_COMMAND_MEM);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(bases); i++)
		pci_out(f, VGA_FN, PCI_ROM_BAR, 4, bases[i]);
	assert_int_equal(seen.calls, 0);
}

static void unusable_files_are_refused(void **state)
{
	struct fixture *f = *state;
	char path[32];
	int fd = memfd_create("large", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, VGA_ROM_BYTES + 1), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(vga_rom_load(f->m, path), -EINVAL);
	close(fd);
	assert_int_equal(vga_rom_load(f->m, "/nonexistent"), -ENOENT);
	assert_int_equal(vga_rom_load(f->m, "/"), -EINVAL);
	assert_int_equal(vga_rom_load(f->m, NULL), 0);
}

#define T(fact) cmocka_unit_test_setup_teardown(fact, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rom_bar_sizes_to_64_kib),    T(rom_is_mapped_while_enabled),
		T(rom_is_gone_after_a_reset),  T(rom_never_covers_ram_or_the_apics),
		T(unusable_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
