/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data of domains: names of states, identifiers, times.
 */
#include "domain/model.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

const char *const dom_state_names[DOM_STATES] = { "defined",  "starting", "running", "paused",
						  "stopping", "stopped",  "crashed" };

/** A random UUID (RFC 9562, version 4). */
void new_uuid(char out[UUID_LEN])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		abort(); /* cannot fail for 16 bytes once the pool is ready */
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(out, UUID_LEN,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
}

/** Now, RFC 3339 in UTC. */
void time_now(char out[32])
{
	time_t t = time(NULL);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/** Free an unlisted domain. */
void domain_free(struct domain *d)
{
	json_decref(d->def);
	json_decref(d->last_error);
	free(d);
}
