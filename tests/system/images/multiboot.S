/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multiboot.S - a kernel that proves the multiboot hand-over: prints "hvm-multiboot: ", the command
 * line, the bytes of its first module, then enters S5.
 * Source: Multiboot Specification 0.6.96, 3.2 "Machine state", 3.3 "Boot information format".
 */
	.text
	.balign	4
	.long	0x1badb002, 3, -(0x1badb002 + 3)
	.globl	_start
_start:
	cmpl	$0x2badb002, %eax
	jne	stop
	movl	$stack_end, %esp
	movl	$hello, %esi
	call	print
	testb	$4, (%ebx)		/* flags: command line */
	jz	1f
	movl	16(%ebx), %esi
	call	print
1:	movl	$space, %esi
	call	print
	testb	$8, (%ebx)		/* flags: modules */
	jz	2f
	movl	24(%ebx), %edi
	movl	(%edi), %esi
	movl	4(%edi), %ecx
	subl	%esi, %ecx
	call	print_bytes
2:	movl	$newline, %esi
	call	print
	movw	$0xb004, %dx		/* PM1a control: SLP_EN, SLP_TYP 0 */
	movw	$0x2000, %ax
	outw	%ax, %dx
stop:	cli
	hlt
	jmp	stop

/* esi: text that ends with a zero */
print:	lodsb
	testb	%al, %al
	jz	1f
	call	put
	jmp	print
1:	ret

print_bytes:
	jecxz	1f
	lodsb
	call	put
	loop	print_bytes
1:	ret

put:	movb	%al, %ah
	movw	$0x3fd, %dx
1:	inb	%dx, %al
	testb	$0x20, %al
	jz	1b
	movw	$0x3f8, %dx
	movb	%ah, %al
	outb	%al, %dx
	ret

hello:	.asciz	"hvm-multiboot: "
space:	.asciz	" "
newline: .asciz	"\r\n"

	.bss
	.skip	4096
stack_end:
	.section .note.GNU-stack, "", @progbits
