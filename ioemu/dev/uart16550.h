/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uart16550.h - COM1 as the machine and the console see it.
 */
#ifndef IOEMU_UART16550_H
#define IOEMU_UART16550_H

#include "machine.h"

int uart_create(struct machine *m);
void uart_destroy(struct machine *m);
void uart_reset(struct machine *m);
/*
 * uart_input - bytes from outside. Returns how many were taken: as many as the receive FIFO has
 * room for. ops->console_room() follows once there is room again. Any thread.
 */
size_t uart_input(struct uart *u, const uint8_t *buf, size_t bytes);
/* uart_output_room - the console can take output again after console_write() took none. */
void uart_output_room(struct uart *u);

#endif
