/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime.h - one running domain: the core's domain, the machine, the vcpus, the sockets.
 * Locking: belongs to the main loop; what other threads tell it goes through a mutex and a wake-up.
 */
#ifndef IOEMU_RUNTIME_H
#define IOEMU_RUNTIME_H

#include "backend/console.h"
#include "backend/disk.h"
#include "config.h"
#include "control.h"
#include "machine.h"
#include "vcpus.h"

#include <pthread.h>

/* Why the process ends: exit.json's "reason". */
enum runtime_end {
	RUNTIME_END_NONE,
	RUNTIME_END_POWEROFF,
	RUNTIME_END_STOPPED,
	RUNTIME_END_REBOOT,
	RUNTIME_END_CRASH,
	RUNTIME_END_ERROR,
};

/* What another thread told the main loop; the first one stays until it was dealt with. */
enum runtime_request {
	RUNTIME_REQUEST_NONE,
	RUNTIME_REQUEST_RESET,
	RUNTIME_REQUEST_POWEROFF,
	RUNTIME_REQUEST_CRASH,
	RUNTIME_REQUEST_ERROR,
};

#define RUNTIME_DISK_ERRORS 16

struct runtime_disk_error {
	char disk[64];
	enum disk_operation op;
	int err;
};

struct runtime {
	struct ioemu_config cfg;
	const char *dir;
	uv_loop_t loop;
	struct hvm_domain *domain;
	int perf_map_fd; /* 0: none */
	struct machine *machine;
	struct vcpus *vcpus;
	struct disk *disk[CONFIG_DISKS_MAX];
	uint8_t *bios_rom;
	struct console *console;
	struct control_server *control;
	uv_async_t wake;
	uv_signal_t sigterm, sigint;
	uv_timer_t last_call;
	bool handles; /* wake and signals exist */
	bool paused;
	bool ending;
	unsigned int reboots;
	uint64_t start_ns;
	enum runtime_end end;
	char end_detail[1024];

	pthread_mutex_t lock; /* of what follows */
	enum runtime_request request;
	char request_detail[256];
	unsigned int request_vcpu;
	bool stop_asked;
	struct runtime_disk_error disk_error[RUNTIME_DISK_ERRORS];
	unsigned int disk_error_count;
};

extern const struct control_method runtime_methods[];

/*
 * runtime_start - build everything from r->cfg and r->dir; the vcpus stand still.
 * 0, or -1 with @err. runtime_fini() in either case.
 */
int runtime_start(struct runtime *r, struct ioemu_error *err);
/* runtime_run - let the vcpus run. */
void runtime_run(struct runtime *r);
/* runtime_loop - serve until the domain ends; exit.json is written. Returns why it ended. */
enum runtime_end runtime_loop(struct runtime *r);
void runtime_fini(struct runtime *r);

/*
 * runtime_post - tell the main loop; the vcpus stand still from the end of the current access on.
 * Any thread.
 */
void runtime_post(struct runtime *r, enum runtime_request request, unsigned int vcpu,
		  const char *detail);
/* runtime_disk_failed - a disk request failed. Its worker thread. */
void runtime_disk_failed(void *opaque, const char *id, enum disk_operation op, int err);

/* runtime_machine.c. Main loop; 0, or -1 with @err. */
int runtime_create_machine(struct runtime *r, struct ioemu_error *err);
/* runtime_build - the builder's work, on memory that is zero and a domain as after reset. */
int runtime_build(struct runtime *r, struct ioemu_error *err);
/* runtime_check_images - could the machine be built again now? Nothing changes. */
int runtime_check_images(struct runtime *r, struct ioemu_error *err);

/* For the methods. Main loop. */
/* runtime_rebuild - the machine anew. -1 with @err: it is gone, and runtime_fail() is due. */
int runtime_rebuild(struct runtime *r, struct ioemu_error *err);
/* runtime_fail - the process ends soon, reason error. */
void runtime_fail(struct runtime *r, const struct ioemu_error *err);
void runtime_pause(struct runtime *r);
void runtime_resume(struct runtime *r);
/* runtime_ask_stop - the process ends soon, reason stopped. */
void runtime_ask_stop(struct runtime *r);
void runtime_event_state(struct runtime *r);

#endif
