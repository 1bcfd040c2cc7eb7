/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.h - what the process may still do once the machine runs.
 */
#ifndef IOEMU_SANDBOX_H
#define IOEMU_SANDBOX_H

/*
 * sandbox_enter - no new privileges and a system call filter, for every thread that exists and
 * will exist. 0, or -1 with errno. Once, from the main thread.
 */
int sandbox_enter(void);

#endif
