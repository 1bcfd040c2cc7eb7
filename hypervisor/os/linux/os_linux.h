/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * os_linux.h - what the files of os/linux share. Our own headers come first: the kernel's string.h
 * makes macros of memcpy and its kin.
 */
#ifndef HVM_OS_LINUX_H
#define HVM_OS_LINUX_H

#include "os/hvm_os.h"

struct eventfd_ctx;

/* Bounds of what this module was written for. Newer kernels may well do; nobody has looked. */
#define OS_LINUX_OLDEST "5.10"
#define OS_LINUX_NEWEST "6.12"

/*
 * os_eventfd_register - a number for hvm_os_eventfd_signal(): the eventfd behind @fd of the current
 * process, held until os_eventfd_unregister(). Returns the number (>= 0), -EBADF, -EINVAL, -ENOMEM.
 */
int os_eventfd_register(int fd);
void os_eventfd_unregister(int id);
/* Is @fd of the current process the eventfd that @id stands for? */
bool os_eventfd_is(int id, int fd);

/* The CPU callbacks' own part (os_cpu.c): suspend, reboot. */
int os_cpu_init(void);
void os_cpu_fini(void);

#endif
