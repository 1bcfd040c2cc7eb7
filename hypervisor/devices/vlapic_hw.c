/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlapic_hw.c - a local APIC whose registers the processor itself keeps while its vcpu runs: they
 * go to a page in the layout of the xAPIC's memory, and come back. Owns nothing: the state is
 * struct vlapic's, and all of it is there whenever the vcpu does not run. Locking: the vcpu's
 * thread; requests that others make meanwhile go to irr as ever, and to the page with the next
 * entry. Saved as LAPIC, like the rest. Source: Intel SDM Vol 3A 10.4.1 "The Local APIC Block
 * Diagram", Vol 3C 29.1 "Virtual APIC State".
 */
#include "devices/vlapic.h"

#define PAGE_TPR    0x080u
#define PAGE_EOI    0x0b0u
#define PAGE_SVR    0x0f0u
#define PAGE_ISR    0x100u
#define PAGE_IRR    0x200u
#define PAGE_ICR    0x300u
#define PAGE_ICR_HI 0x310u

/* Registers that the processor reads from the page, beside those that it works with. */
static const uint16_t vlapic_hw_plain[] = {
	0x020, 0x030, 0x0d0, 0x0e0, 0x0f0, 0x280, 0x300, 0x310,
	0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0
};

static uint32_t *vlapic_hw_at(uint8_t *page, unsigned int offset)
{
	return (uint32_t *)(void *)(page + offset);
}

bool vlapic_hw_usable(struct vcpu *v)
{
	return vlapic_hw_enabled(v->vlapic) && !vlapic_x2(v->vlapic);
}

static void vlapic_hw_refresh(struct vcpu *v, uint8_t *page, unsigned int offset)
{
	uint64_t value = 0;

	vlapic_mmio_read(v, NULL, offset, 4, &value);
	vlapic_set(vlapic_hw_at(page, offset), (uint32_t)value);
}

void vlapic_hw_fill(struct vcpu *v, uint8_t *page)
{
	for (size_t n = 0; n < HVM_ARRAY_SIZE(vlapic_hw_plain); n++)
		vlapic_hw_refresh(v, page, vlapic_hw_plain[n]);
}

/* -- around an entry --------------------------------------------------------------------------- */

static int vlapic_hw_highest(uint8_t *page, unsigned int offset)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t word = vlapic_get(vlapic_hw_at(page, offset + 16u * (unsigned int)i));

		if (word)
			return i * 32 + 31 - __builtin_clz(word);
	}
	return 0;
}

/* Requests change hands; what is in service, and how a request is to be ended, is copied. */
void vlapic_hw_lend(struct vcpu *v, uint8_t *page, struct vlapic_hw *ret)
{
	struct vlapic *a = v->vlapic;

	vlapic_set(vlapic_hw_at(page, PAGE_TPR), vlapic_get(&a->tpr));
	for (unsigned int i = 0; i < 8; i++) {
		uint32_t *irr = vlapic_hw_at(page, PAGE_IRR + 16 * i);

		if (vlapic_get(&a->irr[i]))
			vlapic_set(irr, vlapic_get(irr) | __atomic_exchange_n(&a->irr[i], 0,
									      __ATOMIC_SEQ_CST));
		vlapic_set(vlapic_hw_at(page, PAGE_ISR + 16 * i), vlapic_get(&a->isr[i]));
		/* After irr: whoever made the request has said before how it is to be ended. */
		if (i & 1)
			ret->eoi_exit[i / 2] |= (uint64_t)vlapic_get(&a->tmr[i]) << 32;
		else
			ret->eoi_exit[i / 2] = vlapic_get(&a->tmr[i]);
	}
	ret->requested = (uint8_t)vlapic_hw_highest(page, PAGE_IRR);
	ret->in_service = (uint8_t)vlapic_hw_highest(page, PAGE_ISR);
}

void vlapic_hw_take_back(struct vcpu *v, uint8_t *page)
{
	struct vlapic *a = v->vlapic;

	vlapic_set(&a->tpr, vlapic_get(vlapic_hw_at(page, PAGE_TPR)) & 0xff);
	for (unsigned int i = 0; i < 8; i++) {
		uint32_t *irr = vlapic_hw_at(page, PAGE_IRR + 16 * i);

		if (vlapic_get(irr)) {
			__atomic_fetch_or(&a->irr[i], vlapic_get(irr), __ATOMIC_SEQ_CST);
			vlapic_set(irr, 0);
		}
		vlapic_set(&a->isr[i], vlapic_get(vlapic_hw_at(page, PAGE_ISR + 16 * i)));
	}
}

bool vlapic_hw_is_idle(const struct vcpu *v)
{
	const struct vlapic *a = v->vlapic;
	uint32_t any = 0;

	for (unsigned int i = 0; i < 8; i++)
		any |= vlapic_get(&a->irr[i]) | vlapic_get(&a->isr[i]);
	return !any;
}

void vlapic_hw_lend_idle(const struct vcpu *v, uint8_t *page)
{
	vlapic_set(vlapic_hw_at(page, PAGE_TPR), vlapic_get(&v->vlapic->tpr));
}

void vlapic_hw_take_back_idle(struct vcpu *v, uint8_t *page)
{
	struct vlapic *a = v->vlapic;

	vlapic_set(&a->tpr, vlapic_get(vlapic_hw_at(page, PAGE_TPR)) & 0xff);
	for (unsigned int i = 0; i < 8; i++)
		vlapic_set(&a->isr[i], 0);
}

/* -- what the processor leaves to us ----------------------------------------------------------- */

void vlapic_hw_written(struct vcpu *v, uint8_t *page, unsigned int offset)
{
	uint32_t value;

	offset &= 0xff0;
	value = vlapic_get(vlapic_hw_at(page, offset));
	/* The destination was written to the page alone. */
	if (offset == PAGE_ICR)
		vlapic_mmio_write(v, NULL, PAGE_ICR_HI, 4,
				  vlapic_get(vlapic_hw_at(page, PAGE_ICR_HI)));
	vlapic_mmio_write(v, NULL, offset, 4, value);
	/* Switching the LAPIC off by software masks its entries. */
	if (offset == PAGE_SVR)
		vlapic_hw_fill(v, page);
	else if (offset != PAGE_EOI)
		vlapic_hw_refresh(v, page, offset);
}

void vlapic_hw_eoi(struct vcpu *v, uint8_t vector)
{
	vlapic_eoi_broadcast(v->vlapic, vector);
}
