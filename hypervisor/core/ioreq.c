/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioreq.c - accesses that ioemu serves. An instruction that makes one is abandoned, the request
 * goes out in the vcpu's page, and the instruction runs again: the accesses it made before are
 * answered from the replay list until it retires. Locking: the vcpu's thread owns its page and
 * list; the buffered ring has d->bufioreq_lock. Saved: nothing; saving is refused while a request
 * is out.
 */
#include "core/domain.h"

static bool ioreq_same(const struct hvm_io_access *a, const struct hvm_io_access *b)
{
	return a->type == b->type && a->is_write == b->is_write && a->size == b->size &&
	       a->address == b->address;
}

bool ioreq_is_next(const struct vcpu *v, const struct hvm_io_access *a)
{
	const struct hvm_io_replay *rp = &v->replay;

	return rp->next < rp->done && ioreq_same(&rp->access[rp->next], a);
}

bool ioreq_waits(const struct vcpu *v)
{
	return v->replay.asked_count != 0;
}

/* The request goes out; its bulk[], if it has one, is filled. Returns what the access returns. */
static int ioreq_send(struct vcpu *v, const struct hvm_io_access *a, unsigned int count)
{
	struct hvm_ioreq *r = &v->ioreq_page->req;

	v->replay.asked = *a;
	v->replay.asked_count = count;
	r->type = a->type;
	r->is_write = a->is_write;
	r->size = a->size;
	r->address = a->address;
	r->data = a->data;
	r->count = count;
	v->stats.ioreq++;
	__atomic_store_n(&r->state, HVM_IOREQ_STATE_READY, __ATOMIC_RELEASE);
	return -HVM_EAGAIN;
}

int ioreq_access(struct vcpu *v, const struct hvm_io_access *a, uint64_t *data)
{
	struct hvm_io_replay *rp = &v->replay;

	if (ioreq_is_next(v, a)) {
		*data = rp->access[rp->next++].data;
		return 0;
	}
	/* Not what it asked for last time (the code changed): what was served does not count. */
	rp->done = rp->next;
	if (rp->done == HVM_IO_REPLAY_MAX) {
		hvm_domain_crash(v->domain,
				 "vcpu %u: one instruction with more than %u device accesses",
				 v->id, HVM_IO_REPLAY_MAX);
		return -HVM_EAGAIN;
	}
	return ioreq_send(v, a, 1);
}

int ioreq_bulk(struct vcpu *v, bool is_write, uint16_t port, unsigned int size, unsigned int count,
	       void *buf)
{
	const struct hvm_io_access a = {
		.type = HVM_IOREQ_PIO, .is_write = is_write, .address = port, .size = (uint8_t)size
	};
	struct hvm_io_replay *rp = &v->replay;
	struct hvm_ioreq *r = &v->ioreq_page->req;

	if (count > HVM_IOREQ_DATA_BYTES / size)
		count = HVM_IOREQ_DATA_BYTES / size;
	if (rp->bulk_count) {
		unsigned int n = rp->bulk_count < count ? rp->bulk_count : count;

		rp->bulk_count = 0;
		if (ioreq_same(&rp->asked, &a)) {
			if (!is_write)
				memcpy(buf, r->bulk, (size_t)n * size);
			return (int)n;
		}
	}
	if (is_write)
		memcpy(r->bulk, buf, (size_t)count * size);
	return ioreq_send(v, &a, count);
}

bool ioreq_complete(struct vcpu *v)
{
	struct hvm_ioreq *r = &v->ioreq_page->req;
	struct hvm_io_replay *rp = &v->replay;
	uint32_t state = __atomic_load_n(&r->state, __ATOMIC_ACQUIRE);

	if (state == HVM_IOREQ_STATE_READY)
		return false;
	if (state == HVM_IOREQ_STATE_DONE && rp->asked_count > 1) {
		uint32_t count = __atomic_load_n(&r->count, __ATOMIC_RELAXED);

		/* Less may have been done than was asked for, not more. */
		rp->bulk_count = count < rp->asked_count ? count : rp->asked_count;
	} else if (state == HVM_IOREQ_STATE_DONE && rp->asked_count == 1) {
		/* ioreq_access() has seen to it that there is room. */
		rp->access[rp->done] = rp->asked;
		rp->access[rp->done++].data = __atomic_load_n(&r->data, __ATOMIC_RELAXED);
	}
	/* In any other state it was withdrawn: the instruction asks again. */
	__atomic_store_n(&r->state, HVM_IOREQ_STATE_FREE, __ATOMIC_RELAXED);
	rp->asked_count = 0;
	rp->next = 0;
	return true;
}

void hvm_io_retire(struct vcpu *v)
{
	v->replay.done = 0;
	v->replay.next = 0;
	v->replay.bulk_count = 0;
	v->replay.asked_count = 0;
}

/* -- the buffered ring ------------------------------------------------------------------------- */

/*
 * One producer at a time (the lock), one consumer at a time (the lock, or libhvm's own when the
 * page is mapped into its process). A slot is written before the index that shows it, and read
 * before the index that frees it. What the other side writes into the page can at most spoil its
 * own ring.
 */
bool bufioreq_push(struct domain *d, const struct hvm_io_access *a)
{
	struct hvm_bufioreq_page *p = d->bufioreq;
	uint32_t write, read;
	bool room;

	hvm_os_spin_lock(&d->bufioreq_lock);
	write = __atomic_load_n(&p->write_index, __ATOMIC_RELAXED);
	read = __atomic_load_n(&p->read_index, __ATOMIC_ACQUIRE);
	room = write - read < HVM_BUFIOREQ_SLOTS;
	if (room) {
		p->slot[write % HVM_BUFIOREQ_SLOTS] = (struct hvm_bufioreq){
			.address = a->address, .data = a->data, .type = a->type, .size = a->size
		};
		__atomic_store_n(&p->write_index, write + 1, __ATOMIC_RELEASE);
	}
	hvm_os_spin_unlock(&d->bufioreq_lock);
	return room;
}

bool bufioreq_take(struct hvm_bufioreq_page *p, struct hvm_bufioreq *ret)
{
	uint32_t read = __atomic_load_n(&p->read_index, __ATOMIC_RELAXED);

	if (read == __atomic_load_n(&p->write_index, __ATOMIC_ACQUIRE))
		return false;
	*ret = p->slot[read % HVM_BUFIOREQ_SLOTS];
	__atomic_store_n(&p->read_index, read + 1, __ATOMIC_RELEASE);
	return true;
}

bool bufioreq_pop(struct domain *d, struct hvm_bufioreq *ret)
{
	bool any;

	hvm_os_spin_lock(&d->bufioreq_lock);
	any = bufioreq_take(d->bufioreq, ret);
	hvm_os_spin_unlock(&d->bufioreq_lock);
	return any;
}

bool bufioreq_pending(const struct domain *d)
{
	return __atomic_load_n(&d->bufioreq->read_index, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&d->bufioreq->write_index, __ATOMIC_RELAXED);
}
