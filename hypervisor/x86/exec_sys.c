/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_sys.c - debug registers, CPUID, time stamps, HLT, STAC and CLAC, hypercalls, caches; and the
 * table of all system instructions.
 * Owns nothing. Locking: the vcpu's thread. Saved: nothing.
 * Source: Intel SDM Vol 2 of each instruction; Vol 3B 17.2 "Debug Registers".
 */
#include "x86/exec_desc.h"

static int sys_gp(struct x86_cpu *c)
{
	return x86_raise_err(c, X86_GP, 0);
}

/* -- debug registers ------------------------------------------------------------------------------
 */

#define DR6_FIXED    0xffff0ff0u
#define DR6_WRITABLE 0x0000e00fu
#define DR7_FIXED    0x00000400u
#define DR7_WRITABLE 0xffff23ffu
#define DR7_GD	     HVM_BIT(13)
#define DR6_BD	     HVM_BIT(13)

/* Register number with DR4 and DR5 resolved; X86_ABORT when the access is not allowed. */
static int sys_check_dr(struct x86_cpu *c, unsigned int n, unsigned int *ret)
{
	if (n == 4 || n == 5) {
		if (c->cr4 & X86_CR4_DE)
			return x86_raise(c, X86_UD);
		n += 2;
	}
	if (c->cpl != 0)
		return sys_gp(c);
	if (c->dr7 & DR7_GD) {
		c->exc_dr6 = DR6_BD;
		return x86_raise(c, X86_DB);
	}
	*ret = n;
	return X86_NEXT;
}

static int sys_mov_to_dr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t value = x86_is_code64(c) ? c->gpr[i->src] : (uint32_t)c->gpr[i->src];
	unsigned int n;
	int r = sys_check_dr(c, i->dst, &n);

	if (r)
		return r;
	if (n >= 6 && value >> 32)
		return sys_gp(c);
	if (n == 6)
		c->dr6 = (value & DR6_WRITABLE) | DR6_FIXED;
	else if (n == 7)
		c->dr7 = (value & DR7_WRITABLE) | DR7_FIXED;
	else
		c->dr[n & 3] = value;
	return X86_END; /* the loop looks at the breakpoints again */
}

static int sys_mov_from_dr(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int n;
	uint64_t value;
	int r = sys_check_dr(c, i->src, &n);

	if (r)
		return r;
	value = n == 6 ? c->dr6 : n == 7 ? c->dr7 : c->dr[n & 3];
	c->gpr[i->dst] = x86_is_code64(c) ? value : (uint32_t)value;
	return X86_NEXT;
}

/* -- identification and time ------------------------------------------------------------------- */

static int sys_cpuid(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t out[4] = { 0, 0, 0, 0 };

	(void)i;
	c->env->cpuid(c->env_arg, (uint32_t)c->gpr[X86_RAX], (uint32_t)c->gpr[X86_RCX], out);
	c->gpr[X86_RAX] = out[0];
	c->gpr[X86_RBX] = out[1];
	c->gpr[X86_RCX] = out[2];
	c->gpr[X86_RDX] = out[3];
	return X86_NEXT;
}

static int sys_rdtsc(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t tsc;

	if ((c->cr4 & X86_CR4_TSD) && c->cpl > 0)
		return sys_gp(c);
	tsc = c->env->rdtsc(c->env_arg);
	c->gpr[X86_RAX] = (uint32_t)tsc;
	c->gpr[X86_RDX] = tsc >> 32;
	if (i->op == X86_OP_RDTSCP)
		c->gpr[X86_RCX] = (uint32_t)c->tsc_aux;
	return X86_NEXT;
}

/* There are no performance counters, so no counter number is valid. */
static int sys_rdpmc(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	return sys_gp(c);
}

/* -- CLAC and STAC ----------------------------------------------------------------------------- */

static bool sys_has_smap(struct x86_cpu *c)
{
	uint32_t out[4] = { 0, 0, 0, 0 };

	if (hvm_likely(c->cr4 & X86_CR4_SMAP))
		return true;
	c->env->cpuid(c->env_arg, 7, 0, out);
	return out[1] >> 20 & 1;
}

/* Below ring 3 AC is not in the mode word: only the TLB context changes. */
static int sys_set_ac(struct x86_cpu *c, bool ac)
{
	enum x86_tlb_context context = X86_TLB_KERNEL;

	if (c->cpl != 0 || !sys_has_smap(c))
		return x86_raise(c, X86_UD);
	if (ac)
		c->rflags_rest |= X86_EFL_AC;
	else
		c->rflags_rest &= ~(uint64_t)X86_EFL_AC;
	if (!(c->cr4 & X86_CR4_SMAP) || !c->tlb)
		return X86_NEXT;
	if (ac)
		context = X86_TLB_KERNEL_AC;
	c->tlb_r = c->tlb->r[context];
	c->tlb_w = c->tlb->w[context];
	return X86_NEXT;
}

static int sys_stac(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	return sys_set_ac(c, true);
}

static int sys_clac(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	return sys_set_ac(c, false);
}

/* -- the rest ---------------------------------------------------------------------------------- */

static int sys_hlt(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	if (c->cpl != 0)
		return sys_gp(c);
	c->activity = HVM_ACTIVITY_HLT;
	return X86_HALT;
}

/* INVD, WBINVD: memory is always coherent. */
static int sys_cache(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	return c->cpl == 0 ? X86_NEXT : sys_gp(c);
}

static int sys_hypercall(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	if (!c->env->hypercall || !c->env->hypercall(c->env_arg))
		return x86_raise(c, X86_UD);
	return X86_END;
}

#define SYS_ROW(name, fn) \
	{ \
		X86_OP_##name, X86_ANY, X86_ANY, fn \
	}

/* MONITOR and MWAIT are not offered by CPUID; RSM exists only in system management mode. */
static const struct x86_exec_row sys_rows[] = {
	SYS_ROW(MOV_TO_CR, x86_exec_mov_to_cr),
	SYS_ROW(MOV_FROM_CR, x86_exec_mov_from_cr),
	SYS_ROW(MOV_TO_DR, sys_mov_to_dr),
	SYS_ROW(MOV_FROM_DR, sys_mov_from_dr),
	SYS_ROW(CLTS, x86_exec_clts),
	SYS_ROW(LMSW, x86_exec_lmsw),
	SYS_ROW(SMSW, x86_exec_smsw),
	SYS_ROW(CPUID, sys_cpuid),
	SYS_ROW(RDTSC, sys_rdtsc),
	SYS_ROW(RDTSCP, sys_rdtsc),
	SYS_ROW(RDPMC, sys_rdpmc),
	SYS_ROW(RDMSR, x86_exec_rdmsr),
	SYS_ROW(WRMSR, x86_exec_wrmsr),
	SYS_ROW(SYSCALL, x86_exec_syscall),
	SYS_ROW(SYSRET, x86_exec_sysret),
	SYS_ROW(SYSENTER, x86_exec_sysenter),
	SYS_ROW(SYSEXIT, x86_exec_sysexit),
	SYS_ROW(SWAPGS, x86_exec_swapgs),
	SYS_ROW(HLT, sys_hlt),
	SYS_ROW(INVD, sys_cache),
	SYS_ROW(WBINVD, sys_cache),
	SYS_ROW(INVLPG, x86_exec_invlpg),
	SYS_ROW(INVPCID, x86_exec_invpcid),
	SYS_ROW(CLAC, sys_clac),
	SYS_ROW(STAC, sys_stac),
	SYS_ROW(XGETBV, x86_exec_xgetbv),
	SYS_ROW(XSETBV, x86_exec_xsetbv),
	SYS_ROW(VMCALL, sys_hypercall),
	SYS_ROW(VMMCALL, sys_hypercall),
	SYS_ROW(MONITOR, x86_exec_ud),
	SYS_ROW(MWAIT, x86_exec_ud),
	SYS_ROW(RSM, x86_exec_ud),
};

const struct x86_exec_table x86_exec_sys = { sys_rows, HVM_ARRAY_SIZE(sys_rows) };
