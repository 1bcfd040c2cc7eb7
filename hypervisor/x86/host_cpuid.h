/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_cpuid.h - what a CPU model may show where the host's own processor executes the guest.
 */
#ifndef X86_HOST_CPUID_H
#define X86_HOST_CPUID_H

#include "hvm/hvm_types.h"

/* host_cpuid_look - read the host's features; before the first filter, when a vendor is probed. */
void host_cpuid_look(void);
/*
 * host_cpuid_filter - take out of @out (eax ebx ecx edx of that leaf) each feature that the guest
 * would use directly and the host does not have.
 */
void host_cpuid_filter(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

#endif
