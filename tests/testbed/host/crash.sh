# SPDX-License-Identifier: GPL-2.0-or-later
# crash.sh - a guest that goes down takes nothing with it but itself, and its record says why, with
# its registers: a triple fault; on QEMU's processor also a state that VMRUN refuses (that processor
# lets a guest switch protection off under paging).
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
. /tests/hvmd.inc

check "hvmd starts" hvmd_start
result beside "a domain that runs on beside them" domain beside 2 32 \
	'"boot": { "kernel": "/guest/ticker.elf", "cmdline": "" }'

# crashes NAME KERNEL TEXT - it crashes, and its record has TEXT and the registers.
crashes() {
	domain "$1" 1 32 "\"boot\": { \"kernel\": \"$2\", \"cmdline\": \"\" }, \"on_crash\": \"stop\"" ||
		return 1
	i=0
	while [ $i -lt 60 ] && [ "$(member "$1" state)" != crashed ]; do
		i=$((i + 1))
		sleep 0.5
	done
	hvmctl show "$1" >"/tmp/$1.show"
	grep -q "$3" "/tmp/$1.show" && grep -q 'rip=.*cr0=.*rsp=' "/tmp/$1.show"
}

result triple "a triple fault is a crash with registers" \
	crashes triple /guest/programs/triple.elf "triple fault"
gone triple
if grep -q 'QEMU TCG' /proc/cpuinfo && grep -q '^flags.* svm' /proc/cpuinfo; then
	result bad "a state that VMRUN refuses is one too" \
		crashes bad /guest/programs/strict.elf "VMRUN refuses the state"
	gone bad
fi
before=$(hvmctl console beside | wc -c)
sleep 2
result beside "the domain beside them runs on" sh -c \
	"[ \"\$(hvmctl console beside | wc -c)\" -gt $before ]"
gone beside
check "hvmd ends" hvmd_stop
check "nothing of it stays behind: the module unloads" rmmod hvm
insmod /modules/hvm.ko
