/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mptable.c - the MP table, for systems that do not read ACPI. No state.
 * Source: Intel MultiProcessor Specification 1.4 ch. 4 "MP Configuration Table".
 */
#include "lib.h"
#include "tables.h"

struct mp_floating {
	char signature[4];
	uint32_t table;
	uint8_t length; /* in 16 bytes */
	uint8_t revision;
	uint8_t checksum;
	uint8_t features[5];
} __attribute__((packed));

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[8];
	char product[12];
	uint32_t oem_table;
	uint16_t oem_table_bytes;
	uint16_t entries;
	uint32_t lapic;
	uint16_t extended_bytes;
	uint8_t extended_checksum;
	uint8_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct mp_header) == 44, "MP configuration table header has 44 bytes");

#define MP_BUS_PCI     0
#define MP_BUS_ISA     1
#define MP_BSP	       0x03 /* enabled, boot processor */
#define MP_AP	       0x01
#define MP_MAX_BYTES   2048
#define LAPIC_VERSION  0x14
#define IOAPIC_VERSION 0x11

enum mp_entry {
	MP_PROCESSOR,
	MP_BUS,
	MP_IOAPIC,
	MP_IOINT,
	MP_LOCALINT,
};

enum mp_interrupt {
	MP_INT,
	MP_NMI,
	MP_SMI,
	MP_EXTINT,
};

struct mp_writer {
	uint8_t *at;
	uint16_t count;
};

static uint8_t *mp_add(struct mp_writer *w, enum mp_entry type, unsigned int bytes)
{
	uint8_t *p = w->at;

	p[0] = (uint8_t)type;
	w->at += bytes;
	w->count++;
	return p;
}

static void mp_processors(struct mp_writer *w, const struct machine *m)
{
	for (uint32_t i = 0; i < m->vcpus; i++) {
		uint8_t *p = mp_add(w, MP_PROCESSOR, 20);

		p[1] = (uint8_t)i;
		p[2] = LAPIC_VERSION;
		p[3] = i ? MP_AP : MP_BSP;
		memcpy(p + 4, &m->cpuid_version, 4);
		memcpy(p + 8, &m->cpuid_features, 4);
	}
}

static void mp_bus(struct mp_writer *w, uint8_t id, const char *name)
{
	uint8_t *p = mp_add(w, MP_BUS, 8);

	p[1] = id;
	memcpy(p + 2, name, 6);
}

/* @flags: polarity in bits 0-1, trigger in bits 2-3, 0: as the bus has it. */
static void mp_interrupt(struct mp_writer *w, enum mp_entry entry, enum mp_interrupt type,
			 uint8_t flags, uint8_t bus, uint8_t irq, uint8_t apic, uint8_t pin)
{
	uint8_t *p = mp_add(w, entry, 8);

	p[1] = (uint8_t)type;
	p[2] = flags;
	p[4] = bus;
	p[5] = irq;
	p[6] = apic;
	p[7] = pin;
}

static void mp_interrupts(struct mp_writer *w, const struct machine *m)
{
	for (uint8_t irq = 0; irq < 16; irq++) {
		if (irq == 2) /* the cascade */
			continue;
		mp_interrupt(w, MP_IOINT, MP_INT, irq == SCI_IRQ ? 0x0d : 0, MP_BUS_ISA, irq,
			     m->ioapic_id, irq ? irq : 2);
	}
	for (unsigned int i = 0; i < m->intx_count; i++) {
		uint8_t device = m->intx[i].devfn >> 3;
		uint8_t pin = m->intx[i].pin & 3;

		mp_interrupt(w, MP_IOINT, MP_INT, 0x0f, MP_BUS_PCI, (uint8_t)(device << 2 | pin),
			     m->ioapic_id, (uint8_t)(16 + ((device + pin) & 3)));
	}
	mp_interrupt(w, MP_LOCALINT, MP_EXTINT, 0, MP_BUS_ISA, 0, 0xff, 0);
	mp_interrupt(w, MP_LOCALINT, MP_NMI, 0, MP_BUS_ISA, 0, 0xff, 1);
}

int mp_build(struct table_area *area, const struct machine *m, struct table_roots *roots)
{
	/* SeaBIOS copies from the floating structure on, so it comes first. */
	struct mp_floating *f = table_alloc(area, sizeof(*f), 16);
	struct mp_header *h = table_alloc(area, MP_MAX_BYTES, 16);
	uint32_t ioapic = IOAPIC_GPA;
	struct mp_writer w = { 0 };
	uint8_t *p;

	if (!f || !h)
		return -1;
	w.at = (uint8_t *)(h + 1);
	mp_processors(&w, m);
	mp_bus(&w, MP_BUS_PCI, "PCI   ");
	mp_bus(&w, MP_BUS_ISA, "ISA   ");
	p = mp_add(&w, MP_IOAPIC, 8);
	p[1] = m->ioapic_id;
	p[2] = IOAPIC_VERSION;
	p[3] = 1;
	memcpy(p + 4, &ioapic, 4);
	mp_interrupts(&w, m);

	memcpy(h->signature, "PCMP", 4);
	h->length = (uint16_t)(w.at - (uint8_t *)h);
	h->revision = 4;
	memcpy(h->oem, "HVM     ", 8);
	memcpy(h->product, "HVM DOMAIN  ", 12);
	h->entries = w.count;
	h->lapic = LAPIC_GPA;
	h->checksum = table_checksum(h, h->length);

	memcpy(f->signature, "_MP_", 4);
	f->table = table_gpa(area, h);
	f->length = 1;
	f->revision = 4;
	f->checksum = table_checksum(f, sizeof(*f));
	roots->mp = table_gpa(area, f);
	return 0;
}
