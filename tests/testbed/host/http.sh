# SPDX-License-Identifier: GPL-2.0-or-later
# http.sh - through hvmd's HTTP API with engine auto: Debian's kernel with 1, 2 and 4 vcpus, reboot
# and poweroff inside the guest, two domains at once, Debian as hvm-v3, GRUB and Linux from a CD-ROM
# through SeaBIOS.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
for_linux
. /tests/hvmd.inc

check "hvmd starts" hvmd_start
check "/v1/host says that the processor's engine serves" sh -c \
	"hvmctl host | grep -A 2 '\"name\": \"svm\"\|\"name\": \"vmx\"' | grep -q '\"available\": true'"

for n in $(option hvm.vcpus 1,2,4 | tr , ' '); do
	start=$(cut -d. -f1 /proc/uptime)
	result "http$n" "a domain of $n vcpus starts" linux "http$n" "$n" hvm.test=poweroff
	case $(member "http$n" engine_in_use) in
	svm | vmx) ok "on $(member "http$n" engine_in_use)" ;;
	*) not_ok "on the processor's engine, not \"$(member "http$n" engine_in_use)\"" ;;
	esac
	result "http$n" "Debian reaches user space with $n vcpus" \
		shows "http$n" "hvm-guest: user space reached, cpus=$n" 120
	result "http$n" "its poweroff ends the domain" ends "http$n" stopped poweroff 60
	echo "# $n vcpus: $(($(cut -d. -f1 /proc/uptime) - start)) s"
	gone "http$n"
done

start=$(cut -d. -f1 /proc/uptime)
result again "a domain that reboots starts" linux again 1 hvm.test=reboot
result idle "a second one beside it" linux idle 2 hvm.test=idle
result again "a reboot inside the guest starts it again" \
	shows again "hvm-guest: user space reached" 180 2
result idle "the other one reaches user space meanwhile" \
	shows idle "hvm-guest: user space reached, cpus=2" 120
result idle "and runs on" test "$(member idle state)" = running
gone again
gone idle
echo "# two domains and a reboot: $(($(cut -d. -f1 /proc/uptime) - start)) s"

if hvmctl host | grep -A 1 '"name": "hvm-v3"' | grep -q true; then
	start=$(cut -d. -f1 /proc/uptime)
	result wide "a domain of hvm-v3 starts" \
		linux wide 2 "loglevel=7 hvm.test=poweroff" '"cpu_model": "hvm-v3"'
	result wide "its Debian reaches user space" \
		shows wide "hvm-guest: user space reached, cpus=2" 180
	# The kernel may be behind with its messages, user space is not.
	check "and uses AVX registers" shows wide "xstate_offset[2]:  576, xstate_sizes[2]:  256" 60
	result wide "its poweroff ends the domain" ends wide stopped poweroff 60
	echo "# hvm-v3: $(($(cut -d. -f1 /proc/uptime) - start)) s"
	gone wide
fi

if [ -f /guest/grub.iso ]; then
	start=$(cut -d. -f1 /proc/uptime)
	result grub "a domain boots from CD-ROM" domain grub 1 256 \
		'"boot": { "firmware": "bios", "order": ["cdrom"] }, "disks": [ { "id": "cd",
		"path": "/guest/grub.iso", "format": "raw", "bus": "ide", "device": "cdrom",
		"read_only": true } ]'
	result grub "GRUB starts from it through SeaBIOS" shows grub GRUB 60
	echo "# GRUB: $(($(cut -d. -f1 /proc/uptime) - start)) s"
	result grub "and Debian from GRUB" shows grub "hvm-guest: user space reached" 180
	echo "# with Linux: $(($(cut -d. -f1 /proc/uptime) - start)) s"
	gone grub
fi
check "hvmd ends" hvmd_stop
check "nothing of it stays behind: the module unloads" rmmod hvm
insmod /modules/hvm.ko
