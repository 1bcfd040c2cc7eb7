// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hvm_dev.c - /dev/hvm and the files of domains: their calls, their life, the buffered ring's page.
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

static int module_copy_out(uint64_t to, const void *from, size_t bytes)
{
	return copy_to_user(u64_to_user_ptr(to), from, bytes) ? -EFAULT : 0;
}

const struct abi_os module_abi_os = {
	.copy_in = module_copy_in,
	.copy_out = module_copy_out,
};

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

/* -- calls --------------------------------------------------------------------------------- */

/* All vcpus held still, or -EBUSY. sem is written. */
static int module_quiet(struct module_domain *d)
{
	unsigned int i;

	for (i = 0; i < d->core->vcpu_count; i++) {
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

	for (i = 0; i < d->core->vcpu_count; i++)
		mutex_unlock(&d->vcpu[i].mutex);
}

static int module_lock(u32 lock, struct module_domain *d, struct module_vcpu *v)
{
	int rc = 0;

	switch ((enum abi_lock)lock) {
	case ABI_LOCK_NONE: break;
	case ABI_LOCK_READ: rc = down_read_killable(&d->sem); break;
	case ABI_LOCK_WRITE: rc = down_write_killable(&d->sem); break;
	case ABI_LOCK_QUIET:
		rc = down_write_killable(&d->sem);
		if (rc)
			break;
		rc = module_quiet(d);
		if (rc)
			up_write(&d->sem);
		break;
	case ABI_LOCK_VCPU:
		if (!mutex_trylock(&v->mutex))
			return -EBUSY;
		rc = down_read_killable(&d->sem);
		if (rc)
			mutex_unlock(&v->mutex);
		break;
	}
	return rc;
}

static void module_unlock(u32 lock, struct module_domain *d, struct module_vcpu *v)
{
	switch ((enum abi_lock)lock) {
	case ABI_LOCK_NONE: break;
	case ABI_LOCK_READ: up_read(&d->sem); break;
	case ABI_LOCK_WRITE: up_write(&d->sem); break;
	case ABI_LOCK_QUIET:
		module_unquiet(d);
		up_write(&d->sem);
		break;
	case ABI_LOCK_VCPU:
		up_read(&d->sem);
		mutex_unlock(&v->mutex);
		break;
	}
}

long module_call(const struct abi_call *c, struct module_domain *d, struct module_vcpu *v,
		 unsigned long arg)
{
	const struct abi_target t = {
		.domain = d->core,
		.vcpu = v ? v->core : NULL,
		.os = &module_abi_os,
	};
	u8 buf[ABI_ARG_BYTES] __aligned(8) = {};
	size_t bytes = HVM_IOCTL_BYTES(c->call);
	int rc;

	if (HVM_IOCTL_IS_WRITE(c->call) && copy_from_user(buf, (void __user *)arg, bytes))
		return -EFAULT;
	rc = module_lock(c->lock, d, v);
	if (rc)
		return rc;
	rc = c->fn(&t, buf);
	module_unlock(c->lock, d, v);
	/* What a failed call wrote there says how much was missing. */
	if (HVM_IOCTL_IS_READ(c->call) && (rc >= 0 || rc == -ENOSPC) &&
	    copy_to_user((void __user *)arg, buf, bytes))
		return -EFAULT;
	return rc;
}

/* -- a domain's own calls ------------------------------------------------------------------ */

static long domain_ioctl_memory(struct module_domain *d, unsigned long arg)
{
	struct hvm_ioctl_memory a;
	int rc;

	if (copy_from_user(&a, (void __user *)arg, sizeof(a)))
		return -EFAULT;
	rc = down_write_killable(&d->sem);
	if (rc)
		return rc;
	rc = memory_map(&d->memory, d->core, &a);
	if (!atomic_read(&d->running))
		memory_reclaim(&d->memory, d->core);
	up_write(&d->sem);
	return rc;
}

static struct module_doorbell *doorbell_find(struct module_domain *d,
					     const struct hvm_ioctl_doorbell *a)
{
	unsigned int i;

	for (i = 0; i < MODULE_DOORBELLS; i++) {
		struct module_doorbell *s = &d->doorbell[i];

		if (s->used && s->bell.type == a->type && s->bell.address == a->address &&
		    os_eventfd_is(s->bell.eventfd, a->eventfd))
			return s;
	}
	return NULL;
}

static int doorbell_remove(struct module_domain *d, const struct hvm_ioctl_doorbell *a)
{
	struct module_doorbell *s = doorbell_find(d, a);
	int rc;

	if (!s)
		return -ENOENT;
	rc = domain_doorbell_remove(d->core, &s->bell);
	if (rc)
		return rc;
	os_eventfd_unregister(s->bell.eventfd);
	s->used = false;
	return 0;
}

static int doorbell_add(struct module_domain *d, const struct hvm_ioctl_doorbell *a)
{
	struct module_doorbell *s = d->doorbell;
	int id, rc;

	while (s->used && ++s < d->doorbell + MODULE_DOORBELLS)
		;
	if (s == d->doorbell + MODULE_DOORBELLS)
		return -ENOSPC;
	id = os_eventfd_register(a->eventfd);
	if (id < 0)
		return id;
	s->bell = (struct hvm_doorbell){
		.address = a->address,
		.match = a->match,
		.eventfd = id,
		.type = a->type,
		.size = a->size,
		.has_match = a->has_match,
	};
	rc = domain_doorbell_add(d->core, &s->bell);
	if (rc)
		os_eventfd_unregister(id);
	s->used = !rc;
	return rc;
}

static long domain_ioctl_doorbell(struct module_domain *d, unsigned long arg)
{
	struct hvm_ioctl_doorbell a;
	int rc;

	if (copy_from_user(&a, (void __user *)arg, sizeof(a)))
		return -EFAULT;
	if (a.has_match > 1 || a.remove > 1)
		return -EINVAL;
	mutex_lock(&d->doorbell_mutex);
	rc = a.remove ? doorbell_remove(d, &a) : doorbell_add(d, &a);
	mutex_unlock(&d->doorbell_mutex);
	return rc;
}

static long domain_ioctl_vcpu(struct module_domain *d, unsigned long arg)
{
	struct hvm_ioctl_vcpu a;

	if (copy_from_user(&a, (void __user *)arg, sizeof(a)))
		return -EFAULT;
	return a.pad ? -EINVAL : module_vcpu_file(d, a.index);
}

static long domain_file_ioctl(struct file *file, unsigned int call, unsigned long arg)
{
	struct module_domain *d = file->private_data;
	const struct abi_call *c;

	/* A child has another address space: its pages are not the guest's. */
	if (current->mm != d->memory.mm)
		return -EIO;
	switch (call) {
	case HVM_IOCTL_MEMORY: return domain_ioctl_memory(d, arg);
	case HVM_IOCTL_DOORBELL: return domain_ioctl_doorbell(d, arg);
	case HVM_IOCTL_VCPU: return domain_ioctl_vcpu(d, arg);
	}
	c = abi_find_domain(call);
	return c ? module_call(c, d, NULL, arg) : -ENOTTY;
}

static int domain_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct module_domain *d = file->private_data;

	return module_map_page(vma, d->core->bufioreq);
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
	unsigned int i;

	/* The core first: until it is gone it may signal an eventfd or use guest memory. */
	domain_destroy(d->core);
	for (i = 0; i < MODULE_DOORBELLS; i++) {
		if (d->doorbell[i].used)
			os_eventfd_unregister(d->doorbell[i].bell.eventfd);
	}
	memory_fini(&d->memory);
	vendor_put();
	kvfree(d);
}

void module_domain_put(struct module_domain *d)
{
	kref_put(&d->ref, domain_release);
}

static struct module_domain *domain_new(const struct hvm_ioctl_create *a,
					const struct hvm_function_table *ops)
{
	struct hvm_domain_config cfg = {
		.engine = a->engine,
		.cpu_model = a->cpu_model,
		.vcpus = a->vcpus,
		.rtc_base_s = a->rtc_base_s,
	};
	struct module_domain *d = kvzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	unsigned int i;
	int rc;

	if (!d)
		return ERR_PTR(-ENOMEM);
	memcpy(cfg.name, a->name, sizeof(cfg.name) - 1);
	rc = domain_create(&cfg, ops, &d->core);
	if (rc) {
		kvfree(d);
		return ERR_PTR(rc);
	}
	kref_init(&d->ref);
	init_rwsem(&d->sem);
	mutex_init(&d->doorbell_mutex);
	memory_init(&d->memory);
	for (i = 0; i < d->core->vcpu_count; i++) {
		d->vcpu[i].domain = d;
		d->vcpu[i].core = d->core->vcpu[i];
		mutex_init(&d->vcpu[i].mutex);
	}
	return d;
}

static long hvm_file_create(unsigned long arg)
{
	const struct hvm_function_table *ops;
	struct hvm_ioctl_create a;
	struct module_domain *d;
	int rc;

	if (copy_from_user(&a, (void __user *)arg, sizeof(a)))
		return -EFAULT;
	if (a.version != HVM_IOCTL_VERSION || a.cpu_model > HVM_CPU_V2 || !a.vcpus ||
	    a.vcpus > HVM_MAX_VCPUS)
		return -EINVAL;
	rc = vendor_get(a.engine, &ops);
	if (rc)
		return rc;
	d = domain_new(&a, ops);
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

static long hvm_file_info(unsigned long arg)
{
	struct hvm_ioctl_info a = {
		.version = HVM_IOCTL_VERSION,
		.max_vcpus = HVM_MAX_VCPUS,
		.stats = sizeof(struct hvm_stats) / sizeof(uint64_t),
	};

	BUILD_BUG_ON(HVM_ARRAY_SIZE(a.vendor) != MODULE_VENDORS);
	vendor_describe(a.vendor);
	return copy_to_user((void __user *)arg, &a, sizeof(a)) ? -EFAULT : 0;
}

static long hvm_file_ioctl(struct file *file, unsigned int call, unsigned long arg)
{
	switch (call) {
	case HVM_IOCTL_INFO: return hvm_file_info(arg);
	case HVM_IOCTL_CREATE: return hvm_file_create(arg);
	}
	return -ENOTTY;
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
	BUILD_BUG_ON(sizeof(struct hvm_ioctl_info) > ABI_ARG_BYTES);
	return misc_register(&hvm_misc);
}

void module_device_fini(void)
{
	misc_deregister(&hvm_misc);
}
