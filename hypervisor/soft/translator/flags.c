/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flags.c - which arithmetic flags an instruction reads and writes, which are alive where, and the
 * code that moves them between the host's flags and c->arith.
 *
 * A flag is alive if anything from there on within the block may read it before it is written, or
 * control may leave the block. Results that the manual leaves undefined count as not written, since
 * on the host some of them are not. With soft_tr.exact_flags whatever can raise an exception reads
 * them too. Owns nothing.
 * Source: Intel SDM Vol 1 App. A "EFLAGS Cross-Reference", App. B "EFLAGS Condition Codes".
 */
#include "soft/translator/tr.h"

#define ARITH	  TR_ALL
#define LOGIC	  (TR_ALL)
#define NOT_CF	  (TR_ALL & ~TR_CF)
#define CONDITION 0x80u /* reads: what insn->cc asks for */
#define SHIFT	  0x40u /* depends on the count */

/* clang-format off */
static const struct {
	uint8_t reads, writes, known;
} flag_table[X86_OP_COUNT] = {
#define F(op, reads, writes) [X86_OP_##op] = { reads, writes, 1 }
	F(ADD, 0, ARITH), F(SUB, 0, ARITH), F(CMP, 0, ARITH), F(NEG, 0, ARITH), F(XADD, 0, ARITH),
	F(CMPXCHG, 0, ARITH), F(AND, 0, LOGIC), F(OR, 0, LOGIC), F(XOR, 0, LOGIC), F(TEST, 0, LOGIC),
	F(ADC, TR_CF, ARITH), F(SBB, TR_CF, ARITH), F(INC, 0, NOT_CF), F(DEC, 0, NOT_CF),
	F(NOT, 0, 0), F(MOV, 0, 0), F(MOVZX8, 0, 0), F(MOVZX16, 0, 0), F(MOVSX8, 0, 0),
	F(MOVSX16, 0, 0), F(MOVSXD, 0, 0), F(LEA, 0, 0), F(XCHG, 0, 0), F(BSWAP, 0, 0), F(CBW, 0, 0),
	F(CWD, 0, 0), F(PUSH, 0, 0), F(POP, 0, 0), F(LEAVE, 0, 0), F(NOP, 0, 0), F(PAUSE, 0, 0),
	F(PREFETCH, 0, 0), F(MOVNTI, 0, 0), F(CRC32, 0, 0), F(CRC32_8, 0, 0),
	F(LFENCE, 0, 0), F(MFENCE, 0, 0), F(SFENCE, 0, 0),
	F(ROL, 0, SHIFT), F(ROR, 0, SHIFT), F(RCL, TR_CF, SHIFT), F(RCR, TR_CF, SHIFT),
	F(SHL, 0, SHIFT), F(SHR, 0, SHIFT), F(SAR, 0, SHIFT), F(SHLD, 0, SHIFT), F(SHRD, 0, SHIFT),
	F(MUL, 0, TR_CF | TR_OF), F(IMUL, 0, TR_CF | TR_OF), F(IMUL3, 0, TR_CF | TR_OF),
	F(BT, 0, TR_CF), F(BTS, 0, TR_CF), F(BTR, 0, TR_CF), F(BTC, 0, TR_CF),
	F(BSF, 0, TR_ZF), F(BSR, 0, TR_ZF), F(POPCNT, 0, ARITH),
	F(TZCNT, 0, TR_CF | TR_ZF), F(LZCNT, 0, TR_CF | TR_ZF), F(MOVBE, 0, 0),
	F(CMOVCC, CONDITION, 0), F(SETCC, CONDITION, 0),
	F(CLC, 0, TR_CF), F(STC, 0, TR_CF), F(CMC, TR_CF, TR_CF),
	F(COMISS, 0, ARITH), F(COMISD, 0, ARITH), F(UCOMISS, 0, ARITH), F(UCOMISD, 0, ARITH),
	F(PTEST, 0, ARITH),
	/* DIV leaves all of them undefined, and may fault. */
	F(DIV, 0, 0), F(IDIV, 0, 0),
	F(FCMOVCC, CONDITION, 0),
	F(CLD, 0, 0), F(STD, 0, 0), F(STAC, 0, 0), F(CLAC, 0, 0), F(CLI, 0, 0),
#undef F
};
/* clang-format on */

static uint8_t flag_condition(unsigned int cc)
{
	static const uint8_t reads[8] = {
		TR_OF, TR_CF, TR_ZF,	     TR_CF | TR_ZF,
		TR_SF, TR_PF, TR_SF | TR_OF, TR_SF | TR_OF | TR_ZF,
	};

	return reads[(cc >> 1) & 7];
}

/* Flags that shift or rotate @i writes for sure; *ret_none: it changes none. */
static uint8_t flag_shift(const struct x86_insn *i, bool *ret_none)
{
	bool by_imm = i->form == X86_FORM_RI || i->form == X86_FORM_MI || i->form == X86_FORM_RRI ||
		      i->form == X86_FORM_MRI;
	unsigned int count = (unsigned int)i->imm & (i->osize == 3 ? 63 : 31);
	uint8_t writes = i->op <= X86_OP_RCR ? TR_CF : TR_CF | TR_PF | TR_ZF | TR_SF;

	*ret_none = by_imm && !count;
	if (!by_imm || !count)
		return 0;
	/* More than the operand has: CF is undefined, with narrow ones everything may be. */
	if (count >= 8u << i->osize)
		return 0;
	return count == 1 ? writes | TR_OF : writes;
}

struct tr_flag_use tr_flag_use(const struct x86_insn *i)
{
	struct tr_flag_use u = { .reads = TR_ALL };
	bool none = false;

	if (tr_x87_flag_use(i, &u))
		return u;
	if (i->op == X86_OP_VEX)
		return tr_vex_flag_use(i);
	/* Jumps leave the block: their targets may read everything. */
	if (i->op >= X86_OP_COUNT || !flag_table[i->op].known)
		return u;
	u.reads = flag_table[i->op].reads;
	u.writes = flag_table[i->op].writes;
	if (u.reads == CONDITION)
		u.reads = flag_condition(i->cc);
	if (u.writes == SHIFT) {
		u.writes = flag_shift(i, &none);
		u.changes = !none;
		if (none)
			u.reads = 0;
		return u;
	}
	u.changes = u.writes || i->op == X86_OP_DIV || i->op == X86_OP_IDIV;
	return u;
}

static bool flag_may_fault(const struct x86_insn *i)
{
	if (tr_x87_is(i))
		return true;
	switch (i->op) {
	case X86_OP_LEA:
	case X86_OP_NOP:
	case X86_OP_PREFETCH: return false;
	case X86_OP_CLI:
	case X86_OP_STAC:
	case X86_OP_CLAC:
	case X86_OP_PUSH:
	case X86_OP_POP:
	case X86_OP_LEAVE:
	case X86_OP_DIV:
	case X86_OP_IDIV: return true;
	}
	return i->form != X86_FORM_R && i->form != X86_FORM_RR && i->form != X86_FORM_RI &&
	       i->form != X86_FORM_RRI && i->form != X86_FORM_NONE;
}

void tr_liveness(struct tr *t)
{
	unsigned int n = t->count;

	t->live[n] = TR_ALL;
	while (n-- > 0) {
		struct tr_flag_use u = tr_flag_use(tr_insn(t, n));

		t->live[n] = (uint8_t)(u.reads | (t->live[n + 1] & ~u.writes));
		if (t->g->exact_flags && flag_may_fault(tr_insn(t, n)))
			t->live[n] = TR_ALL;
	}
}

/* -- moving them --------------------------------------------------------------------------- */

void tr_emit_save_flags(struct tr *t, unsigned int tmp)
{
	tr_mov(t, tmp, X86_RAX);
	tr_byte(t, 0x9f);				/* lahf */
	tr_op_rr(t, TR_0F | TR_RM8 | 0x90, 0, X86_RAX); /* seto al */
	tr_op_mem(t, TR_P66 | 0x89, X86_RAX, TR_FIELD(cpu.arith));
	tr_mov(t, X86_RAX, tmp);
}

void tr_emit_load_flags(struct tr *t, unsigned int tmp)
{
	tr_mov(t, tmp, X86_RAX);
	tr_op_mem(t, TR_0F | 0xb7, X86_RAX, TR_FIELD(cpu.arith)); /* movzx eax */
	tr_byte(t, 0x04);					  /* add al, 7fh */
	tr_byte(t, 0x7f);
	tr_byte(t, 0x9e); /* sahf */
	tr_mov(t, X86_RAX, tmp);
}

void tr_clobber(struct tr *t)
{
	if (t->flags == TR_IN_HOST && t->live_before)
		tr_emit_save_flags(t, TR_T0);
	t->flags = TR_IN_MEM;
}

void tr_need_flags(struct tr *t)
{
	uint8_t need = t->use.reads;

	if (t->use.changes)
		need |= t->live_after & (uint8_t)~t->use.writes;
	if (need && t->flags == TR_IN_MEM) {
		tr_emit_load_flags(t, TR_T0);
		t->flags = TR_IN_BOTH;
	}
}
