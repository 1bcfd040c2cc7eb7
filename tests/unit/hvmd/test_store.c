/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store: rows survive a reopening; a newer schema is refused. */
#include "hvmd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct hvmd hvmd;

static char dir[] = "/tmp/hvmd-store-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/hvm.db", dir);
	return 0;
}

static int teardown(void **state)
{
	char side[80];

	(void)state;
	unlink(path);
	/* a read-only look leaves the files of the write-ahead log */
	snprintf(side, sizeof(side), "%s-wal", path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", path);
	unlink(side);
	return rmdir(dir);
}

static void a_domain_survives_a_reopening(void **state)
{
	struct domain *d = domain_new(json_pack("{s:s}", "name", "a")), *got = NULL;
	char err[256] = "";
	sqlite3 *db;

	(void)state;
	d->state = DOM_PAUSED;
	d->last_error = json_pack("{s:s}", "code", "disk-error");
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	assert_int_equal(store_domain_put(db, d), 0);
	sqlite3_close(db);
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	assert_int_equal(store_domains_load(db, &got), 0);
	assert_non_null(got);
	assert_string_equal(got->uuid, d->uuid);
	assert_int_equal(got->state, DOM_PAUSED);
	assert_true(json_equal(got->last_error, d->last_error));
	sqlite3_close(db);
	domain_free(got);
	domain_free(d);
}

/* As the first release made it: this text never changes. */
static const char schema_1[] =
	"CREATE TABLE domains (uuid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" definition TEXT NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL,"
	" state_reason TEXT NOT NULL, engine TEXT NOT NULL, pid INTEGER NOT NULL,"
	" operation TEXT NOT NULL) STRICT;"
	"CREATE TABLE operations (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
	" kind TEXT NOT NULL, domain TEXT NOT NULL, state TEXT NOT NULL, created TEXT NOT NULL,"
	" finished TEXT NOT NULL, error_code TEXT NOT NULL, error_detail TEXT NOT NULL) STRICT;"
	"CREATE INDEX operations_by_domain ON operations (domain, seq);"
	"INSERT INTO domains VALUES ('6d766800-0000-4000-8000-000000000001', 'old', '{}', 3,"
	" 'stopped', 'poweroff', 'soft', 0, '');"
	"PRAGMA user_version = 1;";

static void a_database_of_the_first_schema_is_brought_up_to_date(void **state)
{
	struct domain *got = NULL;
	char err[256] = "";
	sqlite3 *db;

	(void)state;
	unlink(path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(db_exec(db, schema_1), 0);
	sqlite3_close(db);
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	assert_int_equal(store_domains_load(db, &got), 0);
	assert_non_null(got);
	assert_string_equal(got->name, "old");
	assert_int_equal(got->revision, 3);
	assert_null(got->last_error);
	assert_int_equal(store_domain_put(db, got), 0);
	sqlite3_close(db);
	domain_free(got);
}

static void a_newer_schema_is_refused(void **state)
{
	char err[256] = "";
	sqlite3 *db;

	(void)state;
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	assert_int_equal(db_exec(db, "PRAGMA user_version = 999"), 0);
	sqlite3_close(db);
	assert_int_equal(db_open(path, &db, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "newer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_domain_survives_a_reopening),
		cmocka_unit_test(a_database_of_the_first_schema_is_brought_up_to_date),
		cmocka_unit_test(a_newer_schema_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
