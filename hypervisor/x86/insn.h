/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insn.h - one decoded instruction, as the decoder fills it, the executor reads it, and a
 * translator can consume it. Nothing in it depends on where the instruction stands: RIP-relative
 * operands name X86_REG_IP as their base.
 */
#ifndef X86_INSN_H
#define X86_INSN_H

#include "hvm/hvm_types.h"

enum x86_op {
	X86_OP_INVALID, /* #UD */
#define OP(name) X86_OP_##name,
#include "op_names.def"
#undef OP
	X86_OP_COUNT
};

/*
 * Operand shape after normalisation; which ModRM field the operand came from no longer shows.
 * R: register in dst. M: memory operand. I: imm. First letter is the destination.
 * RR: dst, src registers. RM: dst register, source memory. MR: destination memory, src register.
 * Accumulator forms are R* with dst = 0. Shifts by CL are RR/MR with src = 1, by 1 are RI/MI.
 * SHLD/SHRD and other three-operand instructions: RRI/MRI with imm, RR/MR + X86_F_CL with CL.
 * IMUL r,rm,imm is IMUL3 RRI/RMI. PUSH/POP: R, M, I. XCHG/XADD/CMPXCHG/BT*: RR or MR.
 * IN AL,imm: RI; IN AL,DX: RR with src = 2. OUT imm,AL: I + src = 0; OUT DX,AL: RR dst = 2, src =
 * 0. Far pointers: I with imm = selector << 32 | offset. ENTER: I with imm = level << 16 | bytes.
 * Near branches: I with imm = displacement, sign-extended. Strings, HLT, ...: NONE.
 * MOV_TO_CR/DR: RR dst = control register, src = GPR; MOV_FROM_CR/DR: dst = GPR, src = CR.
 * MOV_TO_SEG/LDS/LSS...: dst = segment; MOV_FROM_SEG: src = segment; PUSH_SEG src, POP_SEG dst
 * (form R). x87 register forms: RR with dst/src stack indexes. LxDT, INVLPG, FXSAVE...: M.
 *
 * In more detail (ops.def has every row):
 * imm: arithmetic, MOV, PUSH: sign-extended from its encoded size, bytes too; shift counts, bit
 *   numbers, ports, INT, AAM, RET n and SSE selectors: zero-extended.
 * LDS/LES/LFS/LGS/LSS: RM, dst = segment, src = the GPR that takes the offset. XCHG 91..97: RR with
 *   dst = 0. A segment register is 0..5; MOV to CS and segments 6, 7 are INVALID, as are CR1,
 * CR5..7, CR9..15 and DR8..15 (DR4 and DR5 are not: CR4.DE decides). MOV_FROM_SEG, SLDT, STR, SMSW
 * to memory: osize 1 (two bytes whatever the prefixes); to a register: the effective operand size.
 * MOV_TO_SEG, LLDT, LTR, LMSW, VERR, VERW: osize 1. MOV_*_CR/DR, LxDT, SxDT, INVPCID: osize 3 in
 * 64-bit code, else 2. SxDT and LxDT have msize 10 or 6. In 16-bit LGDT without 66 only 24 bits of
 * base count: code size and X86_F_66 tell. FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR: osize 3 with
 * REX.W (the ...64 forms), else 2. SYSRET, SYSEXIT, IRET, RETF, far JMP/CALL: effective operand
 * size (3 only with REX.W). INVPCID: RM, dst = the GPR with the type. CMPXCHG8B: osize 2, msize 8;
 * CMPXCHG16B: 3, 16. Strings, XLAT, MASKMOVQ/DQU, MONITOR: seg is DS or the override, asize counts,
 * msize 0. NOP, PREFETCH, UD keep the form of their ModRM (R, M, RR, RM): handlers take any form.
 * x87: register forms have osize 4. FADD ST0,STi: dst 0, src i; FADD STi,ST0 and the ...P forms:
 *   dst i, src 0 (FSUB: dst = dst - src, FSUBR: dst = src - dst). FXCH, FCOM*, FUCOM*, FCMOVCC: dst
 * 0, src i; FCOMPP, FUCOMPP: dst 0, src 1. FLD: dst 0, src i (before the push). FST, FSTP: dst i,
 * src 0. FFREE, FFREEP: R with dst = i. FNSTSW_AX: R with dst = 0, osize 1. All others without
 * operand: NONE. FLDENV, FNSTENV, FRSTOR, FNSAVE: osize 1 (16-bit format) or 2; msize 14, 28, 94 or
 * 108. MMX and SSE: osize 3 for MMX, 4 for XMM operations; mixed ones as follows. MOVD/MOVQ (0F 6E,
 * 7E; GPR or memory): osize 2 (MOVD) or 3 (MOVQ); X86_F_66 set: XMM, else MMX. 6E: RR/RM with dst =
 * vector. 7E: RR/MR with src = vector; RR of both is told apart by opcode. MOVQ_LOAD (0F 6F, F3 0F
 * 7E): RR/RM. MOVQ_STORE (0F 7F, 66 0F D6): RR/MR. osize 3 MMX, 4 XMM. MOVDQA, MOVUPS, MOVSS, ...:
 * loads RR/RM, stores RR/MR (RR of either: dst and src are right). MOVLPS, MOVHPS, MOVLPD, MOVHPD:
 * RM (load) or MR (store), msize 8. PMOVMSKB, PEXTRW (0F C5), PINSRW: osize 2, X86_F_66 tells XMM
 * from MMX. PEXTRW 0F 3A 15, PEXTRB, EXTRACTPS: osize 2, XMM, RRI/MRI with msize 2, 1, 4. PEXTRD,
 * PINSRD: osize 2 or, with REX.W, 3. PINSRB: osize 2, RRI/RMI, msize 1. MOVMSKPS/PD: osize 2.
 *   CVTSI2SS/SD, CVT[T]SS2SI, CVT[T]SD2SI: osize of the GPR (REX.W: 3, else 2).
 *   CVTPI2PS/PD, CVT[T]PS2PI, CVT[T]PD2PI, MOVQ2DQ, MOVDQ2Q: osize 4; the operation says which
 *     side is MMX.
 *   VEX: dst is ModRM.reg, src ModRM.rm, vreg VEX.vvvv, whichever is written; form RR, RM (load),
 * MR (store), with I if there is an immediate (zero-extended, also for the fourth register), NONE:
 *     VZEROUPPER; osize 4 or 5 by VEX.L, of general registers 2 or 3; VSIB: index NONE, the vector
 *     in cc. vex.h has the rest.
 *   PSLLW ... by immediate: RI. BLENDVPS, BLENDVPD, PBLENDVB: RR/RM, XMM0 implied.
 *   MOVNTI: MR. INSERTPS: RRI/RMI with msize 4.
 * X86_F_ENDS: all jumps, calls, returns, INTs, loops, SYSCALL and kin, HLT, RSM, UD and INVALID.
 */
enum x86_form {
	X86_FORM_NONE,
	X86_FORM_R,
	X86_FORM_M,
	X86_FORM_I,
	X86_FORM_RR,
	X86_FORM_RM,
	X86_FORM_MR,
	X86_FORM_RI,
	X86_FORM_MI,
	X86_FORM_RRI,
	X86_FORM_RMI,
	X86_FORM_MRI,
	X86_FORM_COUNT
};

/* Values of base and index beyond the 16 general registers: indexes into x86_cpu.gpr[]. */
#define X86_REG_NONE 16 /* reads as zero */
#define X86_REG_IP   17 /* reads as the ip of the block's first byte; see insn->disp */

/* A byte operand in AH, CH, DH or BH is register number 4..7 of a form without REX: n - 4 | this.
 */
#define X86_REG_HIGH 0x10

/* insn->flags */
#define X86_F_LOCK   0x01
#define X86_F_REX    0x02 /* any REX prefix in effect */
#define X86_F_CL     0x04 /* third operand is CL */
#define X86_F_66     0x08 /* operand-size prefix present */
#define X86_F_ENDS   0x10 /* control may not fall through to the next instruction of the block */
#define X86_F_SEGOVR 0x20 /* explicit segment override */
#define X86_F_W	     0x40 /* REX.W or VEX.W */

enum x86_rep {
	X86_REP_NONE,
	X86_REP_F3, /* REP, REPE */
	X86_REP_F2, /* REPNE */
};

struct x86_cpu;
struct x86_insn;
/* Handler of one instruction; returns enum x86_result (cpu.h). */
typedef int (*x86_exec_fn)(struct x86_cpu *c, const struct x86_insn *i);

struct x86_insn {
	x86_exec_fn exec; /* bound by x86_exec_bind(); NULL out of the decoder */
	int64_t imm; /* sign-extended as the instruction asks, or far pointer, or displacement */
	/*
	 * Displacement of the memory operand (64 bits for MOV moffs). For base X86_REG_IP the
	 * decoder leaves the displacement from the end of the instruction; whoever places the
	 * instruction in a block adds end.
	 */
	int64_t disp;
	uint16_t op;  /* enum x86_op */
	uint16_t end; /* offset of the next instruction from the start of the block; decoder: len */
	uint8_t form; /* enum x86_form */
	uint8_t len;  /* 1 to 15 */
	/*
	 * log2 of the operation size in bytes: 0..3 for general registers (the effective operand
	 * size, stack operations and near branches already widened in 64-bit mode); 3 MMX, 4 XMM;
	 * the GPR's size for operations between GPR and XMM/MMX (MOVD, CVTSI2SD, PEXTRD, ...).
	 * MOVZX8/16, MOVSX8/16, MOVSXD, CRC32: the destination's (CRC32: the source's) size.
	 */
	uint8_t osize;
	uint8_t asize; /* log2 address size: 1, 2, 3 */
	uint8_t dst;
	uint8_t src;
	uint8_t base;	/* 0..15, X86_REG_NONE or X86_REG_IP */
	uint8_t index;	/* 0..15 or X86_REG_NONE */
	uint8_t scale;	/* log2 */
	uint8_t seg;	/* enum hvm_seg_reg of the memory operand, override or default applied */
	uint8_t flags;	/* X86_F_* */
	uint8_t rep;	/* enum x86_rep; only where F2/F3 is not part of the opcode */
	uint8_t cc;	/* condition code 0..15 of Jcc, SETcc, CMOVcc, FCMOVcc (as its Jcc code) */
	uint8_t msize;	/* memory operand in bytes; 0 none or not one number (FXSAVE: 0) */
	uint8_t opcode; /* last opcode byte */
	uint8_t modrm;	/* 0 if none */
	uint8_t vex;	/* X86_VEX_PREFIX_*, of X86_OP_VEX */
	uint8_t vreg;	/* VEX.vvvv */
	uint16_t row;	/* of x86_vex_rows[] */
};

/* insn->vex */
#define X86_VEX_PREFIX_L 1u
#define X86_VEX_PREFIX_W 2u /* as the mode takes it */

/* Size of code that the decoder decodes for. */
enum x86_code_size {
	X86_CODE16 = 1, /* log2 bytes of the default operand size */
	X86_CODE32 = 2,
	X86_CODE64 = 3,
};

#define X86_INSN_MAX_LEN 15

/*
 * x86_decode - decode one instruction.
 * @code, @bytes: what can be fetched, at most 15 bytes are looked at.
 * @size: enum x86_code_size. @ret: filled on every return >= 0.
 * Returns the length 1..15. An illegal form gives op X86_OP_INVALID with the length that the
 * processor would have fetched (so that #UD is raised, not a fetch fault). EVEX and XOP encodings,
 * and VEX ones above x86-64-v3, give X86_OP_INVALID with their full length.
 * -HVM_EAGAIN: @bytes ended inside the instruction (fetch the next page or fault);
 * -HVM_ERANGE: longer than 15 bytes (#GP).
 * Source: Intel SDM Vol 2 ch. 2 "Instruction Format", App. A "Opcode Map".
 */
int x86_decode(const uint8_t *code, size_t bytes, enum x86_code_size size, struct x86_insn *ret);
/* Mnemonics, for logs and tests; never NULL. Of VEX-encoded ones only the instruction knows it. */
const char *x86_op_name(unsigned int op);
const char *x86_insn_name(const struct x86_insn *i);

#endif
