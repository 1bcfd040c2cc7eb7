/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ioctl.c - libFuzzer target: the calls of /dev/hvm, by the table and the checks that the
 * module uses (core/abi.c), on the software CPU. The input is a list of steps: calls on any file
 * with any structure, files that are opened and closed, vcpus that are busy, and writes to what the
 * process shares with the core.
 *
 * What must hold: the sanitizers are content, a call answers with an error that hvm_ioctl.h knows,
 * locks and eventfds are given back, and no memory is used after its domain let go of it. A vcpu
 * that runs away is kicked by a thread once a millisecond.
 */
#include "../unit/core/abi_process.h"

#include "kicker.h"

#define STEPS_MAX 64u

/* A field that holds an address: it points where there is something, unless a step says not to. */
struct fuzz_call {
	uint32_t call;
	int8_t address; /* its offset, or -1 */
	bool is_ram;	/* address of RAM, else of the window for structures */
};

static const struct fuzz_call fuzz_calls[] = {
	{ HVM_IOCTL_INFO, -1, false },
	{ HVM_IOCTL_CREATE, -1, false },
	{ HVM_IOCTL_MEMORY, offsetof(struct hvm_ioctl_memory, hva), true },
	{ HVM_IOCTL_MEMORY_WRITTEN, -1, false },
	{ HVM_IOCTL_DIRTY, offsetof(struct hvm_ioctl_dirty, bitmap), false },
	{ HVM_IOCTL_IRQ, -1, false },
	{ HVM_IOCTL_MSI, -1, false },
	{ HVM_IOCTL_NMI, -1, false },
	{ HVM_IOCTL_CMOS, -1, false },
	{ HVM_IOCTL_BUFIOREQ, -1, false },
	{ HVM_IOCTL_DOORBELL, -1, false },
	{ HVM_IOCTL_RESET, -1, false },
	{ HVM_IOCTL_TIME, -1, false },
	{ HVM_IOCTL_SAVE, offsetof(struct hvm_ioctl_stream, buf), false },
	{ HVM_IOCTL_LOAD, offsetof(struct hvm_ioctl_stream, buf), false },
	{ HVM_IOCTL_CRASH_REASON, -1, false },
	{ HVM_IOCTL_CRASH, -1, false },
	{ HVM_IOCTL_VCPU, -1, false },
	{ HVM_IOCTL_RUN, -1, false },
	{ HVM_IOCTL_KICK, -1, false },
	{ HVM_IOCTL_GET_STATE, offsetof(struct hvm_ioctl_state, state), false },
	{ HVM_IOCTL_SET_STATE, offsetof(struct hvm_ioctl_state, state), false },
	{ HVM_IOCTL_TRANSLATE, -1, false },
	{ HVM_IOCTL_STATS, offsetof(struct hvm_ioctl_stats, values), false },
	{ HVM_IOCTL_IO, -1, false },
};

static struct {
	const uint8_t *data;
	size_t bytes;
} fuzz;

static void fuzz_kick(void *vcpu)
{
	vcpu_kick(vcpu);
}

static void fuzz_start(void)
{
	process_start();
	kicker_start(fuzz_kick);
}

/* -- the input --------------------------------------------------------------------------------- */

/* @ret: what is left of the input, then zeroes. */
static void take(void *ret, size_t bytes)
{
	size_t n = bytes < fuzz.bytes ? bytes : fuzz.bytes;

	memset(ret, 0, bytes);
	memcpy(ret, fuzz.data, n);
	fuzz.data += n;
	fuzz.bytes -= n;
}

static uint8_t take_byte(void)
{
	uint8_t b;

	take(&b, 1);
	return b;
}

/* -- steps ------------------------------------------------------------------------------------- */

#define FUZZ_RAW_CALL	 0x80u /* a number of the input's own */
#define FUZZ_RAW_ADDRESS 0x40u /* addresses as the input has them */
#define FUZZ_BAD_ARG	 0x20u /* the structure itself is not the caller's */
#define FUZZ_CALL	 0x1fu

static bool is_known(int rc)
{
	static const int known[] = { HVM_EPERM,	 HVM_ENOENT, HVM_EIO,	 HVM_ENXIO,	HVM_ENOMEM,
				     HVM_EFAULT, HVM_EBUSY,  HVM_EEXIST, HVM_ENODEV,	HVM_EINVAL,
				     HVM_ENOTTY, HVM_ENOSPC, HVM_ERANGE, HVM_EOPNOTSUPP };

	for (size_t i = 0; i < HVM_ARRAY_SIZE(known); i++) {
		if (rc == -known[i])
			return true;
	}
	return rc >= 0;
}

static int fuzz_file(uint8_t b)
{
	if (b < 32)
		return 0;
	if (b < 96)
		return PROCESS_DOMAIN_FD + (b & 1);
	return PROCESS_VCPU_FD + (b & 1) * 100 + (b >> 1 & 7);
}

static void fuzz_point(const struct fuzz_call *c, uint8_t *arg)
{
	uint64_t value;

	if (c->address < 0)
		return;
	memcpy(&value, arg + c->address, sizeof(value));
	if (c->is_ram)
		value = value ? (uintptr_t)process.ram + value % PROCESS_RAM : 0;
	else
		value = (uintptr_t)process.data + value % PROCESS_DATA;
	memcpy(arg + c->address, &value, sizeof(value));
}

static void fuzz_call(void)
{
	int fd = fuzz_file(take_byte()), rc;
	uint8_t how = take_byte(), *arg = process.data + PROCESS_DATA / 2;
	const struct fuzz_call *c = &fuzz_calls[(how & FUZZ_CALL) % HVM_ARRAY_SIZE(fuzz_calls)];
	struct process_domain *d = process_domain_of(fd);
	uint32_t call = c->call;

	if (how & FUZZ_RAW_CALL)
		take(&call, sizeof(call));
	take(arg, HVM_IOCTL_BYTES(c->call));
	if (!(how & FUZZ_RAW_ADDRESS))
		fuzz_point(c, arg);
	if (how & FUZZ_BAD_ARG)
		arg = process.data + PROCESS_DATA - take_byte();
	if (call == HVM_IOCTL_RUN && fd >= PROCESS_VCPU_FD && d)
		kicker_watch(d->abi.core->vcpu[(fd - PROCESS_VCPU_FD) % 100 %
					       (int)d->abi.core->vcpu_count]);
	rc = process_ioctl(fd, call, (uintptr_t)arg);
	kicker_watch(NULL);
	PROCESS_CHECK(is_known(rc));
}

static void fuzz_close(void)
{
	struct process_domain *d = process_domain_of(fuzz_file(take_byte()));

	if (d)
		process_close(d);
}

/* A vcpu that another thread has, from here to the next step of this kind. */
static void fuzz_busy(void)
{
	int fd = fuzz_file(take_byte() | 96);
	struct process_domain *d = process_domain_of(fd);
	unsigned int index = (unsigned int)(fd - PROCESS_VCPU_FD) % 100;

	if (d && index < d->abi.core->vcpu_count)
		d->busy[index] = !d->busy[index];
}

/* The process writes to its memory, and to the pages that it shares with the core. */
static void fuzz_write(void)
{
	struct process_domain *d = process_domain_of(fuzz_file(take_byte() | 32));
	uint8_t what = take_byte(), count = take_byte();
	uint16_t at;

	take(&at, sizeof(at));
	switch (what & 3) {
	case 0: take(process.data + at % (PROCESS_DATA - 256), count); break;
	case 1: take(process.ram + at % 64 * 4096 + (at >> 8) * 8, count); break;
	case 2:
		if (d)
			take((uint8_t *)d->abi.core->vcpu[0]->ioreq_page + at % 3840, count);
		break;
	case 3:
		if (d)
			take((uint8_t *)d->abi.core->bufioreq + at % 3840, count);
		break;
	}
}

/* A domain with memory at 0 and at the reset vector, so that inputs get far at once. */
static void fuzz_first(uint8_t how)
{
	bool v3 = (how >> 4 & 1) && !hvm_cpu_model_lacks(HVM_CPU_V3);
	struct hvm_ioctl_create create = { .version = HVM_IOCTL_VERSION,
					   .cpu_model = v3 ? HVM_CPU_V3 : how >> 2 & 1,
					   .vcpus = 1 + (how >> 3 & 1),
					   .rtc_base_s = 1000000000 };
	struct hvm_ioctl_memory memory = { .bytes = PROCESS_RAM, .hva = (uintptr_t)process.ram };
	int fd;

	memcpy(process.data, &create, sizeof(create));
	fd = process_ioctl(0, HVM_IOCTL_CREATE, (uintptr_t)process.data);
	PROCESS_CHECK(fd == PROCESS_DOMAIN_FD);
	memcpy(process.data, &memory, sizeof(memory));
	PROCESS_CHECK(!process_ioctl(fd, HVM_IOCTL_MEMORY, (uintptr_t)process.data));
	memory.gpa = 0xffff0000;
	memory.bytes = 65536;
	memcpy(process.data, &memory, sizeof(memory));
	PROCESS_CHECK(!process_ioctl(fd, HVM_IOCTL_MEMORY, (uintptr_t)process.data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static void (*const steps[])(void) = { fuzz_call, fuzz_call,  fuzz_call, fuzz_call,
					       fuzz_busy, fuzz_close, fuzz_call, fuzz_write };
	uint8_t how;

	if (!process.ram)
		fuzz_start();
	fuzz.data = data;
	fuzz.bytes = bytes;
	how = take_byte();
	memset(process.data, 0, PROCESS_DATA);
	memset(process.ram, how, PROCESS_RAM);
	if (how & 1)
		fuzz_first(how);
	for (unsigned int i = 0; fuzz.bytes && i < STEPS_MAX; i++)
		steps[take_byte() % HVM_ARRAY_SIZE(steps)]();
	for (unsigned int i = 0; i < PROCESS_DOMAINS; i++) {
		while (process.domain[i].used)
			process_close(&process.domain[i]);
	}
	PROCESS_CHECK(process.eventfd_users == 0);
	return 0;
}
