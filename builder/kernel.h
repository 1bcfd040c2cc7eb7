/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel.h - kernel images: recognise one, check every field, say where its parts go.
 *
 * The parsers look at a whole file in memory and touch nothing else, so a fuzzer can drive them.
 * Nothing in a file is believed: every offset and length is checked against the file and the guest.
 */
#ifndef HVM_BUILDER_KERNEL_H
#define HVM_BUILDER_KERNEL_H

#include "boot_info.h"
#include "builder.h"

#define KERNEL_MAX_BYTES    (512ull << 20)
#define KERNEL_MAX_SEGMENTS 16
/* Lowest gpa a kernel may use: below are hvmloader, the BIOS data area and the VGA window. */
#define KERNEL_LOWEST	    0x100000ull

/* Bytes of the file that go to guest memory; memory beyond file_bytes is zero. */
struct kernel_segment {
	uint64_t gpa;
	uint64_t memory_bytes;
	uint64_t file_offset;
	uint64_t file_bytes;
};

struct kernel_plan {
	enum hvm_boot_action action;
	uint32_t entry;
	uint32_t cmdline_max; /* bytes without the terminating zero */
	uint64_t initrd_max;  /* highest gpa of an initrd's last byte */
	uint64_t memory_end;  /* first gpa beyond everything the kernel uses early */
	unsigned int segments;
	struct kernel_segment segment[KERNEL_MAX_SEGMENTS];
	/* bzImage only: the setup header to copy into boot_params, from file offset 0x1f1. */
	uint32_t setup_header_bytes;
	uint32_t setup_protocol; /* 0x020f is 2.15 */
};

/*
 * kernel_plan - what to do with the kernel in @file. @ram_low: bytes of RAM below 4 GiB that it may
 * use. @ret untouched on failure.
 * -ENOEXEC kernel-invalid, -ENOSPC memory-too-small.
 */
int kernel_plan(const uint8_t *file, uint64_t bytes, uint64_t ram_low, struct kernel_plan *ret,
		struct hvm_build_error *err);

/* One format each. 1: not this format, go on; else as kernel_plan(). */
int linux_plan(const uint8_t *file, uint64_t bytes, uint64_t ram_low, struct kernel_plan *ret,
	       struct hvm_build_error *err);
int multiboot_plan(const uint8_t *file, uint64_t bytes, uint64_t ram_low, struct kernel_plan *ret,
		   struct hvm_build_error *err);
int pvh_plan(const uint8_t *file, uint64_t bytes, uint64_t ram_low, struct kernel_plan *ret,
	     struct hvm_build_error *err);

/*
 * linux_boot_params - the builder's share of boot_params at @page (4 KiB, zeroed): the setup header
 * with loader type, command line and initrd filled in.
 */
void linux_boot_params(const uint8_t *file, const struct kernel_plan *plan,
		       const struct hvm_boot_info *info, uint8_t *page);

/* Little-endian fields at any alignment. */
static inline uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *p)
{
	return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

static inline uint64_t get_u64(const uint8_t *p)
{
	return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)v);
	put_u16(p + 2, (uint16_t)(v >> 16));
}

/* Is [offset, offset + bytes) inside something of @limit bytes? Never overflows. */
static inline bool range_fits(uint64_t offset, uint64_t bytes, uint64_t limit)
{
	return offset <= limit && bytes <= limit - offset;
}

#endif
