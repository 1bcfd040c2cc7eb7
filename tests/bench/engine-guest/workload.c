/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled workloads of tests/bench/engine, linked statically: floating point (SSE, x87, AVX2
 * where the processor has it), system calls, memory. Each prints a checksum, which the bench
 * compares between the engines.
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

/* The same in extended precision, which x87 instructions do. */
static long double run_x87(long steps)
{
	long double x = 1, y = 0, vx = 0, vy = 1, sum = 0;
	const long double dt = 1e-3L;

	for (long i = 0; i < steps; i++) {
		long double r2 = x * x + y * y;
		long double r = __builtin_sqrtl(r2);
		long double a = -dt / (r2 * r);

		vx += x * a;
		vy += y * a;
		x += vx * dt;
		y += vy * dt;
		sum += r;
	}
	return sum;
}

/*
 * Products of small integers in doubles, and byte sums: the same result with vectors of any length,
 * with and without fused multiply-add.
 */
#define VECTOR_BYTES 16384u
#define VECTOR_BODY(width) \
	typedef double vd __attribute__((vector_size(width))); \
	typedef uint32_t vi __attribute__((vector_size(width))); \
	enum { \
		N = VECTOR_BYTES / width, \
		DOUBLES = width / 8, \
		WORDS = width / 4 \
	}; \
	const vd *a = (const vd *)data, *b = (const vd *)(data + VECTOR_BYTES); \
	vd sum[4] = { 0 }; \
	vi mix = { 0 }; \
	double total = 0; \
	for (long k = 0; k < rounds; k++) \
		for (unsigned int i = 0; i < N; i += 4) \
			for (unsigned int j = 0; j < 4; j++) { \
				sum[j] += a[i + j] * b[i + j]; \
				mix = (mix << 1) ^ (mix >> 3) ^ (vi)a[i + j]; \
			} \
	for (unsigned int j = 0; j < 4; j++) \
		for (unsigned int d = 0; d < DOUBLES; d++) \
			total += sum[j][d]; \
	for (unsigned int w = 0; w < WORDS; w++) \
		checksum ^= mix[w]; \
	return total

static volatile uint32_t checksum;

__attribute__((target("avx2,fma"))) static double vector_v3(const uint8_t *data, long rounds)
{
	VECTOR_BODY(32);
}

static double vector_v2(const uint8_t *data, long rounds)
{
	VECTOR_BODY(16);
}

static double run_vector(long rounds)
{
	static _Alignas(32) double data[2 * VECTOR_BYTES / 8];
	uint32_t seed = 1;

	for (unsigned int i = 0; i < 2 * VECTOR_BYTES / 8; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = seed >> 24;
	}
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return vector_v3((const uint8_t *)data, rounds);
	return vector_v2((const uint8_t *)data, rounds);
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

/* Copies between two buffers of 1 MiB, and within a page. */
static uint32_t run_copy(long rounds)
{
	enum {
		BYTES = 1 << 20,
		SMALL = 96
	};
	uint8_t *a = malloc(BYTES), *b = malloc(BYTES);
	uint32_t sum = 0;

	if (!a || !b)
		exit(1);
	for (uint32_t i = 0; i < BYTES; i++)
		a[i] = (uint8_t)(i * 7 + (i >> 8));
	for (long k = 0; k < rounds; k++) {
		memcpy(b, a, BYTES);
		memcpy(a + 64, b, BYTES - 64);
		for (uint32_t i = 0; i < 4096; i++)
			memcpy(b + i * SMALL, a + i * SMALL + k % 64, SMALL);
		sum = sum * 31 + b[k * 4093 % BYTES];
	}
	free(a);
	free(b);
	return sum;
}

int main(int argc, char **argv)
{
	long count = argc == 3 ? atol(argv[2]) : 0;

	if (count <= 0)
		return 2;
	if (!strcmp(argv[1], "float"))
		printf("%.9f\n", run_float(count));
	else if (!strcmp(argv[1], "x87"))
		printf("%.15Lf\n", run_x87(count));
	else if (!strcmp(argv[1], "vector"))
		printf("%.0f\n", run_vector(count));
	else if (!strcmp(argv[1], "copy"))
		printf("%u\n", run_copy(count));
	else if (!strcmp(argv[1], "syscalls"))
		printf("%ld\n", run_syscalls(count));
	else if (!strcmp(argv[1], "memory"))
		printf("%u\n", run_memory(count));
	else
		return 2;
	return 0;
}
