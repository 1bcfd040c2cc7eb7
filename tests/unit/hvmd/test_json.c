/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Definitions: defaults, refusals with their pointers, merge patch. */
#include "domain/domain.h"
#include "hvmd.h"
#include "store/store.h"
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

/* Names are cut where they are long; never inside a character, or the document is not JSON. */
static void a_refusal_quotes_long_names_in_whole_characters(void **state)
{
	char body[256];

	(void)state;
	for (int lead = 55; lead < 70; lead++) {
		struct problem p = { 0 };
		json_t *in, *doc, *error;

		snprintf(body, sizeof(body), "{\"name\":\"a\",\"%.*s\u00fc\u20ac\U0001f600\":1}",
			 lead,
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		in = json_loads(body, 0, NULL);
		assert_non_null(in);
		assert_null(definition_parse(in, &p));
		doc = problem_json(&p);
		assert_non_null(json_object_get(doc, "detail"));
		assert_int_equal(json_array_size(json_object_get(doc, "errors")), 1);
		error = json_array_get(json_object_get(doc, "errors"), 0);
		assert_non_null(json_object_get(error, "pointer"));
		json_decref(doc);
		json_decref(in);
		problem_clear(&p);
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
		cmocka_unit_test(a_refusal_quotes_long_names_in_whole_characters),
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(a_merge_patch_removes_nulls_and_leaves_its_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
