/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hw_vcpu.c - see hw_vcpu.h. Source: Intel SDM Vol 1 10.5.1 "FXSAVE Area", 13.4 "XSAVE Area", 13.7
 * "Operation of XSAVE", 13.8 "Operation of XRSTOR".
 */
#include "core/hw_vcpu.h"

#include "core/hvm_function_table.h"
#include "x86/ctlreg.h"
#include "x86/host.h"
#include "x86/host_model.h"

void hw_vcpu_init(struct vcpu *v, struct hw_vcpu *hw)
{
	hw->in_guest_on = HW_NO_CPU;
	v->hw = hw;
}

void hw_vcpu_fini(struct vcpu *v)
{
	struct hw_vcpu *hw = v->hw;

	v->hw = NULL;
	npt_cache_fini(&hw->npt_cache);
}

/* -- running ----------------------------------------------------------------------------------- */

static int hw_run_pinned(struct vcpu *v, struct hvm_exit *ret, hw_run_fn run_on)
{
	int rc;

	hvm_os_pin();
	__atomic_fetch_add(&v->hw->pinned_seq, 1, __ATOMIC_SEQ_CST);
	rc = run_on(v, hvm_os_cpu(), ret);
	__atomic_fetch_add(&v->hw->pinned_seq, 1, __ATOMIC_SEQ_CST);
	hvm_os_unpin();
	return rc;
}

int hw_run(struct vcpu *v, struct hvm_exit *ret, hw_run_fn run_on)
{
	int rc;

	do {
		rc = npt_cache_fill(&v->hw->npt_cache);
		if (rc)
			return rc;
		rc = hw_run_pinned(v, ret, run_on);
	} while (rc == HW_REFILL);
	if (rc == HW_YIELD)
		hvm_os_yield();
	return rc == HW_CORE || rc == HW_YIELD ? 1 : rc;
}

void hw_kick(struct vcpu *v)
{
	uint32_t cpu;

	__atomic_store_n(&v->hw->kicked, 1, __ATOMIC_SEQ_CST);
	cpu = __atomic_load_n(&v->hw->in_guest_on, __ATOMIC_SEQ_CST);
	if (cpu != HW_NO_CPU)
		hvm_os_cpu_kick(cpu);
}

/* -- translations ------------------------------------------------------------------------------ */

/* Wait until @hw has left the stretch in which it may use what it looked up before. */
static void hw_wait_unpinned(struct hw_vcpu *hw)
{
	uint32_t seq = __atomic_load_n(&hw->pinned_seq, __ATOMIC_SEQ_CST);

	while ((seq & 1) && __atomic_load_n(&hw->pinned_seq, __ATOMIC_SEQ_CST) == seq)
		hvm_os_yield();
}

void hw_flush_all(struct domain *d)
{
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (!d->vcpu[i]->hw)
			continue;
		hw_flush(d->vcpu[i]->hw);
		hw_kick(d->vcpu[i]);
	}
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (d->vcpu[i]->hw)
			hw_wait_unpinned(d->vcpu[i]->hw);
	}
}

void hw_p2m_changed(struct domain *d, struct npt *n, gfn_t gfn, uint64_t pages)
{
	struct npt_dead dead = { 0 };

	npt_zap(n, gfn << HVM_PAGE_SHIFT, pages << HVM_PAGE_SHIFT, &dead);
	hw_flush_all(d);
	npt_bury(&dead);
}

/* -- state ------------------------------------------------------------------------------------- */

void hw_vcpu_reset(struct vcpu *v, bool init)
{
	const struct hvm_function_table *ops = v->domain->ops;
	struct hvm_vcpu_state *s = hvm_os_alloc(sizeof(*s));
	const struct hvm_cpuid_state cs = { 0 };
	uint32_t id[4] = { 0 };

	if (!s) {
		hvm_domain_crash(v->domain, "vcpu %u: no memory for a reset", v->id);
		return;
	}
	if (init)
		ops->store_state(v, s);
	hvm_cpuid(v, &cs, 1, 0, id);
	x86_state_reset(s, init, id[0]);
	s->activity = v->id ? HVM_ACTIVITY_WAIT_SIPI : HVM_ACTIVITY_RUN;
	(void)ops->load_state(v, s);
	v->reinject = (struct hvm_event){ 0 };
	hvm_os_free(s);
}

int hw_check_model(const struct domain *d, const char *engine)
{
	const struct host_features f = host_features_read();

	return d->config.cpu_model >= HVM_CPU_V3 ? domain_check_host(d, engine, &f) : 0;
}

#define HW_XSTATE (HVM_XSTATE_X87 | HVM_XSTATE_SSE | HVM_XSTATE_AVX)

static bool hw_moves_avx(const struct vcpu *v)
{
	return v->domain->config.cpu_model >= HVM_CPU_V3;
}

void hw_put_fpu(const struct vcpu *v, const uint8_t fpu[HVM_XSAVE_BYTES])
{
	if (hw_moves_avx(v))
		host_xrstor(fpu, HW_XSTATE);
	else
		host_fxrstor(fpu);
}

void hw_take_fpu(const struct vcpu *v, uint8_t fpu[HVM_XSAVE_BYTES])
{
	if (hw_moves_avx(v))
		host_xsave(fpu, HW_XSTATE);
	else
		host_fxsave(fpu);
}

#define FX_FCW	 0
#define FX_MXCSR 24
#define FX_XMM	 160

void hw_load_fpu(uint8_t fpu[HVM_XSAVE_BYTES], const struct hvm_vcpu_state *s)
{
	const uint8_t has = s->xsave[HVM_XSAVE_BV_AT];
	uint32_t mxcsr;

	memcpy(fpu, s->xsave, HVM_XSAVE_BYTES);
	memcpy(&mxcsr, fpu + FX_MXCSR, sizeof(mxcsr));
	mxcsr &= 0xffff;
	if (!(has & HVM_XSTATE_X87)) {
		const uint16_t fcw = 0x37f;

		memset(fpu, 0, FX_XMM);
		memcpy(fpu + FX_FCW, &fcw, sizeof(fcw));
	}
	if (!(has & HVM_XSTATE_SSE))
		memset(fpu + FX_XMM, 0, 16 * 16);
	memcpy(fpu + FX_MXCSR, &mxcsr, sizeof(mxcsr));
	if (!(has & HVM_XSTATE_AVX))
		memset(fpu + HVM_XSAVE_LEGACY_BYTES, 0, HVM_XSAVE_BYTES - HVM_XSAVE_LEGACY_BYTES);
	memset(fpu + HVM_XSAVE_BV_AT, 0, HVM_XSAVE_LEGACY_BYTES - HVM_XSAVE_BV_AT);
	fpu[HVM_XSAVE_BV_AT] = HVM_XSTATE_X87 | HVM_XSTATE_SSE | (has & HVM_XSTATE_AVX);
}

/* -- devices ----------------------------------------------------------------------------------- */

int hw_port_io(struct vcpu *v, uint16_t port, unsigned int bytes, bool in, uint64_t *rax)
{
	uint64_t mask = HVM_BIT(bytes * 8) - 1;
	uint32_t value = (uint32_t)(*rax & mask);
	int rc = in ? hvm_pio_read(v, port, bytes, &value) : hvm_pio_write(v, port, bytes, value);

	if (rc)
		return rc;
	hw_io_retire(v);
	if (in)
		*rax = bytes == 4 ? value : (*rax & ~mask) | (value & mask);
	return 0;
}

void hw_io_retire(struct vcpu *v)
{
	v->hw->io_retry = false;
	if (v->replay.done)
		hvm_io_retire(v);
}
