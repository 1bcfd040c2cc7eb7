/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_model.c - see host_model.h. Source: x86-64 psABI "Micro-Architecture Levels"; Intel SDM
 * Vol 2A "CPUID", Vol 1 13.3 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features", 14.3
 * "Detection of Intel AVX Instructions".
 */
#include "x86/host_model.h"

#include "hvm/hvm.h"

enum host_register {
	HOST_LEAF1_ECX,
	HOST_LEAF7_EBX,
	HOST_EXT1_ECX,
};

/* A level holds those below it. */
/* clang-format off */
static const struct {
	const char *name;
	uint8_t model; /* enum hvm_cpu_model: the first that has it */
	uint8_t reg;   /* enum host_register */
	uint8_t bit;
} host_levels[] = {
	/* The software CPU sets flags by it. */
	{ "LAHF in 64-bit mode", HVM_CPU_V1, HOST_EXT1_ECX,   0 },
	{ "SSE3",		 HVM_CPU_V2, HOST_LEAF1_ECX,  0 },
	{ "SSSE3",		 HVM_CPU_V2, HOST_LEAF1_ECX,  9 },
	{ "CMPXCHG16B",		 HVM_CPU_V2, HOST_LEAF1_ECX, 13 },
	{ "SSE4.1",		 HVM_CPU_V2, HOST_LEAF1_ECX, 19 },
	{ "SSE4.2",		 HVM_CPU_V2, HOST_LEAF1_ECX, 20 },
	{ "POPCNT",		 HVM_CPU_V2, HOST_LEAF1_ECX, 23 },
	{ "FMA",		 HVM_CPU_V3, HOST_LEAF1_ECX, 12 },
	{ "MOVBE",		 HVM_CPU_V3, HOST_LEAF1_ECX, 22 },
	{ "AVX",		 HVM_CPU_V3, HOST_LEAF1_ECX, 28 },
	{ "F16C",		 HVM_CPU_V3, HOST_LEAF1_ECX, 29 },
	{ "BMI1",		 HVM_CPU_V3, HOST_LEAF7_EBX,  3 },
	{ "AVX2",		 HVM_CPU_V3, HOST_LEAF7_EBX,  5 },
	{ "BMI2",		 HVM_CPU_V3, HOST_LEAF7_EBX,  8 },
	{ "LZCNT",		 HVM_CPU_V3, HOST_EXT1_ECX,   5 },
};
/* clang-format on */

/* Instructions that CPUID shows fault all the same where the kernel does not keep their state. */
static const char *host_lacks_state(const struct host_features *f)
{
	const uint64_t state = HVM_XSTATE_X87 | HVM_XSTATE_SSE | HVM_XSTATE_AVX;

	return (f->xcr0 & state) == state ? NULL : "AVX state that the kernel has enabled in XCR0";
}

const char *host_lacks_model(uint32_t cpu_model, const struct host_features *f)
{
	const uint32_t regs[] = {
		[HOST_LEAF1_ECX] = f->leaf1_ecx,
		[HOST_LEAF7_EBX] = f->leaf7_ebx,
		[HOST_EXT1_ECX] = f->ext1_ecx,
	};

	for (size_t i = 0; i < HVM_ARRAY_SIZE(host_levels); i++) {
		if (cpu_model >= host_levels[i].model &&
		    !(regs[host_levels[i].reg] >> host_levels[i].bit & 1))
			return host_levels[i].name;
	}
	return cpu_model >= HVM_CPU_V3 ? host_lacks_state(f) : NULL;
}
