/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_sse4.c - SSSE3, SSE4.1 and SSE4.2 operations that have an XMM form only or need more than
 * exec_sse_int.c's patterns: shuffles, blends, insert and extract, widening moves, string compares.
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 * Source: Intel SDM Vol 2 "PALIGNR", "PBLENDVB", ... ; 4.1 "Imm8 Control Byte Operation for
 * PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM".
 */
#include "os/hvm_os.h"
#include "x86/exec_sse.h"

/* -- dst = dst op src --------------------------------------------------------------------- */

/* X(operation, host instruction, memory loader) */
/* clang-format off */
#define BINARY_OPS(X) \
	X(PACKUSDW, "packusdw", x86_load_a16) \
	X(PCMPGTQ, "pcmpgtq", x86_load_a16) \
	X(PCMPEQQ, "pcmpeqq", x86_load_a16) \
	X(PMULLD, "pmulld", x86_load_a16) \
	X(PMULDQ, "pmuldq", x86_load_a16) \
	X(PMINSB, "pminsb", x86_load_a16) \
	X(PMINUW, "pminuw", x86_load_a16) \
	X(PMINSD, "pminsd", x86_load_a16) \
	X(PMINUD, "pminud", x86_load_a16) \
	X(PMAXSB, "pmaxsb", x86_load_a16) \
	X(PMAXUW, "pmaxuw", x86_load_a16) \
	X(PMAXSD, "pmaxsd", x86_load_a16) \
	X(PMAXUD, "pmaxud", x86_load_a16) \
	X(PHMINPOSUW, "phminposuw", x86_load_a16) \
	X(PSHUFB, "pshufb", x86_load_a16) \
	X(PMOVSXBW, "pmovsxbw", x86_load_lo8) \
	X(PMOVSXBD, "pmovsxbd", x86_load_lo4) \
	X(PMOVSXBQ, "pmovsxbq", x86_load_lo2) \
	X(PMOVSXWD, "pmovsxwd", x86_load_lo8) \
	X(PMOVSXWQ, "pmovsxwq", x86_load_lo4) \
	X(PMOVSXDQ, "pmovsxdq", x86_load_lo8) \
	X(PMOVZXBW, "pmovzxbw", x86_load_lo8) \
	X(PMOVZXBD, "pmovzxbd", x86_load_lo4) \
	X(PMOVZXBQ, "pmovzxbq", x86_load_lo2) \
	X(PMOVZXWD, "pmovzxwd", x86_load_lo8) \
	X(PMOVZXWQ, "pmovzxwq", x86_load_lo4) \
	X(PMOVZXDQ, "pmovzxdq", x86_load_lo8)
/* clang-format on */
#define BINARY_DEFINE(op, ins, load) \
	X86_VEC_KERNEL(op, ins) \
	X86_VEC_XMM(op, load)
BINARY_OPS(BINARY_DEFINE)

/* The MMX form has 8 bytes to pick from: bit 3 of an index is ignored. */
static inline x86_vec k_mmx_pshufb(x86_vec a, x86_vec b)
{
	return k_PSHUFB(a, x86_vec_lo((uint64_t)b[0] & 0x8787878787878787));
}
X86_VEC_MMX(PSHUFB, k_mmx_pshufb, x86_load_lo8)

/* -- with an immediate -------------------------------------------------------------------- */

X86_IMM_STUBS(PALIGNR, 256, 8, "palignr $x86_imm, %xmm1, %xmm0")
X86_IMM_STUBS(BLENDPS, 256, 8, "blendps $x86_imm, %xmm1, %xmm0")
X86_IMM_STUBS(BLENDPD, 256, 8, "blendpd $x86_imm, %xmm1, %xmm0")
X86_IMM_STUBS(PBLENDW, 256, 8, "pblendw $x86_imm, %xmm1, %xmm0")
X86_IMM_STUBS(MPSADBW, 256, 8, "mpsadbw $x86_imm, %xmm1, %xmm0")
X86_IMM_STUBS(INSERTPS, 256, 8, "insertps $x86_imm, %xmm1, %xmm0")
X86_IMM_XMM(PALIGNR, x86_load_a16)
X86_IMM_XMM(BLENDPS, x86_load_a16)
X86_IMM_XMM(BLENDPD, x86_load_a16)
X86_IMM_XMM(PBLENDW, x86_load_a16)
X86_IMM_XMM(MPSADBW, x86_load_a16)

static int insertps_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	x86_put_xmm(c, i->dst,
		    stub_INSERTPS((uint8_t)i->imm)(x86_get_xmm(c, i->dst), x86_get_xmm(c, i->src)));
	return X86_NEXT;
}

/* From memory there is one element: bits 7:6 do not count. */
static int insertps_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec b;

	X86_SSE_CHECK(c);
	if (!x86_load_lo4(c, i, &b))
		return X86_ABORT;
	x86_put_xmm(c, i->dst, stub_INSERTPS((uint8_t)i->imm & 0x3f)(x86_get_xmm(c, i->dst), b));
	return X86_NEXT;
}

static void palignr_mmx(struct x86_cpu *c, const struct x86_insn *i, uint64_t src)
{
	unsigned int n = (uint8_t)i->imm;
	unsigned __int128 both = (unsigned __int128)c->fpu.r[i->dst & 7].mant << 64 | src;

	x86_put_mmx(c, i->dst, n < 16 ? (uint64_t)(both >> (8 * n)) : 0);
}

static int m_palignr_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_MMX_CHECK(c);
	palignr_mmx(c, i, c->fpu.r[i->src & 7].mant);
	return X86_NEXT;
}

static int m_palignr_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec b;

	X86_MMX_CHECK(c);
	if (!x86_load_lo8(c, i, &b))
		return X86_ABORT;
	palignr_mmx(c, i, (uint64_t)b[0]);
	return X86_NEXT;
}

/* -- blends by XMM0 ----------------------------------------------------------------------- */

/* clang-format off */
#define BLENDV_OPS(X) \
	X(BLENDVPS, "blendvps") \
	X(BLENDVPD, "blendvpd") \
	X(PBLENDVB, "pblendvb")
/* clang-format on */
#define BLENDV_DEFINE(op, ins) \
	static inline void put_##op(struct x86_cpu *c, unsigned int dst, x86_vec b) \
	{ \
		x86_vec a = x86_get_xmm(c, dst), mask = x86_get_xmm(c, 0); \
		__asm__(ins " %%xmm0, %1, %0" : "+x"(a) : "x"(b), "Yz"(mask)); \
		x86_put_xmm(c, dst, a); \
	} \
	static int x_##op##_rr(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		X86_SSE_CHECK(c); \
		put_##op(c, i->dst, x86_get_xmm(c, i->src)); \
		return X86_NEXT; \
	} \
	static int x_##op##_rm(struct x86_cpu *c, const struct x86_insn *i) \
	{ \
		x86_vec b; \
		X86_SSE_CHECK(c); \
		if (!x86_load_a16(c, i, &b)) \
			return X86_ABORT; \
		put_##op(c, i->dst, b); \
		return X86_NEXT; \
	}
BLENDV_OPS(BLENDV_DEFINE)

/* -- PTEST -------------------------------------------------------------------------------- */

static void ptest(struct x86_cpu *c, x86_vec a, x86_vec b)
{
	uint32_t ax;

	__asm__("ptest %2, %1\n\tlahf" : "=a"(ax) : "x"(a), "x"(b) : "cc");
	c->arith = ax & 0xff00;
}

static int ptest_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	ptest(c, x86_get_xmm(c, i->dst), x86_get_xmm(c, i->src));
	return X86_NEXT;
}

static int ptest_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec b;

	X86_SSE_CHECK(c);
	if (!x86_load_a16(c, i, &b))
		return X86_ABORT;
	ptest(c, x86_get_xmm(c, i->dst), b);
	return X86_NEXT;
}

/* -- insert and extract ------------------------------------------------------------------- */

static int pinsrb_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	c->fpu.xmm[i->dst & 15].u8[i->imm & 15] = (uint8_t)c->gpr[i->src & 15];
	return X86_NEXT;
}

static int pinsrb_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!x86_load_lo1(c, i, &v))
		return X86_ABORT;
	c->fpu.xmm[i->dst & 15].u8[i->imm & 15] = (uint8_t)v[0];
	return X86_NEXT;
}

/* PINSRD, and with REX.W PINSRQ. */
static void pinsrd_put(struct x86_cpu *c, const struct x86_insn *i, uint64_t v)
{
	struct x86_xmm *x = &c->fpu.xmm[i->dst & 15];

	if (i->osize == 3)
		x->u64[i->imm & 1] = v;
	else
		x->u32[i->imm & 3] = (uint32_t)v;
}

static int pinsrd_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	pinsrd_put(c, i, c->gpr[i->src & 15]);
	return X86_NEXT;
}

static int pinsrd_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!(i->osize == 3 ? x86_load_lo8(c, i, &v) : x86_load_lo4(c, i, &v)))
		return X86_ABORT;
	pinsrd_put(c, i, (uint64_t)v[0]);
	return X86_NEXT;
}

static int pextrb_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	c->gpr[i->dst & 15] = c->fpu.xmm[i->src & 15].u8[i->imm & 15];
	return X86_NEXT;
}

static int pextrb_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_lo1(c, i, c->fpu.xmm[i->src & 15].u8[i->imm & 15]) ? X86_NEXT : X86_ABORT;
}

/* PEXTRD, with REX.W PEXTRQ. */
static int pextrd_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	const struct x86_xmm *x = &c->fpu.xmm[i->src & 15];

	X86_SSE_CHECK(c);
	c->gpr[i->dst & 15] = i->osize == 3 ? x->u64[i->imm & 1] : x->u32[i->imm & 3];
	return X86_NEXT;
}

static int pextrd_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	const struct x86_xmm *x = &c->fpu.xmm[i->src & 15];
	bool ok;

	X86_SSE_CHECK(c);
	ok = i->osize == 3 ? x86_store_lo8(c, i, x->u64[i->imm & 1])
			   : x86_store_lo4(c, i, x->u32[i->imm & 3]);
	return ok ? X86_NEXT : X86_ABORT;
}

/* EXTRACTPS has no REX.W form. */
static int extractps_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	c->gpr[i->dst & 15] = c->fpu.xmm[i->src & 15].u32[i->imm & 3];
	return X86_NEXT;
}

static int extractps_mr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_lo4(c, i, c->fpu.xmm[i->src & 15].u32[i->imm & 3]) ? X86_NEXT : X86_ABORT;
}

/* -- string compares ---------------------------------------------------------------------- */

/*
 * Stubs of 8 bytes: the instruction with 64-bit lengths and %xmm0, %xmm1, then RET; by opcode 60 to
 * 63 (ESTRM, ESTRI, ISTRM, ISTRI), then by immediate. x86_string_run() calls one with the lengths
 * in RAX and RDX, and stores EFLAGS as c->arith has them. The mask stays in %xmm0; the index comes
 * back in RAX: the same code serves as a function of either result.
 */
/* clang-format off */
#define STRING_STUBS(opcode) \
	".set x86_imm, 0\n" \
	".rept 256\n" \
	".byte 0x66, 0x48, 0x0f, 0x3a, " #opcode ", 0xc1, x86_imm, 0xc3\n" \
	".set x86_imm, x86_imm + 1\n" \
	".endr\n"
__asm__(".pushsection .text\n"
	".balign 64\n"
	".globl x86_string_stubs\n.hidden x86_string_stubs\n"
	"x86_string_stubs:\n"
	STRING_STUBS(0x60) STRING_STUBS(0x61) STRING_STUBS(0x62) STRING_STUBS(0x63)
	".globl x86_string_mask\n.hidden x86_string_mask\n.type x86_string_mask, @function\n"
	".globl x86_string_index\n.hidden x86_string_index\n.type x86_string_index, @function\n"
	"x86_string_mask:\n"
	"x86_string_index:\n"
	"	mov %rsi, %rax\n"
	"	mov %rcx, %r8\n"
	"	call *%rdi\n"
	"	lahf\n"
	"	seto %al\n"
	"	mov %ax, (%r8)\n"
	"	mov %ecx, %eax\n"
	"	ret\n"
	".size x86_string_mask, . - x86_string_mask\n"
	".size x86_string_index, . - x86_string_index\n"
	".popsection");
/* clang-format on */

extern const uint8_t x86_string_stubs[4 * 256 * 8] __attribute__((visibility("hidden")));
x86_vec x86_string_mask(x86_vec a, x86_vec b, const void *stub, int64_t len_a, int64_t len_b,
			uint16_t *arith);
uint32_t x86_string_index(x86_vec a, x86_vec b, const void *stub, int64_t len_a, int64_t len_b,
			  uint16_t *arith);

void x86_string_compare(struct x86_cpu *c, const struct x86_insn *i, x86_vec b)
{
	const void *stub = &x86_string_stubs[((i->opcode & 3u) * 256 + (uint8_t)i->imm) * 8];
	x86_vec a = x86_get_xmm(c, i->dst);
	int64_t len_a = (int64_t)c->gpr[X86_RAX], len_b = (int64_t)c->gpr[X86_RDX];

	if (!(i->flags & X86_F_W)) {
		len_a = (int32_t)len_a;
		len_b = (int32_t)len_b;
	}
	if (i->opcode & 1)
		c->gpr[X86_RCX] = x86_string_index(a, b, stub, len_a, len_b, &c->arith);
	else
		x86_put_xmm(c, 0, x86_string_mask(a, b, stub, len_a, len_b, &c->arith));
}

static int string_rr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	x86_string_compare(c, i, x86_get_xmm(c, i->src));
	return X86_NEXT;
}

static int string_rm(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec b;

	X86_SSE_CHECK(c);
	if (!x86_load_u16(c, i, &b))
		return X86_ABORT;
	x86_string_compare(c, i, b);
	return X86_NEXT;
}

/* -- the table ---------------------------------------------------------------------------- */

/* clang-format off */
#define ROW(op, form, osize, fn) { X86_OP_##op, X86_FORM_##form, osize, fn }
#define BINARY_ROW(op, ins, load) X86_VEC_XMM_ROWS(op, 4)
#define BLENDV_ROW(op, ins) X86_VEC_XMM_ROWS(op, X86_ANY)
#define STRING(op) ROW(op, RRI, X86_ANY, string_rr), ROW(op, RMI, X86_ANY, string_rm)

static const struct x86_exec_row rows[] = {
	BINARY_OPS(BINARY_ROW)
	X86_VEC_MMX_ROWS(PSHUFB)
	X86_IMM_XMM_ROWS(PALIGNR, 4)
	ROW(PALIGNR, RRI, 3, m_palignr_rr), ROW(PALIGNR, RMI, 3, m_palignr_rm),
	X86_IMM_XMM_ROWS(BLENDPS, X86_ANY)
	X86_IMM_XMM_ROWS(BLENDPD, X86_ANY)
	X86_IMM_XMM_ROWS(PBLENDW, X86_ANY)
	X86_IMM_XMM_ROWS(MPSADBW, X86_ANY)
	ROW(INSERTPS, RRI, X86_ANY, insertps_rr), ROW(INSERTPS, RMI, X86_ANY, insertps_rm),
	BLENDV_OPS(BLENDV_ROW)
	ROW(PTEST, RR, X86_ANY, ptest_rr), ROW(PTEST, RM, X86_ANY, ptest_rm),
	ROW(PINSRB, RRI, X86_ANY, pinsrb_rr), ROW(PINSRB, RMI, X86_ANY, pinsrb_rm),
	ROW(PINSRD, RRI, X86_ANY, pinsrd_rr), ROW(PINSRD, RMI, X86_ANY, pinsrd_rm),
	ROW(PEXTRB, RRI, X86_ANY, pextrb_rr), ROW(PEXTRB, MRI, X86_ANY, pextrb_mr),
	ROW(PEXTRD, RRI, X86_ANY, pextrd_rr), ROW(PEXTRD, MRI, X86_ANY, pextrd_mr),
	ROW(EXTRACTPS, RRI, X86_ANY, extractps_rr), ROW(EXTRACTPS, MRI, X86_ANY, extractps_mr),
	STRING(PCMPESTRM), STRING(PCMPESTRI), STRING(PCMPISTRM), STRING(PCMPISTRI),
};
/* clang-format on */

const struct x86_exec_table x86_exec_sse4 = { rows, HVM_ARRAY_SIZE(rows) };
