#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# console.sh [BUILD] - the interactive console: commands typed into the shell of a Linux guest through
# the websocket of hvmd, several clients, a terminal, what breaks the protocol, and both ends going away.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

hvmctl=$build/hvmctl/hvmctl
need_built "$hvmd" "$ioemu" "$hvmloader" "$hvmctl"
need_guest
work=$(mktemp -d)
end() {
	api POST /v1/domains/shell/stop >/dev/null 2>&1
	stop_hvmd
	rm -rf "$work"
}
trap end EXIT

# failed TITLE FILE... - a failure with the ends of some files.
failed() {
	not_ok "$1"
	shift
	tail -n 15 "$@" 2>/dev/null | tr -d '\r' | sed 's/^/# /'
}

# wait_text FILE TEXT SECONDS
wait_text() {
	local end=$((SECONDS + $3))
	until grep -aqF "$2" "$1" 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# attach NAME - a console client of its own; what is written to descriptor ${NAME} is typed.
attach() {
	mkfifo "$work/$1.in"
	timeout 180 "$hvmctl" console -i shell <"$work/$1.in" >"$work/$1.out" 2>"$work/$1.err" &
	eval "$1_pid=\$!; exec {$1}>\"\$work/\$1.in\""
}

# frames BYTES - the handshake and then BYTES (as printf takes them); what comes back, as hex.
frames() {
	{
		printf 'GET /v1/domains/shell/console HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n'
		printf 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
		printf 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
		sleep 0.3
		# shellcheck disable=SC2059
		printf "$1"
		sleep 1
	} | timeout 20 socat -t 5 - "UNIX-CONNECT:$hvmd_socket" | od -An -v -tx1 | tr -d ' \n'
}

export HVM_SOCKET=$work/state/hvmd.sock
if start_hvmd "$work/state" &&
	api POST /v1/domains "$(definition shell 1 "console=ttyS0 hvm.test=shell")" >/dev/null &&
	api POST /v1/domains/shell/start >/dev/null &&
	wait_console shell "hvm-guest: shell ready" 120; then
	ok "a guest with a shell runs"
else
	failed "a guest with a shell runs" "$work/state/hvmd.log"
	exit 1
fi
uuid=$(api GET /v1/domains/shell | jq -r .uuid)

attach first
wait_text "$work/first.out" "shell ready" 20
echo 'echo hi, $((6 * 7))' >&"$first"
if wait_text "$work/first.out" "hi, 42" 60; then
	ok "a command typed into the console is answered; what was there before is shown"
else
	failed "a command typed into the console is answered" "$work/first.out" "$work/first.err"
fi
attach second
wait_text "$work/second.out" "hi, 42" 20
echo 'echo both, $((7 * 7))' >&"$second"
if wait_text "$work/first.out" "both, 49" 60 && wait_text "$work/second.out" "both, 49" 10; then
	ok "two clients share the console"
else
	failed "two clients share the console" "$work/first.out" "$work/second.out"
fi

# Much at once, both ways: nothing is lost on the way out, and what is typed arrives in order.
echo 'i=0; while [ $i -lt 2000 ]; do echo "line $i of many, many lines"; i=$((i + 1)); done; echo enough' \
	>&"$first"
if wait_text "$work/first.out" "line 1999 of many" 120 && wait_text "$work/second.out" "line 1999 of many" 20 &&
	[ "$(tr -d '\r' <"$work/first.out" | grep -acE '^line [0-9]+ of many, many lines$')" = 2000 ]; then
	ok "2000 lines arrive whole at both clients"
else
	failed "2000 lines arrive whole at both clients" "$work/first.out"
fi
wait_text "$work/first.out" "enough" 20
{
	echo 'cat >/tmp/typed'
	for ((i = 0; i < 200; i++)); do echo "typed line $i, which is as long as a line of text may well be"; done
	printf '\004'
	echo 'wc /tmp/typed; grep -c "^typed line [0-9]*, which is as long as a line of text may well be$" /tmp/typed'
} >&"$second"
wanted=$(for ((i = 0; i < 200; i++)); do echo "typed line $i, which is as long as a line of text may well be"; done |
	wc -c)
if wait_text "$work/second.out" "$wanted /tmp/typed" 120; then
	ok "200 lines typed at once arrive whole in the guest"
else
	failed "200 lines typed at once arrive whole in the guest" "$work/second.out"
fi

printf 'echo not \035typed\n' >&"$second"
if wait "$second_pid"; then
	ok "Ctrl-] leaves the console with status 0"
else
	failed "Ctrl-] leaves the console with status 0" "$work/second.err"
fi
if [ "$(api GET /v1/domains/shell | jq -r .state)" = running ]; then
	ok "the domain runs on"
else
	not_ok "the domain runs on"
fi

# A terminal: script gives hvmctl one; the line end is Return's, as from a raw one.
{
	sleep 2
	printf '\003echo tty, $((3 * 3))\r'
	sleep 4
	printf '\035'
	sleep 1
} | timeout 60 script -qec "$hvmctl console -i shell" /dev/null >"$work/tty.out" 2>&1
if wait_text "$work/first.out" "tty, 9" 20 && grep -aq "Ctrl-\] leaves" "$work/tty.out"; then
	ok "a terminal is attached and left"
else
	failed "a terminal is attached and left" "$work/first.out" "$work/tty.out"
fi

# hex TITLE WANTED BYTES - what must be the end of the answer to these bytes.
hex() {
	local got
	got=$(frames "$3")
	if [[ $got == *"$2" ]]; then
		ok "$1"
	else
		not_ok "$1: wanted $2 at the end, got ${got: -80}"
	fi
}
hex "a ping is answered with its payload" 8a026869 '\x89\x82\0\0\0\0hi'
hex "a close is answered with its status" 880203e8 '\x88\x82\0\0\0\0\x03\xe8'
hex "an unmasked frame ends the connection with 1002" 880203ea '\x82\x02hi'
hex "a reserved opcode ends it with 1002" 880203ea '\x83\x80\0\0\0\0'
hex "text that is no UTF-8 ends it with 1007" 880203ef '\x81\x81\0\0\0\0\xff'
hex "a frame of 1 GiB ends it with 1009" \
	"881803f1$(printf 'a frame is over 64 KiB' | od -An -tx1 | tr -d ' \n')" \
	'\x82\xff\0\0\0\0\x40\0\0\0\0\0\0\0'
if grep -aqF "typed line 199" "$work/first.out" && [ "$(frames '' | head -c 24)" = "$(printf 'HTTP/1.1 101' |
	od -An -tx1 | tr -d ' \n')" ]; then
	ok "after all this a new client is served"
else
	not_ok "after all this a new client is served"
fi

# A client that never reads: the others go on, and it is dropped.
mkfifo "$work/stuck.in"
exec {stuck}<>"$work/stuck.in"
{
	printf 'GET /v1/domains/shell/console HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n'
	printf 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
	printf 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
} >&"$stuck"
# -u: from the FIFO to the socket only
timeout 100 socat -u "FILE:$work/stuck.in" "UNIX-CONNECT:$hvmd_socket" &
stuck_pid=$!
sleep 1
echo 'dd if=/dev/zero bs=1k count=3000 2>/dev/null | tr "\0" z | fold -w 1023; echo all out' >&"$first"
if wait_text "$work/first.out" "all out" 180 && sleep 1 &&
	echo 'echo still, $((8 * 8))' >&"$first" && wait_text "$work/first.out" "still, 64" 60; then
	ok "a client that never reads does not hold up the others"
else
	failed "a client that never reads does not hold up the others" "$work/state/hvmd.log"
fi
kill "$stuck_pid" 2>/dev/null
wait "$stuck_pid" 2>/dev/null

# ioemu takes 16 clients, hvmd no more than that.
for ((i = 0; i < 16; i++)); do
	timeout 30 "$hvmctl" console -i shell <"$work/stuck.in" >/dev/null 2>"$work/many.$i" &
done
sleep 2
if cat "$work"/many.* | finds too-many-consoles && [ "$(grep -l too-many-consoles "$work"/many.* | wc -l)" = 1 ]; then
	ok "the seventeenth client is refused with too-many-consoles"
else
	not_ok "the seventeenth client is refused: $(cat "$work"/many.*)"
fi

# The domain ends: so do its consoles.
api POST /v1/domains/shell/stop >/dev/null
if wait "$first_pid" && grep -q 'console was closed (1001)' "$work/first.err"; then
	ok "the end of the domain ends the console, with 1001"
else
	failed "the end of the domain ends the console, with 1001" "$work/first.err"
fi
got=0
"$hvmctl" console -i shell </dev/null >"$work/out" 2>&1 || got=$?
if [ "$got" = 1 ] && grep -q wrong-state "$work/out"; then
	ok "no interactive console of what does not run: wrong-state"
else
	failed "no interactive console of what does not run: status $got" "$work/out"
fi

# hvmd ends while a console is open: it must not hang, and the client hears 1001.
api POST /v1/domains/shell/start >/dev/null
attach third
sleep 1
kill "$hvmd_pid"
if wait "$hvmd_pid" && wait "$third_pid" && grep -q '(1001)' "$work/third.err"; then
	ok "the end of hvmd ends the console, with 1001"
else
	failed "the end of hvmd ends the console, with 1001" "$work/third.err" "$work/state/hvmd.log"
fi
hvmd_pid=
start_hvmd "$work/state"
if [ "$(api GET /v1/domains/shell | jq -r .uuid,.state | xargs)" = "$uuid running" ]; then
	ok "the domain outlived it"
else
	not_ok "the domain outlived it"
fi
echo "1..$test_number"
[ "$test_failures" = 0 ]
