/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translator.h - the binary translator as the rest of soft/ sees it: what a vcpu keeps for it, and
 * when it is called. tr.h is its inside; docs/translator.md the design.
 * Locking: a vcpu's part belongs to the vcpu's thread. Not saved.
 */
#ifndef SOFT_TRANSLATOR_H
#define SOFT_TRANSLATOR_H

#include "hvm/hvm_state.h"
#include "os/posix/os_code.h"
#include "x86/cpu.h"

struct domain;
struct hvm_exit;
struct soft_vcpu;
struct soft_block;

/*
 * A page of guest memory with translated code, for one mode; lives in the code buffer, whose far
 * entries read vpage and stamp. A block of two pages has one for itself.
 */
struct soft_tr_page {
	uint64_t vpage; /* far entries go on only if the guest comes for this page ... */
	uint64_t stamp; /* ... and it was seen to lead here in this epoch */
	uint64_t reach_up, reach_down; /* direct branches go no further from vpage than this */
	gpa_t gpa;
	uint32_t key;
	uint32_t global; /* which of epoch[], built into the entries */
	struct soft_tr_page *next;
	uint64_t pad;
};

/* A translated block. Offsets are in the code buffer. */
struct soft_tr_block {
	struct soft_tr_page *page;
	uint32_t body;		  /* flags in c->arith */
	uint32_t body_host;	  /* flags in the host's; the same where flags do not matter */
	uint32_t poll, poll_host; /* looks at exit_req first */
	uint32_t far, far_host; /* checks vpage and stamp, sets page_ip, polls. T0: ip, T1: site */
	uint32_t dropped;	/* code that a dropped block's body leads to */
	/* Blocks of two pages: for those who come from within the first; or 0. */
	uint32_t near, near_host;
	uint32_t pad;
};

/* Second look of an indirect branch: where blocks that share a place in jump[] are found. */
struct soft_tr_jump {
	uint64_t ip;
	uint64_t far; /* address */
};
#define SOFT_TR_JUMPS2 4096u

#define SOFT_TR_JUMP_ENTRIES 65536u /* by the low 16 bits of ip */
#define SOFT_TR_PAGE_BUCKETS 4096u
#define SOFT_TR_JUMPS	     2 /* tables: CPL 0 to 2, CPL 3 */
/* Executions of a block by the interpreter before it is translated. */
#define SOFT_TR_THRESHOLD    1u
#define SOFT_TR_CACHE_BYTES  (64u << 20) /* of a domain */

enum soft_tr_mode {
	SOFT_TR_OFF,
	SOFT_TR_ON,
	SOFT_TR_VERIFY,
};

/* Part of struct soft_vcpu. The first fields are read and written by generated code. */
struct soft_tr {
	uint64_t host_rsp; /* of the C function that entered */
	uint64_t entry;
	uint64_t page_ip; /* guest ip of the start of the page that the running block is in */
	uint64_t insn;	  /* struct x86_insn that a handler was last called for */
	uint64_t drops;	  /* counts dropped blocks */
	uint64_t saved_t2;
	uint32_t site;	     /* where the last exit came from, TR_SITE_* */
	uint32_t xmm_live;   /* TR_LIVE_* */
	uint32_t mxcsr;	     /* the C code's */
	uint32_t from_block; /* block whose indirect branch was last taken, by arena offset */
	uint32_t x87_live;
	uint16_t x87_fcw_caller;
	uint16_t x87_fcw_host;		     /* the C code's, since soft_x87_enter() */
	bool x87_keeps_c1;		     /* the host's FCOMI leaves C1 alone ... */
	bool x87_can_turn;		     /* ... and its FINCSTP the other condition codes */
	bool x87_can_compare, x87_can_cmov;  /* they change no others either */
	uint32_t x87_env[7];		     /* of FLDENV */
	_Alignas(16) uint8_t x87_image[512]; /* of FXSAVE */
	/* Indirect branches: far entries to try, by low bits of ip. */
	uint64_t jump[SOFT_TR_JUMPS][SOFT_TR_JUMP_ENTRIES];
	struct soft_tr_jump jump2[SOFT_TR_JUMPS][SOFT_TR_JUMPS2];

	/* From here on for C alone. */
	enum soft_tr_mode mode;
	bool exact_flags; /* keep flags right also where nothing but an exception's frame shows */
	struct os_code code;
	uint8_t *hot, *hot_end, *cold, *cold_end;
	struct soft_tr_block *blocks;
	struct soft_tr_page *pages;
	uint32_t block_count, block_max, page_count, page_max;
	struct soft_tr_page *page_hash[SOFT_TR_PAGE_BUCKETS];
	uint32_t common_bytes; /* at the buffer's start */
	uint32_t enter, exec, exec_sse, exit, interp, miss, load_xmm, load_ymm;
	uint32_t exec_x87, load_x87, reload_x87;
	uint32_t jump_key[SOFT_TR_JUMPS];
	uint64_t generation;	       /* counts flushes */
	uint32_t named;		       /* blocks, in the perf map */
	uint64_t site_ip;	       /* where the last exit went ... */
	uint32_t site_key;	       /* ... and in which mode */
	struct soft_tr_verify *verify; /* NULL: not in this mode */
};

/* What a new vcpu of this domain gets. */
enum soft_tr_mode soft_tr_default(const struct domain *d);
/* Called by soft.c. -HVM_E*: no memory, or the host cannot; then the mode is off. */
int soft_tr_init(struct soft_vcpu *sv, enum soft_tr_mode mode, unsigned int vcpus);
void soft_tr_fini(struct soft_vcpu *sv);
/* NULL, or what the host's processor lacks for generated code. */
const char *soft_tr_missing(void);

/* -- called by block.c, between two instructions or from a handler -- */
void soft_tr_drop(struct soft_vcpu *sv, struct soft_block *b);
/* All decoded blocks go. */
void soft_tr_flush(struct soft_vcpu *sv);

/* -- called by trim.c -- */

/* Bytes of translated code. */
size_t soft_tr_used(const struct soft_vcpu *sv);
/* After soft_tr_flush(): the memory goes back. */
void soft_tr_discard(struct soft_vcpu *sv);

/* -- called by interp.c -- */

/* May the block at ip be run translated? */
bool soft_tr_wanted(const struct soft_vcpu *sv);
/* Run from cpu.ip on; as soft_run_once() in interp.c. */
int soft_tr_run(struct soft_vcpu *sv, struct hvm_exit *ret);

/* -- verify.c: every block both ways -- */
struct soft_tr_verify;
int soft_tr_verify_init(struct soft_vcpu *sv);
void soft_tr_verify_fini(struct soft_vcpu *sv);
/* As soft_tr_run(). */
int soft_tr_verify_run(struct soft_vcpu *sv, struct hvm_exit *ret);
/* Called by tlb.c: the interpreter is going to write guest RAM, to access a device. */
void soft_tr_verify_write(struct soft_vcpu *sv, uint8_t *hva, unsigned int bytes);
void soft_tr_verify_device(struct soft_vcpu *sv);

/*
 * Around everything that executes instructions of the guest's, translated or not: the x87 control
 * word is the one that the ABI starts a thread with, and afterwards the caller's. (x87_state.c)
 */
void soft_x87_enter(struct soft_tr *g);
void soft_x87_leave(const struct soft_tr *g);

#endif
