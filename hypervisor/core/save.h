/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save.h - writing and reading the payload of a save record: explicit little-endian fields, never a
 * raw struct. A chip's load runs twice: with check = true it reads and validates everything and
 * changes nothing; with check = false it loads.
 */
#ifndef HVM_SAVE_H
#define HVM_SAVE_H

#include "hvm/hvm_types.h"

struct hvm_save_writer {
	uint8_t *buf;
	size_t used;
	size_t size;
	int error; /* sticky: -HVM_ENOMEM */
};

struct hvm_save_reader {
	const uint8_t *buf;
	size_t used;
	size_t size;
	int error; /* sticky: -HVM_EINVAL on reading past the end */
};

void hvm_save_u8(struct hvm_save_writer *w, uint8_t v);
void hvm_save_u16(struct hvm_save_writer *w, uint16_t v);
void hvm_save_u32(struct hvm_save_writer *w, uint32_t v);
void hvm_save_u64(struct hvm_save_writer *w, uint64_t v);
void hvm_save_bytes(struct hvm_save_writer *w, const void *p, size_t bytes);
uint8_t hvm_load_u8(struct hvm_save_reader *r);
uint16_t hvm_load_u16(struct hvm_save_reader *r);
uint32_t hvm_load_u32(struct hvm_save_reader *r);
uint64_t hvm_load_u64(struct hvm_save_reader *r);
void hvm_load_bytes(struct hvm_save_reader *r, void *p, size_t bytes);

#endif
