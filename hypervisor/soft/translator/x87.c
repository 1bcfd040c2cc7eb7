/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87.c - templates of x87 instructions: the guest's own bytes, with a host address for a memory
 * operand. That holds while all exceptions are masked; blocks of a guest that unmasks one are
 * interpreted. x87_state.c has how the state comes into the host's unit.
 *
 * What the processor keeps of the last instruction, and of the last one with a memory operand, is
 * put into struct x86_cpu before anything can see it: in front of whatever may leave the block, and
 * in cold stubs. Until then struct tr_x87 has it, and in a row of x87 instructions only the last
 * one's is ever stored.
 *
 * Handlers execute what loads or stores whole environments, initialises, clears exceptions, and
 * FFREE, which does to C1 what processors please. Owns nothing.
 * Source: Intel SDM Vol 1 8.1.8 "x87 FPU Instruction and Data (Operand) Pointers", 8.1.9 "Last
 * Instruction Opcode"; Vol 2 App. B.17 "Floating-Point Instruction Formats and Encodings".
 */
#include "soft/translator/int.h"
#include "x86/exec_fp.h"

/* -- which ones ---------------------------------------------------------------------------- */

enum x87_kind {
	X87_HANDLER_ONLY,
	X87_PLAIN,   /* its own bytes */
	X87_STORE,   /* the same, with an operand that is written */
	X87_COMPARE, /* into EFLAGS */
	X87_CMOV,
	X87_TURN,
	X87_LOAD_FCW,
	X87_STORE_FCW,
	X87_STATUS, /* no pointers are kept of it */
};

/* How many handlers take as long as it takes to put the state away for one and bring it back. */
#define X87_PAYS 4u

#define X87_FIRST TR_X87_FIRST
#define X87_LAST  TR_X87_LAST

/* clang-format off */
static const uint8_t x87_kinds[X87_LAST - X87_FIRST + 1] = {
#define K(op, kind) [X86_OP_##op - X87_FIRST] = X87_##kind
#define P(op) K(op, PLAIN)
	P(FADD), P(FMUL), P(FCOM), P(FCOMP), P(FSUB), P(FSUBR), P(FDIV), P(FDIVR),
	P(FADDP), P(FMULP), P(FCOMPP), P(FSUBP), P(FSUBRP), P(FDIVP), P(FDIVRP),
	P(FIADD), P(FIMUL), P(FICOM), P(FICOMP), P(FISUB), P(FISUBR), P(FIDIV), P(FIDIVR),
	P(FLD), K(FST, STORE), K(FSTP, STORE), P(FILD), K(FIST, STORE), K(FISTP, STORE),
	K(FISTTP, STORE), P(FBLD), K(FBSTP, STORE), P(FXCH), P(FFREEP), P(FUCOM), P(FUCOMP),
	P(FUCOMPP), K(FCOMI, COMPARE), K(FUCOMI, COMPARE), K(FCOMIP, COMPARE),
	K(FUCOMIP, COMPARE), K(FCMOVCC, CMOV),
	P(FCHS), P(FABS), P(FTST), P(FXAM), P(FLD1), P(FLDL2T), P(FLDL2E), P(FLDPI), P(FLDLG2),
	P(FLDLN2), P(FLDZ), P(F2XM1), P(FYL2X), P(FPTAN), P(FPATAN), P(FXTRACT), P(FPREM1),
	K(FDECSTP, TURN), K(FINCSTP, TURN), P(FPREM), P(FYL2XP1), P(FSQRT), P(FSINCOS),
	P(FRNDINT), P(FSCALE), P(FSIN), P(FCOS),
	K(FLDCW, LOAD_FCW), K(FNSTCW, STORE_FCW), K(FNSTSW, STATUS), K(FNSTSW_AX, STATUS),
#undef P
#undef K
};
/* clang-format on */

/* These only ask whether an exception waits. None does while FCW masks all of them. */
static bool x87_only_waits(const struct x86_insn *i)
{
	return i->op == X86_OP_FWAIT || i->op == X86_OP_FNOP || i->op == X86_OP_FNOP_LEGACY;
}

static enum x87_kind x87_kind(const struct tr *t, const struct x86_insn *i)
{
	enum x87_kind k = tr_x87_is(i) ? x87_kinds[i->op - X87_FIRST] : X87_HANDLER_ONLY;

	if ((t->b->key & X86_MODE_NO_FPU) || t->no_x87 || i->exec == x86_exec_ud)
		return X87_HANDLER_ONLY;
	if (i->form == X86_FORM_M && (i->asize != 3 || i->disp != (int32_t)i->disp || !i->msize))
		return X87_HANDLER_ONLY;
	if (k == X87_TURN && !t->g->x87_can_turn)
		return X87_HANDLER_ONLY;
	if (k == X87_COMPARE &&
	    (!t->g->x87_can_compare || (t->g->x87_keeps_c1 && !t->g->x87_can_turn)))
		return X87_HANDLER_ONLY;
	if (k == X87_CMOV && !t->g->x87_can_cmov)
		return X87_HANDLER_ONLY;
	return k;
}

bool tr_is_x87(const struct tr *t, const struct x86_insn *i)
{
	return x87_kind(t, i) != X87_HANDLER_ONLY;
}

bool tr_x87_writes(const struct x86_insn *i)
{
	switch (x87_kinds[i->op - X87_FIRST]) {
	case X87_STORE:
	case X87_STORE_FCW:
	case X87_STATUS: return true;
	}
	return false;
}

/* MMX registers are those of the x87. */
static bool x87_is_mmx(const struct x86_insn *i)
{
	switch (i->op) {
	case X86_OP_MOVD:
	case X86_OP_MOVQ:
	case X86_OP_PINSRW:
	case X86_OP_PEXTRW:
	case X86_OP_PMOVMSKB: return !(i->flags & X86_F_66);
	case X86_OP_MOVQ2DQ:
	case X86_OP_MOVDQ2Q:
	case X86_OP_CVTPI2PS:
	case X86_OP_CVTPI2PD:
	case X86_OP_CVTTPS2PI:
	case X86_OP_CVTTPD2PI:
	case X86_OP_CVTPS2PI:
	case X86_OP_CVTPD2PI:
	case X86_OP_MOVNTQ:
	case X86_OP_MASKMOVQ: return true;
	/* These have the size of a general register. */
	case X86_OP_CVTSI2SS:
	case X86_OP_CVTSI2SD:
	case X86_OP_CVTSS2SI:
	case X86_OP_CVTSD2SI:
	case X86_OP_CVTTSS2SI:
	case X86_OP_CVTTSD2SI:
	case X86_OP_MOVNTI:
	case X86_OP_PEXTRD:
	case X86_OP_PINSRD: return false;
	}
	return i->op >= X86_OP_MOVD && i->op != X86_OP_VEX && i->osize == 3;
}

bool tr_x87_uses(const struct x86_insn *i)
{
	if (i->op >= X86_OP_FXSAVE && i->op <= X86_OP_EMMS)
		return i->op != X86_OP_LDMXCSR && i->op != X86_OP_STMXCSR;
	return tr_x87_is(i) ? !x87_only_waits(i) : x87_is_mmx(i);
}

bool tr_x87_flag_use(const struct x86_insn *i, struct tr_flag_use *ret)
{
	if (!tr_x87_is(i) || i->op == X86_OP_FCMOVCC)
		return false;
	*ret = (struct tr_flag_use){ 0 };
	if (x87_kinds[i->op - X87_FIRST] == X87_COMPARE) {
		ret->writes = TR_ALL;
		ret->changes = true;
	}
	return true;
}

/* -- pointers ------------------------------------------------------------------------------ */

/* The operand's offset in its segment; neither flags nor T2 change. */
static void x87_store_fdp(struct tr *t, const struct x86_insn *i)
{
	unsigned int base = i->base < 16 ? tr_host(i->base) : TR_NO_REG;
	unsigned int index = i->index < 16 ? tr_host(i->index) : TR_NO_REG;
	int32_t disp = (int32_t)i->disp;

	if (i->base == X86_REG_IP) {
		tr_load(t, TR_T0, TR_FIELD(tr.page_ip));
		base = TR_T0;
		tr_lea(t, TR_T0, tr_based(TR_T0, (int32_t)t->page_off));
	} else if (i->base < 16 && base == TR_NO_REG) {
		tr_load(t, TR_T0, tr_slot(i->base));
		base = TR_T0;
	}
	if (i->index < 16 && index == TR_NO_REG) {
		tr_load(t, TR_T1, tr_slot(i->index));
		index = TR_T1;
	}
	if (base == TR_NO_REG && index == TR_NO_REG)
		tr_mov_imm(t, TR_T0, (uint64_t)(int64_t)disp);
	else
		tr_lea(t, TR_T0, (struct tr_mem){ (uint8_t)base, (uint8_t)index, i->scale, disp });
	tr_store(t, TR_FIELD(cpu.fpu.fdp), TR_T0);
}

static void x87_store_sel(struct tr *t, unsigned int seg, struct tr_mem to)
{
	tr_op_mem(t, TR_0F | 0xb7, TR_T0, /* movzx */
		  tr_state(offsetof(struct soft_vcpu, cpu.seg) + seg * sizeof(struct hvm_seg) +
			   offsetof(struct hvm_seg, sel)));
	tr_op_mem(t, TR_P66 | 0x89, TR_T0, to);
}

void tr_x87_emit_notes(struct tr *t, const struct tr_x87 *x)
{
	const struct x86_insn *i = x->last;

	if (!i)
		return;
	if (x->fdp)
		x87_store_fdp(t, x->mem);
	if (x->mem)
		x87_store_sel(t, x->mem->seg, TR_FIELD(cpu.fpu.fds));
	x87_store_sel(t, HVM_SEG_CS, TR_FIELD(cpu.fpu.fcs));
	tr_load(t, TR_T0, TR_FIELD(tr.page_ip));
	tr_lea(t, TR_T0, tr_based(TR_T0, (int32_t)(t->page_off + i->end - i->len)));
	tr_store(t, TR_FIELD(cpu.fpu.fip), TR_T0);
	tr_mov_imm(t, TR_T0, (i->opcode & 7u) << 8 | i->modrm);
	tr_op_mem(t, TR_P66 | 0x89, TR_T0, TR_FIELD(cpu.fpu.fop));
}

void tr_x87_flush(struct tr *t)
{
	tr_x87_emit_notes(t, &t->x87);
	t->x87 = (struct tr_x87){ .live = t->x87.live };
}

static void x87_note(struct tr *t, const struct x86_insn *i)
{
	t->x87.last = i;
	if (i->form != X86_FORM_M)
		return;
	t->x87.mem = i;
	t->x87.fdp = true;
}

static void x87_reload(struct tr *t)
{
	tr_call(t, t->g->code.rw + t->g->reload_x87);
	t->x87.live = true;
}

void tr_x87_before(struct tr *t, const struct x86_insn *i)
{
	if (!t->x87.last) {
		/* Nothing is there. */
	} else if (tr_is_x87(t, i) ? i->op == X86_OP_FNSTSW_AX
				   : tr_has_int_template(i) || tr_is_sse(t, i) || tr_is_vex(t, i)) {
		/* It cannot leave the block but by its cold stub, yet change a base register. */
		if (t->x87.fdp)
			x87_store_fdp(t, t->x87.mem);
		t->x87.fdp = false;
	} else if (!tr_is_x87(t, i) && !x87_only_waits(i)) {
		tr_x87_flush(t);
	}
	/* Here, since a group's clone begins behind it. */
	if (tr_is_x87(t, i) && !t->x87.live) {
		tr_clobber(t);
		x87_reload(t);
	}
	t->x87_before = t->x87;
	if (t->in_group && t->group[t->group_count - 1].first == t->n)
		t->group[t->group_count - 1].x87 = t->x87;
}

/* -- state --------------------------------------------------------------------------------- */

void tr_x87_begin(struct tr *t)
{
	const struct tr_rm m = { .mem = true, .m = TR_FIELD(tr.x87_live) };
	unsigned int native = 0, users = 0;
	uint8_t *end;

	for (unsigned int n = 0; n < t->count; n++) {
		native += tr_is_x87(t, tr_insn(t, n));
		users += !tr_is_x87(t, tr_insn(t, n)) && tr_x87_uses(tr_insn(t, n));
	}
	t->no_x87 = native <= users * X87_PAYS;
	if (t->no_x87)
		return;
	t->x87.live = true;
	tr_op_rm(t, 0x83, 7, &m, 1);
	tr_byte(t, 0);
	end = tr_jump(t, 4, NULL);
	tr_swap(t);
	tr_patch(end, t->p);
	tr_mov_imm(t, TR_T1, t->page_off);
	tr_call(t, t->g->code.rw + t->g->load_x87);
	tr_jump(t, TR_ALWAYS, t->other);
	tr_swap(t);
}

void tr_x87_cold_end(struct tr *t, const struct x86_insn *i, bool live)
{
	if (live && !t->x87.live && !tr_leaves_behind(i))
		x87_reload(t);
	t->x87.live = live;
}

/* -- templates ----------------------------------------------------------------------------- */

static void x87_bytes(struct tr *t, const struct x86_insn *i)
{
	tr_byte(t, i->opcode);
	tr_byte(t, i->modrm);
}

static bool x87_mem(struct tr *t, const struct x86_insn *i, bool write)
{
	struct tr_mem m;

	if (!tr_address(t, i, i->msize, write, 0, &m))
		return false;
	tr_op_mem(t, i->opcode, (i->modrm >> 3) & 7, m);
	return true;
}

static bool x87_any(struct tr *t, const struct x86_insn *i, bool write)
{
	if (i->form == X86_FORM_M)
		return x87_mem(t, i, write);
	x87_bytes(t, i);
	return true;
}

static void x87_compare(struct tr *t, const struct x86_insn *i)
{
	x87_bytes(t, i);
	if (t->g->x87_keeps_c1)
		tr_word32(t, 0xf7d9f6d9); /* fdecstp; fincstp */
	tr_flags_done(t);
}

/* One that unmasks an exception goes to the cold stub, whence it leaves the block. */
static bool x87_load_fcw(struct tr *t, const struct x86_insn *i)
{
	const struct tr_rm t0 = tr_reg(TR_T0), t1 = tr_reg(TR_T1);
	struct tr_mem m;

	if (!tr_address(t, i, 2, false, 0, &m))
		return false;
	tr_clobber(t);
	tr_op_mem(t, TR_0F | 0xb7, TR_T0, m); /* movzx */
	tr_mov(t, TR_T1, TR_T0);
	tr_op_rm(t, 0xf7, 2, &t1, 0);	       /* not */
	tr_op_rm(t, TR_RM8 | 0xf6, 0, &t1, 1); /* test */
	tr_byte(t, X86_FSW_EXC);
	tr_to_cold(t, 5);
	tr_op_rm(t, 0x81, 4, &t0, 4); /* and */
	tr_word32(t, X86_FCW_WRITABLE);
	tr_op_rm(t, 0x83, 1, &t0, 1); /* or */
	tr_byte(t, X86_FCW_FIXED);
	tr_op_mem(t, TR_P66 | 0x89, TR_T0, TR_FIELD(cpu.fpu.fcw));
	tr_op_mem(t, 0xd9, 5, TR_FIELD(cpu.fpu.fcw));
	return true;
}

static bool x87_store_fcw(struct tr *t, const struct x86_insn *i)
{
	struct tr_mem m;

	if (!tr_address(t, i, 2, true, 0, &m))
		return false;
	tr_op_mem(t, TR_0F | 0xb7, TR_T0, TR_FIELD(cpu.fpu.fcw));
	tr_op_mem(t, TR_P66 | 0x89, TR_T0, m);
	return true;
}

bool tr_x87_insn(struct tr *t, const struct x86_insn *i)
{
	enum x87_kind k = x87_kind(t, i);

	if (k == X87_HANDLER_ONLY)
		return x87_only_waits(i) && t->x87.live;
	switch (k) {
	case X87_PLAIN:
	case X87_STORE:
		if (!x87_any(t, i, k == X87_STORE))
			return false;
		x87_note(t, i);
		return true;
	case X87_COMPARE:
		x87_compare(t, i);
		x87_note(t, i);
		return true;
	case X87_CMOV:
		tr_need_flags(t);
		x87_bytes(t, i);
		x87_note(t, i);
		return true;
	case X87_TURN: x87_bytes(t, i); return true;
	case X87_LOAD_FCW: return x87_load_fcw(t, i);
	case X87_STORE_FCW: return x87_store_fcw(t, i);
	case X87_STATUS: return x87_any(t, i, true);
	case X87_HANDLER_ONLY: break;
	}
	return false;
}
