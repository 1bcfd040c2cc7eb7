/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib.c - guest.h: output on COM1, traps, ring 3, page tables, other processors.
 * Source: AMD APM Vol 2 ch. 8 "Exceptions and Interrupts", 12.2.5 "64-Bit Task State Segment";
 * Intel SDM Vol 3A 8.4.4 "MP Initialization Example"; 8259A data sheet.
 */
#include "guest.h"

#include <stdarg.h>

/* -- output ------------------------------------------------------------------------------------ */

static void put(char c)
{
	while (!(inb(0x3fd) & 0x20))
		;
	outb(0x3f8, (uint8_t)c);
}

static void put_number(uint64_t v, unsigned int base)
{
	char text[24];
	unsigned int n = 0;

	do {
		text[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(text[--n]);
}

static void put_text(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_one(char kind, bool is_long, va_list *ap)
{
	uint64_t v;

	if (kind == 's') {
		put_text(va_arg(*ap, const char *));
		return;
	}
	v = is_long ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned int);
	if (kind == 'c')
		put((char)v);
	else
		put_number(v, kind == 'x' ? 16 : 10);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		bool is_long;

		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		is_long = *++fmt == 'l';
		put_one(is_long ? *++fmt : *fmt, is_long, &ap);
	}
	va_end(ap);
	put('\n');
}

void end(void)
{
	say("guest: done");
	/* The last character has left when the transmitter is empty. */
	while (!(inb(0x3fd) & 0x40))
		;
	outw(0xb004, 0x2000); /* PM1a control: SLP_EN, SLP_TYP 0 */
	for (;;)
		__asm__ volatile("cli; hlt");
}

uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	while (bytes--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

/* The compiler may ask for these. */
void *memset(void *to, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);

void *memset(void *to, int c, size_t n)
{
	uint8_t *p = to;

	while (n--)
		*p++ = (uint8_t)c;
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	uint8_t *p = to;
	const uint8_t *q = from;

	while (n--)
		*p++ = *q++;
	return to;
}

/* -- traps ------------------------------------------------------------------------------------- */

extern uint8_t trap_stubs[];
extern uint64_t idt[512], gdt[];
extern char idt_pointer[], stack_end[];

trap_fn trap_handler[256];
volatile struct caught caught;
volatile uint64_t recover_rip, recover_rsp, recover_rbp, recover_began;

void trap(struct frame *f);
void idt_init(void);

void trap(struct frame *f)
{
	trap_fn fn = trap_handler[f->vector & 255];

	if (fn) {
		fn(f);
		return;
	}
	if (!recover_rip) {
		say("unexpected: vector %lx error %lx rip %lx cr2 %lx", f->vector, f->error, f->rip,
		    cr2());
		end();
	}
	caught.vector = f->vector;
	caught.error = f->error;
	caught.cr2 = cr2();
	caught.rflags = f->rflags;
	caught.offset = f->rip - recover_began;
	caught.cpl = f->cs & 3;
	f->rip = recover_rip;
	f->rsp = recover_rsp;
	f->rbp = recover_rbp;
	f->cs = 8;
	f->ss = 16;
	f->rflags &= ~0x14300ull & ~(1ull << 18); /* TF IF RF NT AC */
	f->rflags |= 2;
	recover_rip = 0;
}

void idt_set(unsigned int vector, unsigned int dpl, unsigned int type, unsigned int ist)
{
	uint64_t at = (uintptr_t)trap_stubs + 16 * vector;

	idt[2 * vector] = (at & 0xffff) | 8 << 16 | (uint64_t)ist << 32 |
			  (uint64_t)(0x80 | dpl << 5 | type) << 40 | (at >> 16 & 0xffff) << 48;
	idt[2 * vector + 1] = at >> 32;
}

void idt_init(void)
{
	for (unsigned int i = 0; i < 256; i++)
		idt_set(i, i == 3 || i == 4 || i == 0x80 ? 3 : 0, 14, 0);
	__asm__ volatile("lidt %0" : : "m"(*(const char(*)[10])idt_pointer));
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

/* Nothing that depends on where the compiler has put things. */
void say_caught(const char *what)
{
	uint64_t at = caught.offset < 256 ? caught.offset : 0xfff;

	if (caught.vector == 0xff)
		say("%s: nothing", what);
	else if (caught.vector == 14)
		say("%s: vector 14 error %lx cr2 ..%lx at +%lx ring %lu", what, caught.error,
		    caught.cr2 & 0xfff, at, caught.cpl);
	else
		say("%s: vector %lu error %lx at +%lx ring %lu", what, caught.vector, caught.error,
		    at, caught.cpl);
}

/* -- ring 3 ------------------------------------------------------------------------------------ */

static struct {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, iomap;
	uint8_t bitmap[33];
} __attribute__((packed)) tss;
static uint8_t trap_stack[8192] __attribute__((aligned(16)));
static uint8_t ist_stack[8192] __attribute__((aligned(16)));
static uint8_t user_stack[8192] __attribute__((aligned(16)));

void tss_init(void)
{
	uint64_t base = (uintptr_t)&tss;

	tss.rsp[0] = (uintptr_t)trap_stack + sizeof(trap_stack);
	tss.ist[0] = (uintptr_t)ist_stack + sizeof(ist_stack);
	tss.iomap = offsetof(__typeof__(tss), bitmap);
	/* Ports 0 to 255: refused but 0x80. */
	memset(tss.bitmap, 0xff, sizeof(tss.bitmap));
	tss.bitmap[0x80 / 8] = 0xfe;
	gdt[7] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
		 (base >> 24 & 0xff) << 56;
	gdt[8] = base >> 32;
	__asm__ volatile("ltr %0" : : "r"((uint16_t)0x38));
}

void user_call(uint64_t fn, uint64_t cs)
{
	TRY("mov %0, %%rax\n mov %%rax, recover_began(%%rip)\n"
	    "pushq $0x23\n push %1\n pushq $0x202\n push %2\n push %0\n"
	    "iretq\n",
	    "r"(fn), "r"((uint64_t)(uintptr_t)user_stack + sizeof(user_stack)), "r"(cs));
}

/* -- page tables ------------------------------------------------------------------------------- */

extern uint64_t page_tables[6][512];
static uint64_t small_tables[8][512] __attribute__((aligned(4096)));

volatile uint64_t *pte_of(const volatile void *p)
{
	static unsigned int used;
	uint64_t at = (uintptr_t)p;
	uint64_t *pde = &page_tables[2 + (at >> 30)][at >> 21 & 511];

	if (*pde & 0x80) {
		uint64_t *table = small_tables[used++];

		for (unsigned int i = 0; i < 512; i++)
			table[i] = (*pde & ~0x1fffffull & ~0xfffull) + ((uint64_t)i << 12) + 7;
		*pde = (uintptr_t)table | 7;
		set_cr3(cr3());
	}
	return (uint64_t *)(uintptr_t)(*pde & ~0xfffull) + (at >> 12 & 511);
}

/* -- other processors, chips ------------------------------------------------------------------- */

extern uint8_t ap_start[], ap_end[];
extern volatile uint32_t ap_count;

void icr_send(uint32_t to, uint32_t command)
{
	*apic(APIC_ICR2) = to << 24;
	*apic(APIC_ICR) = command;
	while (*apic(APIC_ICR) & 0x1000)
		relax();
}

__attribute__((weak)) void ap_main(unsigned int n)
{
	(void)n;
}

void start_others(unsigned int total)
{
	memcpy((void *)0x8000, ap_start, (size_t)(ap_end - ap_start));
	for (unsigned int i = 1; i < total; i++) {
		icr_send(i, 0x4500);
		icr_send(i, 0x4608);
		while (ap_count < i)
			relax();
	}
}

void pic_init(unsigned int base)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, (uint8_t)base);
	outb(0xa1, (uint8_t)(base + 8));
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}
