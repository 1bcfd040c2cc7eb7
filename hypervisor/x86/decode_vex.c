/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode_vex.c - the part of the decoder behind a VEX prefix. Owns x86_vex_rows[], which is built
 * from vex.def at compile time and never written; no state, no locking, nothing saved.
 *
 * Rows are in the order of map, opcode and prefix, and found by bisection; those of one encoding
 * differ in what else counts as opcode: ModRM.mod, ModRM.reg, VEX.L, VEX.W. EVEX and XOP
 * instructions are invalid here, but their length is wanted.
 * Source: Intel SDM Vol 2A 2.3 "Intel Advanced Vector Extensions (Intel AVX)"; AMD APM Vol 3 ch. 1
 * "Instruction Encoding" (XOP).
 */
#include "x86/decode_state.h"
#include "x86/vex.h"

/* -- the table ----------------------------------------------------------------------------- */

#define PP_NP 0
#define PP_66 1
#define PP_F3 2
#define PP_F2 3

#define EXT_NO X86_VEX_NO_EXT
#define EXT_1  1
#define EXT_2  2
#define EXT_3  3
#define EXT_4  4
#define EXT_6  6
#define EXT_7  7

#define OPD_NO 0
#define OPD_Vr (X86_VEX_VECTOR | X86_VEX_REG)
#define OPD_Vw (OPD_Vr | X86_VEX_WRITTEN)
#define OPD_Gr (X86_VEX_GENERAL | X86_VEX_REG)
#define OPD_Gw (OPD_Gr | X86_VEX_WRITTEN)
#define OPD_W  (X86_VEX_VECTOR | X86_VEX_REG | X86_VEX_MEMORY)
#define OPD_Ww (OPD_W | X86_VEX_WRITTEN)
#define OPD_U  (X86_VEX_VECTOR | X86_VEX_REG)
#define OPD_Uw (OPD_U | X86_VEX_WRITTEN)
#define OPD_M  (X86_VEX_VECTOR | X86_VEX_MEMORY)
#define OPD_Mw (OPD_M | X86_VEX_WRITTEN)
#define OPD_E  (X86_VEX_GENERAL | X86_VEX_REG | X86_VEX_MEMORY)
#define OPD_Ew (OPD_E | X86_VEX_WRITTEN)

#define SIZE_0	 0
#define SIZE_1	 1
#define SIZE_2	 2
#define SIZE_4	 4
#define SIZE_8	 8
#define SIZE_16	 16
#define SIZE_X	 X86_VEX_S_X
#define SIZE_H	 X86_VEX_S_H
#define SIZE_Q	 X86_VEX_S_Q
#define SIZE_O	 X86_VEX_S_O
#define SIZE_Y	 X86_VEX_S_Y
#define SIZE_DUP X86_VEX_S_DUP

#define IMM_NO	0
#define IMM_IS4 X86_VEX_IMM_IS4
#define IMM_2	2
#define IMM_4	4
#define IMM_8	8
#define IMM_16	16
#define IMM_17	17
#define IMM_32	32
#define IMM_33	33
#define IMM_64	64
#define IMM_65	65
#define IMM_256 256

const struct x86_vex_row x86_vex_rows[] = {
#define VEX(name, map, op, pp, ext, l, w, reg, vvvv, rm, size, imm, kind, fp, flags) \
	{ #name,	  X86_VEX_KEY(map, 0x##op, PP_##pp), \
	  IMM_##imm,	  EXT_##ext, \
	  X86_VEX_##l,	  X86_VEX_##w, \
	  OPD_##reg,	  OPD_##vvvv, \
	  OPD_##rm,	  SIZE_##size, \
	  X86_VEX_##kind, X86_VEX_FP_##fp, \
	  flags },
#include "x86/vex.def"
#undef VEX
};
const size_t x86_vex_row_count = HVM_ARRAY_SIZE(x86_vex_rows);

/* -- length ------------------------------------------------------------------------------------ */

static bool vex_map1_has_imm(uint8_t opcode)
{
	return (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 ||
	       (opcode >= 0xc4 && opcode <= 0xc6);
}

/*
 * Outside 64-bit code a memory form is LES, LDS or BOUND. POP has 0 in the bits where XOP has 8 or
 * more.
 */
bool dec_is_vex(struct dec *d, uint8_t byte)
{
	uint8_t next = dec_peek(d);

	if (byte == 0x8f)
		return (next & 0x1f) >= 8;
	return d->code64 || next >= 0xc0;
}

static void vex_immediate(struct dec *d, unsigned int map)
{
	if (map == 3 || (map == 1 && vex_map1_has_imm(d->i->opcode)))
		d->i->imm = dec_byte(d);
}

/* EVEX (62) and XOP (8F). */
static void vex_other(struct dec *d, uint8_t byte)
{
	unsigned int map = dec_byte(d) & (byte == 0x62 ? 7 : 0x1f);

	if (byte == 0x62)
		(void)dec_byte(d);
	(void)dec_byte(d);
	d->i->opcode = dec_byte(d);
	dec_modrm(d, false);
	if (byte == 0x62)
		vex_immediate(d, map);
	else if (map == 8)
		(void)dec_byte(d);
	else if (map == 10)
		(void)dec_take(d, 4);
	d->illegal = true;
}

/* -- the row ----------------------------------------------------------------------------------- */

struct vex {
	unsigned int map, pp;
	bool l, w;
};

static size_t vex_first(unsigned int key)
{
	size_t low = 0, high = HVM_ARRAY_SIZE(x86_vex_rows);

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (x86_vex_rows[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool vex_matches(const struct dec *d, const struct vex *v, const struct x86_vex_row *r)
{
	unsigned int place = d->is_mem ? X86_VEX_MEMORY : X86_VEX_REG;

	if (r->ext != X86_VEX_NO_EXT && r->ext != ((d->i->modrm >> 3) & 7))
		return false;
	if ((r->l == X86_VEX_L0 && v->l) || (r->l == X86_VEX_L1 && !v->l))
		return false;
	if ((r->w == X86_VEX_W0 && v->w) || (r->w == X86_VEX_W1 && !v->w))
		return false;
	return !r->rm || (r->rm & place);
}

static const struct x86_vex_row *vex_lookup(const struct dec *d, const struct vex *v)
{
	unsigned int key = X86_VEX_KEY(v->map, d->i->opcode, v->pp);
	size_t n;

	if (v->map < 1 || v->map > 3)
		return NULL;
	for (n = vex_first(key); n < HVM_ARRAY_SIZE(x86_vex_rows); n++) {
		if (x86_vex_rows[n].key != key)
			break;
		if (vex_matches(d, v, &x86_vex_rows[n]))
			return &x86_vex_rows[n];
	}
	return NULL;
}

/* -- operands ---------------------------------------------------------------------------------- */

static uint8_t vex_msize(const struct x86_insn *i, unsigned int rule)
{
	bool l = i->vex & X86_VEX_PREFIX_L;

	switch (rule) {
	case X86_VEX_S_X: return l ? 32 : 16;
	case X86_VEX_S_H: return l ? 16 : 8;
	case X86_VEX_S_Q: return l ? 8 : 4;
	case X86_VEX_S_O: return l ? 4 : 2;
	case X86_VEX_S_Y: return i->vex & X86_VEX_PREFIX_W ? 8 : 4;
	case X86_VEX_S_DUP: return l ? 32 : 8;
	}
	return (uint8_t)rule;
}

static uint8_t vex_form(const struct dec *d, const struct x86_vex_row *r)
{
	bool store = d->is_mem && (r->rm & X86_VEX_WRITTEN);

	if (!r->rm)
		return X86_FORM_NONE;
	if (r->imm)
		return store ? X86_FORM_MRI : d->is_mem ? X86_FORM_RMI : X86_FORM_RRI;
	return store ? X86_FORM_MR : d->is_mem ? X86_FORM_RM : X86_FORM_RR;
}

/*
 * The index of a gather is a vector, and ModRM has to name a SIB byte. The three vectors must
 * differ. @sib: what follows ModRM.
 */
static void vex_vsib(struct dec *d, const uint8_t *sib)
{
	struct x86_insn *i = d->i;

	if (i->asize == 1 || (i->modrm & 7) != 4) {
		d->illegal = true;
		return;
	}
	i->index = X86_REG_NONE;
	i->cc = sib < d->end ? ((*sib >> 3) & 7) | (uint8_t)((d->rex & REX_X) << 2) : 0;
	i->scale = sib < d->end ? *sib >> 6 : 0;
	d->illegal |= i->cc == i->dst || i->cc == i->vreg || i->dst == i->vreg;
}

static void vex_finish(struct dec *d, const struct vex *v, const struct x86_vex_row *r,
		       const uint8_t *sib)
{
	struct x86_insn *i = d->i;
	bool w = v->w && (r->w != X86_VEX_WG || d->code64);

	/* What is not an operand must be 1111b, which is 0 here. */
	if (!r->vvvv && i->vreg) {
		d->illegal = true;
		return;
	}
	i->op = X86_OP_VEX;
	i->row = (uint16_t)(r - x86_vex_rows);
	i->vex = (uint8_t)((v->l ? X86_VEX_PREFIX_L : 0) | (w ? X86_VEX_PREFIX_W : 0));
	i->flags |= w ? X86_F_W : 0;
	i->osize = r->flags & X86_VEX_GPR ? (w ? 3 : 2) : v->l ? 5 : 4;
	i->form = vex_form(d, r);
	i->dst = (uint8_t)(((i->modrm >> 3) & 7) | (d->rex & REX_R) << 1);
	i->src = (uint8_t)((i->modrm & 7) | (d->rex & REX_B) << 3);
	if (!d->code64) {
		i->vreg &= 7;
		if (r->imm == X86_VEX_IMM_IS4)
			i->imm &= 0x7f;
	}
	if (d->is_mem)
		i->msize = vex_msize(i, r->msize);
	if (r->kind == X86_VEX_GATHER)
		vex_vsib(d, sib);
}

void dec_vex(struct dec *d, uint8_t byte)
{
	struct x86_insn *i = d->i;
	const struct x86_vex_row *r;
	struct vex v = { .map = 1 };
	const uint8_t *sib;
	uint8_t last;

	if (byte != 0xc4 && byte != 0xc5) {
		vex_other(d, byte);
		return;
	}
	d->illegal |= d->lock || i->rep != X86_REP_NONE || (i->flags & (X86_F_66 | X86_F_REX));
	last = dec_byte(d);
	d->rex = last & 0x80 ? 0 : REX_R;
	if (byte == 0xc4) {
		d->rex |= (uint8_t)((last & 0x40 ? 0 : REX_X) | (last & 0x20 ? 0 : REX_B));
		v.map = last & 0x1f;
		last = dec_byte(d);
		v.w = last >> 7;
	}
	if (!d->code64)
		d->rex = 0;
	v.l = last >> 2 & 1;
	v.pp = last & 3;
	i->vreg = (uint8_t)((~last >> 3) & 15);
	i->opcode = dec_byte(d);
	sib = d->p;
	if (v.map != 1 || i->opcode != 0x77) {
		dec_modrm(d, false);
		sib++;
		vex_immediate(d, v.map);
	}
	r = vex_lookup(d, &v);
	if (r)
		vex_finish(d, &v, r, sib);
	else
		d->illegal = true;
}

const char *x86_insn_name(const struct x86_insn *i)
{
	return i->op == X86_OP_VEX ? x86_vex_row(i)->name : x86_op_name(i->op);
}
