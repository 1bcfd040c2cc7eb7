/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_vmcs.h - the virtual machine control structure: its fields, the bits of its control words,
 * and why a guest comes back.
 * Source: Intel SDM Vol 3C ch. 24 "Virtual Machine Control Structures", App. C "VMX Basic Exit
 * Reasons".
 */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include "hvm/hvm_types.h"

enum vmx_field {
#define VMX_CLASS(name, first)	  VMX_BEFORE_##name = (first)-1,
#define VMX_FIELD(name, encoding) VMX_##name,
#include "vmx/vmx_fields.def"
#undef VMX_FIELD
#undef VMX_CLASS
	VMX_FIELD_COUNT
};
#define VMX_FIELD_WORDS 4 /* of 64 fields: one a class */

_Static_assert(VMX_GUEST_PML_INDEX < 64 && VMX_CR4_SHADOW < 128 && VMX_EXIT_QUALIFICATION < 192,
	       "a class of fields fits into its word");
_Static_assert(VMX_FIELD_COUNT <= 64 * VMX_FIELD_WORDS, "all fields have a place");

/* -- controls: the five words that the capability MSRs describe ----------------------------------
 */

enum vmx_control_word {
	VMX_WORD_PIN,
	VMX_WORD_PROC,
	VMX_WORD_PROC2,
	VMX_WORD_EXIT,
	VMX_WORD_ENTRY,
	VMX_WORD_COUNT
};

#define VMX_PIN_INTR	     (1u << 0)
#define VMX_PIN_NMI	     (1u << 3)
#define VMX_PIN_VIRTUAL_NMIS (1u << 5)
#define VMX_PIN_TIMER	     (1u << 6)
#define VMX_PIN_POSTED	     (1u << 7)

#define VMX_PROC_INTR_WINDOW (1u << 2)
#define VMX_PROC_TSC_OFFSET  (1u << 3)
#define VMX_PROC_HLT	     (1u << 7)
#define VMX_PROC_INVLPG	     (1u << 9)
#define VMX_PROC_MWAIT	     (1u << 10)
#define VMX_PROC_RDPMC	     (1u << 11)
#define VMX_PROC_CR3_LOAD    (1u << 15)
#define VMX_PROC_CR3_STORE   (1u << 16)
#define VMX_PROC_CR8_LOAD    (1u << 19)
#define VMX_PROC_CR8_STORE   (1u << 20)
#define VMX_PROC_TPR_SHADOW  (1u << 21)
#define VMX_PROC_NMI_WINDOW  (1u << 22)
#define VMX_PROC_MOV_DR	     (1u << 23)
#define VMX_PROC_ALL_IO	     (1u << 24)
#define VMX_PROC_MSR_BITMAP  (1u << 28)
#define VMX_PROC_MONITOR     (1u << 29)
#define VMX_PROC_SECONDARY   (1u << 31)

#define VMX_PROC2_APIC_ACCESS  (1u << 0)
#define VMX_PROC2_EPT	       (1u << 1)
#define VMX_PROC2_RDTSCP       (1u << 3)
#define VMX_PROC2_X2APIC       (1u << 4)
#define VMX_PROC2_VPID	       (1u << 5)
#define VMX_PROC2_WBINVD       (1u << 6)
#define VMX_PROC2_UNRESTRICTED (1u << 7)
#define VMX_PROC2_APIC_REGS    (1u << 8)
#define VMX_PROC2_INTR_DELIVER (1u << 9)
#define VMX_PROC2_PAUSE_LOOP   (1u << 10)
#define VMX_PROC2_INVPCID      (1u << 12)
#define VMX_PROC2_PML	       (1u << 17)
#define VMX_PROC2_TSC_SCALING  (1u << 25)
#define VMX_PROC2_APICV	       (VMX_PROC2_APIC_ACCESS | VMX_PROC2_APIC_REGS | VMX_PROC2_INTR_DELIVER)

#define VMX_EXIT_SAVE_DEBUG (1u << 2)
#define VMX_EXIT_HOST_64    (1u << 9)
#define VMX_EXIT_ACK_INTR   (1u << 15)
#define VMX_EXIT_LOAD_EFER  (1u << 21)

#define VMX_ENTRY_LOAD_DEBUG (1u << 2)
#define VMX_ENTRY_IA32E	     (1u << 9)
#define VMX_ENTRY_SMM	     (1u << 10)
#define VMX_ENTRY_DUAL_SMM   (1u << 11)
#define VMX_ENTRY_LOAD_EFER  (1u << 15)

/* -- fields ------------------------------------------------------------------------------------ */

/* Entry and exit events, IDT vectoring. */
#define VMX_EVENT_VECTOR(e)   ((uint8_t)(e))
#define VMX_EVENT_TYPE(e)     ((unsigned int)((e) >> 8) & 7)
#define VMX_EVENT_HAS_ERROR   HVM_BIT(11)
#define VMX_EVENT_UNBLOCK_NMI HVM_BIT(12) /* exit events: IRET had ended the NMI's blocking */
#define VMX_EVENT_VALID	      HVM_BIT(31)
#define VMX_EVENT_KEEP	      (VMX_EVENT_VALID | 0xfffu)
enum vmx_event_type {
	VMX_EVENT_EXT_INTR = 0,
	VMX_EVENT_NMI = 2,
	VMX_EVENT_EXCEPTION = 3,
	VMX_EVENT_SOFT_INTR = 4,
	VMX_EVENT_PRIV_SOFT = 5, /* INT1 */
	VMX_EVENT_SOFT_EXC = 6,	 /* INT3, INTO */
};

/* Interruptibility. */
#define VMX_BLOCKED_STI	   0x1u
#define VMX_BLOCKED_MOV_SS 0x2u
#define VMX_BLOCKED_SMI	   0x4u
#define VMX_BLOCKED_NMI	   0x8u

#define VMX_PENDING_BS HVM_BIT(14)

/* Qualification of an EPT violation. */
#define VMX_EPT_WRITE	    HVM_BIT(1)
#define VMX_EPT_GVA_VALID   HVM_BIT(7)
#define VMX_EPT_GVA_DATA    HVM_BIT(8) /* not while walking the guest's own tables */
#define VMX_EPT_UNBLOCK_NMI HVM_BIT(12)

/* Qualification of an I/O instruction. */
#define VMX_IO_BYTES(q) (((unsigned int)(q)&7) + 1)
#define VMX_IO_IN	HVM_BIT(3)
#define VMX_IO_STRING	HVM_BIT(4)
#define VMX_IO_PORT(q)	((uint16_t)((q) >> 16))

#define VMX_TPR_OFFSET 0x80u /* in the virtual-APIC page */

/* INSN_ERROR */
#define VMX_ERROR_CONTROLS   7u
#define VMX_ERROR_HOST_STATE 8u

/* -- exit reasons ------------------------------------------------------------------------------ */

#define VMX_REASON_ENTRY_FAILED 0x80000000u

/* clang-format off */
enum vmx_exit_reason {
	VMX_REASON_EXCEPTION	= 0,
	VMX_REASON_INTR		= 1,
	VMX_REASON_TRIPLE_FAULT	= 2,
	VMX_REASON_INIT		= 3,
	VMX_REASON_SIPI		= 4,
	VMX_REASON_IO_SMI		= 5,
	VMX_REASON_SMI		= 6,
	VMX_REASON_INTR_WINDOW	= 7,
	VMX_REASON_NMI_WINDOW	= 8,
	VMX_REASON_TASK_SWITCH	= 9,
	VMX_REASON_CPUID		= 10,
	VMX_REASON_GETSEC		= 11,
	VMX_REASON_HLT		= 12,
	VMX_REASON_INVD		= 13,
	VMX_REASON_RDPMC		= 15,
	VMX_REASON_VMCALL		= 18,
	VMX_REASON_VMCLEAR	= 19, /* to VMXON: VMX instructions */
	VMX_REASON_VMXON		= 27,
	VMX_REASON_CR		= 28,
	VMX_REASON_DR		= 29,
	VMX_REASON_IO		= 30,
	VMX_REASON_RDMSR		= 31,
	VMX_REASON_WRMSR		= 32,
	VMX_REASON_BAD_STATE	= 33,
	VMX_REASON_BAD_MSR	= 34,
	VMX_REASON_MWAIT		= 36,
	VMX_REASON_MONITOR	= 39,
	VMX_REASON_PAUSE		= 40,
	VMX_REASON_ENTRY_MC	= 41,
	VMX_REASON_TPR		= 43,
	VMX_REASON_APIC_ACCESS	= 44,
	VMX_REASON_EOI		= 45,
	VMX_REASON_EPT_VIOLATION	= 48,
	VMX_REASON_INVEPT		= 50,
	VMX_REASON_TIMER		= 52,
	VMX_REASON_INVVPID	= 53,
	VMX_REASON_WBINVD		= 54,
	VMX_REASON_XSETBV		= 55,
	VMX_REASON_APIC_WRITE	= 56,
	VMX_REASON_VMFUNC		= 59,
	VMX_REASON_PML_FULL	= 62,
	VMX_REASON_COUNT
};
/* clang-format on */

#endif
