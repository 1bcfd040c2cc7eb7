/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_far.c - far JMP, CALL and RET, call gates, task switches.
 * Source: Intel SDM Vol 3A 5.8 and ch. 7 "Task Management".
 */
#include "sys_machine.h"

static struct machine m;

static int far(unsigned int op, uint16_t sel, uint32_t off, unsigned int osize)
{
	return m_exec(&m, (struct x86_insn){ .op = (uint16_t)op,
					     .form = X86_FORM_I,
					     .osize = (uint8_t)osize,
					     .imm = (int64_t)((uint64_t)sel << 32 | off) });
}

static int retf(unsigned int osize, unsigned int bytes)
{
	return m_exec(&m, (struct x86_insn){ .op = bytes ? X86_OP_RETF_IMM : X86_OP_RETF,
					     .form = bytes ? X86_FORM_I : X86_FORM_NONE,
					     .osize = (uint8_t)osize,
					     .imm = bytes });
}

/* -- without gates --------------------------------------------------------------------------------
 */

static void real_mode_call_and_return(void **state)
{
	(void)state;
	m_make(&m, REAL, 0);
	m.c.seg[HVM_SEG_CS].sel = 0x10;
	m.c.seg[HVM_SEG_CS].base = 0x100;
	assert_int_equal(far(X86_OP_CALL_FAR, 0x1234, 0x56, 1), X86_BRANCH);
	assert_int_equal(m.c.seg[HVM_SEG_CS].base, 0x12340);
	assert_int_equal(m.c.x86_ip, 0x56);
	assert_int_equal(m_get(&m, M_SP - 4, 2), M_IP + 2);
	assert_int_equal(m_get(&m, M_SP - 2, 2), 0x10);
	assert_int_equal(retf(1, 4), X86_BRANCH);
	assert_int_equal(m.c.seg[HVM_SEG_CS].base, 0x100);
	assert_int_equal(m.c.x86_ip, M_IP + 2);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP + 4);
	m_expect_fault(&m, far(X86_OP_JMP_FAR, 0, 0x10000, 2), X86_GP, 0, "beyond the limit");
}

static void protected_mode_checks_the_code_segment(void **state)
{
	static const struct {
		const char *fact;
		unsigned int cpl;
		uint16_t sel;
		uint32_t off;
		int vector;
		uint32_t error;
	} rows[] = {
		{ "same ring", 0, S_CODE0, 0x1234, -1, 0 },
		{ "null", 0, 3, 0, X86_GP, 0 },
		{ "beyond the GDT", 0, 0x2000, 0, X86_GP, 0x2000 },
		{ "data", 0, S_DATA0, 0, X86_GP, S_DATA0 },
		{ "outer nonconforming", 0, S_CODE3 & ~3, 0, X86_GP, S_CODE3 & ~3 },
		{ "inner nonconforming", 3, S_CODE0, 0, X86_GP, S_CODE0 },
		{ "RPL above CPL", 0, S_CODE0 | 3, 0, X86_GP, S_CODE0 },
		{ "inner conforming", 3, S_CONF, 0x10, -1, 0 },
		{ "not present", 0, S_CABSENT, 0, X86_NP, S_CABSENT },
		{ "beyond the limit", 0, S_CODE16, 0x10000, X86_GP, 0 },
		{ "busy TSS", 0, S_TSS, 0, X86_GP, S_TSS },
		{ "LDT", 0, S_LDT, 0, X86_GP, S_LDT },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		int r;

		m_make(&m, PROT, rows[n].cpl);
		r = far(X86_OP_JMP_FAR, rows[n].sel, rows[n].off, 2);
		if (rows[n].vector >= 0) {
			m_expect_fault(&m, r, (unsigned int)rows[n].vector, rows[n].error,
				       rows[n].fact);
			continue;
		}
		assert_int_equal(r, X86_BRANCH);
		assert_int_equal(m.c.x86_ip, rows[n].off);
		assert_int_equal(m.c.cpl, rows[n].cpl);
		assert_int_equal(m.c.seg[HVM_SEG_CS].sel, (rows[n].sel & ~3u) | rows[n].cpl);
	}
}

static void into_long_mode_and_back_to_compatibility(void **state)
{
	(void)state;
	m_make(&m, COMPAT, 0);
	assert_int_equal(far(X86_OP_JMP_FAR, S_CODE64, 0x1000, 2), X86_BRANCH);
	assert_true(x86_is_code64(&m.c));
	/* JMP m16:64. */
	m_put64(&m, M_DATA, 0x2000);
	m_put16(&m, M_DATA + 8, S_CODE0);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_JMP_FAR,
						       .form = X86_FORM_M,
						       .osize = 3,
						       .asize = 3,
						       M_MEM }),
			 X86_BRANCH);
	assert_int_equal(x86_code_size(&m.c), X86_CODE32);
	assert_int_equal(m.c.x86_ip, 0x2000);
	m_expect_fault(&m, far(X86_OP_JMP_FAR, S_CODE64BAD, 0, 2), X86_GP, S_CODE64BAD, "L and D");
}

static void return_to_an_outer_ring(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m.c.gpr[X86_RSP] = M_SP - 24;
	m_put32(&m, M_SP - 24, 0x7000);
	m_put32(&m, M_SP - 20, S_CODE3);
	m_put32(&m, M_SP - 8, M_STACK3); /* behind eight bytes of parameters */
	m_put32(&m, M_SP - 4, S_DATA3);
	assert_int_equal(retf(2, 8), X86_BRANCH);
	assert_int_equal(m.c.cpl, 3);
	assert_int_equal(m.c.x86_ip, 0x7000);
	assert_int_equal(m.c.gpr[X86_RSP], M_STACK3 + 8);
	assert_int_equal(m.c.seg[HVM_SEG_DS].sel, 0);
}

/* -- call gates -------------------------------------------------------------------------------- */

static void a_call_gate_copies_parameters_to_the_inner_stack(void **state)
{
	(void)state;
	m_make(&m, PROT, 3);
	m_set_desc(&m, S_GATE, m_gate_raw(S_CODE0, 0x123456, 0xec, 3));
	for (unsigned int n = 0; n < 3; n++)
		m_put32(&m, M_SP + n * 4, 0xaaaa0000u + n);
	assert_int_equal(far(X86_OP_CALL_FAR, S_GATE | 3, 0, 2), X86_BRANCH);
	assert_int_equal(m.c.cpl, 0);
	assert_int_equal(m.c.x86_ip, 0x123456);
	assert_int_equal(m.c.seg[HVM_SEG_CS].sel, S_CODE0);
	assert_int_equal(m.c.gpr[X86_RSP], M_STACK0 - 28);
	assert_int_equal(m_get(&m, M_STACK0 - 28, 4), M_IP + 2);
	assert_int_equal(m_get(&m, M_STACK0 - 24, 4), S_CODE3);
	for (unsigned int n = 0; n < 3; n++)
		assert_int_equal(m_get(&m, M_STACK0 - 20 + n * 4, 4), 0xaaaa0000u + n);
	assert_int_equal(m_get(&m, M_STACK0 - 8, 4), M_SP);
	assert_int_equal(m_get(&m, M_STACK0 - 4, 4), S_DATA3);
	/* And back, over the parameters on both stacks. */
	assert_int_equal(retf(2, 12), X86_BRANCH);
	assert_int_equal(m.c.cpl, 3);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP + 12);
}

static void the_longest_call_gate_frame(void **state)
{
	(void)state;
	m_make(&m, PROT, 3);
	m_set_desc(&m, S_GATE, m_gate_raw(S_CODE0, 0x10, 0xec, 31));
	for (unsigned int n = 0; n < 31; n++)
		m_put32(&m, M_SP + n * 4, n);
	assert_int_equal(far(X86_OP_CALL_FAR, S_GATE, 0, 2), X86_BRANCH);
	assert_int_equal(m.c.gpr[X86_RSP], M_STACK0 - 35 * 4);
	for (unsigned int n = 0; n < 31; n++)
		assert_int_equal(m_get(&m, M_STACK0 - 33 * 4 + n * 4, 4), n);
}

static void call_gates_of_long_mode_are_wide(void **state)
{
	(void)state;
	m_make(&m, LONG, 3);
	m_set_desc(&m, S_GATE, m_gate_raw(S_CODE64, 0x1234, 0xec, 0));
	m_put64(&m, M_GDT + S_GATE + 8, 0xffff8000);
	m_put32(&m, M_DATA, 0);
	m_put16(&m, M_DATA + 4, S_GATE | 3);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_CALL_FAR,
						       .form = X86_FORM_M,
						       .osize = 2,
						       .asize = 3,
						       M_MEM }),
			 X86_BRANCH);
	assert_true(m.c.x86_ip == 0xffff800000001234ull);
	assert_int_equal(m.c.cpl, 0);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, 0);
	assert_int_equal(m_get(&m, M_STACK0 - 32, 8), M_IP + 2);
	assert_int_equal(m_get(&m, M_STACK0 - 16, 8), M_SP);
	assert_int_equal(m_get(&m, M_STACK0 - 8, 8), S_DATA3);
	assert_int_equal(retf(3, 0), X86_BRANCH);
	assert_int_equal(m.c.cpl, 3);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP);
	/* Type bits in the upper half are reserved. */
	m_put64(&m, M_GDT + S_GATE + 8, 0x1ull << 40);
	m_expect_fault(&m,
		       m_exec(&m, (struct x86_insn){ .op = X86_OP_CALL_FAR,
						     .form = X86_FORM_M,
						     .osize = 2,
						     .asize = 3,
						     M_MEM }),
		       X86_GP, S_GATE, "upper type");
}

static void call_gates_are_checked(void **state)
{
	static const struct {
		const char *fact;
		unsigned int op, cpl;
		uint16_t gate_sel, code;
		uint8_t ar;
		unsigned int vector;
		uint32_t error;
	} rows[] = {
		{ "gate DPL", X86_OP_CALL_FAR, 3, S_GATE, S_CODE0, 0x8c, X86_GP, S_GATE },
		{ "gate RPL", X86_OP_CALL_FAR, 0, S_GATE | 3, S_CODE0, 0x8c, X86_GP, S_GATE },
		{ "gate absent", X86_OP_CALL_FAR, 0, S_GATE, S_CODE0, 0x0c, X86_NP, S_GATE },
		{ "null code", X86_OP_CALL_FAR, 0, S_GATE, 0, 0x8c, X86_GP, 0 },
		{ "data", X86_OP_CALL_FAR, 0, S_GATE, S_DATA0, 0x8c, X86_GP, S_DATA0 },
		{ "outer code", X86_OP_CALL_FAR, 0, S_GATE, S_CODE3, 0x8c, X86_GP, S_CODE3 & ~3 },
		{ "JMP inward", X86_OP_JMP_FAR, 3, S_GATE, S_CODE0, 0xec, X86_GP, S_CODE0 },
		{ "code absent", X86_OP_CALL_FAR, 0, S_GATE, S_CABSENT, 0x8c, X86_NP, S_CABSENT },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		m_make(&m, PROT, rows[n].cpl);
		m_set_desc(&m, S_GATE, m_gate_raw(rows[n].code, 0, rows[n].ar, 0));
		m_expect_fault(&m, far(rows[n].op, rows[n].gate_sel, 0, 2), rows[n].vector,
			       rows[n].error, rows[n].fact);
	}
}

/* -- tasks ------------------------------------------------------------------------------------- */

#define TSS2_STACK 0xd000u

/* A ring 0 task in TSS2. */
static void make_task(void)
{
	static const uint16_t segs[6] = { S_DATA0, S_CODE0, S_DATA0, S_DATA3, 0, 0 };

	m_make(&m, PROT, 0);
	m.c.gpr[X86_RAX] = 0x11111111;
	m_put32(&m, M_TSS2 + 0x20, 0x7777);
	m_put32(&m, M_TSS2 + 0x24, 0x46);
	for (unsigned int n = 0; n < 8; n++)
		m_put32(&m, M_TSS2 + 0x28 + n * 4, 0x100 + n);
	m_put32(&m, M_TSS2 + 0x28 + 4 * X86_RSP, TSS2_STACK);
	for (unsigned int n = 0; n < 6; n++)
		m_put32(&m, M_TSS2 + 0x48 + n * 4, segs[n]);
	m_put32(&m, M_TSS2 + 0x60, S_LDT);
}

static void call_to_a_tss_switches_and_iret_comes_back(void **state)
{
	(void)state;
	make_task();
	assert_int_equal(far(X86_OP_CALL_FAR, S_TSS2, 0, 2), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x7777);
	assert_int_equal(m.c.gpr[X86_RAX], 0x100);
	assert_int_equal(m.c.gpr[X86_RDI], 0x107);
	assert_int_equal(m.c.gpr[X86_RSP], TSS2_STACK);
	assert_int_equal(x86_get_rflags(&m.c), 0x46 | X86_EFL_NT);
	assert_int_equal(m.c.seg[HVM_SEG_TR].sel, S_TSS2);
	assert_int_equal(m.c.seg[HVM_SEG_LDTR].base, M_LDT);
	assert_int_equal(m.c.seg[HVM_SEG_DS].sel, S_DATA3);
	assert_true(m.c.cr0 & X86_CR0_TS);
	assert_int_equal(m_get(&m, M_TSS2, 2), S_TSS); /* link */
	/* Both are busy; the old task's state is in its TSS. */
	assert_int_equal(m.mem[M_GDT + S_TSS + 5] & 0xf, 0xb);
	assert_int_equal(m.mem[M_GDT + S_TSS2 + 5] & 0xf, 0xb);
	assert_int_equal(m_get(&m, M_TSS + 0x20, 4), M_IP + 2);
	assert_int_equal(m_get(&m, M_TSS + 0x24, 4), 0x202);
	assert_int_equal(m_get(&m, M_TSS + 0x28, 4), 0x11111111);
	assert_int_equal(m_get(&m, M_TSS + 0x4c, 4), S_CODE0);

	m.c.gpr[X86_RAX] = 0x22222222;
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 2 }),
			 X86_BRANCH);
	assert_int_equal(m.c.seg[HVM_SEG_TR].sel, S_TSS);
	assert_int_equal(m.c.x86_ip, M_IP + 2);
	assert_int_equal(m.c.gpr[X86_RAX], 0x11111111);
	assert_int_equal(x86_get_rflags(&m.c), 0x202);
	assert_int_equal(m.mem[M_GDT + S_TSS2 + 5] & 0xf, 0x9);
	assert_int_equal(m_get(&m, M_TSS2 + 0x28, 4), 0x22222222);
	assert_int_equal(m_get(&m, M_TSS2 + 0x24, 4), 0x46); /* NT was not saved */
}

static void jmp_to_a_task_gate_frees_the_old_task(void **state)
{
	(void)state;
	make_task();
	m_set_desc(&m, S_GATE, m_gate_raw(S_TSS2, 0, 0x85, 0));
	assert_int_equal(far(X86_OP_JMP_FAR, S_GATE, 0, 2), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x7777);
	assert_int_equal(x86_get_rflags(&m.c), 0x46);
	assert_int_equal(m.mem[M_GDT + S_TSS + 5] & 0xf, 0x9);
	assert_int_equal(m.mem[M_GDT + S_TSS2 + 5] & 0xf, 0xb);
}

static void an_exception_through_a_task_gate_pushes_its_error_code(void **state)
{
	struct hvm_event e = { .type = HVM_EVENT_HW_EXCEPTION, .vector = X86_DF, .has_error = 1 };

	(void)state;
	make_task();
	m_gate(&m, X86_DF, S_TSS2, 0, 0x85);
	m_put32(&m, TSS2_STACK - 4, 0xffffffff);
	assert_int_equal(x86_deliver(&m.c, &e), 0);
	assert_int_equal(m.c.x86_ip, 0x7777);
	assert_int_equal(m.c.gpr[X86_RSP], TSS2_STACK - 4);
	assert_int_equal(m_get(&m, TSS2_STACK - 4, 4), 0);
	assert_int_equal(m_get(&m, M_TSS + 0x20, 4), M_IP);
}

static void tasks_of_16_bits(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	m_set_desc(&m, S_TSS2, m_desc(M_TSS2, 0x2b, 0x81));
	m_put16(&m, M_TSS2 + 0x0e, 0x7777);
	m_put16(&m, M_TSS2 + 0x10, 0x46);
	m_put16(&m, M_TSS2 + 0x12 + 2 * X86_RSP, 0xd000);
	m_put16(&m, M_TSS2 + 0x22, S_DATA0);
	m_put16(&m, M_TSS2 + 0x24, S_CODE16);
	m_put16(&m, M_TSS2 + 0x26, S_DATA16);
	m_put16(&m, M_TSS2 + 0x28, S_DATA0);
	assert_int_equal(far(X86_OP_CALL_FAR, S_TSS2, 0, 2), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x7777);
	assert_int_equal(m.c.gpr[X86_RSP], 0xd000);
	assert_int_equal(x86_code_size(&m.c), X86_CODE16);
	assert_int_equal(m.c.seg[HVM_SEG_FS].sel, 0);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_IRET, .osize = 1 }),
			 X86_BRANCH);
	assert_int_equal(m.c.x86_ip, M_IP + 2);
	assert_int_equal(x86_code_size(&m.c), X86_CODE32);
}

static void a_virtual_8086_task(void **state)
{
	(void)state;
	make_task();
	m_put32(&m, M_TSS2 + 0x24, 0x20202);
	assert_int_equal(far(X86_OP_JMP_FAR, S_TSS2, 0, 2), X86_BRANCH);
	assert_true(x86_is_vm86(&m.c));
	assert_int_equal(m.c.seg[HVM_SEG_CS].base, S_CODE0 << 4);
	assert_int_equal(m.c.cpl, 3);
}

/* Faults before the switch are the old task's ... */
static void a_bad_tss_changes_nothing(void **state)
{
	static const struct {
		const char *fact;
		uint64_t desc;
		unsigned int vector;
	} rows[] = {
		{ "short", 0x0000890038000066, X86_TS },
		{ "absent", 0x0000090038000067, X86_NP },
		{ "busy", 0x00008b0038000067, X86_GP },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		make_task();
		m_set_desc(&m, S_TSS2, rows[n].desc);
		m_expect_fault(&m, far(X86_OP_JMP_FAR, S_TSS2, 0, 2), rows[n].vector, S_TSS2,
			       rows[n].fact);
		assert_int_equal(m.c.seg[HVM_SEG_TR].sel, S_TSS);
		assert_int_equal(m.mem[M_GDT + S_TSS + 5] & 0xf, 0xb);
	}
}

/* ... and later ones are the new task's, with its first instruction as their address. */
static void a_bad_segment_faults_in_the_new_task(void **state)
{
	static const struct {
		const char *fact;
		unsigned int at;
		uint16_t sel;
		unsigned int vector;
		uint32_t error;
	} rows[] = {
		{ "LDT", 0x60, S_TSS, X86_TS, S_TSS },
		{ "CS null", 0x4c, 0, X86_TS, 0 },
		{ "CS data", 0x4c, S_DATA0, X86_TS, S_DATA0 },
		{ "CS absent", 0x4c, S_CABSENT, X86_NP, S_CABSENT },
		{ "SS null", 0x50, 0, X86_TS, 0 },
		{ "DS absent", 0x54, S_ABSENT, X86_NP, S_ABSENT },
		{ "DS beyond", 0x54, 0x1000, X86_TS, 0x1000 },
		{ "GS execute-only", 0x5c, S_XONLY, X86_TS, S_XONLY },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		make_task();
		m_put32(&m, M_TSS2 + rows[n].at, rows[n].sel);
		m_gate(&m, rows[n].vector, S_CODE0, 0x500, 0x8e);
		if (rows[n].at == 0x50 || rows[n].at == 0x60) {
			/* No stack yet to deliver on: #TS, #DF, shutdown. */
			assert_int_equal(far(X86_OP_JMP_FAR, S_TSS2, 0, 2), X86_ABORT);
			assert_int_equal(m.c.stop, X86_STOP_SHUTDOWN);
			continue;
		}
		assert_int_equal(far(X86_OP_JMP_FAR, S_TSS2, 0, 2), X86_BRANCH);
		assert_int_equal(m.c.seg[HVM_SEG_TR].sel, S_TSS2);
		assert_int_equal(m.c.x86_ip, 0x500);
		assert_int_equal(m_get(&m, TSS2_STACK - 16, 4), rows[n].error);
		assert_int_equal(m_get(&m, TSS2_STACK - 12, 4), 0x7777);
	}
}

static void the_t_flag_traps_in_the_new_task(void **state)
{
	(void)state;
	make_task();
	m_put16(&m, M_TSS2 + 0x64, 1);
	m_gate(&m, X86_DB, S_CODE0, 0x500, 0x8e);
	assert_int_equal(far(X86_OP_JMP_FAR, S_TSS2, 0, 2), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x500);
	assert_true(m.c.dr6 & HVM_BIT(15));
	assert_int_equal(m_get(&m, TSS2_STACK - 12, 4), 0x7777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_mode_call_and_return),
		cmocka_unit_test(protected_mode_checks_the_code_segment),
		cmocka_unit_test(into_long_mode_and_back_to_compatibility),
		cmocka_unit_test(return_to_an_outer_ring),
		cmocka_unit_test(a_call_gate_copies_parameters_to_the_inner_stack),
		cmocka_unit_test(the_longest_call_gate_frame),
		cmocka_unit_test(call_gates_of_long_mode_are_wide),
		cmocka_unit_test(call_gates_are_checked),
		cmocka_unit_test(call_to_a_tss_switches_and_iret_comes_back),
		cmocka_unit_test(jmp_to_a_task_gate_frees_the_old_task),
		cmocka_unit_test(an_exception_through_a_task_gate_pushes_its_error_code),
		cmocka_unit_test(tasks_of_16_bits),
		cmocka_unit_test(a_virtual_8086_task),
		cmocka_unit_test(a_bad_tss_changes_nothing),
		cmocka_unit_test(a_bad_segment_faults_in_the_new_task),
		cmocka_unit_test(the_t_flag_traps_in_the_new_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
