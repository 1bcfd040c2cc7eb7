/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_regs.h - names of the host's registers that host.h reads and writes.
 */
#ifndef X86_HOST_REGS_H
#define X86_HOST_REGS_H

#include "hvm/hvm_types.h"

#define HOST_MSR_SPEC_CTRL 0x00000048u
#define HOST_MSR_PRED_CMD  0x00000049u
#define HOST_MSR_XSS	   0x00000da0u
#define HOST_MSR_EFER	   0xc0000080u
#define HOST_MSR_TSC_AUX   0xc0000103u

struct host_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

#endif
