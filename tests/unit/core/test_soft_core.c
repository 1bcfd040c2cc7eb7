/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_soft_core.c - the software CPU under the core: events whose delivery fails or waits for a
 * device, hypercalls of the wrong caller, CPU models. Guests are assembled next to their tests.
 */
#include "core/domain.h"
#include "os/posix/os_test.h"
#include "soft/soft.h"
#include "soft_guest.h"

static struct guest guest;

static int teardown(void **state)
{
	(void)state;
	hvm_os_test_log_sink(NULL);
	if (guest.d)
		guest_destroy(&guest);
	memset(&guest, 0, sizeof(guest));
	return 0;
}

/* -- events ------------------------------------------------------------------------------------ */

GUEST(spin64, 64, "mov %rax, %cs:(0x5000); 1: inc %rbx; out %al, $0xf0; jmp 1b");
GUEST(halt64, 64, "1: hlt; out %al, $0xf0; jmp 1b");

/*
 * A bug that was: the triple fault of an interrupt that could not be delivered was forgotten, and
 * the guest went on behind it; a halted one slept for ever.
 */
static void an_interrupt_without_idt_is_a_triple_fault(void **state)
{
	static const struct {
		const uint8_t *start, *end;
		uint32_t activity;
	} row[] = {
		{ spin64_start, spin64_end, HVM_ACTIVITY_RUN },
		{ halt64_start, halt64_end, HVM_ACTIVITY_HLT },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		struct guest *g = &guest;
		struct hvm_vcpu_state s;

		guest_create_long(g, 1);
		guest_load(g, GUEST_CODE, row[i].start, row[i].end);
		guest_start_long(g, 0, GUEST_CODE + 7, 0);
		assert_int_equal(hvm_vcpu_get_state(hvm_domain_vcpu(g->d, 0), &s), 0);
		s.idtr.limit = 0;
		s.activity = row[i].activity;
		assert_int_equal(hvm_vcpu_set_state(hvm_domain_vcpu(g->d, 0), &s), 0);
		assert_int_equal(hvm_nmi_send(g->d), 0);
		assert_int_equal(guest_run(g, 0), HVM_EXIT_SHUTDOWN);
		assert_int_equal(guest_run(g, 0), HVM_EXIT_SHUTDOWN);
		assert_int_equal(g->traced, 0);
		teardown(NULL);
	}
}

GUEST(nmi_on_device_stack, 64, "1: jmp 1b; nop; nop; nop; nop; nop; nop; nop; out %al, $0xf4");

/* The frame goes to device memory: five requests, and the handler runs once. */
static void a_delivery_to_a_stack_in_device_memory_makes_each_write_once(void **state)
{
	struct guest *g = &guest;
	struct hvm_vcpu_state s;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, nmi_on_device_stack);
	guest_gate(g, 2, GUEST_CODE + 9);
	guest_start_long(g, 0, GUEST_CODE, 0);
	assert_int_equal(hvm_vcpu_get_state(hvm_domain_vcpu(g->d, 0), &s), 0);
	s.gpr[4] = GUEST_RAM + 0x1000; /* just beyond RAM */
	assert_int_equal(hvm_vcpu_set_state(hvm_domain_vcpu(g->d, 0), &s), 0);
	assert_int_equal(hvm_nmi_send(g->d), 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	assert_int_equal(g->mmio_count, 5);
	for (unsigned int i = 0; i < 5; i++) {
		assert_true(g->mmio[i].is_write);
		for (unsigned int n = 0; n < i; n++)
			assert_int_not_equal(g->mmio[i].address, g->mmio[n].address);
	}
}

/* -- hypercalls ---------------------------------------------------------------------------------
 */

GUEST(user_call, 64,
      "mov $17, %eax; mov $1, %ebx; mov $0x5000, %ecx; vmcall; nop;"
      "out %al, $0xf4");
GUEST(user_call_ud, 64, "mov $0xbad, %eax; out %eax, $0xf0; out %al, $0xf4");
GUEST(firmware_call, 32,
      "mov $17, %eax; mov $1, %ebx; mov $0x5000, %ecx; vmcall;"
      "out %eax, $0xf0; out %al, $0xf4");

/* A bug that was: any program in the guest could have 16 bytes of its kernel's memory zeroed. */
static void a_user_programs_vmcall_is_an_invalid_opcode(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, user_call);
	guest_load(g, GUEST_CODE + 0x1000, user_call_ud_start, user_call_ud_end);
	guest_gate(g, 6, GUEST_CODE + 0x1000);
	memset(g->ram + 0x5000, 0x5a, 16);
	guest_start_long(g, 0, GUEST_CODE, 3);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	assert_int_equal(g->traced, 1);
	assert_int_equal(g->trace[0], 0xbad);
	assert_int_equal(g->ram[0x5000], 0x5a);
}

static void firmwares_vmcall_is_served(void **state)
{
	struct guest *g = &guest;
	struct hvm_vcpu_state s;

	(void)state;
	guest_create(g, 1);
	GUEST_LOAD(g, firmware_call);
	memset(g->ram + 0x5000, 0x5a, 17);
	guest_start_real(g, 0);
	assert_int_equal(hvm_vcpu_get_state(hvm_domain_vcpu(g->d, 0), &s), 0);
	s.cr0 = 0x11;
	for (unsigned int i = 0; i < 6; i++)
		s.seg[i] = guest_seg(0x10, 0xffffffff, i == HVM_SEG_CS ? 0xc09b : 0xc093);
	s.rip = GUEST_CODE;
	assert_int_equal(hvm_vcpu_set_state(hvm_domain_vcpu(g->d, 0), &s), 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	assert_int_equal(g->trace[0], 0);
	assert_int_equal(g->ram[0x5000], 0);
	assert_int_equal(g->ram[0x5010], 0x5a);
}

/* -- models -------------------------------------------------------------------------------------
 */

/* Each instruction at a place of its own; what follows it stops the guest with the vector seen. */
#define AT ".balign 16, 0x90;"
GUEST(v2_insns, 64,
      AT "popcnt %eax, %ebx;" AT "crc32l %eax, %ebx;" AT "cmpxchg16b 0x5000;" AT
	 "pshufb %xmm1, %xmm0;" AT "pabsb %mm1, %mm0;" AT "pmulld %xmm1, %xmm0;" AT
	 "haddps %xmm1, %xmm0;" AT "pcmpistri $0, %xmm1, %xmm0;" AT "pextrw $1, %xmm0, 0x5000;" AT
	 "lahf;" AT "fisttpl 0x5000;" AT "pcmpgtq %xmm1, %xmm0;" AT);
GUEST(v1_insns, 64,
      AT "pextrw $1, %xmm0, %eax;" AT "cmpxchg8b 0x5000;" AT "addpd %xmm1, %xmm0;" AT
	 "pinsrw $1, %eax, %xmm0;" AT "rdtscp;" AT "fistpl 0x5000;" AT);
GUEST(saw_ud, 64, "mov $6, %eax; out %eax, $0xf0; out %al, $0xf4");
GUEST(saw_none, 64, "mov $1, %eax; out %eax, $0xf0; out %al, $0xf4");

/* Run the instruction at @code; true: it exists. */
static bool runs(enum hvm_cpu_model model, const uint8_t *code)
{
	struct guest *g = &guest;
	uint8_t insn[16 + 32];
	bool ran;

	guest_create_model(g, 1, model);
	guest_page_tables(g);
	guest_gdt(g);
	memcpy(insn, code, 16);
	memcpy(insn + 16, saw_none_start, (size_t)(saw_none_end - saw_none_start));
	guest_load(g, GUEST_CODE, insn, insn + sizeof(insn));
	GUEST_LOAD(g, saw_ud);
	guest_load(g, GUEST_CODE, insn, insn + sizeof(insn));
	guest_load(g, GUEST_CODE + 0x1000, saw_ud_start, saw_ud_end);
	guest_gate(g, 6, GUEST_CODE + 0x1000);
	guest_start_long(g, 0, GUEST_CODE, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	assert_int_equal(g->traced, 1);
	ran = g->trace[0] == 1;
	teardown(NULL);
	return ran;
}

static void a_model_has_the_instructions_that_it_shows(void **state)
{
	(void)state;
	for (const uint8_t *p = v2_insns_start; p < v2_insns_end; p += 16) {
		assert_true(runs(HVM_CPU_V2, p));
		if (runs(HVM_CPU_V1, p))
			fail_msg("x86-64-v1 runs instruction %td", (p - v2_insns_start) / 16);
	}
	for (const uint8_t *p = v1_insns_start; p < v1_insns_end; p += 16)
		assert_true(runs(HVM_CPU_V1, p));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
		TEST(an_interrupt_without_idt_is_a_triple_fault),
		TEST(a_delivery_to_a_stack_in_device_memory_makes_each_write_once),
		TEST(a_user_programs_vmcall_is_an_invalid_opcode),
		TEST(firmwares_vmcall_is_served),
		TEST(a_model_has_the_instructions_that_it_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
