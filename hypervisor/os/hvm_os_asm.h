/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_os_asm.h - what assembler files of the core ask of what they run on: how a function begins,
 * returns, and protects the host's branch prediction after a guest ran. Only kernels have such
 * files.
 */
#ifndef HVM_OS_ASM_H
#define HVM_OS_ASM_H

#include "os/linux/os_linux_asm.h"

#endif
