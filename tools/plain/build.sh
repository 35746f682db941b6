#!/usr/bin/env bash
# build.sh RECIPE EXTRA OUT
# Makes OUT/vmlinuz and OUT/initrd of a plain Debian server. The folder EXTRA is packed as a second archive: it gets PID 1
# and the filter's rules, and has to have etc/plain.conf with the server's addresses.
set -euo pipefail
recipe=$(realpath "$1") extra=$(realpath "$2") out=$(realpath -m "$3")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
vitrine lock "$recipe" --out "$work/lock.toml" -q >/dev/null
vitrine build "$recipe" --unsigned --lock "$work/lock.toml" --out "$work/built" -q >/dev/null 2>"$work/err" ||
  { cat "$work/err" >&2; exit 1; }
mkdir -p "$out" "$extra/etc"
objcopy -O binary --only-section=.linux "$work/built/6-image.unsigned.efi" "$out/vmlinuz"
install -m 0755 init.sh "$extra/init"
install -m 0644 plain.nft "$extra/etc/"
cp "$work/built/5-initramfs.cpio.zst" "$out/initrd"
truncate -s %4 "$out/initrd" # where the kernel looks for an uncompressed archive
(cd "$extra" && find . | sort | cpio -o -H newc --quiet) >>"$out/initrd"
truncate -s %4 "$out/initrd"
