/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvmd: keeps definitions, starts and watches ioemu processes, answers the HTTP API. This file:
 * options, the state folder (one daemon at a time, by a lock), start and end.
 */
#include "http/http.h"
#include "hvmd.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUN_PATH_MAX 108

struct hvmd hvmd;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	fputs("hvmd: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void usage(FILE *to)
{
	fputs("usage: hvmd --state DIR [--socket PATH] [--listen 127.0.0.1:PORT] [--ioemu PATH]\n"
	      "            [--hvmloader PATH] [--bios PATH] [--vgabios PATH]\n"
	      "            [--storage-root DIR]... [--stop-domains]\n"
	      "       hvmd --routes | --version\n",
	      to);
}

static void set_path(char *to, const char *from)
{
	if (snprintf(to, HVMD_PATH_MAX, "%s", from) >= HVMD_PATH_MAX)
		die("path too long: %.80s...", from);
}

static void set_listen(const char *arg)
{
	static const char host[] = "127.0.0.1:";
	char *end = NULL;
	long port;

	if (strncmp(arg, host, sizeof(host) - 1))
		die("--listen %s: only 127.0.0.1:PORT is taken", arg);
	port = strtol(arg + sizeof(host) - 1, &end, 10);
	if (*end || port < 1 || port > 65535)
		die("--listen %s: the port must be 1 to 65535", arg);
	hvmd.listen_port = (int)port;
}

static void add_root(const char *dir)
{
	if (hvmd.nr_roots == ROOTS_MAX)
		die("--storage-root: at most %d are taken", ROOTS_MAX);
	hvmd.roots[hvmd.nr_roots] = realpath(dir, NULL);
	if (!hvmd.roots[hvmd.nr_roots])
		die("--storage-root %s: %s", dir, strerror(errno));
	hvmd.nr_roots++;
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "state", 1, NULL, 's' },
		{ "socket", 1, NULL, 'u' },
		{ "listen", 1, NULL, 'l' },
		{ "ioemu", 1, NULL, 'i' },
		{ "hvmloader", 1, NULL, 'h' },
		{ "bios", 1, NULL, 'b' },
		{ "vgabios", 1, NULL, 'v' },
		{ "storage-root", 1, NULL, 'r' },
		{ "stop-domains", 0, NULL, 'x' },
		{ "help", 0, NULL, '?' },
		{ "version", 0, NULL, 'V' },
		{ "routes", 0, NULL, 'R' },
		{ 0 },
	};
	char *const targets[128] = {
		['s'] = hvmd.state_dir, ['u'] = hvmd.socket_path, ['i'] = hvmd.ioemu,
		['h'] = hvmd.hvmloader, ['b'] = hvmd.bios,	  ['v'] = hvmd.vgabios
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c > 0 && c < 128 && targets[c]) {
			set_path(targets[c], optarg);
		} else if (c == 'l') {
			set_listen(optarg);
		} else if (c == 'r') {
			add_root(optarg);
		} else if (c == 'x') {
			hvmd.stop_domains = true;
		} else if (c == 'V') {
			puts("hvmd " HVMD_VERSION);
			exit(0);
		} else if (c == 'R') {
			routes_print(stdout);
			exit(0);
		} else {
			usage(optopt ? stderr : stdout);
			exit(optopt ? 2 : 0);
		}
	}
	if (optind != argc || !hvmd.state_dir[0]) {
		usage(stderr);
		exit(2);
	}
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		die("%s: %s", path, strerror(errno));
}

/* The state folder, its lock (held until the process ends), and default paths. */
static void prepare_state(void)
{
	char path[HVMD_PATH_MAX + 64], *real;
	int fd;

	make_dir(hvmd.state_dir);
	real = realpath(hvmd.state_dir, NULL);
	if (!real)
		die("%s: %s", hvmd.state_dir, strerror(errno));
	set_path(hvmd.state_dir, real);
	free(real);
	if (strlen(hvmd.state_dir) + strlen("/run//control.sock") + UUID_LEN > SUN_PATH_MAX)
		die("--state %s: too long a path for Unix sockets inside it", hvmd.state_dir);
	snprintf(path, sizeof(path), "%s/lock", hvmd.state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB))
		die("%s: another hvmd serves this state folder", hvmd.state_dir);
	snprintf(path, sizeof(path), "%s/run", hvmd.state_dir);
	make_dir(path);
	snprintf(path, sizeof(path), "%s/images", hvmd.state_dir);
	make_dir(path);
	add_root(path);
	if (!hvmd.socket_path[0]) {
		snprintf(path, sizeof(path), "%s/hvmd.sock", hvmd.state_dir);
		set_path(hvmd.socket_path, path);
	}
	if (strlen(hvmd.socket_path) >= SUN_PATH_MAX)
		die("--socket %s: too long for a Unix socket", hvmd.socket_path);
}

static void resolve(char *path, const char *fallback)
{
	char *real;

	if (!path[0])
		set_path(path, fallback);
	real = realpath(path, NULL);
	if (real)
		set_path(path, real);
	else
		fprintf(stderr, "hvmd: %s: %s\n", path, strerror(errno));
	free(real);
}

/* The bearer token for TCP: made once, readable by the owner alone. */
static void load_token(void)
{
	char path[HVMD_PATH_MAX + 16];
	uint8_t raw[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/token", hvmd.state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		n = read(fd, hvmd.token, sizeof(hvmd.token) - 1);
		close(fd);
		if (n != (ssize_t)sizeof(hvmd.token) - 1)
			die("%s: not a token; remove it to get a new one", path);
		return;
	}
	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		die("no random numbers: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(hvmd.token + 2 * i, 3, "%02x", raw[i]);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	n = fd < 0 ? -1 : write(fd, hvmd.token, sizeof(hvmd.token) - 1);
	if (n != (ssize_t)sizeof(hvmd.token) - 1 || close(fd))
		die("%s: %s", path, strerror(errno));
}

/* Read the domains and look for the ioemu of each that was active. */
static void load_domains(void)
{
	if (store_domains_load(hvmd.db, &hvmd.domains))
		die("the domains in %s/hvm.db cannot be read", hvmd.state_dir);
	for (struct domain *d = hvmd.domains; d; d = d->next) {
		if (domain_active(d))
			vm_adopt(d);
	}
}

static void on_adopt_timeout(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

/* Let adoption settle before the first request, but not for ever: an ioemu may be frozen. */
static void settle(void)
{
	static uv_timer_t timer;
	static bool late;

	uv_timer_init(&hvmd.loop, &timer);
	timer.data = &late;
	uv_timer_start(&timer, on_adopt_timeout, 3000, 0);
	while (hvmd.adopting && !late)
		uv_run(&hvmd.loop, UV_RUN_ONCE);
	uv_timer_stop(&timer);
	for (struct domain *d = hvmd.domains; d; d = d->next) {
		if (!d->vm && d->op[0])
			domain_op_finish(d, "interrupted", "hvmd was restarted");
	}
}

static void on_signal(uv_signal_t *s, int num)
{
	(void)num;
	uv_stop(s->loop);
}

/* --stop-domains: ask every ioemu to stop, wait a little, then use force. */
static void stop_domains(void)
{
	static const struct idem no_key;
	struct op_request r = { .action = "stop", .params = json_object(), .idem = &no_key };
	struct problem p = { 0 };
	bool any = true;

	for (struct domain *d = hvmd.domains; d; d = d->next) {
		if (!d->op[0] && (d->state == DOM_RUNNING || d->state == DOM_PAUSED) &&
		    !domain_act(d, &r, &p))
			problem_clear(&p);
	}
	json_decref(r.params);
	while (any) {
		any = false;
		for (struct domain *d = hvmd.domains; d; d = d->next)
			any |= d->state == DOM_STOPPING;
		if (any)
			uv_run(&hvmd.loop, UV_RUN_ONCE);
	}
}

int main(int argc, char **argv)
{
	static uv_signal_t term, intr;
	char path[HVMD_PATH_MAX + 16], err[512] = "";

	signal(SIGPIPE, SIG_IGN);
	umask(0077);
	parse_options(argc, argv);
	prepare_state();
	resolve(hvmd.ioemu, "/usr/libexec/hvm/hvm-ioemu");
	resolve(hvmd.hvmloader, "/usr/share/hvm/hvmloader.bin");
	resolve(hvmd.bios, "/usr/share/seabios/bios-256k.bin");
	resolve(hvmd.vgabios, "/usr/share/seabios/vgabios-stdvga.bin");
	snprintf(path, sizeof(path), "%s/hvm.db", hvmd.state_dir);
	if (db_open(path, &hvmd.db, err, sizeof(err)))
		die("%s", err);
	if (hvmd.listen_port)
		load_token();
	if (uv_loop_init(&hvmd.loop))
		die("no event loop");
	hvmd.started_ms = uv_now(&hvmd.loop);
	load_domains();
	settle();
	if (http_start())
		die("cannot serve %s", hvmd.socket_path);
	uv_signal_init(&hvmd.loop, &term);
	uv_signal_start(&term, on_signal, SIGTERM);
	uv_signal_init(&hvmd.loop, &intr);
	uv_signal_start(&intr, on_signal, SIGINT);
	fprintf(stderr, "hvmd: serving %s\n", hvmd.socket_path);
	uv_run(&hvmd.loop, UV_RUN_DEFAULT);
	http_stop();
	if (hvmd.stop_domains)
		stop_domains();
	sqlite3_close(hvmd.db);
	return 0;
}
