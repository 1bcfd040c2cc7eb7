/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stdbool.h - bool, true and false are in the kernel's types.
 */
#ifndef HVM_LINUX_STDBOOL_H
#define HVM_LINUX_STDBOOL_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif
