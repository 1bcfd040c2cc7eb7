/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * piix3_ide.c - IDE function 00:01.1: two channels at the legacy ports and interrupts, bus master
 * registers in BAR 4.
 * Owns struct piix3_ide with both channels. Locking: each channel's mutex; the bus master handlers
 * take it themselves, since one range serves both. Saved as PIIX3_IDE (not yet written).
 * Source: Intel 82371SB (PIIX3) datasheet, 2.3 "PCI Configuration Registers, Function 1", 2.7
 * "PCI/IDE registers".
 */
#include "dev/devices.h"
#include "dev/ide.h"

#include <stdlib.h>

#define IDE_BM_BAR    4
#define IDE_BM_BYTES  16u
#define IDE_IDETIM    0x40
#define IDETIM_DECODE 0x8000u

struct piix3_ide {
	struct pci_device pci;
	struct ide_channel channel[2];
};

/* Both channels are decoded from reset on: hvmloader has nothing to switch. */
/* clang-format off */
static const struct pci_config_reg piix3_ide_regs[] = {
	/* offset bytes reset   writable */
	{ IDE_IDETIM, 4, IDETIM_DECODE << 16 | IDETIM_DECODE, 0xffffffff },
	{ 0x44, 1, 0x00, 0xff },	/* SIDETIM */
	{ 0x48, 1, 0x00, 0x0f },	/* UDMACTL */
	{ 0x4a, 2, 0x0000, 0x3333 },	/* UDMATIM */
};
/* clang-format on */

/* Offset within a channel's eight registers; the byte registers sit at 0 and 2, the table at 4. */
static uint8_t ide_bm_read_byte(struct ide_channel *ch, unsigned int offset)
{
	switch (offset) {
	case 0: return ch->bm.command;
	case 2: return ch->bm.status | IDE_BM_STATUS_CAPS;
	case 4:
	case 5:
	case 6:
	case 7: return (uint8_t)(ch->bm.table >> (8 * (offset - 4)));
	default: return 0;
	}
}

static void ide_bm_command(struct ide_channel *ch, uint8_t value)
{
	bool started = value & IDE_BM_START && !(ch->bm.command & IDE_BM_START);

	ch->bm.command = value & (IDE_BM_START | IDE_BM_TO_MEMORY);
	if (started) {
		ch->bm.status |= IDE_BM_STATUS_ACT;
		ide_dma_started(ch);
	} else if (!(value & IDE_BM_START)) {
		ch->bm.status &= (uint8_t)~IDE_BM_STATUS_ACT;
	}
}

static void ide_bm_write_byte(struct ide_channel *ch, unsigned int offset, uint8_t value)
{
	unsigned int shift;

	switch (offset) {
	case 0: ide_bm_command(ch, value); break;
	case 2:
		ch->bm.status &= (uint8_t) ~(value & (IDE_BM_STATUS_ERR | IDE_BM_STATUS_INT));
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		shift = 8 * (offset - 4);
		ch->bm.table = (ch->bm.table & ~(0xffu << shift)) | (uint32_t)value << shift;
		ch->bm.table &= ~3u;
		break;
	default: break;
	}
}

static uint64_t ide_bm_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct piix3_ide *s = opaque;
	struct ide_channel *ch = &s->channel[offset >> 3 & 1];
	uint64_t value = 0;
	unsigned int i;

	pthread_mutex_lock(&ch->lock);
	for (i = 0; i < bytes; i++)
		value |= (uint64_t)ide_bm_read_byte(ch, (offset + i) & 7) << (8 * i);
	pthread_mutex_unlock(&ch->lock);
	return value;
}

static void ide_bm_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct piix3_ide *s = opaque;
	struct ide_channel *ch = &s->channel[offset >> 3 & 1];
	unsigned int i;

	pthread_mutex_lock(&ch->lock);
	for (i = 0; i < bytes; i++)
		ide_bm_write_byte(ch, (offset + i) & 7, (uint8_t)(value >> (8 * i)));
	pthread_mutex_unlock(&ch->lock);
}

static const struct io_ops ide_bm_ops = {
	.name = "ide-bus-master",
	.max_bytes = 4,
	.read = ide_bm_read,
	.write = ide_bm_write,
};

static const struct pci_device_desc piix3_ide_desc = {
	.name = "piix3-ide",
	.devfn = PCI_DEVFN(1, 1),
	.vendor = 0x8086,
	.device = 0x7010,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_revision = 0x01018000,
	.status = 0x0280,
	.command_mask = PCI_COMMAND_IO | PCI_COMMAND_MASTER,
	.bar[IDE_BM_BAR] = { .kind = PCI_BAR_IO, .bytes = IDE_BM_BYTES, .ops = &ide_bm_ops },
	.regs = piix3_ide_regs,
	.reg_count = HVM_ARRAY_SIZE(piix3_ide_regs),
};

void piix3_ide_reset(struct machine *m)
{
	unsigned int i, k;

	for (i = 0; i < 2; i++) {
		struct ide_channel *ch = &m->ide->channel[i];

		pthread_mutex_lock(&ch->lock);
		ch->machine_reset = true;
		pthread_mutex_unlock(&ch->lock);
		for (k = 0; k < 2; k++)
			if (ch->drive[k].disk)
				disk_drain(ch->drive[k].disk);
		pthread_mutex_lock(&ch->lock);
		ch->machine_reset = false;
		ide_channel_power_on(ch);
		pthread_mutex_unlock(&ch->lock);
	}
}

int piix3_ide_create(struct machine *m, const struct machine_drive *drives)
{
	static const struct {
		uint16_t command, control;
		uint8_t irq;
	} legacy[2] = { { 0x1f0, 0x3f6, 14 }, { 0x170, 0x376, 15 } };
	struct piix3_ide *s = calloc(1, sizeof(*s));
	unsigned int i;
	int err;

	if (!s)
		return -HVM_ENOMEM;
	m->ide = s;
	for (i = 0; i < 2; i++)
		ide_channel_init(&s->channel[i], m, &s->pci, legacy[i].irq, drives + 2 * i);
	err = pci_attach(&m->pci, &s->pci, &piix3_ide_desc, s, NULL);
	for (i = 0; i < 2 && !err; i++) {
		struct io_range range = {
			.base = legacy[i].command,
			.length = 8,
			.ops = &ide_command_ops,
			.opaque = &s->channel[i],
			.lock = &s->channel[i].lock,
		};

		err = pio_claim(&m->pio, &range);
		range.base = legacy[i].control;
		range.length = 1;
		range.ops = &ide_control_ops;
		if (!err)
			err = pio_claim(&m->pio, &range);
	}
	return err;
}

void piix3_ide_destroy(struct machine *m)
{
	unsigned int i, k;

	if (!m->ide)
		return;
	for (i = 0; i < 2; i++) {
		struct ide_channel *ch = &m->ide->channel[i];

		pthread_mutex_lock(&ch->lock);
		ch->machine_reset = true;
		pthread_mutex_unlock(&ch->lock);
		for (k = 0; k < 2; k++)
			if (ch->drive[k].disk)
				disk_drain(ch->drive[k].disk);
		ide_channel_fini(ch);
	}
	free(m->ide);
	m->ide = NULL;
}
