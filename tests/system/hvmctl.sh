#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hvmctl.sh [BUILD] - the command line client against a daemon of our own and a guest that only
# prints: every command, messages and exit statuses for what goes wrong, TCP with the token.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

hvmctl=$build/hvmctl/hvmctl
need_built "$hvmd" "$ioemu" "$hvmloader" "$hvmctl"
work=$(mktemp -d)
images=$work/storage
mkdir "$images"
end() {
	"$hvmctl" stop one >/dev/null 2>&1
	stop_hvmd
	rm -rf "$work"
}
trap end EXIT

# ctl TITLE STATUS PATTERN ARGUMENT... - one call: its exit status, and a pattern in what it prints.
ctl() {
	local title=$1 wanted=$2 pattern=$3 got=0
	shift 3
	timeout 60 "$hvmctl" "$@" >"$work/out" 2>&1 </dev/null || got=$?
	if [ "$got" = "$wanted" ] && { [ -z "$pattern" ] || grep -aqE -- "$pattern" "$work/out"; }; then
		ok "$title"
	else
		not_ok "$title: wanted status $wanted and \"$pattern\", got $got"
		head -c 600 "$work/out" | sed 's/^/# /'
	fi
}

export HVM_SOCKET=$work/state/hvmd.sock
ctl "no daemon: status 3" 3 "hvmctl: $HVM_SOCKET: " list
start_hvmd "$work/state" || {
	not_ok "hvmd starts"
	exit 1
}
kernel=$(make_ticker "$images") || {
	not_ok "test guest made"
	exit 1
}
jq -n --arg kernel "$kernel" '{ name: "one", memory_mib: 32, boot: { kernel: $kernel } }' \
	>"$work/one.json"

ctl "no command: status 2" 2 '^usage: hvmctl '
ctl "an unknown command: status 2" 2 'there is no command "frob"' frob
ctl "a missing argument: status 2" 2 '^usage: hvmctl start DOMAIN' start
ctl "--help" 0 '^usage: hvmctl ' --help
ctl "host" 0 '"name": "soft"' host
ctl "create" 0 '"state": "defined"' create "$work/one.json"
ctl "create again: refused with the reason" 1 'exists already \(name-exists\)' create "$work/one.json"
ctl "create from a file that is not there: status 2" 2 'No such file' create "$work/none.json"
echo '{"name": "two", "vcpus": 0, "flavour": 1}' >"$work/bad.json"
ctl "create with two wrong fields names the first" 1 'flavour: there is no such field' \
	create "$work/bad.json"
ctl "create with two wrong fields names the second" 1 'vcpus is 0; it must be 1 to 16' \
	create "$work/bad.json"
ctl "show of nothing: status 1" 1 'no domain "nobody" \(domain-not-found\)' show nobody
ctl "a name that is none: status 2" 2 'no name of a domain' show ..
ctl "list" 0 '^one +defined +1 +32' list
ctl "pause of what does not run: refused" 1 'not possible while "one" is defined \(wrong-state\)' \
	pause one
ctl "screenshot of what does not run: refused" 1 'wrong-state' screenshot one "$work/none.png"
ctl "start" 0 '' start one
ctl "list shows it running" 0 '^one +running' list
ctl "delete while it runs: refused" 1 'cannot be deleted while it is running' delete one
ctl "pause" 0 '' pause one
ctl "show says paused" 0 '"state": "paused"' show one
ctl "resume" 0 '' resume one
ctl "send-key" 0 '' send-key one ctrl a
ctl "send-key with a key that is none: refused" 1 'hvmctl: send-key one: ' send-key one hyper
ctl "screenshot" 0 '' screenshot one "$work/one.png"
if [ "$(head -c 8 "$work/one.png" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]; then
	ok "the screenshot is a PNG"
else
	not_ok "the screenshot is a PNG"
fi
ctl "shutdown: the guest need not listen" 0 '' shutdown one
ctl "reboot: nor here" 0 '' reboot one
ctl "reset" 0 '' reset one
for ((i = 0; i < 50; i++)); do
	"$hvmctl" console one 2>/dev/null | finds tick && break
	sleep 0.2
done
ctl "console" 0 '^tick 0000' console one
timeout 60 "$hvmctl" console -f one >"$work/followed" 2>&1 &
follower=$!
sleep 2
ctl "stop" 0 '' stop one
if wait "$follower" && grep -a '^tick' "$work/followed" >"$work/ticks" && [ "$(wc -l <"$work/ticks")" -gt 2 ] &&
	cmp -s "$work/followed" <("$hvmctl" console one); then
	ok "console -f ends with the guest and has shown all of it"
else
	not_ok "console -f ends with the guest and has shown all of it"
	head -c 300 "$work/followed" | sed 's/^/# /'
fi
ctl "show says stopped" 0 '"state": "stopped"' show one
ctl "delete" 0 '' delete one
ctl "delete again: status 1" 1 domain-not-found delete one
stop_hvmd

# TCP: the token of the state folder is needed.
port=$((20000 + RANDOM % 10000))
"$hvmd" --state "$work/state" --listen "127.0.0.1:$port" --ioemu "$ioemu" --hvmloader "$hvmloader" \
	--bios "$bios" --vgabios "$vgabios" >>"$work/state/hvmd.log" 2>&1 &
hvmd_pid=$!
for ((i = 0; i < 50; i++)); do
	[ ! -s "$work/state/token" ] || "$hvmctl" host >/dev/null 2>&1 && break
	sleep 0.1
done
url=http://127.0.0.1:$port
ctl "TCP without the token: refused" 1 token-required --url "$url" list
ctl "TCP with a wrong token: refused" 1 token-required --url "$url" --token wrong list
ctl "TCP with the token" 0 '^NAME' --url "$url" --token-file "$work/state/token" list
echo "1..$test_number"
[ "$test_failures" = 0 ]
