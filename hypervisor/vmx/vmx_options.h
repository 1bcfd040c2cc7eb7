/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_options.h - what may be switched off although the processor offers it. The module makes
 * parameters of these (os/linux/vendors.c); set before vmx_probe(), read only afterwards.
 */
#ifndef VMX_OPTIONS_H
#define VMX_OPTIONS_H

#include "hvm/hvm_types.h"

struct vmx_options {
	bool vpid;	 /* translations survive exits */
	bool apicv;	 /* the processor keeps the LAPIC while the guest runs */
	bool pml;	 /* the processor logs which pages the guest writes */
	bool timer;	 /* the preemption timer bounds a stretch of guest time */
	bool pause_loop; /* a vcpu that spins lets others run */
};
extern struct vmx_options vmx_options;

#endif
