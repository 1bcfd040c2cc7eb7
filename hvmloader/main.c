/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - hvmloader: the first program of every domain. Sets the machine up as firmware would,
 * builds the tables that describe it, and starts SeaBIOS or the kernel that the builder loaded.
 * Runs on vcpu 0 alone; guest memory below 0x60000 and the table area are its own (boot_info.h).
 */
#include "io.h"
#include "lib.h"
#include "pci.h"
#include "platform.h"
#include "start.h"
#include "tables.h"

#define LEGACY_TABLES_GPA 0xf0000u /* where systems search for RSDP, _SM_ and _MP_ */
#define BIOS_SEGMENT	  0xf000
#define BIOS_RESET_OFFSET 0xfff0

void loader_main(const struct hvm_boot_info *given);
/* enter.S */
void enter_kernel32(uint32_t entry, uint32_t eax, uint32_t ebx, uint32_t esi)
	__attribute__((noreturn));
void enter_kernel64(uint32_t entry, uint32_t boot_params, uint32_t page_tables)
	__attribute__((noreturn));

static struct machine machine;
static struct pci_bus pci;
static struct table_roots roots;
static struct e820_entry e820[E820_MAX];
static unsigned int e820_entries;

/* The builder is ours, but a wrong page must end in words, not in a wild jump. */
static void info_check(const struct hvm_boot_info *info)
{
	if (info->magic != HVM_BOOT_INFO_MAGIC || info->version != HVM_BOOT_INFO_VERSION ||
	    info->bytes != sizeof(*info))
		panic("boot info of another version");
	if (info->action >= HVM_BOOT_ACTION_COUNT || !info->vcpus || info->vcpus > 16)
		panic("boot info: action or vcpus out of range");
	if (info->ram_low_bytes < 0x200000 || info->ram_low_bytes > PCI_HOLE ||
	    (info->ram_low_bytes & 0xfff))
		panic("boot info: memory size out of range");
	if (info->cmdline_bytes >= HVM_CMDLINE_BYTES ||
	    info->initrd_bytes > info->ram_low_bytes - info->initrd)
		panic("boot info: command line or initrd out of range");
	if (info->action != HVM_BOOT_ACTION_SEABIOS &&
	    (info->entry < 0x100000 || info->entry >= info->ram_low_bytes))
		panic("boot info: kernel entry out of range");
}

static void machine_describe(const struct hvm_boot_info *info)
{
	machine.ram_low_bytes = info->ram_low_bytes;
	machine.ram_high_bytes = info->ram_high_bytes;
	machine.vcpus = info->vcpus;
	/* Four bits: with 16 vcpus it shares 0 with the first, which xAPICs allow. */
	machine.ioapic_id = (uint8_t)(info->vcpus & 0xf);
	memcpy(machine.uuid, info->uuid, sizeof(machine.uuid));
	platform_describe(&machine);
	for (unsigned int i = 0; i < pci.count && machine.intx_count < PCI_INTX_MAX; i++) {
		const struct pci_function *f = &pci.function[i];

		/* The PIIX4's pin is the SCI, which is no PCI interrupt. */
		if (f->pin && !(f->vendor == 0x8086 && f->device == 0x7113))
			machine.intx[machine.intx_count++] =
				(struct pci_intx){ f->devfn, (uint8_t)(f->pin - 1) };
	}
}

static void tables_build(void)
{
	uint32_t gpa = tables_gpa(&machine);
	/* Without its last page, which the FACS has. */
	struct table_area area = { (uint8_t *)gpa, gpa, HVM_TABLES_BYTES - 0x1000, 0 };

	if (acpi_build(&area, &machine, &roots) || smbios_build(&area, &machine, &roots) ||
	    mp_build(&area, &machine, &roots))
		panic("no room for the firmware tables");
	e820_entries = e820_build(&machine, e820);
	log_printf("hvmloader: tables at %x, %x bytes\n", gpa, area.used);
}

/* Without a BIOS nobody copies the entry points to where old systems search: do it here. */
static void legacy_copy(uint32_t *at, uint32_t from, uint32_t bytes)
{
	memcpy((void *)*at, (const void *)from, bytes);
	*at += (bytes + 15) & ~15u;
}

static void __attribute__((noreturn)) kernel_start(const struct hvm_boot_info *info)
{
	uint8_t *page = (uint8_t *)HVM_GPA_START_INFO;
	uint32_t legacy = LEGACY_TABLES_GPA;
	uint32_t rsdp = legacy;

	legacy_copy(&legacy, roots.rsdp, 36);
	legacy_copy(&legacy, roots.smbios, roots.smbios_bytes);
	legacy_copy(&legacy, roots.mp, 16);
	vga_run_rom(&pci);
	log_printf("hvmloader: starting the kernel at %x, way %u\n", info->entry, info->action);
	switch ((enum hvm_boot_action)info->action) {
	case HVM_BOOT_ACTION_LINUX32:
		linux_fill_params(page, info, e820, e820_entries, rsdp);
		enter_kernel32(info->entry, 0, 0, HVM_GPA_START_INFO);
	case HVM_BOOT_ACTION_LINUX64:
		linux_fill_params(page, info, e820, e820_entries, rsdp);
		page_tables_fill((uint64_t *)HVM_GPA_PAGE_TABLES, HVM_GPA_PAGE_TABLES);
		enter_kernel64(info->entry, HVM_GPA_START_INFO, HVM_GPA_PAGE_TABLES);
	case HVM_BOOT_ACTION_PVH:
		pvh_fill_start_info(page, HVM_GPA_START_INFO, info, e820, e820_entries, rsdp);
		enter_kernel32(info->entry, 0, HVM_GPA_START_INFO, 0);
	case HVM_BOOT_ACTION_MULTIBOOT:
		multiboot_fill_info(page, HVM_GPA_START_INFO, info, e820, e820_entries);
		enter_kernel32(info->entry, MULTIBOOT_BOOT_MAGIC, HVM_GPA_START_INFO, 0);
	case HVM_BOOT_ACTION_SEABIOS:
	case HVM_BOOT_ACTION_COUNT: break;
	}
	panic("not a kernel");
}

void loader_main(const struct hvm_boot_info *given)
{
	static struct hvm_boot_info info;

	memcpy(&info, given, sizeof(info));
	log_printf("hvmloader: %u MiB, %u vcpus\n",
		   (uint32_t)((info.ram_low_bytes + info.ram_high_bytes) >> 20), info.vcpus);
	info_check(&info);
	platform_find_vendor();
	realmode_install();
	pci_setup(&pci);
	machine_describe(&info);
	platform_setup(&machine);
	tables_build();
	if (info.action != HVM_BOOT_ACTION_SEABIOS)
		kernel_start(&info);
	seabios_fill_info((uint8_t *)HVM_GPA_SEABIOS_INFO, HVM_GPA_SEABIOS_INFO, e820, e820_entries,
			  &roots);
	log_printf("hvmloader: starting SeaBIOS\n");
	realmode_run(BIOS_SEGMENT, BIOS_RESET_OFFSET, 0, 0);
	panic("SeaBIOS came back");
}
