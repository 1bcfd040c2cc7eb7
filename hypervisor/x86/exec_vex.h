/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_vex.h - what exec_vex.c and exec_vex_mem.c share: YMM registers, availability, memory
 * operands of VEX-encoded instructions. Private to them.
 * Source: Intel SDM Vol 2A 2.4 "AVX and SSE Instruction Exception Classification".
 */
#ifndef X86_EXEC_VEX_H
#define X86_EXEC_VEX_H

#include "os/hvm_os.h"
#include "x86/exec_int.h"
#include "x86/exec_sse.h"
#include "x86/vex.h"

#define X86_YMM_BYTES 32u

/* #UD or #NM for an AVX instruction that may not run now. Always X86_ABORT. */
int x86_avx_refuse(struct x86_cpu *c);

/* XCR0, protected mode; CR0.EM does not count. */
static inline bool x86_avx_blocked(const struct x86_cpu *c)
{
	return hvm_unlikely(!(c->mode & X86_MODE_AVX) || (c->mode & X86_MODE_NO_FPU)) &&
	       (!(c->mode & X86_MODE_AVX) || (c->cr0 & X86_CR0_TS));
}

#define X86_AVX_CHECK(c) \
	do { \
		if (x86_avx_blocked(c)) \
			return x86_avx_refuse(c); \
	} while (0)

static inline void x86_get_ymm(const struct x86_cpu *c, unsigned int n, uint8_t *ret)
{
	memcpy(ret, &c->fpu.xmm[n & 15], 16);
	memcpy(ret + 16, &c->fpu.ymmh[n & 15], 16);
}

static inline void x86_put_ymm(struct x86_cpu *c, unsigned int n, const uint8_t *v)
{
	memcpy(&c->fpu.xmm[n & 15], v, 16);
	memcpy(&c->fpu.ymmh[n & 15], v + 16, 16);
}

/* Bytes of the vectors that the instruction works on. */
static inline unsigned int x86_vex_bytes(const struct x86_insn *i)
{
	return i->vex & X86_VEX_PREFIX_L ? 32 : 16;
}

/* To or from guest memory, with accesses as wide as a processor's. @bytes: a power of two to 32. */
static inline void x86_vex_copy(void *to, const void *from, unsigned int bytes)
{
	switch (bytes) {
	case 1: *(volatile x86_u8a *)to = *(const volatile x86_u8a *)from; break;
	case 2: *(volatile x86_u16a *)to = *(const volatile x86_u16a *)from; break;
	case 4: *(volatile x86_u32a *)to = *(const volatile x86_u32a *)from; break;
	case 8: *(volatile x86_u64a *)to = *(const volatile x86_u64a *)from; break;
	default:
		for (unsigned int n = 0; n < bytes / 16; n++)
			((volatile x86_vec_u *)to)[n] = ((const volatile x86_vec_u *)from)[n];
	}
}

/* The memory operand's i->msize bytes, aligned where the row says so. false: raised. */
bool x86_vex_load(struct x86_cpu *c, const struct x86_insn *i, void *buf);
bool x86_vex_store(struct x86_cpu *c, const struct x86_insn *i, const void *buf);

/* Handlers by enum x86_vex_kind that are no kernels of the host's instruction (exec_vex_mem.c). */
extern const x86_exec_fn x86_vex_handlers[X86_VEX_KINDS];

#endif
