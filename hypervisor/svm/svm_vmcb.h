/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_vmcb.h - the virtual machine control block: what VMRUN reads and #VMEXIT writes.
 * Source: AMD APM Vol 2 App. B "VMCB Layout", App. C "SVM Intercept Exit Codes".
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include "hvm/hvm_types.h"

/* -- intercepts: word and bit ------------------------------------------------------------------ */

enum svm_intercept_word {
	SVM_IW_CR,	  /* reads in 15:0, writes in 31:16 */
	SVM_IW_DR,	  /* the same */
	SVM_IW_EXCEPTION, /* by vector */
	SVM_IW_MISC1,
	SVM_IW_MISC2,
	SVM_IW_MISC3,
	SVM_IW_COUNT
};

#define SVM_I_CR_WRITE(n) (1u << (16 + (n)))

#define SVM_I_INTR	  (1u << 0)
#define SVM_I_NMI	  (1u << 1)
#define SVM_I_SMI	  (1u << 2)
#define SVM_I_INIT	  (1u << 3)
#define SVM_I_VINTR	  (1u << 4)
#define SVM_I_RDPMC	  (1u << 15)
#define SVM_I_CPUID	  (1u << 18)
#define SVM_I_RSM	  (1u << 19)
#define SVM_I_IRET	  (1u << 20)
#define SVM_I_INVD	  (1u << 22)
#define SVM_I_PAUSE	  (1u << 23)
#define SVM_I_HLT	  (1u << 24)
#define SVM_I_INVLPGA	  (1u << 26)
#define SVM_I_IOIO	  (1u << 27)
#define SVM_I_MSR	  (1u << 28)
#define SVM_I_FERR_FREEZE (1u << 30)
#define SVM_I_SHUTDOWN	  (1u << 31)

#define SVM_I2_VMRUN	  (1u << 0)
#define SVM_I2_VMMCALL	  (1u << 1)
#define SVM_I2_VMLOAD	  (1u << 2)
#define SVM_I2_VMSAVE	  (1u << 3)
#define SVM_I2_STGI	  (1u << 4)
#define SVM_I2_CLGI	  (1u << 5)
#define SVM_I2_SKINIT	  (1u << 6)
#define SVM_I2_WBINVD	  (1u << 9)
#define SVM_I2_MONITOR	  (1u << 10)
#define SVM_I2_MWAIT	  (1u << 11)
#define SVM_I2_MWAIT_COND (1u << 12)
#define SVM_I2_XSETBV	  (1u << 13)
#define SVM_I2_RDPRU	  (1u << 14)

/* -- fields ------------------------------------------------------------------------------------ */

#define SVM_TLB_KEEP	   0u
#define SVM_TLB_FLUSH_ALL  1u
#define SVM_TLB_FLUSH_ASID 3u

/* int_ctl */
#define SVM_V_TPR_MASK	   0x0full
#define SVM_V_IRQ	   HVM_BIT(8)
#define SVM_V_GIF	   HVM_BIT(9)
#define SVM_V_PRIO_HIGHEST (15ull << 16)
#define SVM_V_IGN_TPR	   HVM_BIT(20)
#define SVM_V_INTR_MASKING HVM_BIT(24)
#define SVM_V_GIF_ENABLE   HVM_BIT(25)

#define SVM_INTERRUPT_SHADOW 1ull /* int_state */

#define SVM_NP_ENABLE 1ull

/* eventinj, exitintinfo */
#define SVM_EVENT_VECTOR(e)   ((uint8_t)(e))
#define SVM_EVENT_TYPE(e)     ((unsigned int)((e) >> 8) & 7)
#define SVM_EVENT_TYPE_INTR   0u
#define SVM_EVENT_TYPE_NMI    2u
#define SVM_EVENT_TYPE_EXC    3u
#define SVM_EVENT_TYPE_SOFT   4u
#define SVM_EVENT_HAS_ERROR   HVM_BIT(11)
#define SVM_EVENT_VALID	      HVM_BIT(31)
#define SVM_EVENT_ERROR_SHIFT 32

/* clean: a set bit says that the processor may use what it has cached of these fields. */
#define SVM_CLEAN_INTERCEPTS HVM_BIT(0) /* also TSC offset, PAUSE filter */
#define SVM_CLEAN_MAPS	     HVM_BIT(1)
#define SVM_CLEAN_ASID	     HVM_BIT(2)
#define SVM_CLEAN_TPR	     HVM_BIT(3) /* int_ctl */
#define SVM_CLEAN_NP	     HVM_BIT(4) /* nested CR3, PAT */
#define SVM_CLEAN_CR	     HVM_BIT(5) /* CR0, CR3, CR4, EFER */
#define SVM_CLEAN_DR	     HVM_BIT(6) /* DR6, DR7 */
#define SVM_CLEAN_DT	     HVM_BIT(7) /* GDTR, IDTR */
#define SVM_CLEAN_SEG	     HVM_BIT(8) /* ES CS SS DS, CPL */
#define SVM_CLEAN_CR2	     HVM_BIT(9)
#define SVM_CLEAN_ALL	     0x3ffu

/* Attributes of a segment: the access rights of struct hvm_seg with the gap closed. */
struct svm_seg {
	uint16_t selector;
	uint16_t attrib;
	uint32_t limit;
	uint64_t base;
};

struct svm_vmcb {
	/* control area */
	uint32_t intercept[SVM_IW_COUNT];
	uint8_t reserved_018[0x03c - 0x018];
	uint16_t pause_filter_threshold;
	uint16_t pause_filter_count;
	uint64_t iopm_base;
	uint64_t msrpm_base;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;
	uint8_t reserved_05d[3];
	uint64_t int_ctl;
	uint64_t int_state;
	uint64_t exitcode;
	uint64_t exitinfo1;
	uint64_t exitinfo2;
	uint64_t exitintinfo;
	uint64_t np_control;
	uint64_t avic_apic_bar;
	uint64_t ghcb;
	uint64_t eventinj;
	uint64_t nested_cr3;
	uint64_t lbr_control;
	uint64_t clean;
	uint64_t next_rip;
	uint8_t insn_bytes;
	uint8_t insn[15];
	uint8_t reserved_0e0[0x400 - 0x0e0];
	/* state save area */
	struct svm_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4;
	uint64_t cr3;
	uint64_t cr0;
	uint64_t dr7;
	uint64_t dr6;
	uint64_t rflags;
	uint64_t rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax;
	uint64_t star;
	uint64_t lstar;
	uint64_t cstar;
	uint64_t sfmask;
	uint64_t kernel_gs_base;
	uint64_t sysenter_cs;
	uint64_t sysenter_esp;
	uint64_t sysenter_eip;
	uint64_t cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t pat;
	uint64_t debugctl;
	uint8_t reserved_678[HVM_PAGE_SIZE - 0x678];
};

#define SVM_VMCB_AT(field, offset) \
	_Static_assert(offsetof(struct svm_vmcb, field) == (offset), "VMCB: " #field)
SVM_VMCB_AT(pause_filter_threshold, 0x03c);
SVM_VMCB_AT(iopm_base, 0x040);
SVM_VMCB_AT(tsc_offset, 0x050);
SVM_VMCB_AT(asid, 0x058);
SVM_VMCB_AT(int_ctl, 0x060);
SVM_VMCB_AT(int_state, 0x068);
SVM_VMCB_AT(exitcode, 0x070);
SVM_VMCB_AT(exitintinfo, 0x088);
SVM_VMCB_AT(np_control, 0x090);
SVM_VMCB_AT(eventinj, 0x0a8);
SVM_VMCB_AT(nested_cr3, 0x0b0);
SVM_VMCB_AT(clean, 0x0c0);
SVM_VMCB_AT(next_rip, 0x0c8);
SVM_VMCB_AT(insn_bytes, 0x0d0);
SVM_VMCB_AT(es, 0x400);
SVM_VMCB_AT(gdtr, 0x460);
SVM_VMCB_AT(tr, 0x490);
SVM_VMCB_AT(cpl, 0x4cb);
SVM_VMCB_AT(efer, 0x4d0);
SVM_VMCB_AT(cr4, 0x548);
SVM_VMCB_AT(rip, 0x578);
SVM_VMCB_AT(rsp, 0x5d8);
SVM_VMCB_AT(rax, 0x5f8);
SVM_VMCB_AT(cr2, 0x640);
SVM_VMCB_AT(pat, 0x668);
_Static_assert(sizeof(struct svm_vmcb) == HVM_PAGE_SIZE, "a VMCB is one page");

/* -- exit codes -------------------------------------------------------------------------------- */

#define SVM_EXIT_CR_WRITE    0x010u
#define SVM_EXIT_DR_READ     0x020u
#define SVM_EXIT_DR_LAST     0x03fu
#define SVM_EXIT_EXCEPTION   0x040u
#define SVM_EXIT_INTR	     0x060u
#define SVM_EXIT_NMI	     0x061u
#define SVM_EXIT_SMI	     0x062u
#define SVM_EXIT_INIT	     0x063u
#define SVM_EXIT_VINTR	     0x064u
#define SVM_EXIT_RDPMC	     0x06fu
#define SVM_EXIT_CPUID	     0x072u
#define SVM_EXIT_RSM	     0x073u
#define SVM_EXIT_IRET	     0x074u
#define SVM_EXIT_INVD	     0x076u
#define SVM_EXIT_PAUSE	     0x077u
#define SVM_EXIT_HLT	     0x078u
#define SVM_EXIT_INVLPGA     0x07au
#define SVM_EXIT_IOIO	     0x07bu
#define SVM_EXIT_MSR	     0x07cu
#define SVM_EXIT_FERR_FREEZE 0x07eu
#define SVM_EXIT_SHUTDOWN    0x07fu
#define SVM_EXIT_VMRUN	     0x080u
#define SVM_EXIT_VMMCALL     0x081u
#define SVM_EXIT_VMLOAD	     0x082u
#define SVM_EXIT_VMSAVE	     0x083u
#define SVM_EXIT_STGI	     0x084u
#define SVM_EXIT_CLGI	     0x085u
#define SVM_EXIT_SKINIT	     0x086u
#define SVM_EXIT_WBINVD	     0x089u
#define SVM_EXIT_MONITOR     0x08au
#define SVM_EXIT_MWAIT	     0x08bu
#define SVM_EXIT_MWAIT_COND  0x08cu
#define SVM_EXIT_XSETBV	     0x08du
#define SVM_EXIT_RDPRU	     0x08eu
#define SVM_EXIT_COUNT	     0x08fu
#define SVM_EXIT_NPF	     0x400u

/* exitinfo1 of IOIO */
#define SVM_IOIO_IN	 HVM_BIT(0)
#define SVM_IOIO_STRING	 HVM_BIT(2)
#define SVM_IOIO_SIZE(i) ((unsigned int)((i) >> 4) & 7) /* in bytes */
#define SVM_IOIO_PORT(i) ((uint16_t)((i) >> 16))

/* exitinfo1 of a nested page fault */
#define SVM_NPF_WRITE	    HVM_BIT(1)
#define SVM_NPF_GUEST_TABLE HVM_BIT(33) /* while walking the guest's own tables */

/* exitinfo1 of MOV to CRn, with decode assists */
#define SVM_CR_IS_MOV HVM_BIT(63)

#endif
