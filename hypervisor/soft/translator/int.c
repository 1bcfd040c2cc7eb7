/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * int.c - templates of integer instructions: the host's instruction of the same name, with the
 * registers of tr.h and a host address. Everything that is not here, or that a template declines,
 * is executed by its handler. Owns nothing.
 *
 * A guest register that lives in struct x86_cpu is used there as a source; as a destination it goes
 * through T0 (partial stores would make the next load wait). AH, CH, DH, BH as destinations are
 * declined; as sources they are copied to T0.
 * Source: Intel SDM Vol 2A, 2B "Instruction Set Reference".
 */
#include "soft/translator/int.h"

/* -- operands ------------------------------------------------------------------------------ */

bool tr_is_high(unsigned int r)
{
	return r & X86_REG_HIGH;
}

/* Register to work on for destination @r; loads it if it lives in memory and is read. */
unsigned int tr_dst(struct tr *t, unsigned int r, bool read)
{
	unsigned int h = tr_host(r);

	if (h != TR_NO_REG)
		return h;
	if (read)
		tr_load(t, TR_T0, tr_slot(r));
	return TR_T0;
}

void tr_put(struct tr *t, unsigned int r, unsigned int h)
{
	if (tr_host(r) == TR_NO_REG)
		tr_store(t, tr_slot(r), h);
}

/* Source register @r in a host register; @tmp if it has none. */
unsigned int tr_src(struct tr *t, unsigned int r, unsigned int tmp)
{
	unsigned int h;

	if (tr_is_high(r)) {
		tr_rorx8(t, tmp, r & 3);
		return tmp;
	}
	h = tr_host(r);
	if (h != TR_NO_REG)
		return h;
	tr_load(t, tmp, tr_slot(r));
	return tmp;
}

bool tr_mem_form(const struct x86_insn *i)
{
	return i->form == X86_FORM_M || i->form == X86_FORM_RM || i->form == X86_FORM_MR ||
	       i->form == X86_FORM_MI || i->form == X86_FORM_RMI || i->form == X86_FORM_MRI;
}

/* Memory operand of the operation's size. */
bool tr_operand(struct tr *t, const struct x86_insn *i, bool write, struct tr_rm *ret)
{
	ret->mem = true;
	if (!tr_address(t, i, 1u << i->osize, write, false, &ret->m))
		return false;
	tr_need_flags(t);
	return true;
}

uint32_t tr_lock(const struct x86_insn *i)
{
	return i->flags & X86_F_LOCK ? TR_LOCK : 0;
}

/* -- two operands -------------------------------------------------------------------------- */

/* 80/81/83, C6/C7, F6/F7: operation with an immediate. @digit is the reg field. */
static void int_op_imm(struct tr *t, uint32_t op8, unsigned int digit, unsigned int osize,
		       const struct tr_rm *rm, int64_t imm)
{
	uint32_t op = tr_sized(op8, osize) & ~TR_REG8;

	if ((op8 & 0xff) == 0x80 && osize && imm >= -128 && imm <= 127) {
		tr_op_rm(t, op + 2, digit, rm, 1);
		tr_byte(t, (uint8_t)imm);
		return;
	}
	tr_op_rm(t, op, digit, rm, osize == 0 ? 1 : osize == 1 ? 2 : 4);
	tr_imm(t, osize, imm);
}

static unsigned int alu_digit(unsigned int op)
{
	switch (op) {
	case X86_OP_ADD: return 0;
	case X86_OP_OR: return 1;
	case X86_OP_ADC: return 2;
	case X86_OP_SBB: return 3;
	case X86_OP_AND: return 4;
	case X86_OP_SUB: return 5;
	case X86_OP_XOR: return 6;
	}
	return 7;
}

static bool int_alu_mem(struct tr *t, const struct x86_insn *i, unsigned int digit)
{
	bool write = i->op != X86_OP_CMP && i->form != X86_FORM_RM;
	struct tr_rm m;
	unsigned int r;

	if (i->form == X86_FORM_RM && tr_is_high(i->dst))
		return false;
	if (!tr_operand(t, i, write, &m))
		return false;
	switch (i->form) {
	case X86_FORM_RM:
		r = tr_dst(t, i->dst, true);
		tr_op_rm(t, tr_sized(digit * 8 + 2, i->osize), r, &m, 0);
		if (i->op != X86_OP_CMP)
			tr_put(t, i->dst, r);
		break;
	case X86_FORM_MR:
		r = tr_src(t, i->src, TR_T0);
		tr_op_rm(t, tr_sized(digit * 8, i->osize) | tr_lock(i), r, &m, 0);
		break;
	default: int_op_imm(t, 0x80 | tr_lock(i), digit, i->osize, &m, i->imm); break;
	}
	tr_flags_done(t);
	return true;
}

/* Registers that can be encoded next to AH, CH, DH, BH: without REX. */
static bool int_low(unsigned int r)
{
	return tr_is_high(r) || r < 4;
}

static unsigned int int_low_code(unsigned int r)
{
	return tr_is_high(r) ? 4 | (r & 3) : r;
}

/* AH, CH, DH or BH as destination. @op: the form with a register as source; @op_imm with a
 * constant. */
static bool int_to_high(struct tr *t, const struct x86_insn *i, unsigned int op,
			unsigned int op_imm, unsigned int digit)
{
	if (i->form == X86_FORM_RI) {
		tr_need_flags(t);
		tr_op_rr(t, op_imm, digit, int_low_code(i->dst));
		tr_byte(t, (uint8_t)i->imm);
	} else if (i->form == X86_FORM_RR && int_low(i->src)) {
		tr_need_flags(t);
		tr_op_rr(t, op, int_low_code(i->src), int_low_code(i->dst));
	} else {
		return false;
	}
	tr_flags_done(t);
	return true;
}

static bool int_alu(struct tr *t, const struct x86_insn *i)
{
	unsigned int digit = alu_digit(i->op), d, s;
	bool cmp = i->op == X86_OP_CMP;
	struct tr_rm rm;

	if (tr_mem_form(i))
		return int_alu_mem(t, i, digit);
	if (tr_is_high(i->dst))
		return int_to_high(t, i, digit * 8, 0x80, digit);
	tr_need_flags(t);
	if (cmp && i->form == X86_FORM_RI) {
		rm = tr_guest(i->dst);
		int_op_imm(t, 0x80, digit, i->osize, &rm, i->imm);
	} else if (i->form == X86_FORM_RI) {
		d = tr_dst(t, i->dst, true);
		rm = tr_reg(d);
		int_op_imm(t, 0x80, digit, i->osize, &rm, i->imm);
		tr_put(t, i->dst, d);
	} else if (tr_is_high(i->src)) {
		s = tr_src(t, i->src, TR_T1);
		d = tr_dst(t, i->dst, true);
		tr_op_rr(t, tr_sized(digit * 8, i->osize), s, d);
		if (!cmp)
			tr_put(t, i->dst, d);
	} else {
		d = tr_dst(t, i->dst, true);
		rm = tr_guest(i->src);
		tr_op_rm(t, tr_sized(digit * 8 + 2, i->osize), d, &rm, 0);
		if (!cmp)
			tr_put(t, i->dst, d);
	}
	tr_flags_done(t);
	return true;
}

static bool int_test(struct tr *t, const struct x86_insn *i)
{
	struct tr_rm rm;
	unsigned int s;

	if (tr_mem_form(i)) {
		if (!tr_operand(t, i, false, &rm))
			return false;
	} else if (tr_is_high(i->dst)) {
		rm = tr_reg(tr_src(t, i->dst, TR_T1));
	} else {
		rm = tr_guest(i->dst);
	}
	if (i->form == X86_FORM_RI || i->form == X86_FORM_MI) {
		int_op_imm(t, 0xf6, 0, i->osize, &rm, i->imm);
	} else {
		s = tr_src(t, i->src, TR_T0);
		tr_op_rm(t, tr_sized(0x84, i->osize), s, &rm, 0);
	}
	tr_flags_done(t);
	return true;
}

/* -- moves --------------------------------------------------------------------------------- */

static void int_mov_imm(struct tr *t, const struct x86_insn *i)
{
	uint64_t v = i->osize == 2 ? (uint32_t)i->imm : (uint64_t)i->imm;
	unsigned int h = tr_host(i->dst);
	struct tr_rm rm = tr_guest(i->dst);

	if (i->osize < 2) {
		int_op_imm(t, 0xc6, 0, i->osize, &rm, i->imm);
	} else if (h == TR_NO_REG && (int64_t)v == (int32_t)v) {
		int_op_imm(t, 0xc6, 0, 3, &rm, (int64_t)v);
	} else {
		tr_mov_imm(t, h == TR_NO_REG ? TR_T0 : h, v);
		tr_put(t, i->dst, TR_T0);
	}
}

static bool int_mov(struct tr *t, const struct x86_insn *i)
{
	struct tr_rm m;
	unsigned int r;

	switch (i->form) {
	case X86_FORM_RI:
		if (tr_is_high(i->dst))
			return int_to_high(t, i, 0x88, 0xc6, 0);
		int_mov_imm(t, i);
		return true;
	case X86_FORM_RR:
		if (tr_is_high(i->dst))
			return int_to_high(t, i, 0x88, 0xc6, 0);
		if (i->osize < 2 && tr_host(i->dst) == TR_NO_REG) {
			m = tr_guest(i->dst);
			r = tr_src(t, i->src, TR_T0);
			tr_op_rm(t, tr_sized(0x88, i->osize), r, &m, 0);
			return true;
		}
		r = tr_dst(t, i->dst, false);
		m = tr_is_high(i->src) ? tr_reg(tr_src(t, i->src, TR_T0)) : tr_guest(i->src);
		tr_op_rm(t, tr_sized(0x8a, i->osize), r, &m, 0);
		tr_put(t, i->dst, r);
		return true;
	case X86_FORM_RM:
		if (tr_is_high(i->dst) || !tr_operand(t, i, false, &m))
			return false;
		r = tr_dst(t, i->dst, i->osize < 2);
		tr_op_rm(t, tr_sized(0x8a, i->osize), r, &m, 0);
		tr_put(t, i->dst, r);
		return true;
	case X86_FORM_MR:
		if (!tr_operand(t, i, true, &m))
			return false;
		r = tr_src(t, i->src, TR_T0);
		tr_op_rm(t, tr_sized(0x88, i->osize), r, &m, 0);
		return true;
	case X86_FORM_MI:
		if (!tr_operand(t, i, true, &m))
			return false;
		int_op_imm(t, 0xc6, 0, i->osize, &m, i->imm);
		return true;
	}
	return false;
}

static bool int_extend(struct tr *t, const struct x86_insn *i)
{
	static const struct {
		uint16_t op;
		uint8_t bytes;
		uint32_t code;
	} rows[] = {
		{ X86_OP_MOVZX8, 1, TR_0F | TR_RM8 | 0xb6 },
		{ X86_OP_MOVZX16, 2, TR_0F | 0xb7 },
		{ X86_OP_MOVSX8, 1, TR_0F | TR_RM8 | 0xbe },
		{ X86_OP_MOVSX16, 2, TR_0F | 0xbf },
		{ X86_OP_MOVSXD, 4, 0x63 },
	};
	unsigned int n = 0, r;
	uint32_t op;
	struct tr_rm m = { .mem = true };

	while (rows[n].op != i->op)
		n++;
	if (i->osize < 2)
		return false;
	op = rows[n].code | (i->osize == 3 ? TR_W : 0);
	if (tr_mem_form(i)) {
		if (!tr_address(t, i, rows[n].bytes, false, false, &m.m))
			return false;
	} else {
		m = tr_is_high(i->src) ? tr_reg(tr_src(t, i->src, TR_T0)) : tr_guest(i->src);
	}
	r = tr_dst(t, i->dst, false);
	tr_op_rm(t, op, r, &m, 0);
	tr_put(t, i->dst, r);
	return true;
}

static bool int_lea(struct tr *t, const struct x86_insn *i)
{
	unsigned int base = TR_NO_REG, index = TR_NO_REG, r;
	int64_t disp = i->disp;

	if (i->asize == 1 || i->osize < 2)
		return false;
	if (i->base == X86_REG_IP)
		disp += t->page_off;
	if (disp != (int32_t)disp)
		return false;
	if (i->base == X86_REG_IP) {
		tr_load(t, TR_T1, TR_FIELD(tr.page_ip));
		base = TR_T1;
	} else if (i->base < 16) {
		base = tr_src(t, i->base, TR_T1);
	}
	if (i->index < 16)
		index = tr_src(t, i->index, TR_T0);
	r = tr_dst(t, i->dst, false);
	if (i->asize == 2)
		tr_byte(t, 0x67);
	tr_op_mem(t, i->osize == 3 ? TR_W | 0x8d : 0x8d, r,
		  (struct tr_mem){ (uint8_t)base, (uint8_t)index, i->scale, (int32_t)disp });
	tr_put(t, i->dst, r);
	return true;
}

/* -- one operand --------------------------------------------------------------------------- */

static bool int_unary(struct tr *t, const struct x86_insn *i)
{
	bool incdec = i->op == X86_OP_INC || i->op == X86_OP_DEC;
	unsigned int digit = i->op == X86_OP_INC   ? 0
			     : i->op == X86_OP_DEC ? 1
			     : i->op == X86_OP_NOT ? 2
						   : 3;
	uint32_t op = tr_sized(incdec ? 0xfe : 0xf6, i->osize) & ~TR_REG8;
	struct tr_rm m;
	unsigned int r;

	if (i->form == X86_FORM_M) {
		if (!tr_operand(t, i, true, &m))
			return false;
		tr_op_rm(t, op | tr_lock(i), digit, &m, 0);
	} else {
		if (tr_is_high(i->dst))
			return false;
		tr_need_flags(t);
		r = tr_dst(t, i->dst, true);
		tr_op_rr(t, op, digit, r);
		tr_put(t, i->dst, r);
	}
	tr_flags_done(t);
	return true;
}

/* -- exchanges ----------------------------------------------------------------------------- */

static bool int_xchg(struct tr *t, const struct x86_insn *i)
{
	bool cmpxchg = i->op == X86_OP_CMPXCHG, xadd = i->op == X86_OP_XADD;
	uint32_t op = cmpxchg ? TR_0F | 0xb0 : xadd ? TR_0F | 0xc0 : 0x86;
	struct tr_rm m;
	unsigned int r;

	if (tr_is_high(i->src) || (i->form == X86_FORM_RR && tr_is_high(i->dst)))
		return false;
	if (i->form == X86_FORM_RR) {
		if (cmpxchg || xadd || tr_host(i->dst) == TR_NO_REG || tr_host(i->src) == TR_NO_REG)
			return false;
		tr_op_rr(t, tr_sized(op, i->osize), tr_host(i->src), tr_host(i->dst));
		return true;
	}
	if (!tr_operand(t, i, true, &m))
		return false;
	r = tr_src(t, i->src, TR_T0);
	/* XCHG locks by itself. */
	tr_op_rm(t, tr_sized(op, i->osize) | (cmpxchg || xadd ? tr_lock(i) : 0), r, &m, 0);
	if (!cmpxchg)
		tr_put(t, i->src, r);
	tr_flags_done(t);
	return true;
}

static bool int_setcc(struct tr *t, const struct x86_insn *i)
{
	struct tr_rm m = { .mem = true };

	if (i->form == X86_FORM_M) {
		if (!tr_address(t, i, 1, true, false, &m.m))
			return false;
	} else {
		if (tr_is_high(i->dst))
			return false;
		m = tr_guest(i->dst);
	}
	tr_need_flags(t);
	tr_op_rm(t, TR_0F | TR_RM8 | 0x90 | i->cc, 0, &m, 0);
	return true;
}

static bool int_bswap(struct tr *t, const struct x86_insn *i)
{
	unsigned int r;

	if (i->osize < 2)
		return false;
	r = tr_dst(t, i->dst, true);
	if (i->osize == 3 || r >= 8)
		tr_byte(t, (i->osize == 3 ? 0x48 : 0x40) | r >> 3);
	tr_byte(t, 0x0f);
	tr_byte(t, 0xc8 | (r & 7));
	tr_put(t, i->dst, r);
	return true;
}

/* -- without operands ---------------------------------------------------------------------- */

static bool int_plain(struct tr *t, const struct x86_insn *i)
{
	switch (i->op) {
	case X86_OP_CBW:
	case X86_OP_CWD:
		if (i->osize == 1)
			tr_byte(t, 0x66);
		else if (i->osize == 3)
			tr_byte(t, 0x48);
		tr_byte(t, i->op == X86_OP_CBW ? 0x98 : 0x99);
		return true;
	case X86_OP_NOP:
	case X86_OP_PREFETCH:
	case X86_OP_LFENCE:
	case X86_OP_SFENCE: return true;
	case X86_OP_PAUSE:
		tr_byte(t, 0xf3);
		tr_byte(t, 0x90);
		return true;
	case X86_OP_MFENCE:
		tr_byte(t, 0x0f);
		tr_byte(t, 0xae);
		tr_byte(t, 0xf0);
		return true;
	case X86_OP_CLC:
	case X86_OP_STC:
	case X86_OP_CMC:
		tr_need_flags(t);
		tr_byte(t, i->op == X86_OP_CLC ? 0xf8 : i->op == X86_OP_STC ? 0xf9 : 0xf5);
		tr_flags_done(t);
		return true;
	}
	return false;
}

static bool int_movnti(struct tr *t, const struct x86_insn *i)
{
	struct tr_rm m;

	if (!tr_operand(t, i, true, &m))
		return false;
	tr_op_rm(t, (i->osize == 3 ? TR_W : 0) | TR_0F | 0xc3, tr_src(t, i->src, TR_T0), &m, 0);
	return true;
}

static bool int_movbe(struct tr *t, const struct x86_insn *i)
{
	bool store = i->form == X86_FORM_MR;
	uint32_t op = TR_38 | (store ? 0xf1 : 0xf0) | tr_wide(i->osize);
	struct tr_rm m;
	unsigned int r;

	if (!tr_operand(t, i, store, &m))
		return false;
	if (store) {
		tr_op_rm(t, op, tr_src(t, i->src, TR_T0), &m, 0);
		return true;
	}
	r = tr_dst(t, i->dst, i->osize == 1);
	tr_op_rm(t, op, r, &m, 0);
	tr_put(t, i->dst, r);
	return true;
}

/* clang-format off */
static const tr_template int_templates[X86_OP_COUNT] = {
#define T(op, fn) [X86_OP_##op] = fn
	T(ADD, int_alu), T(OR, int_alu), T(ADC, int_alu), T(SBB, int_alu), T(AND, int_alu),
	T(SUB, int_alu), T(XOR, int_alu), T(CMP, int_alu), T(TEST, int_test),
	T(MOV, int_mov), T(MOVZX8, int_extend), T(MOVZX16, int_extend), T(MOVSX8, int_extend),
	T(MOVSX16, int_extend), T(MOVSXD, int_extend), T(LEA, int_lea),
	T(INC, int_unary), T(DEC, int_unary), T(NOT, int_unary), T(NEG, int_unary),
	T(MUL, tr_int_mul), T(IMUL, tr_int_mul), T(IMUL3, tr_int_mul), T(DIV, tr_int_div), T(IDIV, tr_int_div),
	T(ROL, tr_int_shift), T(ROR, tr_int_shift), T(RCL, tr_int_shift), T(RCR, tr_int_shift),
	T(SHL, tr_int_shift), T(SHR, tr_int_shift), T(SAR, tr_int_shift),
	T(SHLD, tr_int_shift2), T(SHRD, tr_int_shift2),
	T(XCHG, int_xchg), T(XADD, int_xchg), T(CMPXCHG, int_xchg),
	T(BT, tr_int_bt), T(BTS, tr_int_bt), T(BTR, tr_int_bt), T(BTC, tr_int_bt),
	T(BSF, tr_int_reg_rm), T(BSR, tr_int_reg_rm), T(POPCNT, tr_int_reg_rm), T(CMOVCC, tr_int_reg_rm),
	T(TZCNT, tr_int_reg_rm), T(LZCNT, tr_int_reg_rm), T(MOVBE, int_movbe),
	T(SETCC, int_setcc), T(BSWAP, int_bswap), T(MOVNTI, int_movnti),
	T(CBW, int_plain), T(CWD, int_plain), T(NOP, int_plain), T(PREFETCH, int_plain),
	T(LFENCE, int_plain), T(SFENCE, int_plain), T(MFENCE, int_plain), T(PAUSE, int_plain),
	T(CLC, int_plain), T(STC, int_plain), T(CMC, int_plain),
#undef T
};
/* clang-format on */

bool tr_has_int_template(const struct x86_insn *i)
{
	return i->op < X86_OP_COUNT && int_templates[i->op];
}

bool tr_int_insn(struct tr *t, const struct x86_insn *i)
{
	return i->op < X86_OP_COUNT && int_templates[i->op] && int_templates[i->op](t, i);
}
