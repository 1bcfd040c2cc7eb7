/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime_methods.c - what each method of the control socket does. Owns nothing. Locking: main
 * loop. Source: docs/ioemu-protocol.md "Control socket".
 */
#include "dev/devices.h"
#include "dev/i8042.h"
#include "dev/vga.h"
#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STATS_MAX 64
#define KEYS_MAX  16

static const char *method_activity(struct runtime *r, unsigned int index)
{
	static const char *const names[] = { "running", "halted", "waiting-for-sipi", "shutdown" };
	struct hvm_vcpu_state s;

	/* A running vcpu's state may not be read; it is out of the way only while paused. */
	if (!r->paused || hvm_vcpu_get_state(hvm_domain_vcpu(r->domain, index), &s) < 0)
		return "running";
	return s.activity < HVM_ARRAY_SIZE(names) ? names[s.activity] : "running";
}

static int method_status(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	struct runtime *r = opaque;
	json_t *vcpus = json_array();
	struct timespec now;
	unsigned int i;
	uint64_t now_ns;

	(void)params;
	(void)err;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	for (i = 0; i < r->cfg.vcpus; i++)
		json_array_append_new(vcpus, json_pack("{s:i, s:s}", "index", (int)i, "activity",
						       method_activity(r, i)));
	*ret = json_pack("{s:s, s:s, s:i, s:i, s:I, s:o}", "state",
			 r->paused ? "paused" : "running", "engine",
			 hvm_domain_engine_name(r->domain), "pid", (int)getpid(), "reboots",
			 (int)r->reboots, "uptime_ms",
			 (json_int_t)((now_ns - r->start_ns) / 1000000), "vcpus", vcpus);
	return 0;
}

static int method_pause(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	struct runtime *r = opaque;

	(void)params;
	(void)ret;
	if (r->paused)
		return ioemu_error_set(err, "wrong-state", "the domain is paused already");
	runtime_pause(r);
	runtime_event_state(r);
	return 0;
}

static int method_resume(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	struct runtime *r = opaque;

	(void)params;
	(void)ret;
	if (!r->paused)
		return ioemu_error_set(err, "wrong-state", "the domain is not paused");
	runtime_resume(r);
	runtime_event_state(r);
	return 0;
}

static int method_shutdown(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	struct runtime *r = opaque;

	(void)params;
	(void)ret;
	(void)err;
	piix4_pm_power_button(r->machine);
	return 0;
}

static int method_reboot(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	static const char *const keys[] = { "ctrl", "alt", "delete" };
	struct runtime *r = opaque;

	(void)params;
	(void)ret;
	(void)err;
	return i8042_type_keys(r->machine->i8042, keys, HVM_ARRAY_SIZE(keys), NULL);
}

static int method_reset(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	(void)params;
	(void)ret;
	/* A kernel that was deleted meanwhile is the caller's error and not the domain's end. */
	if (runtime_check_images(opaque, err) < 0)
		return -1;
	if (runtime_rebuild(opaque, err) == 0)
		return 0;
	runtime_fail(opaque, err);
	return -1;
}

static int method_stop(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	(void)params;
	(void)ret;
	(void)err;
	runtime_ask_stop(opaque);
	return 0;
}

static int method_nmi(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	struct runtime *r = opaque;
	int result = hvm_nmi_send(r->domain);

	(void)params;
	(void)ret;
	if (result)
		return ioemu_error_set(err, "nmi-failed", "%s", strerror(-result));
	return 0;
}

static int method_send_key(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	struct runtime *r = opaque;
	json_t *keys = json_object_get(params, "keys");
	const char *names[KEYS_MAX];
	size_t i, count = json_array_size(keys);
	const char *unknown = NULL;

	(void)ret;
	if (!json_is_array(keys) || count < 1 || count > KEYS_MAX)
		return ioemu_error_set(err, "invalid-params",
				       "keys: must be a list of 1 to %d key names", KEYS_MAX);
	for (i = 0; i < count; i++) {
		names[i] = json_string_value(json_array_get(keys, i));
		if (!names[i])
			return ioemu_error_set(err, "invalid-params", "keys[%zu]: must be a string",
					       i);
	}
	if (i8042_type_keys(r->machine->i8042, names, count, &unknown) < 0) {
		if (unknown)
			return ioemu_error_set(err, "invalid-params",
					       "keys: \"%.40s\" is not known", unknown);
		return ioemu_error_set(err, "keyboard-busy",
				       "the guest has not taken the keys typed before");
	}
	return 0;
}

/* The file name inside the run folder that @path names, or NULL. */
static const char *method_inside(const struct runtime *r, const char *path)
{
	size_t n = strlen(r->dir);

	if (!path)
		return NULL;
	if (strncmp(path, r->dir, n) == 0 && path[n] == '/')
		path += n + 1;
	if (!*path || strchr(path, '/') || strcmp(path, ".") == 0 || strcmp(path, "..") == 0)
		return NULL;
	return path;
}

static int method_screenshot(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	struct runtime *r = opaque;
	const char *name = method_inside(r, json_string_value(json_object_get(params, "path")));
	unsigned int width, height;
	char path[4096];
	int result;

	if (!name)
		return ioemu_error_set(err, "invalid-params",
				       "path: must be a file name inside the run folder");
	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	vcpus_drain_buffered(r->vcpus);
	result = vga_screenshot(r->machine->vga, path, &width, &height);
	if (result)
		return ioemu_error_set(err, "screenshot-failed", "%s: %s", path, strerror(-result));
	*ret = json_pack("{s:i, s:i}", "width", (int)width, "height", (int)height);
	return 0;
}

static json_t *method_vcpu_stats(struct hvm_vcpu *v)
{
	uint64_t values[STATS_MAX];
	size_t count = hvm_vcpu_stats(v, values, STATS_MAX), i;
	json_t *stats = json_object();

	for (i = 0; i < count && i < STATS_MAX; i++) {
		const char *name = hvm_stat_name(i);

		if (name)
			json_object_set_new(stats, name, json_integer((json_int_t)values[i]));
	}
	return stats;
}

static int method_stats(void *opaque, json_t *params, json_t **ret, struct ioemu_error *err)
{
	struct runtime *r = opaque;
	json_t *vcpus = json_array(), *disks = json_array();
	struct disk_stats s;
	unsigned int i;

	(void)params;
	(void)err;
	for (i = 0; i < r->cfg.vcpus; i++)
		json_array_append_new(vcpus, method_vcpu_stats(hvm_domain_vcpu(r->domain, i)));
	for (i = 0; i < r->cfg.disk_count; i++) {
		disk_stats_get(r->disk[i], &s);
		json_array_append_new(
			disks,
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "id", disk_id(r->disk[i]),
				  "read_bytes", (json_int_t)s.read_bytes, "write_bytes",
				  (json_int_t)s.write_bytes, "reads", (json_int_t)s.reads, "writes",
				  (json_int_t)s.writes, "flushes", (json_int_t)s.flushes, "errors",
				  (json_int_t)s.errors));
	}
	*ret = json_pack("{s:o, s:o}", "vcpus", vcpus, "disks", disks);
	return 0;
}

const struct control_method runtime_methods[] = {
	{ "status", method_status },	 { "pause", method_pause },
	{ "resume", method_resume },	 { "shutdown", method_shutdown },
	{ "reboot", method_reboot },	 { "reset", method_reset },
	{ "stop", method_stop },	 { "nmi", method_nmi },
	{ "send-key", method_send_key }, { "screenshot", method_screenshot },
	{ "stats", method_stats },	 { NULL, NULL },
};
