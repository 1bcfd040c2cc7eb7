/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sse.c - templates of SSE to SSE4.2 instructions. Guest XMM registers are the host's of the same
 * number and MXCSR is the guest's, so the host executes them as they are. That holds while all
 * exceptions of MXCSR are masked; code of a guest that unmasks one is interpreted (common.c). MMX,
 * and the few that use implied registers or mix MMX and XMM, are executed by their handlers.
 *
 * Opcodes come from the decoder's own table, ops.def. Owns one index, built once.
 * Source: Intel SDM Vol 2A 2.1.2 "Opcodes", Vol 1 11.6 "Writing Applications With SSE/SSE2".
 */
#include "soft/translator/tr.h"

/* -- opcodes ------------------------------------------------------------------------------- */

#define SSE_MAP_1B  0
#define SSE_MAP_0F  TR_0F
#define SSE_MAP_38  TR_38
#define SSE_MAP_3A  TR_3A
#define SSE_PFX_ANY 0
#define SSE_PFX_NP  0
#define SSE_PFX_N6  TR_P66 /* XMM is the form with 66 */
#define SSE_PFX_66  TR_P66
#define SSE_PFX_F3  TR_F3
#define SSE_PFX_F2  TR_F2

struct sse_row {
	uint16_t op;
	uint32_t code;
};

static const struct sse_row sse_rows[] = {
#define OPC(map, lo, hi, pfx, op, a, b, c, size, flags) \
	{ X86_OP_##op, SSE_MAP_##map | SSE_PFX_##pfx | 0x##lo },
#define OPG(map, lo, hi, pfx, group, a, b, c, size, flags)
#include "x86/ops.def"
	/* Those that the table has in groups. */
	{ X86_OP_MOVLPS, TR_0F | 0x12 },
	{ X86_OP_MOVHLPS, TR_0F | 0x12 },
	{ X86_OP_MOVHPS, TR_0F | 0x16 },
	{ X86_OP_MOVLHPS, TR_0F | 0x16 },
};

static uint16_t sse_first[X86_OP_COUNT]; /* 1 + index of the first row of an operation */

void tr_sse_init(void)
{
	for (size_t n = HVM_ARRAY_SIZE(sse_rows); n-- > 0;)
		__atomic_store_n(&sse_first[sse_rows[n].op], (uint16_t)(n + 1), __ATOMIC_RELAXED);
}

/* Opcode bits of @i, or 0. */
static uint32_t sse_code(const struct x86_insn *i)
{
	size_t n = __atomic_load_n(&sse_first[i->op], __ATOMIC_RELAXED);

	for (; n && n <= HVM_ARRAY_SIZE(sse_rows); n++) {
		const struct sse_row *r = &sse_rows[n - 1];

		if (r->op == i->op && (r->code & TR_MAP) && (r->code & 0xff) == i->opcode)
			return r->code;
	}
	return 0;
}

/* -- which ones ---------------------------------------------------------------------------- */

enum sse_kind {
	SSE_NONE,
	SSE_VEC,       /* XMM and memory */
	SSE_FROM_GPR,  /* dst XMM, src GPR or memory */
	SSE_TO_GPR,    /* dst GPR, src XMM or memory */
	SSE_STORE_GPR, /* dst GPR or memory as r/m, src XMM */
	SSE_SHIFT,     /* by an immediate */
};

/* clang-format off */
static const uint8_t sse_special[X86_OP_COUNT] = {
#define S(op, kind) [X86_OP_##op] = 1 + SSE_##kind
	S(MASKMOVDQU, NONE), S(MASKMOVQ, NONE), S(CVTPI2PS, NONE), S(CVTPI2PD, NONE),
	S(CVTTPS2PI, NONE), S(CVTTPD2PI, NONE), S(CVTPS2PI, NONE), S(CVTPD2PI, NONE),
	S(MOVQ2DQ, NONE), S(MOVDQ2Q, NONE), S(MOVNTQ, NONE), S(MOVNTI, NONE), S(EXTRACTPS, NONE),
	S(PCMPESTRM, NONE), S(PCMPESTRI, NONE), S(PCMPISTRM, NONE), S(PCMPISTRI, NONE),
	S(CVTSI2SS, FROM_GPR), S(CVTSI2SD, FROM_GPR), S(PINSRB, FROM_GPR), S(PINSRW, FROM_GPR),
	S(PINSRD, FROM_GPR),
	S(CVTTSS2SI, TO_GPR), S(CVTTSD2SI, TO_GPR), S(CVTSS2SI, TO_GPR), S(CVTSD2SI, TO_GPR),
	S(MOVMSKPS, TO_GPR), S(MOVMSKPD, TO_GPR), S(PMOVMSKB, TO_GPR), S(PEXTRW, TO_GPR),
	S(PEXTRB, STORE_GPR), S(PEXTRD, STORE_GPR),
#undef S
};
/* clang-format on */

static enum sse_kind sse_kind(const struct x86_insn *i)
{
	if (i->op < X86_OP_MOVD || i->op >= X86_OP_COUNT)
		return SSE_NONE;
	if (i->op == X86_OP_MOVD || i->op == X86_OP_MOVQ) {
		if (!(i->flags & X86_F_66))
			return SSE_NONE;
		return i->opcode == 0x6e ? SSE_FROM_GPR : SSE_STORE_GPR;
	}
	if (sse_special[i->op]) {
		/* PEXTRW, PINSRW, PMOVMSKB exist for MMX too; PEXTRW has two encodings. */
		if ((i->op == X86_OP_PINSRW || i->op == X86_OP_PEXTRW ||
		     i->op == X86_OP_PMOVMSKB) &&
		    !(i->flags & X86_F_66))
			return SSE_NONE;
		if (i->op == X86_OP_PEXTRW && i->opcode == 0x15)
			return SSE_STORE_GPR;
		return (enum sse_kind)(sse_special[i->op] - 1);
	}
	if (i->osize != 4)
		return SSE_NONE;
	return i->form == X86_FORM_RI ? SSE_SHIFT : SSE_VEC;
}

static bool sse_exists(const struct tr *t)
{
	return (t->b->key & (X86_MODE_SSE | X86_MODE_NO_FPU)) == X86_MODE_SSE;
}

bool tr_is_sse(const struct tr *t, const struct x86_insn *i)
{
	enum sse_kind k;

	if (!sse_exists(t) || i->exec == x86_exec_ud)
		return false;
	k = sse_kind(i);
	return k == SSE_SHIFT || (k != SSE_NONE && sse_code(i));
}

/* -- templates ----------------------------------------------------------------------------- */

static bool sse_mem_form(const struct x86_insn *i)
{
	return i->form == X86_FORM_RM || i->form == X86_FORM_MR || i->form == X86_FORM_RMI ||
	       i->form == X86_FORM_MRI;
}

static bool sse_has_imm(const struct x86_insn *i)
{
	return i->form == X86_FORM_RRI || i->form == X86_FORM_RMI || i->form == X86_FORM_MRI;
}

unsigned int tr_sse_alignment(const struct x86_insn *i)
{
	switch (i->op) {
	case X86_OP_MOVUPS:
	case X86_OP_MOVUPD:
	case X86_OP_MOVDQU:
	case X86_OP_LDDQU: return 0;
	}
	return i->msize == 16 ? 16 : 0;
}

static bool sse_address(struct tr *t, const struct x86_insn *i, struct tr_rm *m)
{
	bool write = i->form == X86_FORM_MR || i->form == X86_FORM_MRI;

	m->mem = true;
	return i->msize && tr_address(t, i, i->msize, write, tr_sse_alignment(i), &m->m);
}

/* The r/m operand: memory, or @reg. */
static bool sse_operand(struct tr *t, const struct x86_insn *i, struct tr_rm reg, struct tr_rm *m)
{
	*m = reg;
	return !sse_mem_form(i) || sse_address(t, i, m);
}

static void sse_emit(struct tr *t, const struct x86_insn *i, uint32_t code, unsigned int reg,
		     const struct tr_rm *rm)
{
	tr_op_rm(t, code, reg, rm, sse_has_imm(i));
	if (sse_has_imm(i))
		tr_byte(t, (uint8_t)i->imm);
}

/* Encodings whose reg field is the source. */
static bool sse_is_store(const struct x86_insn *i)
{
	switch (i->opcode) {
	case 0x11:
	case 0x13:
	case 0x17:
	case 0x29:
	case 0x2b:
	case 0x7f:
	case 0xd6:
	case 0xe7: return i->form == X86_FORM_MR || i->form == X86_FORM_RR;
	}
	return i->form == X86_FORM_MR;
}

static bool sse_vec(struct tr *t, const struct x86_insn *i, uint32_t code)
{
	bool store = sse_is_store(i) && !(code & (TR_38 & ~TR_0F));
	struct tr_rm m;

	if (!sse_operand(t, i, tr_reg(store ? i->dst : i->src), &m))
		return false;
	sse_emit(t, i, code, store ? i->src : i->dst, &m);
	tr_flags_done(t);
	return true;
}

static bool sse_from_gpr(struct tr *t, const struct x86_insn *i, uint32_t code)
{
	struct tr_rm m;

	if (!sse_operand(t, i, tr_guest(i->src), &m))
		return false;
	sse_emit(t, i, code, i->dst, &m);
	return true;
}

static bool sse_to_gpr(struct tr *t, const struct x86_insn *i, uint32_t code)
{
	unsigned int h = tr_host(i->dst);
	struct tr_rm m;

	if (!sse_operand(t, i, tr_reg(i->src), &m))
		return false;
	sse_emit(t, i, code, h == TR_NO_REG ? TR_T0 : h, &m);
	if (h == TR_NO_REG)
		tr_store(t, tr_slot(i->dst), TR_T0);
	return true;
}

static bool sse_store_gpr(struct tr *t, const struct x86_insn *i, uint32_t code)
{
	unsigned int h = tr_host(i->dst);
	struct tr_rm m;

	if (!sse_operand(t, i, tr_reg(h == TR_NO_REG ? TR_T0 : h), &m))
		return false;
	sse_emit(t, i, code, i->src, &m);
	if (!m.mem && h == TR_NO_REG)
		tr_store(t, tr_slot(i->dst), TR_T0);
	return true;
}

static bool sse_shift(struct tr *t, const struct x86_insn *i)
{
	const struct tr_rm m = tr_reg(i->dst);

	if (i->opcode < 0x71 || i->opcode > 0x73)
		return false;
	tr_op_rm(t, TR_P66 | TR_0F | i->opcode, (i->modrm >> 3) & 7, &m, 1);
	tr_byte(t, (uint8_t)i->imm);
	return true;
}

bool tr_sse_insn(struct tr *t, const struct x86_insn *i)
{
	uint32_t code, wide = i->osize == 3 ? TR_W : 0; /* of the general register */

	if (!tr_is_sse(t, i))
		return false;
	code = sse_code(i);
	switch (sse_kind(i)) {
	case SSE_VEC: return sse_vec(t, i, code);
	case SSE_FROM_GPR: return sse_from_gpr(t, i, code | wide);
	case SSE_TO_GPR: return sse_to_gpr(t, i, code | wide);
	case SSE_STORE_GPR: return sse_store_gpr(t, i, code | wide);
	case SSE_SHIFT: return sse_shift(t, i);
	case SSE_NONE: break;
	}
	return false;
}
