/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_int.c - slow halves of the integer handlers: memory operands that are not in the TLB or
 * cannot be accessed in place, the general stack access, segment checks.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 * Source: Intel SDM Vol 3A 8.1 "Locked Atomic Operations", Vol 3A 6.15 "Interrupt 12", "Interrupt
 * 13".
 */
#include "x86/exec_int.h"

int __attribute__((cold)) x86_stack_fault(struct x86_cpu *c)
{
	if (c->stop == X86_STOP_NONE && x86_is_code64(c) && c->exc.vector == X86_GP)
		c->exc.vector = X86_SS;
	return X86_ABORT;
}

int __attribute__((cold)) x86_mem_fault(struct x86_cpu *c, const struct x86_insn *i)
{
	return i->seg == HVM_SEG_SS ? x86_stack_fault(c) : X86_ABORT;
}

int x86_slow_read(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
		  x86_read_fn kernel)
{
	_Alignas(16) uint8_t buf[16];

	if (!x86_load_slow(c, la, buf, size))
		return x86_mem_fault(c, i);
	return kernel(c, i, buf);
}

int x86_slow_store_end(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
		       uint64_t value)
{
	return x86_store_slow(c, la, &value, size) ? X86_NEXT : x86_mem_fault(c, i);
}

/*
 * Read-modify-write of what has no host pointer. The write is probed first: the processor reports
 * a fault of the write before it reads, and a device must not see the read of an instruction that
 * faults.
 */
static int rmw_bounce(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
		      x86_rmw_fn kernel)
{
	_Alignas(16) uint8_t buf[16];
	uint32_t arith;

	if (!x86_probe_w(c, la, size) || !x86_load_slow(c, la, buf, size))
		return x86_mem_fault(c, i);
	arith = kernel(c, i, buf);
	if (!x86_store_slow(c, la, buf, size))
		return x86_mem_fault(c, i);
	c->arith = (uint16_t)arith;
	return X86_NEXT;
}

int x86_slow_rmw(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
		 x86_rmw_fn kernel)
{
	bool fault = false;
	void *p = x86_ptr_w_slow(c, la, size, &fault);

	if (p) {
		c->arith = (uint16_t)kernel(c, i, p);
		return X86_NEXT;
	}
	return fault ? x86_mem_fault(c, i) : rmw_bounce(c, i, la, size, kernel);
}

int x86_slow_rmw_locked(struct x86_cpu *c, const struct x86_insn *i, gva_t la, unsigned int size,
			x86_rmw_fn kernel)
{
	bool fault = false;
	void *p = x86_ptr_w_slow(c, la, size, &fault);
	int rc;

	if (p) {
		c->arith = (uint16_t)kernel(c, i, p);
		return X86_NEXT;
	}
	if (fault)
		return x86_mem_fault(c, i);
	x86_bus_lock(c);
	rc = rmw_bounce(c, i, la, size, kernel);
	x86_bus_unlock(c);
	return rc;
}

void *x86_rmw_begin(struct x86_cpu *c, const struct x86_insn *i, struct x86_rmw *m, gva_t la,
		    unsigned int size)
{
	bool fault = false;
	void *p = x86_ptr_w_fast(c, la, size);

	m->la = la;
	m->size = size;
	m->direct = true;
	if (!p)
		p = x86_ptr_w_slow(c, la, size, &fault);
	if (p)
		return p;
	if (fault) {
		x86_mem_fault(c, i);
		return NULL;
	}
	m->direct = false;
	m->locked = (i->flags & X86_F_LOCK) || i->op == X86_OP_XCHG;
	if (m->locked)
		x86_bus_lock(c);
	if (x86_probe_w(c, la, size) && x86_load_slow(c, la, m->bounce, size))
		return m->bounce;
	if (m->locked)
		x86_bus_unlock(c);
	x86_mem_fault(c, i);
	return NULL;
}

bool x86_rmw_end(struct x86_cpu *c, const struct x86_insn *i, struct x86_rmw *m)
{
	bool ok;

	if (m->direct)
		return true;
	ok = x86_store_slow(c, m->la, m->bounce, m->size);
	if (m->locked)
		x86_bus_unlock(c);
	if (!ok)
		x86_mem_fault(c, i);
	return ok;
}

bool x86_stack_store(struct x86_cpu *c, uint64_t sp, unsigned int osize, uint64_t value)
{
	unsigned int size = 1u << osize;
	gva_t la;
	void *p;

	if (!x86_linear(c, HVM_SEG_SS, sp, size, true, &la))
		return false;
	p = x86_ptr_w_fast(c, la, size);
	if (p) {
		if (osize == 3)
			X86_MEM_SET(64, p, value);
		else if (osize == 2)
			X86_MEM_SET(32, p, (uint32_t)value);
		else
			X86_MEM_SET(16, p, (uint16_t)value);
		return true;
	}
	if (x86_store_slow(c, la, &value, size))
		return true;
	x86_stack_fault(c);
	return false;
}

bool x86_stack_load(struct x86_cpu *c, uint64_t sp, unsigned int osize, uint64_t *ret)
{
	unsigned int size = 1u << osize;
	uint64_t value = 0;
	const void *p;
	gva_t la;

	if (!x86_linear(c, HVM_SEG_SS, sp, size, false, &la))
		return false;
	p = x86_ptr_r_fast(c, la, size);
	if (p) {
		*ret = osize == 3   ? X86_MEM_GET(64, p)
		       : osize == 2 ? X86_MEM_GET(32, p)
				    : X86_MEM_GET(16, p);
		return true;
	}
	if (!x86_load_slow(c, la, &value, size)) {
		x86_stack_fault(c);
		return false;
	}
	*ret = value;
	return true;
}

bool x86_stack_probe(struct x86_cpu *c, uint64_t sp, unsigned int osize)
{
	unsigned int size = 1u << osize;
	gva_t la;

	if (!x86_linear(c, HVM_SEG_SS, sp, size, true, &la))
		return false;
	if (x86_ptr_w_fast(c, la, size) || x86_probe_w(c, la, size))
		return true;
	x86_stack_fault(c);
	return false;
}

bool x86_push(struct x86_cpu *c, unsigned int osize, uint64_t value)
{
	uint64_t sp = x86_cut_sp(c, c->gpr[X86_RSP] - (1u << osize));

	if (!x86_stack_store(c, sp, osize, value))
		return false;
	x86_set_sp(c, sp);
	return true;
}

/* -- segmentation ------------------------------------------------------------------------- */

/* Type check of protected mode; what real mode leaves in the descriptor caches has no such rights.
 */
static bool seg_type_allows(const struct x86_cpu *c, const struct hvm_seg *s, bool write)
{
	if (s->ar & HVM_AR_UNUSABLE)
		return false;
	if (!(c->mode & X86_MODE_PE) || (c->mode & X86_MODE_VM))
		return true;
	if (s->ar & HVM_AR_CODE)
		return !write && (s->ar & HVM_AR_RW);
	return !write || (s->ar & HVM_AR_RW);
}

static bool seg_limit_allows(const struct hvm_seg *s, uint64_t first, uint64_t last)
{
	if ((s->ar & (HVM_AR_CODE | HVM_AR_EC)) == HVM_AR_EC) /* expand-down */
		return first > s->limit && last <= (s->ar & HVM_AR_DB ? 0xffffffffu : 0xffffu);
	return last <= s->limit;
}

bool x86_seg_check(struct x86_cpu *c, unsigned int seg, uint64_t offset, unsigned int size,
		   bool write, gva_t *ret)
{
	const struct hvm_seg *s = &c->seg[seg];

	if (!seg_type_allows(c, s, write) || !seg_limit_allows(s, offset, offset + size - 1)) {
		x86_raise_err(c, seg == HVM_SEG_SS ? X86_SS : X86_GP, 0);
		return false;
	}
	*ret = (uint32_t)(offset + s->base);
	return true;
}
