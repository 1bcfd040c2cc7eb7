/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_insn.h - the VMX instructions that C has no words for. True: it failed. In VMX operation
 * only, but for vmx_on(). Source: Intel SDM Vol 3C ch. 30 "VMX Instruction Reference".
 */
#ifndef VMX_INSN_H
#define VMX_INSN_H

#include "hvm/hvm_types.h"

static inline bool vmx_on(hpa_t region)
{
	bool failed;

	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region) : "memory");
	return failed;
}

static inline void vmx_off(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
}

static inline bool vmx_vmclear(hpa_t vmcs)
{
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
	return failed;
}

static inline bool vmx_vmptrld(hpa_t vmcs)
{
	bool failed;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
	return failed;
}

/* Of the current VMCS. A field that the processor does not know reads as zero. */
static inline uint64_t vmx_vmread(uint64_t encoding)
{
	uint64_t value;
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(value) : "r"(encoding));
	return failed ? 0 : value;
}

static inline bool vmx_vmwrite(uint64_t encoding, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1"
			 : "=@ccbe"(failed)
			 : "r"(encoding), "rm"(value)
			 : "memory");
	return failed;
}

#define VMX_INV_SINGLE 1ull
#define VMX_INV_ALL    2ull

static inline bool vmx_do_invept(uint64_t type, uint64_t ept_pointer)
{
	const struct {
		uint64_t ept_pointer, reserved;
	} what = { ept_pointer, 0 };
	bool failed;

	__asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(what), "r"(type) : "memory");
	return failed;
}

static inline bool vmx_do_invvpid(uint64_t type, uint32_t vpid)
{
	const struct {
		uint64_t vpid, gva;
	} what = { vpid, 0 };
	bool failed;

	__asm__ volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(what), "r"(type) : "memory");
	return failed;
}

#endif
