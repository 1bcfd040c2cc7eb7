/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmos.h - the CMOS bytes that firmware set-up leaves.
 */
#ifndef HVM_BUILDER_CMOS_H
#define HVM_BUILDER_CMOS_H

#include "builder.h"

/* cmos_fill - memory sizes, boot order and equipment. 0, or what hvm_cmos_write() says. */
int cmos_fill(const struct hvm_builder_params *p, uint64_t ram_low);

#endif
