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
	int error;	  /* sticky: -HVM_EINVAL on reading past the end */
	uint16_t version; /* of the payload, where a type's older ones can be read too */
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
/* On an error *p is zeroed. */
void hvm_load_bytes(struct hvm_save_reader *r, void *p, size_t bytes);

/* Magic and version at the start of a stream; the types of records. docs/save-format.md. */
#define HVM_SAVE_MAGIC	      "HVMSAVE"
#define HVM_SAVE_VERSION      1u
#define HVM_SAVE_HEADER_BYTES 16u
#define HVM_SAVE_RECORD_BYTES 16u

enum hvm_save_type {
#define HVM_SAVE_TYPE(number, name, version, scope, text) HVM_SAVE_##name = (number),
#include "hvm/save_types.def"
#undef HVM_SAVE_TYPE
};

struct domain;

/*
 * hvm_core_save - append all records of @d to @w. Guest time is paused and no vcpu runs.
 * 0; -HVM_EBUSY: an I/O request is still under way; -HVM_ENOMEM. w->buf is from hvm_os_alloc() and
 * the caller's to free, also after an error.
 */
int hvm_core_save(struct domain *d, struct hvm_save_writer *w);
/*
 * hvm_core_load - check every record of @buf, then load them. Guest time is paused and no vcpu
 * runs. -HVM_EINVAL: the stream is not one of hvm_core_save()'s for a domain like this one; nothing
 * was changed.
 */
int hvm_core_load(struct domain *d, const uint8_t *buf, size_t bytes);

#endif
