/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uart16550.c - COM1: a 16550A with FIFOs at ports 0x3f8-0x3ff, interrupt 4.
 * Characters take no time on the wire, so the transmitter is empty again at once unless the console
 * behind it is full, and the receive timeout has passed as soon as the wire is quiet.
 * Owns struct uart. Locking: an own mutex. Saved as UART (not yet written).
 * Source: National Semiconductor PC16550D datasheet, 8.0 "Registers".
 */
#include "dev/uart16550.h"

#include <stdlib.h>
#include <string.h>

#define UART_BASE 0x3f8
#define UART_IRQ  4
#define UART_FIFO 16u

#define IER_RDA	 0x01u
#define IER_THRE 0x02u
#define IER_RLS	 0x04u
#define IER_MS	 0x08u

#define IIR_NONE    0x01u
#define IIR_MS	    0x00u
#define IIR_THRE    0x02u
#define IIR_RDA	    0x04u
#define IIR_RLS	    0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFO    0xc0u

#define FCR_ENABLE   0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_CLEAR_TX 0x04u

#define LCR_BREAK 0x40u
#define LCR_DLAB  0x80u

#define MCR_DTR	 0x01u
#define MCR_RTS	 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u

#define LSR_DR	 0x01u
#define LSR_OE	 0x02u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u

#define MSR_DELTA 0x0fu
#define MSR_TERI  0x04u
#define MSR_CTS	  0x10u
#define MSR_DSR	  0x20u
#define MSR_RI	  0x40u
#define MSR_DCD	  0x80u

struct uart {
	struct machine *m;
	pthread_mutex_t lock;
	uint8_t ier, fcr, lcr, mcr, msr, scr;
	uint16_t divisor;
	uint8_t rx[UART_FIFO];
	unsigned int rx_head, rx_count;
	bool overrun;
	bool thre_pending; /* THRE interrupt, until IIR read or THR written */
	bool timeout;	   /* data waits below the trigger level and the wire is quiet */
	bool starved;	   /* the console offered more than fitted */
	bool tx_held;	   /* the console is full; tx_byte waits in the shift register */
	uint8_t tx_byte;
};

static unsigned int uart_rx_capacity(const struct uart *u)
{
	return u->fcr & FCR_ENABLE ? UART_FIFO : 1;
}

static unsigned int uart_rx_trigger(const struct uart *u)
{
	static const uint8_t level[4] = { 1, 4, 8, 14 };

	return u->fcr & FCR_ENABLE ? level[u->fcr >> 6] : 1;
}

/* The pending interrupt of highest priority, as IIR shows it. */
static uint8_t uart_iir(const struct uart *u)
{
	if (u->ier & IER_RLS && u->overrun)
		return IIR_RLS;
	if (u->ier & IER_RDA && u->rx_count >= uart_rx_trigger(u))
		return IIR_RDA;
	if (u->ier & IER_RDA && u->timeout && u->rx_count)
		return IIR_TIMEOUT;
	if (u->ier & IER_THRE && u->thre_pending)
		return IIR_THRE;
	if (u->ier & IER_MS && u->msr & MSR_DELTA)
		return IIR_MS;
	return IIR_NONE;
}

/* OUT2 gates the interrupt on a PC; in loopback it is disconnected from the bus. */
static void uart_update_irq(struct uart *u)
{
	bool level = uart_iir(u) != IIR_NONE && u->mcr & MCR_OUT2 && !(u->mcr & MCR_LOOP);

	irq_line_set(&u->m->irq, UART_IRQ, IRQ_SOURCE_DEVICE, level);
}

static void uart_rx_push(struct uart *u, uint8_t byte)
{
	unsigned int capacity = uart_rx_capacity(u);

	if (u->rx_count >= capacity) {
		u->overrun = true;
		/* Without a FIFO the new character replaces the one in RBR. */
		if (capacity == 1)
			u->rx[u->rx_head] = byte;
		return;
	}
	u->rx[(u->rx_head + u->rx_count) % UART_FIFO] = byte;
	u->rx_count++;
	u->timeout = u->fcr & FCR_ENABLE;
}

static uint8_t uart_rx_pop(struct uart *u)
{
	uint8_t byte = u->rx[u->rx_head];

	if (!u->rx_count)
		return 0;
	u->rx_head = (u->rx_head + 1) % UART_FIFO;
	u->rx_count--;
	if (u->starved && u->rx_count == 0) {
		u->starved = false;
		u->m->ops->console_room(u->m->opaque);
	}
	return byte;
}

static void uart_rx_clear(struct uart *u)
{
	u->rx_head = 0;
	u->rx_count = 0;
	u->timeout = false;
	if (u->starved) {
		u->starved = false;
		u->m->ops->console_room(u->m->opaque);
	}
}

/* Modem inputs: a null-modem cable to a terminal that is always ready; looped back in loopback. */
static void uart_update_msr(struct uart *u)
{
	uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD;
	uint8_t changed;

	if (u->mcr & MCR_LOOP) {
		lines = 0;
		lines |= u->mcr & MCR_RTS ? MSR_CTS : 0;
		lines |= u->mcr & MCR_DTR ? MSR_DSR : 0;
		lines |= u->mcr & MCR_OUT1 ? MSR_RI : 0;
		lines |= u->mcr & MCR_OUT2 ? MSR_DCD : 0;
	}
	changed = (u->msr ^ lines) & 0xf0;
	/* The ring indicator counts only on its trailing edge. */
	if (lines & MSR_RI)
		changed &= (uint8_t)~MSR_RI;
	u->msr = (uint8_t)(lines | (u->msr & MSR_DELTA) | changed >> 4);
}

static void uart_transmit(struct uart *u, uint8_t byte)
{
	u->thre_pending = false;
	if (u->mcr & MCR_LOOP) {
		uart_rx_push(u, byte);
		u->thre_pending = true;
		return;
	}
	if (u->tx_held)
		return; /* written while THRE was clear: lost, as on the real one */
	if (u->m->ops->console_write(u->m->opaque, &byte, 1)) {
		u->thre_pending = true;
		return;
	}
	u->tx_held = true;
	u->tx_byte = byte;
}

static uint8_t uart_read_rbr(struct uart *u)
{
	return u->lcr & LCR_DLAB ? (uint8_t)u->divisor : uart_rx_pop(u);
}

static uint8_t uart_read_ier(struct uart *u)
{
	return u->lcr & LCR_DLAB ? (uint8_t)(u->divisor >> 8) : u->ier;
}

static uint8_t uart_read_iir(struct uart *u)
{
	uint8_t iir = uart_iir(u);

	if (iir == IIR_THRE)
		u->thre_pending = false;
	return iir | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t uart_read_lcr(struct uart *u)
{
	return u->lcr;
}

static uint8_t uart_read_mcr(struct uart *u)
{
	return u->mcr;
}

static uint8_t uart_read_lsr(struct uart *u)
{
	uint8_t lsr = u->tx_held ? 0 : LSR_THRE | LSR_TEMT;

	lsr |= u->rx_count ? LSR_DR : 0;
	lsr |= u->overrun ? LSR_OE : 0;
	u->overrun = false;
	return lsr;
}

static uint8_t uart_read_msr(struct uart *u)
{
	uint8_t msr = u->msr;

	u->msr &= (uint8_t)~MSR_DELTA;
	return msr;
}

static uint8_t uart_read_scr(struct uart *u)
{
	return u->scr;
}

static void uart_write_thr(struct uart *u, uint8_t value)
{
	if (u->lcr & LCR_DLAB)
		u->divisor = (uint16_t)((u->divisor & 0xff00) | value);
	else
		uart_transmit(u, value);
}

static void uart_write_ier(struct uart *u, uint8_t value)
{
	if (u->lcr & LCR_DLAB) {
		u->divisor = (uint16_t)((u->divisor & 0xff) | value << 8);
		return;
	}
	/* Enabling THRE while the transmitter is empty asks for the interrupt at once. */
	if (value & IER_THRE && !(u->ier & IER_THRE) && !u->tx_held)
		u->thre_pending = true;
	u->ier = value & 0x0f;
}

static void uart_write_fcr(struct uart *u, uint8_t value)
{
	/* Switching the FIFOs on or off empties them. */
	if ((value ^ u->fcr) & FCR_ENABLE)
		value |= FCR_CLEAR_RX | FCR_CLEAR_TX;
	u->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
	if (value & FCR_CLEAR_RX)
		uart_rx_clear(u);
}

static void uart_write_lcr(struct uart *u, uint8_t value)
{
	u->lcr = value;
}

static void uart_write_mcr(struct uart *u, uint8_t value)
{
	bool was_loop = u->mcr & MCR_LOOP;

	u->mcr = value & 0x1f;
	uart_update_msr(u);
	/* Input was turned away while in loopback. */
	if (was_loop && !(u->mcr & MCR_LOOP) && u->starved) {
		u->starved = false;
		u->m->ops->console_room(u->m->opaque);
	}
}

static void uart_write_ignored(struct uart *u, uint8_t value)
{
	(void)u;
	(void)value;
}

static void uart_write_scr(struct uart *u, uint8_t value)
{
	u->scr = value;
}

static const struct {
	const char *name;
	uint8_t (*read)(struct uart *u);
	void (*write)(struct uart *u, uint8_t value);
} uart_register[8] = {
	{ "RBR/THR/DLL", uart_read_rbr, uart_write_thr },
	{ "IER/DLM", uart_read_ier, uart_write_ier },
	{ "IIR/FCR", uart_read_iir, uart_write_fcr },
	{ "LCR", uart_read_lcr, uart_write_lcr },
	{ "MCR", uart_read_mcr, uart_write_mcr },
	{ "LSR", uart_read_lsr, uart_write_ignored },
	{ "MSR", uart_read_msr, uart_write_ignored },
	{ "SCR", uart_read_scr, uart_write_scr },
};

static uint64_t uart_port_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct uart *u = opaque;
	uint8_t value = uart_register[offset].read(u);

	(void)bytes;
	uart_update_irq(u);
	return value;
}

static void uart_port_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct uart *u = opaque;

	(void)bytes;
	uart_register[offset].write(u, (uint8_t)value);
	uart_update_irq(u);
}

static const struct io_ops uart_ops = {
	.name = "uart",
	.max_bytes = 1,
	.read = uart_port_read,
	.write = uart_port_write,
};

size_t uart_input(struct uart *u, const uint8_t *buf, size_t bytes)
{
	size_t taken = 0;

	pthread_mutex_lock(&u->lock);
	if (!(u->mcr & MCR_LOOP))
		while (taken < bytes && u->rx_count < uart_rx_capacity(u))
			uart_rx_push(u, buf[taken++]);
	u->starved = taken < bytes;
	uart_update_irq(u);
	pthread_mutex_unlock(&u->lock);
	return taken;
}

void uart_output_room(struct uart *u)
{
	pthread_mutex_lock(&u->lock);
	if (u->tx_held && u->m->ops->console_write(u->m->opaque, &u->tx_byte, 1)) {
		u->tx_held = false;
		u->thre_pending = true;
		uart_update_irq(u);
	}
	pthread_mutex_unlock(&u->lock);
}

static void uart_power_on(struct uart *u)
{
	u->ier = u->fcr = u->lcr = u->scr = 0;
	u->mcr = 0;
	u->msr = MSR_CTS | MSR_DSR | MSR_DCD;
	u->divisor = 1;
	u->overrun = u->tx_held = false;
	u->thre_pending = true;
	uart_rx_clear(u);
}

void uart_reset(struct machine *m)
{
	pthread_mutex_lock(&m->uart->lock);
	uart_power_on(m->uart);
	uart_update_irq(m->uart);
	pthread_mutex_unlock(&m->uart->lock);
}

int uart_create(struct machine *m)
{
	struct uart *u = calloc(1, sizeof(*u));
	struct io_range range = {
		.base = UART_BASE,
		.length = 8,
		.ops = &uart_ops,
		.opaque = u,
	};

	if (!u)
		return -HVM_ENOMEM;
	u->m = m;
	m->uart = u;
	pthread_mutex_init(&u->lock, NULL);
	range.lock = &u->lock;
	uart_power_on(u);
	return pio_claim(&m->pio, &range);
}

void uart_destroy(struct machine *m)
{
	if (!m->uart)
		return;
	pthread_mutex_destroy(&m->uart->lock);
	free(m->uart);
	m->uart = NULL;
}
