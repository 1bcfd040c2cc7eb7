/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_branch.c - near control transfers.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * Operand size 3 is 64-bit mode and nothing else is: the decoder has widened near branches, so the
 * choice of handler is the check of the mode. A conditional branch that is not taken is X86_NEXT:
 * it ends its block, and the loop falls through. Source: Intel SDM Vol 1 6.4 "Calling Procedures
 * Using CALL and RET"; Vol 2A "CALL", "Jcc", "JMP", "LOOP/LOOPcc"; Vol 2B "RET".
 */
#include "x86/exec_int.h"

/* -- where to ----------------------------------------------------------------------------- */

static int __attribute__((cold, noinline)) branch_gp(struct x86_cpu *c)
{
	return x86_raise_err(c, X86_GP, 0);
}

X86_INLINE int branch_to64(struct x86_cpu *c, uint64_t ip)
{
	if (hvm_unlikely(!x86_is_canonical(ip)))
		return branch_gp(c);
	c->x86_ip = ip;
	return X86_BRANCH;
}

/* Outside 64-bit mode: operand size 1 cuts to 16 bits, and the limit of CS holds. */
X86_INLINE int branch_to32(struct x86_cpu *c, unsigned int osize, uint64_t ip)
{
	ip = x86_cut(osize, ip);
	if (!(c->mode & X86_MODE_FLAT) && hvm_unlikely(ip > c->seg[HVM_SEG_CS].limit))
		return branch_gp(c);
	c->x86_ip = ip;
	return X86_BRANCH;
}

X86_INLINE int branch_rel64(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_to64(c, c->x86_ip + i->end + (uint64_t)i->imm);
}

X86_INLINE int branch_rel32(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_to32(c, i->osize, c->x86_ip + i->end + (uint64_t)i->imm);
}

static int branch_jmp32(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_rel32(c, i);
}

static int branch_jmp64(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_rel64(c, i);
}

static int branch_rel(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_is_code64(c) ? branch_rel64(c, i) : branch_rel32(c, i);
}

/* -- Jcc: one handler a condition --------------------------------------------------------- */

#define BRANCH_JCC(cc) \
	static int branch_jcc32_##cc(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return x86_cond(c, cc) ? branch_rel32(c, i) : X86_NEXT; \
	} \
	static int branch_jcc64_##cc(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		return x86_cond(c, cc) ? branch_rel64(c, i) : X86_NEXT; \
	}
/* clang-format off */
#define BRANCH_CCS(F) \
	F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)
BRANCH_CCS(BRANCH_JCC)
#define BRANCH_JCC32_ENTRY(cc) branch_jcc32_##cc,
#define BRANCH_JCC64_ENTRY(cc) branch_jcc64_##cc,
static const x86_exec_fn branch_jcc_fns[2][16] = {
	{ BRANCH_CCS(BRANCH_JCC32_ENTRY) },
	{ BRANCH_CCS(BRANCH_JCC64_ENTRY) },
};
/* clang-format on */

x86_exec_fn x86_bind_jcc(const struct x86_insn *i)
{
	return branch_jcc_fns[i->osize == 3][i->cc & 15];
}

/* -- JCXZ, LOOP --------------------------------------------------------------------------- */

static int branch_jcxz(struct x86_cpu *c, const struct x86_insn *i)
{
	return x86_cut(i->asize, c->gpr[X86_RCX]) ? X86_NEXT : branch_rel(c, i);
}

static int branch_loop(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t count = x86_cut(i->asize, c->gpr[X86_RCX] - 1);
	bool zf = c->arith & X86_ARITH_ZF, taken = count != 0;
	int rc = X86_NEXT;

	if (i->op == X86_OP_LOOPE)
		taken = taken && zf;
	else if (i->op == X86_OP_LOOPNE)
		taken = taken && !zf;
	if (taken)
		rc = branch_rel(c, i);
	if (rc != X86_ABORT)
		x86_set_n(c, i->asize, X86_RCX, count);
	return rc;
}

/* -- CALL, JMP through register or memory ------------------------------------------------- */

static int __attribute__((noinline))
branch_call_slow64(struct x86_cpu *c, uint64_t sp, uint64_t ret, uint64_t ip)
{
	if (!x86_store_slow(c, sp, &ret, 8))
		return x86_stack_fault(c);
	c->gpr[X86_RSP] = sp;
	c->x86_ip = ip;
	return X86_BRANCH;
}

X86_INLINE int branch_call_to64(struct x86_cpu *c, const struct x86_insn *i, uint64_t ip)
{
	uint64_t ret = c->x86_ip + i->end, sp = c->gpr[X86_RSP] - 8;
	void *p;

	if (hvm_unlikely(!x86_is_canonical(ip)))
		return branch_gp(c);
	p = x86_ptr_w_fast(c, sp, 8);
	if (hvm_unlikely(!p))
		return branch_call_slow64(c, sp, ret, ip);
	X86_MEM_SET(64, p, ret);
	c->gpr[X86_RSP] = sp;
	c->x86_ip = ip;
	return X86_BRANCH;
}

static int branch_call_to32(struct x86_cpu *c, const struct x86_insn *i, uint64_t ip)
{
	ip = x86_cut(i->osize, ip);
	if (!x86_check_target(c, ip) || !x86_push(c, i->osize, x86_next_ip(c, i)))
		return X86_ABORT;
	c->x86_ip = ip;
	return X86_BRANCH;
}

static int branch_call64(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_call_to64(c, i, c->x86_ip + i->end + (uint64_t)i->imm);
}

static int branch_call32(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_call_to32(c, i, c->x86_ip + i->end + (uint64_t)i->imm);
}

static int branch_call_r64(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_call_to64(c, i, c->gpr[i->dst]);
}

static int branch_call_r32(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_call_to32(c, i, c->gpr[i->dst]);
}

static int branch_jmp_r64(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_to64(c, c->gpr[i->dst]);
}

static int branch_jmp_r32(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_to32(c, i->osize, c->gpr[i->dst]);
}

X86_INLINE int branch_call_km64(struct x86_cpu *c, const struct x86_insn *i, const void *p)
{
	return branch_call_to64(c, i, X86_MEM_GET(64, p));
}

X86_INLINE int branch_call_km32(struct x86_cpu *c, const struct x86_insn *i, const void *p)
{
	return branch_call_to32(c, i, X86_MEM_GET(32, p));
}

X86_INLINE int branch_call_km16(struct x86_cpu *c, const struct x86_insn *i, const void *p)
{
	return branch_call_to32(c, i, X86_MEM_GET(16, p));
}

X86_INLINE int branch_jmp_km64(struct x86_cpu *c, const struct x86_insn *i, const void *p)
{
	(void)i;
	return branch_to64(c, X86_MEM_GET(64, p));
}

X86_INLINE int branch_jmp_km32(struct x86_cpu *c, const struct x86_insn *i, const void *p)
{
	return branch_to32(c, i->osize, X86_MEM_GET(32, p));
}

X86_INLINE int branch_jmp_km16(struct x86_cpu *c, const struct x86_insn *i, const void *p)
{
	return branch_to32(c, i->osize, X86_MEM_GET(16, p));
}

X86_READ(branch_call_m64, 64, branch_call_km64)
X86_READ_ONE(branch_call_m32, , 32, branch_call_km32)
X86_READ_ONE(branch_call_m16, , 16, branch_call_km16)
X86_READ(branch_jmp_m64, 64, branch_jmp_km64)
X86_READ_ONE(branch_jmp_m32, , 32, branch_jmp_km32)
X86_READ_ONE(branch_jmp_m16, , 16, branch_jmp_km16)

/* -- RET ---------------------------------------------------------------------------------- */

/* @extra: bytes of arguments to drop. */
static int __attribute__((noinline)) branch_ret_slow64(struct x86_cpu *c, uint64_t extra)
{
	uint64_t ip;

	if (!x86_load_slow(c, c->gpr[X86_RSP], &ip, 8))
		return x86_stack_fault(c);
	if (!x86_is_canonical(ip))
		return branch_gp(c);
	c->gpr[X86_RSP] += 8 + extra;
	c->x86_ip = ip;
	return X86_BRANCH;
}

X86_INLINE int branch_ret_with64(struct x86_cpu *c, uint64_t extra)
{
	uint64_t sp = c->gpr[X86_RSP], ip;
	const void *p = x86_ptr_r_fast(c, sp, 8);

	if (hvm_unlikely(!p))
		return branch_ret_slow64(c, extra);
	ip = X86_MEM_GET(64, p);
	if (hvm_unlikely(!x86_is_canonical(ip)))
		return branch_gp(c);
	c->gpr[X86_RSP] = sp + 8 + extra;
	c->x86_ip = ip;
	return X86_BRANCH;
}

static int branch_ret64(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	return branch_ret_with64(c, 0);
}

static int branch_ret_imm64(struct x86_cpu *c, const struct x86_insn *i)
{
	return branch_ret_with64(c, (uint16_t)i->imm);
}

static int branch_ret32(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t extra = i->op == X86_OP_RET_IMM ? (uint16_t)i->imm : 0;
	uint64_t sp = x86_get_sp(c), ip;

	if (!x86_stack_load(c, sp, i->osize, &ip) || !x86_check_target(c, ip))
		return X86_ABORT;
	x86_set_sp(c, x86_cut_sp(c, sp + (1u << i->osize) + extra));
	c->x86_ip = ip;
	return X86_BRANCH;
}

/* clang-format off */
static const struct x86_exec_row rows[] = {
	{ X86_OP_JMP, X86_FORM_I, X86_ANY, branch_jmp32 },
	{ X86_OP_JMP, X86_FORM_I, 3, branch_jmp64 },
	{ X86_OP_JMP_IND, X86_FORM_R, X86_ANY, branch_jmp_r32 },
	{ X86_OP_JMP_IND, X86_FORM_R, 3, branch_jmp_r64 },
	X86_ROW_M(JMP_IND, M, 3, branch_jmp_m64),
	X86_ROW_R(JMP_IND, M, 2, branch_jmp_m32), X86_ROW_R(JMP_IND, M, 1, branch_jmp_m16),
	{ X86_OP_CALL, X86_FORM_I, X86_ANY, branch_call32 },
	{ X86_OP_CALL, X86_FORM_I, 3, branch_call64 },
	{ X86_OP_CALL_IND, X86_FORM_R, X86_ANY, branch_call_r32 },
	{ X86_OP_CALL_IND, X86_FORM_R, 3, branch_call_r64 },
	X86_ROW_M(CALL_IND, M, 3, branch_call_m64),
	X86_ROW_R(CALL_IND, M, 2, branch_call_m32), X86_ROW_R(CALL_IND, M, 1, branch_call_m16),
	{ X86_OP_RET, X86_ANY, X86_ANY, branch_ret32 },
	{ X86_OP_RET, X86_ANY, 3, branch_ret64 },
	{ X86_OP_RET_IMM, X86_ANY, X86_ANY, branch_ret32 },
	{ X86_OP_RET_IMM, X86_ANY, 3, branch_ret_imm64 },
	{ X86_OP_JCXZ, X86_ANY, X86_ANY, branch_jcxz },
	{ X86_OP_LOOP, X86_ANY, X86_ANY, branch_loop },
	{ X86_OP_LOOPE, X86_ANY, X86_ANY, branch_loop },
	{ X86_OP_LOOPNE, X86_ANY, X86_ANY, branch_loop },
};
/* clang-format on */

const struct x86_exec_table x86_exec_branch = { rows, HVM_ARRAY_SIZE(rows) };
