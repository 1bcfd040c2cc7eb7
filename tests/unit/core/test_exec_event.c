/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_event.c - delivery of interrupts and exceptions: the frames of each mode, the checks of
 * gates, faults of faults, IRET as the way back.
 * Source: Intel SDM Vol 3A ch. 6 "Interrupt and Exception Handling".
 */
#include "sys_machine.h"

static struct machine m;

#define INTR32 0x8e
#define TRAP32 0x8f
#define INTR16 0x86
#define USER   0x60 /* DPL 3 */

static const struct hvm_event ext_intr = { .type = HVM_EVENT_EXT_INTR, .vector = 0x30 };
static const struct hvm_event sw_intr = { .type = HVM_EVENT_SW_INTR, .vector = 0x30 };

static struct hvm_event fault(unsigned int vector, uint32_t error)
{
	return (struct hvm_event){ .type = HVM_EVENT_HW_EXCEPTION,
				   .vector = (uint8_t)vector,
				   .has_error = 1,
				   .error = error };
}

/* -- frames -------------------------------------------------------------------------------------
 */

static void real_mode_pushes_flags_cs_ip_through_the_ivt(void **state)
{
	(void)state;
	m_make(&m, REAL, 0);
	m.c.seg[HVM_SEG_CS].sel = 0x123;
	m.c.rflags_rest |= X86_EFL_TF | X86_EFL_AC;
	m_put32(&m, 0x30 * 4, 0x0500u << 16 | 0x77);
	assert_int_equal(x86_event_try(&m.c, &ext_intr, 0x6002), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x77);
	assert_int_equal(m.c.seg[HVM_SEG_CS].sel, 0x500);
	assert_int_equal(m.c.seg[HVM_SEG_CS].base, 0x5000);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP - 6);
	assert_int_equal(m_get(&m, M_SP - 6, 2), 0x6002);
	assert_int_equal(m_get(&m, M_SP - 4, 2), 0x123);
	assert_int_equal(m_get(&m, M_SP - 2, 2), 0x302);
	assert_int_equal(x86_get_rflags(&m.c), 2);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 1 }),
			 X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x6002);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
	assert_int_equal(x86_get_rflags(&m.c), 0x302);
}

static void a_frame_goes_round_the_end_of_a_64k_stack(void **state)
{
	(void)state;
	m_make(&m, REAL, 0);
	m.c.gpr[X86_RSP] = 0xabcd0002;
	m_put32(&m, 0x30 * 4, 0x77);
	assert_int_equal(x86_event_try(&m.c, &ext_intr, 0x6002), X86_BRANCH);
	assert_int_equal(m.c.gpr[X86_RSP], 0xabcdfffc);
	assert_int_equal(m_get(&m, 0, 2), 0x202);
	assert_int_equal(m_get(&m, 0xfffc, 2), 0x6002);
	/* A word that would itself go round does not fit. */
	m.c.gpr[X86_RSP] = 1;
	m_expect_fault(&m, x86_event_try(&m.c, &ext_intr, 0x6002), X86_SS, 0, "odd");
}

static void protected_same_ring_pushes_three_words_and_the_error(void **state)
{
	struct hvm_event e = fault(X86_GP, 0x1234);

	(void)state;
	m_make(&m, PROT, 0);
	m_gate(&m, X86_GP, S_CODE0, 0x12345678, INTR32);
	assert_int_equal(x86_event_try(&m.c, &e, M_IP), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x12345678);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP - 16);
	assert_int_equal(m_get(&m, M_SP - 16, 4), 0x1234);
	assert_int_equal(m_get(&m, M_SP - 12, 4), M_IP);
	assert_int_equal(m_get(&m, M_SP - 8, 4), S_CODE0);
	assert_int_equal(m_get(&m, M_SP - 4, 4), 0x10202); /* RF: a fault */
	assert_int_equal(x86_get_rflags(&m.c), 2);
}

static void interrupts_push_no_rf_and_trap_gates_keep_if(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m.c.rflags_rest |= X86_EFL_NT | X86_EFL_TF;
	m_gate(&m, 0x30, S_CODE0, 0x100, TRAP32);
	assert_int_equal(x86_event_try(&m.c, &ext_intr, M_IP), X86_BRANCH);
	assert_int_equal(m_get(&m, M_SP - 4, 4), 0x4302);
	assert_int_equal(x86_get_rflags(&m.c), 0x202);
}

static void inner_ring_takes_its_stack_from_the_tss(void **state)
{
	(void)state;
	m_make(&m, PROT, 3);
	m_gate(&m, 0x30, S_CODE0, 0x100, INTR32 | USER);
	assert_int_equal(x86_event_try(&m.c, &sw_intr, 0x6002), X86_BRANCH);
	assert_int_equal(m.c.cpl, 0);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, S_DATA0);
	assert_int_equal(m.c.gpr[X86_RSP], M_STACK0 - 20);
	assert_int_equal(m_get(&m, M_STACK0 - 20, 4), 0x6002);
	assert_int_equal(m_get(&m, M_STACK0 - 16, 4), S_CODE3);
	assert_int_equal(m_get(&m, M_STACK0 - 12, 4), 0x202);
	assert_int_equal(m_get(&m, M_STACK0 - 8, 4), M_SP);
	assert_int_equal(m_get(&m, M_STACK0 - 4, 4), S_DATA3);
	/* Back to ring 3: what only ring 0 may use is taken away. */
	m_load(&m, HVM_SEG_DS, S_DATA0);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 2 }),
			 X86_BRANCH);
	assert_int_equal(m.c.cpl, 3);
	assert_int_equal(m.c.x86_ip, 0x6002);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, S_DATA3);
	assert_int_equal(m.c.seg[HVM_SEG_DS].sel, 0);
	assert_true(m.c.seg[HVM_SEG_DS].ar & HVM_AR_UNUSABLE);
	assert_int_equal(m.c.seg[HVM_SEG_ES].sel, S_DATA3);
}

static void gates_of_16_bits_push_words(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m_gate(&m, 0x30, S_CODE16, 0xffff0100, INTR16);
	assert_int_equal(x86_event_try(&m.c, &ext_intr, 0x16002), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x100);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP - 6);
	assert_int_equal(m_get(&m, M_SP - 6, 2), 0x6002);
	assert_int_equal(x86_code_size(&m.c), X86_CODE16);
}

static void virtual_8086_saves_all_segments_and_gets_them_back(void **state)
{
	static const uint16_t order[] = { M_IP, 0x100, 0, M_SP, 0x200, 0, 0x300, 0x400, 0x500 };

	(void)state;
	m_make(&m, VM86, 3);
	m_gate(&m, 0x30, S_CODE0, 0x100, INTR32);
	assert_int_equal(x86_event_try(&m.c, &ext_intr, M_IP), X86_BRANCH);
	assert_int_equal(m.c.gpr[X86_RSP], M_STACK0 - 36);
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(order); n++)
		if (n != 2)
			assert_int_equal(m_get(&m, M_STACK0 - 36 + n * 4, 4), order[n]);
	assert_int_equal(m_get(&m, M_STACK0 - 28, 4), 0x23202);
	assert_int_equal(m.c.cpl, 0);
	assert_false(x86_is_vm86(&m.c));
	assert_true(m.c.seg[HVM_SEG_GS].ar & HVM_AR_UNUSABLE);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 2 }),
			 X86_BRANCH);
	assert_true(x86_is_vm86(&m.c));
	assert_int_equal(m.c.cpl, 3);
	assert_int_equal(m.c.seg[HVM_SEG_GS].sel, 0x500);
	assert_int_equal(m.c.seg[HVM_SEG_SS].base, 0x2000);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
	assert_int_equal(x86_get_rflags(&m.c), 0x23202);
}

static void virtual_8086_reaches_ring_0_only(void **state)
{
	(void)state;
	m_make(&m, VM86, 3);
	m_gate(&m, 0x30, S_CODE3 & ~3, 0x100, INTR32);
	m_expect_fault(&m, x86_event_try(&m.c, &ext_intr, M_IP), X86_GP, (S_CODE3 & ~3) | 1,
		       "ring 3 code");
	m_gate(&m, 0x30, S_CONF, 0x100, INTR32);
	m_expect_fault(&m, x86_event_try(&m.c, &ext_intr, M_IP), X86_GP, S_CONF | 1, "conforming");
}

static void int_n_of_virtual_8086_wants_iopl_3(void **state)
{
	struct x86_insn i = { .op = X86_OP_INT, .imm = 0x30 };

	(void)state;
	m_make(&m, VM86, 3);
	m_gate(&m, 0x30, S_CODE0, 0x100, INTR32 | USER);
	m.c.rflags_rest &= ~(uint64_t)X86_EFL_IOPL;
	m_expect_fault(&m, m_exec(&m, i), X86_GP, 0, "IOPL 0");
	m.c.rflags_rest |= X86_EFL_IOPL;
	assert_int_equal(m_exec(&m, i), X86_BRANCH);
	assert_int_equal(m_get(&m, M_STACK0 - 36, 4), M_IP + 2);
}

static void long_mode_pushes_five_words_on_an_aligned_stack(void **state)
{
	struct hvm_event e = fault(X86_PF, 0x4);

	(void)state;
	m_make(&m, LONG, 3);
	m_put64(&m, M_TSS + 4, M_STACK0 + 7);
	m_gate(&m, X86_PF, S_CODE64, 0x5678, INTR32);
	m_put32(&m, M_IDT + X86_PF * 16 + 8, 0xffff8000);
	assert_int_equal(x86_event_try(&m.c, &e, M_IP), X86_BRANCH);
	assert_true(m.c.x86_ip == 0xffff800000005678ull);
	assert_int_equal(m.c.gpr[X86_RSP], M_STACK0 - 48);
	assert_int_equal(m_get(&m, M_STACK0 - 48, 8), 4);
	assert_int_equal(m_get(&m, M_STACK0 - 40, 8), M_IP);
	assert_int_equal(m_get(&m, M_STACK0 - 32, 8), S_CODE64_3);
	assert_int_equal(m_get(&m, M_STACK0 - 24, 8), 0x10202);
	assert_int_equal(m_get(&m, M_STACK0 - 16, 8), M_SP);
	assert_int_equal(m_get(&m, M_STACK0 - 8, 8), S_DATA3);
	assert_int_equal(m.c.cpl, 0);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, 0);
	assert_true(m.c.seg[HVM_SEG_SS].ar & HVM_AR_UNUSABLE);
	/* And back. */
	m.c.gpr[X86_RSP] += 8;
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 3 }),
			 X86_BRANCH);
	assert_int_equal(m.c.cpl, 3);
	assert_int_equal(m.c.x86_ip, M_IP);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
	assert_int_equal(x86_get_rflags(&m.c), 0x10202);
}

static void long_mode_ist_changes_the_stack_in_the_same_ring(void **state)
{
	(void)state;
	m_make(&m, LONG, 0);
	m_gate(&m, 2, S_CODE64, 0x100, INTR32);
	m.mem[M_IDT + 2 * 16 + 4] = 1;
	assert_int_equal(x86_event_try(&m.c,
				       &(struct hvm_event){ .type = HVM_EVENT_NMI, .vector = 2 },
				       M_IP),
			 X86_BRANCH);
	assert_int_equal(m.c.gpr[X86_RSP], 0xc000 - 40);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, S_DATA0); /* no change of ring: SS stays */
	assert_int_equal(m_get(&m, 0xc000 - 16, 8), M_SP);
	/* NMIs are held back until IRET. */
	assert_int_equal(m.c.intr_shadow, HVM_INTR_SHADOW_NMI);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 3 }),
			 X86_BRANCH);
	assert_int_equal(m.c.intr_shadow, 0);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
}

static void compatibility_mode_comes_back_as_such(void **state)
{
	(void)state;
	m_make(&m, COMPAT, 3);
	assert_int_equal(x86_code_size(&m.c), X86_CODE32);
	m_gate(&m, 0x30, S_CODE64, 0x100, INTR32);
	assert_int_equal(x86_event_try(&m.c, &ext_intr, M_IP), X86_BRANCH);
	assert_true(x86_is_code64(&m.c));
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 3 }),
			 X86_BRANCH);
	assert_int_equal(x86_code_size(&m.c), X86_CODE32);
	assert_int_equal(m.c.cpl, 3);
	assert_true(m.c.mode & X86_MODE_FLAT);
}

/* -- checks --------------------------------------------------------------------------------------
 */

struct gate_row {
	const char *fact;
	enum machine_kind kind;
	unsigned int cpl;
	bool software;
	uint16_t sel;
	uint32_t off;
	uint8_t ar;
	unsigned int vector;
	uint32_t error;
};

#define GATE (0x30 * 8 + 2)

static const struct gate_row gate_rows[] = {
	{ "reserved type", PROT, 0, false, S_CODE0, 0, 0x88, X86_GP, GATE | 1 },
	{ "call gate in the IDT", PROT, 0, false, S_CODE0, 0, 0x8c, X86_GP, GATE | 1 },
	{ "INT n below the gate's DPL", PROT, 3, true, S_CODE0, 0, INTR32, X86_GP, GATE },
	{ "privilege comes before presence", PROT, 3, true, S_CODE0, 0, 0x0e, X86_GP, GATE },
	{ "gate not present", PROT, 0, false, S_CODE0, 0, 0x0e, X86_NP, GATE | 1 },
	{ "gate not present, INT n", PROT, 0, true, S_CODE0, 0, 0x0e, X86_NP, GATE },
	{ "null code selector", PROT, 0, false, 3, 0, INTR32, X86_GP, 1 },
	{ "code selector beyond the GDT", PROT, 0, false, 0x400, 0, INTR32, X86_GP, 0x401 },
	{ "code selector in no LDT", PROT, 0, true, 0x0c, 0, INTR32, X86_GP, 0x0c },
	{ "data segment", PROT, 0, false, S_DATA0, 0, INTR32, X86_GP, S_DATA0 | 1 },
	{ "outer code", PROT, 0, false, S_CODE3, 0, INTR32, X86_GP, (S_CODE3 & ~3) | 1 },
	{ "code not present", PROT, 0, false, S_CABSENT, 0, INTR32, X86_NP, S_CABSENT | 1 },
	{ "offset beyond the limit", PROT, 0, false, S_CODE16, 0x10000, INTR32, X86_GP, 1 },
	{ "16-bit gate in long mode", LONG, 0, false, S_CODE64, 0, INTR16, X86_GP, GATE | 1 },
	{ "task gate in long mode", LONG, 0, false, S_TSS2, 0, 0x85, X86_GP, GATE | 1 },
	{ "32-bit code in long mode", LONG, 0, false, S_CODE0, 0, INTR32, X86_GP, S_CODE0 | 1 },
	{ "L and D", LONG, 0, true, S_CODE64BAD, 0, INTR32, X86_GP, S_CODE64BAD },
	{ "task gate to an LDT selector", PROT, 0, false, 0x2c, 0, 0x85, X86_GP, 0x2d },
	{ "task gate to a busy TSS", PROT, 0, false, S_TSS, 0, 0x85, X86_GP, S_TSS | 1 },
};

static void gates_are_checked(void **state)
{
	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(gate_rows); n++) {
		const struct gate_row *r = &gate_rows[n];
		struct x86_cpu before;

		m_make(&m, r->kind, r->cpl);
		m_gate(&m, 0x30, r->sel, r->off, r->ar);
		before = m.c;
		m_expect_fault(&m, x86_event_try(&m.c, r->software ? &sw_intr : &ext_intr, M_IP),
			       r->vector, r->error, r->fact);
		before.exc = m.c.exc;
		if (memcmp(&before, &m.c, sizeof(before)))
			fail_msg("%s: state changed", r->fact);
	}
}

static void the_idt_has_a_limit(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m.c.idtr.limit = 0x30 * 8 + 6;
	m_expect_fault(&m, x86_event_try(&m.c, &ext_intr, M_IP), X86_GP, GATE | 1, "protected");
	m_make(&m, LONG, 0);
	m.c.idtr.limit = 0x30 * 16 + 14;
	m_expect_fault(&m, x86_event_try(&m.c, &sw_intr, M_IP), X86_GP, GATE, "long");
	m_make(&m, REAL, 0);
	m.c.idtr.limit = 0x30 * 4 + 2;
	m_expect_fault(&m, x86_event_try(&m.c, &sw_intr, M_IP), X86_GP, 0, "real");
}

static void inner_stacks_are_checked(void **state)
{
	static const struct {
		const char *fact;
		uint16_t ss;
		uint32_t esp;
		unsigned int vector;
		uint32_t error;
	} rows[] = {
		{ "null", 0, M_STACK0, X86_TS, 1 },
		{ "beyond the GDT", 0x400, M_STACK0, X86_TS, 0x401 },
		{ "RPL", S_DATA0 | 1, M_STACK0, X86_TS, S_DATA0 | 1 },
		{ "DPL", S_DATA3 & ~3, M_STACK0, X86_TS, (S_DATA3 & ~3) | 1 },
		{ "code", S_CODE0, M_STACK0, X86_TS, S_CODE0 | 1 },
		{ "not present", S_SSABSENT, M_STACK0, X86_SS, S_SSABSENT | 1 },
		{ "no room", S_DATA16, 0x10010, X86_SS, S_DATA16 | 1 },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		m_make(&m, PROT, 3);
		/* A 16-bit stack whose limit leaves no room at its top. */
		m_set_desc(&m, S_DATA16, m_desc(0, 0x8, 0x93));
		m_gate(&m, 0x30, S_CODE0, 0x100, INTR32);
		m_put32(&m, M_TSS + 4, rows[n].esp);
		m_put32(&m, M_TSS + 8, rows[n].ss);
		m_expect_fault(&m, x86_event_try(&m.c, &ext_intr, M_IP), rows[n].vector,
			       rows[n].error, rows[n].fact);
		assert_int_equal(m.c.cpl, 3);
	}
	m_make(&m, PROT, 3);
	m_gate(&m, 0x30, S_CODE0, 0x100, INTR32);
	m.c.seg[HVM_SEG_TR].limit = 8;
	m_expect_fault(&m, x86_event_try(&m.c, &ext_intr, M_IP), X86_TS, S_TSS | 1, "TSS limit");
	m_make(&m, LONG, 3);
	m_gate(&m, 0x30, S_CODE64, 0x100, INTR32);
	m_put64(&m, M_TSS + 4, 1ull << 60);
	m_expect_fault(&m, x86_event_try(&m.c, &ext_intr, M_IP), X86_SS, 1, "canonical RSP0");
	m_put64(&m, M_TSS + 4, M_STACK0);
	m_put32(&m, M_IDT + 0x30 * 16 + 8, 0x12340000);
	m_expect_fault(&m, x86_event_try(&m.c, &ext_intr, M_IP), X86_GP, 1, "canonical RIP");
}

/* -- faults of faults -------------------------------------------------------------------------- */

static void nested_faults_become_double_faults(void **state)
{
	static const struct {
		uint8_t first, second_ar; /* gate of the first: 0: #GP, 0x0e: #NP */
		bool doubles;
	} rows[] = {
		{ X86_DE, 0, true },  { X86_GP, 0, true },     { X86_NP, 0x0e, true },
		{ X86_PF, 0, true },  { X86_PF, 0x0e, true },  { X86_UD, 0, false },
		{ X86_NM, 0, false }, { X86_AC, 0x0e, false }, { X86_DB, 0, false },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		struct hvm_event e = fault(rows[n].first, 0);

		m_make(&m, PROT, 0);
		m_gate(&m, X86_DF, S_CODE0, 0xdf, INTR32);
		m_gate(&m, X86_GP, S_CODE0, 0x99, INTR32);
		m_gate(&m, X86_NP, S_CODE0, 0x99, INTR32);
		m_gate(&m, rows[n].first, S_CODE0, 0, rows[n].second_ar);
		assert_int_equal(x86_deliver(&m.c, &e), 0);
		assert_int_equal(m.c.x86_ip, rows[n].doubles ? 0xdf : 0x99);
		assert_int_equal(m_get(&m, m.c.gpr[X86_RSP], 4),
				 rows[n].doubles ? 0 : rows[n].first * 8 + 3);
	}
}

static void an_interrupt_that_faults_is_a_plain_fault(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m_gate(&m, X86_GP, S_CODE0, 0x99, INTR32);
	assert_int_equal(x86_deliver(&m.c, &ext_intr), 0);
	assert_int_equal(m.c.x86_ip, 0x99);
	assert_int_equal(m_get(&m, M_SP - 16, 4), GATE | 1);
	assert_int_equal(m_get(&m, M_SP - 12, 4), M_IP);
}

static void a_fault_of_a_double_fault_shuts_down(void **state)
{
	struct hvm_event e = fault(X86_GP, 0);

	(void)state;
	m_make(&m, PROT, 0);
	assert_int_equal(x86_deliver(&m.c, &e), -HVM_EIO);
	assert_int_equal(m.c.stop, X86_STOP_SHUTDOWN);
	assert_int_equal(m.c.activity, HVM_ACTIVITY_SHUTDOWN);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
}

static void page_and_debug_faults_leave_their_registers(void **state)
{
	struct hvm_event e = fault(X86_PF, 2);

	(void)state;
	m_make(&m, PROT, 0);
	m_gate(&m, X86_PF, S_CODE0, 0x100, INTR32);
	m_gate(&m, X86_DB, S_CODE0, 0x100, INTR32);
	m.c.exc_cr2 = 0xdeadb000;
	assert_int_equal(x86_deliver(&m.c, &e), 0);
	assert_true(m.c.cr2 == 0xdeadb000);

	e = (struct hvm_event){ .type = HVM_EVENT_HW_EXCEPTION, .vector = X86_DB };
	m.c.dr6 |= 0x3;
	m.c.dr7 |= HVM_BIT(13);
	m.c.exc_dr6 = 0x4004;
	assert_int_equal(x86_deliver(&m.c, &e), 0);
	assert_true(m.c.dr6 == 0xffff4ff4);
	assert_true(m.c.dr7 == 0x400);
	assert_int_equal(m_get(&m, m.c.gpr[X86_RSP] + 8, 4) & X86_EFL_RF, 0);
}

static void int3_needs_the_gates_dpl_and_int1_does_not(void **state)
{
	(void)state;
	m_make(&m, PROT, 3);
	m_gate(&m, X86_BP, S_CODE0, 0x100, INTR32);
	m_gate(&m, X86_DB, S_CODE0, 0x200, INTR32);
	m_expect_fault(&m, m_exec(&m, (struct x86_insn){ .op = X86_OP_INT3, .len = 1 }), X86_GP,
		       X86_BP * 8 + 2, "INT3");
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_INT1, .len = 1 }), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x200);
	assert_int_equal(m_get(&m, M_STACK0 - 20, 4), M_IP + 1);
}

static void into_asks_for_of(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m_gate(&m, X86_OF, S_CODE0, 0x100, INTR32);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_INTO, .len = 1 }), X86_NEXT);
	x86_put_rflags(&m.c, x86_get_rflags(&m.c) | X86_EFL_OF);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_INTO, .len = 1 }), X86_BRANCH);
}

/* -- IRET's own checks ------------------------------------------------------------------------- */

static void iret_frame(uint64_t ip, uint64_t cs, uint64_t rflags, uint64_t sp, uint64_t ss)
{
	const uint64_t frame[5] = { ip, cs, rflags, sp, ss };
	unsigned int bytes = m.c.mode & X86_MODE_LMA ? 8 : 4;

	m.c.gpr[X86_RSP] = M_SP - 5 * bytes;
	for (unsigned int n = 0; n < 5; n++)
		memcpy(m.mem + M_SP - (5 - n) * bytes, &frame[n], bytes);
}

static void iret_checks_where_it_goes(void **state)
{
	static const struct {
		const char *fact;
		enum machine_kind kind;
		unsigned int cpl;
		uint64_t ip, cs, rflags, ss;
		unsigned int vector;
		uint32_t error;
	} rows[] = {
		{ "null CS", PROT, 0, 0, 0, 2, 0, X86_GP, 0 },
		{ "data as CS", PROT, 0, 0, S_DATA0, 2, 0, X86_GP, S_DATA0 },
		{ "inner ring", PROT, 3, 0, S_CODE0, 2, 0, X86_GP, S_CODE0 },
		{ "RPL of nonconforming code", PROT, 0, 0, S_CODE0 | 3, 2, 0, X86_GP, S_CODE0 },
		{ "CS not present", PROT, 0, 0, S_CABSENT, 2, 0, X86_NP, S_CABSENT },
		{ "beyond the limit", PROT, 0, 0x10000, S_CODE16, 2, 0, X86_GP, 0 },
		{ "null SS outward", PROT, 0, 0, S_CODE3, 2, 0, X86_GP, 0 },
		{ "SS of another ring", PROT, 0, 0, S_CODE3, 2, S_DATA0, X86_GP, S_DATA0 },
		{ "read-only SS", PROT, 0, 0, S_CODE3, 2, S_RODATA | 3, X86_GP, S_RODATA },
		{ "NT in long mode", LONG, 0, 0, S_CODE64, 2, 0, X86_GP, 0 },
		{ "L and D", LONG, 0, 0, S_CODE64BAD, 2, 0, X86_GP, S_CODE64BAD },
		{ "canonical RIP", LONG, 0, 1ull << 47, S_CODE64, 2, 0, X86_GP, 0 },
		{ "null SS in ring 3", LONG, 0, 0, S_CODE64_3, 2, 3, X86_GP, 0 },
		{ "null SS for 32-bit code", LONG, 0, 0, S_CODE0, 2, 0, X86_GP, 0 },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		m_make(&m, rows[n].kind, rows[n].cpl);
		iret_frame(rows[n].ip, rows[n].cs, rows[n].rflags, M_STACK3, rows[n].ss);
		if (!strcmp(rows[n].fact, "NT in long mode"))
			m.c.rflags_rest |= X86_EFL_NT;
		m_expect_fault(
			&m,
			m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET,
						      .osize = rows[n].kind == LONG ? 3 : 2 }),
			rows[n].vector, rows[n].error, rows[n].fact);
	}
}

static void iret_loads_a_null_stack_in_ring_0(void **state)
{
	(void)state;
	m_make(&m, LONG, 0);
	iret_frame(0x1234, S_CODE64, 0x202, 0x8888, 0);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 3 }),
			 X86_BRANCH);
	assert_int_equal(m.c.gpr[X86_RSP], 0x8888);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, 0);
	assert_int_equal(m.c.cpl, 0);
}

static void iret_changes_only_the_flags_it_may(void **state)
{
	(void)state;
	m_make(&m, PROT, 3);
	x86_put_rflags(&m.c, 2 | X86_EFL_IF);
	m_put32(&m, M_SP, 0x1000);
	m_put32(&m, M_SP + 4, S_CODE3);
	m_put32(&m, M_SP + 8, X86_EFL_IOPL | X86_EFL_ID | X86_EFL_VIF | X86_EFL_CF);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 2 }),
			 X86_BRANCH);
	/* IOPL 0, CPL 3: IF, IOPL and VIF stay. */
	assert_int_equal(x86_get_rflags(&m.c), 2 | X86_EFL_IF | X86_EFL_ID | X86_EFL_CF);
}

/* -- breakpoints ------------------------------------------------------------------------------- */

static void breakpoints_match_their_kind_and_length(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m.c.dr[0] = 0x1000;
	m.c.dr[1] = 0x2004;
	m.c.dr[2] = 0x3000;
	/* 0: execute; 1: write, 4 bytes; 2: read and write, 8 bytes. */
	m.c.dr7 = 0x400 | 0x2a | 0xdull << 20 | 0xbull << 24;
	assert_int_equal(x86_code_breakpoint(&m.c, 0x1000), 1);
	assert_int_equal(x86_code_breakpoint(&m.c, 0x2004), 0);
	assert_int_equal(x86_data_breakpoint(&m.c, 0x2007, 1, true), 2);
	assert_int_equal(x86_data_breakpoint(&m.c, 0x2000, 4, true), 0);
	assert_int_equal(x86_data_breakpoint(&m.c, 0x2001, 4, true), 2);
	assert_int_equal(x86_data_breakpoint(&m.c, 0x2004, 4, false), 0);
	assert_int_equal(x86_data_breakpoint(&m.c, 0x3007, 1, false), 4);
	assert_int_equal(x86_data_breakpoint(&m.c, 0x1000, 1, true), 0);
	m.c.rflags_rest |= X86_EFL_RF;
	assert_int_equal(x86_code_breakpoint(&m.c, 0x1000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_mode_pushes_flags_cs_ip_through_the_ivt),
		cmocka_unit_test(a_frame_goes_round_the_end_of_a_64k_stack),
		cmocka_unit_test(protected_same_ring_pushes_three_words_and_the_error),
		cmocka_unit_test(interrupts_push_no_rf_and_trap_gates_keep_if),
		cmocka_unit_test(inner_ring_takes_its_stack_from_the_tss),
		cmocka_unit_test(gates_of_16_bits_push_words),
		cmocka_unit_test(virtual_8086_saves_all_segments_and_gets_them_back),
		cmocka_unit_test(virtual_8086_reaches_ring_0_only),
		cmocka_unit_test(int_n_of_virtual_8086_wants_iopl_3),
		cmocka_unit_test(long_mode_pushes_five_words_on_an_aligned_stack),
		cmocka_unit_test(long_mode_ist_changes_the_stack_in_the_same_ring),
		cmocka_unit_test(compatibility_mode_comes_back_as_such),
		cmocka_unit_test(gates_are_checked),
		cmocka_unit_test(the_idt_has_a_limit),
		cmocka_unit_test(inner_stacks_are_checked),
		cmocka_unit_test(nested_faults_become_double_faults),
		cmocka_unit_test(an_interrupt_that_faults_is_a_plain_fault),
		cmocka_unit_test(a_fault_of_a_double_fault_shuts_down),
		cmocka_unit_test(page_and_debug_faults_leave_their_registers),
		cmocka_unit_test(int3_needs_the_gates_dpl_and_int1_does_not),
		cmocka_unit_test(into_asks_for_of),
		cmocka_unit_test(iret_checks_where_it_goes),
		cmocka_unit_test(iret_loads_a_null_stack_in_ring_0),
		cmocka_unit_test(iret_changes_only_the_flags_it_may),
		cmocka_unit_test(breakpoints_match_their_kind_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
