/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_soft_smp.c - the software CPU with several vcpus and threads: locked operations,
 * cross-modifying code, memory map changes and dirty logging while guests run.
 */
#include "soft_guest.h"

#include <pthread.h>

#define VCPUS 3

static struct guest guest;

static int teardown(void **state)
{
	struct guest *g = &guest;

	(void)state;
	if (g->d)
		guest_destroy(g);
	memset(g, 0, sizeof(*g));
	return 0;
}

struct runner {
	pthread_t thread;
	struct guest *g;
	unsigned int vcpu;
	uint32_t result; /* what the guest wrote to the result port last */
	int reason;	 /* enum hvm_exit_reason */
};

/* Like guest_run(), but the guest structure is shared: only its own result is kept. */
static void *runner_main(void *arg)
{
	struct runner *r = arg;
	struct hvm_vcpu *v = hvm_domain_vcpu(r->g->d, r->vcpu);
	struct hvm_ioreq *req = hvm_vcpu_ioreq(v);

	for (;;) {
		struct hvm_exit e = { 0 };

		if (hvm_vcpu_run(v, &e) || e.reason != HVM_EXIT_IOREQ) {
			r->reason = (int)e.reason;
			return NULL;
		}
		if (req->address == PORT_STOP) {
			req->state = HVM_IOREQ_STATE_FREE;
			return NULL;
		}
		if (req->address == PORT_RESULT)
			r->result = (uint32_t)req->data;
		req->state = HVM_IOREQ_STATE_DONE;
	}
}

static void runners_start(struct runner *r, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		r[i] = (struct runner){ .g = &guest, .vcpu = i };
		guest_start_long(&guest, i, GUEST_CODE, 0);
	}
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(pthread_create(&r[i].thread, NULL, runner_main, &r[i]), 0);
}

static void runners_join(struct runner *r, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(r[i].thread, NULL);
		assert_int_equal(r[i].reason, HVM_EXIT_NONE);
	}
}

static uint32_t get32(struct guest *g, uint32_t gpa)
{
	uint32_t v;

	memcpy(&v, g->ram + gpa, sizeof(v));
	return v;
}

/* -- locked operations --------------------------------------------------------------------- */

#define LOCKED_LOOPS 20000

GUEST(locked, 64,
      "mov $20000, %ecx; 1: lock incl 0x100000; mov $1, %eax; lock xadd %eax, 0x100040;"
      "lock addq $1, 0x100ffc; 2: mov 0x100080, %eax; lea 1(%rax), %edx; lock cmpxchg %edx, 0x100080;"
      "jnz 2b; lock incl 3f(%rip); loop 1b; out %al, $0xf4; .balign 4; 3: .long 0;"
      ".globl locked_counter; .set locked_counter, 3b");
GUEST_LABEL(locked, locked_counter);

/* A plain page, a split lock over two pages, and a counter next to the code that counts. */
static void soft_locked_operations_of_all_vcpus_add_up(void **state)
{
	struct guest *g = &guest;
	struct runner r[VCPUS];

	(void)state;
	guest_create_long(g, VCPUS);
	GUEST_LOAD(g, locked);
	runners_start(r, VCPUS);
	runners_join(r, VCPUS);
	assert_int_equal(get32(g, 0x100000), VCPUS * LOCKED_LOOPS);
	assert_int_equal(get32(g, 0x100040), VCPUS * LOCKED_LOOPS);
	assert_int_equal(get32(g, 0x100080), VCPUS * LOCKED_LOOPS);
	assert_int_equal(get32(g, 0x100ffc), VCPUS * LOCKED_LOOPS);
	assert_int_equal(get32(g, locked_locked_counter()), VCPUS * LOCKED_LOOPS);
}

/* -- cross-modifying code ------------------------------------------------------------------ */

/*
 * vcpu 0 patches the function 300 times and waits after each until the others, who call it all the
 * time, have answered with the new value; the protocol of SDM 8.1.3 without its serialization.
 */
GUEST(cross, 64,
      "str %ax; mov $1, %ecx; lock xadd %ecx, 0x100000; test %ecx, %ecx; jnz 4f;"
      "mov $1, %ebx; 1: mov %ebx, 8f+1(%rip); 2: pause; cmp %ebx, 0x100104; jne 2b; cmp %ebx, 0x100108;"
      "jne 2b; inc %ebx; cmp $300, %ebx; jbe 1b; mov %ebx, %eax; out %eax, $0xf0; out %al, $0xf4;"
      "4: call 8f; mov %eax, 0x100100(,%rcx,4); cmp $300, %eax; jne 4b; out %eax, $0xf0; out %al, $0xf4;"
      ".balign 256; 8: mov $0, %eax; ret");

static void soft_other_vcpus_see_patched_code(void **state)
{
	struct guest *g = &guest;
	struct runner r[VCPUS];
	unsigned int sum = 0;

	(void)state;
	guest_create_long(g, VCPUS);
	GUEST_LOAD(g, cross);
	runners_start(r, VCPUS);
	runners_join(r, VCPUS);
	for (unsigned int i = 0; i < VCPUS; i++)
		sum += r[i].result;
	assert_int_equal(sum, 301 + 300 + 300);
}

/*
 * All vcpus write a function into the same data page and call it: pages turn from data to code and
 * back on all of them at once, and who first decodes waits for who first decodes elsewhere.
 * A bug that was: who decoded in a page that another had just marked did not wait until write
 * entries were gone, its own included, and went on with the code that it wrote before.
 */
GUEST(generate, 64,
      "mov $1, %edi; lock xadd %edi, 0x100000; imul $0x340, %edi, %ebp; add $0x200000, %ebp; xor %esi, %esi;"
      "mov $10000, %ebx; 1: mov %ebx, %edx; and $7, %edx; shl $12, %edx; add %ebp, %edx; movb $0xb8, (%rdx);"
      "mov %ebx, 1(%rdx); movb $0xc3, 5(%rdx); call *%rdx; sub %ebx, %eax; or %eax, %esi;"
      "incl 0x300(%rdx); dec %ebx; jnz 1b; mov %esi, %eax; out %eax, $0xf0; out %al, $0xf4");

static void soft_vcpus_may_generate_code_in_the_same_pages(void **state)
{
	struct guest *g = &guest;
	struct runner r[VCPUS];

	(void)state;
	guest_create_long(g, VCPUS);
	GUEST_LOAD(g, generate);
	runners_start(r, VCPUS);
	runners_join(r, VCPUS);
	for (unsigned int i = 0; i < VCPUS; i++) {
		assert_int_equal(r[i].result, 0);
		for (unsigned int page = 0; page < 8; page++)
			assert_int_equal(get32(g, 0x200000 + i * 0x340 + page * 4096 + 0x300),
					 1250);
	}
}

/* -- changes from outside ------------------------------------------------------------------ */

GUEST(outside, 64,
      "1: incl 0x2000000; mov 0x2000800, %eax; incl 0x100000; cmpl $0, 0x100800; je 1b;"
      "out %al, $0xf4");

/* The page is unmapped from the host right after hvm_domain_map() returned: nobody may touch it. */
static void soft_map_changes_are_done_when_the_call_returns(void **state)
{
	struct guest *g = &guest;
	struct runner r[VCPUS];
	uint8_t *old = NULL;

	(void)state;
	guest_create_long(g, VCPUS);
	GUEST_LOAD(g, outside);
	for (unsigned int i = 0; i < 300; i++) {
		uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		assert_int_equal(hvm_domain_map(g->d, 0x2000000, 4096, HVM_MEM_RAM, page), 0);
		if (!i)
			runners_start(r, VCPUS);
		if (old)
			munmap(old, 4096);
		old = page;
		if (i >= 200) /* the same memory again and again, before it runs out of layouts */
			break;
	}
	__atomic_store_n((uint32_t *)(void *)(g->ram + 0x100800), 1, __ATOMIC_SEQ_CST);
	runners_join(r, VCPUS);
	munmap(old, 4096);
}

/*
 * Writes to random pages below a bound that sinks, so that each page has its last write at another
 * time: 1024 pages from 4 MiB on, eight writes for each bound.
 */
GUEST(writer, 64,
      "mov $1, %r9d; mov $1024, %ebx; 1: mov $8, %ecx; 2: imul $1103515245, %r9d; add $12345, %r9d;"
      "mov %r9d, %eax; shr $8, %eax; xor %edx, %edx; div %ebx; shl $12, %edx; mov %r9d, 0x400000(%rdx);"
      "loop 2b; dec %ebx; jnz 1b; out %al, $0xf4");

#define WRITER_BASE  0x400000u
#define WRITER_PAGES 1024u

/* Take the pages that were written since the last sync, as a migration does. */
static void sync_pages(struct guest *g, uint8_t *copy)
{
	uint64_t bitmap[WRITER_PAGES / 64] = { 0 };

	assert_int_equal(hvm_dirty_log_sync(g->d, WRITER_BASE, WRITER_PAGES, bitmap), 0);
	for (unsigned int i = 0; i < WRITER_PAGES; i++) {
		if (bitmap[i / 64] >> (i % 64) & 1)
			memcpy(copy + i * 4096, g->ram + WRITER_BASE + i * 4096, 4096);
	}
}

static void soft_dirty_log_misses_no_write_of_a_running_vcpu(void **state)
{
	struct guest *g = &guest;
	struct runner r[VCPUS];
	uint8_t *copy = calloc(WRITER_PAGES, 4096);

	(void)state;
	guest_create_long(g, VCPUS);
	GUEST_LOAD(g, writer);
	assert_int_equal(hvm_dirty_log_start(g->d), 0);
	for (unsigned int round = 0; round < 10; round++) {
		runners_start(r, VCPUS);
		for (unsigned int i = 0; i < 50; i++)
			sync_pages(g, copy);
		runners_join(r, VCPUS);
		sync_pages(g, copy);
		assert_memory_equal(copy, g->ram + WRITER_BASE, WRITER_PAGES * 4096);
	}
	hvm_dirty_log_stop(g->d);
	free(copy);
}

/* hvm_vcpu_kick() ends a guest that never leaves by itself. */
GUEST(forever, 64, "1: jmp 1b");

static void soft_kick_ends_an_endless_loop(void **state)
{
	struct guest *g = &guest;
	struct runner r[VCPUS];

	(void)state;
	guest_create_long(g, VCPUS);
	GUEST_LOAD(g, forever);
	runners_start(r, VCPUS);
	for (unsigned int i = 0; i < VCPUS; i++)
		hvm_vcpu_kick(hvm_domain_vcpu(g->d, i));
	for (unsigned int i = 0; i < VCPUS; i++) {
		pthread_join(r[i].thread, NULL);
		assert_int_equal(r[i].reason, HVM_EXIT_INTR);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(soft_locked_operations_of_all_vcpus_add_up),
		T(soft_other_vcpus_see_patched_code),
		T(soft_vcpus_may_generate_code_in_the_same_pages),
		T(soft_map_changes_are_done_when_the_call_returns),
		T(soft_dirty_log_misses_no_write_of_a_running_vcpu),
		T(soft_kick_ends_an_endless_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
