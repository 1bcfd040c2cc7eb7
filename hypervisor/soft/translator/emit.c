/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emit.c - the encoder: bytes of host instructions. Owns nothing; writes where struct tr points.
 * Source: Intel SDM Vol 2A ch. 2 "Instruction Format", 2.1.5 "Addressing-Mode Encoding of ModR/M
 * and SIB Bytes", 2.2.1 "REX Prefixes", 2.3.5 "The VEX Prefix".
 */
#include "soft/translator/tr.h"

void tr_byte(struct tr *t, unsigned int b)
{
	*t->p++ = (uint8_t)b;
}

void tr_word32(struct tr *t, uint32_t v)
{
	memcpy(t->p, &v, 4);
	t->p += 4;
}

void tr_word64(struct tr *t, uint64_t v)
{
	memcpy(t->p, &v, 8);
	t->p += 8;
}

void tr_imm(struct tr *t, unsigned int osize, int64_t v)
{
	unsigned int bytes = osize == 0 ? 1 : osize == 1 ? 2 : 4;

	memcpy(t->p, &v, bytes);
	t->p += bytes;
}

uint32_t tr_sized(uint32_t op, unsigned int osize)
{
	switch (osize) {
	case 0: return op | TR_BYTES8;
	case 1: return (op | TR_P66) + 1;
	case 2: return op + 1;
	}
	return (op | TR_W) + 1;
}

static unsigned int tr_rex(uint32_t op, unsigned int reg, const struct tr_rm *rm)
{
	unsigned int rex = op & TR_W ? 0x48 : 0x40;
	bool need = false;

	rex |= (reg & 8) >> 1;
	if (rm->mem) {
		if (rm->m.base < 16)
			rex |= rm->m.base >> 3;
		if (rm->m.index < 16)
			rex |= (rm->m.index & 8u) >> 2;
	} else {
		rex |= rm->reg >> 3;
		need = (op & TR_RM8) && rm->reg >= 4;
	}
	if ((op & TR_REG8) && reg >= 4)
		need = true;
	return rex != 0x40 || need ? rex : 0;
}

static void tr_opcode(struct tr *t, uint32_t op, unsigned int rex)
{
	if (op & TR_LOCK)
		tr_byte(t, 0xf0);
	if (op & TR_P66)
		tr_byte(t, 0x66);
	if (op & TR_F3)
		tr_byte(t, 0xf3);
	if (op & TR_F2)
		tr_byte(t, 0xf2);
	if (rex)
		tr_byte(t, rex);
	if (op & TR_MAP)
		tr_byte(t, 0x0f);
	if ((op & TR_MAP) == TR_38)
		tr_byte(t, 0x38);
	if ((op & TR_MAP) == TR_3A)
		tr_byte(t, 0x3a);
	tr_byte(t, op & 0xff);
}

static void tr_modrm_mem(struct tr *t, unsigned int reg, const struct tr_mem *m,
			 unsigned int imm_bytes)
{
	unsigned int field = (reg & 7) << 3, mod;

	if (m->base == TR_RIP) {
		int64_t here = t->p + 5 + imm_bytes - t->g->code.rw;

		tr_byte(t, field | 5);
		tr_word32(t, (uint32_t)(m->disp - here));
		return;
	}
	if (m->base == TR_NO_REG) {
		tr_byte(t, field | 4);
		tr_byte(t, (unsigned int)m->scale << 6 |
				   (m->index < 16 ? (m->index & 7u) << 3 : 4u << 3) | 5);
		tr_word32(t, (uint32_t)m->disp);
		return;
	}
	mod = m->disp == 0 && (m->base & 7) != 5 ? 0 : m->disp >= -128 && m->disp <= 127 ? 1 : 2;
	if (m->index < 16 || (m->base & 7) == 4) {
		tr_byte(t, mod << 6 | field | 4);
		tr_byte(t, (unsigned int)m->scale << 6 |
				   (m->index < 16 ? (m->index & 7u) << 3 : 4u << 3) |
				   (m->base & 7u));
	} else {
		tr_byte(t, mod << 6 | field | (m->base & 7u));
	}
	if (mod == 1)
		tr_byte(t, (uint8_t)m->disp);
	else if (mod == 2)
		tr_word32(t, (uint32_t)m->disp);
}

void tr_op_rm(struct tr *t, uint32_t op, unsigned int reg, const struct tr_rm *rm,
	      unsigned int imm_bytes)
{
	tr_opcode(t, op, tr_rex(op, reg, rm));
	if (rm->mem)
		tr_modrm_mem(t, reg, &rm->m, imm_bytes);
	else
		tr_byte(t, 0xc0 | (reg & 7) << 3 | (rm->reg & 7u));
}

void tr_op_vex(struct tr *t, const struct tr_vex *v, unsigned int reg, const struct tr_rm *rm,
	       unsigned int imm_bytes)
{
	unsigned int x = rm && rm->mem && rm->m.index < 16 ? rm->m.index & 8u : 0;
	unsigned int b = !rm ? 0 : !rm->mem ? rm->reg & 8u : rm->m.base < 16 ? rm->m.base & 8u : 0;

	tr_byte(t, 0xc4);
	tr_byte(t, (reg & 8 ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | v->map);
	tr_byte(t, (v->w ? 0x80u : 0) | (~v->vvvv & 15u) << 3 | (v->l ? 4u : 0) | v->pp);
	tr_byte(t, v->opcode);
	if (!rm)
		return;
	if (rm->mem)
		tr_modrm_mem(t, reg, &rm->m, imm_bytes);
	else
		tr_byte(t, 0xc0 | (reg & 7) << 3 | (rm->reg & 7u));
}

void tr_op_rr(struct tr *t, uint32_t op, unsigned int reg, unsigned int rm)
{
	const struct tr_rm o = tr_reg(rm);

	tr_op_rm(t, op, reg, &o, 0);
}

void tr_op_mem(struct tr *t, uint32_t op, unsigned int reg, struct tr_mem m)
{
	const struct tr_rm o = { .mem = true, .m = m };

	tr_op_rm(t, op, reg, &o, 0);
}

/* -- jumps --------------------------------------------------------------------------------- */

void tr_patch(uint8_t *end, const uint8_t *to)
{
	int32_t rel = (int32_t)(to - end);

	memcpy(end - 4, &rel, 4);
}

uint8_t *tr_jump(struct tr *t, unsigned int cc, const uint8_t *to)
{
	if (cc == TR_ALWAYS) {
		tr_byte(t, 0xe9);
	} else {
		tr_byte(t, 0x0f);
		tr_byte(t, 0x80 | cc);
	}
	tr_word32(t, 0);
	if (to)
		tr_patch(t->p, to);
	return t->p;
}

void tr_call(struct tr *t, const uint8_t *to)
{
	tr_byte(t, 0xe8);
	tr_word32(t, 0);
	tr_patch(t->p, to);
}

/* -- frequent instructions ----------------------------------------------------------------- */

void tr_load(struct tr *t, unsigned int reg, struct tr_mem m)
{
	tr_op_mem(t, TR_W | 0x8b, reg, m);
}

void tr_store(struct tr *t, struct tr_mem m, unsigned int reg)
{
	tr_op_mem(t, TR_W | 0x89, reg, m);
}

void tr_lea(struct tr *t, unsigned int reg, struct tr_mem m)
{
	tr_op_mem(t, TR_W | 0x8d, reg, m);
}

void tr_mov(struct tr *t, unsigned int dst, unsigned int src)
{
	if (dst != src)
		tr_op_rr(t, TR_W | 0x89, src, dst);
}

void tr_rorx8(struct tr *t, unsigned int dst, unsigned int src)
{
	const struct tr_vex rorx = { .map = 3, .pp = 3, .opcode = 0xf0, .w = true };
	const struct tr_rm m = tr_reg(src);

	tr_op_vex(t, &rorx, dst, &m, 1);
	tr_byte(t, 8);
}

/* Changes no flags. */
void tr_mov_imm(struct tr *t, unsigned int reg, uint64_t v)
{
	if (v == (uint32_t)v) {
		if (reg & 8)
			tr_byte(t, 0x41);
		tr_byte(t, 0xb8 | (reg & 7));
		tr_word32(t, (uint32_t)v);
	} else if ((int64_t)v == (int32_t)v) {
		tr_op_rr(t, TR_W | 0xc7, 0, reg);
		tr_word32(t, (uint32_t)v);
	} else {
		tr_byte(t, 0x48 | reg >> 3);
		tr_byte(t, 0xb8 | (reg & 7));
		tr_word64(t, v);
	}
}

void tr_store_imm32(struct tr *t, struct tr_mem m, uint32_t v)
{
	const struct tr_rm o = { .mem = true, .m = m };

	tr_op_rm(t, 0xc7, 0, &o, 4);
	tr_word32(t, v);
}
