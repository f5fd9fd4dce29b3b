#!/bin/bash
# repo.sh FOLDER: adds the packages of dist/ to the signed repository in FOLDER (docs/install.md). Older versions stay,
# so that apt can go back to them. The key is the user's own, in the user's gpg: KEY names it.
set -euo pipefail
to=${1:?where to}
[ -n "${KEY:-}" ] || { echo "repo: KEY=... names your gpg key; gpg --quick-generate-key 'NAME <ADDRESS>' ed25519 sign never makes one" >&2; exit 2; }
ls dist/mien_*.deb >/dev/null 2>&1 || { echo "repo: no package in dist/: make deb" >&2; exit 2; }
mkdir -p "$to"
for package in dist/mien_*.deb; do
	# What a repository has given out does not change under its name.
	if [ -e "$to/${package##*/}" ] && ! cmp -s "$package" "$to/${package##*/}"; then
		echo "repo: $to has another ${package##*/}: give the new one another VERSION" >&2
		exit 1
	fi
	install -m 644 "$package" "$to/"
done
cd "$to"
apt-ftparchive packages . >Packages.new
mv Packages.new Packages
gzip -9nf --keep Packages
release=$(apt-ftparchive -o APT::FTPArchive::Release::Origin=mien -o APT::FTPArchive::Release::Label=mien \
	-o APT::FTPArchive::Release::Suite=stable release .)
gpg --batch --yes --local-user "$KEY" --clearsign --output InRelease.new <<<"$release"
mv InRelease.new InRelease
gpg --batch --yes --export --output mien-archive-keyring.gpg "$KEY"
cat >mien.sources <<END
# /etc/apt/sources.list.d/mien.sources; URIs is where this folder lies, on a server or a stick: file:/media/usb/mien
Types: deb
URIs: file:$(pwd)
Suites: ./
Signed-By: /usr/share/keyrings/mien-archive-keyring.gpg
END
echo "$(pwd): $(grep -c ^Package: Packages) packages, signed by $(gpg --batch --with-colons --fingerprint "$KEY" | awk -F: '/^fpr/ {print $10; exit}')"
