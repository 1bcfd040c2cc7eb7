/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.h - the board: buses, guest memory and every device on them.
 *
 * The machine reaches the world through struct machine_ops, so that tests and the fuzzer run it
 * without a core. Locking: each device has its own mutex, taken by the bus around its handlers;
 * none is held while waiting for I/O. Order: pci.lock > device lock > intx_lock > irq lines.
 * Devices never call one another's handlers, so two device locks are never held together.
 */
#ifndef IOEMU_MACHINE_H
#define IOEMU_MACHINE_H

#include "bus/irq.h"
#include "bus/mmio.h"
#include "bus/pci.h"
#include "bus/pio.h"
#include "guest_memory.h"

#include "hvm/hvm.h"

struct disk;
struct uart;
struct i8042;
struct vga;
struct piix3;
struct piix3_ide;
struct piix4_pm;
struct debug_ports;

enum machine_power {
	MACHINE_RESET,
	MACHINE_POWEROFF,
};

struct machine_ops {
	void (*irq_set)(void *opaque, unsigned int gsi, bool level);
	/* As hvm_domain_map(). */
	int (*map)(void *opaque, gpa_t gpa, uint64_t bytes, enum hvm_mem_type type, void *hva);
	void (*memory_written)(void *opaque, gpa_t gpa, uint64_t bytes);
	/* The guest asked: the vcpus stop once the current access is done. Any thread; no wait. */
	void (*power)(void *opaque, enum machine_power what, const char *detail);
	/* The guest printed on COM1. Returns how many bytes fit; never waits. */
	size_t (*console_write)(void *opaque, const uint8_t *buf, size_t bytes);
	/* COM1 can take input again after uart_input() took less than was offered. */
	void (*console_room)(void *opaque);
};

#define MACHINE_DRIVES 4

/* What sits on the IDE bus at channel * 2 + unit. */
struct machine_drive {
	struct disk *disk; /* NULL: no drive, or a CD-ROM drive without a disc */
	bool cdrom;
	bool present;
};

struct machine_config {
	uint64_t memory_bytes;
	struct machine_drive drive[MACHINE_DRIVES];
};

struct machine {
	const struct machine_ops *ops;
	void *opaque;
	struct guest_memory memory;
	struct pio_bus pio;
	struct mmio_bus mmio;
	struct irq_lines irq;
	struct pci_bus pci;
	struct pci_device i440fx;
	struct piix3 *piix3;
	struct piix3_ide *ide;
	struct piix4_pm *pm;
	struct uart *uart;
	struct i8042 *i8042;
	struct vga *vga;
	struct debug_ports *debug;
};

/*
 * machine_create - memory and devices as at power-on. @ops, @opaque and the drives' disks must
 * outlive it. 0 or -errno (-ENOMEM, or what memfd and mmap say).
 */
int machine_create(const struct machine_config *cfg, const struct machine_ops *ops, void *opaque,
		   struct machine **ret);
void machine_destroy(struct machine *m);
/* machine_reset - devices to power-on state. No vcpu runs; waits for disk requests in flight. */
void machine_reset(struct machine *m);
/* machine_ioreq - serve one request of a vcpu: dispatch, fill data, state DONE. */
void machine_ioreq(struct machine *m, struct hvm_ioreq *req);
/* machine_buffered_write - serve one entry of the buffered ring. */
void machine_buffered_write(struct machine *m, const struct hvm_bufioreq *req);

#endif
