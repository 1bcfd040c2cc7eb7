/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_msr.c - RDMSR and WRMSR: the registers that are part of struct x86_cpu; all others are the
 * core's.
 * Owns nothing. Locking: the vcpu's thread. Saved: as fields of struct hvm_vcpu_state.
 * Source: Intel SDM Vol 4 ch. 2 "Model-Specific Registers", Vol 3A 2.2.1 "Extended Feature Enable
 * Register"; AMD APM Vol 2 3.1.7.
 */
#include "x86/ctlreg.h"
#include "x86/exec_desc.h"

#define MSR_EFER 0xc0000080u

enum msr_rule {
	MSR_ANY,
	MSR_LOW32,     /* the upper half is reserved */
	MSR_CANONICAL, /* an address */
};

struct msr_field {
	uint32_t index;
	uint16_t offset; /* in struct x86_cpu */
	uint8_t rule;	 /* enum msr_rule */
};

#define MSR_FIELD(msr, field, field_rule) \
	{ \
		.index = (msr), .offset = offsetof(struct x86_cpu, field), .rule = (field_rule) \
	}

static const struct msr_field msr_fields[] = {
	MSR_FIELD(0xc0000100, seg[HVM_SEG_FS].base, MSR_CANONICAL),
	MSR_FIELD(0xc0000101, seg[HVM_SEG_GS].base, MSR_CANONICAL),
	MSR_FIELD(0xc0000102, kernel_gs_base, MSR_CANONICAL),
	MSR_FIELD(0xc0000103, tsc_aux, MSR_LOW32),
	MSR_FIELD(0xc0000081, star, MSR_ANY),
	MSR_FIELD(0xc0000082, lstar, MSR_CANONICAL),
	MSR_FIELD(0xc0000083, cstar, MSR_CANONICAL),
	MSR_FIELD(0xc0000084, sfmask, MSR_LOW32),
	MSR_FIELD(0x174, sysenter_cs, MSR_LOW32),
	MSR_FIELD(0x175, sysenter_esp, MSR_CANONICAL),
	MSR_FIELD(0x176, sysenter_eip, MSR_CANONICAL),
};

static uint64_t *msr_find(struct x86_cpu *c, uint32_t index, enum msr_rule *ret_rule)
{
	for (size_t n = 0; n < HVM_ARRAY_SIZE(msr_fields); n++)
		if (msr_fields[n].index == index) {
			*ret_rule = (enum msr_rule)msr_fields[n].rule;
			return (uint64_t *)((char *)c + msr_fields[n].offset);
		}
	return NULL;
}

/* LMA is read-only and follows LME and CR0.PG; LME cannot change while paging is on. */
static int msr_write_efer(struct x86_cpu *c, uint64_t value)
{
	const struct x86_ctlregs now = { c->cr0, c->cr3, c->cr4, c->efer };
	uint64_t changed = (c->efer ^ value) & ~(uint64_t)X86_EFER_LMA;

	if (!x86_efer_write_ok(&now, value))
		return x86_raise_err(c, X86_GP, 0);
	c->efer ^= changed;
	if (changed & X86_EFER_NXE)
		c->env->tlb_flush(c->env_arg, true);
	x86_update_mode(c);
	return X86_END;
}

int x86_exec_rdmsr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t index = (uint32_t)c->gpr[X86_RCX];
	enum msr_rule rule;
	uint64_t value;
	const uint64_t *field;

	(void)i;
	if (c->cpl != 0)
		return x86_raise_err(c, X86_GP, 0);
	field = msr_find(c, index, &rule);
	if (field)
		value = *field;
	else if (index == MSR_EFER)
		value = c->efer;
	else if (c->env->rdmsr(c->env_arg, index, &value))
		return x86_raise_err(c, X86_GP, 0);
	c->gpr[X86_RAX] = (uint32_t)value;
	c->gpr[X86_RDX] = value >> 32;
	return X86_NEXT;
}

int x86_exec_wrmsr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t index = (uint32_t)c->gpr[X86_RCX];
	uint64_t value = (uint32_t)c->gpr[X86_RAX] | c->gpr[X86_RDX] << 32, *field;
	enum msr_rule rule;

	(void)i;
	if (c->cpl != 0)
		return x86_raise_err(c, X86_GP, 0);
	if (index == MSR_EFER)
		return msr_write_efer(c, value);
	field = msr_find(c, index, &rule);
	if (!field)
		/* May have made an interrupt deliverable: leave the block. */
		return c->env->wrmsr(c->env_arg, index, value) ? x86_raise_err(c, X86_GP, 0)
							       : X86_END;
	if ((rule == MSR_LOW32 && value >> 32) ||
	    (rule == MSR_CANONICAL && !x86_is_canonical(value)))
		return x86_raise_err(c, X86_GP, 0);
	*field = value;
	return X86_NEXT;
}
