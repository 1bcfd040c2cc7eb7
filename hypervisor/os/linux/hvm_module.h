/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_module.h - the module's own objects: a domain and a vcpu as files see them, pinned memory,
 * and the vendors of this host.
 *
 * Locking, in this order:
 * - vcpu->mutex: whoever runs a vcpu or touches what belongs to its thread. Only ever tried: a vcpu
 *   may run for ever, and -EBUSY is the answer then.
 * - domain->sem: the memory map. Written by what changes it; read by what looks at guest memory
 *   from outside vcpu_run(). A vcpu that runs does not hold it (it may run for ever): it counts in
 *   domain->running, which goes up only with sem read. Memory is given back only with sem written
 *   and running 0.
 * - the core's own locks.
 */
#ifndef HVM_MODULE_H
#define HVM_MODULE_H

#include "core/calls.h"
#include "hvm/hvm_ioctl.h"
#include "os/linux/os_linux.h"

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/types.h>

struct file;
struct mm_struct;
struct vm_area_struct;

/* -- memory.c ------------------------------------------------------------------------------ */

struct module_memory {
	struct mm_struct *mm; /* whose memory it is; held by mmgrab() */
	struct list_head regions;
	unsigned int region_count;
};

void memory_init(struct module_memory *m);
/* Everything unpinned; the domain is gone. */
void memory_fini(struct module_memory *m);
/* HVM_IOCTL_MEMORY; sem written. */
int memory_map(struct module_memory *m, struct domain *core, const struct hvm_ioctl_memory *a);
/* Give back what the core's map does not use; sem written and no vcpu running. */
void memory_reclaim(struct module_memory *m, struct domain *core);

/* -- vendors.c ----------------------------------------------------------------------------- */

#define MODULE_VENDORS 2u

/*
 * vendor_get - the vendor for @engine (AUTO: whichever serves), switched on; each success wants one
 * vendor_put(). -ENODEV, -EPERM (firmware), -EBUSY (another hypervisor), -EINVAL.
 */
int vendor_get(uint32_t engine, const struct hvm_function_table **ret);
void vendor_put(void);
/* What each vendor says of this host; looks again when none is in use. */
void vendor_describe(struct hvm_ioctl_vendor ret[MODULE_VENDORS]);

/* vendor_unload - the module goes, and what vendors kept with it. Virtualization is off. */
void vendor_unload(void);

/* The vendors' own doors (svm/svm.c, vmx/vmx.c). NULL: *why says why not, *error is -errno. */
const struct hvm_function_table *svm_probe(const char **why, int *error);
const struct hvm_function_table *vmx_probe(const char **why);
void svm_unload(void);

/* -- hvm_dev.c, hvm_vcpu.c ----------------------------------------------------------------- */

struct module_domain;

struct module_vcpu {
	struct module_domain *domain;
	struct vcpu *core;
	struct mutex mutex;
};

#define MODULE_DOORBELLS 64u

/* One eventfd registered as a doorbell. */
struct module_doorbell {
	bool used;
	struct hvm_doorbell bell; /* eventfd: number of os_eventfd_register() */
};

struct module_domain {
	struct kref ref; /* one a file */
	struct domain *core;
	struct rw_semaphore sem;
	atomic_t running; /* vcpus inside vcpu_run() */
	struct module_memory memory;
	struct mutex doorbell_mutex;
	struct module_doorbell doorbell[MODULE_DOORBELLS];
	struct module_vcpu vcpu[HVM_MAX_VCPUS];
};

/* Copies in and out of the calling process. */
extern const struct abi_os module_abi_os;

void module_domain_put(struct module_domain *d);
/* module_vcpu_file - a new file descriptor of vcpu @index, or -errno. */
int module_vcpu_file(struct module_domain *d, unsigned int index);
/*
 * module_call - one row of the core's table: copies the structure, takes the row's lock, calls.
 * @v: NULL for a domain's file.
 */
long module_call(const struct abi_call *c, struct module_domain *d, struct module_vcpu *v,
		 unsigned long arg);
/* module_map_page - map the one page at @page into @vma. */
int module_map_page(struct vm_area_struct *vma, void *page);

int module_device_init(void);
void module_device_fini(void);

#endif
