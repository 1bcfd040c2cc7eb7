# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tap.sh - running programs that print TAP and adding up their results; sourced by check and run-units.
# A program that fails, crashes or times out without a "not ok" of its own counts as one failure.

tap_passed=0
tap_failed=0
tap_skipped=0

# tap_add NAME STATUS LOG - print the log of a finished program and count it.
tap_add() {
	local name=$1 status=$2 log=$3 passed failed skipped
	echo "# $name"
	cat "$log"
	passed=$(grep -c '^ok ' "$log" || true)
	skipped=$(grep -Eci '^ok .*# *skip' "$log" || true)
	failed=$(grep -c '^not ok ' "$log" || true)
	passed=$((passed - skipped))
	if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
		failed=1
		if [ "$status" = 124 ] || [ "$status" = 137 ]; then
			echo "not ok - $name: timed out"
		else
			echo "not ok - $name: ended with status $status"
		fi
	elif [ "$((passed + skipped + failed))" = 0 ]; then
		failed=1
		echo "not ok - $name: no test ran"
	fi
	tap_passed=$((tap_passed + passed))
	tap_failed=$((tap_failed + failed))
	tap_skipped=$((tap_skipped + skipped))
}

# tap_result NAME WHAT - count one result that is no program: pass, fail or skip.
tap_result() {
	case $2 in
	pass) tap_passed=$((tap_passed + 1)); echo "ok - $1" ;;
	skip) tap_skipped=$((tap_skipped + 1)); echo "ok - # SKIP $1" ;;
	*) tap_failed=$((tap_failed + 1)); echo "not ok - $1" ;;
	esac
}

tap_summary() {
	echo "$tap_passed passed, $tap_failed failed, $tap_skipped skipped"
}
