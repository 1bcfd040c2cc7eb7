// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vendors.c - which of svm and vmx serves on this host. Probing switches virtualization on, on
 * every CPU; it is on while there are domains, so that another hypervisor finds it free otherwise.
 * Locking: vendor_mutex. Saved: nothing.
 */
#include "os/linux/hvm_module.h"
#include "vmx/vmx_options.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/string.h>

const struct hvm_function_table *__weak svm_probe(const char **why, int *error)
{
	*why = "this build has no svm";
	*error = -ENODEV;
	return NULL;
}

void __weak svm_unload(void)
{
}

/* What the processor offers is used; each can be switched off. */
module_param_named(vmx_vpid, vmx_options.vpid, bool, 0444);
module_param_named(vmx_apicv, vmx_options.apicv, bool, 0444);
module_param_named(vmx_pml, vmx_options.pml, bool, 0444);
module_param_named(vmx_timer, vmx_options.timer, bool, 0444);
module_param_named(vmx_pause_loop, vmx_options.pause_loop, bool, 0444);

struct vendor {
	const char *name;
	u32 engine;
	const struct hvm_function_table *(*probe)(const char **why, int *error);
};

static const struct vendor vendors[MODULE_VENDORS] = {
	{ "svm", HVM_ENGINE_SVM, svm_probe },
	{ "vmx", HVM_ENGINE_VMX, vmx_probe },
};

static DEFINE_MUTEX(vendor_mutex);
static const struct hvm_function_table *vendor_table; /* switched on; NULL: none */
static const struct vendor *vendor_on;
static unsigned int vendor_users;
/* What the last look found. */
static const char *vendor_why[MODULE_VENDORS];
static int vendor_error[MODULE_VENDORS] = { -EAGAIN, -EAGAIN };

/* Switch one vendor on. Mutex held, none is on. */
static int vendor_try(unsigned int i)
{
	const char *why = "it gave no reason", *hole;
	int error = 0;
	const struct hvm_function_table *t = vendors[i].probe(&why, &error);

	vendor_error[i] = t ? 0 : error;
	if (t) {
		hole = hvm_table_check(t);
		if (hole) {
			pr_err("hvm: %s has no operation %s\n", vendors[i].name, hole);
			why = "its function table has a hole";
			vendor_error[i] = -ENODEV;
		}
	}
	if (!vendor_error[i]) {
		vendor_table = t;
		vendor_on = &vendors[i];
		why = "the processor's own virtualization";
	} else {
		/* What it switched on before it gave up. */
		hvm_os_off_each_cpu();
	}
	vendor_why[i] = why;
	return vendor_error[i];
}

static void vendor_off(void)
{
	hvm_os_off_each_cpu();
	vendor_table = NULL;
	vendor_on = NULL;
}

/* Mutex held. */
static int vendor_switch_on(u32 engine)
{
	int rc = -ENODEV;
	unsigned int i;

	if (vendor_table)
		return engine == HVM_ENGINE_AUTO || engine == vendor_on->engine ? 0 : -ENODEV;
	for (i = 0; i < MODULE_VENDORS && rc; i++) {
		if (engine == HVM_ENGINE_AUTO || engine == vendors[i].engine) {
			int error = vendor_try(i);

			/* "Not there" of the one says less than "in use" of the other. */
			if (rc == -ENODEV || !error)
				rc = error;
		}
	}
	return rc;
}

int vendor_get(uint32_t engine, const struct hvm_function_table **ret)
{
	unsigned int i;
	int rc;

	if (engine != HVM_ENGINE_AUTO && engine != HVM_ENGINE_SVM && engine != HVM_ENGINE_VMX)
		return -EINVAL;
	mutex_lock(&vendor_mutex);
	rc = vendor_switch_on(engine);
	if (!rc) {
		vendor_users++;
		*ret = vendor_table;
	}
	for (i = 0; i < MODULE_VENDORS && rc; i++) {
		if (engine == HVM_ENGINE_AUTO || engine == vendors[i].engine)
			pr_info_ratelimited("hvm: a domain is refused: %s: %s\n", vendors[i].name,
					    vendor_why[i]);
	}
	mutex_unlock(&vendor_mutex);
	return rc;
}

void vendor_put(void)
{
	mutex_lock(&vendor_mutex);
	if (!--vendor_users)
		vendor_off();
	mutex_unlock(&vendor_mutex);
}

void vendor_describe(struct hvm_ioctl_vendor ret[MODULE_VENDORS])
{
	unsigned int i;

	mutex_lock(&vendor_mutex);
	for (i = 0; i < MODULE_VENDORS; i++) {
		/* The other hypervisor may have come or gone since. */
		if (!vendor_table && !vendor_try(i))
			vendor_off();
		ret[i].error = vendor_error[i];
		ret[i].engine = vendors[i].engine;
		strscpy(ret[i].reason, vendor_why[i] ? vendor_why[i] : "not looked at yet",
			sizeof(ret[i].reason));
	}
	mutex_unlock(&vendor_mutex);
}

void vendor_unload(void)
{
	svm_unload();
	vmx_unload();
}
