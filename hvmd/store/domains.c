/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of domains and operations. Every function is one statement, committed (or part of the
 * caller's transaction) when it returns 0.
 */
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bind_text(sqlite3_stmt *st, int i, const char *s)
{
	sqlite3_bind_text(st, i, s, -1, SQLITE_TRANSIENT);
}

static int finish(sqlite3 *db, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_finalize(st);
	if (rc == SQLITE_DONE)
		return 0;
	fprintf(stderr, "hvmd: database: %s\n", sqlite3_errmsg(db));
	return -1;
}

static void column(sqlite3_stmt *st, int i, char *out, size_t len)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	snprintf(out, len, "%s", s ? s : "");
}

/** Insert or replace a domain's row. */
int store_domain_put(sqlite3 *db, const struct domain *d)
{
	static const char sql[] =
		"INSERT INTO domains (uuid, name, definition, revision, state, state_reason, engine,"
		" pid, operation, last_error) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"
		" ON CONFLICT (uuid) DO UPDATE SET name=?2, definition=?3, revision=?4, state=?5,"
		" state_reason=?6, engine=?7, pid=?8, operation=?9, last_error=?10";
	char *def = json_dumps(d->def, JSON_COMPACT);
	char *error = d->last_error ? json_dumps(d->last_error, JSON_COMPACT) : NULL;
	sqlite3_stmt *st;

	if (!def || sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) {
		free(def);
		free(error);
		return -1;
	}
	bind_text(st, 1, d->uuid);
	bind_text(st, 2, d->name);
	bind_text(st, 3, def);
	sqlite3_bind_int64(st, 4, d->revision);
	bind_text(st, 5, dom_state_names[d->state]);
	bind_text(st, 6, d->reason);
	bind_text(st, 7, d->engine);
	sqlite3_bind_int(st, 8, d->pid);
	bind_text(st, 9, d->op);
	bind_text(st, 10, error ? error : "");
	free(def);
	free(error);
	return finish(db, st);
}

/** Forget a domain; its operations stay as history. */
int store_domain_delete(sqlite3 *db, const char *uuid)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db, "DELETE FROM domains WHERE uuid=?1", -1, &st, NULL) != SQLITE_OK)
		return -1;
	bind_text(st, 1, uuid);
	return finish(db, st);
}

static struct domain *row_domain(sqlite3_stmt *st)
{
	struct domain *d = calloc(1, sizeof(*d));
	char state[16];
	const char *def = (const char *)sqlite3_column_text(st, 2);
	const char *error = (const char *)sqlite3_column_text(st, 9);

	if (!d)
		return NULL;
	column(st, 0, d->uuid, sizeof(d->uuid));
	column(st, 1, d->name, sizeof(d->name));
	d->def = json_loads(def ? def : "", 0, NULL);
	d->revision = sqlite3_column_int64(st, 3);
	column(st, 4, state, sizeof(state));
	for (d->state = 0; d->state < DOM_STATES; d->state++) {
		if (!strcmp(state, dom_state_names[d->state]))
			break;
	}
	column(st, 5, d->reason, sizeof(d->reason));
	column(st, 6, d->engine, sizeof(d->engine));
	d->pid = sqlite3_column_int(st, 7);
	column(st, 8, d->op, sizeof(d->op));
	d->last_error = json_loads(error ? error : "", 0, NULL);
	if (d->def && d->state < DOM_STATES)
		return d;
	fprintf(stderr, "hvmd: database: row of domain %s cannot be understood\n", d->uuid);
	domain_free(d);
	return NULL;
}

/** Read every domain, ordered by name; -1 when a row cannot be understood. */
int store_domains_load(sqlite3 *db, struct domain **list)
{
	static const char sql[] = "SELECT uuid, name, definition, revision, state, state_reason,"
				  " engine, pid, operation, last_error FROM domains"
				  " ORDER BY name";
	struct domain **tail = list;
	sqlite3_stmt *st;
	int rc;

	*list = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		*tail = row_domain(st);
		if (!*tail)
			break;
		tail = &(*tail)->next;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

/** Insert or update an operation. */
int store_op_put(sqlite3 *db, const struct operation *op)
{
	static const char sql[] =
		"INSERT INTO operations (id, kind, domain, state, created, finished, error_code,"
		" error_detail) VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT (id) DO UPDATE SET"
		" state=?4, finished=?6, error_code=?7, error_detail=?8";
	const char *const v[] = { op->id,      op->kind,     op->domain, op->state,
				  op->created, op->finished, op->code,	 op->detail };
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	for (int i = 0; i < 8; i++)
		bind_text(st, i + 1, v[i]);
	return finish(db, st);
}

static void row_op(sqlite3_stmt *st, struct operation *op)
{
	column(st, 0, op->id, sizeof(op->id));
	column(st, 1, op->kind, sizeof(op->kind));
	column(st, 2, op->domain, sizeof(op->domain));
	column(st, 3, op->state, sizeof(op->state));
	column(st, 4, op->created, sizeof(op->created));
	column(st, 5, op->finished, sizeof(op->finished));
	column(st, 6, op->code, sizeof(op->code));
	column(st, 7, op->detail, sizeof(op->detail));
}

#define OP_COLUMNS "SELECT id, kind, domain, state, created, finished, error_code, error_detail "

/** Read one operation; -1 when there is none. */
int store_op_get(sqlite3 *db, const char *id, struct operation *op)
{
	sqlite3_stmt *st;
	int rc = -1;

	if (sqlite3_prepare_v2(db, OP_COLUMNS "FROM operations WHERE id=?1", -1, &st, NULL) !=
	    SQLITE_OK)
		return -1;
	bind_text(st, 1, id);
	if (sqlite3_step(st) == SQLITE_ROW) {
		row_op(st, op);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

/** The newest operations first, of one domain or (NULL) of all. */
json_t *store_ops_list(sqlite3 *db, const char *domain, unsigned limit)
{
	static const char sql[] = OP_COLUMNS "FROM operations WHERE ?1 IS NULL OR domain=?1"
					     " ORDER BY seq DESC LIMIT ?2";
	json_t *list = json_array();
	struct operation op;
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return list;
	if (domain)
		bind_text(st, 1, domain);
	sqlite3_bind_int(st, 2, (int)limit);
	while (sqlite3_step(st) == SQLITE_ROW) {
		row_op(st, &op);
		json_array_append_new(list, op_json(&op));
	}
	sqlite3_finalize(st);
	return list;
}

/** An operation as the API shows it. */
json_t *op_json(const struct operation *op)
{
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "id", op->id, "kind", op->kind,
			      "domain", op->domain, "state", op->state, "created_at", op->created,
			      "may_cancel", 0);

	if (op->finished[0])
		json_object_set_new(j, "finished_at", json_string(op->finished));
	if (op->code[0])
		json_object_set_new(
			j, "error",
			json_pack("{s:s, s:s}", "code", op->code, "detail", op->detail));
	return j;
}
