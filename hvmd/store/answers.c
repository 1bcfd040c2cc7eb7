/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of answers: what a POST with an Idempotency-Key was answered, for ANSWER_KEPT_S. The row is
 * written in the transaction of the change itself: either both are there or neither.
 */
#include "store/store.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ANSWER_KEPT_S (24 * 3600)

/** Keep an answer; a no-op without a key. Part of the caller's transaction. */
int store_answer_put(sqlite3 *db, const struct idem *idem, const struct answer *a)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO answers (key, fingerprint, created, status, operation,"
		" location, etag, body) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)";
	sqlite3_stmt *st;
	char trim[80];
	int rc;

	if (!idem->key[0])
		return 0;
	snprintf(trim, sizeof(trim), "DELETE FROM answers WHERE created <= %lld",
		 (long long)time(NULL) - ANSWER_KEPT_S);
	if (db_exec(db, trim) || sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_text(st, 1, idem->key, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 2, idem->fingerprint, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 3, time(NULL));
	sqlite3_bind_int(st, 4, (int)a->status);
	sqlite3_bind_text(st, 5, a->operation, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 6, a->location, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 7, a->etag, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 8, a->body ? a->body : "", -1, SQLITE_TRANSIENT);
	rc = sqlite3_step(st) == SQLITE_DONE ? 0 : -1;
	sqlite3_finalize(st);
	return rc;
}

static void column(sqlite3_stmt *st, int i, char *out, size_t len)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	snprintf(out, len, "%s", s ? s : "");
}

/**
 * Look for the answer to a key. 1: there is one for this request, its body (to be freed) included.
 * 0: none. -1: the key was used for another request.
 */
int store_answer_get(sqlite3 *db, const struct idem *idem, struct answer *a)
{
	static const char sql[] = "SELECT fingerprint, status, operation, location, etag, body"
				  " FROM answers WHERE key = ?1 AND created > ?2";
	char fingerprint[sizeof(idem->fingerprint)];
	sqlite3_stmt *st;
	const char *body;
	int rc = 0;

	*a = (struct answer){ 0 };
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return 0;
	sqlite3_bind_text(st, 1, idem->key, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, time(NULL) - ANSWER_KEPT_S);
	if (sqlite3_step(st) == SQLITE_ROW) {
		column(st, 0, fingerprint, sizeof(fingerprint));
		rc = strcmp(fingerprint, idem->fingerprint) ? -1 : 1;
	}
	if (rc == 1) {
		a->status = (unsigned)sqlite3_column_int(st, 1);
		column(st, 2, a->operation, sizeof(a->operation));
		column(st, 3, a->location, sizeof(a->location));
		column(st, 4, a->etag, sizeof(a->etag));
		body = (const char *)sqlite3_column_text(st, 5);
		a->body = strdup(body ? body : "");
	}
	sqlite3_finalize(st);
	return rc;
}
