/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_rom.c - the VGABIOS in the adapter's expansion ROM BAR, where hvmloader and SeaBIOS find it.
 * Owns struct vga's rom and rom_base. Locking: pci->lock around the hook; the image is set before
 * the vcpus run. Saved with the configuration space; the image comes from the host's file again.
 * Source: PCI Local Bus Specification 3.0, 6.2.5.2 "Expansion ROM Base Address Register".
 */
#include "dev/vga_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROM_ENABLE 0x1u

void vga_rom_config_written(void *owner, unsigned int offset, unsigned int bytes)
{
	struct vga *v = owner;
	struct machine *m = v->m;
	uint32_t bar = pci_config_get(&v->pci, PCI_ROM_BAR, 4);
	uint64_t base = bar & ~(VGA_ROM_BYTES - 1);

	(void)bytes;
	if (offset >= PCI_ROM_BAR + 4 || !v->rom)
		return;
	if (!(bar & ROM_ENABLE) || !(pci_config_get(&v->pci, PCI_COMMAND, 2) & PCI_COMMAND_MEM) ||
	    base < PCI_MEM_START || base + VGA_ROM_BYTES > PCI_MEM_END)
		base = 0;
	if (base == v->rom_base)
		return;
	if (v->rom_base)
		m->ops->map(m->opaque, v->rom_base, VGA_ROM_BYTES, HVM_MEM_MMIO, NULL);
	v->rom_base = 0;
	if (base && m->ops->map(m->opaque, base, VGA_ROM_BYTES, HVM_MEM_ROM, v->rom) == 0)
		v->rom_base = base;
}

static int rom_read(int fd, uint8_t *rom)
{
	size_t done = 0;

	while (done < VGA_ROM_BYTES) {
		ssize_t n = pread(fd, rom + done, VGA_ROM_BYTES - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		done += (size_t)n;
	}
	return 0;
}

int vga_rom_load(struct machine *m, const char *path)
{
	struct vga *v = m->vga;
	struct stat st;
	uint8_t *rom;
	int fd, err = 0;

	if (!path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)VGA_ROM_BYTES)
		err = -EINVAL;
	rom = mmap(NULL, VGA_ROM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rom == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	if (!err)
		err = rom_read(fd, rom);
	close(fd);
	if (err) {
		munmap(rom, VGA_ROM_BYTES);
		return err;
	}
	v->rom = rom;
	return 0;
}

void vga_rom_free(struct vga *v)
{
	if (v->rom)
		munmap(v->rom, VGA_ROM_BYTES);
	v->rom = NULL;
}
