/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emulate_mmio.c - MOV and its kin, exchanges, and logic on device memory: what drivers use for
 * registers of the local APIC, the I/O APIC, the HPET and PCI devices.
 * Owns nothing. Locking: the vcpu's thread. Saved: nothing; an instruction that waits for ioemu
 * runs again from its start, and what it had already done is answered from the vcpu's replay list.
 * Source: Intel SDM Vol 2 of each instruction.
 */
#include "x86/emulate_mmio.h"

#include "x86/cpu.h"

enum emulate_kind {
	EMULATE_MOVE,	  /* register = memory, or memory = register or immediate */
	EMULATE_EXCHANGE, /* both */
	EMULATE_LOGIC,	  /* memory op= register or immediate, or register op= memory; flags */
};

struct emulate_op {
	uint16_t op;
	uint8_t kind;
	bool is_signed;
	bool writes; /* LOGIC: the result is stored */
};

static const struct emulate_op emulate_ops[] = {
	{ X86_OP_MOV, EMULATE_MOVE, false, true },
	{ X86_OP_MOVZX8, EMULATE_MOVE, false, false },
	{ X86_OP_MOVZX16, EMULATE_MOVE, false, false },
	{ X86_OP_MOVSX8, EMULATE_MOVE, true, false },
	{ X86_OP_MOVSX16, EMULATE_MOVE, true, false },
	{ X86_OP_MOVSXD, EMULATE_MOVE, true, false },
	{ X86_OP_XCHG, EMULATE_EXCHANGE, false, true },
	{ X86_OP_AND, EMULATE_LOGIC, false, true },
	{ X86_OP_OR, EMULATE_LOGIC, false, true },
	{ X86_OP_XOR, EMULATE_LOGIC, false, true },
	{ X86_OP_TEST, EMULATE_LOGIC, false, false },
};

static const struct emulate_op *emulate_find(unsigned int op)
{
	for (size_t n = 0; n < HVM_ARRAY_SIZE(emulate_ops); n++) {
		if (emulate_ops[n].op == op)
			return &emulate_ops[n];
	}
	return NULL;
}

/* -- operands ------------------------------------------------------------------------------ */

static uint64_t emulate_mask(unsigned int bytes)
{
	return bytes >= 8 ? ~0ull : HVM_BIT(bytes * 8) - 1;
}

static uint64_t emulate_get(const struct emulate_regs *r, unsigned int reg, unsigned int bytes)
{
	uint64_t value = r->gpr[reg & 15];

	if (bytes == 1 && (reg & X86_REG_HIGH))
		value >>= 8;
	return value & emulate_mask(bytes);
}

/* Bytes and words leave the rest of the register alone, 32 bits clear its upper half. */
static void emulate_put(struct emulate_regs *r, unsigned int reg, unsigned int bytes,
			uint64_t value)
{
	unsigned int shift = bytes == 1 && (reg & X86_REG_HIGH) ? 8 : 0;
	uint64_t mask = emulate_mask(bytes) << shift;

	if (bytes >= 4)
		r->gpr[reg & 15] = value & mask;
	else
		r->gpr[reg & 15] = (r->gpr[reg & 15] & ~mask) | ((value << shift) & mask);
}

static uint64_t emulate_sign_extend(uint64_t value, unsigned int bytes)
{
	uint64_t sign = HVM_BIT(bytes * 8 - 1);

	return (value ^ sign) - sign;
}

static gva_t emulate_linear(const struct emulate_regs *r, const struct x86_insn *i)
{
	uint64_t ea = (uint64_t)i->disp;

	if (i->base == X86_REG_IP)
		ea += r->rip + i->len;
	else if (i->base < 16)
		ea += r->gpr[i->base];
	if (i->index < 16)
		ea += r->gpr[i->index] << i->scale;
	if (i->asize < 3)
		ea &= emulate_mask(1u << i->asize);
	ea += i->seg < HVM_ARRAY_SIZE(r->seg_base) ? r->seg_base[i->seg] : 0;
	return r->code_size == X86_CODE64 ? ea : (uint32_t)ea;
}

/* -- memory -------------------------------------------------------------------------------- */

static int emulate_read(struct vcpu *v, gpa_t gpa, unsigned int bytes, uint64_t *ret)
{
	const struct p2m *p = &v->domain->p2m;
	uint64_t value = 0;

	if (!p2m_lookup(p, gpa))
		return hvm_mmio_read(v, gpa, bytes, ret);
	if (p2m_copy_from(p, gpa, &value, bytes))
		return -HVM_EOPNOTSUPP;
	*ret = value;
	return 0;
}

/* What is written to ROM is lost; RAM does not come here but for a change of the map just now. */
static int emulate_write(struct vcpu *v, gpa_t gpa, unsigned int bytes, uint64_t value)
{
	const struct p2m_range *m = p2m_lookup(&v->domain->p2m, gpa);

	if (!m)
		return hvm_mmio_write(v, gpa, bytes, value & emulate_mask(bytes));
	return m->type == HVM_MEM_ROM ? 0 : -HVM_EOPNOTSUPP;
}

/* -- instructions -------------------------------------------------------------------------- */

static uint64_t emulate_logic(unsigned int op, uint64_t a, uint64_t b)
{
	switch (op) {
	case X86_OP_OR: return a | b;
	case X86_OP_XOR: return a ^ b;
	}
	return a & b;
}

static void emulate_logic_flags(struct emulate_regs *r, uint64_t result, unsigned int bytes)
{
	result &= emulate_mask(bytes);
	r->rflags &= ~(uint64_t)X86_EFL_ARITH;
	if (!result)
		r->rflags |= X86_EFL_ZF;
	if (result >> (bytes * 8 - 1) & 1)
		r->rflags |= X86_EFL_SF;
	if (!__builtin_parity((uint8_t)result))
		r->rflags |= X86_EFL_PF;
}

static int emulate_move(struct vcpu *v, struct emulate_regs *r, const struct x86_insn *i, gpa_t gpa,
			bool is_signed)
{
	unsigned int bytes = i->msize;
	uint64_t value = 0;
	int rc;

	if (i->form == X86_FORM_MR)
		return emulate_write(v, gpa, bytes, emulate_get(r, i->src, bytes));
	if (i->form == X86_FORM_MI)
		return emulate_write(v, gpa, bytes, (uint64_t)i->imm);
	if (i->form != X86_FORM_RM)
		return -HVM_EOPNOTSUPP;
	rc = emulate_read(v, gpa, bytes, &value);
	if (rc)
		return rc;
	if (is_signed)
		value = emulate_sign_extend(value, bytes);
	emulate_put(r, i->dst, 1u << i->osize, value);
	return 0;
}

static int emulate_exchange(struct vcpu *v, struct emulate_regs *r, const struct x86_insn *i,
			    gpa_t gpa)
{
	unsigned int bytes = i->msize;
	uint64_t value = 0;
	int rc;

	if (i->form != X86_FORM_MR)
		return -HVM_EOPNOTSUPP;
	rc = emulate_read(v, gpa, bytes, &value);
	if (!rc)
		rc = emulate_write(v, gpa, bytes, emulate_get(r, i->src, bytes));
	if (!rc)
		emulate_put(r, i->src, bytes, value);
	return rc;
}

static int emulate_logic_op(struct vcpu *v, struct emulate_regs *r, const struct x86_insn *i,
			    gpa_t gpa, bool writes)
{
	unsigned int bytes = i->msize;
	uint64_t memory = 0, other, result;
	int rc;

	if (i->form == X86_FORM_RM)
		other = emulate_get(r, i->dst, bytes);
	else if (i->form == X86_FORM_MR)
		other = emulate_get(r, i->src, bytes);
	else if (i->form == X86_FORM_MI)
		other = (uint64_t)i->imm;
	else
		return -HVM_EOPNOTSUPP;
	rc = emulate_read(v, gpa, bytes, &memory);
	if (rc)
		return rc;
	result = emulate_logic(i->op, memory, other);
	if (writes && i->form != X86_FORM_RM)
		rc = emulate_write(v, gpa, bytes, result);
	if (rc)
		return rc;
	if (writes && i->form == X86_FORM_RM)
		emulate_put(r, i->dst, bytes, result);
	emulate_logic_flags(r, result, bytes);
	return 0;
}

int emulate_mmio(struct vcpu *v, struct emulate_regs *r, const struct x86_insn *i, gpa_t gpa)
{
	const struct emulate_op *op = emulate_find(i->op);
	unsigned int bytes = i->msize;

	if (!op || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8))
		return -HVM_EOPNOTSUPP;
	/* All of it on one page, and this operand, not another of the same instruction. */
	if ((gpa & ~HVM_PAGE_MASK) + bytes > HVM_PAGE_SIZE ||
	    ((gpa ^ emulate_linear(r, i)) & ~HVM_PAGE_MASK))
		return -HVM_EOPNOTSUPP;
	switch ((enum emulate_kind)op->kind) {
	case EMULATE_MOVE: return emulate_move(v, r, i, gpa, op->is_signed);
	case EMULATE_EXCHANGE: return emulate_exchange(v, r, i, gpa);
	case EMULATE_LOGIC: return emulate_logic_op(v, r, i, gpa, op->writes);
	}
	return -HVM_EOPNOTSUPP;
}
