/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - guest linear memory, for vendors whose guests run on the host's processor: translation
 * with the registers that the vendor read, and the bytes of the current instruction.
 */
#ifndef HVM_GUEST_H
#define HVM_GUEST_H

#include "core/domain.h"
#include "mm/walk.h"

struct guest_paging {
	uint64_t cr0, cr3, cr4, efer;
	unsigned int cpl;
};

/*
 * guest_translate - gva to gpa, WALK_* in @access; changes nothing in the guest.
 * -HVM_EFAULT: not mapped for that.
 */
int guest_translate(struct vcpu *v, const struct guest_paging *g, gva_t gva, unsigned int access,
		    gpa_t *ret);
/* guest_fetch - up to @bytes of code from @gva on; returns how many could be had. */
size_t guest_fetch(struct vcpu *v, const struct guest_paging *g, gva_t gva, uint8_t *buf,
		   size_t bytes);
/* guest_pdptes - the four entries at CR3, as PAE paging loads them. */
void guest_pdptes(struct vcpu *v, uint64_t cr3, uint64_t ret[4]);

#endif
