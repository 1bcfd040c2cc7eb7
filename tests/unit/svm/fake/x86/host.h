/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - in place of x86/host.h: a processor that is a few variables (fake_svm.h), so that svm/
 * runs in a process of its own.
 */
#ifndef X86_HOST_H
#define X86_HOST_H

#include "x86/host_regs.h"

struct host_cpuid host_cpuid_leaf(uint32_t leaf, uint32_t subleaf);
uint64_t host_rdmsr(uint32_t index);
void host_wrmsr(uint32_t index, uint64_t value);
uint64_t host_xgetbv(void);
void host_xsetbv(uint64_t value);
uint64_t host_cr4(void);
void host_fxsave(uint8_t *area);
void host_fxrstor(const uint8_t *area);
void host_xsave(uint8_t *area, uint32_t mask);
void host_xrstor(const uint8_t *area, uint32_t mask);
void host_vmsave(hpa_t vmcb);
void host_machine_check(void);
void host_nmi(void);
uint64_t host_dr(unsigned int n);
void host_set_dr(unsigned int n, uint64_t value);

#define HOST_DR(n) \
	static inline uint64_t host_dr##n(void) \
	{ \
		return host_dr(n); \
	} \
	static inline void host_set_dr##n(uint64_t value) \
	{ \
		host_set_dr(n, value); \
	}
HOST_DR(0)
HOST_DR(1)
HOST_DR(2)
HOST_DR(3)
HOST_DR(6)
HOST_DR(7)
#undef HOST_DR

#endif
