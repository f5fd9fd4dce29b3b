#!/bin/bash
# build.sh ARCH FOLDER: the Debian package of an archive's folder, as dist/mien_VERSION_ARCH.deb. Same bytes for the
# same commit, Go and VERSION, wherever, whenever and whoever builds: SOURCE_DATE_EPOCH, from make, is the one time in it.
set -euo pipefail
cd "$(dirname "$0")/.."
export TZ=UTC LC_ALL=C
umask 022
arch=$1 from=$2
root=$2.root

# A version that Debian orders: v1.2-3-gabc is 1.2+3.gabc; without a tag, one that is older than all that have one.
version=${VERSION#v}
case $version in
[0-9]*.*) version=${version/-/+} version=${version//-/.} ;;
*) version=0~$(date -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).${VERSION//-/.} ;;
esac
version=${version//_/.}
maintainer=${MAINTAINER:-$(git log -1 --format='%an <%ae>' 2>/dev/null || true)}
[ -n "$maintainer" ] || { echo "deb: who builds it? MAINTAINER='Name <address>'" >&2; exit 2; }

doc=$root/usr/share/doc/mien
rm -rf "$root"
mkdir -p "$root"/usr/lib/{mien/lib,systemd/system,sysusers.d,tmpfiles.d,udev/rules.d} "$root"/usr/share/{man/man1,bash-completion/completions,lintian/overrides} \
	"$doc/examples" "$root/etc/mien"
install -m 755 "$from/mien" "$from/plc" "$root/usr/lib/mien/"
install -m 644 "$from"/lib/* "$root/usr/lib/mien/lib/"
install -m 644 board/mien.service board/mien-gateway.service "$root/usr/lib/systemd/system/"
install -m 644 packaging/sysusers.conf "$root/usr/lib/sysusers.d/mien.conf"
install -m 644 packaging/tmpfiles.conf "$root/usr/lib/tmpfiles.d/mien.conf"
install -m 644 packaging/udev.rules "$root/usr/lib/udev/rules.d/60-mien.rules"
install -m 644 packaging/mien.toml "$root/etc/mien/mien.toml"
install -m 644 packaging/lintian-overrides "$root/usr/share/lintian/overrides/mien"
"$MIEN" help -man | gzip -9n >"$root/usr/share/man/man1/mien.1.gz"
"$MIEN" help -completion >"$root/usr/share/bash-completion/completions/mien"
cp -r --no-preserve=mode "$from/README.md" "$from/SECURITY.md" "$from/NOTICES" "$from/docs" "$doc/"
install -m 644 "$from.cdx.json" "$doc/mien.cdx.json"
install -m 644 packaging/copyright "$doc/copyright"
install -m 644 packaging/demo.toml "$doc/examples/demo.toml"
install -m 644 "$from/mien.toml" "$doc/examples/mien.toml"
sed -e "s|@VERSION@|$version|; s|@MAINTAINER@|$maintainer|; s|@DATE@|$(date -R -d "@$SOURCE_DATE_EPOCH")|" packaging/changelog |
	gzip -9n >"$doc/changelog.gz"
chmod -R u=rwX,go=rX "$root"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

case $arch in
amd64) libc='libc6 (>= 2.29)' ;;
*) libc='libc6 (>= 2.27)' ;;
esac
to=dist/mien_${version}_$arch.deb
DEB_ARCH=$arch DEB_VERSION=$version DEB_LIBC=$libc DEB_STAGE=$root MAINTAINER=$maintainer \
	"${GO:-go}" tool -modfile=tools.mod nfpm package --config packaging/nfpm.yaml --packager deb --target "$to" >/dev/null
echo "$to  $(stat -c %s "$to") bytes, $(du -sk --apparent-size "$root" | cut -f1) kB installed"
rm -rf "$root"
