/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segments.c - segmentation outside 64-bit mode: compatibility mode's limits, expand-down segments,
 * descriptor checks, call gates, LDT, and what LAR, LSL, VERR and VERW say. The code under test is
 * 32-bit; each row runs in compatibility mode and comes back by INT 0x80 or a fault.
 * Source: AMD APM Vol 2 ch. 4 "Segmented Virtual Memory"; Intel SDM Vol 3A ch. 5 "Protection".
 */
#include "guest.h"

extern uint64_t gdt[];
extern char gdt_pointer[];

static uint64_t ldt[8] __attribute__((aligned(16)));
static uint64_t big_gdt[64] __attribute__((aligned(16)));
static uint8_t stack32[4096] __attribute__((aligned(16)));
static uint8_t data32[8192] __attribute__((aligned(4096)));
static volatile uint32_t answer[4];

static uint64_t descriptor(uint64_t base, uint64_t limit, unsigned int type, unsigned int flags)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)type << 40 |
	       (limit >> 16 & 15) << 48 | (uint64_t)flags << 52 | (base >> 24 & 0xff) << 56;
}

enum {			  /* selectors of the test's own entries */
	S_DATA = 0x80,	  /* data32, 4 KiB less one, byte granular */
	S_DOWN = 0x88,	  /* expand-down from 0x800 */
	S_READ = 0x90,	  /* read-only */
	S_XONLY = 0x98,	  /* execute-only code */
	S_CONFORM = 0xa8, /* conforming code */
	S_DPL3 = 0xb3,	  /* data of ring 3 */
	S_LDT = 0xc0,	  /* of two words */
	S_GATE = 0xd0,	  /* call gate to ring 0, of two words */
	S_GATE_NP = 0xe0, /* the same, not present */
};

static void on_return(struct frame *f)
{
	answer[0] = (uint32_t)f->rax;
	answer[1] = (uint32_t)f->rcx;
	answer[2] = (uint32_t)f->rdx;
	caught.vector = 0x80;
	f->rip = recover_rip;
	f->rsp = recover_rsp;
	f->rbp = recover_rbp;
	f->cs = 8;
	f->ss = 16;
	f->rflags = 2;
	recover_rip = 0;
}

static void run32(const char *what, void (*fn)(void), uint64_t cs, uint64_t ss)
{
	answer[0] = answer[1] = answer[2] = 0;
	TRY("mov %0, %%rax\n mov %%rax, recover_began(%%rip)\n push %3\n push %1\n pushq $0x2\n"
	    "push %2\n push %0\n xor %%ecx, %%ecx\n xor %%edx, %%edx\n iretq\n",
	    "r"((uint64_t)(uintptr_t)fn), "r"((uint64_t)(uintptr_t)stack32 + sizeof(stack32)),
	    "r"(cs), "r"(ss));
	__asm__ volatile("mov %0, %%ds\n mov %0, %%es\n mov %0, %%fs\n mov %0, %%gs" : : "r"(0x10));
	if (caught.vector == 0x80)
		say("%s: %x %x %x", what, answer[0], answer[1], answer[2]);
	else
		say_caught(what);
}

#define ROW(name, code) \
	__attribute__((naked)) static void row_##name(void) \
	{ \
		__asm__ volatile(".code32\n" code "\n int $0x80\n .code64"); \
	}

/* Through the gate to 64-bit code: it answers with CS of its caller. */
__attribute__((naked, used)) static void gate_target(void)
{
	__asm__ volatile("mov 8(%rsp), %rcx\n mov %cs, %eax\n mov $7, %edx\n lretq");
}
#ifdef LIMITS
ROW(edge, "mov $0x80, %eax\n mov %eax, %fs\n movl $1, %fs:0xffd")
ROW(beyond, "mov $0x80, %eax\n mov %eax, %es\n mov %es:0x1000, %al")
ROW(down_out, "mov $0x88, %eax\n mov %eax, %fs\n mov %fs:0x7ff, %eax")
ROW(down_limit, "mov $0x88, %eax\n mov %eax, %fs\n mov %fs:0x800, %al")
ROW(read_only, "mov $0x90, %eax\n mov %eax, %ds\n mov 0, %ecx\n movl $1, 0")
ROW(null, "xor %eax, %eax\n mov %eax, %ds\n mov 0x1000, %eax")
ROW(ss_limit, "mov $0x80, %eax\n mov %eax, %ss\n mov $0x1004, %esp\n pop %eax")
ROW(code_write, "movl $1, %cs:data32")
#else
ROW(inside, "mov $0x80, %eax\n mov %eax, %fs\n mov %fs:0xffc, %eax")
ROW(down_in, "mov $0x88, %eax\n mov %eax, %fs\n mov %fs:0x801, %eax")
ROW(xonly, "mov $0x98, %eax\n mov %eax, %ds")
ROW(null_ss, "xor %eax, %eax\n mov %eax, %ss")
ROW(ss_read_only, "mov $0x90, %eax\n mov %eax, %ss")
ROW(lar, "mov $0x80, %ecx\n lar %ecx, %eax\n mov $0x98, %edx\n lar %edx, %ecx\n mov $0xd0, %edx\n"
	 "lar %edx, %edx\n"
	 /* Bits 19:16 are undefined. */
	 "and $0xf0ff00, %eax\n and $0xf0ff00, %ecx\n and $0xf0ff00, %edx")
ROW(lsl, "mov $0x80, %ecx\n lsl %ecx, %eax\n mov $0x18, %edx\n lsl %edx, %ecx\n mov $0xd0, %edx\n"
	 "lsl %edx, %edx\n setz %dl\n movzbl %dl, %edx")
ROW(verr, "xor %edx, %edx\n mov $0x98, %eax\n verr %ax\n setz %dl\n mov $0x90, %eax\n verw %ax\n"
	  "setz %dh\n mov $0xb3, %eax\n verw %ax\n setz %al\n movzbl %al, %eax")
ROW(verr_none,
    "xor %edx, %edx\n mov $0x1238, %eax\n verr %ax\n setz %dl\n xor %eax, %eax\n verw %ax\n"
    "setz %dh")
ROW(arpl, "mov $0x80, %eax\n mov $0x93, %ecx\n arpl %cx, %ax\n setz %dl\n movzbl %dl, %edx")
ROW(bcd, "mov $0x79, %eax\n add $0x35, %al\n daa\n mov %eax, %ecx\n mov $0x105, %eax\n aam $7\n"
	 "mov %eax, %edx\n aad $7")
ROW(bound_ok, "push $10\n push $1\n mov $5, %eax\n bound %eax, (%esp)\n pop %ecx\n pop %edx")
ROW(bound_out, "push $10\n push $1\n mov $11, %eax\n bound %eax, (%esp)")
ROW(into, "mov $0x7f, %al\n add $1, %al\n into")
ROW(into_no, "xor %eax, %eax\n into")
ROW(pusha, "mov $1, %eax\n mov $2, %ecx\n mov $3, %edx\n pusha\n xor %eax, %eax\n mov %eax, %ecx\n"
	   "popa")
ROW(les, "push $0x90\n push $0x1234\n les (%esp), %eax\n mov %es, %ecx\n add $8, %esp")
ROW(ldt_word, "mov $0xc0, %eax\n lldt %ax\n mov $4, %eax\n mov %eax, %fs\n mov %fs:0, %eax\n"
	      "sldt %ecx\n xor %edx, %edx\n lldt %dx")
ROW(ldt_beyond, "mov $0xc0, %eax\n lldt %ax\n mov $0x14, %eax\n mov %eax, %fs")
ROW(ldt_data, "mov $0x80, %eax\n lldt %ax")
ROW(loop16, "mov $0x10002, %ecx\n xor %eax, %eax\n 1: inc %eax\n addr16 loop 1b")
ROW(far_jump, "ljmp $0x18, $1f\n ud2\n 1: mov %cs, %eax")
ROW(far_bad, "ljmp $0x80, $0")
ROW(conform, "lcall $0xa8, $1f\n mov %eax, %edx\n int $0x80\n 1: mov %cs, %eax\n lret")
ROW(gate_np, "lcall $0xe0, $0")
ROW(enter,
    "mov %esp, %ebp\n enter $16, $2\n mov %ebp, %eax\n sub %esp, %eax\n leave\n mov %esp, %ecx\n"
    "sub %ebp, %ecx")

ROW(gate, "lcall $0xd0, $0\n")

#endif

static const struct {
	const char *name;
	void (*fn)(void);
} rows[] = {
#ifdef LIMITS
	{ "across the limit", row_edge },	    { "beyond the limit", row_beyond },
	{ "expand-down, below", row_down_out },	    { "expand-down, at the limit", row_down_limit },
	{ "write to read-only", row_read_only },    { "null selector", row_null },
	{ "stack beyond its limit", row_ss_limit }, { "write to code", row_code_write },
#else
	{ "in the limit", row_inside },
	{ "expand-down, inside", row_down_in },
	{ "read of execute-only", row_xonly },
	{ "null stack", row_null_ss },
	{ "read-only stack", row_ss_read_only },
	{ "lar", row_lar },
	{ "lsl", row_lsl },
	{ "verr, verw", row_verr },
	{ "verr of nothing", row_verr_none },
	{ "arpl", row_arpl },
	{ "decimal", row_bcd },
	{ "bound", row_bound_ok },
	{ "bound, outside", row_bound_out },
	{ "into", row_into },
	{ "into without overflow", row_into_no },
	{ "pusha, popa", row_pusha },
	{ "les", row_les },
	{ "local descriptor", row_ldt_word },
	{ "local descriptor beyond", row_ldt_beyond },
	{ "lldt of data", row_ldt_data },
	{ "loop with cx", row_loop16 },
	{ "far jump", row_far_jump },
	{ "far jump to data", row_far_bad },
	{ "conforming code", row_conform },
	{ "call gate", row_gate },
	{ "call gate that is not present", row_gate_np },
	{ "enter, leave", row_enter },
#endif
};

static void tables(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(big_gdt) - 1, (uintptr_t)big_gdt };
	uint64_t base = (uintptr_t)data32, gate = (uintptr_t)gate_target;

	for (unsigned int i = 0; i < 13; i++)
		big_gdt[i] = gdt[i];
	big_gdt[S_DATA / 8] = descriptor(base, 0xfff, 0x93, 4);
	big_gdt[S_DOWN / 8] = descriptor(base, 0x800, 0x97, 4);
	big_gdt[S_READ / 8] = descriptor(base, 0xfff, 0x91, 4);
	big_gdt[S_XONLY / 8] = descriptor(0, 0xfffff, 0x99, 0xc);
	big_gdt[S_CONFORM / 8] = descriptor(0, 0xfffff, 0x9f, 0xc);
	big_gdt[S_DPL3 / 8] = descriptor(base, 0xfff, 0xf3, 4);
	big_gdt[S_LDT / 8] = descriptor((uintptr_t)ldt, 0xf, 0x82, 0);
	big_gdt[S_LDT / 8 + 1] = 0;
	big_gdt[S_GATE / 8] = (gate & 0xffff) | 8 << 16 | 0x8cull << 40 |
			      (gate >> 16 & 0xffff) << 48;
	big_gdt[S_GATE_NP / 8] = big_gdt[S_GATE / 8] & ~(0x80ull << 40);
	ldt[0] = descriptor(base, 0xff, 0x93, 4);
	ldt[1] = descriptor(base + 16, 0xff, 0x93, 4);
	for (unsigned int i = 0; i < sizeof(data32); i++)
		data32[i] = (uint8_t)(i * 3 + 1);
	__asm__ volatile("lgdt %0" : : "m"(pointer));
}

int main(void)
{
	tss_init();
	tables();
	trap_handler[0x80] = on_return;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run32(rows[i].name, rows[i].fn, 0x18, 0x10);
	return 0;
}
