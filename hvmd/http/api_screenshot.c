/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /v1/domains/{id}/screenshot: ioemu writes a PNG into the run folder, the client gets it.
 */
#include "http/http.h"
#include "hvmd.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGE_MAX (16u << 20)

static void on_screenshot(struct domain *d, void *arg, json_t *result, const char *code,
			  const char *detail)
{
	struct request *rq = arg;
	struct problem p = { 0 };
	char path[HVMD_PATH_MAX + 64], *png = NULL;
	size_t len = 0;

	(void)result;
	rundir_path(d, "screenshot.png", path, sizeof(path));
	if (!code)
		png = file_tail(path, IMAGE_MAX, &len);
	unlink(path);
	if (code)
		problem_set(&p,
			    strcmp(code, "ioemu-unreachable") && strcmp(code, "ioemu-timeout")
				    ? 409
				    : 503,
			    code, "%s", detail);
	else if (!len)
		problem_set(&p, 500, "screenshot-failed", "ioemu left no image");
	if (p.status)
		reply_problem(rq, &p);
	else
		reply_text(rq, 200, "image/png", png, len);
	free(png);
	request_resume(rq);
}

/** hvmd ends: answer those who wait for a picture; libmicrohttpd wants none suspended. */
void api_screenshots_abandon(void)
{
	vm_abandon(on_screenshot);
}

/** GET /v1/domains/{id}/screenshot */
void api_domain_screenshot(struct request *rq, const char *id)
{
	struct problem p = { 0 };
	struct domain *d = request_domain(rq, id);
	char path[HVMD_PATH_MAX + 64];
	json_t *params;

	if (!d)
		return;
	rundir_path(d, "screenshot.png", path, sizeof(path));
	params = json_pack("{s:s}", "path", path);
	if (d->state != DOM_RUNNING && d->state != DOM_PAUSED)
		problem_set(&p, 409, "wrong-state", "\"%s\" is %s; it has no screen", d->name,
			    dom_state_names[d->state]);
	else if (vm_call(d, "screenshot", params, on_screenshot, rq))
		problem_set(&p, 503, "ioemu-unreachable", "ioemu does not answer");
	json_decref(params);
	if (p.status)
		reply_problem(rq, &p);
}
