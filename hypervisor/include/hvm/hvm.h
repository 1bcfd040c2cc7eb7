/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm.h - libhvm: domains and vcpus for ioemu and the builder. The same calls reach a core in this
 * process (soft) or the core behind /dev/hvm (vmx, svm); a caller cannot tell which.
 *
 * Every int result is 0 or a negative errno. Locking: any thread may call anything, except that one
 * vcpu is run by one thread at a time, and get/set state wants the vcpu not running.
 */
#ifndef HVM_H
#define HVM_H

#include "hvm/hvm_abi.h"
#include "hvm/hvm_exit.h"
#include "hvm/hvm_state.h"

struct hvm_domain;
struct hvm_vcpu;

enum hvm_engine {
	HVM_ENGINE_AUTO,
	HVM_ENGINE_SOFT,
	HVM_ENGINE_VMX,
	HVM_ENGINE_SVM,
};

enum hvm_cpu_model {
	HVM_CPU_V1, /* x86-64-v1 */
	HVM_CPU_V2, /* x86-64-v2 */
	HVM_CPU_V3, /* x86-64-v3: with AVX2 */
};

/* How the software CPU runs 64-bit code. */
enum hvm_translator {
	HVM_TRANSLATOR_OFF,    /* the interpreter alone */
	HVM_TRANSLATOR_ON,     /* translated, where the host's processor allows */
	HVM_TRANSLATOR_VERIFY, /* every block both ways; the first difference crashes the domain */
};

/* What a range of guest physical memory is. */
enum hvm_mem_type {
	HVM_MEM_RAM,  /* read, write, execute */
	HVM_MEM_ROM,  /* read, execute; writes are dropped */
	HVM_MEM_MMIO, /* nothing mapped: accesses become ioreqs */
};

struct hvm_domain_config {
	char name[64];
	uint32_t engine;     /* enum hvm_engine */
	uint32_t cpu_model;  /* enum hvm_cpu_model */
	uint32_t vcpus;	     /* 1 to HVM_MAX_VCPUS */
	uint32_t translator; /* enum hvm_translator; the soft engine's */
	/*
	 * The soft engine writes a line to this file for each piece of translated code: address and
	 * bytes (hexadecimal), and the guest's address as a name. 0: no file. The caller closes it
	 * when the domain is gone.
	 */
	int32_t perf_map_fd;
	uint64_t rtc_base_s; /* RTC at start, seconds since 1970 UTC; 0: the host's clock */
};

/* One engine and whether it can serve on this host. */
struct hvm_engine_info {
	uint32_t engine;
	bool available;
	const char *name;   /* "soft", "vmx", "svm" */
	const char *reason; /* why not, or what it is */
};

/* hvm_engines - every engine this build knows. @ret: filled; returns how many (at most max). */
size_t hvm_engines(struct hvm_engine_info *ret, size_t max);

/*
 * hvm_cpu_model_lacks - the first feature of @model that this host's processor does not have, to go
 * behind "this host's processor has no"; NULL: it has all. HVM_CPU_V3 is refused then, and
 * HVM_CPU_V2 on the soft engine; vmx and svm show a guest of HVM_CPU_V2 less instead.
 */
const char *hvm_cpu_model_lacks(enum hvm_cpu_model model);

/*
 * hvm_domain_create - a domain with its chips (LAPICs, IOAPIC, PICs, PIT, RTC, HPET, PM timer),
 * cfg->vcpus vcpus in their power-on state, and no memory.
 * -EINVAL bad config; -ENODEV the engine is not there, or the host's processor cannot be the CPU
 * model: the log says what it lacks, as hvm_cpu_model_lacks() does; -ENOMEM. HVM_ENGINE_AUTO takes
 * the software CPU only where no other engine serves, not where one refuses the model.
 */
int hvm_domain_create(const struct hvm_domain_config *cfg, struct hvm_domain **ret);
/* hvm_domain_destroy - every vcpu must be out of hvm_vcpu_run(). NULL is ignored. */
void hvm_domain_destroy(struct hvm_domain *d);
const char *hvm_domain_engine_name(const struct hvm_domain *d);
/* Reason of a crash, "" while there is none. Points into the domain. */
const char *hvm_domain_crash_reason(const struct hvm_domain *d);
/* hvm_domain_reset - chips and vcpus to power-on state; memory is untouched. vcpus not running. */
int hvm_domain_reset(struct hvm_domain *d);

/*
 * hvm_domain_map - [gpa, gpa + bytes) becomes @type, backed by the host memory at @hva (RAM, ROM;
 * page aligned, stays mapped until unmapped or destroyed; RAM is readable and writable) or by
 * nothing (MMIO, hva NULL). Replaces what was there. vcpus may run.
 * -EINVAL alignment, size or type; -ENOSPC too many ranges.
 */
int hvm_domain_map(struct hvm_domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type,
		   void *hva);
int hvm_domain_unmap(struct hvm_domain *d, gpa_t gpa, uint64_t bytes);
/*
 * hvm_domain_memory_written - tell the core that the caller (DMA, builder) wrote guest memory, so
 * that decoded code of that range is dropped and dirty logging sees it. Call after the write.
 */
void hvm_domain_memory_written(struct hvm_domain *d, gpa_t gpa, uint64_t bytes);
/*
 * hvm_dirty_log_start/sync/stop - pages written since the last sync. @bitmap: one bit a page from
 * @gpa, pages/8 rounded up to 8 bytes; bits are set, and logging starts over for these pages.
 */
int hvm_dirty_log_start(struct hvm_domain *d);
int hvm_dirty_log_sync(struct hvm_domain *d, gpa_t gpa, uint64_t pages, uint64_t *bitmap);
void hvm_dirty_log_stop(struct hvm_domain *d);

/*
 * hvm_irq_set - level of an interrupt line. GSI 0-15: the ISA lines, to both the PICs and the
 * IOAPIC (0 arrives at IOAPIC pin 2; 2 is no line of a device's: ignored); 16-23: IOAPIC pins only.
 */
int hvm_irq_set(struct hvm_domain *d, unsigned int gsi, bool level);
/* hvm_msi_send - a message-signalled interrupt: address and data as the device wrote them. */
int hvm_msi_send(struct hvm_domain *d, uint64_t address, uint32_t data);
/* hvm_nmi_send - NMI to every vcpu (the front panel's button). */
int hvm_nmi_send(struct hvm_domain *d);
/* hvm_cmos_write - CMOS byte as firmware set-up leaves it (memory sizes, boot order). index 14-127.
 */
int hvm_cmos_write(struct hvm_domain *d, unsigned int index, uint8_t value);

/* Writes of this size to this address batch on the buffered ring instead of stopping the vcpu. */
int hvm_bufioreq_add(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
		     uint64_t bytes);
/*
 * hvm_doorbell_add - a write of @size bytes (0: any) to @address of value @match (any if NULL)
 * signals @eventfd and is done; no exit to the caller.
 */
int hvm_doorbell_add(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
		     unsigned int size, const uint64_t *match, int eventfd);
int hvm_doorbell_remove(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
			int eventfd);
/* The ring itself; never NULL. Take entries with hvm_bufioreq_pop(). */
bool hvm_bufioreq_pop(struct hvm_domain *d, struct hvm_bufioreq *ret);

/* vcpus exist from hvm_domain_create() on; index below cfg->vcpus, else NULL. */
struct hvm_vcpu *hvm_domain_vcpu(struct hvm_domain *d, unsigned int index);
/*
 * hvm_vcpu_run - run until ioemu is needed. Halted and waiting-for-SIPI vcpus sleep inside. A
 * request in state DONE in the ioreq page is taken in first. 0 and @ret filled.
 */
int hvm_vcpu_run(struct hvm_vcpu *v, struct hvm_exit *ret);
/* hvm_vcpu_kick - hvm_vcpu_run() returns HVM_EXIT_INTR soon, or at once when next called. */
void hvm_vcpu_kick(struct hvm_vcpu *v);
struct hvm_ioreq *hvm_vcpu_ioreq(struct hvm_vcpu *v);
int hvm_vcpu_get_state(struct hvm_vcpu *v, struct hvm_vcpu_state *ret);
int hvm_vcpu_set_state(struct hvm_vcpu *v, const struct hvm_vcpu_state *s);
/* hvm_vcpu_translate - gva to gpa as the vcpu's paging has it now; -EFAULT not mapped. */
int hvm_vcpu_translate(struct hvm_vcpu *v, gva_t gva, gpa_t *ret);

/* hvm_domain_pause_time/resume_time - stop and restart guest time (chips' timers) while paused. */
void hvm_domain_pause_time(struct hvm_domain *d);
void hvm_domain_resume_time(struct hvm_domain *d);

/*
 * Save records: the core's state (chips and vcpus) as one byte stream of typed, versioned,
 * length-checked records. @ret_buf from malloc(), the caller frees. Load checks all, then loads.
 */
int hvm_domain_save(struct hvm_domain *d, uint8_t **ret_buf, size_t *ret_bytes);
int hvm_domain_load(struct hvm_domain *d, const uint8_t *buf, size_t bytes);

/* Exit statistics of one vcpu, in the order of hvm_stat_name(); returns how many there are. */
size_t hvm_vcpu_stats(struct hvm_vcpu *v, uint64_t *ret, size_t max);
const char *hvm_stat_name(size_t index);
/* hvm_stat_help - what it counts, in words. Both: NULL past the last one. */
const char *hvm_stat_help(size_t index);

#endif
