/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The route table. In a pattern, {id} stands for one path segment, which the handler gets.
 * Order does not matter: no two rows of one method match the same path.
 */
#include "http/http.h"
#include "hvmd.h"
#include <stdio.h>
#include <string.h>

#define SEGMENT_MAX 128

struct route {
	const char *method;
	const char *pattern;
	void (*handler)(struct request *rq, const char *id);
};

/* clang-format off */
static const struct route routes[] = {
	{ "GET",    "/healthz",                     api_healthz },
	{ "GET",    "/version",                     api_version },
	{ "GET",    "/metrics",                     api_metrics },
	{ "GET",    "/openapi.yaml",                api_contract_yaml },
	{ "GET",    "/openapi.json",                api_contract_json },
	{ "GET",    "/v1/host",                     api_host },
	{ "GET",    "/v1/domains",                  api_domains_list },
	{ "POST",   "/v1/domains",                  api_domains_create },
	{ "GET",    "/v1/domains/{id}",             api_domain_get },
	{ "PUT",    "/v1/domains/{id}",             api_domain_put },
	{ "PATCH",  "/v1/domains/{id}",             api_domain_patch },
	{ "DELETE", "/v1/domains/{id}",             api_domain_delete },
	{ "GET",    "/v1/domains/{id}/console",     api_domain_console },
	{ "GET",    "/v1/domains/{id}/screenshot",  api_domain_screenshot },
	{ "POST",   "/v1/domains/{id}/start",       NULL },
	{ "POST",   "/v1/domains/{id}/shutdown",    NULL },
	{ "POST",   "/v1/domains/{id}/stop",        NULL },
	{ "POST",   "/v1/domains/{id}/reboot",      NULL },
	{ "POST",   "/v1/domains/{id}/reset",       NULL },
	{ "POST",   "/v1/domains/{id}/pause",       NULL },
	{ "POST",   "/v1/domains/{id}/resume",      NULL },
	{ "POST",   "/v1/domains/{id}/nmi",         NULL },
	{ "POST",   "/v1/domains/{id}/send-key",    NULL },
	{ "GET",    "/v1/events",                   api_events },
	{ "GET",    "/v1/operations",               api_operations_list },
	{ "GET",    "/v1/operations/{id}",          api_operation_get },
	{ "GET",    "/v1/operations/{id}/wait",     api_operation_wait },
};
/* clang-format on */

/** The whole table, a row a line: METHOD PATTERN. A test holds it against the contract. */
void routes_print(FILE *to)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		fprintf(to, "%s %s\n", routes[i].method, routes[i].pattern);
}

static bool match(const char *pattern, const char *url, char id[SEGMENT_MAX])
{
	const char *hole = strstr(pattern, "{id}");
	size_t head, len;

	if (!hole)
		return !strcmp(pattern, url);
	head = (size_t)(hole - pattern);
	if (strncmp(pattern, url, head))
		return false;
	len = strcspn(url + head, "/");
	if (!len || len >= SEGMENT_MAX || strcmp(hole + 4, url + head + len))
		return false;
	memcpy(id, url + head, len);
	id[len] = 0;
	return true;
}

/** Answer a whole request, or leave it without an answer to be suspended. */
void route(struct request *rq)
{
	struct problem p = { 0 };
	char id[SEGMENT_MAX] = "", allow[64] = "";

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *r = &routes[i];
		size_t n = strlen(allow);

		if (!match(r->pattern, rq->url, id))
			continue;
		if (!strcmp(r->method, rq->method) ||
		    (!strcmp(rq->method, "HEAD") && !strcmp(r->method, "GET"))) {
			if (!strcmp(r->method, "POST") && idempotency_answered(rq))
				return;
			if (r->handler)
				r->handler(rq, id);
			else
				api_domain_action(rq, id, strrchr(r->pattern, '/') + 1);
			return;
		}
		snprintf(allow + n, sizeof(allow) - n, "%s%s", n ? ", " : "", r->method);
	}
	if (allow[0])
		problem_set(&p, 405, "method-not-allowed", "%.16s is not possible on %.200s; %s is",
			    rq->method, rq->url, allow);
	else
		problem_set(&p, 404, "not-found", "there is nothing at %.256s", rq->url);
	reply_problem(rq, &p);
	if (allow[0])
		reply_header(rq, "Allow", allow);
}
