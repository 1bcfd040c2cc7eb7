/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_msr.c - the MSRs that are the core's: what may be written, what is read back; the hypercall
 * page and the two hypercalls that firmware makes. Source: Intel SDM Vol 4, Vol 3A 11.11, 11.12.
 */
#include "fake_domain.h"

#define RAM_BYTES (4u << 20)
#define XEN_PAGE  0x40000000u

static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));
static struct domain *d;
static struct vcpu *v;

static int setup(void **state)
{
	(void)state;
	d = fake_domain_create(2);
	v = d->vcpu[0];
	memset(ram, 0x5a, sizeof(ram));
	assert_int_equal(p2m_map(&d->p2m, 0, RAM_BYTES, HVM_MEM_RAM, ram), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_domain_destroy(d);
	return 0;
}

static void stored_registers_take_valid_values_only(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
		int rc;
	} row[] = {
		{ 0x277, 0x0007040600070406, 0 },	    /* PAT: WB WT UC- UC, twice */
		{ 0x277, 0x0001050600070406, 0 },	    /* WC and WP are types, too */
		{ 0x277, 0x0007040600070402, -HVM_EINVAL }, /* type 2 is reserved */
		{ 0x277, 0x0307040600070406, -HVM_EINVAL }, /* type 3 is reserved */
		{ 0x277, 0x0807040600070406, -HVM_EINVAL },
		{ 0x2ff, 0xc06, 0 },	       /* MTRR default type: E, FE, WB */
		{ 0x2ff, 0xc07, -HVM_EINVAL }, /* UC- is PAT's only */
		{ 0x2ff, 0x1006, -HVM_EINVAL },
		{ 0x200, 0x00000000c0000000, 0 }, /* a variable base, UC */
		{ 0x200, 0x00000000c0000102, -HVM_EINVAL },
		{ 0x200, 0x0000010000000006, -HVM_EINVAL }, /* above 40 address bits */
		{ 0x201, 0x000000ffc0000800, 0 },	    /* its mask */
		{ 0x201, 0x000000ffc0000801, -HVM_EINVAL },
		{ 0x201, 0x000001ffc0000800, -HVM_EINVAL },
		{ 0x20e, 0x6, 0 }, /* the eighth pair */
		{ 0x20f, 0x800, 0 },
		{ 0x250, 0x0606060606060606, 0 },
		{ 0x26f, 0x0505050505050505, 0 },
		{ 0x26f, 0x0505050505050705, -HVM_EINVAL },
		{ 0x26f, 0x0205050505050505, -HVM_EINVAL },
		{ 0x48, 1, 0 },		  /* SPEC_CTRL: IBRS */
		{ 0x48, 2, 0 },		  /* STIBP: ignored with IBRS alone */
		{ 0x48, 4, -HVM_EINVAL }, /* SSBD: CPUID does not offer it */
		{ 0x48, 1ull << 32, -HVM_EINVAL },
		{ 0x1a0, 1, 0 },
		{ 0x1a0, 1ull << 63, -HVM_EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		uint64_t before = 0, after = 0;

		assert_int_equal(hvm_msr_read(v, row[i].msr, &before), 0);
		if (hvm_msr_write(v, row[i].msr, row[i].value) != row[i].rc)
			fail_msg("row %zu: msr %x value %llx", i, row[i].msr,
				 (unsigned long long)row[i].value);
		assert_int_equal(hvm_msr_read(v, row[i].msr, &after), 0);
		assert_int_equal(after, row[i].rc ? before : row[i].value);
		/* The other vcpu's stays as it was made. */
		assert_int_equal(hvm_msr_read(d->vcpu[1], row[i].msr, &after), 0);
		assert_int_equal(after,
				 row[i].msr == 0x277 ? 0x0007040600070406 : row[i].msr == 0x1a0);
	}
}

static void fixed_answers_and_write_only_registers(void **state)
{
	static const struct {
		uint32_t msr;
		int read_rc;
		uint64_t read;
		uint64_t write;
		int write_rc;
	} row[] = {
		{ 0x17, 0, 0, 0, -HVM_ENOENT },
		{ 0x3a, 0, 1, 5, -HVM_ENOENT }, /* FEATURE_CONTROL is locked */
		{ 0x49, -HVM_ENOENT, 0, 1, 0 }, /* PRED_CMD: IBPB */
		{ 0x49, -HVM_ENOENT, 0, 2, -HVM_EINVAL },
		{ 0x8b, 0, 1ull << 32, 0, 0 },	     /* microcode revision */
		{ 0x79, -HVM_ENOENT, 0, 0xffff, 0 }, /* microcode update: ignored */
		{ 0xfe, 0, 0x508, 0, -HVM_ENOENT },  /* MTRRCAP: 8, fixed, WC */
		{ 0x179, 0, 0, 0, -HVM_ENOENT },     /* no machine check banks */
		{ 0x17a, 0, 0, 0, 0 },
		{ 0x17a, 0, 0, 4, -HVM_EINVAL },
		{ 0x1d9, 0, 0, 0, 0 },
		{ 0x1d9, 0, 0, 1, -HVM_EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		uint64_t value = 0;

		assert_int_equal(hvm_msr_read(v, row[i].msr, &value), row[i].read_rc);
		assert_int_equal(value, row[i].read);
		assert_int_equal(hvm_msr_write(v, row[i].msr, row[i].write), row[i].write_rc);
	}
}

static void what_is_not_the_cores_is_said_so(void **state)
{
	/* Neighbours of what exists, the vendor's own, and the ends. */
	static const uint32_t msr[] = { 0x0,	    0x1ff,	0x210,	    0x24f,	0x251,
					0x257,	    0x26a + 6,	0x400,	    0xc0000080, 0xc0000100,
					0x3fffffff, 0x40000001, 0xffffffff, 0x900 };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(msr); i++) {
		uint64_t value = 7;

		assert_int_equal(hvm_msr_read(v, msr[i], &value), -HVM_ENOENT);
		assert_int_equal(value, 7);
		assert_int_equal(hvm_msr_write(v, msr[i], 0), -HVM_ENOENT);
	}
}

static void the_tsc_can_be_set_and_goes_on_from_there(void **state)
{
	uint64_t khz = hvm_tsc_khz(d), tsc = 0;

	(void)state;
	assert_int_equal(hvm_msr_write(v, 0x10, 1000), 0);
	assert_int_equal(hvm_msr_read(v, 0x10, &tsc), 0);
	assert_int_equal(tsc, 1000);
	fake_run_to(1000000);
	assert_int_equal(hvm_msr_read(v, 0x10, &tsc), 0);
	assert_in_range(tsc, 1000 + khz - 1, 1000 + khz + 1);
	/* The other one's counts from the start. */
	assert_in_range(hvm_vcpu_rdtsc(d->vcpu[1]), khz - 1, khz + 1);
}

static void hypercall_page_holds_a_stub_for_each_number(void **state)
{
	(void)state;
	p2m_dirty_start(&d->p2m);
	/* The low bits are no address. */
	assert_int_equal(hvm_msr_write(v, XEN_PAGE, 0x10fff), 0);
	for (unsigned int n = 0; n < 64; n++) {
		const uint8_t stub[] = { 0xb8, (uint8_t)n, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3 };

		assert_memory_equal(ram + 0x10000 + n * 32, stub, sizeof(stub));
	}
	assert_int_equal(ram[0xffff], 0x5a);
	assert_int_equal(ram[0x11000], 0x5a);
	assert_true(*p2m_range_flags(p2m_lookup(&d->p2m, 0x10000), 0x10000) & P2M_PAGE_DIRTY);
	assert_int_equal(fake_vcpu(v)->written_gfn, 0x10);
	assert_int_equal(fake_vcpu(v)->written_pages, 1);
}

static void hypercall_page_outside_ram_is_refused(void **state)
{
	static const uint64_t bad[] = { RAM_BYTES, 0xfee00000, 0xfffffffffffff000, 1ull << 52 };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(bad); i++)
		assert_int_equal(hvm_msr_write(v, XEN_PAGE, bad[i]), -HVM_EINVAL);
}

static void firmware_asks_for_the_version(void **state)
{
	uint64_t gpr[16] = { [0] = 0xdead00000000ull | 17, [1] = 0x2ff8, [3] = 0 };

	(void)state;
	assert_true(hvm_hypercall(v, 0, false, gpr));
	assert_int_equal(gpr[0], 4 << 16 | 17);
	/* The extra version is 16 bytes of text, here across two pages. */
	gpr[0] = 17;
	gpr[3] = 1;
	p2m_dirty_start(&d->p2m);
	assert_true(hvm_hypercall(v, 0, false, gpr));
	assert_int_equal(gpr[0], 0);
	for (unsigned int i = 0x2ff8; i < 0x3008; i++)
		assert_int_equal(ram[i], 0);
	assert_int_equal(ram[0x2ff7], 0x5a);
	assert_int_equal(ram[0x3008], 0x5a);
	/* Both are dirty and both lose their decoded code. */
	for (gpa_t gpa = 0x2000; gpa < 0x4000; gpa += HVM_PAGE_SIZE)
		assert_true(*p2m_range_flags(p2m_lookup(&d->p2m, gpa), gpa) & P2M_PAGE_DIRTY);
	assert_int_equal(fake_vcpu(v)->written_gfn, 2);
	assert_int_equal(fake_vcpu(v)->written_pages, 2);
}

static void a_hypercall_cannot_write_outside_ram(void **state)
{
	static const uint64_t bad[] = { RAM_BYTES - 8, RAM_BYTES, 0xfee00000, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(bad); i++) {
		uint64_t gpr[16] = { [0] = 17, [1] = bad[i], [3] = 1 };

		assert_true(hvm_hypercall(v, 0, false, gpr));
		assert_int_equal((int32_t)gpr[0], -HVM_EFAULT);
	}
}

static void unknown_hypercalls_are_not_implemented(void **state)
{
	uint64_t gpr[16] = { [0] = 12 }, sub[16] = { [0] = 17, [3] = 2 };

	(void)state;
	assert_true(hvm_hypercall(v, 0, false, gpr));
	assert_int_equal((int32_t)gpr[0], -38);
	assert_true(hvm_hypercall(v, 0, false, sub));
	assert_int_equal((int32_t)sub[0], -38);
}

/*
 * A bug that was: VMCALL of a user program had 16 bytes of zeroes written to any guest-physical
 * address it liked, its kernel's memory for one.
 */
static void hypercalls_are_for_firmware_only(void **state)
{
	static const struct {
		unsigned int cpl;
		bool paging;
	} other[] = { { 3, true }, { 3, false }, { 1, false }, { 0, true } };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(other); i++) {
		uint64_t gpr[16] = { [0] = 17, [1] = 0x2000, [3] = 1 };

		assert_false(hvm_hypercall(v, other[i].cpl, other[i].paging, gpr));
		assert_int_equal(gpr[0], 17);
		assert_int_equal(ram[0x2000], 0x5a);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(stored_registers_take_valid_values_only),
		TEST(fixed_answers_and_write_only_registers),
		TEST(what_is_not_the_cores_is_said_so),
		TEST(the_tsc_can_be_set_and_goes_on_from_there),
		TEST(hypercall_page_holds_a_stub_for_each_number),
		TEST(hypercall_page_outside_ram_is_refused),
		TEST(firmware_asks_for_the_version),
		TEST(a_hypercall_cannot_write_outside_ram),
		TEST(unknown_hypercalls_are_not_implemented),
		TEST(hypercalls_are_for_firmware_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
