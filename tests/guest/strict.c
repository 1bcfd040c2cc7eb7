/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * strict.c - what a processor does by the book and QEMU's software CPU (7.2) does not: not run
 * where that is the processor. Source: AMD APM Vol 2 ch. 8 "Exceptions and Interrupts", Vol 3.
 */
#include "guest.h"

static volatile uint64_t word __attribute__((aligned(4096)));

static volatile unsigned int steps;

static void on_step(struct frame *f)
{
	steps++;
	f->rflags |= 0x10000;
}

USER(int_kernel, "int $0x81")
USER(align, "pushfq\n orl $0x40000, (%rsp)\n popfq\n mov 1(%rsp), %eax")
extern uint64_t idt[512];

int main(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) bad_table = { 0, 0x8000000000000000 };

	tss_init();
	TRY("lock; .byte 0x89, 0xc1", "m"(word));
	say_caught("lock mov");
	TRY("mov $0x8000000000000000, %%rbp\n mov (%%rbp), %%rcx", "m"(word));
	say_caught("not canonical stack");
	TRY("mov %%cr0, %%rax\n and $~1, %%rax\n mov %%rax, %%cr0", "m"(word));
	say_caught("paging without protection");
	TRY("mov %%cr4, %%rax\n and $~0x20, %%rax\n mov %%rax, %%cr4", "m"(word));
	say_caught("long mode without PAE");
	TRY("mov $16, %%eax\n mov %%rax, %%cr8", "m"(word));
	say_caught("CR8 above 15");
	TRY("mov $0xc0000082, %%ecx\n xor %%eax, %%eax\n mov $0x80000000, %%edx\n wrmsr",
	    "m"(word));
	say_caught("LSTAR that is not canonical");
	TRY("lgdt %0", "m"(bad_table));
	say_caught("GDT that is not canonical");
	TRY("pushq $0x1d80\n ldmxcsr (%%rsp)\n pop %%rax\n mov $1, %%eax\n cvtsi2ss %%eax, %%xmm0\n"
	    "xorps %%xmm1, %%xmm1\n divss %%xmm1, %%xmm0",
	    "m"(word));
	say_caught("SSE divides by zero");
	TRY("pushq $-1\n ldmxcsr (%%rsp)", "m"(word));
	say_caught("reserved bits of MXCSR");
	set_cr0(cr0() | 0x40000); /* AM */
	user_call((uintptr_t)user_align, 0x2b);
	say_caught("user: alignment");
	user_call((uintptr_t)user_int_kernel, 0x2b);
	say_caught("user: int of the kernel's");
	trap_handler[1] = on_step;
	steps = 0;
	__asm__ volatile(".byte 0xf1" : : : "memory");
	say("icebp: %u", steps);
	steps = 0;
	TRY("mov %%dr7, %%rax\n or $0x2000, %%rax\n mov %%rax, %%dr7\n mov %%dr0, %%rax",
	    "m"(word));
	say("general detect: %u, dr7 bit 13 now %u", steps, caught.vector == 0xff);
	idt_set(8, 0, 14, 1);
	idt[2 * 0x81] &= ~(0x80ull << 40);
	TRY("int $0x81", "m"(word));
	say_caught("a gate that is not present");
	idt[2 * 13] &= ~(0x80ull << 40);
	TRY("mov $0x1000, %%eax\n mov %%eax, %%ds", "m"(word));
	say_caught("#NP in the delivery of #GP");
	idt[2 * 14] &= ~(0x80ull << 40);
	TRY("mov 0x200000001000, %%eax", "m"(word));
	say_caught("#NP in the delivery of #PF");
	return 0;
}
