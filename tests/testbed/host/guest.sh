# SPDX-License-Identifier: GPL-2.0-or-later
# guest.sh - small guests through hvm-ioemu: a multiboot kernel that prints and powers off.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko

. /tests/ioemu.inc

for engine in soft auto; do
	ioemu_config mb 1 64 $engine /guest/multiboot.elf /tests/module.sh "engine=$engine"
	start=$(cut -d' ' -f1 /proc/uptime)
	if ioemu_run mb 60 && grep -q "hvm-multiboot: .*engine=$engine" /tmp/mb/console.log; then
		ok "a multiboot kernel prints and powers off, engine $engine"
	else
		ioemu_report mb
		not_ok "a multiboot kernel prints and powers off, engine $engine"
	fi
	sed 's/^/# /' /tmp/mb/ready
	echo "# from $start to $(cut -d' ' -f1 /proc/uptime)"
done
