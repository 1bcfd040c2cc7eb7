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
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	assert_int_equal(store_domain_put(db, d), 0);
	sqlite3_close(db);
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	assert_int_equal(store_domains_load(db, &got), 0);
	assert_non_null(got);
	assert_string_equal(got->uuid, d->uuid);
	assert_int_equal(got->state, DOM_PAUSED);
	sqlite3_close(db);
	domain_free(got);
	domain_free(d);
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
		cmocka_unit_test(a_newer_schema_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
