/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode.c - the instruction decoder: bytes to struct x86_insn. Owns the opcode tables, which are
 * built from ops.def at compile time and never written; no state, no locking, nothing saved.
 *
 * An opcode is a row of ops.def. The index tables below lead from map, opcode and mandatory prefix
 * (and ModRM, for groups) to the row; the row names up to three operands and how the operation size
 * comes about. Everything else is the same for every instruction.
 *
 * Bytes that are missing read as zero and set overrun, so that no step has to stop half-way; the
 * caller hears of it at the end. An illegal form still runs to its end: its length is wanted.
 *
 * Source: Intel SDM Vol 2 ch. 2 "Instruction Format", App. A "Opcode Map"; AMD APM Vol 3 ch. 1
 * "Instruction Encoding" (XOP).
 */
#include "x86/decode_table.h"

/* -- prefixes ---------------------------------------------------------------------------------- */

enum dec_prefix_kind {
	PREFIX_NONE,
	PREFIX_SEG, /* + segment */
	PREFIX_66 = PREFIX_SEG + HVM_SEG_COUNT,
	PREFIX_67,
	PREFIX_LOCK,
	PREFIX_F2,
	PREFIX_F3,
	PREFIX_REX,
};

static const uint8_t dec_prefix_kinds[256] = {
	[0x26] = PREFIX_SEG + HVM_SEG_ES,
	[0x2e] = PREFIX_SEG + HVM_SEG_CS,
	[0x36] = PREFIX_SEG + HVM_SEG_SS,
	[0x3e] = PREFIX_SEG + HVM_SEG_DS,
	[0x64] = PREFIX_SEG + HVM_SEG_FS,
	[0x65] = PREFIX_SEG + HVM_SEG_GS,
	[0x66] = PREFIX_66,
	[0x67] = PREFIX_67,
	[0xf0] = PREFIX_LOCK,
	[0xf2] = PREFIX_F2,
	[0xf3] = PREFIX_F3,
	[0x40 ... 0x4f] = PREFIX_REX,
};

/* Take all prefixes; returns the first byte of the opcode. */
static uint8_t dec_prefixes(struct dec *d, enum x86_code_size size)
{
	struct x86_insn *i = d->i;
	unsigned int kind;
	bool p66 = false, p67 = false;
	uint8_t byte, rex = 0;

	for (;;) {
		byte = dec_byte(d);
		kind = dec_prefix_kinds[byte];
		if (hvm_likely(kind == PREFIX_NONE))
			break;
		if (kind == PREFIX_REX) {
			if (!d->code64)
				break;
			rex = byte;
			continue;
		}
		rex = 0; /* counts only right before the opcode */
		if (kind == PREFIX_66) {
			p66 = true;
		} else if (kind == PREFIX_67) {
			p67 = true;
		} else if (kind == PREFIX_LOCK) {
			d->lock = true;
		} else if (kind == PREFIX_F2) {
			i->rep = X86_REP_F2;
		} else if (kind == PREFIX_F3) {
			i->rep = X86_REP_F3;
		} else {
			kind -= PREFIX_SEG;
			/* 64-bit code has only FS and GS; the others do not even cancel them. */
			if (!d->code64 || kind >= HVM_SEG_FS)
				d->seg = (uint8_t)kind;
		}
	}
	d->rex = rex & 15;
	i->flags = (uint8_t)((rex ? X86_F_REX : 0) | (rex & REX_W ? X86_F_W : 0) |
			     (p66 ? X86_F_66 : 0) | (d->lock ? X86_F_LOCK : 0) |
			     (d->seg != HVM_SEG_COUNT ? X86_F_SEGOVR : 0));
	d->opsize = (size == X86_CODE16) == p66 ? 2 : 1;
	i->asize = size == X86_CODE64 ? 3 - p67 : (size == X86_CODE16) == p67 ? 2 : 1;
	d->pfx = i->rep == X86_REP_F3 ? PFX_F3 : i->rep == X86_REP_F2 ? PFX_F2 : p66;
	return byte;
}

/* -- ModRM ------------------------------------------------------------------------------------- */

static void dec_modrm16(struct dec *d, unsigned int mod, unsigned int rm)
{
	static const uint8_t base[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const uint8_t index[8] = {
		6, 7, 6, 7, X86_REG_NONE, X86_REG_NONE, X86_REG_NONE, X86_REG_NONE
	};
	struct x86_insn *i = d->i;

	if (mod == 0 && rm == 6) {
		i->disp = dec_take_signed(d, 2);
		return;
	}
	i->base = base[rm];
	i->index = index[rm];
	if (mod)
		i->disp = dec_take_signed(d, mod);
	if (i->base == 5 && d->seg == HVM_SEG_COUNT)
		i->seg = HVM_SEG_SS;
}

static void dec_modrm32(struct dec *d, unsigned int mod, unsigned int rm)
{
	struct x86_insn *i = d->i;
	bool rip = rm == 5;

	if (rm == 4) {
		uint8_t sib = dec_byte(d);
		unsigned int index = ((sib >> 3) & 7) | ((d->rex & REX_X) << 2);

		if (index != 4) {
			i->index = (uint8_t)index;
			i->scale = sib >> 6;
		}
		rm = sib & 7;
		rip = false;
	}
	if (mod == 0 && rm == 5) {
		if (rip && d->code64)
			i->base = X86_REG_IP;
		i->disp = dec_take_signed(d, 4);
		return;
	}
	i->base = (uint8_t)(rm | (d->rex & REX_B) << 3);
	if (mod)
		i->disp = dec_take_signed(d, mod == 1 ? 1 : 4);
	if ((i->base == 4 || i->base == 5) && d->seg == HVM_SEG_COUNT)
		i->seg = HVM_SEG_SS;
}

void dec_modrm(struct dec *d, bool mod3)
{
	struct x86_insn *i = d->i;
	unsigned int mod;

	i->modrm = dec_byte(d);
	mod = i->modrm >> 6;
	if (mod == 3 || mod3)
		return;
	d->is_mem = true;
	if (i->asize == 1)
		dec_modrm16(d, mod, i->modrm & 7);
	else
		dec_modrm32(d, mod, i->modrm & 7);
}

/* -- from opcode to row ------------------------------------------------------------------------ */

/*
 * The row of an opcode that has none for its prefix: an invalid one, as long as the opcode is with
 * another prefix.
 */
static const struct dec_row *dec_missing_row(struct dec *d, uint8_t opcode)
{
	unsigned int pfx;

	d->illegal = true;
	if (d->map == MAP_38)
		return &dec_rows[ROW_NONE_38];
	if (d->map == MAP_3A)
		return &dec_rows[ROW_NONE_3A];
	for (pfx = 0; pfx < PFX_COUNT; pfx++)
		if (dec_index[d->map][opcode][pfx])
			return &dec_rows[dec_index[d->map][opcode][pfx]];
	return &dec_rows[ROW_NONE];
}

static const struct dec_row *dec_lookup(struct dec *d, uint8_t opcode)
{
	const struct dec_row *row;
	unsigned int id;

	d->map = MAP_1B;
	if (opcode == 0x0f) {
		d->map = MAP_0F;
		opcode = dec_byte(d);
		if (opcode == 0x38 || opcode == 0x3a) {
			d->map = opcode == 0x38 ? MAP_38 : MAP_3A;
			opcode = dec_byte(d);
		}
	}
	d->i->opcode = opcode;
	id = dec_index[d->map][opcode][d->pfx];
	if (hvm_unlikely(id == ROW_NONE))
		return dec_missing_row(d, opcode);
	row = &dec_rows[id];
	if (hvm_unlikely(row->flags & RF_ALT)) {
		if (opcode == 0x63 && d->code64)
			row = &dec_rows[ROW_MOVSXD];
		else if (opcode == 0x90 && (d->rex & REX_B))
			row = &dec_rows[ROW_1B_91_ANY];
	}
	return row;
}

/* Follow @row through its groups, once ModRM is known; *ret_operands has the operands to use. */
static const struct dec_row *dec_group(struct dec *d, const struct dec_row *row,
				       const struct dec_row **ret_operands)
{
	unsigned int depth, reg, id;
	uint8_t modrm = d->i->modrm;

	*ret_operands = row;
	for (depth = 0; depth < 2 && (row->flags & RF_GROUP); depth++) {
		reg = row->flags & RF_BYRM ? modrm & 7 : (modrm >> 3) & 7;
		id = dec_group_index[row->op][!d->is_mem][reg][d->pfx];
		if (id == ROW_NONE) {
			d->illegal = true;
			return row;
		}
		row = &dec_rows[id];
		if (row->a != O_INH)
			*ret_operands = row;
	}
	return row;
}

/* -- operation size and operands --------------------------------------------------------------- */

static uint8_t dec_osize(const struct dec *d, unsigned int size)
{
	uint8_t v = d->rex & REX_W ? 3 : d->opsize;

	switch (size) {
	case SZ_V: return v;
	case SZ_Z:
	case SZ_ENV: return d->rex & REX_W ? 2 : d->opsize;
	case SZ_Y: return d->rex & REX_W ? 3 : 2;
	case SZ_D64: return d->code64 && v == 2 ? 3 : v;
	case SZ_F64: return d->code64 ? 3 : v;
	case SZ_NAT: return d->code64 ? 3 : 2;
	case SZ_MX: return d->i->flags & X86_F_66 ? 4 : 3;
	default: /* SZ_B .. SZ_X are their own logarithm */ return (uint8_t)size;
	}
}

static uint8_t dec_msize(const struct dec *d, unsigned int rule)
{
	const struct x86_insn *i = d->i;

	switch (rule) {
	case MS_V: return (uint8_t)(1u << i->osize);
	case MS_PTR: return (uint8_t)((1u << i->osize) + 2);
	case MS_TWO: return (uint8_t)(2u << i->osize);
	case MS_TAB: return d->code64 ? 10 : 6;
	case MS_MX: return i->flags & X86_F_66 ? 16 : 8;
	case MS_MXD: return i->flags & X86_F_66 ? 16 : 4;
	case MS_ENV: return i->osize == 1 ? 14 : 28;
	case MS_SAV: return i->osize == 1 ? 94 : 108;
	default: return (uint8_t)rule;
	}
}

/* Number of a register of @class from the field @n and @ext, its REX bit shifted to bit 3. */
static uint8_t dec_register(struct dec *d, unsigned int class, unsigned int n, unsigned int ext)
{
	/* CR0, CR2, CR3, CR4, CR8 */
	const unsigned int legal_cr = 0x11d;

	switch (class) {
	case CLASS_GPR8:
		if (n >= 4 && !(d->i->flags & X86_F_REX))
			return (uint8_t)((n - 4) | X86_REG_HIGH);
		return (uint8_t)(n | ext);
	case CLASS_MV: return (uint8_t)(d->i->flags & X86_F_66 ? n | ext : n);
	case CLASS_MMX:
	case CLASS_ST: return (uint8_t)n;
	case CLASS_SEG: d->illegal |= n > HVM_SEG_GS; return (uint8_t)n;
	case CLASS_CR:
		n |= ext;
		d->illegal |= !(legal_cr >> n & 1);
		return (uint8_t)n;
	case CLASS_DR: d->illegal |= ext != 0; return (uint8_t)n;
	default: return (uint8_t)(n | ext);
	}
}

static void dec_immediate(struct dec *d, unsigned int imm)
{
	struct x86_insn *i = d->i;
	uint64_t v;

	switch (imm) {
	case IMM_U8: i->imm = dec_byte(d); break;
	case IMM_S8: i->imm = dec_take_signed(d, 1); break;
	case IMM_U16: i->imm = (int64_t)dec_take(d, 2); break;
	case IMM_Z: i->imm = dec_take_signed(d, i->osize == 1 ? 2 : 4); break;
	case IMM_V: i->imm = dec_take_signed(d, 1u << i->osize); break;
	case IMM_FAR:
		v = dec_take(d, i->osize == 1 ? 2 : 4);
		i->imm = (int64_t)(v | dec_take(d, 2) << 32);
		break;
	case IMM_ENTER:
		v = dec_take(d, 2);
		i->imm = (int64_t)(v | dec_take(d, 1) << 16);
		break;
	default: /* IMM_ONE */ i->imm = 1; break;
	}
}

/* What an operand is, in the alphabet of enum x86_form. */
enum dec_letter {
	LETTER_NONE,
	LETTER_R,
	LETTER_M,
	LETTER_I
};

/* Decode operand @code; a register goes to *reg. */
static unsigned int dec_operand(struct dec *d, unsigned int code, uint8_t *reg)
{
	const struct dec_operand_info *o = &dec_operands[code];
	struct x86_insn *i = d->i;
	unsigned int modrm = i->modrm;

	switch (o->kind) {
	case KIND_RM:
	case KIND_MEM:
	case KIND_RMR:
		if (d->is_mem) {
			d->illegal |= o->kind == KIND_RMR;
			i->msize = dec_msize(d, o->arg);
			return LETTER_M;
		}
		d->illegal |= o->kind == KIND_MEM;
		*reg = dec_register(d, o->class, modrm & 7, (d->rex & REX_B) << 3);
		return LETTER_R;
	case KIND_REG:
		*reg = dec_register(d, o->class, (modrm >> 3) & 7, (d->rex & REX_R) << 1);
		return LETTER_R;
	case KIND_OPC:
		*reg = dec_register(d, o->class, i->opcode & 7, (d->rex & REX_B) << 3);
		return LETTER_R;
	case KIND_FIX: *reg = o->arg; return LETTER_R;
	case KIND_OFF:
		i->disp = (int64_t)dec_take(d, 1u << i->asize);
		i->msize = dec_msize(d, o->arg);
		return LETTER_M;
	case KIND_SCL: i->flags |= X86_F_CL; return LETTER_NONE;
	case KIND_IMM: dec_immediate(d, o->arg); return LETTER_I;
	default: return LETTER_NONE;
	}
}

#define FORM3(a, b, c) ((a) | (b) << 2 | (c) << 4)
#define R	       LETTER_R
#define M	       LETTER_M
#define I	       LETTER_I
static const uint8_t dec_forms[64] = {
	[FORM3(R, 0, 0)] = X86_FORM_R,	 [FORM3(M, 0, 0)] = X86_FORM_M,
	[FORM3(I, 0, 0)] = X86_FORM_I,	 [FORM3(R, R, 0)] = X86_FORM_RR,
	[FORM3(R, M, 0)] = X86_FORM_RM,	 [FORM3(M, R, 0)] = X86_FORM_MR,
	[FORM3(R, I, 0)] = X86_FORM_RI,	 [FORM3(M, I, 0)] = X86_FORM_MI,
	[FORM3(R, R, I)] = X86_FORM_RRI, [FORM3(R, M, I)] = X86_FORM_RMI,
	[FORM3(M, R, I)] = X86_FORM_MRI, [FORM3(I, R, 0)] = X86_FORM_I, /* OUT imm, AL */
	[FORM3(R, M, R)] = X86_FORM_RM,					/* LDS r, m */
};
#undef R
#undef M
#undef I

static void dec_operands_of(struct dec *d, const struct dec_row *row)
{
	struct x86_insn *i = d->i;
	unsigned int a, b = 0, c = 0;

	if (row->a == O_NO)
		return;
	a = dec_operand(d, row->a, row->b == O_NO && (row->flags & RF_SRC) ? &i->src : &i->dst);
	if (row->b != O_NO)
		b = dec_operand(d, row->b, &i->src);
	if (row->c != O_NO)
		c = dec_operand(d, row->c, &i->src);
	i->form = dec_forms[FORM3(a, b, c)];
}

/* -- the decoder ------------------------------------------------------------------------------- */

/* What of @row is more than operands: conditions, variants, what the mode or LOCK forbids. */
static void dec_finish(struct dec *d, const struct dec_row *row)
{
	static const uint8_t fcmov_cc[4] = { 2, 4, 6, 10 };
	struct x86_insn *i = d->i;
	unsigned int flags = row->flags;

	i->op = row->op;
	if (row->mandatory)
		i->rep = X86_REP_NONE;
	if (flags & RF_CC)
		i->cc = i->opcode & 15;
	if (flags & RF_FCC)
		i->cc = fcmov_cc[(i->modrm >> 3) & 3] | (i->opcode & 1);
	if ((flags & RF_WNEXT) && (d->rex & REX_W))
		i->op++;
	if ((flags & RF_MW) && d->is_mem)
		i->osize = 1;
	if (flags & RF_ENDS)
		i->flags |= X86_F_ENDS;
	if (flags & (d->code64 ? RF_I64 : RF_O64))
		d->illegal = true;
	if ((flags & RF_NOCS) && i->dst == HVM_SEG_CS)
		d->illegal = true;
	if (d->lock && !((flags & RF_LOCK) && d->is_mem && i->form != X86_FORM_RM))
		d->illegal = true;
}

static void dec_instruction(struct dec *d, enum x86_code_size size)
{
	const struct dec_row *row, *operands;
	struct x86_insn *i = d->i;
	uint8_t byte;

	byte = dec_prefixes(d, size);
	i->seg = d->seg == HVM_SEG_COUNT ? HVM_SEG_DS : d->seg;
	row = operands = dec_lookup(d, byte);
	if (hvm_unlikely(row->flags & RF_VEX) && dec_is_vex(d, byte)) {
		dec_vex(d, byte);
		return;
	}
	if (row->flags & RF_MODRM) {
		dec_modrm(d, row->flags & RF_MOD3);
		d->illegal |= d->code64 && (row->flags & RF_I64);
		if (row->flags & RF_GROUP)
			row = dec_group(d, row, &operands);
	}
	i->osize = dec_osize(d, operands->size);
	dec_operands_of(d, operands);
	if (!(row->flags & RF_GROUP))
		dec_finish(d, row);
	if (i->op == X86_OP_INVALID)
		d->illegal = true;
}

int x86_decode(const uint8_t *code, size_t bytes, enum x86_code_size size, struct x86_insn *ret)
{
	struct x86_insn i = {
		.base = X86_REG_NONE,
		.index = X86_REG_NONE,
	};
	struct dec d = {
		.p = code,
		.end = code + (bytes < X86_INSN_MAX_LEN ? bytes : X86_INSN_MAX_LEN),
		.i = &i,
		.code64 = size == X86_CODE64,
		.seg = HVM_SEG_COUNT,
	};
	uint8_t len;

	dec_instruction(&d, size);
	if (hvm_unlikely(d.overrun))
		return bytes < X86_INSN_MAX_LEN ? -HVM_EAGAIN : -HVM_ERANGE;
	len = (uint8_t)(d.p - code);
	if (hvm_unlikely(d.illegal))
		i = (struct x86_insn){
			.op = X86_OP_INVALID,
			.base = X86_REG_NONE,
			.index = X86_REG_NONE,
			.seg = HVM_SEG_DS,
			.asize = i.asize,
			.flags = i.flags | X86_F_ENDS,
			.opcode = i.opcode,
			.modrm = i.modrm,
		};
	i.len = len;
	i.end = len;
	*ret = i;
	return len;
}

const char *x86_op_name(unsigned int op)
{
	static const char *const names[X86_OP_COUNT] = {
		[X86_OP_INVALID] = "INVALID",
#define OP(name) [X86_OP_##name] = #name,
#include "x86/op_names.def"
#undef OP
	};

	return op < X86_OP_COUNT ? names[op] : "?";
}
