/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * avx_old.c - instructions of x86-64-v3 in a guest of the CPU model hvm-v2, on the software CPU (a
 * hardware vendor cannot take BMI away): #UD, and F3 in front of BSF and BSR means nothing.
 * Source: Intel SDM Vol 2 of each instruction.
 */
#include "avx.h"

static volatile uint64_t word = 0x00f0;

int main(void)
{
	uint64_t a, b;
	uint32_t out[4];

	tss_init();
	cpuid(0xd, 0, out);
	say("components %x, area %u", out[0], out[2]);
	cpuid(0xd, 2, out);
	say("AVX %u at %u", out[0], out[1]);
	set_cr4(cr4() | CR4_OSXSAVE);
	TRY("xor %%ecx, %%ecx\n mov $7, %%eax\n xor %%edx, %%edx\n xsetbv", "m"(word));
	say_caught("xsetbv of AVX");
	xsetbv(3);
	say("XCR0 %lx", xgetbv());
	TRY("vaddps %%ymm0, %%ymm0, %%ymm0", "m"(word));
	say_caught("vaddps");
	TRY("vzeroupper", "m"(word));
	say_caught("vzeroupper");
	TRY("vpaddd %%xmm0, %%xmm0, %%xmm0", "m"(word));
	say_caught("vpaddd xmm");
	TRY("andn %%eax, %%eax, %%eax", "m"(word));
	say_caught("andn");
	TRY("blsr %%eax, %%eax", "m"(word));
	say_caught("blsr");
	TRY("pext %%rax, %%rax, %%rax", "m"(word));
	say_caught("pext");
	TRY("rorx $1, %%eax, %%eax", "m"(word));
	say_caught("rorx");
	TRY("movbe (%0), %%eax", "S"(&word));
	say_caught("movbe");
	__asm__ volatile("tzcnt %2, %0\n lzcnt %2, %1" : "=&r"(a), "=&r"(b) : "r"(word) : "cc");
	say("tzcnt %lu, lzcnt %lu", a, b);
	return 0;
}
