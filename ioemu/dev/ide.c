/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ide.c - registers of an IDE channel: command block, control block, interrupt, resets.
 * Owns nothing; struct ide_channel belongs to the PCI function. Locking: ide.h.
 * Source: ATA/ATAPI-7 Volume 2 (T13 1532D), 5 "Interface register definitions", 9.1 "Power-on,
 * hardware, software reset protocols".
 */
#include "dev/ide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum ide_register {
	IDE_DATA,
	IDE_ERROR_FEATURE,
	IDE_COUNT,
	IDE_LBA_LOW,
	IDE_LBA_MID,
	IDE_LBA_HIGH,
	IDE_DEVICE,
	IDE_STATUS_COMMAND,
};

static void ide_irq_update(struct ide_channel *ch)
{
	irq_line_set(&ch->m->irq, ch->irq, IRQ_SOURCE_DEVICE,
		     ch->intrq && !(ch->control & IDE_CONTROL_NIEN));
}

void ide_irq_raise(struct ide_channel *ch)
{
	/* Each block's interrupt is an edge of its own, even if the last was not acknowledged. */
	if (ch->intrq) {
		ch->intrq = false;
		ide_irq_update(ch);
	}
	ch->intrq = true;
	ch->bm.status |= IDE_BM_STATUS_INT;
	ide_irq_update(ch);
}

void ide_irq_lower(struct ide_channel *ch)
{
	ch->intrq = false;
	ide_irq_update(ch);
}

void ide_done(struct ide_channel *ch)
{
	struct ide_drive *d = ide_selected(ch);

	ch->phase = IDE_IDLE;
	d->error = 0;
	d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC;
	ide_irq_raise(ch);
}

void ide_abort(struct ide_channel *ch, uint8_t error)
{
	struct ide_drive *d = ide_selected(ch);

	ch->phase = IDE_IDLE;
	ch->bm.status &= (uint8_t)~IDE_BM_STATUS_ACT;
	d->error = error;
	d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC | IDE_STATUS_ERR;
	ide_irq_raise(ch);
}

void ide_signature(struct ide_drive *d)
{
	memset(&d->reg, 0, sizeof(d->reg));
	memset(&d->hob, 0, sizeof(d->hob));
	d->reg.count = 1;
	d->reg.lba_low = 1;
	d->reg.lba_mid = d->cdrom ? 0x14 : 0;
	d->reg.lba_high = d->cdrom ? 0xeb : 0;
	d->error = 1; /* diagnostic passed */
	/* A packet device shows DRDY only after its first command. */
	d->status = d->cdrom ? 0 : IDE_STATUS_DRDY | IDE_STATUS_DSC;
}

void ide_channel_signatures(struct ide_channel *ch)
{
	unsigned int i;

	ch->phase = IDE_IDLE;
	ch->selected = 0;
	for (i = 0; i < 2; i++) {
		ide_signature(&ch->drive[i]);
		ch->drive[i].device = 0;
	}
}

void ide_channel_power_on(struct ide_channel *ch)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		ata_drive_init(&ch->drive[i]);
	ide_channel_signatures(ch);
	ch->control = 0;
	ch->cancelled = ch->reset_when_done = false;
	memset(&ch->bm, 0, sizeof(ch->bm));
	ide_irq_lower(ch);
}

/* Software reset: what goes on is dropped; a disk request on its way is waited out, still busy. */
static void ide_soft_reset_begin(struct ide_channel *ch)
{
	ch->phase = IDE_IDLE;
	ch->cancelled = ch->in_flight;
	ch->reset_when_done = false;
	ch->bm.status &= (uint8_t)~IDE_BM_STATUS_ACT;
	ch->drive[0].status = ch->drive[1].status = IDE_STATUS_BSY;
	ide_irq_lower(ch);
}

static void ide_soft_reset_end(struct ide_channel *ch)
{
	if (ch->in_flight)
		ch->reset_when_done = true;
	else
		ide_channel_signatures(ch);
}

static void ide_write_control(struct ide_channel *ch, uint8_t value)
{
	uint8_t changed = ch->control ^ value;

	ch->control = value & (IDE_CONTROL_NIEN | IDE_CONTROL_SRST | IDE_CONTROL_HOB);
	if (changed & IDE_CONTROL_SRST) {
		if (value & IDE_CONTROL_SRST)
			ide_soft_reset_begin(ch);
		else
			ide_soft_reset_end(ch);
	}
	ide_irq_update(ch);
}

/* Nobody there: the bus floats high, or the present drive answers zero for the absent one. */
static bool ide_absent(struct ide_channel *ch, uint8_t *ret)
{
	if (ide_selected(ch)->present)
		return false;
	*ret = ch->drive[0].present || ch->drive[1].present ? 0 : 0xff;
	return true;
}

static uint8_t ide_status(struct ide_channel *ch)
{
	uint8_t value;

	if (ide_absent(ch, &value))
		return value;
	return ide_selected(ch)->status;
}

static uint8_t ide_read_register(struct ide_channel *ch, enum ide_register index)
{
	struct ide_drive *d = ide_selected(ch);
	const struct ide_registers *r = ch->control & IDE_CONTROL_HOB ? &d->hob : &d->reg;
	uint8_t value;

	if (ide_absent(ch, &value))
		return value;
	switch (index) {
	case IDE_DATA: return 0;
	case IDE_ERROR_FEATURE: return d->error;
	case IDE_COUNT: return r->count;
	case IDE_LBA_LOW: return r->lba_low;
	case IDE_LBA_MID: return r->lba_mid;
	case IDE_LBA_HIGH: return r->lba_high;
	case IDE_DEVICE: return d->device | 0xa0;
	case IDE_STATUS_COMMAND: ide_irq_lower(ch); return d->status;
	}
	return 0xff;
}

static void ide_write_command(struct ide_channel *ch, uint8_t value)
{
	struct ide_drive *d = ide_selected(ch);

	if (!d->present || d->status & IDE_STATUS_BSY || ch->in_flight)
		return;
	ide_irq_lower(ch);
	ch->phase = IDE_IDLE;
	ata_command(ch, value);
}

/* Turning to the other drive in the middle of a transfer ends it; no request is on its way then. */
static void ide_select(struct ide_channel *ch, unsigned int index)
{
	if (index == ch->selected)
		return;
	if (ch->phase != IDE_IDLE) {
		ch->phase = IDE_IDLE;
		ch->bm.status &= (uint8_t)~IDE_BM_STATUS_ACT;
		ide_selected(ch)->status = IDE_STATUS_DRDY | IDE_STATUS_DSC;
	}
	ch->selected = index;
}

static void ide_latch(uint8_t *reg, uint8_t *before, uint8_t value)
{
	*before = *reg;
	*reg = value;
}

static void ide_write_latch(struct ide_drive *d, enum ide_register index, uint8_t value)
{
	struct ide_registers *r = &d->reg, *h = &d->hob;

	switch (index) {
	case IDE_ERROR_FEATURE: ide_latch(&r->feature, &h->feature, value); break;
	case IDE_COUNT: ide_latch(&r->count, &h->count, value); break;
	case IDE_LBA_LOW: ide_latch(&r->lba_low, &h->lba_low, value); break;
	case IDE_LBA_MID: ide_latch(&r->lba_mid, &h->lba_mid, value); break;
	case IDE_LBA_HIGH: ide_latch(&r->lba_high, &h->lba_high, value); break;
	case IDE_DEVICE: d->device = value; break;
	default: break;
	}
}

/* Both drives latch what is written, as on the cable. */
static void ide_write_register(struct ide_channel *ch, enum ide_register index, uint8_t value)
{
	unsigned int i;

	ch->control &= (uint8_t)~IDE_CONTROL_HOB;
	if (index == IDE_STATUS_COMMAND) {
		ide_write_command(ch, value);
		return;
	}
	if (ide_selected(ch)->status & IDE_STATUS_BSY && ide_selected(ch)->present)
		return;
	if (index == IDE_DEVICE)
		ide_select(ch, value & IDE_DEVICE_DEV ? 1 : 0);
	for (i = 0; i < 2; i++)
		ide_write_latch(&ch->drive[i], index, value);
}

static uint64_t ide_command_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct ide_channel *ch = opaque;
	uint64_t value = 0;
	unsigned int i;

	if (offset == IDE_DATA) {
		uint8_t data[4] = { 0 };

		ide_data_read(ch, data, bytes);
		for (i = 0; i < bytes; i++)
			value |= (uint64_t)data[i] << (8 * i);
		return value;
	}
	for (i = 0; i < bytes; i++)
		value |= (uint64_t)ide_read_register(ch, (enum ide_register)(offset + i))
			 << (8 * i);
	return value;
}

static void ide_command_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct ide_channel *ch = opaque;
	unsigned int i;

	if (offset == IDE_DATA) {
		uint8_t data[4];

		for (i = 0; i < bytes; i++)
			data[i] = (uint8_t)(value >> (8 * i));
		ide_data_write(ch, data, bytes);
		return;
	}
	for (i = 0; i < bytes; i++)
		ide_write_register(ch, (enum ide_register)(offset + i),
				   (uint8_t)(value >> (8 * i)));
}

static size_t ide_command_read_bulk(void *opaque, uint64_t offset, unsigned int bytes, uint8_t *buf,
				    size_t count)
{
	size_t done, whole;

	if (offset != IDE_DATA)
		return 0;
	done = ide_data_read(opaque, buf, bytes * count);
	/* A block of odd length: the rest of its last word is padding. */
	whole = (done + bytes - 1) / bytes * bytes;
	memset(buf + done, 0, whole - done);
	return whole / bytes;
}

static size_t ide_command_write_bulk(void *opaque, uint64_t offset, unsigned int bytes,
				     const uint8_t *buf, size_t count)
{
	if (offset != IDE_DATA)
		return 0;
	return ide_data_write(opaque, buf, bytes * count) / bytes;
}

const struct io_ops ide_command_ops = {
	.name = "ide",
	.max_bytes = 4,
	.read = ide_command_read,
	.write = ide_command_write,
	.read_bulk = ide_command_read_bulk,
	.write_bulk = ide_command_write_bulk,
};

static uint64_t ide_control_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	(void)offset;
	(void)bytes;
	return ide_status(opaque); /* without acknowledging the interrupt */
}

static void ide_control_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	(void)offset;
	(void)bytes;
	ide_write_control(opaque, (uint8_t)value);
}

const struct io_ops ide_control_ops = {
	.name = "ide-control",
	.max_bytes = 1,
	.read = ide_control_read,
	.write = ide_control_write,
};

int ide_channel_init(struct ide_channel *ch, struct machine *m, struct pci_device *pci,
		     unsigned int irq, const struct machine_drive *drives)
{
	unsigned int i;

	ch->m = m;
	ch->pci = pci;
	ch->irq = irq;
	pthread_mutex_init(&ch->lock, NULL);
	for (i = 0; i < 2; i++) {
		struct ide_drive *d = &ch->drive[i];

		d->disk = drives[i].disk;
		d->cdrom = drives[i].cdrom;
		d->present = drives[i].present;
		if (d->disk)
			d->sectors = disk_bytes(d->disk) / (d->cdrom ? IDE_CD_SECTOR : IDE_SECTOR);
	}
	ide_channel_power_on(ch);
	return 0;
}

void ide_channel_fini(struct ide_channel *ch)
{
	pthread_mutex_destroy(&ch->lock);
	free(ch->buffer);
}
