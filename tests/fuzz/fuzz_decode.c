/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_decode.c - libFuzzer target: any bytes through the decoder. What it returns must be within
 * the bounds that insn.h promises, since executors index by it; and the length must not depend on
 * what follows the instruction. Input: one byte of code size, then code. Single threaded; nothing
 * saved.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hvm/hvm_state.h"
#include "x86/vex.h"

static bool has_memory(const struct x86_insn *i)
{
	return i->form == X86_FORM_M || i->form == X86_FORM_RM || i->form == X86_FORM_MR ||
	       i->form == X86_FORM_MI || i->form == X86_FORM_RMI || i->form == X86_FORM_MRI;
}

/* Nothing in front of the prefix, registers that exist, a memory operand where the row has one. */
static void check_vex(const struct x86_insn *i)
{
	const struct x86_vex_row *r;

	CHECK(i->row < x86_vex_row_count);
	r = x86_vex_row(i);
	CHECK(!(i->flags & (X86_F_LOCK | X86_F_66 | X86_F_REX)) && !i->rep);
	CHECK(i->dst < 16 && i->src < 16 && i->vreg < 16 && (r->vvvv || !i->vreg));
	CHECK(!x86_vex_has_mem(i) || ((r->rm & X86_VEX_MEMORY) && i->msize));
	CHECK(i->msize <= 32 && i->imm >= 0 && i->imm <= 0xff && (r->imm || !i->imm));
	CHECK((r->rm != 0) == (i->form != X86_FORM_NONE));
}

static void check_bounds(const struct x86_insn *i)
{
	CHECK(i->op < X86_OP_COUNT);
	CHECK(i->form < X86_FORM_COUNT);
	CHECK(i->osize <= (i->op == X86_OP_VEX ? 5 : 4) && i->asize >= 1 && i->asize <= 3);
	if (i->op == X86_OP_VEX)
		check_vex(i);
	else
		CHECK(!i->vex && !i->vreg && !i->row);
	CHECK((i->dst & ~X86_REG_HIGH) < 16 && (i->src & ~X86_REG_HIGH) < 16);
	CHECK(!(i->dst & X86_REG_HIGH) || (i->dst < X86_REG_HIGH + 4 && !(i->flags & X86_F_REX)));
	CHECK(!(i->src & X86_REG_HIGH) || (i->src < X86_REG_HIGH + 4 && !(i->flags & X86_F_REX)));
	CHECK(i->base <= X86_REG_IP && i->index <= X86_REG_NONE && i->index != 4 && i->scale <= 3);
	CHECK(i->seg <= HVM_SEG_GS && i->rep <= X86_REP_F2 && i->cc < 16);
	CHECK(i->exec == NULL && i->end == i->len);
	if (i->op == X86_OP_INVALID)
		CHECK(i->form == X86_FORM_NONE && (i->flags & X86_F_ENDS));
	else if (i->flags & X86_F_LOCK)
		CHECK(has_memory(i) && i->form != X86_FORM_RM && i->form != X86_FORM_RMI);
	if (!has_memory(i))
		CHECK(i->msize == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct x86_insn i, again;
	enum x86_code_size size;
	size_t at = 1, k;
	int len;

	if (bytes < 2)
		return 0;
	size = (enum x86_code_size)(X86_CODE16 + data[0] % 3);
	while (at < bytes) {
		len = x86_decode(data + at, bytes - at, size, &i);
		if (len < 0) {
			CHECK(len == (bytes - at < X86_INSN_MAX_LEN ? -HVM_EAGAIN : -HVM_ERANGE));
			break;
		}
		CHECK(len >= 1 && len <= X86_INSN_MAX_LEN && (size_t)len <= bytes - at);
		CHECK(i.len == len);
		check_bounds(&i);
		CHECK(x86_decode(data + at, (size_t)len, size, &again) == len);
		CHECK(memcmp(&i, &again, offsetof(struct x86_insn, row) + sizeof(i.row)) == 0);
		for (k = 0; k < (size_t)len; k++)
			CHECK(x86_decode(data + at, k, size, &again) == -HVM_EAGAIN);
		at += (size_t)len;
	}
	return 0;
}
