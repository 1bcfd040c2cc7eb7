/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * os_linux_asm.h - hvm_os_asm.h in the Linux kernel: its own macros, so that the mitigations that
 * the administrator chose hold here too.
 */
#ifndef HVM_OS_LINUX_ASM_H
#define HVM_OS_LINUX_ASM_H

/* Assembler: */
/* clang-format off */

#include <linux/linkage.h>
#include <linux/version.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/nospec-branch.h>

#define HVM_ASM_FUNC(name) SYM_FUNC_START(name)
#define HVM_ASM_END(name)  SYM_FUNC_END(name)
/* Another way into the function. */
#define HVM_ASM_LABEL(name) SYM_INNER_LABEL(name, SYM_L_GLOBAL)

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 0, 0)
#define HVM_ASM_RET RET
/* Fill the return stack; forget what the guest taught the predictor of returns (Retbleed, SRSO). */
.macro HVM_ASM_AFTER_GUEST reg:req
	FILL_RETURN_BUFFER \reg, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
	UNTRAIN_RET
.endm
#else
#define HVM_ASM_RET ret
.macro HVM_ASM_AFTER_GUEST reg:req
	FILL_RETURN_BUFFER \reg, RSB_CLEAR_LOOPS, X86_FEATURE_RETPOLINE
.endm
#endif

#endif
