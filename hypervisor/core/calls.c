/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls.c - what hvm/hvm.h asks of a domain and its vcpus. Owns nothing. Locking: d->lock for the
 * p2m's writers; get/set state and translate want the vcpu not running, which the caller sees to.
 */
#include "core/calls.h"
#include "devices/chips.h"
#include "x86/ctlreg.h"

/* -- memory ------------------------------------------------------------------------------------ */

int domain_map(struct domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva)
{
	int rc;

	hvm_os_mutex_lock(&d->lock);
	rc = type == HVM_MEM_MMIO ? p2m_unmap(&d->p2m, gpa, bytes)
				  : p2m_map(&d->p2m, gpa, bytes, type, hva);
	if (!rc)
		d->ops->p2m_changed(d, gpa >> HVM_PAGE_SHIFT, bytes >> HVM_PAGE_SHIFT);
	hvm_os_mutex_unlock(&d->lock);
	return rc;
}

void domain_memory_written(struct domain *d, gpa_t gpa, uint64_t bytes)
{
	gfn_t first = gpa >> HVM_PAGE_SHIFT;

	if (!bytes)
		return;
	if (gpa + bytes < gpa)
		bytes = 0 - gpa;
	p2m_mark_dirty(&d->p2m, gpa, bytes);
	if (d->ops->memory_written)
		d->ops->memory_written(d, first, ((gpa + bytes - 1) >> HVM_PAGE_SHIFT) - first + 1);
}

static void domain_dirty_changed(struct domain *d)
{
	if (d->ops->dirty_log_changed)
		d->ops->dirty_log_changed(d);
}

void domain_dirty_start(struct domain *d)
{
	p2m_dirty_start(&d->p2m);
	domain_dirty_changed(d);
}

int domain_dirty_sync(struct domain *d, gpa_t gpa, uint64_t pages, uint64_t *bitmap)
{
	int64_t n = p2m_dirty_sync(&d->p2m, gpa, pages, bitmap);

	if (n < 0)
		return (int)n;
	domain_dirty_changed(d);
	return 0;
}

void domain_dirty_stop(struct domain *d)
{
	p2m_dirty_stop(&d->p2m);
	domain_dirty_changed(d);
}

/* -- interrupts and devices -------------------------------------------------------------------- */

int domain_irq(struct domain *d, unsigned int gsi, bool level)
{
	if (gsi >= HVM_GSI_COUNT)
		return -HVM_EINVAL;
	hvm_gsi_set(d, gsi, level);
	return 0;
}

int domain_nmi(struct domain *d)
{
	for (unsigned int i = 0; i < d->vcpu_count; i++)
		hvm_vcpu_request(d->vcpu[i], HVM_REQ_NMI);
	return 0;
}

static bool calls_type_ok(uint32_t type)
{
	return type == HVM_IOREQ_PIO || type == HVM_IOREQ_MMIO;
}

int domain_bufioreq_add(struct domain *d, uint32_t type, uint64_t address, uint64_t bytes)
{
	if (!calls_type_ok(type) || !bytes || bytes - 1 > UINT64_MAX - address)
		return -HVM_EINVAL;
	return intercept_add_buffered(d, (uint8_t)type, address, bytes);
}

int domain_doorbell_add(struct domain *d, const struct hvm_doorbell *b)
{
	if (!calls_type_ok(b->type) || b->eventfd < 0 || b->size > 8 || (b->size & (b->size - 1)))
		return -HVM_EINVAL;
	return intercept_add_doorbell(d, b);
}

int domain_doorbell_remove(struct domain *d, const struct hvm_doorbell *b)
{
	return intercept_remove_doorbell(d, b->type, b->address, b->eventfd);
}

/* -- vcpus ------------------------------------------------------------------------------------- */

void vcpu_kick(struct vcpu *v)
{
	__atomic_store_n(&v->user_kick, 1, __ATOMIC_SEQ_CST);
	hvm_vcpu_request(v, HVM_REQ_EVENT);
}

void vcpu_get_state(struct vcpu *v, struct hvm_vcpu_state *ret)
{
	memset(ret, 0, sizeof(*ret));
	v->domain->ops->store_state(v, ret);
	ret->activity = __atomic_load_n(&v->activity, __ATOMIC_SEQ_CST);
	ret->tsc_offset = __atomic_load_n(&v->tsc_offset, __ATOMIC_SEQ_CST);
	ret->pat = v->msr_pat;
	ret->pending = v->reinject;
}

/* Control registers as this domain's CPU model allows them. */
static bool vcpu_model_has(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	const struct hvm_cpuid_state seen = { .paging = true };
	const uint64_t efer = 0x1 | 0x100 | 0x400 | 0x800; /* SCE LME LMA NXE */
	uint32_t leaf1[4], leaf7[4];

	hvm_cpuid(v, &seen, 1, 0, leaf1);
	hvm_cpuid(v, &seen, 7, 0, leaf7);
	if ((s->xsave[HVM_XSAVE_BV_AT] & HVM_XSTATE_AVX) &&
	    v->domain->config.cpu_model < HVM_CPU_V3)
		return false;
	return !(s->cr4 & ~x86_cr4_allowed(leaf1, leaf7)) && !(s->efer & ~efer) &&
	       x86_xcr0_write_ok(s->xcr0 | HVM_XSTATE_X87, hvm_xcr0_allowed(v)) && s->xss == 0;
}

bool vcpu_state_ok(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	const uint32_t shadows = HVM_INTR_SHADOW_STI | HVM_INTR_SHADOW_MOV_SS | HVM_INTR_SHADOW_NMI;
	const uint64_t fixed_rflags = 0x2, reserved_rflags = ~0x3f7fd7ull;

	if (s->activity > HVM_ACTIVITY_SHUTDOWN || (s->intr_shadow & ~shadows) || s->cr8 > 15 ||
	    s->pending.type > HVM_EVENT_PRIV_SW_EXCEPTION || s->pending.has_error > 1)
		return false;
	if ((s->rflags & fixed_rflags) == 0 || (s->rflags & reserved_rflags))
		return false;
	/* Paging needs protection; long mode needs both and PAE. */
	if ((s->cr0 & 0x80000000u) && !(s->cr0 & 1))
		return false;
	if ((s->efer & 0x400) && !((s->cr0 & 0x80000000u) && (s->cr4 & 0x20)))
		return false;
	return vcpu_model_has(v, s);
}

static int vcpu_load(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	int rc = v->domain->ops->load_state(v, s);

	if (rc)
		return rc;
	__atomic_store_n(&v->activity, s->activity, __ATOMIC_SEQ_CST);
	v->reinject = s->pending;
	return 0;
}

int vcpu_set_state(struct vcpu *v, const struct hvm_vcpu_state *s)
{
	int rc = vcpu_state_ok(v, s) ? vcpu_load(v, s) : -HVM_EINVAL;

	if (rc)
		return rc;
	__atomic_store_n(&v->ioreq_page->req.state, HVM_IOREQ_STATE_FREE, __ATOMIC_RELAXED);
	hvm_io_retire(v);
	return 0;
}

int vcpu_put_emulated(struct vcpu *v, struct hvm_vcpu_state *s)
{
	s->cr8 = vlapic_cr8_read(v);
	s->pat = v->msr_pat;
	return vcpu_state_ok(v, s) ? vcpu_load(v, s) : -HVM_EINVAL;
}

int vcpu_translate(struct vcpu *v, gva_t gva, gpa_t *ret)
{
	return v->domain->ops->translate(v, gva, ret);
}

size_t vcpu_stats(const struct vcpu *v, uint64_t *ret, size_t max)
{
	const uint64_t *s = (const uint64_t *)&v->stats;
	const size_t count = sizeof(v->stats) / sizeof(*s);

	for (size_t i = 0; i < count && i < max; i++)
		ret[i] = __atomic_load_n(&s[i], __ATOMIC_RELAXED);
	return count;
}
