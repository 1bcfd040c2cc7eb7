// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hvm_vcpu.c - the files of vcpus: running, and the ioreq page. Each holds a reference to its
 * domain. Locking: hvm_module.h.
 */
#include "os/linux/hvm_module.h"

#include <linux/anon_inodes.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

/* Mutex held. */
static int vcpu_file_run(struct module_vcpu *v, struct hvm_exit *ret)
{
	struct module_domain *d = v->domain;
	int rc = down_read_killable(&d->sem);

	if (rc)
		return rc;
	atomic_inc(&d->running);
	up_read(&d->sem);
	rc = vcpu_run(v->core, ret);
	atomic_dec(&d->running);
	return rc;
}

static long vcpu_ioctl_run(struct module_vcpu *v, unsigned long arg)
{
	struct hvm_exit exit = {};
	int rc;

	if (!mutex_trylock(&v->mutex))
		return -EBUSY;
	rc = vcpu_file_run(v, &exit);
	mutex_unlock(&v->mutex);
	if (rc)
		return rc;
	return copy_to_user((void __user *)arg, &exit, sizeof(exit)) ? -EFAULT : 0;
}

static long vcpu_file_ioctl(struct file *file, unsigned int call, unsigned long arg)
{
	struct module_vcpu *v = file->private_data;
	const struct abi_call *c;

	if (current->mm != v->domain->memory.mm)
		return -EIO;
	if (call == HVM_IOCTL_RUN)
		return vcpu_ioctl_run(v, arg);
	c = abi_find_vcpu(call);
	return c ? module_call(c, v->domain, v, arg) : -ENOTTY;
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

int module_vcpu_file(struct module_domain *d, unsigned int index)
{
	struct module_vcpu *v;
	int fd;

	if (index >= d->core->vcpu_count)
		return -EINVAL;
	v = &d->vcpu[array_index_nospec(index, HVM_MAX_VCPUS)];
	kref_get(&d->ref);
	fd = anon_inode_getfd("hvm-vcpu", &vcpu_fops, v, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		module_domain_put(d);
	return fd;
}
