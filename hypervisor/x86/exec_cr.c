/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_cr.c - control registers: MOV to and from CR, CLTS, LMSW, SMSW, XCR0; and what invalidates
 * translations: INVLPG, INVPCID.
 * Owns nothing. Locking: the vcpu's thread. Saved: as fields of struct hvm_vcpu_state.
 *
 * The software TLB knows no PCIDs: a change of CR3 always drops what is not global, which the
 * architecture allows at any time.
 * Source: Intel SDM Vol 3A 2.5 "Control Registers", 4.4.1 "PDPTE Registers", 4.10.4 "Invalidation
 * of TLBs", 9.8.5 "Initializing IA-32e Mode"; Vol 2B "MOV - Move to/from Control Registers".
 */
#include "x86/ctlreg.h"
#include "x86/exec_desc.h"

#define CR_MAXPHYADDR 40
#define CR_PHYS_MASK  (HVM_BIT(CR_MAXPHYADDR) - 1)

static int cr_gp(struct x86_cpu *c)
{
	return x86_raise_err(c, X86_GP, 0);
}

/* -- PAE paging -----------------------------------------------------------------------------------
 */

static bool cr_is_pae(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & X86_EFER_LMA);
}

int x86_load_pdptes(struct x86_cpu *c, uint64_t cr3)
{
	const uint64_t reserved = ~CR_PHYS_MASK | 0x1e6;
	uint64_t pdpte[4];
	const uint64_t *p = c->env->gpa_to_hva(c->env_arg, cr3 & 0xffffffe0u);

	for (unsigned int n = 0; n < 4; n++) {
		/* What is not memory reads as a table without entries. */
		pdpte[n] = p ? __atomic_load_n(&p[n], __ATOMIC_RELAXED) : 0;
		if ((pdpte[n] & 1) && (pdpte[n] & reserved))
			return cr_gp(c);
	}
	memcpy(c->pdpte, pdpte, sizeof(pdpte));
	return X86_NEXT;
}

/* -- CR0 --------------------------------------------------------------------------------------- */

#define CR0_KNOWN \
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | \
	 X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)

static bool cr0_is_legal(const struct x86_cpu *c, uint64_t value)
{
	bool pg = value & X86_CR0_PG, had_pg = c->cr0 & X86_CR0_PG;

	if (value >> 32)
		return false;
	if ((pg && !(value & X86_CR0_PE)) || ((value & X86_CR0_NW) && !(value & X86_CR0_CD)))
		return false;
	if (had_pg && !pg)
		return !x86_is_code64(c) && !(c->cr4 & X86_CR4_PCIDE);
	if (!had_pg && pg && (c->efer & X86_EFER_LME))
		return (c->cr4 & X86_CR4_PAE) && !(c->seg[HVM_SEG_CS].ar & HVM_AR_L) &&
		       (c->seg[HVM_SEG_TR].ar & 8); /* not a 16-bit TSS */
	return true;
}

static int cr_write_cr0(struct x86_cpu *c, uint64_t value)
{
	uint64_t changed, efer = c->efer;
	int r;

	if (!cr0_is_legal(c, value))
		return cr_gp(c);
	value = (value & CR0_KNOWN) | X86_CR0_ET;
	changed = value ^ c->cr0;
	if (changed & X86_CR0_PG) {
		efer &= ~(uint64_t)X86_EFER_LMA;
		if ((value & X86_CR0_PG) && (efer & X86_EFER_LME))
			efer |= X86_EFER_LMA;
	}
	if (cr_is_pae(value, c->cr4, efer) && (changed & (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW))) {
		r = x86_load_pdptes(c, c->cr3);
		if (r)
			return r;
	}
	c->cr0 = value;
	c->efer = efer;
	if (changed & (X86_CR0_PG | X86_CR0_PE | X86_CR0_WP))
		c->env->tlb_flush(c->env_arg, true);
	x86_update_mode(c);
	return X86_END;
}

int x86_exec_lmsw(struct x86_cpu *c, const struct x86_insn *i)
{
	const uint64_t low = X86_CR0_MP | X86_CR0_EM | X86_CR0_TS;
	uint16_t value;

	if (c->cpl != 0)
		return cr_gp(c);
	if (!x86_sys_get16(c, i, &value))
		return X86_ABORT;
	/* PE can be set so, but not cleared. */
	return cr_write_cr0(c, (c->cr0 & ~low) | (value & (low | X86_CR0_PE)));
}

int x86_exec_smsw(struct x86_cpu *c, const struct x86_insn *i)
{
	if (x86_umip_denies(c))
		return cr_gp(c);
	return x86_sys_put16(c, i, c->cr0);
}

int x86_exec_clts(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t mode = c->mode;

	(void)i;
	if (c->cpl != 0)
		return cr_gp(c);
	c->cr0 &= ~(uint64_t)X86_CR0_TS;
	x86_update_mode(c);
	return x86_end_if_mode_changed(c, mode);
}

/* -- CR3
 * ------------------------------------------------------------------------------------------------
 */

static int cr_write_cr3(struct x86_cpu *c, uint64_t value)
{
	bool keep = (c->cr4 & X86_CR4_PCIDE) && (value >> 63);
	int r;

	if (c->cr4 & X86_CR4_PCIDE)
		value &= ~HVM_BIT(63);
	if (x86_is_long(c) && (value & ~CR_PHYS_MASK))
		return cr_gp(c);
	if (cr_is_pae(c->cr0, c->cr4, c->efer)) {
		r = x86_load_pdptes(c, value);
		if (r)
			return r;
	}
	/* Bit 63 keeps the entries of this PCID; the same table then needs no flush. */
	if (!keep || value != c->cr3) {
		c->cr3 = value;
		c->env->tlb_flush(c->env_arg, false);
	}
	return X86_END;
}

/* -- CR4
 * ------------------------------------------------------------------------------------------------
 */

static bool cr_has_feature(struct x86_cpu *c, unsigned int leaf, unsigned int reg, unsigned int bit)
{
	uint32_t out[4] = { 0, 0, 0, 0 };

	c->env->cpuid(c->env_arg, leaf, 0, out);
	return out[reg] >> bit & 1;
}

static uint64_t cr4_allowed(struct x86_cpu *c)
{
	uint32_t leaf1[4] = { 0 }, leaf7[4] = { 0 };

	c->env->cpuid(c->env_arg, 1, 0, leaf1);
	c->env->cpuid(c->env_arg, 7, 0, leaf7);
	return x86_cr4_allowed(leaf1, leaf7);
}

static int cr_write_cr4(struct x86_cpu *c, uint64_t value)
{
	const uint64_t paging = X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP;
	const struct x86_ctlregs now = { c->cr0, c->cr3, c->cr4, c->efer };
	uint64_t changed = value ^ c->cr4;
	int r;

	if (!x86_cr4_write_ok(&now, value, cr4_allowed(c)))
		return cr_gp(c);
	if (cr_is_pae(c->cr0, value, c->efer) && (changed & paging)) {
		r = x86_load_pdptes(c, c->cr3);
		if (r)
			return r;
	}
	c->cr4 = value;
	if (changed & (paging | X86_CR4_SMAP | X86_CR4_PCIDE))
		c->env->tlb_flush(c->env_arg, true);
	x86_update_mode(c);
	return X86_END;
}

/* -- MOV
 * -------------------------------------------------------------------------------------------------
 */

static int cr_write_cr8(struct x86_cpu *c, uint64_t value)
{
	if (value > 15)
		return cr_gp(c);
	c->env->cr8_write(c->env_arg, value);
	return X86_END;
}

int x86_exec_mov_to_cr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t value = x86_is_code64(c) ? c->gpr[i->src] : (uint32_t)c->gpr[i->src];

	if (c->cpl != 0)
		return cr_gp(c);
	switch (i->dst) {
	case 0: return cr_write_cr0(c, value);
	case 2: c->cr2 = value; return X86_NEXT;
	case 3: return cr_write_cr3(c, value);
	case 4: return cr_write_cr4(c, value);
	case 8: return cr_write_cr8(c, value);
	}
	return x86_raise(c, X86_UD);
}

int x86_exec_mov_from_cr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t value;

	if (c->cpl != 0)
		return cr_gp(c);
	switch (i->src) {
	case 0: value = c->cr0; break;
	case 2: value = c->cr2; break;
	case 3: value = c->cr3; break;
	case 4: value = c->cr4; break;
	case 8: value = c->env->cr8_read(c->env_arg); break;
	default: return x86_raise(c, X86_UD);
	}
	c->gpr[i->dst] = x86_is_code64(c) ? value : (uint32_t)value;
	return X86_NEXT;
}

/* -- XCR0
 * ---------------------------------------------------------------------------------------------------
 */

int x86_exec_xgetbv(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	if (!(c->cr4 & X86_CR4_OSXSAVE))
		return x86_raise(c, X86_UD);
	if ((uint32_t)c->gpr[X86_RCX] != 0)
		return cr_gp(c);
	c->gpr[X86_RAX] = (uint32_t)c->xcr0;
	c->gpr[X86_RDX] = c->xcr0 >> 32;
	return X86_NEXT;
}

int x86_exec_xsetbv(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t value = (uint32_t)c->gpr[X86_RAX] | c->gpr[X86_RDX] << 32;
	uint32_t leaf[4];

	(void)i;
	if (!(c->cr4 & X86_CR4_OSXSAVE))
		return x86_raise(c, X86_UD);
	if (c->cpl != 0 || (uint32_t)c->gpr[X86_RCX] != 0)
		return cr_gp(c);
	c->env->cpuid(c->env_arg, 0xd, 0, leaf);
	if (!x86_xcr0_write_ok(value, leaf[0]))
		return cr_gp(c);
	c->xcr0 = value;
	x86_update_mode(c);
	return X86_END;
}

/* -- invalidation ------------------------------------------------------------------------------ */

/* The address is not accessed: no limit, no canonical check. */
int x86_exec_invlpg(struct x86_cpu *c, const struct x86_insn *i)
{
	gva_t gva = x86_ea_offset(c, i);

	if (c->cpl != 0)
		return cr_gp(c);
	if (!x86_is_code64(c))
		gva = (uint32_t)(gva + c->seg[i->seg].base);
	else if (i->seg >= HVM_SEG_FS)
		gva += c->seg[i->seg].base;
	c->env->tlb_flush_page(c->env_arg, gva);
	return X86_END;
}

int x86_exec_invpcid(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t type = x86_get_n(c, i->osize, i->dst), desc[2];

	if (!cr_has_feature(c, 7, 1, 10))
		return x86_raise(c, X86_UD);
	if (c->cpl != 0)
		return cr_gp(c);
	if (!x86_sys_get_mem(c, i, desc, 16))
		return X86_ABORT;
	if (type > 3 || desc[0] >> 12)
		return cr_gp(c);
	if (type < 2 && desc[0] && !(c->cr4 & X86_CR4_PCIDE))
		return cr_gp(c);
	if (type == 0 && !x86_is_canonical(desc[1]))
		return cr_gp(c);
	/* One address; one PCID; all with, all without global translations. */
	if (type == 0)
		c->env->tlb_flush_page(c->env_arg, desc[1]);
	else
		c->env->tlb_flush(c->env_arg, type == 2);
	return X86_END;
}
