/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /metrics: the daemon's own counters, and those of every vcpu and disk of the domains that
 * run, in the text format of Prometheus. Each ioemu is asked for its own; one that is frozen is
 * left out after SCRAPE_MS.
 *
 * Requests that come while ioemus are being asked wait for the same answers. A struct scrape lives
 * until the last ioemu has answered or its run has ended, which may be after the clients have their
 * text; who is still asked then is not asked again.
 */
#include "http/http.h"
#include "hvm/hvm.h"
#include "hvmd.h"
#include <stdlib.h>

#define SCRAPE_MS 2000

struct scrape {
	struct request *requests; /* by next_waiter */
	json_t *stats;		  /* by the domain's name: what its ioemu said */
	unsigned waiting;
	uint64_t deadline_ms;
};

static struct scrape *scrape; /* the one that is not answered yet, or NULL */

static const struct {
	const char *name, *help;
} disk_counters[] = {
	{ "read_bytes", "bytes read from the image" },
	{ "write_bytes", "bytes written to the image" },
	{ "reads", "reads of the image" },
	{ "writes", "writes to the image" },
	{ "flushes", "flushes of the image" },
	{ "errors", "requests that failed" },
};

/* -- text -------------------------------------------------------------------------------------- */

static void print_daemon(FILE *f)
{
	unsigned count[DOM_STATES] = { 0 };

	for (struct domain *d = hvmd.domains; d; d = d->next)
		count[d->state]++;
	fprintf(f,
		"# HELP hvmd_requests_total HTTP requests\n"
		"# TYPE hvmd_requests_total counter\nhvmd_requests_total %llu\n"
		"# HELP hvmd_uptime_seconds since hvmd was started\n"
		"# TYPE hvmd_uptime_seconds gauge\nhvmd_uptime_seconds %llu\n"
		"# HELP hvmd_domains domains in each state\n"
		"# TYPE hvmd_domains gauge\n",
		(unsigned long long)hvmd.requests,
		(unsigned long long)(uv_now(&hvmd.loop) - hvmd.started_ms) / 1000);
	for (int i = 0; i < DOM_STATES; i++)
		fprintf(f, "hvmd_domains{state=\"%s\"} %u\n", dom_state_names[i], count[i]);
}

/* One counter of every @part ("vcpu", "disk") of every domain's answer, where @parts are an array.
 */
static void print_counter(FILE *f, json_t *stats, const char *parts, const char *part,
			  const char *counter, const char *help)
{
	const char *domain;
	json_t *answer;

	fprintf(f, "# HELP hvm_%1$s_%2$s_total %3$s\n# TYPE hvm_%1$s_%2$s_total counter\n", part,
		counter, help);
	json_object_foreach(stats, domain, answer)
	{
		size_t i;
		json_t *member;

		json_array_foreach(json_object_get(answer, parts), i, member)
		{
			json_t *value = json_object_get(member, counter);

			if (!json_is_integer(value) || json_integer_value(value) < 0)
				continue;
			fprintf(f, "hvm_%1$s_%2$s_total{domain=\"%3$s\",%1$s=\"%4$zu\"} %5$lld\n",
				part, counter, domain, i, (long long)json_integer_value(value));
		}
	}
}

static void print_domains(FILE *f, json_t *stats)
{
	const char *name;

	for (size_t i = 0; (name = hvm_stat_name(i)); i++)
		print_counter(f, stats, "vcpus", "vcpu", name, hvm_stat_help(i));
	for (size_t i = 0; i < sizeof(disk_counters) / sizeof(disk_counters[0]); i++)
		print_counter(f, stats, "disks", "disk", disk_counters[i].name,
			      disk_counters[i].help);
}

/* -- the request ------------------------------------------------------------------------------- */

static void reply_no_memory(struct request *rq)
{
	struct problem p = { 0 };

	problem_set(&p, 503, "out-of-memory", "hvmd has no memory for the counters");
	reply_problem(rq, &p);
}

static void scrape_answer(struct scrape *s)
{
	struct request *rq;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f) {
		print_daemon(f);
		print_domains(f, s->stats);
		fclose(f);
	}
	scrape = NULL;
	while ((rq = s->requests)) {
		s->requests = rq->next_waiter;
		if (text)
			reply_text(rq, 200, "text/plain; version=0.0.4", text, len);
		else
			reply_no_memory(rq);
		request_resume(rq);
	}
	free(text);
}

static void scrape_put(struct scrape *s)
{
	if (s->waiting)
		return;
	if (s == scrape)
		scrape_answer(s);
	json_decref(s->stats);
	free(s);
}

static void on_stats(struct domain *d, void *arg, json_t *result, const char *code,
		     const char *detail)
{
	struct scrape *s = arg;

	(void)detail;
	if (!code && result)
		json_object_set(s->stats, d->name, result);
	s->waiting--;
	scrape_put(s);
}

/* Once in a while: those who have waited long enough get what is there. */
void api_metrics_tick(void)
{
	if (scrape && scrape->deadline_ms <= uv_now(&hvmd.loop))
		scrape_answer(scrape);
}

/** hvmd ends: answer those who wait; libmicrohttpd wants none suspended. */
void api_metrics_abandon(void)
{
	vm_abandon(on_stats);
}

static void scrape_begin(struct scrape *s)
{
	json_t *none = json_object();

	for (struct domain *d = hvmd.domains; d; d = d->next) {
		if ((d->state == DOM_RUNNING || d->state == DOM_PAUSED) && !vm_waits(d, on_stats) &&
		    !vm_call(d, "stats", none, on_stats, s))
			s->waiting++;
	}
	json_decref(none);
	scrape_put(s);
}

/** GET /metrics */
void api_metrics(struct request *rq, const char *id)
{
	(void)id;
	if (scrape) {
		rq->next_waiter = scrape->requests;
		scrape->requests = rq;
		return;
	}
	scrape = calloc(1, sizeof(*scrape));
	if (!scrape) {
		reply_no_memory(rq);
		return;
	}
	*scrape = (struct scrape){
		.requests = rq,
		.stats = json_object(),
		.deadline_ms = uv_now(&hvmd.loop) + SCRAPE_MS,
	};
	scrape_begin(scrape);
}
