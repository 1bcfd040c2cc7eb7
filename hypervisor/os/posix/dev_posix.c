/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dev_posix.c - /dev/hvm from user space. Owns nothing. Locking: none needed.
 * Source: ioctl(2), mmap(2); Intel SDM Vol 3C 23.6 "Discovering Support for VMX"; AMD APM Vol 2
 * 15.4 "Enabling SVM".
 */
#include "os/posix/dev_posix.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int dev_open(void)
{
	int fd = open(DEV_HVM_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void dev_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

int dev_call(int fd, uint32_t call, void *arg)
{
	int rc = ioctl(fd, (unsigned long)call, arg);

	return rc < 0 ? -errno : rc;
}

void *dev_map_page(int fd)
{
	void *page = mmap(NULL, HVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

void dev_unmap_page(void *page)
{
	if (page)
		munmap(page, HVM_PAGE_SIZE);
}

bool dev_cpu_has_vmx(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c >> 5 & 1);
}

bool dev_cpu_has_svm(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c >> 2 & 1);
}
