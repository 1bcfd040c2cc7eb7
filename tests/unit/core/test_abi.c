/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_abi.c - the table of /dev/hvm's calls (core/abi.c) inside a process: which call belongs to
 * which file, what is refused, what is locked, and that nothing stays behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../testbed/all_calls.h"
#include "abi_process.h"

#define DOMAIN PROCESS_DOMAIN_FD
#define VCPU   PROCESS_VCPU_FD

/* Where a structure lies when a test does not care, and where it is read back. */
static void *arg(const void *structure, size_t bytes)
{
	return memcpy(process.data, structure, bytes);
}

#define CALL(fd, call, s) process_ioctl(fd, call, (uintptr_t)arg(&(s), sizeof(s)))

static int create(unsigned int vcpus)
{
	const struct hvm_ioctl_create a = { .version = HVM_IOCTL_VERSION,
					    .cpu_model = HVM_CPU_V2,
					    .vcpus = vcpus };

	return CALL(0, HVM_IOCTL_CREATE, a);
}

static int map(uint64_t gpa, uint64_t bytes, uint64_t hva, uint32_t type)
{
	const struct hvm_ioctl_memory a = { .gpa = gpa, .bytes = bytes, .hva = hva, .type = type };

	return CALL(DOMAIN, HVM_IOCTL_MEMORY, a);
}

static int setup(void **state)
{
	(void)state;
	memset(process.data, 0, PROCESS_DATA);
	memset(process.ram, 0, PROCESS_RAM);
	return create(2) == DOMAIN ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PROCESS_DOMAINS; i++) {
		while (process.domain[i].used)
			process_close(&process.domain[i]);
	}
	return process.eventfd_users ? -1 : 0;
}

static int setup_all(void **state)
{
	(void)state;
	process_start();
	return 0;
}

/* -- which call -------------------------------------------------------------------------------- */

static void each_call_belongs_to_one_kind_of_file(void **state)
{
	static const int files[] = { 0, DOMAIN, VCPU };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(all_calls); i++) {
		unsigned int known = 0;

		/* No address of the caller: a call that takes a structure goes no further. */
		for (unsigned int f = 0; f < 3; f++)
			known += process_ioctl(files[f], all_calls[i], 8) != -HVM_ENOTTY;
		assert_int_equal(known, 1);
	}
}

static void a_number_with_another_size_or_direction_is_no_call(void **state)
{
	static const uint32_t changes[] = { 1u << 16, 1u << 30, 1u << 31, 1u << 8, 0x40 };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(all_calls); i++) {
		for (size_t n = 0; n < HVM_ARRAY_SIZE(changes); n++) {
			for (int fd = 0; fd <= VCPU; fd += 100)
				assert_int_equal(process_ioctl(fd, all_calls[i] ^ changes[n], 8),
						 -HVM_ENOTTY);
		}
	}
}

static void a_structure_that_is_not_the_callers_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(all_calls); i++) {
		if (!HVM_IOCTL_IS_WRITE(all_calls[i]))
			continue;
		for (int fd = 0; fd <= VCPU; fd += 100) {
			int rc = process_ioctl(fd, all_calls[i],
					       (uintptr_t)process.data + PROCESS_DATA - 1);

			assert_true(rc == -HVM_EFAULT || rc == -HVM_ENOTTY);
		}
	}
}

/* -- what is refused --------------------------------------------------------------------------- */

static void memory_that_cannot_be_the_callers_is_refused(void **state)
{
	const uint64_t ram = (uintptr_t)process.ram;
	const struct {
		uint64_t gpa, bytes, hva;
		uint32_t type;
		int rc;
	} rows[] = {
		{ 0, 4096, ram, HVM_MEM_RAM, 0 },
		{ 1, 4096, ram, HVM_MEM_RAM, -HVM_EINVAL },
		{ 0, 4097, ram, HVM_MEM_RAM, -HVM_EINVAL },
		{ 0, 0, ram, HVM_MEM_RAM, -HVM_EINVAL },
		{ 0, 4096, ram + 1, HVM_MEM_RAM, -HVM_EINVAL },
		{ 0, 4096, 0, HVM_MEM_RAM, -HVM_EINVAL },
		{ 0, 4096, ram, 7, -HVM_EINVAL },
		{ 0, 4096, ram, HVM_MEM_MMIO, -HVM_EINVAL },
		{ 1ull << 60, 4096, ram, HVM_MEM_RAM, -HVM_EINVAL },
		{ 0, 8192, 0xfffffffffffff000ull, HVM_MEM_RAM, -HVM_EINVAL },
		{ 0, PROCESS_RAM + 4096, ram, HVM_MEM_RAM, -HVM_EFAULT },
		{ 0, 4096, 0, HVM_MEM_MMIO, 0 },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++)
		assert_int_equal(map(rows[i].gpa, rows[i].bytes, rows[i].hva, rows[i].type),
				 rows[i].rc);
}

static void a_domain_of_another_version_or_size_is_refused(void **state)
{
	const struct hvm_ioctl_create good = { .version = HVM_IOCTL_VERSION, .vcpus = 1 };
	struct hvm_ioctl_create a;

	(void)state;
	a = good;
	a.version++;
	assert_int_equal(CALL(0, HVM_IOCTL_CREATE, a), -HVM_EINVAL);
	a = good;
	a.vcpus = 0;
	assert_int_equal(CALL(0, HVM_IOCTL_CREATE, a), -HVM_EINVAL);
	a.vcpus = HVM_MAX_VCPUS + 1;
	assert_int_equal(CALL(0, HVM_IOCTL_CREATE, a), -HVM_EINVAL);
	a = good;
	a.cpu_model = HVM_CPU_V3 + 1;
	assert_int_equal(CALL(0, HVM_IOCTL_CREATE, a), -HVM_EINVAL);
}

static void a_name_without_end_is_cut(void **state)
{
	struct hvm_ioctl_create a = { .version = HVM_IOCTL_VERSION, .vcpus = 1 };

	(void)state;
	memset(a.name, 'x', sizeof(a.name));
	assert_int_equal(CALL(0, HVM_IOCTL_CREATE, a), DOMAIN + 1);
	assert_int_equal(process.domain[1].abi.core->name[62], 'x');
	assert_int_equal(process.domain[1].abi.core->name[63], 0);
}

static void what_a_structure_points_at_is_checked_too(void **state)
{
	const struct hvm_ioctl_state bad = { .state = 8, .bytes = sizeof(struct hvm_vcpu_state) };
	const struct hvm_ioctl_stats stats = { .values = 8, .count = 4 };
	struct hvm_ioctl_stream stream = { .buf = (uintptr_t)process.data + 4096, .bytes = 100 };
	struct hvm_ioctl_dirty dirty = { .op = HVM_IOCTL_DIRTY_SYNC, .pages = 64, .bitmap = 8 };

	(void)state;
	assert_int_equal(CALL(VCPU, HVM_IOCTL_GET_STATE, bad), -HVM_EFAULT);
	assert_int_equal(CALL(VCPU, HVM_IOCTL_SET_STATE, bad), -HVM_EFAULT);
	assert_int_equal(CALL(VCPU, HVM_IOCTL_STATS, stats), -HVM_EFAULT);
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_DIRTY, dirty), -HVM_EFAULT);
	dirty.pages = HVM_IOCTL_DIRTY_PAGES + 1;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_DIRTY, dirty), -HVM_EINVAL);
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_SAVE, stream), -HVM_ENOSPC);
	/* It says how much room it wants, though it failed. */
	memcpy(&stream, process.data, sizeof(stream));
	assert_true(stream.bytes > 100 && stream.bytes < PROCESS_DATA / 2);
	stream.buf = 8;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_SAVE, stream), -HVM_EFAULT);
	stream.bytes = HVM_IOCTL_LOAD_BYTES + 1;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_LOAD, stream), -HVM_EINVAL);
}

/* -- locks ------------------------------------------------------------------------------------- */

static void a_vcpu_that_runs_is_left_alone(void **state)
{
	const struct hvm_ioctl_translate gva = { .gva = 0 };
	const struct hvm_exit exit = { 0 };

	(void)state;
	process.domain[0].busy[0] = true;
	assert_int_equal(CALL(VCPU, HVM_IOCTL_RUN, exit), -HVM_EBUSY);
	assert_int_equal(CALL(VCPU, HVM_IOCTL_TRANSLATE, gva), -HVM_EBUSY);
	assert_int_equal(CALL(VCPU + 1, HVM_IOCTL_TRANSLATE, gva), 0);
	assert_int_equal(process_ioctl(DOMAIN, HVM_IOCTL_RESET, 0), -HVM_EBUSY);
	assert_int_equal(process_ioctl(VCPU, HVM_IOCTL_KICK, 0), 0);
	assert_int_equal(process_ioctl(DOMAIN, HVM_IOCTL_NMI, 0), 0);
	process.domain[0].busy[0] = false;
	assert_int_equal(process_ioctl(DOMAIN, HVM_IOCTL_RESET, 0), 0);
}

static unsigned int regions(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PROCESS_REGIONS; i++)
		n += process.domain[0].region[i].kva != NULL;
	return n;
}

static void memory_is_given_back_when_no_vcpu_runs(void **state)
{
	const uint64_t ram = (uintptr_t)process.ram;

	(void)state;
	assert_int_equal(map(0, 8192, ram, HVM_MEM_RAM), 0);
	assert_int_equal(map(4096, 4096, ram, HVM_MEM_ROM), 0);
	assert_int_equal(regions(), 2);
	process.domain[0].busy[1] = true;
	assert_int_equal(map(0, 8192, 0, HVM_MEM_MMIO), 0);
	assert_int_equal(regions(), 2);
	process.domain[0].busy[1] = false;
	assert_int_equal(map(0x100000, 4096, 0, HVM_MEM_MMIO), 0);
	assert_int_equal(regions(), 0);
}

/* -- CPUID ------------------------------------------------------------------------------------- */

/* Of a vcpu of the second domain: leaf 0DH, EBX follows XCR0. */
static uint32_t xsave_bytes(uint8_t flags)
{
	struct hvm_ioctl_io io = { .type = HVM_IOCTL_IO_CPUID, .address = 0xd, .flags = flags };

	assert_int_equal(CALL(VCPU + 100, HVM_IOCTL_IO, io), 0);
	memcpy(&io, process.data, sizeof(io));
	return io.out[1];
}

static void cpuid_for_an_emulated_instruction_knows_xcr0(void **state)
{
	struct hvm_ioctl_create a = { .version = HVM_IOCTL_VERSION,
				      .cpu_model = HVM_CPU_V3,
				      .vcpus = 1 };
	const struct hvm_ioctl_vcpu vcpu = { 0 };

	(void)state;
	if (hvm_cpu_model_lacks(HVM_CPU_V3))
		skip();
	assert_int_equal(CALL(0, HVM_IOCTL_CREATE, a), DOMAIN + 1);
	assert_int_equal(CALL(DOMAIN + 1, HVM_IOCTL_VCPU, vcpu), VCPU + 100);
	assert_int_equal(xsave_bytes(HVM_IOCTL_IO_OSXSAVE), 576);
	assert_int_equal(xsave_bytes(HVM_IOCTL_IO_OSXSAVE | HVM_IOCTL_IO_AVX), 832);
}

/* -- doorbells --------------------------------------------------------------------------------- */

static void a_doorbell_rings_until_it_is_removed(void **state)
{
	struct hvm_ioctl_doorbell bell = {
		.address = 0xd0000000, .eventfd = 2, .type = HVM_IOREQ_MMIO, .size = 4
	};
	const struct hvm_ioctl_io io = {
		.type = HVM_IOCTL_IO_MMIO, .address = 0xd0000000, .size = 4, .is_write = 1
	};
	uint64_t rung = 0;

	(void)state;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_DOORBELL, bell), 0);
	assert_int_equal(CALL(VCPU, HVM_IOCTL_IO, io), 0);
	assert_int_equal(read(process.eventfd[2], &rung, sizeof(rung)), sizeof(rung));
	assert_int_equal(rung, 1);
	bell.remove = 1;
	bell.eventfd = 1;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_DOORBELL, bell), -HVM_ENOENT);
	bell.eventfd = 2;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_DOORBELL, bell), 0);
	assert_int_equal(process.eventfd_users, 0);
	assert_int_equal(CALL(VCPU, HVM_IOCTL_IO, io), -HVM_EOPNOTSUPP);
}

static void doorbells_are_bounded_and_a_refused_one_gives_its_eventfd_back(void **state)
{
	struct hvm_ioctl_doorbell bell = { .address = 0xd0000000,
					   .type = HVM_IOREQ_MMIO,
					   .size = 3 };
	unsigned int n = 0;
	int rc;

	(void)state;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_DOORBELL, bell), -HVM_EINVAL);
	bell.size = 0;
	bell.eventfd = PROCESS_EVENTFDS;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_DOORBELL, bell), -HVM_EINVAL);
	assert_int_equal(process.eventfd_users, 0);
	bell.eventfd = 0;
	while (!(rc = CALL(DOMAIN, HVM_IOCTL_DOORBELL, bell))) {
		assert_true(++n <= ABI_DOORBELLS);
		bell.address += 4;
	}
	assert_int_equal(rc, -HVM_ENOSPC);
	assert_int_equal(n, ABI_DOORBELLS);
	assert_int_equal(process.eventfd_users, ABI_DOORBELLS);
}

/* -- life -------------------------------------------------------------------------------------- */

static void a_vcpus_file_outlives_the_domains(void **state)
{
	const struct hvm_ioctl_vcpu index = { .index = 1 };
	const struct hvm_ioctl_translate gva = { .gva = 0x1234 };

	(void)state;
	assert_int_equal(CALL(DOMAIN, HVM_IOCTL_VCPU, index), VCPU + 1);
	process_close(&process.domain[0]);
	assert_int_equal(CALL(VCPU + 1, HVM_IOCTL_TRANSLATE, gva), 0);
}

static void a_guests_out_reaches_the_ioreq_page(void **state)
{
	/* mov al, 42h; mov dx, 510h; out dx, al */
	static const uint8_t code[] = { 0xb0, 0x42, 0xba, 0x10, 0x05, 0xee };
	struct hvm_exit exit = { 0 };
	struct hvm_ioreq *req;

	(void)state;
	memcpy(process.ram + 0xff0, code, sizeof(code));
	assert_int_equal(map(0xfffff000, 4096, (uintptr_t)process.ram, HVM_MEM_RAM), 0);
	assert_int_equal(CALL(VCPU, HVM_IOCTL_RUN, exit), 0);
	memcpy(&exit, process.data, sizeof(exit));
	req = &process.domain[0].abi.core->vcpu[0]->ioreq_page->req;
	assert_int_equal(exit.reason, HVM_EXIT_IOREQ);
	assert_int_equal(req->address, 0x510);
	assert_int_equal(req->data, 0x42);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_call_belongs_to_one_kind_of_file),
		TEST(a_number_with_another_size_or_direction_is_no_call),
		TEST(a_structure_that_is_not_the_callers_is_refused),
		TEST(memory_that_cannot_be_the_callers_is_refused),
		TEST(a_domain_of_another_version_or_size_is_refused),
		TEST(a_name_without_end_is_cut),
		TEST(what_a_structure_points_at_is_checked_too),
		TEST(a_vcpu_that_runs_is_left_alone),
		TEST(memory_is_given_back_when_no_vcpu_runs),
		TEST(cpuid_for_an_emulated_instruction_knows_xcr0),
		TEST(a_doorbell_rings_until_it_is_removed),
		TEST(doorbells_are_bounded_and_a_refused_one_gives_its_eventfd_back),
		TEST(a_vcpus_file_outlives_the_domains),
		TEST(a_guests_out_reaches_the_ioreq_page),
	};

	return cmocka_run_group_tests(tests, setup_all, NULL);
}
