/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ide_transfer.c - moving data: PIO blocks through the buffer, DMA straight between the image and
 * guest memory along the descriptor table. Transfers of any length go in chunks; vcpus never wait.
 * Owns nothing. Locking: ide.h; ide_disk_done() runs on the image's worker and takes the mutex.
 * Source: ATA/ATAPI-7 Volume 2, 9 "Protocol"; Intel 82371SB datasheet, 2.7 "PCI/IDE registers";
 * SFF-8038i "Bus Master Programming Interface for IDE ATA Controllers", 1.2 "Physical region
 * descriptor table".
 */
#include "dev/ide.h"

#include <stdlib.h>
#include <string.h>

#define PRD_LAST 0x80000000u

static void ide_chunk_start(struct ide_channel *ch);

uint8_t *ide_buffer(struct ide_channel *ch)
{
	if (!ch->buffer)
		ch->buffer = calloc(1, IDE_BUFFER_BYTES);
	if (!ch->buffer)
		ide_abort(ch, IDE_ERROR_ABRT);
	return ch->buffer;
}

/* The whole transfer is over. */
static void ide_transfer_done(struct ide_channel *ch)
{
	if (ch->xfer.dma)
		ch->bm.status &= (uint8_t)~IDE_BM_STATUS_ACT;
	if (ide_selected(ch)->cdrom) {
		atapi_finish(ch);
	} else if (ch->xfer.dma || ch->xfer.write) {
		ide_done(ch);
	} else {
		/* PIO in: the interrupt came with the last block, none follows it. */
		ch->phase = IDE_IDLE;
		ide_selected(ch)->status = IDE_STATUS_DRDY | IDE_STATUS_DSC;
	}
}

static void ide_transfer_failed(struct ide_channel *ch, uint8_t error)
{
	if (ch->xfer.dma)
		ch->bm.status |= IDE_BM_STATUS_ERR;
	ch->bm.status &= (uint8_t)~IDE_BM_STATUS_ACT;
	if (ide_selected(ch)->cdrom)
		atapi_read_failed(ch);
	else
		ide_abort(ch, error);
}

/* Show the next DRQ block of the buffer to the host. */
static void ide_block_start(struct ide_channel *ch, bool interrupt)
{
	struct ide_drive *d = ide_selected(ch);
	unsigned int bytes = ch->fill - ch->pos;

	if (bytes > ch->xfer.block)
		bytes = ch->xfer.block;
	ch->block_end = ch->pos + bytes;
	ch->phase = ch->xfer.write ? IDE_PIO_OUT : IDE_PIO_IN;
	d->status = IDE_STATUS_DRDY | IDE_STATUS_DSC | IDE_STATUS_DRQ;
	if (d->cdrom && ch->packet_limit) {
		d->reg.count = IDE_REASON_IO;
		d->reg.lba_mid = (uint8_t)bytes;
		d->reg.lba_high = (uint8_t)(bytes >> 8);
	}
	if (interrupt)
		ide_irq_raise(ch);
}

static void ide_disk_failed(struct ide_channel *ch)
{
	/* The sector that the host is told is the first of the chunk: all before it is done. */
	struct ide_drive *d = ide_selected(ch);
	uint64_t lba = ch->xfer.offset / IDE_SECTOR;

	if (!d->cdrom) {
		d->reg.lba_low = (uint8_t)lba;
		d->reg.lba_mid = (uint8_t)(lba >> 8);
		d->reg.lba_high = (uint8_t)(lba >> 16);
		d->hob.lba_low = (uint8_t)(lba >> 24);
		d->hob.lba_mid = (uint8_t)(lba >> 32);
		d->hob.lba_high = (uint8_t)(lba >> 40);
	}
	ide_transfer_failed(ch, ch->xfer.write ? IDE_ERROR_ABRT : IDE_ERROR_UNC);
}

/* A chunk went well: hand it to the host, or go on. */
static void ide_chunk_done(struct ide_channel *ch)
{
	struct ide_transfer *x = &ch->xfer;
	unsigned int i;

	x->offset += x->chunk;
	x->left -= x->chunk;
	if (x->dma && !x->write)
		for (i = 0; i < ch->pieces; i++)
			guest_memory_written(&ch->m->memory, ch->piece[i].gpa, ch->piece[i].bytes);
	if (!x->dma && !x->write) {
		ch->pos = 0;
		ch->fill = x->chunk;
		ide_block_start(ch, true);
	} else if (x->left) {
		ide_chunk_start(ch);
	} else if (x->flush_after) {
		x->flush_after = false;
		ide_flush_start(ch);
	} else {
		ide_transfer_done(ch);
	}
}

static void ide_disk_done(struct disk_request *req, int result)
{
	struct ide_channel *ch = req->opaque;

	pthread_mutex_lock(&ch->lock);
	ch->in_flight = false;
	if (ch->cancelled || ch->machine_reset) {
		ch->cancelled = false;
		if (ch->reset_when_done)
			ide_channel_signatures(ch);
		ch->reset_when_done = false;
	} else if (req->op == DISK_FLUSH) {
		if (result)
			ide_transfer_failed(ch, IDE_ERROR_ABRT);
		else
			ide_transfer_done(ch);
	} else if (result) {
		ide_disk_failed(ch);
	} else {
		ide_chunk_done(ch);
	}
	pthread_mutex_unlock(&ch->lock);
}

static void ide_submit(struct ide_channel *ch, enum disk_operation op)
{
	struct ide_drive *d = ide_selected(ch);

	ch->phase = IDE_DISK;
	d->status = IDE_STATUS_BSY;
	if (ch->machine_reset)
		return;
	ch->req.op = op;
	ch->req.offset = ch->xfer.offset;
	ch->req.iov = ch->iov;
	ch->req.iov_count = ch->pieces;
	ch->req.done = ide_disk_done;
	ch->req.opaque = ch;
	ch->in_flight = true;
	disk_submit(d->disk, &ch->req);
}

void ide_flush_start(struct ide_channel *ch)
{
	ch->pieces = 0;
	ide_submit(ch, DISK_FLUSH);
}

/* Read the next descriptor. False: the table or its memory is no RAM. */
static bool ide_prd_next(struct ide_channel *ch)
{
	struct ide_bus_master *bm = &ch->bm;
	uint32_t entry[2];

	if (guest_memory_read(&ch->m->memory, bm->next, entry, sizeof(entry)) < 0)
		return false;
	bm->next += sizeof(entry);
	bm->gpa = entry[0] & ~1u;
	bm->bytes = entry[1] & 0xfffe ? entry[1] & 0xfffe : 0x10000;
	bm->last = entry[1] & PRD_LAST;
	return true;
}

/*
 * Gather pieces of guest memory for up to @want bytes into iov[] and piece[].
 * Returns how many bytes they hold: 0 when the table is used up, -1 on a bad address.
 */
static int64_t ide_dma_gather(struct ide_channel *ch, uint64_t want)
{
	struct ide_bus_master *bm = &ch->bm;
	uint64_t got = 0;

	ch->pieces = 0;
	while (got < want && ch->pieces < IDE_IOV_MAX) {
		uint64_t len;
		void *hva;

		if (!bm->bytes) {
			if (bm->last)
				break;
			if (!ide_prd_next(ch))
				return -1;
		}
		len = want - got < bm->bytes ? want - got : bm->bytes;
		hva = guest_memory_piece(&ch->m->memory, bm->gpa, len, &len);
		if (!hva)
			return -1;
		ch->iov[ch->pieces] = (struct iovec){ .iov_base = hva, .iov_len = len };
		ch->piece[ch->pieces] = (struct ide_piece){ .gpa = bm->gpa, .bytes = len };
		ch->pieces++;
		bm->gpa += len;
		bm->bytes -= (uint32_t)len;
		got += len;
	}
	return (int64_t)got;
}

/* DMA of a reply that is in the buffer already: copy it now. */
static void ide_dma_reply(struct ide_channel *ch)
{
	while (ch->pos < ch->fill) {
		int64_t got = ide_dma_gather(ch, ch->fill - ch->pos);
		unsigned int i;

		if (got <= 0) {
			ide_transfer_failed(ch, IDE_ERROR_ABRT);
			return;
		}
		for (i = 0; i < ch->pieces; i++) {
			memcpy(ch->iov[i].iov_base, ch->buffer + ch->pos, ch->iov[i].iov_len);
			guest_memory_written(&ch->m->memory, ch->piece[i].gpa, ch->piece[i].bytes);
			ch->pos += (unsigned int)ch->iov[i].iov_len;
		}
	}
	ide_transfer_done(ch);
}

static void ide_dma_chunk(struct ide_channel *ch)
{
	struct ide_transfer *x = &ch->xfer;
	int64_t got;

	if (!pci_may_dma(ch->pci)) {
		ide_transfer_failed(ch, IDE_ERROR_ABRT);
		return;
	}
	if (x->reply) {
		ide_dma_reply(ch);
		return;
	}
	got = ide_dma_gather(ch, x->left < IDE_DMA_CHUNK ? x->left : IDE_DMA_CHUNK);
	/* A table shorter than the command would hang a real drive for ever; we fail the command.
	 */
	if (got <= 0) {
		ide_transfer_failed(ch, IDE_ERROR_ABRT);
		return;
	}
	x->chunk = (unsigned int)got;
	ide_submit(ch, x->write ? DISK_WRITE : DISK_READ);
}

static void ide_pio_chunk(struct ide_channel *ch)
{
	struct ide_transfer *x = &ch->xfer;

	if (!ide_buffer(ch))
		return;
	x->chunk = x->left < IDE_BUFFER_BYTES ? (unsigned int)x->left : IDE_BUFFER_BYTES;
	if (x->write) {
		/* Collect the chunk from the host first; the first block comes without interrupt.
		 */
		bool first = ch->phase != IDE_DISK;

		ch->pos = 0;
		ch->fill = x->chunk;
		ide_block_start(ch, !first);
		return;
	}
	ch->iov[0] = (struct iovec){ .iov_base = ch->buffer, .iov_len = x->chunk };
	ch->pieces = 1;
	ide_submit(ch, DISK_READ);
}

static void ide_chunk_start(struct ide_channel *ch)
{
	if (ch->xfer.dma)
		ide_dma_chunk(ch);
	else
		ide_pio_chunk(ch);
}

void ide_dma_started(struct ide_channel *ch)
{
	struct ide_bus_master *bm = &ch->bm;

	if (ch->phase != IDE_DMA_WAIT)
		return;
	bm->next = bm->table;
	bm->bytes = 0;
	bm->last = false;
	ide_chunk_start(ch);
}

void ide_transfer_start(struct ide_channel *ch)
{
	if (!ch->xfer.dma) {
		ide_chunk_start(ch);
		return;
	}
	ch->phase = IDE_DMA_WAIT;
	ide_selected(ch)->status = IDE_STATUS_DRDY | IDE_STATUS_DSC | IDE_STATUS_DRQ;
	if (ch->bm.command & IDE_BM_START)
		ide_dma_started(ch);
}

void ide_reply(struct ide_channel *ch, unsigned int bytes, unsigned int block)
{
	ch->xfer = (struct ide_transfer){
		.reply = true,
		.dma = ide_selected(ch)->cdrom && ch->packet_dma,
		.block = block,
	};
	ch->pos = 0;
	ch->fill = bytes;
	if (ch->xfer.dma)
		ide_transfer_start(ch);
	else
		ide_block_start(ch, true);
}

/* The host took or gave the last byte of a block. */
static void ide_block_done(struct ide_channel *ch)
{
	struct ide_transfer *x = &ch->xfer;

	if (ch->phase == IDE_PACKET_IN) {
		atapi_packet(ch);
		return;
	}
	if (ch->pos < ch->fill) {
		ide_block_start(ch, true);
		return;
	}
	if (x->write) {
		ch->iov[0] = (struct iovec){ .iov_base = ch->buffer, .iov_len = x->chunk };
		ch->pieces = 1;
		ide_submit(ch, DISK_WRITE);
	} else if (!x->reply && x->left) {
		ide_chunk_start(ch);
	} else {
		ide_transfer_done(ch);
	}
}

size_t ide_data_read(struct ide_channel *ch, uint8_t *buf, size_t bytes)
{
	size_t done = 0;

	while (done < bytes && ch->phase == IDE_PIO_IN) {
		size_t part = ch->block_end - ch->pos;

		if (part > bytes - done)
			part = bytes - done;
		memcpy(buf + done, ch->buffer + ch->pos, part);
		ch->pos += (unsigned int)part;
		done += part;
		if (ch->pos == ch->block_end)
			ide_block_done(ch);
	}
	return done;
}

size_t ide_data_write(struct ide_channel *ch, const uint8_t *buf, size_t bytes)
{
	size_t done = 0;

	while (done < bytes && (ch->phase == IDE_PIO_OUT || ch->phase == IDE_PACKET_IN)) {
		size_t part = ch->block_end - ch->pos;

		if (part > bytes - done)
			part = bytes - done;
		memcpy(ch->buffer + ch->pos, buf + done, part);
		ch->pos += (unsigned int)part;
		done += part;
		if (ch->pos == ch->block_end)
			ide_block_done(ch);
	}
	return done;
}
