/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - hvm-ioemu: arguments, the run folder's files, the ready line.
 * Owns nothing. Source: docs/ioemu-protocol.md "Start".
 */
#include "log.h"
#include "runtime.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sanitizers trace the process at its end, which the sandbox forbids. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_DEFAULT false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_DEFAULT false
#endif
#endif
#ifndef SANDBOX_DEFAULT
#define SANDBOX_DEFAULT true
#endif

struct arguments {
	const char *dir;
	int ready_fd;
	bool sandbox;
};

static void usage(FILE *to)
{
	fputs("usage: hvm-ioemu --dir RUNDIR [--ready-fd N] [--debug] [--no-sandbox]\n"
	      "Serves one domain, described by RUNDIR/config.json.\n",
	      to);
}

/* Returns -1 to go on, or the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "debug", no_argument, NULL, 'v' },
		{ "no-sandbox", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'd': ret->dir = optarg; break;
		case 'r':
			ret->ready_fd = (int)strtol(optarg, &end, 10);
			if (*end || end == optarg || ret->ready_fd < 0) {
				fprintf(stderr, "--ready-fd: %s is no descriptor\n", optarg);
				return 2;
			}
			break;
		case 'v': log_set_level(LOG_LEVEL_DEBUG); break;
		case 'n': ret->sandbox = false; break;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	}
	if (!ret->dir || optind != argc) {
		usage(stderr);
		return 2;
	}
	return -1;
}

/* One JSON line on the ready descriptor; takes @line. */
static void say_ready(int fd, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(line);
	if (fd < 0 || !text) {
		free(text);
		return;
	}
	if (dprintf(fd, "%s\n", text) < 0)
		log_warn("ready line: %s", strerror(errno));
	close(fd);
	free(text);
}

static int write_pid(const char *dir, struct ioemu_error *err)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/exit.json", dir);
	unlink(path); /* of an earlier run */
	snprintf(path, sizeof(path), "%s/pid", dir);
	f = fopen(path, "we");
	if (!f)
		return ioemu_error_set(err, "run-folder-unusable", "%s: %s", path, strerror(errno));
	fprintf(f, "%d\n", (int)getpid());
	if (fclose(f) != 0)
		return ioemu_error_set(err, "run-folder-unusable", "%s: %s", path, strerror(errno));
	return 0;
}

static int start(struct runtime *r, const struct arguments *args, struct ioemu_error *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/config.json", args->dir);
	if (write_pid(args->dir, err) < 0 || config_load(path, &r->cfg, err) < 0)
		return -1;
	if (runtime_start(r, err) < 0)
		return -1;
	if (args->sandbox && sandbox_enter() < 0)
		return ioemu_error_set(err, "sandbox-failed", "sandbox: %s", strerror(errno));
	runtime_run(r);
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments args = { .ready_fd = -1, .sandbox = SANDBOX_DEFAULT };
	struct runtime *r = calloc(1, sizeof(*r));
	struct ioemu_error err;
	enum runtime_end end;
	int status = parse_arguments(argc, argv, &args);

	if (status >= 0 || !r) {
		free(r);
		return status < 0 ? 1 : status;
	}
	/* One heap for all threads: an idle domain must stay small. */
	mallopt(M_ARENA_MAX, 1);
	if (args.ready_fd >= 0)
		fcntl(args.ready_fd, F_SETFD, FD_CLOEXEC);
	r->dir = args.dir;
	if (start(r, &args, &err) < 0) {
		log_error("%s: %s", err.code, err.detail);
		say_ready(args.ready_fd, json_pack("{s:b, s:s, s:s}", "ready", 0, "code", err.code,
						   "detail", err.detail));
		runtime_fini(r);
		free(r);
		return 1;
	}
	log_info("domain %s runs, engine %s", r->cfg.name, hvm_domain_engine_name(r->domain));
	say_ready(args.ready_fd,
		  json_pack("{s:b, s:s}", "ready", 1, "engine", hvm_domain_engine_name(r->domain)));
	end = runtime_loop(r);
	runtime_fini(r);
	free(r);
	return end == RUNTIME_END_ERROR ? 1 : 0;
}
