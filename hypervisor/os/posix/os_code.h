/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * os_code.h - memory for generated code: one piece of memory mapped twice, once to write and once
 * to execute, so that no mapping is ever both. Only for what runs in user space (soft/).
 */
#ifndef OS_CODE_H
#define OS_CODE_H

#include "hvm/hvm_types.h"

struct os_code {
	uint8_t *rw;	   /* read, write */
	const uint8_t *rx; /* read, execute; the same bytes */
	size_t bytes;
};

/*
 * os_code_alloc - @bytes (whole pages), zeroed; pages cost memory once they are touched.
 * -HVM_ENOMEM, or -HVM_EPERM where the host forbids new executable mappings.
 */
int os_code_alloc(struct os_code *ret, size_t bytes);
/*
 * os_code_name - tell who reads the file @fd (perf's map format) that the @bytes at @start, in the
 * executable mapping, do what the guest's code at @ip does. What cannot be written is lost.
 */
void os_code_name(int fd, const uint8_t *start, size_t bytes, uint64_t ip);
/* os_code_discard - but for the first @keep bytes nothing is needed: zeroes, in the end. */
void os_code_discard(struct os_code *c, size_t keep);
/* os_pages_discard - the same for all of what hvm_os_alloc_pages() gave. */
void os_pages_discard(void *p, size_t bytes);
/* Nothing of it runs any more. Zeroes *c; nothing to do for one that was never allocated. */
void os_code_free(struct os_code *c);

#endif
