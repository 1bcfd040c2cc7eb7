/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.c - the structures that a kernel or SeaBIOS finds at its start. No state; host-testable.
 * Source: Linux Documentation/arch/x86/zero-page.rst; Xen public header arch-x86/hvm/start_info.h;
 * Multiboot Specification 3.3 "Boot information format"; SeaBIOS src/fw/xen.c.
 */
#include "start.h"

#include "lib.h"

/* boot_params */
#define BP_SCREEN_X	  0x00
#define BP_SCREEN_Y	  0x01
#define BP_SCREEN_MODE	  0x06
#define BP_SCREEN_COLUMNS 0x07
#define BP_SCREEN_LINES	  0x0e
#define BP_SCREEN_IS_VGA  0x0f
#define BP_SCREEN_POINTS  0x10
#define BP_ACPI_RSDP	  0x070
#define BP_E820_ENTRIES	  0x1e8
#define BP_E820_TABLE	  0x2d0
#define BP_ALT_MEM_KIB	  0x1e0
#define BP_EXT_MEM_KIB	  0x02

/* hvm_start_info */
#define PVH_MAGIC   0x336ec578u
#define PVH_VERSION 1u
struct pvh_start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, cmdline, rsdp, map;
	uint32_t map_entries, reserved;
};
struct pvh_module {
	uint64_t gpa, bytes, cmdline, reserved;
};
struct pvh_map_entry {
	uint64_t gpa, bytes;
	uint32_t type, reserved;
};

/* multiboot_info, its first 52 bytes */
#define MB_FLAG_MEMORY	0x001u
#define MB_FLAG_CMDLINE 0x004u
#define MB_FLAG_MODULES 0x008u
#define MB_FLAG_MAP	0x040u
#define MB_FLAG_LOADER	0x200u
struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods;
	uint32_t syms[4];
	uint32_t map_bytes, map, drives_bytes, drives, config, loader_name, apm, vbe[4];
};
struct multiboot_module {
	uint32_t start, end, string, reserved;
};
struct multiboot_map_entry {
	uint32_t size; /* of the rest */
	uint64_t gpa, bytes;
	uint32_t type;
} __attribute__((packed));

/* SeaBIOS' xen_seabios_info */
struct seabios_info {
	char signature[14];
	uint8_t length;
	uint8_t checksum;
	uint32_t tables, tables_count;
	uint32_t e820, e820_count;
};
#define SEABIOS_TABLES_AT 0x40
#define SEABIOS_E820_AT	  0x80

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static uint32_t extended_kib(const struct hvm_boot_info *info)
{
	return (uint32_t)(info->ram_low_bytes >> 10) - 1024;
}

void linux_fill_params(uint8_t *page, const struct hvm_boot_info *info,
		       const struct e820_entry *map, unsigned int entries, uint32_t rsdp)
{
	uint32_t kib = extended_kib(info);

	page[BP_SCREEN_MODE] = 3;
	page[BP_SCREEN_COLUMNS] = 80;
	page[BP_SCREEN_LINES] = 25;
	page[BP_SCREEN_IS_VGA] = 1;
	page[BP_SCREEN_POINTS] = 16;
	put32(page + BP_ALT_MEM_KIB, kib);
	page[BP_EXT_MEM_KIB] = (uint8_t)(kib < 0xffff ? kib : 0xff);
	page[BP_EXT_MEM_KIB + 1] = (uint8_t)(kib < 0xffff ? kib >> 8 : 0xff);
	put32(page + BP_ACPI_RSDP, rsdp);
	page[BP_E820_ENTRIES] = (uint8_t)entries;
	memcpy(page + BP_E820_TABLE, map, entries * sizeof(*map));
}

void pvh_fill_start_info(uint8_t *page, uint32_t page_gpa, const struct hvm_boot_info *info,
			 const struct e820_entry *map, unsigned int entries, uint32_t rsdp)
{
	struct pvh_start_info *s = (void *)page;
	struct pvh_module *module = (void *)(page + 0x40);
	struct pvh_map_entry *out = (void *)(page + 0x80);

	s->magic = PVH_MAGIC;
	s->version = PVH_VERSION;
	s->cmdline = HVM_GPA_CMDLINE;
	s->rsdp = rsdp;
	s->map = page_gpa + 0x80;
	s->map_entries = entries;
	if (info->initrd) {
		s->modules = 1;
		s->module_list = page_gpa + 0x40;
		module->gpa = info->initrd;
		module->bytes = info->initrd_bytes;
	}
	for (unsigned int i = 0; i < entries; i++)
		out[i] = (struct pvh_map_entry){ map[i].gpa, map[i].bytes, map[i].type, 0 };
}

void multiboot_fill_info(uint8_t *page, uint32_t page_gpa, const struct hvm_boot_info *info,
			 const struct e820_entry *map, unsigned int entries)
{
	struct multiboot_info *mb = (void *)page;
	struct multiboot_module *module = (void *)(page + 0x80);
	struct multiboot_map_entry *out = (void *)(page + 0xc0);

	memcpy(page + 0xa0, "hvmloader", 10);
	mb->flags = MB_FLAG_MEMORY | MB_FLAG_CMDLINE | MB_FLAG_MAP | MB_FLAG_LOADER;
	mb->mem_lower = EBDA_GPA >> 10;
	mb->mem_upper = extended_kib(info) - (HVM_TABLES_BYTES >> 10);
	mb->cmdline = HVM_GPA_CMDLINE;
	mb->loader_name = page_gpa + 0xa0;
	mb->map = page_gpa + 0xc0;
	mb->map_bytes = entries * (uint32_t)sizeof(*out);
	if (info->initrd) {
		mb->flags |= MB_FLAG_MODULES;
		mb->mods_count = 1;
		mb->mods = page_gpa + 0x80;
		module->start = info->initrd;
		module->end = info->initrd + info->initrd_bytes;
		module->string = page_gpa + 0xb0; /* an empty string */
	}
	for (unsigned int i = 0; i < entries; i++)
		out[i] = (struct multiboot_map_entry){ sizeof(*out) - 4, map[i].gpa, map[i].bytes,
						       map[i].type };
}

void seabios_fill_info(uint8_t *page, uint32_t page_gpa, const struct e820_entry *map,
		       unsigned int entries, const struct table_roots *roots)
{
	struct seabios_info *info = (void *)page;

	memset(page, 0, SEABIOS_E820_AT);
	memcpy(info->signature, "XenHVMSeaBIOS", 14);
	info->length = sizeof(*info);
	info->tables = page_gpa + SEABIOS_TABLES_AT;
	info->tables_count = 3;
	put32(page + SEABIOS_TABLES_AT, roots->rsdp);
	put32(page + SEABIOS_TABLES_AT + 4, roots->smbios);
	put32(page + SEABIOS_TABLES_AT + 8, roots->mp);
	info->e820 = page_gpa + SEABIOS_E820_AT;
	info->e820_count = entries;
	memcpy(page + SEABIOS_E820_AT, map, entries * sizeof(*map));
	info->checksum = table_checksum(info, sizeof(*info));
}

void page_tables_fill(uint64_t *pages, uint32_t gpa)
{
	const uint64_t present_write = 3, large = 0x80;
	uint64_t *directories = pages + 1024;

	memset(pages, 0, 6 * 4096);
	pages[0] = (gpa + 0x1000u) | present_write;
	for (uint32_t i = 0; i < 4; i++)
		pages[512 + i] = (gpa + 0x2000u + i * 0x1000u) | present_write;
	for (uint32_t i = 0; i < 2048; i++)
		directories[i] = (uint64_t)i << 21 | present_write | large;
}
