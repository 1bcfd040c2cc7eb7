/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_save.c - libFuzzer target: save streams of strangers, through hvm.h alone. The input changes
 * bytes of a good stream (or is one by itself); the sum at its end is made right, so that the
 * checks of every record are reached. What is refused must have changed nothing. What is loaded
 * must be a machine: it can be saved again, that stream can be loaded, and its vcpu runs. Half of
 * the inputs are for the CPU model with AVX state, where the host can be it.
 *
 * A vcpu that runs away is kicked by a thread once a millisecond. Nothing is saved.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hvm/hvm.h"
#include "kicker.h"

#define RAM_BYTES    (1u << 20)
#define STREAM_MAX   (64u << 10)
#define EXITS_MAX    16
#define HEADER_BYTES 16u

static struct {
	struct hvm_domain *d;
	struct hvm_vcpu *v;
	enum hvm_cpu_model model[2];
	uint8_t *ram, *good[2]; /* of each model */
	size_t good_bytes[2];
} fuzz;

/* Guest time stands still: what is saved twice is the same. */
static void fuzz_domain_create(unsigned int which)
{
	const struct hvm_domain_config cfg = { .name = "fuzz",
					       .engine = HVM_ENGINE_SOFT,
					       .cpu_model = fuzz.model[which],
					       .vcpus = 2,
					       .rtc_base_s = 1000000000 };

	CHECK(hvm_domain_create(&cfg, &fuzz.d) == 0);
	CHECK(hvm_domain_map(fuzz.d, 0, RAM_BYTES, HVM_MEM_RAM, fuzz.ram) == 0);
	hvm_domain_pause_time(fuzz.d);
	fuzz.v = hvm_domain_vcpu(fuzz.d, 0);
	kicker_watch(fuzz.v);
}

static void fuzz_domain_destroy(void)
{
	kicker_watch(NULL);
	hvm_domain_destroy(fuzz.d);
}

static void fuzz_kick(void *vcpu)
{
	hvm_vcpu_kick(vcpu);
}

static void fuzz_start(void)
{
	fuzz.ram =
		mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(fuzz.ram != MAP_FAILED);
	fuzz.model[0] = HVM_CPU_V2;
	fuzz.model[1] = hvm_cpu_model_lacks(HVM_CPU_V3) ? HVM_CPU_V2 : HVM_CPU_V3;
	for (unsigned int which = 0; which < 2; which++) {
		fuzz_domain_create(which);
		CHECK(hvm_domain_save(fuzz.d, &fuzz.good[which], &fuzz.good_bytes[which]) == 0);
		CHECK(fuzz.good_bytes[which] < STREAM_MAX);
		fuzz_domain_destroy();
	}
	kicker_start(fuzz_kick);
}

/* CRC-32 of all but the last four bytes, into these. */
static void fix_sum(uint8_t *buf, size_t bytes)
{
	uint32_t crc = 0xffffffff;

	if (bytes < HEADER_BYTES + 4)
		return;
	for (size_t i = 0; i < bytes - 4; i++) {
		crc ^= buf[i];
		for (unsigned int b = 0; b < 8; b++)
			crc = crc >> 1 ^ (0 - (crc & 1) & 0xedb88320u);
	}
	for (unsigned int i = 0; i < 4; i++)
		buf[bytes - 4 + i] = (uint8_t)(~crc >> (8 * i));
}

/* The stream that the input means; its length. */
static size_t make_stream(const uint8_t *data, size_t bytes, uint8_t *ret)
{
	unsigned int which = data[0] >> 1 & 1;
	size_t size = fuzz.good_bytes[which];

	if (data[0] & 1) {
		size = bytes - 1 < STREAM_MAX ? bytes - 1 : STREAM_MAX;
		memcpy(ret, data + 1, size);
	} else {
		memcpy(ret, fuzz.good[which], size);
		for (size_t i = 1; i + 3 <= bytes; i += 3)
			ret[(data[i] | data[i + 1] << 8) % size] = data[i + 2];
	}
	fix_sum(ret, size);
	return size;
}

static void expect_same(const uint8_t *buf, size_t bytes)
{
	uint8_t *now;
	size_t now_bytes;

	CHECK(hvm_domain_save(fuzz.d, &now, &now_bytes) == 0);
	CHECK(now_bytes == bytes && memcmp(now, buf, bytes) == 0);
	free(now);
}

static void run(void)
{
	struct hvm_ioreq *req = hvm_vcpu_ioreq(fuzz.v);
	struct hvm_exit e;

	for (unsigned int i = 0; i < EXITS_MAX; i++) {
		CHECK(hvm_vcpu_run(fuzz.v, &e) == 0);
		if (e.reason == HVM_EXIT_IOREQ)
			req->state = HVM_IOREQ_STATE_DONE;
		else
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t stream[STREAM_MAX];
	uint8_t *before, *after;
	size_t size, before_bytes, after_bytes;
	int rc;

	if (!fuzz.ram)
		fuzz_start();
	if (!bytes)
		return 0;
	size = make_stream(data, bytes, stream);
	fuzz_domain_create(data[0] >> 1 & 1);
	CHECK(hvm_domain_save(fuzz.d, &before, &before_bytes) == 0);
	rc = hvm_domain_load(fuzz.d, stream, size);
	if (rc) {
		CHECK(rc == -HVM_EINVAL);
		expect_same(before, before_bytes);
	} else {
		CHECK(hvm_domain_save(fuzz.d, &after, &after_bytes) == 0);
		CHECK(hvm_domain_load(fuzz.d, after, after_bytes) == 0);
		expect_same(after, after_bytes);
		free(after);
		hvm_domain_resume_time(fuzz.d);
		memset(fuzz.ram, data[0], RAM_BYTES);
		hvm_domain_memory_written(fuzz.d, 0, RAM_BYTES);
		run();
	}
	free(before);
	fuzz_domain_destroy();
	return 0;
}
