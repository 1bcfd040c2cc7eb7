/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_vmx.h - a processor with VT-x for tests of vmx/: its CPUID and capability MSRs are
 * variables, its VMCSs are arrays that can be read and written only on the CPU where they are
 * current, and VM entry is a script of what the guest does. An entry that breaks a rule of
 * vmx_check.c fails the test. Source: Intel SDM Vol 3C ch. 24 to 27.
 */
#ifndef TEST_FAKE_VMX_H
#define TEST_FAKE_VMX_H

#include "fake_hw.h"

#include "core/calls.h"
#include "vmx/vmx.h"
#include "x86/host.h"

#define FAKE_CPUS   2u
#define FAKE_FIELDS 0x7000u /* encodings */

struct fake_vmx {
	/* What it offers: the high halves of the capability MSRs. */
	bool vmx, locked_off;
	uint32_t may[VMX_WORD_COUNT], must[VMX_WORD_COUNT];
	uint64_t ept_vpid;
	uint64_t cr4;
	bool l1tf, flush_msr; /* it does not deny that the cache can be read; and there is a command
				 to empty it */
	/* What it does. */
	unsigned int cpu; /* that we are on */
	bool on[FAKE_CPUS];
	uint64_t *current[FAKE_CPUS]; /* VMCS */
	unsigned int reads, writes, entries, invepts, invvpids, clears, kicks;
	void (*guest)(struct vmx_vcpu *vv); /* what runs; sets exit fields with fake_set() */
	bool refuse;			    /* VMLAUNCH fails */
	uint64_t dr[8];
};
extern struct fake_vmx fake;

/* A processor with everything. */
void fake_vmx_reset(void);
/* A field of the current VMCS, as the processor sees it. */
uint64_t fake_get(enum vmx_field f);
void fake_set(enum vmx_field f, uint64_t value);

#endif
