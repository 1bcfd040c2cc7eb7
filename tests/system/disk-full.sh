#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# disk-full.sh [BUILD] - the host's file system fills up under a sparse image: the guest sees an I/O
# error, the domain runs on and says why, and once there is room again the disk works. Needs a mount
# namespace of its own for a small tmpfs, which root has; is skipped without one.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

hvmctl=$build/hvmctl/hvmctl
need_built "$hvmd" "$ioemu" "$hvmloader" "$hvmctl"
if [ -z "${HVM_IN_NAMESPACE:-}" ]; then
	if ! unshare -m true 2>/dev/null; then
		skip "no mount namespace can be made (needs root or CAP_SYS_ADMIN)"
		echo "1..1"
		exit 0
	fi
	HVM_IN_NAMESPACE=1 exec unshare -m "$0" "$@"
fi
kernel=$("$root/tests/system/images/fetch-kernel" "$images" amd64) &&
	initramfs=$("$root/tests/system/images/make-initramfs" "$images" amd64 amd64) || {
	not_ok "test guest made"
	exit 1
}
work=$(mktemp -d)
end() {
	api POST /v1/domains/full/stop >/dev/null 2>&1
	stop_hvmd
	umount "$work/state/images" 2>/dev/null
	rm -rf "$work"
}
trap end EXIT
mkdir -p "$work/state/images" # a storage root of every hvmd
mount -t tmpfs -o size=6m,mode=0700 none "$work/state/images" || {
	skip "no tmpfs can be mounted"
	echo "1..1"
	exit 0
}
disk=$work/state/images/disk.raw
truncate -s 64M "$disk" # sparse: the file system has a tenth of that

# failed TITLE
failed() {
	not_ok "$1"
	{
		api GET /v1/domains/full
		api GET /v1/domains/full/console | tail -n 30
		df "$work/state/images"
		tail -n 5 "$work/state/hvmd.log"
	} 2>&1 | tr -d '\r' | sed 's/^/# /'
}

# run COMMAND TEXT SECONDS - typed into the guest's shell; until it has printed TEXT.
run() {
	echo "$1" >&"$typed"
	wait_console full "$2" "$3"
}

export HVM_SOCKET=$work/state/hvmd.sock
mkfifo "$work/typed"
if start_hvmd "$work/state" &&
	api POST /v1/domains "$(definition full 1 "console=ttyS0 hvm.test=shell" \
		'.disks = [{ id: "data", path: "'"$disk"'" }]')" >/dev/null &&
	api POST /v1/domains/full/start >/dev/null &&
	wait_console full "hvm-guest: shell ready" 180 &&
	[ "$(api GET /v1/domains/full | jq .last_error)" = null ]; then
	ok "a guest with a sparse disk on a small file system runs"
else
	failed "a guest with a sparse disk on a small file system runs"
	exit 1
fi
timeout 500 "$hvmctl" console -i full <"$work/typed" >/dev/null 2>&1 &
exec {typed}>"$work/typed"

# direct: one write at a time, so that dd hears of the first that fails.
if run 'dd if=/dev/zero of=/dev/sda bs=64k count=32 oflag=direct; echo "first dd: $?"' "first dd: 0" 60; then
	ok "while there is room, writes succeed"
else
	failed "while there is room, writes succeed"
fi
if run 'dd if=/dev/zero of=/dev/sda bs=64k count=256 oflag=direct; echo "second dd: $?"' "second dd: 1" 120 &&
	api GET /v1/domains/full/console | finds -i 'I/O error'; then
	ok "when the host's file system is full, the guest sees an I/O error"
else
	failed "when the host's file system is full, the guest sees an I/O error"
fi
if api GET /v1/domains/full | jq -e '.state == "running" and .last_error.code == "disk-error" and
	(.last_error.detail | test("disk data: write: No space left on device")) and
	(.last_error.time | test("^[0-9]{4}-.*Z$"))' >/dev/null; then
	ok "the domain runs on and shows the disk error"
else
	failed "the domain runs on and shows the disk error"
fi
if run 'echo "alive: $((6 * 7))"' "alive: 42" 60 &&
	run 'dd if=/dev/sda of=/dev/null bs=64k count=32; echo "read: $?"' "read: 0" 60; then
	ok "the guest goes on and reads what it wrote before"
else
	failed "the guest goes on and reads what it wrote before"
fi
if mount -o remount,size=96m "$work/state/images" &&
	run 'dd if=/dev/zero of=/dev/sda bs=64k count=256 oflag=direct; echo "third dd: $?"' "third dd: 0" 120; then
	ok "with room again, the same writes succeed"
else
	failed "with room again, the same writes succeed"
fi

# The error is kept over a restart of hvmd and gone with the next start of the domain.
stop_hvmd
if start_hvmd "$work/state" &&
	[ "$(api GET /v1/domains/full | jq -r '"\(.state) \(.last_error.code)"')" = "running disk-error" ] &&
	api POST /v1/domains/full/stop >/dev/null &&
	[ "$(api GET /v1/domains/full | jq -r '"\(.state) \(.last_error.code)"')" = "stopped disk-error" ] &&
	api POST /v1/domains/full/start >/dev/null &&
	[ "$(api GET /v1/domains/full | jq -r '"\(.state) \(.last_error)"')" = "running null" ]; then
	ok "the error outlives hvmd and ends with the next start"
else
	failed "the error outlives hvmd and ends with the next start"
fi
exec {typed}>&-
echo "1..$test_number"
[ "$test_failures" = 0 ]
