/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exits.h - the guest of the exit bench, and what a hypervisor must do for it.
 */
#ifndef EXITS_H
#define EXITS_H

#define GUEST_BASE  0x8000
#define TOUCH_BASE  0x200000
#define TOUCH_PAGES 8192
#define RAM_BYTES   (TOUCH_BASE + TOUCH_PAGES * 4096)
#define USER_PORT   0x510
#define END_PORT    0xf4
#define USER_MMIO   0xd0000000

#ifndef __ASSEMBLER__

#include <stdatomic.h>
#include <stdint.h>

/* One hypervisor. Functions end the program when a call fails that must not. */
struct exits_host {
	const char *name;
	/* A machine of two processors with @ram at address 0, and with the PC's interrupt chips. */
	void (*create)(void *ram);
	void (*destroy)(void);
	/* Processor @cpu continues at @eip in flat 32-bit code, ESI = @rounds. */
	void (*set)(unsigned int cpu, uint32_t eip, uint32_t rounds);
	/* Run until an OUT to END_PORT, or until exits_stop; other requests are answered. */
	void (*run)(unsigned int cpu);
	/* Make @cpu, which runs in @thread, look at exits_stop. */
	void (*kick)(unsigned int cpu, uintptr_t thread);
};

extern const struct exits_host exits_hvm, exits_kvm;
extern atomic_int exits_stop;

void exits_fail(const char *what) __attribute__((noreturn));

#endif
#endif
