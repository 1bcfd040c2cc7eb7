/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of core/save.c: fields, framing, and that a hostile stream changes nothing. */
#include <stdio.h>

#include "fake_domain.h"

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/* CRC-32, written down a second time: the sum at the end after the bytes before it changed. */
static void fix_crc(uint8_t *buf, size_t bytes)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < bytes - 4; i++) {
		crc ^= buf[i];
		for (int b = 0; b < 8; b++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	put32(buf + bytes - 4, ~crc);
}

static struct domain *busy_domain(void)
{
	struct domain *d = fake_domain_create(2);

	fake_pic_init(d);
	for (unsigned int i = 0; i < 2; i++) {
		struct hvm_vcpu_state *s = &fake_vcpu(d->vcpu[i])->state;

		memset(s, 0, sizeof(*s));
		s->rflags = 2;
		s->rip = 0x1000 + i;
		s->gpr[3] = 0x1122334455667788ull;
		s->cr0 = 0x80000011;
		s->cr4 = 0x20;
		s->efer = 0x500;
		s->seg[HVM_SEG_CS].sel = 0x10;
		s->seg[HVM_SEG_CS].limit = 0xffffffff;
		s->xsave[0] = 0x7f;
		s->xsave[575] = 0x5a;
		fake_lapic_enable(d->vcpu[i]);
	}
	__atomic_store_n(&d->vcpu[1]->activity, HVM_ACTIVITY_HLT, __ATOMIC_SEQ_CST);
	__atomic_store_n(&d->vcpu[1]->requests, HVM_REQ_NMI, __ATOMIC_SEQ_CST);
	vlapic_accept(d->vcpu[0], 0x51, false);
	vpic_set_irq(d, 5, true);
	fake_run_to(123456789);
	return d;
}

static struct domain *empty_domain(void)
{
	return fake_domain_create(2);
}

static void save(struct domain *d, struct hvm_save_writer *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(hvm_core_save(d, w), 0);
}

static void fields_are_little_endian_and_read_back(void **state)
{
	static const uint8_t expect[] = { 0x11, 0x33, 0x22, 0x77, 0x66, 0x55, 0x44, 8,	7,
					  6,	5,    4,    3,	  2,	1,    'a',  'b' };
	struct hvm_save_writer w = { 0 };
	struct hvm_save_reader r = { 0 };
	char text[2];

	(void)state;
	hvm_save_u8(&w, 0x11);
	hvm_save_u16(&w, 0x2233);
	hvm_save_u32(&w, 0x44556677);
	hvm_save_u64(&w, 0x0102030405060708ull);
	hvm_save_bytes(&w, "ab", 2);
	assert_int_equal(w.error, 0);
	assert_int_equal(w.used, sizeof(expect));
	assert_memory_equal(w.buf, expect, sizeof(expect));
	r.buf = w.buf;
	r.size = w.used;
	assert_int_equal(hvm_load_u8(&r), 0x11);
	assert_int_equal(hvm_load_u16(&r), 0x2233);
	assert_int_equal(hvm_load_u32(&r), 0x44556677);
	assert_int_equal(hvm_load_u64(&r), 0x0102030405060708ull);
	hvm_load_bytes(&r, text, 2);
	assert_memory_equal(text, "ab", 2);
	assert_int_equal(r.error, 0);
	hvm_os_free(w.buf);
}

static void reading_past_the_end_is_sticky_and_gives_zero(void **state)
{
	static const uint8_t three[] = { 1, 2, 3 };
	struct hvm_save_reader r = { .buf = three, .size = 3 };
	uint8_t bytes[4] = { 9, 9, 9, 9 };

	(void)state;
	assert_int_equal(hvm_load_u32(&r), 0);
	assert_int_equal(r.error, -HVM_EINVAL);
	assert_int_equal(hvm_load_u8(&r), 0);
	hvm_load_bytes(&r, bytes, 4);
	assert_int_equal(bytes[0] | bytes[3], 0);
	r = (struct hvm_save_reader){ .buf = three, .size = 3, .used = 1 };
	hvm_load_bytes(&r, bytes, 4);
	assert_int_equal(r.error, -HVM_EINVAL);
}

static void writing_without_memory_is_sticky(void **state)
{
	struct hvm_save_writer w = { 0 };
	uint8_t block[4000] = { 0 };

	(void)state;
	hvm_save_u8(&w, 1);
	hvm_os_test_fail_alloc_after(0);
	hvm_save_bytes(&w, block, sizeof(block));
	hvm_save_bytes(&w, block, sizeof(block));
	hvm_os_test_fail_alloc_after(-1);
	hvm_save_u8(&w, 1);
	assert_int_equal(w.error, -HVM_ENOMEM);
	assert_int_equal(w.used, 4001);
	hvm_os_free(w.buf);
}

static void a_loaded_domain_saves_the_same_stream(void **state)
{
	struct domain *d = busy_domain(), *other;
	struct hvm_save_writer w, w2;
	struct hvm_vcpu_state *s;

	(void)state;
	d->vcpu[0]->reinject = (struct hvm_event){ .type = HVM_EVENT_EXT_INTR, .vector = 0x33 };
	save(d, &w);
	other = empty_domain();
	assert_int_equal(hvm_core_load(other, w.buf, w.used), 0);
	s = &fake_vcpu(other->vcpu[1])->state;
	assert_int_equal(s->rip, 0x1001);
	assert_int_equal(s->gpr[3], 0x1122334455667788ull);
	assert_int_equal(s->seg[HVM_SEG_CS].limit, 0xffffffff);
	assert_int_equal(s->xsave[575], 0x5a);
	assert_int_equal(other->vcpu[1]->activity, HVM_ACTIVITY_HLT);
	assert_true(other->vcpu[1]->requests & HVM_REQ_NMI);
	assert_int_equal(other->vcpu[0]->reinject.vector, 0x33);
	assert_int_equal(hvm_vcpu_rdtsc(other->vcpu[0]), hvm_vcpu_rdtsc(other->vcpu[1]));
	save(other, &w2);
	assert_int_equal(w2.used, w.used);
	assert_memory_equal(w2.buf, w.buf, w.used);
	assert_int_equal(fake_take(other->vcpu[0]), 0x51);
	domain_destroy(other);
	domain_destroy(d);
	hvm_os_free(w.buf);
	hvm_os_free(w2.buf);
	hvm_os_test_real_clock();
}

static void guest_tsc_goes_on_from_its_value(void **state)
{
	struct domain *d = busy_domain(), *other;
	struct hvm_save_writer w;
	uint64_t tsc;

	(void)state;
	d->vcpu[0]->tsc_offset += 1000000007;
	tsc = hvm_vcpu_rdtsc(d->vcpu[0]);
	save(d, &w);
	other = empty_domain();
	fake_jump_to(5000000000ull);
	assert_int_equal(hvm_core_load(other, w.buf, w.used), 0);
	assert_int_equal(hvm_vcpu_rdtsc(other->vcpu[0]), tsc);
	domain_destroy(other);
	domain_destroy(d);
	hvm_os_free(w.buf);
	hvm_os_test_real_clock();
}

static void guest_tsc_keeps_its_rate(void **state)
{
	struct domain *d = busy_domain(), *other;
	uint64_t khz = hvm_os_tsc_khz() / 2, tsc;
	struct hvm_save_writer w;

	(void)state;
	fake_ratio_bits = 48;
	assert_int_equal(domain_set_tsc_khz(d, khz, false), 0);
	tsc = hvm_vcpu_rdtsc(d->vcpu[0]);
	save(d, &w);
	other = empty_domain();
	fake_jump_to(5000000000ull);
	assert_int_equal(hvm_core_load(other, w.buf, w.used), 0);
	assert_int_equal(hvm_tsc_khz(other), khz);
	assert_int_equal(hvm_vcpu_rdtsc(other->vcpu[0]), tsc);
	domain_destroy(other);
	fake_ratio_bits = 0;
	other = empty_domain();
	assert_int_equal(hvm_core_load(other, w.buf, w.used), -HVM_EINVAL);
	domain_destroy(other);
	domain_destroy(d);
	hvm_os_free(w.buf);
	hvm_os_test_real_clock();
}

/* Offsets of all record headers; returns how many, END included. */
static unsigned int records(const uint8_t *buf, size_t bytes, size_t *at, unsigned int max)
{
	unsigned int n = 0;

	for (size_t p = HVM_SAVE_HEADER_BYTES; p < bytes; n++) {
		assert_true(n < max);
		at[n] = p;
		p += HVM_SAVE_RECORD_BYTES + get32(buf + p + 8);
	}
	return n;
}

static void stream_has_each_record_once(void **state)
{
	struct domain *d = busy_domain();
	struct hvm_save_writer w;
	unsigned int count[10] = { 0 }, n;
	size_t at[32];

	(void)state;
	save(d, &w);
	assert_memory_equal(w.buf, "HVMSAVE", 8);
	n = records(w.buf, w.used, at, 32);
	for (unsigned int i = 0; i < n; i++)
		count[w.buf[at[i]]]++;
	for (unsigned int type = 0; type < 10; type++)
		assert_int_equal(count[type],
				 type == HVM_SAVE_CPU || type == HVM_SAVE_LAPIC ? 2 : 1);
	assert_int_equal(w.buf[at[n - 1]], HVM_SAVE_END);
	domain_destroy(d);
	hvm_os_free(w.buf);
	hvm_os_test_real_clock();
}

/* A refused stream must leave this domain as it was: what it saves is the same as before. */
static void assert_refused(struct domain *d, const struct hvm_save_writer *before,
			   const uint8_t *buf, size_t bytes)
{
	struct hvm_save_writer after;

	assert_int_equal(hvm_core_load(d, buf, bytes), -HVM_EINVAL);
	save(d, &after);
	assert_int_equal(after.used, before->used);
	assert_memory_equal(after.buf, before->buf, after.used);
	hvm_os_free(after.buf);
}

struct refuse {
	struct domain *from, *to;
	struct hvm_save_writer w, before;
	uint8_t *copy;
	size_t at[32];
	unsigned int records;
};

static void refuse_init(struct refuse *f)
{
	f->from = busy_domain();
	save(f->from, &f->w);
	f->to = empty_domain();
	for (unsigned int i = 0; i < 2; i++)
		fake_vcpu(f->to->vcpu[i])->state.rflags = 2;
	save(f->to, &f->before);
	f->copy = malloc(f->w.used + 64);
	assert_non_null(f->copy);
	memcpy(f->copy, f->w.buf, f->w.used);
	f->records = records(f->w.buf, f->w.used, f->at, 32);
}

static void refuse_fini(struct refuse *f)
{
	free(f->copy);
	hvm_os_free(f->w.buf);
	hvm_os_free(f->before.buf);
	domain_destroy(f->from);
	domain_destroy(f->to);
	hvm_os_test_real_clock();
}

/* -- AVX state ------------------------------------------------------------------------------- */

static struct domain *model_domain(enum hvm_cpu_model model)
{
	const struct hvm_domain_config cfg = { .cpu_model = model,
					       .vcpus = 2,
					       .rtc_base_s = FAKE_RTC_S };
	struct domain *d = NULL;

	hvm_os_test_set_clock(FAKE_EPOCH_NS);
	assert_int_equal(domain_create(&cfg, &fake_function_table, &d), 0);
	for (unsigned int i = 0; i < 2; i++)
		fake_vcpu(d->vcpu[i])->state.rflags = 2;
	return d;
}

static struct hvm_vcpu_state *avx_state(struct domain *d)
{
	struct hvm_vcpu_state *s = &fake_vcpu(d->vcpu[1])->state;

	s->xcr0 = 7;
	s->xsave[HVM_XSAVE_BV_AT] = 7;
	memset(s->xsave + HVM_XSAVE_LEGACY_BYTES, 0xa7, 256);
	return s;
}

static void avx_state_is_saved_and_loaded(void **state)
{
	struct domain *d = model_domain(HVM_CPU_V3), *other = model_domain(HVM_CPU_V3);
	const struct hvm_vcpu_state *from = avx_state(d), *to;
	struct hvm_save_writer w;

	(void)state;
	save(d, &w);
	assert_int_equal(hvm_core_load(other, w.buf, w.used), 0);
	to = &fake_vcpu(other->vcpu[1])->state;
	assert_int_equal(to->xcr0, 7);
	assert_memory_equal(to->xsave, from->xsave, HVM_XSAVE_BYTES);
	assert_int_equal(to->xsave[HVM_XSAVE_BYTES - 1], 0xa7);
	domain_destroy(other);
	domain_destroy(d);
	hvm_os_free(w.buf);
	hvm_os_test_real_clock();
}

static char logged[256];

static void keep_log(enum hvm_log_level level, const char *line)
{
	if (level == HVM_LOG_ERROR)
		snprintf(logged, sizeof(logged), "%s", line);
}

/* Either trace of AVX: XCR0 uses it, or the area holds it. The model in DOMAIN is made to fit. */
static void avx_state_is_refused_below_its_model_with_a_reason(void **state)
{
	(void)state;
	hvm_os_test_log_sink(keep_log);
	for (unsigned int which = 0; which < 3; which++) {
		struct domain *d = model_domain(HVM_CPU_V3), *other = model_domain(HVM_CPU_V2);
		struct hvm_vcpu_state *s = avx_state(d);
		struct hvm_save_writer w;

		if (which == 1)
			s->xcr0 = 3;
		if (which == 2)
			s->xsave[HVM_XSAVE_BV_AT] = 3;
		save(d, &w);
		logged[0] = 0;
		assert_int_equal(hvm_core_load(other, w.buf, w.used), -HVM_EINVAL);
		assert_non_null(strstr(logged, "CPU model hvm-v3"));
		put32(w.buf + HVM_SAVE_HEADER_BYTES + HVM_SAVE_RECORD_BYTES + 4, HVM_CPU_V2);
		fix_crc(w.buf, w.used);
		assert_int_equal(hvm_core_load(other, w.buf, w.used), -HVM_EINVAL);
		assert_non_null(strstr(logged, "AVX state, which CPU model hvm-v2 is without"));
		domain_destroy(other);
		domain_destroy(d);
		hvm_os_free(w.buf);
	}
	hvm_os_test_log_sink(NULL);
	hvm_os_test_real_clock();
}

/* Bytes of a CPU record before the XSAVE area, and of the area in version 2. */
#define CPU_BEFORE_XSAVE (16u * 8 + 30 * 8 + 8 * 18 + 20 + 8 + 8)
#define CPU_V2_XSAVE	 576u

/* @w as a release before AVX would have written it: CPU records of version 2. */
static size_t as_version_2(const struct hvm_save_writer *w, uint8_t *to)
{
	size_t at[32], used = HVM_SAVE_HEADER_BYTES;
	unsigned int n = records(w->buf, w->used, at, 32);

	memcpy(to, w->buf, used);
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *from = w->buf + at[i];
		size_t bytes = HVM_SAVE_RECORD_BYTES + get32(from + 8), head = bytes;

		if (from[0] == HVM_SAVE_CPU)
			head = HVM_SAVE_RECORD_BYTES + CPU_BEFORE_XSAVE + CPU_V2_XSAVE;
		memcpy(to + used, from, head);
		if (from[0] == HVM_SAVE_CPU) {
			memcpy(to + used + head, from + head + 256, bytes - head - 256);
			to[used + 2] = 2;
			bytes -= 256;
			put32(to + used + 8, (uint32_t)bytes - HVM_SAVE_RECORD_BYTES);
		}
		used += bytes;
	}
	fix_crc(to, used);
	return used;
}

static void a_stream_from_before_avx_is_loaded(void **state)
{
	struct domain *d = busy_domain(), *other = empty_domain();
	struct hvm_save_writer w, again;
	uint8_t *old;
	size_t bytes;

	(void)state;
	save(d, &w);
	old = malloc(w.used);
	assert_non_null(old);
	bytes = as_version_2(&w, old);
	assert_int_equal(bytes, w.used - 2 * 256);
	/* What was there must not stay. */
	memset(fake_vcpu(other->vcpu[0])->state.xsave, 0xee, HVM_XSAVE_BYTES);
	assert_int_equal(hvm_core_load(other, old, bytes), 0);
	save(other, &again);
	assert_int_equal(again.used, w.used);
	assert_memory_equal(again.buf, w.buf, w.used);
	/* Nor is one taken that is as short as the old one and says that it is new. */
	for (size_t at = HVM_SAVE_HEADER_BYTES; at < bytes;
	     at += HVM_SAVE_RECORD_BYTES + get32(old + at + 8)) {
		if (old[at] == HVM_SAVE_CPU)
			old[at + 2] = 3;
	}
	fix_crc(old, bytes);
	assert_int_equal(hvm_core_load(other, old, bytes), -HVM_EINVAL);
	free(old);
	hvm_os_free(again.buf);
	domain_destroy(other);
	domain_destroy(d);
	hvm_os_free(w.buf);
	hvm_os_test_real_clock();
}

static void versions_out_of_reach_are_refused(void **state)
{
	struct refuse f;

	(void)state;
	refuse_init(&f);
	for (unsigned int i = 0; i < f.records; i++) {
		uint8_t *version = f.copy + f.at[i] + 2, was = *version;
		unsigned int oldest = f.copy[f.at[i]] == HVM_SAVE_CPU ? 2 : was;

		*version = (uint8_t)(oldest - 1);
		fix_crc(f.copy, f.w.used);
		assert_refused(f.to, &f.before, f.copy, f.w.used);
		*version = (uint8_t)(was + 1);
		fix_crc(f.copy, f.w.used);
		assert_refused(f.to, &f.before, f.copy, f.w.used);
		*version = was;
	}
	refuse_fini(&f);
}

static void truncated_streams_are_refused_at_every_length(void **state)
{
	struct refuse f;

	(void)state;
	refuse_init(&f);
	for (size_t bytes = 0; bytes < f.w.used; bytes += bytes < 200 ? 1 : 13) {
		/* Exactly as long as it says, so that a sanitizer sees a read beyond. */
		uint8_t *exact = malloc(bytes + 1);

		assert_non_null(exact);
		memcpy(exact, f.w.buf, bytes);
		assert_int_equal(hvm_core_load(f.to, exact, bytes), -HVM_EINVAL);
		free(exact);
	}
	assert_refused(f.to, &f.before, f.w.buf, f.w.used - 1);
	f.copy[f.w.used] = 0;
	assert_refused(f.to, &f.before, f.copy, f.w.used + 1);
	refuse_fini(&f);
}

static void a_flipped_bit_is_found_by_the_sum(void **state)
{
	struct refuse f;

	(void)state;
	refuse_init(&f);
	for (size_t i = 0; i < f.w.used; i += 7) {
		f.copy[i] ^= 1u << i % 8;
		assert_int_equal(hvm_core_load(f.to, f.copy, f.w.used), -HVM_EINVAL);
		f.copy[i] ^= 1u << i % 8;
	}
	assert_refused(f.to, &f.before, f.w.buf, 0);
	refuse_fini(&f);
}

/* One field of a record's header or payload made wrong, the sum made right. */
static void wrong_records_are_refused(void **state)
{
	static const struct {
		uint8_t type;
		unsigned int offset;
		uint8_t value;
	} rows[] = {
		{ HVM_SAVE_DOMAIN, 0, 200 },	      /* unknown type */
		{ HVM_SAVE_PIC, 2, 9 },		      /* unknown version */
		{ HVM_SAVE_PIC, 4, 1 },		      /* no such instance */
		{ HVM_SAVE_CPU, 4, 1 },		      /* twice the same */
		{ HVM_SAVE_PIC, 0, HVM_SAVE_IOAPIC }, /* twice, and one missing */
		{ HVM_SAVE_PIC, 8, 21 },	      /* longer than it is */
		{ HVM_SAVE_PIC, 11, 0xff },	      /* longer than the stream */
		{ HVM_SAVE_PIC, 12, 1 },	      /* reserved */
		{ HVM_SAVE_DOMAIN, 16, 3 },	      /* another number of vcpus */
		{ HVM_SAVE_DOMAIN, 20, 1 },	      /* another model */
		{ HVM_SAVE_DOMAIN, 23, 0x10 },	      /* another TSC */
		{ HVM_SAVE_PIC, 16 + 6, 8 },	      /* a priority that is none */
		{ HVM_SAVE_RTC, 16 + 129, 7 },	      /* an eighth weekday */
		{ HVM_SAVE_END, 16, 99 },	      /* record count */
	};
	struct refuse f;

	(void)state;
	refuse_init(&f);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		unsigned int n = 0;

		while (f.w.buf[f.at[n]] != rows[i].type)
			n++;
		f.copy[f.at[n] + rows[i].offset] = rows[i].value;
		if (rows[i].type == HVM_SAVE_DOMAIN && rows[i].offset == 23)
			f.copy[f.at[n] + 16 + 12] = rows[i].value;
		fix_crc(f.copy, f.w.used);
		assert_refused(f.to, &f.before, f.copy, f.w.used);
		memcpy(f.copy, f.w.buf, f.w.used);
	}
	assert_int_equal(hvm_core_load(f.to, f.copy, f.w.used), 0);
	refuse_fini(&f);
}

/* What the loading domain's processor could not have been brought into by its own instructions. */
static void cpu_records_beyond_the_model_are_refused(void **state)
{
	/* Offsets in the payload of CPU; from the end: the saved MSRs. */
	static const struct {
		int offset;
		uint8_t value;
	} rows[] = {
		{ 136, 0 },			 /* RFLAGS without bit 1 */
		{ 144 + 3, 0x80 },		 /* paging without protection */
		{ 168 + 2, 0x04 },		 /* CR4.OSXSAVE on x86-64-v1 */
		{ 168 + 2, 0x01 },		 /* CR4.FSGSBASE */
		{ 168 + 1, 0x20 },		 /* CR4.VMXE */
		{ 168 + 4, 1 },			 /* CR4, upper half */
		{ 176, 16 },			 /* CR8 */
		{ 232 + 1, 0x15 },		 /* EFER.SVME */
		{ 304, 2 },			 /* PAT: reserved memory type */
		{ 320, 7 },			 /* XCR0: AVX */
		{ 328, 1 },			 /* XSS */
		{ -8 * HVM_SAVED_MSRS + 7, 1 },	 /* MISC_ENABLE */
		{ -8 * HVM_SAVED_MSRS + 8, 4 },	 /* SPEC_CTRL: SSBD */
		{ -8 * HVM_SAVED_MSRS + 16, 7 }, /* MTRR default type */
		{ -8 * 16, 2 },			 /* first variable MTRR: type */
		{ -8, 1 },			 /* last mask: reserved bits */
	};
	struct refuse f;
	unsigned int n = 0;

	(void)state;
	refuse_init(&f);
	while (f.w.buf[f.at[n]] != HVM_SAVE_CPU)
		n++;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		size_t base = rows[i].offset < 0 ? f.at[n + 1] : f.at[n] + HVM_SAVE_RECORD_BYTES;

		f.copy[base + (size_t)rows[i].offset] = rows[i].value;
		if (rows[i].offset == 144 + 3)
			f.copy[base + 144] = 0;
		fix_crc(f.copy, f.w.used);
		if (hvm_core_load(f.to, f.copy, f.w.used) != -HVM_EINVAL)
			fail_msg("row %zu was loaded", i);
		assert_refused(f.to, &f.before, f.copy, f.w.used);
		memcpy(f.copy, f.w.buf, f.w.used);
	}
	refuse_fini(&f);
}

/* Version 1 of the record had neither MTRRs nor SPEC_CTRL: a guest's came back as at power-on. */
static void memory_types_and_spec_ctrl_are_saved(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} rows[] = {
		{ 0x48, 1 },
		{ 0x1a0, 0x1000 },
		{ 0x277, 0x0706050401000605 },
		{ 0x2ff, 0xc06 },
		{ 0x200, 0xc0000000 },
		{ 0x201, 0xffc0000800 },
		{ 0x20e, 0x1006 },
		{ 0x20f, 0x800 },
		{ 0x250, 0x0606060606060606 },
		{ 0x26f, 0x0505050505050505 },
		{ 0x26a, 0x01 },
	};
	struct domain *d = busy_domain(), *to;
	struct hvm_save_writer w;

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++)
		assert_int_equal(hvm_msr_write(d->vcpu[1], rows[i].msr, rows[i].value), 0);
	save(d, &w);
	to = empty_domain();
	assert_int_equal(hvm_core_load(to, w.buf, w.used), 0);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		uint64_t value = 0, one = 0, was = 0;

		assert_int_equal(hvm_msr_read(to->vcpu[1], rows[i].msr, &value), 0);
		assert_int_equal(value, rows[i].value);
		assert_int_equal(hvm_msr_read(d->vcpu[0], rows[i].msr, &was), 0);
		assert_int_equal(hvm_msr_read(to->vcpu[0], rows[i].msr, &one), 0);
		assert_int_equal(one, was);
	}
	/* The list names each register once, and all that are stored. */
	for (unsigned int i = 0; i < HVM_SAVED_MSRS; i++) {
		assert_non_null(hvm_msr_slot(d->vcpu[0], hvm_saved_msr(i)));
		for (unsigned int n = 0; n < i; n++)
			assert_int_not_equal(hvm_saved_msr(i), hvm_saved_msr(n));
	}
	domain_destroy(d);
	domain_destroy(to);
	hvm_os_free(w.buf);
	hvm_os_test_real_clock();
}

/* A request that the loading domain had out is not the loaded guest's. */
static void loading_drops_what_was_asked_before(void **state)
{
	struct domain *d = busy_domain(), *to;
	struct hvm_save_writer w;
	uint32_t value = 0;

	(void)state;
	save(d, &w);
	to = empty_domain();
	assert_int_equal(hvm_pio_read(to->vcpu[0], 0x60, 1, &value), -HVM_EAGAIN);
	assert_int_equal(hvm_core_load(to, w.buf, w.used), 0);
	assert_false(ioreq_waits(to->vcpu[0]));
	assert_int_equal(to->vcpu[0]->ioreq_page->req.state, HVM_IOREQ_STATE_FREE);
	domain_destroy(d);
	domain_destroy(to);
	hvm_os_free(w.buf);
	hvm_os_test_real_clock();
}

/* With the sum made right, anything may be in the payloads: refuse or load, never fault. */
static void random_payloads_never_fault(void **state)
{
	struct refuse f;
	uint32_t seed = 11;
	unsigned int loaded = 0;

	(void)state;
	refuse_init(&f);
	for (int i = 0; i < 3000; i++) {
		unsigned int n;

		for (int k = 0; k < 3; k++) {
			seed = seed * 1664525 + 1013904223;
			n = (seed >> 16) % (f.records - 1);
			if (f.at[n + 1] - f.at[n] <= 16)
				continue;
			f.copy[f.at[n] + 16 + (seed >> 4) % (f.at[n + 1] - f.at[n] - 16)] =
				(uint8_t)(seed >> 24);
		}
		fix_crc(f.copy, f.w.used);
		if (hvm_core_load(f.to, f.copy, f.w.used) == 0)
			loaded++;
		fake_run_to(FAKE_EPOCH_NS / 1000 + (uint64_t)i * 100000);
		memcpy(f.copy, f.w.buf, f.w.used);
	}
	assert_true(loaded > 0);
	refuse_fini(&f);
}

static void unanswered_requests_stop_the_saving(void **state)
{
	struct domain *d = busy_domain();
	struct hvm_save_writer w = { 0 };

	(void)state;
	d->vcpu[1]->ioreq_page->req.state = HVM_IOREQ_STATE_READY;
	assert_int_equal(hvm_core_save(d, &w), -HVM_EBUSY);
	d->vcpu[1]->ioreq_page->req.state = HVM_IOREQ_STATE_FREE;
	d->vcpu[0]->replay.done = 1;
	assert_int_equal(hvm_core_save(d, &w), -HVM_EBUSY);
	d->vcpu[0]->replay.done = 0;
	d->bufioreq->write_index++;
	assert_int_equal(hvm_core_save(d, &w), -HVM_EBUSY);
	d->bufioreq->read_index++;
	assert_int_equal(hvm_core_save(d, &w), 0);
	hvm_os_free(w.buf);
	domain_destroy(d);
	hvm_os_test_real_clock();
}

static void saving_and_loading_without_memory_fail_cleanly(void **state)
{
	struct domain *d = busy_domain();
	struct hvm_save_writer w;
	bool ok = false;

	(void)state;
	for (long n = 0; !ok && n < 20; n++) {
		int rc;

		memset(&w, 0, sizeof(w));
		hvm_os_test_fail_alloc_after(n);
		rc = hvm_core_save(d, &w);
		hvm_os_test_fail_alloc_after(-1);
		assert_true(rc == 0 || rc == -HVM_ENOMEM);
		ok = rc == 0;
		if (!ok)
			hvm_os_free(w.buf);
	}
	assert_true(ok);
	hvm_os_test_fail_alloc_after(0);
	assert_int_equal(hvm_core_load(d, w.buf, w.used), -HVM_ENOMEM);
	hvm_os_test_fail_alloc_after(-1);
	hvm_os_free(w.buf);
	domain_destroy(d);
	hvm_os_test_real_clock();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_little_endian_and_read_back),
		cmocka_unit_test(reading_past_the_end_is_sticky_and_gives_zero),
		cmocka_unit_test(writing_without_memory_is_sticky),
		cmocka_unit_test(a_loaded_domain_saves_the_same_stream),
		cmocka_unit_test(guest_tsc_goes_on_from_its_value),
		cmocka_unit_test(guest_tsc_keeps_its_rate),
		cmocka_unit_test(stream_has_each_record_once),
		cmocka_unit_test(avx_state_is_saved_and_loaded),
		cmocka_unit_test(avx_state_is_refused_below_its_model_with_a_reason),
		cmocka_unit_test(a_stream_from_before_avx_is_loaded),
		cmocka_unit_test(versions_out_of_reach_are_refused),
		cmocka_unit_test(truncated_streams_are_refused_at_every_length),
		cmocka_unit_test(a_flipped_bit_is_found_by_the_sum),
		cmocka_unit_test(wrong_records_are_refused),
		cmocka_unit_test(cpu_records_beyond_the_model_are_refused),
		cmocka_unit_test(memory_types_and_spec_ctrl_are_saved),
		cmocka_unit_test(loading_drops_what_was_asked_before),
		cmocka_unit_test(random_payloads_never_fault),
		cmocka_unit_test(unanswered_requests_stop_the_saving),
		cmocka_unit_test(saving_and_loading_without_memory_fail_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
