/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - the host's own processor, for the hardware vendors: instructions that C has no words
 * for. Privileged ones belong in the kernel, and MSRs and XCR0 only where CPUID says that they
 * exist.
 */
#ifndef X86_HOST_H
#define X86_HOST_H

#include "x86/host_regs.h"

static inline struct host_cpuid host_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct host_cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

/* Zeroes for a leaf that the processor does not have. */
static inline struct host_cpuid host_cpuid_leaf(uint32_t leaf, uint32_t subleaf)
{
	struct host_cpuid none = { 0 };

	if (host_cpuid(leaf & 0x80000000u, 0).eax < leaf)
		return none;
	return host_cpuid(leaf, subleaf);
}

static inline uint64_t host_rdmsr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static inline void host_wrmsr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((uint32_t)(value & 0xffffffff)),
			   "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t host_xgetbv(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static inline void host_xsetbv(uint64_t value)
{
	__asm__ volatile("xsetbv"
			 :
			 : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t host_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

/* x87 and SSE state, in the 64-bit form. @area: 64-byte aligned. */
static inline void host_fxsave(uint8_t *area)
{
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void host_fxrstor(const uint8_t *area)
{
	__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/*
 * The components @mask in the standard format, in the 64-bit form. @area: 64-byte aligned, with
 * room for all of @mask, and its header is one that XRSTOR takes. XCR0 has all of @mask set, and
 * CR4 OSXSAVE.
 */
static inline void host_xsave(uint8_t *area, uint32_t mask)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(mask), "d"(0) : "memory");
}

static inline void host_xrstor(const uint8_t *area, uint32_t mask)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(mask), "d"(0) : "memory");
}

/* FS, GS, TR, LDTR and the system call MSRs to the VMCB at @vmcb. Only with SVM on. */
static inline void host_vmsave(hpa_t vmcb)
{
	__asm__ volatile("vmsave %%rax" : : "a"(vmcb) : "memory");
}

/* A machine check came while the guest ran: the host's handler looks at the banks as it always
 * does. */
static inline void host_machine_check(void)
{
	__asm__ volatile("int $18" : : : "memory");
}

/* An NMI came while the guest ran: it is the host's, and its handler's IRET unblocks the next. */
static inline void host_nmi(void)
{
	__asm__ volatile("int $2" : : : "memory");
}

#define HOST_DR(n) \
	static inline uint64_t host_dr##n(void) \
	{ \
		uint64_t value; \
		__asm__ volatile("mov %%db" #n ", %0" : "=r"(value)); \
		return value; \
	} \
	static inline void host_set_dr##n(uint64_t value) \
	{ \
		__asm__ volatile("mov %0, %%db" #n : : "r"(value)); \
	}
HOST_DR(0)
HOST_DR(1)
HOST_DR(2)
HOST_DR(3)
HOST_DR(6)
HOST_DR(7)
#undef HOST_DR

#endif
