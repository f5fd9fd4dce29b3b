#!/bin/bash
# fresh-install.sh: the README's steps on a unit, each line as it stands there, in a
# clean Debian root with systemd as its first process: install, upgrade, remove. An
# editor and a person are played; there is no camera, no line and no port. What is
# left at the end is what the README says. Needs root, mmdebstrap and a free cgroup
# hierarchy. fresh.sh calls it with the apt sources on its input.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${SUITE:-bookworm}
work=$(mktemp -d "${TMPDIR:-/tmp}/fresh.XXXXXX")
init=
cleanup() {
	[ -z "$init" ] || kill -9 "$init" 2>/dev/null || true # the namespace's first process goes with it
	wait 2>/dev/null || true
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
root=$work/root
die() { echo "fresh: install: $*" >&2; tail -n 20 "$work/log" >&2 2>/dev/null || true; exit 1; }

arch=$(go env GOARCH)
for version in fresh-1 fresh-2; do
	make --no-print-directory "$arch" VERSION=$version >"$work/log" 2>&1 || die "make $arch"
done

mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,udev,sudo "$suite" "$root" -
chroot "$root" useradd --create-home --shell /bin/bash tech
echo 'tech ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/tech"
mv dist/mien-fresh-1-linux-"$arch".tar.gz dist/mien-fresh-2-linux-"$arch".tar.gz "$root/home/tech/"
rm -r dist/mien-fresh-1-linux-"$arch" dist/mien-fresh-2-linux-"$arch"
echo "127.0.0.1 localhost $(hostname)" >"$root/etc/hosts"
# The editor: it writes the config that a technician would.
cat >"$root/usr/local/bin/nano" <<-'END'
	#!/bin/sh
	printf '[camera]\nclip = "demo.mjpeg"\nloop = true\n[[alarm]]\nname = "brow lowered"\nsignal = "au4"\nhigh = 0.7\n' >"$1"
END
chmod 755 "$root/usr/local/bin/nano"

# Debian's systemd as the first process of namespaces of its own.
unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net bash -c '
	set -e
	root=$1
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mount -t cgroup2 none "$root/sys/fs/cgroup"
	for d in run tmp dev; do mount -t tmpfs tmpfs "$root/$d"; done
	for n in null zero full random urandom tty; do cp -a /dev/$n "$root/dev/"; done
	mkdir "$root/dev/pts" "$root/dev/shm"
	mount -t tmpfs tmpfs "$root/dev/shm"
	mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
	ln -s pts/ptmx "$root/dev/ptmx"
	: >"$root/dev/console"
	ip link set lo up 2>/dev/null || true
	exec env -i PATH=/usr/sbin:/usr/bin container=other chroot "$root" /lib/systemd/systemd systemd.unit=multi-user.target' boot "$root" >/dev/null 2>&1 &
init=$!
# The first process of the namespace is the child of what unshare became.
for i in $(seq 60); do
	first=$(pgrep -P "$init" | head -n 1 || true)
	[ -n "$first" ] && [ "$(cat "/proc/$first/comm" 2>/dev/null)" = systemd ] && break
	[ "$i" -lt 60 ] || die "systemd does not start"
	sleep 1
done
inside() { # a command as the technician, in the folder with the archives
	nsenter -t "$first" -m -p -u -i -C -n -r -w /usr/bin/env -i HOME=/home/tech USER=tech LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin \
		/usr/bin/setpriv --reuid tech --regid tech --init-groups /bin/bash -c "cd ~ && $1"
}
for i in $(seq 60); do
	state=$(inside 'systemctl is-system-running' 2>/dev/null || true)
	case $state in running | degraded) break ;; esac
	[ "$i" -lt 60 ] || die "systemd says: $state"
	sleep 1
done

# block TEXT: the lines of the code block in the README that follows the line with TEXT.
block() { awk -v text="$1" 'index($0, text) {on = 1} on && /^    / {sub(/^    /, ""); print; seen = 1; next} seen && NF {exit}' README.md; }
# try TEXT VERSION: carry the block out, each line for itself.
try() {
	local line n=0
	while IFS= read -r line; do
		line=${line//mien-VERSION-linux-arm64/mien-$2-linux-$arch}
		n=$((n + 1))
		echo "$ $line" >>"$work/log"
		inside "$line" >>"$work/log" 2>&1 < <(yes s 2>/dev/null) || die "this line of the README fails: $line"
	done < <(block "$1")
	[ "$n" -ge 1 ] || die "the README has no block behind: $1"
	echo "fresh: install  $3: $n lines of the README passed"
}
files() { chroot "$root" find /etc /usr /var /home -xdev ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/home/tech/.*' ! -path '/var/lib/systemd*' ! -path '/var/lib/private*' ! -path '/etc/*-' | sort; }
mien() { inside "mien $1" >"$work/out" 2>&1 || die "mien $1: $(cat "$work/out")"; cat "$work/out"; }

: >"$work/log"
files >"$work/before"
try "in the folder that has the archive" fresh-1 install
sleep 5
[ "$(inside 'systemctl is-active mien')" = active ] || die "the service is not active"
inside 'sudo mien status' | tee -a "$work/log" | grep -q 'results are valid' || die "sudo mien status"
inside 'sudo mien events' | grep -q 'start 1' || die "the journal has no start"
mien version | grep -q fresh-1 || die "the version"
inside 'sudo sed -i "s/0.7/0.65/" /etc/mien/mien.toml'
try "To upgrade;" fresh-2 upgrade
sleep 5
[ "$(inside 'systemctl is-active mien')" = active ] || die "the service is not active"
inside 'sudo mien status' | grep -q 'mien fresh-2, up' || die "not the new version"
inside 'sudo mien events' | grep -q 'start 2' || die "the journal has not gone on"
grep -q 'high = 0.65' "$root/etc/mien/mien.toml" || die "the config did not stay"
inside '/usr/lib/mien/plc -demo -once' | grep -q heartbeat || die "plc -demo"
try "To remove it:" fresh-2 remove
files >"$work/after"
left=$(comm -13 "$work/before" "$work/after" | grep -vE '^/(etc/mien|var/lib/mien)(/|$)' | tr '\n' ' ')
[ "$left" = "/etc/udev/rules.d/60-mien-gpio.rules " ] || die "left behind besides config and state: $left"
try "To have none of it:" fresh-2 "remove all"
files >"$work/after"
left=$(comm -3 "$work/before" "$work/after")
[ -z "$left" ] || die "left behind: $left"
for who in "passwd mien" "group mien" "group gpio"; do
	if chroot "$root" getent $who >/dev/null; then die "$who is left behind"; fi
done
echo "fresh: install  all passed, nothing is left behind"
