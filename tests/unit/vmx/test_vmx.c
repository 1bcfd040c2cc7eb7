/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_vmx.c - vmx/ on a processor that is a fake (fake_vmx.h): who is refused, fields that are
 * fetched and written only when they must be, a VMCS that moves from CPU to CPU, events that are
 * cut short, and entries that fail. Source: Intel SDM Vol 3C ch. 23 to 27.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "devices/chips.h"
#include "fake_vmx.h"
#include "x86/cpu.h"

#define RAM_BYTES (1u << 20)

static struct domain *d;
static struct vcpu *v;
static struct vmx_vcpu *vv;
static uint8_t *ram;
static struct hvm_exit last;
static struct hvm_vcpu_state state;

/* -- the fixture ------------------------------------------------------------------------------- */

static void start(void)
{
	const struct hvm_domain_config cfg = { .cpu_model = HVM_CPU_V2, .vcpus = 1 };
	const struct hvm_function_table *ops;
	const char *why = NULL;
	int error = 0;

	ops = vmx_probe(&why, &error);
	assert_non_null(ops);
	assert_null(hvm_table_check(ops));
	assert_int_equal(domain_create(&cfg, ops, &d), 0);
	v = d->vcpu[0];
	vv = v->vendor;
	ram = aligned_alloc(1u << 21, 1u << 21);
	memset(ram, 0, 1u << 21);
	assert_int_equal(domain_map(d, 0, RAM_BYTES, HVM_MEM_RAM, ram), 0);
	vcpu_get_state(v, &state);
	fake_long_mode(ram, &state);
	assert_int_equal(vcpu_set_state(v, &state), 0);
}

static int setup(void **unused)
{
	(void)unused;
	fake_vmx_reset();
	start();
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	domain_destroy(d);
	hvm_os_off_each_cpu();
	vmx_unload();
	free(ram);
	return 0;
}

static void exit_by(enum vmx_exit_reason reason, uint64_t qualification, uint64_t insn_len)
{
	fake_set(VMX_EXIT_REASON, reason);
	fake_set(VMX_EXIT_QUALIFICATION, qualification);
	fake_set(VMX_EXIT_INSN_LEN, insn_len);
}

static void out_510(struct vmx_vcpu *unused)
{
	(void)unused;
	exit_by(VMX_REASON_IO, 0x510u << 16, 1);
}

/* Until ioemu is asked for something. */
static int run(void (*guest)(struct vmx_vcpu *vv))
{
	int rc;

	fake.guest = guest;
	memset(&last, 0, sizeof(last));
	rc = vcpu_run(v, &last);
	if (v->ioreq_page->req.state == HVM_IOREQ_STATE_READY)
		v->ioreq_page->req.state = HVM_IOREQ_STATE_DONE;
	return rc;
}

static void runs(void (*guest)(struct vmx_vcpu *vv))
{
	assert_int_equal(run(guest), 0);
	assert_int_equal(last.reason, HVM_EXIT_IOREQ);
}

/* -- who is refused ---------------------------------------------------------------------------- */

static void refused(int wanted, const char *text)
{
	const char *why = NULL;
	int error = 0;

	assert_null(vmx_probe(&why, &error));
	assert_int_equal(error, wanted);
	if (!strstr(why, text))
		fail_msg("\"%s\" does not say \"%s\"", why, text);
	vmx_unload();
}

static void a_processor_that_lacks_something_is_refused_with_the_reason(void **unused)
{
	/* clang-format off */
	static const struct {
		enum vmx_control_word word;
		uint32_t bit;
		const char *text;
	} rows[] = {
		{ VMX_WORD_PROC, VMX_PROC_SECONDARY, "no EPT" },
		{ VMX_WORD_PROC2, VMX_PROC2_EPT, "no EPT" },
		{ VMX_WORD_PROC2, VMX_PROC2_UNRESTRICTED, "no unrestricted guest" },
		{ VMX_WORD_PIN, VMX_PIN_VIRTUAL_NMIS, "no virtual NMIs" },
		{ VMX_WORD_PROC, VMX_PROC_TPR_SHADOW, "no TPR shadow" },
		{ VMX_WORD_PROC, VMX_PROC_MSR_BITMAP, "no MSR bitmap" },
	};
	/* clang-format on */

	(void)unused;
	fake_vmx_reset();
	fake.vmx = false;
	refused(-HVM_ENODEV, "no VT-x");
	fake_vmx_reset();
	fake.locked_off = true;
	refused(-HVM_EPERM, "firmware");
	fake_vmx_reset();
	fake.must[VMX_WORD_PROC] = VMX_PROC_CR3_LOAD;
	refused(-HVM_ENODEV, "CR3");
	fake_vmx_reset();
	fake.ept_vpid = 0;
	refused(-HVM_ENODEV, "no EPT");
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		fake_vmx_reset();
		fake.may[rows[i].word] &= ~rows[i].bit;
		refused(-HVM_ENODEV, rows[i].text);
	}
}

static void what_only_helps_may_be_missing(void **unused)
{
	static const uint32_t missing[] = { 0,
					    VMX_PROC2_VPID,
					    VMX_PROC2_INTR_DELIVER,
					    VMX_PROC2_PML,
					    VMX_PROC2_RDTSCP | VMX_PROC2_INVPCID,
					    VMX_PROC2_APICV | VMX_PROC2_PML | VMX_PROC2_VPID |
						    VMX_PROC2_PAUSE_LOOP };

	(void)unused;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(missing); i++) {
		fake_vmx_reset();
		fake.may[VMX_WORD_PROC2] &= ~missing[i];
		fake.may[VMX_WORD_PIN] &= i & 1 ? ~0u : ~VMX_PIN_TIMER;
		start();
		runs(out_510);
		assert_int_equal(fake_get(VMX_PROC2_CONTROLS) & missing[i], 0);
		teardown(NULL);
	}
}

static void the_first_cache_is_emptied_where_a_guest_could_read_it(void **unused)
{
	static const struct {
		bool l1tf, msr;
	} rows[] = { { false, false }, { false, true }, { true, false }, { true, true } };

	(void)unused;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		fake_vmx_reset();
		fake.l1tf = rows[i].l1tf;
		fake.flush_msr = rows[i].msr;
		start();
		assert_int_equal(vmx_host.l1d_fill != NULL, rows[i].l1tf && !rows[i].msr);
		assert_int_equal(vmx_host.features.must_flush_l1d, rows[i].l1tf);
		assert_int_equal(vmx_host.features.has_flush_l1d, rows[i].msr);
		runs(out_510);
		teardown(NULL);
		assert_null(vmx_host.l1d_fill);
	}
}

/* -- a guest from elsewhere -------------------------------------------------------------------- */

static void a_guest_counts_at_the_rate_that_it_knows(void **unused)
{
	uint64_t here = hvm_os_tsc_khz() & ~1ull;

	(void)unused;
	fake_vmx_reset();
	start();
	runs(out_510);
	assert_int_equal(fake_get(VMX_TSC_MULTIPLIER), 1ull << 48);
	assert_int_equal(domain_set_tsc_khz(d, here / 2, false), 0);
	runs(out_510);
	assert_in_range(fake_get(VMX_TSC_MULTIPLIER), (1ull << 47) - (1ull << 40), 1ull << 47);
	assert_int_equal(fake_get(VMX_TSC_MULTIPLIER), d->tsc_ratio);
	teardown(NULL);
	fake_vmx_reset();
	fake.may[VMX_WORD_PROC2] &= ~VMX_PROC2_TSC_SCALING;
	start();
	assert_int_equal(domain_set_tsc_khz(d, here / 2, false), -HVM_EINVAL);
	runs(out_510);
	teardown(NULL);
}

/* -- fields and CPUs --------------------------------------------------------------------------- */

/* It was once written where its value said, for a macro had the field's name. */
static void a_guest_that_spins_gives_way(void **unused)
{
	(void)unused;
	runs(out_510);
	assert_int_equal(fake_get(VMX_PAUSE_GAP), 128);
	assert_int_equal(fake_get(VMX_PAUSE_WINDOW), 4096);
}

static void fields_are_fetched_and_written_when_they_must_be(void **unused)
{
	unsigned int writes;

	(void)unused;
	runs(out_510);
	writes = fake.writes;
	assert_true(writes > 60); /* all of the state */
	fake.reads = 0;
	runs(out_510);
	runs(out_510);
	/* Of each run: RIP moved on, and the interrupt status. */
	assert_in_range(fake.writes - writes, 2, 6);
	assert_in_range(fake.reads, 1, 30);
	assert_int_equal(fake_get(VMX_GUEST_RIP), 0x1002);
}

static void a_vmcs_leaves_one_cpu_before_it_comes_to_another(void **unused)
{
	unsigned int clears, invepts;

	(void)unused;
	runs(out_510);
	clears = fake.clears;
	invepts = fake.invepts;
	fake.cpu = 1;
	runs(out_510);
	assert_int_equal(fake.clears, clears + 1);
	assert_int_equal(fake.invepts, invepts + 1); /* translations of an earlier visit */
	fake.cpu = 0;
	vcpu_get_state(v, &state); /* from anywhere */
	assert_int_equal(state.cr3, 0x80000);
	runs(out_510);
}

static void what_is_loaded_is_what_is_stored(void **unused)
{
	static struct hvm_vcpu_state s;

	(void)unused;
	for (unsigned int i = 0; i < 16; i++)
		state.gpr[i] = 0x1111111111111111ull * i;
	state.star = 0x0023001000000000ull;
	state.lstar = 0xffffffff81000000ull;
	state.sfmask = 0x47700;
	state.kernel_gs_base = 0xffff888000000000ull;
	state.dr[2] = 0x1234;
	state.intr_shadow = HVM_INTR_SHADOW_NMI;
	assert_int_equal(vcpu_set_state(v, &state), 0);
	vcpu_get_state(v, &s);
	assert_memory_equal(s.gpr, state.gpr, sizeof(s.gpr));
	assert_int_equal(s.cr0, state.cr0);
	assert_int_equal(s.cr4, state.cr4);
	assert_int_equal(s.efer, state.efer);
	assert_int_equal(s.lstar, state.lstar);
	assert_int_equal(s.kernel_gs_base, state.kernel_gs_base);
	assert_int_equal(s.intr_shadow, HVM_INTR_SHADOW_NMI);
	for (unsigned int n = 0; n < HVM_SEG_LDTR; n++)
		assert_memory_equal(&s.seg[n], &state.seg[n], sizeof(s.seg[n]));
	/* MCE is always on in the register; the guest sees what it wrote. */
	assert_int_equal(vmx_read(vv, VMX_GUEST_CR4) & 0x2040, 0x2040);
}

/* Loaded into the host's registers, these would fault there. */
static void a_state_that_would_fault_in_the_host_is_refused(void **unused)
{
	struct hvm_vcpu_state s = state;

	(void)unused;
	s.lstar = 0x8000000000000000ull;
	assert_int_equal(vcpu_set_state(v, &s), -HVM_EINVAL);
	s = state;
	s.kernel_gs_base = 0x0001000000000000ull;
	assert_int_equal(vcpu_set_state(v, &s), -HVM_EINVAL);
	s = state;
	s.sfmask = HVM_BIT(32);
	assert_int_equal(vcpu_set_state(v, &s), -HVM_EINVAL);
	s = state;
	s.tsc_aux = HVM_BIT(32);
	assert_int_equal(vcpu_set_state(v, &s), -HVM_EINVAL);
	runs(out_510);
}

static void avx_state_is_kept_for_hvm_v3_alone(void **unused)
{
	const struct hvm_domain_config cfg = { .cpu_model = HVM_CPU_V3, .vcpus = 1 };
	struct hvm_vcpu_state s = state;
	struct domain *other = NULL;

	(void)unused;
	s.xcr0 = 7;
	assert_int_equal(vcpu_set_state(v, &s), -HVM_EINVAL);
	s = state;
	s.xsave[512] = 7;
	assert_int_equal(vcpu_set_state(v, &s), -HVM_EINVAL);
	runs(out_510);
	assert_int_equal(fake_fpu.xmoves, 0);
	assert_int_equal(domain_create(&cfg, d->ops, &other), 0);
	s.cr4 |= 1u << 18;
	s.xcr0 = 7;
	memset(s.xsave + 576, 0x5a, 256);
	assert_int_equal(vcpu_set_state(other->vcpu[0], &s), 0);
	memset(&s, 0, sizeof(s));
	vcpu_get_state(other->vcpu[0], &s);
	assert_int_equal(s.xcr0, 7);
	assert_int_equal(s.xsave[512], 7);
	for (unsigned int i = 576; i < HVM_XSAVE_BYTES; i++)
		assert_int_equal(s.xsave[i], 0x5a);
	domain_destroy(other);
}

static void hvm_v3_is_refused_where_the_host_lacks_a_part_of_it(void **unused)
{
	const struct hvm_domain_config cfg = { .cpu_model = HVM_CPU_V3, .vcpus = 1 };
	struct domain *other = NULL;

	(void)unused;
	fake_lacks.leaf7_ebx = 1u << 8;
	assert_int_equal(domain_create(&cfg, d->ops, &other), -HVM_ENODEV);
	fake_lacks.leaf7_ebx = 0;
	fake_fpu.xcr0 = 3;
	assert_int_equal(domain_create(&cfg, d->ops, &other), -HVM_ENODEV);
	fake_fpu.xcr0 = 7;
	assert_int_equal(domain_create(&cfg, d->ops, &other), 0);
	domain_destroy(other);
}

/* -- events ------------------------------------------------------------------------------------ */

static struct {
	uint64_t event, error, len;
	unsigned int seen;
} wanted;

static void see_event(struct vmx_vcpu *unused)
{
	assert_int_equal(fake_get(VMX_ENTRY_EVENT) & VMX_EVENT_KEEP, wanted.event);
	if (wanted.event & VMX_EVENT_HAS_ERROR)
		assert_int_equal(fake_get(VMX_ENTRY_EVENT_ERROR), wanted.error);
	if (wanted.len)
		assert_int_equal(fake_get(VMX_ENTRY_INSN_LEN), wanted.len);
	wanted.seen++;
	out_510(unused);
}

/* An exit in the middle of an event's delivery; the page it needs is there with the next entry. */
static void cut_short(struct vmx_vcpu *unused)
{
	(void)unused;
	exit_by(VMX_REASON_EPT_VIOLATION, VMX_EPT_WRITE, wanted.len);
	fake_set(VMX_EXIT_GPA, 0x7000);
	fake_set(VMX_IDT_VECTORING, wanted.event);
	fake_set(VMX_IDT_VECTORING_ERROR, wanted.error);
	if (VMX_EVENT_TYPE(wanted.event) == VMX_EVENT_NMI)
		fake_set(VMX_GUEST_INTERRUPTIBILITY, VMX_BLOCKED_NMI);
	fake.guest = see_event;
}

static void an_event_that_was_cut_short_is_delivered_again(void **unused)
{
	/* clang-format off */
	static const struct {
		uint64_t event, error, len;
	} rows[] = {
		{ VMX_EVENT_VALID | VMX_EVENT_EXT_INTR << 8 | 0x41, 0, 0 },
		{ VMX_EVENT_VALID | VMX_EVENT_NMI << 8 | X86_NMI, 0, 0 },
		{ VMX_EVENT_VALID | VMX_EVENT_HAS_ERROR | VMX_EVENT_EXCEPTION << 8 | X86_PF, 2, 0 },
		{ VMX_EVENT_VALID | VMX_EVENT_SOFT_INTR << 8 | 0x80, 0, 2 },
		{ VMX_EVENT_VALID | VMX_EVENT_SOFT_EXC << 8 | X86_BP, 0, 1 },
	};
	/* clang-format on */

	(void)unused;
	state.rflags |= X86_EFL_IF;
	assert_int_equal(vcpu_set_state(v, &state), 0);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		wanted.event = rows[i].event;
		wanted.error = rows[i].error;
		wanted.len = rows[i].len;
		wanted.seen = 0;
		runs(cut_short);
		assert_int_equal(wanted.seen, 1);
	}
}

static void see_error_code(struct vmx_vcpu *unused)
{
	wanted.event = fake_get(VMX_ENTRY_EVENT);
	out_510(unused);
}

static void rdpmc(struct vmx_vcpu *unused)
{
	(void)unused;
	exit_by(VMX_REASON_RDPMC, 0, 2);
	fake.guest = see_error_code;
}

static void real_mode_knows_no_error_codes(void **unused)
{
	(void)unused;
	runs(rdpmc);
	assert_int_equal(wanted.event & 0x8fff, VMX_EVENT_HAS_ERROR | 3u << 8 | X86_GP);
	state.cr0 = 0x10;
	state.cr4 = 0;
	state.efer = 0;
	for (unsigned int n = 0; n < 6; n++)
		state.seg[n] = (struct hvm_seg){ .limit = 0xffff, .ar = n == 1 ? 0x9b : 0x93 };
	assert_int_equal(vcpu_set_state(v, &state), 0);
	runs(rdpmc);
	assert_int_equal(wanted.event & 0x8fff, 3u << 8 | X86_GP);
}

static void an_exception_over_another_is_a_double_fault(void **unused)
{
	(void)unused;
	vmx_inject_exception(vv, X86_PF, 2);
	vmx_inject_exception(vv, X86_GP, 0);
	assert_int_equal(vv->event & 0xff, X86_DF);
	vmx_forget_events(vv);
	vmx_inject_exception(vv, X86_DB, -1);
	vmx_inject_exception(vv, X86_PF, 4);
	assert_int_equal(vv->event & 0xff, X86_PF);
	vmx_forget_events(vv);
}

/* -- entries that fail ------------------------------------------------------------------------- */

static void bad_state(struct vmx_vcpu *unused)
{
	(void)unused;
	exit_by((enum vmx_exit_reason)(VMX_REASON_ENTRY_FAILED | VMX_REASON_BAD_STATE), 0, 0);
}

static void a_failed_entry_ends_the_domain_alone(void **unused)
{
	(void)unused;
	assert_int_equal(run(bad_state), 0);
	assert_int_equal(last.reason, HVM_EXIT_CRASH);
	assert_non_null(strstr(d->crash_reason, "VM entry failed"));
}

static void a_refused_entry_says_over_which_field(void **unused)
{
	(void)unused;
	vmx_write(vv, VMX_GUEST_CR3, HVM_BIT(60));
	fake.refuse = true;
	assert_int_equal(run(out_510), 0);
	assert_int_equal(last.reason, HVM_EXIT_CRASH);
	assert_non_null(strstr(d->crash_reason, "GUEST_CR3 1000000000000000"));
}

static void the_rule_that_a_field_breaks_is_named(void **unused)
{
	/* clang-format off */
	static const struct {
		enum vmx_field field;
		uint64_t value;
	} rows[] = {
		{ VMX_PIN_CONTROLS, 0 },
		{ VMX_EPT_POINTER, 0x1000 },
		{ VMX_VPID, 0 },
		{ VMX_ENTRY_EVENT, VMX_EVENT_VALID | VMX_EVENT_HAS_ERROR | 0x41 },
		{ VMX_HOST_CR4, 0 },
		{ VMX_HOST_TR_SELECTOR, 0 },
		{ VMX_GUEST_CR0, 0x80000020 },
		{ VMX_GUEST_CR4, 0x2000 },
		{ VMX_GUEST_EFER, 0x1 },
		{ VMX_GUEST_CS_AR, 0x93 },
		{ VMX_GUEST_SS_AR, 0x9b },
		{ VMX_GUEST_DS_AR, 0xc092 },
		{ VMX_GUEST_TR_AR, 0x10000 },
		{ VMX_GUEST_LDTR_AR, 0x8b },
		{ VMX_GUEST_ES_BASE, HVM_BIT(33) },
		{ VMX_GUEST_FS_BASE, HVM_BIT(63) },
		{ VMX_GUEST_GDTR_LIMIT, 0x10000 },
		{ VMX_GUEST_RIP, HVM_BIT(63) },
		{ VMX_GUEST_RFLAGS, 0 },
		{ VMX_GUEST_INTERRUPTIBILITY, 3 },
		{ VMX_GUEST_PENDING_DEBUG, HVM_BIT(5) },
		{ VMX_GUEST_DR7, HVM_BIT(40) },
		{ VMX_LINK_POINTER, 0 },
	};
	/* clang-format on */
	char text[120];

	(void)unused;
	runs(out_510);
	assert_false(vmx_check_entry(vv, text, sizeof(text)));
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		uint64_t good = vmx_read(vv, rows[i].field);
		const char *name = vmx_field_name(rows[i].field);

		vmx_write(vv, rows[i].field, rows[i].value);
		assert_true(vmx_check_entry(vv, text, sizeof(text)));
		if (strncmp(text, name, strlen(name)) != 0)
			fail_msg("%s is bad, not \"%s\"", name, text);
		vmx_write(vv, rows[i].field, good);
	}
	assert_false(vmx_check_entry(vv, text, sizeof(text)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_processor_that_lacks_something_is_refused_with_the_reason),
		cmocka_unit_test(what_only_helps_may_be_missing),
		cmocka_unit_test(the_first_cache_is_emptied_where_a_guest_could_read_it),
		cmocka_unit_test(a_guest_counts_at_the_rate_that_it_knows),
		TEST(a_guest_that_spins_gives_way),
		TEST(fields_are_fetched_and_written_when_they_must_be),
		TEST(a_vmcs_leaves_one_cpu_before_it_comes_to_another),
		TEST(what_is_loaded_is_what_is_stored),
		TEST(a_state_that_would_fault_in_the_host_is_refused),
		TEST(avx_state_is_kept_for_hvm_v3_alone),
		TEST(hvm_v3_is_refused_where_the_host_lacks_a_part_of_it),
		TEST(an_event_that_was_cut_short_is_delivered_again),
		TEST(real_mode_knows_no_error_codes),
		TEST(an_exception_over_another_is_a_double_fault),
		TEST(a_failed_entry_ends_the_domain_alone),
		TEST(a_refused_entry_says_over_which_field),
		TEST(the_rule_that_a_field_breaks_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
