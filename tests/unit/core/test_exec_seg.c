/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_seg.c - segment registers and descriptor tables: what may be loaded, what a load faults
 * with, what it changes; LAR, LSL, VERR, VERW.
 * Source: Intel SDM Vol 3A ch. 3 and 5, Vol 2 of each instruction.
 */
#include "sys_machine.h"

static struct machine m;

static int load(unsigned int seg, uint16_t sel)
{
	m.c.gpr[X86_RBX] = 0xabcd0000u | sel;
	return m_exec(&m, (struct x86_insn){ .op = X86_OP_MOV_TO_SEG,
					     .form = X86_FORM_RR,
					     .osize = 1,
					     .dst = (uint8_t)seg,
					     .src = X86_RBX });
}

/* -- the matrix -------------------------------------------------------------------------------- */

struct load_row {
	const char *fact;
	unsigned int cpl;
	unsigned int seg;
	uint16_t sel;
	int vector; /* -1: loads */
	uint32_t error;
};

static const struct load_row load_rows[] = {
	{ "data", 0, HVM_SEG_DS, S_DATA0, -1, 0 },
	{ "null DS", 0, HVM_SEG_DS, 0, -1, 0 },
	{ "null ES with RPL", 3, HVM_SEG_ES, 3, -1, 0 },
	{ "null SS", 0, HVM_SEG_SS, 0, X86_GP, 0 },
	{ "beyond the GDT", 0, HVM_SEG_DS, 0x1000, X86_GP, 0x1000 },
	{ "error code has no RPL", 3, HVM_SEG_DS, 0x1003, X86_GP, 0x1000 },
	{ "no LDT", 0, HVM_SEG_FS, 0x0c, X86_GP, 0x0c },
	{ "outer data from ring 0", 0, HVM_SEG_GS, S_DATA3, -1, 0 },
	{ "inner data from ring 3", 3, HVM_SEG_DS, S_DATA0, X86_GP, S_DATA0 },
	{ "RPL above DPL", 0, HVM_SEG_DS, S_DATA0 | 3, X86_GP, S_DATA0 },
	{ "readable code", 0, HVM_SEG_DS, S_CODE0, -1, 0 },
	{ "conforming code from ring 3", 3, HVM_SEG_DS, S_CONF | 3, -1, 0 },
	{ "execute-only code", 0, HVM_SEG_DS, S_XONLY, X86_GP, S_XONLY },
	{ "system segment", 0, HVM_SEG_DS, S_TSS, X86_GP, S_TSS },
	{ "not present", 0, HVM_SEG_DS, S_ABSENT, X86_NP, S_ABSENT },
	{ "read-only data", 3, HVM_SEG_DS, S_RODATA | 3, -1, 0 },
	{ "SS", 0, HVM_SEG_SS, S_DATA0, -1, 0 },
	{ "SS of ring 3", 3, HVM_SEG_SS, S_DATA3, -1, 0 },
	{ "SS RPL", 0, HVM_SEG_SS, S_DATA0 | 1, X86_GP, S_DATA0 },
	{ "SS DPL", 0, HVM_SEG_SS, S_DATA3 & ~3, X86_GP, S_DATA3 & ~3 },
	{ "SS read-only", 3, HVM_SEG_SS, S_RODATA | 3, X86_GP, S_RODATA },
	{ "SS code", 0, HVM_SEG_SS, S_CODE0, X86_GP, S_CODE0 },
	{ "SS not present", 0, HVM_SEG_SS, S_SSABSENT, X86_SS, S_SSABSENT },
};

static void protected_mode_loads_and_faults(void **state)
{
	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(load_rows); n++) {
		const struct load_row *r = &load_rows[n];
		struct hvm_seg before;
		int rc;

		m_make(&m, PROT, r->cpl);
		before = m.c.seg[r->seg];
		rc = load(r->seg, r->sel);
		if (r->vector >= 0) {
			m_expect_fault(&m, rc, (unsigned int)r->vector, r->error, r->fact);
			assert_memory_equal(&before, &m.c.seg[r->seg], sizeof(before));
		} else if (rc == X86_ABORT) {
			fail_msg("%s: vector %u error %#x", r->fact, m.c.exc.vector, m.c.exc.error);
		} else {
			assert_int_equal(m.c.seg[r->seg].sel, r->sel);
		}
	}
}

static void real_mode_keeps_limit_and_rights(void **state)
{
	(void)state;
	m_make(&m, REAL, 0);
	m.c.seg[HVM_SEG_DS].limit = 0xffffffff; /* big real mode */
	m.c.seg[HVM_SEG_DS].ar = 0xc093;
	assert_int_equal(load(HVM_SEG_DS, 0x1234), X86_NEXT);
	assert_int_equal(m.c.seg[HVM_SEG_DS].base, 0x12340);
	assert_int_equal(m.c.seg[HVM_SEG_DS].limit, 0xffffffff);
	assert_int_equal(m.c.seg[HVM_SEG_DS].ar, 0xc093);
	/* What protected mode left null becomes usable. */
	x86_seg_set_null(&m.c.seg[HVM_SEG_ES], 0, 0);
	assert_int_equal(load(HVM_SEG_ES, 0x10), X86_NEXT);
	assert_int_equal(m.c.seg[HVM_SEG_ES].ar, 0x93);
	assert_int_equal(m.c.seg[HVM_SEG_ES].limit, 0xffff);
}

static void virtual_8086_loads_64k_of_ring_3(void **state)
{
	(void)state;
	m_make(&m, VM86, 3);
	assert_int_not_equal(load(HVM_SEG_SS, 0x1234), X86_ABORT);
	assert_int_equal(m.c.seg[HVM_SEG_SS].base, 0x12340);
	assert_int_equal(m.c.seg[HVM_SEG_SS].ar, 0xf3);
	assert_int_equal(m.c.cpl, 3);
}

static void a_load_sets_the_accessed_bit(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	assert_int_equal(m.mem[M_GDT + S_FRESH + 5], 0x92);
	assert_int_not_equal(load(HVM_SEG_ES, S_FRESH), X86_ABORT);
	assert_int_equal(m.mem[M_GDT + S_FRESH + 5], 0x93);
	assert_int_equal(m.c.seg[HVM_SEG_ES].ar, 0xc093);
}

static void loads_of_ss_hold_interrupts_off(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	assert_int_equal(load(HVM_SEG_SS, S_DATA0), X86_END);
	assert_int_equal(m.c.intr_shadow, HVM_INTR_SHADOW_MOV_SS);
}

static void the_block_goes_on_when_the_mode_stays(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	assert_int_equal(load(HVM_SEG_DS, S_DATA3), X86_NEXT);
	assert_int_equal(load(HVM_SEG_DS, S_DATA16), X86_END); /* no longer flat */
	assert_false(m.c.mode & X86_MODE_FLAT);
	assert_int_equal(load(HVM_SEG_DS, S_DATA0), X86_END);
	m_make(&m, LONG, 0);
	assert_int_equal(load(HVM_SEG_DS, 0), X86_NEXT);
	assert_int_equal(load(HVM_SEG_DS, S_DATA16), X86_NEXT);
}

static void null_stack_in_64_bit_mode(void **state)
{
	(void)state;
	m_make(&m, LONG, 0);
	assert_int_equal(load(HVM_SEG_SS, 0), X86_END);
	assert_int_equal(m.c.cpl, 0);
	m_expect_fault(&m, load(HVM_SEG_SS, 1), X86_GP, 0, "RPL of a null SS");
	m_make(&m, LONG, 3);
	m_expect_fault(&m, load(HVM_SEG_SS, 3), X86_GP, 0, "ring 3");
}

static void the_ldt_serves_too(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m.c.gpr[X86_RBX] = S_LDT;
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_LLDT,
						       .form = X86_FORM_R,
						       .osize = 1,
						       .dst = X86_RBX }),
			 X86_NEXT);
	assert_int_equal(m.c.seg[HVM_SEG_LDTR].base, M_LDT);
	m_put64(&m, M_LDT + 8, m_desc(0x7000, 0xfff, 0x4093));
	assert_int_not_equal(load(HVM_SEG_ES, 0x0c), X86_ABORT);
	assert_int_equal(m.c.seg[HVM_SEG_ES].base, 0x7000);
	assert_int_equal(m.c.seg[HVM_SEG_ES].limit, 0xfff);
	m_expect_fault(&m, load(HVM_SEG_ES, 0x24), X86_GP, 0x24, "beyond the LDT");
}

/* -- PUSH, POP, MOV from, far pointers --------------------------------------------------------- */

static void push_and_pop_move_the_stack_by_the_operand_size(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_PUSH_SEG,
						       .form = X86_FORM_R,
						       .osize = 2,
						       .src = HVM_SEG_CS }),
			 X86_NEXT);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP - 4);
	assert_int_equal(m_get(&m, M_SP - 4, 4), S_CODE0);
	m_put32(&m, M_SP - 4, 0xffff0000u | S_DATA3);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_POP_SEG,
						       .form = X86_FORM_R,
						       .osize = 2,
						       .dst = HVM_SEG_FS }),
			 X86_NEXT);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
	assert_int_equal(m.c.seg[HVM_SEG_FS].sel, S_DATA3);
}

static void a_pop_that_faults_leaves_the_stack_pointer(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m_put32(&m, M_SP, S_ABSENT);
	m_expect_fault(&m,
		       m_exec(&m, (struct x86_insn){ .op = X86_OP_POP_SEG,
						     .form = X86_FORM_R,
						     .osize = 2,
						     .dst = HVM_SEG_DS }),
		       X86_NP, S_ABSENT, "POP DS");
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
}

static void mov_from_a_segment_by_operand_size(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m.c.gpr[X86_RAX] = 0xffffffff;
	m_exec(&m, (struct x86_insn){ .op = X86_OP_MOV_FROM_SEG,
				      .form = X86_FORM_RR,
				      .osize = 1,
				      .dst = X86_RAX,
				      .src = HVM_SEG_DS });
	assert_int_equal(m.c.gpr[X86_RAX], 0xffff0000u | S_DATA0);
	m_exec(&m, (struct x86_insn){ .op = X86_OP_MOV_FROM_SEG,
				      .form = X86_FORM_RR,
				      .osize = 2,
				      .dst = X86_RAX,
				      .src = HVM_SEG_DS });
	assert_int_equal(m.c.gpr[X86_RAX], S_DATA0);
	m_put32(&m, M_DATA, 0xffffffff);
	m_exec(&m, (struct x86_insn){ .op = X86_OP_MOV_FROM_SEG,
				      .form = X86_FORM_MR,
				      .osize = 1,
				      .asize = 2,
				      .src = HVM_SEG_DS,
				      M_MEM });
	assert_int_equal(m_get(&m, M_DATA, 4), 0xffff0000u | S_DATA0);
}

static void far_pointers_load_segment_and_register_together(void **state)
{
	struct x86_insn i = { .op = X86_OP_LES,
			      .form = X86_FORM_RM,
			      .osize = 2,
			      .asize = 2,
			      .dst = HVM_SEG_ES,
			      .src = X86_RDI,
			      M_MEM };

	(void)state;
	m_make(&m, PROT, 0);
	m_put32(&m, M_DATA, 0x12345678);
	m_put16(&m, M_DATA + 4, S_DATA3);
	assert_int_equal(m_exec(&m, i), X86_NEXT);
	assert_int_equal(m.c.gpr[X86_RDI], 0x12345678);
	assert_int_equal(m.c.seg[HVM_SEG_ES].sel, S_DATA3);
	m_put32(&m, M_DATA, 0);
	m_put16(&m, M_DATA + 4, S_ABSENT);
	m_expect_fault(&m, m_exec(&m, i), X86_NP, S_ABSENT, "LES");
	assert_int_equal(m.c.gpr[X86_RDI], 0x12345678);
}

/* -- bases
 * ---------------------------------------------------------------------------------------------------
 */

static void fs_and_gs_bases(void **state)
{
	struct x86_insn i = {
		.op = X86_OP_WRGSBASE, .form = X86_FORM_R, .osize = 3, .dst = X86_RAX
	};

	(void)state;
	m_make(&m, LONG, 3);
	m.c.gpr[X86_RAX] = 0x7f0012345678ull;
	m_expect_fault(&m, m_exec(&m, i), X86_UD, 0, "CR4.FSGSBASE");
	m.c.cr4 |= X86_CR4_FSGSBASE;
	assert_int_equal(m_exec(&m, i), X86_NEXT);
	assert_true(m.c.seg[HVM_SEG_GS].base == 0x7f0012345678ull);
	m.c.gpr[X86_RAX] = 1ull << 47;
	m_expect_fault(&m, m_exec(&m, i), X86_GP, 0, "canonical");
	i.op = X86_OP_RDGSBASE;
	assert_int_equal(m_exec(&m, i), X86_NEXT);
	assert_true(m.c.gpr[X86_RAX] == 0x7f0012345678ull);
	i.osize = 2;
	assert_int_equal(m_exec(&m, i), X86_NEXT);
	assert_int_equal(m.c.gpr[X86_RAX], 0x12345678);
}

/* -- tables
 * -----------------------------------------------------------------------------------------------------
 */

static void lgdt_reads_24_32_or_64_bits_of_base(void **state)
{
	struct x86_insn i = {
		.op = X86_OP_LGDT, .form = X86_FORM_M, .osize = 2, .asize = 2, M_MEM
	};

	(void)state;
	m_make(&m, PROT, 0);
	m_put16(&m, M_DATA, 0x1234);
	m_put64(&m, M_DATA + 2, 0xffff89ab12345678ull);
	assert_int_equal(m_exec(&m, i), X86_NEXT);
	assert_int_equal(m.c.gdtr.limit, 0x1234);
	assert_int_equal(m.c.gdtr.base, 0x12345678);
	i.flags = X86_F_66;
	assert_int_equal(m_exec(&m, i), X86_NEXT);
	assert_int_equal(m.c.gdtr.base, 0x345678);
	m_make(&m, LONG, 0);
	m_put16(&m, M_DATA, 0x1234);
	m_put64(&m, M_DATA + 2, 0xffff89ab12345678ull);
	i.asize = i.osize = 3;
	assert_int_equal(m_exec(&m, i), X86_NEXT);
	assert_true(m.c.gdtr.base == 0xffff89ab12345678ull);
	m_put64(&m, M_DATA + 2, 0x00ff89ab12345678ull);
	m_expect_fault(&m, m_exec(&m, i), X86_GP, 0, "canonical");
	m_make(&m, PROT, 3);
	m_expect_fault(&m, m_exec(&m, i), X86_GP, 0, "ring 3");
}

static void sgdt_obeys_umip(void **state)
{
	struct x86_insn i = {
		.op = X86_OP_SGDT, .form = X86_FORM_M, .osize = 2, .asize = 2, M_MEM
	};

	(void)state;
	m_make(&m, PROT, 3);
	assert_int_equal(m_exec(&m, i), X86_NEXT);
	assert_int_equal(m_get(&m, M_DATA, 2), M_GDT_BYTES - 1);
	assert_int_equal(m_get(&m, M_DATA + 2, 4), M_GDT);
	m.c.cr4 |= X86_CR4_UMIP;
	m_expect_fault(&m, m_exec(&m, i), X86_GP, 0, "UMIP");
	i.op = X86_OP_STR;
	m_expect_fault(&m, m_exec(&m, i), X86_GP, 0, "UMIP STR");
}

static int ltr(uint16_t sel)
{
	m.c.gpr[X86_RBX] = sel;
	return m_exec(&m,
		      (struct x86_insn){
			      .op = X86_OP_LTR, .form = X86_FORM_R, .osize = 1, .dst = X86_RBX });
}

static void ltr_takes_an_available_tss_and_makes_it_busy(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m_expect_fault(&m, ltr(0), X86_GP, 0, "null");
	m_expect_fault(&m, ltr(S_TSS), X86_GP, S_TSS, "busy");
	m_expect_fault(&m, ltr(S_DATA0), X86_GP, S_DATA0, "data");
	m_expect_fault(&m, ltr(S_TSS2 | 4), X86_GP, S_TSS2 | 4, "LDT");
	assert_int_equal(ltr(S_TSS2), X86_NEXT);
	assert_int_equal(m.c.seg[HVM_SEG_TR].base, M_TSS2);
	assert_int_equal(m.c.seg[HVM_SEG_TR].ar & 0xf, 0xb);
	assert_int_equal(m.mem[M_GDT + S_TSS2 + 5], 0x8b);
	m_make(&m, REAL, 0);
	m_expect_fault(&m, ltr(S_TSS2), X86_UD, 0, "real mode");
	/* Long mode: 16 bytes. */
	m_make(&m, LONG, 0);
	m_set_desc(&m, S_GATE, m_desc(0x12345678, 0x67, 0x89));
	m_put64(&m, M_GDT + S_GATE + 8, 0xffff8880);
	assert_int_equal(ltr(S_GATE), X86_NEXT);
	assert_true(m.c.seg[HVM_SEG_TR].base == 0xffff888012345678ull);
}

/* -- questions
 * ----------------------------------------------------------------------------------------------------
 */

static void lar_lsl_verr_verw_answer_in_zf(void **state)
{
	static const struct {
		const char *fact;
		unsigned int cpl;
		uint16_t sel;
		bool lar, lsl, verr, verw;
	} rows[] = {
		{ "null", 0, 0, false, false, false, false },
		{ "beyond", 0, 0x1000, false, false, false, false },
		{ "no LDT", 0, 0xc, false, false, false, false },
		{ "data", 0, S_DATA0, true, true, true, true },
		{ "data, RPL 3", 0, S_DATA0 | 3, false, false, false, false },
		{ "data from ring 3", 3, S_DATA0, false, false, false, false },
		{ "code", 0, S_CODE0, true, true, true, false },
		{ "execute-only", 0, S_XONLY, true, true, false, false },
		{ "conforming from ring 3", 3, S_CONF | 3, true, true, true, false },
		{ "read-only", 3, S_RODATA | 3, true, true, true, false },
		{ "TSS", 0, S_TSS, true, true, false, false },
		{ "LDT", 0, S_LDT, true, true, false, false },
		{ "call gate", 0, S_GATE, true, false, false, false },
		{ "reserved type", 0, S_FREE, false, false, false, false },
	};
	static const uint16_t ops[] = { X86_OP_LAR, X86_OP_LSL, X86_OP_VERR, X86_OP_VERW };

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		const bool want[] = { rows[n].lar, rows[n].lsl, rows[n].verr, rows[n].verw };

		for (unsigned int o = 0; o < 4; o++) {
			m_make(&m, PROT, rows[n].cpl);
			m_set_desc(&m, S_GATE, m_gate_raw(S_CODE0, 0, 0x8c, 0));
			m.c.gpr[X86_RBX] = rows[n].sel;
			assert_int_equal(
				m_exec(&m,
				       (struct x86_insn){ .op = ops[o],
							  .form = o < 2 ? X86_FORM_RR : X86_FORM_R,
							  .osize = o < 2 ? 2 : 1,
							  .dst = o < 2 ? X86_RAX : X86_RBX,
							  .src = X86_RBX }),
				X86_NEXT);
			if (x86_cond(&m.c, 4) != want[o])
				fail_msg("%s: operation %u", rows[n].fact, o);
		}
	}
}

static void lar_and_lsl_values(void **state)
{
	struct x86_insn i = {
		.op = X86_OP_LAR, .form = X86_FORM_RR, .osize = 2, .dst = X86_RAX, .src = X86_RBX
	};

	(void)state;
	m_make(&m, PROT, 0);
	m.c.gpr[X86_RBX] = S_DATA0;
	m_exec(&m, i);
	assert_int_equal(m.c.gpr[X86_RAX], 0xc09300);
	i.op = X86_OP_LSL;
	m_exec(&m, i);
	assert_int_equal(m.c.gpr[X86_RAX], 0xffffffff);
	i.osize = 1;
	m.c.gpr[X86_RAX] = 0x12345678;
	m.c.gpr[X86_RBX] = S_TSS;
	m_exec(&m, i);
	assert_int_equal(m.c.gpr[X86_RAX], 0x12340067);
}

/* -- the mode word
 * ---------------------------------------------------------------------------------------------------
 */

static void the_mode_word_follows_the_registers(void **state)
{
	static const struct {
		enum machine_kind kind;
		unsigned int cpl;
		uint32_t mode;
	} rows[] = {
		{ REAL, 0, X86_CODE16 | 1 << X86_MODE_SS_SHIFT },
		{ PROT, 0,
		  X86_CODE32 | 2 << X86_MODE_SS_SHIFT | X86_MODE_PE | X86_MODE_FLAT |
			  X86_MODE_FLAT_FSGS },
		{ PROT, 3,
		  X86_CODE32 | 2 << X86_MODE_SS_SHIFT | X86_MODE_PE | X86_MODE_FLAT |
			  X86_MODE_FLAT_FSGS | X86_MODE_CPL_MASK },
		{ VM86, 3,
		  X86_CODE16 | 1 << X86_MODE_SS_SHIFT | X86_MODE_PE | X86_MODE_VM |
			  X86_MODE_CPL_MASK },
		{ LONG, 3,
		  X86_CODE64 | 3 << X86_MODE_SS_SHIFT | X86_MODE_PE | X86_MODE_LMA | X86_MODE_FLAT |
			  X86_MODE_FLAT_FSGS | X86_MODE_CPL_MASK },
		{ COMPAT, 0,
		  X86_CODE32 | 2 << X86_MODE_SS_SHIFT | X86_MODE_PE | X86_MODE_LMA | X86_MODE_FLAT |
			  X86_MODE_FLAT_FSGS },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		m_make(&m, rows[n].kind, rows[n].cpl);
		assert_int_equal(m.c.mode, rows[n].mode);
	}
	m_make(&m, PROT, 3);
	m.c.cr0 |= X86_CR0_AM | X86_CR0_TS;
	m.c.rflags_rest |= X86_EFL_AC;
	x86_update_mode(&m.c);
	assert_true(m.c.mode & X86_MODE_AC);
	assert_true(m.c.mode & X86_MODE_NO_FPU);
	assert_ptr_equal(m.c.tlb_r, m.tlb.r[X86_TLB_USER]);
	/* A read-only or expand-down segment is not flat. */
	m_make(&m, PROT, 0);
	m.c.seg[HVM_SEG_DS].ar &= ~HVM_AR_RW;
	x86_update_mode(&m.c);
	assert_false(m.c.mode & X86_MODE_FLAT);
}

static void power_on_and_init(void **state)
{
	struct x86_cpu *c = &m.c;

	(void)state;
	m_make(&m, LONG, 0);
	c->fpu.mxcsr = 0x1fa0;
	c->lstar = 0x1234;
	c->tsc_aux = 7;
	x86_cpu_reset(c, true);
	assert_int_equal(c->fpu.mxcsr, 0x1fa0);
	assert_int_equal(c->lstar, 0x1234);
	assert_int_equal(c->cr0, X86_CR0_ET);
	assert_int_equal(c->mode, X86_CODE16 | 1 << X86_MODE_SS_SHIFT);
	x86_cpu_reset(c, false);
	assert_int_equal(c->cr0, 0x60000010);
	assert_int_equal(c->x86_ip, 0xfff0);
	assert_int_equal(c->seg[HVM_SEG_CS].base, 0xffff0000);
	assert_int_equal(c->seg[HVM_SEG_CS].sel, 0xf000);
	assert_int_equal(c->gpr[X86_RDX], 0x000306a9);
	assert_int_equal(c->fpu.mxcsr, 0x1f80);
	assert_int_equal(c->fpu.fcw, 0x40);
	assert_int_equal(c->lstar, 0);
	assert_int_equal(c->dr6, 0xffff0ff0);
	assert_int_equal(x86_get_rflags(c), 2);
}

static void state_goes_out_and_comes_back(void **state)
{
	static struct hvm_vcpu_state s, again;
	static struct x86_cpu before;

	(void)state;
	m_make(&m, LONG, 3);
	for (unsigned int n = 0; n < 16; n++) {
		m.c.gpr[n] = 0x0101010101010101ull * n;
		m.c.fpu.xmm[n].u64[1] = n;
	}
	m.c.fpu.fcw = 0x37f;
	m.c.fpu.fsw = 5 << 11;
	m.c.fpu.valid = 0xa5;
	for (unsigned int n = 0; n < 8; n++)
		m.c.fpu.r[n].mant = 0x8000000000000000ull | n;
	m.c.fpu.mxcsr = 0x1f80;
	m.c.kernel_gs_base = 0xffff888000000000ull;
	x86_put_rflags(&m.c, 0x246);
	x86_cpu_get_state(&m.c, &s);
	/* ST(0) is R5. */
	assert_int_equal(s.xsave[32], 5);
	assert_int_equal(s.xsave[4], 0xa5);
	assert_int_equal(s.xsave[512], 3);
	before = m.c;
	memset(m.c.gpr, 0xff, sizeof(m.c.gpr));
	memset(&m.c.fpu, 0xff, sizeof(m.c.fpu));
	memset(m.c.seg, 0, sizeof(m.c.seg));
	x86_cpu_put_state(&m.c, &s);
	assert_memory_equal(m.c.gpr, before.gpr, sizeof(before.gpr));
	assert_memory_equal(&m.c.fpu.xmm, &before.fpu.xmm, sizeof(before.fpu.xmm));
	assert_int_equal(m.c.fpu.r[5].mant, before.fpu.r[5].mant);
	assert_int_equal(m.c.mode, before.mode);
	x86_cpu_get_state(&m.c, &again);
	assert_memory_equal(&s, &again, sizeof(s));
	/* ES and B follow from flags and masks, whatever the area says. */
	s.xsave[3] |= 0x80;
	s.xsave[0] = 0x3f;
	x86_cpu_put_state(&m.c, &s);
	assert_int_equal(m.c.fpu.fsw, 5 << 11);
	assert_int_equal(m.c.fpu.fcw, 0x37f);
	s.xsave[2] |= 0x01;
	s.xsave[0] = 0x7e;
	x86_cpu_put_state(&m.c, &s);
	assert_int_equal(m.c.fpu.fsw, 0x8081 | 5 << 11);
	/* A component that the header leaves out is in its initial state. */
	s.xsave[512] = 0;
	x86_cpu_put_state(&m.c, &s);
	assert_int_equal(m.c.fpu.fcw, 0x37f);
	assert_int_equal(m.c.fpu.xmm[3].u64[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protected_mode_loads_and_faults),
		cmocka_unit_test(real_mode_keeps_limit_and_rights),
		cmocka_unit_test(virtual_8086_loads_64k_of_ring_3),
		cmocka_unit_test(a_load_sets_the_accessed_bit),
		cmocka_unit_test(loads_of_ss_hold_interrupts_off),
		cmocka_unit_test(the_block_goes_on_when_the_mode_stays),
		cmocka_unit_test(null_stack_in_64_bit_mode),
		cmocka_unit_test(the_ldt_serves_too),
		cmocka_unit_test(push_and_pop_move_the_stack_by_the_operand_size),
		cmocka_unit_test(a_pop_that_faults_leaves_the_stack_pointer),
		cmocka_unit_test(mov_from_a_segment_by_operand_size),
		cmocka_unit_test(far_pointers_load_segment_and_register_together),
		cmocka_unit_test(fs_and_gs_bases),
		cmocka_unit_test(lgdt_reads_24_32_or_64_bits_of_base),
		cmocka_unit_test(sgdt_obeys_umip),
		cmocka_unit_test(ltr_takes_an_available_tss_and_makes_it_busy),
		cmocka_unit_test(lar_lsl_verr_verw_answer_in_zf),
		cmocka_unit_test(lar_and_lsl_values),
		cmocka_unit_test(the_mode_word_follows_the_registers),
		cmocka_unit_test(power_on_and_init),
		cmocka_unit_test(state_goes_out_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
