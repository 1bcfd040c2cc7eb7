/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_soft.c - the software CPU with one vcpu: modes, device accesses, decoded code that changes,
 * translations that change, debug traps. Guests are assembled below, each next to its test.
 */
#include "soft_guest.h"

#define ASSERT_TRACE(g, ...) \
	do { \
		const uint32_t want_[] = { __VA_ARGS__ }; \
		assert_int_equal((g)->traced, sizeof(want_) / sizeof(want_[0])); \
		for (unsigned int n_ = 0; n_ < (g)->traced; n_++) \
			assert_int_equal((g)->trace[n_], want_[n_]); \
	} while (0)

static struct guest guest;

static int teardown(void **state)
{
	struct guest *g = &guest;

	(void)state;
	if (g->d)
		guest_destroy(g);
	memset(g, 0, sizeof(*g));
	return 0;
}

/* Run the guest of a test that needs nothing else. */
static void run_long(struct guest *g, unsigned int cpl)
{
	guest_start_long(g, 0, GUEST_CODE, cpl);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
}

/* -- modes and devices --------------------------------------------------------------------- */

GUEST(real_mode, 16,
      "mov $0x1234, %ax; out %ax, $0xf0; mov $3, %cx; 1: mov %cl, %al; out %al, $0xf0;"
      "loop 1b; in $0x60, %al; out %al, $0xf0; in $0x60, %al; out %al, $0xf0;"
      "out %al, $0xf4; hlt");

static void soft_runs_real_mode_and_each_port_access_happens_once(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create(g, 1);
	GUEST_LOAD(g, real_mode);
	guest_start_real(g, 0);
	g->in_value = 0x41;
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	ASSERT_TRACE(g, 0x1234, 3, 2, 1, 0x41, 0x42);
}

/* Real mode to protected mode to 64-bit mode, the way every boot loader goes. */
GUEST(climb, 16,
      "cli; xor %ax, %ax; mov %ax, %ds; lgdtl 0x6f00; mov %cr0, %eax; or $1, %al; mov %eax, %cr0;"
      "ljmpl $0x30, $0x10000 + (1f - climb_start)\n.code32\n1: mov $0x10, %eax; mov %eax, %ds;"
      "mov %eax, %es; mov %eax, %ss; mov $0x90000, %esp; mov $32, %al; out %al, $0xf0;"
      "mov $0x6a0, %eax; mov %eax, %cr4; mov $0x1000, %eax; mov %eax, %cr3; mov $0xc0000080, %ecx;"
      "rdmsr; or $0x100, %eax; wrmsr; mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0;"
      "ljmpl $8, $0x10000 + (2f - climb_start)\n.code64\n2: mov $64, %eax; out %al, $0xf0;"
      "movabs $0x123456789abcdef0, %rax; shr $32, %rax; push %rax; pop %rbx; mov %ebx, %eax;"
      "out %eax, $0xf0; out %al, $0xf4; hlt");

static void soft_climbs_from_real_mode_to_64_bit_mode(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	guest_put64(g, GUEST_GDT + 0x30, 0x00cf9b000000ffff);
	guest_put64(g, 0x6f00, 0x37 | (uint64_t)GUEST_GDT << 16);
	GUEST_LOAD(g, climb);
	guest_start_real(g, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	ASSERT_TRACE(g, 32, 64, 0x12345678);
}

GUEST(mmio, 64,
      "movl $0x11223344, 0x3000000; mov 0x3000008, %rax; out %eax, $0xf0;"
      "movw $0x5566, 0x3000001; addl $1, 0x3000010; out %al, $0xf4");

static void soft_splits_misaligned_device_accesses_and_repeats_none(void **state)
{
	static const struct {
		uint64_t gpa, data;
		uint8_t size, is_write;
	} want[] = {
		{ 0x3000000, 0x11223344, 4, 1 }, { 0x3000008, 0, 8, 0 }, { 0x3000001, 0x66, 1, 1 },
		{ 0x3000002, 0x55, 1, 1 },	 { 0x3000010, 0, 4, 0 }, { 0x3000010, 0x100, 4, 1 },
	};
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, mmio);
	g->mmio_value = 0xff;
	run_long(g, 0);
	ASSERT_TRACE(g, 0xff);
	assert_int_equal(g->mmio_count, HVM_ARRAY_SIZE(want));
	for (unsigned int i = 0; i < g->mmio_count; i++) {
		assert_int_equal(g->mmio[i].address, want[i].gpa);
		assert_int_equal(g->mmio[i].size, want[i].size);
		assert_int_equal(g->mmio[i].is_write, want[i].is_write);
		if (want[i].is_write)
			assert_int_equal(g->mmio[i].data, want[i].data);
	}
}

GUEST(rom, 64,
      "mov 0x2000000, %eax; out %eax, $0xf0; movl $1, 0x2000000; lock incl 0x2000000;"
      "mov 0x2000000, %eax; out %eax, $0xf0; out %al, $0xf4");

static void soft_drops_writes_to_rom(void **state)
{
	struct guest *g = &guest;
	uint8_t *rom = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	memset(rom, 0x77, 4096);
	/* As ioemu may have it: really read-only. */
	assert_int_equal(mprotect(rom, 4096, PROT_READ), 0);
	guest_create_long(g, 1);
	assert_int_equal(hvm_domain_map(g->d, 0x2000000, 4096, HVM_MEM_ROM, rom), 0);
	GUEST_LOAD(g, rom);
	run_long(g, 0);
	ASSERT_TRACE(g, 0x77777777, 0x77777777);
	munmap(rom, 4096);
}

GUEST(triple, 64, "lidt 1f(%rip); ud2; 1: .word 0; .quad 0");

static void soft_reports_a_triple_fault_as_shutdown(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, triple);
	guest_start_long(g, 0, GUEST_CODE, 0);
	assert_int_equal(guest_run(g, 0), HVM_EXIT_SHUTDOWN);
}

/* -- code that changes --------------------------------------------------------------------- */

/* The store changes an instruction further on in its own block. */
GUEST(smc_same_block, 64, "movb $7, 1f+1(%rip); 1: mov $1, %al; out %al, $0xf0; out %al, $0xf4");

static void soft_sees_code_change_later_in_the_running_block(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, smc_same_block);
	run_long(g, 0);
	ASSERT_TRACE(g, 7);
}

GUEST(smc_loop, 64,
      "xor %ebx, %ebx; xor %edx, %edx; 1: mov %bl, 3f+1(%rip); call 2f; movzx %al, %eax; add %eax, %edx;"
      "inc %ebx; cmp $200, %ebx; jb 1b; mov %edx, %eax; out %eax, $0xf0; out %al, $0xf4;"
      ".balign 128; 2: nop; 3: mov $0, %al; ret");

static void soft_sees_a_function_patched_before_each_call(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, smc_loop);
	run_long(g, 0);
	ASSERT_TRACE(g, 199 * 200 / 2);
}

/* As above by locked, string and read-modify-write stores, which write through a host pointer. */
GUEST(smc_pointer, 64,
      "xor %ebx, %ebx; xor %edx, %edx; 1: lock incb 3f+1(%rip); call 2f; add %eax, %edx;"
      "incb 3f+1(%rip); call 2f; add %eax, %edx; lea 3f+1(%rip), %rdi; mov (%rdi), %al; inc %al;"
      "mov $1, %ecx; rep stosb; call 2f; add %eax, %edx; inc %ebx; cmp $30, %ebx; jb 1b;"
      "mov %edx, %eax; out %eax, $0xf0; out %al, $0xf4; .balign 64; 2: xor %eax, %eax;"
      "3: mov $0, %al; ret");

static void soft_sees_code_written_through_pointers(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, smc_pointer);
	run_long(g, 0);
	ASSERT_TRACE(g, 90 * 91 / 2);
}

/* Data beside code: 1000 stores that hit no code, and the code still works. */
GUEST(data_in_code, 64,
      "mov $1000, %ecx; 1: incl 2f(%rip); mov %ecx, 3f(%rip); loop 1b; mov 2f(%rip), %eax;"
      "out %eax, $0xf0; out %al, $0xf4; .balign 256; 2: .long 0; 3: .long 0");

static void soft_keeps_data_beside_code_right(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, data_in_code);
	run_long(g, 0);
	ASSERT_TRACE(g, 1000);
}

/* A five-byte MOV over a page end; the immediate's bytes in the second page change. */
GUEST(straddle, 64,
      "xor %ebx, %ebx; 1: call 2f; out %eax, $0xf0; incb 0x11001; inc %ebx; cmp $3, %ebx;"
      "jb 1b; out %al, $0xf4; .org straddle_start + 0xffe; 2: mov $0x01010101, %eax; ret");

static void soft_sees_changes_in_both_pages_of_one_instruction(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, straddle);
	run_long(g, 0);
	ASSERT_TRACE(g, 0x01010101, 0x01020101, 0x01030101);
}

/* The same, but the second page is another one after a change of its translation. */
GUEST(straddle_map, 64,
      "call 2f; out %eax, $0xf0; movq $0x13007, 0x4000 + 0x11 * 8; invlpg 0x11000;"
      "call 2f; out %eax, $0xf0; out %al, $0xf4; .org straddle_map_start + 0xffe;"
      "2: mov $0x01010101, %eax; ret");

static void soft_follows_the_second_page_of_an_instruction(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, straddle_map);
	memcpy(g->ram + 0x13000, g->ram + 0x11000, 16);
	g->ram[0x13001] = 9;
	run_long(g, 0);
	ASSERT_TRACE(g, 0x01010101, 0x01090101);
}

GUEST(dma, 64,
      "1: call 2f; out %al, $0xf0; cmp $5, %al; jb 1b; out %al, $0xf4; .balign 64;"
      "2: mov $1, %al; ret");

static void soft_sees_code_that_a_device_wrote(void **state)
{
	struct guest *g = &guest;
	uint32_t at;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, dma);
	at = GUEST_CODE + 64;
	assert_int_equal(g->ram[at], 0xb0);
	guest_start_long(g, 0, GUEST_CODE, 0);
	for (bool stop = false; !stop;) {
		struct hvm_vcpu *v = hvm_domain_vcpu(g->d, 0);
		struct hvm_exit e;

		assert_int_equal(hvm_vcpu_run(v, &e), 0);
		assert_int_equal(e.reason, HVM_EXIT_IOREQ);
		stop = guest_serve(g, hvm_vcpu_ioreq(v));
		g->ram[at + 1]++;
		hvm_domain_memory_written(g->d, at + 1, 1);
	}
	ASSERT_TRACE(g, 1, 2, 3, 4, 5);
}

/* -- translations that change -------------------------------------------------------------- */

/* Page 0x100 shows page 0x101, then 0x102; INVLPG and CR3 each make it visible. */
GUEST(remap, 64,
      "movq $0x101007, 0x4000 + 0x100 * 8; mov 0x100000, %eax; out %eax, $0xf0;"
      "movq $0x102007, 0x4000 + 0x100 * 8; invlpg 0x100000; mov 0x100000, %eax; out %eax, $0xf0;"
      "movq $0x101007, 0x4000 + 0x100 * 8; mov %cr3, %rax; mov %rax, %cr3; mov 0x100000, %eax;"
      "out %eax, $0xf0; movl $3, 0x100000; mov 0x101000, %eax; out %eax, $0xf0; out %al, $0xf4");

static void soft_forgets_a_translation_on_invlpg_and_cr3(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, remap);
	g->ram[0x101000] = 1;
	g->ram[0x102000] = 2;
	run_long(g, 0);
	ASSERT_TRACE(g, 1, 2, 1, 3);
}

/* The function at 0x100000 comes from another page after INVLPG: links to it must not survive. */
GUEST(remap_code, 64,
      "mov $0x100000, %r8; mov $3, %ebx; 1: call *%r8; out %al, $0xf0; dec %ebx; jnz 1b;"
      "movq $0x102007, 0x4000 + 0x100 * 8; invlpg (%r8); mov $2, %ebx; 2: call *%r8; out %al, $0xf0;"
      "dec %ebx; jnz 2b; movq $0x101007, 0x4000 + 0x100 * 8; mov %cr3, %rax; mov %rax, %cr3; call *%r8;"
      "out %al, $0xf0; out %al, $0xf4");

static void soft_forgets_code_translations_too(void **state)
{
	static const uint8_t one[] = { 0xb0, 1, 0xc3 }, two[] = { 0xb0, 2, 0xc3 };
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, remap_code);
	memcpy(g->ram + 0x101000, one, sizeof(one));
	memcpy(g->ram + 0x102000, two, sizeof(two));
	guest_put64(g, 0x4000 + 0x100 * 8, 0x101007);
	run_long(g, 0);
	ASSERT_TRACE(g, 1, 1, 1, 2, 2, 1);
}

/* A global page survives a CR3 write (the stale value shows), and INVLPG ends it. */
GUEST(global, 64,
      "mov 0x100000, %eax; out %eax, $0xf0; movq $0x102107, 0x4000 + 0x100 * 8; mov %cr3, %rax;"
      "mov %rax, %cr3; mov 0x100000, %eax; out %eax, $0xf0; invlpg 0x100000; mov 0x100000, %eax;"
      "out %eax, $0xf0; out %al, $0xf4");

static void soft_keeps_global_translations_over_cr3(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, global);
	guest_put64(g, 0x4000 + 0x100 * 8, 0x101107);
	g->ram[0x101000] = 1;
	g->ram[0x102000] = 2;
	run_long(g, 0);
	ASSERT_TRACE(g, 1, 1, 2);
}

/* INVLPG of one address in a 2 MiB page ends every translation of that page. */
GUEST(large, 64,
      "mov 0x601000, %eax; mov 0x7ff000, %eax; out %eax, $0xf0; movq $0x800087, 0x3018;"
      "invlpg 0x600000; mov 0x7ff000, %eax; out %eax, $0xf0; out %al, $0xf4");

static void soft_invlpg_covers_the_whole_large_page(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, large);
	g->ram[0x7ff000] = 1;
	g->ram[0x9ff000] = 2;
	run_long(g, 0);
	ASSERT_TRACE(g, 1, 2);
}

/* A store over two pages of which the second faults writes nothing; then the handler maps it. */
GUEST(cross_fault, 64,
      "movabs $0x1122334455667788, %rax; mov %rax, 0x100ffc; mov 0x100ffc, %eax; out %eax, $0xf0;"
      "mov 0x101000, %eax; out %eax, $0xf0; out %al, $0xf4;"
      ".globl cross_fault_handler; cross_fault_handler: add $8, %rsp; push %rax; mov 0x100ffc, %eax;"
      "out %eax, $0xf0; mov %cr2, %rax; out %eax, $0xf0; movq $0x101007, 0x4000 + 0x101 * 8;"
      "pop %rax; iretq");
GUEST_LABEL(cross_fault, cross_fault_handler);

static void soft_store_over_two_pages_is_all_or_nothing(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, cross_fault);
	guest_gate(g, 14, cross_fault_cross_fault_handler());
	guest_put64(g, 0x4000 + 0x101 * 8, 0);
	run_long(g, 0);
	ASSERT_TRACE(g, 0, 0x101000, 0x55667788, 0x11223344);
}

GUEST(noncanon, 64,
      "movabs $0x8000000000000000, %rbx; mov (%rbx), %al; movabs $0x4000000000000000, %rbx; mov (%rbx), %al;"
      "mov %rsp, %r12; movabs $0x4000000000001000, %rbp; mov (%rbp), %al; mov %r12, %rsp;"
      "out %al, $0xf4;"
      ".globl noncanon_gp; noncanon_gp: mov $13, %eax; jmp 1f; .globl noncanon_ss; noncanon_ss:"
      "mov $12, %eax; 1: out %al, $0xf0; pop %rcx; mov (%rsp), %rax; cmpb $0x45, 1(%rax); sete %cl;"
      "movzx %cl, %ecx; add $2, %rax; cmpb $0, (%rax); add %rcx, %rax; mov %rax, (%rsp); iretq");
GUEST_LABEL(noncanon, noncanon_gp);
GUEST_LABEL(noncanon, noncanon_ss);

GUEST(noncanon_fxsave, 64,
      "movabs $0x4000000000001000, %rbp; fxsave (%rbp); out %al, $0xf4;"
      ".globl noncanon_fx_gp; noncanon_fx_gp: mov $13, %al; jmp 1f;"
      ".globl noncanon_fx_ss; noncanon_fx_ss: mov $12, %al;"
      "1: out %al, $0xf0; out %al, $0xf4");
GUEST_LABEL(noncanon_fxsave, noncanon_fx_gp);
GUEST_LABEL(noncanon_fxsave, noncanon_fx_ss);

static void soft_raises_ss_for_a_large_operand_through_the_stack_segment(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, noncanon_fxsave);
	guest_gate(g, 13, noncanon_fxsave_noncanon_fx_gp());
	guest_gate(g, 12, noncanon_fxsave_noncanon_fx_ss());
	run_long(g, 0);
	ASSERT_TRACE(g, 12);
}

static void soft_raises_gp_or_ss_for_non_canonical_addresses(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, noncanon);
	guest_gate(g, 13, noncanon_noncanon_gp());
	guest_gate(g, 12, noncanon_noncanon_ss());
	run_long(g, 0);
	ASSERT_TRACE(g, 13, 13, 12);
}

/*
 * One access to page 0x101 by the rights of its entry, after its neighbour filled the walk cache:
 * R12 says read, write or fetch. Traces the #PF error code, or 100 when there was none.
 */
GUEST(rights, 64,
      "mov 0x100000, %al; mov $0x101000, %esi; cmp $1, %r12d; ja 2f; je 1f; mov (%rsi), %al; jmp 3f;"
      "1: movb $0xc3, (%rsi); jmp 3f; 2: call *%rsi; 3: mov $100, %eax; int $0x40; .globl rights_pf;"
      "rights_pf: mov (%rsp), %eax; .globl rights_done; rights_done: out %al, $0xf0; out %al, $0xf4");
GUEST_LABEL(rights, rights_pf);
GUEST_LABEL(rights, rights_done);

static void soft_page_rights_hold_behind_the_walk_cache(void **state)
{
	enum {
		P = 1,
		W = 2,
		U = 4,
		A = 0x20,
		D = 0x40
	};
	static const uint64_t nx = 1ull << 63;
	const struct {
		uint64_t pte;
		unsigned int access, cpl;
		bool wp;
		uint32_t want;
	} row[] = {
		{ P | W | U | A | D, 0, 3, true, 100 },
		{ P | W | U | A | D, 1, 3, true, 100 },
		{ P | W | U | A | D, 2, 3, true, 100 },
		{ P | W | U, 1, 3, true, 100 },
		{ P | W | U | A, 1, 3, true, 100 },
		{ P | U | A | D, 0, 3, true, 100 },
		{ P | U | A | D, 1, 3, true, 7 },
		{ P | U | A | D, 1, 0, true, 3 },
		{ P | U | A | D, 1, 0, false, 100 },
		{ P | W | A | D, 0, 3, true, 5 },
		{ P | W | A | D, 1, 3, true, 7 },
		{ P | W | A | D, 0, 0, true, 100 },
		{ P | W | U | A | D | nx, 0, 3, true, 100 },
		{ P | W | U | A | D | nx, 2, 3, true, 0x15 },
		{ P | W | U | A | D | nx, 2, 0, true, 0x11 },
		{ P | W | U | A | D | 1ull << 51, 0, 0, true, 9 },
		{ 0, 0, 0, true, 0 },
		{ 0, 1, 3, true, 6 },
	};

	(void)state;
	for (size_t i = 0; i < HVM_ARRAY_SIZE(row); i++) {
		struct guest *g = &guest;
		struct hvm_vcpu *v;
		struct hvm_vcpu_state s;
		uint64_t pte;

		guest_create_long(g, 1);
		GUEST_LOAD(g, rights);
		guest_gate(g, 14, rights_rights_pf());
		guest_gate(g, 0x40, rights_rights_done());
		guest_put64(g, 0x4000 + 0x101 * 8, row[i].pte | 0x101000);
		g->ram[0x101000] = 0xc3;
		guest_start_long(g, 0, GUEST_CODE, row[i].cpl);
		v = hvm_domain_vcpu(g->d, 0);
		assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
		s.gpr[12] = row[i].access;
		s.cr0 &= row[i].wp ? ~0ull : ~0x10000ull;
		assert_int_equal(hvm_vcpu_set_state(v, &s), 0);
		assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
		ASSERT_TRACE(g, row[i].want);
		memcpy(&pte, g->ram + 0x4000 + 0x101 * 8, 8);
		if (row[i].want == 100)
			assert_int_equal(pte & (A | (row[i].access == 1 ? D : 0)),
					 A | (row[i].access == 1 ? D : 0));
		teardown(NULL);
	}
}

/* -- memory map and dirty log -------------------------------------------------------------- */

GUEST(remapped, 64, "1: mov 0x2000000, %eax; out %eax, $0xf0; cmp $3, %eax; jb 1b; out %al, $0xf4");

static void soft_uses_no_memory_that_was_unmapped(void **state)
{
	struct guest *g = &guest;
	struct hvm_vcpu *v;
	uint8_t *page[3];

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, remapped);
	guest_start_long(g, 0, GUEST_CODE, 0);
	v = hvm_domain_vcpu(g->d, 0);
	for (unsigned int i = 0; i < 3; i++) {
		struct hvm_exit e;

		page[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);
		page[i][0] = (uint8_t)(i + 1);
		assert_int_equal(hvm_domain_map(g->d, 0x2000000, 4096, HVM_MEM_RAM, page[i]), 0);
		if (i)
			munmap(page[i - 1], 4096);
		assert_int_equal(hvm_vcpu_run(v, &e), 0);
		assert_false(guest_serve(g, hvm_vcpu_ioreq(v)));
	}
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	ASSERT_TRACE(g, 1, 2, 3);
}

GUEST(dirty, 64,
      "1: incl 0x100000; incl 0x102000; mov 0x103000, %eax; out %al, $0xf0; incl 0x100000;"
      "out %al, $0xf0; movups %xmm0, 0x104ff8; jmp 1b");

static void soft_logs_each_written_page_again_after_each_sync(void **state)
{
	struct guest *g = &guest;
	struct hvm_vcpu *v;
	struct hvm_exit e;
	uint64_t bitmap;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, dirty);
	guest_start_long(g, 0, GUEST_CODE, 0);
	v = hvm_domain_vcpu(g->d, 0);
	/* Both exits once before: the pages have write entries already. */
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(hvm_vcpu_run(v, &e), 0);
		guest_serve(g, hvm_vcpu_ioreq(v));
	}
	assert_int_equal(hvm_dirty_log_start(g->d), 0);
	static const uint64_t want[] = { 0x35, 1, 0x35, 1 };
	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(want); i++) {
		assert_int_equal(hvm_vcpu_run(v, &e), 0);
		guest_serve(g, hvm_vcpu_ioreq(v));
		bitmap = 0;
		assert_int_equal(hvm_dirty_log_sync(g->d, 0x100000, 8, &bitmap), 0);
		assert_int_equal(bitmap, want[i]);
	}
	hvm_dirty_log_stop(g->d);
}

/* -- debug --------------------------------------------------------------------------------- */

/* TF over three instructions: a #DB with BS after each that began with TF set. */
GUEST(single_step, 64,
      "xor %ebx, %ebx; pushfq; orl $0x100, (%rsp); popfq; nop; nop; nop; pushfq; andl $~0x100, (%rsp);"
      "popfq; nop; mov %ebx, %eax; out %eax, $0xf0; out %al, $0xf4;"
      ".globl single_step_db; single_step_db: inc %ebx; mov %dr6, %rax; test $0x4000, %eax; jnz 1f;"
      "add $100, %ebx; 1: xor %eax, %eax; mov %rax, %dr6; iretq");
GUEST_LABEL(single_step, single_step_db);

static void soft_traps_after_each_instruction_while_tf_is_set(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, single_step);
	guest_gate(g, 1, single_step_single_step_db());
	run_long(g, 0);
	/* nop nop nop pushfq andl popfq */
	ASSERT_TRACE(g, 6);
}

/* DR0: execution at 1f, DR1: write of 4 bytes at 0x100000. */
GUEST(breakpoints, 64,
      "lea 1f(%rip), %rax; mov %rax, %dr0; mov $0x100000, %eax; mov %rax, %dr1; mov $0xd0040f, %eax;"
      "mov %rax, %dr7; mov 0x100000, %eax; movb $1, 0x100003; movb $1, 0x100004; nop; 1: nop;"
      "out %al, $0xf4;"
      ".globl breakpoints_db; breakpoints_db: mov %dr6, %rax; out %al, $0xf0; and $~0xf, %rax;"
      "mov %rax, %dr6; orl $0x10000, 16(%rsp); iretq");
GUEST_LABEL(breakpoints, breakpoints_db);

static void soft_hits_code_and_data_breakpoints(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, breakpoints);
	guest_gate(g, 1, breakpoints_breakpoints_db());
	run_long(g, 0);
	/* DR6 reads its fixed ones as FF0. */
	ASSERT_TRACE(g, 0xf2, 0xf1);
}

GUEST(align, 64,
      "pushfq; orl $0x40000, (%rsp); popfq; mov 0x100001, %al; mov 0x100004, %eax;"
      "mov 0x100002, %eax; ud2;"
      ".globl align_ac; align_ac: mov $17, %al; out %al, $0xf0; out %al, $0xf4");
GUEST_LABEL(align, align_ac);

static void soft_checks_alignment_for_users_that_ask(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, align);
	guest_gate(g, 17, align_align_ac());
	run_long(g, 3);
	ASSERT_TRACE(g, 17);
}

GUEST(align_rep, 64,
      "pushfq; orl $0x40000, (%rsp); popfq; mov $0x100001, %esi; mov $2, %ecx; rep lodsq; ud2;"
      ".globl align_rep_ac; align_rep_ac: mov %ecx, %eax; out %al, $0xf0; out %al, $0xf4");
GUEST_LABEL(align_rep, align_rep_ac);

static void soft_checks_alignment_of_repeated_strings(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, align_rep);
	guest_gate(g, 17, align_rep_align_rep_ac());
	run_long(g, 3);
	ASSERT_TRACE(g, 2);
}

GUEST(align_canon, 64,
      "pushfq; orl $0x40000, (%rsp); popfq; movabs $0x8000000000000001, %rbx; mov (%rbx), %eax; ud2;"
      ".globl align_canon_ac; align_canon_ac: mov $17, %al; jmp 1f;"
      ".globl align_canon_gp; align_canon_gp: mov $13, %al; 1: out %al, $0xf0; out %al, $0xf4");
GUEST_LABEL(align_canon, align_canon_gp);
GUEST_LABEL(align_canon, align_canon_ac);

static void a_non_canonical_address_is_refused_before_its_alignment(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, align_canon);
	guest_gate(g, 13, align_canon_align_canon_gp());
	guest_gate(g, 17, align_canon_align_canon_ac());
	run_long(g, 3);
	ASSERT_TRACE(g, 13);
}

GUEST(x87_fault, 64,
      "fninit; push $0x340; fldcw (%rsp); fistl 0x101000; out %al, $0xf4;"
      ".globl x87_fault_pf; x87_fault_pf: mov $14, %al; out %al, $0xf0; fnstsw %ax; out %ax, $0xf0;"
      "out %al, $0xf4");
GUEST_LABEL(x87_fault, x87_fault_pf);

/* The stack is empty and that is not masked: nothing is stored, but the page is looked at first. */
static void an_x87_store_that_stores_nothing_faults_all_the_same(void **state)
{
	struct guest *g = &guest;

	(void)state;
	guest_create_long(g, 1);
	GUEST_LOAD(g, x87_fault);
	guest_gate(g, 14, x87_fault_x87_fault_pf());
	guest_put64(g, 0x4000 + 0x101 * 8, 0);
	run_long(g, 0);
	ASSERT_TRACE(g, 14, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(soft_runs_real_mode_and_each_port_access_happens_once),
		T(soft_climbs_from_real_mode_to_64_bit_mode),
		T(soft_splits_misaligned_device_accesses_and_repeats_none),
		T(soft_drops_writes_to_rom),
		T(soft_reports_a_triple_fault_as_shutdown),
		T(soft_sees_code_change_later_in_the_running_block),
		T(soft_sees_a_function_patched_before_each_call),
		T(soft_sees_code_written_through_pointers),
		T(soft_keeps_data_beside_code_right),
		T(soft_sees_changes_in_both_pages_of_one_instruction),
		T(soft_follows_the_second_page_of_an_instruction),
		T(soft_sees_code_that_a_device_wrote),
		T(soft_forgets_a_translation_on_invlpg_and_cr3),
		T(soft_forgets_code_translations_too),
		T(soft_keeps_global_translations_over_cr3),
		T(soft_invlpg_covers_the_whole_large_page),
		T(soft_store_over_two_pages_is_all_or_nothing),
		T(soft_raises_gp_or_ss_for_non_canonical_addresses),
		T(soft_raises_ss_for_a_large_operand_through_the_stack_segment),
		T(soft_page_rights_hold_behind_the_walk_cache),
		T(soft_uses_no_memory_that_was_unmapped),
		T(soft_logs_each_written_page_again_after_each_sync),
		T(soft_traps_after_each_instruction_while_tf_is_set),
		T(soft_hits_code_and_data_breakpoints),
		T(soft_checks_alignment_for_users_that_ask),
		T(soft_checks_alignment_of_repeated_strings),
		T(a_non_canonical_address_is_refused_before_its_alignment),
		T(an_x87_store_that_stores_nothing_faults_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
