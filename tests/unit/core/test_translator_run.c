/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_translator_run.c - whole programs, translated and interpreted: random blocks in four pages
 * that jump, call and return among one another, directly, by tables and across pages, pass flags
 * over their ends, change each other's code, and reload CR3 on the way, while x87 state goes from
 * block to block. What is left at the end must be the same: registers, flags, memory, code.
 *
 * HVM_TRANSLATOR_PROGRAMS: how many (1,500); HVM_TRANSLATOR_SEED: where to start.
 */
#include "soft_guest.h"

#include "lib/lib_ops.h"
#include "native_state.h"
#include "soft/translator/block.h"

#define PROGRAMS_DEFAULT 1500ull
#define SEED_DEFAULT	 0x2545f4914f6cdd1dull
#define RUNS_A_PROGRAM	 3u

#define CODE_PAGES 4u
#define CODE_BYTES (CODE_PAGES * 4096u)
#define DATA	   0x60000u
#define DATA_BYTES 0x3000u
#define BLOCKS	   24u
#define BLOCK_ROOM (CODE_BYTES / BLOCKS)
#define PATCHABLE  16u
#define FUEL	   4000u
#define R_BASE	   5u  /* data pointer */
#define R_TABLE	   14u /* of block addresses */
#define R_FUEL	   15u
#define END	   (GUEST_CODE + CODE_BYTES)

static struct {
	struct guest guest;
	struct soft_vcpu *sv;
	uint8_t code[CODE_BYTES + 64];
	uint8_t *p;
	uint32_t block[BLOCKS]; /* addresses */
	uint32_t patch[PATCHABLE];
	unsigned int patches;
	struct native_state regs[2];
	struct x86_fpu fpu[2];
	uint8_t ram[2][CODE_BYTES + DATA_BYTES];
} t;

/* -- a small assembler --------------------------------------------------------------------- */

static void put(unsigned int count, ...)
{
	va_list ap;

	va_start(ap, count);
	while (count--)
		*t.p++ = (uint8_t)va_arg(ap, int);
	va_end(ap);
}

static void put32(uint32_t v)
{
	memcpy(t.p, &v, 4);
	t.p += 4;
}

static uint32_t here(void)
{
	return GUEST_CODE + (uint32_t)(t.p - t.code);
}

/* Registers that programs may do anything with. */
static unsigned int any_reg(void)
{
	static const uint8_t regs[] = { 0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13 };

	return regs[native_pick(sizeof(regs))];
}

/* opcode reg, rm of a random operand size; opcode is that of bytes. */
static void op_rr(unsigned int opcode, unsigned int reg, unsigned int rm)
{
	unsigned int size = native_pick(4);

	if (size == 1)
		put(1, 0x66);
	put(3, 0x40 | (size == 3 ? 8 : 0) | (reg >> 3) << 2 | rm >> 3, opcode | (size ? 1 : 0),
	    0xc0 | (reg & 7) << 3 | (rm & 7));
}

static void op_mem(unsigned int opcode, unsigned int reg, bool lock)
{
	unsigned int size = native_pick(4);
	uint32_t disp = native_pick(8) ? native_pick(DATA_BYTES - 8) & ~7u
				       : 0xff8u + native_pick(8);

	/* Locked across lines would be slow, or split. */
	if (lock) {
		disp &= ~7u;
		put(1, 0xf0);
	}
	if (size == 1)
		put(1, 0x66);
	put(1, 0x40 | (size == 3 ? 8 : 0) | (reg >> 3) << 2);
	if (opcode > 0xff)
		put(1, 0x0f);
	put(2, (opcode & 0xff) | (size ? 1 : 0), 0x80 | (reg & 7) << 3 | R_BASE);
	put32(disp);
}

static void jump_to(unsigned int opcode, uint32_t to)
{
	if (opcode > 0xff)
		put(1, 0x0f);
	put(1, opcode & 0xff);
	put32(to - here() - 4);
}

/* -- random instructions ------------------------------------------------------------------- */

static void insn_alu(void)
{
	static const uint8_t ops[] = { 0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x84, 0x88 };

	op_rr(ops[native_pick(sizeof(ops))], any_reg(), any_reg());
}

static void insn_alu_mem(void)
{
	static const uint8_t ops[] = { 0x00, 0x02, 0x10, 0x12, 0x18, 0x1a, 0x20,
				       0x28, 0x2a, 0x38, 0x3a, 0x88, 0x8a, 0x8a };

	op_mem(ops[native_pick(sizeof(ops))], any_reg(), false);
}

static void insn_locked(void)
{
	static const uint16_t ops[] = { 0x00, 0x28, 0x30, 0x1c0, 0x1b0, 0x86 };

	op_mem(ops[native_pick(HVM_ARRAY_SIZE(ops))], any_reg(), true);
}

static void insn_imm(void)
{
	unsigned int r = any_reg();

	put(4, 0x48 | r >> 3, 0x83, 0xc0 | native_pick(8) << 3 | (r & 7), native_pick(256));
}

static void insn_flags(void)
{
	unsigned int r = any_reg(), s = any_reg(), cc = native_pick(16);

	switch (native_pick(5)) {
	case 0: put(4, 0x40 | r >> 3, 0x0f, 0x90 | cc, 0xc0 | (r & 7)); break;
	case 1:
		put(4, 0x48 | (r >> 3) << 2 | s >> 3, 0x0f, 0x40 | cc,
		    0xc0 | (r & 7) << 3 | (s & 7));
		break;
	case 2: /* pushf; pop */ put(3, 0x9c, 0x40 | r >> 3, 0x58 | (r & 7)); break;
	case 3: /* push imm32; popf */
		put(1, 0x68);
		put32((uint32_t)native_random() & X86_EFL_ARITH);
		put(1, 0x9d);
		break;
	default: put(1, 0xf8 | native_pick(2)); break; /* clc, stc */
	}
}

static void insn_shift(void)
{
	unsigned int r = any_reg();

	if (native_pick(2))
		put(3, 0x48 | r >> 3, 0xd3, 0xc0 | native_pick(8) << 3 | (r & 7));
	else
		put(4, 0x40 | r >> 3, 0xc1, 0xc0 | native_pick(8) << 3 | (r & 7), native_pick(40));
}

static void insn_stack(void)
{
	unsigned int n = 1 + native_pick(5);

	for (unsigned int k = 0; k < n; k++) {
		unsigned int r = any_reg();

		put(2, 0x40 | r >> 3, 0x50 | (r & 7));
	}
	for (unsigned int k = 0; k < n; k++) {
		unsigned int r = any_reg();

		put(2, 0x40 | r >> 3, 0x58 | (r & 7));
	}
}

static void insn_sse(void)
{
	unsigned int x = native_pick(8), y = native_pick(8);

	put(4, 0xf3, 0x0f, 0x6f, 0x80 | x << 3 | R_BASE);
	put32(native_pick(DATA_BYTES - 16));
	put(4, 0x66, 0x0f, native_pick(2) ? 0xfe : 0xef, 0xc0 | y << 3 | x);
	put(4, 0xf3, 0x0f, 0x7f, 0x80 | y << 3 | R_BASE);
	put32(native_pick(DATA_BYTES - 16));
}

/* An x87 instruction with an operand somewhere in the data. */
static void x87_mem(unsigned int opcode, unsigned int digit)
{
	put(2, opcode, 0x80 | digit << 3 | R_BASE);
	put32(native_pick(DATA_BYTES - 128));
}

static void insn_x87(void)
{
	static const uint8_t mem[][2] = {
		{ 0xdd, 0 }, { 0xdd, 0 }, { 0xd9, 0 }, { 0xdb, 0 }, { 0xdf, 5 }, { 0xdb, 5 },
		{ 0xdd, 3 }, { 0xd9, 3 }, { 0xd9, 2 }, { 0xdb, 3 }, { 0xdf, 7 }, { 0xdb, 7 },
		{ 0xdc, 0 }, { 0xdc, 1 }, { 0xd8, 4 }, { 0xda, 6 }, { 0xdb, 1 }, { 0xdd, 7 },
	};
	static const uint8_t reg[][2] = {
		{ 0xd8, 0xc1 }, { 0xde, 0xc9 }, { 0xdc, 0xe2 }, { 0xd9, 0xc9 }, { 0xd9, 0xe8 },
		{ 0xd9, 0xeb }, { 0xd9, 0xfa }, { 0xd9, 0xfc }, { 0xd9, 0xe0 }, { 0xd9, 0xc2 },
		{ 0xdd, 0xd8 }, { 0xdd, 0xd9 }, { 0xde, 0xf9 }, { 0xdb, 0xf1 }, { 0xdf, 0xe9 },
		{ 0xda, 0xc1 }, { 0xdb, 0xd2 }, { 0xdf, 0xe0 }, { 0xd9, 0xe5 }, { 0xd9, 0xf7 },
	};
	unsigned int n = 1 + native_pick(6);

	while (n--) {
		const uint8_t *m = mem[native_pick(HVM_ARRAY_SIZE(mem))];
		const uint8_t *r = reg[native_pick(HVM_ARRAY_SIZE(reg))];

		if (native_pick(2))
			x87_mem(m[0], m[1]);
		else
			put(2, r[0], r[1]);
	}
}

/* What handlers do with the state, and other control words; now and then one that unmasks. */
static void insn_x87_state(void)
{
	unsigned int fcw = (unsigned int)native_random() & 0xf00;

	switch (native_pick(8)) {
	case 0: put(2, 0xdb, 0xe3); return; /* fninit */
	case 1: put(2, 0xdd, 0xc3); return; /* ffree */
	case 2: put(2, 0xdb, 0xe2); return; /* fnclex */
	case 3: x87_mem(0xdd, 6); return;   /* fnsave */
	case 4: put(2, 0x0f, 0x77); return; /* emms */
	case 5:				    /* fnstenv, fldenv */
		put(6, 0xd9, 0xb5, 0, 1, 0, 0);
		put(6, 0xd9, 0xa5, 0, 1, 0, 0);
		return;
	}
	/* push; fldcw (%rsp); pop */
	fcw |= native_pick(16) ? 0x7f : 0x40 | native_pick(64);
	put(1, 0x68);
	put32(fcw);
	put(4, 0xd9, 0x2c, 0x24, 0x59);
	if (fcw == (fcw | 0x3f))
		return;
	/* What it leaves must not be a pending exception for the next program. */
	put(2, 0xdb, 0xe2);
	x87_mem(0xd9, 7); /* fnstcw */
	put(2, 0xd9, 0xe8);
	put(1, 0x68);
	put32(0x37f);
	put(6, 0xdb, 0xe2, 0xd9, 0x2c, 0x24, 0x59);
}

/* A store into a constant of some block. */
static void insn_patch(void)
{
	unsigned int r = any_reg() & 7;

	if (!t.patches)
		return;
	put(2, 0x89, 0x05 | r << 3);
	put32(t.patch[native_pick(t.patches)] - here() - 4);
}

static void insn_patchable(void)
{
	put(2, 0x81, 0xc0 | native_pick(4)); /* add r32, imm32 */
	if (t.patches < PATCHABLE)
		t.patch[t.patches++] = here();
	put32((uint32_t)native_random());
}

/* mov rax, cr3; mov cr3, rax */
static void insn_cr3(void)
{
	put(6, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
}

static void random_insn(void)
{
	static void (*const insns[])(void) = {
		insn_alu,   insn_alu,	 insn_alu,   insn_alu_mem, insn_alu_mem,
		insn_flags, insn_flags,	 insn_shift, insn_stack,   insn_sse,
		insn_imm,   insn_locked, insn_x87,   insn_x87,
	};

	switch (native_pick(40)) {
	case 0: insn_patch(); return;
	case 1: insn_patchable(); return;
	case 2: insn_cr3(); return;
	case 3: insn_x87_state(); return;
	}
	insns[native_pick(HVM_ARRAY_SIZE(insns))]();
}

/* -- random programs ----------------------------------------------------------------------- */

/* One less fuel; at zero to the end. Changes no flags. RCX and the fuel are swapped there. */
static void put_fuel(void)
{
	put(4, 0x4d, 0x8d, 0x7f, 0xff); /* lea -1(%r15), %r15 */
	put(3, 0x49, 0x87, 0xcf);	/* xchg %rcx, %r15 */
	put(4, 0xe3, 2, 0xeb, 5);	/* jrcxz +2; jmp +5 */
	jump_to(0xe9, END);
	put(3, 0x49, 0x87, 0xcf);
}

static uint32_t any_block(void)
{
	return t.block[native_pick(BLOCKS)];
}

/* Every fourth block returns. */
static void put_end(unsigned int n)
{
	if (n % 4 == 3) {
		put(1, 0xc3);
		return;
	}
	switch (native_pick(6)) {
	case 0:
	case 1: jump_to(0x180 | native_pick(16), any_block()); break;
	case 2: jump_to(0xe8, t.block[native_pick(BLOCKS / 4) * 4 + 3]); break;
	case 3: /* by the table; r13 = rax & 15 */
		put(7, 0x49, 0x89, 0xc5, 0x49, 0x83, 0xe5, 0x0f);
		put(4, 0x43, 0xff, 0x24, 0xee); /* jmp *(%r14,%r13,8) */
		return;
	}
	jump_to(0xe9, any_block());
}

static void random_program(void)
{
	memset(t.code, 0xcc, sizeof(t.code));
	t.patches = 0;
	for (unsigned int n = 0; n < BLOCKS; n++)
		t.block[n] = GUEST_CODE + n * BLOCK_ROOM + native_pick(BLOCK_ROOM / 4);
	for (unsigned int n = 0; n < BLOCKS; n++) {
		unsigned int insns = native_pick(8);

		t.p = t.code + (t.block[n] - GUEST_CODE);
		put_fuel();
		while (insns--)
			random_insn();
		put_end(n);
		assert_true(t.p < t.code + (n + 1) * BLOCK_ROOM);
	}
	t.p = t.code + (END - GUEST_CODE);
	put(3, 0xe6, PORT_STOP, 0xf4);
}

static void prepare(void)
{
	struct guest *g = &t.guest;
	uint64_t seed = native_seed;
	struct hvm_vcpu *v = hvm_domain_vcpu(g->d, 0);
	struct hvm_vcpu_state s;

	memcpy(g->ram + GUEST_CODE, t.code, sizeof(t.code));
	hvm_domain_memory_written(g->d, GUEST_CODE, sizeof(t.code));
	for (unsigned int n = 0; n < DATA_BYTES; n += 8)
		guest_put64(g, DATA + n, native_random());
	for (unsigned int n = 0; n < 16; n++) /* not those that return */
		guest_put64(g, DATA + DATA_BYTES + n * 8, t.block[n / 3 * 4 + n % 3]);
	guest_start_long(g, 0, t.block[0], 0);
	assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
	for (unsigned int r = 0; r < 16; r++)
		if (r != X86_RSP)
			s.gpr[r] = native_random();
	memset(s.xsave, 0, sizeof(s.xsave)); /* as after a reset ... */
	s.xsave[25] = 0x1f;
	s.xsave[24] = 0x80; /* ... and MXCSR masks all exceptions, */
	s.xsave[0] = 0x7f;  /* FCW too */
	s.xsave[1] = 0x03;
	s.xsave[512] = 3;
	s.gpr[R_BASE] = DATA;
	s.gpr[R_TABLE] = DATA + DATA_BYTES;
	s.gpr[R_FUEL] = FUEL;
	/* Blocks that return may be jumped to: plenty of valid addresses on the stack. */
	for (unsigned int n = 0; n < 0x10000; n += 8)
		guest_put64(g, GUEST_STACK + n, t.block[(n >> 3) % BLOCKS]);
	assert_int_equal(hvm_vcpu_set_state(v, &s), 0);
	native_seed = seed;
}

static void run(unsigned int which, enum soft_tr_mode mode)
{
	struct guest *g = &t.guest;

	prepare();
	t.sv->tr.mode = mode;
	assert_int_equal(guest_run(g, 0), HVM_EXIT_NONE);
	memset(&t.regs[which], 0, sizeof(t.regs[which]));
	native_get_regs(&t.sv->cpu, &t.regs[which]);
	t.fpu[which] = t.sv->cpu.fpu;
	memcpy(t.ram[which], g->ram + GUEST_CODE, CODE_BYTES);
	memcpy(t.ram[which] + CODE_BYTES, g->ram + DATA, DATA_BYTES);
}

static void compare(uint64_t seed)
{
	const char *differs = native_regs_differ(&t.regs[0], &t.regs[1], X86_EFL_ARITH);

	if (!differs &&
	    memcmp((const uint8_t *)&t.fpu[0], (const uint8_t *)&t.fpu[1], sizeof(t.fpu[0])))
		differs = "x87 pointers";
	if (!differs && memcmp(t.ram[0], t.ram[1], sizeof(t.ram[0])))
		differs = "memory";
	if (!differs)
		return;
	fprintf(stderr, "HVM_TRANSLATOR_SEED=%#llx: %s differs\n", (unsigned long long)seed,
		differs);
	for (unsigned int n = 0; n < 16; n++)
		fprintf(stderr, "  gpr%u: %llx %llx\n", n, (unsigned long long)t.regs[0].gpr[n],
			(unsigned long long)t.regs[1].gpr[n]);
	fprintf(stderr, "  fcw %x %x fsw %x %x fop %x %x fip %llx %llx fdp %llx %llx\n",
		t.fpu[0].fcw, t.fpu[1].fcw, t.fpu[0].fsw, t.fpu[1].fsw, t.fpu[0].fop, t.fpu[1].fop,
		(unsigned long long)t.fpu[0].fip, (unsigned long long)t.fpu[1].fip,
		(unsigned long long)t.fpu[0].fdp, (unsigned long long)t.fpu[1].fdp);
	fprintf(stderr, "  rflags: %llx %llx\n", (unsigned long long)t.regs[0].rflags,
		(unsigned long long)t.regs[1].rflags);
	for (unsigned int n = 0; n < sizeof(t.ram[0]); n++)
		if (t.ram[0][n] != t.ram[1][n]) {
			fprintf(stderr, "  memory %x: %02x %02x\n",
				n < CODE_BYTES ? GUEST_CODE + n : DATA + n - CODE_BYTES,
				t.ram[0][n], t.ram[1][n]);
			break;
		}
	fail();
}

static void translated_programs_end_as_interpreted_ones(void **state)
{
	uint64_t seed = from_environment("HVM_TRANSLATOR_SEED", SEED_DEFAULT);
	uint64_t programs = from_environment("HVM_TRANSLATOR_PROGRAMS", PROGRAMS_DEFAULT);

	(void)state;
	if (t.sv->tr.mode == SOFT_TR_OFF)
		skip(); /* the host's processor cannot */
	for (uint64_t n = 0; n < programs; n++, seed += 2 * SEED_DEFAULT) {
		native_seed = seed;
		random_program();
		run(0, SOFT_TR_OFF);
		/* More than once: blocks are translated, linked, and then run linked. */
		for (unsigned int k = 0; k < RUNS_A_PROGRAM; k++) {
			run(1, SOFT_TR_ON);
			compare(seed);
		}
	}
	printf("# %llu translated, %llu runs, %llu links\n",
	       (unsigned long long)t.sv->vcpu->stats.tr_blocks,
	       (unsigned long long)t.sv->vcpu->stats.tr_runs,
	       (unsigned long long)t.sv->vcpu->stats.tr_links);
	assert_true(t.sv->vcpu->stats.tr_links > 0);
}

static int setup(void **state)
{
	(void)state;
	setenv("HVM_TRANSLATOR", "1", 1);
	guest_create_long(&t.guest, 1);
	t.sv = t.guest.d->core->vcpu[0]->vendor;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_destroy(&t.guest);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translated_programs_end_as_interpreted_ones),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
