#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# api-events.sh [BUILD] - what clients need to be sure: events that are replayed and never lost,
# a POST that is sent twice and happens once, and lists in pages.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

hvmctl=$build/hvmctl/hvmctl
need_built "$hvmd" "$ioemu" "$hvmloader" "$hvmctl"
work=$(mktemp -d)
images=$work/storage
mkdir "$images"
end() {
	api POST /v1/domains/one/stop >/dev/null 2>&1
	stop_hvmd
	rm -rf "$work"
}
trap end EXIT

# is TITLE WANTED GOT
is() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: wanted $2, got $3"; fi
}

# post PATH KEY [BODY] - sets $status and $replayed; the body is in $work/body.
post() {
	local body=()
	[ $# -lt 3 ] || body=(-H 'Content-Type: application/json' -d "$3")
	status=$(curl -sS --max-time 60 --unix-socket "$hvmd_socket" -X POST -H 'Prefer: wait=30' \
		-H "Idempotency-Key: $2" "${body[@]}" -o "$work/body" -D "$work/header" \
		-w '%{http_code}' "http://localhost$1")
	replayed=$(sed -n 's/^[Ii]dempotent-[Rr]eplayed: *//p' "$work/header" | tr -d '\r')
}

# events SINCE - the events after that number that are there by now, a JSON object a line.
events() {
	curl -sS --max-time 1 --unix-socket "$hvmd_socket" "http://localhost/v1/events?since=$1" \
		2>/dev/null | sed -n 's/^data: //p'
}

kernel=$(make_ticker "$images") && start_hvmd "$work/state" || {
	not_ok "guest made and hvmd started"
	exit 1
}
export HVM_SOCKET=$hvmd_socket
definition=$(jq -nc --arg kernel "$kernel" '{ name: "one", memory_mib: 32, boot: { kernel: $kernel } }')

# A listener from the beginning; it must hear everything that the replay later says.
curl -sSN --unix-socket "$hvmd_socket" http://localhost/v1/events >"$work/live" 2>/dev/null &
listener=$!
timeout 120 "$hvmctl" events >"$work/ctl-live" 2>"$work/ctl-err" &
ctl_listener=$!
sleep 0.5

post /v1/domains k1 "$definition"
is "a POST with a key" "201 " "$status $replayed"
uuid=$(jq -r .uuid "$work/body")
cp "$work/body" "$work/first"
etag=$(grep -i '^etag' "$work/header")
post /v1/domains k1 "$definition"
is "the same again: the first answer" "201 true $uuid" "$status $replayed $(jq -r .uuid "$work/body")"
is "its body, ETag and Location too" "same $etag" \
	"$(cmp "$work/body" "$work/first" && echo same) $(grep -i '^etag' "$work/header")"
is "there is one domain" 1 "$(api GET /v1/domains | jq '.domains | length')"
post /v1/domains k1 "${definition/32/64}"
is "the same key with another body" "422 key-reused" "$status $(jq -r .code "$work/body")"
post /v1/domains/one/start k1
is "the same key with another path" "422 key-reused" "$status $(jq -r .code "$work/body")"
post /v1/domains/nobody/start k2
is "a refusal" "404 " "$status $replayed"
post /v1/domains k2 "${definition/one/two}"
is "is not kept: its key is still free" "201 " "$status $replayed"
post /v1/domains/one/start k3
operation=$(jq -r .id "$work/body")
is "an action with a key" "200 succeeded" "$status $(jq -r .state "$work/body")"
post /v1/domains/one/start k3
is "again: the same operation, not wrong-state" "200 true $operation" \
	"$status $replayed $(jq -r .id "$work/body")"
post /v1/domains/one/start k4
is "with another key it is another request" "409 wrong-state" "$status $(jq -r .code "$work/body")"
stop_hvmd
start_hvmd "$work/state"
post /v1/domains k1 "$definition"
is "a key outlives hvmd" "201 true $uuid" "$status $replayed $(jq -r .uuid "$work/body")"
post /v1/domains/one/start k3
is "that of an action too" "200 true $operation" "$status $replayed $(jq -r .id "$work/body")"
wait "$listener"
is "the end of hvmd ends a stream in order" 0 $?
wait "$ctl_listener"
is "hvmctl events says that it ended" 3 $?

# Events: what was heard live is what is replayed, in order and without a gap.
events 0 >"$work/all"
sed -n 's/^data: //p' "$work/live" >"$work/heard"
is "live and replayed events are the same" same \
	"$(head -n "$(wc -l <"$work/heard")" "$work/all" | cmp - "$work/heard" && echo same)"
is "hvmctl heard them too" same "$(cmp "$work/ctl-live" "$work/heard" && echo same)"
is "the numbers have no gap" true "$(jq -s '[.[].seq] == [range(1; length + 1)]' "$work/all")"
is "the first is the creation" "domain-created one $uuid" \
	"$(head -n 1 "$work/all" | jq -r '"\(.kind) \(.name) \(.domain)"')"
is "a start: the operation, starting, running, done" \
	"operation:running domain-state:starting domain-state:running operation:succeeded" \
	"$(jq -r 'select(.name == "one" and .seq > 2) | "\(.kind):\(.details.state)"' "$work/all" | head -n 4 | xargs)"
last=$(tail -n 1 "$work/all" | jq .seq)
is "nothing after the last" "" "$(events "$last")"
api PATCH /v1/domains/two '{"memory_mib": 40}' >/dev/null
api POST /v1/domains/one/pause >/dev/null
api DELETE /v1/domains/two >/dev/null
is "then what is new" "domain-changed operation domain-state operation domain-deleted" \
	"$(events "$last" | jq -r .kind | xargs)"
is "Last-Event-ID does as since" "$((last + 1))" "$(curl -sS --max-time 1 --unix-socket "$hvmd_socket" \
	-H "Last-Event-ID: $last" http://localhost/v1/events 2>/dev/null | sed -n 's/^id: //p' | head -n 1)"

# Streams that nobody reads cost nothing; there is a bound to their number.
pids=()
for ((i = 0; i < 32; i++)); do
	curl -sS --max-time 20 --unix-socket "$hvmd_socket" "http://localhost/v1/events?since=0" \
		>/dev/null 2>&1 &
	pids+=($!)
done
sleep 1
is "the 33rd stream is refused" too-many-streams "$(curl -sS --max-time 5 --unix-socket "$hvmd_socket" \
	http://localhost/v1/events | jq -r .code)"
kill "${pids[@]}" 2>/dev/null
wait "${pids[@]}" 2>/dev/null
api POST /v1/domains/one/resume >/dev/null # somebody must be told, to find them gone
sleep 0.5
is "when they are gone there is room" "$((last + 1))" "$(events "$last" | head -n 1 | jq .seq)"

# Pages.
for name in delta alpha echo bravo charlie; do
	api POST /v1/domains "${definition/one/$name}" >/dev/null
done
after=
names=
for ((i = 0; i < 10; i++)); do
	page=$(api GET "/v1/domains?limit=2${after:+&after=$after}")
	names="$names$(jq -r '[.domains[].name] | join(",")' <<<"$page") "
	after=$(jq -r '.next // ""' <<<"$page")
	[ -n "$after" ] || break
done
is "pages of two, by name" "alpha,bravo charlie,delta echo,one " "$names"
api DELETE /v1/domains/bravo >/dev/null
is "a page follows a domain that is gone" charlie \
	"$(api GET '/v1/domains?limit=1&after=bravo' | jq -r '.domains[0].name')"
api PATCH /v1/domains/alpha '{"name": "zulu"}' >/dev/null
is "a new name has its new place" "charlie delta echo one zulu" \
	"$(api GET /v1/domains | jq -r '.domains[].name' | xargs)"
is "hvmctl lists them all" "charlie delta echo one zulu" "$("$hvmctl" list | awk 'NR > 1 { print $1 }' | xargs)"
is "limit with a state" "one true" \
	"$(api GET '/v1/domains?limit=1&state=running' | jq -r '"\(.domains[0].name) \(.next == null)"')"
echo "1..$test_number"
[ "$test_failures" = 0 ]
