/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx.h - what the files of vmx/ share. Vendor code: it moves state between struct hvm_vcpu_state
 * and the VMCS, enters the guest, and tells the core why it came back. No device, decoder or
 * policy.
 *
 * A VMCS can be read and written only on the CPU on which it is active. So its fields are kept in
 * struct vmx_vcpu as far as they are known: vmx_read() and vmx_write() work anywhere, on the copy;
 * what was written goes to the VMCS before the next entry, and what the processor wrote is fetched
 * when somebody asks.
 *
 * Locking: struct vmx_vcpu belongs to its vcpu's thread, except the fields said to be atomic and
 * what hw_vcpu.h says. struct vmx_cpu belongs to whoever is on that CPU with interrupts off.
 */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "core/hw_vcpu.h"
#include "mm/guest.h"
#include "vmx/vmx_options.h"
#include "vmx/vmx_vmcs.h"
#include "x86/cpu.h"

#define VMX_MAX_CPUS	4096u
#define VMX_PML_ENTRIES 512u

/* -- host -------------------------------------------------------------------------------------- */

/* One word of controls: what it must hold, what it may, what we chose. */
struct vmx_control {
	uint32_t must, may, chosen;
};

/* What the processor offers and vmx uses; the same on every CPU. */
struct vmx_features {
	uint64_t basic, misc;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* must be 1, may be 1 */
	uint64_t ept_vpid;
	struct vmx_control control[VMX_WORD_COUNT];
	unsigned int phys_bits;
	bool has_xsave; /* and the host uses it */
	bool has_xss;
	bool has_tsc_aux;
	bool has_ibpb;
	bool has_spec_ctrl;
	bool must_flush_l1d;	 /* before a guest runs, for it could read what is there (L1TF) */
	bool has_flush_l1d;	 /* by an MSR */
	bool must_clear_buffers; /* the same of the processor's buffers (MDS) */
};

/* MSRs that a guest has to itself while its thread is pinned: the host has no use for them then. */
enum vmx_switched_msr {
	VMX_MSR_STAR,
	VMX_MSR_LSTAR,
	VMX_MSR_CSTAR,
	VMX_MSR_SFMASK,
	VMX_MSR_SWITCHED
};

struct vmx_vcpu;

struct vmx_cpu {
	bool on;     /* in VMX operation; changes with interrupts off or unpinned */
	void *vmxon; /* region of the processor's own */
	hpa_t vmxon_hpa;
	uint32_t next_vpid;
	uint64_t vpid_generation; /* VPIDs of an older one are void on this CPU */
	uint64_t last_domain;	  /* vmx_domain.id of who ran here last */
	struct vmx_vcpu *current; /* whose VMCS is */
	struct vmx_vcpu *active;  /* all whose VMCS is active here */
	uint64_t host_msr[VMX_MSR_SWITCHED];
};

/* Fractional bits of the TSC multiplier. */
#define VMX_TSC_RATIO_BITS 48

/* More than the first data cache of any processor without a command to empty it. */
#define VMX_L1D_BYTES (64u << 10)

struct vmx_host {
	struct vmx_features features;
	uint8_t *l1d_fill; /* VMX_L1D_BYTES to read where the cache must be emptied so; or NULL */
	uint64_t last_domain_id; /* atomic */
	uint8_t *msr_bitmap;
	hpa_t msr_bitmap_hpa;
	struct vmx_cpu *cpu[VMX_MAX_CPUS];
};
extern struct vmx_host vmx_host;

struct vmx_domain {
	uint64_t id; /* never used twice */
	struct npt ept;
	uint64_t ept_pointer;
	void *apic_page; /* the processor virtualizes what would access it */
	hpa_t apic_hpa;
};

/* -- vcpu -------------------------------------------------------------------------------------- */

/* A MSR that the processor loads at entry or exit. */
struct vmx_msr_entry {
	uint32_t index, reserved;
	uint64_t value;
};
#define VMX_MSR_ENTRIES 4u /* in each of the two areas of a vcpu */
struct vmx_msr_areas {
	struct vmx_msr_entry entry[VMX_MSR_ENTRIES]; /* loaded at VM entry: the guest's */
	struct vmx_msr_entry exit[VMX_MSR_ENTRIES];  /* loaded at VM exit: the host's */
};

struct vmx_dtable {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct vmx_vcpu {
	uint64_t gpr[16];  /* RSP: only while somebody needs it; vmx_asm.S knows that it is first */
	uint64_t host_rsp; /* as the VMCS has it; vmx_asm.S knows that it is second */
	struct vcpu *vcpu;
	struct vmx_domain *domain;
	void *vmcs;
	hpa_t vmcs_hpa;
	uint8_t *virtual_apic;
	struct vmx_msr_areas *msr_areas;
	uint64_t *pml;		/* VMX_PML_ENTRIES guest physical addresses, filled from the end */
	unsigned int msr_count; /* used entries of both areas */

	/* The fields of the VMCS: bit n of a word is field 64 * word + n. */
	uint64_t value[VMX_FIELD_COUNT];
	uint64_t valid[VMX_FIELD_WORDS]; /* value is what the guest will run with */
	uint64_t dirty[VMX_FIELD_WORDS]; /* and the VMCS does not have it yet */

	/* Atomic. */
	uint32_t cpu;	       /* where the VMCS is active, or HW_NO_CPU */
	uint32_t flush_linear; /* what linear addresses lead to has changed */

	struct hw_vcpu hw; /* translations: of guest physical addresses */

	struct vmx_vcpu *active_next; /* of the same CPU */
	bool launched;		      /* since the last VMCLEAR */
	bool is_loaded;		      /* pinned: the VMCS is current */
	bool irqs_off;		      /* and nothing can change that */

	unsigned int last_cpu;
	uint32_t vpid; /* good on last_cpu while the generation is the CPU's */
	uint64_t vpid_generation;

	/* Loaded when the guest runs, else here. */
	uint64_t msr[VMX_MSR_SWITCHED];
	uint64_t kernel_gs_base, tsc_aux, xcr0, cr2;
	uint64_t dr[4], dr6;
	bool dr_loaded; /* since pin: the guest's DR0-3 and 6 are in the registers, and its own */
	struct {
		uint64_t kernel_gs_base, fs_base, tsc_aux, xcr0, xss, spec_ctrl, debugctl;
		uint64_t dr[4], dr6, dr7;
		uint16_t ds, es, fs, gs;
		struct vmx_dtable gdt, idt;
	} host; /* the host's meanwhile */

	struct x86_insn io_insn; /* it, if it touches device memory */
	uint64_t event; /* to be delivered at the next entry, as VMX_ENTRY_EVENT; 0: none */
	uint32_t event_error;
	uint32_t event_insn_len;
	bool pml_on;	  /* the processor logs what the guest writes */
	bool apic_on;	  /* the processor keeps the LAPIC while the guest runs */
	bool apic_filled; /* and its page holds what the LAPIC does */
	bool apic_idle;	  /* the page has no interrupt requested or in service */
	bool ready;	  /* CPUID was asked what CR4 may hold */
	uint64_t cr4_allowed;
	_Alignas(64) uint8_t fpu[HVM_XSAVE_BYTES];
};

#define VMX_REFUSED (HW_YIELD + 1) /* next to HW_*, not a handler's: VM entry did not happen */

static inline struct vmx_vcpu *vmx_vcpu(const struct vcpu *v)
{
	return v->vendor;
}

/* -- vmx_field.c ------------------------------------------------------------------------------- */

uint64_t vmx_fetch(struct vmx_vcpu *vv, enum vmx_field f);

/* vmx_read - what the guest has, or will have at the next entry. */
static inline uint64_t vmx_read(struct vmx_vcpu *vv, enum vmx_field f)
{
	if (hvm_likely(vv->valid[f / 64] >> f % 64 & 1))
		return vv->value[f];
	return vmx_fetch(vv, f);
}

static inline void vmx_write(struct vmx_vcpu *vv, enum vmx_field f, uint64_t value)
{
	uint64_t bit = HVM_BIT(f % 64);

	if ((vv->valid[f / 64] & bit) && vv->value[f] == value)
		return;
	vv->value[f] = value;
	vv->valid[f / 64] |= bit;
	vv->dirty[f / 64] |= bit;
}

const char *vmx_field_name(enum vmx_field f);
/* vmx_fields_sync - fetch all of the guest's state at once. */
void vmx_fields_sync(struct vmx_vcpu *vv);
/* vmx_fields_flush - what was written goes to the VMCS. Interrupts off. */
void vmx_fields_flush(struct vmx_vcpu *vv);
/* vmx_fields_collect - the guest ran: its state and the exit's are new. Interrupts off. */
void vmx_fields_collect(struct vmx_vcpu *vv);
/* vmx_activate - make the VMCS current on this CPU. Pinned. -HVM_EIO: the CPU is going down. */
int vmx_activate(struct vmx_vcpu *vv);
/* vmx_deactivate - it is active nowhere: its memory is all there is to it. */
void vmx_deactivate(struct vmx_vcpu *vv);
/* vmx_deactivate_all - the same for all that are active on this CPU. Interrupts off. */
void vmx_deactivate_all(struct vmx_cpu *c);

/* -- vmx_caps.c -------------------------------------------------------------------------------- */

/* vmx_read_features - what this CPU has; NULL, or why that does not do, with its error. */
const char *vmx_read_features(struct vmx_features *f, int *error);

static inline bool vmx_has(enum vmx_control_word word, uint32_t bit)
{
	return vmx_host.features.control[word].chosen & bit;
}

/* -- vmx.c ------------------------------------------------------------------------------------- */

/*
 * vmx_probe - VMX operation on every CPU; the vendor's table, or NULL and why this host has none.
 * hvm_os_off_each_cpu() ends it again. One caller at a time.
 */
const struct hvm_function_table *vmx_probe(const char **why, int *error);
/* vmx_unload - VMX is off and stays off: free what was kept for the next time. */
void vmx_unload(void);

/* -- vmx_run.c, vmx_load.c --------------------------------------------------------------------- */

int vmx_run(struct vcpu *v, struct hvm_exit *ret);
/* vmx_asm.S: run the guest until a VM exit. Interrupts off. 0, or 1: the processor refused. */
int vmx_enter(struct vmx_vcpu *vv, uint32_t launched);
void vmx_exit_point(void);
/*
 * vmx_load, vmx_put - this CPU's registers are the guest's, and the host's again. Pinned.
 * -HVM_EPERM: the calling thread uses segments of an LDT.
 */
int vmx_load(struct vmx_vcpu *vv, struct vmx_cpu *c, unsigned int cpu);
void vmx_put(struct vmx_vcpu *vv);
/* vmx_host_constant - the fields of the host that are the same everywhere. */
void vmx_host_constant(struct vmx_vcpu *vv);
/* vmx_enter_host, vmx_leave_host - around each entry: what the host needs between two of them. */
void vmx_enter_host(struct vmx_vcpu *vv);
void vmx_leave_host(struct vmx_vcpu *vv);
/* vmx_load_debug - from here to unpin the guest has its debug registers in hardware. */
void vmx_load_debug(struct vmx_vcpu *vv);

/* -- vmx_vmcs.c, vmx_check.c ------------------------------------------------------------------- */

int vmx_vmcs_create(struct vmx_vcpu *vv);
void vmx_vmcs_destroy(struct vmx_vcpu *vv);
/* vmx_control - @bits of a word of controls on or off. */
void vmx_control(struct vmx_vcpu *vv, enum vmx_field word, uint32_t bits, bool on);
/* vmx_next_vpid - an identifier of @c for @vv, with no translations behind it. */
void vmx_next_vpid(struct vmx_vcpu *vv, struct vmx_cpu *c);
void vmx_invept(uint64_t ept_pointer);
void vmx_invvpid(uint32_t vpid);
/*
 * vmx_check_entry - which rule of VM entry does the VMCS break? Writes "FIELD value: rule" to @buf;
 * false: none that we know.
 */
bool vmx_check_entry(struct vmx_vcpu *vv, char *buf, size_t bytes);

/* -- vmx_state.c ------------------------------------------------------------------------------- */

void vmx_store_state(struct vcpu *v, struct hvm_vcpu_state *ret);
int vmx_load_state(struct vcpu *v, const struct hvm_vcpu_state *s);
void vmx_vcpu_start(struct vcpu *v, uint8_t vector);
int vmx_translate(struct vcpu *v, gva_t gva, gpa_t *ret);
/* vmx_get_ready - before the first entry: which bits of CR4 the guest may change itself. */
void vmx_get_ready(struct vmx_vcpu *vv);
uint64_t vmx_cr0(struct vmx_vcpu *vv);
uint64_t vmx_cr4(struct vmx_vcpu *vv);
unsigned int vmx_cpl(struct vmx_vcpu *vv);
struct guest_paging vmx_paging(struct vmx_vcpu *vv);
enum x86_code_size vmx_code_size(struct vmx_vcpu *vv);
/* vmx_set_efer - with the controls that follow from it. */
void vmx_set_efer(struct vmx_vcpu *vv, uint64_t efer);

/* -- vmx_intr.c -------------------------------------------------------------------------------- */

bool vmx_can_inject(struct vcpu *v, bool nmi);
int vmx_inject_event(struct vcpu *v, const struct hvm_event *e);
void vmx_intr_window(struct vcpu *v, bool nmi);
/* vmx_inject_exception - @error < 0: without an error code. */
void vmx_inject_exception(struct vmx_vcpu *vv, uint8_t vector, int64_t error);
/* vmx_prepare_event - before entry: what is to be delivered goes to the VMCS. */
void vmx_prepare_event(struct vmx_vcpu *vv);
/* vmx_complete_events - after the exit: what became of the event that was being delivered. */
void vmx_complete_events(struct vmx_vcpu *vv);
/* vmx_take_pending - the event that waits for the entry, in the core's words, and no more here. */
struct hvm_event vmx_take_pending(struct vmx_vcpu *vv);
/* vmx_forget_events - the vcpu's state is replaced. */
void vmx_forget_events(struct vmx_vcpu *vv);
/* vmx_reblock_nmi - the IRET that ended an NMI did not come through after all. */
void vmx_reblock_nmi(struct vmx_vcpu *vv);
int vmx_exit_intr_window(struct vmx_vcpu *vv, struct hvm_exit *ret);
int vmx_exit_nmi_window(struct vmx_vcpu *vv, struct hvm_exit *ret);
int vmx_exit_exception(struct vmx_vcpu *vv, struct hvm_exit *ret);

/* -- vmx_apic.c -------------------------------------------------------------------------------- */

bool vmx_apic_offered(void);
/* vmx_prepare_apic, vmx_collect_apic - before the entry and after the exit. Interrupts off. */
void vmx_prepare_apic(struct vmx_vcpu *vv);
void vmx_collect_apic(struct vmx_vcpu *vv);
/* vmx_apic_needs_window - the interrupt that waits is none that the processor would deliver. */
bool vmx_apic_needs_window(struct vmx_vcpu *vv);
/* vmx_map_apic - after an EPT violation at @gpa: is it the LAPIC's page? As npt_fault(). */
int vmx_map_apic(struct vmx_vcpu *vv, gpa_t gpa);
int vmx_exit_tpr(struct vmx_vcpu *vv, struct hvm_exit *ret);
int vmx_exit_apic_access(struct vmx_vcpu *vv, struct hvm_exit *ret);
int vmx_exit_apic_write(struct vmx_vcpu *vv, struct hvm_exit *ret);
int vmx_exit_eoi(struct vmx_vcpu *vv, struct hvm_exit *ret);

/* -- vmx_msr.c --------------------------------------------------------------------------------- */

extern const uint32_t vmx_switched_msr[VMX_MSR_SWITCHED];
/* vmx_msr_bitmap_create - the map that all domains share. -HVM_ENOMEM. */
int vmx_msr_bitmap_create(void);
void vmx_msr_bitmap_destroy(void);
int vmx_exit_rdmsr(struct vmx_vcpu *vv, struct hvm_exit *ret);
int vmx_exit_wrmsr(struct vmx_vcpu *vv, struct hvm_exit *ret);
/*
 * vmx_switch_msr - from the next entry on the processor itself changes @index at entry and exit;
 * not where both values are the same.
 */
void vmx_switch_msr(struct vmx_vcpu *vv, uint32_t index, uint64_t guest, uint64_t host);
bool vmx_switched_ok(enum vmx_switched_msr n, uint64_t value);

/* With 48 bits of linear addresses. */
static inline bool vmx_is_canonical(uint64_t gva)
{
	return (uint64_t)((int64_t)(gva << 16) >> 16) == gva;
}

/* -- vmx_exit.c -------------------------------------------------------------------------------- */

int vmx_handle_exit(struct vmx_vcpu *vv, struct hvm_exit *ret);
/* vmx_entry_refused - VMLAUNCH or VMRESUME failed: ends the domain, and says over which field. */
int vmx_entry_refused(struct vmx_vcpu *vv);
/* vmx_skip - the instruction at rip is done; HW_RESUME. */
int vmx_skip(struct vmx_vcpu *vv);
/* vmx_skip_bytes - the same when the exit does not say how long it is. */
int vmx_skip_bytes(struct vmx_vcpu *vv, unsigned int bytes);

/* -- vmx_mem.c --------------------------------------------------------------------------------- */

extern const struct npt_format vmx_ept_format, vmx_ept_format_dirty;
int vmx_exit_ept(struct vmx_vcpu *vv, struct hvm_exit *ret);
int vmx_exit_io(struct vmx_vcpu *vv, struct hvm_exit *ret);
/* vmx_device_memory - the current instruction reads or writes a device at @gpa. */
int vmx_device_memory(struct vmx_vcpu *vv, gpa_t gpa, struct hvm_exit *ret);
/* vmx_emulate - user space executes the instruction, or delivers the event that was cut short. */
int vmx_emulate(struct vmx_vcpu *vv, struct hvm_exit *ret);
/* vmx_prepare_pml - before entry: is the guest's writing to be logged? */
void vmx_prepare_pml(struct vmx_vcpu *vv);
/* vmx_collect_pml - what the processor has logged goes to the p2m. */
void vmx_collect_pml(struct vmx_vcpu *vv);
int vmx_exit_pml_full(struct vmx_vcpu *vv, struct hvm_exit *ret);
void vmx_p2m_changed(struct domain *d, gfn_t gfn, uint64_t pages);
void vmx_dirty_log_changed(struct domain *d);
/* vmx_leave - run() returns 0 with @reason. */
int vmx_leave(struct vmx_vcpu *vv, struct hvm_exit *ret, enum hvm_exit_reason reason);

#endif
