// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * os_cpu.c - CPUs, for vmx and svm: staying on one, putting the host's FPU away, kicking one out of
 * guest mode, and switching virtualization on and off on all of them as they come and go.
 * Locking: os_cpus_lock orders on_each_cpu and off_each_cpu; os_cpu_on is each CPU's own. Saved:
 * nothing.
 */
#include "os/linux/os_linux.h"

#include <asm/fpu/api.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irqflags.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>

void hvm_os_pin(void)
{
	preempt_disable();
}

void hvm_os_unpin(void)
{
	preempt_enable();
}

unsigned int hvm_os_cpu(void)
{
	return raw_smp_processor_id();
}

void hvm_os_irq_disable(void)
{
	local_irq_disable();
}

void hvm_os_irq_enable(void)
{
	local_irq_enable();
}

void hvm_os_fpu_begin(void)
{
	kernel_fpu_begin();
}

void hvm_os_fpu_end(void)
{
	kernel_fpu_end();
}

/* The interrupt does nothing; taking it is what leaves guest mode. */
void hvm_os_cpu_kick(unsigned int cpu)
{
	if (cpu < nr_cpu_ids && cpu_online(cpu))
		smp_send_reschedule(cpu);
}

/* -- on every CPU -------------------------------------------------------------------------- */

static struct {
	int (*on)(void *arg);
	void (*off)(void *arg);
	void *arg;
	int state; /* of the CPU hotplug machinery; 0: none */
} os_cpus;

static DEFINE_MUTEX(os_cpus_lock);
static DEFINE_PER_CPU(bool, os_cpu_on);

/* On a thread that is bound to this CPU (or in its interrupt); both may sleep in the former case.
 */
static int os_cpu_start(void)
{
	int rc = 0;

	if (!__this_cpu_read(os_cpu_on)) {
		rc = os_cpus.on(os_cpus.arg);
		__this_cpu_write(os_cpu_on, rc == 0);
	}
	return rc;
}

static void os_cpu_stop(void *unused)
{
	if (__this_cpu_read(os_cpu_on)) {
		os_cpus.off(os_cpus.arg);
		__this_cpu_write(os_cpu_on, false);
	}
}

static int os_cpu_online(unsigned int cpu)
{
	return os_cpu_start();
}

static int os_cpu_offline(unsigned int cpu)
{
	os_cpu_stop(NULL);
	return 0;
}

int hvm_os_on_each_cpu(int (*on)(void *arg), void (*off)(void *arg), void *arg)
{
	int rc = -EBUSY;

	mutex_lock(&os_cpus_lock);
	if (!os_cpus.state) {
		os_cpus.on = on;
		os_cpus.off = off;
		os_cpus.arg = arg;
		rc = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hvm:online", os_cpu_online,
				       os_cpu_offline);
		if (rc > 0)
			os_cpus.state = rc;
	}
	mutex_unlock(&os_cpus_lock);
	return rc > 0 ? 0 : rc;
}

void hvm_os_off_each_cpu(void)
{
	mutex_lock(&os_cpus_lock);
	if (os_cpus.state)
		cpuhp_remove_state(os_cpus.state);
	os_cpus.state = 0;
	mutex_unlock(&os_cpus_lock);
}

/* -- suspend and reboot: the hotplug machinery leaves the boot processor alone ---------------- */

static int os_cpu_suspend(void)
{
	os_cpu_stop(NULL);
	return 0;
}

static void os_cpu_resume(void)
{
	if (READ_ONCE(os_cpus.state) && os_cpu_start())
		pr_err("hvm: virtualization did not come back on CPU %u after suspend\n",
		       raw_smp_processor_id());
}

static struct syscore_ops os_cpu_syscore = {
	.suspend = os_cpu_suspend,
	.resume = os_cpu_resume,
};

/* A CPU in VMX operation ignores INIT, and one with SVM on confuses the next kernel. */
static int os_cpu_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	on_each_cpu(os_cpu_stop, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block os_cpu_reboot_block = {
	.notifier_call = os_cpu_reboot,
};

int os_cpu_init(void)
{
	register_syscore_ops(&os_cpu_syscore);
	register_reboot_notifier(&os_cpu_reboot_block);
	return 0;
}

void os_cpu_fini(void)
{
	hvm_os_off_each_cpu();
	unregister_reboot_notifier(&os_cpu_reboot_block);
	unregister_syscore_ops(&os_cpu_syscore);
}
