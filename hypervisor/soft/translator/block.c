/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.c - from a decoded block to a translated one, and the code buffer that holds them. Owns the
 * buffer's contents: routines of common.c, hot code, cold code (stubs), struct soft_tr_block. It is
 * filled from both regions' starts and emptied as a whole, together with the decoded blocks. Only
 * the vcpu's thread comes here. Not saved.
 * Source: Intel SDM Vol 3A 8.1.3 "Handling Self- and Cross-Modifying Code" (code changes under one
 * thread only, by aliased addresses, which x86 processors keep coherent).
 */
#include "soft/translator/block.h"

#include "os/hvm_os.h"

/* More than any block's code, hot or cold. */
#define BLOCK_MAX_CODE 24576u

static uint32_t block_offset(const struct tr *t, const uint8_t *p)
{
	return (uint32_t)(p - t->g->code.rw);
}

static struct tr_mem block_field(const struct tr *t, size_t offset)
{
	const uint8_t *p = (const uint8_t *)t->rec + offset;

	return tr_based(TR_RIP, (int32_t)(p - t->g->code.rw));
}

/* -- entries ------------------------------------------------------------------------------- */

static void block_far(struct tr *t)
{
	const uint8_t *exit = t->g->code.rw + t->g->exit;

	t->rec->far = block_offset(t, t->p);
	tr_op_mem(t, TR_W | 0x3b, TR_T0, block_field(t, offsetof(struct soft_tr_block, ip)));
	tr_jump(t, 5, exit);
	tr_load(t, TR_T2, block_field(t, offsetof(struct soft_tr_block, stamp)));
	tr_op_mem(t, TR_W | 0x3b, TR_T2,
		  tr_state(offsetof(struct soft_vcpu, epoch) + 8u * t->rec->global));
	tr_jump(t, 5, exit);
	if (t->page_off) {
		tr_lea(t, TR_T0, tr_based(TR_T0, -(int32_t)t->page_off));
	}
	tr_store(t, TR_FIELD(tr.page_ip), TR_T0);
}

static void block_poll(struct tr *t)
{
	const struct tr_rm m = { .mem = true, .m = TR_FIELD(cpu.exit_req) };
	uint8_t *end;

	t->rec->poll = block_offset(t, t->p);
	tr_op_rm(t, 0x83, 7, &m, 1);
	tr_byte(t, 0);
	end = tr_jump(t, 5, NULL);
	tr_swap(t);
	tr_patch(end, t->p);
	tr_load(t, TR_T0, TR_FIELD(tr.page_ip));
	tr_lea(t, TR_T0, tr_based(TR_T0, (int32_t)t->page_off));
	tr_mov_imm(t, TR_T1, 0);
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->g->exit);
	tr_swap(t);
}

/* Where a dropped block's body leads: an exit to whatever is there now. */
static void block_dropped(struct tr *t)
{
	tr_swap(t);
	t->rec->dropped = block_offset(t, t->p);
	tr_load(t, TR_T0, TR_FIELD(tr.page_ip));
	tr_lea(t, TR_T0, tr_based(TR_T0, (int32_t)t->page_off));
	tr_mov_imm(t, TR_T1, (t->rec->body + 5) | TR_SITE_DIRECT | TR_SITE_NEAR);
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->g->exit);
	tr_swap(t);
}

static uint32_t block_host_entry(struct tr *t, uint32_t to)
{
	uint32_t at = block_offset(t, t->p);

	tr_emit_save_flags(t, TR_T2);
	tr_jump(t, TR_ALWAYS, t->g->code.rw + to);
	return at;
}

/* Entries for those who come with the guest's flags in the host's. */
static void block_host_entries(struct tr *t)
{
	struct soft_tr_block *r = t->rec;

	r->body_host = r->body;
	r->poll_host = r->poll;
	r->far_host = r->far;
	if (!t->live[0])
		return;
	tr_swap(t);
	r->body_host = block_host_entry(t, r->body);
	r->poll_host = block_host_entry(t, r->poll);
	r->far_host = block_host_entry(t, r->far);
	tr_swap(t);
}

static void block_xmm(struct tr *t)
{
	const struct tr_rm m = { .mem = true, .m = TR_FIELD(tr.xmm_live) };
	bool any = false;
	uint8_t *end;

	for (unsigned int n = 0; n < t->count; n++)
		any = any || tr_is_sse(t, tr_insn(t, n));
	if (!any)
		return;
	tr_op_rm(t, 0x83, 7, &m, 1);
	tr_byte(t, 0);
	end = tr_jump(t, 4, NULL);
	tr_swap(t);
	tr_patch(end, t->p);
	tr_mov_imm(t, TR_T1, t->page_off);
	tr_call(t, t->g->code.rw + t->g->load_xmm);
	tr_jump(t, TR_ALWAYS, t->other);
	tr_swap(t);
}

/* -- instructions -------------------------------------------------------------------------- */

bool tr_leaves_behind(const struct x86_insn *i)
{
	return i->op == X86_OP_LDMXCSR || i->op == X86_OP_FXRSTOR || i->op == X86_OP_XRSTOR;
}

/* Leave without a link. */
static void block_leave(struct tr *t, unsigned int end)
{
	if (t->flags == TR_IN_HOST)
		tr_emit_save_flags(t, TR_T0);
	tr_load(t, TR_T0, TR_FIELD(tr.page_ip));
	tr_lea(t, TR_T0, tr_based(TR_T0, (int32_t)(t->page_off + end)));
	tr_mov_imm(t, TR_T1, 0);
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->g->exit);
}

/* Returns how many instructions that was. */
static unsigned int block_insn(struct tr *t)
{
	const struct x86_insn *i = tr_insn(t, t->n);
	unsigned int done = 1;

	t->use = tr_flag_use(i);
	t->live_before = t->live[t->n];
	t->live_after = t->live[t->n + 1];
	if (i->exec != x86_exec_ud) {
		unsigned int group = tr_stack_group(t);

		if (group)
			done = group;
		else if (!tr_int_insn(t, i) && !tr_branch_insn(t, i) && !tr_sse_insn(t, i))
			done = 0;
	} else {
		done = 0;
	}
	if (!done) {
		t->g->stat_calls++;
		tr_clobber(t);
		tr_exec(t, t->n);
		done = 1;
		if (tr_leaves_behind(i))
			block_leave(t, i->end);
	}
	tr_finish_cold(t);
	return done;
}

static bool block_ends(const struct x86_insn *i)
{
	switch (i->op) {
	case X86_OP_JMP:
	case X86_OP_JMP_IND:
	case X86_OP_CALL:
	case X86_OP_CALL_IND:
	case X86_OP_RET:
	case X86_OP_RET_IMM: return i->osize == 3;
	}
	return false;
}

static void block_body(struct tr *t)
{
	const struct x86_insn *last = tr_insn(t, t->count - 1u);

	t->rec->body = block_offset(t, t->p);
	t->flags = TR_IN_MEM;
	block_xmm(t);
	for (t->n = 0; t->n < t->count;)
		t->n += block_insn(t);
	if (t->count < t->b->count)
		block_leave(t, last->end);
	else if (!block_ends(last) || last->exec == x86_exec_ud)
		tr_exit_direct(t, last->end, TR_ALWAYS);
	while (t->p < t->g->code.rw + t->rec->body + 5)
		tr_byte(t, 0x90);
}

/* -- the buffer ---------------------------------------------------------------------------- */

bool tr_full(const struct soft_tr *g)
{
	return (size_t)(g->hot_end - g->hot) < BLOCK_MAX_CODE ||
	       (size_t)(g->cold_end - g->cold) < BLOCK_MAX_CODE || g->block_count == g->block_max;
}

void tr_block_translate(struct soft_vcpu *sv, struct soft_block *b)
{
	struct soft_tr *g = &sv->tr;
	struct tr t = {
		.sv = sv,
		.g = g,
		.b = b,
		.rec = &g->blocks[g->block_count++],
		.p = g->hot,
		.other = g->cold,
		.page_off = (uint32_t)(b->gpa & ~HVM_PAGE_MASK),
		.count = g->verify ? tr_verify_count(b) : b->count,
	};

	memset(t.rec, 0, sizeof(*t.rec));
	t.rec->global = b->global;
	tr_liveness(&t);
	block_far(&t);
	block_poll(&t);
	block_body(&t);
	block_host_entries(&t);
	block_dropped(&t);
	t.rec->reach_up = t.reach_up + b->bytes;
	t.rec->reach_down = t.reach_down;
	if (t.p > g->hot + BLOCK_MAX_CODE || t.other > g->cold + BLOCK_MAX_CODE)
		hvm_bug("a translated block is longer than any can be");
	g->hot = g->code.rw + ((block_offset(&t, t.p) + 15) & ~15u);
	g->cold = t.other;
	b->tr = t.rec;
	sv->vcpu->stats.tr_blocks++;
}

void tr_block_unlink(struct soft_vcpu *sv, struct soft_tr_block *r)
{
	uint8_t *body = sv->tr.code.rw + r->body;

	r->stamp = 0;
	body[0] = 0xe9;
	tr_patch(body + 5, sv->tr.code.rw + r->dropped);
}

static void block_layout(struct soft_tr *g)
{
	size_t bytes = g->code.bytes, records = bytes / 16;
	uint8_t *start = g->code.rw + ((g->common_bytes + 63) & ~63u);
	uint8_t *end = g->code.rw + bytes - records;

	g->blocks = (struct soft_tr_block *)(void *)end;
	g->block_max = (uint32_t)(records / sizeof(*g->blocks));
	g->hot = start;
	g->hot_end = g->cold = start + ((size_t)(end - start) / 2 & ~(size_t)63);
	g->cold_end = end;
	g->block_count = 0;
}

/* Nothing in the buffer but the common routines. */
void tr_reset(struct soft_tr *g)
{
	struct tr t = { .g = g };

	if (!g->common_bytes)
		tr_make_common(&t);
	block_layout(g);
	g->generation++;
	g->site = 0;
	for (unsigned int ctx = 0; ctx < X86_TLB_CONTEXTS; ctx++)
		tr_clear_jumps(g, ctx);
}

void tr_clear_jumps(struct soft_tr *g, unsigned int ctx)
{
	uint64_t miss = (uint64_t)(uintptr_t)g->code.rx + g->exit;

	for (unsigned int n = 0; n < SOFT_TR_JUMP_ENTRIES; n++)
		g->jump[ctx][n] = miss;
}
