/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of soft/trim.c: who is quiet, that memory goes back, and that the guest does not notice. */
#include "soft_guest.h"

#include "lib/lib_ops.h"
#include "os/posix/os_test.h"
#include "soft/soft.h"

#define SECOND 1000u

/* Stays in the guest, one after the other; after the last one it is due, and never before. */
static void ten_quiet_seconds_are_due(void **state)
{
	struct soft_trim t = { 0 };

	(void)state;
	for (uint64_t at = 1; at < 10 * SECOND; at += 100)
		assert_false(soft_trim_note(&t, at, at + 1, SECOND));
	assert_true(soft_trim_note(&t, 10 * SECOND + 50, 10 * SECOND + 51, SECOND));
	assert_false(soft_trim_note(&t, 10 * SECOND + 100, 10 * SECOND + 101, SECOND));
}

static void work_starts_the_count_again(void **state)
{
	struct soft_trim t = { 0 };

	(void)state;
	for (uint64_t at = 1; at < 9 * SECOND; at += 100)
		assert_false(soft_trim_note(&t, at, at + 1, SECOND));
	assert_false(soft_trim_note(&t, 9 * SECOND + 1, 9 * SECOND + 100, SECOND));
	for (uint64_t at = 9 * SECOND + 101; at < 19 * SECOND; at += 100)
		assert_false(soft_trim_note(&t, at, at + 1, SECOND));
}

static void long_sleep_is_quiet(void **state)
{
	struct soft_trim t = { 0 };

	(void)state;
	assert_false(soft_trim_note(&t, 1, 20, SECOND));
	assert_true(soft_trim_note(&t, 100 * SECOND, 100 * SECOND + 20, SECOND));
}

static uint64_t stat(struct guest *g, const char *name)
{
	uint64_t values[64];
	size_t count = hvm_vcpu_stats(hvm_domain_vcpu(g->d, 0), values, 64);

	for (size_t i = 0; i < count && i < 64; i++) {
		if (!strcmp(hvm_stat_name(i), name))
			return values[i];
	}
	fail_msg("no statistic %s", name);
	return 0;
}

#define BLOCKS	    6000u
#define BLOCK_BYTES 32u
#define CODE	    0x200000u

/* Blocks of 29 times INC EAX and a jump to the next; then OUT 0xf0, and to the start. */
static void write_code(struct guest *g)
{
	uint8_t *p = g->ram + CODE;
	int32_t back;

	for (unsigned int i = 0; i < BLOCKS; i++, p += BLOCK_BYTES) {
		for (unsigned int n = 0; n < 14; n++)
			memcpy(p + n * 2, "\xff\xc0", 2);
		memcpy(p + 28, "\xeb\x02", 2);
	}
	memcpy(p, "\xe7\xf0\xe9", 3);
	back = (int32_t)(g->ram + CODE - (p + 7));
	memcpy(p + 3, &back, 4);
}

static size_t resident_of(void *start, size_t bytes)
{
	size_t pages = bytes / 4096, count = 0;
	unsigned char *in = malloc(pages);

	assert_int_equal(mincore(start, bytes, in), 0);
	for (size_t i = 0; i < pages; i++)
		count += in[i] & 1;
	free(in);
	return count * 4096;
}

/* Resident bytes of decoded blocks and translated code, but for the common routines. */
static size_t resident(struct guest *g)
{
	const struct soft_vcpu *sv = g->d->core->vcpu[0]->vendor;
	size_t keep = (sv->tr.common_bytes + 4095u) & ~4095u;
	size_t bytes = resident_of(sv->blocks.arena, sv->blocks.arena_bytes);

	if (sv->tr.code.rw)
		bytes += resident_of(sv->tr.code.rw + keep, sv->tr.code.bytes - keep);
	return bytes;
}

static void run_to_out(struct guest *g, uint64_t ns)
{
	struct hvm_vcpu *v = hvm_domain_vcpu(g->d, 0);
	struct hvm_exit e = { 0 };

	hvm_os_test_set_clock(ns);
	do {
		assert_int_equal(hvm_vcpu_run(v, &e), 0);
		assert_int_equal(e.reason, HVM_EXIT_IOREQ);
		guest_serve(g, hvm_vcpu_ioreq(v));
	} while (!g->traced);
}

static void a_quiet_guest_gives_memory_back(const char *translator)
{
	struct guest g;
	uint32_t sum = 0;
	uint64_t ns = 1000000000;

	setenv("HVM_TRANSLATOR", translator, 1);
	guest_create(&g, 1);
	guest_page_tables(&g);
	guest_gdt(&g);
	write_code(&g);
	guest_start_long(&g, 0, CODE, 0);
	/* Each round decodes and runs all; the clock stands still, so none of them takes time. */
	for (unsigned int i = 0; i < 10; i++, ns += 1000000000) {
		g.traced = 0;
		run_to_out(&g, ns);
		assert_int_equal(g.trace[0] - sum, BLOCKS * 14);
		sum = g.trace[0];
		assert_int_equal(stat(&g, "trims"), 0);
	}
	assert_true(resident(&g) > 2u << 20);
	for (unsigned int i = 0; i < 2 && !stat(&g, "trims"); i++, ns += 1000000000) {
		g.traced = 0;
		run_to_out(&g, ns);
		assert_int_equal(g.trace[0] - sum, BLOCKS * 14);
		sum = g.trace[0];
	}
	assert_int_equal(stat(&g, "trims"), 1);
	assert_int_equal(resident(&g), 0);
	for (unsigned int i = 0; i < 5; i++) {
		g.traced = 0;
		run_to_out(&g, ns);
		assert_int_equal(g.trace[0] - sum, BLOCKS * 14);
		sum = g.trace[0];
	}
	assert_int_equal(stat(&g, "trims"), 1);
	guest_destroy(&g);
	hvm_os_test_real_clock();
}

static void quiet_and_interpreted_memory_goes_back(void **state)
{
	(void)state;
	a_quiet_guest_gives_memory_back("0");
}

static void quiet_and_translated_memory_goes_back(void **state)
{
	(void)state;
	a_quiet_guest_gives_memory_back("1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_quiet_seconds_are_due),
		cmocka_unit_test(work_starts_the_count_again),
		cmocka_unit_test(long_sleep_is_quiet),
		cmocka_unit_test(quiet_and_interpreted_memory_goes_back),
		cmocka_unit_test(quiet_and_translated_memory_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
