/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_function_table.h - the one door between the core and a vendor (vmx, svm, soft).
 */
#ifndef HVM_FUNCTION_TABLE_H
#define HVM_FUNCTION_TABLE_H

#include "hvm/hvm.h"

struct domain;
struct vcpu;

struct hvm_function_table {
	const char *name; /* "soft", "vmx", "svm" */
	bool cpu_is_amd;  /* guests see an AMD processor: CPUID, VMMCALL, some MSRs */
#define HVM_OP(need, type, op, args) type(*op) args;
#include "hvm_ops.def"
#undef HVM_OP
};

/* hvm_table_check - NULL, or the name of the first mandatory operation that @t lacks. */
const char *hvm_table_check(const struct hvm_function_table *t);

/* The software CPU (soft/soft.c). */
extern const struct hvm_function_table soft_function_table;

#endif
