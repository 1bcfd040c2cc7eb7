/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zydis_vex.h - how a VEX-encoded instruction of ours and Zydis' compare: the mnemonic of its row,
 * which field each operand is in, its register and class, what is written, W and L, immediate,
 * arithmetic flags, alignment. For test_decode_oracle.c alone; nothing saved, no locking.
 * Source: Intel SDM Vol 2A 2.4 "AVX and SSE Instruction Exception Classification".
 */
#ifndef ZYDIS_VEX_H
#define ZYDIS_VEX_H

#include <Zydis/Zydis.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "x86/insn.h"
#include "x86/vex.h"

/* Of the sets of x86-64-v3. PCLMULQDQ and AES are no part of it, whatever their encoding. */
static inline bool zydis_is_v3(const ZydisDecodedInstruction *z)
{
	switch (z->meta.isa_set) {
	case ZYDIS_ISA_SET_AVX: return z->mnemonic != ZYDIS_MNEMONIC_VPCLMULQDQ;
	case ZYDIS_ISA_SET_AVX2:
	case ZYDIS_ISA_SET_AVX2GATHER:
	case ZYDIS_ISA_SET_FMA:
	case ZYDIS_ISA_SET_F16C:
	case ZYDIS_ISA_SET_BMI1:
	case ZYDIS_ISA_SET_BMI2:
	case ZYDIS_ISA_SET_LZCNT:
	case ZYDIS_ISA_SET_MOVBE: return true;
	default: return false;
	}
}

/* Our name of a row does not change with VEX.W where only the general register's size does. */
static inline bool vex_same_name(const struct x86_insn *i, const char *theirs)
{
	static const char *const wide[][2] = { { "vmovd", "vmovq" },
					       { "vpextrd", "vpextrq" },
					       { "vpinsrd", "vpinsrq" } };
	char ours[40] = "";
	size_t n;

	for (n = 0; n < sizeof(ours) - 1 && x86_vex_row(i)->name[n]; n++)
		ours[n] = (char)tolower(x86_vex_row(i)->name[n]);
	for (n = 0; n < sizeof(wide) / sizeof(wide[0]); n++)
		if ((i->vex & X86_VEX_PREFIX_W) && strcmp(ours, wide[n][0]) == 0)
			return strcmp(wide[n][1], theirs) == 0;
	return strcmp(ours, theirs) == 0;
}

static inline bool vex_is_general(ZydisRegister r)
{
	ZydisRegisterClass c = ZydisRegisterGetClass(r);

	return c == ZYDIS_REGCLASS_GPR32 || c == ZYDIS_REGCLASS_GPR64;
}

/* @what: the row's reg, vvvv or rm; @number: what we decoded. */
static inline const char *vex_register(const ZydisDecodedOperand *o, unsigned int what,
				       unsigned int number)
{
	if (!(what & X86_VEX_REG))
		return "operand that is none";
	if (vex_is_general(o->reg.value) != !!(what & X86_VEX_GENERAL))
		return "class of a register";
	if ((unsigned int)ZydisRegisterGetId(o->reg.value) != number)
		return "number of a register";
	if (!(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != !(what & X86_VEX_WRITTEN))
		return "what is written";
	return NULL;
}

static inline const char *vex_immediate_operand(const struct x86_insn *i,
						const ZydisDecodedOperand *o)
{
	const struct x86_vex_row *r = x86_vex_row(i);

	if (!r->imm)
		return "immediate that is none";
	if (o->encoding == ZYDIS_OPERAND_ENCODING_IS4)
		return r->imm == X86_VEX_IMM_IS4 && (unsigned int)ZydisRegisterGetId(
							    o->reg.value) == ((uint64_t)i->imm >> 4)
			       ? NULL
			       : "fourth register";
	return i->imm == (int64_t)(o->imm.value.u & 0xff) ? NULL : "immediate";
}

/* The index of a gather; the rest of a memory operand is as everywhere. */
static inline const char *vex_vsib_operand(const struct x86_insn *i, const ZydisDecodedOperand *o)
{
	if ((o->mem.type == ZYDIS_MEMOP_TYPE_VSIB) != (x86_vex_row(i)->kind == X86_VEX_GATHER))
		return "vector of indexes";
	if (o->mem.type != ZYDIS_MEMOP_TYPE_VSIB)
		return NULL;
	if ((unsigned int)ZydisRegisterGetId(o->mem.index) != i->cc ||
	    o->mem.scale != 1 << i->scale)
		return "index of a gather";
	return NULL;
}

static inline const char *vex_operand(const struct x86_insn *i, const ZydisDecodedOperand *o,
				      unsigned int *seen)
{
	const struct x86_vex_row *r = x86_vex_row(i);

	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		*seen |= 4;
		if (!(r->rm & X86_VEX_MEMORY) || !x86_vex_has_mem(i))
			return "memory operand";
		if (!(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != !(r->rm & X86_VEX_WRITTEN))
			return "what is written";
		return vex_vsib_operand(i, o);
	}
	switch (o->encoding) {
	case ZYDIS_OPERAND_ENCODING_MODRM_REG: *seen |= 1; return vex_register(o, r->reg, i->dst);
	case ZYDIS_OPERAND_ENCODING_NDSNDD: *seen |= 2; return vex_register(o, r->vvvv, i->vreg);
	case ZYDIS_OPERAND_ENCODING_MODRM_RM: *seen |= 4; return vex_register(o, r->rm, i->src);
	default: *seen |= 8; return vex_immediate_operand(i, o);
	}
}

static inline const char *compare_vex_row(const struct x86_insn *i,
					  const ZydisDecodedInstruction *z)
{
	const struct x86_vex_row *r = x86_vex_row(i);
	bool vector = !(r->flags & X86_VEX_GPR);
	bool code64 = z->machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
	bool w = z->raw.vex.W && (code64 || r->w != X86_VEX_WG);
	uint32_t flags = z->cpu_flags ? z->cpu_flags->modified | z->cpu_flags->set_0 |
						z->cpu_flags->set_1 | z->cpu_flags->undefined
				      : 0;

	if (!vex_same_name(i, ZydisMnemonicGetString(z->mnemonic)))
		return "operation";
	if (z->raw.vex.L != !!(i->vex & X86_VEX_PREFIX_L) || w != !!(i->vex & X86_VEX_PREFIX_W))
		return "L or W";
	if (i->osize != (vector ? 4 + z->raw.vex.L : 2 + w))
		return "operation size";
	if (!(flags & ~ZYDIS_CPUFLAG_RF) != !(r->flags & X86_VEX_EFLAGS))
		return "arithmetic flags";
	if ((z->meta.exception_class == ZYDIS_EXCEPTION_CLASS_AVX1) != !!(r->flags & X86_VEX_ALIGN))
		return "alignment";
	return NULL;
}

/* NULL, or what differs. */
static inline const char *compare_vex(const struct x86_insn *i, const ZydisDecodedInstruction *z,
				      const ZydisDecodedOperand *ops)
{
	const struct x86_vex_row *r = x86_vex_row(i);
	const char *why = compare_vex_row(i, z);
	unsigned int n, seen = 0;

	for (n = 0; !why && n < z->operand_count; n++)
		if (ops[n].visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
			why = vex_operand(i, &ops[n], &seen);
	if (why)
		return why;
	if (!(seen & 1) != !r->reg || !(seen & 2) != !r->vvvv || !(seen & 4) != !r->rm ||
	    !(seen & 8) != !r->imm)
		return "operand that is missing";
	return NULL;
}

#endif
