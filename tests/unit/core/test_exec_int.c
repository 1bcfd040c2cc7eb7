/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_int.c - facts of the integer executor that the host cannot be asked for: 16 and 32-bit
 * code, stack widths, privilege, port I/O, interruption of REP. Guest memory is four pages at
 * 0x10000, mapped in the TLB, so that only the fast paths are needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "x86/exec.h"

#define MEM_GVA	  0x10000u
#define MEM_BYTES 0x4000u
#define CODE_IP	  0x1000u

struct machine {
	struct x86_cpu c;
	struct x86_tlb tlb;
	_Alignas(4096) uint8_t mem[MEM_BYTES];
	/* Port device: returns count, counts calls. */
	unsigned int calls, elements, last_size;
	uint16_t last_port;
	uint32_t last_value;
	int refuse; /* first answer, if not 0 */
};

static int dev_read(void *arg, uint16_t port, unsigned int size, uint32_t *ret)
{
	struct machine *m = arg;
	int rc = m->refuse;

	m->refuse = 0;
	if (rc)
		return rc;
	m->calls++;
	m->last_port = port;
	m->last_size = size;
	*ret = 0x11223344;
	return 0;
}

static int dev_write(void *arg, uint16_t port, unsigned int size, uint32_t value)
{
	struct machine *m = arg;

	m->calls++;
	m->last_port = port;
	m->last_size = size;
	m->last_value = value;
	return 0;
}

static int dev_read_rep(void *arg, uint16_t port, unsigned int size, unsigned int count, void *buf)
{
	struct machine *m = arg;
	int rc = m->refuse;

	m->refuse = 0;
	if (rc)
		return rc;
	m->calls++;
	m->last_port = port;
	m->elements += count;
	memset(buf, 0x5a, (size_t)size * count);
	return (int)count;
}

static int dev_write_rep(void *arg, uint16_t port, unsigned int size, unsigned int count,
			 const void *buf)
{
	struct machine *m = arg;

	(void)size;
	(void)buf;
	m->calls++;
	m->last_port = port;
	m->elements += count;
	return (int)count;
}

static const struct x86_cpu_env dev_env = {
	.pio_read = dev_read,
	.pio_write = dev_write,
	.pio_read_rep = dev_read_rep,
	.pio_write_rep = dev_write_rep,
};

enum kind {
	REAL16,
	PROT16,
	PROT32,
	LONG64
};

/* Everything zero, flat or real-mode segments, rsp in the middle of memory. */
static void machine_reset(struct machine *m, enum kind kind)
{
	struct x86_cpu *c = &m->c;

	memset(m, 0, sizeof(*m));
	for (unsigned int e = 0; e < X86_TLB_ENTRIES; e++)
		m->tlb.r[0][e] = m->tlb.w[0][e] = (struct x86_tlb_entry){ X86_TLB_INVALID, 0 };
	for (uint64_t p = MEM_GVA; p < MEM_GVA + MEM_BYTES; p += 4096)
		m->tlb.r[0][p >> 12] = m->tlb.w[0][p >> 12] =
			(struct x86_tlb_entry){ p, (uintptr_t)m->mem - MEM_GVA };
	c->tlb = &m->tlb;
	c->tlb_r = m->tlb.r[0];
	c->tlb_w = m->tlb.w[0];
	c->env = &dev_env;
	c->env_arg = m;
	c->x86_ip = CODE_IP;
	c->gpr[X86_RSP] = MEM_GVA + 0x2000;
	x86_put_rflags(c, 2);
	for (unsigned int s = 0; s < HVM_SEG_COUNT; s++)
		c->seg[s] = (struct hvm_seg){ .limit = 0xffffffff, .ar = 0xc093 };
	if (kind == REAL16) {
		c->mode = X86_CODE16 | 1 << X86_MODE_SS_SHIFT;
		for (unsigned int s = 0; s < HVM_SEG_COUNT; s++)
			c->seg[s] = (struct hvm_seg){
				.limit = 0xffff, .ar = 0x93, .base = MEM_GVA, .sel = MEM_GVA >> 4
			};
		c->gpr[X86_RSP] = 0x2000;
	} else {
		static const uint32_t modes[] = {
			[PROT16] = X86_CODE16 | 2 << X86_MODE_SS_SHIFT,
			[PROT32] = X86_CODE32 | 2 << X86_MODE_SS_SHIFT,
			[LONG64] = X86_CODE64 | 3 << X86_MODE_SS_SHIFT | X86_MODE_LMA,
		};

		c->mode = modes[kind] | X86_MODE_PE | X86_MODE_FLAT | X86_MODE_FLAT_FSGS;
		c->cr0 = X86_CR0_PE;
	}
}

static int setup(void **state)
{
	struct machine *m = aligned_alloc(4096, (sizeof(*m) + 4095) & ~4095ull);

	assert_non_null(m);
	assert_int_equal(x86_exec_init(), 0);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static int run_bytes(struct machine *m, const uint8_t *bytes, size_t len)
{
	struct x86_insn i;

	assert_int_equal(x86_decode(bytes, len, x86_code_size(&m->c), &i), len);
	m->c.exc = (struct hvm_event){ 0 };
	m->c.stop = X86_STOP_NONE;
	return x86_exec_bind(&i)(&m->c, &i);
}
#define RUN(m, ...) \
	run_bytes(m, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static uint64_t mem_get(const struct machine *m, uint32_t gva, unsigned int size)
{
	uint64_t v = 0;

	memcpy(&v, m->mem + (gva - MEM_GVA), size);
	return v;
}

static void mem_put(struct machine *m, uint32_t gva, uint64_t v, unsigned int size)
{
	memcpy(m->mem + (gva - MEM_GVA), &v, size);
}

static void assert_fault(const struct machine *m, int rc, unsigned int vector)
{
	assert_int_equal(rc, X86_ABORT);
	assert_int_equal(m->c.stop, X86_STOP_NONE);
	assert_int_equal(m->c.exc.vector, vector);
}

/* -- binding ------------------------------------------------------------------------------ */

static void lock_is_refused_where_it_is_illegal(void **state)
{
	struct machine *m = *state;
	struct x86_insn i = {
		.op = X86_OP_ADD, .form = X86_FORM_RR, .osize = 2, .flags = X86_F_LOCK
	};

	(void)m;
	assert_ptr_equal(x86_exec_bind(&i), x86_exec_ud);
	i.form = X86_FORM_MR;
	assert_ptr_not_equal(x86_exec_bind(&i), x86_exec_ud);
	i.op = X86_OP_MOV;
	assert_ptr_equal(x86_exec_bind(&i), x86_exec_ud);
	i.op = X86_OP_CMP;
	assert_ptr_equal(x86_exec_bind(&i), x86_exec_ud);
}

static void out_of_range_instructions_bind_to_ud(void **state)
{
	struct x86_insn i = { .op = X86_OP_COUNT };

	(void)state;
	assert_ptr_equal(x86_exec_bind(&i), x86_exec_ud);
	i = (struct x86_insn){ .op = X86_OP_ADD, .form = X86_FORM_COUNT };
	assert_ptr_equal(x86_exec_bind(&i), x86_exec_ud);
	i = (struct x86_insn){ .op = X86_OP_INVALID };
	assert_ptr_equal(x86_exec_bind(&i), x86_exec_ud);
}

/* -- stack -------------------------------------------------------------------------------- */

static void push_rsp_pushes_the_old_value(void **state)
{
	struct machine *m = *state;

	machine_reset(m, LONG64);
	assert_int_equal(RUN(m, 0x54), X86_NEXT);
	assert_int_equal(m->c.gpr[X86_RSP], 0x11ff8);
	assert_int_equal(mem_get(m, 0x11ff8, 8), 0x12000);
	machine_reset(m, PROT32);
	assert_int_equal(RUN(m, 0x54), X86_NEXT);
	assert_int_equal(m->c.gpr[X86_RSP], 0x11ffc);
	assert_int_equal(mem_get(m, 0x11ffc, 4), 0x12000);
}

static void pop_rsp_ends_with_the_popped_value(void **state)
{
	struct machine *m = *state;

	machine_reset(m, LONG64);
	mem_put(m, 0x12000, 0x123456789abcull, 8);
	assert_int_equal(RUN(m, 0x5c), X86_NEXT);
	assert_int_equal(m->c.gpr[X86_RSP], 0x123456789abcull);
	machine_reset(m, PROT32);
	mem_put(m, 0x12000, 0xbeef, 4);
	assert_int_equal(RUN(m, 0x66, 0x5c), X86_NEXT); /* pop sp */
	assert_int_equal(m->c.gpr[X86_RSP], 0x1beef);
}

static void pop_to_memory_computes_the_address_after_the_increment(void **state)
{
	struct machine *m = *state;

	machine_reset(m, LONG64);
	mem_put(m, 0x12000, 0x55, 8);
	assert_int_equal(RUN(m, 0x8f, 0x44, 0x24, 0x10), X86_NEXT); /* pop qword [rsp + 16] */
	assert_int_equal(m->c.gpr[X86_RSP], 0x12008);
	assert_int_equal(mem_get(m, 0x12018, 8), 0x55);
}

static void a_16_bit_stack_wraps_and_keeps_the_upper_half_of_esp(void **state)
{
	struct machine *m = *state;

	machine_reset(m, REAL16);
	m->c.seg[HVM_SEG_SS].base = MEM_GVA + MEM_BYTES - 0x10000; /* SP 0xfffe is the last word */
	m->c.gpr[X86_RSP] = 0xabcd0000;
	m->c.gpr[X86_RAX] = 0x1234;
	assert_int_equal(RUN(m, 0x50), X86_NEXT);
	assert_int_equal(m->c.gpr[X86_RSP], 0xabcdfffe);
	assert_int_equal(mem_get(m, MEM_GVA + MEM_BYTES - 2, 2), 0x1234);
	m->c.gpr[X86_RAX] = 0;
	assert_int_equal(RUN(m, 0x58), X86_NEXT);
	assert_int_equal(m->c.gpr[X86_RSP], 0xabcd0000);
	assert_int_equal(m->c.gpr[X86_RAX], 0x1234);
}

static void a_push_across_the_end_of_the_segment_is_ss(void **state)
{
	struct machine *m = *state;

	machine_reset(m, REAL16);
	m->c.gpr[X86_RSP] = 1;
	assert_fault(m, RUN(m, 0x50), X86_SS);
	assert_int_equal(m->c.gpr[X86_RSP], 1);
}

static void pusha_and_popa_are_inverse_but_for_sp(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	for (unsigned int r = 0; r < 8; r++)
		if (r != X86_RSP)
			m->c.gpr[r] = 0x1000 + r;
	assert_int_equal(RUN(m, 0x60), X86_NEXT);
	assert_int_equal(m->c.gpr[X86_RSP], 0x12000 - 32);
	assert_int_equal(mem_get(m, 0x12000 - 4, 4), 0x1000);	/* eax first */
	assert_int_equal(mem_get(m, 0x12000 - 20, 4), 0x12000); /* esp as it was */
	for (unsigned int r = 0; r < 8; r++)
		if (r != X86_RSP)
			m->c.gpr[r] = 0;
	mem_put(m, 0x12000 - 20, 0xdead, 4); /* ignored by POPA */
	assert_int_equal(RUN(m, 0x61), X86_NEXT);
	for (unsigned int r = 0; r < 8; r++)
		assert_int_equal(m->c.gpr[r], r == X86_RSP ? 0x12000u : 0x1000 + r);
}

static void enter_copies_the_display_and_leave_drops_the_frame(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	m->c.gpr[X86_RBP] = 0x13000;
	mem_put(m, 0x12ffc, 0xaaaa, 4);
	mem_put(m, 0x12ff8, 0xbbbb, 4);
	assert_int_equal(RUN(m, 0xc8, 0x20, 0x00, 0x03), X86_NEXT); /* enter 32, 3 */
	assert_int_equal(mem_get(m, 0x11ffc, 4), 0x13000);
	assert_int_equal(mem_get(m, 0x11ff8, 4), 0xaaaa);
	assert_int_equal(mem_get(m, 0x11ff4, 4), 0xbbbb);
	assert_int_equal(mem_get(m, 0x11ff0, 4), 0x11ffc); /* the new frame pointer */
	assert_int_equal(m->c.gpr[X86_RBP], 0x11ffc);
	assert_int_equal(m->c.gpr[X86_RSP], 0x11ff0 - 32);
	assert_int_equal(RUN(m, 0xc9), X86_NEXT);
	assert_int_equal(m->c.gpr[X86_RSP], 0x12000);
	assert_int_equal(m->c.gpr[X86_RBP], 0x13000);
}

/* -- segments ----------------------------------------------------------------------------- */

static void segment_type_and_limit_decide_what_an_access_raises(void **state)
{
	static const struct {
		uint32_t ar, limit, offset;
		bool write, ok;
	} rows[] = {
		{ 0x4093, 0x0fff, 0x0ffc, true, true }, /* data, up */
		{ 0x4093, 0x0fff, 0x0ffd, false, false },
		{ 0x4093, 0x0fff, 0xffffffff, false, false }, /* no wrap around 4 GiB */
		{ 0x4091, 0x0fff, 0x0100, false, true },      /* read-only */
		{ 0x4091, 0x0fff, 0x0100, true, false },
		{ 0x4097, 0x0fff, 0x1000, true, true }, /* expand-down */
		{ 0x4097, 0x0fff, 0x0fff, true, false },
		{ 0x0097, 0x0fff, 0xfffc, false, true },
		{ 0x0097, 0x0fff, 0xfffd, false, false }, /* not above 64 KiB without B */
		{ 0x409b, 0x0fff, 0x0100, false, true },  /* code, readable */
		{ 0x409b, 0x0fff, 0x0100, true, false },
		{ 0x4099, 0x0fff, 0x0100, false, false },      /* execute-only */
		{ 0x1c093, 0xffffffff, 0x0100, false, false }, /* null selector */
	};
	struct machine *m = *state;

	for (size_t k = 0; k < HVM_ARRAY_SIZE(rows); k++)
		for (unsigned int seg = HVM_SEG_ES; seg <= HVM_SEG_GS; seg++) {
			gva_t la = 0;
			bool ok;

			machine_reset(m, PROT32);
			m->c.mode &= ~(X86_MODE_FLAT | X86_MODE_FLAT_FSGS);
			m->c.seg[seg] = (struct hvm_seg){ .base = 0x20000,
							  .limit = rows[k].limit,
							  .ar = rows[k].ar };
			ok = x86_linear(&m->c, seg, rows[k].offset, 4, rows[k].write, &la);
			if (ok != rows[k].ok)
				fail_msg("row %zu", k);
			if (ok)
				assert_int_equal(la, 0x20000 + rows[k].offset);
			else
				assert_int_equal(m->c.exc.vector,
						 seg == HVM_SEG_SS ? X86_SS : X86_GP);
		}
}

/* -- flags -------------------------------------------------------------------------------- */

static void pushf_hides_vm_and_rf(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	x86_put_rflags(&m->c, X86_EFL_RF | X86_EFL_IF | X86_EFL_CF | X86_EFL_OF | 2);
	assert_int_equal(RUN(m, 0x9c), X86_NEXT);
	assert_int_equal(mem_get(m, 0x11ffc, 4), X86_EFL_IF | X86_EFL_CF | X86_EFL_OF | 2);
}

static void popf_changes_what_the_privilege_allows(void **state)
{
	static const struct {
		unsigned int cpl, iopl;
		uint32_t image, result;
	} rows[] = {
		{ 0, 0, X86_EFL_IF | X86_EFL_IOPL, X86_EFL_IF | X86_EFL_IOPL },
		{ 3, 0, X86_EFL_IF | X86_EFL_IOPL, 0 },
		{ 3, 3, X86_EFL_IF, X86_EFL_IF | X86_EFL_IOPL },
		{ 1, 1, X86_EFL_IOPL | X86_EFL_IF, 1 << 12 | X86_EFL_IF },
		{ 0, 0, X86_EFL_VM | X86_EFL_RF | X86_EFL_VIF | X86_EFL_VIP | X86_EFL_ID,
		  X86_EFL_ID },
		{ 3, 0, X86_EFL_DF | X86_EFL_NT | X86_EFL_OF | X86_EFL_ZF,
		  X86_EFL_DF | X86_EFL_NT | X86_EFL_OF | X86_EFL_ZF },
	};
	struct machine *m = *state;

	for (size_t k = 0; k < HVM_ARRAY_SIZE(rows); k++) {
		machine_reset(m, PROT32);
		m->c.cpl = rows[k].cpl;
		m->c.mode |= rows[k].cpl << X86_MODE_CPL_SHIFT;
		x86_put_rflags(&m->c, rows[k].iopl << 12 | 2);
		mem_put(m, 0x12000, rows[k].image, 4);
		assert_int_not_equal(RUN(m, 0x9d), X86_ABORT);
		assert_int_equal(x86_get_rflags(&m->c), rows[k].result | 2);
	}
}

static void v8086_needs_iopl_3_for_flags(void **state)
{
	struct machine *m = *state;

	machine_reset(m, REAL16);
	m->c.mode |= X86_MODE_PE | X86_MODE_VM | 3 << X86_MODE_CPL_SHIFT;
	m->c.cpl = 3;
	x86_put_rflags(&m->c, X86_EFL_VM | 2);
	assert_fault(m, RUN(m, 0x9c), X86_GP);
	assert_fault(m, RUN(m, 0x9d), X86_GP);
	assert_fault(m, RUN(m, 0xfa), X86_GP);
	x86_put_rflags(&m->c, X86_EFL_VM | X86_EFL_IOPL | 2);
	assert_int_equal(RUN(m, 0x9c), X86_NEXT);
	assert_int_equal(RUN(m, 0xfa), X86_NEXT);
}

static void sti_blocks_one_instruction_only_if_interrupts_were_off(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	assert_int_equal(RUN(m, 0xfb), X86_END);
	assert_int_equal(m->c.intr_shadow, HVM_INTR_SHADOW_STI);
	m->c.intr_shadow = 0;
	assert_int_equal(RUN(m, 0xfb), X86_NEXT);
	assert_int_equal(m->c.intr_shadow, 0);
	m->c.cpl = 3;
	assert_fault(m, RUN(m, 0xfb), X86_GP);
}

/* -- decimal ------------------------------------------------------------------------------ */

static uint8_t to_bcd(unsigned int v)
{
	return (uint8_t)(v / 10 << 4 | v % 10);
}

static void daa_and_das_correct_every_packed_sum_and_difference(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	for (unsigned int a = 0; a < 100; a++)
		for (unsigned int b = 0; b < 100; b++) {
			m->c.gpr[X86_RAX] = to_bcd(a);
			m->c.gpr[X86_RBX] = to_bcd(b);
			RUN(m, 0x00, 0xd8); /* add al, bl */
			RUN(m, 0x27);
			assert_int_equal(m->c.gpr[X86_RAX], to_bcd((a + b) % 100));
			assert_int_equal(x86_get_rflags(&m->c) & 1, a + b >= 100);
			m->c.gpr[X86_RAX] = to_bcd(a);
			RUN(m, 0x28, 0xd8); /* sub al, bl */
			RUN(m, 0x2f);
			assert_int_equal(m->c.gpr[X86_RAX], to_bcd((a + 100 - b) % 100));
			assert_int_equal(x86_get_rflags(&m->c) & 1, a < b);
		}
}

static void aaa_and_aas_carry_into_ah(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	m->c.gpr[X86_RAX] = 0x0107;
	m->c.gpr[X86_RBX] = 0x0108;
	RUN(m, 0x00, 0xd8);
	RUN(m, 0x37); /* 7 + 8 = 15 */
	assert_int_equal(m->c.gpr[X86_RAX], 0x0205);
	assert_true(x86_get_rflags(&m->c) & X86_EFL_CF);
	m->c.gpr[X86_RAX] = 0x0203;
	RUN(m, 0x28, 0xd8);
	RUN(m, 0x3f); /* 3 - 8 = -5 */
	assert_int_equal(m->c.gpr[X86_RAX], 0x0105);
	assert_true(x86_get_rflags(&m->c) & X86_EFL_CF);
}

static void aam_splits_and_aad_joins_in_any_base(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	for (unsigned int v = 0; v < 256; v++) {
		m->c.gpr[X86_RAX] = v;
		assert_int_equal(RUN(m, 0xd4, 0x0a), X86_NEXT);
		assert_int_equal(m->c.gpr[X86_RAX], v / 10 << 8 | v % 10);
		assert_int_equal(RUN(m, 0xd5, 0x0a), X86_NEXT);
		assert_int_equal(m->c.gpr[X86_RAX], v);
	}
	assert_fault(m, RUN(m, 0xd4, 0x00), X86_DE);
}

/* -- branches ----------------------------------------------------------------------------- */

static void a_16_bit_operand_size_cuts_the_target(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	m->c.x86_ip = 0x1fff0;
	assert_int_equal(RUN(m, 0x66, 0xeb, 0x20), X86_BRANCH);
	assert_int_equal(m->c.x86_ip, (0x1fff0 + 3 + 0x20) & 0xffff);
	machine_reset(m, REAL16);
	m->c.x86_ip = 0x10;
	assert_int_equal(RUN(m, 0xe9, 0xe0, 0xff), X86_BRANCH); /* back past zero */
	assert_int_equal(m->c.x86_ip, 0xfff3);
}

static void a_target_beyond_the_cs_limit_is_gp(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	m->c.mode &= ~X86_MODE_FLAT;
	m->c.seg[HVM_SEG_CS].limit = 0x1fff;
	assert_fault(m, RUN(m, 0xe9, 0x00, 0x10, 0x00, 0x00), X86_GP);
	assert_int_equal(m->c.x86_ip, CODE_IP);
	assert_fault(m, RUN(m, 0xe8, 0x00, 0x10, 0x00, 0x00), X86_GP);
	assert_int_equal(m->c.gpr[X86_RSP], 0x12000);
	assert_int_equal(RUN(m, 0xe9, 0x00, 0x00, 0x00, 0x00), X86_BRANCH);
}

static void a_non_canonical_target_is_gp_and_changes_nothing(void **state)
{
	struct machine *m = *state;

	machine_reset(m, LONG64);
	m->c.gpr[X86_RAX] = 1ull << 47;
	assert_fault(m, RUN(m, 0xff, 0xe0), X86_GP);
	assert_fault(m, RUN(m, 0xff, 0xd0), X86_GP);
	mem_put(m, 0x12000, 1ull << 63, 8);
	assert_fault(m, RUN(m, 0xc3), X86_GP);
	assert_int_equal(m->c.gpr[X86_RSP], 0x12000);
	assert_int_equal(m->c.x86_ip, CODE_IP);
	m->c.gpr[X86_RAX] = ~0ull << 47;
	assert_int_equal(RUN(m, 0xff, 0xe0), X86_BRANCH);
}

static void call_and_ret_use_the_operand_size(void **state)
{
	struct machine *m = *state;

	machine_reset(m, LONG64);
	assert_int_equal(RUN(m, 0xe8, 0x00, 0x01, 0x00, 0x00), X86_BRANCH);
	assert_int_equal(m->c.x86_ip, CODE_IP + 0x105);
	assert_int_equal(mem_get(m, 0x11ff8, 8), CODE_IP + 5);
	assert_int_equal(RUN(m, 0xc2, 0x10, 0x00), X86_BRANCH); /* ret 16 */
	assert_int_equal(m->c.x86_ip, CODE_IP + 5);
	assert_int_equal(m->c.gpr[X86_RSP], 0x12010);
	machine_reset(m, PROT32);
	assert_int_equal(RUN(m, 0x66, 0xe8, 0x00, 0x01), X86_BRANCH); /* call rel16 */
	assert_int_equal(m->c.gpr[X86_RSP], 0x11ffe);
	assert_int_equal(mem_get(m, 0x11ffe, 2), CODE_IP + 4);
	assert_int_equal(RUN(m, 0x66, 0xc3), X86_BRANCH);
	assert_int_equal(m->c.x86_ip, CODE_IP + 4);
}

/* All 16 conditions against all values of the five flags. */
static void conditions_follow_the_manual(void **state)
{
	struct machine *m = *state;

	machine_reset(m, LONG64);
	for (unsigned int v = 0; v < 32; v++)
		for (unsigned int cc = 0; cc < 16; cc++) {
			bool cf = v & 1, zf = v & 2, sf = v & 4, of = v & 8, pf = v & 16;
			const bool t[8] = {
				of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of
			};
			bool want = t[cc >> 1] != (cc & 1);
			const uint8_t op = (uint8_t)cc;

			x86_put_rflags(&m->c, (cf ? X86_EFL_CF : 0) | (zf ? X86_EFL_ZF : 0) |
						      (sf ? X86_EFL_SF : 0) |
						      (of ? X86_EFL_OF : 0) |
						      (pf ? X86_EFL_PF : 0) | 2);
			m->c.x86_ip = CODE_IP;
			m->c.gpr[X86_RBX] = MEM_GVA;
			assert_int_equal(RUN(m, 0x70 | op, 0x10), want ? X86_BRANCH : X86_NEXT);
			assert_int_equal(m->c.x86_ip, want ? CODE_IP + 0x12 : CODE_IP);
			RUN(m, 0x0f, 0x90 | op, 0xc0);
			assert_int_equal(m->c.gpr[X86_RAX] & 0xff, want);
			RUN(m, 0x0f, 0x90 | op, 0x03); /* setcc [rbx] */
			assert_int_equal(m->mem[0], want);
			m->c.gpr[X86_RAX] = ~0ull;
			RUN(m, 0x0f, 0x40 | op, 0x03); /* cmovcc eax, [rbx] */
			assert_int_equal(m->c.gpr[X86_RAX], want ? m->mem[0] : 0xffffffff);
		}
}

static void loop_counts_in_the_address_size(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	m->c.gpr[X86_RCX] = 0xffff0001;
	assert_int_equal(RUN(m, 0x67, 0xe2, 0x10), X86_NEXT); /* CX reaches zero */
	assert_int_equal(m->c.gpr[X86_RCX], 0xffff0000);
	assert_int_equal(RUN(m, 0x67, 0xe3, 0x10), X86_BRANCH); /* jcxz */
	assert_int_equal(RUN(m, 0xe3, 0x10), X86_NEXT);		/* jecxz */
	assert_int_equal(RUN(m, 0x67, 0xe2, 0x10), X86_BRANCH);
	assert_int_equal(m->c.gpr[X86_RCX], 0xffffffff);
	machine_reset(m, LONG64);
	m->c.gpr[X86_RCX] = 0x100000002;
	assert_int_equal(RUN(m, 0x67, 0xe2, 0x10), X86_BRANCH);
	assert_int_equal(m->c.gpr[X86_RCX], 1); /* ECX written: upper half zero */
}

/* -- ARPL, BOUND, CMPXCHG16B -------------------------------------------------------------- */

static void arpl_raises_the_rpl_and_is_invalid_in_real_mode(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	m->c.gpr[X86_RAX] = 0x10;
	m->c.gpr[X86_RBX] = 0x1b;
	assert_int_equal(RUN(m, 0x63, 0xd8), X86_NEXT); /* arpl ax, bx */
	assert_int_equal(m->c.gpr[X86_RAX], 0x13);
	assert_true(x86_get_rflags(&m->c) & X86_EFL_ZF);
	assert_int_equal(RUN(m, 0x63, 0xd8), X86_NEXT);
	assert_false(x86_get_rflags(&m->c) & X86_EFL_ZF);
	machine_reset(m, REAL16);
	assert_fault(m, RUN(m, 0x63, 0xd8), X86_UD);
}

static void cmpxchg16b_needs_16_byte_alignment(void **state)
{
	struct machine *m = *state;

	machine_reset(m, LONG64);
	m->c.gpr[X86_RDI] = MEM_GVA + 8;
	assert_fault(m, RUN(m, 0xf0, 0x48, 0x0f, 0xc7, 0x0f), X86_GP);
	m->c.gpr[X86_RDI] = MEM_GVA + 16;
	m->c.gpr[X86_RBX] = 7;
	assert_int_equal(RUN(m, 0xf0, 0x48, 0x0f, 0xc7, 0x0f), X86_NEXT);
	assert_int_equal(mem_get(m, MEM_GVA + 16, 8), 7);
	assert_true(x86_get_rflags(&m->c) & X86_EFL_ZF);
}

/* -- REP ---------------------------------------------------------------------------------- */

static void rep_stops_for_an_exit_request_with_registers_advanced(void **state)
{
	struct machine *m = *state;
	struct x86_cpu *c = &m->c;

	machine_reset(m, LONG64);
	c->gpr[X86_RCX] = 0x2800;
	c->gpr[X86_RDI] = MEM_GVA + 0x100;
	c->gpr[X86_RAX] = 0x77;
	c->exit_req = 1;
	assert_int_equal(RUN(m, 0xf3, 0xaa), X86_ABORT);
	assert_int_equal(c->stop, X86_STOP_RETRY);
	assert_int_equal(c->gpr[X86_RDI], MEM_GVA + 0x1000);
	assert_int_equal(c->gpr[X86_RCX], 0x2800 - 0xf00);
	c->exit_req = 0;
	assert_int_equal(RUN(m, 0xf3, 0xaa), X86_NEXT);
	assert_int_equal(c->gpr[X86_RCX], 0);
	assert_int_equal(m->mem[0xff], 0);
	assert_int_equal(m->mem[0x100], 0x77);
	assert_int_equal(m->mem[0x28ff], 0x77);
	assert_int_equal(m->mem[0x2900], 0);
}

static void rep_with_zero_count_touches_nothing(void **state)
{
	struct machine *m = *state;

	machine_reset(m, PROT32);
	m->c.gpr[X86_RCX] = 0x10000; /* CX = 0 */
	m->c.gpr[X86_RDI] = 0xdead0000;
	assert_int_equal(RUN(m, 0x67, 0xf3, 0xaa), X86_NEXT);
	assert_int_equal(m->c.gpr[X86_RCX], 0x10000);
	assert_int_equal(m->c.gpr[X86_RDI], 0xdead0000);
}

static void a_trap_flag_stops_rep_after_each_element(void **state)
{
	struct machine *m = *state;
	struct x86_cpu *c = &m->c;

	machine_reset(m, PROT32);
	x86_put_rflags(c, X86_EFL_TF | 2);
	c->gpr[X86_RCX] = 2;
	c->gpr[X86_RDI] = MEM_GVA;
	c->gpr[X86_RAX] = 0x77;
	c->x86_ip = CODE_IP;
	assert_int_equal(RUN(m, 0xf3, 0xaa), X86_BRANCH);
	assert_int_equal(c->x86_ip, CODE_IP);
	assert_int_equal(c->gpr[X86_RCX], 1);
	assert_int_equal(RUN(m, 0xf3, 0xaa), X86_NEXT);
	assert_int_equal(c->gpr[X86_RCX], 0);
	assert_int_equal(mem_get(m, MEM_GVA, 4), 0x7777);
}

static void strings_of_16_bit_code_wrap_at_64k(void **state)
{
	struct machine *m = *state;
	struct x86_cpu *c = &m->c;

	machine_reset(m, REAL16);
	c->seg[HVM_SEG_ES].base = MEM_GVA + MEM_BYTES - 0x10000;
	c->gpr[X86_RDI] = 0xabcdfffe;
	c->gpr[X86_RCX] = 2;
	c->gpr[X86_RAX] = 0x99;
	assert_int_equal(RUN(m, 0xf3, 0xaa), X86_NEXT);
	assert_int_equal(c->gpr[X86_RDI], 0xabcd0000);
	assert_int_equal(mem_get(m, MEM_GVA + MEM_BYTES - 2, 2), 0x9999);
	/* A word at offset 0xffff crosses the limit: #GP, after the element before it. */
	c->gpr[X86_RDI] = 0xfffd;
	c->gpr[X86_RCX] = 2;
	assert_fault(m, RUN(m, 0xf3, 0xab), X86_GP);
	assert_int_equal(c->gpr[X86_RDI], 0xffff);
	assert_int_equal(c->gpr[X86_RCX], 1);
}

/* -- ports -------------------------------------------------------------------------------- */

static void in_and_out_move_the_operand_size(void **state)
{
	struct machine *m = *state;
	struct x86_cpu *c = &m->c;

	machine_reset(m, LONG64);
	c->gpr[X86_RAX] = ~0ull;
	assert_int_equal(RUN(m, 0xe4, 0x71), X86_NEXT);
	assert_int_equal(m->last_port, 0x71);
	assert_int_equal(c->gpr[X86_RAX], 0xffffffffffffff44);
	c->gpr[X86_RDX] = 0x123f8;
	assert_int_equal(RUN(m, 0x66, 0xed), X86_NEXT);
	assert_int_equal(m->last_port, 0x23f8);
	assert_int_equal(c->gpr[X86_RAX], 0xffffffffffff3344);
	assert_int_equal(RUN(m, 0xed), X86_NEXT);
	assert_int_equal(c->gpr[X86_RAX], 0x11223344);
	assert_int_equal(RUN(m, 0xe6, 0x80), X86_NEXT);
	assert_int_equal(m->last_value, 0x44);
	assert_int_equal(m->last_size, 1);
}

static void an_access_that_ioemu_must_serve_stops_for_io(void **state)
{
	struct machine *m = *state;
	struct x86_cpu *c = &m->c;

	machine_reset(m, PROT32);
	m->refuse = -HVM_EAGAIN;
	c->gpr[X86_RAX] = 5;
	assert_int_equal(RUN(m, 0xec), X86_ABORT);
	assert_int_equal(c->stop, X86_STOP_IO);
	assert_int_equal(c->gpr[X86_RAX], 5);
	m->refuse = -HVM_EAGAIN;
	c->gpr[X86_RCX] = 100;
	c->gpr[X86_RDI] = MEM_GVA;
	assert_int_equal(RUN(m, 0xf3, 0x6d), X86_ABORT);
	assert_int_equal(c->stop, X86_STOP_IO);
	assert_int_equal(c->gpr[X86_RCX], 100);
	assert_int_equal(RUN(m, 0xf3, 0x6d), X86_NEXT);
	assert_int_equal(c->gpr[X86_RDI], MEM_GVA + 400);
}

static void rep_ins_works_in_pieces_of_a_page_and_2048_bytes(void **state)
{
	struct machine *m = *state;
	struct x86_cpu *c = &m->c;

	machine_reset(m, PROT32);
	c->gpr[X86_RCX] = 0x1000;
	c->gpr[X86_RDI] = MEM_GVA + 0xf00;
	assert_int_equal(RUN(m, 0xf3, 0x6c), X86_NEXT);
	assert_int_equal(m->elements, 0x1000);
	assert_int_equal(m->calls, 3); /* 0x100, 0x800, 0x700 */
	assert_int_equal(m->mem[0xeff], 0);
	assert_int_equal(m->mem[0x1eff], 0x5a);
	assert_int_equal(m->mem[0x1f00], 0);
	c->gpr[X86_RCX] = 8;
	c->gpr[X86_RSI] = MEM_GVA;
	assert_int_equal(RUN(m, 0xf3, 0x6f), X86_NEXT);
	assert_int_equal(c->gpr[X86_RSI], MEM_GVA + 32);
}

static void ports_beyond_iopl_need_the_bitmap(void **state)
{
	struct machine *m = *state;
	struct x86_cpu *c = &m->c;

	machine_reset(m, PROT32);
	c->cpl = 3;
	c->mode |= 3 << X86_MODE_CPL_SHIFT;
	c->seg[HVM_SEG_TR] = (struct hvm_seg){ .base = MEM_GVA, .limit = 0x66, .ar = 0x8b };
	assert_fault(m, RUN(m, 0xec), X86_GP); /* a TSS too short for a bitmap */
	c->seg[HVM_SEG_TR].limit = 0x67;
	c->seg[HVM_SEG_TR].ar = 0x83; /* a 16-bit TSS */
	assert_fault(m, RUN(m, 0xec), X86_GP);
	x86_put_rflags(c, X86_EFL_IOPL | 2);
	assert_int_equal(RUN(m, 0xec), X86_NEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_is_refused_where_it_is_illegal),
		cmocka_unit_test(out_of_range_instructions_bind_to_ud),
		cmocka_unit_test(push_rsp_pushes_the_old_value),
		cmocka_unit_test(pop_rsp_ends_with_the_popped_value),
		cmocka_unit_test(pop_to_memory_computes_the_address_after_the_increment),
		cmocka_unit_test(a_16_bit_stack_wraps_and_keeps_the_upper_half_of_esp),
		cmocka_unit_test(a_push_across_the_end_of_the_segment_is_ss),
		cmocka_unit_test(pusha_and_popa_are_inverse_but_for_sp),
		cmocka_unit_test(enter_copies_the_display_and_leave_drops_the_frame),
		cmocka_unit_test(segment_type_and_limit_decide_what_an_access_raises),
		cmocka_unit_test(pushf_hides_vm_and_rf),
		cmocka_unit_test(popf_changes_what_the_privilege_allows),
		cmocka_unit_test(v8086_needs_iopl_3_for_flags),
		cmocka_unit_test(sti_blocks_one_instruction_only_if_interrupts_were_off),
		cmocka_unit_test(daa_and_das_correct_every_packed_sum_and_difference),
		cmocka_unit_test(aaa_and_aas_carry_into_ah),
		cmocka_unit_test(aam_splits_and_aad_joins_in_any_base),
		cmocka_unit_test(a_16_bit_operand_size_cuts_the_target),
		cmocka_unit_test(a_target_beyond_the_cs_limit_is_gp),
		cmocka_unit_test(a_non_canonical_target_is_gp_and_changes_nothing),
		cmocka_unit_test(call_and_ret_use_the_operand_size),
		cmocka_unit_test(conditions_follow_the_manual),
		cmocka_unit_test(loop_counts_in_the_address_size),
		cmocka_unit_test(arpl_raises_the_rpl_and_is_invalid_in_real_mode),
		cmocka_unit_test(cmpxchg16b_needs_16_byte_alignment),
		cmocka_unit_test(rep_stops_for_an_exit_request_with_registers_advanced),
		cmocka_unit_test(rep_with_zero_count_touches_nothing),
		cmocka_unit_test(a_trap_flag_stops_rep_after_each_element),
		cmocka_unit_test(strings_of_16_bit_code_wrap_at_64k),
		cmocka_unit_test(in_and_out_move_the_operand_size),
		cmocka_unit_test(an_access_that_ioemu_must_serve_stops_for_io),
		cmocka_unit_test(rep_ins_works_in_pieces_of_a_page_and_2048_bytes),
		cmocka_unit_test(ports_beyond_iopl_need_the_bitmap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
