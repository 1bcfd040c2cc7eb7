/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elf.c - ELF kernels: Xen PVH entry note, and multiboot 1 header. 32 and 64 bits.
 * No state, no locking, nothing saved.
 * Source: System V ABI "Object Files"; Xen public headers elfnote.h, arch-x86/hvm/start_info.h;
 * Multiboot Specification 0.6.96.
 */
#include "image.h"
#include "kernel.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define XEN_ELFNOTE_PHYS32_ENTRY 18

#define MULTIBOOT_MAGIC	      0x1badb002u
#define MULTIBOOT_SEARCH      8192
#define MULTIBOOT_PAGE_ALIGN  0x00000001u
#define MULTIBOOT_MEMORY_INFO 0x00000002u
#define MULTIBOOT_VIDEO_MODE  0x00000004u
#define MULTIBOOT_ADDRESSES   0x00010000u
/* Bits 0-15 unknown to us must make us refuse; a video mode is a wish that we may decline. */
#define MULTIBOOT_MUST_KNOW \
	(0xffffu & ~(MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_VIDEO_MODE))

#define ELF_CMDLINE_MAX (HVM_CMDLINE_BYTES - 1)
#define ELF_MAX_PHNUM	256

/* A program header of either class. */
struct elf_segment {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_view {
	const uint8_t *file;
	uint64_t bytes;
	bool is_64;
	uint64_t entry;
	uint64_t phoff;
	unsigned int phnum;
	unsigned int phentsize;
};

static int elf_invalid(struct hvm_build_error *err, const char *why)
{
	return build_fail(err, -ENOEXEC, "kernel-invalid", "boot.kernel", "ELF: %s", why);
}

/* 1: no ELF for x86 at all; 0: @v is filled and its program headers lie inside the file. */
static int elf_view_init(struct elf_view *v, const uint8_t *file, uint64_t bytes,
			 struct hvm_build_error *err)
{
	Elf64_Ehdr h64;
	Elf32_Ehdr h32;
	uint16_t machine;

	if (bytes < sizeof(h64) || memcmp(file, ELFMAG, SELFMAG) != 0)
		return 1;
	if (file[EI_DATA] != ELFDATA2LSB)
		return elf_invalid(err, "not little endian");
	*v = (struct elf_view){ .file = file, .bytes = bytes };
	if (file[EI_CLASS] == ELFCLASS64) {
		memcpy(&h64, file, sizeof(h64));
		v->is_64 = true;
		v->entry = h64.e_entry;
		v->phoff = h64.e_phoff;
		v->phnum = h64.e_phnum;
		v->phentsize = h64.e_phentsize;
		machine = h64.e_machine;
	} else if (file[EI_CLASS] == ELFCLASS32) {
		memcpy(&h32, file, sizeof(h32));
		v->entry = h32.e_entry;
		v->phoff = h32.e_phoff;
		v->phnum = h32.e_phnum;
		v->phentsize = h32.e_phentsize;
		machine = h32.e_machine;
	} else {
		return elf_invalid(err, "neither 32 nor 64 bits");
	}
	if (machine != EM_X86_64 && machine != EM_386)
		return elf_invalid(err, "not for x86");
	if (v->phentsize != (v->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return elf_invalid(err, "unexpected size of program headers");
	if (!v->phnum || v->phnum > ELF_MAX_PHNUM ||
	    !range_fits(v->phoff, (uint64_t)v->phnum * v->phentsize, bytes))
		return elf_invalid(err, "program headers lie outside the file");
	return 0;
}

static void elf_segment_get(const struct elf_view *v, unsigned int i, struct elf_segment *ret)
{
	const uint8_t *p = v->file + v->phoff + (uint64_t)i * v->phentsize;
	Elf64_Phdr h64;
	Elf32_Phdr h32;

	if (v->is_64) {
		memcpy(&h64, p, sizeof(h64));
		*ret = (struct elf_segment){ h64.p_type,   h64.p_offset, h64.p_vaddr, h64.p_paddr,
					     h64.p_filesz, h64.p_memsz,	 h64.p_align };
	} else {
		memcpy(&h32, p, sizeof(h32));
		*ret = (struct elf_segment){ h32.p_type,   h32.p_offset, h32.p_vaddr, h32.p_paddr,
					     h32.p_filesz, h32.p_memsz,	 h32.p_align };
	}
}

/* Every PT_LOAD segment into the plan, at its physical address. */
static int elf_plan_segments(const struct elf_view *v, uint64_t ram_low, struct kernel_plan *plan,
			     struct hvm_build_error *err)
{
	struct elf_segment s;

	for (unsigned int i = 0; i < v->phnum; i++) {
		elf_segment_get(v, i, &s);
		if (s.type != PT_LOAD || !s.memsz)
			continue;
		if (s.filesz > s.memsz || !range_fits(s.offset, s.filesz, v->bytes))
			return elf_invalid(err, "a segment lies outside the file");
		if (s.paddr < KERNEL_LOWEST)
			return elf_invalid(err, "a segment is to be loaded below 1 MiB");
		if (!range_fits(s.paddr, s.memsz, ram_low))
			return build_fail(err, -ENOSPC, "memory-too-small", "memory",
					  "the kernel needs memory at %#llx-%#llx",
					  (unsigned long long)s.paddr,
					  (unsigned long long)(s.paddr + s.memsz));
		if (plan->segments == KERNEL_MAX_SEGMENTS)
			return elf_invalid(err, "too many segments");
		plan->segment[plan->segments++] = (struct kernel_segment){
			.gpa = s.paddr,
			.memory_bytes = s.memsz,
			.file_offset = s.offset,
			.file_bytes = s.filesz,
		};
		if (s.paddr + s.memsz > plan->memory_end)
			plan->memory_end = s.paddr + s.memsz;
	}
	if (!plan->segments)
		return elf_invalid(err, "nothing to load");
	return 0;
}

static bool plan_contains(const struct kernel_plan *plan, uint64_t gpa)
{
	for (unsigned int i = 0; i < plan->segments; i++) {
		const struct kernel_segment *s = &plan->segment[i];

		if (gpa >= s->gpa && gpa - s->gpa < s->memory_bytes)
			return true;
	}
	return false;
}

static uint64_t note_align(uint64_t bytes)
{
	return (bytes + 3) & ~3ull;
}

/*
 * The value of Xen's note @type in one PT_NOTE segment. Notes align to 4 bytes, also in 64-bit
 * files (Linux sets p_align 4).
 */
static bool elf_find_xen_note(const struct elf_view *v, const struct elf_segment *s, uint32_t type,
			      uint64_t *ret_value)
{
	const uint8_t *notes = v->file + s->offset;
	uint64_t at = 0;

	while (range_fits(at, 12, s->filesz)) {
		uint64_t name_bytes = get_u32(notes + at);
		uint64_t desc_bytes = get_u32(notes + at + 4);
		uint64_t name = at + 12;
		uint64_t desc = name + note_align(name_bytes);

		if (!range_fits(name, name_bytes, s->filesz) ||
		    !range_fits(desc, desc_bytes, s->filesz))
			return false;
		if (get_u32(notes + at + 8) == type && name_bytes == 4 &&
		    !memcmp(notes + name, "Xen", 4) && (desc_bytes == 4 || desc_bytes == 8)) {
			*ret_value = desc_bytes == 4 ? get_u32(notes + desc)
						     : get_u64(notes + desc);
			return true;
		}
		at = desc + note_align(desc_bytes);
	}
	return false;
}

int pvh_plan(const uint8_t *file, uint64_t bytes, uint64_t ram_low, struct kernel_plan *ret,
	     struct hvm_build_error *err)
{
	struct kernel_plan plan = {
		.action = HVM_BOOT_ACTION_PVH,
		.cmdline_max = ELF_CMDLINE_MAX,
		.initrd_max = UINT32_MAX,
	};
	struct elf_segment s;
	struct elf_view v;
	uint64_t entry = 0;
	bool found = false;
	int error;

	error = elf_view_init(&v, file, bytes, err);
	if (error)
		return error;
	for (unsigned int i = 0; i < v.phnum && !found; i++) {
		elf_segment_get(&v, i, &s);
		if (s.type == PT_NOTE && range_fits(s.offset, s.filesz, v.bytes))
			found = elf_find_xen_note(&v, &s, XEN_ELFNOTE_PHYS32_ENTRY, &entry);
	}
	if (!found)
		return 1;
	error = elf_plan_segments(&v, ram_low, &plan, err);
	if (error)
		return error;
	if (!plan_contains(&plan, entry))
		return elf_invalid(err, "the PVH entry point lies outside every segment");
	plan.entry = (uint32_t)entry;
	*ret = plan;
	return 0;
}

/* Offset of a valid multiboot 1 header, or -1. */
static int64_t multiboot_find(const uint8_t *file, uint64_t bytes)
{
	uint64_t end = bytes < MULTIBOOT_SEARCH ? bytes : MULTIBOOT_SEARCH;

	for (uint64_t at = 0; range_fits(at, 12, end); at += 4) {
		uint32_t sum = get_u32(file + at) + get_u32(file + at + 4) + get_u32(file + at + 8);

		if (get_u32(file + at) == MULTIBOOT_MAGIC && sum == 0)
			return (int64_t)at;
	}
	return -1;
}

/* The entry point is a virtual address in some ELF files: find the physical one. */
static uint64_t elf_entry_gpa(const struct elf_view *v)
{
	struct elf_segment s;

	for (unsigned int i = 0; i < v->phnum; i++) {
		elf_segment_get(v, i, &s);
		if (s.type == PT_LOAD && v->entry >= s.vaddr && v->entry - s.vaddr < s.memsz)
			return s.paddr + (v->entry - s.vaddr);
	}
	return v->entry;
}

/*
 * The header itself says where the file goes ("address fields"), which counts even in an ELF file:
 * 64-bit kernels use it, since multiboot 1 knows 32-bit ELF only.
 */
static int multiboot_plan_addresses(const uint8_t *file, uint64_t bytes, uint64_t header,
				    uint64_t ram_low, struct kernel_plan *plan,
				    struct hvm_build_error *err)
{
	uint64_t header_gpa, load, load_end, bss_end, file_bytes, offset;

	if (!range_fits(header, 32, bytes))
		return elf_invalid(err, "the multiboot header is cut short");
	header_gpa = get_u32(file + header + 12);
	load = get_u32(file + header + 16);
	load_end = get_u32(file + header + 20);
	bss_end = get_u32(file + header + 24);
	plan->entry = get_u32(file + header + 28);
	if (load > header_gpa || header_gpa - load > header)
		return elf_invalid(err, "the multiboot load address lies before the file");
	offset = header - (header_gpa - load);
	file_bytes = bytes - offset;
	if (load_end) {
		if (load_end < load || load_end - load > file_bytes)
			return elf_invalid(err, "the multiboot load end lies outside the file");
		file_bytes = load_end - load;
	}
	if (bss_end < load + file_bytes)
		bss_end = load + file_bytes;
	if (load < KERNEL_LOWEST)
		return elf_invalid(err, "is to be loaded below 1 MiB");
	if (!range_fits(load, bss_end - load, ram_low))
		return build_fail(err, -ENOSPC, "memory-too-small", "memory",
				  "the kernel needs memory at %#llx-%#llx",
				  (unsigned long long)load, (unsigned long long)bss_end);
	plan->segments = 1;
	plan->segment[0] = (struct kernel_segment){ load, bss_end - load, offset, file_bytes };
	plan->memory_end = bss_end;
	if (!plan_contains(plan, plan->entry))
		return elf_invalid(err, "the entry point lies outside what is loaded");
	return 0;
}

int multiboot_plan(const uint8_t *file, uint64_t bytes, uint64_t ram_low, struct kernel_plan *ret,
		   struct hvm_build_error *err)
{
	struct kernel_plan plan = {
		.action = HVM_BOOT_ACTION_MULTIBOOT,
		.cmdline_max = ELF_CMDLINE_MAX,
		.initrd_max = UINT32_MAX,
	};
	int64_t header = multiboot_find(file, bytes);
	struct elf_view v;
	uint32_t flags;
	uint64_t entry;
	int error;

	if (header < 0)
		return 1;
	flags = get_u32(file + header + 4);
	if (flags & MULTIBOOT_MUST_KNOW)
		return elf_invalid(err, "the multiboot header asks for unknown features");
	if (flags & MULTIBOOT_ADDRESSES) {
		error = multiboot_plan_addresses(file, bytes, (uint64_t)header, ram_low, &plan,
						 err);
		if (!error)
			*ret = plan;
		return error;
	}
	error = elf_view_init(&v, file, bytes, err);
	if (error == 1)
		return elf_invalid(err,
				   "a multiboot kernel that is neither ELF nor says where it goes");
	if (error)
		return error;
	error = elf_plan_segments(&v, ram_low, &plan, err);
	if (error)
		return error;
	entry = elf_entry_gpa(&v);
	if (!plan_contains(&plan, entry))
		return elf_invalid(err, "the entry point lies outside every segment");
	plan.entry = (uint32_t)entry;
	*ret = plan;
	return 0;
}
