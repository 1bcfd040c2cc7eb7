/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_run.c - the loop around VMRUN: what is switched once while the thread is pinned, what at each
 * entry, and how others get a vcpu out of the guest.
 *
 * Locking: svm.h. Source: AMD APM Vol 2 15.5 "VMRUN Instruction", 15.17 "Global
 * Interrupt Flag", 15.16 "TLB Control".
 */
#include "svm/svm.h"

#include "devices/chips.h"
#include "x86/ctlreg.h"
#include "x86/host.h"

#define DR7_ACTIVE 0xffu

/* -- debug registers --------------------------------------------------------------------------- */

static void svm_set_debug(const uint64_t dr[4])
{
	host_set_dr0(dr[0]);
	host_set_dr1(dr[1]);
	host_set_dr2(dr[2]);
	host_set_dr3(dr[3]);
}

static void svm_get_debug(uint64_t dr[4])
{
	dr[0] = host_dr0();
	dr[1] = host_dr1();
	dr[2] = host_dr2();
	dr[3] = host_dr3();
}

static bool svm_host_debugs(const struct svm_vcpu *sv)
{
	return sv->host.dr7 & DR7_ACTIVE;
}

void svm_load_debug(struct svm_vcpu *sv)
{
	if (sv->dr_loaded)
		return;
	sv->dr_loaded = true;
	svm_intercept(sv, SVM_IW_DR, ~0u, false);
	if (!svm_host_debugs(sv))
		svm_set_debug(sv->dr);
}

static void svm_unload_debug(struct svm_vcpu *sv)
{
	if (!sv->dr_loaded)
		return;
	sv->dr_loaded = false;
	svm_intercept(sv, SVM_IW_DR, ~0u, true);
	if (!svm_host_debugs(sv))
		svm_get_debug(sv->dr);
}

/* The host has breakpoints: its registers hold them whenever the guest does not run. */
static void svm_enter_debug(struct svm_vcpu *sv)
{
	host_set_dr7(0);
	if (sv->dr_loaded)
		svm_set_debug(sv->dr);
}

static void svm_leave_debug(struct svm_vcpu *sv)
{
	if (sv->dr_loaded) {
		svm_get_debug(sv->dr);
		svm_set_debug(sv->host.dr);
	}
	host_set_dr6(sv->host.dr6);
	host_set_dr7(sv->host.dr7);
}

/* -- pinned ------------------------------------------------------------------------------------ */

static void svm_load_registers(struct svm_vcpu *sv)
{
	const struct svm_features *f = &svm_host.features;

	hvm_os_fpu_begin();
	hw_put_fpu(sv->vcpu, sv->fpu);
	if (f->has_xsave) {
		sv->host.xcr0 = host_xgetbv();
		if (sv->host.xcr0 != sv->xcr0)
			host_xsetbv(sv->xcr0);
	}
	if (f->has_xss) {
		sv->host.xss = host_rdmsr(HOST_MSR_XSS);
		if (sv->host.xss)
			host_wrmsr(HOST_MSR_XSS, 0);
	}
	if (f->has_tsc_aux) {
		sv->host.tsc_aux = host_rdmsr(HOST_MSR_TSC_AUX);
		if (sv->host.tsc_aux != sv->tsc_aux)
			host_wrmsr(HOST_MSR_TSC_AUX, sv->tsc_aux);
	}
	if (f->has_spec_ctrl)
		sv->host.spec_ctrl = host_rdmsr(HOST_MSR_SPEC_CTRL);
	sv->host.dr7 = host_dr7();
	if (svm_host_debugs(sv)) {
		svm_get_debug(sv->host.dr);
		sv->host.dr6 = host_dr6();
	}
	if (sv->vmcb->dr7 & DR7_ACTIVE)
		svm_load_debug(sv);
}

/*
 * XSETBV is intercepted; but QEMU's software CPU (7.2) executes it in the guest all the same, so
 * the register is asked what it holds.
 */
uint64_t svm_ask_xcr0(struct svm_vcpu *sv)
{
	uint64_t now = host_xgetbv();

	if (hvm_likely(now == sv->xcr0))
		return now;
	if (!x86_xcr0_write_ok(now, hvm_xcr0_allowed(sv->vcpu)))
		hvm_domain_crash(sv->vcpu->domain, "vcpu %u: XCR0 %llx", sv->vcpu->id,
				 (unsigned long long)now);
	else
		sv->xcr0 = now;
	return now;
}

static void svm_unload_xcr0(struct svm_vcpu *sv)
{
	if (svm_ask_xcr0(sv) != sv->host.xcr0)
		host_xsetbv(sv->host.xcr0);
}

static void svm_unload_registers(struct svm_vcpu *sv)
{
	const struct svm_features *f = &svm_host.features;

	svm_unload_debug(sv);
	if (f->has_tsc_aux && sv->host.tsc_aux != sv->tsc_aux)
		host_wrmsr(HOST_MSR_TSC_AUX, sv->host.tsc_aux);
	if (f->has_xss && sv->host.xss)
		host_wrmsr(HOST_MSR_XSS, sv->host.xss);
	if (f->has_xsave)
		svm_unload_xcr0(sv);
	hw_take_fpu(sv->vcpu, sv->fpu);
	hvm_os_fpu_end();
}

/* The factor means nothing to the host itself: it stays until another domain wants another. */
static void svm_load_tsc_ratio(const struct svm_vcpu *sv, struct svm_cpu *c)
{
	uint64_t ratio = __atomic_load_n(&sv->vcpu->domain->tsc_ratio, __ATOMIC_RELAXED);

	if (!ratio)
		ratio = SVM_TSC_RATIO_ONE;
	if (!svm_host.features.has_tsc_ratio || c->tsc_ratio == ratio)
		return;
	c->tsc_ratio = ratio;
	host_wrmsr(SVM_MSR_TSC_RATIO, ratio);
}

/* This CPU is ours until unpin. */
static void svm_load(struct svm_vcpu *sv, struct svm_cpu *c, unsigned int cpu)
{
	if (sv->cpu != cpu) {
		sv->cpu = cpu;
		sv->asid_generation = 0;
		svm_touch(sv, SVM_CLEAN_ALL);
	}
	/* What one domain taught the branch predictor does not steer another. */
	if (c->last_domain != sv->domain->id) {
		if (svm_host.features.has_ibpb)
			host_wrmsr(HOST_MSR_PRED_CMD, 1);
		c->last_domain = sv->domain->id;
	}
	svm_load_tsc_ratio(sv, c);
	host_vmsave(c->host_hpa);
	svm_load_registers(sv);
}

/* -- one entry --------------------------------------------------------------------------------- */

static void svm_prepare_tlb(struct svm_vcpu *sv, struct svm_cpu *c)
{
	bool flush = __atomic_load_n(&sv->hw.flush, __ATOMIC_SEQ_CST);

	sv->vmcb->tlb_control = SVM_TLB_KEEP;
	if (flush) {
		__atomic_store_n(&sv->hw.flush, 0, __ATOMIC_SEQ_CST);
		sv->vcpu->stats.tlb_flush++;
	}
	if (sv->asid_generation != c->asid_generation ||
	    (flush && !svm_host.features.has_flush_by_asid))
		svm_next_asid(sv, c);
	else if (flush)
		sv->vmcb->tlb_control = SVM_TLB_FLUSH_ASID;
}

static void svm_prepare(struct svm_vcpu *sv, struct svm_cpu *c)
{
	struct svm_vmcb *b = sv->vmcb;
	uint64_t offset = __atomic_load_n(&sv->vcpu->tsc_offset, __ATOMIC_RELAXED);
	uint64_t pat = sv->vcpu->msr_pat;

	svm_prepare_tlb(sv, c);
	svm_sync_tpr(sv);
	if (b->tsc_offset != offset) {
		b->tsc_offset = offset;
		svm_touch(sv, SVM_CLEAN_INTERCEPTS);
	}
	if (b->pat != pat) {
		b->pat = pat;
		svm_touch(sv, SVM_CLEAN_NP);
	}
	b->rax = sv->gpr[X86_RAX];
	b->rsp = sv->gpr[X86_RSP];
	b->clean = svm_host.features.has_clean_bits ? SVM_CLEAN_ALL & ~sv->touched : 0;
	sv->touched = 0;
	if (sv->exit_at_once) {
		sv->exit_at_once = false;
		hvm_os_cpu_kick(sv->cpu);
	}
}

/* Interrupts are off. */
static void svm_enter_guest(struct svm_vcpu *sv, struct svm_cpu *c)
{
	uint64_t spec_ctrl = sv->vcpu->msr_spec_ctrl;
	bool switch_spec = svm_host.features.has_spec_ctrl && spec_ctrl != sv->host.spec_ctrl;

	if (hvm_unlikely(svm_host_debugs(sv)))
		svm_enter_debug(sv);
	if (switch_spec)
		host_wrmsr(HOST_MSR_SPEC_CTRL, spec_ctrl);
	svm_enter(sv, sv->vmcb_hpa, c->host_hpa);
	if (switch_spec)
		host_wrmsr(HOST_MSR_SPEC_CTRL, sv->host.spec_ctrl);
	if (hvm_unlikely(svm_host_debugs(sv)))
		svm_leave_debug(sv);
}

/* Take in what the guest left. */
static void svm_collect(struct svm_vcpu *sv)
{
	const struct svm_vmcb *b = sv->vmcb;
	uint64_t tpr = b->int_ctl & SVM_V_TPR_MASK;

	sv->gpr[X86_RAX] = b->rax;
	sv->gpr[X86_RSP] = b->rsp;
	sv->vcpu->stats.exits++;
	if (tpr != vlapic_cr8_read(sv->vcpu))
		vlapic_cr8_write(sv->vcpu, tpr);
	svm_complete_events(sv);
}

static int svm_run_once(struct svm_vcpu *sv, struct svm_cpu *c)
{
	int rc = hw_enter_begin(&sv->hw, sv->cpu, c->on);

	if (rc == HW_RESUME) {
		svm_prepare(sv, c);
		svm_enter_guest(sv, c);
	}
	hw_enter_end(&sv->hw);
	return rc;
}

static int svm_run_on(struct vcpu *v, unsigned int cpu, struct hvm_exit *ret)
{
	struct svm_vcpu *sv = svm_vcpu(v);
	struct svm_cpu *c = cpu < SVM_MAX_CPUS ? svm_host.cpu[cpu] : NULL;
	int rc = HW_RESUME;

	if (!c || !c->on)
		return -HVM_EIO;
	svm_load(sv, c, cpu);
	if (sv->hw.io_retry)
		rc = svm_handle_exit(sv, ret);
	while (rc == HW_RESUME) {
		rc = svm_run_once(sv, c);
		if (rc != HW_RESUME)
			break;
		svm_collect(sv);
		rc = svm_handle_exit(sv, ret);
	}
	svm_unload_registers(sv);
	return rc;
}

int svm_run(struct vcpu *v, struct hvm_exit *ret)
{
	return hw_run(v, ret, svm_run_on);
}
