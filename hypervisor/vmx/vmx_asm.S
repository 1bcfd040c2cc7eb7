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

#define GPR(n)		(8 * (n))
#define HOST_RSP	128	/* in struct vmx_vcpu */
#define VMCS_HOST_RSP	0x6c14

HVM_ASM_FUNC(vmx_enter)
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi			/* 0(%rsp): vv, whose first member is gpr[] */
	cmp	%rsp, HOST_RSP(%rdi)
	je	1f
	mov	%rsp, HOST_RSP(%rdi)
	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
1:
	test	%esi, %esi		/* no instruction from here to the jump changes flags */
	mov	GPR(0)(%rdi), %rax
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
	jz	2f
	vmresume
	jmp	vmx_exit_point
2:
	vmlaunch
HVM_ASM_LABEL(vmx_exit_point)
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, GPR(0)(%rdi)
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
	popq	GPR(7)(%rdi)
	setbe	%bl
	pop	%rax
	/* Returns predicted from here on are not the guest's to choose, nor do its values linger. */
	HVM_ASM_AFTER_GUEST %rax
	movzbl	%bl, %eax
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
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	HVM_ASM_RET
HVM_ASM_END(vmx_enter)
