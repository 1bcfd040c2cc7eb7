/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87_state.c - routines at the start of the code buffer that move the guest's x87 state into the
 * host's x87 unit and back (soft_tr.x87_live says where it is), and what has to be known of the
 * host's unit. x87.c has the instructions. Owns soft_tr.x87_*.
 *
 * While it is live, c->fpu.r[], fsw and valid are old; fcw and the pointers of the last instruction
 * (fop, fip, fdp, fcs, fds) are kept there by the code of every block. It stays live over calls of
 * handlers that neither look at it nor run x87 instructions themselves. Compiled code uses the unit
 * for long double alone, which the core has in exec_x87*.c only (tests/core-x87 reads the objects);
 * nothing that is asked of libc computes with it; a signal's handler is entered with a state of its
 * own, and the thread's is back when it returns. C code that generated code returns to, and
 * handlers that do look, find an empty stack and the control word of the ABI; who called into the
 * engine finds his own again. Not saved.
 *
 * Physical registers: FLD eight times onto an empty stack with TOP = 0 fills R7 to R0, FLDENV then
 * brings tags, TOP, flags. On the way back TOP is turned to 0 first, so that FXSAVE, which orders
 * by the stack, orders by the register. Source: Intel SDM Vol 1 8.1 "x87 FPU Execution
 * Environment", 10.5.1 "FXSAVE Area"; System V ABI, AMD64 supplement, 3.2.1 "Registers".
 */
#include "soft/translator/tr.h"
#include "x86/exec_fp.h"

#define FX_TAGS	   4u /* offsets in FXSAVE's image */
#define FX_ST	   32u
#define FX_ST_STEP 16u
#define ENV_FCW	   0u /* words of FNSTENV's */
#define ENV_FSW	   1u
#define ENV_FTW	   2u
#define TAGS_EMPTY 0x5555u

#define OTHER_CONDITIONS (X86_FSW_CC & ~X86_FSW_C1)

_Static_assert(offsetof(struct x86_fpu, fsw) == offsetof(struct x86_fpu, fcw) + 2,
	       "both are tested as one");
_Static_assert(sizeof(struct x86_fpreg) == FX_ST_STEP, "registers lie as in FXSAVE's image");

/* @field of struct soft_vcpu while RSP is @below its start. */
#define AT(field, below) tr_state(offsetof(struct soft_vcpu, field) + (below))

static void state_bytes(struct tr *t, unsigned int a, unsigned int b)
{
	tr_byte(t, a);
	tr_byte(t, b);
}

/* -- to the host --------------------------------------------------------------------------- */

/* The stack pointer must be 0; compiled code leaves it where it was, which need not be there. */
static void state_want_top_0(struct tr *t)
{
	struct tr_rm m = { .mem = true, .m = AT(tr.x87_env[ENV_FSW], 8) };
	uint8_t *fine;

	tr_op_mem(t, 0xdd, 7, m.m); /* fnstsw */
	m.m.disp++;
	tr_op_rm(t, 0xf6, 0, &m, 1); /* test */
	tr_byte(t, X86_FSW_TOP >> 8);
	fine = tr_jump(t, 4, NULL);
	state_bytes(t, 0xdb, 0xe3); /* fninit */
	tr_patch(fine, t->p);
}

/* T0 = the full tag word: all that are not empty may be called valid. T1 is taken. */
static void state_full_tags(struct tr *t)
{
	const struct tr_vex pdep = { .map = 2, .pp = 3, .opcode = 0xf5, .vvvv = TR_T0 };
	const struct tr_rm t0 = tr_reg(TR_T0), t1 = tr_reg(TR_T1);

	tr_op_mem(t, TR_0F | 0xb7, TR_T0, AT(cpu.fpu.valid, 8)); /* movzx */
	tr_op_rm(t, 0x81, 6, &t0, 4);				 /* xor */
	tr_word32(t, 0xff);
	tr_mov_imm(t, TR_T1, TAGS_EMPTY);
	tr_op_vex(t, &pdep, TR_T0, &t1, 0);
	tr_lea(t, TR_T0, (struct tr_mem){ TR_T0, TR_T0, 1, 0 });
}

/* Called; T0 and T1 are taken, flags lost. FCW masks everything. */
static void state_load(struct tr *t)
{
	struct tr_mem env = AT(tr.x87_env, 8);

	state_want_top_0(t);
	for (unsigned int n = 8; n-- > 0;)
		tr_op_mem(t, 0xdb, 5, AT(cpu.fpu.r[n], 8)); /* fld m80 */
	tr_op_mem(t, TR_0F | 0xb7, TR_T0, AT(cpu.fpu.fcw, 8));
	tr_op_mem(t, 0x89, TR_T0, AT(tr.x87_env[ENV_FCW], 8));
	tr_op_mem(t, TR_0F | 0xb7, TR_T0, AT(cpu.fpu.fsw, 8));
	tr_op_mem(t, 0x89, TR_T0, AT(tr.x87_env[ENV_FSW], 8));
	state_full_tags(t);
	tr_op_mem(t, 0x89, TR_T0, AT(tr.x87_env[ENV_FTW], 8));
	tr_op_mem(t, 0xd9, 4, env); /* fldenv */
	tr_store_imm32(t, AT(tr.x87_live, 8), 1);
	tr_byte(t, 0xc3);
}

/*
 * Called at a block's start, T1: its offset in its page. Does not come back if an exception is
 * unmasked, or even pending.
 */
static void state_load_checked(struct tr *t)
{
	struct tr_rm words = { .mem = true, .m = AT(cpu.fpu.fcw, 8) };
	const struct tr_rm t0 = tr_reg(TR_T0);
	uint8_t *unmasked, *pending;

	t->g->load_x87 = (uint32_t)(t->p - t->g->code.rw);
	tr_op_rm(t, 0xf7, 0, &words, 4); /* test */
	tr_word32(t, (X86_FSW_ES | X86_FSW_B) << 16);
	pending = tr_jump(t, 5, NULL);
	tr_op_mem(t, 0x8b, TR_T0, words.m);
	tr_op_rm(t, 0x83, 4, &t0, 1); /* and */
	tr_byte(t, X86_FSW_EXC);
	tr_op_rm(t, 0x83, 7, &t0, 1); /* cmp */
	tr_byte(t, X86_FSW_EXC);
	unmasked = tr_jump(t, 5, NULL);
	t->g->reload_x87 = (uint32_t)(t->p - t->g->code.rw);
	state_load(t);

	tr_patch(pending, t->p);
	tr_patch(unmasked, t->p);
	tr_lea(t, TR_STATE, tr_state(8));
	tr_mov(t, TR_T0, TR_T1);
	tr_op_mem(t, TR_W | 0x03, TR_T0, AT(tr.page_ip, 0));
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->g->interp);
}

/* -- from the host ------------------------------------------------------------------------- */

/* Turn the stack until TOP, which is in c->fpu.fsw, is 0. */
static void state_turn(struct tr *t, unsigned int below)
{
	struct tr_rm m = { .mem = true, .m = AT(cpu.fpu.fsw, below) };

	m.m.disp++;
	for (unsigned int bit = 1; bit < 8; bit *= 2) {
		uint8_t *skip;

		tr_op_rm(t, 0xf6, 0, &m, 1); /* test */
		tr_byte(t, bit << (X86_FSW_TOP_SHIFT - 8));
		skip = tr_jump(t, 4, NULL);
		for (unsigned int n = 0; n < bit; n++)
			state_bytes(t, 0xd9, 0xf6); /* fdecstp */
		tr_patch(skip, t->p);
	}
}

void tr_x87_emit_save(struct tr *t, unsigned int below)
{
	const struct tr_rm live = { .mem = true, .m = AT(tr.x87_live, below) };
	struct tr_mem image = AT(tr.x87_image, below);
	uint8_t *end;

	tr_op_rm(t, 0x83, 7, &live, 1);
	tr_byte(t, 0);
	end = tr_jump(t, 4, NULL);
	tr_op_mem(t, 0xdd, 7, AT(cpu.fpu.fsw, below)); /* fnstsw */
	state_turn(t, below);
	tr_op_mem(t, TR_W | TR_0F | 0xae, 0, image); /* fxsave64 */
	/* Flags may stay, they are nothing to C code; FNINIT takes as long as all of the rest. */
	for (unsigned int n = 0; n < 8; n++)
		state_bytes(t, 0xdd, 0xc0 | n); /* ffree */
	tr_op_mem(t, 0xd9, 5, AT(tr.x87_fcw_host, below));
	image.disp += FX_ST;
	for (unsigned int n = 0; n < 8; n++, image.disp += FX_ST_STEP) {
		tr_load(t, TR_T2, image);
		tr_store(t, AT(cpu.fpu.r[n].mant, below), TR_T2);
		image.disp += 8;
		tr_op_mem(t, TR_0F | 0xb7, TR_T2, image); /* movzx */
		tr_op_mem(t, TR_P66 | 0x89, TR_T2, AT(cpu.fpu.r[n].sign_exp, below));
		image.disp -= 8;
	}
	image = AT(tr.x87_image[FX_TAGS], below);
	tr_op_mem(t, TR_0F | 0xb6, TR_T2, image);
	tr_op_mem(t, TR_P66 | 0x89, TR_T2, AT(cpu.fpu.valid, below));
	tr_store_imm32(t, AT(tr.x87_live, below), 0);
	tr_patch(end, t->p);
}

void tr_x87_make_common(struct tr *t)
{
	state_load_checked(t);
	t->g->exec_x87 = (uint32_t)(t->p - t->g->code.rw);
	/* A group's addend may be in T2. */
	tr_store(t, AT(tr.saved_t2, 8), TR_T2);
	tr_x87_emit_save(t, 8);
	tr_load(t, TR_T2, AT(tr.saved_t2, 8));
	tr_jump(t, TR_ALWAYS, t->g->code.rw + t->g->exec_sse);
}

/* -- the host's unit ----------------------------------------------------------------------- */

/*
 * The interpreter has C1 cleared by FCOMI, as the manual says. Not all processors do it; there
 * FDECSTP and FINCSTP are put behind it, if those leave the other condition codes alone, which they
 * need not. FCMOVcc leaves all of them.
 */
void tr_x87_init(struct soft_tr *g)
{
	uint16_t fcw, before, compared, moved, turned, empty, empty_turned;

	__asm__ volatile("fnstcw %0\n\tfninit\n\tfld1\n\tfchs\n\tfxam\n\tfnstsw %1\n\t" /* C1, C2 */
			 "fcmove %%st(0), %%st\n\tfnstsw %3\n\t"
			 "fcomi %%st(0), %%st\n\tfnstsw %2\n\t"
			 "fdecstp\n\tfincstp\n\tfnstsw %4\n\t"
			 /* C3 and C0: an empty register */
			 "fninit\n\tfxam\n\tfnstsw %5\n\tfdecstp\n\tfincstp\n\tfnstsw %6\n\t"
			 "fninit\n\tfldcw %0"
			 : "=m"(fcw), "=m"(before), "=m"(compared), "=m"(moved), "=m"(turned),
			   "=m"(empty), "=m"(empty_turned)
			 :
			 : "cc");
	g->x87_fcw_host = X86_FCW_INIT;
	g->x87_keeps_c1 = compared & X86_FSW_C1;
	g->x87_can_compare = !((before ^ compared) & OTHER_CONDITIONS);
	g->x87_can_cmov = !((before ^ moved) & X86_FSW_CC);
	g->x87_can_turn = !((compared ^ turned) & OTHER_CONDITIONS) && !(turned & X86_FSW_C1) &&
			  !((empty ^ empty_turned) & OTHER_CONDITIONS);
}

/* -- the caller's control word ------------------------------------------------------------------
 */

/*
 * Handlers, and C code that generated code returns to, count on the one that the ABI starts a
 * thread with. The guest's exception flags, which may be left in the host's, end here: a caller
 * that has some unmasked is not to see them.
 */
void soft_x87_enter(struct soft_tr *g)
{
	static const uint16_t fcw = X86_FCW_INIT;

	__asm__ volatile("fnstcw %0\n\tfnclex\n\tfldcw %1" : "=m"(g->x87_fcw_caller) : "m"(fcw));
}

void soft_x87_leave(const struct soft_tr *g)
{
	__asm__ volatile("fnclex\n\tfldcw %0" : : "m"(g->x87_fcw_caller));
}
