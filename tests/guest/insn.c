/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insn.c - what instructions compute: integers with their flags, strings, SSE, x87. Only results
 * and flags that the manuals define. Source: Intel SDM Vol 2.
 */
#include "guest.h"

#define FLAGS_ALL 0x8d5u /* CF PF AF ZF SF OF */
#define CF	  0x001u
#define ZF	  0x040u
#define OF	  0x800u

static const uint64_t values[] = {
	0,
	1,
	2,
	3,
	7,
	0x7f,
	0x80,
	0xff,
	0x100,
	0x7fff,
	0x8000,
	0xffff,
	0x12345678,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x100000000,
	0x123456789abcdef,
	0x7fffffffffffffff,
	0x8000000000000000,
	0xfffffffffffffffe,
	0xffffffffffffffff,
};
#define VALUES (sizeof(values) / sizeof(values[0]))

struct state {
	uint64_t a, b, c, d, flags;
};

/* Each works on rax (a), rbx (b), rcx (c), rdx (d), with flags in and out. */
#define OP(name, code) \
	static void op_##name(struct state *s) \
	{ \
		__asm__ volatile("push %4\n popfq\n" code "\n pushfq\n pop %4" \
				 : "+a"(s->a), "+b"(s->b), "+c"(s->c), "+d"(s->d), "+r"(s->flags) \
				 : \
				 : "memory", "cc"); \
	}
OP(add8, "add %%bl, %%al")
OP(add16, "add %%bx, %%ax")
OP(add32, "add %%ebx, %%eax")
OP(add64, "add %%rbx, %%rax")
OP(adc64, "adc %%rbx, %%rax")
OP(adc8, "adc %%bh, %%al")
OP(sub32, "sub %%ebx, %%eax")
OP(sbb64, "sbb %%rbx, %%rax")
OP(sbb16, "sbb %%bx, %%ax")
OP(cmp64, "cmp %%rbx, %%rax")
OP(neg64, "neg %%rax")
OP(inc32, "inc %%eax")
OP(dec16, "dec %%ax")
OP(and64, "and %%rbx, %%rax")
OP(or32, "or %%ebx, %%eax")
OP(xor8, "xor %%bl, %%ah")
OP(test64, "test %%rbx, %%rax")
OP(mul64, "mul %%rbx")
OP(imul64, "imul %%rbx")
OP(imul32, "imul %%ebx, %%eax")
OP(mul8, "mul %%bl")
OP(bt64, "bt %%rbx, %%rax")
OP(bts64, "bts %%rbx, %%rax")
OP(btr32, "btr %%ebx, %%eax")
OP(btc16, "btc %%bx, %%ax")
OP(bsf64, "bsf %%rbx, %%rcx")
OP(bsr64, "bsr %%rbx, %%rcx")
OP(bswap64, "bswap %%rax")
OP(bswap32, "bswap %%eax")
OP(xadd64, "xadd %%rbx, %%rax")
OP(cmpxchg64, "cmpxchg %%rcx, %%rbx")
OP(cmpxchg8, "cmpxchg %%cl, %%bl")
OP(movsx, "movsx %%bl, %%rax\n movsx %%bx, %%ecx\n movslq %%ebx, %%rdx")
OP(movzx, "movzx %%bl, %%rax\n movzx %%bx, %%ecx")
OP(cdq, "cltd\n")
OP(cqo, "cqto\n")
OP(cwde, "cwtl\n cltq\n")
OP(lea, "lea 5(%%rax, %%rbx, 4), %%rcx\n lea (%%eax, %%ebx, 2), %%edx")
OP(sete, "sete %%al\n setb %%bl\n setl %%cl\n seto %%dl")
OP(cmov, "cmovc %%rbx, %%rax\n cmovz %%ebx, %%ecx\n cmovs %%bx, %%dx")
OP(lahf, "lahf")
OP(sahf, "and $0xd5ff, %%ax\n sahf")
OP(rol, "rol $1, %%rax\n rol $9, %%ecx")
OP(shl1, "shl $1, %%rax")
OP(shr1, "shr $1, %%eax")
OP(sar1, "sar $1, %%ax")
OP(rcl1, "rcl $1, %%rax")
OP(rcr1, "rcr $1, %%eax")

static const struct {
	const char *name;
	void (*fn)(struct state *s);
	uint32_t flags; /* that are defined */
} ops[] = {
	{ "add8", op_add8, FLAGS_ALL },
	{ "add16", op_add16, FLAGS_ALL },
	{ "add32", op_add32, FLAGS_ALL },
	{ "add64", op_add64, FLAGS_ALL },
	{ "adc64", op_adc64, FLAGS_ALL },
	{ "adc8", op_adc8, FLAGS_ALL },
	{ "sub32", op_sub32, FLAGS_ALL },
	{ "sbb64", op_sbb64, FLAGS_ALL },
	{ "sbb16", op_sbb16, FLAGS_ALL },
	{ "cmp64", op_cmp64, FLAGS_ALL },
	{ "neg64", op_neg64, FLAGS_ALL },
	{ "inc32", op_inc32, FLAGS_ALL },
	{ "dec16", op_dec16, FLAGS_ALL },
	{ "and64", op_and64, FLAGS_ALL & ~0x10u },
	{ "or32", op_or32, FLAGS_ALL & ~0x10u },
	{ "xor8", op_xor8, FLAGS_ALL & ~0x10u },
	{ "test64", op_test64, FLAGS_ALL & ~0x10u },
	{ "mul64", op_mul64, CF | OF },
	{ "imul64", op_imul64, CF | OF },
	{ "imul32", op_imul32, CF | OF },
	{ "mul8", op_mul8, CF | OF },
	{ "bt64", op_bt64, CF },
	{ "bts64", op_bts64, CF },
	{ "btr32", op_btr32, CF },
	{ "btc16", op_btc16, CF },
	{ "bsf64", op_bsf64, ZF },
	{ "bsr64", op_bsr64, ZF },
	{ "bswap64", op_bswap64, FLAGS_ALL },
	{ "bswap32", op_bswap32, FLAGS_ALL },
	{ "xadd64", op_xadd64, FLAGS_ALL },
	{ "cmpxchg64", op_cmpxchg64, FLAGS_ALL },
	{ "cmpxchg8", op_cmpxchg8, FLAGS_ALL },
	{ "movsx", op_movsx, FLAGS_ALL },
	{ "movzx", op_movzx, FLAGS_ALL },
	{ "cdq", op_cdq, FLAGS_ALL },
	{ "cqo", op_cqo, FLAGS_ALL },
	{ "cwde", op_cwde, FLAGS_ALL },
	{ "lea", op_lea, FLAGS_ALL },
	{ "setcc", op_sete, FLAGS_ALL },
	{ "cmov", op_cmov, FLAGS_ALL },
	{ "lahf", op_lahf, FLAGS_ALL },
	{ "sahf", op_sahf, FLAGS_ALL & ~OF },
	{ "rol", op_rol, CF },
	{ "shl1", op_shl1, FLAGS_ALL & ~0x10u },
	{ "shr1", op_shr1, FLAGS_ALL & ~0x10u },
	{ "sar1", op_sar1, FLAGS_ALL & ~0x10u },
	{ "rcl1", op_rcl1, CF | OF },
	{ "rcr1", op_rcr1, CF | OF },
};

static void integers(void)
{
	for (size_t n = 0; n < sizeof(ops) / sizeof(ops[0]); n++) {
		uint64_t h = 0xcbf29ce484222325;

		for (unsigned int i = 0; i < VALUES * VALUES; i++) {
			struct state s = { .a = values[i % VALUES],
					   .b = values[i / VALUES],
					   .c = 0x1111111111111111,
					   .d = 0x2222222222222222,
					   .flags = 2 | (i * 0x155 & FLAGS_ALL) };

			/* A source of 0 leaves the destination undefined in the manual. */
			if ((ops[n].fn == op_bsf64 || ops[n].fn == op_bsr64) && !s.b)
				continue;
			ops[n].fn(&s);
			s.flags &= ops[n].flags;
			h = hash(h, &s, sizeof(s));
		}
		say("%s %lx", ops[n].name, h);
	}
}

static void division(void)
{
	uint64_t h = 0;
	unsigned int faults = 0;

	for (unsigned int i = 0; i < VALUES * VALUES; i++) {
		uint64_t a = values[i % VALUES], b = values[i / VALUES], q[2];

		TRY("mov %0, %%rax\n xor %%edx, %%edx\n divq %1\n mov %%rax, (%2)\n mov %%rdx, 8(%2)",
		    "m"(a), "m"(b), "r"(q));
		if (caught.vector == 0xff)
			h = hash(h, q, sizeof(q));
		else
			faults += caught.vector == 0;
		TRY("mov %0, %%rax\n cqto\n mov %1, %%rcx\n idiv %%ecx\n mov %%rax, (%2)\n"
		    "mov %%rdx, 8(%2)",
		    "m"(a), "m"(b), "r"(q));
		if (caught.vector == 0xff)
			h = hash(h, q, sizeof(q));
		else
			faults += caught.vector == 0;
	}
	say("division %lx, %u divide errors", h, faults);
}

static void strings(void)
{
	static uint8_t from[512], to[512];
	uint64_t h = 0, n, di, si, flags;

	for (unsigned int i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 37 + 11);
	for (unsigned int i = 0; i < 64; i++) {
		n = i;
		__asm__ volatile("rep movsb"
				 : "=D"(di), "=S"(si), "+c"(n)
				 : "0"(to + i), "1"(from + 3 * i)
				 : "memory");
		h = hash(h, to, sizeof(to));
		n = i / 8;
		__asm__ volatile("std; rep movsq; cld"
				 : "=D"(di), "=S"(si), "+c"(n)
				 : "0"(to + 400), "1"(to + 390)
				 : "memory");
		h = hash(h, to, sizeof(to));
		n = i;
		__asm__ volatile("rep stosw"
				 : "=D"(di), "+c"(n)
				 : "0"(to + i), "a"(0x1234 * i)
				 : "memory");
		h = hash(h, &n, sizeof(n));
		n = 512;
		__asm__ volatile("repne scasb; pushfq; pop %2"
				 : "=D"(di), "+c"(n), "=r"(flags)
				 : "0"(from), "a"(i)
				 : "memory", "cc");
		flags &= FLAGS_ALL;
		h = hash(hash(h, &n, sizeof(n)), &flags, sizeof(flags));
		n = 256;
		__asm__ volatile("repe cmpsb; pushfq; pop %3"
				 : "=D"(di), "=S"(si), "+c"(n), "=r"(flags)
				 : "0"(to), "1"(from + i)
				 : "memory", "cc");
		flags &= FLAGS_ALL;
		h = hash(hash(h, &n, sizeof(n)), &flags, sizeof(flags));
	}
	say("strings %lx", hash(h, to, sizeof(to)));
}

static void sse(void)
{
	static uint8_t area[512] __attribute__((aligned(16)));
	static const float f[4] = { 1.5f, -2.25f, 1e30f, 3.0f };
	static const double g[2] = { 3.0, -7.5 };
	uint64_t h;

	__asm__ volatile(
		"movups (%0), %%xmm0\n movups (%0), %%xmm1\n movupd (%1), %%xmm2\n"
		"addps %%xmm0, %%xmm1\n mulps %%xmm0, %%xmm1\n divps %%xmm0, %%xmm1\n"
		"sqrtpd %%xmm2, %%xmm3\n cvtps2pd %%xmm0, %%xmm4\n cvttpd2dq %%xmm2, %%xmm5\n"
		"pshufd $0x1b, %%xmm0, %%xmm6\n paddusb %%xmm6, %%xmm0\n"
		"punpcklbw %%xmm0, %%xmm6\n pmaddwd %%xmm0, %%xmm6\n cmpltps %%xmm1, %%xmm0\n"
		"pmovmskb %%xmm0, %%eax\n movd %%eax, %%xmm7\n fxsave (%2)"
		:
		: "r"(f), "r"(g), "r"(area)
		: "rax", "memory");
	h = hash(0, area + 160, 128);
	say("sse %lx mxcsr %x", h, *(uint32_t *)(area + 24));
}

static void x87(void)
{
	static uint8_t area[512] __attribute__((aligned(16)));
	static const double v[2] = { 2.5, -0.125 };
	uint64_t h;

	__asm__ volatile("fninit\n fldl (%0)\n fldl 8(%0)\n fadd %%st(1), %%st\n fldpi\n"
			 "fmul %%st(1), %%st\n fldl2e\n fdivp\n fld1\n fchs\n fscale\n fsqrt\n"
			 "fldz\n fxch\n fstp %%st(1)\n frndint\n fxsave (%1)"
			 :
			 : "r"(v), "r"(area)
			 : "memory");
	h = 0;
	for (unsigned int i = 0; i < 8; i++)
		h = hash(h, area + 32 + 16 * i, 10);
	say("x87 %lx fcw %x fsw %x ftw %x", h, *(uint16_t *)area,
	    *(uint16_t *)(area + 2) & ~0x4700u /* C0 to C3: undefined */, area[4]);
	__asm__ volatile("fninit");
}

int main(void)
{
	integers();
	division();
	strings();
	sse();
	x87();
	return 0;
}
