/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_exit.c - why the guest came back: one handler an exit code.
 * Locking: the vcpu's thread, pinned, interrupts on. Handlers return SVM_*; 0: *ret is for ioemu;
 * negative: this domain is crashed. Source: AMD APM Vol 2 ch. 15, App. C "SVM Intercept Exit
 * Codes".
 */
#include "svm/svm.h"

#include "devices/chips.h"
#include "x86/ctlreg.h"
#include "x86/host.h"

int svm_leave(struct svm_vcpu *sv, struct hvm_exit *ret, enum hvm_exit_reason reason)
{
	*ret = (struct hvm_exit){ .reason = (uint32_t)reason, .rip = sv->vmcb->rip };
	return 0;
}

/* -- the current instruction ------------------------------------------------------------------- */

/* Decode assists bring its bytes with some exits; else it is read from the guest. */
int svm_decode(struct svm_vcpu *sv, struct x86_insn *ret)
{
	const struct svm_vmcb *b = sv->vmcb;
	uint8_t code[X86_INSN_MAX_LEN];
	enum x86_code_size size = svm_code_size(sv);
	const struct guest_paging g = svm_paging(sv);
	gva_t gva = b->rip;
	size_t bytes;

	if (size != X86_CODE64)
		gva = (uint32_t)(gva + b->cs.base);
	if (b->exitcode == SVM_EXIT_NPF && svm_host.features.has_decode_assists && b->insn_bytes &&
	    b->insn_bytes <= sizeof(b->insn) && x86_decode(b->insn, b->insn_bytes, size, ret) > 0)
		return 0;
	bytes = guest_fetch(sv->vcpu, &g, gva, code, sizeof(code));
	return x86_decode(code, bytes, size, ret) > 0 ? 0 : -HVM_EFAULT;
}

int svm_skip_to(struct svm_vcpu *sv, uint64_t rip)
{
	struct svm_vmcb *b = sv->vmcb;

	b->rip = svm_code_size(sv) == X86_CODE64 ? rip : (uint32_t)rip;
	b->int_state &= ~SVM_INTERRUPT_SHADOW;
	if (hvm_likely(!(b->rflags & (X86_EFL_TF | X86_EFL_RF))))
		return HW_RESUME;
	b->rflags &= ~(uint64_t)X86_EFL_RF;
	if (!(b->rflags & X86_EFL_TF))
		return HW_RESUME;
	b->dr6 |= HVM_BIT(14);
	svm_touch(sv, SVM_CLEAN_DR);
	return svm_exit_debug(sv, NULL);
}

int svm_skip(struct svm_vcpu *sv)
{
	struct x86_insn insn;

	if (svm_host.features.has_next_rip && sv->vmcb->next_rip)
		return svm_skip_to(sv, sv->vmcb->next_rip);
	/* It was there a moment ago: another vcpu has changed the tables, the guest looks again. */
	if (svm_decode(sv, &insn))
		return HW_RESUME;
	return svm_skip_to(sv, sv->vmcb->rip + insn.len);
}

static int svm_ud(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	svm_inject_exception(sv, X86_UD, -1);
	return HW_RESUME;
}

static int svm_gp(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	svm_inject_exception(sv, X86_GP, 0);
	return HW_RESUME;
}

/* The host has dealt with what it was when interrupts, or GIF, came back on. */
static int svm_exit_host(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)sv;
	(void)ret;
	return HW_RESUME;
}

/* -- control registers ------------------------------------------------------------------------- */

static uint64_t svm_cr4_allowed(struct svm_vcpu *sv)
{
	const struct hvm_cpuid_state s = { .paging = true };
	uint32_t leaf1[4], leaf7[4];

	if (!sv->cr4_allowed) {
		hvm_cpuid(sv->vcpu, &s, 1, 0, leaf1);
		hvm_cpuid(sv->vcpu, &s, 7, 0, leaf7);
		sv->cr4_allowed = x86_cr4_allowed(leaf1, leaf7);
	}
	return sv->cr4_allowed;
}

static bool svm_write_cr4(struct svm_vcpu *sv, uint64_t value)
{
	const uint64_t paging = X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP |
				X86_CR4_SMAP | X86_CR4_PCIDE;
	struct svm_vmcb *b = sv->vmcb;
	const struct x86_ctlregs r = { b->cr0, b->cr3, b->cr4, b->efer };

	if (!x86_cr4_write_ok(&r, value, svm_cr4_allowed(sv)))
		return false;
	if ((value ^ b->cr4) & paging)
		hw_flush(&sv->hw);
	b->cr4 = value;
	svm_touch(sv, SVM_CLEAN_CR);
	return true;
}

static bool svm_write_cr8(struct svm_vcpu *sv, uint64_t value)
{
	if (value > 15)
		return false;
	vlapic_cr8_write(sv->vcpu, value);
	return true;
}

/* The only writes that are intercepted are MOVs. */
static int svm_exit_cr_write(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	unsigned int cr = (unsigned int)sv->vmcb->exitcode & 15, reg;
	struct x86_insn insn;
	uint64_t value;

	if (svm_host.features.has_decode_assists && (sv->vmcb->exitinfo1 & SVM_CR_IS_MOV)) {
		reg = sv->vmcb->exitinfo1 & 15;
	} else {
		if (svm_decode(sv, &insn))
			return HW_RESUME;
		if (insn.op != X86_OP_MOV_TO_CR || insn.dst != cr)
			return HW_RESUME;
		reg = insn.src & 15;
	}
	value = sv->gpr[reg];
	if (svm_code_size(sv) != X86_CODE64)
		value = (uint32_t)value;
	if (cr == 8 ? !svm_write_cr8(sv, value) : !svm_write_cr4(sv, value))
		return svm_gp(sv, ret);
	return svm_skip(sv);
}

/* From here to unpin the guest has its debug registers in hardware. */
static int svm_exit_dr(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	svm_load_debug(sv);
	return HW_RESUME;
}

/* #UD comes before the intercept where CR4.OSXSAVE is clear. */
static int svm_exit_xsetbv(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	uint64_t value = (uint32_t)sv->gpr[X86_RAX] | sv->gpr[X86_RDX] << 32;

	if (!(sv->vmcb->cr4 & X86_CR4_OSXSAVE) || !svm_host.features.has_xsave)
		return svm_ud(sv, ret);
	if (sv->vmcb->cpl || (uint32_t)sv->gpr[X86_RCX] ||
	    !x86_xcr0_write_ok(value, hvm_xcr0_allowed(sv->vcpu)))
		return svm_gp(sv, ret);
	sv->xcr0 = value;
	host_xsetbv(value);
	return svm_skip(sv);
}

/* -- instructions ------------------------------------------------------------------------------ */

static int svm_exit_cpuid(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	const struct svm_vmcb *b = sv->vmcb;
	struct hvm_cpuid_state s = {
		.paging = b->cr0 & X86_CR0_PG,
		.osxsave = b->cr4 & X86_CR4_OSXSAVE,
	};
	uint32_t out[4];

	(void)ret;
	if (svm_host.features.has_xsave)
		(void)svm_ask_xcr0(sv);
	s.xcr0 = sv->xcr0;
	hvm_cpuid(sv->vcpu, &s, (uint32_t)sv->gpr[X86_RAX], (uint32_t)sv->gpr[X86_RCX], out);
	sv->gpr[X86_RAX] = out[0];
	sv->gpr[X86_RBX] = out[1];
	sv->gpr[X86_RCX] = out[2];
	sv->gpr[X86_RDX] = out[3];
	return svm_skip(sv);
}

static int svm_exit_hlt(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	sv->vcpu->stats.hlt++;
	if (svm_skip(sv) == HW_RESUME && !(sv->vmcb->eventinj & SVM_EVENT_VALID))
		__atomic_store_n(&sv->vcpu->activity, HVM_ACTIVITY_HLT, __ATOMIC_SEQ_CST);
	return HW_CORE;
}

/* INVD, WBINVD: memory is coherent. */
static int svm_exit_cache(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	return svm_skip(sv);
}

/* The guest spins for something that another vcpu must do. */
static int svm_exit_pause(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	int rc = svm_skip(sv);

	(void)ret;
	return rc == HW_RESUME ? HW_YIELD : rc;
}

static int svm_exit_vmmcall(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	const struct svm_vmcb *b = sv->vmcb;

	if (!hvm_hypercall(sv->vcpu, b->cpl, b->cr0 & X86_CR0_PG, sv->gpr))
		return svm_ud(sv, ret);
	return svm_skip(sv);
}

/* -- exceptions, the rest ---------------------------------------------------------------------- */

static int svm_exit_alignment(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	svm_inject_exception(sv, X86_AC, 0);
	return HW_RESUME;
}

static int svm_exit_machine_check(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)sv;
	(void)ret;
	host_machine_check();
	return HW_RESUME;
}

/* FERR# drives IRQ 13; the guest waits for it. */
static int svm_exit_ferr(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	(void)ret;
	hvm_gsi_set(sv->vcpu->domain, 13, false);
	hvm_gsi_set(sv->vcpu->domain, 13, true);
	return HW_CORE;
}

static int svm_exit_shutdown(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	return svm_leave(sv, ret, HVM_EXIT_SHUTDOWN);
}

/* -- dispatch ---------------------------------------------------------------------------------- */

typedef int (*svm_exit_fn)(struct svm_vcpu *sv, struct hvm_exit *ret);

static const svm_exit_fn svm_exits[SVM_EXIT_COUNT] = {
	[SVM_EXIT_CR_WRITE + 4] = svm_exit_cr_write,
	[SVM_EXIT_CR_WRITE + 8] = svm_exit_cr_write,
	[SVM_EXIT_DR_READ... SVM_EXIT_DR_LAST] = svm_exit_dr,
	[SVM_EXIT_EXCEPTION + X86_DB] = svm_exit_debug,
	[SVM_EXIT_EXCEPTION + X86_AC] = svm_exit_alignment,
	[SVM_EXIT_EXCEPTION + X86_MC] = svm_exit_machine_check,
	[SVM_EXIT_INTR] = svm_exit_host,
	[SVM_EXIT_NMI] = svm_exit_host,
	[SVM_EXIT_SMI] = svm_exit_host,
	[SVM_EXIT_INIT] = svm_exit_host,
	[SVM_EXIT_VINTR] = svm_exit_vintr,
	[SVM_EXIT_RDPMC] = svm_gp,
	[SVM_EXIT_CPUID] = svm_exit_cpuid,
	[SVM_EXIT_RSM] = svm_ud,
	[SVM_EXIT_IRET] = svm_exit_iret,
	[SVM_EXIT_INVD] = svm_exit_cache,
	[SVM_EXIT_PAUSE] = svm_exit_pause,
	[SVM_EXIT_HLT] = svm_exit_hlt,
	[SVM_EXIT_INVLPGA] = svm_ud,
	[SVM_EXIT_IOIO] = svm_exit_ioio,
	[SVM_EXIT_MSR] = svm_exit_msr,
	[SVM_EXIT_FERR_FREEZE] = svm_exit_ferr,
	[SVM_EXIT_SHUTDOWN] = svm_exit_shutdown,
	[SVM_EXIT_VMRUN] = svm_ud,
	[SVM_EXIT_VMMCALL] = svm_exit_vmmcall,
	[SVM_EXIT_VMLOAD] = svm_ud,
	[SVM_EXIT_VMSAVE] = svm_ud,
	[SVM_EXIT_STGI] = svm_ud,
	[SVM_EXIT_CLGI] = svm_ud,
	[SVM_EXIT_SKINIT] = svm_ud,
	[SVM_EXIT_WBINVD] = svm_exit_cache,
	[SVM_EXIT_MONITOR] = svm_ud,
	[SVM_EXIT_MWAIT] = svm_ud,
	[SVM_EXIT_MWAIT_COND] = svm_ud,
	[SVM_EXIT_XSETBV] = svm_exit_xsetbv,
	[SVM_EXIT_RDPRU] = svm_ud,
};

/* A state that VMRUN refuses, or an exit that we never asked for. */
static int svm_exit_unknown(struct svm_vcpu *sv)
{
	const struct svm_vmcb *b = sv->vmcb;

	hvm_domain_crash(
		sv->vcpu->domain,
		"vcpu %u: %s %llx at rip %llx: cr0 %llx cr3 %llx cr4 %llx efer %llx rflags "
		"%llx cs %x/%x cpl %u eventinj %llx",
		sv->vcpu->id,
		(uint32_t)b->exitcode == ~0u ? "VMRUN refuses the state," : "unexpected exit",
		(unsigned long long)b->exitcode, (unsigned long long)b->rip,
		(unsigned long long)b->cr0, (unsigned long long)b->cr3, (unsigned long long)b->cr4,
		(unsigned long long)b->efer, (unsigned long long)b->rflags, b->cs.selector,
		b->cs.attrib, b->cpl, (unsigned long long)b->eventinj);
	return HW_CORE;
}

int svm_handle_exit(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	uint64_t code = sv->vmcb->exitcode;

	if (code == SVM_EXIT_NPF)
		return svm_exit_npf(sv, ret);
	if (code >= SVM_EXIT_COUNT || !svm_exits[code])
		return svm_exit_unknown(sv);
	return svm_exits[code](sv, ret);
}
