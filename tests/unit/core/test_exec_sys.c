/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_sys.c - control, debug and model-specific registers, system calls, STAC and CLAC.
 * Source: Intel SDM Vol 3A ch. 2, 9.8.5; Vol 2 of each instruction.
 */
#include "sys_machine.h"

static struct machine m;

static int mov_cr(unsigned int cr, uint64_t value)
{
	m.c.gpr[X86_RBX] = value;
	return m_exec(&m, (struct x86_insn){ .op = X86_OP_MOV_TO_CR,
					     .form = X86_FORM_RR,
					     .osize = 2,
					     .dst = (uint8_t)cr,
					     .src = X86_RBX });
}

static int mov_dr(unsigned int dr, uint64_t value)
{
	m.c.gpr[X86_RBX] = value;
	return m_exec(&m, (struct x86_insn){ .op = X86_OP_MOV_TO_DR,
					     .form = X86_FORM_RR,
					     .osize = 2,
					     .dst = (uint8_t)dr,
					     .src = X86_RBX });
}

static int wrmsr(uint32_t index, uint64_t value)
{
	m.c.gpr[X86_RCX] = index;
	m.c.gpr[X86_RAX] = (uint32_t)value;
	m.c.gpr[X86_RDX] = value >> 32;
	return m_exec(&m, (struct x86_insn){ .op = X86_OP_WRMSR });
}

static int plain(unsigned int op)
{
	return m_exec(&m, (struct x86_insn){ .op = (uint16_t)op });
}

static int sized(unsigned int op, unsigned int osize)
{
	return m_exec(&m, (struct x86_insn){ .op = (uint16_t)op, .osize = (uint8_t)osize });
}

/* -- into and out of long mode ----------------------------------------------------------------- */

static void the_way_to_long_mode_and_back(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	assert_int_equal(wrmsr(0xc0000080, X86_EFER_LME), X86_END);
	m_expect_fault(&m, mov_cr(0, 0x80000011), X86_GP, 0, "PAE first");
	assert_int_equal(mov_cr(4, X86_CR4_PAE), X86_END);
	m_load(&m, HVM_SEG_CS, S_CODE64);
	m_expect_fault(&m, mov_cr(0, 0x80000011), X86_GP, 0, "CS.L");
	m_load(&m, HVM_SEG_CS, S_CODE0);
	m.c.seg[HVM_SEG_TR].ar = 0x83;
	m_expect_fault(&m, mov_cr(0, 0x80000011), X86_GP, 0, "16-bit TSS");
	m_load(&m, HVM_SEG_TR, S_TSS);
	assert_int_equal(mov_cr(0, 0x80000011), X86_END);
	assert_int_equal(m.c.efer, X86_EFER_LME | X86_EFER_LMA);
	assert_true(m.c.mode & X86_MODE_LMA);
	assert_int_equal(x86_code_size(&m.c), X86_CODE32);
	assert_int_not_equal(m.global_flushes, 0);

	m_expect_fault(&m, wrmsr(0xc0000080, 0), X86_GP, 0, "LME while paging");
	m_expect_fault(&m, mov_cr(4, 0), X86_GP, 0, "PAE in long mode");
	m_load(&m, HVM_SEG_CS, S_CODE64);
	x86_update_mode(&m.c);
	m_expect_fault(&m, mov_cr(0, 0x11), X86_GP, 0, "PG off in 64-bit mode");
	m_load(&m, HVM_SEG_CS, S_CODE0);
	x86_update_mode(&m.c);
	assert_int_equal(mov_cr(0, 0x11), X86_END);
	assert_int_equal(m.c.efer, X86_EFER_LME);
}

static void real_to_protected_and_back(void **state)
{
	(void)state;
	m_make(&m, REAL, 0);
	assert_int_equal(mov_cr(0, 0x1), X86_END);
	assert_int_equal(m.c.cr0, 0x11); /* ET is always set */
	assert_true(m.c.mode & X86_MODE_PE);
	assert_int_equal(x86_code_size(&m.c), X86_CODE16);
	m.c.gpr[X86_RBX] = 0xe;
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_LMSW,
						       .form = X86_FORM_R,
						       .osize = 1,
						       .dst = X86_RBX }),
			 X86_END);
	assert_int_equal(m.c.cr0, 0x1f); /* LMSW does not clear PE */
	assert_int_equal(mov_cr(0, 0), X86_END);
	assert_false(m.c.mode & X86_MODE_PE);
}

static void control_registers_refuse_what_is_illegal(void **state)
{
	static const struct {
		const char *fact;
		enum machine_kind kind;
		unsigned int cpl, cr;
		uint64_t value;
	} rows[] = {
		{ "ring 3", PROT, 3, 0, 0x11 },
		{ "VM86", VM86, 3, 3, 0 },
		{ "PG without PE", PROT, 0, 0, 0x80000010 },
		{ "NW without CD", PROT, 0, 0, 0x20000011 },
		{ "upper half of CR0", LONG, 0, 0, 0x180000011ull },
		{ "reserved bit of CR4", PROT, 0, 4, 1u << 12 },
		{ "VME is not offered", PROT, 0, 4, 1 },
		{ "upper half of CR4", LONG, 0, 4, 1ull << 32 | X86_CR4_PAE },
		{ "PCIDE outside long mode", PROT, 0, 4, X86_CR4_PCIDE },
		{ "CR3 beyond MAXPHYADDR", LONG, 0, 3, 1ull << 40 },
		{ "CR3 bit 63 without PCIDE", LONG, 0, 3, 1ull << 63 },
		{ "CR8 has four bits", LONG, 0, 8, 16 },
	};

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		m_make(&m, rows[n].kind, rows[n].cpl);
		m_expect_fault(&m, mov_cr(rows[n].cr, rows[n].value), X86_GP, 0, rows[n].fact);
		assert_int_equal(m.flushes, 0);
	}
}

static void cr3_flushes_and_pcids(void **state)
{
	(void)state;
	m_make(&m, LONG, 0);
	assert_int_equal(mov_cr(3, 0x5001), X86_END);
	assert_int_equal(m.flushes, 1);
	assert_int_equal(m.global_flushes, 0);
	m_expect_fault(&m, mov_cr(4, X86_CR4_PAE | X86_CR4_PCIDE), X86_GP, 0, "PCID in CR3");
	assert_int_equal(mov_cr(3, 0x5000), X86_END);
	assert_int_equal(mov_cr(4, X86_CR4_PAE | X86_CR4_PCIDE), X86_END);
	m_expect_fault(&m, mov_cr(0, 0x11), X86_GP, 0, "PG off");
	m.flushes = 0;
	assert_int_equal(mov_cr(3, 1ull << 63 | 0x7003), X86_END);
	assert_int_equal(m.c.cr3, 0x7003);
	assert_int_equal(m.flushes, 1);
	/* The same table and PCID, not to be flushed. */
	assert_int_equal(mov_cr(3, 1ull << 63 | 0x7003), X86_END);
	assert_int_equal(m.flushes, 1);
}

static void changes_of_cr4_that_matter_flush_all(void **state)
{
	static const uint64_t bits[] = { X86_CR4_PGE, X86_CR4_PSE, X86_CR4_SMEP, X86_CR4_SMAP };

	(void)state;
	for (size_t n = 0; n < HVM_ARRAY_SIZE(bits); n++) {
		m_make(&m, LONG, 0);
		assert_int_equal(mov_cr(4, X86_CR4_PAE | bits[n]), X86_END);
		assert_int_equal(m.global_flushes, 1);
		assert_int_equal(mov_cr(4, X86_CR4_PAE), X86_END);
		assert_int_equal(m.global_flushes, 2);
	}
	assert_int_equal(mov_cr(4, X86_CR4_PAE | X86_CR4_OSFXSR), X86_END);
	assert_int_equal(m.global_flushes, 2);
}

static void pae_paging_loads_and_checks_its_pdptes(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	for (unsigned int n = 0; n < 4; n++)
		m_put64(&m, 0x7020 + n * 8, 0x8001 + n * 0x1000);
	assert_int_equal(mov_cr(4, X86_CR4_PAE), X86_END);
	assert_int_equal(mov_cr(3, 0x7020), X86_END);
	assert_int_equal(m.c.pdpte[2], 0);
	assert_int_equal(mov_cr(0, 0x80000011), X86_END);
	assert_int_equal(m.c.pdpte[2], 0xa001);
	m_put64(&m, 0x7128, 0x8003); /* writable: reserved here */
	m_expect_fault(&m, mov_cr(3, 0x7120), X86_GP, 0, "reserved bit");
	assert_int_equal(m.c.cr3, 0x7020);
	m_put64(&m, 0x7128, 0x8002); /* not present: nothing is reserved */
	assert_int_equal(mov_cr(3, 0x7120), X86_END);
}

static void clts_and_smsw(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	assert_int_equal(plain(X86_OP_CLTS), X86_NEXT);
	m.c.cr0 |= X86_CR0_TS;
	x86_update_mode(&m.c);
	assert_int_equal(plain(X86_OP_CLTS), X86_END);
	assert_false(m.c.mode & X86_MODE_NO_FPU);
	m_make(&m, PROT, 3);
	m.c.cr4 |= X86_CR4_UMIP;
	m_expect_fault(&m, m_exec(&m, (struct x86_insn){ .op = X86_OP_SMSW, .form = X86_FORM_R }),
		       X86_GP, 0, "UMIP");
}

/* -- invalidation ------------------------------------------------------------------------------ */

static void invlpg_and_invpcid(void **state)
{
	struct x86_insn i = { .op = X86_OP_INVPCID,
			      .form = X86_FORM_RM,
			      .osize = 3,
			      .asize = 3,
			      .dst = X86_RBX,
			      M_MEM };

	(void)state;
	m_make(&m, LONG, 0);
	assert_int_equal(m_exec(&m, (struct x86_insn){ .op = X86_OP_INVLPG,
						       .form = X86_FORM_M,
						       .asize = 3,
						       M_MEM }),
			 X86_END);
	assert_int_equal(m.flushed_page, M_DATA);
	m.c.gpr[X86_RBX] = 0;
	m_put64(&m, M_DATA, 0);
	m_put64(&m, M_DATA + 8, 0xffff800000001000ull);
	assert_int_equal(m_exec(&m, i), X86_END);
	assert_true(m.flushed_page == 0xffff800000001000ull);
	m_put64(&m, M_DATA, 1);
	m_expect_fault(&m, m_exec(&m, i), X86_GP, 0, "PCID without CR4.PCIDE");
	m.c.gpr[X86_RBX] = 4;
	m_expect_fault(&m, m_exec(&m, i), X86_GP, 0, "type 4");
	m.c.gpr[X86_RBX] = 3;
	assert_int_equal(m_exec(&m, i), X86_END);
	assert_int_equal(m.flushes, 1);
	assert_int_equal(m.global_flushes, 0);
	m.c.gpr[X86_RBX] = 2;
	assert_int_equal(m_exec(&m, i), X86_END);
	assert_int_equal(m.global_flushes, 1);
	m.features7_ebx = 0;
	m_expect_fault(&m, m_exec(&m, i), X86_UD, 0, "not offered");
}

/* -- debug registers --------------------------------------------------------------------------- */

static void debug_registers(void **state)
{
	(void)state;
	m_make(&m, PROT, 0);
	assert_int_equal(mov_dr(7, 0xffffffff & ~(1u << 13)), X86_END);
	assert_int_equal(m.c.dr7, 0xffff07ff & ~0x0800u);
	assert_int_equal(mov_dr(6, 0), X86_END);
	assert_int_equal(m.c.dr6, 0xffff0ff0);
	assert_int_equal(mov_dr(5, 0), X86_END); /* DR7 by its other name */
	assert_int_equal(m.c.dr7, 0x400);
	m.c.cr4 |= X86_CR4_DE;
	m_expect_fault(&m, mov_dr(5, 0), X86_UD, 0, "CR4.DE");
	assert_int_equal(mov_dr(7, 1u << 13), X86_END);
	m_expect_fault(&m, mov_dr(0, 0), X86_DB, 0, "DR7.GD");
	assert_int_equal(m.c.exc_dr6, 1u << 13);
	m_make(&m, LONG, 0);
	m_expect_fault(&m, mov_dr(7, 1ull << 32), X86_GP, 0, "upper half");
	m_make(&m, PROT, 3);
	m_expect_fault(&m, mov_dr(0, 0), X86_GP, 0, "ring 3");
}

/* -- model-specific registers ------------------------------------------------------------------ */

static void msrs_check_what_is_written(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t good, bad;
	} rows[] = {
		{ 0xc0000100, 0x7fffffffffffull, 0x800000000000ull },
		{ 0xc0000101, 0xffff800000000000ull, 0x7fff800000000000ull },
		{ 0xc0000102, 0xffff800000000000ull, 0x7fff800000000000ull },
		{ 0xc0000103, 0xffffffff, 0x100000000ull },
		{ 0xc0000082, 0xffffffff81000000ull, 0x0000ffff81000000ull },
		{ 0xc0000083, 0, 0x0000ffff81000000ull },
		{ 0xc0000084, 0x47700, 0x100000000ull },
		{ 0x175, 0xffffffff81000000ull, 0x0000ffff81000000ull },
		{ 0xc0000080, X86_EFER_SCE | X86_EFER_LME | X86_EFER_NXE | X86_EFER_LMA, 2 },
	};

	(void)state;
	m_make(&m, LONG, 0);
	for (size_t n = 0; n < HVM_ARRAY_SIZE(rows); n++) {
		assert_int_not_equal(wrmsr(rows[n].index, rows[n].good), X86_ABORT);
		m_expect_fault(&m, wrmsr(rows[n].index, rows[n].bad), X86_GP, 0, "bad value");
		m.c.gpr[X86_RCX] = rows[n].index;
		assert_int_equal(plain(X86_OP_RDMSR), X86_NEXT);
		assert_true((m.c.gpr[X86_RAX] | m.c.gpr[X86_RDX] << 32) == rows[n].good);
	}
	/* The core's. */
	assert_int_equal(wrmsr(0x10, 0x123456789abcull), X86_END);
	assert_true(m.msr_value == 0x123456789abcull);
	m_expect_fault(&m, wrmsr(0x11, 0), X86_GP, 0, "unknown");
	m_make(&m, LONG, 3);
	m_expect_fault(&m, wrmsr(0x10, 0), X86_GP, 0, "ring 3");
}

/* -- system calls
 * -------------------------------------------------------------------------------------------------
 */

static void set_star(void)
{
	m.c.star = (uint64_t)(0x30 | 3) << 48 | (uint64_t)0x38 << 32;
	m.c.lstar = 0xffffffff81000000ull;
	m.c.cstar = 0xffffffff82000000ull;
	m.c.sfmask = X86_EFL_IF | X86_EFL_DF | X86_EFL_TF | X86_EFL_AC;
}

static void syscall_and_sysret_of_64_bits(void **state)
{
	(void)state;
	m_make(&m, LONG, 3);
	set_star();
	x86_put_rflags(&m.c, 2 | X86_EFL_IF | X86_EFL_DF | X86_EFL_ZF);
	assert_int_equal(plain(X86_OP_SYSCALL), X86_BRANCH);
	assert_true(m.c.x86_ip == 0xffffffff81000000ull);
	assert_int_equal(m.c.gpr[X86_RCX], M_IP + 2);
	assert_int_equal(m.c.gpr[11], 2 | X86_EFL_IF | X86_EFL_DF | X86_EFL_ZF);
	assert_int_equal(x86_get_rflags(&m.c), 2 | X86_EFL_ZF);
	assert_int_equal(m.c.cpl, 0);
	assert_int_equal(m.c.seg[HVM_SEG_CS].sel, 0x38);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, 0x40);
	assert_int_equal(m.c.gpr[X86_RSP], M_SP); /* the kernel's business */
	assert_ptr_equal(m.c.tlb_r, m.tlb.r[X86_TLB_KERNEL]);

	assert_int_equal(sized(X86_OP_SYSRET, 3), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, M_IP + 2);
	assert_int_equal(m.c.cpl, 3);
	assert_int_equal(m.c.seg[HVM_SEG_CS].sel, 0x43);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, 0x3b);
	assert_int_equal(x86_get_rflags(&m.c), 2 | X86_EFL_IF | X86_EFL_DF | X86_EFL_ZF);
	assert_true(x86_is_code64(&m.c));
	assert_ptr_equal(m.c.tlb_w, m.tlb.w[X86_TLB_USER]);
}

static void syscall_of_compatibility_mode(void **state)
{
	(void)state;
	m_make(&m, COMPAT, 3);
	set_star();
	assert_int_equal(plain(X86_OP_SYSCALL), X86_BRANCH);
	assert_true(m.c.x86_ip == 0xffffffff82000000ull);
	assert_true(x86_is_code64(&m.c));
	assert_int_equal(sized(X86_OP_SYSRET, 2), X86_BRANCH);
	assert_int_equal(x86_code_size(&m.c), X86_CODE32);
	assert_int_equal(m.c.seg[HVM_SEG_CS].sel, 0x33);
}

static void syscall_and_sysret_refuse(void **state)
{
	(void)state;
	m_make(&m, LONG, 3);
	m.c.efer &= ~(uint64_t)X86_EFER_SCE;
	m_expect_fault(&m, plain(X86_OP_SYSCALL), X86_UD, 0, "SCE");
	m_make(&m, REAL, 0);
	m.c.efer |= X86_EFER_SCE;
	m_expect_fault(&m, plain(X86_OP_SYSCALL), X86_UD, 0, "real mode");
	m_make(&m, LONG, 3);
	m_expect_fault(&m, sized(X86_OP_SYSRET, 3), X86_GP, 0, "ring 3");
	m_make(&m, LONG, 0);
	m.c.gpr[X86_RCX] = 1ull << 47;
	m_expect_fault(&m, sized(X86_OP_SYSRET, 3), X86_GP, 0, "canonical");
	assert_int_equal(m.c.cpl, 0);
}

static void sysenter_and_sysexit(void **state)
{
	(void)state;
	m_make(&m, PROT, 3);
	m_expect_fault(&m, plain(X86_OP_SYSENTER), X86_GP, 0, "null CS");
	m.c.sysenter_cs = 0x60;
	m.c.sysenter_esp = M_STACK0;
	m.c.sysenter_eip = 0x7777;
	assert_int_equal(plain(X86_OP_SYSENTER), X86_BRANCH);
	assert_int_equal(m.c.x86_ip, 0x7777);
	assert_int_equal(m.c.gpr[X86_RSP], M_STACK0);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, 0x68);
	assert_int_equal(m.c.cpl, 0);
	assert_int_equal(x86_get_rflags(&m.c), 2);
	m.c.gpr[X86_RCX] = M_STACK3;
	m.c.gpr[X86_RDX] = M_IP;
	assert_int_equal(sized(X86_OP_SYSEXIT, 2), X86_BRANCH);
	assert_int_equal(m.c.seg[HVM_SEG_CS].sel, 0x73);
	assert_int_equal(m.c.seg[HVM_SEG_SS].sel, 0x7b);
	assert_int_equal(m.c.cpl, 3);
	m_expect_fault(&m, sized(X86_OP_SYSEXIT, 2), X86_GP, 0, "ring 3");
}

static void swapgs(void **state)
{
	(void)state;
	m_make(&m, LONG, 0);
	m.c.seg[HVM_SEG_GS].base = 1;
	m.c.kernel_gs_base = 2;
	assert_int_equal(plain(X86_OP_SWAPGS), X86_NEXT);
	assert_int_equal(m.c.seg[HVM_SEG_GS].base, 2);
	assert_int_equal(m.c.kernel_gs_base, 1);
	m_make(&m, LONG, 3);
	m_expect_fault(&m, plain(X86_OP_SWAPGS), X86_GP, 0, "ring 3");
	m_make(&m, COMPAT, 0);
	m_expect_fault(&m, plain(X86_OP_SWAPGS), X86_UD, 0, "compatibility mode");
}

/* -- the rest
 * -------------------------------------------------------------------------------------------------------
 */

static void stac_and_clac_switch_the_tlb_context(void **state)
{
	uint32_t mode;

	(void)state;
	m_make(&m, LONG, 0);
	m.c.cr4 |= X86_CR4_SMAP;
	x86_update_mode(&m.c);
	mode = m.c.mode;
	assert_int_equal(plain(X86_OP_STAC), X86_NEXT);
	assert_ptr_equal(m.c.tlb_r, m.tlb.r[X86_TLB_KERNEL_AC]);
	assert_true(x86_get_rflags(&m.c) & X86_EFL_AC);
	assert_int_equal(m.c.mode, mode);
	assert_int_equal(plain(X86_OP_CLAC), X86_NEXT);
	assert_ptr_equal(m.c.tlb_w, m.tlb.w[X86_TLB_KERNEL]);
	m_make(&m, LONG, 3);
	m_expect_fault(&m, plain(X86_OP_STAC), X86_UD, 0, "ring 3");
	m_make(&m, LONG, 0);
	m.features7_ebx = 0;
	m_expect_fault(&m, plain(X86_OP_STAC), X86_UD, 0, "not offered");
}

static void xcr0_keeps_x87_and_refuses_what_is_not_there(void **state)
{
	(void)state;
	m_make(&m, LONG, 0);
	m.c.gpr[X86_RAX] = 3;
	m_expect_fault(&m, plain(X86_OP_XSETBV), X86_UD, 0, "CR4.OSXSAVE");
	m.c.cr4 |= X86_CR4_OSXSAVE;
	assert_int_equal(plain(X86_OP_XSETBV), X86_END);
	assert_int_equal(m.c.xcr0, 3);
	m.c.gpr[X86_RAX] = 2;
	m_expect_fault(&m, plain(X86_OP_XSETBV), X86_GP, 0, "without x87");
	m.c.gpr[X86_RAX] = 7;
	m_expect_fault(&m, plain(X86_OP_XSETBV), X86_GP, 0, "AVX");
	assert_int_equal(plain(X86_OP_XGETBV), X86_NEXT);
	assert_int_equal(m.c.gpr[X86_RAX], 3);
}

static void privileged_and_absent_instructions(void **state)
{
	static const uint16_t privileged[] = { X86_OP_HLT, X86_OP_WBINVD, X86_OP_INVD, X86_OP_CLTS,
					       X86_OP_RDMSR };
	static const uint16_t absent[] = { X86_OP_MONITOR, X86_OP_MWAIT, X86_OP_RSM,
					   X86_OP_VMCALL };

	(void)state;
	m_make(&m, LONG, 3);
	for (size_t n = 0; n < HVM_ARRAY_SIZE(privileged); n++)
		m_expect_fault(&m, plain(privileged[n]), X86_GP, 0, "ring 3");
	m_make(&m, LONG, 0);
	for (size_t n = 0; n < HVM_ARRAY_SIZE(absent); n++)
		m_expect_fault(&m, plain(absent[n]), X86_UD, 0, "not there");
	assert_int_equal(plain(X86_OP_HLT), X86_HALT);
	assert_int_equal(m.c.activity, HVM_ACTIVITY_HLT);
}

static void time_stamps_obey_tsd(void **state)
{
	(void)state;
	m_make(&m, LONG, 3);
	m.c.tsc_aux = 5;
	assert_int_equal(plain(X86_OP_RDTSCP), X86_NEXT);
	assert_int_equal(m.c.gpr[X86_RAX], 0x55667788);
	assert_int_equal(m.c.gpr[X86_RDX], 0x11223344);
	assert_int_equal(m.c.gpr[X86_RCX], 5);
	m.c.cr4 |= X86_CR4_TSD;
	m_expect_fault(&m, plain(X86_OP_RDTSC), X86_GP, 0, "TSD");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_to_long_mode_and_back),
		cmocka_unit_test(real_to_protected_and_back),
		cmocka_unit_test(control_registers_refuse_what_is_illegal),
		cmocka_unit_test(cr3_flushes_and_pcids),
		cmocka_unit_test(changes_of_cr4_that_matter_flush_all),
		cmocka_unit_test(pae_paging_loads_and_checks_its_pdptes),
		cmocka_unit_test(clts_and_smsw),
		cmocka_unit_test(invlpg_and_invpcid),
		cmocka_unit_test(debug_registers),
		cmocka_unit_test(msrs_check_what_is_written),
		cmocka_unit_test(syscall_and_sysret_of_64_bits),
		cmocka_unit_test(syscall_of_compatibility_mode),
		cmocka_unit_test(syscall_and_sysret_refuse),
		cmocka_unit_test(sysenter_and_sysexit),
		cmocka_unit_test(swapgs),
		cmocka_unit_test(stac_and_clac_switch_the_tlb_context),
		cmocka_unit_test(xcr0_keeps_x87_and_refuses_what_is_not_there),
		cmocka_unit_test(privileged_and_absent_instructions),
		cmocka_unit_test(time_stamps_obey_tsd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
