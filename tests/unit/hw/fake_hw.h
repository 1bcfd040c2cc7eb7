/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_hw.h - what the fakes of svm/ and vmx/ share: a guest in 64-bit mode, a processor's x87, SSE
 * and AVX registers with the instructions that move them, and what a kernel does for either, as far
 * as a process can.
 */
#ifndef TEST_FAKE_HW_H
#define TEST_FAKE_HW_H

#include "core/domain.h"
#include "x86/host.h"

/* 64-bit code at 0x1000, flat; a page table of 2 MiB pages at 0x80000. */
void fake_long_mode(uint8_t *ram, struct hvm_vcpu_state *s);

/*
 * XSAVE and XRSTOR fail the test where the processor would fault: a component that XCR0 does not
 * have, an area that is not aligned, a header or an MXCSR that is not clean.
 */
struct fake_fpu {
	uint64_t xcr0;
	_Alignas(64) uint8_t regs[HVM_XSAVE_BYTES]; /* as XSAVE would write them */
	unsigned int moves, xmoves;		    /* by FXSAVE, FXRSTOR; by XSAVE, XRSTOR */
};
extern struct fake_fpu fake_fpu;

/* Bits that the processor's CPUID does not show. */
struct fake_lacks {
	uint32_t leaf1_ecx, leaf7_ebx, ext1_ecx;
};
extern struct fake_lacks fake_lacks;

/* A processor with everything, whose kernel uses x87, SSE and AVX. */
void fake_hw_reset(void);

#endif
