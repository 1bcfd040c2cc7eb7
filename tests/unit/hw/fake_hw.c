/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_hw.c - see fake_hw.h. Source: Intel SDM Vol 1 13.7, 13.8 (what XSAVE and XRSTOR do). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_hw.h"

#include "x86/cpu.h"

void fake_long_mode(uint8_t *ram, struct hvm_vcpu_state *s)
{
	uint64_t *pml4 = (uint64_t *)(void *)(ram + 0x80000),
		 *pdpt = (uint64_t *)(void *)(ram + 0x81000),
		 *pd = (uint64_t *)(void *)(ram + 0x82000);

	pml4[0] = 0x81007;
	pdpt[0] = 0x82007;
	pd[0] = 0x87;
	s->cr0 = 0x80010033;
	s->cr3 = 0x80000;
	s->cr4 = 0x6a0;
	s->efer = 0xd01;
	s->rflags = 2;
	s->rip = 0x1000;
	s->gpr[X86_RSP] = 0x8000;
	s->activity = HVM_ACTIVITY_RUN;
	for (unsigned int i = 0; i < 6; i++)
		s->seg[i] = (struct hvm_seg){ .sel = 0x10, .limit = ~0u, .ar = 0xc093 };
	s->seg[HVM_SEG_CS] = (struct hvm_seg){ .sel = 8, .limit = ~0u, .ar = 0xa09b };
}

/* -- FPU --------------------------------------------------------------------------------------- */

struct fake_fpu fake_fpu;
struct fake_lacks fake_lacks;

#define FXSAVE_BYTES 512u
#define FXSAVE_XMM   160u

void fake_hw_reset(void)
{
	const uint32_t mxcsr = 0x1f80;

	memset(&fake_fpu, 0, sizeof(fake_fpu));
	memset(&fake_lacks, 0, sizeof(fake_lacks));
	fake_fpu.xcr0 = 7;
	memcpy(fake_fpu.regs + 24, &mxcsr, sizeof(mxcsr));
}

uint64_t host_xgetbv(void)
{
	return fake_fpu.xcr0;
}

void host_xsetbv(uint64_t value)
{
	fake_fpu.xcr0 = value;
}

static void fake_fpu_check(const uint8_t *area, uint32_t mask)
{
	assert_int_equal((uintptr_t)area % 64, 0);
	assert_int_equal(mask & ~fake_fpu.xcr0, 0);
}

static void fake_check_mxcsr(const uint8_t *area)
{
	assert_int_equal(area[26] | area[27], 0);
}

void host_fxsave(uint8_t *area)
{
	fake_fpu_check(area, 0);
	fake_fpu.moves++;
	memcpy(area, fake_fpu.regs, FXSAVE_BYTES);
}

void host_fxrstor(const uint8_t *area)
{
	fake_fpu_check(area, 0);
	fake_check_mxcsr(area);
	fake_fpu.moves++;
	memcpy(fake_fpu.regs, area, FXSAVE_BYTES);
}

/* All of them are in use. */
void host_xsave(uint8_t *area, uint32_t mask)
{
	fake_fpu_check(area, mask);
	fake_fpu.xmoves++;
	if (mask & 1)
		memcpy(area, fake_fpu.regs, FXSAVE_XMM);
	if (mask & 2)
		memcpy(area + FXSAVE_XMM, fake_fpu.regs + FXSAVE_XMM, FXSAVE_BYTES - FXSAVE_XMM);
	if (mask & 4)
		memcpy(area + 576, fake_fpu.regs + 576, 256);
	area[512] = (uint8_t)((area[512] & ~mask) | mask);
}

static void fake_load_component(const uint8_t *area, unsigned int bit, size_t at, size_t bytes)
{
	if (area[512] >> bit & 1)
		memcpy(fake_fpu.regs + at, area + at, bytes);
	else
		memset(fake_fpu.regs + at, 0, bytes);
}

void host_xrstor(const uint8_t *area, uint32_t mask)
{
	fake_fpu_check(area, mask);
	fake_check_mxcsr(area);
	assert_int_equal(area[512] & ~fake_fpu.xcr0, 0);
	for (unsigned int i = 513; i < 576; i++)
		assert_int_equal(area[i], 0);
	fake_fpu.xmoves++;
	if (mask & 1)
		fake_load_component(area, 0, 0, FXSAVE_XMM);
	if (mask & 2)
		fake_load_component(area, 1, FXSAVE_XMM, 256);
	if (mask & 4)
		fake_load_component(area, 2, 576, 256);
	if (mask & 6)
		memcpy(fake_fpu.regs + 24, area + 24, 4);
}

/* -- the kernel -------------------------------------------------------------------------------- */

hpa_t hvm_os_hva_to_hpa(const void *hva)
{
	return (uintptr_t)hva;
}

void *hvm_os_hpa_to_hva(hpa_t hpa)
{
	return (void *)(uintptr_t)hpa;
}

void hvm_os_pin(void)
{
}

void hvm_os_unpin(void)
{
}

void hvm_os_irq_disable(void)
{
}

void hvm_os_irq_enable(void)
{
}
