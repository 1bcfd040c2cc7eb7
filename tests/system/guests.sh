#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# guests.sh [BUILD] - the guest programs of tests/guest on the software CPU, translated and interpreted,
# and those that can be ordinary programs on this machine's own processor: all print what is expected.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

programs=$build/tests/guest
need_built "$ioemu" "$hvmloader" "$programs/insn.elf" "$programs/guest_insn_native"

# native PROGRAM [FLAG...] - if the processor has what it needs.
native() {
	local program=$1 flag
	shift
	for flag in "$@"; do
		grep -q "^flags.* $flag\( \|$\)" /proc/cpuinfo || {
			skip "$program on this machine's processor, which has no $flag"
			return
		}
	done
	if diff <("$programs/guest_${program}_native") "$root/tests/guest/expected/$program"; then
		ok "$program on this machine's processor"
	else
		not_ok "$program on this machine's processor"
	fi
}

native insn
native avx_insn avx avx2 fma f16c bmi1 bmi2 abm movbe
for translator in on off; do
	echo "# translator $translator"
	HVM_IOEMU=$ioemu HVM_LOADER=$hvmloader HVM_GUESTS_TRANSLATOR=$translator \
		"$root/tests/guest/run-guests" "$programs" soft || test_failures=$((test_failures + 1))
done
[ "$test_failures" = 0 ]
