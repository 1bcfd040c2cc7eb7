/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_svm.h - a processor with SVM for tests of svm/: its CPUID, MSRs and registers are variables,
 * and VMRUN is a script of what the guest does. It believes the clean bits: a field that was
 * changed and is said to be clean fails the test. It knows which ASIDs have translations. Source:
 * AMD APM Vol 2 15.15 "VMCB State Caching", 15.16 "TLB Control".
 */
#ifndef TEST_FAKE_SVM_H
#define TEST_FAKE_SVM_H

#include "fake_hw.h"

#include "core/calls.h"
#include "svm/svm.h"
#include "x86/host.h"

#define FAKE_MSRS 16u

struct fake_svm {
	/* What it offers. */
	bool svm, npt, locked;
	uint32_t asids, svm_edx, ext1_edx, ext8_ebx;
	/* What it holds. */
	uint64_t cr4, dr[8];
	struct {
		uint32_t index;
		uint64_t value;
	} msr[FAKE_MSRS];
	unsigned int msrs;
	uint32_t probe_error_cpu; /* hvm_os_on_each_cpu(): fails so */
	/* Of VMRUN. */
	void (*guest)(struct svm_vcpu *sv, struct svm_vmcb *b); /* what runs; sets exitcode */
	unsigned int entries, flushes, asid_flushes, kicks, yields;
	bool leave_wanted;
	bool asid_used[256];	/* has translations */
	bool stale;		/* the guest ran with translations that had to go */
	bool must_be_fresh;	/* the next entry has to be without old translations */
	struct svm_vmcb cached; /* what clean bits refer to */
	const struct svm_vmcb *cached_of;
};
extern struct fake_svm fake;

/* A processor with everything but what @without names (bits of Fn8000_000A EDX). */
void fake_svm_reset(uint32_t without);
void fake_on_all_cpus(int error);

#define FAKE_NEXT_RIP	  (1u << 3)
#define FAKE_TSC_RATIO	  (1u << 4)
#define FAKE_CLEAN	  (1u << 5)
#define FAKE_FLUSH_ASID	  (1u << 6)
#define FAKE_DECODE	  (1u << 7)
#define FAKE_PAUSE_FILTER (1u << 10)
#define FAKE_THRESHOLD	  (1u << 12)
#define FAKE_VGIF	  (1u << 16)

#endif
