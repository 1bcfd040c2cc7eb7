/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.c - drop what a running domain does not need. Owns nothing. Source: prctl(2).
 */
#include "sandbox.h"

#include <sys/prctl.h>

int sandbox_enter(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
