/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_exec.c - libFuzzer target: a small guest on the software CPU, through hvm.h alone. The input
 * is the mode to start in, registers, code, pieces of memory (page tables, descriptors, whatever
 * the code uses), and then the answers to whatever ioemu is asked, with interrupts, DMA, resets and
 * save and load between them. Nothing a guest does may harm the host; requests must be well formed.
 *
 * A guest that runs away is kicked by a thread once a millisecond and given up at the second kick.
 * Nothing is saved.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hvm/hvm.h"
#include "kicker.h"

#define RAM_BYTES  (1u << 20)
#define ROM_GPA	   0xfff0000u
#define ROM_BYTES  0x10000u
#define KICKS_MAX  2
#define REQS_MAX   64
#define PATCHES	   8
#define PORT_STOP  0xf4
#define STOP_BYTES "\xe6\xf4" /* out %al, $0xf4 */

/* Where things are in RAM; the rest is code that stops the guest. */
#define AT_PML4	 0x1000u
#define AT_PAE	 0x5000u
#define AT_GDT	 0x6000u
#define AT_TSS	 0x6800u
#define AT_IDT	 0x7000u
#define AT_IVT	 0x0000u
#define AT_CODE	 0x10000u
#define AT_STOP	 0x20000u
#define AT_STACK 0x40000u

#define CR4_OSXSAVE 0x40000u

enum fuzz_mode {
	MODE_REAL,
	MODE_PROT,
	MODE_PROT_PAGED,
	MODE_PAE,
	MODE_VM86,
	MODE_LONG,
	MODE_LONG_USER,
	MODE_COMPAT,
	MODES
};

struct input {
	const uint8_t *data;
	size_t left;
};

static struct {
	struct hvm_domain *d;
	struct hvm_vcpu *v;
	uint8_t *ram, *rom;
	uint8_t image[2][RAM_BYTES]; /* for legacy modes, for long mode */
	struct hvm_vcpu_state reset; /* as after power-on */
	bool v3;		     /* what the host can do */
} fuzz;

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint64_t)*in->data++ << (8 * i);
	return value;
}

/* -- the machine -------------------------------------------------------------------------- */

static void fuzz_domain_create(enum hvm_translator translator)
{
	struct hvm_domain_config cfg = {
		.name = "fuzz",
		.engine = HVM_ENGINE_SOFT,
		.cpu_model = fuzz.v3 ? HVM_CPU_V3 : HVM_CPU_V2,
		.vcpus = 2,
		.translator = translator,
	};

	CHECK(hvm_domain_create(&cfg, &fuzz.d) == 0);
	CHECK(hvm_domain_map(fuzz.d, 0, RAM_BYTES, HVM_MEM_RAM, fuzz.ram) == 0);
	CHECK(hvm_domain_map(fuzz.d, ROM_GPA, ROM_BYTES, HVM_MEM_ROM, fuzz.rom) == 0);
	CHECK(hvm_bufioreq_add(fuzz.d, HVM_IOREQ_PIO, 0xe9, 1) == 0);
	fuzz.v = hvm_domain_vcpu(fuzz.d, 0);
	kicker_watch(fuzz.v);
	CHECK(hvm_vcpu_get_state(fuzz.v, &fuzz.reset) == 0);
}

static void fuzz_domain_destroy(void)
{
	kicker_watch(NULL);
	hvm_domain_destroy(fuzz.d);
	fuzz.d = NULL;
}

static void fuzz_kick(void *vcpu)
{
	hvm_vcpu_kick(vcpu);
}

static void fuzz_start(void)
{
	fuzz.v3 = !hvm_cpu_model_lacks(HVM_CPU_V3);
	fuzz.ram = mmap(NULL, RAM_BYTES + ROM_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(fuzz.ram != MAP_FAILED);
	fuzz.rom = fuzz.ram + RAM_BYTES;
	memset(fuzz.rom, 0xf4, ROM_BYTES);
	kicker_start(fuzz_kick);
}

static void put64(uint32_t gpa, uint64_t value)
{
	memcpy(fuzz.ram + gpa, &value, sizeof(value));
}

/* 2 MiB pages onto the RAM and what is behind it, in each of the three formats. */
static void put_page_tables(void)
{
	memset(fuzz.ram + AT_PML4, 0, 0x5000);
	put64(AT_PML4, 0x2007);
	put64(0x2000, 0x3007);
	put64(AT_PAE, 0x3001);
	put64(0x3000, 0x4007); /* the first 2 MiB in 4 KiB pages */
	for (uint64_t i = 1; i < 512; i++)
		put64((uint32_t)(0x3000 + i * 8), i << 21 | 0x87);
	for (uint64_t i = 0; i < 512; i++)
		put64((uint32_t)(0x4000 + i * 8), i << 12 | 7);
	/* Without PAE: 4 MiB pages. */
	for (uint32_t i = 0; i < 1024; i++)
		memcpy(fuzz.ram + 0x8000 + i * 4, &(uint32_t){ i << 22 | 0x87 }, 4);
}

static void put_descriptors(void)
{
	static const uint64_t gdt[] = {
		0,
		0x00af9b000000ffff,			     /* 08 64-bit code */
		0x00cf93000000ffff,			     /* 10 data */
		0x00affb000000ffff,			     /* 18 64-bit code, user */
		0x00cff3000000ffff,			     /* 20 data, user */
		0x0000890000000067 | (uint64_t)AT_TSS << 16, /* 28 TSS */
		0,
		0x00cf9b000000ffff,	      /* 38 32-bit code */
		0x00cffb000000ffff,	      /* 40 32-bit code, user */
		0x00009b000000ffff,	      /* 48 16-bit code */
		0x000093000000ffff,	      /* 50 16-bit data */
		0x0000e50000280000,	      /* 58 task gate */
		0x0000ec0000380000 | AT_STOP, /* 60 call gate; its offset is more than 16 bits */
	};

	for (unsigned int i = 0; i < HVM_ARRAY_SIZE(gdt); i++)
		put64(AT_GDT + i * 8, gdt[i]);
	memset(fuzz.ram + AT_TSS, 0, 0x68);
	put64(AT_TSS + 4, AT_STACK - 0x1000);
	memcpy(fuzz.ram + AT_TSS + 8, "\x10", 1);
}

/* Gates to the code that stops. Long mode and legacy have tables of their own. */
static void put_gates(bool lma)
{
	uint64_t sel = lma ? 8 : 0x38;

	for (unsigned int v = 0; v < 256; v++) {
		uint64_t gate = (AT_STOP & 0xffff) | sel << 16 | 0xee00ull << 32 |
				(uint64_t)(AT_STOP >> 16) << 48;

		put64(AT_IDT + v * (lma ? 16 : 8), gate);
		if (lma)
			put64(AT_IDT + v * 16 + 8, 0);
		memcpy(fuzz.ram + AT_IVT + v * 4, &(uint32_t){ AT_STOP << 12 }, 4);
	}
}

/* Memory as every guest starts with it, before what the input changes in it. */
static void make_images(void)
{
	for (unsigned int lma = 0; lma < 2; lma++) {
		for (uint32_t i = 0; i < RAM_BYTES; i += 2)
			memcpy(fuzz.ram + i, STOP_BYTES, 2);
		put_page_tables();
		put_descriptors();
		put_gates(lma);
		memcpy(fuzz.image[lma], fuzz.ram, RAM_BYTES);
	}
}

static void put_memory(unsigned int mode, struct input *in)
{
	uint32_t patches, at, count;

	memcpy(fuzz.ram, fuzz.image[mode >= MODE_LONG], RAM_BYTES);
	count = (uint32_t)take(in, 1);
	for (uint32_t i = 0; i < count && in->left; i++)
		fuzz.ram[AT_CODE + i] = (uint8_t)take(in, 1);
	patches = (uint32_t)take(in, 1) % (PATCHES + 1);
	while (patches--) {
		at = (uint32_t)take(in, 3) % (RAM_BYTES - 256);
		count = (uint32_t)take(in, 1) % 32;
		for (uint32_t i = 0; i < count && in->left; i++)
			fuzz.ram[at + i] = (uint8_t)take(in, 1);
	}
	hvm_domain_memory_written(fuzz.d, 0, RAM_BYTES);
}

/* -- the processor ------------------------------------------------------------------------ */

static struct hvm_seg segment(uint16_t sel, uint32_t ar)
{
	return (struct hvm_seg){ .sel = sel, .limit = 0xffffffff, .ar = ar };
}

static void put_segments(struct hvm_vcpu_state *s, unsigned int mode)
{
	unsigned int cpl = mode == MODE_LONG_USER ? 3 : 0;
	uint32_t dpl = cpl << HVM_AR_DPL_SHIFT;
	bool code64 = mode == MODE_LONG || mode == MODE_LONG_USER;

	for (unsigned int i = 0; i < 6; i++)
		s->seg[i] = segment(cpl ? 0x23 : 0x10, 0xc093 | dpl);
	s->seg[HVM_SEG_CS] = code64 ? segment(cpl ? 0x1b : 8, 0xa09b | dpl) : segment(0x38, 0xc09b);
	if (mode == MODE_REAL || mode == MODE_VM86)
		for (unsigned int i = 0; i < 6; i++)
			s->seg[i] = (struct hvm_seg){ .limit = 0xffff,
						      .ar = mode == MODE_VM86 ? 0xf3 : 0x93 };
	if (mode == MODE_REAL || mode == MODE_VM86) {
		s->seg[HVM_SEG_CS].sel = AT_CODE >> 4;
		s->seg[HVM_SEG_CS].base = AT_CODE;
	}
	s->seg[HVM_SEG_LDTR] = (struct hvm_seg){ .ar = HVM_AR_UNUSABLE };
	s->seg[HVM_SEG_TR] =
		(struct hvm_seg){ .sel = 0x28, .base = AT_TSS, .limit = 0x67, .ar = 0x8b };
}

static void put_control(struct hvm_vcpu_state *s, unsigned int mode)
{
	static const struct {
		uint32_t cr0, cr3, cr4, efer;
	} modes[MODES] = {
		[MODE_REAL] = { 0x30, 0, 0x600, 0 },
		[MODE_PROT] = { 0x33, 0, 0x600, 0 },
		[MODE_PROT_PAGED] = { 0x80010033, 0x8000, 0x690, 0 },
		[MODE_PAE] = { 0x80010033, AT_PAE, 0x6a0, 0x800 },
		[MODE_VM86] = { 0x33, 0, 0x600, 0 },
		[MODE_LONG] = { 0x80050033, AT_PML4, 0x406a0, 0xd01 },
		[MODE_LONG_USER] = { 0x80050033, AT_PML4, 0x406a0, 0xd01 },
		[MODE_COMPAT] = { 0x80050033, AT_PML4, 0x6a0, 0xd01 },
	};

	s->cr0 = modes[mode].cr0;
	s->cr3 = modes[mode].cr3;
	s->cr4 = modes[mode].cr4;
	s->efer = modes[mode].efer;
	if (fuzz.v3) {
		s->cr4 |= CR4_OSXSAVE;
		s->xcr0 = 7;
	}
	if (mode == MODE_PAE)
		s->pdpte[0] = 0x3001;
	s->gdtr = (struct hvm_dtable){ .base = AT_GDT, .limit = 13 * 8 - 1 };
	s->idtr = (struct hvm_dtable){ .base = mode == MODE_REAL ? AT_IVT : AT_IDT,
				       .limit = mode == MODE_REAL ? 0x3ff : 0xfff };
}

static void put_processor(unsigned int mode, struct input *in)
{
	struct hvm_vcpu_state s = fuzz.reset;
	bool real = mode == MODE_REAL || mode == MODE_VM86;

	put_segments(&s, mode);
	put_control(&s, mode);
	for (unsigned int r = 0; r < 16; r++)
		s.gpr[r] = r < 8 ? take(in, 3) : take(in, 1);
	s.gpr[4] = real ? 0x8000 : AT_STACK - (s.gpr[4] & 0xff);
	s.rip = real ? 0 : AT_CODE;
	s.rflags = 2 | (take(in, 1) & 0xd5) | (take(in, 1) & 0x7f) << 8;
	if (mode == MODE_VM86)
		s.rflags |= 0x20000;
	s.activity = HVM_ACTIVITY_RUN;
	CHECK(hvm_vcpu_set_state(fuzz.v, &s) == 0);
}

/* -- what is around it -------------------------------------------------------------------- */

/* Whatever state the guest is left in can be saved, and what was saved can be loaded. */
static void save_and_load(void)
{
	struct hvm_ioreq *req = hvm_vcpu_ioreq(fuzz.v);
	struct hvm_exit e;
	uint8_t *buf;
	size_t bytes;
	int rc;

	/* Not between an instruction and ioemu's answer to it, though. */
	if (req->state == HVM_IOREQ_STATE_READY)
		req->state = HVM_IOREQ_STATE_DONE;
	hvm_vcpu_kick(fuzz.v);
	CHECK(hvm_vcpu_run(fuzz.v, &e) == 0);
	rc = hvm_domain_save(fuzz.d, &buf, &bytes);
	if (rc == -HVM_EBUSY)
		return;
	CHECK(rc == 0);
	CHECK(hvm_domain_load(fuzz.d, buf, bytes) == 0);
	free(buf);
}

/* Something happens while ioemu works on a request. */
static void happen(struct input *in)
{
	uint8_t what = (uint8_t)take(in, 1);
	uint32_t gpa;

	switch (what & 15) {
	case 1:
	case 2: CHECK(hvm_irq_set(fuzz.d, take(in, 1) % 24, what >> 7) == 0); break;
	case 3: hvm_msi_send(fuzz.d, 0xfee00000 | take(in, 3), (uint32_t)take(in, 2)); break;
	case 4: CHECK(hvm_nmi_send(fuzz.d) == 0); break;
	case 5: /* DMA, into code for example */
		gpa = (uint32_t)take(in, 3) % (RAM_BYTES - 8);
		put64(gpa, take(in, 8));
		hvm_domain_memory_written(fuzz.d, gpa, 8);
		break;
	case 6: CHECK(hvm_domain_unmap(fuzz.d, ROM_GPA, ROM_BYTES) == 0); break;
	case 7:
		CHECK(hvm_domain_map(fuzz.d, ROM_GPA, ROM_BYTES, HVM_MEM_ROM, fuzz.rom) == 0);
		break;
	case 8:
		if (hvm_dirty_log_start(fuzz.d) == 0) {
			uint64_t bitmap[RAM_BYTES / HVM_PAGE_SIZE / 64];

			hvm_dirty_log_sync(fuzz.d, 0, RAM_BYTES / HVM_PAGE_SIZE, bitmap);
		}
		break;
	case 9: hvm_dirty_log_stop(fuzz.d); break;
	}
}

/* Answer a request. true: the guest stopped itself. */
static bool answer(struct hvm_ioreq *req, struct input *in)
{
	uint64_t most = req->type == HVM_IOREQ_PIO ? 0xffff : (1ull << 52) - 1;

	CHECK(req->state == HVM_IOREQ_STATE_READY);
	CHECK(req->type == HVM_IOREQ_PIO || req->type == HVM_IOREQ_MMIO);
	CHECK(req->size == 1 || req->size == 2 || req->size == 4 || req->size == 8);
	CHECK(req->count >= 1 && req->count * req->size <= HVM_IOREQ_DATA_BYTES);
	CHECK(req->address <= most);
	if (req->type == HVM_IOREQ_PIO && req->is_write && req->address == PORT_STOP)
		return true;
	happen(in);
	if (!req->is_write) {
		req->data = take(in, req->size);
		for (uint32_t i = 0; req->count > 1 && i < req->count * req->size; i++)
			req->bulk[i] = (uint8_t)(req->data + i);
	}
	req->state = HVM_IOREQ_STATE_DONE;
	return false;
}

/* Run until the guest stops, or has had its time. */
static void run(struct input *in)
{
	struct hvm_ioreq *req = hvm_vcpu_ioreq(fuzz.v);
	unsigned int kicks = 0, reqs = 0;
	struct hvm_bufioreq b;
	struct hvm_exit e;

	while (kicks < KICKS_MAX && reqs < REQS_MAX) {
		CHECK(hvm_vcpu_run(fuzz.v, &e) == 0);
		CHECK(e.reason > HVM_EXIT_NONE && e.reason < HVM_EXIT_EMULATE);
		while (hvm_bufioreq_pop(fuzz.d, &b))
			CHECK(b.type == HVM_IOREQ_PIO && b.address == 0xe9 && b.size == 1);
		if (e.reason == HVM_EXIT_INTR) {
			kicks++;
		} else if (e.reason == HVM_EXIT_IOREQ) {
			reqs++;
			if (answer(req, in))
				break;
		} else if (e.reason != HVM_EXIT_BUFIOREQ) {
			/* Verify mode tells that the translator is wrong by a crash. */
			if (e.reason == HVM_EXIT_CRASH)
				CHECK(!strstr(hvm_domain_crash_reason(fuzz.d), "translator"));
			break; /* shutdown, crash */
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input in = { .data = data, .left = bytes };
	unsigned int mode;

	if (!fuzz.ram) {
		fuzz_start();
		make_images();
	}
	/* A domain each, so that an input does the same every time and a leak is seen. */
	mode = (unsigned int)take(&in, 1);
	fuzz_domain_create((enum hvm_translator)(mode / MODES % 3));
	put_processor(mode % MODES, &in);
	put_memory(mode % MODES, &in);
	run(&in);
	if (mode & 0x80)
		save_and_load();
	if (mode & 0x40) {
		CHECK(hvm_domain_reset(fuzz.d) == 0);
		CHECK(!hvm_domain_crash_reason(fuzz.d)[0]);
	}
	fuzz_domain_destroy();
	return 0;
}
