// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * os_cpu.c - CPUs, for vmx and svm: staying on one, putting the host's FPU away, kicking one out of
 * guest mode, and switching virtualization on and off on all of them as they come and go.
 * Locking: os_cpus_lock orders on_each_cpu and off_each_cpu; os_cpu_on is each CPU's own. Saved:
 * nothing.
 */
#include "os/linux/os_linux.h"

#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/nospec-branch.h>
#include <asm/perf_event.h>
#include <asm/processor-flags.h>
#include <asm/tlbflush.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irqflags.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#ifdef smp_send_reschedule /* a macro that traces, since 6.4 */
#include <trace/events/ipi.h>
#endif

/*
 * A CPU that goes away has virtualization switched off while threads may still be on it: 5.10 moves
 * them later, newer kernels before. It is not active any more by then, so that a thread that sleeps
 * wakes up on another.
 */
void hvm_os_pin(void)
{
	preempt_disable();
	while (unlikely(!cpu_active(raw_smp_processor_id())) && !irqs_disabled()) {
		preempt_enable();
		schedule_timeout_uninterruptible(1);
		preempt_disable();
	}
}

/*
 * A VM exit of VT-x leaves the task state segment without the I/O bitmap behind it. What a guest
 * taught the branch predictor is not for ioemu to follow (VMSCAPE): asked so, the kernel makes the
 * processor forget it on the way to user space.
 */
void hvm_os_unpin(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
	if (boot_cpu_has(X86_FEATURE_VMX))
		invalidate_tss_limit();
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

void hvm_os_call_cpu(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	if (cpu < nr_cpu_ids)
		smp_call_function_single(cpu, fn, arg, 1);
}

/* -- on every CPU -------------------------------------------------------------------------- */

static struct {
	int (*on)(void);
	void (*off)(void);
	unsigned long cr4; /* bits that are set while it is on */
	int state;	   /* of the CPU hotplug machinery; 0: none */
} os_cpus;

static DEFINE_MUTEX(os_cpus_lock);
static DEFINE_PER_CPU(bool, os_cpu_on);

/* Processor trace cannot be on at VMXON. */
static void os_cpu_vmx(bool on)
{
#ifdef CONFIG_CPU_SUP_INTEL
	if (os_cpus.cr4 & X86_CR4_VMXE)
		intel_pt_handle_vmx(on);
#endif
}

/* On a thread that is bound to this CPU (or in its interrupt); both may sleep in the former case.
 */
static int os_cpu_start(void)
{
	int rc;

	if (__this_cpu_read(os_cpu_on))
		return 0;
	if (os_cpus.cr4) {
		/* Through the kernel, which keeps a copy of CR4. */
		if (cr4_read_shadow() & os_cpus.cr4)
			return -EBUSY;
		os_cpu_vmx(true);
		cr4_set_bits(os_cpus.cr4);
	}
	rc = os_cpus.on();
	__this_cpu_write(os_cpu_on, rc == 0);
	if (rc && os_cpus.cr4) {
		cr4_clear_bits(os_cpus.cr4);
		os_cpu_vmx(false);
	}
	return rc;
}

static void os_cpu_stop(void *unused)
{
	unsigned long flags;

	local_irq_save(flags);
	if (__this_cpu_read(os_cpu_on)) {
		os_cpus.off();
		__this_cpu_write(os_cpu_on, false);
		if (os_cpus.cr4) {
			cr4_clear_bits(os_cpus.cr4);
			os_cpu_vmx(false);
		}
	}
	local_irq_restore(flags);
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

int hvm_os_on_each_cpu(int (*on)(void), void (*off)(void), uint64_t cr4)
{
	int rc = -EBUSY;

	mutex_lock(&os_cpus_lock);
	if (!os_cpus.state) {
		os_cpus.on = on;
		os_cpus.off = off;
		os_cpus.cr4 = (unsigned long)cr4;
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
