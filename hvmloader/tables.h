/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tables.h - firmware tables: where they are built and by whom. The builders of tables are plain C
 * without instructions of their own, so unit tests compile them for the host.
 */
#ifndef HVMLOADER_TABLES_H
#define HVMLOADER_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "builder/boot_info.h"

/* Memory that tables are cut from; at[0] is gpa. In the guest the two are the same number. */
struct table_area {
	uint8_t *at;
	uint32_t gpa;
	uint32_t bytes;
	uint32_t used;
};

/* A PCI function with an interrupt pin. */
struct pci_intx {
	uint8_t devfn;
	uint8_t pin; /* 0: INTA */
};
#define PCI_INTX_MAX 64

/* What the tables say about the machine. */
struct machine {
	uint64_t ram_low_bytes;
	uint64_t ram_high_bytes;
	uint32_t vcpus;
	uint8_t ioapic_id;
	uint8_t uuid[16];
	uint32_t hpet_id;	/* low half of the HPET's capabilities register */
	uint32_t cpuid_version; /* CPUID.1:EAX, and EDX */
	uint32_t cpuid_features;
	unsigned int intx_count;
	struct pci_intx intx[PCI_INTX_MAX];
};

/* Entry points of the tables, as gpas. */
struct table_roots {
	uint32_t rsdp;
	uint32_t smbios;
	uint32_t smbios_bytes; /* of the entry point */
	uint32_t mp;
};

struct e820_entry {
	uint64_t gpa;
	uint64_t bytes;
	uint32_t type;
} __attribute__((packed));

enum e820_type {
	E820_RAM = 1,
	E820_RESERVED = 2,
	E820_ACPI = 3,
	E820_NVS = 4,
};
#define E820_MAX 16

#define LAPIC_GPA  0xfee00000u
#define IOAPIC_GPA 0xfec00000u
#define HPET_GPA   0xfed00000u
#define PM_PORT	   0xb000u
#define GPE0_PORT  0xafe0u
#define SCI_IRQ	   9
#define EBDA_GPA   0x9fc00u
#define PCI_HOLE   0xe0000000u

/* table_alloc - @bytes of zeroed memory aligned to @align (a power of two); NULL: area full. */
void *table_alloc(struct table_area *area, uint32_t bytes, uint32_t align);
/* table_gpa - of something inside the area. */
uint32_t table_gpa(const struct table_area *area, const void *p);
/* table_checksum - the byte that makes the sum of @bytes bytes zero when added. */
uint8_t table_checksum(const void *p, uint32_t bytes);

/* Build one family of tables; 0 and the root is set, or -1: area full. */
int acpi_build(struct table_area *area, const struct machine *m, struct table_roots *roots);
int smbios_build(struct table_area *area, const struct machine *m, struct table_roots *roots);
int mp_build(struct table_area *area, const struct machine *m, struct table_roots *roots);

/* e820_build - the memory map into @map (E820_MAX entries); returns how many, in rising order. */
unsigned int e820_build(const struct machine *m, struct e820_entry *map);

/* Place of the table area: the end of RAM below 4 GiB. Its last page is the FACS (NVS). */
static inline uint32_t tables_gpa(const struct machine *m)
{
	return (uint32_t)m->ram_low_bytes - HVM_TABLES_BYTES;
}

#endif
