/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_fpstate.c - FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR, LDMXCSR, STMXCSR, EMMS.
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 *
 * The processor has the x87, SSE and AVX state components in XCR0, without compaction. All count as
 * in use always, which the architecture allows, so XSAVEOPT is XSAVE. Source: Intel SDM Vol 2
 * "FXSAVE", "FXRSTOR"; Vol 1 ch. 13 "Managing State Using the XSAVE Feature Set".
 */
#include "os/hvm_os.h"
#include "x86/exec_sse.h"

#define FX_BYTES 512u

/* Layout of the legacy region. */
struct fx_image {
	uint16_t fcw, fsw;
	uint8_t ftw, reserved5;
	uint16_t fop;
	uint64_t fip; /* or 32 bits of offset and 16 of selector */
	uint64_t fdp;
	uint32_t mxcsr, mxcsr_mask;
	struct {
		uint64_t mant;
		uint16_t sign_exp;
		uint16_t pad[3];
	} st[8];
	struct x86_xmm xmm[16];
	uint8_t reserved416[96];
};
_Static_assert(sizeof(struct fx_image) == FX_BYTES, "the image of FXSAVE has 512 bytes");

#define FX_X87_BYTES	offsetof(struct fx_image, mxcsr) /* 0..23: control words and pointers */
#define FX_MXCSR	offsetof(struct fx_image, mxcsr)
#define FX_ST		offsetof(struct fx_image, st)
#define FX_XMM		offsetof(struct fx_image, xmm)
#define FX_XMM_BYTES(c) (x86_is_code64(c) ? 16u * 16 : 8u * 16)

/* -- guest memory ------------------------------------------------------------------------- */

bool x86_get_bytes(struct x86_cpu *c, gva_t gva, void *buf, unsigned int bytes)
{
	const void *p = x86_ptr_r_fast(c, gva, bytes);
	unsigned int at, n;

	if (p) {
		memcpy(buf, p, bytes);
		return true;
	}
	for (at = 0; at < bytes; at += n) {
		n = bytes - at < 64 ? bytes - at : 64;
		if (!x86_load_slow(c, gva + at, (uint8_t *)buf + at, n))
			return false;
	}
	return true;
}

bool x86_put_bytes(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int bytes)
{
	void *p = x86_ptr_w_fast(c, gva, bytes);
	unsigned int at, n;

	if (p) {
		memcpy(p, buf, bytes);
		return true;
	}
	for (at = 0; at < bytes; at += n) {
		n = bytes - at < 64 ? bytes - at : 64;
		if (!x86_store_slow(c, gva + at, (const uint8_t *)buf + at, n))
			return false;
	}
	return true;
}

bool x86_probe_area(struct x86_cpu *c, gva_t gva, unsigned int bytes)
{
	unsigned int at, n;

	if (x86_ptr_w_fast(c, gva, bytes))
		return true;
	for (at = 0; at < bytes; at += n) {
		n = bytes - at < 64 ? bytes - at : 64;
		if (!x86_probe_w(c, gva + at, n))
			return false;
	}
	return true;
}

/* Linear address of the save area; #GP(0) unless it is aligned to @align. */
static bool area_ea(struct x86_cpu *c, const struct x86_insn *i, unsigned int bytes, bool write,
		    unsigned int align, gva_t *ret)
{
	if (!x86_ea(c, i, bytes, write, ret))
		return false;
	if (*ret & (align - 1)) {
		x86_raise_err(c, X86_GP, 0);
		return false;
	}
	return true;
}

/* -- image and registers ------------------------------------------------------------------ */

static void image_from_fpu(const struct x86_fpu *f, bool wide, struct fx_image *m)
{
	unsigned int n, top = (f->fsw & X86_FSW_TOP) >> X86_FSW_TOP_SHIFT;

	memset(m, 0, sizeof(*m));
	m->fcw = f->fcw;
	m->fsw = f->fsw;
	m->ftw = (uint8_t)f->valid;
	m->fop = f->fop;
	m->fip = wide ? f->fip : (uint32_t)f->fip | (uint64_t)f->fcs << 32;
	m->fdp = wide ? f->fdp : (uint32_t)f->fdp | (uint64_t)f->fds << 32;
	m->mxcsr = f->mxcsr;
	m->mxcsr_mask = X86_MXCSR_VALID;
	for (n = 0; n < 8; n++) {
		m->st[n].mant = f->r[(top + n) & 7].mant;
		m->st[n].sign_exp = f->r[(top + n) & 7].sign_exp;
	}
	memcpy(m->xmm, f->xmm, sizeof(m->xmm));
}

static void x87_from_image(struct x86_fpu *f, bool wide, const struct fx_image *m)
{
	unsigned int n, top = (m->fsw & X86_FSW_TOP) >> X86_FSW_TOP_SHIFT;

	f->fcw = (m->fcw & X86_FCW_WRITABLE) | X86_FCW_FIXED;
	f->fsw = m->fsw;
	x86_fpu_update_es(f);
	f->valid = m->ftw;
	f->fop = m->fop & 0x7ff;
	f->fip = wide ? m->fip : (uint32_t)m->fip;
	f->fcs = wide ? 0 : (uint16_t)(m->fip >> 32);
	f->fdp = wide ? m->fdp : (uint32_t)m->fdp;
	f->fds = wide ? 0 : (uint16_t)(m->fdp >> 32);
	for (n = 0; n < 8; n++) {
		f->r[(top + n) & 7].mant = m->st[n].mant;
		f->r[(top + n) & 7].sign_exp = m->st[n].sign_exp;
	}
}

static void x87_to_initial(struct x86_fpu *f)
{
	memset(f->r, 0, sizeof(f->r));
	x86_fpu_init(f);
}

/* -- FXSAVE and FXRSTOR ------------------------------------------------------------------- */

/*
 * FXSAVE leaves bytes 464 to 511 to software and the reserved ones before them alone, and outside
 * 64-bit mode XMM8 to XMM15 too.
 */
static int fxsave(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int bytes = FX_XMM + FX_XMM_BYTES(c);
	struct fx_image m;
	gva_t gva;

	X86_FPU_CHECK_NOWAIT(c);
	if (!area_ea(c, i, FX_BYTES, true, 16, &gva) || !x86_probe_area(c, gva, FX_BYTES))
		return X86_ABORT;
	image_from_fpu(&c->fpu, i->osize == 3, &m);
	return x86_put_bytes(c, gva, &m, bytes) ? X86_NEXT : X86_ABORT;
}

static int fxrstor(struct x86_cpu *c, const struct x86_insn *i)
{
	struct fx_image m;
	gva_t gva;

	X86_FPU_CHECK_NOWAIT(c);
	if (!area_ea(c, i, FX_BYTES, false, 16, &gva) || !x86_get_bytes(c, gva, &m, FX_BYTES))
		return X86_ABORT;
	if (m.mxcsr & ~X86_MXCSR_VALID)
		return x86_raise_err(c, X86_GP, 0);
	x87_from_image(&c->fpu, i->osize == 3, &m);
	c->fpu.mxcsr = m.mxcsr;
	memcpy(c->fpu.xmm, m.xmm, FX_XMM_BYTES(c));
	return X86_NEXT;
}

/* -- XSAVE and XRSTOR --------------------------------------------------------------------- */

/* Requested components: EDX:EAX within XCR0. */
static uint64_t xsave_requested(const struct x86_cpu *c)
{
	uint64_t asked = (uint32_t)c->gpr[X86_RAX] | c->gpr[X86_RDX] << 32;

	return asked & c->xcr0 & (HVM_XSTATE_X87 | HVM_XSTATE_SSE | HVM_XSTATE_AVX);
}

/* The area as far as components @rfbm reach. */
static unsigned int xsave_bytes(uint64_t rfbm)
{
	return rfbm & HVM_XSTATE_AVX ? HVM_XSAVE_BYTES : HVM_XSAVE_LEGACY_BYTES;
}

#define XSAVE_CHECK(c) \
	do { \
		if (!((c)->cr4 & X86_CR4_OSXSAVE)) \
			return x86_raise((c), X86_UD); \
		if ((c)->cr0 & X86_CR0_TS) \
			return x86_raise((c), X86_NM); \
	} while (0)

static int xsave(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t rfbm, bv;
	struct fx_image m;
	gva_t gva;
	bool ok = true;

	XSAVE_CHECK(c);
	rfbm = xsave_requested(c);
	if (!area_ea(c, i, xsave_bytes(rfbm), true, 64, &gva) ||
	    !x86_probe_area(c, gva, xsave_bytes(rfbm)) ||
	    !x86_load64(c, gva + HVM_XSAVE_BV_AT, &bv))
		return X86_ABORT;
	image_from_fpu(&c->fpu, i->osize == 3, &m);
	if (rfbm & HVM_XSTATE_X87)
		ok = x86_put_bytes(c, gva, &m, FX_X87_BYTES) &&
		     x86_put_bytes(c, gva + FX_ST, m.st, sizeof(m.st));
	if (ok && (rfbm & (HVM_XSTATE_SSE | HVM_XSTATE_AVX)))
		ok = x86_put_bytes(c, gva + FX_MXCSR, &m.mxcsr, 8);
	if (ok && (rfbm & HVM_XSTATE_SSE))
		ok = x86_put_bytes(c, gva + FX_XMM, m.xmm, FX_XMM_BYTES(c));
	if (ok && (rfbm & HVM_XSTATE_AVX))
		ok = x86_put_bytes(c, gva + HVM_XSAVE_AVX_AT, c->fpu.ymmh, FX_XMM_BYTES(c));
	/* All components count as in use, so what was asked for is in the area. */
	ok = ok && x86_store64(c, gva + HVM_XSAVE_BV_AT, bv | rfbm);
	return ok ? X86_NEXT : X86_ABORT;
}

/* Source: Intel SDM Vol 1 13.8.1 "Standard Form of XRSTOR". */
static int xrstor(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x86_xmm ymmh[16] = { 0 };
	uint64_t rfbm, header[3];
	struct fx_image m;
	gva_t gva;

	XSAVE_CHECK(c);
	rfbm = xsave_requested(c);
	if (!area_ea(c, i, xsave_bytes(rfbm), false, 64, &gva) ||
	    !x86_get_bytes(c, gva, &m, FX_BYTES) ||
	    !x86_get_bytes(c, gva + HVM_XSAVE_BV_AT, header, sizeof(header)))
		return X86_ABORT;
	if ((rfbm & header[0] & HVM_XSTATE_AVX) &&
	    !x86_get_bytes(c, gva + HVM_XSAVE_AVX_AT, ymmh, FX_XMM_BYTES(c)))
		return X86_ABORT;
	/* XCOMP_BV and the next 8 bytes must be zero: there is no compacted form. */
	if ((header[0] & ~c->xcr0) || header[1] || header[2])
		return x86_raise_err(c, X86_GP, 0);
	if ((rfbm & (HVM_XSTATE_SSE | HVM_XSTATE_AVX)) && (m.mxcsr & ~X86_MXCSR_VALID))
		return x86_raise_err(c, X86_GP, 0);

	if (rfbm & header[0] & HVM_XSTATE_X87)
		x87_from_image(&c->fpu, i->osize == 3, &m);
	else if (rfbm & HVM_XSTATE_X87)
		x87_to_initial(&c->fpu);
	if (rfbm & (HVM_XSTATE_SSE | HVM_XSTATE_AVX))
		c->fpu.mxcsr = m.mxcsr;
	if (rfbm & HVM_XSTATE_AVX)
		memcpy(c->fpu.ymmh, ymmh, FX_XMM_BYTES(c));
	if (rfbm & HVM_XSTATE_SSE) {
		if (header[0] & HVM_XSTATE_SSE)
			memcpy(c->fpu.xmm, m.xmm, FX_XMM_BYTES(c));
		else
			memset(c->fpu.xmm, 0, FX_XMM_BYTES(c));
	}
	return X86_NEXT;
}

/* -- MXCSR and EMMS ----------------------------------------------------------------------- */

static int ldmxcsr(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec v;

	X86_SSE_CHECK(c);
	if (!x86_load_lo4(c, i, &v))
		return X86_ABORT;
	if (v[0] & ~(long long)X86_MXCSR_VALID)
		return x86_raise_err(c, X86_GP, 0);
	c->fpu.mxcsr = (uint32_t)v[0];
	return X86_NEXT;
}

static int stmxcsr(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_SSE_CHECK(c);
	return x86_store_lo4(c, i, c->fpu.mxcsr) ? X86_NEXT : X86_ABORT;
}

static int emms(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	X86_MMX_CHECK(c);
	x86_mmx_enter(c);
	c->fpu.valid = 0;
	return X86_NEXT;
}

/* clang-format off */
static const struct x86_exec_row rows[] = {
	{ X86_OP_FXSAVE, X86_FORM_M, X86_ANY, fxsave },
	{ X86_OP_FXRSTOR, X86_FORM_M, X86_ANY, fxrstor },
	{ X86_OP_XSAVE, X86_FORM_M, X86_ANY, xsave },
	{ X86_OP_XSAVEOPT, X86_FORM_M, X86_ANY, xsave },
	{ X86_OP_XRSTOR, X86_FORM_M, X86_ANY, xrstor },
	{ X86_OP_LDMXCSR, X86_FORM_M, X86_ANY, ldmxcsr },
	{ X86_OP_STMXCSR, X86_FORM_M, X86_ANY, stmxcsr },
	{ X86_OP_EMMS, X86_FORM_NONE, X86_ANY, emms },
};
/* clang-format on */

const struct x86_exec_table x86_exec_fpstate = { rows, HVM_ARRAY_SIZE(rows) };
