# SPDX-License-Identifier: GPL-2.0-or-later
# soak.sh - what repeats: domains created, run and destroyed; hvm-ioemu killed at random moments;
# random calls with random arguments. Nothing may stay behind. hvm.soak=full: as often as it takes
# to believe it (an hour), else a few.
[ -d /sys/module/hvm ] || insmod /modules/hvm.ko
. /tests/ioemu.inc

if [ "$(option hvm.soak)" = full ]; then
	cycles=1000 kills=1000 calls=10000000
else
	cycles=$(option hvm.cycles 200) kills=$(option hvm.kills 20) calls=$(option hvm.calls 100000)
fi

# What is available, with the pages that processors keep for their next allocation: MemAvailable
# leaves them out, and there may be 10 MiB of them on each.
available() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemAvailable:/ { kib += $2 } / count: / { kib += 4 * $2 } END { print kib }' \
		/proc/meminfo /proc/zoneinfo
}

start=$(cut -d. -f1 /proc/uptime)
testbed_device --cycles "$cycles"
echo "# $cycles cycles: $(($(cut -d. -f1 /proc/uptime) - start)) s"

# A guest that never ends, with two vcpus; killed while it is built, boots, or runs.
start=$(cut -d. -f1 /proc/uptime)
ioemu_config killed 2 32 auto /guest/ticker.elf /tests/module.sh ""
ioemu_run killed 1
before=$(available)
i=0
killed=0
while [ $i -lt "$kills" ]; do
	hvm-ioemu --dir /tmp/killed >/dev/null 2>&1 &
	ioemu=$!
	usleep $(($(hexdump -n 2 -e '1/2 "%u"' /dev/urandom) * 10))
	kill -9 $ioemu && killed=$((killed + 1))
	wait $ioemu 2>/dev/null
	i=$((i + 1))
done
sleep 1
after=$(available)
check "$kills processes were killed" test "$killed" = "$kills"
echo "# available memory changed by $((after - before)) KiB, $(($(cut -d. -f1 /proc/uptime) - start)) s"
check "and left no memory behind" test $((before - after)) -lt 8192

start=$(cut -d. -f1 /proc/uptime)
seed=$(hexdump -n 4 -e '1/4 "%u"' /dev/urandom)
echo "# seed $seed"
timeout "$(option hvm.limit 7000)" testbed_device --random "$seed" "$calls" >/tmp/random.log 2>&1
status=$?
check "$calls random calls" test $status = 0
echo "# $calls random calls: $(($(cut -d. -f1 /proc/uptime) - start)) s"
check "no reference to the module is left" rmmod hvm
insmod /modules/hvm.ko
