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
#include "soft/translator/tr.h"

/* -- operands ------------------------------------------------------------------------------ */

static bool int_high(unsigned int r)
{
	return r & X86_REG_HIGH;
}

/* Register to work on for destination @r; loads it if it lives in memory and is read. */
static unsigned int int_dst(struct tr *t, unsigned int r, bool read)
{
	unsigned int h = tr_host(r);

	if (h != TR_NO_REG)
		return h;
	if (read)
		tr_load(t, TR_T0, tr_slot(r));
	return TR_T0;
}

static void int_put(struct tr *t, unsigned int r, unsigned int h)
{
	if (tr_host(r) == TR_NO_REG)
		tr_store(t, tr_slot(r), h);
}

/* Source register @r in a host register; @tmp if it has none. */
static unsigned int int_src(struct tr *t, unsigned int r, unsigned int tmp)
{
	unsigned int h;

	if (int_high(r)) {
		/* rorx tmp, reg, 8 */
		tr_byte(t, 0xc4);
		tr_byte(t, tmp & 8 ? 0x63 : 0xe3);
		tr_byte(t, 0xfb);
		tr_byte(t, 0xf0);
		tr_byte(t, 0xc0 | (tmp & 7) << 3 | (r & 3));
		tr_byte(t, 8);
		return tmp;
	}
	h = tr_host(r);
	if (h != TR_NO_REG)
		return h;
	tr_load(t, tmp, tr_slot(r));
	return tmp;
}

static bool int_mem_form(const struct x86_insn *i)
{
	return i->form == X86_FORM_M || i->form == X86_FORM_RM || i->form == X86_FORM_MR ||
	       i->form == X86_FORM_MI || i->form == X86_FORM_RMI || i->form == X86_FORM_MRI;
}

/* Memory operand of the operation's size. */
static bool int_mem(struct tr *t, const struct x86_insn *i, bool write, struct tr_rm *ret)
{
	ret->mem = true;
	if (!tr_address(t, i, 1u << i->osize, write, false, &ret->m))
		return false;
	tr_need_flags(t);
	return true;
}

static uint32_t int_lock(const struct x86_insn *i)
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

	if (i->form == X86_FORM_RM && int_high(i->dst))
		return false;
	if (!int_mem(t, i, write, &m))
		return false;
	switch (i->form) {
	case X86_FORM_RM:
		r = int_dst(t, i->dst, true);
		tr_op_rm(t, tr_sized(digit * 8 + 2, i->osize), r, &m, 0);
		if (i->op != X86_OP_CMP)
			int_put(t, i->dst, r);
		break;
	case X86_FORM_MR:
		r = int_src(t, i->src, TR_T0);
		tr_op_rm(t, tr_sized(digit * 8, i->osize) | int_lock(i), r, &m, 0);
		break;
	default: int_op_imm(t, 0x80 | int_lock(i), digit, i->osize, &m, i->imm); break;
	}
	tr_flags_done(t);
	return true;
}

/* Registers that can be encoded next to AH, CH, DH, BH: without REX. */
static bool int_low(unsigned int r)
{
	return int_high(r) || r < 4;
}

static unsigned int int_low_code(unsigned int r)
{
	return int_high(r) ? 4 | (r & 3) : r;
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

	if (int_mem_form(i))
		return int_alu_mem(t, i, digit);
	if (int_high(i->dst))
		return int_to_high(t, i, digit * 8, 0x80, digit);
	tr_need_flags(t);
	if (cmp && i->form == X86_FORM_RI) {
		rm = tr_guest(i->dst);
		int_op_imm(t, 0x80, digit, i->osize, &rm, i->imm);
	} else if (i->form == X86_FORM_RI) {
		d = int_dst(t, i->dst, true);
		rm = tr_reg(d);
		int_op_imm(t, 0x80, digit, i->osize, &rm, i->imm);
		int_put(t, i->dst, d);
	} else if (int_high(i->src)) {
		s = int_src(t, i->src, TR_T1);
		d = int_dst(t, i->dst, true);
		tr_op_rr(t, tr_sized(digit * 8, i->osize), s, d);
		if (!cmp)
			int_put(t, i->dst, d);
	} else {
		d = int_dst(t, i->dst, true);
		rm = tr_guest(i->src);
		tr_op_rm(t, tr_sized(digit * 8 + 2, i->osize), d, &rm, 0);
		if (!cmp)
			int_put(t, i->dst, d);
	}
	tr_flags_done(t);
	return true;
}

static bool int_test(struct tr *t, const struct x86_insn *i)
{
	struct tr_rm rm;
	unsigned int s;

	if (int_mem_form(i)) {
		if (!int_mem(t, i, false, &rm))
			return false;
	} else if (int_high(i->dst)) {
		rm = tr_reg(int_src(t, i->dst, TR_T1));
	} else {
		rm = tr_guest(i->dst);
	}
	if (i->form == X86_FORM_RI || i->form == X86_FORM_MI) {
		int_op_imm(t, 0xf6, 0, i->osize, &rm, i->imm);
	} else {
		s = int_src(t, i->src, TR_T0);
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
		int_put(t, i->dst, TR_T0);
	}
}

static bool int_mov(struct tr *t, const struct x86_insn *i)
{
	struct tr_rm m;
	unsigned int r;

	switch (i->form) {
	case X86_FORM_RI:
		if (int_high(i->dst))
			return int_to_high(t, i, 0x88, 0xc6, 0);
		int_mov_imm(t, i);
		return true;
	case X86_FORM_RR:
		if (int_high(i->dst))
			return int_to_high(t, i, 0x88, 0xc6, 0);
		if (i->osize < 2 && tr_host(i->dst) == TR_NO_REG) {
			m = tr_guest(i->dst);
			r = int_src(t, i->src, TR_T0);
			tr_op_rm(t, tr_sized(0x88, i->osize), r, &m, 0);
			return true;
		}
		r = int_dst(t, i->dst, false);
		m = int_high(i->src) ? tr_reg(int_src(t, i->src, TR_T0)) : tr_guest(i->src);
		tr_op_rm(t, tr_sized(0x8a, i->osize), r, &m, 0);
		int_put(t, i->dst, r);
		return true;
	case X86_FORM_RM:
		if (int_high(i->dst) || !int_mem(t, i, false, &m))
			return false;
		r = int_dst(t, i->dst, i->osize < 2);
		tr_op_rm(t, tr_sized(0x8a, i->osize), r, &m, 0);
		int_put(t, i->dst, r);
		return true;
	case X86_FORM_MR:
		if (!int_mem(t, i, true, &m))
			return false;
		r = int_src(t, i->src, TR_T0);
		tr_op_rm(t, tr_sized(0x88, i->osize), r, &m, 0);
		return true;
	case X86_FORM_MI:
		if (!int_mem(t, i, true, &m))
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
	if (int_mem_form(i)) {
		if (!tr_address(t, i, rows[n].bytes, false, false, &m.m))
			return false;
	} else {
		m = int_high(i->src) ? tr_reg(int_src(t, i->src, TR_T0)) : tr_guest(i->src);
	}
	r = int_dst(t, i->dst, false);
	tr_op_rm(t, op, r, &m, 0);
	int_put(t, i->dst, r);
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
		base = int_src(t, i->base, TR_T1);
	}
	if (i->index < 16)
		index = int_src(t, i->index, TR_T0);
	r = int_dst(t, i->dst, false);
	if (i->asize == 2)
		tr_byte(t, 0x67);
	tr_op_mem(t, i->osize == 3 ? TR_W | 0x8d : 0x8d, r,
		  (struct tr_mem){ (uint8_t)base, (uint8_t)index, i->scale, (int32_t)disp });
	int_put(t, i->dst, r);
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
		if (!int_mem(t, i, true, &m))
			return false;
		tr_op_rm(t, op | int_lock(i), digit, &m, 0);
	} else {
		if (int_high(i->dst))
			return false;
		tr_need_flags(t);
		r = int_dst(t, i->dst, true);
		tr_op_rr(t, op, digit, r);
		int_put(t, i->dst, r);
	}
	tr_flags_done(t);
	return true;
}

static bool int_mul(struct tr *t, const struct x86_insn *i)
{
	uint32_t op = tr_sized(0xf6, i->osize) & ~TR_REG8;
	unsigned int digit = i->op == X86_OP_MUL ? 4 : 5, r;
	struct tr_rm m;

	if (int_mem_form(i)) {
		if (!int_mem(t, i, false, &m))
			return false;
	} else {
		if (int_high(i->src) || int_high(i->dst))
			return false;
		tr_need_flags(t);
		m = tr_guest(i->form == X86_FORM_R ? i->dst : i->src);
	}
	switch (i->form) {
	case X86_FORM_R:
	case X86_FORM_M: tr_op_rm(t, op, digit, &m, 0); break;
	case X86_FORM_RR:
	case X86_FORM_RM:
		r = int_dst(t, i->dst, true);
		tr_op_rm(t, tr_sized(TR_0F | 0xae, i->osize), r, &m, 0);
		int_put(t, i->dst, r);
		break;
	default:
		r = int_dst(t, i->dst, i->osize == 1);
		op = i->osize == 1 ? TR_P66 | 0x69 : i->osize == 3 ? TR_W | 0x69 : 0x69;
		tr_op_rm(t, op, r, &m, i->osize == 1 ? 2 : 4);
		tr_imm(t, i->osize, i->imm);
		int_put(t, i->dst, r);
		break;
	}
	tr_flags_done(t);
	return true;
}

/*
 * Only where it is plain that the quotient fits: unsigned with the upper half below the divisor;
 * signed with a sign-extended accumulator and a divisor other than 0 and -1.
 */
static bool int_div(struct tr *t, const struct x86_insn *i)
{
	bool sign = i->op == X86_OP_IDIV, wide = i->osize == 3;
	uint32_t w = wide ? TR_W : 0;
	struct tr_rm m;

	if (i->osize < 2)
		return false;
	if (i->form == X86_FORM_M) {
		m.mem = true;
		if (!tr_address(t, i, 1u << i->osize, false, false, &m.m))
			return false;
		/* Once: another vcpu may write it. */
		tr_op_rm(t, w | 0x8b, TR_T2, &m, 0);
	} else {
		tr_clobber(t);
		m = tr_guest(i->dst);
		tr_op_rm(t, w | 0x8b, TR_T2, &m, 0);
	}
	if (sign) {
		const struct tr_rm t0 = tr_reg(TR_T0);

		tr_op_rr(t, w | 0x89, X86_RAX, TR_T0);
		tr_op_rm(t, w | 0xc1, 7, &t0, 1); /* sar */
		tr_byte(t, wide ? 63 : 31);
		tr_op_rr(t, w | 0x39, X86_RDX, TR_T0);
		tr_to_cold(t, 5);
		tr_op_mem(t, w | 0x8d, TR_T0, tr_based(TR_T2, 1));
		tr_op_rm(t, w | 0x83, 7, &t0, 1);
		tr_byte(t, 1);
		tr_to_cold(t, 6);
	} else {
		tr_op_rr(t, w | 0x39, TR_T2, X86_RDX); /* cmp rdx, t2 */
		tr_to_cold(t, 3);
	}
	tr_need_flags(t);
	tr_op_rr(t, w | 0xf7, sign ? 7 : 6, TR_T2);
	tr_flags_done(t);
	return true;
}

/* -- shifts -------------------------------------------------------------------------------- */

static unsigned int shift_digit(unsigned int op)
{
	switch (op) {
	case X86_OP_ROL: return 0;
	case X86_OP_ROR: return 1;
	case X86_OP_RCL: return 2;
	case X86_OP_RCR: return 3;
	case X86_OP_SHL: return 4;
	case X86_OP_SHR: return 5;
	}
	return 7;
}

static bool int_shift(struct tr *t, const struct x86_insn *i)
{
	bool by_imm = i->form == X86_FORM_RI || i->form == X86_FORM_MI;
	uint32_t op = tr_sized(by_imm ? 0xc0 : 0xd2, i->osize) & ~TR_REG8;
	unsigned int digit = shift_digit(i->op), r = 0;
	struct tr_rm m;

	if (int_mem_form(i)) {
		if (!int_mem(t, i, true, &m))
			return false;
	} else {
		if (int_high(i->dst))
			return false;
		tr_need_flags(t);
		r = int_dst(t, i->dst, true);
		m = tr_reg(r);
	}
	tr_op_rm(t, op, digit, &m, by_imm);
	if (by_imm)
		tr_byte(t, (uint8_t)i->imm);
	if (!m.mem)
		int_put(t, i->dst, r);
	tr_flags_done(t);
	return true;
}

static bool int_shift2(struct tr *t, const struct x86_insn *i)
{
	bool by_imm = i->form == X86_FORM_RRI || i->form == X86_FORM_MRI;
	uint32_t op = TR_0F | (i->op == X86_OP_SHLD ? 0xa4 : 0xac) | !by_imm;
	unsigned int r = 0, s;
	struct tr_rm m;

	op |= i->osize == 1 ? TR_P66 : i->osize == 3 ? TR_W : 0;
	if (int_mem_form(i)) {
		if (!int_mem(t, i, true, &m))
			return false;
		s = int_src(t, i->src, TR_T0);
	} else {
		tr_need_flags(t);
		s = int_src(t, i->src, TR_T1);
		r = int_dst(t, i->dst, true);
		m = tr_reg(r);
	}
	tr_op_rm(t, op, s, &m, by_imm);
	if (by_imm)
		tr_byte(t, (uint8_t)i->imm);
	if (!m.mem)
		int_put(t, i->dst, r);
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

	if (int_high(i->src) || (i->form == X86_FORM_RR && int_high(i->dst)))
		return false;
	if (i->form == X86_FORM_RR) {
		if (cmpxchg || xadd || tr_host(i->dst) == TR_NO_REG || tr_host(i->src) == TR_NO_REG)
			return false;
		tr_op_rr(t, tr_sized(op, i->osize), tr_host(i->src), tr_host(i->dst));
		return true;
	}
	if (!int_mem(t, i, true, &m))
		return false;
	r = int_src(t, i->src, TR_T0);
	/* XCHG locks by itself. */
	tr_op_rm(t, tr_sized(op, i->osize) | (cmpxchg || xadd ? int_lock(i) : 0), r, &m, 0);
	if (!cmpxchg)
		int_put(t, i->src, r);
	tr_flags_done(t);
	return true;
}

/* -- bits ---------------------------------------------------------------------------------- */

static bool int_bt(struct tr *t, const struct x86_insn *i)
{
	unsigned int k = i->op - X86_OP_BT, r = 0;
	uint32_t w = i->osize == 1 ? TR_P66 : i->osize == 3 ? TR_W : 0;
	struct tr_rm m;

	if (i->form == X86_FORM_MR)
		return false;
	if (i->form == X86_FORM_MI) {
		if (!int_mem(t, i, i->op != X86_OP_BT, &m))
			return false;
		w |= int_lock(i);
	} else {
		tr_need_flags(t);
		r = int_dst(t, i->dst, true);
		m = tr_reg(r);
	}
	if (i->form == X86_FORM_RR) {
		tr_op_rm(t, w | TR_0F | (0xa3 + 8 * k), int_src(t, i->src, TR_T1), &m, 0);
	} else {
		tr_op_rm(t, w | TR_0F | 0xba, 4 + k, &m, 1);
		tr_byte(t, (uint8_t)i->imm);
	}
	if (!m.mem && i->op != X86_OP_BT)
		int_put(t, i->dst, r);
	tr_flags_done(t);
	return true;
}

/* BSF, BSR, POPCNT, CMOVcc: reg, r/m. */
static bool int_reg_rm(struct tr *t, const struct x86_insn *i)
{
	uint32_t op = i->op == X86_OP_BSF      ? TR_0F | 0xbc
		      : i->op == X86_OP_BSR    ? TR_0F | 0xbd
		      : i->op == X86_OP_POPCNT ? TR_F3 | TR_0F | 0xb8
					       : TR_0F | 0x40 | i->cc;
	struct tr_rm m;
	unsigned int r;

	op |= i->osize == 1 ? TR_P66 : i->osize == 3 ? TR_W : 0;
	if (i->form == X86_FORM_RM) {
		if (!int_mem(t, i, false, &m))
			return false;
	} else {
		tr_need_flags(t);
		m = tr_guest(i->src);
	}
	r = int_dst(t, i->dst, true);
	tr_op_rm(t, op, r, &m, 0);
	int_put(t, i->dst, r);
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
		if (int_high(i->dst))
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
	r = int_dst(t, i->dst, true);
	if (i->osize == 3 || r >= 8)
		tr_byte(t, (i->osize == 3 ? 0x48 : 0x40) | r >> 3);
	tr_byte(t, 0x0f);
	tr_byte(t, 0xc8 | (r & 7));
	int_put(t, i->dst, r);
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

	if (!int_mem(t, i, true, &m))
		return false;
	tr_op_rm(t, (i->osize == 3 ? TR_W : 0) | TR_0F | 0xc3, int_src(t, i->src, TR_T0), &m, 0);
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
	T(MUL, int_mul), T(IMUL, int_mul), T(IMUL3, int_mul), T(DIV, int_div), T(IDIV, int_div),
	T(ROL, int_shift), T(ROR, int_shift), T(RCL, int_shift), T(RCR, int_shift),
	T(SHL, int_shift), T(SHR, int_shift), T(SAR, int_shift),
	T(SHLD, int_shift2), T(SHRD, int_shift2),
	T(XCHG, int_xchg), T(XADD, int_xchg), T(CMPXCHG, int_xchg),
	T(BT, int_bt), T(BTS, int_bt), T(BTR, int_bt), T(BTC, int_bt),
	T(BSF, int_reg_rm), T(BSR, int_reg_rm), T(POPCNT, int_reg_rm), T(CMOVCC, int_reg_rm),
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
