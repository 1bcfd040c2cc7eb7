/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_asm.S - enter the guest and come back: what VMRUN leaves to software.
 *
 * void svm_enter(struct svm_vcpu *sv, hpa_t vmcb, hpa_t host_vmcb)
 *
 * From CLGI to STGI nothing interrupts, not even an NMI: FS, GS, TR and the system call MSRs are
 * the guest's then. IF is set for VMRUN, for with V_INTR_MASKING it is the host's IF that lets a
 * physical interrupt end the guest's run. Source: AMD APM Vol 2 15.5 "VMRUN Instruction", 15.17
 * "Global Interrupt Flag".
 */
#include "os/hvm_os_asm.h"
#include "x86/guest_gprs.h"

HVM_ASM_FUNC(svm_enter)
	HOST_GPRS_PUSH
	push	%rdx			/* 8(%rsp) below: the host's VMCB */
	push	%rdi			/* 0(%rsp): sv, whose first member is gpr[] */
	mov	%rsi, %rax

	clgi
	sti
	vmload	%rax
	GUEST_GPRS_LOAD
	vmrun	%rax
	/* RAX and RSP are as before VMRUN; all other registers are the guest's. */
	vmsave	%rax
	xchg	%rdi, (%rsp)
	GUEST_GPRS_SAVE
	pop	%rax
	mov	%rax, GPR(7)(%rdi)
	pop	%rax
	vmload	%rax
	cli
	/* Returns predicted from here on are not the guest's to choose, nor do its values linger. */
	HVM_ASM_AFTER_GUEST %rax
	GUEST_GPRS_CLEAR
	stgi
	HOST_GPRS_POP
	HVM_ASM_RET
HVM_ASM_END(svm_enter)
