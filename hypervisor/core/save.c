/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save.c - save records: writing and reading fields, the framing of a stream, and the records that
 * belong to no chip (DOMAIN, CPU).
 * Owns no state. Locking: the caller keeps vcpus out and guest time paused; chips take their locks.
 * Loading walks the stream twice: the first pass checks every record and changes nothing.
 * Source: docs/save-format.md.
 */
#include "core/save.h"
#include "core/calls.h"
#include "devices/chips.h"

/* -- fields ---------------------------------------------------------------------------------- */

/* Room for @bytes at the end; NULL once memory has run out. */
static uint8_t *save_reserve(struct hvm_save_writer *w, size_t bytes)
{
	size_t size = w->size == 0 ? 4096 : w->size;
	uint8_t *buf;

	if (w->error != 0)
		return NULL;
	if (bytes > w->size - w->used) {
		while (size - w->used < bytes) {
			if (size > SIZE_MAX / 2) {
				w->error = -HVM_ENOMEM;
				return NULL;
			}
			size *= 2;
		}
		buf = hvm_os_alloc(size);
		if (buf == NULL) {
			w->error = -HVM_ENOMEM;
			return NULL;
		}
		if (w->used != 0)
			memcpy(buf, w->buf, w->used);
		hvm_os_free(w->buf);
		w->buf = buf;
		w->size = size;
	}
	buf = w->buf + w->used;
	w->used += bytes;
	return buf;
}

static void save_put(uint8_t *p, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t save_get(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void save_int(struct hvm_save_writer *w, uint64_t v, unsigned int bytes)
{
	uint8_t *p = save_reserve(w, bytes);

	if (p != NULL)
		save_put(p, v, bytes);
}

void hvm_save_u8(struct hvm_save_writer *w, uint8_t v)
{
	save_int(w, v, 1);
}

void hvm_save_u16(struct hvm_save_writer *w, uint16_t v)
{
	save_int(w, v, 2);
}

void hvm_save_u32(struct hvm_save_writer *w, uint32_t v)
{
	save_int(w, v, 4);
}

void hvm_save_u64(struct hvm_save_writer *w, uint64_t v)
{
	save_int(w, v, 8);
}

void hvm_save_bytes(struct hvm_save_writer *w, const void *p, size_t bytes)
{
	uint8_t *to = save_reserve(w, bytes);

	if (to != NULL && bytes != 0)
		memcpy(to, p, bytes);
}

static const uint8_t *load_take(struct hvm_save_reader *r, size_t bytes)
{
	const uint8_t *p;

	if (r->error != 0)
		return NULL;
	if (bytes > r->size - r->used) {
		r->error = -HVM_EINVAL;
		return NULL;
	}
	p = r->buf + r->used;
	r->used += bytes;
	return p;
}

static uint64_t load_int(struct hvm_save_reader *r, unsigned int bytes)
{
	const uint8_t *p = load_take(r, bytes);

	return p == NULL ? 0 : save_get(p, bytes);
}

uint8_t hvm_load_u8(struct hvm_save_reader *r)
{
	return (uint8_t)load_int(r, 1);
}

uint16_t hvm_load_u16(struct hvm_save_reader *r)
{
	return (uint16_t)load_int(r, 2);
}

uint32_t hvm_load_u32(struct hvm_save_reader *r)
{
	return (uint32_t)load_int(r, 4);
}

uint64_t hvm_load_u64(struct hvm_save_reader *r)
{
	return load_int(r, 8);
}

void hvm_load_bytes(struct hvm_save_reader *r, void *p, size_t bytes)
{
	const uint8_t *from = load_take(r, bytes);

	if (from == NULL)
		memset(p, 0, bytes);
	else if (bytes != 0)
		memcpy(p, from, bytes);
}

/* CRC-32 (ISO-HDLC, as in zip), bit by bit: a stream without memory is a few kilobytes. */
static uint32_t save_crc(const uint8_t *p, size_t bytes)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < bytes; i++) {
		crc ^= p[i];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* -- DOMAIN ---------------------------------------------------------------------------------- */

static int domain_record_save(struct domain *d, unsigned int instance, struct hvm_save_writer *w)
{
	(void)instance;
	hvm_save_u32(w, d->vcpu_count);
	hvm_save_u32(w, d->config.cpu_model);
	hvm_save_u64(w, hvm_tsc_khz(d));
	return w->error;
}

static int domain_record_load(struct domain *d, unsigned int instance, struct hvm_save_reader *r,
			      bool check)
{
	uint32_t vcpus = hvm_load_u32(r), model = hvm_load_u32(r);
	uint64_t khz = hvm_load_u64(r);

	(void)instance;
	if (r->error != 0)
		return r->error;
	if (vcpus != d->vcpu_count || model != d->config.cpu_model) {
		hvm_os_log(
			HVM_LOG_ERROR,
			"%s: saved with %u vcpus of CPU model hvm-v%u, this domain has %u of hvm-v%u",
			d->name, vcpus, model - HVM_CPU_V1 + 1, d->vcpu_count,
			d->config.cpu_model - HVM_CPU_V1 + 1);
		return -HVM_EINVAL;
	}
	return domain_set_tsc_khz(d, khz, check);
}

/* -- CPU ------------------------------------------------------------------------------------- */

/* The plain 64-bit fields of struct hvm_vcpu_state, in the order of the record. */
/* clang-format off */
#define CPU_FIELDS(X) \
	X(rip) X(rflags) X(cr0) X(cr2) X(cr3) X(cr4) X(cr8) \
	X(dr[0]) X(dr[1]) X(dr[2]) X(dr[3]) X(dr6) X(dr7) \
	X(efer) X(star) X(lstar) X(cstar) X(sfmask) X(kernel_gs_base) \
	X(sysenter_cs) X(sysenter_esp) X(sysenter_eip) X(pat) X(tsc_aux) X(xcr0) X(xss) \
	X(pdpte[0]) X(pdpte[1]) X(pdpte[2]) X(pdpte[3])
/* clang-format on */

#define CPU_VERSION_AVX 3u /* the first whose XSAVE area holds AVX */

#define CPU_MSR_PAT  0x277u
#define CPU_REQUESTS (HVM_REQ_NMI | HVM_REQ_INIT | HVM_REQ_SIPI | 0xff00u)

/* The parts of a vcpu that the vendor's state does not hold. */
struct cpu_record {
	struct hvm_vcpu_state s;
	uint64_t tsc; /* of the guest, when saved */
	uint32_t requests;
	uint64_t msr[HVM_SAVED_MSRS];
};

static void cpu_event_save(struct hvm_save_writer *w, const struct hvm_event *e)
{
	hvm_save_u8(w, e->type);
	hvm_save_u8(w, e->vector);
	hvm_save_u8(w, e->has_error);
	hvm_save_u8(w, e->insn_len);
	hvm_save_u32(w, e->error);
}

static void cpu_event_load(struct hvm_save_reader *r, struct hvm_event *e)
{
	e->type = hvm_load_u8(r);
	e->vector = hvm_load_u8(r);
	e->has_error = hvm_load_u8(r);
	e->insn_len = hvm_load_u8(r);
	e->error = hvm_load_u32(r);
}

static void cpu_state_save(struct hvm_save_writer *w, const struct hvm_vcpu_state *s)
{
	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(s->gpr); i++)
		hvm_save_u64(w, s->gpr[i]);
#define X(field) hvm_save_u64(w, s->field);
	CPU_FIELDS(X)
#undef X
	for (unsigned int i = 0; i < HVM_SEG_COUNT; i++) {
		hvm_save_u16(w, s->seg[i].sel);
		hvm_save_u32(w, s->seg[i].ar);
		hvm_save_u32(w, s->seg[i].limit);
		hvm_save_u64(w, s->seg[i].base);
	}
	hvm_save_u64(w, s->gdtr.base);
	hvm_save_u16(w, s->gdtr.limit);
	hvm_save_u64(w, s->idtr.base);
	hvm_save_u16(w, s->idtr.limit);
	hvm_save_u32(w, s->intr_shadow);
	hvm_save_u32(w, s->activity);
	cpu_event_save(w, &s->pending);
	hvm_save_bytes(w, s->xsave, sizeof(s->xsave));
}

static void cpu_state_load(struct hvm_save_reader *r, struct hvm_vcpu_state *s)
{
	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(s->gpr); i++)
		s->gpr[i] = hvm_load_u64(r);
#define X(field) s->field = hvm_load_u64(r);
	CPU_FIELDS(X)
#undef X
	for (unsigned int i = 0; i < HVM_SEG_COUNT; i++) {
		s->seg[i].sel = hvm_load_u16(r);
		s->seg[i].ar = hvm_load_u32(r);
		s->seg[i].limit = hvm_load_u32(r);
		s->seg[i].base = hvm_load_u64(r);
	}
	s->gdtr.base = hvm_load_u64(r);
	s->gdtr.limit = hvm_load_u16(r);
	s->idtr.base = hvm_load_u64(r);
	s->idtr.limit = hvm_load_u16(r);
	s->intr_shadow = hvm_load_u32(r);
	s->activity = hvm_load_u32(r);
	cpu_event_load(r, &s->pending);
	/* Without the AVX component its bit in XSTATE_BV is clear: initial state. */
	hvm_load_bytes(r, s->xsave,
		       r->version < CPU_VERSION_AVX ? HVM_XSAVE_LEGACY_BYTES : sizeof(s->xsave));
}

static int cpu_record_save(struct domain *d, unsigned int instance, struct hvm_save_writer *w)
{
	struct vcpu *v = d->vcpu[instance];
	struct hvm_vcpu_state *s = hvm_os_alloc(sizeof(struct hvm_vcpu_state));

	if (s == NULL)
		return -HVM_ENOMEM;
	d->ops->store_state(v, s);
	/* What the core keeps itself. */
	s->activity = __atomic_load_n(&v->activity, __ATOMIC_SEQ_CST);
	s->pat = v->msr_pat;
	s->cr8 = vlapic_cr8_read(v);
	if (s->pending.type == HVM_EVENT_NONE)
		s->pending = v->reinject;
	cpu_state_save(w, s);
	hvm_save_u64(w, hvm_vcpu_rdtsc(v));
	hvm_save_u32(w, __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & CPU_REQUESTS);
	for (unsigned int i = 0; i < HVM_SAVED_MSRS; i++)
		hvm_save_u64(w, *hvm_msr_slot(v, hvm_saved_msr(i)));
	hvm_os_free(s);
	return w->error;
}

/* The state of registers that this domain's guests do not have would be lost. */
static bool cpu_record_fits_model(const struct vcpu *v, const struct hvm_vcpu_state *s)
{
	if (v->domain->config.cpu_model >= HVM_CPU_V3 ||
	    !((s->xcr0 | s->xsave[HVM_XSAVE_BV_AT]) & HVM_XSTATE_AVX))
		return true;
	hvm_os_log(HVM_LOG_ERROR,
		   "%s: the saved vcpu %u has AVX state, which CPU model hvm-v%u is without",
		   v->domain->name, v->id, v->domain->config.cpu_model - HVM_CPU_V1 + 1);
	return false;
}

static bool cpu_record_ok(struct vcpu *v, const struct cpu_record *c)
{
	for (unsigned int i = 0; i < HVM_SAVED_MSRS; i++) {
		if (!hvm_msr_slot_valid(hvm_saved_msr(i), c->msr[i]))
			return false;
	}
	return cpu_record_fits_model(v, &c->s) && vcpu_state_ok(v, &c->s) &&
	       hvm_msr_slot_valid(CPU_MSR_PAT, c->s.pat) && (c->requests & ~CPU_REQUESTS) == 0;
}

static int cpu_record_apply(struct vcpu *v, struct cpu_record *c)
{
	int rc;

	/* Another host's TSC stands elsewhere: the guest's goes on from where it was. */
	c->s.tsc_offset = __atomic_load_n(&v->tsc_offset, __ATOMIC_SEQ_CST);
	rc = vcpu_set_state(v, &c->s);
	if (rc != 0)
		return rc;
	__atomic_fetch_add(&v->tsc_offset, c->tsc - hvm_vcpu_rdtsc(v), __ATOMIC_SEQ_CST);
	v->msr_pat = c->s.pat;
	for (unsigned int i = 0; i < HVM_SAVED_MSRS; i++)
		*hvm_msr_slot(v, hvm_saved_msr(i)) = c->msr[i];
	__atomic_store_n(&v->requests, c->requests | HVM_REQ_EVENT, __ATOMIC_SEQ_CST);
	return 0;
}

static int cpu_record_load(struct domain *d, unsigned int instance, struct hvm_save_reader *r,
			   bool check)
{
	struct cpu_record *c = hvm_os_alloc(sizeof(struct cpu_record));
	int rc;

	if (c == NULL)
		return -HVM_ENOMEM;
	cpu_state_load(r, &c->s);
	c->tsc = hvm_load_u64(r);
	c->requests = hvm_load_u32(r);
	for (unsigned int i = 0; i < HVM_SAVED_MSRS; i++)
		c->msr[i] = hvm_load_u64(r);
	rc = r->error;
	if (rc == 0 && !cpu_record_ok(d->vcpu[instance], c))
		rc = -HVM_EINVAL;
	if (rc == 0 && !check)
		rc = cpu_record_apply(d->vcpu[instance], c);
	hvm_os_free(c);
	return rc;
}

/* -- types ----------------------------------------------------------------------------------- */

static int lapic_record_save(struct domain *d, unsigned int instance, struct hvm_save_writer *w)
{
	return vlapic_save(d->vcpu[instance], w);
}

static int lapic_record_load(struct domain *d, unsigned int instance, struct hvm_save_reader *r,
			     bool check)
{
	return vlapic_load(d->vcpu[instance], r, check);
}

#define CHIP_RECORD(name, chip) \
	static int name##_record_save(struct domain *d, unsigned int instance, \
				      struct hvm_save_writer *w) \
	{ \
		(void)instance; \
		return chip##_save(d, w); \
	} \
	static int name##_record_load(struct domain *d, unsigned int instance, \
				      struct hvm_save_reader *r, bool check) \
	{ \
		(void)instance; \
		return chip##_load(d, r, check); \
	}
CHIP_RECORD(ioapic, vioapic)
CHIP_RECORD(pic, vpic)
CHIP_RECORD(pit, vpit)
CHIP_RECORD(rtc, vrtc)
CHIP_RECORD(hpet, vhpet)
CHIP_RECORD(pmtmr, vpmtmr)

enum save_scope {
	SAVE_SCOPE_DOMAIN,
	SAVE_SCOPE_VCPU,
};

struct save_type {
	uint16_t type;
	uint16_t version; /* written */
	uint16_t oldest;  /* read */
	enum save_scope scope;
	int (*save)(struct domain *d, unsigned int instance, struct hvm_save_writer *w);
	int (*load)(struct domain *d, unsigned int instance, struct hvm_save_reader *r, bool check);
};

enum {
#define HVM_SAVE_TYPE(number, name, version, scope, text) SAVE_VERSION_##name = (version),
#include "hvm/save_types.def"
#undef HVM_SAVE_TYPE
};

#define ROW_SINCE(name, oldest, scope, fn) \
	{ \
		HVM_SAVE_##name, SAVE_VERSION_##name, oldest, SAVE_SCOPE_##scope, \
			fn##_record_save, fn##_record_load \
	}
#define ROW(name, scope, fn) ROW_SINCE(name, SAVE_VERSION_##name, scope, fn)

/* In the order in which they are written. */
static const struct save_type save_types[] = {
	ROW(DOMAIN, DOMAIN, domain), ROW_SINCE(CPU, 2, VCPU, cpu), ROW(LAPIC, VCPU, lapic),
	ROW(IOAPIC, DOMAIN, ioapic), ROW(PIC, DOMAIN, pic),	   ROW(PIT, DOMAIN, pit),
	ROW(RTC, DOMAIN, rtc),	     ROW(HPET, DOMAIN, hpet),	   ROW(PMTMR, DOMAIN, pmtmr),
};

static unsigned int save_instances(const struct domain *d, const struct save_type *t)
{
	return t->scope == SAVE_SCOPE_VCPU ? d->vcpu_count : 1;
}

/* -- saving ---------------------------------------------------------------------------------- */

/* Record header: type, version, instance, payload bytes, zero. Returns where it starts. */
static size_t save_record_begin(struct hvm_save_writer *w, uint16_t type, uint16_t version,
				uint32_t instance)
{
	size_t at = w->used;

	hvm_save_u16(w, type);
	hvm_save_u16(w, version);
	hvm_save_u32(w, instance);
	hvm_save_u32(w, 0);
	hvm_save_u32(w, 0);
	return at;
}

static void save_record_end(struct hvm_save_writer *w, size_t at)
{
	if (w->error == 0)
		save_put(w->buf + at + 8, w->used - at - HVM_SAVE_RECORD_BYTES, 4);
}

/* Requests that ioemu has not yet answered are in no record. */
static bool save_io_pending(const struct domain *d)
{
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		const struct vcpu *v = d->vcpu[i];

		if (v->replay.done != 0 || v->replay.bulk_count != 0)
			return true;
		if (v->ioreq_page != NULL && v->ioreq_page->req.state != HVM_IOREQ_STATE_FREE)
			return true;
	}
	return d->bufioreq != NULL && bufioreq_pending(d);
}

int hvm_core_save(struct domain *d, struct hvm_save_writer *w)
{
	uint32_t records = 0;
	size_t start = w->used, at;
	int rc;

	if (save_io_pending(d))
		return -HVM_EBUSY;
	hvm_save_bytes(w, HVM_SAVE_MAGIC, 8);
	hvm_save_u32(w, HVM_SAVE_VERSION);
	hvm_save_u32(w, 0);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(save_types); i++) {
		const struct save_type *t = &save_types[i];

		for (unsigned int n = 0; n < save_instances(d, t); n++, records++) {
			at = save_record_begin(w, t->type, t->version, n);
			rc = t->save(d, n, w);
			if (rc != 0)
				return rc;
			save_record_end(w, at);
		}
	}
	at = save_record_begin(w, HVM_SAVE_END, SAVE_VERSION_END, 0);
	hvm_save_u32(w, records);
	if (w->error == 0)
		save_put(w->buf + at + 8, 8, 4);
	/* Over all bytes of the stream before the sum itself. */
	hvm_save_u32(w, w->error == 0 ? save_crc(w->buf + start, w->used - start) : 0);
	return w->error;
}

/* -- loading --------------------------------------------------------------------------------- */

struct save_record {
	uint16_t type;
	uint16_t version;
	uint32_t instance;
	struct hvm_save_reader payload;
};

static int load_record_next(struct hvm_save_reader *r, struct save_record *ret)
{
	uint32_t bytes, zero;

	ret->type = hvm_load_u16(r);
	ret->version = hvm_load_u16(r);
	ret->instance = hvm_load_u32(r);
	bytes = hvm_load_u32(r);
	zero = hvm_load_u32(r);
	ret->payload = (struct hvm_save_reader){ .buf = load_take(r, bytes),
						 .size = bytes,
						 .version = ret->version };
	if (r->error != 0)
		return r->error;
	return zero == 0 ? 0 : -HVM_EINVAL;
}

static const struct save_type *load_find_type(const struct save_record *rec, size_t *ret_index)
{
	for (size_t i = 0; i < HVM_ARRAY_SIZE(save_types); i++) {
		const struct save_type *t = &save_types[i];

		if (t->type == rec->type && rec->version >= t->oldest &&
		    rec->version <= t->version) {
			*ret_index = i;
			return t;
		}
	}
	return NULL;
}

static int load_check_end(const struct hvm_save_reader *r, struct save_record *rec,
			  uint32_t records)
{
	uint32_t count = hvm_load_u32(&rec->payload), crc = hvm_load_u32(&rec->payload);

	if (rec->version != SAVE_VERSION_END || rec->instance != 0 || rec->payload.size != 8 ||
	    rec->payload.error != 0)
		return -HVM_EINVAL;
	/* END is the last of the stream. */
	if (r->used != r->size || count != records || crc != save_crc(r->buf, r->size - 4))
		return -HVM_EINVAL;
	return 0;
}

/* Was every record there? @seen: one bit an instance of each type. */
static bool load_complete(const struct domain *d, const uint32_t *seen)
{
	for (size_t i = 0; i < HVM_ARRAY_SIZE(save_types); i++) {
		if (seen[i] != (1u << save_instances(d, &save_types[i])) - 1)
			return false;
	}
	return true;
}

static int load_header(struct hvm_save_reader *r)
{
	uint8_t magic[8];
	uint32_t version, zero;

	hvm_load_bytes(r, magic, sizeof(magic));
	version = hvm_load_u32(r);
	zero = hvm_load_u32(r);
	if (r->error != 0 || memcmp(magic, HVM_SAVE_MAGIC, 8) != 0 || version != HVM_SAVE_VERSION ||
	    zero != 0)
		return -HVM_EINVAL;
	return 0;
}

static int load_pass(struct domain *d, const uint8_t *buf, size_t bytes, bool check)
{
	struct hvm_save_reader r = { .buf = buf, .size = bytes };
	uint32_t seen[HVM_ARRAY_SIZE(save_types)] = { 0 };
	uint32_t records = 0;
	int rc = load_header(&r);

	for (; rc == 0; records++) {
		const struct save_type *t;
		struct save_record rec;
		size_t i;

		rc = load_record_next(&r, &rec);
		if (rc != 0)
			return rc;
		if (rec.type == HVM_SAVE_END) {
			rc = load_check_end(&r, &rec, records);
			return rc == 0 && !load_complete(d, seen) ? -HVM_EINVAL : rc;
		}
		t = load_find_type(&rec, &i);
		if (t == NULL || rec.instance >= save_instances(d, t) ||
		    (seen[i] >> rec.instance & 1))
			return -HVM_EINVAL;
		seen[i] |= 1u << rec.instance;
		rc = t->load(d, rec.instance, &rec.payload, check);
		if (rc == 0 && rec.payload.used != rec.payload.size)
			rc = -HVM_EINVAL;
	}
	return rc;
}

int hvm_core_load(struct domain *d, const uint8_t *buf, size_t bytes)
{
	int rc = load_pass(d, buf, bytes, true);

	return rc == 0 ? load_pass(d, buf, bytes, false) : rc;
}
