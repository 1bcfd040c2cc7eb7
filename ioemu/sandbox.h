/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.h - what the process may still do once the machine runs.
 */
#ifndef IOEMU_SANDBOX_H
#define IOEMU_SANDBOX_H

/*
 * sandbox_enter - no new privileges, for every thread. 0, or -1 with errno. Any thread, once.
 */
int sandbox_enter(void);

#endif
