# SPDX-License-Identifier: GPL-2.0-or-later
# manners.sh - the module as a guest of the host: what belongs to the host stays as it is, another
# hypervisor that holds the processor is respected and named, and hvm gives it back.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
. /tests/hvmd.inc

insmod /modules/msr.ko
testbed_host_state
testbed_avx_state

vendor=svm
peer=kvm-amd
if grep -q '^flags.* vmx' /proc/cpuinfo; then
	vendor=vmx
	peer=kvm-intel
fi

# says TEXT... - /v1/host, of the processor's engine.
says() {
	hvmctl host | grep -A 3 "\"name\": \"$vendor\"" >/tmp/says
	for text in "$@"; do
		grep -q "$text" /tmp/says || return 1
	done
}

# in_use ENGINE - a domain with engine auto gets it.
in_use() {
	domain polite 1 32 '"boot": { "kernel": "/guest/ticker.elf", "cmdline": "" },
		"on_reboot": "stop"' || {
		cat /tmp/hvmctl.log
		return 1
	}
	used=$(member polite engine_in_use)
	gone polite
	[ "$used" = "$1" ]
}

insmod /modules/irqbypass.ko
# From 6.12 on KVM would hold the processor from here on.
$bb insmod /modules/kvm.ko enable_virt_at_load=0
[ ! -e /modules/rng-core.ko ] || insmod /modules/rng-core.ko
[ $vendor = vmx ] || insmod /modules/ccp.ko
insmod "/modules/$peer.ko"
check "hvmd starts" hvmd_start
check "/v1/host: $vendor serves" says '"available": true'
testbed_tool hold-kvm >/tmp/hold &
holder=$!
i=0
while [ $i -lt 50 ] && ! grep -q held /tmp/hold; do
	i=$((i + 1))
	sleep 0.1
done
check "KVM holds the processor" grep -q held /tmp/hold
check "a domain is refused with EBUSY" testbed_device --refused EBUSY
check "the log says why" sh -c "dmesg | grep 'hvm: a domain is refused: $vendor: another hypervisor'"
check "/v1/host says why" says '"available": false' 'another hypervisor'
check "engine auto: the software CPU stands in, and says so" in_use soft
echo "{ \"name\": \"firm\", \"memory_mib\": 16, \"engine\": \"$vendor\",
	\"boot\": { \"kernel\": \"/guest/multiboot.elf\", \"cmdline\": \"\" } }" >/tmp/firm.json
check "a domain that wants $vendor is defined" hvmctl create /tmp/firm.json
check "and refused at its start" sh -c \
	"! hvmctl start firm >/tmp/firm.log 2>&1 && grep -q 'another hypervisor' /tmp/firm.log"
sed "s/^/# /" /tmp/firm.log
gone firm
kill $holder
wait $holder 2>/dev/null
check "KVM is gone: $vendor serves again" says '"available": true'
check "and engine auto takes it" in_use $vendor

# And the other way round.
result held "a domain of ours" linux held 1 hvm.test=idle
testbed_tool hold-kvm >/tmp/hold 2>&1 &
holder=$!
sleep 1
check "KVM does not take the processor from it" sh -c \
	"! grep -q held /tmp/hold && ! kill -0 $holder 2>/dev/null"
gone held

# Processors go and come under a domain that runs.
# ticks - the console grows.
ticks() {
	before=$(hvmctl console hotplug | wc -c)
	sleep 1
	[ "$(hvmctl console hotplug | wc -c)" -gt "$before" ]
}

if [ -f /sys/devices/system/cpu/cpu1/online ]; then
	result hotplug "a domain on two processors" domain hotplug 2 32 \
		'"boot": { "kernel": "/guest/ticker.elf", "cmdline": "" }'
	for round in 1 2 3; do
		echo 0 >/sys/devices/system/cpu/cpu1/online
		result hotplug "runs on when one of them is taken away" ticks
		echo 1 >/sys/devices/system/cpu/cpu1/online
		result hotplug "and when it is back" ticks
	done
	taskset -p 2 "$(pidof hvm-ioemu)" >/dev/null 2>&1
	for thread in /proc/"$(pidof hvm-ioemu)"/task/*; do
		taskset -p 2 "${thread##*/}" >/dev/null
	done
	result hotplug "and on the new one alone" ticks
	gone hotplug
fi
check "hvmd ends" hvmd_stop
