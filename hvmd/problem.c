/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Problem documents (RFC 9457): a stable kebab-case code for programs and a detail for people that
 * names the field and the bad value. Stateless.
 */
#include "problem.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Length of the character of UTF-8 at @s, 0 if it is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, surrogates, beyond U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

/* Quoted names are cut by bytes: take out what is left of characters, since JSON is UTF-8. */
static void whole_characters(char *text)
{
	char *to = text;

	for (const char *s = text; *s;) {
		size_t n = utf8_length((const unsigned char *)s);

		memmove(to, s, n);
		to += n;
		s += n ? n : 1;
	}
	*to = 0;
}

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
	whole_characters(p->detail);
}

/** Refuse one field of the body (422). Several may gather; the first gives code and detail. */
void problem_field(struct problem *p, const char *code, const char *pointer, const char *fmt, ...)
{
	char detail[768], at[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	whole_characters(detail);
	snprintf(at, sizeof(at), "%s", pointer);
	whole_characters(at);
	problem_set(p, 422, code, "%s", detail);
	if (!p->errors)
		p->errors = json_array();
	json_array_append_new(p->errors, json_pack("{s:s, s:s, s:s}", "pointer", at, "code", code,
						   "detail", detail));
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
