/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot_info.h - what the builder tells hvmloader: one page, and where everything lies in the first
 * MiB while hvmloader runs. Shared by builder/ (64-bit) and hvmloader/ (32-bit), so fixed-width
 * little-endian fields only. Not saved: dead once hvmloader has handed over.
 */
#ifndef HVM_BOOT_INFO_H
#define HVM_BOOT_INFO_H

#include <stdint.h>

/*
 * Low memory while hvmloader runs. SeaBIOS fixes the first; the rest is ours.
 *   01000  info structure for SeaBIOS (hvmloader)
 *   02000  boot info page (builder)
 *   03000  kernel command line, 4 KiB (builder)
 *   04000  start structure of a kernel: boot_params, hvm_start_info or multiboot info
 *          (boot_params' setup header: builder; the rest hvmloader), and tables it points to
 *   06000  descriptor table for the kernel (hvmloader)
 *   08000  identity page tables for a 64-bit kernel, 6 pages (hvmloader)
 *   10000  real-mode code (hvmloader)
 *   20000  hvmloader, to 5ffff with its stack
 */
#define HVM_GPA_SEABIOS_INFO 0x1000u
#define HVM_GPA_BOOT_INFO    0x2000u
#define HVM_GPA_CMDLINE	     0x3000u
#define HVM_CMDLINE_BYTES    0x1000u /* with the terminating zero */
#define HVM_GPA_START_INFO   0x4000u
#define HVM_GPA_KERNEL_GDT   0x6000u
#define HVM_GPA_PAGE_TABLES  0x8000u
#define HVM_GPA_REAL_MODE    0x10000u
#define HVM_GPA_LOADER	     0x20000u
#define HVM_GPA_LOADER_END   0x60000u

/* Tables that outlive hvmloader: the last bytes of RAM below 4 GiB, reserved in the e820. */
#define HVM_TABLES_BYTES 0x10000u

#define HVM_BOOT_INFO_MAGIC   0x424d5648u /* "HVMB" */
#define HVM_BOOT_INFO_VERSION 1u

/*
 * hvmloader.bin is a flat image for HVM_GPA_LOADER. It starts with a jump and this header; its
 * first byte is the entry: 32-bit flat protected mode, paging off, ebx = HVM_GPA_BOOT_INFO.
 */
#define HVM_LOADER_MAGIC 0x4c4d5648u /* "HVML" */
struct hvm_loader_header {
	uint8_t jump[8];
	uint32_t magic;
	uint32_t version;    /* HVM_BOOT_INFO_VERSION it was built for */
	uint32_t file_end;   /* gpa of the end of the file */
	uint32_t memory_end; /* gpa of the end of its zeroed data */
};

/* How hvmloader leaves. */
enum hvm_boot_action {
	HVM_BOOT_ACTION_SEABIOS,
	HVM_BOOT_ACTION_LINUX32,   /* Linux 32-bit boot protocol, esi = boot_params */
	HVM_BOOT_ACTION_LINUX64,   /* Linux 64-bit boot protocol, rsi = boot_params */
	HVM_BOOT_ACTION_PVH,	   /* ebx = hvm_start_info */
	HVM_BOOT_ACTION_MULTIBOOT, /* eax = magic, ebx = multiboot info */
	HVM_BOOT_ACTION_COUNT,
};

struct hvm_boot_info {
	uint32_t magic;
	uint32_t version;
	uint32_t bytes;		/* of this structure */
	uint32_t action;	/* enum hvm_boot_action */
	uint64_t ram_low_bytes; /* below 4 GiB, at most HVM_PCI_HOLE; the 384 KiB hole counted in */
	uint64_t ram_high_bytes; /* from 4 GiB on */
	uint32_t vcpus;
	uint32_t entry;	 /* kernels: gpa of the entry point */
	uint32_t initrd; /* gpa, 0: none */
	uint32_t initrd_bytes;
	uint32_t cmdline_bytes; /* at HVM_GPA_CMDLINE, without the zero */
	uint32_t reserved;
	uint8_t uuid[16]; /* as SMBIOS wants it: first three fields little endian */
};
_Static_assert(sizeof(struct hvm_boot_info) == 72, "boot info has the same layout everywhere");

#endif
