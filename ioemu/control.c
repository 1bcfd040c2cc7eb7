/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.c - a request line to an answer line. Owns nothing. Locking: control.h. Not saved.
 */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *control_dump(json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT), *line = NULL;

	json_decref(doc);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

/* An answer as a line; takes the references of @id and @body. */
static char *control_line(json_t *id, const char *key, json_t *body)
{
	json_t *answer = json_object();
	json_object_set_new(answer, "id", id ? id : json_null());
	json_object_set_new(answer, key, body);
	return control_dump(answer);
}

static char *control_error(json_t *id, const char *code, const char *detail)
{
	return control_line(id, "error", json_pack("{s:s, s:s}", "code", code, "detail", detail));
}

char *control_answer(const struct control_method *methods, void *opaque, const char *line,
		     size_t bytes)
{
	json_error_t json_err;
	json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &json_err);
	struct ioemu_error err = { .code = "" };
	json_t *id, *params, *result = NULL;
	const struct control_method *m;
	const char *method;
	char *answer;

	if (!request)
		return control_error(NULL, "malformed-json", json_err.text);
	id = json_incref(json_object_get(request, "id"));
	method = json_string_value(json_object_get(request, "method"));
	params = json_object_get(request, "params");
	if (json_is_null(params))
		params = NULL;
	if (!method || (params && !json_is_object(params))) {
		answer = control_error(id, "malformed-request",
				       "wants id, method (a string) and params (an object)");
		goto out;
	}
	params = params ? json_incref(params) : json_object();
	for (m = methods; m->name; m++)
		if (strcmp(m->name, method) == 0)
			break;
	if (!m->name)
		answer = control_error(id, "unknown-method", method);
	else if (m->call(opaque, params, &result, &err) < 0)
		answer = control_error(id, err.code, err.detail);
	else
		answer = control_line(id, "result", result ? result : json_object());
	json_decref(params);
out:
	json_decref(request);
	return answer;
}
