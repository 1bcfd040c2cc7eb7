/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vioapic.c - the IOAPIC: 24 pins, version 0x20 (with an EOI register).
 * Owns struct vioapic. Locking: io->lock for everything but extint_vcpus, which is atomic. Messages
 * go into the LAPICs (lock-free there) with the lock held. Saved as IOAPIC.
 * Source: Intel 82093AA IOAPIC data sheet 3.0 "Register Description"; Intel 8 Series PCH data sheet
 * 13.5 "Advanced Programmable Interrupt Controller" for the EOI register.
 */
#include "devices/vlapic.h"

#define IOAPIC_REGSEL 0x00u
#define IOAPIC_WIN    0x10u
#define IOAPIC_EOI    0x40u
#define IOAPIC_BYTES  0x1000u

#define IOAPIC_REG_ID  0x00u
#define IOAPIC_REG_VER 0x01u
#define IOAPIC_REG_ARB 0x02u
#define IOAPIC_REG_RTE 0x10u
#define IOAPIC_VERSION (0x20u | (HVM_IOAPIC_PINS - 1u) << 16)
#define IOAPIC_ID_MASK 0x0f000000u

/* Redirection table entry. */
#define RTE_VECTOR     0x00ffull
#define RTE_DM_SHIFT   8
#define RTE_LOGICAL    0x0800ull
#define RTE_STATUS     0x1000ull /* read only; a message is delivered at once, so always 0 */
#define RTE_REMOTE_IRR 0x4000ull /* read only */
#define RTE_LEVEL      0x8000ull
#define RTE_MASKED     0x10000ull
#define RTE_DEST_SHIFT 56
#define RTE_VALID      (0xff00000000000000ull | 0x1ffffull)

struct vioapic {
	struct domain *d;
	struct hvm_os_spinlock lock;
	uint64_t rte[HVM_IOAPIC_PINS];
	uint32_t id;
	uint8_t regsel;
	uint8_t level[HVM_IOAPIC_PINS]; /* bit n: driver n asserts the pin */
	uint32_t extint_vcpus;		/* atomic: vcpus that an ExtINT entry points at */
};

static enum hvm_delivery_mode rte_mode(uint64_t rte)
{
	return (enum hvm_delivery_mode)(rte >> RTE_DM_SHIFT & 7);
}

/* NMI, INIT and ExtINT are edges whatever the entry's trigger mode says. */
static bool rte_is_level(uint64_t rte)
{
	return (rte & RTE_LEVEL) && rte_mode(rte) <= HVM_DM_LOWEST;
}

/* Send the message of @pin. Lock held. */
static void vioapic_send(struct vioapic *io, unsigned int pin)
{
	uint64_t rte = io->rte[pin];
	bool level = rte_is_level(rte);
	int taken;

	if ((rte & RTE_MASKED) || (level && (rte & RTE_REMOTE_IRR)))
		return;
	/* Set before the message leaves: the EOI may come before vlapic_send() is back. */
	if (level)
		io->rte[pin] |= RTE_REMOTE_IRR;
	taken = vlapic_send(io->d, NULL, (uint32_t)(rte >> RTE_DEST_SHIFT), rte & RTE_LOGICAL,
			    rte_mode(rte), (uint8_t)(rte & RTE_VECTOR), level);
	if (level && taken <= 0)
		io->rte[pin] &= ~RTE_REMOTE_IRR;
}

void vioapic_drive_pin(struct domain *d, unsigned int pin, enum vioapic_driver who, bool level)
{
	struct vioapic *io = d->vioapic;
	uint8_t was, now;

	if (pin >= HVM_IOAPIC_PINS)
		return;
	hvm_os_spin_lock(&io->lock);
	was = io->level[pin];
	now = (uint8_t)(level ? was | 1u << who : was & ~(1u << who));
	io->level[pin] = now;
	if (now != 0 && (was == 0 || rte_is_level(io->rte[pin])))
		vioapic_send(io, pin);
	hvm_os_spin_unlock(&io->lock);
}

void vioapic_set_pin(struct domain *d, unsigned int pin, bool level)
{
	vioapic_drive_pin(d, pin, VIOAPIC_DRIVER_LINE, level);
}

/* Lock held. */
static void vioapic_end(struct vioapic *io, uint8_t vector)
{
	for (unsigned int pin = 0; pin < HVM_IOAPIC_PINS; pin++) {
		uint64_t rte = io->rte[pin];

		if (!(rte & RTE_REMOTE_IRR) || (rte & RTE_VECTOR) != vector)
			continue;
		io->rte[pin] &= ~RTE_REMOTE_IRR;
		if (io->level[pin] != 0)
			vioapic_send(io, pin);
	}
}

void vioapic_eoi(struct domain *d, uint8_t vector)
{
	struct vioapic *io = d->vioapic;

	hvm_os_spin_lock(&io->lock);
	vioapic_end(io, vector);
	hvm_os_spin_unlock(&io->lock);
}

bool vioapic_extint(const struct domain *d, unsigned int vcpu_id)
{
	return d->vioapic != NULL &&
	       (__atomic_load_n(&d->vioapic->extint_vcpus, __ATOMIC_ACQUIRE) >> vcpu_id & 1);
}

/* -- registers ------------------------------------------------------------------------------- */

/* Where ExtINT goes is worked out when an entry changes, so that vcpus can ask without a lock. */
static void vioapic_extint_update(struct vioapic *io)
{
	uint32_t vcpus = 0;

	for (unsigned int pin = 0; pin < HVM_IOAPIC_PINS; pin++) {
		uint64_t rte = io->rte[pin];

		if (!(rte & RTE_MASKED) && rte_mode(rte) == HVM_DM_EXTINT)
			vcpus |= vlapic_match(io->d, NULL, (uint32_t)(rte >> RTE_DEST_SHIFT),
					      rte & RTE_LOGICAL);
	}
	__atomic_store_n(&io->extint_vcpus, vcpus, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < io->d->vcpu_count && vcpus != 0; i++) {
		if (vcpus >> i & 1)
			hvm_vcpu_request(io->d->vcpu[i], HVM_REQ_EVENT);
	}
}

static void vioapic_write_rte(struct vioapic *io, unsigned int pin, bool high, uint32_t value)
{
	const uint64_t read_only = RTE_STATUS | RTE_REMOTE_IRR;
	uint64_t old = io->rte[pin], rte;

	if (high)
		rte = (old & 0xffffffffull) | (uint64_t)value << 32;
	else
		rte = (old & 0xffffffff00000000ull) | value;
	rte = ((rte & ~read_only) | (old & read_only)) & RTE_VALID;
	/* Going to edge forgets remote IRR; system software uses that to unwedge a pin. */
	if (!rte_is_level(rte))
		rte &= ~RTE_REMOTE_IRR;
	io->rte[pin] = rte;
	if (rte_mode(rte) == HVM_DM_EXTINT || rte_mode(old) == HVM_DM_EXTINT)
		vioapic_extint_update(io);
	/* A level that waited behind the mask is sent now; an edge that came while masked is lost.
	 */
	if (rte_is_level(rte) && io->level[pin] != 0)
		vioapic_send(io, pin);
}

static void vioapic_write_reg(struct vioapic *io, uint32_t value)
{
	unsigned int reg = io->regsel;

	if (reg == IOAPIC_REG_ID)
		io->id = value & IOAPIC_ID_MASK;
	else if (reg >= IOAPIC_REG_RTE && reg < IOAPIC_REG_RTE + 2 * HVM_IOAPIC_PINS)
		vioapic_write_rte(io, (reg - IOAPIC_REG_RTE) / 2, reg & 1, value);
}

static uint32_t vioapic_read_reg(const struct vioapic *io)
{
	unsigned int reg = io->regsel;

	if (reg == IOAPIC_REG_ID || reg == IOAPIC_REG_ARB)
		return io->id;
	if (reg == IOAPIC_REG_VER)
		return IOAPIC_VERSION;
	if (reg >= IOAPIC_REG_RTE && reg < IOAPIC_REG_RTE + 2 * HVM_IOAPIC_PINS)
		return (uint32_t)(io->rte[(reg - IOAPIC_REG_RTE) / 2] >> (reg & 1 ? 32 : 0));
	return 0xffffffff;
}

static int vioapic_read(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			uint64_t *ret)
{
	struct vioapic *io = dev;
	uint32_t value = 0;

	(void)v;
	(void)size;
	hvm_os_spin_lock(&io->lock);
	switch (offset & ~3ull) {
	case IOAPIC_REGSEL: value = io->regsel; break;
	case IOAPIC_WIN: value = vioapic_read_reg(io); break;
	}
	hvm_os_spin_unlock(&io->lock);
	*ret = value >> (8 * (offset & 3));
	return 0;
}

static int vioapic_write(struct vcpu *v, void *dev, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	struct vioapic *io = dev;

	(void)v;
	hvm_os_spin_lock(&io->lock);
	switch (offset) {
	case IOAPIC_REGSEL: io->regsel = (uint8_t)value; break;
	case IOAPIC_WIN:
		/* The window is defined for double words only. */
		if (size >= 4)
			vioapic_write_reg(io, (uint32_t)value);
		break;
	case IOAPIC_EOI: vioapic_end(io, (uint8_t)value); break;
	}
	hvm_os_spin_unlock(&io->lock);
	return 0;
}

/* -- life ------------------------------------------------------------------------------------ */

void vioapic_reset(struct domain *d)
{
	struct vioapic *io = d->vioapic;

	hvm_os_spin_lock(&io->lock);
	for (unsigned int pin = 0; pin < HVM_IOAPIC_PINS; pin++)
		io->rte[pin] = RTE_MASKED;
	io->id = 0;
	io->regsel = 0;
	__atomic_store_n(&io->extint_vcpus, 0, __ATOMIC_RELEASE);
	hvm_os_spin_unlock(&io->lock);
}

int vioapic_create(struct domain *d)
{
	struct vioapic *io = hvm_os_alloc(sizeof(struct vioapic));
	struct hvm_intercept r = {
		.base = HVM_IOAPIC_BASE,
		.bytes = IOAPIC_BYTES,
		.read = vioapic_read,
		.write = vioapic_write,
		.dev = io,
	};
	int rc;

	if (io == NULL)
		return -HVM_ENOMEM;
	io->d = d;
	hvm_os_spin_init(&io->lock);
	rc = hvm_mmio_register(d, &r);
	if (rc != 0) {
		hvm_os_spin_fini(&io->lock);
		hvm_os_free(io);
		return rc;
	}
	d->vioapic = io;
	vioapic_reset(d);
	return 0;
}

void vioapic_destroy(struct domain *d)
{
	if (d->vioapic == NULL)
		return;
	hvm_os_spin_fini(&d->vioapic->lock);
	hvm_os_free(d->vioapic);
	d->vioapic = NULL;
}

/* -- save record ----------------------------------------------------------------------------- */

int vioapic_save(struct domain *d, struct hvm_save_writer *w)
{
	struct vioapic *io = d->vioapic;

	hvm_os_spin_lock(&io->lock);
	hvm_save_u32(w, io->id);
	hvm_save_u8(w, io->regsel);
	for (unsigned int pin = 0; pin < HVM_IOAPIC_PINS; pin++) {
		hvm_save_u64(w, io->rte[pin]);
		hvm_save_u8(w, io->level[pin]);
	}
	hvm_os_spin_unlock(&io->lock);
	return w->error;
}

int vioapic_load(struct domain *d, struct hvm_save_reader *r, bool check)
{
	struct vioapic *io = d->vioapic;
	uint64_t rte[HVM_IOAPIC_PINS];
	uint8_t level[HVM_IOAPIC_PINS];
	uint32_t id = hvm_load_u32(r);
	uint8_t regsel = hvm_load_u8(r);

	for (unsigned int pin = 0; pin < HVM_IOAPIC_PINS; pin++) {
		rte[pin] = hvm_load_u64(r);
		level[pin] = hvm_load_u8(r);
		if ((rte[pin] & ~(RTE_VALID & ~RTE_STATUS)) || level[pin] > 3)
			return -HVM_EINVAL;
	}
	if (r->error != 0)
		return r->error;
	if (id & ~IOAPIC_ID_MASK)
		return -HVM_EINVAL;
	if (check)
		return 0;
	hvm_os_spin_lock(&io->lock);
	io->id = id;
	io->regsel = regsel;
	memcpy(io->rte, rte, sizeof(rte));
	memcpy(io->level, level, sizeof(level));
	vioapic_extint_update(io);
	hvm_os_spin_unlock(&io->lock);
	return 0;
}
