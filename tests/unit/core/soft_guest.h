/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soft_guest.h - small guests on the software CPU, through hvm.h alone: RAM, a processor state to
 * start from, and an ioemu of two ports. A guest writes results to port 0xf0 and stops itself with
 * 0xf4.
 */
#ifndef SOFT_GUEST_H
#define SOFT_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "hvm/hvm.h"

#define GUEST_RAM   (16u << 20)
#define GUEST_TRACE 64
#define PORT_RESULT 0xf0
#define PORT_STOP   0xf4

/* Where the helpers put things; guests' code goes to GUEST_CODE. */
#define GUEST_PML4  0x1000u
#define GUEST_GDT   0x6000u
#define GUEST_TSS   0x6800u
#define GUEST_IDT   0x7000u
#define GUEST_CODE  0x10000u
#define GUEST_STACK 0x90000u

/* A piece of guest code: name##_start and name##_end around assembly in @bits bit mode. */
#define GUEST(name, bits, text) \
	extern const uint8_t name##_start[], name##_end[]; \
	__asm__(".pushsection .rodata\n.balign 256\n.globl " #name "_start\n" #name \
		"_start:\n.code" #bits "\n" text "\n.code64\n.globl " #name "_end\n" #name \
		"_end:\n.popsection\n")
/* A label inside it: offset from the start. */
#define GUEST_LABEL(name, label) \
	extern const uint8_t label[]; \
	static inline uint32_t name##_##label(void) \
	{ \
		return GUEST_CODE + (uint32_t)(label - name##_start); \
	}

struct guest {
	struct hvm_domain *d;
	uint8_t *ram;
	uint32_t trace[GUEST_TRACE];
	unsigned int traced;
	uint32_t in_value; /* what port reads get */
	/* Device memory, as the guest sees it: the last access. */
	struct hvm_ioreq mmio[GUEST_TRACE];
	unsigned int mmio_count;
	uint64_t mmio_value;
};

static inline void guest_create_model(struct guest *g, unsigned int vcpus, enum hvm_cpu_model model)
{
	struct hvm_domain_config cfg = {
		.name = "t", .engine = HVM_ENGINE_SOFT, .cpu_model = model, .vcpus = vcpus
	};

	/* The same tests for the translator. */
	if (getenv("HVM_TRANSLATOR"))
		cfg.translator = (uint32_t)atoi(getenv("HVM_TRANSLATOR"));
	memset(g, 0, sizeof(*g));
	g->ram = mmap(NULL, GUEST_RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(g->ram, MAP_FAILED);
	assert_int_equal(hvm_domain_create(&cfg, &g->d), 0);
	assert_int_equal(hvm_domain_map(g->d, 0, GUEST_RAM, HVM_MEM_RAM, g->ram), 0);
}

static inline void guest_create(struct guest *g, unsigned int vcpus)
{
	guest_create_model(g, vcpus, HVM_CPU_V2);
}

static inline void guest_destroy(struct guest *g)
{
	hvm_domain_destroy(g->d);
	munmap(g->ram, GUEST_RAM);
}

static inline void guest_load(struct guest *g, uint32_t gpa, const uint8_t *start,
			      const uint8_t *end)
{
	memcpy(g->ram + gpa, start, (size_t)(end - start));
	hvm_domain_memory_written(g->d, gpa, (uint64_t)(end - start));
}
#define GUEST_LOAD(g, name) guest_load(g, GUEST_CODE, name##_start, name##_end)

static inline void guest_put64(struct guest *g, uint32_t gpa, uint64_t value)
{
	memcpy(g->ram + gpa, &value, sizeof(value));
}

/* One request of a vcpu served. true: the guest stopped itself. */
static inline bool guest_serve(struct guest *g, struct hvm_ioreq *req)
{
	bool stop = false;

	assert_int_equal(req->state, HVM_IOREQ_STATE_READY);
	if (req->type == HVM_IOREQ_MMIO) {
		if (g->mmio_count < GUEST_TRACE)
			g->mmio[g->mmio_count++] = *req;
		req->data = g->mmio_value;
	} else if (!req->is_write) {
		req->data = g->in_value++;
	} else if (req->address == PORT_STOP) {
		stop = true;
	} else if (req->address == PORT_RESULT && g->traced < GUEST_TRACE) {
		g->trace[g->traced++] = (uint32_t)req->data;
	}
	/* A guest that stopped is started afresh: its last request is withdrawn. */
	req->state = stop ? HVM_IOREQ_STATE_FREE : HVM_IOREQ_STATE_DONE;
	return stop;
}

/* Run until the guest stops itself (HVM_EXIT_NONE) or something else than a request comes back. */
static inline enum hvm_exit_reason guest_run(struct guest *g, unsigned int vcpu)
{
	struct hvm_vcpu *v = hvm_domain_vcpu(g->d, vcpu);

	for (;;) {
		struct hvm_exit e = { 0 };

		assert_int_equal(hvm_vcpu_run(v, &e), 0);
		if (e.reason != HVM_EXIT_IOREQ)
			return (enum hvm_exit_reason)e.reason;
		if (guest_serve(g, hvm_vcpu_ioreq(v)))
			return HVM_EXIT_NONE;
	}
}

static inline struct hvm_seg guest_seg(uint16_t sel, uint32_t limit, uint32_t ar)
{
	return (struct hvm_seg){ .sel = sel, .limit = limit, .ar = ar };
}

/* Real mode at GUEST_CODE, all segments 0 but CS. */
static inline void guest_start_real(struct guest *g, unsigned int vcpu)
{
	struct hvm_vcpu *v = hvm_domain_vcpu(g->d, vcpu);
	struct hvm_vcpu_state s;

	assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
	s.seg[HVM_SEG_CS].sel = GUEST_CODE >> 4;
	s.seg[HVM_SEG_CS].base = GUEST_CODE;
	s.rip = 0;
	s.gpr[4] = 0x8000;
	s.activity = HVM_ACTIVITY_RUN;
	assert_int_equal(hvm_vcpu_set_state(v, &s), 0);
}

/* Identity page tables: the first 4 MiB in 4 KiB pages, the rest in 2 MiB pages; all for user too.
 */
static inline void guest_page_tables(struct guest *g)
{
	guest_put64(g, GUEST_PML4, 0x2007);
	guest_put64(g, 0x2000, 0x3007);
	for (unsigned int i = 0; i < 512; i++) {
		guest_put64(g, 0x3000 + i * 8, i < 2 ? 0x4007 + i * 0x1000 : (i << 21) | 0x87);
		guest_put64(g, 0x4000 + i * 8, (i << 12) | 7);
		guest_put64(g, 0x5000 + i * 8, 0x200000 | (i << 12) | 7);
	}
}

static inline void guest_gdt(struct guest *g)
{
	static const uint64_t gdt[] = {
		0,
		0x00af9b000000ffff,
		0x00cf93000000ffff,
		0x00affb000000ffff,
		0x00cff3000000ffff,
		0x0000890000000067 | (uint64_t)GUEST_TSS << 16,
		0,
	};

	for (unsigned int i = 0; i < 7; i++)
		guest_put64(g, GUEST_GDT + i * 8, gdt[i]);
	guest_put64(g, GUEST_TSS + 4, GUEST_STACK - 0x1000); /* RSP0 */
}

/* A 64-bit interrupt gate, callable from CPL 3. */
static inline void guest_gate(struct guest *g, unsigned int vector, uint32_t to)
{
	guest_put64(g, GUEST_IDT + vector * 16,
		    (to & 0xffffu) | 8u << 16 | 0xee00ull << 32 | (uint64_t)(to >> 16) << 48);
	guest_put64(g, GUEST_IDT + vector * 16 + 8, 0);
}

/* 64-bit mode at @rip with the tables above; CPL 0 or 3. */
static inline void guest_start_long(struct guest *g, unsigned int vcpu, uint64_t rip,
				    unsigned int cpl)
{
	struct hvm_vcpu *v = hvm_domain_vcpu(g->d, vcpu);
	uint32_t dpl = cpl << HVM_AR_DPL_SHIFT;
	struct hvm_vcpu_state s;

	assert_int_equal(hvm_vcpu_get_state(v, &s), 0);
	s.cr0 = 0x80050033;
	s.cr3 = GUEST_PML4;
	s.cr4 = 0x6a0;
	s.efer = 0xd01;
	s.rip = rip;
	s.rflags = 2;
	s.gpr[4] = GUEST_STACK - vcpu * 0x4000;
	for (unsigned int i = 0; i < 6; i++)
		s.seg[i] = guest_seg(cpl ? 0x23 : 0x10, 0xffffffff, 0xc093 | dpl);
	s.seg[HVM_SEG_CS] = guest_seg(cpl ? 0x1b : 8, 0xffffffff, 0xa09b | dpl);
	s.seg[HVM_SEG_LDTR] = guest_seg(0, 0, HVM_AR_UNUSABLE);
	s.seg[HVM_SEG_TR] = guest_seg(0x28, 0x67, 0x8b);
	s.seg[HVM_SEG_TR].base = GUEST_TSS;
	s.gdtr = (struct hvm_dtable){ .base = GUEST_GDT, .limit = 55 };
	s.idtr = (struct hvm_dtable){ .base = GUEST_IDT, .limit = 0xfff };
	s.activity = HVM_ACTIVITY_RUN;
	assert_int_equal(hvm_vcpu_set_state(v, &s), 0);
}

static inline void guest_create_long_model(struct guest *g, unsigned int vcpus,
					   enum hvm_cpu_model model)
{
	guest_create_model(g, vcpus, model);
	guest_page_tables(g);
	guest_gdt(g);
}

static inline void guest_create_long(struct guest *g, unsigned int vcpus)
{
	guest_create_long_model(g, vcpus, HVM_CPU_V2);
}

#endif
