/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_npt.c - second-level page tables: which page sizes are used, what a zap takes away, dirty
 * logging by write protection, and that nothing leaks. Physical memory is a fake: an array of
 * tables for what the code under test allocates, and a rule for guest memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "mm/npt.h"

#define KIB 1024ull
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

#define P  1ull
#define W  2ull
#define PS 0x80ull

static const struct npt_format format = {
	.present = P, .table = P | W, .leaf = P, .write = W, .large = PS
};

/* -- physical memory --------------------------------------------------------------------------- */

/* Guest memory: host virtual addresses that nobody touches, from GUEST_HVA on, with a rule. */
#define GUEST_HVA   0x100000000000ull
#define GUEST_BYTES (8 * GIB)
#define GUEST_HPA   0x40000000000ull /* 1 GiB aligned */
#define TABLE_HPA   0x10000000ull

static uint64_t hole_page; /* this page of guest memory lies elsewhere, ~0: none does */

#define MAX_TABLES 4096
static void *tables[MAX_TABLES];
static unsigned int table_count;

/* From here on in the order in which they are asked for. */
hpa_t hvm_os_hva_to_hpa(const void *hva)
{
	uint64_t a = (uintptr_t)hva;

	if (a - GUEST_HVA < GUEST_BYTES) {
		uint64_t page = (a - GUEST_HVA) >> 12;

		return page == hole_page ? 0x7777000 : GUEST_HPA + (a - GUEST_HVA);
	}
	for (unsigned int i = 0; i < table_count; i++) {
		if (tables[i] == hva)
			return TABLE_HPA + i * 4096ull;
	}
	assert_true(table_count < MAX_TABLES);
	tables[table_count] = (void *)(uintptr_t)a;
	return TABLE_HPA + table_count++ * 4096ull;
}

void *hvm_os_hpa_to_hva(hpa_t hpa)
{
	assert_true(hpa >= TABLE_HPA && (hpa - TABLE_HPA) / 4096 < table_count);
	return tables[(hpa - TABLE_HPA) / 4096];
}

static uint8_t *guest_hva(uint64_t offset)
{
	return (uint8_t *)(uintptr_t)(GUEST_HVA + offset);
}

/* -- the fixture ------------------------------------------------------------------------------- */

struct fixture {
	struct npt n;
	struct p2m p;
	struct npt_cache c;
};

static int setup_levels(void **state, unsigned int levels, unsigned int leaf)
{
	struct fixture *f = calloc(1, sizeof(*f));

	hole_page = ~0ull;
	table_count = 0;
	assert_int_equal(p2m_init(&f->p), 0);
	assert_int_equal(npt_init(&f->n, &format, levels, leaf), 0);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_levels(state, 4, 3);
}

static int setup_five(void **state)
{
	return setup_levels(state, 5, 3);
}

static int setup_small(void **state)
{
	return setup_levels(state, 4, 1);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	npt_fini(&f->n);
	npt_cache_fini(&f->c);
	p2m_fini(&f->p);
	free(f);
	return 0;
}

static void map(struct fixture *f, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type,
		uint64_t offset)
{
	assert_int_equal(p2m_map(&f->p, gpa, bytes, type, guest_hva(offset)), 0);
}

static int fault(struct fixture *f, gpa_t gpa, bool write)
{
	assert_int_equal(npt_cache_fill(&f->c), 0);
	return npt_fault(&f->n, &f->p, &f->c, gpa, write);
}

static void zap(struct fixture *f, gpa_t gpa, uint64_t bytes)
{
	struct npt_dead dead = { 0 };

	npt_zap(&f->n, gpa, bytes, &dead);
	npt_bury(&dead);
}

static unsigned int level_of(struct fixture *f, gpa_t gpa)
{
	unsigned int level;

	return npt_query(&f->n, gpa, &level) ? level : 0;
}

static bool writable(struct fixture *f, gpa_t gpa)
{
	unsigned int level;

	return npt_query(&f->n, gpa, &level) & W;
}

/* -- tests ------------------------------------------------------------------------------------- */

static void npt_uses_the_largest_page_that_fits_range_and_alignment(void **state)
{
	struct fixture *f = *state;
	/* clang-format off */
	static const struct {
		gpa_t gpa; /* start of a range of bytes, at offset in guest memory */
		uint64_t bytes, offset;
		gpa_t at;
		unsigned int level;
	} row[] = {
		{ 0,           2 * GIB,   0,           GIB + 5,         3 },
		{ 0,           2 * GIB,   2 * MIB,     GIB + 5,         2 }, /* not aligned alike */
		{ 0,           2 * GIB,   4 * KIB,     GIB + 5,         1 },
		{ 2 * MIB,     GIB,       2 * MIB,     GIB - 1,         2 }, /* less than all of it */
		{ 4 * KIB,     2 * MIB,   4 * KIB,     2 * MIB - 1,     1 },
		{ 4 * KIB,     4 * MIB,   4 * KIB,     2 * MIB,         2 },
		{ 512 * GIB,   2 * MIB,   0,           512 * GIB + 9,   2 },
		{ 0xfffff000,  4 * KIB,   0,           0xffffffff,      1 },
	};
	/* clang-format on */

	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		uint64_t bytes, entry;
		unsigned int level;

		map(f, row[i].gpa, row[i].bytes, HVM_MEM_RAM, row[i].offset);
		zap(f, 0, ~0ull);
		assert_int_equal(fault(f, row[i].at, true), 0);
		entry = npt_query(&f->n, row[i].at, &level);
		assert_int_equal(level, row[i].level);
		bytes = 4096ull << 9 * (level - 1);
		assert_int_equal(entry & 0xffffffffff000ull & ~(bytes - 1),
				 GUEST_HPA + row[i].offset + (row[i].at & ~(bytes - 1)) -
					 row[i].gpa);
		assert_int_equal(!!(entry & PS), level > 1);
		assert_int_equal(p2m_unmap(&f->p, row[i].gpa, row[i].bytes), 0);
		zap(f, row[i].gpa, row[i].bytes);
		assert_int_equal(level_of(f, row[i].at), 0);
	}
}

static void npt_breaks_memory_that_is_not_contiguous_into_small_pages(void **state)
{
	struct fixture *f = *state;

	hole_page = 300;
	map(f, 0, 4 * MIB, HVM_MEM_RAM, 0);
	assert_int_equal(fault(f, 300 * 4096, false), 0);
	assert_int_equal(fault(f, 301 * 4096, false), 0);
	assert_int_equal(fault(f, 3 * MIB, false), 0);
	assert_int_equal(level_of(f, 300 * 4096), 1);
	assert_int_equal(level_of(f, 301 * 4096), 1);
	assert_int_equal(level_of(f, 302 * 4096), 0);
	assert_int_equal(level_of(f, 3 * MIB), 2);
}

static void npt_uses_small_pages_only_where_the_processor_knows_no_others(void **state)
{
	struct fixture *f = *state;

	map(f, 0, GIB, HVM_MEM_RAM, 0);
	assert_int_equal(fault(f, 5 * MIB, false), 0);
	assert_int_equal(level_of(f, 5 * MIB), 1);
	assert_int_equal(level_of(f, 5 * MIB + 4096), 0);
}

static void npt_has_five_levels_where_the_host_has(void **state)
{
	struct fixture *f = *state;
	gpa_t high = 1ull << 51;

	map(f, high, 4 * MIB, HVM_MEM_RAM, 0);
	assert_int_equal(fault(f, high + MIB, true), 0);
	assert_int_equal(level_of(f, high + MIB), 2);
	assert_int_equal(level_of(f, MIB), 0);
}

static void npt_translates_no_more_than_its_levels_can(void **state)
{
	struct fixture *f = *state;

	map(f, 1ull << 50, 4 * MIB, HVM_MEM_RAM, 0);
	assert_int_equal(fault(f, (1ull << 50) + MIB, false), -HVM_EFAULT);
	assert_int_equal(level_of(f, MIB), 0);
}

static void npt_fault_tells_memory_from_devices_and_rom(void **state)
{
	struct fixture *f = *state;

	map(f, 0, 2 * MIB, HVM_MEM_RAM, 0);
	map(f, 4 * MIB, 2 * MIB, HVM_MEM_ROM, 4 * MIB);
	assert_int_equal(fault(f, 2 * MIB, false), -HVM_EFAULT);
	assert_int_equal(fault(f, 4 * MIB, true), -HVM_EFAULT);
	assert_int_equal(fault(f, 4 * MIB, false), 0);
	assert_false(writable(f, 4 * MIB));
	assert_int_equal(fault(f, 4 * MIB, true), -HVM_EFAULT);
	/* RAM is writable at once, though it was only read. */
	assert_int_equal(fault(f, 0, false), 0);
	assert_true(writable(f, 0));
}

static void npt_fault_asks_for_pages_before_it_sleeps(void **state)
{
	struct fixture *f = *state;
	struct npt_cache none = { 0 };

	map(f, 0, 4096, HVM_MEM_RAM, 0);
	assert_int_equal(npt_fault(&f->n, &f->p, &none, 0, false), -HVM_EAGAIN);
	assert_int_equal(fault(f, 0, false), 0);
	assert_int_equal(npt_fault(&f->n, &f->p, &none, 0, true), 0);
}

static void npt_zap_takes_what_it_is_told_and_large_pages_whole(void **state)
{
	struct fixture *f = *state;

	map(f, 0, 4096, HVM_MEM_RAM, 4096);
	map(f, 4096, 4 * MIB - 4096, HVM_MEM_RAM, 4096);
	for (gpa_t gpa = 0; gpa < 5 * 4096; gpa += 4096)
		assert_int_equal(fault(f, gpa, true), 0);
	assert_int_equal(fault(f, 3 * MIB, true), 0);
	zap(f, 4096, 2 * 4096);
	assert_int_equal(level_of(f, 0), 1);
	assert_int_equal(level_of(f, 4096), 0);
	assert_int_equal(level_of(f, 2 * 4096), 0);
	assert_int_equal(level_of(f, 3 * 4096), 1);
	assert_int_equal(level_of(f, 3 * MIB), 2);
	zap(f, 3 * MIB, 4096);
	assert_int_equal(level_of(f, 2 * MIB), 0);
}

/* A BAR that is moved again and again must not take a table each time. */
static void npt_zap_gives_tables_back(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 1000; i++) {
		gpa_t gpa = 0x80000000ull + i * 0x200000ull;

		map(f, gpa, 4096, HVM_MEM_RAM, 4096);
		assert_int_equal(fault(f, gpa, true), 0);
		assert_int_equal(p2m_unmap(&f->p, gpa, 4096), 0);
		zap(f, gpa, 4096);
		zap(f, gpa & ~0x1fffffull, 0x200000);
		if (i % 100 == 99) {
			p2m_fini(&f->p);
			assert_int_equal(p2m_init(&f->p), 0);
		}
	}
	/* The upper tables of 3 GiB stay, and what the cache holds. */
	assert_true(table_count < 64);
}

static void npt_sees_every_first_write_while_dirty_logging_is_on(void **state)
{
	struct fixture *f = *state;
	uint64_t bitmap[8] = { 0 };

	map(f, 0, 2 * MIB, HVM_MEM_RAM, 0);
	assert_int_equal(fault(f, 0, true), 0);
	assert_int_equal(level_of(f, 0), 2);
	p2m_dirty_start(&f->p);
	npt_write_protect(&f->n);
	assert_int_equal(level_of(f, 0), 0); /* a large page would hide 511 others */

	assert_int_equal(fault(f, 4096, false), 0);
	assert_false(writable(f, 4096));
	assert_int_equal(p2m_dirty_sync(&f->p, 0, 512, bitmap), 0);
	assert_int_equal(fault(f, 4096, true), 0);
	assert_int_equal(fault(f, 7 * 4096, true), 0);
	assert_true(writable(f, 4096));
	assert_int_equal(level_of(f, 4096), 1);
	assert_int_equal(p2m_dirty_sync(&f->p, 0, 512, bitmap), 2);
	assert_int_equal(bitmap[0], 0x82);

	/* The next round begins with write protection. */
	npt_write_protect(&f->n);
	assert_false(writable(f, 4096));
	assert_int_equal(level_of(f, 4096), 1);
	assert_int_equal(fault(f, 4096, true), 0);
	memset(bitmap, 0, sizeof(bitmap));
	assert_int_equal(p2m_dirty_sync(&f->p, 0, 512, bitmap), 1);
	assert_int_equal(bitmap[0], 2);

	p2m_dirty_stop(&f->p);
	zap(f, 0, ~0ull);
	assert_int_equal(fault(f, 4096, true), 0);
	assert_int_equal(level_of(f, 4096), 2);
}

static void npt_leaves_writes_to_the_processors_dirty_bits(void **state)
{
	struct fixture *f = *state;
	static struct npt_format with_dirty;
	unsigned int level;
	uint64_t *table;

	with_dirty = format;
	with_dirty.dirty = HVM_BIT(9);
	f->n.format = &with_dirty;
	map(f, 0, 2 * MIB, HVM_MEM_RAM, 0);
	p2m_dirty_start(&f->p);
	assert_int_equal(fault(f, 4096, false), 0);
	assert_true(writable(f, 4096)); /* a write makes it dirty, which somebody logs */
	assert_int_equal(level_of(f, 4096), 1);
	/* The processor writes. */
	table = f->n.root;
	for (level = 4; level > 1; level--)
		table = hvm_os_hpa_to_hva(table[0] & ~0xfffull);
	table[1] |= with_dirty.dirty;
	npt_write_protect(&f->n);
	assert_int_equal(npt_query(&f->n, 4096, &level) & with_dirty.dirty, 0);
	assert_true(writable(f, 4096));
}

static void npt_maps_a_device_only_where_there_is_no_memory(void **state)
{
	struct fixture *f = *state;
	struct npt_dead dead = { 0 };
	unsigned int level;
	uint64_t entry;

	map(f, 0, MIB, HVM_MEM_RAM, 0);
	assert_int_equal(npt_map_device(&f->n, &f->p, &f->c, 0xfee00000, 0x12345000), -HVM_EAGAIN);
	assert_int_equal(npt_cache_fill(&f->c), 0);
	assert_int_equal(npt_map_device(&f->n, &f->p, &f->c, 0x1000, 0x12345000), -HVM_EFAULT);
	assert_int_equal(npt_map_device(&f->n, &f->p, &f->c, 0xfee00000, 0x12345000), 0);
	entry = npt_query(&f->n, 0xfee00000, &level);
	assert_int_equal(level, 1);
	assert_int_equal(entry & 0xffffffffff000ull, 0x12345000);
	assert_true(entry & format.write);
	npt_zap(&f->n, 0xfee00000, 4096, &dead);
	npt_bury(&dead);
	assert_int_equal(npt_query(&f->n, 0xfee00000, &level), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(npt_uses_the_largest_page_that_fits_range_and_alignment),
		TEST(npt_breaks_memory_that_is_not_contiguous_into_small_pages),
		cmocka_unit_test_setup_teardown(
			npt_uses_small_pages_only_where_the_processor_knows_no_others, setup_small,
			teardown),
		cmocka_unit_test_setup_teardown(npt_has_five_levels_where_the_host_has, setup_five,
						teardown),
		TEST(npt_translates_no_more_than_its_levels_can),
		TEST(npt_fault_tells_memory_from_devices_and_rom),
		TEST(npt_fault_asks_for_pages_before_it_sleeps),
		TEST(npt_zap_takes_what_it_is_told_and_large_pages_whole),
		TEST(npt_zap_gives_tables_back),
		TEST(npt_sees_every_first_write_while_dirty_logging_is_on),
		TEST(npt_leaves_writes_to_the_processors_dirty_bits),
		TEST(npt_maps_a_device_only_where_there_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
