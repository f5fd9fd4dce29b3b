#!/bin/bash
# test-deb.sh: the Debian package in a clean Debian root, first without systemd, then with systemd as its first process:
# install, demo, upgrade from a signed repository under a waiting alarm, rollback, removal, purge; and a package of
# another processor, a broken signature, a full disk, a config that is refused, an edited conffile. Then lintian. Needs
# root, for mmdebstrap and namespaces; without it nothing is tried, and that is said.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "test-deb: SKIPPED: it needs root, to make a Debian root and to start systemd in it"; exit 0; }
tools/setup.sh mmdebstrap lintian apt-utils gpg
suite=${SUITE:-bookworm} arch=$(go env GOARCH) begun=$SECONDS
work=$(mktemp -d "${TMPDIR:-/tmp}/test-deb.XXXXXX")
root=$work/root log=$work/log init=
cleanup() {
	[ -z "$init" ] || kill -9 "$init" 2>/dev/null || true # the namespace's first process goes with it
	wait 2>/dev/null || true
	gpgconf --homedir "$work/gpg" --kill all 2>/dev/null || true
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
die() { echo "test-deb: FAILED: $*" >&2; tail -n 30 "$log" >&2 2>/dev/null || true; exit 1; }
passed() { echo "test-deb: $*"; }
: >"$log"

# The packages: two versions as make builds them, and three that are made of the second.
mkdir "$work/dist" "$work/others"
for version in v1.0 v1.1; do
	only=$arch && [ $version = v1.0 ] && only= # lintian looks at all three
	make --no-print-directory deb ONLY="$only" VERSION=$version >>"$log" 2>&1 || die "make deb VERSION=$version"
	mv dist/mien_"${version#v}"_"$arch".deb "$work/dist/"
	[ $version != v1.0 ] || mv dist/mien_1.0_*.deb "$work/others/"
	rm -r "dist/mien-$version-linux-"*
done
old=$work/dist/mien_1.0_$arch.deb new=$work/dist/mien_1.1_$arch.deb
other=armhf && [ "$arch" != armhf ] || other=amd64
again() { # again NAME SED: the second package, changed
	rm -rf "$work/again"
	dpkg-deb -R "$new" "$work/again"
	(cd "$work/again" && eval "$2")
	dpkg-deb --root-owner-group -Zgzip -z1 -b "$work/again" "$work/$1" >>"$log"
}
again other.deb "sed -i 's/^Architecture: .*/Architecture: $other/' DEBIAN/control"
again changed.deb "sed -i 's/^Version: .*/Version: 1.2/' DEBIAN/control; echo '# a new remark' >>etc/mien/mien.toml"
lintian --fail-on error,warning "$old" "$work"/others/*.deb >>"$log" 2>&1 || die "lintian"
installed=$(dpkg-deb -f "$old" Installed-Size) size=$(stat -c %s "$old")
[ "$size" -le 25000000 ] && [ "$installed" -le 60000 ] || die "the package has $size bytes, installed $installed kB"
passed "lintian has nothing to say; package $((size / 1000)) kB, installed $installed kB"

# A clean root, as minbase has it.
sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true)
for f in /etc/apt/sources.list.d/*.sources; do
	[ ! -f "$f" ] || sources+=$'\n\n'$(grep -v '^#' "$f")
done
mmdebstrap --quiet --variant=minbase "$suite" "$root" - <<<"$sources"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir "$root/packages"
cp "$work"/dist/*.deb "$work"/*.deb "$root/packages/"

in_root() { # without systemd: a command in the root
	unshare --mount --pid --fork --kill-child bash -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && cd / && exec chroot "$1" /usr/bin/env -i \
		HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive bash -c "$2"' bash "$root" "$1"
}
in_root 'apt-get update -qq' >>"$log" 2>&1 || die "apt-get update"
in_root 'apt-get install -y /packages/mien_1.0_*.deb' >>"$log" 2>&1 </dev/null || die "install without systemd"
in_root 'id mien && stat -c %U:%a /var/lib/mien' >"$work/out" 2>&1 && grep -q 'gpio' "$work/out" && grep -q '^mien:750' "$work/out" || die "users without systemd: $(cat "$work/out")"
in_root 'timeout -s TERM 8 runuser -u mien -- mien run /usr/share/doc/mien/examples/demo.toml' >"$work/out" 2>&1 </dev/null || true
grep -q 'first result\|results' "$work/out" || die "run without systemd: $(cat "$work/out")"
in_root 'apt-get install -y /packages/mien_1.1_*.deb && mien version && apt-get remove -y mien && [ ! -e /usr/lib/mien ] && [ -e /etc/mien/mien.toml ]' >>"$log" 2>&1 </dev/null || die "upgrade and removal without systemd"
in_root 'echo "mien mien/purge-state boolean true" | debconf-set-selections && apt-get purge -y mien && [ ! -e /var/lib/mien ] && [ ! -e /etc/mien ]' >>"$log" 2>&1 </dev/null || die "purge without systemd"
passed "without systemd: install, run, upgrade, remove, purge"

in_root 'userdel mien-gateway && userdel mien && groupdel gpio && apt-get install -y -qq --no-install-recommends systemd systemd-sysv dbus udev' >>"$log" 2>&1 </dev/null || die "systemd does not install"
unshare --mount --pid --fork --kill-child --cgroup --uts --ipc bash -c '
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
	exec env -i PATH=/usr/sbin:/usr/bin container=other chroot "$root" /lib/systemd/systemd systemd.unit=multi-user.target' boot "$root" >/dev/null 2>&1 &
init=$!
for i in $(seq 60); do # the first process of the namespace is the child of what unshare became
	first=$(pgrep -P "$init" | head -n 1 || true)
	[ -n "$first" ] && [ "$(cat "/proc/$first/comm" 2>/dev/null)" = systemd ] && break
	[ "$i" -lt 60 ] || die "systemd does not start"
	sleep 1
done
inside() {
	echo "$ $1" >>"$log"
	nsenter -t "$first" -m -p -u -i -C -r -w /usr/bin/env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		bash -c "$1" </dev/null
}
quiet() { inside "$1" >"$work/out" 2>&1; local rc=$?; cat "$work/out" >>"$log"; return $rc; }
until_true() { # until_true SECONDS COMMAND
	for i in $(seq $(($1 * 4))); do
		quiet "$2" && return 0
		sleep 0.25
	done
	return 1
}
until_true 60 'systemctl is-system-running | grep -qE "running|degraded"' || die "systemd says: $(inside 'systemctl is-system-running' || true)"
valid='mien status | grep -q "results are valid"'
starts() { inside 'mien events -n 0' | grep -c '(start [0-9]' || true; }

# One command from the package to a running demo config, with no question.
at=$(date +%s%N)
demo='cp /usr/share/doc/mien/examples/demo.toml /etc/mien/mien.toml && systemctl start mien'
inside "apt-get install -y /packages/mien_1.0_*.deb && systemctl is-active mien mien-gateway; systemctl is-enabled mien mien-gateway; $demo" >"$work/installed" 2>&1 || die "install: $(cat "$work/installed")"
cat "$work/installed" >>"$log"
until_true 30 "$valid" || die "the demo config gives no results in 30 s"
took=$((($(date +%s%N) - at) / 1000000))
inside 'systemctl stop mien && rm -rf /var/lib/mien/*'
[ "$took" -le 30000 ] || die "from apt install to results: $took ms"
[ "$(grep -cx inactive "$work/installed") $(grep -cx disabled "$work/installed")" = "2 2" ] || die "the package started something: $(cat "$work/out")"
passed "from apt install to results of the demo config: $took ms; nothing else was started or enabled"

# Under the manager, with an alarm that waits for a person.
sed 's/^# The clip/# edited/' packaging/demo.toml >"$root/etc/mien/mien.toml"
printf '[page]\nserve = true\n' >>"$root/etc/mien/mien.toml"
inside 'systemctl enable mien && systemctl start mien mien-gateway' >>"$log" 2>&1 || die "systemctl enable --now mien"
waiting='mien alarms | grep "eyes closed" | grep -qiE "latched|unack|return"'
until_true 60 "$waiting" || die "no alarm in the demo: $(inside 'mien alarms' || true)"
inside 'mien shelve "brow lowered" 20m' >>"$log" || die "shelve"

# The repository.
mkdir -m 700 "$work/gpg"
export GNUPGHOME=$work/gpg
gpg --batch --quiet --passphrase '' --quick-generate-key 'a test <test@localhost>' ed25519 sign never >>"$log" 2>&1
KEY=$(gpg --batch --with-colons --list-keys | awk -F: '/^fpr/ {print $10; exit}')
export KEY
(cd "$work" && "$OLDPWD/packaging/repo.sh" "$root/media/mien") >>"$log" 2>&1 || die "repo.sh"
sed -i "s|^URIs:.*|URIs: file:/media/mien|" "$root/media/mien/mien.sources"
inside 'cp /media/mien/mien-archive-keyring.gpg /usr/share/keyrings/ && cp /media/mien/mien.sources /etc/apt/sources.list.d/ && apt-get update' >>"$log" 2>&1 || die "apt does not take the repository"
grep -qE '^(W|E):' "$log" && die "apt warns"
before=$(starts) gateway=$(inside 'systemctl show -P MainPID mien-gateway')
quiet 'apt-get install -y mien' || die "upgrade"
until_true 20 "mien status | grep -q 'mien v1.1, up' && $valid" || die "the new version does not run"
[ "$before" -ge 1 ] || die "the journal has no start"
quiet "$waiting" || die "the alarm did not outlive the upgrade"
quiet 'mien alarms | grep "brow lowered" | grep -qi shelved' || die "the shelving did not outlive the upgrade"
[ "$(starts)" = $((before + 1)) ] || die "started $(starts) times, before the upgrade $before times"
grep -q '^# edited' "$root/etc/mien/mien.toml" || die "the config did not stay"
quiet 'systemctl is-active mien-gateway && [ "$(systemctl show -P NRestarts mien-gateway)" = 0 ]' && [ "$(inside 'systemctl show -P MainPID mien-gateway')" != "$gateway" ] ||
	die "the gateway runs the version before: $(inside 'systemctl status mien-gateway' 2>&1 || true)"
inside 'systemctl stop mien-gateway'
passed "upgrade from the signed repository: restarted once, alarms and config as they were"
quiet 'apt-get install -y --allow-downgrades mien=1.0' || die "rollback"
until_true 20 "mien status | grep -q 'mien v1.0, up' && $valid" || die "the old version does not run"
quiet "$waiting" || die "the alarm did not outlive the rollback"
[ "$(starts)" = $((before + 2)) ] || die "started $(starts) times"
! quiet 'systemctl is-active mien-gateway' || die "the gateway was stopped, and is started"
passed "rollback with apt install mien=1.0: restarted once, alarms as they were"

# What may go wrong.
sed -i 's/^Size: 1/Size: 2/' "$root/media/mien/Packages"
rm "$root/media/mien/Packages.gz"
quiet 'rm -f /var/lib/apt/lists/*mien*; apt-get update' || true
grep -qiE 'hash sum|unexpected size|mismatch' "$work/out" || die "a repository that was changed is taken"
sed -i 's/^Suite: .*/Suite: other/' "$root/media/mien/InRelease"
quiet 'rm -f /var/lib/apt/lists/*mien*; apt-get update' || true
grep -qiE 'not signed|BADSIG|invalid' "$work/out" || die "a broken signature is taken"
inside 'rm /etc/apt/sources.list.d/mien.sources'
passed "a changed list of packages and a broken signature are refused"
! quiet 'apt-get install -y /packages/other.deb' || die "a package of another processor is taken"
quiet "mien version | grep -q v1.0 && $valid" || die "it harmed the one that is there"
passed "a package of another processor is refused"

inside 'mkdir /small && mount -t tmpfs -o size=45M tmpfs /small && cp -a /usr/lib/mien/. /small/ && mount --move /small /usr/lib/mien' || die "a small disk"
pid=$(inside 'systemctl show -P MainPID mien')
! quiet 'apt-get install -y /packages/mien_1.1_*.deb' || die "there was room"
grep -q 'No space left' "$work/out" || die "the disk was not full"
[ "$(inside 'systemctl show -P MainPID mien')" = "$pid" ] || die "the unit was restarted"
quiet "mien version | grep -q v1.0 && $valid && systemctl restart mien" && until_true 20 "$valid" || die "the old version is harmed"
quiet 'mount -o remount,size=200M /usr/lib/mien && apt-get install -y /packages/mien_1.1_*.deb' || die "with room it does not install"
until_true 20 "mien status | grep -q 'mien v1.1, up' && $valid" || die "the new version does not run"
passed "a full disk: the old version goes on, starts again, and is upgraded once there is room"
inside 'cp -a /usr/lib/mien/. /small/ && umount /usr/lib/mien && cp -a /small/. /usr/lib/mien/' || die "back to the disk"

echo 'no_such_key = 1' >>"$root/etc/mien/mien.toml"
pid=$(inside 'systemctl show -P MainPID mien')
quiet 'apt-get install -y --allow-downgrades /packages/mien_1.0_*.deb' || die "the other version does not install"
grep -q 'REFUSED' "$work/out" && grep -q 'no_such_key' "$work/out" || die "it does not say that the config is refused: $(cat "$work/out")"
[ "$(inside 'systemctl show -P MainPID mien')" = "$pid" ] && quiet "$valid" || die "the running version does not go on"
sed -i '/no_such_key/d' "$root/etc/mien/mien.toml"
quiet 'systemctl restart mien' && until_true 20 "mien status | grep -q 'mien v1.0, up' && $valid" || die "corrected, it does not start"
passed "a config that is refused: said, and the version before keeps running"
quiet 'apt-get install -y -o Dpkg::Options::=--force-confold /packages/changed.deb' || die "upgrade of an edited conffile"
quiet 'grep -q "^# edited" /etc/mien/mien.toml && grep -q "a new remark" /etc/mien/mien.toml.dpkg-dist' || die "the edited conffile"
until_true 20 "$valid" || die "the new version does not run"
quiet "$waiting" || die "the alarm is gone"
passed "an edited conffile stays, the new one lies beside it"

quiet 'apt-get remove -y mien' || die "remove"
! inside 'pgrep -x mien' >/dev/null || die "something runs still"
quiet '[ ! -e /usr/lib/mien ] && [ ! -e /usr/bin/mien ] && [ -e /etc/mien/mien.toml ] && [ -e /var/lib/mien/events.log ] && [ ! -L /etc/systemd/system/multi-user.target.wants/mien.service ]' || die "after removal: $(inside 'ls /usr/lib/mien /etc/mien /var/lib/mien; ls /etc/systemd/system/*' 2>&1 || true)"
inside 'tail -n 2 /var/lib/mien/events.log' | grep -q '"cause":"stopped"' || die "it was not stopped in order"
quiet 'apt-get purge -y mien' || die "purge"
grep -q 'To delete it: rm -r /var/lib/mien' "$work/out" || die "a purge that asks nobody does not say what stays"
quiet '[ -e /var/lib/mien/events.log ] && [ ! -e /etc/mien/mien.toml ]' || die "a purge that asks nobody deletes the state"
quiet 'apt-get install -y /packages/mien_1.0_*.deb && echo "mien mien/purge-state boolean true" | debconf-set-selections && apt-get purge -y mien' || die "install and purge again"
quiet '[ ! -e /var/lib/mien ] && [ ! -e /var/lib/mien-gateway ]' || die "a purge with the answer yes leaves state"
left=$(inside 'find /etc /usr /var /run -xdev -path "*mien*" ! -path "/usr/share/keyrings/*" ! -path "/var/log/*" ! -path "/var/lib/apt/*" ! -path "/var/cache/*"' || true)
[ -z "$left" ] || die "left behind: $left"
passed "removal stops in order; a purge keeps the state where nobody is asked, and deletes it where that is the answer; nothing is left behind"
passed "all passed in $((SECONDS - begun)) s"
