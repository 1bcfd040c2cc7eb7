# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the emulated hosts share; sourced after tests/system/lib.sh. The host is a Debian
# kernel with an initramfs of our own; nothing is installed on the machine that runs it.

testbed=$root/tests/testbed
headers=
host_kernel=
of_release=${HOST_RELEASE:+-$HOST_RELEASE} # another Debian's kernel: bullseye, bookworm-backports

# make_module - builds hvm.ko for the host's kernel; sets $module, $headers and $host_kernel.
# Debian built other releases' kernels with other compilers, and pahole is not here.
make_module() {
	local log=$build/ko$of_release.log
	host_kernel=$("$root/tests/system/images/fetch-kernel" "$images" amd64 "${HOST_RELEASE:-}") &&
		headers=$("$root/tests/system/images/fetch-headers" "$images" amd64 "${HOST_RELEASE:-}") ||
		return 1
	module=$build/ko$of_release/hvm.ko
	make -s -C "$root/hypervisor/os/linux" KDIR="$headers" BUILD="$build/ko$of_release" \
		CC=gcc CONFIG_DEBUG_INFO_BTF_MODULES= >"$log" 2>&1 || {
		cat "$log" >&2
		return 1
	}
	if grep -q 'warning:' "$log"; then
		grep -A 5 'warning:' "$log" >&2
		return 1
	fi
}

# add_program TREE FILE [NAME] - a program and the libraries that it needs.
add_program() {
	local tree=$1 file=$2 library
	install -D -m 755 "$file" "$tree/bin/${3:-$(basename "$file")}"
	for library in $(ldd "$file" 2>/dev/null | grep -o '/[^ ]*'); do
		[ -e "$tree$library" ] || install -D -m 755 "$library" "$tree$library"
	done
}

# make_host_tree TREE - everything the host runs: busybox, the module, hvm, a guest, the tests.
# TESTBED_PROGRAMS: only these of our programs.
make_host_tree() {
	local tree=$1 program modules=$images/kernel-amd64$of_release/lib/modules
	"$root/tests/system/images/make-initramfs" "$images" amd64 >/dev/null || return 1
	mkdir -p "$tree"/{bin,dev,proc,sys,tmp,etc,root,modules,guest,tests}
	cp "$images/busybox-amd64/bin/busybox" "$tree/bin/busybox"
	ln -s busybox "$tree/bin/sh"
	install -m 755 "$testbed/host-init" "$tree/init"
	cp "$module" "$tree/modules/"
	for program in irqbypass kvm rng-core ccp kvm-amd kvm-intel msr; do
		find "$modules" -name "$program.ko*" -exec cp {} "$tree/modules/" \;
	done
	find "$tree/modules" -name '*.xz' -exec xz -d {} +
	cp "$testbed"/host/* "$tree/tests/"
	for program in "$ioemu" "$hvmd" "$build/hvmctl/hvmctl" "$build"/tests/testbed/testbed_*; do
		case " ${TESTBED_PROGRAMS:-$(basename "$program")} " in
		*" $(basename "$program") "*) [ ! -f "$program" ] || add_program "$tree" "$program" ;;
		esac
	done
	cp "$hvmloader" "$bios" "$vgabios" "$tree/guest/"
	cp "$("$root/tests/system/images/make-multiboot" "$images")" "$tree/guest/" &&
		make_ticker "$tree/guest" >/dev/null
	mkdir -p "$tree/guest/programs"
	cp -r "$root/tests/guest"/{run-guests,programs.list,expected} "$build"/tests/guest/*.elf \
		"$tree/guest/programs/"
	if [ -n "${TESTBED_LINUX:-yes}" ]; then
		make_guest && cp "$kernel" "$tree/guest/vmlinuz" && cp "$initramfs" "$tree/guest/initrd"
	fi
	if [ -n "${TESTBED_GRUB:-}" ]; then
		cp "$("$root/tests/system/images/make-grub-iso" "$images")" "$tree/guest/grub.iso"
	fi
}

# pack_host TREE IMAGE
pack_host() {
	(cd "$1" && find . | sort | cpio --quiet -o -H newc -R 0:0 | gzip -1n) >"$2"
}

# show_tests LOG - the host's own lines of a serial log, and all of it when the end is missing.
show_tests() {
	tr -d '\r' <"$1" | grep -E '^(ok|not ok|#|1\.\.)'
	grep -q '^testbed: done' "$1" || {
		echo "not ok - the host did not reach the end of its tests"
		tail -n 40 "$1" | tr -d '\r' | sed 's/^/# /'
	}
}
