/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * native.c - guest.h for a program of the host: insn.c and avx_insn.c run as ordinary processes, so
 * that their expected output is what this machine's own processor computes. Prints on standard
 * output.
 */
#include "guest.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

volatile struct caught caught;
volatile uint64_t recover_rip, recover_rsp, recover_rbp, recover_began;

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	while (bytes--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void)number;
	(void)info;
	if (!recover_rip)
		abort();
	caught.vector = 0;
	c->uc_mcontext.gregs[REG_RIP] = (long)recover_rip;
	recover_rip = 0;
}

__attribute__((constructor)) static void native_init(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGFPE, &sa, NULL);
}

__attribute__((destructor)) static void native_end(void)
{
	say("guest: done");
}
