/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_elf.c - ELF kernels: the PVH note and the multiboot header, and what is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kernel_images.h"

static int plan_of(uint8_t *file, uint64_t bytes, struct kernel_plan *plan,
		   struct hvm_build_error *err)
{
	int result;

	memset(plan, 0, sizeof(*plan));
	memset(err, 0, sizeof(*err));
	result = kernel_plan(file, bytes, 64 * MIB, plan, err);
	free(file);
	return result;
}

static void pvh_note_gives_the_entry_and_segments_their_physical_place(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = pvh_make(&bytes);

	(void)state;
	assert_int_equal(plan_of(f, bytes, &plan, &err), 0);
	assert_int_equal(plan.action, HVM_BOOT_ACTION_PVH);
	assert_int_equal(plan.entry, PVH_CODE_GPA + 0x10);
	assert_int_equal(plan.segments, 1);
	assert_int_equal(plan.segment[0].gpa, PVH_CODE_GPA);
	assert_int_equal(plan.segment[0].memory_bytes, 0x2000);
	assert_int_equal(plan.memory_end, PVH_CODE_GPA + 0x2000);
}

static void multiboot_header_gives_the_entry_as_physical_address(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = multiboot_make(3, &bytes);

	(void)state;
	assert_int_equal(plan_of(f, bytes, &plan, &err), 0);
	assert_int_equal(plan.action, HVM_BOOT_ACTION_MULTIBOOT);
	assert_int_equal(plan.entry, PVH_CODE_GPA + 0x20);
}

static void multiboot_address_fields_count_more_than_elf(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = multiboot_make(0x10003, &bytes);

	(void)state;
	put_u32(f + MB_HEADER_AT + 12, 0x200100); /* header */
	put_u32(f + MB_HEADER_AT + 16, 0x200000); /* load */
	put_u32(f + MB_HEADER_AT + 20, 0);	  /* to the end of the file */
	put_u32(f + MB_HEADER_AT + 24, 0x210000); /* bss end */
	put_u32(f + MB_HEADER_AT + 28, 0x201000); /* entry */
	assert_int_equal(plan_of(f, bytes, &plan, &err), 0);
	assert_int_equal(plan.segment[0].gpa, 0x200000);
	assert_int_equal(plan.segment[0].file_offset, 0);
	assert_int_equal(plan.segment[0].file_bytes, bytes);
	assert_int_equal(plan.memory_end, 0x210000);
	assert_int_equal(plan.entry, 0x201000);
}

enum breakage {
	BREAK_BIG_ENDIAN,
	BREAK_MACHINE,
	BREAK_PHDRS_OUTSIDE,
	BREAK_PHENTSIZE,
	BREAK_SEGMENT_OUTSIDE,
	BREAK_FILE_LONGER_THAN_MEMORY,
	BREAK_BELOW_1M,
	BREAK_WRAPS,
	BREAK_BEYOND_RAM,
	BREAK_ENTRY_OUTSIDE,
	BREAK_NOTE_NAME_HUGE,
	BREAK_NO_NOTE,
	BREAK_COUNT,
};

static void pvh_break(uint8_t *f, enum breakage how)
{
	Elf64_Ehdr *h = (Elf64_Ehdr *)f;
	Elf64_Phdr *load = pvh_phdr(f, 0);

	switch (how) {
	case BREAK_BIG_ENDIAN: f[EI_DATA] = ELFDATA2MSB; break;
	case BREAK_MACHINE: h->e_machine = EM_AARCH64; break;
	case BREAK_PHDRS_OUTSIDE: h->e_phoff = UINT64_MAX - 8; break;
	case BREAK_PHENTSIZE: h->e_phentsize = 8; break;
	case BREAK_SEGMENT_OUTSIDE: load->p_offset = UINT64_MAX - 0x10; break;
	case BREAK_FILE_LONGER_THAN_MEMORY: load->p_memsz = PVH_CODE_BYTES - 1; break;
	case BREAK_BELOW_1M: load->p_paddr = 0x2000; break;
	case BREAK_WRAPS: load->p_paddr = UINT64_MAX - 0x100; break;
	case BREAK_BEYOND_RAM: load->p_memsz = 64 * MIB; break;
	case BREAK_ENTRY_OUTSIDE: put_u32(f + PVH_NOTE_AT + 16, 0x20); break;
	case BREAK_NOTE_NAME_HUGE: put_u32(f + PVH_NOTE_AT, UINT32_MAX); break;
	case BREAK_NO_NOTE: pvh_phdr(f, 1)->p_type = PT_NULL; break;
	case BREAK_COUNT: break;
	}
}

static void broken_elf_files_are_refused(void **state)
{
	(void)state;
	for (enum breakage how = 0; how < BREAK_COUNT; how++) {
		struct hvm_build_error err;
		struct kernel_plan plan;
		uint64_t bytes;
		uint8_t *f = pvh_make(&bytes);
		int result;

		pvh_break(f, how);
		result = plan_of(f, bytes, &plan, &err);
		if (result != -ENOEXEC && result != -ENOSPC)
			fail_msg("breakage %u was taken", how);
		assert_non_null(err.code);
	}
}

static void elf_without_note_and_header_is_named_as_what_it_is_not(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = pvh_make(&bytes);

	(void)state;
	pvh_break(f, BREAK_NO_NOTE);
	assert_int_equal(plan_of(f, bytes, &plan, &err), -ENOEXEC);
	assert_string_equal(err.code, "kernel-invalid");
	assert_string_equal(err.field, "boot.kernel");
	assert_string_equal(err.detail, "not a bzImage, PVH ELF or multiboot ELF");
}

static void unknown_multiboot_demands_are_refused(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = multiboot_make(0x8, &bytes);

	(void)state;
	assert_int_equal(plan_of(f, bytes, &plan, &err), -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pvh_note_gives_the_entry_and_segments_their_physical_place),
		cmocka_unit_test(multiboot_header_gives_the_entry_as_physical_address),
		cmocka_unit_test(multiboot_address_fields_count_more_than_elf),
		cmocka_unit_test(broken_elf_files_are_refused),
		cmocka_unit_test(elf_without_note_and_header_is_named_as_what_it_is_not),
		cmocka_unit_test(unknown_multiboot_demands_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
