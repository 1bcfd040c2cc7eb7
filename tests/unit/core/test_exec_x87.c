/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_x87.c - x87 instructions against the host's x87, and what the host's 64-bit user mode
 * cannot show: real-mode formats, CR0.EM, CR0.TS, FERR.
 */
#include "exec_native.h"

/* What of the memory operand holds pointers, which a test cannot predict. */
static void pointers_in(const struct x86_insn *i, unsigned int *skip, unsigned int *len)
{
	*skip = *len = 0;
	if (i->op != X86_OP_FNSTENV && i->op != X86_OP_FNSAVE)
		return;
	*skip = i->osize == 1 ? 6 : 12;
	*len = i->osize == 1 ? 8 : 16;
}

static bool is_x87(const struct x86_insn *i)
{
	return (i->op >= X86_OP_FADD && i->op <= X86_OP_FNOP_LEGACY) && i->op != X86_OP_FWAIT;
}

enum control {
	CONTROL_DEFAULT,
	CONTROL_MASKED,
	CONTROL_ANY
};

static void random_control(struct native_state *s, enum control control)
{
	if (control != CONTROL_DEFAULT)
		native_random_x87_control(s, control == CONTROL_ANY);
}

static void try_encoding(const uint8_t *insn, enum control control, unsigned int rounds)
{
	static struct native_state s;
	unsigned int n, skip, skip_len;
	struct x86_insn i;

	if (x86_decode(insn, 15, X86_CODE64, &i) < 0 || !is_x87(&i))
		return;
	pointers_in(&i, &skip, &skip_len);
	/* FCOMI and kin clear C1, but some processors leave it. FFREE leaves C0 to C3 undefined. */
	native_fsw_ignore = i.op >= X86_OP_FCOMI && i.op <= X86_OP_FUCOMIP ? 0x0200
			    : i.op == X86_OP_FFREE			   ? 0x4700
									   : 0;
	for (n = 0; n < rounds; n++) {
		native_random_state(&s);
		random_control(&s, control);
		native_check(&s, insn, skip, skip_len);
	}
}

static void try_all(enum control control, unsigned int rounds)
{
	uint8_t insn[15] = { 0 };
	unsigned int escape, modrm;

	native_catch();
	for (escape = 0xd8; escape <= 0xdf; escape++) {
		insn[0] = (uint8_t)escape;
		for (modrm = 0xc0; modrm <= 0xff; modrm++) {
			insn[1] = (uint8_t)modrm;
			try_encoding(insn, control, rounds);
		}
		for (modrm = 7; modrm <= 0x3f; modrm += 8) {
			insn[1] = (uint8_t)modrm;
			try_encoding(insn, control, 4 * rounds);
		}
	}
	/* 16-bit environment and state */
	insn[0] = 0x66;
	for (escape = 0xd9; escape <= 0xdd; escape += 4) {
		insn[1] = (uint8_t)escape;
		for (modrm = 0x27; modrm <= 0x37; modrm += 0x10) {
			insn[2] = (uint8_t)modrm;
			try_encoding(insn, control, rounds);
		}
	}
}

static void x87_default_control_matches_host(void **state)
{
	(void)state;
	try_all(CONTROL_DEFAULT, 60);
}

static void x87_rounding_and_precision_match_host(void **state)
{
	(void)state;
	try_all(CONTROL_MASKED, 60);
}

static void x87_unmasked_exceptions_match_host(void **state)
{
	(void)state;
	try_all(CONTROL_ANY, 60);
}

/* -- what the host cannot show ------------------------------------------------------------ */

static int run_bytes(struct x86_cpu *c, enum x86_code_size size, const char *bytes)
{
	struct x86_insn i;
	uint8_t code[15] = { 0 };

	memcpy(code, bytes, strlen(bytes));
	assert_in_range(x86_decode(code, 15, size, &i), 1, 15);
	i.end = i.len;
	i.exec = x86_exec_bind(&i);
	return i.exec(c, &i);
}

static struct x86_cpu *fresh_cpu(void)
{
	static struct native_state s;

	native_random_state(&s);
	native_to_cpu(&s, native.cpu);
	return native.cpu;
}

static void x87_raises_nm_when_ts_or_em_is_set(void **state)
{
	static const uint32_t bits[] = { X86_CR0_TS, X86_CR0_EM };
	struct x86_cpu *c = fresh_cpu();
	unsigned int n;

	(void)state;
	for (n = 0; n < HVM_ARRAY_SIZE(bits); n++) {
		c->cr0 = X86_CR0_PE | bits[n];
		c->mode |= X86_MODE_NO_FPU;
		assert_int_equal(run_bytes(c, X86_CODE64, "\xd9\xe8"), X86_ABORT);
		assert_int_equal(c->exc.vector, X86_NM);
		assert_int_equal(run_bytes(c, X86_CODE64, "\xdf\xe0"), X86_ABORT);
		assert_int_equal(c->exc.vector, X86_NM);
	}
}

static void wait_raises_nm_only_with_mp_and_ts(void **state)
{
	struct x86_cpu *c = fresh_cpu();

	(void)state;
	c->mode |= X86_MODE_NO_FPU;
	c->cr0 = X86_CR0_PE | X86_CR0_TS;
	assert_int_equal(run_bytes(c, X86_CODE64, "\x9b"), X86_NEXT);
	c->cr0 = X86_CR0_PE | X86_CR0_EM;
	assert_int_equal(run_bytes(c, X86_CODE64, "\x9b"), X86_NEXT);
	c->cr0 = X86_CR0_PE | X86_CR0_TS | X86_CR0_MP;
	assert_int_equal(run_bytes(c, X86_CODE64, "\x9b"), X86_ABORT);
	assert_int_equal(c->exc.vector, X86_NM);
}

static unsigned int ferr_count;

static void count_ferr(void *arg)
{
	(void)arg;
	ferr_count++;
}

static void pending_exception_goes_to_ferr_without_ne(void **state)
{
	static const struct x86_cpu_env env = { .ferr = count_ferr };
	struct x86_cpu *c = fresh_cpu();

	(void)state;
	c->env = &env;
	c->fpu.fcw = 0x37b; /* zero divide unmasked */
	c->fpu.fsw = 0x8084;
	assert_int_equal(run_bytes(c, X86_CODE64, "\x9b"), X86_ABORT);
	assert_int_equal(c->exc.vector, X86_MF);
	c->cr0 &= ~(uint64_t)X86_CR0_NE;
	ferr_count = 0;
	assert_int_equal(run_bytes(c, X86_CODE64, "\x9b"), X86_NEXT);
	assert_int_equal(ferr_count, 1);
	/* With IGNNE the next instruction runs, and the exception stays. */
	c->fpu.valid = 0;
	assert_int_equal(run_bytes(c, X86_CODE64, "\xd9\xeb"), X86_NEXT); /* fldpi */
	assert_int_equal(c->fpu.fsw & 0x80bf, 0x8084);
}

static void environment_in_real_mode_holds_linear_addresses(void **state)
{
	static const uint16_t want16[7] = {
		0x037f, 0x3800, 0xbfff, 0x5678, 0xb123, 0x4321, 0x1000
	};
	struct x86_cpu *c = fresh_cpu();
	uint16_t got16[7];
	uint32_t got32[7];

	(void)state;
	c->mode = X86_CODE16 | X86_MODE_FLAT | X86_MODE_FLAT_FSGS | 1 << X86_MODE_SS_SHIFT;
	c->cr0 = X86_CR0_NE;
	c->fpu.fcw = 0x37f;
	c->fpu.fsw = 7 << 11;
	c->fpu.valid = 0x80;
	c->fpu.r[7] = (struct x86_fpreg){ .mant = 0, .sign_exp = 0x7fff };
	c->fpu.fop = 0x123;
	c->fpu.fip = 0xb5678 - 0xa0000;
	c->fpu.fcs = 0xa000;
	c->fpu.fdp = 0x14321;
	c->fpu.fds = 0;
	/* the page at linear address 0 */
	native.tlb->w[X86_TLB_KERNEL][0] = (struct x86_tlb_entry){ 0, (uintptr_t)native.page };
	native.tlb->r[X86_TLB_KERNEL][0] = native.tlb->w[X86_TLB_KERNEL][0];
	c->gpr[X86_RDI] = 0x40;
	assert_int_equal(run_bytes(c, X86_CODE16, "\xd9\x35"), X86_NEXT); /* fnstenv (%di) */
	memcpy(got16, native.page + 0x40, 14);
	assert_memory_equal(got16, want16, 14);
	assert_int_equal(run_bytes(c, X86_CODE16, "\x66\xd9\x35"), X86_NEXT);
	memcpy(got32, native.page + 0x40, 28);
	assert_int_equal(got32[3], 0x5678);
	assert_int_equal(got32[4], 0xb123);
	assert_int_equal(got32[5], 0x4321);
	assert_int_equal(got32[6], 0x1000);
	c->fpu.fip = c->fpu.fop = 0;
	assert_int_equal(run_bytes(c, X86_CODE16, "\x66\xd9\x25"), X86_NEXT); /* fldenv */
	assert_int_equal(c->fpu.fip, 0xb5678);
	assert_int_equal(c->fpu.fop, 0x123);
	native.tlb->w[X86_TLB_KERNEL][0].tag = native.tlb->r[X86_TLB_KERNEL][0].tag =
		X86_TLB_INVALID;
}

static void arithmetic_notes_opcode_and_pointers(void **state)
{
	struct x86_cpu *c = fresh_cpu();

	(void)state;
	c->x86_ip = 0x401000;
	c->fpu.valid = 0xff;
	assert_int_equal(run_bytes(c, X86_CODE64, "\xdc\x47\x08"), X86_NEXT); /* faddl 8(%rdi) */
	assert_int_equal(c->fpu.fop, 0x447);
	assert_int_equal(c->fpu.fip, 0x401000);
	assert_int_equal(c->fpu.fdp, NATIVE_GVA + NATIVE_MEM_AT + 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x87_default_control_matches_host),
		cmocka_unit_test(x87_rounding_and_precision_match_host),
		cmocka_unit_test(x87_unmasked_exceptions_match_host),
		cmocka_unit_test(x87_raises_nm_when_ts_or_em_is_set),
		cmocka_unit_test(wait_raises_nm_only_with_mp_and_ts),
		cmocka_unit_test(pending_exception_goes_to_ferr_without_ne),
		cmocka_unit_test(environment_in_real_mode_holds_linear_addresses),
		cmocka_unit_test(arithmetic_notes_opcode_and_pointers),
	};

	return cmocka_run_group_tests(tests, native_setup, NULL);
}
