/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_mode.c - what the processor derives from its registers: the mode word and the TLB context;
 * the state after power-on and INIT; conversion to and from the vendor-neutral state.
 * Owns nothing. Locking: the vcpu's thread. Saved: through struct hvm_vcpu_state.
 * Source: Intel SDM Vol 3A 9.1.1 "Processor State After Reset"; Vol 1 10.5.1 "FXSAVE Area",
 * 13.4 "XSAVE Area".
 */
#include "x86/exec_desc.h"
#include "x86/exec_fp.h"

/* -- mode -----------------------------------------------------------------------------------------
 */

static bool mode_is_flat(const struct hvm_seg *s)
{
	return s->limit == 0xffffffffu && (s->ar & HVM_AR_P) && !(s->ar & HVM_AR_UNUSABLE) &&
	       (s->ar & (HVM_AR_S | HVM_AR_RW | HVM_AR_CODE | HVM_AR_EC)) == (HVM_AR_S | HVM_AR_RW);
}

static bool mode_cs_is_flat(const struct hvm_seg *s)
{
	return s->limit == 0xffffffffu && (s->ar & HVM_AR_P) && (s->ar & HVM_AR_S) &&
	       (s->ar & HVM_AR_RW);
}

static uint32_t mode_flat_bits(const struct x86_cpu *c)
{
	static const uint8_t plain[] = { HVM_SEG_ES, HVM_SEG_SS, HVM_SEG_DS };
	uint32_t bits = 0;
	bool flat = mode_cs_is_flat(&c->seg[HVM_SEG_CS]) && !c->seg[HVM_SEG_CS].base;

	for (unsigned int n = 0; flat && n < HVM_ARRAY_SIZE(plain); n++)
		flat = !c->seg[plain[n]].base && mode_is_flat(&c->seg[plain[n]]);
	if (flat)
		bits |= X86_MODE_FLAT;
	if (mode_is_flat(&c->seg[HVM_SEG_FS]) && mode_is_flat(&c->seg[HVM_SEG_GS]))
		bits |= X86_MODE_FLAT_FSGS;
	return bits;
}

static uint32_t mode_sizes(const struct x86_cpu *c, bool lma)
{
	uint32_t cs = c->seg[HVM_SEG_CS].ar;
	uint32_t ss_size = c->seg[HVM_SEG_SS].ar & HVM_AR_DB ? X86_CODE32 : X86_CODE16;

	if (lma && (cs & HVM_AR_L))
		return X86_CODE64 | X86_CODE64 << X86_MODE_SS_SHIFT | X86_MODE_FLAT |
		       X86_MODE_FLAT_FSGS;
	return (cs & HVM_AR_DB ? X86_CODE32 : X86_CODE16) | ss_size << X86_MODE_SS_SHIFT |
	       mode_flat_bits(c);
}

static void mode_pick_tlb(struct x86_cpu *c)
{
	enum x86_tlb_context context = X86_TLB_KERNEL;

	if (!c->tlb)
		return;
	if (c->cpl == 3)
		context = X86_TLB_USER;
	else if ((c->cr4 & X86_CR4_SMAP) && (c->rflags_rest & X86_EFL_AC))
		context = X86_TLB_KERNEL_AC;
	c->tlb_r = c->tlb->r[context];
	c->tlb_w = c->tlb->w[context];
}

static bool mode_has_avx(const struct x86_cpu *c)
{
	const uint64_t both = HVM_XSTATE_SSE | HVM_XSTATE_AVX;

	return (c->cr4 & X86_CR4_OSXSAVE) && (c->xcr0 & both) == both;
}

void x86_update_mode(struct x86_cpu *c)
{
	bool pe = c->cr0 & X86_CR0_PE, vm = pe && (c->rflags_rest & X86_EFL_VM);
	bool lma = c->efer & X86_EFER_LMA;
	uint32_t mode = mode_sizes(c, lma);

	c->cpl = !pe ? 0 : vm ? 3 : x86_ar_dpl(c->seg[HVM_SEG_SS].ar);
	mode |= c->cpl << X86_MODE_CPL_SHIFT;
	if (pe)
		mode |= X86_MODE_PE;
	if (vm)
		mode |= X86_MODE_VM;
	if (lma)
		mode |= X86_MODE_LMA;
	if (c->cr0 & (X86_CR0_TS | X86_CR0_EM))
		mode |= X86_MODE_NO_FPU;
	if (c->cpl == 3 && (c->cr0 & X86_CR0_AM) && (c->rflags_rest & X86_EFL_AC))
		mode |= X86_MODE_AC;
	if (c->cr4 & X86_CR4_SMAP)
		mode |= X86_MODE_SMAP;
	if (c->cr4 & X86_CR4_OSFXSR)
		mode |= X86_MODE_SSE;
	if (mode_has_avx(c) && pe && !vm)
		mode |= X86_MODE_AVX;
	c->mode = mode;
	mode_pick_tlb(c);
}

/* -- reset ------------------------------------------------------------------------------------- */

static void reset_segments(struct x86_cpu *c)
{
	for (unsigned int n = 0; n < HVM_SEG_COUNT; n++)
		c->seg[n] = (struct hvm_seg){ .limit = 0xffff, .ar = X86_AR_REAL_DATA };
	c->seg[HVM_SEG_CS] = (struct hvm_seg){ .sel = 0xf000,
					       .base = 0xffff0000,
					       .limit = 0xffff,
					       .ar = X86_AR_REAL_DATA | HVM_AR_CODE };
	c->seg[HVM_SEG_LDTR].ar = HVM_AR_P | X86_SYS_LDT;
	c->seg[HVM_SEG_TR].ar = HVM_AR_P | X86_SYS_TSS32_BUSY;
	c->gdtr = c->idtr = (struct hvm_dtable){ .limit = 0xffff };
}

/* What power-on clears and INIT keeps. */
static void reset_power_on(struct x86_cpu *c)
{
	memset(&c->fpu, 0, sizeof(c->fpu));
	c->fpu.fcw = 0x0040;
	c->fpu.valid = 0xff; /* all registers hold +0.0, tagged zero, not empty */
	c->fpu.mxcsr = 0x1f80;
	c->star = c->lstar = c->cstar = c->sfmask = c->kernel_gs_base = 0;
	c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = 0;
	c->tsc_aux = 0;
	c->xcr0 = 1;
	c->cr0 = X86_CR0_CD | X86_CR0_NW;
}

void x86_cpu_reset(struct x86_cpu *c, bool init)
{
	uint32_t id[4] = { 0, 0, 0, 0 };

	if (!init)
		reset_power_on(c);
	memset(c->gpr, 0, sizeof(c->gpr));
	if (c->env && c->env->cpuid)
		c->env->cpuid(c->env_arg, 1, 0, id);
	c->gpr[X86_RDX] = id[0];
	c->x86_ip = 0xfff0;
	x86_put_rflags(c, 2);
	reset_segments(c);
	c->cr0 = (c->cr0 & (X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET;
	c->cr2 = c->cr3 = c->cr4 = c->efer = 0;
	memset(c->dr, 0, sizeof(c->dr));
	c->dr6 = 0xffff0ff0;
	c->dr7 = 0x400;
	memset(c->pdpte, 0, sizeof(c->pdpte));
	c->intr_shadow = 0;
	c->activity = HVM_ACTIVITY_RUN;
	c->exc = (struct hvm_event){ 0 };
	c->exc_cr2 = c->exc_dr6 = 0;
	c->stop = X86_STOP_NONE;
	c->cur_insn_ip_valid = 0;
	x86_update_mode(c);
	if (c->env && c->env->tlb_flush)
		c->env->tlb_flush(c->env_arg, true);
}

/* -- the vendor-neutral state ------------------------------------------------------------------ */

/* Offsets in the XSAVE area, 64-bit form of FXSAVE. */
enum {
	FX_FCW = 0,
	FX_FSW = 2,
	FX_FTW = 4,
	FX_FOP = 6,
	FX_FIP = 8,
	FX_FDP = 16,
	FX_MXCSR = 24,
	FX_MXCSR_MASK = 28,
	FX_ST = 32,
	FX_XMM = 160,
};

static void mode_get_fpu(const struct x86_fpu *f, uint8_t *area)
{
	static const uint8_t none[sizeof(f->ymmh)];
	uint64_t bv = HVM_XSTATE_X87 | HVM_XSTATE_SSE;
	uint32_t mxcsr_mask = 0xffff;
	unsigned int top = (f->fsw >> 11) & 7;

	memset(area, 0, HVM_XSAVE_BYTES);
	memcpy(area + FX_FCW, &f->fcw, 2);
	memcpy(area + FX_FSW, &f->fsw, 2);
	area[FX_FTW] = (uint8_t)f->valid;
	memcpy(area + FX_FOP, &f->fop, 2);
	memcpy(area + FX_FIP, &f->fip, 8);
	memcpy(area + FX_FDP, &f->fdp, 8);
	memcpy(area + FX_MXCSR, &f->mxcsr, 4);
	memcpy(area + FX_MXCSR_MASK, &mxcsr_mask, 4);
	for (unsigned int n = 0; n < 8; n++) {
		memcpy(area + FX_ST + n * 16, &f->r[(top + n) & 7].mant, 8);
		memcpy(area + FX_ST + n * 16 + 8, &f->r[(top + n) & 7].sign_exp, 2);
	}
	memcpy(area + FX_XMM, f->xmm, sizeof(f->xmm));
	/* Where nothing of it is used it may be a model that has not got it. */
	if (memcmp((const uint8_t *)f->ymmh, none, sizeof(none)) != 0)
		bv |= HVM_XSTATE_AVX;
	memcpy(area + HVM_XSAVE_AVX_AT, f->ymmh, sizeof(f->ymmh));
	memcpy(area + HVM_XSAVE_BV_AT, &bv, 8);
}

static void mode_put_x87(struct x86_fpu *f, const uint8_t *area)
{
	unsigned int top;

	/* As FXRSTOR takes them. */
	memcpy(&f->fcw, area + FX_FCW, 2);
	memcpy(&f->fsw, area + FX_FSW, 2);
	f->fcw = (f->fcw & X86_FCW_WRITABLE) | X86_FCW_FIXED;
	x86_fpu_update_es(f);
	f->valid = area[FX_FTW];
	memcpy(&f->fop, area + FX_FOP, 2);
	memcpy(&f->fip, area + FX_FIP, 8);
	memcpy(&f->fdp, area + FX_FDP, 8);
	top = (f->fsw >> 11) & 7;
	for (unsigned int n = 0; n < 8; n++) {
		memcpy(&f->r[(top + n) & 7].mant, area + FX_ST + n * 16, 8);
		memcpy(&f->r[(top + n) & 7].sign_exp, area + FX_ST + n * 16 + 8, 2);
	}
}

/* As XRSTOR of all components: one whose bit is clear gets its initial configuration. */
static void mode_put_fpu(struct x86_fpu *f, const uint8_t *area)
{
	uint64_t bv;

	memcpy(&bv, area + HVM_XSAVE_BV_AT, 8);
	memset(f, 0, sizeof(*f));
	if (bv & HVM_XSTATE_X87)
		mode_put_x87(f, area);
	else
		f->fcw = 0x37f;
	if (bv & HVM_XSTATE_SSE)
		memcpy(f->xmm, area + FX_XMM, sizeof(f->xmm));
	if (bv & HVM_XSTATE_AVX)
		memcpy(f->ymmh, area + HVM_XSAVE_AVX_AT, sizeof(f->ymmh));
	memcpy(&f->mxcsr, area + FX_MXCSR, 4);
	f->mxcsr &= 0xffff;
}

/* Fields that both structures have under one name. */
/* clang-format off */
#define MODE_SAME_FIELDS(M) \
	M(gdtr) M(idtr) M(cr0) M(cr2) M(cr3) M(cr4) M(dr6) M(dr7) M(efer) M(star) M(lstar) \
	M(cstar) M(sfmask) M(kernel_gs_base) M(sysenter_cs) M(sysenter_esp) M(sysenter_eip) \
	M(tsc_aux) M(xcr0) M(intr_shadow) M(activity)
/* clang-format on */

/* cr8, pat, tsc_offset, xss and pending belong to the caller: they are not in struct x86_cpu. */
void x86_cpu_get_state(const struct x86_cpu *c, struct hvm_vcpu_state *ret)
{
	memcpy(ret->gpr, c->gpr, sizeof(ret->gpr));
	ret->rip = c->x86_ip;
	ret->rflags = x86_get_rflags(c);
	memcpy(ret->seg, c->seg, sizeof(ret->seg));
	memcpy(ret->dr, c->dr, sizeof(ret->dr));
	memcpy(ret->pdpte, c->pdpte, sizeof(ret->pdpte));
#define MODE_GET(field) ret->field = c->field;
	MODE_SAME_FIELDS(MODE_GET)
#undef MODE_GET
	mode_get_fpu(&c->fpu, ret->xsave);
}

void x86_cpu_put_state(struct x86_cpu *c, const struct hvm_vcpu_state *s)
{
	memcpy(c->gpr, s->gpr, sizeof(s->gpr));
	c->gpr[X86_REG_NONE] = 0;
	c->x86_ip = s->rip;
	x86_put_rflags(c, s->rflags);
	memcpy(c->seg, s->seg, sizeof(c->seg));
	memcpy(c->dr, s->dr, sizeof(c->dr));
	memcpy(c->pdpte, s->pdpte, sizeof(c->pdpte));
#define MODE_PUT(field) c->field = s->field;
	MODE_SAME_FIELDS(MODE_PUT)
#undef MODE_PUT
	mode_put_fpu(&c->fpu, s->xsave);
	c->stop = X86_STOP_NONE;
	x86_update_mode(c);
	if (c->env && c->env->tlb_flush)
		c->env->tlb_flush(c->env_arg, true);
}
