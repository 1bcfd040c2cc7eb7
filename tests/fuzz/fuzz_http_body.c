/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_http_body.c - libFuzzer target: the body of POST, PUT and PATCH /v1/domains. Input: a body;
 * after a NUL byte, if there is one, a merge patch for what came of it. A definition that is taken
 * must be taken again unchanged, since clients send back what they got; a refusal must be a whole
 * problem document. Opens no file (no storage roots). Single threaded; nothing saved.
 */
#include "domain/domain.h"
#include "hvmd.h"
#include "store/store.h"

#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

struct hvmd hvmd;

static const char *member(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void check_problem(struct problem *p)
{
	json_t *j = problem_json(p), *errors = json_object_get(j, "errors"), *e;
	char *text = json_dumps(j, JSON_COMPACT);
	size_t i;

	CHECK(p->status == 422 && text);
	CHECK(member(j, "code") && member(j, "code")[0] && member(j, "title"));
	CHECK(member(j, "detail") && member(j, "detail")[0]);
	CHECK(json_array_size(errors) > 0);
	json_array_foreach(errors, i, e)
		CHECK(member(e, "pointer") && member(e, "code") && member(e, "detail"));
	free(text);
	json_decref(j);
	problem_clear(p);
}

/* What a new or changed domain goes through; a definition, or NULL. */
static json_t *take(const json_t *in)
{
	struct problem p = { 0 };
	json_t *def = definition_parse(in, &p), *again;

	CHECK(!def == (p.status != 0));
	if (!def) {
		check_problem(&p);
		return NULL;
	}
	again = definition_parse(def, &p);
	CHECK(again && json_equal(def, again));
	json_decref(again);
	if (!definition_check_files(def, NULL, &p))
		check_problem(&p);
	return def;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const uint8_t *nul = memchr(data, 0, bytes);
	size_t body = nul ? (size_t)(nul - data) : bytes;
	json_t *in = json_loadb((const char *)data, body, JSON_REJECT_DUPLICATES, NULL);
	json_t *def = in ? take(in) : NULL, *patch = NULL, *merged;

	if (nul)
		patch = json_loadb((const char *)nul + 1, bytes - body - 1, JSON_REJECT_DUPLICATES,
				   NULL);
	if (patch) {
		merged = json_merge_patch(def ? def : in, patch);
		CHECK(merged);
		json_decref(take(merged));
		json_decref(merged);
	}
	json_decref(patch);
	json_decref(def);
	json_decref(in);
	return 0;
}
