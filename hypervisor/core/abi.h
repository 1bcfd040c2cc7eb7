/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi.h - the calls of hvm/hvm_ioctl.h: one table, with what each call checks, locks and does. The
 * operating system brings the files, the caller's memory and the locks (struct abi_os): os/linux
 * for /dev/hvm; a test or a fuzzer drives the same table inside a process.
 */
#ifndef HVM_ABI_CALLS_H
#define HVM_ABI_CALLS_H

#include "core/calls.h"
#include "hvm/hvm_ioctl.h"

#define ABI_VENDORS   2u
#define ABI_DOORBELLS 64u

struct abi_domain;

enum abi_kind {
	ABI_DEVICE,
	ABI_DOMAIN,
	ABI_VCPU,
};

/* What a call wants locked while it works. */
enum abi_lock {
	ABI_LOCK_NONE,
	ABI_LOCK_READ,	/* memory map: may not change */
	ABI_LOCK_WRITE, /* memory map: changes */
	ABI_LOCK_QUIET, /* changes, and no vcpu runs */
	ABI_LOCK_VCPU,	/* this vcpu does not run, and the memory map may not change */
	ABI_LOCK_RUN,	/* this vcpu runs: the map may change, but no memory is given back */
};

/* What the calls ask of the operating system; 0 or more, or -HVM_E*. */
struct abi_os {
	/* The caller's memory. -HVM_EFAULT. */
	int (*copy_in)(void *to, uint64_t from, size_t bytes);
	int (*copy_out)(uint64_t to, const void *from, size_t bytes);
	/*
	 * @v: NULL in a domain's calls. -HVM_EBUSY: a vcpu that must not run does; -HVM_EINTR.
	 * abi_call() asks for ABI_LOCK_NONE too.
	 */
	int (*lock)(struct abi_domain *d, enum abi_lock lock, const struct vcpu *v);
	void (*unlock)(struct abi_domain *d, enum abi_lock lock, const struct vcpu *v);
	/*
	 * The memory that @a names, with write rights if it is to be RAM, where the core can reach
	 * it; it stays there while the domain's map leads to it. ABI_LOCK_WRITE is held.
	 */
	int (*memory_get)(struct abi_domain *d, const struct hvm_ioctl_memory *a, void **ret);
	/* After a change: memory that the map has no use for may go. ABI_LOCK_WRITE is held. */
	void (*memory_changed)(struct abi_domain *d);
	/* An eventfd of the caller as a number for hvm_os_eventfd_signal(), held until put. */
	int (*eventfd_get)(int fd);
	void (*eventfd_put)(int id);
	bool (*eventfd_is)(int id, int fd);
	/* Files; returns a descriptor. */
	int (*domain_file)(const struct hvm_domain_config *cfg);
	int (*vcpu_file)(struct abi_domain *d, unsigned int index);
	void (*vendors)(struct hvm_ioctl_vendor ret[ABI_VENDORS]);
};

struct abi_doorbell {
	bool used;
	struct hvm_doorbell bell; /* eventfd: number of eventfd_get() */
};

/* A domain as its files see it; the operating system's own structure holds it. */
struct abi_domain {
	struct domain *core;
	const struct abi_os *os;
	struct hvm_os_mutex doorbell_mutex;
	struct abi_doorbell doorbell[ABI_DOORBELLS];
};

/* What a file stands for: of a device only @os, of a domain not @vcpu. */
struct abi_target {
	const struct abi_os *os;
	struct abi_domain *domain;
	struct vcpu *vcpu;
	enum abi_kind kind;
};

/*
 * abi_domain_create - the core's domain of @cfg on @ops in @ret, which is zeroed.
 * abi_domain_destroy: nobody has one of its files any more. Memory that it mapped is still there,
 * and goes after it.
 */
int abi_domain_create(const struct hvm_domain_config *cfg, const struct hvm_function_table *ops,
		      const struct abi_os *os, struct abi_domain *ret);
void abi_domain_destroy(struct abi_domain *d);

/*
 * abi_call - call @call with the caller's @arg on the file @t. 0 or more, or -HVM_E*: -HVM_ENOTTY,
 * no such call on this kind of file; -HVM_EFAULT: @arg, or what it names, is not the caller's.
 */
int abi_call(const struct abi_target *t, uint32_t call, uint64_t arg);

/* -- the rows' functions that are not in abi.c. @arg: the call's structure, a private copy. ---- */

int abi_doorbell(const struct abi_target *t, void *arg);

int abi_run(const struct abi_target *t, void *arg);
int abi_kick(const struct abi_target *t, void *arg);
int abi_get_state(const struct abi_target *t, void *arg);
int abi_set_state(const struct abi_target *t, void *arg);
int abi_translate(const struct abi_target *t, void *arg);
int abi_stats(const struct abi_target *t, void *arg);
int abi_io(const struct abi_target *t, void *arg);

#endif
