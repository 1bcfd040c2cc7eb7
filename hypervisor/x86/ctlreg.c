/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctlreg.c - legal values of CR4, EFER and XCR0, and the state after reset. Owns nothing; no
 * locking, nothing saved.
 * Source: Intel SDM Vol 3A 2.5 "Control Registers", 2.6 "Extended Control Registers", 9.1.1
 * "Processor State After Reset"; AMD APM Vol 2 3.1 "System-Control Registers".
 */
#include "x86/ctlreg.h"

#include "os/hvm_os.h"
#include "x86/cpu.h"

/* A bit of CR4 is reserved unless CPUID offers the feature. reg: index into eax ebx ecx edx. */
struct cr4_feature {
	uint32_t cr4;
	uint8_t leaf, reg, bit;
};

/* clang-format off */
static const struct cr4_feature cr4_features[] = {
	{ X86_CR4_DE,		1, 3,  2 },
	{ X86_CR4_PSE,		1, 3,  3 },
	{ X86_CR4_TSD,		1, 3,  4 },
	{ X86_CR4_PAE,		1, 3,  6 },
	{ X86_CR4_MCE,		1, 3,  7 },
	{ X86_CR4_PGE,		1, 3, 13 },
	{ X86_CR4_OSFXSR,	1, 3, 24 },
	{ X86_CR4_OSXMMEXCPT,	1, 3, 25 },
	{ X86_CR4_PCIDE,	1, 2, 17 },
	{ X86_CR4_OSXSAVE,	1, 2, 26 },
	{ X86_CR4_FSGSBASE,	7, 1,  0 },
	{ X86_CR4_SMEP,		7, 1,  7 },
	{ X86_CR4_SMAP,		7, 1, 20 },
	{ X86_CR4_UMIP,		7, 2,  2 },
};
/* clang-format on */

uint64_t x86_cr4_allowed(const uint32_t leaf1[4], const uint32_t leaf7[4])
{
	uint64_t allowed = X86_CR4_PCE;

	for (size_t n = 0; n < HVM_ARRAY_SIZE(cr4_features); n++) {
		const struct cr4_feature *f = &cr4_features[n];
		const uint32_t *leaf = f->leaf == 1 ? leaf1 : leaf7;

		if (leaf[f->reg] >> f->bit & 1)
			allowed |= f->cr4;
	}
	return allowed;
}

bool x86_cr4_write_ok(const struct x86_ctlregs *r, uint64_t value, uint64_t allowed)
{
	uint64_t set = value & ~r->cr4;

	if (set & ~allowed)
		return false;
	if ((r->efer & X86_EFER_LMA) && !(value & X86_CR4_PAE))
		return false;
	return !(set & X86_CR4_PCIDE) || ((r->efer & X86_EFER_LMA) && !(r->cr3 & 0xfff));
}

/* LMA is read-only and follows LME and CR0.PG; LME cannot change while paging is on. */
bool x86_efer_write_ok(const struct x86_ctlregs *r, uint64_t value)
{
	const uint64_t known = X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;

	if (value & ~known)
		return false;
	return !((r->efer ^ value) & X86_EFER_LME) || !(r->cr0 & X86_CR0_PG);
}

/* x87 state cannot be left out, and AVX extends the registers of SSE. */
bool x86_xcr0_write_ok(uint64_t value, uint64_t allowed)
{
	if (!(value & HVM_XSTATE_X87) || (value & ~(allowed | HVM_XSTATE_X87)))
		return false;
	return !(value & HVM_XSTATE_AVX) || (value & HVM_XSTATE_SSE);
}

/* -- reset --------------------------------------------------------------------------------- */

#define RESET_AR_DATA 0x93u /* present, accessed, writable */
#define RESET_AR_CODE 0x9bu
#define RESET_AR_LDT  0x82u
#define RESET_AR_TSS  0x8bu

static void reset_power_on(struct hvm_vcpu_state *s)
{
	const uint16_t fcw = 0x0040;
	const uint32_t mxcsr = 0x1f80, mxcsr_mask = 0xffff;

	memset(s->xsave, 0, sizeof(s->xsave));
	memcpy(s->xsave, &fcw, sizeof(fcw));
	s->xsave[4] = 0xff; /* all registers hold +0.0, none is empty */
	memcpy(s->xsave + 24, &mxcsr, sizeof(mxcsr));
	memcpy(s->xsave + 28, &mxcsr_mask, sizeof(mxcsr_mask));
	s->xsave[HVM_XSAVE_BV_AT] = HVM_XSTATE_X87 | HVM_XSTATE_SSE;
	s->star = s->lstar = s->cstar = s->sfmask = s->kernel_gs_base = 0;
	s->sysenter_cs = s->sysenter_esp = s->sysenter_eip = 0;
	s->tsc_aux = 0;
	s->xcr0 = 1;
	s->xss = 0;
	s->cr0 = X86_CR0_CD | X86_CR0_NW;
}

void x86_state_reset(struct hvm_vcpu_state *s, bool init, uint32_t signature)
{
	if (!init)
		reset_power_on(s);
	memset(s->gpr, 0, sizeof(s->gpr));
	s->gpr[X86_RDX] = signature;
	s->rip = 0xfff0;
	s->rflags = 2;
	for (unsigned int n = 0; n < HVM_SEG_COUNT; n++)
		s->seg[n] = (struct hvm_seg){ .limit = 0xffff, .ar = RESET_AR_DATA };
	s->seg[HVM_SEG_CS] = (struct hvm_seg){
		.sel = 0xf000, .base = 0xffff0000, .limit = 0xffff, .ar = RESET_AR_CODE
	};
	s->seg[HVM_SEG_LDTR].ar = RESET_AR_LDT;
	s->seg[HVM_SEG_TR].ar = RESET_AR_TSS;
	s->gdtr = s->idtr = (struct hvm_dtable){ .limit = 0xffff };
	s->cr0 = (s->cr0 & (X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET;
	s->cr2 = s->cr3 = s->cr4 = s->cr8 = s->efer = 0;
	memset(s->dr, 0, sizeof(s->dr));
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x400;
	memset(s->pdpte, 0, sizeof(s->pdpte));
	s->intr_shadow = 0;
}
