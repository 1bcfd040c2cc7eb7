/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_insn.h - in place of vmx/vmx_insn.h: VMX instructions of a processor that is a few variables
 * (fake_vmx.h). True: it failed.
 */
#ifndef VMX_INSN_H
#define VMX_INSN_H

#include "hvm/hvm_types.h"

#define VMX_INV_SINGLE 1ull
#define VMX_INV_ALL    2ull

bool vmx_on(hpa_t region);
void vmx_off(void);
bool vmx_vmclear(hpa_t vmcs);
bool vmx_vmptrld(hpa_t vmcs);
uint64_t vmx_vmread(uint64_t encoding);
bool vmx_vmwrite(uint64_t encoding, uint64_t value);
bool vmx_do_invept(uint64_t type, uint64_t ept_pointer);
bool vmx_do_invvpid(uint64_t type, uint32_t vpid);

#endif
