/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_hw.h - what the fakes of svm/ and vmx/ share: a guest in 64-bit mode, and what a kernel does
 * for either, as far as a process can.
 */
#ifndef TEST_FAKE_HW_H
#define TEST_FAKE_HW_H

#include "core/domain.h"

/* 64-bit code at 0x1000, flat; a page table of 2 MiB pages at 0x80000. */
void fake_long_mode(uint8_t *ram, struct hvm_vcpu_state *s);

#endif
