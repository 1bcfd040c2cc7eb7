/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stress.c - what a processor that keeps translations of code and of addresses can get wrong, four
 * processors at it at once: one changes a page's rights and its place and has the others forget
 * what they knew, one writes to the page and reads it all the time, one writes code that another
 * executes, and itself runs code that it changes. Source: Intel SDM Vol 3A 8.1.3 "Handling Self-
 * and Cross-Modifying Code", 4.10.5 "Propagation of Paging-Structure Changes to Multiple
 * Processors".
 */
#include "guest.h"

#define CPUS   4u
#define FLIPS  100u
#define REMAPS 100u
#define FLUSH  0x41

static volatile uint32_t up, flushed, stop, done;
/* Of the page: what is written to it, how often, how often that faulted, what was read from it. */
static uint32_t page[1024] __attribute__((aligned(4096)));
static uint32_t place[2][1024] __attribute__((aligned(4096)));
static volatile uint32_t writes, faults, reads, seen;
/* Code that is handed over: seq is odd while it may be executed. */
static uint8_t code[4096] __attribute__((aligned(4096)));
static volatile uint32_t seq, handed, wrong_handed, wrong_own, own;

static void on_flush(struct frame *f)
{
	(void)f;
	invlpg(page);
	invlpg(place[0]);
	__atomic_fetch_add(&flushed, 1, __ATOMIC_SEQ_CST);
	*apic(APIC_EOI) = 0;
}

/* The page is read-only just now: again, until it is not. */
static void on_page_fault(struct frame *f)
{
	if (me() != 3 || f->error != 3 || cr2() - (uintptr_t)page >= 4096) {
		say("page fault at %lx for %lx, error %lx", f->rip, cr2(), f->error);
		end();
	}
	__atomic_fetch_add(&faults, 1, __ATOMIC_SEQ_CST);
}

static uint32_t call(const volatile uint8_t *p)
{
	return ((uint32_t(*)(void))(uintptr_t)p)();
}

/* -- the four ---------------------------------------------------------------------------------- */

static void modifier(void)
{
	for (uint32_t i = 1; !stop; i++) {
		emit(code + 64, i);
		__atomic_store_n(&seq, 2 * i + 1, __ATOMIC_SEQ_CST);
		/* Meanwhile: its own, in the same page and around its end. */
		emit(code + 2048 + i % 7, ~i);
		wrong_own += call(code + 2048 + i % 7) != ~i;
		__atomic_store_n(&own, own + 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&seq, __ATOMIC_SEQ_CST) & 1 && !stop)
			relax();
	}
}

static void executor(void)
{
	while (!stop) {
		uint32_t s = __atomic_load_n(&seq, __ATOMIC_SEQ_CST);

		if (!(s & 1)) {
			relax();
			continue;
		}
		__asm__ volatile("xor %%eax, %%eax\n cpuid"
				 :
				 :
				 : "rax", "rbx", "rcx", "rdx", "memory");
		wrong_handed += call(code + 64) != s / 2;
		__atomic_store_n(&handed, handed + 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&seq, s + 1, __ATOMIC_SEQ_CST);
	}
}

static void accessor(void)
{
	volatile uint32_t *p = page, *q = place[0];

	for (uint32_t i = 1; !stop; i++) {
		p[i % 1024] = i;
		__atomic_store_n(&writes, i, __ATOMIC_SEQ_CST);
		seen = *q;
		__atomic_store_n(&reads, i, __ATOMIC_SEQ_CST);
	}
}

void ap_main(unsigned int n)
{
	static void (*const parts[CPUS])(void) = { NULL, modifier, executor, accessor };

	(void)n;
	*apic(APIC_SVR) = 0x1ff;
	irq_on();
	__atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
	wait_for(&up, CPUS);
	parts[me()]();
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
	for (;;)
		__asm__ volatile("hlt");
}

static void shoot_down(void)
{
	invlpg(page);
	invlpg(place[0]);
	flushed = 0;
	*apic(APIC_ICR) = 0xc4000 | FLUSH;
	wait_for(&flushed, CPUS - 1);
}

static uint64_t sum_of_page(void)
{
	return hash(1, page, sizeof(page));
}

/* What is read-only does not change, and what is written again has not been lost. */
static void flip_rights(void)
{
	volatile uint64_t *pte = pte_of(page);
	uint32_t bad = 0, stuck = 0;

	for (uint32_t i = 0; i < FLIPS; i++) {
		uint32_t before, n = faults;
		uint64_t sum;

		*pte &= ~2ull;
		shoot_down();
		sum = sum_of_page();
		while (__atomic_load_n(&faults, __ATOMIC_SEQ_CST) - n < 3)
			relax();
		bad += sum_of_page() != sum;
		before = writes;
		*pte |= 2;
		shoot_down();
		while (__atomic_load_n(&writes, __ATOMIC_SEQ_CST) - before < 2)
			relax();
		stuck += page[(before + 1) % 1024] < before + 1;
	}
	say("rights changed %u times, %u written in vain, %u lost", FLIPS, bad, stuck);
}

/* Two reads after the change was seen by all, the new place is what is read. */
static void change_place(void)
{
	volatile uint64_t *pte = pte_of(place[0]);
	uint64_t old = *pte, other = *pte_of(place[1]);
	uint32_t bad = 0;

	for (uint32_t i = 0; i < REMAPS; i++) {
		uint32_t n;

		*pte = i & 1 ? old : other;
		shoot_down();
		n = reads;
		while (__atomic_load_n(&reads, __ATOMIC_SEQ_CST) - n < 2)
			relax();
		bad += seen != (i & 1 ? 0xaaaau : 0xbbbbu);
	}
	say("place changed %u times, %u wrong", REMAPS, bad);
}

int main(void)
{
	trap_handler[14] = on_page_fault;
	trap_handler[FLUSH] = on_flush;
	place[0][0] = 0xaaaa;
	place[1][0] = 0xbbbb;
	pte_of(page);
	pte_of(code);
	pte_of(place[1]);
	pte_of(place[0]);
	*apic(APIC_SVR) = 0x1ff;
	start_others(CPUS);
	wait_for(&up, CPUS - 1);
	__atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
	flip_rights();
	change_place();
	wait_for(&handed, 500);
	wait_for(&own, 500);
	stop = 1;
	wait_for(&done, CPUS - 1);
	say("code handed over: %u wrong", wrong_handed);
	say("own code: %u wrong", wrong_own);
	return 0;
}
