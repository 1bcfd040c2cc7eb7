/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_state.h - architectural state of one vcpu, in a form that no vendor owns.
 * Vendors load it into and store it from their own (VMCS, VMCB, struct x86_cpu).
 * Segment attributes use the layout of the VMX access-rights field.
 * Source: Intel SDM Vol 3C 24.4.1 "Guest Register State"; AMD APM Vol 2 App. B "VMCB Layout".
 */
#ifndef HVM_STATE_H
#define HVM_STATE_H

#include "hvm/hvm_types.h"

/* Segment register numbers in x86 encoding order; LDTR and TR follow. */
enum hvm_seg_reg {
	HVM_SEG_ES,
	HVM_SEG_CS,
	HVM_SEG_SS,
	HVM_SEG_DS,
	HVM_SEG_FS,
	HVM_SEG_GS,
	HVM_SEG_LDTR,
	HVM_SEG_TR,
	HVM_SEG_COUNT,
};

/* Access rights. */
#define HVM_AR_TYPE_MASK 0x000fu
#define HVM_AR_ACCESSED	 0x0001u
#define HVM_AR_RW	 0x0002u /* data: writable, code: readable */
#define HVM_AR_EC	 0x0004u /* data: expand-down, code: conforming */
#define HVM_AR_CODE	 0x0008u
#define HVM_AR_S	 0x0010u /* code or data, not system */
#define HVM_AR_DPL_SHIFT 5
#define HVM_AR_DPL_MASK	 0x0060u
#define HVM_AR_P	 0x0080u
#define HVM_AR_AVL	 0x1000u
#define HVM_AR_L	 0x2000u
#define HVM_AR_DB	 0x4000u
#define HVM_AR_G	 0x8000u
#define HVM_AR_UNUSABLE	 0x10000u /* null selector loaded */

struct hvm_seg {
	uint64_t base;
	uint32_t limit; /* in bytes, granularity already applied */
	uint32_t ar;
	uint16_t sel;
	uint16_t pad[3];
};

struct hvm_dtable {
	uint64_t base;
	uint16_t limit;
	uint16_t pad[3];
};

/* What the vcpu does when it is not executing instructions. */
enum hvm_activity {
	HVM_ACTIVITY_RUN,
	HVM_ACTIVITY_HLT,
	HVM_ACTIVITY_WAIT_SIPI,
	HVM_ACTIVITY_SHUTDOWN,
};

#define HVM_INTR_SHADOW_STI    0x1u
#define HVM_INTR_SHADOW_MOV_SS 0x2u
#define HVM_INTR_SHADOW_NMI    0x4u /* NMI blocked until IRET */

enum hvm_event_type {
	HVM_EVENT_NONE,
	HVM_EVENT_EXT_INTR,
	HVM_EVENT_NMI,
	HVM_EVENT_HW_EXCEPTION,
	HVM_EVENT_SW_INTR,	     /* INT n */
	HVM_EVENT_SW_EXCEPTION,	     /* INT3, INTO */
	HVM_EVENT_PRIV_SW_EXCEPTION, /* INT1 */
};

struct hvm_event {
	uint8_t type; /* enum hvm_event_type */
	uint8_t vector;
	uint8_t has_error;
	uint8_t insn_len; /* of the INT instruction, for software events */
	uint32_t error;
};

/*
 * XSAVE area in its standard format: legacy area (512 bytes), header (64), and at byte 576 the AVX
 * component (256), which only guests of HVM_CPU_V3 use.
 */
#define HVM_XSAVE_LEGACY_BYTES 576u
#define HVM_XSAVE_BYTES	       832u

/* Components, as bits of XCR0 and of XSTATE_BV, the header's first word. */
#define HVM_XSTATE_X87	 1u
#define HVM_XSTATE_SSE	 2u
#define HVM_XSTATE_AVX	 4u
#define HVM_XSAVE_BV_AT	 512u
#define HVM_XSAVE_AVX_AT HVM_XSAVE_LEGACY_BYTES

struct hvm_vcpu_state {
	uint64_t gpr[16]; /* rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
	uint64_t rip;
	uint64_t rflags;
	struct hvm_seg seg[HVM_SEG_COUNT];
	struct hvm_dtable gdtr;
	struct hvm_dtable idtr;
	uint64_t cr0, cr2, cr3, cr4, cr8;
	uint64_t dr[4], dr6, dr7;
	uint64_t efer, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t pat, tsc_aux, tsc_offset;
	uint64_t xcr0, xss;
	uint64_t pdpte[4]; /* PAE paging: the loaded copies */
	uint32_t intr_shadow;
	uint32_t activity;
	struct hvm_event pending; /* event whose delivery was cut short */
	_Alignas(64) uint8_t xsave[HVM_XSAVE_BYTES];
};

#endif
