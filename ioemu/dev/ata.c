/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ata.c - ATA commands, one table of them: LBA28, LBA48 and CHS; PIO, multiple and DMA.
 * Owns nothing. Locking: the channel's mutex. Saved with the channel.
 * Source: ATA/ATAPI-7 Volume 1 (T13 1532D), 6 "Command descriptions", 6.17 "IDENTIFY DEVICE".
 */
#include "dev/ide.h"

#include <stdio.h>
#include <string.h>

#define ATA_FOR_DISK  0x01u
#define ATA_FOR_CDROM 0x02u
#define ATA_FOR_BOTH  (ATA_FOR_DISK | ATA_FOR_CDROM)
/* What a transfer command does. */
#define ATA_EXT	      0x10u
#define ATA_WRITE     0x20u
#define ATA_MULTIPLE  0x40u
#define ATA_DMA	      0x80u
#define ATA_VERIFY    0x100u

#define ATA_CHECK_POWER_ACTIVE 0xffu
#define ATA_UDMA5	       0x45u

struct ata_command {
	uint8_t first, last; /* opcodes */
	uint16_t flags;
	void (*run)(struct ide_channel *ch, uint16_t flags);
};

void ata_drive_init(struct ide_drive *d)
{
	uint64_t cylinders = d->sectors / (16 * 63);

	d->heads = 16;
	d->sectors_per_track = 63;
	d->default_cylinders = cylinders > 16383 ? 16383 : cylinders ? (unsigned int)cylinders : 1;
	d->cylinders = d->default_cylinders;
	d->multiple = IDE_MULTIPLE_MAX;
	d->transfer_mode = ATA_UDMA5;
	d->write_cache = true;
	d->sense_key = d->asc = d->ascq = 0;
	d->tray_open = d->locked = false;
	/* The first command after power-on learns that there is a medium. */
	d->unit_attention = d->cdrom && d->disk;
}

void ata_string(uint8_t *to, const char *text, size_t bytes)
{
	size_t i, n = strlen(text);

	/* The first character sits in the high byte of the first word. */
	for (i = 0; i < bytes; i++)
		to[i ^ 1] = (uint8_t)(i < n ? text[i] : ' ');
}

static void ata_word(uint8_t *id, unsigned int index, uint32_t value)
{
	id[2 * index] = (uint8_t)value;
	id[2 * index + 1] = (uint8_t)(value >> 8);
}

static void ata_dword(uint8_t *id, unsigned int index, uint32_t value)
{
	ata_word(id, index, value);
	ata_word(id, index + 1, value >> 16);
}

/* Words that say which transfer mode is selected: MWDMA in 63, UDMA in 88. */
static void ata_identify_modes(const struct ide_drive *d, uint8_t *id)
{
	unsigned int mode = d->transfer_mode & 7;

	ata_word(id, 63, 0x0007u | ((d->transfer_mode & 0xf8) == 0x20 ? 0x100u << mode : 0));
	ata_word(id, 64, 0x0003); /* PIO 3 and 4 */
	ata_word(id, 65, 120);
	ata_word(id, 66, 120);
	ata_word(id, 67, 120);
	ata_word(id, 68, 120);
	ata_word(id, 88, 0x003fu | ((d->transfer_mode & 0xf8) == 0x40 ? 0x100u << mode : 0));
}

static void ata_identify_geometry(const struct ide_drive *d, uint8_t *id)
{
	uint64_t lba28 = d->sectors < 0x0fffffff ? d->sectors : 0x0fffffff;
	uint32_t chs = d->cylinders * d->heads * d->sectors_per_track;

	ata_word(id, 1, d->default_cylinders);
	ata_word(id, 3, 16);
	ata_word(id, 6, 63);
	ata_word(id, 54, d->cylinders);
	ata_word(id, 55, d->heads);
	ata_word(id, 56, d->sectors_per_track);
	ata_dword(id, 57, chs);
	ata_dword(id, 60, (uint32_t)lba28);
	ata_dword(id, 100, (uint32_t)d->sectors);
	ata_dword(id, 102, (uint32_t)(d->sectors >> 32));
}

static void ata_identify(struct ide_channel *ch, uint16_t flags)
{
	struct ide_drive *d = ide_selected(ch);
	uint8_t *id = ide_buffer(ch), sum = 0;
	char serial[21];
	unsigned int i;

	(void)flags;
	if (!id)
		return;
	memset(id, 0, IDE_SECTOR);
	ata_word(id, 0, 0x0040); /* fixed disk */
	ata_identify_geometry(d, id);
	ata_identify_modes(d, id);
	snprintf(serial, sizeof(serial), "HVM-%s", disk_id(d->disk));
	ata_string(id + 20, serial, 20);
	ata_string(id + 46, "1.0", 8);
	ata_string(id + 54, "HVM HARDDISK", 40);
	ata_word(id, 47, 0x8000 | IDE_MULTIPLE_MAX);
	ata_word(id, 48, 0x0001); /* doubleword PIO */
	ata_word(id, 49, 0x0b00); /* IORDY, LBA, DMA */
	ata_word(id, 50, 0x4000);
	ata_word(id, 51, 0x0200);
	ata_word(id, 53, 0x0007);
	ata_word(id, 59, d->multiple ? 0x0100 | d->multiple : 0);
	ata_word(id, 80, 0x00f0); /* ATA-4 to ATA-7 */
	ata_word(id, 82, 0x4028); /* NOP, write cache, power management */
	ata_word(id, 83, 0x7400); /* FLUSH CACHE (EXT), LBA48 */
	ata_word(id, 84, 0x4000);
	ata_word(id, 85, d->write_cache ? 0x4028 : 0x4008);
	ata_word(id, 86, 0x3400);
	ata_word(id, 87, 0x4000);
	ata_word(id, 93, d == &ch->drive[0] ? 0x600b : 0x6b00); /* 80-conductor cable */
	id[510] = 0xa5;
	for (i = 0; i < 511; i++)
		sum = (uint8_t)(sum + id[i]);
	id[511] = (uint8_t)-sum;
	ide_reply(ch, IDE_SECTOR, IDE_SECTOR);
}

/* Where and how much, from the registers. False: the address is outside the disk. */
static bool ata_range(const struct ide_drive *d, bool ext, uint64_t *ret_lba, uint32_t *ret_count)
{
	const struct ide_registers *r = &d->reg, *h = &d->hob;
	uint32_t count = ext ? (uint32_t)h->count << 8 | r->count : r->count;
	uint64_t lba = (uint64_t)r->lba_high << 16 | (uint64_t)r->lba_mid << 8 | r->lba_low;

	if (!count)
		count = ext ? 65536 : 256;
	if (ext) {
		lba |= (uint64_t)h->lba_low << 24 | (uint64_t)h->lba_mid << 32 |
		       (uint64_t)h->lba_high << 40;
	} else if (d->device & IDE_DEVICE_LBA) {
		lba |= (uint64_t)(d->device & 0xf) << 24;
	} else {
		unsigned int cylinder = (unsigned int)r->lba_high << 8 | r->lba_mid;
		unsigned int head = d->device & 0xf;

		if (!r->lba_low || r->lba_low > d->sectors_per_track || head >= d->heads ||
		    cylinder >= d->cylinders)
			return false;
		lba = ((uint64_t)cylinder * d->heads + head) * d->sectors_per_track + r->lba_low -
		      1;
	}
	if (lba >= d->sectors || count > d->sectors - lba)
		return false;
	*ret_lba = lba;
	*ret_count = count;
	return true;
}

static void ata_transfer(struct ide_channel *ch, uint16_t flags)
{
	struct ide_drive *d = ide_selected(ch);
	uint64_t lba;
	uint32_t count;

	if (flags & ATA_MULTIPLE && !d->multiple) {
		ide_abort(ch, IDE_ERROR_ABRT);
		return;
	}
	if (flags & ATA_WRITE && disk_is_read_only(d->disk)) {
		ide_abort(ch, IDE_ERROR_ABRT);
		return;
	}
	if (!ata_range(d, flags & ATA_EXT, &lba, &count)) {
		ide_abort(ch, IDE_ERROR_IDNF);
		return;
	}
	if (flags & ATA_VERIFY) {
		ide_done(ch);
		return;
	}
	ch->xfer = (struct ide_transfer){
		.write = flags & ATA_WRITE,
		.dma = flags & ATA_DMA,
		.flush_after = flags & ATA_WRITE && !d->write_cache,
		.offset = lba * IDE_SECTOR,
		.left = (uint64_t)count * IDE_SECTOR,
		.block = flags & ATA_MULTIPLE ? d->multiple * IDE_SECTOR : IDE_SECTOR,
	};
	ide_transfer_start(ch);
}

static void ata_nothing(struct ide_channel *ch, uint16_t flags)
{
	(void)flags;
	ide_done(ch);
}

static void ata_nop(struct ide_channel *ch, uint16_t flags)
{
	(void)flags;
	ide_abort(ch, IDE_ERROR_ABRT); /* as the standard has it */
}

static void ata_flush(struct ide_channel *ch, uint16_t flags)
{
	(void)flags;
	/* Its completion is that of a write: status and interrupt. */
	ch->xfer = (struct ide_transfer){ .write = true };
	ide_flush_start(ch);
}

static void ata_device_reset(struct ide_channel *ch, uint16_t flags)
{
	(void)flags;
	ide_signature(ide_selected(ch)); /* no interrupt */
}

static void ata_diagnostic(struct ide_channel *ch, uint16_t flags)
{
	(void)flags;
	ide_channel_signatures(ch);
	ide_irq_raise(ch);
}

static void ata_init_parameters(struct ide_channel *ch, uint16_t flags)
{
	struct ide_drive *d = ide_selected(ch);
	unsigned int heads = (d->device & 0xfu) + 1, sectors = d->reg.count;
	uint64_t cylinders;

	(void)flags;
	if (!sectors) {
		ide_abort(ch, IDE_ERROR_ABRT);
		return;
	}
	cylinders = d->sectors / (heads * sectors);
	d->heads = heads;
	d->sectors_per_track = sectors;
	d->cylinders = cylinders > 65535 ? 65535 : (unsigned int)cylinders;
	ide_done(ch);
}

static void ata_set_multiple(struct ide_channel *ch, uint16_t flags)
{
	struct ide_drive *d = ide_selected(ch);
	unsigned int count = d->reg.count;

	(void)flags;
	if (count > IDE_MULTIPLE_MAX || count & (count - 1)) {
		ide_abort(ch, IDE_ERROR_ABRT);
		return;
	}
	d->multiple = count;
	ide_done(ch);
}

static void ata_set_features(struct ide_channel *ch, uint16_t flags)
{
	struct ide_drive *d = ide_selected(ch);
	uint8_t mode = d->reg.count;

	(void)flags;
	switch (d->reg.feature) {
	case 0x02: d->write_cache = true; break;
	case 0x82:
		/* What was written before must not stay behind in the host's cache. */
		d->write_cache = false;
		if (d->disk && !d->cdrom) {
			ata_flush(ch, 0);
			return;
		}
		break;
	case 0x03:
		/* Default PIO, PIO 0-4, MWDMA 0-2, UDMA 0-5. */
		if (!(mode <= 1 || (mode >= 0x08 && mode <= 0x0c) ||
		      (mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= 0x45))) {
			ide_abort(ch, IDE_ERROR_ABRT);
			return;
		}
		if (mode >= 0x20)
			d->transfer_mode = mode;
		break;
	case 0x55: /* read look-ahead off, on; power-on defaults kept or restored */
	case 0xaa:
	case 0x66:
	case 0xcc: break;
	default: ide_abort(ch, IDE_ERROR_ABRT); return;
	}
	ide_done(ch);
}

static void ata_check_power(struct ide_channel *ch, uint16_t flags)
{
	(void)flags;
	ide_selected(ch)->reg.count = ATA_CHECK_POWER_ACTIVE;
	ide_done(ch);
}

static void ata_native_max(struct ide_channel *ch, uint16_t flags)
{
	struct ide_drive *d = ide_selected(ch);
	uint64_t max = d->sectors - 1;

	if (!(flags & ATA_EXT) && max > 0x0ffffffe)
		max = 0x0ffffffe;
	d->reg.lba_low = (uint8_t)max;
	d->reg.lba_mid = (uint8_t)(max >> 8);
	d->reg.lba_high = (uint8_t)(max >> 16);
	if (flags & ATA_EXT) {
		d->hob.lba_low = (uint8_t)(max >> 24);
		d->hob.lba_mid = (uint8_t)(max >> 32);
		d->hob.lba_high = (uint8_t)(max >> 40);
	} else {
		d->device = (uint8_t)((d->device & 0xf0) | (max >> 24 & 0xf));
	}
	ide_done(ch);
}

/* A packet device refuses IDENTIFY DEVICE and the reads by showing what it is. */
static void ata_show_signature(struct ide_channel *ch, uint16_t flags)
{
	(void)flags;
	ide_signature(ide_selected(ch));
	ide_abort(ch, IDE_ERROR_ABRT);
}

static void ata_packet(struct ide_channel *ch, uint16_t flags)
{
	struct ide_drive *d = ide_selected(ch);
	unsigned int limit = (unsigned int)d->reg.lba_high << 8 | d->reg.lba_mid;

	(void)flags;
	if (!ide_buffer(ch))
		return;
	/* Blocks are even but for the last; 0 stands for the most there can be. */
	if (limit == 0 || limit == 0xffff)
		limit = 0xfffe;
	ch->packet_limit = limit > 1 ? limit & ~1u : 2;
	ch->packet_dma = d->reg.feature & 1;
	ch->xfer = (struct ide_transfer){ .write = true };
	ch->pos = 0;
	ch->block_end = IDE_PACKET_BYTES;
	ch->fill = IDE_PACKET_BYTES;
	ch->phase = IDE_PACKET_IN;
	d->reg.count = IDE_REASON_COD;
	d->status = IDE_STATUS_DRDY | IDE_STATUS_DRQ;
}

static void ata_identify_packet(struct ide_channel *ch, uint16_t flags)
{
	(void)flags;
	ch->packet_limit = 0;
	ch->packet_dma = false;
	atapi_identify(ch);
}

/* clang-format off */
static const struct ata_command ata_commands[] = {
	{ 0x00, 0x00, ATA_FOR_BOTH, ata_nop },
	{ 0x08, 0x08, ATA_FOR_CDROM, ata_device_reset },
	{ 0x10, 0x1f, ATA_FOR_DISK, ata_nothing },	/* RECALIBRATE */
	{ 0x20, 0x21, ATA_FOR_DISK, ata_transfer },	/* READ SECTORS */
	{ 0x20, 0x21, ATA_FOR_CDROM, ata_show_signature },
	{ 0x24, 0x24, ATA_FOR_DISK | ATA_EXT, ata_transfer },
	{ 0x25, 0x25, ATA_FOR_DISK | ATA_EXT | ATA_DMA, ata_transfer },
	{ 0x27, 0x27, ATA_FOR_DISK | ATA_EXT, ata_native_max },
	{ 0x29, 0x29, ATA_FOR_DISK | ATA_EXT | ATA_MULTIPLE, ata_transfer },
	{ 0x30, 0x31, ATA_FOR_DISK | ATA_WRITE, ata_transfer },
	{ 0x34, 0x34, ATA_FOR_DISK | ATA_EXT | ATA_WRITE, ata_transfer },
	{ 0x35, 0x35, ATA_FOR_DISK | ATA_EXT | ATA_WRITE | ATA_DMA, ata_transfer },
	{ 0x39, 0x39, ATA_FOR_DISK | ATA_EXT | ATA_WRITE | ATA_MULTIPLE, ata_transfer },
	{ 0x40, 0x41, ATA_FOR_DISK | ATA_VERIFY, ata_transfer },
	{ 0x42, 0x42, ATA_FOR_DISK | ATA_EXT | ATA_VERIFY, ata_transfer },
	{ 0x70, 0x7f, ATA_FOR_DISK, ata_nothing },	/* SEEK */
	{ 0x90, 0x90, ATA_FOR_BOTH, ata_diagnostic },
	{ 0x91, 0x91, ATA_FOR_DISK, ata_init_parameters },
	{ 0x94, 0x97, ATA_FOR_BOTH, ata_nothing },	/* STANDBY, IDLE, old codes */
	{ 0x98, 0x98, ATA_FOR_BOTH, ata_check_power },
	{ 0x99, 0x99, ATA_FOR_BOTH, ata_nothing },	/* SLEEP */
	{ 0xa0, 0xa0, ATA_FOR_CDROM, ata_packet },
	{ 0xa1, 0xa1, ATA_FOR_CDROM, ata_identify_packet },
	{ 0xc4, 0xc4, ATA_FOR_DISK | ATA_MULTIPLE, ata_transfer },
	{ 0xc5, 0xc5, ATA_FOR_DISK | ATA_WRITE | ATA_MULTIPLE, ata_transfer },
	{ 0xc6, 0xc6, ATA_FOR_DISK, ata_set_multiple },
	{ 0xc8, 0xc9, ATA_FOR_DISK | ATA_DMA, ata_transfer },
	{ 0xca, 0xcb, ATA_FOR_DISK | ATA_WRITE | ATA_DMA, ata_transfer },
	{ 0xe0, 0xe3, ATA_FOR_BOTH, ata_nothing },	/* STANDBY and IDLE (IMMEDIATE) */
	{ 0xe5, 0xe5, ATA_FOR_BOTH, ata_check_power },
	{ 0xe6, 0xe6, ATA_FOR_BOTH, ata_nothing },	/* SLEEP */
	{ 0xe7, 0xe7, ATA_FOR_DISK, ata_flush },
	{ 0xea, 0xea, ATA_FOR_DISK, ata_flush },
	{ 0xec, 0xec, ATA_FOR_DISK, ata_identify },
	{ 0xec, 0xec, ATA_FOR_CDROM, ata_show_signature },
	{ 0xef, 0xef, ATA_FOR_BOTH, ata_set_features },
	{ 0xf8, 0xf8, ATA_FOR_DISK, ata_native_max },
};
/* clang-format on */

void ata_command(struct ide_channel *ch, uint8_t command)
{
	struct ide_drive *d = ide_selected(ch);
	uint16_t kind = d->cdrom ? ATA_FOR_CDROM : ATA_FOR_DISK;
	unsigned int i;

	d->error = 0;
	ch->packet_limit = 0;
	for (i = 0; i < HVM_ARRAY_SIZE(ata_commands); i++) {
		const struct ata_command *c = &ata_commands[i];

		if (command < c->first || command > c->last || !(c->flags & kind))
			continue;
		c->run(ch, c->flags);
		return;
	}
	ide_abort(ch, IDE_ERROR_ABRT);
}
