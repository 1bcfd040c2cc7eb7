/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - the runtime of the guest programs: output, traps, processors, the chips' registers.
 * A program prints on COM1 what it saw, the same on every engine, and switches the machine off.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int main(void);
/* Another processor's, @n from 1. */
void ap_main(unsigned int n);

/* -- lib.c ------------------------------------------------------------------------------------- */

/* say - %s %c %u %x %lx (64 bits); one line. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* end - "guest: done", and off. */
void end(void) __attribute__((noreturn));
/* A checksum that goes on from @h. */
uint64_t hash(uint64_t h, const void *data, size_t bytes);

struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

typedef void (*trap_fn)(struct frame *f);
/* Who gets a vector; NULL: TRY(), or the end of the program. */
extern trap_fn trap_handler[256];

/* What TRY() met: vector 0xff is nothing. */
struct caught {
	uint64_t vector, error, cr2, rflags;
	uint64_t offset; /* of the instruction, from the start of what was tried */
	uint64_t cpl;
};
extern volatile struct caught caught;
extern volatile uint64_t recover_rip, recover_rsp, recover_rbp, recover_began;

#define TRY_BEGIN \
	"movq $0xff, caught(%%rip)\n" \
	"lea 98f(%%rip), %%r11\n mov %%r11, recover_rip(%%rip)\n" \
	"lea 97f(%%rip), %%r11\n mov %%r11, recover_began(%%rip)\n" \
	"mov %%rsp, recover_rsp(%%rip)\n mov %%rbp, recover_rbp(%%rip)\n" \
	"97: "
#define TRY_END "\n98: movq $0, recover_rip(%%rip)\n"
/*
 * TRY - execute @code (AT&T syntax in strings, operands named as for asm); a trap ends it. rax rcx
 * rdx rdi r10 r11 are its own.
 */
#define TRY(code, ...) \
	__asm__ volatile(TRY_BEGIN code TRY_END \
			 : \
			 : __VA_ARGS__ \
			 : "rax", "rcx", "rdx", "rdi", "r10", "r11", "memory", "cc")
/* One line about what TRY() met. */
void say_caught(const char *what);

/* A function in ring 3, on a stack of its own; it comes back by any trap (INT 0x80 if all is well).
 */
void user_call(uint64_t fn, uint64_t cs);

/* A function for user_call(): assembly that ends with INT 0x80. */
#define USER(name, code) \
	__attribute__((naked)) static void user_##name(void) \
	{ \
		__asm__ volatile(code "\n int $0x80"); \
	}

/* An IDT entry: @ist, @dpl, @type (14 interrupt, 15 trap gate). */
void idt_set(unsigned int vector, unsigned int dpl, unsigned int type, unsigned int ist);
void tss_init(void);

/* -- registers --------------------------------------------------------------------------------- */

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint64_t rdmsr(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index));
	return lo | (uint64_t)hi << 32;
}

static inline void wrmsr(uint32_t index, uint64_t v)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}

#define CR(n) \
	static inline uint64_t cr##n(void) \
	{ \
		uint64_t v; \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v)); \
		return v; \
	} \
	static inline void set_cr##n(uint64_t v) \
	{ \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory"); \
	}
CR(0)
CR(2)
CR(3)
CR(4)
CR(8)
#undef CR

static inline void invlpg(const volatile void *p)
{
	__asm__ volatile("invlpg (%0)" : : "r"(p) : "memory");
}

static inline void irq_on(void)
{
	__asm__ volatile("sti; nop" : : : "memory");
}

static inline void irq_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* Sleep until an interrupt; interrupts are off before and after. */
static inline void irq_wait(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static inline void relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* Local APIC, by its registers' offsets. */
#define APIC_ID	     0x020
#define APIC_TPR     0x080
#define APIC_EOI     0x0b0
#define APIC_SVR     0x0f0
#define APIC_ISR     0x100
#define APIC_IRR     0x200
#define APIC_ICR     0x300
#define APIC_ICR2    0x310
#define APIC_TIMER   0x320
#define APIC_LINT0   0x350
#define APIC_INITIAL 0x380
#define APIC_CURRENT 0x390
#define APIC_DIVIDE  0x3e0

static inline volatile uint32_t *apic(unsigned int offset)
{
	return (volatile uint32_t *)(uintptr_t)(0xfee00000u + offset);
}

/* The number of this processor. */
static inline unsigned int me(void)
{
	return *apic(APIC_ID) >> 24;
}

/* Until another processor has brought *what to @value. */
static inline void wait_for(volatile uint32_t *what, uint32_t value)
{
	while (__atomic_load_n(what, __ATOMIC_SEQ_CST) < value)
		relax();
}

/* A function at @p that returns @value: mov $value, %eax; ret */
static inline void emit(volatile uint8_t *p, uint32_t value)
{
	p[0] = 0xb8;
	for (unsigned int i = 0; i < 4; i++)
		p[1 + i] = (uint8_t)(value >> 8 * i);
	p[5] = 0xc3;
}

/* The other processors of @total, started by INIT and SIPI; each runs ap_main(). */
void start_others(unsigned int total);
void icr_send(uint32_t to, uint32_t command);
/* Both 8259s: vectors from @base, all masked. */
void pic_init(unsigned int base);

/* The page table entry that maps @p, with pages of 4 KiB made where there were larger ones. */
volatile uint64_t *pte_of(const volatile void *p);

#endif
