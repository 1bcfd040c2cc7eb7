/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_cpuid.c - what each CPU model shows. The values are written down here a second time: a guest
 * must see the same on every host and in every release. Source: x86-64 psABI "Micro-Architecture
 * Levels"; Intel SDM Vol 2A "CPUID".
 */
#include "fake_domain.h"
#include "x86/ctlreg.h"

static struct domain *v1, *v2, *v3;

static struct domain *make(enum hvm_cpu_model model, unsigned int vcpus)
{
	const struct hvm_domain_config cfg = { .cpu_model = model, .vcpus = vcpus };
	struct domain *d = NULL;

	assert_int_equal(domain_create(&cfg, &fake_function_table, &d), 0);
	return d;
}

static int setup(void **state)
{
	(void)state;
	v1 = make(HVM_CPU_V1, 1);
	v2 = make(HVM_CPU_V2, 4);
	v3 = make(HVM_CPU_V3, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	domain_destroy(v1);
	domain_destroy(v2);
	domain_destroy(v3);
	return 0;
}

static const struct hvm_cpuid_state os = { .paging = true };
static const struct hvm_cpuid_state firmware = { .paging = false };

struct regs {
	uint32_t eax, ebx, ecx, edx;
};

static struct regs cpuid(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t leaf,
			 uint32_t sub)
{
	uint32_t out[4] = { 0xdead, 0xdead, 0xdead, 0xdead };

	hvm_cpuid(v, s, leaf, sub, out);
	return (struct regs){ out[0], out[1], out[2], out[3] };
}

static void expect(struct vcpu *v, uint32_t leaf, uint32_t sub, struct regs want)
{
	struct regs got = cpuid(v, &os, leaf, sub);

	if (memcmp(&got, &want, sizeof(got)) != 0)
		fail_msg("leaf %x/%x: %08x %08x %08x %08x", leaf, sub, got.eax, got.ebx, got.ecx,
			 got.edx);
}

static void model_v1_shows_this_and_nothing_above(void **state)
{
	struct vcpu *v = v1->vcpu[0];

	(void)state;
	expect(v, 0x0, 0, (struct regs){ 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 });
	expect(v, 0x1, 0, (struct regs){ 0x000106a5, 0x00010800, 0x81200000, 0x078bfbfd });
	expect(v, 0x6, 0, (struct regs){ 4, 0, 0, 0 });
	expect(v, 0x7, 0, (struct regs){ 0, 1u << 9, 0, 1u << 26 | 1u << 29 });
	expect(v, 0xb, 0, (struct regs){ 0, 1, 0x100, 0 });
	expect(v, 0xb, 1, (struct regs){ 4, 1, 0x201, 0 });
	expect(v, 0xd, 0, (struct regs){ 0, 0, 0, 0 });
	expect(v, 0xd, 1, (struct regs){ 0, 0, 0, 0 });
	expect(v, 0x80000000, 0, (struct regs){ 0x80000008, 0, 0, 0 });
	expect(v, 0x80000001, 0, (struct regs){ 0, 0, 0, 0x2c100800 });
	expect(v, 0x80000007, 0, (struct regs){ 0, 0, 0, 1u << 8 });
	expect(v, 0x80000008, 0, (struct regs){ 0x3028, 0, 0, 0 });
}

static void model_v2_shows_this(void **state)
{
	struct vcpu *v = v2->vcpu[2];

	(void)state;
	expect(v, 0x1, 0, (struct regs){ 0x000106a5, 0x02040800, 0x85ba2201, 0x178bfbfd });
	expect(v, 0x7, 0, (struct regs){ 0, 0x00100681, 0x4, 1u << 26 | 1u << 29 });
	expect(v, 0xb, 0, (struct regs){ 0, 1, 0x100, 2 });
	expect(v, 0xb, 1, (struct regs){ 4, 4, 0x201, 2 });
	expect(v, 0xb, 2, (struct regs){ 0, 0, 2, 2 });
	expect(v, 0xd, 0, (struct regs){ 3, 576, 576, 0 });
	expect(v, 0xd, 1, (struct regs){ 1, 0, 0, 0 });
	expect(v, 0xd, 2, (struct regs){ 0, 0, 0, 0 });
	expect(v, 0x80000001, 0, (struct regs){ 0, 0, 1, 0x2c100800 });
}

static void model_v3_shows_this(void **state)
{
	struct hvm_cpuid_state s = os;
	struct vcpu *v = v3->vcpu[0];

	(void)state;
	expect(v, 0x1, 0, (struct regs){ 0x000106a5, 0x00010800, 0xb5fa3201, 0x078bfbfd });
	expect(v, 0x7, 0, (struct regs){ 0, 0x001007a9, 0x4, 1u << 26 | 1u << 29 });
	expect(v, 0xd, 0, (struct regs){ 7, 576, 832, 0 });
	expect(v, 0xd, 1, (struct regs){ 1, 0, 0, 0 });
	expect(v, 0xd, 2, (struct regs){ 256, 576, 0, 0 });
	expect(v, 0xd, 3, (struct regs){ 0, 0, 0, 0 });
	expect(v, 0x80000001, 0, (struct regs){ 0, 0, 0x21, 0x2c100800 });
	/* What XCR0 enables needs so many bytes. */
	for (s.xcr0 = 1; s.xcr0 < 8; s.xcr0++)
		assert_int_equal(cpuid(v, &s, 0xd, 0).ebx, s.xcr0 & 4 ? 832 : 576);
}

static void xcr0_takes_what_the_model_offers(void **state)
{
	(void)state;
	assert_int_equal(hvm_xcr0_allowed(v1->vcpu[0]), 0);
	assert_int_equal(hvm_xcr0_allowed(v2->vcpu[0]), 3);
	assert_int_equal(hvm_xcr0_allowed(v3->vcpu[0]), 7);
	for (uint64_t allowed = 0; allowed < 8; allowed++) {
		assert_true(x86_xcr0_write_ok(1, allowed));
		assert_int_equal(x86_xcr0_write_ok(3, allowed), !!(allowed & 2));
		assert_int_equal(x86_xcr0_write_ok(7, allowed), (allowed & 6) == 6);
		assert_false(x86_xcr0_write_ok(0, allowed));
		assert_false(x86_xcr0_write_ok(2, allowed)); /* x87 is always there */
		assert_false(x86_xcr0_write_ok(6, allowed));
		assert_false(x86_xcr0_write_ok(5, allowed)); /* AVX only with SSE */
		assert_false(x86_xcr0_write_ok(9, allowed));
		assert_false(x86_xcr0_write_ok(HVM_BIT(63) | 7, allowed));
	}
}

static void the_models_are_the_psabis_levels(void **state)
{
	/* CMOV CX8 FPU FXSR MMX SSE SSE2; SCE. Then CX16 POPCNT SSE3 SSE4.1 SSE4.2 SSSE3; LAHF. */
	const uint32_t level1 = 1u << 15 | 1u << 8 | 1u << 0 | 1u << 24 | 1u << 23 | 1u << 25 |
				1u << 26;
	const uint32_t level2 = 1u << 13 | 1u << 23 | 1u << 0 | 1u << 19 | 1u << 20 | 1u << 9;
	/* Then AVX FMA F16C MOVBE; AVX2 BMI1 BMI2; LZCNT. */
	const uint32_t level3 = 1u << 28 | 1u << 12 | 1u << 29 | 1u << 22;
	const uint32_t level3_7 = 1u << 5 | 1u << 3 | 1u << 8;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct vcpu *v = (i == 2 ? v3 : i ? v2 : v1)->vcpu[0];
		struct regs one = cpuid(v, &os, 1, 0), ext = cpuid(v, &os, 0x80000001, 0);

		assert_int_equal(one.edx & level1, level1);
		assert_true(ext.edx & 1u << 11);
		assert_int_equal(one.ecx & level2, i ? level2 : 0);
		assert_int_equal(ext.ecx & 1, i >= 1);
		assert_int_equal(one.ecx & level3, i == 2 ? level3 : 0);
		assert_int_equal(cpuid(v, &os, 7, 0).ebx & level3_7, i == 2 ? level3_7 : 0);
		assert_int_equal(ext.ecx >> 5 & 1, i == 2);
		/* Virtualization is not nested. */
		assert_int_equal(one.ecx & 1u << 5, 0);
		assert_int_equal(ext.ecx & 1u << 2, 0);
	}
}

/* CR4 bits are legal exactly where their feature shows: x86-64-v1 hides what came later. */
static void v1_offers_none_of_the_later_control_bits(void **state)
{
	static const struct {
		uint32_t leaf;
		unsigned int reg, bit;
	} later[] = {
		{ 1, 2, 17 }, /* PCID */ { 1, 2, 26 }, /* XSAVE */ { 7, 1, 0 }, /* FSGSBASE */
		{ 7, 1, 7 },  /* SMEP */ { 7, 1, 20 }, /* SMAP */ { 7, 2, 2 },	/* UMIP */
		{ 7, 1, 10 },							/* INVPCID */
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(later); i++) {
		uint32_t out[4];

		hvm_cpuid(v1->vcpu[0], &os, later[i].leaf, 0, out);
		assert_false(out[later[i].reg] >> later[i].bit & 1);
		hvm_cpuid(v2->vcpu[0], &os, later[i].leaf, 0, out);
		assert_true(out[later[i].reg] >> later[i].bit & 1);
	}
}

static void bits_follow_the_state(void **state)
{
	struct hvm_cpuid_state s = { .paging = true, .osxsave = true };
	struct vcpu *v = v2->vcpu[0];

	(void)state;
	assert_true(cpuid(v, &s, 1, 0).ecx & 1u << 27);
	assert_false(cpuid(v, &os, 1, 0).ecx & 1u << 27);
	assert_false(cpuid(v1->vcpu[0], &s, 1, 0).ecx & 1u << 27);
	/* The APIC bit goes with the APIC. */
	assert_true(cpuid(v, &os, 1, 0).edx & 1u << 9);
	assert_int_equal(hvm_msr_write(v, 0x1b, HVM_LAPIC_BASE | 0x100), 0);
	assert_false(cpuid(v, &os, 1, 0).edx & 1u << 9);
}

static void the_hypervisor_shows_itself_to_firmware_only(void **state)
{
	struct vcpu *v = v2->vcpu[0];
	struct regs r = cpuid(v, &firmware, 0x40000000, 0);

	(void)state;
	assert_int_equal(r.eax, 0x40000002);
	assert_memory_equal(&r.ebx, "XenVMMXenVMM", 12);
	assert_int_equal(cpuid(v, &firmware, 0x40000001, 0).eax, 4 << 16 | 17);
	r = cpuid(v, &firmware, 0x40000002, 0);
	assert_int_equal(r.eax, 1);
	assert_int_equal(r.ebx, 0x40000000);
	for (uint32_t leaf = 0x40000000; leaf <= 0x40000003; leaf++)
		expect(v, leaf, 0, (struct regs){ 0, 0, 0, 0 });
	expect(v, 0x40000100, 0, (struct regs){ 0, 0, 0, 0 });
	/* That there is one is no secret. */
	assert_true(cpuid(v, &os, 1, 0).ecx & 1u << 31);
}

static void the_brand_is_the_models_name(void **state)
{
	struct {
		struct regs part[3];
		char end;
	} text = { .end = 0 };

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		text.part[i] = cpuid(v2->vcpu[0], &os, 0x80000002 + i, 0);
	assert_string_equal((const char *)text.part, "hvm virtual CPU v2");
	for (unsigned int i = 0; i < 3; i++)
		text.part[i] = cpuid(v1->vcpu[0], &os, 0x80000002 + i, 0);
	assert_string_equal((const char *)text.part, "hvm virtual CPU v1");
	for (unsigned int i = 0; i < 3; i++)
		text.part[i] = cpuid(v3->vcpu[0], &os, 0x80000002 + i, 0);
	assert_string_equal((const char *)text.part, "hvm virtual CPU v3");
}

static void leaves_that_do_not_exist_are_zero(void **state)
{
	static const uint32_t leaf[] = { 0x3,	     0x5,	 0xa,	     0xe,
					 0x15,	     0x1f,	 0x3fffffff, 0x40000003,
					 0x7fffffff, 0x80000005, 0x80000009, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(leaf); i++)
		expect(v2->vcpu[1], leaf[i], 0, (struct regs){ 0, 0, 0, 0 });
	expect(v2->vcpu[1], 7, 1, (struct regs){ 0, 0, 0, 0 });
	expect(v2->vcpu[1], 7, UINT32_MAX, (struct regs){ 0, 0, 0, 0 });
	expect(v2->vcpu[1], 4, 4, (struct regs){ 0, 0, 0, 0 });
	expect(v2->vcpu[1], 4, UINT32_MAX, (struct regs){ 0, 0, 0, 0 });
}

/*
 * A bug that was: without sizes of caches glibc copied whatever was longer than 16 KiB around them.
 * AMD's form, which has the same sizes, is in test_svm.c.
 */
static void caches_are_of_a_usual_size(void **state)
{
	static const struct {
		uint32_t level, bytes, sharing;
	} row[] = { { 1, 32768, 1 }, { 1, 32768, 1 }, { 2, 1048576, 1 }, { 3, 16777216, 4 } };

	(void)state;
	expect(v2->vcpu[1], 2, 0, (struct regs){ 0xff01, 0, 0, 0 });
	for (uint32_t n = 0; n < HVM_ARRAY_SIZE(row); n++) {
		struct regs r = cpuid(v2->vcpu[1], &os, 4, n);

		assert_int_equal((r.eax >> 5) & 7, row[n].level);
		assert_int_equal(((r.eax >> 14) & 0xfff) + 1, row[n].sharing);
		assert_int_equal((r.eax >> 26) + 1, 4);
		assert_int_equal(((r.ebx >> 22) + 1) * ((r.ebx & 0xfff) + 1) * (r.ecx + 1),
				 row[n].bytes);
	}
	expect(v2->vcpu[1], 0x80000006, 0, (struct regs){ 0, 0, 0x04008140, 0 });
	assert_int_equal(cpuid(v1->vcpu[0], &os, 4, 3).eax >> 14, 0);
}

/* The software CPU shows the same as any vendor without needs of its own. */
static void the_engine_does_not_show(void **state)
{
	const struct hvm_domain_config cfg = { .cpu_model = HVM_CPU_V2, .vcpus = 4 };
	struct domain *soft = NULL;

	(void)state;
	assert_int_equal(domain_create(&cfg, &soft_function_table, &soft), 0);
	for (uint32_t base = 0; base < 3; base++) {
		for (uint32_t leaf = base << 30; leaf < (base << 30) + 0x20; leaf++) {
			struct regs a = cpuid(soft->vcpu[3], &os, leaf, 0);
			struct regs b = cpuid(v2->vcpu[3], &os, leaf, 0);

			assert_memory_equal(&a, &b, sizeof(a));
		}
	}
	domain_destroy(soft);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(model_v1_shows_this_and_nothing_above),
		TEST(model_v2_shows_this),
		TEST(model_v3_shows_this),
		TEST(xcr0_takes_what_the_model_offers),
		TEST(the_models_are_the_psabis_levels),
		TEST(v1_offers_none_of_the_later_control_bits),
		TEST(bits_follow_the_state),
		TEST(the_hypervisor_shows_itself_to_firmware_only),
		TEST(the_brand_is_the_models_name),
		TEST(leaves_that_do_not_exist_are_zero),
		TEST(caches_are_of_a_usual_size),
		TEST(the_engine_does_not_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
