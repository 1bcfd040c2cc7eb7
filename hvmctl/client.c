/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to hvmd with libcurl, over its Unix socket or over TCP with the token, and its problem
 * documents (RFC 9457) as messages for people.
 */
#include "client.h"
#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (64u << 20)

/** A message on stderr. */
void complain(const char *fmt, ...)
{
	va_list ap;

	fputs("hvmctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;
	char *body;

	n *= size;
	if (n > ANSWER_MAX - a->len)
		return 0; /* ends the transfer */
	body = realloc(a->body, a->len + n + 1);
	if (!body)
		return 0;
	memcpy(body + a->len, data, n);
	a->body = body;
	a->len += n;
	body[a->len] = 0;
	return n;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
	struct curl_slist *more;
	char *line;

	if (asprintf(&line, "%s: %s", name, value) < 0)
		return list;
	more = curl_slist_append(list, line);
	free(line);
	return more ? more : list;
}

static struct curl_slist *make_headers(const char *method, bool body)
{
	struct curl_slist *list = NULL;
	char wait[32];

	snprintf(wait, sizeof(wait), "wait=%ld", opt_timeout_s);
	if (!strcmp(method, "POST"))
		list = add_header(list, "Prefer", wait);
	if (body)
		list = add_header(list, "Content-Type", "application/json");
	if (opt_url && opt_token) {
		char *bearer;

		if (asprintf(&bearer, "Bearer %s", opt_token) >= 0) {
			list = add_header(list, "Authorization", bearer);
			free(bearer);
		}
	}
	return list;
}

static CURLcode perform(CURL *c, struct answer *a)
{
	const char *type = NULL;
	CURLcode rc;

	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, opt_timeout_s + 30); /* hvmd answers before */
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	if (type)
		snprintf(a->type, sizeof(a->type), "%.*s", (int)strcspn(type, "; "), type);
	return rc;
}

/** One request; whatever status comes is in the answer. EXIT_DONE, or why there is no answer. */
int client_request(const char *method, const char *path, const char *body, struct answer *a)
{
	struct curl_slist *headers;
	CURL *c = curl_easy_init();
	CURLcode rc;
	char *url;

	*a = (struct answer){ 0 };
	if (!c || asprintf(&url, "%s%s", opt_url ? opt_url : "http://localhost", path) < 0) {
		curl_easy_cleanup(c);
		complain("out of memory");
		return EXIT_UNREACHABLE;
	}
	headers = make_headers(method, body != NULL);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (!opt_url)
		curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, opt_socket);
	if (body || !strcmp(method, "POST")) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)(body ? strlen(body) : 0));
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body ? body : "");
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	rc = perform(c, a);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	free(url);
	if (rc == CURLE_OK)
		return EXIT_DONE;
	complain("%s: %s", opt_url ? opt_url : opt_socket, curl_easy_strerror(rc));
	answer_free(a);
	return EXIT_UNREACHABLE;
}

/** The problem document of a refusal, or the bare status, on stderr. */
void client_problem(const struct answer *a)
{
	json_t *j = answer_json(a), *e;
	const char *code = json_string_value(json_object_get(j, "code"));
	const char *detail = json_string_value(json_object_get(j, "detail"));
	json_t *errors = json_object_get(j, "errors");
	size_t i;

	if (!code || !detail) {
		complain("hvmd answered with status %ld", a->status);
	} else if (json_array_size(errors) < 2) {
		complain("%s (%s)", detail, code);
	} else {
		complain("%zu fields are wrong:", json_array_size(errors));
		json_array_foreach(errors, i, e)
		{
			detail = json_string_value(json_object_get(e, "detail"));
			code = json_string_value(json_object_get(e, "code"));
			fprintf(stderr, "  %s (%s)\n", detail ? detail : "?", code ? code : "?");
		}
	}
	json_decref(j);
}

/** One request that must succeed; a problem is told on stderr. The exit status. */
int client_call(const char *method, const char *path, const char *body, struct answer *a)
{
	int rc = client_request(method, path, body, a);

	if (rc != EXIT_DONE || a->status < 400)
		return rc;
	client_problem(a);
	answer_free(a);
	return EXIT_REFUSED;
}

/* Lines of a stream as they come; a line that does not fit is given up. */
struct lines {
	CURL *curl;
	char line[64 << 10];
	size_t len;
	struct answer refusal; /* the body, when it is none */
};

static size_t on_stream(char *data, size_t size, size_t n, void *arg)
{
	struct lines *l = arg;
	long status = 0;

	n *= size;
	curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return on_body(data, 1, n, &l->refusal);
	for (size_t i = 0; i < n; i++) {
		if (data[i] != '\n') {
			if (l->len < sizeof(l->line) - 1)
				l->line[l->len++] = data[i];
			continue;
		}
		l->line[l->len] = 0;
		l->len = 0;
		if (!strncmp(l->line, "data: ", 6) && puts(l->line + 6) == EOF)
			return 0;
	}
	return fflush(stdout) ? 0 : n;
}

/** Print the data of server-sent events until the stream ends. The exit status. */
int client_events(const char *path)
{
	struct lines *l = calloc(1, sizeof(*l));
	struct curl_slist *headers = make_headers("GET", false);
	CURL *c = curl_easy_init();
	char *url = NULL;
	CURLcode rc;
	int ret = EXIT_UNREACHABLE;

	if (!l || !c || asprintf(&url, "%s%s", opt_url ? opt_url : "http://localhost", path) < 0) {
		complain("out of memory");
		goto out;
	}
	l->curl = c;
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (!opt_url)
		curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, opt_socket);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_stream);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, l);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &l->refusal.status);
	if (rc == CURLE_OK && l->refusal.status >= 400) {
		client_problem(&l->refusal);
		ret = EXIT_REFUSED;
	} else {
		complain("%s: %s", opt_url ? opt_url : opt_socket,
			 rc == CURLE_OK ? "the stream has ended" : curl_easy_strerror(rc));
	}
out:
	if (l)
		answer_free(&l->refusal);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	free(url);
	free(l);
	return ret;
}

/** The body as JSON; NULL when it is none. */
json_t *answer_json(const struct answer *a)
{
	return a->body ? json_loadb(a->body, a->len, 0, NULL) : NULL;
}

/** Free what the answer holds. */
void answer_free(struct answer *a)
{
	free(a->body);
	*a = (struct answer){ 0 };
}

/** The path of a domain, its name escaped; tail follows it. */
int domain_url(const char *name, const char *tail, char *out, size_t len)
{
	char *escaped = curl_easy_escape(NULL, name, 0);
	int n = escaped ? snprintf(out, len, "/v1/domains/%s%s", escaped, tail) : -1;

	curl_free(escaped);
	/* "." and ".." would be taken out of the path */
	if (name[0] && name[0] != '.' && n > 0 && (size_t)n < len)
		return EXIT_DONE;
	complain("\"%s\" is no name of a domain", name);
	return EXIT_USAGE;
}
