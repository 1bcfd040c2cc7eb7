/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.c - runs translated blocks: finds the block at ip, translates it once it was executed often
 * enough, enters it, links exits and indirect branches as they are taken, and hands what ended the
 * run to the interpreter's own code. Whatever is not plain 64-bit code stays with the interpreter.
 *
 * Owns struct soft_tr. A link within a page holds as long as the other block does: translations
 * change between runs only, and a block was verified when its page was entered. All other ways lead
 * through far entries, which check that (ip, stamp) still hold. Not saved.
 * Source: Intel SDM Vol 3A 4.10.4 "Invalidation of TLBs and Paging-Structure Caches".
 */
#include "os/hvm_os.h"
#include "soft/translator/block.h"
#include "x86/exec_int.h"
#include "x86/host.h"

/* Everything that generated code needs next to what CPU models ask of a host. */
#define CPUID7_EBX_BMI2 0x100u
#define CPUID_EXT_LAHF	0x1u

const char *soft_tr_missing(void)
{
	if (!(host_cpuid_leaf(7, 0).ebx & CPUID7_EBX_BMI2))
		return "BMI2";
	if (!(host_cpuid_leaf(0x80000001, 0).ecx & CPUID_EXT_LAHF))
		return "LAHF in 64-bit mode";
	return NULL;
}

enum soft_tr_mode soft_tr_default(const struct domain *d)
{
	return d->config.translator <= SOFT_TR_VERIFY ? (enum soft_tr_mode)d->config.translator
						      : SOFT_TR_OFF;
}

/* -- a vcpu's part ------------------------------------------------------------------------- */

#define TR_MIN_CACHE (4u << 20)

int soft_tr_init(struct soft_vcpu *sv, enum soft_tr_mode mode, unsigned int vcpus)
{
	struct soft_tr *g = &sv->tr;
	size_t bytes = SOFT_TR_CACHE_BYTES / (vcpus ? vcpus : 1) & ~(size_t)(HVM_PAGE_SIZE - 1);
	int rc;

	if (mode == SOFT_TR_OFF || soft_tr_missing())
		return 0;
	tr_sse_init();
	rc = os_code_alloc(&g->code, bytes < TR_MIN_CACHE ? TR_MIN_CACHE : bytes);
	if (rc == -HVM_EPERM) {
		hvm_os_log(HVM_LOG_WARN, "%s: no executable memory: code is interpreted",
			   sv->vcpu->domain->name);
		return 0;
	}
	if (rc)
		return rc;
	tr_x87_init(g);
	tr_reset(g);
	g->mode = mode;
	return mode == SOFT_TR_VERIFY ? soft_tr_verify_init(sv) : 0;
}

void soft_tr_fini(struct soft_vcpu *sv)
{
	soft_tr_verify_fini(sv);
	os_code_free(&sv->tr.code);
	sv->tr.mode = SOFT_TR_OFF;
}

void soft_tr_flush(struct soft_vcpu *sv)
{
	if (!sv->tr.code.rw)
		return;
	tr_reset(&sv->tr);
	sv->tr.drops++;
	sv->vcpu->stats.tr_flushes++;
}

size_t soft_tr_used(const struct soft_vcpu *sv)
{
	const struct soft_tr *g = &sv->tr;

	return g->code.rw ? (size_t)(g->hot - g->code.rw) + (size_t)(g->cold - g->hot_end) : 0;
}

void soft_tr_discard(struct soft_vcpu *sv)
{
	struct soft_tr *g = &sv->tr;

	if (g->code.rw)
		os_code_discard(&g->code, g->common_bytes);
}

void soft_tr_drop(struct soft_vcpu *sv, struct soft_block *b)
{
	sv->tr.drops++;
	if (!b->tr)
		return;
	tr_block_unlink(sv, b->tr);
	b->tr = NULL;
}

/* -- what can be run ----------------------------------------------------------------------- */

bool soft_tr_wanted(const struct soft_vcpu *sv)
{
	return sv->tr.mode != SOFT_TR_OFF &&
	       (sv->key & (X86_MODE_CODE_MASK | X86_MODE_AC)) == X86_CODE64;
}

/* A direct branch to an address that is not canonical faults, which translated ones do not. */
static bool tr_in_reach(const struct soft_block *b)
{
	uint64_t vpage = b->ip - (b->gpa & ~HVM_PAGE_MASK);

	return x86_is_canonical(vpage + b->tr->page->reach_up) &&
	       x86_is_canonical(vpage - b->tr->page->reach_down);
}

struct soft_tr_block *tr_get(struct soft_vcpu *sv, struct soft_block *b, bool *ret_again)
{
	*ret_again = false;
	if (hvm_likely(b->tr && b->tr->page->global == b->global))
		return b->tr;
	if (b->runs < SOFT_TR_THRESHOLD && !sv->tr.verify) {
		b->runs++;
		return NULL;
	}
	if (tr_full(&sv->tr)) {
		soft_blocks_drop_all(sv);
		soft_key_update(sv);
		*ret_again = true;
		return NULL;
	}
	if (b->tr)
		tr_block_unlink(sv, b->tr);
	tr_block_translate(sv, b);
	return b->tr;
}

/* -- links --------------------------------------------------------------------------------- */

static uint32_t tr_entry_for(const struct soft_tr_block *r, uint32_t site)
{
	bool host = site & TR_SITE_HOST;

	if (!(site & TR_SITE_NEAR))
		return host ? r->far_host : r->far;
	if (r->near)
		return host ? r->near_host : r->near;
	if (site & TR_SITE_POLL)
		return host ? r->poll_host : r->poll;
	return host ? r->body_host : r->body;
}

static unsigned int tr_jumps(const struct soft_vcpu *sv)
{
	return sv->cpu.cpl == 3;
}

/* The last exit came from g->site; from now on it goes to @b itself. */
static void tr_link(struct soft_vcpu *sv, const struct soft_block *b, uint32_t site)
{
	struct soft_tr *g = &sv->tr;
	const struct soft_tr_block *r = b->tr;

	sv->vcpu->stats.tr_links++;
	if (!(site & TR_SITE_DIRECT)) {
		uint64_t far = (uint64_t)(uintptr_t)g->code.rx + r->far;

		sv->vcpu->stats.tr_misses++;
		g->jump[tr_jumps(sv)][b->ip % SOFT_TR_JUMP_ENTRIES] = far;
		g->jump2[tr_jumps(sv)][(b->ip + (b->ip >> 12)) % SOFT_TR_JUMPS2] =
			(struct soft_tr_jump){ b->ip, far };
		return;
	}
	tr_patch(g->code.rw + (site & TR_SITE_OFFSET), g->code.rw + tr_entry_for(r, site));
}

/* Indirect branches are remembered for one key each. */
static void tr_check_jumps(struct soft_vcpu *sv)
{
	unsigned int n = tr_jumps(sv);

	if (hvm_likely(sv->tr.jump_key[n] == sv->key))
		return;
	sv->tr.jump_key[n] = sv->key;
	tr_clear_jumps(&sv->tr, n);
}

/* -- running ------------------------------------------------------------------------------- */

bool tr_went_astray(const struct soft_vcpu *sv)
{
	return !x86_is_canonical(sv->cpu.x86_ip) && !(sv->tr.site & TR_SITE_DIRECT);
}

int tr_redo_branch(struct soft_vcpu *sv, const struct x86_insn **ret)
{
	struct x86_cpu *c = &sv->cpu;
	struct soft_block *b = (struct soft_block *)(void *)(sv->blocks.arena + sv->tr.from_block);
	const struct x86_insn *i = &b->slot[b->count - 1].insn;

	/* Only RET has changed anything. */
	if (i->op == X86_OP_RET)
		c->gpr[X86_RSP] -= 8;
	else if (i->op == X86_OP_RET_IMM)
		c->gpr[X86_RSP] -= 8 + (uint16_t)i->imm;
	c->x86_ip = sv->tr.page_ip + (b->gpa & ~HVM_PAGE_MASK);
	*ret = i;
	return i->exec(c, i);
}

static int tr_digest(struct soft_vcpu *sv, int r, struct hvm_exit *ret)
{
	struct soft_tr *g = &sv->tr;
	const struct x86_insn *i;

	if (hvm_likely(r == (int)TR_EXIT_GO)) {
		g->site_ip = sv->cpu.x86_ip;
		g->site_key = sv->key;
		if (hvm_likely(!tr_went_astray(sv)))
			return SOFT_GO_ON;
		g->site = 0;
		r = tr_redo_branch(sv, &i);
		return soft_digest(sv, i, r, ret);
	}
	g->site = 0;
	if (r == (int)TR_EXIT_INTERP) {
		struct soft_block *b = soft_block_find(sv);

		return b ? soft_interpret(sv, b, ret) : SOFT_GO_ON;
	}
	return soft_digest(sv, (const struct x86_insn *)(uintptr_t)g->insn, r, ret);
}

int tr_enter_block(struct soft_vcpu *sv, struct soft_block *b)
{
	typedef int (*enter_fn)(struct soft_vcpu * sv, const void *entry);
	struct soft_tr *g = &sv->tr;

	g->page_ip = b->ip - (b->gpa & ~HVM_PAGE_MASK);
	b->tr->page->vpage = g->page_ip;
	b->tr->page->stamp = b->stamp;
	tr_check_jumps(sv);
	return ((enter_fn)(uintptr_t)(g->code.rx + g->enter))(sv, g->code.rx + b->tr->body);
}

static int tr_run_once(struct soft_vcpu *sv, struct hvm_exit *ret)
{
	struct soft_tr *g = &sv->tr;
	struct soft_block *b = soft_block_find(sv);
	uint32_t site = g->site;
	struct soft_tr_block *r;
	bool again;

	g->site = 0;
	if (hvm_unlikely(!b))
		return soft_digest(sv, NULL, X86_ABORT, ret);
	r = tr_get(sv, b, &again);
	if (again)
		return SOFT_GO_ON;
	if (!r || hvm_unlikely(!tr_in_reach(b)))
		return soft_interpret(sv, b, ret);
	/* Unless something else came first, like an interrupt. */
	if (site && g->site_ip == b->ip && g->site_key == sv->key)
		tr_link(sv, b, site);
	sv->vcpu->stats.tr_runs++;
	return tr_digest(sv, tr_enter_block(sv, b), ret);
}

/* Does nothing but the next block need a look? */
static bool tr_may_go_on(struct soft_vcpu *sv)
{
	const struct x86_cpu *c = &sv->cpu;

	if (__atomic_load_n(&c->exit_req, __ATOMIC_RELAXED) || sv->window_intr || sv->window_nmi ||
	    sv->io_retry || (c->intr_shadow & (HVM_INTR_SHADOW_STI | HVM_INTR_SHADOW_MOV_SS)) ||
	    (c->rflags_rest & X86_EFL_RF) || x86_wants_single_step(c))
		return false;
	if (c->mode != sv->key_mode) {
		if (!x86_is_code64(c) || (c->mode & X86_MODE_AC))
			return false;
		soft_key_update(sv);
	}
	return true;
}

int soft_tr_run(struct soft_vcpu *sv, struct hvm_exit *ret)
{
	int rc;

	if (hvm_unlikely(sv->tr.verify != NULL))
		return soft_tr_verify_run(sv, ret);
	do
		rc = tr_run_once(sv, ret);
	while (rc == SOFT_GO_ON && hvm_likely(tr_may_go_on(sv)));
	return rc;
}
