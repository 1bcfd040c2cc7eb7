/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctlreg.h - which values control registers take, and the processor's state after reset: rules that
 * the executor and the hardware vendors share.
 */
#ifndef X86_CTLREG_H
#define X86_CTLREG_H

#include "hvm/hvm_state.h"

struct x86_ctlregs {
	uint64_t cr0, cr3, cr4, efer;
};

/* x86_cr4_allowed - bits of CR4 that the CPUID leaves 1 and 7 (eax ebx ecx edx each) offer. */
uint64_t x86_cr4_allowed(const uint32_t leaf1[4], const uint32_t leaf7[4]);
/* May software write @value? False: #GP(0). Loading the PDPTEs may fault besides. */
bool x86_cr4_write_ok(const struct x86_ctlregs *r, uint64_t value, uint64_t allowed);
bool x86_efer_write_ok(const struct x86_ctlregs *r, uint64_t value);
/* @allowed: bits that CPUID leaf 0DH offers; x87 is always there. */
bool x86_xcr0_write_ok(uint64_t value, uint64_t allowed);

/*
 * x86_state_reset - power-on state, or with @init what INIT makes of @s. @signature: CPUID leaf 1
 * EAX. Fields that are not the processor's own (pat, tsc_offset, activity, pending) are left alone.
 * Source: Intel SDM Vol 3A 9.1.1 "Processor State After Reset".
 */
void x86_state_reset(struct hvm_vcpu_state *s, bool init, uint32_t signature);

#endif
