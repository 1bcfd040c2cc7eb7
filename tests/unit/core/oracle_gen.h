/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oracle_gen.h - random instructions for the executor's oracle, drawn from the opcode space through
 * the decoder, and what there is to know of an instruction to run it in a process: whether it may
 * run at all, what it touches, what it leaves undefined.
 * Source: Intel SDM Vol 2 ch. 2 and App. A; Vol 1 App. A "EFLAGS Cross-Reference".
 */
#ifndef TEST_ORACLE_GEN_H
#define TEST_ORACLE_GEN_H

#include "oracle_host.h"
#include "x86/vex.h"

struct oracle_insn {
	enum x86_code_size size; /* X86_CODE64, or X86_CODE32: compatibility mode */
	uint8_t bytes[16];
	unsigned int len;
	struct x86_insn i;
	unsigned int disp_at; /* where 4 (MOV moffs: perhaps 8) bytes of displacement are, or 0 */
	unsigned int disp_bytes;
};

#define ORACLE_VEX 4u /* map of oracle_generate(): a VEX prefix */

enum oracle_kind {
	K_SKIP = 1,	 /* cannot or must not run in a process */
	K_NOACCESS = 2,	 /* its memory operand is only an address */
	K_STACK = 4,	 /* uses the stack */
	K_SOURCE = 8,	 /* reads (RSI) */
	K_DEST = 0x10,	 /* (RDI) */
	K_BRANCH = 0x20, /* near */
	K_LEGACY = 0x40, /* not in 64-bit code */
};

/* clang-format off */
static const struct {
	uint16_t op;
	uint8_t kind;
} oracle_kinds[] = {
	/* Not from a process, or not as on the bare processor: the kernel or the hypervisor
	 * answers, or what they read is the host's own. */
	{ X86_OP_INT, K_SKIP }, { X86_OP_INT3, K_SKIP }, { X86_OP_INT1, K_SKIP },
	{ X86_OP_SYSCALL, K_SKIP }, { X86_OP_SYSENTER, K_SKIP }, { X86_OP_SYSRET, K_SKIP },
	{ X86_OP_SYSEXIT, K_SKIP }, { X86_OP_VMCALL, K_SKIP }, { X86_OP_VMMCALL, K_SKIP },
	{ X86_OP_CPUID, K_SKIP }, { X86_OP_RDTSC, K_SKIP }, { X86_OP_RDTSCP, K_SKIP },
	{ X86_OP_RDPMC, K_SKIP }, { X86_OP_XGETBV, K_SKIP }, { X86_OP_SGDT, K_SKIP },
	{ X86_OP_SIDT, K_SKIP }, { X86_OP_SLDT, K_SKIP }, { X86_OP_STR, K_SKIP },
	{ X86_OP_SMSW, K_SKIP }, { X86_OP_MONITOR, K_SKIP }, { X86_OP_MWAIT, K_SKIP },
	{ X86_OP_RSM, K_SKIP }, { X86_OP_INVPCID, K_SKIP }, { X86_OP_MOV_TO_DR, K_SKIP }, { X86_OP_MOV_FROM_DR, K_SKIP },
	/* Segments: the host's descriptor tables are not the guest's. */
	{ X86_OP_IRET, K_SKIP }, { X86_OP_RETF, K_SKIP }, { X86_OP_RETF_IMM, K_SKIP },
	{ X86_OP_JMP_FAR, K_SKIP }, { X86_OP_CALL_FAR, K_SKIP }, { X86_OP_LAR, K_SKIP },
	{ X86_OP_LSL, K_SKIP }, { X86_OP_VERR, K_SKIP }, { X86_OP_VERW, K_SKIP },
	{ X86_OP_LFS, K_SKIP }, { X86_OP_LGS, K_SKIP }, { X86_OP_LSS, K_SKIP },
	{ X86_OP_MOV_TO_SEG, K_SKIP }, { X86_OP_POP_SEG, K_SKIP },
	{ X86_OP_RDFSBASE, K_SKIP }, { X86_OP_RDGSBASE, K_SKIP }, { X86_OP_WRFSBASE, K_SKIP },
	{ X86_OP_WRGSBASE, K_SKIP },
	/* The host saves and loads more than our XCR0 has. */
	{ X86_OP_XSAVE, K_SKIP }, { X86_OP_XSAVEOPT, K_SKIP }, { X86_OP_XRSTOR, K_SKIP },
	{ X86_OP_LDS, K_SKIP }, { X86_OP_LES, K_SKIP }, { X86_OP_INTO, K_SKIP },
	{ X86_OP_DAA, K_LEGACY }, { X86_OP_DAS, K_LEGACY }, { X86_OP_AAA, K_LEGACY },
	{ X86_OP_AAS, K_LEGACY }, { X86_OP_AAM, K_LEGACY }, { X86_OP_AAD, K_LEGACY },
	{ X86_OP_SALC, K_LEGACY }, { X86_OP_PUSHA, K_LEGACY | K_STACK }, { X86_OP_POPA, K_LEGACY | K_STACK },
	{ X86_OP_BOUND, K_LEGACY }, { X86_OP_ARPL, K_LEGACY },
	{ X86_OP_LEA, K_NOACCESS }, { X86_OP_NOP, K_NOACCESS }, { X86_OP_PREFETCH, K_NOACCESS },
	{ X86_OP_UD, K_NOACCESS },
	{ X86_OP_PUSH, K_STACK }, { X86_OP_POP, K_STACK }, { X86_OP_PUSHF, K_STACK },
	{ X86_OP_POPF, K_STACK }, { X86_OP_ENTER, K_STACK }, { X86_OP_LEAVE, K_STACK },
	{ X86_OP_PUSH_SEG, K_STACK },
	{ X86_OP_CALL, K_STACK | K_BRANCH }, { X86_OP_CALL_IND, K_STACK | K_BRANCH },
	{ X86_OP_RET, K_STACK | K_BRANCH }, { X86_OP_RET_IMM, K_STACK | K_BRANCH },
	{ X86_OP_JMP, K_BRANCH }, { X86_OP_JMP_IND, K_BRANCH }, { X86_OP_JCC, K_BRANCH },
	{ X86_OP_JCXZ, K_BRANCH }, { X86_OP_LOOP, K_BRANCH }, { X86_OP_LOOPE, K_BRANCH },
	{ X86_OP_LOOPNE, K_BRANCH },
	{ X86_OP_MOVS, K_SOURCE | K_DEST }, { X86_OP_CMPS, K_SOURCE | K_DEST },
	{ X86_OP_STOS, K_DEST }, { X86_OP_SCAS, K_DEST }, { X86_OP_LODS, K_SOURCE },
	{ X86_OP_MASKMOVQ, K_DEST }, { X86_OP_MASKMOVDQU, K_DEST },
};
/* clang-format on */

static uint8_t oracle_kind_of[X86_OP_COUNT];

static inline void oracle_gen_init(void)
{
	for (size_t n = 0; n < HVM_ARRAY_SIZE(oracle_kinds); n++)
		oracle_kind_of[oracle_kinds[n].op] = oracle_kinds[n].kind;
}

static inline bool oracle_has_memory(const struct x86_insn *i)
{
	return i->form == X86_FORM_M || i->form == X86_FORM_RM || i->form == X86_FORM_MR ||
	       i->form == X86_FORM_MI || i->form == X86_FORM_RMI || i->form == X86_FORM_MRI;
}

static inline bool oracle_is_string(const struct x86_insn *i)
{
	return i->op >= X86_OP_MOVS && i->op <= X86_OP_SCAS;
}

static inline bool oracle_is_x87(const struct x86_insn *i)
{
	return i->op >= X86_OP_FADD && i->op <= X86_OP_FNOP_LEGACY;
}

/* Of which kind is it, if it has a VEX prefix? X86_VEX_KINDS: it has none. */
static inline unsigned int oracle_vex_kind(const struct x86_insn *i)
{
	return i->op == X86_OP_VEX ? x86_vex_row(i)->kind : X86_VEX_KINDS;
}

/* Bytes at the memory operand. */
static inline unsigned int oracle_msize(const struct x86_insn *i)
{
	if (i->op == X86_OP_FXSAVE || i->op == X86_OP_FXRSTOR)
		return 512;
	if (i->op >= X86_OP_BT && i->op <= X86_OP_BTC)
		return 1u << i->osize;
	return i->msize ? i->msize : 1;
}

/* An operand that the processor keeps others from: it should not cross a cache line here. */
static inline bool oracle_is_locked(const struct x86_insn *i)
{
	return (i->flags & X86_F_LOCK) || i->op == X86_OP_XCHG;
}

/* One-byte opcodes that are none: prefixes, escapes. */
static inline bool oracle_is_escape(const struct oracle_insn *o, uint8_t opcode)
{
	static const uint8_t bytes[] = { 0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64,
					 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3 };

	return (o->size == X86_CODE64 && (opcode & 0xf0) == 0x40) ||
	       memchr(bytes, opcode, sizeof(bytes));
}

/* Illegal one-byte opcodes for which other processors have a use: VEX, EVEX, XOP, TSX. */
static inline bool oracle_is_extension(uint8_t opcode)
{
	static const uint8_t bytes[] = { 0x62, 0x8f, 0xc4, 0xc5, 0xc6, 0xc7 };

	return memchr(bytes, opcode, sizeof(bytes));
}

/* An address of 32 bits plus FS's base leads nowhere, one of 16 bits neither. */
static inline bool oracle_out_of_reach(const struct oracle_insn *o)
{
	const struct x86_insn *i = &o->i;

	if (!oracle_has_memory(i) && !oracle_is_string(i) && i->op != X86_OP_XLAT &&
	    !(oracle_kind_of[i->op] & K_DEST))
		return false;
	/* CS cannot be written, and whether MASKMOVQ has entered MMX state by then is open. */
	if (i->op == X86_OP_MASKMOVQ && i->seg == HVM_SEG_CS)
		return true;
	if (o->size == X86_CODE32)
		return i->seg >= HVM_SEG_FS || (i->asize == 1 && i->op != X86_OP_LEA);
	return i->asize != 3 && i->seg == HVM_SEG_FS;
}

/* Outside 64-bit code Intel takes VPINSRQ and VPEXTRQ for VPINSRD and VPEXTRD, AMD refuses them. */
static inline bool oracle_vex_vendors_differ(const struct oracle_insn *o)
{
	const struct x86_vex_row *r = x86_vex_row(&o->i);

	return o->size != X86_CODE64 && x86_vex_map(r) == 3 && r->w == X86_VEX_WG &&
	       !(r->flags & X86_VEX_GPR);
}

static inline bool oracle_is_v3(const struct x86_insn *i)
{
	return i->op == X86_OP_TZCNT || i->op == X86_OP_LZCNT || i->op == X86_OP_MOVBE;
}

/* May it run here? @map, @opcode: as chosen by oracle_opcode(). */
static inline bool oracle_wanted(const struct oracle_insn *o, unsigned int map, uint8_t opcode)
{
	const struct x86_insn *i = &o->i;
	uint8_t kind = oracle_kind_of[i->op];

	/* What hvm-v3 has, only where the host can tell. Whether masked bytes fault is open. */
	if (map >= ORACLE_VEX)
		return i->op == X86_OP_VEX && oracle_vex_kind(i) != X86_VEX_MASKDQU &&
		       !oracle_vex_vendors_differ(o) && !oracle_out_of_reach(o);
	if (i->op == X86_OP_VEX || (!native_has_v3() && oracle_is_v3(i)))
		return false;
	if ((kind & K_SKIP) || (map == 0 && oracle_is_escape(o, opcode)) ||
	    (map == 1 && (opcode == 0x38 || opcode == 0x3a)))
		return false;
	/* In the other maps the host may well have an instruction. */
	if (i->op == X86_OP_INVALID)
		return native_pick(4) == 0 && map == 0 && !oracle_is_extension(opcode);
	/* TZCNT, LZCNT, RDSSP and their like; elided locks. AMD's LOOPE obeys REPNE. */
	if (i->rep && (i->op == X86_OP_BSF || i->op == X86_OP_BSR || i->op == X86_OP_NOP ||
		       i->op == X86_OP_INS || i->op == X86_OP_OUTS || i->op == X86_OP_LOOPE ||
		       i->op == X86_OP_LOOPNE || oracle_is_locked(i)))
		return false;
	/* PREFETCH of a register: AMD raises #UD. */
	if (i->op == X86_OP_NOP && i->opcode == 0x0d)
		return false;
	/* In 64-bit code Intel's branches ignore it, AMD's cut RIP. */
	if ((kind & K_BRANCH) && (i->flags & X86_F_66))
		return false;
	/* Undefined results. */
	if (i->op == X86_OP_BSWAP && i->osize == 1)
		return false;
	/* Whether this enters MMX state depends on the processor. */
	if (i->op == X86_OP_CVTPI2PS && i->form == X86_FORM_RM)
		return false;
	return !oracle_out_of_reach(o);
}

/* -- encodings ---------------------------------------------------------------------------- */

static inline unsigned int oracle_prefixes(const struct oracle_insn *o, uint8_t *b,
					   unsigned int map)
{
	static const uint8_t segments[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
	unsigned int n = 0;

	if (native_pick(24) == 0)
		b[n++] = segments[native_pick(6)];
	if (native_pick(12) == 0)
		b[n++] = 0x67;
	if (native_pick(16) == 0)
		b[n++] = 0xf0;
	if (map >= 2 ? native_pick(5) != 0 : native_pick(4) == 0)
		b[n++] = 0x66;
	if (native_pick(5) == 0)
		b[n++] = (uint8_t)(0xf2 + native_pick(2));
	if (o->size == X86_CODE64 && native_pick(2))
		b[n++] = (uint8_t)(0x40 + native_pick(16));
	return n;
}

/* Map 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A. Returns the length so far. */
static inline unsigned int oracle_opcode(uint8_t *b, unsigned int n, unsigned int map)
{
	switch (map) {
	case 0:
		b[n++] = (uint8_t)(native_pick(4) ? native_pick(256) : 0xd8 + native_pick(8));
		return n;
	case 1:
		b[n++] = 0x0f;
		/* 01 has the most instructions behind it, one each. */
		b[n++] = (uint8_t)(native_pick(16) ? native_pick(256) : 0x01);
		return n;
	case 2:
		b[n++] = 0x0f;
		b[n++] = 0x38;
		b[n++] = (uint8_t)(native_pick(8) ? native_pick(0x42) : 0xf0 + native_pick(2));
		return n;
	}
	b[n++] = 0x0f;
	b[n++] = 0x3a;
	b[n++] = (uint8_t)(native_pick(2) ? 8 + native_pick(0x1b) : 0x40 + native_pick(0x24));
	return n;
}

/*
 * A VEX prefix and opcode for a row of vex.def; in 32-bit code one that is not LES or LDS. ModRM,
 * which oracle_operands() has put at @at, is made to fit.
 */
static inline unsigned int oracle_vex_opcode(const struct oracle_insn *o, uint8_t *b,
					     unsigned int n, const struct x86_vex_row *r)
{
	unsigned int vvvv = r->vvvv ? native_pick(16) : 15;
	unsigned int l = r->l == X86_VEX_L0 ? 0 : r->l == X86_VEX_L1 ? 1 : native_pick(2);
	unsigned int w = r->w == X86_VEX_W0 ? 0 : r->w == X86_VEX_W1 ? 1 : native_pick(2);
	unsigned int rxb = o->size == X86_CODE64 ? native_pick(8) << 5 : 7 << 5;
	unsigned int last = vvvv << 3 | l << 2 | x86_vex_prefix(r);

	if (x86_vex_map(r) == 1 && !w && native_pick(2)) {
		if (o->size != X86_CODE64)
			last |= 0x40;
		b[n++] = 0xc5;
		b[n++] = (uint8_t)(last | (rxb & 0x80));
	} else {
		b[n++] = 0xc4;
		b[n++] = (uint8_t)(rxb | x86_vex_map(r));
		b[n++] = (uint8_t)(last | w << 7);
	}
	b[n++] = (uint8_t)(r->key >> 2);
	return n;
}

static inline void oracle_vex_modrm(uint8_t *modrm, const struct x86_vex_row *r)
{
	if (r->ext != X86_VEX_NO_EXT)
		*modrm = (uint8_t)((*modrm & 0xc7) | r->ext << 3);
	if (!(r->rm & X86_VEX_MEMORY))
		*modrm |= 0xc0;
	else if (!(r->rm & X86_VEX_REG) && *modrm >= 0xc0)
		*modrm &= 0x7f;
	if (r->kind == X86_VEX_GATHER)
		*modrm = (uint8_t)((*modrm & 0xf8) | 4);
}

/* ModRM at @at and what follows it; more bytes than any instruction needs. */
static inline void oracle_operands(uint8_t *b, unsigned int at)
{
	static const uint64_t edges[] = { 0, 1, ~0ull, 0x7f, 0x80, 0x8000, 0x7fffffff, 0x40 };
	uint64_t imm = native_pick(2) ? native_random() : edges[native_pick(8)];
	uint8_t modrm = (uint8_t)native_random();
	int32_t disp = (int32_t)native_random();
	unsigned int n = at;

	if (native_pick(4) == 0)
		modrm |= 0xc0;
	if (native_pick(8))
		disp = disp % 4096;
	b[n++] = modrm;
	if (modrm < 0xc0) {
		if ((modrm & 7) == 4)
			b[n++] = (uint8_t)native_random();
		if (modrm >> 6 == 1) {
			b[n++] = (uint8_t)disp;
		} else {
			memcpy(b + n, &disp, 4);
			if (modrm >> 6 == 2 || (modrm & 7) == 5 ||
			    ((modrm & 7) == 4 && (b[at + 1] & 7) == 5))
				n += 4;
		}
	}
	memcpy(b + n, &imm, sizeof(imm));
}

/* Does the memory operand's address come from the displacement alone? Then it can be aimed. */
static inline void oracle_find_disp(struct oracle_insn *o, unsigned int modrm_at)
{
	const struct x86_insn *i = &o->i;

	o->disp_at = 0;
	if (!oracle_has_memory(i) || i->index != X86_REG_NONE ||
	    (i->base != X86_REG_NONE && i->base != X86_REG_IP))
		return;
	if (i->op == X86_OP_MOV && i->opcode >= 0xa0 && i->opcode <= 0xa3) {
		o->disp_at = modrm_at;
		o->disp_bytes = 1u << i->asize;
		return;
	}
	o->disp_at = modrm_at + 1 + ((o->bytes[modrm_at] & 7) == 4);
	o->disp_bytes = 4;
}

/* Prefix, opcode and operands of a random row of vex.def; returns where ModRM is. */
static inline unsigned int oracle_vex(const struct oracle_insn *o, uint8_t *b)
{
	const struct x86_vex_row *r = &x86_vex_rows[native_pick((unsigned int)x86_vex_row_count)];
	unsigned int n = 0, at;

	if (native_pick(24) == 0)
		b[n++] = native_pick(2) ? 0x64 : 0x2e;
	if (native_pick(12) == 0)
		b[n++] = 0x67;
	at = oracle_vex_opcode(o, b, n, r);
	oracle_operands(b, at);
	oracle_vex_modrm(&b[at], r);
	return at;
}

/* A random instruction for code of o->size that may run. */
static inline void oracle_generate(struct oracle_insn *o)
{
	static const uint8_t maps[20] = { 0, 0, 0,	    0,		0,	    0,	       1,
					  1, 1, 1,	    1,		1,	    2,	       2,
					  3, 3, ORACLE_VEX, ORACLE_VEX, ORACLE_VEX, ORACLE_VEX };
	uint8_t bytes[48];
	unsigned int at, map;
	int len;

	do {
		map = maps[native_pick(native_has_v3() ? 20 : 16)];
		if (map == ORACLE_VEX) {
			at = oracle_vex(o, bytes);
		} else {
			at = oracle_opcode(bytes, oracle_prefixes(o, bytes, map), map);
			oracle_operands(bytes, at);
		}
		len = x86_decode(bytes, 15, o->size, &o->i);
	} while (len < 1 || !oracle_wanted(o, map, bytes[at - 1]));
	memset(o->bytes, 0, sizeof(o->bytes));
	memcpy(o->bytes, bytes, (size_t)len);
	o->len = (unsigned int)len;
	oracle_find_disp(o, at);
}

/* Decode again after a change of the bytes, and place what the block would. */
static inline void oracle_decode(struct oracle_insn *o)
{
	assert_int_equal(x86_decode(o->bytes, o->len, o->size, &o->i), o->len);
	o->i.end = o->i.len;
	if (o->i.base == X86_REG_IP)
		o->i.disp += o->i.end;
	o->i.exec = x86_exec_bind(&o->i);
}

/* -- what the manual leaves open ---------------------------------------------------------- */

#define ORACLE_FLAGS (X86_EFL_ARITH | X86_EFL_DF | X86_EFL_AC | X86_EFL_ID | X86_EFL_NT)

/* Shift or rotate by @count of @i's size: flags that are undefined after it. */
static inline uint64_t oracle_shift_undefined(const struct x86_insn *i, unsigned int count)
{
	unsigned int bits = 8u << i->osize;
	bool rotates = i->op <= X86_OP_RCR;
	uint64_t flags = 0;

	count &= i->osize == 3 ? 63 : 31;
	if (!count)
		return 0;
	if (count > 1)
		flags |= X86_EFL_OF;
	if (!rotates)
		flags |= X86_EFL_AF;
	if ((i->op == X86_OP_SHL || i->op == X86_OP_SHR) && count >= bits)
		flags |= X86_EFL_CF;
	return flags;
}

static inline unsigned int oracle_shift_count(const struct x86_insn *i,
					      const struct native_state *start)
{
	bool by_imm = i->form == X86_FORM_RI || i->form == X86_FORM_MI || i->form == X86_FORM_RRI ||
		      i->form == X86_FORM_MRI;

	return (by_imm ? (unsigned int)i->imm : (unsigned int)start->gpr[X86_RCX]) &
	       (i->osize == 3 ? 63 : 31);
}

/* Flags that may be anything after @i ran from @start. */
static inline uint64_t oracle_undefined(const struct x86_insn *i, const struct native_state *start)
{
	switch (i->op) {
	case X86_OP_AND:
	case X86_OP_OR:
	case X86_OP_XOR:
	case X86_OP_TEST: return X86_EFL_AF;
	case X86_OP_MUL:
	case X86_OP_IMUL:
	case X86_OP_IMUL3: return X86_EFL_SF | X86_EFL_ZF | X86_EFL_AF | X86_EFL_PF;
	case X86_OP_DIV:
	case X86_OP_IDIV: return X86_EFL_ARITH;
	case X86_OP_ROL:
	case X86_OP_ROR:
	case X86_OP_RCL:
	case X86_OP_RCR:
	case X86_OP_SHL:
	case X86_OP_SHR:
	case X86_OP_SAR:
	case X86_OP_SHLD:
	case X86_OP_SHRD: return oracle_shift_undefined(i, oracle_shift_count(i, start));
	case X86_OP_BT:
	case X86_OP_BTS:
	case X86_OP_BTR:
	case X86_OP_BTC: return X86_EFL_OF | X86_EFL_SF | X86_EFL_AF | X86_EFL_PF;
	case X86_OP_BSF:
	case X86_OP_BSR: return X86_EFL_ARITH & ~(uint64_t)X86_EFL_ZF;
	case X86_OP_DAA:
	case X86_OP_DAS: return X86_EFL_OF;
	case X86_OP_AAA:
	case X86_OP_AAS: return X86_EFL_OF | X86_EFL_SF | X86_EFL_ZF | X86_EFL_PF;
	case X86_OP_AAM:
	case X86_OP_AAD: return X86_EFL_OF | X86_EFL_AF | X86_EFL_CF;
	}
	return 0;
}

/* Bits of FSW in which processors differ after @i. */
static inline uint16_t oracle_fsw_undefined(const struct x86_insn *i)
{
	if (i->op >= X86_OP_FCOMI && i->op <= X86_OP_FUCOMIP)
		return 0x0200;
	return i->op == X86_OP_FFREE ? 0x4700 : 0;
}

/* A double shift by more than the operand's size: anything may come out. */
static inline bool oracle_result_undefined(const struct x86_insn *i,
					   const struct native_state *start)
{
	return (i->op == X86_OP_SHLD || i->op == X86_OP_SHRD) && i->osize == 1 &&
	       oracle_shift_count(i, start) > 16;
}

#endif
