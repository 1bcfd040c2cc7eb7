/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the serial port printed. To follow it, the last WINDOW_KIB are asked for again and again;
 * what is new is what comes after the longest piece that ends the former window and begins this
 * one.
 */
#include "client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW_KIB 64
#define POLL_NS	   300000000L

/* How many bytes of now were in old already. Both are windows of the same growing text. */
static size_t overlap(const struct answer *old, const struct answer *now)
{
	size_t n = old->len < now->len ? old->len : now->len;

	while (n && memcmp(old->body + old->len - n, now->body, n))
		n--;
	return n;
}

static bool domain_lives(const char *name)
{
	static const char *const live[] = { "starting", "running", "paused", "stopping" };
	struct answer a;
	const char *state;
	char url[512];
	json_t *j;
	bool yes = false;

	if (domain_url(name, "", url, sizeof(url)) || client_call("GET", url, NULL, &a))
		return false;
	j = answer_json(&a);
	state = json_string_value(json_object_get(j, "state"));
	for (size_t i = 0; state && i < sizeof(live) / sizeof(live[0]); i++)
		yes |= !strcmp(state, live[i]);
	json_decref(j);
	answer_free(&a);
	return yes;
}

/** Print the console; with follow, go on until the domain has ended. The exit status. */
int console_show(const char *name, bool follow)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	struct answer old = { 0 }, now;
	char url[512], tail[40];
	bool last = !follow;
	size_t known;
	int rc;

	snprintf(tail, sizeof(tail), "/console?tail_kib=%d", WINDOW_KIB);
	rc = domain_url(name, tail, url, sizeof(url));
	while (rc == EXIT_DONE) {
		rc = client_call("GET", url, NULL, &now);
		if (rc != EXIT_DONE)
			break;
		known = overlap(&old, &now);
		if (now.len > known && fwrite(now.body + known, 1, now.len - known, stdout) == 0)
			rc = EXIT_USAGE; /* nobody reads any more */
		fflush(stdout);
		answer_free(&old);
		old = now;
		if (last)
			break;
		last = !domain_lives(name); /* one more look after its end */
		nanosleep(&pause, NULL);
	}
	answer_free(&old);
	return rc;
}
