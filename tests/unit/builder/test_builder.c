/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_builder.c - hvm_build() against a domain that records what it is told: the memory map, what
 * is loaded where, vcpu 0, CMOS, and every error with nothing changed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel_images.h"

#define RAM_MIB 32

struct mapping {
	gpa_t gpa;
	uint64_t bytes;
	enum hvm_mem_type type;
	void *hva;
};

static struct {
	unsigned int maps;
	struct mapping map[16];
	struct hvm_vcpu_state state;
	unsigned int states;
	uint8_t cmos[128];
} domain;

int hvm_domain_map(struct hvm_domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type,
		   void *hva)
{
	(void)d;
	assert_true(domain.maps < HVM_ARRAY_SIZE(domain.map));
	domain.map[domain.maps++] = (struct mapping){ gpa, bytes, type, hva };
	return 0;
}

void hvm_domain_memory_written(struct hvm_domain *d, gpa_t gpa, uint64_t bytes)
{
	(void)d;
	(void)gpa;
	assert_true(bytes);
}

int hvm_cmos_write(struct hvm_domain *d, unsigned int index, uint8_t value)
{
	(void)d;
	assert_true(index >= 14 && index < 128);
	domain.cmos[index] = value;
	return 0;
}

struct hvm_vcpu *hvm_domain_vcpu(struct hvm_domain *d, unsigned int index)
{
	return index ? NULL : (struct hvm_vcpu *)d;
}

int hvm_vcpu_get_state(struct hvm_vcpu *v, struct hvm_vcpu_state *ret)
{
	(void)v;
	memset(ret, 0, sizeof(*ret));
	return 0;
}

int hvm_vcpu_set_state(struct hvm_vcpu *v, const struct hvm_vcpu_state *s)
{
	(void)v;
	domain.state = *s;
	domain.states++;
	return 0;
}

/* Files of one test, in a folder of their own. */
struct fixture {
	char folder[64];
	char loader[96], bios[96], kernel[96], initrd[96];
	uint8_t *ram;
	uint8_t *rom;
	struct hvm_builder_params p;
	struct hvm_build_error err;
};

static void write_file(const char *path, const void *data, size_t bytes)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, bytes, f), bytes);
	fclose(f);
}

static void write_images(struct fixture *f)
{
	struct hvm_loader_header header = {
		.magic = HVM_LOADER_MAGIC,
		.version = HVM_BOOT_INFO_VERSION,
		.file_end = HVM_GPA_LOADER + 64,
		.memory_end = HVM_GPA_LOADER + 4096,
	};
	uint8_t loader[64] = { 0 };
	uint8_t *bios = calloc(1, HVM_BIOS_ROM_BYTES);
	uint64_t kernel_bytes;
	uint8_t *kernel = bzimage_make(0x10000, &kernel_bytes);

	memcpy(loader, &header, sizeof(header));
	memcpy(bios + 0x20000, "XenHVMSeaBIOS", 14);
	bios[HVM_BIOS_ROM_BYTES - 16] = 0xea;
	write_file(f->loader, loader, sizeof(loader));
	write_file(f->bios, bios, HVM_BIOS_ROM_BYTES);
	write_file(f->kernel, kernel, kernel_bytes);
	write_file(f->initrd, "the initrd", 10);
	free(bios);
	free(kernel);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	memset(&domain, 0, sizeof(domain));
	snprintf(f->folder, sizeof(f->folder), "%s/hvm-builder-XXXXXX",
		 getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 40 ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->loader, sizeof(f->loader), "%s/loader", f->folder);
	snprintf(f->bios, sizeof(f->bios), "%s/bios", f->folder);
	snprintf(f->kernel, sizeof(f->kernel), "%s/kernel", f->folder);
	snprintf(f->initrd, sizeof(f->initrd), "%s/initrd", f->folder);
	write_images(f);
	f->ram = calloc(1, RAM_MIB * MIB);
	f->rom = calloc(1, HVM_BIOS_ROM_BYTES);
	f->p = (struct hvm_builder_params){
		.domain = (struct hvm_domain *)f,
		.ram = f->ram,
		.ram_bytes = RAM_MIB * MIB,
		.bios_rom = f->rom,
		.vcpus = 2,
		.uuid = "00112233-4455-6677-8899-aabbccddeeff",
		.hvmloader_path = f->loader,
		.bios_path = f->bios,
		.boot = HVM_BOOT_KERNEL,
		.order = { HVM_BOOT_DEV_CDROM, HVM_BOOT_DEV_DISK, HVM_BOOT_DEV_NETWORK },
		.kernel = f->kernel,
		.initrd = f->initrd,
		.cmdline = "console=ttyS0",
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->loader);
	unlink(f->bios);
	unlink(f->kernel);
	unlink(f->initrd);
	rmdir(f->folder);
	free(f->ram);
	free(f->rom);
	free(f);
	return 0;
}

static void kernel_initrd_and_command_line_are_in_place(void **state)
{
	struct fixture *f = *state;
	struct hvm_boot_info info;

	assert_int_equal(hvm_build(&f->p, &f->err), 0);
	memcpy(&info, f->ram + HVM_GPA_BOOT_INFO, sizeof(info));
	assert_int_equal(info.magic, HVM_BOOT_INFO_MAGIC);
	assert_int_equal(info.action, HVM_BOOT_ACTION_LINUX64);
	assert_int_equal(info.entry, 0x1000200);
	assert_int_equal(info.vcpus, 2);
	assert_int_equal(info.ram_low_bytes, RAM_MIB * MIB);
	assert_int_equal(info.initrd % 4096, 0);
	assert_int_equal(info.initrd_bytes, 10);
	assert_true(info.initrd + 10ull <= RAM_MIB * MIB - HVM_TABLES_BYTES);
	assert_memory_equal(f->ram + info.initrd, "the initrd", 10);
	assert_string_equal((char *)f->ram + HVM_GPA_CMDLINE, "console=ttyS0");
	assert_int_equal(f->ram[0x1000200], 0x90);
	assert_memory_equal(f->ram + HVM_GPA_START_INFO + 0x202, "HdrS", 4);
	/* SMBIOS' order: the first three fields little endian. */
	assert_memory_equal(info.uuid,
			    "\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
}

static void vcpu_0_starts_in_flat_protected_mode_at_hvmloader(void **state)
{
	struct fixture *f = *state;
	const struct hvm_vcpu_state *s = &domain.state;

	assert_int_equal(hvm_build(&f->p, &f->err), 0);
	assert_int_equal(domain.states, 1);
	assert_int_equal(s->rip, HVM_GPA_LOADER);
	assert_int_equal(s->gpr[3], HVM_GPA_BOOT_INFO);
	assert_int_equal(s->cr0 & 0x80000001u, 1);
	assert_int_equal(s->rflags, 2);
	assert_int_equal(s->activity, HVM_ACTIVITY_RUN);
	assert_int_equal(s->seg[HVM_SEG_CS].base, 0);
	assert_int_equal(s->seg[HVM_SEG_CS].limit, UINT32_MAX);
	assert_int_equal(s->seg[HVM_SEG_CS].ar, 0xc09b);
	assert_int_equal(s->seg[HVM_SEG_SS].ar, 0xc093);
}

static void memory_map_leaves_the_vga_window_and_maps_the_rom(void **state)
{
	struct fixture *f = *state;
	const struct mapping expected[] = {
		{ 0, 0xa0000, HVM_MEM_RAM, f->ram },
		{ 0xa0000, 0x20000, HVM_MEM_MMIO, NULL },
		{ 0xc0000, RAM_MIB * MIB - 0xc0000, HVM_MEM_RAM, f->ram + 0xc0000 },
		{ 0xfffc0000, 0x40000, HVM_MEM_ROM, f->rom },
	};

	assert_int_equal(hvm_build_map(&f->p, &f->err), 0);
	assert_int_equal(domain.maps, HVM_ARRAY_SIZE(expected));
	for (size_t i = 0; i < HVM_ARRAY_SIZE(expected); i++) {
		assert_int_equal(domain.map[i].gpa, expected[i].gpa);
		assert_int_equal(domain.map[i].bytes, expected[i].bytes);
		assert_int_equal(domain.map[i].type, expected[i].type);
		assert_ptr_equal(domain.map[i].hva, expected[i].hva);
	}
}

static void memory_beyond_the_pci_hole_is_mapped_at_4_gib(void **state)
{
	struct fixture *f = *state;

	/* Only addresses are computed: this much memory is not there. */
	f->p.ram_bytes = 5ull << 30;
	f->p.bios_rom = NULL;
	assert_int_equal(hvm_build_map(&f->p, &f->err), 0);
	assert_int_equal(domain.maps, 4);
	assert_int_equal(domain.map[2].gpa + domain.map[2].bytes, HVM_PCI_HOLE);
	assert_int_equal(domain.map[3].gpa, HVM_HIGH_RAM);
	assert_int_equal(domain.map[3].bytes, (5ull << 30) - HVM_PCI_HOLE);
	assert_ptr_equal(domain.map[3].hva, f->ram + HVM_PCI_HOLE);
}

static void firmware_boot_places_the_bios_below_1_mib_and_in_rom(void **state)
{
	struct fixture *f = *state;
	struct hvm_boot_info info;

	f->p.boot = HVM_BOOT_FIRMWARE;
	assert_int_equal(hvm_build(&f->p, &f->err), 0);
	memcpy(&info, f->ram + HVM_GPA_BOOT_INFO, sizeof(info));
	assert_int_equal(info.action, HVM_BOOT_ACTION_SEABIOS);
	assert_int_equal(f->ram[0xffff0], 0xea);
	assert_memory_equal(f->ram + 0xe0000, "XenHVMSeaBIOS", 13);
	assert_int_equal(f->rom[HVM_BIOS_ROM_BYTES - 16], 0xea);
}

static void cmos_has_memory_size_and_boot_order(void **state)
{
	struct fixture *f = *state;
	const uint8_t *c = domain.cmos;
	unsigned int sum = 0;

	assert_int_equal(hvm_build(&f->p, &f->err), 0);
	assert_int_equal(c[0x15] | c[0x16] << 8, 640);
	assert_int_equal(c[0x30] | c[0x31] << 8, (RAM_MIB - 1) * 1024);
	assert_int_equal(c[0x34] | c[0x35] << 8, (RAM_MIB - 16) * 16);
	assert_int_equal(c[0x3d], 0x23);
	assert_int_equal(c[0x38], 0x40);
	assert_int_equal(c[0x5f], 1);
	for (unsigned int i = 0x10; i <= 0x2d; i++)
		sum += c[i];
	assert_int_equal(c[0x2e] << 8 | c[0x2f], sum & 0xffff);
}

static void building_again_gives_the_same_memory(void **state)
{
	struct fixture *f = *state;
	uint8_t *first = malloc(RAM_MIB * MIB);

	assert_int_equal(hvm_build(&f->p, &f->err), 0);
	memcpy(first, f->ram, RAM_MIB * MIB);
	memset(f->ram, 0, RAM_MIB * MIB);
	domain.maps = 0;
	assert_int_equal(hvm_build(&f->p, &f->err), 0);
	assert_memory_equal(first, f->ram, RAM_MIB * MIB);
	assert_int_equal(domain.states, 2);
	free(first);
}

/* One way to fail: change the fixture, expect an error, a code and a field. */
struct failure {
	const char *name;
	void (*prepare)(struct fixture *f);
	int error;
	const char *code;
	const char *field;
};

static void no_kernel(struct fixture *f)
{
	unlink(f->kernel);
}

static void kernel_is_folder(struct fixture *f)
{
	f->p.kernel = f->folder;
}

static void kernel_is_text(struct fixture *f)
{
	write_file(f->kernel, "hello", 5);
}

static void kernel_is_empty(struct fixture *f)
{
	write_file(f->kernel, "", 0);
}

static void no_initrd(struct fixture *f)
{
	unlink(f->initrd);
}

static void huge_initrd(struct fixture *f)
{
	assert_int_equal(truncate(f->initrd, (off_t)(20 * MIB)), 0);
}

static void long_cmdline(struct fixture *f)
{
	static char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	f->p.cmdline = text;
}

static void no_loader(struct fixture *f)
{
	unlink(f->loader);
}

static void wrong_loader(struct fixture *f)
{
	f->p.hvmloader_path = f->kernel;
}

static void bios_without_xen(struct fixture *f)
{
	uint8_t *zeros = calloc(1, 0x20000);

	f->p.boot = HVM_BOOT_FIRMWARE;
	write_file(f->bios, zeros, 0x20000);
	free(zeros);
}

static void bad_uuid(struct fixture *f)
{
	f->p.uuid = "00112233-4455-6677-8899-aabbccddeef";
}

static void tiny_memory(struct fixture *f)
{
	f->p.ram_bytes = 8 * MIB;
}

static void odd_memory(struct fixture *f)
{
	f->p.ram_bytes += 4096;
}

static void many_vcpus(struct fixture *f)
{
	f->p.vcpus = HVM_MAX_VCPUS + 1;
}

static void failures_have_codes_and_change_nothing(void **state)
{
	static const struct failure rows[] = {
		{ "no kernel", no_kernel, -ENOENT, "kernel-not-found", "boot.kernel" },
		{ "folder", kernel_is_folder, -EACCES, "kernel-unreadable", "boot.kernel" },
		{ "text", kernel_is_text, -ENOEXEC, "kernel-invalid", "boot.kernel" },
		{ "empty", kernel_is_empty, -ENOEXEC, "kernel-invalid", "boot.kernel" },
		{ "no initrd", no_initrd, -ENOENT, "initrd-not-found", "boot.initrd" },
		{ "huge initrd", huge_initrd, -ENOSPC, "memory-too-small", "memory" },
		{ "cmdline", long_cmdline, -E2BIG, "cmdline-too-long", "boot.cmdline" },
		{ "no loader", no_loader, -ENOENT, "firmware-not-found", "firmware" },
		{ "wrong loader", wrong_loader, -ENOEXEC, "firmware-invalid", "firmware" },
		{ "bios", bios_without_xen, -ENOEXEC, "firmware-invalid", "firmware" },
		{ "uuid", bad_uuid, -EINVAL, "params-invalid", "uuid" },
		{ "tiny", tiny_memory, -EINVAL, "params-invalid", "memory" },
		{ "odd", odd_memory, -EINVAL, "params-invalid", "memory" },
		{ "vcpus", many_vcpus, -EINVAL, "params-invalid", "vcpus" },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		struct fixture *f;
		void *s;

		setup(&s);
		f = s;
		rows[i].prepare(f);
		if (hvm_build(&f->p, &f->err) != rows[i].error)
			fail_msg("%s: not the expected error, code %s", rows[i].name, f->err.code);
		assert_string_equal(f->err.code, rows[i].code);
		assert_string_equal(f->err.field, rows[i].field);
		assert_int_equal(domain.maps, 0);
		assert_int_equal(domain.states, 0);
		assert_int_equal(f->ram[HVM_GPA_BOOT_INFO], 0);
		teardown(&s);
	}
}

static void check_needs_neither_domain_nor_memory(void **state)
{
	struct fixture *f = *state;

	f->p.domain = NULL;
	f->p.ram = NULL;
	f->p.bios_rom = NULL;
	assert_int_equal(hvm_build_check(&f->p, &f->err), 0);
	unlink(f->kernel);
	assert_int_equal(hvm_build_check(&f->p, &f->err), -ENOENT);
}

#define BUILDER_TEST(fact) cmocka_unit_test_setup_teardown(fact, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUILDER_TEST(kernel_initrd_and_command_line_are_in_place),
		BUILDER_TEST(vcpu_0_starts_in_flat_protected_mode_at_hvmloader),
		BUILDER_TEST(memory_map_leaves_the_vga_window_and_maps_the_rom),
		BUILDER_TEST(memory_beyond_the_pci_hole_is_mapped_at_4_gib),
		BUILDER_TEST(firmware_boot_places_the_bios_below_1_mib_and_in_rom),
		BUILDER_TEST(cmos_has_memory_size_and_boot_order),
		BUILDER_TEST(building_again_gives_the_same_memory),
		cmocka_unit_test(failures_have_codes_and_change_nothing),
		BUILDER_TEST(check_needs_neither_domain_nor_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
