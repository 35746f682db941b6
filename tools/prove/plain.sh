#!/usr/bin/env bash
# plain.sh FOLDER NAMES
# Makes kernel and initramfs of the plain Debian server for `vitrine-qemu prove --plain FOLDER`. NAMES: zones of
# tools/test-zones.sh, whose root's key the plain server's unbound trusts.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath -m "$1") names=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tools/prove/plain.toml "$work/" && cp -r recipes/policy "$work/policy"
vitrine lock "$work/plain.toml" --out "$work/plain.lock.toml" -q >/dev/null
vitrine build "$work/plain.toml" --unsigned --lock "$work/plain.lock.toml" --out "$work/plain" -q >/dev/null 2>"$work/err" ||
  { cat "$work/err" >&2; exit 1; }
mkdir -p "$out" "$work/extra/etc"
objcopy -O binary --only-section=.linux "$work/plain/6-image.unsigned.efi" "$out/vmlinuz"
install -m 0755 tools/prove/plain-init.sh "$work/extra/init"
cp tools/prove/{plain.nft,unbound.conf} "$work/extra/etc/"
printf '. 3600000 NS ns.root-servers.\nns.root-servers. 3600000 A 198.51.100.1\n' >"$work/extra/etc/root.hints"
printf '. IN DNSKEY %s\n' "$(cat "$names/anchor")" >"$work/extra/etc/root.key"
(cd "$work/extra" && find . | sort | cpio -o -H newc --quiet) >"$work/extra.cpio"
cp "$work/plain/5-initramfs.cpio.zst" "$out/initrd"
truncate -s %4 "$out/initrd" # where the kernel looks for an uncompressed archive
cat "$work/extra.cpio" >>"$out/initrd"
truncate -s %4 "$out/initrd"
