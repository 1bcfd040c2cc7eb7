/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.c - CPU models on the software CPU: which instructions a model has (x86/host_model.c
 * says whether the host can execute them). Owns nothing; nothing saved.
 *
 * An instruction that CPUID does not offer raises #UD, as on the processor that the model
 * describes. That also keeps a guest's instructions away from a host that does not know them.
 * Source: x86-64 psABI "Micro-Architecture Levels"; Intel SDM Vol 2, "CPUID Feature Flag" of each
 * instruction.
 */
#include "soft/soft.h"

/* Instructions of x86-64-v2, and those of its time that the model shows beside them. */
/* clang-format off */
#define V2(op) [X86_OP_##op] = true
static const bool model_v2[X86_OP_COUNT] = {
	/* SSE3 */
	V2(FISTTP), V2(LDDQU), V2(MOVSLDUP), V2(MOVSHDUP), V2(MOVDDUP), V2(HADDPS), V2(HADDPD),
	V2(HSUBPS), V2(HSUBPD), V2(ADDSUBPS), V2(ADDSUBPD),
	/* SSSE3 */
	V2(PSHUFB), V2(PALIGNR), V2(PHADDW), V2(PHADDD), V2(PHADDSW), V2(PHSUBW), V2(PHSUBD),
	V2(PHSUBSW), V2(PSIGNB), V2(PSIGNW), V2(PSIGND), V2(PABSB), V2(PABSW), V2(PABSD),
	V2(PMADDUBSW), V2(PMULHRSW),
	/* SSE4.1 */
	V2(MOVNTDQA), V2(ROUNDPS), V2(ROUNDPD), V2(ROUNDSS), V2(ROUNDSD), V2(DPPS), V2(DPPD),
	V2(BLENDPS), V2(BLENDPD), V2(BLENDVPS), V2(BLENDVPD), V2(INSERTPS), V2(EXTRACTPS),
	V2(PACKUSDW), V2(PCMPEQQ), V2(PMULLD), V2(PMULDQ), V2(MPSADBW), V2(PMINSB), V2(PMINUW),
	V2(PMINSD), V2(PMINUD), V2(PMAXSB), V2(PMAXUW), V2(PMAXSD), V2(PMAXUD), V2(PTEST),
	V2(PBLENDVB), V2(PBLENDW), V2(PHMINPOSUW), V2(PEXTRB), V2(PEXTRD), V2(PINSRB), V2(PINSRD),
	V2(PMOVSXBW), V2(PMOVSXBD), V2(PMOVSXBQ), V2(PMOVSXWD), V2(PMOVSXWQ), V2(PMOVSXDQ),
	V2(PMOVZXBW), V2(PMOVZXBD), V2(PMOVZXBQ), V2(PMOVZXWD), V2(PMOVZXWQ), V2(PMOVZXDQ),
	/* SSE4.2, POPCNT, CMPXCHG16B, INVPCID */
	V2(PCMPGTQ), V2(PCMPESTRM), V2(PCMPESTRI), V2(PCMPISTRM), V2(PCMPISTRI), V2(CRC32_8),
	V2(CRC32), V2(POPCNT), V2(CMPXCHG16B), V2(INVPCID),
};
#undef V2
/* clang-format on */

/* PEXTRW is as old as SSE2, its form with a memory destination is SSE4.1. */
#define OPCODE_PEXTRW_SSE41 0x15

/* F3 in front of BSF and BSR means nothing to a processor without BMI1 and LZCNT. */
static void model_older(struct x86_insn *i)
{
	if (i->op != X86_OP_TZCNT && i->op != X86_OP_LZCNT)
		return;
	i->op = i->op == X86_OP_TZCNT ? X86_OP_BSF : X86_OP_BSR;
	i->rep = X86_REP_F3;
}

bool soft_model_has(uint32_t cpu_model, bool code64, struct x86_insn *i)
{
	if (cpu_model >= HVM_CPU_V3)
		return true;
	if (i->op == X86_OP_VEX || i->op == X86_OP_MOVBE)
		return false;
	model_older(i);
	if (hvm_likely(cpu_model >= HVM_CPU_V2))
		return true;
	if (i->op == X86_OP_PEXTRW)
		return i->opcode != OPCODE_PEXTRW_SSE41;
	if (i->op == X86_OP_LAHF || i->op == X86_OP_SAHF)
		return !code64;
	return i->op >= X86_OP_COUNT || !model_v2[i->op];
}
