/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pit.c - the 8254: modes, latches, read-back, and channel 2 with its gate in port 0x61.
 * Counts are compared with what they were, never printed. Source: Intel 8254 data sheet.
 */
#include "guest.h"

static void program(unsigned int channel, unsigned int mode, uint16_t count)
{
	outb(0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	outb((uint16_t)(0x40 + channel), (uint8_t)count);
	outb((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static uint16_t latch(unsigned int channel)
{
	uint16_t port = (uint16_t)(0x40 + channel);
	uint8_t low;

	outb(0x43, (uint8_t)(channel << 6));
	low = inb(port);
	return (uint16_t)(low | inb(port) << 8);
}

static uint8_t status(unsigned int channel)
{
	outb(0x43, (uint8_t)(0xe0 | 2 << channel));
	return inb((uint16_t)(0x40 + channel));
}

int main(void)
{
	uint16_t a, b;
	uint8_t s;

	program(0, 2, 0xffff);
	a = latch(0);
	do
		b = latch(0);
	while (b == a);
	say("rate generator: counts down %u", (uint16_t)(a - b) < 0x8000);
	s = status(0);
	say("status: mode %u, access %u, bcd %u", s >> 1 & 7, s >> 4 & 3, s & 1);
	program(0, 3, 1000);
	for (unsigned int i = 0, bad = 0; i <= 100; i++) {
		b = latch(0);
		bad += b > 1000 || (b & 1);
		if (i == 100)
			say("square wave: %u bad of 100", bad);
	}
	/* Port 0x61: bit 0 gate of channel 2, bit 5 its output. */
	outb(0x61, inb(0x61) & ~3);
	program(2, 0, 2000);
	a = latch(2);
	say("gate low: stands still %u, output %u", latch(2) == a, inb(0x61) >> 5 & 1);
	outb(0x61, (inb(0x61) & ~3) | 1);
	while (!(inb(0x61) & 0x20))
		relax();
	say("gate high: output %u", inb(0x61) >> 5 & 1);
	s = status(2);
	say("status: output %u, mode %u", s >> 7, s >> 1 & 7);
	program(2, 0, 0xffff);
	say("again: output %u", inb(0x61) >> 5 & 1);
	outb(0x61, inb(0x61) & ~1);
	/* One byte of a count at a time. */
	outb(0x43, 0x90);
	outb(0x42, 0x55);
	say("low byte only: %x", inb(0x42));
	outb(0x43, 0xb0);
	outb(0x42, 0x34);
	s = status(2);
	say("half a count: null count %u", s >> 6 & 1);
	outb(0x42, 0x12);
	outb(0x61, inb(0x61) | 1);
	b = latch(2);
	say("BCD and full count: %u", b <= 0x1234);
	outb(0x61, inb(0x61) & ~1);
	/* Read-back latches count and status of several at once. */
	outb(0x43, 0xc0 | 2 | 8);
	s = inb(0x40);
	(void)inb(0x40);
	(void)inb(0x40);
	say("read-back: mode %u", s >> 1 & 7);
	return 0;
}
