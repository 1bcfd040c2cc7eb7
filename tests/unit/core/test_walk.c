/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_walk.c - guest page-table walks: translations of every paging mode, rights, reserved bits,
 * error codes, accessed and dirty bits.
 * Source: Intel SDM Vol 3A ch. 4 "Paging".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mm/walk.h"

#define CR0_PG	 0x80000001u
#define CR0_WP	 0x00010000u
#define CR4_PSE	 0x10u
#define CR4_PAE	 0x20u
#define CR4_PGE	 0x80u
#define CR4_SMEP 0x100000u
#define CR4_SMAP 0x200000u
#define EFER_LMA 0x500u
#define EFER_NXE 0x800u

#define P  0x001ull
#define W  0x002ull
#define U  0x004ull
#define A  0x020ull
#define D  0x040ull
#define PS 0x080ull
#define G  0x100ull
#define NX (1ull << 63)

/* Guest memory: eight pages at gpa 0. Tables: PML4 0x1000, PDPT 0x2000, PD 0x3000, PT 0x4000. */
static _Alignas(4096) uint8_t mem[0x8000];
static unsigned int written;
static gpa_t race_gpa;	    /* the guest changes this entry ... */
static uint64_t race_value; /* ... to this, once, after it was read */

static void *mem_hva(void *arg, gpa_t gpa)
{
	(void)arg;
	if (gpa >= sizeof(mem))
		return NULL;
	/* The race: the walk reads the table below, then its view of the upper entry is stale. */
	if (race_value && gpa / 4096 == race_gpa / 4096 + 1) {
		memcpy(mem + race_gpa, &race_value, 8);
		race_value = 0;
	}
	return mem + gpa;
}

static void mem_written(void *arg, gpa_t gpa)
{
	(void)arg;
	(void)gpa;
	written++;
}

static void put64(gpa_t gpa, uint64_t v)
{
	memcpy(mem + gpa, &v, 8);
}

static uint64_t get64(gpa_t gpa)
{
	uint64_t v;

	memcpy(&v, mem + gpa, 8);
	return v;
}

static void put32(gpa_t gpa, uint32_t v)
{
	memcpy(mem + gpa, &v, 4);
}

static uint32_t get32(gpa_t gpa)
{
	uint32_t v;

	memcpy(&v, mem + gpa, 4);
	return v;
}

static struct walk_regs regs_of(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (struct walk_regs){ .cr0 = cr0,
				   .cr3 = 0x1000,
				   .cr4 = cr4,
				   .efer = efer,
				   .gpa_to_hva = mem_hva,
				   .pte_written = mem_written,
				   .maxphyaddr = 40 };
}

/* gva 0x8040201000 + offset: index 1 in each of the four tables. */
#define GVA 0x8040201000ull

static struct walk_regs long_tables(uint64_t leaf)
{
	memset(mem, 0, sizeof(mem));
	written = 0;
	race_value = 0;
	put64(0x1008, 0x2000 | P | W | U);
	put64(0x2008, 0x3000 | P | W | U);
	put64(0x3008, 0x4000 | P | W | U);
	put64(0x4008, leaf);
	return regs_of(CR0_PG | CR0_WP, CR4_PAE | CR4_PGE, EFER_LMA | EFER_NXE);
}

static void paging_off_is_identity(void **state)
{
	struct walk_regs r = regs_of(1, CR4_PAE, 0);
	struct walk_result w;

	(void)state;
	assert_int_equal(walk_gva(&r, 0xfee00123, WALK_WRITE | WALK_USER, &w), 0);
	assert_int_equal(w.gpa, 0xfee00123);
	assert_true(w.page_bytes == ~0ull);
	assert_true(w.writable);
}

static void four_levels_reach_a_4k_page(void **state)
{
	struct walk_regs r = long_tables(0xab12345000 | P | W | U | G);
	struct walk_result w;

	(void)state;
	assert_int_equal(walk_gva(&r, GVA + 0xabc, WALK_USER, &w), 0);
	assert_true(w.gpa == 0xab12345abcull);
	assert_int_equal(w.page_bytes, 4096);
	assert_true(w.global && w.user);
	assert_false(w.writable); /* not dirty yet */
}

static void large_pages_of_4_level_paging(void **state)
{
	struct walk_regs r = long_tables(0);
	struct walk_result w;

	(void)state;
	put64(0x3008, 0x40200000 | PS | P | W);
	assert_int_equal(walk_gva(&r, GVA + 0x1fe123, 0, &w), 0);
	assert_true(w.gpa == 0x40200000 + 0x1ff123); /* GVA is at 0x1000 in its 2 MiB */
	assert_int_equal(w.page_bytes, 2 << 20);
	put64(0x2008, 0x80000000 | PS | P | W);
	assert_int_equal(walk_gva(&r, GVA, 0, &w), 0);
	assert_true(w.gpa == 0x80000000ull + (GVA & 0x3fffffff));
	assert_int_equal(w.page_bytes, 1 << 30);
}

static void two_levels_reach_4k_and_4m_pages(void **state)
{
	struct walk_regs r = regs_of(CR0_PG, CR4_PSE, 0);
	struct walk_result w;

	(void)state;
	memset(mem, 0, sizeof(mem));
	put32(0x1000 + 4 * 3, 0x2000 | P | W | U);
	put32(0x2000 + 4 * 5, 0xfedcb000 | P | W | U);
	assert_int_equal(walk_gva(&r, 3u << 22 | 5u << 12 | 0x9a, WALK_WRITE, &w), 0);
	assert_true(w.gpa == 0xfedcb09a);
	assert_int_equal(get32(0x1000 + 4 * 3), 0x2000 | P | W | U | A);
	assert_int_equal(get32(0x2000 + 4 * 5), 0xfedcb000 | P | W | U | A | D);
	/* PSE-36: bits 13-20 are address bits 32-39. */
	put32(0x1000 + 4 * 3, 0xffc00000 | 0xab << 13 | PS | P | W);
	assert_int_equal(walk_gva(&r, 3u << 22 | 0x123456, 0, &w), 0);
	assert_true(w.gpa == 0xabffc00000ull + 0x123456);
	assert_int_equal(w.page_bytes, 4 << 20);
	/* Without CR4.PSE the bit means nothing. */
	r.cr4 = 0;
	put32(0x1000 + 4 * 3, 0x2000 | PS | P | W);
	assert_int_equal(walk_gva(&r, 3u << 22 | 5u << 12, 0, &w), 0);
	assert_true(w.gpa == 0xfedcb000);
}

static void pae_uses_the_loaded_pdptes(void **state)
{
	const uint64_t pdpte[4] = { 0, 0, 0x3000 | P, 0 };
	struct walk_regs r = regs_of(CR0_PG, CR4_PAE, EFER_NXE);
	struct walk_result w;

	(void)state;
	memset(mem, 0, sizeof(mem));
	r.pdpte = pdpte;
	put64(0x3008, 0x4000 | P | W | U);
	put64(0x4008, 0x9876543000 | P | W | U);
	assert_int_equal(walk_gva(&r, 2u << 30 | 0x201000, WALK_USER | WALK_WRITE, &w), 0);
	assert_true(w.gpa == 0x9876543000ull);
	assert_int_equal(walk_gva(&r, 3u << 30 | 0x201000, 0, &w), -HVM_EFAULT);
	assert_int_equal(w.pfec, 0);
	put64(0x3008, 0x600000 | PS | P | W | U);
	assert_int_equal(walk_gva(&r, 2u << 30 | 0x201000, 0, &w), 0);
	assert_true(w.gpa == 0x601000);
}

struct rights_row {
	const char *fact;
	uint64_t leaf, upper_clear; /* bits missing in the page directory's entry */
	unsigned int access;
	uint64_t cr0_off, cr4_on, efer_off;
	int pfec; /* -1: allowed */
};

static const struct rights_row rights_rows[] = {
	{ "user reads user page", P | U, 0, WALK_USER, 0, 0, 0, -1 },
	{ "user on supervisor page", P | W, 0, WALK_USER, 0, 0, 0, 0x5 },
	{ "user write on read-only", P | U, 0, WALK_USER | WALK_WRITE, 0, 0, 0, 0x7 },
	{ "user write without WP", P | U, 0, WALK_USER | WALK_WRITE, CR0_WP, 0, 0, 0x7 },
	{ "kernel write on read-only", P | U, 0, WALK_WRITE, 0, 0, 0, 0x3 },
	{ "kernel write without WP", P | U, 0, WALK_WRITE, CR0_WP, 0, 0, -1 },
	{ "upper level takes W away", P | W | U, W, WALK_USER | WALK_WRITE, 0, 0, 0, 0x7 },
	{ "upper level takes U away", P | W | U, U, WALK_USER, 0, 0, 0, 0x5 },
	{ "not present", W | U, 0, WALK_USER | WALK_WRITE, 0, 0, 0, 0x6 },
	{ "upper level not present", P | W | U, P, WALK_WRITE, 0, 0, 0, 0x2 },
	{ "fetch from NX", P | U | NX, 0, WALK_USER | WALK_FETCH, 0, 0, 0, 0x15 },
	{ "kernel fetch from NX", P | NX, 0, WALK_FETCH, 0, 0, 0, 0x11 },
	{ "read of NX", P | U | NX, 0, WALK_USER, 0, 0, 0, -1 },
	{ "NX without NXE is reserved", P | U | NX, 0, WALK_USER, 0, 0, EFER_NXE, 0xd },
	{ "I bit needs NXE or SMEP", U, 0, WALK_USER | WALK_FETCH, 0, 0, EFER_NXE, 0x4 },
	{ "I bit with SMEP alone", U, 0, WALK_USER | WALK_FETCH, 0, CR4_SMEP, EFER_NXE, 0x14 },
	{ "SMEP: kernel fetch of user page", P | U, 0, WALK_FETCH, 0, CR4_SMEP, 0, 0x11 },
	{ "SMEP: user fetch", P | U, 0, WALK_FETCH | WALK_USER, 0, CR4_SMEP, 0, -1 },
	{ "SMAP: kernel read of user page", P | U, 0, 0, 0, CR4_SMAP, 0, 0x1 },
	{ "SMAP: with AC", P | U, 0, WALK_AC, 0, CR4_SMAP, 0, -1 },
	{ "SMAP: implicit access ignores AC", P | U, 0, WALK_AC | WALK_IMPLICIT, 0, CR4_SMAP, 0,
	  0x1 },
	{ "SMAP: kernel page", P | W, 0, WALK_WRITE, 0, CR4_SMAP, 0, -1 },
	{ "SMAP does not concern fetches", P | U, 0, WALK_FETCH, 0, CR4_SMAP, 0, -1 },
	{ "address beyond MAXPHYADDR", P | U | 1ull << 40, 0, WALK_USER, 0, 0, 0, 0xd },
	{ "reserved bit 51", P | U | 1ull << 51, 0, WALK_WRITE, 0, 0, 0, 0xb },
	{ "bits 52-62 are free", P | U | 0x7ffull << 52, 0, WALK_USER, 0, 0, 0, -1 },
	{ "PAT bit of a 4K page", P | U | PS, 0, WALK_USER, 0, 0, 0, -1 },
};

static void rights_and_error_codes(void **state)
{
	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rights_rows); n++) {
		const struct rights_row *row = &rights_rows[n];
		struct walk_regs r = long_tables(row->leaf | 0x5000);
		struct walk_result w;
		int rc;

		put64(0x3008, (0x4000 | P | W | U) & ~row->upper_clear);
		r.cr0 &= ~row->cr0_off;
		r.cr4 |= row->cr4_on;
		r.efer &= ~row->efer_off;
		rc = walk_gva(&r, GVA, row->access, &w);
		if (rc != (row->pfec < 0 ? 0 : -HVM_EFAULT) ||
		    (rc && w.pfec != (uint32_t)row->pfec))
			fail_msg("%s: rc %d pfec %#x", row->fact, rc, rc ? w.pfec : 0);
		if (rc && written)
			fail_msg("%s: a faulting walk wrote the tables", row->fact);
	}
}

static void reserved_bits_of_upper_levels(void **state)
{
	static const struct {
		gpa_t at;
		uint64_t entry;
	} rows[] = {
		{ 0x1008, 0x2000 | P | W | U | PS },		   /* PML4E has no PS */
		{ 0x1008, 0x2000 | P | W | U | 1ull << 45 },	   /* beyond MAXPHYADDR */
		{ 0x2008, 0x40000000 | P | W | U | PS | 1 << 29 }, /* 1G page: bits 13-29 */
		{ 0x2008, 0x40000000 | P | W | U | PS | 1 << 13 },
		{ 0x3008, 0x00200000 | P | W | U | PS | 1 << 20 }, /* 2M page: bits 13-20 */
		{ 0x3008, 0x00200000 | P | W | U | PS | 1 << 13 },
	};
	struct walk_result w;

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		struct walk_regs r = long_tables(0x5000 | P | W | U);

		put64(rows[n].at, rows[n].entry);
		assert_int_equal(walk_gva(&r, GVA, WALK_USER, &w), -HVM_EFAULT);
		assert_int_equal(w.pfec, 0xd);
	}
	/* PAE: bits 52-62 are reserved, too; bit 12 of a large page is PAT. */
	{
		const uint64_t pdpte[4] = { 0x3000 | P };
		struct walk_regs r = regs_of(CR0_PG, CR4_PAE, EFER_NXE);

		r.pdpte = pdpte;
		put64(0x3008, 0x200000 | P | PS | 1ull << 52);
		assert_int_equal(walk_gva(&r, 0x201000, 0, &w), -HVM_EFAULT);
		assert_int_equal(w.pfec, 0x9);
		put64(0x3008, 0x200000 | P | PS | 1ull << 12);
		assert_int_equal(walk_gva(&r, 0x201000, 0, &w), 0);
		assert_true(w.gpa == 0x201000);
	}
	/* 4M page: bit 21 is reserved with 40 address bits. */
	{
		struct walk_regs r = regs_of(CR0_PG, CR4_PSE, 0);

		put32(0x1000, 0x400000 | P | PS | 1u << 21);
		assert_int_equal(walk_gva(&r, 0x1000, 0, &w), -HVM_EFAULT);
		assert_int_equal(w.pfec, 0x9);
	}
}

static void reads_set_accessed_and_writes_set_dirty(void **state)
{
	struct walk_regs r = long_tables(0x5000 | P | W | U);
	struct walk_result w;

	(void)state;
	assert_int_equal(walk_gva(&r, GVA, WALK_PROBE | WALK_WRITE, &w), 0);
	assert_int_equal(written, 0);
	assert_false(w.writable);
	assert_int_equal(walk_gva(&r, GVA, 0, &w), 0);
	assert_int_equal(written, 4);
	assert_int_equal(get64(0x1008), 0x2000 | P | W | U | A);
	assert_int_equal(get64(0x4008), 0x5000 | P | W | U | A);
	assert_int_equal(walk_gva(&r, GVA, WALK_WRITE, &w), 0);
	assert_int_equal(written, 5);
	assert_int_equal(get64(0x3008), 0x4000 | P | W | U | A);
	assert_int_equal(get64(0x4008), 0x5000 | P | W | U | A | D);
	assert_true(w.writable);
	assert_int_equal(walk_gva(&r, GVA, WALK_WRITE, &w), 0);
	assert_int_equal(written, 5);
}

static void a_dirty_page_is_not_writable_without_the_right(void **state)
{
	struct walk_regs r = long_tables(0x5000 | P | U | A | D);
	struct walk_result w;

	(void)state;
	assert_int_equal(walk_gva(&r, GVA, 0, &w), 0);
	assert_false(w.writable);
	r.cr0 &= ~(uint64_t)CR0_WP;
	assert_int_equal(walk_gva(&r, GVA, 0, &w), 0);
	assert_true(w.writable);
	assert_int_equal(walk_gva(&r, GVA, WALK_USER, &w), 0);
	assert_false(w.writable);
}

static void an_entry_that_changes_restarts_the_walk(void **state)
{
	struct walk_regs r = long_tables(0x5000 | P | W | U);
	struct walk_result w;

	(void)state;
	/* While the page table is read, its directory entry comes to name another table. */
	put64(0x6008, 0x7000 | P | W | U);
	race_gpa = 0x3008;
	race_value = 0x6000 | P | W | U;
	assert_int_equal(walk_gva(&r, GVA, WALK_WRITE, &w), 0);
	assert_int_equal(w.gpa, 0x7000);
	assert_int_equal(get64(0x4008), 0x5000 | P | W | U); /* the old leaf was left alone */
	assert_int_equal(get64(0x6008), 0x7000 | P | W | U | A | D);
}

static void tables_outside_memory_are_not_present(void **state)
{
	struct walk_regs r = long_tables(0x5000 | P | W | U);
	struct walk_result w;

	(void)state;
	put64(0x2008, 0x7f00000000 | P | W | U);
	assert_int_equal(walk_gva(&r, GVA, WALK_WRITE, &w), -HVM_EFAULT);
	assert_int_equal(w.pfec, 0x2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paging_off_is_identity),
		cmocka_unit_test(four_levels_reach_a_4k_page),
		cmocka_unit_test(large_pages_of_4_level_paging),
		cmocka_unit_test(two_levels_reach_4k_and_4m_pages),
		cmocka_unit_test(pae_uses_the_loaded_pdptes),
		cmocka_unit_test(rights_and_error_codes),
		cmocka_unit_test(reserved_bits_of_upper_levels),
		cmocka_unit_test(reads_set_accessed_and_writes_set_dirty),
		cmocka_unit_test(a_dirty_page_is_not_writable_without_the_right),
		cmocka_unit_test(an_entry_that_changes_restarts_the_walk),
		cmocka_unit_test(tables_outside_memory_are_not_present),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
