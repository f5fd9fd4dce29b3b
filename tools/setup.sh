#!/bin/sh
# setup.sh PACKAGE...: are the Debian packages' programs there? As root on a
# machine with apt-get it installs what is missing and says so; else it names
# the command that would. Go must be there already.
set -eu
missing=
for package in "$@"; do
	case $package in
	python3-pip) python3 -m pip --version >/dev/null 2>&1 || missing="$missing $package" ;;
	python3-venv) python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing $package" ;;
	python3-dev) [ -e "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] || missing="$missing $package" ;;
	libturbojpeg0) ldconfig -p 2>/dev/null | grep -q libturbojpeg.so.0 || /sbin/ldconfig -p | grep -q libturbojpeg.so.0 || missing="$missing $package" ;;
	chromium-sandbox) [ -e /usr/lib/chromium/chrome-sandbox ] || missing="$missing $package" ;;
	libc6-dev) [ -e /usr/include/stdio.h ] || missing="$missing $package" ;;
	mosquitto) command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$missing $package" ;;
	prometheus) command -v promtool >/dev/null && command -v prometheus >/dev/null || missing="$missing $package" ;;
	bubblewrap) command -v bwrap >/dev/null || missing="$missing $package" ;;
	qemu-system-arm) command -v qemu-system-aarch64 >/dev/null || missing="$missing $package" ;;
	qemu-user-static) command -v qemu-aarch64-static >/dev/null || missing="$missing $package" ;;
	apt-utils) command -v apt-ftparchive >/dev/null || missing="$missing $package" ;;
	e2fsprogs) command -v mke2fs >/dev/null || [ -x /sbin/mke2fs ] || missing="$missing $package" ;;
	libstdc++6-arm64-cross) [ -d /usr/aarch64-linux-gnu/lib ] || missing="$missing $package" ;;
	fonts-ipaexfont-gothic) [ -e /usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf ] || missing="$missing $package" ;;
	go) command -v go >/dev/null || { echo "setup: Go is missing: install 1.21 or newer (Debian 12: golang-go from bookworm-backports; it then fetches the toolchain go.mod names)" >&2; exit 1; } ;;
	*) command -v "$package" >/dev/null || missing="$missing $package" ;;
	esac
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "setup: installing$missing"
	apt-get update -qq
	# shellcheck disable=SC2086 # one word a package is meant
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
	echo "setup: missing:$missing" >&2
	echo "       sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
