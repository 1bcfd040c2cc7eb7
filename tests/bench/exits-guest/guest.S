/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.S - the loops whose exits are counted; the same bytes under every hypervisor. Loaded at
 * GUEST_BASE, run in flat 32-bit code without paging. Each takes its number of rounds in ESI and
 * ends with an OUT to END_PORT. The program is part of the runner's data.
 */
#include "exits.h"

	.section .rodata
	.balign	16
	.globl	guest_start, guest_end
	.globl	guest_empty, guest_cpuid, guest_pio_core, guest_pio_user, guest_mmio_lapic
	.globl	guest_mmio_user, guest_touch, guest_ping, guest_pong
	.code32

#define AT(label) (GUEST_BASE + label - guest_start)
#define LAPIC	  0xfee00000

guest_start:

guest_empty:
	dec	%esi
	jnz	guest_empty
	jmp	done

guest_cpuid:
	xor	%eax, %eax
	cpuid
	dec	%esi
	jnz	guest_cpuid
	jmp	done

guest_pio_core:
	in	$0x21, %al
	dec	%esi
	jnz	guest_pio_core
	jmp	done

guest_pio_user:
	mov	$USER_PORT, %edx
1:	out	%al, %dx
	dec	%esi
	jnz	1b
	jmp	done

guest_mmio_lapic:
	mov	LAPIC + 0x80, %eax	/* task priority */
	dec	%esi
	jnz	guest_mmio_lapic
	jmp	done

guest_mmio_user:
	mov	%eax, USER_MMIO
	dec	%esi
	jnz	guest_mmio_user
	jmp	done

/* One page after the other from TOUCH_BASE on. */
guest_touch:
	mov	$TOUCH_BASE, %edi
1:	mov	%eax, (%edi)
	add	$4096, %edi
	dec	%esi
	jnz	1b
	jmp	done

/*
 * Two processors wake each other out of HLT, in turns: vector 0x40 goes from 0 to 1 and back. The
 * counter of who was woken tells a spurious wake-up.
 */
guest_ping:
	call	set_up
0:	pause
	cmpl	$0, AT(ready)
	je	0b
1:	movl	$1 << 24, LAPIC + 0x310
	movl	$0x4040, LAPIC + 0x300
2:	sti
	hlt
	cli
	cmpl	$0, AT(woken)
	je	2b
	movl	$0, AT(woken)
	dec	%esi
	jnz	1b
	jmp	done

guest_pong:
	call	set_up
	movl	$1, AT(ready)
1:	sti
	hlt
	cli
	cmpl	$0, AT(woken) + 4
	je	1b
	movl	$0, AT(woken) + 4
	movl	$0, LAPIC + 0x310
	movl	$0x4040, LAPIC + 0x300
	jmp	1b

done:
	out	%al, $END_PORT
	jmp	done

set_up:
	lidt	AT(idt_pointer)
	lgdt	AT(gdt_pointer)
	movl	$0x1ff, LAPIC + 0xf0
	ret

/* EBP: which processor, from its APIC's id. */
interrupt:
	push	%ebx
	mov	LAPIC + 0x20, %ebx
	shr	$24, %ebx
	movl	$1, AT(woken)(, %ebx, 4)
	movl	$0, LAPIC + 0xb0
	pop	%ebx
	iret

	.balign	8
woken:	.long	0, 0
ready:	.long	0		/* 1 takes interrupts */
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
	.word	0
gdt_pointer:
	.word	gdt_pointer - gdt - 3
	.long	AT(gdt)
	.word	0
idt_pointer:
	.word	0x41 * 8 - 1
	.long	AT(idt)
	.balign	8
idt:	.fill	0x40, 8, 0
	.word	GUEST_BASE + interrupt - guest_start, 8, 0x8e00, 0
guest_end:
	.code64
	.section .note.GNU-stack, "", @progbits
