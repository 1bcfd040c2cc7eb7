/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_native.c - the integer executor against the host's own processor: random instructions
 * with random operands run natively and through decoder and executor from the same state;
 * registers, flags and memory must agree, undefined flags included. The guest's addresses are this
 * process's own, through a TLB that maps the test buffer one to one, so the very same bytes run on
 * both sides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "x86/exec.h"

#define BUF_BYTES 16384u
#define ROUNDS	  300u

/* Popped from and pushed back to by native_run; room below for a signal frame. */
struct native_state {
	uint8_t room[65536];
	uint64_t rflags;
	uint64_t reg[15]; /* all but rsp */
};

void native_run(uint64_t *state, void *code);
extern char native_back[];

__asm__(".text\n"
	"native_run:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n"
	"	push %r14\n	push %r15\n"
	"	mov %rsp, native_rsp(%rip)\n"
	"	mov %rsi, native_code(%rip)\n"
	"	mov %rdi, %rsp\n"
	"	popfq\n"
	"	pop %rax\n	pop %rcx\n	pop %rdx\n	pop %rbx\n	pop %rbp\n"
	"	pop %rsi\n	pop %rdi\n	pop %r8\n	pop %r9\n	pop %r10\n"
	"	pop %r11\n	pop %r12\n	pop %r13\n	pop %r14\n	pop %r15\n"
	"	jmp *native_code(%rip)\n"
	"native_back:\n"
	"	push %r15\n	push %r14\n	push %r13\n	push %r12\n	push %r11\n"
	"	push %r10\n	push %r9\n	push %r8\n	push %rdi\n	push %rsi\n"
	"	push %rbp\n	push %rbx\n	push %rdx\n	push %rcx\n	push %rax\n"
	"	pushfq\n"
	"	cld\n"
	"	mov native_rsp(%rip), %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".local native_rsp\n	.comm native_rsp,8,8\n"
	".local native_code\n	.comm native_code,8,8\n"
	".global native_run\n	.global native_back\n");

/*
 * The slow paths, for accesses that cross a page: guest and host addresses are the same here and
 * all of the buffer is mapped. All of mem.h is defined, so that soft/tlb.c stays out of the
 * program.
 */
static bool slow_copy(void *to, const void *from, unsigned int size)
{
	memcpy(to, from, size);
	return true;
}

static void *slow_host(gva_t gva)
{
	return (void *)(uintptr_t)gva;
}

bool x86_load_slow(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size)
{
	(void)c;
	return slow_copy(buf, slow_host(gva), size);
}

bool x86_store_slow(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size)
{
	(void)c;
	return slow_copy(slow_host(gva), buf, size);
}

bool x86_sys_load(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size)
{
	return x86_load_slow(c, gva, buf, size);
}

bool x86_sys_store(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size)
{
	return x86_store_slow(c, gva, buf, size);
}

bool x86_load_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, void *buf, unsigned int size)
{
	(void)cpl;
	return x86_load_slow(c, gva, buf, size);
}

bool x86_store_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, const void *buf,
		  unsigned int size)
{
	(void)cpl;
	return x86_store_slow(c, gva, buf, size);
}

bool x86_probe_w(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	(void)c;
	(void)gva;
	(void)size;
	return true;
}

bool x86_probe_r(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	return x86_probe_w(c, gva, size);
}

bool x86_probe_w_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, unsigned int size)
{
	(void)cpl;
	return x86_probe_w(c, gva, size);
}

/* Not direct: what crosses a page goes through load and store. */
void *x86_ptr_w_slow(struct x86_cpu *c, gva_t gva, unsigned int size, bool *ret_fault)
{
	(void)c;
	(void)gva;
	(void)size;
	*ret_fault = false;
	return NULL;
}

const void *x86_ptr_r_slow(struct x86_cpu *c, gva_t gva, unsigned int size, bool *ret_fault)
{
	return x86_ptr_w_slow(c, gva, size, ret_fault);
}

void x86_bus_lock(struct x86_cpu *c)
{
	(void)c;
}

void x86_bus_unlock(struct x86_cpu *c)
{
	(void)c;
}

/* gpr number of native_state.reg[n]. */
static const uint8_t reg_gpr[15] = { 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

struct fixture {
	struct x86_cpu *c;
	struct x86_tlb *tlb;
	struct native_state *n;
	uint8_t *buf;  /* guest memory */
	uint8_t *code; /* one native instruction and the jump back */
	uint64_t seed;
};

static uint64_t next_random(struct fixture *f)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 7;
	f->seed ^= f->seed << 17;
	return f->seed;
}

/* Operands are often at the edges, where carry, overflow and sign change. */
static uint64_t random_operand(struct fixture *f)
{
	static const uint64_t edge[] = { 0,	    1,		~0ull,	    0x7f,
					 0x80,	    0xff,	0x7fff,	    0x8000,
					 0xffff,    0x7fffffff, 0x80000000, 0xffffffff,
					 INT64_MAX, 1ull << 63, 0x100,	    0xff80 };
	uint64_t r = next_random(f), v = next_random(f);

	switch (r & 3) {
	case 0: return edge[r >> 8 & 15];
	case 1: return v >> (r >> 8 & 63);
	case 2: return edge[r >> 8 & 15] + (v & 7) - 3;
	}
	return v;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(x86_exec_init(), 0);
	f->seed = 0x9e3779b97f4a7c15ull;
	f->c = aligned_alloc(64, (sizeof(*f->c) + 63) & ~63ull);
	f->tlb = aligned_alloc(64, sizeof(*f->tlb));
	f->n = calloc(1, sizeof(*f->n));
	f->buf = mmap(NULL, BUF_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	f->code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	assert_true(f->buf != MAP_FAILED && f->code != MAP_FAILED);
	memset(f->c, 0, sizeof(*f->c));
	f->c->tlb = f->tlb;
	for (unsigned int e = 0; e < X86_TLB_ENTRIES; e++)
		f->tlb->r[0][e] = f->tlb->w[0][e] = (struct x86_tlb_entry){ X86_TLB_INVALID, 0 };
	for (uint64_t p = (uintptr_t)f->buf; p < (uintptr_t)f->buf + BUF_BYTES; p += 4096) {
		unsigned int e = p >> 12 & (X86_TLB_ENTRIES - 1);

		f->tlb->r[0][e] = f->tlb->w[0][e] = (struct x86_tlb_entry){ p, 0 };
	}
	f->c->tlb_r = f->tlb->r[0];
	f->c->tlb_w = f->tlb->w[0];
	f->c->mode = X86_CODE64 | 3 << X86_MODE_SS_SHIFT | X86_MODE_PE | X86_MODE_LMA |
		     X86_MODE_FLAT | X86_MODE_FLAT_FSGS;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	munmap(f->buf, BUF_BYTES);
	munmap(f->code, 4096);
	free(f->c);
	free(f->tlb);
	free(f->n);
	free(f);
	return 0;
}

/* -- one instruction on both sides -------------------------------------------------------- */

#define CMP_FLAGS (X86_EFL_ARITH | X86_EFL_DF)

static void place_native(struct fixture *f, const uint8_t *bytes, unsigned int len)
{
	static const uint8_t jump[6] = { 0xff, 0x25, 0, 0, 0, 0 }; /* jmp *(%rip) */
	uint64_t back = (uintptr_t)native_back;

	memcpy(f->code, bytes, len);
	memcpy(f->code + len, jump, sizeof(jump));
	memcpy(f->code + len + sizeof(jump), &back, sizeof(back));
}

static void report(const uint8_t *bytes, unsigned int len, const struct x86_insn *i)
{
	fprintf(stderr, "%s form %u osize %u:", x86_op_name(i->op), i->form, i->osize);
	for (unsigned int k = 0; k < len; k++)
		fprintf(stderr, " %02x", bytes[k]);
	fprintf(stderr, "\n");
}

/*
 * Run @bytes from the state in f->n and f->buf on both sides and compare. @flags: those that must
 * agree. Returns false if the executor raised an exception (and the host was left alone).
 */
static bool run_both(struct fixture *f, const uint8_t *bytes, unsigned int len, uint64_t flags)
{
	static uint8_t before[BUF_BYTES], after[BUF_BYTES];
	struct x86_cpu *c = f->c;
	struct x86_insn insn;
	int rc, bad = 0;

	if (x86_decode(bytes, len, X86_CODE64, &insn) != (int)len) {
		report(bytes, len, &insn);
		fail_msg("decoder disagrees on the length");
	}
	insn.exec = x86_exec_bind(&insn);
	assert_ptr_not_equal(insn.exec, x86_exec_ud);
	memcpy(before, f->buf, BUF_BYTES);
	for (unsigned int k = 0; k < 15; k++)
		c->gpr[reg_gpr[k]] = f->n->reg[k];
	c->gpr[4] = 0x1122334455667788;
	x86_put_rflags(c, f->n->rflags);
	c->stop = X86_STOP_NONE;
	do {
		c->stop = X86_STOP_NONE;
		rc = insn.exec(c, &insn);
	} while (rc == X86_ABORT && c->stop == X86_STOP_RETRY);
	if (rc == X86_ABORT) {
		assert_int_equal(c->exc.vector, X86_DE);
		assert_memory_equal(before, f->buf, BUF_BYTES);
		return false;
	}
	assert_int_equal(rc, X86_NEXT);
	memcpy(after, f->buf, BUF_BYTES);
	memcpy(f->buf, before, BUF_BYTES);
	place_native(f, bytes, len);
	native_run(&f->n->rflags, f->code);
	for (unsigned int k = 0; k < 15; k++)
		if (c->gpr[reg_gpr[k]] != f->n->reg[k]) {
			fprintf(stderr, "reg %u: %llx, host %llx\n", reg_gpr[k],
				(unsigned long long)c->gpr[reg_gpr[k]],
				(unsigned long long)f->n->reg[k]);
			bad = 1;
		}
	if ((x86_get_rflags(c) ^ f->n->rflags) & flags) {
		fprintf(stderr, "flags %llx, host %llx\n", (unsigned long long)x86_get_rflags(c),
			(unsigned long long)f->n->rflags);
		bad = 1;
	}
	if (memcmp(after, f->buf, BUF_BYTES)) {
		fprintf(stderr, "memory differs\n");
		bad = 1;
	}
	if (bad)
		report(bytes, len, &insn);
	assert_false(bad);
	assert_int_equal(c->gpr[4], 0x1122334455667788);
	return true;
}

/* -- random encodings --------------------------------------------------------------------- */

enum template_kind {
	T_LOCK = 0x01,	 /* LOCK is legal on the memory form */
	T_BYTE = 0x02,	 /* byte operand: no 66 or REX.W */
	T_NO16 = 0x04,	 /* no operand-size prefix */
	T_MEM = 0x08,	 /* memory form only */
	T_REG = 0x10,	 /* register form only */
	T_BITREG = 0x20, /* bit number in a register: keep it near */
	T_IMM8 = 0x40,	 /* immediate of one byte */
	T_IMMZ = 0x80,	 /* immediate of operand size, 4 bytes at most */
	T_NOMODRM = 0x100,
	T_BITFLAGS = 0x200, /* OF, SF, AF, PF undefined and kept */
	T_ALIGN = 0x400,
	T_GROUP = 0x800, /* reg field given */
	T_MUST_W = 0x1000,
};

struct template
{
	uint8_t prefix; /* mandatory, or 0 */
	uint8_t map;	/* 0: one byte, 1: 0F, 2: 0F 38 */
	uint8_t first, last;
	uint8_t group;
	uint16_t kind;
};

/* clang-format off */
static const struct template alu_templates[] = {
	{ 0, 0, 0x00, 0x00, 0, T_BYTE | T_LOCK }, { 0, 0, 0x01, 0x01, 0, T_LOCK },
	{ 0, 0, 0x02, 0x02, 0, T_BYTE }, { 0, 0, 0x03, 0x03, 0, 0 },
	{ 0, 0, 0x08, 0x08, 0, T_BYTE | T_LOCK }, { 0, 0, 0x09, 0x09, 0, T_LOCK },
	{ 0, 0, 0x0a, 0x0a, 0, T_BYTE }, { 0, 0, 0x0b, 0x0b, 0, 0 },
	{ 0, 0, 0x10, 0x10, 0, T_BYTE | T_LOCK }, { 0, 0, 0x11, 0x11, 0, T_LOCK },
	{ 0, 0, 0x12, 0x12, 0, T_BYTE }, { 0, 0, 0x13, 0x13, 0, 0 },
	{ 0, 0, 0x18, 0x18, 0, T_BYTE | T_LOCK }, { 0, 0, 0x19, 0x19, 0, T_LOCK },
	{ 0, 0, 0x1a, 0x1a, 0, T_BYTE }, { 0, 0, 0x1b, 0x1b, 0, 0 },
	{ 0, 0, 0x20, 0x20, 0, T_BYTE | T_LOCK }, { 0, 0, 0x21, 0x21, 0, T_LOCK },
	{ 0, 0, 0x22, 0x22, 0, T_BYTE }, { 0, 0, 0x23, 0x23, 0, 0 },
	{ 0, 0, 0x28, 0x28, 0, T_BYTE | T_LOCK }, { 0, 0, 0x29, 0x29, 0, T_LOCK },
	{ 0, 0, 0x2a, 0x2a, 0, T_BYTE }, { 0, 0, 0x2b, 0x2b, 0, 0 },
	{ 0, 0, 0x30, 0x30, 0, T_BYTE | T_LOCK }, { 0, 0, 0x31, 0x31, 0, T_LOCK },
	{ 0, 0, 0x32, 0x32, 0, T_BYTE }, { 0, 0, 0x33, 0x33, 0, 0 },
	{ 0, 0, 0x38, 0x38, 0, T_BYTE }, { 0, 0, 0x39, 0x39, 0, 0 },
	{ 0, 0, 0x3a, 0x3a, 0, T_BYTE }, { 0, 0, 0x3b, 0x3b, 0, 0 },
	{ 0, 0, 0x04, 0x04, 0, T_NOMODRM | T_BYTE | T_IMM8 }, { 0, 0, 0x05, 0x05, 0, T_NOMODRM | T_IMMZ },
	{ 0, 0, 0x14, 0x14, 0, T_NOMODRM | T_BYTE | T_IMM8 }, { 0, 0, 0x1d, 0x1d, 0, T_NOMODRM | T_IMMZ },
	{ 0, 0, 0xa8, 0xa8, 0, T_NOMODRM | T_BYTE | T_IMM8 }, { 0, 0, 0xa9, 0xa9, 0, T_NOMODRM | T_IMMZ },
	{ 0, 0, 0x84, 0x84, 0, T_BYTE }, { 0, 0, 0x85, 0x85, 0, 0 },
	{ 0, 0, 0xfe, 0xfe, 0, T_GROUP | T_BYTE | T_LOCK }, { 0, 0, 0xfe, 0xfe, 1, T_GROUP | T_BYTE | T_LOCK },
	{ 0, 0, 0xff, 0xff, 0, T_GROUP | T_LOCK }, { 0, 0, 0xff, 0xff, 1, T_GROUP | T_LOCK },
	{ 0, 0, 0xf6, 0xf6, 0, T_GROUP | T_BYTE | T_IMM8 }, { 0, 0, 0xf7, 0xf7, 0, T_GROUP | T_IMMZ },
	{ 0, 0, 0xf6, 0xf6, 2, T_GROUP | T_BYTE | T_LOCK }, { 0, 0, 0xf7, 0xf7, 2, T_GROUP | T_LOCK },
	{ 0, 0, 0xf6, 0xf6, 3, T_GROUP | T_BYTE | T_LOCK }, { 0, 0, 0xf7, 0xf7, 3, T_GROUP | T_LOCK },
	{ 0, 0, 0x98, 0x99, 0, T_NOMODRM },
};

static const struct template muldiv_templates[] = {
	{ 0, 0, 0xf6, 0xf6, 4, T_GROUP | T_BYTE }, { 0, 0, 0xf7, 0xf7, 4, T_GROUP },
	{ 0, 0, 0xf6, 0xf6, 5, T_GROUP | T_BYTE }, { 0, 0, 0xf7, 0xf7, 5, T_GROUP },
	{ 0, 0, 0xf6, 0xf6, 6, T_GROUP | T_BYTE }, { 0, 0, 0xf7, 0xf7, 6, T_GROUP },
	{ 0, 0, 0xf6, 0xf6, 7, T_GROUP | T_BYTE }, { 0, 0, 0xf7, 0xf7, 7, T_GROUP },
	{ 0, 0, 0x69, 0x69, 0, T_IMMZ }, { 0, 0, 0x6b, 0x6b, 0, T_IMM8 },
	{ 0, 1, 0xaf, 0xaf, 0, 0 },
};

static const struct template double_shift_templates[] = {
	{ 0, 1, 0xa4, 0xa4, 0, T_IMM8 }, { 0, 1, 0xa5, 0xa5, 0, 0 },
	{ 0, 1, 0xac, 0xac, 0, T_IMM8 }, { 0, 1, 0xad, 0xad, 0, 0 },
};

static const struct template bit_templates[] = {
	{ 0, 1, 0xa3, 0xa3, 0, T_BITREG | T_BITFLAGS },
	{ 0, 1, 0xab, 0xab, 0, T_BITREG | T_BITFLAGS | T_LOCK },
	{ 0, 1, 0xb3, 0xb3, 0, T_BITREG | T_BITFLAGS | T_LOCK },
	{ 0, 1, 0xbb, 0xbb, 0, T_BITREG | T_BITFLAGS | T_LOCK },
	{ 0, 1, 0xba, 0xba, 4, T_GROUP | T_IMM8 | T_BITFLAGS },
	{ 0, 1, 0xba, 0xba, 5, T_GROUP | T_IMM8 | T_BITFLAGS | T_LOCK },
	{ 0, 1, 0xba, 0xba, 6, T_GROUP | T_IMM8 | T_BITFLAGS | T_LOCK },
	{ 0, 1, 0xba, 0xba, 7, T_GROUP | T_IMM8 | T_BITFLAGS | T_LOCK },
	{ 0, 1, 0xbc, 0xbd, 0, 0 },
	{ 0xf3, 1, 0xb8, 0xb8, 0, 0 },
	{ 0xf2, 2, 0xf0, 0xf0, 0, T_BYTE }, { 0xf2, 2, 0xf1, 0xf1, 0, 0 },
};

static const struct template move_templates[] = {
	{ 0, 0, 0x88, 0x88, 0, T_BYTE }, { 0, 0, 0x89, 0x89, 0, 0 },
	{ 0, 0, 0x8a, 0x8a, 0, T_BYTE }, { 0, 0, 0x8b, 0x8b, 0, 0 },
	{ 0, 0, 0xc6, 0xc6, 0, T_GROUP | T_BYTE | T_IMM8 }, { 0, 0, 0xc7, 0xc7, 0, T_GROUP | T_IMMZ },
	{ 0, 0, 0x63, 0x63, 0, 0 }, { 0, 0, 0x8d, 0x8d, 0, T_MEM },
	{ 0, 1, 0x40, 0x4f, 0, 0 }, { 0, 1, 0x90, 0x9f, 0, T_BYTE },
	{ 0, 1, 0xb6, 0xb7, 0, 0 }, { 0, 1, 0xbe, 0xbf, 0, 0 },
	{ 0, 0, 0xd7, 0xd7, 0, T_NOMODRM | T_BYTE },
	{ 0, 0, 0x9e, 0x9f, 0, T_NOMODRM | T_BYTE }, { 0, 0, 0xf5, 0xf5, 0, T_NOMODRM | T_BYTE },
	{ 0, 0, 0xf8, 0xf9, 0, T_NOMODRM | T_BYTE }, { 0, 0, 0xfc, 0xfd, 0, T_NOMODRM | T_BYTE },
	{ 0, 1, 0xc8, 0xcb, 0, T_NOMODRM | T_NO16 }, { 0, 1, 0xcd, 0xcf, 0, T_NOMODRM | T_NO16 },
};

static const struct template xchg_templates[] = {
	{ 0, 0, 0x86, 0x86, 0, T_BYTE | T_LOCK }, { 0, 0, 0x87, 0x87, 0, T_LOCK },
	{ 0, 0, 0x91, 0x93, 0, T_NOMODRM }, { 0, 0, 0x95, 0x97, 0, T_NOMODRM },
	{ 0, 1, 0xb0, 0xb0, 0, T_BYTE | T_LOCK }, { 0, 1, 0xb1, 0xb1, 0, T_LOCK },
	{ 0, 1, 0xc0, 0xc0, 0, T_BYTE | T_LOCK }, { 0, 1, 0xc1, 0xc1, 0, T_LOCK },
	{ 0, 1, 0xc7, 0xc7, 1, T_GROUP | T_MEM | T_LOCK | T_NO16 },
	{ 0, 1, 0xc7, 0xc7, 1, T_GROUP | T_MEM | T_LOCK | T_ALIGN | T_MUST_W },
	{ 0, 1, 0xae, 0xae, 7, T_GROUP | T_MEM | T_NO16 },
};
/* clang-format on */

/* The memory operand is [rbx + r9 * scale + disp] or [rbx + disp]; both stay inside the buffer. */
static unsigned int put_modrm(struct fixture *f, uint8_t *b, unsigned int reg, bool mem,
			      uint16_t kind, uint8_t *rex)
{
	uint64_t r = next_random(f);
	int32_t disp = (int32_t)(r >> 32 & 1023) - 512;
	unsigned int n = 0, rm;

	if (kind & T_ALIGN)
		disp &= ~15;
	if (!mem) {
		do
			rm = next_random(f) & 7;
		while (rm == 4); /* SPL, RSP; AH is left out with it here and comes as a source */
		if (r & 1)
			*rex |= 1;
		b[n++] = (uint8_t)(0xc0 | reg << 3 | rm);
		return n;
	}
	if (r & 2 && !(kind & T_ALIGN)) {
		b[n++] = (uint8_t)(0x84 | reg << 3);
		b[n++] = (uint8_t)((r >> 2 & 3) << 6 | 1 << 3 | 3);
		*rex |= 2;
	} else {
		b[n++] = (uint8_t)(0x83 | reg << 3);
	}
	memcpy(b + n, &disp, 4);
	return n + 4;
}

static void random_state(struct fixture *f, uint16_t kind)
{
	uint64_t flags = next_random(f);

	for (unsigned int k = 0; k < 15; k++)
		f->n->reg[k] = random_operand(f);
	if (kind & T_BITREG)
		for (unsigned int k = 0; k < 15; k++)
			f->n->reg[k] = (f->n->reg[k] & ~0xffffffffull) |
				       (uint32_t)((int32_t)(next_random(f) & 8191) - 4096);
	f->n->reg[3] = (uintptr_t)f->buf + 6144 + (kind & T_ALIGN ? 0 : next_random(f) & 63);
	f->n->reg[8] = next_random(f) & 63; /* r9 */
	f->n->rflags = (flags & X86_EFL_ARITH) | X86_EFL_IF | 2;
	for (unsigned int k = 4608; k < 7680; k += 8) { /* what operands can reach */
		uint64_t v = random_operand(f);

		memcpy(f->buf + k, &v, 8);
	}
}

/* One random encoding of @t; returns its length. */
static unsigned int random_encoding(struct fixture *f, const struct template *t, uint8_t *b)
{
	uint64_t r = next_random(f);
	bool mem = !(t->kind & (T_NOMODRM | T_REG)) && ((t->kind & T_MEM) || (r & 1));
	bool has16 = !(t->kind & (T_BYTE | T_NO16 | T_MUST_W)) && (r >> 1 & 3) == 0;
	bool w = (t->kind & T_MUST_W) || (!(t->kind & T_BYTE) && !has16 && (r >> 3 & 1));
	uint8_t rex = w ? 8 : 0, modrm[8];
	unsigned int n = 0, m = 0, reg, imm;

	if (t->map == 1 && t->first == 0xc7 && !(t->kind & T_MUST_W))
		w = false, rex = 0;
	do
		reg = t->kind & T_GROUP ? t->group : next_random(f) & 7;
	while (!(t->kind & T_GROUP) && (reg == 4 || (reg == 3 && (t->kind & T_BITREG))));
	if (!(t->kind & (T_NOMODRM | T_GROUP)) && (r >> 4 & 1))
		rex |= 4;
	if ((t->kind & T_BITREG) && mem && w) /* all 64 bits of the bit number must be near */
		rex &= (uint8_t)~8, w = false;
	if (!(t->kind & T_NOMODRM))
		m = put_modrm(f, modrm, reg, mem, t->kind, &rex);
	/* Without REX the byte registers 5 to 7 are CH, DH, BH; with it BPL, SIL, DIL. */
	if (!rex && (t->kind & T_BYTE) && (r >> 5 & 1))
		rex = 0x40;
	if (mem && (t->kind & T_LOCK) && (r >> 6 & 1))
		b[n++] = 0xf0;
	if (has16)
		b[n++] = 0x66;
	if (t->prefix)
		b[n++] = t->prefix;
	if (rex)
		b[n++] = 0x40 | rex;
	if (t->map)
		b[n++] = 0x0f;
	if (t->map == 2)
		b[n++] = 0x38;
	b[n++] = (uint8_t)(t->first + (r >> 8) % (t->last - t->first + 1u));
	memcpy(b + n, modrm, m);
	n += m;
	imm = t->kind & T_IMM8 ? 1 : t->kind & T_IMMZ ? (has16 ? 2 : 4) : 0;
	r = random_operand(f);
	memcpy(b + n, &r, imm);
	return n + imm;
}

static void run_templates(struct fixture *f, const struct template *t, size_t count)
{
	uint8_t bytes[16];

	for (size_t k = 0; k < count; k++)
		for (unsigned int round = 0; round < ROUNDS; round++) {
			uint64_t flags = CMP_FLAGS;
			unsigned int len = random_encoding(f, &t[k], bytes);

			if (t[k].kind & T_BITFLAGS)
				flags = X86_EFL_CF | X86_EFL_ZF;
			random_state(f, t[k].kind);
			run_both(f, bytes, len, flags);
		}
}

static void arithmetic_agrees_with_the_host(void **state)
{
	run_templates(*state, alu_templates, HVM_ARRAY_SIZE(alu_templates));
}

static void immediate_arithmetic_agrees_with_the_host(void **state)
{
	for (unsigned int g = 0; g < 8; g++) {
		uint16_t lock = g == 7 ? 0 : T_LOCK;
		const struct template t[3] = {
			{ 0, 0, 0x80, 0x80, (uint8_t)g,
			  (uint16_t)(T_GROUP | T_BYTE | T_IMM8 | lock) },
			{ 0, 0, 0x81, 0x81, (uint8_t)g, (uint16_t)(T_GROUP | T_IMMZ | lock) },
			{ 0, 0, 0x83, 0x83, (uint8_t)g, (uint16_t)(T_GROUP | T_IMM8 | lock) },
		};

		run_templates(*state, t, 3);
	}
}

static void multiplication_and_division_agree_with_the_host(void **state)
{
	run_templates(*state, muldiv_templates, HVM_ARRAY_SIZE(muldiv_templates));
}

/* A quotient at the edge of overflow: the executor divides exactly where the host would. */
static void division_raises_de_exactly_when_the_quotient_does_not_fit(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint64_t rdx, rax, rcx;
		uint8_t bytes[3], len;
		bool fits;
	} rows[] = {
		{ 0, 1, 0, { 0xf7, 0xf1 }, 2, false },			/* div ecx by zero */
		{ 4, 0, 4, { 0xf7, 0xf1 }, 2, false },			/* 2^34 / 4 = 2^32 */
		{ 3, 0xffffffff, 4, { 0xf7, 0xf1 }, 2, true },		/* 2^32 - 1 */
		{ ~0ull, 0x80000000, 1, { 0xf7, 0xf9 }, 2, true },	/* idiv: -2^31 */
		{ 0, 0x80000000, 1, { 0xf7, 0xf9 }, 2, false },		/* 2^31 */
		{ ~0ull, 0x80000000, ~0ull, { 0xf7, 0xf9 }, 2, false }, /* -2^31 / -1 */
		{ 0, 0x80000000, ~0ull, { 0xf7, 0xf9 }, 2, true },	/* 2^31 / -1 */
		{ 0, 0x80000001, ~0ull, { 0xf7, 0xf9 }, 2, false },
		{ ~0ull, 1ull << 63, 1, { 0x48, 0xf7, 0xf9 }, 3, true }, /* -2^63 */
		{ ~0ull, 1ull << 63, ~0ull, { 0x48, 0xf7, 0xf9 }, 3, false },
		{ 1ull << 63, 0, 1ull << 63, { 0x48, 0xf7, 0xf9 }, 3, false }, /* 2^64 */
		{ 1ull << 62, 0, 1ull << 63, { 0x48, 0xf7, 0xf9 }, 3, true },  /* -2^63 */
		{ 0, 0x8000, 0x100, { 0xf6, 0xf9 }, 2, false },		       /* idiv cl by zero */
		{ 0, 0xff80, 1, { 0xf6, 0xf9 }, 2, true },		       /* -128 */
		{ 0, 0x0080, 1, { 0xf6, 0xf9 }, 2, false },		       /* 128 */
		{ 0, 0x7fff, 0x80, { 0xf6, 0xf1 }, 2, true },		       /* 255 */
		{ 0, 0x8000, 0x80, { 0xf6, 0xf1 }, 2, false },		       /* 256 */
	};

	for (size_t k = 0; k < HVM_ARRAY_SIZE(rows); k++) {
		random_state(f, 0);
		f->n->reg[0] = rows[k].rax;
		f->n->reg[1] = rows[k].rcx;
		f->n->reg[2] = rows[k].rdx;
		if (run_both(f, rows[k].bytes, rows[k].len, CMP_FLAGS) != rows[k].fits)
			fail_msg("row %zu", k);
	}
}

static void shifts_and_rotates_agree_with_the_host(void **state)
{
	for (unsigned int g = 0; g < 8; g++) {
		const struct template t[6] = {
			{ 0, 0, 0xc0, 0xc0, (uint8_t)g, T_GROUP | T_BYTE | T_IMM8 },
			{ 0, 0, 0xc1, 0xc1, (uint8_t)g, T_GROUP | T_IMM8 },
			{ 0, 0, 0xd0, 0xd0, (uint8_t)g, T_GROUP | T_BYTE },
			{ 0, 0, 0xd1, 0xd1, (uint8_t)g, T_GROUP },
			{ 0, 0, 0xd2, 0xd2, (uint8_t)g, T_GROUP | T_BYTE },
			{ 0, 0, 0xd3, 0xd3, (uint8_t)g, T_GROUP },
		};

		run_templates(*state, t, 6);
	}
	run_templates(*state, double_shift_templates, HVM_ARRAY_SIZE(double_shift_templates));
}

static void bit_operations_agree_with_the_host(void **state)
{
	run_templates(*state, bit_templates, HVM_ARRAY_SIZE(bit_templates));
}

static void moves_agree_with_the_host(void **state)
{
	run_templates(*state, move_templates, HVM_ARRAY_SIZE(move_templates));
}

static void exchanges_agree_with_the_host(void **state)
{
	run_templates(*state, xchg_templates, HVM_ARRAY_SIZE(xchg_templates));
}

/* Equal operands are rare at random: half of these compare with what is there. */
static void cmpxchg_succeeds_as_on_the_host(void **state)
{
	struct fixture *f = *state;
	static const uint8_t code[][5] = {
		{ 0xf0, 0x0f, 0xb0, 0x0b }, { 0xf0, 0x0f, 0xb1, 0x0b }, { 0x0f, 0xb1, 0xd1 },
		{ 0x48, 0x0f, 0xb1, 0xd1 }, { 0x66, 0x0f, 0xb1, 0xd1 }, { 0x0f, 0xb1, 0xc8 },
		{ 0xf0, 0x0f, 0xc7, 0x0b }, { 0x0f, 0xb0, 0xf5 },
	};
	static const uint8_t len[] = { 4, 4, 3, 4, 4, 3, 4, 3 };

	for (unsigned int round = 0; round < 50 * HVM_ARRAY_SIZE(len); round++) {
		unsigned int k = round % HVM_ARRAY_SIZE(len);
		uint64_t v = next_random(f);

		random_state(f, T_ALIGN);
		if (round & 64) {
			f->n->reg[0] = f->n->reg[1] = v;
			memcpy(f->buf + 6144, &f->n->reg[0], 4);
			memcpy(f->buf + 6148, &f->n->reg[2], 4);
		}
		run_both(f, code[k], len[k], CMP_FLAGS);
	}
}

/* Overlapping, both directions, crossing pages, all prefixes and sizes. */
static void strings_agree_with_the_host(void **state)
{
	static const uint8_t opcodes[] = { 0xa4, 0xa5, 0xa6, 0xa7, 0xaa,
					   0xab, 0xac, 0xad, 0xae, 0xaf };
	struct fixture *f = *state;

	for (unsigned int round = 0; round < 6000; round++) {
		uint64_t r = next_random(f);
		uint8_t bytes[4];
		unsigned int n = 0;

		random_state(f, 0);
		if (r & 0x100) /* long runs of equal bytes for the compares */
			memset(f->buf + 64, 0, BUF_BYTES - 64);
		f->n->reg[5] = (uintptr_t)f->buf + 5000 + (r >> 16 & 4095);
		f->n->reg[6] = f->n->reg[5] + (uint64_t)((int64_t)(r >> 32 & 127) - 64);
		if (r & 0x200)
			f->n->reg[6] = (uintptr_t)f->buf + 5000 + (r >> 32 & 4095);
		f->n->reg[1] = r >> 48 & (r & 0x400 ? 15 : 511);
		f->n->reg[0] &= r & 0x800 ? 0 : ~0ull;
		if (r & 0x1000)
			f->n->rflags |= X86_EFL_DF;
		if (r & 1)
			bytes[n++] = r & 2 ? 0xf3 : 0xf2;
		if (r & 4)
			bytes[n++] = r & 8 ? 0x66 : 0x48;
		bytes[n++] = opcodes[(r >> 4 & 15) % 10];
		run_both(f, bytes, n, CMP_FLAGS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic_agrees_with_the_host),
		cmocka_unit_test(immediate_arithmetic_agrees_with_the_host),
		cmocka_unit_test(multiplication_and_division_agree_with_the_host),
		cmocka_unit_test(division_raises_de_exactly_when_the_quotient_does_not_fit),
		cmocka_unit_test(shifts_and_rotates_agree_with_the_host),
		cmocka_unit_test(bit_operations_agree_with_the_host),
		cmocka_unit_test(moves_agree_with_the_host),
		cmocka_unit_test(exchanges_agree_with_the_host),
		cmocka_unit_test(cmpxchg_succeeds_as_on_the_host),
		cmocka_unit_test(strings_agree_with_the_host),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
