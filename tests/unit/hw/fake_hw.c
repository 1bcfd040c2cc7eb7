/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_hw.c - see fake_hw.h. */
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
