/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_emulate_mmio.c - the instructions on device memory that are carried out in the kernel: what
 * they leave in registers, flags and the device; what they leave alone; what is for user space; and
 * that an instruction that waits for ioemu is done once.
 */
#include "fake_domain.h"

#include "x86/cpu.h"
#include "x86/emulate_mmio.h"

#define DEVICE_GPA 0xd0001000ull
#define ROM_GPA	   0xf0000ull
#define OTHER_GPA  0xd0005000ull /* ioemu's */

#define RAX 0
#define RCX 1
#define RDX 2
#define RDI 7
#define R9  9

struct fixture {
	struct domain *d;
	struct vcpu *v;
	uint64_t gpr[16];
	struct emulate_regs r;
	uint64_t device; /* 8 bytes at DEVICE_GPA + 0x10 */
	unsigned int reads, writes, last_size;
};

static int device_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
{
	struct fixture *f = dev;

	(void)v;
	assert_int_equal(offset & ~7ull, 0x10);
	*ret = 0;
	memcpy(ret, (uint8_t *)&f->device + (offset & 7), size);
	f->reads++;
	f->last_size = size;
	return 0;
}

static int device_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			uint64_t value)
{
	struct fixture *f = dev;

	(void)v;
	assert_int_equal(offset & ~7ull, 0x10);
	memcpy((uint8_t *)&f->device + (offset & 7), &value, size);
	f->writes++;
	f->last_size = size;
	return 0;
}

static _Alignas(4096) uint8_t rom[4096];

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct hvm_intercept r = { .base = DEVICE_GPA,
				   .bytes = 0x1000,
				   .read = device_read,
				   .write = device_write,
				   .dev = f };

	f->d = fake_domain_create(1);
	f->v = f->d->vcpu[0];
	assert_int_equal(hvm_mmio_register(f->d, &r), 0);
	assert_int_equal(p2m_map(&f->d->p2m, ROM_GPA, sizeof(rom), HVM_MEM_ROM, rom), 0);
	f->r = (struct emulate_regs){
		.gpr = f->gpr, .rip = 0x1000, .rflags = 2, .code_size = X86_CODE64
	};
	for (unsigned int i = 0; i < 16; i++)
		f->gpr[i] = 0x1111111111111111ull * i;
	f->gpr[RDI] = DEVICE_GPA;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_domain_destroy(f->d);
	free(f);
	return 0;
}

static int run(struct fixture *f, const uint8_t *code, size_t bytes, gpa_t gpa)
{
	uint8_t buf[15] = { 0 };
	struct x86_insn i;

	memcpy(buf, code, bytes);
	assert_int_equal(x86_decode(buf, sizeof(buf), f->r.code_size, &i), bytes);
	return emulate_mmio(f->v, &f->r, &i, gpa);
}

#define ARITH X86_EFL_ARITH
#define DEV0  0x8899aabbccddeeffull

static void emulate_mmio_moves_and_combines_as_the_processor_does(void **state)
{
	struct fixture *f = *state;
	/* clang-format off */
	static const struct {
		const char *what;
		uint8_t bytes, code[12];
		uint8_t reg; /* this one becomes value; all others stay */
		uint64_t value, device;
		uint64_t flags; /* of the arithmetic ones, after all were set; ARITH: not touched */
	} row[] = {
		{ "mov eax, [rdi+16]", 3, { 0x8b, 0x47, 0x10 }, RAX, 0xccddeeff, DEV0, ARITH },
		{ "mov rcx, [rdi+16]", 4, { 0x48, 0x8b, 0x4f, 0x10 }, RCX, DEV0, DEV0, ARITH },
		{ "mov cx, [rdi+16]", 4, { 0x66, 0x8b, 0x4f, 0x10 }, RCX, 0x111111111111eeff, DEV0, ARITH },
		{ "mov ch, [rdi+17]", 3, { 0x8a, 0x6f, 0x11 }, RCX, 0x111111111111ee11, DEV0, ARITH },
		{ "mov r9b, [rdi+16]", 4, { 0x44, 0x8a, 0x4f, 0x10 }, R9, 0x99999999999999ff, DEV0, ARITH },
		{ "mov [rdi+16], ecx", 3, { 0x89, 0x4f, 0x10 }, RCX, 0x1111111111111111, 0x8899aabb11111111, ARITH },
		{ "mov [rdi+17], dh", 3, { 0x88, 0x77, 0x11 }, RDX, 0x2222222222222222, 0x8899aabbccdd22ff, ARITH },
		{ "mov dword [rdi+16], -2", 7, { 0xc7, 0x47, 0x10, 0xfe, 0xff, 0xff, 0xff }, RAX, 0, 0x8899aabbfffffffe, ARITH },
		{ "mov qword [rdi+16], -2", 8, { 0x48, 0xc7, 0x47, 0x10, 0xfe, 0xff, 0xff, 0xff }, RAX, 0, ~1ull, ARITH },
		{ "movzx eax, byte [rdi+16]", 4, { 0x0f, 0xb6, 0x47, 0x10 }, RAX, 0xff, DEV0, ARITH },
		{ "movsx eax, byte [rdi+16]", 4, { 0x0f, 0xbe, 0x47, 0x10 }, RAX, 0xffffffff, DEV0, ARITH },
		{ "movsx rax, word [rdi+16]", 5, { 0x48, 0x0f, 0xbf, 0x47, 0x10 }, RAX, 0xffffffffffffeeff, DEV0, ARITH },
		{ "movsxd rax, dword [rdi+16]", 4, { 0x48, 0x63, 0x47, 0x10 }, RAX, 0xffffffffccddeeff, DEV0, ARITH },
		{ "movzx cx, byte [rdi+16]", 5, { 0x66, 0x0f, 0xb6, 0x4f, 0x10 }, RCX, 0x11111111111100ff, DEV0, ARITH },
		{ "xchg [rdi+16], ecx", 3, { 0x87, 0x4f, 0x10 }, RCX, 0xccddeeff, 0x8899aabb11111111, ARITH },
		{ "or dword [rdi+16], 0x100", 7, { 0x81, 0x4f, 0x10, 0x00, 0x01, 0x00, 0x00 }, RAX, 0, 0x8899aabbccddefff, X86_EFL_SF | X86_EFL_PF },
		{ "and [rdi+16], ecx", 3, { 0x21, 0x4f, 0x10 }, RCX, 0x1111111111111111, 0x8899aabb00110011, X86_EFL_PF },
		{ "and dword [rdi+16], 0", 4, { 0x83, 0x67, 0x10, 0x00 }, RAX, 0, 0x8899aabb00000000, X86_EFL_ZF | X86_EFL_PF },
		{ "xor rcx, [rdi+16]", 4, { 0x48, 0x33, 0x4f, 0x10 }, RCX, DEV0 ^ 0x1111111111111111, DEV0, X86_EFL_SF | X86_EFL_PF },
		{ "test dword [rdi+16], 0x1000", 7, { 0xf7, 0x47, 0x10, 0x00, 0x10, 0x00, 0x00 }, RAX, 0, DEV0, X86_EFL_ZF | X86_EFL_PF },
		{ "test byte [rdi+16], 1", 4, { 0xf6, 0x47, 0x10, 0x01 }, RAX, 0, DEV0, 0 },
	};
	/* clang-format on */

	for (size_t n = 0; n < HVM_ARRAY_SIZE(row); n++) {
		uint64_t gpr[16];
		gpa_t gpa;

		f->device = DEV0;
		f->r.rflags = 2 | ARITH | X86_EFL_IF;
		for (unsigned int i = 0; i < 16; i++)
			f->gpr[i] = 0x1111111111111111ull * i;
		f->gpr[RDI] = DEVICE_GPA;
		memcpy(gpr, f->gpr, sizeof(gpr));
		gpr[row[n].reg] = row[n].value;
		gpa = DEVICE_GPA + (strstr(row[n].what, "rdi+17") ? 0x11 : 0x10);
		if (run(f, row[n].code, row[n].bytes, gpa))
			fail_msg("%s: refused", row[n].what);
		if (f->device != row[n].device || memcmp(gpr, f->gpr, sizeof(gpr)) ||
		    f->r.rflags != (2 | X86_EFL_IF | row[n].flags))
			fail_msg("%s: device %llx register %llx flags %llx", row[n].what,
				 (unsigned long long)f->device,
				 (unsigned long long)f->gpr[row[n].reg],
				 (unsigned long long)f->r.rflags);
	}
}

static void emulate_mmio_leaves_everything_else_to_user_space(void **state)
{
	struct fixture *f = *state;
	/* clang-format off */
	static const struct {
		const char *what;
		uint8_t bytes, code[12];
		gpa_t gpa;
	} row[] = {
		{ "movsd", 1, { 0xa5 }, DEVICE_GPA + 0x10 },
		{ "rep stosb", 2, { 0xf3, 0xaa }, DEVICE_GPA + 0x10 },
		{ "add [rdi+16], ecx", 3, { 0x01, 0x4f, 0x10 }, DEVICE_GPA + 0x10 },
		{ "push [rdi+16]", 3, { 0xff, 0x77, 0x10 }, DEVICE_GPA + 0x10 },
		{ "movups xmm0, [rdi+16]", 4, { 0x0f, 0x10, 0x47, 0x10 }, DEVICE_GPA + 0x10 },
		{ "mov eax, ecx", 2, { 0x89, 0xc8 }, DEVICE_GPA + 0x10 },
		{ "cmpxchg [rdi+16], ecx", 4, { 0x0f, 0xb1, 0x4f, 0x10 }, DEVICE_GPA + 0x10 },
		/* The page fault was not this operand's. */
		{ "mov eax, [rdi+16]", 3, { 0x8b, 0x47, 0x10 }, DEVICE_GPA + 0x20 },
	};
	/* clang-format on */
	uint64_t gpr[16];

	memcpy(gpr, f->gpr, sizeof(gpr));
	for (size_t n = 0; n < HVM_ARRAY_SIZE(row); n++) {
		if (run(f, row[n].code, row[n].bytes, row[n].gpa) != -HVM_EOPNOTSUPP)
			fail_msg("%s", row[n].what);
	}
	assert_int_equal(f->reads + f->writes, 0);
	assert_memory_equal(gpr, f->gpr, sizeof(gpr));
}

static void emulate_mmio_does_not_cross_a_page(void **state)
{
	static const uint8_t mov[] = { 0x8b, 0x87, 0xfe, 0x0f, 0x00, 0x00 }; /* [rdi+0xffe] */
	struct fixture *f = *state;

	assert_int_equal(run(f, mov, sizeof(mov), DEVICE_GPA + 0xffe), -HVM_EOPNOTSUPP);
}

static void emulate_mmio_finds_the_operand_with_segments_and_sizes(void **state)
{
	struct fixture *f = *state;
	static const uint8_t fs32[] = { 0x64, 0xa1, 0x10, 0x00, 0x00, 0x00 }; /* mov eax, fs:[16] */
	static const uint8_t rip64[] = { 0x8b, 0x05, 0x0a, 0x00, 0x00, 0x00 }; /* [rip+10] */
	static const uint8_t di16[] = { 0x66, 0x8b, 0x45, 0x0f }; /* mov eax, [di+15] */

	f->device = DEV0;
	f->r.code_size = X86_CODE32;
	f->r.seg_base[HVM_SEG_FS] = 0x7000000000000ull + 0x5000; /* only the low half counts */
	assert_int_equal(run(f, fs32, sizeof(fs32), DEVICE_GPA + 0x10), 0);
	assert_int_equal(f->gpr[RAX], 0xccddeeff);

	f->r.code_size = X86_CODE64;
	f->r.rip = 0x2000;
	f->gpr[RAX] = 0;
	assert_int_equal(run(f, rip64, sizeof(rip64), DEVICE_GPA + 0x10), 0);
	assert_int_equal(f->gpr[RAX], 0xccddeeff);

	f->r.code_size = X86_CODE16;
	f->gpr[RDI] = 0xabcd0fffu + 2; /* cut to 16 bits: 1001h */
	f->r.seg_base[HVM_SEG_DS] = 0xd0000000;
	f->gpr[RAX] = 0;
	assert_int_equal(run(f, di16, sizeof(di16), DEVICE_GPA + 0x10), 0);
	assert_int_equal(f->gpr[RAX], 0xccddeeff);
}

static void emulate_mmio_reads_rom_and_drops_writes_to_it(void **state)
{
	static const uint8_t or_mem[] = { 0x80, 0x4f, 0x10, 0x81 }; /* or byte [rdi+16], 81h */
	struct fixture *f = *state;

	f->gpr[RDI] = ROM_GPA;
	rom[0x10] = 0x0f;
	assert_int_equal(run(f, or_mem, sizeof(or_mem), ROM_GPA + 0x10), 0);
	assert_int_equal(rom[0x10], 0x0f);
	assert_true(f->r.rflags & X86_EFL_SF);
}

/* An exchange with ioemu's device: a read and a write, each served in its turn, each once. */
static void emulate_mmio_waits_for_ioemu_and_is_done_once(void **state)
{
	static const uint8_t xchg[] = { 0x87, 0x4f, 0x10 };
	struct fixture *f = *state;
	struct hvm_ioreq *req = &f->v->ioreq_page->req;

	f->gpr[RDI] = OTHER_GPA;
	assert_int_equal(run(f, xchg, sizeof(xchg), OTHER_GPA + 0x10), -HVM_EAGAIN);
	assert_int_equal(req->is_write, 0);
	assert_int_equal(f->gpr[RCX], 0x1111111111111111ull);
	req->data = 0x12345678;
	req->state = HVM_IOREQ_STATE_DONE;
	assert_true(ioreq_complete(f->v));

	assert_int_equal(run(f, xchg, sizeof(xchg), OTHER_GPA + 0x10), -HVM_EAGAIN);
	assert_int_equal(req->is_write, 1);
	assert_int_equal(req->data, 0x11111111);
	assert_int_equal(f->gpr[RCX], 0x1111111111111111ull);
	req->state = HVM_IOREQ_STATE_DONE;
	assert_true(ioreq_complete(f->v));

	assert_int_equal(run(f, xchg, sizeof(xchg), OTHER_GPA + 0x10), 0);
	assert_int_equal(f->gpr[RCX], 0x12345678);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(emulate_mmio_moves_and_combines_as_the_processor_does),
		TEST(emulate_mmio_leaves_everything_else_to_user_space),
		TEST(emulate_mmio_does_not_cross_a_page),
		TEST(emulate_mmio_finds_the_operand_with_segments_and_sizes),
		TEST(emulate_mmio_reads_rom_and_drops_writes_to_it),
		TEST(emulate_mmio_waits_for_ioemu_and_is_done_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
