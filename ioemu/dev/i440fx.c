/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i440fx.c - host bridge 00:00.0. Owns its configuration registers only: the PAM registers are
 * stored, and shadow RAM stays RAM whatever they say, since the builder put the BIOS copies there.
 * Locking: pci->lock. Saved with PCI configuration space.
 * Source: Intel 82441FX PCI and Memory Controller (PMC) datasheet, 3.2 "PCI Configuration
 * Registers".
 */
#include "dev/devices.h"

/* clang-format off */
static const struct pci_config_reg i440fx_regs[] = {
	/* offset bytes reset  writable */
	{ 0x50, 2, 0x0000, 0xffff },	 /* PMCCFG */
	{ 0x52, 1, 0x00, 0x00 },	 /* DETURBO */
	{ 0x53, 1, 0x80, 0xff },	 /* DBC */
	{ 0x54, 1, 0x00, 0xff },	 /* AXC */
	{ 0x55, 2, 0x0000, 0xffff },	 /* DRT */
	{ 0x57, 1, 0x01, 0xff },	 /* DRAMC */
	{ 0x58, 1, 0x10, 0xff },	 /* DRAMT */
	{ 0x59, 1, 0x00, 0x33 },	 /* PAM0: 0xf0000 */
	{ 0x5a, 4, 0x00000000, 0x33333333 }, /* PAM1-4 */
	{ 0x5e, 2, 0x0000, 0x3333 },	 /* PAM5-6 */
	{ 0x60, 4, 0x01010101, 0xffffffff }, /* DRB0-3 */
	{ 0x64, 4, 0x01010101, 0xffffffff }, /* DRB4-7 */
	{ 0x68, 1, 0x00, 0xff },	 /* FDHC */
	{ 0x72, 1, 0x02, 0x78 },	 /* SMRAM: no SMM here, the lock bit is never set */
	{ 0x90, 1, 0x00, 0xff },	 /* ERRCMD */
	{ 0x93, 1, 0x00, 0x3e },	 /* TRC; resets go through port 0xcf9 */
};
/* clang-format on */

static const struct pci_device_desc i440fx_desc = {
	.name = "i440fx",
	.devfn = PCI_DEVFN(0, 0),
	.vendor = 0x8086,
	.device = 0x1237,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_revision = 0x06000002,
	.status = 0x0280,
	.command_reset = PCI_COMMAND_MEM | PCI_COMMAND_MASTER,
	.command_mask = 0x0140,
	.regs = i440fx_regs,
	.reg_count = HVM_ARRAY_SIZE(i440fx_regs),
};

int i440fx_create(struct machine *m)
{
	return pci_attach(&m->pci, &m->i440fx, &i440fx_desc, m, NULL);
}
