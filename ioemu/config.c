/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.c - config.json into struct ioemu_config. Owns nothing but the parsed document.
 * Locking: none, runs once at start. Not saved. Source: docs/ioemu-protocol.md "config.json".
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CODE "config-invalid"

int ioemu_error_set(struct ioemu_error *err, const char *code, const char *format, ...)
{
	va_list args;

	snprintf(err->code, sizeof(err->code), "%s", code);
	va_start(args, format);
	vsnprintf(err->detail, sizeof(err->detail), format, args);
	va_end(args);
	return -1;
}

/* A string field into @ret; one that is absent or null stays as it is unless @required. */
static int config_string(json_t *obj, const char *field, const char *where, bool required,
			 const char **ret, struct ioemu_error *err)
{
	json_t *value = json_object_get(obj, field);

	if (!value || json_is_null(value)) {
		if (required)
			return ioemu_error_set(err, CODE, "%s%s: missing", where, field);
		return 0;
	}
	if (!json_is_string(value) || (required && !json_string_length(value)))
		return ioemu_error_set(err, CODE, "%s%s: must be a string", where, field);
	*ret = json_string_value(value);
	return 0;
}

static int config_unsigned(json_t *obj, const char *field, const char *where, uint64_t min,
			   uint64_t max, uint64_t *ret, struct ioemu_error *err)
{
	json_t *value = json_object_get(obj, field);
	json_int_t n;

	if (!value)
		return ioemu_error_set(err, CODE, "%s%s: missing", where, field);
	n = json_integer_value(value);
	if (!json_is_integer(value) || n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		return ioemu_error_set(err, CODE, "%s%s: must be a number from %llu to %llu", where,
				       field, (unsigned long long)min, (unsigned long long)max);
	*ret = (uint64_t)n;
	return 0;
}

/* A string that must be one of @words; @ret: its index. Absent: index 0. */
static int config_word(json_t *obj, const char *field, const char *where, const char *const *words,
		       unsigned int *ret, struct ioemu_error *err)
{
	const char *value = words[0];
	unsigned int i;

	if (config_string(obj, field, where, false, &value, err) < 0)
		return -1;
	for (i = 0; words[i]; i++) {
		if (strcmp(value, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return ioemu_error_set(err, CODE, "%s%s: \"%s\" is not known", where, field, value);
}

/* Absent: false. */
static int config_bool(json_t *obj, const char *field, const char *where, bool *ret,
		       struct ioemu_error *err)
{
	json_t *value = json_object_get(obj, field);

	if (value && !json_is_boolean(value))
		return ioemu_error_set(err, CODE, "%s%s: must be true or false", where, field);
	*ret = json_is_true(value);
	return 0;
}

static int config_disk_parse(json_t *obj, unsigned int index, struct config_disk *ret,
			     struct ioemu_error *err)
{
	static const char *const formats[] = { "raw", NULL };
	static const char *const buses[] = { "ide", NULL };
	static const char *const devices[] = { "disk", "cdrom", NULL };
	unsigned int device, unused;
	char where[32];

	snprintf(where, sizeof(where), "disks[%u].", index);
	if (!json_is_object(obj))
		return ioemu_error_set(err, CODE, "disks[%u]: must be an object", index);
	if (config_string(obj, "id", where, true, &ret->id, err) < 0 ||
	    config_string(obj, "path", where, true, &ret->path, err) < 0 ||
	    config_word(obj, "format", where, formats, &unused, err) < 0 ||
	    config_word(obj, "bus", where, buses, &unused, err) < 0 ||
	    config_word(obj, "device", where, devices, &device, err) < 0 ||
	    config_bool(obj, "read_only", where, &ret->read_only, err) < 0)
		return -1;
	ret->cdrom = device == 1;
	ret->read_only |= ret->cdrom;
	return 0;
}

static int config_disks(struct ioemu_config *c, struct ioemu_error *err)
{
	json_t *disks = json_object_get(c->root, "disks");
	size_t i;

	if (!disks)
		return 0;
	if (!json_is_array(disks))
		return ioemu_error_set(err, CODE, "disks: must be a list");
	if (json_array_size(disks) > CONFIG_DISKS_MAX)
		return ioemu_error_set(err, CODE, "disks: at most %d fit on the IDE bus",
				       CONFIG_DISKS_MAX);
	for (i = 0; i < json_array_size(disks); i++)
		if (config_disk_parse(json_array_get(disks, i), (unsigned int)i, &c->disk[i], err) <
		    0)
			return -1;
	c->disk_count = (unsigned int)json_array_size(disks);
	return 0;
}

static int config_boot_order(struct ioemu_config *c, json_t *order, struct ioemu_error *err)
{
	static const struct {
		const char *name;
		enum hvm_boot_device device;
	} known[] = {
		{ "disk", HVM_BOOT_DEV_DISK },
		{ "cdrom", HVM_BOOT_DEV_CDROM },
		{ "network", HVM_BOOT_DEV_NETWORK },
	};
	size_t i, k;

	c->order[0] = HVM_BOOT_DEV_DISK;
	c->order[1] = HVM_BOOT_DEV_CDROM;
	if (!order)
		return 0;
	if (!json_is_array(order) || json_array_size(order) > HVM_BOOT_ORDER_MAX)
		return ioemu_error_set(err, CODE, "boot.order: must be a list of at most %d",
				       HVM_BOOT_ORDER_MAX);
	memset(c->order, 0, sizeof(c->order));
	for (i = 0; i < json_array_size(order); i++) {
		const char *name = json_string_value(json_array_get(order, i));

		for (k = 0; k < HVM_ARRAY_SIZE(known); k++)
			if (name && strcmp(name, known[k].name) == 0)
				break;
		if (k == HVM_ARRAY_SIZE(known))
			return ioemu_error_set(err, CODE, "boot.order[%zu]: \"%s\" is not known", i,
					       name ? name : "");
		c->order[i] = known[k].device;
	}
	return 0;
}

static int config_boot(struct ioemu_config *c, struct ioemu_error *err)
{
	static const char *const firmwares[] = { "bios", NULL };
	json_t *boot = json_object_get(c->root, "boot");
	unsigned int unused;

	if (!json_is_object(boot))
		return ioemu_error_set(err, CODE, "boot: must be an object");
	if (config_string(boot, "kernel", "boot.", false, &c->kernel, err) < 0 ||
	    config_string(boot, "initrd", "boot.", false, &c->initrd, err) < 0 ||
	    config_string(boot, "cmdline", "boot.", false, &c->cmdline, err) < 0 ||
	    config_word(boot, "firmware", "boot.", firmwares, &unused, err) < 0)
		return -1;
	c->boot = c->kernel ? HVM_BOOT_KERNEL : HVM_BOOT_FIRMWARE;
	return config_boot_order(c, json_object_get(boot, "order"), err);
}

static int config_firmware(struct ioemu_config *c, struct ioemu_error *err)
{
	json_t *firmware = json_object_get(c->root, "firmware");

	if (!json_is_object(firmware))
		return ioemu_error_set(err, CODE, "firmware: must be an object");
	if (config_string(firmware, "hvmloader", "firmware.", true, &c->hvmloader, err) < 0 ||
	    config_string(firmware, "bios", "firmware.", c->boot == HVM_BOOT_FIRMWARE, &c->bios,
			  err) < 0)
		return -1;
	return config_string(firmware, "vgabios", "firmware.", false, &c->vgabios, err);
}

static int config_machine(struct ioemu_config *c, struct ioemu_error *err)
{
	static const char *const engines[] = { "auto", "soft", "vmx", "svm", NULL };
	static const char *const models[] = { "hvm-v2", "hvm-v1", "hvm-v3", NULL };
	static const enum hvm_cpu_model model_of[] = { HVM_CPU_V2, HVM_CPU_V1, HVM_CPU_V3 };
	static const char *const translators[] = { "on", "off", "verify", NULL };
	static const enum hvm_translator translator_of[] = { HVM_TRANSLATOR_ON, HVM_TRANSLATOR_OFF,
							     HVM_TRANSLATOR_VERIFY };
	unsigned int engine, model, translator;
	uint64_t vcpus = 0;

	if (config_string(c->root, "uuid", "", true, &c->uuid, err) < 0 ||
	    config_string(c->root, "name", "", true, &c->name, err) < 0 ||
	    config_unsigned(c->root, "vcpus", "", 1, HVM_MAX_VCPUS, &vcpus, err) < 0 ||
	    config_unsigned(c->root, "memory_mib", "", HVM_BUILD_MIN_RAM >> 20,
			    HVM_BUILD_MAX_RAM >> 20, &c->memory_mib, err) < 0 ||
	    config_word(c->root, "engine", "", engines, &engine, err) < 0 ||
	    config_word(c->root, "cpu_model", "", models, &model, err) < 0 ||
	    config_word(c->root, "translator", "", translators, &translator, err) < 0 ||
	    config_bool(c->root, "perf_map", "", &c->perf_map, err) < 0)
		return -1;
	c->translator = translator_of[translator];
	c->vcpus = (unsigned int)vcpus;
	c->engine = (enum hvm_engine)engine; /* the words are in the enum's order */
	c->cpu_model = model_of[model];
	return 0;
}

static int config_policies(struct ioemu_config *c, struct ioemu_error *err)
{
	static const char *const reboots[] = { "restart", "stop", NULL };
	static const char *const crashes[] = { "stop", "restart", NULL };
	static const char *const displays[] = { "none", NULL };
	json_t *serial = json_object_get(c->root, "serial");
	json_t *display = json_object_get(c->root, "display");
	json_t *nics = json_object_get(c->root, "nics");
	unsigned int reboot, crash, unused;
	uint64_t log_kib = 256;

	if (config_word(c->root, "on_reboot", "", reboots, &reboot, err) < 0 ||
	    config_word(c->root, "on_crash", "", crashes, &crash, err) < 0)
		return -1;
	c->restart_on_reboot = reboot == 0;
	c->restart_on_crash = crash == 1;
	if (serial && !json_is_object(serial))
		return ioemu_error_set(err, CODE, "serial: must be an object");
	if (json_object_get(serial, "log_kib") &&
	    config_unsigned(serial, "log_kib", "serial.", 1, 65536, &log_kib, err) < 0)
		return -1;
	c->log_kib = (unsigned int)log_kib;
	if (display && !json_is_object(display))
		return ioemu_error_set(err, CODE, "display: must be an object");
	if (display && config_word(display, "type", "display.", displays, &unused, err) < 0)
		return -1;
	if (nics && json_array_size(nics))
		return ioemu_error_set(err, CODE, "nics: there are no network devices yet");
	return 0;
}

int config_parse(json_t *root, struct ioemu_config *ret, struct ioemu_error *err)
{
	memset(ret, 0, sizeof(*ret));
	if (!json_is_object(root))
		return ioemu_error_set(err, CODE, "must be an object");
	ret->root = json_incref(root);
	if (config_machine(ret, err) < 0 || config_boot(ret, err) < 0 ||
	    config_firmware(ret, err) < 0 || config_disks(ret, err) < 0)
		return -1;
	return config_policies(ret, err);
}

int config_load(const char *path, struct ioemu_config *ret, struct ioemu_error *err)
{
	json_error_t json_err;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &json_err);
	int result;

	memset(ret, 0, sizeof(*ret));
	if (!root)
		return ioemu_error_set(err, CODE, "%s: line %d: %s", path, json_err.line,
				       json_err.text);
	result = config_parse(root, ret, err);
	json_decref(root);
	return result;
}

void config_free(struct ioemu_config *c)
{
	json_decref(c->root);
	memset(c, 0, sizeof(*c));
}
