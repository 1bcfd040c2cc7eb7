/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm.h - what the files of svm/ share. Vendor code: it moves state between struct hvm_vcpu_state
 * and the VMCB, enters the guest, and tells the core why it came back. No device, decoder or
 * policy.
 *
 * Locking: struct svm_vcpu belongs to its vcpu's thread, except what hw_vcpu.h says.
 * struct svm_cpu belongs to whoever is pinned to that CPU.
 */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "core/hw_vcpu.h"
#include "mm/guest.h"
#include "svm/svm_vmcb.h"
#include "x86/cpu.h"

#define SVM_MAX_CPUS 4096u

/* What the processor offers; the same on every CPU. */
struct svm_features {
	uint32_t asids; /* 1 to asids - 1 may be used */
	bool has_next_rip;
	bool has_tsc_ratio;
	bool has_clean_bits;
	bool has_flush_by_asid;
	bool has_decode_assists;
	bool has_pause_filter;
	bool has_pause_threshold;
	bool has_vgif;
	bool has_xsave; /* and the host uses it */
	bool has_xss;
	bool has_tsc_aux;
	bool has_ibpb;
	bool has_spec_ctrl;
	unsigned int npt_levels;
	unsigned int npt_leaf_level;
};

struct svm_cpu {
	bool on;	       /* EFER.SVME is set; changes with interrupts off or unpinned */
	void *hsave;	       /* VMRUN keeps the host's state here */
	struct svm_vmcb *host; /* and VMSAVE the rest of it */
	hpa_t hsave_hpa, host_hpa;
	uint32_t next_asid;
	uint64_t asid_generation; /* ASIDs of an older one are void on this CPU */
	uint64_t last_domain;	  /* svm_domain.id of who ran here last */
	uint64_t tsc_ratio;	  /* what the MSR holds; 0: not known */
};

struct svm_host {
	struct svm_features features;
	uint64_t last_domain_id; /* atomic */
	uint8_t *msrpm;
	uint8_t *iopm;
	hpa_t msrpm_hpa, iopm_hpa;
	struct svm_cpu *cpu[SVM_MAX_CPUS];
};
extern struct svm_host svm_host;

struct svm_domain {
	uint64_t id; /* never used twice */
	struct npt npt;
};

#define SVM_MSR_TSC_RATIO  0xc0000104u
#define SVM_TSC_RATIO_BITS 32
#define SVM_TSC_RATIO_ONE  HVM_BIT(SVM_TSC_RATIO_BITS)

struct svm_vcpu {
	uint64_t gpr[16]; /* RAX and RSP too; svm_asm.S knows that it comes first */
	struct vcpu *vcpu;
	struct svm_domain *domain;
	struct svm_vmcb *vmcb;
	hpa_t vmcb_hpa;
	uint32_t touched; /* SVM_CLEAN_* of the fields that were written since the last entry */

	struct hw_vcpu hw; /* translations: gva and gpa alike */

	/* ASID: good on this CPU while the generation is the CPU's. */
	unsigned int cpu;
	uint32_t asid;
	uint64_t asid_generation;

	/* Loaded when the guest runs, else here. */
	uint64_t tsc_aux, xcr0;
	uint64_t cr0_asked; /* with CD and NW; what CR0 is until the guest writes it */
	uint64_t dr[4];
	bool dr_loaded; /* since pin: the guest's DR0-3 are in the registers, and it may touch them
			 */
	struct {
		uint64_t tsc_aux, xcr0, xss, spec_ctrl, dr[4], dr6, dr7;
	} host; /* the host's meanwhile */

	struct x86_insn io_insn; /* it, if it touches device memory */
	bool nmi_masked;	 /* until IRET */
	bool iret_seen;		 /* its IRET is at iret_rip, about to be executed */
	bool stepping;		 /* TF is ours, to see the end of an instruction */
	bool exit_at_once;	 /* an NMI waits for the end of an event's delivery */
	uint64_t iret_rip;
	uint64_t step_rflags;	     /* the guest's, before stepping */
	struct hvm_event soft_event; /* software event in eventinj, rip moved past it */
	uint64_t cr4_allowed;	     /* 0: not asked yet */
	_Alignas(64) uint8_t fpu[HVM_XSAVE_BYTES];
};

static inline struct svm_vcpu *svm_vcpu(const struct vcpu *v)
{
	return v->vendor;
}

/* Fields of @group changed. */
static inline void svm_touch(struct svm_vcpu *sv, uint32_t group)
{
	sv->touched |= group;
}

/* -- svm.c ------------------------------------------------------------------------------------- */

/*
 * svm_probe - switch SVM on, on every CPU; the vendor's table, or NULL and why this host has none,
 * with -HVM_ENODEV (no SVM, or not all that svm needs), -HVM_EPERM (firmware has switched it off),
 * -HVM_EBUSY (another hypervisor) or -HVM_ENOMEM. hvm_os_off_each_cpu() switches it off again. One
 * caller at a time.
 */
const struct hvm_function_table *svm_probe(const char **why, int *error);
/* svm_unload - SVM is off and stays off: free what was kept for the next time. */
void svm_unload(void);

/* -- svm_run.c --------------------------------------------------------------------------------- */

int svm_run(struct vcpu *v, struct hvm_exit *ret);
/* svm_asm.S: run the guest until #VMEXIT. Interrupts off; GIF is off around it. */
void svm_enter(struct svm_vcpu *sv, hpa_t vmcb, hpa_t host_vmcb);
/* svm_load_debug - from here to unpin the guest has its debug registers in hardware. */
void svm_load_debug(struct svm_vcpu *sv);
/*
 * svm_ask_xcr0 - what XCR0 holds while it is the guest's, which sv->xcr0 then has too; XCR0 that no
 * guest may have crashes the domain.
 */
uint64_t svm_ask_xcr0(struct svm_vcpu *sv);

/* -- svm_vmcb.c -------------------------------------------------------------------------------- */

int svm_vmcb_create(struct svm_vcpu *sv);
void svm_vmcb_destroy(struct svm_vcpu *sv);
void svm_intercept(struct svm_vcpu *sv, enum svm_intercept_word word, uint32_t bits, bool on);
/* svm_next_asid - an ASID of @c for @sv, with no translations behind it. */
void svm_next_asid(struct svm_vcpu *sv, struct svm_cpu *c);

/* -- svm_state.c ------------------------------------------------------------------------------- */

void svm_store_state(struct vcpu *v, struct hvm_vcpu_state *ret);
int svm_load_state(struct vcpu *v, const struct hvm_vcpu_state *s);
void svm_vcpu_start(struct vcpu *v, uint8_t vector);
int svm_translate(struct vcpu *v, gva_t gva, gpa_t *ret);
struct guest_paging svm_paging(const struct svm_vcpu *sv);
enum x86_code_size svm_code_size(const struct svm_vcpu *sv);

/* -- svm_intr.c -------------------------------------------------------------------------------- */

bool svm_can_inject(struct vcpu *v, bool nmi);
int svm_inject_event(struct vcpu *v, const struct hvm_event *e);
void svm_intr_window(struct vcpu *v, bool nmi);
/* svm_inject_exception - @error < 0: without an error code. */
void svm_inject_exception(struct svm_vcpu *sv, uint8_t vector, int64_t error);
/* svm_complete_events - after #VMEXIT: what became of the event that was being delivered. */
void svm_complete_events(struct svm_vcpu *sv);
/* svm_forget_events - the vcpu's state is replaced. */
void svm_forget_events(struct svm_vcpu *sv);
/* svm_take_pending - the event that waits in eventinj, in the core's words, and no more there. */
struct hvm_event svm_take_pending(struct svm_vcpu *sv);
/* svm_sync_tpr - before entry: the task priority, and whether writes to CR8 must be seen. */
void svm_sync_tpr(struct svm_vcpu *sv);
int svm_exit_vintr(struct svm_vcpu *sv, struct hvm_exit *ret);
int svm_exit_iret(struct svm_vcpu *sv, struct hvm_exit *ret);
int svm_exit_debug(struct svm_vcpu *sv, struct hvm_exit *ret);

/* -- svm_msr.c --------------------------------------------------------------------------------- */

/* svm_maps_create - the permission maps that all domains share. -HVM_ENOMEM. */
int svm_maps_create(void);
void svm_maps_destroy(void);
int svm_exit_msr(struct svm_vcpu *sv, struct hvm_exit *ret);

/* -- svm_exit.c -------------------------------------------------------------------------------- */

int svm_handle_exit(struct svm_vcpu *sv, struct hvm_exit *ret);
/* svm_skip - the instruction at rip is done; HW_RESUME. */
int svm_skip(struct svm_vcpu *sv);
/* svm_skip_to - the same when its end is known. */
int svm_skip_to(struct svm_vcpu *sv, uint64_t rip);
/* svm_decode - the instruction at rip. -HVM_EFAULT: it cannot be read (any more). */
int svm_decode(struct svm_vcpu *sv, struct x86_insn *ret);

/* -- svm_mem.c --------------------------------------------------------------------------------- */

extern const struct npt_format svm_npt_format;
int svm_exit_npf(struct svm_vcpu *sv, struct hvm_exit *ret);
int svm_exit_ioio(struct svm_vcpu *sv, struct hvm_exit *ret);
void svm_p2m_changed(struct domain *d, gfn_t gfn, uint64_t pages);
void svm_dirty_log_changed(struct domain *d);
/* svm_leave - run() returns 0 with @reason. */
int svm_leave(struct svm_vcpu *sv, struct hvm_exit *ret, enum hvm_exit_reason reason);

#endif
