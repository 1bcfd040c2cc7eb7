/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smc.c - code that is written while it runs: by itself, just ahead, across a page's end, under
 * another address, by string instructions, and by page tables. Source: Intel SDM Vol 3A 8.1.3
 * "Handling Self- and Cross-Modifying Code".
 */
#include "guest.h"

static uint8_t code[3][4096] __attribute__((aligned(4096)));

typedef uint32_t (*code_fn)(void);

static uint32_t call(void *p)
{
	__asm__ volatile("xor %%eax, %%eax\n cpuid" : : : "rax", "rbx", "rcx", "rdx", "memory");
	return ((code_fn)(uintptr_t)p)();
}

static void rewritten(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 2000; i++) {
		emit(code[0] + 16, i * 7);
		sum += ((code_fn)(uintptr_t)(code[0] + 16))();
	}
	say("rewritten 2000 times: %lu", sum);
}

static void across(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 500; i++) {
		uint8_t *p = code[1] - 1 - i % 5;

		emit(p, i * 0x01010101);
		sum += call(p);
		code[1][0] ^= 0; /* touch the second page alone */
		p[4] = (uint8_t)i;
		sum ^= call(p);
	}
	say("across pages: %lx", sum);
}

/* The next instruction's immediate is written by the one before it. */
static void just_ahead(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 500; i++) {
		uint32_t got;

		__asm__ volatile("mov %1, 1f+1(%%rip)\n"
				 "1: mov $0, %%eax\n"
				 "mov %%eax, %0"
				 : "=r"(got)
				 : "r"(i * 3)
				 : "rax", "memory");
		sum += got;
	}
	say("just ahead: %lu", sum);
}

/* A loop that counts its own length down by writing a NOP over its branch. */
static void own_loop(void)
{
	uint32_t turns = 0;

	__asm__ volatile("mov $100, %%ecx\n"
			 "1: inc %0\n"
			 "cmp $50, %0\n"
			 "jne 2f\n"
			 "movw $0x9090, 3f(%%rip)\n"
			 "2: dec %%ecx\n"
			 "3: jnz 1b\n"
			 "4: cmpw $0x9090, 3b(%%rip)\n"
			 : "+r"(turns)
			 :
			 : "rcx", "memory", "cc");
	say("own loop: %u", turns);
}

static void alias(void)
{
	volatile uint64_t *pte = pte_of(code[2]);
	uint64_t old = *pte, sum = 0;

	/* Written at code[0], executed at code[2]. */
	*pte = (uintptr_t)code[0] | 7;
	invlpg(code[2]);
	for (uint32_t i = 0; i < 500; i++) {
		emit(code[0] + 100, i);
		sum += call(code[2] + 100);
	}
	say("under another address: %lu", sum);
	emit(code[0] + 200, 1);
	emit(code[1] + 200, 2);
	sum = 0;
	for (uint32_t i = 0; i < 100; i++) {
		*pte = (uintptr_t)code[i & 1] | 7;
		invlpg(code[2]);
		sum = sum * 3 + call(code[2] + 200);
	}
	say("mapped anew: %lx", sum);
	*pte = old;
	invlpg(code[2]);
}

static void copied(void)
{
	uint8_t from[2][16];
	uint64_t sum = 0;

	emit(from[0], 0x111);
	emit(from[1], 0x222);
	for (uint32_t i = 0; i < 500; i++) {
		void *to = code[0] + 300;
		const void *src = from[i & 1];
		uint64_t n = 6;

		__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(n) : : "memory");
		sum = sum * 5 + call(code[0] + 300);
	}
	say("copied: %lx", sum);
}

int main(void)
{
	rewritten();
	across();
	just_ahead();
	own_loop();
	alias();
	copied();
	return 0;
}
