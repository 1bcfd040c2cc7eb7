/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - config.json as a struct: everything checked, nothing opened.
 * Source: docs/ioemu-protocol.md.
 */
#ifndef IOEMU_CONFIG_H
#define IOEMU_CONFIG_H

#include "builder/builder.h"

#include <jansson.h>

#define CONFIG_DISKS_MAX 4

/* Why something failed, in words that hvmd passes on. */
struct ioemu_error {
	char code[40];
	char detail[512];
};

/* ioemu_error_set - fill @err, format and all; returns -1 for the caller to pass on. */
int ioemu_error_set(struct ioemu_error *err, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct config_disk {
	const char *id;
	const char *path;
	bool cdrom;
	bool read_only;
};

struct ioemu_config {
	json_t *root; /* owns every string below */
	const char *uuid;
	const char *name;
	unsigned int vcpus;
	uint64_t memory_mib;
	enum hvm_engine engine;
	enum hvm_cpu_model cpu_model;
	enum hvm_translator translator; /* the soft engine's; expert setting */
	bool perf_map;			/* and so is this */
	enum hvm_boot_kind boot;
	enum hvm_boot_device order[HVM_BOOT_ORDER_MAX];
	const char *kernel, *initrd, *cmdline;
	struct config_disk disk[CONFIG_DISKS_MAX];
	unsigned int disk_count;
	unsigned int log_kib;
	bool restart_on_reboot;
	bool restart_on_crash;
	const char *hvmloader, *bios, *vgabios;
};

/* config_load - read and check the file. 0, or -1 with @err filled; free in either case. */
int config_load(const char *path, struct ioemu_config *ret, struct ioemu_error *err);
/* config_parse - the same for a parsed document; takes a reference of its own. */
int config_parse(json_t *root, struct ioemu_config *ret, struct ioemu_error *err);
void config_free(struct ioemu_config *c);

#endif
