/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmos.c - the CMOS bytes that firmware set-up leaves: what SeaBIOS and old systems read.
 * No state. The bytes live in the core's RTC, which saves them.
 * Source: Ralf Brown's CMOS list; SeaBIOS src/hw/rtc.h for the bytes that emulators pass.
 */
#include "cmos.h"

#define CMOS_EQUIPMENT	    0x14
#define CMOS_BASE_KIB	    0x15 /* two bytes */
#define CMOS_EXTENDED_KIB   0x17 /* two bytes, again at 0x30 */
#define CMOS_CHECKED_FIRST  0x10
#define CMOS_CHECKED_LAST   0x2d
#define CMOS_CHECKSUM	    0x2e /* big endian */
#define CMOS_EXTENDED_KIB_2 0x30
#define CMOS_ABOVE_16M_64K  0x34 /* two bytes, in 64 KiB */
#define CMOS_BOOT_3	    0x38 /* high nibble: third boot device */
#define CMOS_DISK_TRANS_0   0x39 /* two bits a disk: 1 is LBA */
#define CMOS_DISK_TRANS_4   0x3a
#define CMOS_BOOT_1_2	    0x3d /* low nibble: first boot device, high: second */
#define CMOS_HIGH_64K	    0x5b /* three bytes: RAM from 4 GiB on, in 64 KiB */
#define CMOS_VCPUS_LESS_1   0x5f
#define CMOS_END	    0x60

#define EQUIPMENT_FPU	0x02
#define EQUIPMENT_MOUSE 0x04
#define TRANSLATE_LBA_4 0x55
#define BASE_KIB	640u

static void cmos_put16(uint8_t *cmos, unsigned int index, uint64_t value)
{
	if (value > 0xffff)
		value = 0xffff;
	cmos[index] = (uint8_t)value;
	cmos[index + 1] = (uint8_t)(value >> 8);
}

static uint8_t cmos_boot_code(enum hvm_boot_device dev)
{
	/* As SeaBIOS numbers them; 1 would be a floppy. */
	static const uint8_t code[] = {
		[HVM_BOOT_DEV_NONE] = 0,
		[HVM_BOOT_DEV_DISK] = 2,
		[HVM_BOOT_DEV_CDROM] = 3,
		[HVM_BOOT_DEV_NETWORK] = 4,
	};

	return (unsigned int)dev < sizeof(code) ? code[dev] : 0;
}

int cmos_fill(const struct hvm_builder_params *p, uint64_t ram_low)
{
	uint8_t cmos[CMOS_END] = { 0 };
	uint64_t high_64k = (p->ram_bytes - ram_low) >> 16;
	unsigned int sum = 0;

	cmos[CMOS_EQUIPMENT] = EQUIPMENT_FPU | EQUIPMENT_MOUSE;
	cmos_put16(cmos, CMOS_BASE_KIB, BASE_KIB);
	cmos_put16(cmos, CMOS_EXTENDED_KIB, (ram_low >> 10) - 1024);
	cmos_put16(cmos, CMOS_EXTENDED_KIB_2, (ram_low >> 10) - 1024);
	if (ram_low > (16u << 20))
		cmos_put16(cmos, CMOS_ABOVE_16M_64K, (ram_low - (16u << 20)) >> 16);
	cmos_put16(cmos, CMOS_HIGH_64K, high_64k & 0xffff);
	cmos[CMOS_HIGH_64K + 2] = (uint8_t)(high_64k >> 16);
	cmos[CMOS_VCPUS_LESS_1] = (uint8_t)(p->vcpus - 1);
	cmos[CMOS_BOOT_1_2] =
		(uint8_t)(cmos_boot_code(p->order[0]) | cmos_boot_code(p->order[1]) << 4);
	cmos[CMOS_BOOT_3] = (uint8_t)(cmos_boot_code(p->order[2]) << 4);
	cmos[CMOS_DISK_TRANS_0] = TRANSLATE_LBA_4;
	cmos[CMOS_DISK_TRANS_4] = TRANSLATE_LBA_4;
	for (unsigned int i = CMOS_CHECKED_FIRST; i <= CMOS_CHECKED_LAST; i++)
		sum += cmos[i];
	cmos[CMOS_CHECKSUM] = (uint8_t)(sum >> 8);
	cmos[CMOS_CHECKSUM + 1] = (uint8_t)sum;

	for (unsigned int i = CMOS_EQUIPMENT; i < CMOS_END; i++) {
		/* 0x32 is the century, which the RTC keeps itself. */
		int error = i == 0x32 ? 0 : hvm_cmos_write(p->domain, i, cmos[i]);

		if (error)
			return error;
	}
	return 0;
}
