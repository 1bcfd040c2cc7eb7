/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib_emulate.c - instructions that a domain behind /dev/hvm could not execute, because they touch
 * device memory in a way that the kernel does not decode, or for another reason of the vendor's.
 *
 * A domain of the software CPU stands by in this process: the same memory map, one vcpu for each of
 * the kernel's, chips that are never used (its remote_access goes to the kernel's), and the
 * kernel's ioreq page in place of its own. It takes over the vcpu's registers, executes one
 * instruction (REP: to its end, or a bounded part), and gives them back. An access that ioemu
 * serves ends the call as it does in the core, with the same rules for running the instruction
 * again. Locking: a vcpu's thread. Saved: nothing; saving is refused meanwhile.
 */
#include "devices/chips.h"
#include "hvm/hvm_ioctl.h"
#include "lib/lib_ops.h"
#include "os/posix/dev_posix.h"
#include "soft/soft.h"

/* -- what the instruction asks for ------------------------------------------------------------- */

static int emulate_call(struct vcpu *v, struct hvm_ioctl_io *a)
{
	const struct hvm_domain *d = v->domain->remote;

	return dev_call(d->vcpu[v->id].fd, HVM_IOCTL_IO, a);
}

/* As hvm_core_access(). */
static int emulate_access(struct vcpu *v, const struct hvm_io_access *access, bool again,
			  uint64_t *data)
{
	struct hvm_ioctl_io a = { .address = access->address,
				  .data = access->data,
				  .type = access->type,
				  .is_write = access->is_write,
				  .size = access->size,
				  .flags = again ? HVM_IOCTL_IO_AGAIN : 0 };
	int rc = emulate_call(v, &a);

	if (!rc)
		*data = a.data;
	return rc ? -HVM_EOPNOTSUPP : 0;
}

static struct vcpu *emulate_vcpu(void *arg)
{
	return ((struct soft_vcpu *)arg)->vcpu;
}

static void emulate_cpuid(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	const struct x86_cpu *c = &((struct soft_vcpu *)arg)->cpu;
	struct hvm_ioctl_io a = { .address = leaf,
				  .data = subleaf,
				  .type = HVM_IOCTL_IO_CPUID,
				  .flags = (c->cr0 & X86_CR0_PG ? HVM_IOCTL_IO_PAGING : 0) |
					   (c->cr4 & X86_CR4_OSXSAVE ? HVM_IOCTL_IO_OSXSAVE : 0) |
					   (c->xcr0 & HVM_XSTATE_AVX ? HVM_IOCTL_IO_AVX : 0) };

	(void)emulate_call(emulate_vcpu(arg), &a);
	memcpy(out, a.out, sizeof(a.out));
}

static int emulate_rdmsr(void *arg, uint32_t index, uint64_t *ret)
{
	struct hvm_ioctl_io a = { .address = index, .type = HVM_IOCTL_IO_MSR };
	int rc = emulate_call(emulate_vcpu(arg), &a);

	if (!rc)
		*ret = a.data;
	return rc ? -HVM_EINVAL : 0;
}

static int emulate_wrmsr(void *arg, uint32_t index, uint64_t value)
{
	struct hvm_ioctl_io a = {
		.address = index, .data = value, .type = HVM_IOCTL_IO_MSR, .is_write = 1
	};

	return emulate_call(emulate_vcpu(arg), &a) ? -HVM_EINVAL : 0;
}

#define EMULATE_MSR_TSC 0x10u

/* The guest's clock is the module's; here it stands still. */
static uint64_t emulate_rdtsc(void *arg)
{
	uint64_t tsc = 0;

	(void)emulate_rdmsr(arg, EMULATE_MSR_TSC, &tsc);
	return tsc;
}

static uint64_t emulate_cr8_read(void *arg)
{
	struct hvm_ioctl_io a = { .type = HVM_IOCTL_IO_CR8 };

	(void)emulate_call(emulate_vcpu(arg), &a);
	return a.data;
}

static void emulate_cr8_write(void *arg, uint64_t value)
{
	struct hvm_ioctl_io a = { .type = HVM_IOCTL_IO_CR8, .data = value, .is_write = 1 };

	(void)emulate_call(emulate_vcpu(arg), &a);
}

static void emulate_ferr(void *arg)
{
	struct hvm_ioctl_io a = { .type = HVM_IOCTL_IO_FERR };

	(void)emulate_call(emulate_vcpu(arg), &a);
}

/* -- construction ------------------------------------------------------------------------------ */

static const struct x86_cpu_env emulate_env = {
	.cpuid = emulate_cpuid,
	.rdmsr = emulate_rdmsr,
	.wrmsr = emulate_wrmsr,
	.rdtsc = emulate_rdtsc,
	.cr8_read = emulate_cr8_read,
	.cr8_write = emulate_cr8_write,
	.ferr = emulate_ferr,
};

/* The pages that come with a vcpu are the core's to free. */
static void emulate_swap_pages(struct hvm_domain *d)
{
	for (unsigned int i = 0; i < d->core->vcpu_count; i++) {
		struct hvm_ioreq_page *page = d->core->vcpu[i]->ioreq_page;

		d->core->vcpu[i]->ioreq_page = d->vcpu[i].ioreq_page;
		d->vcpu[i].ioreq_page = page;
	}
}

int lib_emulate_create(const struct hvm_domain_config *cfg, struct hvm_domain *d)
{
	int rc = domain_create(cfg, &soft_function_table, &d->core);

	if (rc)
		return rc;
	/* Its chips' clocks stand still. */
	domain_pause_time(d->core);
	d->core->remote = d;
	d->core->remote_access = emulate_access;
	soft_override_env(d->core, &emulate_env);
	emulate_swap_pages(d);
	return 0;
}

void lib_emulate_destroy(struct hvm_domain *d)
{
	if (!d->core)
		return;
	emulate_swap_pages(d);
	domain_destroy(d->core);
	d->core = NULL;
}

/* -- one instruction --------------------------------------------------------------------------- */

void lib_emulate_drop(struct hvm_vcpu *v)
{
	struct vcpu *c = lib_core_vcpu(v);

	v->emulating = false;
	c->reinject = (struct hvm_event){ 0 };
	hvm_io_retire(c);
}

int lib_emulate_begin(struct hvm_vcpu *v)
{
	struct vcpu *c = lib_core_vcpu(v);
	struct hvm_vcpu_state s;
	struct hvm_ioctl_state a = { .state = (uintptr_t)&s, .bytes = sizeof(s) };
	int rc = dev_call(v->fd, HVM_IOCTL_GET_STATE, &a);

	if (!rc)
		rc = c->domain->ops->load_state(c, &s);
	if (rc)
		return rc;
	__atomic_store_n(&c->tsc_offset, s.tsc_offset, __ATOMIC_SEQ_CST);
	/* An event whose delivery was cut short is delivered here, instead of an instruction. */
	c->reinject = s.pending;
	hvm_io_retire(c);
	v->emulating = true;
	return 0;
}

/* Give the registers back. */
static int emulate_end(struct hvm_vcpu *v, bool shutdown)
{
	struct vcpu *c = lib_core_vcpu(v);
	struct hvm_vcpu_state s = { 0 };
	struct hvm_ioctl_state a = { .state = (uintptr_t)&s,
				     .bytes = sizeof(s),
				     .flags = HVM_IOCTL_STATE_EMULATED };
	int rc;

	c->domain->ops->store_state(c, &s);
	if (shutdown)
		s.activity = HVM_ACTIVITY_SHUTDOWN;
	lib_emulate_drop(v);
	rc = dev_call(v->fd, HVM_IOCTL_SET_STATE, &a);
	return rc ? rc : 1;
}

/* The domain ends: the kernel gets to know the reason. */
static int emulate_failed(struct hvm_vcpu *v, int error)
{
	struct domain *core = v->domain->core;
	struct hvm_ioctl_crash a = { 0 };

	if (hvm_domain_is_crashed(core))
		memcpy(a.reason, core->crash_reason, sizeof(a.reason) - 1);
	else
		hvm_os_format(a.reason, sizeof(a.reason),
			      "vcpu %u: the instruction at rip %llx was not emulated (%d)",
			      v->index, (unsigned long long)core->ops->guest_rip(lib_core_vcpu(v)),
			      error);
	lib_emulate_drop(v);
	error = dev_call(v->domain->fd, HVM_IOCTL_CRASH, &a);
	return error ? error : 1;
}

/* An event that the instruction raised waits for a device to be delivered. 1: it is. */
static int emulate_reinject(struct vcpu *c)
{
	const struct hvm_event e = c->reinject;
	int rc;

	c->reinject = (struct hvm_event){ 0 };
	rc = c->domain->ops->inject_event(c, &e);
	if (rc == -HVM_EAGAIN)
		c->reinject = e;
	return rc ? rc : 1;
}

int lib_emulate_step(struct hvm_vcpu *v, struct hvm_exit *ret)
{
	struct vcpu *c = lib_core_vcpu(v);
	bool shutdown = false;
	int rc;

	*ret = (struct hvm_exit){ .reason = HVM_EXIT_IOREQ, .rip = c->domain->ops->guest_rip(c) };
	if (!ioreq_complete(c))
		return 0;
	__atomic_store_n(&c->activity, HVM_ACTIVITY_RUN, __ATOMIC_SEQ_CST);
	if (c->reinject.type != HVM_EVENT_NONE)
		rc = emulate_reinject(c);
	else
		rc = soft_emulate(c, ret);
	if (hvm_domain_is_crashed(c->domain))
		return emulate_failed(v, rc);
	if (rc == -HVM_EAGAIN || (rc == 0 && ret->reason == HVM_EXIT_IOREQ))
		return 0;
	if (rc == 0 && ret->reason == HVM_EXIT_SHUTDOWN)
		shutdown = true;
	else if (rc < 0)
		return emulate_failed(v, rc);
	return emulate_end(v, shutdown);
}
