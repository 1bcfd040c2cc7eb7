/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * piix3.c - ISA bridge 00:01.0: routing of PIRQ A-D to ISA interrupts, reset control at 0xcf9,
 * fast A20 and reset at 0x92. The edge/level registers belong to the core's 8259s.
 * Owns struct piix3. Locking: routing under the bus's intx_lock, ports under an own mutex or
 * (0xcf9) under pci->lock. Saved with PCI configuration space. Source: Intel 82371FB (PIIX) and
 * 82371SB (PIIX3) datasheet, 2.2 "PCI Configuration Registers, Function 0", 2.5.7.2 "RC
 * Register", 2.5.6.3 "Port 92".
 */
#include "dev/devices.h"

#include <stdlib.h>

#define PIRQRC		0x60
#define PIRQRC_DISABLE	0x80u
#define PIRQRC_IRQ_MASK 0x0fu
/* IRQs that a PIRQ may not be routed to. */
#define PIRQRC_RESERVED (1u << 0 | 1u << 1 | 1u << 2 | 1u << 8 | 1u << 13)

#define RCR_SYSTEM_RESET 0x02u
#define RCR_CPU_RESET	 0x04u

#define PORT92_RESET 0x01u
#define PORT92_A20   0x02u

struct piix3 {
	struct machine *m;
	struct pci_device pci;
	pthread_mutex_t lock;
	int routed[PCI_PIRQS]; /* ISA interrupt, or -1; intx_lock */
	uint8_t rcr;
	uint8_t port92;
};

/* clang-format off */
static const struct pci_config_reg piix3_regs[] = {
	/* offset bytes reset   writable */
	{ 0x4c, 1, 0x4d, 0xff },	 /* IORT */
	{ 0x4e, 2, 0x0003, 0x07ff },	 /* XBCS */
	{ 0x60, 4, 0x80808080, 0x8f8f8f8f }, /* PIRQRCA-D */
	{ 0x69, 1, 0x02, 0xfe },	 /* TOM */
	{ 0x6a, 2, 0x0000, 0x8010 },	 /* MSTAT */
	{ 0x70, 2, 0x8080, 0xefef },	 /* MBIRQ0-1 */
	{ 0x76, 2, 0x0c0c, 0x8f8f },	 /* MBDMA0-1 */
	{ 0x78, 2, 0x0002, 0xffff },	 /* PCSC */
	{ 0x80, 1, 0x00, 0x7f },	 /* APICBASE */
	{ 0x82, 1, 0x00, 0x0f },	 /* DLC */
	{ 0xa0, 1, 0x08, 0x1f },	 /* SMICNTL */
	{ 0xa2, 2, 0x0000, 0x00ff },	 /* SMIEN */
	{ 0xa4, 4, 0x00000000, 0xe000ffff }, /* SEE */
	{ 0xa8, 1, 0x0f, 0xff },	 /* FTMR */
	{ 0xaa, 2, 0x0000, 0x0000 },	 /* SMIREQ */
};
/* clang-format on */

/* Where a PIRQ goes, as its register says. */
static int piix3_route(const struct piix3 *s, unsigned int pirq)
{
	uint32_t reg = pci_config_get(&s->pci, PIRQRC + pirq, 1);
	unsigned int irq = reg & PIRQRC_IRQ_MASK;

	if (reg & PIRQRC_DISABLE || PIRQRC_RESERVED & 1u << irq)
		return -1;
	return (int)irq;
}

static void piix3_pirq_changed(void *opaque, unsigned int pirq, bool level)
{
	struct piix3 *s = opaque;

	if (s->routed[pirq] >= 0)
		irq_line_set(&s->m->irq, (unsigned int)s->routed[pirq],
			     (enum irq_source)(IRQ_SOURCE_PIRQA + pirq), level);
}

/* The guest wrote PIRQRC: take the levels away from the old lines and put them on the new. */
static void piix3_config_written(void *owner, unsigned int offset, unsigned int bytes)
{
	struct piix3 *s = owner;
	unsigned int pirq;

	if (offset >= PIRQRC + PCI_PIRQS || offset + bytes <= PIRQRC)
		return;
	pthread_mutex_lock(&s->m->pci.intx_lock);
	for (pirq = 0; pirq < PCI_PIRQS; pirq++) {
		int route = piix3_route(s, pirq);

		if (route == s->routed[pirq])
			continue;
		piix3_pirq_changed(s, pirq, false);
		s->routed[pirq] = route;
		piix3_pirq_changed(s, pirq, s->m->pci.pirq_high[pirq] != 0);
	}
	pthread_mutex_unlock(&s->m->pci.intx_lock);
}

static const struct pci_device_desc piix3_desc = {
	.name = "piix3",
	.devfn = PCI_DEVFN(1, 0),
	.vendor = 0x8086,
	.device = 0x7000,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_revision = 0x06010000,
	.status = 0x0280,
	.multifunction = 1,
	.command_reset = PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER,
	.command_mask = 0x0108,
	.regs = piix3_regs,
	.reg_count = HVM_ARRAY_SIZE(piix3_regs),
	.config_written = piix3_config_written,
};

static uint64_t piix3_rcr_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct piix3 *s = opaque;

	(void)offset;
	(void)bytes;
	return s->rcr;
}

static void piix3_rcr_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct piix3 *s = opaque;

	(void)offset;
	(void)bytes;
	/* The reset happens as the CPU reset bit goes up; hard or soft is the same to us. */
	if (value & RCR_CPU_RESET && !(s->rcr & RCR_CPU_RESET))
		s->m->ops->power(s->m->opaque, MACHINE_RESET, "port 0xcf9");
	s->rcr = (uint8_t)value & RCR_SYSTEM_RESET;
}

static const struct io_ops piix3_rcr_ops = {
	.name = "reset-control",
	.max_bytes = 1,
	.read = piix3_rcr_read,
	.write = piix3_rcr_write,
};

static uint64_t piix3_port92_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct piix3 *s = opaque;

	(void)offset;
	(void)bytes;
	return s->port92;
}

/* A20 is never masked here: the bit only reads back. */
static void piix3_port92_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct piix3 *s = opaque;

	(void)offset;
	(void)bytes;
	if (value & PORT92_RESET && !(s->port92 & PORT92_RESET))
		s->m->ops->power(s->m->opaque, MACHINE_RESET, "port 0x92");
	s->port92 = (uint8_t)value & (PORT92_A20 | PORT92_RESET);
}

static const struct io_ops piix3_port92_ops = {
	.name = "port92",
	.max_bytes = 1,
	.read = piix3_port92_read,
	.write = piix3_port92_write,
};

void piix3_reset(struct machine *m)
{
	m->piix3->rcr = 0;
	m->piix3->port92 = PORT92_A20;
}

int piix3_create(struct machine *m)
{
	struct piix3 *s = calloc(1, sizeof(*s));
	struct io_range port92 = {
		.base = 0x92,
		.length = 1,
		.ops = &piix3_port92_ops,
		.opaque = s,
	};
	unsigned int i;
	int err;

	if (!s)
		return -HVM_ENOMEM;
	s->m = m;
	m->piix3 = s;
	pthread_mutex_init(&s->lock, NULL);
	port92.lock = &s->lock;
	for (i = 0; i < PCI_PIRQS; i++)
		s->routed[i] = -1;
	piix3_reset(m);
	err = pci_attach(&m->pci, &s->pci, &piix3_desc, s, NULL);
	if (err)
		return err;
	m->pci.pirq_changed = piix3_pirq_changed;
	m->pci.pirq_opaque = s;
	m->pci.cf9 = &piix3_rcr_ops;
	m->pci.cf9_opaque = s;
	return pio_claim(&m->pio, &port92);
}

void piix3_destroy(struct machine *m)
{
	if (!m->piix3)
		return;
	pthread_mutex_destroy(&m->piix3->lock);
	free(m->piix3);
	m->piix3 = NULL;
}
