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
#include "x86/vex.h"

/* More than any block's code, hot or cold. */
#define BLOCK_MAX_CODE 24576u

static uint32_t block_offset(const struct tr *t, const uint8_t *p)
{
	return (uint32_t)(p - t->g->code.rw);
}

static struct tr_mem block_field(const struct tr *t, const uint64_t *field)
{
	return tr_based(TR_RIP, (int32_t)((const uint8_t *)field - t->g->code.rw));
}

/* -- pages --------------------------------------------------------------------------------- */

static struct soft_tr_page **block_page_bucket(struct soft_tr *g, gpa_t gpa, uint32_t key)
{
	gfn_t gfn = gpa >> HVM_PAGE_SHIFT;

	return &g->page_hash[(gfn ^ (gfn >> 12) ^ key * 0x9e3779b1u >> 20) % SOFT_TR_PAGE_BUCKETS];
}

static struct soft_tr_page *block_page(struct soft_tr *g, const struct soft_block *b)
{
	struct soft_tr_page **bucket = block_page_bucket(g, b->gpa, b->key), *p;
	bool alone = b->gpa2 != SOFT_NO_GPA;

	for (p = *bucket; p && !alone; p = p->next)
		if (p->gpa == (b->gpa & HVM_PAGE_MASK) && p->key == b->key &&
		    p->global == b->global)
			return p;
	p = &g->pages[g->page_count++];
	*p = (struct soft_tr_page){
		.gpa = b->gpa & HVM_PAGE_MASK,
		.key = b->key,
		.global = b->global,
	};
	if (!alone) {
		p->next = *bucket;
		*bucket = p;
	}
	return p;
}

/* The block's branches count for the page: what was verified holds for shorter ones only. */
static void block_reach(const struct tr *t)
{
	struct soft_tr_page *p = t->rec->page;
	uint64_t up = t->page_off + t->b->bytes + t->reach_up;

	if (up <= p->reach_up && t->reach_down <= p->reach_down)
		return;
	p->reach_up = up > p->reach_up ? up : p->reach_up;
	p->reach_down = t->reach_down > p->reach_down ? t->reach_down : p->reach_down;
	p->stamp = 0;
}

/* -- entries ------------------------------------------------------------------------------- */

static void block_far(struct tr *t)
{
	const uint8_t *miss = t->g->code.rw + t->g->miss;
	struct soft_tr_page *page = t->rec->page;

	t->rec->far = block_offset(t, t->p);
	tr_lea(t, TR_T2, tr_based(TR_T0, -(int32_t)t->page_off));
	tr_op_mem(t, TR_W | 0x3b, TR_T2, block_field(t, &page->vpage));
	tr_jump(t, 5, miss);
	tr_load(t, TR_T2, block_field(t, &page->stamp));
	tr_op_mem(t, TR_W | 0x3b, TR_T2,
		  tr_state(offsetof(struct soft_vcpu, epoch) + 8u * page->global));
	tr_jump(t, 5, miss);
	tr_lea(t, TR_T0, tr_based(TR_T0, -(int32_t)t->page_off));
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

/* The second page has to be verified even for those who come from within the first. */
static void block_near(struct tr *t)
{
	tr_swap(t);
	t->rec->near = block_offset(t, t->p);
	tr_load(t, TR_T0, TR_FIELD(tr.page_ip));
	tr_lea(t, TR_T0, tr_based(TR_T0, (int32_t)t->page_off));
	tr_mov_imm(t, TR_T1, TR_SITE_INDIRECT);
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->rec->far);
	t->rec->near_host = t->rec->near;
	if (t->live[0])
		t->rec->near_host = block_host_entry(t, t->rec->near);
	tr_swap(t);
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

/* Which vector registers the block needs in the host's. */
static unsigned int block_vectors(const struct tr *t)
{
	unsigned int need = TR_LIVE_NONE;

	for (unsigned int n = 0; n < t->count; n++) {
		const struct x86_insn *i = tr_insn(t, n);

		if (tr_is_vex(t, i) && tr_vex_vectors(i))
			return TR_LIVE_YMM;
		if (tr_is_sse(t, i))
			need = TR_LIVE_XMM;
	}
	return need;
}

static void block_xmm(struct tr *t)
{
	const struct tr_rm m = { .mem = true, .m = TR_FIELD(tr.xmm_live) };
	unsigned int need = block_vectors(t);
	uint8_t *end;

	if (!need)
		return;
	tr_op_rm(t, 0x83, 7, &m, 1); /* cmp */
	tr_byte(t, need);
	end = tr_jump(t, 2, NULL); /* jb */
	tr_swap(t);
	tr_patch(end, t->p);
	tr_mov_imm(t, TR_T1, t->page_off);
	tr_call(t, t->g->code.rw + (need == TR_LIVE_YMM ? t->g->load_ymm : t->g->load_xmm));
	tr_jump(t, TR_ALWAYS, t->other);
	tr_swap(t);
}

/* -- instructions -------------------------------------------------------------------------- */

bool tr_leaves_behind(const struct x86_insn *i)
{
	if (i->op == X86_OP_VEX)
		return x86_vex_row(i)->kind == X86_VEX_MXCSR && i->form == X86_FORM_RM;
	switch (i->op) {
	case X86_OP_LDMXCSR:
	case X86_OP_FXRSTOR:
	case X86_OP_XRSTOR:
	case X86_OP_FLDCW:
	case X86_OP_FLDENV:
	case X86_OP_FRSTOR: return true;
	}
	return false;
}

void tr_leave(struct tr *t, unsigned int end)
{
	tr_load(t, TR_T0, TR_FIELD(tr.page_ip));
	tr_lea(t, TR_T0, tr_based(TR_T0, (int32_t)(t->page_off + end)));
	tr_mov_imm(t, TR_T1, 0);
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->g->exit);
}

static void block_leave(struct tr *t, unsigned int end)
{
	if (t->flags == TR_IN_HOST)
		tr_emit_save_flags(t, TR_T0);
	tr_leave(t, end);
}

/* Returns how many instructions that was. */
static unsigned int block_insn(struct tr *t)
{
	const struct x86_insn *i = tr_insn(t, t->n);
	unsigned int done = 1;

	t->use = tr_flag_use(i);
	t->live_before = t->live[t->n];
	t->live_after = t->live[t->n + 1];
	tr_x87_before(t, i);
	if (i->exec != x86_exec_ud) {
		unsigned int group = tr_stack_group(t);

		if (group)
			done = group;
		else if (!tr_int_insn(t, i) && !tr_branch_insn(t, i) && !tr_sse_insn(t, i) &&
			 !tr_x87_insn(t, i) && !tr_vex_insn(t, i))
			done = 0;
	} else {
		done = 0;
	}
	if (!done) {
		t->sv->vcpu->stats.tr_calls++;
		tr_x87_flush(t);
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

/* Up to and with @last. */
static void block_insns(struct tr *t, unsigned int last)
{
	while (t->n <= last) {
		tr_group_begin(t);
		t->n += block_insn(t);
		tr_group_end(t);
	}
}

static void block_body(struct tr *t)
{
	const struct x86_insn *last = tr_insn(t, t->count - 1u);

	t->rec->body = block_offset(t, t->p);
	t->flags = TR_IN_MEM;
	block_xmm(t);
	tr_x87_begin(t);
	t->n = 0;
	block_insns(t, t->count - 1);
	tr_x87_flush(t);
	if (t->count < t->b->count)
		block_leave(t, last->end);
	else if (!block_ends(last) || last->exec == x86_exec_ud)
		tr_exit_direct(t, last->end, TR_ALWAYS);
	while (t->p < t->g->code.rw + t->rec->body + 5)
		tr_byte(t, 0x90);
	tr_group_clones(t, block_insns);
}

/* -- the buffer ---------------------------------------------------------------------------- */

bool tr_full(const struct soft_tr *g)
{
	return (size_t)(g->hot_end - g->hot) < BLOCK_MAX_CODE ||
	       (size_t)(g->cold_end - g->cold) < BLOCK_MAX_CODE || g->block_count == g->block_max;
}

/* Of one vcpu. A guest may have code translated for ever; the file is not to grow so long. */
#define BLOCK_NAMES_MAX (1u << 20)

/* For a profiler: whose code the two parts of this block are. */
static void block_name(const struct tr *t)
{
	const struct os_code *c = &t->g->code;
	int fd = t->sv->vcpu->domain->config.perf_map_fd;

	if (hvm_likely(fd <= 0) || t->g->named == BLOCK_NAMES_MAX)
		return;
	t->g->named++;
	os_code_name(fd, c->rx + (t->g->hot - c->rw), (size_t)(t->p - t->g->hot), t->b->ip);
	os_code_name(fd, c->rx + (t->g->cold - c->rw), (size_t)(t->other - t->g->cold), t->b->ip);
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
	t.rec->page = block_page(g, b);
	tr_liveness(&t);
	block_far(&t);
	block_poll(&t);
	block_body(&t);
	block_host_entries(&t);
	if (b->gpa2 != SOFT_NO_GPA)
		block_near(&t);
	block_dropped(&t);
	block_reach(&t);
	if (t.p > g->hot + BLOCK_MAX_CODE || t.other > g->cold + BLOCK_MAX_CODE)
		hvm_bug("a translated block is longer than any can be");
	block_name(&t);
	g->hot = g->code.rw + ((block_offset(&t, t.p) + 15) & ~15u);
	g->cold = t.other;
	b->tr = t.rec;
	sv->vcpu->stats.tr_blocks++;
}

void tr_block_unlink(struct soft_vcpu *sv, struct soft_tr_block *r)
{
	uint8_t *body = sv->tr.code.rw + r->body;

	body[0] = 0xe9;
	tr_patch(body + 5, sv->tr.code.rw + r->dropped);
}

static void block_layout(struct soft_tr *g)
{
	size_t bytes = g->code.bytes, records = bytes / 16;
	uint8_t *start = g->code.rw + ((g->common_bytes + 63) & ~63u);
	uint8_t *end = g->code.rw + bytes - records;

	g->blocks = (struct soft_tr_block *)(void *)end;
	g->block_max = (uint32_t)(records * 3 / 4 / sizeof(*g->blocks));
	g->pages = (struct soft_tr_page *)(void *)(end + records * 3 / 4);
	g->page_max = (uint32_t)(records / 4 / sizeof(*g->pages));
	memset(g->page_hash, 0, sizeof(g->page_hash));
	g->page_count = 0;
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
	/* The tables are cleared when they are next used. */
	for (unsigned int n = 0; n < SOFT_TR_JUMPS; n++)
		g->jump_key[n] = ~0u;
}

void tr_clear_jumps(struct soft_tr *g, unsigned int table)
{
	uint64_t miss = (uint64_t)(uintptr_t)g->code.rx + g->miss;

	for (unsigned int n = 0; n < SOFT_TR_JUMP_ENTRIES; n++)
		g->jump[table][n] = miss;
	for (unsigned int n = 0; n < SOFT_TR_JUMPS2; n++)
		g->jump2[table][n] = (struct soft_tr_jump){ .ip = HVM_BIT(63), .far = miss };
}
