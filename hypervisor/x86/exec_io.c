/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_io.c - IN, OUT, INS, OUTS and the I/O permission check.
 * Owns nothing; works on the caller's vcpu. Saved: nothing.
 *
 * INS asks for its destination before it reads the port: a fault must come before the device sees
 * the read. A repeated INS or OUTS hands whole pieces of a page to the device.
 * Source: Intel SDM Vol 1 ch. 18 "Input/Output"; Vol 2A, 2B "IN", "INS", "OUT", "OUTS".
 */
#include "x86/exec_str.h"

/* At most so many bytes in one call of the environment: what a request to ioemu can carry. */
#define IO_CHUNK_BYTES 2048u

bool x86_check_io(struct x86_cpu *c, uint16_t port, unsigned int size)
{
	const struct hvm_seg *tr = &c->seg[HVM_SEG_TR];
	uint16_t base, bits;
	uint32_t off, mask = (1u << size) - 1;

	if (!(c->mode & X86_MODE_PE) || (!(c->mode & X86_MODE_VM) && c->cpl <= x86_iopl(c)))
		return true;
	/* Only a 32 or 64-bit TSS has a bitmap, and it must lie inside the limit. */
	if ((tr->ar & HVM_AR_UNUSABLE) || !(tr->ar & 8) || tr->limit < 0x67)
		goto refuse;
	if (!x86_sys_load(c, tr->base + 0x66, &base, 2))
		return false;
	off = base + port / 8u;
	/* Two bytes are always read: ports may straddle. */
	if (off + 1 > tr->limit)
		goto refuse;
	if (!x86_sys_load(c, tr->base + off, &bits, 2))
		return false;
	if (!(bits >> (port & 7) & mask))
		return true;
refuse:
	x86_raise_err(c, X86_GP, 0);
	return false;
}

/* X86_ABORT after the environment could not serve an access. */
static int io_stop(struct x86_cpu *c, int rc)
{
	if (c->stop == X86_STOP_NONE)
		c->stop = rc == -HVM_EAGAIN ? X86_STOP_IO : X86_STOP_CRASH;
	return X86_ABORT;
}

static int io_in(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t port = i->form == X86_FORM_RI ? (uint8_t)i->imm : (uint16_t)c->gpr[X86_RDX];
	unsigned int size = 1u << i->osize;
	uint32_t value = 0;
	int rc;

	if (!x86_check_io(c, port, size))
		return X86_ABORT;
	rc = c->env->pio_read(c->env_arg, port, size, &value);
	if (rc)
		return io_stop(c, rc);
	x86_set_n(c, i->osize, X86_RAX, value);
	return X86_NEXT;
}

static int io_out(struct x86_cpu *c, const struct x86_insn *i)
{
	uint16_t port = i->form == X86_FORM_I ? (uint8_t)i->imm : (uint16_t)c->gpr[X86_RDX];
	unsigned int size = 1u << i->osize;
	int rc;

	if (!x86_check_io(c, port, size))
		return X86_ABORT;
	rc = c->env->pio_write(c->env_arg, port, size, (uint32_t)x86_get_n(c, i->osize, X86_RAX));
	return rc ? io_stop(c, rc) : X86_NEXT;
}

/* -- INS, OUTS ---------------------------------------------------------------------------- */

/* Elements of one call: what is in the page, and in order of growing addresses. */
static uint64_t io_room(struct x86_cpu *c, const struct x86_insn *i, unsigned int seg,
			unsigned int reg, uint64_t n)
{
	if (x86_str_backward(c))
		return 0;
	if (n > IO_CHUNK_BYTES >> i->osize)
		n = IO_CHUNK_BYTES >> i->osize;
	return x86_str_room(c, i, seg, reg, n);
}

static int64_t io_chunk_done(struct x86_cpu *c, const struct x86_insn *i, unsigned int reg,
			     uint64_t asked, int rc)
{
	if (rc <= 0) {
		io_stop(c, rc);
		return -1;
	}
	if ((uint64_t)rc < asked)
		asked = (uint64_t)rc;
	x86_str_advance(c, i, reg, asked);
	return (int64_t)asked;
}

static int64_t io_ins_many(struct x86_cpu *c, const struct x86_insn *i, uint64_t n)
{
	void *d;

	n = io_room(c, i, HVM_SEG_ES, X86_RDI, n);
	if (!n)
		return 0;
	d = x86_str_ptr(c, i, HVM_SEG_ES, X86_RDI, n, true);
	if (!d)
		return c->stop == X86_STOP_NONE ? 0 : -1;
	return io_chunk_done(c, i, X86_RDI, n,
			     c->env->pio_read_rep(c->env_arg, (uint16_t)c->gpr[X86_RDX],
						  1u << i->osize, (unsigned int)n, d));
}

static bool io_ins_one(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t off = x86_cut(i->asize, c->gpr[X86_RDI]);
	unsigned int size = 1u << i->osize;
	uint32_t value = 0;
	gva_t la;
	int rc;

	if (!x86_linear(c, HVM_SEG_ES, off, size, true, &la) || !x86_probe_w(c, la, size))
		return false;
	rc = c->env->pio_read(c->env_arg, (uint16_t)c->gpr[X86_RDX], size, &value);
	if (rc) {
		io_stop(c, rc);
		return false;
	}
	if (!x86_str_store(c, i, value))
		return false;
	x86_str_advance(c, i, X86_RDI, 1);
	return true;
}

static int io_ins(struct x86_cpu *c, const struct x86_insn *i)
{
	if (!x86_check_io(c, (uint16_t)c->gpr[X86_RDX], 1u << i->osize))
		return X86_ABORT;
	return x86_str_run(c, i, io_ins_many, io_ins_one, false);
}

static int64_t io_outs_many(struct x86_cpu *c, const struct x86_insn *i, uint64_t n)
{
	const void *s;

	n = io_room(c, i, i->seg, X86_RSI, n);
	if (!n)
		return 0;
	s = x86_str_ptr(c, i, i->seg, X86_RSI, n, false);
	if (!s)
		return c->stop == X86_STOP_NONE ? 0 : -1;
	return io_chunk_done(c, i, X86_RSI, n,
			     c->env->pio_write_rep(c->env_arg, (uint16_t)c->gpr[X86_RDX],
						   1u << i->osize, (unsigned int)n, s));
}

static bool io_outs_one(struct x86_cpu *c, const struct x86_insn *i)
{
	uint64_t value;
	int rc;

	if (!x86_str_load(c, i, i->seg, X86_RSI, &value))
		return false;
	rc = c->env->pio_write(c->env_arg, (uint16_t)c->gpr[X86_RDX], 1u << i->osize,
			       (uint32_t)value);
	if (rc) {
		io_stop(c, rc);
		return false;
	}
	x86_str_advance(c, i, X86_RSI, 1);
	return true;
}

static int io_outs(struct x86_cpu *c, const struct x86_insn *i)
{
	if (!x86_check_io(c, (uint16_t)c->gpr[X86_RDX], 1u << i->osize))
		return X86_ABORT;
	return x86_str_run(c, i, io_outs_many, io_outs_one, false);
}

/* clang-format off */
#define IO_ROWS(OP, fn) \
	{ X86_OP_##OP, X86_ANY, 0, fn }, { X86_OP_##OP, X86_ANY, 1, fn }, { X86_OP_##OP, X86_ANY, 2, fn }
static const struct x86_exec_row rows[] = {
	IO_ROWS(IN, io_in),
	IO_ROWS(OUT, io_out),
	IO_ROWS(INS, io_ins),
	IO_ROWS(OUTS, io_outs),
};
/* clang-format on */

const struct x86_exec_table x86_exec_io = { rows, HVM_ARRAY_SIZE(rows) };
