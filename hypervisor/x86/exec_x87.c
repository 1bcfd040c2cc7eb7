/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_x87.c - x87 instructions run natively on the guest's state; availability, tags, and the
 * table of all x87 handlers. Works on struct x86_cpu of the calling thread; owns nothing, saves
 * nothing.
 *
 * An unmasked exception does not trap on the host: the processor reports it at the next waiting
 * instruction, and the next one is FNSAVE, which does not wait and leaves the x87 initialised.
 * Source: Intel SDM Vol 1 ch. 8 "Programming with the x87 FPU"; Vol 2 App. B.17 "Floating-Point
 * Instruction Formats and Encodings".
 */
#include "x86/exec_x87.h"
#include "os/hvm_os.h"

/* -- availability ------------------------------------------------------------------------- */

int x86_fpu_refuse(struct x86_cpu *c, bool waiting)
{
	if (c->cr0 & (X86_CR0_EM | X86_CR0_TS))
		return x86_raise(c, X86_NM);
	if (!waiting || !(c->fpu.fsw & X86_FSW_ES))
		return X86_NEXT;
	if (c->cr0 & X86_CR0_NE)
		return x86_raise(c, X86_MF);
	/* As with IGNNE asserted: the interrupt is on its way, the instruction runs. */
	if (c->env->ferr)
		c->env->ferr(c->env_arg);
	return X86_NEXT;
}

void x86_fpu_init(struct x86_fpu *f)
{
	f->fcw = X86_FCW_INIT;
	f->fsw = 0;
	f->valid = 0;
	f->fop = 0;
	f->fip = f->fdp = 0;
	f->fcs = f->fds = 0;
}

uint16_t x86_fpu_full_tags(const struct x86_fpu *f)
{
	unsigned int n, tags = 0, tag;

	for (n = 0; n < 8; n++) {
		const struct x86_fpreg *r = &f->r[n];
		unsigned int exp = r->sign_exp & 0x7fff;

		if (!((f->valid >> n) & 1))
			tag = 3; /* empty */
		else if (exp == 0 && r->mant == 0)
			tag = 1; /* zero */
		else if (exp == 0 || exp == 0x7fff || !(r->mant >> 63))
			tag = 2; /* denormal, infinity, NaN, unsupported */
		else
			tag = 0;
		tags |= tag << (2 * n);
	}
	return (uint16_t)tags;
}

/* -- host instructions -------------------------------------------------------------------- */

/*
 * One stub of 4 bytes for each x87 instruction: D8 to DF with ModRM C0 to FF, and with a memory
 * operand at (%rdi) for each value of the reg field.
 */
/* clang-format off */
#define STUB_ESCAPE(esc) \
	".set x87_modrm, 0xc0\n" \
	".rept 64\n" \
	".byte " #esc ", x87_modrm, 0xc3, 0xcc\n" \
	".set x87_modrm, x87_modrm + 1\n" \
	".endr\n"
#define STUB_MEMORY(esc) \
	".set x87_modrm, 0x07\n" \
	".rept 8\n" \
	".byte " #esc ", x87_modrm, 0xc3, 0xcc\n" \
	".set x87_modrm, x87_modrm + 8\n" \
	".endr\n"
__asm__(".pushsection .text\n"
	".balign 64\n"
	".globl x87_stubs_reg\n.hidden x87_stubs_reg\n"
	"x87_stubs_reg:\n"
	STUB_ESCAPE(0xd8) STUB_ESCAPE(0xd9) STUB_ESCAPE(0xda) STUB_ESCAPE(0xdb)
	STUB_ESCAPE(0xdc) STUB_ESCAPE(0xdd) STUB_ESCAPE(0xde) STUB_ESCAPE(0xdf)
	".globl x87_stubs_mem\n.hidden x87_stubs_mem\n"
	"x87_stubs_mem:\n"
	STUB_MEMORY(0xd8) STUB_MEMORY(0xd9) STUB_MEMORY(0xda) STUB_MEMORY(0xdb)
	STUB_MEMORY(0xdc) STUB_MEMORY(0xdd) STUB_MEMORY(0xde) STUB_MEMORY(0xdf)
	/* uint16_t x87_run(struct x87_image *, const void *stub, void *operand, uint32_t flags) */
	".globl x87_run\n.hidden x87_run\n"
	".type x87_run, @function\n"
	"x87_run:\n"
	"	push %rbx\n"
	"	mov %rdi, %rbx\n"
	"	mov %rdx, %rdi\n"
	"	frstor (%rbx)\n"
	"	mov %ecx, %eax\n"
	"	sahf\n"
	"	call *%rsi\n"
	"	lahf\n"
	"	fnsave (%rbx)\n"
	"	movzwl %ax, %eax\n"
	"	pop %rbx\n"
	"	ret\n"
	".size x87_run, . - x87_run\n"
	".popsection");
/* clang-format on */

extern const uint8_t x87_stubs_reg[8 * 64 * 4] __attribute__((visibility("hidden")));
extern const uint8_t x87_stubs_mem[8 * 8 * 4] __attribute__((visibility("hidden")));

/* FNSAVE's 32-bit protected-mode format, which is what it has in 64-bit code too. */
struct x87_image {
	uint16_t fcw, fcw_high;
	uint16_t fsw, fsw_high;
	uint16_t ftw, ftw_high;
	uint32_t pointers[4];
	uint8_t st[8][10];
} __attribute__((packed));
_Static_assert(sizeof(struct x87_image) == 108, "the image of FNSAVE has 108 bytes");

/*
 * Run @stub on the state in @m. @flags, and the result: EFLAGS as SAHF takes them from and LAHF
 * puts them into AX. The host's control word is kept; its flags are clear afterwards.
 */
uint16_t x87_run(struct x87_image *m, const void *stub, void *operand, uint32_t flags);

static uint16_t run_kept(struct x87_image *m, const void *stub, void *operand, uint32_t flags)
{
	uint16_t host_fcw, ret;

	__asm__ volatile("fnstcw %0" : "=m"(host_fcw));
	ret = x87_run(m, stub, operand, flags);
	__asm__ volatile("fldcw %0" : : "m"(host_fcw));
	return ret;
}

static void image_from_fpu(const struct x86_fpu *f, struct x87_image *m)
{
	unsigned int n, top = (f->fsw & X86_FSW_TOP) >> X86_FSW_TOP_SHIFT;

	memset(m, 0, offsetof(struct x87_image, st));
	m->fcw = (f->fcw & X86_FCW_WRITABLE) | X86_FCW_FIXED;
	/* A pending exception (the guest runs with IGNNE) would trap on the host: put it aside. */
	m->fsw = (uint16_t)(f->fsw & ~(X86_FSW_ES | X86_FSW_B | (~f->fcw & X86_FSW_EXC)));
	m->ftw = x86_fpu_full_tags(f);
	for (n = 0; n < 8; n++)
		memcpy(m->st[n], &f->r[(top + n) & 7], 10);
}

static void image_to_fpu(const struct x87_image *m, struct x86_fpu *f)
{
	unsigned int n, top = (m->fsw & X86_FSW_TOP) >> X86_FSW_TOP_SHIFT;

	f->fsw =
		(uint16_t)((m->fsw & ~(X86_FSW_ES | X86_FSW_B)) | (f->fsw & ~f->fcw & X86_FSW_EXC));
	x86_fpu_update_es(f);
	f->valid = 0;
	for (n = 0; n < 8; n++) {
		memcpy(&f->r[(top + n) & 7], m->st[n], 10);
		if (((m->ftw >> (2 * n)) & 3) != 3)
			f->valid |= (uint16_t)(1u << n);
	}
}

static const void *stub_reg(const struct x86_insn *i)
{
	return &x87_stubs_reg[((i->opcode & 7u) * 64 + (i->modrm & 63u)) * 4];
}

static const void *stub_mem(const struct x86_insn *i)
{
	return &x87_stubs_mem[((i->opcode & 7u) * 8 + ((i->modrm >> 3) & 7u)) * 4];
}

int x87_native_reg(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x87_image m;
	uint16_t ax;

	X86_FPU_CHECK(c);
	image_from_fpu(&c->fpu, &m);
	ax = run_kept(&m, stub_reg(i), NULL, c->arith);
	image_to_fpu(&m, &c->fpu);
	switch (i->op) {
	case X86_OP_FCOMI:
	case X86_OP_FCOMIP:
	case X86_OP_FUCOMI:
	case X86_OP_FUCOMIP:
		c->arith = ax & 0xff00; /* OF is cleared */
		/* So says the manual, but some processors leave it. */
		c->fpu.fsw &= (uint16_t)~X86_FSW_C1;
		break;
	}
	x87_note_insn(c, i);
	return X86_NEXT;
}

int x87_native_operand(struct x86_cpu *c, const struct x86_insn *i, void *op)
{
	struct x87_image m;

	image_from_fpu(&c->fpu, &m);
	run_kept(&m, stub_mem(i), op, 0);
	image_to_fpu(&m, &c->fpu);
	x87_note_mem(c, i, x86_ea_offset(c, i));
	return X86_NEXT;
}

int x87_native_load(struct x86_cpu *c, const struct x86_insn *i)
{
	_Alignas(16) uint8_t buf[16];
	gva_t gva;

	X86_FPU_CHECK(c);
	if (!x86_ea(c, i, i->msize, false, &gva) || !x86_get_bytes(c, gva, buf, i->msize))
		return X86_ABORT;
	return x87_native_operand(c, i, buf);
}

/*
 * A store runs on the host into a buffer first: whether it writes depends on the exceptions, and
 * the guest's memory may fault.
 */
int x87_native_store(struct x86_cpu *c, const struct x86_insn *i)
{
	_Alignas(16) uint8_t buf[16];
	struct x87_image m;
	gva_t gva;

	X86_FPU_CHECK(c);
	image_from_fpu(&c->fpu, &m);
	run_kept(&m, stub_mem(i), buf, 0);
	if (!x86_ea(c, i, i->msize, true, &gva))
		return X86_ABORT;
	/* Unmasked, all but the inexact result leave the memory alone; but it must be writable. */
	if (m.fsw & ~m.fcw & (X86_FSW_EXC & ~X86_FP_PE)) {
		if (!x86_ptr_w_fast(c, gva, i->msize) && !x86_probe_w(c, gva, i->msize))
			return X86_ABORT;
	} else if (!x86_put_bytes(c, gva, buf, i->msize)) {
		return X86_ABORT;
	}
	image_to_fpu(&m, &c->fpu);
	x87_note_mem(c, i, x86_ea_offset(c, i));
	return X86_NEXT;
}

/* -- the table ---------------------------------------------------------------------------- */

/* clang-format off */
#define RR(op, fn)	{ X86_OP_##op, X86_FORM_RR, X86_ANY, fn }
#define NONE(op, fn)	{ X86_OP_##op, X86_FORM_NONE, X86_ANY, fn }
#define MEM(op, size, fn) { X86_OP_##op, X86_FORM_M, size, fn }
#define NATIVE(op)	{ X86_OP_##op, X86_FORM_NONE, X86_ANY, x87_native_reg }
#define INT_LOAD(op)	{ X86_OP_##op, X86_FORM_M, X86_ANY, x87_native_load }
#define ARITH(op, ins) \
	RR(op, x87_##op##_rr), RR(op##P, x87_##op##P_rr), \
	MEM(op, 2, x87_##op##_m32), MEM(op, 3, x87_##op##_m64),

static const struct x86_exec_row rows[] = {
	X87_ARITH_OPS(ARITH)
	INT_LOAD(FIADD), INT_LOAD(FIMUL), INT_LOAD(FICOM), INT_LOAD(FICOMP),
	INT_LOAD(FISUB), INT_LOAD(FISUBR), INT_LOAD(FIDIV), INT_LOAD(FIDIVR),
	RR(FCOM, x87_fcom_rr), MEM(FCOM, 2, x87_fcom_m32), MEM(FCOM, 3, x87_fcom_m64),
	RR(FCOMP, x87_fcomp_rr), MEM(FCOMP, 2, x87_fcomp_m32), MEM(FCOMP, 3, x87_fcomp_m64),
	RR(FCOMPP, x87_fcompp), RR(FUCOM, x87_fucom_rr), RR(FUCOMP, x87_fucomp_rr),
	RR(FUCOMPP, x87_fucompp), RR(FCOMI, x87_fcomi), RR(FCOMIP, x87_fcomip),
	RR(FUCOMI, x87_fucomi), RR(FUCOMIP, x87_fucomip), RR(FCMOVCC, x87_fcmov),
	RR(FLD, x87_fld_st), MEM(FLD, 2, x87_fld_m32), MEM(FLD, 3, x87_fld_m64), MEM(FLD, 4, x87_fld_m80),
	RR(FST, x87_fst_st), MEM(FST, 2, x87_fst_m32), MEM(FST, 3, x87_fst_m64),
	RR(FSTP, x87_fstp_st), MEM(FSTP, 2, x87_fstp_m32), MEM(FSTP, 3, x87_fstp_m64),
	MEM(FSTP, 4, x87_fstp_m80),
	MEM(FILD, 1, x87_fild_m16), MEM(FILD, 2, x87_fild_m32), MEM(FILD, 3, x87_fild_m64),
	MEM(FIST, 1, x87_fist_m16), MEM(FIST, 2, x87_fist_m32),
	MEM(FISTP, 1, x87_fistp_m16), MEM(FISTP, 2, x87_fistp_m32), MEM(FISTP, 3, x87_fistp_m64),
	MEM(FISTTP, 1, x87_fisttp_m16), MEM(FISTTP, 2, x87_fisttp_m32), MEM(FISTTP, 3, x87_fisttp_m64),
	MEM(FBLD, X86_ANY, x87_native_load), MEM(FBSTP, X86_ANY, x87_native_store),
	RR(FXCH, x87_fxch),
	NONE(FCHS, x87_fchs), NONE(FABS, x87_fabs), NONE(FLD1, x87_fld1), NONE(FLDZ, x87_fldz),
	NONE(FSQRT, x87_fsqrt), NONE(FRNDINT, x87_frndint),
	NATIVE(FTST), NATIVE(FXAM), NATIVE(FLDL2T), NATIVE(FLDL2E), NATIVE(FLDPI), NATIVE(FLDLG2),
	NATIVE(FLDLN2), NATIVE(F2XM1), NATIVE(FYL2X), NATIVE(FPTAN), NATIVE(FPATAN),
	NATIVE(FXTRACT), NATIVE(FPREM1), NATIVE(FPREM), NATIVE(FYL2XP1), NATIVE(FSINCOS),
	NATIVE(FSCALE), NATIVE(FSIN), NATIVE(FCOS),
	NONE(FNOP, x87_fnop), NONE(FNOP_LEGACY, x87_fnop_legacy), NONE(FWAIT, x87_fwait),
	{ X86_OP_FFREE, X86_FORM_R, X86_ANY, x87_ffree },
	{ X86_OP_FFREEP, X86_FORM_R, X86_ANY, x87_native_reg },
	NONE(FINCSTP, x87_fincstp), NONE(FDECSTP, x87_fdecstp),
	NONE(FNCLEX, x87_fnclex), NONE(FNINIT, x87_fninit),
	{ X86_OP_FNSTSW_AX, X86_FORM_R, X86_ANY, x87_fnstsw_ax },
	MEM(FLDCW, X86_ANY, x87_fldcw), MEM(FNSTCW, X86_ANY, x87_fnstcw),
	MEM(FNSTSW, X86_ANY, x87_fnstsw), MEM(FLDENV, X86_ANY, x87_fldenv),
	MEM(FNSTENV, X86_ANY, x87_fnstenv), MEM(FRSTOR, X86_ANY, x87_frstor),
	MEM(FNSAVE, X86_ANY, x87_fnsave),
};
/* clang-format on */

const struct x86_exec_table x86_exec_x87 = { rows, HVM_ARRAY_SIZE(rows) };
