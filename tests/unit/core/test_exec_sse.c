/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_sse.c - MMX and SSE instructions against the host's: every opcode that decodes to one
 * of them, in register and memory form, with and without REX; masked and unmasked; and FPU state
 * instructions.
 */
#include "exec_native.h"

static bool op_seen[X86_OP_COUNT];

static bool is_sse(const struct x86_insn *i)
{
	return i->op >= X86_OP_MOVD && i->op <= X86_OP_PCMPISTRI;
}

/* XMM or memory comes as operand, imm8 follows. Returns the length of the part ahead of ModRM. */
static unsigned int put_opcode(uint8_t *insn, unsigned int prefix, unsigned int rex,
			       unsigned int map, unsigned int opcode)
{
	static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
	unsigned int n = 0;

	if (prefix)
		insn[n++] = prefixes[prefix];
	if (rex)
		insn[n++] = (uint8_t)rex;
	insn[n++] = 0x0f;
	if (map)
		insn[n++] = map == 1 ? 0x38 : 0x3a;
	insn[n++] = (uint8_t)opcode;
	return n;
}

enum control {
	CONTROL_DEFAULT,
	CONTROL_MASKED,
	CONTROL_ANY
};

static void random_control(struct native_state *s, enum control control)
{
	if (control != CONTROL_DEFAULT)
		native_random_sse_control(s, control == CONTROL_ANY);
}

static unsigned int random_reg(void)
{
	static const uint8_t regs[] = { 0, 1, 2, 3, 5, 6 };

	return regs[native_pick(HVM_ARRAY_SIZE(regs))];
}

static void try_random(const uint8_t *opcode, unsigned int len, enum control control)
{
	static struct native_state s;
	uint8_t insn[15] = { 0 };
	struct x86_insn i;
	bool group;

	memcpy(insn, opcode, len);
	/* shifts by an immediate are groups: their reg field is part of the opcode */
	group = insn[len - 1] >= 0x71 && insn[len - 1] <= 0x73;
	insn[len] = (uint8_t)((group ? native_pick(8) : random_reg()) << 3);
	insn[len] |= native_pick(2) ? 7 : (uint8_t)(0xc0 | random_reg());
	insn[len + 1] = (uint8_t)native_random();
	/* a group's reg field, or a form that must have memory or a register */
	if (x86_decode(insn, 15, X86_CODE64, &i) < 0 || !is_sse(&i))
		return;
	/* Whether this enters MMX state depends on the processor. */
	if (i.op == X86_OP_CVTPI2PS && i.form == X86_FORM_RM)
		return;
	op_seen[i.op] = true;
	native_random_state(&s);
	/* With unmasked exceptions the steps of a dot product show, which the executor does not
	 * see. */
	if (control == CONTROL_ANY && (i.op == X86_OP_DPPS || i.op == X86_OP_DPPD))
		control = CONTROL_MASKED;
	random_control(&s, control);
	/* PE is not exact next to an unmasked overflow or underflow. */
	native_mxcsr_ignore = (s.mxcsr & 0x0c00) != 0x0c00 ? 0x20 : 0;
	if (native_pick(8) == 0)
		s.gpr[X86_RDI] += native_pick(16);
	native_check(&s, insn, 0, 0);
}

static void try_all(enum control control, unsigned int rounds)
{
	unsigned int prefix, map, opcode, len, n, rex;
	uint8_t insn[15] = { 0 };

	native_catch();
	for (prefix = 0; prefix < 4; prefix++)
		for (map = 0; map < 3; map++)
			for (opcode = 0; opcode < 256; opcode++)
				for (n = 0; n < rounds; n++) {
					if (!map && (opcode == 0x38 || opcode == 0x3a))
						break; /* escapes to the other maps */
					rex = native_pick(2) ? 0x40 + native_pick(4) * 4 : 0;
					len = put_opcode(insn, prefix, rex, map, opcode);
					try_random(insn, len, control);
				}
}

static void sse_default_control_matches_host(void **state)
{
	(void)state;
	try_all(CONTROL_DEFAULT, 200);
}

static void sse_rounding_and_flush_match_host(void **state)
{
	(void)state;
	try_all(CONTROL_MASKED, 200);
}

static void sse_unmasked_exceptions_match_host(void **state)
{
	(void)state;
	try_all(CONTROL_ANY, 200);
}

/* All 256 immediates of the string compares, on short strings. */
static void string_compares_match_host(void **state)
{
	static struct native_state s;
	uint8_t insn[15] = { 0x66, 0x0f, 0x3a, 0, 0xd3, 0 };
	unsigned int opcode, imm, n, k;

	(void)state;
	native_catch();
	for (opcode = 0x60; opcode <= 0x63; opcode++)
		for (imm = 0; imm < 256; imm++)
			for (n = 0; n < 20; n++) {
				native_random_state(&s);
				for (k = 0; k < 32; k++)
					s.xmm[2 + k / 16][k % 16] = (uint8_t)native_pick(5);
				s.gpr[X86_RAX] = native_pick(4) ? native_pick(20) : native_random();
				s.gpr[X86_RDX] = native_pick(4) ? native_pick(20) : native_random();
				insn[3] = (uint8_t)opcode;
				insn[5] = (uint8_t)imm;
				native_check(&s, insn, 0, 0);
			}
}

/* Runs last: an operation that no encoding above reached has no test. */
static void every_operation_was_reached(void **state)
{
	unsigned int op;

	(void)state;
	for (op = X86_OP_MOVD; op <= X86_OP_PCMPISTRI; op++)
		if (!op_seen[op] && op != X86_OP_MOVQ)
			fail_msg("%s was not reached", x86_op_name(op));
}

/* -- state -------------------------------------------------------------------------------- */

static int run_bytes(struct x86_cpu *c, const char *bytes, size_t count)
{
	uint8_t code[15] = { 0 };
	struct x86_insn i;

	memcpy(code, bytes, count);
	assert_in_range(x86_decode(code, 15, X86_CODE64, &i), 1, 15);
	i.end = i.len;
	i.exec = x86_exec_bind(&i);
	return i.exec(c, &i);
}
#define RUN(c, bytes) run_bytes(c, bytes, sizeof(bytes) - 1)

static struct x86_cpu *fresh_cpu(void)
{
	static struct native_state s;

	native_random_state(&s);
	native_to_cpu(&s, native.cpu);
	native.cpu->gpr[X86_RDI] = NATIVE_GVA + NATIVE_MEM_AT;
	return native.cpu;
}

#define FXSAVE64  "\x48\x0f\xae\x07"
#define FXRSTOR64 "\x48\x0f\xae\x0f"
#define XSAVE64	  "\x48\x0f\xae\x27"
#define XRSTOR64  "\x48\x0f\xae\x2f"
#define LDMXCSR	  "\x0f\xae\x17"
#define STMXCSR	  "\x0f\xae\x1f"
#define EMMS	  "\x0f\x77"

static void fxsave_image_is_the_hosts(void **state)
{
	static struct native_state s;
	uint8_t insn[15] = { 0x48, 0x0f, 0xae, 0x07 };
	unsigned int n;

	(void)state;
	native_catch();
	for (n = 0; n < 200; n++) {
		native_random_state(&s);
		s.mxcsr |= n & 0x3f;
		/* not FOP, FIP, FDP, nor MXCSR_MASK, which depends on the processor */
		native_check(&s, insn, 6, 26);
	}
}

static void fxrstor_loads_what_the_host_loads(void **state)
{
	static struct native_state s;
	uint8_t insn[15] = { 0x48, 0x0f, 0xae, 0x0f };
	uint32_t mxcsr;
	unsigned int n;

	(void)state;
	native_catch();
	for (n = 0; n < 400; n++) {
		native_random_state(&s);
		mxcsr = (uint32_t)native_random() & (n & 7 ? 0xffffu : 0xfffdffffu);
		memcpy(s.mem + NATIVE_MEM_AT + 24, &mxcsr, 4);
		if (n % 16 == 0)
			s.gpr[X86_RDI] += 8;
		native_check(&s, insn, 0, 0);
	}
}

static void mxcsr_loads_and_stores_match_host(void **state)
{
	static struct native_state s;
	uint8_t load[15] = { 0x0f, 0xae, 0x17 }, store[15] = { 0x0f, 0xae, 0x1f };
	uint8_t emms[15] = { 0x0f, 0x77 };
	uint32_t mxcsr;
	unsigned int n;

	(void)state;
	native_catch();
	for (n = 0; n < 400; n++) {
		native_random_state(&s);
		random_control(&s, CONTROL_ANY);
		mxcsr = (uint32_t)native_random() & (n & 3 ? 0xffffu : 0xfffdffffu);
		memcpy(s.mem + NATIVE_MEM_AT, &mxcsr, 4);
		native_check(&s, load, 0, 0);
		native_check(&s, store, 0, 0);
		native_check(&s, emms, 0, 0);
	}
}

static void xsave_then_xrstor_restores_the_state(void **state)
{
	struct x86_cpu *c = fresh_cpu();
	static struct x86_fpu saved;
	uint64_t *header = (uint64_t *)(native.page + NATIVE_MEM_AT + 512);

	(void)state;
	memset(native.page, 0, 4096);
	c->fpu.mxcsr = 0x1fa0;
	saved = c->fpu;
	c->gpr[X86_RAX] = c->gpr[X86_RDX] = ~0ull;
	assert_int_equal(RUN(c, XSAVE64), X86_NEXT);
	assert_int_equal(header[0], 3);
	memset(&c->fpu, 0x5a, sizeof(c->fpu));
	assert_int_equal(RUN(c, XRSTOR64), X86_NEXT);
	assert_int_equal(c->fpu.fsw, saved.fsw);
	assert_int_equal(c->fpu.valid, saved.valid);
	assert_int_equal(c->fpu.mxcsr, saved.mxcsr);
	assert_memory_equal(c->fpu.xmm, saved.xmm, sizeof(saved.xmm));
	assert_memory_equal(&c->fpu.r[3], &saved.r[3], 10);
	/* a component that is not in the area goes to its initial state */
	header[0] = 1;
	assert_int_equal(RUN(c, XRSTOR64), X86_NEXT);
	assert_int_equal(c->fpu.xmm[5].u64[1], 0);
	assert_int_equal(c->fpu.fsw, saved.fsw);
	header[0] = 2;
	assert_int_equal(RUN(c, XRSTOR64), X86_NEXT);
	assert_memory_equal(c->fpu.xmm, saved.xmm, sizeof(saved.xmm));
	assert_int_equal(c->fpu.fcw, 0x37f);
	assert_int_equal(c->fpu.valid, 0);
}

static void xsave_writes_only_what_is_asked_for(void **state)
{
	struct x86_cpu *c = fresh_cpu();
	uint8_t *area = native.page + NATIVE_MEM_AT;

	(void)state;
	memset(native.page, 0xcc, 4096);
	c->gpr[X86_RAX] = 2;
	c->gpr[X86_RDX] = 0;
	memset(area + 512, 0, 8);
	assert_int_equal(RUN(c, XSAVE64), X86_NEXT);
	assert_int_equal(area[0], 0xcc);
	assert_int_equal(area[32], 0xcc);
	assert_int_equal(*(uint32_t *)(area + 24), 0x1f80);
	assert_memory_equal(area + 160, c->fpu.xmm, 256);
	assert_int_equal(area[416], 0xcc);
	assert_int_equal(*(uint64_t *)(area + 512), 2);
}

static void xrstor_refuses_bad_headers(void **state)
{
	static const struct {
		unsigned int word;
		uint64_t value;
	} bad[] = { { 0, 4 }, { 1, HVM_BIT(63) }, { 1, 1 }, { 2, 1 } };
	struct x86_cpu *c = fresh_cpu();
	uint64_t *header = (uint64_t *)(native.page + NATIVE_MEM_AT + 512);
	unsigned int n;

	(void)state;
	c->gpr[X86_RAX] = 3;
	for (n = 0; n < HVM_ARRAY_SIZE(bad); n++) {
		memset(native.page, 0, 4096);
		header[bad[n].word] = bad[n].value;
		assert_int_equal(RUN(c, XRSTOR64), X86_ABORT);
		assert_int_equal(c->exc.vector, X86_GP);
	}
	memset(native.page, 0, 4096);
	c->gpr[X86_RDI] += 16;
	assert_int_equal(RUN(c, XRSTOR64), X86_ABORT);
	assert_int_equal(c->exc.vector, X86_GP);
	c->gpr[X86_RDI] -= 16;
	c->cr4 &= ~(uint64_t)X86_CR4_OSXSAVE;
	assert_int_equal(RUN(c, XRSTOR64), X86_ABORT);
	assert_int_equal(c->exc.vector, X86_UD);
}

static void sse_and_mmx_respect_cr0_and_cr4(void **state)
{
	static const struct {
		uint64_t cr0, cr4;
		int sse, mmx; /* vector, or NATIVE_NO_FAULT */
	} rows[] = {
		{ 0, X86_CR4_OSFXSR, NATIVE_NO_FAULT, NATIVE_NO_FAULT },
		{ 0, 0, X86_UD, NATIVE_NO_FAULT },
		{ X86_CR0_TS, X86_CR4_OSFXSR, X86_NM, X86_NM },
		{ X86_CR0_EM, X86_CR4_OSFXSR, X86_UD, X86_UD },
		{ X86_CR0_EM | X86_CR0_TS, X86_CR4_OSFXSR, X86_UD, X86_UD },
		{ X86_CR0_TS, 0, X86_UD, X86_NM },
	};
	struct x86_cpu *c = fresh_cpu();
	unsigned int n;

	(void)state;
	for (n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		c->cr0 = X86_CR0_PE | X86_CR0_NE | rows[n].cr0;
		c->cr4 = rows[n].cr4;
		c->mode &= ~X86_MODE_NO_FPU;
		if (rows[n].cr0)
			c->mode |= X86_MODE_NO_FPU;
		c->exc.vector = (uint8_t)NATIVE_NO_FAULT;
		RUN(c, "\x0f\x58\xc1"); /* addps */
		assert_int_equal(c->exc.vector, (uint8_t)rows[n].sse);
		c->exc.vector = (uint8_t)NATIVE_NO_FAULT;
		RUN(c, "\x0f\xfc\xc1"); /* paddb mm */
		assert_int_equal(c->exc.vector, (uint8_t)rows[n].mmx);
	}
}

static void simd_exception_without_osxmmexcpt_is_ud(void **state)
{
	struct x86_cpu *c = fresh_cpu();

	(void)state;
	c->cr4 = X86_CR4_OSFXSR;
	c->fpu.mxcsr = 0x1d80; /* zero divide unmasked */
	c->fpu.xmm[0].f64[0] = 1;
	c->fpu.xmm[1].f64[0] = 0;
	assert_int_equal(RUN(c, "\xf2\x0f\x5e\xc1"), X86_ABORT);
	assert_int_equal(c->exc.vector, X86_UD);
	assert_int_equal(c->fpu.mxcsr, 0x1d84);
	assert_true(c->fpu.xmm[0].f64[0] == 1);
}

/* The host's own sticky flags must not show in the guest. */
static void flags_of_the_host_do_not_leak(void **state)
{
	struct x86_cpu *c = fresh_cpu();
	uint32_t dirty = 0x1fbf;

	(void)state;
	c->fpu.mxcsr = 0x1f80;
	c->fpu.xmm[0].f64[0] = 1;
	c->fpu.xmm[1].f64[0] = 2;
	__asm__ volatile("ldmxcsr %0" : : "m"(dirty));
	assert_int_equal(RUN(c, "\xf2\x0f\x58\xc1"), X86_NEXT);
	assert_int_equal(c->fpu.mxcsr, 0x1f80);
	assert_true(c->fpu.xmm[0].f64[0] == 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sse_default_control_matches_host),
		cmocka_unit_test(sse_rounding_and_flush_match_host),
		cmocka_unit_test(sse_unmasked_exceptions_match_host),
		cmocka_unit_test(string_compares_match_host),
		cmocka_unit_test(every_operation_was_reached),
		cmocka_unit_test(fxsave_image_is_the_hosts),
		cmocka_unit_test(fxrstor_loads_what_the_host_loads),
		cmocka_unit_test(mxcsr_loads_and_stores_match_host),
		cmocka_unit_test(xsave_then_xrstor_restores_the_state),
		cmocka_unit_test(xsave_writes_only_what_is_asked_for),
		cmocka_unit_test(xrstor_refuses_bad_headers),
		cmocka_unit_test(sse_and_mmx_respect_cr0_and_cr4),
		cmocka_unit_test(simd_exception_without_osxmmexcpt_is_ud),
		cmocka_unit_test(flags_of_the_host_do_not_leak),
	};

	return cmocka_run_group_tests(tests, native_setup, NULL);
}
