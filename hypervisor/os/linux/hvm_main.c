// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hvm_main.c - the module: start and end. It loads on any x86-64 host; where no vendor serves, the
 * reason goes to the log, and /dev/hvm tells it to whoever asks or wants a domain.
 */
#include "os/linux/hvm_module.h"

#include <linux/module.h>
#include <linux/printk.h>
#include <linux/slab.h>

static int __init hvm_init(void)
{
	struct hvm_ioctl_vendor vendor[MODULE_VENDORS] = {};
	unsigned int i;
	int rc = os_cpu_init();

	if (rc)
		return rc;
	vendor_describe(vendor);
	for (i = 0; i < MODULE_VENDORS; i++)
		pr_info("hvm: %s: %s%s\n", vendor[i].engine == HVM_ENGINE_SVM ? "svm" : "vmx",
			vendor[i].error ? "does not serve: " : "", vendor[i].reason);
	rc = module_device_init();
	if (rc) {
		os_cpu_fini();
		vendor_unload();
	}
	return rc;
}

/* No domain is left: each of their files holds the module. */
static void __exit hvm_exit_module(void)
{
	module_device_fini();
	os_cpu_fini();
	vendor_unload();
}

module_init(hvm_init);
module_exit(hvm_exit_module);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the hvm authors");
MODULE_DESCRIPTION("hvm: hardware virtual machines on AMD SVM and Intel VT-x");
MODULE_VERSION("0.1.0");
