/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * int.h - operands of integer templates (int.c), and the templates that are in arith.c.
 */
#ifndef SOFT_TR_INT_H
#define SOFT_TR_INT_H

#include "soft/translator/tr.h"

/* AH, CH, DH or BH? */
bool tr_is_high(unsigned int r);
/* Register to work on for destination @r; loads it if it lives in memory and is read. */
unsigned int tr_dst(struct tr *t, unsigned int r, bool read);
/* Behind the instruction: store it if it lives in memory. */
void tr_put(struct tr *t, unsigned int r, unsigned int h);
/* Source register @r in a host register; @tmp if it has none. */
unsigned int tr_src(struct tr *t, unsigned int r, unsigned int tmp);
bool tr_mem_form(const struct x86_insn *i);
/* Memory operand of the operation's size, with the flags that the instruction needs. */
bool tr_operand(struct tr *t, const struct x86_insn *i, bool write, struct tr_rm *ret);
uint32_t tr_lock(const struct x86_insn *i);

bool tr_int_mul(struct tr *t, const struct x86_insn *i);
bool tr_int_div(struct tr *t, const struct x86_insn *i);
bool tr_int_shift(struct tr *t, const struct x86_insn *i);
bool tr_int_shift2(struct tr *t, const struct x86_insn *i);
bool tr_int_bt(struct tr *t, const struct x86_insn *i);
bool tr_int_reg_rm(struct tr *t, const struct x86_insn *i);

#endif
