/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls.h - what hvm/hvm.h asks of a domain, on the core's side of it: the same functions behind
 * libhvm in one process and behind the ioctls of /dev/hvm. Arguments are checked here, so that
 * either side may pass on what it was given.
 */
#ifndef HVM_CALLS_H
#define HVM_CALLS_H

#include "core/domain.h"

/*
 * domain_map - as hvm_domain_map(); MMIO unmaps. When it returns no vcpu uses what was there
 * before.
 */
int domain_map(struct domain *d, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva);
void domain_memory_written(struct domain *d, gpa_t gpa, uint64_t bytes);
void domain_dirty_start(struct domain *d);
int domain_dirty_sync(struct domain *d, gpa_t gpa, uint64_t pages, uint64_t *bitmap);
void domain_dirty_stop(struct domain *d);
int domain_irq(struct domain *d, unsigned int gsi, bool level);
int domain_nmi(struct domain *d);
int domain_bufioreq_add(struct domain *d, uint32_t type, uint64_t address, uint64_t bytes);
/* domain_doorbell_add/remove - @b->eventfd is a number that hvm_os_eventfd_signal() takes. */
int domain_doorbell_add(struct domain *d, const struct hvm_doorbell *b);
int domain_doorbell_remove(struct domain *d, const struct hvm_doorbell *b);

void vcpu_kick(struct vcpu *v);
void vcpu_get_state(struct vcpu *v, struct hvm_vcpu_state *ret);
/* vcpu_set_state - -HVM_EINVAL: no processor can be in this state, or the vendor refuses it. */
int vcpu_set_state(struct vcpu *v, const struct hvm_vcpu_state *s);
/*
 * vcpu_put_emulated - one instruction of @v was executed elsewhere: @s is what it left. What the
 * core keeps itself (task priority, PAT, served accesses) stays.
 */
int vcpu_put_emulated(struct vcpu *v, struct hvm_vcpu_state *s);
/*
 * vcpu_state_ok - could a processor of the domain's model be in this state? What vendors rely on
 * when they load it.
 */
bool vcpu_state_ok(struct vcpu *v, const struct hvm_vcpu_state *s);
int vcpu_translate(struct vcpu *v, gva_t gva, gpa_t *ret);
size_t vcpu_stats(const struct vcpu *v, uint64_t *ret, size_t max);

#endif
