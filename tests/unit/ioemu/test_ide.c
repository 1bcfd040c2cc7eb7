/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_ide.c - disks and a CD-ROM, driven through the ports as a driver does: PIO, multiple, DMA,
 * packets, errors, and what a hostile guest may try.
 */
#include "machine_fixture.h"

#define SECTORS	   70000ull /* more than LBA28's 256 sectors a command need, and past 2^16 */
#define CD_SECTORS 100ull
#define BASE	   0x1f0
#define ALT	   0x3f6
#define CD_BASE	   0x170
#define BM	   0xc000
#define PRD	   0x10000u
#define DATA	   0x20000u
#define IDE_FN	   PCI_DEVFN(1, 1)

#define ERR  0x01
#define DRQ  0x08
#define DRDY 0x40
#define BSY  0x80

static int ide_setup(void **state)
{
	struct machine_config cfg = { 0 };
	struct fixture *f = fixture_create();

	fixture_add_drive(f, &cfg, 0, false, false, SECTORS);
	fixture_add_drive(f, &cfg, 1, false, true, 64);
	fixture_add_drive(f, &cfg, 2, true, true, CD_SECTORS);
	fixture_start(f, &cfg);
	pci_out(f, IDE_FN, 0x20, 4, BM);
	pci_out(f, IDE_FN, 4, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	*state = f;
	return 0;
}

/* Wait for the workers; the guest would wait for the interrupt. */
static uint8_t settle(struct fixture *f, uint16_t base)
{
	unsigned int i;

	for (i = 0; i < MACHINE_DRIVES; i++)
		if (f->disk[i])
			disk_drain(f->disk[i]);
	return inb(f, (uint16_t)(base + 7));
}

static void command28(struct fixture *f, uint32_t lba, uint8_t count, uint8_t device, uint8_t op)
{
	outb(f, BASE + 6, (uint8_t)(0xe0 | device | lba >> 24));
	outb(f, BASE + 2, count);
	outb(f, BASE + 3, (uint8_t)lba);
	outb(f, BASE + 4, (uint8_t)(lba >> 8));
	outb(f, BASE + 5, (uint8_t)(lba >> 16));
	outb(f, BASE + 7, op);
}

static void command48(struct fixture *f, uint64_t lba, uint16_t count, uint8_t op)
{
	outb(f, BASE + 6, 0xe0);
	outb(f, BASE + 2, (uint8_t)(count >> 8));
	outb(f, BASE + 2, (uint8_t)count);
	outb(f, BASE + 3, (uint8_t)(lba >> 24));
	outb(f, BASE + 3, (uint8_t)lba);
	outb(f, BASE + 4, (uint8_t)(lba >> 32));
	outb(f, BASE + 4, (uint8_t)(lba >> 8));
	outb(f, BASE + 5, (uint8_t)(lba >> 40));
	outb(f, BASE + 5, (uint8_t)(lba >> 16));
	outb(f, BASE + 7, op);
}

static uint64_t image_word(struct fixture *f, unsigned int place, uint64_t offset)
{
	uint64_t value = 0;

	assert_int_equal(pread(f->image[place], &value, sizeof(value), (off_t)offset), 8);
	return value;
}

static void prd(struct fixture *f, unsigned int index, uint32_t gpa, uint32_t bytes, bool last)
{
	uint32_t entry[2] = { gpa, (bytes & 0xffff) | (last ? 0x80000000u : 0) };

	assert_int_equal(guest_memory_write(&f->m->memory, PRD + 8 * index, entry, 8), 0);
}

static uint64_t ram_word(struct fixture *f, gpa_t gpa)
{
	uint64_t value;

	assert_int_equal(guest_memory_read(&f->m->memory, gpa, &value, 8), 0);
	return value;
}

static void ide_identify_tells_what_the_disk_is(void **state)
{
	struct fixture *f = *state;
	uint16_t id[256];
	uint8_t *bytes = (uint8_t *)id, sum = 0;
	unsigned int i;

	command28(f, 0, 0, 0, 0xec);
	assert_true(f->irq[14]);
	assert_int_equal(inb(f, BASE + 7), DRDY | 0x10 | DRQ);
	assert_false(f->irq[14]);
	ins16(f, BASE, id, 256);
	assert_int_equal(inb(f, BASE + 7) & (DRQ | BSY | ERR), 0);
	assert_int_equal(id[60] | (uint32_t)id[61] << 16, SECTORS);
	assert_int_equal(id[100] | (uint32_t)id[101] << 16, SECTORS);
	assert_int_equal(id[83] & 0x2400, 0x2400);
	assert_memory_equal(bytes + 54, "VH MAHDRIDKS", 12);
	for (i = 0; i < 512; i++)
		sum = (uint8_t)(sum + bytes[i]);
	assert_int_equal(sum, 0);
}

static void ide_reads_sectors_by_pio_with_an_interrupt_each(void **state)
{
	struct fixture *f = *state;
	uint64_t data[64];
	unsigned int i, edges;

	command28(f, 1000, 3, 0, 0x20);
	for (i = 0; i < 3; i++) {
		assert_int_equal(settle(f, BASE) & (BSY | DRQ), DRQ);
		ins16(f, BASE, data, 256);
		assert_int_equal(data[0], 1000 + i);
	}
	edges = f->irq_edges[14];
	assert_int_equal(edges, 3);
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), 0);
}

static void ide_count_zero_is_256_sectors_over_several_chunks(void **state)
{
	struct fixture *f = *state;
	uint64_t data[64];
	unsigned int i;

	command28(f, 5, 0, 0, 0x20);
	for (i = 0; i < 256; i++) {
		assert_int_equal(settle(f, BASE) & (BSY | DRQ), DRQ);
		ins16(f, BASE, data, 256);
		assert_int_equal(data[0], 5 + i);
	}
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), 0);
}

static void ide_multiple_moves_blocks(void **state)
{
	struct fixture *f = *state;
	uint64_t data[64 * 8];

	outb(f, BASE + 6, 0xe0);
	outb(f, BASE + 2, 8);
	outb(f, BASE + 7, 0xc6);
	assert_int_equal(inb(f, BASE + 7) & ERR, 0);
	f->irq_edges[14] = 0;
	command48(f, 66000, 12, 0x29);
	assert_int_equal(settle(f, BASE) & DRQ, DRQ);
	ins16(f, BASE, data, 256 * 8);
	assert_int_equal(data[64 * 7], 66007);
	ins16(f, BASE, data, 256 * 4);
	assert_int_equal(data[64 * 3], 66011);
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), 0);
	assert_int_equal(f->irq_edges[14], 2);
}

static void ide_writes_reach_the_image(void **state)
{
	struct fixture *f = *state;
	uint64_t data[64] = { 0 };
	unsigned int i;

	command48(f, 69998, 2, 0x34);
	for (i = 0; i < 2; i++) {
		assert_int_equal(settle(f, BASE) & (BSY | DRQ), DRQ);
		data[0] = 0xabc0 + i;
		outs16(f, BASE, data, 256);
	}
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), 0);
	assert_int_equal(image_word(f, 0, 69998 * 512), 0xabc0);
	assert_int_equal(image_word(f, 0, 69999 * 512), 0xabc1);
	outb(f, BASE + 7, 0xea);
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), 0);
	assert_true(f->irq_edges[14] > 0);
}

static void ide_write_of_many_chunks_reaches_the_image(void **state)
{
	struct fixture *f = *state;
	uint64_t data[64] = { 0 };
	unsigned int i;

	command28(f, 0, 200, 0, 0x30);
	for (i = 0; i < 200; i++) {
		assert_int_equal(settle(f, BASE) & (BSY | DRQ), DRQ);
		data[0] = 7000 + i;
		outs16(f, BASE, data, 256);
	}
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), 0);
	assert_int_equal(image_word(f, 0, 0), 7000);
	assert_int_equal(image_word(f, 0, 199 * 512), 7199);
	assert_int_equal(image_word(f, 0, 200 * 512), 200);
}

static void ide_dma_read_follows_the_descriptors(void **state)
{
	struct fixture *f = *state;

	prd(f, 0, DATA, 1024, false);
	prd(f, 1, DATA + 0x10000, 512, true);
	f->written = 0;
	out(f, BM + 4, 4, PRD);
	command48(f, 300, 3, 0x25);
	assert_int_equal(inb(f, ALT) & BSY, 0);
	outb(f, BM, 0x09);
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), 0);
	assert_int_equal(inb(f, BM + 2) & 7, 4);
	assert_int_equal(ram_word(f, DATA), 300);
	assert_int_equal(ram_word(f, DATA + 512), 301);
	assert_int_equal(ram_word(f, DATA + 0x10000), 302);
	assert_int_equal(f->written, 1536);
	outb(f, BM + 2, 4);
	assert_int_equal(inb(f, BM + 2) & 7, 0);
}

static void ide_dma_write_reaches_the_image_also_when_started_first(void **state)
{
	struct fixture *f = *state;
	uint64_t word = 0x5151;

	guest_memory_write(&f->m->memory, DATA, &word, 8);
	prd(f, 0, DATA, 512, true);
	out(f, BM + 4, 4, PRD);
	outb(f, BM, 0x01);
	command28(f, 9, 1, 0, 0xca);
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), 0);
	assert_int_equal(image_word(f, 0, 9 * 512), 0x5151);
}

static void ide_dma_to_what_is_no_ram_fails_the_command(void **state)
{
	static const struct {
		uint32_t gpa, table;
	} rows[] = {
		{ 0xa0000, PRD },      { (uint32_t)FIXTURE_RAM - 256, PRD }, { 0xe0000000, PRD },
		{ DATA, 0xfffffff8u }, { DATA, (uint32_t)FIXTURE_RAM },
	};
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		prd(f, 0, rows[i].gpa, 512, true);
		out(f, BM + 4, 4, rows[i].table);
		command28(f, 0, 1, 0, 0xc8);
		outb(f, BM, 0x09);
		assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), ERR);
		assert_int_equal(inb(f, BM + 2) & 7, 6);
		outb(f, BM, 0);
		outb(f, BM + 2, 6);
	}
}

static void ide_dma_table_that_is_too_short_fails_the_command(void **state)
{
	struct fixture *f = *state;

	prd(f, 0, DATA, 512, true);
	out(f, BM + 4, 4, PRD);
	command28(f, 50, 2, 0, 0xc8);
	outb(f, BM, 0x09);
	assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), ERR);
}

static void ide_dma_needs_bus_mastering(void **state)
{
	struct fixture *f = *state;

	pci_out(f, IDE_FN, 4, 2, PCI_COMMAND_IO);
	prd(f, 0, DATA, 512, true);
	out(f, BM + 4, 4, PRD);
	command28(f, 50, 1, 0, 0xc8);
	outb(f, BM, 0x09);
	assert_int_equal(settle(f, BASE) & ERR, ERR);
	assert_int_equal(ram_word(f, DATA), 0);
}

static void ide_refuses_what_lies_outside_the_disk(void **state)
{
	static const struct {
		uint64_t lba;
		uint16_t count;
		uint8_t op;
	} rows[] = {
		{ SECTORS, 1, 0x24 },		{ SECTORS - 1, 2, 0x25 },
		{ 0xffffffffffffull, 1, 0x34 }, { SECTORS - 1, 0, 0x29 },
		{ 0xffffffffffffull, 0, 0x35 }, { SECTORS, 1, 0x42 },
	};
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		command48(f, rows[i].lba, rows[i].count, rows[i].op);
		assert_int_equal(settle(f, BASE) & (BSY | DRQ | ERR), ERR);
		assert_int_equal(inb(f, BASE + 1), 0x10);
	}
}

static void ide_chs_addresses_translate(void **state)
{
	struct fixture *f = *state;
	uint64_t data[64];

	outb(f, BASE + 6, 0xa0 | 3);
	outb(f, BASE + 2, 1);
	outb(f, BASE + 3, 7);
	outb(f, BASE + 4, 2);
	outb(f, BASE + 5, 0);
	outb(f, BASE + 7, 0x20);
	assert_int_equal(settle(f, BASE) & DRQ, DRQ);
	ins16(f, BASE, data, 256);
	assert_int_equal(data[0], (2 * 16 + 3) * 63 + 6);
	/* Sector 0 does not exist. */
	outb(f, BASE + 3, 0);
	outb(f, BASE + 7, 0x20);
	assert_int_equal(settle(f, BASE) & ERR, ERR);
}

static void ide_read_only_disk_refuses_writes(void **state)
{
	struct fixture *f = *state;

	command28(f, 1, 1, 0x10, 0x30);
	assert_int_equal(settle(f, BASE) & (DRQ | ERR), ERR);
	assert_int_equal(inb(f, BASE + 1), 4);
}

static void ide_unknown_commands_abort(void **state)
{
	static const uint8_t ops[] = { 0x00, 0xb0, 0xa0, 0xa1, 0xfe, 0x08, 0x60, 0xf5 };
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < HVM_ARRAY_SIZE(ops); i++) {
		command28(f, 0, 0, 0, ops[i]);
		assert_int_equal(inb(f, BASE + 7) & (DRQ | ERR), ERR);
		assert_int_equal(inb(f, BASE + 1), 4);
	}
}

static void ide_native_max_and_power_answer(void **state)
{
	struct fixture *f = *state;

	command28(f, 0, 0, 0, 0xf8);
	assert_int_equal(inb(f, BASE + 3) | inb(f, BASE + 4) << 8 | inb(f, BASE + 5) << 16,
			 SECTORS - 1);
	command28(f, 0, 0, 0, 0xe5);
	assert_int_equal(inb(f, BASE + 2), 0xff);
}

static void ide_high_order_bytes_read_back(void **state)
{
	struct fixture *f = *state;

	outb(f, BASE + 3, 0x12);
	outb(f, BASE + 3, 0x34);
	assert_int_equal(inb(f, BASE + 3), 0x34);
	outb(f, ALT, 0x80);
	assert_int_equal(inb(f, BASE + 3), 0x12);
}

static void ide_soft_reset_shows_signatures(void **state)
{
	struct fixture *f = *state;

	command28(f, 0, 8, 0, 0x20);
	outb(f, ALT, 4);
	assert_int_equal(inb(f, ALT), BSY);
	outb(f, ALT, 0);
	assert_int_equal(settle(f, BASE), DRDY | 0x10);
	assert_int_equal(inb(f, BASE + 2), 1);
	assert_int_equal(inb(f, BASE + 4), 0);
	outb(f, 0x376, 4);
	outb(f, 0x376, 0);
	assert_int_equal(inb(f, CD_BASE + 4), 0x14);
	assert_int_equal(inb(f, CD_BASE + 5), 0xeb);
}

static void ide_nien_masks_the_interrupt(void **state)
{
	struct fixture *f = *state;

	outb(f, ALT, 2);
	command28(f, 0, 0, 0, 0xec);
	assert_false(f->irq[14]);
	outb(f, ALT, 0);
	assert_true(f->irq[14]);
}

static void ide_absent_drives_are_seen_as_absent(void **state)
{
	struct fixture *f = *state;

	outb(f, CD_BASE + 6, 0xb0);
	assert_int_equal(inb(f, CD_BASE + 7), 0);
	outb(f, CD_BASE + 7, 0xec);
	assert_int_equal(inb(f, CD_BASE + 7), 0);
}

/* A transfer was under way on one drive; turning to an absent one and going on must not crash. */
static void ide_switching_drives_in_a_transfer_ends_it(void **state)
{
	struct fixture *f = *state;
	uint8_t junk[512] = { 0 };

	command28(f, 0, 1, 0, 0x30);
	outb(f, BASE + 6, 0xf0);
	outs16(f, BASE, junk, 256);
	settle(f, BASE);
	assert_int_equal(image_word(f, 0, 512), 1);
	outb(f, CD_BASE + 6, 0xa0);
	outb(f, CD_BASE + 7, 0xa0);
	outb(f, CD_BASE + 6, 0xb0);
	outs16(f, CD_BASE, junk, 6);
	assert_int_equal(inb(f, CD_BASE + 7), 0);
}

static void ide_image_that_shrank_is_a_read_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ftruncate(f->image[0], 512), 0);
	command28(f, 100, 1, 0, 0x20);
	assert_int_equal(settle(f, BASE) & (DRQ | ERR), ERR);
	assert_int_equal(inb(f, BASE + 1), 0x40);
	assert_int_equal(inb(f, BASE + 3), 100);
	assert_int_equal(f->disk_failures, 1);
}

/* Send a packet with a byte count limit; @dma through the bus master. */
static void packet(struct fixture *f, const uint8_t *cdb, uint16_t limit, bool dma)
{
	outb(f, CD_BASE + 6, 0xa0);
	outb(f, CD_BASE + 1, dma);
	outb(f, CD_BASE + 4, (uint8_t)limit);
	outb(f, CD_BASE + 5, (uint8_t)(limit >> 8));
	outb(f, CD_BASE + 7, 0xa0);
	assert_int_equal(inb(f, CD_BASE + 7) & DRQ, DRQ);
	assert_int_equal(inb(f, CD_BASE + 2) & 3, 1);
	outs16(f, CD_BASE, cdb, 6);
}

/* The first command after power-on reports the medium; take that. */
static void take_attention(struct fixture *f)
{
	const uint8_t ready[12] = { 0x00 }, sense[12] = { 0x03, 0, 0, 0, 18 };
	uint8_t answer[18];

	packet(f, ready, 0, false);
	assert_int_equal(inb(f, CD_BASE + 7) & ERR, ERR);
	packet(f, sense, 18, false);
	ins16(f, CD_BASE, answer, 9);
	assert_int_equal(answer[2], 6);
	assert_int_equal(answer[12], 0x28);
	packet(f, ready, 0, false);
	assert_int_equal(inb(f, CD_BASE + 7) & (ERR | DRQ), 0);
}

static void atapi_identifies_as_a_packet_device(void **state)
{
	struct fixture *f = *state;
	uint16_t id[256];

	outb(f, CD_BASE + 6, 0xa0);
	outb(f, CD_BASE + 7, 0xec);
	assert_int_equal(inb(f, CD_BASE + 7) & ERR, ERR);
	assert_int_equal(inb(f, CD_BASE + 4), 0x14);
	outb(f, CD_BASE + 7, 0xa1);
	ins16(f, CD_BASE, id, 256);
	assert_int_equal(id[0], 0x85c0);
}

static void atapi_reads_in_blocks_of_the_byte_count(void **state)
{
	const uint8_t read[12] = { 0x28, 0, 0, 0, 0, 40, 0, 0, 3 };
	struct fixture *f = *state;
	uint64_t data[256];
	unsigned int i;

	take_attention(f);
	packet(f, read, 2048, false);
	for (i = 0; i < 3; i++) {
		assert_int_equal(settle(f, CD_BASE) & (BSY | DRQ), DRQ);
		assert_int_equal(inb(f, CD_BASE + 2) & 3, 2);
		assert_int_equal(inb(f, CD_BASE + 4) | inb(f, CD_BASE + 5) << 8, 2048);
		ins16(f, CD_BASE, data, 1024);
		assert_int_equal(data[0], 40 + i);
	}
	assert_int_equal(settle(f, CD_BASE) & (BSY | DRQ | ERR), 0);
	assert_int_equal(inb(f, CD_BASE + 2) & 3, 3);
	assert_true(f->irq_edges[15] >= 4);
}

static void atapi_reads_by_dma(void **state)
{
	const uint8_t read[12] = { 0xa8, 0, 0, 0, 0, 7, 0, 0, 0, 2 };
	struct fixture *f = *state;

	take_attention(f);
	prd(f, 0, DATA, 4096, true);
	out(f, BM + 12, 4, PRD);
	packet(f, read, 0, true);
	outb(f, BM + 8, 0x09);
	assert_int_equal(settle(f, CD_BASE) & (BSY | DRQ | ERR), 0);
	assert_int_equal(ram_word(f, DATA), 7);
	assert_int_equal(ram_word(f, DATA + 2048), 8);
}

static void atapi_replies_are_cut_to_what_was_asked(void **state)
{
	const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 5 };
	struct fixture *f = *state;
	uint8_t answer[6];

	packet(f, inquiry, 0xffff, false);
	assert_int_equal(inb(f, CD_BASE + 4), 5);
	/* An odd length: the last word is padded. */
	ins16(f, CD_BASE, answer, 3);
	assert_int_equal(answer[0], 5);
	assert_int_equal(answer[4], 31);
	assert_int_equal(answer[5], 0);
	assert_int_equal(inb(f, CD_BASE + 7) & (DRQ | ERR), 0);
}

static void atapi_capacity_and_toc_agree(void **state)
{
	const uint8_t capacity[12] = { 0x25 }, toc[12] = { 0x43, 0, 0, 0, 0, 0, 0, 0, 20 };
	struct fixture *f = *state;
	uint8_t answer[20];

	take_attention(f);
	packet(f, capacity, 8, false);
	ins16(f, CD_BASE, answer, 4);
	assert_int_equal(answer[3], CD_SECTORS - 1);
	assert_int_equal(answer[6], 8);
	packet(f, toc, 20, false);
	ins16(f, CD_BASE, answer, 10);
	assert_int_equal(answer[1], 18);
	assert_int_equal(answer[6], 1);
	assert_int_equal(answer[14], 0xaa);
	assert_int_equal(answer[19], CD_SECTORS);
}

static void atapi_errors_leave_sense(void **state)
{
	static const struct {
		uint8_t cdb[12];
		uint8_t key, asc;
	} rows[] = {
		{ { 0x28, 0, 0, 0, 0, CD_SECTORS, 0, 0, 1 }, 5, 0x21 },
		{ { 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff }, 5, 0x21 },
		{ { 0xa8, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff }, 5, 0x21 },
		{ { 0x2a }, 5, 0x20 },
		{ { 0x43, 0, 9 }, 5, 0x24 },
		{ { 0x12, 1 }, 5, 0x24 },
	};
	const uint8_t sense[12] = { 0x03, 0, 0, 0, 18 };
	struct fixture *f = *state;
	uint8_t answer[18];
	unsigned int i;

	take_attention(f);
	for (i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		packet(f, rows[i].cdb, 0xfffe, false);
		assert_int_equal(settle(f, CD_BASE) & (BSY | DRQ | ERR), ERR);
		assert_int_equal(inb(f, CD_BASE + 1) >> 4, rows[i].key);
		packet(f, sense, 18, false);
		ins16(f, CD_BASE, answer, 9);
		assert_int_equal(answer[2], rows[i].key);
		assert_int_equal(answer[12], rows[i].asc);
	}
}

static void atapi_tray_locks_and_opens(void **state)
{
	const uint8_t lock[12] = { 0x1e, 0, 0, 0, 1 }, unlock[12] = { 0x1e };
	const uint8_t eject[12] = { 0x1b, 0, 0, 0, 2 }, ready[12] = { 0x00 };
	struct fixture *f = *state;

	take_attention(f);
	packet(f, lock, 0, false);
	packet(f, eject, 0, false);
	assert_int_equal(inb(f, CD_BASE + 7) & ERR, ERR);
	packet(f, unlock, 0, false);
	packet(f, eject, 0, false);
	assert_int_equal(inb(f, CD_BASE + 7) & ERR, 0);
	packet(f, ready, 0, false);
	assert_int_equal(inb(f, CD_BASE + 1) >> 4, 2);
}

static void machine_reset_waits_for_requests_and_drops_them(void **state)
{
	struct fixture *f = *state;

	prd(f, 0, DATA, 0, false); /* 64 KiB each */
	prd(f, 1, DATA + 0x10000, 0, true);
	out(f, BM + 4, 4, PRD);
	command48(f, 0, 256, 0x25);
	outb(f, BM, 0x09);
	machine_reset(f->m);
	assert_int_equal(inb(f, BASE + 7), DRDY | 0x10);
	assert_false(f->irq[14]);
}

#define T(fact) cmocka_unit_test_setup_teardown(fact, ide_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ide_identify_tells_what_the_disk_is),
		T(ide_reads_sectors_by_pio_with_an_interrupt_each),
		T(ide_count_zero_is_256_sectors_over_several_chunks),
		T(ide_multiple_moves_blocks),
		T(ide_writes_reach_the_image),
		T(ide_write_of_many_chunks_reaches_the_image),
		T(ide_dma_read_follows_the_descriptors),
		T(ide_dma_write_reaches_the_image_also_when_started_first),
		T(ide_dma_to_what_is_no_ram_fails_the_command),
		T(ide_dma_table_that_is_too_short_fails_the_command),
		T(ide_dma_needs_bus_mastering),
		T(ide_refuses_what_lies_outside_the_disk),
		T(ide_chs_addresses_translate),
		T(ide_read_only_disk_refuses_writes),
		T(ide_unknown_commands_abort),
		T(ide_native_max_and_power_answer),
		T(ide_high_order_bytes_read_back),
		T(ide_soft_reset_shows_signatures),
		T(ide_nien_masks_the_interrupt),
		T(ide_absent_drives_are_seen_as_absent),
		T(ide_switching_drives_in_a_transfer_ends_it),
		T(ide_image_that_shrank_is_a_read_error),
		T(atapi_identifies_as_a_packet_device),
		T(atapi_reads_in_blocks_of_the_byte_count),
		T(atapi_reads_by_dma),
		T(atapi_replies_are_cut_to_what_was_asked),
		T(atapi_capacity_and_toc_agree),
		T(atapi_errors_leave_sense),
		T(atapi_tray_locks_and_opens),
		T(machine_reset_waits_for_requests_and_drops_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
