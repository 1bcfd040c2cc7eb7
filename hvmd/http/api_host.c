/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host, health, and operations. Read-only. */
#include "http/http.h"
#include "hvm/hvm.h"
#include "hvmd.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MAX_S 3600

#define ENGINES_MAX 8u

/* As libhvm sees them: what is there, and why the rest is not. */
static json_t *engines_json(void)
{
	struct hvm_engine_info e[ENGINES_MAX];
	size_t count = hvm_engines(e, ENGINES_MAX);
	json_t *list = json_array();

	for (size_t i = 0; i < count && i < ENGINES_MAX; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:b, s:s}", "name", e[i].name, "available",
						e[i].available, "reason", e[i].reason));
	return list;
}

/* What each is without on this host. */
static json_t *cpu_models_json(void)
{
	static const char *const names[] = {
		[HVM_CPU_V1] = "hvm-v1",
		[HVM_CPU_V2] = "hvm-v2",
		[HVM_CPU_V3] = "hvm-v3",
	};
	json_t *list = json_array();

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *lacks = hvm_cpu_model_lacks(i);
		char reason[128] = "this host's processor has all of it";

		if (lacks)
			snprintf(reason, sizeof(reason), "this host's processor has no %s", lacks);
		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", names[i],
						      "available", !lacks, "reason", reason));
	}
	return list;
}

/** GET /v1/host */
void api_host(struct request *rq, const char *id)
{
	json_t *roots = json_array(), *j;

	(void)id;
	for (unsigned i = 0; i < hvmd.nr_roots; i++)
		json_array_append_new(roots, json_string(hvmd.roots[i]));
	j = json_pack("{s:o, s:o, s:I, s:I, s:o}", "engines", engines_json(), "cpu_models",
		      cpu_models_json(), "cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
		      "memory_mib", (json_int_t)host_memory_mib(), "storage_roots", roots);
	json_object_set_new(j, "versions",
			    json_pack("{s:s, s:i, s:s, s:s}", "hvmd", HVMD_VERSION, "schema",
				      db_schema_version(), "sqlite", sqlite3_libversion(), "libuv",
				      uv_version_string()));
	json_object_set_new(j, "limits",
			    json_pack("{s:i, s:i, s:i, s:i}", "vcpus_max", 16, "memory_mib_min", 16,
				      "ide_disks_max", 4, "body_bytes_max", BODY_MAX));
	reply_json(rq, 200, j);
}

/** GET /healthz: 200 when the database answers. */
void api_healthz(struct request *rq, const char *id)
{
	struct problem p = { 0 };

	(void)id;
	if (!db_exec(hvmd.db, "SELECT count(*) FROM domains")) {
		reply_json(rq, 200, json_pack("{s:s}", "status", "ok"));
		return;
	}
	problem_set(&p, 503, "store-failed", "%s", sqlite3_errmsg(hvmd.db));
	reply_problem(rq, &p);
}

/** GET /version */
void api_version(struct request *rq, const char *id)
{
	(void)id;
	reply_json(rq, 200, json_pack("{s:s, s:s}", "version", HVMD_VERSION, "api", "v1"));
}

extern const char contract_yaml[], contract_yaml_end[], contract_json[], contract_json_end[];

/** GET /openapi.yaml: the contract (contract.S). */
void api_contract_yaml(struct request *rq, const char *id)
{
	(void)id;
	reply_text(rq, 200, "application/yaml", contract_yaml,
		   (size_t)(contract_yaml_end - contract_yaml));
}

/** GET /openapi.json: the same, converted when hvmd was built. */
void api_contract_json(struct request *rq, const char *id)
{
	(void)id;
	reply_text(rq, 200, "application/json", contract_json,
		   (size_t)(contract_json_end - contract_json));
}

/** GET /v1/operations?domain= : the newest 100. */
void api_operations_list(struct request *rq, const char *id)
{
	const char *name = request_query(rq, "domain");
	struct domain *d = name ? domain_find(name) : NULL;

	(void)id;
	reply_json(
		rq, 200,
		json_pack("{s:o}", "operations", store_ops_list(hvmd.db, d ? d->uuid : name, 100)));
}

static void show(struct request *rq, const char *id)
{
	struct problem p = { 0 };
	struct operation op;

	if (!store_op_get(hvmd.db, id, &op)) {
		reply_json(rq, 200, op_json(&op));
		return;
	}
	problem_set(&p, 404, "operation-not-found", "there is no operation \"%.64s\"", id);
	reply_problem(rq, &p);
}

/** GET /v1/operations/{id} */
void api_operation_get(struct request *rq, const char *id)
{
	show(rq, id);
}

/** GET /v1/operations/{id}/wait?timeout_s=N */
void api_operation_wait(struct request *rq, const char *id)
{
	const char *q = request_query(rq, "timeout_s");
	struct problem p = { 0 };
	char *end = NULL;
	long n = q ? strtol(q, &end, 10) : 0;

	if (n >= 0 && n <= WAIT_MAX_S && (!q || (*q && !*end))) {
		reply_operation(rq, id);
		return;
	}
	problem_set(&p, 422, "out-of-range", "timeout_s is \"%.32s\"; it must be 0 to %d", q,
		    WAIT_MAX_S);
	reply_problem(rq, &p);
}
