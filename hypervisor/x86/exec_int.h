/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_int.h - what the integer handlers share: operands by width, memory operands with a fast path
 * that stays small, flags, the stack, control transfers.
 *
 * A handler comes in one version for each width, and for memory operands in three for the address
 * (general; 64-bit flat: suffix _f; 64-bit flat without index: suffix _b). The fast path of each is
 * the TLB probe and the operation; everything else is a tail call into exec_int.c, so that the
 * fast path needs no stack frame. What an instruction does to an operand is its "kernel".
 */
#ifndef X86_EXEC_INT_H
#define X86_EXEC_INT_H

#include "x86/exec.h"

/* Tables of the files that split one of the groups of exec.h. */
extern const struct x86_exec_table x86_exec_muldiv; /* exec_muldiv.c: MUL, DIV, decimal adjust */
extern const struct x86_exec_table x86_exec_bit;    /* exec_bit.c: bit test and scan, CRC32 */
extern const struct x86_exec_table x86_exec_xchg;  /* exec_xchg.c: exchanges, fences, ARPL, BOUND */
extern const struct x86_exec_table x86_exec_flags; /* exec_flags.c: instructions on EFLAGS */
extern const struct x86_exec_table x86_exec_stack; /* exec_stack.c: PUSH, POP, ENTER, LEAVE */
extern const struct x86_exec_table x86_exec_io;	   /* exec_io.c: IN, OUT, INS, OUTS */

/*
 * Handler that depends on the condition code, which the lookup does not see; NULL: use the lookup.
 */
x86_exec_fn x86_bind_jcc(const struct x86_insn *i);
x86_exec_fn x86_bind_cc(const struct x86_insn *i);
x86_exec_fn x86_bind_vex(const struct x86_insn *i);

#define X86_INLINE static inline __attribute__((always_inline))

typedef x86_u8a x86_u8m;
typedef x86_u16a x86_u16m;
typedef x86_u32a x86_u32m;
typedef x86_u64a x86_u64m;

/* -- operands ----------------------------------------------------------------------------- */

X86_INLINE uint8_t x86_get8(struct x86_cpu *c, unsigned int r)
{
	return *x86_gpr8(c, r);
}

X86_INLINE void x86_set8(struct x86_cpu *c, unsigned int r, uint8_t v)
{
	*x86_gpr8(c, r) = v;
}

X86_INLINE uint16_t x86_get16(const struct x86_cpu *c, unsigned int r)
{
	return (uint16_t)c->gpr[r];
}

X86_INLINE void x86_set16(struct x86_cpu *c, unsigned int r, uint16_t v)
{
	*(x86_u16a *)&c->gpr[r] = v;
}

X86_INLINE uint32_t x86_get32(const struct x86_cpu *c, unsigned int r)
{
	return (uint32_t)c->gpr[r];
}

X86_INLINE void x86_set32(struct x86_cpu *c, unsigned int r, uint32_t v)
{
	c->gpr[r] = v;
}

X86_INLINE uint64_t x86_get64(const struct x86_cpu *c, unsigned int r)
{
	return c->gpr[r];
}

X86_INLINE void x86_set64(struct x86_cpu *c, unsigned int r, uint64_t v)
{
	c->gpr[r] = v;
}

/* One access each: guest memory is shared with other vcpus. */
#define X86_MEM_GET(bits, p)	(*(const volatile x86_u##bits##m *)(p))
#define X86_MEM_SET(bits, p, v) (*(volatile x86_u##bits##m *)(p) = (v))

/* Register @r at log2 size @osize; rare forms only. No high bytes. */
static inline uint64_t x86_get_n(const struct x86_cpu *c, unsigned int osize, unsigned int r)
{
	return osize == 3 ? c->gpr[r] : c->gpr[r] & (HVM_BIT(8u << osize) - 1);
}

static inline void x86_set_n(struct x86_cpu *c, unsigned int osize, unsigned int r, uint64_t v)
{
	if (osize == 3)
		c->gpr[r] = v;
	else if (osize == 2)
		c->gpr[r] = (uint32_t)v;
	else if (osize == 1)
		x86_set16(c, r, (uint16_t)v);
	else
		x86_set8(c, r, (uint8_t)v);
}

/* Offset cut to log2 address size @asize. */
static inline uint64_t x86_cut(unsigned int asize, uint64_t off)
{
	return asize == 3 ? off : asize == 2 ? (uint32_t)off : (uint16_t)off;
}

/* -- memory operands ---------------------------------------------------------------------- */

/* Kernel on a source operand in memory: does everything. */
typedef int (*x86_read_fn)(struct x86_cpu *c, const struct x86_insn *i, const void *p);
/* Kernel on a destination operand in memory: changes it, and returns the new c->arith. */
typedef uint32_t (*x86_rmw_fn)(struct x86_cpu *c, const struct x86_insn *i, void *p);

/*
 * The slow halves: the operand's page is not in the TLB, is a device or ROM, or the operand crosses
 * pages. @la: its linear address. x86_slow_store_end: a store that is the end of its instruction.
 */
int x86_slow_read(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
		  x86_read_fn kernel);
int x86_slow_rmw(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
		 x86_rmw_fn kernel);
int x86_slow_rmw_locked(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
			x86_rmw_fn kernel);
int x86_slow_store_end(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
		       uint64_t value);
/*
 * X86_ABORT after a failed access of the memory operand: in 64-bit mode a non-canonical address is
 * #SS, not #GP, when the segment is SS.
 */
int x86_mem_fault(struct x86_cpu *c, const struct x86_insn *i);
/* The same of an implied stack access. */
int x86_stack_fault(struct x86_cpu *c);

/*
 * Copy for a read-modify-write that needs more than a kernel. x86_rmw_begin gives the pointer to
 * work on: the operand itself, or @bounce after reading it there; NULL: X86_ABORT. x86_rmw_end
 * stores the bounce buffer; false: X86_ABORT, and nothing was written.
 */
struct x86_rmw {
	gva_t la;
	unsigned int size;
	bool direct, locked;
	_Alignas(16) uint8_t bounce[16];
};
void *x86_rmw_begin(struct x86_cpu *c, const struct x86_insn *i, struct x86_rmw *m, gva_t la,
		    unsigned int size);
bool x86_rmw_end(struct x86_cpu *c, const struct x86_insn *i, struct x86_rmw *m);

/* The three addressing versions, as statements that set la or return. */
#define X86_EA(c, i, size, write, la) \
	do { \
		if (hvm_unlikely(!x86_ea(c, i, size, write, &(la)))) \
			return X86_ABORT; \
	} while (0)
#define X86_EA_f(c, i, size, write, la) ((la) = x86_ea_flat64(c, i))
#define X86_EA_b(c, i, size, write, la) ((la) = x86_ea_base64(c, i))

/* Handlers name{,_f,_b} around kernels. @bits: width of the operand in memory. */
#define X86_READ_ONE(name, suffix, bits, kernel) \
	static int name##suffix(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		gva_t la; \
		X86_EA##suffix(c, i, bits / 8, false, la); \
		const void *p = x86_ptr_r_fast(c, la, bits / 8); \
		if (hvm_likely(p)) \
			return kernel(c, i, p); \
		return x86_slow_read(c, i, la, bits / 8, kernel); \
	}
#define X86_READ(name, bits, kernel) \
	X86_READ_ONE(name, , bits, kernel) \
	X86_READ_ONE(name, _f, bits, kernel) \
	X86_READ_ONE(name, _b, bits, kernel)

#define X86_RMW_ONE(name, suffix, bits, kernel, slow) \
	static int name##suffix(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		gva_t la; \
		X86_EA##suffix(c, i, bits / 8, true, la); \
		void *p = x86_ptr_w_fast(c, la, bits / 8); \
		if (hvm_likely(p)) { \
			c->arith = (uint16_t)kernel(c, i, p); \
			return X86_NEXT; \
		} \
		return slow(c, i, la, bits / 8, kernel); \
	}
#define X86_RMW(name, bits, kernel) \
	X86_RMW_ONE(name, , bits, kernel, x86_slow_rmw) \
	X86_RMW_ONE(name, _f, bits, kernel, x86_slow_rmw) \
	X86_RMW_ONE(name, _b, bits, kernel, x86_slow_rmw)
/* name must carry its own suffix: there is one version for all addresses. */
#define X86_RMW_LOCKED(name, bits, kernel) X86_RMW_ONE(name, , bits, kernel, x86_slow_rmw_locked)

/* Store of @value, an expression of c and i. */
#define X86_STORE_ONE(name, suffix, bits, value) \
	static int name##suffix(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		gva_t la; \
		X86_EA##suffix(c, i, bits / 8, true, la); \
		void *p = x86_ptr_w_fast(c, la, bits / 8); \
		if (hvm_likely(p)) { \
			X86_MEM_SET(bits, p, (uint##bits##_t)(value)); \
			return X86_NEXT; \
		} \
		return x86_slow_store_end(c, i, la, bits / 8, (uint64_t)(value)); \
	}
#define X86_STORE(name, bits, value) \
	X86_STORE_ONE(name, , bits, value) \
	X86_STORE_ONE(name, _f, bits, value) \
	X86_STORE_ONE(name, _b, bits, value)

/* Rows of a register form, of a memory form with its versions, of a locked form. */
#define X86_ROW_R(op, form, osize, fn) \
	{ \
		X86_OP_##op, X86_FORM_##form, osize, fn \
	}
#define X86_ROW_M(op, form, osize, fn) \
	{ X86_OP_##op, X86_FORM_##form, osize, fn }, \
		{ X86_OP_##op, X86_FORM_##form | X86_FORM_FLAT64, osize, fn##_f }, \
	{ \
		X86_OP_##op, X86_FORM_##form | X86_FORM_BASE64, osize, fn##_b \
	}
#define X86_ROW_L(op, form, osize, fn) \
	{ \
		X86_OP_##op, X86_FORM_##form | X86_FORM_LOCKED, osize, fn \
	}
/* The same for several widths; fn is completed with the width. */
#define X86_ROWS3_R(op, form, fn) \
	X86_ROW_R(op, form, 1, fn##16), X86_ROW_R(op, form, 2, fn##32), \
		X86_ROW_R(op, form, 3, fn##64)
#define X86_ROWS3_M(op, form, fn) \
	X86_ROW_M(op, form, 1, fn##16), X86_ROW_M(op, form, 2, fn##32), \
		X86_ROW_M(op, form, 3, fn##64)
#define X86_ROWS3_L(op, form, fn) \
	X86_ROW_L(op, form, 1, fn##16), X86_ROW_L(op, form, 2, fn##32), \
		X86_ROW_L(op, form, 3, fn##64)
#define X86_ROWS4_R(op, form, fn) X86_ROW_R(op, form, 0, fn##8), X86_ROWS3_R(op, form, fn)
#define X86_ROWS4_M(op, form, fn) X86_ROW_M(op, form, 0, fn##8), X86_ROWS3_M(op, form, fn)
#define X86_ROWS4_L(op, form, fn) X86_ROW_L(op, form, 0, fn##8), X86_ROWS3_L(op, form, fn)

/* -- flags -------------------------------------------------------------------------------- */

#define X86_ARITH_CF 0x0100u
#define X86_ARITH_PF 0x0400u
#define X86_ARITH_AF 0x1000u
#define X86_ARITH_ZF 0x4000u
#define X86_ARITH_SF 0x8000u
#define X86_ARITH_OF 0x0001u

/* Assembly around a host instruction: f in eax, in the layout of c->arith. */
#define X86_ASM_LOAD_CF	   "btl $8, %k[f]\n\t"
#define X86_ASM_LOAD_FLAGS "addb $0x7f, %%al\n\tsahf\n\t"
#define X86_ASM_SAVE_FLAGS "\n\tlahf\n\tseto %%al"

/* c->arith of the result of a host CMP; for string compares. */
#define X86_DEFINE_CMP_FLAGS(bits, sfx) \
	X86_INLINE uint32_t x86_cmp_flags##bits(uint##bits##_t a, uint##bits##_t b) \
	{ \
		uint32_t f; \
		__asm__("cmp" sfx " %[b], %[a]" X86_ASM_SAVE_FLAGS \
			: [f] "=&a"(f) \
			: [a] "r"(a), [b] "r"(b) \
			: "cc"); \
		return f; \
	}
X86_DEFINE_CMP_FLAGS(8, "b")
X86_DEFINE_CMP_FLAGS(16, "w")
X86_DEFINE_CMP_FLAGS(32, "l")
X86_DEFINE_CMP_FLAGS(64, "q")

/*
 * x86_cond() without a branch, for a condition code that is not constant: bit 0 becomes SF != OF
 * for the codes that ask for it, and then every code is one mask.
 */
X86_INLINE bool x86_cond_var(const struct x86_cpu *c, unsigned int cc)
{
	static const uint16_t masks[8] = { 0x0001, 0x0100, 0x4000, 0x4100,
					   0x8000, 0x0400, 0x0001, 0x4001 };
	unsigned int f = c->arith;

	f ^= cc >= 12 ? f >> 15 : 0;
	return ((f & masks[cc >> 1 & 7]) != 0) ^ (cc & 1);
}

/* -- privilege ---------------------------------------------------------------------------- */

static inline unsigned int x86_iopl(const struct x86_cpu *c)
{
	return (unsigned int)(c->rflags_rest >> 12) & 3;
}

/* -- stack -------------------------------------------------------------------------------- */

/* Stack pointer @sp cut to the stack's address size. */
static inline uint64_t x86_cut_sp(const struct x86_cpu *c, uint64_t sp)
{
	return x86_cut((c->mode & X86_MODE_SS_MASK) >> X86_MODE_SS_SHIFT, sp);
}

/* Access of 1 << osize bytes at SS:@sp (already cut). false: X86_ABORT. */
bool x86_stack_store(struct x86_cpu *c, uint64_t sp, unsigned int osize, uint64_t value);
bool x86_stack_load(struct x86_cpu *c, uint64_t sp, unsigned int osize, uint64_t *ret);
bool x86_stack_probe(struct x86_cpu *c, uint64_t sp, unsigned int osize);
/* The stack pointer moves only on success. */
bool x86_push(struct x86_cpu *c, unsigned int osize, uint64_t value);

/* -- near control transfer ---------------------------------------------------------------- */

static inline bool x86_is_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/*
 * May execution go on at @ip (already cut)? 64-bit mode: canonical; else within the limit of CS.
 * false: #GP(0).
 */
static inline bool x86_check_target(struct x86_cpu *c, uint64_t ip)
{
	if (x86_is_code64(c) ? hvm_likely(x86_is_canonical(ip))
			     : ((c->mode & X86_MODE_FLAT) || ip <= c->seg[HVM_SEG_CS].limit))
		return true;
	x86_raise_err(c, X86_GP, 0);
	return false;
}

#endif
