#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# guests.sh [BUILD] - the guest programs of tests/guest on the software CPU, translated and interpreted, and the one that can be
# an ordinary program on this machine's own processor: all print what is expected.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

programs=$build/tests/guest
need_built "$ioemu" "$hvmloader" "$programs/insn.elf" "$programs/guest_insn_native"
if diff <("$programs/guest_insn_native") "$root/tests/guest/expected/insn"; then
	ok "insn on this machine's processor"
else
	not_ok "insn on this machine's processor"
fi
for translator in on off; do
	echo "# translator $translator"
	HVM_IOEMU=$ioemu HVM_LOADER=$hvmloader HVM_GUESTS_TRANSLATOR=$translator \
		"$root/tests/guest/run-guests" "$programs" soft || test_failures=$((test_failures + 1))
done
[ "$test_failures" = 0 ]
