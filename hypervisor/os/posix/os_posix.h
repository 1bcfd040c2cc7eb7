/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * os_posix.h - what the files of os/posix share.
 */
#ifndef HVM_OS_POSIX_H
#define HVM_OS_POSIX_H

#include "os/hvm_os.h"

/* Fault injection: true when this allocation must fail. */
bool os_alloc_must_fail(void);
/* The host's clock, even while a test drives hvm_os_now_ns(). */
uint64_t os_real_now_ns(void);
/* A test drives the clock (os_timer.c): *ret_ns is its time. */
bool os_clock_is_fake(uint64_t *ret_ns);
void os_clock_set_fake(uint64_t ns);
void os_clock_set_real(void);

#endif
