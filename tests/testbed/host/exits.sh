# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# exits.sh - for tests/bench/exits: its loops on hvm.ko, then on KVM.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
# shellcheck disable=SC2046 # words
check "hvm.ko runs the loops" testbed_exits hvm $(option hvm.loops | tr , ' ')
cat /tmp/check.log
rmmod hvm
insmod /modules/irqbypass.ko
insmod /modules/kvm.ko
insmod /modules/ccp.ko 2>/dev/null
insmod /modules/kvm-amd.ko 2>/dev/null
insmod /modules/kvm-intel.ko 2>/dev/null
# shellcheck disable=SC2046
check "KVM runs the loops" testbed_exits kvm $(option hvm.loops | tr , ' ')
cat /tmp/check.log
