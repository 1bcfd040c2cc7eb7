/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.c - decoded blocks of one vcpu: found by physical address and key (mode word, and a number
 * for a code segment that is not flat), decoded on demand, dropped when their bytes change. Owns
 * struct soft_blocks; only the vcpu's thread touches it. Blocks live in an arena that grows to its
 * bound and is then emptied as a whole; a dropped block's memory stays readable until then, so the
 * block that runs may be dropped under its own feet. Not saved.
 */
#include "soft/soft.h"

/* How often bytes may change while they are decoded before other work gets a turn. */
#define SOFT_DECODE_TRIES 8

struct soft_block soft_no_block;

int soft_blocks_init(struct soft_vcpu *sv)
{
	struct soft_blocks *bs = &sv->blocks;

	bs->hash = hvm_os_alloc_pages(SOFT_HASH_BUCKETS * sizeof(*bs->hash));
	bs->pages = hvm_os_alloc_pages(SOFT_PAGE_BUCKETS * sizeof(*bs->pages));
	bs->jump = hvm_os_alloc_pages(SOFT_JUMP_ENTRIES * sizeof(*bs->jump));
	bs->arena_bytes = SOFT_ARENA_BYTES / sv->vcpu->domain->config.vcpus;
	if (bs->arena_bytes < SOFT_ARENA_MIN)
		bs->arena_bytes = SOFT_ARENA_MIN;
	bs->arena = hvm_os_alloc_pages(bs->arena_bytes);
	bs->scratch = hvm_os_alloc(SOFT_BLOCK_MAX_SIZE);
	bs->cs_ids = hvm_os_alloc(SOFT_CS_IDS * sizeof(*bs->cs_ids));
	if (!bs->hash || !bs->pages || !bs->jump || !bs->arena || !bs->scratch || !bs->cs_ids)
		return -HVM_ENOMEM;
	soft_blocks_drop_all(sv);
	return 0;
}

static void soft_free_pages(void *p, size_t bytes)
{
	if (p)
		hvm_os_free_pages(p, bytes);
}

void soft_blocks_fini(struct soft_vcpu *sv)
{
	struct soft_blocks *bs = &sv->blocks;

	soft_free_pages(bs->hash, SOFT_HASH_BUCKETS * sizeof(*bs->hash));
	soft_free_pages(bs->pages, SOFT_PAGE_BUCKETS * sizeof(*bs->pages));
	soft_free_pages(bs->jump, SOFT_JUMP_ENTRIES * sizeof(*bs->jump));
	soft_free_pages(bs->arena, bs->arena_bytes);
	hvm_os_free(bs->scratch);
	hvm_os_free(bs->cs_ids);
}

void soft_blocks_drop_all(struct soft_vcpu *sv)
{
	struct soft_blocks *bs = &sv->blocks;

	memset(bs->hash, 0, SOFT_HASH_BUCKETS * sizeof(*bs->hash));
	memset(bs->pages, 0, SOFT_PAGE_BUCKETS * sizeof(*bs->pages));
	for (unsigned int i = 0; i < SOFT_JUMP_ENTRIES; i++)
		bs->jump[i] = &soft_no_block;
	memset(bs->cs_ids, 0, SOFT_CS_IDS * sizeof(*bs->cs_ids));
	bs->cs_id_count = 0;
	bs->arena_used = 0;
	bs->generation++;
	sv->key_mode = ~0u;
	soft_tr_flush(sv);
}

/* -- keys ---------------------------------------------------------------------------------- */

/* A number for this code segment; 0 for the flat one. */
static uint32_t soft_cs_number(struct soft_vcpu *sv, uint32_t base, uint32_t limit)
{
	struct soft_blocks *bs = &sv->blocks;
	uint32_t at = (base >> 4) * 0x9e3779b1u ^ limit * 0x85ebca6bu;

	if (!base && limit == 0xffffffffu)
		return 0;
	if (bs->cs_id_count >= SOFT_CS_IDS * 3 / 4)
		soft_blocks_drop_all(sv);
	for (at >>= 16;; at++) {
		struct soft_cs_id *e = &bs->cs_ids[at % SOFT_CS_IDS];

		if (e->id && e->base == base && e->limit == limit)
			return e->id;
		if (!e->id) {
			*e = (struct soft_cs_id){ base, limit, ++bs->cs_id_count };
			return e->id;
		}
	}
}

void soft_key_update(struct soft_vcpu *sv)
{
	struct x86_cpu *c = &sv->cpu;
	const struct hvm_seg *cs = &c->seg[HVM_SEG_CS];

	sv->key = c->mode;
	if (!x86_is_code64(c))
		sv->key |= soft_cs_number(sv, (uint32_t)cs->base, cs->limit) << 16;
	sv->key_mode = c->mode;
	sv->key_base = cs->base;
	sv->key_limit = cs->limit;
}

/* -- lists --------------------------------------------------------------------------------- */

static struct soft_block **soft_hash_bucket(struct soft_vcpu *sv, gpa_t gpa, uint32_t key)
{
	uint64_t h = (gpa ^ (gpa >> 13) ^ (uint64_t)key * 0x9e3779b1u);

	return &sv->blocks.hash[h % SOFT_HASH_BUCKETS];
}

static unsigned int soft_page_bucket(gfn_t gfn)
{
	return (unsigned int)((gfn ^ (gfn >> 11)) % SOFT_PAGE_BUCKETS);
}

/* Which of a block's two page links is threaded through @bucket. */
static unsigned int soft_page_link(const struct soft_block *b, unsigned int bucket)
{
	return soft_page_bucket(b->gpa >> HVM_PAGE_SHIFT) != bucket;
}

static void soft_page_insert(struct soft_vcpu *sv, struct soft_block *b, gpa_t gpa)
{
	unsigned int bucket = soft_page_bucket(gpa >> HVM_PAGE_SHIFT);
	struct soft_block **head = &sv->blocks.pages[bucket];

	b->page_next[soft_page_link(b, bucket)] = *head;
	*head = b;
}

static void soft_page_remove(struct soft_vcpu *sv, struct soft_block *b, unsigned int bucket)
{
	struct soft_block **p = &sv->blocks.pages[bucket];

	while (*p != b)
		p = &(*p)->page_next[soft_page_link(*p, bucket)];
	*p = b->page_next[soft_page_link(b, bucket)];
}

static void soft_block_insert(struct soft_vcpu *sv, struct soft_block *b)
{
	struct soft_block **head = soft_hash_bucket(sv, b->gpa, b->key);

	b->hash_next = *head;
	*head = b;
	soft_page_insert(sv, b, b->gpa);
	if (b->gpa2 != SOFT_NO_GPA && soft_page_bucket(b->gpa2 >> HVM_PAGE_SHIFT) !=
					      soft_page_bucket(b->gpa >> HVM_PAGE_SHIFT))
		soft_page_insert(sv, b, b->gpa2);
}

/* -- dropping ------------------------------------------------------------------------------ */

/* In place of the handlers of a dropped block that is still running: look again what is here. */
static int soft_exec_stale(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	c->stop = X86_STOP_RETRY;
	return X86_ABORT;
}

static void soft_block_drop(struct soft_vcpu *sv, struct soft_block *b)
{
	struct soft_block **p = soft_hash_bucket(sv, b->gpa, b->key);
	unsigned int bucket = soft_page_bucket(b->gpa >> HVM_PAGE_SHIFT);

	while (*p != b)
		p = &(*p)->hash_next;
	*p = b->hash_next;
	soft_page_remove(sv, b, bucket);
	if (b->gpa2 != SOFT_NO_GPA && soft_page_bucket(b->gpa2 >> HVM_PAGE_SHIFT) != bucket)
		soft_page_remove(sv, b, soft_page_bucket(b->gpa2 >> HVM_PAGE_SHIFT));
	b->stamp = 0;
	soft_tr_drop(sv, b);
	for (unsigned int i = 0; i <= b->count; i++)
		b->slot[i].insn.exec = soft_exec_stale;
	sv->vcpu->stats.block_invalidate++;
}

/* Does @b hold bytes of these granules of page @gfn? */
static bool soft_block_touches(const struct soft_block *b, gfn_t gfn, uint64_t granules)
{
	unsigned int start = (unsigned int)(b->gpa & ~HVM_PAGE_MASK);
	unsigned int end = start + b->bytes; /* behind the last byte */
	uint64_t bits;

	if (b->gpa >> HVM_PAGE_SHIFT == gfn) {
		unsigned int last = end > HVM_PAGE_SIZE ? HVM_PAGE_SIZE : end;

		bits = (~0ull << (start >> SOFT_GRANULE_SHIFT)) &
		       (~0ull >> (63 - ((last - 1) >> SOFT_GRANULE_SHIFT)));
		if (bits & granules)
			return true;
	}
	/* The second part is a few bytes at the page's start. */
	return b->gpa2 != SOFT_NO_GPA && b->gpa2 >> HVM_PAGE_SHIFT == gfn && (granules & 1);
}

void soft_blocks_drop(struct soft_vcpu *sv, gfn_t gfn, uint64_t granules)
{
	unsigned int bucket = soft_page_bucket(gfn);
	struct soft_block *b = sv->blocks.pages[bucket];

	while (b) {
		struct soft_block *next = b->page_next[soft_page_link(b, bucket)];

		if (soft_block_touches(b, gfn, granules))
			soft_block_drop(sv, b);
		b = next;
	}
}

/* -- decoding ------------------------------------------------------------------------------ */

static int soft_exec_fall(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)c;
	(void)i;
	return SOFT_FALL;
}

static int soft_exec_too_long(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	return x86_raise_err(c, X86_GP, 0);
}

/* Instructions behind which the mode, translations or interrupts may be different. */
static bool soft_ends_block(const struct x86_insn *i)
{
	switch (i->op) {
	case X86_OP_JCC: return false;
	case X86_OP_POPF:
	case X86_OP_LSS:
	case X86_OP_MOV_TO_CR:
	case X86_OP_LMSW:
	case X86_OP_CLTS:
	case X86_OP_WRMSR:
	case X86_OP_INVLPG:
	case X86_OP_INVPCID: return true;
	}
	return i->flags & X86_F_ENDS;
}

static void soft_place(struct soft_vcpu *sv, struct soft_block *b, int len)
{
	uint32_t model = sv->vcpu->domain->config.cpu_model;
	struct soft_slot *s = &b->slot[b->count++];

	if (len > 0) {
		b->bytes = (uint16_t)(b->bytes + len);
		s->insn.exec = soft_model_has(model, x86_is_code64(&sv->cpu), &s->insn)
				       ? x86_exec_bind(&s->insn)
				       : x86_exec_ud;
	} else {
		/* More than 15 bytes. */
		memset(&s->insn, 0, sizeof(s->insn));
		b->bytes = (uint16_t)(b->bytes + X86_INSN_MAX_LEN);
		s->insn.len = X86_INSN_MAX_LEN;
		s->insn.flags = X86_F_ENDS;
		s->insn.exec = soft_exec_too_long;
	}
	s->insn.end = b->bytes;
	if (s->insn.base == X86_REG_IP)
		s->insn.disp += s->insn.end;
	s->next = &soft_no_block;
}

static void soft_finish(struct soft_block *b)
{
	struct soft_slot *s = &b->slot[b->count];

	memset(s, 0, sizeof(*s));
	s->insn.exec = soft_exec_fall;
	s->insn.end = b->bytes;
	s->next = &soft_no_block;
}

/*
 * Decode from @code into the scratch block. 0; -HVM_EAGAIN: the first instruction does not end
 * within
 * @bytes.
 */
static int soft_decode(struct soft_vcpu *sv, const uint8_t *code, unsigned int bytes,
		       unsigned int max_insns, struct soft_block *b)
{
	b->count = 0;
	b->bytes = 0;
	while (b->count < max_insns && b->bytes < bytes) {
		int len = x86_decode(code + b->bytes, bytes - b->bytes,
				     (enum x86_code_size)x86_code_size(&sv->cpu),
				     &b->slot[b->count].insn);

		if (len == -HVM_EAGAIN)
			break;
		if (len < 0 && b->count)
			break;
		soft_place(sv, b, len);
		if (soft_ends_block(&b->slot[b->count - 1].insn))
			break;
	}
	soft_finish(b);
	return b->count ? 0 : -HVM_EAGAIN;
}

/* Where an instruction is fetched from. */
struct soft_fetch {
	uint64_t ip;
	gva_t la;
	unsigned int offset; /* in the page */
	unsigned int bytes;  /* fetchable without leaving page or segment */
	bool at_limit;	     /* the segment ends there, not the page */
	struct soft_itlb_entry page;
	struct soft_itlb_entry page2; /* if the instruction goes on there */
};

/* false: exception, or X86_STOP_RETRY. */
static bool soft_fetch_start(struct soft_vcpu *sv, struct soft_fetch *f)
{
	struct x86_cpu *c = &sv->cpu;
	const struct soft_itlb_entry *e;

	f->ip = c->x86_ip;
	f->la = f->ip;
	f->at_limit = false;
	if (!x86_is_code64(c)) {
		if (f->ip > c->seg[HVM_SEG_CS].limit) {
			x86_raise_err(c, X86_GP, 0);
			return false;
		}
		f->la = (uint32_t)(f->ip + c->seg[HVM_SEG_CS].base);
	}
	f->offset = (unsigned int)(f->la & ~HVM_PAGE_MASK);
	f->bytes = HVM_PAGE_SIZE - f->offset;
	if (!x86_is_code64(c) && c->seg[HVM_SEG_CS].limit - f->ip <= f->bytes - 1) {
		f->bytes = (unsigned int)(c->seg[HVM_SEG_CS].limit - f->ip) + 1;
		f->at_limit = true;
	}
	e = soft_fetch_page(sv, f->la);
	if (!e)
		return false;
	f->page = *e;
	f->page2 = *e; /* until soft_fetch_second() */
	return true;
}

static bool soft_fetch_second(struct soft_vcpu *sv, struct soft_fetch *f)
{
	gva_t la = (f->la & HVM_PAGE_MASK) + HVM_PAGE_SIZE;
	const struct soft_itlb_entry *e;

	e = soft_fetch_page(sv, x86_is_code64(&sv->cpu) ? la : (uint32_t)la);
	if (!e)
		return false;
	f->page2 = *e;
	return true;
}

static bool soft_retry(struct soft_vcpu *sv)
{
	sv->cpu.stop = X86_STOP_RETRY;
	return false;
}

/* Have the block's bytes watched; true if they are still those at @code. */
static bool soft_block_watch(struct soft_vcpu *sv, const struct soft_fetch *f,
			     const struct soft_block *b, const uint8_t *code, bool *ret_ok)
{
	unsigned int first = HVM_PAGE_SIZE - f->offset;
	bool ok = true;

	if (b->bytes < first)
		first = b->bytes;
	if (f->page.range)
		ok = soft_code_add(sv, f->page.range, f->page.gpa + f->offset, first);
	if (b->gpa2 != SOFT_NO_GPA && f->page2.range)
		ok = soft_code_add(sv, f->page2.range, f->page2.gpa, b->bytes - first) && ok;
	*ret_ok = ok;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !memcmp(code, f->page.hva + f->offset, first) &&
	       (b->gpa2 == SOFT_NO_GPA || !memcmp(code + first, f->page2.hva, b->bytes - first));
}

static struct soft_block *soft_block_keep(struct soft_vcpu *sv, const struct soft_block *from)
{
	struct soft_blocks *bs = &sv->blocks;
	size_t size = sizeof(*from) + (from->count + 1u) * sizeof(struct soft_slot);
	struct soft_block *b;

	if (size > bs->arena_bytes - bs->arena_used) {
		soft_blocks_drop_all(sv);
		soft_key_update(sv);
	}
	b = (struct soft_block *)(void *)(bs->arena + bs->arena_used);
	bs->arena_used += size;
	memcpy(b, from, size);
	b->key = sv->key;
	b->runs = 0;
	b->tr = NULL;
	soft_block_insert(sv, b);
	sv->vcpu->stats.block_decode++;
	return b;
}

/* Decode what is at @f; NULL: exception or X86_STOP_RETRY. */
static struct soft_block *soft_block_decode(struct soft_vcpu *sv, struct soft_fetch *f)
{
	struct soft_block *b = (struct soft_block *)(void *)sv->blocks.scratch;
	uint8_t code[SOFT_BLOCK_BYTES];
	unsigned int bytes = f->bytes < sizeof(code) ? f->bytes : (unsigned int)sizeof(code);
	bool ok;

	memset(b, 0, sizeof(*b));
	b->gpa = f->page.gpa + f->offset;
	for (unsigned int i = 0; i < SOFT_DECODE_TRIES; i++) {
		memcpy(code, f->page.hva + f->offset, bytes);
		b->gpa2 = SOFT_NO_GPA;
		if (soft_decode(sv, code, bytes, SOFT_BLOCK_INSNS, b)) {
			if (f->at_limit) {
				x86_raise_err(&sv->cpu, X86_GP, 0);
				return NULL;
			}
			if (!soft_fetch_second(sv, f))
				return NULL;
			memcpy(code + bytes, f->page2.hva, X86_INSN_MAX_LEN);
			b->gpa2 = f->page2.gpa;
			soft_decode(sv, code, bytes + X86_INSN_MAX_LEN, 1, b);
		}
		if (soft_block_watch(sv, f, b, code, &ok) && ok)
			return soft_block_keep(sv, b);
		if (!ok)
			break;
	}
	soft_retry(sv);
	return NULL;
}

/* The decoded block of this place, if there is one. false: exception at its second page. */
static bool soft_block_lookup(struct soft_vcpu *sv, struct soft_fetch *f, struct soft_block **ret)
{
	gpa_t gpa = f->page.gpa + f->offset;
	struct soft_block *b;

	for (b = *soft_hash_bucket(sv, gpa, sv->key); b; b = b->hash_next) {
		if (b->gpa != gpa || b->key != sv->key)
			continue;
		if (b->gpa2 == SOFT_NO_GPA)
			break;
		if (!soft_fetch_second(sv, f))
			return false;
		if (b->gpa2 == f->page2.gpa)
			break;
	}
	*ret = b;
	return true;
}

struct soft_block *soft_block_find(struct soft_vcpu *sv)
{
	struct soft_block **guess = &sv->blocks.jump[soft_jump_index(sv->cpu.x86_ip)];
	struct soft_block *b = *guess;
	struct soft_fetch f;

	if (hvm_likely(b->ip == sv->cpu.x86_ip && b->key == sv->key &&
		       b->stamp == sv->epoch[b->global]))
		return b;
	if (!soft_fetch_start(sv, &f) || !soft_block_lookup(sv, &f, &b))
		return NULL;
	if (!b) {
		b = soft_block_decode(sv, &f);
		if (!b)
			return NULL;
	}
	b->ip = f.ip;
	b->fall_ip = f.ip + b->bytes;
	if (!x86_is_code64(&sv->cpu))
		b->fall_ip = (uint32_t)b->fall_ip;
	b->global = (uint8_t)f.page.global;
	if (b->gpa2 != SOFT_NO_GPA)
		b->global &= (uint8_t)f.page2.global;
	b->stamp = sv->epoch[b->global];
	*guess = b;
	return b;
}

struct soft_block *soft_block_once(struct soft_vcpu *sv)
{
	struct soft_block *b = (struct soft_block *)(void *)sv->blocks.scratch;
	uint8_t code[2 * X86_INSN_MAX_LEN];
	struct soft_fetch f;
	unsigned int bytes;

	if (!soft_fetch_start(sv, &f))
		return NULL;
	memset(b, 0, sizeof(*b));
	bytes = f.bytes < X86_INSN_MAX_LEN ? f.bytes : X86_INSN_MAX_LEN;
	memcpy(code, f.page.hva + f.offset, bytes);
	if (soft_decode(sv, code, bytes, 1, b)) {
		if (f.at_limit) {
			x86_raise_err(&sv->cpu, X86_GP, 0);
			return NULL;
		}
		if (!soft_fetch_second(sv, &f))
			return NULL;
		memcpy(code + bytes, f.page2.hva, X86_INSN_MAX_LEN);
		soft_decode(sv, code, bytes + X86_INSN_MAX_LEN, 1, b);
	}
	b->ip = f.ip;
	return b;
}
