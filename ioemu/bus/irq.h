/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.h - wires between devices and the core's interrupt controllers. Several sources may share a
 * line (wired OR): the line is high while any of them is.
 * Locking: an own mutex, the innermost of ioemu's locks; the core's call is made under it so that
 * levels arrive in order.
 */
#ifndef IOEMU_IRQ_H
#define IOEMU_IRQ_H

#include "hvm/hvm_types.h"

#include <pthread.h>

#define IRQ_LINES 24

enum irq_source {
	IRQ_SOURCE_DEVICE, /* the ISA device that owns the line */
	IRQ_SOURCE_PIRQA,
	IRQ_SOURCE_PIRQB,
	IRQ_SOURCE_PIRQC,
	IRQ_SOURCE_PIRQD,
};

struct irq_lines {
	pthread_mutex_t lock;
	uint8_t high[IRQ_LINES]; /* bit per enum irq_source */
	void (*set)(void *opaque, unsigned int gsi, bool level);
	void *opaque;
};

void irq_lines_init(struct irq_lines *l, void (*set)(void *, unsigned int, bool), void *opaque);
void irq_lines_fini(struct irq_lines *l);
/* irq_lines_reset - all low; the core is told of those that were high. */
void irq_lines_reset(struct irq_lines *l);
/* irq_line_set - @source drives @gsi (below IRQ_LINES) to @level. */
void irq_line_set(struct irq_lines *l, unsigned int gsi, enum irq_source source, bool level);

#endif
