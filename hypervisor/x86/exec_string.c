/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_string.c - MOVS, STOS, LODS, SCAS, CMPS, and the REP machinery.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * Between chunks c->exit_req is looked at, so that a long REP does not hold up an interrupt: the
 * instruction is then aborted with its registers advanced, and runs on later.
 * Source: Intel SDM Vol 1 7.3.9 "String Operations"; Vol 2B "REP/REPE/REPZ/REPNE/REPNZ".
 */
#include "os/hvm_os.h"
#include "x86/exec_str.h"

/* -- one element -------------------------------------------------------------------------- */

static inline uint64_t str_get(const void *p, unsigned int osize)
{
	switch (osize) {
	case 0: return X86_MEM_GET(8, p);
	case 1: return X86_MEM_GET(16, p);
	case 2: return X86_MEM_GET(32, p);
	}
	return X86_MEM_GET(64, p);
}

static inline void str_put(void *p, unsigned int osize, uint64_t v)
{
	switch (osize) {
	case 0: X86_MEM_SET(8, p, (uint8_t)v); return;
	case 1: X86_MEM_SET(16, p, (uint16_t)v); return;
	case 2: X86_MEM_SET(32, p, (uint32_t)v); return;
	}
	X86_MEM_SET(64, p, v);
}

bool x86_str_load(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg, unsigned int reg,
		  uint64_t *ret)
{
	uint64_t value = 0;
	const void *p;
	gva_t la;

	if (!x86_linear(c, seg, x86_cut(i->asize, c->gpr[reg]), 1u << i->osize, false, &la))
		return false;
	p = x86_ptr_r_fast(c, la, 1u << i->osize);
	if (hvm_likely(p)) {
		*ret = str_get(p, i->osize);
		return true;
	}
	if (!x86_load_slow(c, la, &value, 1u << i->osize)) {
		if (seg == HVM_SEG_SS)
			x86_stack_fault(c);
		return false;
	}
	*ret = value;
	return true;
}

bool x86_str_store(struct x86_cpu *c, const struct x86_insn *i, uint64_t value)
{
	uint64_t off = x86_cut(i->asize, c->gpr[X86_RDI]);
	gva_t la;
	void *p;

	if (!x86_linear(c, HVM_SEG_ES, off, 1u << i->osize, true, &la))
		return false;
	p = x86_ptr_w_fast(c, la, 1u << i->osize);
	if (hvm_likely(p)) {
		str_put(p, i->osize, value);
		return true;
	}
	return x86_store_slow(c, la, &value, 1u << i->osize);
}

/* -- chunks ------------------------------------------------------------------------------- */

static inline uint64_t str_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Linear address of the lowest byte of @n elements. false: they do not all pass the limit check. */
static bool str_low(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg, unsigned int reg,
		    uint64_t n, bool write, gva_t *ret)
{
	uint64_t off = x86_cut(i->asize, c->gpr[reg]);

	if (x86_str_backward(c))
		off -= (n - 1) << i->osize;
	return x86_linear(c, seg, off, (unsigned int)(n << i->osize), write, ret);
}

uint64_t x86_str_room(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg,
		      unsigned int reg, uint64_t n)
{
	uint64_t off = x86_cut(i->asize, c->gpr[reg]), size = 1u << i->osize, in_page;
	gva_t la;

	/* Each element is checked by itself. */
	if (hvm_unlikely(c->mode & X86_MODE_AC))
		return 0;
	/* The segment's base is all that is wanted here; x86_str_ptr() checks the limit. */
	la = x86_is_code64(c) ? off + (seg >= HVM_SEG_FS ? c->seg[seg].base : 0)
			      : (uint32_t)(off + c->seg[seg].base);
	in_page = la & (HVM_PAGE_SIZE - 1);
	if (in_page > HVM_PAGE_SIZE - size)
		return 0;
	if (x86_str_backward(c))
		return str_min(n, str_min(in_page >> i->osize, off >> i->osize) + 1);
	n = str_min(n, (HVM_PAGE_SIZE - in_page) >> i->osize);
	if (i->asize != 3)
		n = str_min(n, (HVM_BIT(8u << i->asize) - off) >> i->osize);
	return n;
}

void *x86_str_ptr(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg, unsigned int reg,
		  uint64_t n, bool write)
{
	unsigned int bytes = (unsigned int)(n << i->osize);
	bool fault = false;
	void *p;
	gva_t la;

	if (!str_low(c, i, seg, reg, n, write, &la))
		return NULL;
	if (write) {
		p = x86_ptr_w_fast(c, la, bytes);
		return p ? p : x86_ptr_w_slow(c, la, bytes, &fault);
	}
	p = (void *)(uintptr_t)x86_ptr_r_fast(c, la, bytes);
	return p ? p : (void *)(uintptr_t)x86_ptr_r_slow(c, la, bytes, &fault);
}

/* What a chunk function returns when it got no pointer. */
static int64_t str_no_ptr(const struct x86_cpu *c)
{
	return c->stop == X86_STOP_NONE ? 0 : -1;
}

int x86_str_run(struct x86_cpu *c, const struct x86_insn *i, x86_str_many_fn many,
		x86_str_one_fn one, bool compares)
{
	bool step = c->rflags_rest & X86_EFL_TF;
	uint16_t arith = c->arith;
	bool single;
	int64_t done;
	uint64_t n;

	if (i->rep == X86_REP_NONE)
		return one(c, i) ? X86_NEXT : X86_ABORT;
	while ((n = x86_cut(i->asize, c->gpr[X86_RCX])) != 0) {
		done = step || n == 1 ? 0 : many(c, i, n);
		single = done == 0;
		if (single)
			done = one(c, i) ? 1 : -1;
		if (done < 0) {
			c->arith = arith; /* a fault inside a repeated compare restores EFLAGS */
			return X86_ABORT;
		}
		n -= (uint64_t)done;
		x86_set_n(c, i->asize, X86_RCX, n);
		if (compares && !!(c->arith & X86_ARITH_ZF) == (i->rep == X86_REP_F2))
			break;
		if (n && step) {
			/* The trap of TF comes after every element. */
			c->x86_ip = x86_insn_ip(c, i);
			return X86_BRANCH;
		}
		/*
		 * After an element that may have been a device's, start anew: what ioemu served for
		 * it is not to answer the next one.
		 */
		if (n && (single || __atomic_load_n(&c->exit_req, __ATOMIC_RELAXED))) {
			c->stop = X86_STOP_RETRY;
			return X86_ABORT;
		}
	}
	return X86_NEXT;
}

/* -- MOVS --------------------------------------------------------------------------------- */

/* Element by element, upwards: an overlap repeats the bytes between the two addresses. */
static void str_copy_up(void *d, const void *s, uint64_t n, unsigned int osize)
{
	if (osize == 3)
		__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	else if (osize == 2)
		__asm__ volatile("rep movsl" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	else if (osize == 1)
		__asm__ volatile("rep movsw" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	else
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
}

static void str_copy_down(uint8_t *d, const uint8_t *s, uint64_t n, unsigned int osize)
{
	while (n--)
		str_put(d + (n << osize), osize, str_get(s + (n << osize), osize));
}

/* memmove gives the same result unless an element that is still to be read is written before. */
static void str_copy(void *d, const void *s, uint64_t n, unsigned int osize, bool backward)
{
	uint64_t bytes = n << osize;
	uintptr_t da = (uintptr_t)d, sa = (uintptr_t)s;

	if ((backward ? sa - da : da - sa) >= bytes)
		memmove(d, s, bytes);
	else if (backward)
		str_copy_down(d, s, n, osize);
	else
		str_copy_up(d, s, n, osize);
}

static int64_t str_movs_many(struct x86_cpu *c, const struct x86_insn *i, uint64_t n)
{
	const void *s;
	void *d;

	n = x86_str_room(c, i, i->seg, X86_RSI, n);
	n = x86_str_room(c, i, HVM_SEG_ES, X86_RDI, n);
	if (!n)
		return 0;
	s = x86_str_ptr(c, i, i->seg, X86_RSI, n, false);
	if (!s)
		return str_no_ptr(c);
	d = x86_str_ptr(c, i, HVM_SEG_ES, X86_RDI, n, true);
	if (!d)
		return str_no_ptr(c);
	str_copy(d, s, n, i->osize, x86_str_backward(c));
	x86_str_advance(c, i, X86_RSI, n);
	x86_str_advance(c, i, X86_RDI, n);
	return (int64_t)n;
}

static bool str_movs_one(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t v;

	if (!x86_str_load(c, i, i->seg, X86_RSI, &v) || !x86_str_store(c, i, v))
		return false;
	x86_str_advance(c, i, X86_RSI, 1);
	x86_str_advance(c, i, X86_RDI, 1);
	return true;
}

static int str_movs(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_str_run(c, i, str_movs_many, str_movs_one, false);
}

/* -- STOS --------------------------------------------------------------------------------- */

static int64_t str_stos_many(struct x86_cpu *c, const struct x86_insn *i, uint64_t n)
{
	uint64_t left;
	void *d, *p;

	n = x86_str_room(c, i, HVM_SEG_ES, X86_RDI, n);
	if (!n)
		return 0;
	d = x86_str_ptr(c, i, HVM_SEG_ES, X86_RDI, n, true);
	if (!d)
		return str_no_ptr(c);
	p = d;
	left = n;
	if (i->osize == 3)
		__asm__ volatile("rep stosq" : "+D"(p), "+c"(left) : "a"(c->gpr[0]) : "memory");
	else if (i->osize == 2)
		__asm__ volatile("rep stosl" : "+D"(p), "+c"(left) : "a"(c->gpr[0]) : "memory");
	else if (i->osize == 1)
		__asm__ volatile("rep stosw" : "+D"(p), "+c"(left) : "a"(c->gpr[0]) : "memory");
	else
		__asm__ volatile("rep stosb" : "+D"(p), "+c"(left) : "a"(c->gpr[0]) : "memory");
	x86_str_advance(c, i, X86_RDI, n);
	return (int64_t)n;
}

static bool str_stos_one(struct x86_cpu *c, const struct x86_insn *i)
{
	if (!x86_str_store(c, i, c->gpr[X86_RAX]))
		return false;
	x86_str_advance(c, i, X86_RDI, 1);
	return true;
}

static int str_stos(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_str_run(c, i, str_stos_many, str_stos_one, false);
}

/* -- LODS: of a chunk, the last element is what remains ----------------------------------- */

static int64_t str_lods_many(struct x86_cpu *c, const struct x86_insn *i, uint64_t n)
{
	const uint8_t *s;

	n = x86_str_room(c, i, i->seg, X86_RSI, n);
	if (!n)
		return 0;
	s = x86_str_ptr(c, i, i->seg, X86_RSI, n, false);
	if (!s)
		return str_no_ptr(c);
	if (!x86_str_backward(c))
		s += (n - 1) << i->osize;
	x86_set_n(c, i->osize, X86_RAX, str_get(s, i->osize));
	x86_str_advance(c, i, X86_RSI, n);
	return (int64_t)n;
}

static bool str_lods_one(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t v;

	if (!x86_str_load(c, i, i->seg, X86_RSI, &v))
		return false;
	x86_set_n(c, i->osize, X86_RAX, v);
	x86_str_advance(c, i, X86_RSI, 1);
	return true;
}

static int str_lods(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_str_run(c, i, str_lods_many, str_lods_one, false);
}

/* -- SCAS, CMPS --------------------------------------------------------------------------- */

static uint16_t str_cmp_flags(unsigned int osize, uint64_t a, uint64_t b)
{
	switch (osize) {
	case 0: return (uint16_t)x86_cmp_flags8((uint8_t)a, (uint8_t)b);
	case 1: return (uint16_t)x86_cmp_flags16((uint16_t)a, (uint16_t)b);
	case 2: return (uint16_t)x86_cmp_flags32((uint32_t)a, (uint32_t)b);
	}
	return (uint16_t)x86_cmp_flags64(a, b);
}

/*
 * Compare up to @n elements at @a (step @as bytes: 0 for the accumulator) with those at @b; stop
 * after one whose equality is @stop_equal. Returns how many were compared, *ret_arith of the last.
 */
#define STR_DEFINE_COMPARE(bits) \
	static uint64_t str_compare##bits(const uint8_t *a, int64_t as, const uint8_t *b, \
					  int64_t bs, uint64_t n, bool stop_equal, \
					  uint16_t *ret_arith) \
	{ \
		uint##bits##_t x, y; \
		uint64_t k = 0; \
		do { \
			x = X86_MEM_GET(bits, a + (int64_t)k * as); \
			y = X86_MEM_GET(bits, b + (int64_t)k * bs); \
			k++; \
		} while (k < n && (x == y) != stop_equal); \
		*ret_arith = (uint16_t)x86_cmp_flags##bits(x, y); \
		return k; \
	}
STR_DEFINE_COMPARE(8)
STR_DEFINE_COMPARE(16)
STR_DEFINE_COMPARE(32)
STR_DEFINE_COMPARE(64)

typedef uint64_t (*str_compare_fn)(const uint8_t *a, int64_t as, const uint8_t *b, int64_t bs,
				   uint64_t n, bool stop_equal, uint16_t *ret_arith);
static const str_compare_fn str_compare[4] = { str_compare8, str_compare16, str_compare32,
					       str_compare64 };

/* First element and step of a chunk whose lowest byte is at @low. */
static const uint8_t *str_first(const struct x86_cpu *c, const struct x86_insn *i,
				const uint8_t *low, uint64_t n)
{
	return x86_str_backward(c) ? low + ((n - 1) << i->osize) : low;
}

static int64_t str_scas_many(struct x86_cpu *c, const struct x86_insn *i, uint64_t n)
{
	int64_t step = x86_str_backward(c) ? -(1 << i->osize) : 1 << i->osize;
	uint64_t acc = c->gpr[X86_RAX];
	const uint8_t *d;

	n = x86_str_room(c, i, HVM_SEG_ES, X86_RDI, n);
	if (!n)
		return 0;
	d = x86_str_ptr(c, i, HVM_SEG_ES, X86_RDI, n, false);
	if (!d)
		return str_no_ptr(c);
	n = str_compare[i->osize & 3]((const uint8_t *)&acc, 0, str_first(c, i, d, n), step, n,
				      i->rep == X86_REP_F2, &c->arith);
	x86_str_advance(c, i, X86_RDI, n);
	return (int64_t)n;
}

static bool str_scas_one(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t v;

	if (!x86_str_load(c, i, HVM_SEG_ES, X86_RDI, &v))
		return false;
	c->arith = str_cmp_flags(i->osize, c->gpr[X86_RAX], v);
	x86_str_advance(c, i, X86_RDI, 1);
	return true;
}

static int str_scas(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_str_run(c, i, str_scas_many, str_scas_one, true);
}

static int64_t str_cmps_many(struct x86_cpu *c, const struct x86_insn *i, uint64_t n)
{
	int64_t step = x86_str_backward(c) ? -(1 << i->osize) : 1 << i->osize;
	const uint8_t *s, *d;

	n = x86_str_room(c, i, i->seg, X86_RSI, n);
	n = x86_str_room(c, i, HVM_SEG_ES, X86_RDI, n);
	if (!n)
		return 0;
	s = x86_str_ptr(c, i, i->seg, X86_RSI, n, false);
	if (!s)
		return str_no_ptr(c);
	d = x86_str_ptr(c, i, HVM_SEG_ES, X86_RDI, n, false);
	if (!d)
		return str_no_ptr(c);
	n = str_compare[i->osize & 3](str_first(c, i, s, n), step, str_first(c, i, d, n), step, n,
				      i->rep == X86_REP_F2, &c->arith);
	x86_str_advance(c, i, X86_RSI, n);
	x86_str_advance(c, i, X86_RDI, n);
	return (int64_t)n;
}

static bool str_cmps_one(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t s, d;

	if (!x86_str_load(c, i, i->seg, X86_RSI, &s) ||
	    !x86_str_load(c, i, HVM_SEG_ES, X86_RDI, &d))
		return false;
	c->arith = str_cmp_flags(i->osize, s, d);
	x86_str_advance(c, i, X86_RSI, 1);
	x86_str_advance(c, i, X86_RDI, 1);
	return true;
}

static int str_cmps(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_str_run(c, i, str_cmps_many, str_cmps_one, true);
}

/* clang-format off */
static const struct x86_exec_row rows[] = {
	{ X86_OP_MOVS, X86_ANY, X86_ANY, str_movs },
	{ X86_OP_STOS, X86_ANY, X86_ANY, str_stos },
	{ X86_OP_LODS, X86_ANY, X86_ANY, str_lods },
	{ X86_OP_SCAS, X86_ANY, X86_ANY, str_scas },
	{ X86_OP_CMPS, X86_ANY, X86_ANY, str_cmps },
};
/* clang-format on */

const struct x86_exec_table x86_exec_string = { rows, HVM_ARRAY_SIZE(rows) };
