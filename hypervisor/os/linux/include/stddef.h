/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stddef.h - size_t, NULL and offsetof, from the kernel.
 */
#ifndef HVM_LINUX_STDDEF_H
#define HVM_LINUX_STDDEF_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif
