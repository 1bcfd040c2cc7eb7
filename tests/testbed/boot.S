/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.S - the first sectors of an emulated host's disk: they read the kernel (the flat image of an
 * ELF with a PVH entry) and the initramfs, unpacked, to where they belong, and enter the kernel.
 * A boot loader that asks the BIOS for each of a file's blocks, and a kernel that unpacks itself,
 * would take longer inside an emulator than all the rest of the boot.
 * Given by -D: KERNEL, INITRD (physical addresses), KERNEL_LBA, KERNEL_SECTORS, INITRD_LBA,
 * INITRD_SECTORS, INITRD_BYTES, ENTRY, MEMORY (bytes, all below 3 GiB); CMDLINE: a file's name.
 * Source: Xen's "x86/HVM direct boot ABI" (docs/misc/pvh.pandoc); ATA/ATAPI-6, READ SECTOR(S) EXT.
 */
#define MAGIC	    0x336ec578
#define RAM	    1
#define RESERVED    2
#define ACPI	    3
#define ACPI_BYTES  0x10000	/* the BIOS puts its tables at the end of memory */
#define BOOT_SECTORS 8
#define ATA	    0x1f0
#define ATA_BATCH   0x4000	/* sectors a command */

	.code16
	.globl	_start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	mov	$2, %al		/* A20 */
	out	%al, $0x92
	lgdtl	gdtr
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$8, $protected

	.code32
protected:
	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$0x7c00, %esp
	cld
	mov	$1, %ebx
	mov	$BOOT_SECTORS - 1, %ecx
	mov	$0x7e00, %edi
	call	load
	mov	$KERNEL_LBA, %ebx
	mov	$KERNEL_SECTORS, %ecx
	mov	$KERNEL, %edi
	call	load
	mov	$INITRD_LBA, %ebx
	mov	$INITRD_SECTORS, %ecx
	mov	$INITRD, %edi
	call	load
	mov	$info, %ebx
	mov	$ENTRY, %eax
	jmp	*%eax

/* %ecx sectors from %ebx on to %edi; both move on. */
load:
	mov	%ecx, %ebp
	cmp	$ATA_BATCH, %ebp
	jbe	1f
	mov	$ATA_BATCH, %ebp
1:	sub	%ebp, %ecx
	push	%ecx
	call	command
	add	%ebp, %ebx
2:	mov	$ATA + 7, %edx
3:	in	%dx, %al
	test	$0x80, %al	/* busy */
	jnz	3b
	test	$8, %al		/* data */
	jz	3b
	mov	$ATA, %edx
	mov	$256, %ecx
	rep insw
	dec	%ebp
	jnz	2b
	pop	%ecx
	test	%ecx, %ecx
	jnz	load
	ret

/* READ SECTORS EXT: the high bytes of the 48-bit registers go first. */
command:
	mov	$ATA + 6, %edx
	mov	$0x40, %al
	out	%al, %dx
	mov	$ATA + 2, %edx
	mov	%ebp, %eax
	mov	%ah, %al
	out	%al, %dx
	inc	%edx
	mov	%ebx, %eax
	shr	$24, %eax
	out	%al, %dx
	inc	%edx
	xor	%eax, %eax
	out	%al, %dx
	inc	%edx
	out	%al, %dx
	mov	$ATA + 2, %edx
	mov	%ebp, %eax
	out	%al, %dx
	inc	%edx
	mov	%ebx, %eax
	out	%al, %dx
	inc	%edx
	mov	%ah, %al
	out	%al, %dx
	inc	%edx
	shr	$16, %eax
	out	%al, %dx
	mov	$ATA + 7, %edx
	mov	$0x24, %al
	out	%al, %dx
	ret

	.balign	8
gdt:
	.quad	0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:
	.word	gdtr - gdt - 1
	.long	gdt
	.org	510
	.word	0xaa55

info:				/* struct hvm_start_info, version 1 */
	.long	MAGIC, 1, 0, 1
	.long	module, 0, cmdline, 0, 0, 0, map, 0
	.long	(map_end - map) / 24, 0
module:
	.quad	INITRD, INITRD_BYTES, 0, 0
map:
	.quad	0, 0x9f000
	.long	RAM, 0
	.quad	0x9f000, 0x61000
	.long	RESERVED, 0
	.quad	0x100000, MEMORY - 0x100000 - ACPI_BYTES
	.long	RAM, 0
	.quad	MEMORY - ACPI_BYTES, ACPI_BYTES
	.long	ACPI, 0
map_end:
cmdline:
	.incbin	CMDLINE
	.byte	0
	.org	512 * BOOT_SECTORS
