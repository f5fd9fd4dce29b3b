#!/bin/bash
# fresh.sh [root|user]: the README's two commands in a clean Debian root, as
# root, as a user, and each again without a network. Debian's minbase with
# ca-certificates, git, make and this machine's Go is all that is there before. Prints
# what each took. Needs root, for mmdebstrap and chroot.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "fresh: run it as root: it makes a Debian root and changes into it" >&2; exit 1; }
tools/setup.sh mmdebstrap
suite=${SUITE:-bookworm}
commit=$(git rev-parse HEAD)
[ -z "$(git status --porcelain --untracked-files=no)" ] || echo "fresh: uncommitted changes are not in what is tried"

work=$(mktemp -d "${TMPDIR:-/tmp}/fresh.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

# How this machine reaches the package registries is how the root reaches them.
names='https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|GOPROXY|GOSUMDB|PIP_INDEX_URL|PIP_CERT|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|npm_config_.*'
mapfile -t settings < <(env | grep -E "^($names)=" || true)

sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true)
for f in /etc/apt/sources.list.d/*.sources; do
	[ ! -f "$f" ] || sources+=$'\n\n'$(grep -v '^#' "$f")
done

# inside USER COMMAND [unshare options]: run it in the root, with /proc, /dev and /sys.
inside() {
	local user=$1 command=$2
	shift 2
	unshare --mount --pid --fork --kill-child "$@" bash -c '
		set -e
		root=$1 user=$2 command=$3
		shift 3
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount --rbind /sys "$root/sys"
		mount --bind "'"$(go env GOROOT)"'" "$root/usr/local/go"
		ip link set lo up 2>/dev/null || true
		exec chroot "$root" /usr/bin/env -i HOME=$([ "$user" = root ] && echo /root || echo "/home/$user") USER="$user" LANG=C.UTF-8 \
			PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" \
			setpriv --reuid "$user" --regid "$user" --init-groups bash -c "$command"' \
		inside "$work/root" "$user" "$command" "${settings[@]}"
}

failed=0
# try USER WHAT COMMAND [unshare options]: run it in the user's clone, and say what it took.
try() {
	local user=$1 what=$2 command=$3 log start rc=0
	shift 3
	log=$work/log start=$SECONDS
	inside "$user" "cd ~/mien && $command" "$@" >"$log" 2>&1 </dev/null || rc=$?
	if [ $rc = 0 ]; then
		printf 'fresh: %-4s  %-24s passed in %3d s, %5d MB in the root\n' "$user" "$what" $((SECONDS - start)) "$(du -xsm --exclude=usr/local/go "$work/root" | cut -f1)"
		return
	fi
	failed=$((failed + 1))
	printf 'fresh: %-4s  %-24s FAILED with %d after %d s; its last lines:\n' "$user" "$what" $rc $((SECONDS - start))
	grep -E -B2 -A20 '^(--- FAIL|FAIL|panic|make: \*\*\*)' "$log" | head -60 || true
	tail -n 15 "$log"
}

for user in ${1:-root user}; do
	rm -rf --one-file-system "$work/root"
	mmdebstrap --quiet --variant=minbase --include=ca-certificates,git,make "$suite" "$work/root" - <<<"$sources"
	mkdir -p "$work/root/usr/local/go"
	# A machine behind a proxy of its own has that proxy's certificate here.
	cp -L /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/ca-certificates.crt"
	cp -L /etc/resolv.conf /etc/hosts "$work/root/etc/"
	[ "$user" = root ] || chroot "$work/root" useradd --create-home "$user"
	home=$(chroot "$work/root" getent passwd "$user" | cut -d: -f6)
	git clone --quiet --no-local --no-checkout . "$work/root$home/mien"
	git -C "$work/root$home/mien" checkout --quiet "$commit"
	chroot "$work/root" chown -R "$user:" "$home/mien"
	echo "fresh: Debian $suite, $(git describe --tags --always), as $user: $(du -xsm "$work/root" | cut -f1) MB before"
	if [ "$user" != root ]; then
		# A user is told what an administrator has to install, and it is installed.
		for i in 1 2 3 4; do
			told=$(inside "$user" 'cd ~/mien && make tools deps test-tools' 2>&1 </dev/null | sed -n 's/^ *sudo //p' | tail -n 1 || true)
			[ -n "$told" ] || break
			echo "fresh: $user  told to run: sudo $told"
			inside root "apt-get update -qq && $told -y -qq" >"$work/log" 2>&1 </dev/null || { tail -n 5 "$work/log"; break; }
		done
	fi
	try "$user" "make demo" "make demo"
	try "$user" "make test" "make test"
	try "$user" "make demo, no network" "make demo" --net
	try "$user" "make test, no network" "make test" --net
done
[ $failed = 0 ] || { echo "fresh: $failed failed"; exit 1; }
echo "fresh: all passed"
