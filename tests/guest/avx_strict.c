/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * avx_strict.c - what of AVX a processor does by the book and QEMU's software CPU (7.2) does not:
 * CR0.EM, floating-point exceptions, CR0.TS and MXCSR in XSAVE, loads with a mask at the end of a
 * page, ymm4 as an index, the carry of BLSI. Source: Intel SDM Vol 2A 2.4 "AVX and SSE
 * Instruction Exception Classification"; Vol 1 13.7 "Operation of XSAVE".
 */
#include "avx.h"

static struct xsave area;
static union ymm in[3], out;
static uint8_t pages[2][4096] __attribute__((aligned(4096)));

static void emulation(void)
{
	set_cr0(cr0() | 4);
	TRY("vaddps %%ymm0, %%ymm0, %%ymm0\n vzeroupper", "m"(area));
	say_caught("AVX with CR0.EM");
	TRY("addps %%xmm0, %%xmm0", "m"(area));
	say_caught("SSE with CR0.EM");
	TRY("xor %%eax, %%eax\n xor %%edx, %%edx\n xsave (%0)", "S"(&area));
	say_caught("xsave with CR0.EM");
	set_cr0(cr0() & ~4ull);
	set_cr0(cr0() | 8);
	TRY("xor %%eax, %%eax\n xor %%edx, %%edx\n xsave (%0)", "S"(&area));
	say_caught("xsave after a task switch");
	TRY("xor %%eax, %%eax\n xor %%edx, %%edx\n xrstor (%0)", "S"(&area));
	say_caught("xrstor after a task switch");
	set_cr0(cr0() & ~8ull);
}

/* @mxcsr: what is masked; what the exception leaves of the destination and in MXCSR. */
#define RAISE(what, control, code) \
	do { \
		uint32_t mxcsr_ = (control); \
		__asm__ volatile("vldmxcsr %0\n vmovdqa %1, %%ymm0\n vmovdqa %2, %%ymm1\n" \
				 "vmovdqa %3, %%ymm2" \
				 : \
				 : "m"(mxcsr_), "m"(in[0]), "m"(in[1]), "m"(in[2])); \
		TRY(code, "S"(&in[2])); \
		__asm__ volatile("vstmxcsr %0\n vmovdqa %%ymm0, %1" : "=m"(mxcsr_), "=m"(out)); \
		say_caught(what); \
		say("MXCSR %x, destination %s", mxcsr_, \
		    ymm_same(&out, &in[0], 1) ? "as before" : "written"); \
	} while (0)

static void floating_point(void)
{
	ymm_random(&in[0], 1, 3);
	for (unsigned int i = 0; i < 8; i++) {
		in[1].d[i] = 0x40000000;	      /* 2.0 */
		in[2].d[i] = i == 5 ? 0 : 0x40400000; /* 3.0 */
	}
	RAISE("division by zero, masked", 0x1f80, "vdivps %%ymm2, %%ymm1, %%ymm0");
	RAISE("division by zero", 0x1d80, "vdivps %%ymm2, %%ymm1, %%ymm0");
	RAISE("division by zero, of memory", 0x1d80, "vdivps (%0), %%ymm1, %%ymm0");
	RAISE("not exact", 0x0f80, "vdivps %%xmm2, %%xmm1, %%xmm0");
	in[2].d[1] = 0x7f800001; /* signaling */
	RAISE("invalid", 0x1f00, "vfmadd231ps %%ymm2, %%ymm1, %%ymm0");
	RAISE("invalid, masked", 0x1f80, "vcmpltps %%ymm2, %%ymm1, %%ymm0");
	in[1].d[0] = in[2].d[0] = 0x7f000001;
	RAISE("overflow", 0x1b80, "vmulss %%xmm2, %%xmm1, %%xmm0");
	RAISE("overflow, masked", 0x1f80, "vfnmadd231ss %%xmm2, %%xmm1, %%xmm0");
	in[1].d[0] = in[2].d[0] = 0x00800001;
	RAISE("underflow", 0x1780, "vmulss %%xmm2, %%xmm1, %%xmm0");
	in[1].d[0] = 0x00000001;
	RAISE("denormal", 0x1e80, "vaddss %%xmm2, %%xmm1, %%xmm0");
	RAISE("denormals are zeros", 0x1ec0, "vaddss %%xmm2, %%xmm1, %%xmm0");
	set_cr4(cr4() & ~0x400ull);
	in[2].d[5] = 0;
	RAISE("without OSXMMEXCPT", 0x1d80, "vdivps %%ymm2, %%ymm1, %%ymm0");
	set_cr4(cr4() | 0x400);
	RAISE("reserved bit of MXCSR", 0x1f80, "pushq $-1\n vldmxcsr (%%rsp)");
}

static void saving(void)
{
	const uint32_t control = 0x3f80;

	for (unsigned int what = 0; what < 8; what++) {
		area.bv = 0;
		area.mxcsr = 0xaaaaaaaa;
		__asm__ volatile("vldmxcsr %0" : : "m"(control));
		xsave(&area, what);
		say("xsave %x: MXCSR %x", what, area.mxcsr);
	}
	for (unsigned int what = 0; what < 8; what++) {
		uint32_t now = 0x1f80;

		area.bv = what;
		area.mxcsr = 0x5f80;
		__asm__ volatile("vldmxcsr %0" : : "m"(now));
		xrstor(&area, what);
		__asm__ volatile("vstmxcsr %0" : "=m"(now));
		say("xrstor %x: MXCSR %x", what, now);
	}
	area.mxcsr |= 1u << 31;
	TRY("mov $4, %%eax\n xor %%edx, %%edx\n xrstor (%0)", "S"(&area));
	say_caught("xrstor, reserved bit of MXCSR");
}

/* -- memory ------------------------------------------------------------------------------------ */

static union ymm want[16], got[16];

/* At the end of a page, with nothing behind it. */
static void masks(void)
{
	uint8_t *end_of = pages[0] + 4096;
	uint64_t seed = 12;

	for (unsigned int i = 0; i < 4096; i += 8)
		*(uint64_t *)(void *)(pages[0] + i) = next_random(&seed);
	ymm_random(want, 16, 11);
	want[5] = (union ymm){ .d = { ~0u, 0, 1u << 31, ~0u, 0, 1, 0x7fffffff, 0 } };
	want[8] = (union ymm){ .q = { ~0ull, 1ull << 63, 0, 1 } };
	want[9] = (union ymm){ .q = { 0 } };
	absent(pages[1]);
	ymm_put(want);
	TRY("vmaskmovps -16(%0), %%ymm5, %%ymm6", "S"(end_of));
	say_caught("vmaskmovps of four");
	TRY("vpmaskmovq -16(%0), %%ymm8, %%ymm7", "S"(end_of));
	say_caught("vpmaskmovq of two");
	TRY("vpmaskmovd (%0), %%ymm9, %%ymm4", "S"(end_of));
	say_caught("vpmaskmovd of nothing from nothing");
	ymm_take(got);
	for (unsigned int i = 4; i < 8; i++)
		say("%lx %lx %lx %lx", got[i].q[3], got[i].q[2], got[i].q[1], got[i].q[0]);
	present(pages[1]);
}

/* ymm4 is an index like any other, although 4 is no index in SIB elsewhere. */
static void index_4(void)
{
	ymm_random(want, 16, 13);
	want[4] = (union ymm){ .d = { 8, 16, 24, 32, 40, 48, 56, 4092 } };
	want[5] = (union ymm){ .d = { ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u } };
	ymm_put(want);
	__asm__ volatile("vpgatherdd %%ymm5, (%0,%%ymm4), %%ymm6" : : "r"(pages[0]) : "memory");
	ymm_take(got);
	say("gathered by ymm4: %lx %lx %lx %lx", got[6].q[3], got[6].q[2], got[6].q[1],
	    got[6].q[0]);
}

/* Carry is set if there was a bit. */
static void blsi(void)
{
	uint64_t a, b;

	__asm__ volatile("blsi %2, %2\n pushfq\n pop %0\n xor %%eax, %%eax\n blsi %%rax, %%rax\n"
			 "pushfq\n pop %1"
			 : "=&r"(a), "=&r"(b)
			 : "r"(12ull)
			 : "rax", "cc");
	say("blsi: flags %lx and %lx", a & 0x8c1, b & 0x8c1);
}

int main(void)
{
	tss_init();
	avx_on();
	emulation();
	floating_point();
	saving();
	masks();
	index_4();
	blsi();
	return 0;
}
