/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_vex_mem.c - VEX-encoded instructions that exec_vex.c cannot hand to the host: those that
 * exist with memory only, mask what they access, gather, or change state of another kind.
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 * Source: Intel SDM Vol 2, "VMASKMOV", "VPMASKMOV", "VPGATHERDD/VPGATHERQD", "VZEROUPPER", ...
 */
#include "x86/exec_vex.h"

/* -- plain moves, halves, broadcasts ------------------------------------------------------- */

static int vex_move(struct x86_cpu *c, const struct x86_insn *i)
{
	uint8_t v[X86_YMM_BYTES] = { 0 };

	X86_AVX_CHECK(c);
	if (i->form == X86_FORM_MR) {
		x86_get_ymm(c, i->dst, v);
		return x86_vex_store(c, i, v) ? X86_NEXT : X86_ABORT;
	}
	if (!x86_vex_load(c, i, v))
		return X86_ABORT;
	x86_put_ymm(c, i->dst, v);
	return X86_NEXT;
}

/* Opcodes 12, 13: the low half; 16, 17: the high one. The other comes from VEX.vvvv. */
static int vex_half(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int high = i->opcode & 4 ? 8 : 0;
	uint8_t v[X86_YMM_BYTES];

	X86_AVX_CHECK(c);
	x86_get_ymm(c, i->form == X86_FORM_MR ? i->dst : i->vreg, v);
	if (i->form == X86_FORM_MR)
		return x86_vex_store(c, i, v + high) ? X86_NEXT : X86_ABORT;
	if (!x86_vex_load(c, i, v + high))
		return X86_ABORT;
	memset(v + 16, 0, 16);
	x86_put_ymm(c, i->dst, v);
	return X86_NEXT;
}

static int vex_broadcast(struct x86_cpu *c, const struct x86_insn *i)
{
	uint8_t v[X86_YMM_BYTES];

	X86_AVX_CHECK(c);
	if (!x86_vex_load(c, i, v))
		return X86_ABORT;
	memcpy(v + 16, v, 16);
	x86_put_ymm(c, i->dst, v);
	return X86_NEXT;
}

/* VZEROUPPER, and with VEX.L VZEROALL: all registers that the code size has. */
static int vex_zero(struct x86_cpu *c, const struct x86_insn *i)
{
	size_t bytes = (x86_is_code64(c) ? 16 : 8) * sizeof(c->fpu.xmm[0]);

	X86_AVX_CHECK(c);
	memset(c->fpu.ymmh, 0, bytes);
	if (i->vex & X86_VEX_PREFIX_L)
		memset(c->fpu.xmm, 0, bytes);
	return X86_NEXT;
}

static int vex_mxcsr(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t v = c->fpu.mxcsr;

	X86_AVX_CHECK(c);
	if (i->form == X86_FORM_MR)
		return x86_vex_store(c, i, &v) ? X86_NEXT : X86_ABORT;
	if (!x86_vex_load(c, i, &v))
		return X86_ABORT;
	if (v & ~X86_MXCSR_VALID)
		return x86_raise_err(c, X86_GP, 0);
	c->fpu.mxcsr = v;
	return X86_NEXT;
}

/* -- elements ------------------------------------------------------------------------------ */

/* Linear address of @bytes bytes at @offset in the operand's segment. */
static bool element_ea(struct x86_cpu *c, const struct x86_insn *i, uint64_t offset,
		       unsigned int bytes, bool write, gva_t *ret)
{
	return x86_linear(c, i->seg, x86_cut(i->asize, offset), bytes, write, ret);
}

static bool element_load(struct x86_cpu *c, const struct x86_insn *i, uint64_t offset,
			 unsigned int bytes, void *buf)
{
	const void *p;
	gva_t gva;

	if (!element_ea(c, i, offset, bytes, false, &gva))
		return false;
	p = x86_ptr_r_fast(c, gva, bytes);
	if (p) {
		x86_vex_copy(buf, p, bytes);
		return true;
	}
	if (x86_load_slow(c, gva, buf, bytes))
		return true;
	(void)x86_mem_fault(c, i);
	return false;
}

static bool element_masked(const uint8_t *mask, unsigned int n, unsigned int bytes)
{
	return mask[(n + 1) * bytes - 1] & 0x80;
}

/* -- VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ ---------------------------------------- */

/* 2C to 2F: singles, doubles; 8C, 8E: by W. */
static unsigned int maskmov_element(const struct x86_insn *i)
{
	if (i->opcode >= 0x8c)
		return i->vex & X86_VEX_PREFIX_W ? 8 : 4;
	return i->opcode & 1 ? 8 : 4;
}

static int maskmov_load(struct x86_cpu *c, const struct x86_insn *i, const uint8_t *mask)
{
	unsigned int size = maskmov_element(i);
	uint64_t offset = x86_ea_offset(c, i);
	uint8_t v[X86_YMM_BYTES] = { 0 };

	for (unsigned int n = 0; n < x86_vex_bytes(i) / size; n++)
		if (element_masked(mask, n, size) &&
		    !element_load(c, i, offset + (uint64_t)n * size, size, v + n * size))
			return X86_ABORT;
	x86_put_ymm(c, i->dst, v);
	return X86_NEXT;
}

/* Every element that is stored must be writable before the first of them is. */
static int maskmov_store(struct x86_cpu *c, const struct x86_insn *i, const uint8_t *mask)
{
	unsigned int size = maskmov_element(i), count = x86_vex_bytes(i) / size;
	uint64_t offset = x86_ea_offset(c, i);
	uint8_t v[X86_YMM_BYTES];
	gva_t gva[8];

	x86_get_ymm(c, i->dst, v);
	for (unsigned int n = 0; n < count; n++) {
		if (!element_masked(mask, n, size))
			continue;
		if (!element_ea(c, i, offset + (uint64_t)n * size, size, true, &gva[n]))
			return X86_ABORT;
		if (!x86_probe_area(c, gva[n], size))
			return x86_mem_fault(c, i);
	}
	for (unsigned int n = 0; n < count; n++)
		if (element_masked(mask, n, size) && !x86_put_bytes(c, gva[n], v + n * size, size))
			return X86_ABORT;
	return X86_NEXT;
}

/* Elements are not subject to alignment checks. */
static int vex_maskmov(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t ac = c->mode & X86_MODE_AC;
	uint8_t mask[X86_YMM_BYTES];
	int r;

	X86_AVX_CHECK(c);
	x86_get_ymm(c, i->vreg, mask);
	c->mode &= ~X86_MODE_AC;
	r = i->form == X86_FORM_MR ? maskmov_store(c, i, mask) : maskmov_load(c, i, mask);
	c->mode |= ac;
	return r;
}

/* -- gathers ------------------------------------------------------------------------------- */

struct gather {
	uint8_t dst[X86_YMM_BYTES], mask[X86_YMM_BYTES], index[X86_YMM_BYTES];
	unsigned int size;  /* of an element */
	unsigned int count; /* of them */
	bool wide;	    /* indexes of 64 bits */
};

static void gather_begin(const struct x86_cpu *c, const struct x86_insn *i, struct gather *g)
{
	unsigned int by_size, by_index;

	g->size = i->vex & X86_VEX_PREFIX_W ? 8 : 4;
	g->wide = i->opcode & 1;
	by_size = x86_vex_bytes(i) / g->size;
	by_index = x86_vex_bytes(i) / (g->wide ? 8 : 4);
	g->count = by_size < by_index ? by_size : by_index;
	x86_get_ymm(c, i->dst, g->dst);
	x86_get_ymm(c, i->vreg, g->mask);
	x86_get_ymm(c, i->cc, g->index);
}

static uint64_t gather_offset(const struct x86_cpu *c, const struct x86_insn *i,
			      const struct gather *g, unsigned int n)
{
	int64_t index;
	int32_t narrow;

	if (g->wide) {
		memcpy(&index, g->index + n * 8, 8);
	} else {
		memcpy(&narrow, g->index + n * 4, 4);
		index = narrow;
	}
	return c->gpr[i->base] + ((uint64_t)index << i->scale) + (uint64_t)i->disp;
}

/*
 * Elements that were there before one that faults stay gathered, and their masks cleared, so that
 * the instruction goes on where it was. Not so when it is only a device that has to answer: then
 * all of it runs again.
 */
static int vex_gather(struct x86_cpu *c, const struct x86_insn *i)
{
	uint32_t ac = c->mode & X86_MODE_AC;
	unsigned int n, at;
	struct gather g;

	X86_AVX_CHECK(c);
	gather_begin(c, i, &g);
	c->mode &= ~X86_MODE_AC;
	for (n = 0; n < g.count; n++) {
		at = n * g.size;
		if (!element_masked(g.mask, n, g.size))
			continue;
		if (!element_load(c, i, gather_offset(c, i, &g, n), g.size, g.dst + at))
			break;
		memset(g.mask + at, 0, g.size);
	}
	c->mode |= ac;
	if (n == g.count) {
		memset(g.dst + g.count * g.size, 0, X86_YMM_BYTES - g.count * g.size);
		memset(g.mask, 0, sizeof(g.mask));
	} else if (c->stop != X86_STOP_NONE) {
		return X86_ABORT;
	}
	x86_put_ymm(c, i->dst, g.dst);
	x86_put_ymm(c, i->vreg, g.mask);
	return n == g.count ? X86_NEXT : X86_ABORT;
}

/* -- as the SSE forms ---------------------------------------------------------------------- */

/* VPCMPESTRM and VPCMPISTRM clear the upper half of YMM0. */
static int vex_string(struct x86_cpu *c, const struct x86_insn *i)
{
	x86_vec b;

	X86_AVX_CHECK(c);
	if (i->form == X86_FORM_RRI)
		b = x86_get_xmm(c, i->src);
	else if (!x86_vex_load(c, i, &b))
		return X86_ABORT;
	x86_string_compare(c, i, b);
	if (!(i->opcode & 1))
		memset(&c->fpu.ymmh[0], 0, sizeof(c->fpu.ymmh[0]));
	return X86_NEXT;
}

static int vex_maskdqu(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_AVX_CHECK(c);
	return x86_masked_store(c, i, c->fpu.xmm[i->dst & 15].u8, c->fpu.xmm[i->src & 15].u8, 16);
}

const x86_exec_fn x86_vex_handlers[X86_VEX_KINDS] = {
	[X86_VEX_MOVE] = vex_move,	     [X86_VEX_HALF] = vex_half,
	[X86_VEX_BROADCAST] = vex_broadcast, [X86_VEX_ZERO] = vex_zero,
	[X86_VEX_MXCSR] = vex_mxcsr,	     [X86_VEX_MASKMOV] = vex_maskmov,
	[X86_VEX_GATHER] = vex_gather,	     [X86_VEX_STRING] = vex_string,
	[X86_VEX_MASKDQU] = vex_maskdqu,
};
