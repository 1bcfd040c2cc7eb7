/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_tables.c - the firmware tables that hvmloader builds: sums, sizes, pointers, contents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/kernel.h"
#include "hvmloader/start.h"
#include "hvmloader/tables.h"

#define AREA_GPA 0x1fff0000u

struct fixture {
	uint8_t memory[HVM_TABLES_BYTES];
	struct table_area area;
	struct machine m;
	struct table_roots roots;
};

static void fixture_init(struct fixture *f, uint32_t vcpus)
{
	memset(f, 0, sizeof(*f));
	f->area = (struct table_area){ f->memory, AREA_GPA, HVM_TABLES_BYTES - 0x1000, 0 };
	f->m = (struct machine){
		.ram_low_bytes = 0x20000000,
		.vcpus = vcpus,
		.ioapic_id = (uint8_t)(vcpus & 0xf),
		.hpet_id = 0x8086a201,
		.intx_count = 2,
		.intx = { { 2 << 3, 0 }, { 3 << 3, 1 } },
	};
	for (unsigned int i = 0; i < 16; i++)
		f->m.uuid[i] = (uint8_t)i;
}

static uint8_t *at_gpa(struct fixture *f, uint64_t gpa)
{
	assert_true(gpa >= AREA_GPA && gpa < AREA_GPA + HVM_TABLES_BYTES);
	return f->memory + (gpa - AREA_GPA);
}

/* The table with @signature in the XSDT; its length and sum are checked. */
static uint8_t *find_table(struct fixture *f, const char *signature)
{
	uint8_t *xsdt = at_gpa(f, get_u64(at_gpa(f, f->roots.rsdp) + 24));
	uint32_t length = get_u32(xsdt + 4);

	assert_memory_equal(xsdt, "XSDT", 4);
	assert_int_equal(table_checksum(xsdt, length), 0);
	for (uint32_t i = 36; i < length; i += 8) {
		uint8_t *t = at_gpa(f, get_u64(xsdt + i));

		assert_int_equal(table_checksum(t, get_u32(t + 4)), 0);
		if (!memcmp(t, signature, 4))
			return t;
	}
	fail_msg("no %s", signature);
	return NULL;
}

static void rsdp_has_both_sums_and_both_roots(void **state)
{
	struct fixture f;
	uint8_t *rsdp, *rsdt;

	(void)state;
	fixture_init(&f, 1);
	assert_int_equal(acpi_build(&f.area, &f.m, &f.roots), 0);
	rsdp = at_gpa(&f, f.roots.rsdp);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(rsdp[15], 2);
	assert_int_equal(table_checksum(rsdp, 20), 0);
	assert_int_equal(table_checksum(rsdp, 36), 0);
	rsdt = at_gpa(&f, get_u32(rsdp + 16));
	assert_memory_equal(rsdt, "RSDT", 4);
	assert_int_equal(table_checksum(rsdt, get_u32(rsdt + 4)), 0);
	assert_int_equal(get_u32(rsdt + 4), 36 + 4 * 4);
}

static void fadt_describes_the_piix4_and_the_reset_register(void **state)
{
	struct fixture f;
	uint8_t *fadt, *facs, *dsdt;

	(void)state;
	fixture_init(&f, 1);
	assert_int_equal(acpi_build(&f.area, &f.m, &f.roots), 0);
	fadt = find_table(&f, "FACP");
	facs = at_gpa(&f, get_u32(fadt + 36));
	dsdt = at_gpa(&f, get_u32(fadt + 40));
	assert_int_equal(get_u16(fadt + 46), 9);
	assert_int_equal(get_u32(fadt + 48), 0);
	assert_int_equal(get_u32(fadt + 56), 0xb000);
	assert_int_equal(get_u32(fadt + 64), 0xb004);
	assert_int_equal(get_u32(fadt + 76), 0xb008);
	assert_int_equal(get_u32(fadt + 80), 0xafe0);
	assert_int_equal(get_u32(fadt + 112) & 0x400, 0x400);
	assert_int_equal(get_u32(fadt + 112) & 0x10, 0);
	assert_int_equal(fadt[116], 1);
	assert_int_equal(get_u64(fadt + 120), 0xcf9);
	assert_int_equal(fadt[128], 6);
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(get_u32(fadt + 36) % 64, 0);
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_int_equal(table_checksum(dsdt, get_u32(dsdt + 4)), 0);
}

static void madt_lists_every_vcpu_the_ioapic_and_the_overrides(void **state)
{
	(void)state;
	for (uint32_t vcpus = 1; vcpus <= 16; vcpus++) {
		unsigned int lapics = 0, ioapics = 0, overrides = 0;
		struct fixture f;
		uint8_t *madt;
		uint32_t at;

		fixture_init(&f, vcpus);
		assert_int_equal(acpi_build(&f.area, &f.m, &f.roots), 0);
		madt = find_table(&f, "APIC");
		assert_int_equal(get_u32(madt + 36), 0xfee00000);
		for (at = 44; at < get_u32(madt + 4); at += madt[at + 1]) {
			uint8_t *e = madt + at;

			assert_true(e[1] >= 6);
			if (e[0] == 0)
				assert_int_equal(e[3], lapics++);
			if (e[0] == 1) {
				ioapics++;
				assert_int_equal(get_u32(e + 4), 0xfec00000);
			}
			if (e[0] == 2 && e[3] == 0)
				assert_int_equal(get_u32(e + 4), 2);
			if (e[0] == 2 && e[3] == 9)
				assert_int_equal(get_u16(e + 8), 0xd);
			overrides += e[0] == 2;
		}
		assert_int_equal(at, get_u32(madt + 4));
		assert_int_equal(lapics, vcpus);
		assert_int_equal(ioapics, 1);
		assert_int_equal(overrides, 2);
	}
}

static void ssdt_has_one_processor_a_vcpu(void **state)
{
	(void)state;
	for (uint32_t vcpus = 1; vcpus <= 16; vcpus++) {
		struct fixture f;
		uint8_t *p;
		uint32_t package;

		fixture_init(&f, vcpus);
		assert_int_equal(acpi_build(&f.area, &f.m, &f.roots), 0);
		p = find_table(&f, "SSDT");
		assert_int_equal(p[36], 0x10);
		package = (p[37] & 0xf) | (uint32_t)p[38] << 4;
		assert_int_equal(37 + package, get_u32(p + 4));
		assert_memory_equal(p + 39, "\\_SB_", 5);
		for (uint32_t i = 0; i < vcpus; i++) {
			assert_int_equal(p[44 + i * 13], 0x5b);
			assert_int_equal(p[44 + i * 13 + 1], 0x83);
			assert_int_equal(p[44 + i * 13 + 7], i);
		}
	}
}

static void a_full_area_is_an_error_and_never_overrun(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t bytes = 0; bytes < 0x3000; bytes += 64) {
		int acpi, smbios, mp;

		fixture_init(&f, 16);
		f.area.bytes = bytes;
		memset(f.memory + bytes, 0xa5, 0x4000);
		acpi = acpi_build(&f.area, &f.m, &f.roots);
		smbios = smbios_build(&f.area, &f.m, &f.roots);
		mp = mp_build(&f.area, &f.m, &f.roots);
		assert_true(f.area.used <= bytes);
		for (uint32_t i = 0; i < 0x4000; i++)
			assert_int_equal(f.memory[bytes + i], 0xa5);
		if (bytes < 0x600)
			assert_int_equal(acpi | smbios | mp, -1);
	}
}

static void smbios_entry_and_structures_agree(void **state)
{
	unsigned int count = 0, processors = 0;
	struct fixture f;
	uint8_t *e, *p, *end;

	(void)state;
	fixture_init(&f, 3);
	assert_int_equal(smbios_build(&f.area, &f.m, &f.roots), 0);
	e = at_gpa(&f, f.roots.smbios);
	assert_memory_equal(e, "_SM_", 4);
	assert_int_equal(e[5], 31);
	assert_int_equal(table_checksum(e, 31), 0);
	assert_int_equal(table_checksum(e + 16, 15), 0);
	p = at_gpa(&f, get_u32(e + 24));
	end = p + get_u16(e + 22);
	while (p < end) {
		uint8_t type = p[0];

		if (type == 1)
			assert_memory_equal(p + 8, f.m.uuid, 16);
		if (type == 17)
			assert_int_equal(get_u16(p + 12), 512);
		processors += type == 4;
		count++;
		p += p[1];
		while (p[0] || p[1])
			p++;
		p += 2;
		if (type == 127)
			break;
	}
	assert_ptr_equal(p, end);
	assert_int_equal(count, get_u16(e + 28));
	assert_int_equal(processors, 3);
}

static void mp_table_routes_isa_and_pci_interrupts(void **state)
{
	unsigned int pci = 0, isa = 0, processors = 0;
	struct fixture f;
	uint8_t *mp, *t, *p;

	(void)state;
	fixture_init(&f, 4);
	assert_int_equal(mp_build(&f.area, &f.m, &f.roots), 0);
	mp = at_gpa(&f, f.roots.mp);
	assert_memory_equal(mp, "_MP_", 4);
	assert_int_equal(table_checksum(mp, 16), 0);
	t = at_gpa(&f, get_u32(mp + 4));
	assert_memory_equal(t, "PCMP", 4);
	assert_int_equal(table_checksum(t, get_u16(t + 4)), 0);
	p = t + 44;
	for (unsigned int i = 0; i < get_u16(t + 34); i++) {
		processors += p[0] == 0;
		if (p[0] == 3 && p[4] == 0) {
			/* Device 2 INTA is PIRQ 2; device 3 INTB is PIRQ 0. */
			assert_int_equal(p[7], p[5] == (2 << 2) ? 18 : 16);
			pci++;
		} else if (p[0] == 3) {
			assert_int_equal(p[7], p[5] ? p[5] : 2);
			isa++;
		}
		p += p[0] ? 8 : 20;
	}
	assert_ptr_equal(p, t + get_u16(t + 4));
	assert_int_equal(processors, 4);
	assert_int_equal(pci, 2);
	assert_int_equal(isa, 15);
}

static void e820_is_ordered_and_covers_the_memory(void **state)
{
	static const uint64_t sizes[][2] = {
		{ 16ull << 20, 0 },
		{ 512ull << 20, 0 },
		{ 0xe0000000ull, 0 },
		{ 0xe0000000ull, 8ull << 30 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct machine m = { .ram_low_bytes = sizes[i][0], .ram_high_bytes = sizes[i][1] };
		struct e820_entry map[E820_MAX];
		unsigned int n = e820_build(&m, map);
		uint64_t ram = 0, end = 0;

		assert_true(n <= E820_MAX);
		for (unsigned int k = 0; k < n; k++) {
			assert_true(map[k].gpa >= end);
			assert_true(map[k].bytes > 0);
			end = map[k].gpa + map[k].bytes;
			if (map[k].type == E820_RAM)
				ram += map[k].bytes;
		}
		assert_int_equal(ram,
				 sizes[i][0] + sizes[i][1] - HVM_TABLES_BYTES - 0x100000 + 0x9fc00);
	}
}

static const struct e820_entry example_map[] = {
	{ 0, 0x9fc00, E820_RAM },
	{ 0x100000, 0x1fef0000, E820_RAM },
};

static void boot_params_gets_map_and_rsdp(void **state)
{
	struct hvm_boot_info info = { .ram_low_bytes = 0x20000000 };
	uint8_t page[4096] = { 0 };

	(void)state;
	linux_fill_params(page, &info, example_map, 2, 0xf0000);
	assert_int_equal(page[0x1e8], 2);
	assert_int_equal(get_u64(page + 0x2d0 + 20), 0x100000);
	assert_int_equal(get_u64(page + 0x2d0 + 28), 0x1fef0000);
	assert_int_equal(get_u32(page + 0x2d0 + 36), E820_RAM);
	assert_int_equal(get_u64(page + 0x070), 0xf0000);
}

static void pvh_start_info_points_into_its_page(void **state)
{
	struct hvm_boot_info info = { .initrd = 0x7000000, .initrd_bytes = 77 };
	uint8_t page[4096] = { 0 };

	(void)state;
	pvh_fill_start_info(page, 0x4000, &info, example_map, 2, 0xf0000);
	assert_int_equal(get_u32(page), 0x336ec578);
	assert_int_equal(get_u32(page + 4), 1);
	assert_int_equal(get_u32(page + 12), 1);
	assert_int_equal(get_u64(page + get_u64(page + 16) - 0x4000), 0x7000000);
	assert_int_equal(get_u64(page + get_u64(page + 16) - 0x4000 + 8), 77);
	assert_int_equal(get_u64(page + 24), HVM_GPA_CMDLINE);
	assert_int_equal(get_u64(page + 32), 0xf0000);
	assert_int_equal(get_u32(page + 48), 2);
	assert_int_equal(get_u64(page + get_u64(page + 40) - 0x4000 + 24), 0x100000);
}

static void seabios_info_sums_to_zero_and_lists_the_roots(void **state)
{
	struct table_roots roots = { .rsdp = 0x11, .smbios = 0x22, .mp = 0x33 };
	uint8_t page[4096] = { 0 };
	uint32_t tables;

	(void)state;
	seabios_fill_info(page, 0x1000, example_map, 2, &roots);
	assert_memory_equal(page, "XenHVMSeaBIOS", 14);
	assert_int_equal(page[14], 32);
	assert_int_equal(table_checksum(page, 32), 0);
	tables = get_u32(page + 16) - 0x1000;
	assert_int_equal(get_u32(page + 20), 3);
	assert_int_equal(get_u32(page + tables), 0x11);
	assert_int_equal(get_u32(page + tables + 8), 0x33);
	assert_int_equal(get_u32(page + 28), 2);
	assert_memory_equal(page + get_u32(page + 24) - 0x1000, example_map, sizeof(example_map));
}

static void page_tables_map_4_gib_to_themselves(void **state)
{
	static uint64_t pages[6 * 512];

	(void)state;
	page_tables_fill(pages, 0x8000);
	assert_int_equal(pages[0], 0x9003);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pages[512 + i], (0xa000u + i * 0x1000u) | 3);
	for (uint64_t i = 0; i < 2048; i++)
		assert_int_equal(pages[1024 + i], i << 21 | 0x83);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rsdp_has_both_sums_and_both_roots),
		cmocka_unit_test(fadt_describes_the_piix4_and_the_reset_register),
		cmocka_unit_test(madt_lists_every_vcpu_the_ioapic_and_the_overrides),
		cmocka_unit_test(ssdt_has_one_processor_a_vcpu),
		cmocka_unit_test(a_full_area_is_an_error_and_never_overrun),
		cmocka_unit_test(smbios_entry_and_structures_agree),
		cmocka_unit_test(mp_table_routes_isa_and_pci_interrupts),
		cmocka_unit_test(e820_is_ordered_and_covers_the_memory),
		cmocka_unit_test(boot_params_gets_map_and_rsdp),
		cmocka_unit_test(pvh_start_info_points_into_its_page),
		cmocka_unit_test(seabios_info_sums_to_zero_and_lists_the_roots),
		cmocka_unit_test(page_tables_map_4_gib_to_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
