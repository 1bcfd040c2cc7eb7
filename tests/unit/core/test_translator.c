/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_translator.c - translated blocks against the interpreter: random instructions, several to a
 * block, from random states, over pages that are writable, read-only or absent, so that many fault
 * in the middle; half of them of x87 instructions mostly. Compared are all registers, all flags
 * (undefined ones too), the whole x87 state with the pointers of the last instruction, memory,
 * where the block led, and of an exception its vector, error code and address.
 *
 * HVM_TRANSLATOR_CASES: how many (300,000); HVM_TRANSLATOR_SEED: where to start. Every block has a
 * seed of its own, and the one that is printed with a difference runs that block first.
 */
#include "oracle_gen.h"
#include "soft_guest.h"

#include "lib/lib_ops.h"
#include "soft/translator/block.h"

#define CASES_DEFAULT	300000ull
#define SEED_DEFAULT	0x9e3779b97f4a7c15ull
#define STATES_A_BLOCK	8u
#define MAX_DIFFERENCES 10u
#define MAX_INSNS	12u

#define GUEST_PT     0xa000u
#define GUEST_ARENA  0x400000u
#define GUEST_CODE_1 0x20000u
#define ARENA_BYTES  (ORACLE_PAGES * 4096u)

struct outcome {
	int result; /* TR_EXIT_GO, X86_ABORT, X86_HALT */
	uint64_t ip;
	int vector;
	uint32_t error, stop;
	uint64_t cr2;
	struct native_state regs;
	struct x86_fpu fpu;
	uint8_t arena[ARENA_BYTES];
};

static struct {
	struct guest guest;
	struct soft_vcpu *sv;
	bool x87; /* blocks of x87 instructions mostly */
	uint8_t code[256];
	unsigned int code_bytes, insns, at;
	uint64_t seed;
	struct native_state start;
	uint8_t arena[ARENA_BYTES];
	struct outcome interp, tr;
	unsigned long cases, faults, differences, x87_native;
} t;

static uint8_t *guest_arena(void)
{
	return t.guest.ram + GUEST_ARENA;
}

/* -- random blocks ------------------------------------------------------------------------- */

static uint64_t random_target(void)
{
	static const uint8_t pages[] = { 1, 1, 1, 2, 2, 5, 4, 0, 3 };
	unsigned int how = native_pick(16);
	uint64_t at = ORACLE_PAGE(pages[native_pick(how ? 6 : 9)]) + native_pick(4096);

	/* The boundary of two pages. */
	if (how == 15)
		at = ORACLE_PAGE(2) - native_pick(20);
	return how < 8 ? at & ~15ull : at;
}

static bool insn_wanted(const struct oracle_insn *o)
{
	if (oracle_is_x87(&o->i) || (o->i.op >= X86_OP_MOVD && o->i.osize == 3))
		return native_pick(8) == 0;
	/* Where they lead is another block. */
	if ((oracle_kind_of[o->i.op] & K_BRANCH) && native_pick(3))
		return false;
	/* Its time depends on what it finds there. */
	if (o->i.rep && oracle_is_string(&o->i))
		return native_pick(8) == 0;
	return o->i.op != X86_OP_INVALID || native_pick(16) == 0;
}

/* ModRM and what follows for register field @reg and a field of the structure at @base. */
static uint8_t *random_field(uint8_t *p, unsigned int reg, unsigned int base, unsigned int index)
{
	if (index) {
		*p++ = (uint8_t)(0x44 | (reg & 7) << 3);
		*p++ = (uint8_t)(0x80 | (index & 7) << 3 | (base & 7));
	} else {
		*p++ = (uint8_t)(0x40 | (reg & 7) << 3 | (base & 7));
	}
	*p++ = (uint8_t)(native_pick(8) ? native_pick(16) * 8 : native_random());
	return p;
}

/* The same with a VEX prefix. */
static uint8_t *random_vex_field(uint8_t *p, unsigned int base, unsigned int index)
{
	static const struct {
		uint8_t map, pp, opcode, digit, vvvv, imm; /* digit 8: a register */
	} insns[] = {
		{ 1, 3, 0x10, 8, 0, 0 }, { 1, 3, 0x11, 8, 0, 0 }, { 1, 3, 0x58, 8, 1, 0 },
		{ 1, 2, 0x59, 8, 1, 0 }, { 1, 2, 0x7e, 8, 0, 0 }, { 1, 1, 0xd6, 8, 0, 0 },
		{ 1, 1, 0x6e, 8, 0, 0 }, { 1, 1, 0x7e, 8, 0, 0 }, { 1, 3, 0x2a, 8, 1, 0 },
		{ 1, 3, 0x2c, 8, 0, 0 }, { 1, 1, 0x2f, 8, 0, 0 }, { 2, 0, 0xf2, 8, 1, 0 },
		{ 2, 0, 0xf3, 1, 1, 0 }, { 2, 0, 0xf3, 3, 1, 0 }, { 2, 0, 0xf5, 8, 1, 0 },
		{ 2, 3, 0xf6, 8, 1, 0 }, { 2, 0, 0xf7, 8, 1, 0 }, { 2, 1, 0xf7, 8, 1, 0 },
		{ 2, 2, 0xf5, 8, 1, 0 }, { 3, 3, 0xf0, 8, 0, 1 }, { 3, 1, 0x22, 8, 1, 1 },
		{ 3, 1, 0x16, 8, 0, 1 }, { 2, 1, 0xb9, 8, 1, 0 }, { 2, 1, 0x18, 8, 0, 0 },
		{ 1, 2, 0x6f, 8, 0, 0 }, { 1, 2, 0x7f, 8, 0, 0 }, { 1, 0, 0x11, 8, 0, 0 },
	};
	unsigned int k = native_pick(HVM_ARRAY_SIZE(insns)), reg = native_pick(16);
	unsigned int vvvv = insns[k].vvvv ? native_pick(16) : 15;
	bool whole = insns[k].opcode == 0x6f || insns[k].opcode == 0x7f ||
		     (insns[k].opcode == 0x11 && !insns[k].pp); /* a vector */

	if (insns[k].digit < 8)
		reg = insns[k].digit;
	*p++ = 0xc4;
	*p++ = (uint8_t)((reg & 8 ? 0 : 0x80) | (index & 8 ? 0 : 0x40) | (base & 8 ? 0 : 0x20) |
			 insns[k].map);
	*p++ = (uint8_t)((insns[k].opcode == 0x18 ? 0 : native_pick(2) << 7) | vvvv << 3 |
			 (whole ? native_pick(2) << 2 : 0) | insns[k].pp);
	*p++ = insns[k].opcode;
	p = random_field(p, reg, base, index);
	if (insns[k].imm)
		*p++ = (uint8_t)native_random();
	return p;
}

/* An operand at base + displacement, as fields of one structure are accessed. */
static void random_field_insn(struct oracle_insn *o, unsigned int base, unsigned int index)
{
	static const struct {
		uint8_t prefix, escape, opcode, digit, imm; /* digit 8: a register */
	} insns[] = {
		{ 0, 0, 0x8b, 8, 0 },	    { 0, 0, 0x89, 8, 0 },	{ 0, 0, 0x8a, 8, 0 },
		{ 0, 0, 0x88, 8, 0 },	    { 0x66, 0, 0x8b, 8, 0 },	{ 0x66, 0, 0x89, 8, 0 },
		{ 0, 0, 0x03, 8, 0 },	    { 0, 0, 0x01, 8, 0 },	{ 0, 0, 0x13, 8, 0 },
		{ 0, 0, 0x3b, 8, 0 },	    { 0, 0, 0x39, 8, 0 },	{ 0, 0, 0x29, 8, 0 },
		{ 0, 0x0f, 0xb6, 8, 0 },    { 0, 0x0f, 0xbf, 8, 0 },	{ 0, 0, 0x63, 8, 0 },
		{ 0, 0x0f, 0xaf, 8, 0 },    { 0, 0, 0xff, 0, 0 },	{ 0, 0, 0xff, 1, 0 },
		{ 0, 0, 0xc1, 4, 1 },	    { 0, 0, 0xd3, 7, 0 },	{ 0, 0, 0xf7, 2, 0 },
		{ 0, 0, 0xf7, 4, 0 },	    { 0, 0, 0x83, 0, 1 },	{ 0, 0, 0x83, 7, 1 },
		{ 0, 0, 0xc7, 0, 4 },	    { 0, 0x0f, 0x44, 8, 0 },	{ 0, 0x0f, 0x92, 0, 0 },
		{ 0xf2, 0x0f, 0x10, 8, 0 }, { 0xf2, 0x0f, 0x11, 8, 0 }, { 0xf3, 0x0f, 0x6f, 8, 0 },
		{ 0xf2, 0x0f, 0x58, 8, 0 }, { 0xf0, 0, 0x01, 8, 0 },	{ 0, 0x0f, 0xc1, 8, 0 },
		{ 0, 0, 0x87, 8, 0 },	    { 0, 0x0f, 0xb1, 8, 0 },	{ 0, 0, 0x84, 8, 0 },
		{ 0x66, 0x0f, 0xfe, 8, 0 },
	};
	unsigned int k = native_pick(HVM_ARRAY_SIZE(insns)), reg = native_pick(16);
	uint8_t *p = o->bytes;

	if (native_has_v3() && native_pick(5) == 0) {
		p = random_vex_field(p, base, index);
		goto out;
	}
	if (insns[k].digit < 8)
		reg = insns[k].digit;
	if (insns[k].prefix)
		*p++ = insns[k].prefix;
	*p++ = (uint8_t)(0x40 | native_pick(2) << 3 | (reg >> 3) << 2 | (index >> 3) << 1 |
			 base >> 3);
	if (insns[k].escape)
		*p++ = insns[k].escape;
	*p++ = insns[k].opcode;
	p = random_field(p, reg, base, index);
	for (unsigned int n = 0; n < insns[k].imm; n++)
		*p++ = (uint8_t)native_random();
out:
	o->len = (unsigned int)(p - o->bytes);
	o->disp_at = 0;
	assert_int_equal(x86_decode(o->bytes, o->len, o->size, &o->i), o->len);
}

/* Any x87 instruction, of all encodings; D9 6 and so on with state as operand are rare. */
static void random_x87_insn(struct oracle_insn *o, unsigned int base, unsigned int index)
{
	bool mem = base && native_pick(2);
	uint8_t *p;

	/* FNSTSW AX changes a base register. */
	if (native_pick(8) == 0)
		base = X86_RAX;
	if (native_pick(24) == 0) {
		memcpy(o->bytes, "\xdf\xe0", 2);
		o->len = 2;
		o->disp_at = 0;
		assert_int_equal(x86_decode(o->bytes, o->len, o->size, &o->i), o->len);
		return;
	}

	do {
		p = o->bytes;
		*p++ = (uint8_t)(0x40 | (index >> 3) << 1 | base >> 3);
		*p++ = (uint8_t)(0xd8 | native_pick(8));
		if (mem && index) {
			*p++ = (uint8_t)(0x44 | native_pick(8) << 3);
			*p++ = (uint8_t)(native_pick(4) << 6 | (index & 7) << 3 | (base & 7));
			*p++ = (uint8_t)(native_pick(8) ? native_pick(16) * 8 : native_random());
		} else if (mem) {
			*p++ = (uint8_t)(0x40 | native_pick(8) << 3 | (base & 7));
			*p++ = (uint8_t)(native_pick(8) ? native_pick(16) * 8 : native_random());
		} else {
			*p++ = (uint8_t)(0xc0 | native_pick(64));
		}
		o->len = (unsigned int)(p - o->bytes);
		o->disp_at = 0;
		assert_int_equal(x86_decode(o->bytes, o->len, o->size, &o->i), o->len);
	} while (o->i.op == X86_OP_INVALID ||
		 ((!o->i.msize || o->i.msize > 10 || o->i.op == X86_OP_FLDCW) && mem &&
		  native_pick(8)));
}

static void random_insn(struct oracle_insn *o, unsigned int base, unsigned int index)
{
	/* Operands that are no fields of a structure. */
	if (t.x87 && native_pick(6) == 0) {
		do
			oracle_generate(o);
		while (!oracle_is_x87(&o->i));
		return;
	}
	if (t.x87 && native_pick(3)) {
		random_x87_insn(o, base, index);
		return;
	}
	if (base && native_pick(4)) {
		random_field_insn(o, base, index);
		return;
	}
	do
		oracle_generate(o);
	while (!insn_wanted(o));
}

static void random_block(void)
{
	static const uint8_t bases[] = { 3, 5, 6, 7, 9, 14 };
	struct oracle_insn o = { .size = X86_CODE64 };
	unsigned int base = native_pick(2) ? bases[native_pick(sizeof(bases))] : 0;
	unsigned int index = native_pick(3) ? 0 : bases[native_pick(sizeof(bases))];

	t.insns = 1 + native_pick(MAX_INSNS);
	t.code_bytes = 0;
	t.at = native_pick(8) ? native_pick(3800) : 4096 - native_pick(60);
	for (unsigned int n = 0; n < t.insns; n++) {
		random_insn(&o, base, index);
		if (o.disp_at && native_pick(8)) {
			uint64_t target = random_target();

			if (o.i.base == X86_REG_IP)
				target -= ORACLE_CODE + t.at + t.code_bytes + o.len;
			memcpy(o.bytes + o.disp_at, &target, o.disp_bytes);
		}
		memcpy(t.code + t.code_bytes, o.bytes, o.len);
		t.code_bytes += o.len;
	}
	memcpy(t.code + t.code_bytes, "\x0f\x0b", 2);
	t.code_bytes += 2;
}

static void random_start(void)
{
	native_random_regs(&t.start);
	native_random_ymm(&t.start);
	native_random_sse_control(&t.start, native_pick(8) == 0);
	if (t.x87 && native_pick(3) == 0)
		native_random_x87_control(&t.start, false);
	else if (native_pick(8) == 0)
		native_random_x87_control(&t.start, true);
	for (unsigned int r = 0; r < 16; r++) {
		unsigned int how = native_pick(8);

		if (how < 5)
			t.start.gpr[r] = random_target();
		else if (how == 5)
			t.start.gpr[r] = native_pick(64);
	}
	if (native_pick(4))
		t.start.gpr[X86_RCX] = native_pick(70);
	if (native_pick(2))
		t.start.gpr[X86_RDX] = native_pick(2) ? 0
						      : (uint64_t)((int64_t)t.start.gpr[0] >> 63);
	if (native_pick(8))
		t.start.gpr[X86_RSP] = ORACLE_PAGE(1) + 512 + native_pick(6000);
	if (native_pick(8) == 0)
		t.start.rflags |= X86_EFL_DF;
	for (unsigned int n = 0; n < sizeof(t.arena) / 8; n += 1 + native_pick(16)) {
		uint64_t v = native_pick(4) ? native_random_qword() : random_target();

		memcpy(t.arena + n * 8, &v, 8);
	}
}

/* -- running ------------------------------------------------------------------------------- */

static void put_start(void)
{
	struct x86_cpu *c = &t.sv->cpu;

	memcpy(guest_arena(), t.arena, sizeof(t.arena));
	native_put_regs(&t.start, c);
	c->fpu.fop = 0x123;
	c->fpu.fcs = 0x4567;
	c->fpu.fds = 0x89ab;
	c->fpu.fip = 0x0123456789abcdef;
	c->fpu.fdp = 0xfedcba9876543210;
	c->x86_ip = ORACLE_CODE + t.at;
	c->stop = X86_STOP_NONE;
	c->exit_req = 0;
	c->exc = (struct hvm_event){ 0 };
	c->exc_cr2 = 0;
	t.sv->non_canonical = false;
	t.sv->tr.site = 0;
	x86_update_mode(c);
}

static void get_outcome(struct outcome *o, int r, const struct x86_insn *i)
{
	struct x86_cpu *c = &t.sv->cpu;

	memset(o, 0, offsetof(struct outcome, arena));
	o->result = r;
	switch (r) {
	case X86_BRANCH:
	case SOFT_FALL: o->result = TR_EXIT_GO; break;
	case X86_END:
	case X86_NEXT:
		o->result = TR_EXIT_GO;
		c->x86_ip = x86_next_ip(c, i);
		break;
	case X86_HALT: c->x86_ip = x86_next_ip(c, i); break;
	case X86_ABORT:
		if (i)
			c->x86_ip = x86_insn_ip(c, i);
		o->vector = c->exc.vector;
		o->error = c->exc.error;
		o->stop = c->stop;
		o->cr2 = c->exc_cr2;
		break;
	}
	o->ip = c->x86_ip;
	native_get_regs(c, &o->regs);
	o->fpu = c->fpu;
	memcpy(o->arena, guest_arena(), sizeof(o->arena));
}

/* From the present state to the block's end. */
static void interpret(struct outcome *o)
{
	struct soft_block *b = soft_block_find(t.sv);
	struct x86_cpu *c = &t.sv->cpu;
	struct soft_slot *s;
	int r;

	if (!b) {
		get_outcome(o, X86_ABORT, NULL);
		return;
	}
	s = b->slot;
	do {
		r = s->insn.exec(c, &s->insn);
		s++;
	} while (r == X86_NEXT);
	s--;
	if (r == SOFT_FALL)
		c->x86_ip = b->fall_ip;
	get_outcome(o, r, &s->insn);
}

static void run_interpreter(struct outcome *o)
{
	put_start();
	interpret(o);
}

/*
 * Translated code is left behind what loads MXCSR or FCW, by an exit of no site; @b may go on
 * there. (Where that is does not tell alone: the block may lead there in the end.)
 */
static bool has_left_early(const struct soft_block *b)
{
	uint64_t end = ORACLE_CODE + t.at + b->slot[b->count - 1].insn.end;

	return !t.sv->tr.site && t.sv->cpu.x86_ip != end;
}

static void run_translated(struct outcome *o)
{
	const struct x86_insn *i;
	struct soft_block *b;
	int r;

	put_start();
	b = soft_block_find(t.sv);
	if (!b) {
		get_outcome(o, X86_ABORT, NULL);
		return;
	}
	if (!b->tr) {
		if (tr_full(&t.sv->tr)) {
			soft_blocks_drop_all(t.sv);
			soft_key_update(t.sv);
			b = soft_block_find(t.sv);
		}
		tr_block_translate(t.sv, b);
	}
	/* What was live is saved in there. */
	memset(t.sv->tr.x87_image, 0xa5, 2);
	r = tr_enter_block(t.sv, b);
	t.x87_native += t.sv->tr.x87_image[0] != 0xa5 || t.sv->tr.x87_image[1] != 0xa5;
	if (r == (int)TR_EXIT_INTERP) {
		/* Nothing was executed. */
		run_interpreter(o);
		return;
	}
	if (r == (int)TR_EXIT_GO && tr_went_astray(t.sv)) {
		r = tr_redo_branch(t.sv, &i);
		get_outcome(o, r, i);
		return;
	}
	if (r == (int)TR_EXIT_GO && has_left_early(b)) {
		interpret(o);
		return;
	}
	get_outcome(o, r, (const struct x86_insn *)(uintptr_t)t.sv->tr.insn);
}

/* -- comparison ---------------------------------------------------------------------------- */

static const char *outcome_differs(void)
{
	const struct outcome *a = &t.interp, *b = &t.tr;
	uint64_t flags = X86_EFL_ARITH;
	const char *differs;

	if (a->result != b->result)
		return "result";
	if (a->ip != b->ip)
		return "ip";
	if (a->vector != b->vector || a->stop != b->stop)
		return "vector";
	if (a->error != b->error || a->cr2 != b->cr2)
		return "error code or cr2";
	/* Flags that nothing reads any more are not kept up for exceptions, unless asked for. */
	if (a->result == X86_ABORT && !t.sv->tr.exact_flags)
		flags = 0;
	differs = native_regs_differ(&a->regs, &b->regs, flags);
	if (!differs && memcmp((const uint8_t *)&a->fpu, (const uint8_t *)&b->fpu, sizeof(a->fpu)))
		differs = "x87 pointers";
	if (!differs && memcmp(a->arena, b->arena, sizeof(a->arena)))
		differs = "memory";
	return differs;
}

static void report(const char *differs)
{
	struct x86_insn i;

	fprintf(stderr, "HVM_TRANSLATOR_SEED=%#llx: %s differs\n", (unsigned long long)t.seed,
		differs);
	for (unsigned int at = 0; at < t.code_bytes;) {
		int len = x86_decode(t.code + at, t.code_bytes - at, X86_CODE64, &i);

		if (len <= 0)
			break;
		fprintf(stderr, "  %4x %-10s", t.at + at, x86_insn_name(&i));
		for (int k = 0; k < len; k++)
			fprintf(stderr, " %02x", t.code[at + (unsigned int)k]);
		fprintf(stderr, "\n");
		at += (unsigned int)len;
	}
	for (unsigned int n = 0; n < 16; n++)
		if (t.interp.regs.gpr[n] != t.tr.regs.gpr[n])
			fprintf(stderr, "  gpr%u: interpreter %llx, here %llx\n", n,
				(unsigned long long)t.interp.regs.gpr[n],
				(unsigned long long)t.tr.regs.gpr[n]);
	fprintf(stderr, "  rflags: %llx, %llx; ip %llx, %llx; result %d vector %d, %d %d\n",
		(unsigned long long)t.interp.regs.rflags, (unsigned long long)t.tr.regs.rflags,
		(unsigned long long)t.interp.ip, (unsigned long long)t.tr.ip, t.interp.result,
		t.interp.vector, t.tr.result, t.tr.vector);
	for (unsigned int n = 0; n < sizeof(t.arena); n++)
		if (t.interp.arena[n] != t.tr.arena[n]) {
			fprintf(stderr, "  memory at %llx: interpreter %02x, here %02x\n",
				(unsigned long long)(ORACLE_PAGE(0) + n), t.interp.arena[n],
				t.tr.arena[n]);
			break;
		}
	fprintf(stderr, "  fop %x, %x; fip %llx, %llx; fdp %llx, %llx; fcs %x, %x; fds %x, %x\n",
		t.interp.fpu.fop, t.tr.fpu.fop, (unsigned long long)t.interp.fpu.fip,
		(unsigned long long)t.tr.fpu.fip, (unsigned long long)t.interp.fpu.fdp,
		(unsigned long long)t.tr.fpu.fdp, t.interp.fpu.fcs, t.tr.fpu.fcs, t.interp.fpu.fds,
		t.tr.fpu.fds);
	native_dump("start", &t.start);
	native_dump("interpreter", &t.interp.regs);
	native_dump("here", &t.tr.regs);
}

static void run_case(bool *differed)
{
	const char *differs;

	random_start();
	run_interpreter(&t.interp);
	run_translated(&t.tr);
	t.cases++;
	t.faults += t.interp.result == X86_ABORT && t.interp.vector != X86_UD;
	differs = outcome_differs();
	if (!differs || *differed)
		return;
	*differed = true;
	t.differences++;
	report(differs);
}

static void new_block(void)
{
	uint8_t *code = t.guest.ram + GUEST_CODE_1 + t.at;

	native_seed = native_mix(t.seed);
	random_block();
	code = t.guest.ram + GUEST_CODE_1 + t.at;
	soft_blocks_drop(t.sv, GUEST_CODE_1 >> 12, ~0ull);
	soft_blocks_drop(t.sv, (GUEST_CODE_1 >> 12) + 1, ~0ull);
	memcpy(code, t.code, t.code_bytes);
}

static void run_cases(bool exact, bool x87)
{
	uint64_t cases = from_environment("HVM_TRANSLATOR_CASES", CASES_DEFAULT) / 4;

	if (t.sv->tr.mode == SOFT_TR_OFF)
		skip(); /* the host's processor cannot */
	t.sv->tr.exact_flags = exact;
	t.x87 = x87;
	t.cases = t.faults = t.differences = t.x87_native = 0;
	for (t.seed = from_environment("HVM_TRANSLATOR_SEED", SEED_DEFAULT + exact + 2 * x87);
	     t.cases < cases && t.differences < MAX_DIFFERENCES; t.seed += SEED_DEFAULT) {
		bool differed = false;

		new_block();
		for (unsigned int n = 0; n < STATES_A_BLOCK; n++)
			run_case(&differed);
	}
	printf("# %lu cases, %lu exceptions, %lu with x87 state in the host's unit\n", t.cases,
	       t.faults, t.x87_native);
	assert_int_equal(t.differences, 0);
}

static void translated_blocks_do_what_the_interpreter_does(void **state)
{
	(void)state;
	run_cases(false, false);
}

static void with_exact_flags_exceptions_show_the_same_flags_too(void **state)
{
	(void)state;
	run_cases(true, false);
}

static void x87_instructions_leave_the_state_that_the_interpreter_leaves(void **state)
{
	(void)state;
	run_cases(true, true);
	/* Or it would be the interpreter that is compared with itself. */
	assert_true(t.x87_native > t.cases / 2);
	run_cases(false, true);
}

/* -- setup --------------------------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	oracle_gen_init();
	setenv("HVM_TRANSLATOR", "1", 1);
	guest_create_long_model(&t.guest, 1, native_has_v3() ? HVM_CPU_V3 : HVM_CPU_V2);
	memset(t.guest.ram + 0x3000, 0, 4096); /* nothing else is mapped */
	guest_put64(&t.guest, 0x3000 + (ORACLE_PAGE(0) >> 21) * 8, GUEST_PT | 7);
	for (unsigned int n = 0; n < ORACLE_PAGES; n++)
		if (ORACLE_READABLE(n))
			guest_put64(&t.guest, GUEST_PT + n * 8,
				    (GUEST_ARENA + n * 0x1000) | (ORACLE_WRITABLE(n) ? 7 : 5));
	for (unsigned int n = 0; n < 2; n++)
		guest_put64(&t.guest, GUEST_PT + ((ORACLE_CODE >> 12 & 511) + n) * 8,
			    (GUEST_CODE_1 + n * 0x1000) | 5);
	guest_start_long(&t.guest, 0, ORACLE_CODE, 3);
	t.sv = t.guest.d->core->vcpu[0]->vendor;
	t.sv->cpu.seg[HVM_SEG_TR].limit = 0x60; /* no port may be used */
	for (unsigned int n = 0; n <= HVM_SEG_GS; n++)
		if (n != HVM_SEG_CS)
			t.sv->cpu.seg[n].sel = (uint16_t)(n << 8 | 0x23);
	t.sv->cpu.cr4 |= native_has_v3() ? X86_CR4_OSXSAVE : 0;
	t.sv->cpu.xcr0 = native_has_v3() ? 7 : 3;
	x86_update_mode(&t.sv->cpu);
	soft_key_update(t.sv);
	soft_enter(t.sv);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	soft_leave(t.sv);
	guest_destroy(&t.guest);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translated_blocks_do_what_the_interpreter_does),
		cmocka_unit_test(with_exact_flags_exceptions_show_the_same_flags_too),
		cmocka_unit_test(x87_instructions_leave_the_state_that_the_interpreter_leaves),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
