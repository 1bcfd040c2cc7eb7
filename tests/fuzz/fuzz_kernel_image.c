/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_kernel_image.c - the builder's kernel parsers on arbitrary files. The first byte chooses how
 * much RAM there is. A plan that is accepted must lie inside the file and the RAM.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/kernel.h"
#include "fuzz.h"

static void check(bool fact)
{
	if (!fact)
		abort();
}

static void check_plan(const struct kernel_plan *plan, uint64_t bytes, uint64_t ram)
{
	bool entry_loaded = false;

	check(plan->segments > 0 && plan->segments <= KERNEL_MAX_SEGMENTS);
	check(plan->memory_end <= ram);
	for (unsigned int i = 0; i < plan->segments; i++) {
		const struct kernel_segment *s = &plan->segment[i];

		check(s->gpa >= KERNEL_LOWEST && range_fits(s->gpa, s->memory_bytes, ram));
		check(s->file_bytes <= s->memory_bytes);
		check(range_fits(s->file_offset, s->file_bytes, bytes));
		check(s->gpa + s->memory_bytes <= plan->memory_end);
		entry_loaded |= plan->entry >= s->gpa && plan->entry - s->gpa < s->memory_bytes;
	}
	check(entry_loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct hvm_boot_info info = { .initrd = 0x2000000, .initrd_bytes = 4096 };
	struct hvm_build_error err;
	struct kernel_plan plan;
	uint8_t page[4096] = { 0 };
	uint64_t ram;
	uint8_t *file;

	if (!bytes)
		return 0;
	ram = ((uint64_t)(data[0] & 0x3f) + 1) << (20 + (data[0] >> 6 & 1) * 4);
	if (ram > HVM_PCI_HOLE)
		ram = HVM_PCI_HOLE;
	/* A copy of exactly this size, so that AddressSanitizer sees every byte too far. */
	file = malloc(bytes - 1 ? bytes - 1 : 1);
	if (!file)
		return 0;
	memcpy(file, data + 1, bytes - 1);
	if (!kernel_plan(file, bytes - 1, ram, &plan, &err)) {
		check_plan(&plan, bytes - 1, ram);
		if (plan.setup_header_bytes)
			linux_boot_params(file, &plan, &info, page);
	}
	free(file);
	return 0;
}
