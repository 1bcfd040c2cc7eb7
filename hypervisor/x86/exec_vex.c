/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_vex.c - VEX-encoded instructions: AVX, AVX2, FMA, F16C, BMI. The host has them, or the
 * domain's CPU model would have been refused, so each is executed by the very same instruction of
 * the host on fixed registers: one stub an encoding (and value of the immediate), which the
 * assembler makes from vex.def. What moves memory in a way of its own is in exec_vex_mem.c.
 *
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 * Source: Intel SDM Vol 2A 2.3 "Intel Advanced Vector Extensions", 2.4 "AVX and SSE Instruction
 * Exception Classification"; Vol 1 ch. 14 "Programming with AVX, FMA, and AVX2".
 */
#include "x86/exec_vex.h"

/* -- stubs --------------------------------------------------------------------------------- */

/*
 * Of 8 bytes: the instruction with ModRM.reg 0 (or the opcode's), VEX.vvvv 1, ModRM.rm 6 (a
 * register), a fourth register 2, and RET. For each row by W, L and immediate, as far as they vary.
 */
/* clang-format off */
#define STUB_STR(...) STUB_STR2(__VA_ARGS__)
#define STUB_STR2(...) #__VA_ARGS__
#define STUB_PP_NP 0
#define STUB_PP_66 1
#define STUB_PP_F3 2
#define STUB_PP_F2 3
#define STUB_EXT_NO 0
#define STUB_EXT_1 1
#define STUB_EXT_2 2
#define STUB_EXT_3 3
#define STUB_EXT_4 4
#define STUB_EXT_6 6
#define STUB_EXT_7 7
#define STUB_V_NO 0x78
#define STUB_V_Vr 0x70
#define STUB_V_Vw 0x70
#define STUB_V_Gr 0x70
#define STUB_V_Gw 0x70
/* First value, how many. */
#define STUB_L_L0  0, 1
#define STUB_L_L1  1, 1
#define STUB_L_LX  0, 2
#define STUB_L_LIG 0, 1
#define STUB_W_W0  0, 1
#define STUB_W_W1  1, 1
#define STUB_W_WX  0, 1
#define STUB_W_WG  0, 2
/* There is one; its first value, how many. */
#define STUB_I_NO  0, 0, 1
#define STUB_I_IS4 1, 0x20, 1
#define STUB_I_2   1, 0, 2
#define STUB_I_4   1, 0, 4
#define STUB_I_8   1, 0, 8
#define STUB_I_16  1, 0, 16
#define STUB_I_17  1, 0, 17
#define STUB_I_32  1, 0, 32
#define STUB_I_33  1, 0, 33
#define STUB_I_64  1, 0, 64
#define STUB_I_65  1, 0, 65
#define STUB_I_256 1, 0, 256
#define STUB_KIND_NATIVE 1
#define STUB_KIND_MOVE 0
#define STUB_KIND_HALF 0
#define STUB_KIND_BROADCAST 0
#define STUB_KIND_ZERO 0
#define STUB_KIND_MXCSR 0
#define STUB_KIND_MASKMOV 0
#define STUB_KIND_GATHER 0
#define STUB_KIND_STRING 0
#define STUB_KIND_MASKDQU 0

__asm__(
	".macro x86_vex_row map, op, pp, ext, v, l, ls, w, ws, has_imm, i, is, native\n"
	"	.pushsection .rodata\n"
	"	.long 9f - x86_vex_stubs\n"
	"	.popsection\n"
	"9:\n"
	"	.set x86_vex_w, \\w\n"
	"	.rept \\ws * \\native\n"
	"	.set x86_vex_l, \\l\n"
	"	.rept \\ls\n"
	"	.set x86_vex_i, \\i\n"
	"	.rept \\is\n"
	"	.byte 0xc4, 0xe0 | \\map, x86_vex_w << 7 | \\v | x86_vex_l << 2 | \\pp, \\op\n"
	"	.byte 0xc6 | \\ext << 3\n"
	"	.if \\has_imm\n"
	"	.byte x86_vex_i\n"
	"	.endif\n"
	"	.byte 0xc3\n"
	"	.balign 8, 0xcc\n"
	"	.set x86_vex_i, x86_vex_i + 1\n"
	"	.endr\n"
	"	.set x86_vex_l, x86_vex_l + 1\n"
	"	.endr\n"
	"	.set x86_vex_w, x86_vex_w + 1\n"
	"	.endr\n"
	".endm\n"
	".pushsection .rodata\n"
	".balign 4\n"
	".globl x86_vex_offsets\n.hidden x86_vex_offsets\n"
	"x86_vex_offsets:\n"
	".popsection\n"
	".pushsection .text\n"
	".balign 64\n"
	".globl x86_vex_stubs\n.hidden x86_vex_stubs\n"
	"x86_vex_stubs:\n"
#define VEX(name, map, op, pp, ext, l, w, reg, vvvv, rm, size, imm, kind, fp, flags) \
	"x86_vex_row " #map ", 0x" #op ", " STUB_STR(STUB_PP_##pp) ", " STUB_STR(STUB_EXT_##ext) ", " \
		STUB_STR(STUB_V_##vvvv) ", " STUB_STR(STUB_L_##l) ", " STUB_STR(STUB_W_##w) ", " \
		STUB_STR(STUB_I_##imm) ", " STUB_STR(STUB_KIND_##kind) "\n"
#include "x86/vex.def"
#undef VEX
	".popsection");

/*
 * Call a stub at RSI with the registers of struct vex_frame at RDI, and flags as in c->arith.
 * x86_vex_run_general: without vectors.
 */
__asm__(
	".pushsection .text\n"
	".globl x86_vex_run\n.hidden x86_vex_run\n.type x86_vex_run, @function\n"
	"x86_vex_run:\n"
	"	vmovdqu (%rdi), %ymm0\n"
	"	vmovdqu 32(%rdi), %ymm1\n"
	"	vmovdqu 64(%rdi), %ymm2\n"
	"	vmovdqu 96(%rdi), %ymm6\n"
	"	call x86_vex_run_general\n"
	"	vmovdqu %ymm0, (%rdi)\n"
	"	vmovdqu %ymm1, 32(%rdi)\n"
	"	vmovdqu %ymm6, 96(%rdi)\n"
	"	vzeroupper\n"
	"	ret\n"
	".size x86_vex_run, . - x86_vex_run\n"
	".globl x86_vex_run_general\n.hidden x86_vex_run_general\n"
	".type x86_vex_run_general, @function\n"
	"x86_vex_run_general:\n"
	"	mov %rsi, %r8\n"
	"	movzwl 160(%rdi), %eax\n"
	"	add $0x7f, %al\n"
	"	sahf\n"
	"	mov 128(%rdi), %rax\n"
	"	mov 136(%rdi), %rcx\n"
	"	mov 144(%rdi), %rdx\n"
	"	mov 152(%rdi), %rsi\n"
	"	call *%r8\n"
	"	mov %rax, 128(%rdi)\n"
	"	mov %rcx, 136(%rdi)\n"
	"	mov %rsi, 152(%rdi)\n"
	"	lahf\n"
	"	seto %al\n"
	"	mov %ax, 160(%rdi)\n"
	"	ret\n"
	".size x86_vex_run_general, . - x86_vex_run_general\n"
	".popsection");
/* clang-format on */

struct vex_frame {
	uint8_t reg[X86_YMM_BYTES];
	uint8_t vvvv[X86_YMM_BYTES];
	uint8_t fourth[X86_YMM_BYTES];
	uint8_t rm[X86_YMM_BYTES];
	uint64_t gpr_reg, gpr_vvvv, gpr_rdx, gpr_rm;
	uint16_t arith;
};
_Static_assert(offsetof(struct vex_frame, rm) == 96 && offsetof(struct vex_frame, gpr_reg) == 128 &&
		       offsetof(struct vex_frame, arith) == 160,
	       "x86_vex_run knows the layout");

extern const uint8_t x86_vex_stubs[] __attribute__((visibility("hidden")));
extern const uint32_t x86_vex_offsets[] __attribute__((visibility("hidden")));
void x86_vex_run(struct vex_frame *f, const void *stub);
void x86_vex_run_general(struct vex_frame *f, const void *stub);

static const void *vex_stub(const struct x86_insn *i, const struct x86_vex_row *r)
{
	unsigned int count = r->imm && r->imm != X86_VEX_IMM_IS4 ? r->imm : 1;
	unsigned int imm = (uint8_t)i->imm, n = 0;

	if (r->w == X86_VEX_WG)
		n = (i->vex & X86_VEX_PREFIX_W) != 0;
	if (r->l == X86_VEX_LX)
		n = n * 2 + ((i->vex & X86_VEX_PREFIX_L) != 0);
	if ((r->flags & X86_VEX_ELEMENT) && x86_vex_has_mem(i))
		imm &= 0x3f;
	if (r->flags & X86_VEX_CLAMP)
		imm = imm < count ? imm : count - 1;
	else
		imm &= count - 1;
	return x86_vex_stubs + x86_vex_offsets[i->row] + (n * count + imm) * 8;
}

/* -- availability -------------------------------------------------------------------------- */

int x86_avx_refuse(struct x86_cpu *c)
{
	return x86_raise(c, c->mode & X86_MODE_AVX ? X86_NM : X86_UD);
}

/* BMI instructions exist in protected mode, whatever XCR0 holds. */
static bool vex_blocked(struct x86_cpu *c, const struct x86_vex_row *r)
{
	if (r->flags & X86_VEX_GPR) {
		if ((c->mode & (X86_MODE_PE | X86_MODE_VM)) == X86_MODE_PE)
			return false;
		x86_raise(c, X86_UD);
		return true;
	}
	if (!x86_avx_blocked(c))
		return false;
	x86_avx_refuse(c);
	return true;
}

/* -- memory -------------------------------------------------------------------------------- */

static bool vex_address(struct x86_cpu *c, const struct x86_insn *i, bool write, gva_t *ret)
{
	if (!x86_ea(c, i, i->msize, write, ret))
		return false;
	if ((x86_vex_row(i)->flags & X86_VEX_ALIGN) && (*ret & (i->msize - 1u))) {
		x86_raise_err(c, X86_GP, 0);
		return false;
	}
	return true;
}

/* A store that would fault does so ahead of the operation's own exceptions. */
static bool vex_probe(struct x86_cpu *c, const struct x86_insn *i)
{
	gva_t gva;

	if (!vex_address(c, i, true, &gva))
		return false;
	if (x86_probe_area(c, gva, i->msize))
		return true;
	(void)x86_mem_fault(c, i);
	return false;
}

bool x86_vex_load(struct x86_cpu *c, const struct x86_insn *i, void *buf)
{
	const void *p;
	gva_t gva;

	if (!vex_address(c, i, false, &gva))
		return false;
	p = x86_ptr_r_fast(c, gva, i->msize);
	if (p) {
		x86_vex_copy(buf, p, i->msize);
		return true;
	}
	if (x86_load_slow(c, gva, buf, i->msize))
		return true;
	(void)x86_mem_fault(c, i);
	return false;
}

bool x86_vex_store(struct x86_cpu *c, const struct x86_insn *i, const void *buf)
{
	void *p;
	gva_t gva;

	if (!vex_address(c, i, true, &gva))
		return false;
	p = x86_ptr_w_fast(c, gva, i->msize);
	if (p) {
		x86_vex_copy(p, buf, i->msize);
		return true;
	}
	if (x86_store_slow(c, gva, buf, i->msize))
		return true;
	(void)x86_mem_fault(c, i);
	return false;
}

/* -- the host's instruction ---------------------------------------------------------------- */

static bool vex_read(struct x86_cpu *c, const struct x86_insn *i, const struct x86_vex_row *r,
		     struct vex_frame *f)
{
	memset(f->rm, 0, sizeof(f->rm));
	f->gpr_rm = 0;
	if (x86_vex_has_mem(i)) {
		void *to = r->rm & X86_VEX_VECTOR ? (void *)f->rm : (void *)&f->gpr_rm;

		if (!(r->rm & X86_VEX_WRITTEN) ? !x86_vex_load(c, i, to)
					       : r->fp && !vex_probe(c, i))
			return false;
	} else {
		x86_get_ymm(c, i->src, f->rm);
		f->gpr_rm = c->gpr[i->src];
	}
	x86_get_ymm(c, i->dst, f->reg);
	x86_get_ymm(c, i->vreg, f->vvvv);
	x86_get_ymm(c, (uint8_t)i->imm >> 4, f->fourth);
	f->gpr_reg = c->gpr[i->dst];
	f->gpr_vvvv = c->gpr[i->vreg];
	f->gpr_rdx = c->gpr[X86_RDX];
	f->arith = c->arith;
	return true;
}

/* MULX writes the low half first. */
static bool vex_write(struct x86_cpu *c, const struct x86_insn *i, const struct x86_vex_row *r,
		      const struct vex_frame *f)
{
	if (r->rm & X86_VEX_WRITTEN) {
		bool vector = r->rm & X86_VEX_VECTOR;

		if (x86_vex_has_mem(i))
			return x86_vex_store(
				c, i, vector ? (const void *)f->rm : (const void *)&f->gpr_rm);
		if (vector)
			x86_put_ymm(c, i->src, f->rm);
		else
			c->gpr[i->src] = f->gpr_rm;
	}
	if (r->vvvv & X86_VEX_WRITTEN) {
		if (r->vvvv & X86_VEX_VECTOR)
			x86_put_ymm(c, i->vreg, f->vvvv);
		else
			c->gpr[i->vreg] = f->gpr_vvvv;
	}
	if (r->reg & X86_VEX_WRITTEN) {
		if (r->reg & X86_VEX_VECTOR)
			x86_put_ymm(c, i->dst, f->reg);
		else
			c->gpr[i->dst] = f->gpr_reg;
	}
	if (r->flags & X86_VEX_EFLAGS)
		c->arith = f->arith;
	return true;
}

/* Is a lane of the result tiny? */
static bool vex_tiny(const struct x86_insn *i, const struct x86_vex_row *r,
		     const struct vex_frame *f)
{
	const uint8_t *v = r->reg & X86_VEX_WRITTEN ? f->reg : f->rm;
	unsigned int bytes = x86_vex_bytes(i);
	x86_vec lane[2];

	memcpy(lane, v, sizeof(lane));
	switch (r->fp) {
	case X86_VEX_FP_SS: return x86_fp_lanes_tiny(lane[0], X86_TINY_SS);
	case X86_VEX_FP_SD: return x86_fp_lanes_tiny(lane[0], X86_TINY_SD);
	case X86_VEX_FP_PS:
		return x86_fp_lanes_tiny(lane[0], X86_TINY_PS) ||
		       (bytes == 32 && x86_fp_lanes_tiny(lane[1], X86_TINY_PS));
	case X86_VEX_FP_PD:
		return x86_fp_lanes_tiny(lane[0], X86_TINY_PD) ||
		       (bytes == 32 && x86_fp_lanes_tiny(lane[1], X86_TINY_PD));
	case X86_VEX_FP_PH:
		for (unsigned int n = 0; n < bytes / 2; n += 2) {
			unsigned int half = v[n] | (unsigned int)v[n + 1] << 8;

			if (!(half & 0x7c00) && (half & 0x03ff))
				return true;
		}
	}
	return false;
}

/*
 * Under the guest's rounding, with all exceptions masked; *ret_mxcsr: with the flags. false: an
 * unmasked one is raised.
 */
static bool vex_run_fp(struct x86_cpu *c, const struct x86_insn *i, const struct x86_vex_row *r,
		       struct vex_frame *f, uint32_t *ret_mxcsr)
{
	uint32_t run = (c->fpu.mxcsr & X86_MXCSR_CONTROL) | X86_MXCSR_MASKS, host;

	__asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(host) : "m"(run) : "memory");
	x86_vex_run(f, vex_stub(i, r));
	__asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(run) : "m"(host) : "memory");
	return x86_fp_account(c, run & X86_MXCSR_FLAGS, vex_tiny(i, r, f), ret_mxcsr);
}

static int vex_native(struct x86_cpu *c, const struct x86_insn *i)
{
	const struct x86_vex_row *r = x86_vex_row(i);
	uint32_t mxcsr = c->fpu.mxcsr;
	struct vex_frame f;

	if (vex_blocked(c, r) || !vex_read(c, i, r, &f))
		return X86_ABORT;
	if (r->flags & X86_VEX_GPR)
		x86_vex_run_general(&f, vex_stub(i, r));
	else if (!r->fp)
		x86_vex_run(&f, vex_stub(i, r));
	else if (!vex_run_fp(c, i, r, &f, &mxcsr))
		return X86_ABORT;
	if (!vex_write(c, i, r, &f))
		return X86_ABORT;
	c->fpu.mxcsr = mxcsr;
	return X86_NEXT;
}

x86_exec_fn x86_bind_vex(const struct x86_insn *i)
{
	const struct x86_vex_row *r = x86_vex_row(i);

	return r->kind == X86_VEX_NATIVE ? vex_native : x86_vex_handlers[r->kind];
}
