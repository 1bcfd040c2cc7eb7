/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * enter.S - the last instructions of hvmloader: into a kernel, in the state its protocol asks for.
 * Source: Linux Documentation/arch/x86/boot.rst "32-bit Boot Protocol", "64-bit Boot Protocol";
 * Xen docs/misc/pvh.pandoc; Multiboot Specification 3.2 "Machine state".
 */
	.text
	.code32

/* enter_kernel32(entry, eax, ebx, esi): flat segments, no paging, other registers zero. */
	.globl enter_kernel32
enter_kernel32:
	cli
	cld
	/* PVH wants a 32-bit TSS loaded; it harms nobody else. */
	movw	$0x30, %ax
	ltr	%ax
	movl	4(%esp), %ecx
	movl	8(%esp), %eax
	movl	12(%esp), %ebx
	movl	16(%esp), %esi
	xorl	%edx, %edx
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	/* ecx is unspecified in all three protocols. */
	jmp	*%ecx

/* enter_kernel64(entry, boot_params, page_tables): long mode, identity mapping, rsi set. */
	.globl enter_kernel64
enter_kernel64:
	cli
	cld
	movl	4(%esp), %edi
	movl	8(%esp), %esi
	movl	12(%esp), %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	lgdt	gdtr64
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmp	$0x10, $1f
	.code64
1:	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%esi, %esi
	movl	%edi, %eax
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%edi, %edi
	jmp	*%rax

	.section .note.GNU-stack, "", @progbits
