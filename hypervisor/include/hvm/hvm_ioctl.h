/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm_ioctl.h - the calls of /dev/hvm. Three kinds of file: the device, a domain, a vcpu; each call
 * belongs to one kind and takes one structure, whose size is part of its number. Structures have
 * fixed widths and no gaps; fields called pad, and flags that are not named here, must be zero.
 *
 * A domain's file is mapped (one page, shared) for its buffered ring, a vcpu's for its ioreq page:
 * hvm_abi.h. Every call returns 0 or more, or fails with an errno value; a call that fails has
 * changed nothing, but where its line says so. Files may be closed at any moment and in any order;
 * the domain goes with the last of them.
 */
#ifndef HVM_IOCTL_H
#define HVM_IOCTL_H

#include "hvm/hvm_abi.h"
#include "hvm/hvm_exit.h"
#include "hvm/hvm_state.h"

/* 2: struct hvm_vcpu_state holds AVX state, HVM_CPU_V3 is a model, HVM_IOCTL_IO_AVX. */
#define HVM_IOCTL_VERSION 2u
#define HVM_IOCTL_MAGIC	  0xbcu

/* Linux's encoding: direction, size, magic, number. */
#define HVM_IOCTL_NONE(nr)	 (HVM_IOCTL_MAGIC << 8 | (nr))
#define HVM_IOCTL_W(nr, type)	 (1u << 30 | (uint32_t)sizeof(type) << 16 | HVM_IOCTL_NONE(nr))
#define HVM_IOCTL_R(nr, type)	 (2u << 30 | (uint32_t)sizeof(type) << 16 | HVM_IOCTL_NONE(nr))
#define HVM_IOCTL_WR(nr, type)	 (3u << 30 | (uint32_t)sizeof(type) << 16 | HVM_IOCTL_NONE(nr))
#define HVM_IOCTL_NR(call)	 ((call)&0xffu)
#define HVM_IOCTL_BYTES(call)	 ((call) >> 16 & 0x3fffu)
#define HVM_IOCTL_IS_WRITE(call) ((call) >> 30 & 1u) /* the kernel reads the structure */
#define HVM_IOCTL_IS_READ(call)	 ((call) >> 31)	     /* the kernel fills it */

/* -- the device -------------------------------------------------------------------------------- */

/* One vendor on this host: error 0 when it serves, else a negative errno and why. */
struct hvm_ioctl_vendor {
	int32_t error;
	uint32_t engine; /* enum hvm_engine */
	char reason[120];
};

struct hvm_ioctl_info {
	uint32_t version; /* HVM_IOCTL_VERSION of the module */
	uint32_t max_vcpus;
	uint32_t stats; /* counters of a vcpu */
	uint32_t pad;
	struct hvm_ioctl_vendor vendor[2];
};
#define HVM_IOCTL_INFO HVM_IOCTL_R(0x00, struct hvm_ioctl_info)

/*
 * Returns the domain's file. -ENODEV, -EPERM, -EBUSY ...: as the vendor's error; -ENODEV of a
 * vendor without one: the processor lacks a part of the CPU model, the kernel's log says which.
 */
struct hvm_ioctl_create {
	uint32_t version; /* HVM_IOCTL_VERSION of the caller */
	uint32_t engine;  /* enum hvm_engine, not soft */
	uint32_t cpu_model;
	uint32_t vcpus;
	uint64_t rtc_base_s;
	char name[64];
};
#define HVM_IOCTL_CREATE HVM_IOCTL_W(0x01, struct hvm_ioctl_create)

/* -- a domain ---------------------------------------------------------------------------------- */

/* hvm_domain_map(): the caller's memory at @hva is pinned and counts towards RLIMIT_MEMLOCK. */
struct hvm_ioctl_memory {
	uint64_t gpa;
	uint64_t bytes;
	uint64_t hva;  /* MMIO: 0 */
	uint32_t type; /* enum hvm_mem_type */
	uint32_t pad;
};
#define HVM_IOCTL_MEMORY HVM_IOCTL_W(0x10, struct hvm_ioctl_memory)

struct hvm_ioctl_range {
	uint64_t gpa;
	uint64_t bytes;
};
#define HVM_IOCTL_MEMORY_WRITTEN HVM_IOCTL_W(0x11, struct hvm_ioctl_range)

enum hvm_ioctl_dirty_op {
	HVM_IOCTL_DIRTY_START,
	HVM_IOCTL_DIRTY_SYNC,
	HVM_IOCTL_DIRTY_STOP,
};
#define HVM_IOCTL_DIRTY_PAGES (1u << 18) /* at most so many in one sync */
/* Sync replaces pages / 8 bytes, rounded up to 8, at bitmap. */
struct hvm_ioctl_dirty {
	uint32_t op; /* enum hvm_ioctl_dirty_op */
	uint32_t pad;
	uint64_t gpa;
	uint64_t pages;
	uint64_t bitmap; /* address in the caller */
};
#define HVM_IOCTL_DIRTY HVM_IOCTL_W(0x12, struct hvm_ioctl_dirty)

struct hvm_ioctl_irq {
	uint32_t gsi;
	uint32_t level; /* 0 or 1 */
};
#define HVM_IOCTL_IRQ HVM_IOCTL_W(0x13, struct hvm_ioctl_irq)

struct hvm_ioctl_msi {
	uint64_t address;
	uint32_t data;
	uint32_t pad;
};
#define HVM_IOCTL_MSI HVM_IOCTL_W(0x14, struct hvm_ioctl_msi)

#define HVM_IOCTL_NMI HVM_IOCTL_NONE(0x15)

struct hvm_ioctl_cmos {
	uint32_t index;
	uint32_t value; /* 0 to 255 */
};
#define HVM_IOCTL_CMOS HVM_IOCTL_W(0x16, struct hvm_ioctl_cmos)

struct hvm_ioctl_bufioreq {
	uint64_t address;
	uint64_t bytes;
	uint32_t type; /* enum hvm_ioreq_type */
	uint32_t pad;
};
#define HVM_IOCTL_BUFIOREQ HVM_IOCTL_W(0x17, struct hvm_ioctl_bufioreq)

struct hvm_ioctl_doorbell {
	uint64_t address;
	uint64_t match;
	int32_t eventfd;
	uint8_t type; /* enum hvm_ioreq_type */
	uint8_t size; /* 0: any */
	uint8_t has_match;
	uint8_t remove; /* 1: take it away again; match is not looked at */
};
#define HVM_IOCTL_DOORBELL HVM_IOCTL_W(0x18, struct hvm_ioctl_doorbell)

/* -EBUSY: a vcpu runs. */
#define HVM_IOCTL_RESET HVM_IOCTL_NONE(0x19)

struct hvm_ioctl_time {
	uint32_t paused; /* 0 or 1 */
	uint32_t pad;
};
#define HVM_IOCTL_TIME HVM_IOCTL_W(0x1a, struct hvm_ioctl_time)

/* Save: bytes says how much room there is, and how much was needed. -ENOSPC: too little. */
struct hvm_ioctl_stream {
	uint64_t buf;
	uint64_t bytes;
};
#define HVM_IOCTL_SAVE	     HVM_IOCTL_WR(0x1b, struct hvm_ioctl_stream)
#define HVM_IOCTL_LOAD	     HVM_IOCTL_W(0x1c, struct hvm_ioctl_stream)
#define HVM_IOCTL_LOAD_BYTES (1u << 20) /* no stream is longer */

struct hvm_ioctl_crash {
	char reason[256]; /* ends with a zero; "": it has not crashed */
};
#define HVM_IOCTL_CRASH_REASON HVM_IOCTL_R(0x1d, struct hvm_ioctl_crash)
/* End the domain: user space could not emulate an instruction of it. */
#define HVM_IOCTL_CRASH	       HVM_IOCTL_W(0x1e, struct hvm_ioctl_crash)

/* Returns the vcpu's file. */
struct hvm_ioctl_vcpu {
	uint32_t index;
	uint32_t pad;
};
#define HVM_IOCTL_VCPU HVM_IOCTL_W(0x1f, struct hvm_ioctl_vcpu)

/* -- a vcpu. -EBUSY: another thread runs it, or makes one of these calls; but for KICK and STATS --
 */

/* Reason HVM_EXIT_EMULATE is for libhvm: it runs the instruction at rip. */
#define HVM_IOCTL_RUN  HVM_IOCTL_R(0x20, struct hvm_exit)
#define HVM_IOCTL_KICK HVM_IOCTL_NONE(0x21)

struct hvm_ioctl_state {
	uint64_t state; /* address of a struct hvm_vcpu_state in the caller */
	uint32_t bytes; /* of it */
	uint32_t flags; /* set: HVM_IOCTL_STATE_EMULATED */
};
/*
 * The state is the same vcpu's, one instruction later: what the core keeps (the task priority, the
 * accesses that were served) stays as it is.
 */
#define HVM_IOCTL_STATE_EMULATED 1u
#define HVM_IOCTL_GET_STATE	 HVM_IOCTL_W(0x22, struct hvm_ioctl_state)
#define HVM_IOCTL_SET_STATE	 HVM_IOCTL_W(0x23, struct hvm_ioctl_state)

/* -EFAULT: not mapped. */
struct hvm_ioctl_translate {
	uint64_t gva;
	uint64_t gpa; /* out */
};
#define HVM_IOCTL_TRANSLATE HVM_IOCTL_WR(0x24, struct hvm_ioctl_translate)

/* count: how many fit at values; then how many there are. */
struct hvm_ioctl_stats {
	uint64_t values; /* address of uint64_t[count] in the caller */
	uint32_t count;
	uint32_t pad;
};
#define HVM_IOCTL_STATS HVM_IOCTL_WR(0x25, struct hvm_ioctl_stats)

/*
 * What an instruction that user space emulates asks of the core. -EOPNOTSUPP: the core has nothing
 * there, it is ioemu's; -EINVAL from an MSR: #GP.
 */
enum hvm_ioctl_io_type {
	HVM_IOCTL_IO_PIO = HVM_IOREQ_PIO,
	HVM_IOCTL_IO_MMIO = HVM_IOREQ_MMIO,
	HVM_IOCTL_IO_MSR,
	HVM_IOCTL_IO_CR8,
	HVM_IOCTL_IO_CPUID, /* address: leaf; data: subleaf; reply in out[] */
	HVM_IOCTL_IO_FERR,  /* an x87 exception, reported the old way */
};
/* Device accesses after this one were served before: it is not posted a second time. */
#define HVM_IOCTL_IO_AGAIN   1u
#define HVM_IOCTL_IO_PAGING  2u /* for CPUID: CR0.PG is set */
#define HVM_IOCTL_IO_OSXSAVE 4u /* for CPUID: CR4.OSXSAVE is set */
#define HVM_IOCTL_IO_AVX     8u /* for CPUID: XCR0.AVX is set */
struct hvm_ioctl_io {
	uint64_t address;
	uint64_t data; /* in for a write, out for a read */
	uint8_t type;  /* enum hvm_ioctl_io_type */
	uint8_t is_write;
	uint8_t size;
	uint8_t flags;
	uint32_t out[4];
	uint32_t pad;
};
#define HVM_IOCTL_IO HVM_IOCTL_WR(0x26, struct hvm_ioctl_io)

/* -- no gaps, and the same in every build ------------------------------------------------------ */

_Static_assert(sizeof(struct hvm_ioctl_vendor) == 128, "vendor");
_Static_assert(sizeof(struct hvm_ioctl_info) == 272, "info");
_Static_assert(sizeof(struct hvm_ioctl_create) == 88, "create");
_Static_assert(sizeof(struct hvm_ioctl_memory) == 32, "memory");
_Static_assert(sizeof(struct hvm_ioctl_range) == 16, "range");
_Static_assert(sizeof(struct hvm_ioctl_dirty) == 32, "dirty");
_Static_assert(sizeof(struct hvm_ioctl_irq) == 8, "irq");
_Static_assert(sizeof(struct hvm_ioctl_msi) == 16, "msi");
_Static_assert(sizeof(struct hvm_ioctl_cmos) == 8, "cmos");
_Static_assert(sizeof(struct hvm_ioctl_bufioreq) == 24, "bufioreq");
_Static_assert(sizeof(struct hvm_ioctl_doorbell) == 24, "doorbell");
_Static_assert(sizeof(struct hvm_ioctl_time) == 8, "time");
_Static_assert(sizeof(struct hvm_ioctl_stream) == 16, "stream");
_Static_assert(sizeof(struct hvm_ioctl_crash) == 256, "crash");
_Static_assert(sizeof(struct hvm_ioctl_vcpu) == 8, "vcpu");
_Static_assert(sizeof(struct hvm_exit) == 16, "exit");
_Static_assert(sizeof(struct hvm_ioctl_state) == 16, "state");
_Static_assert(sizeof(struct hvm_ioctl_translate) == 16, "translate");
_Static_assert(sizeof(struct hvm_ioctl_stats) == 16, "stats");
_Static_assert(sizeof(struct hvm_ioctl_io) == 40, "io");
_Static_assert(sizeof(struct hvm_vcpu_state) == 1472, "vcpu state");

#endif
