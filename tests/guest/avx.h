/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * avx.h - what the guest programs about AVX share: 256-bit values, the registers, XCR0 and XSAVE.
 * The compiler is told to use general registers only, so vector registers keep what a program puts
 * there. Source: Intel SDM Vol 1 ch. 13 "Managing State Using the XSAVE Feature Set", ch. 14.
 */
#ifndef AVX_H
#define AVX_H

#include "guest.h"

union ymm {
	uint64_t q[4];
	uint32_t d[8];
	uint16_t w[16];
	uint8_t b[32];
} __attribute__((aligned(32)));

#define CR4_OSXSAVE 0x40000ull

/* The area of XSAVE in standard form, with AVX: 832 bytes. */
struct xsave {
	uint16_t fcw, fsw;
	uint8_t ftw, reserved5;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	uint64_t st[8][2], xmm[16][2];
	uint8_t reserved416[96];
	uint64_t bv, comp_bv, header[6];
	uint64_t upper[16][2];
} __attribute__((aligned(64)));

#define YMM_EACH(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

static inline void ymm_put(const union ymm r[16])
{
#define YMM_ONE(n) __asm__ volatile("vmovdqu %0, %%ymm" #n : : "m"(r[n]));
	YMM_EACH(YMM_ONE)
#undef YMM_ONE
}

static inline void ymm_take(union ymm r[16])
{
#define YMM_ONE(n) __asm__ volatile("vmovdqu %%ymm" #n ", %0" : "=m"(r[n]));
	YMM_EACH(YMM_ONE)
#undef YMM_ONE
}

static inline bool ymm_same(const union ymm *a, const union ymm *b, unsigned int count)
{
	for (unsigned int i = 0; i < 4 * count; i++)
		if (a[i / 4].q[i % 4] != b[i / 4].q[i % 4])
			return false;
	return true;
}

static inline uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static inline void ymm_random(union ymm *r, unsigned int count, uint64_t seed)
{
	for (unsigned int i = 0; i < 4 * count; i++)
		r[i / 4].q[i % 4] = next_random(&seed);
}

/* absent, present - a page goes, and comes back. */
static inline void absent(void *page)
{
	*pte_of(page) &= ~1ull;
	invlpg(page);
}

static inline void present(void *page)
{
	*pte_of(page) |= 1;
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(sub));
}

static inline uint64_t xgetbv(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo | (uint64_t)hi << 32;
}

static inline void xsetbv(uint64_t v)
{
	__asm__ volatile("xsetbv" : : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(0));
}

static inline void avx_on(void)
{
	set_cr4(cr4() | CR4_OSXSAVE);
	xsetbv(7);
}

static inline void xsave(struct xsave *area, uint64_t what)
{
	__asm__ volatile("xsave64 %0"
			 : "+m"(*area)
			 : "a"((uint32_t)what), "d"((uint32_t)(what >> 32))
			 : "memory");
}

static inline void xrstor(const struct xsave *area, uint64_t what)
{
	__asm__ volatile("xrstor64 %0"
			 :
			 : "m"(*area), "a"((uint32_t)what), "d"((uint32_t)(what >> 32))
			 : "memory");
}

#endif
