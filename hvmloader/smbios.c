/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smbios.c - SMBIOS 2.8: BIOS, system, enclosure, processors, memory. No state.
 * Source: DMTF DSP0134 "System Management BIOS Reference Specification" 2.8.0.
 */
#include "lib.h"
#include "tables.h"

#define SMBIOS_MAX_BYTES 4096

enum smbios_type {
	SMBIOS_BIOS = 0,
	SMBIOS_SYSTEM = 1,
	SMBIOS_ENCLOSURE = 3,
	SMBIOS_PROCESSOR = 4,
	SMBIOS_MEMORY_ARRAY = 16,
	SMBIOS_MEMORY_DEVICE = 17,
	SMBIOS_MEMORY_ARRAY_MAP = 19,
	SMBIOS_BOOT = 32,
	SMBIOS_END = 127,
};

struct smbios_entry {
	char anchor[4];
	uint8_t checksum;
	uint8_t length;
	uint8_t major, minor;
	uint16_t max_structure;
	uint8_t revision;
	uint8_t formatted[5];
	char dmi_anchor[5];
	uint8_t dmi_checksum;
	uint16_t table_bytes;
	uint32_t table;
	uint16_t count;
	uint8_t bcd_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_entry) == 31, "SMBIOS 2.x entry point has 31 bytes");

struct smbios_writer {
	uint8_t *start;
	uint8_t *at;
	uint16_t handle_memory;
	uint16_t count;
	uint16_t longest;
};

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

/* One structure: header, @bytes of formatted area from @data, then @strings ("a\0b\0"). */
static void smbios_add(struct smbios_writer *w, enum smbios_type type, uint16_t handle,
		       const uint8_t *data, uint8_t bytes, const char *strings)
{
	uint8_t *start = w->at;
	uint8_t *p = start;

	*p++ = (uint8_t)type;
	*p++ = (uint8_t)(bytes + 4);
	put16(p, handle);
	p += 2;
	memcpy(p, data, bytes);
	p += bytes;
	if (!strings)
		*p++ = 0;
	while (strings && *strings) {
		while (*strings)
			*p++ = (uint8_t)*strings++;
		*p++ = 0;
		strings++;
	}
	*p++ = 0;
	w->at = p;
	w->count++;
	if (p - start > w->longest)
		w->longest = (uint16_t)(p - start);
}

static void smbios_bios(struct smbios_writer *w)
{
	uint8_t d[20] = { 1, 2, 0, 0xe8, 3, 3 }; /* vendor, version, segment, date, size 256 KiB */

	d[6] = 0x80;  /* characteristics: PCI */
	d[7] = 0x80;  /* boot from CD */
	d[8] = 0x01;  /* selectable boot */
	d[14] = 0x01; /* ACPI */
	d[15] = 0x10; /* this is a virtual machine */
	d[16] = 0;
	d[17] = 1;
	d[18] = 0xff;
	d[19] = 0xff;
	smbios_add(w, SMBIOS_BIOS, 0x0000, d, sizeof(d),
		   "hvm\0"
		   "0.1\0"
		   "01/01/2026\0");
}

static void smbios_system(struct smbios_writer *w, const struct machine *m)
{
	uint8_t d[23] = { 1, 2, 3, 0 };

	memcpy(d + 4, m->uuid, 16);
	d[20] = 6; /* wake-up: power switch */
	smbios_add(w, SMBIOS_SYSTEM, 0x0100, d, sizeof(d),
		   "hvm\0"
		   "HVM domain\0"
		   "0.1\0");
}

static void smbios_enclosure(struct smbios_writer *w)
{
	uint8_t d[18] = { 1, 1, 0, 0, 0, 3, 3, 3, 2 };

	smbios_add(w, SMBIOS_ENCLOSURE, 0x0300, d, sizeof(d), "hvm\0");
}

static void smbios_processor(struct smbios_writer *w, const struct machine *m, uint32_t index)
{
	char strings[] = "CPU 00\0hvm\0";
	uint8_t d[38] = { 1, 3, 1, 2 }; /* socket, central processor, family other, manufacturer */

	strings[4] = (char)('0' + index / 10);
	strings[5] = (char)('0' + index % 10);
	put32(d + 4, m->cpuid_version);
	put32(d + 8, m->cpuid_features);
	put16(d + 16, 2000); /* speeds: nominal only */
	put16(d + 18, 2000);
	d[20] = 0x41; /* populated, enabled */
	d[21] = 1;    /* upgrade: other */
	put16(d + 22, 0xffff);
	put16(d + 24, 0xffff);
	put16(d + 26, 0xffff);
	d[31] = 1; /* cores, enabled cores, threads */
	d[32] = 1;
	d[33] = 1;
	put16(d + 34, 0x0004); /* 64 bits */
	put16(d + 36, 1);
	smbios_add(w, SMBIOS_PROCESSOR, (uint16_t)(0x0400 + index), d, sizeof(d), strings);
}

static void smbios_memory(struct smbios_writer *w, const struct machine *m)
{
	uint64_t kib = (m->ram_low_bytes + m->ram_high_bytes) >> 10;
	uint32_t mib = (uint32_t)(kib >> 10);
	uint8_t array[19] = { 1, 3, 3 }; /* other place, system memory, no ECC */
	uint8_t device[36] = { 0 };
	uint8_t map[27] = { 0 };

	put32(array + 3, kib < 0x80000000u ? (uint32_t)kib : 0x80000000u);
	put16(array + 7, 0xfffe);
	put16(array + 9, 1);
	if (kib >= 0x80000000u) {
		put32(array + 11, (uint32_t)(kib << 10));
		put32(array + 15, (uint32_t)(kib >> 22));
	}
	smbios_add(w, SMBIOS_MEMORY_ARRAY, 0x1000, array, sizeof(array), NULL);

	put16(device, 0x1000);
	put16(device + 2, 0xfffe);
	put16(device + 4, 64);
	put16(device + 6, 64);
	put16(device + 8, mib < 0x7fff ? mib : 0x7fff);
	device[10] = 9; /* DIMM */
	device[12] = 1;
	device[14] = 7;	       /* RAM */
	put16(device + 15, 2); /* unknown */
	if (mib >= 0x7fff)
		put32(device + 24, mib);
	smbios_add(w, SMBIOS_MEMORY_DEVICE, 0x1100, device, sizeof(device), "DIMM 0\0");

	put32(map, 0);
	put32(map + 4, (uint32_t)(m->ram_low_bytes >> 10) - 1);
	put16(map + 8, 0x1000);
	map[10] = 1;
	smbios_add(w, SMBIOS_MEMORY_ARRAY_MAP, 0x1300, map, 11, NULL);
	if (m->ram_high_bytes) {
		uint64_t last = 0x100000000ull + m->ram_high_bytes - 1;

		/* Beyond 4 TiB the extended fields would serve; the largest domain has 256 GiB. */
		put32(map, 0x100000000ull >> 10);
		put32(map + 4, (uint32_t)(last >> 10));
		smbios_add(w, SMBIOS_MEMORY_ARRAY_MAP, 0x1301, map, 11, NULL);
	}
}

int smbios_build(struct table_area *area, const struct machine *m, struct table_roots *roots)
{
	static const uint8_t boot[7] = { 0 };
	struct smbios_entry *e = table_alloc(area, sizeof(*e), 16);
	struct smbios_writer w = { 0 };

	w.start = table_alloc(area, SMBIOS_MAX_BYTES, 16);
	if (!e || !w.start)
		return -1;
	w.at = w.start;
	smbios_bios(&w);
	smbios_system(&w, m);
	smbios_enclosure(&w);
	for (uint32_t i = 0; i < m->vcpus; i++)
		smbios_processor(&w, m, i);
	smbios_memory(&w, m);
	smbios_add(&w, SMBIOS_BOOT, 0x2000, boot, sizeof(boot), NULL);
	smbios_add(&w, SMBIOS_END, 0x7f00, boot, 0, NULL);

	memcpy(e->anchor, "_SM_", 4);
	e->length = sizeof(*e);
	e->major = 2;
	e->minor = 8;
	e->max_structure = w.longest;
	memcpy(e->dmi_anchor, "_DMI_", 5);
	e->table_bytes = (uint16_t)(w.at - w.start);
	e->table = table_gpa(area, w.start);
	e->count = w.count;
	e->bcd_revision = 0x28;
	e->dmi_checksum = table_checksum(e->dmi_anchor, 15);
	e->checksum = table_checksum(e, sizeof(*e));
	roots->smbios = table_gpa(area, e);
	roots->smbios_bytes = sizeof(*e);
	return 0;
}
