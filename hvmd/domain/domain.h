/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain.h - domains: their definitions, states and actions, and the ioemu process of each. What is
 * above (http/) hears of changes by a listener.
 */
#ifndef HVMD_DOMAIN_H
#define HVMD_DOMAIN_H

#include "domain/model.h"
#include "problem.h"

struct domain_listener {
	void (*changed)(void);		     /* there is a new event in the database */
	void (*op_finished)(const char *id); /* an operation has ended */
};

/* definition.c */
json_t *definition_parse(const json_t *in, struct problem *p);
bool definition_check_files(const json_t *def, json_t *resolved, struct problem *p);
json_t *json_merge_patch(const json_t *target, const json_t *patch);
uint64_t host_memory_mib(void);

/* domain.c */
extern const struct action domain_actions[];
extern const size_t domain_action_count;
void domain_listen(const struct domain_listener *listener);
void domain_changed(void);
struct domain *domain_find(const char *id);
struct domain *domain_new(json_t *def);
bool domain_active(const struct domain *d);
int domain_set_state(struct domain *d, enum dom_state s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void domain_set_error(struct domain *d, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
json_t *domain_json(const struct domain *d);
void domain_list(struct domain *d);
void domain_unlist(struct domain *d);
bool domain_op_begin(struct domain *d, struct op_request *r, enum dom_state through,
		     struct problem *p);
void domain_op_finish(struct domain *d, const char *code, const char *detail);
void domain_ended(struct domain *d, int status, int sig);
void rundir_path(const struct domain *d, const char *file, char *out, size_t len);

/* supervise.c */
typedef void (*vm_reply_fn)(struct domain *d, void *arg, json_t *result, const char *code,
			    const char *detail);
int vm_spawn(struct domain *d, json_t *config, struct problem *p);
int vm_call(struct domain *d, const char *method, json_t *params, vm_reply_fn fn, void *arg);
bool vm_waits(const struct domain *d, vm_reply_fn fn);
void vm_abandon(vm_reply_fn fn);
void vm_adopt(struct domain *d);
void vm_kill(struct domain *d);
void vm_kill_after(struct domain *d, unsigned ms);
bool vm_alive(const struct domain *d);

/* actions.c */
bool domain_act(struct domain *d, struct op_request *r, struct problem *p);

#endif
