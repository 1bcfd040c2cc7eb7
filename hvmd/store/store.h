/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - the database: the only place of what must survive hvmd. Functions return 0 or -1.
 */
#ifndef HVMD_STORE_H
#define HVMD_STORE_H

#include <sqlite3.h>

#include "domain/model.h"

/* db.c */
int db_open(const char *path, sqlite3 **out, char *err, size_t err_len);
int db_exec(sqlite3 *db, const char *sql);
int db_begin(sqlite3 *db);
int db_end(sqlite3 *db, bool good);

/* migrations.c */
int db_migrate(sqlite3 *db, char *err, size_t err_len);
int db_schema_version(void);

/* domains.c */
int store_domain_put(sqlite3 *db, const struct domain *d);
int store_domain_delete(sqlite3 *db, const char *uuid);
int store_domains_load(sqlite3 *db, struct domain **list);
int store_op_put(sqlite3 *db, const struct operation *op);
int store_op_get(sqlite3 *db, const char *id, struct operation *op);
json_t *store_ops_list(sqlite3 *db, const char *domain, unsigned limit);
json_t *op_json(const struct operation *op);

/* events.c */
int store_event_put(sqlite3 *db, const char *kind, const struct domain *d, json_t *details);
json_t *store_event_after(sqlite3 *db, int64_t since, int64_t *ret_seq);
void store_events_range(sqlite3 *db, int64_t *first, int64_t *last);

/* answers.c */
int store_answer_put(sqlite3 *db, const struct idem *idem, const struct answer *a);
int store_answer_get(sqlite3 *db, const struct idem *idem, struct answer *a);

#endif
