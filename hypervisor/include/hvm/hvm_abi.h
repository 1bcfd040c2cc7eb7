/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_abi.h - what the core and its caller share in memory: the ioreq page of a vcpu and the
 * buffered ring of a domain. The same bytes serve the in-process core and /dev/hvm.
 */
#ifndef HVM_ABI_H
#define HVM_ABI_H

#include "hvm/hvm_types.h"

#define HVM_ABI_VERSION 1u

enum hvm_ioreq_type {
	HVM_IOREQ_NONE,
	HVM_IOREQ_PIO,
	HVM_IOREQ_MMIO,
};

enum hvm_ioreq_state {
	HVM_IOREQ_STATE_FREE,
	HVM_IOREQ_STATE_READY, /* filled by the core, to be served by ioemu */
	HVM_IOREQ_STATE_DONE,  /* served; data[] holds what was read */
};

#define HVM_IOREQ_DATA_BYTES 2048

/*
 * One synchronous request. count > 1 only for string port I/O (REP INS/OUTS): count elements of
 * size bytes each, packed in bulk[], all to or from the same port.
 */
struct hvm_ioreq {
	uint32_t state; /* enum hvm_ioreq_state */
	uint8_t type;	/* enum hvm_ioreq_type */
	uint8_t is_write;
	uint8_t size; /* 1, 2, 4 or 8 bytes an element */
	uint8_t pad;
	uint64_t address; /* port number or gpa */
	uint64_t data;	  /* count == 1: value written or read */
	uint32_t count;
	uint32_t pad2;
	uint8_t bulk[HVM_IOREQ_DATA_BYTES];
};

struct hvm_ioreq_page {
	struct hvm_ioreq req;
	uint8_t reserved[HVM_PAGE_SIZE - sizeof(struct hvm_ioreq)];
};
_Static_assert(sizeof(struct hvm_ioreq_page) == HVM_PAGE_SIZE, "ioreq page is one page");

/* Writes that need no answer, batched. Producer: core (any vcpu, under a lock); consumer: ioemu. */
#define HVM_BUFIOREQ_SLOTS 128
struct hvm_bufioreq {
	uint64_t address;
	uint64_t data;
	uint8_t type; /* enum hvm_ioreq_type */
	uint8_t size;
	uint8_t pad[6];
};

struct hvm_bufioreq_page {
	/* Free running; slot = index % HVM_BUFIOREQ_SLOTS, a power of two for the wrap at 2^32. */
	uint32_t write_index;
	uint32_t read_index;
	uint64_t pad[3];
	struct hvm_bufioreq slot[HVM_BUFIOREQ_SLOTS];
};
_Static_assert(sizeof(struct hvm_bufioreq_page) <= HVM_PAGE_SIZE, "buffered ring is one page");
_Static_assert(!(HVM_BUFIOREQ_SLOTS & (HVM_BUFIOREQ_SLOTS - 1)), "slots follow on across the wrap");

#endif
