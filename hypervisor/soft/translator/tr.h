/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tr.h - the translator's inside: the code buffer, host registers, one block under translation.
 * docs/translator.md has the design; the short form:
 *
 * Registers. Host RSP points at struct soft_vcpu (its struct x86_cpu comes first), with the stack
 * of helpers right below it, so one register is state pointer and C stack. Guest RAX RCX RDX RBX
 * RBP RSI RDI R12..R15 are in the host registers of the same name, guest RSP in host R9; guest
 * R8..R11 stay in struct x86_cpu. R10, R11, R8 are temporaries T0, T1, T2. XMM0..15 are the guest's
 * while soft_tr.xmm_live is set, with the upper halves (YMM) if it is TR_LIVE_YMM.
 *
 * Flags. The guest's arithmetic flags are in the host's, or in c->arith, or both (enum tr_flags);
 * what every block knows at every instruction is static. A TLB probe clobbers the host's, so they
 * are saved before one if, within the block, anything may still read them. At a block's entry they
 * are in c->arith, or do not matter; an entry for those who come with them in host flags saves
 * them.
 *
 * Memory operands. A probe of the software TLB (struct x86_tlb), then the host's own instruction on
 * the host address. A probe that fails goes to a cold stub that executes the whole instruction by
 * its handler, so that everything that is not the fast case is the interpreter's.
 *
 * Locking: all of it belongs to the vcpu's thread; code is generated, linked and dropped between
 * two instructions of this vcpu only. Not saved. Source: Intel SDM Vol 2 ch. 2 "Instruction
 * Format", App. A "Opcode Map".
 */
#ifndef SOFT_TR_H
#define SOFT_TR_H

#include "soft/soft.h"

/* -- host registers ------------------------------------------------------------------------ */

#define TR_T0	  10u /* r10 */
#define TR_T1	  11u /* r11 */
#define TR_T2	  8u  /* r8 */
#define TR_STATE  4u  /* rsp */
#define TR_SP	  9u  /* r9: guest rsp */
#define TR_NO_REG 0xffu
#define TR_RIP	  0xfeu /* as base: disp is an offset in the code buffer */

/* Host register of guest register @r, or TR_NO_REG: in struct x86_cpu. */
static inline unsigned int tr_host(unsigned int r)
{
	return r == X86_RSP ? TR_SP : r >= 8 && r <= 11 ? TR_NO_REG : r;
}

/* -- encoder (emit.c) ---------------------------------------------------------------------- */

/* An instruction: opcode byte, map, prefixes, and what REX depends on. */
#define TR_0F	  0x00100u
#define TR_38	  0x00200u
#define TR_3A	  0x00300u
#define TR_MAP	  0x00300u
#define TR_P66	  0x01000u
#define TR_F3	  0x02000u
#define TR_F2	  0x04000u
#define TR_LOCK	  0x08000u
#define TR_W	  0x10000u
#define TR_REG8	  0x20000u /* the reg field is a byte register */
#define TR_RM8	  0x40000u /* the rm field, if a register, is one */
#define TR_BYTES8 (TR_REG8 | TR_RM8)

struct tr_mem {
	uint8_t base; /* host register, TR_NO_REG or TR_RIP */
	uint8_t index;
	uint8_t scale;
	int32_t disp;
};

/* The r/m operand. */
struct tr_rm {
	bool mem;
	uint8_t reg;
	struct tr_mem m;
};

/* -- a block under translation ------------------------------------------------------------- */

enum tr_flags {
	TR_IN_MEM,  /* c->arith holds them (as far as anything will read them) */
	TR_IN_HOST, /* the host's flags hold them */
	TR_IN_BOTH,
};

/* Flags as bits of masks. */
#define TR_CF  0x01u
#define TR_PF  0x02u
#define TR_AF  0x04u
#define TR_ZF  0x08u
#define TR_SF  0x10u
#define TR_OF  0x20u
#define TR_ALL 0x3fu

/* What an instruction does with the flags. Undefined results count as neither. */
struct tr_flag_use {
	uint8_t reads;
	uint8_t writes; /* whatever they were before */
	bool changes;	/* the host's instruction touches flags */
};

#define TR_PENDING 8

/*
 * The x87 state as the code so far leaves it: is it in the host's unit (else nobody knows), and of
 * which instructions the pointers are still to be put into struct x86_cpu.
 */
struct tr_x87 {
	bool live;
	bool fdp;		     /* mem's operand address has not been stored yet */
	const struct x86_insn *last; /* NULL: all is there */
	const struct x86_insn *mem;  /* the last with a memory operand, or NULL */
};

/*
 * Instructions [first, last] with operands at one base, and index, that do not change between them:
 * one probe for all of those operands, whose addend stays in T2 (group.c).
 */
struct tr_group {
	uint8_t first, last;
	uint8_t base, index; /* guest registers */
	uint8_t scale;
	bool probed; /* the probe is there */
	bool write;
	int32_t low, high;   /* displacements, of the end for high */
	uint8_t *failed;     /* end of the jump that is taken when the probe fails */
	uint8_t *end;	     /* code behind the last instruction ... */
	enum tr_flags flags; /* ... and where flags are there */
	struct tr_x87 x87;   /* ahead of the first */
};
#define TR_GROUPS 8

struct tr {
	struct soft_vcpu *sv;
	struct soft_tr *g;
	struct soft_block *b;
	struct soft_tr_block *rec;
	uint8_t *p;	    /* where the next byte goes */
	uint8_t *other;	    /* the same of the region that is not written now */
	uint32_t page_off;  /* of the block in its page */
	unsigned int count; /* instructions to translate: all, but for verify.c */
	unsigned int n;	    /* instruction at work */
	struct tr_flag_use use;
	uint8_t live_before, live_after;
	enum tr_flags flags;
	/* Jumps of this instruction that lead to its cold stub. */
	uint8_t *pending[TR_PENDING];
	unsigned int pending_count;
	unsigned int cold_last; /* last instruction that the cold stub executes (groups) */
	uint8_t live[SOFT_BLOCK_INSNS + 1]; /* flags alive before each instruction */
	uint64_t reach_up, reach_down;	    /* how far its direct branches go */
	struct tr_group group[TR_GROUPS];
	unsigned int group_count;
	bool in_group; /* the last of group[] */
	bool no_groups;
	struct tr_x87 x87, x87_before; /* now, and ahead of instruction n */
	bool no_x87;		       /* by handlers in this block */
};

static inline const struct x86_insn *tr_insn(const struct tr *t, unsigned int n)
{
	return &t->b->slot[n].insn;
}

void tr_byte(struct tr *t, unsigned int b);
void tr_word32(struct tr *t, uint32_t v);
void tr_word64(struct tr *t, uint64_t v);
/* Immediate of an operation of log2 size @osize: at most 4 bytes. */
void tr_imm(struct tr *t, unsigned int osize, int64_t v);
/*
 * One instruction; an immediate of @imm_bytes follows it, which the caller emits.
 */
void tr_op_rm(struct tr *t, uint32_t op, unsigned int reg, const struct tr_rm *rm,
	      unsigned int imm_bytes);
void tr_op_rr(struct tr *t, uint32_t op, unsigned int reg, unsigned int rm);
void tr_op_mem(struct tr *t, uint32_t op, unsigned int reg, struct tr_mem m);
/* The fields of a VEX prefix, none of them inverted. */
struct tr_vex {
	uint8_t map, pp, opcode;
	uint8_t vvvv;
	bool l, w;
};
/* @rm NULL: an opcode without ModRM. */
void tr_op_vex(struct tr *t, const struct tr_vex *v, unsigned int reg, const struct tr_rm *rm,
	       unsigned int imm_bytes);
/* Opcode bits for log2 size @osize: byte registers, 66, REX.W; @op is the form for bytes. */
uint32_t tr_sized(uint32_t op, unsigned int osize);
/* Prefix bits alone, for log2 size @osize of 1 to 3: opcodes that have no form for bytes. */
static inline uint32_t tr_wide(unsigned int osize)
{
	return osize == 1 ? TR_P66 : osize == 3 ? TR_W : 0;
}
/* jcc (cc 0..15) or jmp (cc TR_ALWAYS) with a 32-bit displacement; returns where it ends. */
#define TR_ALWAYS 16u
uint8_t *tr_jump(struct tr *t, unsigned int cc, const uint8_t *to);
void tr_call(struct tr *t, const uint8_t *to);
/* Set the displacement that ends at @end. */
void tr_patch(uint8_t *end, const uint8_t *to);

static inline struct tr_rm tr_reg(unsigned int reg)
{
	return (struct tr_rm){ .reg = (uint8_t)reg };
}

static inline struct tr_mem tr_based(unsigned int base, int32_t disp)
{
	return (struct tr_mem){ .base = (uint8_t)base, .index = TR_NO_REG, .disp = disp };
}

/* A field of struct soft_vcpu. */
static inline struct tr_mem tr_state(size_t offset)
{
	return tr_based(TR_STATE, (int32_t)offset);
}
#define TR_FIELD(field) tr_state(offsetof(struct soft_vcpu, field))

static inline struct tr_mem tr_slot(unsigned int guest_reg)
{
	return tr_state(offsetof(struct soft_vcpu, cpu.gpr) + 8u * guest_reg);
}

/* Register or slot of a guest register. */
static inline struct tr_rm tr_guest(unsigned int r)
{
	unsigned int h = tr_host(r);

	if (h != TR_NO_REG)
		return tr_reg(h);
	return (struct tr_rm){ .mem = true, .m = tr_slot(r) };
}

/* Frequent instructions. */
void tr_load(struct tr *t, unsigned int reg, struct tr_mem m);	/* 64 bits */
void tr_store(struct tr *t, struct tr_mem m, unsigned int reg); /* 64 bits */
void tr_lea(struct tr *t, unsigned int reg, struct tr_mem m);
void tr_mov(struct tr *t, unsigned int dst, unsigned int src);
void tr_mov_imm(struct tr *t, unsigned int reg, uint64_t v);
void tr_rorx8(struct tr *t, unsigned int dst, unsigned int src); /* by 8 bits; changes no flags */
void tr_store_imm32(struct tr *t, struct tr_mem m, uint32_t v);	 /* 32 bits */

/* -- flags (flags.c) ----------------------------------------------------------------------- */

struct tr_flag_use tr_flag_use(const struct x86_insn *i);
/* Fill t->live from the block's end to its start. */
void tr_liveness(struct tr *t);
/* Code: host flags to c->arith and back; @tmp is lost. */
void tr_emit_save_flags(struct tr *t, unsigned int tmp);
void tr_emit_load_flags(struct tr *t, unsigned int tmp);
/* The host's flags are going to be lost: save them if anyone reads them later. */
void tr_clobber(struct tr *t);
/* Ahead of the host's instruction: give it the flags that it reads or keeps. */
void tr_need_flags(struct tr *t);
/* Behind it. */
static inline void tr_flags_done(struct tr *t)
{
	if (t->use.changes)
		t->flags = TR_IN_HOST;
}

/* -- regions, memory operands (mem.c) ------------------------------------------------------ */

void tr_swap(struct tr *t); /* between hot and cold region */
/*
 * Probe the TLB for the memory operand of @i, for @size bytes; @m: the operand on the host.
 * @align: what the access must be aligned to (16 or 32 bytes), or 0. T1 and perhaps T2 are taken;
 * T0 is free. false: cannot be done in place; nothing was emitted.
 */
bool tr_address(struct tr *t, const struct x86_insn *i, unsigned int size, bool write,
		unsigned int align, struct tr_mem *m);
/* The same for [base + disp] of a host register. */
void tr_probe(struct tr *t, unsigned int base, int32_t disp, unsigned int size, bool write);
/* Finish the instruction: its cold stub, if anything leads there. */
void tr_finish_cold(struct tr *t);
/* Does EFLAGS.AC pick the TLB context? */
bool tr_dynamic_context(const struct tr *t);
/* A jump from here to the cold stub. */
void tr_to_cold(struct tr *t, unsigned int cc);
/* Execute instruction @n by its handler. */
void tr_exec(struct tr *t, unsigned int n);

/* A probe whose addend goes to T2; returns the end of the jump for when it fails. */
uint8_t *tr_probe_group(struct tr *t, struct tr_mem m, unsigned int size, bool write);

/* -- groups (group.c) ---------------------------------------------------------------------- */

/* Begin one at instruction t->n if that pays. */
void tr_group_begin(struct tr *t);
/* Behind instruction t->n - 1: the end of one, perhaps. */
void tr_group_end(struct tr *t);
/* The memory operand of @i, if the group covers it. */
bool tr_group_address(struct tr *t, const struct x86_insn *i, struct tr_mem *m);
/* Behind the block: what is executed instead when a group's probe fails. */
void tr_group_clones(struct tr *t, void (*insns)(struct tr *t, unsigned int last));
bool tr_has_int_template(const struct x86_insn *i);

/* -- templates. false: not this one; nothing was emitted ------------------------------------ */

typedef bool (*tr_template)(struct tr *t, const struct x86_insn *i);

bool tr_int_insn(struct tr *t, const struct x86_insn *i);    /* int.c */
bool tr_branch_insn(struct tr *t, const struct x86_insn *i); /* branch.c */
/* Consecutive pushes or pops as one; returns how many instructions that were, 0: none. */
unsigned int tr_stack_group(struct tr *t);
/* Goes on at @off from the block's start. */
void tr_exit_direct(struct tr *t, int64_t off, unsigned int cc);
bool tr_sse_insn(struct tr *t, const struct x86_insn *i); /* sse.c */
bool tr_is_sse(const struct tr *t, const struct x86_insn *i);
void tr_sse_init(void);
/* What the memory operand of @i must be aligned to, or 0. */
unsigned int tr_sse_alignment(const struct x86_insn *i);
unsigned int tr_vex_alignment(const struct x86_insn *i);
bool tr_vex_insn(struct tr *t, const struct x86_insn *i); /* vex.c */
/* Is there a template for @i, a VEX-encoded instruction? */
bool tr_is_vex(const struct tr *t, const struct x86_insn *i);
/* Of a VEX-encoded instruction: does it use vector registers? What does it do with flags? Does it
 * write general register @reg? */
bool tr_vex_vectors(const struct x86_insn *i);
struct tr_flag_use tr_vex_flag_use(const struct x86_insn *i);
bool tr_vex_changes_reg(const struct x86_insn *i, unsigned int reg);

/* soft_tr.xmm_live: whose the host's vector registers are. */
#define TR_LIVE_NONE 0u
#define TR_LIVE_XMM  1u
#define TR_LIVE_YMM  2u

/* -- x87 (x87.c, x87_state.c) -------------------------------------------------------------- */

#define TR_X87_FIRST X86_OP_FADD
#define TR_X87_LAST  X86_OP_FNOP_LEGACY

static inline bool tr_x87_is(const struct x86_insn *i)
{
	return i->op >= TR_X87_FIRST && i->op <= TR_X87_LAST;
}

bool tr_x87_insn(struct tr *t, const struct x86_insn *i);
bool tr_is_x87(const struct tr *t, const struct x86_insn *i);
/* Is its memory operand written? */
bool tr_x87_writes(const struct x86_insn *i);
/* Does the handler of @i look at the x87 state, or change it? */
bool tr_x87_uses(const struct x86_insn *i);
/* What it does with the flags; false: @i is not an x87 instruction, or one with a condition. */
bool tr_x87_flag_use(const struct x86_insn *i, struct tr_flag_use *ret);
/* At the block's start, flags are in c->arith: bring the state in if any instruction needs it. */
void tr_x87_begin(struct tr *t);
/* Ahead of every instruction. */
void tr_x87_before(struct tr *t, const struct x86_insn *i);
/* Put the pointers of the last instruction in place; changes no flags, takes T0 and T1. */
void tr_x87_flush(struct tr *t);
void tr_x87_emit_notes(struct tr *t, const struct tr_x87 *x);
/* Behind handlers in @i's cold stub: as it was, @live. */
void tr_x87_cold_end(struct tr *t, const struct x86_insn *i, bool live);
/* Common routines. The save, if it is live, takes T2 alone. */
void tr_x87_make_common(struct tr *t);
void tr_x87_emit_save(struct tr *t, unsigned int below);
/* Learn about the host's unit. */
void tr_x87_init(struct soft_tr *g);

/* -- common routines (common.c) ------------------------------------------------------------ */

void tr_make_common(struct tr *t);

/* Bits of soft_tr.site, next to the offset of the displacement's end. */
#define TR_SITE_DIRECT	 0x80000000u
#define TR_SITE_HOST	 0x40000000u /* comes with flags in the host's */
#define TR_SITE_NEAR	 0x20000000u /* within the page */
#define TR_SITE_POLL	 0x10000000u /* backwards: must look at exit_req */
#define TR_SITE_OFFSET	 0x0fffffffu
/* Not direct: an indirect branch that found nothing. 0: none of all that. */
#define TR_SITE_INDIRECT 0x10000u

/* What the generated code returns; below: enum x86_result of the handler that ended it. */
#define TR_EXIT_GO     32u /* ip and site are set */
#define TR_EXIT_INTERP 33u /* interpret the block at ip */

/* Is translated code left behind @i? MXCSR or FCW may be one that the host cannot run with. */
bool tr_leaves_behind(const struct x86_insn *i);
/* Leave without a link, for the instruction at @end from the block's start; T0 and T1 are taken. */
void tr_leave(struct tr *t, unsigned int end);

/* -- verify.c ------------------------------------------------------------------------------ */

/* How many instructions at the start of @b can be executed twice. */
unsigned int tr_verify_count(const struct soft_block *b);

#endif
