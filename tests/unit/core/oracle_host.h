/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oracle_host.h - the host's turn of the executor's oracle: one instruction on the host's processor
 * from a given state of all its registers, over an arena of pages that are writable, read-only or
 * absent, at addresses below 2 GiB so that every kind of operand can reach them.
 *
 * An exception comes as a signal on a stack of its own. The handler copies the registers out of the
 * signal's frame and lets it return to the end of the trampoline. A branch that is taken ends at a
 * breakpoint or at a page that may not be executed; both tell where it went. Single threaded.
 */
#ifndef TEST_ORACLE_HOST_H
#define TEST_ORACLE_HOST_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "native_state.h"

/* Nothing else of this process lies between the two ends; what strays hits nothing. */
#define ORACLE_LOW  0x1c000000ull
#define ORACLE_HIGH 0x2c000000ull

/* Pages 1, 2 and 5 can be written, 4 can be read, 0, 3 and 6 are absent. */
#define ORACLE_PAGES	   7u
#define ORACLE_PAGE(n)	   (0x20000000ull + (n)*4096ull)
#define ORACLE_WRITABLE(n) ((n) == 1 || (n) == 2 || (n) == 5)
#define ORACLE_READABLE(n) (ORACLE_WRITABLE(n) || (n) == 4)

/* The code page: breakpoints, and in the middle the instruction with the jump back behind it. */
#define ORACLE_CODE	  0x20100000ull
#define ORACLE_INSN	  (ORACLE_CODE + 0x400)
#define ORACLE_JUMP_BYTES 7u
/* Pointers to jump through, aligned for AC: back; back to 64-bit code; and that code. */
#define ORACLE_BACK	  ORACLE_CODE
#define ORACLE_FAR_BACK	  (ORACLE_CODE + 0x10)
#define ORACLE_LANDING	  (ORACLE_CODE + 0x20)

/* Linux's user segments. */
#define ORACLE_CS64 0x33ull
#define ORACLE_CS32 0x23ull
#define ORACLE_DS   0x2b

struct oracle_result {
	int vector; /* or ORACLE_NO_FAULT */
	uint32_t error;
	uint64_t cr2;
	uint64_t rip;		  /* of the next instruction, or of the faulting one */
	struct native_state regs; /* its mem is not used */
};
#define ORACLE_NO_FAULT (-1)

void oracle_enter(struct native_state *s, uint64_t far_code);
void oracle_signal(int sig, siginfo_t *info, void *context);
extern char oracle_back[], oracle_fault_back[], oracle_signal_entry[];
extern uint64_t oracle_host_rsp, oracle_rsp, oracle_code, oracle_end;
extern uint8_t oracle_avx;
uint64_t oracle_host_rsp, oracle_rsp, oracle_end;
uint8_t oracle_avx;   /* upper halves count */
uint64_t oracle_code; /* far pointer: offset, selector << 32 */

_Static_assert(offsetof(struct native_state, rflags) == 640, "as the trampoline has it");
_Static_assert(offsetof(struct native_state, mxcsr_host) == 648, "as the trampoline has it");
_Static_assert(offsetof(struct native_state, ymmh) == 656, "as the trampoline has it");

/* clang-format off */
#define ORACLE_YMM_ALL(X) \
	X("0") X("1") X("2") X("3") X("4") X("5") X("6") X("7") X("8") X("9") X("10") X("11") X("12") \
	X("13") X("14") X("15")
#define ORACLE_YMM_LOAD1(n) "	vinsertf128 $1, 656 + 16 * " n "(%rdi), %ymm" n ", %ymm" n "\n"
#define ORACLE_YMM_STORE1(n) "	vextractf128 $1, %ymm" n ", 656 + 16 * " n "(%rdi)\n"
/* clang-format on */

/*
 * The stack pointer walks over the state to load and to store it. Flags come last and go first;
 * AC must not stay set, nor TF, which POPF could have set.
 */
__asm__(".pushsection .text\n"
	"oracle_enter:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n"
	"	push %r14\n	push %r15\n"
	"	mov %rsp, oracle_host_rsp(%rip)\n"
	"	mov %rsi, oracle_code(%rip)\n"
	"	mov 544(%rdi), %rax\n"
	"	mov %rax, oracle_rsp(%rip)\n"
	"	fxrstor64 (%rdi)\n"
	"	cmpb $0, oracle_avx(%rip)\n"
	"	je 1f\n" ORACLE_YMM_ALL(
		ORACLE_YMM_LOAD1) "1:\n"
				  "	lea 512(%rdi), %rsp\n"
				  "	pop %rax\n	pop %rcx\n	pop %rdx\n	pop %rbx\n"
				  "	lea 8(%rsp), %rsp\n"
				  "	pop %rbp\n	pop %rsi\n	pop %rdi\n	pop %r8\n	pop %r9\n"
				  "	pop %r10\n	pop %r11\n	pop %r12\n	pop %r13\n	pop %r14\n"
				  "	pop %r15\n	popfq\n"
				  "	mov oracle_rsp(%rip), %rsp\n"
				  "	ljmp *oracle_code(%rip)\n"
				  "oracle_back:\n"
				  "	mov %rsp, oracle_rsp(%rip)\n"
				  "	mov oracle_end(%rip), %rsp\n"
				  "	pushfq\n"
				  "	push %r15\n	push %r14\n	push %r13\n	push %r12\n	push %r11\n"
				  "	push %r10\n	push %r9\n	push %r8\n	push %rdi\n	push %rsi\n"
				  "	push %rbp\n	push oracle_rsp(%rip)\n"
				  "	push %rbx\n	push %rdx\n	push %rcx\n	push %rax\n"
				  "	push $0x202\n	popfq\n"
				  "	fxsave64 -512(%rsp)\n"
				  "	lea -512(%rsp), %rdi\n"
				  "	cmpb $0, oracle_avx(%rip)\n"
				  "	je 1f\n" ORACLE_YMM_ALL(
					  ORACLE_YMM_STORE1) "	vzeroupper\n"
							     "	jmp 1f\n"
							     "oracle_fault_back:\n"
							     "	mov oracle_end(%rip), %rdi\n"
							     "	sub $648, %rdi\n"
							     "1:	fninit\n"
							     "	ldmxcsr 648(%rdi)\n"
							     "	mov oracle_host_rsp(%rip), %rsp\n"
							     "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n"
							     "	pop %rbx\n"
							     "	ret\n"
							     "oracle_signal_entry:\n" /* misaligned
											 data is all
											 right in a
											 handler */
							     "	pushfq\n	andl $~0x40000, (%rsp)\n	popfq\n"
							     "	jmp oracle_signal\n"
							     ".globl oracle_enter\n	.globl oracle_back\n	.globl oracle_fault_back\n"
							     ".globl oracle_signal_entry\n"
							     ".popsection\n");

static struct {
	uint8_t *code;		   /* the code page, writable */
	struct oracle_result *run; /* while an instruction runs */
	stack_t old_stack;
	uint64_t fs_base;
	uint8_t stack[65536];
} oracle_host;

/* Upper halves that are all zero may be left out. */
static inline void oracle_save_ymm(const uint8_t *area, struct oracle_result *r)
{
	uint64_t components;

	if (!oracle_avx)
		return;
	memcpy(&components, area + 512, 8);
	memset(r->regs.ymmh, 0, sizeof(r->regs.ymmh));
	if (components & HVM_XSTATE_AVX)
		memcpy(r->regs.ymmh, area + 576, sizeof(r->regs.ymmh));
}

static inline void oracle_save_frame(const ucontext_t *uc, struct oracle_result *r)
{
	static const uint8_t reg[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
					 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
					 REG_R12, REG_R13, REG_R14, REG_R15 };
	const greg_t *g = uc->uc_mcontext.gregs;

	for (unsigned int n = 0; n < 16; n++)
		r->regs.gpr[n] = (uint64_t)g[reg[n]];
	r->regs.rflags = (uint64_t)g[REG_EFL];
	/* The frame has FXSAVE's image first, then XSAVE's header and what it tells of. */
	memcpy(&r->regs, uc->uc_mcontext.fpregs, 416);
	oracle_save_ymm((const uint8_t *)uc->uc_mcontext.fpregs, r);
	r->rip = (uint64_t)g[REG_RIP];
	r->vector = (int)g[REG_TRAPNO];
	r->error = (uint32_t)g[REG_ERR];
	r->cr2 = (uint64_t)g[REG_CR2];
	/* Not a fault but where a branch led to. */
	if (r->vector == X86_BP) {
		r->rip--;
		r->vector = ORACLE_NO_FAULT;
	} else if (r->vector == X86_PF && (r->error & X86_PFEC_I) && r->cr2 == r->rip) {
		r->vector = ORACLE_NO_FAULT;
	}
}

void oracle_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *g = uc->uc_mcontext.gregs;

	(void)info;
	if (!oracle_host.run || (uint64_t)g[REG_RIP] < ORACLE_LOW ||
	    (uint64_t)g[REG_RIP] >= ORACLE_HIGH) {
		signal(sig, SIG_DFL); /* the test's own fault: comes again and ends it */
		return;
	}
	oracle_save_frame(uc, oracle_host.run);
	g[REG_RIP] = (greg_t)(uintptr_t)oracle_fault_back;
	g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffll) | (greg_t)ORACLE_CS64;
	g[REG_EFL] = 0x202;
}

/* Take over from cmocka, which sets its own handlers ahead of each test. */
static inline void oracle_catch(void)
{
	static const int signals[] = { SIGFPE, SIGSEGV, SIGBUS, SIGILL, SIGTRAP };
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	stack_t ss = { .ss_sp = oracle_host.stack, .ss_size = sizeof(oracle_host.stack) };
	void (*entry)(int, siginfo_t *, void *);

	entry = (void (*)(int, siginfo_t *, void *))(uintptr_t)oracle_signal_entry;
	sa.sa_sigaction = entry;
	assert_int_equal(sigaltstack(&ss, &oracle_host.old_stack), 0);
	for (size_t n = 0; n < HVM_ARRAY_SIZE(signals); n++)
		sigaction(signals[n], &sa, NULL);
}

static inline void oracle_map(uint64_t at, size_t bytes, int prot, int flags, int fd)
{
	void *want = (void *)(uintptr_t)at;

	assert_ptr_equal(mmap(want, bytes, prot, flags, fd, 0), want);
}

static inline void oracle_host_create(void)
{
	/* jmp *ORACLE_BACK(%rip) */
	static const uint8_t landing[6] = { 0xff, 0x25, 0xda, 0xff, 0xff, 0xff };
	uint64_t back = (uintptr_t)oracle_back;
	uint64_t far_back = ORACLE_LANDING | ORACLE_CS64 << 32;
	int fd = memfd_create("oracle", MFD_CLOEXEC);

	oracle_avx = native_has_v3();

	assert_true(fd >= 0 && ftruncate(fd, 4096) == 0);
	oracle_map(ORACLE_LOW, ORACLE_HIGH - ORACLE_LOW, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1);
	for (unsigned int n = 0; n < ORACLE_PAGES; n++)
		if (ORACLE_READABLE(n))
			oracle_map(ORACLE_PAGE(n), 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
	oracle_map(ORACLE_CODE, 4096, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd);
	oracle_host.code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(oracle_host.code, MAP_FAILED);
	memset(oracle_host.code, 0xcc, 4096);
	memcpy(oracle_host.code + (ORACLE_BACK - ORACLE_CODE), &back, sizeof(back));
	memcpy(oracle_host.code + (ORACLE_FAR_BACK - ORACLE_CODE), &far_back, sizeof(far_back));
	memcpy(oracle_host.code + (ORACLE_LANDING - ORACLE_CODE), landing, sizeof(landing));
	/* 64-bit code does without, compatibility mode does not. */
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(ORACLE_DS));
	close(fd);
	/* ARCH_GET_FS: through the segments FS and GS operands are reached too. */
	assert_int_equal(syscall(SYS_arch_prctl, 0x1003, &oracle_host.fs_base), 0);
}

static inline void oracle_host_destroy(void)
{
	sigaltstack(&oracle_host.old_stack, NULL);
	munmap((void *)(uintptr_t)ORACLE_LOW, ORACLE_HIGH - ORACLE_LOW);
	munmap(oracle_host.code, 4096);
}

/* Put the instruction and the jump back in their place. */
static inline void oracle_place(const uint8_t *bytes, unsigned int len, enum x86_code_size size)
{
	uint32_t end = (uint32_t)(ORACLE_INSN + len + ORACLE_JUMP_BYTES), to;
	uint8_t *p = oracle_host.code + (ORACLE_INSN - ORACLE_CODE);

	memcpy(p, bytes, len);
	p += len;
	if (size == X86_CODE64) { /* nop; jmp *ORACLE_BACK(%rip) */
		to = (uint32_t)(ORACLE_BACK - end);
		memcpy(p, "\x90\xff\x25", 3);
	} else { /* ljmp *%cs:ORACLE_FAR_BACK */
		to = (uint32_t)ORACLE_FAR_BACK;
		memcpy(p, "\x2e\xff\x2d", 3);
	}
	memcpy(p + 3, &to, 4);
	memset(p + ORACLE_JUMP_BYTES, 0xcc, 16);
}

/* Run what was placed from @start. */
static inline void oracle_run_host(const struct native_state *start, unsigned int len,
				   enum x86_code_size size, struct oracle_result *r)
{
	memcpy(&r->regs, start, NATIVE_REGS_BYTES);
	r->regs.mxcsr_host = 0x1f80;
	r->vector = ORACLE_NO_FAULT;
	r->rip = ORACLE_INSN + len;
	oracle_end = (uintptr_t)&r->regs.rflags + 8;
	oracle_host.run = r;
	oracle_enter(&r->regs, ORACLE_INSN | (size == X86_CODE64 ? ORACLE_CS64 : ORACLE_CS32)
						     << 32);
	oracle_host.run = NULL;
}

#endif
