/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machine of a domain: which action is allowed in which state, and which state follows.
 * Every change is in the database before the client hears of it. One action at a time per domain:
 * domain.op names it.
 */
#include "domain/domain.h"
#include "hvmd.h"
#include "store/store.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ERROR_STORE_MS 10000

#define S(x)   (1u << DOM_##x)
#define S_LIVE (S(RUNNING) | S(PAUSED))

const struct action domain_actions[] = {
	{ "start", S(DEFINED) | S(STOPPED) | S(CRASHED), -1 },
	{ "stop", S_LIVE, -1 },
	{ "shutdown", S(RUNNING), -1 },
	{ "reboot", S(RUNNING), -1 },
	{ "reset", S_LIVE, DOM_RUNNING },
	{ "pause", S(RUNNING), DOM_PAUSED },
	{ "resume", S(PAUSED), DOM_RUNNING },
	{ "nmi", S(RUNNING), -1 },
	{ "send-key", S(RUNNING), -1 },
};
const size_t domain_action_count = sizeof(domain_actions) / sizeof(domain_actions[0]);

static const struct domain_listener *listener;

/** Who hears of changes; one, for as long as hvmd runs. NULL: nobody. */
void domain_listen(const struct domain_listener *l)
{
	listener = l;
}

/** Something was written to the database that others want to hear of. */
void domain_changed(void)
{
	if (listener)
		listener->changed();
}

/** A path in the domain's run folder. */
void rundir_path(const struct domain *d, const char *file, char *out, size_t len)
{
	snprintf(out, len, "%s/run/%s%s%s", hvmd.state_dir, d->uuid, file[0] ? "/" : "", file);
}

/** By UUID or name; NULL when there is none. */
struct domain *domain_find(const char *id)
{
	struct domain *d;

	for (d = hvmd.domains; d; d = d->next) {
		if (!strcmp(d->uuid, id) || !strcmp(d->name, id))
			break;
	}
	return d;
}

/** A new domain around a validated definition (reference taken over); not stored, not listed. */
struct domain *domain_new(json_t *def)
{
	struct domain *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	new_uuid(d->uuid);
	snprintf(d->name, sizeof(d->name), "%s", json_string_value(json_object_get(def, "name")));
	d->def = def;
	d->revision = 1;
	return d;
}

/** Put a domain into the list, which is ordered by name. */
void domain_list(struct domain *d)
{
	struct domain **pp = &hvmd.domains;

	while (*pp && strcmp((*pp)->name, d->name) < 0)
		pp = &(*pp)->next;
	d->next = *pp;
	*pp = d;
}

/** Take a domain out of the list. */
void domain_unlist(struct domain *d)
{
	struct domain **pp = &hvmd.domains;

	while (*pp && *pp != d)
		pp = &(*pp)->next;
	if (*pp)
		*pp = d->next;
}

/** Does an ioemu serve it, or is about to? */
bool domain_active(const struct domain *d)
{
	return d->state >= DOM_STARTING && d->state <= DOM_STOPPING;
}

static json_t *state_details(const struct domain *d)
{
	return json_pack("{s:s, s:s}", "state", dom_state_names[d->state], "state_reason",
			 d->reason);
}

/* The domain's row and an event (details taken over) in one transaction. */
static int store_with_event(const struct domain *d, const char *kind, json_t *details)
{
	int rc;

	if (db_begin(hvmd.db)) {
		fprintf(stderr, "hvmd: database: %s\n", sqlite3_errmsg(hvmd.db));
		json_decref(details);
		return -1;
	}
	rc = store_event_put(hvmd.db, kind, d, details);
	rc = db_end(hvmd.db, !rc && !store_domain_put(hvmd.db, d));
	domain_changed();
	return rc;
}

/** Enter a state and write it down. -1: the database refused; memory then keeps the new state. */
int domain_set_state(struct domain *d, enum dom_state s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->reason, sizeof(d->reason), fmt, ap);
	va_end(ap);
	d->state = s;
	if (!domain_active(d))
		d->pid = 0;
	fprintf(stderr, "hvmd: %s: %s%s%s\n", d->name, dom_state_names[s], d->reason[0] ? ": " : "",
		d->reason);
	return store_with_event(d, "domain-state", state_details(d));
}

/**
 * Remember what went wrong while the guest runs on. A guest can cause errors at any rate: the same
 * one is written to the database every ERROR_STORE_MS at most.
 */
void domain_set_error(struct domain *d, const char *code, const char *fmt, ...)
{
	const char *old = json_string_value(json_object_get(d->last_error, "detail"));
	char detail[512], now[32];
	bool same;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	time_now(now);
	same = old && !strcmp(old, detail);
	json_decref(d->last_error);
	d->last_error = json_pack("{s:s, s:s, s:s}", "code", code, "detail", detail, "time", now);
	if (same && uv_now(&hvmd.loop) - d->error_stored_ms < ERROR_STORE_MS)
		return;
	d->error_stored_ms = uv_now(&hvmd.loop);
	fprintf(stderr, "hvmd: %s: %s: %s\n", d->name, code, detail);
	store_with_event(d, "domain-error", json_deep_copy(d->last_error));
}

/** A domain as the API shows it. */
json_t *domain_json(const struct domain *d)
{
	json_t *j = json_deep_copy(d->def), *allowed = json_array();

	for (size_t i = 0; i < domain_action_count; i++) {
		if (!d->op[0] && (domain_actions[i].from & (1u << d->state)))
			json_array_append_new(allowed, json_string(domain_actions[i].name));
	}
	json_object_set_new(j, "uuid", json_string(d->uuid));
	json_object_set_new(j, "revision", json_integer(d->revision));
	json_object_set_new(j, "state", json_string(dom_state_names[d->state]));
	json_object_set_new(j, "state_reason", json_string(d->reason));
	json_object_set_new(j, "last_error",
			    d->last_error ? json_deep_copy(d->last_error) : json_null());
	json_object_set_new(j, "engine_in_use",
			    d->engine[0] && domain_active(d) ? json_string(d->engine)
							     : json_null());
	json_object_set_new(j, "allowed_operations", allowed);
	json_object_set_new(j, "current_operation", d->op[0] ? json_string(d->op) : json_null());
	return j;
}

static json_t *op_details(const struct operation *op)
{
	json_t *j = op_json(op);

	json_object_del(j, "domain"); /* is in the event */
	return j;
}

/** End the operation under way: success when code is NULL. Wakes those who wait for it. */
void domain_op_finish(struct domain *d, const char *code, const char *detail)
{
	struct operation op;
	char id[UUID_LEN];
	bool good = true;

	if (!d->op[0])
		return;
	memcpy(id, d->op, sizeof(id));
	d->op[0] = 0;
	db_begin(hvmd.db);
	if (!store_op_get(hvmd.db, id, &op)) {
		snprintf(op.state, sizeof(op.state), "%s", code ? "failed" : "succeeded");
		snprintf(op.code, sizeof(op.code), "%s", code ? code : "");
		snprintf(op.detail, sizeof(op.detail), "%s", code && detail ? detail : "");
		time_now(op.finished);
		good = !store_op_put(hvmd.db, &op) &&
		       !store_event_put(hvmd.db, "operation", d, op_details(&op));
	}
	db_end(hvmd.db, good && !store_domain_put(hvmd.db, d));
	if (listener)
		listener->op_finished(id);
	domain_changed();
}

/** ioemu is gone: say why. status and sig are -1 and 0 when it was not our child. */
void domain_ended(struct domain *d, int status, int sig)
{
	char path[HVMD_PATH_MAX + 64];
	bool wanted = d->state == DOM_STOPPING, starting = d->state == DOM_STARTING;
	const char *why, *detail;
	json_t *j;

	rundir_path(d, "exit.json", path, sizeof(path));
	j = json_load_file(path, 0, NULL);
	why = json_string_value(json_object_get(j, "reason"));
	detail = json_string_value(json_object_get(j, "detail"));
	if (why && (!strcmp(why, "crash") || !strcmp(why, "error")))
		domain_set_state(d, DOM_CRASHED, "%s: %s", why,
				 detail ? detail : "no detail given");
	else if (why)
		domain_set_state(d, DOM_STOPPED, "%s", why);
	else if (wanted)
		domain_set_state(d, DOM_STOPPED, "stopped: ioemu had to be killed");
	else if (sig)
		domain_set_state(d, DOM_CRASHED, "ioemu killed by signal %d", sig);
	else if (status > 0)
		domain_set_state(d, DOM_CRASHED, "ioemu ended with status %d and gave no reason",
				 status);
	else
		domain_set_state(d, DOM_CRASHED, "ioemu was killed");
	json_decref(j);
	if (wanted || !d->op[0])
		domain_op_finish(d, NULL, NULL);
	else
		domain_op_finish(d, starting ? "start-failed" : "domain-ended", d->reason);
}

/**
 * Write the operation and the state it leads through in one transaction, and with them the answer
 * for an Idempotency-Key: sent again, the request must not begin another one. r->id is its name.
 */
bool domain_op_begin(struct domain *d, struct op_request *r, enum dom_state through,
		     struct problem *p)
{
	struct operation op = { .state = "running" };
	struct answer answer = { .status = 202 };
	enum dom_state old = d->state;
	bool good;

	new_uuid(op.id);
	memcpy(r->id, op.id, sizeof(r->id));
	snprintf(op.kind, sizeof(op.kind), "%s", r->action);
	memcpy(op.domain, d->uuid, sizeof(op.domain));
	time_now(op.created);
	memcpy(d->op, op.id, sizeof(d->op));
	d->state = through;
	memcpy(answer.operation, op.id, sizeof(answer.operation));
	good = !db_begin(hvmd.db) && !store_op_put(hvmd.db, &op) && !store_domain_put(hvmd.db, d) &&
	       !store_event_put(hvmd.db, "operation", d, op_details(&op)) &&
	       (through == old || !store_event_put(hvmd.db, "domain-state", d, state_details(d))) &&
	       !store_answer_put(hvmd.db, r->idem, &answer);
	if (!good)
		problem_set(p, 503, "store-failed", "the database cannot be written: %s",
			    sqlite3_errmsg(hvmd.db));
	if (!db_end(hvmd.db, good)) {
		domain_changed();
		return true;
	}
	problem_set(p, 503, "store-failed", "the database cannot be written");
	d->op[0] = 0;
	d->state = old;
	return false;
}
