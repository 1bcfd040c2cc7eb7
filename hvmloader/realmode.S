/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * realmode.S - code that is copied to HVM_GPA_REAL_MODE (0x10000) and runs there: the other
 * processors' start (SIPI vector 0x10), calls of real-mode code, and the way into the BIOS.
 * Offsets are relative to the copy; labels minus realmode_start.
 * Source: Intel SDM Vol 3A 9.9.2 "Switching Back to Real-Address Mode", 8.4.4 "MP Initialization".
 */
	.set	RM_BASE, 0x10000
	.set	RM_SEG, 0x1000
	.set	RM_STACK, 0xfff0
#define RM(label) (label - realmode_start)

	.section .rodata
	.globl realmode_start, realmode_end
realmode_start:
	.code16
/* A processor after SIPI, cs:ip = 1000:0000: the same MTRRs as the first, then wait for its INIT. */
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	xorl	%esi, %esi
	movw	$RM(ap_msr), %si
	movw	RM(ap_msr_count), %di
1:	testw	%di, %di
	jz	2f
	movl	(%si), %ecx
	movl	4(%si), %eax
	movl	8(%si), %edx
	wrmsr
	addw	$12, %si
	decw	%di
	jmp	1b
2:	movl	%cr0, %eax
	andl	$0x9fffffff, %eax	/* caches on */
	movl	%eax, %cr0
	lock incl RM(ap_count)
3:	hlt
	jmp	3b

/* Whatever interrupt a VGABIOS may raise and nobody serves. */
	.globl realmode_iret
realmode_iret:
	iret

/* A far function for realmode_call: the video BIOS with ax as given. */
	.globl realmode_int10
realmode_int10:
	int	$0x10
	lretw

	.code32
/* Called from C in protected mode: far call to rm_target with ax, bx, dx; returns like a function. */
	.globl realmode_call
realmode_call:
	pushal
	movl	%esp, RM_BASE + RM(rm_esp)
	ljmp	$0x20, $RM(rm_16)
	.code16
rm_16:
	movw	$0x28, %ax
	movw	%ax, %ds
	lidtl	RM(rm_idtr)
	/* Segments keep their 4 GiB limits in real mode: the VGABIOS reads its BARs through them. */
	movw	$0x38, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmp	$RM_SEG, $RM(rm_real)
rm_real:
	movw	%cs, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movl	$RM_STACK, %esp
	xorw	%ax, %ax
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	RM(rm_ax), %ax
	movw	RM(rm_bx), %bx
	movw	%bx, %dx
	lcall	*RM(rm_target)
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	RM(rm_gdtr)
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$0x10, $(RM_BASE + RM(rm_32))
	.code32
rm_32:
	movw	$0x18, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	RM_BASE + RM(rm_esp), %esp
	popal
	ret

	.balign	8
rm_idtr:
	.word	0x3ff
	.long	0
	.globl realmode_gdtr
realmode_gdtr:
rm_gdtr:
	.word	0
	.long	0
rm_esp:	.long	0
	.globl realmode_target, realmode_ax, realmode_bx
realmode_target:
rm_target:
	.word	0, 0
realmode_ax:
rm_ax:	.word	0
realmode_bx:
rm_bx:	.word	0
	.globl realmode_ap_count, realmode_ap_msr, realmode_ap_msr_count
	.balign	4
realmode_ap_count:
ap_count:
	.long	0
realmode_ap_msr_count:
ap_msr_count:
	.long	0
/* index, low half, high half */
realmode_ap_msr:
ap_msr:	.skip	12 * 16
realmode_end:

	.section .note.GNU-stack, "", @progbits
