/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib.c - string functions that the compiler calls, and the log on port 0xe9 (where SeaBIOS logs
 * too). No state.
 */
#include "lib.h"

#include <stdarg.h>

#include "io.h"

#define LOG_PORT 0xe9

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *d = to;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	void *d = to;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(value) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < bytes; i++) {
		if (x[i] != y[i])
			return x[i] - y[i];
	}
	return 0;
}

static void log_string(const char *s)
{
	while (*s)
		outb(LOG_PORT, (uint8_t)*s++);
}

static void log_number(uint32_t value, unsigned int base)
{
	char text[11];
	char *p = &text[sizeof(text) - 1];

	*p = 0;
	do {
		*--p = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	log_string(p);
}

void log_printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%') {
			outb(LOG_PORT, (uint8_t)*format);
			continue;
		}
		switch (*++format) {
		case 's': log_string(va_arg(args, const char *)); break;
		case 'u': log_number(va_arg(args, uint32_t), 10); break;
		case 'x': log_number(va_arg(args, uint32_t), 16); break;
		default:
			format--; /* an unknown letter prints as it stands */
			break;
		}
	}
	va_end(args);
}

void panic(const char *why)
{
	log_printf("hvmloader: %s\n", why);
	for (;;)
		__asm__ volatile("cli; hlt");
}
