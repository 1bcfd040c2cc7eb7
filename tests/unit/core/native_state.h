/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * native_state.h - the registers of a processor as tests compare them between host and executor:
 * random values, both directions of the executor's form, comparison. Single threaded.
 */
#ifndef TEST_NATIVE_STATE_H
#define TEST_NATIVE_STATE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hvm/hvm.h"
#include "x86/exec.h"
#include "x86/host_model.h"

struct native_st {
	uint64_t mant;
	uint16_t sign_exp;
	uint16_t pad[3];
};

/* Has this host what hvm-v3 shows? Then upper halves of YMM registers are random too. */
static inline bool native_has_v3(void)
{
	static int known = -1;

	if (known < 0) {
		const struct host_features f = host_features_read();

		known = !host_lacks_model(HVM_CPU_V3, &f);
	}
	return known;
}

/* FXSAVE64's image, general registers and flags, upper halves of YMM registers. */
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
	_Alignas(16) uint8_t ymmh[16][16];
	_Alignas(16) uint8_t mem[4096]; /* the page that the operand lies in */
};
_Static_assert(offsetof(struct native_state, gpr) == 512, "FXSAVE's image comes first");
#define NATIVE_REGS_BYTES offsetof(struct native_state, mem)

#define NATIVE_MEM_AT 0x100u /* of the operand in the page */

/* Bits of FSW in which processors differ after the instruction under test. */
static uint16_t native_fsw_ignore;

/* -- the executor's registers -------------------------------------------------------------- */

/* General, x87 and SSE registers and flags of @c become those of @s. */
static inline void native_put_regs(const struct native_state *s, struct x86_cpu *c)
{
	unsigned int n, top = (s->fsw >> 11) & 7;

	memcpy(c->gpr, s->gpr, sizeof(s->gpr));
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
	memcpy(c->fpu.ymmh, s->ymmh, sizeof(s->ymmh));
}

static inline void native_get_regs(const struct x86_cpu *c, struct native_state *s)
{
	unsigned int n, top = (c->fpu.fsw >> 11) & 7;

	memcpy(s->gpr, c->gpr, sizeof(s->gpr));
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
	memcpy(s->ymmh, c->fpu.ymmh, sizeof(s->ymmh));
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

/* Each instruction's seed is the one before plus a constant; the generator wants it well mixed. */
static inline uint64_t native_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return (x ^ (x >> 31)) | 1;
}

/* A number of the environment, or @other. */
static inline uint64_t from_environment(const char *name, uint64_t other)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : other;
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

/* Registers and flags; x87 and SSE control as after reset, the x87 stack mostly not full. */
static inline void native_random_regs(struct native_state *s)
{
	unsigned int n;
	uint64_t v;

	memset(s, 0, NATIVE_REGS_BYTES);
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
}

static inline void native_random_ymm(struct native_state *s)
{
	for (unsigned int n = 0; native_has_v3() && n < 32; n++) {
		uint64_t v = native_random_qword();

		memcpy(&s->ymmh[n / 2][n % 2 * 8], &v, 8);
	}
}

/* The same, and memory with the operand at NATIVE_MEM_AT, to which RDI points. */
static inline void native_random_state(struct native_state *s)
{
	unsigned int n;
	uint64_t v;

	native_random_regs(s);
	s->gpr[X86_RDI] = NATIVE_MEM_AT;
	s->gpr[15] = 0;
	s->gpr[X86_RSP] = 0;
	memset(s->mem, 0, sizeof(s->mem));
	for (n = 0; n < 600; n += 8) {
		v = native_random_qword();
		memcpy(s->mem + NATIVE_MEM_AT + n, &v, 8);
	}
}

/* x87 control and status: all masked (@any: unmasked exceptions too, perhaps pending ones). */
static inline void native_random_x87_control(struct native_state *s, bool any)
{
	s->fcw = (uint16_t)(native_random() & 0xf00) | 0x7f;
	s->fsw |= (uint16_t)(native_random() & native_random() & 0x3f);
	if (!any)
		return;
	s->fcw &= (uint16_t)(native_random() | 0xff40);
	if (native_pick(4))
		s->fsw &= (uint16_t) ~(~s->fcw & 0x3f);
	if (s->fsw & ~s->fcw & 0x3f)
		s->fsw |= 0x8080;
}

/* MXCSR: rounding, FTZ, DAZ, sticky flags; @any: unmasked exceptions too. */
static inline void native_random_sse_control(struct native_state *s, bool any)
{
	s->mxcsr |= (uint32_t)native_random() & 0xe07f;
	if (any)
		s->mxcsr &= (uint32_t)native_random() | 0xffffe07f;
}

/* -- comparison --------------------------------------------------------------------------- */

static inline void native_dump(const char *who, const struct native_state *s)
{
	unsigned int n;

	fprintf(stderr, "%s: fcw %04x fsw %04x ftw %02x mxcsr %04x rflags %llx\n", who, s->fcw,
		s->fsw, s->ftw, s->mxcsr, (unsigned long long)s->rflags);
	for (n = 0; n < 8; n++)
		fprintf(stderr,
			" st%u %04x:%016llx gpr%u %016llx ymm%u %016llx %016llx %016llx %016llx\n",
			n, s->st[n].sign_exp, (unsigned long long)s->st[n].mant, n,
			(unsigned long long)s->gpr[n], n,
			(unsigned long long)*(const uint64_t *)(s->ymmh[n] + 8),
			(unsigned long long)*(const uint64_t *)s->ymmh[n],
			(unsigned long long)*(const uint64_t *)(s->xmm[n] + 8),
			(unsigned long long)*(const uint64_t *)s->xmm[n]);
}

/*
 * Name of the first register that differs, or NULL; of RFLAGS only @flags count. Pointers (FIP,
 * FDP, FOP) are not compared.
 */
static inline const char *native_regs_differ(const struct native_state *a,
					     const struct native_state *b, uint64_t flags)
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
	if (memcmp(a->ymmh, b->ymmh, sizeof(a->ymmh)))
		return "ymm";
	if (memcmp(a->gpr, b->gpr, sizeof(a->gpr)))
		return "gpr";
	return (a->rflags ^ b->rflags) & flags ? "rflags" : NULL;
}

#endif
