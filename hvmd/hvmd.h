/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of hvmd share. The daemon is one thread around one libuv loop, so nothing here is
 * locked. Everything that must survive the daemon is in SQLite (store/); the structures below are
 * a copy of it plus the connections to the running ioemu processes.
 */
#ifndef HVMD_H
#define HVMD_H

#include <jansson.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#define HVMD_VERSION  "0.1.0"
#define UUID_LEN      37
#define NAME_LEN      64
#define BODY_MAX      (256u << 10)
#define ROOTS_MAX     16
#define HVMD_PATH_MAX 4096

/* A refused request: RFC 9457. status 0 means nothing is wrong. */
struct problem {
	unsigned status;
	char code[48];
	char detail[768];
	json_t *errors; /* [{pointer, code, detail}], for a body with invalid fields */
};

enum dom_state {
	DOM_DEFINED,
	DOM_STARTING,
	DOM_RUNNING,
	DOM_PAUSED,
	DOM_STOPPING,
	DOM_STOPPED,
	DOM_CRASHED,
	DOM_STATES
};

struct vm;
struct bridge;

struct domain {
	struct domain *next;
	char uuid[UUID_LEN];
	char name[NAME_LEN];
	json_t *def;
	int64_t revision;
	enum dom_state state;
	char reason[512];
	char engine[16];
	int pid;	    /* of ioemu, 0 when none */
	char op[UUID_LEN];  /* the operation under way, or "" */
	struct vm *vm;	    /* connection to ioemu, or NULL */
	json_t *last_error; /* {code, detail, time} of this run of the guest, or NULL */
	uint64_t error_stored_ms;
};

struct operation {
	char id[UUID_LEN];
	char kind[16];
	char domain[UUID_LEN];
	char state[12]; /* running, succeeded, failed */
	char created[32];
	char finished[32];
	char code[48];
	char detail[512];
};

/* The Idempotency-Key of a POST, "" when there is none, and the SHA-256 of what it belongs to. */
struct idem {
	char key[256];
	char fingerprint[65];
};

/* What a domain is told to do. */
struct op_request {
	const char *action;
	json_t *params;
	const struct idem *idem;
	char id[UUID_LEN]; /* out: the operation */
};

/* What a POST was answered: an operation, or the rest. */
struct answer {
	unsigned status;
	char operation[UUID_LEN];
	char location[96];
	char etag[32];
	char *body;
};

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

struct hvmd {
	uv_loop_t loop;
	sqlite3 *db;
	char state_dir[HVMD_PATH_MAX];
	char socket_path[HVMD_PATH_MAX];
	char ioemu[HVMD_PATH_MAX], hvmloader[HVMD_PATH_MAX], bios[HVMD_PATH_MAX],
		vgabios[HVMD_PATH_MAX];
	char *roots[ROOTS_MAX];
	unsigned nr_roots;
	char token[65];
	int listen_port; /* 0: no TCP */
	bool stop_domains, quitting;
	struct domain *domains;
	struct request *waiters;
	unsigned adopting;
	uint64_t requests, started_ms;
};

extern struct hvmd hvmd;

/* http/problem.c */
void problem_set(struct problem *p, unsigned status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void problem_field(struct problem *p, const char *code, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void problem_clear(struct problem *p);
json_t *problem_json(const struct problem *p);

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
void waiters_wake(const char *op);

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
void api_operations_list(struct request *rq, const char *id);
void api_operation_get(struct request *rq, const char *id);
void api_operation_wait(struct request *rq, const char *id);

/* store/ */
int db_open(const char *path, sqlite3 **out, char *err, size_t err_len);
int db_migrate(sqlite3 *db, char *err, size_t err_len);
int db_schema_version(void);
int db_exec(sqlite3 *db, const char *sql);
int store_domain_put(sqlite3 *db, const struct domain *d);
int store_domain_delete(sqlite3 *db, const char *uuid);
int store_domains_load(sqlite3 *db, struct domain **list);
int db_begin(sqlite3 *db);
int db_end(sqlite3 *db, bool good);
int store_event_put(sqlite3 *db, const char *kind, const struct domain *d, json_t *details);
json_t *store_event_after(sqlite3 *db, int64_t since, int64_t *ret_seq);
void store_events_range(sqlite3 *db, int64_t *first, int64_t *last);
int store_answer_put(sqlite3 *db, const struct idem *idem, const struct answer *a);
int store_answer_get(sqlite3 *db, const struct idem *idem, struct answer *a);
int store_op_put(sqlite3 *db, const struct operation *op);
int store_op_get(sqlite3 *db, const char *id, struct operation *op);
json_t *store_ops_list(sqlite3 *db, const char *domain, unsigned limit);
json_t *op_json(const struct operation *op);

/* domain/definition.c */
json_t *definition_parse(const json_t *in, struct problem *p);
bool definition_check_files(const json_t *def, json_t *resolved, struct problem *p);
json_t *json_merge_patch(const json_t *target, const json_t *patch);
uint64_t host_memory_mib(void);

/* domain/domain.c */
extern const char *const dom_state_names[DOM_STATES];
struct domain *domain_find(const char *id);
struct domain *domain_new(json_t *def);
void domain_free(struct domain *d);
bool domain_active(const struct domain *d);
int domain_set_state(struct domain *d, enum dom_state s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void domain_set_error(struct domain *d, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
json_t *domain_json(const struct domain *d);
void domain_list(struct domain *d);
void domain_unlist(struct domain *d);
bool domain_act(struct domain *d, struct op_request *r, struct problem *p);
void domain_op_finish(struct domain *d, const char *code, const char *detail);
void domain_ended(struct domain *d, int status, int sig);
bool action_known(const char *action);
void rundir_path(const struct domain *d, const char *file, char *out, size_t len);
void new_uuid(char out[UUID_LEN]);
void time_now(char out[32]);

/* domain/supervise.c */
typedef void (*vm_reply_fn)(struct domain *d, void *arg, json_t *result, const char *code,
			    const char *detail);
int vm_spawn(struct domain *d, json_t *config, struct problem *p);
int vm_call(struct domain *d, const char *method, json_t *params, vm_reply_fn fn, void *arg);
void vm_abandon(struct domain *d, vm_reply_fn fn);
void vm_adopt(struct domain *d);
void vm_kill(struct domain *d);
void vm_kill_after(struct domain *d, unsigned ms);
bool vm_alive(const struct domain *d);

#endif
