# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the image scripts share; sourced, not run. Everything they make goes into the folder
# given as first argument and is made once: a finished product is renamed into place, so an
# interrupted run leaves nothing that looks finished. The host is not changed: packages are
# downloaded through a private apt root and unpacked, never installed.

set -eu
umask 022
export LC_ALL=C

images_dir=$(cd "$(dirname "$0")" && pwd)

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

need() {
	for tool in "$@"; do
		command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || [ -x "/sbin/$tool" ] ||
			die "needs $tool"
	done
	PATH=$PATH:/usr/sbin:/sbin
}

# use_folder DIR - make it, and set $out to its absolute name.
use_folder() {
	[ -n "${1:-}" ] || die "usage: $(basename "$0") FOLDER ..."
	mkdir -p "$1"
	out=$(cd "$1" && pwd)
}

# $debian_release: packages of that Debian release (bullseye, bookworm-backports) in place of those
# that this host is set up for. They are kept apart, under names that end with $of_release.
debian_release=
of_release=

# use_release [RELEASE]
use_release() {
	debian_release=${1:-}
	of_release=${1:+-$1}
	case $debian_release in
	*[!a-z-]*) die "no Debian release: $debian_release" ;;
	esac
}

# The Debian archives this host is set up for, as sources.list lines; else the usual ones.
debian_sources() {
	if [ -n "$debian_release" ]; then
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
			"http://deb.debian.org/debian $debian_release main"
		return
	fi
	# shellcheck disable=SC2016 # apt expands these
	found=$(apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' \
		'Origin: Debian' 2>/dev/null | sort -u | grep '|main$' || true)
	if [ -n "$found" ]; then
		echo "$found" | while IFS='|' read -r uri suite component; do
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite $component"
		done
	else
		keyring=/usr/share/keyrings/debian-archive-keyring.gpg
		echo "deb [signed-by=$keyring] http://deb.debian.org/debian bookworm main"
		echo "deb [signed-by=$keyring] http://deb.debian.org/debian-security bookworm-security main"
	fi
}

# apt_root ARCH - a private apt root for that architecture, with its package lists; sets $apt_options.
apt_root() {
	root=$out/apt-$1$of_release
	apt_options="-q -o Dir::State=$root/state -o Dir::Cache=$root/cache -o Dir::Etc=$root/etc
		-o Dir::State::status=$root/status -o APT::Architecture=$1 -o APT::Architectures::=$1
		-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Acquire::Languages=none
		-o Acquire::Retries=3"
	[ ! -e "$root/updated" ] || return 0
	mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial" "$root/etc/apt.conf.d" \
		"$root/etc/preferences.d" "$root/etc/sources.list.d"
	: >"$root/status"
	debian_sources >"$root/etc/sources.list"
	# shellcheck disable=SC2086 # a list of options
	apt-get $apt_options update >"$root/update.log" 2>&1 || {
		# A mirror in the middle of its sync breaks one list: go on with those that arrived
		# (each is verified); a package that is missing then says so.
		set -- "$root"/state/lists/*_Packages*
		[ -e "$1" ] || {
			cat "$root/update.log" >&2
			die "apt-get update failed"
		}
	}
	touch "$root/updated"
}

# fetch_package ARCH PACKAGE FOLDER - download and unpack into FOLDER.
fetch_package() {
	apt_root "$1"
	debs=$out/debs-$1$of_release
	mkdir -p "$debs" "$3"
	# shellcheck disable=SC2086
	deb=$(cd "$debs" && apt-get $apt_options download --print-uris "$2" 2>/dev/null |
		sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p")
	[ -n "$deb" ] || die "no package $2 for $1"
	# shellcheck disable=SC2086
	[ -e "$debs/$deb" ] || (cd "$debs" && apt-get $apt_options download "$2" >/dev/null)
	dpkg -x "$debs/$deb" "$3"
}

# real_kernel_package ARCH METAPACKAGE - the versioned package that a metapackage depends on.
real_kernel_package() {
	apt_root "$1"
	# shellcheck disable=SC2086
	apt-cache $apt_options depends "$2" | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' |
		head -n 1
}
