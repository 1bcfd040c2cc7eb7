/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_exit.h - why hvm_vcpu_run() came back, in words that no vendor owns.
 */
#ifndef HVM_EXIT_H
#define HVM_EXIT_H

#include "hvm/hvm_types.h"

enum hvm_exit_reason {
	HVM_EXIT_NONE,
	HVM_EXIT_INTR,	   /* kicked: the caller has something to do */
	HVM_EXIT_IOREQ,	   /* the ioreq page holds a request in state READY */
	HVM_EXIT_BUFIOREQ, /* the buffered ring is to be drained, nothing else */
	HVM_EXIT_SHUTDOWN, /* triple fault: the domain asks for a reset */
	HVM_EXIT_CRASH,	   /* the domain was crashed; hvm_domain_crash_reason() says why */
	HVM_EXIT_EMULATE,  /* internal to libhvm: the instruction at rip is run in user space */
	HVM_EXIT_COUNT,
};

struct hvm_exit {
	uint32_t reason; /* enum hvm_exit_reason */
	uint32_t pad;
	uint64_t rip;
};

#endif
