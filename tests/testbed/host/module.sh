# SPDX-License-Identifier: GPL-2.0-or-later
# module.sh - the module comes and goes.
check "the module loads" insmod /modules/hvm.ko
check "/dev/hvm is there" test -c /dev/hvm
dmesg | grep 'hvm:' | sed 's/^/# /'
check "the module unloads" rmmod hvm
check "and loads again" insmod /modules/hvm.ko
