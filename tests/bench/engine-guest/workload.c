/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled workloads of tests/bench/engine, linked statically: floating point, system calls,
 * memory. Each prints a checksum, which the bench compares between the engines.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Two bodies around a common centre: scalar double arithmetic with division and square root. */
static double run_float(long steps)
{
	double x = 1, y = 0, vx = 0, vy = 1, sum = 0;
	const double dt = 1e-3;

	for (long i = 0; i < steps; i++) {
		double r2 = x * x + y * y;
		double r = __builtin_sqrt(r2);
		double a = -dt / (r2 * r);

		vx += x * a;
		vy += y * a;
		x += vx * dt;
		y += vy * dt;
		sum += r;
	}
	return sum;
}

static long run_syscalls(long count)
{
	long sum = 0;

	for (long i = 0; i < count; i++)
		sum += syscall(SYS_getppid) >= 0;
	return sum;
}

/* Dependent reads in random order over 512 KiB (more would measure the host's caches), a cycle made
 * by Sattolo's shuffle. */
static uint32_t run_memory(long rounds)
{
	enum {
		COUNT = 1 << 17
	};
	uint32_t *next = malloc(COUNT * sizeof(*next));
	uint32_t seed = 1, at = 0;

	if (!next)
		exit(1);
	for (uint32_t i = 0; i < COUNT; i++)
		next[i] = i;
	for (uint32_t i = COUNT - 1; i > 0; i--) {
		uint32_t j, t;

		seed = seed * 1664525 + 1013904223;
		j = (uint32_t)(((uint64_t)seed * i) >> 32);
		t = next[i];
		next[i] = next[j];
		next[j] = t;
	}
	for (long i = 0; i < rounds * 10000; i++)
		at = next[at];
	free(next);
	return at;
}

int main(int argc, char **argv)
{
	long count = argc == 3 ? atol(argv[2]) : 0;

	if (count <= 0)
		return 2;
	if (!strcmp(argv[1], "float"))
		printf("%.9f\n", run_float(count));
	else if (!strcmp(argv[1], "syscalls"))
		printf("%ld\n", run_syscalls(count));
	else if (!strcmp(argv[1], "memory"))
		printf("%u\n", run_memory(count));
	else
		return 2;
	return 0;
}
