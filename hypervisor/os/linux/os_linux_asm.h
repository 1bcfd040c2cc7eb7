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
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/nospec-branch.h>

#define HVM_ASM_FUNC(name) SYM_FUNC_START(name)
#define HVM_ASM_END(name)  SYM_FUNC_END(name)
/* Another way into the function; an indirect branch, for kernels that check those (IBT). */
#ifdef ENDBR
#define HVM_ASM_LABEL(name) SYM_INNER_LABEL(name, SYM_L_GLOBAL) ENDBR
#else
#define HVM_ASM_LABEL(name) SYM_INNER_LABEL(name, SYM_L_GLOBAL)
#endif

/*
 * What a kernel knows of predictors it says in its headers, and stable kernels of every age have
 * been taught: so its macros are asked, not its version.
 */
#ifdef RET
#define HVM_ASM_RET RET
#else
#define HVM_ASM_RET ret
#endif

/*
 * Fill the return stack; forget what the guest taught the predictor of returns (Retbleed, SRSO) and
 * the branch history (BHI). Changes RAX, RCX and RDX too.
 */
.macro HVM_ASM_AFTER_GUEST reg:req
#if defined(X86_FEATURE_RSB_VMEXIT_LITE)
	FILL_RETURN_BUFFER \reg, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
#elif defined(X86_FEATURE_RSB_VMEXIT)
	FILL_RETURN_BUFFER \reg, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
#else
	FILL_RETURN_BUFFER \reg, RSB_CLEAR_LOOPS, X86_FEATURE_RETPOLINE
#endif
#if defined(UNTRAIN_RET_VM)
	UNTRAIN_RET_VM
#elif defined(X86_FEATURE_UNRET)
	UNTRAIN_RET
#ifdef X86_FEATURE_IBPB_ON_VMEXIT
	ALTERNATIVE "", "call entry_ibpb", X86_FEATURE_IBPB_ON_VMEXIT
#endif
#endif
#ifdef X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
	CLEAR_BRANCH_HISTORY_VMEXIT
#endif
.endm

#endif
