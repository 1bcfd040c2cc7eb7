/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /v1/events: what happened, as server-sent events, from a number on and then as it comes. A
 * stream reads the database row by row, so it costs no memory however far behind it is; when there
 * is no more, its connection is suspended until events_wake().
 * Source: WHATWG HTML, 9.2 "Server-sent events".
 */
#include "http/http.h"
#include "hvmd.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX 32
#define QUIET_MS    15000 /* a comment after that: a client that is gone is noticed */
#define BLOCK_BYTES 4096

struct stream {
	struct stream *next;
	struct MHD_Connection *conn;
	bool tcp, suspended, quiet;
	int64_t seq; /* the last that was sent */
	char *text;  /* what is being sent */
	size_t len, at;
	uint64_t sent_ms;
};

static struct stream *streams;

/* The next thing to send; none leaves text empty. */
static void stream_refill(struct stream *s)
{
	json_t *j = store_event_after(hvmd.db, s->seq, &s->seq);
	char *data = j ? json_dumps(j, JSON_COMPACT) : NULL;
	int n = -1;

	free(s->text);
	s->text = NULL;
	s->len = s->at = 0;
	if (data)
		n = asprintf(&s->text, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)s->seq,
			     json_string_value(json_object_get(j, "kind")), data);
	else if (s->quiet)
		n = asprintf(&s->text, ": nothing new\n\n");
	if (n < 0)
		s->text = NULL;
	s->len = n < 0 ? 0 : (size_t)n;
	s->quiet = false;
	free(data);
	json_decref(j);
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = cls;
	size_t n;

	(void)pos;
	if (hvmd.quitting)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (s->at == s->len)
		stream_refill(s);
	if (s->at == s->len) {
		s->suspended = true;
		MHD_suspend_connection(s->conn);
		return 0;
	}
	n = s->len - s->at < max ? s->len - s->at : max;
	memcpy(buf, s->text + s->at, n);
	s->at += n;
	s->sent_ms = uv_now(&hvmd.loop);
	return (ssize_t)n;
}

static void stream_free(void *cls)
{
	struct stream *s = cls, **pp = &streams;

	while (*pp != s)
		pp = &(*pp)->next;
	*pp = s->next;
	free(s->text);
	free(s);
}

static void stream_wake(struct stream *s)
{
	if (!s->suspended)
		return;
	s->suspended = false;
	MHD_resume_connection(s->conn);
	http_kick(s->tcp);
}

/** There are new events, or hvmd ends. */
void events_wake(void)
{
	for (struct stream *s = streams; s; s = s->next)
		stream_wake(s);
}

/** Does anybody listen? */
bool events_open(void)
{
	return streams != NULL;
}

/** Now and then: a word to those who have heard nothing for long. */
void events_tick(void)
{
	for (struct stream *s = streams; s; s = s->next) {
		if (s->suspended && uv_now(&hvmd.loop) - s->sent_ms >= QUIET_MS) {
			s->quiet = true;
			stream_wake(s);
		}
	}
}

/* Where to begin: after ?since= or Last-Event-ID, else with what comes. */
static int64_t since(struct request *rq, struct problem *p)
{
	const char *q = request_query(rq, "since"), *name = "since";
	int64_t first, last;
	char *end = NULL;
	long long n;

	store_events_range(hvmd.db, &first, &last);
	if (!q) {
		q = request_header(rq, "Last-Event-ID");
		name = "Last-Event-ID";
	}
	if (!q)
		return last;
	n = strtoll(q, &end, 10);
	if (end == q || *end || n < 0 || n > last)
		problem_set(p, 422, "out-of-range", "%s is \"%.32s\"; it must be 0 to %lld", name,
			    q, (long long)last);
	else if (n && n < first - 1)
		problem_set(p, 410, "events-forgotten",
			    "the events after %lld are no longer kept; the oldest is %lld", n,
			    (long long)first);
	return n;
}

/* A stream that goes on after seq, with the response that reads it; -1 when there is no memory. */
static int stream_create(struct request *rq, int64_t seq)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	s->conn = rq->conn;
	s->tcp = rq->tcp;
	s->seq = seq;
	s->text = strdup("retry: 1000\n\n");
	s->len = s->text ? strlen(s->text) : 0;
	s->sent_ms = uv_now(&hvmd.loop);
	rq->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, stream_read,
							 s, stream_free);
	if (!rq->response) {
		free(s->text);
		free(s);
		return -1;
	}
	rq->status = 200;
	s->next = streams;
	streams = s;
	return 0;
}

/** GET /v1/events?since= */
void api_events(struct request *rq, const char *id)
{
	struct problem p = { 0 };
	int64_t seq = since(rq, &p);
	unsigned n = 0;

	(void)id;
	for (const struct stream *s = streams; s; s = s->next)
		n++;
	if (n >= STREAMS_MAX)
		problem_set(&p, 503, "too-many-streams", "%u streams of events are open", n);
	if (!p.status && stream_create(rq, seq))
		problem_set(&p, 503, "out-of-memory", "hvmd has no memory for a stream");
	if (p.status) {
		reply_problem(rq, &p);
		return;
	}
	reply_header(rq, "Content-Type", "text/event-stream");
	reply_header(rq, "X-Content-Type-Options", "nosniff");
	reply_header(rq, "Cache-Control", "no-store");
}
