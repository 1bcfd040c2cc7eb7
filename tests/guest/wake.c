/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wake.c - four processors that halt, spin and interrupt one another while their timers run: no
 * interrupt may get lost on the way, whatever the target does. Each sender has a vector of its own,
 * so that nobody else's interrupt stands in for a lost one; a lost one is waited for for ever.
 * Source: Intel SDM Vol 3A 10.5.4 "APIC Timer", 10.6 "Issuing Interprocessor Interrupts".
 */
#include "guest.h"

#define CPUS   4u
#define ROUNDS 500u
#define VECTOR 0x50u /* of the first processor; the others' are one class higher each */
#define TIMER  0x61u /* between them */

static volatile uint32_t up, finished, ticks[CPUS];
/* What the sender's interrupts found done at the target. */
static volatile uint32_t answered[CPUS][CPUS];

static void on_call(struct frame *f)
{
	unsigned int from = ((unsigned int)f->vector - VECTOR) >> 4;

	__atomic_fetch_add(&answered[me()][from], 1, __ATOMIC_SEQ_CST);
	*apic(APIC_EOI) = 0;
}

static void on_timer(struct frame *f)
{
	(void)f;
	ticks[me()]++;
	*apic(APIC_EOI) = 0;
}

static uint32_t random_next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Interrupts are off, and on while it waits: halted, in a loop with PAUSE, or in one without. */
static void wait_change(volatile uint32_t *what, uint32_t old, unsigned int how)
{
	while (__atomic_load_n(what, __ATOMIC_SEQ_CST) == old) {
		if (how == 0)
			irq_wait();
		else if (how == 1)
			__asm__ volatile("sti; pause; cli" : : : "memory");
		else
			__asm__ volatile("sti; nop; cli" : : : "memory");
	}
}

static void call_others(unsigned int self)
{
	uint32_t seed = 0x9e3779b9u * (self + 1);

	*apic(APIC_DIVIDE) = 0xb; /* by 1 */
	*apic(APIC_TIMER) = 0x20000 | TIMER;
	*apic(APIC_INITIAL) = 150000 + 7777 * self;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint32_t r = random_next(&seed);
		unsigned int to = (self + 1 + r % (CPUS - 1)) % CPUS;
		uint32_t old = answered[to][self];

		icr_send(to, 0x4000 | (VECTOR + 16 * self));
		wait_change(&answered[to][self], old, (r >> 8) % 3);
		for (unsigned int n = (r >> 16) % 64; n; n--)
			__asm__ volatile("sti; nop; cli" : : : "memory");
	}
	*apic(APIC_TIMER) = 0x10000;
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

void ap_main(unsigned int n)
{
	(void)n;
	*apic(APIC_SVR) = 0x1ff;
	__atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
	wait_for(&up, CPUS);
	call_others(me());
	for (;;)
		irq_wait();
}

int main(void)
{
	unsigned int calls = 0, ticking = 0;

	*apic(APIC_SVR) = 0x1ff;
	for (unsigned int i = 0; i < CPUS; i++)
		trap_handler[VECTOR + 16 * i] = on_call;
	trap_handler[TIMER] = on_timer;
	start_others(CPUS);
	__atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
	wait_for(&up, CPUS);
	call_others(0);
	while (finished < CPUS)
		__asm__ volatile("sti; pause; cli" : : : "memory");
	for (unsigned int i = 0; i < CPUS; i++) {
		ticking += ticks[i] > 0;
		for (unsigned int k = 0; k < CPUS; k++)
			calls += answered[i][k];
	}
	say("interrupts of one another: %u, timers that ran: %u", calls, ticking);
	return 0;
}
