#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# metrics.sh [BUILD] - /metrics: the counters of vcpus, translator and disks of the domains that run, in
# the text format of Prometheus; an ioemu that is frozen holds nobody up.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

need_built "$hvmd" "$ioemu" "$hvmloader"
need_guest cloud-amd64 # it has IDE disks
work=$(mktemp -d)
end() {
	[ -z "${frozen:-}" ] || kill -CONT "$frozen" 2>/dev/null
	api POST /v1/domains/one/stop >/dev/null 2>&1
	api POST /v1/domains/two/stop >/dev/null 2>&1
	stop_hvmd
	rm -rf "$work" "${disk:-}"
}
trap end EXIT

# check TITLE COMMAND...
check() {
	local title=$1
	shift
	if "$@" >"$work/check" 2>&1; then ok "$title"; else
		not_ok "$title"
		head -n 40 "$work/check" "$work/text" 2>/dev/null | sed 's/^/# /'
	fi
}

scrape() {
	curl -sS --max-time 30 --unix-socket "$hvmd_socket" http://localhost/metrics >"$work/text"
}

# value NAME LABELS - of one sample; nothing if it is not there.
value() {
	awk -v key="$1{$2}" '$1 == key { print $2 }' "$work/text"
}

# scrape_for NAME LABELS - until it is there: an ioemu that is late is left out of an answer.
scrape_for() {
	local end=$((SECONDS + 60))
	scrape
	while [ -z "$(value "$1" "$2")" ] && [ "$SECONDS" -lt "$end" ]; do
		scrape
	done
	[ -n "$(value "$1" "$2")" ]
}

# Each sample behind the HELP and TYPE lines of its name, each name once; values are numbers.
well_formed() {
	awk '/^# HELP [a-z_]+ [A-Za-z]/ { help = $3; next }
		/^# TYPE [a-z_]+ (counter|gauge)$/ { if (seen[$3]++ || help != $3) bad = bad $0 "\n"; name = $3; next }
		{ n = $1; sub(/\{.*/, "", n) }
		n != name || NF != 2 || $2 !~ /^[0-9]+$/ { bad = bad $0 "\n" }
		END { printf "%s", bad; exit bad != "" }' "${1:-$work/text}"
}

start_hvmd "$work" || {
	not_ok "hvmd starts"
	exit 1
}
scrape
check "a daemon without domains has counters" test "$(value hvmd_domains 'state="running"')" = 0
export disk=$images/metrics-$$.raw # below hvmd's storage root
truncate -s 1M "$disk"
for name in one two; do
	api POST /v1/domains "$(definition "$name" 2 "console=ttyS0 hvm.test=idle" \
		'.engine = "soft" | .translator = "on" | if $name == "one" then .perf_map = true |
		.disks = [{ id: "root", path: env.disk, format: "raw", bus: "ide" }] else . end')" >/dev/null &&
		api POST "/v1/domains/$name/start" >/dev/null ||
		not_ok "$name starts"
done
check "two guests reach user space" eval 'wait_console one "hvm-guest: user space reached" 120 &&
	wait_console two "hvm-guest: user space reached" 120'
until_late=$((SECONDS + 60))
until scrape && [ -n "$(value hvm_vcpu_exits_total 'domain="one",vcpu="1"')" ] &&
	[ -n "$(value hvm_vcpu_exits_total 'domain="two",vcpu="1"')" ] || [ "$SECONDS" -ge "$until_late" ]; do :; done
check "the text is well formed" well_formed
check "and says how much was read of a disk" test "$(value hvm_disk_reads_total 'domain="one",disk="0"')" -gt 0
check "two domains run" test "$(value hvmd_domains 'state="running"')" = 2
for counter in exits hlt interrupts tlb_miss block_decode tr_blocks tr_runs tr_links; do
	check "$counter is counted for every vcpu" eval '
		for labels in one,0 one,1 two,0 two,1; do
			n=$(value hvm_vcpu_${counter}_total "domain=\"${labels%,*}\",vcpu=\"${labels#*,}\"")
			echo "$labels: $n"
			[ "${n:-0}" -gt 0 ] || break
		done; [ "${n:-0}" -gt 0 ]'
done
before=$(value hvm_vcpu_exits_total 'domain="one",vcpu="0"')
api POST /v1/domains/one/pause >/dev/null && scrape_for hvm_vcpu_exits_total 'domain="one",vcpu="0"'
check "a paused domain has its counters, which do not fall" \
	test "$(value hvm_vcpu_exits_total 'domain="one",vcpu="0"')" -ge "$before"

# A block has two parts, which are named before it is counted.
run=$work/run/$(api GET /v1/domains/one | jq -r .uuid)
check "perf.map names every translated block" test "$(grep -cE '^[0-9a-f]+ [0-9a-f]+ guest_[0-9a-f]+$' "$run/perf.map")" -ge \
	"$((2 * $(value hvm_vcpu_tr_blocks_total 'domain="one",vcpu="0"')))"
check "and nothing else" test "$(grep -cvE '^[0-9a-f]+ [0-9a-f]+ guest_[0-9a-f]+$' "$run/perf.map")" = 0
check "where it was not asked for there is none" test ! -e "$work/run/$(api GET /v1/domains/two | jq -r .uuid)/perf.map"

frozen=$(cat "$work/run/$(api GET /v1/domains/two | jq -r .uuid)/pid")
kill -STOP "$frozen"
for i in 1 2 3 4; do
	curl -sS --max-time 30 --unix-socket "$hvmd_socket" http://localhost/metrics >"$work/text$i" &
	waits[i]=$!
done
wait "${waits[@]}"
check "with an ioemu frozen, all who ask get an answer" eval 'for i in 1 2 3 4; do
		well_formed "$work/text$i" && grep -q "^hvmd_domains" "$work/text$i" || break
	done && [ "$i" = 4 ]'
check "and the others' counters" scrape_for hvm_vcpu_exits_total 'domain="one",vcpu="0"'
check "but not its own" test -z "$(value hvm_vcpu_exits_total 'domain="two",vcpu="0"')"
kill -CONT "$frozen"
frozen=
check "it is counted again when it goes on" scrape_for hvm_vcpu_exits_total 'domain="two",vcpu="0"'

# What perf.map was asked for once is not there for ever.
api POST /v1/domains/one/stop >/dev/null && api PATCH /v1/domains/one '{"perf_map": false}' >/dev/null &&
	api POST /v1/domains/one/start >/dev/null
check "without perf_map the old file is gone" test ! -e "$run/perf.map"

# While hvmd ends, and stops its domains, requests keep coming.
stop_hvmd
start_hvmd "$work" --stop-domains && wait_state one running 30 && scrape_for hvm_vcpu_exits_total 'domain="one",vcpu="0"'
clients=()
for i in $(seq 8); do
	while curl -s --max-time 10 --unix-socket "$hvmd_socket" -o "$work/text$i" http://localhost/metrics; do :; done &
	clients+=($!)
done
until [ -s "$work/text8" ]; do kill -0 "${clients[7]}" 2>/dev/null || break; done
kill "$hvmd_pid"
wait "$hvmd_pid"
status=$?
hvmd_pid=
wait "${clients[@]}"
check "hvmd ends in order while it is asked on" test "$status" = 0
check "and has stopped its domains" eval '! pgrep -f "hvm-ioemu --dir $work/run/" && ! grep -i sanitizer "$work/hvmd.log"'
echo "1..$test_number"
[ "$test_failures" = 0 ]
