/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Idempotency-Key: a POST that is sent again with the same key has no second effect and gets the
 * first answer. A key belongs to one request, known by the SHA-256 of its path and body. Refusals
 * are not kept: they changed nothing, so the request may be sent again with the same key.
 * Source: IETF draft "The Idempotency-Key HTTP Header Field".
 */
#include "http/http.h"
#include "hvmd.h"
#include "store/store.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool key_valid(const char *key)
{
	size_t n = strlen(key);

	if (!n || n >= sizeof(((struct idem *)0)->key))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (key[i] <= ' ' || key[i] > '~')
			return false;
	}
	return true;
}

static bool take_fingerprint(struct request *rq)
{
	uint8_t hash[32];
	gnutls_hash_hd_t h;

	if (gnutls_hash_init(&h, GNUTLS_DIG_SHA256))
		return false;
	gnutls_hash(h, rq->url, strlen(rq->url) + 1); /* the NUL parts it from the body */
	if (rq->body_len)
		gnutls_hash(h, rq->body, rq->body_len);
	gnutls_hash_deinit(h, hash);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(rq->idem.fingerprint + 2 * i, 3, "%02x", hash[i]);
	return true;
}

static void replay(struct request *rq, struct answer *a)
{
	rq->replayed = true;
	if (a->operation[0]) {
		reply_operation(rq, a->operation); /* as it is by now */
	} else {
		reply_text(rq, a->status, "application/json", a->body, strlen(a->body));
		reply_header(rq, "Location", a->location);
		reply_header(rq, "ETag", a->etag);
	}
	free(a->body);
}

/** For a POST: true when the request is answered already, by the first answer or a refusal. */
bool idempotency_answered(struct request *rq)
{
	const char *key = request_header(rq, "Idempotency-Key");
	struct problem p = { 0 };
	struct answer a;
	int found;

	if (!key)
		return false;
	if (!key_valid(key)) {
		problem_set(&p, 400, "invalid-key",
			    "Idempotency-Key must be 1 to %zu visible ASCII characters",
			    sizeof(rq->idem.key) - 1);
	} else if (!take_fingerprint(rq)) {
		problem_set(&p, 503, "out-of-memory", "hvmd has no memory for a hash");
	} else {
		snprintf(rq->idem.key, sizeof(rq->idem.key), "%s", key);
		found = store_answer_get(hvmd.db, &rq->idem, &a);
		if (found == 1 && a.body)
			replay(rq, &a);
		else if (found == 1)
			problem_set(&p, 503, "out-of-memory", "hvmd has no memory for the answer");
		else if (found < 0)
			problem_set(&p, 422, "key-reused",
				    "Idempotency-Key \"%.64s\" belongs to another request", key);
		else
			return false;
	}
	if (p.status)
		reply_problem(rq, &p);
	return true;
}
