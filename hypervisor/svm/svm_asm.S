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

#define GPR(n) (8 * (n))

HVM_ASM_FUNC(svm_enter)
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdx			/* 8(%rsp) below: the host's VMCB */
	push	%rdi			/* 0(%rsp): sv, whose first member is gpr[] */
	mov	%rsi, %rax

	clgi
	sti
	vmload	%rax
	mov	GPR(1)(%rdi), %rcx
	mov	GPR(2)(%rdi), %rdx
	mov	GPR(3)(%rdi), %rbx
	mov	GPR(5)(%rdi), %rbp
	mov	GPR(6)(%rdi), %rsi
	mov	GPR(8)(%rdi), %r8
	mov	GPR(9)(%rdi), %r9
	mov	GPR(10)(%rdi), %r10
	mov	GPR(11)(%rdi), %r11
	mov	GPR(12)(%rdi), %r12
	mov	GPR(13)(%rdi), %r13
	mov	GPR(14)(%rdi), %r14
	mov	GPR(15)(%rdi), %r15
	mov	GPR(7)(%rdi), %rdi
	vmrun	%rax
	/* RAX and RSP are as before VMRUN; all other registers are the guest's. */
	vmsave	%rax
	xchg	%rdi, (%rsp)
	mov	%rcx, GPR(1)(%rdi)
	mov	%rdx, GPR(2)(%rdi)
	mov	%rbx, GPR(3)(%rdi)
	mov	%rbp, GPR(5)(%rdi)
	mov	%rsi, GPR(6)(%rdi)
	mov	%r8, GPR(8)(%rdi)
	mov	%r9, GPR(9)(%rdi)
	mov	%r10, GPR(10)(%rdi)
	mov	%r11, GPR(11)(%rdi)
	mov	%r12, GPR(12)(%rdi)
	mov	%r13, GPR(13)(%rdi)
	mov	%r14, GPR(14)(%rdi)
	mov	%r15, GPR(15)(%rdi)
	pop	%rax
	mov	%rax, GPR(7)(%rdi)
	pop	%rax
	vmload	%rax
	cli
	/* Returns predicted from here on are not the guest's to choose, nor do its values linger. */
	HVM_ASM_AFTER_GUEST %rax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	stgi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	HVM_ASM_RET
HVM_ASM_END(svm_enter)
