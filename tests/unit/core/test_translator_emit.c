/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_translator_emit.c - the translator's encoder against the decoder: what is emitted decodes to
 * the operation, operands and size that were asked for, for every register, addressing form and
 * displacement. Also jumps, constants, and the flags that liveness finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "soft/translator/tr.h"

static struct {
	struct tr t;
	struct soft_tr g;
	uint8_t code[256];
	struct x86_insn i;
} e;

static void start(void)
{
	memset(e.code, 0xcc, sizeof(e.code));
	memset(&e.t, 0, sizeof(e.t));
	e.g.code.rw = e.code;
	e.t.g = &e.g;
	e.t.p = e.code;
}

/* One instruction was emitted: all of it, and nothing else. */
static const struct x86_insn *decoded(void)
{
	assert_int_equal(x86_decode(e.code, (size_t)(e.t.p - e.code), X86_CODE64, &e.i),
			 e.t.p - e.code);
	return &e.i;
}

static void registers_of_all_sizes_are_encoded(void **state)
{
	(void)state;
	for (unsigned int size = 0; size < 4; size++)
		for (unsigned int reg = 0; reg < 16; reg++)
			for (unsigned int rm = 0; rm < 16; rm++) {
				start();
				tr_op_rr(&e.t, tr_sized(0x00, size), reg, rm);
				assert_int_equal(decoded()->op, X86_OP_ADD);
				assert_int_equal(e.i.form, X86_FORM_RR);
				assert_int_equal(e.i.osize, size);
				assert_int_equal(e.i.dst, rm);
				assert_int_equal(e.i.src, reg);
			}
}

static void check_mem(struct tr_mem m)
{
	start();
	tr_load(&e.t, 11, m);
	assert_int_equal(decoded()->op, X86_OP_MOV);
	assert_int_equal(e.i.form, X86_FORM_RM);
	assert_int_equal(e.i.dst, 11);
	assert_int_equal(e.i.osize, 3);
	assert_int_equal(e.i.base, m.base == TR_NO_REG ? X86_REG_NONE : m.base);
	assert_int_equal(e.i.index, m.index == TR_NO_REG ? X86_REG_NONE : m.index);
	if (m.index != TR_NO_REG)
		assert_int_equal(e.i.scale, m.scale);
	assert_int_equal(e.i.disp, m.disp);
}

static void every_addressing_form_is_encoded(void **state)
{
	static const int32_t disps[] = { 0, 1, -1, 127, 128, -128, -129, 0x12345678, INT32_MIN };

	(void)state;
	for (unsigned int d = 0; d < HVM_ARRAY_SIZE(disps); d++)
		for (unsigned int base = 0; base <= 16; base++)
			for (unsigned int index = 0; index <= 16; index++) {
				struct tr_mem m = {
					.base = (uint8_t)(base == 16 ? TR_NO_REG : base),
					.index = (uint8_t)(index == 16 ? TR_NO_REG : index),
					.scale = (uint8_t)(index & 3),
					.disp = disps[d],
				};

				if (index != X86_RSP) /* means none */
					check_mem(m);
			}
}

static void addresses_in_the_buffer_are_relative(void **state)
{
	(void)state;
	start();
	e.t.p = e.code + 16;
	tr_op_mem(&e.t, TR_W | 0x3b, 10, tr_based(TR_RIP, 200));
	assert_int_equal(x86_decode(e.code + 16, 15, X86_CODE64, &e.i), e.t.p - e.code - 16);
	assert_int_equal(e.i.op, X86_OP_CMP);
	assert_int_equal(e.i.base, X86_REG_IP);
	assert_int_equal(16 + e.i.len + e.i.disp, 200);
}

static void constants_take_the_shortest_form(void **state)
{
	static const struct {
		uint64_t v;
		int len;
	} cases[] = { { 0, 5 }, { 0xffffffff, 5 }, { ~0ull, 7 }, { 0x100000000, 10 } };

	(void)state;
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(cases); n++) {
		start();
		tr_mov_imm(&e.t, 0, cases[n].v);
		assert_int_equal(decoded()->op, X86_OP_MOV);
		assert_int_equal(e.i.len, cases[n].len);
		assert_true((e.i.osize == 3 ? (uint64_t)e.i.imm : (uint32_t)e.i.imm) == cases[n].v);
	}
}

static void prefixes_and_maps_are_in_their_order(void **state)
{
	static const struct {
		uint32_t op;
		uint16_t want;
		uint8_t osize;
	} cases[] = {
		{ TR_F2 | TR_0F | 0x58, X86_OP_ADDSD, 4 },
		{ TR_F3 | TR_0F | 0x58, X86_OP_ADDSS, 4 },
		{ TR_P66 | TR_0F | 0x58, X86_OP_ADDPD, 4 },
		{ TR_0F | 0x58, X86_OP_ADDPS, 4 },
		{ TR_P66 | TR_38 | 0x00, X86_OP_PSHUFB, 4 },
		{ TR_P66 | TR_0F | 0xef, X86_OP_PXOR, 4 },
		{ TR_F2 | TR_W | TR_0F | 0x2c, X86_OP_CVTTSD2SI, 3 },
		{ TR_F3 | TR_W | TR_0F | 0xb8, X86_OP_POPCNT, 3 },
		{ TR_W | TR_0F | 0xaf, X86_OP_IMUL, 3 },
	};

	(void)state;
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(cases); n++) {
		start();
		tr_op_mem(&e.t, cases[n].op, 9, tr_based(13, 8));
		assert_int_equal(decoded()->op, cases[n].want);
		assert_int_equal(e.i.osize, cases[n].osize);
		assert_int_equal(e.i.dst, 9);
		assert_int_equal(e.i.base, 13);
	}
	start();
	tr_op_mem(&e.t, tr_sized(TR_LOCK | TR_0F | 0xb0, 1), 8, tr_based(12, 0));
	assert_int_equal(decoded()->op, X86_OP_CMPXCHG);
	assert_int_equal(e.i.osize, 1);
	assert_true(e.i.flags & X86_F_LOCK);
}

static void jumps_lead_where_they_are_patched_to(void **state)
{
	uint8_t *end;

	(void)state;
	for (unsigned int cc = 0; cc <= TR_ALWAYS; cc++) {
		start();
		end = tr_jump(&e.t, cc, NULL);
		tr_patch(end, e.code + 100);
		assert_int_equal(decoded()->op, cc == TR_ALWAYS ? X86_OP_JMP : X86_OP_JCC);
		if (cc != TR_ALWAYS)
			assert_int_equal(e.i.cc, cc);
		assert_int_equal(e.i.len + e.i.imm, 100);
	}
}

static struct tr_flag_use use_of(const char *bytes, size_t count)
{
	assert_int_equal(x86_decode((const uint8_t *)bytes, count, X86_CODE64, &e.i), count);
	return tr_flag_use(&e.i);
}
#define USE_OF(bytes) use_of(bytes, sizeof(bytes) - 1)

static void what_instructions_do_with_flags_is_known(void **state)
{
	struct tr_flag_use u = USE_OF("\x01\xd8"); /* add */

	(void)state;
	assert_true(!u.reads && u.writes == TR_ALL && u.changes);
	u = USE_OF("\x11\xd8"); /* adc */
	assert_true(u.reads == TR_CF && u.writes == TR_ALL);
	u = USE_OF("\xff\xc0"); /* inc */
	assert_true(!u.reads && u.writes == (TR_ALL & ~TR_CF));
	u = USE_OF("\xc1\xe0\x20"); /* shl by 32: none */
	assert_true(!u.reads && !u.writes && !u.changes);
	u = USE_OF("\xc1\xe0\x03"); /* shl by 3: OF, AF are undefined */
	assert_true(u.writes == (TR_CF | TR_PF | TR_ZF | TR_SF) && u.changes);
	u = USE_OF("\xd3\xe0"); /* shl by cl: perhaps none */
	assert_true(!u.writes && u.changes);
	u = USE_OF("\x0f\x47\xc3"); /* cmova */
	assert_true(u.reads == (TR_CF | TR_ZF) && !u.writes && !u.changes);
	u = USE_OF("\x9c"); /* pushf */
	assert_true(u.reads == TR_ALL);
	u = USE_OF("\x74\x00"); /* je: what is there may read all */
	assert_true(u.reads == TR_ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_of_all_sizes_are_encoded),
		cmocka_unit_test(every_addressing_form_is_encoded),
		cmocka_unit_test(addresses_in_the_buffer_are_relative),
		cmocka_unit_test(constants_take_the_shortest_form),
		cmocka_unit_test(prefixes_and_maps_are_in_their_order),
		cmocka_unit_test(jumps_lead_where_they_are_patched_to),
		cmocka_unit_test(what_instructions_do_with_flags_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
