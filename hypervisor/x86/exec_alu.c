/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_alu.c - two-operand and one-operand arithmetic and logic.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * Flags come from the host: the kernel of an operation is the host's own instruction of the same
 * name and width, followed by LAHF and SETO. That is exact in the undefined flags too.
 * Source: Intel SDM Vol 2A, 2B "Instruction Set Reference".
 */
#include "x86/exec_int.h"

/*
 * Cores: name_r{bits} on a host register, name_m{bits} in memory, name_l{bits} locked.
 * @fcon "+&a" where the instruction reads a flag, else "=&a", and then f's first value is dead.
 */
#define ALU_CORE2(name, insn, pre, fcon, bits, sfx) \
	X86_INLINE uint32_t name##_r##bits(uint##bits##_t *d, uint##bits##_t s, uint32_t f) \
	{ \
		__asm__(pre insn sfx " %[s], %[d]" X86_ASM_SAVE_FLAGS \
			: [d] "+r"(*d), [f] fcon(f) \
			: [s] "r"(s) \
			: "cc"); \
		return f; \
	}
#define ALU_CORE2_MEM(name, insn, pre, fcon, bits, sfx, kind, lock) \
	X86_INLINE uint32_t name##_##kind##bits(void *p, uint##bits##_t s, uint32_t f) \
	{ \
		__asm__ volatile(pre lock insn sfx " %[s], %[d]" X86_ASM_SAVE_FLAGS \
				 : [d] "+m"(*(x86_u##bits##m *)p), [f] fcon(f) \
				 : [s] "r"(s) \
				 : "cc"); \
		return f; \
	}

/* Handlers that do not write (CMP, TEST), and the register destination of the others. */
#define ALU_REG_DST(name, bits, WRITE) \
	static int name##_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		unsigned int r = i->dst; \
		uint##bits##_t d = x86_get##bits(c, r); \
		c->arith = (uint16_t)name##_r##bits(&d, x86_get##bits(c, i->src), c->arith); \
		WRITE(bits, c, r, d); \
		return X86_NEXT; \
	} \
	static int name##_ri##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		unsigned int r = i->dst; \
		uint##bits##_t d = x86_get##bits(c, r); \
		c->arith = (uint16_t)name##_r##bits(&d, (uint##bits##_t)i->imm, c->arith); \
		WRITE(bits, c, r, d); \
		return X86_NEXT; \
	} \
	X86_INLINE int name##_krm##bits(struct x86_cpu *c, const struct x86_insn *i, \
					const void *p) \
	{ \
		unsigned int r = i->dst; \
		uint##bits##_t d = x86_get##bits(c, r); \
		c->arith = (uint16_t)name##_r##bits(&d, X86_MEM_GET(bits, p), c->arith); \
		WRITE(bits, c, r, d); \
		return X86_NEXT; \
	} \
	X86_READ(name##_rm##bits, bits, name##_krm##bits)
#define ALU_WRITE(bits, c, r, d)    x86_set##bits(c, r, d)
#define ALU_NO_WRITE(bits, c, r, d) ((void)(d))

/* Memory destination, read only. */
#define ALU_MEM_CMP(name, bits, form, value) \
	X86_INLINE int name##_k##form##bits(struct x86_cpu *c, const struct x86_insn *i, \
					    const void *p) \
	{ \
		uint##bits##_t d = X86_MEM_GET(bits, p); \
		c->arith = (uint16_t)name##_r##bits(&d, (uint##bits##_t)(value), c->arith); \
		return X86_NEXT; \
	} \
	X86_READ(name##_##form##bits, bits, name##_k##form##bits)

/* Memory destination. */
#define ALU_MEM_DST(name, bits, form, value) \
	X86_INLINE uint32_t name##_k##form##bits(struct x86_cpu *c, const struct x86_insn *i, \
						 void *p) \
	{ \
		return name##_m##bits(p, (uint##bits##_t)(value), c->arith); \
	} \
	X86_RMW(name##_##form##bits, bits, name##_k##form##bits) \
	X86_INLINE uint32_t name##_kl##form##bits(struct x86_cpu *c, const struct x86_insn *i, \
						  void *p) \
	{ \
		return name##_l##bits(p, (uint##bits##_t)(value), c->arith); \
	} \
	X86_RMW_LOCKED(name##_lock_##form##bits, bits, name##_kl##form##bits)

#define ALU_WRITER(name, insn, pre, fcon, bits, sfx) \
	ALU_CORE2(name, insn, pre, fcon, bits, sfx) \
	ALU_CORE2_MEM(name, insn, pre, fcon, bits, sfx, m, "") \
	ALU_CORE2_MEM(name, insn, pre, fcon, bits, sfx, l, "lock; ") \
	ALU_REG_DST(name, bits, ALU_WRITE) \
	ALU_MEM_DST(name, bits, mr, x86_get##bits(c, i->src)) \
	ALU_MEM_DST(name, bits, mi, i->imm)
#define ALU_READER(name, insn, bits, sfx) \
	ALU_CORE2(name, insn, "", "=&a", bits, sfx) \
	ALU_REG_DST(name, bits, ALU_NO_WRITE) \
	ALU_MEM_CMP(name, bits, mr, x86_get##bits(c, i->src)) \
	ALU_MEM_CMP(name, bits, mi, i->imm)

#define ALU_WRITER4(name, insn, pre, fcon) \
	ALU_WRITER(name, insn, pre, fcon, 8, "b") \
	ALU_WRITER(name, insn, pre, fcon, 16, "w") \
	ALU_WRITER(name, insn, pre, fcon, 32, "l") \
	ALU_WRITER(name, insn, pre, fcon, 64, "q")
#define ALU_READER4(name, insn) \
	ALU_READER(name, insn, 8, "b") \
	ALU_READER(name, insn, 16, "w") \
	ALU_READER(name, insn, 32, "l") \
	ALU_READER(name, insn, 64, "q")

ALU_WRITER4(alu_add, "add", "", "=&a")
ALU_WRITER4(alu_or, "or", "", "=&a")
ALU_WRITER4(alu_adc, "adc", X86_ASM_LOAD_CF, "+&a")
ALU_WRITER4(alu_sbb, "sbb", X86_ASM_LOAD_CF, "+&a")
ALU_WRITER4(alu_and, "and", "", "=&a")
ALU_WRITER4(alu_sub, "sub", "", "=&a")
ALU_WRITER4(alu_xor, "xor", "", "=&a")
ALU_READER4(alu_cmp, "cmp")
ALU_READER4(alu_test, "test")

/* -- one operand -------------------------------------------------------------------------- */

#define ALU_CORE1_MEM(name, insn, pre, fcon, bits, sfx, kind, lock) \
	X86_INLINE uint32_t name##_k##kind##bits(struct x86_cpu *c, const struct x86_insn *i, \
						 void *p) \
	{ \
		uint32_t f = c->arith; \
		(void)i; \
		__asm__ volatile(pre lock insn sfx " %[d]" X86_ASM_SAVE_FLAGS \
				 : [d] "+m"(*(x86_u##bits##m *)p), [f] fcon(f) \
				 : \
				 : "cc"); \
		return f; \
	}
#define ALU_UNARY(name, insn, pre, fcon, bits, sfx) \
	static int name##_r##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		unsigned int r = i->dst; \
		uint##bits##_t d = x86_get##bits(c, r); \
		uint32_t f = c->arith; \
		__asm__(pre insn sfx " %[d]" X86_ASM_SAVE_FLAGS \
			: [d] "+r"(d), [f] fcon(f) \
			: \
			: "cc"); \
		x86_set##bits(c, r, d); \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	} \
	ALU_CORE1_MEM(name, insn, pre, fcon, bits, sfx, m, "") \
	ALU_CORE1_MEM(name, insn, pre, fcon, bits, sfx, l, "lock; ") \
	X86_RMW(name##_m##bits, bits, name##_km##bits) \
	X86_RMW_LOCKED(name##_lock_m##bits, bits, name##_kl##bits)
#define ALU_UNARY4(name, insn, pre, fcon) \
	ALU_UNARY(name, insn, pre, fcon, 8, "b") \
	ALU_UNARY(name, insn, pre, fcon, 16, "w") \
	ALU_UNARY(name, insn, pre, fcon, 32, "l") \
	ALU_UNARY(name, insn, pre, fcon, 64, "q")

ALU_UNARY4(alu_inc, "inc", X86_ASM_LOAD_CF, "+&a")
ALU_UNARY4(alu_dec, "dec", X86_ASM_LOAD_CF, "+&a")
ALU_UNARY4(alu_neg, "neg", "", "=&a")

/* NOT changes no flag. */
#define ALU_NOT(bits, sfx) \
	static int alu_not_r##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_set##bits(c, i->dst, (uint##bits##_t) ~x86_get##bits(c, i->dst)); \
		return X86_NEXT; \
	} \
	X86_INLINE uint32_t alu_not_km##bits(struct x86_cpu *c, const struct x86_insn *i, void *p) \
	{ \
		(void)i; \
		X86_MEM_SET(bits, p, (uint##bits##_t) ~X86_MEM_GET(bits, p)); \
		return c->arith; \
	} \
	X86_INLINE uint32_t alu_not_kl##bits(struct x86_cpu *c, const struct x86_insn *i, void *p) \
	{ \
		(void)i; \
		__asm__ volatile("lock; not" sfx " %[d]" : [d] "+m"(*(x86_u##bits##m *)p)); \
		return c->arith; \
	} \
	X86_RMW(alu_not_m##bits, bits, alu_not_km##bits) \
	X86_RMW_LOCKED(alu_not_lock_m##bits, bits, alu_not_kl##bits)
ALU_NOT(8, "b")
ALU_NOT(16, "w")
ALU_NOT(32, "l")
ALU_NOT(64, "q")

/* -- sign extension of the accumulator ---------------------------------------------------- */

static int alu_cbw(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t a = c->gpr[X86_RAX];

	if (i->osize == 3)
		c->gpr[X86_RAX] = (uint64_t)(int64_t)(int32_t)a;
	else if (i->osize == 2)
		c->gpr[X86_RAX] = (uint32_t)(int32_t)(int16_t)a;
	else
		x86_set16(c, X86_RAX, (uint16_t)(int16_t)(int8_t)a);
	return X86_NEXT;
}

static int alu_cwd(struct x86_cpu *c, const struct x86_insn *i)
{
	bool negative = c->gpr[X86_RAX] >> ((8u << i->osize) - 1) & 1;

	x86_set_n(c, i->osize, X86_RDX, negative ? ~0ull : 0);
	return X86_NEXT;
}

/* clang-format off */
#define ALU_WRITER_ROWS(OP, name) \
	X86_ROWS4_R(OP, RR, name##_rr), X86_ROWS4_R(OP, RI, name##_ri), \
	X86_ROWS4_M(OP, RM, name##_rm), X86_ROWS4_M(OP, MR, name##_mr), \
	X86_ROWS4_M(OP, MI, name##_mi), X86_ROWS4_L(OP, MR, name##_lock_mr), \
	X86_ROWS4_L(OP, MI, name##_lock_mi)
#define ALU_READER_ROWS(OP, name) \
	X86_ROWS4_R(OP, RR, name##_rr), X86_ROWS4_R(OP, RI, name##_ri), \
	X86_ROWS4_M(OP, RM, name##_rm), X86_ROWS4_M(OP, MR, name##_mr), \
	X86_ROWS4_M(OP, MI, name##_mi)
#define ALU_UNARY_ROWS(OP, name) \
	X86_ROWS4_R(OP, R, name##_r), X86_ROWS4_M(OP, M, name##_m), \
	X86_ROWS4_L(OP, M, name##_lock_m)

static const struct x86_exec_row rows[] = {
	ALU_WRITER_ROWS(ADD, alu_add),
	ALU_WRITER_ROWS(OR, alu_or),
	ALU_WRITER_ROWS(ADC, alu_adc),
	ALU_WRITER_ROWS(SBB, alu_sbb),
	ALU_WRITER_ROWS(AND, alu_and),
	ALU_WRITER_ROWS(SUB, alu_sub),
	ALU_WRITER_ROWS(XOR, alu_xor),
	ALU_READER_ROWS(CMP, alu_cmp),
	ALU_READER_ROWS(TEST, alu_test),
	ALU_UNARY_ROWS(INC, alu_inc),
	ALU_UNARY_ROWS(DEC, alu_dec),
	ALU_UNARY_ROWS(NEG, alu_neg),
	ALU_UNARY_ROWS(NOT, alu_not),
	{ X86_OP_CBW, X86_ANY, X86_ANY, alu_cbw },
	{ X86_OP_CWD, X86_ANY, X86_ANY, alu_cwd },
};
/* clang-format on */

const struct x86_exec_table x86_exec_alu = { rows, HVM_ARRAY_SIZE(rows) };
