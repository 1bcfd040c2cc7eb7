/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.h - struct x86_cpu, the live state that the executor works on, and the rules of a handler.
 *
 * One thread owns a struct x86_cpu; only exit_req may be written by others.
 *
 * A handler (x86_exec_fn) executes one instruction on the state. Its contract:
 *  - Every check and every access that can fault comes before the first architectural write, so
 *    that X86_ABORT leaves the state as if the instruction had never started (REP strings: as
 *    after the last whole element, with rcx/rsi/rdi advanced).
 *  - It does not touch c->ip of a fall-through: the loop knows where the instruction ends.
 *  - Device accesses may need ioemu: the access then fails with X86_ABORT and c->stop set to
 *    X86_STOP_IO, and the whole instruction runs again later; the access that was served then
 *    succeeds. So between two device accesses of one instruction nothing may be written.
 */
#ifndef X86_CPU_H
#define X86_CPU_H

#include "hvm/hvm_state.h"
#include "insn.h"

enum x86_result {
	X86_NEXT,   /* done; go on with the next instruction of the block */
	X86_BRANCH, /* done; c->ip is the new instruction pointer */
	X86_END,    /* done, falls through, but leave the block: something the block's key or the
		       interrupt logic depends on has changed */
	X86_ABORT,  /* not done: c->exc holds an exception, or c->stop says what is needed */
	X86_HALT,   /* done; go to sleep: c->activity is set */
};

enum x86_stop {
	X86_STOP_NONE,
	X86_STOP_IO,	   /* a request waits in the ioreq page */
	X86_STOP_SHUTDOWN, /* triple fault */
	X86_STOP_CRASH,	   /* the domain was crashed by the core */
	X86_STOP_RETRY,	   /* leave the block, serve exit_req, run the instruction again */
};

enum x86_vector {
	X86_DE = 0,
	X86_DB = 1,
	X86_NMI = 2,
	X86_BP = 3,
	X86_OF = 4,
	X86_BR = 5,
	X86_UD = 6,
	X86_NM = 7,
	X86_DF = 8,
	X86_TS = 10,
	X86_NP = 11,
	X86_SS = 12,
	X86_GP = 13,
	X86_PF = 14,
	X86_MF = 16,
	X86_AC = 17,
	X86_MC = 18,
	X86_XM = 19,
};

#define X86_CR0_PE 0x00000001u
#define X86_CR0_MP 0x00000002u
#define X86_CR0_EM 0x00000004u
#define X86_CR0_TS 0x00000008u
#define X86_CR0_ET 0x00000010u
#define X86_CR0_NE 0x00000020u
#define X86_CR0_WP 0x00010000u
#define X86_CR0_AM 0x00040000u
#define X86_CR0_NW 0x20000000u
#define X86_CR0_CD 0x40000000u
#define X86_CR0_PG 0x80000000u

#define X86_CR4_VME	   0x000001u
#define X86_CR4_PVI	   0x000002u
#define X86_CR4_TSD	   0x000004u
#define X86_CR4_DE	   0x000008u
#define X86_CR4_PSE	   0x000010u
#define X86_CR4_PAE	   0x000020u
#define X86_CR4_MCE	   0x000040u
#define X86_CR4_PGE	   0x000080u
#define X86_CR4_PCE	   0x000100u
#define X86_CR4_OSFXSR	   0x000200u
#define X86_CR4_OSXMMEXCPT 0x000400u
#define X86_CR4_UMIP	   0x000800u
#define X86_CR4_FSGSBASE   0x010000u
#define X86_CR4_PCIDE	   0x020000u
#define X86_CR4_OSXSAVE	   0x040000u
#define X86_CR4_SMEP	   0x100000u
#define X86_CR4_SMAP	   0x200000u

#define X86_EFER_SCE 0x0001u
#define X86_EFER_LME 0x0100u
#define X86_EFER_LMA 0x0400u
#define X86_EFER_NXE 0x0800u

#define X86_EFL_CF    0x00000001u
#define X86_EFL_PF    0x00000004u
#define X86_EFL_AF    0x00000010u
#define X86_EFL_ZF    0x00000040u
#define X86_EFL_SF    0x00000080u
#define X86_EFL_TF    0x00000100u
#define X86_EFL_IF    0x00000200u
#define X86_EFL_DF    0x00000400u
#define X86_EFL_OF    0x00000800u
#define X86_EFL_IOPL  0x00003000u
#define X86_EFL_NT    0x00004000u
#define X86_EFL_RF    0x00010000u
#define X86_EFL_VM    0x00020000u
#define X86_EFL_AC    0x00040000u
#define X86_EFL_VIF   0x00080000u
#define X86_EFL_VIP   0x00100000u
#define X86_EFL_ID    0x00200000u
#define X86_EFL_ARITH (X86_EFL_CF | X86_EFL_PF | X86_EFL_AF | X86_EFL_ZF | X86_EFL_SF | X86_EFL_OF)

/* #PF error code. */
#define X86_PFEC_P    0x01u
#define X86_PFEC_W    0x02u
#define X86_PFEC_U    0x04u
#define X86_PFEC_RSVD 0x08u
#define X86_PFEC_I    0x10u

enum x86_reg {
	X86_RAX,
	X86_RCX,
	X86_RDX,
	X86_RBX,
	X86_RSP,
	X86_RBP,
	X86_RSI,
	X86_RDI
};

/*
 * c->mode: everything that decides how an instruction decodes and which handler form is right; part
 * of the key of a decoded block. Kept by x86_update_mode().
 */
#define X86_MODE_CODE_MASK 0x0003u /* enum x86_code_size */
#define X86_MODE_CPL_SHIFT 2
#define X86_MODE_CPL_MASK  0x000cu
#define X86_MODE_SS_SHIFT  4 /* log2 stack address size: 1, 2, 3 */
#define X86_MODE_SS_MASK   0x0030u
#define X86_MODE_PE	   0x0040u /* protected mode (also with VM) */
#define X86_MODE_VM	   0x0080u /* virtual-8086 */
#define X86_MODE_LMA	   0x0100u /* long mode active (64-bit or compatibility) */
/*
 * ES, CS, SS and DS are flat (base 0, limit 4 GiB, present, writable resp. readable, not
 * expand-down), or 64-bit mode: x86_ea() needs no segment check for any but FS and GS, which have
 * their own bit.
 */
#define X86_MODE_FLAT	   0x0200u
#define X86_MODE_FLAT_FSGS \
	0x0400u /* the same of FS and GS, but for their base; always in 64-bit mode */
#define X86_MODE_NO_FPU 0x0800u /* CR0.TS or CR0.EM: FPU, MMX and SSE instructions may trap */
#define X86_MODE_AC	0x1000u /* alignment checks are on: CPL 3, CR0.AM, EFLAGS.AC */
#define X86_MODE_SMAP	0x2000u /* CR4.SMAP: below CPL 3 EFLAGS.AC decides about the TLB context */
#define X86_MODE_SSE	0x4000u /* CR4.OSFXSR: SSE instructions exist */
#define X86_MODE_AVX	0x8000u /* CR4.OSXSAVE and XCR0: AVX instructions exist */

struct x86_xmm {
	_Alignas(16) union {
		uint8_t u8[16];
		uint16_t u16[8];
		uint32_t u32[4];
		uint64_t u64[2];
		float f32[4];
		double f64[2];
	};
};

/* x87 register: 80 bits in the memory format, in the physical order R0..R7. MMX n is mant of R(n).
 */
struct x86_fpreg {
	_Alignas(16) uint64_t mant;
	uint16_t sign_exp;
	uint16_t pad[3];
};

struct x86_fpu {
	struct x86_fpreg r[8];
	uint16_t fcw;
	uint16_t fsw;	/* with TOP */
	uint16_t valid; /* bit n: R(n) is not empty (the abridged tag word of FXSAVE) */
	uint16_t fop;
	uint64_t fip, fdp;
	uint16_t fcs, fds;
	uint32_t mxcsr;
	struct x86_xmm xmm[16];
	struct x86_xmm ymmh[16]; /* upper halves of YMM registers */
};

/*
 * Software TLB: one entry a page. (gva ^ tag) <= 4096 - size holds only for an access of this page
 * that does not leave it; the host address is then gva + addend. An invalid entry has
 * X86_TLB_INVALID, which no canonical address matches.
 */
struct x86_tlb_entry {
	uint64_t tag;	 /* gva of the page */
	uint64_t addend; /* hva of the page - tag */
};
#define X86_TLB_BITS	11
#define X86_TLB_ENTRIES (1u << X86_TLB_BITS)
#define X86_TLB_INVALID (1ull << 62)

/* Which rights a TLB was filled for; x86_update_mode() picks the current one. */
enum x86_tlb_context {
	X86_TLB_KERNEL,	   /* CPL 0-2 (with SMAP: EFLAGS.AC = 0) */
	X86_TLB_KERNEL_AC, /* CPL 0-2, EFLAGS.AC = 1, used only with CR4.SMAP */
	X86_TLB_USER,	   /* CPL 3 */
	X86_TLB_CONTEXTS
};

struct x86_tlb {
	struct x86_tlb_entry r[X86_TLB_CONTEXTS][X86_TLB_ENTRIES];
	struct x86_tlb_entry w[X86_TLB_CONTEXTS]
			      [X86_TLB_ENTRIES]; /* only pages without code, dirty */
};

struct x86_cpu_env; /* env.h: what the executor asks of those around it */

struct x86_cpu {
	/* gpr[16] is zero for ever; gpr[17] is c->ip, the ip at the start of the running block. */
	uint64_t gpr[18];
#define x86_ip gpr[X86_REG_IP]
	/*
	 * Arithmetic flags as LAHF and SETO leave them in AX: high byte SF ZF 0 AF 0 PF 1 CF, low
	 * byte 0 or 1 = OF. All other bits of RFLAGS (and bit 1) are in rflags_rest.
	 */
	uint16_t arith;
	uint16_t mode_pad;
	uint32_t mode; /* X86_MODE_* */
	uint64_t rflags_rest;
	const struct x86_tlb_entry *tlb_r; /* the current context's tables */
	const struct x86_tlb_entry *tlb_w;
	/* Set by any thread: leave the block at its end and look at what is wanted. */
	uint32_t exit_req;
	uint32_t cpl;
	struct hvm_seg seg[HVM_SEG_COUNT];
	struct x86_fpu fpu;

	uint64_t cr0, cr2, cr3, cr4;
	uint64_t dr[4], dr6, dr7;
	uint64_t efer, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t tsc_aux, xcr0, pdpte[4];
	struct hvm_dtable gdtr, idtr;

	uint32_t intr_shadow; /* HVM_INTR_SHADOW_*; STI and MOV SS last one instruction */
	uint32_t activity;    /* enum hvm_activity */
	/* Filled by x86_raise*(); valid after X86_ABORT with stop == X86_STOP_NONE. */
	struct hvm_event exc;
	uint64_t exc_cr2;
	uint64_t exc_dr6; /* bits to merge into DR6 for #DB */
	uint32_t stop;	  /* enum x86_stop */
	uint32_t cur_insn_ip_valid;

	const struct x86_cpu_env *env;
	void *env_arg; /* first argument of every env function */
	struct x86_tlb *tlb;
};

/* -- registers --------------------------------------------------------------------------------- */

static inline uint8_t *x86_gpr8(struct x86_cpu *c, unsigned int r)
{
	return (uint8_t *)&c->gpr[r & 15] + (r >> 4);
}

static inline unsigned int x86_code_size(const struct x86_cpu *c)
{
	return c->mode & X86_MODE_CODE_MASK;
}

static inline bool x86_is_code64(const struct x86_cpu *c)
{
	return x86_code_size(c) == X86_CODE64;
}

/* ip of the instruction after @i, cut to what the code size allows. */
static inline uint64_t x86_next_ip(const struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t ip = c->x86_ip + i->end;

	return x86_is_code64(c) ? ip : (uint32_t)ip;
}

static inline uint64_t x86_insn_ip(const struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t ip = c->x86_ip + i->end - i->len;

	return x86_is_code64(c) ? ip : (uint32_t)ip;
}

/* -- flags --------------------------------------------------------------------------------------
 */

static inline uint64_t x86_get_rflags(const struct x86_cpu *c)
{
	return c->rflags_rest | ((c->arith >> 8) & 0xd5u) | (uint64_t)(c->arith & 1) << 11 | 2;
}

/* All bits of @rflags as they are; no privilege logic, no mode update. */
static inline void x86_put_rflags(struct x86_cpu *c, uint64_t rflags)
{
	c->arith = (uint16_t)((((rflags & 0xd5u) | 2) << 8) | ((rflags >> 11) & 1));
	c->rflags_rest = (rflags & ~(uint64_t)X86_EFL_ARITH) | 2;
}

/* Is condition @cc (0..15, as in Jcc) true? */
static inline bool x86_cond(const struct x86_cpu *c, unsigned int cc)
{
	unsigned int f = c->arith;
	bool t = false;

	switch (cc >> 1) {
	case 0: t = f & 1; break;				  /* O */
	case 1: t = f & 0x0100; break;				  /* B */
	case 2: t = f & 0x4000; break;				  /* Z */
	case 3: t = f & 0x4100; break;				  /* BE */
	case 4: t = f & 0x8000; break;				  /* S */
	case 5: t = f & 0x0400; break;				  /* P */
	case 6: t = ((f >> 15) ^ f) & 1; break;			  /* L */
	case 7: t = (f & 0x4000) || (((f >> 15) ^ f) & 1); break; /* LE */
	}
	return t ^ (cc & 1);
}

/* -- exceptions ---------------------------------------------------------------------------------
 */

static inline int x86_raise(struct x86_cpu *c, enum x86_vector vector)
{
	c->exc = (struct hvm_event){ .type = HVM_EVENT_HW_EXCEPTION, .vector = (uint8_t)vector };
	return X86_ABORT;
}

static inline int x86_raise_err(struct x86_cpu *c, enum x86_vector vector, uint32_t error)
{
	c->exc = (struct hvm_event){ .type = HVM_EVENT_HW_EXCEPTION,
				     .vector = (uint8_t)vector,
				     .has_error = 1,
				     .error = error };
	return X86_ABORT;
}

static inline int x86_raise_pf(struct x86_cpu *c, gva_t gva, uint32_t error)
{
	c->exc_cr2 = gva;
	return x86_raise_err(c, X86_PF, error);
}

#endif
