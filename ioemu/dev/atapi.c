/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * atapi.c - the packet commands of a CD-ROM drive with one data track.
 * Owns nothing. Locking: the channel's mutex. Saved with the channel.
 * Source: SFF-8020i "ATA Packet Interface for CD-ROMs" 2.6; MMC-4 (T10 1545D), 6 "Commands"; SPC-3,
 * 6.4 "INQUIRY", 6.27 "REQUEST SENSE".
 */
#include "dev/ide.h"

#include <string.h>

#define SENSE_NONE	      0x0u
#define SENSE_NOT_READY	      0x2u
#define SENSE_MEDIUM_ERROR    0x3u
#define SENSE_ILLEGAL_REQUEST 0x5u
#define SENSE_UNIT_ATTENTION  0x6u

#define ASC_UNRECOVERED_READ  0x11u
#define ASC_INVALID_COMMAND   0x20u
#define ASC_LBA_RANGE	      0x21u
#define ASC_INVALID_FIELD     0x24u
#define ASC_MEDIUM_CHANGED    0x28u
#define ASC_MEDIUM_ABSENT     0x3au
#define ASC_REMOVAL_PREVENTED 0x53u

#define PROFILE_CDROM 0x0008u

/* Allowed while a unit attention waits; needs a disc. */
#define ATAPI_ALWAYS 0x1u
#define ATAPI_MEDIUM 0x2u

struct atapi_command {
	uint8_t opcode;
	uint8_t flags;
	void (*run)(struct ide_channel *ch, const uint8_t *packet);
};

static void put_be16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void put_be32(uint8_t *to, uint32_t value)
{
	put_be16(to, value >> 16);
	put_be16(to + 2, value);
}

static uint32_t get_be16(const uint8_t *from)
{
	return (uint32_t)from[0] << 8 | from[1];
}

static uint32_t get_be32(const uint8_t *from)
{
	return get_be16(from) << 16 | get_be16(from + 2);
}

void atapi_finish(struct ide_channel *ch)
{
	struct ide_drive *d = ide_selected(ch);

	/* IDENTIFY PACKET DEVICE is plain PIO in: nothing comes after its data. */
	if (!ch->packet_limit) {
		ch->phase = IDE_IDLE;
		d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC;
		return;
	}
	d->reg.count = IDE_REASON_COD | IDE_REASON_IO;
	ide_done(ch);
}

static void atapi_fail(struct ide_channel *ch, uint8_t key, uint8_t asc)
{
	struct ide_drive *d = ide_selected(ch);

	d->sense_key = key;
	d->asc = asc;
	d->ascq = 0;
	d->reg.count = IDE_REASON_COD | IDE_REASON_IO;
	ide_abort(ch, (uint8_t)(key << 4 | IDE_ERROR_ABRT));
}

void atapi_read_failed(struct ide_channel *ch)
{
	atapi_fail(ch, SENSE_MEDIUM_ERROR, ASC_UNRECOVERED_READ);
}

/* Send @bytes of the buffer, at most what the command has room for. */
static void atapi_reply(struct ide_channel *ch, unsigned int bytes, unsigned int allocated)
{
	if (bytes > allocated)
		bytes = allocated;
	if (bytes)
		ide_reply(ch, bytes, ch->packet_limit);
	else
		atapi_finish(ch);
}

/* Sectors of the disc, 0 when there is none in the drive. */
static uint64_t atapi_sectors(const struct ide_drive *d)
{
	return d->tray_open || !d->disk ? 0 : d->sectors;
}

static void atapi_test_unit_ready(struct ide_channel *ch, const uint8_t *packet)
{
	(void)packet;
	atapi_finish(ch);
}

static void atapi_request_sense(struct ide_channel *ch, const uint8_t *packet)
{
	struct ide_drive *d = ide_selected(ch);
	uint8_t *b = ch->buffer, allocated = packet[4];

	memset(b, 0, 18);
	if (d->unit_attention && d->sense_key == SENSE_NONE) {
		d->sense_key = SENSE_UNIT_ATTENTION;
		d->asc = ASC_MEDIUM_CHANGED;
		d->unit_attention = false;
	}
	b[0] = 0x70;
	b[2] = d->sense_key;
	b[7] = 10;
	b[12] = d->asc;
	b[13] = d->ascq;
	d->sense_key = d->asc = d->ascq = 0;
	atapi_reply(ch, 18, allocated);
}

/* Text of a fixed length, padded with blanks and not terminated. */
static void atapi_text(uint8_t *to, const char *text, size_t bytes)
{
	size_t i, n = strlen(text);

	for (i = 0; i < bytes; i++)
		to[i] = (uint8_t)(i < n ? text[i] : ' ');
}

static void atapi_inquiry(struct ide_channel *ch, const uint8_t *packet)
{
	uint8_t *b = ch->buffer;
	unsigned int allocated = get_be16(packet + 3);

	if (packet[1] & 1) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
		return;
	}
	memset(b, 0, 36);
	b[0] = 0x05; /* CD-ROM */
	b[1] = 0x80; /* removable */
	b[3] = 0x21; /* ATAPI, response format 1 */
	b[4] = 31;
	atapi_text(b + 8, "HVM", 8);
	atapi_text(b + 16, "HVM CD-ROM", 16);
	atapi_text(b + 32, "1.0", 4);
	atapi_reply(ch, 36, allocated);
}

static void atapi_read_capacity(struct ide_channel *ch, const uint8_t *packet)
{
	(void)packet;
	put_be32(ch->buffer, (uint32_t)(atapi_sectors(ide_selected(ch)) - 1));
	put_be32(ch->buffer + 4, IDE_CD_SECTOR);
	atapi_reply(ch, 8, 8);
}

static void atapi_read_sectors(struct ide_channel *ch, uint64_t lba, uint32_t count)
{
	uint64_t sectors = atapi_sectors(ide_selected(ch));

	if (lba >= sectors || count > sectors - lba) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_LBA_RANGE);
		return;
	}
	if (!count) {
		atapi_finish(ch);
		return;
	}
	ch->xfer = (struct ide_transfer){
		.dma = ch->packet_dma,
		.offset = lba * IDE_CD_SECTOR,
		.left = (uint64_t)count * IDE_CD_SECTOR,
		.block = ch->packet_limit,
	};
	ide_transfer_start(ch);
}

static void atapi_read_10(struct ide_channel *ch, const uint8_t *packet)
{
	atapi_read_sectors(ch, get_be32(packet + 2), get_be16(packet + 7));
}

static void atapi_read_12(struct ide_channel *ch, const uint8_t *packet)
{
	atapi_read_sectors(ch, get_be32(packet + 2), get_be32(packet + 6));
}

/* READ CD: the user data of data sectors, which is all an ISO image holds. */
static void atapi_read_cd(struct ide_channel *ch, const uint8_t *packet)
{
	uint32_t count = (uint32_t)packet[6] << 16 | get_be16(packet + 7);
	uint8_t type = packet[1] >> 2 & 7, fields = packet[9] & 0xf8;

	if ((type != 0 && type != 2 && type != 4) || (fields != 0x10 && fields != 0) ||
	    packet[10] & 7) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
		return;
	}
	atapi_read_sectors(ch, get_be32(packet + 2), fields ? count : 0);
}

/* A position as logical block, or as minute, second, frame with the 2 s pregap. */
static void atapi_put_address(uint8_t *to, uint32_t lba, bool msf)
{
	if (!msf) {
		put_be32(to, lba);
		return;
	}
	lba += 150;
	to[0] = 0;
	to[1] = (uint8_t)(lba / 75 / 60);
	to[2] = (uint8_t)(lba / 75 % 60);
	to[3] = (uint8_t)(lba % 75);
}

static void atapi_toc_track(uint8_t *to, uint8_t track, uint32_t lba, bool msf)
{
	to[0] = 0;
	to[1] = 0x14; /* ADR 1, data track */
	to[2] = track;
	to[3] = 0;
	atapi_put_address(to + 4, lba, msf);
}

/* Format 2: the points of the lead-in of session 1, always as minute, second, frame. */
static unsigned int atapi_full_toc(uint8_t *b, uint32_t sectors)
{
	static const uint8_t point[4] = { 0xa0, 0xa1, 0xa2, 1 };
	unsigned int i;

	memset(b, 0, 4 + 4 * 11);
	put_be16(b, 2 + 4 * 11);
	b[2] = b[3] = 1;
	for (i = 0; i < 4; i++) {
		uint8_t *e = b + 4 + 11 * i, address[4];

		e[0] = 1;
		e[1] = 0x14;
		e[3] = point[i];
		if (i < 2) {
			e[8] = 1; /* first and last track */
			continue;
		}
		atapi_put_address(address, i == 2 ? sectors : 0, true);
		memcpy(e + 8, address + 1, 3);
	}
	return 4 + 4 * 11;
}

static void atapi_read_toc(struct ide_channel *ch, const uint8_t *packet)
{
	uint32_t sectors = (uint32_t)atapi_sectors(ide_selected(ch));
	unsigned int allocated = get_be16(packet + 7), bytes = 4;
	/* Old drivers put the format into the control byte. */
	uint8_t format = packet[2] & 0xf ? packet[2] & 0xf : packet[9] >> 6;
	uint8_t *b = ch->buffer, start = packet[6];
	bool msf = packet[1] & 2;

	if ((format == 0 && start > 1 && start != 0xaa) || format > 2) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
		return;
	}
	b[2] = b[3] = 1; /* first and last track, or session */
	if (format == 2) {
		bytes = atapi_full_toc(b, sectors);
	} else if (format == 1) {
		atapi_toc_track(b + 4, 1, 0, msf);
		bytes = 12;
	} else {
		if (start <= 1) {
			atapi_toc_track(b + bytes, 1, 0, msf);
			bytes += 8;
		}
		atapi_toc_track(b + bytes, 0xaa, sectors, msf);
		bytes += 8;
	}
	put_be16(b, bytes - 2);
	atapi_reply(ch, bytes, allocated);
}

static void atapi_get_configuration(struct ide_channel *ch, const uint8_t *packet)
{
	unsigned int allocated = get_be16(packet + 7);
	bool disc = atapi_sectors(ide_selected(ch)) != 0;
	uint8_t *b = ch->buffer;

	/* clang-format off */
	static const uint8_t features[] = {
		0, 0, 0x03, 4, 0, PROFILE_CDROM, 0, 0,		/* profile list: CD-ROM */
		0, 1, 0x07, 8, 0, 0, 0, 2, 0, 0, 0, 0,		/* core: ATAPI */
		0, 3, 0x03, 4, 0x29, 0, 0, 0,			/* removable medium: tray, eject, lock */
		0, 0x10, 0x00, 8, 0, 0, 8, 0, 0, 1, 0, 0,	/* random readable: 2048 bytes */
		0, 0x1e, 0x00, 4, 0, 0, 0, 0,			/* CD read */
	};
	/* clang-format on */
	memset(b, 0, 8);
	put_be32(b, 4 + sizeof(features));
	put_be16(b + 6, disc ? PROFILE_CDROM : 0);
	memcpy(b + 8, features, sizeof(features));
	b[8 + 6] = disc; /* the profile is current */
	atapi_reply(ch, 8 + sizeof(features), allocated);
}

static void atapi_mode_sense(struct ide_channel *ch, const uint8_t *packet)
{
	struct ide_drive *d = ide_selected(ch);
	unsigned int allocated = get_be16(packet + 7), bytes;
	uint8_t page = packet[2] & 0x3f, *b = ch->buffer;

	memset(b, 0, 64);
	bytes = 8;
	if (packet[2] >> 6 == 3) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, 0x39); /* no saved values */
		return;
	}
	if (page == 0x01 || page == 0x3f) { /* read error recovery */
		b[bytes] = 0x01;
		b[bytes + 1] = 6;
		b[bytes + 3] = 5;
		bytes += 8;
	}
	if (page == 0x2a || page == 0x3f) { /* capabilities and mechanical status */
		b[bytes] = 0x2a;
		b[bytes + 1] = 18;
		b[bytes + 4] = 0x70; /* mode 2 forms, multisession */
		b[bytes + 5] = 0x03;
		b[bytes + 6] = (uint8_t)(0x29 | (d->locked ? 2 : 0)); /* tray, eject, lock */
		put_be16(b + bytes + 8, 706);			      /* kB/s */
		put_be16(b + bytes + 12, 512);			      /* kB of buffer */
		put_be16(b + bytes + 14, 706);
		bytes += 20;
	}
	if (bytes == 8) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
		return;
	}
	put_be16(b, bytes - 2);
	b[2] = d->tray_open ? 0x71 : atapi_sectors(d) ? 0x01 : 0x70;
	atapi_reply(ch, bytes, allocated);
}

static void atapi_start_stop(struct ide_channel *ch, const uint8_t *packet)
{
	struct ide_drive *d = ide_selected(ch);
	bool start = packet[4] & 1, eject = packet[4] & 2;

	if (eject && !start && d->locked) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
		return;
	}
	if (eject) {
		d->unit_attention = d->tray_open && start && d->disk;
		d->tray_open = !start;
	}
	atapi_finish(ch);
}

static void atapi_prevent_allow(struct ide_channel *ch, const uint8_t *packet)
{
	ide_selected(ch)->locked = packet[4] & 1;
	atapi_finish(ch);
}

static void atapi_read_disc_info(struct ide_channel *ch, const uint8_t *packet)
{
	unsigned int allocated = get_be16(packet + 7);
	uint8_t *b = ch->buffer;

	if (packet[1] & 7) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
		return;
	}
	memset(b, 0, 34);
	put_be16(b, 32);
	b[2] = 0x0e; /* complete session, complete disc */
	b[3] = b[4] = b[5] = b[6] = 1;
	b[7] = 0x20; /* unrestricted use */
	atapi_reply(ch, 34, allocated);
}

static void atapi_event_status(struct ide_channel *ch, const uint8_t *packet)
{
	struct ide_drive *d = ide_selected(ch);
	unsigned int allocated = get_be16(packet + 7), bytes = 4;
	uint8_t *b = ch->buffer;

	if (!(packet[1] & 1)) { /* only polled */
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
		return;
	}
	memset(b, 0, 8);
	b[3] = 0x10; /* media events are what there is */
	if (packet[4] & 0x10) {
		b[2] = 4;
		b[4] = d->unit_attention ? 2 : 0; /* new media */
		b[5] = (uint8_t)((d->tray_open ? 1 : 0) | (atapi_sectors(d) ? 2 : 0));
		bytes = 8;
		d->unit_attention = false;
	} else {
		b[2] = 0x80; /* no event available */
	}
	put_be16(b, bytes - 2);
	atapi_reply(ch, bytes, allocated);
}

static void atapi_mechanism_status(struct ide_channel *ch, const uint8_t *packet)
{
	memset(ch->buffer, 0, 8);
	ch->buffer[1] = ide_selected(ch)->tray_open ? 0x10 : 0;
	ch->buffer[5] = 1;
	atapi_reply(ch, 8, get_be16(packet + 8));
}

static void atapi_seek(struct ide_channel *ch, const uint8_t *packet)
{
	if (get_be32(packet + 2) >= atapi_sectors(ide_selected(ch)))
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_LBA_RANGE);
	else
		atapi_finish(ch);
}

static const struct atapi_command atapi_commands[] = {
	{ 0x00, ATAPI_MEDIUM, atapi_test_unit_ready },
	{ 0x03, ATAPI_ALWAYS, atapi_request_sense },
	{ 0x12, ATAPI_ALWAYS, atapi_inquiry },
	{ 0x1b, 0, atapi_start_stop },
	{ 0x1e, 0, atapi_prevent_allow },
	{ 0x25, ATAPI_MEDIUM, atapi_read_capacity },
	{ 0x28, ATAPI_MEDIUM, atapi_read_10 },
	{ 0x2b, ATAPI_MEDIUM, atapi_seek },
	{ 0x43, ATAPI_MEDIUM, atapi_read_toc },
	{ 0x46, ATAPI_ALWAYS, atapi_get_configuration },
	{ 0x4a, ATAPI_ALWAYS, atapi_event_status },
	{ 0x51, ATAPI_MEDIUM, atapi_read_disc_info },
	{ 0x5a, 0, atapi_mode_sense },
	{ 0xa8, ATAPI_MEDIUM, atapi_read_12 },
	{ 0xbd, 0, atapi_mechanism_status },
	{ 0xbe, ATAPI_MEDIUM, atapi_read_cd },
};

void atapi_packet(struct ide_channel *ch)
{
	struct ide_drive *d = ide_selected(ch);
	uint8_t packet[IDE_PACKET_BYTES];
	const struct atapi_command *c = NULL;
	unsigned int i;

	memcpy(packet, ch->buffer, sizeof(packet));
	ch->phase = IDE_IDLE;
	d->status = IDE_STATUS_BSY;
	for (i = 0; i < HVM_ARRAY_SIZE(atapi_commands) && !c; i++)
		if (atapi_commands[i].opcode == packet[0])
			c = &atapi_commands[i];
	if (!c) {
		atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_COMMAND);
	} else if (d->unit_attention && !(c->flags & ATAPI_ALWAYS)) {
		d->unit_attention = false;
		atapi_fail(ch, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
	} else if (c->flags & ATAPI_MEDIUM && !atapi_sectors(d)) {
		atapi_fail(ch, SENSE_NOT_READY, ASC_MEDIUM_ABSENT);
	} else {
		if (c->opcode != 0x03)
			d->sense_key = d->asc = d->ascq = 0;
		c->run(ch, packet);
	}
}

void atapi_identify(struct ide_channel *ch)
{
	struct ide_drive *d = ide_selected(ch);
	uint8_t *id = ide_buffer(ch);
	unsigned int mode = d->transfer_mode & 7, i;
	/* clang-format off */
	static const struct {
		uint8_t index;
		uint16_t value;
	} words[] = {
		{ 0, 0x85c0 },	/* packet device, CD-ROM, removable, 12-byte packets, 50 us */
		{ 49, 0x0b00 }, /* IORDY, LBA, DMA */
		{ 51, 0x0200 }, { 53, 0x0006 }, { 64, 0x0003 },
		{ 65, 120 }, { 66, 120 }, { 67, 120 }, { 68, 120 },
		{ 80, 0x00f0 }, { 82, 0x4210 }, { 83, 0x4000 }, { 84, 0x4000 },
		{ 85, 0x4210 }, { 87, 0x4000 },
	};
	/* clang-format on */

	if (!id)
		return;
	memset(id, 0, IDE_SECTOR);
	for (i = 0; i < HVM_ARRAY_SIZE(words); i++) {
		id[2 * words[i].index] = (uint8_t)words[i].value;
		id[2 * words[i].index + 1] = (uint8_t)(words[i].value >> 8);
	}
	id[126] = 0x07; /* MWDMA 0-2, and which is selected */
	id[127] = (d->transfer_mode & 0xf8) == 0x20 ? (uint8_t)(1u << mode) : 0;
	id[176] = 0x3f; /* UDMA 0-5 */
	id[177] = (d->transfer_mode & 0xf8) == 0x40 ? (uint8_t)(1u << mode) : 0;
	ata_string(id + 20, "HVM-CD", 20);
	ata_string(id + 46, "1.0", 8);
	ata_string(id + 54, "HVM CD-ROM", 40);
	ide_reply(ch, IDE_SECTOR, IDE_SECTOR);
}
