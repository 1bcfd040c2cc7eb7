/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec.h - the executor: what each instruction does. One table of rows a file; x86_exec_bind()
 * finds the handler of a decoded instruction.
 */
#ifndef X86_EXEC_H
#define X86_EXEC_H

#include "cpu.h"
#include "env.h"
#include "mem.h"

#define X86_ANY 0xff

/*
 * Special rows, or'ed to the form of a row. x86_exec_bind() prefers them where they apply and falls
 * back to the plain row (but never from LOCKED: without such a row LOCK raises #UD).
 * FLAT64: 64-bit addresses, segment neither FS nor GS: the linear address is x86_ea_flat64().
 * BASE64: the same without an index: x86_ea_base64().
 * LOCKED: with X86_F_LOCK.
 */
#define X86_FORM_FLAT64 0x20
#define X86_FORM_BASE64 0x40
#define X86_FORM_LOCKED 0x80

/* Handler of operation @op in shape @form at operation size @osize (log2), or of any. */
struct x86_exec_row {
	uint16_t op;
	uint8_t form;  /* enum x86_form, perhaps | X86_FORM_FLAT64 ..., or X86_ANY */
	uint8_t osize; /* 0..4 or X86_ANY */
	x86_exec_fn fn;
};

struct x86_exec_table {
	const struct x86_exec_row *rows;
	size_t count;
};

/* Each exec_*.c ends with one of these. */
extern const struct x86_exec_table x86_exec_alu; /* exec_alu.c: arithmetic, logic */
extern const struct x86_exec_table
	x86_exec_shift; /* exec_shift.c: shifts, rotates, bit operations */
extern const struct x86_exec_table x86_exec_move;   /* exec_move.c: MOV family, exchange, stack */
extern const struct x86_exec_table x86_exec_branch; /* exec_branch.c: near control flow */
extern const struct x86_exec_table x86_exec_string; /* exec_string.c: string operations, IN/OUT */
extern const struct x86_exec_table x86_exec_far;    /* exec_far.c: far transfers, INT, IRET */
extern const struct x86_exec_table
	x86_exec_seg; /* exec_seg.c: segment and descriptor instructions */
extern const struct x86_exec_table
	x86_exec_sys; /* exec_sys.c: CR, DR, MSR, CPUID, SYSCALL, HLT ... */
extern const struct x86_exec_table x86_exec_x87;      /* exec_x87.c, exec_x87_*.c */
extern const struct x86_exec_table x86_exec_fpstate;  /* exec_fpstate.c: FXSAVE, XSAVE, MXCSR */
extern const struct x86_exec_table x86_exec_sse_move; /* exec_sse_move.c */
extern const struct x86_exec_table x86_exec_sse_fp;   /* exec_sse_fp.c */
extern const struct x86_exec_table x86_exec_sse_int;  /* exec_sse_int.c, MMX too */
extern const struct x86_exec_table x86_exec_sse4;     /* exec_sse4.c: SSSE3, SSE4.1, SSE4.2 */

/* x86_exec_init - build the lookup. Call once before any bind; idempotent. -HVM_ENOMEM. */
int x86_exec_init(void);
/*
 * x86_exec_bind - the handler of @i; never NULL (what has none raises #UD). Also refuses LOCK on
 * what may not be locked.
 */
x86_exec_fn x86_exec_bind(const struct x86_insn *i);
/* Handler that raises #UD. */
int x86_exec_ud(struct x86_cpu *c, const struct x86_insn *i);

/* Linear address of the memory operand in a row with X86_FORM_FLAT64, X86_FORM_BASE64. */
static inline gva_t x86_ea_flat64(const struct x86_cpu *c, const struct x86_insn *i)
{
	return c->gpr[i->base] + (c->gpr[i->index] << i->scale) + (uint64_t)i->disp;
}

static inline gva_t x86_ea_base64(const struct x86_cpu *c, const struct x86_insn *i)
{
	return c->gpr[i->base] + (uint64_t)i->disp;
}

/*
 * x86_check_io - may the current code access ports [port, port + size)? IOPL, then the TSS's I/O
 * permission bitmap. false: raised. Source: Intel SDM Vol 1 ch. 18.5 "Protected-Mode I/O".
 */
bool x86_check_io(struct x86_cpu *c, uint16_t port, unsigned int size);

/* -- exec_mode.c: what the processor derives from its registers ---------------------------------
 */

/* Power-on or INIT state. @init: keep what INIT keeps. Source: Intel SDM Vol 3A 9.1.1. */
void x86_cpu_reset(struct x86_cpu *c, bool init);
/*
 * x86_update_mode - recompute c->cpl-derived c->mode and TLB context. Call after every change of
 * CS, SS, any segment, CR0, CR4, EFER, CPL, EFLAGS.VM or EFLAGS.AC.
 */
void x86_update_mode(struct x86_cpu *c);
/* To and from the vendor-neutral form. put does not validate what a caller may not set. */
void x86_cpu_get_state(const struct x86_cpu *c, struct hvm_vcpu_state *ret);
void x86_cpu_put_state(struct x86_cpu *c, const struct hvm_vcpu_state *s);

/* -- exec_event.c: delivery -------------------------------------------------------------------- */

/*
 * x86_deliver - deliver @e (interrupt, exception, software interrupt) through the IDT or IVT with
 * c->ip as the return address (faults: the faulting instruction; traps and interrupts: the next).
 * Nested faults become #DF, then shutdown. Sets CR2 and DR6 from c->exc_* for #PF and #DB.
 * 0: delivered. -HVM_EAGAIN: a device access of the delivery needs ioemu (c->stop); call again.
 * -HVM_EIO: triple fault, c->stop = X86_STOP_SHUTDOWN, c->activity SHUTDOWN.
 * Source: Intel SDM Vol 3A ch. 6 "Interrupt and Exception Handling".
 */
int x86_deliver(struct x86_cpu *c, const struct hvm_event *e);
/* Instruction breakpoint at linear @la? 0 or DR6 bits. Honours RF. */
uint64_t x86_code_breakpoint(const struct x86_cpu *c, gva_t la);
/* Data breakpoint hit by this access? DR6 bits, which the loop reports after the instruction. */
uint64_t x86_data_breakpoint(const struct x86_cpu *c, gva_t la, unsigned int size, bool write);
/* Does the vcpu need the slow loop (TF, or any breakpoint of DR7 enabled)? */
static inline bool x86_wants_single_step(const struct x86_cpu *c)
{
	return (c->rflags_rest & X86_EFL_TF) || (c->dr7 & 0xff);
}

/* -- exec_seg.c -------------------------------------------------------------------------------- */

/* Load a data segment register (ES, SS, DS, FS, GS) as MOV does. X86_NEXT or X86_ABORT. */
int x86_load_seg(struct x86_cpu *c, unsigned int seg, uint16_t sel);
/* Fetch the 8 bytes of a descriptor; X86_ABORT with #GP(sel) (or @vector) beyond the table. */
int x86_fetch_descriptor(struct x86_cpu *c, uint16_t sel, enum x86_vector vector, uint64_t *ret);

/* -- stack, shared by exec_move, exec_branch and exec_far -----------------------------------------
 */

/* Stack pointer cut to the stack's address size, and written back so. */
static inline uint64_t x86_get_sp(const struct x86_cpu *c)
{
	unsigned int s = (c->mode & X86_MODE_SS_MASK) >> X86_MODE_SS_SHIFT;

	return s == 3	? c->gpr[X86_RSP]
	       : s == 2 ? (uint32_t)c->gpr[X86_RSP]
			: (uint16_t)c->gpr[X86_RSP];
}

static inline void x86_set_sp(struct x86_cpu *c, uint64_t sp)
{
	unsigned int s = (c->mode & X86_MODE_SS_MASK) >> X86_MODE_SS_SHIFT;

	if (s == 3)
		c->gpr[X86_RSP] = sp;
	else if (s == 2)
		c->gpr[X86_RSP] = (uint32_t)sp;
	else
		c->gpr[X86_RSP] = (c->gpr[X86_RSP] & ~0xffffull) | (uint16_t)sp;
}

#endif
