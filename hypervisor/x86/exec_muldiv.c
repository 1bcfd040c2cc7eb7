/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_muldiv.c - multiplication, division, and the decimal adjustments of 16 and 32-bit code.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * The host's own instruction runs with the guest's flags loaded, so undefined flags come out as the
 * host has them. A division runs only after it is known that the quotient fits: the host never
 * traps.
 * Source: Intel SDM Vol 2A, 2B "Instruction Set Reference".
 */
#include "x86/exec_int.h"

/* -- multiplication ----------------------------------------------------------------------- */

/*
 * One operand: lo = rax, hi = rdx. f travels in another register because RAX is an operand.
 * The guest's flags are loaded before, since processors leave some of the undefined ones alone.
 */
#define MUL_ASM(insn, a, d, s, f) \
	__asm__("mov %k[fl], %%eax\n\t" X86_ASM_LOAD_FLAGS "mov %[acc], %%rax\n\t" insn \
		" %[src]\n\tmov %%rax, %[acc]" X86_ASM_SAVE_FLAGS "\n\tmov %%eax, %k[fl]" \
		: [acc] "+r"(a), "+d"(d), [fl] "+r"(f) \
		: [src] "r"(s) \
		: "cc", "rax")

#define MUL_ONE(name, insn, bits) \
	X86_INLINE int name##_one##bits(struct x86_cpu *c, uint##bits##_t s) \
	{ \
		uint64_t a = c->gpr[X86_RAX], d = c->gpr[X86_RDX]; \
		uint32_t f = c->arith; \
		MUL_ASM(insn, a, d, s, f); \
		c->gpr[X86_RAX] = a; \
		if (bits != 8) \
			c->gpr[X86_RDX] = d; \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	} \
	static int name##_r##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return name##_one##bits(c, x86_get##bits(c, i->dst)); \
	} \
	X86_INLINE int name##_km##bits(struct x86_cpu *c, const struct x86_insn *i, const void *p) \
	{ \
		(void)i; \
		return name##_one##bits(c, X86_MEM_GET(bits, p)); \
	} \
	X86_READ(name##_m##bits, bits, name##_km##bits)

MUL_ONE(mul, "mulb", 8)
MUL_ONE(mul, "mulw", 16)
MUL_ONE(mul, "mull", 32)
MUL_ONE(mul, "mulq", 64)
MUL_ONE(imul, "imulb", 8)
MUL_ONE(imul, "imulw", 16)
MUL_ONE(imul, "imull", 32)
MUL_ONE(imul, "imulq", 64)

/* Two operands, and three: the immediate is a multiplicand like any other. */
#define IMUL_TWO(bits, sfx) \
	X86_INLINE int imul_two##bits(struct x86_cpu *c, const struct x86_insn *i, \
				      uint##bits##_t d, uint##bits##_t s) \
	{ \
		uint32_t f = c->arith; \
		__asm__(X86_ASM_LOAD_FLAGS "imul" sfx " %[s], %[d]" X86_ASM_SAVE_FLAGS \
			: [d] "+r"(d), "+&a"(f) \
			: [s] "r"(s) \
			: "cc"); \
		x86_set##bits(c, i->dst, d); \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	} \
	static int imul_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return imul_two##bits(c, i, x86_get##bits(c, i->dst), x86_get##bits(c, i->src)); \
	} \
	static int imul_rri##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return imul_two##bits(c, i, x86_get##bits(c, i->src), (uint##bits##_t)i->imm); \
	} \
	X86_INLINE int imul_krm##bits(struct x86_cpu *c, const struct x86_insn *i, const void *p) \
	{ \
		return imul_two##bits(c, i, x86_get##bits(c, i->dst), X86_MEM_GET(bits, p)); \
	} \
	X86_INLINE int imul_krmi##bits(struct x86_cpu *c, const struct x86_insn *i, const void *p) \
	{ \
		return imul_two##bits(c, i, X86_MEM_GET(bits, p), (uint##bits##_t)i->imm); \
	} \
	X86_READ(imul_rm##bits, bits, imul_krm##bits) \
	X86_READ(imul_rmi##bits, bits, imul_krmi##bits)
IMUL_TWO(16, "w")
IMUL_TWO(32, "l")
IMUL_TWO(64, "q")

/* -- division ----------------------------------------------------------------------------- */

/* Does the unsigned quotient of hi:lo / d fit (all of @bits bits)? */
static inline bool div_fits(uint64_t hi, uint64_t d)
{
	return d != 0 && hi < d;
}

/*
 * Does the signed quotient fit? hi, lo and d are sign-extended to 64 bits from their width; lo
 * counts only in its width. By magnitudes: |n| = uh:ul, |q| <= 2^(bits-1) - (is q positive).
 */
static bool idiv_fits(unsigned int bits, uint64_t hi, uint64_t lo, uint64_t d)
{
	uint64_t mask = bits == 64 ? ~0ull : HVM_BIT(bits) - 1;
	bool neg_n = hi >> 63, neg_d = d >> 63;
	uint64_t ul = neg_n ? (0 - lo) & mask : lo & mask;
	uint64_t uh = neg_n ? ~hi + (ul == 0) : hi;
	uint64_t ud = neg_d ? 0 - d : d;
	uint64_t q, r = uh;

	uh &= mask;
	ud &= mask; /* 2^(bits-1) stays itself */
	if (!div_fits(uh, ud))
		return false;
	if (bits == 64)
		__asm__("divq %[d]" : "=a"(q), "+d"(r) : [d] "r"(ud), "0"(ul) : "cc");
	else
		q = (uh << bits | ul) / ud;
	return q < HVM_BIT(bits - 1) + (neg_n != neg_d);
}

#define DIV_SIGN(bits, v) ((uint64_t)(int64_t)(int##bits##_t)(v))
#define DIV_CHECK_U(bits, c, s) \
	div_fits((uint##bits##_t)(bits == 8 ? (c)->gpr[X86_RAX] >> 8 : (c)->gpr[X86_RDX]), s)
#define DIV_CHECK_S(bits, c, s) \
	idiv_fits(bits, DIV_SIGN(bits, bits == 8 ? (c)->gpr[X86_RAX] >> 8 : (c)->gpr[X86_RDX]), \
		  (c)->gpr[X86_RAX], DIV_SIGN(bits, s))

#define DIV_ONE(name, insn, bits, CHECK) \
	X86_INLINE int name##_one##bits(struct x86_cpu *c, uint##bits##_t s) \
	{ \
		uint64_t a = c->gpr[X86_RAX], d = c->gpr[X86_RDX]; \
		uint32_t f = c->arith; \
		if (hvm_unlikely(!CHECK(bits, c, s))) \
			return x86_raise(c, X86_DE); \
		MUL_ASM(insn, a, d, s, f); \
		c->gpr[X86_RAX] = a; \
		if (bits != 8) \
			c->gpr[X86_RDX] = d; \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	} \
	static int name##_r##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return name##_one##bits(c, x86_get##bits(c, i->dst)); \
	} \
	X86_INLINE int name##_km##bits(struct x86_cpu *c, const struct x86_insn *i, const void *p) \
	{ \
		(void)i; \
		return name##_one##bits(c, X86_MEM_GET(bits, p)); \
	} \
	X86_READ(name##_m##bits, bits, name##_km##bits)

DIV_ONE(div, "divb", 8, DIV_CHECK_U)
DIV_ONE(div, "divw", 16, DIV_CHECK_U)
DIV_ONE(div, "divl", 32, DIV_CHECK_U)
DIV_ONE(div, "divq", 64, DIV_CHECK_U)
DIV_ONE(idiv, "idivb", 8, DIV_CHECK_S)
DIV_ONE(idiv, "idivw", 16, DIV_CHECK_S)
DIV_ONE(idiv, "idivl", 32, DIV_CHECK_S)
DIV_ONE(idiv, "idivq", 64, DIV_CHECK_S)

/* -- decimal adjustment: the host, in 64-bit mode, has none of these ---------------------- */

static void bcd_finish(struct x86_cpu *c, uint8_t al, bool af, bool cf)
{
	x86_set8(c, X86_RAX, al);
	/* OF is undefined; zero as after a logical operation. */
	c->arith =
		(uint16_t)((x86_cmp_flags8(al, 0) & (X86_ARITH_SF | X86_ARITH_ZF | X86_ARITH_PF)) |
			   0x200 | (af ? X86_ARITH_AF : 0) | (cf ? X86_ARITH_CF : 0));
}

static int bcd_daa_das(struct x86_cpu *c, const struct x86_insn *i)
{
	uint8_t old = x86_get8(c, X86_RAX), al = old;
	bool subtract = i->op == X86_OP_DAS;
	bool old_cf = c->arith & X86_ARITH_CF, cf = false;
	bool af = (old & 15) > 9 || (c->arith & X86_ARITH_AF);

	if (af) {
		cf = old_cf || (subtract ? old < 6 : old > 0xf9);
		al = (uint8_t)(subtract ? al - 6 : al + 6);
	}
	if (old > 0x99 || old_cf) {
		al = (uint8_t)(subtract ? al - 0x60 : al + 0x60);
		cf = true;
	} else if (!subtract) {
		cf = false;
	}
	bcd_finish(c, al, af, cf);
	return X86_NEXT;
}

static int bcd_aaa_aas(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t ax = x86_get16(c, X86_RAX);
	bool adjust = (ax & 15) > 9 || (c->arith & X86_ARITH_AF);

	if (adjust)
		ax = (uint16_t)(i->op == X86_OP_AAS ? ax - 0x106 : ax + 0x106);
	ax &= 0xff0f;
	bcd_finish(c, (uint8_t)ax, adjust, adjust);
	x86_set16(c, X86_RAX, ax);
	return X86_NEXT;
}

static int bcd_aam(struct x86_cpu *c, const struct x86_insn *i)
{
	uint8_t al = x86_get8(c, X86_RAX), base = (uint8_t)i->imm;

	if (!base)
		return x86_raise(c, X86_DE);
	x86_set16(c, X86_RAX, (uint16_t)(al / base << 8));
	bcd_finish(c, al % base, false, false);
	return X86_NEXT;
}

static int bcd_aad(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t ax = x86_get16(c, X86_RAX);
	uint8_t al = (uint8_t)((ax & 0xff) + (ax >> 8) * (uint8_t)i->imm);

	x86_set16(c, X86_RAX, 0);
	bcd_finish(c, al, false, false);
	return X86_NEXT;
}

static int bcd_salc(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	x86_set8(c, X86_RAX, c->arith & X86_ARITH_CF ? 0xff : 0);
	return X86_NEXT;
}

/* clang-format off */
static const struct x86_exec_row rows[] = {
	X86_ROWS4_R(MUL, R, mul_r), X86_ROWS4_M(MUL, M, mul_m),
	X86_ROWS4_R(IMUL, R, imul_r), X86_ROWS4_M(IMUL, M, imul_m),
	X86_ROWS4_R(DIV, R, div_r), X86_ROWS4_M(DIV, M, div_m),
	X86_ROWS4_R(IDIV, R, idiv_r), X86_ROWS4_M(IDIV, M, idiv_m),
	X86_ROWS3_R(IMUL, RR, imul_rr), X86_ROWS3_M(IMUL, RM, imul_rm),
	X86_ROWS3_R(IMUL3, RRI, imul_rri), X86_ROWS3_M(IMUL3, RMI, imul_rmi),
	{ X86_OP_DAA, X86_ANY, X86_ANY, bcd_daa_das },
	{ X86_OP_DAS, X86_ANY, X86_ANY, bcd_daa_das },
	{ X86_OP_AAA, X86_ANY, X86_ANY, bcd_aaa_aas },
	{ X86_OP_AAS, X86_ANY, X86_ANY, bcd_aaa_aas },
	{ X86_OP_AAM, X86_ANY, X86_ANY, bcd_aam },
	{ X86_OP_AAD, X86_ANY, X86_ANY, bcd_aad },
	{ X86_OP_SALC, X86_ANY, X86_ANY, bcd_salc },
};
/* clang-format on */

const struct x86_exec_table x86_exec_muldiv = { rows, HVM_ARRAY_SIZE(rows) };
