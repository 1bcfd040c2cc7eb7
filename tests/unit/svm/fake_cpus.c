/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_cpus.c - one CPU that is on. Apart from the rest, because it does not see hvm_os.h: what it
 * runs takes no argument that counts.
 */
#include <stdint.h>

void fake_on_all_cpus(int error);
int hvm_os_on_each_cpu(int (*on)(void *arg), void (*off)(void *arg), uint64_t unused);
void hvm_os_off_each_cpu(void);

static void (*fake_off)(void *arg);
static int fake_error;

void fake_on_all_cpus(int error)
{
	fake_error = error;
}

int hvm_os_on_each_cpu(int (*on)(void *arg), void (*off)(void *arg), uint64_t unused)
{
	int rc = fake_error ? fake_error : on(0);

	(void)unused;
	fake_off = rc ? 0 : off;
	return rc;
}

void hvm_os_off_each_cpu(void)
{
	if (fake_off)
		fake_off(0);
	fake_off = 0;
}
