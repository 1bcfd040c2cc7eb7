/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_hvm.c - the function table: a vendor with a mandatory hole is refused. */
#include "fake_domain.h"

static const struct {
	const char *name;
	size_t offset;
	bool mandatory;
} op[] = {
#define mandatory_need		     true
#define optional_need		     false
#define HVM_OP(need, type, fn, args) { #fn, offsetof(struct hvm_function_table, fn), need##_need },
#include "core/hvm_ops.def"
#undef HVM_OP
};

static void a_full_table_is_accepted(void **state)
{
	(void)state;
	assert_null(hvm_table_check(&fake_function_table));
	assert_null(hvm_table_check(&soft_function_table));
}

static void each_mandatory_operation_is_missed_by_name(void **state)
{
	unsigned int mandatory = 0;

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(op); i++) {
		struct hvm_function_table t = fake_function_table;
		const char *missing;

		memset((char *)&t + op[i].offset, 0, sizeof(void *));
		missing = hvm_table_check(&t);
		if (op[i].mandatory)
			assert_string_equal(missing, op[i].name);
		else
			assert_null(missing);
		mandatory += op[i].mandatory;
	}
	assert_true(mandatory > 12);
}

static void the_first_hole_is_named(void **state)
{
	const struct hvm_function_table empty = { .name = "empty" };

	(void)state;
	assert_string_equal(hvm_table_check(&empty), "domain_init");
}

static void a_table_with_a_hole_makes_no_domain(void **state)
{
	const struct hvm_domain_config cfg = { .vcpus = 1 };
	struct hvm_function_table t = fake_function_table;
	struct domain *d = NULL;

	(void)state;
	t.inject_event = NULL;
	assert_int_equal(domain_create(&cfg, &t, &d), -HVM_EINVAL);
	assert_null(d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_table_is_accepted),
		cmocka_unit_test(each_mandatory_operation_is_missed_by_name),
		cmocka_unit_test(the_first_hole_is_named),
		cmocka_unit_test(a_table_with_a_hole_makes_no_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
