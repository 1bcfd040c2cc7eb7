/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_state.c - what belongs to the host is as it was when a guest has run: the caller's x87, SSE
 * and AVX registers, its FS and GS bases, hardware breakpoints, TSC_AUX, and the MSRs of every CPU.
 * The guest overwrites its own of all of them. Prints TAP without a plan.
 * Source: Intel SDM Vol 2 "XSAVE"; AMD APM Vol 2 App. A "MSR Cross-Reference"; perf_event_open(2).
 */
#include "hvm/hvm_ioctl.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	 4096u
#define CODE_GPA 0xfffff000ull /* the page of the reset vector */
#define ROUNDS	 200u

static unsigned int failures;

static void result(int good, const char *what)
{
	printf("%sok - %s\n", good ? "" : "not ", what);
	failures += !good;
	fflush(stdout);
}

/* Real mode, at offset 0 of the page of the reset vector; then OUT to port 0x510 for ever. */
__asm__(".pushsection .rodata\n"
	"	.code16\n"
	"guest_start:\n"
	"	mov	%cr4, %eax\n"
	"	or	$0x600, %eax\n" /* OSFXSR, OSXMMEXCPT */
	"	mov	%eax, %cr4\n"
	"	mov	%cr0, %eax\n"
	"	and	$~0xe, %eax\n"
	"	mov	%eax, %cr0\n"
	"	fninit\n"
	"	fldl2e\n fldl2e\n fldl2e\n fldl2e\n fldl2e\n fldl2e\n fldl2e\n fldl2e\n"
	"	pcmpeqd	%xmm0, %xmm0\n pcmpeqd %xmm1, %xmm1\n pcmpeqd %xmm2, %xmm2\n"
	"	pcmpeqd	%xmm3, %xmm3\n pcmpeqd %xmm4, %xmm4\n pcmpeqd %xmm5, %xmm5\n"
	"	pcmpeqd	%xmm6, %xmm6\n pcmpeqd %xmm7, %xmm7\n"
	"	mov	$0x12345678, %eax\n"
	"	mov	%eax, %dr0\n mov %eax, %dr1\n mov %eax, %dr2\n mov %eax, %dr3\n"
	"	mov	$0x4ff, %eax\n"
	"	mov	%eax, %dr7\n"
	"	mov	$0x5a5a, %eax\n"
	"	xor	%edx, %edx\n"
	"	mov	$0xc0000103, %ecx\n wrmsr\n" /* TSC_AUX */
	"	mov	$0xc0000081, %ecx\n wrmsr\n" /* STAR */
	"	mov	$0xc0000082, %ecx\n wrmsr\n" /* LSTAR */
	"	mov	$0xc0000083, %ecx\n wrmsr\n" /* CSTAR */
	"	mov	$0xc0000084, %ecx\n wrmsr\n" /* SFMASK */
	"	mov	$0xc0000100, %ecx\n wrmsr\n" /* FS base */
	"	mov	$0xc0000101, %ecx\n wrmsr\n" /* GS base */
	"	mov	$0xc0000102, %ecx\n wrmsr\n" /* kernel GS base */
	"	mov	$0x174, %ecx\n wrmsr\n"	     /* SYSENTER */
	"	mov	$0x175, %ecx\n wrmsr\n"
	"	mov	$0x176, %ecx\n wrmsr\n"
	"	mov	$0x01040506, %eax\n"
	"	mov	$0x277, %ecx\n wrmsr\n" /* PAT */
	"	mov	$0x510, %dx\n"
	"1:	out	%al, %dx\n"
	"	jmp	1b\n"
	"guest_end:\n"
	"	.code64\n"
	".popsection\n");
extern const uint8_t guest_start[], guest_end[];

struct guest {
	int domain, vcpu;
	struct hvm_ioreq *req;
};

static int guest_create(struct guest *g)
{
	static const uint8_t jump[] = { 0xe9, 0x0d, 0xf0 }; /* from fff0 to f000 */
	struct hvm_ioctl_create c = { .version = HVM_IOCTL_VERSION, .cpu_model = 1, .vcpus = 1 };
	struct hvm_ioctl_memory m = { .gpa = CODE_GPA, .bytes = PAGE, .type = 1 };
	struct hvm_ioctl_vcpu v = { 0 };
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int dev = open("/dev/hvm", O_RDWR | O_CLOEXEC);

	memcpy(page, guest_start, (size_t)(guest_end - guest_start));
	memcpy(page + 0xff0, jump, sizeof(jump));
	m.hva = (uintptr_t)page;
	strcpy(c.name, "host-state");
	g->domain = ioctl(dev, HVM_IOCTL_CREATE, &c);
	close(dev);
	if (g->domain < 0 || ioctl(g->domain, HVM_IOCTL_MEMORY, &m) < 0)
		return -1;
	g->vcpu = ioctl(g->domain, HVM_IOCTL_VCPU, &v);
	g->req = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	return g->req == MAP_FAILED ? -1 : 0;
}

/* To its next OUT. */
static int guest_step(struct guest *g)
{
	struct hvm_exit exit = { 0 };

	if (g->req->state == HVM_IOREQ_STATE_READY)
		g->req->state = HVM_IOREQ_STATE_DONE;
	if (ioctl(g->vcpu, HVM_IOCTL_RUN, &exit) < 0)
		return -1;
	return exit.reason == HVM_EXIT_IOREQ && g->req->address == 0x510 ? 0 : -1;
}

/* -- registers --------------------------------------------------------------------------------- */

static uint32_t xcr0(void)
{
	uint32_t a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c >> 27 & 1))
		return 3;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

/* Everything that XRSTOR loads, then the guest, then everything that XSAVE stores. */
static int registers_kept(struct guest *g)
{
	static uint8_t before[8192] __attribute__((aligned(64))),
		after[8192] __attribute__((aligned(64)));
	struct hvm_exit exit = { 0 };
	uint32_t mask = xcr0() & 7; /* x87, SSE, AVX */
	struct hvm_exit *arg =
		&exit; /* EDX:EAX is XRSTOR's mask, too: its upper half asks for nothing */
	long rc;

	__asm__ volatile("fninit; xsave (%0)" : : "r"(before), "a"(mask), "d"(0) : "memory");
	for (unsigned int i = 0; i < 8; i++)
		memset(before + 32 + i * 16, 0x11 + (int)i, 8); /* mantissas */
	for (unsigned int i = 0; i < 256; i++) {
		before[160 + i] = (uint8_t)(i * 7 + 1);
		if (mask & 4)
			before[576 + i] = (uint8_t)(i * 3 + 5);
	}
	before[0] = 0x7f, before[1] = 0x0e;   /* FCW: rounding to zero */
	before[24] = 0x80, before[25] = 0x7f; /* MXCSR: the same */
	before[512] = (uint8_t)mask;
	g->req->state = HVM_IOREQ_STATE_DONE;
	__asm__ volatile("xrstor (%[before])\n"
			 "mov %[ioctl], %%eax\n"
			 "syscall\n"
			 "mov %%rax, %%r12\n"
			 "mov %[mask], %%eax\n"
			 "xor %%edx, %%edx\n"
			 "xsave (%[after])\n"
			 "fninit\n"
			 "ldmxcsr %[mxcsr]\n"
			 "mov %%r12, %%rax\n"
			 : "=&a"(rc), "+d"(arg)
			 : "0"((long)mask), [before] "r"(before), [after] "r"(after),
			   [ioctl] "i"(SYS_ioctl), [mask] "r"(mask), "D"((long)g->vcpu),
			   "S"((long)HVM_IOCTL_RUN), [mxcsr] "m"(*(const uint32_t[]){ 0x1f80 })
			 : "rcx", "r11", "r12", "memory", "cc");
	if (rc || exit.reason != HVM_EXIT_IOREQ) {
		printf("# run: %ld, reason %u\n", rc, exit.reason);
		return 0;
	}
	/* 416 to 575: the header and what nobody writes. */
	return !memcmp(before + 160, after + 160, 256) && !memcmp(before + 24, after + 24, 2) &&
	       !memcmp(before, after, 2) && !memcmp(before + 32, after + 32, 8) &&
	       (!(mask & 4) || !memcmp(before + 576, after + 576, 256));
}

static int bases_kept(struct guest *g)
{
	static uint64_t word = 0x1122334455667788;
	uint64_t seen = 0, fs_before = 0, fs_after = 0;
	int ok;

	syscall(SYS_arch_prctl, ARCH_SET_GS, &word);
	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_before);
	ok = !guest_step(g);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(seen));
	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_after);
	return ok && seen == word && fs_before == fs_after;
}

static int tsc_aux_kept(struct guest *g)
{
	uint32_t a, d, c;
	int ok = !guest_step(g);

	__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
	return ok && (c & 0xfff) == (uint32_t)sched_getcpu();
}

/* A breakpoint of the host's, on a word of ours: it must be seen each time, in between too. */
static int breakpoints_kept(struct guest *g)
{
	static volatile uint64_t watched;
	struct perf_event_attr attr = { .type = PERF_TYPE_BREAKPOINT,
					.size = sizeof(attr),
					.bp_type = HW_BREAKPOINT_W,
					.bp_addr = (uintptr_t)&watched,
					.bp_len = HW_BREAKPOINT_LEN_8 };
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), ok = fd >= 0;
	uint64_t count = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		ok &= !guest_step(g);
		watched = i;
	}
	ok &= fd >= 0 && read(fd, &count, sizeof(count)) == sizeof(count);
	close(fd);
	printf("# breakpoint hit %" PRIu64 " times of %u\n", count, ROUNDS);
	return ok && count == ROUNDS;
}

/* -- MSRs -------------------------------------------------------------------------------------- */

static const uint32_t msrs[] = {
	0x174,	    0x175,	0x176,	    0x1d9,	0x277,	    0xda0,	0xc0000080,
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000103, 0xc0010117,
};
#define MSRS  (sizeof(msrs) / sizeof(msrs[0]))
#define EFER  0xc0000080u
#define HSAVE 0xc0010117u

/* What cannot be read is 0. */
static void msrs_read(uint64_t value[MSRS], int cpu)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (unsigned int i = 0; i < MSRS; i++) {
		value[i] = 0;
		if (fd < 0 || pread(fd, &value[i], 8, msrs[i]) != 8)
			value[i] = 0;
	}
	close(fd);
}

/* @off: virtualization is off again, so that EFER and the save area must be as before too. */
static int msrs_kept(const uint64_t before[MSRS], int cpu, int off)
{
	uint64_t after[MSRS];
	int ok = 1;

	msrs_read(after, cpu);
	for (unsigned int i = 0; i < MSRS; i++) {
		if (!off && (msrs[i] == EFER || msrs[i] == HSAVE))
			continue;
		if (before[i] != after[i]) {
			printf("# CPU %d, MSR %x: %" PRIx64 ", was %" PRIx64 "\n", cpu, msrs[i],
			       after[i], before[i]);
			ok = 0;
		}
	}
	return ok;
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
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), have_msr = !access("/dev/cpu/0/msr", R_OK);
	int registers = 1, bases = 1, aux = 1, breakpoints = 1, running = 1, off = 1;
	uint64_t before[64][MSRS];
	cpu_set_t allowed;
	struct guest g;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < cpus && cpu < 64; cpu++)
		msrs_read(before[cpu], cpu);
	if (guest_create(&g) < 0) {
		result(0, "a guest is made");
		return 1;
	}
	for (int cpu = 0; cpu < cpus && cpu < 64; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		bind(cpu);
		if (guest_step(&g)) {
			printf("# port %x\n", (unsigned int)g.req->address);
			result(0, "the guest runs");
			return 1;
		}
		for (unsigned int i = 0; i < ROUNDS; i++)
			registers &= registers_kept(&g);
		for (unsigned int i = 0; i < ROUNDS; i++)
			bases &= bases_kept(&g);
		for (unsigned int i = 0; i < ROUNDS; i++)
			aux &= tsc_aux_kept(&g);
		breakpoints &= breakpoints_kept(&g);
		running &= msrs_kept(before[cpu], cpu, 0);
	}
	result(registers, "the caller's x87, SSE and AVX registers are kept");
	result(bases, "the caller's FS and GS bases are kept");
	result(aux, "TSC_AUX is the host's");
	result(breakpoints, "hardware breakpoints are kept, and seen");
	close(g.domain);
	munmap(g.req, PAGE);
	close(g.vcpu);
	for (int cpu = 0; cpu < cpus && cpu < 64; cpu++)
		off &= msrs_kept(before[cpu], cpu, 1);
	if (have_msr) {
		result(running, "the MSRs of every CPU are the host's after a guest's exit");
		result(off, "and with the last domain, virtualization is off again");
	}
	return failures != 0;
}
