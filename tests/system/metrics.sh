#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# metrics.sh [BUILD] - /metrics: the counters of vcpus, translator and disks of the domains that run, in
# the text format of Prometheus; an ioemu that is frozen holds nobody up.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

need_built "$hvmd" "$ioemu" "$hvmloader"
make_guest || {
	not_ok "test guest made"
	exit 1
}
work=$(mktemp -d)
end() {
	[ -z "${frozen:-}" ] || kill -CONT "$frozen" 2>/dev/null
	api POST /v1/domains/one/stop >/dev/null 2>&1
	api POST /v1/domains/two/stop >/dev/null 2>&1
	stop_hvmd
	rm -rf "$work"
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

# Each sample behind the TYPE line of its name, each name once; values are numbers.
well_formed() {
	awk '/^# TYPE [a-z_]+ (counter|gauge)$/ { if (seen[$3]++) bad = bad $0 "\n"; name = $3; next }
		{ n = $1; sub(/\{.*/, "", n) }
		n != name || NF != 2 || $2 !~ /^[0-9]+$/ { bad = bad $0 "\n" }
		END { printf "%s", bad; exit bad != "" }' "$work/text"
}

start_hvmd "$work" || {
	not_ok "hvmd starts"
	exit 1
}
scrape
check "a daemon without domains has counters" test "$(value hvmd_domains 'state="running"')" = 0
truncate -s 1M "$work/disk.raw"
for name in one two; do
	api POST /v1/domains "$(definition "$name" 2 "console=ttyS0 hvm.test=idle" \
		'.engine = "soft" | .translator = "on" | .perf_map = ($name == "one")')" >/dev/null &&
		api POST "/v1/domains/$name/start" >/dev/null ||
		not_ok "$name starts"
done
check "two guests reach user space" eval 'wait_console one "hvm-guest: user space reached" 120 &&
	wait_console two "hvm-guest: user space reached" 120'
scrape
check "the text is well formed" well_formed
check "two domains run" test "$(value hvmd_domains 'state="running"')" = 2
for counter in exits hlt interrupts tlb_miss block_decode tr_blocks tr_runs tr_links; do
	check "$counter is counted for every vcpu" eval '
		for labels in one,0 one,1 two,0 two,1; do
			n=$(value hvm_vcpu_${counter}_total "domain=\"${labels%,*}\",vcpu=\"${labels#*,}\"")
			echo "$labels: $n"
			[ "${n:-0}" -gt 0 ] || break
		done; [ "${n:-0}" -gt 0 ]'
done
# A block has two parts, which are named before it is counted.
run=$work/run/$(api GET /v1/domains/one | jq -r .uuid)
check "perf.map names every translated block" test "$(grep -cE '^[0-9a-f]+ [0-9a-f]+ guest_[0-9a-f]+$' "$run/perf.map")" -ge \
	"$((2 * $(value hvm_vcpu_tr_blocks_total 'domain="one",vcpu="0"')))"
check "and nothing else" test "$(grep -cvE '^[0-9a-f]+ [0-9a-f]+ guest_[0-9a-f]+$' "$run/perf.map")" = 0
check "where it was not asked for there is none" test ! -e "$work/run/$(api GET /v1/domains/two | jq -r .uuid)/perf.map"
before=$(value hvm_vcpu_exits_total 'domain="one",vcpu="0"')
api POST /v1/domains/one/pause >/dev/null && scrape
check "a paused domain has its counters, which do not fall" \
	test "$(value hvm_vcpu_exits_total 'domain="one",vcpu="0"')" -ge "$before"

frozen=$(cat "$work/run/$(api GET /v1/domains/two | jq -r .uuid)/pid")
kill -STOP "$frozen"
for i in 1 2 3 4; do
	curl -sS --max-time 30 --unix-socket "$hvmd_socket" http://localhost/metrics >"$work/text$i" &
	waits[i]=$!
done
wait "${waits[@]}"
cp "$work/text3" "$work/text"
check "with an ioemu frozen, several who ask get the others' counters" eval 'well_formed &&
	[ -n "$(value hvm_vcpu_exits_total "domain=\"one\",vcpu=\"0\"")" ] &&
	[ -z "$(value hvm_vcpu_exits_total "domain=\"two\",vcpu=\"0\"")" ]'
scrape
check "and the next one too" test -n "$(value hvm_vcpu_exits_total 'domain="one",vcpu="0"')"
kill -CONT "$frozen"
frozen=
end_at=$((SECONDS + 60))
until [ -n "$(value hvm_vcpu_exits_total 'domain="two",vcpu="0"')" ] || [ "$SECONDS" -ge "$end_at" ]; do
	scrape
done
check "it is counted again when it goes on" test -n "$(value hvm_vcpu_exits_total 'domain="two",vcpu="0"')"
echo "1..$test_number"
[ "$test_failures" = 0 ]
