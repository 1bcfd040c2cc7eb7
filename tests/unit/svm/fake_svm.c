/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_svm.c - the processor of fake_svm.h, and what svm/ asks of a kernel, in a process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fake_svm.h"

struct fake_svm fake;

#define MSR_VM_CR    0xc0010114u
#define MSR_HSAVE_PA 0xc0010117u

void fake_svm_reset(uint32_t without)
{
	memset(&fake, 0, sizeof(fake));
	fake.svm = true;
	fake.npt = true;
	fake.asids = 8;
	fake.svm_edx = (FAKE_NEXT_RIP | FAKE_CLEAN | FAKE_FLUSH_ASID | FAKE_DECODE |
			FAKE_PAUSE_FILTER | FAKE_THRESHOLD | FAKE_VGIF | FAKE_TSC_RATIO) &
		       ~without;
	fake.ext1_edx = 1u << 27 | 1u << 26;
	fake.ext8_ebx = 1u << 12 | 1u << 14;
	fake_hw_reset();
	fake.cr4 = 1u << 18;
	fake.dr[7] = 0x400;
	host_wrmsr(HOST_MSR_EFER, 0xd01);
	host_wrmsr(HOST_MSR_TSC_AUX, 5);
	host_wrmsr(HOST_MSR_SPEC_CTRL, 1);
}

/* -- registers --------------------------------------------------------------------------------- */

struct host_cpuid host_cpuid_leaf(uint32_t leaf, uint32_t subleaf)
{
	struct host_cpuid r = { 0 };

	switch (leaf) {
	case 1: return (struct host_cpuid){ 0, 0, ~fake_lacks.leaf1_ecx, ~0u };
	case 7: return (struct host_cpuid){ 0, ~fake_lacks.leaf7_ebx, ~0u, 0 };
	case 0xd: return (struct host_cpuid){ subleaf == 1 ? 1 : 7, 0, 0, 0 };
	case 0x80000001:
		r.ecx = ~fake_lacks.ext1_ecx & (fake.svm ? ~0u : ~4u);
		r.edx = fake.ext1_edx;
		return r;
	case 0x80000008: return (struct host_cpuid){ 0, fake.ext8_ebx, 0, 0 };
	case 0x8000000a: return (struct host_cpuid){ 1, fake.asids, 0, fake.svm_edx | fake.npt };
	}
	return r;
}

static uint64_t *fake_msr(uint32_t index)
{
	for (unsigned int i = 0; i < fake.msrs; i++) {
		if (fake.msr[i].index == index)
			return &fake.msr[i].value;
	}
	assert_true(fake.msrs < FAKE_MSRS);
	fake.msr[fake.msrs].index = index;
	return &fake.msr[fake.msrs++].value;
}

uint64_t host_rdmsr(uint32_t index)
{
	return index == MSR_VM_CR ? (uint64_t)fake.locked << 4 : *fake_msr(index);
}

void host_wrmsr(uint32_t index, uint64_t value)
{
	*fake_msr(index) = value;
}

uint64_t host_cr4(void)
{
	return fake.cr4;
}

void host_vmsave(hpa_t vmcb)
{
	assert_true(vmcb != 0);
	assert_true(host_rdmsr(HOST_MSR_EFER) & 0x1000);
}

void host_machine_check(void)
{
}

void host_nmi(void)
{
}

uint64_t host_dr(unsigned int n)
{
	return fake.dr[n];
}

void host_set_dr(unsigned int n, uint64_t value)
{
	fake.dr[n] = value;
}

/* -- the kernel -------------------------------------------------------------------------------- */

unsigned int hvm_os_cpu(void)
{
	return 0;
}

void hvm_os_fpu_begin(void)
{
}

void hvm_os_fpu_end(void)
{
}

void hvm_os_cpu_kick(unsigned int cpu)
{
	(void)cpu;
	fake.kicks++;
}

bool hvm_os_must_leave(void)
{
	return fake.leave_wanted;
}

/* -- VMRUN ------------------------------------------------------------------------------------- */

/* Which fields a clean bit covers, as the processor would keep them. */
static const struct {
	uint32_t clean;
	size_t offset, bytes;
} fake_groups[] = {
#define FIELD(bit, member) \
	{ \
		bit, offsetof(struct svm_vmcb, member), sizeof(((struct svm_vmcb *)NULL)->member) \
	}
	FIELD(SVM_CLEAN_INTERCEPTS, intercept),
	FIELD(SVM_CLEAN_INTERCEPTS, tsc_offset),
	FIELD(SVM_CLEAN_INTERCEPTS, pause_filter_count),
	FIELD(SVM_CLEAN_MAPS, iopm_base),
	FIELD(SVM_CLEAN_MAPS, msrpm_base),
	FIELD(SVM_CLEAN_ASID, asid),
	FIELD(SVM_CLEAN_TPR, int_ctl),
	FIELD(SVM_CLEAN_NP, nested_cr3),
	FIELD(SVM_CLEAN_NP, pat),
	FIELD(SVM_CLEAN_CR, cr0),
	FIELD(SVM_CLEAN_CR, cr3),
	FIELD(SVM_CLEAN_CR, cr4),
	FIELD(SVM_CLEAN_CR, efer),
	FIELD(SVM_CLEAN_DR, dr6),
	FIELD(SVM_CLEAN_DR, dr7),
	FIELD(SVM_CLEAN_DT, gdtr),
	FIELD(SVM_CLEAN_DT, idtr),
	FIELD(SVM_CLEAN_SEG, cs),
	FIELD(SVM_CLEAN_SEG, ss),
	FIELD(SVM_CLEAN_SEG, ds),
	FIELD(SVM_CLEAN_SEG, es),
	FIELD(SVM_CLEAN_SEG, cpl),
	FIELD(SVM_CLEAN_CR2, cr2),
#undef FIELD
};

static void fake_check_clean(const struct svm_vmcb *b)
{
	if (!(fake.svm_edx & FAKE_CLEAN)) {
		assert_int_equal(b->clean, 0);
		return;
	}
	for (size_t i = 0; i < HVM_ARRAY_SIZE(fake_groups); i++) {
		if (fake.cached_of != b || !(b->clean & fake_groups[i].clean))
			continue;
		if (memcmp((const char *)b + fake_groups[i].offset,
			   (const char *)&fake.cached + fake_groups[i].offset,
			   fake_groups[i].bytes) != 0)
			fail_msg("the field at %#zx changed and is said to be clean",
				 fake_groups[i].offset);
	}
}

static void fake_tlb(const struct svm_vmcb *b)
{
	assert_in_range(b->asid, 1, fake.asids - 1);
	switch (b->tlb_control) {
	case SVM_TLB_FLUSH_ALL:
		memset(fake.asid_used, 0, sizeof(fake.asid_used));
		fake.flushes++;
		break;
	case SVM_TLB_FLUSH_ASID:
		assert_true(fake.svm_edx & FAKE_FLUSH_ASID);
		fake.asid_used[b->asid] = false;
		fake.asid_flushes++;
		break;
	default: assert_int_equal(b->tlb_control, SVM_TLB_KEEP);
	}
	if (fake.must_be_fresh && fake.asid_used[b->asid])
		fake.stale = true;
	fake.must_be_fresh = false;
	fake.asid_used[b->asid] = true;
}

void svm_enter(struct svm_vcpu *sv, hpa_t vmcb, hpa_t host_vmcb)
{
	struct svm_vmcb *b = sv->vmcb;

	assert_int_equal(vmcb, (uintptr_t)b);
	assert_non_null((void *)(uintptr_t)host_vmcb);
	assert_true(host_rdmsr(HOST_MSR_EFER) & 0x1000);
	assert_true(b->efer & 0x1000);
	fake_check_clean(b);
	fake_tlb(b);
	fake.entries++;
	b->exitintinfo = 0;
	b->next_rip = 0;
	b->exitinfo1 = 0;
	b->exitinfo2 = 0;
	b->insn_bytes = 0;
	b->exitcode = SVM_EXIT_INTR;
	fake.guest(sv, b);
	b->eventinj &= ~SVM_EVENT_VALID;
	fake.cached = *b;
	fake.cached_of = b;
}
