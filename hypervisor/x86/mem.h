/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem.h - guest memory as the executor sees it: linear addresses through the software TLB.
 * The fast path is inline; everything else is in soft/tlb.c (page crossing, walk and fill, MMIO,
 * pages that hold decoded code, ROM).
 */
#ifndef X86_MEM_H
#define X86_MEM_H

#include "cpu.h"
#include "env.h"

/*
 * Slow paths. The access has CPL's rights (c->tlb context). On false/NULL with a fault the
 * exception is in c->exc, with X86_STOP_* in c->stop: the handler returns X86_ABORT. load/store do
 * everything (any size to 64 bytes, crossing pages, MMIO; a store that crosses a page writes
 * nothing when the second page faults).
 */
bool x86_load_slow(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size);
bool x86_store_slow(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size);
/*
 * Probe: would a store (or load) of size bytes succeed? Raises what it would raise. MMIO is fine.
 */
bool x86_probe_w(struct x86_cpu *c, gva_t gva, unsigned int size);
bool x86_probe_r(struct x86_cpu *c, gva_t gva, unsigned int size);
/*
 * A host pointer to size bytes that may be read and written (w) in place, also with locked host
 * instructions. NULL with *ret_fault true: raised. NULL with *ret_fault false: cannot be direct
 * (MMIO, ROM, crosses a page): use load + store, and for locked operations hold the bus lock.
 */
void *x86_ptr_w_slow(struct x86_cpu *c, gva_t gva, unsigned int size, bool *ret_fault);
const void *x86_ptr_r_slow(struct x86_cpu *c, gva_t gva, unsigned int size, bool *ret_fault);
/* A locked access that cannot be done on a host pointer: keeps other vcpus' locked slow paths out.
 */
void x86_bus_lock(struct x86_cpu *c);
void x86_bus_unlock(struct x86_cpu *c);

/*
 * Supervisor accesses whatever the CPL is: descriptor tables, TSS, stacks of an inner ring (with
 * @cpl its rights). false: exception in c->exc (#PF with U clear for cpl < 3).
 */
bool x86_sys_load(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size);
bool x86_sys_store(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size);
bool x86_load_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, void *buf, unsigned int size);
bool x86_store_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, const void *buf,
		  unsigned int size);
/* Will stores of [gva, gva+size) at this cpl succeed? Raises what they would raise. */
bool x86_probe_w_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, unsigned int size);

static inline const struct x86_tlb_entry *x86_tlb_slot(const struct x86_tlb_entry *table, gva_t gva)
{
	return &table[(gva >> HVM_PAGE_SHIFT) & (X86_TLB_ENTRIES - 1)];
}

static inline void *x86_ptr_w_fast(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	const struct x86_tlb_entry *e = x86_tlb_slot(c->tlb_w, gva);

	if (hvm_likely((gva ^ e->tag) <= HVM_PAGE_SIZE - size))
		return (void *)(uintptr_t)(gva + e->addend);
	return NULL;
}

static inline const void *x86_ptr_r_fast(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	const struct x86_tlb_entry *e = x86_tlb_slot(c->tlb_r, gva);

	if (hvm_likely((gva ^ e->tag) <= HVM_PAGE_SIZE - size))
		return (const void *)(uintptr_t)(gva + e->addend);
	return NULL;
}

/* Unaligned guest memory through a type that may alias anything. */
typedef uint8_t x86_u8a __attribute__((may_alias));
typedef uint16_t x86_u16a __attribute__((may_alias, aligned(1)));
typedef uint32_t x86_u32a __attribute__((may_alias, aligned(1)));
typedef uint64_t x86_u64a __attribute__((may_alias, aligned(1)));

#define X86_DEFINE_ACCESS(bits) \
	static inline bool x86_load##bits(struct x86_cpu *c, gva_t gva, uint##bits##_t *ret) \
	{ \
		const x86_u##bits##a *p = x86_ptr_r_fast(c, gva, bits / 8); \
		if (hvm_likely(p)) { \
			*ret = *(const volatile x86_u##bits##a *)p; \
			return true; \
		} \
		return x86_load_slow(c, gva, ret, bits / 8); \
	} \
	static inline bool x86_store##bits(struct x86_cpu *c, gva_t gva, uint##bits##_t value) \
	{ \
		x86_u##bits##a *p = x86_ptr_w_fast(c, gva, bits / 8); \
		if (hvm_likely(p)) { \
			*(volatile x86_u##bits##a *)p = value; \
			return true; \
		} \
		return x86_store_slow(c, gva, &value, bits / 8); \
	}
X86_DEFINE_ACCESS(8)
X86_DEFINE_ACCESS(16)
X86_DEFINE_ACCESS(32)
X86_DEFINE_ACCESS(64)

/* -- effective addresses -------------------------------------------------------------------------
 */

/*
 * Segmented address to linear, with limit, type and canonical checks, for an access of @size bytes.
 * false: #GP/#SS raised. Used when the mode says that checks are needed.
 */
bool x86_seg_check(struct x86_cpu *c, unsigned int seg, uint64_t offset, unsigned int size,
		   bool write, gva_t *ret);

/* Offset part of the memory operand, cut to the address size. */
static inline uint64_t x86_ea_offset(const struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t off = c->gpr[i->base] + (c->gpr[i->index] << i->scale) + (uint64_t)i->disp;

	if (hvm_likely(i->asize == 3))
		return off;
	return i->asize == 2 ? (uint32_t)off : (uint16_t)off;
}

/*
 * Linear address of offset @off in @seg. In 64-bit mode and with flat segments no check is needed:
 * a non-canonical address misses the TLB, and the slow path raises #GP or #SS (SS-relative).
 */
static inline bool x86_linear(struct x86_cpu *c, unsigned int seg, uint64_t off, unsigned int size,
			      bool write, gva_t *ret)
{
	if (hvm_likely(x86_is_code64(c))) {
		*ret = seg >= HVM_SEG_FS ? off + c->seg[seg].base : off;
		return true;
	}
	/* CS may be flat, but outside 64-bit mode nothing is written through it. */
	if (hvm_likely(c->mode & (seg >= HVM_SEG_FS ? X86_MODE_FLAT_FSGS : X86_MODE_FLAT)) &&
	    !(write && seg == HVM_SEG_CS)) {
		*ret = (uint32_t)(off + c->seg[seg].base);
		return true;
	}
	return x86_seg_check(c, seg, off, size, write, ret);
}

/* Linear address of the memory operand of @i for an access of @size bytes. */
static inline bool x86_ea(struct x86_cpu *c, const struct x86_insn *i, unsigned int size,
			  bool write, gva_t *ret)
{
	return x86_linear(c, i->seg, x86_ea_offset(c, i), size, write, ret);
}

#endif
