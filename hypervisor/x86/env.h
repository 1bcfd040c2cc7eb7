/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * env.h - what the executor asks of those around it: devices, CPUID, MSRs, time. The software CPU
 * (soft/) fills it with calls to the core; tests fill it with fakes.
 */
#ifndef X86_ENV_H
#define X86_ENV_H

#include "cpu.h"

struct x86_cpu_env {
	/*
	 * Port and device-memory access. 0: done. -HVM_EAGAIN: ioemu must serve it first; the
	 * instruction is aborted with X86_STOP_IO and runs again.
	 */
	int (*pio_read)(void *arg, uint16_t port, unsigned int size, uint32_t *ret);
	int (*pio_write)(void *arg, uint16_t port, unsigned int size, uint32_t value);
	int (*mmio_read)(void *arg, gpa_t gpa, unsigned int size, uint64_t *ret);
	int (*mmio_write)(void *arg, gpa_t gpa, unsigned int size, uint64_t value);
	/*
	 * String port I/O: up to count elements of size bytes at buf. Returns how many were done
	 * (>= 1), or -HVM_EAGAIN.
	 */
	int (*pio_read_rep)(void *arg, uint16_t port, unsigned int size, unsigned int count,
			    void *buf);
	int (*pio_write_rep)(void *arg, uint16_t port, unsigned int size, unsigned int count,
			     const void *buf);
	/* Guest memory by physical address, for page walks. NULL: not RAM or ROM. Page-bounded. */
	void *(*gpa_to_hva)(void *arg, gpa_t gpa);
	/* out: eax ebx ecx edx. OSXSAVE and APIC bits follow the current state. */
	void (*cpuid)(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
	/* MSRs that are not fields of struct x86_cpu. -HVM_EINVAL: #GP. */
	int (*rdmsr)(void *arg, uint32_t index, uint64_t *ret);
	int (*wrmsr)(void *arg, uint32_t index, uint64_t value);
	uint64_t (*rdtsc)(void *arg);
	/* Task priority, 4 bits. */
	uint64_t (*cr8_read)(void *arg);
	void (*cr8_write)(void *arg, uint64_t value);
	/* VMCALL/VMMCALL. true: handled (results in GPRs); false: #UD. */
	bool (*hypercall)(void *arg);
	/*
	 * Translations changed. gva: this page only (INVLPG); flush: all, with or without global
	 * pages. Also called for changes of CR0/CR4/EFER that matter to paging.
	 */
	void (*tlb_flush)(void *arg, bool global);
	void (*tlb_flush_page)(void *arg, gva_t gva);
	/* First FERR/IGNNE: CR0.NE = 0 and an x87 exception is pending. */
	void (*ferr)(void *arg);
};

#endif
