/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_decode_oracle.c - the decoder against Zydis: structured random bytes in all three code
 * sizes, every opcode with every ModRM, every VEX encoding, and real code. Compared are length,
 * legality, operation, operand registers, memory operand, immediates, sizes. Where the two differ
 * on purpose there is a rule. Single threaded; nothing saved. Without Zydis at build time the tests
 * are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef HVM_HAVE_ZYDIS

#include <Zydis/Zydis.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hvm/hvm_state.h"
#include "x86/insn.h"
#include "zydis_vex.h"

#define MAX_REPORTS 60 /* one a kind of difference */

static ZydisDecoder decoders[4];	    /* by enum x86_code_size */
static uint16_t expected[X86_OP_COUNT][16]; /* Zydis mnemonic of operation and condition code */
static unsigned int mismatches;
static unsigned long compared, valid;

/* -- names ------------------------------------------------------------------------------------- */

/* Operations that Zydis calls by another name than we do, in lower case. */
static const struct {
	uint16_t op;
	const char *name;
} renamed[] = {
	{ X86_OP_IMUL3, "imul" },	{ X86_OP_MOVZX8, "movzx" },
	{ X86_OP_MOVZX16, "movzx" },	{ X86_OP_MOVSX8, "movsx" },
	{ X86_OP_MOVSX16, "movsx" },	{ X86_OP_CRC32_8, "crc32" },
	{ X86_OP_PUSH_SEG, "push" },	{ X86_OP_POP_SEG, "pop" },
	{ X86_OP_MOV_FROM_SEG, "mov" }, { X86_OP_MOV_TO_SEG, "mov" },
	{ X86_OP_MOV_FROM_CR, "mov" },	{ X86_OP_MOV_TO_CR, "mov" },
	{ X86_OP_MOV_FROM_DR, "mov" },	{ X86_OP_MOV_TO_DR, "mov" },
	{ X86_OP_JMP_IND, "jmp" },	{ X86_OP_JMP_FAR, "jmp" },
	{ X86_OP_CALL_IND, "call" },	{ X86_OP_CALL_FAR, "call" },
	{ X86_OP_RET_IMM, "ret" },	{ X86_OP_RETF, "ret" },
	{ X86_OP_RETF_IMM, "ret" },	{ X86_OP_FNSTSW_AX, "fnstsw" },
	{ X86_OP_MOVQ_LOAD, "movq" },	{ X86_OP_MOVQ_STORE, "movq" },
	{ X86_OP_MOVSD_X, "movsd" },	{ X86_OP_CMPSD_X, "cmpsd" },
};

/* Operations with one of several names: any of them will do. */
static const struct {
	uint16_t op;
	const char *names; /* between blanks */
} several[] = {
	{ X86_OP_MOVS, " movsb movsw movsd movsq " },
	{ X86_OP_CMPS, " cmpsb cmpsw cmpsd cmpsq " },
	{ X86_OP_STOS, " stosb stosw stosd stosq " },
	{ X86_OP_LODS, " lodsb lodsw lodsd lodsq " },
	{ X86_OP_SCAS, " scasb scasw scasd scasq " },
	{ X86_OP_INS, " insb insw insd " },
	{ X86_OP_OUTS, " outsb outsw outsd " },
	{ X86_OP_CBW, " cbw cwde cdqe " },
	{ X86_OP_CWD, " cwd cdq cqo " },
	{ X86_OP_PUSHA, " pusha pushad " },
	{ X86_OP_POPA, " popa popad " },
	{ X86_OP_PUSHF, " pushf pushfd pushfq " },
	{ X86_OP_POPF, " popf popfd popfq " },
	{ X86_OP_IRET, " iret iretd iretq " },
	{ X86_OP_JCXZ, " jcxz jecxz jrcxz " },
	{ X86_OP_UD, " ud0 ud1 ud2 " },
	{ X86_OP_PREFETCH, " prefetch prefetchw prefetchnta prefetcht0 prefetcht1 prefetcht2 "
			   "prefetchwt1 " },
	{ X86_OP_FXSAVE, " fxsave fxsave64 " },
	{ X86_OP_FXRSTOR, " fxrstor fxrstor64 " },
	{ X86_OP_XSAVE, " xsave xsave64 " },
	{ X86_OP_XRSTOR, " xrstor xrstor64 " },
	{ X86_OP_XSAVEOPT, " xsaveopt xsaveopt64 " },
	{ X86_OP_PEXTRD, " pextrd pextrq " },
	{ X86_OP_PINSRD, " pinsrd pinsrq " },
	{ X86_OP_XLAT, " xlat " },
	{ X86_OP_FNOP_LEGACY, " feni8087_nop fdisi8087_nop fsetpm287_nop feni fdisi fsetpm " },
	/* Zydis names the undocumented duplicates. */
	{ X86_OP_FCOM, " fcom fcom2 " },
	{ X86_OP_FCOMP, " fcomp fcomp3 fcomp5 " },
	{ X86_OP_FXCH, " fxch fxch4 fxch7 " },
	{ X86_OP_FSTP, " fstp fstpnce fstp1 fstp8 fstp9 " },
	{ X86_OP_FFREEP, " ffreep " },
	{ X86_OP_RDTSCP, " rdtscp " },
};

static bool is_listed(const char *names, const char *name)
{
	char key[40];

	snprintf(key, sizeof(key), " %s ", name);
	return strstr(names, key) != NULL;
}

static bool same_operation(const struct x86_insn *i, ZydisMnemonic mnemonic)
{
	static const char *const cc[16] = { "o", "no", "b", "nb", "z", "nz", "be", "nbe",
					    "s", "ns", "p", "np", "l", "nl", "le", "nle" };
	const char *theirs = ZydisMnemonicGetString(mnemonic);
	char ours[40];
	const char *p;
	size_t n;

	if (expected[i->op][i->cc] == (uint16_t)mnemonic)
		return true; /* seen before */
	for (n = 0; n < sizeof(several) / sizeof(several[0]); n++)
		if (several[n].op == i->op)
			return is_listed(several[n].names, theirs);
	for (n = 0, p = x86_op_name(i->op); *p && n < sizeof(ours) - 1; p++)
		ours[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	ours[n] = 0;
	for (n = 0; n < sizeof(renamed) / sizeof(renamed[0]); n++)
		if (renamed[n].op == i->op)
			snprintf(ours, sizeof(ours), "%s", renamed[n].name);
	if (i->op == X86_OP_JCC)
		snprintf(ours, sizeof(ours), "j%s", cc[i->cc]);
	else if (i->op == X86_OP_SETCC)
		snprintf(ours, sizeof(ours), "set%s", cc[i->cc]);
	else if (i->op == X86_OP_CMOVCC)
		snprintf(ours, sizeof(ours), "cmov%s", cc[i->cc]);
	else if (i->op == X86_OP_FCMOVCC)
		snprintf(ours, sizeof(ours), "fcmov%s",
			 i->cc == 10   ? "u"
			 : i->cc == 11 ? "nu"
			 : i->cc == 4  ? "e"
			 : i->cc == 5  ? "ne"
				       : cc[i->cc]);
	if (strcmp(ours, theirs) != 0)
		return false;
	expected[i->op][i->cc] = (uint16_t)mnemonic;
	return true;
}

/* -- legality: what is in x86-64-v3 and the few extensions we add ------------------------------ */

static bool is_supported(const ZydisDecodedInstruction *z)
{
	switch (z->meta.isa_set) {
	case ZYDIS_ISA_SET_I86:
	case ZYDIS_ISA_SET_I186:
	case ZYDIS_ISA_SET_I286PROTECTED:
	case ZYDIS_ISA_SET_I286REAL:
	case ZYDIS_ISA_SET_I386:
	case ZYDIS_ISA_SET_I486:
	case ZYDIS_ISA_SET_I486REAL:
	case ZYDIS_ISA_SET_PENTIUMREAL:
	case ZYDIS_ISA_SET_PENTIUMMMX:
	case ZYDIS_ISA_SET_PPRO:
	case ZYDIS_ISA_SET_CMOV:
	case ZYDIS_ISA_SET_FCMOV:
	case ZYDIS_ISA_SET_FAT_NOP:
	case ZYDIS_ISA_SET_FXSAVE:
	case ZYDIS_ISA_SET_FXSAVE64:
	case ZYDIS_ISA_SET_X87:
	case ZYDIS_ISA_SET_SSE:
	case ZYDIS_ISA_SET_SSE2:
	case ZYDIS_ISA_SET_SSE2MMX:
	case ZYDIS_ISA_SET_SSE3:
	case ZYDIS_ISA_SET_SSE3X87:
	case ZYDIS_ISA_SET_SSSE3:
	case ZYDIS_ISA_SET_SSSE3MMX:
	case ZYDIS_ISA_SET_SSE4:
	case ZYDIS_ISA_SET_SSE42:
	case ZYDIS_ISA_SET_SSEMXCSR:
	case ZYDIS_ISA_SET_SSE_PREFETCH:
	case ZYDIS_ISA_SET_POPCNT:
	case ZYDIS_ISA_SET_CMPXCHG16B:
	case ZYDIS_ISA_SET_LAHF:
	case ZYDIS_ISA_SET_LONGMODE:
	case ZYDIS_ISA_SET_MONITOR:
	case ZYDIS_ISA_SET_PAUSE:
	case ZYDIS_ISA_SET_PREFETCH_NOP:
	case ZYDIS_ISA_SET_RDPMC:
	case ZYDIS_ISA_SET_RDTSCP:
	case ZYDIS_ISA_SET_RDWRFSGS:
	case ZYDIS_ISA_SET_SMAP:
	case ZYDIS_ISA_SET_INVPCID:
	case ZYDIS_ISA_SET_XSAVE:
	case ZYDIS_ISA_SET_XSAVEOPT:
	case ZYDIS_ISA_SET_CLFSH:
	case ZYDIS_ISA_SET_AMD: return true;
	case ZYDIS_ISA_SET_PREFETCHWT1: return true; /* a hint on every processor */
	case ZYDIS_ISA_SET_VTX: return z->mnemonic == ZYDIS_MNEMONIC_VMCALL;
	case ZYDIS_ISA_SET_SVM: return z->mnemonic == ZYDIS_MNEMONIC_VMMCALL;
	default: return zydis_is_v3(z);
	}
}

/* -- operands ---------------------------------------------------------------------------------- */

static unsigned int zydis_number(ZydisRegister r)
{
	if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
		return (unsigned int)(r - ZYDIS_REGISTER_AH) | X86_REG_HIGH;
	if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
		return (unsigned int)(r - ZYDIS_REGISTER_SPL) + 4;
	return (unsigned int)ZydisRegisterGetId(r);
}

static unsigned int zydis_address_register(ZydisRegister r)
{
	if (r == ZYDIS_REGISTER_NONE)
		return X86_REG_NONE;
	if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
		return X86_REG_IP;
	return zydis_number(r);
}

/* What an instruction's operands are, in a shape that both sides can be brought to. */
struct shape {
	char kinds[5]; /* R, M, I */
	uint8_t reg[4];
	unsigned int regs;
	bool has_mem, has_imm;
	int64_t imm;
};

static void add_kind(struct shape *s, char kind)
{
	size_t n = strlen(s->kinds);

	if (n < sizeof(s->kinds) - 1)
		s->kinds[n] = kind;
}

static void add_reg(struct shape *s, unsigned int reg)
{
	add_kind(s, 'R');
	if (s->regs < 4)
		s->reg[s->regs++] = (uint8_t)reg;
}

static struct shape our_shape(const struct x86_insn *i)
{
	static const char *const forms[X86_FORM_COUNT] = { "",	 "R",  "M",  "I",   "RR",  "RM",
							   "MR", "RI", "MI", "RRI", "RMI", "MRI" };
	const char *p = forms[i->form];
	struct shape s = { .imm = i->imm };
	bool first = i->op != X86_OP_PUSH_SEG;

	for (; *p; p++) {
		if (*p == 'R') {
			add_reg(&s, first ? i->dst : i->src);
			first = false;
		} else {
			add_kind(&s, *p);
			s.has_mem |= *p == 'M';
			s.has_imm |= *p == 'I';
			first &= *p == 'I';
		}
	}
	return s;
}

static struct shape zydis_shape(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops)
{
	struct shape s = { .imm = 0 };
	unsigned int n;

	for (n = 0; n < z->operand_count; n++) {
		const ZydisDecodedOperand *o = &ops[n];

		if (o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
			continue;
		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			add_reg(&s, zydis_number(o->reg.value));
		} else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			s.has_mem = true;
			add_kind(&s, 'M');
		} else if (o->type == ZYDIS_OPERAND_TYPE_POINTER) {
			s.imm = (int64_t)((uint64_t)o->ptr.segment << 32 | o->ptr.offset);
			s.has_imm = true;
			add_kind(&s, 'I');
		} else {
			s.imm = s.has_imm ? s.imm | (int64_t)o->imm.value.u << 16 : o->imm.value.s;
			if (!s.has_imm)
				add_kind(&s, 'I');
			s.has_imm = true;
		}
	}
	return s;
}

/* Known differences of notation, by operation: bring Zydis' shape to ours. */
static void adapt_shape(const struct x86_insn *i, struct shape *z)
{
	switch (i->op) {
	case X86_OP_MOVS:
	case X86_OP_CMPS:
	case X86_OP_STOS:
	case X86_OP_LODS:
	case X86_OP_SCAS:
	case X86_OP_INS:
	case X86_OP_OUTS:
	case X86_OP_XLAT:
		*z = (struct shape){ .regs = 0 }; /* operands are implied */
		break;
	case X86_OP_LES:
	case X86_OP_LDS:
	case X86_OP_LSS:
	case X86_OP_LFS:
	case X86_OP_LGS:
		/* dst is the segment, src the register */
		z->reg[0] = i->op == X86_OP_LES	  ? HVM_SEG_ES
			    : i->op == X86_OP_LDS ? HVM_SEG_DS
			    : i->op == X86_OP_LSS ? HVM_SEG_SS
			    : i->op == X86_OP_LFS ? HVM_SEG_FS
						  : HVM_SEG_GS;
		break;
	case X86_OP_SHLD:
	case X86_OP_SHRD:
		if (i->flags & X86_F_CL) /* CL is a flag, not an operand */
			z->kinds[2] = 0, z->regs--;
		break;
	case X86_OP_OUT:
		if (z->has_imm) /* OUT imm, AL is I */
			z->kinds[1] = 0, z->regs = 0;
		break;
	case X86_OP_XCHG: /* symmetrical: 91..97 have dst = 0 */
		if (i->form == X86_FORM_RR && z->reg[0] != i->dst) {
			z->reg[1] = z->reg[0];
			z->reg[0] = i->dst;
		}
		break;
	case X86_OP_BLENDVPS:
	case X86_OP_BLENDVPD:
	case X86_OP_PBLENDVB:
		z->kinds[2] = 0; /* XMM0 is implied */
		z->regs = i->form == X86_FORM_RR ? 2 : 1;
		break;
	default: break;
	}
}

static bool is_x87(const ZydisDecodedInstruction *z)
{
	return (z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && z->opcode >= 0xd8 &&
		z->opcode <= 0xdf);
}

static const char *compare_shape(const struct x86_insn *i, const ZydisDecodedInstruction *z,
				 const ZydisDecodedOperand *ops)
{
	struct shape o = our_shape(i), t = zydis_shape(z, ops);
	unsigned int mask = 0xff, bits;
	uint64_t width;

	if (is_x87(z) && i->form != X86_FORM_NONE && t.has_mem && t.kinds[0] == 'R')
		memmove(t.kinds, t.kinds + 1, 4), t.regs = 0; /* ST0 is implied of memory forms */
	if (is_x87(z) && t.has_mem)
		t.kinds[1] = 0, t.regs = 0;
	if (is_x87(z) && !t.has_mem) {
		/* Zydis tells ST0 or not as the manual's syntax has it; ours is dst, src always. */
		if (i->form == X86_FORM_NONE)
			return NULL;
		if (i->op == X86_OP_FNSTSW_AX)
			return t.regs == 1 && t.reg[0] == 0 ? NULL : "FNSTSW AX";
		if (t.regs == 2)
			return t.reg[0] == i->dst && t.reg[1] == i->src ? NULL : "x87 registers";
		if (t.regs == 1)
			return t.reg[0] == (i->modrm & 7) && (i->dst | i->src) == t.reg[0]
				       ? NULL
				       : "x87 register";
		return i->form == X86_FORM_RR && i->dst == 0 && i->src == 1 ? NULL : "x87 pair";
	}
	if (i->op == X86_OP_NOP)
		return NULL; /* no operand of a hint is used */
	adapt_shape(i, &t);
	if (strcmp(o.kinds, t.kinds) != 0)
		return "form";
	if (i->op == X86_OP_MOV_TO_SEG || i->op == X86_OP_MOV_FROM_SEG)
		mask = 15;
	if (o.regs != t.regs || (o.regs > 0 && (o.reg[0] & mask) != (t.reg[0] & mask)) ||
	    (o.regs > 1 && i->op != X86_OP_LDS && o.reg[1] != t.reg[1]))
		return "registers";
	if (!o.has_imm || o.imm == t.imm)
		return NULL;
	/* Sign-extended here, zero-extended there: only as many bits count as the operation has. */
	bits = i->op == X86_OP_PUSH && i->osize == 3 ? 64 : 8u << (i->osize > 3 ? 0 : i->osize);
	width = bits == 64 ? ~0ull : (1ull << bits) - 1;
	if (((uint64_t)o.imm & width) != ((uint64_t)t.imm & width))
		return "immediate";
	return NULL;
}

static const char *compare_memory(const struct x86_insn *i, const ZydisDecodedInstruction *z,
				  const ZydisDecodedOperand *o)
{
	unsigned int scale = o->mem.scale == 8 ? 3 : o->mem.scale == 4 ? 2 : o->mem.scale == 2;
	bool agen = o->mem.type == ZYDIS_MEMOP_TYPE_AGEN;
	uint64_t mask = i->asize == 3 ? ~0ull : i->asize == 2 ? 0xffffffff : 0xffff;

	/*
	 * Zydis 4.0 with 67 and REX.B takes R13D for a base where there is none (mod 0, SIB base 5:
	 * "disp32 with no base", Intel SDM Vol 2 table 2-3; REX does not count).
	 */
	bool no_base = o->mem.base == ZYDIS_REGISTER_R13D && i->base == X86_REG_NONE &&
		       z->raw.modrm.mod == 0 && z->raw.modrm.rm == 4 && z->raw.sib.base == 5;

	if (no_base ? i->disp != (int32_t)z->raw.disp.value && z->raw.disp.size
		    : zydis_address_register(o->mem.base) != i->base)
		return "base";
	if (o->mem.type != ZYDIS_MEMOP_TYPE_VSIB &&
	    zydis_address_register(o->mem.index) != i->index)
		return "index";
	if (i->index != X86_REG_NONE && scale != i->scale)
		return "scale";
	if (!no_base && ((uint64_t)(o->mem.disp.has_displacement ? o->mem.disp.value : 0) & mask) !=
				((uint64_t)i->disp & mask))
		return "displacement";
	if (!agen && i->op != X86_OP_NOP && zydis_number(o->mem.segment) != i->seg)
		return "segment";
	if (!agen && i->msize && i->op != X86_OP_NOP && i->op != X86_OP_UD &&
	    o->size != i->msize * 8u)
		return "memory size";
	return z->address_width == 8u << i->asize ? NULL : "address size";
}

/* log2 of the size that our osize should tell, or -1 where Zydis has no such notion. */
static int expected_osize(const struct x86_insn *i, const ZydisDecodedInstruction *z,
			  const ZydisDecodedOperand *ops)
{
	int gpr = -1, mmx = -1, xmm = -1, mem = -1;
	unsigned int n;

	switch (i->op) {
	case X86_OP_NOP:
	case X86_OP_UD:
	case X86_OP_PREFETCH:
	case X86_OP_PAUSE:
	case X86_OP_ENTER:
	case X86_OP_LEAVE: /* has two widths */ return -1;
	case X86_OP_MOVMSKPS:
	case X86_OP_MOVMSKPD:
	case X86_OP_PMOVMSKB:
	case X86_OP_PEXTRB:
	case X86_OP_PEXTRW:
	case X86_OP_EXTRACTPS:
	case X86_OP_PINSRB:
	case X86_OP_PINSRW: return 2; /* zero-extended: REX.W makes no difference */
	default: break;
	}
	for (n = 0; n < z->operand_count; n++) {
		const ZydisDecodedOperand *o = &ops[n];
		int size = o->size == 8	    ? 0
			   : o->size == 16  ? 1
			   : o->size == 32  ? 2
			   : o->size == 64  ? 3
			   : o->size == 128 ? 4
					    : -1;

		if (o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
			continue;
		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
			mem = size;
		if (o->type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		switch (ZydisRegisterGetClass(o->reg.value)) {
		case ZYDIS_REGCLASS_GPR8:
		case ZYDIS_REGCLASS_GPR16:
		case ZYDIS_REGCLASS_GPR32:
		case ZYDIS_REGCLASS_GPR64:
			if (o->reg.value == ZYDIS_REGISTER_DX &&
			    (i->op == X86_OP_IN || i->op == X86_OP_OUT))
				break;
			if (o->reg.value == ZYDIS_REGISTER_CL && i->op >= X86_OP_ROL &&
			    i->op <= X86_OP_SAR && n > 0)
				break; /* the count */
			if (gpr < 0 || i->op == X86_OP_CRC32 || i->op == X86_OP_CRC32_8)
				gpr = size;
			break;
		case ZYDIS_REGCLASS_MMX: mmx = 3; break;
		case ZYDIS_REGCLASS_XMM: xmm = 4; break;
		default: break;
		}
	}
	if (i->op == X86_OP_CRC32 || i->op == X86_OP_CRC32_8)
		return mem >= 0 ? mem : gpr;
	if (gpr >= 0)
		return gpr;
	if (i->op == X86_OP_INS || i->op == X86_OP_OUTS) /* the mnemonic ends in b, w or d */
		return z->opcode & 1 ? (z->operand_width == 16 ? 1 : 2) : 0;
	if (is_x87(z) && i->form == X86_FORM_M)
		return i->msize == 2 || i->msize == 14 || i->msize == 94 ? 1
		       : i->msize == 8					 ? 3
		       : i->msize == 10					 ? 4
									 : 2;
	if (xmm >= 0 || mmx >= 0) {
		if (i->op == X86_OP_MOVD || i->op == X86_OP_MOVQ || i->op == X86_OP_PINSRD ||
		    i->op == X86_OP_PEXTRD || i->op == X86_OP_CVTSI2SS || i->op == X86_OP_CVTSI2SD)
			return mem;
		return xmm >= 0 || i->op == X86_OP_CVTTPS2PI || i->op == X86_OP_CVTPS2PI ||
				       i->op == X86_OP_CVTTPD2PI || i->op == X86_OP_CVTPD2PI
			       ? 4
			       : 3;
	}
	switch (i->op) {
	case X86_OP_JMP_FAR:
	case X86_OP_CALL_FAR:
	case X86_OP_RETF:
	case X86_OP_RETF_IMM:
	case X86_OP_IRET:
	case X86_OP_SYSRET:
	case X86_OP_SYSEXIT:
	case X86_OP_MOVS:
	case X86_OP_CMPS:
	case X86_OP_STOS:
	case X86_OP_LODS:
	case X86_OP_SCAS:
	case X86_OP_CBW:
	case X86_OP_CWD:
	case X86_OP_PUSHA:
	case X86_OP_POPA:
	case X86_OP_PUSHF:
	case X86_OP_POPF:
	case X86_OP_CALL:
	case X86_OP_JMP:
	case X86_OP_JCC:
	case X86_OP_RET:
	case X86_OP_RET_IMM:
	case X86_OP_PUSH_SEG:
	case X86_OP_POP_SEG:
	case X86_OP_JCXZ:
	case X86_OP_LOOP:
	case X86_OP_LOOPE:
	case X86_OP_LOOPNE:
		return z->operand_width == 64	? 3
		       : z->operand_width == 32 ? 2
		       : z->operand_width == 16 ? 1
						: 0;
	case X86_OP_ADD:
	case X86_OP_OR:
	case X86_OP_ADC:
	case X86_OP_SBB:
	case X86_OP_AND:
	case X86_OP_SUB:
	case X86_OP_XOR:
	case X86_OP_CMP:
	case X86_OP_TEST:
	case X86_OP_INC:
	case X86_OP_DEC:
	case X86_OP_NEG:
	case X86_OP_NOT:
	case X86_OP_MUL:
	case X86_OP_IMUL:
	case X86_OP_DIV:
	case X86_OP_IDIV:
	case X86_OP_ROL:
	case X86_OP_ROR:
	case X86_OP_RCL:
	case X86_OP_RCR:
	case X86_OP_SHL:
	case X86_OP_SHR:
	case X86_OP_SAR:
	case X86_OP_MOV:
	case X86_OP_BT:
	case X86_OP_BTS:
	case X86_OP_BTR:
	case X86_OP_BTC:
	case X86_OP_JMP_IND:
	case X86_OP_CALL_IND:
	case X86_OP_LMSW:
	case X86_OP_SMSW:
	case X86_OP_SLDT:
	case X86_OP_STR:
	case X86_OP_LLDT:
	case X86_OP_LTR:
	case X86_OP_VERR:
	case X86_OP_VERW: return mem;
	case X86_OP_PUSH:
	case X86_OP_POP: return i->form == X86_FORM_M ? mem : -1;
	default: return -1;
	}
}

static const char *compare_valid(const struct x86_insn *i, const ZydisDecodedInstruction *z,
				 const ZydisDecodedOperand *ops)
{
	const char *why;
	unsigned int n;
	int osize;

	/*
	 * F3 90 with REX.B: PAUSE to Zydis. A processor exchanges r8 and rax (AMD APM Vol 3 "NOP":
	 * 90 is NOP unless REX.B is set).
	 */
	if (i->op == X86_OP_XCHG && z->mnemonic == ZYDIS_MNEMONIC_PAUSE && i->src == 8)
		return NULL;
	if (i->op == X86_OP_VEX) {
		why = compare_vex(i, z, ops);
	} else {
		if (!same_operation(i, z->mnemonic))
			return "operation";
		why = compare_shape(i, z, ops);
	}
	if (why)
		return why;
	if (i->op >= X86_OP_MOVS && i->op <= X86_OP_OUTS &&
	    (z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE) ? i->rep != X86_REP_F3
									    : i->rep == X86_REP_F3))
		return "repeat prefix";
	osize = i->op == X86_OP_VEX ? -1 : expected_osize(i, z, ops);
	if (osize >= 0 && osize != i->osize)
		return "operation size";
	for (n = 0; n < z->operand_count; n++)
		if (ops[n].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    ops[n].visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT &&
		    i->form != X86_FORM_NONE)
			return compare_memory(i, z, &ops[n]);
	return NULL;
}

/* -- one instruction --------------------------------------------------------------------------- */

static void report(const uint8_t *code, size_t bytes, unsigned int size, const struct x86_insn *i,
		   int len, const ZydisDecodedInstruction *z, const char *why)
{
	static struct {
		const char *why;
		uint8_t size, opcode, modrm;
	} seen[MAX_REPORTS];
	static size_t seen_count;
	size_t n;

	mismatches++;
	for (n = 0; n < seen_count; n++)
		if (seen[n].why == why && seen[n].size == size && seen[n].opcode == i->opcode &&
		    (seen[n].modrm & 0xc0) == (i->modrm & 0xc0))
			return;
	if (seen_count == MAX_REPORTS)
		return;
	seen[seen_count].why = why;
	seen[seen_count].size = (uint8_t)size;
	seen[seen_count].opcode = i->opcode;
	seen[seen_count++].modrm = i->modrm;
	fprintf(stderr, "%u-bit", 8u << size);
	for (n = 0; n < bytes && n < 15; n++)
		fprintf(stderr, " %02x", code[n]);
	fprintf(stderr, ": %s; ours %d %s form %u osize %u dst %u src %u imm %llx msize %u", why,
		len,
		len < 0		      ? "-"
		: i->op == X86_OP_VEX ? x86_vex_row(i)->name
				      : x86_op_name(i->op),
		i->form, i->osize, i->dst, i->src, (unsigned long long)i->imm, i->msize);
	fprintf(stderr, "; theirs %d %s (isa %s)\n", z ? z->length : -1,
		z ? ZydisMnemonicGetString(z->mnemonic) : "error",
		z ? ZydisISASetGetString(z->meta.isa_set) : "");
}

/* Compare on @bytes bytes at @code; returns the length to step by in a sweep. */
static unsigned int compare(const uint8_t *code, size_t bytes, unsigned int size)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	struct x86_insn i = { .op = X86_OP_INVALID };
	ZyanStatus status = ZydisDecoderDecodeFull(&decoders[size], code, bytes, &z, ops);
	int len = x86_decode(code, bytes, (enum x86_code_size)size, &i);
	const char *why;

	compared++;
	/* JKZD and JKNZD were of the first Xeon Phi alone; VEX 0F 84 and 85 have no displacement.
	 */
	if (ZYAN_SUCCESS(status) && z.meta.isa_set == ZYDIS_ISA_SET_KNCJKBR)
		status = ZYDIS_STATUS_DECODING_ERROR;
	if (ZYAN_SUCCESS(status)) {
		if (len != z.length) {
			report(code, bytes, size, &i, len, &z, "length");
		} else if (!is_supported(&z)) {
			if (i.op != X86_OP_INVALID)
				report(code, bytes, size, &i, len, &z, "not refused");
		} else if (i.op == X86_OP_INVALID) {
			report(code, bytes, size, &i, len, &z, "refused");
		} else {
			valid++;
			why = compare_valid(&i, &z, ops);
			if (why)
				report(code, bytes, size, &i, len, &z, why);
		}
		return z.length;
	}
	if (status == ZYDIS_STATUS_NO_MORE_DATA) {
		if (len != (bytes < 15 ? -HVM_EAGAIN : -HVM_ERANGE))
			if (!(len > 0 && i.op == X86_OP_INVALID))
				report(code, bytes, size, &i, len, NULL, "end of bytes");
	} else if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) {
		if (len != -HVM_ERANGE && !(len > 0 && i.op == X86_OP_INVALID))
			report(code, bytes, size, &i, len, NULL, "too long");
	} else if (len >= 0 && i.op != X86_OP_INVALID) {
		report(code, bytes, size, &i, len, NULL, "not refused");
	}
	return len > 0 ? (unsigned int)len : 1;
}

static int setup(void **state)
{
	static const struct {
		ZydisMachineMode mode;
		ZydisStackWidth width;
	} modes[4] = {
		[X86_CODE16] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
		[X86_CODE32] = { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
		[X86_CODE64] = { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
	};
	/* Extensions that are NOPs, or their predecessors, on processors without them. */
	static const ZydisDecoderMode off[] = { ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
						ZYDIS_DECODER_MODE_WBNOINVD,
						ZYDIS_DECODER_MODE_CLDEMOTE };
	unsigned int size, n;

	(void)state;
	for (size = X86_CODE16; size <= X86_CODE64; size++) {
		if (ZYAN_FAILED(
			    ZydisDecoderInit(&decoders[size], modes[size].mode, modes[size].width)))
			return -1;
		for (n = 0; n < sizeof(off) / sizeof(off[0]); n++)
			ZydisDecoderEnableMode(&decoders[size], off[n], ZYAN_FALSE);
	}
	memset(expected, 0xff, sizeof(expected));
	return 0;
}

/* -- the tests --------------------------------------------------------------------------------- */

static uint64_t random_state = 0x9e3779b97f4a7c15ull;

static uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static size_t put_map(uint8_t *code, unsigned int map)
{
	size_t n = 0;

	if (map)
		code[n++] = 0x0f;
	if (map > 1)
		code[n++] = map == 2 ? 0x38 : 0x3a;
	return n;
}

static void random_bytes_decode_as_zydis_does(void **state)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66,
					    0x67, 0xf0, 0xf2, 0xf3, 0x48, 0x41, 0x44, 0x4f };
	uint8_t code[32];
	unsigned int round, k;
	size_t n;

	(void)state;
	mismatches = 0;
	for (round = 0; round < 5000000; round++) {
		uint32_t r = random32();

		n = 0;
		for (k = r & 3; k; k--)
			code[n++] = prefixes[random32() % sizeof(prefixes)];
		if (!(r & 0xfc0))
			while (n < 14)
				code[n++] = prefixes[random32() % sizeof(prefixes)];
		if (r & 0x1000)
			code[n++] = 0x40 | (random32() & 15);
		n += put_map(code + n, (r >> 13) & 3);
		while (n < sizeof(code))
			code[n++] = (uint8_t)random32();
		compare(code, r & 0x70000 ? 15 : 1 + random32() % 15, 1 + (r >> 20) % 3);
	}
	assert_int_equal(mismatches, 0);
}

static void every_opcode_and_modrm_decodes_as_zydis_does(void **state)
{
	static const uint8_t lead[][3] = {
		{ 1, 0x90 }, { 1, 0x66 },	{ 1, 0xf3 },	   { 1, 0xf2 },	     { 1, 0xf0 },
		{ 1, 0x48 }, { 2, 0x66, 0xf3 }, { 2, 0xf3, 0x4d }, { 2, 0x66, 0x4d }
	};
	unsigned int size, map, opcode, modrm, l;
	uint8_t code[16];
	size_t n;

	(void)state;
	mismatches = 0;
	for (size = X86_CODE16; size <= X86_CODE64; size++)
		for (l = 0; l < sizeof(lead) / sizeof(lead[0]); l++)
			for (map = 0; map < 4; map++)
				for (opcode = 0; opcode < 256; opcode++)
					for (modrm = 0; modrm < 256; modrm += 1 + (l > 3)) {
						n = l ? lead[l][0] : 0;
						memcpy(code, lead[l] + 1, 2);
						n += put_map(code + n, map);
						code[n++] = (uint8_t)opcode;
						code[n++] = (uint8_t)(modrm ^ (opcode & (l > 3)));
						memset(code + n, 0x9d, sizeof(code) - n);
						compare(code, 15, size);
					}
	assert_int_equal(mismatches, 0);
}

/* What of VEX and ModRM tells instructions apart, and the rest at random. */
static size_t put_vex(uint8_t *code, unsigned int size, unsigned int map, unsigned int opcode,
		      unsigned int bits)
{
	/* Register by register and memory with and without SIB; of each all /r. */
	static const uint8_t modrm[4] = { 0xc1, 0x03, 0x04, 0x45 };
	uint32_t r = random32();
	uint8_t last = (uint8_t)(bits & 7);
	size_t n = 0;

	last |= bits & 16 ? 0x78 : (uint8_t)(r & 0x78);
	if (map == 1 && (r & 0x100)) {
		code[n++] = 0xc5;
		code[n++] = last | (size != X86_CODE64 || (r & 0x80) ? 0x80 : 0);
	} else {
		code[n++] = 0xc4;
		code[n++] = (uint8_t)(map | (size == X86_CODE64 ? r >> 12 & 0xe0
								: 0xc0 | (r >> 12 & 0x20)));
		code[n++] = last | (bits & 8 ? 0x80 : 0);
	}
	code[n++] = (uint8_t)opcode;
	code[n++] = modrm[bits >> 5 & 3] | (uint8_t)(bits >> 7 << 3);
	while (n < 16)
		code[n++] = (uint8_t)random32();
	return n;
}

/* All of L, W, prefix, /r, in three maps; vvvv at random and 1111. */
static void every_vex_encoding_decodes_as_zydis_does(void **state)
{
	unsigned int size, map, opcode, bits;
	uint8_t code[32];
	size_t n;

	(void)state;
	mismatches = 0;
	for (size = X86_CODE16; size <= X86_CODE64; size++)
		for (map = 1; map <= 3; map++)
			for (opcode = 0; opcode < 256; opcode++)
				for (bits = 0; bits < 1024; bits++) {
					n = put_vex(code, size, map, opcode, bits);
					compare(code, n < 15 ? n : 15, size);
				}
	assert_int_equal(mismatches, 0);
}

/* Maps that there are none of, prefixes in front, and too few bytes. */
static void vex_that_is_no_instruction_is_refused_as_zydis_does(void **state)
{
	static const uint8_t lead[] = { 0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x2e, 0x64, 0x48, 0x41 };
	unsigned int round;
	uint8_t code[40];

	(void)state;
	mismatches = 0;
	for (round = 0; round < 1000000; round++) {
		uint32_t r = random32();
		unsigned int size = 1 + r % 3, map = r & 0x10000 ? 1 + (r >> 20) % 3 : r >> 20 & 31;
		size_t n = 0;

		while (n < (r >> 6 & 3))
			code[n++] = lead[random32() % sizeof(lead)];
		n += put_vex(code + n, size, map, r >> 24, random32() & 1023);
		compare(code, r & 0x3c0000 ? 15 : 1 + random32() % 15, size);
	}
	assert_int_equal(mismatches, 0);
}

/* Executable sections of an ELF file (or, without @elf, the whole file), decoded from start to end.
 */
static void sweep(const uint8_t *data, size_t bytes, unsigned int size)
{
	size_t at = 0;

	while (at < bytes)
		at += compare(data + at, bytes - at < 15 ? bytes - at : 15, size);
}

static uint8_t *read_whole(const char *path, size_t *ret_bytes)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long bytes;

	if (!f)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (bytes = ftell(f)) > 0 && fseek(f, 0, SEEK_SET) == 0) {
		data = malloc((size_t)bytes);
		if (data && fread(data, 1, (size_t)bytes, f) != (size_t)bytes) {
			free(data);
			data = NULL;
		}
		*ret_bytes = (size_t)bytes;
	}
	fclose(f);
	return data;
}

#define SWEEP_SECTIONS(data, bytes, size, Ehdr, Phdr) \
	do { \
		const Ehdr *e = (const Ehdr *)(const void *)(data); \
		const Phdr *p = (const Phdr *)(const void *)((data) + e->e_phoff); \
		unsigned int k; \
		for (k = 0; k < e->e_phnum; k++) \
			if (p[k].p_type == PT_LOAD && (p[k].p_flags & PF_X) && \
			    p[k].p_offset + p[k].p_filesz <= (bytes)) \
				sweep((data) + p[k].p_offset, p[k].p_filesz, size); \
	} while (0)

static void real_code_decodes_as_zydis_does(void **state)
{
	static const struct {
		const char *path;
		unsigned int size; /* 0: an ELF file says itself */
	} files[] = {
		{ "/bin/busybox", 0 },
		{ "/lib/x86_64-linux-gnu/libc.so.6", 0 },
		{ "/usr/lib32/libc.so.6", 0 },
		{ "/usr/share/seabios/bios-256k.bin", X86_CODE16 },
		{ "/usr/share/seabios/bios-256k.bin", X86_CODE32 },
	};
	unsigned int n, done = 0;
	size_t bytes = 0;

	(void)state;
	mismatches = 0;
	for (n = 0; n < sizeof(files) / sizeof(files[0]); n++) {
		uint8_t *data = read_whole(files[n].path, &bytes);

		if (!data || bytes < sizeof(Elf64_Ehdr)) {
			free(data);
			continue;
		}
		done++;
		if (files[n].size)
			sweep(data, bytes, files[n].size);
		else if (data[EI_CLASS] == ELFCLASS64)
			SWEEP_SECTIONS(data, bytes, X86_CODE64, Elf64_Ehdr, Elf64_Phdr);
		else
			SWEEP_SECTIONS(data, bytes, X86_CODE32, Elf32_Ehdr, Elf32_Phdr);
		free(data);
	}
	print_message("%u files, %lu instructions compared so far, %lu legal\n", done, compared,
		      valid);
	assert_int_equal(mismatches, 0);
	if (!done)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode_and_modrm_decodes_as_zydis_does),
		cmocka_unit_test(every_vex_encoding_decodes_as_zydis_does),
		cmocka_unit_test(vex_that_is_no_instruction_is_refused_as_zydis_does),
		cmocka_unit_test(random_bytes_decode_as_zydis_does),
		cmocka_unit_test(real_code_decodes_as_zydis_does),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

#else

static void zydis_is_not_installed(void **state)
{
	(void)state;
	skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(zydis_is_not_installed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
