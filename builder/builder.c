/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * builder.c - builds a domain: check everything, map memory, load, set vcpu 0 and CMOS up.
 *
 * Two halves: struct build collects what was read and decided (nothing in the guest changes), then
 * build_load() writes. Locking and saving: see builder.h.
 * Source: Intel SDM Vol 3A 9.1.1 "Processor State After Reset" (what vcpu 0 would have had).
 */
#include "builder.h"

#include "boot_info.h"
#include "cmos.h"
#include "image.h"
#include "kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOADER_MAX_BYTES (HVM_GPA_LOADER_END - HVM_GPA_LOADER)
#define BIOS_END	 0x100000u
#define VGA_GPA		 0xa0000u
#define VGA_END		 0xc0000u
#define ROM_SIGNATURE	 0xaa55

#define CR0_PE	   0x1u
#define CR0_ET	   0x10u
#define RFLAGS_ONE 0x2u

/* Everything that was read and decided before the guest is touched. */
struct build {
	const struct hvm_builder_params *p;
	uint64_t ram_low;    /* bytes of RAM below 4 GiB */
	uint64_t ram_usable; /* of them, without the tables at the end */
	uint8_t *loader;
	uint64_t loader_bytes;
	uint8_t *bios;
	uint64_t bios_bytes;
	uint8_t *kernel;
	uint64_t kernel_bytes;
	struct kernel_plan plan;
	struct image initrd;
	struct hvm_boot_info info;
};

static int params_fail(struct hvm_build_error *err, const char *field, const char *why)
{
	return build_fail(err, -EINVAL, "params-invalid", field, "%s", why);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Text form to SMBIOS' order of bytes: the first three fields are little endian. */
static int uuid_parse(const char *text, uint8_t *ret)
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	uint8_t bytes[16];

	for (unsigned int i = 0; i < 16; i++) {
		int high, low;

		if (i == 4 || i == 6 || i == 8 || i == 10) {
			if (*text++ != '-')
				return -EINVAL;
		}
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		bytes[order[i]] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return -EINVAL;
	memcpy(ret, bytes, sizeof(bytes));
	return 0;
}

static int build_check_sizes(const struct hvm_builder_params *p, struct hvm_build_error *err)
{
	if (p->ram_bytes < HVM_BUILD_MIN_RAM || p->ram_bytes > HVM_BUILD_MAX_RAM ||
	    (p->ram_bytes & 0xfffff))
		return params_fail(err, "memory", "must be whole MiB, 16 MiB to 256 GiB");
	return 0;
}

static int build_check_params(const struct hvm_builder_params *p, struct hvm_build_error *err)
{
	uint8_t uuid[16];
	int error = build_check_sizes(p, err);

	if (error)
		return error;
	if (!p->vcpus || p->vcpus > HVM_MAX_VCPUS)
		return params_fail(err, "vcpus", "must be 1 to 16");
	if (!p->uuid || uuid_parse(p->uuid, uuid))
		return params_fail(err, "uuid", "not a UUID");
	if (!p->hvmloader_path)
		return params_fail(err, "firmware", "no hvmloader");
	if (p->boot == HVM_BOOT_FIRMWARE && !p->bios_path)
		return params_fail(err, "firmware", "no BIOS");
	if (p->boot == HVM_BOOT_KERNEL && !p->kernel)
		return params_fail(err, "boot.kernel", "no kernel");
	if (p->boot != HVM_BOOT_FIRMWARE && p->boot != HVM_BOOT_KERNEL)
		return params_fail(err, "boot", "unknown kind");
	return 0;
}

/* Read all of @path, at most @max bytes. @ret_buf is from malloc(). */
static int read_file(const char *path, bool is_kernel, uint64_t max, uint8_t **ret_buf,
		     uint64_t *ret_bytes, struct hvm_build_error *err)
{
	struct image im = {
		.path = path,
		.field = is_kernel ? "boot.kernel" : "firmware",
		.not_found = is_kernel ? "kernel-not-found" : "firmware-not-found",
		.unreadable = is_kernel ? "kernel-unreadable" : "firmware-unreadable",
		.fd = -1,
	};
	uint8_t *buf = NULL;
	int error = image_open(&im, err);

	if (error)
		goto err_close;
	if (!im.bytes || im.bytes > max) {
		error = build_fail(err, -ENOEXEC, is_kernel ? "kernel-invalid" : "firmware-invalid",
				   im.field, "%s: %llu bytes, expected 1 to %llu", path,
				   (unsigned long long)im.bytes, (unsigned long long)max);
		goto err_close;
	}
	buf = malloc(im.bytes);
	if (!buf) {
		error = build_fail(err, -ENOMEM, "out-of-memory", im.field,
				   "%s: no memory to read %llu bytes", path,
				   (unsigned long long)im.bytes);
		goto err_close;
	}
	error = image_read(&im, 0, buf, im.bytes, err);
	if (error)
		goto err_close;
	image_close(&im);
	*ret_buf = buf;
	*ret_bytes = im.bytes;
	return 0;
err_close:
	image_close(&im);
	free(buf);
	return error;
}

static int build_read_loader(struct build *b, struct hvm_build_error *err)
{
	struct hvm_loader_header header;
	int error = read_file(b->p->hvmloader_path, false, LOADER_MAX_BYTES, &b->loader,
			      &b->loader_bytes, err);

	if (error)
		return error;
	memset(&header, 0, sizeof(header));
	if (b->loader_bytes > sizeof(header))
		memcpy(&header, b->loader, sizeof(header));
	if (header.magic != HVM_LOADER_MAGIC || header.version != HVM_BOOT_INFO_VERSION ||
	    header.file_end != HVM_GPA_LOADER + b->loader_bytes ||
	    header.memory_end < header.file_end || header.memory_end > HVM_GPA_LOADER_END)
		return build_fail(err, -ENOEXEC, "firmware-invalid", "firmware",
				  "%s: not the hvmloader of this version", b->p->hvmloader_path);
	return 0;
}

static int build_read_bios(struct build *b, struct hvm_build_error *err)
{
	/* SeaBIOS checks this very text at HVM_GPA_SEABIOS_INFO when it has CONFIG_XEN. */
	static const char xen_interface[] = "XenHVMSeaBIOS";
	int error = read_file(b->p->bios_path, false, HVM_BIOS_ROM_BYTES, &b->bios, &b->bios_bytes,
			      err);

	if (error)
		return error;
	if (b->bios_bytes & 0xffff)
		return build_fail(err, -ENOEXEC, "firmware-invalid", "firmware",
				  "%s: a BIOS image is 64, 128, 192 or 256 KiB", b->p->bios_path);
	if (!memmem(b->bios, b->bios_bytes, xen_interface, sizeof(xen_interface) - 1))
		return build_fail(err, -ENOEXEC, "firmware-invalid", "firmware",
				  "%s: not a SeaBIOS built with CONFIG_XEN", b->p->bios_path);
	return 0;
}

static int build_check_vgabios(struct build *b, struct hvm_build_error *err)
{
	uint8_t *rom;
	uint64_t bytes;
	bool good;
	int error;

	if (!b->p->vgabios_path)
		return 0;
	error = read_file(b->p->vgabios_path, false, 0x10000, &rom, &bytes, err);
	if (error)
		return error;
	good = bytes > 3 && get_u16(rom) == ROM_SIGNATURE && rom[2] * 512u <= bytes;
	free(rom);
	if (!good)
		return build_fail(err, -ENOEXEC, "firmware-invalid", "firmware",
				  "%s: not an option ROM", b->p->vgabios_path);
	return 0;
}

/* The initrd goes as high as the kernel allows, as boot loaders do. */
static int build_place_initrd(struct build *b, struct hvm_build_error *err)
{
	uint64_t end = b->ram_usable;
	uint64_t bytes;
	int error;

	b->initrd.path = b->p->initrd;
	if (!b->p->initrd)
		return 0;
	error = image_open(&b->initrd, err);
	if (error)
		return error;
	bytes = b->initrd.bytes;
	if (!bytes)
		return 0;
	if (b->plan.initrd_max < end - 1)
		end = b->plan.initrd_max + 1;
	if (bytes > end || ((end - bytes) & HVM_PAGE_MASK) < b->plan.memory_end)
		return build_fail(
			err, -ENOSPC, "memory-too-small", "memory",
			"no room for %llu KiB of initrd: the kernel takes %llu KiB of %llu KiB",
			(unsigned long long)(bytes >> 10),
			(unsigned long long)(b->plan.memory_end >> 10),
			(unsigned long long)(end >> 10));
	b->info.initrd = (uint32_t)((end - bytes) & HVM_PAGE_MASK);
	b->info.initrd_bytes = (uint32_t)bytes;
	return 0;
}

static int build_read_kernel(struct build *b, struct hvm_build_error *err)
{
	size_t cmdline_bytes = b->p->cmdline ? strlen(b->p->cmdline) : 0;
	size_t cmdline_max;
	int error =
		read_file(b->p->kernel, true, KERNEL_MAX_BYTES, &b->kernel, &b->kernel_bytes, err);

	if (error)
		return error;
	error = kernel_plan(b->kernel, b->kernel_bytes, b->ram_usable, &b->plan, err);
	if (error)
		return error;
	cmdline_max = b->plan.cmdline_max < HVM_CMDLINE_BYTES ? b->plan.cmdline_max
							      : HVM_CMDLINE_BYTES - 1;
	if (cmdline_bytes > cmdline_max)
		return build_fail(err, -E2BIG, "cmdline-too-long", "boot.cmdline",
				  "%zu bytes, this kernel takes %zu", cmdline_bytes, cmdline_max);
	b->info.action = b->plan.action;
	b->info.entry = b->plan.entry;
	b->info.cmdline_bytes = (uint32_t)cmdline_bytes;
	return build_place_initrd(b, err);
}

/* Read and decide everything. build_fini() also after a failure. */
static int build_init(struct build *b, const struct hvm_builder_params *p,
		      struct hvm_build_error *err)
{
	int error;

	memset(b, 0, sizeof(*b));
	b->p = p;
	b->initrd = (struct image){
		.field = "boot.initrd",
		.not_found = "initrd-not-found",
		.unreadable = "initrd-unreadable",
		.fd = -1,
	};
	error = build_check_params(p, err);
	if (error)
		return error;
	b->ram_low = p->ram_bytes < HVM_PCI_HOLE ? p->ram_bytes : HVM_PCI_HOLE;
	b->ram_usable = b->ram_low - HVM_TABLES_BYTES;
	b->info = (struct hvm_boot_info){
		.magic = HVM_BOOT_INFO_MAGIC,
		.version = HVM_BOOT_INFO_VERSION,
		.bytes = sizeof(b->info),
		.action = HVM_BOOT_ACTION_SEABIOS,
		.ram_low_bytes = b->ram_low,
		.ram_high_bytes = p->ram_bytes - b->ram_low,
		.vcpus = p->vcpus,
	};
	uuid_parse(p->uuid, b->info.uuid);

	error = build_read_loader(b, err);
	if (!error)
		error = build_check_vgabios(b, err);
	if (!error && p->boot == HVM_BOOT_FIRMWARE)
		error = build_read_bios(b, err);
	if (!error && p->boot == HVM_BOOT_KERNEL)
		error = build_read_kernel(b, err);
	return error;
}

static void build_fini(struct build *b)
{
	image_close(&b->initrd);
	free(b->kernel);
	free(b->bios);
	free(b->loader);
}

static int build_map_range(const struct hvm_builder_params *p, gpa_t gpa, uint64_t bytes,
			   enum hvm_mem_type type, void *hva, struct hvm_build_error *err)
{
	int error = hvm_domain_map(p->domain, gpa, bytes, type, hva);

	if (error)
		return build_fail(err, error, "domain-setup-failed", "memory",
				  "mapping %#llx-%#llx failed: %d", (unsigned long long)gpa,
				  (unsigned long long)(gpa + bytes), error);
	return 0;
}

int hvm_build_map(const struct hvm_builder_params *p, struct hvm_build_error *ret_err)
{
	uint64_t low;
	int error = build_check_sizes(p, ret_err);

	if (error)
		return error;
	if (!p->domain || !p->ram)
		return params_fail(ret_err, "memory", "no domain or no memory");
	low = p->ram_bytes < HVM_PCI_HOLE ? p->ram_bytes : HVM_PCI_HOLE;
	error = build_map_range(p, 0, VGA_GPA, HVM_MEM_RAM, p->ram, ret_err);
	if (!error)
		error = build_map_range(p, VGA_GPA, VGA_END - VGA_GPA, HVM_MEM_MMIO, NULL, ret_err);
	if (!error)
		error = build_map_range(p, VGA_END, low - VGA_END, HVM_MEM_RAM, p->ram + VGA_END,
					ret_err);
	if (!error && p->bios_rom)
		error = build_map_range(p, HVM_HIGH_RAM - HVM_BIOS_ROM_BYTES, HVM_BIOS_ROM_BYTES,
					HVM_MEM_ROM, p->bios_rom, ret_err);
	if (!error && p->ram_bytes > low)
		error = build_map_range(p, HVM_HIGH_RAM, p->ram_bytes - low, HVM_MEM_RAM,
					p->ram + low, ret_err);
	return error;
}

/* Copy to guest memory below 4 GiB. The plan's checks made sure that it fits. */
static void build_copy(const struct build *b, gpa_t gpa, const void *from, uint64_t bytes)
{
	memcpy(b->p->ram + gpa, from, bytes);
	hvm_domain_memory_written(b->p->domain, gpa, bytes);
}

static void build_load_bios(const struct build *b)
{
	const struct hvm_builder_params *p = b->p;

	if (b->bios)
		build_copy(b, BIOS_END - b->bios_bytes, b->bios, b->bios_bytes);
	if (!p->bios_rom)
		return;
	memset(p->bios_rom, 0xff, HVM_BIOS_ROM_BYTES);
	if (b->bios)
		memcpy(p->bios_rom + HVM_BIOS_ROM_BYTES - b->bios_bytes, b->bios, b->bios_bytes);
	hvm_domain_memory_written(p->domain, HVM_HIGH_RAM - HVM_BIOS_ROM_BYTES, HVM_BIOS_ROM_BYTES);
}

static int build_load_kernel(const struct build *b, struct hvm_build_error *err)
{
	uint8_t page[HVM_PAGE_SIZE] = { 0 };
	int error;

	for (unsigned int i = 0; i < b->plan.segments; i++) {
		const struct kernel_segment *s = &b->plan.segment[i];

		memset(b->p->ram + s->gpa + s->file_bytes, 0, s->memory_bytes - s->file_bytes);
		memcpy(b->p->ram + s->gpa, b->kernel + s->file_offset, s->file_bytes);
		hvm_domain_memory_written(b->p->domain, s->gpa, s->memory_bytes);
	}
	if (b->info.initrd_bytes) {
		error = image_read(&b->initrd, 0, b->p->ram + b->info.initrd, b->info.initrd_bytes,
				   err);
		if (error)
			return error;
		hvm_domain_memory_written(b->p->domain, b->info.initrd, b->info.initrd_bytes);
	}
	if (b->plan.setup_header_bytes)
		linux_boot_params(b->kernel, &b->plan, &b->info, page);
	build_copy(b, HVM_GPA_START_INFO, page, sizeof(page));
	build_copy(b, HVM_GPA_CMDLINE, b->p->cmdline ? b->p->cmdline : "",
		   (uint64_t)b->info.cmdline_bytes + 1);
	return 0;
}

/* vcpu 0 at hvmloader's entry: flat 32-bit protected mode, paging and interrupts off. */
static int build_set_vcpu(const struct build *b, struct hvm_build_error *err)
{
	struct hvm_vcpu *v = hvm_domain_vcpu(b->p->domain, 0);
	struct hvm_vcpu_state s;
	int error = v ? hvm_vcpu_get_state(v, &s) : -ENODEV;

	if (!error) {
		for (unsigned int i = HVM_SEG_ES; i <= HVM_SEG_GS; i++) {
			bool code = i == HVM_SEG_CS;

			s.seg[i] = (struct hvm_seg){
				.sel = code ? 0x08 : 0x10,
				.limit = UINT32_MAX,
				.ar = HVM_AR_ACCESSED | HVM_AR_RW | (code ? HVM_AR_CODE : 0) |
				      HVM_AR_S | HVM_AR_P | HVM_AR_DB | HVM_AR_G,
			};
		}
		memset(s.gpr, 0, sizeof(s.gpr));
		s.gpr[3] = HVM_GPA_BOOT_INFO; /* ebx */
		s.rip = HVM_GPA_LOADER;
		s.rflags = RFLAGS_ONE;
		s.cr0 = CR0_PE | CR0_ET;
		s.cr3 = 0;
		s.cr4 = 0;
		s.efer = 0;
		s.activity = HVM_ACTIVITY_RUN;
		error = hvm_vcpu_set_state(v, &s);
	}
	if (error)
		return build_fail(err, error, "domain-setup-failed", "vcpus",
				  "setting vcpu 0 up failed: %d", error);
	return 0;
}

static int build_load(const struct build *b, struct hvm_build_error *err)
{
	int error = hvm_build_map(b->p, err);

	if (error)
		return error;
	build_load_bios(b);
	build_copy(b, HVM_GPA_LOADER, b->loader, b->loader_bytes);
	if (b->kernel) {
		error = build_load_kernel(b, err);
		if (error)
			return error;
	}
	build_copy(b, HVM_GPA_BOOT_INFO, &b->info, sizeof(b->info));
	error = cmos_fill(b->p, b->ram_low);
	if (error)
		return build_fail(err, error, "domain-setup-failed", "memory",
				  "writing CMOS failed: %d", error);
	return build_set_vcpu(b, err);
}

int hvm_build_check(const struct hvm_builder_params *p, struct hvm_build_error *ret_err)
{
	struct build b;
	int error = build_init(&b, p, ret_err);

	build_fini(&b);
	return error;
}

int hvm_build(const struct hvm_builder_params *p, struct hvm_build_error *ret_err)
{
	struct build b;
	int error = build_init(&b, p, ret_err);

	if (!error)
		error = build_load(&b, ret_err);
	build_fini(&b);
	return error;
}
