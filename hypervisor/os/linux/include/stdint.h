/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stdint.h - what the core's freestanding headers ask for, from the kernel's own types. Stands in
 * for the compiler's header, which the kernel's build leaves out.
 */
#ifndef HVM_LINUX_STDINT_H
#define HVM_LINUX_STDINT_H

#include <linux/types.h>

#define UINT8_MAX  ((u8)~0)
#define UINT16_MAX ((u16)~0)
#define UINT32_MAX ((u32)~0)
#define UINT64_MAX ((u64)~0ull)
#ifndef SIZE_MAX
#define SIZE_MAX (~(size_t)0)
#endif

#endif
