/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm.c - the HVM function table: what a vendor must fill.
 */
#include "core/hvm_function_table.h"
#include "os/hvm_os.h"

#define HVM_NEED_mandatory true
#define HVM_NEED_optional  false

static const struct {
	const char *name;
	size_t offset;
	bool mandatory;
} hvm_ops[] = {
#define HVM_OP(need, type, op, args) \
	{ #op, offsetof(struct hvm_function_table, op), HVM_NEED_##need },
#include "hvm_ops.def"
#undef HVM_OP
};

const char *hvm_table_check(const struct hvm_function_table *t)
{
	for (size_t i = 0; i < HVM_ARRAY_SIZE(hvm_ops); i++) {
		void *fn;

		memcpy(&fn, (const char *)t + hvm_ops[i].offset, sizeof(fn));
		if (hvm_ops[i].mandatory && !fn)
			return hvm_ops[i].name;
	}
	return NULL;
}
