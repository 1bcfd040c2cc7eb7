/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_svm.c - svm/ on a processor that is a fake (fake_svm.h): who is refused, and that guests run
 * right with and without what processors offer beyond the least (next RIP, decode assists, clean
 * bits, flush by ASID, PAUSE filter, virtual GIF), events that are cut short, and what is the
 * host's. Source: AMD APM Vol 2 ch. 15 "Secure Virtual Machine".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/chips.h"
#include "fake_svm.h"
#include "os/posix/os_test.h"
#include "x86/cpu.h"

#define RAM_BYTES (1u << 20)

static struct domain *d;
static struct vcpu *v;
static uint8_t *ram;
static struct hvm_exit last;

static const uint32_t variants[] = {
	0,
	FAKE_NEXT_RIP,
	FAKE_DECODE,
	FAKE_TSC_RATIO,
	FAKE_CLEAN,
	FAKE_FLUSH_ASID,
	FAKE_PAUSE_FILTER | FAKE_THRESHOLD,
	FAKE_THRESHOLD,
	FAKE_VGIF,
	FAKE_NEXT_RIP | FAKE_DECODE | FAKE_CLEAN | FAKE_FLUSH_ASID | FAKE_PAUSE_FILTER |
		FAKE_THRESHOLD | FAKE_VGIF,
};

/* -- the fixture ------------------------------------------------------------------------------- */

static void start_model(uint32_t without, enum hvm_cpu_model model)
{
	const struct hvm_domain_config cfg = { .cpu_model = model, .vcpus = 1 };
	const struct hvm_function_table *ops;
	struct hvm_vcpu_state s;
	const char *why;
	int error;

	fake_svm_reset(without);
	fake_on_all_cpus(0);
	ops = svm_probe(&why, &error);
	assert_non_null(ops);
	assert_int_equal(domain_create(&cfg, ops, &d), 0);
	v = d->vcpu[0];
	ram = aligned_alloc(1u << 21, 1u << 21);
	memset(ram, 0, 1u << 21);
	assert_int_equal(domain_map(d, 0, RAM_BYTES, HVM_MEM_RAM, ram), 0);
	vcpu_get_state(v, &s);
	fake_long_mode(ram, &s);
	assert_int_equal(vcpu_set_state(v, &s), 0);
}

static void start(uint32_t without)
{
	start_model(without, HVM_CPU_V2);
}

static void stop(void)
{
	domain_destroy(d);
	hvm_os_off_each_cpu();
	svm_unload();
	free(ram);
	assert_false(host_rdmsr(HOST_MSR_EFER) & 0x1000);
}

static void code(const void *bytes, size_t count)
{
	memcpy(ram + 0x1000, bytes, count);
}

/* The guest's part of a run: @n-th entry; ends by an exit to ioemu (OUT to port 0x510). */
static void (*script)(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n);

static void out_510(struct svm_vmcb *b)
{
	b->exitcode = SVM_EXIT_IOIO;
	b->exitinfo1 = 0x510u << 16 | 1u << 4;
	b->exitinfo2 = b->rip + 1;
}

static void play(struct svm_vcpu *sv, struct svm_vmcb *b)
{
	assert_true(fake.entries < 100);
	script(sv, b, fake.entries - 1);
}

/* Until ioemu is asked for something; fake.entries counts from 1. */
static int run(void (*what)(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n))
{
	int rc;

	script = what;
	fake.guest = play;
	fake.entries = 0;
	memset(&last, 0, sizeof(last));
	rc = vcpu_run(v, &last);
	if (v->ioreq_page->req.state == HVM_IOREQ_STATE_READY)
		v->ioreq_page->req.state = HVM_IOREQ_STATE_DONE;
	return rc;
}

/* -- who is refused ---------------------------------------------------------------------------- */

static void refused(int wanted, const char *text)
{
	const char *why = NULL;
	int error = 0;

	assert_null(svm_probe(&why, &error));
	assert_int_equal(error, wanted);
	assert_non_null(strstr(why, text));
	hvm_os_off_each_cpu();
	svm_unload();
}

static void a_processor_without_svm_is_refused(void **state)
{
	(void)state;
	fake_svm_reset(0);
	fake.svm = false;
	refused(-HVM_ENODEV, "has no SVM");
}

static void a_processor_without_nested_paging_is_refused(void **state)
{
	(void)state;
	fake_svm_reset(0);
	fake.npt = false;
	refused(-HVM_ENODEV, "no nested paging");
}

static void svm_that_firmware_has_locked_is_refused(void **state)
{
	(void)state;
	fake_svm_reset(0);
	fake.locked = true;
	refused(-HVM_EPERM, "firmware");
}

static void svm_that_another_hypervisor_uses_is_refused_and_left_alone(void **state)
{
	(void)state;
	fake_svm_reset(0);
	fake_on_all_cpus(0);
	host_wrmsr(HOST_MSR_EFER, 0x1d01);
	refused(-HVM_EBUSY, "another hypervisor");
	assert_int_equal(host_rdmsr(HOST_MSR_EFER), 0x1d01);
}

static void processors_that_differ_are_refused(void **state)
{
	(void)state;
	fake_svm_reset(0);
	fake_on_all_cpus(-HVM_ENODEV);
	refused(-HVM_ENODEV, "some processors");
	fake_on_all_cpus(-HVM_EPERM);
	refused(-HVM_EPERM, "firmware");
	fake_on_all_cpus(0);
}

/* -- the end of an instruction ----------------------------------------------------------------- */

static char logged[256];

static void keep_log(enum hvm_log_level level, const char *line)
{
	if (level == HVM_LOG_ERROR)
		snprintf(logged, sizeof(logged), "%s", line);
}

static void hvm_v3_is_refused_where_the_host_lacks_a_part_of_it(void **state)
{
	static const struct {
		struct fake_lacks lacks;
		uint64_t xcr0;
		const char *text;
	} rows[] = {
		{ { .leaf7_ebx = 1u << 5 }, 7, "no AVX2" },
		{ { .leaf1_ecx = 1u << 28 }, 7, "no AVX" },
		{ { .ext1_ecx = 1u << 5 }, 7, "no LZCNT" },
		{ { 0 }, 3, "XCR0" },
		{ { .leaf1_ecx = 1u << 27 }, 7, "XCR0" },
	};
	const struct hvm_function_table *ops;
	struct domain *none = NULL;
	const char *why;
	int error;

	(void)state;
	hvm_os_test_log_sink(keep_log);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		struct hvm_domain_config cfg = { .cpu_model = HVM_CPU_V3, .vcpus = 1 };

		fake_svm_reset(0);
		fake_on_all_cpus(0);
		fake_lacks = rows[i].lacks;
		fake_fpu.xcr0 = rows[i].xcr0;
		logged[0] = 0;
		ops = svm_probe(&why, &error);
		assert_non_null(ops);
		assert_int_equal(domain_create(&cfg, ops, &none), -HVM_ENODEV);
		assert_non_null(strstr(logged, "hvm-v3 on the svm engine"));
		assert_non_null(strstr(logged, rows[i].text));
		/* The model below shows less there. */
		cfg.cpu_model = HVM_CPU_V2;
		assert_int_equal(domain_create(&cfg, ops, &none), 0);
		domain_destroy(none);
		hvm_os_off_each_cpu();
		svm_unload();
	}
	hvm_os_test_log_sink(NULL);
}

static void cpuid_then_out(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	if (n == 0) {
		sv->gpr[X86_RAX] = b->rax = 0;
		b->exitcode = SVM_EXIT_CPUID;
		if (fake.svm_edx & FAKE_NEXT_RIP)
			b->next_rip = b->rip + 4;
		return;
	}
	out_510(b);
}

/* With prefixes: 66 66 cpuid is four bytes long. */
static void an_instruction_is_as_long_as_it_is_with_and_without_next_rip(void **state)
{
	static const uint8_t bytes[] = { 0x66, 0x66, 0x0f, 0xa2, 0xee };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(variants); i++) {
		start(variants[i]);
		code(bytes, sizeof(bytes));
		assert_int_equal(run(cpuid_then_out), 0);
		assert_int_equal(last.rip, 0x1004);
		assert_int_equal(svm_vcpu(v)->gpr[X86_RAX], 0xd);
		stop();
	}
}

static void only_out(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	out_510(b);
}

/* Of a domain that was saved on another host; @khz in sixteenths of this host's. */
static void a_guest_counts_at_the_rate_that_it_knows(void **state)
{
	static const struct {
		uint32_t sixteenths;
		uint64_t ratio;
	} rows[] = { { 8, 1ull << 31 }, { 16, 1ull << 32 }, { 24, 3ull << 31 }, { 1, 1ull << 28 } };
	uint64_t here = hvm_os_tsc_khz() & ~15ull, msr;

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		start(0);
		assert_int_equal(domain_set_tsc_khz(d, here / 16 * rows[i].sixteenths, false), 0);
		assert_int_equal(run(only_out), 0);
		msr = host_rdmsr(SVM_MSR_TSC_RATIO);
		/* The host's own rate is no multiple of sixteen. */
		assert_in_range(msr, rows[i].ratio - rows[i].ratio / 1000, rows[i].ratio);
		if (rows[i].sixteenths != 16)
			assert_int_equal(msr, d->tsc_ratio);
		stop();
		assert_int_equal(host_rdmsr(SVM_MSR_TSC_RATIO), SVM_TSC_RATIO_ONE);
	}
}

static void another_rate_is_refused_where_the_processor_cannot_multiply(void **state)
{
	uint64_t here = hvm_os_tsc_khz();

	(void)state;
	start(FAKE_TSC_RATIO);
	assert_int_equal(domain_set_tsc_khz(d, here / 2, false), -HVM_EINVAL);
	assert_int_equal(domain_set_tsc_khz(d, here + here / 2000, false), 0);
	assert_int_equal(run(only_out), 0);
	assert_int_equal(host_rdmsr(SVM_MSR_TSC_RATIO), 0);
	stop();
	start(0);
	assert_int_equal(domain_set_tsc_khz(d, here * 17, false), -HVM_EINVAL);
	assert_int_equal(domain_set_tsc_khz(d, here / 17, false), -HVM_EINVAL);
	assert_int_equal(domain_set_tsc_khz(d, 0, false), -HVM_EINVAL);
	stop();
}

static void an_exit_counts_once(void **state)
{
	static const uint8_t bytes[] = { 0x66, 0x66, 0x0f, 0xa2, 0xee };

	(void)state;
	start(0);
	code(bytes, sizeof(bytes));
	assert_int_equal(run(cpuid_then_out), 0);
	assert_int_equal(fake.entries, 2);
	assert_int_equal(v->stats.exits, 2);
	stop();
}

/* Sizes as in test_cpuid.c. */
static void caches_are_shown_in_amds_form(void **state)
{
	const struct hvm_cpuid_state os = { .paging = true };
	uint32_t out[4];

	(void)state;
	start(0);
	hvm_cpuid(v, &os, 4, 0, out);
	assert_int_equal(out[0], 0);
	hvm_cpuid(v, &os, 0x80000005, 0, out);
	assert_int_equal(out[2], 32u << 24 | 0x80140);
	assert_int_equal(out[3], 32u << 24 | 0x80140);
	hvm_cpuid(v, &os, 0x80000006, 0, out);
	assert_int_equal(out[2], 1024u << 16 | 0x8140);
	assert_int_equal(out[3], 32u << 18 | 0x8140);
	stop();
}

static void cr4_from_rdx(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	if (n) {
		out_510(b);
		return;
	}
	b->exitcode = SVM_EXIT_CR_WRITE + 4;
	if (fake.svm_edx & FAKE_DECODE)
		b->exitinfo1 = SVM_CR_IS_MOV | X86_RDX;
	if (fake.svm_edx & FAKE_NEXT_RIP)
		b->next_rip = b->rip + 3;
}

static void a_move_to_cr4_is_understood_with_and_without_decode_assists(void **state)
{
	static const uint8_t bytes[] = { 0x0f, 0x22, 0xe2, 0xee };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(variants); i++) {
		start(variants[i]);
		code(bytes, sizeof(bytes));
		svm_vcpu(v)->gpr[X86_RDX] = 0x6b0;
		assert_int_equal(run(cr4_from_rdx), 0);
		assert_int_equal(svm_vcpu(v)->vmcb->cr4, 0x6b0);
		assert_int_equal(last.rip, 0x1003);
		stop();
	}
}

/* -- translations ------------------------------------------------------------------------------ */

static void just_out(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	out_510(b);
}

static void old_translations_are_gone_however_the_processor_flushes(void **state)
{
	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(variants); i++) {
		start(variants[i]);
		for (unsigned int n = 0; n < 40; n++) {
			fake.must_be_fresh = true;
			hw_flush_all(d);
			assert_int_equal(run(just_out), 0);
			assert_int_equal(run(just_out), 0);
		}
		assert_false(fake.stale);
		if (variants[i] & FAKE_FLUSH_ASID) {
			/* Seven ASIDs, then all of them are void. */
			assert_int_equal(fake.asid_flushes, 0);
			assert_in_range(fake.flushes, 5, 8);
		} else {
			assert_in_range(fake.asid_flushes, 38, 40);
			assert_in_range(fake.flushes, 1, 2);
		}
		stop();
	}
}

/* -- state that changes between entries -------------------------------------------------------- */

/* The fake fails the test where a clean bit lies. */
static void what_changes_is_never_said_to_be_clean(void **state)
{
	struct hvm_vcpu_state s;

	(void)state;
	start(0);
	for (unsigned int n = 0; n < 24; n++) {
		assert_int_equal(run(just_out), 0);
		vcpu_get_state(v, &s);
		switch (n % 12) {
		case 0: s.cr0 ^= 0x10000; break;
		case 1: s.cr4 ^= 0x80; break;
		case 2: s.cr2 = n; break;
		case 3: s.dr[0] = n, s.dr7 = 0x402; break;
		case 4: s.gdtr.base = n * 16, s.idtr.limit = (uint16_t)n; break;
		case 5: s.seg[HVM_SEG_FS].base = n, s.seg[HVM_SEG_SS].sel = 0x18; break;
		case 6: s.rflags ^= 0x200; break;
		case 7: s.cr8 = n & 15; break;
		case 8: s.efer ^= 0x800; break;
		case 9: s.cr3 = 0x80000 | (n & 0x18); break;
		case 10: s.dr6 = 0xffff0ff0 | (n & 1), s.dr7 = 0x400; break;
		case 11: s.intr_shadow ^= HVM_INTR_SHADOW_NMI; break;
		}
		v->msr_pat ^= (uint64_t)(n & 1) << 8;
		v->tsc_offset += n;
		assert_int_equal(vcpu_set_state(v, &s), 0);
		assert_int_equal(run(just_out), 0);
		/* And when nothing was changed from outside. */
		assert_int_equal(run(just_out), 0);
	}
	stop();
}

static void tr_is_busy_for_others_and_available_for_the_processor(void **state)
{
	struct hvm_vcpu_state s;

	(void)state;
	start(0);
	vcpu_get_state(v, &s);
	s.seg[HVM_SEG_TR] = (struct hvm_seg){ .sel = 0x40, .limit = 0x67, .ar = 0x8b };
	assert_int_equal(vcpu_set_state(v, &s), 0);
	assert_int_equal(svm_vcpu(v)->vmcb->tr.attrib, 0x89);
	vcpu_get_state(v, &s);
	assert_int_equal(s.seg[HVM_SEG_TR].ar, 0x8b);
	stop();
}

/* -- events ------------------------------------------------------------------------------------ */

static uint64_t seen[100];

static void nothing_happens(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	seen[n] = b->eventinj;
	if (n == 2)
		out_510(b);
}

static void cut_short(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	seen[n] = b->eventinj;
	if (n == 0)
		b->exitintinfo = b->eventinj;
	if (n == 2)
		out_510(b);
}

#define EXT(vector) (SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR << 8 | (vector))

static void an_event_that_was_cut_short_is_delivered_again_and_once(void **state)
{
	const struct hvm_event e = { .type = HVM_EVENT_EXT_INTR, .vector = 0x41 };

	(void)state;
	start(0);
	assert_int_equal(d->ops->inject_event(v, &e), 0);
	assert_int_equal(run(cut_short), 0);
	assert_int_equal(seen[0], EXT(0x41));
	assert_int_equal(seen[1], EXT(0x41));
	assert_int_equal(seen[2] & SVM_EVENT_VALID, 0);
	stop();
}

static void an_event_that_was_delivered_is_not_delivered_again(void **state)
{
	const struct hvm_event e = { .type = HVM_EVENT_EXT_INTR, .vector = 0x41 };

	(void)state;
	start(0);
	assert_int_equal(d->ops->inject_event(v, &e), 0);
	assert_int_equal(run(nothing_happens), 0);
	assert_int_equal(seen[0], EXT(0x41));
	assert_int_equal(seen[1] & SVM_EVENT_VALID, 0);
	stop();
}

/* INT n of the guest's own: its address is still in rip, so it is executed again. */
static void guest_int_cut_short(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	seen[n] = b->eventinj;
	if (n == 0)
		b->exitintinfo = SVM_EVENT_VALID | SVM_EVENT_TYPE_SOFT << 8 | 0x80;
	else
		out_510(b);
}

static void a_software_interrupt_that_was_cut_short_is_executed_again(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(run(guest_int_cut_short), 0);
	assert_int_equal(seen[1] & SVM_EVENT_VALID, 0);
	assert_int_equal(last.rip, 0x1000);
	stop();
}

/* MSR 0x12345 is none: #GP; a page fault was on its way. */
static void fault_in_fault(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	seen[n] = b->eventinj;
	if (n == 0) {
		sv->gpr[X86_RCX] = 0x12345;
		b->exitintinfo = SVM_EVENT_VALID | SVM_EVENT_HAS_ERROR | SVM_EVENT_TYPE_EXC << 8 |
				 X86_PF;
		b->exitcode = SVM_EXIT_MSR;
	} else {
		out_510(b);
	}
}

static void an_exception_in_the_delivery_of_a_page_fault_is_a_double_fault(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(run(fault_in_fault), 0);
	assert_int_equal(seen[1],
			 SVM_EVENT_VALID | SVM_EVENT_HAS_ERROR | SVM_EVENT_TYPE_EXC << 8 | X86_DF);
	stop();
}

/* Interrupts are off; at the second entry the guest switches them on: the window opens. */
static void window(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	seen[n] = b->eventinj;
	if (n == 0) {
		assert_true(b->int_ctl & SVM_V_IRQ);
		assert_true(b->intercept[SVM_IW_MISC1] & SVM_I_VINTR);
		b->rflags |= X86_EFL_IF;
		b->exitcode = SVM_EXIT_VINTR;
	} else if (n == 2) {
		out_510(b);
	}
}

static void an_interrupt_waits_for_its_window(void **state)
{
	(void)state;
	start(0);
	/* The APIC is on, and an interrupt came. */
	assert_int_equal(hvm_mmio_write(v, 0xfee000f0, 4, 0x1ff), 0);
	vlapic_accept(v, 0x51, false);
	assert_int_equal(run(window), 0);
	assert_int_equal(seen[0] & SVM_EVENT_VALID, 0);
	assert_int_equal(seen[1], EXT(0x51));
	assert_false(svm_vcpu(v)->vmcb->int_ctl & SVM_V_IRQ);
	stop();
}

static void nmi_until_iret(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	seen[n] = b->eventinj;
	switch (n) {
	case 0: /* NMI delivered; another one comes meanwhile */
		assert_true(b->intercept[SVM_IW_MISC1] & SVM_I_IRET);
		hvm_vcpu_request(v, HVM_REQ_NMI);
		break;
	case 1: b->exitcode = SVM_EXIT_IRET; break;
	case 2: /* a single step through the IRET */
		assert_true(b->rflags & X86_EFL_TF);
		b->rip = 0x2000;
		b->dr6 |= HVM_BIT(14);
		b->exitcode = SVM_EXIT_EXCEPTION + X86_DB;
		break;
	case 4: out_510(b); break;
	}
}

#define NMI (SVM_EVENT_VALID | SVM_EVENT_TYPE_NMI << 8 | 2)

static void a_second_nmi_waits_for_the_iret_of_the_first(void **state)
{
	(void)state;
	start(0);
	hvm_vcpu_request(v, HVM_REQ_NMI);
	assert_int_equal(run(nmi_until_iret), 0);
	assert_int_equal(seen[0], NMI);
	assert_int_equal(seen[1] & SVM_EVENT_VALID, 0);
	assert_int_equal(seen[2] & SVM_EVENT_VALID, 0);
	assert_int_equal(seen[3], NMI);
	assert_int_equal(v->stats.nmi, 2);
	/* The step was ours: the guest sees nothing of it. */
	assert_false(svm_vcpu(v)->vmcb->rflags & X86_EFL_TF);
	assert_int_equal(svm_vcpu(v)->vmcb->dr6 & HVM_BIT(14), 0);
	stop();
}

/* -- exits ------------------------------------------------------------------------------------- */

static void spins(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	if (n)
		out_510(b);
	else
		b->exitcode = SVM_EXIT_PAUSE;
	if (fake.svm_edx & FAKE_NEXT_RIP)
		b->next_rip = b->rip + 2;
}

static void pause_is_filtered_where_the_processor_can(void **state)
{
	static const uint8_t bytes[] = { 0xf3, 0x90, 0xee };

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(variants); i++) {
		const struct svm_vmcb *b;

		start(variants[i]);
		code(bytes, sizeof(bytes));
		b = svm_vcpu(v)->vmcb;
		assert_int_equal(!!(b->intercept[SVM_IW_MISC1] & SVM_I_PAUSE),
				 !(variants[i] & FAKE_PAUSE_FILTER));
		assert_int_equal(!!b->pause_filter_threshold, !(variants[i] & FAKE_THRESHOLD));
		assert_int_equal(run(spins), 0);
		assert_int_equal(last.rip, 0x1002);
		stop();
	}
}

static void virtual_gif_is_set_where_there_is_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(variants); i++) {
		start(variants[i]);
		assert_int_equal(!!(svm_vcpu(v)->vmcb->int_ctl & SVM_V_GIF),
				 !(variants[i] & FAKE_VGIF));
		stop();
	}
}

static void refuses(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	b->exitcode = ~0ull;
}

static void a_state_that_vmrun_refuses_ends_the_domain_alone(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(run(refuses), 0);
	assert_int_equal(last.reason, HVM_EXIT_CRASH);
	assert_non_null(strstr(d->crash_reason, "VMRUN refuses the state"));
	stop();
}

static void strange_exit(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	b->exitcode = 0x7b + (uint64_t)(rand() % 3) * 0x1000; /* IOIO's, or none */
	if (b->exitcode == 0x7b)
		b->exitcode = 0x2ff;
}

static void an_exit_that_nobody_asked_for_ends_the_domain_alone(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(run(strange_exit), 0);
	assert_int_equal(last.reason, HVM_EXIT_CRASH);
	assert_non_null(strstr(d->crash_reason, "unexpected exit"));
	stop();
}

static void shuts_down(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	b->exitcode = SVM_EXIT_SHUTDOWN;
}

static void a_triple_fault_is_a_shutdown_of_the_vcpu(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(run(shuts_down), 0);
	assert_int_equal(last.reason, HVM_EXIT_SHUTDOWN);
	assert_false(hvm_domain_is_crashed(d));
	stop();
}

static void a_host_that_goes_down_ends_its_domains(void **state)
{
	(void)state;
	start(0);
	hvm_os_off_each_cpu();
	assert_int_equal(run(just_out), 0);
	assert_int_equal(last.reason, HVM_EXIT_CRASH);
	stop();
}

/* -- the host's -------------------------------------------------------------------------------- */

static void spoils(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	assert_int_equal(fake_fpu.xcr0, 3);
	assert_int_equal(host_rdmsr(HOST_MSR_TSC_AUX), 77);
	assert_int_equal(host_rdmsr(HOST_MSR_SPEC_CTRL), 0);
	assert_int_equal(fake.dr[0], 0x1234);
	assert_int_equal(fake.dr[7], 0);
	fake.dr[0] = 0x5678;
	out_510(b);
}

static void the_hosts_registers_are_back_when_the_guest_has_run(void **state)
{
	struct hvm_vcpu_state s;

	(void)state;
	start(0);
	fake.dr[0] = 0x1000;
	fake.dr[7] = 0x402;
	vcpu_get_state(v, &s);
	s.xcr0 = 3;
	s.tsc_aux = 77;
	s.dr[0] = 0x1234;
	s.dr7 = 0x402;
	assert_int_equal(vcpu_set_state(v, &s), 0);
	assert_int_equal(run(spoils), 0);
	assert_int_equal(fake_fpu.xcr0, 7);
	assert_int_equal(host_rdmsr(HOST_MSR_TSC_AUX), 5);
	assert_int_equal(host_rdmsr(HOST_MSR_SPEC_CTRL), 1);
	assert_int_equal(fake.dr[0], 0x1000);
	assert_int_equal(fake.dr[7], 0x402);
	vcpu_get_state(v, &s);
	assert_int_equal(s.dr[0], 0x5678);
	stop();
}

/* QEMU's processor: XSETBV is not intercepted. */
static void sets_xcr0(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	fake_fpu.xcr0 = 3;
	out_510(b);
}

static void xcr0_that_the_guest_set_by_itself_is_kept(void **state)
{
	struct hvm_vcpu_state s;

	(void)state;
	start(0);
	assert_int_equal(run(sets_xcr0), 0);
	assert_int_equal(fake_fpu.xcr0, 7);
	vcpu_get_state(v, &s);
	assert_int_equal(s.xcr0, 3);
	stop();
}

/* A bug that was: CPUID had the XCR0 of the last time that the vcpu left. */
static void sets_xcr0_and_asks(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	if (n == 0) {
		fake_fpu.xcr0 = 7;
		sv->gpr[X86_RAX] = b->rax = 0xd;
		sv->gpr[X86_RCX] = 0;
		b->exitcode = SVM_EXIT_CPUID;
		if (fake.svm_edx & FAKE_NEXT_RIP)
			b->next_rip = b->rip + 2;
		return;
	}
	out_510(b);
}

static void cpuid_follows_xcr0_that_the_guest_set_by_itself(void **state)
{
	static const uint8_t bytes[] = { 0x0f, 0xa2, 0xee };
	struct hvm_vcpu_state s;

	(void)state;
	start_model(0, HVM_CPU_V3);
	code(bytes, sizeof(bytes));
	assert_int_equal(run(sets_xcr0_and_asks), 0);
	vcpu_get_state(v, &s);
	assert_int_equal(s.gpr[3], 832);
	assert_int_equal(s.xcr0, 7);
	stop();
}

/* -- AVX --------------------------------------------------------------------------------------- */

/* What the host's kernel and another guest left in the registers. */
#define OTHERS 0xee

static void guest_with_avx(uint64_t xcr0, uint8_t bv)
{
	struct hvm_vcpu_state s;

	start_model(0, HVM_CPU_V3);
	memset(fake_fpu.regs + 576, OTHERS, 256);
	vcpu_get_state(v, &s);
	s.cr4 |= 1u << 18;
	s.xcr0 = xcr0;
	s.xsave[512] = bv;
	memset(s.xsave + 513, 0xff, 63); /* nobody loads that */
	memset(s.xsave + 576, 0x5a, 256);
	assert_int_equal(vcpu_set_state(v, &s), 0);
}

static void expect_upper(uint8_t value)
{
	for (unsigned int i = 576; i < HVM_XSAVE_BYTES; i++)
		assert_int_equal(fake_fpu.regs[i], value);
}

static void uses_avx(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	assert_int_equal(fake_fpu.xcr0, 7);
	expect_upper(0x5a);
	memset(fake_fpu.regs + 576, 0xa5, 256);
	out_510(b);
}

static void upper_halves_are_the_guests(void **state)
{
	struct hvm_vcpu_state s;

	(void)state;
	guest_with_avx(7, 7);
	assert_int_equal(run(uses_avx), 0);
	memset(fake_fpu.regs + 576, OTHERS, 256);
	vcpu_get_state(v, &s);
	assert_int_equal(s.xsave[512], 7);
	for (unsigned int i = 576; i < HVM_XSAVE_BYTES; i++)
		assert_int_equal(s.xsave[i], 0xa5);
	assert_int_equal(fake_fpu.moves, 0);
	assert_true(fake_fpu.xmoves >= 2);
	stop();
}

static void sees_initial_avx(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	expect_upper(0);
	out_510(b);
}

static void without_avx_state_the_guest_finds_none_of_anothers(void **state)
{
	(void)state;
	guest_with_avx(7, 3);
	assert_int_equal(run(sees_initial_avx), 0);
	stop();
}

/* Its XCR0 is without AVX just now: what it had there must come back all the same. */
static void looks_elsewhere(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)sv;
	(void)n;
	assert_int_equal(fake_fpu.xcr0, 1);
	out_510(b);
}

static void upper_halves_outlive_an_xcr0_without_avx(void **state)
{
	struct hvm_vcpu_state s;

	(void)state;
	guest_with_avx(1, 7);
	assert_int_equal(run(looks_elsewhere), 0);
	assert_int_equal(fake_fpu.xcr0, 7);
	memset(fake_fpu.regs + 576, OTHERS, 256);
	vcpu_get_state(v, &s);
	assert_int_equal(s.xcr0, 1);
	for (unsigned int i = 576; i < HVM_XSAVE_BYTES; i++)
		assert_int_equal(s.xsave[i], 0x5a);
	stop();
}

static uint64_t xcr0_wanted;

static void sets_xcr0_by_the_book(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	if (n) {
		out_510(b);
		return;
	}
	b->rax = xcr0_wanted;
	sv->gpr[X86_RCX] = sv->gpr[X86_RDX] = 0;
	b->exitcode = SVM_EXIT_XSETBV;
	b->next_rip = b->rip + 3;
}

static void xsetbv_offers_avx_to_hvm_v3_alone(void **state)
{
	static const struct {
		enum hvm_cpu_model model;
		uint64_t xcr0;
		bool ok;
	} rows[] = {
		{ HVM_CPU_V2, 3, true },   { HVM_CPU_V2, 7, false }, { HVM_CPU_V3, 3, true },
		{ HVM_CPU_V3, 7, true },   { HVM_CPU_V3, 5, false }, { HVM_CPU_V3, 6, false },
		{ HVM_CPU_V3, 15, false },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(rows); i++) {
		struct hvm_vcpu_state s;

		start_model(0, rows[i].model);
		vcpu_get_state(v, &s);
		s.cr4 |= 1u << 18;
		assert_int_equal(vcpu_set_state(v, &s), 0);
		xcr0_wanted = rows[i].xcr0;
		assert_int_equal(run(sets_xcr0_by_the_book), 0);
		vcpu_get_state(v, &s);
		assert_int_equal(s.xcr0, rows[i].ok ? rows[i].xcr0 : 1);
		stop();
	}
}

static void below_hvm_v3_avx_state_is_refused_and_not_moved(void **state)
{
	struct hvm_vcpu_state s;

	(void)state;
	start(0);
	vcpu_get_state(v, &s);
	s.xsave[512] = 7;
	assert_int_equal(vcpu_set_state(v, &s), -HVM_EINVAL);
	s.xsave[512] = 3;
	s.xcr0 = 7;
	assert_int_equal(vcpu_set_state(v, &s), -HVM_EINVAL);
	assert_int_equal(run(just_out), 0);
	assert_true(fake_fpu.moves >= 2);
	assert_int_equal(fake_fpu.xmoves, 0);
	stop();
}

/* -- instructions that wait for ioemu ---------------------------------------------------------- */

#define DEVICE_GPA 0xd0000000u

/* MOV to where RDX points, then an OUT; what rip was at each entry. */
static void writes_to_a_device(struct svm_vcpu *sv, struct svm_vmcb *b, unsigned int n)
{
	(void)n;
	seen[fake.entries - 1] = b->rip;
	if (b->rip != 0x1000) {
		out_510(b);
		return;
	}
	sv->gpr[X86_RDX] = DEVICE_GPA;
	b->rax = 0x42;
	b->exitcode = SVM_EXIT_NPF;
	b->exitinfo1 = SVM_NPF_WRITE;
	b->exitinfo2 = DEVICE_GPA;
}

static void an_instruction_that_waits_for_ioemu_is_fetched_once(void **state)
{
	static const uint8_t mov[] = { 0x89, 0x02 }, nops[] = { 0x90, 0x90 };

	(void)state;
	start(0);
	code(mov, sizeof(mov));
	assert_int_equal(run(writes_to_a_device), 0);
	assert_int_equal(last.reason, HVM_EXIT_IOREQ);
	assert_int_equal(v->ioreq_page->req.address, DEVICE_GPA);
	assert_int_equal(v->ioreq_page->req.data, 0x42);
	/* Another processor writes over it meanwhile: it was under way. */
	code(nops, sizeof(nops));
	assert_int_equal(run(writes_to_a_device), 0);
	assert_int_equal(fake.entries, 1);
	assert_int_equal(seen[0], 0x1002);
	assert_int_equal(v->ioreq_page->req.address, 0x510);
	stop();
}

/* The bug: what waited was never said to have ended, and held up interrupts until the next one. */
static void a_wait_ends_when_memory_comes_where_the_device_was(void **state)
{
	static const uint8_t mov[] = { 0x89, 0x02 };

	(void)state;
	start(0);
	code(mov, sizeof(mov));
	assert_int_equal(run(writes_to_a_device), 0);
	assert_int_equal(domain_map(d, DEVICE_GPA, 4096, HVM_MEM_RAM, ram + 4096), 0);
	assert_int_equal(run(nothing_happens), 0);
	assert_int_equal(v->replay.done, 0);
	assert_int_equal(svm_vcpu(v)->vmcb->rip, 0x1000);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_processor_without_svm_is_refused),
		cmocka_unit_test(a_processor_without_nested_paging_is_refused),
		cmocka_unit_test(svm_that_firmware_has_locked_is_refused),
		cmocka_unit_test(svm_that_another_hypervisor_uses_is_refused_and_left_alone),
		cmocka_unit_test(processors_that_differ_are_refused),
		cmocka_unit_test(hvm_v3_is_refused_where_the_host_lacks_a_part_of_it),
		cmocka_unit_test(an_instruction_is_as_long_as_it_is_with_and_without_next_rip),
		cmocka_unit_test(an_exit_counts_once),
		cmocka_unit_test(caches_are_shown_in_amds_form),
		cmocka_unit_test(a_guest_counts_at_the_rate_that_it_knows),
		cmocka_unit_test(another_rate_is_refused_where_the_processor_cannot_multiply),
		cmocka_unit_test(a_move_to_cr4_is_understood_with_and_without_decode_assists),
		cmocka_unit_test(old_translations_are_gone_however_the_processor_flushes),
		cmocka_unit_test(what_changes_is_never_said_to_be_clean),
		cmocka_unit_test(tr_is_busy_for_others_and_available_for_the_processor),
		cmocka_unit_test(an_event_that_was_cut_short_is_delivered_again_and_once),
		cmocka_unit_test(an_event_that_was_delivered_is_not_delivered_again),
		cmocka_unit_test(a_software_interrupt_that_was_cut_short_is_executed_again),
		cmocka_unit_test(an_exception_in_the_delivery_of_a_page_fault_is_a_double_fault),
		cmocka_unit_test(an_interrupt_waits_for_its_window),
		cmocka_unit_test(a_second_nmi_waits_for_the_iret_of_the_first),
		cmocka_unit_test(pause_is_filtered_where_the_processor_can),
		cmocka_unit_test(virtual_gif_is_set_where_there_is_one),
		cmocka_unit_test(a_state_that_vmrun_refuses_ends_the_domain_alone),
		cmocka_unit_test(an_exit_that_nobody_asked_for_ends_the_domain_alone),
		cmocka_unit_test(a_triple_fault_is_a_shutdown_of_the_vcpu),
		cmocka_unit_test(a_host_that_goes_down_ends_its_domains),
		cmocka_unit_test(the_hosts_registers_are_back_when_the_guest_has_run),
		cmocka_unit_test(xcr0_that_the_guest_set_by_itself_is_kept),
		cmocka_unit_test(cpuid_follows_xcr0_that_the_guest_set_by_itself),
		cmocka_unit_test(upper_halves_are_the_guests),
		cmocka_unit_test(without_avx_state_the_guest_finds_none_of_anothers),
		cmocka_unit_test(upper_halves_outlive_an_xcr0_without_avx),
		cmocka_unit_test(xsetbv_offers_avx_to_hvm_v3_alone),
		cmocka_unit_test(below_hvm_v3_avx_state_is_refused_and_not_moved),
		cmocka_unit_test(an_instruction_that_waits_for_ioemu_is_fetched_once),
		cmocka_unit_test(a_wait_ends_when_memory_comes_where_the_device_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
