/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * builder.h - the domain builder: lays out guest memory, loads hvmloader, the firmware or a kernel,
 * and puts vcpu 0 at hvmloader's entry.
 *
 * Owns nothing that outlives a call: guest memory and the ROM buffer belong to the caller, files
 * are opened and closed inside. Locking: no vcpu of the domain runs during a call. Not saved: a
 * restored domain calls hvm_build_map() and then loads its memory and its records.
 *
 * The memory map (RAM below 4 GiB ends at HVM_PCI_HOLE at the most):
 *   00000000-0009ffff RAM
 *   000a0000-000bffff MMIO (VGA)
 *   000c0000-000fffff RAM  (option ROMs and BIOS, shadowed)
 *   00100000-...      RAM
 *   e0000000-ffffffff MMIO (PCI BARs, IOAPIC, HPET, LAPIC), but for
 *   fffc0000-ffffffff ROM  (BIOS, when the caller gives a ROM buffer)
 *   100000000-...     RAM  (what is left of it)
 */
#ifndef HVM_BUILDER_H
#define HVM_BUILDER_H

#include "hvm/hvm.h"

#define HVM_PCI_HOLE	   0xe0000000ull /* first gpa above low RAM */
#define HVM_HIGH_RAM	   0x100000000ull
#define HVM_BUILD_MIN_RAM  (16ull << 20)
#define HVM_BUILD_MAX_RAM  (1ull << 38) /* 256 GiB */
#define HVM_BIOS_ROM_BYTES 0x40000u

/* What hvmloader starts at its end. */
enum hvm_boot_kind {
	HVM_BOOT_FIRMWARE, /* SeaBIOS, and from there a disk, CD-ROM or the network */
	HVM_BOOT_KERNEL,   /* a kernel that the builder loaded */
};

enum hvm_boot_device {
	HVM_BOOT_DEV_NONE,
	HVM_BOOT_DEV_DISK,
	HVM_BOOT_DEV_CDROM,
	HVM_BOOT_DEV_NETWORK,
};
#define HVM_BOOT_ORDER_MAX 3

struct hvm_builder_params {
	struct hvm_domain *domain;
	/*
	 * Guest RAM, one contiguous readable and writable mapping: its first
	 * min(ram_bytes, HVM_PCI_HOLE) bytes are gpa 0.., the rest is gpa HVM_HIGH_RAM...
	 * (the 128 KiB at 0xa0000 are part of it and not visible to the guest).
	 */
	uint8_t *ram;
	uint64_t ram_bytes; /* a multiple of 1 MiB, HVM_BUILD_MIN_RAM to HVM_BUILD_MAX_RAM */
	/*
	 * HVM_BIOS_ROM_BYTES of page-aligned memory, the caller's, that stays mapped as long as the
	 * domain lives: the BIOS as a processor finds it below 4 GiB. NULL: nothing is mapped
	 * there.
	 */
	uint8_t *bios_rom;
	unsigned int vcpus; /* 1 to HVM_MAX_VCPUS, as the domain has them */
	const char *uuid;   /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" */

	const char *hvmloader_path; /* hvmloader.bin of this build */
	const char *bios_path;	    /* SeaBIOS with CONFIG_XEN: bios-256k.bin */
	/*
	 * Checked only (NULL: no VGABIOS). The VGA device shows this file in its PCI expansion ROM
	 * BAR: there hvmloader and SeaBIOS find it and run it from 0xc0000.
	 */
	const char *vgabios_path;

	enum hvm_boot_kind boot;
	enum hvm_boot_device order[HVM_BOOT_ORDER_MAX]; /* firmware: first tried first */
	const char *kernel;  /* kernel: bzImage, PVH ELF, multiboot ELF */
	const char *initrd;  /* NULL: none */
	const char *cmdline; /* NULL: empty */
};

/* Why a build failed, in words that an API can pass on. Strings are static but for detail[]. */
struct hvm_build_error {
	const char *code;  /* "kernel-not-found", "kernel-invalid", "memory-too-small", ... */
	const char *field; /* "boot.kernel", "boot.initrd", "boot.cmdline", "memory", "firmware" */
	char detail[256];
};

/*
 * hvm_build_map - the memory map alone, as above. Contents, vcpus and CMOS stay as they are.
 * 0; -EINVAL bad sizes; or what hvm_domain_map() says.
 */
int hvm_build_map(const struct hvm_builder_params *p, struct hvm_build_error *ret_err);

/*
 * hvm_build_check - read the headers of every image named in @p and check that all of it fits; no
 * domain or RAM needed (p->domain, ram, bios_rom may be NULL) and nothing is changed.
 * Errors as hvm_build().
 */
int hvm_build_check(const struct hvm_builder_params *p, struct hvm_build_error *ret_err);

/*
 * hvm_build - check, map, load everything and set vcpu 0 and CMOS up. May be called again for each
 * reset, after hvm_domain_reset() and with RAM zeroed by the caller; the images are read anew.
 * When a check fails, nothing was changed yet.
 *
 * 0, or negative with @ret_err filled (untouched on success):
 * -ENOENT  firmware-not-found, kernel-not-found, initrd-not-found
 * -EACCES  firmware-unreadable, kernel-unreadable, initrd-unreadable
 * -ENOEXEC firmware-invalid, kernel-invalid
 * -E2BIG   cmdline-too-long
 * -ENOSPC  memory-too-small
 * -EIO     image-read-failed (the file changed or the disk failed while loading)
 * -EINVAL  params-invalid
 * else     domain-setup-failed (the core refused a call)
 */
int hvm_build(const struct hvm_builder_params *p, struct hvm_build_error *ret_err);

#endif
