/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Problem documents (RFC 9457): a stable kebab-case code for programs and a detail for people that
 * names the field and the bad value. Stateless.
 */
#include "hvmd.h"
#include <stdarg.h>
#include <stdio.h>

/** Refuse the request; the first refusal wins. */
void problem_set(struct problem *p, unsigned status, const char *code, const char *fmt, ...)
{
	va_list ap;

	if (p->status)
		return;
	p->status = status;
	snprintf(p->code, sizeof(p->code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(p->detail, sizeof(p->detail), fmt, ap);
	va_end(ap);
}

/** Refuse one field of the body (422). Several may gather; the first gives code and detail. */
void problem_field(struct problem *p, const char *code, const char *pointer, const char *fmt, ...)
{
	char detail[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	problem_set(p, 422, code, "%s", detail);
	if (!p->errors)
		p->errors = json_array();
	json_array_append_new(p->errors, json_pack("{s:s, s:s, s:s}", "pointer", pointer, "code",
						   code, "detail", detail));
}

/** Forget the problem and what it holds. */
void problem_clear(struct problem *p)
{
	json_decref(p->errors);
	*p = (struct problem){ 0 };
}

/** The document itself. */
json_t *problem_json(const struct problem *p)
{
	char type[80];
	json_t *j = json_object();

	snprintf(type, sizeof(type), "urn:hvm:problem:%s", p->code);
	json_object_set_new(j, "type", json_string(type));
	json_object_set_new(j, "title", json_string(p->code));
	json_object_set_new(j, "status", json_integer(p->status));
	json_object_set_new(j, "code", json_string(p->code));
	json_object_set_new(j, "detail", json_string(p->detail));
	if (p->errors)
		json_object_set(j, "errors", p->errors);
	return j;
}
