/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvmd.h - the daemon's settings and the few things there is one of. hvmd is one thread around one
 * libuv loop, so nothing is locked. Layers, each of which knows only those below it: http/ (the
 * API), domain/ (what domains do), store/ (the database).
 */
#ifndef HVMD_H
#define HVMD_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define HVMD_VERSION  "0.1.0"
#define ROOTS_MAX     16
#define HVMD_PATH_MAX 4096

struct domain;

struct hvmd {
	uv_loop_t loop;
	sqlite3 *db;
	char state_dir[HVMD_PATH_MAX];
	char socket_path[HVMD_PATH_MAX];
	char ioemu[HVMD_PATH_MAX], hvmloader[HVMD_PATH_MAX], bios[HVMD_PATH_MAX],
		vgabios[HVMD_PATH_MAX];
	char *roots[ROOTS_MAX];
	unsigned nr_roots;
	char token[65];
	int listen_port; /* 0: no TCP */
	bool stop_domains, quitting;
	struct domain *domains;
	unsigned adopting;
	uint64_t requests, started_ms;
};

extern struct hvmd hvmd;

#endif
