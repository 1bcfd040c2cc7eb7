/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trim.c - gives memory back when a guest has become quiet: what it ran while it booted or worked
 * fills the arena of decoded blocks and the buffer of translated code, and an idle guest needs
 * little of either. A vcpu that ran for less than a fiftieth of each of the last ten seconds, and
 * has more than SOFT_TRIM_KEEP bytes, drops all its blocks; what it needs is soon there again.
 * It looks when it leaves the guest: one that sleeps on and on keeps what it has until it wakes.
 * Owns struct soft_trim. Locking: the vcpu's thread, out of the guest. Not saved.
 */
#include "soft/soft.h"

#define SOFT_TRIM_SECONDS 10u
#define SOFT_TRIM_SHARE	  50u /* of the time: more is work */
#define SOFT_TRIM_KEEP	  (2u << 20)

bool soft_trim_note(struct soft_trim *t, uint64_t from, uint64_t to, uint64_t second)
{
	uint64_t window;

	if (!t->start)
		t->start = from;
	t->busy += to - from;
	window = to - t->start;
	if (window < second)
		return false;
	/* Asleep all the while, it may be many seconds. */
	t->quiet = t->busy < window / SOFT_TRIM_SHARE ? t->quiet + window / second : 0;
	t->start = to;
	t->busy = 0;
	if (t->quiet < SOFT_TRIM_SECONDS)
		return false;
	t->quiet = 0;
	return true;
}

void soft_trim(struct soft_vcpu *sv)
{
	struct soft_blocks *bs = &sv->blocks;
	size_t used = bs->arena_used, code = soft_tr_used(sv);

	if (used + code <= SOFT_TRIM_KEEP)
		return;
	soft_blocks_drop_all(sv);
	os_pages_discard(bs->arena, bs->arena_bytes);
	soft_tr_discard(sv);
	sv->vcpu->stats.trims++;
}
