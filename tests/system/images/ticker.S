/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ticker.S - a kernel that never ends: prints "tick HHHH", one more each time, on COM1. For tests
 * that need a domain that runs and talks, not an operating system.
 * Source: Multiboot Specification 0.6.96, 3.2 "Machine state".
 */
	.text
	.balign	4
	.long	0x1badb002, 3, -(0x1badb002 + 3)
	.globl	_start
_start:
	movl	$stack_end, %esp
	xorl	%ebp, %ebp
again:	movl	$tick, %esi
1:	lodsb
	testb	%al, %al
	jz	2f
	call	put
	jmp	1b
2:	movl	$4, %edi
	movl	%ebp, %ebx
3:	rolw	$4, %bx
	movl	%ebx, %eax
	andl	$15, %eax
	movb	digits(%eax), %al
	call	put
	decl	%edi
	jnz	3b
	movb	$'\n', %al
	call	put
	incl	%ebp
	movl	$3000000, %ecx
4:	decl	%ecx
	jnz	4b
	jmp	again

put:	movb	%al, %ah
	movw	$0x3fd, %dx
1:	inb	%dx, %al
	testb	$0x20, %al
	jz	1b
	movw	$0x3f8, %dx
	movb	%ah, %al
	outb	%al, %dx
	ret

tick:	.asciz	"tick "
digits:	.ascii	"0123456789abcdef"

	.bss
	.skip	4096
stack_end:
	.section .note.GNU-stack, "", @progbits
