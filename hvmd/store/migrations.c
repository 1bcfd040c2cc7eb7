/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schema, as an append-only list of steps. user_version counts the steps a file has had. A step
 * that was released is never edited: a change is a new step at the end.
 */
#include "store/store.h"
#include <stdio.h>

static const char *const migrations[] = {
	"CREATE TABLE domains ("
	" uuid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, definition TEXT NOT NULL,"
	" revision INTEGER NOT NULL, state TEXT NOT NULL, state_reason TEXT NOT NULL,"
	" engine TEXT NOT NULL, pid INTEGER NOT NULL, operation TEXT NOT NULL) STRICT;"
	"CREATE TABLE operations ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
	" domain TEXT NOT NULL, state TEXT NOT NULL, created TEXT NOT NULL,"
	" finished TEXT NOT NULL, error_code TEXT NOT NULL, error_detail TEXT NOT NULL) STRICT;"
	"CREATE INDEX operations_by_domain ON operations (domain, seq);",
	"ALTER TABLE domains ADD COLUMN last_error TEXT NOT NULL DEFAULT '';", /* JSON or '' */
	"CREATE TABLE events ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, kind TEXT NOT NULL,"
	" domain TEXT NOT NULL, name TEXT NOT NULL, details TEXT NOT NULL) STRICT;",
	"CREATE TABLE answers ("
	" key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, created INTEGER NOT NULL,"
	" status INTEGER NOT NULL, operation TEXT NOT NULL, location TEXT NOT NULL,"
	" etag TEXT NOT NULL, body TEXT NOT NULL) STRICT;"
	"CREATE INDEX answers_by_age ON answers (created);",
};

/** How many steps this daemon knows. */
int db_schema_version(void)
{
	return (int)(sizeof(migrations) / sizeof(migrations[0]));
}

static int user_version(sqlite3 *db)
{
	sqlite3_stmt *st;
	int v = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

/** Bring the file up to date, each step with its version in one transaction. */
int db_migrate(sqlite3 *db, char *err, size_t err_len)
{
	char set[48];
	int v = user_version(db);

	for (; v >= 0 && v < db_schema_version(); v++) {
		snprintf(set, sizeof(set), "PRAGMA user_version = %d", v + 1);
		if (db_exec(db, "BEGIN IMMEDIATE") || db_exec(db, migrations[v]) ||
		    db_exec(db, set) || db_exec(db, "COMMIT")) {
			snprintf(err, err_len, "schema step %d: %s", v + 1, sqlite3_errmsg(db));
			db_exec(db, "ROLLBACK");
			return -1;
		}
	}
	return v < 0 ? -1 : 0;
}
