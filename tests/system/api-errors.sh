#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# api-errors.sh [BUILD] - what goes wrong is told clearly, and nothing is lost by it: wrong requests,
# files that are no good, actions in the wrong state, an ioemu or an hvmd that is killed, a database
# that is damaged or made by a newer hvmd. After every refusal all domains are as they were.
set -uo pipefail
# Without root's privileges, as hvmd is meant to run: what a file's mode says counts then.
if [ "$(id -u)" = 0 ] && [ -z "${HVM_UNPRIVILEGED:-}" ]; then
	exec env HVM_UNPRIVILEGED=1 setpriv --inh-caps=-all --bounding-set=-all "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"

need_built "$hvmd" "$ioemu" "$hvmloader"
work=$(mktemp -d)
images=$work/storage
mkdir "$images"
end() {
	[ -z "${hvmd_pid:-}" ] || api POST /v1/domains/good/stop >/dev/null 2>&1
	stop_hvmd
	rm -rf "$work"
}
trap end EXIT

# request METHOD PATH [CURL-ARGUMENT...] - sets $status; the body is in $work/body.
request() {
	local method=$1 path=$2
	shift 2
	status=$(curl -sS --max-time 60 --unix-socket "$hvmd_socket" -X "$method" -o "$work/body" \
		-H 'Content-Type: application/json' -H 'Prefer: wait=30' -w '%{http_code}' "$@" \
		"http://localhost$path")
}

# refused TITLE STATUS CODE DETAIL METHOD PATH [CURL-ARGUMENT...] - the problem, and that the domains
# did not change. DETAIL is a pattern.
refused() {
	local title=$1 wanted=$2 code=$3 detail=$4 before
	shift 4
	before=$(api GET /v1/domains)
	request "$@"
	if [ "$status" != "$wanted" ] || [ "$(jq -r .code "$work/body")" != "$code" ] ||
		! jq -r .detail "$work/body" | finds -E -- "$detail"; then
		not_ok "$title: wanted $wanted $code \"$detail\", got $status $(head -c 400 "$work/body")"
	elif [ "$before" != "$(api GET /v1/domains)" ]; then
		not_ok "$title: the domains changed"
	else
		ok "$title: $status $code"
	fi
}

# define JQ - the good definition, changed by JQ.
define() {
	jq -nc --arg kernel "$kernel" --arg images "$images" --arg work "$work" \
		'{ name: "other", memory_mib: 32, boot: { kernel: $kernel } } | '"$1"
}

# fails_to_start TITLE CODE DETAIL JQ - a domain that may be defined and whose start fails: stopped, and
# the operation says why. The domain is gone afterwards.
fails_to_start() {
	api POST /v1/domains "$(define "$4")" >/dev/null || {
		not_ok "$1: not defined"
		return
	}
	request POST /v1/domains/other/start
	if [ "$(jq -r '"\(.state) \(.error.code)"' "$work/body")" = "failed $2" ] &&
		jq -r .error.detail "$work/body" | finds -E -- "$3" &&
		[ "$(api GET /v1/domains/other | jq -r .state)" = stopped ]; then
		ok "$1: the operation failed with $2"
	else
		not_ok "$1: wanted $2 \"$3\", got $status $(head -c 400 "$work/body")"
	fi
	sleep 0.3 # ioemu ends
	api DELETE /v1/domains/other >/dev/null || not_ok "$1: cannot be deleted"
}

kernel=$(make_ticker "$images") && start_hvmd "$work/state" || {
	not_ok "guest made and hvmd started"
	exit 1
}
truncate -s 1M "$images/disk.raw" "$work/outside.raw"
ln -s "$work/outside.raw" "$images/link.raw"
mkfifo "$images/fifo"
mkdir "$images/folder"
if api POST /v1/domains "$(define '.name = "good"')" >/dev/null &&
	api POST /v1/domains/good/start >/dev/null; then
	ok "a domain runs"
else
	not_ok "a domain runs"
fi

post=(POST /v1/domains)
refused "malformed JSON" 400 malformed-json 'line 1, column' "${post[@]}" -d '{"name": '
refused "no body" 400 malformed-json empty "${post[@]}"
refused "a key twice" 400 malformed-json duplicate "${post[@]}" -d '{"name": "a", "name": "b"}'
refused "no object" 422 invalid-type 'must be a JSON object' "${post[@]}" -d '[]'
head -c 300000 /dev/zero | tr '\0' ' ' >"$work/large"
refused "oversize body" 413 body-too-large '262144 bytes' "${post[@]}" --data-binary "@$work/large"
refused "unknown field" 422 unknown-field flavour "${post[@]}" -d "$(define '.flavour = 1')"
refused "unknown field of a disk" 422 unknown-field 'disks/0/colour' "${post[@]}" \
	-d "$(define '.disks = [{ id: "a", path: "\($images)/disk.raw", colour: 1 }]')"
refused "no name" 422 missing-field name "${post[@]}" -d "$(define 'del(.name)')"
refused "a name with a slash" 422 invalid-name 'a/b' "${post[@]}" -d "$(define '.name = "a/b"')"
refused "duplicate name" 409 name-exists good "${post[@]}" -d "$(define '.name = "good"')"
refused "no memory" 422 out-of-range 'memory_mib is 0' "${post[@]}" -d "$(define '.memory_mib = 0')"
refused "too much memory" 422 not-enough-memory 'memory_mib is 1073741824' "${post[@]}" \
	-d "$(define '.memory_mib = 1073741824')"
refused "memory over any number" 400 malformed-json . "${post[@]}" \
	-d '{"name": "other", "memory_mib": 99999999999999999999}'
refused "memory as text" 422 invalid-type 'must be an integer' "${post[@]}" \
	-d "$(define '.memory_mib = "32"')"
refused "an unknown CPU model" 422 not-supported 'cpu_model is "hvm-v4"; .* hvm-v1\|hvm-v2\|hvm-v3' \
	"${post[@]}" -d "$(define '.cpu_model = "hvm-v4"')"
refused "17 vcpus" 422 out-of-range 'vcpus is 17' "${post[@]}" -d "$(define '.vcpus = 17')"
refused "a missing kernel" 422 image-not-found 'boot.kernel: .*No such file' "${post[@]}" \
	-d "$(define '.boot.kernel += "x"')"
refused "a missing disk" 422 image-not-found 'disks\[0\].path: .*No such file' "${post[@]}" \
	-d "$(define '.disks = [{ id: "a", path: "\($images)/none" }]')"
refused "a folder as disk" 422 image-not-readable 'disks\[0\].path' "${post[@]}" \
	-d "$(define '.disks = [{ id: "a", path: "\($images)/folder", read_only: true }]')"
refused "a FIFO as disk" 422 image-not-readable 'neither a file nor a block device' "${post[@]}" \
	-d "$(define '.disks = [{ id: "a", path: "\($images)/fifo" }]')"
refused "a disk outside the storage roots" 422 outside-storage-roots 'disks\[0\]' "${post[@]}" \
	-d "$(define '.disks = [{ id: "a", path: "\($work)/outside.raw" }]')"
refused "a link out of the storage roots" 422 outside-storage-roots 'disks\[0\]' "${post[@]}" \
	-d "$(define '.disks = [{ id: "a", path: "\($images)/link.raw" }]')"
refused "a relative path" 422 invalid-path 'must be absolute' "${post[@]}" \
	-d "$(define '.boot.kernel = "ticker.elf"')"
truncate -s 1M "$images/secret.raw"
chmod 0 "$images/secret.raw"
refused "an unreadable disk" 422 image-not-readable 'Permission denied' "${post[@]}" \
	-d "$(define '.disks = [{ id: "a", path: "\($images)/secret.raw" }]')"
refused "start of what runs" 409 wrong-state 'while "good" is running' POST /v1/domains/good/start
refused "resume of what runs" 409 wrong-state 'while "good" is running' POST /v1/domains/good/resume
refused "delete of what runs" 409 wrong-state 'while it is running' DELETE /v1/domains/good
refused "a change of what runs" 409 wrong-state 'while it is running' PATCH /v1/domains/good \
	-d '{"vcpus": 2}'
refused "a change with an old ETag" 412 revision-mismatch '"7"' PATCH /v1/domains/good \
	-H 'If-Match: "7"' -d '{}'

head -c 100000 /dev/urandom >"$images/noise"
: >"$images/empty"
printf '\177ELF' >"$images/cut"
fails_to_start "a kernel of the wrong kind" kernel-invalid . '.boot.kernel = "\($images)/noise"'
fails_to_start "an empty kernel" kernel-invalid . '.boot.kernel = "\($images)/empty"'
fails_to_start "a kernel that is cut off" kernel-invalid . '.boot.kernel = "\($images)/cut"'
api POST /v1/domains "$(define .)" >/dev/null
mv "$kernel" "$kernel.away"
refused "a kernel that went away after it was defined" 422 image-not-found boot.kernel \
	POST /v1/domains/other/start
mv "$kernel.away" "$kernel"

# ioemu killed: crashed, and why; the definition is there and starts again.
if api POST /v1/domains/other/start >/dev/null &&
	kill -KILL "$(cat "$work/state/run/$(api GET /v1/domains/other | jq -r .uuid)/pid")" &&
	wait_state other crashed 10 &&
	api GET /v1/domains/other | jq -r .state_reason | finds 'signal 9' &&
	api POST /v1/domains/other/start >/dev/null && api POST /v1/domains/other/stop >/dev/null; then
	ok "ioemu killed: crashed with the signal as reason, and it starts again"
else
	not_ok "ioemu killed: $(api GET /v1/domains/other)"
fi

# ioemu frozen: whoever waits is told so, hvmd serves on, and the domain is right again afterwards.
frozen=$(cat "$work/state/run/$(api GET /v1/domains/good | jq -r .uuid)/pid")
kill -STOP "$frozen"
curl -sS --max-time 60 --unix-socket "$hvmd_socket" -o "$work/shot" \
	http://localhost/v1/domains/good/screenshot &
shot=$!
request POST /v1/domains/good/pause
code=$(jq -r '"\(.state) \(.error.code)"' "$work/body")
wait "$shot"
code="$code $(jq -r .code "$work/shot")"
state=$(api GET /v1/domains/good | jq -r .state)
kill -CONT "$frozen"
if [ "$code $state" = "failed ioemu-timeout ioemu-timeout running" ] && wait_state good paused 10 &&
	api POST /v1/domains/good/resume >/dev/null; then
	ok "ioemu frozen: the operation failed with ioemu-timeout; the late pause was noticed"
else
	not_ok "ioemu frozen: $code, $state, then $(api GET /v1/domains/good | jq -r .state)"
fi

# hvmd killed outright: the domain runs on and is found again, with its console.
before=$(api GET /v1/domains | jq -c '.domains[] | [.name, .state, .revision]')
{ kill -KILL "$hvmd_pid" && wait "$hvmd_pid"; } 2>/dev/null
if start_hvmd "$work/state" &&
	[ "$before" = "$(api GET /v1/domains | jq -c '.domains[] | [.name, .state, .revision]')" ] &&
	[ "$(api GET /v1/domains/good | jq -r .state)" = running ] &&
	api POST /v1/domains/good/pause >/dev/null && api POST /v1/domains/good/stop >/dev/null; then
	ok "hvmd killed and started: every domain as before, the running one adopted"
else
	not_ok "hvmd killed and started: $(api GET /v1/domains | head -c 600)"
fi
second=$("$hvmd" --state "$work/state" --socket "$work/second.sock" 2>&1)
if [ $? = 1 ] && grep -q 'another hvmd serves this state folder' <<<"$second"; then
	ok "a second hvmd on the same state folder is refused"
else
	not_ok "a second hvmd on the same state folder: $second"
fi
stop_hvmd

# database TITLE PATTERN - hvmd must not start and must not touch the file.
database() {
	local sum out rc=0
	sum=$(sha256sum <"$work/state/hvm.db")
	out=$(timeout 20 "$hvmd" --state "$work/state" --ioemu "$ioemu" --hvmloader "$hvmloader" 2>&1) ||
		rc=$?
	if [ "$rc" = 1 ] && grep -qE "$2" <<<"$out" &&
		[ "$sum" = "$(sha256sum <"$work/state/hvm.db")" ]; then
		ok "$1: refused, the file untouched"
	else
		not_ok "$1: status $rc: $out"
	fi
}
db=$work/state/hvm.db
cp "$db" "$work/sound.db"
# user_version: 4 bytes, big-endian, at 60 (SQLite file format, 1.3.12)
printf '\0\0\0\143' | dd of="$db" bs=1 seek=60 conv=notrunc status=none
database "a database of a newer schema" 'schema 99, made by a newer hvmd'
cp "$work/sound.db" "$db"
dd if=/dev/urandom of="$db" bs=1 seek=100 count=3000 conv=notrunc status=none
database "a damaged database" 'hvm\.db (is damaged|cannot be read).*backup'
echo "this is no database, whatever it may be; it is long enough to have a header of one" >"$db"
database "a file that is no database" 'hvm\.db cannot be read'
cp "$work/sound.db" "$db"
if start_hvmd "$work/state" && [ "$(api GET /v1/domains | jq '.domains | length')" = 2 ]; then
	ok "with the sound file both domains are there"
else
	not_ok "with the sound file both domains are there"
fi
echo "1..$test_number"
[ "$test_failures" = 0 ]
