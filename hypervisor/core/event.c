/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.c - which event a vcpu takes next: one whose delivery was cut short, then NMI, then the
 * PIC's interrupt, then the local APIC's.
 * Locking: the vcpu's thread. Source: Intel SDM Vol 3A 6.9 "Priority Among Simultaneous Exceptions
 * and Interrupts".
 */
#include "core/domain.h"
#include "devices/chips.h"

static bool event_nmi(struct vcpu *v)
{
	return __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & HVM_REQ_NMI;
}

static bool event_pic(struct vcpu *v)
{
	return vlapic_accepts_pic(v) && vpic_has_intr(v->domain);
}

static bool event_interrupt(struct vcpu *v)
{
	return event_pic(v) || vlapic_pending_vector(v) >= 0;
}

bool hvm_event_pending(struct vcpu *v)
{
	const struct hvm_function_table *ops = v->domain->ops;

	if (v->reinject.type != HVM_EVENT_NONE)
		return true;
	if (event_nmi(v) && ops->can_inject(v, true))
		return true;
	return event_interrupt(v) && ops->can_inject(v, false);
}

static int event_inject(struct vcpu *v, const struct hvm_event *e)
{
	int rc = v->domain->ops->inject_event(v, e);

	/* The delivery waits for a device: the same event is tried again. */
	if (rc == -HVM_EAGAIN)
		v->reinject = *e;
	return rc;
}

/* The vector of the interrupt that is taken now, or -1: it went away. */
static int event_take_interrupt(struct vcpu *v)
{
	int vector;

	if (event_pic(v))
		return vpic_ack(v->domain);
	vector = vlapic_pending_vector(v);
	if (vector >= 0)
		vlapic_ack(v, (uint8_t)vector);
	return vector;
}

static int event_interrupt_assist(struct vcpu *v)
{
	struct hvm_event e = { .type = HVM_EVENT_EXT_INTR };
	int vector, rc;

	if (!event_interrupt(v))
		return 0;
	if (!v->domain->ops->can_inject(v, false)) {
		v->domain->ops->intr_window(v, false);
		return 0;
	}
	vector = event_take_interrupt(v);
	if (vector < 0)
		return 0;
	v->stats.interrupts++;
	e.vector = (uint8_t)vector;
	rc = event_inject(v, &e);
	if (!rc && event_interrupt(v))
		v->domain->ops->intr_window(v, false);
	return rc;
}

int hvm_event_assist(struct vcpu *v)
{
	struct hvm_event e = v->reinject;
	int rc;

	if (e.type != HVM_EVENT_NONE) {
		v->reinject.type = HVM_EVENT_NONE;
		rc = event_inject(v, &e);
		if (rc)
			return rc;
		/* The accesses of a delivery are not those of an instruction. */
		hvm_io_retire(v);
	}
	if (event_nmi(v)) {
		if (v->domain->ops->can_inject(v, true)) {
			__atomic_fetch_and(&v->requests, ~HVM_REQ_NMI, __ATOMIC_SEQ_CST);
			v->stats.nmi++;
			e = (struct hvm_event){ .type = HVM_EVENT_NMI, .vector = 2 };
			rc = event_inject(v, &e);
			/* Its handler runs first; an interrupt waits for the end of it. */
			if (!rc && event_interrupt(v))
				v->domain->ops->intr_window(v, false);
			return rc;
		}
		v->domain->ops->intr_window(v, true);
	}
	return event_interrupt_assist(v);
}
