/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * all_calls.h - every call of /dev/hvm, for tests that try them all.
 */
#ifndef TEST_ALL_CALLS_H
#define TEST_ALL_CALLS_H

#include "hvm/hvm_ioctl.h"

static const uint32_t all_calls[] = {
	HVM_IOCTL_INFO,	     HVM_IOCTL_CREATE,	  HVM_IOCTL_MEMORY,    HVM_IOCTL_MEMORY_WRITTEN,
	HVM_IOCTL_DIRTY,     HVM_IOCTL_IRQ,	  HVM_IOCTL_MSI,       HVM_IOCTL_NMI,
	HVM_IOCTL_CMOS,	     HVM_IOCTL_BUFIOREQ,  HVM_IOCTL_DOORBELL,  HVM_IOCTL_RESET,
	HVM_IOCTL_TIME,	     HVM_IOCTL_SAVE,	  HVM_IOCTL_LOAD,      HVM_IOCTL_CRASH_REASON,
	HVM_IOCTL_CRASH,     HVM_IOCTL_VCPU,	  HVM_IOCTL_RUN,       HVM_IOCTL_KICK,
	HVM_IOCTL_GET_STATE, HVM_IOCTL_SET_STATE, HVM_IOCTL_TRANSLATE, HVM_IOCTL_STATS,
	HVM_IOCTL_IO,
};

#endif
