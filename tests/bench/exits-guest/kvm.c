/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm.c - the exit bench on /dev/kvm.
 */
#include "exits.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int dev = -1, vm;
static int vcpu[2];
static struct kvm_run *run[2];
static int run_bytes;

/* CPUID as the host shows it; guests of the bench look at leaf 0 only. */
static void kvm_cpuid(int fd)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[100];
	} c;

	c.head.nent = 100;
	if (ioctl(dev, KVM_GET_SUPPORTED_CPUID, &c) || ioctl(fd, KVM_SET_CPUID2, &c))
		exits_fail("KVM_SET_CPUID2");
}

static void kvm_create(void *ram)
{
	struct kvm_userspace_memory_region m = { .memory_size = RAM_BYTES,
						 .userspace_addr = (uintptr_t)ram };

	if (dev < 0)
		dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = ioctl(dev, KVM_CREATE_VM, 0);
	if (vm < 0)
		exits_fail("KVM_CREATE_VM");
	if (ioctl(vm, KVM_CREATE_IRQCHIP, 0) || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &m))
		exits_fail("KVM_SET_USER_MEMORY_REGION");
	run_bytes = ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	for (int i = 0; i < 2; i++) {
		vcpu[i] = ioctl(vm, KVM_CREATE_VCPU, i);
		if (vcpu[i] < 0)
			exits_fail("KVM_CREATE_VCPU");
		kvm_cpuid(vcpu[i]);
		run[i] = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu[i],
			      0);
		if (run[i] == MAP_FAILED)
			exits_fail("kvm_run");
	}
}

static void kvm_destroy(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		munmap(run[i], (size_t)run_bytes);
		close(vcpu[i]);
	}
	close(vm);
}

static void kvm_set(unsigned int cpu, uint32_t eip, uint32_t rounds)
{
	const struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1
	};
	struct kvm_mp_state mp = { KVM_MP_STATE_RUNNABLE };
	struct kvm_regs r = { .rip = eip, .rflags = 2, .rsp = 0x7000 - 0x800 * cpu, .rsi = rounds };
	struct kvm_sregs s;

	if (ioctl(vcpu[cpu], KVM_GET_SREGS, &s))
		exits_fail("KVM_GET_SREGS");
	s.cr0 = 0x11;
	s.ds = s.es = s.fs = s.gs = s.ss = s.cs = data;
	s.cs.selector = 8;
	s.cs.type = 11;
	if (ioctl(vcpu[cpu], KVM_SET_SREGS, &s) || ioctl(vcpu[cpu], KVM_SET_REGS, &r) ||
	    ioctl(vcpu[cpu], KVM_SET_MP_STATE, &mp))
		exits_fail("KVM_SET_REGS");
}

static void kvm_run_cpu(unsigned int cpu)
{
	for (;;) {
		if (ioctl(vcpu[cpu], KVM_RUN, 0)) {
			if (exits_stop)
				return;
			exits_fail("KVM_RUN");
		}
		if (run[cpu]->exit_reason == KVM_EXIT_IO && run[cpu]->io.port == END_PORT)
			return;
		if (run[cpu]->exit_reason != KVM_EXIT_IO &&
		    run[cpu]->exit_reason != KVM_EXIT_MMIO) {
			fprintf(stderr, "kvm: exit %u\n", run[cpu]->exit_reason);
			exits_fail("guest");
		}
	}
}

static void on_signal(int signal)
{
	(void)signal;
}

static void kvm_kick(unsigned int cpu, uintptr_t thread)
{
	signal(SIGUSR1, on_signal);
	run[cpu]->immediate_exit = 1;
	pthread_kill((pthread_t)thread, SIGUSR1);
}

const struct exits_host exits_kvm = {
	"kvm", kvm_create, kvm_destroy, kvm_set, kvm_run_cpu, kvm_kick
};
