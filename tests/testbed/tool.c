/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tool.c - what the tests of an emulated host need and busybox does not have:
 *   control SOCKET METHOD   one request to a control socket of hvm-ioemu; prints the answer
 *   hold-kvm                a virtual machine of KVM, so that it holds the processor, until killed;
 *                           prints "held" when it does
 *   msr CPU INDEX           one MSR of a CPU, in hexadecimal (needs the module msr)
 * Source: docs/ioemu-protocol.md; KVM's api.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

/* Events come on the same socket; the answer is the line with our id. */
static int control(const char *path, const char *method)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *line = NULL;
	size_t room = 0;
	FILE *file;

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return failed("socket");
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return failed(path);
	file = fdopen(fd, "r+");
	if (!file)
		return failed("fdopen");
	fprintf(file, "{\"id\": 7, \"method\": \"%s\", \"params\": {}}\n", method);
	fflush(file);
	while (getline(&line, &room, file) > 0) {
		if (!strstr(line, "\"id\":7") && !strstr(line, "\"id\": 7"))
			continue;
		fputs(line, stdout);
		return strstr(line, "\"error\"") != NULL;
	}
	return failed("no answer");
}

static int hold_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return failed("/dev/kvm");
	if (ioctl(fd, KVM_CREATE_VM, 0) < 0)
		return failed("KVM_CREATE_VM");
	puts("held");
	fflush(stdout);
	for (;;)
		pause();
}

static int msr(const char *cpu, const char *index)
{
	char path[64];
	uint64_t value;
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%u/msr", (unsigned int)strtoul(cpu, NULL, 0));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &value, sizeof(value), (off_t)strtoul(index, NULL, 0)) < 0)
		return failed(path);
	printf("%" PRIx64 "\n", value);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "control"))
		return control(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "hold-kvm"))
		return hold_kvm();
	if (argc == 4 && !strcmp(argv[1], "msr"))
		return msr(argv[2], argv[3]);
	fprintf(stderr, "usage: %s control SOCKET METHOD | hold-kvm | msr CPU INDEX\n", argv[0]);
	return 2;
}
