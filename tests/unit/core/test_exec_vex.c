/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_vex.c - what CPU model hvm-v3 adds to the software CPU, as far as the oracle
 * (test_exec_oracle.c) cannot show it from a process: when AVX may be used, XSAVE and XRSTOR of its
 * state, the state's way in and out, unmasked exceptions, devices, models that have none of it.
 * Everything runs interpreted, then translated (what is executed often enough), then in verify
 * mode, which is translated too. Skipped where the host's processor is no x86-64-v3.
 */
#include "native_state.h"
#include "soft_guest.h"

#define DATA   0x20000u
#define AREA   0x21000u
#define DEVICE (GUEST_RAM + 0x1000u)

#define CR4_OSXSAVE 0x40000u
#define CR0_EM	    4u
#define CR0_TS	    8u
#define CR0_AM	    0x40000u
#define RFLAGS_AC   0x40000u

static struct guest guest;

static int teardown(void **state)
{
	(void)state;
	if (guest.d)
		guest_destroy(&guest);
	memset(&guest, 0, sizeof(guest));
	return 0;
}

/* The exceptions that these guests meet report their vectors and end the guest. */
GUEST(saw_vectors, 64,
      ".balign 32, 0x90; mov $6, %eax; out %eax, $0xf0; out %al, $0xf4;"
      ".balign 32, 0x90; mov $7, %eax; out %eax, $0xf0; out %al, $0xf4;"
      ".balign 32, 0x90; mov $13, %eax; out %eax, $0xf0; out %al, $0xf4;"
      ".balign 32, 0x90; mov $19, %eax; out %eax, $0xf0; out %al, $0xf4;");

static void start(const uint8_t *code, const uint8_t *end, enum hvm_cpu_model model, uint64_t xcr0)
{
	static const uint8_t vectors[] = { 6, 7, 13, 19 };
	struct guest *g = &guest;
	struct hvm_vcpu_state s;
	struct hvm_vcpu *v;

	teardown(NULL);
	guest_create_long_model(g, 1, model);
	guest_load(g, GUEST_CODE, code, end);
	guest_load(g, GUEST_CODE + 0x1000, saw_vectors_start, saw_vectors_end);
	for (unsigned int n = 0; n < HVM_ARRAY_SIZE(vectors); n++)
		guest_gate(g, vectors[n], GUEST_CODE + 0x1000 + n * 32);
	guest_start_long(g, 0, GUEST_CODE, 0);
	v = hvm_domain_vcpu(g->d, 0);
	assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
	s.cr4 |= CR4_OSXSAVE;
	s.xcr0 = xcr0;
	assert_int_equal(hvm_vcpu_set_state(v, &s), 0);
}
#define START(name, xcr0) start(name##_start, name##_end, HVM_CPU_V3, xcr0)

static void run(void)
{
	assert_int_equal(guest_run(&guest, 0), HVM_EXIT_NONE);
}

/* -- availability -------------------------------------------------------------------------- */

GUEST(use_avx, 64, "vaddps %ymm0, %ymm1, %ymm2; mov $1, %eax; out %eax, $0xf0; out %al, $0xf4");

static void avx_exists_when_the_system_has_enabled_its_state(void **state)
{
	static const struct {
		uint64_t xcr0, clear_cr4, set_cr0;
		uint32_t sees;
	} row[] = {
		{ 7, 0, 0, 1 },	     { 7, CR4_OSXSAVE, 0, 6 }, { 3, 0, 0, 6 },	    { 1, 0, 0, 6 },
		{ 7, 0, CR0_TS, 7 }, { 7, 0, CR0_EM, 1 },      { 3, 0, CR0_TS, 6 },
	};

	(void)state;
	if (!native_has_v3())
		skip();
	for (size_t n = 0; n < HVM_ARRAY_SIZE(row); n++) {
		struct hvm_vcpu_state s;

		START(use_avx, row[n].xcr0);
		assert_int_equal(hvm_vcpu_get_state(hvm_domain_vcpu(guest.d, 0), &s), 0);
		s.cr4 &= ~row[n].clear_cr4;
		s.cr0 |= row[n].set_cr0;
		assert_int_equal(hvm_vcpu_set_state(hvm_domain_vcpu(guest.d, 0), &s), 0);
		run();
		assert_int_equal(guest.trace[0], row[n].sees);
	}
}

GUEST(set_xcr0, 64,
      "xor %ecx, %ecx; xor %edx, %edx; mov 0x20000, %eax; xsetbv;"
      "vxorps %ymm0, %ymm0, %ymm0; mov $1, %eax; out %eax, $0xf0; out %al, $0xf4");

/* Behind XSETBV the next instruction of the same block may be one of AVX. */
static void xsetbv_takes_effect_at_once_and_refuses_what_is_not_there(void **state)
{
	static const struct {
		uint32_t value, sees;
	} row[] = {
		{ 7, 1 }, { 3, 6 }, { 5, 13 }, { 4, 13 }, { 6, 13 }, { 0xf, 13 }, { 0xe7, 13 }
	};

	(void)state;
	if (!native_has_v3())
		skip();
	for (size_t n = 0; n < HVM_ARRAY_SIZE(row); n++) {
		START(set_xcr0, 1);
		guest_put64(&guest, DATA, row[n].value);
		run();
		assert_int_equal(guest.trace[0], row[n].sees);
	}
}

/* -- models -------------------------------------------------------------------------------- */

GUEST(scan_zero, 64,
      "mov $7, %ebx; xor %eax, %eax; tzcnt %eax, %ebx; mov %ebx, %eax; out %eax, $0xf0;"
      "mov $0x10, %ecx; lzcnt %ecx, %eax; out %eax, $0xf0; out %al, $0xf4");
GUEST(use_bmi, 64, "andn %eax, %ebx, %ecx; mov $1, %eax; out %eax, $0xf0; out %al, $0xf4");
GUEST(use_movbe, 64, "movbe 0x20000, %eax; mov $1, %eax; out %eax, $0xf0; out %al, $0xf4");

static void models_below_v3_have_none_of_it(void **state)
{
	(void)state;
	start(use_bmi_start, use_bmi_end, HVM_CPU_V2, 3);
	run();
	assert_int_equal(guest.trace[0], 6);
	start(use_movbe_start, use_movbe_end, HVM_CPU_V2, 3);
	run();
	assert_int_equal(guest.trace[0], 6);
	/* BSF leaves the destination alone, BSR counts from the other end. */
	start(scan_zero_start, scan_zero_end, HVM_CPU_V2, 3);
	run();
	assert_int_equal(guest.trace[0], 7);
	assert_int_equal(guest.trace[1], 4);
	if (!native_has_v3())
		skip();
	START(use_bmi, 1);
	run();
	assert_int_equal(guest.trace[0], 1);
	START(use_movbe, 1);
	run();
	assert_int_equal(guest.trace[0], 1);
	START(scan_zero, 1);
	run();
	assert_int_equal(guest.trace[0], 32);
	assert_int_equal(guest.trace[1], 27);
}

/* -- state --------------------------------------------------------------------------------- */

GUEST(save_restore, 64,
      "vmovups 0x20000, %ymm9; mov $7, %eax; xor %edx, %edx; xsave64 0x21000;"
      "vzeroall; xrstor64 0x21000; vmovups %ymm9, 0x20040;"
      /* without the bit of the component it is zero, without being asked for it stays */
      "btrq $2, 0x21200; vmovups 0x20000, %ymm9; mov $3, %eax; xrstor64 0x21000;"
      "vmovups %ymm9, 0x20080; mov $4, %eax; xrstor64 0x21000; vmovups %ymm9, 0x200c0;"
      "out %al, $0xf4");

static void xsave_and_xrstor_know_the_upper_halves(void **state)
{
	static const uint8_t zero[16];
	uint8_t data[32];

	(void)state;
	if (!native_has_v3())
		skip();
	for (unsigned int n = 0; n < sizeof(data); n++)
		data[n] = (uint8_t)(n * 7 + 1);
	START(save_restore, 7);
	memcpy(guest.ram + DATA, data, sizeof(data));
	run();
	assert_memory_equal(guest.ram + AREA + 160 + 9 * 16, data, 16);
	assert_memory_equal(guest.ram + AREA + 576 + 9 * 16, data + 16, 16);
	assert_memory_equal(guest.ram + DATA + 0x40, data, 32);
	assert_memory_equal(guest.ram + DATA + 0x80, data, 32);
	assert_memory_equal(guest.ram + DATA + 0xc0, data, 16);
	assert_memory_equal(guest.ram + DATA + 0xd0, zero, 16);
	assert_int_equal(guest.ram[AREA + 512], 3);
}

GUEST(keep_upper, 64,
      "vmovups %ymm3, 0x20000; vmovups 0x20040, %ymm4; out %al, $0xf0; addps %xmm5, %xmm4;"
      "cpuid; vmovups %ymm4, 0x20080; vaddps %xmm5, %xmm4, %xmm4; vmovups %ymm4, 0x200c0;"
      "out %al, $0xf4");

/* In by hvm_vcpu_set_state(), over an exit and legacy SSE instructions, out again. */
static void upper_halves_travel_with_the_state(void **state)
{
	static const uint8_t zero[16];
	struct hvm_vcpu_state s;
	struct hvm_vcpu *v;

	(void)state;
	if (!native_has_v3())
		skip();
	START(keep_upper, 7);
	v = hvm_domain_vcpu(guest.d, 0);
	assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
	memset(s.xsave + 160 + 3 * 16, 0x11, 16);
	memset(s.xsave + 576 + 3 * 16, 0x22, 16);
	s.xsave[512] = 7;
	assert_int_equal(hvm_vcpu_set_state(v, &s), 0);
	memset(guest.ram + DATA + 0x40, 0x33, 32);
	run();
	assert_int_equal(guest.ram[DATA + 15], 0x11);
	assert_int_equal(guest.ram[DATA + 16], 0x22);
	assert_int_equal(guest.ram[DATA + 31], 0x22);
	assert_int_equal(guest.ram[DATA + 0x80 + 16], 0x33);
	assert_int_equal(guest.ram[DATA + 0x80 + 31], 0x33);
	assert_memory_equal(guest.ram + DATA + 0xc0 + 16, zero, 16);
	assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
	assert_int_equal(s.xsave[512] & 7, 7);
	assert_int_equal(s.xsave[576 + 3 * 16], 0x22);
	assert_int_equal(s.xsave[576 + 4 * 16], 0);
}

/* -- exceptions and devices ---------------------------------------------------------------- */

GUEST(divide, 64,
      "movl $0x1d80, 0x20040; vldmxcsr 0x20040; vmovups 0x20000, %ymm1; vxorps %ymm2, %ymm2, %ymm2;"
      "vdivps %ymm2, %ymm1, %ymm1; mov $1, %eax; out %eax, $0xf0; out %al, $0xf4");

static void an_unmasked_division_by_zero_is_raised_and_changes_nothing(void **state)
{
	struct hvm_vcpu_state s;
	uint32_t mxcsr;
	float one = 1;

	(void)state;
	if (!native_has_v3())
		skip();
	START(divide, 7);
	for (unsigned int n = 0; n < 8; n++)
		memcpy(guest.ram + DATA + n * 4, &one, 4);
	run();
	assert_int_equal(guest.trace[0], 19);
	assert_int_equal(hvm_vcpu_get_state(hvm_domain_vcpu(guest.d, 0), &s), 0);
	assert_memory_equal(s.xsave + 160 + 16, &one, 4);
	assert_memory_equal(s.xsave + 576 + 16, &one, 4);
	memcpy(&mxcsr, s.xsave + 24, 4);
	assert_int_equal(mxcsr, 0x1d84);
}

GUEST(gather_device, 64,
      "mov $0x1001000, %ebx; vpcmpeqd %xmm1, %xmm1, %xmm1; vpxor %xmm0, %xmm0, %xmm0;"
      "vmovups 0x20000, %xmm2;"
      "vpgatherdd %xmm1, (%rbx, %xmm2, 4), %xmm0; vmovups %xmm0, 0x20010;"
      "vmovups %xmm1, 0x20020; out %al, $0xf4");

/* Each element is read from the device once, whatever starts again in between. */
static void a_gather_reads_each_element_of_a_device_once(void **state)
{
	static const uint32_t index[4] = { 3, 0, 5, 1 };
	uint32_t got[8];

	(void)state;
	if (!native_has_v3())
		skip();
	START(gather_device, 7);
	guest.mmio_value = 0x1234;
	memcpy(guest.ram + DATA, index, sizeof(index));
	run();
	assert_int_equal(guest.mmio_count, 4);
	for (unsigned int n = 0; n < 4; n++)
		assert_int_equal(guest.mmio[n].address, DEVICE + 4 * index[n]);
	memcpy(got, guest.ram + DATA + 0x10, sizeof(got));
	for (unsigned int n = 0; n < 4; n++) {
		assert_int_equal(got[n], 0x1234);
		assert_int_equal(got[4 + n], 0);
	}
}

GUEST(mask_device, 64,
      "mov $0x1001000, %ebx; vmovups 0x20000, %ymm1; vmovups 0x20020, %ymm2;"
      "vpmaskmovd %ymm2, %ymm1, (%rbx); out %al, $0xf4");

static void a_masked_store_writes_what_its_mask_says_to_a_device(void **state)
{
	static const uint32_t mask[8] = { 0x80000000, 0, 0, ~0u, 0x7fffffff, 0, 0, 0x80000001 };
	static const uint8_t at[3] = { 0, 12, 28 };
	uint32_t data[8];

	(void)state;
	if (!native_has_v3())
		skip();
	START(mask_device, 7);
	for (unsigned int n = 0; n < 8; n++)
		data[n] = 100 + n;
	memcpy(guest.ram + DATA, mask, sizeof(mask));
	memcpy(guest.ram + DATA + 0x20, data, sizeof(data));
	run();
	assert_int_equal(guest.mmio_count, 3);
	for (unsigned int n = 0; n < 3; n++) {
		assert_true(guest.mmio[n].is_write);
		assert_int_equal(guest.mmio[n].address, DEVICE + at[n]);
		assert_int_equal(guest.mmio[n].data, 100 + at[n] / 4);
	}
}

GUEST(xsave_device, 64,
      "mov $0x1001000, %ebx; mov $7, %eax; xor %edx, %edx; xsave64 (%rbx); mov $1, %eax;"
      "out %eax, $0xf0; out %al, $0xf4");
GUEST(xrstor_device, 64,
      "mov $0x1001000, %ebx; mov $7, %eax; xor %edx, %edx; xrstor64 (%rbx); mov $1, %eax;"
      "out %eax, $0xf0; out %al, $0xf4");

/* A bug that was: more accesses than the core kept, and the domain was crashed. */
static void an_area_in_device_memory_is_served(void **state)
{
	(void)state;
	if (!native_has_v3())
		skip();
	START(xsave_device, 7);
	run();
	assert_int_equal(guest.trace[0], 1);
	START(xrstor_device, 7);
	run();
	assert_int_equal(guest.trace[0], 1);
}

GUEST(sse_to_avx, 64,
      "vmovups 0x20000, %ymm1; out %al, $0xf0; mov $8, %ecx; jmp 1f; .balign 64;"
      "1: addps %xmm2, %xmm3; jmp 2f; .balign 64;"
      "2: vmovups %ymm1, 0x20040; vpaddd %ymm1, %ymm1, %ymm1; out %al, $0xf0; dec %ecx; jnz 1b;"
      "out %al, $0xf4");

/* Generated code has the lower halves in registers by then. Often enough to be translated. */
static void a_block_of_avx_behind_one_of_sse_has_the_upper_halves(void **state)
{
	uint32_t got[8];

	(void)state;
	if (!native_has_v3())
		skip();
	START(sse_to_avx, 7);
	for (uint32_t n = 0; n < 8; n++)
		memcpy(guest.ram + DATA + n * 4, &(uint32_t){ n + 1 }, 4);
	run();
	memcpy(got, guest.ram + DATA + 0x40, sizeof(got));
	for (uint32_t n = 0; n < 8; n++)
		assert_int_equal(got[n], (n + 1) << 7);
}

GUEST(aligned_user, 64,
      "vpcmpeqd %ymm1, %ymm1, %ymm1; vpslld $31, %ymm1, %ymm1; vpxor %ymm2, %ymm2, %ymm2;"
      "mov $0x20001, %ebx; vpmaskmovd (%rbx), %ymm1, %ymm0; vpmaskmovd %ymm0, %ymm1, (%rbx);"
      "vpgatherdd %ymm1, (%rbx, %ymm2, 4), %ymm0; mov $1, %eax; vmcall; nop");
GUEST(saw_user, 64, "out %eax, $0xf0; out %al, $0xf4");

/* Alignment checks leave alone what is accessed element by element. */
static void masked_moves_and_gathers_raise_no_alignment_check(void **state)
{
	struct hvm_vcpu_state s;
	struct hvm_vcpu *v;

	(void)state;
	if (!native_has_v3())
		skip();
	START(aligned_user, 7);
	guest_load(&guest, GUEST_CODE + 0x2000, saw_user_start, saw_user_end);
	guest_gate(&guest, 6, GUEST_CODE + 0x2000);
	guest_start_long(&guest, 0, GUEST_CODE, 3);
	v = hvm_domain_vcpu(guest.d, 0);
	assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
	s.cr4 |= CR4_OSXSAVE;
	s.cr0 |= CR0_AM;
	s.rflags |= RFLAGS_AC;
	assert_int_equal(hvm_vcpu_set_state(v, &s), 0);
	run();
	assert_int_equal(guest.trace[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
		TEST(avx_exists_when_the_system_has_enabled_its_state),
		TEST(xsetbv_takes_effect_at_once_and_refuses_what_is_not_there),
		TEST(models_below_v3_have_none_of_it),
		TEST(xsave_and_xrstor_know_the_upper_halves),
		TEST(upper_halves_travel_with_the_state),
		TEST(an_unmasked_division_by_zero_is_raised_and_changes_nothing),
		TEST(a_gather_reads_each_element_of_a_device_once),
		TEST(a_masked_store_writes_what_its_mask_says_to_a_device),
		TEST(an_area_in_device_memory_is_served),
		TEST(a_block_of_avx_behind_one_of_sse_has_the_upper_halves),
		TEST(masked_moves_and_gathers_raise_no_alignment_check),
#undef TEST
	};

	int failed;

	setenv("HVM_TRANSLATOR", "0", 1);
	failed = cmocka_run_group_tests_name("interpreted", tests, NULL, NULL);
	setenv("HVM_TRANSLATOR", "1", 1);
	failed += cmocka_run_group_tests_name("translated", tests, NULL, NULL);
	setenv("HVM_TRANSLATOR", "2", 1);
	return failed + cmocka_run_group_tests_name("verified", tests, NULL, NULL);
}
