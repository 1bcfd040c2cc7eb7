# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the system tests, the benches and quickstart share; sourced, not run. Sets $root (the
# source tree), $build (the build folder, from the first argument) and $images (where guest images are
# made and kept: HVM_IMAGES, or build/guest).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(cd "${1:-$root/build/release}" 2>/dev/null && pwd) || build=${1:-$root/build/release}
images=${HVM_IMAGES:-$root/build/guest}
hvmd=$build/hvmd/hvmd
ioemu=$build/ioemu/hvm-ioemu
hvmloader=$build/hvmloader/hvmloader.bin
bios=/usr/share/seabios/bios-256k.bin
vgabios=/usr/share/seabios/vgabios-stdvga.bin
test_number=0
test_failures=0

ok() {
	test_number=$((test_number + 1))
	echo "ok $test_number - $*"
}

not_ok() {
	test_number=$((test_number + 1))
	test_failures=$((test_failures + 1))
	echo "not ok $test_number - $*"
}

skip() {
	test_number=$((test_number + 1))
	echo "ok $test_number - # SKIP $*"
}

# build_release LOG - builds build/release, in the source tree; or the end, and why.
build_release() {
	mkdir -p build
	cmake --preset release -DCMAKE_C_COMPILER=gcc >"$1" 2>&1 && cmake --build --preset release >>"$1" 2>&1 || {
		tail -n 40 "$1" >&2
		exit 1
	}
}

# host_model - the highest CPU model that this host can run: hvm-v3, or hvm-v2.
host_model() {
	local feature
	for feature in fma movbe avx f16c bmi1 avx2 bmi2 abm; do
		grep -qw "$feature" /proc/cpuinfo || {
			echo hvm-v2
			return
		}
	done
	echo hvm-v3
}

# need_built FILE... - or skip the whole test.
need_built() {
	local file
	for file in "$@"; do
		[ -e "$file" ] || {
			skip "not built: ${file#"$root/"}"
			exit 0
		}
	done
}

# make_guest - sets $kernel and $initramfs: Debian's cloud kernel and the busybox initramfs.
make_guest() {
	kernel=$("$root/tests/system/images/fetch-kernel" "$images" cloud-amd64) &&
		initramfs=$("$root/tests/system/images/make-initramfs" "$images" amd64)
}

# need_guest [FLAVOUR] - make_guest, or the end of the test; the initramfs with that kernel's modules for
# IDE disks.
need_guest() {
	make_guest && { [ $# = 0 ] ||
		initramfs=$("$root/tests/system/images/make-initramfs" "$images" amd64 "$1"); } && return
	not_ok "test guest made"
	exit 1
}

# make_ticker FOLDER - a kernel that prints a line now and then and never ends; prints its path.
make_ticker() {
	gcc -m32 -nostdlib -static -Wl,-N,-Ttext=0x100000,--build-id=none,--no-warn-rwx-segments \
		-o "$1/ticker.elf" "$root/tests/system/images/ticker.S" >&2 && echo "$1/ticker.elf"
}

# start_hvmd STATE [ARGUMENT...] - start a daemon of our own; sets $hvmd_pid and $hvmd_socket.
start_hvmd() {
	local state=$1 i
	shift
	mkdir -p "$state"
	hvmd_socket=$state/hvmd.sock
	"$hvmd" --state "$state" --socket "$hvmd_socket" --ioemu "$ioemu" --hvmloader "$hvmloader" \
		--bios "$bios" --vgabios "$vgabios" --storage-root "$images" "$@" >>"$state/hvmd.log" 2>&1 &
	hvmd_pid=$!
	for ((i = 0; i < 100; i++)); do
		if curl -s -o /dev/null --unix-socket "$hvmd_socket" http://localhost/healthz; then
			return 0
		fi
		kill -0 "$hvmd_pid" 2>/dev/null || break
		sleep 0.1
	done
	echo "hvmd did not start:" >&2
	tail -n 20 "$state/hvmd.log" >&2
	return 1
}

stop_hvmd() {
	[ -n "${hvmd_pid:-}" ] || return 0
	kill "$hvmd_pid" 2>/dev/null
	wait "$hvmd_pid" 2>/dev/null
	hvmd_pid=
}

# api METHOD PATH [BODY] - one request; prints the answer's body. Fails, with the problem on stderr,
# when the status is 400 or more. TEST_TRANSLATOR: new domains have this setting of "translator".
api() {
	local body=() answer status
	if [ "$1 $2" = "POST /v1/domains" ] && [ -n "${TEST_TRANSLATOR:-}" ]; then
		set -- "$1" "$2" "$(jq -c --arg t "$TEST_TRANSLATOR" '.translator //= $t' <<<"$3")"
	fi
	[ $# -lt 3 ] || body=(-H 'Content-Type: application/json' --data-binary "$3")
	answer=$(curl -sS --max-time 90 --unix-socket "$hvmd_socket" -X "$1" -H 'Prefer: wait=60' \
		"${body[@]}" -w '\n%{http_code}' "http://localhost$2") || return 1
	status=${answer##*$'\n'}
	answer=${answer%$'\n'*}
	if [ "$status" -ge 400 ]; then
		echo "$1 $2: $status $answer" >&2
		return 1
	fi
	printf '%s\n' "$answer"
}

# definition NAME VCPUS CMDLINE [JQ] - a domain that boots the test guest; JQ changes it.
definition() {
	jq -nc --arg name "$1" --argjson vcpus "$2" --arg kernel "$kernel" --arg initrd "$initramfs" \
		--arg cmdline "$3" '{ name: $name, vcpus: $vcpus, memory_mib: 256,
		boot: { kernel: $kernel, initrd: $initrd, cmdline: $cmdline } } | '"${4:-.}"
}

# ioemu_config NAME VCPUS CMDLINE [JQ] - the same as config.json for hvm-ioemu without hvmd.
ioemu_config() {
	definition "$1" "$2" "$3" '. + { uuid: "6d766800-0000-4000-8000-000000000001", engine: "auto",
		cpu_model: "hvm-v2", disks: [], serial: { log_kib: 256 }, display: { type: "none" },
		on_reboot: "stop", on_crash: "stop" }' |
		jq --arg hvmloader "$hvmloader" --arg bios "$bios" --arg vgabios "$vgabios" \
			'.firmware = { hvmloader: $hvmloader, bios: $bios, vgabios: $vgabios } | '"${4:-.}"
}

# finds [GREP-OPTION] TEXT - does the input hold it? For the end of a pipe, where grep -q would stop
# reading at the first match, and whoever still writes would fail the pipe (pipefail).
finds() {
	local text
	text=$(tr -d '\0')
	grep -aq "$@" <<<"$text"
}

# wait_console NAME TEXT SECONDS - until the console shows TEXT; fails when the domain ends first.
wait_console() {
	local end=$((SECONDS + $3)) last=
	while [ "$SECONDS" -lt "$end" ]; do
		if api GET "/v1/domains/$1/console" 2>/dev/null | finds -F "$2"; then
			return 0
		fi
		[ -z "$last" ] || return 1
		case $(api GET "/v1/domains/$1" 2>/dev/null | jq -r .state) in
		stopped | crashed) last=yes ;; # one more look at the console
		esac
		sleep 0.3
	done
	return 1
}

# wait_state NAME STATE SECONDS
wait_state() {
	local end=$((SECONDS + $3))
	while [ "$SECONDS" -lt "$end" ]; do
		[ "$(api GET "/v1/domains/$1" 2>/dev/null | jq -r .state)" != "$2" ] || return 0
		sleep 0.3
	done
	return 1
}
