/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_xchg.c - exchanges (XCHG, XADD, CMPXCHG*), fences, ARPL, BOUND, CLFLUSH.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * In place the host's own locked instruction works on guest memory, so these are atomic with other
 * vcpus and with ioemu. What cannot be accessed in place goes through a bounce buffer (struct
 * x86_rmw), under the bus lock if locked. XCHG with memory is always locked.
 * Source: Intel SDM Vol 2A, 2B, 2D "Instruction Set Reference"; Vol 3A 8.1.2 "Bus Locking".
 */
#include "x86/exec_int.h"

/* -- XCHG, XADD --------------------------------------------------------------------------- */

#define XCHG(bits, sfx) \
	static int xchg_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t d = x86_get##bits(c, i->dst), s = x86_get##bits(c, i->src); \
		x86_set##bits(c, i->dst, s); \
		x86_set##bits(c, i->src, d); \
		return X86_NEXT; \
	} \
	static int xchg_mr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t v = x86_get##bits(c, i->src); \
		struct x86_rmw m; \
		gva_t la; \
		void *p; \
		if (!x86_ea(c, i, bits / 8, true, &la)) \
			return X86_ABORT; \
		p = x86_rmw_begin(c, i, &m, la, bits / 8); \
		if (!p) \
			return X86_ABORT; \
		__asm__ volatile("xchg" sfx " %[v], %[m]" \
				 : [v] "+r"(v), [m] "+m"(*(x86_u##bits##m *)p)); \
		if (!x86_rmw_end(c, i, &m)) \
			return X86_ABORT; \
		x86_set##bits(c, i->src, v); \
		return X86_NEXT; \
	}
XCHG(8, "b")
XCHG(16, "w")
XCHG(32, "l")
XCHG(64, "q")

#define XADD_MEM(bits, sfx, suffix, lock) \
	static int xadd_##suffix##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t v = x86_get##bits(c, i->src); \
		struct x86_rmw m; \
		uint32_t f; \
		gva_t la; \
		void *p; \
		if (!x86_ea(c, i, bits / 8, true, &la)) \
			return X86_ABORT; \
		p = x86_rmw_begin(c, i, &m, la, bits / 8); \
		if (!p) \
			return X86_ABORT; \
		__asm__ volatile(lock "xadd" sfx " %[v], %[m]" X86_ASM_SAVE_FLAGS \
				 : [v] "+r"(v), [m] "+m"(*(x86_u##bits##m *)p), "=&a"(f) \
				 : \
				 : "cc"); \
		if (!x86_rmw_end(c, i, &m)) \
			return X86_ABORT; \
		x86_set##bits(c, i->src, v); \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	}
/* The destination is written last: with both operands the same it holds the sum. */
#define XADD(bits, sfx) \
	static int xadd_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t d = x86_get##bits(c, i->dst), s = x86_get##bits(c, i->src); \
		uint32_t f; \
		x86_set##bits(c, i->src, d); \
		__asm__("add" sfx " %[s], %[d]" X86_ASM_SAVE_FLAGS \
			: [d] "+r"(d), "=&a"(f) \
			: [s] "r"(s) \
			: "cc"); \
		x86_set##bits(c, i->dst, d); \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	} \
	XADD_MEM(bits, sfx, mr, "") \
	XADD_MEM(bits, sfx, lock_mr, "lock; ")
XADD(8, "b")
XADD(16, "w")
XADD(32, "l")
XADD(64, "q")

/* -- CMPXCHG ------------------------------------------------------------------------------ */

/*
 * Runs on the whole RAX, so that its upper half fares as on the host. A destination in memory is
 * written when the comparison fails, too: x86_rmw_begin has asked for a writable page.
 */
#define CMPXCHG_ASM(bits, sfx, lock, mod, mem_or_reg, d, s, a, f) \
	__asm__ volatile("mov %[acc], %%rax\n\t" lock "cmpxchg" sfx " %[src], %" mod \
			 "[dst]\n\tmov %%rax, %[acc]" X86_ASM_SAVE_FLAGS \
			 : [dst] mem_or_reg(d), [acc] "+&r"(a), "=&a"(f) \
			 : [src] "r"(s) \
			 : "cc")
#define CMPXCHG_MEM(bits, sfx, suffix, lock) \
	static int cmpxchg_##suffix##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t s = x86_get##bits(c, i->src); \
		uint64_t a = c->gpr[X86_RAX]; \
		struct x86_rmw m; \
		uint32_t f; \
		gva_t la; \
		void *p; \
		if (!x86_ea(c, i, bits / 8, true, &la)) \
			return X86_ABORT; \
		p = x86_rmw_begin(c, i, &m, la, bits / 8); \
		if (!p) \
			return X86_ABORT; \
		CMPXCHG_ASM(bits, sfx, lock, "", "+m", *(x86_u##bits##m *)p, s, a, f); \
		if (!x86_rmw_end(c, i, &m)) \
			return X86_ABORT; \
		c->gpr[X86_RAX] = a; \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	}
#define CMPXCHG(bits, sfx, mod) \
	static int cmpxchg_rr##bits(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		uint##bits##_t s = x86_get##bits(c, i->src); \
		uint64_t a = c->gpr[X86_RAX]; \
		uint64_t d = bits == 8 ? x86_get8(c, i->dst) : c->gpr[i->dst & 15]; \
		uint32_t f; \
		CMPXCHG_ASM(bits, sfx, "", mod, "+&r", d, s, a, f); \
		c->gpr[X86_RAX] = a; \
		if (bits == 8) \
			x86_set8(c, i->dst, (uint8_t)d); \
		else \
			c->gpr[i->dst & 15] = d; \
		c->arith = (uint16_t)f; \
		return X86_NEXT; \
	} \
	CMPXCHG_MEM(bits, sfx, mr, "") \
	CMPXCHG_MEM(bits, sfx, lock_mr, "lock; ")
CMPXCHG(8, "b", "b")
CMPXCHG(16, "w", "w")
CMPXCHG(32, "l", "k")
CMPXCHG(64, "q", "q")

/* CMPXCHG8B and CMPXCHG16B share all but the width. Only ZF changes. */
#define CMPXCHG_PAIR(name, insn, type, size) \
	static int name(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		type lo = (type)c->gpr[X86_RAX], hi = (type)c->gpr[X86_RDX]; \
		struct x86_rmw m; \
		bool equal; \
		gva_t la; \
		void *p; \
		if (!x86_ea(c, i, size, true, &la)) \
			return X86_ABORT; \
		if (size == 16 && (la & 15)) \
			return x86_raise_err(c, X86_GP, 0); \
		p = x86_rmw_begin(c, i, &m, la, size); \
		if (!p) \
			return X86_ABORT; \
		__asm__ volatile("lock; " insn " %[m]" \
				 : [m] "+m"(*(uint8_t(*)[size])p), "=@ccz"(equal), "+a"(lo), \
				   "+d"(hi) \
				 : "b"((type)c->gpr[X86_RBX]), "c"((type)c->gpr[X86_RCX])); \
		if (!x86_rmw_end(c, i, &m)) \
			return X86_ABORT; \
		if (!equal) { \
			c->gpr[X86_RAX] = lo; \
			c->gpr[X86_RDX] = hi; \
		} \
		c->arith = (uint16_t)((c->arith & ~X86_ARITH_ZF) | (equal ? X86_ARITH_ZF : 0)); \
		return X86_NEXT; \
	}
CMPXCHG_PAIR(cmpxchg_8b, "cmpxchg8b", uint32_t, 8)
CMPXCHG_PAIR(cmpxchg_16b, "cmpxchg16b", uint64_t, 16)

/* -- fences and cache --------------------------------------------------------------------- */

/* Guest memory is the host's, accessed by this thread: the host's fence is the guest's. */
static int fence_full(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)c;
	(void)i;
	__asm__ volatile("mfence" ::: "memory");
	return X86_NEXT;
}

static int fence_weak(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)c;
	(void)i;
	__asm__ volatile("" ::: "memory");
	return X86_NEXT;
}

/* Caches are coherent here: nothing to flush, but the address is checked as by a load. */
static int fence_clflush(struct x86_cpu *c, const struct x86_insn *i)
{
	gva_t la;

	if (!x86_ea(c, i, 1, false, &la))
		return X86_ABORT;
	if (x86_ptr_r_fast(c, la, 1) || x86_probe_r(c, la, 1))
		return X86_NEXT;
	return x86_mem_fault(c, i);
}

/* -- ARPL, BOUND -------------------------------------------------------------------------- */

static bool arpl_adjust(uint16_t *dst, uint16_t src)
{
	if ((*dst & 3) >= (src & 3))
		return false;
	*dst = (uint16_t)((*dst & ~3) | (src & 3));
	return true;
}

/* Memory is written only when there is something to change: a read-only page may be asked. */
static int arpl(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t src = x86_get16(c, i->src), dst = x86_get16(c, i->dst);
	bool adjusted, mem = i->form == X86_FORM_MR;
	gva_t la;

	if (!(c->mode & X86_MODE_PE) || (c->mode & X86_MODE_VM))
		return x86_raise(c, X86_UD);
	if (mem && !x86_ea(c, i, 2, false, &la))
		return X86_ABORT;
	if (mem && !x86_load16(c, la, &dst))
		return x86_mem_fault(c, i);
	adjusted = arpl_adjust(&dst, src);
	if (!mem)
		x86_set16(c, i->dst, dst);
	else if (adjusted && !x86_ea(c, i, 2, true, &la))
		return X86_ABORT;
	else if (adjusted && !x86_store16(c, la, dst))
		return x86_mem_fault(c, i);
	c->arith = (uint16_t)((c->arith & ~X86_ARITH_ZF) | (adjusted ? X86_ARITH_ZF : 0));
	return X86_NEXT;
}

/* Two accesses: each is aligned or not by itself. */
static int bound(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int size = 1u << i->osize;
	uint32_t lower = 0, upper = 0;
	int32_t n = (int32_t)c->gpr[i->dst];
	gva_t la;

	if (!x86_ea(c, i, 2 * size, false, &la))
		return X86_ABORT;
	if (!x86_load_slow(c, la, &lower, size) || !x86_load_slow(c, la + size, &upper, size))
		return x86_mem_fault(c, i);
	if (size == 2) {
		lower = (uint32_t)(int16_t)lower;
		upper = (uint32_t)(int16_t)upper;
		n = (int16_t)n;
	}
	return n < (int32_t)lower || n > (int32_t)upper ? x86_raise(c, X86_BR) : X86_NEXT;
}

/* clang-format off */
static const struct x86_exec_row rows[] = {
	X86_ROWS4_R(XCHG, RR, xchg_rr), X86_ROWS4_R(XCHG, MR, xchg_mr),
	X86_ROWS4_L(XCHG, MR, xchg_mr),
	X86_ROWS4_R(XADD, RR, xadd_rr), X86_ROWS4_R(XADD, MR, xadd_mr),
	X86_ROWS4_L(XADD, MR, xadd_lock_mr),
	X86_ROWS4_R(CMPXCHG, RR, cmpxchg_rr), X86_ROWS4_R(CMPXCHG, MR, cmpxchg_mr),
	X86_ROWS4_L(CMPXCHG, MR, cmpxchg_lock_mr),
	{ X86_OP_CMPXCHG8B, X86_FORM_M, X86_ANY, cmpxchg_8b },
	{ X86_OP_CMPXCHG8B, X86_FORM_M | X86_FORM_LOCKED, X86_ANY, cmpxchg_8b },
	{ X86_OP_CMPXCHG16B, X86_FORM_M, X86_ANY, cmpxchg_16b },
	{ X86_OP_CMPXCHG16B, X86_FORM_M | X86_FORM_LOCKED, X86_ANY, cmpxchg_16b },
	{ X86_OP_MFENCE, X86_ANY, X86_ANY, fence_full },
	{ X86_OP_LFENCE, X86_ANY, X86_ANY, fence_weak },
	{ X86_OP_SFENCE, X86_ANY, X86_ANY, fence_weak },
	{ X86_OP_CLFLUSH, X86_FORM_M, X86_ANY, fence_clflush },
	{ X86_OP_ARPL, X86_FORM_RR, X86_ANY, arpl },
	{ X86_OP_ARPL, X86_FORM_MR, X86_ANY, arpl },
	{ X86_OP_BOUND, X86_FORM_RM, 1, bound },
	{ X86_OP_BOUND, X86_FORM_RM, 2, bound },
};
/* clang-format on */

const struct x86_exec_table x86_exec_xchg = { rows, HVM_ARRAY_SIZE(rows) };
