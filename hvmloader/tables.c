/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tables.c - memory for firmware tables, checksums, the e820 map. No state of its own.
 * Source: ACPI Specification 6.4 ch. 15 "System Address Map Interfaces".
 */
#include "tables.h"

#include "lib.h"

void *table_alloc(struct table_area *area, uint32_t bytes, uint32_t align)
{
	uint32_t start = (area->used + align - 1) & ~(align - 1);
	uint8_t *p;

	if (start < area->used || start > area->bytes || bytes > area->bytes - start)
		return NULL;
	area->used = start + bytes;
	p = area->at + start;
	memset(p, 0, bytes);
	return p;
}

uint32_t table_gpa(const struct table_area *area, const void *p)
{
	return area->gpa + (uint32_t)((const uint8_t *)p - area->at);
}

uint8_t table_checksum(const void *p, uint32_t bytes)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	for (uint32_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + b[i]);
	return (uint8_t)-sum;
}

unsigned int e820_build(const struct machine *m, struct e820_entry *map)
{
	uint32_t tables = tables_gpa(m);
	unsigned int n = 0;

	map[n++] = (struct e820_entry){ 0, EBDA_GPA, E820_RAM };
	map[n++] = (struct e820_entry){ EBDA_GPA, 0xa0000 - EBDA_GPA, E820_RESERVED };
	map[n++] = (struct e820_entry){ 0xf0000, 0x10000, E820_RESERVED };
	map[n++] = (struct e820_entry){ 0x100000, tables - 0x100000, E820_RAM };
	map[n++] = (struct e820_entry){ tables, HVM_TABLES_BYTES - 0x1000, E820_ACPI };
	map[n++] = (struct e820_entry){ tables + HVM_TABLES_BYTES - 0x1000, 0x1000, E820_NVS };
	/* IOAPIC, HPET, LAPIC and the BIOS ROM. */
	map[n++] = (struct e820_entry){ IOAPIC_GPA, 0x100000000ull - IOAPIC_GPA, E820_RESERVED };
	if (m->ram_high_bytes)
		map[n++] = (struct e820_entry){ 0x100000000ull, m->ram_high_bytes, E820_RAM };
	return n;
}
