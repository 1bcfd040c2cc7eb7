/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sys_machine.h - a processor with descriptor tables, for tests of the system executor. Guest
 * memory is 256 KiB at 0, all of it in the TLB, so that handlers run without a domain around them.
 */
#ifndef SYS_MACHINE_H
#define SYS_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "x86/exec_desc.h"

#define M_BYTES	 0x40000u
#define M_GDT	 0x1000u
#define M_IDT	 0x2000u
#define M_TSS	 0x3000u
#define M_TSS2	 0x3800u
#define M_LDT	 0x4000u
#define M_DATA	 0x5000u
#define M_STACK0 0x9000u /* of TSS */
#define M_STACK3 0xb000u
#define M_SP	 0xa000u /* of a machine just made */
#define M_IP	 0x6000u

/* Selectors of the GDT below. */
enum {
	S_CODE0 = 0x08,
	S_DATA0 = 0x10,
	S_CODE3 = 0x1b,
	S_DATA3 = 0x23,
	S_TSS = 0x28, /* 16 bytes */
	S_CODE64 = 0x38,
	S_CODE64_3 = 0x43,
	S_CODE16 = 0x48,
	S_DATA16 = 0x50,
	S_CONF = 0x58,	  /* conforming, DPL 0 */
	S_ABSENT = 0x60,  /* data, not present */
	S_XONLY = 0x68,	  /* code, not readable */
	S_RODATA = 0x70,  /* data, read-only, DPL 3 */
	S_FRESH = 0x78,	  /* data, DPL 0, accessed bit clear */
	S_CABSENT = 0x80, /* code, not present */
	S_TSS2 = 0x88,
	S_LDT = 0x90,	    /* 16 bytes */
	S_GATE = 0xa0,	    /* free for the test, 16 bytes */
	S_CODE64BAD = 0xb0, /* L and D */
	S_SSABSENT = 0xb8,
	S_FREE = 0xc0,
	M_GDT_BYTES = 0xd0,
};

struct machine {
	struct x86_cpu c;
	struct x86_tlb tlb;
	_Alignas(4096) uint8_t mem[M_BYTES];
	unsigned int flushes, global_flushes, page_flushes;
	gva_t flushed_page;
	uint32_t msr_index;
	uint64_t msr_value, cr8;
	uint32_t features7_ebx; /* CPUID leaf 7 */
};

static inline void m_tlb_flush(void *arg, bool global)
{
	struct machine *m = arg;

	m->flushes++;
	m->global_flushes += global;
}

static inline void m_tlb_flush_page(void *arg, gva_t gva)
{
	struct machine *m = arg;

	m->page_flushes++;
	m->flushed_page = gva;
}

static inline void *m_gpa_to_hva(void *arg, gpa_t gpa)
{
	struct machine *m = arg;

	return gpa < M_BYTES ? m->mem + gpa : NULL;
}

static inline void m_cpuid(void *arg, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	struct machine *m = arg;

	(void)subleaf;
	memset(out, 0, 16);
	if (leaf == 1) {
		out[0] = 0x000306a9;
		out[2] = 1u << 17 | 1u << 26;
		out[3] = 0x0783fbffu & ~2u;
	} else if (leaf == 7) {
		out[1] = m->features7_ebx;
		out[2] = 1u << 2;
	} else if (leaf == 0xd) {
		out[0] = 3;
	}
}

static inline int m_rdmsr(void *arg, uint32_t index, uint64_t *ret)
{
	struct machine *m = arg;

	if (index != 0x10)
		return -HVM_EINVAL;
	*ret = m->msr_value;
	return 0;
}

static inline int m_wrmsr(void *arg, uint32_t index, uint64_t value)
{
	struct machine *m = arg;

	if (index != 0x10)
		return -HVM_EINVAL;
	m->msr_index = index;
	m->msr_value = value;
	return 0;
}

static inline uint64_t m_rdtsc(void *arg)
{
	(void)arg;
	return 0x1122334455667788ull;
}

static inline uint64_t m_cr8_read(void *arg)
{
	return ((struct machine *)arg)->cr8;
}

static inline void m_cr8_write(void *arg, uint64_t value)
{
	((struct machine *)arg)->cr8 = value;
}

static inline bool m_hypercall(void *arg)
{
	(void)arg;
	return false;
}

static const struct x86_cpu_env m_env = {
	.tlb_flush = m_tlb_flush,
	.tlb_flush_page = m_tlb_flush_page,
	.gpa_to_hva = m_gpa_to_hva,
	.cpuid = m_cpuid,
	.rdmsr = m_rdmsr,
	.wrmsr = m_wrmsr,
	.rdtsc = m_rdtsc,
	.cr8_read = m_cr8_read,
	.cr8_write = m_cr8_write,
	.hypercall = m_hypercall,
};

static inline void m_put16(struct machine *m, uint32_t gpa, uint16_t v)
{
	memcpy(m->mem + gpa, &v, 2);
}

static inline void m_put32(struct machine *m, uint32_t gpa, uint32_t v)
{
	memcpy(m->mem + gpa, &v, 4);
}

static inline void m_put64(struct machine *m, uint32_t gpa, uint64_t v)
{
	memcpy(m->mem + gpa, &v, 8);
}

static inline uint64_t m_get(const struct machine *m, uint64_t gpa, unsigned int bytes)
{
	uint64_t v = 0;

	assert_true(gpa + bytes <= M_BYTES);
	memcpy(&v, m->mem + gpa, bytes);
	return v;
}

/* ar: as struct hvm_seg has it. */
static inline uint64_t m_desc(uint32_t base, uint32_t limit, uint32_t ar)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
	       (uint64_t)(ar & 0xf0ff) << 40 | (uint64_t)(limit & 0xf0000) << 32 |
	       (uint64_t)(base & 0xff000000) << 32;
}

static inline void m_set_desc(struct machine *m, uint16_t sel, uint64_t raw)
{
	m_put64(m, M_GDT + (sel & ~7u), raw);
}

/* Gate of the IDT: 16 bytes in long mode, else 8. ar: P, DPL and type. */
static inline uint64_t m_gate_raw(uint16_t sel, uint32_t off, uint32_t ar, unsigned int low)
{
	return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)low << 32 | (uint64_t)ar << 40 |
	       (uint64_t)(off >> 16) << 48;
}

static inline void m_gate(struct machine *m, unsigned int vector, uint16_t sel, uint32_t off,
			  uint32_t ar)
{
	unsigned int bytes = m->c.mode & X86_MODE_LMA ? 16 : 8;

	memset(m->mem + M_IDT + vector * bytes, 0, bytes);
	m_put64(m, M_IDT + vector * bytes, m_gate_raw(sel, off, ar, 0));
}

static inline void m_make_gdt(struct machine *m)
{
	m_set_desc(m, S_CODE0, 0x00cf9b000000ffff);
	m_set_desc(m, S_DATA0, 0x00cf93000000ffff);
	m_set_desc(m, S_CODE3, 0x00cffb000000ffff);
	m_set_desc(m, S_DATA3, 0x00cff3000000ffff);
	m_set_desc(m, S_TSS, m_desc(M_TSS, 0x67, 0x8b));
	m_set_desc(m, S_CODE64, 0x00af9b000000ffff);
	m_set_desc(m, S_CODE64_3, 0x00affb000000ffff);
	m_set_desc(m, S_CODE16, 0x00009b000000ffff);
	m_set_desc(m, S_DATA16, 0x000093000000ffff);
	m_set_desc(m, S_CONF, 0x00cf9f000000ffff);
	m_set_desc(m, S_ABSENT, 0x00cf13000000ffff);
	m_set_desc(m, S_XONLY, 0x00cf99000000ffff);
	m_set_desc(m, S_RODATA, 0x00cff1000000ffff);
	m_set_desc(m, S_FRESH, 0x00cf92000000ffff);
	m_set_desc(m, S_CABSENT, 0x00cf1b000000ffff);
	m_set_desc(m, S_TSS2, m_desc(M_TSS2, 0x67, 0x89));
	m_set_desc(m, S_LDT, m_desc(M_LDT, 0x1f, 0x82));
	m_set_desc(m, S_CODE64BAD, 0x00ef9b000000ffff);
	m_set_desc(m, S_SSABSENT, 0x00cf13000000ffff);
}

enum machine_kind {
	REAL,
	PROT,
	VM86,
	LONG,
	COMPAT
};

static inline void m_load(struct machine *m, unsigned int seg, uint16_t sel)
{
	struct x86_desc d = { .raw = m_get(m, M_GDT + (sel & ~7u), 8) };

	d.ar = x86_desc_ar(d.raw);
	x86_seg_set(&m->c.seg[seg], sel, &d);
}

static inline void m_make_segs(struct machine *m, enum machine_kind kind, unsigned int cpl)
{
	struct x86_cpu *c = &m->c;

	for (unsigned int s = 0; s < 6; s++) {
		if (kind == REAL)
			c->seg[s] = (struct hvm_seg){ .limit = 0xffff,
						      .ar = s == HVM_SEG_CS ? 0x9b : 0x93 };
		else if (kind == VM86)
			x86_seg_set_vm86(&c->seg[s], (uint16_t)(s << 8));
		else
			m_load(m, s, cpl ? S_DATA3 : S_DATA0);
	}
	if (kind == PROT || kind == COMPAT)
		m_load(m, HVM_SEG_CS, cpl ? S_CODE3 : S_CODE0);
	else if (kind == LONG)
		m_load(m, HVM_SEG_CS, cpl ? S_CODE64_3 : S_CODE64);
	m_load(m, HVM_SEG_TR, S_TSS);
	x86_seg_set_null(&c->seg[HVM_SEG_LDTR], 0, 0);
}

/* @kind at @cpl (VM86: 3, whatever is given; REAL: 0), stack M_SP, code M_IP. */
static inline void m_make(struct machine *m, enum machine_kind kind, unsigned int cpl)
{
	struct x86_cpu *c = &m->c;

	memset(m, 0, sizeof(*m));
	m->features7_ebx = 1u << 0 | 1u << 7 | 1u << 10 | 1u << 20;
	for (unsigned int x = 0; x < X86_TLB_CONTEXTS; x++)
		for (uint64_t e = 0; e < X86_TLB_ENTRIES; e++)
			m->tlb.r[x][e] = m->tlb.w[x][e] =
				e < M_BYTES / 4096
					? (struct x86_tlb_entry){ e << 12, (uintptr_t)m->mem }
					: (struct x86_tlb_entry){ X86_TLB_INVALID, 0 };
	m_make_gdt(m);
	m_put32(m, M_TSS + 4, M_STACK0);
	m_put32(m, M_TSS + 8, kind == LONG || kind == COMPAT ? 0 : S_DATA0);
	m_put64(m, M_TSS + 36, 0xc000); /* IST1 */
	c->tlb = &m->tlb;
	c->env = &m_env;
	c->env_arg = m;
	c->gdtr = (struct hvm_dtable){ .base = M_GDT, .limit = M_GDT_BYTES - 1 };
	c->idtr = (struct hvm_dtable){ .base = kind == REAL ? 0 : M_IDT, .limit = 0x7ff };
	c->cr0 = X86_CR0_ET | (kind == REAL ? 0 : X86_CR0_PE | X86_CR0_NE);
	if (kind == LONG || kind == COMPAT) {
		c->cr0 |= X86_CR0_PG | X86_CR0_WP;
		c->cr4 = X86_CR4_PAE;
		c->efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE | X86_EFER_NXE;
	}
	c->dr6 = 0xffff0ff0;
	c->dr7 = 0x400;
	c->gpr[X86_RSP] = M_SP;
	c->x86_ip = M_IP;
	x86_put_rflags(c, 2 | X86_EFL_IF | (kind == VM86 ? X86_EFL_VM | X86_EFL_IOPL : 0));
	m_make_segs(m, kind, cpl);
	x86_update_mode(c);
}

/* Run the handler of @i. Two bytes long unless @i says otherwise, at the start of its block. */
static inline int m_exec(struct machine *m, struct x86_insn i)
{
	const struct x86_exec_table *tables[] = { &x86_exec_far, &x86_exec_seg, &x86_exec_sys };

	if (!i.len)
		i.len = 2;
	i.end = i.len;
	for (size_t t = 0; t < HVM_ARRAY_SIZE(tables); t++)
		for (size_t n = 0; n < tables[t]->count; n++)
			if (tables[t]->rows[n].op == i.op)
				return tables[t]->rows[n].fn(&m->c, &i);
	fail_msg("no handler");
	return -1;
}

/* Memory operand DS:M_DATA. */
#define M_MEM .base = X86_REG_NONE, .index = X86_REG_NONE, .disp = M_DATA, .seg = HVM_SEG_DS

static inline void m_expect_fault(const struct machine *m, int r, unsigned int vector,
				  uint32_t error, const char *what)
{
	if (r != X86_ABORT || m->c.exc.vector != vector || m->c.exc.error != error)
		fail_msg("%s: result %d vector %u error %#x, wanted %u %#x", what, r,
			 m->c.exc.vector, m->c.exc.error, vector, error);
}

#endif
