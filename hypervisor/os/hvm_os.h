/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_os.h - everything the core asks of what it runs on. At most 45 primitives; os/posix and
 * os/linux implement them, and a CI check reads the core's undefined symbols: nothing else may
 * appear. memcpy/memset/memmove/memcmp are the compiler's own and always there.
 */
#ifndef HVM_OS_H
#define HVM_OS_H

#include "hvm/hvm_types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* -- memory. Zeroed; NULL when there is none. Align: 64 bytes at least; pages: HVM_PAGE_SIZE. -- */
void *hvm_os_alloc(size_t bytes);
void hvm_os_free(void *p);
/*
 * Address space that costs memory only where touched (tables, caches). Zeroed, page aligned. A
 * kernel gives physically contiguous memory for up to HVM_OS_CONTIGUOUS_BYTES (permission maps,
 * tables).
 */
#define HVM_OS_CONTIGUOUS_BYTES 16384u
void *hvm_os_alloc_pages(size_t bytes);
void hvm_os_free_pages(void *p, size_t bytes);

/* -- locks. A mutex may sleep; never taken from a timer callback. A spin lock may be. ------------
 */
struct hvm_os_mutex {
	_Alignas(8) uint8_t opaque[192]; /* a kernel that watches its locks needs so much */
};
void hvm_os_mutex_init(struct hvm_os_mutex *m);
void hvm_os_mutex_fini(struct hvm_os_mutex *m);
void hvm_os_mutex_lock(struct hvm_os_mutex *m);
void hvm_os_mutex_unlock(struct hvm_os_mutex *m);

struct hvm_os_spinlock {
	_Alignas(8) uint8_t opaque[96];
};
void hvm_os_spin_init(struct hvm_os_spinlock *l);
void hvm_os_spin_fini(struct hvm_os_spinlock *l);
void hvm_os_spin_lock(struct hvm_os_spinlock *l);
void hvm_os_spin_unlock(struct hvm_os_spinlock *l);

/* -- clocks ----------------------------------------------------------------------------------- */
/* Monotonic nanoseconds; never goes back, the same on every CPU. */
uint64_t hvm_os_now_ns(void);
/* Wall clock, seconds since 1970 UTC. */
uint64_t hvm_os_wall_s(void);
/* The host's TSC now, and its frequency in kHz (constant). */
uint64_t hvm_os_rdtsc(void);
uint64_t hvm_os_tsc_khz(void);

/* -- timers: one-shot; the callback runs on a timer thread (or in softirq), without any lock. ----
 */
struct hvm_os_timer;
typedef void (*hvm_os_timer_fn)(void *arg);
/* NULL: no memory. */
struct hvm_os_timer *hvm_os_timer_create(hvm_os_timer_fn fn, void *arg);
/* Waits for a running callback: do not hold a lock that the callback takes. NULL ignored. */
void hvm_os_timer_destroy(struct hvm_os_timer *t);
/* Fires once at or after @deadline_ns (hvm_os_now_ns clock). Re-arming moves it. Any context. */
void hvm_os_timer_arm(struct hvm_os_timer *t, uint64_t deadline_ns);
/* Does not wait for a running callback: a callback must re-check its device under its lock. */
void hvm_os_timer_cancel(struct hvm_os_timer *t);

/* -- sleeping vcpus ------------------------------------------------------------------------------
 */
struct hvm_os_waiter {
	_Alignas(8) uint8_t opaque[128];
};
void hvm_os_waiter_init(struct hvm_os_waiter *w);
void hvm_os_waiter_fini(struct hvm_os_waiter *w);
/* Sleep until hvm_os_waiter_wake(); a wake that came first is not lost (one token). */
void hvm_os_waiter_wait(struct hvm_os_waiter *w);
void hvm_os_waiter_wake(struct hvm_os_waiter *w);
/*
 * Between two stretches of guest time: others may run if it is their turn. True: a signal waits for
 * this thread, which is to return to its caller soon (it ends hvm_os_waiter_wait() too).
 */
bool hvm_os_interrupted(void);
/* Give the CPU away once, while spinning for another vcpu. */
void hvm_os_yield(void);

/* -- to the caller --------------------------------------------------------------------------------
 */
void hvm_os_eventfd_signal(int fd);
enum hvm_log_level {
	HVM_LOG_DEBUG,
	HVM_LOG_INFO,
	HVM_LOG_WARN,
	HVM_LOG_ERROR
};
void hvm_os_log(enum hvm_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* As snprintf: returns the length that was wanted. */
int hvm_os_format(char *buf, size_t bytes, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int hvm_os_vformat(char *buf, size_t bytes, const char *fmt, __builtin_va_list ap)
	__attribute__((format(printf, 3, 0)));
/* Our own invariant is broken and going on could corrupt the host. Does not return. */
void hvm_os_bug(const char *file, int line, const char *what) __attribute__((noreturn));

/*
 * What vmx and svm need of a kernel; os/posix has none of it, and nothing outside them asks.
 * Between pin and unpin the thread stays on its CPU and does not sleep.
 */
hpa_t hvm_os_hva_to_hpa(const void *hva);
/* The way back, only for a page of hvm_os_alloc_pages(HVM_PAGE_SIZE). */
void *hvm_os_hpa_to_hva(hpa_t hpa);
void hvm_os_pin(void);
void hvm_os_unpin(void);
unsigned int hvm_os_cpu(void);
void hvm_os_irq_disable(void);
void hvm_os_irq_enable(void);
/* The host's FPU state is put away, the guest's may be loaded; end puts the host's back. Pinned. */
void hvm_os_fpu_begin(void);
void hvm_os_fpu_end(void);
/*
 * Run @on on every CPU that is on, and on each that comes later; @off, with interrupts off, on
 * those that go. Bits of @cr4 are set in CR4 from before @on until after @off. 0 or the first
 * error, then no CPU has it on; -HVM_EBUSY: somebody else has set such a bit. @on may allocate,
 * except after suspend, when it runs again on a CPU that had it on before.
 */
int hvm_os_on_each_cpu(int (*on)(void), void (*off)(void), uint64_t cr4);
void hvm_os_off_each_cpu(void);
/* Interrupt @cpu so that it leaves guest mode. */
void hvm_os_cpu_kick(unsigned int cpu);
/* Run @fn on @cpu with interrupts off, and wait until it has; nothing where the CPU is not on. */
void hvm_os_call_cpu(unsigned int cpu, void (*fn)(void *arg), void *arg);
/* The host wants this thread to leave guest mode: a signal, or another task's turn. */
bool hvm_os_must_leave(void);

#define hvm_bug(what) hvm_os_bug(__FILE__, __LINE__, what)

#endif
