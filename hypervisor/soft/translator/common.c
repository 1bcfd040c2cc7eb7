/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common.c - the routines at the start of the code buffer that blocks share: enter from C and
 * leave, execute an instruction by its handler, bring XMM registers in. Owns nothing.
 *
 * The stack of generated code and of the handlers that it calls lies below struct soft_vcpu, to
 * which RSP points; inside a routine that was called it is 8 lower. Handlers find all guest state
 * in struct x86_cpu, XMM registers and MXCSR included. Source: System V ABI, AMD64 supplement, 3.2
 * "Function Calling Sequence".
 */
#include "soft/translator/tr.h"

#define HOST_RSI     6u
#define HOST_RDI     7u
#define MXCSR_MASKS  0x1f80u
#define VINSERTF128  0x18
#define VEXTRACTF128 0x19

static const uint8_t common_saved[] = { 3, 5, 12, 13, 14, 15 }; /* callee-saved */

/* @field of struct soft_vcpu while RSP is @below its start. */
#define AT(field, below) tr_state(offsetof(struct soft_vcpu, field) + (below))

static void common_gprs(struct tr *t, uint32_t op, unsigned int below)
{
	for (unsigned int r = 0; r < 16; r++)
		if (tr_host(r) != TR_NO_REG)
			tr_op_mem(t, TR_W | op, tr_host(r), AT(cpu.gpr[r], below));
}

static void common_put_gprs(struct tr *t, unsigned int below)
{
	common_gprs(t, 0x89, below);
}

static void common_get_gprs(struct tr *t, unsigned int below)
{
	common_gprs(t, 0x8b, below);
}

static void common_mxcsr(struct tr *t, unsigned int digit, struct tr_mem m)
{
	tr_op_mem(t, TR_0F | 0xae, digit, m);
}

static void common_xmm(struct tr *t, uint32_t op, unsigned int below)
{
	for (unsigned int n = 0; n < 16; n++)
		tr_op_mem(t, TR_0F | op, n, AT(cpu.fpu.xmm[n], below));
}

/* MXCSR to struct x86_cpu; then it is the C code's. */
static void common_put_mxcsr(struct tr *t, unsigned int below)
{
	common_mxcsr(t, 3, AT(cpu.fpu.mxcsr, below));
	common_mxcsr(t, 2, AT(tr.mxcsr, below));
}

static void common_put_xmm(struct tr *t, unsigned int below)
{
	common_xmm(t, 0x29, below);
	common_put_mxcsr(t, below);
}

static void common_get_xmm(struct tr *t, unsigned int below)
{
	common_mxcsr(t, 2, AT(cpu.fpu.mxcsr, below));
	common_xmm(t, 0x28, below);
}

/* Upper halves; VEXTRACTF128, VINSERTF128. */
static void common_ymm(struct tr *t, uint8_t opcode, unsigned int below)
{
	for (unsigned int n = 0; n < 16; n++) {
		const struct tr_rm m = { .mem = true, .m = AT(cpu.fpu.ymmh[n], below) };
		struct tr_vex v = { .map = 3, .pp = 1, .opcode = opcode, .l = true };

		v.vvvv = opcode == VINSERTF128 ? (uint8_t)n : 0;
		tr_op_vex(t, &v, n, &m, 1);
		tr_byte(t, 1);
	}
}

/* Behind it C code is not slowed down by upper halves that it does not know of. */
static void common_put_ymm(struct tr *t, unsigned int below)
{
	const struct tr_vex vzeroupper = { .map = 1, .opcode = 0x77 };

	common_ymm(t, VEXTRACTF128, below);
	tr_op_vex(t, &vzeroupper, 0, NULL, 0);
}

static void common_get_ymm(struct tr *t, unsigned int below)
{
	common_ymm(t, VINSERTF128, below);
}

static void common_cmp_imm8(struct tr *t, struct tr_mem m, uint8_t v)
{
	const struct tr_rm o = { .mem = true, .m = m };

	tr_op_rm(t, 0x83, 7, &o, 1);
	tr_byte(t, v);
}

static void common_push(struct tr *t, unsigned int r)
{
	if (r & 8)
		tr_byte(t, 0x41);
	tr_byte(t, 0x50 | (r & 7));
}

static void common_pop(struct tr *t, unsigned int r)
{
	if (r & 8)
		tr_byte(t, 0x41);
	tr_byte(t, 0x58 | (r & 7));
}

static uint32_t common_here(const struct tr *t)
{
	return (uint32_t)(t->p - t->g->code.rw);
}

/* int enter(struct soft_vcpu *, const void *entry) */
static void common_enter(struct tr *t)
{
	t->g->enter = common_here(t);
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(common_saved); n++)
		common_push(t, common_saved[n]);
	tr_store(t, tr_based(HOST_RDI, offsetof(struct soft_vcpu, tr.host_rsp)), TR_STATE);
	tr_mov(t, TR_STATE, HOST_RDI);
	tr_store(t, AT(tr.entry, 0), HOST_RSI);
	common_mxcsr(t, 3, AT(tr.mxcsr, 0));
	common_get_gprs(t, 0);
	tr_op_mem(t, 0xff, 4, AT(tr.entry, 0));
}

/* Back to C with EAX; guest state is in struct soft_vcpu. */
static uint8_t *common_leave(struct tr *t)
{
	uint8_t *at = t->p;

	tr_x87_emit_save(t, 0);
	tr_load(t, TR_STATE, AT(tr.host_rsp, 0));
	for (unsigned int n = HVM_ARRAY_SIZE(common_saved); n-- > 0;)
		common_pop(t, common_saved[n]);
	tr_byte(t, 0xc3);
	return at;
}

/* T0: where the guest goes on. T1: the site. At interp, T0: the block to interpret. */
static void common_exit(struct tr *t, const uint8_t *leave)
{
	uint8_t *no_xmm, *no_ymm, *rest;

	t->g->exit = common_here(t);
	common_put_gprs(t, 0);
	tr_store(t, AT(cpu.x86_ip, 0), TR_T0);
	tr_op_mem(t, 0x89, TR_T1, AT(tr.site, 0));
	tr_mov_imm(t, X86_RAX, TR_EXIT_GO);
	rest = t->p;
	common_cmp_imm8(t, AT(tr.xmm_live, 0), 0);
	no_xmm = tr_jump(t, 4, NULL);
	common_put_xmm(t, 0);
	common_cmp_imm8(t, AT(tr.xmm_live, 0), TR_LIVE_YMM);
	no_ymm = tr_jump(t, 5, NULL);
	common_put_ymm(t, 0);
	tr_patch(no_ymm, t->p);
	tr_store_imm32(t, AT(tr.xmm_live, 0), TR_LIVE_NONE);
	tr_patch(no_xmm, t->p);
	tr_jump(t, TR_ALWAYS, leave);

	t->g->interp = common_here(t);
	common_put_gprs(t, 0);
	tr_store(t, AT(cpu.x86_ip, 0), TR_T0);
	tr_mov_imm(t, X86_RAX, TR_EXIT_INTERP);
	tr_jump(t, TR_ALWAYS, rest);
}

/*
 * A far entry did not match. T0: ip, T1: a direct branch's site, or below 65536 for an indirect one
 * that came by jump[]: that may look into jump2[], once.
 */
static void common_miss(struct tr *t)
{
	const struct tr_rm t1 = tr_reg(TR_T1), t2 = tr_reg(TR_T2);
	const uint8_t *exit = t->g->code.rw + t->g->exit;
	struct tr_mem m = TR_FIELD(tr.jump2);

	t->g->miss = common_here(t);
	tr_op_rm(t, 0x81, 7, &t1, 4); /* cmp */
	tr_word32(t, TR_SITE_INDIRECT);
	tr_jump(t, 3, exit);	 /* jae */
	tr_mov(t, TR_T2, TR_T0); /* (ip + (ip >> 12)) % entries */
	tr_op_rm(t, TR_W | 0xc1, 5, &t2, 1);
	tr_byte(t, 12);
	tr_op_rr(t, 0x01, TR_T0, TR_T2);
	tr_op_rm(t, 0x81, 4, &t2, 4);
	tr_word32(t, SOFT_TR_JUMPS2 - 1);
	/* CPL 3 has the second table: cpl & 1. */
	tr_op_mem(t, 0x8b, TR_T1, AT(cpu.cpl, 0));
	tr_op_rm(t, 0x83, 4, &t1, 1);
	tr_byte(t, 1);
	tr_op_rm(t, 0x69, TR_T1, &t1, 4); /* imul */
	tr_word32(t, SOFT_TR_JUMPS2);
	tr_op_rr(t, 0x01, TR_T1, TR_T2);
	tr_op_rm(t, 0xc1, 4, &t2, 1); /* 16 bytes each */
	tr_byte(t, 4);
	tr_mov_imm(t, TR_T1, TR_SITE_INDIRECT);
	m.index = TR_T2;
	tr_op_mem(t, TR_W | 0x3b, TR_T0, m);
	tr_jump(t, 5, exit);
	m.disp += (int32_t)offsetof(struct soft_tr_jump, far);
	tr_op_mem(t, 0xff, 4, m);
}

/* Call the handler of the instruction at T0. Returns the jump that is taken unless all is well. */
static uint8_t *common_call(struct tr *t, uint8_t **ret_dropped)
{
	uint8_t *result;

	tr_mov(t, HOST_RSI, TR_T0);
	tr_lea(t, HOST_RDI, tr_state(8));
	tr_op_mem(t, 0xff, 6, AT(tr.drops, 8)); /* push */
	tr_op_mem(t, 0xff, 2, tr_based(HOST_RSI, offsetof(struct x86_insn, exec)));
	common_pop(t, TR_T0);
	tr_op_rr(t, 0x85, X86_RAX, X86_RAX); /* test eax, eax */
	result = tr_jump(t, 5, NULL);
	tr_op_mem(t, TR_W | 0x3b, TR_T0, AT(tr.drops, 8));
	*ret_dropped = tr_jump(t, 5, NULL);
	return result;
}

/* Back to the block, with all general registers and T2. */
static void common_return(struct tr *t)
{
	common_get_gprs(t, 8);
	tr_load(t, TR_T2, AT(tr.saved_t2, 8));
	tr_byte(t, 0xc3);
}

/* The handler's call while vector registers are the guest's. */
static void common_exec_live(struct tr *t, const uint8_t *end, bool mxcsr, bool ymm)
{
	uint8_t *result, *dropped;

	common_xmm(t, 0x29, 8);
	if (ymm)
		common_put_ymm(t, 8);
	if (mxcsr)
		common_put_mxcsr(t, 8);
	result = common_call(t, &dropped);
	if (mxcsr)
		common_mxcsr(t, 2, AT(cpu.fpu.mxcsr, 8));
	common_xmm(t, 0x28, 8);
	if (ymm)
		common_get_ymm(t, 8);
	common_return(t);

	tr_patch(dropped, t->p);
	tr_mov_imm(t, X86_RAX, X86_END);
	tr_patch(result, t->p);
	if (!mxcsr)
		common_put_mxcsr(t, 8);
	tr_store_imm32(t, AT(tr.xmm_live, 8), TR_LIVE_NONE);
	tr_jump(t, TR_ALWAYS, end);
}

/*
 * Called with T0: struct x86_insn, T1: offset of its block in its page; flags are in c->arith.
 * Comes back after X86_NEXT, with all guest registers. If blocks were dropped meanwhile, the one
 * that runs may be among them: then as after X86_END.
 * @mxcsr: the handler looks at MXCSR; others leave it alone, and never use the host's.
 */
static void common_exec(struct tr *t, const uint8_t *leave, bool mxcsr)
{
	uint8_t *live, *ymm, *result, *dropped, *end;

	common_put_gprs(t, 8);
	tr_op_mem(t, TR_W | 0x03, TR_T1, AT(tr.page_ip, 8));
	tr_store(t, AT(cpu.x86_ip, 8), TR_T1);
	tr_store(t, AT(tr.insn, 8), TR_T0);
	tr_store(t, AT(tr.saved_t2, 8), TR_T2);
	common_cmp_imm8(t, AT(tr.xmm_live, 8), TR_LIVE_XMM);
	live = tr_jump(t, 4, NULL);
	ymm = tr_jump(t, 7, NULL);
	result = common_call(t, &dropped);
	common_return(t);

	tr_patch(dropped, t->p);
	tr_mov_imm(t, X86_RAX, X86_END);
	end = t->p;
	tr_patch(result, end);
	tr_lea(t, TR_STATE, tr_state(8));
	tr_jump(t, TR_ALWAYS, leave);
	tr_patch(live, t->p);
	common_exec_live(t, end, mxcsr, false);
	tr_patch(ymm, t->p);
	common_exec_live(t, end, mxcsr, true);
}

/*
 * Called at a block's start, T1: its offset in its page. Does not come back if MXCSR unmasks any.
 * @ymm: the upper halves too; the lower ones may be there already.
 */
static void common_load(struct tr *t, const uint8_t *leave, bool ymm)
{
	const struct tr_rm t0 = tr_reg(TR_T0);
	uint8_t *unmasked, *have = NULL;

	if (ymm) {
		common_cmp_imm8(t, AT(tr.xmm_live, 8), TR_LIVE_NONE);
		have = tr_jump(t, 5, NULL);
	}
	tr_op_mem(t, 0x8b, TR_T0, AT(cpu.fpu.mxcsr, 8));
	tr_op_rm(t, 0x81, 4, &t0, 4); /* and */
	tr_word32(t, MXCSR_MASKS);
	tr_op_rm(t, 0x81, 7, &t0, 4); /* cmp */
	tr_word32(t, MXCSR_MASKS);
	unmasked = tr_jump(t, 5, NULL);
	common_get_xmm(t, 8);
	if (ymm) {
		tr_patch(have, t->p);
		common_get_ymm(t, 8);
	}
	tr_store_imm32(t, AT(tr.xmm_live, 8), ymm ? TR_LIVE_YMM : TR_LIVE_XMM);
	tr_byte(t, 0xc3);

	tr_patch(unmasked, t->p);
	tr_lea(t, TR_STATE, tr_state(8));
	common_put_gprs(t, 0);
	tr_op_mem(t, TR_W | 0x03, TR_T1, AT(tr.page_ip, 0));
	tr_store(t, AT(cpu.x86_ip, 0), TR_T1);
	tr_mov_imm(t, X86_RAX, TR_EXIT_INTERP);
	tr_jump(t, TR_ALWAYS, leave);
}

void tr_make_common(struct tr *t)
{
	uint8_t *leave;

	t->p = t->g->code.rw;
	leave = common_leave(t);
	common_enter(t);
	common_exit(t, leave);
	common_miss(t);
	t->g->exec = common_here(t);
	common_exec(t, leave, false);
	t->g->exec_sse = common_here(t);
	common_exec(t, leave, true);
	t->g->load_xmm = common_here(t);
	common_load(t, leave, false);
	t->g->load_ymm = common_here(t);
	common_load(t, leave, true);
	tr_x87_make_common(t);
	t->g->common_bytes = common_here(t);
}
