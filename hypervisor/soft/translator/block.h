/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.h - translated blocks and their buffer, as run.c uses them. See block.c.
 */
#ifndef SOFT_TR_BLOCK_H
#define SOFT_TR_BLOCK_H

#include "soft/translator/tr.h"

/* No room for one more block: everything must go first. */
bool tr_full(const struct soft_tr *g);
/* Translate @b, which was verified for cpu.ip just now. Needs !tr_full(). */
void tr_block_translate(struct soft_vcpu *sv, struct soft_block *b);
/* A dropped block: who comes in ends up in C, where the way to its successor is linked. */
void tr_block_unlink(struct soft_vcpu *sv, struct soft_tr_block *r);
/* Forget all translated blocks. */
void tr_reset(struct soft_tr *g);
void tr_clear_jumps(struct soft_tr *g, unsigned int table);

/* The block's translation, if it is time for one. *ret_again: all blocks are gone, find it anew. */
struct soft_tr_block *tr_get(struct soft_vcpu *sv, struct soft_block *b, bool *ret_again);
/* Run @b, which was found for cpu.ip just now. Returns TR_EXIT_* or what a handler returned. */
int tr_enter_block(struct soft_vcpu *sv, struct soft_block *b);

/*
 * An indirect branch led out of translated code to an address that is not canonical: it has to
 * fault, as if it had not been executed. tr_redo_branch() executes it by its handler; *ret: it.
 */
bool tr_went_astray(const struct soft_vcpu *sv);
int tr_redo_branch(struct soft_vcpu *sv, const struct x86_insn **ret);

#endif
