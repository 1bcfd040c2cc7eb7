#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# boot-guests.sh [BUILD] - through the HTTP API: a GRUB CD-ROM through SeaBIOS, a Debian disk with
# systemd to its login prompt and down again by the power button, memtest86+ by its screen, and a
# 32-bit Debian kernel.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

need_built "$hvmd" "$ioemu" "$hvmloader" "$build/tests/system/png_colours"
make=$root/tests/system/images
work=$(mktemp -d)
domains=
end() {
	local name
	for name in $domains; do
		api POST "/v1/domains/$name/stop" >/dev/null 2>&1
		api DELETE "/v1/domains/$name" >/dev/null 2>&1
	done
	stop_hvmd
	rm -rf "$work" "$images/run"
}
trap end EXIT

failed() {
	not_ok "$1"
	{
		api GET "/v1/domains/$2"
		api GET "/v1/domains/$2/console" | tail -n 30
	} 2>&1 | tr -d '\r' | sed 's/^/# /'
}

# boot NAME JQ - a domain of 512 MiB that JQ completes, started.
boot() {
	domains="$domains $1"
	api POST /v1/domains "$(jq -nc --arg name "$1" \
		'{ name: $name, vcpus: 1, memory_mib: 512 } | '"$2")" >/dev/null &&
		api POST "/v1/domains/$1/start" >/dev/null
}

# shows NAME TITLE TEXT SECONDS
shows() {
	if wait_console "$1" "$3" "$4"; then ok "$2"; else failed "$2" "$1"; fi
}

powered_off() {
	if wait_state "$1" stopped "$3" &&
		[ "$(api GET "/v1/domains/$1" | jq -r .state_reason)" = poweroff ]; then
		ok "$2"
	else
		failed "$2" "$1"
	fi
}

start_hvmd "$work" || {
	not_ok "hvmd starts"
	exit 1
}

title="a 32-bit Debian kernel reaches user space"
if kernel=$("$make/fetch-kernel" "$images" 686) && initramfs=$("$make/make-initramfs" "$images" i386) &&
	boot i386 "$(printf '.boot = { kernel: "%s", initrd: "%s", cmdline: "console=ttyS0 hvm.test=poweroff" }' \
		"$kernel" "$initramfs")"; then
	shows i386 "$title" "hvm-guest: user space reached" 240
	powered_off i386 "it powers off" 60
else
	not_ok "$title: no image or no start"
fi

title="GRUB starts from a CD-ROM through SeaBIOS"
if iso=$("$make/make-grub-iso" "$images") &&
	boot grub "$(printf '.boot = { firmware: "bios", order: ["cdrom"] } | .disks = [ { id: "cd",
		path: "%s", format: "raw", bus: "ide", device: "cdrom", read_only: true } ]' "$iso")"; then
	shows grub "$title" "GRUB" 60
	shows grub "and boots Linux from it" "hvm-guest: user space reached" 180
else
	not_ok "$title: no image or no start"
fi

title="memtest86+ shows its screen"
if memtest=$("$make/fetch-memtest" "$images") &&
	boot memtest "$(printf '.boot = { kernel: "%s", cmdline: "" }' "$memtest")"; then
	seen=
	for ((i = 0; i < 60; i++)); do
		curl -s --max-time 10 --unix-socket "$hvmd_socket" -o "$work/screen.png" \
			http://localhost/v1/domains/memtest/screenshot
		# White on blue, with a grey bar at the bottom, in an 80x25 text mode.
		"$build/tests/system/png_colours" "$work/screen.png" >"$work/colours" 2>/dev/null
		if grep -qx '720 400' "$work/colours" && awk '$1 == "0000aa" && $2 > 60 { blue = 1 }
			$1 == "aaaaaa" && $2 > 2 { grey = 1 } END { exit !(blue && grey) }' "$work/colours"; then
			seen=yes
			break
		fi
		sleep 0.5
	done
	if [ -n "$seen" ]; then ok "$title"; else failed "$title ($(tr '\n' ' ' <"$work/colours"))" memtest; fi
else
	not_ok "$title: no image or no start"
fi

title="a Debian disk with systemd reaches its login prompt"
if [ "$(id -u)" != 0 ]; then
	skip "$title: making the disk with debootstrap needs root"
elif disk=$("$make/make-debian-disk" "$images") && mkdir -p "$images/run" &&
	cp --sparse=always "$disk" "$images/run/debian.raw" &&
	boot debian "$(printf '.boot = { firmware: "bios", order: ["disk"] } | .disks = [ { id: "root",
		path: "%s", format: "raw", bus: "ide", device: "disk" } ]' "$images/run/debian.raw")"; then
	shows debian "$title" "login:" 300
	if api POST /v1/domains/debian/shutdown >/dev/null; then
		powered_off debian "the power button shuts it down" 120
	else
		failed "the power button shuts it down" debian
	fi
else
	not_ok "$title: no image or no start"
fi
echo "1..$test_number"
[ "$test_failures" = 0 ]
