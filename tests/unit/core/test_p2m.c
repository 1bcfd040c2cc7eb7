/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_p2m.c - the guest physical memory map: lookup, splitting, replacement, reuse of maps and
 * page flags, copies, and the dirty log's pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/p2m.h"

#define PAGE  4096ull
#define PAGES 64

struct fixture {
	struct p2m p;
	uint8_t *ram;
	uint8_t *rom;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->ram = aligned_alloc(PAGE, PAGES * PAGE);
	f->rom = aligned_alloc(PAGE, PAGES * PAGE);
	memset(f->ram, 0, PAGES * PAGE);
	memset(f->rom, 0xee, PAGES * PAGE);
	assert_int_equal(p2m_init(&f->p), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	p2m_fini(&f->p);
	free(f->ram);
	free(f->rom);
	free(f);
	return 0;
}

static void p2m_refuses_what_is_not_page_aligned_or_wraps(void **state)
{
	struct fixture *f = *state;
	static const struct {
		gpa_t gpa;
		uint64_t bytes;
		enum hvm_mem_type type;
		bool hva;
		unsigned int shift; /* of hva */
	} row[] = {
		{ 1, PAGE, HVM_MEM_RAM, true, 0 },
		{ 0, PAGE + 1, HVM_MEM_RAM, true, 0 },
		{ 0, 0, HVM_MEM_RAM, true, 0 },
		{ 0, PAGE, HVM_MEM_RAM, false, 0 },
		{ 0, PAGE, HVM_MEM_RAM, true, 8 },
		{ 0, PAGE, HVM_MEM_MMIO, true, 0 },
		{ 0, PAGE, (enum hvm_mem_type)77, true, 0 },
		{ 0xfffffffffffff000ull, PAGE, HVM_MEM_RAM, true, 0 },
		{ PAGE, 0xfffffffffffff000ull, HVM_MEM_RAM, true, 0 },
	};

	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++)
		assert_int_equal(p2m_map(&f->p, row[i].gpa, row[i].bytes, row[i].type,
					 row[i].hva ? f->ram + row[i].shift : NULL),
				 -HVM_EINVAL);
	assert_int_equal(p2m_unmap(&f->p, 1, PAGE), -HVM_EINVAL);
	assert_null(p2m_lookup(&f->p, 0));
}

static void p2m_lookup_finds_the_range_and_only_it(void **state)
{
	struct fixture *f = *state;
	const struct p2m_range *r;

	assert_int_equal(p2m_map(&f->p, 0x10000, 4 * PAGE, HVM_MEM_RAM, f->ram), 0);
	assert_int_equal(p2m_map(&f->p, 0x100000, 2 * PAGE, HVM_MEM_ROM, f->rom), 0);
	assert_int_equal(p2m_map(&f->p, 0, PAGE, HVM_MEM_RAM, f->ram + 8 * PAGE), 0);
	assert_null(p2m_lookup(&f->p, PAGE));
	assert_null(p2m_lookup(&f->p, 0xffff));
	assert_null(p2m_lookup(&f->p, 0x14000));
	assert_null(p2m_lookup(&f->p, ~0ull));
	r = p2m_lookup(&f->p, 0x13fff);
	assert_non_null(r);
	assert_int_equal(r->type, HVM_MEM_RAM);
	assert_ptr_equal(p2m_range_hva(r, 0x13fff), f->ram + 0x3fff);
	r = p2m_lookup(&f->p, 0x101000);
	assert_int_equal(r->type, HVM_MEM_ROM);
	assert_ptr_equal(p2m_range_hva(r, 0x101000), f->rom + 0x1000);
}

static void p2m_map_over_the_middle_splits_and_keeps_page_flags(void **state)
{
	struct fixture *f = *state;
	const struct p2m_range *r;

	assert_int_equal(p2m_map(&f->p, 0, 16 * PAGE, HVM_MEM_RAM, f->ram), 0);
	r = p2m_lookup(&f->p, 12 * PAGE);
	*p2m_range_flags(r, 12 * PAGE) |= P2M_PAGE_CODE;
	assert_int_equal(p2m_map(&f->p, 4 * PAGE, 4 * PAGE, HVM_MEM_ROM, f->rom), 0);
	assert_int_equal(f->p.map->count, 3);
	r = p2m_lookup(&f->p, 12 * PAGE);
	assert_int_equal(r->gpa, 8 * PAGE);
	assert_ptr_equal(p2m_range_hva(r, 12 * PAGE), f->ram + 12 * PAGE);
	assert_int_equal(*p2m_range_flags(r, 12 * PAGE), P2M_PAGE_CODE);
	assert_int_equal(p2m_lookup(&f->p, 5 * PAGE)->type, HVM_MEM_ROM);
	assert_int_equal(p2m_lookup(&f->p, 3 * PAGE)->bytes, 4 * PAGE);
	assert_int_equal(p2m_unmap(&f->p, 2 * PAGE, 8 * PAGE), 0);
	assert_int_equal(f->p.map->count, 2);
	assert_null(p2m_lookup(&f->p, 9 * PAGE));
	assert_non_null(p2m_lookup(&f->p, 10 * PAGE));
}

static void p2m_map_may_cover_several_ranges(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(p2m_map(&f->p, i * 2 * PAGE, PAGE, HVM_MEM_RAM, f->ram + i * PAGE),
				 0);
	assert_int_equal(p2m_map(&f->p, PAGE, 12 * PAGE, HVM_MEM_ROM, f->rom), 0);
	assert_int_equal(f->p.map->count, 3);
	assert_int_equal(p2m_lookup(&f->p, 0)->type, HVM_MEM_RAM);
	assert_int_equal(p2m_lookup(&f->p, 12 * PAGE)->type, HVM_MEM_ROM);
	assert_int_equal(p2m_lookup(&f->p, 14 * PAGE)->type, HVM_MEM_RAM);
}

static void p2m_refuses_more_ranges_than_it_holds_and_stays_as_it_was(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < P2M_MAX_RANGES; i++)
		assert_int_equal(p2m_map(&f->p, i * 2 * PAGE, PAGE, HVM_MEM_RAM, f->ram), 0);
	assert_int_equal(p2m_map(&f->p, 1000 * PAGE, PAGE, HVM_MEM_RAM, f->ram), -HVM_ENOSPC);
	assert_null(p2m_lookup(&f->p, 1000 * PAGE));
	assert_non_null(p2m_lookup(&f->p, 126 * PAGE));
}

/* A guest that moves a BAR for ever must not make the host run out of anything. */
static void p2m_toggling_a_layout_for_ever_needs_no_memory(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(p2m_map(&f->p, 0, 8 * PAGE, HVM_MEM_RAM, f->ram), 0);
	for (unsigned int i = 0; i < 10000; i++) {
		gpa_t gpa = 0x100000 + (i % 3) * 0x100000;

		assert_int_equal(p2m_map(&f->p, gpa, 8 * PAGE, HVM_MEM_RAM, f->rom), 0);
		assert_ptr_equal(p2m_lookup(&f->p, gpa)->hva, f->rom);
		assert_int_equal(p2m_unmap(&f->p, gpa, 8 * PAGE), 0);
		assert_null(p2m_lookup(&f->p, gpa));
	}
	assert_true(f->p.retired_count < 8);
}

static void p2m_copies_cross_ranges_and_stop_at_holes_and_rom(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[64];

	assert_int_equal(p2m_map(&f->p, 0, PAGE, HVM_MEM_RAM, f->ram), 0);
	assert_int_equal(p2m_map(&f->p, PAGE, PAGE, HVM_MEM_RAM, f->ram + 4 * PAGE), 0);
	assert_int_equal(p2m_map(&f->p, 2 * PAGE, PAGE, HVM_MEM_ROM, f->rom), 0);
	memset(buf, 0x5a, sizeof(buf));
	assert_int_equal(p2m_copy_to(&f->p, PAGE - 32, buf, 64), 0);
	assert_int_equal(f->ram[PAGE - 1], 0x5a);
	assert_int_equal(f->ram[4 * PAGE + 31], 0x5a);
	assert_int_equal(f->ram[4 * PAGE + 32], 0);
	assert_int_equal(p2m_copy_from(&f->p, 2 * PAGE - 32, buf, 64), 0);
	assert_int_equal(buf[63], 0xee);
	assert_int_equal(p2m_copy_to(&f->p, 2 * PAGE, buf, 1), -HVM_EFAULT);
	assert_int_equal(p2m_copy_from(&f->p, 3 * PAGE - 1, buf, 2), -HVM_EFAULT);
	assert_int_equal(p2m_copy_from(&f->p, ~0ull, buf, 2), -HVM_EFAULT);
}

static void p2m_dirty_sync_reports_each_written_page_once(void **state)
{
	struct fixture *f = *state;
	uint64_t bitmap[2] = { 0, 0 };

	assert_int_equal(p2m_map(&f->p, 0, 8 * PAGE, HVM_MEM_RAM, f->ram), 0);
	assert_int_equal(p2m_map(&f->p, 16 * PAGE, 60 * PAGE, HVM_MEM_RAM, f->rom), 0);
	p2m_mark_dirty(&f->p, 0, PAGE); /* logging is off */
	p2m_dirty_start(&f->p);
	p2m_mark_dirty(&f->p, PAGE - 1, 2);
	p2m_mark_dirty(&f->p, 7 * PAGE, 10 * PAGE); /* over the hole */
	p2m_mark_dirty(&f->p, 70 * PAGE, 1);
	assert_int_equal(p2m_dirty_sync(&f->p, 0, 76, bitmap), 5);
	assert_int_equal(bitmap[0], HVM_BIT(0) | HVM_BIT(1) | HVM_BIT(7) | HVM_BIT(16));
	assert_int_equal(bitmap[1], HVM_BIT(70 - 64));
	assert_int_equal(p2m_dirty_sync(&f->p, 0, 76, bitmap), 0);
	assert_int_equal(p2m_dirty_sync(&f->p, 8, 1, bitmap), -HVM_EINVAL);
	p2m_dirty_stop(&f->p);
	p2m_mark_dirty(&f->p, 0, 1);
	assert_int_equal(p2m_dirty_sync(&f->p, 0, 76, bitmap), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(p2m_refuses_what_is_not_page_aligned_or_wraps),
		T(p2m_lookup_finds_the_range_and_only_it),
		T(p2m_map_over_the_middle_splits_and_keeps_page_flags),
		T(p2m_map_may_cover_several_ranges),
		T(p2m_refuses_more_ranges_than_it_holds_and_stays_as_it_was),
		T(p2m_toggling_a_layout_for_ever_needs_no_memory),
		T(p2m_copies_cross_ranges_and_stop_at_holes_and_rom),
		T(p2m_dirty_sync_reports_each_written_page_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
