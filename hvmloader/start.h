/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.h - handing over: what firmware or a kernel is given besides its registers.
 */
#ifndef HVMLOADER_START_H
#define HVMLOADER_START_H

#include "tables.h"

/* Fill the start structure at @page (a zeroed page, but for boot_params' setup header). */
void linux_fill_params(uint8_t *page, const struct hvm_boot_info *info,
		       const struct e820_entry *map, unsigned int entries, uint32_t rsdp);
void pvh_fill_start_info(uint8_t *page, uint32_t page_gpa, const struct hvm_boot_info *info,
			 const struct e820_entry *map, unsigned int entries, uint32_t rsdp);
void multiboot_fill_info(uint8_t *page, uint32_t page_gpa, const struct hvm_boot_info *info,
			 const struct e820_entry *map, unsigned int entries);
/* seabios_fill_info - SeaBIOS' Xen information at @page; @tables: room for the list of tables. */
void seabios_fill_info(uint8_t *page, uint32_t page_gpa, const struct e820_entry *map,
		       unsigned int entries, const struct table_roots *roots);
/* page_tables_fill - identity mapping of the first 4 GiB in 6 pages at @pages. */
void page_tables_fill(uint64_t *pages, uint32_t gpa);

#define MULTIBOOT_BOOT_MAGIC 0x2badb002u

#endif
