/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8042.h - the keyboard controller as the machine and the control socket see it.
 */
#ifndef IOEMU_I8042_H
#define IOEMU_I8042_H

#include "machine.h"

int i8042_create(struct machine *m);
void i8042_destroy(struct machine *m);
void i8042_reset(struct machine *m);
/*
 * i8042_type_keys - press the named keys in order, then release them in reverse. Any thread.
 * 0; -EINVAL an unknown name (@ret_unknown, may be NULL: which); -EBUSY no room for all of it.
 */
int i8042_type_keys(struct i8042 *s, const char *const *names, size_t count,
		    const char **ret_unknown);
/* i8042_mouse_move - relative motion, y up, and the buttons (bit 0 left, 1 right, 2 middle). */
void i8042_mouse_move(struct i8042 *s, int dx, int dy, int dz, unsigned int buttons);

#endif
