/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.h - what hvmd keeps of a domain, of what it is told to do, and of what was answered. All of
 * it but the connection to ioemu is a copy of the database's.
 */
#ifndef HVMD_MODEL_H
#define HVMD_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define UUID_LEN 37
#define NAME_LEN 64

enum dom_state {
	DOM_DEFINED,
	DOM_STARTING,
	DOM_RUNNING,
	DOM_PAUSED,
	DOM_STOPPING,
	DOM_STOPPED,
	DOM_CRASHED,
	DOM_STATES
};

struct vm;

/* What a domain can be told to do. */
struct action {
	const char *name;
	unsigned from; /* states it is allowed in */
	int then;      /* state after ioemu's answer, or -1: unchanged */
};

struct domain {
	struct domain *next;
	char uuid[UUID_LEN];
	char name[NAME_LEN];
	json_t *def;
	int64_t revision;
	enum dom_state state;
	char reason[512];
	char engine[16];
	int pid;	    /* of ioemu, 0 when none */
	char op[UUID_LEN];  /* the operation under way, or "" */
	struct vm *vm;	    /* connection to ioemu, or NULL */
	json_t *last_error; /* {code, detail, time} of this run of the guest, or NULL */
	uint64_t error_stored_ms;
};

struct operation {
	char id[UUID_LEN];
	char kind[16];
	char domain[UUID_LEN];
	char state[12]; /* running, succeeded, failed */
	char created[32];
	char finished[32];
	char code[48];
	char detail[512];
};

/* The Idempotency-Key of a POST, "" when there is none, and the SHA-256 of what it belongs to. */
struct idem {
	char key[256];
	char fingerprint[65];
};

/* What a domain is told to do. */
struct op_request {
	const char *action;
	json_t *params;
	const struct idem *idem;
	char id[UUID_LEN]; /* out: the operation */
};

/* What a POST was answered: an operation, or the rest. */
struct answer {
	unsigned status;
	char operation[UUID_LEN];
	char location[96];
	char etag[32];
	char *body;
};

extern const char *const dom_state_names[DOM_STATES];
void new_uuid(char out[UUID_LEN]);
void time_now(char out[32]);
void domain_free(struct domain *d);

#endif
