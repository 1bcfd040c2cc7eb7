/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vpic.c - both 8259A interrupt controllers and the edge/level control registers.
 * Owns struct vpic. Locking: vpic->lock for everything; vpic->out is atomic and may be read without
 * it. Calls into vlapic (lock-free there) with the lock held. Saved as PIC.
 * Source: Intel 8259A data sheet (231468); Intel 82371AB (PIIX4) data sheet 4.2.5 "Interrupt
 * Controller Registers" for ELCR.
 */
#include "devices/chips.h"
#include "devices/vlapic.h"

#define PIC_CASCADE_IRQ 2u
#define PIC_SPURIOUS	7u

/* ICW1, ICW4, OCW2, OCW3 bits. */
#define ICW1_INIT 0x10u
#define ICW1_SNGL 0x02u
#define ICW1_IC4  0x01u
#define ICW4_AEOI 0x02u
#define ICW4_SFNM 0x10u
#define OCW3_SEL  0x08u
#define OCW3_ESMM 0x40u
#define OCW3_SMM  0x20u
#define OCW3_POLL 0x04u
#define OCW3_RR	  0x02u
#define OCW3_RIS  0x01u

/* What the next write to the odd port is. */
enum pic_expect {
	PIC_EXPECT_OCW1,
	PIC_EXPECT_ICW2,
	PIC_EXPECT_ICW3,
	PIC_EXPECT_ICW4,
	PIC_EXPECT_COUNT,
};

/* One 8259A. */
struct pic_chip {
	uint8_t irr, isr, imr;
	uint8_t lines;	/* level of the eight inputs */
	uint8_t elcr;	/* 1: level triggered */
	uint8_t base;	/* ICW2 */
	uint8_t lowest; /* the input of lowest priority; 7 after ICW1 */
	uint8_t expect; /* enum pic_expect */
	uint8_t icw1;
	bool aeoi, rotate_aeoi, sfnm, smm, poll, read_isr;
};

struct vpic {
	struct domain *d;
	struct hvm_os_spinlock lock;
	struct pic_chip chip[2]; /* master, slave */
	uint32_t out;		 /* atomic: the master's INT output */
};

static const uint8_t pic_elcr_mask[2] = { 0xf8, 0xde };

/* -- one chip -------------------------------------------------------------------------------- */

/* Priority of the highest bit in @bits, 0 the best, 8 for none. */
static unsigned int pic_priority(const struct pic_chip *c, unsigned int bits)
{
	unsigned int first = (c->lowest + 1u) & 7u;
	/* Rotate so that the input of highest priority is bit 0. */
	unsigned int rotated = ((bits | bits << 8) >> first) & 0xffu;

	return rotated == 0 ? 8 : (unsigned int)__builtin_ctz(rotated);
}

/* The input that the chip would serve now, -1: none. */
static int pic_request(const struct pic_chip *c, bool master)
{
	unsigned int in_service = c->isr;
	unsigned int want = pic_priority(c, c->irr & (uint8_t)~c->imr);
	unsigned int have;

	if (want == 8)
		return -1;
	/* Special mask: levels in service that are masked inhibit nothing. */
	if (c->smm)
		in_service &= (uint8_t)~c->imr;
	/* Special fully nested: the slave may interrupt itself. */
	if (c->sfnm && master)
		in_service &= ~(1u << PIC_CASCADE_IRQ);
	have = pic_priority(c, in_service);
	if (want >= have)
		return -1;
	return (int)((c->lowest + 1u + want) & 7u);
}

static void pic_line(struct pic_chip *c, unsigned int input, bool level)
{
	uint8_t bit = (uint8_t)(1u << input);

	if (c->elcr & bit) {
		c->irr = level ? c->irr | bit : c->irr & (uint8_t)~bit;
	} else if (level && !(c->lines & bit)) {
		c->irr |= bit;
	}
	c->lines = level ? c->lines | bit : c->lines & (uint8_t)~bit;
}

/* The slave's output is the master's input 2; then the master's output tells the processors. */
static void pic_update(struct vpic *p)
{
	struct domain *d = p->d;
	bool was = p->out != 0, out;

	/* The cascade input follows the slave's output, also while an edge is latched in IRR. */
	p->chip[0].lines |= 1u << PIC_CASCADE_IRQ;
	if (pic_request(&p->chip[1], false) >= 0)
		p->chip[0].irr |= 1u << PIC_CASCADE_IRQ;
	else
		p->chip[0].irr &= (uint8_t) ~(1u << PIC_CASCADE_IRQ);
	out = pic_request(&p->chip[0], true) >= 0;
	__atomic_store_n(&p->out, out, __ATOMIC_RELEASE);
	if (!out)
		return;
	for (unsigned int i = 0; i < d->vcpu_count; i++) {
		if (vlapic_accepts_pic(d->vcpu[i]))
			hvm_vcpu_request(d->vcpu[i], HVM_REQ_EVENT);
		else if (!was)
			vlapic_lint0_rise(d->vcpu[i]);
	}
}

/* The processor takes @input: into service, or straight out of it with automatic EOI. */
static void pic_take(struct pic_chip *c, unsigned int input)
{
	uint8_t bit = (uint8_t)(1u << input);

	if (!(c->elcr & bit))
		c->irr &= (uint8_t)~bit;
	if (!c->aeoi)
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->lowest = (uint8_t)input;
}

/* -- the processor's side -------------------------------------------------------------------- */

void vpic_set_irq(struct domain *d, unsigned int irq, bool level)
{
	struct vpic *p = d->vpic;
	struct pic_chip *c;
	uint8_t lines, irr;

	if (irq >= HVM_ISA_IRQS || irq == PIC_CASCADE_IRQ)
		return;
	hvm_os_spin_lock(&p->lock);
	c = &p->chip[irq >> 3];
	lines = c->lines;
	irr = c->irr;
	pic_line(c, irq & 7, level);
	if (c->lines != lines || c->irr != irr)
		pic_update(p);
	hvm_os_spin_unlock(&p->lock);
}

bool vpic_has_intr(struct domain *d)
{
	return __atomic_load_n(&d->vpic->out, __ATOMIC_ACQUIRE) != 0;
}

int vpic_ack(struct domain *d)
{
	struct vpic *p = d->vpic;
	struct pic_chip *c = &p->chip[0];
	int input, vector;

	hvm_os_spin_lock(&p->lock);
	input = pic_request(c, true);
	if (input < 0) {
		vector = c->base + PIC_SPURIOUS;
	} else if (input == (int)PIC_CASCADE_IRQ) {
		pic_take(c, PIC_CASCADE_IRQ);
		c = &p->chip[1];
		input = pic_request(c, false);
		if (input >= 0)
			pic_take(c, (unsigned int)input);
		vector = c->base + (input >= 0 ? (unsigned int)input : PIC_SPURIOUS);
	} else {
		pic_take(c, (unsigned int)input);
		vector = c->base + input;
	}
	pic_update(p);
	hvm_os_spin_unlock(&p->lock);
	return vector & 0xff;
}

/* -- registers ------------------------------------------------------------------------------- */

static void pic_icw1(struct pic_chip *c, uint8_t value)
{
	uint8_t lines = c->lines, elcr = c->elcr;

	/* The edge detectors are reset: a line that is high must fall and rise again. */
	*c = (struct pic_chip){
		.lines = lines,
		.elcr = elcr,
		.irr = lines & elcr,
		.lowest = 7,
		.icw1 = value,
		.expect = PIC_EXPECT_ICW2,
	};
}

/* Bits 7:5 of OCW2: rotate, specific, EOI. */
static void pic_ocw2(struct pic_chip *c, uint8_t value)
{
	bool rotate = value & 0x80, specific = value & 0x40, eoi = value & 0x20;
	unsigned int level = value & 7u, priority;

	if (!eoi) {
		if (!specific)
			c->rotate_aeoi = rotate;
		else if (rotate)
			c->lowest = (uint8_t)level; /* set priority */
		return;
	}
	if (!specific) {
		/* In special mask mode a masked level is not cleared by a non-specific EOI. */
		priority = pic_priority(c, c->smm ? c->isr & (uint8_t)~c->imr : c->isr);
		if (priority == 8)
			return;
		level = (c->lowest + 1u + priority) & 7u;
	}
	c->isr &= (uint8_t) ~(1u << level);
	if (rotate)
		c->lowest = (uint8_t)level;
}

static void pic_ocw3(struct pic_chip *c, uint8_t value)
{
	if (value & OCW3_ESMM)
		c->smm = value & OCW3_SMM;
	c->poll = value & OCW3_POLL;
	if (value & OCW3_RR)
		c->read_isr = value & OCW3_RIS;
}

static void pic_write_odd(struct pic_chip *c, uint8_t value)
{
	switch ((enum pic_expect)c->expect) {
	case PIC_EXPECT_COUNT:
	case PIC_EXPECT_OCW1: c->imr = value; break;
	case PIC_EXPECT_ICW2:
		c->base = value & 0xf8;
		if (!(c->icw1 & ICW1_SNGL))
			c->expect = PIC_EXPECT_ICW3;
		else
			c->expect = c->icw1 & ICW1_IC4 ? PIC_EXPECT_ICW4 : PIC_EXPECT_OCW1;
		break;
	case PIC_EXPECT_ICW3: /* the wiring is fixed */
		c->expect = c->icw1 & ICW1_IC4 ? PIC_EXPECT_ICW4 : PIC_EXPECT_OCW1;
		break;
	case PIC_EXPECT_ICW4:
		c->aeoi = value & ICW4_AEOI;
		c->sfnm = value & ICW4_SFNM;
		c->expect = PIC_EXPECT_OCW1;
		break;
	}
}

/* A read after the poll command is an acknowledge: bit 7 says whether there was a request. */
static uint8_t pic_poll(struct pic_chip *c, bool master)
{
	int input = pic_request(c, master);

	c->poll = false;
	if (input < 0)
		return 0;
	pic_take(c, (unsigned int)input);
	return (uint8_t)(0x80 | input);
}

static uint8_t pic_read_reg(struct vpic *p, unsigned int n, bool odd)
{
	struct pic_chip *c = &p->chip[n];
	uint8_t value;

	if (c->poll) {
		value = pic_poll(c, n == 0);
		pic_update(p);
		return value;
	}
	if (odd)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

/* Ports 0x20, 0x21 and 0xa0, 0xa1: dev is the chip's own struct. */
static int vpic_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
{
	struct vpic *p = v->domain->vpic;
	unsigned int n = dev == &p->chip[1];
	uint64_t value = 0;

	hvm_os_spin_lock(&p->lock);
	for (unsigned int i = 0; i < size && i < 2; i++)
		value |= (uint64_t)pic_read_reg(p, n, (offset + i) & 1) << (8 * i);
	hvm_os_spin_unlock(&p->lock);
	*ret = value;
	return 0;
}

static int vpic_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct vpic *p = v->domain->vpic;
	struct pic_chip *c = &p->chip[dev == &p->chip[1]];

	hvm_os_spin_lock(&p->lock);
	for (unsigned int i = 0; i < size && i < 2; i++) {
		uint8_t byte = (uint8_t)(value >> (8 * i));

		if ((offset + i) & 1)
			pic_write_odd(c, byte);
		else if (byte & ICW1_INIT)
			pic_icw1(c, byte);
		else if (byte & OCW3_SEL)
			pic_ocw3(c, byte);
		else
			pic_ocw2(c, byte);
	}
	pic_update(p);
	hvm_os_spin_unlock(&p->lock);
	return 0;
}

static int velcr_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size, uint64_t *ret)
{
	struct vpic *p = dev;
	uint64_t value = 0;

	(void)v;
	hvm_os_spin_lock(&p->lock);
	for (unsigned int i = 0; i < size && i < 2; i++)
		value |= (uint64_t)p->chip[(offset + i) & 1].elcr << (8 * i);
	hvm_os_spin_unlock(&p->lock);
	*ret = value;
	return 0;
}

static int velcr_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vpic *p = dev;

	(void)v;
	hvm_os_spin_lock(&p->lock);
	for (unsigned int i = 0; i < size && i < 2; i++) {
		unsigned int n = (offset + i) & 1;
		struct pic_chip *c = &p->chip[n];

		c->elcr = (uint8_t)(value >> (8 * i)) & pic_elcr_mask[n];
		/* An input that became level triggered shows its level. */
		c->irr = (uint8_t)((c->irr & ~c->elcr) | (c->lines & c->elcr));
	}
	pic_update(p);
	hvm_os_spin_unlock(&p->lock);
	return 0;
}

/* -- life ------------------------------------------------------------------------------------ */

void vpic_reset(struct domain *d)
{
	struct vpic *p = d->vpic;

	hvm_os_spin_lock(&p->lock);
	for (unsigned int n = 0; n < 2; n++) {
		uint8_t lines = p->chip[n].lines;

		pic_icw1(&p->chip[n], ICW1_INIT);
		p->chip[n].lines = lines;
		p->chip[n].elcr = 0;
		p->chip[n].irr = 0;
		p->chip[n].expect = PIC_EXPECT_OCW1;
	}
	pic_update(p);
	hvm_os_spin_unlock(&p->lock);
}

int vpic_create(struct domain *d)
{
	struct vpic *p = hvm_os_alloc(sizeof(struct vpic));
	int rc = 0;

	if (p == NULL)
		return -HVM_ENOMEM;
	p->d = d;
	hvm_os_spin_init(&p->lock);
	for (unsigned int n = 0; n < 2 && rc == 0; n++) {
		const struct hvm_intercept r = {
			.base = n == 0 ? 0x20 : 0xa0,
			.bytes = 2,
			.read = vpic_read,
			.write = vpic_write,
			.dev = &p->chip[n],
		};

		p->chip[n].lowest = 7;
		rc = hvm_pio_register(d, &r);
	}
	if (rc == 0) {
		const struct hvm_intercept r = {
			.base = 0x4d0,
			.bytes = 2,
			.read = velcr_read,
			.write = velcr_write,
			.dev = p,
		};

		rc = hvm_pio_register(d, &r);
	}
	if (rc != 0) {
		hvm_os_spin_fini(&p->lock);
		hvm_os_free(p);
		return rc;
	}
	d->vpic = p;
	return 0;
}

void vpic_destroy(struct domain *d)
{
	if (d->vpic == NULL)
		return;
	hvm_os_spin_fini(&d->vpic->lock);
	hvm_os_free(d->vpic);
	d->vpic = NULL;
}

/* -- save record ----------------------------------------------------------------------------- */

#define PIC_FLAG_AEOI	  0x01u
#define PIC_FLAG_ROTATE	  0x02u
#define PIC_FLAG_SFNM	  0x04u
#define PIC_FLAG_SMM	  0x08u
#define PIC_FLAG_POLL	  0x10u
#define PIC_FLAG_READ_ISR 0x20u
#define PIC_FLAGS_ALL	  0x3fu

static uint8_t pic_flags(const struct pic_chip *c)
{
	return (uint8_t)((c->aeoi ? PIC_FLAG_AEOI : 0) | (c->rotate_aeoi ? PIC_FLAG_ROTATE : 0) |
			 (c->sfnm ? PIC_FLAG_SFNM : 0) | (c->smm ? PIC_FLAG_SMM : 0) |
			 (c->poll ? PIC_FLAG_POLL : 0) | (c->read_isr ? PIC_FLAG_READ_ISR : 0));
}

int vpic_save(struct domain *d, struct hvm_save_writer *w)
{
	struct vpic *p = d->vpic;

	hvm_os_spin_lock(&p->lock);
	for (unsigned int n = 0; n < 2; n++) {
		const struct pic_chip *c = &p->chip[n];

		hvm_save_u8(w, c->irr);
		hvm_save_u8(w, c->isr);
		hvm_save_u8(w, c->imr);
		hvm_save_u8(w, c->lines);
		hvm_save_u8(w, c->elcr);
		hvm_save_u8(w, c->base);
		hvm_save_u8(w, c->lowest);
		hvm_save_u8(w, c->expect);
		hvm_save_u8(w, c->icw1);
		hvm_save_u8(w, pic_flags(c));
	}
	hvm_os_spin_unlock(&p->lock);
	return w->error;
}

static int pic_chip_load(struct pic_chip *c, unsigned int n, struct hvm_save_reader *r)
{
	uint8_t flags;

	c->irr = hvm_load_u8(r);
	c->isr = hvm_load_u8(r);
	c->imr = hvm_load_u8(r);
	c->lines = hvm_load_u8(r);
	c->elcr = hvm_load_u8(r);
	c->base = hvm_load_u8(r);
	c->lowest = hvm_load_u8(r);
	c->expect = hvm_load_u8(r);
	c->icw1 = hvm_load_u8(r);
	flags = hvm_load_u8(r);
	if (r->error != 0)
		return r->error;
	if (c->lowest > 7 || c->expect >= PIC_EXPECT_COUNT || (flags & ~PIC_FLAGS_ALL) ||
	    (c->elcr & ~pic_elcr_mask[n]) || (c->base & 7))
		return -HVM_EINVAL;
	c->aeoi = flags & PIC_FLAG_AEOI;
	c->rotate_aeoi = flags & PIC_FLAG_ROTATE;
	c->sfnm = flags & PIC_FLAG_SFNM;
	c->smm = flags & PIC_FLAG_SMM;
	c->poll = flags & PIC_FLAG_POLL;
	c->read_isr = flags & PIC_FLAG_READ_ISR;
	return 0;
}

int vpic_load(struct domain *d, struct hvm_save_reader *r, bool check)
{
	struct vpic *p = d->vpic;
	struct pic_chip chip[2];

	for (unsigned int n = 0; n < 2; n++) {
		int rc = pic_chip_load(&chip[n], n, r);

		if (rc != 0)
			return rc;
	}
	if (check)
		return 0;
	hvm_os_spin_lock(&p->lock);
	memcpy(p->chip, chip, sizeof(chip));
	pic_update(p);
	hvm_os_spin_unlock(&p->lock);
	return 0;
}
