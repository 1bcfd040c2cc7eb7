/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_host_model.c - which hosts can be which CPU model. The bits are written down here a second
 * time. Source: x86-64 psABI "Micro-Architecture Levels"; Intel SDM Vol 2A "CPUID".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hvm/hvm.h"
#include "x86/host_model.h"

/* The least that is an x86-64-v3 processor, and nothing beside it. */
static const struct host_features v3 = {
	.leaf1_ecx = 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23 | 1u << 12 |
		     1u << 22 | 1u << 28 | 1u << 29,
	.leaf7_ebx = 1u << 3 | 1u << 5 | 1u << 8,
	.ext1_ecx = 1u << 0 | 1u << 5,
	.xcr0 = 7,
};

static void a_host_with_all_of_it_is_every_model(void **state)
{
	(void)state;
	for (uint32_t model = HVM_CPU_V1; model <= HVM_CPU_V3; model++)
		assert_null(host_lacks_model(model, &v3));
}

static void each_feature_that_is_missing_is_named(void **state)
{
	static const struct {
		const char *name;
		struct host_features without;
		enum hvm_cpu_model first;
	} rows[] = {
		{ "SSE3", { .leaf1_ecx = 1u << 0 }, HVM_CPU_V2 },
		{ "SSSE3", { .leaf1_ecx = 1u << 9 }, HVM_CPU_V2 },
		{ "CMPXCHG16B", { .leaf1_ecx = 1u << 13 }, HVM_CPU_V2 },
		{ "SSE4.1", { .leaf1_ecx = 1u << 19 }, HVM_CPU_V2 },
		{ "SSE4.2", { .leaf1_ecx = 1u << 20 }, HVM_CPU_V2 },
		{ "POPCNT", { .leaf1_ecx = 1u << 23 }, HVM_CPU_V2 },
		{ "LAHF in 64-bit mode", { .ext1_ecx = 1u << 0 }, HVM_CPU_V1 },
		{ "FMA", { .leaf1_ecx = 1u << 12 }, HVM_CPU_V3 },
		{ "MOVBE", { .leaf1_ecx = 1u << 22 }, HVM_CPU_V3 },
		{ "AVX", { .leaf1_ecx = 1u << 28 }, HVM_CPU_V3 },
		{ "F16C", { .leaf1_ecx = 1u << 29 }, HVM_CPU_V3 },
		{ "BMI1", { .leaf7_ebx = 1u << 3 }, HVM_CPU_V3 },
		{ "AVX2", { .leaf7_ebx = 1u << 5 }, HVM_CPU_V3 },
		{ "BMI2", { .leaf7_ebx = 1u << 8 }, HVM_CPU_V3 },
		{ "LZCNT", { .ext1_ecx = 1u << 5 }, HVM_CPU_V3 },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		const struct host_features f = {
			.leaf1_ecx = v3.leaf1_ecx & ~rows[i].without.leaf1_ecx,
			.leaf7_ebx = v3.leaf7_ebx & ~rows[i].without.leaf7_ebx,
			.ext1_ecx = v3.ext1_ecx & ~rows[i].without.ext1_ecx,
			.xcr0 = v3.xcr0,
		};

		for (uint32_t model = HVM_CPU_V1; model <= HVM_CPU_V3; model++) {
			if (model < rows[i].first)
				assert_null(host_lacks_model(model, &f));
			else
				assert_string_equal(host_lacks_model(model, &f), rows[i].name);
		}
	}
}

static void avx_that_the_kernel_does_not_keep_is_none(void **state)
{
	struct host_features f = v3;

	(void)state;
	for (f.xcr0 = 0; f.xcr0 < 7; f.xcr0++) {
		assert_non_null(strstr(host_lacks_model(HVM_CPU_V3, &f), "XCR0"));
		assert_null(host_lacks_model(HVM_CPU_V2, &f));
	}
	f.xcr0 = 0xe7; /* and AVX-512 */
	assert_null(host_lacks_model(HVM_CPU_V3, &f));
}

static void what_this_host_has_can_be_read_by_anyone(void **state)
{
	const struct host_features f = host_features_read();

	(void)state;
	/* XCR0 always has x87; where nobody may read it, it counts as empty. */
	assert_int_equal(f.xcr0 & 1, f.leaf1_ecx >> 27 & 1);
	assert_null(host_lacks_model(HVM_CPU_V1, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_with_all_of_it_is_every_model),
		cmocka_unit_test(each_feature_that_is_missing_is_named),
		cmocka_unit_test(avx_that_the_kernel_does_not_keep_is_none),
		cmocka_unit_test(what_this_host_has_can_be_read_by_anyone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
