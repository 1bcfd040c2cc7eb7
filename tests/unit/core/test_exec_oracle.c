/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_exec_oracle.c - the executor against the host's own processor: random instructions from
 * random states, three million a run, on the host and on a soft vcpu in user mode with page
 * tables of its own. Compared are general, x87 and SSE registers, defined flags, memory, where a
 * branch led, and of an exception its vector, error code, address and the state it left.
 *
 * HVM_ORACLE_CASES: how many cases (3,000,000, a third of them 32-bit code). HVM_ORACLE_SEED: where
 * to start; every instruction has a seed of its own, and the one that is printed with a difference
 * runs that instruction first. HVM_ORACLE_TRANSLATOR=1: 64-bit instructions run translated.
 */
#include "oracle_gen.h"
#include "soft_guest.h"

#include "lib/lib_ops.h"
#include "soft/soft.h"
#include "soft/translator/block.h"

#define CASES_DEFAULT	3000000ull
#define SEED_DEFAULT	0x9e3779b97f4a7c15ull
#define STATES_AN_INSN	8u /* cases of one instruction */
#define MAX_DIFFERENCES 20u
#define MIN_OF_AN_OP	8u /* cases of each operation that a whole run must have */

#define GUEST_PT    0xa000u
#define GUEST_ARENA 0x400000u

static struct {
	struct guest guest;
	struct soft_vcpu *sv;
	struct oracle_insn insn;
	uint64_t insn_seed;
	bool insn_differed;	   /* one report is enough */
	bool insn_is_new;	   /* not translated yet */
	struct native_state start; /* its mem is not used */
	struct oracle_result host, exec;
	uint64_t ea;
	unsigned long cases, all_cases, faults, branches, differences;
	uint32_t seen[X86_OP_COUNT], seen_vex[512];
	uint32_t vectors[32];
} t;

/* -- memory of both sides ----------------------------------------------------------------- */

static uint8_t *host_at(uint64_t gva)
{
	return (uint8_t *)(uintptr_t)gva;
}

static uint8_t *guest_at(uint64_t gva)
{
	return t.guest.ram + GUEST_ARENA + (gva - ORACLE_PAGE(0));
}

static bool is_writable(uint64_t gva)
{
	uint64_t page = (gva - ORACLE_PAGE(0)) >> HVM_PAGE_SHIFT;

	return page < ORACLE_PAGES && ORACLE_WRITABLE(page);
}

/* Write to both, where it can be written. */
static void poke(uint64_t gva, const void *bytes, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (is_writable(gva + k))
			*host_at(gva + k) = *guest_at(gva + k) = ((const uint8_t *)bytes)[k];
}

static void poke64(uint64_t gva, uint64_t value)
{
	poke(gva, &value, sizeof(value));
}

/* What the host stored there is not to be compared. */
static void forgive(uint64_t gva, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (is_writable(gva + k))
			*guest_at(gva + k) = *host_at(gva + k);
}

static void fill_page(unsigned int page)
{
	uint64_t v = native_random() | 1;

	for (unsigned int at = 0; at < 4096; at += 8) {
		v ^= v << 13;
		v ^= v >> 7;
		v ^= v << 17;
		memcpy(host_at(ORACLE_PAGE(page) + at), &v, 8);
	}
	memcpy(guest_at(ORACLE_PAGE(page)), host_at(ORACLE_PAGE(page)), 4096);
}

static bool memory_differs(void)
{
	return memcmp(host_at(ORACLE_PAGE(1)), guest_at(ORACLE_PAGE(1)), 8192) ||
	       memcmp(host_at(ORACLE_PAGE(5)), guest_at(ORACLE_PAGE(5)), 4096);
}

/* -- random states ------------------------------------------------------------------------ */

/* An address for an access of @size bytes: mostly good, sometimes across pages or in a bad one. */
static uint64_t random_target(unsigned int size)
{
	static const uint8_t edges[] = { 1, 2, 3, 4, 5, 6 };
	unsigned int how = native_pick(16), back = 1 + native_pick(size);

	if (how >= 12 && (how & 1) && size > 1)
		return ORACLE_PAGE(2) - back;
	if (how == 12 && size > 1)
		return ORACLE_PAGE(edges[native_pick(6)]) - back;
	if (how == 14)
		return ORACLE_PAGE(native_pick(2) ? 4 : 3 * native_pick(3)) + native_pick(4000);
	return ORACLE_PAGE(1) + 64 + native_pick(8192 - 128 - size);
}

/* Move @target so that the access is aligned, or lies in one cache line, where it should. */
static uint64_t align_target(const struct x86_insn *i, uint64_t target, unsigned int size)
{
	bool aligned = size >= 16 ? native_pick(8) != 0 : (t.start.rflags & X86_EFL_AC) != 0;

	if (size == 512 && aligned)
		return target & ~15ull;
	if (aligned && (size & (size - 1)) == 0)
		target &= ~(uint64_t)(size - 1);
	if (oracle_is_locked(i) && (target & 63) + size > 64)
		target = (target & ~63ull) + 64 - size;
	return target;
}

static uint64_t segment_base(const struct x86_insn *i)
{
	return i->seg == HVM_SEG_FS ? oracle_host.fs_base : 0;
}

/* Linear address of the memory operand with the registers of t.start. */
static uint64_t effective_address(const struct x86_insn *i)
{
	const uint64_t *r = t.start.gpr;
	uint64_t off = (uint64_t)i->disp;

	off += i->base == X86_REG_IP ? ORACLE_INSN : i->base == X86_REG_NONE ? 0 : r[i->base];
	off += i->index == X86_REG_NONE ? 0 : r[i->index] << i->scale;
	/* A bit number in a register reaches beyond the operand. */
	if (i->op >= X86_OP_BT && i->op <= X86_OP_BTC && i->form == X86_FORM_MR) {
		int64_t bit = i->osize == 3   ? (int64_t)r[i->src]
			      : i->osize == 2 ? (int32_t)r[i->src]
					      : (int16_t)r[i->src];

		off += (uint64_t)(bit >> (3 + i->osize)) << i->osize;
	}
	if (i->asize == 2)
		off = (uint32_t)off;
	return off + segment_base(i);
}

/* Set base or index of the memory operand so that it lies at @target, or close to it. */
static void aim_operand(const struct x86_insn *i, uint64_t target)
{
	uint64_t off = target - segment_base(i) - (uint64_t)i->disp, *r = t.start.gpr;

	if (i->op >= X86_OP_BT && i->op <= X86_OP_BTC && i->form == X86_FORM_MR) {
		int32_t bit = (int32_t)native_pick(4096) - 2048;

		memcpy(&r[i->src], &(int64_t){ bit }, (size_t)1 << i->osize);
	}
	if (i->base == X86_REG_NONE && i->index == X86_REG_NONE)
		return;
	if (i->base == X86_REG_NONE)
		r[i->index] = off >> i->scale;
	else if (i->base == i->index)
		r[i->base] = off / ((1ull << i->scale) + 1);
	else if (i->base != X86_REG_IP)
		r[i->base] = off - (i->index == X86_REG_NONE ? 0 : r[i->index] << i->scale);
	else
		return;
	if (i->asize == 2 && i->base != X86_REG_NONE && native_pick(2))
		r[i->base] ^= native_random() << 32; /* is cut off */
}

/* Registers that string operations and kin use. */
static void aim_strings(const struct x86_insn *i)
{
	unsigned int kind = oracle_kind_of[i->op], size = 1u << (i->osize & 3);
	uint64_t *r = t.start.gpr, cut = i->asize == 2 ? native_random() << 32 : 0;

	if (i->op == X86_OP_MASKMOVQ || i->op == X86_OP_MASKMOVDQU) {
		/* Whether masked bytes can fault depends on the processor. */
		r[X86_RDI] = (ORACLE_PAGE(1) + 64 + native_pick(8000) - segment_base(i)) ^ cut;
		return;
	}
	if (kind & K_DEST)
		r[X86_RDI] = random_target(size) ^ cut;
	if (kind & K_SOURCE)
		r[X86_RSI] = (random_target(size) - segment_base(i)) ^ cut;
	if (kind == (K_SOURCE | K_DEST) && native_pick(2))
		r[X86_RSI] = r[X86_RDI] + native_pick(64) - 32 - segment_base(i);
	if (i->op == X86_OP_XLAT)
		r[X86_RBX] = (random_target(1) - (uint8_t)r[X86_RAX] - segment_base(i)) ^ cut;
	if (i->rep && oracle_is_string(i))
		r[X86_RCX] = native_pick(native_pick(4) ? 40 : 3000) | cut;
	if (i->rep && (i->op == X86_OP_CMPS || i->op == X86_OP_SCAS) && native_pick(2)) {
		/* Runs of equal elements, or of different ones. */
		uint64_t v = native_pick(2) ? 0 : r[X86_RAX];

		for (unsigned int k = 0; k < 256; k += 8)
			poke64((uint32_t)r[X86_RDI] + k, v);
		r[X86_RAX] = native_pick(2) ? 0 : r[X86_RAX];
	}
}

/* Where a branch may lead: a breakpoint, or memory that cannot be executed. */
static uint64_t random_branch_target(void)
{
	return native_pick(3) ? ORACLE_CODE + 0x500 + native_pick(0x900) : random_target(1);
}

/* The stack, and what lies on top of it for those that take it from there. */
static void aim_stack(const struct x86_insn *i)
{
	uint64_t *r = t.start.gpr;

	r[X86_RSP] = random_target(8);
	if (native_pick(2))
		r[X86_RSP] &= ~7ull;
	if (i->op == X86_OP_ENTER || i->op == X86_OP_LEAVE)
		r[X86_RBP] = random_target(8);
	if (i->op == X86_OP_POPF) {
		/* With TF the next instruction would trap. */
		r[X86_RSP] = ORACLE_PAGE(1) + 64 + native_pick(8000);
		poke64(r[X86_RSP], native_random() & ~(uint64_t)X86_EFL_TF);
	}
	if (i->op == X86_OP_RET || i->op == X86_OP_RET_IMM) {
		r[X86_RSP] = native_pick(16) ? ORACLE_PAGE(1) + 64 + native_pick(8000)
					     : ORACLE_PAGE(3) - native_pick(8);
		poke64(r[X86_RSP], random_branch_target());
	}
}

static void aim_text(uint8_t *reg)
{
	for (unsigned int k = 0; k < 16; k++)
		reg[k] = (uint8_t)native_pick(5);
}

/* Small indexes, so that the elements stay close to the operand. */
static void aim_gather(const struct x86_insn *i)
{
	for (unsigned int k = 0; k < 32; k += i->opcode & 1 ? 8 : 4) {
		int64_t index = (int64_t)native_pick(64) - 32;
		uint8_t *half = k < 16 ? t.start.xmm[i->cc] : t.start.ymmh[i->cc];

		memcpy(half + k % 16, &index, i->opcode & 1 ? 8 : 4);
	}
}

static void aim_vex_values(const struct x86_insn *i)
{
	uint32_t mxcsr = (uint32_t)native_random() & (native_pick(8) ? 0xffffu : 0xfffdffffu);

	switch (x86_vex_row(i)->kind) {
	case X86_VEX_GATHER: aim_gather(i); break;
	case X86_VEX_MXCSR: poke(t.ea, &mxcsr, 4); break;
	case X86_VEX_STRING:
		aim_text(t.start.xmm[i->dst]);
		aim_text(t.start.xmm[i->src]);
		t.start.gpr[X86_RAX] = native_pick(4) ? native_pick(20) : native_random();
		t.start.gpr[X86_RDX] = native_pick(4) ? native_pick(20) : native_random();
		break;
	}
}

/* Values in registers and memory at which the instruction has something to do. */
static void aim_values(const struct x86_insn *i)
{
	uint64_t *r = t.start.gpr;
	uint32_t mxcsr;

	switch (i->op) {
	case X86_OP_DIV:
	case X86_OP_IDIV:
		if (native_pick(2))
			r[X86_RDX] = native_pick(2) ? 0 : native_random() >> (33 + native_pick(30));
		else if (native_pick(2))
			r[X86_RDX] = (uint64_t)((int64_t)r[X86_RAX] >> 63);
		break;
	case X86_OP_CMPXCHG:
		if (i->form == X86_FORM_RR && native_pick(2))
			r[X86_RAX] = r[i->dst & 15];
		else if (i->form == X86_FORM_MR && native_pick(2))
			poke64(t.ea, r[X86_RAX]);
		break;
	case X86_OP_CMPXCHG8B:
	case X86_OP_CMPXCHG16B:
		if (native_pick(2)) {
			poke(t.ea, &r[X86_RAX], i->osize == 3 ? 8 : 4);
			poke(t.ea + (i->osize == 3 ? 8 : 4), &r[X86_RDX], i->osize == 3 ? 8 : 4);
		}
		break;
	case X86_OP_FXRSTOR:
	case X86_OP_LDMXCSR:
		mxcsr = (uint32_t)native_random() & (native_pick(8) ? 0xffffu : 0xfffdffffu);
		poke(t.ea + (i->op == X86_OP_FXRSTOR ? 24 : 0), &mxcsr, 4);
		break;
	case X86_OP_VEX: aim_vex_values(i); break;
	case X86_OP_JMP_IND:
	case X86_OP_CALL_IND:
		if (i->form == X86_FORM_R)
			r[i->dst] = random_branch_target();
		else
			poke64(t.ea, random_branch_target());
		break;
	case X86_OP_PCMPESTRI:
	case X86_OP_PCMPESTRM:
	case X86_OP_PCMPISTRI:
	case X86_OP_PCMPISTRM:
		aim_text(t.start.xmm[i->dst & 15]);
		aim_text(t.start.xmm[i->src & 15]);
		r[X86_RAX] = native_pick(4) ? native_pick(20) : native_random();
		r[X86_RDX] = native_pick(4) ? native_pick(20) : native_random();
		break;
	}
}

/* Is every place that the case can touch either ours or sure to fault? */
static bool is_safe(const struct x86_insn *i)
{
	unsigned int kind = oracle_kind_of[i->op];
	const uint64_t *r = t.start.gpr;
	bool jumps_by_sp = (i->op == X86_OP_JMP_IND || i->op == X86_OP_CALL_IND) &&
			   i->form == X86_FORM_R && i->dst == X86_RSP;

	if (jumps_by_sp)
		return false;
	if ((kind & K_STACK) &&
	    (r[X86_RSP] < ORACLE_PAGE(0) || r[X86_RSP] >= ORACLE_PAGE(ORACLE_PAGES)))
		return false;
	if (!oracle_has_memory(i) || (kind & K_NOACCESS))
		return true;
	if (t.ea >> 47 == 1) /* not canonical */
		return true;
	if ((i->op == X86_OP_JMP_IND || i->op == X86_OP_CALL_IND) &&
	    (t.ea < ORACLE_PAGE(1) || t.ea > ORACLE_PAGE(3) - 8))
		return t.ea >= ORACLE_LOW && t.ea + 8 <= ORACLE_PAGE(1); /* absent: not followed */
	return t.ea >= ORACLE_LOW + 65536 && t.ea <= ORACLE_HIGH - 65536 &&
	       (t.ea < ORACLE_CODE - 65536 || t.ea > ORACLE_CODE + 65536);
}

/* Its steps show with unmasked exceptions; the executor has none. */
static bool is_dot_product(const struct x86_insn *i)
{
	if (i->op == X86_OP_VEX)
		return strncmp(x86_vex_row(i)->name, "VDPP", 4) == 0;
	return i->op == X86_OP_DPPS || i->op == X86_OP_DPPD;
}

static void random_control(const struct x86_insn *i)
{
	unsigned int how = native_pick(3);

	if (!how)
		return;
	native_random_x87_control(&t.start, how == 2);
	native_random_sse_control(&t.start, how == 2 && !is_dot_product(i));
}

/* A state for the instruction; false: it would touch what is not ours, take another. */
static bool random_case(void)
{
	const struct x86_insn *i = &t.insn.i;
	unsigned int size = oracle_msize(i);
	uint64_t target;

	native_random_regs(&t.start);
	native_random_ymm(&t.start);
	if (t.insn.size == X86_CODE32)
		for (unsigned int r = 0; r < 16; r++)
			t.start.gpr[r] = r < 8 ? (uint32_t)t.start.gpr[r] : 0;
	random_control(i);
	if (native_pick(8) == 0)
		t.start.rflags |= X86_EFL_DF;
	/* ENTER has too many accesses for it to be clear which one is refused. */
	if (native_pick(16) == 0 && i->op < X86_OP_FXSAVE && i->op != X86_OP_ENTER)
		t.start.rflags |= X86_EFL_AC;
	aim_strings(i);
	if (oracle_kind_of[i->op] & K_STACK)
		aim_stack(i);
	target = align_target(i, random_target(size), size);
	if (native_pick(64) == 0 && i->asize == 3) /* not canonical, but aligned */
		target = (9ull << 44) + (native_random() & 0xffffffffff0);
	if (oracle_has_memory(i))
		aim_operand(i, target);
	t.ea = effective_address(i);
	if (oracle_has_memory(i))
		for (unsigned int k = 0; k < size && k < 64; k += 8)
			poke64(t.ea + k, native_random_qword());
	aim_values(i);
	if (t.insn.size == X86_CODE32)
		for (unsigned int r = 0; r < 8; r++)
			t.start.gpr[r] = (uint32_t)t.start.gpr[r];
	t.ea = effective_address(i);
	return is_safe(i);
}

/* -- the executor's turn ------------------------------------------------------------------ */

/* A block of this instruction, translated for the present mode. */
static struct soft_block *translated_block(struct x86_cpu *c, const struct x86_insn *i)
{
	static _Alignas(64) uint8_t space[sizeof(struct soft_block) + 2 * sizeof(struct soft_slot)];
	struct soft_block *b = (struct soft_block *)(void *)space;

	if (b->tr && b->ip == ORACLE_INSN && b->key == c->mode && !t.insn_is_new)
		return b;
	t.insn_is_new = false;
	if (tr_full(&t.sv->tr))
		tr_reset(&t.sv->tr);
	memset(space, 0, sizeof(space));
	b->ip = ORACLE_INSN;
	b->gpa = ORACLE_INSN & 0xfff;
	b->gpa2 = SOFT_NO_GPA;
	b->key = t.sv->key = c->mode;
	b->stamp = t.sv->epoch[0];
	b->bytes = i->len;
	b->count = 1;
	b->slot[0].insn = *i;
	tr_block_translate(t.sv, b);
	return b;
}

static int run_insn(struct x86_cpu *c, const struct x86_insn *i)
{
	int r;

	if (t.sv->tr.mode == SOFT_TR_OFF || !x86_is_code64(c) || (c->mode & X86_MODE_AC))
		return i->exec(c, i);
	r = tr_enter_block(t.sv, translated_block(c, i));
	if (r == (int)TR_EXIT_GO)
		return X86_BRANCH;
	return r == (int)TR_EXIT_INTERP ? i->exec(c, i) : r;
}

static void run_exec(void)
{
	struct x86_cpu *c = &t.sv->cpu;
	const struct x86_insn *i = &t.insn.i;
	struct oracle_result *r = &t.exec;
	int ret;

	native_put_regs(&t.start, c);
	c->x86_ip = ORACLE_INSN;
	c->seg[HVM_SEG_CS].ar = t.insn.size == X86_CODE64 ? 0xa0fb : 0xc0fb;
	c->seg[HVM_SEG_CS].sel = t.insn.size == X86_CODE64 ? ORACLE_CS64 : ORACLE_CS32;
	t.sv->non_canonical = false;
	x86_update_mode(c);
	if (c->mode & X86_MODE_AC)
		c->tlb_r = c->tlb_w = soft_tlb_none;
	do {
		c->stop = X86_STOP_NONE;
		c->exit_req = 0;
		ret = run_insn(c, i);
	} while (ret == X86_ABORT && c->stop == X86_STOP_RETRY);
	native_get_regs(c, &r->regs);
	r->vector = ORACLE_NO_FAULT;
	r->rip = ret == X86_BRANCH ? c->x86_ip : ORACLE_INSN + i->len;
	r->error = 0;
	r->cr2 = c->exc_cr2;
	if (ret != X86_ABORT)
		return;
	r->vector = c->stop == X86_STOP_NONE ? c->exc.vector : 1000 + (int)c->stop;
	r->error = c->exc.has_error ? c->exc.error : 0;
	r->rip = ORACLE_INSN;
	/* The interpreter finds out later that it was the stack's address. */
	if (t.sv->non_canonical && r->vector == X86_GP && t.host.vector == X86_SS)
		r->vector = X86_SS;
}

/* -- comparison --------------------------------------------------------------------------- */

/* Parts of memory operands that hold pointers or what depends on the processor. */
static void forgive_operand(const struct x86_insn *i)
{
	if (i->op == X86_OP_FXSAVE)
		forgive(t.ea + 6, 26); /* FOP, FIP, FDP; behind MXCSR its mask */
	else if ((i->op == X86_OP_FNSTENV || i->op == X86_OP_FNSAVE) && i->osize == 1)
		forgive(t.ea + 6, 8);
	else if (i->op == X86_OP_FNSTENV || i->op == X86_OP_FNSAVE)
		forgive(t.ea + 12, 16);
}

static void take_ymm(unsigned int n)
{
	memcpy(t.exec.regs.xmm[n], t.host.regs.xmm[n], 16);
	memcpy(t.exec.regs.ymmh[n], t.host.regs.ymmh[n], 16);
}

/* After an exception: what the manuals leave to the processor is taken from the host. */
static void forgive_fault(const struct x86_insn *i)
{
	struct oracle_result *h = &t.host, *e = &t.exec;
	bool to_mmx = i->op >= X86_OP_CVTTPS2PI && i->op <= X86_OP_CVTPD2PI;

	if (h->vector == X86_XM) {
		/* PE is not exact next to an unmasked overflow or underflow. */
		if ((t.start.mxcsr & 0x0c00) != 0x0c00)
			e->regs.mxcsr = (e->regs.mxcsr & ~0x20u) | (h->regs.mxcsr & 0x20);
		/* Has a conversion entered MMX state by then? */
		if (to_mmx || i->op == X86_OP_CVTPI2PS) {
			e->regs.fsw = h->regs.fsw;
			e->regs.ftw = h->regs.ftw;
			memcpy(e->regs.st, h->regs.st, sizeof(h->regs.st));
		}
	}
	/* Elements behind the one that faults may have been gathered. */
	if (oracle_vex_kind(i) == X86_VEX_GATHER) {
		take_ymm(i->dst);
		take_ymm(i->vreg);
	}
	/* Of a large operand CR2 may be any byte, and of two bad pages it may be either. */
	if (oracle_msize(i) > 10 && oracle_msize(i) != 16 && h->cr2 - t.ea < oracle_msize(i) &&
	    e->cr2 - t.ea < oracle_msize(i) && !is_writable(e->cr2)) {
		e->cr2 = h->cr2;
		e->error = h->error;
	}
	/* ENTER reads and writes in many places: which faults first, and what is written by then?
	 */
	if (i->op == X86_OP_ENTER) {
		e->cr2 = h->cr2;
		e->error = h->error;
		forgive(ORACLE_PAGE(1), 8192);
		forgive(ORACLE_PAGE(5), 4096);
	}
	/* POPA may have loaded some registers, PUSHA stored some: they come again. */
	if (i->op == X86_OP_POPA)
		memcpy(e->regs.gpr, h->regs.gpr, sizeof(h->regs.gpr));
	if (i->op == X86_OP_PUSHA) {
		forgive(ORACLE_PAGE(1), 8192);
		forgive(ORACLE_PAGE(5), 4096);
	}
	/* Intel restores the flags, AMD keeps those of the last element. */
	if (i->rep && (i->op == X86_OP_CMPS || i->op == X86_OP_SCAS))
		e->regs.rflags = h->regs.rflags;
}

static const char *fault_differs(void)
{
	const struct oracle_result *h = &t.host, *e = &t.exec;

	if (h->rip != ORACLE_INSN)
		return "rip of the fault";
	if (h->vector == X86_PF && h->cr2 != e->cr2)
		return "cr2";
	return h->error != e->error ? "error code" : NULL;
}

/* Outside 64-bit mode nobody sees them, and nobody says what becomes of them. */
static void forget_high_halves(void)
{
	for (unsigned int r = 0; r < 8; r++) {
		t.host.regs.gpr[r] = (uint32_t)t.host.regs.gpr[r];
		t.exec.regs.gpr[r] = (uint32_t)t.exec.regs.gpr[r];
	}
}

static const char *outcome_differs(void)
{
	const struct x86_insn *i = &t.insn.i;
	const char *differs;
	uint64_t flags = ORACLE_FLAGS;

	native_fsw_ignore = oracle_fsw_undefined(i);
	if (t.host.vector != t.exec.vector)
		return "vector";
	if (t.host.vector != ORACLE_NO_FAULT) {
		forgive_fault(i);
		differs = fault_differs();
		if (differs)
			return differs;
	} else {
		flags &= ~oracle_undefined(i, &t.start);
		if (t.host.rip != t.exec.rip)
			return "rip";
		forgive_operand(i);
	}
	if (t.insn.size == X86_CODE32)
		forget_high_halves();
	differs = native_regs_differ(&t.host.regs, &t.exec.regs, flags);
	if (!differs && memory_differs())
		differs = "memory";
	return differs;
}

static void print_result(const char *who, const struct oracle_result *r)
{
	fprintf(stderr, "%s: vector %d error %x cr2 %llx rip %llx\n", who, r->vector, r->error,
		(unsigned long long)r->cr2, (unsigned long long)r->rip);
	native_dump(who, &r->regs);
}

static void report(const char *differs)
{
	const struct x86_insn *i = &t.insn.i;

	fprintf(stderr, "HVM_ORACLE_SEED=%#llx %s", (unsigned long long)t.insn_seed,
		x86_insn_name(i));
	for (unsigned int n = 0; n < t.insn.len; n++)
		fprintf(stderr, " %02x", t.insn.bytes[n]);
	fprintf(stderr, ": %s differs (vector %d on the host, %d here)\n", differs, t.host.vector,
		t.exec.vector);
	fprintf(stderr, "operand at %llx\n", (unsigned long long)t.ea);
	for (uint64_t at = ORACLE_PAGE(1); at < ORACLE_PAGE(6); at++)
		if (is_writable(at) && *host_at(at) != *guest_at(at)) {
			fprintf(stderr, "memory at %llx: host %02x, here %02x\n",
				(unsigned long long)at, *host_at(at), *guest_at(at));
			break;
		}
	native_dump("start", &t.start);
	print_result("host", &t.host);
	print_result("here", &t.exec);
}

static void run_case(void)
{
	const char *differs;

	if (!random_case())
		return;
	oracle_run_host(&t.start, t.insn.len, t.insn.size, &t.host);
	run_exec();
	t.cases++;
	t.seen[t.insn.i.op]++;
	if (t.insn.i.op == X86_OP_VEX)
		t.seen_vex[t.insn.i.row]++;
	if (t.host.vector != ORACLE_NO_FAULT) {
		t.faults++;
		t.vectors[t.host.vector & 31]++;
	} else if (t.host.rip != ORACLE_INSN + t.insn.len) {
		t.branches++;
	}
	differs = oracle_result_undefined(&t.insn.i, &t.start) ? NULL : outcome_differs();
	if (differs && !t.insn_differed) {
		t.insn_differed = true;
		t.differences++;
		report(differs);
	}
	if (memory_differs()) {
		forgive(ORACLE_PAGE(1), 8192);
		forgive(ORACLE_PAGE(5), 4096);
	}
}

/* -- instructions ------------------------------------------------------------------------- */

/* Operands and branch targets that are constants of the instruction: make them meet something. */
static void aim_constants(struct oracle_insn *o)
{
	const struct x86_insn *i = &o->i;
	uint64_t target;

	if (o->disp_at) {
		target = random_target(oracle_msize(i)) - segment_base(i);
		if (oracle_is_locked(i))
			target &= ~15ull;
		if (i->base == X86_REG_IP)
			target -= ORACLE_INSN + o->len;
		memcpy(o->bytes + o->disp_at, &target, o->disp_bytes);
	}
	if (!(oracle_kind_of[i->op] & K_BRANCH) || i->form != X86_FORM_I || i->op == X86_OP_RET_IMM)
		return;
	if (i->op == X86_OP_JMP || i->op == X86_OP_CALL || i->op == X86_OP_JCC) {
		bool near = i->op == X86_OP_CALL || i->opcode == 0xe9 || (i->opcode & 0xf0) == 0x80;

		target = random_branch_target() - (ORACLE_INSN + o->len);
		if (near) {
			memcpy(o->bytes + o->len - 4, &target, 4);
			return;
		}
	}
	/* A short branch: forward over the jump back, or backward. */
	o->bytes[o->len - 1] = (uint8_t)(native_pick(2) ? ORACLE_JUMP_BYTES + native_pick(100)
							: 256u - 16 - native_pick(100));
}

static void new_instruction(void)
{
	t.insn_differed = false;
	t.insn_is_new = true;
	oracle_generate(&t.insn);
	aim_constants(&t.insn);
	oracle_decode(&t.insn);
	oracle_place(t.insn.bytes, t.insn.len, t.insn.size);
	fill_page(1);
	fill_page(2);
	fill_page(5);
}

static void run_cases(enum x86_code_size size, uint64_t cases)
{
	uint64_t seed = from_environment("HVM_ORACLE_SEED", SEED_DEFAULT);
	unsigned int ops = 0;

	t.cases = t.faults = t.branches = t.differences = 0;
	memset(t.vectors, 0, sizeof(t.vectors));
	t.insn.size = size;
	oracle_catch();
	printf("# %u-bit code, seed %#llx\n", 8u << size, (unsigned long long)seed);
	for (t.insn_seed = seed; t.cases < cases && t.differences < MAX_DIFFERENCES;
	     t.insn_seed += SEED_DEFAULT) {
		native_seed = native_mix(t.insn_seed);
		new_instruction();
		for (unsigned int n = 0; n < STATES_AN_INSN; n++)
			run_case();
	}
	t.all_cases += t.cases;
	for (unsigned int op = 0; op < X86_OP_COUNT; op++)
		ops += t.seen[op] != 0;
	printf("# %lu cases, %u operations by now, %lu branches taken, %lu exceptions:", t.cases,
	       ops, t.branches, t.faults);
	for (unsigned int v = 0; v < 32; v++)
		if (t.vectors[v])
			printf(" %u of vector %u", t.vectors[v], v);
	printf("; %lu differ\n", t.differences);
	fflush(stdout);
	assert_int_equal(t.differences, 0);
	assert_memory_equal(host_at(ORACLE_PAGE(4)), guest_at(ORACLE_PAGE(4)), 4096);
}

static void instructions_of_64_bit_code_do_what_they_do_on_the_host(void **state)
{
	(void)state;
	run_cases(X86_CODE64, from_environment("HVM_ORACLE_CASES", CASES_DEFAULT) / 3 * 2);
}

static void instructions_of_32_bit_code_do_what_they_do_on_the_host(void **state)
{
	(void)state;
	run_cases(X86_CODE32, from_environment("HVM_ORACLE_CASES", CASES_DEFAULT) / 3);
}

/* An operation that no case had is not tested. */
static void every_operation_of_user_code_was_tried(void **state)
{
	(void)state;
	if (t.all_cases < CASES_DEFAULT)
		skip();
	for (unsigned int op = 1; op < X86_OP_COUNT; op++) {
		if ((oracle_kind_of[op] & K_SKIP) ||
		    (!native_has_v3() && (op == X86_OP_VEX || op == X86_OP_MOVBE ||
					  op == X86_OP_TZCNT || op == X86_OP_LZCNT)))
			continue;
		if (t.seen[op] < MIN_OF_AN_OP)
			fail_msg("%s: %u cases", x86_op_name(op), t.seen[op]);
	}
	for (size_t row = 0; native_has_v3() && row < x86_vex_row_count; row++)
		if (t.seen_vex[row] < MIN_OF_AN_OP && x86_vex_rows[row].kind != X86_VEX_MASKDQU)
			fail_msg("%s: %u cases", x86_vex_rows[row].name, t.seen_vex[row]);
}

/* -- setup -------------------------------------------------------------------------------- */

/* The arena in page tables: the same pages at the same addresses, for user mode. */
static void map_arena(void)
{
	guest_put64(&t.guest, GUEST_PML4, 0x2007);
	guest_put64(&t.guest, 0x2000, 0x3007);
	memset(t.guest.ram + 0x3000, 0, 4096);
	guest_put64(&t.guest, 0x3000 + (ORACLE_PAGE(0) >> 21) * 8, GUEST_PT | 7);
	for (unsigned int n = 0; n < ORACLE_PAGES; n++)
		if (ORACLE_READABLE(n))
			guest_put64(&t.guest, GUEST_PT + n * 8,
				    (GUEST_ARENA + n * 0x1000) | (ORACLE_WRITABLE(n) ? 7 : 5));
}

/* What user code can see of the system is as the host has it: MOV shows selectors. */
static void be_like_host(struct x86_cpu *c)
{
	uint16_t sel[6];

	__asm__ volatile("mov %%es, %0\n\tmov %%cs, %1\n\tmov %%ss, %2\n\tmov %%ds, %3\n\t"
			 "mov %%fs, %4\n\tmov %%gs, %5"
			 : "=r"(sel[0]), "=r"(sel[1]), "=r"(sel[2]), "=r"(sel[3]), "=r"(sel[4]),
			   "=r"(sel[5]));
	for (unsigned int s = 0; s < 6; s++)
		c->seg[s].sel = sel[s];
	c->seg[HVM_SEG_FS].base = oracle_host.fs_base;
	c->cr4 |= X86_CR4_OSXSAVE;
	c->xcr0 = native_has_v3() ? 7 : 3;
	c->seg[HVM_SEG_TR].limit = 0x60; /* no I/O permission bitmap: no port may be used */
}

static int setup(void **state)
{
	(void)state;
	oracle_gen_init();
	oracle_host_create();
	/* The translator when asked for. */
	setenv("HVM_TRANSLATOR", getenv("HVM_ORACLE_TRANSLATOR") ? "1" : "0", 1);
	guest_create_long_model(&t.guest, 1, native_has_v3() ? HVM_CPU_V3 : HVM_CPU_V2);
	map_arena();
	for (unsigned int n = 0; n < ORACLE_PAGES; n++)
		if (ORACLE_READABLE(n))
			fill_page(n);
	assert_int_equal(mprotect(host_at(ORACLE_PAGE(4)), 4096, PROT_READ), 0);
	guest_start_long(&t.guest, 0, ORACLE_INSN, 3);
	t.sv = t.guest.d->core->vcpu[0]->vendor;
	be_like_host(&t.sv->cpu);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_destroy(&t.guest);
	oracle_host_destroy();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_of_64_bit_code_do_what_they_do_on_the_host),
		cmocka_unit_test(instructions_of_32_bit_code_do_what_they_do_on_the_host),
		cmocka_unit_test(every_operation_of_user_code_was_tried),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
