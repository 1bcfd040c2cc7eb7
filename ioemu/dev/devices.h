/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * devices.h - how the machine builds, resets and takes apart the devices of dev/.
 * create: 0 or -errno, the device on its buses. reset: to power-on state, no vcpu runs.
 */
#ifndef IOEMU_DEVICES_H
#define IOEMU_DEVICES_H

#include "machine.h"

int i440fx_create(struct machine *m);

int piix3_create(struct machine *m);
void piix3_destroy(struct machine *m);
void piix3_reset(struct machine *m);

int piix3_ide_create(struct machine *m, const struct machine_drive *drives);
void piix3_ide_destroy(struct machine *m);
/* Waits for disk requests in flight. */
void piix3_ide_reset(struct machine *m);

int piix4_pm_create(struct machine *m);
void piix4_pm_destroy(struct machine *m);
void piix4_pm_reset(struct machine *m);
/* piix4_pm_power_button - the front panel's button was pressed and released. Any thread. */
void piix4_pm_power_button(struct machine *m);

int debug_ports_create(struct machine *m);
void debug_ports_destroy(struct machine *m);
void debug_ports_reset(struct machine *m);

#endif
