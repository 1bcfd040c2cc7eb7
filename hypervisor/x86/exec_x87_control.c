/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_x87_control.c - x87 control, status, environment and state.
 * Works on struct x86_cpu of the calling thread; owns nothing, saves nothing.
 * Source: Intel SDM Vol 1 8.1 "x87 FPU Execution Environment" (formats: figures 8-9 to 8-12), 8.3.8
 * "x87 FPU Control Instructions".
 */
#include "os/hvm_os.h"
#include "x86/exec_x87.h"

/* -- words -------------------------------------------------------------------------------- */

static void set_fcw(struct x86_fpu *f, uint16_t fcw)
{
	f->fcw = (fcw & X86_FCW_WRITABLE) | X86_FCW_FIXED;
	x86_fpu_update_es(f);
}

int x87_fldcw(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t v;
	gva_t gva;

	X86_FPU_CHECK(c);
	if (!x86_ea(c, i, 2, false, &gva) || !x86_load16(c, gva, &v))
		return X86_ABORT;
	set_fcw(&c->fpu, v);
	return X86_NEXT;
}

static int store_word(struct x86_cpu *c, const struct x86_insn *i, uint16_t v)
{
	gva_t gva;

	if (!x86_ea(c, i, 2, true, &gva) || !x86_store16(c, gva, v))
		return X86_ABORT;
	return X86_NEXT;
}

int x87_fnstcw(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_FPU_CHECK_NOWAIT(c);
	return store_word(c, i, c->fpu.fcw);
}

int x87_fnstsw(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_FPU_CHECK_NOWAIT(c);
	return store_word(c, i, c->fpu.fsw);
}

int x87_fnstsw_ax(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	X86_FPU_CHECK_NOWAIT(c);
	c->gpr[X86_RAX] = (c->gpr[X86_RAX] & ~0xffffull) | c->fpu.fsw;
	return X86_NEXT;
}

int x87_fnclex(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	X86_FPU_CHECK_NOWAIT(c);
	c->fpu.fsw &= (uint16_t) ~(X86_FSW_EXC | X86_FSW_SF | X86_FSW_ES | X86_FSW_B);
	return X86_NEXT;
}

int x87_fninit(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	X86_FPU_CHECK_NOWAIT(c);
	x86_fpu_init(&c->fpu);
	return X86_NEXT;
}

/* WAIT does not look at CR0.EM, and at CR0.TS only with CR0.MP. */
int x87_fwait(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	if ((c->cr0 & (X86_CR0_MP | X86_CR0_TS)) == (X86_CR0_MP | X86_CR0_TS))
		return x86_raise(c, X86_NM);
	if (!(c->fpu.fsw & X86_FSW_ES))
		return X86_NEXT;
	if (c->cr0 & X86_CR0_NE)
		return x86_raise(c, X86_MF);
	if (c->env->ferr)
		c->env->ferr(c->env_arg);
	return X86_NEXT;
}

/* -- stack pointer and tags --------------------------------------------------------------- */

int x87_fnop(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	X86_FPU_CHECK(c);
	return X86_NEXT;
}

/* FNENI, FNDISI of the 8087 and FNSETPM of the 80287. */
int x87_fnop_legacy(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	X86_FPU_CHECK_NOWAIT(c);
	return X86_NEXT;
}

int x87_ffree(struct x86_cpu *c, const struct x86_insn *i)
{
	X86_FPU_CHECK(c);
	c->fpu.valid &= (uint16_t) ~(1u << x87_phys(c, i->dst));
	return X86_NEXT;
}

static void move_top(struct x86_cpu *c, unsigned int by)
{
	unsigned int top = x87_phys(c, by);

	c->fpu.fsw &= (uint16_t) ~(X86_FSW_TOP | X86_FSW_C1);
	c->fpu.fsw |= (uint16_t)(top << X86_FSW_TOP_SHIFT);
}

int x87_fincstp(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	X86_FPU_CHECK(c);
	move_top(c, 1);
	return X86_NEXT;
}

int x87_fdecstp(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	X86_FPU_CHECK(c);
	move_top(c, 7);
	return X86_NEXT;
}

/* -- environment -------------------------------------------------------------------------- */

/*
 * Seven words of 2 or 4 bytes: control, status, tags, then the instruction and operand pointers: in
 * protected mode offset and selector, in real and virtual-8086 mode a linear address in two parts.
 * What does not fill its word reads as ones in the first three and the last.
 */
struct x87_env {
	uint32_t word[7];
};

static bool env_is_protected(const struct x86_cpu *c)
{
	return (c->mode & (X86_MODE_PE | X86_MODE_VM)) == X86_MODE_PE;
}

static unsigned int env_bytes(const struct x86_insn *i)
{
	return i->osize == 1 ? 14 : 28;
}

static void env_from_fpu(const struct x86_cpu *c, bool wide, struct x87_env *e)
{
	const struct x86_fpu *f = &c->fpu;
	uint32_t ip, dp;

	e->word[0] = 0xffff0000 | f->fcw;
	e->word[1] = 0xffff0000 | f->fsw;
	e->word[2] = 0xffff0000 | x86_fpu_full_tags(f);
	if (env_is_protected(c)) {
		e->word[3] = (uint32_t)f->fip;
		e->word[4] = f->fcs | (wide ? (uint32_t)f->fop << 16 : 0);
		e->word[5] = (uint32_t)f->fdp;
		e->word[6] = 0xffff0000 | f->fds;
		return;
	}
	ip = (uint32_t)f->fip + ((uint32_t)f->fcs << 4);
	dp = (uint32_t)f->fdp + ((uint32_t)f->fds << 4);
	e->word[3] = ip & 0xffff;
	e->word[4] = (ip >> 16 << 12) | f->fop;
	e->word[5] = dp & 0xffff;
	e->word[6] = dp >> 16 << 12;
}

static void env_to_fpu(struct x86_cpu *c, bool wide, const struct x87_env *e)
{
	struct x86_fpu *f = &c->fpu;
	unsigned int n;

	f->fsw = (uint16_t)e->word[1];
	set_fcw(f, (uint16_t)e->word[0]);
	f->valid = 0;
	for (n = 0; n < 8; n++)
		if (((e->word[2] >> (2 * n)) & 3) != 3)
			f->valid |= (uint16_t)(1u << n);
	if (env_is_protected(c)) {
		f->fip = e->word[3];
		f->fcs = (uint16_t)e->word[4];
		if (wide)
			f->fop = (e->word[4] >> 16) & 0x7ff;
		f->fdp = e->word[5];
		f->fds = (uint16_t)e->word[6];
		return;
	}
	f->fip = (e->word[3] & 0xffff) | (e->word[4] >> 12 << 16);
	f->fdp = (e->word[5] & 0xffff) | (e->word[6] >> 12 << 16);
	f->fcs = f->fds = 0;
	f->fop = e->word[4] & 0x7ff;
}

/* Words to and from the 2-byte format. */
static void env_pack(const struct x87_env *e, bool wide, uint8_t *buf)
{
	unsigned int n;

	for (n = 0; n < 7; n++)
		memcpy(buf + n * (wide ? 4 : 2), &e->word[n], wide ? 4 : 2);
}

static void env_unpack(const uint8_t *buf, bool wide, struct x87_env *e)
{
	unsigned int n;

	memset(e, 0, sizeof(*e));
	for (n = 0; n < 7; n++)
		memcpy(&e->word[n], buf + n * (wide ? 4 : 2), wide ? 4 : 2);
}

int x87_fnstenv(struct x86_cpu *c, const struct x86_insn *i)
{
	bool wide = i->osize != 1;
	struct x87_env e;
	uint8_t buf[28];
	gva_t gva;

	X86_FPU_CHECK_NOWAIT(c);
	env_from_fpu(c, wide, &e);
	env_pack(&e, wide, buf);
	if (!x86_ea(c, i, env_bytes(i), true, &gva) || !x86_put_bytes(c, gva, buf, env_bytes(i)))
		return X86_ABORT;
	set_fcw(&c->fpu, c->fpu.fcw | X86_FSW_EXC);
	return X86_NEXT;
}

int x87_fldenv(struct x86_cpu *c, const struct x86_insn *i)
{
	struct x87_env e;
	uint8_t buf[28];
	gva_t gva;

	X86_FPU_CHECK(c);
	if (!x86_ea(c, i, env_bytes(i), false, &gva) || !x86_get_bytes(c, gva, buf, env_bytes(i)))
		return X86_ABORT;
	env_unpack(buf, i->osize != 1, &e);
	env_to_fpu(c, i->osize != 1, &e);
	return X86_NEXT;
}

/* -- whole state: the environment and ST(0) to ST(7), 10 bytes each ----------------------- */

int x87_fnsave(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int env = env_bytes(i), bytes = env + 80, n;
	struct x87_env e;
	uint8_t buf[108];
	gva_t gva;

	X86_FPU_CHECK_NOWAIT(c);
	env_from_fpu(c, i->osize != 1, &e);
	env_pack(&e, i->osize != 1, buf);
	for (n = 0; n < 8; n++)
		memcpy(buf + env + 10 * n, x87_st(c, n), 10);
	if (!x86_ea(c, i, bytes, true, &gva) || !x86_probe_area(c, gva, bytes) ||
	    !x86_put_bytes(c, gva, buf, bytes))
		return X86_ABORT;
	x86_fpu_init(&c->fpu);
	return X86_NEXT;
}

int x87_frstor(struct x86_cpu *c, const struct x86_insn *i)
{
	unsigned int env = env_bytes(i), bytes = env + 80, n;
	struct x87_env e;
	uint8_t buf[108];
	gva_t gva;

	X86_FPU_CHECK(c);
	if (!x86_ea(c, i, bytes, false, &gva) || !x86_get_bytes(c, gva, buf, bytes))
		return X86_ABORT;
	env_unpack(buf, i->osize != 1, &e);
	env_to_fpu(c, i->osize != 1, &e);
	for (n = 0; n < 8; n++)
		memcpy(x87_st(c, n), buf + env + 10 * n, 10);
	return X86_NEXT;
}
