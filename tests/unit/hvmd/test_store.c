/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store: rows survive a reopening; a newer schema is refused. */
#include "domain/domain.h"
#include "hvmd.h"
#include "store/store.h"
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

static void events_have_rising_numbers_and_the_newest_are_kept(void **state)
{
	struct domain *d = domain_new(json_pack("{s:s}", "name", "a"));
	int64_t first, last, seq = 0;
	char err[256] = "";
	json_t *j;
	sqlite3 *db;

	(void)state;
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	store_events_range(db, &first, &last);
	assert_true(first == 0 || first == last + 1);
	assert_int_equal(db_begin(db), 0);
	for (int i = 1; i <= 10005; i++)
		assert_int_equal(store_event_put(db, "domain-state", d, json_pack("{s:i}", "i", i)),
				 0);
	assert_int_equal(db_end(db, true), 0);
	store_events_range(db, &first, &last);
	assert_int_equal(first, 6);
	assert_int_equal(last, 10005);
	j = store_event_after(db, 7, &seq);
	assert_int_equal(seq, 8);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "details"), "i")),
			 8);
	assert_string_equal(json_string_value(json_object_get(j, "name")), "a");
	json_decref(j);
	assert_null(store_event_after(db, last, &seq));
	/* numbers are not given again, even when no row is left */
	assert_int_equal(db_exec(db, "DELETE FROM events"), 0);
	sqlite3_close(db);
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	store_events_range(db, &first, &last);
	assert_int_equal(first, 10006);
	assert_int_equal(last, 10005);
	sqlite3_close(db);
	domain_free(d);
}

static void what_is_undone_leaves_no_event(void **state)
{
	struct domain *d = domain_new(json_pack("{s:s}", "name", "a"));
	int64_t seq = 0;
	char err[256] = "";
	sqlite3 *db;

	(void)state;
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	assert_int_equal(db_begin(db), 0);
	assert_int_equal(store_event_put(db, "domain-created", d, json_object()), 0);
	assert_int_equal(db_end(db, false), -1);
	assert_null(store_event_after(db, 0, &seq));
	sqlite3_close(db);
	domain_free(d);
}

static void an_answer_is_kept_for_its_request_for_a_day(void **state)
{
	struct idem one = { "k", "f1" }, other = { "k", "f2" }, none = { 0 };
	struct answer a = { .status = 201, .location = "/x", .etag = "\"1\"" }, got;
	char err[256] = "", body[] = "{}";
	sqlite3 *db;

	(void)state;
	a.body = body;
	assert_int_equal(db_open(path, &db, err, sizeof(err)), 0);
	assert_int_equal(store_answer_put(db, &none, &a), 0);
	assert_int_equal(store_answer_get(db, &one, &got), 0);
	assert_int_equal(store_answer_put(db, &one, &a), 0);
	assert_int_equal(store_answer_get(db, &other, &got), -1);
	assert_int_equal(store_answer_get(db, &one, &got), 1);
	assert_int_equal(got.status, 201);
	assert_string_equal(got.location, "/x");
	assert_string_equal(got.etag, "\"1\"");
	assert_string_equal(got.body, "{}");
	free(got.body);
	assert_int_equal(db_exec(db, "UPDATE answers SET created = created - 86400"), 0);
	assert_int_equal(store_answer_get(db, &one, &got), 0);
	/* its place is free for another request */
	assert_int_equal(store_answer_put(db, &other, &a), 0);
	assert_int_equal(store_answer_get(db, &other, &got), 1);
	free(got.body);
	sqlite3_close(db);
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
		cmocka_unit_test(events_have_rising_numbers_and_the_newest_are_kept),
		cmocka_unit_test(what_is_undone_leaves_no_event),
		cmocka_unit_test(an_answer_is_kept_for_its_request_for_a_day),
		cmocka_unit_test(a_newer_schema_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
