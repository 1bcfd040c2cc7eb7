/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_test.c - the calls of /dev/hvm from outside libhvm: what they refuse, that files may be
 * closed and processes killed at any moment, and that a vcpu runs. Prints TAP without a plan.
 * device_test --refused ERRNO-NAME: only that creating a domain fails so.
 * device_test --random SEED CALLS: random calls with random arguments.
 * device_test --cycles COUNT: domains are created, run, and destroyed.
 */
#include "all_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	  4096u
#define CODE_GPA  0xfffff000ull /* the page of the reset vector */
#define TEST_PORT 0x510u

static int dev;
static unsigned int failures;

static void result(int good, const char *what)
{
	printf("%sok - %s\n", good ? "" : "not ", what);
	failures += !good;
	fflush(stdout);
}

/* The call fails with @error. */
static int refused(int fd, unsigned long call, void *arg, int error)
{
	int rc = ioctl(fd, call, arg);

	if (rc == -1 && errno == error)
		return 1;
	printf("# call %#lx: %d, errno %d (%s), wanted %s\n", call, rc, errno, strerror(errno),
	       strerror(error));
	return 0;
}

static int create(unsigned int vcpus)
{
	struct hvm_ioctl_create a = { .version = HVM_IOCTL_VERSION,
				      .cpu_model = 1,
				      .vcpus = vcpus };

	strcpy(a.name, "test");
	return ioctl(dev, HVM_IOCTL_CREATE, &a);
}

static int vcpu_of(int domain, unsigned int index)
{
	struct hvm_ioctl_vcpu a = { .index = index };

	return ioctl(domain, HVM_IOCTL_VCPU, &a);
}

static void *memory(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int map(int domain, uint64_t gpa, uint64_t bytes, void *hva, uint32_t type)
{
	struct hvm_ioctl_memory a = {
		.gpa = gpa, .bytes = bytes, .hva = (uintptr_t)hva, .type = type
	};

	return ioctl(domain, HVM_IOCTL_MEMORY, &a);
}

static uint8_t *guest_page; /* of the last guest() */

/* A domain of one vcpu that executes @code from the reset vector. */
static int guest(const uint8_t *code, size_t bytes, int *ret_vcpu, struct hvm_ioreq **ret_req)
{
	uint8_t *page = guest_page = memory(PAGE);
	int domain = create(1);

	if (domain < 0) {
		perror("# create");
		exit(1);
	}
	memcpy(page + 0xff0, code, bytes < 16 ? bytes : 16);
	if (map(domain, CODE_GPA, PAGE, page, 1) < 0)
		perror("# map");
	*ret_vcpu = vcpu_of(domain, 0);
	*ret_req = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_vcpu, 0);
	return domain;
}

/* -- what is refused --------------------------------------------------------------------------- */

static void test_create(void)
{
	struct hvm_ioctl_create good = { .version = HVM_IOCTL_VERSION, .cpu_model = 1, .vcpus = 1 };
	struct hvm_ioctl_create a = good;
	int ok = 1;

	a.version = 77;
	ok &= refused(dev, HVM_IOCTL_CREATE, &a, EINVAL);
	a = good;
	a.vcpus = 0;
	ok &= refused(dev, HVM_IOCTL_CREATE, &a, EINVAL);
	a.vcpus = HVM_MAX_VCPUS + 1;
	ok &= refused(dev, HVM_IOCTL_CREATE, &a, EINVAL);
	a = good;
	a.cpu_model = 9;
	ok &= refused(dev, HVM_IOCTL_CREATE, &a, EINVAL);
	a = good;
	a.engine = 1; /* soft is not the kernel's */
	ok &= refused(dev, HVM_IOCTL_CREATE, &a, EINVAL);
	ok &= refused(dev, HVM_IOCTL_CREATE, NULL, EFAULT);
	ok &= refused(dev, HVM_IOCTL_INFO, (void *)8, EFAULT);
	ok &= refused(dev, HVM_IOCTL_RESET, NULL, ENOTTY);
	result(ok, "a domain is not created from bad arguments");
}

static void test_memory_refused(int domain)
{
	uint8_t *p = memory(4 * PAGE);
	int ok = 1;

	ok &= map(domain, 0, PAGE, p, 0) == 0;
	ok &= map(domain, 1, PAGE, p, 0) < 0 && errno == EINVAL;
	ok &= map(domain, 0, PAGE + 1, p, 0) < 0 && errno == EINVAL;
	ok &= map(domain, 0, 0, p, 0) < 0 && errno == EINVAL;
	ok &= map(domain, 0, PAGE, p + 1, 0) < 0 && errno == EINVAL;
	ok &= map(domain, 0, PAGE, NULL, 0) < 0 && errno == EINVAL;
	ok &= map(domain, 0, PAGE, p, 7) < 0 && errno == EINVAL;
	ok &= map(domain, 0, PAGE, p, 2) < 0 && errno == EINVAL;
	ok &= map(domain, 1ull << 60, PAGE, p, 0) < 0 && errno == EINVAL;
	ok &= map(domain, 0, ~0xfffull, p, 0) < 0;
	munmap(p, 4 * PAGE);
	ok &= map(domain, 0, PAGE, p, 0) < 0 && errno == EFAULT;
	ok &= map(domain, 0, PAGE, (void *)0xffff888000000000ull, 0) < 0;
	ok &= map(domain, 0, PAGE, NULL, 2) == 0;
	result(ok, "memory that is not the caller's, or not aligned, is refused");
}

static void test_calls_refused(int domain, int vcpu)
{
	struct hvm_ioctl_irq irq = { .gsi = 24 };
	struct hvm_ioctl_cmos cmos = { .index = 300 };
	struct hvm_ioctl_dirty dirty = { .op = HVM_IOCTL_DIRTY_SYNC, .pages = 1ull << 40 };
	struct hvm_ioctl_stream stream = { .buf = 8, .bytes = 100 };
	struct hvm_ioctl_range range = { .gpa = 1, .bytes = ~0ull };
	struct hvm_ioctl_state state = { .state = 8, .bytes = sizeof(struct hvm_vcpu_state) };
	struct hvm_ioctl_io io = { .type = 77, .size = 1 };
	struct hvm_ioctl_vcpu index = { .index = 5 };
	int ok = 1;

	ok &= refused(domain, HVM_IOCTL_IRQ, &irq, EINVAL);
	irq = (struct hvm_ioctl_irq){ .gsi = 1, .level = 2 };
	ok &= refused(domain, HVM_IOCTL_IRQ, &irq, EINVAL);
	ok &= refused(domain, HVM_IOCTL_CMOS, &cmos, EINVAL);
	ok &= refused(domain, HVM_IOCTL_DIRTY, &dirty, EINVAL);
	ok &= refused(domain, HVM_IOCTL_LOAD, &stream, EFAULT);
	ok &= refused(domain, HVM_IOCTL_SAVE, &stream, ENOSPC) && stream.bytes > 100;
	ok &= refused(domain, HVM_IOCTL_MEMORY_WRITTEN, &range, EINVAL);
	ok &= refused(domain, HVM_IOCTL_VCPU, &index, EINVAL);
	ok &= refused(domain, HVM_IOCTL_RUN, NULL, ENOTTY);
	ok &= refused(vcpu, HVM_IOCTL_GET_STATE, &state, EFAULT);
	state.bytes--;
	ok &= refused(vcpu, HVM_IOCTL_SET_STATE, &state, EINVAL);
	ok &= refused(vcpu, HVM_IOCTL_IO, &io, EINVAL);
	io = (struct hvm_ioctl_io){ .type = HVM_IOCTL_IO_PIO, .address = 0x1f0, .size = 2 };
	ok &= refused(vcpu, HVM_IOCTL_IO, &io, EOPNOTSUPP);
	io = (struct hvm_ioctl_io){ .type = HVM_IOCTL_IO_PIO, .address = 0x1f0, .size = 3 };
	ok &= refused(vcpu, HVM_IOCTL_IO, &io, EINVAL);
	ok &= refused(vcpu, HVM_IOCTL_RESET, NULL, ENOTTY);
	result(ok, "calls with bad arguments are refused and do nothing");
}

static void test_doorbells(int domain)
{
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), file = open("/dev/null", O_RDWR), ok = 1;
	struct hvm_ioctl_doorbell a = {
		.address = 0x4000, .eventfd = efd, .type = HVM_IOREQ_MMIO, .size = 4
	};

	a.eventfd = file;
	ok &= refused(domain, HVM_IOCTL_DOORBELL, &a, EINVAL);
	a.eventfd = 999;
	ok &= refused(domain, HVM_IOCTL_DOORBELL, &a, EBADF);
	a.eventfd = efd;
	a.type = 9;
	ok &= refused(domain, HVM_IOCTL_DOORBELL, &a, EINVAL);
	a.type = HVM_IOREQ_MMIO;
	a.remove = 1;
	ok &= refused(domain, HVM_IOCTL_DOORBELL, &a, ENOENT);
	a.remove = 0;
	ok &= ioctl(domain, HVM_IOCTL_DOORBELL, &a) == 0;
	result(ok, "doorbells take eventfds only");
	close(file);
	close(efd); /* the domain keeps the eventfd behind it */
}

static void test_doorbell_rings(int domain, int vcpu)
{
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct hvm_ioctl_doorbell a = {
		.address = 0x5000, .eventfd = efd, .type = HVM_IOREQ_MMIO, .size = 4
	};
	struct hvm_ioctl_io io = {
		.type = HVM_IOCTL_IO_MMIO, .address = 0x5000, .size = 4, .is_write = 1
	};
	uint64_t count = 0;
	int ok = ioctl(domain, HVM_IOCTL_DOORBELL, &a) == 0;

	ok &= ioctl(vcpu, HVM_IOCTL_IO, &io) == 0;
	ok &= read(efd, &count, sizeof(count)) == sizeof(count) && count == 1;
	a.remove = 1;
	ok &= ioctl(domain, HVM_IOCTL_DOORBELL, &a) == 0;
	ok &= refused(vcpu, HVM_IOCTL_IO, &io, EOPNOTSUPP);
	result(ok, "a doorbell rings until it is removed");
	close(efd);
}

static void test_mmap(int domain, int vcpu)
{
	int ok = 1;
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	ok &= p != MAP_FAILED;
	ok &= mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, vcpu, 0) == MAP_FAILED;
	ok &= mmap(NULL, PAGE, PROT_READ, MAP_SHARED, vcpu, PAGE) == MAP_FAILED;
	ok &= mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, vcpu, 0) == MAP_FAILED;
	ok &= mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, vcpu, 0) == MAP_FAILED;
	ok &= mprotect(p, PAGE, PROT_READ | PROT_EXEC) < 0;
	ok &= mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, domain, 0) != MAP_FAILED;
	result(ok, "the shared pages are mapped one by one, and not to be executed");
	munmap(p, PAGE);
}

/* -- state ------------------------------------------------------------------------------------- */

static void test_state(int vcpu)
{
	static struct hvm_vcpu_state s, t;
	struct hvm_ioctl_state a = { .state = (uintptr_t)&s, .bytes = sizeof(s) };
	int ok = ioctl(vcpu, HVM_IOCTL_GET_STATE, &a) == 0;

	ok &= s.rip == 0xfff0 && s.seg[HVM_SEG_CS].base == 0xffff0000u && s.cr0 == 0x60000010;
	s.gpr[3] = 0x1122334455667788ull;
	s.dr[2] = 0x1000;
	ok &= ioctl(vcpu, HVM_IOCTL_SET_STATE, &a) == 0;
	a.state = (uintptr_t)&t;
	ok &= ioctl(vcpu, HVM_IOCTL_GET_STATE, &a) == 0;
	ok &= t.gpr[3] == s.gpr[3] && t.dr[2] == 0x1000 && t.rip == 0xfff0;
	result(ok, "registers are read and written");
	t.cr0 = 0x80000000u; /* paging without protection */
	ok = refused(vcpu, HVM_IOCTL_SET_STATE, &a, EINVAL);
	t = s;
	t.rflags = 0;
	ok &= refused(vcpu, HVM_IOCTL_SET_STATE, &a, EINVAL);
	t = s;
	t.activity = 99;
	ok &= refused(vcpu, HVM_IOCTL_SET_STATE, &a, EINVAL);
	result(ok, "a state that no processor can be in is refused");
}

static void test_save(int domain)
{
	static uint8_t buf[1 << 16];
	struct hvm_ioctl_stream a = { .buf = (uintptr_t)buf, .bytes = sizeof(buf) };
	struct hvm_ioctl_time time = { .paused = 1 };
	int ok = ioctl(domain, HVM_IOCTL_TIME, &time) == 0;

	ok &= ioctl(domain, HVM_IOCTL_SAVE, &a) == 0 && a.bytes > 500;
	ok &= ioctl(domain, HVM_IOCTL_LOAD, &a) == 0;
	a.bytes--;
	ok &= refused(domain, HVM_IOCTL_LOAD, &a, EINVAL);
	a.bytes++;
	buf[40] ^= 0xff;
	ok &= refused(domain, HVM_IOCTL_LOAD, &a, EINVAL);
	time.paused = 0;
	ok &= ioctl(domain, HVM_IOCTL_TIME, &time) == 0;
	result(ok, "the core's state is saved and loaded; a damaged stream is refused");
}

/* -- running ----------------------------------------------------------------------------------- */

static void test_run(void)
{
	/* mov al, 42h; mov dx, 510h; out dx, al; in al, dx; out dx, al; cli; hlt */
	static const uint8_t code[] = {
		0xb0, 0x42, 0xba, 0x10, 0x05, 0xee, 0xec, 0xee, 0xfa, 0xf4
	};
	struct hvm_exit exit = { 0 };
	struct hvm_ioreq *req;
	int vcpu, domain = guest(code, sizeof(code), &vcpu, &req), ok;

	ok = ioctl(vcpu, HVM_IOCTL_RUN, &exit) == 0 && exit.reason == HVM_EXIT_IOREQ &&
	     req->type == HVM_IOREQ_PIO && req->is_write && req->address == TEST_PORT &&
	     req->data == 0x42;
	if (!ok)
		printf("# exit %u rip %#llx type %u\n", exit.reason, (unsigned long long)exit.rip,
		       req->type);
	result(ok, "a guest's OUT arrives in the ioreq page");
	req->state = HVM_IOREQ_STATE_DONE;
	ok = ioctl(vcpu, HVM_IOCTL_RUN, &exit) == 0 && exit.reason == HVM_EXIT_IOREQ &&
	     !req->is_write;
	req->data = 0x99;
	req->state = HVM_IOREQ_STATE_DONE;
	ok &= ioctl(vcpu, HVM_IOCTL_RUN, &exit) == 0 && exit.reason == HVM_EXIT_IOREQ &&
	      req->is_write && req->data == 0x99;
	result(ok, "what IN read comes back with the next OUT");
	close(vcpu);
	close(domain);
}

/* Run to the next OUT. */
static int run_to_out(int vcpu, struct hvm_ioreq *req)
{
	struct hvm_exit exit = { 0 };
	int ok = ioctl(vcpu, HVM_IOCTL_RUN, &exit) == 0 && exit.reason == HVM_EXIT_IOREQ &&
		 req->is_write && req->address == 0x80;

	if (!ok)
		printf("# exit %u rip %#llx\n", exit.reason, (unsigned long long)exit.rip);
	req->state = HVM_IOREQ_STATE_DONE;
	return ok;
}

static uint64_t dirty_pages(int domain)
{
	uint64_t bitmap = 0;
	struct hvm_ioctl_dirty a = { .op = HVM_IOCTL_DIRTY_SYNC,
				     .pages = 16,
				     .bitmap = (uintptr_t)&bitmap };

	return ioctl(domain, HVM_IOCTL_DIRTY, &a) == 0 ? bitmap : ~0ull;
}

static void test_dirty(void)
{
	/* 1: mov [1000h], al; mov [5000h], al; out 80h, al; mov [7000h], al; out 80h, al; jmp 1b */
	static const uint8_t code[] = { 0xa2, 0x00, 0x10, 0xa2, 0x00, 0x50, 0xe6, 0x80,
					0xa2, 0x00, 0x70, 0xe6, 0x80, 0xeb, 0xf1 };
	struct hvm_ioctl_dirty a = { .op = HVM_IOCTL_DIRTY_START };
	struct hvm_ioreq *req;
	int vcpu, domain = guest(code, sizeof(code), &vcpu, &req), ok;
	uint64_t first, second, third;

	ok = map(domain, 0, 16 * PAGE, memory(16 * PAGE), 0) == 0;
	ok &= run_to_out(vcpu, req) && ioctl(domain, HVM_IOCTL_DIRTY, &a) == 0;
	ok &= run_to_out(vcpu, req);
	first = dirty_pages(domain);
	ok &= run_to_out(vcpu, req);
	second = dirty_pages(domain);
	third = dirty_pages(domain);
	a.op = HVM_IOCTL_DIRTY_STOP;
	ok &= ioctl(domain, HVM_IOCTL_DIRTY, &a) == 0 && run_to_out(vcpu, req);
	printf("# dirty: %#llx %#llx %#llx\n", (unsigned long long)first,
	       (unsigned long long)second, (unsigned long long)third);
	result(ok && first == 0x80 && second == 0x22 && third == 0,
	       "the pages that a guest writes are found, each time anew");
	close(vcpu);
	close(domain);
}

static void *run_thread(void *arg)
{
	static struct hvm_exit exit;

	ioctl(*(int *)arg, HVM_IOCTL_RUN, &exit);
	return (void *)(uintptr_t)exit.reason;
}

static void test_kick(void)
{
	static const uint8_t spin[] = { 0xeb, 0xfe }, halt[] = { 0xfa, 0xf4, 0xeb, 0xfc };
	const struct {
		const uint8_t *code;
		size_t bytes;
		const char *what;
	} rows[] = { { spin, sizeof(spin), "a vcpu that loops is kicked out" },
		     { halt, sizeof(halt), "a vcpu that sleeps is kicked out" } };

	for (unsigned int i = 0; i < 2; i++) {
		struct hvm_ioreq *req;
		struct hvm_exit exit;
		int vcpu, domain = guest(rows[i].code, rows[i].bytes, &vcpu, &req), ok;
		pthread_t thread;
		void *reason;

		pthread_create(&thread, NULL, run_thread, &vcpu);
		usleep(200000);
		ok = refused(vcpu, HVM_IOCTL_RUN, &exit, EBUSY) &
		     refused(domain, HVM_IOCTL_RESET, NULL, EBUSY);
		ioctl(vcpu, HVM_IOCTL_KICK);
		pthread_join(thread, &reason);
		result(ok && (uintptr_t)reason == HVM_EXIT_INTR, rows[i].what);
		close(domain);
		close(vcpu);
	}
}

/* -- ends -------------------------------------------------------------------------------------- */

static void test_child(int domain, int vcpu)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct hvm_exit exit;

		_exit(!(refused(domain, HVM_IOCTL_NMI, NULL, EIO) &&
			refused(vcpu, HVM_IOCTL_RUN, &exit, EIO)));
	}
	waitpid(pid, &status, 0);
	result(status == 0, "a child process may not use its parent's domain");
}

static void test_killed(void)
{
	static const uint8_t spin[] = { 0xeb, 0xfe };
	unsigned int killed = 0;

	for (unsigned int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			struct hvm_ioreq *req;
			struct hvm_exit exit;
			int vcpu;

			guest(spin, sizeof(spin), &vcpu, &req);
			ioctl(vcpu, HVM_IOCTL_RUN, &exit);
			_exit(0);
		}
		usleep(1000 * (i * 7 % 40));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		killed += WIFSIGNALED(status);
	}
	result(killed == 20, "a process is killed while it creates or runs a domain");
}

static long available_kib(void)
{
	char line[128];
	long kib = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "MemAvailable: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* Files, memory, some exits, the end: a domain's whole life. */
static int cycle(unsigned int i)
{
	static const uint8_t out[] = { 0xba, 0x10, 0x05, 0xee, 0xeb, 0xfd };
	struct hvm_exit exit = { 0 };
	struct hvm_ioreq *req = MAP_FAILED;
	int vcpu = -1, domain = guest(out, sizeof(out), &vcpu, &req);
	int ok = domain >= 0 && vcpu >= 0 && req != MAP_FAILED;
	void *page = guest_page;

	for (unsigned int n = 0; ok && n < 3; n++) {
		ok = ioctl(vcpu, HVM_IOCTL_RUN, &exit) == 0 && exit.reason == HVM_EXIT_IOREQ;
		req->state = HVM_IOREQ_STATE_DONE;
	}
	/* In one order and in the other. */
	close(i & 1 ? domain : vcpu);
	munmap(req, PAGE);
	close(i & 1 ? vcpu : domain);
	munmap(page, PAGE);
	return ok;
}

static int cycles(unsigned long count)
{
	long before = available_kib(), after;
	int ok = 1;

	for (unsigned long i = 0; i < count && ok; i++)
		ok = cycle((unsigned int)i);
	usleep(500000);
	after = available_kib();
	printf("# %lu cycles: available memory changed by %ld KiB\n", count, after - before);
	result(ok, "domains are created, run and destroyed");
	result(before - after < 8192, "and leave no memory behind");
	return failures != 0;
}

static void test_order(void)
{
	int domain = create(2), vcpu = vcpu_of(domain, 1), again = vcpu_of(domain, 1);
	struct hvm_ioctl_translate t = { 0 };
	int ok = domain >= 0 && vcpu >= 0 && again >= 0;

	close(domain);
	ok &= ioctl(vcpu, HVM_IOCTL_KICK) == 0 && ioctl(again, HVM_IOCTL_TRANSLATE, &t) == 0;
	close(vcpu);
	close(again);
	result(ok, "a vcpu's file outlives the domain's");
}

static void test_memlock(void)
{
	pid_t pid;
	int status;

	chmod("/dev/hvm", 0666);
	pid = fork();
	if (!pid) {
		struct rlimit limit = { 1 << 20, 1 << 20 };
		void *p = memory(4 << 20);
		int domain;

		setrlimit(RLIMIT_MEMLOCK, &limit);
		if (setuid(1000) < 0)
			_exit(2);
		dev = open("/dev/hvm", O_RDWR | O_CLOEXEC);
		domain = create(1);
		_exit(!(map(domain, 0, 4 << 20, p, 0) < 0 && errno == ENOMEM &&
			map(domain, 0, 512 << 10, p, 0) == 0));
	}
	waitpid(pid, &status, 0);
	chmod("/dev/hvm", 0660);
	result(status == 0, "guest memory counts towards RLIMIT_MEMLOCK");
}

static void test_many(unsigned int rounds)
{
	long before = available_kib(), after;
	uint8_t *p = memory(1 << 20);
	int ok = 1;

	for (unsigned int i = 0; i < rounds && ok; i++) {
		int domain = create(4), vcpu = vcpu_of(domain, i % 4);

		ok &= domain >= 0 && vcpu >= 0 && map(domain, 0, 1 << 20, p, 0) == 0;
		ok &= map(domain, 0xa0000, 0x20000, NULL, 2) == 0;
		close(i & 1 ? domain : vcpu);
		close(i & 1 ? vcpu : domain);
	}
	munmap(p, 1 << 20);
	usleep(300000);
	after = available_kib();
	printf("# %u domains: available memory changed by %ld KiB\n", rounds, after - before);
	result(ok && before - after < 8192, "domains come and go and leave no memory behind");
}

/* -- random calls ------------------------------------------------------------------------------ */

static uint64_t random_state;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t random_word(const uint8_t *ram, const uint8_t *scratch)
{
	switch (random_u64() % 8) {
	case 0: return random_u64();
	case 1: return random_u64() % 16;
	case 2: return (uintptr_t)ram + (random_u64() % 16) * PAGE;
	case 3: return (uintptr_t)scratch;
	case 4: return (random_u64() % 64) * PAGE;
	case 5: return sizeof(struct hvm_vcpu_state);
	case 6: return 1ull << random_u64() % 64;
	}
	return 0;
}

static void random_calls(unsigned long calls)
{
	uint8_t *ram = memory(64 * PAGE), *scratch = memory(1 << 17);
	union {
		uint64_t word[40];
		struct hvm_ioctl_state state;
	} arg;
	int fds[8] = { dev, create(2), -1, -1, -1, -1, -1, -1 };

	for (unsigned long n = 0; n < calls; n++) {
		int *slot = &fds[random_u64() % 8], rc;
		uint32_t call = all_calls[random_u64() % HVM_ARRAY_SIZE(all_calls)];

		for (unsigned int i = 0; i < HVM_ARRAY_SIZE(arg.word); i++)
			arg.word[i] = random_word(ram, scratch);
		if (random_u64() % 4 == 0)
			call ^= 1u << random_u64() % 32;
		if (HVM_IOCTL_NR(call) == HVM_IOCTL_NR(HVM_IOCTL_CREATE) && random_u64() % 2)
			arg.word[0] = HVM_IOCTL_VERSION, arg.word[1] = 1ull << 32 | 1;
		if (HVM_IOCTL_NR(call) == HVM_IOCTL_NR(HVM_IOCTL_VCPU) && random_u64() % 2)
			arg.word[0] = random_u64() % 3;
		if (HVM_IOCTL_NR(call) == HVM_IOCTL_NR(HVM_IOCTL_RUN))
			ioctl(*slot, HVM_IOCTL_KICK);
		rc = ioctl(*slot, call, random_u64() % 16 ? (void *)&arg : (void *)random_u64());
		if (rc > 2 && (HVM_IOCTL_NR(call) == HVM_IOCTL_NR(HVM_IOCTL_CREATE) ||
			       HVM_IOCTL_NR(call) == HVM_IOCTL_NR(HVM_IOCTL_VCPU))) {
			slot = &fds[1 + random_u64() % 7];
			if (*slot >= 0)
				close(*slot);
			*slot = rc;
		}
	}
	result(1, "random calls");
}

int main(int argc, char **argv)
{
	struct hvm_ioctl_info info;
	int domain, vcpu;

	dev = open("/dev/hvm", O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		perror("# /dev/hvm");
		return 1;
	}
	if (argc == 3 && !strcmp(argv[1], "--refused")) {
		int rc = create(1);
		const char *name = rc < 0 ? strerrorname_np(errno) : "none";

		printf("# %s\n", name);
		return strcmp(name, argv[2]) != 0;
	}
	if (argc == 4 && !strcmp(argv[1], "--random")) {
		random_state = strtoull(argv[2], NULL, 0) * 2 + 1;
		random_calls(strtoul(argv[3], NULL, 0));
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "--cycles"))
		return cycles(strtoul(argv[2], NULL, 0));
	memset(&info, 0xff, sizeof(info));
	result(ioctl(dev, HVM_IOCTL_INFO, &info) == 0 && info.version == HVM_IOCTL_VERSION &&
		       info.max_vcpus == HVM_MAX_VCPUS,
	       "the module says what it is");
	for (unsigned int i = 0; i < 2; i++)
		printf("# engine %u: %d, %.120s\n", info.vendor[i].engine, info.vendor[i].error,
		       info.vendor[i].reason);
	test_create();
	domain = create(2);
	vcpu = vcpu_of(domain, 0);
	result(domain >= 0 && vcpu >= 0, "a domain and its vcpu have files");
	if (domain < 0 || vcpu < 0)
		return 1;
	test_memory_refused(domain);
	test_calls_refused(domain, vcpu);
	test_doorbells(domain);
	test_doorbell_rings(domain, vcpu);
	test_mmap(domain, vcpu);
	test_state(vcpu);
	test_save(domain);
	test_child(domain, vcpu);
	close(domain);
	close(vcpu);
	test_order();
	test_memlock();
	test_many(200);
	test_run();
	test_dirty();
	test_kick();
	test_killed();
	return failures != 0;
}
