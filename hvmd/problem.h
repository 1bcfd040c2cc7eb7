/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * problem.h - why a request is refused, from whatever part of hvmd finds out, in the form that the
 * client gets. Source: RFC 9457.
 */
#ifndef HVMD_PROBLEM_H
#define HVMD_PROBLEM_H

#include <jansson.h>

/* status 0 means nothing is wrong. */
struct problem {
	unsigned status;
	char code[48];
	char detail[768];
	json_t *errors; /* [{pointer, code, detail}], for a body with invalid fields */
};

void problem_set(struct problem *p, unsigned status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void problem_field(struct problem *p, const char *code, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void problem_clear(struct problem *p);
json_t *problem_json(const struct problem *p);

#endif
