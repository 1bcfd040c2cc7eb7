/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_bind.c - finds the handler of a decoded instruction.
 * Owns one lookup array for the whole process, built once from the tables of all exec_*.c and never
 * freed or changed afterwards. Locking: x86_exec_init may be called by several threads; the array
 * is published with one atomic exchange, the loser frees his. Saved: nothing.
 */
#include "os/hvm_os.h"
#include "x86/exec_int.h"

enum bind_variant {
	BIND_PLAIN,
	BIND_FLAT64,
	BIND_BASE64,
	BIND_LOCKED,
	BIND_VARIANTS
};

#define BIND_OSIZES 5

struct bind_lookup {
	x86_exec_fn fn[BIND_VARIANTS][X86_OP_COUNT][X86_FORM_COUNT][BIND_OSIZES];
};

static struct bind_lookup *bind_lookup;

/* A table that is later in this list wins over an equal row of an earlier one. */
static const struct x86_exec_table *const bind_tables[] = {
	&x86_exec_alu,	    &x86_exec_muldiv, &x86_exec_shift,	 &x86_exec_bit,
	&x86_exec_move,	    &x86_exec_xchg,   &x86_exec_flags,	 &x86_exec_stack,
	&x86_exec_branch,   &x86_exec_string, &x86_exec_io,	 &x86_exec_far,
	&x86_exec_seg,	    &x86_exec_sys,    &x86_exec_x87,	 &x86_exec_fpstate,
	&x86_exec_sse_move, &x86_exec_sse_fp, &x86_exec_sse_int, &x86_exec_sse4,
};

int x86_exec_ud(struct x86_cpu *c, const struct x86_insn *i)
{
	(void)i;
	return x86_raise(c, X86_UD);
}

static enum bind_variant bind_row_variant(const struct x86_exec_row *r)
{
	if (r->form == X86_ANY)
		return BIND_PLAIN;
	return r->form & X86_FORM_LOCKED   ? BIND_LOCKED
	       : r->form & X86_FORM_BASE64 ? BIND_BASE64
	       : r->form & X86_FORM_FLAT64 ? BIND_FLAT64
					   : BIND_PLAIN;
}

static void bind_add_row(struct bind_lookup *l, const struct x86_exec_row *r)
{
	enum bind_variant v = bind_row_variant(r);
	unsigned int form = r->form & 0x1f;
	bool any_form = r->form == X86_ANY, any_osize = r->osize == X86_ANY;

	if (r->op >= X86_OP_COUNT || (!any_form && form >= X86_FORM_COUNT) ||
	    (!any_osize && r->osize >= BIND_OSIZES))
		hvm_bug("executor table row out of range");
	for (unsigned int f = any_form ? 0 : form; f < (any_form ? X86_FORM_COUNT : form + 1); f++)
		for (unsigned int s = any_osize ? 0 : r->osize;
		     s < (any_osize ? BIND_OSIZES : r->osize + 1u); s++)
			l->fn[v][r->op][f][s] = r->fn;
}

/* 0: names everything, 1: leaves one of form and osize open, 2: both. */
static unsigned int bind_wildcards(const struct x86_exec_row *r)
{
	return (r->form == X86_ANY) + (r->osize == X86_ANY);
}

static void bind_fill(struct bind_lookup *l)
{
	for (int wild = 2; wild >= 0; wild--)
		for (size_t t = 0; t < HVM_ARRAY_SIZE(bind_tables); t++)
			for (size_t n = 0; n < bind_tables[t]->count; n++) {
				const struct x86_exec_row *r = &bind_tables[t]->rows[n];

				if (bind_wildcards(r) == (unsigned int)wild)
					bind_add_row(l, r);
			}
}

int x86_exec_init(void)
{
	struct bind_lookup *l, *expected = NULL;

	if (__atomic_load_n(&bind_lookup, __ATOMIC_ACQUIRE))
		return 0;
	l = hvm_os_alloc_pages(sizeof(*l));
	if (!l)
		return -HVM_ENOMEM;
	bind_fill(l);
	if (!__atomic_compare_exchange_n(&bind_lookup, &expected, l, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		hvm_os_free_pages(l, sizeof(*l));
	return 0;
}

static bool bind_is_mem_form(unsigned int form)
{
	const unsigned int mem = 1u << X86_FORM_M | 1u << X86_FORM_RM | 1u << X86_FORM_MR |
				 1u << X86_FORM_MI | 1u << X86_FORM_RMI | 1u << X86_FORM_MRI;

	return mem >> form & 1;
}

x86_exec_fn x86_exec_bind(const struct x86_insn *i)
{
	const struct bind_lookup *l = __atomic_load_n(&bind_lookup, __ATOMIC_ACQUIRE);
	x86_exec_fn fn = NULL;

	if (!l || i->op >= X86_OP_COUNT || i->form >= X86_FORM_COUNT ||
	    (i->osize >= BIND_OSIZES && i->op != X86_OP_VEX))
		return x86_exec_ud;
	if (i->flags & X86_F_LOCK) {
		fn = l->fn[BIND_LOCKED][i->op][i->form][i->osize];
		return fn ? fn : x86_exec_ud;
	}
	if (i->op == X86_OP_VEX)
		return x86_bind_vex(i);
	if (i->op == X86_OP_JCC)
		fn = x86_bind_jcc(i);
	else if (i->op == X86_OP_SETCC || i->op == X86_OP_CMOVCC)
		fn = x86_bind_cc(i);
	if (fn)
		return fn;
	if (bind_is_mem_form(i->form) && i->asize == 3 && i->seg < HVM_SEG_FS) {
		if (i->index == X86_REG_NONE)
			fn = l->fn[BIND_BASE64][i->op][i->form][i->osize];
		if (!fn)
			fn = l->fn[BIND_FLAT64][i->op][i->form][i->osize];
	}
	if (!fn)
		fn = l->fn[BIND_PLAIN][i->op][i->form][i->osize];
	return fn ? fn : x86_exec_ud;
}
