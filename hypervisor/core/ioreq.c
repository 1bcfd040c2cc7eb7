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

int ioreq_access(struct vcpu *v, const struct hvm_io_access *a, uint64_t *data)
{
	struct hvm_io_replay *rp = &v->replay;
	struct hvm_ioreq *r = &v->ioreq_page->req;

	if (rp->next < rp->done && ioreq_same(&rp->access[rp->next], a)) {
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
	*r = (struct hvm_ioreq){ .type = a->type,
				 .is_write = a->is_write,
				 .size = a->size,
				 .address = a->address,
				 .data = *data,
				 .count = 1 };
	v->stats.ioreq++;
	__atomic_store_n(&r->state, HVM_IOREQ_STATE_READY, __ATOMIC_RELEASE);
	return -HVM_EAGAIN;
}

int ioreq_bulk(struct vcpu *v, bool is_write, uint16_t port, unsigned int size, unsigned int count,
	       void *buf)
{
	struct hvm_io_replay *rp = &v->replay;
	struct hvm_ioreq *r = &v->ioreq_page->req;

	if (rp->bulk_count) {
		unsigned int n = rp->bulk_count < count ? rp->bulk_count : count;

		rp->bulk_count = 0;
		if (r->address == port && r->size == size && r->is_write == is_write) {
			if (!is_write)
				memcpy(buf, r->bulk, (size_t)n * size);
			return (int)n;
		}
	}
	if (count > HVM_IOREQ_DATA_BYTES / size)
		count = HVM_IOREQ_DATA_BYTES / size;
	r->type = HVM_IOREQ_PIO;
	r->is_write = is_write;
	r->size = (uint8_t)size;
	r->address = port;
	r->count = count;
	if (is_write)
		memcpy(r->bulk, buf, (size_t)count * size);
	v->stats.ioreq++;
	__atomic_store_n(&r->state, HVM_IOREQ_STATE_READY, __ATOMIC_RELEASE);
	return -HVM_EAGAIN;
}

bool ioreq_complete(struct vcpu *v)
{
	struct hvm_ioreq *r = &v->ioreq_page->req;
	struct hvm_io_replay *rp = &v->replay;
	uint32_t state = __atomic_load_n(&r->state, __ATOMIC_ACQUIRE);

	if (state == HVM_IOREQ_STATE_READY)
		return false;
	if (state == HVM_IOREQ_STATE_DONE) {
		r->state = HVM_IOREQ_STATE_FREE;
		if (r->count > 1)
			rp->bulk_count = r->count;
		else if (rp->done < HVM_IO_REPLAY_MAX)
			rp->access[rp->done++] = (struct hvm_io_access){ .address = r->address,
									 .data = r->data,
									 .type = r->type,
									 .is_write = r->is_write,
									 .size = r->size };
	}
	rp->next = 0;
	return true;
}

void hvm_io_retire(struct vcpu *v)
{
	v->replay.done = 0;
	v->replay.next = 0;
	v->replay.bulk_count = 0;
}

/* -- the buffered ring
 * ----------------------------------------------------------------------------- */

bool bufioreq_push(struct domain *d, const struct hvm_io_access *a)
{
	struct hvm_bufioreq_page *p = d->bufioreq;
	bool room;

	hvm_os_spin_lock(&d->bufioreq_lock);
	room = p->write_index - p->read_index < HVM_BUFIOREQ_SLOTS;
	if (room)
		p->slot[p->write_index++ % HVM_BUFIOREQ_SLOTS] = (struct hvm_bufioreq){
			.address = a->address, .data = a->data, .type = a->type, .size = a->size
		};
	hvm_os_spin_unlock(&d->bufioreq_lock);
	return room;
}

bool bufioreq_pop(struct domain *d, struct hvm_bufioreq *ret)
{
	struct hvm_bufioreq_page *p = d->bufioreq;
	bool any;

	hvm_os_spin_lock(&d->bufioreq_lock);
	any = p->read_index != p->write_index;
	if (any)
		*ret = p->slot[p->read_index++ % HVM_BUFIOREQ_SLOTS];
	hvm_os_spin_unlock(&d->bufioreq_lock);
	return any;
}
