/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arith.c - templates of multiplication, division, shifts, and bit operations. See int.c. Owns
 * nothing.
 * Source: Intel SDM Vol 2A, 2B "Instruction Set Reference".
 */
#include "soft/translator/int.h"

/* -- multiplication, division -------------------------------------------------------------- */

bool tr_int_mul(struct tr *t, const struct x86_insn *i)
{
	uint32_t op = tr_sized(0xf6, i->osize) & ~TR_REG8;
	unsigned int digit = i->op == X86_OP_MUL ? 4 : 5, r;
	struct tr_rm m;

	if (tr_mem_form(i)) {
		if (!tr_operand(t, i, false, &m))
			return false;
	} else {
		if (tr_is_high(i->src) || tr_is_high(i->dst))
			return false;
		tr_need_flags(t);
		m = tr_guest(i->form == X86_FORM_R ? i->dst : i->src);
	}
	switch (i->form) {
	case X86_FORM_R:
	case X86_FORM_M: tr_op_rm(t, op, digit, &m, 0); break;
	case X86_FORM_RR:
	case X86_FORM_RM:
		r = tr_dst(t, i->dst, true);
		tr_op_rm(t, tr_sized(TR_0F | 0xae, i->osize), r, &m, 0);
		tr_put(t, i->dst, r);
		break;
	default:
		r = tr_dst(t, i->dst, i->osize == 1);
		op = i->osize == 1 ? TR_P66 | 0x69 : i->osize == 3 ? TR_W | 0x69 : 0x69;
		tr_op_rm(t, op, r, &m, i->osize == 1 ? 2 : 4);
		tr_imm(t, i->osize, i->imm);
		tr_put(t, i->dst, r);
		break;
	}
	tr_flags_done(t);
	return true;
}

/*
 * Only where it is plain that the quotient fits: unsigned with the upper half below the divisor;
 * signed with a sign-extended accumulator and a divisor other than 0 and -1.
 */
bool tr_int_div(struct tr *t, const struct x86_insn *i)
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

bool tr_int_shift(struct tr *t, const struct x86_insn *i)
{
	bool by_imm = i->form == X86_FORM_RI || i->form == X86_FORM_MI;
	uint32_t op = tr_sized(by_imm ? 0xc0 : 0xd2, i->osize) & ~TR_REG8;
	unsigned int digit = shift_digit(i->op), r = 0;
	struct tr_rm m;

	if (tr_mem_form(i)) {
		if (!tr_operand(t, i, true, &m))
			return false;
	} else {
		if (tr_is_high(i->dst))
			return false;
		tr_need_flags(t);
		r = tr_dst(t, i->dst, true);
		m = tr_reg(r);
	}
	tr_op_rm(t, op, digit, &m, by_imm);
	if (by_imm)
		tr_byte(t, (uint8_t)i->imm);
	if (!m.mem)
		tr_put(t, i->dst, r);
	tr_flags_done(t);
	return true;
}

bool tr_int_shift2(struct tr *t, const struct x86_insn *i)
{
	bool by_imm = i->form == X86_FORM_RRI || i->form == X86_FORM_MRI;
	uint32_t op = TR_0F | (i->op == X86_OP_SHLD ? 0xa4 : 0xac) | !by_imm;
	unsigned int r = 0, s;
	struct tr_rm m;

	op |= tr_wide(i->osize);
	if (tr_mem_form(i)) {
		if (!tr_operand(t, i, true, &m))
			return false;
		s = tr_src(t, i->src, TR_T0);
	} else {
		tr_need_flags(t);
		s = tr_src(t, i->src, TR_T1);
		r = tr_dst(t, i->dst, true);
		m = tr_reg(r);
	}
	tr_op_rm(t, op, s, &m, by_imm);
	if (by_imm)
		tr_byte(t, (uint8_t)i->imm);
	if (!m.mem)
		tr_put(t, i->dst, r);
	tr_flags_done(t);
	return true;
}

/* -- bits ---------------------------------------------------------------------------------- */

bool tr_int_bt(struct tr *t, const struct x86_insn *i)
{
	unsigned int k = i->op - X86_OP_BT, r = 0;
	uint32_t w = tr_wide(i->osize);
	struct tr_rm m;

	if (i->form == X86_FORM_MR)
		return false;
	if (i->form == X86_FORM_MI) {
		if (!tr_operand(t, i, i->op != X86_OP_BT, &m))
			return false;
		w |= tr_lock(i);
	} else {
		tr_need_flags(t);
		r = tr_dst(t, i->dst, true);
		m = tr_reg(r);
	}
	if (i->form == X86_FORM_RR) {
		tr_op_rm(t, w | TR_0F | (0xa3 + 8 * k), tr_src(t, i->src, TR_T1), &m, 0);
	} else {
		tr_op_rm(t, w | TR_0F | 0xba, 4 + k, &m, 1);
		tr_byte(t, (uint8_t)i->imm);
	}
	if (!m.mem && i->op != X86_OP_BT)
		tr_put(t, i->dst, r);
	tr_flags_done(t);
	return true;
}

/* BSF, BSR, TZCNT, LZCNT, POPCNT, CMOVcc: reg, r/m. */
bool tr_int_reg_rm(struct tr *t, const struct x86_insn *i)
{
	uint32_t op = i->op == X86_OP_BSF      ? TR_0F | 0xbc
		      : i->op == X86_OP_BSR    ? TR_0F | 0xbd
		      : i->op == X86_OP_TZCNT  ? TR_F3 | TR_0F | 0xbc
		      : i->op == X86_OP_LZCNT  ? TR_F3 | TR_0F | 0xbd
		      : i->op == X86_OP_POPCNT ? TR_F3 | TR_0F | 0xb8
					       : TR_0F | 0x40 | i->cc;
	struct tr_rm m;
	unsigned int r;

	op |= tr_wide(i->osize);
	if (i->form == X86_FORM_RM) {
		if (!tr_operand(t, i, false, &m))
			return false;
	} else {
		tr_need_flags(t);
		m = tr_guest(i->src);
	}
	r = tr_dst(t, i->dst, true);
	tr_op_rm(t, op, r, &m, 0);
	tr_put(t, i->dst, r);
	tr_flags_done(t);
	return true;
}
