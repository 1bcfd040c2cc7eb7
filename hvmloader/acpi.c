/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi.c - RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET, and an SSDT with the processors. The DSDT is
 * dsdt.asl, compiled at build time. No state; the tables live in guest memory.
 * Source: ACPI Specification 6.4 ch. 5 "ACPI Software Programming Model"; IA-PC HPET
 * Specification 1.0a 3.2.4 "The ACPI 2.0 HPET Description Table".
 */
#include "dsdt.h"
#include "lib.h"
#include "tables.h"

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* Generic address structure. */
struct acpi_gas {
	uint8_t space; /* 0 memory, 1 I/O */
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header h;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved0;
	uint8_t pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base;
	uint8_t cst_cnt;
	uint16_t p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr;
	struct acpi_gas x_gpe0, x_gpe1;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_fadt) == 244, "FADT of ACPI 3 and 4 has 244 bytes");

struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_facs) == 64, "FACS has 64 bytes");

struct acpi_hpet {
	struct acpi_header h;
	uint32_t id;
	struct acpi_gas address;
	uint8_t number;
	uint16_t minimum_tick;
	uint8_t flags;
} __attribute__((packed));

#define FADT_REVISION	    4
#define FADT_WBINVD	    0x0001u
#define FADT_PROC_C1	    0x0004u
#define FADT_SLP_BUTTON	    0x0020u /* no fixed sleep button; the power button is fixed */
#define FADT_FIX_RTC	    0x0040u /* the RTC cannot wake through fixed registers */
#define FADT_RESET_REG_SUP  0x0400u
#define FADT_LEGACY_DEVICES 0x0001u
#define FADT_8042	    0x0002u
#define FADT_NO_C2_LATENCY  101
#define FADT_NO_C3_LATENCY  1001
#define RESET_PORT	    0xcf9
#define RESET_VALUE	    6
#define RTC_CENTURY	    0x32
#define MADT_PCAT_COMPAT    1u
#define MADT_ENABLED	    1u
#define INTI_ACTIVE_HIGH    0x1
#define INTI_ACTIVE_LOW	    0x3
#define INTI_EDGE	    0x4
#define INTI_LEVEL	    0xc
#define ALL_PROCESSORS	    0xff
#define AML_SCOPE	    0x10
#define AML_EXT_PREFIX	    0x5b
#define AML_PROCESSOR	    0x83
#define AML_PROCESSOR_BYTES 13
#define ACPI_MAX_TABLES	    8

static void acpi_header_fill(struct acpi_header *h, const char *signature, uint32_t length,
			     uint8_t revision)
{
	memcpy(h->signature, signature, 4);
	h->length = length;
	h->revision = revision;
	memcpy(h->oem_id, "HVM\0\0\0", 6);
	memcpy(h->oem_table_id, "HVM     ", 8);
	memcpy(h->oem_table_id + 3, signature, 4);
	h->oem_revision = 1;
	memcpy(h->creator_id, "HVM ", 4);
	h->creator_revision = 1;
}

static void acpi_finish(struct acpi_header *h)
{
	h->checksum = 0;
	h->checksum = table_checksum(h, h->length);
}

static struct acpi_gas acpi_io(uint32_t port, uint8_t bytes)
{
	return (struct acpi_gas){ .space = 1, .bits = (uint8_t)(bytes * 8), .address = port };
}

static struct acpi_header *acpi_build_facs(struct table_area *area, const struct machine *m)
{
	/* The last page of the area, which the e820 says is NVS; it is not cut from the area. */
	struct acpi_facs *facs = (void *)(area->at + HVM_TABLES_BYTES - 0x1000);

	(void)m;
	memset(facs, 0, 0x1000);
	memcpy(facs->signature, "FACS", 4);
	facs->length = sizeof(*facs);
	facs->version = 1;
	return (void *)facs;
}

static struct acpi_header *acpi_build_dsdt(struct table_area *area, const struct machine *m)
{
	void *dsdt = table_alloc(area, sizeof(dsdt_aml_code), 16);

	(void)m;
	if (dsdt)
		memcpy(dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	return dsdt;
}

static struct acpi_header *acpi_build_fadt(struct table_area *area, uint32_t facs, uint32_t dsdt)
{
	struct acpi_fadt *f = table_alloc(area, sizeof(*f), 16);

	if (!f)
		return NULL;
	acpi_header_fill(&f->h, "FACP", sizeof(*f), FADT_REVISION);
	f->facs = facs;
	f->dsdt = dsdt;
	f->sci_int = SCI_IRQ;
	/* smi_cmd 0: the machine is in ACPI mode from the start. */
	f->pm1a_evt = PM_PORT;
	f->pm1a_cnt = PM_PORT + 4;
	f->pm_tmr = PM_PORT + 8;
	f->gpe0 = GPE0_PORT;
	f->pm1_evt_len = 4;
	f->pm1_cnt_len = 2;
	f->pm_tmr_len = 4;
	f->gpe0_len = 4;
	f->p_lvl2_lat = FADT_NO_C2_LATENCY;
	f->p_lvl3_lat = FADT_NO_C3_LATENCY;
	f->century = RTC_CENTURY;
	f->boot_arch = FADT_LEGACY_DEVICES | FADT_8042;
	f->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_RESET_REG_SUP;
	f->reset_reg = acpi_io(RESET_PORT, 1);
	f->reset_value = RESET_VALUE;
	f->x_facs = 0; /* facs says it; both set would be an error in ACPI 5 and later */
	f->x_dsdt = dsdt;
	f->x_pm1a_evt = acpi_io(f->pm1a_evt, f->pm1_evt_len);
	f->x_pm1a_cnt = acpi_io(f->pm1a_cnt, f->pm1_cnt_len);
	f->x_pm_tmr = acpi_io(f->pm_tmr, f->pm_tmr_len);
	f->x_gpe0 = acpi_io(f->gpe0, f->gpe0_len);
	acpi_finish(&f->h);
	return &f->h;
}

static uint8_t *madt_override(uint8_t *p, uint8_t irq, uint8_t gsi, uint16_t flags)
{
	*p++ = 2; /* interrupt source override */
	*p++ = 10;
	*p++ = 0; /* ISA */
	*p++ = irq;
	*p++ = gsi;
	p += 3;
	*p++ = (uint8_t)flags;
	*p++ = (uint8_t)(flags >> 8);
	return p;
}

static struct acpi_header *acpi_build_madt(struct table_area *area, const struct machine *m)
{
	uint32_t length = sizeof(struct acpi_header) + 8 + m->vcpus * 8 + 12 + 2 * 10 + 6;
	struct acpi_header *h = table_alloc(area, length, 16);
	uint32_t lapic = LAPIC_GPA, ioapic = IOAPIC_GPA;
	uint8_t *p;

	if (!h)
		return NULL;
	p = (uint8_t *)(h + 1);
	acpi_header_fill(h, "APIC", length, 3);
	memcpy(p, &lapic, 4);
	p[4] = MADT_PCAT_COMPAT;
	p += 8;
	for (uint32_t i = 0; i < m->vcpus; i++, p += 8) {
		p[0] = 0; /* processor local APIC */
		p[1] = 8;
		p[2] = (uint8_t)i; /* as in the SSDT */
		p[3] = (uint8_t)i; /* APIC id */
		p[4] = MADT_ENABLED;
	}
	p[0] = 1; /* I/O APIC */
	p[1] = 12;
	p[2] = m->ioapic_id;
	memcpy(p + 4, &ioapic, 4);
	p += 12;
	p = madt_override(p, 0, 2, 0);
	p = madt_override(p, SCI_IRQ, SCI_IRQ, INTI_ACTIVE_HIGH | INTI_LEVEL);
	p[0] = 4; /* local APIC NMI: LINT1 of every processor */
	p[1] = 6;
	p[2] = ALL_PROCESSORS;
	p[5] = 1;
	acpi_finish(h);
	return h;
}

static struct acpi_header *acpi_build_hpet(struct table_area *area, const struct machine *m)
{
	struct acpi_hpet *t = table_alloc(area, sizeof(*t), 16);

	if (!t)
		return NULL;
	acpi_header_fill(&t->h, "HPET", sizeof(*t), 1);
	t->id = m->hpet_id;
	t->address = (struct acpi_gas){ .space = 0, .bits = 64, .address = HPET_GPA };
	acpi_finish(&t->h);
	return &t->h;
}

/* Scope (\_SB) with one Processor a vcpu: CP00, CP01 ... */
static struct acpi_header *acpi_build_ssdt(struct table_area *area, const struct machine *m)
{
	static const uint8_t scope_name[] = { '\\', '_', 'S', 'B', '_' };
	uint32_t scope = 2 + (uint32_t)sizeof(scope_name) +
			 m->vcpus * AML_PROCESSOR_BYTES; /* PkgLength, name, contents */
	uint32_t length = sizeof(struct acpi_header) + 1 + scope;
	struct acpi_header *h = table_alloc(area, length, 16);
	uint8_t *p;

	if (!h)
		return NULL;
	p = (uint8_t *)(h + 1);
	acpi_header_fill(h, "SSDT", length, 2);
	*p++ = AML_SCOPE;
	*p++ = (uint8_t)(0x40 | (scope & 0xf)); /* PkgLength of two bytes */
	*p++ = (uint8_t)(scope >> 4);
	memcpy(p, scope_name, sizeof(scope_name));
	p += sizeof(scope_name);
	for (uint32_t i = 0; i < m->vcpus; i++, p += AML_PROCESSOR_BYTES) {
		p[0] = AML_EXT_PREFIX;
		p[1] = AML_PROCESSOR;
		p[2] = AML_PROCESSOR_BYTES - 2;
		p[3] = 'C';
		p[4] = 'P';
		p[5] = (uint8_t) "0123456789ABCDEF"[i >> 4 & 0xf];
		p[6] = (uint8_t) "0123456789ABCDEF"[i & 0xf];
		p[7] = (uint8_t)i; /* then no P_BLK: address and length 0 */
	}
	acpi_finish(h);
	return h;
}

static uint32_t acpi_build_root(struct table_area *area, const uint32_t *tables, unsigned int count,
				unsigned int entry_bytes)
{
	uint32_t length = (uint32_t)sizeof(struct acpi_header) + count * entry_bytes;
	struct acpi_header *h = table_alloc(area, length, 16);

	if (!h)
		return 0;
	acpi_header_fill(h, entry_bytes == 8 ? "XSDT" : "RSDT", length, 1);
	for (unsigned int i = 0; i < count; i++)
		memcpy((uint8_t *)(h + 1) + i * entry_bytes, &tables[i], 4);
	acpi_finish(h);
	return table_gpa(area, h);
}

int acpi_build(struct table_area *area, const struct machine *m, struct table_roots *roots)
{
	struct acpi_header *facs = acpi_build_facs(area, m);
	struct acpi_header *dsdt = acpi_build_dsdt(area, m);
	struct acpi_header *listed[4];
	uint32_t tables[ACPI_MAX_TABLES];
	unsigned int count = 0;
	struct acpi_rsdp *rsdp;
	uint32_t rsdt, xsdt;

	if (!dsdt)
		return -1;
	listed[0] = acpi_build_fadt(area, table_gpa(area, facs), table_gpa(area, dsdt));
	listed[1] = acpi_build_madt(area, m);
	listed[2] = acpi_build_hpet(area, m);
	listed[3] = acpi_build_ssdt(area, m);
	for (unsigned int i = 0; i < 4; i++) {
		if (!listed[i])
			return -1;
		tables[count++] = table_gpa(area, listed[i]);
	}
	rsdt = acpi_build_root(area, tables, count, 4);
	xsdt = acpi_build_root(area, tables, count, 8);
	rsdp = table_alloc(area, sizeof(*rsdp), 16);
	if (!rsdt || !xsdt || !rsdp)
		return -1;
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, "HVM\0\0\0", 6);
	rsdp->revision = 2;
	rsdp->rsdt = rsdt;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = xsdt;
	rsdp->checksum = table_checksum(rsdp, 20);
	rsdp->extended_checksum = table_checksum(rsdp, sizeof(*rsdp));
	roots->rsdp = table_gpa(area, rsdp);
	return 0;
}
