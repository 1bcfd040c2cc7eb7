/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_types.h - scalar types and small macros that every layer shares.
 * Freestanding: no OS header, no libc service.
 */
#ifndef HVM_TYPES_H
#define HVM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gpa_t; /* guest physical address */
typedef uint64_t gva_t; /* guest linear address */
typedef uint64_t hpa_t; /* host physical address */
typedef uint64_t hva_t; /* our own virtual address */
typedef uint64_t gfn_t; /* guest frame number, gpa >> 12 */

#define HVM_PAGE_SHIFT 12
#define HVM_PAGE_SIZE  4096u
#define HVM_PAGE_MASK  (~(uint64_t)0xfff)

#define HVM_MAX_VCPUS 16

#define HVM_BIT(n)			    (1ull << (n))
#define HVM_ARRAY_SIZE(a)		    (sizeof(a) / sizeof((a)[0]))
#define hvm_likely(x)			    __builtin_expect(!!(x), 1)
#define hvm_unlikely(x)			    __builtin_expect(!!(x), 0)
#define hvm_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#ifndef HVM_EINVAL
/* Error numbers as Linux has them, so that the core needs no errno.h. Returned negative. */
enum hvm_errno {
	HVM_EPERM = 1,
	HVM_ENOENT = 2,
	HVM_EINTR = 4,
	HVM_EIO = 5,
	HVM_ENXIO = 6,
	HVM_EAGAIN = 11,
	HVM_ENOMEM = 12,
	HVM_EACCES = 13,
	HVM_EFAULT = 14,
	HVM_EBUSY = 16,
	HVM_EEXIST = 17,
	HVM_ENODEV = 19,
	HVM_EINVAL = 22,
	HVM_ENOTTY = 25,
	HVM_ENOSPC = 28,
	HVM_ERANGE = 34,
	HVM_EOPNOTSUPP = 95,
};
#endif

#endif
