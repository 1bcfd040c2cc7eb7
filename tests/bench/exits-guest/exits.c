/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exits.c - what an exit costs, in time stamp ticks: the same loops on hvm.ko and on KVM. Under
 * QEMU with -icount shift=0 a tick is an instruction of the host, and the figures repeat.
 *
 * exits hvm|kvm [LOOP]... - prints one line a loop: name, hypervisor, ticks a round. Each loop runs
 * to warm up, then with two numbers of rounds; the difference is what the rounds cost. The two
 * virtual processors stay on host processors of their own where there are two.
 */
#define _GNU_SOURCE
#include "exits.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#define SHUFFLE 5003u /* a prime: steps of it reach every page */

extern const uint8_t guest_start[], guest_end[], guest_empty[], guest_cpuid[], guest_pio_core[],
	guest_pio_user[], guest_mmio_lapic[], guest_mmio_user[], guest_touch[], guest_ping[],
	guest_pong[];

struct loop {
	const char *name;
	const uint8_t *code;
	uint32_t few, many;
	bool fresh; /* each run wants memory that was not touched */
	bool two;   /* the other processor takes part */
};

static const struct loop loops[] = {
	{ "none", guest_empty, 1000, 11000, false, false },
	{ "cpuid", guest_cpuid, 1000, 11000, false, false },
	{ "pio-core", guest_pio_core, 1000, 11000, false, false },
	{ "pio-user", guest_pio_user, 1000, 6000, false, false },
	{ "mmio-lapic", guest_mmio_lapic, 1000, 11000, false, false },
	{ "mmio-user", guest_mmio_user, 1000, 6000, false, false },
	{ "hlt-ipi", guest_ping, 200, 4200, false, true },
	{ "page-fault", guest_touch, 256, 4352, true, false },
};
#define LOOPS (sizeof(loops) / sizeof(loops[0]))

atomic_int exits_stop;

static uint8_t *ram;

void exits_fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint32_t address(const uint8_t *label)
{
	return GUEST_BASE + (uint32_t)(label - guest_start);
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * Small pages, given by the host before the guest wants them, and not in order: what is counted is
 * the second-level table, with one page a fault.
 */
static void make_ram(void)
{
	ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		exits_fail("ram");
	madvise(ram, RAM_BYTES, MADV_NOHUGEPAGE);
	for (size_t n = 0; n < RAM_BYTES / 4096; n++)
		ram[n * SHUFFLE % (RAM_BYTES / 4096) * 4096] = 1;
	memcpy(ram + GUEST_BASE, guest_start, (size_t)(guest_end - guest_start));
}

/* -- the other processor ----------------------------------------------------------------------- */

static void *pong(void *host)
{
	stay_on(1);
	((const struct exits_host *)host)->run(1);
	return NULL;
}

static pthread_t start_pong(const struct exits_host *h)
{
	pthread_t thread;

	exits_stop = 0;
	h->set(1, address(guest_pong), 0);
	if (pthread_create(&thread, NULL, pong, (void *)(uintptr_t)h))
		exits_fail("thread");
	return thread;
}

static void stop_pong(const struct exits_host *h, pthread_t thread)
{
	struct timespec soon;

	exits_stop = 1;
	do {
		h->kick(1, (uintptr_t)thread);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_sec++;
	} while (pthread_timedjoin_np(thread, NULL, &soon));
}

/* -- measuring --------------------------------------------------------------------------------- */

static uint64_t timed(const struct exits_host *h, const struct loop *l, uint32_t rounds)
{
	uint64_t start;

	h->set(0, address(l->code), rounds);
	start = __rdtsc();
	h->run(0);
	return __rdtsc() - start;
}

static double measure(const struct exits_host *h, const struct loop *l)
{
	uint64_t ticks[2];
	pthread_t thread = 0;

	for (unsigned int i = 0; i < 2; i++) {
		if (i == 0 || l->fresh) {
			make_ram();
			h->create(ram);
			if (l->two)
				thread = start_pong(h);
			timed(h, l->fresh ? &loops[0] : l, l->few);
		}
		ticks[i] = timed(h, l, i ? l->many : l->few);
		if (i == 1 || l->fresh) {
			if (l->two)
				stop_pong(h, thread);
			h->destroy();
			munmap(ram, RAM_BYTES);
		}
	}
	return (double)(ticks[1] - ticks[0]) / (l->many - l->few);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int n = 2; n < argc; n++) {
		if (!strcmp(argv[n], name))
			return true;
	}
	return argc <= 2;
}

int main(int argc, char **argv)
{
	const struct exits_host *h = argc > 1 && !strcmp(argv[1], "kvm") ? &exits_kvm : &exits_hvm;

	setvbuf(stdout, NULL, _IOLBF, 0);
	stay_on(0);
	for (unsigned int n = 0; n < LOOPS; n++) {
		if (is_wanted(loops[n].name, argc, argv))
			printf("%s %s %.1f\n", loops[n].name, h->name, measure(h, &loops[n]));
	}
	return 0;
}
