/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * platform.c - processors (MTRRs, local APICs, starting the others) and interrupt controllers, and
 * running real-mode code.
 * Source: Intel SDM Vol 3A 8.4 "Multiple-Processor Initialization", 10.5 "Handling Local
 * Interrupts", 11.11 "Memory Type Range Registers"; Intel 82371SB datasheet (ELCR).
 */
#include "platform.h"

#include "io.h"
#include "lib.h"

#define CPUID_MTRR	  (1u << 12)
#define MSR_MTRR_CAP	  0xfe
#define MSR_MTRR_PHYSBASE 0x200
#define MSR_MTRR_PHYSMASK 0x201
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MTRR_UC		  0u
#define MTRR_DEFAULT	  0xc06u /* enabled, fixed ranges enabled, write-back */
#define MTRR_VALID	  0x800u
#define MTRR_WB_8	  0x0606060606060606ull
#define REALMODE_MSRS	  16

#define LAPIC_SVR	0xf0
#define LAPIC_ICR	0x300
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_ENABLE	0x1ffu /* and spurious vector 0xff */
#define LAPIC_EXTINT	0x700u
#define LAPIC_NMI	0x400u
#define ICR_PENDING	0x1000u
#define ICR_INIT_OTHERS 0x000c4500u
#define ICR_SIPI_OTHERS 0x000c4600u

#define ELCR1	     0x4d0
#define ELCR2	     0x4d1
#define ELCR_1_LEVEL 0x20 /* IRQ 5 */
#define ELCR_2_LEVEL 0x0e /* IRQ 9, 10, 11 */

#define PM_TIMER_HZ    3579545u
#define AP_WAIT_TICKS  (PM_TIMER_HZ / 5) /* 200 ms */
#define AP_WAIT_READS  1000000u		 /* should the timer stand still */
#define VGA_ROM_GPA    0xc0000u
#define VGA_ROM_MAX    0x20000u
#define VGA_ROM_ENTRY  3
#define VGA_SET_MODE_3 0x0003
#define BDA_BASE_KIB   0x413
#define BDA_EBDA       0x40e

/* In realmode.S; addresses in this image, not where the code runs. */
extern uint8_t realmode_start[], realmode_end[], realmode_iret[], realmode_call[];
extern uint8_t realmode_int10[];
extern uint8_t realmode_gdtr[], realmode_target[], realmode_ax[], realmode_bx[];
extern uint8_t realmode_ap_count[], realmode_ap_msr[], realmode_ap_msr_count[];
extern uint8_t gdtr[]; /* head.S */

struct realmode_msr {
	uint32_t index, low, high;
};

/* Where something of realmode.S lies in the running copy. */
static void *realmode_at(const uint8_t *symbol)
{
	return (void *)(HVM_GPA_REAL_MODE + (uint32_t)(symbol - realmode_start));
}

void realmode_install(void)
{
	memcpy((void *)HVM_GPA_REAL_MODE, realmode_start, (size_t)(realmode_end - realmode_start));
	memcpy(realmode_at(realmode_gdtr), gdtr, 6);
}

void realmode_run(uint16_t segment, uint16_t offset, uint16_t ax, uint16_t bx)
{
	uint16_t *target = realmode_at(realmode_target);
	void (*call)(void) = realmode_at(realmode_call);

	target[0] = offset;
	target[1] = segment;
	*(uint16_t *)realmode_at(realmode_ax) = ax;
	*(uint16_t *)realmode_at(realmode_bx) = bx;
	call();
}

void platform_find_vendor(void)
{
	uint32_t r[4];
	char name[13];

	cpuid(0x40000000, r);
	memcpy(name, &r[1], 4);
	memcpy(name + 4, &r[2], 4);
	memcpy(name + 8, &r[3], 4);
	name[12] = 0;
	log_printf("hvmloader: hypervisor \"%s\", leaves to %x\n", name, r[0]);
}

void platform_describe(struct machine *m)
{
	uint32_t r[4];

	cpuid(1, r);
	m->cpuid_version = r[0];
	m->cpuid_features = r[3];
	m->hpet_id = mmio_read32(HPET_GPA);
}

static uint32_t mtrr_add(struct realmode_msr *list, uint32_t n, uint32_t index, uint64_t value)
{
	list[n] = (struct realmode_msr){ index, (uint32_t)value, (uint32_t)(value >> 32) };
	return n + 1;
}

/* RAM is write-back, the VGA window and the PCI hole are uncached. */
static uint32_t mtrr_plan(struct realmode_msr *list)
{
	static const uint16_t write_back[] = { 0x250, 0x258, 0x268, 0x269, 0x26a,
					       0x26b, 0x26c, 0x26d, 0x26e, 0x26f };
	uint32_t r[4], n = 0;
	uint64_t physical = 36;

	cpuid(1, r);
	if (!(r[3] & CPUID_MTRR) || !(rdmsr(MSR_MTRR_CAP) & 0xff))
		return 0;
	cpuid(0x80000000, r);
	if (r[0] >= 0x80000008) {
		cpuid(0x80000008, r);
		physical = r[0] & 0xff;
	}
	for (unsigned int i = 0; i < sizeof(write_back) / sizeof(write_back[0]); i++)
		n = mtrr_add(list, n, write_back[i], MTRR_WB_8);
	n = mtrr_add(list, n, 0x259, 0); /* 0xa0000-0xbffff */
	n = mtrr_add(list, n, MSR_MTRR_PHYSBASE, PCI_HOLE | MTRR_UC);
	n = mtrr_add(list, n, MSR_MTRR_PHYSMASK,
		     ((1ull << physical) - (0x100000000ull - PCI_HOLE)) | MTRR_VALID);
	return mtrr_add(list, n, MSR_MTRR_DEF_TYPE, MTRR_DEFAULT);
}

static void lapic_wait(void)
{
	for (unsigned int i = 0; i < 100000; i++) {
		if (!(mmio_read32(LAPIC_GPA + LAPIC_ICR) & ICR_PENDING))
			return;
	}
}

/* Start every other vcpu once, so that all have the same MTRRs; they halt until an INIT. */
static void platform_start_others(uint32_t others)
{
	volatile uint32_t *count = realmode_at(realmode_ap_count);
	uint32_t start = inl(PM_PORT + 8);
	uint32_t reads = 0;

	*count = 0;
	mmio_write32(LAPIC_GPA + LAPIC_ICR, ICR_INIT_OTHERS);
	lapic_wait();
	mmio_write32(LAPIC_GPA + LAPIC_ICR, ICR_SIPI_OTHERS | HVM_GPA_REAL_MODE >> 12);
	lapic_wait();
	while (*count < others && reads++ < AP_WAIT_READS) {
		if (((inl(PM_PORT + 8) - start) & 0xffffff) > AP_WAIT_TICKS)
			break;
		__asm__ volatile("pause");
	}
	log_printf("hvmloader: %u of %u other vcpus answered\n", *count, others);
}

void platform_setup(const struct machine *m)
{
	struct realmode_msr *list = realmode_at(realmode_ap_msr);
	uint32_t n = mtrr_plan(list);

	*(uint32_t *)realmode_at(realmode_ap_msr_count) = n;
	for (uint32_t i = 0; i < n; i++)
		wrmsr(list[i].index, list[i].low | (uint64_t)list[i].high << 32);

	/* Virtual wire: PIC interrupts through LINT0, NMI through LINT1. */
	mmio_write32(LAPIC_GPA + LAPIC_SVR, LAPIC_ENABLE);
	mmio_write32(LAPIC_GPA + LAPIC_LVT_LINT0, LAPIC_EXTINT);
	mmio_write32(LAPIC_GPA + LAPIC_LVT_LINT1, LAPIC_NMI);
	mmio_write32(IOAPIC_GPA, 0);
	mmio_write32(IOAPIC_GPA + 0x10, (uint32_t)m->ioapic_id << 24);
	outb(ELCR1, ELCR_1_LEVEL);
	outb(ELCR2, ELCR_2_LEVEL);
	if (m->vcpus > 1)
		platform_start_others(m->vcpus - 1);
}

/* Vectors for a VGABIOS without a BIOS around it, and the BIOS data that everybody expects. */
static void bios_data_setup(void)
{
	uint16_t iret = (uint16_t)(realmode_iret - realmode_start);
	volatile uint8_t *low = (uint8_t *)0;

	/* The compiler takes address 0 for nobody's: hide where it comes from. */
	__asm__("" : "+r"(low));
	for (unsigned int i = 0; i < 1024; i += 4) {
		low[i] = (uint8_t)iret;
		low[i + 1] = (uint8_t)(iret >> 8);
		low[i + 2] = (uint8_t)(HVM_GPA_REAL_MODE >> 4);
		low[i + 3] = (uint8_t)(HVM_GPA_REAL_MODE >> 12);
	}
	low[BDA_EBDA] = (uint8_t)(EBDA_GPA >> 4);
	low[BDA_EBDA + 1] = (uint8_t)(EBDA_GPA >> 12);
	low[BDA_BASE_KIB] = (uint8_t)(EBDA_GPA >> 10);
	low[BDA_BASE_KIB + 1] = (uint8_t)(EBDA_GPA >> 18);
}

void vga_run_rom(const struct pci_bus *bus)
{
	const struct pci_function *f = pci_find_class(bus, PCI_CLASS_VGA);
	uint32_t rom, bytes;

	bios_data_setup();
	if (!f || !f->bar[PCI_BAR_ROM].bytes)
		return;
	rom = pci_config_read(f->devfn, PCI_REG_ROM, 4) & 0xfffff800u;
	if (rom < PCI_HOLE)
		return;
	pci_config_write(f->devfn, PCI_REG_ROM, 4, rom | 1);
	bytes = (mmio_read32(rom) >> 16 & 0xff) * 512;
	if ((mmio_read32(rom) & 0xffff) == 0xaa55 && bytes && bytes <= VGA_ROM_MAX &&
	    bytes <= f->bar[PCI_BAR_ROM].bytes) {
		for (uint32_t i = 0; i < bytes; i += 4)
			mmio_write32(VGA_ROM_GPA + i, mmio_read32(rom + i));
	} else {
		bytes = 0;
	}
	pci_config_write(f->devfn, PCI_REG_ROM, 4, rom);
	if (!bytes)
		return;
	log_printf("hvmloader: running the VGABIOS, %u bytes\n", bytes);
	realmode_run(VGA_ROM_GPA >> 4, VGA_ROM_ENTRY, f->devfn, 0xffff);
	/* The ROM only hooks interrupt 0x10; a BIOS would set the text mode next. */
	realmode_run(HVM_GPA_REAL_MODE >> 4, (uint16_t)(realmode_int10 - realmode_start),
		     VGA_SET_MODE_3, 0);
}
