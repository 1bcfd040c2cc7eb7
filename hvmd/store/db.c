/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening the database. A file that is damaged or made by a newer hvmd is refused before anything
 * is written to it, so that the operator still has what was there.
 */
#include "store/store.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/** Run statements without results; 0 or -1. */
int db_exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

/** Begin a transaction for a change; 0 or -1. */
int db_begin(sqlite3 *db)
{
	return db_exec(db, "BEGIN IMMEDIATE");
}

/** End it: committed if @good and the database takes it, else undone. 0: committed. */
int db_end(sqlite3 *db, bool good)
{
	if (good && !db_exec(db, "COMMIT"))
		return 0;
	if (good || sqlite3_errcode(db) != SQLITE_OK)
		fprintf(stderr, "hvmd: database: %s\n", sqlite3_errmsg(db));
	db_exec(db, "ROLLBACK");
	return -1;
}

static int query_text(sqlite3 *db, const char *sql, char *out, size_t len)
{
	sqlite3_stmt *st;
	int rc = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW) {
		const char *s = (const char *)sqlite3_column_text(st, 0);

		snprintf(out, len, "%s", s ? s : "");
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

/* Look at an existing file read-only: is it ours, sound, and not newer than we are? */
static int inspect(const char *path, char *err, size_t err_len)
{
	char text[256] = "";
	sqlite3 *db = NULL;
	int rc = -1, version = 0;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    query_text(db, "PRAGMA quick_check(1)", text, sizeof(text))) {
		snprintf(err, err_len, "%s cannot be read: %s; restore it from a backup", path,
			 sqlite3_errmsg(db));
	} else if (strcmp(text, "ok")) {
		snprintf(err, err_len, "%s is damaged: %s; restore it from a backup", path, text);
	} else if (query_text(db, "PRAGMA user_version", text, sizeof(text)) ||
		   sscanf(text, "%d", &version) != 1 || version < 0) {
		snprintf(err, err_len, "%s has no schema version", path);
	} else if (version > db_schema_version()) {
		snprintf(err, err_len, "%s has schema %d, made by a newer hvmd; this one knows %d",
			 path, version, db_schema_version());
	} else {
		rc = 0;
	}
	sqlite3_close(db);
	return rc;
}

/** Open or create the database and bring its schema up to date; -1 with the reason in err. */
int db_open(const char *path, sqlite3 **out, char *err, size_t err_len)
{
	struct stat sb;
	sqlite3 *db = NULL;

	if (!stat(path, &sb) && sb.st_size > 0 && inspect(path, err, err_len))
		return -1;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
		    SQLITE_OK ||
	    db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			"PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000;")) {
		snprintf(err, err_len, "%s: %s", path, sqlite3_errmsg(db));
		sqlite3_close(db);
		return -1;
	}
	if (db_migrate(db, err, err_len)) {
		sqlite3_close(db);
		return -1;
	}
	*out = db;
	return 0;
}
