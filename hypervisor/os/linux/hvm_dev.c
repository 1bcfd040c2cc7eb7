// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hvm_dev.c - /dev/hvm and the files of domains: their life, the locks and the memory that calls
 * (core/abi.c) ask for, the buffered ring's page.
 * Owns struct module_domain, which lives as long as one of its files does. Locking: hvm_module.h.
 */
#include "os/linux/hvm_module.h"

#include <linux/anon_inodes.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

/* -- copies -------------------------------------------------------------------------------- */

static int module_copy_in(void *to, uint64_t from, size_t bytes)
{
	return copy_from_user(to, u64_to_user_ptr(from), bytes) ? -EFAULT : 0;
}

/*
 * Each run of a vcpu ends here. Where the size is a constant, the kernel leaves out its search for
 * what kind of memory @from is.
 */
static int module_copy_out(uint64_t to, const void *from, size_t bytes)
{
	if (bytes == sizeof(struct hvm_exit))
		return copy_to_user(u64_to_user_ptr(to), from, sizeof(struct hvm_exit)) ? -EFAULT
											: 0;
	return copy_to_user(u64_to_user_ptr(to), from, bytes) ? -EFAULT : 0;
}

int module_map_page(struct vm_area_struct *vma, void *page)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE ||
	    !(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, VM_MAYEXEC);
#else
	vma->vm_flags |= VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY;
	vma->vm_flags &= ~VM_MAYEXEC;
#endif
	return vm_insert_page(vma, vma->vm_start, virt_to_page(page));
}

/* -- locks --------------------------------------------------------------------------------- */

/* All vcpus held still, or -EBUSY. sem is written. */
static int module_quiet(struct module_domain *d)
{
	unsigned int i;

	for (i = 0; i < d->abi.core->vcpu_count; i++) {
		if (!mutex_trylock(&d->vcpu[i].mutex))
			goto err_unlock;
	}
	return 0;
err_unlock:
	while (i--)
		mutex_unlock(&d->vcpu[i].mutex);
	return -EBUSY;
}

static void module_unquiet(struct module_domain *d)
{
	unsigned int i;

	for (i = 0; i < d->abi.core->vcpu_count; i++)
		mutex_unlock(&d->vcpu[i].mutex);
}

static int module_lock_quiet(struct module_domain *d)
{
	int rc = down_write_killable(&d->sem);

	if (rc)
		return rc;
	rc = module_quiet(d);
	if (rc)
		up_write(&d->sem);
	return rc;
}

static int module_lock_vcpu(struct module_domain *d, const struct vcpu *core)
{
	struct module_vcpu *v = &d->vcpu[core->id];
	int rc;

	if (!mutex_trylock(&v->mutex))
		return -EBUSY;
	rc = down_read_killable(&d->sem);
	if (rc)
		mutex_unlock(&v->mutex);
	return rc;
}

static int module_lock_run(struct module_domain *d, const struct vcpu *core)
{
	int rc = module_lock_vcpu(d, core);

	if (rc)
		return rc;
	atomic_inc(&d->running);
	up_read(&d->sem);
	return 0;
}

static int module_lock(struct abi_domain *abi, enum abi_lock lock, const struct vcpu *v)
{
	struct module_domain *d = module_domain(abi);

	switch (lock) {
	case ABI_LOCK_NONE: break;
	case ABI_LOCK_READ: return down_read_killable(&d->sem);
	case ABI_LOCK_WRITE: return down_write_killable(&d->sem);
	case ABI_LOCK_QUIET: return module_lock_quiet(d);
	case ABI_LOCK_VCPU: return module_lock_vcpu(d, v);
	case ABI_LOCK_RUN: return module_lock_run(d, v);
	}
	return 0;
}

static void module_unlock(struct abi_domain *abi, enum abi_lock lock, const struct vcpu *v)
{
	struct module_domain *d = module_domain(abi);

	switch (lock) {
	case ABI_LOCK_NONE: break;
	case ABI_LOCK_READ: up_read(&d->sem); break;
	case ABI_LOCK_WRITE: up_write(&d->sem); break;
	case ABI_LOCK_QUIET:
		module_unquiet(d);
		up_write(&d->sem);
		break;
	case ABI_LOCK_VCPU:
		up_read(&d->sem);
		mutex_unlock(&d->vcpu[v->id].mutex);
		break;
	case ABI_LOCK_RUN:
		atomic_dec(&d->running);
		mutex_unlock(&d->vcpu[v->id].mutex);
		break;
	}
}

/* -- memory -------------------------------------------------------------------------------- */

static int module_memory_get(struct abi_domain *abi, const struct hvm_ioctl_memory *a, void **ret)
{
	return memory_get(&module_domain(abi)->memory, a, ret);
}

static void module_memory_changed(struct abi_domain *abi)
{
	struct module_domain *d = module_domain(abi);

	if (!atomic_read(&d->running))
		memory_reclaim(&d->memory, abi->core);
}

/* -- a domain's file ----------------------------------------------------------------------- */

static long domain_file_ioctl(struct file *file, unsigned int call, unsigned long arg)
{
	struct module_domain *d = file->private_data;
	const struct abi_target t = {
		.os = &module_abi_os,
		.domain = &d->abi,
		.kind = ABI_DOMAIN,
	};

	/* A child has another address space: its pages are not the guest's. */
	if (current->mm != d->memory.mm)
		return -EIO;
	return abi_call(&t, call, arg);
}

static int domain_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct module_domain *d = file->private_data;

	return module_map_page(vma, d->abi.core->bufioreq);
}

static int domain_file_release(struct inode *inode, struct file *file)
{
	module_domain_put(file->private_data);
	return 0;
}

static const struct file_operations domain_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = domain_file_ioctl,
	.mmap = domain_file_mmap,
	.release = domain_file_release,
	.llseek = noop_llseek,
};

/* -- a domain's life ----------------------------------------------------------------------- */

static void domain_release(struct kref *ref)
{
	struct module_domain *d = container_of(ref, struct module_domain, ref);

	/* Until the core is gone it may use guest memory. */
	abi_domain_destroy(&d->abi);
	memory_fini(&d->memory);
	vendor_put();
	kvfree(d);
}

void module_domain_put(struct module_domain *d)
{
	kref_put(&d->ref, domain_release);
}

static struct module_domain *domain_new(const struct hvm_domain_config *cfg,
					const struct hvm_function_table *ops)
{
	struct module_domain *d = kvzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	unsigned int i;
	int rc;

	if (!d)
		return ERR_PTR(-ENOMEM);
	rc = abi_domain_create(cfg, ops, &module_abi_os, &d->abi);
	if (rc) {
		kvfree(d);
		return ERR_PTR(rc);
	}
	kref_init(&d->ref);
	init_rwsem(&d->sem);
	memory_init(&d->memory);
	for (i = 0; i < d->abi.core->vcpu_count; i++) {
		d->vcpu[i].domain = d;
		d->vcpu[i].core = d->abi.core->vcpu[i];
		mutex_init(&d->vcpu[i].mutex);
	}
	return d;
}

static int module_domain_file(const struct hvm_domain_config *cfg)
{
	const struct hvm_function_table *ops;
	struct module_domain *d;
	int rc;

	rc = vendor_get(cfg->engine, &ops);
	if (rc)
		return rc;
	d = domain_new(cfg, ops);
	if (IS_ERR(d)) {
		vendor_put();
		return PTR_ERR(d);
	}
	rc = anon_inode_getfd("hvm-domain", &domain_fops, d, O_RDWR | O_CLOEXEC);
	if (rc < 0)
		module_domain_put(d);
	return rc;
}

/* -- the device ---------------------------------------------------------------------------- */

const struct abi_os module_abi_os = {
	.copy_in = module_copy_in,
	.copy_out = module_copy_out,
	.lock = module_lock,
	.unlock = module_unlock,
	.memory_get = module_memory_get,
	.memory_changed = module_memory_changed,
	.eventfd_get = os_eventfd_register,
	.eventfd_put = os_eventfd_unregister,
	.eventfd_is = os_eventfd_is,
	.domain_file = module_domain_file,
	.vcpu_file = module_vcpu_file,
	.vendors = vendor_describe,
};

static long hvm_file_ioctl(struct file *file, unsigned int call, unsigned long arg)
{
	const struct abi_target t = { .os = &module_abi_os, .kind = ABI_DEVICE };

	return abi_call(&t, call, arg);
}

static const struct file_operations hvm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = hvm_file_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice hvm_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hvm",
	.fops = &hvm_fops,
	.mode = 0660,
};

int module_device_init(void)
{
	/* The header makes its numbers without the kernel's help. */
	BUILD_BUG_ON(HVM_IOCTL_INFO != _IOR(HVM_IOCTL_MAGIC, 0x00, struct hvm_ioctl_info));
	BUILD_BUG_ON(HVM_IOCTL_CREATE != _IOW(HVM_IOCTL_MAGIC, 0x01, struct hvm_ioctl_create));
	BUILD_BUG_ON(HVM_IOCTL_SAVE != _IOWR(HVM_IOCTL_MAGIC, 0x1b, struct hvm_ioctl_stream));
	BUILD_BUG_ON(HVM_IOCTL_NMI != _IO(HVM_IOCTL_MAGIC, 0x15));
	BUILD_BUG_ON(HVM_ENOTTY != ENOTTY);
	return misc_register(&hvm_misc);
}

void module_device_fini(void)
{
	misc_deregister(&hvm_misc);
}
