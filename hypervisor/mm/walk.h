/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk.h - guest page-table walk: gva to gpa with exact faults and accessed/dirty bits.
 * Source: Intel SDM Vol 3A ch. 4 "Paging".
 */
#ifndef HVM_WALK_H
#define HVM_WALK_H

#include "hvm/hvm_types.h"

#define WALK_WRITE    0x01u
#define WALK_FETCH    0x02u
#define WALK_USER     0x04u /* CPL 3 rights */
#define WALK_AC	      0x08u /* EFLAGS.AC: SMAP does not apply */
#define WALK_PROBE    0x10u /* change nothing: no accessed or dirty bits (translate, debuggers) */
#define WALK_IMPLICIT 0x20u /* supervisor access to a system structure: SMAP applies always */

struct walk_regs {
	uint64_t cr0, cr3, cr4, efer;
	const uint64_t *pdpte; /* loaded PDPTEs, PAE paging outside long mode */
	/* hva of the page-table page's entry, or NULL (#PF RSVD not meant: treat as not present).
	 */
	void *(*gpa_to_hva)(void *arg, gpa_t gpa);
	/* told after an accessed/dirty bit was set in guest memory at @gpa; may be NULL */
	void (*pte_written)(void *arg, gpa_t gpa);
	void *arg;
	unsigned int maxphyaddr; /* bits */
};

struct walk_result {
	gpa_t gpa;	     /* of the byte asked for */
	uint64_t page_bytes; /* 4K, 2M, 4M or 1G: size of the leaf; ~0 when paging is off */
	bool writable;	     /* a write by these rights would need no further fault (W and D set) */
	bool user;	     /* U/S of the leaf */
	bool global;
	uint32_t pfec; /* on -HVM_EFAULT: #PF error code */
};

/* walk_gva - 0, or -HVM_EFAULT with ret->pfec. Sets A, and D for writes, atomically. */
int walk_gva(const struct walk_regs *r, gva_t gva, unsigned int access, struct walk_result *ret);

#endif
