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

#include "x86/exec.h"

struct native_st {
	uint64_t mant;
	uint16_t sign_exp;
	uint16_t pad[3];
};

/* FXSAVE64's image, general registers and flags. */
struct native_state {
	_Alignas(64) uint16_t fcw;
	uint16_t fsw;
	uint8_t ftw, pad5;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	struct native_st st[8];
	uint8_t xmm[16][16];
	uint8_t pad416[96];
	uint64_t gpr[16];
	uint64_t rflags;
	uint32_t mxcsr_host;
	uint8_t mem[4096]; /* the page that the operand lies in */
};
_Static_assert(offsetof(struct native_state, gpr) == 512, "FXSAVE's image comes first");

#define NATIVE_GVA	0x7654321000ull
#define NATIVE_MEM_AT	0x100u /* of the operand in the page */
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
/* Bits of FSW in which processors differ after the instruction under test. */
static uint16_t native_fsw_ignore;
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
	unsigned int n, top = (s->fsw >> 11) & 7;

	memset(c, 0, sizeof(*c));
	c->mode = X86_CODE64 | X86_MODE_PE | X86_MODE_LMA | X86_MODE_FLAT | X86_MODE_FLAT_FSGS |
		  3 << X86_MODE_SS_SHIFT;
	c->cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_NE | X86_CR0_MP;
	c->cr4 = X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_PAE | X86_CR4_OSXSAVE;
	c->xcr0 = 3;
	c->tlb = native.tlb;
	c->tlb_r = native.tlb->r[X86_TLB_KERNEL];
	c->tlb_w = native.tlb->w[X86_TLB_KERNEL];
	memcpy(c->gpr, s->gpr, sizeof(s->gpr));
	c->gpr[X86_RDI] += NATIVE_GVA;
	x86_put_rflags(c, s->rflags);
	c->fpu.fcw = s->fcw;
	c->fpu.fsw = s->fsw;
	c->fpu.valid = s->ftw;
	c->fpu.mxcsr = s->mxcsr;
	for (n = 0; n < 8; n++) {
		c->fpu.r[(top + n) & 7].mant = s->st[n].mant;
		c->fpu.r[(top + n) & 7].sign_exp = s->st[n].sign_exp;
	}
	memcpy(c->fpu.xmm, s->xmm, sizeof(s->xmm));
}

static inline void native_from_cpu(const struct x86_cpu *c, struct native_state *s)
{
	unsigned int n, top = (c->fpu.fsw >> 11) & 7;

	memcpy(s->gpr, c->gpr, sizeof(s->gpr));
	s->gpr[X86_RDI] -= NATIVE_GVA;
	s->rflags = x86_get_rflags(c);
	s->fcw = c->fpu.fcw;
	s->fsw = c->fpu.fsw;
	s->ftw = (uint8_t)c->fpu.valid;
	s->mxcsr = c->fpu.mxcsr;
	for (n = 0; n < 8; n++) {
		s->st[n].mant = c->fpu.r[(top + n) & 7].mant;
		s->st[n].sign_exp = c->fpu.r[(top + n) & 7].sign_exp;
	}
	memcpy(s->xmm, c->fpu.xmm, sizeof(s->xmm));
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

/* -- random states ------------------------------------------------------------------------ */

static uint64_t native_seed = 1;

static inline uint64_t native_random(void)
{
	native_seed ^= native_seed << 13;
	native_seed ^= native_seed >> 7;
	native_seed ^= native_seed << 17;
	return native_seed * 0x2545f4914f6cdd1dull;
}

static inline unsigned int native_pick(unsigned int n)
{
	return (unsigned int)(native_random() >> 33) % n;
}

/* Values at which floating-point instructions do something else, and ordinary ones. */
static inline uint64_t native_random_qword(void)
{
	static const uint64_t f64[] = {
		0,
		0x8000000000000000,
		0x3ff0000000000000,
		0xbff8000000000000,
		0x7ff0000000000000,
		0xfff0000000000000,
		0x7ff8000000000001,
		0x7ff4000000000002,
		1,
		0x800fffffffffffff,
		0x0010000000000000,
		0x7fefffffffffffff,
		0x41dfffffffc00000,
		0x43e0000000000000,
		0x4000000000000000,
		0x3ca0000000000000,
		0x0018000000000000,
		0x36a0000000000000,
	};
	static const uint32_t f32[] = {
		0,	    0x80000000, 0x3f800000, 0xbfc00000, 0x7f800000, 0xff800000,
		0x7fc00001, 0x7fa00002, 1,	    0x807fffff, 0x00800000, 0x7f7fffff,
		0x4effffff, 0x4f000000, 0x40000000, 0x33000000, 0x00c00000,
	};

	switch (native_pick(6)) {
	case 0: return f64[native_pick(HVM_ARRAY_SIZE(f64))];
	case 1:
		return f32[native_pick(HVM_ARRAY_SIZE(f32))] |
		       (uint64_t)f32[native_pick(HVM_ARRAY_SIZE(f32))] << 32;
	case 2: /* doubles of moderate size */
		return (native_random() & 0x800fffffffffffff) | (uint64_t)(1000 + native_pick(48))
									<< 52;
	case 3: /* floats of moderate size */
		return (native_random() & 0x807fffff807fffff) |
		       (uint64_t)(115 + native_pick(24)) << 23 |
		       (uint64_t)(115 + native_pick(24)) << 55;
	case 4: /* small integers, bytes of text */ return native_random() & 0x0f070f030f070f03;
	}
	return native_random();
}

static inline void native_random_st(struct native_st *r)
{
	static const struct native_st special[] = {
		{ 0, 0, { 0 } },
		{ 0, 0x8000, { 0 } },
		{ 0x8000000000000000, 0x3fff, { 0 } },
		{ 0x8000000000000000, 0x7fff, { 0 } }, /* infinity */
		{ 0x8000000000000000, 0xffff, { 0 } },
		{ 0xc000000000000000, 0xffff, { 0 } }, /* indefinite */
		{ 0xa000000000000001, 0x7fff, { 0 } }, /* SNaN */
		{ 0x0000000000000001, 0, { 0 } },      /* denormal */
		{ 0x8000000000000001, 0, { 0 } },      /* pseudo-denormal */
		{ 0x4000000000000000, 0x4000, { 0 } }, /* unnormal */
		{ 0x0000000000000001, 0x7fff, { 0 } }, /* pseudo-NaN */
		{ 0xffffffffffffffff, 0x7ffe, { 0 } },
		{ 0x8000000000000000, 0x0001, { 0 } },
		{ 0xffffffff00000000, 0x401e, { 0 } },
		{ 0xc000000000000000, 0x3ffe, { 0 } },
	};

	switch (native_pick(4)) {
	case 0: *r = special[native_pick(HVM_ARRAY_SIZE(special))]; return;
	case 1: /* a small integer or a half */
		r->mant = (uint64_t)(0x8000 + native_pick(0x8000)) << 48;
		r->sign_exp = (uint16_t)(0x3ffe + native_pick(17));
		return;
	case 2:
		r->mant = native_random() | HVM_BIT(63);
		r->sign_exp = (uint16_t)(0x3ff0 + native_pick(0x50)) |
			      (native_pick(2) ? 0x8000 : 0);
		return;
	}
	r->mant = native_random() | HVM_BIT(63);
	r->sign_exp = (uint16_t)native_random();
}

/* Registers, flags and memory; x87 and SSE control as after reset, the x87 stack not full. */
static inline void native_random_state(struct native_state *s)
{
	unsigned int n;
	uint64_t v;

	memset(s, 0, sizeof(*s));
	s->fcw = 0x37f;
	s->mxcsr = 0x1f80;
	s->fsw = (uint16_t)native_random() & 0x7f00;
	s->ftw = native_pick(4) ? (uint8_t)(0x7e << ((s->fsw >> 11) & 7) |
					    0x7e >> (8 - ((s->fsw >> 11) & 7)))
				: (uint8_t)native_random();
	s->rflags = 0x202 | (native_random() & X86_EFL_ARITH);
	for (n = 0; n < 8; n++)
		native_random_st(&s->st[n]);
	for (n = 0; n < 32; n++) {
		v = native_random_qword();
		memcpy(&s->xmm[n / 2][n % 2 * 8], &v, 8);
	}
	for (n = 0; n < 16; n++)
		s->gpr[n] = native_random_qword();
	s->gpr[X86_RDI] = NATIVE_MEM_AT;
	s->gpr[15] = 0;
	s->gpr[X86_RSP] = 0;
	for (n = 0; n < 600; n += 8) {
		v = native_random_qword();
		memcpy(s->mem + NATIVE_MEM_AT + n, &v, 8);
	}
}

/* -- comparison --------------------------------------------------------------------------- */

static inline void native_dump(const char *who, const struct native_state *s)
{
	unsigned int n;

	fprintf(stderr, "%s: fcw %04x fsw %04x ftw %02x mxcsr %04x rflags %llx\n", who, s->fcw,
		s->fsw, s->ftw, s->mxcsr, (unsigned long long)s->rflags);
	for (n = 0; n < 8; n++)
		fprintf(stderr, " st%u %04x:%016llx gpr%u %016llx xmm%u %016llx %016llx\n", n,
			s->st[n].sign_exp, (unsigned long long)s->st[n].mant, n,
			(unsigned long long)s->gpr[n], n,
			(unsigned long long)*(const uint64_t *)(s->xmm[n] + 8),
			(unsigned long long)*(const uint64_t *)s->xmm[n]);
	fprintf(stderr, " mem %016llx %016llx\n",
		(unsigned long long)*(const uint64_t *)(s->mem + NATIVE_MEM_AT),
		(unsigned long long)*(const uint64_t *)(s->mem + NATIVE_MEM_AT + 8));
}

/* Name of the first part that differs, or NULL. Pointers (FIP, FDP, FOP) are not compared. */
static inline const char *native_differs(const struct native_state *a, const struct native_state *b)
{
	unsigned int n;

	if (a->fcw != b->fcw)
		return "fcw";
	if ((a->fsw ^ b->fsw) & ~native_fsw_ignore)
		return "fsw";
	if (a->ftw != b->ftw)
		return "ftw";
	if (a->mxcsr != b->mxcsr)
		return "mxcsr";
	for (n = 0; n < 8; n++)
		if (a->st[n].mant != b->st[n].mant || a->st[n].sign_exp != b->st[n].sign_exp)
			return "st";
	if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)))
		return "xmm";
	for (n = 0; n < 15; n++)
		if (n != X86_RSP && a->gpr[n] != b->gpr[n])
			return "gpr";
	if ((a->rflags ^ b->rflags) & X86_EFL_ARITH)
		return "rflags";
	if (memcmp(a->mem, b->mem, sizeof(a->mem)))
		return "mem";
	return NULL;
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
	native_dump("host", &host);
	native_dump("here", &exec);
	fail();
	return 0;
}

#endif
