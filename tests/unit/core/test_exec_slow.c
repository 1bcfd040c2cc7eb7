/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_slow.c - the integer executor where memory is not plain: devices, read-only and absent
 * pages. What has been written, and in what order, when an instruction aborts. The functions of
 * x86/mem.h are defined here, over a guest of a few kinds of pages; nothing is ever in the TLB.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "x86/exec.h"

/* Pages by address: RAM, then device, then read-only, then absent. */
#define RAM_GVA 0x10000u
#define DEV_GVA 0x20000u
#define ROM_GVA 0x30000u /* page not writable */
#define PAGE	0x1000u

struct access {
	char kind; /* R, W: device; w: RAM store through the slow path */
	uint8_t locked;
	uint8_t size;
	uint64_t value;
};

static struct guest {
	struct x86_cpu c;
	uint8_t ram[3 * PAGE], rom[PAGE];
	uint64_t dev_value;
	struct access log[64];
	unsigned int accesses, bus_locks, io_calls;
	int eagain_at; /* device access number that must be served first; -1 none */
} g;

static struct x86_tlb_entry no_tlb[X86_TLB_ENTRIES];

static uint8_t *guest_byte(gva_t gva, bool write)
{
	if (gva >= RAM_GVA && gva < RAM_GVA + sizeof(g.ram))
		return g.ram + (gva - RAM_GVA);
	if (!write && gva >= ROM_GVA && gva < ROM_GVA + PAGE)
		return g.rom + (gva - ROM_GVA);
	return NULL;
}

static bool guest_is_dev(gva_t gva)
{
	return gva >= DEV_GVA && gva < DEV_GVA + PAGE;
}

static bool guest_check(struct x86_cpu *c, gva_t gva, unsigned int size, bool write)
{
	for (unsigned int k = 0; k < size; k++)
		if (!guest_is_dev(gva + k) && !guest_byte(gva + k, write)) {
			x86_raise_pf(c, gva + k, write ? X86_PFEC_W : 0);
			return false;
		}
	return true;
}

static bool guest_device(struct x86_cpu *c, char kind, unsigned int size, uint64_t value)
{
	if ((int)g.accesses == g.eagain_at) {
		g.eagain_at = -1;
		c->stop = X86_STOP_IO;
		return false;
	}
	g.log[g.accesses++ % HVM_ARRAY_SIZE(g.log)] =
		(struct access){ kind, (uint8_t)g.bus_locks, (uint8_t)size, value };
	return true;
}

bool x86_load_slow(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size)
{
	if (!guest_check(c, gva, size, false))
		return false;
	if (guest_is_dev(gva)) {
		memcpy(buf, &g.dev_value, size < 8 ? size : 8);
		return guest_device(c, 'R', size, g.dev_value);
	}
	for (unsigned int k = 0; k < size; k++)
		((uint8_t *)buf)[k] = *guest_byte(gva + k, false);
	return true;
}

bool x86_store_slow(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size)
{
	uint64_t value = 0;

	if (!guest_check(c, gva, size, true))
		return false;
	if (guest_is_dev(gva)) {
		memcpy(&value, buf, size < 8 ? size : 8);
		return guest_device(c, 'W', size, value);
	}
	for (unsigned int k = 0; k < size; k++)
		*guest_byte(gva + k, true) = ((const uint8_t *)buf)[k];
	return true;
}

bool x86_probe_w(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	return guest_check(c, gva, size, true);
}

bool x86_probe_r(struct x86_cpu *c, gva_t gva, unsigned int size)
{
	return guest_check(c, gva, size, false);
}

static void *guest_ptr(struct x86_cpu *c, gva_t gva, unsigned int size, bool write, bool *ret_fault)
{
	*ret_fault = !guest_check(c, gva, size, write);
	if (*ret_fault || guest_is_dev(gva) || (gva & (PAGE - 1)) + size > PAGE)
		return NULL;
	return guest_byte(gva, write);
}

void *x86_ptr_w_slow(struct x86_cpu *c, gva_t gva, unsigned int size, bool *ret_fault)
{
	return guest_ptr(c, gva, size, true, ret_fault);
}

const void *x86_ptr_r_slow(struct x86_cpu *c, gva_t gva, unsigned int size, bool *ret_fault)
{
	return guest_ptr(c, gva, size, false, ret_fault);
}

void x86_bus_lock(struct x86_cpu *c)
{
	(void)c;
	g.bus_locks++;
}

void x86_bus_unlock(struct x86_cpu *c)
{
	(void)c;
	g.bus_locks--;
}

bool x86_sys_load(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size)
{
	return x86_load_slow(c, gva, buf, size);
}

bool x86_sys_store(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size)
{
	return x86_store_slow(c, gva, buf, size);
}

bool x86_load_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, void *buf, unsigned int size)
{
	(void)cpl;
	return x86_load_slow(c, gva, buf, size);
}

bool x86_store_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, const void *buf,
		  unsigned int size)
{
	(void)cpl;
	return x86_store_slow(c, gva, buf, size);
}

bool x86_probe_w_as(struct x86_cpu *c, unsigned int cpl, gva_t gva, unsigned int size)
{
	(void)cpl;
	return x86_probe_w(c, gva, size);
}

static int port_read(void *arg, uint16_t port, unsigned int size, uint32_t *ret)
{
	(void)arg;
	(void)port;
	(void)size;
	g.io_calls++;
	*ret = 0x5a;
	return 0;
}

static int port_read_rep(void *arg, uint16_t port, unsigned int size, unsigned int count, void *buf)
{
	(void)arg;
	(void)port;
	g.io_calls++;
	memset(buf, 0x5a, (size_t)size * count);
	return (int)count;
}

static const struct x86_cpu_env port_env = { .pio_read = port_read, .pio_read_rep = port_read_rep };

static void guest_reset(enum x86_code_size code)
{
	memset(&g, 0, sizeof(g));
	g.eagain_at = -1;
	g.c.tlb_r = g.c.tlb_w = no_tlb;
	g.c.env = &port_env;
	g.c.mode = X86_MODE_PE | X86_MODE_FLAT | X86_MODE_FLAT_FSGS | (uint32_t)code |
		   (uint32_t)code << X86_MODE_SS_SHIFT | (code == X86_CODE64 ? X86_MODE_LMA : 0);
	for (unsigned int s = 0; s < HVM_SEG_COUNT; s++)
		g.c.seg[s] = (struct hvm_seg){ .limit = 0xffffffff, .ar = 0xc093 };
	g.c.gpr[X86_RSP] = RAM_GVA + 0x800;
	x86_put_rflags(&g.c, 2);
}

static int setup(void **state)
{
	(void)state;
	for (unsigned int e = 0; e < X86_TLB_ENTRIES; e++)
		no_tlb[e].tag = X86_TLB_INVALID | (uint64_t)(~e & (X86_TLB_ENTRIES - 1)) << 12;
	return x86_exec_init();
}

static int run_bytes(const uint8_t *bytes, size_t len)
{
	struct x86_insn i;

	assert_int_equal(x86_decode(bytes, len, x86_code_size(&g.c), &i), len);
	g.c.exc = (struct hvm_event){ 0 };
	g.c.stop = X86_STOP_NONE;
	return x86_exec_bind(&i)(&g.c, &i);
}
#define RUN(...) \
	run_bytes((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void assert_fault_at(int rc, unsigned int vector, gva_t cr2)
{
	assert_int_equal(rc, X86_ABORT);
	assert_int_equal(g.c.stop, X86_STOP_NONE);
	assert_int_equal(g.c.exc.vector, vector);
	if (vector == X86_PF)
		assert_int_equal(g.c.exc_cr2, cr2);
	assert_int_equal(g.bus_locks, 0);
}

static void assert_log(const char *kinds)
{
	assert_int_equal(g.accesses, strlen(kinds));
	for (unsigned int k = 0; k < g.accesses; k++)
		assert_int_equal(g.log[k].kind, kinds[k]);
}

/* -- read-modify-write ---------------------------------------------------------------------- */

static void a_device_is_read_then_written(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	g.c.gpr[X86_RDI] = DEV_GVA;
	g.c.gpr[X86_RAX] = 1;
	g.dev_value = 0xffffffff;
	assert_int_equal(RUN(0x01, 0x07), X86_NEXT); /* add [rdi], eax */
	assert_log("RW");
	assert_int_equal(g.log[1].value, 0);
	assert_int_equal(g.log[0].locked, 0);
	assert_int_equal(x86_get_rflags(&g.c) & X86_EFL_ARITH,
			 X86_EFL_CF | X86_EFL_ZF | X86_EFL_AF | X86_EFL_PF);
}

/* Each of these, cut short at its read or its write, must not have changed anything. */
static void an_abort_for_ioemu_changes_no_register_or_flag(void **state)
{
	static const uint8_t code[][5] = {
		{ 0x01, 0x07 },		    /* add [rdi], eax */
		{ 0xf0, 0x01, 0x07 },	    /* lock add */
		{ 0x87, 0x07 },		    /* xchg [rdi], eax */
		{ 0xf0, 0x0f, 0xc1, 0x07 }, /* lock xadd */
		{ 0x0f, 0xb1, 0x0f },	    /* cmpxchg [rdi], ecx */
		{ 0x0f, 0xc7, 0x0f },	    /* cmpxchg8b [rdi] */
		{ 0xd1, 0x27 },		    /* shl dword [rdi], 1 */
		{ 0x0f, 0xba, 0x2f, 0x03 }, /* bts dword [rdi], 3 */
		{ 0x11, 0x07 },		    /* adc */
		{ 0xff, 0x07 },		    /* inc */
	};
	static const uint8_t len[] = { 2, 3, 2, 4, 3, 3, 2, 4, 2, 2 };

	(void)state;
	for (size_t k = 0; k < HVM_ARRAY_SIZE(len); k++)
		for (int at = 0; at < 2; at++) {
			struct x86_cpu before;

			guest_reset(X86_CODE64);
			g.c.gpr[X86_RDI] = DEV_GVA;
			g.c.gpr[X86_RAX] = 0x80000001;
			g.c.gpr[X86_RCX] = 77;
			g.dev_value = 0x8000000080000001;
			x86_put_rflags(&g.c, X86_EFL_CF | X86_EFL_PF | 2);
			before = g.c;
			g.eagain_at = at;
			assert_int_equal(run_bytes(code[k], len[k]), X86_ABORT);
			assert_int_equal(g.c.stop, X86_STOP_IO);
			assert_int_equal(g.bus_locks, 0);
			assert_memory_equal(g.c.gpr, before.gpr, sizeof(before.gpr));
			assert_int_equal(g.c.arith, before.arith);
			assert_int_equal(run_bytes(code[k], len[k]), X86_NEXT);
		}
}

static void a_locked_device_access_holds_the_bus_lock(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	g.c.gpr[X86_RDI] = DEV_GVA;
	assert_int_equal(RUN(0xf0, 0x01, 0x07), X86_NEXT);
	assert_int_equal(RUN(0x87, 0x07), X86_NEXT); /* XCHG without the prefix */
	assert_log("RWRW");
	for (unsigned int k = 0; k < 4; k++)
		assert_int_equal(g.log[k].locked, 1);
	assert_int_equal(g.bus_locks, 0);
}

static void a_locked_access_across_pages_works_and_releases_the_lock(void **state)
{
	uint32_t v = 41;

	(void)state;
	guest_reset(X86_CODE64);
	memcpy(g.ram + PAGE - 2, &v, 4);
	g.c.gpr[X86_RDI] = RAM_GVA + PAGE - 2;
	assert_int_equal(RUN(0xf0, 0xff, 0x07), X86_NEXT); /* lock inc dword */
	memcpy(&v, g.ram + PAGE - 2, 4);
	assert_int_equal(v, 42);
	assert_int_equal(g.bus_locks, 0);
}

/* CMPXCHG writes its destination in any case, so a read-only page faults in any case. */
static void cmpxchg_faults_on_a_read_only_page_when_unequal(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	g.c.gpr[X86_RDI] = ROM_GVA + 8;
	g.c.gpr[X86_RAX] = 5;
	assert_fault_at(RUN(0x0f, 0xb1, 0x0f), X86_PF, ROM_GVA + 8);
	assert_int_equal(g.c.exc.error, X86_PFEC_W);
	assert_int_equal(g.c.gpr[X86_RAX], 5);
	assert_fault_at(RUN(0xd3, 0x27), X86_PF, ROM_GVA + 8); /* shl by zero */
}

static void a_bit_number_in_a_register_reaches_beyond_the_operand(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	g.c.gpr[X86_RDI] = RAM_GVA + PAGE;
	g.c.gpr[X86_RAX] = (uint64_t)-1;
	assert_int_equal(RUN(0x48, 0x0f, 0xab, 0x07), X86_NEXT); /* bts [rdi], rax */
	assert_int_equal(g.ram[PAGE - 1], 0x80);
	g.c.gpr[X86_RAX] = 8 * PAGE + 9;
	assert_int_equal(RUN(0x48, 0x0f, 0xab, 0x07), X86_NEXT);
	assert_int_equal(g.ram[2 * PAGE + 1], 2);
}

/* -- stack and control ------------------------------------------------------------------------ */

static void a_failed_stack_access_leaves_pointers_alone(void **state)
{
	static const uint8_t code[][5] = {
		{ 0x50 },	      /* push eax */
		{ 0x60 },	      /* pusha */
		{ 0xe8, 0, 1, 0, 0 }, /* call */
		{ 0xc8, 0x10, 0, 0 }, /* enter */
		{ 0x9c },	      /* pushf */
	};
	static const uint8_t len[] = { 1, 1, 5, 4, 1 };

	(void)state;
	for (size_t k = 0; k < HVM_ARRAY_SIZE(len); k++) {
		guest_reset(X86_CODE32);
		g.c.gpr[X86_RSP] = RAM_GVA;
		assert_fault_at(run_bytes(code[k], len[k]), X86_PF, RAM_GVA - 4);
		assert_int_equal(g.c.gpr[X86_RSP], RAM_GVA);
		assert_int_equal(g.c.x86_ip, 0);
	}
}

static void pusha_writes_nothing_when_its_last_slot_faults(void **state)
{
	(void)state;
	guest_reset(X86_CODE32);
	g.c.gpr[X86_RAX] = 0x1111;
	g.c.gpr[X86_RSP] = RAM_GVA + 28;
	assert_fault_at(RUN(0x60), X86_PF, RAM_GVA - 4);
	assert_int_equal(g.ram[24], 0);
}

static void pop_to_an_absent_page_restores_the_stack_pointer(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	assert_fault_at(RUN(0x8f, 0x04, 0x25, 0, 0, 0, 0x40), X86_PF, 0x40000000);
	assert_int_equal(g.c.gpr[X86_RSP], RAM_GVA + 0x800);
}

/* -- strings ---------------------------------------------------------------------------------- */

static void rep_stos_faults_after_the_last_whole_element(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	g.c.gpr[X86_RDI] = RAM_GVA + 3 * PAGE - 10; /* two elements, then one that crosses */
	g.c.gpr[X86_RCX] = 100;
	g.c.gpr[X86_RAX] = ~0ull;
	assert_fault_at(RUN(0xf3, 0xab), X86_PF, RAM_GVA + 3 * PAGE);
	assert_int_equal(g.c.gpr[X86_RDI], RAM_GVA + 3 * PAGE - 2);
	assert_int_equal(g.c.gpr[X86_RCX], 98);
	assert_int_equal(g.ram[3 * PAGE - 3], 0xff);
	assert_int_equal(g.ram[3 * PAGE - 2], 0);
}

static void rep_movs_to_a_device_goes_element_by_element_and_resumes(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	for (unsigned int k = 0; k < 16; k++)
		g.ram[k] = (uint8_t)k;
	g.c.gpr[X86_RSI] = RAM_GVA;
	g.c.gpr[X86_RDI] = DEV_GVA + 0x10;
	g.c.gpr[X86_RCX] = 4;
	g.eagain_at = 2;
	/*
	 * After each element of a device the instruction starts anew, so that what ioemu served for
	 * one element cannot answer the next.
	 */
	for (unsigned int left = 3; left >= 2; left--) {
		assert_int_equal(RUN(0xf3, 0xa5), X86_ABORT);
		assert_int_equal(g.c.stop, X86_STOP_RETRY);
		assert_int_equal(g.c.gpr[X86_RCX], left);
	}
	assert_int_equal(RUN(0xf3, 0xa5), X86_ABORT);
	assert_int_equal(g.c.stop, X86_STOP_IO);
	assert_int_equal(g.c.gpr[X86_RCX], 2);
	assert_int_equal(g.c.gpr[X86_RSI], RAM_GVA + 8);
	assert_int_equal(RUN(0xf3, 0xa5), X86_ABORT);
	assert_int_equal(g.c.stop, X86_STOP_RETRY);
	assert_int_equal(RUN(0xf3, 0xa5), X86_NEXT);
	assert_log("WWWW");
	assert_int_equal(g.log[3].value, 0x0f0e0d0c);
	assert_int_equal(g.c.gpr[X86_RDI], DEV_GVA + 0x20);
}

/* Intel SDM Vol 2B "REP": EFLAGS is as before the instruction when a compare faults. */
static void a_fault_in_repe_cmps_restores_the_flags(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	x86_put_rflags(&g.c, X86_EFL_SF | X86_EFL_CF | 2);
	g.c.gpr[X86_RSI] = RAM_GVA + 3 * PAGE - 2;
	g.c.gpr[X86_RDI] = RAM_GVA;
	g.c.gpr[X86_RCX] = 9;
	assert_fault_at(RUN(0xf3, 0xa6), X86_PF, RAM_GVA + 3 * PAGE);
	assert_int_equal(g.c.gpr[X86_RCX], 7);
	assert_int_equal(x86_get_rflags(&g.c), X86_EFL_SF | X86_EFL_CF | 2);
}

static void ins_faults_before_the_device_is_read(void **state)
{
	(void)state;
	guest_reset(X86_CODE64);
	g.c.gpr[X86_RDI] = ROM_GVA;
	assert_fault_at(RUN(0x6c), X86_PF, ROM_GVA);
	g.c.gpr[X86_RCX] = 10;
	assert_fault_at(RUN(0xf3, 0x6c), X86_PF, ROM_GVA);
	assert_int_equal(g.io_calls, 0);
	assert_int_equal(g.c.gpr[X86_RCX], 10);
}

/* -- I/O permission bitmap ----------------------------------------------------------------------
 */

static void the_bitmap_decides_port_by_port(void **state)
{
	static const struct {
		uint8_t bits0, bits1; /* of ports 0x3f0-0x3f7, 0x3f8-0x3ff */
		uint16_t port, limit;
		uint8_t code[2], len;
		bool ok;
	} rows[] = {
		{ 0, 0, 0x3f8, 0xff, { 0xec }, 1, true },
		{ 0, 1, 0x3f8, 0xff, { 0xec }, 1, false },
		{ 0, 2, 0x3f8, 0xff, { 0xec }, 1, true },
		{ 0, 2, 0x3f8, 0xff, { 0x66, 0xed }, 2, false }, /* the second byte's port */
		{ 0, 1, 0x3f7, 0xff, { 0x66, 0xed }, 2, false }, /* in the next byte of bits */
		{ 0x40, 0, 0x3f7, 0xff, { 0xed }, 1, true },
		{ 0, 4, 0x3f7, 0xff, { 0xed }, 1, false },
		{ 0, 0, 0x3f8, 0x68 + 0x80, { 0xec }, 1, true },
		{ 0, 0, 0x3f8, 0x68 + 0x7f, { 0xec }, 1, false }, /* both bytes within the limit */
	};

	(void)state;
	for (size_t k = 0; k < HVM_ARRAY_SIZE(rows); k++) {
		int rc;

		guest_reset(X86_CODE32);
		g.c.cpl = 3;
		g.c.mode |= 3 << X86_MODE_CPL_SHIFT;
		g.c.seg[HVM_SEG_TR] =
			(struct hvm_seg){ .base = RAM_GVA, .limit = rows[k].limit, .ar = 0x8b };
		g.ram[0x66] = 0x68;
		g.ram[0x68 + 0x7e] = rows[k].bits0;
		g.ram[0x68 + 0x7f] = rows[k].bits1;
		g.c.gpr[X86_RDX] = rows[k].port;
		rc = run_bytes(rows[k].code, rows[k].len);
		if ((rc == X86_NEXT) != rows[k].ok)
			fail_msg("row %zu", k);
		if (!rows[k].ok)
			assert_int_equal(g.c.exc.vector, X86_GP);
	}
}

static void arpl_writes_only_what_it_changes(void **state)
{
	(void)state;
	guest_reset(X86_CODE32);
	g.rom[0] = 3;
	g.c.gpr[X86_RDI] = ROM_GVA;
	g.c.gpr[X86_RBX] = 2;
	assert_int_equal(RUN(0x63, 0x1f), X86_NEXT); /* arpl [edi], bx: 3 is no less than 2 */
	assert_false(x86_get_rflags(&g.c) & X86_EFL_ZF);
	g.rom[0] = 1;
	assert_fault_at(RUN(0x63, 0x1f), X86_PF, ROM_GVA);
	assert_int_equal(g.c.exc.error, X86_PFEC_W);
	g.c.gpr[X86_RDI] = DEV_GVA;
	g.dev_value = 0x1230;
	assert_int_equal(RUN(0x63, 0x1f), X86_NEXT);
	assert_log("RW");
	assert_int_equal(g.log[1].value, 0x1232);
}

static void bound_reads_its_bounds_one_by_one(void **state)
{
	(void)state;
	guest_reset(X86_CODE32);
	g.c.gpr[X86_RDI] = DEV_GVA;
	g.c.gpr[X86_RAX] = 0xffff8001;
	g.dev_value = 0x8001;
	assert_int_equal(RUN(0x66, 0x62, 0x07), X86_NEXT); /* bound ax, [edi]: both -32767 */
	assert_log("RR");
	assert_int_equal(g.log[0].size, 2);
	assert_int_equal(g.log[1].size, 2);
	g.c.gpr[X86_RAX] = 0;
	assert_fault_at(RUN(0x66, 0x62, 0x07), X86_BR, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_read_then_written),
		cmocka_unit_test(an_abort_for_ioemu_changes_no_register_or_flag),
		cmocka_unit_test(a_locked_device_access_holds_the_bus_lock),
		cmocka_unit_test(a_locked_access_across_pages_works_and_releases_the_lock),
		cmocka_unit_test(cmpxchg_faults_on_a_read_only_page_when_unequal),
		cmocka_unit_test(a_bit_number_in_a_register_reaches_beyond_the_operand),
		cmocka_unit_test(a_failed_stack_access_leaves_pointers_alone),
		cmocka_unit_test(pusha_writes_nothing_when_its_last_slot_faults),
		cmocka_unit_test(pop_to_an_absent_page_restores_the_stack_pointer),
		cmocka_unit_test(rep_stos_faults_after_the_last_whole_element),
		cmocka_unit_test(rep_movs_to_a_device_goes_element_by_element_and_resumes),
		cmocka_unit_test(a_fault_in_repe_cmps_restores_the_flags),
		cmocka_unit_test(ins_faults_before_the_device_is_read),
		cmocka_unit_test(the_bitmap_decides_port_by_port),
		cmocka_unit_test(arpl_writes_only_what_it_changes),
		cmocka_unit_test(bound_reads_its_bounds_one_by_one),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
