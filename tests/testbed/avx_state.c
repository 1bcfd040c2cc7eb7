/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * avx_state.c - the upper halves of the YMM registers belong to whom they belong: two guests of
 * hvm-v3, one of hvm-v2 and the host's program take turns on each CPU, each with values of its own
 * in SSE and AVX registers. Prints TAP without a plan; one line says so where /dev/hvm refuses
 * the model. Source: Intel SDM Vol 1 13.7 "Operation of XSAVE", 13.8 "Operation of XRSTOR".
 */
#include "hvm/hvm_ioctl.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	 4096u
#define CODE_GPA 0xfffff000ull /* the page of the reset vector */
#define ROUNDS	 100u

#define LOADED 0x510u /* ports: the guest's registers are its own; it has stored them */
#define STORED 0x511u

/* The guest's page 0. */
#define AT_LOAD	 0x000u
#define AT_STORE 0x400u
#define AT_XCR0	 0x800u

#define GUEST_REGS 8u /* outside 64-bit mode there are no more */

#define MODEL_V2 1u
#define MODEL_V3 2u

static unsigned int failures;

static void result(int good, const char *what)
{
	printf("%sok - %s\n", good ? "" : "not ", what);
	failures += !good;
	fflush(stdout);
}

/* Real mode, which has XSAVE, at offset 0 of the page of the reset vector. */
__asm__(".pushsection .rodata\n"
	"	.code16\n"
	"guest_start:\n"
	"	mov	%cr4, %eax\n"
	"	or	$0x40600, %eax\n" /* OSFXSR, OSXMMEXCPT, OSXSAVE */
	"	mov	%eax, %cr4\n"
	"	mov	%cr0, %eax\n"
	"	and	$~0xe, %eax\n"
	"	mov	%eax, %cr0\n"
	"	xor	%ecx, %ecx\n"
	"	xor	%edx, %edx\n"
	"	mov	0x800, %eax\n"
	"	xsetbv\n"
	"1:	xor	%edx, %edx\n"
	"	mov	$7, %eax\n"
	"	xrstor	0x000\n"
	"	mov	$0x510, %dx\n"
	"	out	%al, %dx\n"
	"	xor	%edx, %edx\n"
	"	mov	$7, %eax\n"
	"	xsave	0x400\n"
	"	mov	$0x511, %dx\n"
	"	out	%al, %dx\n"
	"	jmp	1b\n"
	"guest_end:\n"
	"	.code64\n"
	".popsection\n");
extern const uint8_t guest_start[], guest_end[];

struct guest {
	int domain, vcpu;
	struct hvm_ioreq *req;
	uint8_t *ram;
	uint32_t xcr0;
};

static uint8_t *page_new(struct guest *g, uint64_t gpa, uint32_t type)
{
	struct hvm_ioctl_memory m = { .gpa = gpa, .bytes = PAGE, .type = type };
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	m.hva = (uintptr_t)page;
	return ioctl(g->domain, HVM_IOCTL_MEMORY, &m) < 0 ? NULL : page;
}

static int guest_create(struct guest *g, uint32_t model)
{
	static const uint8_t jump[] = { 0xe9, 0x0d, 0xf0 }; /* from fff0 to f000 */
	struct hvm_ioctl_create c = { .version = HVM_IOCTL_VERSION,
				      .cpu_model = model,
				      .vcpus = 1 };
	struct hvm_ioctl_vcpu v = { 0 };
	int dev = open("/dev/hvm", O_RDWR | O_CLOEXEC);
	uint8_t *code;

	strcpy(c.name, "avx-state");
	g->domain = ioctl(dev, HVM_IOCTL_CREATE, &c);
	close(dev);
	if (g->domain < 0)
		return -1;
	code = page_new(g, CODE_GPA, 1);
	g->ram = page_new(g, 0, 0);
	if (!code || !g->ram)
		return -1;
	memcpy(code, guest_start, (size_t)(guest_end - guest_start));
	memcpy(code + 0xff0, jump, sizeof(jump));
	g->xcr0 = model == MODEL_V3 ? 7 : 3;
	memcpy(g->ram + AT_XCR0, &g->xcr0, sizeof(g->xcr0));
	g->vcpu = ioctl(g->domain, HVM_IOCTL_VCPU, &v);
	g->req = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	return g->req == MAP_FAILED ? -1 : 0;
}

/* An XSAVE area whose every register differs from those of another @seed. */
static void area_fill(uint8_t *area, unsigned int seed, uint32_t components)
{
	memset(area, 0, HVM_XSAVE_BYTES);
	area[0] = 0x7f, area[1] = 0x03;	  /* FCW */
	area[24] = 0x80, area[25] = 0x1f; /* MXCSR */
	for (unsigned int i = 160; i < 416; i++)
		area[i] = (uint8_t)(i * 7 + seed);
	for (unsigned int i = 576; (components & 4) && i < HVM_XSAVE_BYTES; i++)
		area[i] = (uint8_t)(i * 5 + seed * 11 + 3);
	area[512] = (uint8_t)components;
}

/* The first @count registers; where @components is without AVX, nothing must be there. */
static int area_is(const uint8_t *area, unsigned int count, unsigned int seed, uint32_t components)
{
	_Alignas(64) uint8_t wanted[HVM_XSAVE_BYTES];

	area_fill(wanted, seed, components);
	return (area[512] & ~components) == 0 && !memcmp(area + 160, wanted + 160, 16 * count) &&
	       !memcmp(area + 576, wanted + 576, 16 * count);
}

/*
 * One run of the guest, to its OUT to @port, with the host's registers as area_fill() has them for
 * @seed; 1: they are still so behind it.
 */
static int turn(struct guest *g, uint32_t port, unsigned int seed)
{
	static uint8_t before[HVM_XSAVE_BYTES] __attribute__((aligned(64))),
		after[HVM_XSAVE_BYTES] __attribute__((aligned(64)));
	struct hvm_exit exit = { 0 };
	struct hvm_exit *arg = &exit; /* EDX, XRSTOR's mask too: its upper half asks for nothing */
	long rc;

	if (g->req->state == HVM_IOREQ_STATE_READY)
		g->req->state = HVM_IOREQ_STATE_DONE;
	area_fill(before, seed, 7);
	__asm__ volatile(
		"xrstor (%[before])\n"
		"mov %[ioctl], %%eax\n"
		"syscall\n"
		"mov %%rax, %%r12\n"
		"mov $7, %%eax\n"
		"xor %%edx, %%edx\n"
		"xsave (%[after])\n"
		"fninit\n"
		"vzeroupper\n"
		"mov %%r12, %%rax\n"
		: "=&a"(rc), "+d"(arg)
		: "0"(7l), [before] "r"(before), [after] "r"(after), [ioctl] "i"(SYS_ioctl),
		  "D"((long)g->vcpu), "S"((long)HVM_IOCTL_RUN)
		: "rcx", "r11", "r12", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
		  "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
		  "xmm14", "xmm15");
	if (rc || exit.reason != HVM_EXIT_IOREQ || g->req->address != port) {
		printf("# run: %ld, reason %u, port %x\n", rc, exit.reason,
		       (unsigned int)g->req->address);
		return 0;
	}
	return area_is(after, 16, seed, 7);
}

/* -- what is looked at ------------------------------------------------------------------------- */

#define GUESTS 3u

struct seen {
	int host, guests, hidden;
};

/* All load theirs, then all store what they find; the host has others again each time. */
static void round_of(struct guest g[GUESTS], unsigned int n, struct seen *seen)
{
	for (unsigned int i = 0; i < GUESTS; i++) {
		area_fill(g[i].ram + AT_LOAD, n + 50 * i, g[i].xcr0);
		memset(g[i].ram + AT_STORE, 0, HVM_XSAVE_BYTES);
		seen->host &= turn(&g[i], LOADED, n + 200);
	}
	for (unsigned int i = 0; i < GUESTS; i++) {
		const uint8_t *stored = g[i].ram + AT_STORE;

		seen->host &= turn(&g[i], STORED, n + 201);
		if (g[i].xcr0 & 4)
			seen->guests &= area_is(stored, GUEST_REGS, n + 50 * i, 7);
		else
			seen->hidden &= area_is(stored, GUEST_REGS, n + 50 * i, 3);
	}
}

/* What the vcpu's state shows, and that the guest finds what it was given there. */
static int state_holds_it(struct guest *g)
{
	struct hvm_vcpu_state s;
	struct hvm_ioctl_state a = { .state = (uintptr_t)&s, .bytes = sizeof(s) };

	area_fill(g->ram + AT_LOAD, 7, 7);
	if (!turn(g, LOADED, 1) || ioctl(g->vcpu, HVM_IOCTL_GET_STATE, &a) < 0 || s.xcr0 != 7 ||
	    !area_is(s.xsave, GUEST_REGS, 7, 7))
		return 0;
	area_fill(s.xsave, 8, 7);
	/* Its OUT comes again: whoever sets the state takes back what waited for an answer. */
	return !ioctl(g->vcpu, HVM_IOCTL_SET_STATE, &a) && turn(g, LOADED, 1) &&
	       turn(g, STORED, 1) && area_is(g->ram + AT_STORE, GUEST_REGS, 8, 7);
}

static void bind(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(void)
{
	struct seen seen = { 1, 1, 1 };
	struct guest g[GUESTS];
	cpu_set_t allowed;

	if (guest_create(&g[0], MODEL_V3) < 0) {
		printf("ok - # SKIP no guest of hvm-v3 on this host\n");
		return 0;
	}
	if (guest_create(&g[1], MODEL_V3) < 0 || guest_create(&g[2], MODEL_V2) < 0) {
		result(0, "guests of hvm-v3 and hvm-v2 are made");
		return 1;
	}
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (unsigned int n = 0; n < ROUNDS; n++) {
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &allowed))
				continue;
			bind(cpu);
			round_of(g, n, &seen);
		}
	}
	result(seen.guests, "each guest of hvm-v3 finds its YMM registers as it left them");
	result(seen.hidden, "a guest of hvm-v2 finds its XMM registers, and no upper halves");
	result(seen.host, "the caller's YMM registers are kept");
	result(state_holds_it(&g[0]), "a vcpu's state holds them");
	return failures != 0;
}
