/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hvm.c - the exit bench on /dev/hvm.
 */
#include "exits.h"

#include "hvm/hvm_ioctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int dev = -1, domain;
static int vcpu[2];
static struct hvm_ioreq *req[2];

static void hvm_create(void *ram)
{
	struct hvm_ioctl_create c = { .version = HVM_IOCTL_VERSION, .cpu_model = 1, .vcpus = 2 };
	struct hvm_ioctl_memory m = { .bytes = RAM_BYTES, .hva = (uintptr_t)ram };

	if (dev < 0)
		dev = open("/dev/hvm", O_RDWR | O_CLOEXEC);
	strcpy(c.name, "exits");
	domain = ioctl(dev, HVM_IOCTL_CREATE, &c);
	if (domain < 0)
		exits_fail("HVM_IOCTL_CREATE");
	if (ioctl(domain, HVM_IOCTL_MEMORY, &m))
		exits_fail("HVM_IOCTL_MEMORY");
	for (unsigned int i = 0; i < 2; i++) {
		struct hvm_ioctl_vcpu v = { .index = i };

		vcpu[i] = ioctl(domain, HVM_IOCTL_VCPU, &v);
		if (vcpu[i] < 0)
			exits_fail("HVM_IOCTL_VCPU");
		req[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu[i], 0);
		if (req[i] == MAP_FAILED)
			exits_fail("ioreq page");
	}
}

static void hvm_destroy(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		munmap(req[i], 4096);
		close(vcpu[i]);
	}
	close(domain);
}

static void hvm_set(unsigned int cpu, uint32_t eip, uint32_t rounds)
{
	static struct hvm_vcpu_state s;
	struct hvm_ioctl_state a = { .state = (uintptr_t)&s, .bytes = sizeof(s) };

	if (ioctl(vcpu[cpu], HVM_IOCTL_GET_STATE, &a))
		exits_fail("HVM_IOCTL_GET_STATE");
	s.cr0 = 0x11;
	s.rip = eip;
	s.rflags = 2;
	s.gpr[4] = 0x7000 - 0x800 * cpu;
	s.gpr[6] = rounds;
	s.activity = HVM_ACTIVITY_RUN;
	for (unsigned int i = HVM_SEG_ES; i <= HVM_SEG_GS; i++)
		s.seg[i] = (struct hvm_seg){ .limit = ~0u, .ar = 0xc093, .sel = 16 };
	s.seg[HVM_SEG_CS] = (struct hvm_seg){ .limit = ~0u, .ar = 0xc09b, .sel = 8 };
	if (ioctl(vcpu[cpu], HVM_IOCTL_SET_STATE, &a))
		exits_fail("HVM_IOCTL_SET_STATE");
}

static void hvm_run(unsigned int cpu)
{
	for (;;) {
		struct hvm_exit exit;

		if (ioctl(vcpu[cpu], HVM_IOCTL_RUN, &exit))
			exits_fail("HVM_IOCTL_RUN");
		if (exit.reason == HVM_EXIT_INTR) {
			if (exits_stop)
				return;
			continue;
		}
		if (exit.reason != HVM_EXIT_IOREQ) {
			fprintf(stderr, "hvm: exit %u at %#llx\n", exit.reason,
				(unsigned long long)exit.rip);
			exits_fail("guest");
		}
		req[cpu]->state = HVM_IOREQ_STATE_DONE;
		if (req[cpu]->type == HVM_IOREQ_PIO && req[cpu]->address == END_PORT)
			return;
	}
}

static void hvm_kick(unsigned int cpu, uintptr_t thread)
{
	(void)thread;
	ioctl(vcpu[cpu], HVM_IOCTL_KICK);
}

const struct exits_host exits_hvm = { "hvm", hvm_create, hvm_destroy, hvm_set, hvm_run, hvm_kick };
