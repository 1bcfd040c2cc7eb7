# SPDX-License-Identifier: GPL-2.0-or-later
# guests.sh - the guest programs of tests/guest on this processor and on the software CPU: both print
# what is expected. hvm.guests=a,b on the command line: only these.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
export HVM_IOEMU=/bin/hvm-ioemu HVM_LOADER=/guest/hvmloader.bin
export HVM_BIOS=/guest/bios-256k.bin HVM_VGABIOS=/guest/vgabios-stdvga.bin

# What QEMU's software CPU does not do by the book is left out.
! grep -q 'QEMU TCG' /proc/cpuinfo || export HVM_GUESTS_LAX=yes
start=$(cut -d. -f1 /proc/uptime)
# shellcheck disable=SC2046 # a list of words
/guest/programs/run-guests /guest/programs auto $(option hvm.guests | tr , ' ')
echo "# guest programs: $(($(cut -d. -f1 /proc/uptime) - start)) s"
