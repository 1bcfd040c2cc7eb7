/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_desc.h - what the system handlers share: descriptors, segment caches, system memory, frames
 * on a stack that is not (yet) the current one, task state segments.
 *
 * Functions that return int give 0 (X86_NEXT) or X86_ABORT with the exception in c->exc.
 * "ext" is the EXT bit of an error code: 1 while an event from outside the program is delivered.
 */
#ifndef X86_EXEC_DESC_H
#define X86_EXEC_DESC_H

#include "os/hvm_os.h"
#include "x86/exec_int.h"

/* Types of system descriptors (S = 0). 16-bit ones do not exist in long mode. */
enum x86_sys_type {
	X86_SYS_TSS16 = 1,
	X86_SYS_LDT = 2,
	X86_SYS_TSS16_BUSY = 3,
	X86_SYS_CALL16 = 4,
	X86_SYS_TASK_GATE = 5,
	X86_SYS_INTR16 = 6,
	X86_SYS_TRAP16 = 7,
	X86_SYS_TSS32 = 9,
	X86_SYS_TSS32_BUSY = 11,
	X86_SYS_CALL32 = 12,
	X86_SYS_INTR32 = 14,
	X86_SYS_TRAP32 = 15,
};

#define X86_TSS_BUSY 2u /* in the type field */

/* Values of struct hvm_seg.ar for segments that an instruction makes up. */
#define X86_AR_DATA32 (HVM_AR_G | HVM_AR_DB | HVM_AR_P | HVM_AR_S | HVM_AR_RW | HVM_AR_ACCESSED)
#define X86_AR_CODE32 (X86_AR_DATA32 | HVM_AR_CODE)
#define X86_AR_CODE64 \
	(HVM_AR_G | HVM_AR_L | HVM_AR_P | HVM_AR_S | HVM_AR_CODE | HVM_AR_RW | HVM_AR_ACCESSED)
#define X86_AR_REAL_DATA (HVM_AR_P | HVM_AR_S | HVM_AR_RW | HVM_AR_ACCESSED)
#define X86_AR_VM86	 (X86_AR_REAL_DATA | HVM_AR_DPL_MASK)

/* A descriptor as it stands in the GDT or LDT. */
struct x86_desc {
	uint64_t raw;
	gva_t gva; /* of its first byte */
	uint32_t ar;
	uint16_t sel;
};

static inline uint64_t x86_desc_base(uint64_t raw)
{
	return ((raw >> 16) & 0xffffff) | ((raw >> 32) & 0xff000000);
}

static inline uint32_t x86_desc_ar(uint64_t raw)
{
	return (uint32_t)(raw >> 40) & 0xf0ff;
}

static inline uint32_t x86_desc_limit(uint64_t raw)
{
	uint32_t limit = (uint32_t)((raw & 0xffff) | ((raw >> 32) & 0xf0000));

	return raw & HVM_BIT(55) ? limit << 12 | 0xfff : limit;
}

static inline unsigned int x86_ar_dpl(uint32_t ar)
{
	return (ar & HVM_AR_DPL_MASK) >> HVM_AR_DPL_SHIFT;
}

static inline bool x86_ar_is_code(uint32_t ar)
{
	return (ar & (HVM_AR_S | HVM_AR_CODE)) == (HVM_AR_S | HVM_AR_CODE);
}

static inline bool x86_ar_is_conforming(uint32_t ar)
{
	return ar & HVM_AR_EC;
}

static inline bool x86_ar_is_writable_data(uint32_t ar)
{
	return (ar & (HVM_AR_S | HVM_AR_CODE | HVM_AR_RW)) == (HVM_AR_S | HVM_AR_RW);
}

/* Type of a system descriptor; 0 (reserved) for code and data. */
static inline unsigned int x86_ar_sys_type(uint32_t ar)
{
	return ar & HVM_AR_S ? 0 : ar & HVM_AR_TYPE_MASK;
}

static inline bool x86_sel_is_null(uint16_t sel)
{
	return (sel & 0xfffc) == 0;
}

static inline bool x86_is_protected(const struct x86_cpu *c)
{
	return c->mode & X86_MODE_PE;
}

static inline bool x86_is_vm86(const struct x86_cpu *c)
{
	return c->mode & X86_MODE_VM;
}

static inline bool x86_is_long(const struct x86_cpu *c)
{
	return c->mode & X86_MODE_LMA;
}

/* Protected mode, not virtual-8086: descriptors mean something. */
static inline bool x86_uses_descriptors(const struct x86_cpu *c)
{
	return (c->mode & (X86_MODE_PE | X86_MODE_VM)) == X86_MODE_PE;
}

/* X86_NEXT unless the handler changed the mode word since @mode, then X86_END. */
static inline int x86_end_if_mode_changed(const struct x86_cpu *c, uint32_t mode)
{
	return c->mode == mode ? X86_NEXT : X86_END;
}

static inline int x86_branch_to(struct x86_cpu *c, uint64_t ip)
{
	c->x86_ip = ip;
	return X86_BRANCH;
}

/* -- exec_desc.c: system memory -------------------------------------------------------------------
 */

/*
 * Loads of descriptor tables and task state segments, with a fast path through the kernel's
 * TLB. Addresses are cut to 32 bits outside long mode.
 */
bool x86_sys_load64(struct x86_cpu *c, gva_t gva, uint64_t *ret);
bool x86_sys_get(struct x86_cpu *c, gva_t gva, void *buf, unsigned int size);
bool x86_sys_put(struct x86_cpu *c, gva_t gva, const void *buf, unsigned int size);
/* Will x86_sys_put() of this range succeed? */
bool x86_sys_probe(struct x86_cpu *c, gva_t gva, unsigned int size);
/* Set bits of one byte of a system structure, atomically where the memory can be reached directly.
 */
bool x86_sys_or8(struct x86_cpu *c, gva_t gva, uint8_t bits);
bool x86_sys_and8(struct x86_cpu *c, gva_t gva, uint8_t mask);

/* -- exec_desc.c: descriptors ------------------------------------------------------------------ */

/* Descriptor of @sel; beyond its table (or no LDT): @vector(@sel | @ext). Null is not special. */
int x86_desc_fetch(struct x86_cpu *c, uint16_t sel, enum x86_vector vector, unsigned int ext,
		   struct x86_desc *ret);
/* The upper half of a 16-byte system descriptor of long mode. Bits 8-12 must be zero: #GP(sel). */
int x86_desc_fetch_high(struct x86_cpu *c, const struct x86_desc *d, enum x86_vector vector,
			unsigned int ext, uint32_t *ret_base_high);
/* Set the accessed bit of a code or data descriptor in memory and in @d. */
int x86_desc_set_accessed(struct x86_cpu *c, struct x86_desc *d);

/* Fill a segment cache; no checks, no mode update. */
void x86_seg_set(struct hvm_seg *s, uint16_t sel, const struct x86_desc *d);
/* Null selector. @cpl is kept in the DPL field of SS. */
void x86_seg_set_null(struct hvm_seg *s, uint16_t sel, unsigned int cpl);
/* As real mode (limit and rights stay) and virtual-8086 mode (64 KiB, DPL 3) load it. */
void x86_seg_set_real(struct x86_cpu *c, unsigned int seg, uint16_t sel);
void x86_seg_set_vm86(struct hvm_seg *s, uint16_t sel);
/*
 * Checks of a stack segment for ring @cpl whose selector came from a TSS or an outer frame:
 * null or wrong kind @vector(sel), not present #SS(sel). Fetches the descriptor into @ret.
 */
int x86_desc_check_stack(struct x86_cpu *c, uint16_t sel, unsigned int cpl, enum x86_vector vector,
			 unsigned int ext, struct x86_desc *ret);
/* May @size bytes at @off be reached in the cached segment? Limit, direction, usable. */
bool x86_seg_range_ok(const struct hvm_seg *s, uint64_t off, unsigned int size);

/* Set CS with @cpl as its RPL. The caller sets SS, which has CPL, and updates the mode. */
void x86_set_cs(struct x86_cpu *c, uint16_t sel, const struct x86_desc *d, unsigned int cpl);
/* Segments that an outer ring may not keep become null (return to an outer ring). */
void x86_drop_inner_segments(struct x86_cpu *c);

/* -- exec_desc.c: frames ----------------------------------------------------------------------- */

/* A stack on which a frame is to be built: the current one, or one of an inner ring. */
struct x86_stack {
	struct hvm_seg seg;
	uint64_t sp;	    /* RSP; what lies above the address size stays */
	unsigned int asize; /* log2 of the stack address size */
	unsigned int cpl;   /* whose rights the accesses have */
	uint32_t error;	    /* error code of #SS */
};

/* Values in the order in which they are pushed, each 1 << osize bytes. */
#define X86_FRAME_MAX 40
struct x86_frame {
	unsigned int osize;
	unsigned int count;
	uint64_t value[X86_FRAME_MAX];
};

/* Not zeroed as a whole: this is on the way of every interrupt. */
static inline void x86_frame_init(struct x86_frame *f, unsigned int osize)
{
	f->osize = osize;
	f->count = 0;
}

static inline void x86_frame_push(struct x86_frame *f, uint64_t value)
{
	f->value[f->count++] = value;
}

void x86_stack_current(const struct x86_cpu *c, uint32_t error, struct x86_stack *ret);
/* Stack of inner ring @cpl from the TSS, checked. *ret_desc: its descriptor. #TS or #SS. */
int x86_stack_from_tss(struct x86_cpu *c, unsigned int cpl, unsigned int ext, struct x86_stack *ret,
		       struct x86_desc *ret_desc);
/*
 * 64-bit stack pointer at @offset of the TSS (RSP0-2, IST): #TS(TR) beyond its limit, #SS(ext) when
 * it is not canonical.
 */
int x86_tss_rsp(struct x86_cpu *c, unsigned int offset, unsigned int ext, uint64_t *ret);
/* Write the frame, all of it or (X86_ABORT) nothing that counts; st->sp moves. */
int x86_stack_push_frame(struct x86_cpu *c, struct x86_stack *st, const struct x86_frame *f);

/* -- exec_event.c ------------------------------------------------------------------------------ */

/*
 * One attempt to deliver @e, with @ret_ip as the return address. X86_BRANCH; X86_ABORT with the
 * fault of the delivery in c->exc (or c->stop), the state then is as before; or X86_TASK_FAULT.
 *
 * Software interrupts (INT n, INT3, INTO, INT1) call this from their handler: a fault of theirs
 * leaves by X86_ABORT as any other instruction's, and the loop delivers it with the address of the
 * INT as return address. They are no exceptions, so a fault of theirs never makes a double fault.
 */
int x86_event_try(struct x86_cpu *c, const struct hvm_event *e, uint64_t ret_ip);

/* -- exec_task.c ------------------------------------------------------------------------------- */

enum x86_task_reason {
	X86_TASK_JMP,
	X86_TASK_CALL,
	X86_TASK_IRET
};

struct x86_task_switch {
	enum x86_task_reason reason; /* CALL also for task gates of the IDT */
	struct x86_desc tss;	     /* of the new task; type and presence were checked */
	uint64_t next_ip;	     /* saved in the old task */
	uint64_t saved_rflags;	     /* likewise */
	unsigned int ext;
	bool has_error; /* pushed on the new task's stack */
	uint32_t error;
};

/*
 * Beside enum x86_result: the task switch took place, and the fault in c->exc came after that, so
 * it belongs to the new task, whose registers c holds. Handlers end with x86_task_result().
 */
#define X86_TASK_FAULT (-1)

/* x86_task_switch - X86_BRANCH; X86_ABORT: nothing has changed; X86_TASK_FAULT. */
int x86_task_switch(struct x86_cpu *c, const struct x86_task_switch *t);
/*
 * Result of a handler that may have switched tasks: a fault in the new task is delivered here,
 * because the loop would take it for one of the old task's instruction.
 */
int x86_task_result(struct x86_cpu *c, int r);
/*
 * Check @sel as the TSS of a new task (in the GDT, available, present; for IRET: busy) and fetch
 * it. @vector: for a wrong one (#GP, or #TS from task gates and IRET).
 */
int x86_task_fetch(struct x86_cpu *c, uint16_t sel, enum x86_vector vector, unsigned int ext,
		   bool want_busy, struct x86_desc *ret);

/* -- exec_iret.c: what IRET and RETF share ----------------------------------------------------- */

/* What was popped, and what was made of it. */
struct x86_return {
	uint64_t ip, rsp;
	uint16_t cs_sel, ss_sel;
	bool loads_ss; /* rsp and ss_sel were popped, too */
	unsigned int new_cpl;
	struct x86_desc cs, ss;
};
/* The code segment: fills cs and new_cpl. */
int x86_return_check_code(struct x86_cpu *c, struct x86_return *r);
/* All the rest that can fault. */
int x86_return_check(struct x86_cpu *c, struct x86_return *r);
/* Go there. Without loads_ss the stack pointer becomes @same_sp. */
int x86_return_commit(struct x86_cpu *c, const struct x86_return *r, uint64_t same_sp);

/* -- handlers of one table that live in another file ------------------------------------------- */

int x86_exec_iret(struct x86_cpu *c, const struct x86_insn *i);	 /* exec_iret.c */
int x86_exec_int_n(struct x86_cpu *c, const struct x86_insn *i); /* exec_event.c */
int x86_exec_int3(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_into(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_int1(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_mov_to_cr(struct x86_cpu *c, const struct x86_insn *i); /* exec_cr.c */
int x86_exec_mov_from_cr(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_lmsw(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_smsw(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_clts(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_invpcid(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_invlpg(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_xgetbv(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_xsetbv(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_rdmsr(struct x86_cpu *c, const struct x86_insn *i); /* exec_msr.c */
int x86_exec_wrmsr(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_syscall(struct x86_cpu *c, const struct x86_insn *i); /* exec_syscall.c */
int x86_exec_sysret(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_sysenter(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_sysexit(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_swapgs(struct x86_cpu *c, const struct x86_insn *i);

/* Load the four PDPTEs of PAE paging at @cr3; #GP(0) when a reserved bit is set (exec_cr.c). */
int x86_load_pdptes(struct x86_cpu *c, uint64_t cr3);
/* LLDT without the instruction around it; a wrong selector raises @vector (exec_dtable.c). */
int x86_load_ldtr(struct x86_cpu *c, uint16_t sel, enum x86_vector vector);
int x86_exec_lgdt(struct x86_cpu *c, const struct x86_insn *i); /* exec_dtable.c */
int x86_exec_lidt(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_sgdt(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_sidt(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_lldt(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_ltr(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_sldt(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_str(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_lar(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_lsl(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_verr(struct x86_cpu *c, const struct x86_insn *i);
int x86_exec_verw(struct x86_cpu *c, const struct x86_insn *i);

/* -- operands of system instructions (exec_desc.c) --------------------------------------------- */

/* 16-bit source operand: register (of forms R, RR) or memory. false: X86_ABORT. */
bool x86_sys_get16(struct x86_cpu *c, const struct x86_insn *i, uint16_t *ret);
/* Destination: a register of the operand size, or 16 bits of memory. */
int x86_sys_put16(struct x86_cpu *c, const struct x86_insn *i, uint64_t value);
/* Memory operand of any size to 64 bytes. */
bool x86_sys_get_mem(struct x86_cpu *c, const struct x86_insn *i, void *buf, unsigned int size);
/* Far pointer in memory: an offset of the operand size, then a selector. false: X86_ABORT. */
bool x86_sys_get_far(struct x86_cpu *c, const struct x86_insn *i, uint64_t *ret_off,
		     uint16_t *ret_sel);
/* SGDT, SIDT, SLDT, STR, SMSW are for the kernel only with CR4.UMIP. */
static inline bool x86_umip_denies(const struct x86_cpu *c)
{
	return (c->cr4 & X86_CR4_UMIP) && c->cpl > 0;
}

#endif
