# SPDX-License-Identifier: GPL-2.0-or-later
# device.sh - the calls of /dev/hvm, their checks, and files that are closed at bad moments.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
testbed_device
check "nothing of it stays behind: the module unloads" rmmod hvm
insmod /modules/hvm.ko
