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

#include "core/abi.h"
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

struct pinned_memory {
	struct mm_struct *mm; /* whose memory it is; held by mmgrab() */
	struct list_head regions;
	unsigned int region_count;
};

void memory_init(struct pinned_memory *m);
/* Everything unpinned; the domain is gone. */
void memory_fini(struct pinned_memory *m);
/* What @a names, pinned and mapped into the kernel at *ret; sem written. */
int memory_get(struct pinned_memory *m, const struct hvm_ioctl_memory *a, void **ret);
/* Give back what the core's map does not use; sem written and no vcpu running. */
void memory_reclaim(struct pinned_memory *m, struct domain *core);

/* -- vendors.c ----------------------------------------------------------------------------- */

#define MODULE_VENDORS ABI_VENDORS

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
const struct hvm_function_table *vmx_probe(const char **why, int *error);
void svm_unload(void);
void vmx_unload(void);

/* -- hvm_dev.c, hvm_vcpu.c ----------------------------------------------------------------- */

struct module_domain;

struct module_vcpu {
	struct module_domain *domain;
	struct vcpu *core;
	struct mutex mutex;
};

struct module_domain {
	struct kref ref; /* one a file */
	struct abi_domain abi;
	struct rw_semaphore sem;
	atomic_t running; /* vcpus inside vcpu_run() */
	struct pinned_memory memory;
	struct module_vcpu vcpu[HVM_MAX_VCPUS];
};

extern const struct abi_os module_abi_os;

static inline struct module_domain *module_domain(struct abi_domain *d)
{
	return container_of(d, struct module_domain, abi);
}

void module_domain_put(struct module_domain *d);
/* module_vcpu_file - a new file descriptor of vcpu @index, or -errno. */
int module_vcpu_file(struct abi_domain *d, unsigned int index);
/* module_map_page - map the one page at @page into @vma. */
int module_map_page(struct vm_area_struct *vma, void *page);

int module_device_init(void);
void module_device_fini(void);

#endif
