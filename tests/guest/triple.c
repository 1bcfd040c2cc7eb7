/* SPDX-License-Identifier: GPL-2.0-or-later */
/* triple.c - a triple fault: the machine comes to nothing else but its end. */
#include "guest.h"

int main(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };

	say("no IDT");
	__asm__ volatile("lidt %0\n ud2" : : "m"(none));
	say("still here");
	return 0;
}
