/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timer.c - the local APIC: its timer in each mode, task priority, the order of interrupts, and
 * what its registers hold. Counts and order, never times. Source: Intel SDM Vol 3A ch. 10 "Advanced
 * Programmable Interrupt Controller"; AMD APM Vol 2 ch. 16.
 */
#include "guest.h"

static volatile unsigned int count, order[16], order_count;

static void on_timer(struct frame *f)
{
	(void)f;
	count++;
	*apic(APIC_EOI) = 0;
}

static void on_note(struct frame *f)
{
	if (order_count < 16)
		order[order_count++] = (unsigned int)f->vector;
	*apic(APIC_EOI) = 0;
}

static void self(unsigned int vector)
{
	*apic(APIC_ICR) = 0x40000 | vector;
}

static void say_order(const char *what)
{
	say("%s: %u:%c %x %x %x %x", what, order_count, ' ', order[0], order[1], order[2],
	    order[3]);
	order_count = 0;
	for (unsigned int i = 0; i < 16; i++)
		order[i] = 0;
}

static void one_shot(void)
{
	count = 0;
	*apic(APIC_TIMER) = 0x40;
	*apic(APIC_INITIAL) = 10000;
	while (!count)
		irq_wait();
	irq_on();
	for (unsigned int i = 0; i < 100000; i++)
		relax();
	irq_off();
	say("one shot: %u, current %u", count, *apic(APIC_CURRENT));
	count = 0;
	*apic(APIC_TIMER) = 0x10040; /* masked */
	*apic(APIC_INITIAL) = 10000;
	while (*apic(APIC_CURRENT))
		relax();
	irq_on();
	irq_off();
	say("masked: %u", count);
	*apic(APIC_TIMER) = 0x40;
	*apic(APIC_INITIAL) = 0xffffffff;
	say("counts down: %u", *apic(APIC_CURRENT) < 0xffffffff);
	*apic(APIC_INITIAL) = 0;
	say("stopped: %u", *apic(APIC_CURRENT));
}

static void periodic(void)
{
	count = 0;
	*apic(APIC_TIMER) = 0x20040;
	*apic(APIC_INITIAL) = 100000;
	while (count < 10)
		irq_wait();
	*apic(APIC_INITIAL) = 0;
	/* One may have come when interrupts were off again. */
	irq_on();
	irq_off();
	say("periodic: %u at least", count >= 10 ? 10 : count);
}

static void deadline(void)
{
	count = 0;
	*apic(APIC_TIMER) = 0x40040;
	__asm__ volatile("mfence");
	wrmsr(0x6e0, rdtsc() + 100000000);
	say("armed: %u", rdmsr(0x6e0) != 0);
	while (!count)
		irq_wait();
	say("deadline: %u, then %lx", count, rdmsr(0x6e0));
	wrmsr(0x6e0, 1); /* long past */
	while (count < 2)
		irq_wait();
	say("past deadline: %u", count);
	wrmsr(0x6e0, ~0ull >> 1);
	wrmsr(0x6e0, 0);
	say("disarmed: %lx", rdmsr(0x6e0));
	*apic(APIC_TIMER) = 0x10040;
}

static void priorities(void)
{
	self(0x51);
	self(0x93);
	self(0x72);
	self(0x93);
	say("requested: %x %x %x", *apic(APIC_IRR + 0x20), *apic(APIC_IRR + 0x30),
	    *apic(APIC_IRR + 0x40));
	irq_on();
	irq_off();
	say_order("by priority");
	*apic(APIC_TPR) = 0x80;
	self(0x51);
	self(0x93);
	irq_on();
	irq_off();
	say_order("above the task priority");
	say("CR8 %lx", cr8());
	set_cr8(4);
	say("TPR %x", *apic(APIC_TPR));
	irq_on();
	irq_off();
	say_order("after CR8 was lowered");
	set_cr8(15);
	self(0xf1);
	irq_on();
	irq_off();
	say_order("CR8 15");
	irq_on();
	set_cr8(0);
	irq_off();
	say_order("CR8 0");
}

/* The handler of a low vector lets a high one in. */
static void on_low(struct frame *f)
{
	order[order_count++] = (unsigned int)f->vector;
	say("in service: %x", *apic(APIC_ISR + 0x20));
	self(0x92);
	self(0x41);
	irq_on();
	irq_off();
	order[order_count++] = 1;
	*apic(APIC_EOI) = 0;
}

static void nesting(void)
{
	trap_handler[0x51] = on_low;
	self(0x51);
	irq_on();
	irq_off();
	say_order("nested");
}

/* An interrupt is not taken in the shadow of STI; NMI blocks no interrupt but another NMI. */
static void shadows(void)
{
	volatile uint64_t shadow = 0;

	self(0x93);
	__asm__ volatile("sti\n cli" : : : "memory");
	say("sti, cli: %u", order_count);
	__asm__ volatile("sti\n movq $1, %0\n nop\n cli" : "=m"(shadow) : : "memory");
	say_order("sti, something, cli");
	self(0x93);
	__asm__ volatile("sti\n mov %%ss, %%eax\n mov %%eax, %%ss\n cli" : : : "rax", "memory");
	say("sti, mov ss, cli: %u", order_count);
	irq_on();
	irq_off();
	order_count = 0;
}

static void on_nmi(struct frame *f)
{
	order[order_count++] = (unsigned int)f->vector;
	if (order_count == 1) {
		icr_send(0, 0x400 | 0x40000); /* NMI to ourselves: waits for IRET */
		order[order_count++] = 0xee;
	}
}

static void nmi(void)
{
	trap_handler[2] = on_nmi;
	order_count = 0;
	icr_send(0, 0x4400);
	for (unsigned int i = 0; i < 100000 && order_count < 3; i++)
		relax();
	say_order("NMI");
}

int main(void)
{
	for (unsigned int i = 0x41; i < 0x100; i++)
		trap_handler[i] = on_note;
	trap_handler[0x40] = on_timer;
	trap_handler[0xff] = NULL;
	*apic(APIC_SVR) = 0x1ff;
	*apic(APIC_DIVIDE) = 0xb;
	say("id %x, max lvt %u", *apic(APIC_ID), *apic(0x30) >> 16 & 255);
	one_shot();
	periodic();
	deadline();
	priorities();
	nesting();
	shadows();
	nmi();
	return 0;
}
