/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib_ops.h - inside libhvm: a domain that is in this process (lib_core.c) or behind /dev/hvm
 * (lib_dev.c), and what libhvm.c asks of either. The operations are those of hvm/hvm.h with the
 * same arguments and results; libhvm.c has checked nothing.
 */
#ifndef HVM_LIB_OPS_H
#define HVM_LIB_OPS_H

#include "core/calls.h"
#include "hvm/hvm.h"

struct hvm_vcpu {
	struct hvm_domain *domain;
	unsigned int index;
	/* Of a domain behind /dev/hvm: */
	int fd;
	bool emulating; /* core's vcpu holds an instruction that is not finished; its thread's */
	struct hvm_ioreq_page *ioreq_page;
};

struct hvm_lib_ops {
	void (*destroy)(struct hvm_domain *d);
	const char *(*crash_reason)(const struct hvm_domain *d);
	int (*reset)(struct hvm_domain *d);
	int (*map)(struct hvm_domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type,
		   void *hva);
	void (*memory_written)(struct hvm_domain *d, gpa_t gpa, uint64_t bytes);
	int (*dirty_start)(struct hvm_domain *d);
	int (*dirty_sync)(struct hvm_domain *d, gpa_t gpa, uint64_t pages, uint64_t *bitmap);
	void (*dirty_stop)(struct hvm_domain *d);
	int (*irq_set)(struct hvm_domain *d, unsigned int gsi, bool level);
	int (*msi_send)(struct hvm_domain *d, uint64_t address, uint32_t data);
	int (*nmi_send)(struct hvm_domain *d);
	int (*cmos_write)(struct hvm_domain *d, unsigned int index, uint8_t value);
	int (*bufioreq_add)(struct hvm_domain *d, enum hvm_ioreq_type type, uint64_t address,
			    uint64_t bytes);
	/* @b->eventfd: a file descriptor. */
	int (*doorbell_add)(struct hvm_domain *d, const struct hvm_doorbell *b);
	int (*doorbell_remove)(struct hvm_domain *d, const struct hvm_doorbell *b);
	bool (*bufioreq_pop)(struct hvm_domain *d, struct hvm_bufioreq *ret);
	int (*vcpu_run)(struct hvm_vcpu *v, struct hvm_exit *ret);
	void (*vcpu_kick)(struct hvm_vcpu *v);
	int (*vcpu_get_state)(struct hvm_vcpu *v, struct hvm_vcpu_state *ret);
	int (*vcpu_set_state)(struct hvm_vcpu *v, const struct hvm_vcpu_state *s);
	int (*vcpu_translate)(struct hvm_vcpu *v, gva_t gva, gpa_t *ret);
	size_t (*vcpu_stats)(struct hvm_vcpu *v, uint64_t *ret, size_t max);
	void (*pause_time)(struct hvm_domain *d);
	void (*resume_time)(struct hvm_domain *d);
	int (*save)(struct hvm_domain *d, uint8_t **ret_buf, size_t *ret_bytes);
	int (*load)(struct hvm_domain *d, const uint8_t *buf, size_t bytes);
};

struct hvm_domain {
	const struct hvm_lib_ops *ops;
	const char *engine;
	unsigned int vcpu_count;
	/*
	 * In this process: the domain. Behind /dev/hvm: a domain that runs single instructions
	 * which the kernel leaves to us (lib_emulate.c), with the same memory and none of its chips
	 * in use.
	 */
	struct domain *core;
	struct hvm_vcpu vcpu[HVM_MAX_VCPUS];
	/* Of a domain behind /dev/hvm: */
	int fd;
	struct hvm_bufioreq_page *ring;
	struct hvm_os_mutex ring_lock; /* one consumer at a time */
	struct hvm_os_mutex crash_lock;
	char crash_text[256];
};

static inline struct vcpu *lib_core_vcpu(struct hvm_vcpu *v)
{
	return v->domain->core->vcpu[v->index];
}

/* -- lib_core.c -------------------------------------------------------------------------------- */

int lib_core_create(const struct hvm_domain_config *cfg, struct hvm_domain *d);

/* -- lib_dev.c --------------------------------------------------------------------------------- */

/*
 * lib_dev_create - on /dev/hvm; cfg->engine AUTO: whichever vendor serves. -HVM_ENODEV, -HVM_EPERM,
 * -HVM_EBUSY: none does; LIB_NO_MODEL: one does, but this host's processor cannot be the CPU model;
 * the rest as hvm_domain_create().
 */
#define LIB_NO_MODEL (-HVM_EOPNOTSUPP)
int lib_dev_create(const struct hvm_domain_config *cfg, struct hvm_domain *d);

/* -- lib_engines.c ----------------------------------------------------------------------------- */

struct hvm_ioctl_info;
/* lib_open_info - /dev/hvm opened and asked what it is; or -errno: why it serves nobody. */
int lib_open_info(struct hvm_ioctl_info *info);

/* -- lib_emulate.c ----------------------------------------------------------------------------- */

/* lib_emulate_create - d->core, for a domain behind /dev/hvm. */
int lib_emulate_create(const struct hvm_domain_config *cfg, struct hvm_domain *d);
void lib_emulate_destroy(struct hvm_domain *d);
/* lib_emulate_begin - take @v's state over from the kernel: it stands before the instruction. */
int lib_emulate_begin(struct hvm_vcpu *v);
/*
 * lib_emulate_step - execute it. 1: done (or the domain is crashed), the kernel has the state
 * again; 0: *ret is filled, the ioreq page holds a request; negative: error.
 */
int lib_emulate_step(struct hvm_vcpu *v, struct hvm_exit *ret);
/* lib_emulate_drop - the vcpu was reset or given another state: the instruction is no more. */
void lib_emulate_drop(struct hvm_vcpu *v);

#endif
