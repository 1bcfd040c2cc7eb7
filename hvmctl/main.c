/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvmctl: hvmd's HTTP API on the command line. This file: options and commands. What it prints on
 * stdout is for programs too: JSON, or columns parted by blanks for list and operations.
 */
#include "client.h"
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_DEFAULT	  "/run/hvm/hvmd.sock"
#define DEFINITION_MAX	  (1u << 20)
#define TIMEOUT_S_MAX	  3600
#define TIMEOUT_S_DEFAULT 60

const char *opt_socket = SOCKET_DEFAULT, *opt_url, *opt_token;
long opt_timeout_s = TIMEOUT_S_DEFAULT;
static bool opt_follow, opt_interactive;

struct command {
	const char *name, *args, *help;
	int min, max; /* arguments */
	int (*run)(const struct command *c, char **args);
};

static int print_json(json_t *j)
{
	int rc = EXIT_DONE;

	if (!j || json_dumpf(j, stdout, JSON_INDENT(2)) || putchar('\n') == EOF) {
		complain(j ? "stdout cannot be written" : "the answer is no JSON");
		rc = j ? EXIT_USAGE : EXIT_UNREACHABLE;
	}
	json_decref(j);
	return rc;
}

static int call_print(const char *method, const char *path, const char *body)
{
	struct answer a;
	int rc = client_call(method, path, body, &a);

	if (rc == EXIT_DONE) {
		rc = print_json(answer_json(&a));
		answer_free(&a);
	}
	return rc;
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s && s[0] ? s : "-";
}

static void list_page(const json_t *j)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(j, "domains"), i, d)
	{
		printf("%-24s %-9s %5lld %10lld  %s\n", text(d, "name"), text(d, "state"),
		       (long long)json_integer_value(json_object_get(d, "vcpus")),
		       (long long)json_integer_value(json_object_get(d, "memory_mib")),
		       text(d, "state_reason"));
	}
}

static int cmd_list(const struct command *c, char **args)
{
	char url[512] = "/v1/domains", after[300];
	const char *next;
	struct answer a;
	json_t *j;
	int rc;

	(void)c;
	(void)args;
	rc = client_call("GET", url, NULL, &a);
	if (rc == EXIT_DONE)
		printf("%-24s %-9s %5s %10s  %s\n", "NAME", "STATE", "VCPUS", "MEMORY_MIB",
		       "REASON");
	while (rc == EXIT_DONE) {
		j = answer_json(&a);
		answer_free(&a);
		list_page(j);
		next = json_string_value(json_object_get(j, "next"));
		snprintf(after, sizeof(after), "%s", next ? next : "");
		json_decref(j);
		if (!after[0])
			break;
		snprintf(url, sizeof(url), "/v1/domains?after=%s",
			 after); /* names need no escape */
		rc = client_call("GET", url, NULL, &a);
	}
	return rc;
}
static int cmd_show(const struct command *c, char **args)
{
	char url[512];
	int rc = domain_url(args[0], "", url, sizeof(url));

	(void)c;
	return rc == EXIT_DONE ? call_print("GET", url, NULL) : rc;
}

static int cmd_host(const struct command *c, char **args)
{
	(void)c;
	(void)args;
	return call_print("GET", "/v1/host", NULL);
}

/* A whole file, or stdin for "-"; NULL with a message. */
static char *read_file(const char *path)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *buf = malloc(DEFINITION_MAX + 1);
	size_t n = f && buf ? fread(buf, 1, DEFINITION_MAX + 1, f) : 0;

	if (!f || !buf || ferror(f)) {
		complain("%s: %m", path);
	} else if (n > DEFINITION_MAX || memchr(buf, 0, n)) {
		complain("%s: %s", path, n > DEFINITION_MAX ? "over 1 MiB" : "not text");
	} else {
		buf[n] = 0;
		if (f != stdin)
			fclose(f);
		return buf;
	}
	if (f && f != stdin)
		fclose(f);
	free(buf);
	return NULL;
}

static int cmd_create(const struct command *c, char **args)
{
	char *body = read_file(args[0]);
	int rc = body ? call_print("POST", "/v1/domains", body) : EXIT_USAGE;

	(void)c;
	free(body);
	return rc;
}

static int cmd_delete(const struct command *c, char **args)
{
	struct answer a;
	char url[512];
	int rc = domain_url(args[0], "", url, sizeof(url));

	(void)c;
	if (rc == EXIT_DONE)
		rc = client_call("DELETE", url, NULL, &a);
	if (rc == EXIT_DONE)
		answer_free(&a);
	return rc;
}

/* An operation as hvmd answered it: done, failed, or still under way. */
static int operation_result(const struct answer *a, const char *what, const char *name)
{
	json_t *j = answer_json(a), *error = json_object_get(j, "error");
	const char *state = text(j, "state");
	int rc = EXIT_DONE;

	if (!strcmp(state, "failed")) {
		complain("%s %s: %s (%s)", what, name, text(error, "detail"), text(error, "code"));
		rc = EXIT_REFUSED;
	} else if (strcmp(state, "succeeded")) {
		complain("%s %s: not done after %ld s; operation %s goes on", what, name,
			 opt_timeout_s, text(j, "id"));
		rc = EXIT_UNDER_WAY;
	}
	json_decref(j);
	return rc;
}

static int cmd_action(const struct command *c, char **args)
{
	struct answer a;
	char url[512], tail[32];
	int rc;

	snprintf(tail, sizeof(tail), "/%s", c->name);
	rc = domain_url(args[0], tail, url, sizeof(url));
	if (rc == EXIT_DONE)
		rc = client_call("POST", url, NULL, &a);
	if (rc == EXIT_DONE) {
		rc = operation_result(&a, c->name, args[0]);
		answer_free(&a);
	}
	return rc;
}

static int cmd_send_key(const struct command *c, char **args)
{
	json_t *keys = json_array(), *j = json_pack("{s:o}", "keys", keys);
	struct answer a;
	char url[512], *body;
	int rc = domain_url(args[0], "/send-key", url, sizeof(url));

	for (int i = 1; args[i]; i++)
		json_array_append_new(keys, json_string(args[i]));
	body = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (rc == EXIT_DONE)
		rc = client_call("POST", url, body, &a);
	if (rc == EXIT_DONE) {
		rc = operation_result(&a, c->name, args[0]);
		answer_free(&a);
	}
	free(body);
	return rc;
}

static int cmd_console(const struct command *c, char **args)
{
	(void)c;
	return opt_interactive ? terminal_attach(args[0]) : console_show(args[0], opt_follow);
}

static int cmd_events(const struct command *c, char **args)
{
	char url[64] = "/v1/events", *end = NULL;

	(void)c;
	if (args[0]) {
		unsigned long long since = strtoull(args[0], &end, 10);

		if (end == args[0] || *end || args[0][0] == '-') {
			complain("\"%s\" is no number of an event", args[0]);
			return EXIT_USAGE;
		}
		snprintf(url, sizeof(url), "/v1/events?since=%llu", since);
	}
	return client_events(url);
}

static int write_file(const char *path, const struct answer *a)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "we") : stdout;
	bool bad = !f || fwrite(a->body, 1, a->len, f) != a->len;

	if (f && (f == stdout ? fflush(f) : fclose(f)))
		bad = true;
	if (bad)
		complain("%s: %m", path);
	return bad ? EXIT_USAGE : EXIT_DONE;
}

static int cmd_screenshot(const struct command *c, char **args)
{
	struct answer a;
	char url[512];
	int rc = domain_url(args[0], "/screenshot", url, sizeof(url));

	(void)c;
	if (rc == EXIT_DONE)
		rc = client_call("GET", url, NULL, &a);
	if (rc == EXIT_DONE) {
		rc = write_file(args[1], &a);
		answer_free(&a);
	}
	return rc;
}

/* clang-format off */
static const struct command commands[] = {
	{ "list",       "",              "the domains, a line each",                  0, 0, cmd_list },
	{ "show",       "DOMAIN",        "definition and state",                      1, 1, cmd_show },
	{ "create",     "FILE|-",        "define a domain from JSON",                 1, 1, cmd_create },
	{ "delete",     "DOMAIN",        "forget a domain; never its images",         1, 1, cmd_delete },
	{ "start",      "DOMAIN",        "start it",                                  1, 1, cmd_action },
	{ "shutdown",   "DOMAIN",        "press the power button",                    1, 1, cmd_action },
	{ "stop",       "DOMAIN",        "pull the plug",                             1, 1, cmd_action },
	{ "reboot",     "DOMAIN",        "type Ctrl-Alt-Del",                         1, 1, cmd_action },
	{ "reset",      "DOMAIN",        "push the reset button",                     1, 1, cmd_action },
	{ "pause",      "DOMAIN",        "let its processors stand still",            1, 1, cmd_action },
	{ "resume",     "DOMAIN",        "let them run again",                        1, 1, cmd_action },
	{ "nmi",        "DOMAIN",        "send a non-maskable interrupt",             1, 1, cmd_action },
	{ "send-key",   "DOMAIN KEY...", "press keys together: ctrl alt delete",      2, 9, cmd_send_key },
	{ "console",    "[-f|-i] DOMAIN", "what it printed; -f: until it ends; -i: its serial port here, Ctrl-] leaves", 1, 1, cmd_console },
	{ "screenshot", "DOMAIN FILE|-", "its screen as PNG",                         2, 2, cmd_screenshot },
	{ "events",     "[SINCE]",       "what happens, a line of JSON each; 0: all",  0, 1, cmd_events },
	{ "host",       "",              "engines, CPU models, memory, limits",       0, 0, cmd_host },
};
/* clang-format on */

static int usage(FILE *to, int rc)
{
	fputs("usage: hvmctl [--socket PATH | --url URL [--token-file PATH | --token TOKEN]]\n"
	      "              [--timeout SECONDS] COMMAND\n\n",
	      to);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  %-10s %-15s %s\n", commands[i].name, commands[i].args,
			commands[i].help);
	fputs("\nHVM_SOCKET, HVM_URL and HVM_TOKEN stand for the options; without any of them it is\n" SOCKET_DEFAULT
	      ". --timeout: how long an action may take (60).\n"
	      "Exit status: 0 done, 1 refused or failed, 2 wrong usage or a local file, 3 hvmd does\n"
	      "not answer, 4 not done within the timeout.\n",
	      to);
	return rc;
}

/* The token of a file, without the line end; kept until the end. */
static const char *token_of(const char *path)
{
	char *s = read_file(path);

	if (s)
		s[strcspn(s, "\r\n")] = 0;
	return s;
}

static const char *environment(const char *name)
{
	const char *s = getenv(name);

	return s && s[0] ? s : NULL;
}

static bool set_timeout(const char *arg)
{
	char *end = NULL;

	opt_timeout_s = strtol(arg, &end, 10);
	if (end != arg && !*end && opt_timeout_s >= 0 && opt_timeout_s <= TIMEOUT_S_MAX)
		return true;
	complain("--timeout %s: it must be 0 to %d", arg, TIMEOUT_S_MAX);
	return false;
}

/* -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "socket", 1, NULL, 's' },
		{ "url", 1, NULL, 'u' },
		{ "token", 1, NULL, 't' },
		{ "token-file", 1, NULL, 'T' },
		{ "timeout", 1, NULL, 'w' },
		{ "follow", 0, NULL, 'f' },
		{ "interactive", 0, NULL, 'i' },
		{ "help", 0, NULL, 'h' },
		{ 0 },
	};
	const char *path = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "fhi", longs, NULL)) != -1) {
		if (c == 's')
			opt_socket = optarg, opt_url = NULL;
		else if (c == 'u')
			opt_url = optarg;
		else if (c == 't')
			opt_token = optarg;
		else if (c == 'T')
			path = optarg;
		else if (c == 'f')
			opt_follow = true;
		else if (c == 'i')
			opt_interactive = true;
		else if (c == 'h')
			return usage(stdout, EXIT_DONE);
		else if (c != 'w' || !set_timeout(optarg))
			return c == 'w' ? EXIT_USAGE : usage(stderr, EXIT_USAGE);
	}
	if (path && !(opt_token = token_of(path)))
		return EXIT_USAGE;
	return -1;
}

int main(int argc, char **argv)
{
	int rc, n;

	opt_url = environment("HVM_URL");
	opt_token = environment("HVM_TOKEN");
	if (environment("HVM_SOCKET"))
		opt_socket = environment("HVM_SOCKET");
	rc = parse_options(argc, argv);
	if (rc >= 0)
		return rc;
	n = argc - optind - 1;
	if (n < 0)
		return usage(stderr, EXIT_USAGE);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, argv[optind]))
			continue;
		if (n < c->min || n > c->max ||
		    ((opt_follow || opt_interactive) && c->run != cmd_console) ||
		    (opt_follow && opt_interactive)) {
			fprintf(stderr, "usage: hvmctl %s %s\n", c->name, c->args);
			return EXIT_USAGE;
		}
		curl_global_init(CURL_GLOBAL_DEFAULT);
		rc = c->run(c, argv + optind + 1);
		curl_global_cleanup();
		return rc;
	}
	complain("there is no command \"%s\"", argv[optind]);
	return usage(stderr, EXIT_USAGE);
}
