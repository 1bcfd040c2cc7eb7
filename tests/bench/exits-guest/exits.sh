# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# exits.sh - in the test host: the loops of the exit bench on hvm.ko, then on KVM.
# shellcheck disable=SC2046 # words
insmod /modules/hvm.ko && exits hvm $(option hvm.loops | tr , ' ')
rmmod hvm
for module in irqbypass ccp kvm kvm-amd kvm-intel; do
	[ ! -e "/modules/$module.ko" ] || insmod "/modules/$module.ko" 2>/dev/null
done
# shellcheck disable=SC2046
exits kvm $(option hvm.loops | tr , ' ')
