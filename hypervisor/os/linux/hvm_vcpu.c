// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hvm_vcpu.c - the files of vcpus, and the ioreq page. Each holds a reference to its
 * domain. Locking: hvm_module.h.
 */
#include "os/linux/hvm_module.h"

#include <linux/anon_inodes.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>

static long vcpu_file_ioctl(struct file *file, unsigned int call, unsigned long arg)
{
	struct module_vcpu *v = file->private_data;
	const struct abi_target t = {
		.os = &module_abi_os,
		.domain = &v->domain->abi,
		.vcpu = v->core,
		.kind = ABI_VCPU,
	};

	if (current->mm != v->domain->memory.mm)
		return -EIO;
	return abi_call(&t, call, arg);
}

static int vcpu_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct module_vcpu *v = file->private_data;

	return module_map_page(vma, v->core->ioreq_page);
}

static int vcpu_file_release(struct inode *inode, struct file *file)
{
	struct module_vcpu *v = file->private_data;

	module_domain_put(v->domain);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_file_ioctl,
	.mmap = vcpu_file_mmap,
	.release = vcpu_file_release,
	.llseek = noop_llseek,
};

int module_vcpu_file(struct abi_domain *abi, unsigned int index)
{
	struct module_domain *d = module_domain(abi);
	struct module_vcpu *v = &d->vcpu[array_index_nospec(index, HVM_MAX_VCPUS)];
	int fd;

	kref_get(&d->ref);
	fd = anon_inode_getfd("hvm-vcpu", &vcpu_fops, v, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		module_domain_put(d);
	return fd;
}
