/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_cpuid.c - the model's features cut to the host's. Written while a vendor is probed, read
 * only afterwards. Nothing saved.
 * Source: Intel SDM Vol 2A "CPUID"; AMD APM Vol 3 App. E.
 */
#include "x86/host_cpuid.h"

#include "x86/host.h"

/* Features of a register that the core provides itself, whatever the host has. */
struct host_provided {
	uint32_t leaf, subleaf;
	uint32_t reg[4];
};

#define ALL		 0xffffffffu
#define HOST_CR4_OSXSAVE (1ull << 18)

static const struct host_provided host_provided[] = {
	/* x2APIC, TSC deadline, OSXSAVE (it follows CR4), hypervisor; APIC, MTRR, MCE, MCA, HTT */
	{ 1,
	  0,
	  { ALL, ALL, 1u << 21 | 1u << 24 | 1u << 27 | 1u << 31,
	    1u << 7 | 1u << 9 | 1u << 12 | 1u << 14 | 1u << 28 } },
	/* IBRS and IBPB, ARCH_CAPABILITIES */
	{ 7, 0, { ALL, 0, 0, 1u << 26 | 1u << 29 } },
	/* The components; where they lie is the same in every XSAVE area */
	{ 0xd, 0, { 0, ALL, ALL, ALL } },
	{ 0xd, 1, { 0, ALL, ALL, ALL } },
	/* CMP_LEGACY */
	{ 0x80000001, 0, { ALL, ALL, 1u << 1, 0 } },
};

static struct host_cpuid host_has[HVM_ARRAY_SIZE(host_provided)];

/* A guest's XCR0 holds nothing that the host's does not; one that has none lends no XSAVE. */
static void host_hide_xsave(struct host_cpuid *has, const struct host_provided *p, uint64_t xcr0)
{
	if (p->leaf == 1 && !xcr0)
		has->ecx &= ~(1u << 26);
	else if (p->leaf == 0xd && (p->subleaf == 0 || !xcr0))
		has->eax &= (uint32_t)xcr0;
}

void host_cpuid_look(void)
{
	uint64_t xcr0 = host_cr4() & HOST_CR4_OSXSAVE ? host_xgetbv() : 0;

	for (size_t i = 0; i < HVM_ARRAY_SIZE(host_provided); i++) {
		host_has[i] = host_cpuid_leaf(host_provided[i].leaf, host_provided[i].subleaf);
		host_hide_xsave(&host_has[i], &host_provided[i], xcr0);
	}
}

void host_cpuid_filter(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	for (size_t i = 0; i < HVM_ARRAY_SIZE(host_provided); i++) {
		const struct host_provided *p = &host_provided[i];

		if (p->leaf != leaf || p->subleaf != subleaf)
			continue;
		out[0] &= host_has[i].eax | p->reg[0];
		out[1] &= host_has[i].ebx | p->reg[1];
		out[2] &= host_has[i].ecx | p->reg[2];
		out[3] &= host_has[i].edx | p->reg[3];
		return;
	}
}
