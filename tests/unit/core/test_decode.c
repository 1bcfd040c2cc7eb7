/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_decode.c - encodings that decoders get wrong, and the conventions of insn.h, by hand from
 * the manuals. test_decode_oracle.c covers the breadth. Single threaded; nothing saved. Source:
 * Intel SDM Vol 2 ch. 2 and the instruction reference.
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

#define NONE X86_REG_NONE
#define IP   X86_REG_IP
#define HIGH X86_REG_HIGH

enum {
	C16 = X86_CODE16,
	C32 = X86_CODE32,
	C64 = X86_CODE64
};

struct row {
	uint8_t size;
	const char *code; /* hex */
	const char *op;
	uint8_t form, osize, dst, src;
	int64_t imm;
};

/* Bytes of the hex string @hex; blanks allowed. */
static size_t from_hex(const char *hex, uint8_t *ret)
{
	unsigned int byte;
	size_t n = 0;
	int used;

	while (n < 32 && sscanf(hex, " %2x%n", &byte, &used) == 1) {
		ret[n++] = (uint8_t)byte;
		hex += used;
	}
	return n;
}

/* Decode @hex, whose every byte must belong to the instruction. */
static struct x86_insn decode(unsigned int size, const char *hex)
{
	struct x86_insn i;
	uint8_t code[32];
	size_t n = from_hex(hex, code);
	int len = x86_decode(code, n, (enum x86_code_size)size, &i);

	if (len != (int)n)
		fail_msg("%s in %u-bit code: length %d", hex, 8u << size, len);
	assert_int_equal(i.len, len);
	assert_int_equal(i.end, len);
	assert_null(i.exec);
	return i;
}

static void check_rows(const struct row *r, size_t count)
{
	for (; count; count--, r++) {
		struct x86_insn i = decode(r->size, r->code);

		if (strcmp(x86_op_name(i.op), r->op) != 0 || i.form != r->form ||
		    i.osize != r->osize || i.dst != r->dst || i.src != r->src || i.imm != r->imm)
			fail_msg("%s in %u-bit code: %s form %u osize %u dst %u src %u imm %llx",
				 r->code, 8u << r->size, x86_op_name(i.op), i.form, i.osize, i.dst,
				 i.src, (unsigned long long)i.imm);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

/* clang-format off */
static void operands_follow_the_conventions_of_insn_h(void **state)
{
	static const struct row rows[] = {
		{ C64, "00 e0", "ADD", X86_FORM_RR, 0, 0, HIGH | 0, 0 },	/* add al, ah */
		{ C64, "40 00 e0", "ADD", X86_FORM_RR, 0, 0, 4, 0 },		/* add al, spl */
		{ C64, "02 27", "ADD", X86_FORM_RM, 0, HIGH | 0, 0, 0 },
		{ C64, "48 05 00 00 00 80", "ADD", X86_FORM_RI, 3, 0, 0, INT32_MIN },
		{ C64, "48 83 c0 ff", "ADD", X86_FORM_RI, 3, 0, 0, -1 },
		{ C16, "66 81 07 78 56 34 12", "ADD", X86_FORM_MI, 2, 0, 0, 0x12345678 },
		{ C64, "48 b8 01 02 03 04 05 06 07 88", "MOV", X86_FORM_RI, 3, 0, 0,
		  (int64_t)0x8807060504030201ull },
		{ C64, "d0 20", "SHL", X86_FORM_MI, 0, 0, 0, 1 },
		{ C64, "d0 30", "SHL", X86_FORM_MI, 0, 0, 0, 1 },		/* /6 is /4 */
		{ C64, "d3 e8", "SHR", X86_FORM_RR, 2, 0, 1, 0 },
		{ C64, "c1 f8 ff", "SAR", X86_FORM_RI, 2, 0, 0, 0xff },
		{ C64, "0f a4 d8 04", "SHLD", X86_FORM_RRI, 2, 0, 3, 4 },
		{ C64, "0f ad 18", "SHRD", X86_FORM_MR, 2, 0, 3, 0 },
		{ C64, "69 c3 00 01 00 00", "IMUL3", X86_FORM_RRI, 2, 0, 3, 256 },
		{ C64, "6b 03 80", "IMUL3", X86_FORM_RMI, 2, 0, 0, -128 },
		{ C64, "41 93", "XCHG", X86_FORM_RR, 2, 0, 11, 0 },
		{ C64, "e4 80", "IN", X86_FORM_RI, 0, 0, 0, 0x80 },
		{ C64, "48 ed", "IN", X86_FORM_RR, 2, 0, 2, 0 },
		{ C64, "e7 80", "OUT", X86_FORM_I, 2, 0, 0, 0x80 },
		{ C64, "66 ef", "OUT", X86_FORM_RR, 1, 2, 0, 0 },
		{ C32, "ea 01 02 03 04 05 86", "JMP_FAR", X86_FORM_I, 2, 0, 0, 0x860504030201 },
		{ C16, "9a 01 82 05 06", "CALL_FAR", X86_FORM_I, 1, 0, 0, 0x60500008201 },
		{ C64, "c8 34 12 05", "ENTER", X86_FORM_I, 3, 0, 0, 0x51234 },
		{ C64, "c2 fe ff", "RET_IMM", X86_FORM_I, 3, 0, 0, 0xfffe },
		{ C64, "0f 20 c0", "MOV_FROM_CR", X86_FORM_RR, 3, 0, 0, 0 },
		{ C64, "44 0f 22 c1", "MOV_TO_CR", X86_FORM_RR, 3, 8, 1, 0 },
		{ C32, "0f 22 1b", "MOV_TO_CR", X86_FORM_RR, 2, 3, 3, 0 },	/* mod is ignored */
		{ C32, "0f 23 fa", "MOV_TO_DR", X86_FORM_RR, 2, 7, 2, 0 },
		{ C64, "8e d8", "MOV_TO_SEG", X86_FORM_RR, 1, HVM_SEG_DS, 0, 0 },
		{ C64, "8c d8", "MOV_FROM_SEG", X86_FORM_RR, 2, 0, HVM_SEG_DS, 0 },
		{ C64, "48 8c 18", "MOV_FROM_SEG", X86_FORM_MR, 1, 0, HVM_SEG_DS, 0 },
		{ C32, "06", "PUSH_SEG", X86_FORM_R, 2, 0, HVM_SEG_ES, 0 },
		{ C64, "0f a1", "POP_SEG", X86_FORM_R, 3, HVM_SEG_FS, 0, 0 },
		{ C32, "c4 18", "LES", X86_FORM_RM, 2, HVM_SEG_ES, 3, 0 },
		{ C64, "4c 0f b2 18", "LSS", X86_FORM_RM, 3, HVM_SEG_SS, 11, 0 },
		{ C64, "0f c8", "BSWAP", X86_FORM_R, 2, 0, 0, 0 },
		{ C64, "49 0f cf", "BSWAP", X86_FORM_R, 3, 15, 0, 0 },
		{ C64, "0f b6 c4", "MOVZX8", X86_FORM_RR, 2, 0, HIGH | 0, 0 },
		{ C64, "48 63 c1", "MOVSXD", X86_FORM_RR, 3, 0, 1, 0 },
		{ C32, "63 c1", "ARPL", X86_FORM_RR, 1, 1, 0, 0 },
		{ C64, "0f 00 c0", "SLDT", X86_FORM_R, 2, 0, 0, 0 },
		{ C64, "48 0f 00 00", "SLDT", X86_FORM_M, 1, 0, 0, 0 },
		{ C64, "a4", "MOVS", X86_FORM_NONE, 0, 0, 0, 0 },
		{ C64, "48 a7", "CMPS", X86_FORM_NONE, 3, 0, 0, 0 },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void sse_and_x87_operands_follow_the_conventions_of_insn_h(void **state)
{
	static const struct row rows[] = {
		{ C64, "0f 6e c1", "MOVD", X86_FORM_RR, 2, 0, 1, 0 },
		{ C64, "66 48 0f 6e c1", "MOVQ", X86_FORM_RR, 3, 0, 1, 0 },
		{ C64, "66 4d 0f 7e c1", "MOVQ", X86_FORM_RR, 3, 9, 8, 0 },
		{ C64, "66 0f 7e 01", "MOVD", X86_FORM_MR, 2, 0, 0, 0 },
		{ C64, "f3 0f 7e 01", "MOVQ_LOAD", X86_FORM_RM, 4, 0, 0, 0 },
		{ C64, "0f 6f c1", "MOVQ_LOAD", X86_FORM_RR, 3, 0, 1, 0 },
		{ C64, "45 0f 7f c1", "MOVQ_STORE", X86_FORM_RR, 3, 1, 0, 0 },	/* no REX for MMX */
		{ C64, "66 0f d6 c1", "MOVQ_STORE", X86_FORM_RR, 4, 1, 0, 0 },
		{ C64, "66 f3 0f 10 01", "MOVSS", X86_FORM_RM, 4, 0, 0, 0 },	/* F3 over 66 */
		{ C64, "f3 f2 0f 10 01", "MOVSD_X", X86_FORM_RM, 4, 0, 0, 0 },	/* last one wins */
		{ C64, "0f 12 c1", "MOVHLPS", X86_FORM_RR, 4, 0, 1, 0 },
		{ C64, "0f 12 01", "MOVLPS", X86_FORM_RM, 4, 0, 0, 0 },
		{ C64, "f2 48 0f 2a c1", "CVTSI2SD", X86_FORM_RR, 3, 0, 1, 0 },
		{ C64, "f3 0f 2c 01", "CVTTSS2SI", X86_FORM_RM, 2, 0, 0, 0 },
		{ C64, "66 0f c5 c1 03", "PEXTRW", X86_FORM_RRI, 2, 0, 1, 3 },
		{ C64, "66 0f 3a 15 01 03", "PEXTRW", X86_FORM_MRI, 2, 0, 0, 3 },
		{ C64, "66 48 0f 3a 22 c1 01", "PINSRD", X86_FORM_RRI, 3, 0, 1, 1 },
		{ C64, "66 0f 73 d9 04", "PSRLDQ", X86_FORM_RI, 4, 1, 0, 4 },
		{ C64, "0f 73 d1 04", "PSRLQ", X86_FORM_RI, 3, 1, 0, 4 },
		{ C64, "f2 0f 38 f0 c1", "CRC32_8", X86_FORM_RR, 0, 0, 1, 0 },
		{ C64, "f2 48 0f 38 f1 c1", "CRC32", X86_FORM_RR, 3, 0, 1, 0 },
		{ C64, "66 f2 0f 38 f1 c1", "CRC32", X86_FORM_RR, 1, 0, 1, 0 },
		{ C64, "66 f3 0f b8 c1", "POPCNT", X86_FORM_RR, 1, 0, 1, 0 },
		{ C64, "f3 0f bc c1", "TZCNT", X86_FORM_RR, 2, 0, 1, 0 },
		{ C64, "f3 48 0f bd 01", "LZCNT", X86_FORM_RM, 3, 0, 0, 0 },
		{ C64, "66 f3 0f bd c1", "LZCNT", X86_FORM_RR, 1, 0, 1, 0 },
		{ C64, "f2 0f bc c1", "BSF", X86_FORM_RR, 2, 0, 1, 0 },
		{ C64, "66 0f bd c1", "BSR", X86_FORM_RR, 1, 0, 1, 0 },
		{ C64, "48 0f 38 f0 08", "MOVBE", X86_FORM_RM, 3, 1, 0, 0 },
		{ C64, "0f 38 f1 08", "MOVBE", X86_FORM_MR, 2, 0, 1, 0 },
		{ C64, "66 0f 38 f0 08", "MOVBE", X86_FORM_RM, 1, 1, 0, 0 },
		{ C16, "0f 38 f1 08", "MOVBE", X86_FORM_MR, 1, 0, 1, 0 },
		{ C64, "66 0f 38 82 01", "INVPCID", X86_FORM_RM, 3, 0, 0, 0 },
		{ C64, "d8 c3", "FADD", X86_FORM_RR, 4, 0, 3, 0 },
		{ C64, "dc e3", "FSUBR", X86_FORM_RR, 4, 3, 0, 0 },
		{ C64, "de eb", "FSUBP", X86_FORM_RR, 4, 3, 0, 0 },
		{ C64, "de d9", "FCOMPP", X86_FORM_RR, 4, 0, 1, 0 },
		{ C64, "d9 c3", "FLD", X86_FORM_RR, 4, 0, 3, 0 },
		{ C64, "dd db", "FSTP", X86_FORM_RR, 4, 3, 0, 0 },
		{ C64, "db 28", "FLD", X86_FORM_M, 4, 0, 0, 0 },
		{ C64, "df 28", "FILD", X86_FORM_M, 3, 0, 0, 0 },
		{ C64, "df e0", "FNSTSW_AX", X86_FORM_R, 1, 0, 0, 0 },
		{ C16, "d9 30", "FNSTENV", X86_FORM_M, 1, 0, 0, 0 },
		{ C64, "d9 fe", "FSIN", X86_FORM_NONE, 4, 0, 0, 0 },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void operation_size_follows_mode_prefix_and_rex(void **state)
{
	static const struct row rows[] = {
		{ C16, "50", "PUSH", X86_FORM_R, 1, 0, 0, 0 },
		{ C16, "66 50", "PUSH", X86_FORM_R, 2, 0, 0, 0 },
		{ C64, "50", "PUSH", X86_FORM_R, 3, 0, 0, 0 },
		{ C64, "66 50", "PUSH", X86_FORM_R, 1, 0, 0, 0 },
		{ C64, "66 48 50", "PUSH", X86_FORM_R, 3, 0, 0, 0 },
		{ C64, "68 00 00 00 80", "PUSH", X86_FORM_I, 3, 0, 0, INT32_MIN },
		{ C64, "66 68 00 80", "PUSH", X86_FORM_I, 1, 0, 0, INT16_MIN },
		{ C64, "6a ff", "PUSH", X86_FORM_I, 3, 0, 0, -1 },
		/* Near branches in 64-bit code ignore 66: the displacement stays 32 bits. */
		{ C64, "66 e8 fc ff ff ff", "CALL", X86_FORM_I, 3, 0, 0, -4 },
		{ C64, "66 0f 84 00 01 00 00", "JCC", X86_FORM_I, 3, 0, 0, 256 },
		{ C32, "66 e8 fc ff", "CALL", X86_FORM_I, 1, 0, 0, -4 },
		{ C16, "66 e9 fc ff ff ff", "JMP", X86_FORM_I, 2, 0, 0, -4 },
		{ C64, "66 c3", "RET", X86_FORM_NONE, 3, 0, 0, 0 },
		{ C64, "ff d0", "CALL_IND", X86_FORM_R, 3, 0, 0, 0 },
		{ C64, "cf", "IRET", X86_FORM_NONE, 2, 0, 0, 0 },
		{ C64, "48 cf", "IRET", X86_FORM_NONE, 3, 0, 0, 0 },
		{ C64, "48 ff 28", "JMP_FAR", X86_FORM_M, 3, 0, 0, 0 },
		/* REX counts only right before the opcode, and beats 66. */
		{ C64, "48 66 01 c3", "ADD", X86_FORM_RR, 1, 3, 0, 0 },
		{ C64, "66 48 01 c3", "ADD", X86_FORM_RR, 3, 3, 0, 0 },
		{ C64, "4f 40 01 c3", "ADD", X86_FORM_RR, 2, 3, 0, 0 },
		{ C32, "40", "INC", X86_FORM_R, 2, 0, 0, 0 },
		{ C32, "48", "DEC", X86_FORM_R, 2, 0, 0, 0 },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void opcode_90_is_nop_pause_or_xchg(void **state)
{
	static const struct row rows[] = {
		{ C64, "90", "NOP", X86_FORM_NONE, 2, 0, 0, 0 },
		{ C64, "48 90", "NOP", X86_FORM_NONE, 3, 0, 0, 0 },
		{ C64, "f2 90", "NOP", X86_FORM_NONE, 2, 0, 0, 0 },
		{ C64, "f3 90", "PAUSE", X86_FORM_NONE, 2, 0, 0, 0 },
		{ C64, "41 90", "XCHG", X86_FORM_RR, 2, 0, 8, 0 },
		{ C64, "f3 49 90", "XCHG", X86_FORM_RR, 3, 0, 8, 0 },
		{ C64, "f3 0f 1e fa", "NOP", X86_FORM_R, 2, 2, 0, 0 }, /* ENDBR64 */
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void memory_operands_have_their_base_index_and_segment(void **state)
{
	static const struct {
		uint8_t size;
		const char *code;
		uint8_t base, index, scale, seg, asize;
		int64_t disp;
	} rows[] = {
		{ C16, "8b 00", 3, 6, 0, HVM_SEG_DS, 1, 0 },
		{ C16, "8b 42 fe", 5, 6, 0, HVM_SEG_SS, 1, -2 },
		{ C16, "8b 06 34 12", NONE, NONE, 0, HVM_SEG_DS, 1, 0x1234 },
		{ C16, "8b 46 00", 5, NONE, 0, HVM_SEG_SS, 1, 0 },
		{ C16, "3e 8b 46 00", 5, NONE, 0, HVM_SEG_DS, 1, 0 },
		{ C16, "8b 85 00 80", 7, NONE, 0, HVM_SEG_DS, 1, INT16_MIN },
		{ C16, "67 8b 04 24", 4, NONE, 0, HVM_SEG_SS, 2, 0 },
		{ C32, "67 8b 07", 3, NONE, 0, HVM_SEG_DS, 1, 0 },
		{ C32, "8b 05 78 56 34 12", NONE, NONE, 0, HVM_SEG_DS, 2, 0x12345678 },
		{ C32, "8b 04 6d 00 00 00 00", NONE, 5, 1, HVM_SEG_DS, 2, 0 },
		{ C32, "8b 44 05 00", 5, 0, 0, HVM_SEG_SS, 2, 0 },
		{ C32, "8b 44 28 00", 0, 5, 0, HVM_SEG_DS, 2, 0 },
		{ C64, "8b 05 10 00 00 00", IP, NONE, 0, HVM_SEG_DS, 3, 16 },
		{ C64, "67 8b 05 10 00 00 00", IP, NONE, 0, HVM_SEG_DS, 2, 16 },
		{ C64, "41 8b 05 10 00 00 00", IP, NONE, 0, HVM_SEG_DS, 3, 16 },
		{ C64, "8b 04 25 f0 ff ff ff", NONE, NONE, 0, HVM_SEG_DS, 3, -16 },
		{ C64, "41 8b 04 24", 12, NONE, 0, HVM_SEG_DS, 3, 0 },
		{ C64, "42 8b 04 24", 4, 12, 0, HVM_SEG_SS, 3, 0 },
		{ C64, "41 8b 45 00", 13, NONE, 0, HVM_SEG_DS, 3, 0 },
		{ C64, "4b 8b 04 fd 01 00 00 00", NONE, 15, 3, HVM_SEG_DS, 3, 1 },
		{ C64, "65 8b 00", 0, NONE, 0, HVM_SEG_GS, 3, 0 },
		{ C64, "2e 8b 45 00", 5, NONE, 0, HVM_SEG_SS, 3, 0 },
		{ C64, "64 3e 8b 00", 0, NONE, 0, HVM_SEG_FS, 3, 0 },
		{ C64, "48 a1 88 77 66 55 44 33 22 11", NONE, NONE, 0, HVM_SEG_DS, 3,
		  0x1122334455667788 },
		{ C64, "67 a1 44 33 22 81", NONE, NONE, 0, HVM_SEG_DS, 2, 0x81223344 },
		{ C16, "26 a0 34 12", NONE, NONE, 0, HVM_SEG_ES, 1, 0x1234 },
	};
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct x86_insn i = decode(rows[n].size, rows[n].code);

		assert_int_equal(i.op, X86_OP_MOV);
		if (i.base != rows[n].base || i.index != rows[n].index || i.seg != rows[n].seg ||
		    i.scale != rows[n].scale || i.disp != rows[n].disp || i.asize != rows[n].asize)
			fail_msg("%s: base %u index %u scale %u seg %u asize %u disp %lld",
				 rows[n].code, i.base, i.index, i.scale, i.seg, i.asize,
				 (long long)i.disp);
	}
}

static void illegal_forms_are_invalid_with_their_length(void **state)
{
	static const struct {
		uint8_t size;
		const char *code;
	} rows[] = {
		{ C64, "06" }, { C64, "27" }, { C64, "60" }, { C64, "ce" }, { C64, "d6" },
		{ C64, "82 c0 01" }, { C64, "9a 01 02 03 04 05 06" },
		{ C64, "8d c0" },			/* LEA of a register */
		{ C64, "8e c8" }, { C64, "8e f0" }, { C64, "8c f8" }, /* CS; segments 6, 7 */
		{ C64, "0f 20 c8" }, { C64, "0f 22 e8" }, { C64, "44 0f 20 c8" }, /* CR1, 5, 9 */
		{ C64, "44 0f 21 c0" },			/* DR8 */
		{ C64, "f0 01 c0" },			/* LOCK without memory */
		{ C64, "f0 03 00" },			/* LOCK with memory as source */
		{ C64, "f0 38 00" }, { C64, "f0 83 38 00" },	/* LOCK CMP */
		{ C64, "f0 0f a3 00" }, { C64, "f0 90" }, { C64, "f0 0f 22 c0" },
		{ C64, "f0 0f 1f 00" },
		{ C64, "fe d0" }, { C64, "ff f8" }, { C64, "ff d8" }, { C64, "ff e8" },
		{ C64, "c6 c8 00" }, { C64, "c7 f8 00 00 00 00" }, 
		{ C64, "f3 0f 60 c0" },			/* no such mandatory prefix */
		{ C64, "0f ba c0 01" }, { C64, "0f c7 c8" },
		{ C64, "0f c7 f0" },			/* RDRAND: above the level */
		{ C64, "0f 38 f0 c0" }, { C64, "0f 38 f1 c1" },	/* MOVBE of a register */
		{ C64, "f0 0f 38 f1 00" }, { C64, "f3 0f 38 f0 00" },
		{ C64, "66 0f 3a 44 c1 00" },		/* PCLMULQDQ */
		{ C64, "66 0f ae 38" },			/* CLFLUSHOPT */
		{ C64, "66 0f 01 c1" },
		{ C32, "0f 01 f8" },			/* SWAPGS */
		{ C32, "f3 0f ae c0" },			/* RDFSBASE */
		{ C64, "d9 d1" }, { C64, "db e5" },
		/* EVEX and XOP keep step; VEX: test_decode_vex.c. */
		{ C64, "62 f1 7c 48 28 40 01" }, { C64, "62 f3 7d 48 25 c0 ff" },
		{ C32, "62 f1 7c 48 57 c0" },
		{ C64, "8f e9 78 e1 c0" }, { C64, "8f ea 78 10 c0 01 02 03 04" },
		{ C64, "8f e8 78 c0 c0 05" },
	};
	struct x86_insn i;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		i = decode(rows[n].size, rows[n].code);
		if (i.op != X86_OP_INVALID || i.form != X86_FORM_NONE || !(i.flags & X86_F_ENDS))
			fail_msg("%s is %s", rows[n].code, x86_op_name(i.op));
	}
}

static void legal_forms_are_not_refused(void **state)
{
	static const struct {
		uint8_t size;
		const char *code;
		uint16_t op;
	} rows[] = {
		{ C64, "f0 01 00", X86_OP_ADD }, { C64, "f0 48 0f b1 0b", X86_OP_CMPXCHG },
		{ C64, "f0 48 0f c7 0f", X86_OP_CMPXCHG16B }, { C64, "f3 f0 0f c7 0f", X86_OP_CMPXCHG8B },
		{ C64, "f0 0f ba 28 01", X86_OP_BTS }, { C64, "f0 87 00", X86_OP_XCHG },
		{ C64, "f0 f6 10", X86_OP_NOT }, { C32, "f0 82 00 01", X86_OP_ADD },
		{ C64, "0f 0b", X86_OP_UD }, { C64, "0f b9 00", X86_OP_UD }, { C64, "0f ff c0", X86_OP_UD },
		{ C32, "62 00", X86_OP_BOUND }, { C32, "c5 00", X86_OP_LDS }, { C16, "c4 00", X86_OP_LES },
		{ C64, "8f c0", X86_OP_POP }, { C64, "9f", X86_OP_LAHF }, { C64, "0f 01 ca", X86_OP_CLAC },
		{ C64, "0f 01 c1", X86_OP_VMCALL }, { C64, "0f 01 d9", X86_OP_VMMCALL },
		{ C64, "0f ae e8", X86_OP_LFENCE }, { C64, "0f ae ff", X86_OP_SFENCE },
		{ C64, "0f ae 38", X86_OP_CLFLUSH }, { C64, "48 0f ae 30", X86_OP_XSAVEOPT },
		{ C64, "f3 48 0f ae d8", X86_OP_WRGSBASE }, { C64, "0f 01 f9", X86_OP_RDTSCP },
		{ C64, "0f 0d 08", X86_OP_PREFETCH }, { C64, "0f 18 08", X86_OP_PREFETCH },
		{ C64, "0f 01 38", X86_OP_INVLPG }, { C64, "0f 01 f8", X86_OP_SWAPGS },
		{ C64, "0f 21 e0", X86_OP_MOV_FROM_DR },	/* DR4: CR4.DE decides */
	};
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
		assert_string_equal(x86_op_name(decode(rows[n].size, rows[n].code).op),
				    x86_op_name(rows[n].op));
}
/* clang-format on */

static void rep_is_told_only_where_it_is_no_part_of_the_opcode(void **state)
{
	(void)state;
	assert_int_equal(decode(C64, "f3 a4").rep, X86_REP_F3);
	assert_int_equal(decode(C64, "f3 f2 a6").rep, X86_REP_F2);
	assert_int_equal(decode(C64, "f3 0f 10 c0").rep, X86_REP_NONE);
	assert_int_equal(decode(C64, "f3 0f b8 c0").rep, X86_REP_NONE);
	assert_int_equal(decode(C64, "f3 0f bc c0").rep, X86_REP_NONE);
	assert_int_equal(decode(C64, "f3 0f ba e0 01").rep, X86_REP_F3);
	assert_int_equal(decode(C64, "f3 c3").rep, X86_REP_F3);
}

static void conditions_flags_and_memory_sizes_are_told(void **state)
{
	(void)state;
	assert_int_equal(decode(C64, "7f 00").cc, 15);
	assert_int_equal(decode(C64, "0f 94 c0").cc, 4);
	assert_int_equal(decode(C64, "0f 4c c1").cc, 12);
	assert_int_equal(decode(C64, "da d9").cc, 10);
	assert_int_equal(decode(C64, "db d1").cc, 7);
	assert_true(decode(C64, "7f 00").flags & X86_F_ENDS);
	assert_true(decode(C64, "f4").flags & X86_F_ENDS);
	assert_false(decode(C64, "90").flags & X86_F_ENDS);
	assert_true(decode(C64, "0f a5 c8").flags & X86_F_CL);
	assert_true(decode(C64, "f0 01 00").flags & X86_F_LOCK);
	assert_true(decode(C64, "64 01 00").flags & X86_F_SEGOVR);
	assert_false(decode(C64, "2e 01 00").flags & X86_F_SEGOVR);
	assert_false(decode(C64, "48 66 01 00").flags & (X86_F_REX | X86_F_W));
	assert_int_equal(decode(C64, "0f 01 10").msize, 10);
	assert_int_equal(decode(C32, "0f 01 10").msize, 6);
	assert_int_equal(decode(C32, "c4 00").msize, 6);
	assert_int_equal(decode(C16, "dd 20").msize, 94);
	assert_int_equal(decode(C64, "0f 60 00").msize, 4);
	assert_int_equal(decode(C64, "66 0f 60 00").msize, 16);
	assert_int_equal(decode(C64, "0f ae 00").msize, 0);
	assert_int_equal(decode(C64, "8d 00").msize, 0);
	assert_int_equal(decode(C64, "65 a4").seg, HVM_SEG_GS);
	assert_int_equal(decode(C64, "67 e3 00").asize, 2);
}

static void every_prefix_of_an_instruction_asks_for_more_bytes(void **state)
{
	static const char *const codes[] = {
		"48 b8 01 02 03 04 05 06 07 08",
		"66 f0 42 81 84 88 00 00 00 00 01 00",
		"c4 e3 7d 0f 44 24 08 07",
		"0f 38 00 c1",
		"66 0f 3a 0f c1 01",
		"64 0f 84 00 00 00 00",
	};
	struct x86_insn i;
	uint8_t code[32];
	size_t n, k, bytes;

	(void)state;
	for (n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
		bytes = from_hex(codes[n], code);
		for (k = 0; k < bytes; k++)
			assert_int_equal(x86_decode(code, k, X86_CODE64, &i), -HVM_EAGAIN);
		assert_int_equal(x86_decode(code, bytes, X86_CODE64, &i), bytes);
	}
}

static void fifteen_bytes_are_the_limit(void **state)
{
	struct x86_insn i;
	uint8_t code[32];

	(void)state;
	memset(code, 0x66, sizeof(code));
	code[14] = 0x90;
	assert_int_equal(x86_decode(code, sizeof(code), X86_CODE64, &i), 15);
	assert_int_equal(i.op, X86_OP_NOP);
	code[14] = 0x66;
	code[15] = 0x90;
	assert_int_equal(x86_decode(code, sizeof(code), X86_CODE64, &i), -HVM_ERANGE);
	assert_int_equal(x86_decode(code, 15, X86_CODE64, &i), -HVM_ERANGE);
	assert_int_equal(x86_decode(code, 14, X86_CODE64, &i), -HVM_EAGAIN);
}

static void every_operation_has_a_name(void **state)
{
	unsigned int op;

	(void)state;
	for (op = 0; op < X86_OP_COUNT; op++)
		assert_non_null(x86_op_name(op));
	assert_string_equal(x86_op_name(X86_OP_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operands_follow_the_conventions_of_insn_h),
		cmocka_unit_test(sse_and_x87_operands_follow_the_conventions_of_insn_h),
		cmocka_unit_test(operation_size_follows_mode_prefix_and_rex),
		cmocka_unit_test(opcode_90_is_nop_pause_or_xchg),
		cmocka_unit_test(memory_operands_have_their_base_index_and_segment),
		cmocka_unit_test(illegal_forms_are_invalid_with_their_length),
		cmocka_unit_test(legal_forms_are_not_refused),
		cmocka_unit_test(rep_is_told_only_where_it_is_no_part_of_the_opcode),
		cmocka_unit_test(conditions_flags_and_memory_sizes_are_told),
		cmocka_unit_test(every_prefix_of_an_instruction_asks_for_more_bytes),
		cmocka_unit_test(fifteen_bytes_are_the_limit),
		cmocka_unit_test(every_operation_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
