/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pic.c - the two 8259s through LINT0, with the 8254 as the one who asks: masks, requests, order,
 * end of interrupt, spurious ones, polling. Source: Intel 8259A data sheet.
 */
#include "guest.h"

static volatile unsigned int count[16], order[8], order_count;
static volatile bool eoi = true;

static uint8_t pic_read(uint16_t port, uint8_t what)
{
	outb(port, what);
	return inb(port);
}

static void on_irq(struct frame *f)
{
	unsigned int irq = (unsigned int)f->vector - 0x20;

	count[irq]++;
	if (order_count < 8)
		order[order_count++] = irq;
	if (!eoi)
		return;
	if (irq >= 8)
		outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

/* One edge of channel 0 after some thousand cycles of 838 ns. */
static void pit_once(uint16_t cycles)
{
	outb(0x43, 0x30);
	outb(0x40, (uint8_t)cycles);
	outb(0x40, (uint8_t)(cycles >> 8));
}

static void wait_request(uint8_t bit)
{
	while (!(pic_read(0x20, 0x0a) & bit))
		relax();
}

/* COM1's transmitter asks for IRQ 4 while its buffer is empty. */
static void uart_ask(bool on)
{
	outb(0x3fc, 0x0b);
	outb(0x3f9, on ? 2 : 0);
}

int main(void)
{
	for (unsigned int i = 0; i < 16; i++)
		trap_handler[0x20 + i] = on_irq;
	*apic(APIC_SVR) = 0x1ff;
	*apic(APIC_LINT0) = 0x700; /* ExtINT */
	pic_init(0x20);
	say("masks %x %x", inb(0x21), inb(0xa1));
	pit_once(1000);
	wait_request(1);
	irq_on();
	irq_off();
	say("masked: request %x, taken %u", pic_read(0x20, 0x0a) & 1, count[0]);
	outb(0x21, 0xfe);
	irq_on();
	irq_off();
	say("not masked: taken %u, request %x, in service %x", count[0], pic_read(0x20, 0x0a) & 1,
	    pic_read(0x20, 0x0b));
	eoi = false;
	pit_once(1000);
	while (count[0] < 2)
		irq_wait();
	say("without EOI: in service %x", pic_read(0x20, 0x0b));
	pit_once(1000);
	wait_request(1);
	irq_on();
	irq_off();
	say("the next waits: taken %u", count[0]);
	outb(0x20, 0x20);
	irq_on();
	irq_off();
	say("after EOI: taken %u, in service %x", count[0], pic_read(0x20, 0x0b));
	outb(0x20, 0x60); /* specific */
	say("specific EOI: in service %x", pic_read(0x20, 0x0b));
	eoi = true;

	/* Two at once: the lower number first. */
	outb(0x21, 0xff);
	order_count = 0;
	pit_once(1000);
	uart_ask(true);
	wait_request(0x01);
	wait_request(0x10);
	outb(0x21, 0xee);
	irq_on();
	irq_off();
	uart_ask(false);
	say("order: %u %u", order[0], order[1]);

	/* A line that falls again before it is taken: IRQ 7. */
	outb(0x21, 0xff);
	uart_ask(true);
	wait_request(0x10);
	outb(0x21, 0x6f);
	order_count = 0;
	uart_ask(false);
	irq_on();
	irq_off();
	say("gone: %u", order_count);

	/* Automatic end of interrupt. */
	outb(0x20, 0x11);
	outb(0x21, 0x20);
	outb(0x21, 4);
	outb(0x21, 3);
	outb(0x21, 0xfe);
	eoi = false;
	count[0] = 0;
	for (unsigned int i = 0; i < 3; i++) {
		pit_once(1000);
		while (count[0] <= i)
			irq_wait();
	}
	say("automatic EOI: taken %u, in service %x", count[0], pic_read(0x20, 0x0b));

	/* HLT with interrupts off is left by nothing but NMI; with them on by the PIC. */
	outb(0x21, 0xff);
	outb(0x20, 0x11);
	outb(0x21, 0x20);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0x21, 0xfe);
	eoi = true;
	outb(0x43, 0x34); /* rate generator */
	outb(0x40, 0x00);
	outb(0x40, 0x10);
	count[0] = 0;
	while (count[0] < 20)
		irq_wait();
	outb(0x21, 0xff);
	say("20 ticks");
	return 0;
}
