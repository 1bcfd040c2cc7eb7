/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exceptions.c - every exception that an instruction can raise: vector, error code, where, from
 * which ring; traps and faults, single steps, breakpoints, and exceptions in the delivery of
 * others. Source: AMD APM Vol 2 ch. 8 "Exceptions and Interrupts", 13.1 "Software-Debug Resources".
 */
#include "guest.h"

static volatile uint64_t word __attribute__((aligned(4096)));
static uint8_t unaligned[64] __attribute__((aligned(64)));

/* -- faults ------------------------------------------------------------------------------------ */

static void faults(void)
{
	TRY("xor %%ecx, %%ecx\n div %%ecx", "m"(word));
	say_caught("div by zero");
	TRY("ud2", "m"(word));
	say_caught("ud2");
	TRY(".byte 0x0f, 0xff, 0xc0", "m"(word));
	say_caught("ud0");
	TRY(".byte 0x06", "m"(word));
	say_caught("push es in 64-bit mode");
	TRY(".byte 0xf0, 0x0f, 0x0b", "m"(word));
	say_caught("lock ud2");
	TRY("mov $0x8000000000000000, %%rax\n mov (%%rax), %%rax", "m"(word));
	say_caught("not canonical");
	TRY("mov $0x48, %%eax\n mov %%eax, %%ds", "m"(word));
	say_caught("segment not present");
	TRY("mov $0x48, %%eax\n mov %%eax, %%ss", "m"(word));
	say_caught("stack segment not present");
	TRY("mov $0x1000, %%eax\n mov %%eax, %%ds", "m"(word));
	say_caught("selector beyond the table");
	TRY("xor %%eax, %%eax\n mov $0x2b, %%eax\n mov %%eax, %%ss", "m"(word));
	say_caught("stack of another ring");
	TRY("mov $0x55, %%eax\n ltr %%ax", "m"(word));
	say_caught("ltr of a code segment");
	TRY("mov $1, %%eax\n shl $31, %%rax\n mov %%rax, %%cr4", "m"(word));
	say_caught("reserved bit of CR4");
	TRY("mov %%cr1, %%rax", "m"(word));
	say_caught("CR1");
	TRY("mov $0xdeadbeef, %%ecx\n rdmsr", "m"(word));
	say_caught("an MSR that is none");
	TRY("mov $0xc0000080, %%ecx\n mov $-1, %%eax\n mov $-1, %%edx\n wrmsr", "m"(word));
	say_caught("reserved bits of EFER");
	TRY("mov $0x1b, %%ecx\n rdmsr\n mov $-1, %%edx\n wrmsr", "m"(word));
	say_caught("reserved bits of the APIC base");
	TRY("int $0x81", "m"(word));
	say_caught("int 0x81");
	TRY("int3", "m"(word));
	say_caught("int3");
	TRY(".byte 0xcd, 3", "m"(word));
	say_caught("int 3 of two bytes");
	TRY("vmmcall", "m"(word));
	say_caught("vmmcall");
	TRY("vmcall", "m"(word));
	say_caught("vmcall");
	TRY("mov $0x100000, %%rax\n vmload", "m"(word));
	say_caught("vmload");
	TRY("swapgs\n swapgs", "m"(word));
	say_caught("swapgs");
	TRY("mov $0x5f, %%ecx\n xgetbv", "m"(word));
	say_caught("xgetbv without OSXSAVE");
	TRY("rsm", "m"(word));
	say_caught("rsm");
}

/* -- page faults, alignment, floating point ---------------------------------------------------- */

static void memory(void)
{
	volatile uint64_t *pte = pte_of(&word);
	uint64_t old = *pte;

	*pte = 0;
	invlpg(&word);
	TRY("mov (%0), %%rax", "S"(&word));
	say_caught("read of nothing");
	TRY("mov %%rax, 8(%0)", "S"(&word));
	say_caught("write of nothing");
	TRY("lock incl (%0)", "S"(&word));
	say_caught("read and write of nothing");
	TRY("call *%0", "S"(&word));
	say_caught("execution of nothing");
	TRY("lea -4(%0), %%rdi\n mov %%rax, (%%rdi)", "S"(&word));
	say_caught("write across");
	TRY("mov $8, %%ecx\n lea -16(%0), %%rdi\n rep stosl", "S"(&word));
	say_caught("rep stos into nothing");
	*pte = old | 1ull << 51;
	invlpg(&word);
	TRY("mov (%0), %%rax", "S"(&word));
	caught.error |= 1; /* QEMU leaves it out */
	say_caught("reserved bit");
	*pte = (old & ~2ull) | 1ull << 63;
	invlpg(&word);
	TRY("mov %%rax, (%0)", "S"(&word));
	say_caught("write to read-only");
	TRY("jmp *%0", "S"(&word));
	say_caught("execution of data");
	*pte = old;
	invlpg(&word);
	TRY("movaps 1(%0), %%xmm0", "S"(unaligned));
	say_caught("movaps not aligned");
	TRY("fxsave 8(%0)", "S"(unaligned));
	say_caught("fxsave not aligned");
	TRY("cmpxchg16b 8(%0)", "S"(unaligned));
	say_caught("cmpxchg16b not aligned");
	set_cr0(cr0() | 8);
	TRY("fld1", "m"(word));
	say_caught("x87 after a task switch");
	TRY("movaps %%xmm0, %%xmm1", "m"(word));
	say_caught("SSE after a task switch");
	set_cr0(cr0() & ~8ull);
	TRY("fninit\n fld1\n fldz\n pushq $0x340\n fldcw (%%rsp)\n pop %%rax\n fdivrp\n fwait",
	    "m"(word));
	say_caught("x87 divides by zero");
	__asm__ volatile("fnclex; fninit");
	__asm__ volatile("pushq $0x1f80; ldmxcsr (%%rsp); pop %%rax" : : : "rax", "memory");
}

/* -- ring 3 ------------------------------------------------------------------------------------ */

USER(nothing, "nop")
USER(hlt, "hlt")
USER(cli, "cli")
USER(in, "in $0x21, %al")
USER(in_allowed, "in $0x80, %al")
USER(cr, "mov %cr0, %rax")
USER(msr, "mov $0x10, %ecx\n rdmsr")
USER(invlpg, "invlpg (%rax)")
USER(wbinvd, "wbinvd")
USER(int3, "int3")
USER(vmmcall, "vmmcall")
USER(sgdt, "sub $16, %rsp\n sgdt (%rsp)")
USER(read_kernel, "mov page_tables, %rax")
USER(popf, "pushq $0x3202\n popfq\n pushfq\n pop %rax\n and $0x3200, %eax\n cmp $0x200, %eax\n"
	   "je 1f\n ud2\n1:")
USER(iret, "pushq $0x10\n push %rsp\n pushfq\n pushq $8\n pushq $0\n iretq")
USER(sysret, "sysretq")

static const struct {
	const char *name;
	void (*fn)(void);
} users[] = {
	{ "user: nothing", user_nothing },
	{ "user: hlt", user_hlt },
	{ "user: cli", user_cli },
	{ "user: in", user_in },
	{ "user: in of an allowed port", user_in_allowed },
	{ "user: cr0", user_cr },
	{ "user: rdmsr", user_msr },
	{ "user: invlpg", user_invlpg },
	{ "user: wbinvd", user_wbinvd },
	{ "user: int3", user_int3 },
	{ "user: vmmcall", user_vmmcall },
	{ "user: popf keeps IF and IOPL", user_popf },
	{ "user: iret to ring 0", user_iret },
	{ "user: sysret", user_sysret },
	{ "user: reads the kernel's", user_read_kernel },
};

/* Not every processor has UMIP: what CPUID says, CR4 does, and then SGDT is for the kernel only. */
static void umip(void)
{
	uint32_t a = 7, b, c = 0, d;
	unsigned int told, taken, refused, denied, done;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	told = c >> 2 & 1;
	TRY("mov %%cr4, %%rax\n or $0x800, %%rax\n mov %%rax, %%cr4", "m"(word));
	taken = caught.vector == 0xff && (cr4() & 0x800);
	refused = caught.vector == 13 && caught.error == 0 && !(cr4() & 0x800);
	say("UMIP in CR4 is as CPUID says: %u", told ? taken : refused);
	user_call((uintptr_t)user_sgdt, 0x2b);
	denied = caught.vector == 13 && caught.error == 0 && caught.offset == 4;
	done = caught.vector == 0x80 && caught.offset == 10;
	say("user: sgdt is as UMIP says: %u", (told ? denied : done) && caught.cpl == 3);
}

static void ring3(void)
{
	extern uint64_t page_tables[];
	volatile uint64_t *pte = pte_of(page_tables);

	*pte &= ~4ull;
	invlpg(page_tables);
	umip();
	for (unsigned int i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		user_call((uintptr_t)users[i].fn, 0x2b);
		say_caught(users[i].name);
	}
	*pte |= 4;
}

/* -- debugging --------------------------------------------------------------------------------- */

static volatile unsigned int steps, hits;
static volatile uint64_t first_dr6, last_rip;

static uint64_t dr6(void)
{
	uint64_t v;

	__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}

static void set_dr7(uint64_t v)
{
	__asm__ volatile("mov %0, %%dr7" : : "r"(v));
}

static void on_step(struct frame *f)
{
	steps++;
	if (steps == 1)
		first_dr6 = dr6();
	last_rip = f->rip;
	__asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ull));
	/* Code breakpoints are faults: RF lets the instruction through. */
	f->rflags |= 0x10000;
}

static void debugging(void)
{
	trap_handler[1] = on_step;
	steps = 0;
	__asm__ volatile(
		"pushfq\n orl $0x100, (%%rsp)\n popfq\n nop\n nop\n mov $0, %%eax\n cpuid\n"
		"pushfq\n andl $~0x100, (%%rsp)\n popfq\n"
		:
		:
		: "rax", "rbx", "rcx", "rdx", "memory", "cc");
	say("single steps: %u, dr6 %lx", steps, first_dr6);
	steps = 0;
	__asm__ volatile("pushfq\n orl $0x100, (%%rsp)\n popfq\n in $0x80, %%al\n out %%al, $0x80\n"
			 "mov $0x10, %%ecx\n rdmsr\n mov 0xfee00020, %%eax\n"
			 "pushfq\n andl $~0x100, (%%rsp)\n popfq\n"
			 :
			 :
			 : "rax", "rcx", "rdx", "memory", "cc");
	say("single steps through what is emulated: %u, dr6 %lx", steps, first_dr6);
	steps = 0;
	__asm__ volatile(
		"pushfq\n orl $0x100, (%%rsp)\n mov %%ss, %%eax\n popfq\n mov %%eax, %%ss\n nop\n"
		"pushfq\n andl $~0x100, (%%rsp)\n popfq\n"
		:
		:
		: "rax", "memory", "cc");
	say("single steps over mov ss: %u", steps);
	steps = 0;
	__asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, %%dr0\n mov $0x402, %%eax\n"
			 "mov %%rax, %%dr7\n nop\n1: nop\n nop"
			 :
			 :
			 : "rax", "memory");
	say("code breakpoint: %u, dr6 %lx", steps, first_dr6);
	steps = 0;
	__asm__ volatile("mov %0, %%dr1\n mov %1, %%dr7\n movq $1, (%0)\n mov (%0), %%rax\n nop"
			 :
			 : "r"(&word), "r"(0x400ull | 2ull << 2 | 0xdull << 20)
			 : "rax", "memory");
	say("data breakpoint: %u, dr6 %lx", steps, first_dr6);
	set_dr7(0x400);
	trap_handler[1] = NULL;
	TRY("mov $1, %%eax\n shl $32, %%rax\n mov %%rax, %%dr7", "m"(word));
	say_caught("upper half of dr7");
	TRY("mov %%cr4, %%rax\n or $8, %%rax\n mov %%rax, %%cr4\n mov %%dr4, %%rax", "m"(word));
	say_caught("dr4 with CR4.DE");
	set_cr4(cr4() & ~8ull);
}

/* -- exceptions of deliveries ------------------------------------------------------------------ */

static void double_faults(void)
{
	idt_set(8, 0, 14, 1);
	TRY("mov $0x200000001000, %%rsp\n ud2", "m"(word));
	say_caught("#PF in the delivery of #UD");
	TRY("mov $0x200000001000, %%rsp\n mov (%%rsp), %%rax", "m"(word));
	say_caught("#PF in the delivery of #PF");
}

int main(void)
{
	tss_init();
	faults();
	memory();
	ring3();
	debugging();
	double_faults();
	return 0;
}
