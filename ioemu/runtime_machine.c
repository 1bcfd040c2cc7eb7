/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime_machine.c - the machine of a running domain: its core, memory, devices and disks, and
 * what the builder puts into it. Owns nothing; it fills struct runtime.
 * Locking: main loop; the machine's own calls come from any thread. Source: docs/ioemu-protocol.md.
 */
#include "dev/vga.h"
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

static void runtime_irq_set(void *opaque, unsigned int gsi, bool level)
{
	struct runtime *r = opaque;

	hvm_irq_set(r->domain, gsi, level);
}

static int runtime_map(void *opaque, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva)
{
	struct runtime *r = opaque;

	return hvm_domain_map(r->domain, gpa, bytes, type, hva);
}

static void runtime_memory_written(void *opaque, gpa_t gpa, uint64_t bytes)
{
	struct runtime *r = opaque;

	hvm_domain_memory_written(r->domain, gpa, bytes);
}

static void runtime_power(void *opaque, enum machine_power what, const char *detail)
{
	runtime_post(opaque,
		     what == MACHINE_RESET ? RUNTIME_REQUEST_RESET : RUNTIME_REQUEST_POWEROFF, 0,
		     detail);
}

static size_t runtime_console_write(void *opaque, const uint8_t *buf, size_t bytes)
{
	struct runtime *r = opaque;

	return console_write(r->console, buf, bytes);
}

static void runtime_console_room(void *opaque)
{
	struct runtime *r = opaque;

	console_room(r->console);
}

static const struct machine_ops runtime_machine_ops = {
	.irq_set = runtime_irq_set,
	.map = runtime_map,
	.memory_written = runtime_memory_written,
	.power = runtime_power,
	.console_write = runtime_console_write,
	.console_room = runtime_console_room,
};

static int runtime_open_disks(struct runtime *r, struct machine_config *mc, struct ioemu_error *err)
{
	/* Disks first on the primary channel, CD-ROM drives first on the secondary. */
	static const uint8_t place[2][MACHINE_DRIVES] = { { 0, 1, 2, 3 }, { 2, 3, 1, 0 } };
	unsigned int i, k;

	for (i = 0; i < r->cfg.disk_count; i++) {
		const struct config_disk *cd = &r->cfg.disk[i];
		char field[32];
		struct disk_params p = {
			.id = cd->id,
			.path = cd->path,
			.field = field,
			.read_only = cd->read_only,
			.block_bytes = cd->cdrom ? 2048 : 512,
			.failed = runtime_disk_failed,
			.opaque = r,
		};

		snprintf(field, sizeof(field), "disks[%u].path", i);
		if (disk_open(&p, &r->disk[i], err) < 0)
			return -1;
		for (k = 0; mc->drive[place[cd->cdrom][k]].present; k++)
			;
		mc->drive[place[cd->cdrom][k]] = (struct machine_drive){
			.disk = r->disk[i],
			.cdrom = cd->cdrom,
			.present = true,
		};
	}
	return 0;
}

/* More memory than the host has at all is refused here and not by the OOM killer later. */
static int runtime_check_memory(const struct runtime *r, struct ioemu_error *err)
{
	struct sysinfo info;
	uint64_t host_mib;

	if (sysinfo(&info) < 0)
		return 0;
	host_mib = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit >> 20;
	if (r->cfg.memory_mib <= host_mib)
		return 0;
	return ioemu_error_set(err, "memory-not-available",
			       "memory_mib: %llu asked, the host has %llu",
			       (unsigned long long)r->cfg.memory_mib, (unsigned long long)host_mib);
}

/* Why the engine that was asked for does not serve, or, where it would, the CPU model is refused.
 */
static int runtime_no_engine(const struct runtime *r, struct ioemu_error *err)
{
	struct hvm_engine_info e[8];
	size_t count = hvm_engines(e, 8);
	const char *lacks = hvm_cpu_model_lacks(r->cfg.cpu_model);

	for (size_t i = 0; i < count && i < 8; i++) {
		if (e[i].engine == r->cfg.engine && !e[i].available)
			return ioemu_error_set(err, "engine-unavailable", "engine: %s",
					       e[i].reason);
	}
	return ioemu_error_set(err, "cpu-model-unavailable",
			       "cpu_model: hvm-v%d: this host's processor has no %s",
			       r->cfg.cpu_model - HVM_CPU_V1 + 1,
			       lacks ? lacks : "feature that the software CPU needs");
}

/* Stays open as long as the process. */
static int runtime_open_perf_map(struct runtime *r, struct ioemu_error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/perf.map", r->dir);
	r->perf_map_fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->perf_map_fd < 0)
		return ioemu_error_set(err, "run-folder-failed", "%s: %s", path, strerror(errno));
	return 0;
}

static int runtime_create_domain(struct runtime *r, struct ioemu_error *err)
{
	struct hvm_domain_config dc = {
		.engine = r->cfg.engine,
		.cpu_model = r->cfg.cpu_model,
		.vcpus = r->cfg.vcpus,
		.translator = r->cfg.translator,
	};
	int result;

	if (r->cfg.perf_map && runtime_open_perf_map(r, err) < 0)
		return -1;
	dc.perf_map_fd = r->perf_map_fd;
	snprintf(dc.name, sizeof(dc.name), "%s", r->cfg.name);
	result = hvm_domain_create(&dc, &r->domain);
	if (result == -ENODEV)
		return runtime_no_engine(r, err);
	if (result)
		return ioemu_error_set(err, "domain-create-failed", "domain: %s",
				       strerror(-result));
	return 0;
}

/* Writes that need no answer: VGA memory, firmware's log. A guest still works if the core has none.
 */
static void runtime_batch_writes(struct runtime *r)
{
	hvm_bufioreq_add(r->domain, HVM_IOREQ_MMIO, 0xa0000, 0x20000);
	hvm_bufioreq_add(r->domain, HVM_IOREQ_PIO, 0xe9, 1);
	hvm_bufioreq_add(r->domain, HVM_IOREQ_PIO, 0x402, 1);
}

int runtime_create_machine(struct runtime *r, struct ioemu_error *err)
{
	struct machine_config mc = { .memory_bytes = r->cfg.memory_mib << 20 };
	int result;

	if (runtime_check_memory(r, err) < 0 || runtime_open_disks(r, &mc, err) < 0 ||
	    runtime_create_domain(r, err) < 0)
		return -1;
	result = machine_create(&mc, &runtime_machine_ops, r, &r->machine);
	if (result)
		return ioemu_error_set(err, "memory-not-available", "memory_mib: %s",
				       strerror(-result));
	result = vga_rom_load(r->machine, r->cfg.vgabios);
	if (result)
		return ioemu_error_set(err, "firmware-unreadable", "firmware.vgabios: %s: %s",
				       r->cfg.vgabios, strerror(-result));
	r->bios_rom = mmap(NULL, HVM_BIOS_ROM_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->bios_rom == MAP_FAILED) {
		r->bios_rom = NULL;
		return ioemu_error_set(err, "no-memory", "bios: %s", strerror(errno));
	}
	runtime_batch_writes(r);
	return 0;
}

static void runtime_builder_params(struct runtime *r, struct hvm_builder_params *ret)
{
	*ret = (struct hvm_builder_params){
		.domain = r->domain,
		.ram = r->machine->memory.base,
		.ram_bytes = r->machine->memory.bytes,
		.bios_rom = r->bios_rom,
		.vcpus = r->cfg.vcpus,
		.uuid = r->cfg.uuid,
		.hvmloader_path = r->cfg.hvmloader,
		.bios_path = r->cfg.bios,
		.vgabios_path = r->cfg.vgabios,
		.boot = r->cfg.boot,
		.kernel = r->cfg.kernel,
		.initrd = r->cfg.initrd,
		.cmdline = r->cfg.cmdline,
	};
	memcpy(ret->order, r->cfg.order, sizeof(ret->order));
}

/* What the builder says, as our error. */
static int runtime_build_error(const struct hvm_build_error *be, struct ioemu_error *err)
{
	return ioemu_error_set(err, be->code, "%s: %s", be->field, be->detail);
}

int runtime_build(struct runtime *r, struct ioemu_error *err)
{
	struct hvm_build_error be = { .code = "build-failed", .field = "domain" };
	struct hvm_builder_params p;

	runtime_builder_params(r, &p);
	return hvm_build(&p, &be) < 0 ? runtime_build_error(&be, err) : 0;
}

int runtime_check_images(struct runtime *r, struct ioemu_error *err)
{
	struct hvm_build_error be = { .code = "build-failed", .field = "domain" };
	struct hvm_builder_params p;

	runtime_builder_params(r, &p);
	return hvm_build_check(&p, &be) < 0 ? runtime_build_error(&be, err) : 0;
}
