/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_fp.h - register layouts that the x87, SSE and FPU state handlers share.
 * Source: Intel SDM Vol 1 ch. 8 "Programming with the x87 FPU", 10.2.3 "MXCSR Control and Status
 * Register".
 */
#ifndef X86_EXEC_FP_H
#define X86_EXEC_FP_H

#include "exec.h"

/* Exception flags, the same in FSW and MXCSR; the masks of FCW; those of MXCSR are << 7. */
#define X86_FP_IE 0x01u
#define X86_FP_DE 0x02u
#define X86_FP_ZE 0x04u
#define X86_FP_OE 0x08u
#define X86_FP_UE 0x10u
#define X86_FP_PE 0x20u

#define X86_FSW_EXC	  0x003fu
#define X86_FSW_SF	  0x0040u /* stack fault */
#define X86_FSW_ES	  0x0080u /* an unmasked exception is pending */
#define X86_FSW_C0	  0x0100u
#define X86_FSW_C1	  0x0200u
#define X86_FSW_C2	  0x0400u
#define X86_FSW_TOP	  0x3800u
#define X86_FSW_C3	  0x4000u
#define X86_FSW_B	  0x8000u /* mirrors ES */
#define X86_FSW_CC	  (X86_FSW_C0 | X86_FSW_C1 | X86_FSW_C2 | X86_FSW_C3)
#define X86_FSW_TOP_SHIFT 11

#define X86_FCW_INIT	 0x037fu
#define X86_FCW_WRITABLE 0x1f3fu
#define X86_FCW_FIXED	 0x0040u /* reads as one */

#define X86_MXCSR_FLAGS	     0x003fu
#define X86_MXCSR_MASKS	     0x1f80u
#define X86_MXCSR_CONTROL    0xffc0u
#define X86_MXCSR_MASK_SHIFT 7
#define X86_MXCSR_VALID	     0xffffu /* what MXCSR_MASK of FXSAVE says */
#define X86_MXCSR_INIT	     0x1f80u

static inline unsigned int x86_fpu_top(const struct x86_cpu *c)
{
	return (c->fpu.fsw & X86_FSW_TOP) >> X86_FSW_TOP_SHIFT;
}

/* ES and B follow from the flags and the masks. */
static inline void x86_fpu_update_es(struct x86_fpu *f)
{
	f->fsw &= (uint16_t) ~(X86_FSW_ES | X86_FSW_B);
	if (f->fsw & ~f->fcw & X86_FSW_EXC)
		f->fsw |= X86_FSW_ES | X86_FSW_B;
}

/*
 * x86_fpu_refuse - #NM for an x87 instruction (or WAIT) when CR0.EM or CR0.TS says so, #MF for a
 * pending exception; X86_NEXT: it may run (also after reporting the exception through FERR).
 * @waiting: not one of the FN* instructions, which do not look at pending exceptions.
 */
int x86_fpu_refuse(struct x86_cpu *c, bool waiting);

/* Ahead of every waiting x87 instruction. */
#define X86_FPU_CHECK(c) \
	do { \
		if (hvm_unlikely(((c)->mode & X86_MODE_NO_FPU) || ((c)->fpu.fsw & X86_FSW_ES)) && \
		    x86_fpu_refuse(c, true) != X86_NEXT) \
			return X86_ABORT; \
	} while (0)
/* Ahead of FNSTSW, FNCLEX, ... */
#define X86_FPU_CHECK_NOWAIT(c) \
	do { \
		if (hvm_unlikely((c)->mode & X86_MODE_NO_FPU) && \
		    x86_fpu_refuse(c, false) != X86_NEXT) \
			return X86_ABORT; \
	} while (0)

/* FNINIT's and reset's x87 state; registers keep their contents. */
void x86_fpu_init(struct x86_fpu *f);
/* 16-bit tag word from the registers. Source: Intel SDM Vol 1 8.1.7 "x87 FPU Tag Word". */
uint16_t x86_fpu_full_tags(const struct x86_fpu *f);

/* -- operands of more than 8 bytes (exec_fpstate.c) --------------------------------------- */

/*
 * Any number of bytes; false: raised. x86_put_bytes() may have written some of them then, unless
 * x86_probe_area() has said that all can be written.
 */
bool x86_get_bytes(struct x86_cpu *c, gva_t gva, void *buf, unsigned int bytes);
bool x86_put_bytes(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int bytes);
bool x86_probe_area(struct x86_cpu *c, gva_t gva, unsigned int bytes);

#endif
