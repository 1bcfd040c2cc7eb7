/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * piix4_pm.c - power management function 00:01.3: PM1 event and control, power button, S5, GPE0,
 * APM ports. The ACPI tables of hvmloader name the same ports, and the timer at 0xb008 is the
 * core's. Owns struct piix4_pm. Locking: an own mutex. Saved as PM (not yet written). Source: Intel
 * 82371AB (PIIX4) datasheet, 7.2 "IO Space Registers"; ACPI Specification 6.4, 4.8.3 "Fixed
 * Hardware Register Grouping".
 */
#include "dev/devices.h"

#include <stdlib.h>

#define PM_BASE	   0xb000u
#define PM_BYTES   64u
#define PM_SCI	   9
#define GPE0_BASE  0xafe0u
#define GPE0_BYTES 4u
#define APM_BASE   0xb2u
#define PMBASE_REG 0x40
#define PMREGMISC  0x80

#define PM1_STS 0x00
#define PM1_EN	0x02
#define PM1_CNT 0x04
#define PM_TMR	0x08

#define PM1_STS_TMR    0x0001u
#define PM1_STS_BM     0x0010u
#define PM1_STS_GBL    0x0020u
#define PM1_STS_PWRBTN 0x0100u
#define PM1_STS_RTC    0x0400u
#define PM1_STS_WAK    0x8000u
#define PM1_STS_BITS \
	(PM1_STS_TMR | PM1_STS_BM | PM1_STS_GBL | PM1_STS_PWRBTN | PM1_STS_RTC | PM1_STS_WAK)
#define PM1_EN_BITS	(PM1_STS_TMR | PM1_STS_GBL | PM1_STS_PWRBTN | PM1_STS_RTC)
#define PM1_CNT_SCI_EN	0x0001u
#define PM1_CNT_SLP_TYP 0x1c00u
#define PM1_CNT_SLP_EN	0x2000u
#define PM1_SLP_TYP_S5	0u

struct piix4_pm {
	struct machine *m;
	struct pci_device pci;
	pthread_mutex_t lock;
	uint16_t status, enable, control;
	uint8_t gpe[GPE0_BYTES]; /* two status bytes, two enable bytes */
	uint8_t apm[2];		 /* control, status */
};

/* clang-format off */
static const struct pci_config_reg piix4_pm_regs[] = {
	/* offset bytes reset   writable */
	{ PMBASE_REG, 4, PM_BASE | 1, 0x00000000 }, /* fixed: the ACPI tables say where */
	{ 0x44, 4, 0x00000000, 0xffffffff },	 /* CNTA */
	{ 0x48, 4, 0x00000000, 0xffffffff },	 /* CNTB */
	{ 0x4c, 4, 0x00000000, 0xffffffff },	 /* GPICTL */
	{ 0x50, 4, 0x00000000, 0xffffffff },	 /* DEVRESD */
	{ 0x58, 4, 0x00000000, 0xffffffff },	 /* DEVACTB */
	{ PMREGMISC, 1, 0x01, 0x00 },		 /* PMIOSE: the ports are decoded */
	{ 0x90, 4, 0x0000b101, 0x00000000 },	 /* SMBBA: no SMBus behind it */
	{ 0xd2, 1, 0x00, 0x0e },		 /* SMBHSTCFG: host controller off */
};
/* clang-format on */

static const struct pci_device_desc piix4_pm_desc = {
	.name = "piix4-pm",
	.devfn = PCI_DEVFN(1, 3),
	.vendor = 0x8086,
	.device = 0x7113,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_revision = 0x06800003,
	.status = 0x0280,
	.command_reset = PCI_COMMAND_IO,
	.command_mask = PCI_COMMAND_IO,
	.regs = piix4_pm_regs,
	.reg_count = HVM_ARRAY_SIZE(piix4_pm_regs),
};

static void pm_update_sci(struct piix4_pm *s)
{
	bool level = (s->status & s->enable & PM1_EN_BITS) || (s->gpe[0] & s->gpe[2]) ||
		     (s->gpe[1] & s->gpe[3]);

	irq_line_set(&s->m->irq, PM_SCI, IRQ_SOURCE_DEVICE, level);
}

static uint16_t pm_read_status(struct piix4_pm *s)
{
	return s->status;
}

static void pm_write_status(struct piix4_pm *s, uint16_t value)
{
	s->status &= (uint16_t)~value; /* one clears */
}

static uint16_t pm_read_enable(struct piix4_pm *s)
{
	return s->enable;
}

static void pm_write_enable(struct piix4_pm *s, uint16_t value)
{
	s->enable = value & PM1_EN_BITS;
}

/* There is no SMM, so ACPI mode is on from the start. */
static uint16_t pm_read_control(struct piix4_pm *s)
{
	return s->control | PM1_CNT_SCI_EN;
}

static void pm_write_control(struct piix4_pm *s, uint16_t value)
{
	s->control = value & PM1_CNT_SLP_TYP; /* SLP_EN reads as zero */
	if (value & PM1_CNT_SLP_EN && (value & PM1_CNT_SLP_TYP) == PM1_SLP_TYP_S5 << 10)
		s->m->ops->power(s->m->opaque, MACHINE_POWEROFF, "the guest entered ACPI state S5");
}

static const struct {
	uint8_t offset;
	uint16_t (*read)(struct piix4_pm *s);
	void (*write)(struct piix4_pm *s, uint16_t value);
} pm_register[] = {
	{ PM1_STS, pm_read_status, pm_write_status },
	{ PM1_EN, pm_read_enable, pm_write_enable },
	{ PM1_CNT, pm_read_control, pm_write_control },
};

static uint16_t pm_read_word(struct piix4_pm *s, uint64_t offset)
{
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(pm_register); i++)
		if (pm_register[i].offset == offset)
			return pm_register[i].read(s);
	return 0;
}

static void pm_write_word(struct piix4_pm *s, uint64_t offset, uint16_t value)
{
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(pm_register); i++)
		if (pm_register[i].offset == offset)
			pm_register[i].write(s, value);
}

/* Any width over word registers; a byte leaves the other byte of the register as it is. */
static uint64_t pm_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < bytes; i++) {
		uint64_t at = offset + i;

		value |= (uint64_t)(pm_read_word(opaque, at & ~1ull) >> (8 * (at & 1)) & 0xff)
			 << (8 * i);
	}
	return value;
}

static void pm_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct piix4_pm *s = opaque;
	unsigned int i;

	if (bytes == 1) {
		unsigned int shift = 8 * (unsigned int)(offset & 1);
		uint16_t keep = 0;

		/* Status clears by ones: the other byte must not be written with what it holds. */
		if ((offset & ~1ull) != PM1_STS)
			keep = (uint16_t)(pm_read_word(s, offset & ~1ull) & ~(0xffu << shift));
		pm_write_word(s, offset & ~1ull, (uint16_t)(keep | (value & 0xff) << shift));
	} else if (!(offset & 1)) {
		for (i = 0; i < bytes; i += 2)
			pm_write_word(s, offset + i, (uint16_t)(value >> (8 * i)));
	}
	pm_update_sci(s);
}

static const struct io_ops pm_ops = {
	.name = "pm",
	.max_bytes = 4,
	.read = pm_read,
	.write = pm_write,
};

static uint64_t gpe_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct piix4_pm *s = opaque;

	(void)bytes;
	return s->gpe[offset];
}

static void gpe_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct piix4_pm *s = opaque;

	(void)bytes;
	if (offset < 2)
		s->gpe[offset] &= (uint8_t)~value;
	else
		s->gpe[offset] = (uint8_t)value;
	pm_update_sci(s);
}

static const struct io_ops gpe_ops = {
	.name = "gpe0",
	.max_bytes = 1,
	.read = gpe_read,
	.write = gpe_write,
};

/* APM control would raise an SMI; firmware without SMM only stores there. */
static uint64_t apm_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct piix4_pm *s = opaque;

	(void)bytes;
	return s->apm[offset];
}

static void apm_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct piix4_pm *s = opaque;

	(void)bytes;
	s->apm[offset] = (uint8_t)value;
}

static const struct io_ops apm_ops = {
	.name = "apm",
	.max_bytes = 1,
	.read = apm_read,
	.write = apm_write,
};

void piix4_pm_power_button(struct machine *m)
{
	struct piix4_pm *s = m->pm;

	pthread_mutex_lock(&s->lock);
	s->status |= PM1_STS_PWRBTN;
	pm_update_sci(s);
	pthread_mutex_unlock(&s->lock);
}

void piix4_pm_reset(struct machine *m)
{
	struct piix4_pm *s = m->pm;
	unsigned int i;

	pthread_mutex_lock(&s->lock);
	s->status = s->enable = s->control = 0;
	for (i = 0; i < GPE0_BYTES; i++)
		s->gpe[i] = 0;
	s->apm[0] = s->apm[1] = 0;
	pm_update_sci(s);
	pthread_mutex_unlock(&s->lock);
}

int piix4_pm_create(struct machine *m)
{
	struct piix4_pm *s = calloc(1, sizeof(*s));
	struct io_range range[] = {
		/* Up to the timer, which the core answers. */
		{ .base = PM_BASE, .length = PM_TMR, .ops = &pm_ops },
		{ .base = GPE0_BASE, .length = GPE0_BYTES, .ops = &gpe_ops },
		{ .base = APM_BASE, .length = 2, .ops = &apm_ops },
	};
	unsigned int i;
	int err;

	if (!s)
		return -HVM_ENOMEM;
	s->m = m;
	m->pm = s;
	pthread_mutex_init(&s->lock, NULL);
	err = pci_attach(&m->pci, &s->pci, &piix4_pm_desc, s, NULL);
	for (i = 0; i < HVM_ARRAY_SIZE(range) && !err; i++) {
		range[i].opaque = s;
		range[i].lock = &s->lock;
		err = pio_claim(&m->pio, &range[i]);
	}
	return err;
}

void piix4_pm_destroy(struct machine *m)
{
	if (!m->pm)
		return;
	pthread_mutex_destroy(&m->pm->lock);
	free(m->pm);
	m->pm = NULL;
}
