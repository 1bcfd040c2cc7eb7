/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emulate_mmio.h - instructions that move data between a register and a device, as far as they are
 * worth doing in the kernel. Everything else is left to the executor in user space.
 */
#ifndef X86_EMULATE_MMIO_H
#define X86_EMULATE_MMIO_H

#include "core/domain.h"
#include "x86/insn.h"

struct emulate_regs {
	uint64_t *gpr; /* 16 */
	uint64_t rip;
	uint64_t rflags;
	uint64_t seg_base[6]; /* as addressing sees them: zero where 64-bit code ignores them */
	uint8_t code_size;    /* enum x86_code_size */
};

/*
 * emulate_mmio - carry out @i, whose memory operand is at @gpa: not RAM, a device or ROM. Registers
 * and flags change only when it is done; rip is left for the caller to advance by i->len.
 * 0; -HVM_EAGAIN: the ioreq page holds a request, run it again afterwards; -HVM_EOPNOTSUPP: not an
 * instruction for this place, nothing was done.
 */
int emulate_mmio(struct vcpu *v, struct emulate_regs *r, const struct x86_insn *i, gpa_t gpa);

#endif
