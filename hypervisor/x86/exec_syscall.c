/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_syscall.c - SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS: ring changes without descriptors.
 * SYSCALL and SYSRET work in compatibility and legacy mode too, as AMD's processors have them.
 * Owns nothing. Locking: the vcpu's thread. Saved: nothing.
 * Source: Intel SDM Vol 2B "SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT", "SWAPGS"; AMD APM Vol 2 6.1
 * "Fast System Call and Return".
 */
#include "x86/exec_desc.h"

/* Flat code and stack segments of ring @cpl, whatever the descriptor tables say. */
static void syscall_set_segs(struct x86_cpu *c, uint16_t cs, uint32_t cs_ar, uint16_t ss,
			     unsigned int cpl)
{
	uint32_t dpl = cpl << HVM_AR_DPL_SHIFT;

	c->seg[HVM_SEG_CS] = (struct hvm_seg){ .limit = 0xffffffff,
					       .ar = cs_ar | dpl,
					       .sel = (uint16_t)((cs & 0xfffcu) | cpl) };
	c->seg[HVM_SEG_SS] = (struct hvm_seg){ .limit = 0xffffffff,
					       .ar = X86_AR_DATA32 | dpl,
					       .sel = (uint16_t)((ss & 0xfffcu) | cpl) };
	x86_update_mode(c);
}

int x86_exec_syscall(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t sel = (uint16_t)(c->star >> 32);
	uint64_t next = x86_next_ip(c, i), target;

	if (!(c->efer & X86_EFER_SCE) || !x86_uses_descriptors(c))
		return x86_raise(c, X86_UD);
	c->gpr[X86_RCX] = next;
	if (hvm_likely(x86_is_long(c))) {
		uint64_t rflags = x86_get_rflags(c) & ~(uint64_t)X86_EFL_RF;

		target = x86_is_code64(c) ? c->lstar : c->cstar;
		c->gpr[11] = rflags;
		x86_put_rflags(c, rflags & ~c->sfmask);
		syscall_set_segs(c, sel, X86_AR_CODE64, (uint16_t)(sel + 8), 0);
	} else {
		target = (uint32_t)c->star;
		c->rflags_rest &= ~(uint64_t)(X86_EFL_IF | X86_EFL_RF | X86_EFL_VM);
		syscall_set_segs(c, sel, X86_AR_CODE32, (uint16_t)(sel + 8), 0);
	}
	return x86_branch_to(c, target);
}

int x86_exec_sysret(struct x86_cpu *c, const struct x86_insn *i)
{
	const uint64_t flags = X86_EFL_ARITH | X86_EFL_TF | X86_EFL_IF | X86_EFL_DF | X86_EFL_IOPL |
			       X86_EFL_NT | X86_EFL_AC | X86_EFL_VIF | X86_EFL_VIP | X86_EFL_ID;
	uint16_t sel = (uint16_t)(c->star >> 48);
	uint64_t target = c->gpr[X86_RCX];
	bool to64 = i->osize == 3;

	if (!(c->efer & X86_EFER_SCE) || !x86_uses_descriptors(c))
		return x86_raise(c, X86_UD);
	if (c->cpl != 0 || (to64 && !x86_is_canonical(target)))
		return x86_raise_err(c, X86_GP, 0);
	if (hvm_likely(x86_is_long(c)))
		x86_put_rflags(c, c->gpr[11] & flags);
	else
		c->rflags_rest = (c->rflags_rest & ~(uint64_t)X86_EFL_RF) | X86_EFL_IF;
	syscall_set_segs(c, (uint16_t)(to64 ? sel + 16 : sel), to64 ? X86_AR_CODE64 : X86_AR_CODE32,
			 (uint16_t)(sel + 8), 3);
	return x86_branch_to(c, to64 ? target : (uint32_t)target);
}

int x86_exec_sysenter(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t sel = (uint16_t)c->sysenter_cs;
	bool is_long = x86_is_long(c);

	(void)i;
	if (!x86_is_protected(c) || x86_sel_is_null(sel))
		return x86_raise_err(c, X86_GP, 0);
	c->rflags_rest &= ~(uint64_t)(X86_EFL_VM | X86_EFL_IF | X86_EFL_RF);
	c->gpr[X86_RSP] = is_long ? c->sysenter_esp : (uint32_t)c->sysenter_esp;
	syscall_set_segs(c, sel, is_long ? X86_AR_CODE64 : X86_AR_CODE32, (uint16_t)(sel + 8), 0);
	return x86_branch_to(c, is_long ? c->sysenter_eip : (uint32_t)c->sysenter_eip);
}

int x86_exec_sysexit(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t rsp = c->gpr[X86_RCX], ip = c->gpr[X86_RDX];
	uint16_t sel = (uint16_t)c->sysenter_cs;
	bool to64 = i->osize == 3;

	if (!x86_is_protected(c) || x86_sel_is_null(sel) || c->cpl != 0)
		return x86_raise_err(c, X86_GP, 0);
	if (to64 && (!x86_is_canonical(rsp) || !x86_is_canonical(ip)))
		return x86_raise_err(c, X86_GP, 0);
	sel = (uint16_t)(sel + (to64 ? 32 : 16));
	c->gpr[X86_RSP] = to64 ? rsp : (uint32_t)rsp;
	syscall_set_segs(c, sel, to64 ? X86_AR_CODE64 : X86_AR_CODE32, (uint16_t)(sel + 8), 3);
	return x86_branch_to(c, to64 ? ip : (uint32_t)ip);
}

int x86_exec_swapgs(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t base = c->seg[HVM_SEG_GS].base;

	(void)i;
	if (!x86_is_code64(c))
		return x86_raise(c, X86_UD);
	if (c->cpl != 0)
		return x86_raise_err(c, X86_GP, 0);
	c->seg[HVM_SEG_GS].base = c->kernel_gs_base;
	c->kernel_gs_base = base;
	return X86_NEXT;
}
