/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.S - from the multiboot entry to main() in 64-bit mode, the traps, and the way of other
 * processors. Low memory: 0x8000 is where a SIPI starts one (ap_start, copied there).
 * Memory below 4 GiB is mapped one to one with pages of 2 MiB; page_tables: PML4, PDPT, 4 PDs.
 * Source: Multiboot Specification 0.6.96; AMD APM Vol 2 14.8 "Long-Mode Initialization Example".
 */
	.section .head, "ax"
	.code32
	.balign	4
	.long	0x1badb002, 3, -(0x1badb002 + 3)
	.globl	_start
_start:
	cli
	movl	$stack_end, %esp
	movl	$page_tables, %edi
	leal	0x1007(%edi), %eax
	movl	%eax, (%edi)			/* PML4[0] */
	leal	0x2007(%edi), %eax
	xorl	%ecx, %ecx
1:	movl	%eax, 0x1000(%edi, %ecx, 8)	/* PDPT[0..3] */
	addl	$0x1000, %eax
	incl	%ecx
	cmpl	$4, %ecx
	jb	1b
	movl	$0x87, %eax			/* present, writable, user, 2 MiB */
	xorl	%ecx, %ecx
1:	movl	%eax, 0x2000(%edi, %ecx, 8)
	addl	$0x200000, %eax
	incl	%ecx
	cmpl	$2048, %ecx
	jb	1b
	call	to_long
	.code64
	call	idt_init
	call	main
	call	end
	.code32

/* To 64-bit mode; returns there, with the stack that it came with. */
to_long:
	popl	%ebx
	lgdt	gdt_pointer
	movl	$0x6b0, %eax			/* PAE, PSE, PGE, OSFXSR, OSXMMEXCPT */
	movl	%eax, %cr4
	movl	$page_tables, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	xorl	%edx, %edx
	movl	$0x901, %eax			/* SCE, LME, NXE */
	wrmsr
	movl	$0x80010033, %eax		/* PG, WP, NE, ET, MP, PE */
	movl	%eax, %cr0
	ljmp	$0x8, $1f
	.code64
1:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%ebx, %ebx
	pushq	%rbx
	ret

	.text
/* -- other processors: copied to 0x8000 -------------------------------------------------------- */
	.globl	ap_start, ap_end
	.code16
ap_start:
	cli
	xorl	%eax, %eax
	movw	%ax, %ds
	lgdtl	gdt_pointer32 - ap_start + 0x8000
	movl	%cr0, %eax
	orl	$1, %eax
	andl	$~0x60000000, %eax
	movl	%eax, %cr0
	ljmpl	$0x18, $ap_32
gdt_pointer32:
	.word	gdt_end - gdt - 1
	.long	gdt
ap_end:
	.code32
ap_32:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %ss
	movl	$1, %eax
	lock xaddl %eax, ap_count
	incl	%eax
	movl	%eax, %esi			/* its number */
	shll	$14, %eax
	leal	ap_stacks(%eax), %esp
	call	to_long
	.code64
	lidt	idt_pointer
	movl	%esi, %edi
	call	ap_main
1:	hlt
	jmp	1b

/* -- traps ------------------------------------------------------------------------------------- */
	.globl	trap_stubs
	.balign	16
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

trap_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	trap
	movq	%rbp, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

/* -- data ---------------------------------------------------------------------------------------*/
	.data
	.balign	16
	.globl	gdt, gdt_end, gdt_pointer
gdt:	.quad	0
	.quad	0x00af9b000000ffff		/* 08: 64-bit code */
	.quad	0x00cf93000000ffff		/* 10: data */
	.quad	0x00cf9b000000ffff		/* 18: 32-bit code */
	.quad	0x00cff3000000ffff		/* 20: user data */
	.quad	0x00affb000000ffff		/* 28: user 64-bit code */
	.quad	0x00cffb000000ffff		/* 30: user 32-bit code */
	.quad	0, 0				/* 38: TSS */
	.quad	0x00cf13000000ffff		/* 48: data, not present */
	.quad	0x00008f000000ffff		/* 50: 16-bit conforming code */
	.quad	0, 0				/* 58: for the test */
gdt_end:
	.globl	idt_pointer
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt
idt_pointer:
	.word	4095
	.quad	idt
	.globl	ap_count
ap_count:
	.long	0

	.bss
	.balign	4096
	.globl	page_tables, idt
page_tables:
	.skip	0x6000
idt:	.skip	4096
	.globl	stack_end, ap_stacks
	.skip	16384
stack_end:
ap_stacks:
	.skip	16384 * 16
	.section .note.GNU-stack, "", @progbits
