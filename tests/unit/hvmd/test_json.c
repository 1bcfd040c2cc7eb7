/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Definitions: defaults, refusals with their pointers, merge patch. */
#include "hvmd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct hvmd hvmd;

static const struct {
	const char *json, *code, *pointer;
} refused[] = {
	{ "{}", "missing-field", "/name" },
	{ "{\"name\":\"a\",\"x\":1}", "unknown-field", "/x" },
	{ "{\"name\":\"a b\"}", "invalid-name", "/name" },
	{ "{\"name\":\"a\",\"vcpus\":17}", "out-of-range", "/vcpus" },
	{ "{\"name\":\"a\",\"vcpus\":\"2\"}", "invalid-type", "/vcpus" },
	{ "{\"name\":\"a\",\"memory_mib\":2147483647}", "not-enough-memory", "/memory_mib" },
	{ "{\"name\":\"a\",\"disks\":[{\"id\":\"d\"}]}", "missing-field", "/disks/0/path" },
	{ "{\"name\":\"a\",\"disks\":[{\"id\":\"d\",\"path\":\"/d\",\"bus\":\"scsi\"}]}",
	  "not-supported", "/disks/0/bus" },
	{ "[]", "invalid-type", "" },
};

static void a_wrong_field_is_refused_with_its_pointer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		json_t *in = json_loads(refused[i].json, 0, NULL);
		struct problem p = { 0 };

		assert_null(definition_parse(in, &p));
		assert_int_equal(p.status, 422);
		assert_string_equal(p.code, refused[i].code);
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(p.errors, 0), "pointer")),
			refused[i].pointer);
		problem_clear(&p);
		json_decref(in);
	}
}

static void defaults_are_filled_in(void **state)
{
	json_t *in = json_loads("{\"name\":\"a\"}", 0, NULL), *def;
	struct problem p = { 0 };

	(void)state;
	def = definition_parse(in, &p);
	assert_non_null(def);
	assert_int_equal(json_integer_value(json_object_get(def, "vcpus")), 1);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(def, "serial"), "log_kib")),
		256);
	json_decref(def);
	json_decref(in);
}

static void a_merge_patch_removes_nulls_and_leaves_its_target(void **state)
{
	json_t *t = json_loads("{\"a\":{\"b\":1,\"c\":2}}", 0, NULL);
	json_t *p = json_loads("{\"a\":{\"b\":null,\"d\":3}}", 0, NULL);
	json_t *want = json_loads("{\"a\":{\"c\":2,\"d\":3}}", 0, NULL);
	json_t *got = json_merge_patch(t, p);

	(void)state;
	assert_true(json_equal(got, want));
	assert_int_equal(json_object_size(json_object_get(t, "a")), 2);
	json_decref(t);
	json_decref(p);
	json_decref(want);
	json_decref(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_field_is_refused_with_its_pointer),
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(a_merge_patch_removes_nulls_and_leaves_its_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
