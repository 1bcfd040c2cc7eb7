/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime.c - runs a domain: starts it, serves what its threads ask, rebuilds it on reset, ends it.
 * runtime_machine.c builds the machine. Owns struct runtime. Locking: runtime.h. Source:
 * docs/ioemu-protocol.md.
 */
#include "runtime.h"
#include "dev/uart16550.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* How long the last answers may take to leave before the process ends anyway. */
#define LAST_CALL_MS 1000

void runtime_post(struct runtime *r, enum runtime_request request, unsigned int vcpu,
		  const char *detail)
{
	pthread_mutex_lock(&r->lock);
	if (r->request == RUNTIME_REQUEST_NONE) {
		r->request = request;
		r->request_vcpu = vcpu;
		snprintf(r->request_detail, sizeof(r->request_detail), "%s", detail);
	}
	pthread_mutex_unlock(&r->lock);
	if (r->vcpus)
		vcpus_hold(r->vcpus, VCPUS_HOLD_POWER);
	uv_async_send(&r->wake);
}

static void runtime_vcpu_ended(void *opaque, unsigned int index, const struct hvm_exit *exit)
{
	struct runtime *r = opaque;

	runtime_post(r, RUNTIME_REQUEST_CRASH, index,
		     exit->reason == HVM_EXIT_SHUTDOWN ? "triple fault"
						       : hvm_domain_crash_reason(r->domain));
}

static void runtime_vcpu_failed(void *opaque, unsigned int index, int err)
{
	char detail[64];

	snprintf(detail, sizeof(detail), "vcpu %u: hvm_vcpu_run: %s", index, strerror(-err));
	runtime_post(opaque, RUNTIME_REQUEST_ERROR, index, detail);
}

static const struct vcpus_ops runtime_vcpus_ops = {
	.ended = runtime_vcpu_ended,
	.failed = runtime_vcpu_failed,
};

void runtime_disk_failed(void *opaque, const char *id, enum disk_operation op, int err)
{
	struct runtime *r = opaque;

	pthread_mutex_lock(&r->lock);
	if (r->disk_error_count < RUNTIME_DISK_ERRORS) {
		struct runtime_disk_error *e = &r->disk_error[r->disk_error_count++];

		snprintf(e->disk, sizeof(e->disk), "%s", id);
		e->op = op;
		e->err = err;
	}
	pthread_mutex_unlock(&r->lock);
	uv_async_send(&r->wake);
}

static size_t runtime_console_input(void *opaque, const uint8_t *buf, size_t bytes)
{
	struct runtime *r = opaque;

	return r->machine ? uart_input(r->machine->uart, buf, bytes) : 0;
}

static void runtime_console_output_room(void *opaque)
{
	struct runtime *r = opaque;

	if (r->machine)
		uart_output_room(r->machine->uart);
}

void runtime_event_state(struct runtime *r)
{
	control_server_event(r->control, json_pack("{s:s, s:s}", "event", "state", "state",
						   r->paused ? "paused" : "running"));
}

int runtime_rebuild(struct runtime *r, struct ioemu_error *err)
{
	struct hvm_bufioreq dropped;
	int result;

	vcpus_hold(r->vcpus, VCPUS_HOLD_WORK);
	vcpus_wait_parked(r->vcpus);
	while (hvm_bufioreq_pop(r->domain, &dropped))
		;
	machine_reset(r->machine);
	vcpus_drop_requests(r->vcpus);
	result = hvm_domain_reset(r->domain);
	if (!result)
		result = guest_memory_zero(&r->machine->memory);
	if (result)
		return ioemu_error_set(err, "reset-failed", "reset: %s", strerror(-result));
	hvm_domain_memory_written(r->domain, 0, r->machine->memory.low_bytes);
	if (r->machine->memory.bytes > r->machine->memory.low_bytes)
		hvm_domain_memory_written(r->domain, HVM_HIGH_RAM,
					  r->machine->memory.bytes - r->machine->memory.low_bytes);
	if (runtime_build(r, err) < 0)
		return -1;
	/* What the machine asked for before it was rebuilt is moot. */
	pthread_mutex_lock(&r->lock);
	r->request = RUNTIME_REQUEST_NONE;
	pthread_mutex_unlock(&r->lock);
	r->reboots++;
	control_server_event(r->control,
			     json_pack("{s:s, s:i}", "event", "reboot", "count", (int)r->reboots));
	vcpus_release(r->vcpus, VCPUS_HOLD_POWER | VCPUS_HOLD_WORK);
	return 0;
}

void runtime_pause(struct runtime *r)
{
	vcpus_hold(r->vcpus, VCPUS_HOLD_PAUSE);
	vcpus_wait_parked(r->vcpus);
	hvm_domain_pause_time(r->domain);
	r->paused = true;
}

void runtime_resume(struct runtime *r)
{
	hvm_domain_resume_time(r->domain);
	r->paused = false;
	vcpus_release(r->vcpus, VCPUS_HOLD_PAUSE);
}

void runtime_fail(struct runtime *r, const struct ioemu_error *err)
{
	char detail[sizeof(r->request_detail)];

	snprintf(detail, sizeof(detail), "%.40s: %.200s", err->code, err->detail);
	pthread_mutex_lock(&r->lock);
	r->request = RUNTIME_REQUEST_NONE; /* whatever it was, the machine is gone */
	pthread_mutex_unlock(&r->lock);
	runtime_post(r, RUNTIME_REQUEST_ERROR, 0, detail);
}

void runtime_ask_stop(struct runtime *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop_asked = true;
	pthread_mutex_unlock(&r->lock);
	uv_async_send(&r->wake);
}

/* Registers of the vcpu that crashed, for exit.json. */
static void runtime_describe_crash(struct runtime *r, unsigned int index, const char *why,
				   char *buf, size_t bytes)
{
	struct hvm_vcpu_state s;
	int used = snprintf(buf, bytes, "vcpu %u: %s", index, why);

	if (hvm_vcpu_get_state(hvm_domain_vcpu(r->domain, index), &s) < 0 || used < 0 ||
	    (size_t)used >= bytes)
		return;
	snprintf(buf + used, bytes - (size_t)used,
		 "; cs=%04x:%016llx rip=%016llx rflags=%08llx cr0=%08llx cr2=%016llx cr3=%016llx "
		 "cr4=%08llx efer=%04llx rax=%016llx rbx=%016llx rcx=%016llx rdx=%016llx "
		 "rsi=%016llx rdi=%016llx rbp=%016llx rsp=%016llx",
		 s.seg[HVM_SEG_CS].sel, (unsigned long long)s.seg[HVM_SEG_CS].base,
		 (unsigned long long)s.rip, (unsigned long long)s.rflags, (unsigned long long)s.cr0,
		 (unsigned long long)s.cr2, (unsigned long long)s.cr3, (unsigned long long)s.cr4,
		 (unsigned long long)s.efer, (unsigned long long)s.gpr[0],
		 (unsigned long long)s.gpr[3], (unsigned long long)s.gpr[1],
		 (unsigned long long)s.gpr[2], (unsigned long long)s.gpr[6],
		 (unsigned long long)s.gpr[7], (unsigned long long)s.gpr[5],
		 (unsigned long long)s.gpr[4]);
}

static void runtime_write_exit(struct runtime *r, const char *reason)
{
	char path[4096], tmp[4096], when[32];
	time_t now = time(NULL);
	struct tm tm;
	json_t *doc;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	/* Guest-made text (a crash reason) may be no UTF-8; s# would then fail. */
	doc = json_pack("{s:s, s:s, s:s}", "reason", reason, "detail", r->end_detail, "time", when);
	snprintf(path, sizeof(path), "%s/exit.json", r->dir);
	snprintf(tmp, sizeof(tmp), "%s/exit.json.tmp", r->dir);
	if (!doc || json_dump_file(doc, tmp, JSON_INDENT(2)) < 0 || rename(tmp, path) < 0)
		log_error("%s: %s", path, strerror(errno));
	json_decref(doc);
}

static void runtime_last_call(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* The domain is over: stop the vcpus, leave exit.json and the last event, close everything. */
static void runtime_end(struct runtime *r, enum runtime_end end, const char *detail)
{
	static const char *const reasons[] = {
		[RUNTIME_END_POWEROFF] = "poweroff", [RUNTIME_END_STOPPED] = "stopped",
		[RUNTIME_END_REBOOT] = "reboot",     [RUNTIME_END_CRASH] = "crash",
		[RUNTIME_END_ERROR] = "error",
	};
	unsigned int i;

	if (r->ending)
		return;
	r->ending = true;
	r->end = end;
	snprintf(r->end_detail, sizeof(r->end_detail), "%s", detail);
	log_info("end: %s: %s", reasons[end], detail);
	vcpus_destroy(r->vcpus);
	r->vcpus = NULL;
	for (i = 0; i < r->cfg.disk_count; i++)
		disk_drain(r->disk[i]);
	console_close(r->console);
	runtime_write_exit(r, reasons[end]);
	control_server_event(r->control, json_pack("{s:s, s:s, s:s}", "event", "exit", "reason",
						   reasons[end], "detail", r->end_detail));
	control_server_close(r->control);
	uv_close((uv_handle_t *)&r->wake, NULL);
	uv_close((uv_handle_t *)&r->sigterm, NULL);
	uv_close((uv_handle_t *)&r->sigint, NULL);
	uv_timer_start(&r->last_call, runtime_last_call, LAST_CALL_MS, 0);
	uv_unref((uv_handle_t *)&r->last_call);
}

static void runtime_restart(struct runtime *r)
{
	struct ioemu_error err;

	if (runtime_rebuild(r, &err) < 0)
		runtime_fail(r, &err);
}

static void runtime_serve_request(struct runtime *r, enum runtime_request request,
				  unsigned int vcpu, const char *detail)
{
	char text[1024];

	vcpus_wait_parked(r->vcpus);
	switch (request) {
	case RUNTIME_REQUEST_NONE: break;
	case RUNTIME_REQUEST_RESET:
		log_info("reset: %s", detail);
		if (r->cfg.restart_on_reboot)
			runtime_restart(r);
		else
			runtime_end(r, RUNTIME_END_REBOOT, detail);
		break;
	case RUNTIME_REQUEST_POWEROFF: runtime_end(r, RUNTIME_END_POWEROFF, detail); break;
	case RUNTIME_REQUEST_CRASH:
		runtime_describe_crash(r, vcpu, detail, text, sizeof(text));
		log_error("crash: %s", text);
		if (r->cfg.restart_on_crash)
			runtime_restart(r);
		else
			runtime_end(r, RUNTIME_END_CRASH, text);
		break;
	case RUNTIME_REQUEST_ERROR: runtime_end(r, RUNTIME_END_ERROR, detail); break;
	}
}

static void runtime_report_disk_errors(struct runtime *r)
{
	struct runtime_disk_error errors[RUNTIME_DISK_ERRORS];
	unsigned int i, count;

	pthread_mutex_lock(&r->lock);
	count = r->disk_error_count;
	memcpy(errors, r->disk_error, sizeof(errors));
	r->disk_error_count = 0;
	pthread_mutex_unlock(&r->lock);
	for (i = 0; i < count; i++) {
		const char *op = disk_operation_name(errors[i].op);
		const char *text = strerror(-errors[i].err);

		log_error("disk %s: %s: %s", errors[i].disk, op, text);
		control_server_event(r->control, json_pack("{s:s, s:s, s:s, s:s}", "event",
							   "disk-error", "disk", errors[i].disk,
							   "operation", op, "detail", text));
	}
}

static void runtime_woken(uv_async_t *async)
{
	struct runtime *r = async->data;
	enum runtime_request request;
	char detail[sizeof(r->request_detail)];
	unsigned int vcpu;
	bool stop;

	runtime_report_disk_errors(r);
	pthread_mutex_lock(&r->lock);
	request = r->request;
	vcpu = r->request_vcpu;
	memcpy(detail, r->request_detail, sizeof(detail));
	stop = r->stop_asked;
	pthread_mutex_unlock(&r->lock);
	if (stop)
		runtime_end(r, RUNTIME_END_STOPPED, "asked to stop");
	else if (request != RUNTIME_REQUEST_NONE)
		runtime_serve_request(r, request, vcpu, detail);
}

static void runtime_signalled(uv_signal_t *handle, int signum)
{
	struct runtime *r = handle->data;

	log_info("signal %d", signum);
	runtime_ask_stop(r);
}

static int runtime_open_sockets(struct runtime *r, struct ioemu_error *err)
{
	char log_path[4096], console_path[4096], control_path[4096];
	struct console_params cp = {
		.loop = &r->loop,
		.log_path = log_path,
		.socket_path = console_path,
		.log_kib = r->cfg.log_kib,
		.input = runtime_console_input,
		.output_room = runtime_console_output_room,
		.opaque = r,
	};
	int result;

	snprintf(log_path, sizeof(log_path), "%s/console.log", r->dir);
	snprintf(console_path, sizeof(console_path), "%s/console.sock", r->dir);
	snprintf(control_path, sizeof(control_path), "%s/control.sock", r->dir);
	result = console_create(&cp, &r->console);
	if (result)
		return ioemu_error_set(err, "run-folder-unusable", "%s: %s", console_path,
				       strerror(-result));
	result = control_server_create(&r->loop, control_path, runtime_methods, r, &r->control);
	if (result)
		return ioemu_error_set(err, "run-folder-unusable", "%s: %s", control_path,
				       strerror(-result));
	return 0;
}

static void runtime_open_handles(struct runtime *r)
{
	uv_async_init(&r->loop, &r->wake, runtime_woken);
	uv_signal_init(&r->loop, &r->sigterm);
	uv_signal_init(&r->loop, &r->sigint);
	uv_timer_init(&r->loop, &r->last_call);
	r->wake.data = r->sigterm.data = r->sigint.data = r->last_call.data = r;
	uv_signal_start(&r->sigterm, runtime_signalled, SIGTERM);
	uv_signal_start(&r->sigint, runtime_signalled, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	r->handles = true;
}

int runtime_start(struct runtime *r, struct ioemu_error *err)
{
	int result;

	pthread_mutex_init(&r->lock, NULL);
	uv_loop_init(&r->loop);
	runtime_open_handles(r);
	if (runtime_create_machine(r, err) < 0 || runtime_open_sockets(r, err) < 0 ||
	    runtime_build(r, err) < 0)
		return -1;
	result =
		vcpus_create(r->domain, r->cfg.vcpus, r->machine, &runtime_vcpus_ops, r, &r->vcpus);
	if (result)
		return ioemu_error_set(err, "no-memory", "vcpus: %s", strerror(-result));
	return 0;
}

void runtime_run(struct runtime *r)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	r->start_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	vcpus_release(r->vcpus, VCPUS_HOLD_START);
}

enum runtime_end runtime_loop(struct runtime *r)
{
	uv_run(&r->loop, UV_RUN_DEFAULT);
	return r->end;
}

void runtime_fini(struct runtime *r)
{
	unsigned int i;

	vcpus_destroy(r->vcpus);
	for (i = 0; i < CONFIG_DISKS_MAX; i++)
		if (r->disk[i])
			disk_drain(r->disk[i]);
	/* The domain goes before the memory that it maps. */
	hvm_domain_destroy(r->domain);
	machine_destroy(r->machine);
	for (i = 0; i < CONFIG_DISKS_MAX; i++)
		disk_close(r->disk[i]);
	if (r->bios_rom)
		munmap(r->bios_rom, HVM_BIOS_ROM_BYTES);
	console_close(r->console);
	control_server_close(r->control);
	if (r->handles && !r->ending) {
		uv_close((uv_handle_t *)&r->wake, NULL);
		uv_close((uv_handle_t *)&r->sigterm, NULL);
		uv_close((uv_handle_t *)&r->sigint, NULL);
	}
	if (r->handles)
		uv_close((uv_handle_t *)&r->last_call, NULL);
	uv_run(&r->loop, UV_RUN_NOWAIT);
	console_free(r->console);
	control_server_free(r->control);
	if (r->handles)
		uv_loop_close(&r->loop);
	config_free(&r->cfg);
}
