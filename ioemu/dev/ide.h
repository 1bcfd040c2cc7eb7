/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ide.h - one IDE channel: two drives, their registers, and the transfer that is going on.
 * ide.c has the registers, ide_transfer.c moves data, ata.c and atapi.c are the commands,
 * piix3_ide.c is the PCI function with the bus master.
 *
 * Locking: the channel's mutex, over everything here. Disk requests run on the image's worker
 * thread without it and complete under it. Saved with PIIX3_IDE (not yet written).
 */
#ifndef IOEMU_IDE_H
#define IOEMU_IDE_H

#include "backend/disk.h"
#include "machine.h"

#define IDE_SECTOR	 512u
#define IDE_CD_SECTOR	 2048u
#define IDE_BUFFER_BYTES (64u * 1024)
#define IDE_MULTIPLE_MAX 16
#define IDE_PACKET_BYTES 12u
#define IDE_IOV_MAX	 64u
#define IDE_DMA_CHUNK	 (1024u * 1024)

#define IDE_STATUS_ERR	0x01u
#define IDE_STATUS_DRQ	0x08u
#define IDE_STATUS_DSC	0x10u
#define IDE_STATUS_DF	0x20u
#define IDE_STATUS_DRDY 0x40u
#define IDE_STATUS_BSY	0x80u

#define IDE_ERROR_ABRT 0x04u
#define IDE_ERROR_IDNF 0x10u
#define IDE_ERROR_UNC  0x40u
#define IDE_ERROR_ICRC 0x80u

#define IDE_DEVICE_DEV 0x10u
#define IDE_DEVICE_LBA 0x40u

#define IDE_CONTROL_NIEN 0x02u
#define IDE_CONTROL_SRST 0x04u
#define IDE_CONTROL_HOB	 0x80u

/* ATAPI interrupt reason, in the sector count register. */
#define IDE_REASON_COD 0x01u
#define IDE_REASON_IO  0x02u

struct ide_registers {
	uint8_t feature, count, lba_low, lba_mid, lba_high;
};

struct ide_drive {
	struct disk *disk;
	bool present, cdrom;
	uint64_t sectors; /* of 512 or 2048 bytes; 0: no disc */
	struct ide_registers reg;
	struct ide_registers hob; /* what the registers held before the last write */
	uint8_t device, status, error;
	unsigned int default_cylinders, cylinders, heads, sectors_per_track;
	unsigned int multiple; /* sectors a block; 0: off */
	uint8_t transfer_mode; /* as SET FEATURES 03h */
	bool write_cache;
	/* CD-ROM */
	uint8_t sense_key, asc, ascq;
	bool tray_open, locked, unit_attention;
};

enum ide_phase {
	IDE_IDLE,
	IDE_PACKET_IN, /* DRQ: the host writes a command packet */
	IDE_PIO_IN,    /* DRQ: the host reads a block */
	IDE_PIO_OUT,   /* DRQ: the host writes a block */
	IDE_DMA_WAIT,  /* for the bus master's start bit */
	IDE_DISK,      /* a disk request is on its way */
};

struct ide_transfer {
	bool write, dma, flush_after, reply;
	uint64_t offset;    /* of the next chunk on the image, bytes */
	uint64_t left;	    /* bytes from there on that were not asked of the disk yet */
	unsigned int chunk; /* bytes of the request on its way */
	unsigned int block; /* PIO: bytes a DRQ block */
};

/* A piece of guest memory of the DMA request on its way, to be announced when it was written. */
struct ide_piece {
	gpa_t gpa;
	uint64_t bytes;
};

struct ide_bus_master {
	uint8_t command, status;
	uint32_t table; /* physical region descriptor table */
	/* While a transfer runs. */
	uint32_t next; /* descriptor to read next */
	gpa_t gpa;     /* rest of the current one */
	uint32_t bytes;
	bool last;
};

struct ide_channel {
	struct machine *m;
	struct pci_device *pci;
	pthread_mutex_t lock;
	unsigned int irq;
	struct ide_drive drive[2];
	unsigned int selected;
	uint8_t control;
	bool intrq;
	enum ide_phase phase;
	struct ide_transfer xfer;
	uint8_t *buffer;	   /* IDE_BUFFER_BYTES, from the first command on that needs it */
	unsigned int pos;	   /* next byte of the block */
	unsigned int block_end;	   /* end of the DRQ block */
	unsigned int fill;	   /* bytes in the buffer, or wanted in it */
	unsigned int packet_limit; /* ATAPI: byte count limit of the command */
	bool packet_dma;
	struct disk_request req;
	struct iovec iov[IDE_IOV_MAX];
	struct ide_piece piece[IDE_IOV_MAX];
	unsigned int pieces;
	bool in_flight;
	bool cancelled;	      /* the request on its way belongs to nobody any more */
	bool reset_when_done; /* and the soft reset ends with it */
	bool machine_reset;   /* the machine is being reset: start nothing */
	struct ide_bus_master bm;
};

#define IDE_BM_START	   0x01u
#define IDE_BM_TO_MEMORY   0x08u
#define IDE_BM_STATUS_ACT  0x01u
#define IDE_BM_STATUS_ERR  0x02u
#define IDE_BM_STATUS_INT  0x04u
#define IDE_BM_STATUS_CAPS 0x60u

/* ide.c */
int ide_channel_init(struct ide_channel *ch, struct machine *m, struct pci_device *pci,
		     unsigned int irq, const struct machine_drive *drives);
void ide_channel_fini(struct ide_channel *ch);
/* Both drives as after power-on. No request may be on its way. */
void ide_channel_power_on(struct ide_channel *ch);
extern const struct io_ops ide_command_ops; /* 8 ports */
extern const struct io_ops ide_control_ops; /* 1 port */

static inline struct ide_drive *ide_selected(struct ide_channel *ch)
{
	return &ch->drive[ch->selected];
}

void ide_irq_raise(struct ide_channel *ch);
void ide_irq_lower(struct ide_channel *ch);
/* ide_done - the command succeeded. */
void ide_done(struct ide_channel *ch);
/* ide_abort - the command failed with these error bits. */
void ide_abort(struct ide_channel *ch, uint8_t error);
/* ide_signature - registers that tell a disk from a CD-ROM after a reset. */
void ide_signature(struct ide_drive *d);
void ide_channel_signatures(struct ide_channel *ch);

/* ide_transfer.c */
/* The buffer, or NULL (the command was aborted: no memory). */
uint8_t *ide_buffer(struct ide_channel *ch);
/* Start what ch->xfer says: from or to the disk. */
void ide_transfer_start(struct ide_channel *ch);
/* Give the host the first @bytes of the buffer, @block a DRQ block; then the command is done. */
void ide_reply(struct ide_channel *ch, unsigned int bytes, unsigned int block);
void ide_flush_start(struct ide_channel *ch);
/* The bus master's start bit was set. */
void ide_dma_started(struct ide_channel *ch);
/* Data port, @bytes at @buf; returns how many were taken before DRQ went. */
size_t ide_data_read(struct ide_channel *ch, uint8_t *buf, size_t bytes);
size_t ide_data_write(struct ide_channel *ch, const uint8_t *buf, size_t bytes);

/* ata.c */
void ata_command(struct ide_channel *ch, uint8_t command);
void ata_drive_init(struct ide_drive *d);
/* ata_string - @text into @words ATA string words, padded with blanks. */
void ata_string(uint8_t *to, const char *text, size_t bytes);
/* atapi.c */
void atapi_packet(struct ide_channel *ch);
void atapi_identify(struct ide_channel *ch);
/* The data of a READ could not be had. */
void atapi_read_failed(struct ide_channel *ch);
void atapi_finish(struct ide_channel *ch);

#endif
