/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_bit.c - bit test, bit scan, population count, CRC32, byte swap.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * A bit number in a register addresses memory beyond the operand; an immediate one is taken modulo
 * the operand's width.
 * Source: Intel SDM Vol 2A "BT", "BTC", "BTR", "BTS", "BSF", "BSR", "BSWAP", "CRC32"; Vol 2B
 * "POPCNT".
 */
#include "x86/exec_int.h"

/* -- BT, BTS, BTR, BTC: only CF changes --------------------------------------------------- */

X86_INLINE uint32_t bit_flags(const struct x86_cpu *c, bool cf)
{
	return (c->arith & ~X86_ARITH_CF) | (cf ? X86_ARITH_CF : 0);
}

/* New value of an operand of which @b is the one bit in question. */
X86_INLINE uint64_t bit_apply_bts(uint64_t v, uint64_t b)
{
	return v | b;
}

X86_INLINE uint64_t bit_apply_btr(uint64_t v, uint64_t b)
{
	return v & ~b;
}

X86_INLINE uint64_t bit_apply_btc(uint64_t v, uint64_t b)
{
	return v ^ b;
}

/* Linear address of the memory operand that holds bit number @n, counted from the operand. */
X86_INLINE bool bit_ea(struct x86_cpu *c, const struct x86_insn *i, int64_t n, bool write,
		       gva_t *ret)
{
	uint64_t delta = (uint64_t)(n >> (3 + i->osize)) << i->osize;
	uint64_t off = x86_cut(i->asize, x86_ea_offset(c, i) + delta);

	return x86_linear(c, i->seg, off, 1u << i->osize, write, ret);
}

#define BIT_N_REG(bits) ((unsigned int)x86_get##bits(c, i->src) & (bits - 1))
#define BIT_N_IMM(bits) ((unsigned int)i->imm & (bits - 1))

#define BIT_TEST(bits) \
	static int bit_bt_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		c->arith = \
			(uint16_t)bit_flags(c, x86_get##bits(c, i->dst) >> BIT_N_REG(bits) & 1); \
		return X86_NEXT; \
	} \
	static int bit_bt_ri##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		c->arith = \
			(uint16_t)bit_flags(c, x86_get##bits(c, i->dst) >> BIT_N_IMM(bits) & 1); \
		return X86_NEXT; \
	} \
	X86_INLINE int bit_bt_kmi##bits(struct x86_cpu *c, const struct x86_insn *i, \
					const void *p) \
	{ \
		c->arith = (uint16_t)bit_flags(c, X86_MEM_GET(bits, p) >> BIT_N_IMM(bits) & 1); \
		return X86_NEXT; \
	} \
	X86_READ(bit_bt_mi##bits, bits, bit_bt_kmi##bits) \
	X86_INLINE int bit_bt_kmr##bits(struct x86_cpu *c, const struct x86_insn *i, \
					const void *p) \
	{ \
		c->arith = (uint16_t)bit_flags(c, X86_MEM_GET(bits, p) >> BIT_N_REG(bits) & 1); \
		return X86_NEXT; \
	} \
	static int bit_bt_mr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		const void *p; \
		gva_t la; \
		if (!bit_ea(c, i, (int##bits##_t)x86_get##bits(c, i->src), false, &la)) \
			return X86_ABORT; \
		p = x86_ptr_r_fast(c, la, bits / 8); \
		if (hvm_likely(p)) \
			return bit_bt_kmr##bits(c, i, p); \
		return x86_slow_read(c, i, la, bits / 8, bit_bt_kmr##bits); \
	}
BIT_TEST(16)
BIT_TEST(32)
BIT_TEST(64)

#define BIT_REG(name, bits, form, number) \
	static int bit_##name##_##form##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t v = x86_get##bits(c, i->dst), \
			       b = (uint##bits##_t)(1ull << number(bits)); \
		c->arith = (uint16_t)bit_flags(c, v & b); \
		x86_set##bits(c, i->dst, (uint##bits##_t)bit_apply_##name(v, b)); \
		return X86_NEXT; \
	}
#define BIT_KERNELS(name, bits, sfx, form, number) \
	X86_INLINE uint32_t bit_##name##_k##form##bits(struct x86_cpu *c, \
						       const struct x86_insn *i, void *p) \
	{ \
		uint##bits##_t v = X86_MEM_GET(bits, p), \
			       b = (uint##bits##_t)(1ull << number(bits)); \
		X86_MEM_SET(bits, p, (uint##bits##_t)bit_apply_##name(v, b)); \
		return bit_flags(c, v & b); \
	} \
	X86_INLINE uint32_t bit_##name##_kl##form##bits(struct x86_cpu *c, \
							const struct x86_insn *i, void *p) \
	{ \
		uint##bits##_t n = (uint##bits##_t)number(bits); \
		bool cf; \
		__asm__ volatile("lock; " #name sfx " %[n], %[d]" \
				 : [d] "+m"(*(x86_u##bits##m *)p), "=@ccc"(cf) \
				 : [n] "r"(n)); \
		return bit_flags(c, cf); \
	}
#define BIT_MEM_REG(name, bits, suffix, kernel, slow) \
	static int bit_##name##suffix##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		gva_t la; \
		void *p; \
		if (!bit_ea(c, i, (int##bits##_t)x86_get##bits(c, i->src), true, &la)) \
			return X86_ABORT; \
		p = x86_ptr_w_fast(c, la, bits / 8); \
		if (hvm_likely(p)) { \
			c->arith = (uint16_t)kernel(c, i, p); \
			return X86_NEXT; \
		} \
		return slow(c, i, la, bits / 8, kernel); \
	}
#define BIT_CHANGE(name, bits, sfx) \
	BIT_REG(name, bits, rr, BIT_N_REG) \
	BIT_REG(name, bits, ri, BIT_N_IMM) \
	BIT_KERNELS(name, bits, sfx, mi, BIT_N_IMM) \
	BIT_KERNELS(name, bits, sfx, mr, BIT_N_REG) \
	X86_RMW(bit_##name##_mi##bits, bits, bit_##name##_kmi##bits) \
	X86_RMW_LOCKED(bit_##name##_lock_mi##bits, bits, bit_##name##_klmi##bits) \
	BIT_MEM_REG(name, bits, _mr, bit_##name##_kmr##bits, x86_slow_rmw) \
	BIT_MEM_REG(name, bits, _lock_mr, bit_##name##_klmr##bits, x86_slow_rmw_locked)
#define BIT_CHANGE3(name) \
	BIT_CHANGE(name, 16, "w") \
	BIT_CHANGE(name, 32, "l") \
	BIT_CHANGE(name, 64, "q")
BIT_CHANGE3(bts)
BIT_CHANGE3(btr)
BIT_CHANGE3(btc)

/* -- BSF, BSR, TZCNT, LZCNT --------------------------------------------------------------- */

/*
 * On the whole 64-bit destination, so that a source of zero leaves of it what the host leaves: the
 * old value, on every processor of both vendors.
 */
#define BIT_SCAN(name, insn, bits, mod) \
	X86_INLINE int name##_core##bits(struct x86_cpu *c, const struct x86_insn *i, \
					 uint##bits##_t s) \
	{ \
		uint64_t d = c->gpr[i->dst]; \
		uint32_t f = c->arith; \
		__asm__(X86_ASM_LOAD_FLAGS insn " %[s], %" mod "[d]" X86_ASM_SAVE_FLAGS \
			: [d] "+r"(d), "+&a"(f) \
			: [s] "r"(s) \
			: "cc"); \
		c->gpr[i->dst] = d; \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	} \
	static int name##_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return name##_core##bits(c, i, x86_get##bits(c, i->src)); \
	} \
	X86_INLINE int name##_krm##bits(struct x86_cpu *c, const struct x86_insn *i, \
					const void *p) \
	{ \
		return name##_core##bits(c, i, X86_MEM_GET(bits, p)); \
	} \
	X86_READ(name##_rm##bits, bits, name##_krm##bits)
BIT_SCAN(bit_bsf, "bsfw", 16, "w")
BIT_SCAN(bit_bsf, "bsfl", 32, "k")
BIT_SCAN(bit_bsf, "bsfq", 64, "q")
BIT_SCAN(bit_bsr, "bsrw", 16, "w")
BIT_SCAN(bit_bsr, "bsrl", 32, "k")
BIT_SCAN(bit_bsr, "bsrq", 64, "q")
/* The guest has these only where the host has. */
BIT_SCAN(bit_tzcnt, "tzcntw", 16, "w")
BIT_SCAN(bit_tzcnt, "tzcntl", 32, "k")
BIT_SCAN(bit_tzcnt, "tzcntq", 64, "q")
BIT_SCAN(bit_lzcnt, "lzcntw", 16, "w")
BIT_SCAN(bit_lzcnt, "lzcntl", 32, "k")
BIT_SCAN(bit_lzcnt, "lzcntq", 64, "q")

/* -- POPCNT, CRC32: the guest has them only where the host has ---------------------------- */

#define BIT_POPCNT(bits, sfx) \
	X86_INLINE int bit_popcnt_core##bits(struct x86_cpu *c, const struct x86_insn *i, \
					     uint##bits##_t s) \
	{ \
		uint##bits##_t d; \
		uint32_t f; \
		__asm__("popcnt" sfx " %[s], %[d]" X86_ASM_SAVE_FLAGS \
			: [d] "=&r"(d), "=&a"(f) \
			: [s] "r"(s) \
			: "cc"); \
		x86_set##bits(c, i->dst, d); \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	} \
	static int bit_popcnt_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return bit_popcnt_core##bits(c, i, x86_get##bits(c, i->src)); \
	} \
	X86_INLINE int bit_popcnt_krm##bits(struct x86_cpu *c, const struct x86_insn *i, \
					    const void *p) \
	{ \
		return bit_popcnt_core##bits(c, i, X86_MEM_GET(bits, p)); \
	} \
	X86_READ(bit_popcnt_rm##bits, bits, bit_popcnt_krm##bits)
BIT_POPCNT(16, "w")
BIT_POPCNT(32, "l")
BIT_POPCNT(64, "q")

/* The destination is 32 bits of a register whose upper half becomes zero, with REX.W too. */
#define BIT_CRC32(bits, insn, type) \
	X86_INLINE int bit_crc32_core##bits(struct x86_cpu *c, const struct x86_insn *i, \
					    uint##bits##_t s) \
	{ \
		type d = (uint32_t)c->gpr[i->dst]; \
		__asm__(insn " %[s], %[d]" : [d] "+r"(d) : [s] "r"(s)); \
		c->gpr[i->dst] = d; \
		return X86_NEXT; \
	} \
	static int bit_crc32_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return bit_crc32_core##bits(c, i, x86_get##bits(c, i->src)); \
	} \
	X86_INLINE int bit_crc32_krm##bits(struct x86_cpu *c, const struct x86_insn *i, \
					   const void *p) \
	{ \
		return bit_crc32_core##bits(c, i, X86_MEM_GET(bits, p)); \
	} \
	X86_READ(bit_crc32_rm##bits, bits, bit_crc32_krm##bits)
BIT_CRC32(8, "crc32b", uint32_t)
BIT_CRC32(16, "crc32w", uint32_t)
BIT_CRC32(32, "crc32l", uint32_t)
BIT_CRC32(64, "crc32q", uint64_t)

static int bit_bswap(struct x86_cpu *c, const struct x86_insn *i)
{
	if (i->osize == 3)
		c->gpr[i->dst] = __builtin_bswap64(c->gpr[i->dst]);
	else if (i->osize == 2)
		c->gpr[i->dst] = __builtin_bswap32((uint32_t)c->gpr[i->dst]);
	else
		x86_set16(c, i->dst, 0); /* undefined; what processors do */
	return X86_NEXT;
}

/* clang-format off */
#define BIT_CHANGE_ROWS(OP, name) \
	X86_ROWS3_R(OP, RR, name##_rr), X86_ROWS3_R(OP, RI, name##_ri), \
	X86_ROWS3_R(OP, MR, name##_mr), X86_ROWS3_M(OP, MI, name##_mi), \
	X86_ROWS3_L(OP, MR, name##_lock_mr), X86_ROWS3_L(OP, MI, name##_lock_mi)

static const struct x86_exec_row rows[] = {
	X86_ROWS3_R(BT, RR, bit_bt_rr), X86_ROWS3_R(BT, RI, bit_bt_ri),
	X86_ROWS3_R(BT, MR, bit_bt_mr), X86_ROWS3_M(BT, MI, bit_bt_mi),
	BIT_CHANGE_ROWS(BTS, bit_bts),
	BIT_CHANGE_ROWS(BTR, bit_btr),
	BIT_CHANGE_ROWS(BTC, bit_btc),
	X86_ROWS3_R(BSF, RR, bit_bsf_rr), X86_ROWS3_M(BSF, RM, bit_bsf_rm),
	X86_ROWS3_R(BSR, RR, bit_bsr_rr), X86_ROWS3_M(BSR, RM, bit_bsr_rm),
	X86_ROWS3_R(TZCNT, RR, bit_tzcnt_rr), X86_ROWS3_M(TZCNT, RM, bit_tzcnt_rm),
	X86_ROWS3_R(LZCNT, RR, bit_lzcnt_rr), X86_ROWS3_M(LZCNT, RM, bit_lzcnt_rm),
	X86_ROWS3_R(POPCNT, RR, bit_popcnt_rr), X86_ROWS3_M(POPCNT, RM, bit_popcnt_rm),
	X86_ROWS3_R(CRC32, RR, bit_crc32_rr), X86_ROWS3_M(CRC32, RM, bit_crc32_rm),
	X86_ROW_R(CRC32_8, RR, X86_ANY, bit_crc32_rr8), X86_ROW_M(CRC32_8, RM, X86_ANY, bit_crc32_rm8),
	{ X86_OP_BSWAP, X86_ANY, X86_ANY, bit_bswap },
};
/* clang-format on */

const struct x86_exec_table x86_exec_bit = { rows, HVM_ARRAY_SIZE(rows) };
