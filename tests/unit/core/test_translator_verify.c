/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_translator_verify.c - verify mode finds what is different. (That it finds nothing else is
 * tested by test_translator_verified.c.)
 */
#include "soft_guest.h"

#include "lib/lib_ops.h"
#include "soft/soft.h"

/* A loop, so that its block is translated; the constant can be found in what it became. */
GUEST(constant, 64,
      "mov $20, %ecx; 1: mov $0x1234abcd, %eax; lea 3(%rax), %edx; dec %ecx; jnz 1b;"
      "out %al, $0xf1; mov $20, %ecx; 2: add $1, %ecx; cmp $60, %ecx; jne 2b;"
      "mov $20, %ecx; jmp 1b");

/* Change the constant wherever it is in generated code. */
static unsigned int spoil(struct soft_tr *tr, uint32_t from, uint32_t to)
{
	unsigned int found = 0;
	uint32_t v;

	for (uint8_t *p = tr->code.rw + tr->common_bytes; p < tr->hot; p++) {
		memcpy(&v, p, sizeof(v));
		if (v != from)
			continue;
		memcpy(p, &to, sizeof(to));
		found++;
	}
	return found;
}

static struct guest guest;

static void verify_mode_crashes_the_domain_at_a_difference(void **state)
{
	struct guest *g = &guest;
	struct hvm_exit e = { 0 };
	struct soft_vcpu *sv;
	struct hvm_vcpu *v;

	(void)state;
	guest_create_long(g, 1);
	v = hvm_domain_vcpu(g->d, 0);
	sv = g->d->core->vcpu[0]->vendor;
	if (sv->tr.mode == SOFT_TR_OFF)
		skip(); /* the host's processor cannot */
	GUEST_LOAD(g, constant);
	guest_start_long(g, 0, GUEST_CODE, 0);
	assert_int_equal(hvm_vcpu_run(v, &e), 0);
	assert_int_equal(e.reason, HVM_EXIT_IOREQ);
	assert_true(spoil(&sv->tr, 0x1234abcd, 0x1234abce) > 0);
	hvm_vcpu_ioreq(v)->state = HVM_IOREQ_STATE_DONE;
	assert_int_equal(hvm_vcpu_run(v, &e), 0);
	assert_int_equal(e.reason, HVM_EXIT_CRASH);
	assert_non_null(strstr(hvm_domain_crash_reason(g->d), "translator"));
	guest_destroy(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verify_mode_crashes_the_domain_at_a_difference),
	};

	setenv("HVM_TRANSLATOR", "2", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
