/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.c - the board: builds every device, resets them, hands requests to the buses.
 * Owns struct machine. Locking: machine.h.
 */
#include "machine.h"
#include "dev/devices.h"
#include "dev/i8042.h"
#include "dev/uart16550.h"
#include "dev/vga.h"

#include <stdlib.h>
#include <string.h>

static void machine_memory_written(void *opaque, gpa_t gpa, uint64_t bytes)
{
	struct machine *m = opaque;

	m->ops->memory_written(m->opaque, gpa, bytes);
}

static void machine_irq_set(void *opaque, unsigned int gsi, bool level)
{
	struct machine *m = opaque;

	m->ops->irq_set(m->opaque, gsi, level);
}

static int machine_build_devices(struct machine *m, const struct machine_config *cfg)
{
	int (*const create[])(struct machine *) = {
		i440fx_create, piix3_create, piix4_pm_create,	 vga_create,
		uart_create,   i8042_create, debug_ports_create,
	};
	unsigned int i;
	int err;

	for (i = 0; i < HVM_ARRAY_SIZE(create); i++) {
		err = create[i](m);
		if (err)
			return err;
	}
	return piix3_ide_create(m, cfg->drive);
}

int machine_create(const struct machine_config *cfg, const struct machine_ops *ops, void *opaque,
		   struct machine **ret)
{
	struct machine *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -HVM_ENOMEM;
	m->ops = ops;
	m->opaque = opaque;
	irq_lines_init(&m->irq, machine_irq_set, m);
	pio_init(&m->pio);
	mmio_init(&m->mmio);
	err = pci_init(&m->pci, &m->pio, &m->mmio, &m->irq);
	if (err)
		goto err_destroy;
	err = guest_memory_init(&m->memory, cfg->memory_bytes);
	if (err)
		goto err_destroy;
	m->memory.written = machine_memory_written;
	m->memory.opaque = m;
	err = machine_build_devices(m, cfg);
	if (err)
		goto err_destroy;
	*ret = m;
	return 0;
err_destroy:
	machine_destroy(m);
	return err;
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	piix3_ide_destroy(m);
	debug_ports_destroy(m);
	i8042_destroy(m);
	uart_destroy(m);
	vga_destroy(m);
	piix4_pm_destroy(m);
	piix3_destroy(m);
	guest_memory_fini(&m->memory);
	pci_fini(&m->pci);
	mmio_fini(&m->mmio);
	pio_fini(&m->pio);
	irq_lines_fini(&m->irq);
	free(m);
}

void machine_reset(struct machine *m)
{
	piix3_ide_reset(m); /* first: nothing may write guest memory any more */
	pci_reset(&m->pci);
	piix3_reset(m);
	piix4_pm_reset(m);
	vga_reset(m);
	uart_reset(m);
	i8042_reset(m);
	debug_ports_reset(m);
	irq_lines_reset(&m->irq);
}

static void machine_pio(struct machine *m, struct hvm_ioreq *req)
{
	uint16_t port = (uint16_t)req->address;
	unsigned int bytes = req->size;
	uint32_t count = req->count;

	if (bytes != 1 && bytes != 2 && bytes != 4)
		return;
	if (count > 1) {
		if (count > HVM_IOREQ_DATA_BYTES / bytes)
			return;
		if (req->is_write)
			pio_write_string(&m->pio, port, bytes, req->bulk, count);
		else
			pio_read_string(&m->pio, port, bytes, req->bulk, count);
		return;
	}
	if (req->is_write)
		pio_write(&m->pio, port, bytes, (uint32_t)req->data);
	else
		req->data = pio_read(&m->pio, port, bytes);
}

static void machine_mmio(struct machine *m, struct hvm_ioreq *req)
{
	unsigned int bytes = req->size;

	if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
		return;
	if (req->is_write)
		mmio_write(&m->mmio, req->address, bytes, req->data);
	else
		req->data = mmio_read(&m->mmio, req->address, bytes);
}

void machine_ioreq(struct machine *m, struct hvm_ioreq *req)
{
	if (req->type == HVM_IOREQ_PIO)
		machine_pio(m, req);
	else if (req->type == HVM_IOREQ_MMIO)
		machine_mmio(m, req);
	__atomic_store_n(&req->state, HVM_IOREQ_STATE_DONE, __ATOMIC_RELEASE);
}

void machine_buffered_write(struct machine *m, const struct hvm_bufioreq *req)
{
	struct hvm_ioreq one = {
		.type = req->type,
		.is_write = 1,
		.size = req->size,
		.address = req->address,
		.data = req->data,
		.count = 1,
	};

	machine_ioreq(m, &one);
}
