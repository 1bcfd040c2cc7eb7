/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib.h - what hvmloader has instead of a C library, and its log.
 */
#ifndef HVMLOADER_LIB_H
#define HVMLOADER_LIB_H

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

/* log_printf - one line to port 0xe9. %s, %u, %x (both 32-bit, %x with leading zeros cut) only. */
void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* panic - log and stop this vcpu for good; the domain does not start. */
void panic(const char *why) __attribute__((noreturn));

#endif
