/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi_doorbell.c - eventfds that callers register as doorbells.
 * Owns abi_domain.doorbell[]. Locking: doorbell_mutex. Saved: nothing, callers register anew.
 * The core signals a number under the lock under which its doorbell is removed, and a number is
 * given back after that: so what is signalled is alive.
 */
#include "core/abi.h"

static struct abi_doorbell *doorbell_find(struct abi_domain *d, const struct hvm_ioctl_doorbell *a)
{
	for (unsigned int i = 0; i < ABI_DOORBELLS; i++) {
		struct abi_doorbell *s = &d->doorbell[i];

		if (s->used && s->bell.type == a->type && s->bell.address == a->address &&
		    d->os->eventfd_is(s->bell.eventfd, a->eventfd))
			return s;
	}
	return NULL;
}

static int doorbell_remove(struct abi_domain *d, const struct hvm_ioctl_doorbell *a)
{
	struct abi_doorbell *s = doorbell_find(d, a);
	int rc;

	if (!s)
		return -HVM_ENOENT;
	rc = domain_doorbell_remove(d->core, &s->bell);
	if (rc)
		return rc;
	d->os->eventfd_put(s->bell.eventfd);
	s->used = false;
	return 0;
}

static int doorbell_add(struct abi_domain *d, const struct hvm_ioctl_doorbell *a)
{
	struct abi_doorbell *s = d->doorbell;
	int id, rc;

	while (s < d->doorbell + ABI_DOORBELLS && s->used)
		s++;
	if (s == d->doorbell + ABI_DOORBELLS)
		return -HVM_ENOSPC;
	id = d->os->eventfd_get(a->eventfd);
	if (id < 0)
		return id;
	s->bell = (struct hvm_doorbell){
		.address = a->address,
		.match = a->match,
		.eventfd = id,
		.type = a->type,
		.size = a->size,
		.has_match = a->has_match,
	};
	rc = domain_doorbell_add(d->core, &s->bell);
	if (rc)
		d->os->eventfd_put(id);
	s->used = !rc;
	return rc;
}

int abi_doorbell(const struct abi_target *t, void *arg)
{
	const struct hvm_ioctl_doorbell *a = arg;
	struct abi_domain *d = t->domain;
	int rc;

	if (a->has_match > 1 || a->remove > 1)
		return -HVM_EINVAL;
	hvm_os_mutex_lock(&d->doorbell_mutex);
	rc = a->remove ? doorbell_remove(d, a) : doorbell_add(d, a);
	hvm_os_mutex_unlock(&d->doorbell_mutex);
	return rc;
}
