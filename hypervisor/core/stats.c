/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats.c - names and meanings of the exit statistics, in the order of struct hvm_stats.
 */
#include "core/domain.h"

static const struct {
	const char *name, *help;
} hvm_stat_names[] = {
#define X(name, help) { #name, help },
	HVM_STATS(X)
#undef X
};

_Static_assert(sizeof(struct hvm_stats) == sizeof(uint64_t) * HVM_ARRAY_SIZE(hvm_stat_names),
	       "one name a counter");

const char *hvm_stat_name(size_t index)
{
	return index < HVM_ARRAY_SIZE(hvm_stat_names) ? hvm_stat_names[index].name : NULL;
}

const char *hvm_stat_help(size_t index)
{
	return index < HVM_ARRAY_SIZE(hvm_stat_names) ? hvm_stat_names[index].help : NULL;
}
