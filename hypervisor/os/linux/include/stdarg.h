/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stdarg.h - argument lists by the compiler's builtins; the kernel has its own header since 5.15.
 */
#ifndef HVM_LINUX_STDARG_H
#define HVM_LINUX_STDARG_H

#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 15, 0)
#include <linux/stdarg.h>
#else
typedef __builtin_va_list va_list;
#define va_start(v, l) __builtin_va_start(v, l)
#define va_end(v)      __builtin_va_end(v)
#define va_arg(v, t)   __builtin_va_arg(v, t)
#define va_copy(d, s)  __builtin_va_copy(d, s)
#endif

#endif
