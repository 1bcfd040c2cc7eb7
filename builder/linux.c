/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.c - Linux bzImage: the setup header's checks, where the kernel goes, boot_params.
 * No state, no locking, nothing saved.
 * Source: Linux Documentation/arch/x86/boot.rst "The Linux/x86 Boot Protocol".
 */
#include "image.h"
#include "kernel.h"

#include <errno.h>
#include <string.h>

/* Offsets in the file and, from SETUP_SECTS on, in boot_params. */
#define SETUP_SECTS	       0x1f1
#define SETUP_SYSSIZE	       0x1f4
#define SETUP_BOOT_FLAG	       0x1fe
#define SETUP_JUMP	       0x200
#define SETUP_MAGIC	       0x202
#define SETUP_VERSION	       0x206
#define SETUP_TYPE_OF_LOADER   0x210
#define SETUP_LOADFLAGS	       0x211
#define SETUP_CODE32_START     0x214
#define SETUP_RAMDISK_IMAGE    0x218
#define SETUP_RAMDISK_SIZE     0x21c
#define SETUP_HEAP_END_PTR     0x224
#define SETUP_CMD_LINE_PTR     0x228
#define SETUP_INITRD_ADDR_MAX  0x22c
#define SETUP_KERNEL_ALIGNMENT 0x230
#define SETUP_RELOCATABLE      0x234
#define SETUP_MIN_ALIGNMENT    0x235
#define SETUP_XLOADFLAGS       0x236
#define SETUP_CMDLINE_SIZE     0x238
#define SETUP_PREF_ADDRESS     0x258
#define SETUP_INIT_SIZE	       0x260
#define SETUP_HEADER_END_MAX   0x290 /* boot_params has other fields from here on */

#define SETUP_MAGIC_HDRS      0x53726448u /* "HdrS" */
#define SETUP_BOOT_FLAG_VALUE 0xaa55
#define LOADED_HIGH	      0x01
#define CAN_USE_HEAP	      0x80
#define XLF_KERNEL_64	      0x0001
#define XLF_ENTRY_64	      0x200 /* startup_64 beyond the start of the kernel */
#define LOADER_UNDEFINED      0xff
#define PROTOCOL_2_00	      0x0200
#define PROTOCOL_2_03	      0x0203 /* initrd_addr_max */
#define PROTOCOL_2_05	      0x0205 /* relocatable_kernel, kernel_alignment */
#define PROTOCOL_2_06	      0x0206 /* cmdline_size */
#define PROTOCOL_2_10	      0x020a /* pref_address, init_size */
#define PROTOCOL_2_12	      0x020c /* xloadflags */

#define OLD_CMDLINE_MAX	    255
#define OLD_INITRD_MAX	    0x37ffffffull
/* A kernel without init_size unpacks itself over what follows: leave it room. */
#define OLD_INIT_FACTOR	    4
#define SECTOR_BYTES	    512
#define DEFAULT_SETUP_SECTS 4

static int linux_invalid(struct hvm_build_error *err, const char *why)
{
	return build_fail(err, -ENOEXEC, "kernel-invalid", "boot.kernel", "bzImage: %s", why);
}

/* The lowest place above @from that the header's alignment allows. */
static int linux_place(const uint8_t *file, uint32_t protocol, uint64_t init_bytes,
		       uint64_t ram_low, uint64_t *ret_gpa, struct hvm_build_error *err)
{
	uint64_t preferred = get_u32(file + SETUP_CODE32_START);
	uint64_t align = 0;
	uint64_t gpa;

	if (protocol >= PROTOCOL_2_10)
		preferred = get_u64(file + SETUP_PREF_ADDRESS);
	if (protocol >= PROTOCOL_2_05 && file[SETUP_RELOCATABLE])
		align = get_u32(file + SETUP_KERNEL_ALIGNMENT);
	if (align & (align - 1))
		return linux_invalid(err, "kernel_alignment is not a power of two");
	if (preferred >= KERNEL_LOWEST && range_fits(preferred, init_bytes, ram_low)) {
		*ret_gpa = preferred;
		return 0;
	}
	if (!align && preferred < KERNEL_LOWEST)
		return linux_invalid(err, "wants to be loaded below 1 MiB");
	gpa = align > KERNEL_LOWEST ? align : KERNEL_LOWEST;
	if (!align || !range_fits(gpa, init_bytes, ram_low))
		return build_fail(err, -ENOSPC, "memory-too-small", "memory",
				  "the kernel needs %llu KiB at %#llx",
				  (unsigned long long)(init_bytes >> 10),
				  (unsigned long long)(align ? gpa : preferred));
	*ret_gpa = gpa;
	return 0;
}

/* Bytes the kernel claims from its load address on, before it reads the memory map. */
static uint64_t linux_init_bytes(const uint8_t *file, uint32_t protocol, uint64_t payload)
{
	uint64_t init = payload * OLD_INIT_FACTOR;

	if (protocol >= PROTOCOL_2_10)
		init = get_u32(file + SETUP_INIT_SIZE);
	return init > payload ? init : payload;
}

static int linux_check_header(const uint8_t *file, uint64_t bytes, struct hvm_build_error *err)
{
	uint64_t setup_bytes;
	uint64_t syssize_bytes;
	uint32_t sects = file[SETUP_SECTS] ? file[SETUP_SECTS] : DEFAULT_SETUP_SECTS;

	if (get_u16(file + SETUP_BOOT_FLAG) != SETUP_BOOT_FLAG_VALUE)
		return linux_invalid(err, "boot flag is not 0xaa55");
	if (get_u16(file + SETUP_VERSION) < PROTOCOL_2_00)
		return linux_invalid(err, "boot protocol older than 2.00");
	if (!(file[SETUP_LOADFLAGS] & LOADED_HIGH))
		return linux_invalid(err, "a zImage, which loads below 1 MiB");
	setup_bytes = (uint64_t)(sects + 1) * SECTOR_BYTES;
	if (setup_bytes >= bytes)
		return linux_invalid(err, "the file ends inside the set-up code");
	syssize_bytes = (uint64_t)get_u32(file + SETUP_SYSSIZE) * 16;
	/* The last paragraph may be cut; signed kernels carry more than syssize says. */
	if (syssize_bytes > bytes - setup_bytes + 15)
		return linux_invalid(err, "the file is shorter than its header says");
	return 0;
}

int linux_plan(const uint8_t *file, uint64_t bytes, uint64_t ram_low, struct kernel_plan *ret,
	       struct hvm_build_error *err)
{
	struct kernel_plan plan = { .action = HVM_BOOT_ACTION_LINUX32 };
	uint64_t setup_bytes, payload, init_bytes;
	uint64_t gpa = 0;
	uint32_t protocol, header_end;
	int error;

	if (bytes < SETUP_HEADER_END_MAX || get_u32(file + SETUP_MAGIC) != SETUP_MAGIC_HDRS)
		return 1;
	error = linux_check_header(file, bytes, err);
	if (error)
		return error;
	protocol = get_u16(file + SETUP_VERSION);
	setup_bytes =
		(uint64_t)((file[SETUP_SECTS] ? file[SETUP_SECTS] : DEFAULT_SETUP_SECTS) + 1) *
		SECTOR_BYTES;
	payload = bytes - setup_bytes;
	init_bytes = linux_init_bytes(file, protocol, payload);
	error = linux_place(file, protocol, init_bytes, ram_low, &gpa, err);
	if (error)
		return error;

	plan.entry = (uint32_t)gpa;
	if (protocol >= PROTOCOL_2_12 && (get_u16(file + SETUP_XLOADFLAGS) & XLF_KERNEL_64)) {
		if (payload <= XLF_ENTRY_64)
			return linux_invalid(err, "no room for the 64-bit entry point");
		plan.action = HVM_BOOT_ACTION_LINUX64;
		plan.entry += XLF_ENTRY_64;
	}
	plan.cmdline_max = OLD_CMDLINE_MAX;
	if (protocol >= PROTOCOL_2_06 && get_u32(file + SETUP_CMDLINE_SIZE))
		plan.cmdline_max = get_u32(file + SETUP_CMDLINE_SIZE);
	plan.initrd_max = OLD_INITRD_MAX;
	if (protocol >= PROTOCOL_2_03)
		plan.initrd_max = get_u32(file + SETUP_INITRD_ADDR_MAX);
	plan.memory_end = gpa + init_bytes;
	plan.segments = 1;
	plan.segment[0] = (struct kernel_segment){
		.gpa = gpa,
		.memory_bytes = init_bytes,
		.file_offset = setup_bytes,
		.file_bytes = payload,
	};
	/* The header ends where the jump over it lands. */
	header_end = 0x202u + file[SETUP_JUMP + 1];
	if (header_end > SETUP_HEADER_END_MAX)
		header_end = SETUP_HEADER_END_MAX;
	plan.setup_header_bytes = header_end - SETUP_SECTS;
	plan.setup_protocol = protocol;
	*ret = plan;
	return 0;
}

void linux_boot_params(const uint8_t *file, const struct kernel_plan *plan,
		       const struct hvm_boot_info *info, uint8_t *page)
{
	memcpy(page + SETUP_SECTS, file + SETUP_SECTS, plan->setup_header_bytes);
	page[SETUP_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	/* The heap is for the real-mode set-up code, which is not run. */
	page[SETUP_LOADFLAGS] &= (uint8_t)~CAN_USE_HEAP;
	put_u16(page + SETUP_HEAP_END_PTR, 0);
	put_u32(page + SETUP_CODE32_START, (uint32_t)plan->segment[0].gpa);
	put_u32(page + SETUP_CMD_LINE_PTR, HVM_GPA_CMDLINE);
	put_u32(page + SETUP_RAMDISK_IMAGE, info->initrd);
	put_u32(page + SETUP_RAMDISK_SIZE, info->initrd_bytes);
}
