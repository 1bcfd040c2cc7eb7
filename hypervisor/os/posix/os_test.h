/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * os_test.h - what tests may do to os/posix: make memory run out, and drive time by hand. Nothing
 * outside tests calls these, and nothing in the environment switches them on.
 */
#ifndef HVM_OS_TEST_H
#define HVM_OS_TEST_H

#include "os/hvm_os.h"

/*
 * hvm_os_test_fail_alloc_after - the next @n allocations (memory, pages, timers) succeed, every
 * one after them fails, until called again. -1: never fail.
 */
void hvm_os_test_fail_alloc_after(long n);

/*
 * hvm_os_test_set_clock - from now on hvm_os_now_ns() returns @ns until the next call, the TSC
 * follows it, the timer thread sleeps, and timers that are due at @ns fire before this returns, in
 * the caller's thread, all of them seeing @ns: a callback is late by the size of the jump.
 */
void hvm_os_test_set_clock(uint64_t ns);
/*
 * hvm_os_test_run_clock - as set_clock, but walks there from deadline to deadline, so that each
 * timer fires exactly in time.
 */
void hvm_os_test_run_clock(uint64_t ns);
/* hvm_os_test_real_clock - back to the host's clock. */
void hvm_os_test_real_clock(void);

/* hvm_os_test_log_sink - log lines go to @sink instead of stderr. NULL: stderr. */
void hvm_os_test_log_sink(void (*sink)(enum hvm_log_level level, const char *line));

#endif
