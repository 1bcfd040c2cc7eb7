/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a client's JSON to a validated definition with every default filled in. Driven by tables of
 * fields, so that an unknown field is refused by name and every error carries a JSON pointer
 * (RFC 6901). What the engine cannot do yet is refused here rather than ignored. No state.
 */
#include "domain/domain.h"
#include "hvmd.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISKS_MAX 4 /* two IDE channels of two */

enum field_type {
	F_STRING,
	F_INT,
	F_BOOL,
	F_OBJECT,
	F_ARRAY
};

struct field {
	const char *name;
	enum field_type type;
	const char *fallback; /* JSON text of the default; NULL: none */
	bool required;
	const char *choices; /* F_STRING: "a|b|c" */
	int64_t min, max;    /* F_INT; F_STRING: longest is max when not 0 */
};

static const struct field domain_fields[] = {
	{ .name = "name", .type = F_STRING, .required = true, .max = NAME_LEN - 1 },
	{ .name = "vcpus", .type = F_INT, .fallback = "1", .min = 1, .max = 16 },
	{ .name = "memory_mib", .type = F_INT, .fallback = "256", .min = 16, .max = INT32_MAX },
	{ .name = "engine",
	  .type = F_STRING,
	  .fallback = "\"auto\"",
	  .choices = "auto|soft|vmx|svm" },
	{ .name = "cpu_model",
	  .type = F_STRING,
	  .fallback = "\"hvm-v2\"",
	  .choices = "hvm-v1|hvm-v2|hvm-v3" },
	{ .name = "translator",
	  .type = F_STRING,
	  .fallback = "\"on\"",
	  .choices = "on|off|verify" },
	{ .name = "perf_map", .type = F_BOOL, .fallback = "false" },
	{ .name = "boot", .type = F_OBJECT, .fallback = "{}" },
	{ .name = "disks", .type = F_ARRAY, .fallback = "[]" },
	{ .name = "nics", .type = F_ARRAY, .fallback = "[]" },
	{ .name = "serial", .type = F_OBJECT, .fallback = "{}" },
	{ .name = "display", .type = F_OBJECT, .fallback = "{}" },
	{ .name = "autostart", .type = F_BOOL, .fallback = "false" },
	{ .name = "on_reboot",
	  .type = F_STRING,
	  .fallback = "\"restart\"",
	  .choices = "restart|stop" },
	{ .name = "on_crash", .type = F_STRING, .fallback = "\"stop\"", .choices = "stop|restart" },
	{ .name = "labels", .type = F_OBJECT, .fallback = "{}" },
	{ 0 },
};

static const struct field boot_bios_fields[] = {
	{ .name = "firmware", .type = F_STRING, .fallback = "\"bios\"", .choices = "bios" },
	{ .name = "order", .type = F_ARRAY, .fallback = "[\"disk\",\"cdrom\"]" },
	{ 0 },
};

static const struct field boot_kernel_fields[] = {
	{ .name = "kernel", .type = F_STRING, .required = true, .max = HVMD_PATH_MAX - 1 },
	{ .name = "initrd", .type = F_STRING, .max = HVMD_PATH_MAX - 1 },
	{ .name = "cmdline", .type = F_STRING, .max = 2047 },
	{ 0 },
};

static const struct field disk_fields[] = {
	{ .name = "id", .type = F_STRING, .required = true, .max = 31 },
	{ .name = "path", .type = F_STRING, .required = true, .max = HVMD_PATH_MAX - 1 },
	{ .name = "format", .type = F_STRING, .fallback = "\"raw\"", .choices = "raw" },
	{ .name = "bus", .type = F_STRING, .fallback = "\"ide\"", .choices = "ide" },
	{ .name = "device", .type = F_STRING, .fallback = "\"disk\"", .choices = "disk|cdrom" },
	{ .name = "read_only", .type = F_BOOL },
	{ 0 },
};

static const struct field serial_fields[] = {
	{ .name = "log_kib", .type = F_INT, .fallback = "256", .min = 4, .max = 65536 },
	{ 0 },
};

static const struct field display_fields[] = {
	{ .name = "type", .type = F_STRING, .fallback = "\"none\"", .choices = "none" },
	{ 0 },
};

/** The host's memory in MiB. */
uint64_t host_memory_mib(void)
{
	return ((uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE)) >> 20;
}

static bool is_choice(const char *choices, const char *s)
{
	size_t n = strlen(s);

	while (n) {
		const char *end = strchr(choices, '|');
		size_t len = end ? (size_t)(end - choices) : strlen(choices);

		if (len == n && !memcmp(choices, s, n))
			return true;
		if (!end)
			return false;
		choices = end + 1;
	}
	return false;
}

static void check_value(const struct field *f, const json_t *v, const char *ptr, struct problem *p)
{
	static const char *const type_names[] = { "a string", "an integer", "a boolean",
						  "an object", "an array" };
	const bool is_type[] = { json_is_string(v), json_is_integer(v), json_is_boolean(v),
				 json_is_object(v), json_is_array(v) };

	if (!is_type[f->type]) {
		problem_field(p, "invalid-type", ptr, "%s must be %s", ptr + 1,
			      type_names[f->type]);
	} else if (f->type == F_INT) {
		json_int_t n = json_integer_value(v);

		if (n < f->min || n > f->max)
			problem_field(p, "out-of-range", ptr, "%s is %lld; it must be %lld to %lld",
				      ptr + 1, (long long)n, (long long)f->min, (long long)f->max);
	} else if (f->type == F_STRING) {
		const char *s = json_string_value(v);

		if (f->choices && !is_choice(f->choices, s))
			problem_field(p, "not-supported", ptr,
				      "%s is \"%.64s\"; it must be one of: %s", ptr + 1, s,
				      f->choices);
		if (f->max && json_string_length(v) > (size_t)f->max)
			problem_field(p, "too-long", ptr,
				      "%s has %zu bytes; at most %lld are taken", ptr + 1,
				      json_string_length(v), (long long)f->max);
	}
}

/* A copy of in with the defaults of fields; unknown, missing and wrong ones are reported. */
static json_t *take_object(const struct field *fields, const json_t *in, const char *base,
			   struct problem *p)
{
	json_t *out = json_object(), *v;
	const struct field *f;
	const char *key;
	char ptr[160];

	json_object_foreach((json_t *)in, key, v)
	{
		for (f = fields; f->name && strcmp(f->name, key); f++)
			;
		snprintf(ptr, sizeof(ptr), "%s/%.64s", base, key);
		if (!f->name)
			problem_field(p, "unknown-field", ptr, "%s: there is no such field",
				      ptr + 1);
	}
	for (f = fields; f->name; f++) {
		snprintf(ptr, sizeof(ptr), "%s/%s", base, f->name);
		v = json_object_get(in, f->name);
		if (v) {
			check_value(f, v, ptr, p);
			json_object_set_new(out, f->name, json_deep_copy(v));
		} else if (f->required) {
			problem_field(p, "missing-field", ptr, "%s is missing", ptr + 1);
		} else if (f->fallback) {
			json_object_set_new(out, f->name,
					    json_loads(f->fallback, JSON_DECODE_ANY, NULL));
		}
	}
	return out;
}

static bool name_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n && !s[n] && s[0] != '.' && s[0] != '-';
}

static void take_disks(json_t *out, struct problem *p)
{
	json_t *disks = json_object_get(out, "disks"), *list = json_array(), *d;
	char base[32], ptr[48];
	size_t i, j;

	json_array_foreach(disks, i, d)
	{
		const char *id, *other;
		json_t *disk;

		if (i == DISKS_MAX) {
			problem_field(p, "too-many", "/disks",
				      "disks has %zu entries; at most %d are taken",
				      json_array_size(disks), DISKS_MAX);
			break;
		}
		snprintf(base, sizeof(base), "/disks/%zu", i);
		if (!json_is_object(d)) {
			problem_field(p, "invalid-type", base, "%s must be an object", base + 1);
			continue;
		}
		disk = take_object(disk_fields, d, base, p);
		json_array_append_new(list, disk);
		id = json_string_value(json_object_get(disk, "id"));
		snprintf(ptr, sizeof(ptr), "%s/id", base);
		if (id && !name_ok(id))
			problem_field(p, "invalid-name", ptr,
				      "%s is \"%.40s\"; letters, digits, . _ -", ptr + 1, id);
		for (j = 0; id && j < json_array_size(list) - 1; j++) {
			other = json_string_value(json_object_get(json_array_get(list, j), "id"));
			if (other && !strcmp(other, id))
				problem_field(p, "duplicate-id", ptr,
					      "%s: \"%.40s\" is there twice", ptr + 1, id);
		}
		if (!json_object_get(disk, "read_only")) {
			const char *dev = json_string_value(json_object_get(disk, "device"));

			json_object_set_new(disk, "read_only",
					    json_boolean(dev && !strcmp(dev, "cdrom")));
		}
	}
	json_object_set_new(out, "disks", list);
}

static void take_boot(json_t *out, struct problem *p)
{
	json_t *boot = json_object_get(out, "boot"), *order, *v, *taken;
	bool kernel = json_object_get(boot, "kernel") != NULL;
	char ptr[48];
	size_t i;

	taken = take_object(kernel ? boot_kernel_fields : boot_bios_fields, boot, "/boot", p);
	json_object_set_new(out, "boot", taken);
	order = json_object_get(taken, "order");
	json_array_foreach(order, i, v)
	{
		const char *s = json_string_value(v);

		snprintf(ptr, sizeof(ptr), "/boot/order/%zu", i);
		if (!s || !is_choice("disk|cdrom", s))
			problem_field(p, "not-supported", ptr, "%s must be one of: disk|cdrom",
				      ptr + 1);
	}
}

static void take_sub(json_t *out, const char *name, const struct field *fields, struct problem *p)
{
	json_t *in = json_object_get(out, name);
	char base[32];

	snprintf(base, sizeof(base), "/%s", name);
	if (json_is_object(in))
		json_object_set_new(out, name, take_object(fields, in, base, p));
}

static void check_domain(json_t *out, struct problem *p)
{
	const char *name = json_string_value(json_object_get(out, "name")), *key;
	json_int_t mem = json_integer_value(json_object_get(out, "memory_mib"));
	json_t *v;
	char ptr[96];

	if (name && (!name_ok(name) || (strlen(name) == 36 && name[8] == '-' && name[23] == '-')))
		problem_field(
			p, "invalid-name", "/name",
			"name is \"%.64s\"; it must be of letters, digits, . _ -, start with a "
			"letter, digit or _, and not look like a UUID",
			name);
	if (mem > (json_int_t)host_memory_mib())
		problem_field(p, "not-enough-memory", "/memory_mib",
			      "memory_mib is %lld; this host has %llu", (long long)mem,
			      (unsigned long long)host_memory_mib());
	if (json_array_size(json_object_get(out, "nics")))
		problem_field(p, "not-supported", "/nics", "nics: no network device exists yet");
	if (json_is_true(json_object_get(out, "autostart")))
		problem_field(p, "not-supported", "/autostart",
			      "autostart: only false is taken yet");
	json_object_foreach(json_object_get(out, "labels"), key, v)
	{
		snprintf(ptr, sizeof(ptr), "/labels/%.64s", key);
		if (!json_is_string(v))
			problem_field(p, "invalid-type", ptr, "%s must be a string", ptr + 1);
	}
}

/** A validated definition with defaults, or NULL and the problem (422). Opens no file. */
json_t *definition_parse(const json_t *in, struct problem *p)
{
	json_t *out;

	if (!json_is_object(in)) {
		problem_field(p, "invalid-type", "", "the body must be a JSON object");
		return NULL;
	}
	out = take_object(domain_fields, in, "", p);
	if (json_is_object(json_object_get(out, "boot")))
		take_boot(out, p);
	if (json_is_array(json_object_get(out, "disks")))
		take_disks(out, p);
	take_sub(out, "serial", serial_fields, p);
	take_sub(out, "display", display_fields, p);
	check_domain(out, p);
	if (p->status) {
		json_decref(out);
		return NULL;
	}
	return out;
}

static bool under_root(const char *real)
{
	for (unsigned i = 0; i < hvmd.nr_roots; i++) {
		size_t n = strlen(hvmd.roots[i]);

		if (!strncmp(real, hvmd.roots[i], n) && (real[n] == '/' || n == 1))
			return true;
	}
	return false;
}

/* One file named by owner[key]: its resolved path replaces the given one in resolved. */
static void check_file(json_t *resolved, const char *key, const char *field, const char *ptr,
		       bool write, struct problem *p)
{
	const char *path = json_string_value(json_object_get(resolved, key));
	char real[PATH_MAX];
	struct stat sb;
	int fd;

	if (!path)
		return;
	if (path[0] != '/') {
		problem_field(p, "invalid-path", ptr, "%s is \"%.256s\"; it must be absolute",
			      field, path);
	} else if (!realpath(path, real)) {
		problem_field(p, errno == ENOENT ? "image-not-found" : "image-not-readable", ptr,
			      "%s: %.256s: %s", field, path, strerror(errno));
	} else if (!under_root(real)) {
		problem_field(p, "outside-storage-roots", ptr,
			      "%s: %.256s is not under a storage root of this host", field, path);
	} else {
		/* O_NONBLOCK: a FIFO must not hold the daemon */
		fd = open(real, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			problem_field(p, "image-not-readable", ptr, "%s: %.256s: %s", field, path,
				      strerror(errno));
		else if (fstat(fd, &sb) || (!S_ISREG(sb.st_mode) && !S_ISBLK(sb.st_mode)))
			problem_field(p, "image-not-readable", ptr,
				      "%s: %.256s is neither a file nor a block device", field,
				      path);
		else
			json_object_set_new(resolved, key, json_string(real));
		if (fd >= 0)
			close(fd);
	}
}

/**
 * Check every file a definition names; resolved (a deep copy of it, or NULL) gets the paths with
 * symlinks followed, so that what was checked is what ioemu opens. False with the problem.
 */
bool definition_check_files(const json_t *def, json_t *resolved, struct problem *p)
{
	json_t *own = resolved ? json_incref(resolved) : json_deep_copy(def);
	json_t *boot = json_object_get(own, "boot"), *disk;
	char field[48], ptr[48];
	size_t i;

	check_file(boot, "kernel", "boot.kernel", "/boot/kernel", false, p);
	check_file(boot, "initrd", "boot.initrd", "/boot/initrd", false, p);
	json_array_foreach(json_object_get(own, "disks"), i, disk)
	{
		snprintf(field, sizeof(field), "disks[%zu].path", i);
		snprintf(ptr, sizeof(ptr), "/disks/%zu/path", i);
		check_file(disk, "path", field, ptr,
			   !json_is_true(json_object_get(disk, "read_only")), p);
	}
	json_decref(own);
	return !p->status;
}

/** JSON merge patch (RFC 7396): a new value. The depth is bounded by jansson's parser. */
json_t *json_merge_patch(const json_t *target, const json_t *patch)
{
	json_t *out, *v;
	const char *key;

	if (!json_is_object(patch))
		return json_deep_copy(patch);
	out = json_is_object(target) ? json_copy((json_t *)target) : json_object();
	json_object_foreach((json_t *)patch, key, v)
	{
		if (json_is_null(v))
			json_object_del(out, key);
		else
			json_object_set_new(out, key,
					    json_merge_patch(json_object_get(target, key), v));
	}
	return out;
}
