/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vlapic.c - local APIC: IRR, ISR and priorities, messages and IPIs, reset, save record.
 * Owns struct vlapic (one per vcpu), but for its registers as the guest sees them
 * (vlapic_reg.c) and its timer (vlapic_timer.c). Locking: none; registers are written by the vcpu's
 * own thread, irr, tmr and esr_pending by anyone, all with atomics, so that a guest's EOI, TPR and
 * ICR writes and every delivery are lock-free. Saved as LAPIC.
 * Source: Intel SDM Vol 3A ch. 10 "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "devices/vlapic.h"

enum icr_shorthand {
	ICR_DEST,
	ICR_SELF,
	ICR_ALL,
	ICR_OTHERS,
};

#define LAPIC_BYTES 0x1000u

/* -- state ----------------------------------------------------------------------------------- */

bool vlapic_is_enabled(struct vcpu *v)
{
	return vlapic_hw_enabled(v->vlapic);
}

uint32_t vlapic_id(struct vcpu *v)
{
	return v->vlapic->id;
}

int vlapic_pending_vector(struct vcpu *v)
{
	const struct vlapic *a = v->vlapic;
	int vector;

	vector = vlapic_bitmap_highest(a->irr);
	if (hvm_likely(vector < 0) || !vlapic_hw_enabled(a))
		return -1;
	return ((uint32_t)vector & 0xf0) > (vlapic_ppr(a) & 0xf0) ? vector : -1;
}

bool vlapic_waits_for_tpr(struct vcpu *v)
{
	const struct vlapic *a = v->vlapic;
	int irr = vlapic_bitmap_highest(a->irr), isr;

	if (irr < 0 || ((uint32_t)irr & 0xf0) > (vlapic_get(&a->tpr) & 0xf0))
		return false;
	isr = vlapic_bitmap_highest(a->isr);
	return (irr & 0xf0) > (isr < 0 ? 0 : isr & 0xf0);
}

void vlapic_look_again(struct vlapic *a)
{
	if (vlapic_pending_vector(a->v) >= 0)
		hvm_vcpu_request(a->v, HVM_REQ_EVENT);
}

void vlapic_ack(struct vcpu *v, uint8_t vector)
{
	vlapic_bitmap_clear(v->vlapic->irr, vector);
	vlapic_isr_set(v->vlapic->isr, vector);
}

void vlapic_error(struct vlapic *a, uint32_t bits)
{
	uint32_t old = __atomic_fetch_or(&a->esr_pending, bits, __ATOMIC_RELAXED);

	if ((old & bits) != bits)
		vlapic_lvt_fire(a, VLAPIC_LVT_ERROR);
}

void vlapic_accept(struct vcpu *v, uint8_t vector, bool level)
{
	struct vlapic *a = v->vlapic;
	uint32_t bit = 1u << (vector & 31);

	if (!vlapic_hw_enabled(a) || !vlapic_sw_enabled(a))
		return;
	if (vector < 16) {
		/* An error entry with an illegal vector of its own must not come back here. */
		if ((vlapic_get(&a->lvt[VLAPIC_LVT_ERROR]) & LVT_VECTOR) >= 16)
			vlapic_error(a, ESR_RECEIVE_ILLEGAL);
		else
			__atomic_fetch_or(&a->esr_pending, ESR_RECEIVE_ILLEGAL, __ATOMIC_RELAXED);
		return;
	}
	/* The trigger mode first: whoever sees the request must see how it is to be ended. */
	if (level)
		vlapic_bitmap_set(a->tmr, vector);
	else if (vlapic_bitmap_test(a->tmr, vector))
		vlapic_bitmap_clear(a->tmr, vector);
	if (!(__atomic_fetch_or(&a->irr[vector >> 5], bit, __ATOMIC_SEQ_CST) & bit))
		hvm_vcpu_request(v, HVM_REQ_EVENT);
}

void vlapic_lvt_fire(struct vlapic *a, enum vlapic_lvt n)
{
	uint32_t lvt = vlapic_get(&a->lvt[n]);

	if ((lvt & LVT_MASKED) || !vlapic_hw_enabled(a))
		return;
	switch (lvt >> LVT_DM_SHIFT & 7) {
	case HVM_DM_FIXED: vlapic_accept(a->v, (uint8_t)(lvt & LVT_VECTOR), false); break;
	case HVM_DM_NMI: hvm_vcpu_request(a->v, HVM_REQ_NMI); break;
	case HVM_DM_EXTINT: hvm_vcpu_request(a->v, HVM_REQ_EVENT); break;
	}
}

void vlapic_lint0_rise(struct vcpu *v)
{
	vlapic_lvt_fire(v->vlapic, VLAPIC_LVT_LINT0);
}

static bool vlapic_lvt_is(const struct vlapic *a, enum vlapic_lvt n, enum hvm_delivery_mode mode)
{
	return (vlapic_get(&a->lvt[n]) & (LVT_MASKED | LVT_DM)) == (uint32_t)mode << LVT_DM_SHIFT;
}

bool vlapic_accepts_pic(struct vcpu *v)
{
	const struct vlapic *a = v->vlapic;

	/* Without a LAPIC the pin is INTR, and only the boot processor's is connected. */
	if (!vlapic_hw_enabled(a))
		return v->id == 0;
	return vlapic_lvt_is(a, VLAPIC_LVT_LINT0, HVM_DM_EXTINT) ||
	       vioapic_extint(v->domain, v->id);
}

bool vlapic_lint1_nmi(struct vcpu *v)
{
	if (!vlapic_hw_enabled(v->vlapic))
		return v->id == 0;
	return vlapic_lvt_is(v->vlapic, VLAPIC_LVT_LINT1, HVM_DM_NMI);
}

/* -- messages -------------------------------------------------------------------------------- */

static bool vlapic_match_logical(const struct vlapic *a, uint32_t dest)
{
	uint32_t ldr = vlapic_ldr(a);

	if (vlapic_x2(a))
		return (dest >> 16) == (ldr >> 16) && (dest & ldr & 0xffff) != 0;
	if (dest > 0xff)
		return false;
	ldr >>= 24;
	if (vlapic_get(&a->dfr) >> 28 == 0xf)
		return (dest & ldr) != 0;
	/* Cluster model: four bits of cluster, four of members; cluster 15 is all of them. */
	return ((dest >> 4) == 0xf || (dest >> 4) == (ldr >> 4)) && (dest & ldr & 0xf) != 0;
}

uint32_t vlapic_match(struct domain *d, const struct vcpu *source, uint32_t dest, bool logical)
{
	/* A message from a device or an xAPIC has 8 bits of destination. */
	bool narrow = source == NULL || !vlapic_x2(source->vlapic);
	bool all = dest == 0xffffffff || (narrow && !logical && dest == 0xff);
	uint32_t match = 0;

	if (!all && !logical) {
		if (dest < d->vcpu_count && vlapic_hw_enabled(d->vcpu[dest]->vlapic))
			match = 1u << dest;
		return match;
	}
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		const struct vlapic *a = d->vcpu[i]->vlapic;

		if (vlapic_hw_enabled(a) && (all || vlapic_match_logical(a, dest)))
			match |= 1u << i;
	}
	return match;
}

/* Of the vcpus in @match the one of lowest priority; ties go round. -1: none is enabled. */
static int vlapic_lowest(struct domain *d, uint32_t match)
{
	unsigned int count = d->vcpu_count;
	unsigned int first = vlapic_get(&d->vcpu[0]->vlapic->lowest_next) % count;
	uint32_t best_ppr = UINT32_MAX;
	int best = -1;

	for (unsigned int n = 0; n < count; n++) {
		unsigned int i = (first + n) % count;
		const struct vlapic *a = d->vcpu[i]->vlapic;
		uint32_t ppr;

		if (!(match >> i & 1) || !vlapic_sw_enabled(a))
			continue;
		ppr = vlapic_ppr(a) >> 4;
		if (ppr < best_ppr) {
			best_ppr = ppr;
			best = (int)i;
		}
	}
	if (best >= 0)
		vlapic_set(&d->vcpu[0]->vlapic->lowest_next, (uint32_t)best + 1);
	return best;
}

/* One message to one vcpu. False: it does not take it. */
static bool vlapic_deliver(struct vcpu *v, enum hvm_delivery_mode mode, uint8_t vector, bool level)
{
	switch (mode) {
	case HVM_DM_FIXED:
	case HVM_DM_LOWEST:
		if (!vlapic_sw_enabled(v->vlapic))
			return false;
		vlapic_accept(v, vector, level);
		return vector >= 16;
	case HVM_DM_NMI: hvm_vcpu_request(v, HVM_REQ_NMI); return true;
	case HVM_DM_INIT: hvm_vcpu_request(v, HVM_REQ_INIT); return true;
	case HVM_DM_SIPI: hvm_vcpu_request(v, HVM_REQ_SIPI | (uint32_t)vector << 8); return true;
	/* The PIC says what it is; vlapic_accepts_pic() knows that it may come this way. */
	case HVM_DM_EXTINT: hvm_vcpu_request(v, HVM_REQ_EVENT); return true;
	case HVM_DM_SMI: /* there is no SMM */
	case HVM_DM_REMOTE_READ: return false;
	}
	return false;
}

static int vlapic_send_to(struct domain *d, uint32_t match, enum hvm_delivery_mode mode,
			  uint8_t vector, bool level)
{
	int taken = 0;

	if (mode == HVM_DM_LOWEST) {
		int best = match == 0 ? -1 : vlapic_lowest(d, match);

		return best < 0 ? 0 : vlapic_deliver(d->vcpu[best], mode, vector, level);
	}
	for (; match != 0; match &= match - 1)
		taken += vlapic_deliver(d->vcpu[__builtin_ctz(match)], mode, vector, level);
	return taken;
}

int vlapic_send(struct domain *d, struct vcpu *source, uint32_t dest, bool logical,
		enum hvm_delivery_mode mode, uint8_t vector, bool level)
{
	return vlapic_send_to(d, vlapic_match(d, source, dest, logical), mode, vector, level);
}

void vlapic_ipi(struct vlapic *a, uint32_t icr, uint32_t dest)
{
	struct domain *d = a->v->domain;
	enum hvm_delivery_mode mode = (enum hvm_delivery_mode)(icr >> LVT_DM_SHIFT & 7);
	uint32_t all = (1u << d->vcpu_count) - 1, self = 1u << a->v->id, match = 0;
	uint8_t vector = (uint8_t)icr;

	/* INIT level de-assert only synchronises arbitration ids of long gone processors. */
	if (mode == HVM_DM_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
		return;
	/* A guest cannot send ExtINT; and the other IPIs are edges whatever bit 15 says. */
	if (mode == HVM_DM_EXTINT)
		return;
	if ((mode == HVM_DM_FIXED || mode == HVM_DM_LOWEST) && vector < 16) {
		vlapic_error(a, ESR_SEND_ILLEGAL);
		return;
	}
	switch ((enum icr_shorthand)(icr >> ICR_SHORTHAND_SHIFT & 3)) {
	case ICR_DEST: match = vlapic_match(d, a->v, dest, icr & ICR_LOGICAL); break;
	case ICR_SELF: match = self; break;
	case ICR_ALL: match = all; break;
	case ICR_OTHERS: match = all & ~self; break;
	}
	vlapic_send_to(d, match, mode, vector, false);
}

/* -- life ------------------------------------------------------------------------------------ */

void vlapic_reset_regs(struct vlapic *a)
{
	for (unsigned int i = 0; i < 8; i++) {
		vlapic_set(&a->irr[i], 0);
		vlapic_set(&a->isr[i], 0);
		vlapic_set(&a->tmr[i], 0);
	}
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		vlapic_set(&a->lvt[n], LVT_MASKED);
	/*
	 * The boot processor starts in virtual wire mode, as firmware would have left it: with
	 * direct kernel boot no firmware runs, and a kernel may rely on PIC interrupts arriving.
	 */
	if (a->id == 0)
		vlapic_set(&a->lvt[VLAPIC_LVT_LINT0], (uint32_t)HVM_DM_EXTINT << LVT_DM_SHIFT);
	vlapic_set(&a->tpr, 0);
	vlapic_set(&a->svr, 0xff);
	vlapic_set(&a->ldr, 0);
	vlapic_set(&a->dfr, 0xffffffff);
	vlapic_set(&a->esr, 0);
	vlapic_set(&a->esr_pending, 0);
	vlapic_set(&a->icr, 0);
	vlapic_timer_reset(a);
}

void vlapic_reset(struct vcpu *v, bool init)
{
	struct vlapic *a = v->vlapic;

	if (!init)
		vlapic_set(&a->apic_base,
			   HVM_LAPIC_BASE | APIC_BASE_EN | (v->id == 0 ? APIC_BASE_BSP : 0));
	vlapic_reset_regs(a);
}

int vlapic_create(struct vcpu *v)
{
	/* One range for all: a vcpu's access reaches its own LAPIC. */
	const struct hvm_intercept r = {
		.base = HVM_LAPIC_BASE,
		.bytes = LAPIC_BYTES,
		.read = vlapic_mmio_read,
		.write = vlapic_mmio_write,
	};
	struct vlapic *a = hvm_os_alloc(sizeof(struct vlapic));
	int rc;

	if (a == NULL)
		return -HVM_ENOMEM;
	a->v = v;
	a->id = v->id;
	rc = vlapic_timer_create(a);
	if (rc != 0)
		goto err_free;
	if (v->id == 0) {
		rc = hvm_mmio_register(v->domain, &r);
		if (rc != 0)
			goto err_timer;
	}
	v->vlapic = a;
	vlapic_reset(v, false);
	return 0;

err_timer:
	vlapic_timer_destroy(a);
err_free:
	hvm_os_free(a);
	return rc;
}

void vlapic_destroy(struct vcpu *v)
{
	if (v->vlapic == NULL)
		return;
	vlapic_timer_destroy(v->vlapic);
	hvm_os_free(v->vlapic);
	v->vlapic = NULL;
}

/* -- save record ----------------------------------------------------------------------------- */

int vlapic_save(struct vcpu *v, struct hvm_save_writer *w)
{
	struct vlapic *a = v->vlapic;

	hvm_save_u64(w, vlapic_get(&a->apic_base));
	hvm_save_u32(w, a->id);
	hvm_save_u32(w, vlapic_get(&a->tpr));
	hvm_save_u32(w, vlapic_get(&a->svr));
	hvm_save_u32(w, vlapic_get(&a->ldr));
	hvm_save_u32(w, vlapic_get(&a->dfr));
	hvm_save_u32(w, vlapic_get(&a->esr));
	hvm_save_u32(w, vlapic_get(&a->esr_pending));
	hvm_save_u64(w, vlapic_get(&a->icr));
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		hvm_save_u32(w, vlapic_get(&a->lvt[n]));
	for (unsigned int i = 0; i < 8; i++) {
		hvm_save_u32(w, vlapic_get(&a->irr[i]));
		hvm_save_u32(w, vlapic_get(&a->isr[i]));
		hvm_save_u32(w, vlapic_get(&a->tmr[i]));
	}
	return vlapic_timer_save(a, w);
}

/* What a LAPIC record holds, before it is believed. */
struct vlapic_record {
	uint64_t apic_base, icr;
	uint32_t id, tpr, svr, ldr, dfr, esr, esr_pending;
	uint32_t lvt[VLAPIC_LVT_COUNT];
	uint32_t irr[8], isr[8], tmr[8];
};

static void vlapic_record_read(struct vlapic_record *s, struct hvm_save_reader *r)
{
	s->apic_base = hvm_load_u64(r);
	s->id = hvm_load_u32(r);
	s->tpr = hvm_load_u32(r);
	s->svr = hvm_load_u32(r);
	s->ldr = hvm_load_u32(r);
	s->dfr = hvm_load_u32(r);
	s->esr = hvm_load_u32(r);
	s->esr_pending = hvm_load_u32(r);
	s->icr = hvm_load_u64(r);
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		s->lvt[n] = hvm_load_u32(r);
	for (unsigned int i = 0; i < 8; i++) {
		s->irr[i] = hvm_load_u32(r);
		s->isr[i] = hvm_load_u32(r);
		s->tmr[i] = hvm_load_u32(r);
	}
}

static bool vlapic_record_ok(const struct vlapic_record *s, const struct vlapic *a)
{
	uint64_t mode = s->apic_base & (APIC_BASE_EN | APIC_BASE_EXTD);

	if ((s->apic_base & ~APIC_BASE_FLAGS) != HVM_LAPIC_BASE || mode == APIC_BASE_EXTD ||
	    !(s->apic_base & APIC_BASE_BSP) != (a->id != 0))
		return false;
	if (s->id != a->id || s->tpr > 0xff || (s->svr & ~SVR_VALID) || (s->ldr & 0xffffff) ||
	    (s->dfr & 0x0fffffffu) != 0x0fffffffu || (s->esr & ~0xffu) ||
	    (s->esr_pending & ~0xffu) || (s->icr & 0xffffffff & ~(uint64_t)ICR_VALID))
		return false;
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++) {
		if (s->lvt[n] & ~vlapic_lvt_valid[n])
			return false;
	}
	/* Vectors below 16 do not exist. */
	return ((s->irr[0] | s->isr[0] | s->tmr[0]) & 0xffff) == 0;
}

int vlapic_load(struct vcpu *v, struct hvm_save_reader *r, bool check)
{
	struct vlapic *a = v->vlapic;
	struct vlapic_record s;

	vlapic_record_read(&s, r);
	if (r->error != 0)
		return r->error;
	if (!vlapic_record_ok(&s, a))
		return -HVM_EINVAL;
	if (check)
		return vlapic_timer_load(a, r, true);
	vlapic_set(&a->apic_base, s.apic_base);
	vlapic_set(&a->tpr, s.tpr);
	vlapic_set(&a->svr, s.svr);
	vlapic_set(&a->ldr, s.ldr);
	vlapic_set(&a->dfr, s.dfr);
	vlapic_set(&a->esr, s.esr);
	vlapic_set(&a->esr_pending, s.esr_pending);
	vlapic_set(&a->icr, s.icr);
	for (unsigned int n = 0; n < VLAPIC_LVT_COUNT; n++)
		vlapic_set(&a->lvt[n], s.lvt[n]);
	for (unsigned int i = 0; i < 8; i++) {
		vlapic_set(&a->tmr[i], s.tmr[i]);
		vlapic_set(&a->isr[i], s.isr[i]);
		vlapic_set(&a->irr[i], s.irr[i]);
	}
	hvm_vcpu_request(v, HVM_REQ_EVENT);
	return vlapic_timer_load(a, r, false);
}
