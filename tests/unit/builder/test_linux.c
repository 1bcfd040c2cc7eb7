/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_linux.c - bzImage: where the kernel goes, what is refused, what boot_params holds.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kernel_images.h"

#define PAYLOAD 0x10000

static int plan_of(uint8_t *file, uint64_t bytes, uint64_t ram, struct kernel_plan *plan,
		   struct hvm_build_error *err)
{
	int result;

	memset(plan, 0, sizeof(*plan));
	memset(err, 0, sizeof(*err));
	result = kernel_plan(file, bytes, ram, plan, err);
	free(file);
	return result;
}

static void bzimage_goes_to_its_preferred_address(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = bzimage_make(PAYLOAD, &bytes);

	(void)state;
	assert_int_equal(plan_of(f, bytes, 256 * MIB, &plan, &err), 0);
	assert_int_equal(plan.action, HVM_BOOT_ACTION_LINUX64);
	assert_int_equal(plan.entry, 0x1000200);
	assert_int_equal(plan.segments, 1);
	assert_int_equal(plan.segment[0].gpa, 0x1000000);
	assert_int_equal(plan.segment[0].file_offset, 1024);
	assert_int_equal(plan.segment[0].file_bytes, PAYLOAD);
	assert_int_equal(plan.memory_end, 0x1000000 + PAYLOAD + 0x100000);
	assert_int_equal(plan.cmdline_max, 2047);
	assert_int_equal(plan.initrd_max, 0x7fffffff);
}

static void relocatable_kernel_moves_down_when_memory_is_small(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = bzimage_make(PAYLOAD, &bytes);

	(void)state;
	assert_int_equal(plan_of(f, bytes, 15 * MIB, &plan, &err), 0);
	assert_int_equal(plan.segment[0].gpa, 0x200000);
}

static void kernel_without_64_bit_entry_uses_the_32_bit_protocol(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = bzimage_make(PAYLOAD, &bytes);

	(void)state;
	put_u16(f + 0x236, 0);
	assert_int_equal(plan_of(f, bytes, 256 * MIB, &plan, &err), 0);
	assert_int_equal(plan.action, HVM_BOOT_ACTION_LINUX32);
	assert_int_equal(plan.entry, 0x1000000);
}

static void old_protocol_loads_at_code32_start_and_has_old_limits(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = bzimage_make(PAYLOAD, &bytes);

	(void)state;
	put_u16(f + 0x206, 0x0202);
	assert_int_equal(plan_of(f, bytes, 256 * MIB, &plan, &err), 0);
	assert_int_equal(plan.action, HVM_BOOT_ACTION_LINUX32);
	assert_int_equal(plan.segment[0].gpa, 0x100000);
	assert_int_equal(plan.cmdline_max, 255);
	assert_int_equal(plan.initrd_max, 0x37ffffff);
}

struct refusal {
	const char *name;
	unsigned int offset;
	uint32_t value;
	unsigned int width;
	int error;
	const char *code;
};

static void broken_headers_are_refused_with_a_code(void **state)
{
	static const struct refusal rows[] = {
		{ "boot flag", 0x1fe, 0, 2, -ENOEXEC, "kernel-invalid" },
		{ "protocol 1", 0x206, 0x0100, 2, -ENOEXEC, "kernel-invalid" },
		{ "zImage", 0x211, 0, 1, -ENOEXEC, "kernel-invalid" },
		{ "set-up sectors beyond the file", 0x1f1, 0xff, 1, -ENOEXEC, "kernel-invalid" },
		{ "syssize beyond the file", 0x1f4, 0x1001, 4, -ENOEXEC, "kernel-invalid" },
		{ "syssize of 64 GiB", 0x1f4, UINT32_MAX, 4, -ENOEXEC, "kernel-invalid" },
		{ "alignment 3", 0x230, 3, 4, -ENOEXEC, "kernel-invalid" },
		{ "init_size of 4 GiB", 0x260, UINT32_MAX, 4, -ENOSPC, "memory-too-small" },
		{ "no magic", 0x202, 0, 4, -ENOEXEC, "kernel-invalid" },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		struct hvm_build_error err;
		struct kernel_plan plan;
		uint64_t bytes;
		uint8_t *f = bzimage_make(PAYLOAD, &bytes);
		uint8_t value[4];

		put_u32(value, rows[i].value);
		memcpy(f + rows[i].offset, value, rows[i].width);
		if (plan_of(f, bytes, 256 * MIB, &plan, &err) != rows[i].error)
			fail_msg("%s: wrong result, code %s", rows[i].name, err.code);
		assert_string_equal(err.code, rows[i].code);
		assert_true(err.detail[0]);
	}
}

static void fixed_kernel_that_does_not_fit_is_refused(void **state)
{
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint64_t bytes;
	uint8_t *f = bzimage_make(PAYLOAD, &bytes);

	(void)state;
	f[0x234] = 0;
	assert_int_equal(plan_of(f, bytes, 8 * MIB, &plan, &err), -ENOSPC);
	assert_string_equal(err.code, "memory-too-small");
	assert_string_equal(err.field, "memory");
}

static void every_truncation_of_an_image_is_refused_or_planned_inside_it(void **state)
{
	uint64_t whole;
	uint8_t *f = bzimage_make(0x400, &whole);

	(void)state;
	for (uint64_t bytes = 0; bytes <= whole; bytes++) {
		uint8_t *copy = malloc(bytes ? bytes : 1);
		struct hvm_build_error err;
		struct kernel_plan plan;

		memcpy(copy, f, bytes);
		if (!plan_of(copy, bytes, 256 * MIB, &plan, &err)) {
			assert_true(plan.segment[0].file_offset + plan.segment[0].file_bytes <=
				    bytes);
			assert_true(plan.segment[0].file_bytes <= plan.segment[0].memory_bytes);
		}
	}
	free(f);
}

static void boot_params_carries_header_command_line_and_initrd(void **state)
{
	struct hvm_boot_info info = { .initrd = 0x7000000, .initrd_bytes = 0x1234 };
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint8_t page[4096] = { 0 };
	uint64_t bytes;
	uint8_t *f = bzimage_make(PAYLOAD, &bytes);

	(void)state;
	f[0x211] |= 0x80;
	assert_int_equal(kernel_plan(f, bytes, 256 * MIB, &plan, &err), 0);
	linux_boot_params(f, &plan, &info, page);
	assert_memory_equal(page + 0x202, "HdrS", 4);
	assert_int_equal(page[0x210], 0xff);
	assert_int_equal(page[0x211] & 0x80, 0);
	assert_int_equal(get_u32(page + 0x214), 0x1000000);
	assert_int_equal(get_u32(page + 0x218), 0x7000000);
	assert_int_equal(get_u32(page + 0x21c), 0x1234);
	assert_int_equal(get_u32(page + 0x228), HVM_GPA_CMDLINE);
	/* The header ends at 0x202 + 0x6a; behind it nothing of the file may be left. */
	assert_int_equal(page[0x26c], 0);
	assert_int_equal(page[0x1f0], 0);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bzimage_goes_to_its_preferred_address),
		cmocka_unit_test(relocatable_kernel_moves_down_when_memory_is_small),
		cmocka_unit_test(kernel_without_64_bit_entry_uses_the_32_bit_protocol),
		cmocka_unit_test(old_protocol_loads_at_code32_start_and_has_old_limits),
		cmocka_unit_test(broken_headers_are_refused_with_a_code),
		cmocka_unit_test(fixed_kernel_that_does_not_fit_is_refused),
		cmocka_unit_test(every_truncation_of_an_image_is_refused_or_planned_inside_it),
		cmocka_unit_test(boot_params_carries_header_command_line_and_initrd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
