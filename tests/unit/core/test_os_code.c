/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_os_code.c - memory for generated code: two mappings of the same bytes, neither writable and
 * executable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "os/posix/os_code.h"
#include "os/posix/os_test.h"

static void what_is_written_at_one_address_runs_at_the_other(void **state)
{
	static const uint8_t answer[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov eax, 42; ret */
	struct os_code c;

	(void)state;
	assert_int_equal(os_code_alloc(&c, 8192), 0);
	assert_int_equal(c.bytes, 8192);
	assert_int_equal(c.rx[8191], 0);
	memcpy(c.rw + 4096, answer, sizeof(answer));
	assert_int_equal(((int (*)(void))(uintptr_t)(c.rx + 4096))(), 42);
	os_code_free(&c);
	assert_null(c.rw);
	os_code_free(&c);
}

/* Protection of the mapping that @at is in, as /proc has it: "rwxp". */
static void protection_of(const void *at, char ret[5])
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512];

	assert_non_null(f);
	ret[0] = 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %4s", &from, &to, line) == 3 && (uintptr_t)at >= from &&
		    (uintptr_t)at < to)
			memcpy(ret, line, 5);
	fclose(f);
}

static void no_mapping_is_writable_and_executable(void **state)
{
	struct os_code c;
	char prot[5];

	(void)state;
	assert_int_equal(os_code_alloc(&c, 4096), 0);
	protection_of(c.rw, prot);
	assert_string_equal(prot, "rw-s");
	protection_of(c.rx, prot);
	assert_string_equal(prot, "r-xs");
	os_code_free(&c);
}

static void a_failure_leaves_nothing(void **state)
{
	struct os_code c;

	(void)state;
	hvm_os_test_fail_alloc_after(0);
	assert_int_equal(os_code_alloc(&c, 4096), -HVM_ENOMEM);
	hvm_os_test_fail_alloc_after(-1);
	assert_null(c.rw);
	os_code_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_at_one_address_runs_at_the_other),
		cmocka_unit_test(no_mapping_is_writable_and_executable),
		cmocka_unit_test(a_failure_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
