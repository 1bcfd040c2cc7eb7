/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_native.h - runs one instruction on the host's CPU and on the executor from the same state,
 * and compares. For instructions of the FPU, MMX and SSE, whose memory operand, if any, is (%rdi).
 *
 * The host's turn is a buffer of generated code: load the state, the instruction, store the state.
 * Its exceptions come as SIGFPE (#MF, #XM) or SIGSEGV (#GP).
 */
#ifndef TEST_EXEC_NATIVE_H
#define TEST_EXEC_NATIVE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "native_state.h"

#define NATIVE_GVA	0x7654321000ull
#define NATIVE_NO_FAULT (-1)

struct native {
	uint8_t *code;
	uint8_t *page;
	struct x86_tlb *tlb;
	struct x86_cpu *cpu;
};

static struct native native;
static sigjmp_buf native_jump;
static volatile int native_vector;
static volatile uint32_t native_mxcsr;
/* Bits of MXCSR that are not exact after #XM. */
static uint32_t native_mxcsr_ignore;

static inline void native_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	native_vector = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
	native_mxcsr = uc->uc_mcontext.fpregs->mxcsr;
	siglongjmp(native_jump, 1);
}

/* Take over from cmocka, which sets its own handlers ahead of each test. */
static inline void native_catch(void)
{
	struct sigaction sa = { .sa_sigaction = native_signal,
				.sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGFPE, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
}

static int native_setup(void **state)
{
	unsigned int n;

	(void)state;
	native.code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	native.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	native.tlb = aligned_alloc(64, (sizeof(*native.tlb) + 63) & ~63ul);
	native.cpu = aligned_alloc(64, (sizeof(*native.cpu) + 63) & ~63ul);
	if (native.code == MAP_FAILED || native.page == MAP_FAILED || !native.tlb || !native.cpu)
		return -1;
	for (n = 0; n < X86_TLB_ENTRIES; n++) {
		native.tlb->r[X86_TLB_KERNEL][n].tag = X86_TLB_INVALID;
		native.tlb->w[X86_TLB_KERNEL][n].tag = X86_TLB_INVALID;
	}
	n = (NATIVE_GVA >> HVM_PAGE_SHIFT) & (X86_TLB_ENTRIES - 1);
	native.tlb->r[X86_TLB_KERNEL][n].tag = NATIVE_GVA;
	native.tlb->r[X86_TLB_KERNEL][n].addend = (uintptr_t)native.page - NATIVE_GVA;
	native.tlb->w[X86_TLB_KERNEL][n] = native.tlb->r[X86_TLB_KERNEL][n];
	return x86_exec_init();
}

/* -- the host's turn ---------------------------------------------------------------------- */

static inline uint8_t *native_put(uint8_t *p, const char *bytes, size_t count)
{
	memcpy(p, bytes, count);
	return p + count;
}
#define NATIVE_PUT(p, bytes) native_put(p, bytes, sizeof(bytes) - 1)

static inline uint8_t *native_put32(uint8_t *p, size_t v)
{
	uint32_t v32 = (uint32_t)v;

	memcpy(p, &v32, 4);
	return p + 4;
}

/* mov between register r and its slot in the state at (%r15); op 8B loads, 89 stores. */
static inline uint8_t *native_put_gprs(uint8_t *p, uint8_t op)
{
	unsigned int r;

	for (r = 0; r < 15; r++) {
		if (r == X86_RSP)
			continue;
		*p++ = 0x49 | (r >= 8 ? 4 : 0);
		*p++ = op;
		*p++ = (uint8_t)(0x87 | (r & 7) << 3);
		p = native_put32(p, offsetof(struct native_state, gpr) + 8 * r);
	}
	return p;
}

static inline void native_generate(const uint8_t *insn, unsigned int len)
{
	uint8_t *p = native.code;

	p = NATIVE_PUT(p, "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57"); /* push callee-saved */
	p = NATIVE_PUT(p, "\x49\x89\xff");			       /* mov %rdi, %r15 */
	p = NATIVE_PUT(p, "\x49\x0f\xae\x0f");			       /* fxrstor64 (%r15) */
	p = NATIVE_PUT(p, "\x41\xff\xb7");			       /* push rflags */
	p = native_put32(p, offsetof(struct native_state, rflags));
	p = NATIVE_PUT(p, "\x9d"); /* popfq */
	p = native_put_gprs(p, 0x8b);
	p = native_put(p, (const char *)insn, len);
	p = native_put_gprs(p, 0x89);
	p = NATIVE_PUT(p, "\x9c\x41\x8f\x87"); /* pushfq; pop rflags */
	p = native_put32(p, offsetof(struct native_state, rflags));
	p = NATIVE_PUT(p, "\x49\x0f\xae\x07\xdb\xe3\x41\x0f\xae\x97"); /* fxsave64 (%r15); fninit;
									  ldmxcsr */
	p = native_put32(p, offsetof(struct native_state, mxcsr_host));
	NATIVE_PUT(p, "\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xfc\xc3"); /* pop; cld; ret */
}

/* Vector of the exception, or NATIVE_NO_FAULT. After a fault only mem and mxcsr of @s are good. */
static inline int native_run(struct native_state *s, const uint8_t *insn, unsigned int len)
{
	void (*fn)(struct native_state *) = (void (*)(struct native_state *))(uintptr_t)native.code;

	native_generate(insn, len);
	memcpy(native.page, s->mem, 4096);
	s->gpr[X86_RDI] += (uintptr_t)native.page;
	s->mxcsr_host = 0x1f80;
	native_vector = NATIVE_NO_FAULT;
	if (sigsetjmp(native_jump, 0) == 0)
		fn(s);
	else
		s->mxcsr = native_mxcsr;
	s->gpr[X86_RDI] -= (uintptr_t)native.page;
	memcpy(s->mem, native.page, 4096);
	return native_vector;
}

/* -- the executor's turn ------------------------------------------------------------------ */

static inline void native_to_cpu(const struct native_state *s, struct x86_cpu *c)
{
	memset(c, 0, sizeof(*c));
	c->mode = X86_CODE64 | X86_MODE_PE | X86_MODE_LMA | X86_MODE_FLAT | X86_MODE_FLAT_FSGS |
		  3 << X86_MODE_SS_SHIFT;
	c->cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_NE | X86_CR0_MP;
	c->cr4 = X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_PAE | X86_CR4_OSXSAVE;
	c->xcr0 = 3;
	c->tlb = native.tlb;
	c->tlb_r = native.tlb->r[X86_TLB_KERNEL];
	c->tlb_w = native.tlb->w[X86_TLB_KERNEL];
	native_put_regs(s, c);
	c->gpr[X86_RDI] += NATIVE_GVA;
}

static inline void native_from_cpu(const struct x86_cpu *c, struct native_state *s)
{
	native_get_regs(c, s);
	s->gpr[X86_RDI] -= NATIVE_GVA;
}

/* Vector of the exception, or NATIVE_NO_FAULT. */
static inline int native_exec(struct native_state *s, const struct x86_insn *decoded)
{
	struct x86_insn i = *decoded;
	struct x86_cpu *c = native.cpu;
	int ret;

	native_to_cpu(s, c);
	memcpy(native.page, s->mem, 4096);
	i.exec = x86_exec_bind(&i);
	ret = i.exec(c, &i);
	native_from_cpu(c, s);
	memcpy(s->mem, native.page, 4096);
	if (ret == X86_NEXT)
		return NATIVE_NO_FAULT;
	assert_int_equal(ret, X86_ABORT);
	return c->exc.vector;
}

/* Name of the first part that differs, or NULL. RSP and R15 are the trampoline's. */
static inline const char *native_differs(struct native_state *a, const struct native_state *b)
{
	const char *differs;

	a->gpr[X86_RSP] = b->gpr[X86_RSP];
	a->gpr[15] = b->gpr[15];
	differs = native_regs_differ(a, b, X86_EFL_ARITH);
	if (!differs && memcmp(a->mem, b->mem, sizeof(a->mem)))
		differs = "mem";
	return differs;
}

/*
 * native_check - run @insn both ways from @start and fail the test when the outcomes differ. Bytes
 * [skip, skip + skip_len) of the memory operand are not compared.
 * Returns the vector, or NATIVE_NO_FAULT.
 */
static inline int native_check(const struct native_state *start, const uint8_t *insn,
			       unsigned int skip, unsigned int skip_len)
{
	static struct native_state host, exec;
	const char *differs = NULL;
	struct x86_insn i;
	int host_vector, exec_vector, len;
	unsigned int n;

	len = x86_decode(insn, 15, X86_CODE64, &i);
	assert_in_range(len, 1, 15);
	i.end = i.len;
	host = exec = *start;
	host_vector = native_run(&host, insn, (unsigned int)len);
	exec_vector = native_exec(&exec, &i);
	memset(host.mem + NATIVE_MEM_AT + skip, 0, skip_len);
	memset(exec.mem + NATIVE_MEM_AT + skip, 0, skip_len);
	if (host_vector != exec_vector)
		differs = "vector";
	else if (host_vector == NATIVE_NO_FAULT)
		differs = native_differs(&host, &exec);
	else if (host_vector == X86_XM && ((host.mxcsr ^ exec.mxcsr) & ~native_mxcsr_ignore))
		differs = "mxcsr";
	if (!differs)
		return host_vector;
	fprintf(stderr, "%s:", x86_op_name(i.op));
	for (n = 0; n < (unsigned int)len; n++)
		fprintf(stderr, " %02x", insn[n]);
	fprintf(stderr, ": %s differs, vector %d on the host, %d here\n", differs, host_vector,
		exec_vector);
	native_dump("start", start);
	fprintf(stderr, " mem %016llx %016llx\n",
		(unsigned long long)*(const uint64_t *)(start->mem + NATIVE_MEM_AT),
		(unsigned long long)*(const uint64_t *)(start->mem + NATIVE_MEM_AT + 8));
	native_dump("host", &host);
	native_dump("here", &exec);
	fail();
	return 0;
}

#endif
