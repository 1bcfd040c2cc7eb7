/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_str.h - what string instructions share: MOVS ... SCAS in exec_string.c, INS and OUTS in
 * exec_io.c.
 *
 * A repeated instruction works in chunks: as many elements as lie in one page of each operand, on
 * host pointers. Where there is no pointer (devices, ROM, an element that crosses pages, the end of
 * a segment or of the address size) it does one element with the ordinary accesses, which also
 * raises exactly what that element raises.
 */
#ifndef X86_EXEC_STR_H
#define X86_EXEC_STR_H

#include "x86/exec_int.h"

/*
 * Up to @n elements: operands, and registers other than RCX. Returns how many were done; 0: none,
 * do one; -1: X86_ABORT.
 */
typedef int64_t (*x86_str_many_fn)(struct x86_cpu *c, const struct x86_insn *i, uint64_t n);
/* One element. false: X86_ABORT, nothing was done. */
typedef bool (*x86_str_one_fn)(struct x86_cpu *c, const struct x86_insn *i);

/* Run @i with its REP prefix. @compares: REPE and REPNE look at ZF. */
int x86_str_run(struct x86_cpu *c, const struct x86_insn *i, x86_str_many_fn many,
		x86_str_one_fn one, bool compares);

static inline bool x86_str_backward(const struct x86_cpu *c)
{
	return c->rflags_rest & X86_EFL_DF;
}

/* Move RSI or RDI past @n elements. */
static inline void x86_str_advance(struct x86_cpu *c, const struct x86_insn *i, unsigned int reg,
				   uint64_t n)
{
	uint64_t bytes = n << i->osize;

	x86_set_n(c, i->asize, reg, c->gpr[reg] + (x86_str_backward(c) ? 0 - bytes : bytes));
}

/*
 * x86_str_room - how many of @n elements at @seg:RSI or RDI can be one chunk; 0: do one.
 * x86_str_ptr - host pointer to the lowest byte of a chunk of @n elements (n as _room allowed, or
 * less). NULL: do one, or with c->stop set X86_ABORT.
 */
uint64_t x86_str_room(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg,
		      unsigned int reg, uint64_t n);
void *x86_str_ptr(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg, unsigned int reg,
		  uint64_t n, bool write);

/* One element in memory. false: X86_ABORT. */
bool x86_str_load(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg, unsigned int reg,
		  uint64_t *ret);
bool x86_str_store(struct x86_cpu *c, const struct x86_insn *i, uint64_t value);

#endif
