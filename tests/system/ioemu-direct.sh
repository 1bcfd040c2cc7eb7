#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ioemu-direct.sh [BUILD] - one hvm-ioemu process and no daemon: Debian's cloud kernel reaches user
# space with 1, 2 and 4 vcpus, interpreted and translated, and its poweroff and reboot end the process
# with that reason.
# HVM_BOOT_TIMEOUT: seconds a guest may take (120).
set -uo pipefail
. "$(dirname "$0")/lib.sh"

need_built "$ioemu" "$hvmloader"
need_guest
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT

# boot VCPUS ACTION [TRANSLATOR] - runs a guest that ends itself by ACTION; sets $run, $status and $reason.
boot() {
	run=$work/$1-$2-${3:-off}
	status=0
	mkdir -m 700 "$run"
	ioemu_config guest "$1" "console=ttyS0 hvm.test=$2" ".translator = \"${3:-off}\"" >"$run/config.json"
	timeout -k 5 "${HVM_BOOT_TIMEOUT:-120}" "$ioemu" --dir "$run" --ready-fd 3 \
		3>"$run/ready" >"$run/ioemu.log" 2>&1 &
	pid=$!
	wait "$pid" || status=$?
	pid=
	reason=$(jq -r .reason "$run/exit.json" 2>/dev/null)
}

# report NAME WANTED-REASON WANTED-TEXT
report() {
	if [ "$status" = 0 ] && [ "$reason" = "$2" ] && grep -aqF "$3" "$run/console.log"; then
		ok "$1"
		return
	fi
	not_ok "$1 (status $status, reason ${reason:-none})"
	{
		cat "$run/ready" "$run/exit.json" 2>/dev/null
		tail -n 20 "$run/ioemu.log"
		tail -n 30 "$run/console.log"
	} 2>/dev/null | tr -d '\r' | sed 's/^/# /'
}

for vcpus in 1 2 4; do
	boot "$vcpus" poweroff
	report "Debian reaches user space with $vcpus vcpus and powers off" poweroff \
		"hvm-guest: user space reached, cpus=$vcpus"
done
for vcpus in 1 2 4; do
	boot "$vcpus" poweroff on
	report "the same with $vcpus vcpus and the translator" poweroff \
		"hvm-guest: user space reached, cpus=$vcpus"
done
boot 1 reboot
report "a reboot inside the guest ends ioemu with reason reboot" reboot \
	"hvm-guest: user space reached, cpus=1"
echo "1..$test_number"
[ "$test_failures" = 0 ]
