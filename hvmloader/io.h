/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.h - the instructions that C has no word for. Guest code only, never built for a host.
 */
#ifndef HVMLOADER_IO_H
#define HVMLOADER_IO_H

#include <stdint.h>

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void cpuid(uint32_t leaf, uint32_t *ret)
{
	__asm__ volatile("cpuid"
			 : "=a"(ret[0]), "=b"(ret[1]), "=c"(ret[2]), "=d"(ret[3])
			 : "a"(leaf), "c"(0));
}

static inline uint64_t rdmsr(uint32_t index)
{
	uint64_t value;

	__asm__ volatile("rdmsr" : "=A"(value) : "c"(index));
	return value;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(index), "A"(value) : "memory");
}

static inline uint32_t mmio_read32(uint32_t gpa)
{
	return *(volatile uint32_t *)gpa;
}

static inline void mmio_write32(uint32_t gpa, uint32_t value)
{
	*(volatile uint32_t *)gpa = value;
}

#endif
