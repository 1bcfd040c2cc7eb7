/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_model.h - can this host's processor be a guest's CPU model? One table for all who ask: the
 * hardware vendors and the software CPU when a domain is made, and libhvm for its callers. Nothing
 * here is privileged. Owns nothing; no locking, nothing saved.
 */
#ifndef X86_HOST_MODEL_H
#define X86_HOST_MODEL_H

#include "x86/host.h"

/* Registers that tell. */
struct host_features {
	uint32_t leaf1_ecx, leaf7_ebx, ext1_ecx; /* CPUID 1, 7.0, 80000001H */
	uint64_t xcr0;				 /* 0: the kernel does not use XSAVE */
};

#define HOST_LEAF1_OSXSAVE (1u << 27) /* CR4.OSXSAVE, for those who cannot read CR4 */

static inline struct host_features host_features_read(void)
{
	struct host_features f = {
		.leaf1_ecx = host_cpuid_leaf(1, 0).ecx,
		.leaf7_ebx = host_cpuid_leaf(7, 0).ebx,
		.ext1_ecx = host_cpuid_leaf(0x80000001, 0).ecx,
	};

	if (f.leaf1_ecx & HOST_LEAF1_OSXSAVE)
		f.xcr0 = host_xgetbv();
	return f;
}

/*
 * host_lacks_model - what the x86-64 level that @cpu_model (enum hvm_cpu_model) stands for has and
 * the host of @f does not: the first such feature's name, to go behind "this host's processor has
 * no"; NULL: it has all.
 */
const char *host_lacks_model(uint32_t cpu_model, const struct host_features *f);

#endif
