# SPDX-License-Identifier: GPL-2.0-or-later
# linux.sh - Debian's cloud kernel reaches user space through hvm-ioemu, and powers off.
# hvm.vcpus=1,2,4 on the command line: with how many vcpus.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
for_linux
. /tests/ioemu.inc

for n in $(option hvm.vcpus 1,2,4 | tr , ' '); do
	ioemu_config "linux$n" "$n" 192 auto /guest/vmlinuz /guest/initrd \
		"console=ttyS0 hvm.test=poweroff $(option hvm.guest | tr , ' ')"
	start=$(cut -d. -f1 /proc/uptime)
	if ioemu_run "linux$n" "$(option hvm.limit 150)" &&
		grep -q "hvm-guest: user space reached, cpus=$n" "/tmp/linux$n/console.log"; then
		ok "Debian reaches user space with $n vcpus and powers off"
	else
		ioemu_report "linux$n"
		not_ok "Debian reaches user space with $n vcpus and powers off"
	fi
	grep -q '"engine":"svm"\|"engine":"vmx"' "/tmp/linux$n/ready" ||
		not_ok "and does so on the processor: $(cat "/tmp/linux$n/ready")"
	echo "# $n vcpus: $(($(cut -d. -f1 /proc/uptime) - start)) s"
done
