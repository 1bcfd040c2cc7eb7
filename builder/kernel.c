/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel.c - which format is this kernel? No state, no locking, nothing saved.
 */
#include "kernel.h"

#include "image.h"

#include <errno.h>

int kernel_plan(const uint8_t *file, uint64_t bytes, uint64_t ram_low, struct kernel_plan *ret,
		struct hvm_build_error *err)
{
	/* PVH before multiboot: who carries both boots better by the former. */
	static int (*const formats[])(const uint8_t *, uint64_t, uint64_t, struct kernel_plan *,
				      struct hvm_build_error *) = {
		linux_plan,
		pvh_plan,
		multiboot_plan,
	};

	for (size_t i = 0; i < HVM_ARRAY_SIZE(formats); i++) {
		int error = formats[i](file, bytes, ram_low, ret, err);

		if (error != 1)
			return error;
	}
	return build_fail(err, -ENOEXEC, "kernel-invalid", "boot.kernel",
			  "not a bzImage, PVH ELF or multiboot ELF");
}
