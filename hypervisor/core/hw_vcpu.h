/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hw_vcpu.h - what svm/ and vmx/ do in the same way around a guest that runs on the host's
 * processor: when it may be entered, how it is called out, how translations are taken away from
 * it, and the parts of its state that no VMCB or VMCS holds.
 *
 * No kick is lost: who kicks sets kicked and then looks where the vcpu runs; the vcpu says where it
 * runs, with interrupts off, and then looks at kicked. An interrupt that comes in between ends the
 * guest's run at once.
 *
 * Locking: kicked, flush, in_guest_on and pinned_seq are atomic and for any thread; the rest is the
 * vcpu's thread's. Not saved.
 */
#ifndef HVM_HW_VCPU_H
#define HVM_HW_VCPU_H

#include "core/domain.h"
#include "mm/npt.h"

#define HW_NO_CPU 0xffffffffu

struct hw_vcpu {
	uint32_t kicked;      /* go back to the core before the next entry */
	uint32_t flush;	      /* translations changed */
	uint32_t in_guest_on; /* CPU, or HW_NO_CPU */
	uint32_t pinned_seq;  /* odd: somewhere between pin and unpin */
	bool io_retry;	      /* the instruction at rip waits for ioemu, or was served just now */
	struct npt_cache npt_cache;
};

/* Results of exit handlers next to 0 and negative. */
#define HW_RESUME 1 /* enter the guest again */
#define HW_CORE	  2 /* let the core look: run() returns 1 */
#define HW_REFILL 3 /* the cache of table pages is empty: sleep if need be, then enter again */
#define HW_YIELD  4 /* let others run on this CPU first */

/* hw_vcpu_init, hw_vcpu_fini - @hw, which is zeroed, is part of what v->vendor will point at. */
void hw_vcpu_init(struct vcpu *v, struct hw_vcpu *hw);
void hw_vcpu_fini(struct vcpu *v);

/* -- running ----------------------------------------------------------------------------------- */

/* On this CPU, pinned, until there is a result as above or one of run(). */
typedef int (*hw_run_fn)(struct vcpu *v, unsigned int cpu, struct hvm_exit *ret);

/* hw_run - run() of the function table, by @run_on. */
int hw_run(struct vcpu *v, struct hvm_exit *ret, hw_run_fn run_on);

/*
 * hw_enter_begin, hw_enter_end - around one entry to the guest; interrupts are off between them.
 * HW_RESUME: enter. @on: virtualization is on on @cpu, this one; -HVM_EIO if not.
 */
static inline int hw_enter_begin(struct hw_vcpu *hw, unsigned int cpu, bool on)
{
	hvm_os_irq_disable();
	__atomic_store_n(&hw->in_guest_on, cpu, __ATOMIC_SEQ_CST);
	if (hvm_unlikely(!on))
		return -HVM_EIO; /* the host is going down */
	if (__atomic_load_n(&hw->kicked, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&hw->kicked, 0, __ATOMIC_SEQ_CST);
		return HW_CORE;
	}
	return hvm_os_must_leave() ? HW_YIELD : HW_RESUME;
}

static inline void hw_enter_end(struct hw_vcpu *hw)
{
	__atomic_store_n(&hw->in_guest_on, HW_NO_CPU, __ATOMIC_RELEASE);
	hvm_os_irq_enable();
}

/* hw_kick - kick() of the function table. */
void hw_kick(struct vcpu *v);

/* -- translations ------------------------------------------------------------------------------ */

/* hw_flush - before its next entry the vcpu forgets its translations. */
static inline void hw_flush(struct hw_vcpu *hw)
{
	__atomic_store_n(&hw->flush, 1, __ATOMIC_SEQ_CST);
}

/* hw_flush_all - no vcpu of @d uses old translations, nor what they led to, when this returns. */
void hw_flush_all(struct domain *d);
/* hw_p2m_changed - p2m_changed() of the function table, for the tables @n of @d. */
void hw_p2m_changed(struct domain *d, struct npt *n, gfn_t gfn, uint64_t pages);

/* -- state ------------------------------------------------------------------------------------- */

/* hw_vcpu_reset - vcpu_reset() of the function table, by its store_state() and load_state(). */
void hw_vcpu_reset(struct vcpu *v, bool init);
/*
 * hw_check_model - can this host's processor be what d's CPU model promises? 0; -HVM_ENODEV, and
 * the log says what it lacks. Models below hvm-v3 show less instead (host_cpuid_filter()).
 */
int hw_check_model(const struct domain *d, const char *engine);
/*
 * hw_load_fpu - @fpu from s->xsave so that FXRSTOR and XRSTOR take it: FXRSTOR loads the whole area
 * and faults on reserved bits of MXCSR, so a component whose bit in XSTATE_BV is clear gets its
 * initial configuration here; XRSTOR faults on a header that is not clean.
 */
void hw_load_fpu(uint8_t fpu[HVM_XSAVE_BYTES], const struct hvm_vcpu_state *s);
/*
 * hw_put_fpu, hw_take_fpu - the processor's registers from @fpu, 64-byte aligned, and back. Between
 * hvm_os_fpu_begin() and end(), with the host's XCR0 in place: it holds every component that is
 * moved (hw_check_model()), while the guest's may not.
 *
 * hvm-v3: x87, SSE and AVX, by XSAVE. Below it the upper halves of the YMM registers are not moved:
 * they still hold the host's, but such a guest's XCR0 never has AVX, without which no instruction
 * reaches them; the host restores its own.
 */
void hw_put_fpu(const struct vcpu *v, const uint8_t fpu[HVM_XSAVE_BYTES]);
void hw_take_fpu(const struct vcpu *v, uint8_t fpu[HVM_XSAVE_BYTES]);

/* -- devices ----------------------------------------------------------------------------------- */

/* hw_port_io - IN or OUT of @bytes (1, 2, 4) with RAX at @rax. Not 0: ioemu serves it first. */
int hw_port_io(struct vcpu *v, uint16_t port, unsigned int bytes, bool in, uint64_t *rax);
/* hw_io_retire - the instruction that may have waited for ioemu is done. */
void hw_io_retire(struct vcpu *v);

#endif
