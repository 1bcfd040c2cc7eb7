/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soft.h - the software CPU's private structures: one struct soft_vcpu a vcpu, one struct
 * soft_domain a domain.
 *
 * Locking: a struct soft_vcpu belongs to the thread that runs its vcpu, but for what struct
 * soft_requests holds. Other threads change a vcpu's translations or blocks only by posting a
 * request; the vcpu serves it between two instructions. A poster that must know it is done waits
 * until the vcpu has served it or is out of the guest (it serves before it enters again). code_lock
 * orders changes of a page's granule mask with its P2M_PAGE_CODE flag. Order: code_lock, then a
 * vcpu's request lock.
 */
#ifndef SOFT_H
#define SOFT_H

#include "core/domain.h"
#include "mm/walk.h"
#include "soft/translator/translator.h"
#include "x86/exec.h"
#include "x86/host_model.h"

/* -- blocks -------------------------------------------------------------------------------- */

struct soft_block;

/* One instruction of a block and, if it is a near branch, the block it went to last time. */
struct soft_slot {
	struct x86_insn insn;
	struct soft_block *next; /* never NULL; &soft_no_block: not linked */
};

#define SOFT_BLOCK_INSNS 32
#define SOFT_BLOCK_BYTES 256

/*
 * A run of decoded instructions of one page (one instruction may stretch into a second page: then
 * it is alone). Found by physical address and key; entered directly only when (ip, stamp) say that
 * this address was seen to lead here since translations last changed.
 */
struct soft_block {
	uint64_t ip;	  /* where it was last entered */
	uint64_t stamp;	  /* epoch[global] in which that was verified; 0: dropped */
	uint64_t fall_ip; /* ip + bytes, cut to the code size */
	uint32_t key;
	uint8_t global; /* index into epoch[] */
	uint8_t pad;
	uint16_t bytes;
	uint16_t count; /* instructions; slot[count] ends the block */
	uint16_t runs;	/* by the interpreter, up to SOFT_TR_THRESHOLD */
	uint16_t pad2[2];
	struct soft_tr_block *tr; /* translated; or NULL */
	gpa_t gpa;
	gpa_t gpa2; /* page of the second part, or SOFT_NO_GPA */
	struct soft_block *hash_next;
	struct soft_block *page_next[2]; /* in the page list of gpa, of gpa2 */
	struct soft_slot slot[];
};
#define SOFT_NO_GPA (~(gpa_t)0)

/* Result of the slot behind a block's last instruction; beside enum x86_result. */
#define SOFT_FALL 16

#define SOFT_HASH_BUCKETS 32768u
#define SOFT_PAGE_BUCKETS 2048u
#define SOFT_JUMP_ENTRIES 4096u
#define SOFT_ARENA_BYTES  (24u << 20) /* of a domain, but no vcpu has less than the next */
#define SOFT_ARENA_MIN	  (4u << 20)
#define SOFT_BLOCK_MAX_SIZE \
	(sizeof(struct soft_block) + (SOFT_BLOCK_INSNS + 1) * sizeof(struct soft_slot))

/* Code segments that are not flat: (base, limit) pairs have small numbers, part of the key. */
#define SOFT_CS_IDS 1024u
struct soft_cs_id {
	uint32_t base;
	uint32_t limit;
	uint32_t id; /* 0: free */
};

/* Everything one vcpu has decoded. */
struct soft_blocks {
	struct soft_block **hash;
	struct soft_block **pages;
	struct soft_block **jump; /* by ip: a guess that its block verifies */
	uint8_t *arena;
	size_t arena_used, arena_bytes;
	uint64_t generation; /* counts drops of everything */
	uint8_t *scratch;    /* SOFT_BLOCK_MAX_SIZE */
	struct soft_cs_id *cs_ids;
	uint32_t cs_id_count;
};

/* -- translations -------------------------------------------------------------------------- */

#define SOFT_ITLB_ENTRIES 256u
struct soft_itlb_entry {
	gva_t page;
	uint64_t stamp; /* valid while equal to epoch[global] */
	gpa_t gpa;
	const uint8_t *hva;
	const struct p2m_range *range; /* NULL: no memory there, reads as FFh */
	uint32_t global;
};

/* Hashed set of pages; false positives only. */
#define SOFT_PAGE_SET_BITS 4096u
struct soft_page_set {
	uint64_t bit[SOFT_PAGE_SET_BITS / 64];
};

/* Where the page table of a 2 MiB region is, and what the levels above it allow. */
#define SOFT_WALK_ENTRIES 64u
struct soft_walk_entry {
	uint64_t region; /* gva >> 21 */
	uint64_t stamp;	 /* valid while equal to walk_epoch */
	const uint64_t *table;
	uint64_t rights; /* W and U of all levels, NX of any, in their bits */
};

/* Which entries of one TLB table were filled since its last flush. */
struct soft_tlb_log {
	uint16_t index[X86_TLB_ENTRIES]; /* of entries that were not global when filled */
	uint16_t count;			 /* X86_TLB_ENTRIES: overflowed, look at all */
	bool used;
	uint64_t global[X86_TLB_ENTRIES / 64];
};

enum soft_table {
	SOFT_TABLE_R,
	SOFT_TABLE_W,
};

/* -- requests ------------------------------------------------------------------------------ */

#define SOFT_REQ_TLB	0x1u /* all translations, data and code */
#define SOFT_REQ_TLB_W	0x2u /* all entries that allow writes */
#define SOFT_REQ_BLOCKS 0x4u /* all decoded blocks */

#define SOFT_REQ_ITEMS 64
struct soft_request {
	const uint8_t *hva; /* if not NULL: no write entry may lead to this page */
	gfn_t gfn;	    /* else: drop the blocks of this page that lie in these granules */
	uint64_t granules;
};

struct soft_requests {
	struct hvm_os_spinlock lock;
	uint64_t posted; /* under lock */
	uint64_t served; /* atomic */
	uint32_t flags;
	uint32_t count;
	struct soft_request item[SOFT_REQ_ITEMS];
};

/* How busy a vcpu was of late, in ticks of the host's TSC. */
struct soft_trim {
	uint64_t start; /* of the second that is looked at; 0: never run */
	uint64_t busy;	/* in it, in the guest */
	uint64_t quiet; /* seconds before it, in a row */
};

/* -- a vcpu -------------------------------------------------------------------------------- */

struct soft_vcpu {
	struct x86_cpu cpu; /* first: handlers' struct x86_cpu is cast back */
	struct vcpu *vcpu;
	struct soft_domain *domain;
	/* Counts changes of translations: [0] of pages that are not global, [1] of global ones. */
	uint64_t epoch[2];
	struct soft_blocks blocks;

	/* The key of blocks and what it was computed from. */
	uint32_t key, key_mode;
	uint64_t key_base;
	uint32_t key_limit;

	bool window_intr, window_nmi; /* come out when one of them can be injected */
	bool io_retry;	    /* the next instruction was begun before and waits for ioemu's answer */
	bool watching;	    /* data breakpoints are on: every access comes to tlb.c */
	bool once;	    /* inside soft_emulate(): code is decoded anew each time */
	bool unfinished;    /* and the instruction has not come to its end */
	bool at_boundary;   /* waiting between two instructions: requests may be served */
	bool non_canonical; /* the #GP being raised is of a non-canonical data access ... */
	gva_t non_canonical_gva;
	uint64_t watch_dr6; /* breakpoints that this instruction hit */
	unsigned int maxphyaddr;
	uint64_t serve_count; /* requests served; tells that the world changed while waiting */

	/* Atomic. */
	uint32_t in_guest;
	uint32_t kicked;
	gfn_t held_gfn; /* page with code to which the running instruction holds a pointer */
	struct soft_requests requests;

	struct x86_tlb *tlb;
	const struct p2m_range *last_range; /* a guess for the next lookup */
	uint64_t walk_epoch;		    /* counts every flush */
	struct soft_walk_entry walk_cache[SOFT_WALK_ENTRIES];
	struct soft_tlb_log log[2][X86_TLB_CONTEXTS];
	struct soft_page_set code_pages[2]; /* pages with a code translation, by global */
	struct soft_page_set large_pages;   /* 2 and 4 MiB pages in use, by gva >> 21 */
	struct soft_page_set huge_pages;    /* 1 GiB pages, by gva >> 30 */
	struct soft_itlb_entry itlb[2][SOFT_ITLB_ENTRIES];
	uint8_t rom_table[HVM_PAGE_SIZE]; /* copy for a page walk through ROM */
	struct soft_trim trim;
	struct soft_tr tr;
	_Alignas(64) struct x86_tlb own_tlb;
};

/* Below each struct soft_vcpu: the stack of translated code and of what it calls. */
#define SOFT_STACK_BYTES (256u << 10)

#define SOFT_NO_GFN (~(gfn_t)0)

/* 64-byte granules of a page that hold code; by gfn, two levels, 1 TiB. */
#define SOFT_GRANULE_SHIFT 6
#define SOFT_LEAF_PAGES	   4096u
#define SOFT_ROOT_ENTRIES  65536u
struct soft_granules {
	uint64_t mask[SOFT_LEAF_PAGES]; /* atomic */
};

#define SOFT_SLOW_STORES 256u
struct soft_domain {
	struct hvm_os_mutex bus_lock;
	struct hvm_os_mutex verify_lock; /* held while a vcpu runs a block both ways */
	struct hvm_os_spinlock code_lock;
	uint32_t purging; /* atomic: vcpus that have write entries of a page taken away */
	struct soft_granules **granules; /* atomic pointers */
	/* Stores into code pages that hit no code, by gfn: many of them cost the page its blocks.
	 */
	uint8_t slow_stores[SOFT_SLOW_STORES]; /* atomic */
	struct domain *domain;
	struct x86_cpu_env env; /* what its vcpus' executors ask for goes through this */
};

static inline struct soft_vcpu *soft_of_cpu(struct x86_cpu *c)
{
	return (struct soft_vcpu *)c;
}

/* -- tlb.c --------------------------------------------------------------------------------- */

extern struct x86_tlb_entry soft_tlb_none[X86_TLB_ENTRIES]; /* matches nothing */
void soft_tlb_init_tables(void);
void soft_tlb_init(struct soft_vcpu *sv);
void soft_tlb_flush(struct soft_vcpu *sv, bool global);
void soft_tlb_flush_page(struct soft_vcpu *sv, gva_t gva);
void soft_tlb_flush_writes(struct soft_vcpu *sv);
/* No write entry leads to the host page @hva any more. */
void soft_tlb_purge_writes(struct soft_vcpu *sv, const uint8_t *hva);
/*
 * soft_fetch_page - translation for fetching from @gva with the current rights. NULL: exception in
 * cpu.exc.
 */
const struct soft_itlb_entry *soft_fetch_page(struct soft_vcpu *sv, gva_t gva);

/* -- pwalk.c ------------------------------------------------------------------------------- */

const struct p2m_range *soft_range(struct soft_vcpu *sv, gpa_t gpa);
int soft_walk(struct soft_vcpu *sv, gva_t gva, unsigned int access, struct walk_result *ret);
int soft_translate(struct soft_vcpu *sv, gva_t gva, gpa_t *ret);
void *soft_walk_hva(void *arg, gpa_t gpa);

/* -- block.c ------------------------------------------------------------------------------- */

extern struct soft_block soft_no_block;
int soft_blocks_init(struct soft_vcpu *sv);
void soft_blocks_fini(struct soft_vcpu *sv);
/* Recompute sv->key from the mode and the code segment. */
void soft_key_update(struct soft_vcpu *sv);
/*
 * soft_block_find - the block at cpu.ip for sv->key, decoded if need be. NULL: exception in
 * cpu.exc, or cpu.stop = X86_STOP_RETRY. Only between two instructions.
 */
struct soft_block *soft_block_find(struct soft_vcpu *sv);
/*
 * soft_block_once - a block of the one instruction at cpu.ip, decoded anew and not kept: for guest
 * memory that others write without telling. NULL as above. Valid until the next call.
 */
struct soft_block *soft_block_once(struct soft_vcpu *sv);
void soft_blocks_drop_all(struct soft_vcpu *sv);
/* Drop the blocks that lie in @granules of page @gfn. Also while one of them runs: it then stops.
 */
void soft_blocks_drop(struct soft_vcpu *sv, gfn_t gfn, uint64_t granules);

static inline unsigned int soft_jump_index(uint64_t ip)
{
	return (unsigned int)((ip ^ (ip >> 12)) & (SOFT_JUMP_ENTRIES - 1));
}

/* -- model.c ------------------------------------------------------------------------------- */

/*
 * Has the processor of this CPU model the instruction @i? If not it is #UD. What is another
 * instruction to it is made that.
 */
bool soft_model_has(uint32_t cpu_model, bool code64, struct x86_insn *i);
/* -- code.c: which guest memory holds decoded code, across vcpus --------------------------- */

/*
 * soft_code_add - [gpa, gpa + bytes) of one page is going to hold decoded code: from now on writes
 * to it are seen. May wait for other vcpus; false: requests were served meanwhile, look again.
 */
bool soft_code_add(struct soft_vcpu *sv, const struct p2m_range *r, gpa_t gpa, unsigned int bytes);
/*
 * soft_code_written - [gpa, gpa + bytes) of one page was written (or will be, by a pointer). @self:
 * the vcpu that did it, or NULL.
 */
void soft_code_written(struct soft_domain *sd, struct soft_vcpu *self, const struct p2m_range *r,
		       gpa_t gpa, uint64_t bytes);

/* -- trim.c -------------------------------------------------------------------------------- */

/*
 * soft_trim_note - the vcpu was in the guest from @from to @to, ticks of which @second make a
 * second: is it time to call soft_trim()?
 */
bool soft_trim_note(struct soft_trim *t, uint64_t from, uint64_t to, uint64_t second);
/* soft_trim - if it is worth while, drop all blocks and give their memory back. */
void soft_trim(struct soft_vcpu *sv);

/* -- requests (soft.c) --------------------------------------------------------------------- */

extern _Thread_local struct soft_vcpu *soft_current; /* the vcpu this thread has in the guest */
/* Returns the ticket to wait for. */
uint64_t soft_post(struct soft_vcpu *sv, uint32_t flags, const struct soft_request *item);
void soft_wait(struct soft_vcpu *sv, uint64_t ticket);
void soft_serve(struct soft_vcpu *sv);
void soft_enter(struct soft_vcpu *sv);
void soft_leave(struct soft_vcpu *sv);

/* -- interp.c ------------------------------------------------------------------------------ */

int soft_run(struct vcpu *v, struct hvm_exit *ret);
/*
 * soft_emulate - execute one instruction, for a vcpu that lives elsewhere and whose state was
 * loaded just now; a long REP may be left unfinished, between two elements. 1: done; 0: *ret is
 * filled (IOREQ: call again to go on; SHUTDOWN); negative: cannot be executed.
 */
int soft_emulate(struct vcpu *v, struct hvm_exit *ret);
/* soft_override_env - CPUID, MSRs, TSC, CR8 and FERR of this domain go to @env where it has them.
 */
void soft_override_env(struct domain *d, const struct x86_cpu_env *env);
bool soft_can_inject(struct vcpu *v, bool nmi);
/* For the translator: interpret @b alone; digest what handler of @i returned; see interp.c. */
int soft_interpret(struct soft_vcpu *sv, struct soft_block *b, struct hvm_exit *ret);
int soft_digest(struct soft_vcpu *sv, const struct x86_insn *i, int r, struct hvm_exit *ret);
/* What soft_run_once() and kin return to go on; 0 and negative: back to the core. */
#define SOFT_GO_ON 2

#endif
