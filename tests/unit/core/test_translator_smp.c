/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_translator_smp.c - the tests of test_soft_smp.c once more, with the translator on. See
 * there.
 */
int test_soft_smp_main(void);
#define main test_soft_smp_main
#include "test_soft_smp.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

int main(void)
{
	setenv("HVM_TRANSLATOR", "1", 1);
	return test_soft_smp_main();
}
