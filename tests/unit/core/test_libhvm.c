/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_libhvm.c - hvm/hvm.h as a caller sees it: what is refused and how, memory under a vcpu, and
 * a machine that is saved and goes on somewhere else.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/posix/os_test.h"
#include "soft_guest.h"

static struct guest guest, other;

static int teardown(void **state)
{
	(void)state;
	hvm_os_test_fail_alloc_after(-1);
	if (guest.d)
		guest_destroy(&guest);
	if (other.d)
		guest_destroy(&other);
	memset(&guest, 0, sizeof(guest));
	memset(&other, 0, sizeof(other));
	return 0;
}

/* -- engines and domains ----------------------------------------------------------------------- */

static void engines_are_listed_with_a_reason_each(void **state)
{
	struct hvm_engine_info e[8];
	size_t count = hvm_engines(NULL, 0);
	bool soft = false;

	(void)state;
	assert_in_range(count, 1, 8);
	assert_int_equal(hvm_engines(e, 8), count);
	for (size_t i = 0; i < count; i++) {
		assert_true(e[i].name[0] && e[i].reason[0]);
		soft |= e[i].engine == HVM_ENGINE_SOFT && e[i].available;
	}
	assert_true(soft);
	/* No more is written than there is room for. */
	memset(e, 0, sizeof(e));
	assert_int_equal(hvm_engines(e, 1), count);
	assert_non_null(e[0].name);
	assert_null(e[1].name);
}

static void models_above_one_that_the_host_is_not_are_none_either(void **state)
{
	bool lacks = false;

	(void)state;
	assert_null(hvm_cpu_model_lacks(HVM_CPU_V1));
	for (unsigned int model = HVM_CPU_V1; model <= HVM_CPU_V3; model++) {
		const char *what = hvm_cpu_model_lacks((enum hvm_cpu_model)model);

		assert_true(what ? what[0] != 0 : !lacks);
		lacks = what;
	}
}

static void bad_configurations_are_refused(void **state)
{
	static const struct {
		uint32_t engine, model, vcpus;
		int rc;
	} row[] = {
		{ HVM_ENGINE_SOFT, HVM_CPU_V1, 0, -HVM_EINVAL },
		{ HVM_ENGINE_SOFT, HVM_CPU_V1, HVM_MAX_VCPUS + 1, -HVM_EINVAL },
		{ HVM_ENGINE_SOFT, HVM_CPU_V1, UINT32_MAX, -HVM_EINVAL },
		{ HVM_ENGINE_SOFT, HVM_CPU_V3 + 1, 1, -HVM_EINVAL },
		{ HVM_ENGINE_SVM + 1, HVM_CPU_V1, 1, -HVM_EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		const struct hvm_domain_config cfg = { .engine = row[i].engine,
						       .cpu_model = row[i].model,
						       .vcpus = row[i].vcpus };
		struct hvm_domain *d = NULL;

		assert_int_equal(hvm_domain_create(&cfg, &d), row[i].rc);
		assert_null(d);
	}
	hvm_domain_destroy(NULL);
}

static void a_name_without_end_is_no_harm(void **state)
{
	struct hvm_domain_config cfg = { .engine = HVM_ENGINE_SOFT, .vcpus = 1 };
	struct hvm_domain *d = NULL;

	(void)state;
	memset(cfg.name, 'x', sizeof(cfg.name));
	assert_int_equal(hvm_domain_create(&cfg, &d), 0);
	hvm_domain_destroy(d);
}

static void running_out_of_memory_at_any_point_leaves_nothing(void **state)
{
	const struct hvm_domain_config cfg = { .engine = HVM_ENGINE_SOFT, .vcpus = 2 };
	struct hvm_domain *d = NULL;
	int rc = -HVM_ENOMEM;
	long n;

	(void)state;
	for (n = 0; rc; n++) {
		assert_in_range(n, 0, 500);
		hvm_os_test_fail_alloc_after(n);
		rc = hvm_domain_create(&cfg, &d);
		if (rc)
			assert_int_equal(rc, -HVM_ENOMEM);
	}
	assert_true(n > 10);
	hvm_os_test_fail_alloc_after(-1);
	hvm_domain_destroy(d);
}

static void a_domain_tells_what_it_is(void **state)
{
	(void)state;
	guest_create(&guest, 3);
	assert_string_equal(hvm_domain_engine_name(guest.d), "soft");
	assert_string_equal(hvm_domain_crash_reason(guest.d), "");
	assert_non_null(hvm_domain_vcpu(guest.d, 2));
	assert_null(hvm_domain_vcpu(guest.d, 3));
	assert_null(hvm_domain_vcpu(guest.d, UINT32_MAX));
	assert_ptr_equal(hvm_domain_vcpu(guest.d, 1), hvm_domain_vcpu(guest.d, 1));
}

/* -- memory ------------------------------------------------------------------------------------ */

static void maps_that_make_no_sense_are_refused(void **state)
{
	struct guest *g = &guest;
	uint8_t *hva;
	const struct {
		uint64_t gpa, bytes;
		unsigned int type;
		size_t hva; /* offset into RAM; SIZE_MAX: NULL */
	} row[] = {
		{ 0x1000, 0, HVM_MEM_RAM, 0 },
		{ 0x1001, 0x1000, HVM_MEM_RAM, 0 },
		{ 0x1000, 0x1800, HVM_MEM_RAM, 0 },
		{ 0x1000, 0x1000, HVM_MEM_RAM, 8 },
		{ 0x1000, 0x1000, HVM_MEM_RAM, SIZE_MAX },
		{ 0x1000, 0x1000, HVM_MEM_ROM, SIZE_MAX },
		{ 0x1000, 0x1000, 3, 0 },
		{ 0xfffffffffffff000, 0x2000, HVM_MEM_RAM, 0 },
		{ 0xfffffffffffff000, 0x1000, HVM_MEM_RAM, 0 },
		{ 0x1000, 0xfffffffffffff000, HVM_MEM_RAM, 0 },
	};

	(void)state;
	guest_create(g, 1);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		hva = row[i].hva == SIZE_MAX ? NULL : g->ram + row[i].hva;
		assert_int_equal(hvm_domain_map(g->d, row[i].gpa, row[i].bytes,
						(enum hvm_mem_type)row[i].type, hva),
				 -HVM_EINVAL);
	}
	assert_int_equal(hvm_domain_unmap(g->d, 0x1000, 0), -HVM_EINVAL);
	assert_int_equal(hvm_domain_unmap(g->d, 0x1234, 0x1000), -HVM_EINVAL);
	assert_int_equal(hvm_domain_unmap(g->d, 0x1000, UINT64_MAX - 0xfff), -HVM_EINVAL);
	/* Where nothing is, nothing is taken away. */
	assert_int_equal(hvm_domain_unmap(g->d, 0x100000000, 0x1000), 0);
}

GUEST(probe, 16,
      "xor %ax, %ax; mov %ax, %ds; mov 0x5000, %al; out %al, $0xf0; movb $7, 0x5000;"
      "mov 0x5000, %al; out %al, $0xf0; out %al, $0xf4; hlt");

static void what_is_mapped_decides_what_an_access_is(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create(g, 1);
	GUEST_LOAD(g, probe);
	g->ram[0x5000] = 0x33;
	g->ram[0x800000] = 0x44;
	g->mmio_value = 0x55;
	/* RAM, ROM (another page of the caller's), device memory, RAM again. */
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	assert_int_equal(hvm_domain_map(g->d, 0x5000, 0x1000, HVM_MEM_ROM, g->ram + 0x800000), 0);
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	assert_int_equal(hvm_domain_unmap(g->d, 0x5000, 0x1000), 0);
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	assert_int_equal(hvm_domain_map(g->d, 0x5000, 0x1000, HVM_MEM_RAM, g->ram + 0x5000), 0);
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	assert_int_equal(g->traced, 8);
	assert_int_equal(g->trace[0], 0x33);
	assert_int_equal(g->trace[1], 7);
	assert_int_equal(g->trace[2], 0x44);
	assert_int_equal(g->trace[3], 0x44); /* the write was dropped */
	assert_int_equal(g->ram[0x800000], 0x44);
	assert_int_equal(g->trace[4], 0x55);
	assert_int_equal(g->trace[5], 0x55);
	assert_int_equal(g->mmio_count, 3);
	assert_int_equal(g->trace[6], 7);
}

/* A bug that was: the end of the range wrapped, and the loop over its pages went on for years. */
static void written_memory_may_be_told_in_any_way(void **state)
{
	static const struct {
		uint64_t gpa, bytes;
	} row[] = {
		{ 0, 0 },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX, 2 },
		{ UINT64_MAX, UINT64_MAX },
		{ 0x1000, UINT64_MAX },
		{ 0x1000, UINT64_MAX - 0x1000 },
		{ 0, 1ull << 52 },
		{ 1ull << 63, 1ull << 63 },
		{ 0x100000000, 0x1000 },
	};

	(void)state;
	guest_create(&guest, 1);
	assert_int_equal(hvm_dirty_log_start(guest.d), 0);
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++)
		hvm_domain_memory_written(guest.d, row[i].gpa, row[i].bytes);
	hvm_dirty_log_stop(guest.d);
}

static void written_memory_shows_in_the_dirty_log(void **state)
{
	uint64_t bitmap[GUEST_RAM / HVM_PAGE_SIZE / 64] = { 0 };
	const uint64_t pages = GUEST_RAM / HVM_PAGE_SIZE;

	(void)state;
	guest_create(&guest, 1);
	hvm_domain_memory_written(guest.d, 0, GUEST_RAM); /* logging is off */
	assert_int_equal(hvm_dirty_log_start(guest.d), 0);
	assert_int_equal(hvm_dirty_log_sync(guest.d, 0, pages, bitmap), 0);
	assert_int_equal(bitmap[0], 0);
	hvm_domain_memory_written(guest.d, 0x1fff, 2);
	hvm_domain_memory_written(guest.d, 0x40000, 0x1000);
	/* Beyond RAM's end; only the part that is RAM counts. */
	hvm_domain_memory_written(guest.d, GUEST_RAM - 1, UINT64_MAX);
	assert_int_equal(hvm_dirty_log_sync(guest.d, 0, pages, bitmap), 0);
	assert_int_equal(bitmap[0], 1 << 1 | 1 << 2);
	assert_int_equal(bitmap[1], 1);
	assert_int_equal(bitmap[pages / 64 - 1], 1ull << 63);
	memset(bitmap, 0, sizeof(bitmap));
	assert_int_equal(hvm_dirty_log_sync(guest.d, 0, pages, bitmap), 0);
	assert_int_equal(bitmap[0], 0);
	assert_int_equal(hvm_dirty_log_sync(guest.d, 1, 1, bitmap), -HVM_EINVAL);
	assert_int_equal(hvm_dirty_log_sync(guest.d, HVM_PAGE_MASK, 2, bitmap), -HVM_EINVAL);
	hvm_dirty_log_stop(guest.d);
}

/* A bug that was: the walk used a memory map of before the unmapping; the page tables were gone. */
static void translating_uses_the_map_of_this_moment(void **state)
{
	struct guest *g = &guest;
	struct hvm_vcpu *v;
	uint8_t *tables;
	gpa_t gpa = 0;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, probe);
	v = hvm_domain_vcpu(g->d, 0);
	/* The tables lie in memory of their own, which goes away. */
	tables = mmap(NULL, 0x6000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(tables, MAP_FAILED);
	memcpy(tables, g->ram, 0x6000);
	assert_int_equal(hvm_domain_map(g->d, 0, 0x6000, HVM_MEM_RAM, tables), 0);
	guest_start_long(g, 0, GUEST_CODE, 0);
	assert_int_equal(hvm_vcpu_translate(v, 0x234567, &gpa), 0);
	assert_int_equal(gpa, 0x234567);
	assert_int_equal(hvm_domain_unmap(g->d, 0, 0x6000), 0);
	assert_int_equal(munmap(tables, 0x6000), 0);
	assert_int_equal(hvm_vcpu_translate(v, 0x234567, &gpa), -HVM_EFAULT);
}

/* -- devices ----------------------------------------------------------------------------------- */

static void lines_messages_and_fast_paths_check_their_arguments(void **state)
{
	struct hvm_domain *d;
	int fd = eventfd(0, EFD_NONBLOCK);

	(void)state;
	guest_create(&guest, 1);
	d = guest.d;
	assert_int_equal(hvm_irq_set(d, 4, true), 0);
	assert_int_equal(hvm_irq_set(d, 23, false), 0);
	assert_int_equal(hvm_irq_set(d, 24, true), -HVM_EINVAL);
	assert_int_equal(hvm_irq_set(d, UINT32_MAX, true), -HVM_EINVAL);
	assert_int_equal(hvm_msi_send(d, 0x12345678, 0x41), -HVM_EINVAL);
	assert_int_equal(hvm_msi_send(d, 0xfee01000, 0x41), -HVM_ENOENT);
	assert_int_equal(hvm_nmi_send(d), 0);
	assert_int_equal(hvm_cmos_write(d, 0x34, 1), 0);
	assert_int_equal(hvm_cmos_write(d, 13, 1), -HVM_EINVAL);
	assert_int_equal(hvm_cmos_write(d, 128, 1), -HVM_EINVAL);
	assert_int_equal(hvm_bufioreq_add(d, HVM_IOREQ_NONE, 0, 1), -HVM_EINVAL);
	assert_int_equal(hvm_bufioreq_add(d, HVM_IOREQ_MMIO, 0xa0000, 0), -HVM_EINVAL);
	assert_int_equal(hvm_bufioreq_add(d, HVM_IOREQ_MMIO, UINT64_MAX, 2), -HVM_EINVAL);
	assert_int_equal(hvm_bufioreq_add(d, HVM_IOREQ_MMIO, 0xa0000, 0x20000), 0);
	assert_int_equal(hvm_doorbell_add(d, HVM_IOREQ_NONE, 0, 2, NULL, fd), -HVM_EINVAL);
	assert_int_equal(hvm_doorbell_add(d, HVM_IOREQ_PIO, 0, 2, NULL, -1), -HVM_EINVAL);
	assert_int_equal(hvm_doorbell_add(d, HVM_IOREQ_PIO, 0, 3, NULL, fd), -HVM_EINVAL);
	assert_int_equal(hvm_doorbell_add(d, HVM_IOREQ_PIO, 0, 16, NULL, fd), -HVM_EINVAL);
	assert_int_equal(hvm_doorbell_add(d, HVM_IOREQ_PIO, 0xc050, 2, NULL, fd), 0);
	assert_int_equal(hvm_doorbell_remove(d, HVM_IOREQ_PIO, 0xc050, fd), 0);
	assert_int_equal(hvm_doorbell_remove(d, HVM_IOREQ_PIO, 0xc050, fd), -HVM_ENOENT);
	close(fd);
}

/* -- vcpus ------------------------------------------------------------------------------------- */

GUEST(triple, 16, "lidt %cs:(1f - triple_start); int3; 1: .word 0, 0, 0");

static void a_guest_that_ends_is_told_and_reset_begins_anew(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create(g, 1);
	GUEST_LOAD(g, triple);
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_SHUTDOWN);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_SHUTDOWN);
	assert_string_equal(hvm_domain_crash_reason(g->d), "");
	assert_int_equal(hvm_domain_reset(g->d), 0);
	GUEST_LOAD(g, probe);
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
}

static void state_that_is_set_is_what_one_gets(void **state)
{
	struct guest *g = &guest;
	struct hvm_vcpu_state s, back;
	struct hvm_vcpu *v;

	(void)state;
	guest_create_long(g, 1);
	v = hvm_domain_vcpu(g->d, 0);
	guest_start_long(g, 0, GUEST_CODE, 3);
	assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
	for (unsigned int i = 0; i < 16; i++)
		s.gpr[i] = 0x0101010101010101ull * i;
	s.cr2 = 0x1234567;
	s.lstar = 0xffffffff81000000;
	s.kernel_gs_base = 0xffff888000000000;
	s.tsc_aux = 3;
	s.cr8 = 5;
	s.intr_shadow = HVM_INTR_SHADOW_NMI;
	s.pending = (struct hvm_event){ .type = HVM_EVENT_NMI, .vector = 2 };
	s.xsave[160] = 0xaa; /* XMM0 */
	s.xsave[512] = 3;
	assert_int_equal(hvm_vcpu_set_state(v, &s), 0);
	assert_int_equal(hvm_vcpu_get_state(v, &back), 0);
	assert_memory_equal(back.gpr, s.gpr, sizeof(s.gpr));
	assert_int_equal(back.cr2, s.cr2);
	assert_int_equal(back.lstar, s.lstar);
	assert_int_equal(back.kernel_gs_base, s.kernel_gs_base);
	assert_int_equal(back.tsc_aux, 3);
	assert_int_equal(back.cr8, 5);
	assert_int_equal(back.cr3, GUEST_PML4);
	assert_int_equal(back.intr_shadow, HVM_INTR_SHADOW_NMI);
	assert_int_equal(back.pending.type, HVM_EVENT_NMI);
	assert_int_equal(back.xsave[160], 0xaa);
	assert_int_equal(back.pat, 0x0007040600070406);
}

/* Counts in RBX and in memory, and reports both with the MTRR that it set at the start. */
GUEST(counting, 16,
      "mov $0x2ff, %ecx; mov $0xc06, %eax; xor %edx, %edx; wrmsr; xor %bx, %bx; mov %bx, %ds;"
      "1: inc %bx; incw 0x6000; mov %bx, %ax; out %ax, $0xf0; mov 0x6000, %ax; out %ax, $0xf0;"
      "mov $0x2ff, %ecx; rdmsr; out %ax, $0xf0; test $1, %bl; jz 1b; out %al, $0xf4; jmp 1b");

static void a_saved_machine_goes_on_in_another_domain(void **state)
{
	struct guest *g = &guest, *to = &other;
	struct hvm_vcpu_state cpu;
	uint8_t *buf = NULL;
	size_t bytes = 0;

	(void)state;
	guest_create(g, 1);
	GUEST_LOAD(g, counting);
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	hvm_domain_pause_time(g->d);
	assert_int_equal(hvm_domain_save(g->d, &buf, &bytes), 0);
	guest_create(to, 1);
	memcpy(to->ram, g->ram, GUEST_RAM);
	hvm_domain_memory_written(to->d, 0, GUEST_RAM);
	hvm_domain_pause_time(to->d);
	assert_int_equal(hvm_domain_load(to->d, buf, bytes), 0);
	hvm_domain_resume_time(to->d);
	/* Past the OUT that stopped it, which was withdrawn. */
	assert_int_equal(hvm_vcpu_get_state(hvm_domain_vcpu(to->d, 0), &cpu), 0);
	cpu.rip += 2;
	assert_int_equal(hvm_vcpu_set_state(hvm_domain_vcpu(to->d, 0), &cpu), 0);
	assert_int_equal(guest_run(to, 0), HVM_EXIT_NONE);
	assert_int_equal(g->traced, 3);
	assert_int_equal(to->traced, 6);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(to->trace[i], i % 3 == 2 ? 0xc06 : 2 + i / 3);
	/* What is refused changes nothing. */
	assert_int_equal(hvm_domain_load(to->d, buf, bytes - 1), -HVM_EINVAL);
	assert_int_equal(hvm_vcpu_get_state(hvm_domain_vcpu(to->d, 0), &cpu), 0);
	assert_int_equal(cpu.gpr[3], 3);
	free(buf);
}

static void counters_have_names(void **state)
{
	struct guest *g = &guest;
	uint64_t value[64] = { 0 };
	size_t count;

	(void)state;
	guest_create(g, 1);
	GUEST_LOAD(g, probe);
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	count = hvm_vcpu_stats(hvm_domain_vcpu(g->d, 0), value, 64);
	assert_in_range(count, 1, 64);
	assert_non_null(hvm_stat_name(count - 1));
	assert_null(hvm_stat_name(count));
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(hvm_stat_name(i), "ioreq"))
			assert_int_equal(value[i], 3);
	}
	memset(value, 0xff, sizeof(value));
	assert_int_equal(hvm_vcpu_stats(hvm_domain_vcpu(g->d, 0), value, 1), count);
	assert_int_equal(value[1], UINT64_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
		TEST(engines_are_listed_with_a_reason_each),
		TEST(models_above_one_that_the_host_is_not_are_none_either),
		TEST(bad_configurations_are_refused),
		TEST(a_name_without_end_is_no_harm),
		TEST(running_out_of_memory_at_any_point_leaves_nothing),
		TEST(a_domain_tells_what_it_is),
		TEST(maps_that_make_no_sense_are_refused),
		TEST(what_is_mapped_decides_what_an_access_is),
		TEST(written_memory_may_be_told_in_any_way),
		TEST(written_memory_shows_in_the_dirty_log),
		TEST(translating_uses_the_map_of_this_moment),
		TEST(lines_messages_and_fast_paths_check_their_arguments),
		TEST(a_guest_that_ends_is_told_and_reset_begins_anew),
		TEST(state_that_is_set_is_what_one_gets),
		TEST(a_saved_machine_goes_on_in_another_domain),
		TEST(counters_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
