/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipi.c - four processors: started by INIT and SIPI, interrupted in all ways, halted and woken,
 * their translations flushed, locked instructions against one another. Source: Intel SDM Vol 3A 8.4
 * "Multiple-Processor Initialization", 10.6 "Issuing Interprocessor Interrupts".
 */
#include "guest.h"

#define CPUS 4u

static volatile uint32_t up, got[CPUS], ids, go, finished, nmis, flushed, stop;
static volatile uint64_t locked, added, plain;
static uint8_t page_a[4096] __attribute__((aligned(4096)));
static uint8_t page_b[4096] __attribute__((aligned(4096)));
static uint8_t page_c[4096] __attribute__((aligned(4096)));

static void on_ipi(struct frame *f)
{
	(void)f;
	__atomic_fetch_add(&got[me()], 1, __ATOMIC_SEQ_CST);
	*apic(APIC_EOI) = 0;
}

static void on_nmi(struct frame *f)
{
	(void)f;
	__atomic_fetch_add(&nmis, 1, __ATOMIC_SEQ_CST);
}

static void on_flush(struct frame *f)
{
	(void)f;
	invlpg(page_a);
	__atomic_fetch_add(&flushed, 1, __ATOMIC_SEQ_CST);
	*apic(APIC_EOI) = 0;
}

static void work(void)
{
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t old = locked;

		__asm__ volatile("lock incq %0" : "+m"(added) : : "memory");
		while (!__atomic_compare_exchange_n(&locked, &old, old * 3 + 1 - old * 2, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		while (__atomic_exchange_n(&go, 2, __ATOMIC_SEQ_CST) == 2)
			relax();
		plain++;
		__atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

void ap_main(unsigned int n)
{
	(void)n;
	*apic(APIC_SVR) = 0x1ff;
	__atomic_fetch_or(&ids, 1u << me(), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
	while (!go)
		irq_wait();
	work();
	for (;;) {
		(void)*(volatile uint8_t *)page_a;
		if (!stop)
			irq_wait();
		else
			__asm__ volatile("sti; pause; cli");
	}
}

static void say_got(const char *what, uint32_t want1, uint32_t want2, uint32_t want3)
{
	wait_for(&got[1], want1);
	wait_for(&got[2], want2);
	wait_for(&got[3], want3);
	for (unsigned int i = 0; i < 10000; i++)
		relax();
	say("%s: %u %u %u %u", what, got[0], got[1], got[2], got[3]);
}

static void ways(void)
{
	icr_send(2, 0x4040);
	say_got("to one", 0, 1, 0);
	*apic(APIC_ICR) = 0xc4040; /* all but this one */
	say_got("to the others", 1, 2, 1);
	*apic(APIC_ICR) = 0x84040; /* all */
	irq_on();
	irq_off();
	say_got("to all", 2, 3, 2);
	icr_send(0xff, 0x4040);
	irq_on();
	irq_off();
	say_got("by broadcast", 3, 4, 3);
	/* Logical, flat: our bit alone is set in the others' LDR by nobody, so only ours answers.
	 */
	*apic(0xe0) = 0xffffffff;
	*apic(0xd0) = 1u << 24;
	icr_send(1, 0x4840);
	irq_on();
	irq_off();
	say_got("logical, to this one", 3, 4, 3);
	for (unsigned int i = 0; i < 500; i++) {
		uint32_t before = got[3];

		icr_send(3, 0x4040);
		while (got[3] == before)
			relax();
	}
	say("500 round trips: %u", got[3]);
	*apic(APIC_ICR) = 0xc4400;
	wait_for(&nmis, 3);
	say("NMI to the others: %u", nmis);
}

static void shoot_down(void)
{
	volatile uint64_t *pte = pte_of(page_a);
	uint64_t old = *pte;
	unsigned int bad = 0;

	*(volatile uint32_t *)page_b = 0xb;
	*(volatile uint32_t *)page_c = 0xc;
	for (unsigned int i = 0; i < 100; i++) {
		*pte = (uintptr_t)(i & 1 ? page_b : page_c) | 7;
		invlpg(page_a);
		flushed = 0;
		*apic(APIC_ICR) = 0xc4041;
		wait_for(&flushed, 3);
		bad += *(volatile uint32_t *)page_a != (i & 1 ? 0xbu : 0xcu);
	}
	*pte = old;
	invlpg(page_a);
	say("100 shoot-downs, %u wrong", bad);
}

int main(void)
{
	trap_handler[0x40] = on_ipi;
	trap_handler[0x41] = on_flush;
	trap_handler[2] = on_nmi;
	*apic(APIC_SVR) = 0x1ff;
	start_others(CPUS);
	wait_for(&up, CPUS - 1);
	say("up: %u, ids %x", up, ids);
	ways();
	go = 1;
	*apic(APIC_ICR) = 0xc4040;
	work();
	wait_for(&finished, CPUS);
	say("locked: %lu %lu %lu", added, locked, plain);
	shoot_down();
	stop = 1;
	*apic(APIC_ICR) = 0xc4040;
	shoot_down();
	/* INIT stops them, and a SIPI starts one again. */
	icr_send(1, 0x4500);
	got[1] = 0;
	icr_send(1, 0x4040);
	for (unsigned int i = 0; i < 100000; i++)
		relax();
	say("after INIT: %u", got[1]);
	icr_send(1, 0x4608);
	wait_for(&up, CPUS);
	say("after SIPI: up %u", up);
	return 0;
}
