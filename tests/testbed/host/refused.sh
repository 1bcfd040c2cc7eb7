# SPDX-License-Identifier: GPL-2.0-or-later
# refused.sh - a host that cannot serve: the module says why (hvm.why=words_of_it), to everybody.
. /tests/hvmd.inc

why=$(option hvm.why | tr _ ' ')
check "the module loads without a vendor" insmod /modules/hvm.ko
check "the log says why: $why" sh -c "dmesg | grep 'hvm: svm: does not serve: .*$why'"
check "a domain is refused with ENODEV" testbed_device --refused ENODEV
check "hvmd starts" hvmd_start
hvmctl host >/tmp/host
check "/v1/host says why" grep -q "$why" /tmp/host
result any "engine auto takes the software CPU" domain any 1 32 \
	'"boot": { "kernel": "/guest/ticker.elf", "cmdline": "" }'
check "and says so" test "$(member any engine_in_use)" = soft
gone any
check "hvmd ends" hvmd_stop
check "the module unloads" rmmod hvm
