/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_translator_soft.c - the tests of test_soft.c once more, with the translator on. See there.
 */
int test_soft_main(void);
#define main test_soft_main
#include "test_soft.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

int main(void)
{
	setenv("HVM_TRANSLATOR", "1", 1);
	return test_soft_main();
}
