#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# boot-direct.sh [BUILD] - through the HTTP API: Debian's cloud kernel by direct boot with 1, 2 and 4
# vcpus, poweroff and reboot inside the guest, and the refusals of a wrong request.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

need_built "$hvmd" "$ioemu" "$hvmloader"
need_guest
work=$(mktemp -d)
end() {
	local name
	for name in boot1 boot2 boot4 again; do
		api POST "/v1/domains/$name/stop" >/dev/null 2>&1
		api DELETE "/v1/domains/$name" >/dev/null 2>&1
	done
	stop_hvmd
	rm -rf "$work"
}
trap end EXIT

# failed NAME DOMAIN - a failure with what is known about it.
failed() {
	not_ok "$1"
	{
		api GET "/v1/domains/$2"
		api GET "/v1/domains/$2/console" | tail -n 30
		tail -n 10 "$work/hvmd.log"
	} 2>&1 | tr -d '\r' | sed 's/^/# /'
}

start_hvmd "$work" || {
	not_ok "hvmd starts"
	exit 1
}
ok "hvmd starts"

for vcpus in 1 2 4; do
	name=boot$vcpus
	title="Debian reaches user space with $vcpus vcpus"
	if api POST /v1/domains "$(definition "$name" "$vcpus" "console=ttyS0 hvm.test=poweroff")" \
		>/dev/null && api POST "/v1/domains/$name/start" >/dev/null &&
		wait_console "$name" "hvm-guest: user space reached, cpus=$vcpus" 120; then
		ok "$title"
	else
		failed "$title" "$name"
		continue
	fi
	title="poweroff with $vcpus vcpus: stopped, reason poweroff"
	if wait_state "$name" stopped 60 &&
		[ "$(api GET "/v1/domains/$name" | jq -r .state_reason)" = poweroff ]; then
		ok "$title"
	else
		failed "$title" "$name"
	fi
done

title="Debian reaches user space and powers off with the interpreter alone"
if api POST /v1/domains "$(definition interpreted 2 "console=ttyS0 hvm.test=poweroff" \
	'.translator = "off"')" | jq -e '.translator == "off"' >/dev/null &&
	api POST /v1/domains/interpreted/start >/dev/null &&
	wait_console interpreted "hvm-guest: user space reached, cpus=2" 120 &&
	wait_state interpreted stopped 60; then
	ok "$title"
else
	failed "$title" interpreted
fi

title="reboot inside the guest starts it again"
if api POST /v1/domains "$(definition again 1 "console=ttyS0 hvm.test=reboot")" >/dev/null &&
	api POST /v1/domains/again/start >/dev/null; then
	end=$((SECONDS + 180))
	starts=0
	while [ "$SECONDS" -lt "$end" ] && [ "$starts" -lt 2 ]; do
		sleep 0.5
		starts=$(api GET /v1/domains/again/console 2>/dev/null |
			grep -acF 'hvm-guest: user space reached' || true)
	done
	if [ "$starts" -ge 2 ]; then ok "$title"; else failed "$title" again; fi
else
	failed "$title" again
fi

# refused NAME STATUS CODE BODY - a POST of a definition that must not be taken.
refused() {
	local got
	got=$(curl -sS --max-time 30 --unix-socket "$hvmd_socket" -H 'Content-Type: application/json' \
		--data-binary "$4" -o "$work/problem" -w '%{http_code}' http://localhost/v1/domains)
	if [ "$got" = "$2" ] && jq -e '.code | length > 0' "$work/problem" >/dev/null &&
		grep -qE "$3" "$work/problem"; then
		ok "$1: $2"
	else
		not_ok "$1: wanted $2, got $got: $(head -c 300 "$work/problem")"
	fi
}
refused "malformed JSON" 400 . '{"name": '
refused "an unknown field" 422 flavour "$(definition odd 1 quiet '.flavour = "sweet"')"
refused "a duplicate name" 409 boot1 "$(definition boot1 1 quiet)"
echo "1..$test_number"
[ "$test_failures" = 0 ]
