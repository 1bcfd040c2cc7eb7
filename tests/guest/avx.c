/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * avx.c - the state of AVX in a guest of the CPU model hvm-v3: what CPUID says, when an instruction
 * may run, XSETBV, what leaves the upper halves alone and what clears them, XSAVE and XRSTOR,
 * faults in the middle of an instruction, two processors. What instructions compute: avx_insn.c.
 * Source: Intel SDM Vol 1 ch. 13, ch. 14; Vol 2A 2.4 "AVX and SSE Instruction Exception
 * Classification"; Vol 2 "VGATHERDPS/VGATHERQPS", "VMASKMOV", "XSETBV".
 */
#include "avx.h"

static volatile uint64_t word __attribute__((aligned(32)));
static uint8_t pages[4][4096] __attribute__((aligned(4096)));

/* -- features ---------------------------------------------------------------------------------- */

static void features(void)
{
	static const struct {
		const char *name;
		uint32_t leaf;
		uint8_t reg, bit;
	} rows[] = {
		{ "FMA", 1, 2, 12 }, { "MOVBE", 1, 2, 22 },	    { "XSAVE", 1, 2, 26 },
		{ "AVX", 1, 2, 28 }, { "F16C", 1, 2, 29 },	    { "BMI1", 7, 1, 3 },
		{ "AVX2", 7, 1, 5 }, { "BMI2", 7, 1, 8 },	    { "AVX512F", 7, 1, 16 },
		{ "VAES", 7, 2, 9 }, { "LZCNT", 0x80000001, 2, 5 }, { "FMA4", 0x80000001, 2, 16 },
	};
	uint32_t out[4];

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cpuid(rows[i].leaf, 0, out);
		say("%s %u", rows[i].name, out[rows[i].reg] >> rows[i].bit & 1);
	}
}

static void say_state(const char *when)
{
	uint32_t one[4], all[4], avx[4];

	cpuid(1, 0, one);
	cpuid(0xd, 0, all);
	cpuid(0xd, 2, avx);
	say("%s: OSXSAVE %u, components %x:%x, area %u of %u, AVX %u at %u", when, one[2] >> 27 & 1,
	    all[3], all[0], all[1], all[2], avx[0], avx[1]);
}

/* -- when instructions run --------------------------------------------------------------------- */

#define ROW(code) \
	do { \
		TRY(code, "S"(&word)); \
		vectors[n++] = (uint32_t)caught.vector; \
	} while (0)

/* The vector of each kind's exception; ff: it ran. */
static void try_all(const char *when)
{
	uint32_t vectors[6];
	unsigned int n = 0;

	ROW("vaddps %%ymm0, %%ymm0, %%ymm0");
	ROW("vaddps %%xmm0, %%xmm0, %%xmm0");
	ROW("vpaddd (%0), %%xmm0, %%xmm0");
	ROW("vfmadd213ps %%ymm0, %%ymm0, %%ymm0");
	ROW("vcvtph2ps %%xmm0, %%xmm0");
	ROW("vzeroupper");
	say("%s: ymm %x xmm %x memory %x fma %x f16c %x vzeroupper %x", when, vectors[0],
	    vectors[1], vectors[2], vectors[3], vectors[4], vectors[5]);
	n = 0;
	ROW("addps %%xmm0, %%xmm0");
	ROW("andn %%eax, %%eax, %%eax");
	ROW("lzcnt %%eax, %%eax\n tzcnt %%eax, %%eax");
	ROW("movbe (%0), %%eax");
	ROW("xor %%ecx, %%ecx\n xgetbv");
	say("%s: sse %x andn %x lzcnt %x movbe %x xgetbv %x", when, vectors[0], vectors[1],
	    vectors[2], vectors[3], vectors[4]);
}
#undef ROW

static struct xsave area;

static void try_xsetbv(const char *what, uint64_t value, uint32_t index)
{
	TRY("mov %0, %%rax\n mov %0, %%rdx\n shr $32, %%rdx\n mov %1, %%ecx\n xsetbv", "S"(value),
	    "b"(index));
	say("xsetbv %s: %lx/%lx, XCR0 %lx", what, caught.vector,
	    caught.vector == 13 ? caught.error : 0, xgetbv());
}

USER(avx, "vpaddd %ymm1, %ymm1, %ymm1")
USER(xgetbv, "xor %ecx, %ecx\n xgetbv")
USER(xsetbv, "mov $7, %eax\n xor %edx, %edx\n xor %ecx, %ecx\n xsetbv")

static void enabling(void)
{
	say_state("at first");
	try_all("at first");
	TRY("xor %%ecx, %%ecx\n mov $7, %%eax\n xor %%edx, %%edx\n xsetbv", "m"(word));
	say("xsetbv without OSXSAVE: %lx", caught.vector);
	TRY("mov $7, %%eax\n xor %%edx, %%edx\n xsave (%0)", "S"(&area));
	say("xsave without OSXSAVE: %lx", caught.vector);
	set_cr4(cr4() | CR4_OSXSAVE);
	say("XCR0 %lx", xgetbv());
	try_all("x87");
	try_xsetbv("x87 and SSE", 3, 0);
	say_state("x87 and SSE");
	try_all("x87 and SSE");
	try_xsetbv("all three", 7, 0);
	say_state("all three");
	try_all("all three");
	try_xsetbv("nothing", 0, 0);
	try_xsetbv("without x87", 6, 0);
	try_xsetbv("AVX without SSE", 5, 0);
	try_xsetbv("part of AVX-512", 0x27, 0);
	try_xsetbv("bit 62", 1ull << 62 | 7, 0);
	try_xsetbv("bit 63", 1ull << 63 | 7, 0);
	try_xsetbv("of XCR1", 7, 1);
	user_call((uintptr_t)user_avx, 0x2b);
	say_caught("user: AVX");
	user_call((uintptr_t)user_xgetbv, 0x2b);
	say_caught("user: xgetbv");
	user_call((uintptr_t)user_xsetbv, 0x2b);
	say_caught("user: xsetbv");
	set_cr0(cr0() | 8);
	try_all("after a task switch");
	set_cr0(cr0() & ~8ull);
	set_cr4(cr4() & ~CR4_OSXSAVE);
	say_state("OSXSAVE off");
	try_all("OSXSAVE off");
	set_cr4(cr4() | CR4_OSXSAVE);
	say("XCR0 again %lx", xgetbv());
}

/* -- upper halves ------------------------------------------------------------------------------ */

static union ymm want[16], got[16];

/* Which registers' upper and lower halves are what they were, are zero, or are something else. */
static void say_halves(const char *what)
{
	char text[2][17];

	ymm_take(got);
	for (unsigned int i = 0; i < 16; i++) {
		for (unsigned int h = 0; h < 2; h++) {
			const uint64_t *g = &got[i].q[2 * h], *w = &want[i].q[2 * h];

			text[h][i] = g[0] == w[0] && g[1] == w[1] ? '='
				     : !g[0] && !g[1]		  ? '0'
								  : '*';
		}
	}
	text[0][16] = text[1][16] = 0;
	say("%s: lower %s upper %s", what, text[0], text[1]);
}

#define HALVES(what, code) \
	do { \
		ymm_put(want); \
		__asm__ volatile(code : : "S"(pages[0]) : "memory", "cc", "rax"); \
		say_halves(what); \
	} while (0)

static void halves(void)
{
	ymm_random(want, 16, 0x1234567);
	HALVES("SSE", "addps %%xmm1, %%xmm0\n movaps %%xmm2, %%xmm3\n movaps (%0), %%xmm4\n"
		      "paddd %%xmm5, %%xmm6\n pinsrw $1, %%eax, %%xmm15\n cvtsi2sd %%rax, %%xmm9");
	HALVES("VEX.128", "vaddps %%xmm1, %%xmm0, %%xmm0\n vmovaps %%xmm2, %%xmm3\n"
			  "vmovaps (%0), %%xmm4\n vpaddd %%xmm5, %%xmm6, %%xmm6\n"
			  "vpinsrw $1, %%eax, %%xmm15, %%xmm15\n"
			  "vcvtsi2sd %%rax, %%xmm9, %%xmm9\n vmovd %%eax, %%xmm11");
	HALVES("stores", "vmovups %%ymm1, (%0)\n vextractf128 $1, %%ymm2, (%0)\n"
			 "vmovd %%xmm3, (%0)\n vmovntdq %%ymm4, (%0)\n vptest %%ymm5, %%ymm6\n"
			 "vmovmskps %%ymm7, %%eax");
	HALVES("VZEROUPPER", "vzeroupper");
	HALVES("VZEROALL", "vzeroall");
	/* FXRSTOR knows nothing of them. */
	HALVES("FXSAVE and FXRSTOR", "fxsave64 (%0)\n fxrstor64 (%0)");
	HALVES("a general register", "mulx %%rax, %%rax, %%rax\n vpmovmskb %%ymm1, %%eax");
}

/* -- what happens in between ------------------------------------------------------------------- */

#define TIMER 0x40

static volatile uint32_t ticks[2];
static struct xsave saved[2];
static union ymm other[2][16];
static volatile bool with_xsave;

/* As an operating system that runs something else in between. */
static void disturb(unsigned int cpu)
{
	if (!with_xsave)
		return;
	xsave(&saved[cpu], 7);
	ymm_put(other[cpu]);
	__asm__ volatile("fninit\n fldpi\n vaddps %ymm1, %ymm2, %ymm3\n vzeroupper\n"
			 "paddd %xmm4, %xmm5");
	xrstor(&saved[cpu], 7);
}

static void on_timer(struct frame *f)
{
	unsigned int cpu = me();

	(void)f;
	disturb(cpu);
	ticks[cpu]++;
	*apic(APIC_EOI) = 0;
}

static void on_int(struct frame *f)
{
	(void)f;
	disturb(me());
}

static void timer_start(uint32_t mode, uint32_t count)
{
	*apic(APIC_DIVIDE) = 0xb; /* by 1 */
	*apic(APIC_TIMER) = mode | TIMER;
	*apic(APIC_INITIAL) = count;
}

static volatile unsigned int faults;

/* Of a page that is not there: it appears. */
static void on_fault(struct frame *f)
{
	volatile uint64_t *pte = pte_of((void *)(uintptr_t)(cr2() & ~0xfffull));

	(void)f;
	faults++;
	disturb(me());
	*pte |= 1;
}

static void do_hlt(void)
{
	uint32_t old = ticks[0];

	timer_start(0, 20000);
	while (ticks[0] == old)
		irq_wait();
}

static void do_loop(void)
{
	uint32_t old = ticks[0];

	timer_start(0x20000, 50000);
	irq_on();
	while (ticks[0] < old + 20)
		;
	irq_off();
	timer_start(0x10000, 0);
}

static void do_port(void)
{
	outb(0x80, 1);
	outb(0x70, 0xb);
	(void)inb(0x71);
}

static void do_string_port(void)
{
	static uint8_t bytes[8];
	uint8_t *p = bytes;
	uint64_t n = sizeof(bytes);

	__asm__ volatile("rep insb" : "+D"(p), "+c"(n) : "d"(0x71) : "memory");
}

static void do_mmio(void)
{
	*apic(APIC_TPR) = 0x10;
	(void)*apic(APIC_TPR);
	*apic(APIC_TPR) = 0;
	(void)*(volatile uint32_t *)0xfec00000;
}

static void do_cpuid(void)
{
	uint32_t out[4];

	cpuid(1, 0, out);
	(void)rdmsr(0x1b);
	wrmsr(0xc0000102, rdmsr(0xc0000102));
}

static void do_fault(void)
{
	absent(pages[1]);
	*(volatile uint8_t *)pages[1] = 1;
}

static void do_int(void)
{
	__asm__ volatile("int $0x81" : : : "memory");
}

static void do_say(void)
{
	say("(this line)");
}

static void do_user(void)
{
	user_call((uintptr_t)user_xgetbv, 0x2b);
}

static void between(void)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} rows[] = {
		{ "HLT", do_hlt },
		{ "many interrupts", do_loop },
		{ "ports", do_port },
		{ "a string of a port", do_string_port },
		{ "device memory", do_mmio },
		{ "CPUID and MSRs", do_cpuid },
		{ "a page fault", do_fault },
		{ "INT", do_int },
		{ "output", do_say },
		{ "ring 3", do_user },
	};

	ymm_random(want, 16, 77);
	ymm_random(other[0], 16, 78);
	ymm_random(other[1], 16, 79);
	for (unsigned int k = 0; k < 2; k++) {
		with_xsave = k;
		for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			ymm_put(want);
			rows[i].fn();
			ymm_take(got);
			say("%s%s: %s", rows[i].name, k ? ", handlers with XSAVE" : "",
			    ymm_same(want, got, 16) ? "kept" : "lost");
		}
	}
	with_xsave = false;
	say("page faults: %u", faults);
}

/* Sums in a loop, while interrupts come whose handler computes something else. */
static bool sum_under_timer(unsigned int cpu, uint64_t seed, uint32_t count)
{
	union ymm step, sum = { { 0 } }, result;
	uint64_t rounds = 0;
	uint32_t old = ticks[cpu];

	ymm_random(&step, 1, seed);
	timer_start(0x20000, 40000 + 1111 * cpu);
	irq_on();
	__asm__ volatile("vmovdqa %0, %%ymm8\n vmovdqa %1, %%ymm9" : : "m"(sum), "m"(step));
	while (ticks[cpu] < old + count) {
		__asm__ volatile("vpaddq %ymm9, %ymm8, %ymm8\n vpermq $0xe4, %ymm8, %ymm8");
		rounds++;
	}
	__asm__ volatile("vmovdqa %%ymm8, %0" : "=m"(result));
	irq_off();
	timer_start(0x10000, 0);
	for (unsigned int i = 0; i < 4; i++)
		if (result.q[i] != step.q[i] * rounds)
			return false;
	return true;
}

/* -- device memory ----------------------------------------------------------------------------- */

/* The local APIC's task priority, by instructions that only a whole processor knows. */
static void device_memory(void)
{
	volatile uint32_t *tpr = apic(APIC_TPR);
	uint32_t a = 0, b = 0, c = 0, d = 0;

	ymm_random(want, 16, 5);
	want[7].d[0] = 0x20;
	ymm_put(want);
	__asm__ volatile("vmovd %%xmm7, (%1)\n mov (%1), %0" : "=&r"(a) : "r"(tpr) : "memory");
	__asm__ volatile("vmovd (%1), %%xmm3\n vmovd %%xmm3, %0" : "=r"(b) : "r"(tpr) : "memory");
	say_halves("VMOVD of device memory");
	__asm__ volatile("movbe (%1), %0" : "=r"(c) : "r"(tpr) : "memory");
	__asm__ volatile("rorx $4, (%1), %0" : "=r"(d) : "r"(tpr) : "memory");
	say("priority %x %x, swapped %x, rotated %x", a, b, c, d);
	__asm__ volatile("movbe %0, (%1)" : : "r"(0x30000000), "r"(tpr) : "memory");
	say("priority %x", *tpr);
	__asm__ volatile("vpbroadcastd (%0), %%ymm3\n vpmovzxbd (%1), %%ymm4"
			 :
			 : "r"(tpr), "r"(pages[0])
			 : "memory");
	ymm_take(got);
	say("broadcast %lx %lx", got[3].q[0], got[3].q[3]);
	*tpr = 0;
}

/* -- XSAVE ------------------------------------------------------------------------------------- */

static void make_state(void)
{
	__asm__ volatile("fninit\n fld1");
	ymm_put(want);
}

/* What of @what is in the area after XSAVE of it. */
static void save_of(uint64_t what)
{
	uint64_t *p = (uint64_t *)&area;
	const uint64_t none = 0xaaaaaaaaaaaaaaaa;

	for (unsigned int i = 0; i < sizeof(area) / 8; i++)
		p[i] = none;
	for (unsigned int i = 0; i < 6; i++)
		area.header[i] = 0;
	area.bv = area.comp_bv = 0;
	make_state();
	xsave(&area, what);
	say("xsave %lx: %lx, x87 %u sse %u avx %u", what, area.bv,
	    area.st[0][0] == 1ull << 63 && (area.st[0][1] & 0xffff) == 0x3fff,
	    area.xmm[3][1] == want[3].q[1] && area.xmm[15][0] == want[15].q[0],
	    area.upper[3][1] == want[3].q[3] && area.upper[15][0] == want[15].q[2]);
	say("left alone: x87 %u sse %u avx %u", area.st[0][0] == none,
	    area.xmm[3][1] == none && area.xmm[15][0] == none,
	    area.upper[3][1] == none && area.upper[15][0] == none);
}

/* Where half @h of register 3 comes from. */
static const char *origin(unsigned int h)
{
	const uint64_t *g = &got[3].q[2 * h], *w = &want[3].q[2 * h], *o = &other[0][3].q[2 * h];

	if (g[0] == w[0] && g[1] == w[1])
		return "restored";
	if (g[0] == o[0] && g[1] == o[1])
		return "left alone";
	return !g[0] && !g[1] ? "initial" : "?";
}

/* XRSTOR of @what from an area that holds @bv; other values were in the registers. */
static void restore_of(uint64_t what, uint64_t bv)
{
	static struct xsave after;

	make_state();
	area.bv = area.comp_bv = 0;
	xsave(&area, 7);
	area.bv = bv;
	__asm__ volatile("fninit\n fld1\n fldz");
	ymm_put(other[0]);
	xrstor(&area, what);
	__asm__ volatile("fxsave64 %0" : "=m"(after));
	ymm_take(got);
	say("xrstor %lx of %lx: x87 %s, lower half %s, upper half %s", what, bv,
	    after.ftw == 0x80	? "restored"
	    : after.ftw == 0xc0 ? "left alone"
	    : !after.ftw	? "initial"
				: "?",
	    origin(0), origin(1));
}

static void try_xrstor(const char *what)
{
	TRY("mov $7, %%eax\n xor %%edx, %%edx\n xrstor (%0)", "S"(&area));
	say("xrstor, %s: %lx", what, caught.vector);
}

static void saving(void)
{
	static const struct {
		uint8_t what, bv;
	} rows[] = { { 7, 7 }, { 7, 0 }, { 7, 6 }, { 7, 5 }, { 7, 3 }, { 1, 7 },
		     { 2, 7 }, { 4, 7 }, { 4, 3 }, { 2, 5 }, { 6, 1 }, { 0, 7 } };
	struct xsave *at_end = (struct xsave *)(void *)(pages[2] + 4096 - 576);

	ymm_random(want, 16, 9);
	for (unsigned int what = 0; what < 8; what++)
		save_of(what);
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		restore_of(rows[i].what, rows[i].bv);
	__asm__ volatile("fninit");
	ymm_put(want);
	xsave(&area, 7);
	area.bv = 7 | 1ull << 62;
	try_xrstor("a component that there is none of");
	area.bv = 7;
	area.comp_bv = 1;
	try_xrstor("something behind the components");
	area.comp_bv = 0;
	try_xrstor("nothing wrong");
	TRY("mov $7, %%eax\n xor %%edx, %%edx\n xsave 32(%0)", "S"(&area));
	say_caught("xsave not aligned");
	/* Without AVX the area is 576 bytes. */
	absent(pages[3]);
	TRY("mov $3, %%eax\n xor %%edx, %%edx\n xsave (%0)", "S"(at_end));
	say_caught("xsave of x87 and SSE at the end of a page");
	TRY("mov $7, %%eax\n xor %%edx, %%edx\n xsave (%0)", "S"(at_end));
	say_caught("xsave of all there");
	present(pages[3]);
}

/* -- memory ------------------------------------------------------------------------------------ */

static union ymm at_fault[16];

static void on_gather_fault(struct frame *f)
{
	ymm_take(at_fault);
	on_fault(f);
}

/* Four or eight elements, of which the third is on a page that is not there. */
#define GATHER(insn, bytes, wide) \
	do { \
		for (unsigned int i_ = 0; i_ < 32 / (wide); i_++) { \
			uint64_t off_ = i_ == 2 ? 4096 : 64 + i_ * 64; \
			if ((wide) == 8) \
				want[3].q[i_] = off_; \
			else \
				want[3].d[i_] = (uint32_t)off_; \
		} \
		want[5].q[0] = want[5].q[1] = want[5].q[2] = want[5].q[3] = ~0ull; \
		absent(pages[1]); \
		faults = 0; \
		ymm_put(want); \
		__asm__ volatile(insn " %%ymm5, (%0,%%ymm3), %%ymm6" \
				 : \
				 : "r"(pages[0]) \
				 : "memory"); \
		ymm_take(got); \
		say_gather(insn, bytes); \
	} while (0)

static uint64_t element(const union ymm *r, unsigned int n, unsigned int bytes)
{
	return bytes == 8 ? r->q[n] : r->d[n];
}

static void say_gather(const char *name, unsigned int bytes)
{
	unsigned int count = 32 / bytes, good = 0;
	uint64_t v = 0;

	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *p = i == 2 ? pages[1] : pages[0] + 64 + i * 64;

		v = bytes == 8 ? *(const uint64_t *)(const void *)p
			       : *(const uint32_t *)(const void *)p;
		good += element(&got[6], i, bytes) == v;
	}
	v = element(&want[6], 2, bytes);
	say("%s: %u fault, then done %u %u, mask %lx %lx %lx, third %s", name, faults,
	    element(&at_fault[6], 0, bytes) == element(&got[6], 0, bytes),
	    element(&at_fault[6], 1, bytes) == element(&got[6], 1, bytes),
	    element(&at_fault[5], 0, bytes) >> (8 * bytes - 1),
	    element(&at_fault[5], 1, bytes) >> (8 * bytes - 1),
	    element(&at_fault[5], 2, bytes) >> (8 * bytes - 1),
	    element(&at_fault[6], 2, bytes) == v ? "as before" : "changed");
	say("%s: %u elements right, mask %lx %lx, index %s", name, good, got[5].q[0], got[5].q[3],
	    ymm_same(&got[3], &want[3], 1) ? "kept" : "lost");
}

static void gathers(void)
{
	uint64_t seed = 4711;

	for (unsigned int i = 0; i < sizeof(pages); i += 8)
		*(uint64_t *)(void *)(pages[0] + i) = next_random(&seed);
	ymm_random(want, 16, 10);
	trap_handler[14] = on_gather_fault;
	GATHER("vgatherdps", 4, 4);
	GATHER("vpgatherdd", 4, 4);
	GATHER("vpgatherqq", 8, 8);
	GATHER("vgatherqpd", 8, 8);
	/* What is masked is not read, and the destination keeps it. */
	absent(pages[1]);
	faults = 0;
	want[3] = (union ymm){ .d = { 0, 4096, 8, 4096, 16, 4096, 24, 4096 } };
	want[5] = (union ymm){ .d = { 1u << 31, 1, ~0u, 0, 1u << 31, 0x7fffffff, ~0u, 0 } };
	ymm_put(want);
	__asm__ volatile("vpgatherdd %%ymm5, (%0,%%ymm3), %%ymm6" : : "r"(pages[0]) : "memory");
	ymm_take(got);
	say("masked elements: %u faults, kept %u %u, mask %lx %lx", faults,
	    got[6].d[1] == want[6].d[1], got[6].d[7] == want[6].d[7], got[5].q[0], got[5].q[3]);
	trap_handler[14] = NULL;
	present(pages[1]);
}

/* At the end of a page, with nothing behind it. Loads with a mask: avx_strict.c. */
static void masks(void)
{
	uint8_t *end_of = pages[0] + 4096;
	uint64_t before = *(uint64_t *)(void *)(end_of - 8);

	ymm_random(want, 16, 11);
	want[5] = (union ymm){ .d = { ~0u, 0, 1u << 31, ~0u, 0, 1, 0x7fffffff, 0 } };
	want[8] = (union ymm){ .q = { 1, 1ull << 63, 0, 1 } };
	want[9] = (union ymm){ .q = { 0 } };
	want[10] = (union ymm){ .d = { 0, 0, 0, 0, ~0u, 0, 0, 0 } };
	absent(pages[1]);
	ymm_put(want);
	TRY("vmaskmovps %%ymm7, %%ymm5, -16(%0)", "S"(end_of));
	say_caught("vmaskmovps of four");
	say("written: %u%u%u%u", *(uint32_t *)(void *)(end_of - 16) == want[7].d[0],
	    *(uint32_t *)(void *)(end_of - 12) == want[7].d[1],
	    *(uint64_t *)(void *)(end_of - 8) != before,
	    *(uint32_t *)(void *)(end_of - 4) == want[7].d[3]);
	TRY("vpmaskmovq %%ymm6, %%ymm8, -16(%0)", "S"(end_of));
	say_caught("vpmaskmovq of two");
	say("written: %u%u", *(uint64_t *)(void *)(end_of - 16) == want[6].q[0],
	    *(uint64_t *)(void *)(end_of - 8) == want[6].q[1]);
	TRY("vmaskmovps %%ymm7, %%ymm9, (%0)", "S"(end_of));
	say_caught("vmaskmovps of nothing to nothing");
	TRY("vmaskmovps -16(%0), %%ymm10, %%ymm6", "S"(end_of));
	say_caught("vmaskmovps of one that is absent");
	TRY("vpmaskmovd %%ymm7, %%ymm10, -16(%0)", "S"(end_of));
	say_caught("vpmaskmovd to one that is absent");
	TRY("vmovups -16(%0), %%ymm6", "S"(end_of));
	say_caught("vmovups across");
	TRY("vmovups %%ymm6, -16(%0)", "S"(end_of));
	say_caught("vmovups across, to memory");
	ymm_take(got);
	say("registers %s", ymm_same(got, want, 16) ? "kept" : "lost");
	present(pages[1]);
}

static void alignment(void)
{
	uint8_t *p = pages[2] + 16;

	TRY("vmovaps (%0), %%ymm1", "S"(p));
	say_caught("vmovaps ymm, aligned to 16");
	TRY("vmovaps (%0), %%xmm1", "S"(p));
	say_caught("vmovaps xmm, aligned to 16");
	TRY("vmovdqa %%ymm1, (%0)", "S"(p));
	say_caught("vmovdqa to memory, aligned to 16");
	TRY("vmovntps %%ymm1, (%0)", "S"(p));
	say_caught("vmovntps, aligned to 16");
	TRY("vmovdqu 1(%0), %%ymm1\n vmovups %%ymm1, 3(%0)", "S"(p));
	say_caught("vmovdqu and vmovups, not aligned");
	TRY("vaddps 1(%0), %%ymm1, %%ymm2\n vpaddd 5(%0), %%xmm1, %%xmm2", "S"(p));
	say_caught("vaddps and vpaddd, not aligned");
	TRY("vmovaps 1(%0), %%xmm1", "S"(p));
	say_caught("vmovaps xmm, not aligned");
}

/* -- another processor ------------------------------------------------------------------------- */

static volatile uint32_t at_work, done;
static volatile uint64_t other_xcr0;
static volatile bool other_sums, other_keeps;
static union ymm other_want[16], other_got[16];

void ap_main(unsigned int n)
{
	(void)n;
	set_cr4(cr4() | CR4_OSXSAVE);
	other_xcr0 = xgetbv();
	xsetbv(7);
	*apic(APIC_SVR) = 0x1ff;
	__atomic_fetch_add(&at_work, 1, __ATOMIC_SEQ_CST);
	wait_for(&at_work, 2);
	other_sums = sum_under_timer(1, 101, 100);
	ymm_random(other_want, 16, 102);
	ymm_put(other_want);
	timer_start(0x20000, 30000);
	for (uint32_t until = ticks[1] + 50; ticks[1] < until;)
		irq_wait();
	ymm_take(other_got);
	other_keeps = ymm_same(other_want, other_got, 16);
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
	for (;;)
		irq_wait();
}

static void two(void)
{
	bool sums, keeps;

	with_xsave = true;
	start_others(2);
	__atomic_fetch_add(&at_work, 1, __ATOMIC_SEQ_CST);
	wait_for(&at_work, 2);
	sums = sum_under_timer(0, 103, 100);
	ymm_random(want, 16, 104);
	ymm_put(want);
	timer_start(0x20000, 20000);
	for (uint32_t until = ticks[0] + 50; ticks[0] < until;)
		irq_wait();
	timer_start(0x10000, 0);
	ymm_take(got);
	keeps = ymm_same(want, got, 16);
	wait_for(&done, 1);
	with_xsave = false;
	say("XCR0 of the other at first %lx", other_xcr0);
	say("two processors: sums %u %u, registers kept %u %u", sums, other_sums, keeps,
	    other_keeps);
}

int main(void)
{
	tss_init();
	features();
	enabling();
	halves();
	*apic(APIC_SVR) = 0x1ff;
	trap_handler[TIMER] = on_timer;
	trap_handler[0x81] = on_int;
	trap_handler[14] = on_fault;
	between();
	with_xsave = true;
	say("sums under interrupts: %u", sum_under_timer(0, 100, 200));
	with_xsave = false;
	trap_handler[14] = NULL;
	device_memory();
	saving();
	gathers();
	masks();
	alignment();
	two();
	return 0;
}
