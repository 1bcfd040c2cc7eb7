/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/domains: definitions, actions, screenshots. Every check comes before the first
 * change, so a refused request changes nothing.
 */
#include "http/http.h"
#include "hvmd.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LIST_MAX 1000

/** The domain that the path names; NULL when there is none, which is then the answer. */
struct domain *request_domain(struct request *rq, const char *id)
{
	struct domain *d = domain_find(id);
	struct problem p = { 0 };

	if (!d) {
		problem_set(&p, 404, "domain-not-found", "there is no domain \"%.64s\"", id);
		reply_problem(rq, &p);
	}
	return d;
}

/* The body as JSON: 415 when it says to be something else, 400 when it is malformed. */
static json_t *body_json(struct request *rq, const char *also, struct problem *p)
{
	const char *type = request_header(rq, "Content-Type");
	json_error_t err;
	json_t *j = NULL;
	size_t n = type ? strcspn(type, "; ") : 0;

	if (type && !(n == 16 && !strncasecmp(type, "application/json", n)) &&
	    !(also && n == strlen(also) && !strncasecmp(type, also, n))) {
		problem_set(p, 415, "unsupported-media-type",
			    "Content-Type is \"%.64s\"; application/json is needed", type);
		return NULL;
	}
	if (rq->body)
		j = json_loadb(rq->body, rq->body_len, JSON_REJECT_DUPLICATES, &err);
	if (!j && rq->body)
		problem_set(p, 400, "malformed-json", "line %d, column %d: %s", err.line,
			    err.column, err.text);
	else if (!j)
		problem_set(p, 400, "malformed-json", "the body is empty");
	return j;
}

static void reply_domain(struct request *rq, unsigned status, const struct domain *d)
{
	char etag[32];

	snprintf(etag, sizeof(etag), "\"%lld\"", (long long)d->revision);
	reply_json(rq, status, domain_json(d));
	reply_header(rq, "ETag", etag);
}

static bool if_match(const struct request *rq, const struct domain *d, struct problem *p)
{
	const char *want = request_header(rq, "If-Match");
	char etag[32];

	snprintf(etag, sizeof(etag), "\"%lld\"", (long long)d->revision);
	if (want && strcmp(want, "*") && strcmp(want, etag))
		problem_set(p, 412, "revision-mismatch", "If-Match is %.40s; the revision is %s",
			    want, etag);
	return !p->status;
}

/**
 * GET /v1/domains?name=&state=&limit=&after= : ordered by name. "after" is compared, not looked up,
 * so a page follows also when its predecessor's last domain is gone.
 */
void api_domains_list(struct request *rq, const char *id)
{
	const char *name = request_query(rq, "name"), *state = request_query(rq, "state");
	const char *after = request_query(rq, "after"), *q = request_query(rq, "limit");
	struct problem p = { 0 };
	char *end = NULL;
	long limit = q ? strtol(q, &end, 10) : LIST_MAX;
	json_t *list, *next = NULL;

	(void)id;
	if (q && (end == q || *end || limit < 1 || limit > LIST_MAX)) {
		problem_set(&p, 422, "out-of-range", "limit is \"%.32s\"; it must be 1 to %d", q,
			    LIST_MAX);
		reply_problem(rq, &p);
		return;
	}
	list = json_array();
	for (struct domain *d = hvmd.domains; d; d = d->next) {
		if ((name && strcmp(name, d->name)) || (after && strcmp(after, d->name) >= 0) ||
		    (state && strcmp(state, dom_state_names[d->state])))
			continue;
		if (json_array_size(list) == (size_t)limit) {
			next = json_array_get(list, json_array_size(list) - 1);
			break;
		}
		json_array_append_new(list, domain_json(d));
	}
	reply_json(
		rq, 200,
		json_pack("{s:o, s:O?}", "domains", list, "next", json_object_get(next, "name")));
}

/* End the transaction of a change: what it says to others, or the problem. */
static void store_end(bool good, struct problem *p)
{
	if (!good)
		problem_set(p, 503, "store-failed", "the database cannot be written: %s",
			    sqlite3_errmsg(hvmd.db));
	if (db_end(hvmd.db, good))
		problem_set(p, 503, "store-failed", "the database cannot be written");
	else
		domain_changed();
}

static void check_name_free(const char *name, const struct domain *self, struct problem *p)
{
	struct domain *d = domain_find(name);

	if (d && d != self)
		problem_set(p, 409, "name-exists", "name: a domain \"%s\" exists already", name);
}

/* The answer to a created domain, as it is kept for an Idempotency-Key. */
static void created_answer(const struct domain *d, struct answer *a)
{
	json_t *j = domain_json(d);

	a->status = 201;
	snprintf(a->location, sizeof(a->location), "/v1/domains/%s", d->uuid);
	snprintf(a->etag, sizeof(a->etag), "\"%lld\"", (long long)d->revision);
	a->body = json_dumps(j, JSON_COMPACT);
	json_decref(j);
}

/* A new domain into the database, with its event and answer; false with the problem. */
static bool store_created(const struct request *rq, const struct domain *d, struct problem *p)
{
	struct answer a = { 0 };
	bool good;

	created_answer(d, &a);
	good = !db_begin(hvmd.db) && !store_domain_put(hvmd.db, d) &&
	       !store_event_put(hvmd.db, "domain-created", d, json_object()) &&
	       !store_answer_put(hvmd.db, &rq->idem, &a);
	free(a.body);
	store_end(good, p);
	return !p->status;
}

/** POST /v1/domains */
void api_domains_create(struct request *rq, const char *id)
{
	struct problem p = { 0 };
	json_t *in = body_json(rq, NULL, &p), *def = NULL;
	struct domain *d = NULL;
	char where[96];

	(void)id;
	if (in)
		def = definition_parse(in, &p);
	json_decref(in);
	if (def)
		check_name_free(json_string_value(json_object_get(def, "name")), NULL, &p);
	if (def && !p.status && definition_check_files(def, NULL, &p)) {
		d = domain_new(json_incref(def));
		if (!d)
			problem_set(&p, 503, "out-of-memory", "hvmd has no memory for a domain");
		else if (!store_created(rq, d, &p))
			domain_free(d);
	}
	json_decref(def);
	if (p.status) {
		reply_problem(rq, &p);
		return;
	}
	domain_list(d);
	reply_domain(rq, 201, d);
	snprintf(where, sizeof(where), "/v1/domains/%s", d->uuid);
	reply_header(rq, "Location", where);
}

/** GET /v1/domains/{id} */
void api_domain_get(struct request *rq, const char *id)
{
	struct domain *d = request_domain(rq, id);

	if (d)
		reply_domain(rq, 200, d);
}

/* Definitions change while no ioemu runs; def is taken over. */
static void replace(struct domain *d, json_t *def, struct problem *p)
{
	json_t *old_def = d->def;
	char old_name[NAME_LEN];

	if (domain_active(d) || d->op[0])
		problem_set(p, 409, "wrong-state",
			    "the definition of \"%s\" cannot change while it is %s", d->name,
			    dom_state_names[d->state]);
	check_name_free(json_string_value(json_object_get(def, "name")), d, p);
	if (p->status || !definition_check_files(def, NULL, p)) {
		json_decref(def);
		return;
	}
	memcpy(old_name, d->name, sizeof(old_name));
	snprintf(d->name, sizeof(d->name), "%s", json_string_value(json_object_get(def, "name")));
	d->def = def;
	d->revision++;
	store_end(!db_begin(hvmd.db) && !store_domain_put(hvmd.db, d) &&
			  !store_event_put(hvmd.db, "domain-changed", d,
					   json_pack("{s:I}", "revision", (json_int_t)d->revision)),
		  p);
	if (!p->status) {
		json_decref(old_def);
		domain_unlist(d); /* its name may have changed */
		domain_list(d);
		return;
	}
	memcpy(d->name, old_name, sizeof(old_name));
	d->def = old_def;
	d->revision--;
	json_decref(def);
}

static void change(struct request *rq, const char *id, bool patch)
{
	struct problem p = { 0 };
	struct domain *d = request_domain(rq, id);
	json_t *in, *merged, *def;

	if (!d)
		return;
	in = body_json(rq, patch ? "application/merge-patch+json" : NULL, &p);
	if (in && if_match(rq, d, &p)) {
		merged = patch ? json_merge_patch(d->def, in) : json_incref(in);
		def = definition_parse(merged, &p);
		json_decref(merged);
		if (def)
			replace(d, def, &p);
	}
	json_decref(in);
	if (p.status)
		reply_problem(rq, &p);
	else
		reply_domain(rq, 200, d);
}

/** PUT /v1/domains/{id} */
void api_domain_put(struct request *rq, const char *id)
{
	change(rq, id, false);
}

/** PATCH /v1/domains/{id}: JSON merge patch. */
void api_domain_patch(struct request *rq, const char *id)
{
	change(rq, id, true);
}

static void remove_rundir(const struct domain *d)
{
	static const char *const files[] = { "config.json",  "config.json.new", "control.sock",
					     "console.sock", "console.log",	"pid",
					     "exit.json",    "ioemu.log",	"screenshot.png" };
	char path[HVMD_PATH_MAX + 64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		rundir_path(d, files[i], path, sizeof(path));
		unlink(path);
	}
	rundir_path(d, "", path, sizeof(path));
	rmdir(path);
}

/** DELETE /v1/domains/{id}: the definition and its run folder; never an image. */
void api_domain_delete(struct request *rq, const char *id)
{
	struct problem p = { 0 };
	struct domain *d = request_domain(rq, id);

	if (!d)
		return;
	if (domain_active(d) || d->op[0] || d->vm)
		problem_set(&p, 409, "wrong-state", "\"%s\" cannot be deleted while it is %s",
			    d->name, dom_state_names[d->state]);
	else if (if_match(rq, d, &p))
		store_end(!db_begin(hvmd.db) && !store_domain_delete(hvmd.db, d->uuid) &&
				  !store_event_put(hvmd.db, "domain-deleted", d, json_object()),
			  &p);
	if (p.status) {
		reply_problem(rq, &p);
		return;
	}
	domain_unlist(d);
	remove_rundir(d);
	domain_free(d);
	reply_text(rq, 204, "text/plain", "", 0);
}

/** POST /v1/domains/{id}/ACTION */
void api_domain_action(struct request *rq, const char *id, const char *action)
{
	struct problem p = { 0 };
	struct domain *d = request_domain(rq, id);
	bool keys = !strcmp(action, "send-key");
	struct op_request r = { .action = action, .idem = &rq->idem };
	json_t *params = NULL, *v;
	size_t i;

	if (!d)
		return;
	if (keys || rq->body_len)
		params = body_json(rq, NULL, &p);
	else
		params = json_object();
	if (params && (!json_is_object(params) || json_object_size(params) != (keys ? 1u : 0u)))
		problem_field(&p, "invalid-body", "",
			      keys ? "the body must be {\"keys\": [...]}"
				   : "this action takes no fields");
	v = json_object_get(params, "keys");
	if (keys && params && (!json_array_size(v) || json_array_size(v) > 8))
		problem_field(&p, "invalid-keys", "/keys",
			      "keys must be a list of 1 to 8 key names");
	for (i = 0; keys && i < json_array_size(v); i++) {
		if (!json_is_string(json_array_get(v, i)))
			problem_field(&p, "invalid-keys", "/keys", "keys[%zu] must be a string", i);
	}
	r.params = params;
	if (!p.status && if_match(rq, d, &p))
		domain_act(d, &r, &p);
	json_decref(params);
	if (p.status)
		reply_problem(rq, &p);
	else
		reply_operation(rq, r.id);
}
