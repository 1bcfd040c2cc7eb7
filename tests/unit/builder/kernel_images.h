/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_images.h - small kernel images made in memory, for the builder's tests.
 */
#ifndef TEST_KERNEL_IMAGES_H
#define TEST_KERNEL_IMAGES_H

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "builder/kernel.h"

#define MIB (1ull << 20)

/* A relocatable 64-bit bzImage of protocol 2.15: one set-up sector, @payload bytes of 0x90. */
static inline uint8_t *bzimage_make(uint64_t payload, uint64_t *ret_bytes)
{
	uint64_t bytes = 1024 + payload;
	uint8_t *f = calloc(1, bytes);

	memset(f + 1024, 0x90, payload);
	f[0x1f1] = 1;
	put_u32(f + 0x1f4, (uint32_t)((payload + 15) / 16));
	put_u16(f + 0x1fe, 0xaa55);
	f[0x200] = 0xeb;
	f[0x201] = 0x6a;
	memcpy(f + 0x202, "HdrS", 4);
	put_u16(f + 0x206, 0x020f);
	f[0x211] = 0x01;
	put_u32(f + 0x214, 0x100000);
	put_u32(f + 0x22c, 0x7fffffff);
	put_u32(f + 0x230, 0x200000);
	f[0x234] = 1;
	put_u16(f + 0x236, 0x0001);
	put_u32(f + 0x238, 2047);
	put_u32(f + 0x258, 0x1000000);
	put_u32(f + 0x260, (uint32_t)(payload + 0x100000));
	*ret_bytes = bytes;
	return f;
}

#define PVH_NOTE_AT	0x200
#define PVH_CODE_AT	0x1000
#define PVH_CODE_BYTES	0x100
#define PVH_CODE_GPA	0x100000
#define PVH_IMAGE_BYTES 0x1100

/* A 64-bit ELF with one segment at 1 MiB and Xen's entry note. */
static inline uint8_t *pvh_make(uint64_t *ret_bytes)
{
	uint8_t *f = calloc(1, PVH_IMAGE_BYTES);
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr p[2] = {
		{ .p_type = PT_LOAD,
		  .p_offset = PVH_CODE_AT,
		  .p_vaddr = 0xffffffff80100000ull,
		  .p_paddr = PVH_CODE_GPA,
		  .p_filesz = PVH_CODE_BYTES,
		  .p_memsz = 0x2000 },
		{ .p_type = PT_NOTE, .p_offset = PVH_NOTE_AT, .p_filesz = 20, .p_memsz = 20 },
	};

	memcpy(f, &h, sizeof(h));
	memcpy(f + sizeof(h), p, sizeof(p));
	put_u32(f + PVH_NOTE_AT, 4);
	put_u32(f + PVH_NOTE_AT + 4, 4);
	put_u32(f + PVH_NOTE_AT + 8, 18);
	memcpy(f + PVH_NOTE_AT + 12, "Xen", 4);
	put_u32(f + PVH_NOTE_AT + 16, PVH_CODE_GPA + 0x10);
	memset(f + PVH_CODE_AT, 0xcc, PVH_CODE_BYTES);
	*ret_bytes = PVH_IMAGE_BYTES;
	return f;
}

static inline Elf64_Phdr *pvh_phdr(uint8_t *f, unsigned int i)
{
	return (Elf64_Phdr *)(f + sizeof(Elf64_Ehdr)) + i;
}

#define MB_HEADER_AT 0x100

/* The ELF above without its note, with a multiboot 1 header of @flags instead. */
static inline uint8_t *multiboot_make(uint32_t flags, uint64_t *ret_bytes)
{
	uint8_t *f = pvh_make(ret_bytes);

	put_u32(f + PVH_NOTE_AT + 8, 0);
	((Elf64_Ehdr *)f)->e_entry = 0xffffffff80100020ull;
	put_u32(f + MB_HEADER_AT, 0x1badb002);
	put_u32(f + MB_HEADER_AT + 4, flags);
	put_u32(f + MB_HEADER_AT + 8, -(0x1badb002u + flags));
	return f;
}

#endif
