/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of hvmctl share. One thread, one request at a time. */
#ifndef HVMCTL_CLIENT_H
#define HVMCTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses; scripts rely on them. */
enum {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,     /* hvmd refused, or the operation failed */
	EXIT_USAGE = 2,	      /* wrong arguments, or a local file cannot be read or written */
	EXIT_UNREACHABLE = 3, /* no answer from hvmd */
	EXIT_UNDER_WAY = 4    /* accepted, but not done within --timeout */
};

struct answer {
	long status;
	char type[64]; /* content type without parameters */
	char *body;    /* NUL-terminated */
	size_t len;
};

extern const char *opt_socket, *opt_url, *opt_token;
extern long opt_timeout_s;

/* client.c */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int client_request(const char *method, const char *path, const char *body, struct answer *a);
int client_call(const char *method, const char *path, const char *body, struct answer *a);
void client_problem(const struct answer *a);
json_t *answer_json(const struct answer *a);
void answer_free(struct answer *a);
int client_events(const char *path);
int domain_url(const char *name, const char *tail, char *out, size_t len);

/* console.c */
int console_show(const char *name, bool follow);

/* terminal.c */
int terminal_attach(const char *name);

#endif
