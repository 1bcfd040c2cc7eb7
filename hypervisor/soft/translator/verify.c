/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verify.c - every translated block is run both ways, first interpreted, then translated from the
 * same state; at the first difference the domain is crashed with a report of it.
 *
 * The interpreter runs without write entries in its TLB, so that every store comes by tlb.c and can
 * be logged and undone. What cannot be done twice (devices, time, privileged instructions) is done
 * once, by the interpreter, and not compared. With several vcpus they take turns (verify_lock),
 * since one that writes between the two runs would look like a difference; what devices write in
 * between still does, so a difference must come again to count.
 *
 * Owns struct soft_tr_verify. Links are never made in this mode: every run is one block. Flags that
 * nothing reads any more are not compared after an exception (docs/translator.md). Not saved.
 */
#include "os/hvm_os.h"
#include "soft/translator/block.h"
#include "x86/exec_int.h"

#define VERIFY_WRITES 512u
#define VERIFY_BYTES  16384u
#define VERIFY_TRIES  3
#define VERIFY_ARITH  0xd501u /* bits of c->arith that are flags */

struct verify_write {
	uint8_t *hva;
	uint32_t bytes;
	uint32_t at; /* in before[], after[] */
};

struct soft_tr_verify {
	bool active; /* writes are logged */
	bool once;   /* something happened that must not happen again */
	uint32_t count, used;
	struct verify_write write[VERIFY_WRITES];
	uint8_t before[VERIFY_BYTES], after[VERIFY_BYTES];
	struct x86_cpu start, interpreted;
	uint64_t compared;
};

int soft_tr_verify_init(struct soft_vcpu *sv)
{
	sv->tr.verify = hvm_os_alloc(sizeof(*sv->tr.verify));
	return sv->tr.verify ? 0 : -HVM_ENOMEM;
}

void soft_tr_verify_fini(struct soft_vcpu *sv)
{
	hvm_os_free(sv->tr.verify);
	sv->tr.verify = NULL;
}

/* -- what can be done twice ---------------------------------------------------------------- */

static bool verify_repeatable(const struct x86_insn *i)
{
	/* From here on op_names.def has I/O and system instructions. */
	if (i->op >= X86_OP_INT && i->op <= X86_OP_WRGSBASE)
		return false;
	switch (i->op) {
	case X86_OP_INVALID:
	case X86_OP_INS:
	case X86_OP_OUTS:
	case X86_OP_STI: /* its shadow is not kept by translated code */
	case X86_OP_JMP_FAR:
	case X86_OP_CALL_FAR:
	case X86_OP_RETF:
	case X86_OP_RETF_IMM:
	case X86_OP_PUSH_SEG:
	case X86_OP_POP_SEG:
	case X86_OP_MOV_TO_SEG:
	case X86_OP_XSAVE: /* leaves the host's own state components to the host */
	case X86_OP_XSAVEOPT:
	case X86_OP_XRSTOR: return false;
	}
	return true;
}

unsigned int tr_verify_count(const struct soft_block *b)
{
	unsigned int n = 0;

	while (n < b->count && verify_repeatable(&b->slot[n].insn)) {
		n++;
		if (tr_leaves_behind(&b->slot[n - 1].insn))
			break;
	}
	return n;
}

/* -- log of writes ------------------------------------------------------------------------- */

void soft_tr_verify_write(struct soft_vcpu *sv, uint8_t *hva, unsigned int bytes)
{
	struct soft_tr_verify *v = sv->tr.verify;

	if (hvm_likely(!v) || !v->active)
		return;
	if (v->count == VERIFY_WRITES || bytes > VERIFY_BYTES - v->used) {
		v->once = true;
		return;
	}
	v->write[v->count++] = (struct verify_write){ hva, bytes, v->used };
	memcpy(v->before + v->used, hva, bytes);
	v->used += bytes;
}

void soft_tr_verify_device(struct soft_vcpu *sv)
{
	if (hvm_unlikely(sv->tr.verify != NULL))
		sv->tr.verify->once = true;
}

static void verify_undo(struct soft_tr_verify *v)
{
	for (uint32_t n = 0; n < v->count; n++)
		memcpy(v->after + v->write[n].at, v->write[n].hva, v->write[n].bytes);
	for (uint32_t n = v->count; n-- > 0;)
		memcpy(v->write[n].hva, v->before + v->write[n].at, v->write[n].bytes);
}

static void verify_redo(const struct soft_tr_verify *v)
{
	for (uint32_t n = 0; n < v->count; n++)
		memcpy(v->write[n].hva, v->after + v->write[n].at, v->write[n].bytes);
}

/* -- both runs ----------------------------------------------------------------------------- */

/* Where a run that ended with @r at @i left off; the handler's result in one word. */
static int verify_settle(struct x86_cpu *c, const struct x86_insn *i, int r)
{
	switch (r) {
	case X86_NEXT:
	case X86_END: c->x86_ip = x86_next_ip(c, i); return X86_BRANCH;
	case X86_ABORT: c->x86_ip = x86_insn_ip(c, i); return X86_ABORT;
	case X86_HALT: c->x86_ip = x86_next_ip(c, i); return X86_HALT;
	}
	return X86_BRANCH;
}

/* *ret_last: the instruction that ended it. */
static int verify_interpret(struct soft_vcpu *sv, const struct soft_block *b, unsigned int count,
			    const struct x86_insn **ret_last)
{
	struct soft_tr_verify *v = sv->tr.verify;
	struct x86_cpu *c = &sv->cpu;
	const struct x86_insn *i = NULL;
	int r = X86_NEXT;

	v->active = true;
	v->once = false;
	v->count = v->used = 0;
	for (unsigned int n = 0; n < count && r == X86_NEXT; n++) {
		c->tlb_w = soft_tlb_none;
		i = &b->slot[n].insn;
		r = i->exec(c, i);
	}
	v->active = false;
	x86_update_mode(c);
	*ret_last = i;
	return r;
}

static void verify_restart(struct soft_vcpu *sv)
{
	sv->cpu = sv->tr.verify->start;
	sv->non_canonical = false;
	x86_update_mode(&sv->cpu);
}

static int verify_translated(struct soft_vcpu *sv, struct soft_block *b)
{
	const struct x86_insn *i;
	int r = tr_enter_block(sv, b);

	if (r == (int)TR_EXIT_INTERP)
		return r;
	i = (const struct x86_insn *)(uintptr_t)sv->tr.insn;
	if (r == (int)TR_EXIT_GO) {
		if (!tr_went_astray(sv))
			return X86_BRANCH;
		r = tr_redo_branch(sv, &i);
	}
	return verify_settle(&sv->cpu, i, r);
}

/* -- comparison ---------------------------------------------------------------------------- */

static const char *verify_memory(const struct soft_tr_verify *v)
{
	/* Later writes may lie over earlier ones: after[] was read when all were done. */
	for (uint32_t n = 0; n < v->count; n++)
		if (memcmp(v->after + v->write[n].at, v->write[n].hva, v->write[n].bytes) != 0)
			return "memory";
	return NULL;
}

static const char *verify_differs(struct soft_vcpu *sv, int interpreted, int translated)
{
	const struct x86_cpu *a = &sv->tr.verify->interpreted, *b = &sv->cpu;

	if (interpreted != translated)
		return "result";
	if (a->x86_ip != b->x86_ip)
		return "ip";
	if (memcmp(a->gpr, b->gpr, 16 * sizeof(a->gpr[0])) != 0)
		return "general registers";
	if (a->rflags_rest != b->rflags_rest || a->mode != b->mode)
		return "flags or mode";
	if (interpreted == X86_ABORT) {
		if (a->exc.vector != b->exc.vector || a->exc.error != b->exc.error ||
		    a->exc_cr2 != b->exc_cr2 || a->stop != b->stop)
			return "exception";
	} else if ((a->arith ^ b->arith) & VERIFY_ARITH) {
		return "arithmetic flags";
	}
	/* Padding too: one is a copy of the other, and nothing writes it. */
	if (memcmp((const uint8_t *)&a->fpu, (const uint8_t *)&b->fpu, sizeof(a->fpu)) != 0)
		return "x87 or SSE state";
	return verify_memory(sv->tr.verify);
}

static void verify_report(struct soft_vcpu *sv, const struct soft_block *b, const char *differs)
{
	const struct x86_cpu *s = &sv->tr.verify->start, *a = &sv->tr.verify->interpreted;
	const struct x86_cpu *c = &sv->cpu;
	const struct domain *d = sv->vcpu->domain;

	hvm_os_log(HVM_LOG_ERROR, "%s: vcpu %u: translator: %s: block at %llx, %u instructions",
		   d->name, sv->vcpu->id, differs, (unsigned long long)s->x86_ip, b->count);
	for (unsigned int n = 0; n < b->count; n++)
		hvm_os_log(HVM_LOG_ERROR, "  +%x %s form %u osize %u dst %u src %u",
			   b->slot[n].insn.end - b->slot[n].insn.len,
			   x86_insn_name(&b->slot[n].insn), b->slot[n].insn.form,
			   b->slot[n].insn.osize, b->slot[n].insn.dst, b->slot[n].insn.src);
	for (unsigned int r = 0; r < 16; r++)
		hvm_os_log(HVM_LOG_ERROR,
			   "  gpr %2u: start %016llx interpreted %016llx translated %016llx", r,
			   (unsigned long long)s->gpr[r], (unsigned long long)a->gpr[r],
			   (unsigned long long)c->gpr[r]);
	hvm_os_log(HVM_LOG_ERROR,
		   "  ip: interpreted %llx translated %llx; rflags: start %llx %llx %llx",
		   (unsigned long long)a->x86_ip, (unsigned long long)c->x86_ip,
		   (unsigned long long)x86_get_rflags(s), (unsigned long long)x86_get_rflags(a),
		   (unsigned long long)x86_get_rflags(c));
	hvm_domain_crash(sv->vcpu->domain, "translator: %s differs in the block at %llx", differs,
			 (unsigned long long)s->x86_ip);
}

/* -- running ------------------------------------------------------------------------------- */

/* The interpreter's outcome is the one that counts; *ret_stands: it must not be tried again. */
static const char *verify_both(struct soft_vcpu *sv, struct soft_block *b, unsigned int count,
			       const struct x86_insn **last, int *ret_r, bool *ret_stands)
{
	struct soft_tr_verify *v = sv->tr.verify;
	uint64_t drops = sv->tr.drops;
	const char *differs;
	int settled, r;

	*ret_r = verify_interpret(sv, b, count, last);
	*ret_stands = v->once || sv->tr.drops != drops || sv->io_retry ||
		      (*ret_r == X86_ABORT && sv->cpu.stop != X86_STOP_NONE);
	if (*ret_stands)
		return NULL;
	v->interpreted = sv->cpu;
	settled = verify_settle(&v->interpreted, *last, *ret_r);
	verify_undo(v);
	verify_restart(sv);
	r = verify_translated(sv, b);
	differs = r == (int)TR_EXIT_INTERP ? NULL : verify_differs(sv, settled, r);
	if (differs)
		return differs;
	/* On from the interpreter's outcome, as if there had been nothing else. */
	v->compared++;
	verify_redo(v);
	sv->cpu = v->interpreted;
	if (*ret_r == X86_NEXT || *ret_r == X86_END || *ret_r == X86_ABORT || *ret_r == X86_HALT)
		sv->cpu.x86_ip = v->start.x86_ip;
	return NULL;
}

static int verify_block(struct soft_vcpu *sv, struct soft_block *b, unsigned int count,
			struct hvm_exit *ret)
{
	struct soft_tr_verify *v = sv->tr.verify;
	const struct x86_insn *last = NULL;
	const char *differs = NULL;
	bool stands = false;
	int r = X86_NEXT;

	v->start = sv->cpu;
	for (unsigned int n = 0; n < VERIFY_TRIES; n++) {
		differs = verify_both(sv, b, count, &last, &r, &stands);
		if (!differs || stands)
			break;
		if (n == VERIFY_TRIES - 1) {
			verify_report(sv, b, differs);
			return -HVM_EIO;
		}
		verify_undo(v);
		verify_restart(sv);
	}
	x86_update_mode(&sv->cpu);
	return soft_digest(sv, last, r, ret);
}

int soft_tr_verify_run(struct soft_vcpu *sv, struct hvm_exit *ret)
{
	struct soft_block *b = soft_block_find(sv);
	unsigned int count;
	bool again = false;
	int rc;

	sv->tr.site = 0;
	if (!b)
		return soft_digest(sv, NULL, X86_ABORT, ret);
	count = tr_verify_count(b);
	if (count && !tr_get(sv, b, &again) && again)
		return SOFT_GO_ON;
	hvm_os_mutex_lock(&sv->domain->verify_lock);
	if (!count || !b->tr) {
		const struct x86_insn *i = &b->slot[0].insn;

		rc = soft_digest(sv, i, i->exec(&sv->cpu, i), ret);
	} else {
		rc = verify_block(sv, b, count, ret);
	}
	hvm_os_mutex_unlock(&sv->domain->verify_lock);
	/* It was overwritten with a copy. */
	__atomic_store_n(&sv->cpu.exit_req, 1, __ATOMIC_SEQ_CST);
	return rc;
}
