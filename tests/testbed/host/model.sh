# SPDX-License-Identifier: GPL-2.0-or-later
# model.sh - a host whose processor serves svm or vmx, but lacks a part of hvm-v3 (hvm.lacks=AVX2): a
# domain of that model is refused with the reason by every engine, those of hvm-v2 run.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
. /tests/hvmd.inc

lacks=$(option hvm.lacks)
vendor=svm
! grep -q '^flags.* vmx' /proc/cpuinfo || vendor=vmx

# refuses ENGINE - the operation fails, and its error names the member and the reason.
refuses() {
	echo "{ \"name\": \"wide\", \"memory_mib\": 32, \"engine\": \"$1\", \"cpu_model\": \"hvm-v3\",
		\"boot\": { \"kernel\": \"/guest/ticker.elf\", \"cmdline\": \"\" } }" >/tmp/wide.json
	hvmctl create /tmp/wide.json >/tmp/hvmctl.log 2>&1 || return 1
	! hvmctl start wide >>/tmp/hvmctl.log 2>&1 &&
		grep -q "cpu_model: hvm-v3: this host's processor has no $lacks" /tmp/hvmctl.log &&
		[ "$(member wide state)" = stopped ]
}

check "hvmd starts" hvmd_start
check "/v1/host: $vendor serves" sh -c \
	"hvmctl host | grep -A 2 '\"name\": \"$vendor\"' | grep '\"available\": true'"
check "/v1/host: hvm-v3 is not available, for want of $lacks" sh -c \
	"hvmctl host | grep -A 2 '\"name\": \"hvm-v3\"' | grep 'has no $lacks'"
check "/v1/host: hvm-v2 is" sh -c \
	"hvmctl host | grep -A 2 '\"name\": \"hvm-v2\"' | grep '\"available\": true'"
for engine in auto $vendor soft; do
	result wide "engine $engine: hvm-v3 is refused with the reason" refuses $engine
	gone wide
done
check "the log says why" sh -c \
	"dmesg | grep 'CPU model hvm-v3 on the $vendor engine: .* has no $lacks'"
result any "hvm-v2 runs" domain any 1 32 \
	'"boot": { "kernel": "/guest/ticker.elf", "cmdline": "" }'
check "on $vendor" test "$(member any engine_in_use)" = $vendor
gone any
check "hvmd ends" hvmd_stop
