/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http.h - requests, how they are answered, and the handlers that routes.c names.
 */
#ifndef HVMD_HTTP_H
#define HVMD_HTTP_H

#include <microhttpd.h>
#include <stdio.h>

#include "domain/domain.h"

#define BODY_MAX (256u << 10)

struct bridge;

/* One HTTP request; lives until MHD says it is completed. */
struct request {
	struct MHD_Connection *conn;
	const char *method;
	char *url;
	char *body;
	size_t body_len;
	bool too_large, ran, suspended;
	bool tcp; /* came over TCP: needs the token */
	bool http11;
	bool replayed; /* the first answer to its Idempotency-Key */
	struct idem idem;
	struct bridge *bridge; /* until the upgrade to a websocket is through */
	struct MHD_Response *response;
	unsigned status;
	struct request *next_waiter; /* while it waits for an operation */
	char op[UUID_LEN];
	uint64_t deadline_ms;
};

/* http/server.c */
int http_start(void);
void http_stop(void);
void reply_json(struct request *rq, unsigned status, json_t *body);
void reply_text(struct request *rq, unsigned status, const char *type, const char *text,
		size_t len);
void reply_problem(struct request *rq, struct problem *p);
void reply_header(struct request *rq, const char *name, const char *value);
void reply_operation(struct request *rq, const char *id);
void request_resume(struct request *rq);
void http_kick(bool tcp);
const char *request_header(const struct request *rq, const char *name);
const char *request_query(const struct request *rq, const char *name);

/* http/console_bridge.c */
struct bridge *bridge_create(const struct domain *d, bool tcp, struct problem *p);
void bridge_set_tail(struct bridge *b, char *tail, size_t len);
void bridge_upgraded(void *cls, struct MHD_Connection *conn, void *con_cls, const char *extra,
		     size_t extra_len, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh);
void bridge_abandon(struct bridge *b);
void bridges_close(void);

/* http/routes.c, api_*.c */
bool idempotency_answered(struct request *rq);
void api_events(struct request *rq, const char *id);
void events_wake(void);
bool events_open(void);
void events_tick(void);
char *file_tail(const char *path, size_t max, size_t *len);
struct domain *request_domain(struct request *rq, const char *id);
void route(struct request *rq);
void routes_print(FILE *to);
void api_domains_list(struct request *rq, const char *id);
void api_domains_create(struct request *rq, const char *id);
void api_domain_get(struct request *rq, const char *id);
void api_domain_put(struct request *rq, const char *id);
void api_domain_patch(struct request *rq, const char *id);
void api_domain_delete(struct request *rq, const char *id);
void api_domain_console(struct request *rq, const char *id);
void api_domain_screenshot(struct request *rq, const char *id);
void api_screenshots_abandon(void);
void api_domain_action(struct request *rq, const char *id, const char *action);
void api_host(struct request *rq, const char *id);
void api_healthz(struct request *rq, const char *id);
void api_version(struct request *rq, const char *id);
void api_contract_yaml(struct request *rq, const char *id);
void api_contract_json(struct request *rq, const char *id);
void api_metrics(struct request *rq, const char *id);
void api_metrics_tick(void);
void api_metrics_abandon(void);
void api_operations_list(struct request *rq, const char *id);
void api_operation_get(struct request *rq, const char *id);
void api_operation_wait(struct request *rq, const char *id);

#endif
