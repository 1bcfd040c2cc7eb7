/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of events. A sequence number is never given twice, also after a restart, so a client that
 * knows the last one it saw can go on there. The newest EVENTS_KEPT are kept.
 */
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_KEPT 10000

/** Add an event about a domain; details are taken over. Part of the caller's transaction. */
int store_event_put(sqlite3 *db, const char *kind, const struct domain *d, json_t *details)
{
	static const char sql[] = "INSERT INTO events (time, kind, domain, name, details)"
				  " VALUES (?1,?2,?3,?4,?5)";
	char now[32], *text = json_dumps(details, JSON_COMPACT), trim[80];
	const char *const v[] = { now, kind, d->uuid, d->name, text };
	sqlite3_stmt *st = NULL;
	int rc = -1;

	time_now(now);
	json_decref(details);
	if (text && sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK) {
		for (int i = 0; i < 5; i++)
			sqlite3_bind_text(st, i + 1, v[i], -1, SQLITE_TRANSIENT);
		rc = sqlite3_step(st) == SQLITE_DONE ? 0 : -1;
	}
	sqlite3_finalize(st);
	free(text);
	if (rc)
		return rc;
	snprintf(trim, sizeof(trim), "DELETE FROM events WHERE seq <= %lld",
		 (long long)sqlite3_last_insert_rowid(db) - EVENTS_KEPT);
	return db_exec(db, trim);
}

/** The next event after @since: NULL when there is none yet, else its number in ret_seq. */
json_t *store_event_after(sqlite3 *db, int64_t since, int64_t *ret_seq)
{
	static const char sql[] = "SELECT seq, time, kind, domain, name, details FROM events"
				  " WHERE seq > ?1 ORDER BY seq LIMIT 1";
	static const char *const names[] = { NULL, "time", "kind", "domain", "name" };
	sqlite3_stmt *st;
	json_t *j = NULL, *details;
	const char *text;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_int64(st, 1, since);
	if (sqlite3_step(st) == SQLITE_ROW) {
		*ret_seq = sqlite3_column_int64(st, 0);
		j = json_pack("{s:I}", "seq", (json_int_t)*ret_seq);
		for (int i = 1; i < 5; i++) {
			text = (const char *)sqlite3_column_text(st, i);
			json_object_set_new(j, names[i], json_string(text ? text : ""));
		}
		text = (const char *)sqlite3_column_text(st, 5);
		details = json_loads(text ? text : "", 0, NULL);
		json_object_set_new(j, "details", details ? details : json_object());
	}
	sqlite3_finalize(st);
	return j;
}

/** The first and last number that are kept; last is also right when no event is left. */
void store_events_range(sqlite3 *db, int64_t *first, int64_t *last)
{
	static const char sql[] =
		"SELECT (SELECT min(seq) FROM events),"
		" (SELECT seq FROM sqlite_sequence WHERE name = 'events')"; /* AUTOINCREMENT's */
	sqlite3_stmt *st;

	*first = *last = 0;
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return;
	if (sqlite3_step(st) == SQLITE_ROW) {
		*last = sqlite3_column_int64(st, 1);
		*first = sqlite3_column_type(st, 0) == SQLITE_NULL ? *last + 1
								   : sqlite3_column_int64(st, 0);
	}
	sqlite3_finalize(st);
}
