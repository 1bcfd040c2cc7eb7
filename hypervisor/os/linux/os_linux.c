// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * os_linux.c - hvm_os.h in the Linux kernel: memory, locks, clocks, timers, waiters, eventfds, log.
 * CPUs are in os_cpu.c.
 * Locking: the core's spin locks are raw and keep interrupts off, for its timer callbacks run in
 * hard interrupt context. Each timer has a lock of its own for the moment of its end. The table of
 * eventfds is an xarray with its own lock.
 * Saved: nothing.
 */
#include "os/linux/os_linux.h"

#include <asm/io.h>
#include <asm/tsc.h>
#include <linux/eventfd.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swait.h>
#include <linux/timekeeping.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#ifdef CONFIG_PREEMPT_RT
#error "hvm signals eventfds under raw spin locks: PREEMPT_RT kernels are not served"
#endif

/* -- memory -------------------------------------------------------------------------------- */

/* Up to here hvm_os_alloc_pages() is physically contiguous; the core relies on less. */
#define OS_CONTIGUOUS_BYTES (64u << 10)

void *hvm_os_alloc(size_t bytes)
{
	/* Powers of two are aligned to their size, so that 64 bytes hold for all. */
	if (bytes <= PAGE_SIZE)
		return kzalloc(bytes <= 64 ? 64 : roundup_pow_of_two(bytes), GFP_KERNEL_ACCOUNT);
	return kvzalloc(bytes, GFP_KERNEL_ACCOUNT);
}

void hvm_os_free(void *p)
{
	kvfree(p);
}

void *hvm_os_alloc_pages(size_t bytes)
{
	if (!bytes)
		return NULL;
	if (bytes <= OS_CONTIGUOUS_BYTES)
		return alloc_pages_exact(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return __vmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

void hvm_os_free_pages(void *p, size_t bytes)
{
	if (!p)
		return;
	if (is_vmalloc_addr(p))
		vfree(p);
	else
		free_pages_exact(p, bytes);
}

hpa_t hvm_os_hva_to_hpa(const void *hva)
{
	if (is_vmalloc_addr(hva))
		return PFN_PHYS(vmalloc_to_pfn(hva)) + offset_in_page(hva);
	return virt_to_phys((void *)hva);
}

void *hvm_os_hpa_to_hva(hpa_t hpa)
{
	return phys_to_virt(hpa);
}

/* -- locks --------------------------------------------------------------------------------- */

static struct mutex *os_mutex(struct hvm_os_mutex *m)
{
	BUILD_BUG_ON(sizeof(struct mutex) > sizeof(m->opaque));
	return (struct mutex *)m->opaque;
}

void hvm_os_mutex_init(struct hvm_os_mutex *m)
{
	mutex_init(os_mutex(m));
}

void hvm_os_mutex_fini(struct hvm_os_mutex *m)
{
	mutex_destroy(os_mutex(m));
}

void hvm_os_mutex_lock(struct hvm_os_mutex *m)
{
	mutex_lock(os_mutex(m));
}

void hvm_os_mutex_unlock(struct hvm_os_mutex *m)
{
	mutex_unlock(os_mutex(m));
}

struct os_spin {
	raw_spinlock_t lock;
	unsigned long flags; /* of the holder */
};

static struct os_spin *os_spin(struct hvm_os_spinlock *l)
{
	BUILD_BUG_ON(sizeof(struct os_spin) > sizeof(l->opaque));
	return (struct os_spin *)l->opaque;
}

void hvm_os_spin_init(struct hvm_os_spinlock *l)
{
	raw_spin_lock_init(&os_spin(l)->lock);
	/* One place initialises the locks of all chips: their order cannot be told by it. */
	lockdep_set_novalidate_class(&os_spin(l)->lock);
}

void hvm_os_spin_fini(struct hvm_os_spinlock *l)
{
}

void hvm_os_spin_lock(struct hvm_os_spinlock *l) __acquires(l)
{
	struct os_spin *s = os_spin(l);
	unsigned long flags;

	__acquire(l);
	raw_spin_lock_irqsave(&s->lock, flags);
	s->flags = flags;
	__release(&s->lock);
}

void hvm_os_spin_unlock(struct hvm_os_spinlock *l) __releases(l)
{
	struct os_spin *s = os_spin(l);
	unsigned long flags = s->flags;

	__acquire(&s->lock);
	raw_spin_unlock_irqrestore(&s->lock, flags);
	__release(l);
}

/* -- clocks -------------------------------------------------------------------------------- */

uint64_t hvm_os_now_ns(void)
{
	return ktime_get_ns();
}

uint64_t hvm_os_wall_s(void)
{
	return ktime_get_real_seconds();
}

uint64_t hvm_os_rdtsc(void)
{
	return rdtsc_ordered();
}

uint64_t hvm_os_tsc_khz(void)
{
	return tsc_khz;
}

/* -- timers -------------------------------------------------------------------------------- */

struct hvm_os_timer {
	struct hrtimer timer;
	raw_spinlock_t lock; /* dying, against arming */
	bool dying;
	hvm_os_timer_fn fn;
	void *arg;
};

/* A callback that wants to run again arms its timer itself. */
static enum hrtimer_restart os_timer_fire(struct hrtimer *timer)
{
	struct hvm_os_timer *t = container_of(timer, struct hvm_os_timer, timer);

	t->fn(t->arg);
	return HRTIMER_NORESTART;
}

struct hvm_os_timer *hvm_os_timer_create(hvm_os_timer_fn fn, void *arg)
{
	struct hvm_os_timer *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&t->timer, os_timer_fire, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
#else
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	t->timer.function = os_timer_fire;
#endif
	raw_spin_lock_init(&t->lock);
	t->fn = fn;
	t->arg = arg;
	return t;
}

void hvm_os_timer_destroy(struct hvm_os_timer *t)
{
	unsigned long flags;

	if (!t)
		return;
	/* From here on a callback cannot arm it again, so the wait below ends. */
	raw_spin_lock_irqsave(&t->lock, flags);
	t->dying = true;
	raw_spin_unlock_irqrestore(&t->lock, flags);
	hrtimer_cancel(&t->timer);
	kfree(t);
}

void hvm_os_timer_arm(struct hvm_os_timer *t, uint64_t deadline_ns)
{
	unsigned long flags;

	/* No such time: guest time stands still. */
	if (deadline_ns >= KTIME_MAX) {
		hvm_os_timer_cancel(t);
		return;
	}
	raw_spin_lock_irqsave(&t->lock, flags);
	if (!t->dying)
		hrtimer_start(&t->timer, ns_to_ktime(deadline_ns), HRTIMER_MODE_ABS_HARD);
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

void hvm_os_timer_cancel(struct hvm_os_timer *t)
{
	hrtimer_try_to_cancel(&t->timer);
}

/* -- sleeping vcpus ------------------------------------------------------------------------ */

struct os_waiter {
	struct swait_queue_head queue;
	atomic_t token;
};

static unsigned int halt_poll_us = 50;
module_param(halt_poll_us, uint, 0644);
MODULE_PARM_DESC(halt_poll_us, "how long a halted vcpu looks for an interrupt before it sleeps");

#define OS_HALT_POLL_MAX_US 1000u

static struct os_waiter *os_waiter(struct hvm_os_waiter *w)
{
	BUILD_BUG_ON(sizeof(struct os_waiter) > sizeof(w->opaque));
	return (struct os_waiter *)w->opaque;
}

void hvm_os_waiter_init(struct hvm_os_waiter *w)
{
	init_swait_queue_head(&os_waiter(w)->queue);
	atomic_set(&os_waiter(w)->token, 0);
}

void hvm_os_waiter_fini(struct hvm_os_waiter *w)
{
}

static bool os_waiter_take(struct os_waiter *o)
{
	return atomic_read(&o->token) && atomic_xchg(&o->token, 0);
}

/*
 * To sleep and to be woken costs more than a short wait, unless another task wants the CPU: that
 * may be the one that is waited for.
 */
static bool os_waiter_poll(struct os_waiter *o)
{
	u64 us = min(READ_ONCE(halt_poll_us), OS_HALT_POLL_MAX_US), end = 0;

	while (!os_waiter_take(o)) {
		if (!us || !single_task_running() || need_resched() || signal_pending(current))
			return false;
		if (!end)
			end = ktime_get_ns() + us * NSEC_PER_USEC;
		else if (ktime_get_ns() >= end)
			return false;
		cpu_relax();
	}
	return true;
}

/* A signal ends the wait too: the caller asks hvm_os_interrupted() next. */
void hvm_os_waiter_wait(struct hvm_os_waiter *w)
{
	struct os_waiter *o = os_waiter(w);

	if (!os_waiter_poll(o))
		(void)swait_event_interruptible_exclusive(o->queue, os_waiter_take(o));
}

void hvm_os_waiter_wake(struct hvm_os_waiter *w)
{
	struct os_waiter *o = os_waiter(w);

	/* A full barrier: whoever goes to sleep from here on sees the token. */
	if (!atomic_xchg(&o->token, 1) && swq_has_sleeper(&o->queue))
		swake_up_one(&o->queue);
}

void hvm_os_yield(void)
{
	cond_resched();
	cpu_relax();
}

bool hvm_os_interrupted(void)
{
	cond_resched();
	return signal_pending(current);
}

bool hvm_os_must_leave(void)
{
	return need_resched() || signal_pending(current);
}

/* -- eventfds ------------------------------------------------------------------------------ */

/*
 * The core knows an eventfd by a number. It signals under the lock under which doorbells are
 * removed, and a number is unregistered after its doorbell: so what is found is alive.
 */
static DEFINE_XARRAY_ALLOC(os_eventfds);

int os_eventfd_register(int fd)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);
	u32 id;
	int rc;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	rc = xa_alloc(&os_eventfds, &id, ctx, XA_LIMIT(0, INT_MAX), GFP_KERNEL_ACCOUNT);
	if (rc) {
		eventfd_ctx_put(ctx);
		return rc;
	}
	return (int)id;
}

void os_eventfd_unregister(int id)
{
	struct eventfd_ctx *ctx = xa_erase(&os_eventfds, id);

	if (ctx)
		eventfd_ctx_put(ctx);
}

bool os_eventfd_is(int id, int fd)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);
	bool same;

	if (IS_ERR(ctx))
		return false;
	same = xa_load(&os_eventfds, id) == ctx;
	eventfd_ctx_put(ctx);
	return same;
}

void hvm_os_eventfd_signal(int fd)
{
	struct eventfd_ctx *ctx = xa_load(&os_eventfds, fd);

	if (!ctx)
		return;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* -- log ----------------------------------------------------------------------------------- */

/* A guest can make the core speak: no more than a few lines a second reach the log. */
void hvm_os_log(enum hvm_log_level level, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list ap;

	va_start(ap, fmt);
	vaf.va = &ap;
	switch (level) {
	case HVM_LOG_DEBUG: pr_debug("hvm: %pV\n", &vaf); break;
	case HVM_LOG_INFO: pr_info_ratelimited("hvm: %pV\n", &vaf); break;
	case HVM_LOG_WARN: pr_warn_ratelimited("hvm: %pV\n", &vaf); break;
	case HVM_LOG_ERROR: pr_err_ratelimited("hvm: %pV\n", &vaf); break;
	}
	va_end(ap);
}

int hvm_os_vformat(char *buf, size_t bytes, const char *fmt, __builtin_va_list ap)
{
	return vsnprintf(buf, bytes, fmt, ap);
}

int hvm_os_format(char *buf, size_t bytes, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, bytes, fmt, ap);
	va_end(ap);
	return n;
}

void hvm_os_bug(const char *file, int line, const char *what)
{
	pr_emerg("hvm: bug: %s:%d: %s\n", file, line, what);
	BUG();
}
