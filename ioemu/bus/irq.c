/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.c - interrupt wires. Owns the levels of the sources. Locking: irq.h. Not saved: each device
 * drives its lines again when its record is loaded.
 */
#include "bus/irq.h"

#include <string.h>

void irq_lines_init(struct irq_lines *l, void (*set)(void *, unsigned int, bool), void *opaque)
{
	memset(l, 0, sizeof(*l));
	pthread_mutex_init(&l->lock, NULL);
	l->set = set;
	l->opaque = opaque;
}

void irq_lines_fini(struct irq_lines *l)
{
	pthread_mutex_destroy(&l->lock);
}

void irq_lines_reset(struct irq_lines *l)
{
	unsigned int gsi;

	pthread_mutex_lock(&l->lock);
	for (gsi = 0; gsi < IRQ_LINES; gsi++) {
		if (!l->high[gsi])
			continue;
		l->high[gsi] = 0;
		l->set(l->opaque, gsi, false);
	}
	pthread_mutex_unlock(&l->lock);
}

void irq_line_set(struct irq_lines *l, unsigned int gsi, enum irq_source source, bool level)
{
	uint8_t before, after;

	pthread_mutex_lock(&l->lock);
	before = l->high[gsi];
	after = level ? before | (uint8_t)(1u << source) : before & (uint8_t) ~(1u << source);
	l->high[gsi] = after;
	if (!before != !after)
		l->set(l->opaque, gsi, after != 0);
	pthread_mutex_unlock(&l->lock);
}
