/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi_vcpu.c - the calls of a vcpu's file; abi.c has the table and the rest.
 * What a structure holds is hostile; it is a private copy, so it does not change any more.
 */
#include "core/abi.h"
#include "devices/chips.h"

/* -- a vcpu ------------------------------------------------------------------------------------ */

int abi_run(const struct abi_target *t, void *arg)
{
	return vcpu_run(t->vcpu, arg);
}

int abi_kick(const struct abi_target *t, void *arg)
{
	(void)arg;
	vcpu_kick(t->vcpu);
	return 0;
}

int abi_get_state(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_state *a = arg;
	struct hvm_vcpu_state *s;
	int rc;

	if (a->flags || a->bytes != sizeof(*s))
		return -HVM_EINVAL;
	s = hvm_os_alloc(sizeof(*s));
	if (!s)
		return -HVM_ENOMEM;
	vcpu_get_state(t->vcpu, s);
	rc = t->os->copy_out(a->state, s, sizeof(*s));
	hvm_os_free(s);
	return rc;
}

int abi_set_state(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_state *a = arg;
	struct hvm_vcpu_state *s;
	int rc;

	if ((a->flags & ~HVM_IOCTL_STATE_EMULATED) || a->bytes != sizeof(*s))
		return -HVM_EINVAL;
	s = hvm_os_alloc(sizeof(*s));
	if (!s)
		return -HVM_ENOMEM;
	rc = t->os->copy_in(s, a->state, sizeof(*s));
	if (!rc)
		rc = a->flags ? vcpu_put_emulated(t->vcpu, s) : vcpu_set_state(t->vcpu, s);
	hvm_os_free(s);
	return rc;
}

int abi_translate(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_translate *a = arg;

	return vcpu_translate(t->vcpu, a->gva, &a->gpa);
}

int abi_stats(const struct abi_target *t, void *arg)
{
	uint64_t values[sizeof(struct hvm_stats) / sizeof(uint64_t)];
	struct hvm_ioctl_stats *a = arg;
	size_t count = HVM_ARRAY_SIZE(values), fit = a->count < count ? a->count : count;

	if (a->pad)
		return -HVM_EINVAL;
	vcpu_stats(t->vcpu, values, count);
	a->count = (uint32_t)count;
	return fit ? t->os->copy_out(a->values, values, fit * sizeof(values[0])) : 0;
}

/* -- what an instruction emulated in user space asks for --------------------------------------- */

static int abi_io_device(struct vcpu *v, struct hvm_ioctl_io *a)
{
	const struct hvm_io_access access = { .type = a->type,
					      .is_write = a->is_write,
					      .size = a->size,
					      .address = a->address,
					      .data = a->data };

	if (a->size != 1 && a->size != 2 && a->size != 4 && a->size != 8)
		return -HVM_EINVAL;
	if (a->type == HVM_IOCTL_IO_PIO && (a->size == 8 || a->address > 0xffff))
		return -HVM_EINVAL;
	return hvm_core_access(v, &access, a->flags & HVM_IOCTL_IO_AGAIN, &a->data);
}

static int abi_io_msr(struct vcpu *v, struct hvm_ioctl_io *a)
{
	uint32_t index = (uint32_t)a->address;

	return (a->is_write ? hvm_msr_write(v, index, a->data) : hvm_msr_read(v, index, &a->data))
		       ? -HVM_EINVAL
		       : 0;
}

static int abi_io_cr8(struct vcpu *v, struct hvm_ioctl_io *a)
{
	if (!a->is_write)
		a->data = vlapic_cr8_read(v);
	else if (a->data > 15)
		return -HVM_EINVAL;
	else
		vlapic_cr8_write(v, a->data);
	return 0;
}

static int abi_io_cpuid(struct vcpu *v, struct hvm_ioctl_io *a)
{
	const struct hvm_cpuid_state s = { .paging = a->flags & HVM_IOCTL_IO_PAGING,
					   .osxsave = a->flags & HVM_IOCTL_IO_OSXSAVE,
					   .xcr0 = a->flags & HVM_IOCTL_IO_AVX ? HVM_XSTATE_AVX
									       : 0 };

	hvm_cpuid(v, &s, (uint32_t)a->address, (uint32_t)a->data, a->out);
	return 0;
}

static int abi_io_ferr(struct vcpu *v, struct hvm_ioctl_io *a)
{
	(void)a;
	hvm_gsi_set(v->domain, 13, false);
	hvm_gsi_set(v->domain, 13, true);
	return 0;
}

static int (*const abi_io_types[])(struct vcpu *v, struct hvm_ioctl_io *a) = {
	[HVM_IOCTL_IO_PIO] = abi_io_device,  [HVM_IOCTL_IO_MMIO] = abi_io_device,
	[HVM_IOCTL_IO_MSR] = abi_io_msr,     [HVM_IOCTL_IO_CR8] = abi_io_cr8,
	[HVM_IOCTL_IO_CPUID] = abi_io_cpuid, [HVM_IOCTL_IO_FERR] = abi_io_ferr,
};

int abi_io(const struct abi_target *t, void *arg)
{
	struct hvm_ioctl_io *a = arg;

	if (a->type >= HVM_ARRAY_SIZE(abi_io_types) || !abi_io_types[a->type] || a->is_write > 1 ||
	    a->pad)
		return -HVM_EINVAL;
	return abi_io_types[a->type](t->vcpu, a);
}
