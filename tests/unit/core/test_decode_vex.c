/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_decode_vex.c - the decoder behind a VEX prefix, by hand from the manuals: operands of every
 * shape, what L, W and vvvv may be, what may not stand in front, other code sizes, the order of
 * vex.def. test_decode_oracle.c covers the breadth. Single threaded; nothing saved.
 * Source: Intel SDM Vol 2A 2.3 "Intel Advanced Vector Extensions (Intel AVX)".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "hvm/hvm_state.h"
#include "x86/insn.h"
#include "x86/vex.h"

#define NONE X86_REG_NONE
#define L    X86_VEX_PREFIX_L
#define W    X86_VEX_PREFIX_W

enum {
	C16 = X86_CODE16,
	C32 = X86_CODE32,
	C64 = X86_CODE64
};

/* Decode @hex, whose every byte must belong to the instruction. */
static struct x86_insn decode(unsigned int size, const char *hex)
{
	const char *p = hex;
	struct x86_insn i;
	unsigned int byte;
	uint8_t code[32];
	int n = 0, used, len;

	while (n < 32 && sscanf(p, " %2x%n", &byte, &used) == 1) {
		code[n++] = (uint8_t)byte;
		p += used;
	}
	len = x86_decode(code, (size_t)n, (enum x86_code_size)size, &i);
	if (len != n || i.len != len)
		fail_msg("%s in %u-bit code: length %d", hex, 8u << size, len);
	return i;
}

struct row {
	uint8_t size;
	const char *code; /* hex */
	const char *name;
	uint8_t form, osize, dst, vreg, src;
	int64_t imm;
	uint8_t vex, msize;
};

static void check_rows(const struct row *r, size_t count)
{
	for (; count; count--, r++) {
		struct x86_insn i = decode(r->size, r->code);

		if (i.op != X86_OP_VEX)
			fail_msg("%s in %u-bit code is %s", r->code, 8u << r->size,
				 x86_op_name(i.op));
		/* Of memory, src is only what ModRM.rm says. */
		if (strcmp(x86_vex_row(&i)->name, r->name) != 0 || i.form != r->form ||
		    i.osize != r->osize || i.dst != r->dst || i.vreg != r->vreg ||
		    (!x86_vex_has_mem(&i) && i.src != r->src) || i.imm != r->imm ||
		    i.vex != r->vex || i.msize != r->msize)
			fail_msg("%s in %u-bit code: %s form %u osize %u dst %u vreg %u src %u "
				 "imm %llx vex %u msize %u",
				 r->code, 8u << r->size, x86_vex_row(&i)->name, i.form, i.osize,
				 i.dst, i.vreg, i.src, (unsigned long long)i.imm, i.vex, i.msize);
		assert_int_equal(i.rep, X86_REP_NONE);
		assert_false(i.flags & (X86_F_LOCK | X86_F_REX | X86_F_66 | X86_F_ENDS));
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

/* clang-format off */
static void operands_are_where_the_encoding_has_them(void **state)
{
	static const struct row rows[] = {
		/* three registers; the upper eight of each field */
		{ C64, "c5 f0 58 c2", "VADDPS", X86_FORM_RR, 4, 0, 1, 2, 0, 0, 0 },
		{ C64, "c5 74 58 c2", "VADDPS", X86_FORM_RR, 5, 8, 1, 2, 0, L, 0 },
		{ C64, "c4 c1 34 58 c7", "VADDPS", X86_FORM_RR, 5, 0, 9, 15, 0, L, 0 },
		{ C64, "c5 84 58 c2", "VADDPS", X86_FORM_RR, 5, 0, 15, 2, 0, L, 0 },
		/* memory of the vector's size, of a half, a quarter, an eighth, of one element */
		{ C64, "c5 f4 58 00", "VADDPS", X86_FORM_RM, 5, 0, 1, 0, 0, L, 32 },
		{ C64, "c5 f0 58 00", "VADDPS", X86_FORM_RM, 4, 0, 1, 0, 0, 0, 16 },
		{ C64, "c4 e2 7d 20 18", "VPMOVSXBW", X86_FORM_RM, 5, 3, 0, 0, 0, L, 16 },
		{ C64, "c4 e2 79 21 18", "VPMOVSXBD", X86_FORM_RM, 4, 3, 0, 0, 0, 0, 4 },
		{ C64, "c4 e2 7d 22 18", "VPMOVSXBQ", X86_FORM_RM, 5, 3, 0, 0, 0, L, 4 },
		{ C64, "c5 f3 58 00", "VADDSD", X86_FORM_RM, 4, 0, 1, 0, 0, 0, 8 },
		{ C64, "c5 fb 12 00", "VMOVDDUP", X86_FORM_RM, 4, 0, 0, 0, 0, 0, 8 },
		{ C64, "c5 ff 12 00", "VMOVDDUP", X86_FORM_RM, 5, 0, 0, 0, 0, L, 32 },
		{ C64, "c5 f5 f3 00", "VPSLLQ", X86_FORM_RM, 5, 0, 1, 0, 0, L, 16 },
		/* stores */
		{ C64, "c5 7c 29 00", "VMOVAPS", X86_FORM_MR, 5, 8, 0, 0, 0, L, 32 },
		{ C64, "c5 fc 29 c1", "VMOVAPS", X86_FORM_RR, 5, 0, 0, 1, 0, L, 0 },
		{ C64, "c4 e2 75 2e 10", "VMASKMOVPS", X86_FORM_MR, 5, 2, 1, 0, 0, L, 32 },
		/* the same opcode with memory and with a register */
		{ C64, "c5 fa 10 08", "VMOVSS", X86_FORM_RM, 4, 1, 0, 0, 0, 0, 4 },
		{ C64, "c5 ea 10 cb", "VMOVSS", X86_FORM_RR, 4, 1, 2, 3, 0, 0, 0 },
		{ C64, "c5 fa 11 08", "VMOVSS", X86_FORM_MR, 4, 1, 0, 0, 0, 0, 4 },
		{ C64, "c5 ea 11 cb", "VMOVSS", X86_FORM_RR, 4, 1, 2, 3, 0, 0, 0 },
		{ C64, "c5 e8 12 08", "VMOVLPS", X86_FORM_RM, 4, 1, 2, 0, 0, 0, 8 },
		{ C64, "c5 e8 12 cb", "VMOVHLPS", X86_FORM_RR, 4, 1, 2, 3, 0, 0, 0 },
		{ C64, "c5 e8 16 08", "VMOVHPS", X86_FORM_RM, 4, 1, 2, 0, 0, 0, 8 },
		{ C64, "c5 e8 16 cb", "VMOVLHPS", X86_FORM_RR, 4, 1, 2, 3, 0, 0, 0 },
		/* immediates */
		{ C64, "c5 fd 70 c8 ff", "VPSHUFD", X86_FORM_RRI, 5, 1, 0, 0, 0xff, L, 0 },
		{ C64, "c5 f0 c2 00 1f", "VCMPPS", X86_FORM_RMI, 4, 0, 1, 0, 0x1f, 0, 16 },
		{ C64, "c4 e3 7d 19 08 01", "VEXTRACTF128", X86_FORM_MRI, 5, 1, 0, 0, 1, L, 16 },
		{ C64, "c4 e3 79 16 08 03", "VPEXTRD", X86_FORM_MRI, 4, 1, 0, 0, 3, 0, 4 },
		{ C64, "c4 e3 f9 16 c8 01", "VPEXTRD", X86_FORM_RRI, 4, 1, 0, 0, 1, W, 0 },
		{ C64, "c4 e3 7d 1d 08 04", "VCVTPS2PH", X86_FORM_MRI, 5, 1, 0, 0, 4, L, 16 },
		/* the fourth register */
		{ C64, "c4 e3 75 4a c2 f0", "VBLENDVPS", X86_FORM_RRI, 5, 0, 1, 2, 0xf0, L, 0 },
		{ C32, "c4 e3 75 4a c2 f0", "VBLENDVPS", X86_FORM_RRI, 5, 0, 1, 2, 0x70, L, 0 },
		{ C64, "c4 e3 71 4c 00 3f", "VPBLENDVB", X86_FORM_RMI, 4, 0, 1, 0, 0x3f, 0, 16 },
		/* ModRM.reg is opcode: the result goes to vvvv */
		{ C64, "c5 f5 72 d2 05", "VPSRLD", X86_FORM_RRI, 5, 2, 1, 2, 5, L, 0 },
		{ C64, "c5 b1 73 da ff", "VPSRLDQ", X86_FORM_RRI, 4, 3, 9, 2, 0xff, 0, 0 },
		{ C64, "c4 e2 70 f3 0b", "BLSR", X86_FORM_RM, 2, 1, 1, 0, 0, 0, 4 },
		{ C64, "c4 c2 b0 f3 d9", "BLSI", X86_FORM_RR, 3, 3, 9, 9, 0, W, 0 },
		{ C64, "c5 f8 ae 10", "VLDMXCSR", X86_FORM_RM, 4, 2, 0, 0, 0, 0, 4 },
		{ C64, "c5 f8 ae 18", "VSTMXCSR", X86_FORM_MR, 4, 3, 0, 0, 0, 0, 4 },
		/* between general registers and vectors */
		{ C64, "c5 f9 6e c1", "VMOVD", X86_FORM_RR, 4, 0, 0, 1, 0, 0, 0 },
		{ C64, "c4 41 f9 7e c1", "VMOVD", X86_FORM_RR, 4, 8, 0, 9, 0, W, 0 },
		{ C64, "c4 e1 f3 2a 00", "VCVTSI2SD", X86_FORM_RM, 4, 0, 1, 0, 0, W, 8 },
		{ C64, "c5 fd d7 c1", "VPMOVMSKB", X86_FORM_RR, 5, 0, 0, 1, 0, L, 0 },
		/* general registers alone */
		{ C64, "c4 e2 70 f2 c2", "ANDN", X86_FORM_RR, 2, 0, 1, 2, 0, 0, 0 },
		{ C64, "c4 e2 f3 f6 00", "MULX", X86_FORM_RM, 3, 0, 1, 0, 0, W, 8 },
		{ C64, "c4 e3 fb f0 c1 3f", "RORX", X86_FORM_RRI, 3, 0, 0, 1, 0x3f, W, 0 },
		{ C64, "c4 e2 71 f7 c2", "SHLX", X86_FORM_RR, 2, 0, 1, 2, 0, 0, 0 },
		/* no operand */
		{ C64, "c5 f8 77", "VZEROUPPER", X86_FORM_NONE, 4, 0, 0, 0, 0, 0, 0 },
		{ C64, "c5 fc 77", "VZEROALL", X86_FORM_NONE, 5, 0, 0, 0, 0, L, 0 },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void l_and_w_are_opcode_or_ignored_as_the_manual_has_it(void **state)
{
	static const struct row rows[] = {
		/* W is ignored, and told: */
		{ C64, "c4 e1 f0 58 c2", "VADDPS", X86_FORM_RR, 4, 0, 1, 2, 0, W, 0 },
		/* it is opcode: */
		{ C64, "c4 e2 75 45 c2", "VPSRLVD", X86_FORM_RR, 5, 0, 1, 2, 0, L, 0 },
		{ C64, "c4 e2 f5 45 c2", "VPSRLVQ", X86_FORM_RR, 5, 0, 1, 2, 0, L | W, 0 },
		{ C64, "c4 e2 71 98 c2", "VFMADD132PS", X86_FORM_RR, 4, 0, 1, 2, 0, 0, 0 },
		{ C64, "c4 e2 f1 98 c2", "VFMADD132PD", X86_FORM_RR, 4, 0, 1, 2, 0, W, 0 },
		/* L is ignored of scalars: */
		{ C64, "c5 f6 58 c2", "VADDSS", X86_FORM_RR, 5, 0, 1, 2, 0, L, 0 },
		{ C64, "c4 e2 75 99 00", "VFMADD132SS", X86_FORM_RM, 5, 0, 1, 0, 0, L, 4 },
		{ C64, "c5 fe 2c 00", "VCVTTSS2SI", X86_FORM_RM, 5, 0, 0, 0, 0, L, 4 },
	};
	static const char *const illegal[] = {
		"c5 fd 6e c0", "c5 f4 12 c2", "c5 f4 16 00", "c4 e2 7d 41 c1",	/* L must be 0 */
		"c4 e3 75 41 c2 00", "c5 fc ae 10", "c4 e2 74 f2 c2", "c5 f5 c4 c2 00",
		"c4 e2 79 19 c1", "c4 e3 71 06 c2 00", "c4 e2 71 36 c2",	/* 1 */
		"c4 e3 f9 00 c1 00", "c4 e3 79 19 c1 00", "c4 e2 79 1a 00",
		"c4 e2 f9 18 c1", "c4 e2 f1 2c 00", "c4 e3 f5 4a c2 00",	/* W must be 0 */
		"c4 e2 f1 46 c2", "c4 e2 f9 13 c1", "c4 e3 f9 1d c1 00",
		"c4 e3 7d 00 c1 00",						/* 1 */
	};
	size_t n;

	(void)state;
	CHECK_ROWS(rows);
	for (n = 0; n < sizeof(illegal) / sizeof(illegal[0]); n++)
		if (decode(C64, illegal[n]).op != X86_OP_INVALID)
			fail_msg("%s is legal", illegal[n]);
}

static void what_is_no_v3_instruction_is_invalid_with_its_length(void **state)
{
	static const struct {
		uint8_t size;
		const char *code;
	} rows[] = {
		/* vvvv that is no operand must be 1111b */
		{ C64, "c5 f0 28 c1" }, { C64, "c5 f1 6f 00" }, { C64, "c5 f0 77" },
		{ C64, "c5 f1 70 c0 1b" }, { C64, "c4 e2 71 18 c1" }, { C64, "c4 e3 71 08 c1 00" },
		{ C64, "c5 82 10 00" }, { C32, "c5 f0 28 c1" }, { C64, "c4 e3 73 f0 c1 05" },
		{ C32, "c4 e1 38 28 c1" },		/* its bit 3, too */
		/* what may not stand in front */
		{ C64, "66 c5 f8 57 c0" }, { C64, "f2 c5 f8 57 c0" }, { C64, "f3 c5 f8 57 c0" },
		{ C64, "f0 c5 f8 57 c0" }, { C64, "48 c5 f8 57 c0" }, { C64, "40 c4 e2 79 00 c0" },
		{ C64, "f0 c5 f8 29 00" }, { C32, "66 c5 f8 57 c0" }, { C16, "f3 c4 e2 79 00 c0" },
		/* memory only, register only */
		{ C64, "c5 f8 13 c1" }, { C64, "c5 f8 2b c1" }, { C64, "c5 fb f0 c1" },
		{ C64, "c4 e2 7d 1a c1" }, { C64, "c4 e2 71 2c c2" }, { C64, "c5 f8 50 00" },
		{ C64, "c5 f9 f7 00" }, { C64, "c5 f1 71 10 01" }, { C64, "c5 f8 ae d0" },
		/* ModRM.reg that is no opcode */
		{ C64, "c5 f1 71 c2 01" }, { C64, "c5 f1 72 da 01" }, { C64, "c4 e2 70 f3 c1" },
		{ C64, "c5 f8 ae 00" },
		/* gathers: SIB is needed, no two vectors may be one, no addresses of 16 bits */
		{ C64, "c4 e2 69 92 00" }, { C64, "c4 e2 69 92 c4" }, { C64, "c4 e2 69 92 14 20" },
		{ C64, "c4 e2 69 92 04 10" }, { C64, "c4 e2 79 92 0c 00" }, { C16, "c4 e2 69 92 04" },
		{ C32, "67 c4 e2 69 92 04" }, { C64, "c4 e2 69 92 05 00 00 00 00" },
		/* maps that there are none of */
		{ C64, "c4 e0 79 58 c0" }, { C64, "c4 e4 79 58 c0" }, { C64, "c4 ff 79 58 c0" },
		/* prefixes that the opcode has none for, opcodes that there are none of */
		{ C64, "c5 fa 57 c0" }, { C64, "c5 f8 60 c0" },
		{ C64, "c5 f8 05 c0" }, { C64, "c5 f8 a2 c0" }, { C64, "c4 e2 78 00 c0" },
		/* above x86-64-v3 */
		{ C64, "c4 e2 71 dc c2" }, { C64, "c4 e2 75 dc c2" },		/* VAESENC */
		{ C64, "c4 e3 71 44 c2 00" }, { C64, "c4 e3 79 df c1 00" },	/* VPCLMULQDQ */
		{ C64, "c4 e2 71 50 c2" }, { C64, "c4 e2 71 cf c2" },	/* AVX-VNNI, GFNI */
		{ C64, "c5 f8 90 c1" }, { C64, "c5 ec 41 cb" },		/* KMOVW, KANDW */
		{ C64, "c4 e3 69 69 c1 00" },				/* FMA4 */
		{ C64, "c4 e2 78 49 00" },				/* AMX */
		/* EVEX and XOP */
		{ C64, "62 f1 7c 48 58 c0" }, { C64, "62 f2 7d 48 58 44 24 01" },
		{ C32, "62 f3 7d 48 25 c0 ff" }, { C64, "8f e8 78 c0 c0 05" },
		{ C64, "8f e9 78 e1 c0" }, { C32, "8f ea 78 10 c0 01 02 03 04" },
	};
	struct x86_insn i;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		i = decode(rows[n].size, rows[n].code);
		if (i.op != X86_OP_INVALID || i.form != X86_FORM_NONE || !(i.flags & X86_F_ENDS))
			fail_msg("%s in %u-bit code", rows[n].code, 8u << rows[n].size);
	}
}

/* What may stand in front: segments, 67, and a REX that does not count as something follows it. */
static void segment_and_address_size_prefixes_are_taken(void **state)
{
	struct x86_insn i;

	(void)state;
	i = decode(C64, "64 67 c5 fc 28 40 10");
	assert_int_equal(i.op, X86_OP_VEX);
	assert_int_equal(i.seg, HVM_SEG_FS);
	assert_int_equal(i.asize, 2);
	assert_int_equal(i.disp, 16);
	i = decode(C64, "41 2e c5 fc 28 00");
	assert_int_equal(i.op, X86_OP_VEX);
	assert_int_equal(i.base, 0);
	i = decode(C64, "c4 01 7c 28 44 bd 80");
	assert_int_equal(i.dst, 8);
	assert_int_equal(i.base, 13);
	assert_int_equal(i.index, 15);
	assert_int_equal(i.scale, 2);
	assert_int_equal(i.disp, -128);
	i = decode(C64, "c5 fc 28 05 10 00 00 00");
	assert_int_equal(i.base, X86_REG_IP);
	i = decode(C64, "c4 e3 7d 19 05 10 00 00 00 01");
	assert_int_equal(i.base, X86_REG_IP);
	assert_int_equal(i.disp, 16);
	assert_int_equal(i.imm, 1);
}

static void gathers_have_a_vector_for_their_index(void **state)
{
	static const struct {
		const char *code;
		const char *name;
		uint8_t dst, index, mask, base, scale, msize, vex;
		int8_t disp;
	} rows[] = {
		{ "c4 e2 69 92 04 20", "VGATHERDPS", 0, 4, 2, 0, 0, 4, 0, 0 },
		{ "c4 a2 69 92 04 20", "VGATHERDPS", 0, 12, 2, 0, 0, 4, 0, 0 },
		{ "c4 22 ed 93 4c d7 f8", "VGATHERQPD", 9, 10, 2, 7, 3, 8, L | W, -8 },
		{ "c4 c2 bd 90 4c 6d 04", "VPGATHERDQ", 1, 5, 8, 13, 1, 8, L | W, 4 },
		{ "c4 e2 6d 91 0c 85 00 00 00 00", "VPGATHERQD", 1, 0, 2, NONE, 2, 4, L, 0 },
	};
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct x86_insn i = decode(C64, rows[n].code);

		assert_int_equal(i.op, X86_OP_VEX);
		if (strcmp(x86_vex_row(&i)->name, rows[n].name) != 0 || i.form != X86_FORM_RM ||
		    i.index != NONE || i.cc != rows[n].index || i.dst != rows[n].dst ||
		    i.vreg != rows[n].mask || i.base != rows[n].base ||
		    i.scale != rows[n].scale || i.msize != rows[n].msize ||
		    i.vex != rows[n].vex || i.disp != rows[n].disp)
			fail_msg("%s: %s dst %u index %u mask %u base %u scale %u msize %u",
				 rows[n].code, x86_vex_row(&i)->name, i.dst, i.cc, i.vreg, i.base,
				 i.scale, i.msize);
	}
}

static void outside_of_64_bit_code_fields_have_three_bits(void **state)
{
	static const struct row rows[] = {
		/* The upper bits of vvvv and B are ignored; X and R are 1, or it is LES or LDS. */
		{ C32, "c4 e1 30 58 c2", "VADDPS", X86_FORM_RR, 4, 0, 1, 2, 0, 0, 0 },
		{ C32, "c4 c1 74 58 c7", "VADDPS", X86_FORM_RR, 5, 0, 1, 7, 0, L, 0 },
		{ C16, "c5 f4 58 00", "VADDPS", X86_FORM_RM, 5, 0, 1, 0, 0, L, 32 },
		{ C16, "67 c5 f4 58 40 01", "VADDPS", X86_FORM_RM, 5, 0, 1, 0, 0, L, 32 },
		/* W means nothing for general registers (AMD's refuse VPEXTRQ and VPINSRQ) */
		{ C32, "c4 e2 f0 f2 c2", "ANDN", X86_FORM_RR, 2, 0, 1, 2, 0, 0, 0 },
		{ C32, "c4 e2 b0 f3 08", "BLSR", X86_FORM_RM, 2, 1, 1, 0, 0, 0, 4 },
		{ C32, "c4 e1 f9 6e 00", "VMOVD", X86_FORM_RM, 4, 0, 0, 0, 0, 0, 4 },
		{ C16, "c4 e3 f9 16 c8 03", "VPEXTRD", X86_FORM_RRI, 4, 1, 0, 0, 3, 0, 0 },
		{ C32, "c4 e1 f3 2a c1", "VCVTSI2SD", X86_FORM_RR, 4, 0, 1, 1, 0, 0, 0 },
		/* and is what it is where it is opcode */
		{ C32, "c4 e2 f1 98 c2", "VFMADD132PD", X86_FORM_RR, 4, 0, 1, 2, 0, W, 0 },
	};
	static const struct {
		uint8_t size;
		const char *code;
		uint16_t op;
	} others[] = {
		{ C32, "c4 00", X86_OP_LES }, { C32, "c5 00", X86_OP_LDS }, { C16, "c5 40 00", X86_OP_LDS },
		{ C32, "c5 80 00 00 00 00", X86_OP_LDS }, { C16, "c4 bf 00 00", X86_OP_LES },
		{ C32, "62 00", X86_OP_BOUND }, { C32, "8f c0", X86_OP_POP }, { C64, "8f c0", X86_OP_POP },
	};
	size_t n;

	(void)state;
	CHECK_ROWS(rows);
	for (n = 0; n < sizeof(others) / sizeof(others[0]); n++)
		assert_string_equal(x86_op_name(decode(others[n].size, others[n].code).op),
				    x86_op_name(others[n].op));
}
/* clang-format on */

static void every_beginning_of_an_instruction_asks_for_more_bytes(void **state)
{
	static const uint8_t codes[][10] = {
		{ 3, 0xc5, 0xf8, 0x77 },
		{ 6, 0xc4, 0xe2, 0x69, 0x92, 0x04, 0x20 },
		{ 6, 0xc4, 0xe3, 0x75, 0x4a, 0xc2, 0xf0 },
		{ 9, 0xc5, 0xf8, 0xc2, 0x05, 1, 2, 3, 4, 0 },
		{ 6, 0x66, 0xc5, 0xf9, 0x70, 0xc0, 0x1b },
		{ 6, 0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc0 },
	};
	struct x86_insn i;
	size_t n, k;

	(void)state;
	for (n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
		for (k = 0; k < codes[n][0]; k++)
			assert_int_equal(x86_decode(codes[n] + 1, k, X86_CODE64, &i), -HVM_EAGAIN);
		assert_int_equal(x86_decode(codes[n] + 1, k, X86_CODE64, &i), k);
	}
}

static void fifteen_bytes_are_the_limit_behind_vex_too(void **state)
{
	struct x86_insn i;
	uint8_t code[16];

	(void)state;
	memset(code, 0x2e, sizeof(code));
	memcpy(code + 10, "\xc4\xe1\x74\x58\xc2", 5);
	assert_int_equal(x86_decode(code, 16, X86_CODE64, &i), 15);
	assert_int_equal(i.op, X86_OP_VEX);
	memmove(code + 11, code + 10, 5);
	assert_int_equal(x86_decode(code, 16, X86_CODE64, &i), -HVM_ERANGE);
}

/* The decoder finds a row by bisection, and the first that matches. */
static void rows_are_in_the_order_of_their_keys(void **state)
{
	const struct x86_vex_row *r;
	size_t n;

	(void)state;
	for (n = 0; n < x86_vex_row_count; n++) {
		r = &x86_vex_rows[n];
		if (n && r[-1].key > r->key)
			fail_msg("%s stands behind %s", r->name, r[-1].name);
		assert_in_range(x86_vex_map(r), 1, 3);
		/* Whatever may be memory says how much; what may not says nothing. */
		assert_int_equal(!(r->rm & X86_VEX_MEMORY), !r->msize);
		assert_true(r->rm || r->kind == X86_VEX_ZERO);
		assert_true(r->kind < X86_VEX_KINDS);
	}
}

/* Of one encoding, no row hides another. */
static bool rows_overlap(const struct x86_vex_row *a, const struct x86_vex_row *b)
{
	if (a->key != b->key || (a->ext != b->ext && a->ext != X86_VEX_NO_EXT))
		return false;
	if (a->l < X86_VEX_LX && b->l < X86_VEX_LX && a->l != b->l)
		return false;
	if (a->w < X86_VEX_WX && b->w < X86_VEX_WX && a->w != b->w)
		return false;
	return (a->rm & b->rm & (X86_VEX_MEMORY | X86_VEX_REG)) || (!a->rm && !b->rm);
}

static void no_row_hides_another(void **state)
{
	size_t n, k;

	(void)state;
	for (n = 0; n < x86_vex_row_count; n++)
		for (k = n + 1; k < x86_vex_row_count && k < n + 8; k++)
			if (rows_overlap(&x86_vex_rows[n], &x86_vex_rows[k]))
				fail_msg("%s and %s", x86_vex_rows[n].name, x86_vex_rows[k].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operands_are_where_the_encoding_has_them),
		cmocka_unit_test(l_and_w_are_opcode_or_ignored_as_the_manual_has_it),
		cmocka_unit_test(what_is_no_v3_instruction_is_invalid_with_its_length),
		cmocka_unit_test(segment_and_address_size_prefixes_are_taken),
		cmocka_unit_test(gathers_have_a_vector_for_their_index),
		cmocka_unit_test(outside_of_64_bit_code_fields_have_three_bits),
		cmocka_unit_test(every_beginning_of_an_instruction_asks_for_more_bytes),
		cmocka_unit_test(fifteen_bytes_are_the_limit_behind_vex_too),
		cmocka_unit_test(rows_are_in_the_order_of_their_keys),
		cmocka_unit_test(no_row_hides_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
