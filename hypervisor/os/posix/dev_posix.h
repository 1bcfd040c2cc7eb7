/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dev_posix.h - reaching /dev/hvm from user space: the few system calls that libhvm needs for it.
 * Results are 0 or more, or -errno.
 */
#ifndef HVM_DEV_POSIX_H
#define HVM_DEV_POSIX_H

#include "os/hvm_os.h"

#define DEV_HVM_PATH "/dev/hvm"

int dev_open(void);
void dev_close(int fd);
int dev_call(int fd, uint32_t call, void *arg);
/* The one page of a domain's or a vcpu's file; NULL: it cannot be mapped. */
void *dev_map_page(int fd);
void dev_unmap_page(void *page);
/* Does this processor have VT-x, SVM? (The module knows more; this is for when it is not there.) */
bool dev_cpu_has_vmx(void);
bool dev_cpu_has_svm(void);

#endif
