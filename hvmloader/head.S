/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * head.S - hvmloader's first bytes: header for the builder, own GDT and stack, on to C.
 * Entered in flat 32-bit protected mode, paging and interrupts off, ebx = boot info page.
 */
	.code32
	.section .head, "ax"
	.globl _start
_start:
	jmp	start
	.org	8
	.long	0x4c4d5648		/* HVM_LOADER_MAGIC */
	.long	1			/* HVM_BOOT_INFO_VERSION */
	.long	_file_end
	.long	_memory_end

start:
	cli
	cld
	lgdt	gdtr
	ljmp	$0x10, $1f
1:	movw	$0x18, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	$stack_end, %esp
	/* Memory was zeroed when the domain was built, but a debugger may have started us again. */
	movl	$_bss_start, %edi
	movl	$_memory_end, %ecx
	subl	%edi, %ecx
	xorl	%eax, %eax
	rep stosb
	pushl	%ebx
	call	loader_main
1:	cli
	hlt
	jmp	1b

/*
 * Selectors 0x10 and 0x18 are what the Linux boot protocol calls __BOOT_CS and __BOOT_DS.
 * 0x20, 0x28: 16-bit code and data at HVM_GPA_REAL_MODE, on the way to real mode. 0x30: a TSS.
 */
	.section .data
	.balign	8
	.globl gdt
gdt:
	.quad	0
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00009b010000ffff
	.quad	0x000093010000ffff
	.quad	0x0000890000000067
	.quad	0x008f93000000ffff	/* 16-bit data of 4 GiB: "big real mode" */
gdt_end:
	.globl gdtr
gdtr:
	.word	gdt_end - gdt - 1
	.long	gdt

/* For 64-bit kernels: 0x10 is 64-bit code. */
	.balign	8
gdt64:
	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
gdt64_end:
	.globl gdtr64
gdtr64:
	.word	gdt64_end - gdt64 - 1
	.long	gdt64

	.section .bss
	.balign	16
	.skip	0x4000
stack_end:

	.section .note.GNU-stack, "", @progbits
