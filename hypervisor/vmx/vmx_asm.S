/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_asm.S - enter the guest and come back: what VM entry leaves to software.
 *
 * int vmx_enter(struct vmx_vcpu *vv, uint32_t launched): 0, or 1: the processor refused.
 *
 * Interrupts are off. A VM exit arrives at vmx_exit_point, with RSP from the VMCS, which is RSP at
 * the entry, and all flags clear; a refused entry goes on there too, with carry or zero set and
 * every register as it was loaded. Source: Intel SDM Vol 3C 26.2 "Checks on VMX Controls and
 * Host-State Area", 27.5 "Loading Host State", 30.2 "Conventions".
 */
#include "os/hvm_os_asm.h"
#include "x86/guest_gprs.h"

#define HOST_RSP	128	/* in struct vmx_vcpu */
#define VMCS_HOST_RSP	0x6c14

HVM_ASM_FUNC(vmx_enter)
	HOST_GPRS_PUSH
	push	%rdi			/* 0(%rsp): vv, whose first member is gpr[] */
	cmp	%rsp, HOST_RSP(%rdi)
	je	1f
	mov	%rsp, HOST_RSP(%rdi)
	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
1:
	test	%esi, %esi		/* no instruction from here to the jump changes flags */
	mov	GPR(0)(%rdi), %rax
	GUEST_GPRS_LOAD
	jz	2f
	vmresume
	jmp	vmx_exit_point
2:
	vmlaunch
HVM_ASM_LABEL(vmx_exit_point)
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, GPR(0)(%rdi)
	GUEST_GPRS_SAVE
	popq	GPR(7)(%rdi)
	setbe	%bl
	pop	%rax
	/* Returns predicted from here on are not the guest's to choose, nor do its values linger. */
	HVM_ASM_AFTER_GUEST %rax
	movzbl	%bl, %eax
	GUEST_GPRS_CLEAR
	HOST_GPRS_POP
	HVM_ASM_RET
HVM_ASM_END(vmx_enter)
