/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ioemu processes: spawning them in a session of their own (they outlive hvmd), the client of
 * their control socket (docs/ioemu-protocol.md), and finding them again after a restart.
 *
 * A struct vm is one run of one domain. It is freed when the last of its libuv handles is closed;
 * vm->d is NULL from the moment the run has ended. What ioemu sends is not trusted: lines are
 * bounded and fields are checked.
 */
#include "domain/domain.h"
#include "hvmd.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64u << 10)
#define RETRY_MS       200
#define CALLS_MAX      16
#define CALL_MS	       10000 /* an ioemu that takes longer is frozen */

struct call {
	json_int_t id; /* 0: free */
	vm_reply_fn fn;
	void *arg;
	uint64_t deadline_ms;
};

struct line_buf {
	char data[LINE_MAX_BYTES];
	size_t len;
};

struct vm {
	struct domain *d;
	unsigned handles; /* open libuv handles that point here */
	uv_process_t proc;
	uv_pipe_t ready, control;
	uv_timer_t timer, killer, patience;
	uv_connect_t connect;
	bool child, control_open, connected, adopting, ready_seen, retry;
	int pidfd;
	json_int_t next_id;
	struct call calls[CALLS_MAX];
	struct line_buf in_ready, in_control;
};

static void try_connect(struct vm *vm);

static void on_closed(uv_handle_t *h)
{
	struct vm *vm = h->data;

	if (--vm->handles == 0) {
		if (vm->pidfd >= 0)
			close(vm->pidfd);
		free(vm);
	}
}

static void close_handle(uv_handle_t *h)
{
	if (h->data && !uv_is_closing(h))
		uv_close(h, on_closed);
}

static void own(struct vm *vm, void *h)
{
	((uv_handle_t *)h)->data = vm;
	vm->handles++;
}

static struct vm *vm_new(struct domain *d)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	vm->d = d;
	vm->pidfd = -1;
	vm->next_id = 1;
	uv_timer_init(&hvmd.loop, &vm->timer);
	own(vm, &vm->timer);
	uv_timer_init(&hvmd.loop, &vm->killer);
	own(vm, &vm->killer);
	uv_timer_init(&hvmd.loop, &vm->patience);
	own(vm, &vm->patience);
	d->vm = vm;
	return vm;
}

static void adoption_settled(struct vm *vm)
{
	if (vm->adopting) {
		vm->adopting = false;
		hvmd.adopting--;
	}
}

/* Let go of the run: no callback reaches the domain after this. */
static void vm_drop(struct vm *vm)
{
	adoption_settled(vm);
	vm->d->vm = NULL;
	vm->d = NULL;
	close_handle((uv_handle_t *)&vm->proc);
	close_handle((uv_handle_t *)&vm->ready);
	close_handle((uv_handle_t *)&vm->control);
	close_handle((uv_handle_t *)&vm->timer);
	close_handle((uv_handle_t *)&vm->killer);
	close_handle((uv_handle_t *)&vm->patience);
}

static void vm_ended(struct vm *vm, int status, int sig)
{
	struct domain *d = vm->d;

	if (!d)
		return;
	vm_drop(vm);
	domain_ended(d, status, sig);
}

static void alloc_line(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct vm *vm = h->data;
	struct line_buf *in = h == (uv_handle_t *)&vm->ready ? &vm->in_ready : &vm->in_control;

	(void)hint;
	*buf = uv_buf_init(in->data + in->len, (unsigned)(sizeof(in->data) - in->len));
}

/* The next whole line as JSON; NULL when there is none. Lines that are not JSON are skipped. */
static json_t *next_line(struct line_buf *in)
{
	char *end;

	while ((end = memchr(in->data, '\n', in->len))) {
		size_t used = (size_t)(end - in->data) + 1;
		json_t *j = json_loadb(in->data, used - 1, JSON_REJECT_DUPLICATES, NULL);

		in->len -= used;
		memmove(in->data, in->data + used, in->len);
		if (j)
			return j;
	}
	return NULL;
}

static const char *get_str(const json_t *j, const char *key, const char *fallback)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : fallback;
}

static void on_line(struct vm *vm, json_t *j)
{
	const char *event = get_str(j, "event", NULL), *state = get_str(j, "state", "");
	json_int_t id = json_integer_value(json_object_get(j, "id"));
	json_t *error = json_object_get(j, "error");
	struct domain *d = vm->d;

	if (event && !strcmp(event, "state") && !d->op[0]) {
		if (!strcmp(state, "paused") && d->state == DOM_RUNNING)
			domain_set_state(d, DOM_PAUSED, "%s", "");
		else if (!strcmp(state, "running") && d->state == DOM_PAUSED)
			domain_set_state(d, DOM_RUNNING, "%s", "");
	} else if (event && !strcmp(event, "disk-error")) {
		domain_set_error(d, "disk-error", "disk %.64s: %.64s: %.128s",
				 get_str(j, "disk", "?"), get_str(j, "operation", "?"),
				 get_str(j, "detail", "?"));
	}
	for (int i = 0; !event && id > 0 && i < CALLS_MAX; i++) {
		struct call c = vm->calls[i];

		if (c.id != id)
			continue;
		vm->calls[i].id = 0;
		c.fn(d, c.arg, json_object_get(j, "result"),
		     error ? get_str(error, "code", "ioemu-error") : NULL,
		     error ? get_str(error, "detail", "") : NULL);
		break;
	}
}

/* Every call that still waits fails. */
static void fail_calls(struct vm *vm)
{
	for (int i = 0; i < CALLS_MAX && vm->d; i++) {
		struct call c = vm->calls[i];

		vm->calls[i].id = 0;
		if (c.id && c.fn)
			c.fn(vm->d, c.arg, NULL, "ioemu-unreachable",
			     "ioemu closed its control socket");
	}
}

/* Fail the calls whose time is over; look again when the next one's is. */
static void on_patience(uv_timer_t *t)
{
	struct vm *vm = t->data;
	uint64_t now = uv_now(&hvmd.loop), next = UINT64_MAX;

	for (int i = 0; i < CALLS_MAX && vm->d; i++) {
		struct call c = vm->calls[i];

		if (c.id && c.deadline_ms <= now) {
			vm->calls[i].id = 0;
			c.fn(vm->d, c.arg, NULL, "ioemu-timeout",
			     "ioemu did not answer within 10 s");
		} else if (c.id && c.deadline_ms < next) {
			next = c.deadline_ms;
		}
	}
	if (vm->d && next != UINT64_MAX)
		uv_timer_start(t, on_patience, next - now, 0);
}

/** Does a call with fn wait? */
bool vm_waits(const struct domain *d, vm_reply_fn fn)
{
	for (int i = 0; d->vm && i < CALLS_MAX; i++) {
		if (d->vm->calls[i].id && d->vm->calls[i].fn == fn)
			return true;
	}
	return false;
}

static void abandon_calls(struct domain *d, vm_reply_fn fn)
{
	for (int i = 0; d->vm && i < CALLS_MAX; i++) {
		struct call c = d->vm->calls[i];

		if (!c.id || c.fn != fn)
			continue;
		d->vm->calls[i].id = 0;
		c.fn(d, c.arg, NULL, "ioemu-unreachable", "hvmd ends");
	}
}

/** Fail all domains' calls that wait with fn; the others are left as they are. */
void vm_abandon(vm_reply_fn fn)
{
	for (struct domain *d = hvmd.domains; d; d = d->next)
		abandon_calls(d, fn);
}

static void on_retry(uv_timer_t *t)
{
	struct vm *vm = t->data;

	if (vm->d)
		try_connect(vm);
}

static void on_control_closed(uv_handle_t *h)
{
	struct vm *vm = h->data;

	vm->control_open = false;
	h->data = NULL;
	if (vm->d && vm->retry)
		uv_timer_start(&vm->timer, on_retry, RETRY_MS, 0);
	if (--vm->handles == 0) {
		if (vm->pidfd >= 0)
			close(vm->pidfd);
		free(vm);
	}
}

/* The connection is gone or never came. A child's end is told by its exit, another's found here. */
static void control_lost(struct vm *vm)
{
	vm->connected = false;
	if (!vm->d)
		return;
	fail_calls(vm);
	if (!vm->d)
		return;
	if (!vm->child && !vm_alive(vm->d)) {
		vm_ended(vm, -1, 0);
		return;
	}
	vm->retry = true;
	if (vm->control_open && !uv_is_closing((uv_handle_t *)&vm->control))
		uv_close((uv_handle_t *)&vm->control, on_control_closed);
}

static void on_control(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct vm *vm = s->data;
	json_t *j;

	(void)buf;
	if (n > 0) {
		vm->in_control.len += (size_t)n;
		while (vm->d && (j = next_line(&vm->in_control))) {
			on_line(vm, j);
			json_decref(j);
		}
		if (vm->in_control.len < sizeof(vm->in_control.data))
			return;
		fprintf(stderr, "hvmd: ioemu sent a line over 64 KiB\n");
	}
	if (n)
		control_lost(vm);
}

static void on_written(uv_write_t *w, int status)
{
	(void)status; /* a failure also ends the reading side */
	free(w->data);
	free(w);
}

/** Send a request; fn hears the answer, or after CALL_MS that there is none. -1: not connected. */
int vm_call(struct domain *d, const char *method, json_t *params, vm_reply_fn fn, void *arg)
{
	struct vm *vm = d->vm;
	json_t *j;
	char *text;
	uv_write_t *w;
	uv_buf_t buf;
	int i = 0;

	while (vm && i < CALLS_MAX && vm->calls[i].id)
		i++;
	if (!vm || !vm->connected || i == CALLS_MAX)
		return -1;
	j = json_pack("{s:I, s:s, s:O}", "id", vm->next_id, "method", method, "params", params);
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	w = calloc(1, sizeof(*w));
	if (!text || !w || strlen(text) + 1 > LINE_MAX_BYTES) {
		free(text);
		free(w);
		return -1;
	}
	vm->calls[i] = (struct call){ vm->next_id++, fn, arg, uv_now(&hvmd.loop) + CALL_MS };
	if (!uv_is_active((uv_handle_t *)&vm->patience))
		uv_timer_start(&vm->patience, on_patience, CALL_MS, 0);
	w->data = text;
	buf = uv_buf_init(text, (unsigned)strlen(text) + 1);
	text[buf.len - 1] = '\n'; /* in place of the NUL */
	if (uv_write(w, (uv_stream_t *)&vm->control, &buf, 1, on_written)) {
		free(text);
		free(w);
		vm->calls[i].id = 0;
		return -1;
	}
	return 0;
}

static void on_status(struct domain *d, void *arg, json_t *result, const char *code,
		      const char *detail)
{
	const char *state = get_str(result, "state", "running");
	struct vm *vm = d->vm;

	(void)arg;
	if (code && vm && !strcmp(code, "ioemu-timeout")) {
		/* frozen: what it was doing is not known, but its state will be told by an event */
		if (!vm->child)
			domain_op_finish(d, code, detail);
		adoption_settled(vm);
	}
	if (code || !vm)
		return;
	snprintf(d->engine, sizeof(d->engine), "%s", get_str(result, "engine", d->engine));
	if (d->state != DOM_STOPPING)
		domain_set_state(d, !strcmp(state, "paused") ? DOM_PAUSED : DOM_RUNNING, "%s", "");
	else
		vm_kill_after(d, 0); /* a stop was under way when hvmd ended: carry it out */
	if (vm->adopting || (!vm->child && d->op[0]))
		domain_op_finish(d, NULL, NULL);
	adoption_settled(vm);
}

static void on_connect(uv_connect_t *c, int status)
{
	struct vm *vm = c->data;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	json_t *none;
	int fd;

	if (status == UV_ECANCELED || !vm->d)
		return;
	if (status) {
		control_lost(vm);
		return;
	}
	vm->connected = true;
	vm->in_control.len = 0;
	/* The pid of who really listens, as a descriptor: it cannot be confused with a later one.
	 */
	if (vm->pidfd < 0 && !uv_fileno((uv_handle_t *)&vm->control, &fd) &&
	    !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) && cred.pid > 0) {
		vm->d->pid = cred.pid;
		vm->pidfd = (int)syscall(SYS_pidfd_open, cred.pid, 0);
	}
	uv_read_start((uv_stream_t *)&vm->control, alloc_line, on_control);
	if (!vm->child) {
		none = json_object();
		vm_call(vm->d, "status", none, on_status, NULL);
		json_decref(none);
	}
}

static void try_connect(struct vm *vm)
{
	char path[HVMD_PATH_MAX + 64];

	rundir_path(vm->d, "control.sock", path, sizeof(path));
	vm->retry = false;
	uv_pipe_init(&hvmd.loop, &vm->control, 0);
	own(vm, &vm->control);
	vm->control_open = true;
	vm->connect.data = vm;
	uv_pipe_connect(&vm->connect, &vm->control, path, on_connect);
}

static void start_failed(struct vm *vm, const char *code, const char *detail)
{
	struct domain *d = vm->d;

	/* ioemu ends by itself after this line; its handle stays until it was reaped */
	domain_set_state(d, DOM_STOPPED, "start failed: %s", detail);
	domain_op_finish(d, code, detail);
}

static void on_ready(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct vm *vm = s->data;
	json_t *j;

	(void)buf;
	if (n == 0 || !vm->d)
		return;
	if (n > 0)
		vm->in_ready.len += (size_t)n;
	j = next_line(&vm->in_ready);
	if (j && json_is_true(json_object_get(j, "ready"))) {
		snprintf(vm->d->engine, sizeof(vm->d->engine), "%s", get_str(j, "engine", ""));
		try_connect(vm);
		domain_set_state(vm->d, DOM_RUNNING, "%s", "");
		domain_op_finish(vm->d, NULL, NULL);
	} else if (j) {
		start_failed(vm, get_str(j, "code", "start-failed"), get_str(j, "detail", ""));
	} else if (n > 0 && vm->in_ready.len < sizeof(vm->in_ready.data)) {
		return; /* not a whole line yet */
	}
	json_decref(j);
	/* EOF without a line: its exit says the rest */
	close_handle((uv_handle_t *)&vm->ready);
}

static void on_exit_cb(uv_process_t *proc, int64_t status, int sig)
{
	struct vm *vm = proc->data;

	if (!vm->d)
		return;
	fail_calls(vm);
	if (!vm->d)
		return;
	if (vm->d->state == DOM_STOPPED) /* its start had failed and was reported */
		vm_drop(vm);
	else
		vm_ended(vm, (int)status, sig);
}

/* Make the run folder and write config.json so that a crash leaves the old or the new one. */
static int prepare(struct domain *d, json_t *config, struct problem *p)
{
	static const char *const stale[] = { "exit.json", "control.sock", "console.sock", "pid",
					     "perf.map" };
	char path[HVMD_PATH_MAX + 64], tmp[HVMD_PATH_MAX + 64];

	rundir_path(d, "", path, sizeof(path));
	if (mkdir(path, 0700) && errno != EEXIST) {
		problem_set(p, 500, "run-folder-failed", "%s: %s", path, strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
		rundir_path(d, stale[i], path, sizeof(path));
		unlink(path);
	}
	rundir_path(d, "config.json", path, sizeof(path));
	rundir_path(d, "config.json.new", tmp, sizeof(tmp));
	if (json_dump_file(config, tmp, JSON_INDENT(2)) || rename(tmp, path)) {
		problem_set(p, 500, "run-folder-failed", "%s: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

/** Start ioemu for a domain; the answer comes over the ready pipe. -1 with the problem. */
int vm_spawn(struct domain *d, json_t *config, struct problem *p)
{
	char dir[HVMD_PATH_MAX + 64], log[HVMD_PATH_MAX + 64];
	char *args[] = {
		hvmd.ioemu, (char *)"--dir", dir, (char *)"--ready-fd", (char *)"3", NULL
	};
	uv_stdio_container_t io[4] = { { .flags = UV_IGNORE },
				       { .flags = UV_INHERIT_FD },
				       { .flags = UV_INHERIT_FD },
				       { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE } };
	uv_process_options_t o = { .exit_cb = on_exit_cb,
				   .file = hvmd.ioemu,
				   .args = args,
				   .cwd = dir,
				   .flags = UV_PROCESS_DETACHED,
				   .stdio = io,
				   .stdio_count = 4 };
	struct vm *vm;
	int fd, rc;

	rundir_path(d, "", dir, sizeof(dir));
	rundir_path(d, "ioemu.log", log, sizeof(log));
	if (prepare(d, config, p))
		return -1;
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	vm = fd >= 0 ? vm_new(d) : NULL;
	if (!vm) {
		problem_set(p, 500, "run-folder-failed", "%s: %s", log, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	uv_pipe_init(&hvmd.loop, &vm->ready, 0);
	own(vm, &vm->ready);
	io[1].data.fd = io[2].data.fd = fd;
	io[3].data.stream = (uv_stream_t *)&vm->ready;
	rc = uv_spawn(&hvmd.loop, &vm->proc, &o);
	own(vm, &vm->proc); /* to be closed even when the spawn failed */
	close(fd);
	if (rc) {
		problem_set(p, 500, "ioemu-not-started", "%s: %s", hvmd.ioemu, uv_strerror(rc));
		vm_drop(vm);
		return -1;
	}
	vm->child = true;
	d->pid = vm->proc.pid;
	vm->pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
	store_domain_put(hvmd.db, d); /* so that a new hvmd finds it while it starts */
	uv_read_start((uv_stream_t *)&vm->ready, alloc_line, on_ready);
	return 0;
}

/** Does the process recorded for the domain still exist and serve this run folder? */
bool vm_alive(const struct domain *d)
{
	char path[48], cmd[8192], dir[HVMD_PATH_MAX + 64];
	ssize_t n;
	int fd;

	if (d->pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", d->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, cmd, sizeof(cmd));
	close(fd);
	rundir_path(d, "", dir, sizeof(dir));
	/* empty for a zombie: that one is dead */
	return n > 0 && memmem(cmd, (size_t)n, dir, strlen(dir) + 1);
}

/** After a start of hvmd: find the ioemu of a domain recorded as active, or why it ended. */
void vm_adopt(struct domain *d)
{
	struct vm *vm = vm_new(d);

	if (!vm)
		abort(); /* out of memory before anything was changed */
	vm->adopting = true;
	hvmd.adopting++;
	try_connect(vm);
}

/** Kill ioemu outright. */
void vm_kill(struct domain *d)
{
	if (d->vm && d->vm->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, d->vm->pidfd, SIGKILL, NULL, 0);
	else if (vm_alive(d))
		kill(d->pid, SIGKILL);
}

static void on_kill_timer(uv_timer_t *t)
{
	struct vm *vm = t->data;

	if (vm->d)
		vm_kill(vm->d);
}

/** Kill ioemu if this run has not ended by then. */
void vm_kill_after(struct domain *d, unsigned ms)
{
	if (d->vm)
		uv_timer_start(&d->vm->killer, on_kill_timer, ms, 0);
}
