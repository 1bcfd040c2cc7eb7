/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain.h - struct domain and struct vcpu: the core's own view of a machine. Private to the core,
 * its chips and the vendors; callers outside use hvm/hvm.h.
 *
 * Locking: d->lock serialises the p2m's writers and configuration; each chip has a spin lock of its
 * own (taken from timer callbacks too); vcpu fields belong to the vcpu's thread, except those said
 * to be atomic. Order: d->lock, then a clock chip's lock (vpit, vrtc, vhpet: they drive their lines
 * with it held, so that a line's levels arrive in order), then vpic's or vioapic's, then nothing:
 * delivery into a vlapic takes no lock, and a vlapic calls vioapic without holding one.
 */
#ifndef HVM_DOMAIN_H
#define HVM_DOMAIN_H

#include "core/hvm_function_table.h"
#include "mm/p2m.h"
#include "os/hvm_os.h"

struct vlapic;
struct vioapic;
struct vpic;
struct vpit;
struct vrtc;
struct vhpet;
struct vpmtmr;

/* One line a counter; the order is the order of hvm_vcpu_stats(). */
/* clang-format off */
#define HVM_STATS(X) \
	X(exits,            "times the vcpu left the guest") \
	X(pio,              "accesses to ports of chips in the core") \
	X(mmio,             "accesses to memory of chips in the core") \
	X(ioreq,            "accesses that ioemu served") \
	X(bufioreq,         "writes that ioemu serves later") \
	X(doorbell,         "writes that rang an eventfd") \
	X(hlt,              "HLT instructions") \
	X(cpuid,            "CPUID instructions") \
	X(rdmsr,            "MSRs read") \
	X(wrmsr,            "MSRs written") \
	X(interrupts,       "external interrupts taken") \
	X(exceptions,       "exceptions that the core or the engine raised") \
	X(nmi,              "NMIs taken") \
	X(kicks,            "times another thread made the vcpu look up") \
	X(tlb_miss,         "lookups that the software TLB could not answer") \
	X(tlb_flush,        "flushes of translations") \
	X(block_decode,     "blocks of instructions decoded") \
	X(block_invalidate, "decoded blocks dropped because their bytes changed") \
	X(tr_blocks,        "blocks translated") \
	X(tr_calls,         "instructions translated as calls of their handler") \
	X(tr_runs,          "times that translated code was entered") \
	X(tr_links,         "branches of translated code linked to their target") \
	X(tr_misses,        "indirect branches among them") \
	X(tr_flushes,       "times that all translated code was dropped") \
	X(trims,            "times that a quiet vcpu gave its blocks' memory back")
/* clang-format on */

struct hvm_stats {
#define HVM_STAT(name) uint64_t name;
#define X(name, help)  HVM_STAT(name)
	HVM_STATS(X)
#undef X
#undef HVM_STAT
};

/* Accesses of one instruction that ioemu has already served; see core/ioreq.c. */
#define HVM_IO_REPLAY_MAX 128 /* XRSTOR with AVX from a device: 99 */
struct hvm_io_access {
	uint64_t address;
	uint64_t data;
	uint8_t type;
	uint8_t is_write;
	uint8_t size;
	uint8_t pad[5];
};

struct hvm_io_replay {
	uint32_t done; /* accesses served, kept until the instruction retires */
	uint32_t next; /* the one that the instruction will ask for next */
	struct hvm_io_access access[HVM_IO_REPLAY_MAX];
	uint32_t bulk_count; /* elements served of a string I/O request, 0: none waits */
	/*
	 * The request that is out. The page itself is shared with ioemu: what it says of the
	 * request afterwards is not believed.
	 */
	uint32_t asked_count; /* elements; 0: none is out */
	struct hvm_io_access asked;
};

/* Memory type ranges: kept and shown, without effect (all guest RAM is write-back). */
#define HVM_MTRR_VARIABLE 8
struct hvm_mtrr {
	uint64_t def_type;
	uint64_t fixed[11];
	uint64_t variable[2 * HVM_MTRR_VARIABLE];
};

struct hw_vcpu;

struct vcpu {
	struct domain *domain;
	unsigned int id;   /* also its initial APIC id */
	uint32_t activity; /* enum hvm_activity; atomic, others read it */
	struct vlapic *vlapic;
	void *vendor;	    /* the vendor's own part */
	struct hw_vcpu *hw; /* and in it what hardware vendors share; NULL: no such vendor */
	/* Atomic requests from other threads: HVM_REQ_*. */
	uint32_t requests;
	uint32_t user_kick; /* atomic: leave hvm_vcpu_run() with HVM_EXIT_INTR */
	struct hvm_os_waiter waiter;
	struct hvm_event reinject; /* an event whose delivery must be tried again */
	struct hvm_ioreq_page *ioreq_page;
	struct hvm_io_replay replay;
	uint64_t tsc_offset; /* guest TSC = host TSC scaled + offset */
	uint64_t msr_pat, msr_misc_enable, msr_spec_ctrl;
	struct hvm_mtrr mtrr;
	struct hvm_stats stats;
};

#define HVM_REQ_NMI   0x1u
#define HVM_REQ_INIT  0x2u
#define HVM_REQ_SIPI  0x4u /* vector in bits 15:8 of requests */
#define HVM_REQ_EVENT 0x8u /* look at pending interrupts */

struct domain {
	char name[64];
	struct hvm_domain_config config;
	const struct hvm_function_table *ops;
	void *vendor;
	struct hvm_os_mutex lock;
	struct p2m p2m;
	unsigned int vcpu_count;
	struct vcpu *vcpu[HVM_MAX_VCPUS];
	struct vioapic *vioapic;
	struct vpic *vpic;
	struct vpit *vpit;
	struct vrtc *vrtc;
	struct vhpet *vhpet;
	struct vpmtmr *vpmtmr;
	struct hvm_intercepts *intercepts; /* core/intercept.c */
	struct hvm_bufioreq_page *bufioreq;
	/*
	 * Not NULL: this domain executes single instructions for another one, whose chips are
	 * behind this function (as hvm_core_access()); its own chips only say where chips are.
	 */
	int (*remote_access)(struct vcpu *v, const struct hvm_io_access *a, bool again,
			     uint64_t *data);
	void *remote; /* for it */
	struct hvm_os_spinlock bufioreq_lock;
	/* Guest time: hvm_domain_now_ns() stands still while paused. All atomic. */
	uint32_t time_seq; /* odd while the clock is stopped or started */
	uint64_t time_offset_ns;
	uint64_t paused_at_ns;	     /* 0: running */
	uint64_t paused_tsc;	     /* host TSC when time was paused */
	uint64_t tsc_khz;	     /* what the guest counts at; 0: the host's rate */
	uint64_t tsc_ratio;	     /* guest ticks a host tick, as ops->tsc_ratio_bits; 0: one */
	uint32_t legacy_replacement; /* atomic: HPET drives IRQ 0 and 8 */
	uint32_t crashed;	     /* atomic, enum hvm_crash */
	char crash_reason[256];	     /* holds once crashed is HVM_CRASH_TOLD */
};

/* Whoever crashes the domain first writes the reason; nobody acts on it before it is written. */
enum hvm_crash {
	HVM_CRASH_NONE,
	HVM_CRASH_CLAIMED,
	HVM_CRASH_TOLD,
};

/* -- core/domain.c, core/vcpu.c: services that chips and vendors call ----------------------------
 */

/* Guest time in ns since the domain's start; the clock of all its chips. */
uint64_t hvm_domain_now_ns(const struct domain *d);
/* hvm_os clock value at which guest time will be @guest_ns. For arming timers. */
uint64_t hvm_domain_deadline_ns(const struct domain *d, uint64_t guest_ns);
/* hvm_domain_crash - end this domain, never the host. The first reason is kept. */
void hvm_domain_crash(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool hvm_domain_is_crashed(const struct domain *d);
/* Wake or interrupt @v so that it looks at requests and pending interrupts. Any thread. */
void hvm_vcpu_request(struct vcpu *v, uint32_t request);
/* Guest TSC now. It counts at hvm_tsc_khz(): the host's rate, or that of where the guest began. */
uint64_t hvm_vcpu_rdtsc(struct vcpu *v);
uint64_t hvm_tsc_khz(const struct domain *d);
/*
 * domain_set_tsc_khz - the guest has calibrated its TSC elsewhere: let it count at @khz here, too.
 * Rates within 1/1000 of the host's are the host's. With @check nothing changes. No vcpu runs.
 * -HVM_EINVAL: the processor has no such factor, or the rates are more than 16 apart.
 */
int domain_set_tsc_khz(struct domain *d, uint64_t khz, bool check);

/* -- core/intercept.c: in-core devices --------------------------------------------------------- */

/* Handler of an in-core port or memory range. offset from the start of the range; size 1, 2, 4, 8.
 */
typedef int (*hvm_io_read_fn)(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			      uint64_t *ret);
typedef int (*hvm_io_write_fn)(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			       uint64_t value);
/*
 * One range of an in-core device. Handlers return 0, or -HVM_EOPNOTSUPP to let the access go to
 * ioemu. Registered once at domain creation, before vcpus run.
 */
struct hvm_intercept {
	uint64_t base;
	uint64_t bytes;
	hvm_io_read_fn read;
	hvm_io_write_fn write;
	void *dev;
};
int hvm_pio_register(struct domain *d, const struct hvm_intercept *r);
int hvm_mmio_register(struct domain *d, const struct hvm_intercept *r);

/*
 * The bottom level: what vendors call. 0 done; -HVM_EAGAIN: the ioreq page holds a request, return
 * to ioemu and run the instruction again afterwards.
 */
int hvm_pio_read(struct vcpu *v, uint16_t port, unsigned int size, uint32_t *ret);
int hvm_pio_write(struct vcpu *v, uint16_t port, unsigned int size, uint32_t value);
int hvm_pio_read_rep(struct vcpu *v, uint16_t port, unsigned int size, unsigned int count,
		     void *buf);
int hvm_pio_write_rep(struct vcpu *v, uint16_t port, unsigned int size, unsigned int count,
		      const void *buf);
int hvm_mmio_read(struct vcpu *v, gpa_t gpa, unsigned int size, uint64_t *ret);
int hvm_mmio_write(struct vcpu *v, gpa_t gpa, unsigned int size, uint64_t value);
/*
 * The instruction that made the accesses has retired (or faulted): forget what was served for it.
 * Vendors call it after each instruction for which v->replay.done is not 0.
 */
void hvm_io_retire(struct vcpu *v);

/*
 * hvm_core_access - @a (data: the value of a write) as far as the core serves it: a chip, a
 * doorbell, the buffered ring. @again: accesses after this one were served before, so it is not
 * posted a second time. 0, *data holds what was read; -HVM_EOPNOTSUPP: it is ioemu's.
 */
int hvm_core_access(struct vcpu *v, const struct hvm_io_access *a, bool again, uint64_t *data);

/* -- core/cpuid.c, core/msr.c ------------------------------------------------------------------ */

/* What hvm_cpuid() must know of the vcpu's state. */
struct hvm_cpuid_state {
	bool paging; /* CR0.PG: hides the hypervisor leaves that SeaBIOS looks for */
	bool osxsave;
	uint64_t xcr0;
};
void hvm_cpuid(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t leaf, uint32_t subleaf,
	       uint32_t out[4]);
/* hvm_xcr0_allowed - bits of XCR0 that CPUID offers to @v's guest; x87 is there without. */
uint64_t hvm_xcr0_allowed(struct vcpu *v);
/*
 * MSRs that belong to the core (APIC base, x2APIC, TSC, TSC deadline, MTRR, PAT, microcode, misc,
 * hypercall page). -HVM_EINVAL: #GP; -HVM_ENOENT: not the core's.
 */
int hvm_msr_read(struct vcpu *v, uint32_t index, uint64_t *ret);
int hvm_msr_write(struct vcpu *v, uint32_t index, uint64_t value);
/*
 * The registers that hold a value and do nothing else, by their place: NULL, not one of them. A
 * save record holds those of the list, in its order; a new one raises the record's version.
 */
uint64_t *hvm_msr_slot(struct vcpu *v, uint32_t index);
bool hvm_msr_slot_valid(uint32_t index, uint64_t value);
#define HVM_SAVED_MSRS (3 + 11 + 2 * HVM_MTRR_VARIABLE)
uint32_t hvm_saved_msr(unsigned int n);
/*
 * Xen-compatible hypercall for SeaBIOS; gpr: 16 registers, result in gpr[0]. False: #UD. Only
 * firmware may call (CPL 0, paging off): its pointers are physical addresses, with which a user
 * program or a careless kernel would write anywhere in the guest.
 */
bool hvm_hypercall(struct vcpu *v, unsigned int cpl, bool paging, uint64_t gpr[16]);

/* -- core/domain.c: the object ------------------------------------------------------------------
 */

struct host_features;

/*
 * domain_check_host - 0 when the host of @f can be the domain's CPU model on @engine (its name, for
 * the log); else -HVM_ENODEV, with the missing feature logged.
 */
int domain_check_host(const struct domain *d, const char *engine, const struct host_features *f);

/* As hvm_domain_create(), on a given vendor (tests: a fake one). */
int domain_create(const struct hvm_domain_config *cfg, const struct hvm_function_table *ops,
		  struct domain **ret);
void domain_destroy(struct domain *d);
int domain_reset(struct domain *d);
void domain_pause_time(struct domain *d);
void domain_resume_time(struct domain *d);

/* -- core/vcpu.c ----------------------------------------------------------------------------------
 */

int vcpu_create(struct domain *d, unsigned int id);
void vcpu_destroy(struct vcpu *v);
void vcpu_reset(struct vcpu *v);
int vcpu_run(struct vcpu *v, struct hvm_exit *ret);

/* -- core/ioreq.c ------------------------------------------------------------------------------ */

/* One access that ioemu serves; -HVM_EAGAIN until it has. @data: in for a write, out for a read. */
int ioreq_access(struct vcpu *v, const struct hvm_io_access *a, uint64_t *data);
/* String I/O: elements done, or -HVM_EAGAIN. */
int ioreq_bulk(struct vcpu *v, bool is_write, uint16_t port, unsigned int size, unsigned int count,
	       void *buf);
/* Take in a request that ioemu has served. False: one is still waiting for it. */
bool ioreq_complete(struct vcpu *v);
/* Is a request out? */
bool ioreq_waits(const struct vcpu *v);
/* Is @a the access that ioemu has served next? If not, but others are left, it came before them. */
bool ioreq_is_next(const struct vcpu *v, const struct hvm_io_access *a);
/* Batch a write; false: the ring is full. */
bool bufioreq_push(struct domain *d, const struct hvm_io_access *a);
bool bufioreq_pop(struct domain *d, struct hvm_bufioreq *ret);
/* The same on the page alone; the caller keeps other consumers out. */
bool bufioreq_take(struct hvm_bufioreq_page *p, struct hvm_bufioreq *ret);
bool bufioreq_pending(const struct domain *d);

/* -- core/intercept.c: what leaves the core without stopping a vcpu -------------------------------
 */

struct hvm_doorbell {
	uint64_t address;
	uint64_t match;
	int eventfd;
	uint8_t type;
	uint8_t size; /* 0: any */
	bool has_match;
};
int intercept_create(struct domain *d);
void intercept_destroy(struct domain *d);
int intercept_add_buffered(struct domain *d, uint8_t type, uint64_t address, uint64_t bytes);
int intercept_add_doorbell(struct domain *d, const struct hvm_doorbell *b);
int intercept_remove_doorbell(struct domain *d, uint8_t type, uint64_t address, int eventfd);

/* -- core/event.c ------------------------------------------------------------------------------ */

/* Is there anything that would wake @v from HLT? Any thread. */
bool hvm_event_pending(struct vcpu *v);
/* Inject the highest-priority event that can be injected; else ask for a window. 0 or -errno. */
int hvm_event_assist(struct vcpu *v);

#endif
